//! Users: create, credentials, and reads by id.

use dal::{DalError, Reader, users};

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
    users::set_password_hash(&db, id, "new").await.unwrap();
    // Setting what is already set is no error.
    users::set_password_hash(&db, id, "new").await.unwrap();
    let credentials = users::credentials_by_name(&db, "bob")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(credentials.password_hash, "new");
    let nobody = users::set_password_hash(&db, 404, "new").await;
    assert!(matches!(nobody, Err(DalError::NotFound)));
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
