//! Reads that must see a commit: they go to a replica that has it, otherwise to the primary. Also which replicas are in rotation.

use std::time::{Duration, Instant};

use dal::{
    DalError, Db, Marks, Reader,
    comments::{self, Comments, NewComment},
    counters::Counters,
    counts::Counter::UserWorks,
    favorites::{self, Favorites},
    videos,
};
use marks::{
    Commit, Consistency, StrictReason,
    Subject::{self, User, Video},
};
use telemetry::cost;
use testkit::{Engine, Redis, TcpProxy, eventually};

use crate::{
    fixture::{self, like},
    replicas::own_servers,
    stage::{PATIENCE, Stage},
};

/// Writes that are read at once.
const ROUNDS: i64 = 60;

/// A database and its real replica, counters, and marks that are kept.
async fn marked() -> (Stage, Db, Counters, Marks) {
    let stage = Stage::set(2000).await;
    let mysql = fixture::mysql(
        stage.database.primary_url(),
        &[stage.database.replica_url()],
    );
    let marks = Marks::connect(&stage.settings, &mysql).unwrap();
    let db = Db::connect(&mysql).unwrap().with_marks(marks.clone());
    let counters = Counters::connect(&stage.settings, db.clone()).unwrap();
    known(&marks).await;
    (stage, db, counters, marks)
}

