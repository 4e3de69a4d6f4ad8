//! Uploads whose connection breaks or stalls: nothing of them is kept.

use std::time::Duration;

use testkit::{System, eventually, media};

use crate::{
    MAX_UPLOAD,
    raw::Raw,
    store::{assert_empty, assert_empty_soon},
    system_builder,
};

const PATH: &str = "/douyin/publish/action/";

/// How an upload is sent until it breaks off.
#[derive(Debug, Clone, Copy)]
struct Upload<'a> {
    /// In the query; without it the file waits for its token.
    token: Option<&'a str>,
    chunked: bool,
    size: usize,
}

impl Upload<'_> {
    /// Sends the head and half of the body.
    async fn send_half(self, system: &System) -> Raw {
        let mut body = b"--b\r\ncontent-disposition: form-data; name=\"title\"\r\n\r\nHalf\r\n--b\r\ncontent-disposition: form-data; name=\"data\"; filename=\"film.mp4\"\r\ncontent-type: video/mp4\r\n\r\n".to_vec();
        body.extend(media::mp4_of_size(self.size));
        body.extend(b"\r\n--b--\r\n");
        let query = self
            .token
            .map(|token| format!("?token={token}"))
            .unwrap_or_default();
        let length = match self.chunked {
            true => "transfer-encoding: chunked".to_owned(),
            false => format!("content-length: {}", body.len()),
        };
        let head = format!(
            "POST {PATH}{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: multipart/form-data; boundary=b\r\n{length}\r\n\r\n"
        );
        let mut raw = Raw::connect(system.http()).await;
        raw.send(head.as_bytes()).await;
        for piece in body[..body.len() / 2].chunks(64 << 10) {
            match self.chunked {
                true => raw.send_chunk(piece).await,
                false => raw.send(piece).await,
            }
        }
        raw
    }
}

/// The key of an upload in parts, as soon as the store knows it.
async fn open_upload(system: &System) -> String {
    eventually(Duration::from_secs(10), "an upload in parts", async || {
        let begun = "SELECT object_key FROM uploads";
        for key in system.database().column::<String>(begun).await {
            if system.bucket().has_open_upload(&key).await {
                return Some(key);
            }
        }
        None
    })
    .await
}

#[tokio::test]
async fn an_upload_that_breaks_off_half_way_leaves_nothing() {
    let system = system_builder().start().await;
    let account = system.client().new_account().await;
    for token in [Some(account.token.as_str()), None] {
        for chunked in [false, true] {
            // One PUT; and several parts, of which some are in the store when it breaks.
            for size in [200_000, MAX_UPLOAD] {
                let upload = Upload {
                    token,
                    chunked,
                    size,
                };
                let case = format!("{upload:?}");
                let mut raw = upload.send_half(&system).await;
                if token.is_some() && size == MAX_UPLOAD {
                    open_upload(&system).await;
                }
                // Closed for writing: the server may still answer, and says why.
                raw.finish().await;
                assert_empty_soon(&system, &format!("a closed {case}")).await;
                drop(raw);
                // Gone altogether.
                drop(upload.send_half(&system).await);
                assert_empty_soon(&system, &format!("a lost {case}")).await;
            }
        }
    }
    system
        .client()
        .publish(&account.token, "Whole", media::mp4())
        .await
        .ok();
}

#[tokio::test]
async fn an_upload_that_stands_still_is_cut() {
    let system = system_builder()
        .set("upload.stall_timeout_s", 2)
        .start()
        .await;
    let account = system.client().new_account().await;
    for chunked in [false, true] {
        let upload = Upload {
            token: Some(&account.token),
            chunked,
            size: MAX_UPLOAD,
        };
        let mut raw = upload.send_half(&system).await;
        let (_, body) = raw.reply().await;
        assert_eq!(body["status_code"], 10001, "{body}");
        assert_empty(&system, "a stalled upload").await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_its_film_is_judged_leaves_whole_films_or_nothing() {
    let system = system_builder().start().await;
    let account = system.client().new_account().await;
    let mut whole = b"--b\r\ncontent-disposition: form-data; name=\"title\"\r\n\r\nGone\r\n--b\r\ncontent-disposition: form-data; name=\"data\"; filename=\"film.mp4\"\r\n\r\n".to_vec();
    whole.extend(media::text());
    whole.extend(b"\r\n--b--\r\n");
    let head = format!(
        "POST {PATH}?token={} HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: {}\r\n\r\n",
        account.token,
        whole.len()
    );
    for _ in 0..5 {
        let mut raw = Raw::connect(system.http()).await;
        raw.send(head.as_bytes()).await;
        raw.send(&whole).await;
        drop(raw);
    }
    assert_empty_soon(&system, "a refused film whose client had left").await;
}

#[tokio::test]
async fn what_a_killed_api_leaves_in_the_store_is_told_by_a_row() {
    let system = system_builder().start().await;
    let account = system.client().new_account().await;
    let upload = Upload {
        token: Some(&account.token),
        chunked: true,
        size: MAX_UPLOAD,
    };
    let raw = upload.send_half(&system).await;
    let key = open_upload(&system).await;
    system.api().kill9();
    drop(raw);
    let row = format!(
        "SELECT COUNT(*) FROM uploads WHERE object_key = '{key}' AND upload_id <> '' AND author_id = {}",
        account.user_id
    );
    // The video service writes the id right after the store has given it; only the API is dead.
    eventually(
        Duration::from_secs(5),
        "the row with key and upload id",
        async || (system.database().value::<i64>(&row).await == 1).then_some(()),
    )
    .await;
}
