//! What a caller sends beside a call: who reads, what they must see, and the deadline.

use std::{
    cell::RefCell,
    future::Future,
    time::{Duration, Instant},
};

use marks::Reader;
use metainfo::{Forward as _, METAINFO};

use crate::{attempts::forwarded, header};

/// Who reads, as the caller of this call says; [`Reader::STRICT`] when nobody does. To be asked in the task of the call.
pub fn reader() -> Reader {
    let header = METAINFO.try_with(|meta| meta.borrow().get_persistent(header::READER));
    Reader::from_header(header.ok().flatten().as_deref())
}

/// By when the caller of this call must have an answer; none: it doesn't say. To be asked in the task of the call, before anything is
/// awaited: the caller says for how long it waits, as clocks of two machines differ.
pub fn deadline() -> Option<Instant> {
    let header = METAINFO.try_with(|meta| meta.borrow().get_upstream(header::PATIENCE));
    let patience_ms = header.ok().flatten()?.parse().ok()?;
    Instant::now().checked_add(Duration::from_millis(patience_ms))
}

/// Does `work` for `reader`: every call that it makes in this task says so.
pub async fn reading<F: Future>(reader: &Reader, work: F) -> F::Output {
    let mut meta = forwarded();
    meta.set_persistent(header::READER, reader.to_header());
    METAINFO.scope(RefCell::new(meta), work).await
}
