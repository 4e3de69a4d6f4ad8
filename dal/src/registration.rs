//! The start and the end of a process that writes: it registers with the primary and with Redis before its first write, and takes
//! itself out after the last.

use std::time::Duration;

use marks::Marks;

use crate::{Db, counters::Counters};

/// For being known in Redis before the first write: with Redis and the primary at hand it takes milliseconds.
const JOIN_DEADLINE: Duration = Duration::from_secs(3);
/// For saying goodbye to Redis.
const LEAVE_DEADLINE: Duration = Duration::from_secs(1);

impl Db {
    /// With marks, which every write then sets, and which are kept as long as this process runs. Without them only reads on the
    /// primary see what was just written.
    #[must_use]
    pub fn with_marks(self, marks: Marks) -> Self {
        let mut db = self;
        db.set_marks(marks.clone());
        db.is_writer();
        vital::spawn("keeper of marks", marks.keep(db.clone()));
        db
    }

    /// For a process that is about to take writes: waits until the others would notice its end. Without Redis it waits for a moment
    /// and goes on.
    pub async fn join(&self, counters: &Counters) {
        let marks = async {
            if let Some(marks) = self.marks() {
                marks.join().await;
            }
        };
        let join = async { tokio::join!(marks, counters.join()) };
        if tokio::time::timeout(JOIN_DEADLINE, join).await.is_err() {
            tracing::warn!(
                "Redis doesn't know this process yet: its counts may be late for others"
            );
        }
    }

    /// For a process that writes no more: the others needn't find out that it is gone. Takes a moment at most.
    pub async fn leave(&self, counters: &Counters) {
        let leave = async {
            if let Some(marks) = self.marks()
                && marks.leave().await
            {
                self.has_left(Marks::NAME).await;
            }
            counters.leave().await;
        };
        let _ = tokio::time::timeout(LEAVE_DEADLINE, leave).await;
    }
}
