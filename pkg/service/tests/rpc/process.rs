//! Instances as processes that are killed, frozen and stopped under load.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::PathBuf,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use echo::{SERVICE, STALL_VARIABLE};
use idl::{
    Call as _, CallPolicy,
    user::{UserServiceClient, UserServiceClientBuilder, UserServiceRequestSend},
};
use service::{Clients, RpcError};
use testkit::{Etcd, Metrics, Process, eventually};
use tokio::net::TcpStream;

use crate::support::{SOON, ask, ask_once, client, settings, until_registered};

const CALLERS: usize = 8;

/// The example beside this crate; `cargo test` builds it.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(|deps| deps.parent()).unwrap();
    built.join("examples/echo")
}

pub fn spawn(etcd: &Etcd) -> Process {
    Process::spawn(SERVICE, command(etcd))
}

pub fn command(etcd: &Etcd) -> Command {
    let settings = settings(etcd);
    let mut command = Command::new(binary());
    command
        .env("DOUSHENG_ETCD__ENDPOINTS", etcd.endpoint())
        .env(
            "DOUSHENG_ETCD__LEASE_TTL_S",
            settings.etcd.lease_ttl_s.to_string(),
        )
        .env("DOUSHENG_RPC__LISTEN", "127.0.0.1:0")
        .env(
            "DOUSHENG_RPC__DEREGISTER_WAIT_MS",
            settings.rpc.deregister_wait_ms.to_string(),
        )
        .env("DOUSHENG_LOG__FORMAT", "json");
    command
}

/// As [`policy`](crate::support::policy), but no call ends before its work because the machine is busy.
fn patient(request: &UserServiceRequestSend) -> CallPolicy {
    CallPolicy {
        deadline: SOON * 3,
        ..request.policy()
    }
}

async fn patient_client(etcd: &Etcd) -> UserServiceClient {
    let clients = Clients::new("test", &settings(etcd)).await.unwrap();
    clients.client_with(UserServiceClientBuilder::new(SERVICE), patient)
}

async fn two(etcd: &Etcd) -> (Process, Process) {
    let both = (spawn(etcd), spawn(etcd));
    until_registered(etcd, SERVICE, 2).await;
    both
}

/// Callers that call without a pause until they are stopped.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<Failed>>>,
    callers: tokio::task::JoinSet<()>,
}

/// A failed call.
#[derive(Debug, Clone)]
#[allow(
    dead_code,
    reason = "read through Debug, in the words of a failed assertion"
)]
struct Failed {
    /// Since the load began.
    at: Duration,
    once: bool,
    error: RpcError,
}

#[derive(Clone, Copy)]
enum Kind {
    Idempotent,
    Once,
    Both,
}

