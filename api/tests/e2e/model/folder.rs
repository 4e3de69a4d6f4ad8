//! Catches a process in the middle of a fold: locks the counters, so that a fold that has begun can't go on.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use testkit::{FOLD_PERIOD, Held, Process, System, eventually};

/// Folds happen every second; somebody must be at it soon.
const FOUND_LIMIT: Duration = Duration::from_secs(30);

/// A process in the middle of a fold, and what keeps it there.
pub struct Folding {
    pub service: &'static str,
    pub instance: usize,
    pub held: Held,
}

/// Waits for a fold and holds it up between its two writes: sums are being added, their rows not deleted yet.
pub async fn in_mid_fold(system: &System) -> Folding {
    eventually(FOUND_LIMIT, "a fold to hold up", async || {
        hold_up(system).await
    })
    .await
}

/// `None` when the next folds have nothing to do with the counters that there are now, or were past their first write, or when
/// whoever folded is gone.
async fn hold_up(system: &System) -> Option<Folding> {
    let database = system.database();
    let waiting = format!(
        "SELECT CONCAT(HOST, ' ', INFO) FROM information_schema.PROCESSLIST \
         WHERE DB = '{}' AND INFO REGEXP '^(INSERT INTO|UPDATE) counters'",
        database.name()
    );
    let held = database.hold("SELECT kind FROM counters FOR UPDATE").await;
    let start = Instant::now();
    // What is seen twice in a row waits.
    let mut before = Vec::new();
    while start.elapsed() < 2 * FOLD_PERIOD {
        tokio::time::sleep(Duration::from_millis(25)).await;
        let found: Vec<String> = database.column(&waiting).await;
        let waits = found.iter().find(|found| before.contains(*found)).cloned();
        before = found;
        let Some((host, statement)) = waits.as_deref().and_then(|found| found.split_once(' '))
        else {
            continue;
        };
        if !statement.starts_with("INSERT") {
            return None;
        }
        let port = host.rsplit(':').next()?.parse().ok()?;
        let (service, instance) = owner(system, port)?;
        return Some(Folding {
            service,
            instance,
            held,
        });
    }
    None
}

/// The process whose connection has this local port. A statement that waits for a lock outlives its process: then `None`.
fn owner(system: &System, port: u16) -> Option<(&'static str, usize)> {
    let all = ["favorite", "comment"].into_iter().flat_map(|service| {
        let instances = system.instances(service).iter().enumerate();
        instances.map(move |(n, process)| (service, n, process))
    });
    let mut owners = all.filter(|(_, _, process)| has_local_port(process, port));
    let (service, instance, _) = owners.next()?;
    Some((service, instance))
}

fn has_local_port(process: &Process, port: u16) -> bool {
    let proc = Path::new("/proc").join(process.pid().to_string());
    let sockets = fs::read_to_string(proc.join("net/tcp")).unwrap_or_default();
    let local = format!(":{port:04X}");
    // Columns: number, local address, remote address, …, the tenth is the inode.
    let inode = sockets.lines().find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns
            .get(1)?
            .ends_with(&local)
            .then(|| columns[9].to_owned())
    });
    let link = inode.map(|inode| format!("socket:[{inode}]"));
    let files = fs::read_dir(proc.join("fd"))
        .into_iter()
        .flatten()
        .flatten();
    files
        .filter_map(|file| fs::read_link(file.path()).ok())
        .any(|target| target.to_str() == link.as_deref())
}
