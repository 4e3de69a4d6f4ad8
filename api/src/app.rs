//! What every handler works with: clients of the services, tokens, the object store, settings. Shared by all requests.

use std::{
    collections::{BTreeSet, HashMap},
    error::Error,
    sync::Arc,
    time::Duration,
};

use auth::{TokenSubject, Tokens};
use chrono::FixedOffset;
use futures::future::join;
use idl::{
    base::Code,
    comment::{CommentServiceClient, CommentServiceClientBuilder},
    favorite::{FavoriteServiceClient, FavoriteServiceClientBuilder},
    message::{MessageServiceClient, MessageServiceClientBuilder},
    relation::{RelationServiceClient, RelationServiceClientBuilder},
    user::{UserServiceClient, UserServiceClientBuilder},
    video::{VideoServiceClient, VideoServiceClientBuilder},
};
use limits::Limits;
use marks::{Consistency, Marks, Reader, StrictReason, Subject, page_affinity};
use service::Clients;
use settings::{Network, Settings};
use storage::Store;

use crate::{
    accounts::Accounts,
    error::ApiError,
    flights::{self, Flights, Viewers},
    params::budget::BodyBudget,
    rendered::MarkedReads,
    request_logging,
    upload::slots::Slots,
    users::{Users, ViewerConsistency},
};

/// Cached users: with names and no profile some 300 bytes each, 15 MB in all.
const MAX_USERS: usize = 50_000;
/// How long others may be shown a profile that has changed since, beside the lag of a replica. Names and births never do.
const USER_TTL: Duration = Duration::from_secs(5);

/// Requests with pictures that are read at once; each takes up to 17 MB. A user sends one after the other; a second
/// slot is for one whose connection was lost, which takes a while to notice.
const MAX_PICTURES: usize = 8;
const MAX_PICTURES_PER_USER: usize = 2;
/// Bytes of all bodies in memory at once, beyond what each of them has without asking.
const MAX_BODY_BYTES: usize = 64 << 20;

/// One API process.
pub struct App {
    /// Accounts.
    pub user: UserServiceClient,
    /// Videos.
    pub video: VideoServiceClient,
    /// Likes, and exact counts.
    pub favorite: FavoriteServiceClient,
    /// Comments.
    pub comment: CommentServiceClient,
    /// Follows and friends.
    pub relation: RelationServiceClient,
    /// Messages.
    pub message: MessageServiceClient,
    /// Where uploads go.
    pub store: Store,
    /// All settings.
    pub settings: Settings,
    /// Bounds the temporary files of uploads whose file comes before their token.
    pub spool_slots: Slots,
    /// Bounds the uploads whose token is known, each of which holds a part in memory.
    pub upload_slots: Slots,
    /// Bounds the requests with pictures that are in memory.
    pub picture_slots: Slots,
    /// Bounds the bodies that are in memory as a whole.
    pub body_budget: BodyBudget,
    /// The rate limits.
    pub limits: Limits,
    /// Networks whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<Network>,
    /// Which accounts exist.
    pub accounts: Accounts,
    /// The time zone of `create_date`.
    pub utc_offset: FixedOffset,
    /// Who was read a moment ago.
    pub users: Users,
    /// Reads that are shared.
    pub flights: Flights,
    tokens: Tokens,
    marks: Marks,
}

