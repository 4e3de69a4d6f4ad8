//! The whole system with TLS to everything behind it: database, Redis, etcd, the object store, the collector of traces. Certificates are
//! the test's own.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use testkit::{
    Certificates, Client, Etcd, Process, Redis, TlsDatabase, TlsProxy, Traces, environment,
    eventually,
};

use crate::{scene::publish_video, shapes::videos, system_builder};

/// By when a process has looked at what it depends on, or sent what it collected.
const SOON: Duration = Duration::from_secs(30);
const SERVICES: [&str; 5] = ["api", "user", "video", "favorite", "comment"];

/// What /readyz of a process says.
async fn readiness(process: &Process) -> Value {
    let admin = Client::new(&format!("http://{}", process.admin_address().await));
    admin.get("/readyz", &[]).await.body
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_works_with_tls_behind_it_and_says_what_it_does_not_trust() {
    let certificates = Certificates::make();
    let endpoint = environment::s3_endpoint();
    let (mysql, redis, etcd, traces, store) = tokio::join!(
        TlsDatabase::start(&certificates),
        Redis::start_with_tls(&certificates),
        Etcd::start_with_tls(&certificates),
        Traces::receive_with_tls(&certificates),
        TlsProxy::before(endpoint.trim_start_matches("http://"), &certificates),
    );
    let mysql_url = mysql.url("VERIFY_IDENTITY");
    let system = system_builder()
        .set("tls.ca_file", certificates.ca().display())
        .set("mysql.primary_url", &mysql_url)
        .set("mysql.migrate_url", &mysql_url)
        .set("mysql.replica_urls", "")
        .set("redis.url", redis.url())
        .set("etcd.endpoints", etcd.endpoint())
        .set("object_store.endpoint", store.url())
        .set("trace.endpoint", traces.endpoint())
        .set("http.trusted_proxies", "127.0.0.1")
        .start()
        .await;
    let client = system.client();
    let account = client.new_account().await;
    let video_id = publish_video(&client, &account).await;
    client.like(&account.token, video_id).await.ok();
    client.comment(&account.token, video_id, "Well").await.ok();
    let feed = client.feed(&[("token", &account.token)]).await;
    let feed = videos(&feed.ok())[0].clone();
    assert_eq!(
        (&feed["favorite_count"], &feed["comment_count"]),
        (&1.into(), &1.into())
    );
    for service in SERVICES {
        let process = &system.instances(service)[0];
        let what = format!("{service} is up");
        eventually(SOON, &what, async || {
            let report = readiness(process).await;
            (report["state"] == "up").then_some(())
        })
        .await;
    }
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4750";
    let traced = client
        .request(Method::GET, "/douyin/feed/")
        .header("traceparent", format!("00-{trace_id}-00f067aa0ba902b7-01"));
    client.send(traced).await.ok();
    eventually(SOON, "the trace", async || {
        let spans = traces.of(trace_id);
        let is_video = |span: &testkit::TraceSpan| span.service == "video";
        spans.iter().any(is_video).then_some(())
    })
    .await;

    // Without the CA nothing behind it is trusted, and that is what it says.
    let mut variables = system.variables().clone();
    variables.remove("DOUSHENG_TLS__CA_FILE");
    let stranger = Process::workspace_binary("video", &variables);
    eventually(SOON, "what a stranger says", async || {
        let report = readiness(&stranger).await;
        let distrusts = |name: &&str| {
            let reason = report["checks"][*name]["reason"].as_str();
            reason.is_some_and(|reason| reason.contains("UnknownIssuer"))
        };
        let all = ["primary", "object_store", "etcd"];
        all.iter().all(distrusts).then_some(())
    })
    .await;
    let log = stranger.log();
    for line in ["no connection to Redis", "UnknownIssuer", "tls.ca_file"] {
        assert!(log.contains(line), "{line}");
    }
}
