//! Removes uploads that weren't published: what the store has of them, then their row.
//!
//! The row is claimed first, so that nobody publishes what is being removed. It is deleted last: if a step before fails, the row stays,
//! and the reaper finds it.

use dal::{Db, uploads::Upload};
use storage::Store;

use crate::{error::VideoError, object_key, saga::Undo};

/// What an upload leaves in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// The file, or those of its parts that were uploaded.
    Object,
    /// Its cover.
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
        let everything = Undo {
            leftovers: vec![Leftover::Cover, Leftover::Object],
            is_certain: true,
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

    pub(crate) async fn delete_cover(&self, key: &str) -> Result<(), VideoError> {
        if let Some(cover) = object_key::cover(key) {
            self.store.delete(&cover).await?;
        }
        Ok(())
    }

    /// The parts first: if the upload was completed meanwhile, they have become an object.
    async fn delete_object(&self, upload: &Upload) -> Result<(), VideoError> {
        if let Some(upload_id) = &upload.upload_id {
            self.store
                .abort_multipart(&upload.object_key, upload_id)
                .await?;
        }
        Ok(self.store.delete(&upload.object_key).await?)
    }
}
