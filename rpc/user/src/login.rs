//! Login: checks name and password. A wrong name and a wrong password take the same time and get the same answer.

use dal::users::{self, Credentials};
use idl::{base::Code, biz, user::LoginResponse};
use rpc_server::to_server_error;
use volo_thrift::ServerError;

use crate::{UserService, auth_error::auth_to_server_error, register::normal};

impl UserService {
    pub(crate) async fn check_login(
        &self,
        name: &str,
        password: &str,
    ) -> Result<LoginResponse, ServerError> {
        let wrong = || biz(Code::WRONG_NAME_OR_PASSWORD, "");
        let Some(known) = users::credentials_by_name(&self.db, &normal(name))
            .await
            .map_err(to_server_error)?
        else {
            self.passwords
                .verify_nobody(password)
                .await
                .map_err(auth_to_server_error)?;
            return Err(wrong().into());
        };
        if !self
            .passwords
            .verify(password, &known.password_hash)
            .await
            .map_err(auth_to_server_error)?
        {
            return Err(wrong().into());
        }
        // Who doesn't know the password learns nothing of it.
        if known.is_suspended() {
            return Err(biz(Code::SUSPENDED, "").into());
        }
        if self.passwords.needs_rehash(&known.password_hash) {
            self.rehash(&known, password).await;
        }
        Ok(LoginResponse {
            user_id: known.user_id,
            created_ms: Some(known.created_ms),
            token_epoch: Some(known.token_epoch),
        })
    }

    /// Stores the hash of this right password anew with a higher cost. The login succeeds in any case.
    async fn rehash(&self, known: &Credentials, password: &str) {
        let user_id = known.user_id;
        let raised = async {
            let hash = self
                .passwords
                .hash(password)
                .await
                .map_err(|error| error.to_string())?;
            let replaced =
                users::replace_password_hash(&self.db, user_id, &known.password_hash, &hash);
            replaced.await.map_err(|error| error.to_string())
        };
        if let Err(error) = raised.await {
            tracing::warn!(user_id, %error, "password hash keeps its old cost until the next login");
        }
    }
}
