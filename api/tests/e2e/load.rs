//! Clients that send requests all the time and record every answer that is no success.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use testkit::{Account, System};
use tokio::task::JoinSet;

/// A read that takes longer has missed its deadline, whatever it answers.
const READ_LIMIT: Duration = Duration::from_secs(5);
const CLIENTS: usize = 4;
/// Between two requests of a client: tests share the machine.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs until [`Load::stop`].
pub struct Load {
    stopped: Arc<AtomicBool>,
    answers: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<String>>>,
    clients: JoinSet<()>,
}

impl Load {
    /// Feed, list of works and user, in turns.
    pub fn start(system: &System, account: &Account) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let answers = Arc::new(AtomicUsize::new(0));
        let failures = Arc::new(Mutex::new(Vec::new()));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (client, account) = (system.client(), account.clone());
            let (stopped, answers, failures) = (stopped.clone(), answers.clone(), failures.clone());
            clients.spawn(async move {
                for turn in 0_u64.. {
                    if stopped.load(Ordering::Relaxed) {
                        return;
                    }
                    let start = Instant::now();
                    let reply = match turn % 3 {
                        0 => client.feed(&[]).await,
                        1 => client.works(account.user_id).await,
                        _ => client.user(account.user_id, &account.token).await,
                    };
                    let took = start.elapsed();
                    if (reply.http, reply.try_code()) != (200, Some(0)) || took > READ_LIMIT {
                        let failure = format!(
                            "turn {turn}: HTTP {} after {took:?}: {}",
                            reply.http, reply.text
                        );
                        failures.lock().unwrap().push(failure);
                    }
                    answers.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        Self {
            stopped,
            answers,
            failures,
            clients,
        }
    }

    /// Answers so far.
    pub fn answers(&self) -> usize {
        self.answers.load(Ordering::Relaxed)
    }

    /// Ends the load; panics if any request failed.
    pub async fn stop(mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        while let Some(client) = self.clients.join_next().await {
            client.unwrap();
        }
        let failures = self.failures.lock().unwrap();
        assert!(
            failures.is_empty(),
            "{} of {} requests failed: {:#?}",
            failures.len(),
            self.answers(),
            failures
        );
        assert!(
            self.answers() > 20,
            "hardly any load: {} requests",
            self.answers()
        );
    }
}
