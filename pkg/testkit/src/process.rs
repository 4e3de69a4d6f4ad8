//! Processes that a test starts, watches and kills.
//!
//! A child process ends when its value is dropped. If the test run itself is killed, the kernel ends the child.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Mutex, Once, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{eventually, names};

/// How long a process may take from its start until it has bound its address.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long a process may take to stand still.
const FREEZE_LIMIT: Duration = Duration::from_secs(5);
/// How long the log of a failed test is kept.
const LOG_RETENTION: Duration = Duration::from_secs(24 * 3600);
/// Lines of the log that a failed test shows.
const TAIL_LINES: usize = 40;

/// A running (or ended) process with a log file of its own; killed when the value goes.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Mutex<Child>,
    log: PathBuf,
    keeps_log: AtomicBool,
    address: PathBuf,
    admin: PathBuf,
}

impl Process {
    /// Starts a binary of this workspace with nothing of `DOUSHENG_*` in its environment but `variables`.
    pub fn workspace_binary<K, V>(name: &str, variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        let mut command = Command::new(binary(name));
        command.envs(variables);
        Self::spawn(name, command)
    }

    /// As [`Self::workspace_binary`], with no more than `files` open files and sockets.
    pub(crate) fn with_few_files<K, V>(
        name: &str,
        variables: impl IntoIterator<Item = (K, V)>,
        files: u32,
    ) -> Self
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        // It becomes the program, so the pid is the program's.
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={files}")).arg(binary(name));
        command.envs(variables);
        Self::spawn(name, command)
    }

    /// Starts any command; its output goes to the log.
    pub fn spawn(name: &str, command: Command) -> Self {
        static SWEPT: Once = Once::new();
        SWEPT.call_once(sweep_logs);
        let base = testkit_directory("logs").join(format!("{}-{name}", names::unique('-')));
        let (log, address) = (base.with_extension("log"), base.with_extension("address"));
        let admin = base.with_extension("admin");
        let output = File::create(&log).expect("a log file");
        // `setpriv` becomes the program, so the pid is the program's.
        let mut tied = Command::new("setpriv");
        tied.args(["--pdeathsig", "KILL"])
            .arg(command.get_program())
            .args(command.get_args());
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("DOUSHENG_") {
                tied.env_remove(variable);
            }
        }
        for (variable, value) in command.get_envs() {
            tied.env(variable, value.unwrap_or_default());
        }
        if let Some(directory) = command.get_current_dir() {
            tied.current_dir(directory);
        }
        tied.env("DOUSHENG_ADDRESS_FILE", &address)
            .env("DOUSHENG_ADMIN_ADDRESS_FILE", &admin)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle of the log"))
            .stderr(output);
        let child = spawn_tied(tied).unwrap_or_else(|error| panic!("start {name}: {error}"));
        Self {
            name: name.to_owned(),
            child: Mutex::new(child),
            log,
            keeps_log: AtomicBool::new(false),
            address,
            admin,
        }
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child().id()
    }

    /// The most memory that it ever had resident.
    pub fn peak_memory_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(path).expect("the status of a running process");
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
        let kib: u64 = peak
            .and_then(|kib| kib.trim().parse().ok())
            .expect("a peak of memory");
        kib << 10
    }

    /// The address that the process bound, as soon as it says so.
    pub async fn address(&self) -> SocketAddr {
        self.said(&self.address).await
    }

    /// The address of its admin port, as soon as it says so.
    pub async fn admin_address(&self) -> SocketAddr {
        self.said(&self.admin).await
    }

    async fn said(&self, file: &Path) -> SocketAddr {
        let what = format!("the address of {}", self.name);
        eventually(START_LIMIT, &what, async || {
            if let Some(status) = self.exit_status() {
                panic!(
                    "{} ended at its start: {status}\n{}",
                    self.name,
                    self.tail()
                );
            }
            let text = std::fs::read_to_string(file).ok()?;
            text.trim().parse().ok()
        })
        .await
    }

    /// Waits for the end, which must be a success.
    pub async fn succeeded(&self) {
        let status = self.ended(START_LIMIT).await;
        if !status.success() {
            panic!("{} failed: {status}\n{}", self.name, self.tail());
        }
    }

    /// Waits for the end, at most `deadline`.
    pub async fn ended(&self, deadline: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        eventually(deadline, &what, async || self.exit_status()).await
    }

    /// `None` while it runs.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.child().try_wait().expect("the child's status")
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill9(&self) {
        let mut child = self.child();
        let _ = child.kill();
        let _ = child.wait();
    }

    /// SIGTERM: asks for a graceful stop.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// SIGSTOP: the process hangs with all its connections open. It stands still when this returns.
    pub fn freeze(&self) {
        self.signal("STOP");
        let begun = Instant::now();
        while !self.is_frozen() && begun.elapsed() < FREEZE_LIMIT {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether each of its threads is stopped, or gone. The signal reaches a thread when it next runs (proc(5), `task/[tid]/stat`).
    fn is_frozen(&self) -> bool {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", self.pid())) else {
            return true;
        };
        threads.flatten().all(|thread| {
            let stat = std::fs::read_to_string(thread.path().join("stat"));
            // Behind the name, which is in parentheses and may contain some.
            let state = stat.ok().and_then(|stat| {
                let (_, rest) = stat.rsplit_once(") ")?;
                rest.chars().next()
            });
            matches!(state, None | Some('T' | 'Z'))
        })
    }

    /// SIGCONT: ends a freeze.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Everything the process wrote so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The lines of the log that are JSON objects.
    pub fn log_lines(&self) -> Vec<Value> {
        self.log()
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(Value::is_object)
            .collect()
    }

    /// Leaves the log where it is when the value goes, as a failed test does, and says where that is.
    pub(crate) fn keep_log(&self) -> &Path {
        self.keeps_log.store(true, Ordering::Relaxed);
        &self.log
    }

    /// The last warnings and errors of the log and its last lines, with a heading.
    pub fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let (before, last) = lines.split_at(lines.len().saturating_sub(TAIL_LINES));
        let is_warning = |line: &&&str| {
            line.contains("\"level\":\"WARN\"") || line.contains("\"level\":\"ERROR\"")
        };
        let mut warnings: Vec<&str> = before
            .iter()
            .rev()
            .filter(is_warning)
            .take(TAIL_LINES)
            .copied()
            .collect();
        warnings.reverse();
        let mut tail = format!("--- {} ({})\n", self.name, self.log.display());
        for line in warnings.iter().chain(last) {
            let _ = writeln!(tail, "{line}");
        }
        tail
    }

    fn signal(&self, signal: &str) {
        let mut child = self.child();
        // While the child isn't reaped, its pid can't be another's.
        if child.try_wait().expect("the child's status").is_none() {
            let kill = format!("kill -s {signal} {}", child.id());
            let status = Command::new("sh").args(["-c", &kill]).status();
            assert!(status.is_ok_and(|status| status.success()), "{kill}");
        }
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
        for file in [&self.address, &self.admin] {
            let _ = std::fs::remove_file(file);
        }
        if std::thread::panicking() {
            eprintln!("{}", self.tail());
        } else if !self.keeps_log.load(Ordering::Relaxed) {
            let _ = std::fs::remove_file(&self.log);
        }
    }
}

