//! Call metadata (metainfo): the reader, the consistency that the reader needs, and the deadline.

use std::{
    cell::RefCell,
    future::Future,
    time::{Duration, Instant},
};

use marks::Reader;
use metainfo::{Forward as _, METAINFO};

use crate::{header, retry::forwarded};

/// Who reads, as the caller says; [`Reader::STRICT`] if it doesn't. Call it in the task of the call.
pub fn reader() -> Reader {
    let header = METAINFO.try_with(|meta| meta.borrow().get_persistent(header::READER));
    Reader::from_header(header.ok().flatten().as_deref())
}

/// The deadline of the caller; `None` if it has none. Call it in the task of the call, before anything is awaited: the caller sends how
/// long it waits, not a time, because the clocks of two machines differ.
pub fn deadline() -> Option<Instant> {
    let header = METAINFO.try_with(|meta| meta.borrow().get_upstream(header::TIMEOUT_MS));
    let timeout_ms = header.ok().flatten()?.parse().ok()?;
    Instant::now().checked_add(Duration::from_millis(timeout_ms))
}

/// Runs `work` on behalf of `reader`, who is sent with every call that it makes in this task.
pub async fn reading<F: Future>(reader: &Reader, work: F) -> F::Output {
    let mut meta = forwarded();
    meta.set_persistent(header::READER, reader.to_header());
    METAINFO.scope(RefCell::new(meta), work).await
}
