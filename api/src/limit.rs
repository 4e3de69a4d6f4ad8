//! The layer that lets a client make only so many requests, whatever they ask; and what each kind of request counts as.
//!
//! With a valid token the user's limits count and not the address's, which thousands may share; those are for strangers.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http_body::Body as _;
use idl::base::Code;
use limits::{Claim, Class};
use service::Admission;
use volo::{Layer, Service};
use volo_http::{context::ServerContext, request::Request, response::Response};

use crate::{
    app::App,
    call,
    client_address::{ClientAddress, Peer, client_address},
    error::ApiError,
    params,
    reply::{Nothing, failure},
    routes::register::Session,
    words::Language,
};

/// Puts [`Limited`] around all routes.
#[derive(Clone)]
pub struct LimitLayer(pub Arc<App>);

/// Routes that a client may not ask too often. What is behind it finds the [`ClientAddress`] in a request's extensions, and where the
/// token may be in the body, an [`Uncounted`].
pub struct Limited<S> {
    app: Arc<App>,
    inner: S,
}

impl<S> Layer<S> for LimitLayer {
    type Service = Limited<S>;

    fn layer(self, inner: S) -> Self::Service {
        Limited { app: self.0, inner }
    }
}

impl<S> Service<ServerContext, Request> for Limited<S>
where
    S: Service<ServerContext, Request, Response = Response, Error = Infallible> + Send + Sync,
{
    type Response = Response;
    type Error = Infallible;

    async fn call(
        &self,
        cx: &mut ServerContext,
        mut request: Request,
    ) -> Result<Response, Infallible> {
        let Some(Peer(peer)) = request.extensions().get().copied() else {
            return self.inner.call(cx, request).await;
        };
        let trusted = &self.app.trusted_proxies;
        let client = client_address(trusted, peer.ip(), request.headers());
        let uncounted = match enter(&self.app, &request, client) {
            Ok(uncounted) => uncounted,
            Err(error) => {
                let language = Language::of(request.headers());
                return Ok(match sends_session(request.uri().path()) {
                    true => failure(&error, Session::default(), language),
                    false => failure(&error, Nothing {}, language),
                });
            }
        };
        request.extensions_mut().insert(client);
        if let Some(uncounted) = &uncounted {
            request.extensions_mut().insert(uncounted.clone());
        }
        let response = self.inner.call(cx, request).await;
        if let Some(uncounted) = uncounted {
            uncounted.end(&self.app, client);
        }
        response
    }
}

/// Counts a request by what its head tells; what its body may tell is left to whoever reads that.
fn enter(
    app: &App,
    request: &Request,
    client: ClientAddress,
) -> Result<Option<Uncounted>, ApiError> {
    if !Admission::of(request.extensions()).client(client.0) {
        return Err(ApiError::new(Code::TOO_MANY_REQUESTS));
    }
    let in_query = params::in_query(request.uri().query().unwrap_or_default(), "token");
    let token = in_query.as_deref().or(call::bearer(request.headers()));
    match token.and_then(|token| app.holder_of(token).ok()) {
        Some(holder) => count(app, client, Some(holder.user_id))?,
        None if request.body().is_end_stream() => count(app, client, None)?,
        None => return Ok(Some(Uncounted::default())),
    }
    Ok(None)
}

fn count(app: &App, client: ClientAddress, user_id: Option<i64>) -> Result<(), ApiError> {
    Ok(app.limits.count(&[request_of(client, user_id)])?)
}

fn request_of(client: ClientAddress, user_id: Option<i64>) -> Claim {
    match user_id {
        Some(user_id) => Claim::user(Class::RequestUser, user_id),
        None => Claim::address(Class::Request, client.0),
    }
}

/// A request whose token, if it has one, is in its body. It counts once, as soon as it is known whose it is.
#[derive(Clone, Default)]
pub struct Uncounted(Arc<AtomicBool>);

impl Uncounted {
    /// Counts it, if it wasn't; for its address when no user is known.
    pub fn count(
        &self,
        app: &App,
        client: ClientAddress,
        user_id: Option<i64>,
    ) -> Result<(), ApiError> {
        match self.0.swap(true, Ordering::Relaxed) {
            true => Ok(()),
            false => count(app, client, user_id),
        }
    }

    /// It is over: nobody read so far.
    fn end(&self, app: &App, client: ClientAddress) {
        if !self.0.swap(true, Ordering::Relaxed) {
            app.limits.charge(request_of(client, None), 1);
        }
    }
}

/// Whether the route at this path sends an empty session when it fails: by the contract, those that make one.
pub fn sends_session(path: &str) -> bool {
    let bare = path.strip_suffix('/').unwrap_or(path);
    ["/douyin/user/register", "/douyin/user/login"].contains(&bare)
}

/// A try to log in.
pub async fn login(app: &App, client: ClientAddress, name: &str) -> Result<(), ApiError> {
    let claims = [
        Claim::address(Class::Login, client.0),
        Claim::name_from(Class::LoginName, name, client.0),
        Claim::name(Class::LoginNameAnywhere, name),
    ];
    Ok(app.limits.admit(&claims).await?)
}

/// A try to make an account.
pub async fn register(app: &App, client: ClientAddress) -> Result<(), ApiError> {
    let claims = [Claim::address(Class::Register, client.0)];
    Ok(app.limits.admit(&claims).await?)
}

/// A like, or a comment.
pub fn write(app: &App, user_id: i64) -> Result<(), ApiError> {
    let claims = [Claim::user(Class::WriteUser, user_id)];
    Ok(app.limits.count(&claims)?)
}

/// The begin of an upload whose author isn't known yet, before a byte of its file is taken.
pub async fn publish_of_stranger(app: &App, client: ClientAddress) -> Result<(), ApiError> {
    let claims = [Claim::address(Class::Publish, client.0)];
    Ok(app.limits.admit(&claims).await?)
}

/// The upload of a user, as soon as it is known whose it is.
pub async fn publish(app: &App, user_id: i64) -> Result<(), ApiError> {
    let claims = [
        Claim::user(Class::PublishUser, user_id),
        // One byte: whether any is left.
        Claim::user(Class::UploadBytes, user_id),
    ];
    Ok(app.limits.admit(&claims).await?)
}

/// Bytes of an upload that were taken, whatever becomes of it.
pub fn uploaded(app: &App, user_id: i64, bytes: u64) {
    let claim = Claim::user(Class::UploadBytes, user_id);
    app.limits.charge(claim, bytes);
}
