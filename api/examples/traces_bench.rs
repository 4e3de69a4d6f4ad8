//! What traces cost: feed pages a second, with traces off, with one request in a hundred traced, and with all of them, as ratios to a
//! system without traces. A second one of those tells how much of a ratio is chance.
//!
//! Wants the servers of the tests; starts its own systems, which take turns, so that what else the machine does meets all alike. The
//! collector is this program, and takes its time from the same cores. About a minute.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use testkit::{Client, System, Traces, media};
use tokio::task::JoinSet;

/// Turns of each system.
const ROUNDS: usize = 10;
/// A turn.
const TURN: Duration = Duration::from_millis(1500);
/// Clients that ask as soon as they are answered.
const CLIENTS: usize = 4;
/// Videos on the page.
const VIDEOS: usize = 30;

struct Case {
    name: &'static str,
    system: System,
    token: String,
    /// Pages a second, a turn each.
    rates: Vec<f64>,
}

#[tokio::main]
async fn main() {
    let traces = Traces::receive().await;
    let mut cases = Vec::new();
    for (name, ratio) in [
        ("off", None),
        ("off, once more", None),
        ("1 % of requests", Some("0.01")),
        ("all requests", Some("1")),
    ] {
        let builder = match ratio {
            None => System::builder(),
            Some(ratio) => System::builder()
                .set("trace.endpoint", traces.endpoint())
                .set("trace.sample_ratio", ratio),
        };
        let system = builder.start().await;
        let client = system.client();
        let token = client.new_account().await.token;
        for n in 0..VIDEOS {
            let title = format!("Film {n}");
            client.publish(&token, &title, media::mp4()).await.ok();
        }
        let mut case = Case {
            name,
            system,
            token,
            rates: Vec::new(),
        };
        case.turn().await;
        case.rates.clear();
        cases.push(case);
    }
    for _ in 0..ROUNDS {
        for case in &mut cases {
            case.turn().await;
        }
    }
    println!("| traces of | feed pages/s, median of {ROUNDS} | to none |");
    println!("|---|---|---|");
    let mut off = None;
    for case in &mut cases {
        let rate = median(&mut case.rates);
        let off = *off.get_or_insert(rate);
        println!("| {} | {rate:.0} | {:.3} |", case.name, rate / off);
    }
}

impl Case {
    async fn turn(&mut self) {
        let (pages, begun) = (Arc::new(AtomicUsize::new(0)), Instant::now());
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (client, token) = (self.system.client(), self.token.clone());
            clients.spawn(ask(client, token, begun, pages.clone()));
        }
        clients.join_all().await;
        let pages = u32::try_from(pages.load(Ordering::Relaxed)).unwrap();
        self.rates
            .push(f64::from(pages) / begun.elapsed().as_secs_f64());
    }
}

async fn ask(client: Client, token: String, begun: Instant, pages: Arc<AtomicUsize>) {
    while begun.elapsed() < TURN {
        client.feed(&[("token", &token)]).await.ok();
        pages.fetch_add(1, Ordering::Relaxed);
    }
}

/// Of at least one.
fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    *rates.get(rates.len() / 2).expect("a turn")
}
