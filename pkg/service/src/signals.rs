//! SIGTERM and SIGINT: the first begins the graceful shutdown (or ends a process that serves nothing), the second ends the process.
//!
//! The panic of a vital task counts as the first signal.

use std::{future::pending, io, sync::Arc};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// The exit code after a signal is this plus the number of the signal, as shells report it.
const ENDED_BY_SIGNAL: i32 = 128;
/// The exit code after a failure.
const FAILED: i32 = 1;

/// Distributes the request to stop. Each waiting server is a receiver.
pub(crate) struct Signals(Arc<watch::Sender<bool>>);

/// Tells whether the process shall stop, without counting as a server that acts on it.
#[derive(Clone)]
pub(crate) struct Stopping(Arc<watch::Sender<bool>>);

impl Stopping {
    pub(crate) fn is_stopping(&self) -> bool {
        *self.0.borrow()
    }

    /// The state without a signal.
    #[cfg(test)]
    pub(crate) fn never() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// The state after a signal.
    #[cfg(test)]
    pub(crate) fn now() -> Self {
        Self(Arc::new(watch::Sender::new(true)))
    }
}

impl Signals {
    /// Must be called in a runtime, once.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = Arc::new(watch::Sender::new(false));
        let signals = Self(stop.clone());
        let failing = stop.clone();
        tokio::spawn(async move {
            let task = vital::failure().await;
            tracing::error!(
                task,
                "a task that the process can't do without has panicked; the process ends"
            );
            if failing.receiver_count() == 0 {
                std::process::exit(FAILED);
            }
            failing.send_replace(true);
        });
        tokio::spawn(async move {
            loop {
                let kind = tokio::select! {
                    _ = terminate.recv() => SignalKind::terminate(),
                    _ = interrupt.recv() => SignalKind::interrupt(),
                };
                if stop.receiver_count() == 0 || stop.send_replace(true) {
                    tracing::warn!("ended by a signal");
                    std::process::exit(ENDED_BY_SIGNAL + kind.as_raw_value());
                }
                tracing::info!("stopping");
            }
        });
        Ok(signals)
    }

    /// Resolves when the process shall stop. From this call on, the first signal doesn't end the process at once.
    pub(crate) fn stopping(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stopping = self.0.subscribe();
        async move {
            // The sender lives as long as the runtime.
            if stopping.wait_for(|stop| *stop).await.is_err() {
                pending::<()>().await;
            }
        }
    }

    /// Tells at any time whether the first signal has arrived.
    pub(crate) fn state(&self) -> Stopping {
        Stopping(self.0.clone())
    }
}
