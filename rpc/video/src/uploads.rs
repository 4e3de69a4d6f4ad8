//! Taking uploads back: whatever of one is in the store, then its row.
//!
//! The row is claimed first, so that nobody publishes what is being removed, and is forgotten last: if a step fails, it stays and
//! tells the reaper.

use dal::{Db, uploads::Upload};
use storage::Store;

use crate::{error::VideoError, object_key, saga::Undo};

/// What an upload leaves in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trace {
    /// The file, or the parts of it that have come.
    Object,
    /// The picture taken from it.
    Cover,
}

/// Uploads of a database and an object store. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Uploads {
    pub(crate) db: Db,
    pub(crate) store: Store,
}

impl Uploads {
    /// Takes back all that can be of an upload. False when there is none: published, or gone. Idempotent.
    pub(crate) async fn take_all_back(&self, key: &str) -> Result<bool, VideoError> {
        let everything = Undo {
            traces: vec![Trace::Cover, Trace::Object],
            is_certain: true,
        };
        self.take_back(key, &everything).await
    }

    /// Takes back what `undo` names.
    pub(crate) async fn take_back(
        &self,
        key: &str,
        undo: &Undo<Trace>,
    ) -> Result<bool, VideoError> {
        let Some(upload) = dal::uploads::begin_abort(&self.db, key).await? else {
            return Ok(false);
        };
        for trace in &undo.traces {
            match trace {
                Trace::Cover => self.delete_cover(key).await?,
                Trace::Object => self.delete_object(&upload).await?,
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

    /// The parts first: an upload completed meanwhile is an object.
    async fn delete_object(&self, upload: &Upload) -> Result<(), VideoError> {
        if let Some(upload_id) = &upload.upload_id {
            self.store
                .abort_multipart(&upload.object_key, upload_id)
                .await?;
        }
        Ok(self.store.delete(&upload.object_key).await?)
    }
}
