//! Reads from lagging replicas: no page misses an acknowledged write, and no user sees an older state than before.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use chaos::history::{Fixture, Size};
use serde_json::Value;
use testkit::{Account, Client, media};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    report::{Report, seconds},
    servers::{self, Server},
    testbed::Testbed,
};

pub const HEADING: &str = "| replicas | reads | failed | stale | backwards | took |";

/// The services with a database of their own.
const SERVICES: [&str; 6] = [
    "user", "video", "favorite", "comment", "relation", "message",
];
/// As short as it may be: after this and 5 s nothing says any more that something was written.
const MAX_LAG_S: u64 = 1;
const MARKS_TTL: Duration = Duration::from_secs(7);
/// How long is looked.
const LOOKS: Duration = Duration::from_secs(8);
/// Users who look.
const USERS: usize = 24;
/// New videos while they do.
const FILMS: usize = 16;

#[derive(Debug, Clone, Copy)]
pub enum Scenario {
    /// A replica 60 s late, while all services are started anew, one after the other.
    LateAndRestarted,
    /// Two replicas of which one is late, all read by two processes of each service.
    OneOfTwoLate,
}

pub const SCENARIOS: &[Scenario] = &[Scenario::LateAndRestarted, Scenario::OneOfTwoLate];

impl Scenario {
    pub fn name(self) -> &'static str {
        match self {
            Self::LateAndRestarted => "60 s late, all services restarted",
            Self::OneOfTwoLate => "one of two 3 s late",
        }
    }

    /// Whether there are enough replicas for it.
    pub fn is_possible(self) -> bool {
        match self {
            Self::LateAndRestarted => true,
            Self::OneOfTwoLate => servers::replicas() > 1,
        }
    }

    pub async fn run(self) -> Report {
        match self {
            Self::LateAndRestarted => late_and_restarted().await,
            Self::OneOfTwoLate => one_of_two_late().await,
        }
    }
}

/// What was seen.
#[derive(Default)]
struct Seen {
    reads: usize,
    failed: Vec<String>,
    stale: Vec<String>,
    backwards: Vec<String>,
}

impl Seen {
    fn report(self, scenario: Scenario, took: Duration) -> Report {
        let mut report = Report::new(format!(
            "| {} | {} | {} | {} | {} | {} |",
            scenario.name(),
            self.reads,
            self.failed.len(),
            self.stale.len(),
            self.backwards.len(),
            seconds(took)
        ));
        report.must(self.reads > 0, "something was read");
        report.must_be_empty("failed", self.failed);
        report.must_be_empty("stale", self.stale);
        report.must_be_empty("backwards", self.backwards);
        report
    }
}

fn size(videos: usize) -> Size {
    Size {
        operations: 0,
        users: USERS,
        videos,
        clients: 0,
        think_time: Duration::ZERO,
    }
}

async fn late_and_restarted() -> Report {
    let mut bed = Testbed::start(|builder| builder.set("mysql.max_lag_s", MAX_LAG_S)).await;
    let fixture = Fixture::make(&bed.system, &size(4)).await;
    servers::delay_replica(60).await;
    let client = bed.system.client();
    let begun = Instant::now();
    let mut seen = Seen::default();
    for (n, user) in fixture.users.iter().enumerate() {
        let video = fixture.videos[n % fixture.videos.len()].id;
        for reply in [
            client.like(&user.token, video).await,
            client.comment(&user.token, video, "好").await,
        ] {
            note(&mut seen.failed, "write", &reply.body, reply.http);
        }
    }
    // What was written long ago is marked no more; who was there all the time knows how late the replica is.
    sleep(MARKS_TTL).await;
    for service in SERVICES {
        for instance in 0..2 {
            bed.replace(service, instance).await;
            read_back(&client, &fixture, &mut seen).await;
        }
    }
    let until = Instant::now() + LOOKS;
    while Instant::now() < until {
        read_back(&client, &fixture, &mut seen).await;
    }
    let took = begun.elapsed();
    servers::delay_replica(0).await;
    bed.end(seen.report(Scenario::LateAndRestarted, took))
}

