//! Transcodes to what every browser plays: H.264 High with AAC, at most 1080p and 60 frames a second, and a small rendition beside it. Rotation
//! and the shape of the pixels are applied, HDR becomes SDR.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use settings::rendition_bytes;

use super::{
    Media, MediaError, Probe, Refusal, ScratchFile,
    colour::Target,
    process::{self, Limits},
};

/// Sides of the largest picture that is made.
const LONG_SIDE: u32 = 1920;
const SHORT_SIDE: u32 = 1080;
/// The least time for a transcode, whatever the duration.
const MIN_LIMIT: Duration = Duration::from_secs(60);

/// By how much a container may overstate how long it plays: so many milliseconds, or this share; of a short video at most a quarter.
const TOLERANCE_MS: u64 = 1000;
const TOLERANCE_SHARE: u64 = 100;

/// How far a transcode has come, in microseconds of the video.
#[derive(Debug, Default)]
pub struct Progress(AtomicU64);

impl Progress {
    /// In percent of `duration_ms`, 0 to 99.
    pub fn percent(&self, duration_ms: u64) -> i8 {
        let done_ms = self.0.load(Ordering::Relaxed) / 1000;
        let percent = done_ms.saturating_mul(100) / duration_ms.max(1);
        i8::try_from(percent.min(99)).unwrap_or(99)
    }
}

/// What a transcode has made.
#[derive(Debug)]
pub struct Transcoded {
    /// The video, MP4.
    pub file: ScratchFile,
    /// Its small rendition, and that one's height in pixels.
    pub small: Option<(ScratchFile, u32)>,
    /// Whether the store closed a connection, and the rest was read by another.
    pub was_interrupted: bool,
}

/// Whether something is missing of an original, by the durations of both.
pub(crate) fn is_cut(made_ms: u64, original_ms: u64) -> bool {
    let missing_ms = original_ms.saturating_sub(made_ms);
    let tolerance_ms = (original_ms / 4).min(TOLERANCE_MS);
    missing_ms > tolerance_ms.max(original_ms / TOLERANCE_SHARE)
}

impl Media {
    /// How long a transcode, or a remux that isn't part of a publish, of a video of this duration may take, which its URL must be good for.
    pub(crate) fn transcode_limit(&self, duration_ms: u64) -> Duration {
        let factor = self.transcoder.time_factor;
        let limit = Duration::from_millis(duration_ms.saturating_mul(factor)).max(MIN_LIMIT);
        limit.min(self.max_attempt)
    }

    /// Whether a small rendition is made of this video, and its size.
    pub(crate) fn small_size(&self, video: &Probe) -> Option<(u32, u32)> {
        let (width, height) = full_size(video);
        let is_smaller = self.small_height > 0 && width.min(height) > self.small_height;
        is_smaller.then(|| within(width, height, u32::MAX, self.small_height))
    }

    /// Transcodes the video at `url`, which must be good for [`Media::transcode_limit`].
    pub(crate) async fn transcode(
        &self,
        url: &str,
        video: &Probe,
        progress: &Progress,
    ) -> Result<Transcoded, MediaError> {
        let limit = self.transcode_limit(video.duration_ms);
        let settings = &self.transcoder;
        let (width, height) = full_size(video);
        let small = self.small_size(video);
        let full_bytes = bytes_of(settings.max_bit_rate, video);
        let file = self.scratch.file(full_bytes)?;
        let small_file = match small {
            Some(_) => Some(
                self.scratch
                    .file(bytes_of(settings.small_bit_rate, video))?,
            ),
            None => None,
        };
        let graph = graph(video, (width, height), small);
        let threads = settings.threads.to_string();
        let stall_limit_us = Self::stall_limit_us(limit);
        let mut arguments = vec!["-hide_banner", "-nostdin", "-v", "error", "-y"];
        arguments.extend(["-progress", "pipe:1", "-stats_period", "1"]);
        arguments.extend(self.input_arguments(&stall_limit_us));
        // The store may close a connection that waits for the encoder.
        arguments.extend("-reconnect 1 -reconnect_delay_max 5".split(' '));
        arguments.extend(["-i", url, "-filter_complex", &graph]);
        let audio = video.streams.audio_map();
        let (full_encoder, small_encoder) = (
            encoder(settings.max_bit_rate, settings.crf),
            encoder(settings.small_bit_rate, settings.crf),
        );
        let (path, small_path) = (file.path(), small_file.as_ref().map(ScratchFile::path));
        let outputs = [
            Some(("[full]", &full_encoder, &path)),
            small_path
                .as_ref()
                .map(|path| ("[small]", &small_encoder, path)),
        ];
        for (label, encoder, path) in outputs.into_iter().flatten() {
            arguments.extend(["-map", label]);
            if let Some(audio) = &audio {
                arguments.extend(["-map", audio]);
            }
            arguments.extend(encoder.iter().map(String::as_str));
            arguments.extend(["-threads", &threads, path]);
        }
        let limits = Limits {
            time: limit,
            memory_bytes: settings.memory_bytes,
            output_bytes: 0,
            file_bytes: full_bytes,
            threads: settings.threads.saturating_add(2),
            in_background: true,
        };
        let output = process::run_observed("ffmpeg", &arguments, limits, Some(&progress.0)).await?;
        let was_interrupted = output.transport_failed();
        if was_interrupted && !output.recovered() {
            let broke_off = "broke off while transcoded".to_owned();
            return Err(MediaError::Unavailable(broke_off));
        } else if output.disk_was_full() {
            return Err(MediaError::DiskFull("media.scratch_dir".to_owned()));
        } else if output.out_of_memory() {
            return Err(Refusal::TooBig.into());
        }
        let stderr = output.stderr().to_owned();
        if let Err(ended) = output.succeeded() {
            tracing::info!(ended, stderr, "not transcoded");
            return Err(Refusal::Undecodable.into());
        }
        Ok(Transcoded {
            file,
            small: small_file.zip(small.map(|(_, height)| height)),
            was_interrupted,
        })
    }
}

