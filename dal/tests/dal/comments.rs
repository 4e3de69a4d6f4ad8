//! Comments: add, delete, list, and who may delete.

use dal::{
    DalError, Db, Reader,
    comments::{self, Comment, Comments, DeleteComment, Deletion, NewComment},
    counters::Counters,
    counts::{self, Counter},
};

use crate::fixture;

const VIDEO: i64 = 7;
const AUTHOR: i64 = 70;

async fn add(db: &Db, counters: &Counters, user_id: i64, content: &str) -> Comment {
    let comment = NewComment {
        video_id: VIDEO,
        user_id,
        content: content.to_owned(),
        key: None,
    };
    Comments::start(db.clone(), counters.clone())
        .add(comment)
        .await
        .unwrap()
}

async fn count(db: &Db) -> i64 {
    let counter = Counter::VideoComments(VIDEO);
    counts::exact(db, &[counter]).await.unwrap()[&counter]
}

#[tokio::test]
async fn a_comment_is_what_was_written_stamped_and_counted() {
    let (database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    let clock = "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";
    let before: i64 = database.value(clock).await;
    let text = "好看".repeat(250);
    let comment = add(&db, &counters, 1, &text).await;
    let after: i64 = database.value(clock).await;
    assert!((before..=after).contains(&comment.created_ms));
    assert_eq!(comment.content, text);
    let listed = comments::list(&db, VIDEO, None, 10, &Reader::STRICT)
        .await
        .unwrap();
    assert_eq!((listed.entries, listed.next_before), (vec![comment], None));
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn a_comment_that_does_not_fit_changes_nothing() {
    let (_database, db) = fixture::migrated().await;
    let comment = NewComment {
        video_id: VIDEO,
        user_id: 1,
        content: "好".repeat(501),
        key: None,
    };
    let refused = Comments::start(db.clone(), fixture::without_redis(&db))
        .add(comment)
        .await;
    assert!(matches!(refused, Err(DalError::Other(_))));
    let listed = comments::list(&db, VIDEO, None, 10, &Reader::STRICT)
        .await
        .unwrap();
    assert_eq!((listed.entries.len(), count(&db).await), (0, 0));
}

#[tokio::test]
async fn its_writer_and_the_videos_author_may_delete_a_comment_and_nobody_else() {
    let (_database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    let comments = Comments::start(db.clone(), counters.clone());
    let [first, second] = [
        add(&db, &counters, 1, "a").await.id,
        add(&db, &counters, 1, "b").await.id,
    ];
    for (comment_id, video_id, user_id, expected, left) in [
        (first, VIDEO, 2, Deletion::NotYours, 2),
        (first, VIDEO + 1, 1, Deletion::NoSuchComment, 2),
        (404, VIDEO, 1, Deletion::NoSuchComment, 2),
        (first, VIDEO, 1, Deletion::Deleted, 1),
        (first, VIDEO, 1, Deletion::NoSuchComment, 1),
        (second, VIDEO, AUTHOR, Deletion::Deleted, 0),
    ] {
        let comment = DeleteComment {
            video_id,
            comment_id,
            user_id,
            video_author_id: AUTHOR,
        };
        let outcome = comments.delete(comment).await.unwrap();
        assert_eq!(outcome, expected, "{comment:?}");
        assert_eq!(count(&db).await, left, "{comment:?}");
    }
}

#[tokio::test]
async fn of_many_who_delete_a_comment_one_does_and_it_is_counted_once() {
    let (_database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    let comments = Comments::start(db.clone(), counters.clone());
    let comment_id = add(&db, &counters, 1, "a").await.id;
    add(&db, &counters, 1, "b").await;
    let deletions: Vec<_> = (0..20)
        .map(|_| {
            let comments = comments.clone();
            let comment = DeleteComment {
                video_id: VIDEO,
                comment_id,
                user_id: 1,
                video_author_id: AUTHOR,
            };
            tokio::spawn(async move { comments.delete(comment).await })
        })
        .collect();
    let mut deleted = 0;
    for deletion in deletions {
        deleted += i32::from(deletion.await.unwrap().unwrap() == Deletion::Deleted);
    }
    assert_eq!((deleted, count(&db).await), (1, 1));
}

#[tokio::test]
async fn comments_page_on_from_a_place_whatever_becomes_of_who_stood_there() {
    let (_database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    let writer = Comments::start(db.clone(), counters.clone());
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(add(&db, &counters, 1, &format!("{n}")).await.id);
    }
    ids.reverse();
    let page = async |before, limit| {
        let page = comments::list(&db, VIDEO, before, limit, &Reader::STRICT);
        let page = page.await.unwrap();
        let ids: Vec<i64> = page.entries.iter().map(|comment| comment.id).collect();
        (ids, page.next_before)
    };
    let (first, place) = page(None, 2).await;
    assert_eq!(first, ids[..2]);
    assert_eq!(page(place, 3).await, (ids[2..].to_vec(), None));
    assert_eq!(page(Some(ids[4]), 3).await, (vec![], None));
    for comment_id in [ids[1], ids[2]] {
        let comment = DeleteComment {
            video_id: VIDEO,
            comment_id,
            user_id: 1,
            video_author_id: AUTHOR,
        };
        writer.delete(comment).await.unwrap();
    }
    assert_eq!(page(place, 3).await, (ids[3..].to_vec(), None));
    assert_eq!(page(place, 1).await, (vec![ids[3]], Some(ids[3])));
}
