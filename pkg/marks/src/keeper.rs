//! Makes the epochs that are missing. Whoever writes keeps them; one keeper at a time works on an epoch, over all processes.
//!
//! First it says so (the *candidate*), then it learns a commit that is newer than all whose marks may be lost, then it makes the
//! epoch, unless the candidate is gone: then marks may have been lost once more since.

use std::{future::Future, time::Duration};

use redis::Value;
use settings::ReadsAfterWrites;

use crate::{
    BUCKETS, Commit, Marks, SOMETHING,
    scripts::{BEGIN_SCRIPT, MAKE_SCRIPT},
};

/// Between two looks. Until an epoch is made, all reads of its bucket go to the primary.
const PERIOD: Duration = Duration::from_millis(500);
/// A keeper that was killed keeps others away for so long, and what the epoch waits for.
const CANDIDATE_LIFE: Duration = Duration::from_secs(5);

/// Where the newest commit is learned.
pub trait Newest: Send + Sync + 'static {
    /// A commit that is made, and acknowledged, after this was called; none: not now.
    fn newest(&self) -> impl Future<Output = Option<Commit>> + Send;
}

impl Marks {
    /// Keeps the epochs, for ever; meant for a task of its own.
    pub async fn keep(self, newest: impl Newest) {
        let mut tick = tokio::time::interval(PERIOD);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.make_missing(&newest).await;
        }
    }

    async fn make_missing(&self, newest: &impl Newest) {
        let token = format!("{:016x}", rand::random::<u64>());
        let missing = self.begin(&token).await;
        if missing.is_empty() {
            return;
        }
        let commit = match self.mode {
            ReadsAfterWrites::Gtid => match newest.newest().await {
                Some(commit) => format!("{} {}", commit.seq, commit.gtid),
                // The candidates end by themselves.
                None => return,
            },
            ReadsAfterWrites::Mark => {
                // By then a replica that is still asked has whatever was written before.
                tokio::time::sleep(self.life).await;
                SOMETHING.to_owned()
            }
        };
        let Some((seq, gtid)) = commit.split_once(' ') else {
            return;
        };
        let arguments = vec![token, seq.to_owned(), gtid.to_owned()];
        let calls: Vec<redis::Call> = missing
            .iter()
            .map(|bucket| (self.epoch_keys(*bucket), arguments.clone()))
            .collect();
        if let Ok(replies) = self.link.run_script(&MAKE_SCRIPT, &calls).await {
            let made = replies.iter().filter(|reply| is_one(reply)).count();
            tracing::info!(made, missing = missing.len(), "epochs of the marks made");
        }
    }

    /// The buckets whose epochs are ours to make.
    async fn begin(&self, token: &str) -> Vec<u64> {
        let wait = match self.mode {
            ReadsAfterWrites::Gtid => Duration::ZERO,
            ReadsAfterWrites::Mark => self.life,
        };
        let life = wait.saturating_add(CANDIDATE_LIFE).as_millis().to_string();
        let arguments = vec![token.to_owned(), life];
        let calls: Vec<redis::Call> = (0..BUCKETS)
            .map(|bucket| (self.epoch_keys(bucket), arguments.clone()))
            .collect();
        let Ok(replies) = self.link.run_script(&BEGIN_SCRIPT, &calls).await else {
            return Vec::new();
        };
        let ours = (0..BUCKETS).zip(replies).filter(|(_, reply)| is_one(reply));
        ours.map(|(bucket, _)| bucket).collect()
    }

    /// An epoch and its candidate.
    pub(crate) fn epoch_keys(&self, bucket: u64) -> Vec<String> {
        let epoch = self.epoch(bucket);
        let candidate = format!("{epoch}:candidate");
        vec![epoch, candidate]
    }
}

fn is_one(reply: &redis::Reply<Value>) -> bool {
    matches!(reply, Ok(Value::Integer(1)))
}
