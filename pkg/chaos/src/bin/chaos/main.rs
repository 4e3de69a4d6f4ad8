//! Injects one fault after the other under load and prints the results as a table, a row for each fault. `scripts/chaos.sh` starts it.
//!
//!     chaos [FILTER...]        only rows whose name contains one of these, for example: pairs, or "fault Redis"
//!
//! Exits with 1 when an acknowledged write was lost, counted twice or not seen, or when a request failed that may not fail.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a tool of the tests: it may fail loudly"
)]

mod deletions;
mod faults;
mod leftovers;
mod pairs;
mod partitions;
mod publishers;
mod publishes;
mod replicas;
mod report;
mod restore;
mod servers;
mod testbed;
mod transcodes;
mod trial;
mod writer;

use std::{panic::AssertUnwindSafe, process::ExitCode};

use futures::FutureExt as _;

use faults::FAULTS;
use report::Report;

#[tokio::main]
async fn main() -> ExitCode {
    let mut table = Table {
        filters: std::env::args().skip(1).collect(),
        is_good: true,
        heading: "",
        passed_over: Vec::new(),
    };
    for fault in FAULTS.iter().filter(|fault| fault.kind.is_possible()) {
        match fault.kind.unavailable() {
            Some(reason) => table.skip("fault", fault.name, trial::HEADING, reason),
            None => {
                table
                    .row("fault", fault.name, trial::HEADING, trial::run(fault))
                    .await;
            }
        }
    }
    for scenario in pairs::SCENARIOS {
        let run = pairs::run(scenario, percent());
        table.row("pairs", scenario.name, pairs::HEADING, run).await;
    }
    for scenario in replicas::SCENARIOS {
        if scenario.is_possible() {
            let run = scenario.run();
            table
                .row("replicas", scenario.name(), replicas::HEADING, run)
                .await;
        }
    }
    for victim in publishes::VICTIMS {
        let run = publishes::run(victim, percent());
        table
            .row("publish", victim.name(), publishes::HEADING, run)
            .await;
    }
    for victim in transcodes::VICTIMS {
        let run = transcodes::run(victim, percent());
        table
            .row("job", victim.name(), transcodes::HEADING, run)
            .await;
    }
    for victim in deletions::VICTIMS {
        let run = deletions::run(victim, percent());
        table
            .row("deletion", victim.name, deletions::HEADING, run)
            .await;
    }
    table
        .row("restore", "older dump", restore::HEADING, restore::run())
        .await;
    if table.heading.is_empty() {
        println!(
            "No row's name contains any of {:?}. The rows are:",
            table.filters
        );
        for name in table.passed_over {
            println!("  {name}");
        }
        return ExitCode::FAILURE;
    }
    match table.is_good {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Of the pairs, publishes, jobs and deletions.
fn percent() -> usize {
    match std::env::var("DOUSHENG_CHAOS_PERCENT") {
        Ok(text) => match text.parse() {
            Ok(percent @ 1..=100) => percent,
            _ => panic!("DOUSHENG_CHAOS_PERCENT is a whole number from 1 to 100, not {text:?}"),
        },
        Err(_) => 100,
    }
}

struct Table {
    filters: Vec<String>,
    is_good: bool,
    /// The last one that was printed.
    heading: &'static str,
    /// The rows that no filter asks for.
    passed_over: Vec<String>,
}

impl Table {
    fn is_wanted(&mut self, group: &str, name: &str) -> bool {
        let full_name = format!("{group} {name}");
        let mut filters = self.filters.iter();
        let is_wanted = self.filters.is_empty() || filters.any(|filter| full_name.contains(filter));
        if !is_wanted {
            self.passed_over.push(full_name);
        }
        is_wanted
    }

    fn head(&mut self, heading: &'static str) {
        if self.heading != heading {
            let columns = heading.matches('|').count() - 1;
            println!("\n{heading}\n|{}", "---|".repeat(columns));
            self.heading = heading;
        }
    }

    /// A row that this machine can't run is named as such.
    fn skip(&mut self, group: &str, name: &str, heading: &'static str, reason: &str) {
        if self.is_wanted(group, name) {
            self.head(heading);
            println!("| {name} | SKIPPED: {reason} |");
        }
    }

    /// Runs what is wanted and prints its row at once. What panics fails, and the next one begins with all servers up.
    async fn row(
        &mut self,
        group: &str,
        name: &str,
        heading: &'static str,
        run: impl Future<Output = Report>,
    ) {
        if !self.is_wanted(group, name) {
            return;
        }
        self.head(heading);
        servers::back().await;
        let is_good = match AssertUnwindSafe(run).catch_unwind().await {
            Ok(report) => {
                report.print();
                report.is_good()
            }
            Err(_) => {
                servers::delay_replica(0).await;
                println!("| {name} | broke off |");
                false
            }
        };
        self.is_good &= is_good;
    }
}
