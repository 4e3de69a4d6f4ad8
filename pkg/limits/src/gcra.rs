//! The generic cell rate algorithm (ITU-T I.371, annex A), in its form with a theoretical arrival time.
//!
//! Whoever stays below the rate may at any moment do a whole window's worth at once. One number a subject is all that is kept:
//! when what they did would be used up if they had kept to the rate. A refusal costs the refused nothing.

use std::time::Duration;

/// So much in so long, and as much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How much; at least 1.
    pub amount: u64,
    /// In how long.
    pub window: Duration,
}

impl Rate {
    /// How much of the window `amount` uses up, in µs.
    pub(crate) fn cost(&self, amount: u64) -> u64 {
        let cost = self.window.as_micros() * u128::from(amount) / u128::from(self.amount.max(1));
        u64::try_from(cost).unwrap_or(u64::MAX)
    }

    pub(crate) fn window(&self) -> u64 {
        u64::try_from(self.window.as_micros()).unwrap_or(u64::MAX)
    }
}

/// What somebody wants to do, in the terms of the algorithm, in µs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) cost: u64,
    pub(crate) window: u64,
}

impl Step {
    /// Until when it is used up after this step, `used_up` before it; or how long to wait for it.
    pub(crate) fn take(self, used_up: u64, now: u64) -> Result<u64, Duration> {
        let after = self.charge(used_up, now);
        match after.saturating_sub(now).saturating_sub(self.window) {
            0 => Ok(after),
            wait => Err(Duration::from_micros(wait)),
        }
    }

    /// [`take`](Self::take), of what has happened already.
    pub(crate) fn charge(self, used_up: u64, now: u64) -> u64 {
        used_up.max(now).saturating_add(self.cost)
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
        let mut used_up = 0;
        for _ in 0..5 {
            used_up = step(1).take(used_up, now).unwrap();
        }
        assert_eq!(step(1).take(used_up, now), Err(Duration::from_secs(12)));
        let later = now + 12_000_000;
        used_up = step(1).take(used_up, later).unwrap();
        let wait = step(1).take(used_up, later + 1_000_000);
        assert_eq!(
            wait,
            Err(Duration::from_secs(11)),
            "a refusal told the truth"
        );
    }

    #[test]
    fn more_than_a_window_s_worth_may_have_happened_and_is_waited_for() {
        let used_up = step(10).charge(0, 0);
        assert_eq!(step(1).take(used_up, 0), Err(Duration::from_secs(72)));
        assert!(step(1).take(used_up, 72_000_000).is_ok());
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
