//! `POST /douyin/publish/action/`: receives a video and publishes it. The parts of the form come in any order; the file is streamed.
//!
//! With the token in a header, the query or an earlier part, the file goes straight to the object store. A file that comes
//! before its token waits in a temporary file, so that nothing of a stranger reaches the store.

use std::{pin::Pin, sync::Arc, time::Duration};

use auth::TokenSubject;
use bytes::Bytes;
use futures::Stream;
use idl::{base::Code, video::PublishRequest};
use multipart::Part;
use service::{Admission, content_length};
use telemetry::metrics::{self, UploadOutcome};
use tokio::time::Instant;
use volo_http::request::Request;

use crate::{
    app::App,
    call::{Auth as _, Streamed},
    client_address::ClientAddress,
    error::ApiError,
    i18n::Rule,
    params::{
        Parameters as _, Params,
        body::{chunks, multipart_type},
        multipart::{FILE, limits, max_body_bytes, text},
        parameters, types,
        types::{IdempotencyKey, Title},
    },
    rate_limit::{self, PendingCount},
    response::Empty,
    route::Route,
    upload::{
        Stored,
        interruptible::{counted, interruptible},
        slots::{Slot, SlotClaim},
        spool::Spool,
        store,
    },
};

parameters! {
    /// A video that is to be published.
    pub struct PublishAction {
        /// 1 to 100 characters.
        pub title: Title,
        /// The video: mp4, mov, webm or mkv, 1 byte to 200 MiB (settings).
        pub data: types::File,
        /// The same key by the same user gives the first result, for 24 h; with other content it is refused (10013). An addition of ours.
        pub idempotency_key: Option<IdempotencyKey>,
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::upload("/douyin/publish/action/", publish)
        .described(
            "Publish a video",
            "The parts in any order; token and title may also come in the query. Only a whole video that ffprobe accepts is published. One that not every browser plays is processed first: until then only its author sees it, in publish/list.",
        )
        .refuses(&[Code::NOT_A_VIDEO])
}

async fn publish(
    app: Arc<App>,
    streamed: Streamed<TokenSubject, PublishAction>,
) -> Result<Empty, ApiError> {
    let upload = metrics::Upload::begin();
    let result = receive(app, streamed.request).await;
    upload.end(match &result {
        Ok(_) => UploadOutcome::Published,
        Err(error) if error.is_server_error() => UploadOutcome::Failed,
        Err(_) => UploadOutcome::Refused,
    });
    result
}

async fn receive(app: Arc<App>, request: Request) -> Result<Empty, ApiError> {
    let (parts, body) = request.into_parts();
    let client = ClientAddress::of(&parts.extensions)?;
    let headers = parts.headers;
    let query = parts.uri.query().unwrap_or_default();
    let mut params = Params::from_head(query, &headers)?;
    let Some(content_type) = multipart_type(&headers) else {
        params
            .add_body(&app.body_budget, &headers, body, PublishAction::keeps, None)
            .await?;
        TokenSubject::read(&app, &params)?;
        return Err(ApiError::missing(FILE));
    };
    let max_bytes = max_body_bytes(app.settings.upload.max_bytes);
    if content_length(&headers).is_some_and(|length| length > max_bytes) {
        return Err(ApiError::too_large());
    }
    let deadline = Instant::now() + Duration::from_secs(app.settings.upload.deadline_s);
    let (claim, upload_claim) = (Arc::<SlotClaim>::default(), Arc::<SlotClaim>::default());
    let chunks = Box::pin(counted(Box::pin(chunks(body)), claim.clone()));
    let chunks = interruptible(chunks, upload_claim.clone(), deadline);
    let mut form = Form {
        app: &app,
        params,
        client,
        admission: Admission::of(&parts.extensions),
        pending: parts.extensions.get().cloned(),
        spool_claim: claim.clone(),
        upload_claim,
        slot: None,
        file: File::Missing,
        admitted: Admitted::Nobody,
    };
    let result = tokio::select! {
        result = form.receive(content_type, Box::pin(chunks)) => result,
        () = claim.evicted() => Err(ApiError::new(Code::TOO_MANY_REQUESTS)),
    };
    form.finish(result).await
}

/// The file, as far as it has come.
enum File<'a> {
    Missing,
    Spooled(Spool<'a>),
    Stored(Stored),
}

/// A form that is being received.
struct Form<'a> {
    app: &'a Arc<App>,
    params: Params,
    client: ClientAddress,
    admission: Admission,
    pending: Option<PendingCount>,
    spool_claim: Arc<SlotClaim>,
    upload_claim: Arc<SlotClaim>,
    /// Held from the token on.
    slot: Option<Slot<'a>>,
    file: File<'a>,
    admitted: Admitted,
}

/// For whom this upload was counted.
#[derive(Clone, Copy)]
enum Admitted {
    Nobody,
    Address,
    /// Whose token it was: a later part may have another's.
    Author(TokenSubject),
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, ApiError>> + Send>>;

impl Form<'_> {
    /// Reads all parts.
    async fn receive(&mut self, content_type: &str, chunks: Chunks) -> Result<(), ApiError> {
        // What came ahead of the body is checked before a byte of it is read.
        self.check_given().await?;
        let max_bytes = self.app.settings.upload.max_bytes;
        let limits = limits(Some(max_bytes));
        let mut parts = multipart::Form::new(content_type, chunks, PublishAction::keeps, limits)?;
        while let Some(part) = parts.next_part().await? {
            if part.name == FILE {
                self.receive_file(part).await?;
            } else {
                let (name, value) = text(part).await?;
                self.params.add(name, value);
                self.check_given().await?;
            }
        }
        Ok(())
    }

