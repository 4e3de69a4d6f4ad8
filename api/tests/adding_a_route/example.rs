//! `GET /douyin/example/`: greets a user.

use std::sync::Arc;

use auth::TokenSubject;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    call::Call,
    error::ApiError,
    params::{
        parameters,
        types::{Switch, UserId},
    },
    route::{Example, Route},
};

parameters! {
    /// Whom to greet, and how.
    pub struct Greet {
        /// Whom.
        pub user_id: UserId,
        /// 1: warmly, 2: coolly; absent: warmly.
        pub action_type: Option<Switch>,
    }
}

/// A greeting.
#[derive(Debug, Serialize, ToSchema)]
pub struct Greeting {
    /// In words.
    pub greeting: String,
}

impl Example for Greeting {
    fn example() -> Self {
        Self {
            greeting: "Welcome, user 1!".to_owned(),
        }
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::get("/douyin/example/", greet)
        .described("Greet a user", "Warmly, unless told otherwise.")
}

async fn greet(_: Arc<App>, call: Call<Option<TokenSubject>, Greet>) -> Result<Greeting, ApiError> {
    let UserId(user_id) = call.params.user_id;
    let greeting = match call.params.action_type {
        Some(Switch::Off) => format!("Hello, user {user_id}."),
        _ => format!("Welcome, user {user_id}!"),
    };
    Ok(Greeting { greeting })
}
