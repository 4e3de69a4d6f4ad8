//! `/readyz` of the API while each dependency and each service is away in turn. Prints the table.

use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::eventually;
use tokio::time::timeout;

use crate::faulty::{Faulty, SERVICES};

/// By when a fault shows.
const NOTICED: Duration = Duration::from_secs(10);
/// By when all is well again; processes may have to start for it.
const MENDED: Duration = Duration::from_secs(30);

impl Faulty {
    /// Status and report of the API's /readyz. That checks which hang cost one limit together is shown beside the code, without a
    /// clock; here an answer must come at all while something hangs.
    async fn readiness(&self) -> (u16, Value) {
        let reply = timeout(NOTICED, self.api.get("/readyz", &[])).await;
        let reply = reply.expect("/readyz answers whatever is away");
        (reply.http, reply.body)
    }

    /// Waits until /readyz has this status and state, and `path` this state; prints how long that took.
    async fn says(&self, fault: &str, status: u16, state: &str, path: &[&str], found: &str) {
        let limit = if state == "up" { MENDED } else { NOTICED };
        let (start, mut last) = (Instant::now(), Value::Null);
        while start.elapsed() < limit {
            let (http, report) = self.readiness().await;
            let finding = path.iter().fold(&report, |at, name| &at["checks"][*name]);
            if (http, &report["state"], &finding["state"]) == (status, &state.into(), &found.into())
            {
                let reason = finding["reason"].as_str().unwrap_or("-").to_owned();
                let ms = start.elapsed().as_millis();
                println!(
                    "{fault:<28} {status} {state:<9} after {ms:>5} ms: {}: {reason}",
                    path.join(".")
                );
                return;
            }
            last = report;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{fault}: not {status} {state} within {limit:?}: {last:#}");
    }

    /// The feed goes on. On a busy machine a request may take too long, whatever is away.
    async fn serves(&self) {
        eventually(NOTICED, "a feed", async || {
            (self.api.feed(&[]).await.try_code() == Some(0)).then_some(())
        })
        .await;
    }

    async fn is_well_again(&self) {
        self.says("(all well)", 200, "up", &["user"], "up").await;
    }
}

#[tokio::test]
async fn each_dependency_and_each_service_in_turn_is_away() {
    let mut faulty = Faulty::start().await;
    faulty.is_well_again().await;

    faulty.replica.shut();
    faulty
        .says(
            "replica away",
            200,
            "degraded",
            &["user", "replica-1"],
            "down",
        )
        .await;
    faulty.serves().await;
    faulty.replica.open();
    faulty.is_well_again().await;
    faulty.replica.stall();
    faulty
        .says(
            "replica hangs",
            200,
            "degraded",
            &["video", "replica-1"],
            "down",
        )
        .await;
    faulty.replica.open();
    faulty.is_well_again().await;

    faulty.system.etcd().freeze();
    faulty
        .says("etcd hangs", 200, "degraded", &["etcd"], "down")
        .await;
    faulty.serves().await;
    faulty.system.etcd().thaw();
    faulty.is_well_again().await;

    faulty.primary.shut();
    faulty
        .says("primary away", 503, "down", &["user", "primary"], "down")
        .await;
    faulty.primary.open();
    faulty.is_well_again().await;
    faulty.primary.stall();
    faulty
        .says("primary hangs", 503, "down", &["video", "primary"], "down")
        .await;
    faulty.primary.open();
    faulty.is_well_again().await;

    faulty.store.shut();
    faulty
        .says("object store away", 503, "down", &["object_store"], "down")
        .await;
    faulty.store.open();
    faulty.is_well_again().await;
    faulty.store.stall();
    faulty
        .says(
            "object store hangs",
            503,
            "down",
            &["video", "object_store"],
            "down",
        )
        .await;
    faulty.store.open();
    faulty.is_well_again().await;

    let one = &faulty.processes["user"][0];
    one.freeze();
    faulty
        .says(
            "one of two users hangs",
            200,
            "degraded",
            &["user"],
            "degraded",
        )
        .await;
    one.thaw();
    faulty.is_well_again().await;

    faulty.redis.shut();
    let redis = ["favorite", "redis"];
    faulty
        .says("redis away", 200, "degraded", &redis, "down")
        .await;
    faulty.serves().await;
    faulty.redis.open();
    faulty.is_well_again().await;
    faulty.redis.stall();
    let redis = ["comment", "redis"];
    faulty
        .says("redis hangs", 200, "degraded", &redis, "down")
        .await;
    faulty.redis.open();
    faulty.is_well_again().await;

    for service in SERVICES {
        faulty.kill(service);
        let fault = format!("{service} killed");
        let (status, state) = match service {
            "user" | "video" => (503, "down"),
            _ => (200, "degraded"),
        };
        faulty.says(&fault, status, state, &[service], "down").await;
        faulty.start_again(service);
        faulty.is_well_again().await;
    }
}
