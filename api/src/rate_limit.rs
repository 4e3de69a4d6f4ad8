//! The middleware that limits how many requests a client may send, and what each kind of request counts as.
//!
//! With a valid token the user's limits count. Without one the limits of the client's address do, which thousands may share.

use std::{
    collections::HashMap,
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
    client_address::{ClientAddress, Peer, client_address},
    error::ApiError,
    i18n::Language,
    params,
    response::{Empty, Fail, fail_with},
};

/// Puts [`RateLimit`] around a router.
#[derive(Clone)]
pub struct RateLimitLayer {
    app: Arc<App>,
    failures: Failures,
}

/// What a refusal looks like, by the path without its trailing slash. Where none is named: the status alone.
type Failures = Arc<HashMap<&'static str, Fail>>;

impl RateLimitLayer {
    /// `failures`: how the routes reply to what fails, by their paths as the contract writes them.
    pub fn new(app: Arc<App>, failures: impl Iterator<Item = (&'static str, Fail)>) -> Self {
        let failures = failures.map(|(path, fail)| (without_slash(path), fail));
        Self {
            app,
            failures: Arc::new(failures.collect()),
        }
    }
}

fn without_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

/// A router whose requests are counted. It finds a [`ClientAddress`] in the extensions of a request, and an [`PendingCount`] where the
/// token may still come with the body.
pub struct RateLimit<S> {
    layer: RateLimitLayer,
    inner: S,
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimit<S>;

    fn layer(self, inner: S) -> Self::Service {
        RateLimit { layer: self, inner }
    }
}

impl<S> Service<ServerContext, Request> for RateLimit<S>
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
        let RateLimitLayer { app, failures } = &self.layer;
        let Some(Peer(peer)) = request.extensions().get().copied() else {
            return self.inner.call(cx, request).await;
        };
        let client = client_address(&app.trusted_proxies, peer.ip(), request.headers());
        let pending = match count_head(app, &request, client) {
            Ok(pending) => pending,
            Err(error) => {
                let fail = failures.get(without_slash(request.uri().path()));
                let fail = fail.copied().unwrap_or(fail_with::<Empty>);
                return Ok(fail(&error, Language::of(request.headers())));
            }
        };
        request.extensions_mut().insert(client);
        if let Some(pending) = &pending {
            request.extensions_mut().insert(pending.clone());
        }
        let response = self.inner.call(cx, request).await;
        if let Some(pending) = pending {
            pending.finish(app, client);
        }
        response
    }
}

/// Counts a request by its head. When the token may still come with the body, it is left to whoever reads that.
fn count_head(
    app: &App,
    request: &Request,
    client: ClientAddress,
) -> Result<Option<PendingCount>, ApiError> {
    if !Admission::of(request.extensions()).client(client.0) {
        return Err(ApiError::new(Code::TOO_MANY_REQUESTS));
    }
    let in_query = params::in_query(request.uri().query().unwrap_or_default(), params::TOKEN);
    let token = in_query.as_deref().or(params::bearer(request.headers()));
    match token.and_then(|token| app.verify_token(token).ok()) {
        Some(holder) => count(app, client, Some(holder.user_id))?,
        None if request.body().is_end_stream() => count(app, client, None)?,
        None => return Ok(Some(PendingCount::default())),
    }
    Ok(None)
}

fn count(app: &App, client: ClientAddress, user_id: Option<i64>) -> Result<(), ApiError> {
    Ok(app.limits.count(&[request_claim(client, user_id)])?)
}

fn request_claim(client: ClientAddress, user_id: Option<i64>) -> Claim {
    match user_id {
        Some(user_id) => Claim::user(Class::RequestUser, user_id),
        None => Claim::address(Class::Request, client.0),
    }
}

/// A request that isn't counted yet, because its token may come with the body. It counts once, as soon as its user is known.
#[derive(Clone, Default)]
pub struct PendingCount(Arc<AtomicBool>);

impl PendingCount {
    /// Counts it, unless it was counted: for the user, or without one for the address.
    ///
    /// # Errors
    /// It is one too many.
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

    /// The request is over. One whose body nobody has read counts for its address.
    fn finish(&self, app: &App, client: ClientAddress) {
        if !self.0.swap(true, Ordering::Relaxed) {
            app.limits.charge(request_claim(client, None), 1);
        }
    }
}

/// Counts an attempt to log in.
pub async fn login(app: &App, client: ClientAddress, name: &str) -> Result<(), ApiError> {
    let claims = [
        Claim::address(Class::Login, client.0),
        Claim::name_from(Class::LoginName, name, client.0),
        Claim::name(Class::LoginNameAnywhere, name),
    ];
    Ok(app.limits.admit(&claims).await?)
}

/// Counts an attempt to make an account.
pub async fn register(app: &App, client: ClientAddress) -> Result<(), ApiError> {
    let claims = [Claim::address(Class::Register, client.0)];
    Ok(app.limits.admit(&claims).await?)
}

/// Counts a like, a comment or a follow.
pub fn write(app: &App, user_id: i64) -> Result<(), ApiError> {
    let claims = [Claim::user(Class::WriteUser, user_id)];
    Ok(app.limits.count(&claims)?)
}

/// Counts a message.
pub fn message(app: &App, user_id: i64) -> Result<(), ApiError> {
    let claims = [Claim::user(Class::MessageUser, user_id)];
    Ok(app.limits.count(&claims)?)
}

/// Counts an upload whose author isn't known yet, before a byte of its file is read.
pub async fn publish_unauthenticated(app: &App, client: ClientAddress) -> Result<(), ApiError> {
    let claims = [Claim::address(Class::Publish, client.0)];
    Ok(app.limits.admit(&claims).await?)
}

