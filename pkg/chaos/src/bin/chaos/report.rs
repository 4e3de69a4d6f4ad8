//! A row of the printed table, and the violations behind it.

use std::time::Duration;

/// How much of what is wrong is printed: so many of each kind, so many characters of each.
const SHOWN: usize = 8;
const CHARACTERS: usize = 400;

pub struct Report {
    row: String,
    wrong: Vec<String>,
}

impl Report {
    pub fn new(row: String) -> Self {
        let wrong = Vec::new();
        Self { row, wrong }
    }

    /// Nothing of this may have been seen.
    pub fn must_be_empty(&mut self, what: &str, seen: Vec<String>) {
        if seen.is_empty() {
            return;
        }
        self.wrong.push(format!("{what}: {}", seen.len()));
        let shown = seen.iter().take(SHOWN);
        self.wrong
            .extend(shown.map(|one| one.chars().take(CHARACTERS).collect()));
    }

    /// Something that must be so.
    pub fn must(&mut self, is_so: bool, what: &str) {
        if !is_so {
            self.wrong.push(format!("not so: {what}"));
        }
    }

    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.wrong.is_empty()
    }

    /// Prints the row and what is wrong.
    pub fn print(&self) {
        println!("{}", self.row);
        for wrong in &self.wrong {
            println!("    {wrong}");
        }
    }
}

pub fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
