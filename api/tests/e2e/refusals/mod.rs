//! A refusal reaches the client: whatever it is refused for, whoever sends it, and however slowly.

mod chromium;
mod clients;

use std::{
    io::{Seek as _, SeekFrom, Write as _},
    path::PathBuf,
    time::Duration,
};

use futures::future::join_all;
use testkit::{Account, System, TcpProxy, eventually, media, token_of};

use clients::{Client, Framing};

/// What is uploaded in vain.
const SIZE: u64 = 60 << 20;
/// And over a slow link: less, so that it takes seconds; and more than the buffers on its way hold.
const SIZE_OF_SLOW: u64 = 12 << 20;
/// Bytes a second of a slow link.
const SLOW: u32 = 1 << 20;
/// How a film begins, and what only looks like one.
const MP4: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";
const AVI: &[u8] = b"RIFF\0\0\0\x04AVI LIST";
const BOUNDARY: &str = "the-boundary-of-the-tests";

/// What is wrong with an upload.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    BadToken,
    ExpiredToken,
    NoVideo,
    TitleTooLong,
    LimitReached,
}

impl Refusal {
    const ALL: [Self; 5] = [
        Self::BadToken,
        Self::ExpiredToken,
        Self::NoVideo,
        Self::TitleTooLong,
        Self::LimitReached,
    ];

    /// How the file begins.
    fn begin(self) -> &'static [u8] {
        match self {
            Self::NoVideo => AVI,
            _ => MP4,
        }
    }

    /// HTTP status and `status_code`.
    fn outcome(self) -> (u16, i64) {
        match self {
            Self::BadToken | Self::ExpiredToken => (200, 10003),
            Self::NoVideo => (200, 10010),
            Self::TitleTooLong => (200, 10001),
            Self::LimitReached => (429, 10012),
        }
    }
}

/// One upload, as a client is told to send it.
#[derive(Debug, Clone)]
struct Upload {
    file: PathBuf,
    content_type: String,
    bearer: Option<String>,
    framing: Framing,
    expect: bool,
}

/// How often a case is sent again after a 503 or 504. On a busy machine a call of the API may time out; that refusal has arrived, but it isn't
/// the one that is tested.
const MORE_TRIES: usize = 2;

/// A system, and who may not upload to it.
struct Scene {
    system: System,
    /// Has no byte left of its quota.
    exhausted: Account,
    expired: String,
    files: tempfile::TempDir,
}

impl Scene {
    async fn set() -> Self {
        let system = System::builder()
            // An upload begins while anything is left: everybody may try once.
            .set("limits.upload_bytes_per_user_day", 1)
            .start()
            .await;
        let client = system.client();
        let expired = token_of(1, Duration::ZERO);
        let exhausted = client.new_account().await;
        let last = client.publish(&exhausted.token, "The last", media::mp4());
        last.await.ok();
        eventually(Duration::from_secs(60), "an expired token", async || {
            let reply = client.get("/douyin/user/", &[("token", &expired)]).await;
            (reply.code() == 10003).then_some(())
        })
        .await;
        Self {
            system,
            exhausted,
            expired,
            files: tempfile::tempdir().unwrap(),
        }
    }

    /// An upload that is refused for this, with a file of so many bytes.
    async fn upload(&self, refusal: Refusal, size: u64, framing: Framing, expect: bool) -> Upload {
        let somebody = async || self.system.client().new_account().await.token;
        // What is in the header is known before the body, what is in a part when that has come.
        let (bearer, token) = match refusal {
            Refusal::BadToken => (Some("not.a.token".to_owned()), None),
            Refusal::ExpiredToken => (None, Some(self.expired.clone())),
            Refusal::NoVideo => (None, Some(somebody().await)),
            Refusal::TitleTooLong => (Some(somebody().await), None),
            Refusal::LimitReached => (Some(self.exhausted.token.clone()), None),
        };
        let form = tempfile::NamedTempFile::new_in(&self.files).unwrap();
        let (mut form, file) = form.keep().unwrap();
        let title = "x".repeat(match refusal {
            Refusal::TitleTooLong => 101,
            _ => 100,
        });
        let mut parts = vec![("title", title)];
        parts.extend(token.map(|token| ("token", token)));
        for (name, text) in parts {
            write!(
                form,
                "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n"
            )
            .unwrap();
        }
        write!(form, "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"data\"; filename=\"film\"\r\n\r\n").unwrap();
        form.write_all(refusal.begin()).unwrap();
        // The rest is zeros that take no room on the disk.
        form.seek(SeekFrom::Start(size)).unwrap();
        write!(form, "\r\n--{BOUNDARY}--\r\n").unwrap();
        Upload {
            file,
            content_type: format!("multipart/form-data; boundary={BOUNDARY}"),
            bearer,
            framing,
            expect,
        }
    }

    /// Whether the client sees the outcome; else what it saw.
    async fn reaches(
        &self,
        base: &str,
        client: Client,
        refusal: Refusal,
        upload: Upload,
    ) -> Result<(), String> {
        let (status, code) = refusal.outcome();
        let mut seen = client.send(base, &upload).await;
        for _ in 0..MORE_TRIES {
            if matches!(seen, Ok((503 | 504, _))) {
                seen = client.send(base, &upload).await;
            }
        }
        std::fs::remove_file(&upload.file).unwrap();
        match seen {
            Ok((http, body)) if http == status && body["status_code"] == code => Ok(()),
            seen => Err(format!(
                "{client:?}, {refusal:?}, {:?}, expect {}: {seen:?}",
                upload.framing, upload.expect
            )),
        }
    }
}

#[tokio::test]
async fn each_client_sees_why_its_upload_is_refused() {
    let scene = &Scene::set().await;
    let send_all = |client: Client| async move {
        let mut failures = Vec::new();
        for refusal in Refusal::ALL {
            for framing in [Framing::Length, Framing::Chunked] {
                for expect in [false, true] {
                    let upload = scene.upload(refusal, SIZE, framing, expect).await;
                    let base = scene.system.http();
                    failures.extend(scene.reaches(base, client, refusal, upload).await.err());
                }
            }
        }
        failures
    };
    // One client after the other: each keeps two processors busy.
    let mut failures = Vec::new();
    for client in Client::all().await {
        failures.extend(send_all(client).await);
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[tokio::test]
async fn each_client_sees_over_a_slow_link_why_its_upload_is_refused() {
    let scene = Scene::set().await;
    let address = scene.system.http().trim_start_matches("http://");
    let proxy = TcpProxy::slow(address, SLOW).await;
    let base = format!("http://{}", proxy.address());
    let mut cases = Vec::new();
    for client in Client::all().await {
        for (refusal, framing, expect) in [
            (Refusal::BadToken, Framing::Length, false),
            (Refusal::ExpiredToken, Framing::Chunked, false),
            (Refusal::NoVideo, Framing::Length, true),
        ] {
            let upload = scene.upload(refusal, SIZE_OF_SLOW, framing, expect).await;
            cases.push((client, refusal, upload));
        }
    }
    let sent = cases
        .into_iter()
        .map(|(client, refusal, upload)| scene.reaches(&base, client, refusal, upload));
    let failures: Vec<String> = join_all(sent)
        .await
        .into_iter()
        .filter_map(Result::err)
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
}
