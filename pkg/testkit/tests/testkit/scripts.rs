//! The scripts: they say what a machine lacks, ask before they delete data or let others in, and reach a database by the URL that the services
//! use.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use testkit::{Certificates, Database, Engine, TlsDatabase};

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts")
}

/// A script for a system of its own in `run`, without a terminal.
pub fn script(name: &str, arguments: &[&str], run: &Path, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(scripts().join(name));
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("DOUSHENG_") {
            command.env_remove(variable);
        }
    }
    command
        .args(arguments)
        .env_remove("CI")
        .env_remove("YES")
        .env("DOUSHENG_RUN", run)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn data_is_deleted_only_when_somebody_said_yes() {
    for name in ["dousheng.sh", "infra.sh"] {
        let run = tempfile::tempdir().unwrap();
        let data = run.path().join("s3/data/a film");
        let make = || {
            std::fs::create_dir_all(data.parent().unwrap()).unwrap();
            std::fs::write(&data, "a film").unwrap();
        };
        make();
        let refused = script(name, &["reset"], run.path(), &[]);
        assert!(!refused.status.success(), "{name}: {refused:?}");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("YES=1"), "{name}: {said}");
        assert!(data.exists(), "{name}");
        for variable in [("YES", "1"), ("CI", "true"), ("DOUSHENG_TEST", "1")] {
            // Only the servers of the tests are nobody's.
            if name == "dousheng.sh" && variable.0 == "DOUSHENG_TEST" {
                continue;
            }
            make();
            let done = script(name, &["reset"], run.path(), &[variable]);
            assert!(done.status.success(), "{name} {variable:?}: {done:?}");
            assert!(!data.exists(), "{name} {variable:?}");
        }
    }
}

/// A directory of programs that stand before all others.
fn programs(names: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in names {
        let path = directory.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, executable).unwrap();
    }
    directory
}

#[test]
fn the_first_line_says_what_the_machine_lacks() {
    let of_system = std::env::var("PATH").unwrap();
    let macos = programs(&[("uname", "echo Darwin")]);
    let macos = format!("{}:{of_system}", macos.path().display());
    // All that a script needs until it has looked, and no `flock`.
    let bare = tempfile::tempdir().unwrap();
    for name in ["bash", "dirname", "uname", "mkdir"] {
        let found = of_system
            .split(':')
            .map(|place| Path::new(place).join(name));
        let found = found.into_iter().find(|path| path.exists()).unwrap();
        std::os::unix::fs::symlink(found, bare.path().join(name)).unwrap();
    }
    let bare = bare.path().to_str().unwrap();
    let lacks = [
        (macos.as_str(), "Dousheng runs on Linux, and this is Darwin"),
        (bare, "flock is missing: it is in the package util-linux"),
    ];
    for (path, says) in lacks {
        for name in [
            "dousheng.sh",
            "infra.sh",
            "test.sh",
            "chaos.sh",
            "web.sh",
            "lint.sh",
        ] {
            let run = tempfile::tempdir().unwrap();
            let in_run = run.path().to_str().unwrap();
            let variables = [("PATH", path), ("DOUSHENG_TEST_RUN", in_run)];
            let output = script(name, &["start"], run.path(), &variables);
            assert_eq!(output.status.code(), Some(1), "{name}: {output:?}");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.starts_with(says), "{name}: {said}");
        }
    }
}

#[test]
fn a_taken_port_too_little_memory_and_a_full_disk_are_named_before_the_build() {
    let run = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    // The one that is looked at first, whatever else runs on this machine.
    let variables = [
        ("DOUSHENG_PRIMARY_PORT", port.as_str()),
        ("DATABASE", "mariadb"),
    ];
    let output = script("infra.sh", &["ports"], run.path(), &variables);
    assert_refused(
        &output,
        &format!("port {port}, which the MariaDB primary needs"),
        "ports",
    );
    assert_refused(&output, "DOUSHENG_PRIMARY_PORT", "ports");

    for (needed, says) in [
        ("NEEDED_MEMORY_MB", "MB of memory are free"),
        ("NEEDED_DISK_MB", "MB are free on the disk"),
    ] {
        let command = format!("cd {}; {needed}=999999999; need_room", run.path().display());
        assert_refused(&sourced(&command, run.path(), &[]), says, needed);
    }
}

#[test]
fn a_start_that_lets_others_in_needs_strict_limits_or_a_yes() {
    let listens = ["0.0.0.0:1", "[::]:1", "198.51.100.1:1"];
    for listen in listens {
        for ci in [("CI", ""), ("CI", "true")] {
            let run = tempfile::tempdir().unwrap();
            let variables = [
                ("DOUSHENG_HTTP__LISTEN", listen),
                ("DOUSHENG_OPEN_HOST", "198.51.100.1"),
                ci,
            ];
            for (name, argument) in [("dousheng.sh", "start"), ("infra.sh", "start")] {
                let refused = script(name, &[argument], run.path(), &variables);
                assert_refused(&refused, "DOUSHENG_LIMITS__DEFAULTS=production", listen);
                assert_refused(&refused, "YES=1", listen);
            }
            let begun = run.path().join("primary").exists() || run.path().join("logs").exists();
            assert!(!begun, "{listen}");
        }
    }
    let may = |variables: &[(&str, &str)]| {
        let run = tempfile::tempdir().unwrap();
        sourced("may_open", run.path(), variables).status.success()
    };
    assert!(may(&[("DOUSHENG_HTTP__LISTEN", "127.0.0.1:1")]));
    for said in [
        ("YES", "1"),
        ("DOUSHENG_LIMITS__DEFAULTS", "production"),
        ("DOUSHENG_ENVIRONMENT", "production"),
    ] {
        assert!(
            may(&[("DOUSHENG_HTTP__LISTEN", listens[0]), said]),
            "{said:?}"
        );
    }
}

