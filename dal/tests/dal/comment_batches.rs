//! Tests of comments that share a commit: each is what its own caller wrote, and fails, repeats or is given up by itself.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use dal::{
    DalError, Db,
    comments::{Comment, Comments, DeleteComment, Deletion, NewComment},
    idempotency::{Key, Kind},
    reconcile,
};
use futures::{FutureExt as _, future::join_all};
use telemetry::cost;
use testkit::{Database, TcpProxy};

use crate::fixture;

const VIDEO: i64 = 7;

async fn start() -> (Database, Db, Comments) {
    let (database, db) = fixture::migrated().await;
    let comments = Comments::start(db.clone(), fixture::without_redis(&db));
    (database, db, comments)
}

fn new(user_id: i64, content: &str) -> NewComment {
    NewComment {
        video_id: VIDEO,
        user_id,
        content: content.to_owned(),
        key: None,
    }
}

fn keyed(user_id: i64, key: &str, content: &str) -> NewComment {
    NewComment {
        key: Some(Key::new(user_id, Kind::Comment, key, &[content])),
        ..new(user_id, content)
    }
}

fn delete(comment: &Comment) -> DeleteComment {
    DeleteComment {
        video_id: comment.video_id,
        comment_id: comment.id,
        user_id: comment.user_id,
        video_author_id: 70,
    }
}

/// All rows, by their ids: who wrote it, what, and when.
async fn rows(database: &Database) -> HashMap<i64, String> {
    let sql = "SELECT CONCAT(id, ' ', user_id, ' ', created_ms, ' ', content) FROM comments";
    let rows = database.column::<String>(sql).await;
    rows.iter()
        .map(|row| {
            let (id, rest) = row.split_once(' ').unwrap();
            (id.parse().unwrap(), rest.to_owned())
        })
        .collect()
}

fn as_row(comment: &Comment) -> String {
    let Comment {
        user_id,
        created_ms,
        content,
        ..
    } = comment;
    format!("{user_id} {created_ms} {content}")
}

#[tokio::test]
async fn a_lone_comment_takes_one_trip_and_a_lone_deletion_two() {
    let (_database, _db, comments) = start().await;
    let (mut to_add, mut to_delete) = (u32::MAX, u32::MAX);
    for n in 0..10 {
        let (added, spent) = cost::scope(comments.add(new(1, "好"))).await;
        to_add = to_add.min(spent.sql);
        let (_, spent) = cost::scope(comments.delete(delete(&added.unwrap()))).await;
        to_delete = to_delete.min(spent.sql);
        let (_, spent) = cost::scope(comments.add(keyed(1, &n.to_string(), "好"))).await;
        // One more where the connection wasn't heard of for a moment.
        assert!(spent.sql <= 2, "{spent:?}");
    }
    assert_eq!((to_add, to_delete), (1, 2));
}

#[tokio::test]
async fn each_of_many_at_once_gets_its_own_row_and_they_share_commits() {
    let (database, db, comments) = start().await;
    comments.add(new(1, "first")).await.unwrap();
    // Whatever a statement might take for something else.
    let texts = ["'; DROP TABLE comments; --", "\\' \\", "💬好", "\"%_\n\0"];
    let adds = (0..200).map(|n| {
        let comment = new(n, &format!("{n} {}", texts[n as usize % texts.len()]));
        let comments = comments.clone();
        tokio::spawn(cost::scope(async move {
            (comment.clone(), comments.add(comment).await)
        }))
    });
    let adds: Vec<_> = adds.collect();
    let mut ids = HashSet::new();
    let there = async || rows(&database).await;
    let mut added = Vec::new();
    for add in adds {
        let ((wanted, made), spent) = add.await.unwrap();
        let made = made.unwrap();
        assert!(spent.sql <= 2, "whatever the size of the batch: {spent:?}");
        assert_eq!(
            (made.user_id, &made.content),
            (wanted.user_id, &wanted.content)
        );
        assert!(ids.insert(made.id), "{} twice", made.id);
        added.push(made);
    }
    let there = there().await;
    assert_eq!(there.len(), 201);
    for comment in added {
        assert_eq!(there[&comment.id], as_row(&comment));
    }
    let rows: i64 = database
        .value("SELECT COUNT(*) FROM ledger WHERE kind = 2 AND target_id = 7")
        .await;
    println!("200 comments in {rows} commits");
    assert!(rows < 60, "{rows} commits");
    assert_eq!(reconcile::differences(&db).await.unwrap(), []);
}

