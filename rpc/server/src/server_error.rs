//! The one mapping from errors of the data layer to outcomes of the table in `base.thrift`.

use dal::DalError;
use idl::{base::Code, biz};
use volo_thrift::ServerError;

/// The outcome that the caller learns. The cause of a failure is logged here, once; the caller learns the code alone.
pub fn to_server_error(error: DalError) -> ServerError {
    match error {
        DalError::Blocked => biz(Code::BLOCKED, "").into(),
        DalError::KeyReused => biz(Code::IDEMPOTENCY_KEY_REUSED, "").into(),
        DalError::TimedOut => service::timed_out(&error),
        DalError::Overloaded => service::overloaded(&error),
        DalError::Unavailable(_) | DalError::NoPublishTime => service::unavailable(&error),
        DalError::TooManyUnfinished => biz(Code::TOO_MANY_REQUESTS, "").into(),
        DalError::Duplicate | DalError::NotFound | DalError::Other(_) => service::internal(&error),
    }
}