impl Load {
    async fn start(etcd: &Etcd, kind: Kind) -> Self {
        let client = client(etcd).await;
        let (stop, done, failures) = (Arc::default(), Arc::default(), Arc::default());
        let mut load = Self {
            stop,
            done,
            failures,
            callers: tokio::task::JoinSet::new(),
        };
        let begin = Instant::now();
        for caller in 0..CALLERS {
            let client = client.clone();
            let (stop, done, failures) =
                (load.stop.clone(), load.done.clone(), load.failures.clone());
            let once = match kind {
                Kind::Idempotent => false,
                Kind::Once => true,
                Kind::Both => caller % 2 == 0,
            };
            load.callers.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let answer = match once {
                        true => ask_once(&client, "sleep 2").await,
                        false => ask(&client, "sleep 2").await,
                    };
                    match answer {
                        Ok(_) => _ = done.fetch_add(1, Ordering::Relaxed),
                        Err(error) => failures.lock().unwrap().push(Failed {
                            at: begin.elapsed(),
                            once,
                            error,
                        }),
                    }
                }
            });
        }
        load.more(200).await;
        load
    }

    /// Waits for so many more successes.
    async fn more(&self, count: usize) {
        let until = self.done.load(Ordering::Relaxed) + count;
        let what = format!("{count} more calls");
        eventually(SOON, &what, async || {
            (self.done.load(Ordering::Relaxed) >= until).then_some(())
        })
        .await;
    }

    /// Stops; gives successes and failures.
    async fn finish(mut self) -> (usize, Vec<Failed>) {
        self.stop.store(true, Ordering::Relaxed);
        while self.callers.join_next().await.is_some() {}
        let failures = self.failures.lock().unwrap().clone();
        (self.done.load(Ordering::Relaxed), failures)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_instance_costs_no_idempotent_call_and_is_out_at_once() {
    let etcd = Etcd::start().await;
    let (one, _two) = two(&etcd).await;
    let load = Load::start(&etcd, Kind::Idempotent).await;
    one.kill9();
    load.more(2000).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    load.more(200).await;
    let (_, failures) = load.finish().await;
    assert!(failures.is_empty(), "{failures:?}");
    until_registered(&etcd, SERVICE, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_instance_costs_other_calls_only_what_was_in_flight_there() {
    let etcd = Etcd::start().await;
    let (one, _two) = two(&etcd).await;
    let load = Load::start(&etcd, Kind::Once).await;
    one.kill9();
    load.more(2000).await;
    let (_, failures) = load.finish().await;
    assert!(failures.len() <= CALLERS, "{failures:?}");
    assert!(
        failures
            .iter()
            .all(|failed| matches!(failed.error, RpcError::Unavailable)),
        "{failures:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_instance_costs_no_idempotent_call() {
    let etcd = Etcd::start().await;
    let (one, _two) = two(&etcd).await;
    let load = Load::start(&etcd, Kind::Idempotent).await;
    one.freeze();
    load.more(2000).await;
    let (_, failures) = load.finish().await;
    one.thaw();
    assert!(failures.is_empty(), "{failures:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_loses_no_call() {
    let etcd = Etcd::start().await;
    let (one, _two) = two(&etcd).await;
    let load = Load::start(&etcd, Kind::Both).await;
    one.terminate();
    // Below the time that it would wait for calls that never end.
    let status = one.ended(Duration::from_secs(20)).await;
    load.more(200).await;
    let (done, failures) = load.finish().await;
    assert!(
        failures.is_empty(),
        "{} of {done}: {failures:?}",
        failures.len()
    );
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_a_call_under_way_and_a_second_signal_does_not() {
    let etcd = Etcd::start().await;
    let (one, two) = two(&etcd).await;
    let client = patient_client(&etcd).await;
    let ask_slowly = |ms: u64| {
        let client = client.clone();
        tokio::spawn(async move { ask_once(&client, &format!("sleep {ms}")).await })
    };
    // The client knows both instances before the slow calls begin.
    ask(&client, "-").await.unwrap();
    let calls: Vec<_> = (0..10).map(|_| ask_slowly(1500)).collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    one.terminate();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert!(one.ended(SOON).await.success());

    let call = ask_slowly(15_000);
    eventually(SOON, "the call under way", async || {
        let metrics = Metrics::of(&two).await;
        (metrics.sum("rpc_server_requests_in_progress", &[]) >= 1.0).then_some(())
    })
    .await;
    two.terminate();
    eventually(SOON, "the first signal noticed", async || {
        let lines = two.log_lines();
        let is_stopping = lines.iter().any(|line| line["message"] == "stopping");
        is_stopping.then_some(())
    })
    .await;
    two.terminate();
    // One that waits for the call ends with 0, and the call with a success.
    assert_eq!(two.ended(SOON).await.code(), Some(143));
    call.await.unwrap().unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_before_anything_is_served_ends_the_process() {
    let etcd = Etcd::start().await;
    let mut command = command(&etcd);
    command.env(STALL_VARIABLE, "1");
    let process = Process::spawn(SERVICE, command);
    eventually(SOON, "the start", async || {
        process.log().contains("started").then_some(())
    })
    .await;
    process.terminate();
    assert_eq!(process.ended(SOON).await.code(), Some(143));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_etcd_is_away_loses_no_idempotent_call() {
    let etcd = Etcd::start().await;
    let (one, _two) = two(&etcd).await;
    let load = Load::start(&etcd, Kind::Idempotent).await;
    etcd.kill();
    one.terminate();
    assert!(one.ended(Duration::from_secs(12)).await.success());
    load.more(200).await;
    let (_, failures) = load.finish().await;
    assert!(failures.is_empty(), "{failures:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_while_etcd_is_away_and_after_it_returned_empty() {
    let etcd = Etcd::start().await;
    let (_one, _two) = two(&etcd).await;
    let load = Load::start(&etcd, Kind::Both).await;
    etcd.kill();
    tokio::time::sleep(Duration::from_secs(5)).await;
    load.more(100).await;
    etcd.restart_empty().await;
    until_registered(&etcd, SERVICE, 2).await;
    load.more(100).await;
    etcd.restart().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    load.more(100).await;
    let (_, failures) = load.finish().await;
    assert!(failures.is_empty(), "{failures:?}");
}

/// From now on; what is open stays open.
async fn limit_files(process: &Process, max: u32) {
    let status = tokio::process::Command::new("prlimit")
        .arg(format!("--pid={}", process.pid()))
        .arg(format!("--nofile={max}:"))
        .status();
    assert!(status.await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_out_of_file_descriptors_goes_on_when_it_has_some_again() {
    let etcd = Etcd::start().await;
    let process = spawn(&etcd);
    let address = process.address().await;
    // It has more than these open: not one connection can be accepted.
    limit_files(&process, 4).await;
    let waiting = TcpStream::connect(&address).await.unwrap();
    eventually(SOON, "its trouble", async || {
        process
            .log()
            .contains("connection not accepted")
            .then_some(())
    })
    .await;
    limit_files(&process, 1000).await;
    drop(waiting);
    let client = client(&etcd).await;
    eventually(SOON, "an answer", async || ask(&client, "-").await.ok()).await;
    process.terminate();
    assert!(process.ended(SOON).await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_carry_the_request_and_a_panic_is_logged_once() {
    let etcd = Etcd::start().await;
    let process = spawn(&etcd);
    until_registered(&etcd, SERVICE, 1).await;
    let client = client(&etcd).await;
    let id = telemetry::RequestId::generate();
    let call = telemetry::scope(id.clone(), ask(&client, "panic"));
    assert!(matches!(call.await.unwrap_err(), RpcError::Internal));
    let lines = process.log_lines();
    let of_request = |line: &&serde_json::Value| line["span"]["request_id"] == id.as_str();
    let lines: Vec<_> = lines.iter().filter(of_request).collect();
    let panics = lines
        .iter()
        .filter(|line| line["message"].to_string().contains("secret"));
    assert_eq!(panics.count(), 1, "{lines:?}");
    let served = lines
        .iter()
        .find(|line| line["message"] == "served")
        .expect("an access line");
    assert_eq!(
        (&served["method"], &served["code"]),
        (&"login".into(), &20001.into())
    );
    for number in ["elapsed_ms", "rpcs", "sql"] {
        assert!(served[number].is_number(), "{served}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_settings_end_the_process_by_name() {
    let etcd = Etcd::start().await;
    for (variable, value, named) in [
        ("DOUSHENG_LOG__FILTER", "info,[", "log.filter"),
        ("DOUSHENG_RPC__LISTEN", "0.0.0.0:0", "rpc.listen"),
        ("DOUSHENG_RPC__LISTEN", "192.0.2.1:1", "rpc.listen"),
        ("DOUSHENG_ADMIN__LISTEN", "192.0.2.1:1", "admin.listen"),
    ] {
        let mut command = Command::new(binary());
        command
            .env("DOUSHENG_ETCD__ENDPOINTS", etcd.endpoint())
            .env(variable, value);
        let process = Process::spawn(SERVICE, command);
        let status = process.ended(Duration::from_secs(5)).await;
        assert_eq!(status.code(), Some(1));
        assert!(process.log().contains(named), "{}", process.log());
    }
}

#[tokio::test]
async fn a_process_starts_whatever_bytes_the_variables_of_others_hold() {
    let etcd = Etcd::start().await;
    let mut command = command(&etcd);
    command.env("LESS_TERMCAP", OsStr::from_bytes(b"\xff"));
    let process = Process::spawn(SERVICE, command);
    process.address().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_log_is_on_a_full_disk_goes_on() {
    let etcd = Etcd::start().await;
    let plain = command(&etcd);
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec \"$0\" >/dev/full 2>&1"])
        .arg(plain.get_program());
    for (variable, value) in plain.get_envs() {
        command.env(variable, value.unwrap_or_default());
    }
    let process = Process::spawn(SERVICE, command);
    until_registered(&etcd, SERVICE, 1).await;
    let client = client(&etcd).await;
    ask(&client, "sleep 2").await.unwrap();
    assert_eq!(process.exit_status(), None);
}
