//! Kills a transcoder, the object store or the primary at every step of a job. Afterwards each video is ready once, and nothing else is left.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use testkit::{Account, Process, eventually, media};
use tokio::time::sleep;

use crate::{
    faults::FaultKind,
    leftovers::{Leftovers, Publish},
    report::{Report, seconds},
    servers::Server,
    testbed::Testbed,
};

pub const HEADING: &str = "| killed in a job | kills | videos | without a video | doubled | not playable | left in the store | left in uploads | took |";

/// Each victim at each point, during an attempt.
const TIMES: usize = 20;
/// Kills that may come too late, for each that hits an attempt.
const MAX_MISSES: usize = 20;
/// How long a job may take to its point, and to its end.
const POINT_LIMIT: Duration = Duration::from_secs(60);
const DONE_LIMIT: Duration = Duration::from_secs(300);
const UPLOAD_DEADLINE: Duration = Duration::from_secs(30);
/// What is older was left behind.
const REAPER_AGE: Duration = Duration::from_secs(60);
const REAP_LIMIT: Duration = Duration::from_secs(60);
const LEASE_S: u64 = 3;

/// Who is killed.
#[derive(Debug, Clone, Copy)]
pub enum Victim {
    Transcoder,
    Store,
    Primary,
}

pub const VICTIMS: [Victim; 3] = [Victim::Transcoder, Victim::Store, Victim::Primary];

impl Victim {
    pub fn name(self) -> &'static str {
        match self {
            Self::Transcoder => "transcoder",
            Self::Store => "object store",
            Self::Primary => "primary",
        }
    }

    /// Kills it if an attempt is under way that no kill has hit before, and brings it back. Whether it was killed during that attempt.
    async fn inject(self, bed: &mut Testbed, hit: &mut BTreeSet<String>) -> bool {
        let under_way = attempts(bed, TAKEN, hit).await;
        if under_way.is_empty() {
            return false;
        }
        let fault = match self {
            Self::Transcoder => {
                let transcoders = bed.system.instances("transcoder");
                transcoders.iter().for_each(Process::kill9);
                // Without them no attempt ends any more.
                let hits = attempts(bed, TAKEN, hit).await;
                for instance in 0..bed.system.instances("transcoder").len() {
                    bed.system.replace_instance("transcoder", instance).await;
                }
                let is_hit = !hits.is_empty();
                hit.extend(hits);
                return is_hit;
            }
            Self::Store => FaultKind::Kill(Server::Store),
            Self::Primary => FaultKind::Kill(Server::Primary),
        };
        let open = jobs(bed).await;
        fault.begin(bed).await;
        hit.extend(under_way);
        // Whether no job has ended meanwhile. Without the primary nobody can tell.
        let is_hit = !matches!(self, Self::Store) || jobs(bed).await == open;
        fault.end(bed).await;
        is_hit
    }
}

/// A job that an attempt has.
const TAKEN: &str = "state = 1";
/// And of which the attempt has recorded what it will make.
const RECORDED: &str = "state = 1 AND EXISTS (SELECT 1 FROM uploads WHERE object_key = CONCAT('videos/', token, '.mp4'))";

/// The tokens of the attempts whose job is like this, but those that a kill has hit: they may be over, and their jobs not taken again yet.
async fn attempts(bed: &Testbed, condition: &str, hit: &BTreeSet<String>) -> Vec<String> {
    let sql = format!("SELECT token FROM jobs WHERE {condition}");
    let mut tokens: Vec<String> = bed.system.database().column(&sql).await;
    tokens.retain(|token| !hit.contains(token));
    tokens
}

async fn jobs(bed: &Testbed) -> i64 {
    let jobs = bed.system.database().value("SELECT COUNT(*) FROM jobs");
    jobs.await
}

/// When, in a job: how it is by then, and at most so many milliseconds later.
const POINTS: [(&str, &str, u64); 3] = [
    ("claimed", TAKEN, 30),
    ("recorded", RECORDED, 400),
    ("at its end", RECORDED, 900),
];

/// Publishes a video and kills the victim in its job, or in another that is under way.
struct Killer {
    victim: Victim,
    author: Account,
    /// The tokens of the attempts that a kill has hit.
    hit: BTreeSet<String>,
    /// What was published.
    wanted: Vec<Publish>,
}

impl Killer {
    /// Whether the kill hit an attempt.
    async fn strike(&mut self, bed: &mut Testbed, point: (&str, &str, u64)) -> bool {
        let (name, condition, later_ms) = point;
        let title = format!("{name} {}", self.wanted.len());
        let client = bed.system.client();
        let publish = client.publish(&self.author.token, &title, media::mpeg4());
        let reply = publish.await;
        let outcome = match reply.try_code() {
            Some(0) => Ok(1),
            _ => Err(reply.text),
        };
        self.wanted.push(Publish { title, outcome });
        eventually(POINT_LIMIT, "a step of the job", async || {
            let is_there = !attempts(bed, condition, &self.hit).await.is_empty();
            (is_there || jobs(bed).await == 0).then_some(())
        })
        .await;
        sleep(Duration::from_millis(rand::random_range(0..=later_ms))).await;
        self.victim.inject(bed, &mut self.hit).await
    }
}

/// Kills `victim` in a job, at each point, and looks at what is left in the end.
pub async fn run(victim: Victim, percent: usize) -> Report {
    let begun = Instant::now();
    let mut bed = Testbed::start(|builder| {
        builder
            .instances("transcoder", 2)
            .set("transcoder.lease_s", LEASE_S)
            .set("transcoder.retry_pause_s", 1)
            // One video may be hit again and again.
            .set("transcoder.max_attempts", 10)
            .set("media.max_unfinished", 1000)
            .set("object_store.url_ttl_s", 60)
            .set("upload.deadline_s", UPLOAD_DEADLINE.as_secs())
            .set("reaper.age_s", REAPER_AGE.as_secs())
            // Only when it is told to.
            .set("reaper.period_s", 86_400)
    })
    .await;
    let mut killer = Killer {
        victim,
        author: bed.system.client().new_account().await,
        hit: BTreeSet::new(),
        wanted: Vec::new(),
    };
    let mut kills = 0;
    for point in POINTS {
        for _ in 0..(TIMES * percent).div_ceil(100) {
            let mut misses = 0;
            while !killer.strike(&mut bed, point).await {
                misses += 1;
                let name = point.0;
                assert!(misses <= MAX_MISSES, "{name}: no job was under way");
            }
            kills += 1;
        }
    }
    let wanted = killer.wanted;
    eventually(DONE_LIMIT, "an end of all jobs", async || {
        (jobs(&bed).await == 0).then_some(())
    })
    .await;
    // A URL lives for as long as an upload until it is reaped.
    sleep(REAPER_AGE * 2).await;
    let reap = Process::workspace_binary("reap", bed.system.variables());
    let is_reaped = reap.ended(REAP_LIMIT).await.success();
    let left = Leftovers::find(&bed, &wanted).await;
    let mut report = Report::new(format!(
        "| {} | {kills} | {} | {left} | {} |",
        victim.name(),
        wanted.len(),
        seconds(begun.elapsed())
    ));
    let what = format!("a pass of the reaper succeeds: {}", reap.tail());
    report.must(is_reaped, &what);
    left.judge(&mut report);
    bed.end(report)
}
