//! Remuxes: the same pictures and sound in a new container, with the index first and without metadata such as GPS positions. Other tracks
//! are dropped. Rotation and colours stay.

use std::time::{Duration, Instant};

use super::{Format, Media, MediaError, Probe, Refusal, ScratchFile};

/// A container may need a little more than the uploaded one: this share of the file, and so many bytes.
const GROWTH_SHARE: u64 = 8;
const GROWTH_BYTES: u64 = 1 << 20;

/// What a remux has made.
#[derive(Debug)]
pub struct Remuxed {
    /// The video.
    pub file: ScratchFile,
    /// Its container.
    pub format: Format,
}

impl Media {
    /// Remuxes the video of `size_bytes` at `url`, which must be good for `Media::probe_url_ttl`, within `media.remux_timeout_ms`, its wait
    /// for a slot included; if `is_small`, within the times of a probe.
    pub async fn remux_at_once(
        &self,
        url: &str,
        video: &Probe,
        into: Format,
        size_bytes: u64,
        is_small: bool,
    ) -> Result<Remuxed, MediaError> {
        let (_slot, limit) = match is_small {
            true => (self.slot().await?, self.probe_limit),
            false => {
                let begun = Instant::now();
                let slot = tokio::time::timeout(self.remux_limit, self.slots.acquire()).await;
                let Ok(Ok(slot)) = slot else {
                    return Err(MediaError::Busy);
                };
                (slot, self.remux_limit.saturating_sub(begun.elapsed()))
            }
        };
        self.remux(url, video, into, size_bytes, limit).await
    }

    /// Remuxes the video of `size_bytes` at `url`, which must be good for `limit`.
    pub(crate) async fn remux(
        &self,
        url: &str,
        video: &Probe,
        into: Format,
        size_bytes: u64,
        limit: Duration,
    ) -> Result<Remuxed, MediaError> {
        let max_bytes = (size_bytes + size_bytes / GROWTH_SHARE).saturating_add(GROWTH_BYTES);
        let file = self.scratch.file(max_bytes)?;
        let path = file.path();
        let stall_limit_us = Self::stall_limit_us(limit);
        let mut arguments = vec!["-hide_banner", "-nostdin", "-v", "error", "-y"];
        arguments.extend(self.input_arguments(&stall_limit_us));
        arguments.extend(["-i", url]);
        let maps = video.streams.maps();
        for map in &maps {
            arguments.extend(["-map", map]);
        }
        arguments.extend("-c copy -map_metadata -1 -map_chapters -1 -fflags +bitexact".split(' '));
        arguments.extend(match into {
            Format::Mp4 => ["-movflags", "+faststart", "-write_tmcd", "0", "-f", "mp4"],
            Format::WebM => ["-cues_to_front", "1", "-dn", "-sn", "-f", "webm"],
        });
        arguments.push(&path);
        let output = self.run_writing(&arguments, limit, max_bytes).await?;
        if output.transport_failed() {
            let broke_off = "broke off while remuxed".to_owned();
            return Err(MediaError::Unavailable(broke_off));
        } else if output.disk_was_full() {
            return Err(MediaError::DiskFull("media.scratch_dir".to_owned()));
        } else if output.out_of_memory() {
            return Err(Refusal::TooBig.into());
        }
        if let Err(ended) = output.succeeded() {
            tracing::debug!(ended, "not remuxed");
            return Err(Refusal::Undecodable.into());
        }
        Ok(Remuxed { file, format: into })
    }
}
