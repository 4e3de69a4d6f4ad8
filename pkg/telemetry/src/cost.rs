//! The cost of a request: RPCs and SQL statements, counted over all processes.
//!
//! The request log prints it, and tests compare it with a budget. Outside of a [`scope`] nothing is counted.

use std::cell::Cell;

tokio::task_local! {
    static COUNTED: Cell<Cost>;
}

/// Counts of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Calls of other services, repeated attempts not counted.
    pub rpcs: u32,
    /// Statements sent to a database.
    pub sql: u32,
}

/// Counts the cost of `future`. A scope inside another isn't counted there; use [`add`] if its cost belongs to both.
pub async fn scope<F: Future>(future: F) -> (F::Output, Cost) {
    COUNTED
        .scope(Cell::default(), async {
            let output = future.await;
            (output, COUNTED.with(Cell::get))
        })
        .await
}

/// Counts `statements` SQL statements.
pub fn add_sql(statements: u32) {
    add(Cost {
        sql: statements,
        ..Cost::default()
    });
}

/// Counts `calls` RPCs.
pub fn add_rpc(calls: u32) {
    add(Cost {
        rpcs: calls,
        ..Cost::default()
    });
}

/// Counts a cost that another process reports for this request.
pub fn add(cost: Cost) {
    let added = |counted: &Cell<Cost>| {
        let Cost { rpcs, sql } = counted.get();
        counted.set(Cost {
            rpcs: rpcs.saturating_add(cost.rpcs),
            sql: sql.saturating_add(cost.sql),
        });
    };
    // Outside of a request nothing is counted.
    let _ = COUNTED.try_with(added);
}

impl Cost {
    /// As one header value: "rpcs,sql".
    pub fn to_header(self) -> String {
        format!("{},{}", self.rpcs, self.sql)
    }

    /// The inverse of [`to_header`](Self::to_header); none for anything else.
    pub fn from_header(text: &str) -> Option<Self> {
        let (rpcs, sql) = text.split_once(',')?;
        Some(Self {
            rpcs: rpcs.parse().ok()?,
            sql: sql.parse().ok()?,
        })
    }
}
