//! Loads counters that Redis lacks: double-checked creation under a lock, with one loader for each key over all instances.

use std::{collections::HashMap, time::Duration};

use redis_client::{Unavailable, Value};
use sea_orm::DbErr;
use telemetry::cost;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    Counters,
    entry::{Entry, Keys, clamped, now_s, without_value},
    scripts::{ACQUIRE_SCRIPT, LOADED_SCRIPT},
};
use crate::{
    DalError,
    counts::{self, Counter},
};

/// TTL of a lock: longer than a load may take. After a loader was killed nobody else loads for so long.
const LOCK_TTL: Duration = Duration::from_secs(4);
/// How long a reader waits for another's load before it reads MySQL itself.
const WAIT_LIMIT: Duration = Duration::from_millis(500);
/// First and longest pause between two checks for another's load.
const WAIT_STEPS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(40));

/// The outcome of the second check and of the attempt to lock.
#[derive(Default)]
pub(super) struct Acquired {
    pub(super) found: HashMap<Counter, i64>,
    /// Locked by us, to be loaded; each with the position of a commit that can be seen already.
    pub(super) won: Vec<(Counter, u64)>,
    /// Being loaded by another.
    lost: Vec<Counter>,
}

impl Counters {
    /// Creates missing keys, or waits for those that another process creates. All of `missing` are in the answer.
    pub(super) async fn create(
        &self,
        missing: &[Counter],
    ) -> Result<HashMap<Counter, i64>, DalError> {
        let token = format!("{:016x}", rand::random::<u64>());
        let Ok(acquired) = self.acquire(missing, &token).await else {
            return self.exact(missing).await;
        };
        let Acquired { found, won, lost } = acquired;
        let (loaded, waited) = tokio::join!(self.load(won, token), self.wait(&lost));
        let mut values = loaded?;
        values.extend(found);
        values.extend(waited);
        let late: Vec<Counter> = without_value(missing, &values);
        values.extend(self.exact(&late).await?);
        Ok(values)
    }

    pub(super) async fn acquire(
        &self,
        missing: &[Counter],
        token: &str,
    ) -> Result<Acquired, Unavailable> {
        let ttl = LOCK_TTL.as_millis().to_string();
        let replies = self
            .run_scripts(&ACQUIRE_SCRIPT, missing, |counter, key| {
                let (lock, epoch) = (Keys::lock(&key), self.bucket_of(counter).epoch);
                (vec![key, lock, epoch], vec![token.to_owned(), ttl.clone()])
            })
            .await?;
        let mut acquired = Acquired::default();
        for (counter, reply) in replies {
            match reply {
                Ok(Value::Integer(since)) => acquired.won.push((counter, since.unsigned_abs())),
                Ok(text) => match text.as_bytes().and_then(Entry::parse) {
                    Some(entry) => {
                        self.tally.hits.add(1);
                        acquired.found.insert(counter, entry.count);
                    }
                    None => acquired.lost.push(counter),
                },
                // Refused, for lack of memory for example: nobody will store it, so there is nothing to wait for.
                Err(_) => {}
            }
        }
        Ok(acquired)
    }

    /// Loads and stores in a task of its own: if the caller is dropped, the locks must still be released.
    async fn load(
        &self,
        won: Vec<(Counter, u64)>,
        token: String,
    ) -> Result<HashMap<Counter, i64>, DalError> {
        if won.is_empty() {
            return Ok(HashMap::new());
        }
        let counters = self.clone();
        let load = async move {
            let wanted: Vec<Counter> = won.iter().map(|(counter, _)| *counter).collect();
            let exact = counts::exact(&counters.db, &wanted).await;
            counters.tally.loads.add(won.len());
            counters.store(&won, exact.as_ref().ok(), &token).await;
            exact
        };
        match tokio::spawn(cost::scope(load).in_current_span()).await {
            Ok((exact, spent)) => {
                cost::add(spent);
                Ok(exact?.into_iter().map(|(c, n)| (c, clamped(n))).collect())
            }
            Err(_) => Err(DalError::Other(DbErr::Custom("a load ended early".into()))),
        }
    }

    /// Sets these counts where the locks are still held, and releases the locks. If nothing was loaded it only releases them.
    pub(super) async fn store(
        &self,
        won: &[(Counter, u64)],
        exact: Option<&HashMap<Counter, i64>>,
        token: &str,
    ) {
        let (now, expiry) = (now_s().to_string(), self.expiry_ms());
        let since: HashMap<Counter, u64> = won.iter().copied().collect();
        let counters: Vec<Counter> = won.iter().map(|(counter, _)| *counter).collect();
        let call = |counter: Counter, key: String| {
            let (lock, epoch) = (Keys::lock(&key), self.bucket_of(counter).epoch);
            let mut arguments = vec![token.to_owned()];
            if let Some(exact) = exact {
                let count = clamped(exact.get(&counter).copied().unwrap_or_default());
                let seq = since.get(&counter).copied().unwrap_or_default();
                let numbers = [count.to_string(), seq.to_string()];
                arguments.extend(numbers.into_iter().chain([now.clone(), expiry.clone()]));
            }
            (vec![key, lock, epoch], arguments)
        };
        // What isn't stored is loaded again by the next reader.
        let _ = self.run_scripts(&LOADED_SCRIPT, &counters, call).await;
    }

    /// Polls for what others load; what doesn't come in time is left out.
    async fn wait(&self, lost: &[Counter]) -> HashMap<Counter, i64> {
        let mut found = HashMap::new();
        let (mut pause, longest) = WAIT_STEPS;
        let deadline = Instant::now() + WAIT_LIMIT;
        loop {
            let open = without_value(lost, &found);
            if open.is_empty() || Instant::now() >= deadline {
                return found;
            }
            tokio::time::sleep(pause).await;
            pause = longest.min(pause * 2);
            match self.look_up(&open).await {
                Ok(values) => found.extend(values),
                Err(Unavailable) => return found,
            }
        }
    }
}
