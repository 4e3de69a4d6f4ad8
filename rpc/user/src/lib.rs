//! The user service: register, login, users by id.
//!
//! One use case a file. Knows no token and no HTTP; passwords are seen here and by `auth` alone.

mod auth_fault;
mod login;
mod mget_users;
mod register;

use auth::Passwords;
use dal::Db;
use idl::user::{
    LoginRequest, LoginResponse, MGetUsersRequest, MGetUsersResponse, RegisterRequest,
    RegisterResponse,
};
use volo_thrift::ServerError;

/// Handles the calls of `user.thrift`.
pub struct UserService {
    db: Db,
    passwords: Passwords,
}

impl UserService {
    /// A service over this database.
    pub fn new(db: Db, passwords: Passwords) -> Self {
        Self { db, passwords }
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
        self.users_by_id(&request.user_ids).await
    }
}
