//! One trace per request, through every process and its dependencies.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use reqwest::{Method, multipart};
use testkit::{Process, TraceSpan, Traces, eventually, media};

use crate::system_builder;

/// By when the processes have sent what they collect.
const SOON: Duration = Duration::from_secs(30);
/// The span of the one who asks.
const CALLER: &str = "00f067aa0ba902b7";

/// A header that asks for a trace, or for none.
fn traceparent(trace_id: &str, sampled: bool) -> String {
    format!("00-{trace_id}-{CALLER}-0{}", u8::from(sampled))
}

/// The spans of a trace, once all wanted ones ("service name") and the parent of every span have arrived. Each process exports its spans at
/// its own time, so a child may arrive before its parent.
async fn trace(traces: &Traces, trace_id: &str, wanted: &[&str]) -> Vec<TraceSpan> {
    let what = format!("the spans of {trace_id}: {wanted:?}");
    eventually(SOON, &what, async || {
        let spans = traces.of(trace_id);
        let there = labels(&spans);
        let ids: HashSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
        let is_whole = spans
            .iter()
            .all(|span| span.parent == CALLER || ids.contains(span.parent.as_str()));
        let is_there = wanted.iter().all(|one| there.contains(*one));
        (is_whole && is_there).then_some(spans)
    })
    .await
}

fn labels(spans: &[TraceSpan]) -> BTreeSet<String> {
    let label = |span: &TraceSpan| format!("{} {}", span.service, span.name);
    spans.iter().map(label).collect()
}

/// Each is a part of another, of the process's own where it is a call; only the first is the caller's.
fn assert_whole(spans: &[TraceSpan]) {
    let of_caller: Vec<_> = spans.iter().filter(|span| span.parent == CALLER).collect();
    assert_eq!(of_caller.len(), 1, "{spans:#?}");
    assert!(of_caller.iter().all(|span| span.served));
    for span in spans.iter().filter(|span| span.parent != CALLER) {
        let parent = spans.iter().find(|other| other.id == span.parent);
        let parent = parent.unwrap_or_else(|| panic!("{span:?} hangs in the air: {spans:#?}"));
        assert_eq!(
            span.served,
            span.service != parent.service,
            "{span:?} {parent:?}"
        );
    }
    let ids: HashSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    assert_eq!(ids.len(), spans.len(), "an id is there twice");
}

fn traced_lines(process: &Process, trace_id: &str) -> usize {
    let lines = process.log_lines();
    let of_trace = |line: &&serde_json::Value| line["span"]["trace_id"] == trace_id;
    lines.iter().filter(of_trace).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_one_trace_through_every_process_down_to_sql_redis_and_the_object_store() {
    let traces = Traces::receive().await;
    let system = system_builder()
        .set("trace.endpoint", traces.endpoint())
        // Who asks here is one.
        .set("http.trusted_proxies", "127.0.0.1")
        .start()
        .await;
    let client = system.client();
    let account = client.new_account().await;

    let publish_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let file = multipart::Part::bytes(media::mp4()).file_name("film.mp4");
    let form = multipart::Form::new()
        .text("token", account.token.clone())
        .text("title", "traced")
        .part("data", file);
    let publish = client
        .request(Method::POST, "/douyin/publish/action/")
        .header("traceparent", traceparent(publish_id, true))
        .multipart(form);
    client.send(publish).await.ok();
    let spans = trace(
        &traces,
        publish_id,
        &[
            "api POST /douyin/publish/action/",
            "api video/publish",
            "video publish",
            "video write primary",
        ],
    )
    .await;
    assert_whole(&spans);
    for process in ["api", "video"] {
        let of_store =
            |span: &&TraceSpan| span.service == process && span.name.starts_with("object store ");
        assert!(spans.iter().any(|span| of_store(&span)), "{spans:#?}");
        assert!(spans.iter().all(|span| !span.failed), "{spans:#?}");
        assert!(traced_lines(&system.instances(process)[0], publish_id) > 0);
    }

    let video = client.feed(&[]).await.ok()["video_list"][0]["id"]
        .as_i64()
        .unwrap();
    let like_id = "4bf92f3577b34da6a3ce929d0e0e4737";
    let video_id = video.to_string();
    let query = [
        ("token", account.token.as_str()),
        ("video_id", &video_id),
        ("action_type", "1"),
    ];
    let like = client
        .request(Method::POST, "/douyin/favorite/action/")
        .query(&query)
        .header("traceparent", traceparent(like_id, true));
    client.send(like).await.ok();
    let spans = trace(
        &traces,
        like_id,
        &[
            "api POST /douyin/favorite/action/",
            "favorite mysql shared write",
        ],
    )
    .await;
    assert_whole(&spans);

    let feed_id = "4bf92f3577b34da6a3ce929d0e0e4738";
    let feed = client
        .request(Method::GET, "/douyin/feed/")
        .query(&[("token", &account.token)])
        .header("traceparent", traceparent(feed_id, true));
    client.send(feed).await.ok();
    let spans = trace(
        &traces,
        feed_id,
        &["api GET /douyin/feed/", "video feed", "favorite mget_flags"],
    )
    .await;
    assert_whole(&spans);
    let redis = spans.iter().any(|span| span.name.starts_with("redis "));
    assert!(redis, "{spans:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_decides_what_is_traced_and_a_bad_header_decides_nothing() {
    let traces = Traces::receive().await;
    let system = system_builder()
        .set("trace.endpoint", traces.endpoint())
        // Who asks here is one.
        .set("http.trusted_proxies", "127.0.0.1")
        .set("trace.sample_ratio", 0)
        .start()
        .await;
    let client = system.client();
    let (no_id, yes_id) = (
        "4bf92f3577b34da6a3ce929d0e0e4739",
        "4bf92f3577b34da6a3ce929d0e0e473a",
    );
    for header in [
        traceparent(no_id, false),
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01".to_owned(),
        "nonsense".to_owned(),
        traceparent(yes_id, true),
    ] {
        let feed = client
            .request(Method::GET, "/douyin/feed/")
            .header("traceparent", header);
        client.send(feed).await.ok();
    }
    let spans = trace(&traces, yes_id, &["api GET /douyin/feed/", "video feed"]).await;
    let count = traces.count();
    assert_eq!(count, spans.len(), "only the last was to be traced");
    assert_eq!(traces.of(no_id).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_trace_is_neither_continued_nor_sampled_for_it() {
    let traces = Traces::receive().await;
    let system = system_builder()
        .set("trace.endpoint", traces.endpoint())
        .set("trace.sample_ratio", 0)
        .start()
        .await;
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e473b";
    let client = system.client();
    for forwarded in [None, Some("127.0.0.1")] {
        let mut feed = client
            .request(Method::GET, "/douyin/feed/")
            .header("traceparent", traceparent(trace_id, true));
        if let Some(address) = forwarded {
            feed = feed.header("x-forwarded-for", address);
        }
        client.send(feed).await.ok();
    }
    // Ended, each process has sent what it collected.
    for service in ["api", "video"] {
        let process = &system.instances(service)[0];
        process.terminate();
        process.ended(SOON).await;
        assert_eq!(traced_lines(process, trace_id), 0);
    }
    assert_eq!(traces.count(), 0, "{:#?}", traces.of(trace_id));
}
