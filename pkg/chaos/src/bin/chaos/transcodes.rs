//! Kills a transcoder, the object store or the primary at every step of a job. Afterwards each video is ready once, and nothing else is left.

use std::time::{Duration, Instant};

use testkit::{Process, eventually, media};
use tokio::time::sleep;

use crate::{
    faults::FaultKind,
    leftovers::{Leftovers, Publish},
    report::{Report, seconds},
    servers::Server,
    testbed::Testbed,
};

pub const HEADING: &str = "| killed in a job | videos | without a video | doubled | not playable | left in the store | left in uploads | took |";

/// Each victim at each point.
const TIMES: usize = 20;
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

    async fn inject(self, bed: &mut Testbed) {
        let fault = match self {
            Self::Transcoder => {
                for instance in 0..bed.system.instances("transcoder").len() {
                    bed.system.replace_instance("transcoder", instance).await;
                }
                return;
            }
            Self::Store => FaultKind::Kill(Server::Store),
            Self::Primary => FaultKind::Kill(Server::Primary),
        };
        fault.begin(bed).await;
        fault.end(bed).await;
    }
}

/// When, in a job: what there is by then, and at most so many milliseconds later.
const POINTS: [(&str, &str, u64); 3] = [
    ("claimed", "jobs WHERE state = 1", 30),
    ("recorded", "uploads WHERE aborting = 0", 400),
    ("at its end", "uploads WHERE aborting = 0", 900),
];

/// Kills `victim` in a job, at each point, and looks at what is left in the end.
pub async fn run(victim: Victim, percent: usize) -> Report {
    let begun = Instant::now();
    let mut bed = Testbed::start(|builder| {
        builder
            .instances("transcoder", 2)
            .set("transcoder.lease_s", LEASE_S)
            .set("transcoder.retry_pause_s", 1)
            .set("media.max_unfinished", 1000)
            .set("object_store.url_ttl_s", 60)
            .set("upload.deadline_s", UPLOAD_DEADLINE.as_secs())
            .set("reaper.age_s", REAPER_AGE.as_secs())
            // Only when it is told to.
            .set("reaper.period_s", 86_400)
    })
    .await;
    let client = bed.system.client();
    let author = client.new_account().await;
    let mut wanted = Vec::new();
    for (name, condition, later_ms) in POINTS {
        for n in 0..(TIMES * percent).div_ceil(100) {
            let title = format!("{name} {n}");
            let reply = client.publish(&author.token, &title, media::mpeg4()).await;
            let outcome = match reply.try_code() {
                Some(0) => Ok(1),
                _ => Err(reply.text),
            };
            wanted.push(Publish { title, outcome });
            let sql = format!(
                "SELECT (SELECT COUNT(*) FROM {condition}) + ((SELECT COUNT(*) FROM jobs) = 0)"
            );
            eventually(POINT_LIMIT, "a step of the job", async || {
                (bed.system.database().value::<i64>(&sql).await > 0).then_some(())
            })
            .await;
            sleep(Duration::from_millis(rand::random_range(0..=later_ms))).await;
            victim.inject(&mut bed).await;
        }
    }
    eventually(DONE_LIMIT, "an end of all jobs", async || {
        let jobs = bed
            .system
            .database()
            .value::<i64>("SELECT COUNT(*) FROM jobs");
        (jobs.await == 0).then_some(())
    })
    .await;
    // A URL lives for as long as an upload until it is reaped.
    sleep(REAPER_AGE * 2).await;
    let reap = Process::workspace_binary("reap", bed.system.variables());
    let is_reaped = reap.ended(REAP_LIMIT).await.success();
    let left = Leftovers::find(&bed, &wanted).await;
    let mut report = Report::new(format!(
        "| {} | {} | {left} | {} |",
        victim.name(),
        wanted.len(),
        seconds(begun.elapsed())
    ));
    let what = format!("a pass of the reaper succeeds: {}", reap.tail());
    report.must(is_reaped, &what);
    left.judge(&mut report);
    bed.end(report)
}
