//! Objects and unfinished uploads without a row. They are noted, and deleted if they still have no row a long time later: a database that was
//! restored from an older dump lacks rows of good objects. A pass that finds too many stops.

use std::collections::HashMap;

use super::{Reaped, Reaper, bucket::PAGE, count, error::ReapError};
use crate::{error::VideoError, object_key};

/// If more objects than this, and more than a twentieth of all, have no row, they aren't leftovers: the database is another one or lacks rows.
const MAX_UNKNOWN: u64 = 50;
const MAX_SHARE: u64 = 20;

/// The longest key that a row can hold, in bytes.
const MAX_KEY_LENGTH: usize = 100;

/// Objects that a pass has seen so far.
#[derive(Debug, Default)]
pub(super) struct ScanCounts {
    all: u64,
    unknown: u64,
}

impl ScanCounts {
    fn add(&mut self, all: usize, unknown: usize) {
        self.all += all as u64;
        self.unknown += unknown as u64;
    }

    fn check_unknown_share(&self) -> Result<(), ReapError> {
        let Self { all, unknown } = *self;
        if unknown <= MAX_UNKNOWN || unknown.saturating_mul(MAX_SHARE) <= all {
            return Ok(());
        }
        Err(ReapError::Stopped(format!(
            "{unknown} of {all} objects in the bucket have no row: more than leftovers can be. Was an older dump restored? \
             nothing is removed; if they are leftovers nevertheless: make reap ARGS=--adopt"
        )))
    }
}

/// Unfinished uploads by their keys.
type Open = HashMap<String, Vec<String>>;

impl Reaper {
    pub(super) async fn unknown_objects(&self, reaped: &mut Reaped) -> Result<(), ReapError> {
        let mut seen = ScanCounts::default();
        let open = self.note_parts(&mut seen, reaped).await?;
        for prefix in [object_key::VIDEOS, object_key::COVERS] {
            self.note_objects(prefix, &mut seen, reaped).await?;
        }
        self.delete_long_unknown(&open, reaped).await
    }

    /// MinIO names unfinished uploads only to who knows their keys, so it finds none here; it removes them itself after a day.
    async fn note_parts(
        &self,
        seen: &mut ScanCounts,
        reaped: &mut Reaped,
    ) -> Result<Open, ReapError> {
        let mut open = Open::new();
        for upload in self.uploads.store.list_uploads(object_key::VIDEOS).await? {
            if self.is_of_age(&upload.key) {
                open.entry(upload.key).or_default().push(upload.upload_id);
            }
        }
        let keys: Vec<String> = open.keys().cloned().collect();
        self.note(&keys, seen, reaped).await?;
        Ok(open)
    }

    /// Reads the keys in their order, which is the order of time, up to the first that is too young. The next pass, in whatever process,
    /// continues there.
    async fn note_objects(
        &self,
        prefix: &str,
        seen: &mut ScanCounts,
        reaped: &mut Reaped,
    ) -> Result<(), ReapError> {
        let db = &self.uploads.db;
        let from = match self.full_scan {
            true => String::new(),
            false => dal::reaper::scan_cursor(db, prefix).await?,
        };
        let mut after = from.clone();
        loop {
            let listed = self.uploads.store.list(prefix, &after, PAGE).await?;
            let of_age: Vec<String> = listed
                .iter()
                .map(|object| object.key.clone())
                .filter(|key| self.is_of_age(key))
                .collect();
            self.note(&of_age, seen, reaped).await?;
            let is_last = listed.len() < usize::from(PAGE) || of_age.is_empty();
            if let Some(last) = of_age.into_iter().next_back() {
                after = last;
            }
            if is_last {
                break;
            }
        }
        // Only now: a pass that was stopped is repeated as a whole.
        if after != from {
            dal::reaper::set_scan_cursor(db, prefix, &after).await?;
        }
        Ok(())
    }

    /// Notes those of `keys` that have no row.
    async fn note(
        &self,
        keys: &[String],
        seen: &mut ScanCounts,
        reaped: &mut Reaped,
    ) -> Result<(), ReapError> {
        let unknown = self.unknown_of(keys).await?;
        seen.add(keys.len(), unknown.len());
        if !self.adopts_bucket {
            seen.check_unknown_share()?;
        }
        reaped.noted += dal::reaper::record_unknown(&self.uploads.db, &unknown).await?;
        Ok(())
    }

    async fn unknown_of(&self, keys: &[String]) -> Result<Vec<String>, ReapError> {
        let owners: Vec<String> = keys
            .iter()
            .flat_map(|key| object_key::owners(key))
            .collect();
        let known = dal::reaper::known(&self.uploads.db, &owners).await?;
        let is_unknown = |key: &&String| {
            let owners = object_key::owners(key);
            !owners.iter().any(|owner| known.contains(owner))
        };
        Ok(keys.iter().filter(is_unknown).cloned().collect())
    }

    async fn delete_long_unknown(&self, open: &Open, reaped: &mut Reaped) -> Result<(), ReapError> {
        let Self { uploads, .. } = self;
        let mut is_first = true;
        loop {
            let due =
                dal::reaper::unknown_since(&uploads.db, self.unknown_age, PAGE.into()).await?;
            if std::mem::take(&mut is_first) && !due.is_empty() && !self.adopts_bucket {
                self.check_total_unknown_share().await?;
            }
            let unknown = self.unknown_of(&due).await?;
            let mut done: Vec<String> = Vec::new();
            let failed_before = reaped.failed;
            for key in &due {
                if unknown.contains(key) {
                    let deleted = self.delete(key, open.get(key)).await;
                    let is_deleted = deleted.is_ok();
                    let kind = match open.contains_key(key) {
                        true => &mut reaped.parts,
                        false => &mut reaped.objects,
                    };
                    count(deleted, key, kind, &mut reaped.failed);
                    if !is_deleted {
                        continue;
                    }
                }
                done.push(key.clone());
            }
            dal::reaper::forget_unknown(&uploads.db, &done).await?;
            // What could not be removed would be on the next page again.
            if due.len() < usize::from(PAGE) || reaped.failed > failed_before {
                return Ok(());
            }
        }
    }

    async fn delete(
        &self,
        key: &str,
        upload_ids: Option<&Vec<String>>,
    ) -> Result<bool, VideoError> {
        let store = &self.uploads.store;
        // The parts first: if the upload was completed meanwhile, they have become an object.
        for upload_id in upload_ids.into_iter().flatten() {
            store.abort_multipart(key, upload_id).await?;
        }
        store.delete(key).await?;
        Ok(true)
    }

    /// Many passes with a few each also make many.
    async fn check_total_unknown_share(&self) -> Result<(), ReapError> {
        let db = &self.uploads.db;
        let unknown = dal::reaper::unknown_count(db).await?;
        if unknown <= MAX_UNKNOWN {
            return Ok(());
        }
        // More would change nothing, so no more are counted.
        let videos = dal::reaper::count_videos(db, unknown.saturating_mul(MAX_SHARE)).await?;
        // Each video has a cover.
        let all = videos.saturating_mul(2).saturating_add(unknown);
        ScanCounts { all, unknown }.check_unknown_share()
    }

    /// False for a key that isn't ours: such objects are left alone.
    fn is_of_age(&self, key: &str) -> bool {
        key.is_ascii()
            && key.len() <= MAX_KEY_LENGTH
            && object_key::age(key).is_some_and(|age| age > self.age)
    }
}
