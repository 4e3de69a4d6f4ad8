//! Chromium: a script's fetch, and the page as a person uses it. `web/test/refusals.mjs` drives both.

use std::{fs::File, io::Write as _, path::PathBuf};

use serde_json::{Value, json};
use testkit::TcpProxy;

use super::{Refusal, SIZE, SIZE_OF_SLOW, SLOW, Scene};
use crate::browser;

/// How Chromium is made to upload.
#[derive(Debug, Clone, Copy)]
enum How {
    Fetch,
    Page,
}

impl Scene {
    async fn in_browser(&self, base: &str, how: How, refusal: Refusal, size: u64) -> Value {
        let (http, code) = refusal.outcome();
        let bearer = match refusal {
            Refusal::BadToken => "not.a.token".to_owned(),
            Refusal::ExpiredToken => self.expired.clone(),
            Refusal::LimitReached => self.exhausted.token.clone(),
            Refusal::NoVideo | Refusal::TitleTooLong => {
                self.system.client().new_account().await.token
            }
        };
        let title = match refusal {
            Refusal::TitleTooLong => "x".repeat(101),
            _ => "A film".to_owned(),
        };
        json!({
            "name": format!("{how:?}, {refusal:?}, {size} bytes"),
            "how": match how {
                How::Fetch => "fetch",
                How::Page => "page",
            },
            "base": base,
            "bearer": bearer,
            "fields": [["title", title]],
            "title": title,
            "begin": refusal.begin(),
            "size": size,
            "file": self.film(refusal, size),
            "http": http,
            "code": code,
        })
    }

    /// A file to choose; its zeros take no room on the disk.
    fn film(&self, refusal: Refusal, size: u64) -> PathBuf {
        let name = match refusal {
            Refusal::NoVideo => "film.avi",
            _ => "film.mp4",
        };
        let path = self.files.path().join(format!("{size}-{name}"));
        let mut file = File::create(&path).unwrap();
        file.write_all(refusal.begin()).unwrap();
        file.set_len(size).unwrap();
        path
    }
}

#[tokio::test]
async fn a_browser_shows_why_its_upload_is_refused() {
    if !browser::is_there() {
        return;
    }
    let scene = Scene::set().await;
    let base = scene.system.http();
    let proxy = TcpProxy::slow(base.trim_start_matches("http://"), SLOW).await;
    let slow = format!("http://{}", proxy.address());
    let mut groups = Vec::new();
    for how in [How::Fetch, How::Page] {
        let mut one_by_one = Vec::new();
        for refusal in Refusal::ALL {
            one_by_one.push(scene.in_browser(base, how, refusal, SIZE).await);
        }
        groups.push(one_by_one);
        for refusal in [Refusal::ExpiredToken, Refusal::NoVideo] {
            groups.push(vec![
                scene.in_browser(&slow, how, refusal, SIZE_OF_SLOW).await,
            ]);
        }
    }
    let cases = serde_json::to_string(&groups).unwrap();
    let output = browser::drive("refusals.mjs", &[("CASES", cases.as_ref())]).await;
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(printed.is_empty(), "{printed}");
}
