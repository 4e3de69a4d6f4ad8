//! Rate limits: by address, by user, and by the name of a login.
//!
//! Each process counts by itself and refuses by its own count first, so a flood doesn't reach Redis. What it lets pass is also counted in
//! Redis, together with the other processes. Logins, registrations and uploads ask Redis before they happen ([`Limits::admit`]).
//! Everything else is reported to Redis afterwards, in batches ([`Limits::count`]), and costs a request no round trip. When Redis is
//! unavailable or its answer isn't understood, the count of the process decides.
//!
//! [`Class`] lists what is limited. Names are kept only as hashes. The caller decides which client a request belongs to.

mod claim;
mod gcra;
mod local;
mod shared;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use redis_client::BadUrl;
use telemetry::metrics;
use tokio::time::{Instant, MissedTickBehavior};

pub use claim::{Claim, Class};
use gcra::Step;
use local::Local;
use shared::{Shared, When};

/// How often counts are reported to Redis. Within this time several processes together may exceed a limit.
const REPORT_PERIOD: Duration = Duration::from_millis(250);
/// Most claims that wait to be reported, and most that are reported in one round trip.
const MAX_UNREPORTED: usize = 10_000;
const MAX_PER_REPORT: usize = 500;
/// The rate limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too often; again in {wait:?}")]
pub struct Refused {
    /// When to try again, if nothing else is attempted until then.
    pub wait: Duration,
}

/// The rate limits of all classes. Cheap to clone; make one for each process.
#[derive(Clone)]
pub struct Limits(Arc<Inner>);

struct Inner {
    settings: settings::Limits,
    local: Local,
    shared: Shared,
    /// The amount and when it began.
    unreported: Mutex<HashMap<Claim, (u64, Instant)>>,
}

impl Limits {
    /// Connects in the background, for ever: Redis may be away. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// The URL can't be read.
    pub fn connect(settings: settings::Limits, redis: &settings::Redis) -> Result<Self, BadUrl> {
        let limits = Self(Arc::new(Inner {
            settings,
            local: Local::new(),
            shared: Shared::connect(redis)?,
            unreported: Mutex::default(),
        }));
        vital::spawn("sums of limits", report(Arc::downgrade(&limits.0)));
        Ok(limits)
    }

    /// Counts one for each claim, unless a limit is reached, by the counts of all processes. It costs one round trip to Redis, or none if
    /// this process refuses by its own count. A claim that this process refuses keeps the claims after it from being counted.
    ///
    /// # Errors
    /// A limit is reached.
    pub async fn admit(&self, claims: &[Claim]) -> Result<(), Refused> {
        self.take_locally(claims)?;
        let steps: Vec<_> = claims
            .iter()
            .map(|claim| (*claim, self.step(*claim, 1), When::IfAllowed))
            .collect();
        let Ok(answers) = self.0.shared.steps(&steps).await else {
            return Ok(());
        };
        let mut too_much = None;
        for (claim, answer) in claims.iter().zip(answers) {
            let Some(answer) = answer else { continue };
            self.0.local.learn(*claim, answer.exhausted_for);
            if !answer.wait.is_zero() {
                too_much.get_or_insert((*claim, answer.wait));
            }
        }
        match too_much {
            Some((claim, wait)) => Err(refused(claim, wait.max(self.wait(claims)))),
            None => Ok(()),
        }
    }

    /// Counts one for each claim, unless a limit is reached, by what this process knows. It learns of the other processes soon after.
    ///
    /// # Errors
    /// A limit is reached.
    pub fn count(&self, claims: &[Claim]) -> Result<(), Refused> {
        self.take_locally(claims)?;
        for claim in claims {
            self.0.report_later(*claim, 1);
        }
        Ok(())
    }

    /// Counts what has happened already, even if it exceeds the limit.
    pub fn charge(&self, claim: Claim, amount: u64) {
        self.0.local.charge(claim, self.step(claim, amount));
        self.0.report_later(claim, amount);
    }

    fn take_locally(&self, claims: &[Claim]) -> Result<(), Refused> {
        for claim in claims {
            let taken = self.0.local.take(*claim, self.step(*claim, 1));
            taken.map_err(|wait| refused(*claim, wait.max(self.wait(claims))))?;
        }
        Ok(())
    }

    /// How long to wait until all claims would be accepted, including those that this attempt has just used up.
    fn wait(&self, claims: &[Claim]) -> Duration {
        let waits = claims
            .iter()
            .map(|claim| self.0.local.wait(*claim, self.step(*claim, 1)));
        waits.max().unwrap_or_default()
    }

    fn step(&self, claim: Claim, amount: u64) -> Step {
        self.0.step(claim, amount)
    }
}

impl Inner {
    fn step(&self, claim: Claim, amount: u64) -> Step {
        let rate = claim.class().rate(&self.settings);
        Step {
            cost: rate.cost(amount),
            window: rate.window(),
        }
    }

    fn report_later(&self, claim: Claim, amount: u64) {
        let mut unreported = self
            .unreported
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if unreported.len() < MAX_UNREPORTED || unreported.contains_key(&claim) {
            let (sum, _) = unreported
                .entry(claim)
                .or_insert_with(|| (0, Instant::now()));
            *sum = sum.saturating_add(amount);
        }
    }

    /// Reports the counts. When Redis is unavailable they are lost there, but this process still has its own count.
    async fn report(&self) {
        let unreported = {
            let mut unreported = self
                .unreported
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *unreported)
        };
        let steps: Vec<_> = unreported
            .into_iter()
            .map(|(claim, (amount, since))| {
                (claim, self.step(claim, amount), When::Ago(since.elapsed()))
            })
            .collect();
        for steps in steps.chunks(MAX_PER_REPORT) {
            let Ok(answers) = self.shared.steps(steps).await else {
                return;
            };
            for ((claim, ..), answer) in steps.iter().zip(answers) {
                if let Some(answer) = answer {
                    self.local.learn(*claim, answer.exhausted_for);
                }
            }
        }
    }
}

async fn report(limits: Weak<Inner>) {
    let mut tick = tokio::time::interval(REPORT_PERIOD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(limits) = limits.upgrade() else {
            return;
        };
        limits.report().await;
    }
}

fn refused(claim: Claim, wait: Duration) -> Refused {
    metrics::limit_refused(claim.class().name());
    Refused { wait }
}
