//! What /readyz of the API says when each dependency and each service in turn is away, and how fast. Prints the table.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::Value;
use testkit::{Client, Gate, Process, System};

use crate::system_builder;

/// By when a fault shows.
const NOTICED: Duration = Duration::from_secs(10);
/// By when all is well again; processes may have to start for it.
const MENDED: Duration = Duration::from_secs(30);
/// The most that an answer may take, whatever is away.
const PROMPT: Duration = Duration::from_secs(2);
const SERVICES: [&str; 4] = ["user", "video", "favorite", "comment"];

/// Everything that can be away, each behind a gate or a process of this test's own.
struct Faulty {
    // Ended before what they use.
    processes: BTreeMap<&'static str, Vec<Process>>,
    api: Client,
    primary: Gate,
    replica: Gate,
    redis: Gate,
    store: Gate,
    variables: BTreeMap<String, String>,
    system: System,
}

/// The gate to the server in a URL, and the URL that goes through it.
async fn gated(url: &str) -> (Gate, String) {
    let after_scheme = url.split_once("://").unwrap().1;
    let place = after_scheme.split('/').next().unwrap();
    let target = place.rsplit('@').next().unwrap();
    let gate = Gate::to(target).await;
    let through = url.replacen(target, &gate.address().to_string(), 1);
    (gate, through)
}

impl Faulty {
    async fn start() -> Self {
        let builder = SERVICES
            .iter()
            .chain(&["api"])
            .fold(system_builder(), |b, name| b.instances(name, 0));
        let system = builder.own_etcd().start().await;
        let mut variables = system.variables().clone();
        let mut through = async |variable: &str| {
            let (gate, url) = gated(&variables[variable]).await;
            variables.insert(variable.to_owned(), url);
            gate
        };
        let primary = through("DOUSHENG_MYSQL__PRIMARY_URL").await;
        let replica = through("DOUSHENG_MYSQL__REPLICA_URLS").await;
        let redis = through("DOUSHENG_REDIS__URL").await;
        let store = through("DOUSHENG_OBJECT_STORE__ENDPOINT").await;
        let mut processes = BTreeMap::new();
        for service in SERVICES {
            let start = |_| Process::workspace_binary(service, &variables);
            processes.insert(service, (0..2).map(start).collect());
        }
        let api = Process::workspace_binary("api", &variables);
        let client = Client::new(&format!("http://{}", api.address().await));
        processes.insert("api", vec![api]);
        Self {
            processes,
            api: client,
            primary,
            replica,
            redis,
            store,
            variables,
            system,
        }
    }

    /// Status and report of the API's /readyz, which must come promptly.
    async fn readiness(&self) -> (u16, Value) {
        let start = Instant::now();
        let reply = self.api.get("/readyz", &[]).await;
        assert!(
            start.elapsed() < PROMPT,
            "{:?}: {}",
            start.elapsed(),
            reply.text
        );
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

    async fn is_well_again(&self) {
        self.says("(all well)", 200, "up", &["user"], "up").await;
    }

    fn kill(&mut self, service: &'static str) {
        for process in self.processes.remove(service).unwrap() {
            process.kill9();
        }
    }

    fn start_again(&mut self, service: &'static str) {
        let start = |_| Process::workspace_binary(service, &self.variables);
        self.processes.insert(service, (0..2).map(start).collect());
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
    faulty.api.feed(&[]).await.ok();
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
    faulty.api.feed(&[]).await.ok();
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
    faulty.api.feed(&[]).await.ok();
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