impl App {
    /// Connects lazily: a dependency that is away fails the requests that need it, not the start.
    ///
    /// # Errors
    /// A setting can't be used; the error names it.
    pub fn new(
        settings: Settings,
        clients: &Clients,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let token_ttl = Duration::from_secs(settings.auth.token_ttl_s);
        let tokens = Tokens::new(
            settings.jwt_keys()?,
            &settings.auth.issuer,
            &settings.auth.audience,
            token_ttl,
        )?;
        let store = Store::new(&settings.object_store)?;
        let slots = |name, count, max_per_client| {
            Slots::new(name, count, max_per_client, settings.http.min_body_rate)
        };
        let upload = &settings.upload;
        // A carrier's address may be shared by thousands.
        let spool_slots = slots("spool", upload.spool_slots, usize::MAX);
        let upload_slots = slots("uploads", upload.parallel, upload.parallel_per_user);
        let picture_slots = slots("pictures", MAX_PICTURES, MAX_PICTURES_PER_USER);
        let user = clients.client(UserServiceClientBuilder::new("user"));
        Ok(Arc::new(Self {
            accounts: Accounts::new(user.clone()),
            user,
            video: clients.client(VideoServiceClientBuilder::new("video")),
            favorite: clients.client(FavoriteServiceClientBuilder::new("favorite")),
            comment: clients.client(CommentServiceClientBuilder::new("comment")),
            relation: clients.client(RelationServiceClientBuilder::new("relation")),
            message: clients.client(MessageServiceClientBuilder::new("message")),
            store,
            spool_slots,
            upload_slots,
            picture_slots,
            body_budget: BodyBudget::new(MAX_BODY_BYTES),
            limits: Limits::connect(settings.limits(), &settings.redis)?,
            trusted_proxies: settings.trusted_proxies()?,
            utc_offset: utc_offset(&settings.page.utc_offset)?,
            users: Users::new(MAX_USERS, USER_TTL),
            flights: Flights::new(),
            tokens,
            marks: Marks::connect(&settings.redis, &settings.mysql)?,
            settings,
        }))
    }

    /// Whom a token was issued to. Whether it was revoked since is asked of [`Self::accounts`] before a write, and by [`Self::only_for`] before
    /// anything is shown that is the user's alone.
    ///
    /// # Errors
    /// [`Code::BAD_TOKEN`]: it has expired or isn't valid.
    pub fn verify_token(&self, token: &str) -> Result<TokenSubject, ApiError> {
        let verified = self.tokens.verify(token);
        let holder = verified.map_err(|_| ApiError::new(Code::BAD_TOKEN))?;
        request_logging::set_user(holder.user_id);
        Ok(holder)
    }

    /// A new token for a user whose account was made at `created_ms`. `epoch`: how often the tokens of the account have been ended.
    pub fn token_for(
        &self,
        user_id: i64,
        created_ms: Option<i64>,
        epoch: i64,
    ) -> Result<String, ApiError> {
        request_logging::set_user(user_id);
        let issued = self.tokens.issue_in_epoch(user_id, created_ms, epoch);
        issued.map_err(|error| {
            tracing::error!(%error, "token not issued");
            ApiError::new(Code::INTERNAL)
        })
    }

    /// What `work` comes to, which is for the eyes of the token's user alone: only if the token isn't revoked. Both are asked at once.
    ///
    /// # Errors
    /// As [`Self::must_not_be_revoked`], or as `work`.
    pub async fn only_for<T>(
        &self,
        holder: &TokenSubject,
        work: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        let (account, result) = join(self.must_not_be_revoked(holder), work).await;
        account?;
        result
    }

    /// The account of this token must exist, and must not have ended its tokens, as far as was known a moment ago.
    ///
    /// Every change of an account marks its user, so a replica can answer, also while the primary is away.
    ///
    /// # Errors
    /// As [`Accounts::must_exist_now`].
    pub async fn must_not_be_revoked(&self, holder: &TokenSubject) -> Result<(), ApiError> {
        if self.accounts.is_cached(holder) {
            return Ok(());
        }
        let subjects = [Subject::User(holder.user_id)];
        let account = self.accounts.must_exist_now(holder);
        self.reading(Some(holder.user_id), &subjects, account).await
    }

