//! Runs a program on an untrusted file, in a [`sandbox`] and with limits on time and output, and tells what its end means.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::Stdio,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

use super::{
    error::{MediaError, Refusal},
    stderr::Stderr,
};

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
    stderr: Stderr,
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
        self.stderr.transport_failed
    }

    /// Whether the program succeeded, and what failed were connections that it opened anew: only the transport itself reports errors of the
    /// transport. When it gives up, the demuxer or the program reports one, too, also if the exit code is 0; that of MP4 says only that its
    /// input has ended.
    pub(super) fn recovered(&self) -> bool {
        self.exit_code == 0 && !self.stderr.gave_up
    }

    /// Whether the disk was full.
    pub(super) fn disk_was_full(&self) -> bool {
        self.stderr.disk_was_full
    }

    /// Whether an allocation failed.
    pub(super) fn out_of_memory(&self) -> bool {
        self.stderr.out_of_memory
    }

    /// The beginning of the error output.
    pub(super) fn stderr(&self) -> &str {
        &self.stderr.kept
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
    let sandbox_limits = sandbox::Limits {
        cpu: Duration::from_secs(cpu_s),
        memory_bytes: limits.memory_bytes,
        file_bytes: limits.file_bytes,
        in_background: limits.in_background,
    };
    let mut command = sandbox::command(program, sandbox_limits);
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
        let (stdout, stderr) = tokio::try_join!(
            async {
                match done_us {
                    Some(done_us) => follow(stdout, done_us).await,
                    None => read_all(stdout, limits.output_bytes).await,
                }
            },
            async { Stderr::read(stderr).await.map_err(Stopped::Io) },
        )?;
        let ended = sandbox::wait(&mut child, sandbox_limits).await;
        Ok((stdout, stderr, ended.map_err(Stopped::Io)?))
    })
    .await;
    let (stdout, stderr, ended) = match ended {
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
    let Some(exit_code) = ended.status.code() else {
        return Err(match ended.status.signal() {
            Some(SIGKILL) if ended.cpu_is_used_up => Refusal::TooSlow.into(),
            Some(SIGXFSZ) => Refusal::TooBig.into(),
            Some(signal) if CRASHES.contains(&signal) => Refusal::Damaged.into(),
            // Not by this process: that returns above, or waits for no end.
            Some(SIGKILL) => MediaError::Killed(program.to_owned()),
            _ => MediaError::Tool(format!("{program}: {}", ended.status)),
        });
    };
    if exit_code == sandbox::COULD_NOT_START {
        return Err(MediaError::Tool(format!(
            "{program} could not be started: is it installed, and media.memory_bytes large enough?"
        )));
    }
    Ok(Output {
        stdout,
        stderr,
        exit_code,
    })
}

const SIGKILL: i32 = 9;
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
        for (signal, said) in [("KILL", "sh was killed"), ("SEGV", "the file is damaged")] {
            let script = format!("kill -{signal} $$");
            let ended = run("sh", &["-c", &script], LIMITS).await;
            assert_eq!(ended.unwrap_err().to_string(), said, "{signal}");
        }
        let stopped = run("sh", &["-c", "kill -TERM $$"], LIMITS).await;
        assert!(matches!(stopped, Err(MediaError::Tool(_))), "{stopped:?}");
    }

    #[tokio::test]
    async fn a_file_on_which_a_program_uses_up_its_processor_time_is_to_blame() {
        // Only the second that there always is.
        let limits = Limits {
            threads: 0,
            ..LIMITS
        };
        let ended = run("sh", &["-c", "while :; do :; done"], limits).await;
        let is_too_slow = matches!(ended, Err(MediaError::Refused(Refusal::TooSlow)));
        assert!(is_too_slow, "{ended:?}");
    }

    #[tokio::test]
    async fn a_failure_that_is_told_after_many_other_messages_is_noticed() {
        for (last, failure) in [
            ("http://1/x: Connection refused", "transport"),
            ("[http @ 0x5] Stream ends prematurely", "connection"),
            ("/proc/1/fd/5: No space left on device", "disk"),
            ("get_buffer() failed", "memory"),
            ("and no more", "none"),
        ] {
            let many =
                "head -c 20000 /dev/zero | tr '\\0' x >&2; echo >&2; yes | head -n 20000 >&2";
            let script = format!("{many}; echo '{last}' >&2");
            let said = run("sh", &["-c", &script], LIMITS).await.unwrap();
            let (transport, connection) = (said.transport_failed(), !said.recovered());
            let told = (
                transport,
                connection,
                said.disk_was_full(),
                said.out_of_memory(),
            );
            let expected = match failure {
                "transport" => (true, true, false, false),
                "connection" => (true, false, false, false),
                "disk" => (false, false, true, false),
                "memory" => (false, false, false, true),
                _ => (false, false, false, false),
            };
            assert_eq!(told, expected, "{failure}");
            assert_eq!(said.stderr().len(), 16 << 10, "the beginning is kept");
        }
    }

    #[tokio::test]
    async fn a_connection_that_was_opened_anew_is_no_failure_and_one_that_was_given_up_is() {
        let ended = async |exit_code, stderr: &str| Output {
            stdout: Vec::new(),
            stderr: Stderr::read(stderr.as_bytes()).await.unwrap(),
            exit_code,
        };
        let closed = "[http @ 0x5] Stream ends prematurely at 5, should be 9\n";
        let refused = "[tcp @ 0x5] Connection to tcp://127.0.0.1:1 failed: Connection refused\n";
        for stderr in [closed, refused, "[h264 @ 0x5] error while decoding\n"] {
            assert!(ended(0, stderr).await.recovered(), "{stderr}");
            assert!(!ended(1, stderr).await.recovered(), "{stderr}");
        }
        assert!(ended(0, closed).await.transport_failed());
        for given_up in [
            "http://127.0.0.1:1/x: Input/output error",
            "http://127.0.0.1:1/x: Server returned 403 Forbidden (access denied)",
            "[in#0/matroska @ 0x5] Error during demuxing: Connection refused",
        ] {
            let stderr = format!("{closed}{given_up}\n");
            assert!(!ended(0, &stderr).await.recovered(), "{stderr}");
        }
    }
}
