//! What was written a moment ago, and by whom: so that the next read is sent where it can be seen.
//!
//! After a commit the user who wrote and what they wrote to are *marked* in Redis with the commit. A read whose user or subject is
//! marked must see that commit ([`Sees::UpTo`]); how that is done is the database's affair. Marks carry no data and decide no
//! write, so losing them all costs time and nothing else. What keeps a lost mark from becoming a stale read:
//!
//! * *FLUSHALL, a restart with older data, a failover.* Beside the marks stands an *epoch*: the run of the server it was made
//!   in, and a commit that is newer than all whose marks may be lost. It is read with the marks, by one script, at one moment.
//!   Missing or of another run: everyone counts as marked with everything ([`Sees::All`]), until a keeper ([`Marks::keep`]) has
//!   made a new one. Where commits can't be compared ([`settings::ReadsAfterWrites::Mark`]), it waits for [`Marks::life`] instead.
//! * *A mark that couldn't be written.* The epoch of its bucket is deleted before this process uses Redis again. Others may be able
//!   to use it meanwhile, and must not: each writer holds a lease ([`redis_client::leases`]), and the script of the readers trusts nothing
//!   while one has run out. The write isn't acknowledged before the epoch is gone or that lease has run out ([`Marks::settled`]).
//! * *Messages in the wrong order.* A mark only ever moves forward.
//! * *Expiry.* A mark outlives the worst lag of a replica that is still asked, and the time to notice it.
//!
//! Keys of one bucket share a hash tag, so that a script finds a mark, its epoch and the leases on one node of a cluster.

mod reader;
mod scripts;

use std::{sync::Arc, time::Duration};

use redis_client::{
    BadUrl, Client, Unavailable, Value,
    leases::{Bucket, Leases, Registry, Settled},
};
use settings::ReadsAfterWrites;

pub use redis_client::leases;

pub use reader::{Commit, Reader, Sees, Why};
use scripts::{MARK_SCRIPT, READ_SCRIPT};

/// Buckets of marks, each with an epoch of its own.
const BUCKETS: u64 = 8;
/// What a mark's life adds to the worst lag: the time to notice that a replica is worse, and the clocks' doubts.
const TIME_TO_NOTICE: Duration = Duration::from_secs(5);

/// What can be marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// What a user wrote: their works, their likes, their comments.
    User(i64),
    /// What was written under a video.
    Video(i64),
}

impl Subject {
    fn bucket(self) -> u64 {
        let (Self::User(id) | Self::Video(id)) = self;
        id.unsigned_abs() % BUCKETS
    }
}

/// The marks. Cheap to clone; one a process.
#[derive(Clone)]
pub struct Marks {
    client: Arc<Client>,
    leases: Arc<Leases>,
    prefix: Arc<str>,
    mode: ReadsAfterWrites,
    life: Duration,
}

impl Marks {
    /// What the leases on the marks are called.
    pub const NAME: &'static str = "marks";

    /// Connects in the background, for ever: Redis may be away, then everyone reads [`Sees::All`]. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// The URL can't be read.
    pub fn connect(redis: &settings::Redis, mysql: &settings::Mysql) -> Result<Self, BadUrl> {
        let client = Client::open(Self::NAME, redis, redis.marks_db)?;
        let life = Duration::from_secs(mysql.max_lag_s).saturating_add(TIME_TO_NOTICE);
        let buckets = (0..BUCKETS).map(|bucket| trusted_by(&redis.key_prefix, bucket));
        let wait = match mysql.reads_after_writes {
            ReadsAfterWrites::Gtid => Duration::ZERO,
            ReadsAfterWrites::Mark => life,
        };
        Ok(Self {
            leases: Leases::new(client.clone(), Self::NAME, buckets.collect(), wait),
            client,
            prefix: redis.key_prefix.as_str().into(),
            mode: mysql.reads_after_writes,
            life,
        })
    }

    /// Makes this process one that may set marks, and keeps the epochs, for ever; meant for a task of its own.
    pub async fn keep(self, registry: impl Registry) {
        Leases::keep(Arc::downgrade(&self.leases), registry).await;
    }

    /// Waits until it is one: then its end would be noticed.
    pub async fn join(&self) {
        self.leases.join().await;
    }

    /// Ends that: it writes no more. False: a keeper must find out.
    pub async fn leave(&self) -> bool {
        self.leases.leave().await
    }

    /// How long a mark lives.
    pub fn life(&self) -> Duration {
        self.life
    }

    /// Whether Redis answers now.
    ///
    /// # Errors
    /// It doesn't.
    pub async fn ping(&self) -> Result<(), Unavailable> {
        self.client.ping().await
    }

