//! Which route answers which path. Every path of the contract works with and without its trailing slash.

use std::{future::Future, sync::Arc};

use serde::Serialize;
use service::{ADMIN_PATHS, HEALTH_PATH};
use volo_http::{
    body::Body,
    request::Request,
    server::{
        middleware,
        route::{MethodRouter, Router, get, post},
    },
};

use crate::{
    access,
    answer::{allow_only, answer, answer_upload, not_found},
    app::App,
    call::Call,
    cors::Cors,
    docs::ASSETS,
    error::ApiError,
    limit::LimitLayer,
    manners::MannersLayer,
    reply::Nothing,
    routes::{
        comment_action::comment_action,
        comment_list::comment_list,
        favorite_action::favorite_action,
        favorite_list::favorite_list,
        feed::feed,
        login::login,
        publish_list::publish_list,
        register::{Session, register},
        user::user,
    },
    web,
};

/// A GET route takes these.
const READS: &str = "GET, HEAD";
/// A POST route takes this.
const WRITES: &str = "POST";

/// Makes a route for one process.
type Mount = Box<dyn Fn(&Arc<App>) -> MethodRouter>;

/// One route of the contract.
pub struct Route {
    /// As the contract writes it, with its trailing slash.
    pub path: &'static str,
    /// What `Allow` says of it.
    pub methods: &'static str,
    mount: Mount,
}

/// All routes.
pub fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for route in routes() {
        let bare = route.path.trim_end_matches('/');
        router = router.route(bare, (route.mount)(app));
        router = router.route(route.path, (route.mount)(app));
    }
    for asset in ASSETS {
        let answer = move || async move { asset.answer() };
        router = router.route(asset.path, only(READS, get(answer).head(answer)));
    }
    for file in web::files(&app.settings.object_store.public_endpoint) {
        let path = file.path.clone();
        let answer = move |request: Request| {
            let answer = file.answer(request.headers());
            async move { answer }
        };
        router = router.route(path, only(READS, get(answer.clone()).head(answer)));
    }
    let cors = Cors::new(app.settings.http.cors_origins.clone());
    let router = router
        .fallback(not_found)
        .layer(LimitLayer(app.clone()))
        .layer(MannersLayer(Arc::new(cors)))
        .layer(middleware::from_fn(access::access));
    // Added behind the layer: probes and scrapes are no requests of the contract, and would drown its lines.
    operations(app, router)
}

/// The paths of the admin port, for load balancers that know this port alone. Whoever may not know how the system is may know that
/// the process answers.
fn operations(app: &Arc<App>, mut router: Router) -> Router {
    let all = app.settings.has_admin_paths();
    let paths = ADMIN_PATHS.into_iter();
    for path in paths.filter(|path| all || *path == HEALTH_PATH) {
        let app = app.clone();
        let answer = move || {
            let app = app.clone();
            async move { app.admin.answer(path).await.map(Body::from) }
        };
        router = router.route(path, only(READS, get(answer.clone()).head(answer)));
    }
    router
}

/// The routes of the contract.
pub fn routes() -> Vec<Route> {
    vec![
        reads("/douyin/feed/", feed),
        reads("/douyin/user/", user),
        writes("/douyin/user/register/", register, Session::default),
        writes("/douyin/user/login/", login, Session::default),
        reads("/douyin/publish/list/", publish_list),
        reads("/douyin/favorite/list/", favorite_list),
        writes("/douyin/favorite/action/", favorite_action, || Nothing {}),
        reads("/douyin/comment/list/", comment_list),
        writes("/douyin/comment/action/", comment_action, || Nothing {}),
        uploads("/douyin/publish/action/"),
    ]
}

/// A GET route.
fn reads<H, F, T>(path: &'static str, handler: H) -> Route
where
    H: Fn(Arc<App>, Call) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<T, ApiError>> + Send + 'static,
    T: Serialize + Send + 'static,
{
    let mount = move |app: &Arc<App>| {
        let (app, handler) = (app.clone(), handler.clone());
        let answer = move |request: Request| {
            answer(app.clone(), path, request, handler.clone(), || Nothing {})
        };
        only(READS, get(answer.clone()).head(answer))
    };
    Route {
        path,
        methods: READS,
        mount: Box::new(mount),
    }
}

/// A POST route. What it sends when it fails, besides the status, is `on_failure`.
fn writes<H, F, T, C>(path: &'static str, handler: H, on_failure: fn() -> C) -> Route
where
    H: Fn(Arc<App>, Call) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<T, ApiError>> + Send + 'static,
    T: Serialize + Send + 'static,
    C: Serialize + 'static,
{
    let mount = move |app: &Arc<App>| {
        let (app, handler) = (app.clone(), handler.clone());
        let answer =
            move |request: Request| answer(app.clone(), path, request, handler.clone(), on_failure);
        only(WRITES, post(answer))
    };
    Route {
        path,
        methods: WRITES,
        mount: Box::new(mount),
    }
}

/// The upload.
fn uploads(path: &'static str) -> Route {
    let mount = move |app: &Arc<App>| {
        let app = app.clone();
        let answer = move |request: Request| answer_upload(app.clone(), path, request);
        only(WRITES, post(answer))
    };
    Route {
        path,
        methods: WRITES,
        mount: Box::new(mount),
    }
}

/// Any other method is 405.
fn only(methods: &'static str, router: MethodRouter) -> MethodRouter {
    router.fallback(move |request: Request| allow_only(methods, request))
}
