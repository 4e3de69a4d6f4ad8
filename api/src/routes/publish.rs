//! `POST /douyin/publish/action/`: the parts of the form in any order, the file streamed.
//!
//! With the token in a header, the query or an earlier part, the file goes straight to the store. A file that comes
//! before its token waits in a temporary file; a stranger's bytes never reach the store.

use std::{pin::Pin, sync::Arc};

use auth::Holder;
use bytes::Bytes;
use futures::Stream;
use idl::{Validate as _, base::Code, video::PublishRequest};
use service::Admission;
use telemetry::metrics::{self, UploadOutcome};
use volo_http::request::Request;

use crate::{
    app::App,
    call::{Call, IDEMPOTENCY_KEY},
    client_address::ClientAddress,
    error::ApiError,
    limit::{self, Uncounted},
    params::{
        Params,
        body::{BodyError, content_length, moving},
        multipart::{self, FILE, Part, largest_body, limits, multipart_type},
    },
    reply::Nothing,
    rules::Rule,
    upload::{Stored, slots::SpoolClaim, spool::Spool, store},
};

/// Receives a video and publishes it.
pub async fn publish(app: Arc<App>, request: Request) -> Result<Nothing, ApiError> {
    let upload = metrics::Upload::begin();
    let result = receive(app, request).await;
    upload.end(match &result {
        Ok(_) => UploadOutcome::Published,
        Err(error) if error.is_ours() => UploadOutcome::Failed,
        Err(_) => UploadOutcome::Refused,
    });
    result
}

async fn receive(app: Arc<App>, request: Request) -> Result<Nothing, ApiError> {
    let (parts, body) = request.into_parts();
    let client = ClientAddress::of(&parts.extensions)?;
    let headers = parts.headers;
    let mut params = Params::from_query(parts.uri.query().unwrap_or_default())?;
    let Some(content_type) = multipart_type(&headers) else {
        params.add_body(&headers, body).await?;
        Call::new(&headers, client, params).user(&app)?;
        return Err(ApiError::missing("data"));
    };
    let largest = largest_body(app.settings.upload.max_bytes);
    if content_length(&headers).is_some_and(|length| length > largest) {
        return Err(ApiError::too_large());
    }
    let chunks = Box::pin(moving(body));
    let claim = SpoolClaim::new(client.0);
    let mut form = Form {
        app: &app,
        call: Call::new(&headers, client, params),
        admission: Admission::of(&parts.extensions),
        uncounted: parts.extensions.get().cloned(),
        spool_claim: claim.clone(),
        file: File::Missing,
        admitted: Admitted::Nobody,
    };
    let result = tokio::select! {
        result = form.receive(content_type, chunks) => result,
        () = claim.evicted() => Err(ApiError::new(Code::TOO_MANY_REQUESTS)),
    };
    form.finish(result).await
}

/// The parts that are read besides the file.
const TEXTS: [&str; 2] = ["title", "token"];

/// The file, as far as it has come.
enum File<'a> {
    Missing,
    Spooled(Spool<'a>),
    Stored(Stored),
}

/// A form that is being received.
struct Form<'a> {
    app: &'a Arc<App>,
    call: Call,
    /// To be told whose turn it is to give up a place.
    admission: Admission,
    uncounted: Option<Uncounted>,
    spool_claim: Arc<SpoolClaim>,
    file: File<'a>,
    admitted: Admitted,
}

/// For whom this upload was counted, and is not one too many.
#[derive(Clone, Copy)]
enum Admitted {
    Nobody,
    Address,
    Author,
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

impl Form<'_> {
    /// Reads all parts.
    async fn receive(&mut self, content_type: &str, chunks: Chunks) -> Result<(), ApiError> {
        // What came ahead of the body is judged before a byte of it is read.
        self.judge()?;
        if let Some(author) = self.call.named(self.app)? {
            self.admit(Some(author)).await?;
        }
        let max_bytes = self.app.settings.upload.max_bytes;
        let limits = limits(Some(max_bytes));
        let mut parts = multipart::Form::new(content_type, chunks, &TEXTS, limits)?;
        while let Some(part) = parts.next_part().await? {
            if part.name == FILE {
                self.receive_file(part).await?;
            } else {
                let name = part.name.clone();
                self.call.params.add(name, part.text().await?);
                self.judge()?;
                if let Some(author) = self.call.named(self.app)? {
                    self.admit(Some(author)).await?;
                }
            }
        }
        Ok(())
    }

