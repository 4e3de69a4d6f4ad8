//! A new account. Whether the name is free is the database's decision, made by its unique key.

use dal::DalError;
use idl::{base::Code, biz, user::RegisterResponse};
use unicode_normalization::{UnicodeNormalization as _, is_nfc};
use volo_thrift::ServerError;

use crate::{UserService, outcome::Outcome as _};

impl UserService {
    pub(crate) async fn register_user(
        &self,
        name: &str,
        password: &str,
    ) -> Result<RegisterResponse, ServerError> {
        let hash = self.passwords.hash(password).await.outcome()?;
        match dal::users::create(&self.db, &normal(name), &hash).await {
            Ok(user_id) => Ok(RegisterResponse { user_id }),
            Err(DalError::Duplicate) => Err(biz(Code::NAME_TAKEN, "").into()),
            Err(error) => Err(error).outcome(),
        }
    }
}

/// A name in NFC, the only form that is stored: whoever calls, one name has one account.
pub(crate) fn normal(name: &str) -> String {
    if is_nfc(name) {
        name.to_owned()
    } else {
        name.nfc().collect()
    }
}
