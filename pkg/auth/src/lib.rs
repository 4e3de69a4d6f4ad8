//! Password hashes (bcrypt) and tokens (JWT).
//!
//! It knows neither users nor databases. It hashes and verifies passwords, and issues and verifies tokens. Verifying a token gives the
//! account that it names.
//! Nothing here logs, and no error carries a password or a token.

mod hs256;
mod passwords;
mod tokens;

pub use passwords::Passwords;
pub use tokens::{TokenError, TokenSubject, Tokens};

/// The rules of bcrypt for a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRule {
    /// bcrypt would ignore the rest.
    #[error("must have at most 72 bytes")]
    MaxBytes,
    /// bcrypt would take it for the end.
    #[error("must not hold a NUL character")]
    NoNul,
}

/// Why a hash or a token could not be made or checked.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The password breaks a rule of bcrypt's.
    #[error("password {0}")]
    Password(PasswordRule),
    /// The queue of hashes is full: the caller should retry later.
    #[error("too many password hashes are waiting")]
    Busy,
    /// A hash could not be computed: its stored form is damaged, or the configured cost is outside 4 to 31.
    #[error("bcrypt: {0}")]
    Hash(#[from] bcrypt::BcryptError),
    /// The thread that computed the hash is gone: the process is shutting down.
    #[error("the hash was not finished")]
    Stopped,
    /// There is no key to sign tokens with.
    #[error("no token key is configured")]
    NoKey,
    /// A token could not be signed.
    #[error("token not signed: {0}")]
    Sign(jsonwebtoken::errors::Error),
}
