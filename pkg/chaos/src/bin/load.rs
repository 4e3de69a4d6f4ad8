//! Load generator: mixed reads and writes over HTTP at a fixed rate, against a running system. Prints how many requests failed.
//!
//!     load RATE SECONDS        requests a second, for at most so many seconds; SIGTERM ends it earlier and prints the results
//!
//! DOUSHENG_URL is the API (default http://127.0.0.1:8080); only loopback addresses are accepted. DOUSHENG_KILLS is a file with the times
//! at which processes were killed, in ms since 1970: a line "before after" for each. Only a write that was under way at such a time may
//! fail.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a tool of the tests: it may fail loudly"
)]

use std::{
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rand::Rng as _;
use reqwest::Method;
use testkit::{Account, Client, media};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
    time::MissedTickBehavior,
};

/// Accounts that ask.
const USERS: usize = 20;
/// Videos that are liked and commented.
const VIDEOS: usize = 5;
/// Requests under way at most; above it the system is too slow for the rate, which counts as a failure.
const IN_FLIGHT: usize = 1_000;

struct Load {
    client: Client,
    accounts: Vec<Account>,
    videos: Vec<i64>,
    reads: Tally,
    writes: Tally,
    latencies_us: Mutex<Vec<u64>>,
}

#[derive(Default)]
struct Tally {
    sent: AtomicU64,
    /// Begin and end of those that failed, in ms since 1970.
    failed: Mutex<Vec<(u64, u64)>>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse().ok())
        .collect();
    let &[rate @ 1..=10_000, seconds @ 1..=3_600] = &numbers[..] else {
        eprintln!("load RATE SECONDS: 1 to 10000 requests a second, 1 to 3600 seconds");
        return ExitCode::FAILURE;
    };
    let url = std::env::var("DOUSHENG_URL").unwrap_or_else(|_| "http://127.0.0.1:8080".to_owned());
    assert!(
        url.starts_with("http://127."),
        "DOUSHENG_URL: only a loopback address is ever loaded"
    );
    let load = Arc::new(Load::prepare(&url).await);
    println!(
        "load: {} users, {} videos, {rate} requests/s",
        load.accounts.len(),
        load.videos.len()
    );
    load.clone().run(rate, Duration::from_secs(seconds)).await;
    if load.report(&kills()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Load {
    async fn prepare(url: &str) -> Self {
        let client = Client::new(url);
        let mut accounts = Vec::new();
        for _ in 0..USERS {
            accounts.push(client.new_account().await);
        }
        for account in &accounts[..VIDEOS] {
            client
                .publish(&account.token, "load", media::mp4())
                .await
                .ok();
        }
        let mut videos = Vec::new();
        for account in &accounts[..VIDEOS] {
            let works = client.works(account.user_id).await.ok();
            let works = works["video_list"].as_array().expect("a list of works");
            videos.extend(works.iter().filter_map(|video| video["id"].as_i64()));
        }
        let (reads, writes) = Default::default();
        Self {
            client,
            accounts,
            videos,
            reads,
            writes,
            latencies_us: Mutex::default(),
        }
    }

    async fn run(self: Arc<Self>, rate: u64, limit: Duration) {
        let slots = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut tick = tokio::time::interval(Duration::from_nanos(1_000_000_000 / rate));
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut stop = signal(SignalKind::terminate()).expect("signals");
        let end = tokio::time::sleep(limit);
        tokio::pin!(end);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                _ = stop.recv() => break,
                () = &mut end => break,
            }
            let load = self.clone();
            match slots.clone().try_acquire_owned() {
                Ok(slot) => drop(tokio::spawn(async move {
                    load.request().await;
                    drop(slot);
                })),
                Err(_) => load
                    .reads
                    .count(now_ms(), Err("too many requests under way".to_owned())),
            }
        }
        // Every slot back: nothing is under way any more.
        let _ = slots.acquire_many(IN_FLIGHT as u32).await;
    }

    /// Seven reads to three writes, as a page that is looked at and now and then liked.
    async fn request(&self) {
        let (kind, user, video) = {
            let mut random = rand::rng();
            (
                random.random_range(0..10),
                &self.accounts[random.random_range(0..self.accounts.len())],
                self.videos[random.random_range(0..self.videos.len())],
            )
        };
        let (token, id) = (user.token.as_str(), user.user_id);
        let (start, begun_ms) = (Instant::now(), now_ms());
        let (method, tally, path) = match kind {
            0..3 => (Method::GET, &self.reads, format!("feed/?token={token}")),
            3 => (
                Method::GET,
                &self.reads,
                format!("user/?user_id={id}&token={token}"),
            ),
            4 => (
                Method::GET,
                &self.reads,
                format!("publish/list/?user_id={id}"),
            ),
            5 => (
                Method::GET,
                &self.reads,
                format!("favorite/list/?user_id={id}&token={token}"),
            ),
            6 => (
                Method::GET,
                &self.reads,
                format!("comment/list/?video_id={video}"),
            ),
            7 | 8 => (
                Method::POST,
                &self.writes,
                format!(
                    "favorite/action/?token={token}&video_id={video}&action_type={}",
                    kind - 6
                ),
            ),
            _ => (
                Method::POST,
                &self.writes,
                format!(
                    "comment/action/?token={token}&video_id={video}&action_type=1&comment_text=load"
                ),
            ),
        };
        let request = self.client.request(method, &format!("/douyin/{path}"));
        tally.count(begun_ms, self.send(request).await);
        let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.latencies_us
            .lock()
            .expect("no panic holds it")
            .push(micros);
    }

    /// A failure is what a client can't mend: no answer, or an outcome of ours.
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<(), String> {
        let reply = request
            .timeout(Duration::from_secs(15))
            .send()
            .await
            .map_err(reason)?;
        let status = reply.status();
        let body: serde_json::Value = reply.json().await.map_err(reason)?;
        match body["status_code"].as_i64() {
            Some(code) if code < 20_000 && status.as_u16() == 200 => Ok(()),
            code => Err(format!(
                "HTTP {status}, status_code {code:?}, {}",
                body["status_msg"]
            )),
        }
    }

    /// Prints the figures; whether nothing failed but writes that were under way at a kill.
    fn report(&self, kills: &[(u64, u64)]) -> bool {
        let at_a_kill = |&&(begin, end): &&(u64, u64)| {
            let mut kills = kills.iter();
            kills.any(|&(before, after)| begin <= after && before <= end)
        };
        let (reads, writes) = (self.reads.failed(), self.writes.failed());
        for (name, tally, failed) in [
            ("reads", &self.reads, &reads),
            ("writes", &self.writes, &writes),
        ] {
            let sent = tally.sent.load(Ordering::Relaxed);
            print!("load: {name:<6} {sent:>7} sent {:>5} failed", failed.len());
            match failed.iter().filter(at_a_kill).count() {
                0 => println!(),
                under_way => println!(", {under_way} of them under way at a kill"),
            }
        }
        let mut latencies = self.latencies_us.lock().expect("no panic holds it");
        latencies.sort_unstable();
        let quantile = |q: f64| {
            latencies
                .get(((latencies.len() as f64) * q) as usize)
                .map_or(0, |us| us / 1000)
        };
        println!(
            "load: latency p50 {} ms, p99 {} ms, longest {} ms",
            quantile(0.5),
            quantile(0.99),
            quantile(0.999_999)
        );
        reads.is_empty() && writes.iter().all(|write| at_a_kill(&write))
    }
}

/// Of a request that failed, without its address, which has the token.
fn reason(error: reqwest::Error) -> String {
    format!("{:?}", error.without_url())
}

impl Tally {
    fn count(&self, begun_ms: u64, result: Result<(), String>) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        if let Err(reason) = result {
            let mut failed = self.failed.lock().expect("no panic holds it");
            failed.push((begun_ms, now_ms()));
            // The first few tell what is wrong.
            if failed.len() <= 10 {
                eprintln!("load: failed: {reason}");
            }
        }
    }

    fn failed(&self) -> Vec<(u64, u64)> {
        self.failed.lock().expect("no panic holds it").clone()
    }
}

/// The moments at which processes were killed meanwhile.
fn kills() -> Vec<(u64, u64)> {
    let file = std::env::var("DOUSHENG_KILLS").unwrap_or_default();
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let times = |line: &str| {
        let (before, after) = line.split_once(' ')?;
        Some((before.parse().ok()?, after.parse().ok()?))
    };
    text.lines().filter_map(times).collect()
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.expect("after 1970").as_millis()).expect("a time of today")
}
