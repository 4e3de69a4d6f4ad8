//! Starts a program on an untrusted file under resource limits (`prlimit`), with no environment variable but `PATH`. It isolates neither
//! network nor file system. The caller pipes, waits and kills.
//!
//! `prlimit` replaces itself by the program, so that there is a single process to kill. It gets a process group of its own, so that a Ctrl-C
//! at the terminal doesn't reach it while the service drains.

use std::{process::Stdio, time::Duration};

use tokio::process::Command;

/// The exit code of a program that is missing or can't be loaded, as the shell and `prlimit` have it.
pub const COULD_NOT_START: i32 = 127;

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

/// The command, without arguments of the program's own; it reads and prints nothing. Dropping the child kills it.
pub fn command(program: &str, limits: Limits) -> Command {
    let mut command = Command::new("prlimit");
    command
        .arg(format!("--as={}", limits.memory_bytes))
        .arg(format!("--cpu={}", limits.cpu.as_secs().saturating_add(1)))
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

    #[tokio::test]
    async fn a_missing_program_is_told_by_its_exit_code() {
        let status = command("no-such-program", LIMITS).status().await.unwrap();
        assert_eq!(status.code(), Some(COULD_NOT_START));
    }
}
