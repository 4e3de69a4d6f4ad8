//! The scripts: they ask before they delete data, and they reach a database by the URL that the services use.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use testkit::{Certificates, Database, MariaDb};

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts")
}

/// A script for a system of its own in `run`, without a terminal.
fn script(name: &str, arguments: &[&str], run: &Path, variables: &[(&str, &str)]) -> Output {
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

fn assert_refused(output: &Output, reason: &str, url: &str) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{url}: {output:?}");
    assert!(said.contains(reason), "{url}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_understands_what_a_url_says_of_the_connection() {
    let database = Database::create().await;
    // The servers of the tests speak no TLS.
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
    let url = plain("?ssl-mode=REQUIRED");
    assert_refused(&ask(&url, None), "the server speaks none", &url);
    let url = plain("?ssl-mode=PERHAPS");
    assert_refused(&ask(&url, None), "ssl-mode is DISABLED", &url);

    // This one lets nobody in without.
    let certificates = Certificates::make();
    let server = MariaDb::start_with_tls(&certificates).await;
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
