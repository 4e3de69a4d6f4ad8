//! Messages: their order, their times, keys, and what a poll sees.

use std::collections::{BTreeMap, BTreeSet};

use dal::{
    DalError, Db, Reader,
    idempotency::{Key, Kind},
    messages::{self, Message, Messages, NewMessage},
};
use futures::future::join_all;
use telemetry::cost;
use testkit::Database;

use crate::fixture;

async fn start() -> (Database, Db, Messages) {
    let (database, db) = fixture::migrated().await;
    let messages = Messages::start(db.clone(), fixture::without_redis(&db));
    (database, db, messages)
}

fn new(from_id: i64, to_id: i64, content: &str) -> NewMessage {
    NewMessage {
        from_id,
        to_id,
        content: content.to_owned(),
        key: None,
    }
}

async fn after(db: &Db, users: (i64, i64), after_ms: i64) -> Vec<Message> {
    let (later, _) = messages::later(db, users, after_ms, None, 1000, &Reader::STRICT)
        .await
        .unwrap();
    later
}

#[tokio::test]
async fn each_is_told_its_own_id_and_time_and_no_two_of_a_chat_have_one_time() {
    let (database, db, messages) = start().await;
    // The clock of whoever stamped the last was far ahead.
    database
        .execute("INSERT INTO conversations VALUES (1, 2, 9000000000000, 1)")
        .await;
    let all = (0..200_i64).map(|n| {
        let (from, to) = match n % 4 {
            0 => (1, 2),
            1 => (2, 1),
            2 => (1, 3),
            _ => (4 + n, 3),
        };
        messages.send(new(from, to, &n.to_string()))
    });
    let mut by_chat: BTreeMap<(i64, i64), Vec<Message>> = BTreeMap::new();
    for (n, sent) in (0..).zip(join_all(all).await) {
        let sent: Message = sent.unwrap();
        assert_eq!(sent.content, i64::to_string(&n));
        let users = (sent.from_id.min(sent.to_id), sent.from_id.max(sent.to_id));
        by_chat.entry(users).or_default().push(sent);
    }
    for (users, mut sent) in by_chat {
        sent.sort_unstable_by_key(|message| message.created_ms);
        let times: BTreeSet<i64> = sent.iter().map(|message| message.created_ms).collect();
        assert_eq!(times.len(), sent.len());
        if users == (1, 2) {
            assert_eq!(sent[0].created_ms, 9_000_000_000_001);
        }
        assert_eq!(after(&db, users, -1).await, sent, "{users:?}");
        assert_eq!(after(&db, users, sent[0].created_ms).await, sent[1..]);
    }
}

#[tokio::test]
async fn the_newest_page_leads_back_and_the_latest_of_each_is_told() {
    let (_database, db, messages) = start().await;
    let mut sent = Vec::new();
    for n in 0..5 {
        sent.push(messages.send(new(7, 5, &n.to_string())).await.unwrap());
    }
    let reader = &Reader::STRICT;
    let newest = messages::newest(&db, (5, 7), None, 3, reader)
        .await
        .unwrap();
    assert_eq!(newest.entries, sent[2..]);
    let earlier = messages::newest(&db, (5, 7), newest.next_before, 3, reader);
    let earlier = earlier.await.unwrap();
    assert_eq!(
        (earlier.entries, earlier.next_before),
        (sent[..2].to_vec(), None)
    );
    let later = messages::later(&db, (5, 7), sent[0].created_ms, None, 3, reader);
    assert_eq!(later.await.unwrap(), (sent[1..4].to_vec(), true));
    let to_nine = messages.send(new(9, 7, "hi")).await.unwrap();
    let asked = messages::latest(&db, 7, &[5, 9, 11, 7], reader);
    let (latest, spent) = cost::scope(asked).await;
    let mut latest = latest.unwrap();
    latest.sort_unstable_by_key(|message| message.id);
    assert_eq!(latest, [sent[4].clone(), to_nine]);
    assert_eq!(spent.sql, 1);
}

#[tokio::test]
async fn a_key_sends_one_message_also_beside_others_and_is_refused_with_other_content() {
    let (_database, db, messages) = start().await;
    let keyed = |content: &str| NewMessage {
        key: Some(Key::new(1, Kind::Message, "k", &["2", content])),
        ..new(1, 2, content)
    };
    let first = messages.send(keyed("once")).await.unwrap();
    let all = join_all([
        messages.send(keyed("once")),
        messages.send(new(1, 2, "beside")),
        messages.send(keyed("twice")),
        messages.send(keyed("once")),
    ])
    .await;
    for again in [&all[0], &all[3]] {
        assert_eq!(again.as_ref().unwrap(), &first);
    }
    assert!(matches!(all[2], Err(DalError::KeyReused)), "{:?}", all[2]);
    assert!(all[1].is_ok());
    assert_eq!(after(&db, (1, 2), -1).await.len(), 2);
}

#[tokio::test]
async fn a_lone_message_takes_one_trip() {
    let (_database, _db, messages) = start().await;
    let mut fewest = u32::MAX;
    for n in 0..30 {
        let (_, spent) = cost::scope(messages.send(new(1, 2, &n.to_string()))).await;
        fewest = fewest.min(spent.sql);
    }
    assert_eq!(fewest, 1);
}

#[tokio::test]
async fn nothing_is_sent_to_or_by_a_deleted_account_and_all_else_in_the_batch_is() {
    let (database, db, messages) = start().await;
    // One is suspended.
    let users = "INSERT INTO users (id, name, password_hash, state) VALUES (1, 'a', 'h', 0), (2, 'b', 'h', 1), (3, 'c', 'h', 0)";
    database.execute(users).await;
    let keyed = NewMessage {
        key: Some(Key::new(1, Kind::Message, "k", &["3", "before"])),
        ..new(1, 3, "before")
    };
    let before = messages.send(keyed.clone()).await.unwrap();
    let delete = "UPDATE users SET state = 2 WHERE id = 3";
    database.execute(delete).await;
    let alone = messages.send(new(1, 3, "alone")).await;
    assert!(matches!(alone, Err(DalError::NotFound)), "{alone:?}");
    let all = join_all([
        messages.send(new(1, 3, "to")),
        messages.send(new(1, 2, "others")),
        messages.send(new(3, 1, "by")),
        messages.send(new(2, 1, "others")),
        messages.send(keyed),
    ])
    .await;
    for refused in [&all[0], &all[2]] {
        assert!(matches!(refused, Err(DalError::NotFound)), "{refused:?}");
    }
    assert!(all[1].is_ok() && all[3].is_ok(), "{all:?}");
    // A repeat is told what it has made.
    assert_eq!(all[4].as_ref().unwrap(), &before);
    assert_eq!(after(&db, (1, 3), -1).await, [before]);
    assert_eq!(after(&db, (1, 2), -1).await.len(), 2);
}
