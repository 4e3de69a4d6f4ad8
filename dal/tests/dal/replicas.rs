//! Which servers answer under faults: late replicas, two with different lags, a switchover.

use std::time::{Duration, Instant};

use dal::{
    DalError, Db, Reader,
    comments::{self, Comments, NewComment},
    favorites, users,
};
use marks::{Consistency, StrictReason};
use testkit::{Engine, Replicated, TcpProxy, eventually};

use crate::{
    fixture::{self, author_of},
    stage::PATIENCE,
};

/// Whoever reads while the marks can't be read.
const UNKNOWN: Reader = Reader {
    affinity: None,
    consistency: Consistency::All(StrictReason::Unknown),
};

/// A primary and so many replicas of the test's own, migrated.
pub async fn own_servers(replicas: usize) -> Replicated {
    let servers = Replicated::start(replicas).await;
    dal::migrate(&fixture::mysql(&servers.url(0), &[]))
        .await
        .unwrap();
    for replica in 1..=replicas {
        servers.caught_up(0, replica).await;
    }
    servers
}

/// A like, as the row that it is.
pub fn liked(user_id: i64, video_id: i64) -> String {
    format!(
        "INSERT INTO favorites (user_id, video_id, author_id, liked_us, batch) VALUES ({user_id}, {video_id}, {}, {video_id}, 1)",
        author_of(video_id)
    )
}

pub async fn likes(db: &Db, user_id: i64, reader: &Reader) -> Result<Vec<i64>, DalError> {
    Ok(favorites::list(db, user_id, None, 1000, reader)
        .await?
        .entries)
}

fn reader(user_id: i64) -> Reader {
    Reader {
        affinity: Some(user_id),
        consistency: Consistency::Any,
    }
}

/// Why replica number `n` (from 1) isn't asked; none: it is.
pub async fn why_out(db: &Db, n: usize) -> Option<String> {
    let server = db.servers().swap_remove(n);
    match tokio::time::timeout(PATIENCE, server.ping()).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("it hangs".to_owned()),
    }
}

pub async fn in_rotation(db: &Db, n: usize) {
    eventually(PATIENCE, "the replica in rotation", async || {
        why_out(db, n).await.is_none().then_some(())
    })
    .await;
}

/// host:port of a URL, and the URL with another.
fn through(url: &str, proxy: Option<&TcpProxy>) -> (String, String) {
    let (account, rest) = url.rsplit_once('@').unwrap();
    let (address, name) = rest.split_once('/').unwrap();
    let led = proxy.map_or_else(|| address.to_owned(), |proxy| proxy.address().to_string());
    (address.to_owned(), format!("{account}@{led}/{name}"))
}

/// A proxy to the server of a URL, and the URL that leads through it.
pub async fn proxied(url: &str) -> (TcpProxy, String) {
    let proxy = TcpProxy::to(&through(url, None).0).await;
    let url = through(url, Some(&proxy)).1;
    (proxy, url)
}

#[tokio::test]
async fn a_process_that_has_just_started_reads_nothing_from_a_replica_that_is_late() {
    let servers = own_servers(1).await;
    servers.delay(1, 60).await;
    servers.execute(0, &liked(7, 1)).await;
    let mysql = fixture::mysql(&servers.url(0), &[&servers.url(1)]);
    // As often as processes are restarted meanwhile.
    for _ in 0..3 {
        let db = Db::connect(&mysql).unwrap();
        let until = Instant::now() + Duration::from_secs(1);
        while Instant::now() < until {
            assert_eq!(likes(&db, 7, &Reader::ANY_REPLICA).await.unwrap(), [1]);
        }
        eventually(PATIENCE, "the replica out for being late", async || {
            why_out(&db, 1).await?.contains("catch up").then_some(())
        })
        .await;
    }
    // It returns by itself.
    let db = Db::connect(&mysql).unwrap();
    servers.delay(1, 0).await;
    in_rotation(&db, 1).await;
    assert_eq!(likes(&db, 7, &Reader::ANY_REPLICA).await.unwrap(), [1]);
}

