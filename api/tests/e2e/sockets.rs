//! Floods of connections and exhausted file descriptors: the servers survive and serve again.

use std::{process::Command, time::Duration};

use testkit::{Client, Process, System, eventually};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::system_builder;

/// Files that the processes of the flood may open.
const FILES: u32 = 128;
/// Connections of the flood.
const FLOOD: usize = 500;
/// By when everything is as it was.
const RECOVERY: Duration = Duration::from_secs(5);
/// Enough for anything that is to happen soon, on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// How long processor time is counted for, and how much of it a process that does nothing may use.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
const IDLE: Duration = Duration::from_millis(100);

/// Processor time that a process has used.
fn processor_time(process: &Process) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid())).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    // proc(5): fields 14 and 15, in ticks of 10 ms.
    let ticks: u64 = fields[11..=12]
        .iter()
        .map(|f| f.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}

async fn until_idle(process: &Process) {
    eventually(SOON, "an idle process", async || {
        let before = processor_time(process);
        tokio::time::sleep(POLL_INTERVAL).await;
        (processor_time(process) - before < IDLE).then_some(())
    })
    .await;
}

async fn flood(process: &Process) -> Vec<TcpStream> {
    let address = process.address().await;
    let mut streams = Vec::new();
    for n in 0..FLOOD {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Some say nothing, some begin to say something. One that was cut already is as good.
        if n % 2 == 0 {
            let _ = stream.write_all(b"GET /douyin/feed/ HTTP/1.1\r\nHo").await;
        }
        streams.push(stream);
    }
    streams
}

/// The API answers, and the user service for it.
async fn serves(system: &System) -> bool {
    // A client of its own, with a connection of its own.
    let client = system.client();
    let login = client.login("nobody", "nobody").await;
    client.feed(&[]).await.try_code() == Some(0) && login.try_code() == Some(10004)
}

#[tokio::test]
async fn a_flood_of_connections_leaves_the_servers_alive_idle_and_serving() {
    let system = system_builder()
        .limit_files("api", FILES)
        .limit_files("user", FILES)
        .start()
        .await;
    for service in ["api", "user"] {
        let process = &system.instances(service)[0];
        let streams = flood(process).await;
        until_idle(process).await;
        assert!(process.exit_status().is_none(), "{service} is alive");
        drop(streams);
        eventually(RECOVERY, "answers after the flood", async || {
            serves(&system).await.then_some(())
        })
        .await;
        until_idle(process).await;
    }
}

fn set_files(process: &Process, files: &str) {
    let status = Command::new("prlimit")
        .args([
            "--pid",
            &process.pid().to_string(),
            &format!("--nofile={files}"),
        ])
        .status();
    assert!(status.unwrap().success(), "prlimit --nofile={files}");
}

#[tokio::test]
async fn without_a_file_descriptor_left_a_server_waits_for_one_without_spinning() {
    let system = system_builder().start().await;
    let process = system.api();
    // Fewer than are open: nothing can be accepted.
    set_files(process, "8:");
    let mut stream = TcpStream::connect(process.address().await).await.unwrap();
    let ask = b"GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    stream.write_all(ask).await.unwrap();
    until_idle(process).await;
    assert!(process.exit_status().is_none(), "it is alive");
    set_files(process, "1024:");
    let mut answer = String::new();
    let read = tokio::time::timeout(RECOVERY, stream.read_to_string(&mut answer)).await;
    read.expect("an answer within 5 s").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_client_that_never_ends_its_head_is_cut_and_others_are_served_meanwhile() {
    let system = crate::shared_system().await;
    let mut slow = TcpStream::connect(system.api().address().await)
        .await
        .unwrap();
    slow.write_all(b"GET /douyin/feed/ HTTP/1.1\r\n")
        .await
        .unwrap();
    let others: Client = system.client();
    let mut rest = Vec::new();
    let cut = tokio::time::timeout(SOON, slow.read_to_end(&mut rest));
    tokio::pin!(cut);
    loop {
        tokio::select! {
            cut = &mut cut => {
                assert!(cut.is_ok(), "cut within {SOON:?}");
                break;
            }
            reply = others.feed(&[]) => assert_eq!(reply.code(), 0),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
