//! What ffprobe and ffmpeg say on their error output, of which only the beginning is kept: a damaged file makes them say much, and what tells
//! whose fault it is may come last.

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

/// How much is kept, for the log; also the longest line.
const KEPT_BYTES: u64 = 16 << 10;
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

/// What all lines have said.
#[derive(Debug, Default)]
pub(super) struct Stderr {
    /// The beginning.
    pub(super) kept: String,
    /// The transport failed.
    pub(super) transport_failed: bool,
    /// The demuxer or the program says so, not only the transport, or that the input ended early.
    pub(super) gave_up: bool,
    pub(super) disk_was_full: bool,
    pub(super) out_of_memory: bool,
}

impl Stderr {
    /// Reads to the end, so that the writer is never blocked.
    pub(super) async fn read(from: impl AsyncRead + Unpin) -> std::io::Result<Self> {
        let mut from = BufReader::new(from);
        let (mut said, mut line) = (Self::default(), Vec::new());
        loop {
            line.clear();
            let mut limited = (&mut from).take(KEPT_BYTES);
            if limited.read_until(b'\n', &mut line).await? == 0 {
                return Ok(said);
            }
            said.add(&String::from_utf8_lossy(&line));
        }
    }

    fn add(&mut self, line: &str) {
        let contains = |messages: &[&str]| messages.iter().any(|message| line.contains(message));
        let is_failure = contains(&TRANSPORT_ERRORS);
        let is_by_transport = TRANSPORTS.iter().any(|name| line.starts_with(name));
        self.transport_failed |= is_failure || contains(&TRANSPORTS);
        self.gave_up |= !is_by_transport && (is_failure || line.contains(INPUT_ENDED));
        self.disk_was_full |= contains(&DISK_FULL_ERRORS);
        self.out_of_memory |= contains(&OUT_OF_MEMORY_ERRORS);
        if (self.kept.len() + line.len()) as u64 <= KEPT_BYTES {
            self.kept.push_str(line);
        }
    }
}
