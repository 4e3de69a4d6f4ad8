//! Kills the API, the video service or the object store at every step of a publish. The client retries with its idempotency key until it
//! gets an answer. Afterwards each key has one playable video, and nothing else is left.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream;
use reqwest::{Body, multipart};
use testkit::{Account, Client, Process, eventually, media};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use crate::{
    faults::FaultKind,
    leftovers::{Leftovers, Publish},
    report::{Report, seconds},
    servers::Server,
    testbed::Testbed,
};

pub const HEADING: &str = "| killed in a publish | publishes | repeated | without a video | doubled | not playable | left in the store | left in uploads | what the last pass of the reaper removed | took |";

/// Half of it is more than a part, so that the store holds an unfinished upload by then.
const FILE_BYTES: usize = 12 << 20;
const PART_BYTES: usize = 5 << 20;
/// Each victim at each point.
const TIMES: usize = 7;
/// A client gives up then.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// Between two attempts of a client.
const PAUSE: Duration = Duration::from_millis(300);
/// How long a publish may take to its point.
const POINT_LIMIT: Duration = Duration::from_secs(20);
/// What is older was left behind; twice as old as an upload may get.
const REAPER_AGE: Duration = Duration::from_secs(40);
const UPLOAD_DEADLINE: Duration = Duration::from_secs(20);
/// How long a pass of the reaper may take.
const REAP_LIMIT: Duration = Duration::from_secs(60);

/// Who is killed.
#[derive(Debug, Clone, Copy)]
pub enum Victim {
    Api,
    /// The process that is at work, or one of the two.
    Video,
    Store,
}

pub const VICTIMS: [Victim; 3] = [Victim::Api, Victim::Video, Victim::Store];

impl Victim {
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "API",
            Self::Video => "video",
            Self::Store => "object store",
        }
    }

    /// Kills it and brings it back; of the video service's processes this one.
    async fn inject(self, bed: &mut Testbed, instance: usize) {
        let fault = match self {
            Self::Api => FaultKind::KillOne("api", 0),
            Self::Video => FaultKind::KillOne("video", instance),
            Self::Store => FaultKind::Kill(Server::Store),
        };
        fault.begin(bed).await;
        fault.end(bed).await;
    }
}

/// When, in a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    HalfTheBody,
    AllOfTheBody,
    /// When the video service has taken this step, and at most so many milliseconds later: what follows takes about as long.
    After(&'static str, u64),
}

const POINTS: [Point; 8] = [
    Point::HalfTheBody,
    Point::AllOfTheBody,
    // Before it is known to be whole.
    Point::After("size", 15),
    // In the probe.
    Point::After("whole object", 120),
    // In the remux.
    Point::After("probe", 100),
    // While what was derived is stored.
    Point::After("derived recorded", 60),
    // While the cover is made.
    Point::After("derived stored", 200),
    // While the cover is stored, and the row.
    Point::After("cover", 60),
];

/// Kills `victim` in a publish, at each point, and looks at what is left in the end.
pub async fn run(victim: Victim, percent: usize) -> Report {
    let begun = Instant::now();
    let mut bed = Testbed::start(|builder| {
        builder
            .set("upload.part_bytes", PART_BYTES)
            .set("upload.deadline_s", UPLOAD_DEADLINE.as_secs())
            .set("reaper.age_s", REAPER_AGE.as_secs())
            // Only when it is told to.
            .set("reaper.period_s", 86_400)
            .set("log.filter", "info,rpc_video=debug")
    })
    .await;
    let publisher = Publisher {
        client: bed.system.client(),
        account: bed.system.client().new_account().await,
        // It is remuxed, so that there are all steps.
        file: media::long_mp4_of_size(FILE_BYTES).into(),
    };
    let mut wanted = Vec::new();
    for point in POINTS {
        for n in 0..(TIMES * percent).div_ceil(100) {
            let title = format!("{point:?} {n}");
            wanted.push(publish_with_fault(&mut bed, &publisher, title, victim, (point, n)).await);
        }
    }
    sleep(REAPER_AGE).await;
    let reap = Process::workspace_binary("reap", bed.system.variables());
    let is_reaped = reap.ended(REAP_LIMIT).await.success();
    let left = Leftovers::find(&bed, &wanted).await;
    let attempts = |one: &Publish| one.outcome.as_ref().map_or(0, |attempts| *attempts);
    let mut report = Report::new(format!(
        "| {} | {} | {} | {left} | {} | {} |",
        victim.name(),
        wanted.len(),
        wanted.iter().filter(|one| attempts(one) > 1).count(),
        removed(&reap.log()),
        seconds(begun.elapsed())
    ));
    let what = format!("a pass of the reaper succeeds: {}", reap.tail());
    report.must(is_reaped, &what);
    left.judge(&mut report);
    bed.end(report)
}

