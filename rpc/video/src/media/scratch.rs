//! Scratch files: what ffmpeg writes before it goes to the object store. Bounded, and without a name in the file system: whatever becomes of
//! this process, nothing of them stays.

use std::{fs::File, io, os::fd::AsRawFd as _, path::PathBuf, sync::Arc};

use settings::SCRATCH_UNIT as UNIT;
use tokio::{
    io::AsyncReadExt as _,
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::{MediaError, Refusal};

/// Where Linux has files in memory.
const IN_MEMORY: &str = "/dev/shm";

/// Disk space of this process for scratch files.
#[derive(Debug)]
pub(super) struct Scratch {
    directory: PathBuf,
    units: Arc<Semaphore>,
    max_units: usize,
}

impl Scratch {
    /// No directory: the system's own for temporary files.
    pub(super) fn new(directory: &str, bytes: u64) -> Self {
        let units = usize::try_from(bytes / UNIT).unwrap_or(usize::MAX);
        let max_units = units.min(Semaphore::MAX_PERMITS);
        Self {
            directory: match directory {
                "" => std::env::temp_dir(),
                named => named.into(),
            },
            units: Arc::new(Semaphore::new(max_units)),
            max_units,
        }
    }

    /// Whether a file for up to `bytes` can ever be had.
    pub(super) fn holds(&self, bytes: u64) -> bool {
        units_of(bytes) as usize <= self.max_units
    }

    /// A file for up to `bytes`. [`MediaError::DiskFull`] when others have the space, or the file can't be made. A [`Refusal`] when it is more
    /// than all the space: waiting doesn't help.
    pub(super) fn file(&self, bytes: u64) -> Result<ScratchFile, MediaError> {
        if !self.holds(bytes) {
            tracing::warn!(bytes, "more than media.scratch_bytes");
            return Err(Refusal::TooBig.into());
        }
        let space = self.units.clone().try_acquire_many_owned(units_of(bytes));
        let space = space.map_err(|_| MediaError::DiskFull("media.scratch_bytes".to_owned()))?;
        let file = tempfile::tempfile_in(&self.directory)
            .map_err(|error| MediaError::DiskFull(self.named(&error)))?;
        Ok(ScratchFile {
            file,
            _space: space,
        })
    }

    /// A file for a picture: in memory, where the system has a place for that, so that a full disk is no reason to refuse a video.
    pub(super) fn small_file(&self) -> Result<ScratchFile, MediaError> {
        let space = self.units.clone().try_acquire_many_owned(0);
        let space = space.map_err(|_| MediaError::DiskFull("media.scratch_bytes".to_owned()))?;
        let file = tempfile::tempfile_in(IN_MEMORY)
            .or_else(|_| tempfile::tempfile_in(&self.directory))
            .map_err(|error| MediaError::DiskFull(self.named(&error)))?;
        Ok(ScratchFile {
            file,
            _space: space,
        })
    }

    fn named(&self, error: &io::Error) -> String {
        format!("media.scratch_dir {}: {error}", self.directory.display())
    }
}

fn units_of(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// An open file that is gone when it is closed.
#[derive(Debug)]
pub struct ScratchFile {
    file: File,
    _space: OwnedSemaphorePermit,
}

impl ScratchFile {
    /// Where a program that this process has started finds it.
    pub(super) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// Its length in bytes.
    pub fn size_bytes(&self) -> Result<u64, MediaError> {
        let metadata = self.file.metadata();
        Ok(metadata.map_err(unreadable)?.len())
    }

    /// All of it; for a small file.
    pub(super) async fn bytes(&self) -> Result<Vec<u8>, MediaError> {
        let mut bytes = Vec::new();
        let mut reader = self.reader()?;
        reader.read_to_end(&mut bytes).await.map_err(unreadable)?;
        Ok(bytes)
    }

    /// A handle of its own, at the beginning of the file.
    pub fn reader(&self) -> Result<tokio::fs::File, MediaError> {
        // Opened anew: a duplicate would share its position.
        let file = File::open(self.path()).map_err(unreadable)?;
        Ok(tokio::fs::File::from_std(file))
    }
}

fn unreadable(error: io::Error) -> MediaError {
    MediaError::Tool(format!("a scratch file: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_is_read_from_its_beginning_and_its_space_is_free_when_it_goes() {
        let scratch = Scratch::new("", 2 * UNIT);
        let mut one = scratch.file(UNIT + 1).unwrap();
        assert!(matches!(scratch.file(1), Err(MediaError::DiskFull(_))));
        one.file.write_all(b"abc").unwrap();
        assert_eq!(one.size_bytes().unwrap(), 3);
        assert_eq!(std::fs::read(one.path()).unwrap(), b"abc");
        drop(one);
        scratch.file(2 * UNIT).unwrap();
        // More than all of it is refused for good.
        let never = scratch.file(2 * UNIT + 1);
        let is_refused = matches!(never, Err(MediaError::Refused(Refusal::TooBig)));
        assert!(is_refused, "{never:?}");
        let nowhere = Scratch::new("/nowhere", UNIT).file(1);
        assert!(matches!(nowhere, Err(MediaError::DiskFull(_))));
    }
}
