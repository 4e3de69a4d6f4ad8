//! Metrics are rendered as they were recorded, and every metric of the dashboard and of the alerts exists.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use telemetry::metrics::{self, FAMILIES, Family, Kind, Routing, Server, UploadOutcome, Verb};
use tokio::sync::Semaphore;

/// The recorder is the process's: tests that look at numbers record under labels of their own.
fn render() -> String {
    metrics::install("test").unwrap();
    metrics::render()
}

fn value(series: &str) -> Option<f64> {
    let text = render();
    let line = text.lines().find(|line| line.starts_with(series))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn a_request_is_counted_and_timed_by_its_route() {
    render();
    for ms in [3, 30, 300] {
        metrics::http_request("/a/", "GET", 200, Duration::from_millis(ms));
    }
    metrics::http_request("/a/", "GET", 503, Duration::from_millis(1));
    let requests = r#"http_requests_total{service="test",route="/a/",method="GET","#;
    assert_eq!(value(&format!(r#"{requests}status="200"}}"#)), Some(3.0));
    assert_eq!(value(&format!(r#"{requests}status="503"}}"#)), Some(1.0));
    let within = |le: &str| {
        let name = "http_request_duration_seconds_bucket";
        value(&format!(
            r#"{name}{{service="test",route="/a/",le="{le}"}}"#
        ))
    };
    assert_eq!(
        (within("0.005"), within("0.05"), within("+Inf")),
        (Some(2.0), Some(3.0), Some(4.0))
    );
}

#[test]
fn each_family_has_a_help_text_and_a_type() {
    render();
    metrics::sql(
        Verb::Read,
        Server::Replica(0),
        Routing::Replica,
        Duration::ZERO,
    );
    let text = render();
    assert!(
        text.contains("# HELP sql_statements_total Statements, by"),
        "{text}"
    );
    assert!(
        text.contains("# TYPE sql_statements_total counter"),
        "{text}"
    );
    assert!(
        text.contains("# TYPE sql_duration_seconds histogram"),
        "{text}"
    );
    let statement = r#"sql_statements_total{service="test",verb="read",server="replica-1","#;
    assert!(text.contains(statement), "{text}");
}

#[test]
fn work_under_way_is_counted_until_it_ends_however_it_does() {
    render();
    let (one, two) = (metrics::Upload::begin(), metrics::Upload::begin());
    assert_eq!(value(r#"uploads_in_progress{service="test"}"#), Some(2.0));
    one.end(UploadOutcome::Published);
    drop(two);
    assert_eq!(value(r#"uploads_in_progress{service="test"}"#), Some(0.0));
    for outcome in ["published", "abandoned"] {
        let series = format!(r#"uploads_total{{service="test",outcome="{outcome}"}}"#);
        assert_eq!(value(&series), Some(1.0));
    }
}

#[test]
fn a_semaphore_is_shown_as_it_is_when_it_is_asked_for() {
    render();
    let semaphore = Arc::new(Semaphore::new(3));
    metrics::watch_semaphore("shown", &semaphore, 3);
    let used = || value(r#"semaphore_permits_used{service="test",semaphore="shown"}"#);
    assert_eq!(used(), Some(0.0));
    let _permit = semaphore.try_acquire_many(2).unwrap();
    assert_eq!(used(), Some(2.0));
}

#[test]
fn the_process_is_shown() {
    let text = render();
    assert!(
        text.contains("build_info{service=\"test\",version="),
        "{text}"
    );
    for family in [
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_max_fds",
    ] {
        let value = value(&format!(r#"{family}{{service="test"}}"#));
        assert!(
            value.is_some_and(|value| value > 0.0),
            "{family}: {value:?}"
        );
    }
}

#[test]
fn names_follow_prometheus() {
    let mut names = BTreeSet::new();
    for family in FAMILIES {
        let name = family.name;
        assert!(names.insert(name), "{name} is there twice");
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(name.chars().all(plain), "{name}");
        assert_eq!(
            name.ends_with("_total"),
            family.kind == Kind::Counter,
            "{name}"
        );
        assert!(family.help.ends_with('.'), "{name}: {}", family.help);
    }
}

/// Every word in a query that is followed by `{` or is an argument: whatever looks like a metric's name.
fn asked(query: &str) -> BTreeSet<String> {
    // What stands in quotes or in brackets is a label's value, or a range.
    let mut text = String::new();
    let mut hidden = None;
    for c in query.chars() {
        match (hidden, c) {
            (None, '"') => hidden = Some('"'),
            (None, '[') => hidden = Some(']'),
            (Some(end), c) if end == c => hidden = None,
            (None, c) => text.push(c),
            _ => {}
        }
    }
    let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    let words = words.filter(|word| word.contains('_') && *word != "histogram_quantile");
    words.map(str::to_owned).collect()
}

fn asked_by_the_dashboard() -> BTreeSet<String> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../scripts/deploy/dashboard.json"
    );
    let dashboard: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    targets
        .flat_map(|target| asked(target["expr"].as_str().expect("a query")))
        .collect()
}

fn recorded() -> BTreeSet<String> {
    let name = |family: &Family| match family.kind {
        Kind::Histogram => format!("{}_bucket", family.name),
        _ => family.name.to_owned(),
    };
    FAMILIES.iter().map(name).collect()
}

#[test]
fn the_dashboard_asks_for_what_is_recorded_and_leaves_nothing_out() {
    let asked = asked_by_the_dashboard();
    let recorded = recorded();
    let difference: Vec<_> = asked.symmetric_difference(&recorded).collect();
    assert!(difference.is_empty(), "on one side only: {difference:?}");
}

#[test]
fn the_alerts_ask_for_what_is_recorded() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../scripts/deploy/alerts.yaml"
    );
    let rules = std::fs::read_to_string(path).unwrap();
    let queries = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr: "));
    let asked: BTreeSet<String> = queries.flat_map(asked).collect();
    assert!(asked.len() >= 10, "{asked:?}");
    let recorded = recorded();
    let unknown: Vec<_> = asked.difference(&recorded).collect();
    assert!(unknown.is_empty(), "nobody records {unknown:?}");
}
