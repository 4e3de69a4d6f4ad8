//! Asks ffprobe whether an object is a video, and for its duration, size and streams.

use std::time::{Duration, Instant};

use super::{
    Media, MediaError, Plan, Refusal,
    process::Output,
    remux::max_bytes,
    report::{Probe, Report, checked_duration_ms},
    streams::Streams,
};

/// For reading a whole file once more, whose probe has succeeded.
pub(crate) const READ_LIMIT: Duration = Duration::from_secs(60);
const OUTPUT_BYTES: u64 = 1 << 20;
const ENTRIES: &str = "format=format_name,duration,start_time:stream=index,codec_type,codec_name,profile,pix_fmt,width,height,\
     sample_aspect_ratio,avg_frame_rate,field_order,color_space,color_transfer:stream_disposition=default,attached_pic,timed_thumbnails:\
     stream_tags=rotate:stream_side_data=rotation";

impl Media {
    /// Asks ffprobe about the object at `url`, which must be good for `Media::probe_url_ttl`.
    pub async fn probe(&self, url: &str) -> Result<Probe, MediaError> {
        let begun = Instant::now();
        let stall_limit_us = Self::stall_limit_us(self.probe_limit);
        let mut arguments = vec!["-v", "error", "-print_format", "json"];
        arguments.extend(self.input_arguments(&stall_limit_us));
        arguments.extend(["-show_entries", ENTRIES, "-i", url]);
        let _slot = self.slot().await?;
        let output = self
            .run("ffprobe", &arguments, self.probe_limit, OUTPUT_BYTES)
            .await?;
        let json = succeeded(output)?;
        let report: Report = serde_json::from_slice(&json)
            .map_err(|error| MediaError::Tool(format!("ffprobe's report: {error}")))?;
        let mut video = report.video(self.bounds)?;
        let seconds = match report.duration() {
            Some(seconds) => seconds,
            None => {
                let left = self.probe_limit.saturating_sub(begun.elapsed());
                self.measured_duration(url, &video.streams, left).await?
            }
        };
        video.duration_ms = checked_duration_ms(seconds, self.bounds)?;
        Ok(video)
    }

    /// What is made of the video of `size_bytes`.
    pub fn plan(&self, video: &Probe, size_bytes: u64) -> Plan {
        let bit_rate = size_bytes.saturating_mul(8000) / video.duration_ms.max(1);
        match video.streams.plan(bit_rate, self.bounds) {
            // What is made anew needs space by its duration alone, and there is enough for the longest.
            Plan::Remux { .. } if !self.scratch.holds(max_bytes(size_bytes)) => Plan::Transcode,
            plan => plan,
        }
    }

    /// When the last packet of the video at `url` begins, which must be good for [`READ_LIMIT`]: reads the whole file.
    pub(crate) async fn last_packet_ms(&self, url: &str, video: &Probe) -> Result<u64, MediaError> {
        let last = self.measured_duration(url, &video.streams, READ_LIMIT);
        Ok((last.await? * 1000.0) as u64)
    }

    /// The seconds up to the last packet: reads the whole file.
    async fn measured_duration(
        &self,
        url: &str,
        streams: &Streams,
        limit: Duration,
    ) -> Result<f64, MediaError> {
        let stall_limit_us = Self::stall_limit_us(self.probe_limit);
        let mut arguments = vec!["-hide_banner", "-nostdin", "-v", "error"];
        arguments.extend(self.input_arguments(&stall_limit_us));
        let maps = streams.maps();
        arguments.extend(["-i", url]);
        for map in &maps {
            arguments.extend(["-map", map]);
        }
        arguments.extend("-c copy -f null -progress pipe:1 -".split(' '));
        let output = self.run("ffmpeg", &arguments, limit, OUTPUT_BYTES).await?;
        let report = succeeded(output)?;
        let report = String::from_utf8_lossy(&report);
        let times = report
            .lines()
            .filter_map(|line| line.strip_prefix("out_time_us="));
        let last: Option<f64> = times
            .filter_map(|time| time.trim().parse().ok())
            .next_back();
        Ok(last.unwrap_or_default() / 1e6)
    }
}

fn succeeded(output: Output) -> Result<Vec<u8>, MediaError> {
    if output.transport_failed() {
        return Err(MediaError::Unavailable("broke off while probed".to_owned()));
    }
    if output.out_of_memory() {
        return Err(Refusal::TooBig.into());
    }
    output
        .succeeded()
        .map_err(|_| Refusal::UnknownFormat.into())
}