#[tokio::test]
async fn repeats_in_one_batch_give_one_comment_and_cost_the_others_nothing() {
    let (database, db, comments) = start().await;
    let before = comments.add(keyed(1, "before", "好")).await.unwrap();
    let mut wanted = vec![keyed(1, "before", "好"), keyed(1, "before", "other")];
    for n in 0..20 {
        wanted.push(keyed(2, "k", "好"));
        wanted.push(keyed(n, "own", "好"));
        wanted.push(new(n, "好"));
    }
    let made = join_all(wanted.iter().map(|comment| comments.add(comment.clone()))).await;
    assert_eq!(made[0].as_ref().unwrap(), &before);
    assert!(matches!(made[1], Err(DalError::KeyReused)), "{:?}", made[1]);
    let mut of_one_key = HashSet::new();
    let mut others = HashSet::new();
    for (wanted, made) in wanted.iter().zip(made).skip(2) {
        let made = made.unwrap();
        assert_eq!(made.user_id, wanted.user_id);
        match wanted.key == keyed(2, "k", "好").key {
            true => drop(of_one_key.insert(made.id)),
            false => assert!(others.insert(made.id)),
        }
    }
    assert_eq!((of_one_key.len(), others.len()), (1, 40));
    assert_eq!(rows(&database).await.len(), 42);
    assert_eq!(reconcile::differences(&db).await.unwrap(), []);
}

#[tokio::test]
async fn one_that_does_not_fit_fails_alone() {
    let (database, db, comments) = start().await;
    let long = "好".repeat(501);
    let adds = (0..50).map(|n| comments.add(new(n, if n % 10 == 0 { &long } else { "好" })));
    for (n, made) in join_all(adds).await.into_iter().enumerate() {
        match n % 10 {
            0 => assert!(matches!(made, Err(DalError::Other(_))), "{made:?}"),
            _ => assert_eq!(made.unwrap().user_id, n as i64),
        }
    }
    assert_eq!(rows(&database).await.len(), 45);
    assert_eq!(reconcile::differences(&db).await.unwrap(), []);
}

