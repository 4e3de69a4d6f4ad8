//! Likes, follows, comments and messages of many users at once, against a reference model, while something breaks.
//!
//! However it breaks: no acknowledged operation is lost, none is counted twice, no count is ever below 0, and two fold periods
//! after the last write every count is that of the rows. `make soak` runs the same at full size.

mod folder;

use std::{io::Write as _, time::Duration};

use chaos::history::{Fixture, Reference, Size, Verdict, Workload};
use testkit::{Builder, RedisCluster, System, eventually};
use tokio::time::{Instant, sleep};

/// Whether every operation must be answered with success: where nothing breaks that an operation needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    All,
    Most,
}

/// Full size by `make soak`; otherwise small, for all tests share the machine.
fn size_of_this_run() -> Size {
    match std::env::var_os("DOUSHENG_SOAK") {
        Some(_) => Size {
            operations: 10_000,
            users: 200,
            videos: 50,
            clients: 32,
            think_time: Duration::from_millis(1),
        },
        None => Size {
            operations: 600,
            users: 20,
            videos: 8,
            clients: 8,
            think_time: Duration::from_millis(60),
        },
    }
}

/// Runs the workload while `breaks` runs, again and again until there were operations enough, and judges what is there then.
async fn trial(fault: &str, builder: Builder, answers: Answers, breaks: impl AsyncFn(&mut System)) {
    let size = size_of_this_run();
    let mut system = builder.start().await;
    let fixture = Fixture::make(&system, &size).await;
    let workload = Workload::start(&system, fixture.clone(), size);
    loop {
        breaks(&mut system).await;
        if workload.has_done_enough() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    let reference = workload.finish().await;
    let verdict = Verdict::of(&system, &fixture, &reference, Instant::now()).await;
    let row = row(fault, &reference, &verdict);
    println!("{row}");
    // `make soak` collects the rows in a file.
    if let Some(path) = std::env::var_os("DOUSHENG_SOAK") {
        let mut table = std::fs::OpenOptions::new();
        let mut table = table.append(true).create(true).open(path).unwrap();
        writeln!(table, "{row}").unwrap();
    }
    verdict.assert_good();
    let (operations, unanswered) = (reference.writes(), reference.unanswered());
    match answers {
        Answers::All => assert!(unanswered.is_empty(), "{unanswered:#?}"),
        Answers::Most => assert!(
            unanswered.len() * 2 < operations,
            "{} of {operations} were not answered: {unanswered:#?}",
            unanswered.len()
        ),
    }
}

/// Of the table of `make soak`.
fn row(fault: &str, reference: &Reference, verdict: &Verdict) -> String {
    let (operations, unanswered) = (reference.writes(), reference.unanswered().len());
    let (lost, doubled) = (verdict.lost.len(), verdict.doubled.len());
    let stale = verdict.stale.len();
    let right = match &verdict.right_after {
        Some(time) => format!("{:.1} s", time.as_secs_f64()),
        None => "never".to_owned(),
    };
    format!("| {fault} | {operations} | {unanswered} | {lost} | {doubled} | {stale} | {right} |")
}

fn seconds(seconds: f64) -> tokio::time::Sleep {
    sleep(Duration::from_secs_f64(seconds))
}

#[tokio::test]
async fn all_is_right_when_nothing_breaks() {
    let nothing = async |_: &mut System| seconds(0.1).await;
    trial("none", System::builder(), Answers::All, nothing).await;
}

#[tokio::test]
async fn all_is_right_when_redis_is_killed_and_comes_back() {
    let fault = async |system: &mut System| {
        let redis = system.redis();
        seconds(0.7).await;
        let older = redis.backup();
        seconds(0.7).await;
        for turn in 0..3 {
            redis.kill();
            seconds(0.7).await;
            match turn {
                0 => redis.restart().await,
                1 => redis.restart_from(&older).await,
                _ => redis.restart_empty().await,
            }
            seconds(0.7).await;
        }
    };
    let builder = System::builder().own_redis();
    trial("Redis killed and restarted", builder, Answers::All, fault).await;
}

#[tokio::test]
async fn all_is_right_when_redis_is_emptied_every_second() {
    let fault = async |system: &mut System| {
        for _ in 0..5 {
            seconds(1.0).await;
            assert_eq!(system.redis().command(0, &["FLUSHALL"]), "OK");
        }
    };
    let builder = System::builder().own_redis();
    trial("FLUSHALL every second", builder, Answers::All, fault).await;
}

#[tokio::test]
async fn all_is_right_when_the_nodes_of_a_redis_cluster_are_killed_and_come_back() {
    let cluster = RedisCluster::start().await;
    let fault = async |_: &mut System| {
        for turn in 0..2 * cluster.size() {
            let node = turn % cluster.size();
            seconds(0.5).await;
            cluster.kill(node);
            seconds(0.7).await;
            match turn % 2 {
                0 => cluster.restart(node).await,
                _ => cluster.restart_empty(node).await,
            }
        }
        cluster.flush();
    };
    let builder = System::builder().set("redis.url", cluster.url());
    let name = "nodes of a Redis Cluster killed and restarted";
    trial(name, builder, Answers::All, fault).await;
}

#[tokio::test]
async fn all_is_right_when_services_are_killed_and_restarted() {
    let fault = async |system: &mut System| {
        for service in [
            "favorite", "comment", "relation", "message", "video", "user",
        ] {
            seconds(0.5).await;
            system.instances(service)[0].kill9();
            seconds(0.5).await;
            system.replace_instance(service, 0).await;
            registered(system, service).await;
        }
        seconds(0.5).await;
    };
    let name = "services killed and restarted";
    trial(name, System::builder(), Answers::Most, fault).await;
}

/// Both services that fold have two instances, so that one is left whoever folds.
fn with_two_of_each() -> Builder {
    System::builder()
        .instances("favorite", 2)
        .instances("comment", 2)
}

#[tokio::test]
async fn all_is_right_when_the_folder_is_killed_in_mid_fold() {
    let fault = async |system: &mut System| {
        for _ in 0..3 {
            let folding = folder::in_mid_fold(system).await;
            system.instances(folding.service)[folding.instance].kill9();
            drop(folding.held);
            seconds(0.5).await;
            system
                .replace_instance(folding.service, folding.instance)
                .await;
            registered(system, folding.service).await;
        }
    };
    let name = "folder killed in mid-fold";
    trial(name, with_two_of_each(), Answers::Most, fault).await;
}

#[tokio::test]
async fn all_is_right_when_the_folder_pauses_for_10_s_in_mid_fold() {
    let fault = async |system: &mut System| {
        let folding = folder::in_mid_fold(system).await;
        let process = &system.instances(folding.service)[folding.instance];
        process.freeze();
        drop(folding.held);
        seconds(10.0).await;
        // What it was asked before the pause was asked of others since; it must not come to that late.
        process.thaw();
    };
    let name = "folder paused 10 s in mid-fold";
    trial(name, with_two_of_each(), Answers::Most, fault).await;
}

/// The newest process of the service can be found.
async fn registered(system: &System, service: &str) {
    for process in system.instances(service) {
        let address = process.address().await.to_string();
        let what = format!("{service} registered");
        eventually(Duration::from_secs(10), &what, async || {
            let known = system.registered(service).await;
            known.contains(&address).then_some(())
        })
        .await;
    }
}
