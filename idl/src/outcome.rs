//! How a service says anything but success: a business error with a code of the one table.

use volo_thrift::{BizError, context::ThriftContext};

use crate::base::Code;

/// A business error for the caller. The message may be empty; it is shown to people, so it holds no internals.
pub fn biz(code: Code, message: impl Into<pilota::FastStr>) -> BizError {
    BizError::new(code.inner(), message.into())
}

/// The code that a business error carries; a number that this build doesn't know is kept as it is.
pub fn code(error: &BizError) -> Code {
    Code::from(error.status_code)
}

/// How a layer answers with a business error; a handler just returns it. Only a handler's business error is written into
/// the reply by volo itself: one that a server's layer returned without this would arrive as an exception.
pub fn refuse<E: From<BizError>>(cx: &mut impl ThriftContext, error: BizError) -> E {
    cx.stats_mut().set_biz_error(error.clone());
    error.into()
}