    /// The marks of recent writes.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// What a read of these subjects must see. Requests that ask at the same moment share one round trip to Redis.
    pub async fn consistency(&self, subjects: &[Subject]) -> Consistency {
        if subjects.is_empty() {
            return self.marks.read(subjects).await;
        }
        let marks = self.marks.clone();
        let read = async move |subjects: BTreeSet<Subject>| {
            let subjects: Vec<Subject> = subjects.into_iter().collect();
            let each = marks.read_each(&subjects).await;
            Arc::new(subjects.into_iter().zip(each).collect::<HashMap<_, _>>())
        };
        let asked = subjects.iter().copied().collect();
        let found = flights::join(&self.flights.marks, (), asked, read).await;
        let found = found.unwrap_or_default();
        let consistency = |subject| found.get(subject).cloned();
        subjects
            .iter()
            .map(|subject| consistency(subject).unwrap_or(Consistency::All(StrictReason::Unknown)))
            .fold(Consistency::Any, Consistency::and)
    }

    /// Runs the reads of a shared page, which see every recent write to `subjects`.
    ///
    /// `read` runs at most twice, each time for some of the viewers: once on the replica that `page` names, for those who have written
    /// nothing, and once for those who have. With a single read, the first group would sometimes get the primary's page, and time would run
    /// backwards for them when the replica lags. Costs one round trip to Redis.
    pub async fn read_shared_page<F: Future>(
        &self,
        page: &str,
        subjects: &[Subject],
        viewers: Viewers,
        read: impl Fn(ViewerConsistency) -> F,
    ) -> MarkedReads<F::Output> {
        let of_viewers = viewers.iter().copied().map(Subject::User);
        let all: Vec<Subject> = subjects.iter().copied().chain(of_viewers).collect();
        let mut each = self.marks.read_each(&all).await.into_iter();
        let of_subjects = each.by_ref().take(subjects.len());
        let of_subjects = of_subjects.fold(Consistency::Any, Consistency::and);
        let consistency: ViewerConsistency = viewers.into_iter().zip(each).collect();
        let reading = async |is_marked: bool| {
            let own = consistency.iter();
            let own = own.filter(|(_, own)| own.is_marked() == is_marked);
            let viewers: ViewerConsistency =
                own.map(|(viewer, own)| (*viewer, own.clone())).collect();
            let own = viewers.values().cloned().reduce(Consistency::and)?;
            let reader = Reader {
                affinity: Some(page_affinity(page)),
                consistency: of_subjects.clone().and(own),
            };
            Some(service::reading(&reader, read(viewers)).await)
        };
        let (unmarked, marked) = join(reading(false), reading(true)).await;
        MarkedReads {
            unmarked,
            marked,
            consistency,
        }
    }

    /// Runs `work`, whose reads see all that was just written to `subjects`, by whomever and from whichever replica.
    ///
    /// Costs a [shared](Self::consistency) round trip to Redis. Without subjects it still asks whether marks can be trusted.
    pub async fn reading<F: Future>(
        &self,
        viewer: Option<i64>,
        subjects: &[Subject],
        work: F,
    ) -> F::Output {
        let reader = Reader {
            affinity: viewer,
            consistency: self.consistency(subjects).await,
        };
        service::reading(&reader, work).await
    }
}

fn utc_offset(text: &str) -> Result<FixedOffset, String> {
    text.parse()
        .map_err(|_| format!("settings: page.utc_offset: {text:?} is not an offset such as +08:00"))
}

#[cfg(test)]
impl App {
    /// An app without servers, for unit tests. Its rate limits count in this process alone.
    pub async fn without_servers(change: impl FnOnce(&mut Settings)) -> Arc<Self> {
        let mut settings = Settings::load().unwrap();
        // Nobody listens on the first port.
        settings.redis.url = settings::Secret::new("redis://127.0.0.1:1");
        settings.etcd.endpoints = vec!["http://127.0.0.1:1".to_owned()];
        let key = format!("test:{}", "k".repeat(32));
        settings.auth.jwt_keys = settings::Secret::new(key);
        change(&mut settings);
        let clients = Clients::new("api", &settings).await.unwrap();
        Self::new(settings, &clients).unwrap()
    }
}
