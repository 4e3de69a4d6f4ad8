//! bcrypt outside of the async threads: a bounded number of hashes at once, and a bounded queue before them.
//!
//! A hash costs tens of milliseconds of a core on purpose. What doesn't fit into the queue is refused at once, so that logins can't
//! slow down other requests.

use std::{sync::Arc, thread};

use telemetry::metrics;
use tokio::{sync::Semaphore, task};

use crate::{AuthError, PasswordRule};

/// The name of the queue in metrics.
const BCRYPT: &str = "bcrypt";

/// bcrypt reads no more than this; more would be cut silently.
const MAX_BYTES: usize = 72;

/// Hashes of cost 0 that may wait for each one that runs. A hash of cost `c` takes about 2^c times 60 µs, so whatever the cost
/// the last in the queue waits about two seconds, well within the time limit of a login: 32 at cost 10, 8 at cost 12.
const WAITING_AT_COST_0: usize = 32 << 10;

/// Hashes and checks passwords. Cheap to clone; clones share the limit.
#[derive(Debug, Clone)]
pub struct Passwords {
    cost: u32,
    /// A hash that no password matches.
    nobody: Arc<str>,
    /// Admitted: waiting or running.
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Passwords {
    /// Hashes with the work factor `cost` (4 to 31), `parallel` at once; 0: as many as there are cores.
    pub fn new(cost: u32, parallel: usize) -> Result<Self, AuthError> {
        if !(4..=31).contains(&cost) {
            return Err(bcrypt::BcryptError::CostNotAllowed(cost).into());
        }
        let parallel = match parallel {
            0 => thread::available_parallelism().map_or(1, usize::from),
            parallel => parallel,
        };
        let waiting = parallel * (WAITING_AT_COST_0 >> cost).max(1);
        let running = Arc::new(Semaphore::new(parallel));
        metrics::watch_semaphore(BCRYPT, &running, parallel);
        Ok(Self {
            cost,
            nobody: format!("$2b${cost:02}${}", ".".repeat(53)).into(),
            admitted: Arc::new(Semaphore::new(parallel + waiting)),
            running,
        })
    }

    /// The hash to store, 60 ASCII characters. [`AuthError::Password`] when the password has more than 72 bytes or holds a NUL.
    pub async fn hash(&self, password: &str) -> Result<String, AuthError> {
        check(password)?;
        let (password, cost) = (password.to_owned(), self.cost);
        self.run(move || bcrypt::hash(password, cost)).await
    }

    /// Whether the password matches the hash. A password that bcrypt can't hash matches none.
    pub async fn verify(&self, password: &str, hash: &str) -> Result<bool, AuthError> {
        if check(password).is_err() {
            return Ok(false);
        }
        let (password, hash) = (password.to_owned(), hash.to_owned());
        self.run(move || bcrypt::verify(password, &hash)).await
    }

    /// Takes as long as [`Self::verify`], so that the time doesn't tell an unknown name from a wrong password.
    pub async fn verify_nobody(&self, password: &str) -> Result<(), AuthError> {
        self.verify(password, &self.nobody).await.map(drop)
    }

    /// Whether this hash was made with less work than is configured now, so that the next good login should store a new one.
    pub fn needs_rehash(&self, hash: &str) -> bool {
        hash.parse::<bcrypt::HashParts>()
            .is_ok_and(|parts| parts.get_cost() < self.cost)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> bcrypt::BcryptResult<T> + Send + 'static,
    ) -> Result<T, AuthError> {
        let admitted = Arc::clone(&self.admitted)
            .try_acquire_owned()
            .map_err(|_| {
                metrics::semaphore_refused(BCRYPT);
                AuthError::Busy
            })?;
        let waiting = metrics::in_queue(BCRYPT);
        let running = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(|_| AuthError::Stopped)?;
        drop(waiting);
        // The task holds the permits: a caller that stops waiting doesn't free the place of a hash that still runs.
        let result = task::spawn_blocking(move || {
            let _permits = (admitted, running);
            work()
        });
        Ok(result.await.map_err(|_| AuthError::Stopped)??)
    }
}

/// bcrypt ends a password with a NUL and repeats it, so that with NULs inside two different passwords could share a hash.
fn check(password: &str) -> Result<(), AuthError> {
    if password.len() > MAX_BYTES {
        Err(AuthError::Password(PasswordRule::MaxBytes))
    } else if password.contains('\0') {
        Err(AuthError::Password(PasswordRule::NoNul))
    } else {
        Ok(())
    }
}
