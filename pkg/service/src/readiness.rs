//! Readiness of a process: checks its dependencies and combines the results.
//!
//! The checks run at once, each within its limit, and at most once a second, however often somebody asks.

use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::{BoxFuture, join_all};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use crate::signals::Stopping;

/// How long a check may take. After that the dependency counts as down.
const CHECK_LIMIT: Duration = Duration::from_secs(1);
/// How long a report is used before the checks run again.
const REPORT_TTL: Duration = Duration::from_secs(1);
/// Longest reason that is shown, in characters.
const MAX_REASON: usize = 160;

/// How much the process needs a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It can't do its main job without it.
    Required,
    /// It does its main job without it, with less.
    Optional,
}

impl Need {
    /// Required if `yes`.
    pub fn required_if(yes: bool) -> Self {
        if yes { Self::Required } else { Self::Optional }
    }
}

/// The state of a process or dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It works.
    Up,
    /// It works, but something that it depends on doesn't.
    Degraded,
    /// It doesn't work.
    Down,
}

impl State {
    /// As a metric.
    fn health(self) -> f64 {
        match self {
            Self::Up => 1.0,
            Self::Degraded => 0.5,
            Self::Down => 0.0,
        }
    }
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The state of the dependency.
    pub state: State,
    /// Whether the process can't do its main job without it.
    pub required: bool,
    /// How long the check took, in ms.
    pub took_ms: u64,
    /// Why it isn't up; without addresses and secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its own dependencies, as it reports them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, Finding>,
}

/// The readiness report of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its name.
    pub service: String,
    /// [`State::Down`] when something required is.
    pub state: State,
    /// What it depends on, by name.
    pub checks: BTreeMap<String, Finding>,
}

/// The outcome of a check: state, reason, and the dependencies behind it.
pub(crate) type Outcome = (State, Option<String>, BTreeMap<String, Finding>);

struct Check {
    name: String,
    need: Need,
    limit: Duration,
    run: Box<dyn Fn() -> BoxFuture<'static, Outcome> + Send + Sync>,
}

/// The checks of a process and their last findings.
pub(crate) struct Readiness {
    service: String,
    stopping: Stopping,
    checks: Mutex<Vec<Arc<Check>>>,
    /// Held while the checks run, so that concurrent callers wait for one round.
    last: tokio::sync::Mutex<Option<(Instant, Arc<Report>)>>,
}

impl Readiness {
    pub(crate) fn new(service: &str, stopping: Stopping) -> Self {
        Self {
            service: service.to_owned(),
            stopping,
            checks: Mutex::default(),
            last: tokio::sync::Mutex::default(),
        }
    }

    /// Adds a check that succeeds or fails.
    pub(crate) fn add<F, E>(
        &self,
        name: &str,
        need: Need,
        check: impl Fn() -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        self.add_with_limit(name, need, CHECK_LIMIT, move || {
            let work = check();
            async move {
                match work.await {
                    Ok(()) => (State::Up, None, BTreeMap::new()),
                    Err(error) => (State::Down, Some(error.to_string()), BTreeMap::new()),
                }
            }
        });
    }

    /// Adds a check with a detailed outcome and its own limit.
    pub(crate) fn add_with_limit<F>(
        &self,
        name: &str,
        need: Need,
        limit: Duration,
        check: impl Fn() -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let check = Arc::new(Check {
            name: name.to_owned(),
            need,
            limit,
            run: Box::new(move || Box::pin(check())),
        });
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.push(check);
    }

    /// The last report, or a new one if it is too old.
    pub(crate) async fn report(&self) -> Arc<Report> {
        if self.is_stopping() {
            return Arc::new(self.stopping_report());
        }
        let mut last = self.last.lock().await;
        if let Some((at, report)) = &*last
            && at.elapsed() < REPORT_TTL
        {
            return report.clone();
        }
        let report = Arc::new(self.round().await);
        *last = Some((Instant::now(), report.clone()));
        report
    }

    async fn round(&self) -> Report {
        let checks = self
            .checks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let findings = join_all(checks.iter().map(|check| find(check))).await;
        let checks: BTreeMap<_, _> = checks
            .iter()
            .map(|c| c.name.clone())
            .zip(findings)
            .collect();
        Report {
            service: self.service.clone(),
            state: overall(&checks),
            checks,
        }
    }

    /// A process that is stopping is down, whatever its dependencies say.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_stopping() || vital::failed().is_some()
    }

    fn stopping_report(&self) -> Report {
        let finding = Finding {
            state: State::Down,
            required: true,
            took_ms: 0,
            reason: Some(match vital::failed() {
                Some(task) => format!("the task \"{task}\" has panicked, so the process ends"),
                None => "stopping".to_owned(),
            }),
            checks: BTreeMap::new(),
        };
        Report {
            service: self.service.clone(),
            state: State::Down,
            checks: BTreeMap::from([("process".to_owned(), finding)]),
        }
    }
}

async fn find(check: &Check) -> Finding {
    let start = Instant::now();
    let (state, reason, checks) = match timeout(check.limit, (check.run)()).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let reason = format!("no answer within {} ms", check.limit.as_millis());
            (State::Down, Some(reason), BTreeMap::new())
        }
    };
    telemetry::metrics::dependency(&check.name, state.health());
    Finding {
        state,
        required: check.need == Need::Required,
        took_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        reason: reason.map(|reason| reason.chars().take(MAX_REASON).collect()),
        checks,
    }
}

/// The state of the whole: down if a required dependency is down, degraded if any other is.
fn overall(checks: &BTreeMap<String, Finding>) -> State {
    let states = checks.values().map(|finding| match finding.state {
        State::Down if !finding.required => State::Degraded,
        state => state,
    });
    states.max().unwrap_or(State::Up)
}

#[cfg(test)]
mod tests;
