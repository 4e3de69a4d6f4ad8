//! Compares counters in Redis with MySQL and repairs them: after each fold those that were folded, in a complete pass all.

use std::{collections::HashMap, time::Duration};

use redis_client::Value;
use telemetry::metrics::{self, Repair};

use super::{
    Counters,
    entry::{Entry, clamped, now_s},
    scripts::REPAIR_SCRIPT,
};
use crate::{
    DalError,
    counts::{self, Counter},
    position::{self, Position},
};

/// Counters compared at once.
const AT_ONCE: usize = 512;
/// How long a writer may need to tell Redis: a difference that disappears within this time is no fault.
const GRACE: Duration = Duration::from_millis(25);
/// Wrong counters that one log line names.
const NAMED: usize = 5;
/// Keys with a commit after the start of the pass that are looked at together.
const MAX_LATER: usize = 65_536;

/// What a complete pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pass {
    /// Counters found in Redis; one may be found twice.
    pub scanned: usize,
    /// Those that were wrong.
    pub repaired: usize,
}

/// A key in Redis whose value differs from MySQL.
pub(super) struct Mismatch {
    pub(super) counter: Counter,
    pub(super) exact: i64,
    /// None: no entry at all.
    pub(super) found: Option<Entry>,
}

#[derive(Default)]
struct Comparison {
    repaired: usize,
    /// Keys that, by their own position, were set by a later commit: equal or not.
    later: Vec<(Counter, u64)>,
}

impl Counters {
    /// Repairs these counters in Redis and returns how many were wrong. `exact` must have been read after the commit at `position` was
    /// acknowledged. Absent keys stay absent; a key that a later commit has set is left alone.
    ///
    /// # Errors
    /// Redis is away: some or all counters were not compared.
    pub async fn compare(
        &self,
        position: Position,
        exact: &HashMap<Counter, i64>,
    ) -> Result<usize, DalError> {
        Ok(self.compare_all(position, exact).await?.repaired)
    }

    /// Compares all counters in Redis with MySQL, page by page, and repairs them. `position` is that of a commit that was acknowledged
    /// before the call; later commits set their own counts. May take minutes. Several passes at once, or one beside a fold, do no harm. After
    /// an error it is incomplete.
    pub async fn scan_pass(&self, position: Position) -> Result<Pass, DalError> {
        self.end_future_epochs(position).await?;
        let mut pass = Pass::default();
        let mut later = Vec::new();
        for client in self.clients() {
            let mut cursor = "0".to_owned();
            loop {
                let page = client
                    .scan_page(&cursor, &self.keys.pattern(), AT_ONCE as u32)
                    .await?;
                let counters: Vec<Counter> = page
                    .1
                    .iter()
                    .filter_map(|key| self.keys.parse(std::str::from_utf8(key).ok()?))
                    // A key in the wrong database is no counter.
                    .filter(|counter| std::ptr::eq(self.client(*counter), client))
                    .collect();
                for counters in counters.chunks(AT_ONCE) {
                    // One statement at a time: it takes little from writes, and isn't refused like a read when many come.
                    let exact = counts::exact_on(&self.db.read_own_writes(), counters).await?;
                    let compared = self.compare_all(position, &exact).await?;
                    pass.scanned += counters.len();
                    pass.repaired += compared.repaired;
                    later.extend(compared.later);
                    if later.len() >= MAX_LATER {
                        pass.repaired += self.forget_the_future(&later).await?;
                        later.clear();
                    }
                }
                cursor = page.0;
                if cursor == "0" {
                    break;
                }
            }
        }
        pass.repaired += self.forget_the_future(&later).await?;
        metrics::counters_repaired(Repair::Pass, pass.repaired);
        tracing::info!(
            scanned = pass.scanned,
            repaired = pass.repaired,
            "all counts in Redis compared with MySQL"
        );
        Ok(pass)
    }

