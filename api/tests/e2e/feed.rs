//! The feed's pages: nothing twice, nothing left out, and few calls.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use testkit::{Client, Process, System, eventually};

use crate::{
    shapes::{feed_page, videos},
    system_builder,
};

/// The second that the films of these tests were published around.
const SECOND: i64 = 1_700_000_000;

/// Puts films right into the database, one for each time; their authors are three, in turns.
pub async fn seed(system: &System, published_ms: impl Iterator<Item = i64>) {
    let users = "INSERT IGNORE INTO users (id, name, password_hash) VALUES (1, 'Ann', '-'), (2, 'Ben', '-'), (3, 'Cho', '-')";
    system.database().execute(users).await;
    let rows: Vec<String> = published_ms
        .map(|ms| {
            let author = ms % 3 + 1;
            format!("({author}, 'Film {ms}', 'v/{ms}.mp4', 'c/{ms}.jpg', 1, '{:064}', 1000, 180, 320, {ms})", 0)
        })
        .collect();
    let insert = format!(
        "INSERT INTO videos (author_id, title, object_key, cover_key, size_bytes, sha256, duration_ms, width, height, published_ms) VALUES {}",
        rows.join(", ")
    );
    system.database().execute(&insert).await;
    system.database().replicas_caught_up().await;
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

/// Publish times on the page for a `latest_time`, newest first.
async fn times(client: &Client, latest_time: &str) -> Vec<i64> {
    let (page, _) = feed_page(&client.feed(&[("latest_time", latest_time)]).await.ok());
    page.iter()
        .map(|video| video["create_time"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn pages_of_30_show_each_film_once_until_the_client_starts_over() {
    let system = system_builder().start().await;
    let client = system.client();
    let empty = feed_page(&client.feed(&[]).await.ok());
    assert!(
        empty.0.is_empty() && (empty.1 - now_ms()).abs() < 60_000,
        "{empty:?}"
    );

    // Dense and sparse times: neighbours are one millisecond apart, or seconds.
    let all: Vec<i64> = (0..65)
        .map(|n| SECOND * 1000 + if n < 40 { n } else { n * 997 })
        .collect();
    seed(&system, all.iter().copied()).await;
    let mut shown = Vec::new();
    let mut latest_time = String::new();
    for expected in [30, 30, 5, 0] {
        let reply = client.feed(&[("latest_time", &latest_time)]).await.ok();
        let (page, next_time) = feed_page(&reply);
        assert_eq!(page.len(), expected);
        for video in &page {
            let ms = video["create_time"].as_i64().unwrap();
            assert_eq!(video["title"], format!("Film {ms}"));
            assert_eq!(video["author"]["id"], ms % 3 + 1);
            assert_eq!(
                video["author"]["name"],
                ["Ann", "Ben", "Cho"][(ms % 3) as usize]
            );
            shown.push(ms);
        }
        match shown.last() {
            Some(oldest) if expected > 0 => assert_eq!(next_time, *oldest),
            _ => assert!(
                (next_time - now_ms()).abs() < 60_000,
                "{next_time} is not now"
            ),
        }
        latest_time = next_time.to_string();
    }
    // The last next_time starts over.
    assert_eq!(times(&client, &latest_time).await, shown[..30]);
    let newest_first: Vec<i64> = all.into_iter().rev().collect();
    assert_eq!(shown, newest_first);
}

#[tokio::test]
async fn starting_over_shows_the_newest_also_when_the_clock_that_stamped_it_is_ahead_of_the_apis() {
    let system = system_builder().start().await;
    let client = system.client();
    let ahead = now_ms() + 90_000;
    seed(&system, [SECOND * 1000, ahead].into_iter()).await;
    let older_than_all = (SECOND * 1000).to_string();
    let end = client.feed(&[("latest_time", &older_than_all)]).await.ok();
    let (page, next_time) = feed_page(&end);
    assert_eq!(page.len(), 0);
    assert_eq!(
        times(&client, &next_time.to_string()).await,
        [ahead, SECOND * 1000]
    );
}

#[tokio::test]
async fn latest_time_is_read_in_seconds_and_milliseconds_and_refused_when_odd() {
    let system = system_builder().start().await;
    let client = system.client();
    let ms = SECOND * 1000;
    let all = [ms + 1000, ms + 999, ms + 500, ms, ms - 1];
    seed(&system, all.into_iter()).await;

    let (tomorrow, tomorrow_ms) = (now_ms() / 1000 + 86_400, now_ms() + 86_400_000);
    for unbounded in [
        String::new(),
        "0".to_owned(),
        "0.0".to_owned(),
        tomorrow.to_string(),
        tomorrow_ms.to_string(),
        "100000000000".to_owned(),
        i64::MAX.to_string(),
        "9.2e18".to_owned(),
    ] {
        assert_eq!(
            times(&client, &unbounded).await,
            all,
            "latest_time={unbounded}"
        );
    }
    // Seconds mean the end of that second.
    assert_eq!(times(&client, &SECOND.to_string()).await, all[1..]);
    assert_eq!(times(&client, &format!("{SECOND}.0")).await, all[1..]);
    assert_eq!(times(&client, "1.7e+09").await, all[1..]);
    assert_eq!(times(&client, &(SECOND - 1).to_string()).await, all[4..]);
    // Milliseconds are exact, and the bound itself is left out.
    for (n, time) in all.iter().enumerate() {
        assert_eq!(
            times(&client, &time.to_string()).await,
            all[n + 1..],
            "latest_time={time}"
        );
    }
    assert_eq!(times(&client, "1.7000000005e12").await, all[3..]);
    assert_eq!(times(&client, "1").await, [0_i64; 0]);

    for odd in [
        "-1",
        "-0.5",
        "abc",
        "1.5",
        "9223372036854775808",
        "1e19",
        "-9223372036854775809",
        "NaN",
        "1700000000s",
    ] {
        let body = client.feed(&[("latest_time", odd)]).await.refused(10001);
        assert!(
            body["status_msg"].as_str().unwrap().contains("latest_time"),
            "{odd}: {body}"
        );
    }
}

/// The API's line about a request.
pub async fn access_log_line(api: &Process, request_id: &str) -> serde_json::Value {
    eventually(
        Duration::from_secs(5),
        "the line in the access log",
        async || {
            api.log_lines().into_iter().find(|line| {
                field(line, "message") == Some(&"request".into())
                    && line.to_string().contains(request_id)
            })
        },
    )
    .await
}

/// A field of a JSON log line, wherever the format puts it.
pub fn field<'a>(line: &'a serde_json::Value, name: &str) -> Option<&'a serde_json::Value> {
    line.get(name).or_else(|| line.get("fields")?.get(name))
}

#[tokio::test]
async fn a_warm_page_of_30_costs_one_rpc_and_one_statement_and_a_viewers_likes_as_much_again() {
    let system = system_builder().start().await;
    let client = system.client();
    let account = client.new_account().await;
    seed(&system, (0..40).map(|n| SECOND * 1000 + n * 1001)).await;
    let of_viewer = ("token", account.token.as_str());
    for (query, most, services) in [
        (vec![], 1, &["video"][..]),
        (vec![of_viewer], 2, &["video", "favorite"]),
    ] {
        // Warms the counters. On a busy machine a command of Redis may miss its deadline meanwhile, and then not all are.
        let what = format!("a page within {most} RPCs and {most} statements");
        let (id, line) = eventually(Duration::from_secs(10), &what, async || {
            let reply = client.feed(&query).await;
            let id = reply.request_id().to_owned();
            assert_eq!(feed_page(&reply.ok()).0.len(), 30);
            let line = access_log_line(system.api(), &id).await;
            let within = |cost| {
                let spent = field(&line, cost).and_then(serde_json::Value::as_i64);
                (1..=most).contains(&spent.unwrap())
            };
            (within("rpcs") && within("sql")).then_some((id, line))
        })
        .await;
        for (name, value) in [("route", "/douyin/feed/".into()), ("status", 200.into())] {
            assert_eq!(field(&line, name), Some(&value), "{line}");
        }
        assert!(field(&line, "latency_ms").is_some(), "{line}");
        for service in services {
            let what = format!("the request's id in the log of {service}");
            eventually(Duration::from_secs(5), &what, async || {
                system.instances(service)[0]
                    .log()
                    .contains(&id)
                    .then_some(())
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_crowd_shares_the_reads_of_a_page() {
    let system = system_builder().start().await;
    let client = system.client();
    seed(&system, (0..40).map(|n| SECOND * 1000 + n * 1001)).await;
    // A busy machine may spread a crowd over time, so that few meet.
    eventually(
        Duration::from_secs(20),
        "most of a crowd costs no RPC",
        async || {
            let crowd = (0..64).map(|_| client.feed(&[]));
            let replies = futures::future::join_all(crowd).await;
            let mut shared = 0;
            for reply in replies {
                let id = reply.request_id().to_owned();
                assert_eq!(feed_page(&reply.ok()).0.len(), 30);
                let line = access_log_line(system.api(), &id).await;
                shared += usize::from(field(&line, "rpcs") == Some(&0.into()));
            }
            (shared > 32).then_some(())
        },
    )
    .await;
}

#[tokio::test]
async fn the_list_of_works_is_bounded_and_pages_on() {
    let system = system_builder().set("page.list", 10).start().await;
    let client = system.client();
    seed(&system, (0..75).map(|n| SECOND * 1000 + n)).await;
    let mut shown = Vec::new();
    let mut before = None;
    for expected in [10, 10, 5] {
        let mut query = vec![("user_id", "1".to_owned())];
        query.extend(before.map(|id: i64| ("before", id.to_string())));
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let reply = client.publish_list(&query).await.ok();
        let page = videos(&reply);
        assert_eq!(page.len(), expected);
        assert_eq!(reply["has_more"], expected == 10, "{}", shown.len());
        shown.extend(page.iter().map(|video| video["id"].as_i64().unwrap()));
        before = reply["next_before"].as_i64();
    }
    assert_eq!(before, Some(0));
    assert!(
        shown.is_sorted_by(|newer, older| newer > older),
        "{shown:?}"
    );
    client
        .publish_list(&[("user_id", "1"), ("before", "x")])
        .await
        .refused(10001);
}
