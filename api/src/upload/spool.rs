//! A file that waits on disk until its token is seen. The temporary file has no name, so nothing of it outlives the process.

use std::{io::SeekFrom, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use idl::base::Code;
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _, BufWriter},
};

use super::slots::{Slot, SpoolClaim};
use crate::{app::App, error::ApiError};

/// What is written and read at once, in bytes.
const BUFFER_BYTES: usize = 256 << 10;

/// A spooled file and its place among the few that may be.
pub struct Spool<'a> {
    file: File,
    _slot: Slot<'a>,
}

impl<'a> Spool<'a> {
    /// Writes the file to disk; refused when too many wait already. Whoever calls this ends it when the claim is evicted.
    pub async fn fill<S>(
        app: &'a App,
        claim: &Arc<SpoolClaim>,
        mut source: S,
    ) -> Result<Self, ApiError>
    where
        S: Stream<Item = Result<Bytes, ApiError>> + Unpin,
    {
        let slot = app.spool_slots.take(claim).await;
        let slot = slot.ok_or_else(|| ApiError::new(Code::TOO_MANY_REQUESTS))?;
        let file = tokio::task::spawn_blocking(tempfile::tempfile)
            .await
            .map_err(|error| disk_error(&error))?
            .map_err(|error| disk_error(&error))?;
        let mut writer = BufWriter::with_capacity(BUFFER_BYTES, File::from_std(file));
        while let Some(chunk) = source.next().await {
            let chunk = chunk?;
            slot.received(chunk.len());
            writer
                .write_all(&chunk)
                .await
                .map_err(|error| disk_error(&error))?;
        }
        writer.flush().await.map_err(|error| disk_error(&error))?;
        let mut file = writer.into_inner();
        file.seek(SeekFrom::Start(0))
            .await
            .map_err(|error| disk_error(&error))?;
        Ok(Self { file, _slot: slot })
    }

    /// The file from its beginning.
    pub fn read(self) -> impl Stream<Item = Result<Bytes, ApiError>> + Send + 'a {
        futures::stream::unfold(self, |mut spool| async move {
            let mut buffer = BytesMut::with_capacity(BUFFER_BYTES);
            match spool.file.read_buf(&mut buffer).await {
                Ok(0) => None,
                Ok(_) => Some((Ok(buffer.freeze()), spool)),
                Err(error) => Some((Err(disk_error(&error)), spool)),
            }
        })
    }
}

fn disk_error(error: &dyn std::error::Error) -> ApiError {
    tracing::error!(%error, "spooling an upload failed; is the disk of the temporary directory full?");
    ApiError::new(Code::UNAVAILABLE)
}
