//! Stands in for the crate `git2`, by the root manifest's `[patch]`.
//!
//! volo-build makes a git repository when its command line starts a new project. Our build script only generates code, so libgit2
//! would be compiled from C for nothing. Each call here fails; none is made.
#![forbid(unsafe_code)]

use std::{convert::Infallible, fmt, path::Path};

/// No repository can be had.
#[derive(Debug)]
pub struct Repository(Infallible);

/// What every call ends with.
#[derive(Debug)]
pub struct Error;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this build has no libgit2 (idl/no-git2)")
    }
}

impl std::error::Error for Error {}

impl Repository {
    /// Fails.
    pub fn discover(_: impl AsRef<Path>) -> Result<Self, Error> {
        Err(Error)
    }

    /// Fails.
    pub fn init(_: impl AsRef<Path>) -> Result<Self, Error> {
        Err(Error)
    }

    /// Of no repository.
    pub fn workdir(&self) -> Option<&Path> {
        match self.0 {}
    }

    /// Of no repository.
    pub fn is_path_ignored(&self, _: impl AsRef<Path>) -> Result<bool, Error> {
        match self.0 {}
    }
}
