//! The callers that share one flight, and the number of running flights of a key.

use std::{panic::AssertUnwindSafe, pin::Pin};

use futures::FutureExt as _;
use tokio::sync::watch;

use crate::Demand;

/// Flights of a key that run at once, at most: one, and a slow one that no longer holds up others.
const MAX_RUNNING: u8 = 2;

type Read<D, T> = Box<dyn FnOnce(D) -> Pin<Box<dyn Future<Output = T> + Send>> + Send>;

/// Those who wait for the same flight.
pub(crate) struct Group<D, T> {
    demand: D,
    read: Read<D, T>,
    result: watch::Sender<Option<T>>,
}

impl<D: Demand, T> Group<D, T> {
    pub(crate) fn new<F, R>(demand: D, read: F) -> (Self, watch::Receiver<Option<T>>)
    where
        F: FnOnce(D) -> R + Send + 'static,
        R: Future<Output = T> + Send + 'static,
    {
        let (result, receiver) = watch::channel(None);
        let group = Self {
            demand,
            read: Box::new(move |demand| Box::pin(read(demand))),
            result,
        };
        (group, receiver)
    }

    pub(crate) fn join(&mut self, demand: D) -> watch::Receiver<Option<T>> {
        self.demand.merge(demand);
        self.result.subscribe()
    }

    /// Reads and tells the result. What nobody waits for any more is given up, or not begun.
    pub(crate) async fn read(self) {
        let Self {
            demand,
            read,
            result,
        } = self;
        if result.is_closed() {
            return;
        }
        // The call itself may panic, too. What it leaves behind half done nobody sees.
        let read = AssertUnwindSafe(async move { read(demand).await }).catch_unwind();
        tokio::select! {
            () = result.closed() => {}
            read = read => {
                if let Ok(read) = read {
                    result.send_replace(Some(read));
                }
            }
        }
    }
}

/// The flights of a key that run, or are about to.
#[derive(Debug, Default)]
pub(crate) struct Running {
    all: u8,
    /// Those that still hold up the next one.
    in_time: u8,
}

impl Running {
    /// Takes a place for a flight, if one may start.
    pub(crate) fn start(&mut self) -> bool {
        let may = self.in_time == 0 && self.all < MAX_RUNNING;
        if may {
            self.all += 1;
            self.in_time += 1;
        }
        may
    }

    pub(crate) fn is_late(&mut self) {
        self.in_time = self.in_time.saturating_sub(1);
    }

    pub(crate) fn end(&mut self, was_late: bool) {
        self.all = self.all.saturating_sub(1);
        if !was_late {
            self.is_late();
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.all == 0
    }
}