async fn known(marks: &Marks) {
    let all: Vec<Subject> = (0..64).map(User).collect();
    eventually(PATIENCE, "marks that can be read", async || {
        (marks.read(&all).await != Consistency::All(StrictReason::Unknown)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_could_not_be_marked_is_on_the_replicas_before_it_is_acknowledged() {
    let (stage, reading, _, others) = marked().await;
    // A process that has just started, and can't reach Redis yet, while others can.
    let address = stage.redis.url().replace("redis://", "");
    let proxy = TcpProxy::to(&address).await;
    let mut settings = stage.settings.clone();
    settings.url = settings::Secret::new(format!("redis://{}", proxy.address()));
    proxy.shut();
    let mysql = fixture::mysql(
        stage.database.primary_url(),
        &[stage.database.replica_url()],
    );
    let marks = Marks::connect(&settings, &mysql).unwrap();
    let db = Db::connect(&mysql).unwrap().with_marks(marks);
    let counters = Counters::connect(&settings, db.clone()).unwrap();
    let started = Instant::now();
    for n in 0..10 {
        let new = NewComment {
            video_id: n,
            user_id: n,
            content: "好".to_owned(),
            key: None,
        };
        let comment = Comments::start(db.clone(), counters.clone())
            .add(new)
            .await
            .unwrap();
        // A process that has been cut off for a second takes Redis for gone; the others would, too.
        if n > 0 && started.elapsed() > Duration::from_millis(700) {
            break;
        }
        let reader = Reader {
            affinity: None,
            consistency: others.read(&[Video(n)]).await,
        };
        let list = comments::list(&reading, n, None, 1, &reader).await.unwrap();
        assert_eq!(list.entries, [comment], "{:?}", reader.consistency);
    }
}

#[tokio::test]
async fn a_publish_with_an_unknown_outcome_is_confirmed_only_when_nobody_misses_it() {
    let (servers, redis) = tokio::join!(own_servers(1), Redis::start());
    let mysql = fixture::mysql(&servers.url(0), &[&servers.url(1)]);
    let direct = fixture::redis(&redis.url());
    let others = Marks::connect(&direct, &mysql).unwrap();
    let reading = Db::connect(&mysql).unwrap().with_marks(others.clone());
    let counted = Counters::connect(&direct, reading.clone()).unwrap();
    known(&others).await;
    fixture::in_rotation(&reading).await;
    let works = UserWorks(7);
    assert_eq!(counted.read(&[works]).await.unwrap()[&works], 0);
    // A process that has just started, and can't reach Redis yet, while the replica is late.
    let proxy = TcpProxy::to(&redis.url().replace("redis://", "")).await;
    proxy.shut();
    let cut_off = fixture::redis(&format!("redis://{}", proxy.address()));
    let marks = Marks::connect(&cut_off, &mysql).unwrap();
    let db = Db::connect(&mysql).unwrap().with_marks(marks);
    let counters = Counters::connect(&cut_off, db.clone()).unwrap();
    dal::uploads::record(&db, "k", 7).await.unwrap();
    servers.caught_up(0, 1).await;
    servers.delay(1, 60).await;
    let published = videos::publish(&db, &counters, &fixture::new_video(7, "k")).await;
    let confirmed = videos::confirm(&db, &counters, "k").await;
    for error in [published.err(), confirmed.err()] {
        assert!(matches!(error, Some(DalError::Unavailable(_))), "{error:?}");
    }
    proxy.open();
    let video = eventually(PATIENCE * 2, "a confirmed publish", async || {
        videos::confirm(&db, &counters, "k").await.ok()
    })
    .await
    .expect("it is stored");
    let reader = Reader {
        affinity: None,
        consistency: others.read(&[User(7)]).await,
    };
    let list = videos::by_author(&reading, 7, None, 10, false, &reader).await;
    assert_eq!(list.unwrap().entries, [video], "{:?}", reader.consistency);
    assert_eq!(counted.read(&[works]).await.unwrap()[&works], 1);
    // What isn't there isn't confirmed.
    assert_eq!(videos::confirm(&db, &counters, "l").await.unwrap(), None);
}

/// Whoever reads these; they must be marked.
async fn reader_of(marks: &Marks, subject: Subject) -> Reader {
    let consistency = marks.read(&[subject]).await;
    assert!(
        matches!(consistency, Consistency::UpTo { marked: true, .. }),
        "{consistency:?}"
    );
    Reader {
        affinity: None,
        consistency,
    }
}

#[tokio::test]
async fn every_write_is_seen_by_the_very_next_read_that_its_marks_lead() {
    let (stage, db, counters, marks) = marked().await;
    stage.database.replicas_caught_up().await;
    let favorites = Favorites::start(db.clone(), counters.clone());
    for n in 1..=ROUNDS {
        favorites.set(like(n, 5)).await.unwrap();
        let reader = reader_of(&marks, User(n)).await;
        let liked = favorites::list(&db, n, None, 10, &reader).await.unwrap();
        assert_eq!(liked.entries, [5]);
        let flags = favorites::liked_among(&db, n, &[4, 5], &reader).await;
        assert_eq!(flags.unwrap(), [5]);

        let new = NewComment {
            video_id: n,
            user_id: n,
            content: "好".to_owned(),
            key: None,
        };
        let comment = Comments::start(db.clone(), counters.clone())
            .add(new)
            .await
            .unwrap();
        let reader = reader_of(&marks, Video(n)).await;
        let listed = comments::list(&db, n, None, 10, &reader).await.unwrap();
        assert_eq!(listed.entries, [comment]);
        reader_of(&marks, User(n)).await;
    }
}

#[tokio::test]
async fn a_publish_is_seen_in_the_list_and_in_the_feed_of_its_author() {
    let (stage, db, counters, marks) = marked().await;
    stage.database.replicas_caught_up().await;
    for n in 1..=10 {
        let key = n.to_string();
        dal::uploads::record(&db, &key, n).await.unwrap();
        let new = fixture::new_video(n, &key);
        let video = videos::publish(&db, &counters, &new).await.unwrap();
        let reader = reader_of(&marks, User(n)).await;
        let works = videos::by_author(&db, n, None, 10, false, &reader)
            .await
            .unwrap();
        assert_eq!(works.entries, std::slice::from_ref(&video));
        let feed = videos::feed_page(&db, None, 1, &reader).await.unwrap();
        assert_eq!(feed, [video]);
    }
}

#[tokio::test]
async fn a_like_that_was_there_already_marks_its_user_too() {
    let (_stage, db, counters, marks) = marked().await;
    let favorites = Favorites::start(db, counters);
    favorites.set(like(3, 5)).await.unwrap();
    let first = marks.read(&[User(3)]).await;
    assert!(!favorites.set(like(3, 5)).await.unwrap());
    let (Consistency::UpTo { commit: first, .. }, Consistency::UpTo { commit: again, .. }) =
        (first, marks.read(&[User(3)]).await)
    else {
        panic!("no marks");
    };
    // Whoever finds it done may be the first who is told.
    assert!(again.seq >= first.seq);
}

#[tokio::test]
async fn what_no_replica_has_is_read_on_the_primary() {
    let (_primary, replica, db) = fixture::with_a_replica_that_lags().await;
    replica
        .execute("INSERT INTO favorites (user_id, video_id, author_id, liked_us, batch) VALUES (1, 7, 1, 1, 1)")
        .await;
    replica.replicas_caught_up().await;
    let of = |seq: u64, marked| Reader {
        affinity: Some(1),
        consistency: Consistency::UpTo {
            commit: Commit {
                seq,
                gtid: match Engine::of_tests() {
                    Engine::MariaDb => format!("0-1-{seq}"),
                    Engine::MySql(_) => format!("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-{seq}"),
                },
            },
            marked,
        },
    };
    let anybody = favorites::liked_among(&db, 1, &[7], &Reader::ANY_REPLICA).await;
    assert_eq!(anybody.unwrap(), [7], "the replica has it");
    for reader in [
        of(u64::MAX / 2, true),
        of(u64::MAX / 2, false),
        Reader::STRICT,
    ] {
        let strict = favorites::liked_among(&db, 1, &[7], &reader).await;
        assert_eq!(strict.unwrap(), [0_i64; 0], "{reader:?}");
    }
}

#[tokio::test]
async fn a_commit_that_is_known_to_be_there_costs_no_statement() {
    let (stage, db, counters, marks) = marked().await;
    stage.database.replicas_caught_up().await;
    let favorites = Favorites::start(db.clone(), counters);
    favorites.set(like(3, 5)).await.unwrap();
    let reader = reader_of(&marks, User(3)).await;
    eventually(PATIENCE, "a read of one statement", async || {
        let read = favorites::liked_among(&db, 3, &[5], &reader);
        let (liked, spent) = cost::scope(read).await;
        assert_eq!(liked.unwrap(), [5]);
        (spent.sql == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_replica_that_does_not_answer_leaves_the_rotation_and_returns_by_itself() {
    let (database, _) = fixture::migrated().await;
    let url = database.replica_url();
    let (account, rest) = url.rsplit_once('@').unwrap();
    let (address, name) = rest.split_once('/').unwrap();
    let proxy = TcpProxy::to(address).await;
    let through = format!("{account}@{}/{name}", proxy.address());
    let db = Db::connect(&fixture::mysql(database.primary_url(), &[&through])).unwrap();
    let replica = async || {
        let server = db.servers().into_iter().find(|s| !s.is_primary()).unwrap();
        tokio::time::timeout(Duration::from_secs(2), server.ping()).await
    };
    let well = async || matches!(replica().await, Ok(Ok(()))).then_some(());
    eventually(PATIENCE, "the replica in rotation", well).await;
    for fault in [TcpProxy::stall, TcpProxy::shut] {
        fault(&proxy);
        // Reads go on meanwhile.
        let read = favorites::liked_among(&db, 1, &[1], &Reader::ANY_REPLICA).await;
        assert_eq!(read.unwrap(), [0_i64; 0]);
        let out = async || (!matches!(replica().await, Ok(Ok(())))).then_some(());
        eventually(PATIENCE, "the replica out of rotation", out).await;
        proxy.open();
        eventually(PATIENCE, "the replica back in rotation", well).await;
    }
}
