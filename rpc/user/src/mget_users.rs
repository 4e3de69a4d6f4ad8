//! Users by their ids, a page at a time.

use idl::user::{MGetUsersRequest, MGetUsersResponse, PictureKind, User};
use rpc_server::to_server_error;
use volo_thrift::ServerError;

use crate::UserService;

impl UserService {
    pub(crate) async fn users_by_id(
        &self,
        request: &MGetUsersRequest,
    ) -> Result<MGetUsersResponse, ServerError> {
        let reader = match request.with_changes {
            Some(true) => service::reader(),
            _ => service::reader().for_immutable_rows(),
        };
        let found = dal::users::mget(&self.db, &request.user_ids, &reader).await;
        let mut users = Vec::new();
        for user in found.map_err(to_server_error)? {
            users.push(self.to_api(user)?);
        }
        Ok(MGetUsersResponse { users })
    }

    /// A user as the interface has it, with URLs that viewers can fetch.
    pub(crate) fn to_api(&self, user: dal::users::User) -> Result<User, ServerError> {
        let url = |key: &str, kind| {
            let url = self.pictures.url(key, user.id, &user.name, kind);
            url.map_err(|error| service::internal(&error))
        };
        let avatar = url(&user.avatar, PictureKind::AVATAR)?;
        let background_image = url(&user.background_image, PictureKind::BACKGROUND)?;
        Ok(User {
            id: user.id,
            name: user.name.into(),
            avatar: avatar.into(),
            background_image: background_image.into(),
            signature: user.signature.into(),
            total_favorited: user.total_favorited,
            favorite_count: user.favorite_count,
            work_count: user.work_count,
            created_ms: Some(user.created_ms),
            token_epoch: Some(user.token_epoch),
            follow_count: Some(user.follow_count),
            follower_count: Some(user.follower_count),
        })
    }
}
