//! Marks of recent writes in Redis: they send the next read to a server that has the write.
//!
//! After a commit, the user who wrote and the subjects of the write are *marked* in Redis with that commit. A read of a marked user or
//! subject must see the commit ([`Consistency::UpTo`]); the data layer chooses the server. Marks carry no data and decide no write, so losing all
//! of them costs only time. These rules keep a lost mark from causing a stale read:
//!
//! * *FLUSHALL, a restart with older data, a failover.* Beside the marks is an *epoch*: the run id of the Redis server, and a commit that
//!   is newer than every commit whose mark may be lost. One script reads the epoch and the marks together. If the epoch is missing or has
//!   another run id, everything counts as marked ([`Consistency::All`]) until a keeper ([`Marks::keep`]) has made a new epoch. Where commits
//!   can't be compared ([`settings::ReadsAfterWrites::Mark`]), the new epoch waits for [`Marks::ttl`] instead.
//! * *A mark that couldn't be written.* This process deletes the epoch of the bucket before it uses Redis again. Other processes may reach
//!   Redis in the meantime and must not trust it. So each writer holds a lease ([`redis_client::leases`]), and the script that reads trusts
//!   nothing while a lease has run out. The write is acknowledged when the epoch is deleted or the lease has run out
//!   ([`Marks::settled`]).
//! * *Messages in the wrong order.* A mark only moves forward.
//! * *Expiry.* A mark lives longer than the largest lag of a replica in rotation, plus the time to notice that lag.
//!
//! The keys of a bucket share a hash tag, so a script finds a mark, its epoch and the leases on one node of a cluster.

mod reader;
mod scripts;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use redis_client::{
    BadUrl, Client, Unavailable, Value,
    leases::{Bucket, Leases, Registry, Settled},
};
use settings::ReadsAfterWrites;

pub use redis_client::leases;

pub use reader::{Commit, Consistency, Reader, StrictReason, page_affinity};
use scripts::{MARK_SCRIPT, READ_SCRIPT};

/// Buckets of marks, each with an epoch of its own.
const BUCKETS: u64 = 8;
/// Marks that one call of a script sets, at most: well within what Lua can pass on.
const MAX_KEYS: usize = 1000;
/// A mark lives this much longer than the largest lag: the time to notice a larger lag, and the difference of clocks.
const TIME_TO_NOTICE: Duration = Duration::from_secs(5);

/// What can be marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// What a user wrote: their works, their likes, their comments.
    User(i64),
    /// What was written under a video.
    Video(i64),
    /// Who follows a user. Not what the user wrote: the works of somebody whom many begin to follow are read as ever.
    Followers(i64),
    /// What a user has sent and received.
    Messages(i64),
}

impl Subject {
    fn bucket(self) -> u64 {
        let (Self::User(id) | Self::Video(id) | Self::Followers(id) | Self::Messages(id)) = self;
        id.unsigned_abs() % BUCKETS
    }
}

/// The marks. Cheap to clone; make one for each process.
#[derive(Clone)]
pub struct Marks {
    client: Arc<Client>,
    leases: Arc<Leases>,
    prefix: Arc<str>,
    mode: ReadsAfterWrites,
    ttl: Duration,
}

impl Marks {
    /// The name of the leases.
    pub const NAME: &'static str = "marks";

    /// Connects in the background, for ever: Redis may be away, then everyone reads [`Consistency::All`]. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// The URL can't be read.
    pub fn connect(redis: &settings::Redis, mysql: &settings::Mysql) -> Result<Self, BadUrl> {
        let client = Client::open(Self::NAME, redis, redis.marks_db)?;
        let ttl = Duration::from_secs(mysql.max_lag_s).saturating_add(TIME_TO_NOTICE);
        let buckets = (0..BUCKETS).map(|bucket| trusted_by(&redis.key_prefix, bucket));
        let wait = match mysql.reads_after_writes {
            ReadsAfterWrites::Gtid => Duration::ZERO,
            ReadsAfterWrites::Mark => ttl,
        };
        Ok(Self {
            leases: Leases::new(client.clone(), Self::NAME, buckets.collect(), wait),
            client,
            prefix: redis.key_prefix.as_str().into(),
            mode: mysql.reads_after_writes,
            ttl,
        })
    }

    /// Registers this process as a writer, renews its lease and makes epochs. Runs forever, in a task of its own.
    pub async fn keep(self, registry: impl Registry) {
        Leases::keep(Arc::downgrade(&self.leases), registry).await;
    }

    /// Waits until this process is registered as a writer, so that readers notice its death.
    pub async fn join(&self) {
        self.leases.join().await;
    }

    /// Ends the registration of a process that writes no more. False if that failed: then a keeper will remove it.
    pub async fn leave(&self) -> bool {
        self.leases.leave().await
    }

    /// The TTL of a mark.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Whether Redis answers now.
    ///
    /// # Errors
    /// It doesn't.
    pub async fn ping(&self) -> Result<(), Unavailable> {
        self.client.ping().await
    }

