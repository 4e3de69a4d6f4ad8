//! The user service: register, login, users by id, profiles.
//!
//! One use case a file. Knows no token and no HTTP; passwords are seen here and by `auth` alone.

mod auth_fault;
mod login;
mod mget_users;
pub mod pictures;
mod register;
mod set_profile;

use auth::Passwords;
use dal::{Db, counters::Counters};
use idl::user::{
    AddPictureRequest, AddPictureResponse, LoginRequest, LoginResponse, MGetUsersRequest,
    MGetUsersResponse, RegisterRequest, RegisterResponse, SetProfileRequest, SetProfileResponse,
};
use pictures::Pictures;
use volo_thrift::ServerError;

/// Handles the calls of `user.thrift`.
pub struct UserService {
    db: Db,
    counters: Counters,
    passwords: Passwords,
    pictures: Pictures,
}

impl UserService {
    /// A service over this database and its counters.
    pub fn new(db: Db, counters: Counters, passwords: Passwords, pictures: Pictures) -> Self {
        Self {
            db,
            counters,
            passwords,
            pictures,
        }
    }
}

impl idl::user::UserService for UserService {
    async fn register(&self, request: RegisterRequest) -> Result<RegisterResponse, ServerError> {
        self.register_user(&request.username, &request.password)
            .await
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
