//! The router of all routes and static files, behind the rate limit.

use std::sync::Arc;

use volo_http::{
    request::Request,
    response::Response,
    server::route::{Router, get},
};

use crate::{
    app::App,
    assets::assets,
    error::ApiError,
    i18n::Language,
    rate_limit::RateLimitLayer,
    response::{Empty, failure},
    route::{READS, only},
    routes::routes,
};

/// Everything that is served but the admin paths.
pub fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    let routes = routes();
    for route in &routes {
        let without_slash = route.path.trim_end_matches('/');
        router = router.route(without_slash, route.mount(app));
        router = router.route(route.path, route.mount(app));
    }
    for asset in assets(&app.settings.object_store.public_endpoint) {
        let asset = Arc::new(asset);
        let path = asset.path.clone();
        let answer = move |request: Request| {
            let response = asset.response(request.headers());
            async move { response }
        };
        router = router.route(path, only(READS, get(answer.clone()).head(answer)));
    }
    let failures = routes.iter().map(|route| (route.path, route.fail));
    router
        .fallback(not_found)
        .layer(RateLimitLayer::new(app.clone(), failures))
}

async fn not_found(request: Request) -> Response {
    let language = Language::of(request.headers());
    failure(&ApiError::not_found(), Empty {}, language)
}
