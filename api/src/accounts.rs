//! Whether a token's account is there. A token outlives it when an older dump of the database is restored, and its id may be given
//! to somebody else then. So whoever writes is looked for; who was found a moment ago isn't looked for again.

use std::time::{Duration, Instant};

use auth::Holder;
use idl::{base::Code, user::MGetUsersRequest};
use quick_cache::sync::Cache;

use crate::{app::App, error::ApiError};

/// Accounts that are remembered: some 50 bytes each.
const REMEMBERED: usize = 100_000;
/// For how long.
const FRESH: Duration = Duration::from_secs(30);

/// What is known of accounts.
pub struct Accounts(Cache<i64, Known>);

#[derive(Clone, Copy)]
struct Known {
    /// None from a user service that doesn't tell.
    created_ms: Option<i64>,
    at: Instant,
}

impl Known {
    fn is_of(self, holder: &Holder) -> bool {
        self.created_ms.is_none_or(|created| holder.is_of(created))
    }
}

impl Accounts {
    /// Knows nobody yet.
    pub fn new() -> Self {
        Self(Cache::new(REMEMBERED))
    }

    /// [`Code::BAD_TOKEN`] unless the account that the token was issued to is there, or was a moment ago.
    pub async fn must_be_there(&self, app: &App, holder: &Holder) -> Result<(), ApiError> {
        match self.known(holder) {
            Some(known) if known.at.elapsed() < FRESH => Ok(()),
            _ => self.look_for(app, holder).await,
        }
    }

    fn known(&self, holder: &Holder) -> Option<Known> {
        let known = self.0.get(&holder.user_id);
        known.filter(|known| known.is_of(holder))
    }

    /// The same, whatever is known. While the user service is away, who was there once still is.
    pub async fn look_for(&self, app: &App, holder: &Holder) -> Result<(), ApiError> {
        let request = MGetUsersRequest {
            user_ids: vec![holder.user_id],
        };
        match app.user.mget_users(request).await {
            Ok(found) => self.judge(holder, found.users.first().map(|user| user.created_ms)),
            Err(_) if self.known(holder).is_some() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The same, when the account has just been looked for: this was found, or nothing.
    pub fn judge(&self, holder: &Holder, found: Option<Option<i64>>) -> Result<(), ApiError> {
        let known = found.map(|created_ms| Known {
            created_ms,
            at: Instant::now(),
        });
        match known.filter(|known| known.is_of(holder)) {
            Some(known) => {
                self.0.insert(holder.user_id, known);
                Ok(())
            }
            None => {
                self.0.remove(&holder.user_id);
                tracing::info!("refused: the account that the token was issued to isn't there");
                Err(ApiError::new(Code::BAD_TOKEN))
            }
        }
    }
}
