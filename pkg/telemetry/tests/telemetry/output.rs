//! Rotation of the log file: no line is lost, and the disk isn't filled. Each test starts itself as a program that logs into a file.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use settings::{Log, LogFormat, Trace};

const LIMIT: u64 = 64 << 10;
/// Says how many lines are to be logged.
const LINES: &str = "TEST_LINES";
const LAST_WORDS: &str = "written to standard error at the end";

/// What logs, where a test has started it; else nothing.
#[tokio::test]
async fn a_program_that_logs() {
    let Ok(lines) = std::env::var(LINES) else {
        return;
    };
    let log = Log {
        filter: "info".to_owned(),
        format: LogFormat::Json,
        rotate_bytes: LIMIT,
    };
    let trace = Trace {
        endpoint: String::new(),
        sample_ratio: 0.0,
        ca_file: None,
    };
    telemetry::init("test", &log, &trace).unwrap();
    let lines: u64 = lines.parse().unwrap();
    thread::scope(|scope| {
        for first in 0..4 {
            scope.spawn(move || {
                for number in (first..lines).step_by(4) {
                    tracing::info!(number, "a line");
                }
            });
        }
    });
    eprintln!("{LAST_WORDS}");
}

fn logged(lines: u64, log: &Path) {
    let output = File::options().append(true).create(true).open(log).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "output::a_program_that_logs", "--nocapture"])
        .env(LINES, lines.to_string())
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}

/// The numbers of the lines in a file; one that comes twice is a panic.
fn numbers(log: &Path) -> BTreeSet<u64> {
    let mut numbers = BTreeSet::new();
    for line in fs::read_to_string(log).unwrap().lines() {
        // The harness of the tests says a word, too.
        if let Ok(line) = serde_json::from_str::<serde_json::Value>(line) {
            let number = line.get("number").and_then(serde_json::Value::as_u64);
            assert!(numbers.insert(number.unwrap()), "{line}");
        }
    }
    numbers
}

fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<String> = entries
        .map(name)
        .map(|n| n.into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_log_that_is_set_aside_while_it_is_written_loses_no_line() {
    let directory = tempfile::tempdir().unwrap();
    let (log, aside) = (directory.path().join("log"), directory.path().join("log.1"));
    // More than one file takes, and less than two.
    let lines = 700;
    logged(lines, &log);
    let (newer, older) = (numbers(&log), numbers(&aside));
    assert!(newer.is_disjoint(&older));
    let all: BTreeSet<u64> = newer.union(&older).copied().collect();
    assert_eq!(all, (0..lines).collect());
    assert!(fs::metadata(&aside).unwrap().len() <= LIMIT);
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains(LAST_WORDS), "{text}");
}

#[test]
fn however_much_is_logged_the_disk_holds_two_files() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    fs::write(&log, vec![b'x'; 2 * LIMIT as usize]).unwrap();
    logged(5000, &log);
    assert_eq!(files(directory.path()), ["log", "log.1"]);
    for file in files(directory.path()) {
        let bytes = fs::metadata(directory.path().join(&file)).unwrap().len();
        // What the harness says isn't counted.
        assert!(bytes <= LIMIT + 1000, "{file}: {bytes}");
    }
    assert!(numbers(&log).iter().any(|number| *number > 4900));
}
