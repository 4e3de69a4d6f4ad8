//! Range checks of the settings `[media]` and `[transcoder]`.

use super::Check;
use crate::Settings;

/// What ffmpeg knows a limit of pixels for, at most.
const MAX_PIXELS: u64 = 2_147_483_647;

impl Settings {
    pub(super) fn processing_checks(&self) -> Vec<Check> {
        let (media, transcoder) = (&self.media, &self.transcoder);
        let is_small = media.small_height == 0 || (144..=1080).contains(&media.small_height);
        let rate = "must be at least 100000";
        vec![
            (
                media.probe_timeout_s > 0,
                "media.probe_timeout_s",
                "must be above 0",
            ),
            (
                media.cover_timeout_s > 0,
                "media.cover_timeout_s",
                "must be above 0",
            ),
            (
                media.memory_bytes >= 512 << 20,
                "media.memory_bytes",
                "must be at least 512 MiB: ffmpeg maps about 300 MiB before it begins",
            ),
            (media.parallel > 0, "media.parallel", "must be above 0"),
            (
                media.max_duration_s > 0,
                "media.max_duration_s",
                "must be above 0",
            ),
            (
                (1..=MAX_PIXELS).contains(&media.max_pixels),
                "media.max_pixels",
                "must be 1 to 2147483647, the most that ffmpeg knows",
            ),
            (
                media.max_streams > 0,
                "media.max_streams",
                "must be above 0",
            ),
            (media.max_bit_rate >= 100_000, "media.max_bit_rate", rate),
            (
                (1..=30_000).contains(&media.remux_timeout_ms),
                "media.remux_timeout_ms",
                "must be 1 to 30000",
            ),
            (
                (1..=1000).contains(&media.max_unfinished),
                "media.max_unfinished",
                "must be 1 to 1000",
            ),
            (is_small, "media.small_height", "must be 144 to 1080, or 0"),
            (
                media.scratch_bytes >= 64 << 20,
                "media.scratch_bytes",
                "must be at least 67108864",
            ),
            (
                (1..=64).contains(&transcoder.parallel),
                "transcoder.parallel",
                "must be 1 to 64",
            ),
            (
                (1..=64).contains(&transcoder.threads),
                "transcoder.threads",
                "must be 1 to 64",
            ),
            (
                transcoder.memory_bytes >= 1 << 30,
                "transcoder.memory_bytes",
                "must be at least 1 GiB",
            ),
            (
                (3..=600).contains(&transcoder.lease_s),
                "transcoder.lease_s",
                "must be 3 to 600",
            ),
            (
                (1..=10).contains(&transcoder.max_attempts),
                "transcoder.max_attempts",
                "must be 1 to 10",
            ),
            (
                transcoder.retry_pause_s <= 3600,
                "transcoder.retry_pause_s",
                "must be 0 to 3600",
            ),
            (
                (1..=1000).contains(&transcoder.time_factor),
                "transcoder.time_factor",
                "must be 1 to 1000",
            ),
            (
                (60..=86_400).contains(&transcoder.max_attempt_s),
                "transcoder.max_attempt_s",
                "must be 60 to 86400",
            ),
            (
                (50..=60_000).contains(&transcoder.poll_ms),
                "transcoder.poll_ms",
                "must be 50 to 60000",
            ),
            (
                (10..=40).contains(&transcoder.crf),
                "transcoder.crf",
                "must be 10 to 40",
            ),
            (
                transcoder.max_bit_rate >= 100_000,
                "transcoder.max_bit_rate",
                rate,
            ),
            (
                transcoder.small_bit_rate >= 100_000,
                "transcoder.small_bit_rate",
                rate,
            ),
            (
                self.longest_video_fits(),
                "media.scratch_bytes",
                "must hold the renditions of a video of media.max_duration_s, at transcoder.max_bit_rate and transcoder.small_bit_rate: raise \
                 it, or lower one of these",
            ),
        ]
    }
}
