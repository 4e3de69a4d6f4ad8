//! The generic cell rate algorithm (ITU-T I.371, annex A), as virtual scheduling.
//!
//! It keeps one number for each subject: the theoretical arrival time. A subject that was idle for a window may do a whole window's amount
//! at once. A refused attempt costs the subject nothing.

use std::time::Duration;

/// An amount in a window; the whole amount may be used at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// The amount; at least 1.
    pub amount: u64,
    /// The time for it.
    pub window: Duration,
}

impl Rate {
    /// The part of the window that `amount` uses up, in µs.
    pub(crate) fn cost(&self, amount: u64) -> u64 {
        let cost = self.window.as_micros() * u128::from(amount) / u128::from(self.amount.max(1));
        u64::try_from(cost).unwrap_or(u64::MAX)
    }

    pub(crate) fn window(&self) -> u64 {
        u64::try_from(self.window.as_micros()).unwrap_or(u64::MAX)
    }
}

/// One attempt, in the terms of the algorithm; both in µs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) cost: u64,
    pub(crate) window: u64,
}

impl Step {
    /// The new theoretical arrival time, given the old one; or how long to wait.
    pub(crate) fn take(self, arrival_us: u64, now: u64) -> Result<u64, Duration> {
        let after = self.charge(arrival_us, now);
        match after.saturating_sub(now).saturating_sub(self.window) {
            0 => Ok(after),
            wait => Err(Duration::from_micros(wait)),
        }
    }

    /// As [`take`](Self::take), for what has happened already: it is never refused.
    pub(crate) fn charge(self, arrival_us: u64, now: u64) -> u64 {
        arrival_us.max(now).saturating_add(self.cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        amount: 5,
        window: Duration::from_secs(60),
    };

    fn step(amount: u64) -> Step {
        Step {
            cost: RATE.cost(amount),
            window: RATE.window(),
        }
    }

    #[test]
    fn a_window_s_worth_goes_at_once_and_then_one_as_the_rate_has_it() {
        let now = 1_000_000_000;
        let mut arrival_us = 0;
        for _ in 0..5 {
            arrival_us = step(1).take(arrival_us, now).unwrap();
        }
        assert_eq!(step(1).take(arrival_us, now), Err(Duration::from_secs(12)));
        let later = now + 12_000_000;
        arrival_us = step(1).take(arrival_us, later).unwrap();
        let wait = step(1).take(arrival_us, later + 1_000_000);
        assert_eq!(
            wait,
            Err(Duration::from_secs(11)),
            "a refusal told the truth"
        );
    }

    #[test]
    fn more_than_a_window_s_worth_may_have_happened_and_is_waited_for() {
        let arrival_us = step(10).charge(0, 0);
        assert_eq!(step(1).take(arrival_us, 0), Err(Duration::from_secs(72)));
        assert!(step(1).take(arrival_us, 72_000_000).is_ok());
    }

    #[test]
    fn no_rate_overflows() {
        let rate = Rate {
            amount: 1,
            window: Duration::from_secs(u64::from(u32::MAX)),
        };
        let step = Step {
            cost: rate.cost(u64::MAX),
            window: rate.window(),
        };
        assert_eq!(step.charge(u64::MAX, u64::MAX), u64::MAX);
    }
}
