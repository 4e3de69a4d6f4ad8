//! Readiness: states, rounds and checks that hang.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Barrier;

use super::*;

fn readiness() -> Readiness {
    Readiness::new("test", Stopping::never())
}

/// A check that is good while the switch is on, and counts how often it was asked.
fn switched(readiness: &Readiness, name: &str, need: Need) -> (Arc<AtomicBool>, Arc<AtomicUsize>) {
    let (good, asked) = (
        Arc::new(AtomicBool::new(true)),
        Arc::new(AtomicUsize::new(0)),
    );
    let (is_good, count) = (good.clone(), asked.clone());
    readiness.add(name, need, move || {
        count.fetch_add(1, Ordering::SeqCst);
        let good = is_good.load(Ordering::SeqCst);
        async move { if good { Ok(()) } else { Err("no connection") } }
    });
    (good, asked)
}

/// Lets the last round grow old.
async fn later() {
    tokio::time::sleep(REPORT_TTL).await;
}

#[tokio::test]
async fn what_is_required_takes_the_process_down_and_what_is_optional_degrades_it() {
    let readiness = readiness();
    let (required, _) = switched(&readiness, "primary", Need::Required);
    let (optional, _) = switched(&readiness, "replica", Need::Optional);
    for (required_good, optional_good, state) in [
        (true, true, State::Up),
        (true, false, State::Degraded),
        (false, true, State::Down),
        (false, false, State::Down),
        (true, true, State::Up),
    ] {
        required.store(required_good, Ordering::SeqCst);
        optional.store(optional_good, Ordering::SeqCst);
        let report = readiness.report().await;
        assert_eq!(report.state, state);
        let reason = report.checks["replica"].reason.as_deref();
        assert_eq!(reason, (!optional_good).then_some("no connection"));
        later().await;
    }
}

#[tokio::test]
async fn one_round_serves_all_who_ask_within_a_second() {
    let readiness = readiness();
    let (_, asked) = switched(&readiness, "primary", Need::Required);
    join_all((0..50).map(|_| readiness.report())).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    later().await;
    join_all((0..50).map(|_| readiness.report())).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn checks_that_hang_cost_one_limit_together() {
    let readiness = readiness();
    // Each waits until all three run, and then hangs: one after the other, none would come that far.
    let (together, hanging) = (Arc::new(Barrier::new(3)), Arc::new(AtomicUsize::new(0)));
    for name in ["a", "b", "c"] {
        let (together, hanging) = (together.clone(), hanging.clone());
        readiness.add(name, Need::Optional, move || {
            let (together, hanging) = (together.clone(), hanging.clone());
            async move {
                together.wait().await;
                hanging.fetch_add(1, Ordering::SeqCst);
                std::future::pending::<Result<(), String>>().await
            }
        });
    }
    let report = readiness.report().await;
    assert_eq!(hanging.load(Ordering::SeqCst), 3, "they run at once");
    assert_eq!(report.state, State::Degraded);
    let reason = report.checks["b"].reason.as_deref();
    assert_eq!(reason, Some("no answer within 1000 ms"));
}

#[tokio::test]
async fn a_process_that_stops_is_down_whatever_it_depends_on() {
    let readiness = Readiness::new("test", Stopping::now());
    let (_, asked) = switched(&readiness, "primary", Need::Required);
    let report = readiness.report().await;
    assert_eq!(report.state, State::Down);
    assert_eq!(report.checks["process"].reason.as_deref(), Some("stopping"));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[test]
fn a_report_is_read_as_it_is_written() {
    let inner = Finding {
        state: State::Down,
        required: false,
        took_ms: 3,
        reason: Some("no connection".to_owned()),
        checks: BTreeMap::new(),
    };
    let outer = Finding {
        state: State::Degraded,
        required: true,
        took_ms: 4,
        reason: None,
        checks: BTreeMap::from([("replica".to_owned(), inner)]),
    };
    let report = Report {
        service: "test".to_owned(),
        state: State::Degraded,
        checks: BTreeMap::from([("user".to_owned(), outer)]),
    };
    let json = serde_json::to_string(&report).unwrap();
    assert!(json.contains(r#""state":"degraded""#), "{json}");
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}
