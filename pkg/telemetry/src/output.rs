//! Standard output for log lines. If it is a file, it is rotated at a size, so that logs can't fill the disk.
//!
//! The file is renamed between two lines, and one old file is kept. `tail -F` follows it. Nothing here may log, because the lock of the
//! logs is held.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Write},
    os::{
        fd::AsFd,
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::PathBuf,
};

/// Standard output.
pub(crate) struct Output(Option<LogFile>);

/// Standard output as a file.
struct LogFile {
    path: PathBuf,
    rotate_bytes: u64,
    /// Its length, as far as this process knows; other processes may write into it too.
    bytes: u64,
    has_stderr: bool,
}

impl Output {
    /// Rotated when it would become longer than `rotate_bytes`; 0: never.
    pub(crate) fn new(rotate_bytes: u64) -> Self {
        Self(if rotate_bytes == 0 {
            None
        } else {
            LogFile::find(rotate_bytes)
        })
    }
}

impl Write for Output {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(file) = &mut self.0 {
            file.make_room(line.len());
        }
        io::stdout().write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

impl LogFile {
    /// `None` if standard output isn't a named file.
    fn find(rotate_bytes: u64) -> Option<Self> {
        let path = fs::read_link("/proc/self/fd/1").ok()?;
        let stdout = metadata(io::stdout()).ok()?;
        let is_named = fs::metadata(&path).is_ok_and(|named| same_file(&stdout, &named));
        (is_named && stdout.is_file()).then(|| Self {
            path,
            rotate_bytes,
            bytes: stdout.len(),
            has_stderr: metadata(io::stderr()).is_ok_and(|stderr| same_file(&stdout, &stderr)),
        })
    }

    fn make_room(&mut self, line: usize) {
        let line = line as u64;
        if self.bytes + line > self.rotate_bytes {
            // A rotation that fails is tried again after as many bytes: a log that is too long is better than none.
            self.bytes = self.rotate(line).unwrap_or(0);
        }
        self.bytes += line;
    }

    /// Rotates the file. Returns the length of the file that is written to from now on.
    fn rotate(&self, line: u64) -> io::Result<u64> {
        let old = metadata(io::stdout())?;
        // Another process with the same output may have rotated it already, or it was truncated.
        if fs::metadata(&self.path).is_ok_and(|named| same_file(&old, &named)) {
            if old.len() + line <= self.rotate_bytes {
                return Ok(old.len());
            }
            let mut aside = self.path.clone().into_os_string();
            aside.push(".1");
            fs::rename(&self.path, aside)?;
        }
        let new = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(old.mode() & 0o777)
            .open(&self.path)?;
        rustix::stdio::dup2_stdout(&new)?;
        if self.has_stderr {
            rustix::stdio::dup2_stderr(&new)?;
        }
        Ok(new.metadata()?.len())
    }
}

fn metadata(output: impl AsFd) -> io::Result<Metadata> {
    File::from(output.as_fd().try_clone_to_owned()?).metadata()
}

fn same_file(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}
