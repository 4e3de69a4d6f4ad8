//! The admin port: health, readiness and metrics.

use std::time::Duration;

use echo::{NAME_VARIABLE, NEEDED_FILE_VARIABLE, SERVICE};
use serde_json::Value;
use testkit::{Client, Etcd, Process, eventually};
use tokio::time::timeout;

use crate::{
    process::{command, spawn},
    support::{SOON, ask, client, until_registered},
};

/// A process that depends on the service.
fn front(etcd: &Etcd) -> Process {
    let mut command = command(etcd);
    command.env(NAME_VARIABLE, "front");
    Process::spawn("front", command)
}

async fn admin(process: &Process) -> Client {
    Client::new(&format!("http://{}", process.admin_address().await))
}

/// Status and report.
async fn readiness(admin: &Client) -> (u16, Value) {
    let reply = timeout(SOON, admin.get("/readyz", &[])).await;
    let reply = reply.expect("/readyz answers whatever is away");
    (reply.http, reply.body)
}

async fn until_ready(admin: &Client, what: &str, holds: impl Fn(u16, &Value) -> bool) -> Value {
    eventually(SOON, what, async || {
        let (status, report) = readiness(admin).await;
        holds(status, &report).then_some(report)
    })
    .await
}

/// The value of the first line that begins with `series`.
async fn metric(admin: &Client, series: &str) -> Option<f64> {
    let text = admin.get("/metrics", &[]).await.text;
    let line = text.lines().find(|line| line.starts_with(series))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_counted_where_they_are_served_and_where_they_are_made() {
    let etcd = Etcd::start().await;
    let process = spawn(&etcd);
    let admin = admin(&process).await;
    // The process calls itself, so it must have heard of its own registration; a test's look at etcd doesn't tell that.
    let known = r#"registry_instances{service="echo",callee="echo"}"#;
    eventually(SOON, "the process knows itself", async || {
        (metric(&admin, known).await == Some(1.0)).then_some(())
    })
    .await;
    let client = client(&etcd).await;
    for what in ["pass -", "pass -", "pass refuse", "fail"] {
        let _ = ask(&client, what).await;
    }
    for (series, expected) in [
        (
            r#"rpc_server_requests_total{service="echo",method="login",code="0"}"#,
            4.0,
        ),
        (
            r#"rpc_server_requests_total{service="echo",method="login",code="10005"}"#,
            2.0,
        ),
        (
            r#"rpc_server_requests_total{service="echo",method="login",code="20001"}"#,
            1.0,
        ),
        (
            r#"rpc_server_request_duration_seconds_count{service="echo",method="login"}"#,
            7.0,
        ),
        (r#"rpc_server_requests_in_progress{service="echo"}"#, 0.0),
        (
            r#"rpc_client_requests_total{service="echo",callee="echo",method="login",outcome="ok"}"#,
            2.0,
        ),
        (
            r#"rpc_client_requests_total{service="echo",callee="echo",method="login",outcome="refused"}"#,
            1.0,
        ),
        (
            r#"rpc_client_attempts_total{service="echo",callee="echo",outcome="answered"}"#,
            3.0,
        ),
        (r#"registry_instances{service="echo",callee="echo"}"#, 1.0),
        (r#"registry_registered{service="echo"}"#, 1.0),
    ] {
        let value = metric(&admin, series).await;
        assert_eq!(
            value,
            Some(expected),
            "{series}\n{}",
            admin.get("/metrics", &[]).await.text
        );
    }
    for series in [
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_threads",
        "build_info",
    ] {
        let value = metric(&admin, series).await;
        assert!(
            value.is_some_and(|value| value >= 1.0),
            "{series}: {value:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_optional_dependency_degrades_and_comes_back() {
    let etcd = Etcd::start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("needed");
    let mut command = command(&etcd);
    command.env(NEEDED_FILE_VARIABLE, &file);
    let process = Process::spawn(SERVICE, command);
    let admin = admin(&process).await;
    let report = until_ready(&admin, "degraded for want of the file", |_, report| {
        report["checks"]["file"]["state"] == "down" && report["checks"][SERVICE]["state"] != "down"
    })
    .await;
    assert_eq!(report["state"], "degraded");
    assert_eq!(report["checks"]["file"]["required"], false);
    let reason = report["checks"]["file"]["reason"].as_str().unwrap();
    assert!(reason.contains("No such file"), "{reason}");
    std::fs::write(&file, "").unwrap();
    until_ready(&admin, "up", |status, report| {
        (status, &report["state"]) == (200, &"up".into())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn etcd_away_degrades_and_the_services_are_asked_all_the_same() {
    let etcd = Etcd::start().await;
    let (_echo, front) = (spawn(&etcd), front(&etcd));
    let admin = admin(&front).await;
    let up = |status, report: &Value| (status, &report["state"]) == (200, &"up".into());
    until_ready(&admin, "up", up).await;
    etcd.freeze();
    let report = until_ready(&admin, "etcd down", |_, report| {
        report["checks"]["etcd"]["state"] == "down"
    })
    .await;
    assert_eq!(report["state"], "degraded", "{report}");
    assert_ne!(report["checks"][SERVICE]["state"], "down", "{report}");
    etcd.thaw();
    until_ready(&admin, "up", up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_as_well_as_its_instances() {
    let etcd = Etcd::start().await;
    let front = front(&etcd);
    let admin = admin(&front).await;
    let of_service = |report: &Value| report["checks"][SERVICE].clone();
    let report = until_ready(&admin, "no instance", |status, _| status == 503).await;
    assert_eq!(of_service(&report)["reason"], "no instance is known");

    let (one, two) = (spawn(&etcd), spawn(&etcd));
    until_registered(&etcd, SERVICE, 2).await;
    let report = until_ready(&admin, "up", |_, report| report["state"] == "up").await;
    assert_eq!(of_service(&report)["checks"]["etcd"]["state"], "up");

    // Longer than a killed one, a hanging instance is listed.
    two.freeze();
    let report = until_ready(&admin, "one of two", |_, report| {
        of_service(report)["state"] == "degraded"
    })
    .await;
    assert_eq!(report["state"], "degraded");
    let reason = of_service(&report)["reason"].to_string();
    assert!(reason.contains("1 of "), "{reason}");

    one.kill9();
    two.kill9();
    let report = until_ready(&admin, "none of two", |status, _| status == 503).await;
    assert_eq!(report["state"], "down");
    let _one = spawn(&etcd);
    until_ready(&admin, "up again", |_, report| report["state"] == "up").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stops_says_so_to_the_end() {
    let etcd = Etcd::start().await;
    let process = spawn(&etcd);
    let admin = admin(&process).await;
    until_registered(&etcd, SERVICE, 1).await;
    let client = client(&etcd).await;
    let call = tokio::spawn(async move { ask(&client, "sleep 1500").await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    process.terminate();
    let report = until_ready(&admin, "stopping", |status, _| status == 503).await;
    assert_eq!(report["checks"]["process"]["reason"], "stopping");
    assert_eq!(admin.get("/healthz", &[]).await.http, 200);
    call.await.unwrap().unwrap();
    assert!(process.ended(SOON).await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_paths_and_methods_are_refused() {
    let etcd = Etcd::start().await;
    let process = spawn(&etcd);
    let admin = admin(&process).await;
    assert_eq!(admin.get("/", &[]).await.http, 404);
    assert_eq!(admin.post("/readyz", &[]).await.http, 405);
    let health = admin.get("/healthz", &[("verbose", "1")]).await;
    assert_eq!((health.http, &health.body["state"]), (200, &"up".into()));
}
