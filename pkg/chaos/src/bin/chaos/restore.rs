//! Restores an older dump of the database while the bucket and the tokens of clients stay as they are. So there are tokens of accounts
//! that the dump doesn't have, ids that were given before, and objects without a row.

use std::{path::Path, process::Stdio, time::Duration};

use testkit::{Account, Client, Process, Reply, System, eventually, media};
use tokio::process::Command;

use crate::{report::Report, servers, testbed::Testbed};

pub const HEADING: &str = "| an older dump is restored | tokens of nobody refused | their writes stored | ids given twice | objects removed | lost of the dump | logged out |";

/// What is old enough for the reaper: everything.
const REAPER_AGE: Duration = Duration::from_secs(20);
/// How long a pass of the reaper, and a comparison of all counts, may take.
const TOOL_LIMIT: Duration = Duration::from_secs(60);
/// By when the services answer after their restart.
const BACK_LIMIT: Duration = Duration::from_secs(30);
/// Accounts on each side of the dump.
const ACCOUNTS: usize = 4;

/// Somebody with a video and a comment under it.
struct Author {
    account: Account,
    video: i64,
    comment: i64,
}

impl Author {
    async fn new(client: &Client) -> Self {
        let account = client.new_account().await;
        let token = &account.token;
        client.publish(token, "Video", media::mp4()).await.ok();
        let works = client.works(account.user_id).await.ok();
        let video = works["video_list"][0]["id"].as_i64().expect("a video");
        let said = client.comment(token, video, "说").await.ok();
        client.like(token, video).await.ok();
        Self {
            video,
            comment: said["comment"]["id"].as_i64().expect("a comment"),
            account,
        }
    }

    fn ids(&self) -> [i64; 3] {
        [self.account.user_id, self.video, self.comment]
    }
}

async fn several(client: &Client) -> Vec<Author> {
    let mut all = Vec::new();
    for _ in 0..ACCOUNTS {
        all.push(Author::new(client).await);
    }
    all
}