#[tokio::test]
async fn without_the_primary_reads_go_on_where_the_replica_is_known_to_be_complete_and_nowhere_else()
 {
    let (database, _) = fixture::migrated().await;
    database.execute(&liked(7, 1)).await;
    database.replicas_caught_up().await;
    let (primary, primary_url) = proxied(database.primary_url()).await;
    let (replica, replica_url) = proxied(database.replica_url()).await;
    let mysql = fixture::mysql(&primary_url, &[&replica_url]);
    let running = Db::connect(&mysql).unwrap();
    in_rotation(&running, 1).await;
    primary.shut();
    // What was in rotation stays there, also when it was away for a while.
    for _ in 0..10 {
        assert_eq!(likes(&running, 7, &reader(7)).await.unwrap(), [1]);
    }
    replica.shut();
    eventually(PATIENCE, "the replica out of rotation", async || {
        why_out(&running, 1).await
    })
    .await;
    replica.open();
    in_rotation(&running, 1).await;
    assert_eq!(likes(&running, 7, &reader(7)).await.unwrap(), [1]);
    // Whoever starts now can't know how old it is.
    let started = Db::connect(&mysql).unwrap();
    let reason = eventually(PATIENCE, "a reason", async || {
        let reason = why_out(&started, 1).await?;
        reason
            .contains("primary hasn't been seen")
            .then_some(reason)
    })
    .await;
    let refused = likes(&started, 7, &Reader::ANY_REPLICA).await;
    assert!(
        matches!(refused, Err(DalError::Unavailable(_))),
        "{refused:?}, {reason}"
    );
    primary.open();
    in_rotation(&started, 1).await;
    assert_eq!(likes(&started, 7, &Reader::ANY_REPLICA).await.unwrap(), [1]);
}

#[tokio::test]
async fn time_never_runs_backwards_for_a_user_who_reads_by_several_processes() {
    const USERS: std::ops::Range<i64> = 1..17;
    const ROUNDS: i64 = 40;
    let servers = own_servers(2).await;
    servers.delay(2, 1).await;
    let proxy = TcpProxy::to(&servers.address(0)).await;
    let primary = Replicated::url_at(&proxy.address().to_string());
    let (one, other) = (servers.url(1), servers.url(2));
    // The order in the settings is each process' own affair.
    let orders = [[&one, &other], [&other, &one], [&one, &other]];
    let processes =
        orders.map(|urls| Db::connect(&fixture::mysql(&primary, &[urls[0], urls[1]])).unwrap());
    for process in &processes {
        fixture::in_rotation(process).await;
    }
    // Only what replicas say is looked at: on a busy machine the primary may answer for one, and knows more.
    proxy.shut();
    let both_are_asked = async |process: &Db| {
        why_out(process, 1).await.is_none() && why_out(process, 2).await.is_none()
    };
    let mut seen = std::collections::HashMap::<i64, usize>::new();
    let (mut reads, mut late) = (0, 0);
    for round in 1..=ROUNDS {
        let rows: Vec<String> = USERS
            .map(|user| format!("({user}, {round}, 1, {round}, 1)"))
            .collect();
        let sql = "INSERT INTO favorites (user_id, video_id, author_id, liked_us, batch) VALUES";
        servers
            .execute(0, &format!("{sql} {}", rows.join(", ")))
            .await;
        for process in &processes {
            for user in USERS {
                let asked = both_are_asked(process).await;
                let Ok(found) = likes(process, user, &reader(user)).await else {
                    continue;
                };
                if !asked || !both_are_asked(process).await {
                    continue;
                }
                let before = seen.insert(user, found.len()).unwrap_or(0);
                assert!(
                    found.len() >= before,
                    "user {user}: {} likes after {before}",
                    found.len()
                );
                reads += 1;
                late += usize::from(found.len() < usize::try_from(round).unwrap());
            }
        }
    }
    assert!(
        late > 0 && reads > usize::try_from(ROUNDS).unwrap(),
        "nothing was shown: {late} of {reads} reads were late, {seen:?}"
    );
}

