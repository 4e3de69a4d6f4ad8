//! The contract for readers: the document and its page.

use reqwest::Method;
use serde_json::Value;
use testkit::{System, media};

use crate::{
    browser::{drive, is_there},
    shared_system,
};

#[tokio::test]
async fn the_document_is_openapi_3_1_and_the_one_of_the_repository() {
    let system = shared_system().await;
    let reply = system.client().get("/openapi.json", &[]).await;
    assert_eq!(reply.http, 200);
    assert_eq!(reply.body["openapi"], "3.1.0");
    let snapshot: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    assert_eq!(reply.body, snapshot);
}

#[tokio::test]
async fn the_page_names_only_what_this_server_has_and_is_forbidden_the_rest() {
    let system = shared_system().await;
    let client = system.client();
    let page = client.get("/docs", &[]).await;
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"));
    assert_eq!(client.get("/docs/", &[]).await.text, page.text);
    // No script, style or handler within the page: the policy would forbid it.
    for forbidden in [
        "<style",
        " style=",
        " onclick=",
        "javascript:",
        "http://",
        "https://",
    ] {
        assert!(!page.text.contains(forbidden), "{forbidden}");
    }
    let mut named = 0;
    for piece in page
        .text
        .split(['"'])
        .filter(|piece| piece.starts_with('/'))
    {
        let asset = client.get(piece, &[]).await;
        assert_eq!(asset.http, 200, "{piece}");
        assert_eq!(asset.headers["x-content-type-options"], "nosniff");
        assert!(!asset.request_id().is_empty());
        named += 1;
    }
    assert!(named >= 4, "{}", page.text);
    for module in ["docs", "dom", "request", "words"] {
        let script = client.get(&format!("/docs/{module}.js"), &[]).await;
        assert_eq!(
            script.headers["content-type"],
            "text/javascript; charset=utf-8"
        );
        for forbidden in ["innerHTML", "eval(", "http://", "https://"] {
            assert!(!script.text.contains(forbidden), "{module}: {forbidden}");
        }
    }
    let wrong = client.request(Method::POST, "/docs");
    client.send(wrong).await.failed(405, 10001);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_tries_routes_in_a_browser_and_the_quick_start_runs_as_it_is_shown() {
    if !is_there() {
        return;
    }
    // Its own: the newest film of its feed is the one that was just published.
    let system = System::start().await;
    let files = tempfile::tempdir().unwrap();
    let film = files.path().join("film.mp4");
    std::fs::write(&film, media::mp4()).unwrap();
    let pictures = concat!(env!("CARGO_MANIFEST_DIR"), "/../.run/browser");
    std::fs::create_dir_all(pictures).unwrap();
    let variables = [
        ("PAGE", system.http().as_ref()),
        ("FILM", film.as_os_str()),
        ("PICTURES", pictures.as_ref()),
    ];
    let output = drive("docs.mjs", &variables).await;
    assert!(
        output.status.success(),
        "the page failed in the browser: see above, and {pictures}"
    );
}
