//! The calls to Redis: which of the two databases has a counter, under which key, and which keys go together in one call.

use std::{collections::BTreeMap, sync::Arc};

use redis_client::{Bytes, Client, Script, ScriptCall, Unavailable, Value, leases::Bucket};

use super::{
    Counters, MAX_KEYS,
    entry::{self, Entry, Keys, epoch_seq},
    scripts::LOOK_UP_SCRIPT,
};
use crate::counts::Counter;

impl Counters {
    /// What Redis holds of these counters, from both databases at once, if it may be trusted; absent ones are left out.
    pub(super) async fn trusted(
        &self,
        counters: &[Counter],
    ) -> Result<Vec<(Counter, Entry)>, Unavailable> {
        let look_up = async |(client, counters): (&Arc<Client>, Vec<Counter>)| {
            let groups = self.groups(counters);
            let calls: Vec<ScriptCall> = groups
                .iter()
                .map(|group| self.look_up_call(group))
                .collect();
            let replies = client.get_by_script_of_run(&LOOK_UP_SCRIPT, &calls).await?;
            let mut entries = Vec::new();
            for (group, reply) in groups.into_iter().zip(replies) {
                let (since, texts) = reply.ok().and_then(found).ok_or(Unavailable)?;
                let texts = group.iter().zip(texts);
                entries.extend(texts.filter_map(|(counter, text)| {
                    let entry = Entry::parse(text.as_bytes()?)?;
                    (entry.seq >= since).then_some((*counter, entry))
                }));
            }
            Ok(entries)
        };
        let [favorites, comments] = self.by_client(counters);
        let (favorites, comments) = tokio::join!(look_up(favorites), look_up(comments));
        let mut entries: Vec<(Counter, Entry)> = favorites?;
        entries.extend(comments?);
        Ok(entries)
    }

    /// Those that go together in one call of a script.
    pub(super) fn groups(&self, counters: Vec<Counter>) -> Vec<Vec<Counter>> {
        let mut by_bucket: BTreeMap<usize, Vec<Counter>> = BTreeMap::new();
        for counter in counters {
            let bucket = by_bucket.entry(self.keys.bucket(counter)).or_default();
            bucket.push(counter);
        }
        let chunks = by_bucket.values().flat_map(|all| all.chunks(MAX_KEYS));
        chunks.map(<[Counter]>::to_vec).collect()
    }

    /// Of counters of one bucket.
    fn look_up_call(&self, counters: &[Counter]) -> ScriptCall {
        let bucket = counters.first().map(|first| self.bucket_of(*first));
        let trust = bucket.into_iter().flat_map(|b| [b.epoch, b.leases]);
        let keys = trust.chain(self.keys_of(counters)).collect();
        (keys, Vec::new())
    }

    /// The bucket whose leases guard a counter.
    pub(super) fn bucket_of(&self, counter: Counter) -> Bucket {
        let bucket = self.keys.bucket(counter);
        self.keys.lease_bucket(entry::database(counter), bucket)
    }

    /// The positions of the commits of all epochs.
    pub(super) async fn epochs(&self) -> Result<Vec<u64>, Unavailable> {
        let get = async |(client, database): (&Arc<Client>, char)| {
            let buckets = 0..self.keys.buckets();
            let keys = buckets.map(|bucket| self.keys.lease_bucket(database, bucket).epoch);
            client.get_all(keys.collect()).await
        };
        let [favorites, comments] = self.databases();
        let (favorites, comments) = tokio::try_join!(get(favorites), get(comments))?;
        let texts = favorites.into_iter().chain(comments).flatten();
        Ok(texts.filter_map(|text| epoch_seq(&text)).collect())
    }

    /// The texts that Redis holds of these counters, trusted or not, from both databases at once; absent ones are left out.
    pub(super) async fn texts(
        &self,
        counters: &[Counter],
    ) -> Result<Vec<(Counter, Bytes)>, Unavailable> {
        let get = async |(client, counters): (&Arc<Client>, Vec<Counter>)| {
            if counters.is_empty() {
                return Ok(Vec::new());
            }
            let texts = client.get_all(self.keys_of(&counters)).await?;
            let present = counters.into_iter().zip(texts);
            Ok(present.filter_map(|(c, text)| Some((c, text?))).collect())
        };
        let [favorites, comments] = self.by_client(counters);
        let (favorites, comments) = tokio::join!(get(favorites), get(comments));
        let mut texts: Vec<(Counter, Bytes)> = favorites?;
        texts.extend(comments?);
        Ok(texts)
    }

    /// Runs a script for each counter, on both databases at once.
    pub(super) async fn run_scripts(
        &self,
        script: &Script,
        counters: &[Counter],
        call: impl Fn(Counter, String) -> ScriptCall,
    ) -> Result<Vec<(Counter, redis_client::Reply<Value>)>, Unavailable> {
        let [(favorites, likes), (comments, others)] = self.by_client(counters);
        let (likes, others) = tokio::join!(
            self.scripted(favorites, script, &likes, &call),
            self.scripted(comments, script, &others, &call)
        );
        let mut replies = likes?;
        replies.extend(others?);
        Ok(replies)
    }

    pub(super) async fn scripted(
        &self,
        client: &Arc<Client>,
        script: &Script,
        counters: &[Counter],
        call: impl Fn(Counter, String) -> ScriptCall,
    ) -> Result<Vec<(Counter, redis_client::Reply<Value>)>, Unavailable> {
        let calls: Vec<ScriptCall> = counters
            .iter()
            .map(|counter| call(*counter, self.keys.of(*counter)))
            .collect();
        let replies = client.run_script(script, &calls).await?;
        Ok(counters.iter().copied().zip(replies).collect())
    }

    pub(super) fn clients(&self) -> [&Arc<Client>; 2] {
        [&self.favorites, &self.comments]
    }

    /// Each client, and the letter of its database in the keys of leases.
    pub(super) fn databases(&self) -> [(&Arc<Client>, char); 2] {
        [(&self.favorites, 'f'), (&self.comments, 'c')]
    }

    /// The database of a counter.
    pub(super) fn client(&self, counter: Counter) -> &Arc<Client> {
        match counter {
            Counter::VideoComments(_) => &self.comments,
            _ => &self.favorites,
        }
    }

    pub(super) fn by_client(&self, counters: &[Counter]) -> [(&Arc<Client>, Vec<Counter>); 2] {
        self.clients().map(|client| {
            let of_client = |counter: &&Counter| Arc::ptr_eq(self.client(**counter), client);
            (client, counters.iter().filter(of_client).copied().collect())
        })
    }

    pub(super) fn keys_of(&self, counters: &[Counter]) -> Vec<String> {
        counters.iter().map(|c| self.keys.of(*c)).collect()
    }

    /// For deleting: each with its lock, so that no load that is under way survives.
    pub(super) fn with_locks(&self, counters: &[Counter]) -> Vec<redis_client::KeyGroup> {
        let keys = self.keys_of(counters).into_iter();
        keys.map(|key| vec![Keys::lock(&key), key]).collect()
    }

    pub(super) fn expiry_ms(&self) -> String {
        self.ttl_s.saturating_mul(1000).to_string()
    }
}

/// What a look-up found: the position of the epoch's commit, and a text for each counter.
fn found(reply: Value) -> Option<(u64, Vec<Value>)> {
    let Value::Array(parts) = reply else {
        return None;
    };
    let mut parts = parts.into_iter();
    let since = parts.next()?.as_u64()?;
    match parts.next()? {
        Value::Array(texts) => Some((since, texts)),
        _ => None,
    }
}
