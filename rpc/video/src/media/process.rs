//! Runs a program on an untrusted file, in a [`sandbox`] and with limits on time and output, and tells what its end means.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::Stdio,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

use super::error::{MediaError, Refusal};

/// How much of the error output is kept.
const STDERR_BYTES: u64 = 16 << 10;
/// How messages of the transport itself begin.
const TRANSPORTS: [&str; 4] = ["[http @", "[https @", "[tcp @", "[tls @"];
/// Other messages of libavformat (in the C locale) that blame the transport, not the file. The file is known to be complete, so an early end
/// or a failed read is the connection's fault.
const TRANSPORT_ERRORS: [&str; 8] = [
    "Server returned ",
    "Connection refused",
    "Connection reset by peer",
    "Connection timed out",
    "Network is unreachable",
    "No route to host",
    ": End of file",
    ": Input/output error",
];
/// Of a demuxer whose input ended before its index said so; a file that is damaged shows it, too.
const INPUT_ENDED: &str = ": partial file";
/// Messages of a disk that is full, or a file that has passed its limit.
const DISK_FULL_ERRORS: [&str; 1] = ["No space left on device"];
/// Messages of failed allocations.
const OUT_OF_MEMORY_ERRORS: [&str; 2] = ["Cannot allocate memory", "get_buffer() failed"];

/// The limits of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// From start to end; also the processor time, so that not even an orphan outlives it by much.
    pub(super) time: Duration,
    /// Address space.
    pub(super) memory_bytes: u64,
    /// Of the standard output.
    pub(super) output_bytes: u64,
    /// Of each file that it writes.
    pub(super) file_bytes: u64,
    /// Threads that compute; processor time is limited for all of them together.
    pub(super) threads: u64,
    /// Whether anything else that runs on this machine comes first, and it ends with this process.
    pub(super) in_background: bool,
}

/// The output of a process that ended by itself.
#[derive(Debug)]
pub(super) struct Output {
    stdout: Vec<u8>,
    stderr: String,
    exit_code: i32,
}

impl Output {
    /// The standard output, or the exit code as words.
    pub(super) fn succeeded(self) -> Result<Vec<u8>, String> {
        if self.exit_code == 0 {
            Ok(self.stdout)
        } else {
            Err(format!("exit code {}", self.exit_code))
        }
    }

    /// Whether the transport failed: then nothing that the program says about the file counts, unless it [recovered](Self::recovered).
    pub(super) fn transport_failed(&self) -> bool {
        self.stderr_contains(&TRANSPORTS) || self.stderr_contains(&TRANSPORT_ERRORS)
    }

    /// Whether the program succeeded, and what failed were connections that it opened anew: only the transport itself reports errors of the
    /// transport. When it gives up, the demuxer or the program reports one, too, also if the exit code is 0; that of MP4 says only that its
    /// input has ended.
    pub(super) fn recovered(&self) -> bool {
        let by_transport = |line: &str| TRANSPORTS.iter().any(|name| line.starts_with(name));
        let is_error = |line: &str| {
            let mut errors = TRANSPORT_ERRORS.iter().chain([&INPUT_ENDED]);
            errors.any(|error| line.contains(error))
        };
        let mut lines = self.stderr.lines();
        self.exit_code == 0 && !lines.any(|line| !by_transport(line) && is_error(line))
    }

    /// Whether the disk was full.
    pub(super) fn disk_was_full(&self) -> bool {
        self.stderr_contains(&DISK_FULL_ERRORS)
    }

    /// The error output.
    pub(super) fn stderr(&self) -> &str {
        &self.stderr
    }

    /// Whether an allocation failed.
    pub(super) fn out_of_memory(&self) -> bool {
        self.stderr_contains(&OUT_OF_MEMORY_ERRORS)
    }

    fn stderr_contains(&self, messages: &[&str]) -> bool {
        messages.iter().any(|message| self.stderr.contains(message))
    }
}

/// Runs a program to its end. A file that makes it crash or pass a limit is refused.
pub(super) async fn run(
    program: &str,
    arguments: &[&str],
    limits: Limits,
) -> Result<Output, MediaError> {
    run_observed(program, arguments, limits, None).await
}