/// The largest size of a rendition of this video, in bytes.
fn bytes_of(bit_rate: u64, video: &Probe) -> u64 {
    rendition_bytes(bit_rate, video.duration_ms / 1000)
}

/// One decoder, and an encoder for each size.
fn graph(video: &Probe, (width, height): (u32, u32), small: Option<(u32, u32)>) -> String {
    let streams = &video.streams;
    let mut filters = streams.filters(width, height, Target::Video);
    if streams.is_interlaced {
        filters = format!("bwdif=mode=send_frame,{filters}");
    }
    if streams.is_too_fast() {
        filters = format!("fps=60,{filters}");
    }
    let input = format!("[0:{}]", streams.index);
    match small {
        None => format!("{input}{filters}[full]"),
        Some((width, height)) => {
            format!(
                "{input}{filters},split[full][half];[half]scale=w={width}:h={height},setsar=1[small]"
            )
        }
    }
}

fn encoder(max_bit_rate: u64, crf: u32) -> Vec<String> {
    format!(
        "-c:v libx264 -preset veryfast -profile:v high -crf {crf} -maxrate {max_bit_rate} -bufsize {} -g 120 -fps_mode vfr \
         -color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv -c:a aac -b:a 128k -ac 2 -ar 48000 \
         -map_metadata -1 -map_chapters -1 -fflags +bitexact -movflags +faststart -f mp4",
        max_bit_rate.saturating_mul(2)
    )
    .split_whitespace()
    .map(ToOwned::to_owned)
    .collect()
}

/// The size of the full rendition.
fn full_size(video: &Probe) -> (u32, u32) {
    within(video.width, video.height, LONG_SIDE, SHORT_SIDE)
}

/// The largest size of this shape, not larger than it is, with sides no longer than these; even, as chroma needs it.
fn within(width: u32, height: u32, long_side: u32, short_side: u32) -> (u32, u32) {
    let (long, short) = (width.max(height).max(1), width.min(height).max(1));
    let scale = (f64::from(long_side) / f64::from(long))
        .min(f64::from(short_side) / f64::from(short))
        .min(1.0);
    let even = |side: u32| ((f64::from(side) * scale / 2.0).round() as u32).max(1) * 2;
    (even(width), even(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_keeps_its_shape_is_even_and_never_grows() {
        for (from, to) in [
            ((1920, 1080), (1920, 1080)),
            ((3840, 2160), (1920, 1080)),
            ((2160, 3840), (1080, 1920)),
            ((1000, 1000), (1000, 1000)),
            ((4000, 4000), (1080, 1080)),
            ((321, 241), (322, 242)),
            ((1, 4096), (2, 1920)),
        ] {
            assert_eq!(
                within(from.0, from.1, LONG_SIDE, SHORT_SIDE),
                to,
                "{from:?}"
            );
        }
        assert_eq!(within(1920, 1080, u32::MAX, 540), (960, 540));
        assert_eq!(within(1080, 1920, u32::MAX, 540), (540, 960));
    }

    #[test]
    fn a_video_is_cut_if_more_than_a_moment_is_missing() {
        for (made_ms, original_ms, expected) in [
            (400, 1_000, true),
            (900, 1_000, false),
            (5_000, 10_000, true),
            (8_900, 10_000, true),
            (9_000, 10_000, false),
            (10_040, 10_000, false),
            (591_000, 600_000, true),
            (594_000, 600_000, false),
        ] {
            assert_eq!(is_cut(made_ms, original_ms), expected, "{made_ms}");
        }
    }

    #[test]
    fn progress_ends_below_what_is_done() {
        let progress = Progress::default();
        for (done_us, percent) in [(0, 0), (500_000, 50), (9_000_000, 99)] {
            progress.0.store(done_us, Ordering::Relaxed);
            assert_eq!(progress.percent(1000), percent);
        }
    }
}
