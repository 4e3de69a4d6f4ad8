//! The middleware that limits how many requests a client may send, and what each kind of request counts as.
//!
//! With a valid token the user's limits count. Without one the limits of the client's address do, which thousands may share.
//!
//! A token that has ended takes nothing from the limits of its user. What needs an account is counted when the account was checked. All else
//! is counted for each epoch of the user's tokens by itself, because nobody is asked whether the token has ended.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use auth::TokenSubject;
use http_body::Body as _;
use idl::{base::Code, user::User};
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
    routes: Arc<HashMap<&'static str, CountedRoute>>,
}

/// How the requests of a route are counted.
#[derive(Clone, Copy)]
pub struct CountedRoute {
    /// What a refusal looks like.
    pub fail: Fail,
    /// The methods, as `Allow` names them, of requests whose token may come with the body.
    pub token_in_body: Option<&'static str>,
}

/// Whatever is no route of the contract: a page, a file, or nothing.
const OTHER: CountedRoute = CountedRoute {
    fail: fail_with::<Empty>,
    token_in_body: None,
};

impl RateLimitLayer {
    /// `routes`: those of the contract, by their paths as it writes them.
    pub fn new(app: Arc<App>, routes: impl Iterator<Item = (&'static str, CountedRoute)>) -> Self {
        let routes = routes.map(|(path, route)| (without_slash(path), route));
        Self {
            app,
            routes: Arc::new(routes.collect()),
        }
    }

    fn route(&self, path: &str) -> CountedRoute {
        self.routes
            .get(without_slash(path))
            .copied()
            .unwrap_or(OTHER)
    }
}

impl CountedRoute {
    /// Whether the token may still come with the body. Then whoever reads the body counts the request.
    fn may_have_token_in_body(&self, request: &Request) -> bool {
        let methods = self.token_in_body.unwrap_or_default();
        let is_taken = methods.split(", ").any(|one| *request.method() == one);
        is_taken && !request.body().is_end_stream()
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
        let app = &self.layer.app;
        let Some(Peer(peer)) = request.extensions().get().copied() else {
            return self.inner.call(cx, request).await;
        };
        let client = client_address(&app.trusted_proxies, peer.ip(), request.headers());
        let route = self.layer.route(request.uri().path());
        let language = Language::of(request.headers());
        let pending = match count_head(app, &route, &request, client) {
            Ok(pending) => pending,
            Err(error) => return Ok((route.fail)(&error, language)),
        };
        request.extensions_mut().insert(client);
        let Some(pending) = pending else {
            return self.inner.call(cx, request).await;
        };
        request.extensions_mut().insert(pending.clone());
        let response = self.inner.call(cx, request).await?;
        // One whose body nobody has read counts for its address.
        match pending.count(app, client, None) {
            Ok(()) => Ok(response),
            Err(error) => Ok((route.fail)(&error, language)),
        }
    }
}

/// Counts a request by its head. When the token may still come with the body, it is left to whoever reads that.
fn count_head(
    app: &App,
    route: &CountedRoute,
    request: &Request,
    client: ClientAddress,
) -> Result<Option<PendingCount>, ApiError> {
    if !Admission::of(request.extensions()).client(client.0) {
        return Err(ApiError::new(Code::TOO_MANY_REQUESTS));
    }
    let in_query = params::in_query(request.uri().query().unwrap_or_default(), params::TOKEN);
    let token = in_query.as_deref().or(params::bearer(request.headers()));
    match token.and_then(|token| app.verify_token(token).ok()) {
        Some(holder) => count(app, client, Some(holder))?,
        None if route.may_have_token_in_body(request) => {
            return Ok(Some(PendingCount::default()));
        }
        None => count(app, client, None)?,
    }
    Ok(None)
}

fn count(app: &App, client: ClientAddress, holder: Option<TokenSubject>) -> Result<(), ApiError> {
    let claim = match holder {
        Some(holder) => Claim::token(Class::RequestUser, holder.user_id, holder.epoch),
        None => Claim::address(Class::Request, client.0),
    };
    Ok(app.limits.count(&[claim])?)
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
        holder: Option<TokenSubject>,
    ) -> Result<(), ApiError> {
        match self.0.swap(true, Ordering::Relaxed) {
            true => Ok(()),
            false => count(app, client, holder),
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

/// Checks the account of the token, which it returns, and counts a like, a comment, a follow or the like.
///
/// # Errors
/// As [`Accounts::must_exist`](crate::accounts::Accounts::must_exist), and then nothing is counted. Or it is one too many.
pub async fn write(app: &App, holder: &TokenSubject) -> Result<User, ApiError> {
    of_account(app, holder, Class::WriteUser).await
}

/// As [`write`], for a message.
///
/// # Errors
/// As of [`write`].
pub async fn message(app: &App, holder: &TokenSubject) -> Result<User, ApiError> {
    of_account(app, holder, Class::MessageUser).await
}

async fn of_account(app: &App, holder: &TokenSubject, class: Class) -> Result<User, ApiError> {
    let user = app.accounts.user(holder).await?;
    app.limits.count(&[Claim::user(class, holder.user_id)])?;
    Ok(user)
}

/// Counts an upload whose author isn't known yet, before a byte of its file is read.
pub async fn publish_unauthenticated(app: &App, client: ClientAddress) -> Result<(), ApiError> {
    let claims = [Claim::address(Class::Publish, client.0)];
    Ok(app.limits.admit(&claims).await?)
}

/// As [`write`], for an upload, whose user must have some of the quota of bytes left. The account is read afresh.
///
/// # Errors
/// As of [`write`].
pub async fn publish(app: &App, holder: &TokenSubject) -> Result<(), ApiError> {
    app.accounts.refresh(holder).await?;
    let user_id = holder.user_id;
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
        let login = CountedRoute {
            fail: fail_with::<Session>,
            token_in_body: None,
        };
        let write = CountedRoute {
            token_in_body: Some("POST"),
            ..OTHER
        };
        let routes = [("/login/", login), ("/write/", write)];
        let layer = RateLimitLayer::new(app.clone(), routes.into_iter());
        let answer = async |request: Request| match request.extensions().get::<PendingCount>() {
            Some(_) => "not counted yet",
            None => "counted",
        };
        let router = Router::new().fallback(answer).layer(layer);
        (app, router)
    }

    fn holder(user_id: i64, epoch: i64) -> TokenSubject {
        TokenSubject {
            user_id,
            created_ms: Some(1),
            issued_s: 1,
            epoch,
        }
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
    async fn a_token_that_has_ended_takes_no_request_from_its_user() {
        let (app, router) = limited().await;
        let ask = async |epoch: i64| {
            let token = app.token_for(7, None, epoch).unwrap();
            let asked = send(&router, "192.0.2.1:1", get(&format!("/?token={token}")));
            asked.await.status()
        };
        for _ in 0..3 {
            assert_eq!(ask(0).await, 200);
        }
        assert_eq!(ask(0).await, 429);
        assert_eq!(ask(1).await, 200);
    }

    #[tokio::test]
    async fn a_token_that_has_ended_takes_no_write_no_message_and_no_upload_from_its_user() {
        let app = App::without_servers(|settings| {
            settings.limits.write_per_user = 1;
            settings.limits.message_per_user = 1;
            settings.limits.publish_per_user = 1;
        })
        .await;
        app.accounts.insert(User {
            id: 7,
            created_ms: Some(1),
            token_epoch: Some(1),
            ..User::default()
        });
        let (ended, valid) = (holder(7, 0), holder(7, 1));
        for _ in 0..2 {
            for refused in [write(&app, &ended).await, message(&app, &ended).await] {
                assert_eq!(refused.unwrap_err().code(), Code::BAD_TOKEN);
            }
        }
        // Asks for the account, which nobody answers here.
        assert!(publish(&app, &ended).await.unwrap_err().is_server_error());
        let upload = Claim::user(Class::PublishUser, 7);
        app.limits.count(&[upload]).unwrap();
        app.limits.count(&[upload]).unwrap_err();
        assert_eq!(write(&app, &valid).await.unwrap().id, 7);
        message(&app, &valid).await.unwrap();
        let error = write(&app, &valid).await.unwrap_err();
        assert_eq!(error.code(), Code::TOO_MANY_REQUESTS);
    }

    /// With a body, which the router here never reads.
    fn with_body(method: &str, path: &str) -> Request {
        let mut request = Request::new(Body::from("token=x"));
        *request.method_mut() = method.parse().unwrap();
        *request.uri_mut() = path.parse().unwrap();
        request
    }

    #[tokio::test]
    async fn a_body_wins_nothing_where_no_token_is_read_from_it() {
        for (method, path) in [
            ("GET", "/v/7"),
            ("POST", "/login"),
            ("GET", "/write/"),
            ("POST", "/write//"),
        ] {
            let (_app, router) = limited().await;
            let send = async || send(&router, "192.0.2.1:1", with_body(method, path)).await;
            for _ in 0..2 {
                assert_eq!(text(send().await).await, "counted", "{method} {path}");
            }
            assert_eq!(send().await.status(), 429, "{method} {path}");
        }
    }

    #[tokio::test]
    async fn what_nobody_reads_is_refused_at_its_end_and_costs_the_address_no_more_than_its_limit()
    {
        let (_app, router) = limited().await;
        for attempt in 0..50 {
            let response = send(&router, "192.0.2.1:1", with_body("POST", "/write")).await;
            let expected = if attempt < 2 { 200 } else { 429 };
            assert_eq!(response.status(), expected, "{attempt}");
        }
        // Two a minute: the next one has its turn after half of one.
        let refused = send(&router, "192.0.2.1:1", get("/")).await;
        let wait = refused.headers()[header::RETRY_AFTER].to_str().unwrap();
        assert!(wait.parse::<u64>().unwrap() <= 30, "{wait}");
    }

    #[tokio::test]
    async fn a_body_that_may_hold_the_token_is_counted_when_it_is_read_or_at_the_end() {
        let (app, router) = limited().await;
        for path in ["/write", "/write/"] {
            let response = send(&router, "192.0.2.1:1", with_body("POST", path)).await;
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
        let holder = holder(7, 0);
        assert!(
            PendingCount::default()
                .count(&app, client, Some(holder))
                .is_ok()
        );
    }
}
