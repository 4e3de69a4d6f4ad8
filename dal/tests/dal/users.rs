//! Users: create, credentials, and reads by id.

use dal::{DalError, Reader, accounts, accounts::AccountChange, users};
use futures::future::join_all;

use crate::fixture;

#[tokio::test]
async fn a_user_can_be_found_by_name_and_by_id() {
    let (_database, db) = fixture::migrated().await;
    let id = users::create(&db, "小明", "hash").await.unwrap();
    assert_eq!(id, 1);

    let credentials = users::credentials_by_name(&db, "小明")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (credentials.user_id, credentials.password_hash.as_str()),
        (id, "hash")
    );
    let found = users::mget(&db, &[id, id, 404], &Reader::STRICT)
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (
            found[0].id,
            found[0].name.as_str(),
            found[0].avatar.as_str()
        ),
        (id, "小明", "")
    );
}

#[tokio::test]
async fn names_are_told_apart_by_case_accent_and_script() {
    let (_database, db) = fixture::migrated().await;
    let names = [
        "straße",
        "strasse",
        "STRASSE",
        "Strásse",
        "ｓtrasse",
        "😀",
        "😁",
    ];
    for name in names {
        users::create(&db, name, name.escape_unicode().to_string().as_str())
            .await
            .unwrap();
    }
    for name in names {
        let credentials = users::credentials_by_name(&db, name)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(credentials.name, name);
        assert!(matches!(
            users::create(&db, name, "h").await,
            Err(DalError::Duplicate)
        ));
    }
}

#[tokio::test]
async fn a_name_with_a_trailing_space_is_nobody() {
    let (_database, db) = fixture::migrated().await;
    users::create(&db, "bob", "hash").await.unwrap();
    for name in ["bob ", " bob", "Bob", "bo", ""] {
        assert!(
            users::credentials_by_name(&db, name)
                .await
                .unwrap()
                .is_none(),
            "{name:?}"
        );
    }
}

#[tokio::test]
async fn of_many_who_take_one_name_at_once_one_wins() {
    let (database, db) = fixture::migrated().await;
    let attempts: Vec<_> = (0..50)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move { users::create(&db, "wanted", "hash").await })
        })
        .collect();
    let mut won = 0;
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(_) => won += 1,
            Err(DalError::Duplicate) => {}
            Err(e) => panic!("{e}"),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(database.value::<i64>("SELECT COUNT(*) FROM users").await, 1);
}

#[tokio::test]
async fn a_new_password_hash_replaces_the_old_one() {
    let (_database, db) = fixture::migrated().await;
    let id = users::create(&db, "bob", "old").await.unwrap();
    let replaced = users::replace_password_hash(&db, id, "old", "new").await;
    assert!(replaced.unwrap());
    // Setting what is already set is no failure.
    let replaced = users::replace_password_hash(&db, id, "new", "new").await;
    assert!(replaced.unwrap());
    let credentials = users::credentials_by_name(&db, "bob")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(credentials.password_hash, "new");
    let nobody = users::replace_password_hash(&db, 404, "new", "newer").await;
    assert!(!nobody.unwrap());
}

fn new_password(verified: &str, hash: &str) -> AccountChange {
    AccountChange::Password {
        verified: verified.to_owned(),
        hash: hash.to_owned(),
    }
}

fn deletion(verified: &str) -> AccountChange {
    AccountChange::Deleted {
        verified: verified.to_owned(),
    }
}

#[tokio::test]
async fn a_hash_that_is_raised_late_undoes_no_change_and_no_deletion() {
    let (database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    let id = users::create(&db, "bob", "old").await.unwrap();
    let hash = "SELECT password_hash FROM users";
    for (before, change, after) in [
        ("old", new_password("old", "new"), "new"),
        ("new", deletion("new"), ""),
    ] {
        accounts::change(&db, &counters, id, change).await.unwrap();
        let raised = users::replace_password_hash(&db, id, before, "raised").await;
        assert!(!raised.unwrap());
        assert_eq!(database.value::<String>(hash).await, after);
    }
}

#[tokio::test]
async fn of_many_changes_that_the_same_password_allows_the_first_is_the_only_one() {
    let (database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    let id = users::create(&db, "bob", "old").await.unwrap();
    let changes = (1..=8).map(|n| {
        let (db, counters) = (db.clone(), counters.clone());
        tokio::spawn(async move {
            let hash = format!("hash {n}");
            let change = match n {
                8 => deletion("old"),
                _ => new_password("old", &hash),
            };
            (accounts::change(&db, &counters, id, change).await, hash)
        })
    });
    let mut done = Vec::new();
    for one in join_all(changes.collect::<Vec<_>>()).await {
        match one.unwrap() {
            (Ok(epoch), hash) => done.push((epoch, hash)),
            (Err(DalError::NotFound), _) => {}
            (Err(error), _) => panic!("{error}"),
        }
    }
    let [(1, hash)] = &done[..] else {
        panic!("{done:?}");
    };
    let stays: String = database.value("SELECT password_hash FROM users").await;
    let deleted = hash == "hash 8";
    assert_eq!(&stays, if deleted { "" } else { hash });
}

#[tokio::test]
async fn a_name_longer_than_its_column_is_refused_not_cut() {
    let (database, db) = fixture::migrated().await;
    let longest = "😀".repeat(32);
    users::create(&db, &longest, "hash").await.unwrap();
    assert!(matches!(
        users::create(&db, &"😀".repeat(33), "hash").await,
        Err(DalError::Other(_))
    ));
    assert_eq!(
        database.value::<String>("SELECT name FROM users").await,
        longest
    );
}