    /// Marks `subjects` with a commit, in one round trip; called before the commit is acknowledged to whoever asked for it. What
    /// couldn't be marked takes its epoch along; whether all could be. Takes at most the time of one command.
    pub async fn set(&self, subjects: &[Subject], commit: &Commit) -> bool {
        let life = self.life.as_millis().to_string();
        let (seq, gtid) = match self.mode {
            ReadsAfterWrites::Gtid => (commit.seq.to_string(), commit.gtid.clone()),
            ReadsAfterWrites::Mark => ("0".to_owned(), "-".to_owned()),
        };
        let calls: Vec<redis_client::ScriptCall> = subjects
            .iter()
            .map(|subject| {
                let arguments = vec![seq.clone(), gtid.clone(), life.clone()];
                (vec![self.key(*subject)], arguments)
            })
            .collect();
        let unmarked: Vec<Subject> = match self.client.run_script(&MARK_SCRIPT, &calls).await {
            Ok(replies) => subjects
                .iter()
                .zip(replies)
                .filter_map(|(subject, reply)| reply.is_err().then_some(*subject))
                .collect(),
            Err(Unavailable) => subjects.to_vec(),
        };
        if !unmarked.is_empty() {
            self.invalidate(&unmarked);
        }
        unmarked.is_empty()
    }

    /// Waits until no other process can miss what couldn't be marked.
    pub async fn settled(&self) -> Settled {
        self.leases.settled().await
    }

    /// Makes everyone count as marked who shares a bucket with these, for a commit whose outcome or place is unknown.
    pub fn invalidate(&self, subjects: &[Subject]) {
        let mut buckets: Vec<u64> = subjects.iter().map(|subject| subject.bucket()).collect();
        buckets.sort_unstable();
        buckets.dedup();
        // With its candidate: an epoch that is being made may be older than the commit.
        let trust = buckets
            .into_iter()
            .map(|bucket| self.bucket(bucket).trust());
        self.client.invalidate_later(trust.collect());
    }

    /// What a read that shows these subjects must see, in one round trip. Without subjects it is whatever a replica has, as long as
    /// the writers are able to mark.
    pub async fn read(&self, subjects: &[Subject]) -> Sees {
        let mut calls: Vec<redis_client::ScriptCall> = subjects
            .iter()
            .map(|subject| {
                let Bucket { epoch, leases, .. } = self.bucket(subject.bucket());
                (vec![epoch, leases, self.key(*subject)], Vec::new())
            })
            .collect();
        if calls.is_empty() {
            // The leases are the same in all.
            let Bucket { epoch, leases, .. } = self.bucket(0);
            calls.push((vec![epoch, leases], Vec::new()));
        }
        let Ok(replies) = self.client.get_by_script(&READ_SCRIPT, &calls).await else {
            return Sees::All(Why::Unknown);
        };
        let found = replies.into_iter().map(|reply| Found::parse(reply.ok()?));
        let Some(found) = found.collect::<Option<Vec<Found>>>() else {
            return Sees::All(Why::Unknown);
        };
        self.together(found)
    }

    /// The strictest of what was found.
    fn together(&self, found: Vec<Found>) -> Sees {
        let marked = found.iter().any(|found| found.mark.is_some());
        if self.mode == ReadsAfterWrites::Mark {
            return if marked {
                Sees::All(Why::Marked)
            } else {
                Sees::Any
            };
        }
        let commits = found
            .into_iter()
            .flat_map(|found| std::iter::once(found.epoch).chain(found.mark));
        let mut newest = Commit::default();
        for text in commits {
            match Commit::parse(&text) {
                // Written in the other mode, or by nobody we know.
                None => return Sees::All(Why::Unknown),
                Some(commit) if commit.seq >= newest.seq => newest = commit,
                Some(_) => {}
            }
        }
        Sees::UpTo {
            commit: newest,
            marked,
        }
    }

    fn key(&self, subject: Subject) -> String {
        let (kind, id) = match subject {
            Subject::User(id) => ('u', id),
            Subject::Video(id) => ('v', id),
        };
        format!("{}{{m{}}}:{kind}{id}", self.prefix, subject.bucket())
    }

    fn bucket(&self, bucket: u64) -> Bucket {
        trusted_by(&self.prefix, bucket)
    }
}

fn trusted_by(prefix: &str, bucket: u64) -> Bucket {
    Bucket::new(&format!("{prefix}{{m{bucket}}}"))
}

/// A bucket's epoch and a mark in it.
struct Found {
    epoch: String,
    mark: Option<String>,
}

impl Found {
    /// None when the epoch is missing or of another run of the server, or a writer's lease has run out.
    fn parse(reply: Value) -> Option<Self> {
        let Value::Array(parts) = reply else {
            return None;
        };
        let mut parts = parts.into_iter();
        let epoch = parts.next()?.into_string()?;
        let mark = parts.next().and_then(Value::into_string);
        Some(Self { epoch, mark })
    }
}
