//! Maps errors of `auth` to outcomes: a password that was refused or couldn't be checked.

use auth::{AuthError, PasswordRule};
use idl::{
    Rule, ValidateError,
    base::{Code, Reason},
    biz, biz_because,
};
use volo_thrift::{BizError, ServerError};

/// The outcome that the caller learns. The cause of a failure is logged here, once.
pub(crate) fn auth_to_server_error(error: AuthError) -> ServerError {
    match error {
        AuthError::Password(rule) => refused(rule).into(),
        AuthError::Busy => biz(Code::TOO_MANY_REQUESTS, "").into(),
        error => service::internal(&error),
    }
}

fn refused(rule: PasswordRule) -> BizError {
    match rule {
        PasswordRule::MaxBytes => ValidateError::new("password", Rule::MaxBytes, "72").into(),
        PasswordRule::NoNul => {
            let message = format!("password: {rule}");
            biz_because(Code::BAD_PARAMETER, Reason::NUL_IN_PASSWORD, None, message)
        }
    }
}