/// The same for ffmpeg with `-progress pipe:1`: `done_us` is told how far it has come, in microseconds of the video.
pub(super) async fn run_observed(
    program: &str,
    arguments: &[&str],
    limits: Limits,
    done_us: Option<&AtomicU64>,
) -> Result<Output, MediaError> {
    let cpu_s = limits.time.as_secs().saturating_mul(limits.threads);
    let mut command = sandbox::command(
        program,
        sandbox::Limits {
            cpu: Duration::from_secs(cpu_s),
            memory_bytes: limits.memory_bytes,
            file_bytes: limits.file_bytes,
            in_background: limits.in_background,
        },
    );
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let tool = |error: std::io::Error| MediaError::Tool(format!("{program}: {error}"));
    let mut child = command.spawn().map_err(tool)?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(MediaError::Tool(format!("{program}: no pipes")));
    };

    let ended = tokio::time::timeout(limits.time, async {
        tokio::try_join!(
            async {
                match done_us {
                    Some(done_us) => follow(stdout, done_us).await,
                    None => read_all(stdout, limits.output_bytes).await,
                }
            },
            read_some(stderr, STDERR_BYTES),
            async { child.wait().await.map_err(Stopped::Io) },
        )
    })
    .await;
    let (stdout, stderr, status) = match ended {
        Ok(Ok(ended)) => ended,
        stopped => {
            // Waits for the end, so that the permit isn't released while the process still runs.
            child.kill().await.map_err(tool)?;
            return Err(match stopped {
                Ok(Err(Stopped::Io(error))) => tool(error),
                Ok(Err(Stopped::TooMuchOutput)) => Refusal::TooBig.into(),
                Err(_) | Ok(Ok(_)) => Refusal::TooSlow.into(),
            });
        }
    };
    let Some(exit_code) = status.code() else {
        return Err(match status.signal() {
            Some(SIGXCPU) => Refusal::TooSlow.into(),
            Some(SIGXFSZ) => Refusal::TooBig.into(),
            Some(signal) if CRASHES.contains(&signal) => Refusal::Damaged.into(),
            // Not by this process: that returns above, or waits for no end.
            Some(SIGKILL) => MediaError::Killed(program.to_owned()),
            _ => MediaError::Tool(format!("{program}: {status}")),
        });
    };
    if exit_code == sandbox::COULD_NOT_START {
        return Err(MediaError::Tool(format!(
            "{program} could not be started: is it installed, and media.memory_bytes large enough?"
        )));
    }
    Ok(Output {
        stdout,
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        exit_code,
    })
}

const SIGKILL: i32 = 9;
const SIGXCPU: i32 = 24;
const SIGXFSZ: i32 = 25;
/// SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV.
const CRASHES: [i32; 5] = [4, 6, 7, 8, 11];

enum Stopped {
    Io(std::io::Error),
    TooMuchOutput,
}

async fn read_all(from: impl AsyncRead + Unpin, limit: u64) -> Result<Vec<u8>, Stopped> {
    let mut bytes = Vec::new();
    from.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .await
        .map_err(Stopped::Io)?;
    if bytes.len() as u64 > limit {
        return Err(Stopped::TooMuchOutput);
    }
    Ok(bytes)
}

/// Reads a report of progress to its end.
async fn follow(from: impl AsyncRead + Unpin, done_us: &AtomicU64) -> Result<Vec<u8>, Stopped> {
    let mut lines = BufReader::new(from).lines();
    while let Some(line) = lines.next_line().await.map_err(Stopped::Io)? {
        let time = line
            .strip_prefix("out_time_us=")
            .and_then(|us| us.trim().parse().ok());
        if let Some(time) = time {
            done_us.store(time, Ordering::Relaxed);
        }
    }
    Ok(Vec::new())
}

/// Keeps the beginning and reads on, so that the writer is never blocked.
async fn read_some(mut from: impl AsyncRead + Unpin, limit: u64) -> Result<Vec<u8>, Stopped> {
    let mut bytes = Vec::new();
    (&mut from)
        .take(limit)
        .read_to_end(&mut bytes)
        .await
        .map_err(Stopped::Io)?;
    tokio::io::copy(&mut from, &mut tokio::io::sink())
        .await
        .map_err(Stopped::Io)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        time: Duration::from_secs(30),
        memory_bytes: 1 << 30,
        output_bytes: 1 << 10,
        file_bytes: 1 << 20,
        threads: 1,
        in_background: true,
    };

    #[tokio::test]
    async fn what_a_signal_says_of_the_file() {
        for (signal, said) in [
            ("KILL", "sh was killed"),
            ("SEGV", "the file is damaged"),
            ("XCPU", "reading the file takes too long"),
        ] {
            let script = format!("kill -{signal} $$");
            let ended = run("sh", &["-c", &script], LIMITS).await;
            assert_eq!(ended.unwrap_err().to_string(), said, "{signal}");
        }
        let stopped = run("sh", &["-c", "kill -TERM $$"], LIMITS).await;
        assert!(matches!(stopped, Err(MediaError::Tool(_))), "{stopped:?}");
    }

    #[test]
    fn a_connection_that_was_opened_anew_is_no_failure_and_one_that_was_given_up_is() {
        let ended = |exit_code, stderr: &str| Output {
            stdout: Vec::new(),
            stderr: stderr.to_owned(),
            exit_code,
        };
        let closed = "[http @ 0x5] Stream ends prematurely at 5, should be 9\n";
        let refused = "[tcp @ 0x5] Connection to tcp://127.0.0.1:1 failed: Connection refused\n";
        for stderr in [closed, refused, "[h264 @ 0x5] error while decoding\n"] {
            assert!(ended(0, stderr).recovered(), "{stderr}");
            assert!(!ended(1, stderr).recovered(), "{stderr}");
        }
        assert!(ended(0, closed).transport_failed());
        for given_up in [
            "http://127.0.0.1:1/x: Input/output error",
            "http://127.0.0.1:1/x: Server returned 403 Forbidden (access denied)",
            "[in#0/matroska @ 0x5] Error during demuxing: Connection refused",
        ] {
            let stderr = format!("{closed}{given_up}\n");
            assert!(!ended(0, &stderr).recovered(), "{stderr}");
        }
    }
}