/// Everything that was written must be on the pages.
async fn read_back(client: &Client, fixture: &Fixture, seen: &mut Seen) {
    for (n, user) in fixture.users.iter().enumerate() {
        let video = fixture.videos[n % fixture.videos.len()].id;
        let user_id = user.user_id.to_string();
        let reply = client.favorite_list(&[("user_id", &user_id)]).await;
        seen.reads += 1;
        if note(&mut seen.failed, "likes", &reply.body, reply.http)
            && !ids(&reply.body, "video_list").any(|id| id == video)
        {
            seen.stale
                .push(format!("a like of {}: {}", user.name, reply.text));
        }
    }
    for video in &fixture.videos {
        let written = fixture.users.len() / fixture.videos.len();
        let reply = client.comments(video.id).await;
        seen.reads += 1;
        if note(&mut seen.failed, "comments", &reply.body, reply.http)
            && ids(&reply.body, "comment_list").count() < written
        {
            seen.stale.push(format!("comments: {}", reply.text));
        }
    }
}

/// Whether it succeeded.
fn note(failed: &mut Vec<String>, what: &str, body: &Value, http: u16) -> bool {
    let is_good = http == 200 && body["status_code"] == 0;
    if !is_good {
        failed.push(format!("{what}: HTTP {http} {body}"));
    }
    is_good
}

fn ids<'a>(body: &'a Value, list: &str) -> impl Iterator<Item = i64> + 'a {
    let list = body[list].as_array().into_iter().flatten();
    list.filter_map(|one| one["id"].as_i64())
}

async fn one_of_two_late() -> Report {
    let bed = Testbed::start(|builder| builder).await;
    let fixture = Fixture::make(&bed.system, &size(1)).await;
    servers::delay(Server::SecondReplica, 3).await;
    // Until the marks of those who registered are gone, and the replica is back.
    sleep(Duration::from_secs(8)).await;
    let begun = Instant::now();
    let (seen, is_over) = (
        Arc::new(Mutex::new(Seen::default())),
        Arc::new(AtomicBool::new(false)),
    );
    let mut readers = JoinSet::new();
    // The first one publishes, and so sees more.
    for user in fixture.users.iter().skip(1) {
        let user = user.clone();
        let (client, seen, is_over) = (bed.system.client(), seen.clone(), is_over.clone());
        readers.spawn(async move {
            let mut newest = HashMap::new();
            while !is_over.load(Ordering::Relaxed) {
                watch_feed(&client, &user, &mut newest, &seen).await;
                sleep(Duration::from_millis(100)).await;
            }
        });
    }
    let client = bed.system.client();
    for n in 0..FILMS {
        let token = &fixture.users[0].token;
        let reply = client
            .publish(token, &format!("video {n}"), media::mp4())
            .await;
        {
            let mut seen = seen.lock().expect("no panic holds it");
            note(&mut seen.failed, "publish", &reply.body, reply.http);
        }
        sleep(Duration::from_millis(500)).await;
    }
    sleep(Duration::from_secs(4)).await;
    is_over.store(true, Ordering::Relaxed);
    readers.join_all().await;
    let took = begun.elapsed();
    servers::delay(Server::SecondReplica, 0).await;
    let seen = std::mem::take(&mut *seen.lock().expect("no panic holds it"));
    bed.end(seen.report(Scenario::OneOfTwoLate, took))
}

/// The newest video on a user's feed is never older than the one before.
async fn watch_feed(
    client: &Client,
    user: &Account,
    newest: &mut HashMap<i64, i64>,
    seen: &Mutex<Seen>,
) {
    let feed = client.feed(&[("token", &user.token)]).await;
    let mut seen = seen.lock().expect("no panic holds it");
    seen.reads += 1;
    if !note(&mut seen.failed, "feed", &feed.body, feed.http) {
        return;
    }
    let now = ids(&feed.body, "video_list").max().unwrap_or(0);
    let before = newest.insert(user.user_id, now).unwrap_or(0);
    if now < before {
        seen.backwards
            .push(format!("{}: video {now} after {before}", user.name));
    }
}
