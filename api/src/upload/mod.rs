//! Streams an upload into the object store. Memory stays at one part, whatever the file's size.
//!
//! Invariant: an [`Upload`] exists from the moment the video service has made its key until the video is published. Otherwise all
//! that was stored is removed, also when the request is dropped half-way.

pub mod container;
pub mod interruptible;
pub mod slots;
pub mod spool;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use idl::{
    base::Code,
    video::{AbortUploadRequest, BeginUploadRequest, UploadKind},
};
use sha2::{Digest as _, Sha256};
use storage::SendError;
use telemetry::metrics;

use crate::{app::App, error::ApiError, i18n::Rule, rate_limit};

/// An object key that the video service made for one upload.
pub struct Upload {
    app: Arc<App>,
    author_id: i64,
    object_key: String,
    settled: bool,
}

/// A file that is stored completely, but not published yet.
pub struct Stored {
    /// Its key and its author.
    pub upload: Upload,
    /// Length of the file.
    pub size_bytes: i64,
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
}

impl Upload {
    /// The key in the object store.
    pub fn object_key(&self) -> &str {
        &self.object_key
    }

    /// Ends the upload without removing anything: the video is published, or the video service is responsible now.
    pub fn settle(mut self) {
        self.settled = true;
    }

    /// Removes what was stored. When that fails, the reaper does it later.
    pub async fn abort(mut self) {
        self.settled = true;
        remove(self.app.clone(), self.author_id, self.object_key.clone()).await;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.settled {
            tokio::spawn(remove(
                self.app.clone(),
                self.author_id,
                self.object_key.clone(),
            ));
        }
    }
}

async fn remove(app: Arc<App>, author_id: i64, object_key: String) {
    let request = AbortUploadRequest {
        author_id,
        object_key: object_key.clone().into(),
    };
    if let Err(error) = app.video.abort_upload(request).await {
        tracing::warn!(object_key, %error, "upload not removed, left to the reaper");
    }
}

/// Bytes of an upload that are charged to the author's quota at a time.
const CHARGED_BYTES: i64 = 1 << 20;

/// Counts and hashes the bytes that pass. They count for the author's quota as they pass, even if the upload fails.
struct Meter<'a> {
    app: &'a App,
    author_id: i64,
    size_bytes: i64,
    /// How many of them are charged.
    charged_bytes: i64,
    hash: Sha256,
}

impl<'a> Meter<'a> {
    fn new(app: &'a App, author_id: i64) -> Self {
        Self {
            app,
            author_id,
            size_bytes: 0,
            charged_bytes: 0,
            hash: Sha256::default(),
        }
    }

    fn pass(&mut self, chunk: &Bytes) {
        metrics::upload_bytes(chunk.len());
        self.size_bytes += chunk.len() as i64;
        self.hash.update(chunk);
        if self.size_bytes - self.charged_bytes >= CHARGED_BYTES {
            self.charge();
        }
    }

    /// Charges what has passed since the last time.
    fn charge(&mut self) {
        let bytes = (self.size_bytes - self.charged_bytes).unsigned_abs();
        rate_limit::uploaded(self.app, self.author_id, bytes);
        self.charged_bytes = self.size_bytes;
    }

    fn sha256(&mut self) -> String {
        self.hash
            .finalize_reset()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        self.charge();
    }
}

/// Stores a file: in one PUT when it fits into a part, else as a multipart upload while it arrives. The caller holds one of
/// [`App::upload_slots`], which bound the parts in memory.
pub async fn store<S>(app: &Arc<App>, author_id: i64, file: S) -> Result<Stored, ApiError>
where
    S: Stream<Item = Result<Bytes, ApiError>> + Send,
{
    let part_bytes = app.settings.upload.part_bytes;
    let mut meter = Meter::new(app, author_id);
    let metered = file.inspect(|chunk| {
        if let Ok(chunk) = chunk {
            meter.pass(chunk);
        }
    });
    futures::pin_mut!(metered);
    let (first, beyond) = first_part(&mut metered, part_bytes).await?;
    if first.is_empty() {
        return Err(ApiError::bad_parameter("data", Rule::Empty));
    }
    let container = container::of(&first)?;
    let kind = if first.len() < part_bytes {
        UploadKind::SINGLE
    } else {
        UploadKind::MULTIPART
    };
    let begun = app
        .video
        .begin_upload(BeginUploadRequest {
            author_id,
            kind,
            container,
        })
        .await?;
    let upload = Upload {
        app: app.clone(),
        author_id,
        object_key: begun.object_key.to_string(),
        settled: false,
    };
    let sent = match begun.upload_id {
        None => {
            let content_type = container::content_type(container);
            app.store
                .put(&upload.object_key, first, content_type)
                .await
                .map_err(store_error)
        }
        Some(upload_id) => {
            let rest = futures::stream::iter(beyond.map(Ok)).chain(metered);
            app.store
                .send_parts(
                    &upload.object_key,
                    &upload_id,
                    Some(first),
                    rest,
                    part_bytes,
                )
                .await
                .map(|_| ())
                .map_err(|error| match error {
                    SendError::Source(error) => error,
                    SendError::Empty => ApiError::bad_parameter("data", Rule::Empty),
                    SendError::Store(error) => store_error(error),
                })
        }
    };
    match sent {
        Ok(()) => Ok(Stored {
            upload,
            size_bytes: meter.size_bytes,
            sha256: meter.sha256(),
        }),
        Err(error) => {
            upload.abort().await;
            Err(error)
        }
    }
}

/// Reads until a part is full or the file ends. Returns the part, and the rest of a chunk that reaches beyond it.
///
/// The part is copied into one buffer, since slices would keep the connection's read buffers alive.
async fn first_part<S>(file: &mut S, part_bytes: usize) -> Result<(Bytes, Option<Bytes>), ApiError>
where
    S: Stream<Item = Result<Bytes, ApiError>> + Unpin,
{
    // A buffer that grows would be moved again and again. Memory that isn't written to yet costs nothing.
    let mut part = BytesMut::with_capacity(part_bytes);
    while let Some(chunk) = file.next().await {
        let mut chunk = chunk?;
        let room = part_bytes - part.len();
        if chunk.len() >= room {
            let beyond = chunk.split_off(room);
            part.extend_from_slice(&chunk);
            return Ok((part.freeze(), Some(beyond)));
        }
        part.extend_from_slice(&chunk);
    }
    Ok((part.freeze(), None))
}

fn store_error(error: storage::StorageError) -> ApiError {
    tracing::error!(%error, "object store failed during an upload");
    ApiError::new(Code::UNAVAILABLE)
}
