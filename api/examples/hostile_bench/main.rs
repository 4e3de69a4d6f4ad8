//! What the hostile do to the others: another user's feed p99 under each attack, as a ratio to the undisturbed one measured right
//! before it; what memory the API takes; and whether the time of a login tells if a name is known.
//!
//! Wants the servers of the tests; starts systems of its own, with the work factor and the bounds of development and limits that
//! nobody reaches: what is measured is what happens to those whom no limit stops. Everything is sent to this machine, and ends by
//! itself. About 5 minutes; only some attacks: words of their names as arguments.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod attacks;
mod uploads;

use std::time::{Duration, Instant};

use reqwest::multipart::{Form, Part};
use testkit::{Account, Client, Process, System, media};
use tokio::time::{MissedTickBehavior, interval};

use attacks::Attack;

/// For the undisturbed feed, and for the feed under an attack: longer than the slowest may be slow.
const BEFORE: Duration = Duration::from_secs(5);
const DURING: Duration = Duration::from_secs(15);
/// Until an attack is in full swing, and until the last one is over.
const SETTLE: Duration = Duration::from_secs(1);
/// Between two requests of the other user, who waits for no answer before the next.
const PERIOD: Duration = Duration::from_millis(20);
/// And between two of that user's uploads.
const UPLOAD_PERIOD: Duration = Duration::from_secs(1);
/// Logins of each kind.
const LOGINS: usize = 300;
/// The highest that the settings take, per minute: far more than is tried here.
const NO_LIMIT: u64 = 1_000_000;

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_asked_for =
        |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    let mut scene: Option<Scene> = None;
    let mut has_heading = false;
    for attack in attacks::ALL {
        if !is_asked_for(attack.name) {
            continue;
        }
        // One of other settings ends before the next begins.
        let known = scene
            .take()
            .filter(|known| known.max_connections == attack.max_connections);
        let scene = scene.insert(match known {
            Some(known) => known,
            None => Scene::set(attack.max_connections).await,
        });
        if !has_heading {
            if words.is_empty() {
                logins(&scene.system.client(), &scene.user).await;
            }
            println!(
                "\n| attack | feed p99, undisturbed | under attack | ratio | API's memory at most | not answered |"
            );
            println!("|---|---|---|---|---|---|");
            has_heading = true;
        }
        scene.measure(&attack).await;
    }
}

/// A system that is attacked, and the other user.
struct Scene {
    max_connections: Option<u32>,
    system: System,
    user: Account,
}

impl Scene {
    async fn set(max_connections: Option<u32>) -> Self {
        let mut builder = System::builder()
            .set("auth.bcrypt_cost", 10)
            .set("mysql.max_connections", 32);
        if let Some(most) = max_connections {
            builder = builder.set("http.max_connections", most);
        }
        for limit in [
            "login_per_address",
            "login_per_name",
            "register_per_address",
            "publish_per_address",
            "publish_per_user",
            "request_per_address",
            "request_per_user",
        ] {
            builder = builder.set(&format!("limits.{limit}"), NO_LIMIT);
        }
        let system = builder.start().await;
        assert!(
            system.http().starts_with("http://127."),
            "only this machine is ever attacked"
        );
        let client = system.client();
        let user = client.new_account().await;
        for n in 0..30 {
            let title = format!("Film {n}");
            client.publish(&user.token, &title, media::mp4()).await.ok();
        }
        Self {
            max_connections,
            system,
            user,
        }
    }

    /// A row of the table.
    async fn measure(&self, attack: &Attack) {
        let Self { system, user, .. } = self;
        let before = feed(system, user, BEFORE).await;
        assert_eq!(before.failed, 0, "the undisturbed feed failed");
        let api = system.api();
        forget_memory_peak(api);
        let running = (attack.begin)(system).await;
        tokio::time::sleep(SETTLE).await;
        let (during, (published, refused)) = tokio::join!(
            feed(system, user, DURING),
            uploads_of_another(system, user, attack.with_uploads),
        );
        running.end().await;
        let memory = memory_peak_mib(api);
        tokio::time::sleep(SETTLE).await;
        let failed = during.failed + refused;
        println!(
            "| {} | {:.1} ms | {:.1} ms | {:.1} | {memory} MiB | {failed} of {} |",
            attack.name,
            before.p99_ms(),
            during.p99_ms(),
            during.p99_ms() / before.p99_ms(),
            failed + during.took.len() + published,
        );
    }
}