/// Counts the upload of a user, who must have some of the quota of bytes left.
pub async fn publish(app: &App, user_id: i64) -> Result<(), ApiError> {
    let claims = [
        Claim::user(Class::PublishUser, user_id),
        // One byte: it is refused when none is left.
        Claim::user(Class::UploadBytes, user_id),
    ];
    Ok(app.limits.admit(&claims).await?)
}

/// Counts the bytes of an upload that were received, whatever becomes of it.
pub fn uploaded(app: &App, user_id: i64, bytes: u64) {
    let claim = Claim::user(Class::UploadBytes, user_id);
    app.limits.charge(claim, bytes);
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use http::header;
    use http_body_util::BodyExt as _;
    use serde::Serialize;
    use serde_json::{Value, json};
    use volo::net::Address;
    use volo_http::{body::Body, server::route::Router};

    use super::*;

    #[derive(Default, Serialize)]
    struct Session {
        token: String,
    }

    /// A router that answers everything, behind the middleware, where an address may send 2 requests and a user 3.
    async fn limited() -> (Arc<App>, Router) {
        let app = App::without_servers(|settings| {
            settings.limits.request_per_address = 2;
            settings.limits.request_per_user = 3;
        })
        .await;
        let failures: [(&str, Fail); 1] = [("/login/", fail_with::<Session>)];
        let layer = RateLimitLayer::new(app.clone(), failures.into_iter());
        let answer = async |request: Request| match request.extensions().get::<PendingCount>() {
            Some(_) => "not counted yet",
            None => "counted",
        };
        let router = Router::new().fallback(answer).layer(layer);
        (app, router)
    }

    async fn send(router: &Router, from: &str, mut request: Request) -> Response {
        let peer: SocketAddr = from.parse().unwrap();
        request.extensions_mut().insert(Peer(peer));
        let mut cx = ServerContext::new(Address::from(peer));
        router.call(&mut cx, request).await.unwrap()
    }

    fn get(uri: &str) -> Request {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri.parse().unwrap();
        request
    }

    async fn text(response: Response) -> String {
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.into()).unwrap()
    }

    #[tokio::test]
    async fn an_address_may_send_so_many_requests_and_is_told_when_to_come_again() {
        let (_app, router) = limited().await;
        for _ in 0..2 {
            let response = send(&router, "192.0.2.1:1", get("/")).await;
            assert_eq!(text(response).await, "counted");
        }
        let refused = send(&router, "192.0.2.1:2", get("/")).await;
        assert_eq!(refused.status(), 429);
        assert!(refused.headers().contains_key(header::RETRY_AFTER));
        let body: Value = serde_json::from_str(&text(refused).await).unwrap();
        assert_eq!(body["status_code"], 10012);
        assert_eq!(body.get("token"), None);
        let other = send(&router, "192.0.2.2:1", get("/")).await;
        assert_eq!(other.status(), 200);
    }

    #[tokio::test]
    async fn a_refusal_carries_what_the_failures_of_its_route_carry() {
        let (_app, router) = limited().await;
        for _ in 0..2 {
            send(&router, "192.0.2.1:1", get("/login")).await;
        }
        for (path, token) in [
            ("/login", json!("")),
            ("/login/", json!("")),
            ("/login//", json!(null)),
        ] {
            let refused = send(&router, "192.0.2.1:1", get(path)).await;
            let body: Value = serde_json::from_str(&text(refused).await).unwrap();
            assert_eq!(body["token"], token, "{path}");
        }
    }

    #[tokio::test]
    async fn a_valid_token_counts_for_its_user_wherever_it_is_shown_and_from_wherever() {
        let (app, router) = limited().await;
        let token = app.token_for(7, None, 0).unwrap();
        let with_query = get(&format!("/?token={token}"));
        let mut with_header = get("/");
        let bearer = format!("Bearer {token}").parse().unwrap();
        with_header
            .headers_mut()
            .insert(header::AUTHORIZATION, bearer);
        for (from, request) in [("192.0.2.1:1", with_query), ("192.0.2.2:1", with_header)] {
            assert_eq!(send(&router, from, request).await.status(), 200);
        }
        let again = || get(&format!("/?token={token}"));
        assert_eq!(send(&router, "192.0.2.3:1", again()).await.status(), 200);
        assert_eq!(send(&router, "192.0.2.4:1", again()).await.status(), 429);
        // The addresses have all that is theirs.
        assert_eq!(
            send(&router, "192.0.2.1:1", get("/?token=broken"))
                .await
                .status(),
            200
        );
    }

    #[tokio::test]
    async fn a_body_that_may_hold_the_token_is_counted_when_it_is_read_or_at_the_end() {
        let (app, router) = limited().await;
        let post = || Request::new(Body::from("token=x"));
        for _ in 0..2 {
            let response = send(&router, "192.0.2.1:1", post()).await;
            assert_eq!(text(response).await, "not counted yet");
        }
        // Nobody has read them: they count for the address.
        assert_eq!(send(&router, "192.0.2.1:1", get("/")).await.status(), 429);

        let client = ClientAddress("192.0.2.2".parse().unwrap());
        let pending = PendingCount::default();
        for _ in 0..3 {
            assert!(pending.count(&app, client, None).is_ok(), "once");
        }
        assert!(PendingCount::default().count(&app, client, None).is_ok());
        assert!(PendingCount::default().count(&app, client, None).is_err());
        assert!(PendingCount::default().count(&app, client, Some(7)).is_ok());
    }
}
