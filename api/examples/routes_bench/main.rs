//! Requests a second, latencies and processor time of each route, as ratios to another build (`BASELINE`), to a large database
//! (`GROW`) and to a static answer of the same size; and the memory of each process.
//!
//! Wants the servers of the tests and release programs; `scripts/bench.sh routes` builds them. The settings are environment
//! variables: see [`options`]. Load comes from this process alone and goes to this machine alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod connection;
mod cost;
mod load;
mod options;
mod report;
mod routes;
mod scene;
mod side;
mod statics;

use std::sync::Arc;

use options::Options;
use report::Row;
use routes::Route;
use side::Side;

/// One thread makes all requests: it shares the cores with what it measures.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = Options::from_environment();
    let mut sides = vec![Side::start("now", None, None).await];
    if let Some(directory) = &options.baseline {
        sides.push(Side::start("baseline", Some(directory), None).await);
    }
    if let Some(scale) = &options.grow {
        sides.push(Side::start("grown", None, Some(scale)).await);
    }
    let routes: Vec<_> = routes::all()
        .into_iter()
        .filter(|route| options.wants(route))
        .filter(|route| !route.is_social || sides.iter().all(|side| side.scene.is_social))
        .collect();
    for side in &sides {
        for route in &routes {
            side.check(route).await;
        }
        side.rest().await;
    }
    let at_rest: Vec<_> = sides.iter().map(Side::memory).collect();

    let statics = statics::measure(&sides[0], &options).await;
    report::heading(sides.get(1).map(|other| other.name));
    let mut rows = Vec::new();
    for route in &routes {
        for &clients in &options.clients {
            let row = measure(&sides, route, clients, &options).await;
            report::line(&row, &statics);
            rows.push(row);
        }
    }
    report::costs(&rows, &sides);
    report::memory(&sides, &at_rest);
    let wrong: usize = rows.iter().map(Row::wrong).sum();
    assert_eq!(wrong, 0, "wrong replies");
}

/// The sides take turns, so that what else the machine does meets them alike.
async fn measure(sides: &[Side], route: &Route, clients: usize, options: &Options) -> Row {
    let mut runs: Vec<_> = sides.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.rounds {
        for (side, runs) in sides.iter().zip(&mut runs) {
            let (scene, make) = (Arc::clone(&side.scene), route.request);
            let request = move |client: usize, request: &mut Vec<u8>| {
                make(&scene, client, request);
            };
            runs.push(load::run(side, clients, options.time, true, request).await);
            if route.writes {
                // A replica that lags would answer the next run's reads by way of the primary.
                side.system.database().replicas_caught_up().await;
            }
        }
    }
    Row {
        route: route.name,
        clients,
        sides: runs.into_iter().map(report::Summary::of).collect(),
    }
}
