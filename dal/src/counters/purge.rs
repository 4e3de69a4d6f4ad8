//! Deletes all counts of a database in Redis, after a writer was found dead that had acknowledged commits without telling Redis.
//!
//! Nobody knows which counts those commits changed, so all must go. Until then no reader trusts any of them.

use std::{collections::BTreeSet, sync::Arc};

use redis_client::{
    Client, KeyGroup,
    leases::{Cleanup, EpochBase, Registry, WriterStatus},
};

use super::entry::Keys;
use crate::Db;

/// Keys of a page of the `SCAN`.
const PAGE: u32 = 512;

/// Keeps the leases on one of the databases.
pub(super) struct Owner {
    db: Db,
    client: Arc<Client>,
    keys: Keys,
}

impl Owner {
    pub(super) fn new(db: Db, client: Arc<Client>, keys: Keys) -> Self {
        Self { db, client, keys }
    }

    /// Deletes all counts, each atomically with its lock, so that no running load stores an old one.
    async fn purge(&self) -> Result<(), redis_client::Unavailable> {
        let mut cursor = "0".to_owned();
        loop {
            let (next, names) = (self.client)
                .scan_page(&cursor, &self.keys.pattern(), PAGE)
                .await?;
            let counters: BTreeSet<&str> = names
                .iter()
                .filter_map(|name| std::str::from_utf8(name).ok())
                .map(|name| Keys::locked(name).unwrap_or(name))
                .filter(|name| self.keys.parse(name).is_some())
                .collect();
            let keys: Vec<KeyGroup> = counters
                .into_iter()
                .map(|key| vec![Keys::lock(key), key.to_owned()])
                .collect();
            if !keys.is_empty() {
                self.client.delete(&keys).await?;
            }
            if next == "0" {
                return Ok(());
            }
            cursor = next;
        }
    }
}

impl Registry for Owner {
    async fn id(&self, name: &'static str) -> Option<String> {
        self.db.id(name).await
    }

    async fn statuses(
        &self,
        name: &'static str,
        ids: &[String],
    ) -> Option<Vec<(String, WriterStatus)>> {
        self.db.statuses(name, ids).await
    }

    async fn epoch_base(&self, name: &'static str) -> Option<EpochBase> {
        self.db.epoch_base(name).await
    }

    async fn removed(&self, name: &'static str, ids: &[String]) {
        self.db.removed(name, ids).await;
    }

    async fn clean_up(&self) -> Option<Cleanup> {
        self.purge().await.ok().map(|()| Cleanup::Deleted)
    }
}
