//! Which route answers which path, and what all of them share: parameters in, JSON out, a time limit.
//!
//! Every path works with and without its trailing slash.

use std::{future::Future, sync::Arc, time::Duration};

use http::{HeaderValue, StatusCode, header};
use idl::base::Code;
use serde::Serialize;
use service::ADMIN_PATHS;
use volo_http::{
    body::Body,
    request::Request,
    response::Response,
    server::{
        middleware,
        route::{MethodRouter, Router, get, post},
    },
};

use crate::{
    access,
    app::App,
    call::Call,
    error::ApiError,
    params::Params,
    reply::{Nothing, failure, success},
    routes::{
        comment_action::comment_action,
        comment_list::comment_list,
        favorite_action::favorite_action,
        favorite_list::favorite_list,
        feed::feed,
        login::login,
        publish::publish,
        publish_list::publish_list,
        register::{Session, register},
        user::user,
    },
    words::Language,
};

/// All routes.
pub fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for (path, methods) in routes(app) {
        router = router.route(path.trim_end_matches('/'), methods(path));
        router = router.route(path, methods(path));
    }
    let router = router
        .fallback(not_found)
        .layer(middleware::from_fn(access::access));
    // Added behind the layer: probes and scrapes are no requests of the contract, and would drown its lines.
    operations(app, router)
}

/// The paths of the admin port, for load balancers that know this port alone.
fn operations(app: &Arc<App>, mut router: Router) -> Router {
    for path in ADMIN_PATHS {
        let app = app.clone();
        let answer = move || {
            let app = app.clone();
            async move { app.admin.answer(path).await.map(Body::from) }
        };
        let methods = get(answer.clone()).head(answer);
        router = router.route(path, methods.fallback(|| allow_only("GET, HEAD")));
    }
    router
}

type Methods = Box<dyn Fn(&'static str) -> MethodRouter>;

fn routes(app: &Arc<App>) -> Vec<(&'static str, Methods)> {
    vec![
        ("/douyin/feed/", reads(app, feed)),
        ("/douyin/user/", reads(app, user)),
        (
            "/douyin/user/register/",
            writes(app, register, Session::default),
        ),
        ("/douyin/user/login/", writes(app, login, Session::default)),
        ("/douyin/publish/list/", reads(app, publish_list)),
        ("/douyin/favorite/list/", reads(app, favorite_list)),
        (
            "/douyin/favorite/action/",
            writes(app, favorite_action, || Nothing {}),
        ),
        ("/douyin/comment/list/", reads(app, comment_list)),
        (
            "/douyin/comment/action/",
            writes(app, comment_action, || Nothing {}),
        ),
        ("/douyin/publish/action/", uploads(app)),
    ]
}

/// A GET route.
fn reads<H, F, T>(app: &Arc<App>, handler: H) -> Methods
where
    H: Fn(Arc<App>, Call) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<T, ApiError>> + Send + 'static,
    T: Serialize + Send + 'static,
{
    let app = app.clone();
    Box::new(move |path| {
        let (app, handler) = (app.clone(), handler.clone());
        let answer = move |request: Request| {
            answer(app.clone(), path, request, handler.clone(), || Nothing {})
        };
        get(answer.clone())
            .head(answer)
            .fallback(|| allow_only("GET, HEAD"))
    })
}

/// A POST route. What it sends when it fails, besides the status, is `on_failure`.
fn writes<H, F, T, C>(app: &Arc<App>, handler: H, on_failure: fn() -> C) -> Methods
where
    H: Fn(Arc<App>, Call) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<T, ApiError>> + Send + 'static,
    T: Serialize + Send + 'static,
    C: Serialize + 'static,
{
    let app = app.clone();
    Box::new(move |path| {
        let (app, handler) = (app.clone(), handler.clone());
        post(move |request: Request| {
            answer(app.clone(), path, request, handler.clone(), on_failure)
        })
        .fallback(|| allow_only("POST"))
    })
}

/// The upload: it reads its body itself and has time limits of its own.
fn uploads(app: &Arc<App>) -> Methods {
    let app = app.clone();
    Box::new(move |path| {
        let app = app.clone();
        let answer = move |request: Request| {
            let app = app.clone();
            async move {
                access::at_route(path);
                let language = Language::of(request.headers());
                let result = publish(app.clone(), request).await;
                parting(&app, reply(result, || Nothing {}, language))
            }
        };
        post(answer).fallback(|| allow_only("POST"))
    })
}

/// Collects the parameters, runs the handler within the time limit, answers in JSON.
async fn answer<H, F, T, C>(
    app: Arc<App>,
    route: &'static str,
    request: Request,
    handler: H,
    on_failure: impl Fn() -> C,
) -> Response
where
    H: Fn(Arc<App>, Call) -> F,
    F: Future<Output = Result<T, ApiError>>,
    T: Serialize,
    C: Serialize,
{
    access::at_route(route);
    let language = Language::of(request.headers());
    let (parts, body) = request.into_parts();
    let work = async {
        let mut params = Params::from_query(parts.uri.query().unwrap_or_default())?;
        params.add_body(&parts.headers, body, app.stall()).await?;
        handler(app.clone(), Call::new(&parts.headers, params)).await
    };
    let limit = Duration::from_millis(app.settings.http.request_timeout_ms);
    let result = match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(ApiError::new(Code::TIMED_OUT)),
    };
    parting(&app, reply(result, on_failure, language))
}

/// Tells the clients of a stopping process to take another connection, so that none is closed just when it is used again.
fn parting(app: &App, mut response: Response) -> Response {
    if app.admin.is_stopping() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

fn reply<T: Serialize, C: Serialize>(
    result: Result<T, ApiError>,
    on_failure: impl Fn() -> C,
    language: Language,
) -> Response {
    match result {
        Ok(content) => success(content, language),
        Err(error) => failure(&error, on_failure(), language),
    }
}

async fn not_found(request: Request) -> Response {
    let error = ApiError::bad_parameter("path", "there is nothing here");
    let error = ApiError {
        status: Some(StatusCode::NOT_FOUND),
        ..error
    };
    failure(&error, Nothing {}, Language::of(request.headers()))
}

async fn allow_only(methods: &'static str) -> Response {
    let error = ApiError::bad_parameter("method", methods);
    let error = ApiError {
        status: Some(StatusCode::METHOD_NOT_ALLOWED),
        ..error
    };
    let mut response = failure(&error, Nothing {}, Language::default());
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}
