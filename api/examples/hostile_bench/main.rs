//! What the hostile do to the others: another user's feed p99 under each attack, as a ratio to the undisturbed one measured right
//! before it; and whether the time of a login tells if a name is known.
//!
//! Wants the servers of the tests; starts a system of its own, with the work factor and the bounds of development and limits that
//! nobody reaches: what is measured is what happens to those whom no limit stops. Everything is sent to this machine, and ends by
//! itself. About 2 minutes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod attacks;

use std::time::{Duration, Instant};

use testkit::{Account, Client, System, media};
use tokio::time::{MissedTickBehavior, interval};

/// For the undisturbed feed, and for the feed under an attack.
const BEFORE: Duration = Duration::from_secs(5);
const DURING: Duration = Duration::from_secs(8);
/// Until an attack is in full swing, and until the last one is over.
const SETTLE: Duration = Duration::from_secs(1);
/// Between two requests of the other user, who waits for no answer before the next.
const PERIOD: Duration = Duration::from_millis(20);
/// Logins of each kind.
const LOGINS: usize = 300;
/// The highest that the settings take, per minute: far more than is tried here.
const NO_LIMIT: u64 = 1_000_000;

#[tokio::main]
async fn main() {
    let mut builder = System::builder()
        .set("auth.bcrypt_cost", 10)
        .set("mysql.max_connections", 32);
    for limit in [
        "login_per_address",
        "login_per_name",
        "register_per_address",
        "publish_per_address",
        "publish_per_user",
        "request_per_address",
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
    logins(&client, &user).await;
    println!("\n| attack | feed p99, undisturbed | under attack | ratio | not answered |");
    println!("|---|---|---|---|---|");
    for attack in attacks::ALL {
        let before = feed(&system, &user, BEFORE).await;
        let running = (attack.begin)(&system).await;
        tokio::time::sleep(SETTLE).await;
        let during = feed(&system, &user, DURING).await;
        running.end().await;
        tokio::time::sleep(SETTLE).await;
        println!(
            "| {} | {:.1} ms | {:.1} ms | {:.1} | {} of {} |",
            attack.name,
            before.p99_ms(),
            during.p99_ms(),
            during.p99_ms() / before.p99_ms(),
            during.failed,
            during.failed + during.took.len(),
        );
        assert_eq!(before.failed, 0, "the undisturbed feed failed");
    }
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
