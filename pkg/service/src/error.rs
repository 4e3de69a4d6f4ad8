//! The errors of a call, for its caller, and how a handler reports a fault.

use std::{error::Error, fmt::Write as _, io};

use idl::base::Code;
use telemetry::metrics::CallOutcome;
use volo_thrift::{BizError, ClientError, ServerError};

/// The outcome of a call that isn't a success. Each is logged where it arises.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RpcError {
    /// The service refused the request (codes 1xxxx): the caller can correct it.
    #[error("refused: {0}")]
    Biz(BizError),
    /// No instance could be reached, the connection broke, or a dependency of the service is unavailable.
    #[error("the service is unavailable")]
    Unavailable,
    /// No answer within the deadline; the call may have been executed.
    #[error("the service did not answer in time")]
    TimedOut,
    /// An unexpected failure of the service.
    #[error("the service failed")]
    Internal,
}

impl RpcError {
    /// Its code in the table of codes.
    pub fn code(&self) -> Code {
        match self {
            Self::Biz(error) => idl::code(error),
            Self::Unavailable => Code::UNAVAILABLE,
            Self::TimedOut => Code::TIMED_OUT,
            Self::Internal => Code::INTERNAL,
        }
    }
}

impl From<&BizError> for RpcError {
    fn from(error: &BizError) -> Self {
        match idl::code(error) {
            Code::UNAVAILABLE => Self::Unavailable,
            Code::TIMED_OUT => Self::TimedOut,
            Code::INTERNAL => Self::Internal,
            _ => Self::Biz(error.clone()),
        }
    }
}

impl From<ClientError> for RpcError {
    fn from(error: ClientError) -> Self {
        Self::from(&error)
    }
}

impl From<&ClientError> for RpcError {
    fn from(error: &ClientError) -> Self {
        match error {
            ClientError::Biz(error) => error.into(),
            // Only our own deadline has this kind: the middleware that sets it changes the kind of all other errors.
            ClientError::Transport(error) if error.kind() == io::ErrorKind::TimedOut => {
                Self::TimedOut
            }
            ClientError::Transport(_) => Self::Unavailable,
            ClientError::Application(_) | ClientError::Protocol(_) => Self::Internal,
        }
    }
}

impl From<RpcError> for CallOutcome {
    fn from(error: RpcError) -> Self {
        match error {
            RpcError::Biz(_) => Self::Refused,
            RpcError::Unavailable => Self::Unavailable,
            RpcError::TimedOut => Self::TimedOut,
            RpcError::Internal => Self::Internal,
        }
    }
}

impl From<RpcError> for BizError {
    fn from(error: RpcError) -> Self {
        match error {
            RpcError::Biz(error) => error,
            fault => idl::biz(fault.code(), fault.to_string()),
        }
    }
}

impl From<RpcError> for ServerError {
    fn from(error: RpcError) -> Self {
        Self::Biz(error.into())
    }
}

/// The answer of a handler after an unexpected failure. The error is logged; the caller learns only the kind.
pub fn internal(error: &(dyn Error + 'static)) -> ServerError {
    tracing::error!(error = chain(error), "internal error");
    RpcError::Internal.into()
}

/// The answer of a handler when a dependency is unavailable. The error is logged; the caller learns only the kind.
pub fn unavailable(error: &(dyn Error + 'static)) -> ServerError {
    tracing::error!(error = chain(error), "dependency unavailable");
    RpcError::Unavailable.into()
}

/// The answer of an overloaded handler: nothing was done, and a later retry may succeed.
pub fn overloaded(error: &(dyn Error + 'static)) -> ServerError {
    tracing::warn!(error = chain(error), "overloaded");
    RpcError::Unavailable.into()
}

/// The answer of a handler after a timeout. The error is logged; the caller learns only the kind.
pub fn timed_out(error: &(dyn Error + 'static)) -> ServerError {
    tracing::error!(error = chain(error), "timed out");
    RpcError::TimedOut.into()
}

/// An error with its causes.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string can't fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
