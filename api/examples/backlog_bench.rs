//! What a backlog of jobs costs the others: a feed page while a transcoder works on 200 jobs, as a ratio to the page without any. The
//! transcoder's programs are niced, so the ratio should stay below 1.3.
//!
//! Wants the servers of the tests; starts a system of its own. About two minutes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs
)]

use std::time::{Duration, Instant};

use testkit::{Client, System, eventually, media};
use tokio::task::JoinSet;

/// Authors, and the videos of each that wait.
const AUTHORS: usize = 20;
const JOBS_EACH: usize = 10;
/// Videos on the page.
const VIDEOS: usize = 30;
/// Clients that ask as soon as they are answered.
const CLIENTS: usize = 4;
/// Of each measurement, and of one before that doesn't count.
const TIME: Duration = Duration::from_secs(20);
const WARM_UP: Duration = Duration::from_secs(3);
/// By when the first job is taken.
const SOON: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() {
    let mut system = System::builder()
        .set("mysql.max_connections", 32)
        .set("transcoder.threads", 2)
        .start()
        .await;
    let client = system.client();
    let viewer = client.new_account().await.token;
    for n in 0..VIDEOS {
        let title = format!("Film {n}");
        client.publish(&viewer, &title, media::mp4()).await.ok();
    }
    feed(&client, &viewer, WARM_UP).await;
    let without = feed(&client, &viewer, TIME).await;
    fill_backlog(&client).await;
    system.start_instance("transcoder").await;
    eventually(SOON, "a job that is taken", async || {
        (jobs(&system, "state = 1").await > 0).then_some(())
    })
    .await;
    let waiting = jobs(&system, "TRUE").await;
    let during = feed(&client, &viewer, TIME).await;
    let left = jobs(&system, "TRUE").await;
    assert!(left > 0, "the backlog ended before the measurement");
    println!("| feed page | p50 | p99 |\n|---|---|---|");
    println!(
        "| without jobs | {:.1} ms | {:.1} ms |",
        without.0, without.1
    );
    println!(
        "| {waiting} jobs, {left} in the end | {:.1} ms | {:.1} ms |",
        during.0, during.1
    );
    let ratio = (during.0 / without.0, during.1 / without.1);
    println!("| ratio | {:.2} | {:.2} |", ratio.0, ratio.1);
}

async fn jobs(system: &System, condition: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM jobs WHERE {condition}");
    system.database().value(&sql).await
}

/// The authors publish at the same time, each one video after the other.
async fn fill_backlog(client: &Client) {
    let film = media::long_mpeg4();
    let mut authors = JoinSet::new();
    for _ in 0..AUTHORS {
        let (client, film) = (client.clone(), film.clone());
        authors.spawn(async move {
            let token = client.new_account().await.token;
            for n in 0..JOBS_EACH {
                let title = format!("To be transcoded {n}");
                client.publish(&token, &title, film.clone()).await.ok();
            }
        });
    }
    authors.join_all().await;
}

/// Asks for a while: the median and the 99th percentile, in ms.
async fn feed(client: &Client, token: &str, time: Duration) -> (f64, f64) {
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, token) = (client.clone(), token.to_owned());
        clients.spawn(async move {
            let mut took_ms = Vec::new();
            while begun.elapsed() < time {
                let asked = Instant::now();
                client.feed(&[("token", &token)]).await.ok();
                took_ms.push(asked.elapsed().as_secs_f64() * 1000.0);
            }
            took_ms
        });
    }
    let mut took_ms = clients.join_all().await.concat();
    took_ms.sort_by(f64::total_cmp);
    let percentile = |percent: usize| took_ms[(took_ms.len() - 1) * percent / 100];
    (percentile(50), percentile(99))
}
