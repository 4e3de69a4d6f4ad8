//! `scripts/grow.sh`: what it makes obeys the rules of the schema.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use dal::{orphans, reconcile};

use crate::fixture;

#[tokio::test]
async fn the_counts_of_a_grown_database_equal_its_rows() {
    let (database, db) = fixture::migrated().await;
    let user = "INSERT INTO users (id, name, password_hash) VALUES (1, 'was there', '-')";
    database.execute(user).await;
    fixture::publish(&db, 1, "was there").await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/grow.sh");
    let output = Command::new(script)
        .env("SCALE", "0.001")
        .env("DOUSHENG_MYSQL__MIGRATE_URL", database.migrate_url())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");

    assert_eq!(reconcile::differences(&db).await.unwrap(), []);
    assert_eq!(orphans::find(&db).await.unwrap(), orphans::Found::default());
    for (table, rows) in [("users", 1001), ("videos", 1001), ("comments", 5000)] {
        let count: i64 = database
            .value(&format!("SELECT COUNT(*) FROM {table}"))
            .await;
        assert_eq!(count, rows, "{table}");
    }
    let likes: i64 = database.value("SELECT COUNT(*) FROM favorites").await;
    assert!((9_900..=10_000).contains(&likes), "{likes} likes");
    for (column, most) in [("video_id", 1000), ("user_id", 301)] {
        let sql = format!(
            "SELECT COUNT(*) FROM favorites GROUP BY {column} ORDER BY COUNT(*) DESC LIMIT 1"
        );
        assert_eq!(database.value::<i64>(&sql).await, most, "{column}");
    }
}
