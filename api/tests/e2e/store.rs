//! What a system holds of uploads: in the bucket and in the database.

use std::time::Duration;

use testkit::{System, eventually};

/// Everything that an upload can leave.
#[derive(Debug, PartialEq, Eq)]
pub struct StoredState {
    objects: Vec<String>,
    open_uploads: Vec<String>,
    videos: i64,
    upload_rows: i64,
}

/// Keys of all objects that belong to videos: pictures of users are there as soon as somebody sees them.
pub async fn video_objects(system: &System) -> Vec<String> {
    let mut keys = system.bucket().keys().await;
    keys.retain(|key| key.starts_with("videos/") || key.starts_with("covers/"));
    keys
}

impl StoredState {
    pub async fn of(system: &System) -> Self {
        Self {
            objects: video_objects(system).await,
            open_uploads: system.bucket().open_uploads().await,
            videos: system.database().value("SELECT COUNT(*) FROM videos").await,
            upload_rows: system
                .database()
                .value("SELECT COUNT(*) FROM uploads")
                .await,
        }
    }

    fn nothing() -> Self {
        Self {
            objects: Vec::new(),
            open_uploads: Vec::new(),
            videos: 0,
            upload_rows: 0,
        }
    }
}

/// After a refusal that was answered, nothing is left.
pub async fn assert_empty(system: &System, case: &str) {
    assert_eq!(
        StoredState::of(system).await,
        StoredState::nothing(),
        "after {case}"
    );
}

/// After an upload that was never answered, nothing is left soon.
pub async fn assert_empty_soon(system: &System, case: &str) {
    let what = format!("nothing left after {case}");
    let nothing = StoredState::nothing();
    eventually(Duration::from_secs(10), &what, async || {
        (StoredState::of(system).await == nothing).then_some(())
    })
    .await;
}

/// After so many videos: each with its two covers, and nothing besides.
pub async fn assert_video_objects(system: &System, count: usize) {
    let state = StoredState::of(system).await;
    assert_eq!(state.objects.len(), 3 * count, "{state:?}");
    assert_eq!(state.videos, count as i64, "{state:?}");
    assert!(
        state.open_uploads.is_empty() && state.upload_rows == 0,
        "{state:?}"
    );
}
