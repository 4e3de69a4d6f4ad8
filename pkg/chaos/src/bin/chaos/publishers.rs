//! Users who publish one video after the other during a fault. Each repeats a publish, with its idempotency key, until it is answered, and
//! then looks for the video. In the end each video must be there once, and be playable.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use chaos::history::{Answer, Fixture, Operation};
use reqwest::{Method, multipart};
use testkit::{Account, Client, System, media};
use tokio::task::JoinSet;

use crate::leftovers;

/// What a publish is called in the history.
pub const WHAT: &str = "publish";
/// So many at once.
const PUBLISHERS: usize = 2;
/// Between two publishes of a user.
const PAUSE: Duration = Duration::from_secs(2);
/// Between two attempts.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(500);
/// A client gives up so long after all is whole again.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

pub struct Publishers {
    is_over: Arc<AtomicBool>,
    at_work: JoinSet<Work>,
}

/// What one or all of them did.
#[derive(Default)]
pub struct Work {
    /// Every attempt.
    pub history: Vec<Operation>,
    /// Titles of what was acknowledged; each has its own.
    published: Vec<String>,
    /// What was given up.
    given_up: Vec<String>,
    /// Acknowledged, and not among the works right after that.
    unseen: Vec<String>,
}

/// What is there in the end.
#[derive(Default)]
pub struct Found {
    pub lost: Vec<String>,
    pub doubled: Vec<String>,
    pub stale: Vec<String>,
}

impl Publishers {
    /// Of the workload's users, whose counts are compared in the end.
    pub fn start(system: &System, fixture: &Fixture) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut at_work = JoinSet::new();
        for (n, account) in fixture.users.iter().take(PUBLISHERS).enumerate() {
            let (client, is_over) = (system.client(), is_over.clone());
            at_work.spawn(publish_on(client, account.clone(), n, is_over));
        }
        Self { is_over, at_work }
    }

    /// All of it, when the last publish is answered or given up.
    pub async fn finish(mut self) -> Work {
        self.is_over.store(true, Ordering::Relaxed);
        let mut all = Work::default();
        while let Some(work) = self.at_work.join_next().await {
            let work = work.expect("a publisher that doesn't panic");
            all.history.extend(work.history);
            all.published.extend(work.published);
            all.given_up.extend(work.given_up);
            all.unseen.extend(work.unseen);
        }
        all
    }
}

impl Work {
    /// Looks for everything that was acknowledged.
    pub async fn found(&self, system: &System) -> Found {
        let mut of_title: BTreeMap<String, usize> = BTreeMap::new();
        for title in system.database().column("SELECT title FROM videos").await {
            *of_title.entry(title).or_default() += 1;
        }
        let rows = |title: &String| of_title.get(title).copied().unwrap_or(0);
        let lost = self.published.iter().filter(|title| rows(title) == 0);
        let lost = lost.map(|title| format!("{title} was acknowledged and has no video"));
        let doubled = self.published.iter().filter(|title| rows(title) > 1);
        let unanswered = self.given_up.iter().cloned();
        let unplayable = leftovers::unplayable(system).await;
        Found {
            lost: lost.chain(unanswered).chain(unplayable).collect(),
            doubled: doubled
                .map(|title| format!("{title} is there twice"))
                .collect(),
            stale: self.unseen.clone(),
        }
    }
}

async fn publish_on(client: Client, account: Account, n: usize, is_over: Arc<AtomicBool>) -> Work {
    let mut work = Work::default();
    for video in 0.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let title = format!("video {video} of publisher {n}");
        let key = format!("{:032x}", rand::random::<u128>());
        let mut over_since = None;
        loop {
            let operation = attempt(&client, &account, &title, &key).await;
            let failure = operation.failure().map(str::to_owned);
            work.history.push(operation);
            let Some(failure) = failure else {
                if !shows(&client, &account, &title).await {
                    work.unseen.push(format!("{title} is not among the works"));
                }
                work.published.push(title);
                break;
            };
            if is_over.load(Ordering::Relaxed) {
                let since: &mut Instant = over_since.get_or_insert_with(Instant::now);
                if since.elapsed() > ANSWER_LIMIT {
                    work.given_up.push(format!("{title}: {failure}"));
                    break;
                }
            }
            tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
    work
}

/// Whether a stranger sees it. No answer says nothing.
async fn shows(client: &Client, account: &Account, title: &str) -> bool {
    let reply = client.works(account.user_id).await;
    let Some(works) = reply.body["video_list"].as_array() else {
        return true;
    };
    works.iter().any(|video| video["title"] == title)
}

async fn attempt(client: &Client, account: &Account, title: &str, key: &str) -> Operation {
    let video = multipart::Part::bytes(media::mp4()).file_name("video.mp4");
    let form = multipart::Form::new()
        .text("token", account.token.clone())
        .text("title", title.to_owned())
        .part("data", video.mime_str("video/mp4").expect("a media type"));
    let request = client
        .request(Method::POST, "/douyin/publish/action/")
        .header("Idempotency-Key", key)
        .multipart(form);
    let began = Instant::now();
    let reply = client.send(request).await;
    let answer = match (reply.http, reply.try_code()) {
        (200, Some(0)) => Answer::Done,
        _ => Answer::Failed(format!("HTTP {} {}", reply.http, reply.text)),
    };
    Operation {
        what: WHAT,
        is_write: true,
        began,
        ended: Instant::now(),
        answer,
    }
}