    /// Refuses what is wrong already, so that nobody uploads a file in vain.
    async fn check_given(&mut self) -> Result<(), ApiError> {
        let author = self.author()?;
        PublishAction::check_given(&self.params)?;
        match author {
            Some(author) => {
                self.admit(Some(author)).await?;
                self.store_spooled(author.user_id).await
            }
            None => Ok(()),
        }
    }

    /// Stores a file that waited for its token. Whatever comes behind it then holds no spool slot.
    async fn store_spooled(&mut self, author_id: i64) -> Result<(), ApiError> {
        self.file = match std::mem::replace(&mut self.file, File::Missing) {
            File::Spooled(spool) => File::Stored(store(self.app, author_id, spool.read()).await?),
            file => file,
        };
        Ok(())
    }

    fn author(&self) -> Result<Option<TokenSubject>, ApiError> {
        Option::<TokenSubject>::read(self.app, &self.params)
    }

    /// Counts this upload for the rate limit, and tells the connection. Until the author is known it counts once for the address, then for
    /// the author. The author's account must exist, and the upload needs a slot: from then on nothing else bounds the connections that
    /// are kept and the parts in memory.
    async fn admit(&mut self, author: Option<TokenSubject>) -> Result<(), ApiError> {
        let (app, client) = (self.app, self.client);
        if let Some(pending) = &self.pending {
            pending.count(app, client, author)?;
        }
        match (self.admitted, author) {
            (Admitted::Nobody, None) => {
                rate_limit::publish_unauthenticated(app, client).await?;
                self.admitted = Admitted::Address;
                self.admission.counted();
            }
            (Admitted::Author(admitted), Some(author)) if admitted == author => {}
            (_, Some(author)) => {
                rate_limit::publish(app, &author).await?;
                // One slot bounds what this request takes, whoever's token comes later.
                if self.slot.is_none() {
                    let slots = &app.upload_slots;
                    let slot = slots.take(author.user_id.unsigned_abs(), &self.upload_claim);
                    self.slot = Some(slot.await?);
                }
                self.admitted = Admitted::Author(author);
                self.admission.admitted();
                if !self.spool_claim.pin() {
                    return Err(ApiError::new(Code::TOO_MANY_REQUESTS));
                }
            }
            (Admitted::Address | Admitted::Author(_), None) => {}
        }
        Ok(())
    }

    async fn receive_file(&mut self, part: Part<'_, Chunks>) -> Result<(), ApiError> {
        if !matches!(self.file, File::Missing) {
            return Err(ApiError::bad_parameter(FILE, Rule::GivenTwice));
        }
        let bytes = Box::pin(part.into_stream());
        let author = self.author()?;
        self.admit(author).await?;
        self.file = match author {
            Some(author) => File::Stored(store(self.app, author.user_id, bytes).await?),
            None => {
                let spool = Spool::fill(self.app, self.client, &self.spool_claim, bytes);
                File::Spooled(spool.await?)
            }
        };
        Ok(())
    }

    /// Publishes the file that was received, or removes it.
    async fn finish(mut self, received: Result<(), ApiError>) -> Result<Empty, ApiError> {
        let complete = match received {
            Ok(()) => self.complete().await,
            Err(error) => Err(error),
        };
        // Publishing needs no memory for a part.
        self.slot = None;
        match (complete, self.file) {
            (Ok((author_id, params)), File::Stored(stored)) => {
                publish_stored(self.app, author_id, params, stored).await
            }
            (Ok(_), _) => Err(ApiError::missing(FILE)),
            (Err(error), File::Stored(stored)) => {
                stored.upload.abort().await;
                Err(error)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Checks the other parameters. The token may have ended meanwhile.
    async fn complete(&mut self) -> Result<(i64, PublishAction), ApiError> {
        let author = TokenSubject::read(self.app, &self.params)?;
        let author_id = author.user_id;
        let params = PublishAction::read(&self.params)?;
        self.admit(Some(author)).await?;
        // All of it is here. Nobody would notice an eviction.
        self.upload_claim.pin();
        self.app.accounts.must_exist(&author).await?;
        Ok((author_id, params))
    }
}

async fn publish_stored(
    app: &App,
    author_id: i64,
    params: PublishAction,
    stored: Stored,
) -> Result<Empty, ApiError> {
    let request = PublishRequest {
        author_id,
        object_key: stored.upload.object_key().to_owned().into(),
        title: params.title.0.into(),
        size_bytes: stored.size_bytes,
        sha256: stored.sha256.into(),
        idempotency_key: params.idempotency_key.map(|IdempotencyKey(key)| key.into()),
    };
    match app.video.publish(request).await.map_err(ApiError::from) {
        Ok(published) => {
            stored.upload.settle();
            tracing::info!(video_id = published.video_id, "video published");
            Ok(Empty {})
        }
        Err(error) => {
            if error.is_server_error() {
                // Whether it was published is unknown. The reaper finds out by its row.
                stored.upload.settle();
            } else {
                stored.upload.abort().await;
            }
            Err(error)
        }
    }
}
