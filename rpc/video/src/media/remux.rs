//! Remuxes: the same pictures and sound in a new container, with the index first and without metadata such as GPS positions. Other tracks
//! are dropped. Rotation and colours stay.

use std::{
    sync::atomic::AtomicU64,
    time::{Duration, Instant},
};

use super::{Format, Media, MediaError, Probe, Refusal, ScratchFile, is_cut};

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
    /// Whether its packets end before the uploaded file does, by what that one's container says. Either the end is missing, or the last
    /// picture is shown for long.
    pub seems_cut: bool,
}

/// The largest size of a remux of so many bytes.
pub(super) fn max_bytes(size_bytes: u64) -> u64 {
    (size_bytes.saturating_add(size_bytes / GROWTH_SHARE)).saturating_add(GROWTH_BYTES)
}

impl Media {
    /// Remuxes the video of `size_bytes` at `url`, which must be good for `Media::probe_url_ttl`, within `media.remux_timeout_ms`, its wait
    /// for a slot included; if `is_small`, within the times of a probe. One that seems to be cut is refused, and isn't looked at any further.
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
        let remuxed = self.remux(url, video, into, size_bytes, limit).await?;
        match remuxed.seems_cut {
            true => Err(Refusal::CutShort.into()),
            false => Ok(remuxed),
        }
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
        let max_bytes = max_bytes(size_bytes);
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
        arguments.extend(["-progress", "pipe:1", &path]);
        let done_us = AtomicU64::default();
        let output = self.run_writing(&arguments, limit, max_bytes, &done_us);
        let output = output.await?;
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
        let packets_ms = done_us.into_inner() / 1000 + video.streams.picture_ms();
        Ok(Remuxed {
            file,
            format: into,
            seems_cut: is_cut(packets_ms, video.duration_ms),
        })
    }
}
