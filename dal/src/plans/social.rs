//! The cost of follows, messages and the feed of those who are followed, where somebody has very many of them.

use super::*;
use crate::{
    flags::{self, Shown},
    following_feed, follows,
    messages::{self, Order},
};

/// Followed by many, and follows few.
const FAMOUS: i64 = 1;
const FOLLOWERS: u64 = 30_000;
const FOLLOWED_BY_FAMOUS: u64 = 100;
/// Follows many.
const CURIOUS: i64 = 2;
const FOLLOWED: i64 = 5000;
/// Of each whom the curious one follows.
const VIDEOS_EACH: u64 = 20;
const FIRST_AUTHOR: i64 = 100_001;
/// Have written to each other 200,000 times.
const LONG_CHAT: (i64, i64) = (3, 4);

/// A table of the numbers `n` from 1 to this one, for MariaDB and MySQL alike: their digits, multiplied out.
fn numbers(last: u64) -> String {
    let digits = last.ilog10() + 1;
    let digit = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL \
                 SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    let tables: Vec<String> = (0..digits)
        .map(|place| format!("{digit} AS t{place}"))
        .collect();
    let sum: Vec<String> = (0..digits)
        .map(|place| format!("{} * t{place}.d", 10_u64.pow(place)))
        .collect();
    format!(
        "(SELECT {} AS n FROM {} HAVING n BETWEEN 1 AND {last})",
        sum.join(" + "),
        tables.join(" JOIN ")
    )
}

/// A migrated database with all of that, and one connection to it.
async fn crowded() -> (testkit::Database, DatabaseConnection) {
    let database = testkit::Database::create().await;
    let mysql = mysql(&database);
    crate::migrate(&mysql).await.unwrap();
    let authors = FIRST_AUTHOR - 1;
    for sql in [
        // Their follows first, so that what is newest in the table is the followers'.
        format!(
            "INSERT INTO follows (user_id, followed_id) SELECT {FAMOUS}, 10000 + n FROM {} AS followed",
            numbers(FOLLOWED_BY_FAMOUS)
        ),
        format!(
            "INSERT INTO follows (user_id, followed_id) SELECT {CURIOUS}, {authors} + n FROM {} AS followed",
            numbers(FOLLOWED.unsigned_abs())
        ),
        format!(
            "INSERT INTO follows (user_id, followed_id) SELECT 10000 + n, {FAMOUS} FROM {} AS follower",
            numbers(FOLLOWERS)
        ),
        format!(
            "INSERT INTO videos (author_id, title, object_key, cover_key, size_bytes, sha256, duration_ms, width, height, \
             published_ms) SELECT {authors} + author.n, 't', CONCAT('k', author.n, '-', video.n), 'c', 1, '', 1, 1, 1, \
             {EPOCH} + video.n * {FOLLOWED} + author.n FROM {} AS author JOIN {} AS video",
            numbers(FOLLOWED.unsigned_abs()),
            numbers(VIDEOS_EACH)
        ),
        format!(
            "INSERT INTO conversations (low_id, high_id, last_ms, message_count) SELECT {FAMOUS}, 10000 + n, 100, 100 \
             FROM {} AS peer",
            numbers(1000)
        ),
        format!(
            "INSERT INTO messages (low_id, high_id, created_ms, from_id, content) SELECT {FAMOUS}, 10000 + peer.n, message.n, \
             {FAMOUS}, 'm' FROM {} AS peer JOIN {} AS message",
            numbers(1000),
            numbers(100)
        ),
        format!(
            "INSERT INTO messages (low_id, high_id, created_ms, from_id, content) SELECT 3, 4, n, 3, 'm' FROM {} AS message",
            numbers(200_000)
        ),
        format!(
            "INSERT INTO favorites (user_id, video_id, author_id, liked_us, batch) SELECT user.n, video.n, 1, video.n, 1 \
             FROM {} AS user JOIN {} AS video",
            numbers(1000),
            numbers(100)
        ),
        "ANALYZE NO_WRITE_TO_BINLOG TABLE follows, videos, conversations, messages, favorites"
            .to_owned(),
    ] {
        database.execute(&sql).await;
    }
    let connection =
        crate::pool::open_replica(&mysql.primary_url, 1, std::time::Duration::from_secs(5));
    (database, connection.unwrap())
}

