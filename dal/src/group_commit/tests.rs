//! When a batch may start.

use super::may_start;

#[test]
fn few_wait_for_nobody_and_many_for_one_batch_at_most() {
    for (batches, in_flight, waiting, may) in [
        (0, 0, 1, true),
        (0, 0, 200, true),
        (1, 1, 1, true),
        (3, 7, 1, true),
        (3, 15, 1, true),
        // Many: no small one beside a large one, and no third.
        (1, 40, 1, false),
        (1, 40, 39, false),
        (1, 40, 40, true),
        (1, 16, 1, false),
        (2, 20, 44, false),
        (2, 40, 100, false),
    ] {
        assert_eq!(
            may_start(batches, in_flight, waiting),
            may,
            "{batches} batches of {in_flight} ops, {waiting} wait"
        );
    }
}