#[tokio::test]
async fn a_switchover_with_the_old_primary_alive_costs_no_write_and_leaves_no_connection_behind() {
    let servers = own_servers(1).await;
    let proxy = TcpProxy::to(&servers.address(0)).await;
    let url = Replicated::url_at(&proxy.address().to_string());
    let (db, other) = (
        Db::connect(&fixture::mysql(&url, &[])).unwrap(),
        Db::connect(&fixture::mysql(&url, &[])).unwrap(),
    );
    // Connections that are open and busy, in each pool.
    let read = |db: &Db| {
        let db = db.clone();
        tokio::spawn(async move { users::mget(&db, &[1], &Reader::STRICT).await.map(|_| ()) })
    };
    for db in [&db, &other] {
        let reads: Vec<_> = (0..8).map(|_| read(db)).collect();
        for read in reads {
            read.await.unwrap().unwrap();
        }
    }
    servers.switch(0, 1).await;
    proxy.set_target(&servers.address(1));
    // Every kind of write, and its own read at once.
    let user = users::create(&db, "bob", "hash").await.unwrap();
    let found = users::mget(&db, &[user], &Reader::STRICT).await.unwrap();
    assert_eq!(found.len(), 1);
    let counters = fixture::without_redis(&db);
    let new = NewComment {
        video_id: 1,
        user_id: user,
        content: "好".to_owned(),
        key: None,
    };
    let comment = Comments::start(db.clone(), counters.clone())
        .add(new)
        .await
        .unwrap();
    let listed = comments::list(&db, 1, None, 10, &Reader::STRICT)
        .await
        .unwrap();
    assert_eq!(listed.entries, [comment]);
    // Who only reads learns of it, too; without being told by a write.
    eventually(PATIENCE, "no connection to the old primary", async || {
        users::mget(&db, &[user], &Reader::STRICT).await.unwrap();
        let found = users::mget(&other, &[user], &Reader::STRICT).await.unwrap();
        let sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'app'";
        let left: i64 = servers.value(0, sql).await;
        (found.len() == 1 && left == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_replica_that_may_commit_in_another_order_than_the_primary_is_not_asked() {
    let servers = own_servers(1).await;
    let db = Db::connect(&fixture::mysql(&servers.url(0), &[&servers.url(1)])).unwrap();
    in_rotation(&db, 1).await;
    let (parallel, serial, loosen, what) = match Engine::of_tests() {
        // Within one domain the order is kept, between domains it isn't.
        Engine::MariaDb => (
            "STOP SLAVE; SET GLOBAL slave_parallel_threads = 4; START SLAVE",
            "STOP SLAVE; SET GLOBAL slave_parallel_threads = 0; START SLAVE",
            (0, "SET SESSION gtid_domain_id = 5"),
            "slave_parallel_threads",
        ),
        Engine::MySql(_) => (
            "STOP REPLICA; SET GLOBAL replica_parallel_workers = 4; START REPLICA",
            "STOP REPLICA; SET GLOBAL replica_preserve_commit_order = ON; START REPLICA",
            (
                1,
                "STOP REPLICA; SET GLOBAL replica_preserve_commit_order = OFF; START REPLICA",
            ),
            "replica_preserve_commit_order",
        ),
    };
    servers.execute(1, parallel).await;
    servers.execute(0, &liked(7, 1)).await;
    servers.caught_up(0, 1).await;
    in_rotation(&db, 1).await;
    // In MariaDB it is the writer who loosens the order, in MySQL the replica.
    let second = liked(7, 2);
    match loosen {
        (0, session) => servers.execute(0, &format!("{session}; {second}")).await,
        (replica, sql) => {
            servers.execute(replica, sql).await;
            servers.execute(0, &second).await;
        }
    }
    eventually(PATIENCE, "the replica out of rotation", async || {
        why_out(&db, 1).await.filter(|why| why.contains(what))
    })
    .await;
    assert_eq!(likes(&db, 7, &Reader::ANY_REPLICA).await.unwrap(), [2, 1]);
    servers.execute(1, serial).await;
    in_rotation(&db, 1).await;
}

#[tokio::test]
async fn reads_whose_marks_are_unknown_see_everything_and_a_replica_answers_them() {
    // What only the replica's database has shows who answered.
    let (_primary, replica, db) = fixture::with_a_replica_that_lags().await;
    let (mut on_the_replica, mut round) = (0, 0);
    let deadline = Instant::now() + PATIENCE;
    // On a busy machine the replica may be too late for a while; then the primary answers.
    while round < 30 || on_the_replica == 0 {
        assert!(
            Instant::now() < deadline,
            "the primary answered all {round}"
        );
        round += 1;
        replica.execute(&liked(7, round)).await;
        let seen = likes(&db, 7, &UNKNOWN).await.unwrap().len();
        if seen > 0 {
            // As of now, not of a moment ago.
            assert_eq!(i64::try_from(seen).unwrap(), round);
            on_the_replica += 1;
        }
    }
}

#[tokio::test]
async fn reads_whose_marks_are_unknown_fail_no_more_than_others_when_many_come_at_once() {
    let (database, db) = fixture::migrated().await;
    in_rotation(&db, 1).await;
    for round in 1..=20 {
        database.execute(&liked(7, round)).await;
        let crowd: Vec<_> = (0..30)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move { likes(&db, 7, &UNKNOWN).await })
            })
            .collect();
        for one in crowd {
            let seen = one.await.unwrap().unwrap().len();
            assert_eq!(i64::try_from(seen).unwrap(), round);
        }
    }
}