    async fn compare_all(
        &self,
        position: Position,
        exact: &HashMap<Counter, i64>,
    ) -> Result<Comparison, DalError> {
        let mut total = Comparison::default();
        let all: Vec<Counter> = exact.keys().copied().collect();
        for counters in all.chunks(AT_ONCE) {
            let mut wrong = Vec::new();
            for (counter, text) in self.texts(counters).await? {
                let found = Entry::parse(&text);
                let exact = clamped(exact.get(&counter).copied().unwrap_or_default());
                match found {
                    Some(entry) if entry.seq > position.seq => {
                        total.later.push((counter, entry.seq));
                    }
                    Some(entry) if entry.count == exact => {}
                    _ => wrong.push(Mismatch {
                        counter,
                        exact,
                        found,
                    }),
                }
            }
            if !wrong.is_empty() {
                tokio::time::sleep(GRACE).await;
                total.repaired += self.replace(position, &wrong).await?;
            }
        }
        Ok(total)
    }

    pub(super) async fn replace(
        &self,
        position: Position,
        wrong: &[Mismatch],
    ) -> Result<usize, DalError> {
        let by_counter: HashMap<Counter, &Mismatch> =
            wrong.iter().map(|w| (w.counter, w)).collect();
        let counters: Vec<Counter> = wrong.iter().map(|wrong| wrong.counter).collect();
        let (now, expiry) = (now_s().to_string(), self.expiry_ms());
        let replies = self
            .run_scripts(&REPAIR_SCRIPT, &counters, |counter, key| {
                let wrong = by_counter.get(&counter);
                let found = wrong.and_then(|wrong| wrong.found);
                let arguments = vec![
                    wrong.map_or(0, |wrong| wrong.exact).to_string(),
                    position.seq.to_string(),
                    now.clone(),
                    expiry.clone(),
                    found.map_or_else(String::new, |e| format!("{} {}", e.count, e.seq)),
                ];
                (vec![key], arguments)
            })
            .await?;
        let repaired: Vec<&Mismatch> = replies
            .iter()
            .filter(|(_, reply)| matches!(reply, Ok(Value::Integer(1))))
            .filter_map(|(counter, _)| by_counter.get(counter).copied())
            .collect();
        if !repaired.is_empty() {
            self.tally.repaired.add(repaired.len());
            let named: Vec<String> = repaired.iter().take(NAMED).map(|w| w.to_string()).collect();
            tracing::warn!(
                repaired = repaired.len(),
                first = named.join(", "),
                "counts in Redis were wrong"
            );
        }
        // Refused, for lack of memory for example.
        if replies.iter().any(|(_, reply)| reply.is_err()) {
            return Err(redis_client::Unavailable.into());
        }
        Ok(repaired.len())
    }

    /// Ends epochs whose commit the database doesn't have: they are from before the restore of a backup, and what is loaded under them
    /// would refuse every writer.
    async fn end_future_epochs(&self, position: Position) -> Result<(), DalError> {
        let Some(last) = self.epochs().await?.into_iter().max() else {
            return Ok(());
        };
        // An epoch may be newer than the start of the pass.
        if last <= position.seq {
            return Ok(());
        }
        if let Some(newest) = position::mark(&self.db).await?
            && last > newest.seq
        {
            tracing::warn!(
                "an epoch in Redis is of a commit that the database doesn't have; ended"
            );
            self.end_epochs().await;
        }
        Ok(())
    }

    /// Deletes keys with a position after the newest commit. They are from before the restore of a backup, and would refuse every writer.
    /// Returns how many were deleted.
    async fn forget_the_future(&self, later: &[(Counter, u64)]) -> Result<usize, DalError> {
        if later.is_empty() {
            return Ok(0);
        }
        let Some(newest) = position::mark(&self.db).await? else {
            return Ok(0);
        };
        let future: Vec<Counter> = later
            .iter()
            .filter(|(_, seq)| *seq > newest.seq)
            .map(|(counter, _)| *counter)
            .collect();
        if !future.is_empty() {
            tracing::warn!(
                counters = future.len(),
                "counts in Redis are of commits that the database doesn't have; deleted"
            );
            self.tally.repaired.add(future.len());
            self.invalidate(&future).await;
        }
        Ok(future.len())
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            counter,
            exact,
            found,
        } = self;
        match found {
            Some(entry) => write!(f, "{counter:?} was {} instead of {exact}", entry.count),
            None => write!(f, "{counter:?} was no count"),
        }
    }
}
