//! The pages of the web client: each URL gives the same document, and the client itself shows what belongs there.
//!
//! A link to a video says what it leads to (Open Graph), for whoever shows links: its title and its cover, as a stranger sees them. What
//! no stranger sees isn't told apart from what isn't there.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use http::{HeaderMap, header};
use idl::base::Code;
use volo_http::{
    request::Request,
    response::Response,
    server::route::{Router, get},
};

use crate::{
    app::App,
    assets::Document,
    objects::Video,
    route::{READS, only},
    routes::video::video_for_viewer,
};

/// Where a video is.
const VIDEO: &str = "/v/{id}";
/// Where the document lies as it is.
const PAGES: [&str; 5] = [
    "/following",
    "/messages",
    "/messages/{id}",
    "/u/{id}",
    "/u/{id}/likes",
];

/// Adds all pages to the router.
pub fn with_pages(mut router: Router, app: &Arc<App>, document: &Arc<Document>) -> Router {
    for page in PAGES {
        let document = document.clone();
        let answer = move |request: Request| {
            let response = document.response(request.headers());
            async move { response }
        };
        for path in with_and_without_slash(page) {
            router = router.route(path, only(READS, get(answer.clone()).head(answer.clone())));
        }
    }
    let (app, document) = (app.clone(), document.clone());
    let answer = move |request: Request| video(app.clone(), document.clone(), request);
    for path in with_and_without_slash(VIDEO) {
        router = router.route(path, only(READS, get(answer.clone()).head(answer.clone())));
    }
    router
}

fn with_and_without_slash(path: &str) -> [String; 2] {
    [path.to_owned(), format!("{path}/")]
}

/// Whether the client wants a page: a browser says so when somebody follows a link, a program doesn't.
pub fn wants_page(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("text/html"))
}

async fn video(app: Arc<App>, document: Arc<Document>, request: Request) -> Response {
    let Some(id) = video_id(request.uri().path()) else {
        return document.not_found();
    };
    let limit = Duration::from_millis(app.settings.http.request_timeout_ms);
    match tokio::time::timeout(limit, video_for_viewer(&app, id, None)).await {
        Ok(Ok(video)) => {
            let title = escaped(video.title());
            document.with_title(&title, &open_graph(&video))
        }
        Ok(Err(error)) if error.code() == Code::NO_SUCH_VIDEO => document.not_found(),
        // The page itself says what is wrong, and tries again.
        Ok(Err(_)) | Err(_) => document.response(request.headers()),
    }
}

/// Ids are whole numbers from 1 up.
fn video_id(path: &str) -> Option<i64> {
    let id = path.trim_end_matches('/').rsplit('/').next()?;
    let is_plain = id.bytes().all(|byte| byte.is_ascii_digit());
    id.parse().ok().filter(|id| is_plain && *id > 0)
}

fn open_graph(video: &Video) -> String {
    let by = format!("@{}", video.author().name());
    let mut tags = String::new();
    for (property, content) in [
        ("og:type", "video.other"),
        ("og:site_name", "抖声 Dousheng"),
        ("og:title", video.title()),
        ("og:description", &by),
        ("og:image", video.cover_url()),
        ("twitter:card", "summary_large_image"),
    ] {
        let content = escaped(content);
        // Writing to a String doesn't fail.
        let _ = write!(
            tags,
            "<meta property=\"{property}\" content=\"{content}\" />"
        );
    }
    tags
}

/// A text as it stands in HTML, between tags and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(character),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_can_not_become_code() {
        assert_eq!(
            escaped("</title><script>alert('a' & \"b\")</script>"),
            "&lt;/title&gt;&lt;script&gt;alert(&#39;a&#39; &amp; &quot;b&quot;)&lt;/script&gt;"
        );
        let tags = open_graph(&Video::example());
        assert!(
            tags.contains("<meta property=\"og:title\" content=\"My first film\" />"),
            "{tags}"
        );
        assert!(tags.contains("videos/1.jpg"), "{tags}");
    }

    #[test]
    fn only_an_id_names_a_video() {
        for (path, id) in [
            ("/v/7", Some(7)),
            ("/v/7/", Some(7)),
            ("/v/0", None),
            ("/v/-7", None),
            ("/v/+7", None),
            ("/v/x", None),
            ("/v/", None),
            ("/v/99999999999999999999", None),
        ] {
            assert_eq!(video_id(path), id, "{path}");
        }
    }

    #[test]
    fn a_browser_wants_a_page_and_a_program_does_not() {
        for (accept, wants) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", true),
            ("*/*", false),
            ("application/json", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(wants_page(&headers), wants, "{accept}");
        }
        assert!(!wants_page(&HeaderMap::new()));
    }
}
