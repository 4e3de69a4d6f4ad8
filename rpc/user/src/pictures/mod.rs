//! Pictures of profiles: those that users send, and those that are drawn for whoever has sent none.
//!
//! A picture that was sent has a row before its object, and belongs to nobody until a profile takes it. What no profile has is removed by a pass, once
//! nobody can be shown it any more. So a process that is killed leaves nothing for ever.

mod bucket;
mod default_picture;
mod ffmpeg;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use dal::{Db, Lock, profiles};
use idl::{
    base::{Code, Reason},
    biz_because,
    user::PictureKind,
};
use rpc_server::to_server_error;
use service::BoxError;
use storage::{StorageError, Store};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
};
use uuid::Uuid;
use volo_thrift::ServerError;

use default_picture::DefaultPicture;
use ffmpeg::PictureError;

const JPEG: &str = "image/jpeg";
const PNG: &str = "image/png";
/// Processes of ffmpeg at once: each uses a core and some hundred megabytes.
const PARALLEL: usize = 2;
/// How long a picture waits for a permit.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a picture may wait for the profile that it was sent for: both come with one request.
const UNUSED_AGE: Duration = Duration::from_secs(60 * 60);
/// How long a dropped picture may be shown, beside the lag of a replica: the API shows a profile for 5 s after it was read (`USER_TTL` in
/// `api/src/app.rs`), a replica that lags too much leaves the rotation within 2 s, and a client on a slow network fetches pictures after the page.
const SHOWN_FOR: Duration = Duration::from_secs(60);
/// Between two passes.
const PERIOD: Duration = Duration::from_secs(60);
/// Pictures that are read at once.
const PAGE: u16 = 100;

/// The pictures of all profiles. Cheap to clone.
#[derive(Clone)]
pub struct Pictures {
    db: Db,
    store: Store,
    /// How long a picture that was dropped stays.
    dropped_age: Duration,
    slots: Arc<Semaphore>,
    /// Drawn pictures that this process has stored, or is storing: there are some 450.
    drawn: Arc<Mutex<HashSet<String>>>,
    /// Whether the bucket was another database's when it was last asked.
    is_elsewhere: Arc<AtomicBool>,
}

impl Pictures {
    /// In this store; their rows are in this database, whose replicas lag no more than its settings say.
    pub fn new(db: Db, store: Store, mysql: &settings::Mysql) -> Self {
        Self {
            db,
            store,
            dropped_age: Duration::from_secs(mysql.max_lag_s).saturating_add(SHOWN_FOR),
            slots: Arc::new(Semaphore::new(PARALLEL)),
            drawn: Arc::default(),
            is_elsewhere: Arc::default(),
        }
    }

    /// Stores a picture that a user has sent, made anew; where it is.
    pub(crate) async fn add(
        &self,
        user_id: i64,
        kind: PictureKind,
        sent: &[u8],
    ) -> Result<String, ServerError> {
        let max_width = match kind {
            PictureKind::AVATAR => 512,
            _ => 1500,
        };
        let permit = tokio::time::timeout(QUEUE_TIMEOUT, self.slots.acquire()).await;
        let Ok(Ok(permit)) = permit else {
            return Err(service::overloaded(&PictureError::Busy));
        };
        let made = ffmpeg::encode(sent, max_width).await;
        drop(permit);
        let jpeg = made.map_err(|error| match error {
            PictureError::Unreadable => biz_because(
                Code::BAD_PARAMETER,
                Reason::NOT_A_PICTURE,
                None,
                error.to_string(),
            )
            .into(),
            // Memory was short: the picture may be a good one.
            PictureError::Killed => service::unavailable(&error),
            error => service::internal(&error),
        })?;
        let key = format!("pictures/{}.jpg", Uuid::now_v7());
        profiles::record_picture(&self.db, &key, user_id)
            .await
            .map_err(to_server_error)?;
        let stored = self.store.put(&key, Bytes::from(jpeg), JPEG).await;
        stored.map_err(|error| service::unavailable(&error))?;
        Ok(key)
    }

    /// The URL of a picture; `key` empty: of the one that is drawn.
    pub(crate) fn url(
        &self,
        key: &str,
        user_id: i64,
        name: &str,
        kind: PictureKind,
    ) -> Result<Arc<str>, StorageError> {
        if !key.is_empty() {
            return self.store.play_url(key);
        }
        let drawn = DefaultPicture::of(user_id, name);
        let key = match kind {
            PictureKind::AVATAR => drawn.avatar_key(),
            _ => drawn.background_key(),
        };
        self.draw(drawn, kind, &key);
        self.store.play_url(&key)
    }

