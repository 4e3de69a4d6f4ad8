//! What a user shows of themself: pictures, and a signature.

use dal::{DalError, Reader, profiles, profiles::ProfileChange};
use idl::{
    base::{Code, Reason},
    biz, biz_because,
    user::{AddPictureRequest, AddPictureResponse, SetProfileRequest, SetProfileResponse},
};
use rpc_server::to_server_error;
use volo_thrift::ServerError;

use crate::UserService;

impl UserService {
    pub(crate) async fn new_picture(
        &self,
        request: AddPictureRequest,
    ) -> Result<AddPictureResponse, ServerError> {
        let added = self
            .pictures
            .add(request.user_id, request.kind, &request.content);
        Ok(AddPictureResponse {
            picture_key: added.await?.into(),
        })
    }

    pub(crate) async fn change_profile(
        &self,
        request: SetProfileRequest,
    ) -> Result<SetProfileResponse, ServerError> {
        let user_id = request.user_id;
        let has_picture = request.avatar_key.is_some() || request.background_image_key.is_some();
        let change = ProfileChange {
            avatar: request.avatar_key.map(Into::into),
            background_image: request.background_image_key.map(Into::into),
            signature: request.signature.map(Into::into),
        };
        let changed = profiles::change(&self.db, &self.counters, user_id, change).await;
        changed.map_err(|error| match error {
            DalError::NotFound if has_picture => biz_because(
                Code::BAD_PARAMETER,
                Reason::NOT_A_PICTURE,
                None,
                "no such picture",
            )
            .into(),
            DalError::NotFound => biz(Code::NO_SUCH_USER, "").into(),
            error => to_server_error(error),
        })?;
        let users = dal::users::mget(&self.db, &[user_id], &Reader::STRICT).await;
        let user = users.map_err(to_server_error)?.pop();
        let user = user.ok_or_else(|| ServerError::from(biz(Code::NO_SUCH_USER, "")))?;
        Ok(SetProfileResponse {
            user: self.to_api(user)?,
        })
    }
}