#[tokio::test]
async fn comments_come_and_go_at_once_and_all_are_counted() {
    let (database, db, comments) = start().await;
    let old = join_all((0..30).map(|n| comments.add(new(n, "old")))).await;
    let old: Vec<Comment> = old.into_iter().map(Result::unwrap).collect();
    let adds = join_all((0..30).map(|n| comments.add(new(n, "new"))));
    // Each by two: one of them does it.
    let twice = old.iter().chain(&old);
    let deletes = join_all(twice.map(|comment| comments.delete(delete(comment))));
    let (adds, deletes) = tokio::join!(adds, deletes);
    let added: HashSet<i64> = adds.into_iter().map(|added| added.unwrap().id).collect();
    let deleted = deletes.into_iter().map(Result::unwrap);
    let deleted = deleted.filter(|deletion| *deletion == Deletion::Deleted);
    assert_eq!(deleted.count(), old.len());
    let there: HashSet<i64> = rows(&database).await.into_keys().collect();
    assert_eq!(there, added);
    assert_eq!(reconcile::differences(&db).await.unwrap(), []);
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_begun() {
    let (database, _db, comments) = start().await;
    assert!(comments.add(new(1, "given up")).now_or_never().is_none());
    let kept = comments.add(new(2, "kept")).await.unwrap();
    assert_eq!(
        rows(&database).await,
        HashMap::from([(kept.id, as_row(&kept))])
    );
}

#[tokio::test]
async fn a_comment_that_arrives_after_its_deadline_is_refused_by_the_primary() {
    let (database, direct) = fixture::migrated().await;
    let url = database.primary_url();
    let (account, rest) = url.rsplit_once('@').unwrap();
    let (address, name) = rest.split_once('/').unwrap();
    let proxy = TcpProxy::to(address).await;
    let far = format!("{account}@{}/{name}", proxy.address());
    let far = Db::connect(&fixture::mysql(&far, &[])).unwrap();
    let comments = Comments::start(far.clone(), fixture::without_redis(&far));
    let there = testkit::eventually(Duration::from_secs(30), "a comment", async || {
        comments.add(new(1, "in time")).await.ok()
    })
    .await;
    proxy.delay_requests(Duration::from_millis(2500));
    let limit = Duration::from_millis(1800);
    let (late, deleted) = tokio::join!(
        comments.add_within(new(1, "late"), limit),
        comments.delete_within(delete(&there), limit)
    );
    assert!(matches!(late, Err(DalError::TimedOut)), "{late:?}");
    assert!(matches!(deleted, Err(DalError::TimedOut)), "{deleted:?}");
    // Longer than what was sent is on its way.
    proxy.delay_requests(Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(
        rows(&database).await,
        HashMap::from([(there.id, as_row(&there))])
    );
    assert_eq!(reconcile::differences(&direct).await.unwrap(), []);
}

/// What a task was told of its comments.
async fn one_task(comments: Comments, task: u64, end: Instant) -> (Vec<Comment>, Vec<String>) {
    let (mut told, mut unknown) = (Vec::new(), Vec::new());
    let mut n = 0;
    while Instant::now() < end {
        n += 1;
        let content = format!("{task}-{n}");
        match comments.add(new(task as i64, &content)).await {
            Ok(made) if n % 3 == 0 => match comments.delete(delete(&made)).await {
                Ok(deletion) => assert_eq!(deletion, Deletion::Deleted),
                Err(_) => unknown.push(content),
            },
            Ok(made) => {
                assert_eq!(made.content, content);
                told.push(made);
            }
            Err(DalError::Unavailable(_) | DalError::TimedOut) => unknown.push(content),
            Err(error) => panic!("{error}"),
        }
    }
    (told, unknown)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_cut_all_the_time_lose_no_comment_and_double_none() {
    let (database, db, _) = start().await;
    let settings = settings::Counters {
        fold_period_ms: 100,
        scan_period_s: 60,
        fold_workers: 4,
    };
    let folder = dal::fold::Folder::start(db.clone(), fixture::without_redis(&db), &settings);
    let processes = [db.clone(), db.clone()].map(|db| {
        let counters = fixture::without_redis(&db);
        Comments::start(db, counters)
    });
    let end = Instant::now() + Duration::from_secs(4);
    let tasks: Vec<_> = (0..32)
        .map(|task| tokio::spawn(one_task(processes[task as usize % 2].clone(), task, end)))
        .collect();
    let victims = format!(
        "SELECT COALESCE(GROUP_CONCAT(id), '') FROM information_schema.processlist \
         WHERE db = '{}' AND id <> CONNECTION_ID()",
        database.name()
    );
    let admin = sea_orm::Database::connect(database.primary_url())
        .await
        .unwrap();
    while Instant::now() < end {
        let ids: String = database.value(&victims).await;
        for id in ids.split(',').filter(|id| !id.is_empty()) {
            let kill = format!("KILL {id}");
            let _ = sea_orm::ConnectionTrait::execute_unprepared(&admin, &kill).await;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let (mut told, mut unknown) = (Vec::new(), Vec::new());
    for task in tasks {
        let (of_task, failed) = task.await.unwrap();
        told.extend(of_task);
        unknown.extend(failed);
    }
    folder.stop().await;
    println!("{} comments told, {} failed", told.len(), unknown.len());
    assert!(!unknown.is_empty(), "the cuts were felt");
    let mut there = rows(&database).await;
    for comment in told {
        assert_eq!(there.remove(&comment.id), Some(as_row(&comment)));
    }
    // What is left failed, and is there once at most.
    let unknown: HashSet<String> = unknown.into_iter().collect();
    let mut left = HashSet::new();
    for row in there.values() {
        let content = row.rsplit(' ').next().unwrap().to_owned();
        assert!(unknown.contains(&content), "{row} was never told");
        assert!(left.insert(content), "{row} twice");
    }
    assert_eq!(reconcile::differences(&db).await.unwrap(), []);
}