    /// Draws and stores a picture, once a process, in a task of its own: nobody waits for it. Whoever is shown it first may ask for it a moment too
    /// early.
    fn draw(&self, drawn: DefaultPicture, kind: PictureKind, key: &str) {
        let key = key.to_owned();
        let is_first = |drawn: &Mutex<HashSet<String>>| match drawn.lock() {
            Ok(mut keys) => keys.insert(key.clone()),
            Err(_) => false,
        };
        if !is_first(&self.drawn) {
            return;
        }
        let pictures = self.clone();
        tokio::spawn(async move {
            let picture = tokio::task::spawn_blocking(move || match kind {
                PictureKind::AVATAR => drawn.avatar(),
                _ => drawn.background(),
            });
            let Ok(picture) = picture.await else { return };
            let stored = pictures.store.put(&key, Bytes::from(picture), PNG).await;
            if let Err(error) = stored {
                tracing::warn!(object_key = key, %error, "drawn picture not stored, the next to be shown it tries again");
                if let Ok(mut keys) = pictures.drawn.lock() {
                    keys.remove(&key);
                }
            }
        });
    }

    /// Removes a picture that no profile has; whether that succeeded.
    async fn remove(&self, key: &str) -> bool {
        let removed = async {
            self.store
                .delete(key)
                .await
                .map_err(|error| error.to_string())?;
            let forgotten = profiles::forget_picture(&self.db, key).await;
            forgotten.map_err(|error| error.to_string())
        };
        let removed = removed.await;
        if let Err(error) = &removed {
            tracing::warn!(
                object_key = key,
                error,
                "picture not removed, the next pass tries again"
            );
        }
        removed.is_ok()
    }

    /// Whether the bucket certainly isn't this database's. A copy of a database may name the original's bucket, whose pictures must stay; and a bucket
    /// without them answers each deletion with success, so the row would go and the picture would stay. A change is logged once.
    async fn is_bound_elsewhere(&self) -> Result<bool, BoxError> {
        let is_elsewhere = bucket::is_bound_elsewhere(&self.db, &self.store).await?;
        let was_elsewhere = self.is_elsewhere.swap(is_elsewhere, Ordering::Relaxed);
        match (was_elsewhere, is_elsewhere) {
            (false, true) => tracing::error!(
                "unused pictures stay: this bucket isn't the one that the database is bound to; when they do belong together: make reap ARGS=--adopt"
            ),
            (true, false) => {
                tracing::info!("the bucket is this database's: unused pictures are removed");
            }
            _ => {}
        }
        Ok(is_elsewhere)
    }

    async fn remove_unused(&self) -> Result<(), BoxError> {
        let mut is_known_bucket = false;
        loop {
            let (unused, dropped) = (UNUSED_AGE, self.dropped_age);
            let keys = profiles::unused_pictures(&self.db, unused, dropped, PAGE.into()).await?;
            // Once a pass, and only if there is something to remove.
            if keys.is_empty() || (!is_known_bucket && self.is_bound_elsewhere().await?) {
                return Ok(());
            }
            is_known_bucket = true;
            let mut has_failed = false;
            for key in &keys {
                has_failed |= !self.remove(key).await;
            }
            // What could not be removed would be on the next page again.
            if keys.len() < usize::from(PAGE) || has_failed {
                return Ok(());
            }
        }
    }

    /// May be dropped at any point, as if the process were killed there: the next pass does the rest, and the lock ends with its connection.
    async fn pass(&self) -> Result<(), BoxError> {
        let Some(lock) = Lock::take(&self.db, "pictures").await? else {
            return Ok(());
        };
        let outcome = self.remove_unused().await;
        lock.release().await;
        outcome
    }
}

/// Removes unused pictures in the background until it is stopped.
pub struct UnusedPictureTask {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl UnusedPictureTask {
    /// Starts the task; needs a tokio runtime. Any number of processes may run it: a named lock lets one at a time make a pass.
    pub fn start(pictures: Pictures) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let task = vital::spawn("pictures", async move {
            loop {
                tokio::select! {
                    _ = stopped.changed() => break,
                    passed = pictures.pass() => {
                        if let Err(error) = passed {
                            tracing::warn!(error, "unused pictures not removed, the next pass tries again");
                        }
                    }
                }
                // An error means that the period has passed without a stop.
                if tokio::time::timeout(PERIOD, stopped.changed())
                    .await
                    .is_ok()
                {
                    break;
                }
            }
        });
        Self { stop, task }
    }

    /// Ends at once, also in the middle of a pass.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

#[cfg(test)]
mod tests;
