//! Users by their ids, a page at a time.

use idl::user::{MGetUsersResponse, User};
use rpc_server::fault;
use volo_thrift::ServerError;

use crate::UserService;

impl UserService {
    pub(crate) async fn users_by_id(&self, ids: &[i64]) -> Result<MGetUsersResponse, ServerError> {
        let reader = service::reader().of_fixed_rows();
        let users = dal::users::mget(&self.db, ids, &reader)
            .await
            .map_err(fault)?;
        let users = users.into_iter().map(|user| User {
            id: user.id,
            name: user.name.into(),
            avatar: user.avatar.into(),
            background_image: user.background_image.into(),
            signature: user.signature.into(),
            total_favorited: user.total_favorited,
            favorite_count: user.favorite_count,
            work_count: user.work_count,
            created_ms: Some(user.created_ms),
        });
        Ok(MGetUsersResponse {
            users: users.collect(),
        })
    }
}
