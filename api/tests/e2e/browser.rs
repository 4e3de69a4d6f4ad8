//! The web page in a real browser, against the real system: `web/test/browser.mjs` drives headless Chromium.

use std::{
    ffi::OsStr,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use testkit::{System, media};
use tokio::sync::Mutex;

/// A film of 15 seconds and more than a megabyte that lies on its side, with sound.
const LONG: &str = "-f lavfi -i testsrc2=size=640x360:rate=15:duration=15 -f lavfi -i sine=frequency=440:duration=15 \
     -vf noise=alls=12:allf=t -c:v libx264 -preset ultrafast -pix_fmt yuv420p -b:v 600k -maxrate 700k -bufsize 700k -g 30 \
     -c:a aac -shortest -movflags +faststart";
/// An upright film that is white from its beginning to its end.
const WHITE: &str = "-f lavfi -i color=white:size=360x640:rate=15:duration=4 -c:v libx264 -preset ultrafast -pix_fmt yuv420p \
     -movflags +faststart";

fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("web")
}

/// Whether the programs are there that the page and its tests need; says so if not.
pub fn is_there() -> bool {
    let answers = |program: &str| {
        let mut command = Command::new(program);
        command
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let is_there = answers("node")
        && answers("chromium")
        && web().join("node_modules/playwright-core").is_dir();
    if !is_there {
        // A machine without Node.js builds and tests all but the page.
        let needed = "the page isn't tested: that needs Node.js and npm (`make web` brings them, scripts/infra.sh install chromium brings the browser)";
        assert!(std::env::var_os("CI").is_none(), "{needed}");
        eprintln!("{needed}");
    }
    is_there
}

/// Runs a script of `web/test`, which drives the browser, to its end. One at a time: a browser draws with the processor, and two of them take
/// all of a small machine.
pub async fn drive(name: &str, variables: &[(&str, &OsStr)]) -> Output {
    static TURN: Mutex<()> = Mutex::const_new(());
    let _turn = TURN.lock().await;
    let mut command = tokio::process::Command::new("node");
    command
        .arg(web().join("test").join(name))
        .envs(variables.iter().copied())
        .kill_on_drop(true);
    let output = command.output().await.unwrap();
    // Past the test harness, which shows only what a failed test prints: budgets are wanted in any case.
    io::stdout().write_all(&output.stdout).unwrap();
    io::stderr().write_all(&output.stderr).unwrap();
    output
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_registers_publishes_watches_likes_and_comments_in_a_browser() {
    if !is_there() {
        return;
    }
    // A browser takes all processors: beside other systems, requests of theirs and of its own would miss their deadlines.
    let system = System::builder().alone().start().await;
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str, content: Vec<u8>| {
        let path = files.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let film = file("film.mp4", media::mp4());
    let text = file("text.mp4", media::text());
    let long = file("long.mp4", media::made("landscape.mp4", LONG));
    let white = file("white.mp4", media::made("white.mp4", WHITE));
    let pictures = web().join("../../.run/browser");
    std::fs::create_dir_all(&pictures).unwrap();
    let store = testkit::environment::s3_endpoint();
    let variables = [
        ("PAGE", OsStr::new(system.http())),
        ("STORE", OsStr::new(&store)),
        ("FILM", film.as_os_str()),
        ("TEXT", text.as_os_str()),
        ("LONG", long.as_os_str()),
        ("WHITE", white.as_os_str()),
        ("PICTURES", pictures.as_os_str()),
    ];
    let output = drive("browser.mjs", &variables).await;
    if !output.status.success() {
        system.print_logs();
        panic!(
            "the browser's test failed: see above, and {}",
            pictures.display()
        );
    }
}
