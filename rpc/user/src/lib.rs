//! The user service: register, login, users by id, profiles.
//!
//! One use case a file. Knows no token and no HTTP; passwords are seen here and by `auth` alone.

mod account_management;
mod auth_error;
mod blocks;
mod deletions;
mod login;
mod mget_users;
pub mod pictures;
mod register;
mod set_profile;

use auth::Passwords;
use dal::{Db, counters::Counters};
pub use deletions::{DeletionTask, Deletions};
use idl::user::{
    AddPictureRequest, AddPictureResponse, ChangePasswordRequest, ChangePasswordResponse,
    DeleteAccountRequest, DeleteAccountResponse, EndSessionsRequest, EndSessionsResponse,
    ListBlocksRequest, ListBlocksResponse, LoginRequest, LoginResponse, MGetUsersRequest,
    MGetUsersResponse, RegisterRequest, RegisterResponse, SetBlockRequest, SetBlockResponse,
    SetProfileRequest, SetProfileResponse, SuspendUserRequest, SuspendUserResponse,
};
use pictures::Pictures;
use volo_thrift::ServerError;

/// Handles the calls of `user.thrift`.
pub struct UserService {
    db: Db,
    counters: Counters,
    passwords: Passwords,
    pictures: Pictures,
    deletions: Deletions,
}

impl UserService {
    /// A service over this database and its counters.
    pub fn new(
        db: Db,
        counters: Counters,
        passwords: Passwords,
        pictures: Pictures,
        deletions: Deletions,
    ) -> Self {
        Self {
            db,
            counters,
            passwords,
            pictures,
            deletions,
        }
    }
}

impl idl::user::UserService for UserService {
    async fn register(&self, request: RegisterRequest) -> Result<RegisterResponse, ServerError> {
        self.register_user(&request.username, &request.password)
            .await
    }

    async fn change_password(
        &self,
        request: ChangePasswordRequest,
    ) -> Result<ChangePasswordResponse, ServerError> {
        self.new_password(request).await
    }

    async fn end_sessions(
        &self,
        request: EndSessionsRequest,
    ) -> Result<EndSessionsResponse, ServerError> {
        self.revoke_tokens(request).await
    }

    async fn delete_account(
        &self,
        request: DeleteAccountRequest,
    ) -> Result<DeleteAccountResponse, ServerError> {
        self.delete_own(request).await
    }

    async fn suspend_user(
        &self,
        request: SuspendUserRequest,
    ) -> Result<SuspendUserResponse, ServerError> {
        self.suspend(request).await
    }

    async fn set_block(&self, request: SetBlockRequest) -> Result<SetBlockResponse, ServerError> {
        self.block_or_unblock(request).await
    }

    async fn list_blocks(
        &self,
        request: ListBlocksRequest,
    ) -> Result<ListBlocksResponse, ServerError> {
        self.blocked_users(request).await
    }

    async fn login(&self, request: LoginRequest) -> Result<LoginResponse, ServerError> {
        self.check_login(&request.username, &request.password).await
    }

    async fn mget_users(
        &self,
        request: MGetUsersRequest,
    ) -> Result<MGetUsersResponse, ServerError> {
        self.users_by_id(&request).await
    }

    async fn add_picture(
        &self,
        request: AddPictureRequest,
    ) -> Result<AddPictureResponse, ServerError> {
        self.new_picture(request).await
    }

    async fn set_profile(
        &self,
        request: SetProfileRequest,
    ) -> Result<SetProfileResponse, ServerError> {
        self.change_profile(request).await
    }
}
