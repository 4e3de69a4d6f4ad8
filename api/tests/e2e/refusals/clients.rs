//! The clients that a refusal has to reach. Each sends one upload and gives what it saw of the answer.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tokio::{fs::File, io::AsyncReadExt as _, process::Command, sync::OnceCell};

use super::Upload;
use crate::raw::Raw;

/// By when an upload is answered, on a slow link and a busy machine.
const LIMIT: Duration = Duration::from_secs(120);
const PATH: &str = "/douyin/publish/action/";

/// How the length of a body is told.
#[derive(Debug, Clone, Copy)]
pub enum Framing {
    Length,
    Chunked,
}

/// A program or a library that people use.
#[derive(Debug, Clone, Copy)]
pub enum Client {
    Raw,
    Curl,
    Python,
    Go,
}

impl Client {
    /// Those that this machine has.
    pub async fn all() -> Vec<Self> {
        let mut all = vec![Self::Raw, Self::Curl, Self::Python];
        match go().await {
            Some(_) => all.push(Self::Go),
            None => eprintln!("Go's client isn't tested: that needs Go"),
        }
        all
    }

    /// HTTP status and body of the answer, or why there is none.
    pub async fn send(self, base: &str, upload: &Upload) -> Result<(u16, Value), String> {
        let sent = async {
            match self {
                Self::Raw => raw(base, upload).await,
                Self::Curl => curl(base, upload).await,
                Self::Python => {
                    let mut command = yielding("python3");
                    command.arg(script("client.py"));
                    run(with_arguments(command, base, upload)).await
                }
                Self::Go => {
                    let program = go().await.expect("Go");
                    run(with_arguments(yielding(program), base, upload)).await
                }
            }
        };
        let sent = tokio::time::timeout(LIMIT, sent).await;
        sent.unwrap_or_else(|_| Err("no end".to_owned()))
    }
}

/// Writes all of it before it reads, as the simplest of clients do; a write that fails is the end.
async fn raw(base: &str, upload: &Upload) -> Result<(u16, Value), String> {
    let failed = |error: std::io::Error| format!("not written: {error}");
    let mut file = File::open(&upload.file).await.map_err(failed)?;
    let mut head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: test\r\ncontent-type: {}\r\n",
        upload.content_type
    );
    if let Some(token) = &upload.bearer {
        head += &format!("authorization: Bearer {token}\r\n");
    }
    if upload.expect {
        head += "expect: 100-continue\r\n";
    }
    head += &match upload.framing {
        Framing::Length => {
            let length = file.metadata().await.map_err(failed)?.len();
            format!("content-length: {length}\r\n\r\n")
        }
        Framing::Chunked => "transfer-encoding: chunked\r\n\r\n".to_owned(),
    };
    let mut connection = Raw::connect(base).await;
    connection.try_send(head.as_bytes()).await.map_err(failed)?;
    let mut piece = vec![0; 64 << 10];
    loop {
        let length = file.read(&mut piece).await.map_err(failed)?;
        let piece = &piece[..length];
        let sent = match upload.framing {
            Framing::Length => connection.try_send(piece).await,
            // The last chunk is empty.
            Framing::Chunked => {
                let chunk = [format!("{length:x}\r\n").as_bytes(), piece, b"\r\n"].concat();
                connection.try_send(&chunk).await
            }
        };
        sent.map_err(failed)?;
        if length == 0 {
            break;
        }
    }
    loop {
        let answer = connection.answer().await.ok_or("no answer")?;
        if answer.http != 100 {
            return Ok((answer.http, answer.body));
        }
    }
}

/// A program with low priority. The clients send gigabytes, and the tests beside them have deadlines.
fn yielding(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "19"]).arg(program);
    command
}

async fn curl(base: &str, upload: &Upload) -> Result<(u16, Value), String> {
    let mut command = yielding("curl");
    command
        .args(["-sS", "--http1.1", "--noproxy", "*", "-X", "POST", "-T"])
        .arg(&upload.file)
        .args(["-H", &format!("content-type: {}", upload.content_type)])
        // Status first, as the other programs do it.
        .args(["-o", "-", "-w", "\n%{http_code}"]);
    if let Some(token) = &upload.bearer {
        command.args(["-H", &format!("authorization: Bearer {token}")]);
    }
    // An empty one takes away what curl would add by itself.
    let expect = if upload.expect { "100-continue" } else { "" };
    command.args(["-H", &format!("expect: {expect}")]);
    if matches!(upload.framing, Framing::Chunked) {
        command.args(["-H", "transfer-encoding: chunked"]);
    }
    // Behind a slash it would write the file's name.
    let url = format!("{base}{}", PATH.trim_end_matches('/'));
    let printed = output(command.arg(url)).await?;
    let (body, status) = printed.rsplit_once('\n').ok_or("no status")?;
    understood(status, body)
}

fn with_arguments(mut command: Command, base: &str, upload: &Upload) -> Command {
    command
        .arg(format!("{base}{PATH}"))
        .arg(&upload.file)
        .arg(&upload.content_type)
        .arg(upload.bearer.as_deref().unwrap_or_default())
        .arg(match upload.framing {
            Framing::Length => "length",
            Framing::Chunked => "chunked",
        })
        .arg(if upload.expect { "100-continue" } else { "" });
    command
}

/// A program that prints status and body.
async fn run(mut command: Command) -> Result<(u16, Value), String> {
    let printed = output(&mut command).await?;
    let (status, body) = printed.split_once(' ').ok_or("no status")?;
    understood(status, body)
}

async fn output(command: &mut Command) -> Result<String, String> {
    let command = command
        .stdin(Stdio::null())
        .env("NO_PROXY", "*")
        .kill_on_drop(true);
    let output = command.output().await.map_err(|error| error.to_string())?;
    let errors = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{}: {errors}", output.status)),
    }
}

fn understood(status: &str, body: &str) -> Result<(u16, Value), String> {
    let status = status.trim().parse().map_err(|_| status.to_owned())?;
    let body = serde_json::from_str(body).map_err(|error| format!("{error}: {body}"))?;
    Ok((status, body))
}

fn script(name: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("tests/e2e/refusals").join(name)
}

/// Go's client, built once a test run, if there is a Go.
async fn go() -> Option<&'static Path> {
    static BUILT: OnceCell<Option<PathBuf>> = OnceCell::const_new();
    let build = async || {
        let version = Command::new("go").arg("version").output().await;
        if !version.is_ok_and(|output| output.status.success()) {
            return None;
        }
        let program = testkit::scratch_directory().join("refusals-client");
        // It compiles much of the standard library, for a minute on all processors.
        let mut build = yielding("go");
        build.args(["build", "-o"]).arg(&program);
        let built = output(build.arg(script("client.go"))).await;
        built.expect("Go builds its client");
        Some(program)
    };
    BUILT.get_or_init(build).await.as_deref()
}