/// As the reaper says it.
fn removed(log: &str) -> &str {
    let found = log.lines().find_map(|line| line.strip_prefix("reaped: "));
    found.unwrap_or("not told")
}

/// One publish. The victim is killed at its point.
async fn publish_with_fault(
    bed: &mut Testbed,
    publisher: &Publisher,
    title: String,
    victim: Victim,
    (point, n): (Point, usize),
) -> Publish {
    let seen = [0, 1].map(|instance| steps(bed, instance).len());
    let (at_half, half) = oneshot::channel();
    let (at_all, all) = oneshot::channel();
    let (go_on, wait) = oneshot::channel();
    let signals = Signals {
        at_half,
        at_all,
        // The body stops only if the victim is killed there.
        wait: (point == Point::HalfTheBody).then_some(wait),
    };
    let client = tokio::spawn(publisher.clone().until_answered(title.clone(), signals));
    let mut instance = n % 2;
    let (reached, at_most_ms) = match point {
        // The body stands still meanwhile: time for what has come to be stored.
        Point::HalfTheBody => (timeout(POINT_LIMIT, half).await.is_ok(), 300),
        Point::AllOfTheBody => (timeout(POINT_LIMIT, all).await.is_ok(), 50),
        Point::After(step, at_most_ms) => {
            instance = eventually(POINT_LIMIT, "a step of the publish", async || {
                let took = |n: &usize| steps(bed, *n)[seen[*n]..].iter().any(|s| s == step);
                [0, 1].into_iter().find(took)
            })
            .await;
            (true, at_most_ms)
        }
    };
    assert!(reached, "{title}: the publish didn't come to its point");
    sleep(Duration::from_millis(rand::random_range(0..=at_most_ms))).await;
    victim.inject(bed, instance).await;
    // Nobody listens where the body didn't stop.
    let _ = go_on.send(());
    let outcome = client.await.expect("a client that doesn't panic");
    Publish { title, outcome }
}

/// The steps that this process of the video service has taken since its start.
fn steps(bed: &Testbed, instance: usize) -> Vec<String> {
    let lines = bed.system.instances("video")[instance].log_lines();
    let steps = lines.iter().filter_map(|line| {
        let step = line.get("step").or_else(|| line.pointer("/fields/step"));
        step?.as_str().map(str::to_owned)
    });
    steps.collect()
}

/// What a client says of its progress, and waits for in the middle.
struct Signals {
    at_half: oneshot::Sender<()>,
    at_all: oneshot::Sender<()>,
    wait: Option<oneshot::Receiver<()>>,
}

#[derive(Clone)]
struct Publisher {
    client: Client,
    account: Account,
    file: Bytes,
}

impl Publisher {
    /// Repeats the request, with one key, until it is answered.
    async fn until_answered(self, title: String, signals: Signals) -> Result<usize, String> {
        let key = format!("{:032x}", rand::random::<u128>());
        let (begun, mut signals) = (Instant::now(), Some(signals));
        for attempt in 1.. {
            let body = match signals.take() {
                Some(signals) => in_halves(self.file.clone(), signals),
                None => Body::from(self.file.clone()),
            };
            let part = multipart::Part::stream_with_length(body, self.file.len() as u64);
            let part = part.file_name("video.mp4").mime_str("video/mp4");
            let form = multipart::Form::new()
                .text("token", self.account.token.clone())
                .text("title", title.clone())
                .part("data", part.expect("a media type"));
            let request = self
                .client
                .request(reqwest::Method::POST, "/douyin/publish/action/")
                .header("Idempotency-Key", &key)
                .multipart(form);
            let reply = self.client.send(request).await;
            match (reply.http, reply.try_code()) {
                (200, Some(0)) => return Ok(attempt),
                (0 | 500.., _) if begun.elapsed() < ANSWER_LIMIT => sleep(PAUSE).await,
                _ => return Err(format!("attempt {attempt}: {} {}", reply.http, reply.text)),
            }
        }
        unreachable!("attempts end by their deadline")
    }
}

fn in_halves(file: Bytes, signals: Signals) -> Body {
    let Signals {
        at_half,
        at_all,
        wait,
    } = signals;
    let half = file.len() / 2;
    let rest = file.slice(half..);
    // Whoever was to hear of it may have given up.
    let pieces = stream::unfold(
        (0, Some(at_half), Some(at_all), wait),
        move |(step, mut at_half, mut at_all, wait)| {
            let (first, rest) = (file.slice(..half), rest.clone());
            async move {
                match step {
                    0 => Some((Ok::<_, std::io::Error>(first), (1, at_half, at_all, wait))),
                    1 => {
                        let _ = at_half.take()?.send(());
                        if let Some(wait) = wait {
                            let _ = wait.await;
                        }
                        Some((Ok(rest), (2, None, at_all, None)))
                    }
                    _ => {
                        let _ = at_all.take()?.send(());
                        None
                    }
                }
            }
        },
    );
    Body::wrap_stream(pieces)
}
