//! Takes an upload back: whatever of it is in the store, then its row.

use dal::uploads::Upload;
use idl::video::{AbortUploadRequest, AbortUploadResponse};

use crate::{VideoService, error::VideoError, object_key};

impl VideoService {
    /// What is unknown, published or another author's is left alone, and answered alike.
    pub(crate) async fn abort(
        &self,
        request: AbortUploadRequest,
    ) -> Result<AbortUploadResponse, VideoError> {
        let upload = dal::uploads::find(&self.db, &request.object_key).await?;
        if upload.is_some_and(|upload| upload.author_id == request.author_id) {
            self.take_back(&request.object_key).await?;
        }
        Ok(AbortUploadResponse {})
    }

    /// Claims the upload, so that it can't be published any more; undoes its steps in reverse; forgets it when nothing is left.
    /// If a step fails, the row stays and tells the reaper. Idempotent; does nothing to what is published.
    pub(crate) async fn take_back(&self, key: &str) -> Result<(), VideoError> {
        let Some(upload) = dal::uploads::begin_abort(&self.db, key).await? else {
            return Ok(());
        };
        self.delete_cover(&upload).await?;
        self.delete_object(&upload).await?;
        dal::uploads::remove(&self.db, key).await?;
        Ok(())
    }

    async fn delete_cover(&self, upload: &Upload) -> Result<(), VideoError> {
        if let Some(cover) = object_key::cover(&upload.object_key) {
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