/// A command with the functions of `lib/open.sh`.
fn sourced(command: &str, run: &Path, variables: &[(&str, &str)]) -> Output {
    let text = format!(
        "set -euo pipefail; HERE={}; . $HERE/lib/settings.sh; . $HERE/lib/process.sh; . $HERE/lib/open.sh; {command}",
        scripts().display()
    );
    Command::new("bash")
        .args(["-c", &text])
        .env_remove("CI")
        .env_remove("YES")
        .env("DOUSHENG_RUN", run)
        .env("DOUSHENG_OPEN_HOST", "198.51.100.1")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn viewers_get_the_store_by_the_address_that_they_open_and_services_by_loopback() {
    let open = ("DOUSHENG_HTTP__LISTEN", "0.0.0.0:1");
    let own = (
        "DOUSHENG_OBJECT_STORE__PUBLIC_ENDPOINT",
        "https://media.example",
    );
    for (variables, public) in [
        (vec![], "http://127.0.0.1:19000"),
        (vec![open], "http://198.51.100.1:19000"),
        (
            vec![("DOUSHENG_HTTP__LISTEN", "192.0.2.7:1")],
            "http://192.0.2.7:19000",
        ),
        (vec![open, own], "https://media.example"),
    ] {
        let mut variables = variables;
        variables.push(("DOUSHENG_OPEN_HOST", "198.51.100.1"));
        let run = tempfile::tempdir().unwrap();
        let told = script("infra.sh", &["env"], run.path(), &variables);
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let says = |name: &str, value: &str| {
            let line = format!("export DOUSHENG_OBJECT_STORE__{name}='{value}'\n");
            assert!(told.contains(&line), "{variables:?}: {told}");
        };
        says("ENDPOINT", "http://127.0.0.1:19000");
        says("PUBLIC_ENDPOINT", public);
    }
}

/// What the scripts that back up are answered by the database at this URL.
fn ask(url: &str, ca_file: Option<PathBuf>) -> Output {
    let run = tempfile::tempdir().unwrap();
    let asks = format!(
        "set -euo pipefail; HERE={}; . $HERE/lib/settings.sh; . $HERE/lib/process.sh; . $HERE/lib/backup.sh; \
         database mariadb -N -e 'SELECT 6 * 7'",
        scripts().display()
    );
    let mut command = Command::new("bash");
    command
        .args(["-c", &asks])
        .env("DOUSHENG_RUN", run.path())
        .env("DOUSHENG_MYSQL__MIGRATE_URL", url)
        .stdin(Stdio::null());
    if let Some(file) = ca_file {
        command.env("DOUSHENG_TLS__CA_FILE", file);
    }
    command.output().unwrap()
}

fn assert_answered(output: &Output, url: &str) {
    assert!(output.status.success(), "{url}: {output:?}");
    assert_eq!(output.stdout, b"42\n", "{url}");
}

pub fn assert_refused(output: &Output, reason: &str, url: &str) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{url}: {output:?}");
    assert!(said.contains(reason), "{url}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_understands_what_a_url_says_of_the_connection() {
    let database = Database::create().await;
    let plain = |query: &str| format!("{}{query}", database.primary_url());
    for query in [
        "",
        "?",
        "?ssl-mode=PREFERRED",
        "?ssl-mode=disabled&charset=utf8mb4",
    ] {
        let url = plain(query);
        assert_answered(&ask(&url, None), &url);
    }
    // MariaDB's servers of the tests speak no TLS; MySQL has a certificate of its own making.
    let url = plain("?ssl-mode=REQUIRED");
    match Engine::of_tests() {
        Engine::MariaDb => assert_refused(&ask(&url, None), "the server speaks none", &url),
        Engine::MySql(_) => assert_answered(&ask(&url, None), &url),
    }
    let url = plain("?ssl-mode=PERHAPS");
    assert_refused(&ask(&url, None), "ssl-mode is DISABLED", &url);

    // This one lets nobody in without.
    let certificates = Certificates::make();
    let server = TlsDatabase::start(&certificates).await;
    let url = server.url("DISABLED");
    assert_refused(&ask(&url, None), "Access denied", &url);
    let url = server.url("REQUIRED");
    assert_answered(&ask(&url, None), &url);
    for mode in ["VERIFY_CA", "VERIFY_IDENTITY"] {
        let url = server.url(mode);
        assert_answered(&ask(&url, Some(certificates.ca())), &url);
        let own = format!("{url}&ssl-ca={}", certificates.ca().display());
        assert_answered(&ask(&own, None), &own);
        assert_refused(&ask(&url, None), "certificate", &url);
        assert_refused(
            &ask(&url, Some(Certificates::make().ca())),
            "certificate",
            &url,
        );
    }
}