    /// Marks `subjects` with a commit, in one round trip. Call it before the commit is acknowledged. For a subject that can't be marked the
    /// epoch of its bucket is deleted. Returns whether all were marked. Takes at most the time of one command.
    pub async fn set(&self, subjects: &[Subject], commit: &Commit) -> bool {
        let ttl = self.ttl.as_millis().to_string();
        let (seq, gtid) = match self.mode {
            ReadsAfterWrites::Gtid => (commit.seq.to_string(), commit.gtid.clone()),
            ReadsAfterWrites::Mark => ("0".to_owned(), "-".to_owned()),
        };
        // Only a cluster has the buckets in different places.
        let mut groups: BTreeMap<u64, Vec<Subject>> = BTreeMap::new();
        for subject in subjects {
            let bucket = match self.client.is_cluster() {
                true => subject.bucket(),
                false => 0,
            };
            groups.entry(bucket).or_default().push(*subject);
        }
        let groups: Vec<&[Subject]> = groups
            .values()
            .flat_map(|all| all.chunks(MAX_KEYS))
            .collect();
        let call = |group: &&[Subject]| {
            let keys = group.iter().map(|subject| self.key(*subject)).collect();
            (keys, vec![seq.clone(), gtid.clone(), ttl.clone()])
        };
        let calls: Vec<redis_client::ScriptCall> = groups.iter().map(call).collect();
        let unmarked: Vec<Subject> = match self.client.run_script(&MARK_SCRIPT, &calls).await {
            Ok(replies) => groups
                .iter()
                .zip(replies)
                .filter(|(_, reply)| reply.is_err())
                .flat_map(|(group, _)| group.iter().copied())
                .collect(),
            Err(Unavailable) => subjects.to_vec(),
        };
        if !unmarked.is_empty() {
            self.invalidate(&unmarked);
        }
        unmarked.is_empty()
    }

    /// Waits until no other process can trust a bucket in which a mark is missing.
    pub async fn settled(&self) -> Settled {
        self.leases.settled().await
    }

    /// Makes all subjects in the buckets of these count as marked, for a commit whose outcome or number is unknown.
    pub fn invalidate(&self, subjects: &[Subject]) {
        let mut buckets: Vec<u64> = subjects.iter().map(|subject| subject.bucket()).collect();
        buckets.sort_unstable();
        buckets.dedup();
        // The candidate too: an epoch that is being made may be older than the commit.
        let trust = buckets
            .into_iter()
            .map(|bucket| self.bucket(bucket).trust());
        self.client.invalidate_later(trust.collect());
    }

    /// What a read of these subjects must see, in one round trip. Without subjects any replica will do, as long as every writer is able to
    /// mark.
    pub async fn read(&self, subjects: &[Subject]) -> Consistency {
        let each = self.read_each(subjects).await;
        each.into_iter().fold(Consistency::Any, Consistency::and)
    }

    /// What a read that shows one of these subjects must see, for each of them in their order, in one round trip. Without subjects it
    /// is one entry: what anybody must see.
    pub async fn read_each(&self, subjects: &[Subject]) -> Vec<Consistency> {
        let mut buckets: BTreeMap<u64, Vec<Subject>> = BTreeMap::new();
        for subject in subjects {
            buckets.entry(subject.bucket()).or_default().push(*subject);
        }
        if buckets.is_empty() {
            // All buckets have the same leases.
            buckets.insert(0, Vec::new());
        }
        let call = |(bucket, subjects): (&u64, &Vec<Subject>)| {
            let Bucket { epoch, leases, .. } = self.bucket(*bucket);
            let marks = subjects.iter().map(|subject| self.key(*subject));
            let keys = [epoch, leases].into_iter().chain(marks);
            (keys.collect(), Vec::new())
        };
        let calls: Vec<redis_client::ScriptCall> = buckets.iter().map(call).collect();
        let replies = self.client.get_by_script_of_run(&READ_SCRIPT, &calls).await;
        let mut anybody = Consistency::All(StrictReason::Unknown);
        let mut each: HashMap<Subject, Consistency> = HashMap::new();
        for (subjects, reply) in buckets.values().zip(replies.unwrap_or_default()) {
            // What isn't found out stays unknown.
            let Some(found) = reply.ok().and_then(Found::parse) else {
                continue;
            };
            anybody = self.seen_by(&found.epoch, None);
            for (subject, mark) in subjects.iter().zip(&found.marks) {
                each.insert(*subject, self.seen_by(&found.epoch, mark.as_deref()));
            }
        }
        if subjects.is_empty() {
            return vec![anybody];
        }
        let consistency = |subject| each.get(subject).cloned();
        subjects
            .iter()
            .map(|subject| consistency(subject).unwrap_or(Consistency::All(StrictReason::Unknown)))
            .collect()
    }

    /// What a reader must see of whom this was found.
    fn seen_by(&self, epoch: &str, mark: Option<&str>) -> Consistency {
        let marked = mark.is_some();
        if self.mode == ReadsAfterWrites::Mark {
            return if marked {
                Consistency::All(StrictReason::Marked)
            } else {
                Consistency::Any
            };
        }
        let mut newest = Commit::default();
        for text in std::iter::once(epoch).chain(mark) {
            match Commit::parse(text) {
                // Written in the other mode, or by another program.
                None => return Consistency::All(StrictReason::Unknown),
                Some(commit) if commit.seq >= newest.seq => newest = commit,
                Some(_) => {}
            }
        }
        Consistency::UpTo {
            commit: newest,
            marked,
        }
    }

    fn key(&self, subject: Subject) -> String {
        let (kind, id) = match subject {
            Subject::User(id) => ('u', id),
            Subject::Video(id) => ('v', id),
            Subject::Followers(id) => ('f', id),
            Subject::Messages(id) => ('m', id),
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

/// A bucket's epoch, and what was asked for in it.
struct Found {
    epoch: String,
    /// None where there is no mark.
    marks: Vec<Option<String>>,
}

impl Found {
    /// None when the epoch is missing or of another run of the server, or a writer's lease has run out.
    fn parse(reply: Value) -> Option<Self> {
        let Value::Array(parts) = reply else {
            return None;
        };
        let mut parts = parts.into_iter();
        let epoch = parts.next()?.into_string()?;
        let marks = parts.map(|mark| mark.into_string().filter(|mark| !mark.is_empty()));
        Some(Self {
            epoch,
            marks: marks.collect(),
        })
    }
}
