//! The pages of the web client: each URL gives the page, a link to a video says what it leads to, and programs get JSON where nothing is.

use reqwest::{Method, header};
use testkit::{Client, Reply, media};

use crate::{scene::publish_video, shared_system};

const PAGE: &str = "text/html; charset=utf-8";

/// As a browser asks when somebody follows a link.
async fn visit(client: &Client, path: &str) -> Reply {
    let request = client.request(Method::GET, path);
    let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    client.send(request.header(header::ACCEPT, accept)).await
}

fn assert_page(reply: &Reply, http: u16, path: &str) {
    assert_eq!(reply.http, http, "{path}");
    assert_eq!(reply.headers["content-type"], PAGE, "{path}");
    let policy = reply.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
    assert_eq!(reply.headers["cache-control"], "no-cache", "{path}");
}

#[tokio::test]
async fn every_place_gives_the_page_and_what_is_nowhere_gives_it_to_browsers_alone() {
    let system = shared_system().await;
    let client = system.client();
    let root = visit(&client, "/").await;
    for path in [
        "/u/1",
        "/u/1/likes",
        "/following",
        "/messages",
        "/messages/1",
        "/u/1/",
    ] {
        let page = visit(&client, path).await;
        assert_page(&page, 200, path);
        assert_eq!(page.text, root.text, "{path}");
        let head = client.send(client.request(Method::HEAD, path)).await;
        assert_eq!(head.http, 200, "{path}");
        let posted = client.post(path, &[]).await;
        assert_eq!(posted.headers["allow"], "GET, HEAD", "{path}");
        posted.failed(405, 10001);
    }
    for path in ["/nowhere", "/u/", "/v/1/likes", "/douyin/feeds/"] {
        assert_page(&visit(&client, path).await, 404, path);
        client.get(path, &[]).await.failed(404, 10001);
    }
}

#[tokio::test]
async fn a_link_to_a_video_carries_its_title_and_cover_and_no_code() {
    let system = shared_system().await;
    let client = system.client();
    let author = client.new_account().await;
    let title = "</title><script>alert(\"1\")</script> & 'more'";
    client
        .publish(&author.token, title, media::mp4())
        .await
        .ok();
    let works = client.works(author.user_id).await.ok();
    let video = &works["video_list"][0];
    let path = format!("/v/{}", video["id"]);
    let page = visit(&client, &path).await;
    assert_page(&page, 200, &path);
    let escaped =
        "&lt;/title&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;more&#39;";
    for expected in [
        format!("<title>{escaped}</title>"),
        format!("<meta property=\"og:title\" content=\"{escaped}\" />"),
        format!(
            "<meta property=\"og:description\" content=\"@{}\" />",
            author.name
        ),
    ] {
        assert!(page.text.contains(&expected), "{expected} in {}", page.text);
    }
    assert!(!page.text.contains("alert(\""), "{}", page.text);
    let (_, rest) = page
        .text
        .split_once("property=\"og:image\" content=\"")
        .unwrap();
    let cover = rest.split('"').next().unwrap().replace("&amp;", "&");
    let (status, headers, _) = client.fetch(&cover, None).await;
    assert_eq!(
        (status, &headers["content-type"]),
        (200, &"image/jpeg".parse().unwrap())
    );
}

#[tokio::test]
async fn a_video_that_is_deleted_or_was_never_there_is_a_page_without_a_word_of_it() {
    let system = shared_system().await;
    let client = system.client();
    let author = client.new_account().await;
    let id = publish_video(&client, &author).await.to_string();
    let query = [("token", author.token.as_str()), ("video_id", &id)];
    client.post("/douyin/publish/delete/", &query).await.ok();
    let never = visit(&client, "/v/9007199254740991").await;
    for path in [
        format!("/v/{id}"),
        "/v/0".to_owned(),
        "/v/x".to_owned(),
        "/v/99999999999999999999".to_owned(),
    ] {
        let page = visit(&client, &path).await;
        assert_page(&page, 404, &path);
        assert_eq!(page.text, never.text, "{path}");
    }
}