#[tokio::test]
async fn whoever_has_many_followers_has_no_list_that_costs_more() {
    let (database, db) = crowded().await;
    let page = PAGE + 3;
    // Ids have gaps.
    let place = async |column: &str, whose: i64, n: u64| -> i64 {
        let sql = format!(
            "SELECT id FROM follows WHERE {column} = {whose} ORDER BY id LIMIT 1 OFFSET {n}"
        );
        database.value(&sql).await
    };
    let followed = FOLLOWED.unsigned_abs();
    for n in [FOLLOWERS - 1, FOLLOWERS / 2, 50] {
        let before = place("followed_id", FAMOUS, n).await;
        assert_range(&db, follows::followers_before(FAMOUS, before, PAGE), page).await;
    }
    for n in [followed - 1, followed / 2, 50] {
        let before = place("user_id", CURIOUS, n).await;
        assert_range(&db, follows::follows_before(CURIOUS, before, PAGE), page).await;
    }
    for newest in [
        follows::followers_before(FAMOUS, i64::MAX, PAGE),
        follows::follows_before(FAMOUS, i64::MAX, PAGE),
    ] {
        assert_range(&db, newest, page).await;
    }
    let ids: Vec<i64> = (1..=300).map(|n| 10_000 + n).collect();
    let among = follows::followed_of(FAMOUS, padded(&ids)).build(DbBackend::MySql);
    let (returned, read) = cost(&db, among).await;
    assert_eq!(returned, FOLLOWED_BY_FAMOUS);
    assert!(read <= 2 * 300 + 8, "{read}");
    // What the famous one follows, and the way back of each; nothing of the 30,000 who follow.
    let (friends, read) = cost(&db, follows::friends_of(FAMOUS, 5000)).await;
    assert_eq!(friends, FOLLOWED_BY_FAMOUS);
    assert!(read <= 6 * FOLLOWED_BY_FAMOUS, "{read}");
}

#[tokio::test]
async fn the_feed_of_5000_who_are_followed_costs_a_step_for_each_however_much_they_publish() {
    let (_database, db) = crowded().await;
    let authors: Vec<i64> = (FIRST_AUTHOR..FIRST_AUTHOR + FOLLOWED).collect();
    let all = EPOCH + i64::try_from(VIDEOS_EACH).unwrap() * FOLLOWED;
    for before_ms in [i64::MAX, all, EPOCH + 10 * FOLLOWED, EPOCH + 2 * FOLLOWED] {
        let each = following_feed::newest_of_each(&authors, before_ms, PAGE).unwrap();
        let (few, read) = cost(&db, each).await;
        assert_eq!(few, PAGE);
        // Two steps for an author, and what the sort of the authors reads; on MySQL all that they have published.
        let of_each = match testkit::Engine::of_tests() {
            testkit::Engine::MariaDb => 4,
            testkit::Engine::MySql(_) => VIDEOS_EACH + 2,
        };
        let most = of_each * FOLLOWED.unsigned_abs();
        assert!(read <= most, "{read} rows before {before_ms}");
        let few: Vec<i64> = authors[..30].to_vec();
        let newest = following_feed::newest_of_few(&few, before_ms, PAGE).unwrap();
        assert_range(&db, newest, 32 * (VIDEOS_EACH + 2)).await;
    }
}

#[tokio::test]
async fn a_chat_is_one_range_and_the_latest_messages_two_rows_each() {
    let (_database, db) = crowded().await;
    let chats = [
        ((10_007, FAMOUS), [(-1, i64::MAX), (50, i64::MAX), (20, 80)]),
        // More than all others together.
        (
            LONG_CHAT,
            [(-1, i64::MAX), (150_000, 150_090), (100, 190_000)],
        ),
    ];
    for (users, spans) in chats {
        for span in spans {
            for order in [Order::OldestFirst, Order::NewestFirst] {
                let chat = messages::between(users, span, order, PAGE);
                assert_range(&db, chat, PAGE + 2).await;
            }
        }
    }
    let peers: Vec<i64> = (1..=300).map(|n| 10_000 + n).collect();
    let latest = messages::latest_with(FAMOUS, &peers).unwrap();
    assert_range(&db, latest, 3 * 300 + 8).await;
    let latest = messages::latest_with(10_001, &[FAMOUS]).unwrap();
    assert_range(&db, latest, 4).await;
}

#[tokio::test]
async fn likes_and_follows_of_a_page_are_two_ranges() {
    let (_database, db) = crowded().await;
    let videos: Vec<i64> = (1..=30).collect();
    let authors: Vec<i64> = (0..30).map(|n| FIRST_AUTHOR + n).collect();
    let shown = Shown {
        video_ids: videos,
        user_ids: authors,
    };
    for viewers in [1, 20, 64] {
        let viewers = (0..viewers).map(|n| (CURIOUS + n, shown.clone()));
        for query in flags::queries(&viewers.collect()) {
            let places = query.values.as_ref().unwrap().0.len() as u64;
            assert_range(&db, query, places + 8).await;
        }
    }
}
