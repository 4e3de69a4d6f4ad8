//! Failures of the rooms below, as outcomes of the one table. The cause is logged here, once; the caller learns the code.

use auth::{AuthError, PasswordRule};
use dal::DalError;
use idl::{
    Rule, ValidateError,
    base::{Code, Reason},
    biz, biz_because,
};
use volo_thrift::{BizError, ServerError};

/// Turns a failure into what the caller is told.
pub(crate) trait Outcome<T> {
    fn outcome(self) -> Result<T, ServerError>;
}

impl<T> Outcome<T> for Result<T, DalError> {
    fn outcome(self) -> Result<T, ServerError> {
        self.map_err(|error| match error {
            DalError::Unavailable(_) => service::unavailable(&error),
            DalError::TimedOut => service::timed_out(&error),
            DalError::Overloaded => service::overloaded(&error),
            _ => service::internal(&error),
        })
    }
}

impl<T> Outcome<T> for Result<T, AuthError> {
    fn outcome(self) -> Result<T, ServerError> {
        self.map_err(|error| match error {
            AuthError::Password(rule) => refused(rule).into(),
            AuthError::Busy => biz(Code::TOO_MANY_REQUESTS, "").into(),
            error => service::internal(&error),
        })
    }
}

fn refused(rule: PasswordRule) -> BizError {
    match rule {
        PasswordRule::MaxBytes => ValidateError::new("password", Rule::MaxBytes, "72").into(),
        PasswordRule::NoNul => {
            let said = format!("password: {rule}");
            biz_because(Code::BAD_PARAMETER, Reason::NUL_IN_PASSWORD, None, said)
        }
    }
}
