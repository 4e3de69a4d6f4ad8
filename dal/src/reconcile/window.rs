//! Compares counters with counted rows, for one range of ids. Each id has a fixed slot in memory, so the rows may arrive in any order.
//!
//! The range starts at the block of the lowest id that arrives. Ids above it are left to the next scan.

/// Ids of a window, 24 MiB.
const IDS: i64 = 1 << 21;

/// Counters with ids from [`Self::begins`] on, as many as it holds.
#[derive(Default)]
pub(super) struct Window {
    /// Blocks of [`IDS`] before this one were looked at.
    from: Option<i64>,
    held: Option<Held>,
    /// Whether there is more above.
    is_more: bool,
    is_done: bool,
}

struct Held {
    block: i64,
    shown: Vec<i64>,
    rows: Vec<u32>,
    /// Slots from this one on were not touched.
    used: usize,
}

impl Window {
    /// The lowest id that may be in it.
    pub(super) fn begins(&self) -> i64 {
        self.from
            .map_or(i64::MIN, |block| block.saturating_mul(IDS))
    }

    /// Whether all ids were looked at.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Adds to what a counter shows; false if it is above the window.
    pub(super) fn show(&mut self, id: i64, value: i64) -> bool {
        if let Some((held, slot)) = self.slot(id)
            && let Some(shown) = held.shown.get_mut(slot)
        {
            *shown = shown.saturating_add(value);
            return true;
        }
        // Below, it was looked at.
        id < self.begins()
    }

    /// Counts a row.
    pub(super) fn count(&mut self, id: i64) {
        if let Some((held, slot)) = self.slot(id)
            && let Some(rows) = held.rows.get_mut(slot)
        {
            *rows = rows.saturating_add(1);
        }
    }

    /// Id, what is shown and the number of rows, where these differ.
    pub(super) fn differences(&self) -> impl Iterator<Item = (i64, i64, i64)> {
        self.held.iter().flat_map(|held| {
            let first = held.block.saturating_mul(IDS);
            let sides = held.shown.iter().zip(&held.rows).take(held.used);
            sides.enumerate().filter_map(move |(slot, (shown, rows))| {
                let id = first.saturating_add(i64::try_from(slot).ok()?);
                let rows = i64::from(*rows);
                (*shown != rows).then_some((id, *shown, rows))
            })
        })
    }

    /// Goes on to what is above.
    pub(super) fn advance(&mut self) {
        match self.held.take() {
            Some(held) if self.is_more => self.from = Some(held.block + 1),
            _ => self.is_done = true,
        }
        self.is_more = false;
    }

    fn slot(&mut self, id: i64) -> Option<(&mut Held, usize)> {
        let block = id.div_euclid(IDS);
        if self.is_done || self.from.is_some_and(|from| block < from) {
            return None;
        }
        match &self.held {
            Some(held) if block > held.block => {
                self.is_more = true;
                return None;
            }
            Some(held) if block == held.block => {}
            held => {
                // Nothing of a lower block has come before.
                self.is_more |= held.is_some();
                let ids = usize::try_from(IDS).unwrap_or_default();
                self.held = Some(Held {
                    block,
                    shown: vec![0; ids],
                    rows: vec![0; ids],
                    used: 0,
                });
            }
        }
        let slot = usize::try_from(id.rem_euclid(IDS)).ok()?;
        let held = self.held.as_mut()?;
        held.used = held.used.max(slot + 1);
        Some((held, slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scans these again and again, as a reconciliation does: ids of rows, and ids and values of counters.
    fn scan(rows: &[i64], counters: &[(i64, i64)]) -> (Vec<(i64, i64, i64)>, usize) {
        let (mut window, mut found, mut scans) = (Window::default(), Vec::new(), 0);
        while !window.is_done() {
            scans += 1;
            for (id, value) in counters {
                window.show(*id, *value);
            }
            for id in rows {
                window.count(*id);
            }
            found.extend(window.differences());
            window.advance();
        }
        (found, scans)
    }

    #[test]
    fn ids_may_come_in_any_order_and_lie_anywhere() {
        let far = 5 * IDS + 7;
        let rows = [far, 3, IDS - 1, -4, IDS, 3, far, i64::MAX, i64::MIN];
        let counters = [(3, 2), (IDS - 1, 2), (IDS, 1), (far, 2), (far + 1, -1)];
        let (found, scans) = scan(&rows, &counters);
        let expected = [
            (i64::MIN, 0, 1),
            (-4, 0, 1),
            (IDS - 1, 2, 1),
            (far + 1, -1, 0),
            (i64::MAX, 0, 1),
        ];
        assert_eq!(found, expected);
        assert_eq!(scans, 6, "one for each range with an id in it");
    }

    #[test]
    fn nothing_is_one_scan() {
        assert_eq!(scan(&[], &[]), (Vec::new(), 1));
    }
}
