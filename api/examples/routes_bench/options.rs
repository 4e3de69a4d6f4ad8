//! What to measure, from the environment. A value that makes no sense ends the program with a sentence that says what does.

use std::{path::PathBuf, process::exit, str::FromStr, time::Duration};

use crate::{routes, routes::Route};

/// - `ROUTES=feed,like`: only routes whose key begins with one of these words.
/// - `CLIENTS=8,64`: how many clients at once.
/// - `SECONDS_EACH=2`: of one run. `ROUNDS=3`: runs of each side; the median counts.
/// - `BASELINE=directory`: programs of another build, to compare with.
/// - `GROW=1`: compare with a database as large as `SCALE=1 scripts/grow.sh` makes it. It is kept for the next time.
pub struct Options {
    pub routes: Vec<String>,
    pub clients: Vec<usize>,
    pub time: Duration,
    pub rounds: usize,
    pub baseline: Option<PathBuf>,
    pub grow: Option<String>,
}

/// What a system consists of.
const PROGRAMS: [&str; 6] = ["api", "user", "video", "favorite", "comment", "migrate"];

impl Options {
    pub fn from_environment() -> Self {
        let seconds = number("SECONDS_EACH", 2, 1..=60);
        let rounds = number("ROUNDS", 3, 1..=9);
        let options = Self {
            routes: list("ROUTES").unwrap_or_default(),
            clients: numbers("CLIENTS", &[1, 8, 64, 512]),
            time: Duration::from_secs(seconds),
            rounds: usize::try_from(rounds).unwrap(),
            baseline: variable("BASELINE").map(PathBuf::from),
            grow: variable("GROW"),
        };
        if options.baseline.is_some() && options.grow.is_some() {
            refuse("BASELINE or GROW, not both in one run");
        }
        let keys: Vec<_> = routes::all().iter().map(|route| route.key).collect();
        for word in &options.routes {
            if !keys.iter().any(|key| key.starts_with(word.as_str())) {
                refuse(&format!("ROUTES: no \"{word}\", but {}", keys.join(", ")));
            }
        }
        let own = std::env::current_exe().expect("the path of this program");
        let own = own.ancestors().nth(2).expect("target/release").to_owned();
        for (directory, remedy) in [
            (Some(own), "cargo build --release --workspace --bins"),
            (
                options.baseline.clone(),
                "BASELINE names a directory of programs",
            ),
        ] {
            for program in PROGRAMS {
                let path = directory.as_ref().map(|directory| directory.join(program));
                if let Some(path) = path.filter(|path| !path.exists()) {
                    refuse(&format!("{} is missing: {remedy}", path.display()));
                }
            }
        }
        if cfg!(debug_assertions) {
            println!("These programs are not optimised: the figures mean nothing.");
        }
        options
    }

    /// A route of the large database alone is measured only beside that.
    pub fn wants(&self, route: &Route) -> bool {
        let is_named = self
            .routes
            .iter()
            .any(|word| route.key.starts_with(word.as_str()));
        (self.routes.is_empty() || is_named) && (!route.of_grown || self.grow.is_some())
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn list(name: &str) -> Option<Vec<String>> {
    let value = variable(name)?;
    Some(
        value
            .split(',')
            .map(|word| word.trim().to_owned())
            .collect(),
    )
}

fn parsed<T: FromStr>(name: &str, word: &str) -> T {
    let refused = |_| refuse(&format!("{name}: \"{word}\" is not a whole number"));
    word.parse().map_err(refused).unwrap_or_else(|never| never)
}

fn number(name: &str, default: u64, range: std::ops::RangeInclusive<u64>) -> u64 {
    let value = variable(name).map_or(default, |word| parsed(name, &word));
    if !range.contains(&value) {
        refuse(&format!(
            "{name} is from {} to {}",
            range.start(),
            range.end()
        ));
    }
    value
}

fn numbers(name: &str, default: &[usize]) -> Vec<usize> {
    let words = list(name).unwrap_or_default();
    let values: Vec<usize> = words.iter().map(|word| parsed(name, word)).collect();
    if values
        .iter()
        .any(|clients| !(1..=crate::scene::MAX_CLIENTS).contains(clients))
    {
        refuse(&format!(
            "{name} are from 1 to {}",
            crate::scene::MAX_CLIENTS
        ));
    }
    if values.is_empty() {
        default.to_vec()
    } else {
        values
    }
}

fn refuse(why: &str) -> ! {
    eprintln!("routes_bench: {why}");
    exit(2);
}
