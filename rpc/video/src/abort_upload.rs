//! Aborts an upload: removes it at its author's request.

use idl::video::{AbortUploadRequest, AbortUploadResponse};

use crate::{VideoService, error::VideoError};

impl VideoService {
    /// An upload that is unknown, published or another author's is left alone, with the same answer.
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
