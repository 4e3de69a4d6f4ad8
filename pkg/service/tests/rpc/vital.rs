//! A process ends when a vital task panics.

use std::path::Path;

use echo::{PANIC_FILE_VARIABLE, SERVICE, STALL_VARIABLE};
use testkit::{Client, Etcd, Process, eventually};

use crate::{
    process::command,
    support::{SOON, ask, client, until_registered},
};

const TASK: &str = "fragile";

fn spawn(etcd: &Etcd, panic_file: &Path, variables: &[(&str, &str)]) -> Process {
    let mut command = command(etcd);
    command
        .env(PANIC_FILE_VARIABLE, panic_file)
        .envs(variables.iter().copied());
    Process::spawn(SERVICE, command)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_panic_of_a_vital_task_shows_in_readyz_and_ends_the_process_without_losing_a_call() {
    let etcd = Etcd::start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("panic");
    // Time to look at it while it leaves.
    let wait = [("DOUSHENG_RPC__DEREGISTER_WAIT_MS", "3000")];
    let process = spawn(&etcd, &file, &wait);
    until_registered(&etcd, SERVICE, 1).await;
    let client = client(&etcd).await;
    ask(&client, "-").await.unwrap();
    let admin = Client::new(&format!("http://{}", process.admin_address().await));
    assert_eq!(admin.get("/readyz", &[]).await.http, 200);

    let call = tokio::spawn(async move { ask(&client, "sleep 1500").await });
    std::fs::write(&file, "").unwrap();
    eventually(SOON, "the panic in /readyz", async || {
        let reply = admin.get("/readyz", &[]).await;
        let reason = reply.body["checks"]["process"]["reason"].as_str()?;
        assert_eq!((reply.http, &reply.body["state"]), (503, &"down".into()));
        (reason.contains(TASK) && reason.contains("panicked")).then_some(())
    })
    .await;
    call.await.unwrap().unwrap();
    let status = process.ended(SOON).await;
    assert_eq!(status.code(), Some(1), "{}", process.log());
    let log = process.log();
    assert!(log.contains(TASK), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_vital_task_panics_before_it_serves_ends_at_once() {
    let etcd = Etcd::start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("panic");
    let process = spawn(&etcd, &file, &[(STALL_VARIABLE, "1")]);
    eventually(SOON, "the start", async || {
        process.log().contains("started").then_some(())
    })
    .await;
    std::fs::write(&file, "").unwrap();
    let status = process.ended(SOON).await;
    assert_eq!(status.code(), Some(1), "{}", process.log());
}
