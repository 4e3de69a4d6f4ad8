//! The layer that lets a client make only so many requests, whatever they ask; and what each kind of request counts as.

use std::{convert::Infallible, sync::Arc};

use limits::{Claim, Class};
use volo::{Layer, Service};
use volo_http::{context::ServerContext, request::Request, response::Response};

use crate::{
    app::App,
    client_address::{ClientAddress, Peer, client_address},
    error::ApiError,
    reply::{Nothing, failure},
    routes::register::Session,
    words::Language,
};

/// Puts [`Limited`] around all routes.
#[derive(Clone)]
pub struct LimitLayer(pub Arc<App>);

/// Routes that a client may not ask too often. What is behind it finds the [`ClientAddress`] in a request's extensions.
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
        if let Some(Peer(peer)) = request.extensions().get().copied() {
            let trusted = &self.app.trusted_proxies;
            let client = client_address(trusted, peer.ip(), request.headers());
            let claim = Claim::address(Class::Request, client.0);
            if let Err(refused) = self.app.limits.count(&[claim]) {
                let language = Language::of(request.headers());
                let error = refused.into();
                return Ok(match sends_session(request.uri().path()) {
                    true => failure(&error, Session::default(), language),
                    false => failure(&error, Nothing {}, language),
                });
            }
            request.extensions_mut().insert(client);
        }
        self.inner.call(cx, request).await
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
pub fn write(app: &App, client: ClientAddress, user_id: i64) -> Result<(), ApiError> {
    let claims = [
        Claim::address(Class::Write, client.0),
        Claim::user(Class::WriteUser, user_id),
    ];
    Ok(app.limits.count(&claims)?)
}

/// The begin of an upload whose author isn't known yet, before a byte of its file is taken.
pub async fn publish_of_stranger(app: &App, client: ClientAddress) -> Result<(), ApiError> {
    let claims = [Claim::address(Class::Publish, client.0)];
    Ok(app.limits.admit(&claims).await?)
}

/// The upload of a stranger who has shown a token.
pub async fn publish_of_known(app: &App, user_id: i64) -> Result<(), ApiError> {
    let claims = [
        Claim::user(Class::PublishUser, user_id),
        Claim::user(Class::UploadBytes, user_id),
    ];
    Ok(app.limits.admit(&claims).await?)
}

/// The begin of an upload, before a byte of it is taken.
pub async fn publish(app: &App, client: ClientAddress, user_id: i64) -> Result<(), ApiError> {
    let claims = [
        Claim::address(Class::Publish, client.0),
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
