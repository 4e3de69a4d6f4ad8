//! What a user does with their account: a new password, the end of all tokens, its end. And what an operator does with it.

use dal::{DalError, accounts, accounts::AccountChange, users::Credentials};
use idl::{
    base::Code,
    biz,
    user::{
        ChangePasswordRequest, ChangePasswordResponse, DeleteAccountRequest, DeleteAccountResponse,
        EndSessionsRequest, EndSessionsResponse, SuspendUserRequest, SuspendUserResponse,
    },
};
use rpc_server::to_server_error;
use volo_thrift::ServerError;

use crate::{UserService, auth_error::auth_to_server_error};

impl UserService {
    pub(crate) async fn new_password(
        &self,
        request: ChangePasswordRequest,
    ) -> Result<ChangePasswordResponse, ServerError> {
        let known = self.verified(request.user_id, &request.password).await?;
        let hash = self.passwords.hash(&request.new_password).await;
        let hash = hash.map_err(auth_to_server_error)?;
        let change = |verified| AccountChange::Password {
            verified,
            hash: hash.clone(),
        };
        let changed = self.change_verified(&known, &request.password, change);
        Ok(ChangePasswordResponse {
            token_epoch: changed.await?,
            created_ms: Some(known.created_ms),
        })
    }

    pub(crate) async fn revoke_tokens(
        &self,
        request: EndSessionsRequest,
    ) -> Result<EndSessionsResponse, ServerError> {
        let change = AccountChange::EndTokens;
        Ok(EndSessionsResponse {
            token_epoch: self.change_account(request.user_id, change).await?,
        })
    }

    pub(crate) async fn delete_own(
        &self,
        request: DeleteAccountRequest,
    ) -> Result<DeleteAccountResponse, ServerError> {
        let known = self.verified(request.user_id, &request.password).await?;
        let change = |verified| AccountChange::Deleted { verified };
        self.change_verified(&known, &request.password, change)
            .await?;
        tracing::info!(user_id = request.user_id, "account deleted");
        self.deletions.wake();
        Ok(DeleteAccountResponse {})
    }

    pub(crate) async fn suspend(
        &self,
        request: SuspendUserRequest,
    ) -> Result<SuspendUserResponse, ServerError> {
        let (user_id, suspended) = (request.user_id, request.suspended);
        let reason = request.reason.to_string();
        let change = AccountChange::Suspended(suspended, reason.clone());
        self.change_account(user_id, change).await?;
        tracing::info!(
            user_id,
            suspended,
            reason,
            "account moderated by an operator"
        );
        Ok(SuspendUserResponse {})
    }

    async fn change_account(
        &self,
        user_id: i64,
        change: AccountChange,
    ) -> Result<i64, ServerError> {
        let changed = accounts::change(&self.db, &self.counters, user_id, change).await;
        changed.map_err(|error| match error {
            DalError::NotFound => biz(Code::NO_SUCH_USER, "").into(),
            error => to_server_error(error),
        })
    }

    /// Changes an account whose password was found right by `known`. `change`: what is to be done if the hash is still this one.
    async fn change_verified(
        &self,
        known: &Credentials,
        password: &str,
        change: impl Fn(String) -> AccountChange,
    ) -> Result<i64, ServerError> {
        let user_id = known.user_id;
        let change = async |hash: &String| {
            let change = change(hash.clone());
            accounts::change(&self.db, &self.counters, user_id, change).await
        };
        let mut changed = change(&known.password_hash).await;
        if let Err(DalError::NotFound) = changed {
            // Another request was faster. A login that has stored a hash of the same password with a higher cost is no reason to refuse this one.
            let known = self.verified(user_id, password).await?;
            changed = change(&known.password_hash).await;
        }
        changed.map_err(|error| match error {
            DalError::NotFound => biz(Code::WRONG_NAME_OR_PASSWORD, "").into(),
            error => to_server_error(error),
        })
    }

    /// The credentials of a user whose password this is. A stolen token alone isn't enough.
    async fn verified(&self, user_id: i64, password: &str) -> Result<Credentials, ServerError> {
        let known = dal::users::credentials_by_id(&self.db, user_id).await;
        let known = known.map_err(to_server_error)?;
        let known = known.ok_or_else(|| ServerError::from(biz(Code::NO_SUCH_USER, "")))?;
        let is_right = self.passwords.verify(password, &known.password_hash).await;
        match is_right.map_err(auth_to_server_error)? {
            true => Ok(known),
            false => Err(biz(Code::WRONG_NAME_OR_PASSWORD, "").into()),
        }
    }
}
