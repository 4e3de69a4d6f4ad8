//! Long lists: what lies a thousand pages deep costs what the first page costs. How many rows each query touches, the data
//! layer's own tests measure.

use reqwest::Method;
use testkit::{Client, Reply, System};

use crate::{
    feed::{access_log_line, field},
    scene::ids,
    shapes::{comments, videos},
    system_builder,
};

/// Entries of a page here.
const PAGE: i64 = 3;
const PAGES: i64 = 1000;
const ENTRIES: i64 = PAGE * PAGES;
/// How often each page is asked for.
const TRIES: usize = 4;

/// One author's films, all liked and all commented by one fan; a list's newest has the highest id.
async fn fill(system: &System) {
    let rows = |row: &dyn Fn(i64) -> String| (1..=ENTRIES).map(row).collect::<Vec<_>>().join(",");
    for insert in [
        "INSERT INTO users (id, name, password_hash) VALUES (1, 'Ann', '-'), (2, 'Ben', '-')"
            .to_owned(),
        format!(
            "INSERT INTO videos (id, author_id, title, object_key, cover_key, size_bytes, sha256, duration_ms, width, height, published_ms) VALUES {}",
            rows(&|n| format!(
                "({n}, 1, 't', 'k{n}', 'c', 1, '', 1, 1, 1, {})",
                1_700_000_000_000 + n
            ))
        ),
        format!(
            "INSERT INTO favorites (user_id, video_id, author_id, liked_us, batch) VALUES {}",
            rows(&|n| format!("(2, {n}, 1, {n}, 0)"))
        ),
        format!(
            "INSERT INTO comments (id, video_id, user_id, content, created_ms) VALUES {}",
            rows(&|n| format!("({n}, 1, 2, 'c', {n})"))
        ),
    ] {
        system.database().execute(&insert).await;
    }
    system.database().replicas_caught_up().await;
}

/// RPCs and statements of a page at the least, with its last reply: it costs more while a count isn't in Redis, Redis misses a deadline, or
/// a replica is out of rotation.
async fn cost(system: &System, client: &Client, path: &str) -> ((i64, i64), Reply) {
    let (mut costs, mut last) = (Vec::new(), None);
    for _ in 0..TRIES {
        let reply = client.send(client.request(Method::GET, path)).await;
        let line = access_log_line(system.api(), reply.request_id()).await;
        let spent = |name| field(&line, name).and_then(serde_json::Value::as_i64);
        costs.push((spent("rpcs").unwrap(), spent("sql").unwrap()));
        last = Some(reply);
    }
    (costs.into_iter().min().unwrap(), last.unwrap())
}

#[tokio::test]
async fn page_1000_costs_what_page_1_costs() {
    let system = system_builder().set("page.list", PAGE).start().await;
    let client = system.client();
    fill(&system).await;
    for (path, of) in [
        ("/douyin/publish/list/", "user_id=1"),
        ("/douyin/favorite/list/", "user_id=2"),
        ("/douyin/comment/list/", "video_id=1"),
    ] {
        let mut costs = Vec::new();
        for page in [1, 2, PAGES / 2, PAGES] {
            let first = ENTRIES - (page - 1) * PAGE;
            let path = format!("{path}?{of}&before={}", first + 1);
            // The first page has nothing before it.
            let path = if page == 1 {
                path.split("&before").next().unwrap()
            } else {
                &path
            };
            let (cost, reply) = cost(&system, &client, path).await;
            let body = reply.ok();
            let list = if path.contains("comment") {
                comments(&body)
            } else {
                videos(&body)
            };
            assert_eq!(ids(&list), [first, first - 1, first - 2], "{path}");
            assert_eq!(body["has_more"], page < PAGES, "{path}");
            let place = if page < PAGES { first - 2 } else { 0 };
            assert_eq!(body["next_before"], place, "{path}");
            costs.push(cost);
        }
        assert!(
            costs.iter().all(|cost| *cost == costs[0]),
            "{path}: {costs:?}"
        );
    }
}
