//! Starts a program on an untrusted file under resource limits (`prlimit`), with no environment variable but `PATH`. It isolates neither
//! network nor file system. The caller pipes, waits and kills.
//!
//! `prlimit` replaces itself by the program, so that there is a single process to kill. It gets a process group of its own, so that a Ctrl-C
//! at the terminal doesn't reach it while the service drains.

use std::{
    fs, io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::process::{Child, Command};

/// The exit code of a program that is missing or can't be loaded, as the shell and `prlimit` have it.
pub const COULD_NOT_START: i32 = 127;
/// The units of processor time in `/proc`: so many a second, whatever the kernel's own.
const TICKS: u64 = 100;

/// The limits of a process.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Processor time of all its threads together, in whole seconds; the process is ended at most a second later.
    pub cpu: Duration,
    /// Address space, in bytes.
    pub memory_bytes: u64,
    /// Of each file that it writes, in bytes.
    pub file_bytes: u64,
    /// Whether anything else that runs on this machine comes first, and it ends with this process.
    pub in_background: bool,
}

impl Limits {
    fn cpu_s(&self) -> u64 {
        self.cpu.as_secs().saturating_add(1)
    }

    /// Whether a process that was killed had used up its processor time. `/proc` and the limit count it in different ways, so a little less
    /// is enough.
    fn are_used_up_by(&self, cpu: Duration) -> bool {
        cpu >= Duration::from_secs(self.cpu_s()) * 3 / 4
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// As the system tells it.
    pub status: ExitStatus,
    /// Whether it had used up its processor time. Then the kernel has killed it: by the signal that also ends a process when memory runs out,
    /// because one that can be caught, as `SIGXCPU`, is caught by ffmpeg, which goes on.
    pub cpu_is_used_up: bool,
}

/// Waits for the end of a process that was started with these limits, and has closed its output or is about to: how much processor time it
/// has used can't be read any more when it has been waited for.
pub async fn wait(child: &mut Child, limits: Limits) -> io::Result<Ended> {
    let cpu = child.id().and_then(cpu_of);
    Ok(Ended {
        status: child.wait().await?,
        cpu_is_used_up: cpu.is_some_and(|cpu| limits.are_used_up_by(cpu)),
    })
}

/// The processor time of a process that nobody has waited for yet, with all its threads.
fn cpu_of(id: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in parentheses may hold anything. The 12th and 13th field after it are the time of the program, and that of the system for it.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks * 1000 / TICKS))
}

/// The command, without arguments of the program's own; it reads and prints nothing. Dropping the child kills it.
pub fn command(program: &str, limits: Limits) -> Command {
    let mut command = Command::new("prlimit");
    command
        .arg(format!("--as={}", limits.memory_bytes))
        .arg(format!("--cpu={}", limits.cpu_s()))
        .arg(format!("--fsize={}", limits.file_bytes))
        .arg("--core=0")
        .arg("--");
    if limits.in_background {
        command.args(["setpriv", "--pdeathsig", "KILL", "nice", "-n", "19"]);
    }
    command
        .arg(program)
        // A proxy named in the environment would be asked for the file.
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    command
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use tokio::io::AsyncReadExt as _;

    use super::*;

    const LIMITS: Limits = Limits {
        cpu: Duration::from_secs(5),
        memory_bytes: 1 << 30,
        file_bytes: 4096,
        in_background: false,
    };

    /// What the program prints.
    async fn printed(program: &str, arguments: &[&str], limits: Limits) -> String {
        let mut command = command(program, limits);
        let output = command.args(arguments).stdout(Stdio::piped()).output();
        String::from_utf8(output.await.unwrap().stdout).unwrap()
    }

    #[tokio::test]
    async fn limits_hold_and_no_variable_but_path_is_passed_on() {
        for in_background in [false, true] {
            let limits = Limits {
                in_background,
                ..LIMITS
            };
            let script = "ulimit -v; ulimit -t; ulimit -f; ulimit -c; nice";
            let nice = if in_background { 19 } else { 0 };
            // In KiB, s, and blocks of 512 bytes.
            let expected = format!("1048576\n6\n8\n0\n{nice}\n");
            assert_eq!(printed("sh", &["-c", script], limits).await, expected);
            let environment = printed("env", &[], limits).await;
            let names: Vec<&str> = environment
                .lines()
                .filter_map(|line| Some(line.split_once('=')?.0))
                .collect();
            assert_eq!(names, ["PATH"]);
        }
    }

    /// How a shell with this script ends, which may use a second of processor time.
    async fn ended(script: &str) -> Ended {
        let limits = Limits {
            cpu: Duration::ZERO,
            ..LIMITS
        };
        let mut command = command("sh", limits);
        let mut child = command
            .args(["-c", script])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        output.read_to_end(&mut Vec::new()).await.unwrap();
        wait(&mut child, limits).await.unwrap()
    }

    #[tokio::test]
    async fn a_program_that_has_used_up_its_processor_time_differs_from_one_that_somebody_kills() {
        for (script, cpu_is_used_up) in [("while :; do :; done", true), ("kill -KILL $$", false)] {
            let ended = ended(script).await;
            assert_eq!(ended.status.signal(), Some(9), "{script}");
            assert_eq!(ended.cpu_is_used_up, cpu_is_used_up, "{script}");
        }
    }

    #[tokio::test]
    async fn a_missing_program_is_told_by_its_exit_code() {
        let status = command("no-such-program", LIMITS).status().await.unwrap();
        assert_eq!(status.code(), Some(COULD_NOT_START));
    }
}
