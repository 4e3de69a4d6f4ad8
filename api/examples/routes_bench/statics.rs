//! Benchmarks static answers: the cost of sending a body of a given size from memory, through the same middleware.

use crate::{load, options::Options, routes, side::Side};

/// From the smallest to the largest.
const PATHS: [&str; 4] = [
    "/docs/docs.svg",
    "/docs/docs.css",
    "/docs/docs.js",
    "/openapi.json",
];

/// Answers a second by the number of clients and the bytes of a body.
pub struct Statics {
    /// `(clients, bytes, rate)`, those of one number of clients together, ascending by bytes.
    points: Vec<(usize, f64, f64)>,
}

/// Prints the table, too.
pub async fn measure(side: &Side, options: &Options) -> Statics {
    println!(
        "\n| static answer | bytes | clients | /s | p50 ms | p99 ms |\n|---|---|---|---|---|---|"
    );
    let mut points = Vec::new();
    for &clients in &options.clients {
        for path in PATHS {
            let request = move |_: usize, request: &mut Vec<u8>| {
                routes::get(format_args!("{path}"), request);
            };
            let mut runs = Vec::new();
            for _ in 0..options.rounds {
                runs.push(load::run(side, clients, options.time / 2, false, request).await);
            }
            runs.sort_by(|a, b| a.rate.total_cmp(&b.rate));
            let run = &runs[runs.len() / 2];
            assert!(run.answers > 0 && run.wrong == 0, "{path} is not answered");
            let bytes = run.bytes as f64 / run.answers as f64;
            println!(
                "| {path} | {bytes:.0} | {clients} | {:.0} | {:.2} | {:.2} |",
                run.rate,
                run.percentile_ms(50),
                run.percentile_ms(99)
            );
            points.push((clients, bytes, run.rate));
        }
    }
    Statics { points }
}

impl Statics {
    /// Answers a second of so many bytes to so many clients: the time of one grows evenly with its bytes between the next smaller
    /// and the next larger one that was measured.
    pub fn rate(&self, clients: usize, bytes: f64) -> f64 {
        let points: Vec<_> = self
            .points
            .iter()
            .filter(|point| point.0 == clients)
            .collect();
        let larger = points.iter().position(|point| point.1 >= bytes);
        match larger {
            Some(0) => points[0].2,
            None => points[points.len() - 1].2,
            Some(n) => {
                let (&(_, from, slow), &(_, to, fast)) = (points[n - 1], points[n]);
                let part = (bytes - from) / (to - from);
                1.0 / ((1.0 - part) / slow + part / fast)
            }
        }
    }
}