/// A program of this workspace.
fn binary(name: &str) -> PathBuf {
    let path = profile_directory().join(name);
    assert!(
        path.exists(),
        "{} is not built: run `make test`, or `cargo build --workspace` first",
        path.display()
    );
    path
}

/// `target/<profile>`, where cargo puts the binaries; tests lie in its `deps`, examples in its `examples`.
fn profile_directory() -> PathBuf {
    let executable = std::env::current_exe().expect("the path of this program");
    let directory = executable.parent().expect("the directory of this program");
    match directory.parent() {
        Some(profile) if directory.ends_with("deps") || directory.ends_with("examples") => {
            profile.to_owned()
        }
        _ => directory.to_owned(),
    }
}

/// `target/testkit/<part>`, made if needed.
pub(crate) fn testkit_directory(part: &str) -> PathBuf {
    let profile = profile_directory();
    let directory = profile
        .parent()
        .unwrap_or(Path::new("."))
        .join("testkit")
        .join(part);
    std::fs::create_dir_all(&directory).expect("a directory under target/");
    directory
}

/// Where a test may leave what it builds, for the next run too.
pub fn scratch_directory() -> PathBuf {
    testkit_directory("scratch")
}

/// Failed tests keep their logs; a day later nobody reads them any more.
fn sweep_logs() {
    let entries = std::fs::read_dir(testkit_directory("logs")).expect("the directory of logs");
    for entry in entries.flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let age = modified.ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > LOG_RETENTION) {
            // Another test run may have been faster.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The kernel's death signal follows the thread that spawned the child, not the process: so one thread, which lives as long
/// as the process, spawns them all.
fn spawn_tied(command: Command) -> std::io::Result<Child> {
    type Order = (Command, mpsc::Sender<std::io::Result<Child>>);
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in orders {
                let _ = reply.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (reply, child) = mpsc::channel();
    let sender = spawner
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    sender.send((command, reply)).expect("the spawning thread");
    child.recv().expect("the spawning thread")
}
