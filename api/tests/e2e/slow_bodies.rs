//! Slow senders and crowds of connections: they are cut, or make room for others.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use reqwest::multipart::{Form, Part};
use serde_json::Value;
use testkit::{Account, Client, Metrics, System, eventually, media};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

use crate::{store::assert_empty_soon, system_builder};

/// Enough for anything that is to happen soon, on a busy machine.
pub const SOON: Duration = Duration::from_secs(60);
const MAX_CONNECTIONS: usize = 50;
const SLOTS: usize = 8;
/// Longer than a test: it isn't the pace that helps.
pub const LONG_S: u64 = 600;
const DRIP_INTERVAL: Duration = Duration::from_millis(300);
/// A file begins, and no token has come.
pub const FILE_FIRST: &str =
    "--b\r\ncontent-disposition: form-data; name=\"data\"; filename=\"film.mp4\"\r\n\r\n";
const TITLE: &str = "--b\r\ncontent-disposition: form-data; name=\"title\"\r\n\r\nSlow\r\n";

/// The head of an upload.
pub fn head(query: &str, headers: &str) -> String {
    format!(
        "POST /douyin/publish/action/{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 1000000\r\n{headers}\r\n"
    )
}

/// From a loopback address of its own.
pub async fn connect(to: SocketAddr, from: Ipv4Addr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

pub fn host(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, last)
}

/// Sends `begin`, then a byte now and then until it is cut; drips no more when the set is dropped.
pub async fn drip(drips: &mut JoinSet<()>, to: SocketAddr, from: Ipv4Addr, begin: String) {
    let mut stream = connect(to, from).await;
    // One that was cut already is as good.
    let _ = stream.write_all(begin.as_bytes()).await;
    drips.spawn(async move {
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(DRIP_INTERVAL).await;
        }
    });
}

/// Drips, and begins anew whenever it is cut.
pub fn keep_dripping(drips: &mut JoinSet<()>, to: SocketAddr, from: Ipv4Addr, begin: String) {
    drips.spawn(async move {
        loop {
            let mut stream = connect(to, from).await;
            let mut sent = stream.write_all(begin.as_bytes()).await;
            while sent.is_ok() {
                tokio::time::sleep(DRIP_INTERVAL).await;
                sent = stream.write_all(b"x").await;
            }
        }
    });
}

/// What comes until the other side closes: its status and JSON.
pub async fn reply(stream: &mut TcpStream) -> (String, Value) {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(SOON, stream.read_to_end(&mut bytes));
    // What came before a reset is the reply all the same.
    let _ = read.await.expect("a reply in time");
    let text = String::from_utf8_lossy(&bytes);
    let json = text.find('{').map_or("", |start| &text[start..]);
    let status = text.split(' ').nth(1).unwrap_or_default().to_owned();
    (status, serde_json::from_str(json).unwrap_or_default())
}

async fn used(system: &System, semaphore: &str) -> usize {
    let metrics = Metrics::of(system.api()).await;
    metrics.sum("semaphore_permits_used", &[("semaphore", semaphore)]) as usize
}

pub async fn until_used(system: &System, semaphore: &str, count: usize) {
    eventually(SOON, &format!("{count} {semaphore}"), async || {
        (used(system, semaphore).await >= count).then_some(())
    })
    .await;
}

/// Whoever comes now is served, on a connection of their own.
pub async fn serves(system: &System, account: &Account) {
    for _ in 0..3 {
        assert_eq!(system.client().get("/healthz", &[]).await.http, 200);
        system.client().feed(&[]).await.ok();
        let client = system.client();
        client
            .publish(&account.token, "Honest", media::mp4())
            .await
            .ok();
    }
}

/// From which address the client with this number comes.
type AddressOf = fn(u8) -> Ipv4Addr;

