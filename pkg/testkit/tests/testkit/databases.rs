//! Which database the scripts start or name: their own, a real MySQL, or somebody else's.

use std::process::{Command, Output};

use crate::scripts::{assert_refused, script};

/// What `infra.sh` says for a database of this kind.
fn infra(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let run = tempfile::tempdir().unwrap();
    let kind = [("DATABASE", ""), ("MYSQLD", "")];
    let variables = [&kind[..], variables].concat();
    script("infra.sh", arguments, run.path(), &variables)
}

#[test]
fn somebody_elses_database_is_named_to_the_services_and_left_alone() {
    let url = "mysql://a:b%21@db.example:3307/d?ssl-mode=REQUIRED&x='1'";
    let replicas = "mysql://r:s@one.example/d,mysql://r:s@two.example/d";
    let external = [
        ("DATABASE", "external"),
        ("DOUSHENG_MYSQL__PRIMARY_URL", url),
        ("DOUSHENG_MYSQL__REPLICA_URLS", replicas),
    ];
    let lines = infra(&["env"], &external);
    assert!(lines.status.success(), "{lines:?}");
    let lines = String::from_utf8(lines.stdout).unwrap();
    let told = Command::new("bash")
        .args(["-c", &format!("{lines}printf '%s\n' \"$DOUSHENG_MYSQL__PRIMARY_URL\" \"$DOUSHENG_MYSQL__REPLICA_URLS\" \"$DOUSHENG_MYSQL__MIGRATE_URL\"")])
        .output()
        .unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.lines().collect::<Vec<_>>(), [url, replicas, url]);

    let status = infra(&["status"], &external);
    let said = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(said.contains("external db.example:3307/d\n"), "{said}");
    for command in [
        "promote",
        "add-replica",
        "semi-sync",
        "replica-delay",
        "sql",
    ] {
        let refused = infra(&[command, "on"], &external);
        assert_refused(&refused, "somebody else's", command);
    }
}

#[test]
fn a_database_that_the_scripts_would_not_use_is_refused_and_not_overridden() {
    let url = ("DOUSHENG_MYSQL__PRIMARY_URL", "mysql://a:b@db.example/d");
    for command in ["ports", "start"] {
        let refused = infra(&[command], &[url]);
        assert_refused(&refused, "DATABASE=external uses it", command);
        let run = tempfile::tempdir().unwrap();
        let unnamed = [("DATABASE", "external")];
        let refused = script("infra.sh", &[command], run.path(), &unnamed);
        assert_refused(&refused, "needs DOUSHENG_MYSQL__PRIMARY_URL", command);
        assert!(!run.path().join("s3").exists(), "nothing was begun");
    }
    let refused = infra(&["status"], &[("DATABASE", "postgres")]);
    assert_refused(&refused, "mariadb, mysql or external", "postgres");
    let tools = tempfile::tempdir().unwrap();
    let mysqld = tools.path().join("mysqld");
    for (version, reason) in [
        ("mysqld  Ver 8.0.25 for Linux", "8.0.25 is too old"),
        ("mariadbd  Ver 10.11.14-MariaDB", "MariaDB's"),
        ("mysqld: no such library", "does it run?"),
    ] {
        std::fs::write(&mysqld, format!("#!/bin/sh\necho '{version}'\n")).unwrap();
        let run = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&mysqld, run).unwrap();
        let mysql = [("DATABASE", "mysql"), ("MYSQLD", mysqld.to_str().unwrap())];
        assert_refused(&infra(&["ports"], &mysql), reason, version);
    }
    let refused = infra(&["ports"], &[("DATABASE", "mysql")]);
    assert_refused(&refused, "needs MYSQLD", "mysql");
}
