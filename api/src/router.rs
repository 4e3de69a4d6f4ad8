//! The router of all routes and static files, behind the rate limit.

use std::sync::Arc;

use http::Method;
use volo_http::{
    request::Request,
    response::Response,
    server::route::{Router, get},
};

use crate::{
    app::App,
    assets::{Document, assets},
    call::TokenUse,
    error::ApiError,
    i18n::Language,
    pages::{wants_page, with_pages},
    rate_limit::{CountedRoute, RateLimitLayer},
    response::{Empty, failure},
    route::{READS, Route, only},
    routes::routes,
};

/// Everything that is served but the admin paths.
pub fn router(app: &Arc<App>) -> Router {
    router_of(app, &routes())
}

fn router_of(app: &Arc<App>, routes: &[Route]) -> Router {
    let mut router = Router::new();
    for route in routes {
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
    let document = Arc::new(Document::new(&app.settings.object_store.public_endpoint));
    router = with_pages(router, app, &document);
    let not_found = move |request: Request| not_found(document.clone(), request);
    let counted = routes.iter().map(|route| {
        let reads_token = route.token != TokenUse::Ignored;
        let counted = CountedRoute {
            fail: route.fail,
            token_in_body: reads_token.then_some(route.methods),
        };
        (route.path, counted)
    });
    router
        .fallback(not_found)
        .layer(RateLimitLayer::new(app.clone(), counted))
}

/// A page for who wants one, JSON for programs.
async fn not_found(document: Arc<Document>, request: Request) -> Response {
    if *request.method() == Method::GET && wants_page(request.headers()) {
        return document.not_found();
    }
    let language = Language::of(request.headers());
    failure(&ApiError::not_found(), Empty {}, language)
}

#[cfg(test)]
#[path = "../tests/adding_a_route/example.rs"]
mod example;

#[cfg(test)]
mod tests {
    use std::{fs, net::SocketAddr, path::Path, process::Command};

    use http::StatusCode;
    use http_body_util::BodyExt as _;
    use serde_json::{Value, json};
    use volo::{Service as _, net::Address};
    use volo_http::{body::Body, context::ServerContext};

    use super::*;
    use crate::client_address::Peer;

    async fn get_json(router: &Router, uri: &str) -> (StatusCode, Value) {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri.parse().unwrap();
        request.extensions_mut().insert(Peer(peer));
        let mut cx = ServerContext::new(Address::from(peer));
        let response = router.call(&mut cx, request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn the_route_of_the_recipe_answers_and_refuses_by_its_declaration() {
        let app = App::without_servers(|_| {}).await;
        let router = router_of(&app, &[example::route()]);
        for (query, code, message) in [
            ("user_id=7", 0, "success"),
            ("", 10001, "bad parameter: user_id: is missing"),
            (
                "user_id=0",
                10001,
                "bad parameter: user_id: must be at least 1",
            ),
            (
                "user_id=7&action_type=3",
                10001,
                "bad parameter: action_type: must be 1 or 2",
            ),
            (
                "user_id=7&token=broken",
                10003,
                "your login has expired or is not valid, please log in again",
            ),
        ] {
            for path in ["/douyin/example/", "/douyin/example"] {
                let (status, body) = get_json(&router, &format!("{path}?{query}")).await;
                assert_eq!(status, 200);
                assert_eq!(body["status_code"], code, "{query}: {body}");
                assert_eq!(body["status_msg"], message, "{query}");
            }
        }
        let (_, body) = get_json(&router, "/douyin/example/?user_id=7.0&action_type=2").await;
        let expected =
            json!({"status_code": 0, "status_msg": "success", "greeting": "Hello, user 7."});
        assert_eq!(body, expected);
        let (status, _) = get_json(&router, "/douyin/other/").await;
        assert_eq!(status, 404);
    }

    /// The diff that CONTRIBUTING.md and README.md show adds that route, and touches two files.
    #[test]
    fn the_recipe_for_a_route_applies_and_touches_its_file_and_the_list() {
        let api = Path::new(env!("CARGO_MANIFEST_DIR"));
        let copy = tempfile::tempdir().unwrap();
        let routes = copy.path().join("api/src/routes");
        fs::create_dir_all(&routes).unwrap();
        fs::copy(api.join("src/routes/mod.rs"), routes.join("mod.rs")).unwrap();
        let git = |arguments: &[&str]| {
            let diff = api.join("tests/adding_a_route.diff");
            let command = Command::new("git")
                .current_dir(copy.path())
                .arg("apply")
                .args(arguments)
                .arg(diff)
                .output()
                .unwrap();
            assert!(command.status.success(), "{command:?}");
            String::from_utf8(command.stdout).unwrap()
        };
        let touched = git(&["--numstat"]);
        let touched: Vec<&str> = touched
            .lines()
            .filter_map(|line| line.split('\t').nth(2))
            .collect();
        assert_eq!(
            touched,
            ["api/src/routes/example.rs", "api/src/routes/mod.rs"]
        );
        git(&[]);
        let made = fs::read_to_string(routes.join("example.rs")).unwrap();
        assert_eq!(made, include_str!("../tests/adding_a_route/example.rs"));
        let list = fs::read_to_string(routes.join("mod.rs")).unwrap();
        for line in ["pub mod example;", "        example::route(),"] {
            assert!(list.lines().any(|one| one == line), "{line}");
        }
    }
}
