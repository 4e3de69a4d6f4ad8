//! Stores what is derived from an upload, and removes what wasn't published: what the store has of it, then its row.
//!
//! The row is claimed first, so that nobody publishes what is being removed. It is deleted last: if a step before fails, the row stays,
//! and the reaper finds it.

use std::io;

use bytes::{Bytes, BytesMut};
use dal::{Db, uploads::Upload};
use storage::{SendError, Store};
use tokio::io::AsyncReadExt as _;

use crate::{
    error::VideoError,
    media::{Cover, MediaError, Refusal, ScratchFile},
    object_key,
    saga::Undo,
};

/// Size of the parts in which a derived object is sent; a smaller one is sent at once.
const PART_BYTES: usize = 8 << 20;
/// Bytes that are read from a file at once.
const CHUNK_BYTES: usize = 256 << 10;

/// What an upload leaves in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// The file, or those of its parts that were uploaded.
    Object,
    /// Its covers.
    Cover,
}

/// Uploads of a database and an object store. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Uploads {
    pub(crate) db: Db,
    pub(crate) store: Store,
}

impl Uploads {
    /// Removes everything that an upload can have left. False when the upload isn't recorded: it is published or gone. Idempotent.
    pub(crate) async fn remove_all(&self, key: &str) -> Result<bool, VideoError> {
        self.remove_unless_published(key, true).await
    }

    /// The same for what an attempt has derived; if it isn't certain that nothing more comes, the row stays for the reaper.
    pub(crate) async fn remove_unless_published(
        &self,
        key: &str,
        is_certain: bool,
    ) -> Result<bool, VideoError> {
        let everything = Undo {
            leftovers: vec![Leftover::Cover, Leftover::Object],
            is_certain,
        };
        self.remove(key, &everything).await
    }

    /// Removes what `undo` names. False as with [`remove_all`](Self::remove_all).
    pub(crate) async fn remove(
        &self,
        key: &str,
        undo: &Undo<Leftover>,
    ) -> Result<bool, VideoError> {
        let Some(upload) = dal::uploads::begin_abort(&self.db, key).await? else {
            return Ok(false);
        };
        for leftover in &undo.leftovers {
            match leftover {
                Leftover::Cover => self.delete_cover(key).await?,
                Leftover::Object => self.delete_object(&upload).await?,
            }
        }
        if undo.is_certain {
            dal::uploads::remove(&self.db, key).await?;
        }
        Ok(true)
    }

    /// Removes the file and the row of an upload that was published. It was found whole, so the store has no parts of it.
    pub(crate) async fn remove_whole(&self, key: &str) -> Result<(), VideoError> {
        self.store.delete(key).await?;
        dal::uploads::remove(&self.db, key).await?;
        Ok(())
    }

    pub(crate) async fn delete_cover(&self, key: &str) -> Result<(), VideoError> {
        let cover = object_key::cover(key);
        let small = cover.as_deref().and_then(object_key::small_cover);
        for key in cover.iter().chain(&small) {
            self.store.delete(key).await?;
        }
        Ok(())
    }

    /// Stores a derived object, whose key is recorded. After an error the store may have parts of it, which [`Self::remove_all`] finds.
    pub(crate) async fn put_file(
        &self,
        key: &str,
        content_type: &str,
        file: &ScratchFile,
    ) -> Result<u64, VideoError> {
        let size_bytes = file.size_bytes()?;
        let mut reader = file.reader()?;
        if size_bytes <= PART_BYTES as u64 {
            let mut bytes = Vec::new();
            let read = reader.read_to_end(&mut bytes).await;
            read.map_err(|error| MediaError::Tool(format!("a scratch file: {error}")))?;
            self.store.put(key, bytes.into(), content_type).await?;
            return Ok(size_bytes);
        }
        let upload_id = self.store.begin_multipart(key, content_type).await?;
        if let Err(error) = dal::uploads::set_upload_id(&self.db, key, &upload_id).await {
            self.store.abort_multipart(key, &upload_id).await?;
            return Err(error.into());
        }
        let chunks = futures::stream::try_unfold(reader, async |mut reader| {
            let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
            let length = reader.read_buf(&mut chunk).await?;
            Ok::<_, io::Error>((length > 0).then(|| (chunk.freeze(), reader)))
        });
        let sent = self
            .store
            .send_parts(key, &upload_id, None, chunks, PART_BYTES);
        match sent.await {
            Ok(sent) => Ok(sent),
            Err(SendError::Store(error)) => Err(error.into()),
            Err(SendError::Source(error)) => {
                Err(MediaError::Tool(format!("a scratch file: {error}")).into())
            }
            Err(SendError::Empty) => Err(MediaError::from(Refusal::Undecodable).into()),
        }
    }

    /// Stores both sizes of a cover, and gives the key of the large one.
    pub(crate) async fn put_cover(&self, key: &str, cover: Cover) -> Result<String, VideoError> {
        let cover_key = object_key::cover(key).ok_or(VideoError::NoSuchUpload)?;
        let small_key = object_key::small_cover(&cover_key).ok_or(VideoError::NoSuchUpload)?;
        let large = Bytes::from(cover.large);
        self.store
            .put(&cover_key, large, object_key::COVER_TYPE)
            .await?;
        let small = Bytes::from(cover.small);
        self.store
            .put(&small_key, small, object_key::COVER_TYPE)
            .await?;
        Ok(cover_key)
    }

    /// The parts first: if the upload was completed meanwhile, they have become an object.
    async fn delete_object(&self, upload: &Upload) -> Result<(), VideoError> {
        let key = &upload.object_key;
        match &upload.upload_id {
            Some(upload_id) => self.store.abort_multipart(key, upload_id).await?,
            // Whoever began one may have been killed before its id was recorded.
            None => {
                for open in self.store.list_uploads(key).await? {
                    // The list is by prefix.
                    if open.key == *key {
                        self.store.abort_multipart(key, &open.upload_id).await?;
                    }
                }
            }
        }
        Ok(self.store.delete(key).await?)
    }
}