/// Uploads of the other user whose file comes before its token, for as long as the attack is measured: published, and refused.
async fn uploads_of_another(system: &System, user: &Account, wanted: bool) -> (usize, usize) {
    let (mut published, mut refused) = (0, 0);
    let begun = Instant::now();
    let mut tick = interval(UPLOAD_PERIOD);
    while wanted && begun.elapsed() < DURING {
        tick.tick().await;
        let form = Form::new()
            .part("data", Part::bytes(media::mp4()).file_name("film.mp4"))
            .text("title", "Another")
            .text("token", user.token.clone());
        match system.client().publish_form(form).await.try_code() {
            Some(0) => published += 1,
            _ => refused += 1,
        }
    }
    (published, refused)
}

/// From now on the highest resident memory is that of what comes (proc(5), clear_refs).
fn forget_memory_peak(process: &Process) {
    let path = format!("/proc/{}/clear_refs", process.pid());
    std::fs::write(&path, "5").unwrap_or_else(|error| panic!("{path}: {error}"));
}

/// The highest resident memory since then.
fn memory_peak_mib(process: &Process) -> u64 {
    let path = format!("/proc/{}/status", process.pid());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() / 1024
}

/// Feed pages that somebody saw, in time.
#[derive(Default)]
struct Seen {
    took: Vec<Duration>,
    failed: usize,
}

impl Seen {
    fn p99_ms(&self) -> f64 {
        percentile(&self.took, 99).as_secs_f64() * 1000.0
    }
}

/// The feed of `user`, at a steady pace.
async fn feed(system: &System, user: &Account, time: Duration) -> Seen {
    let client = system.client();
    let mut tick = interval(PERIOD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let begun = Instant::now();
    let mut requests = tokio::task::JoinSet::new();
    while begun.elapsed() < time {
        tick.tick().await;
        let (client, token) = (client.clone(), user.token.clone());
        requests.spawn(async move {
            let asked = Instant::now();
            let reply = client.feed(&[("token", &token)]).await;
            (reply.try_code() == Some(0)).then(|| asked.elapsed())
        });
    }
    let mut seen = Seen::default();
    while let Some(took) = requests.join_next().await {
        match took.unwrap() {
            Some(took) => seen.took.push(took),
            None => seen.failed += 1,
        }
    }
    seen
}

/// Whether the time of a login tells if the name is known.
async fn logins(client: &Client, user: &Account) {
    let (mut unknown, mut wrong) = (Vec::new(), Vec::new());
    for n in 0..LOGINS {
        // In turns, so that what else the machine does meets both alike.
        for (name, took) in [
            (format!("nobody-{n}"), &mut unknown),
            (user.name.clone(), &mut wrong),
        ] {
            let asked = Instant::now();
            client.login(&name, "a wrong password").await.refused(10004);
            took.push(asked.elapsed());
        }
    }
    let (unknown, wrong) = (percentile(&unknown, 50), percentile(&wrong, 50));
    println!(
        "login, median of {LOGINS}: unknown name {:.2} ms, wrong password {:.2} ms, ratio {:.3}",
        unknown.as_secs_f64() * 1000.0,
        wrong.as_secs_f64() * 1000.0,
        unknown.as_secs_f64() / wrong.as_secs_f64(),
    );
}

/// The shortest time that `percent` of these don't exceed.
fn percentile(took: &[Duration], percent: usize) -> Duration {
    let mut took = took.to_vec();
    took.sort_unstable();
    let rank = (took.len() * percent).div_ceil(100);
    took[rank.saturating_sub(1)]
}