    /// Refuses what is wrong already, so that nobody uploads a file in vain.
    fn judge(&self) -> Result<(), ApiError> {
        self.call.viewer(self.app)?;
        // The rules stand in the interface: asked of a request that is otherwise right.
        let request = PublishRequest {
            author_id: 1,
            object_key: "-".into(),
            title: self
                .call
                .params
                .text("title")
                .unwrap_or("-")
                .to_owned()
                .into(),
            size_bytes: 1,
            sha256: "0".repeat(64).into(),
            idempotency_key: self
                .call
                .idempotency_key()?
                .map(|key| key.to_owned().into()),
        };
        let renamed = |error| ApiError::from(&error).renamed("idempotency_key", IDEMPOTENCY_KEY);
        request.validate().map_err(renamed)
    }

    /// Counts this upload: for its author, who must be there, as soon as that is known, until then once for its address; and tells the
    /// connection.
    async fn admit(&mut self, author: Option<Holder>) -> Result<(), ApiError> {
        let (app, client) = (self.app, self.call.client);
        if let Some(uncounted) = &self.uncounted {
            uncounted.count(app, client, author.map(|author| author.user_id))?;
        }
        match (self.admitted, author) {
            (Admitted::Nobody, None) => {
                limit::publish_of_stranger(app, client).await?;
                self.admitted = Admitted::Address;
                self.admission.counted();
            }
            (Admitted::Nobody | Admitted::Address, Some(author)) => {
                limit::publish(app, author.user_id).await?;
                app.accounts.look_for(app, &author).await?;
                self.admitted = Admitted::Author;
                self.admission.admitted();
                self.spool_claim.keep();
            }
            _ => {}
        }
        Ok(())
    }

    async fn receive_file(&mut self, part: Part<'_, Chunks>) -> Result<(), ApiError> {
        if !matches!(self.file, File::Missing) {
            return Err(ApiError::bad_parameter("data", Rule::GivenTwice));
        }
        let bytes = Box::pin(part.into_stream());
        let author = self.call.named(self.app)?;
        self.admit(author).await?;
        self.file = match author {
            Some(author) => File::Stored(store(self.app, author.user_id, bytes).await?),
            None => File::Spooled(Spool::fill(self.app, &self.spool_claim, bytes).await?),
        };
        Ok(())
    }

    /// Publishes what was received, or removes it.
    async fn finish(mut self, received: Result<(), ApiError>) -> Result<Nothing, ApiError> {
        let complete = match received {
            Ok(()) => self.complete().await,
            Err(error) => Err(error),
        };
        match (complete, self.file) {
            (Ok(rest), File::Stored(stored)) => publish_stored(self.app, rest, stored).await,
            (Ok(_), _) => Err(ApiError::missing("data")),
            (Err(error), File::Stored(stored)) => {
                stored.upload.abort().await;
                Err(error)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Checks that all but the file is there, and stores a file that waited for its token.
    async fn complete(&mut self) -> Result<Rest, ApiError> {
        let author = self.call.holder(self.app)?;
        let author_id = author.user_id;
        let rest = Rest {
            author_id,
            title: self.call.params.text("title")?.to_owned(),
            idempotency_key: self.call.idempotency_key()?.map(str::to_owned),
        };
        self.admit(Some(author)).await?;
        self.file = match std::mem::replace(&mut self.file, File::Missing) {
            File::Spooled(spool) => File::Stored(store(self.app, author_id, spool.read()).await?),
            file => file,
        };
        Ok(rest)
    }
}

/// What a publish needs besides its file.
struct Rest {
    author_id: i64,
    title: String,
    idempotency_key: Option<String>,
}

async fn publish_stored(app: &App, rest: Rest, stored: Stored) -> Result<Nothing, ApiError> {
    let request = PublishRequest {
        author_id: rest.author_id,
        object_key: stored.upload.object_key().to_owned().into(),
        title: rest.title.into(),
        size_bytes: stored.size_bytes,
        sha256: stored.sha256.into(),
        idempotency_key: rest.idempotency_key.map(Into::into),
    };
    match app.video.publish(request).await.map_err(ApiError::from) {
        Ok(published) => {
            stored.upload.settle();
            tracing::info!(video_id = published.video_id, "video published");
            Ok(Nothing {})
        }
        Err(error) => {
            if error.is_ours() {
                // Whether it was published is unknown. Its row tells the reaper.
                stored.upload.settle();
            } else {
                stored.upload.abort().await;
            }
            Err(error)
        }
    }
}
