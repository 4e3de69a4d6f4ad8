//! How often somebody may do something: by address, by user, by the name they try to log in as.
//!
//! Every process counts for itself, and refuses by that alone: so a flood costs Redis nothing. What it lets pass is counted in Redis
//! too, together with what other processes let pass. What must not be guessed or piled up (logins, accounts, uploads) is asked of
//! Redis before it is done ([`Limits::admit`]); what is merely not to be too much is told to Redis afterwards, many at once
//! ([`Limits::count`]), and costs a request no round trip. Redis away, or its answer garbage: the process's own count decides.
//!
//! Nothing here knows what is limited, nor who a client is; names are kept as hashes only.

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
pub use gcra::Rate;
use gcra::Step;
use local::Local;
use shared::{Shared, When};

/// How often is told to Redis what was counted: by as much can several processes together exceed what one may.
const REPORT_PERIOD: Duration = Duration::from_millis(250);
/// Claims that wait to be told at most, and that are told at once.
const MAX_UNREPORTED: usize = 10_000;
const MAX_PER_REPORT: usize = 500;
/// Too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too often; again in {wait:?}")]
pub struct Refused {
    /// When it may be tried again, if nothing is done until then.
    pub wait: Duration,
}

/// The limits of all classes. Cheap to clone; one a process.
#[derive(Clone)]
pub struct Limits(Arc<Inner>);

struct Inner {
    settings: settings::Limits,
    local: Local,
    shared: Shared,
    /// How much, and since when.
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

    /// Counts one of each, unless one of them is too often: with all that every process has counted. One round trip to Redis, none for
    /// what this process refuses by itself. Each claim shields those behind it: where this process refuses it, they aren't counted.
    ///
    /// # Errors
    /// Too often.
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
            self.0.local.learn(*claim, answer.used_up_for);
            if !answer.wait.is_zero() {
                too_much.get_or_insert((*claim, answer.wait));
            }
        }
        match too_much {
            Some((claim, wait)) => Err(refused(claim, wait.max(self.wait(claims)))),
            None => Ok(()),
        }
    }

    /// Counts one of each, unless one of them is too often: as far as this process knows, which hears of the others soon after.
    ///
    /// # Errors
    /// Too often.
    pub fn count(&self, claims: &[Claim]) -> Result<(), Refused> {
        self.take_locally(claims)?;
        for claim in claims {
            self.0.report_later(*claim, 1);
        }
        Ok(())
    }

    /// Counts what has happened, however much it was.
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

    /// Until all of these would be let in, as far as this process knows: also those that have just taken this try's share.
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

    /// What is lost here, when Redis is away, this process has counted all the same.
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
                    self.local.learn(*claim, answer.used_up_for);
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
