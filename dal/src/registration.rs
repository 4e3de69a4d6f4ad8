//! Registers a process that writes with the primary and with Redis before its first write, and removes it after the last.

use std::time::Duration;

use marks::Marks;

use crate::{Db, counters::Counters};

/// For the registration: milliseconds if Redis and the primary answer.
const JOIN_DEADLINE: Duration = Duration::from_secs(3);
/// For the removal.
const LEAVE_DEADLINE: Duration = Duration::from_secs(1);

impl Db {
    /// With marks, which every write sets from now on. Without them only reads on the primary are sure to see recent writes.
    #[must_use]
    pub fn with_marks(self, marks: Marks) -> Self {
        let mut db = self;
        db.set_marks(marks.clone());
        db.start_registration();
        vital::spawn("keeper of marks", marks.keep(db.clone()));
        db
    }

    /// To be called before the first write: waits until other processes would notice the end of this one. If Redis is away, it gives up
    /// after 3 s.
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

    /// To be called after the last write: other processes need not find out that this one has ended. Takes 1 s at most.
    pub async fn leave(&self, counters: &Counters) {
        let marks = async {
            if let Some(marks) = self.marks()
                && marks.leave().await
            {
                self.deregister(Marks::NAME).await;
            }
        };
        let leave = async { tokio::join!(marks, counters.leave()) };
        let _ = tokio::time::timeout(LEAVE_DEADLINE, leave).await;
    }
}
