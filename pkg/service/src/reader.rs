//! Who reads, and what they must see, beside every call that is made for them.

use std::{cell::RefCell, future::Future};

use marks::Reader;
use metainfo::{Forward as _, METAINFO};

use crate::{attempts::forwarded, header};

/// Who reads, as the caller of this call says; [`Reader::STRICT`] when nobody does. To be asked in the task of the call.
pub fn reader() -> Reader {
    let header = METAINFO.try_with(|meta| meta.borrow().get_persistent(header::READER));
    Reader::from_header(header.ok().flatten().as_deref())
}

/// Does `work` for `reader`: every call that it makes in this task says so.
pub async fn reading<F: Future>(reader: &Reader, work: F) -> F::Output {
    let mut meta = forwarded();
    meta.set_persistent(header::READER, reader.to_header());
    METAINFO.scope(RefCell::new(meta), work).await
}
