//! Outcomes other than success: a business error with a code of the one table, and a reason where the code leaves that open.

use pilota::{AHashMap, FastStr};
use volo_thrift::{BizError, context::ThriftContext};

use crate::base::{Code, Reason};

/// The names of what `extra` holds beside a code.
const REASON: FastStr = FastStr::from_static_str("reason");
const LIMIT: FastStr = FastStr::from_static_str("limit");

/// A business error for the caller. The message may be empty; it is shown to people, so it holds no internals.
pub fn biz(code: Code, message: impl Into<FastStr>) -> BizError {
    BizError::new(code.inner(), message.into())
}

/// As [`biz`], with a reason that the caller can translate. The message says it in English, for callers that don't know the reason; `limit`
/// is the limit that was exceeded.
pub fn biz_because(
    code: Code,
    reason: Reason,
    limit: Option<u64>,
    message: impl Into<FastStr>,
) -> BizError {
    let mut error = biz(code, message);
    let mut extra = AHashMap::from_iter([(REASON, reason.inner().to_string().into())]);
    if let Some(limit) = limit {
        extra.insert(LIMIT, limit.to_string().into());
    }
    error.extra = Some(extra);
    error
}

/// The reason of a business error, and the limit that was exceeded; a number that this build doesn't know is kept.
pub fn reason(error: &BizError) -> Option<(Reason, Option<u64>)> {
    let extra = error.extra.as_ref()?;
    let number: i32 = extra.get(&REASON)?.parse().ok()?;
    let limit = extra.get(&LIMIT).and_then(|limit| limit.parse().ok());
    Some((Reason::from(number), limit))
}

/// The code that a business error carries; a number that this build doesn't know is kept as it is.
pub fn code(error: &BizError) -> Code {
    Code::from(error.status_code)
}

/// Answers with a business error from a layer; a handler just returns it. volo writes only a handler's business error into the reply: without
/// this one from a server's layer would arrive as an exception.
pub fn refuse<E: From<BizError>>(cx: &mut impl ThriftContext, error: BizError) -> E {
    cx.stats_mut().set_biz_error(error.clone());
    error.into()
}
