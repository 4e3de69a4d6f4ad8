//! Pages of other origins: which may call the API from a browser.

use reqwest::Method;
use testkit::Reply;

use crate::{shared_system, system_builder};

/// The members of a header that is a list, in lower case.
fn listed(reply: &Reply, header: &str) -> Vec<String> {
    let list = reply.headers[header].to_str().unwrap().to_ascii_lowercase();
    list.split(',').map(|one| one.trim().to_owned()).collect()
}

#[tokio::test]
async fn only_the_origins_of_the_settings_may_call_from_a_browser() {
    const APP: &str = "https://app.example";
    let system = system_builder()
        .set("http.cors_origins", format!("{APP}, http://localhost:3000"))
        .instances("favorite", 0)
        .instances("comment", 0)
        .start()
        .await;
    let client = system.client();
    let ask = async |method: Method, origin: &str| {
        let request = client
            .request(method, "/douyin/user/login/")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type",
            );
        client.send(request).await
    };
    for origin in [APP, "http://localhost:3000"] {
        let reply = ask(Method::OPTIONS, origin).await;
        assert_eq!((reply.http, reply.text.as_str()), (204, ""));
        assert_eq!(reply.headers["access-control-allow-origin"], origin);
        let methods = listed(&reply, "access-control-allow-methods");
        assert_eq!(methods, ["get", "head", "post"]);
        let allowed = listed(&reply, "access-control-allow-headers");
        for header in [
            "authorization",
            "content-type",
            "idempotency-key",
            "x-request-id",
        ] {
            assert!(allowed.iter().any(|one| one == header), "{allowed:?}");
        }
        assert!(!reply.request_id().is_empty());

        let reply = ask(Method::POST, origin).await;
        assert_eq!(reply.headers["access-control-allow-origin"], origin);
        let exposed = listed(&reply, "access-control-expose-headers");
        assert_eq!(exposed, ["retry-after", "x-request-id"]);
        assert!(
            !reply
                .headers
                .contains_key("access-control-allow-credentials")
        );
        reply.refused(10001);
    }
    for origin in [
        "https://other.example",
        "http://app.example",
        "null",
        "https://app.example.other",
    ] {
        for (method, http) in [(Method::OPTIONS, 405), (Method::POST, 200)] {
            let reply = ask(method, origin).await;
            assert_eq!(reply.http, http, "{origin}");
            assert!(
                !reply.headers.contains_key("access-control-allow-origin"),
                "{origin}"
            );
            let mut varies = reply.headers.get_all("vary").iter();
            let varies = varies.any(|value| value.as_bytes().eq_ignore_ascii_case(b"origin"));
            assert!(varies, "{origin}");
        }
    }
}

#[tokio::test]
async fn without_settings_no_origin_may_call_from_a_browser() {
    let system = shared_system().await;
    let client = system.client();
    let request = client
        .request(Method::OPTIONS, "/douyin/feed/")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "GET");
    let reply = client.send(request).await;
    assert!(!reply.headers.contains_key("access-control-allow-origin"));
    reply.failed(405, 10001);
}
