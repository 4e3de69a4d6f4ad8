//! Registers an account. The unique key in the database decides whether the name is free.

use dal::DalError;
use idl::{base::Code, biz, user::RegisterResponse};
use rpc_server::to_server_error;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};
use volo_thrift::ServerError;

use crate::{UserService, auth_error::auth_to_server_error};

impl UserService {
    pub(crate) async fn register_user(
        &self,
        name: &str,
        password: &str,
    ) -> Result<RegisterResponse, ServerError> {
        let hash = self
            .passwords
            .hash(password)
            .await
            .map_err(auth_to_server_error)?;
        match dal::users::create(&self.db, &normal(name), &hash).await {
            Ok(user_id) => Ok(RegisterResponse {
                user_id,
                created_ms: self.created_ms(user_id).await,
            }),
            Err(DalError::Duplicate) => Err(biz(Code::NAME_TAKEN, "").into()),
            Err(error) => Err(to_server_error(error)),
        }
    }

    /// None if it can't be read: the account exists in any case.
    async fn created_ms(&self, user_id: i64) -> Option<i64> {
        let created = dal::users::created_ms_of(&self.db, user_id).await;
        created
            .inspect_err(|error| tracing::warn!(user_id, %error, "a token doesn't say when its account was made"))
            .ok()
    }
}

/// A name in NFC, the only form that is stored, so that one name has one account.
pub(crate) fn normal(name: &str) -> String {
    if is_nfc(name) {
        name.to_owned()
    } else {
        name.nfc().collect()
    }
}
