//! Read-your-writes: each write is followed at once by reads of it, by the writer, by another user on another connection, and through a
//! list that refers to it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chaos::history::{Fixture, Size};
use testkit::{Metrics, eventually};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    faults::FaultKind,
    report::{Report, seconds},
    servers::{self, Server},
    testbed::Testbed,
    writer::{Work, Writer},
};

pub const HEADING: &str = "| pairs under | pairs | reads | failed | stale | unmarked reads on the replica | all reads on the replica | took |";

/// Writers at once, each an account.
const USERS: usize = 50;
/// How long what breaks in the middle stays broken.
const BROKEN: Duration = Duration::from_secs(3);
/// The least share of reads, in percent, that a replica must answer where that is asked for.
const ON_THE_REPLICA: f64 = 90.0;
/// How long all of a scenario may take.
const LIMIT: Duration = Duration::from_secs(600);
/// How long it may take until marks can be trusted.
const KNOWN_LIMIT: Duration = Duration::from_secs(60);

/// What the pairs are run under.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    /// `mysql.reads_after_writes`
    mode: &'static str,
    replica_delay_s: u64,
    in_the_middle: FaultKind,
}

const fn scenario(
    name: &'static str,
    mode: &'static str,
    replica_delay_s: u64,
    in_the_middle: FaultKind,
) -> Scenario {
    Scenario {
        name,
        mode,
        replica_delay_s,
        in_the_middle,
    }
}

pub const SCENARIOS: &[Scenario] = &[
    scenario("a replica in time", "gtid", 0, FaultKind::Nothing),
    scenario("a replica 5 s late", "gtid", 5, FaultKind::Nothing),
    scenario(
        "a replica 5 s late, mode mark",
        "mark",
        5,
        FaultKind::Nothing,
    ),
    scenario(
        "a replica 5 s late, Redis emptied",
        "gtid",
        5,
        FaultKind::FlushRedis,
    ),
    scenario(
        "a replica 5 s late, Redis killed",
        "gtid",
        5,
        FaultKind::Kill(Server::Redis),
    ),
];

/// Runs `percent` of all pairs.
pub async fn run(scenario: &Scenario, percent: usize) -> Report {
    let mut bed = Testbed::start(|builder| {
        builder
            .set("mysql.reads_after_writes", scenario.mode)
            .set("mysql.max_lag_s", 10)
            // Short pages, which leave the machine to the writes; what was written a moment ago is on them.
            .set("page.list", 50)
            .set("page.feed", 5)
    })
    .await;
    let size = Size {
        operations: 0,
        users: USERS,
        videos: 20,
        clients: 0,
        think_time: Duration::ZERO,
    };
    let fixture = Fixture::make(&bed.system, &size).await;
    marks_are_known(&bed, &fixture).await;
    if scenario.replica_delay_s > 0 {
        servers::delay_replica(scenario.replica_delay_s).await;
    }
    let work = Arc::new(Work::new(&fixture, percent));
    let (before, begun) = (Reads::of(&bed).await, Instant::now());
    let mut writers = JoinSet::new();
    for account in fixture.users {
        let (work, client, other) = (work.clone(), bed.system.client(), bed.system.client());
        writers.spawn(async move { Writer::new(work, account, client, other).run().await });
    }
    eventually(LIMIT, "half of the pairs", async || {
        work.is_half_done().then_some(())
    })
    .await;
    scenario.in_the_middle.begin(&mut bed).await;
    sleep(BROKEN).await;
    scenario.in_the_middle.end(&mut bed).await;
    writers.join_all().await;
    let (took, reads) = (begun.elapsed(), Reads::of(&bed).await.since(&before));
    if scenario.replica_delay_s > 0 {
        servers::delay_replica(0).await;
    }
    bed.end(report(scenario, &work, &reads, took))
}

fn report(scenario: &Scenario, work: &Work, reads: &Reads, took: Duration) -> Report {
    let (pairs, looks) = work.counts();
    let (failed, stale) = (work.failed(), work.stale());
    let (unmarked, all) = (reads.unmarked_on_replica(), reads.all_on_replica());
    let mut report = Report::new(format!(
        "| {} | {pairs} | {looks} | {} | {} | {unmarked:.1} % | {all:.1} % | {} |",
        scenario.name,
        failed.len(),
        stale.len(),
        seconds(took)
    ));
    report.must_be_empty("failed", failed);
    report.must_be_empty("stale", stale);
    let what = format!("{ON_THE_REPLICA} % of the unmarked reads are on the replica: {reads:?}");
    report.must(unmarked >= ON_THE_REPLICA, &what);
    if scenario.replica_delay_s == 0 {
        let what = format!("{ON_THE_REPLICA} % of all reads are on the replica: {reads:?}");
        report.must(all >= ON_THE_REPLICA, &what);
    }
    report
}

/// After a start nobody knows what was written before: until that is settled, everything counts as marked.
async fn marks_are_known(bed: &Testbed, fixture: &Fixture) {
    let client = bed.system.client();
    eventually(KNOWN_LIMIT, "marks that are known", async || {
        let before = Reads::of(bed).await;
        for user in &fixture.users {
            client.works(user.user_id).await.ok();
        }
        let unknown = Reads::of(bed).await.since(&before).sum(&UNKNOWN);
        (unknown == 0.0).then_some(())
    })
    .await;
}

/// Statements of reads that a replica may answer, by the reason why they went where they went.
#[derive(Debug)]
struct Reads(HashMap<&'static str, f64>);

/// Nothing marked these. What a replica lacked and the primary was asked for once more counts as one that it didn't answer.
const UNMARKED: [&str; 5] = [
    "replica",
    "no_replica",
    "replica_failed",
    "schema_behind",
    "row_missing",
];
/// These were marked, or may have been.
const MARKED: [&str; 4] = ["caught_up", "marked", UNKNOWN[0], UNKNOWN[1]];
/// Of these, nobody knows whether they were.
const UNKNOWN: [&str; 2] = ["marks_unknown", "as_of_now"];

impl Reads {
    async fn of(bed: &Testbed) -> Self {
        let services = [
            "user", "video", "favorite", "comment", "relation", "message",
        ];
        let metrics = Metrics::of_services(&bed.system, &services).await;
        let reasons = UNMARKED.into_iter().chain(MARKED);
        let sum = |reason| {
            metrics.sum(
                "sql_statements_total",
                &[("verb", "read"), ("reason", reason)],
            )
        };
        Self(reasons.map(|reason| (reason, sum(reason))).collect())
    }

    fn since(self, before: &Self) -> Self {
        let since = |(reason, sum)| (reason, sum - before.0[reason]);
        Self(self.0.into_iter().map(since).collect())
    }

    fn sum(&self, reasons: &[&str]) -> f64 {
        reasons.iter().map(|reason| self.0[reason]).sum()
    }

    /// In percent.
    fn unmarked_on_replica(&self) -> f64 {
        100.0 * self.sum(&["replica"]) / self.sum(&UNMARKED)
    }

    /// In percent.
    fn all_on_replica(&self) -> f64 {
        let all = self.sum(&UNMARKED) + self.sum(&MARKED);
        100.0 * self.sum(&["replica", "caught_up", "as_of_now"]) / all
    }
}
