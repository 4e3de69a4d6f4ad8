//! Keeps a file on disk until its token comes. The temporary file has no name, so it disappears with the process.

use std::{io::SeekFrom, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use idl::base::Code;
use settings::client_network;
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _, BufWriter},
};

use super::slots::{Slot, SlotClaim};
use crate::{app::App, client_address::ClientAddress, error::ApiError};

/// Size of a read or write, in bytes.
const BUFFER_BYTES: usize = 256 << 10;

/// A spooled file, and the slot that it holds.
pub struct Spool<'a> {
    file: File,
    _slot: Slot<'a>,
}

impl<'a> Spool<'a> {
    /// Writes the file to disk. The caller drops the future when the claim is evicted. It also counts the whole body for the claim, so an
    /// upload that drips after its file is a slow one, too.
    ///
    /// # Errors
    /// No slot is free, the file breaks off, or the disk fails.
    pub async fn fill<S>(
        app: &'a App,
        client: ClientAddress,
        claim: &Arc<SlotClaim>,
        mut source: S,
    ) -> Result<Self, ApiError>
    where
        S: Stream<Item = Result<Bytes, ApiError>> + Unpin,
    {
        let slot = app.spool_slots.take(client_network(client.0), claim);
        let slot = slot.await?;
        let file = tokio::task::spawn_blocking(tempfile::tempfile)
            .await
            .map_err(|error| disk_error(&error))?
            .map_err(|error| disk_error(&error))?;
        let mut writer = BufWriter::with_capacity(BUFFER_BYTES, File::from_std(file));
        while let Some(chunk) = source.next().await {
            let chunk = chunk?;
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

    /// Streams the file from its beginning.
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
