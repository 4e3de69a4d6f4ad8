//! Whether the account that a token was issued to still exists. After the restore of an older dump it may be gone, and its id given to
//! somebody else; so every write asks. An account that was found is remembered for a short time.

use std::time::{Duration, Instant};

use auth::Holder;
use idl::{
    base::Code,
    user::{MGetUsersRequest, UserServiceClient},
};
use quick_cache::sync::Cache;

use crate::error::ApiError;

/// Accounts that are remembered at most: some 50 bytes each.
const MAX_REMEMBERED: usize = 100_000;
/// How long an account is not asked for again.
const TTL: Duration = Duration::from_secs(30);

/// The accounts that were found lately.
pub struct Accounts {
    user: UserServiceClient,
    found: Cache<i64, Found>,
}

#[derive(Clone, Copy)]
struct Found {
    /// None from a user service of a version that doesn't send it.
    created_ms: Option<i64>,
    at: Instant,
}

impl Found {
    fn is_of(self, holder: &Holder) -> bool {
        self.created_ms.is_none_or(|created| holder.is_of(created))
    }
}

impl Accounts {
    /// Asks `user` for accounts; none is remembered yet.
    pub fn new(user: UserServiceClient) -> Self {
        Self {
            user,
            found: Cache::new(MAX_REMEMBERED),
        }
    }

    /// The account of this token must exist, or have existed a moment ago.
    ///
    /// # Errors
    /// [`Code::BAD_TOKEN`]: it doesn't. Or it isn't remembered and the user service is away.
    pub async fn must_exist(&self, holder: &Holder) -> Result<(), ApiError> {
        match self.remembered(holder) {
            Some(found) if found.at.elapsed() < TTL => Ok(()),
            _ => self.look_up(holder).await,
        }
    }

    fn remembered(&self, holder: &Holder) -> Option<Found> {
        let found = self.found.get(&holder.user_id);
        found.filter(|found| found.is_of(holder))
    }

    /// As [`Self::must_exist`], but the user service is asked in any case. While it is away, whoever is remembered passes.
    ///
    /// # Errors
    /// As [`Self::must_exist`].
    pub async fn look_up(&self, holder: &Holder) -> Result<(), ApiError> {
        let request = MGetUsersRequest {
            user_ids: vec![holder.user_id],
        };
        match self.user.mget_users(request).await {
            Ok(found) => self.check(holder, found.users.first().map(|user| user.created_ms)),
            Err(_) if self.remembered(holder).is_some() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// As [`Self::must_exist`], for a caller who has just asked the user service: it found an account made at this time, or none.
    ///
    /// # Errors
    /// [`Code::BAD_TOKEN`]: there is no account, or the token was issued to another one.
    pub fn check(&self, holder: &Holder, found: Option<Option<i64>>) -> Result<(), ApiError> {
        let found = found.map(|created_ms| Found {
            created_ms,
            at: Instant::now(),
        });
        match found.filter(|found| found.is_of(holder)) {
            Some(found) => {
                self.found.insert(holder.user_id, found);
                Ok(())
            }
            None => {
                self.found.remove(&holder.user_id);
                tracing::info!("refused: the token's account doesn't exist");
                Err(ApiError::new(Code::BAD_TOKEN))
            }
        }
    }
}
