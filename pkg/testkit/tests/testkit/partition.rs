//! A partition silences an address in both directions, and its rules end with the process that made them.

use std::time::Duration;

use testkit::{NetworkPartition, Process, eventually};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// So long nothing may come. What comes on loopback comes in microseconds.
const SILENCE: Duration = Duration::from_millis(300);
const SOON: Duration = Duration::from_secs(20);

fn possible() -> bool {
    let reason = NetworkPartition::unavailable();
    if let Some(reason) = reason {
        eprintln!("SKIPPED: {reason}");
    }
    reason.is_none()
}

async fn hears(stream: &mut TcpStream) -> Option<u8> {
    timeout(SILENCE, stream.read_u8()).await.ok()?.ok()
}

async fn hears_soon(stream: &mut TcpStream) -> u8 {
    timeout(SOON, stream.read_u8()).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_address_is_silent_in_both_directions_until_it_is_healed_and_no_other_is() {
    if !possible() {
        return;
    }
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap().to_string();
    let (mut partition, mut other_partition) =
        (NetworkPartition::new().await, NetworkPartition::new().await);
    let (route, other) = (
        partition.add_route(&address).await,
        other_partition.add_route(&address).await,
    );
    let mut client = TcpStream::connect(&route).await.unwrap();
    let (mut served, _) = server.accept().await.unwrap();
    let mut beside = TcpStream::connect(&other).await.unwrap();
    let (mut served_beside, _) = server.accept().await.unwrap();
    client.write_u8(1).await.unwrap();
    assert_eq!(hears_soon(&mut served).await, 1);

    partition.cut().await;
    client.write_u8(2).await.unwrap();
    served.write_u8(3).await.unwrap();
    beside.write_u8(4).await.unwrap();
    assert_eq!(hears_soon(&mut served_beside).await, 4);
    assert_eq!(hears(&mut served).await, None);
    assert_eq!(hears(&mut client).await, None);
    assert!(timeout(SILENCE, TcpStream::connect(&route)).await.is_err());
    TcpStream::connect(&address).await.unwrap();
    server.accept().await.unwrap();

    // Nothing was lost: both ends have gone on sending it.
    partition.heal().await;
    assert_eq!(hears_soon(&mut served).await, 2);
    assert_eq!(hears_soon(&mut client).await, 3);
    let again = timeout(SOON, TcpStream::connect(&route)).await;
    again.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rule_stays_behind_when_their_owner_is_killed() {
    if !possible() {
        return;
    }
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut partition = NetworkPartition::new().await;
    partition
        .add_route(&server.local_addr().unwrap().to_string())
        .await;
    partition.cut().await;
    assert!(partition.rules().contains("drop"));
    let mut kill = std::process::Command::new("kill");
    kill.args(["-s", "KILL", &partition.owner().to_string()]);
    Process::spawn("kill", kill).succeeded().await;
    eventually(SOON, "the end of the rules", async || {
        partition.rules().is_empty().then_some(())
    })
    .await;
}
