//! Puts the routes, the static files and the middleware together into one router.

use std::sync::Arc;

use service::{ADMIN_PATHS, HEALTH_PATH};
use volo_http::{
    body::Body,
    request::Request,
    response::Response,
    server::{
        middleware,
        route::{Router, get},
    },
};

use crate::{
    app::App,
    cors::Cors,
    docs::ASSETS,
    error::ApiError,
    i18n::Language,
    manners::MannersLayer,
    rate_limit::RateLimitLayer,
    request_logging,
    response::{Empty, failure},
    route::{READS, only},
    routes::routes,
    web,
};

/// Everything that is served.
pub fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    let routes = routes();
    for route in &routes {
        let without_slash = route.path.trim_end_matches('/');
        router = router.route(without_slash, route.mount(app));
        router = router.route(route.path, route.mount(app));
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
    let failures = routes.iter().map(|route| (route.path, route.fail));
    let router = router
        .fallback(not_found)
        .layer(RateLimitLayer::new(app.clone(), failures))
        .layer(MannersLayer(Arc::new(cors)))
        .layer(middleware::from_fn(request_logging::log_request));
    // Behind the middleware: probes and scrapes would drown the log lines of the contract's requests.
    admin_paths(app, router)
}

async fn not_found(request: Request) -> Response {
    let language = Language::of(request.headers());
    failure(&ApiError::not_found(), Empty {}, language)
}

/// The paths of the admin port, for load balancers that know this port alone. Where the settings keep the others to the admin port, only
/// the one that says that the process answers.
fn admin_paths(app: &Arc<App>, mut router: Router) -> Router {
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
