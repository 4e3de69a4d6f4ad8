//! Kills a service or a server while videos are deleted that others like and comment on at the same time. Afterwards nothing is left of them: no
//! row, no object, no count.

use std::time::{Duration, Instant};

use testkit::{Account, Client, Process, eventually, media};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    faults::FaultKind,
    report::{Report, seconds},
    servers::Server,
    testbed::Testbed,
};

pub const HEADING: &str = "| killed in a deletion | deletions | still seen | left in rows | left in the store | wrong counts | took |";

/// Of each victim.
const TIMES: usize = 20;
const FANS: usize = 3;
/// When it is killed, after the deletion was asked for.
const LATER_MS: u64 = 40;
/// By when a deletion is answered, and by when all are complete.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
const DONE_LIMIT: Duration = Duration::from_secs(120);
const REAP_LIMIT: Duration = Duration::from_secs(60);

/// Who is killed.
#[derive(Debug, Clone, Copy)]
pub struct Victim {
    pub name: &'static str,
    fault: FaultKind,
}

const fn victim(name: &'static str, fault: FaultKind) -> Victim {
    Victim { name, fault }
}

pub const VICTIMS: [Victim; 6] = [
    victim("one video", FaultKind::KillOne("video", 0)),
    victim("one favorite", FaultKind::KillOne("favorite", 0)),
    victim("one comment", FaultKind::KillOne("comment", 0)),
    victim("object store", FaultKind::Kill(Server::Store)),
    victim("primary", FaultKind::Kill(Server::Primary)),
    victim("Redis", FaultKind::Kill(Server::Redis)),
];

/// Kills the victim in one deletion after the other, and looks at what is left in the end.
pub async fn run(victim: Victim, percent: usize) -> Report {
    let begun = Instant::now();
    let mut bed = Testbed::start(|builder| builder).await;
    let client = bed.system.client();
    let author = client.new_account().await;
    let mut fans = Vec::new();
    for _ in 0..FANS {
        fans.push(client.new_account().await);
    }
    let mut deleted = Vec::new();
    for _ in 0..(TIMES * percent).div_ceil(100) {
        let video_id = publish(&client, &author).await;
        let mut crowd = crowd(&client, &fans, video_id);
        let (deleting, token) = (client.clone(), author.token.clone());
        let first = tokio::spawn(async move { delete(&deleting, &token, video_id).await });
        sleep(Duration::from_millis(rand::random_range(0..=LATER_MS))).await;
        victim.fault.begin(&mut bed).await;
        let _ = first.await;
        victim.fault.end(&mut bed).await;
        eventually(ANSWER_LIMIT, "the answer to a deletion", async || {
            delete(&client, &author.token, video_id).await.then_some(())
        })
        .await;
        crowd.shutdown().await;
        deleted.push(video_id);
    }
    eventually(DONE_LIMIT, "the end of all deletions", async || {
        let open = "SELECT COUNT(*) FROM video_deletions";
        (bed.system.database().value::<i64>(open).await == 0).then_some(())
    })
    .await;
    let reap = Process::workspace_binary("reap", bed.system.variables());
    let is_reaped = reap.ended(REAP_LIMIT).await.success();
    let seen = seen(&client, &deleted).await;
    let rows = rows(&bed).await;
    let objects = bed.system.bucket().keys().await.into_iter();
    // Pictures of users are there as soon as somebody sees them.
    let objects: Vec<String> = objects
        .filter(|key| !key.starts_with("pictures/"))
        .collect();
    let counts = wrong_counts(&client, std::iter::once(&author).chain(&fans)).await;
    let mut report = Report::new(format!(
        "| {} | {} | {} | {} | {} | {} | {} |",
        victim.name,
        deleted.len(),
        seen.len(),
        rows.len(),
        objects.len(),
        counts.len(),
        seconds(begun.elapsed())
    ));
    report.must(
        is_reaped,
        &format!("a pass of the reaper succeeds: {}", reap.tail()),
    );
    report.must_be_empty("still seen", seen);
    report.must_be_empty("left in rows", rows);
    report.must_be_empty("left in the store", objects);
    report.must_be_empty("wrong counts", counts);
    bed.end(report)
}

async fn publish(client: &Client, author: &Account) -> i64 {
    let reply = client.publish(&author.token, "A video", media::mp4()).await;
    reply.ok();
    let works = client.works(author.user_id).await.ok();
    works["video_list"][0]["id"]
        .as_i64()
        .expect("the video that was published")
}

/// Whether it is answered that the video is gone.
async fn delete(client: &Client, token: &str, video_id: i64) -> bool {
    let id = video_id.to_string();
    let query = [("token", token), ("video_id", &id)];
    let reply = client.post("/douyin/publish/delete/", &query).await;
    [Some(0), Some(10007)].contains(&reply.try_code())
}

/// Fans who like, take it back and comment, whatever is answered.
fn crowd(client: &Client, fans: &[Account], video_id: i64) -> JoinSet<()> {
    let mut crowd = JoinSet::new();
    for fan in fans {
        let (client, token) = (client.clone(), fan.token.clone());
        crowd.spawn(async move {
            loop {
                client.like(&token, video_id).await;
                client.comment(&token, video_id, "Nice").await;
                client.unlike(&token, video_id).await;
                client.like(&token, video_id).await;
                sleep(Duration::from_millis(5)).await;
            }
        });
    }
    crowd
}

async fn seen(client: &Client, deleted: &[i64]) -> Vec<String> {
    let mut seen = Vec::new();
    for video_id in deleted {
        let reply = client.video(*video_id, "").await;
        if reply.try_code() != Some(10007) {
            seen.push(format!("video {video_id}: {}", reply.text));
        }
    }
    seen
}

/// All videos were deleted, so no row may be there.
async fn rows(bed: &Testbed) -> Vec<String> {
    let mut left = Vec::new();
    for table in [
        "videos",
        "favorites",
        "comments",
        "video_deletions",
        "uploads",
    ] {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        let count: i64 = bed.system.database().value(&sql).await;
        if count > 0 {
            left.push(format!("{table}: {count}"));
        }
    }
    left
}

async fn wrong_counts(client: &Client, users: impl Iterator<Item = &Account>) -> Vec<String> {
    let mut wrong = Vec::new();
    for account in users {
        let user = client.user(account.user_id, &account.token).await.ok();
        for count in ["total_favorited", "favorite_count", "work_count"] {
            let value = &user["user"][count];
            if value != 0 {
                wrong.push(format!("{count} of {} is {value}", account.user_id));
            }
        }
    }
    wrong
}
