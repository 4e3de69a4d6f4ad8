//! Examines an uploaded object with ffprobe and ffmpeg (is it complete, is it a video, what is its cover?), and makes what viewers get of it:
//! by a remux, where every browser plays it as it is, or else by a transcode.
//!
//! The programs read the object by a short-lived URL, within limits (formats, protocols, time, memory, output) and with no environment
//! variable but `PATH`. The file is untrusted: whatever it does to the programs is a [`Refusal`], never our error. A store that can't be
//! read is never a refusal. No URL is logged.

mod colour;
mod complete;
mod cover;
mod error;
mod plan;
mod probe;
mod process;
mod remux;
mod report;
mod scratch;
mod stderr;
mod streams;
mod transcode;

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use telemetry::metrics;
use tokio::sync::{Semaphore, SemaphorePermit};

pub use complete::{ReadAt, complete};
pub use cover::Cover;
pub use error::{MediaError, Refusal};
pub use plan::{Format, Plan};
pub(crate) use probe::READ_LIMIT;
pub use remux::Remuxed;
pub use report::Probe;
use scratch::Scratch;
pub use scratch::ScratchFile;
pub use streams::Streams;
pub(crate) use transcode::is_cut;
pub use transcode::{Progress, Transcoded};

/// Demuxers that may open a file. Playlists and scripts (HLS, concat, DASH, SDP), which would fetch other addresses, are not among them.
const FORMATS: &str = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm";
/// The store must send bytes within this part of the limit. So a store that hangs differs from a file that takes long.
const STALL_SHARE: u32 = 4;

/// The name of the programs' permits in the metrics.
const FFMPEG: &str = "ffmpeg";

/// Runs ffprobe and ffmpeg, few at a time.
#[derive(Debug)]
pub struct Media {
    slots: Arc<Semaphore>,
    protocols: &'static str,
    /// How a store that speaks TLS is checked; none: it doesn't.
    tls: Vec<String>,
    probe_limit: Duration,
    cover_limit: Duration,
    remux_limit: Duration,
    memory_bytes: u64,
    bounds: Bounds,
    scratch: Scratch,
    /// Pixels of the shorter side of a small rendition; 0: none are made.
    small_height: u32,
    transcoder: settings::Transcoder,
    /// For an attempt of the transcoder.
    max_attempt: Duration,
}

/// The most that a video may be; see `[media]` of the settings.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    duration_s: u64,
    pixels: u64,
    streams: usize,
    /// Of what is served as it is, in bits a second.
    bit_rate: u64,
}

impl Media {
    /// Takes its limits from `[media]`, and whether the store speaks TLS from `object_store.endpoint`.
    pub fn new(settings: &settings::Settings) -> Self {
        let media = &settings.media;
        let store = &settings.object_store;
        let by_tls = store.endpoint.starts_with("https:");
        let slots = Arc::new(Semaphore::new(media.parallel));
        metrics::watch_semaphore(FFMPEG, &slots, media.parallel);
        Self {
            slots,
            protocols: if by_tls {
                "http,tcp,https,tls"
            } else {
                "http,tcp"
            },
            tls: if by_tls {
                tls_arguments(store.ca_file.as_deref())
            } else {
                Vec::new()
            },
            probe_limit: Duration::from_secs(media.probe_timeout_s),
            cover_limit: Duration::from_secs(media.cover_timeout_s),
            remux_limit: Duration::from_millis(media.remux_timeout_ms),
            memory_bytes: media.memory_bytes,
            scratch: Scratch::new(&media.scratch_dir, media.scratch_bytes),
            small_height: media.small_height,
            transcoder: settings.transcoder.clone(),
            max_attempt: Duration::from_secs(
                (settings.transcoder.max_attempt_s).min(settings.reaper.age_s / 2),
            ),
            bounds: Bounds {
                duration_s: media.max_duration_s,
                pixels: media.max_pixels,
                streams: media.max_streams,
                bit_rate: media.max_bit_rate,
            },
        }
    }

    /// Checks that the programs can be run; for the start of the service.
    pub async fn check_programs(&self) -> Result<(), MediaError> {
        for program in ["ffprobe", "ffmpeg"] {
            self.run(program, &["-version"], self.probe_limit, 64 << 10)
                .await?
                .succeeded()
                .map_err(|ended| MediaError::Tool(format!("{program} does not run: {ended}")))?;
        }
        Ok(())
    }

    /// How long a URL given to [`Media::probe`] must be good, its wait included.
    pub(crate) fn probe_url_ttl(&self) -> Duration {
        self.queue_limit() + self.probe_limit
    }

    /// How long a URL given to [`Media::cover`] must be good, its wait included.
    pub(crate) fn cover_url_ttl(&self) -> Duration {
        self.queue_limit() + self.cover_limit
    }

    /// How long a probe or a cover may wait for its turn: as long as a probe may take.
    fn queue_limit(&self) -> Duration {
        self.probe_limit
    }

    async fn slot(&self) -> Result<SemaphorePermit<'_>, MediaError> {
        let _waiting = metrics::in_queue(FFMPEG);
        match tokio::time::timeout(self.queue_limit(), self.slots.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => {
                metrics::semaphore_refused(FFMPEG);
                Err(MediaError::Busy)
            }
        }
    }

    /// Arguments that both programs take before the URL.
    fn input_arguments<'a>(&'a self, stall_limit_us: &'a str) -> Vec<&'a str> {
        let always = [
            "-protocol_whitelist",
            self.protocols,
            "-format_whitelist",
            FORMATS,
            "-rw_timeout",
            stall_limit_us,
            "-threads",
            "1",
        ];
        let tls = self.tls.iter().map(String::as_str);
        always.into_iter().chain(tls).collect()
    }

    /// In ffmpeg's unit.
    fn stall_limit_us(limit: Duration) -> String {
        (limit / STALL_SHARE).as_micros().to_string()
    }

    /// Runs ffmpeg, which writes a scratch file of at most `file_bytes`, and tells how far it has come.
    async fn run_writing(
        &self,
        arguments: &[&str],
        time: Duration,
        file_bytes: u64,
        done_us: &AtomicU64,
    ) -> Result<process::Output, MediaError> {
        let limits = process::Limits {
            time,
            memory_bytes: self.memory_bytes,
            output_bytes: 0,
            file_bytes,
            threads: 1,
            in_background: false,
        };
        process::run_observed("ffmpeg", arguments, limits, Some(done_us)).await
    }

    async fn run(
        &self,
        program: &str,
        arguments: &[&str],
        time: Duration,
        output_bytes: u64,
    ) -> Result<process::Output, MediaError> {
        process::run(
            program,
            arguments,
            process::Limits {
                time,
                memory_bytes: self.memory_bytes,
                output_bytes,
                file_bytes: output_bytes,
                threads: 1,
                in_background: false,
            },
        )
        .await
    }
}

/// Without these arguments the programs accept any certificate. With them they trust the system's roots and those of the file.
fn tls_arguments(ca_file: Option<&Path>) -> Vec<String> {
    let mut arguments = vec!["-tls_verify".to_owned(), "1".to_owned()];
    if let Some(file) = ca_file {
        arguments.push("-ca_file".to_owned());
        arguments.push(file.display().to_string());
    }
    arguments
}
