//! Clients that ask as soon as they are answered, for a while.

use std::{net::Ipv4Addr, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::{connection::Connection, cost, side::Side};

/// Before what counts.
const WARM_UP: Duration = Duration::from_millis(300);
/// Nobody waits longer for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Limits by address are meant for one client: the load comes from so many addresses.
const SOURCES: usize = 16;

/// What one run saw.
#[derive(Default)]
pub struct Run {
    /// Answers a second.
    pub rate: f64,
    /// Of each request that was sent while it counted, in microseconds, ascending.
    pub latencies_us: Vec<u32>,
    /// Bytes of all bodies that came while it counted, and how many came.
    pub bytes: usize,
    pub answers: usize,
    /// Of all answers, warm-up included.
    pub wrong: usize,
    /// Seconds of processor time, by [`cost::PARTS`].
    pub cpu_s: Vec<f64>,
}

impl Run {
    /// The shortest time in ms that `percent` of the requests don't exceed.
    pub fn percentile_ms(&self, percent: usize) -> f64 {
        let rank = (self.latencies_us.len() * percent).div_ceil(100);
        let us = self.latencies_us.get(rank.saturating_sub(1));
        f64::from(us.copied().unwrap_or_default()) / 1000.0
    }
}

/// `request` writes the next request of a client. `is_contract`: whether bodies have a `status_code`, which must be 0.
pub async fn run<F>(
    side: &Side,
    clients: usize,
    time: Duration,
    is_contract: bool,
    request: F,
) -> Run
where
    F: Fn(usize, &mut Vec<u8>) + Clone + Send + 'static,
{
    let mut connections = Vec::new();
    for client in 0..clients {
        let source = Ipv4Addr::new(127, 0, 1, u8::try_from(client % SOURCES).unwrap() + 1);
        let connection = Connection::open(source, side.address).await;
        connections.push(connection.expect("a connection to the API"));
    }
    let begin = Instant::now() + WARM_UP;
    let end = begin + time;
    let mut tasks = JoinSet::new();
    for (client, mut connection) in connections.into_iter().enumerate() {
        let request = request.clone();
        tasks.spawn(async move {
            let (mut seen, mut bytes) = (Run::default(), Vec::new());
            loop {
                let asked = Instant::now();
                if asked >= end {
                    return seen;
                }
                bytes.clear();
                request(client, &mut bytes);
                let answer = timeout(ANSWER_LIMIT, connection.ask(&bytes)).await;
                let now = Instant::now();
                let (size, wrong) = match answer {
                    Ok(Ok(answer)) => {
                        let good = if is_contract {
                            answer.is_success()
                        } else {
                            answer.status == 200
                        };
                        (answer.body.len(), (!good).then(|| answer.text()))
                    }
                    Ok(Err(error)) => (0, Some(error.to_string())),
                    Err(_) => (0, Some(format!("no answer in {ANSWER_LIMIT:?}"))),
                };
                if let Some(wrong) = &wrong {
                    if seen.wrong == 0 {
                        eprintln!("client {client}: {wrong:.300}");
                    }
                    seen.wrong += 1;
                }
                if (begin..end).contains(&now) {
                    seen.answers += 1;
                    seen.bytes += size;
                }
                if asked >= begin {
                    let us = now.duration_since(asked).as_micros();
                    seen.latencies_us
                        .push(u32::try_from(us).unwrap_or(u32::MAX));
                }
                if wrong.is_some() && size == 0 {
                    // The connection is lost, and with it this client.
                    return seen;
                }
            }
        });
    }
    sleep_until(begin).await;
    let (before, began) = (cost::cpu_s(&side.system), Instant::now());
    sleep_until(end).await;
    let (after, took) = (cost::cpu_s(&side.system), began.elapsed());
    let mut all = Run::default();
    for mut seen in tasks.join_all().await {
        all.answers += seen.answers;
        all.bytes += seen.bytes;
        all.wrong += seen.wrong;
        all.latencies_us.append(&mut seen.latencies_us);
    }
    all.latencies_us.sort_unstable();
    all.rate = all.answers as f64 / time.as_secs_f64();
    // The processor time is of `took`, the answers of `time`: the clock may be late on busy cores.
    let scale = time.as_secs_f64() / took.as_secs_f64();
    let spent = before.iter().zip(after);
    all.cpu_s = spent
        .map(|(before, after)| (after - before) * scale)
        .collect();
    all
}
