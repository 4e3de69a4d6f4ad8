//! Takes an upload back at its author's wish.

use idl::video::{AbortUploadRequest, AbortUploadResponse};

use crate::{VideoService, error::VideoError};

impl VideoService {
    /// What is unknown, published or another author's is left alone, and answered alike.
    pub(crate) async fn abort(
        &self,
        request: AbortUploadRequest,
    ) -> Result<AbortUploadResponse, VideoError> {
        let key = &request.object_key;
        let upload = dal::uploads::find(&self.db, key).await?;
        if upload.is_some_and(|upload| upload.author_id == request.author_id) {
            self.uploads.remove_all(key).await?;
        }
        Ok(AbortUploadResponse {})
    }
}
