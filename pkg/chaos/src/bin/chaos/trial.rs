//! Runs a workload while one fault happens, and checks the history.

use std::time::{Duration, Instant};

use chaos::history::{Fixture, Operation, Reference, Size, Verdict, Workload};
use tokio::time::sleep;

use crate::{
    faults::{Fault, FaultKind, MayFail},
    partitions::PreparedPartition,
    publishers::{self, Found, Publishers},
    report::{Report, seconds},
    testbed::Testbed,
};

pub const HEADING: &str = "| fault | requests | failed writes | failed reads | lost | doubled | stale | recovered after |";

/// Before it breaks, and after it is repaired.
const WHOLE: Duration = Duration::from_secs(4);
/// What is broken may be noticed by failures for so long.
const GRACE: Duration = Duration::from_secs(2);
/// A mixed load that leaves the machine some room: what fails then fails of the fault.
const SIZE: Size = Size {
    operations: 0,
    users: 40,
    videos: 12,
    clients: 16,
    think_time: Duration::from_millis(40),
};

/// The moments of a trial.
struct Times {
    broken: Instant,
    repaired: Instant,
}

/// Runs a workload, injects the fault, repairs it, and compares everything.
pub async fn run(fault: &Fault) -> Report {
    let prepared = fault.kind.prepare().await;
    let mut bed = Testbed::start(|builder| {
        let builder = fault.kind.settings(builder);
        match &prepared {
            Some(prepared) => prepared.settings(builder),
            None => builder,
        }
    })
    .await;
    bed.partition = prepared.map(PreparedPartition::into_partition);
    let fixture = Fixture::make(&bed.system, &SIZE).await;
    let workload = Workload::start(&bed.system, fixture.clone(), SIZE);
    // A short fault would mostly meet none of them.
    let publishers = match fault.kind {
        FaultKind::Partition(_) => Some(Publishers::start(&bed.system, &fixture)),
        _ => None,
    };
    sleep(WHOLE).await;
    let broken = Instant::now();
    fault.kind.begin(&mut bed).await;
    sleep(fault.lasts).await;
    fault.kind.end(&mut bed).await;
    let repaired = Instant::now();
    sleep(WHOLE).await;
    let mut reference = workload.finish().await;
    let mut found = Found::default();
    if let Some(publishers) = publishers {
        let work = publishers.finish().await;
        found = work.found(&bed.system).await;
        reference.history.extend(work.history);
    }
    let last_write = tokio::time::Instant::now();
    let verdict = Verdict::of(&bed.system, &fixture, &reference, last_write).await;
    let mut verdict = verdict.and_replicas(&bed.system, &reference).await;
    verdict.lost.extend(found.lost);
    verdict.doubled.extend(found.doubled);
    verdict.stale.extend(found.stale);
    fault.kind.leave().await;
    let times = Times { broken, repaired };
    bed.end(report(fault, &reference, &verdict, &times))
}

fn report(fault: &Fault, reference: &Reference, verdict: &Verdict, times: &Times) -> Report {
    let failed: Vec<&Operation> = reference
        .history
        .iter()
        .filter(|operation| operation.failure().is_some())
        .collect();
    let requests = reference.history.len();
    let writes = failed.iter().filter(|operation| operation.is_write).count();
    let reads = failed.len() - writes;
    let (lost, doubled) = (verdict.lost.len(), verdict.doubled.len());
    let stale = verdict.stale.len();
    let recovered = seconds(recovered_after(fault, &failed, reference, times));
    let row = format!(
        "| {} | {requests} | {writes} | {reads} | {lost} | {doubled} | {stale} | {recovered} |",
        fault.name
    );
    let mut report = Report::new(row);
    report.must_be_empty("lost", verdict.lost.clone());
    report.must_be_empty("doubled", verdict.doubled.clone());
    report.must_be_empty("stale", verdict.stale.clone());
    let wrongly = failed
        .iter()
        .filter(|failed| !may_fail(fault, failed, times));
    let wrongly = wrongly.map(|operation| told(operation, times));
    report.must_be_empty("failed", wrongly.collect());
    report.must_be_empty("reconcile", verdict.differences.iter().cloned().collect());
    report
}

fn may_fail(fault: &Fault, operation: &Operation, times: &Times) -> bool {
    let until = match fault.may_fail {
        MayFail::AtFirst => times.broken,
        MayFail::WhileBroken => times.repaired,
        MayFail::WritesWhileBroken if operation.is_write => times.repaired,
        MayFail::WritesWhileBroken => times.broken,
        MayFail::PublishesWhileBroken if operation.what == publishers::WHAT => times.repaired,
        MayFail::PublishesWhileBroken => times.broken,
    };
    operation.ended >= times.broken && operation.began <= until + GRACE
}

fn told(operation: &Operation, times: &Times) -> String {
    let at = |moment: Instant| {
        let after = moment.saturating_duration_since(times.broken);
        let before = times.broken.saturating_duration_since(moment);
        after.as_secs_f64() - before.as_secs_f64()
    };
    format!(
        "{} from {:.2} s to {:.2} s after the break (repaired after {:.2} s): {}",
        operation.what,
        at(operation.began),
        at(operation.ended),
        at(times.repaired),
        operation.failure().unwrap_or_default()
    )
}

/// From the break to the last bad answer; where things fail as long as it is broken, from its end.
fn recovered_after(
    fault: &Fault,
    failed: &[&Operation],
    reference: &Reference,
    times: &Times,
) -> Duration {
    let from = match fault.may_fail {
        MayFail::AtFirst => times.broken,
        _ => times.repaired,
    };
    let wrong = reference.stale.iter().chain(&reference.denied);
    let bad = failed
        .iter()
        .map(|operation| operation.ended)
        .chain(wrong.map(|wrong| wrong.at));
    bad.max()
        .map_or(Duration::ZERO, |last| last.saturating_duration_since(from))
}
