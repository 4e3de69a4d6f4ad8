//! Begins an upload: makes its key, and stores a row with the key before anybody, the store included, learns it.

use idl::video::{BeginUploadRequest, BeginUploadResponse, UploadKind};

use crate::{VideoService, error::VideoError, object_key};

impl VideoService {
    pub(crate) async fn new_upload(
        &self,
        request: BeginUploadRequest,
    ) -> Result<BeginUploadResponse, VideoError> {
        let (key, content_type) = object_key::new(request.container);
        dal::uploads::record(&self.db, &key, request.author_id).await?;
        let upload_id = if request.kind == UploadKind::MULTIPART {
            Some(self.begin_parts(&key, content_type).await?)
        } else {
            None
        };
        Ok(BeginUploadResponse {
            object_key: key.into(),
            upload_id: upload_id.map(Into::into),
        })
    }

    /// If the store's answer is lost, the store may hold an upload with an unknown id: the row stays, and the reaper finds it.
    async fn begin_parts(&self, key: &str, content_type: &str) -> Result<String, VideoError> {
        let upload_id = self.store.begin_multipart(key, content_type).await?;
        if let Err(error) = dal::uploads::set_upload_id(&self.db, key, &upload_id).await {
            self.store.abort_multipart(key, &upload_id).await?;
            return Err(error.into());
        }
        Ok(upload_id)
    }
}
