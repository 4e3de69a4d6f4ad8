//! Checks that a token isn't revoked and that its account exists. Every authenticated write makes this check, and every read of what is the
//! user's alone ([`App::only_for`](crate::app::App::only_for)).
//!
//! Accounts are cached for 5 s. The creation time is compared too, because an id may belong to another user after an older dump was
//! restored.

use std::time::{Duration, Instant};

use auth::TokenSubject;
use idl::{
    base::Code,
    user::{MGetUsersRequest, User, UserServiceClient},
};
use quick_cache::sync::Cache;

use crate::error::ApiError;

/// Cached accounts at most: some 400 bytes each, 20 MB in all.
const MAX_CACHED: usize = 50_000;
/// How long an account is cached: the longest time that an old profile is shown or a revoked token accepted.
const TTL: Duration = Duration::from_secs(5);
/// How old an account may be that lets a token read what is its user's alone, while the user service is away.
const MAX_STALE: Duration = Duration::from_secs(60);

/// Accounts, cached in the process.
pub struct Accounts {
    client: UserServiceClient,
    cache: Cache<i64, CachedAccount>,
}

#[derive(Clone)]
struct CachedAccount {
    user: User,
    at: Instant,
}

impl CachedAccount {
    fn is_of(&self, holder: &TokenSubject) -> bool {
        // None from a user service of a version that doesn't send it.
        let created_ms = self.user.created_ms;
        let epoch = self.user.token_epoch;
        created_ms.is_none_or(|created| holder.was_issued_to(created))
            && epoch.is_none_or(|epoch| holder.epoch >= epoch)
    }

    /// Whether the account has ended this token. Epochs only rise, so that stays so.
    fn has_ended(&self, holder: &TokenSubject) -> bool {
        let created_ms = self.user.created_ms;
        created_ms.is_some_and(|created| holder.was_issued_to(created)) && !self.is_of(holder)
    }
}

impl Accounts {
    /// Asks `client` for accounts; the cache is empty.
    pub fn new(client: UserServiceClient) -> Self {
        Self {
            client,
            cache: Cache::new(MAX_CACHED),
        }
    }

    /// The account of this token must exist, or have existed a moment ago.
    ///
    /// # Errors
    /// [`Code::BAD_TOKEN`]: it doesn't. Or it isn't cached and the user service is away.
    pub async fn must_exist(&self, holder: &TokenSubject) -> Result<(), ApiError> {
        self.user(holder).await.map(drop)
    }

    /// The account of this token, as it was a moment ago.
    ///
    /// # Errors
    /// As [`Self::must_exist`].
    pub async fn user(&self, holder: &TokenSubject) -> Result<User, ApiError> {
        self.cached_or_read(holder, Duration::MAX).await
    }

    /// As [`Self::must_exist`], for a read of what is the user's alone: while the user service is away, no old account passes.
    ///
    /// # Errors
    /// As [`Self::must_exist`].
    pub async fn must_exist_now(&self, holder: &TokenSubject) -> Result<(), ApiError> {
        self.cached_or_read(holder, MAX_STALE).await.map(drop)
    }

    async fn cached_or_read(
        &self,
        holder: &TokenSubject,
        max_stale: Duration,
    ) -> Result<User, ApiError> {
        let account = self.cache.get(&holder.user_id);
        match account.filter(|account| account.at.elapsed() < TTL) {
            Some(account) if account.is_of(holder) => Ok(account.user),
            Some(account) if account.has_ended(holder) => Err(refused()),
            _ => self.read(holder, max_stale).await,
        }
    }

    /// Whether the account of this token is cached, so that [`Self::must_exist`] asks nobody.
    pub fn is_cached(&self, holder: &TokenSubject) -> bool {
        self.cached(holder, TTL).is_some()
    }

    /// Invalidates the cached account.
    pub fn invalidate(&self, user_id: i64) {
        self.cache.remove(&user_id);
    }

    /// Caches an account that was just read.
    pub fn insert(&self, user: User) {
        let at = Instant::now();
        self.cache.insert(user.id, CachedAccount { user, at });
    }

    /// The cached account of this token, if it is younger than that.
    fn cached(&self, holder: &TokenSubject, max_age: Duration) -> Option<CachedAccount> {
        let account = self.cache.get(&holder.user_id);
        account.filter(|account| account.is_of(holder) && account.at.elapsed() < max_age)
    }

    /// As [`Self::must_exist`], but always asks the user service. While that is away, a cached account passes, however old.
    ///
    /// # Errors
    /// As [`Self::must_exist`].
    pub async fn refresh(&self, holder: &TokenSubject) -> Result<User, ApiError> {
        self.read(holder, Duration::MAX).await
    }

    async fn read(&self, holder: &TokenSubject, max_stale: Duration) -> Result<User, ApiError> {
        let request = MGetUsersRequest {
            user_ids: vec![holder.user_id],
            with_changes: Some(true),
        };
        match self.client.mget_users(request).await {
            Ok(found) => self.learn(holder, found.users.into_iter().next()),
            Err(error) => {
                let account = self.cached(holder, max_stale).ok_or(error)?;
                Ok(account.user)
            }
        }
    }

    /// Caches what the user service has answered, also if the token isn't the account's: others may be.
    fn learn(&self, holder: &TokenSubject, user: Option<User>) -> Result<User, ApiError> {
        let Some(user) = user else {
            self.cache.remove(&holder.user_id);
            return Err(refused());
        };
        self.insert(user);
        let account = self.cached(holder, Duration::MAX).ok_or_else(refused)?;
        Ok(account.user)
    }
}

fn refused() -> ApiError {
    tracing::info!("refused: the token's account doesn't exist, or has ended its tokens");
    ApiError::new(Code::BAD_TOKEN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;

    fn user(token_epoch: i64) -> User {
        User {
            id: 7,
            created_ms: Some(1),
            token_epoch: Some(token_epoch),
            ..User::default()
        }
    }

    fn holder(epoch: i64) -> TokenSubject {
        TokenSubject {
            user_id: 7,
            created_ms: Some(1),
            issued_s: 1,
            epoch,
        }
    }

    #[tokio::test]
    async fn a_token_that_has_ended_does_not_take_the_account_of_the_others_from_the_cache() {
        let app = App::without_servers(|_| {}).await;
        let (ended, valid) = (holder(0), holder(1));
        app.accounts.learn(&valid, Some(user(1))).unwrap();
        for _ in 0..2 {
            let error = app.accounts.learn(&ended, Some(user(1))).unwrap_err();
            assert_eq!(error.code(), Code::BAD_TOKEN);
            assert!(app.accounts.is_cached(&valid));
            assert!(!app.accounts.is_cached(&ended));
        }
        // Nobody is asked for it.
        let error = app.accounts.must_exist(&ended).await.unwrap_err();
        assert_eq!(error.code(), Code::BAD_TOKEN);
        app.accounts.learn(&valid, None).unwrap_err();
        assert!(!app.accounts.is_cached(&valid));
    }

    #[tokio::test]
    async fn while_the_user_service_is_away_an_old_account_lets_nobody_read_what_is_private() {
        let app = App::without_servers(|_| {}).await;
        let cache = |age: Duration| {
            let at = Instant::now().checked_sub(age).unwrap();
            let user = user(0);
            app.accounts.cache.insert(7, CachedAccount { user, at });
        };
        let reads = async || app.accounts.must_exist_now(&holder(0)).await;
        cache(TTL);
        reads().await.unwrap();
        cache(MAX_STALE);
        assert!(reads().await.unwrap_err().is_server_error());
        app.accounts.must_exist(&holder(0)).await.unwrap();
    }
}