#[tokio::test]
async fn more_dripping_uploads_than_places_leave_everybody_else_served() {
    let system = system_builder()
        .set("http.max_connections", MAX_CONNECTIONS)
        .set("http.admission_timeout_s", LONG_S)
        .start()
        .await;
    let account = system.client().new_account().await;
    let to = system.api().address().await;
    let cases: [(&str, AddressOf); 2] = [
        ("one address", |_| host(2)),
        ("as many addresses", |n| host(10 + n)),
    ];
    for (what, address) in cases {
        let mut drips = JoinSet::new();
        for n in 0..MAX_CONNECTIONS + 5 {
            let from = address(u8::try_from(n).unwrap());
            drip(&mut drips, to, from, head("", "")).await;
        }
        println!("{what}");
        until_used(&system, "connections", MAX_CONNECTIONS).await;
        serves(&system, &account).await;
        // Those that are still closing would take places of the next case.
        drips.shutdown().await;
        eventually(SOON, "connections that are closed", async || {
            (used(&system, "connections").await <= MAX_CONNECTIONS / 10).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_its_client_with_the_most_places_gives_one_up() {
    let system = system_builder()
        .set("http.max_connections", MAX_CONNECTIONS)
        .set("http.admission_timeout_s", LONG_S)
        .set("http.min_body_rate_after_s", LONG_S)
        .set("upload.stall_timeout_s", LONG_S)
        .set("http.trusted_proxies", "127.0.0.9")
        .start()
        .await;
    let account = system.client().new_account().await;
    let to = system.api().address().await;
    // Older than all others, so that it would be the first to go if they were one client.
    let mut honest = connect(to, host(9)).await;
    let body = [TITLE, FILE_FIRST].concat().into_bytes();
    let token = format!(
        "\r\n--b\r\ncontent-disposition: form-data; name=\"token\"\r\n\r\n{}",
        account.token
    );
    let body = [&body[..], &media::mp4(), token.as_bytes(), b"\r\n--b--\r\n"].concat();
    let head_of_honest =
        head("", "x-forwarded-for: 192.0.2.2\r\n").replace("1000000", &body.len().to_string());
    honest.write_all(head_of_honest.as_bytes()).await.unwrap();
    let (first, rest) = body.split_at(10);
    honest.write_all(first).await.unwrap();
    // Until its head is read, a connection is the proxy's own, as those that come next are at first.
    eventually(SOON, "a head that was read", async || {
        let metrics = Metrics::of(system.api()).await;
        (metrics.sum("uploads_in_progress", &[]) >= 1.0).then_some(())
    })
    .await;
    let mut drips = JoinSet::new();
    for _ in 0..MAX_CONNECTIONS + 5 {
        let begin = head("", "x-forwarded-for: 192.0.2.1\r\n");
        drip(&mut drips, to, host(9), begin).await;
    }
    until_used(&system, "connections", MAX_CONNECTIONS).await;
    serves(&system, &account).await;
    honest.write_all(rest).await.unwrap();
    let (status, json) = reply(&mut honest).await;
    assert_eq!((status.as_str(), &json["status_code"]), ("200", &0.into()));
}

/// Sends `begin`, then a byte every 100 ms; what comes until the other side closes.
pub async fn cut_off(to: SocketAddr, begin: &str) -> String {
    let mut stream = connect(to, host(1)).await;
    stream.write_all(begin.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let dripping = async {
        while write.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let mut bytes = Vec::new();
    let answer = async {
        let cut = tokio::time::timeout(SOON, read.read_to_end(&mut bytes));
        let _ = cut.await.expect("an end in time");
    };
    tokio::select! {
        () = answer => {}
        () = dripping => {}
    }
    let _ = read.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_body_that_drips_is_cut_before_its_token_and_after_it() {
    let system = system_builder()
        .set("http.admission_timeout_s", 2)
        .set("http.min_body_rate_after_s", 2)
        .start()
        .await;
    let account = system.client().new_account().await;
    let to = system.api().address().await;
    let bearer = format!("authorization: Bearer {}\r\n", account.token);
    let film = String::from_utf8_lossy(&media::mp4()[..12]).into_owned();
    for (case, begin) in [
        ("nothing but a preamble", head("", "")),
        ("a file without a token", head("", "") + FILE_FIRST),
        (
            "a token in a header",
            head("", &bearer) + FILE_FIRST + &film,
        ),
    ] {
        let text = cut_off(to, &begin).await;
        assert!(text.starts_with("HTTP/1.1 408"), "{case}: {text}");
    }
    assert_empty_soon(&system, "an upload that dripped").await;
}

/// An honest upload whose file comes before its token.
async fn file_first(client: &Client, account: &Account) {
    let form = Form::new()
        .part("data", Part::bytes(media::mp4()).file_name("film.mp4"))
        .text("title", "File first")
        .text("token", account.token.clone());
    client.publish_form(form).await.ok();
}

#[tokio::test]
async fn dripping_files_without_a_token_give_their_places_to_an_honest_one() {
    let system = system_builder()
        .set("upload.spool_slots", SLOTS)
        .set("http.min_body_rate_after_s", LONG_S)
        .set("upload.stall_timeout_s", LONG_S)
        .start()
        .await;
    let account = system.client().new_account().await;
    let to = system.api().address().await;
    let cases: [(&str, AddressOf); 3] = [
        ("another address", |_| host(2)),
        ("the same address", |_| host(1)),
        ("an address each", |n| host(10 + n)),
    ];
    for (what, address) in cases {
        let mut drips = JoinSet::new();
        for n in 0..SLOTS {
            let from = address(u8::try_from(n).unwrap());
            let begin = head("", "") + FILE_FIRST;
            drip(&mut drips, to, from, begin).await;
        }
        println!("{what}");
        until_used(&system, "spool", SLOTS).await;
        for _ in 0..3 {
            file_first(&system.client(), &account).await;
        }
        drop(drips);
        until_free(&system, "spool").await;
    }
}

#[tokio::test]
async fn files_that_came_whole_hold_no_place_while_the_rest_of_their_form_drips() {
    let system = system_builder()
        .set("upload.spool_slots", SLOTS)
        .set("http.min_body_rate_after_s", LONG_S)
        .set("upload.stall_timeout_s", LONG_S)
        .start()
        .await;
    let account = system.client().new_account().await;
    let to = system.api().address().await;
    let whole = head("", "") + FILE_FIRST + "a file\r\n";
    let other = "--b\r\ncontent-disposition: form-data; name=\"other\"\r\n\r\n";
    let token = format!(
        "--b\r\ncontent-disposition: form-data; name=\"token\"\r\n\r\n{}\r\n",
        account.token
    );
    let without = whole.clone() + other;
    let mut drips = JoinSet::new();
    for n in 0..SLOTS {
        let from = host(10 + u8::try_from(n).unwrap());
        drip(&mut drips, to, from, without.clone()).await;
    }
    until_used(&system, "spool", SLOTS).await;
    for _ in 0..3 {
        file_first(&system.client(), &account).await;
    }
    drips.shutdown().await;
    until_free(&system, "spool").await;

    // What plays is stored as soon as its token is there.
    let film = String::from_utf8_lossy(b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2");
    let playing = head("", "") + FILE_FIRST + &film + "\r\n" + &token + other;
    drip(&mut drips, to, host(10), playing).await;
    until_used(&system, "uploads", 1).await;
    until_free(&system, "spool").await;
}

async fn until_free(system: &System, semaphore: &str) {
    eventually(SOON, &format!("no {semaphore}"), async || {
        (used(system, semaphore).await == 0).then_some(())
    })
    .await;
}

async fn refusals(system: &System, class: &str) -> f64 {
    let metrics = Metrics::of(system.api()).await;
    metrics.sum("limit_refusals_total", &[("class", class)])
}

#[tokio::test]
async fn a_user_s_uploads_are_counted_before_a_byte_of_the_file_is_there() {
    let system = system_builder()
        .set("limits.publish_per_user", 1)
        .start()
        .await;
    let client = system.client();
    let account = client.new_account().await;
    client
        .publish(&account.token, "The only one", media::mp4())
        .await
        .ok();
    let to = system.api().address().await;
    let token_part = format!(
        "--b\r\ncontent-disposition: form-data; name=\"token\"\r\n\r\n{}\r\n--b\r\n",
        account.token
    );
    let in_query = format!("?token={}", account.token);
    for (n, begin) in [head(&in_query, ""), head("", "") + &token_part]
        .into_iter()
        .enumerate()
    {
        let mut stream = connect(to, host(1)).await;
        stream.write_all(begin.as_bytes()).await.unwrap();
        eventually(SOON, "a refusal", async || {
            (refusals(&system, "publish_user").await > n as f64).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn with_a_valid_token_the_user_s_limit_counts_and_not_the_address_s() {
    /// In a minute; more than that is asked for here with a token.
    const STRANGERS: usize = 40;
    const USER: usize = 400;
    let system = system_builder()
        .set("limits.request_per_address", STRANGERS)
        .set("limits.request_per_user", USER)
        .start()
        .await;
    let client = system.client();
    let (account, other) = (client.new_account().await, client.new_account().await);
    // Somebody at this address asks for all that strangers get here.
    while client.feed(&[]).await.http != 429 {}
    let token = ("token", account.token.as_str());
    for _ in 0..2 * STRANGERS {
        client.feed(&[token]).await.ok();
    }
    // In a form, too.
    let form = [token, ("video_id", "999999999"), ("action_type", "1")];
    for _ in 0..2 * STRANGERS {
        let like = client.post_form("/douyin/favorite/action/", &form).await;
        like.refused(10007);
    }
    client
        .publish(&account.token, "Mine", media::mp4())
        .await
        .ok();

    // A token that isn't valid is a stranger's, wherever it is.
    while client.feed(&[("token", "forged")]).await.http != 429 {}
    let forged = [("token", "forged"), ("video_id", "1"), ("action_type", "1")];
    let like = async || client.post_form("/douyin/favorite/action/", &forged).await;
    while like().await.http != 429 {}

    // And a user has a limit, whatever the address.
    let mut asked = 0;
    while client.feed(&[token]).await.http != 429 {
        asked += 1;
        assert!(asked < 100 * USER, "for ever");
    }
    client.feed(&[("token", &other.token)]).await.ok();
}
