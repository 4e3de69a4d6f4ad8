//! The request id of the current task.

use std::{fmt, sync::Arc};

use tracing::Instrument as _;

/// Longest id that is accepted from outside, in characters.
const MAX_LEN: usize = 64;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// The id of a request, the same in the log lines of all processes. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// A new id: a UUID of version 7, so that ids sort by time.
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7().to_string().into())
    }

    /// An id from a client, if it is safe to log: 1 to 64 characters of `A-Z a-z 0-9 - _ .`.
    pub fn accept(text: &str) -> Option<Self> {
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        ((1..=MAX_LEN).contains(&text.len()) && text.bytes().all(safe)).then(|| Self(text.into()))
    }

    /// The client's id if it is [`accept`](Self::accept)ed, or a new one.
    pub fn accept_or_generate(text: Option<&str>) -> Self {
        text.and_then(Self::accept).unwrap_or_else(Self::generate)
    }

    /// The id of the request this task works on; none outside [`scope`].
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// Does `work` for the request with this id, in a task that has none.
    pub async fn carry<F: Future>(id: Option<Self>, work: F) -> F::Output {
        match id {
            Some(id) => CURRENT.scope(id, work).await,
            None => work.await,
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Runs a request with its id: in its log lines and by [`RequestId::current`].
pub async fn scope<F: Future>(id: RequestId, request: F) -> F::Output {
    let span = tracing::info_span!(
        "request",
        service = crate::service::name(),
        request_id = %id,
        // Set when the request is traced.
        trace_id = tracing::field::Empty,
    );
    CURRENT.scope(id, request).instrument(span).await
}