pub async fn run() -> Report {
    let mut bed = Testbed::start(|builder| {
        builder
            .set("upload.deadline_s", REAPER_AGE.as_secs() / 2)
            .set("reaper.age_s", REAPER_AGE.as_secs())
            // Only when it is told to.
            .set("reaper.period_s", 86_400)
    })
    .await;
    let client = bed.system.client();
    let backup = tempfile::tempdir().expect("a directory");
    let kept = several(&client).await;
    script(&bed.system, "backup.sh", backup.path()).await;
    let lost = several(&client).await;
    let objects = bed.system.bucket().keys().await;

    lose_database(&bed.system).await;
    script(&bed.system, "restore.sh", backup.path()).await;
    servers::flush_redis().await;
    for (service, count) in [
        ("user", 2),
        ("video", 2),
        ("favorite", 2),
        ("comment", 2),
        ("relation", 2),
        ("message", 2),
        ("api", 1),
    ] {
        for instance in 0..count {
            bed.replace(service, instance).await;
        }
    }
    let client = bed.system.client();
    eventually(BACK_LIMIT, "the restored system", async || {
        let page = client.comments(kept[0].video).await;
        (page.try_code() == Some(0)).then_some(())
    })
    .await;

    let before = rows(&bed.system).await;
    let mut refused = 0;
    let mut not_refused = Vec::new();
    for author in &lost {
        for reply in writes(&client, author, &kept[0]).await {
            match reply.try_code() {
                Some(10003) => refused += 1,
                _ => not_refused.push(format!("HTTP {} {}", reply.http, reply.text)),
            }
        }
    }
    let after = rows(&bed.system).await;
    let mut logged_out = Vec::new();
    let mut missing = Vec::new();
    for author in &kept {
        let token = &author.account.token;
        let reply = client.comment(token, author.video, "还在").await;
        if reply.try_code() != Some(0) {
            logged_out.push(reply.text);
        }
        let works = client.works(author.account.user_id).await;
        let video = &works.body["video_list"][0];
        let shown = (
            &video["id"],
            &video["favorite_count"],
            &video["comment_count"],
        );
        if shown != (&author.video.into(), &1.into(), &2.into()) {
            missing.push(works.text);
        }
    }
    let new = several(&client).await;
    let given: Vec<[i64; 3]> = lost.iter().map(Author::ids).collect();
    let twice = new.iter().flat_map(|author| {
        let ids = author.ids();
        let is_given = |n: usize| given.iter().any(|given| given[n] == ids[n]);
        (0..3)
            .filter(move |n| is_given(*n))
            .map(move |n| format!("{}", ids[n]))
            .collect::<Vec<_>>()
    });
    let twice: Vec<String> = twice.collect();

    tokio::time::sleep(REAPER_AGE).await;
    let reap = Process::workspace_binary("reap", bed.system.variables());
    let is_reaped = reap.ended(TOOL_LIMIT).await.success();
    let left = bed.system.bucket().keys().await;
    let removed: Vec<String> = objects
        .into_iter()
        .filter(|key| !left.contains(key))
        .collect();
    let reconcile = Process::workspace_binary("reconcile", bed.system.variables());
    let is_equal = reconcile.ended(TOOL_LIMIT).await.success();

    let mut report = Report::new(format!(
        "| by scripts/restore.sh | {refused} of {} | {} | {} | {} | {} | {} |",
        refused + not_refused.len(),
        usize::from(before != after),
        twice.len(),
        removed.len(),
        missing.len(),
        logged_out.len(),
    ));
    report.must_be_empty("not refused", not_refused);
    report.must(
        before == after,
        &format!("nothing is stored: {before:?}, then {after:?}"),
    );
    report.must_be_empty("ids given twice", twice);
    report.must_be_empty("objects removed", removed);
    report.must_be_empty("lost of the dump", missing);
    report.must_be_empty("logged out", logged_out);
    report.must(
        is_reaped,
        &format!("a pass of the reaper succeeds: {}", reap.tail()),
    );
    report.must(
        is_equal,
        &format!("counts and rows agree: {}", reconcile.tail()),
    );
    bed.end(report)
}

/// Everything that a token could write.
async fn writes(client: &Client, author: &Author, other: &Author) -> Vec<Reply> {
    let (token, video) = (&author.account.token, other.video);
    vec![
        client.like(token, video).await,
        client.unlike(token, video).await,
        client.comment(token, video, "幽灵").await,
        client.delete_comment(token, video, other.comment).await,
        client.publish(token, "Video", media::mp4()).await,
    ]
}

async fn rows(system: &System) -> Vec<i64> {
    let mut all = Vec::new();
    for table in ["users", "videos", "favorites", "comments", "uploads"] {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        all.push(system.database().value(&sql).await);
    }
    all.push(system.bucket().keys().await.len() as i64);
    all
}

async fn lose_database(system: &System) {
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()";
    let tables: Vec<String> = system.database().column(tables).await;
    let drop = format!("DROP TABLE {}", tables.join(", "));
    system.database().execute(&drop).await;
}

/// `scripts/backup.sh` or `scripts/restore.sh` on this system.
async fn script(system: &System, name: &str, directory: &Path) {
    let object_store = ["ENDPOINT", "BUCKET", "ACCESS_KEY", "SECRET_KEY"]
        .map(|key| format!("DOUSHENG_OBJECT_STORE__{key}"));
    let object_store = object_store
        .iter()
        .filter_map(|key| Some((key, system.variables().get(key)?)));
    let done = Command::new(format!("scripts/{name}"))
        .arg(directory)
        .env(
            "DOUSHENG_MYSQL__MIGRATE_URL",
            system.database().primary_url(),
        )
        .envs(object_store)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("a script");
    assert!(done.status.success(), "{name}: {done:?}");
}
