//! The settings for TLS.

use super::*;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";

fn file(content: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file
}

#[test]
fn every_section_that_connects_is_told_of_the_ca() {
    let ca = file(CERTIFICATE);
    let path = ca.path().to_str().unwrap();
    let settings = load(&[
        ("DOUSHENG_TLS__CA_FILE", path),
        ("DOUSHENG_MYSQL__PRIMARY_URL", "mysql://a:b@db/one"),
        (
            "DOUSHENG_MYSQL__REPLICA_URLS",
            "mysql://a:b@db/two?ssl-mode=VERIFY_CA,mysql://a:b@db/three?ssl-ca=/own.pem",
        ),
    ])
    .unwrap();
    for ca_file in [
        &settings.trace.ca_file,
        &settings.redis.ca_file,
        &settings.etcd.ca_file,
        &settings.object_store.ca_file,
    ] {
        assert_eq!(ca_file.as_deref(), Some(ca.path()));
    }
    let mysql = &settings.mysql;
    let urls: Vec<&str> = std::iter::once(&mysql.primary_url)
        .chain(&mysql.replica_urls)
        .chain([&mysql.migrate_url])
        .map(Secret::expose)
        .collect();
    assert_eq!(
        urls,
        [
            &format!("mysql://a:b@db/one?ssl-ca={path}"),
            &format!("mysql://a:b@db/two?ssl-mode=VERIFY_CA&ssl-ca={path}"),
            "mysql://a:b@db/three?ssl-ca=/own.pem",
            // There is none.
            "",
        ]
    );
    let none = load(&[]).unwrap();
    assert_eq!(none.redis.ca_file, None);
    assert!(!none.mysql.primary_url.expose().contains("ssl-ca"));
}

#[test]
fn a_path_with_odd_letters_stays_one_parameter_of_the_url() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a & b#c?.pem");
    std::fs::write(&path, CERTIFICATE).unwrap();
    let settings = load(&[("DOUSHENG_TLS__CA_FILE", path.to_str().unwrap())]).unwrap();
    let url = settings.mysql.primary_url.expose();
    assert!(url.ends_with("/a%20%26%20b%23c%3F.pem"), "{url}");
}

#[test]
fn a_ca_file_that_can_not_be_one_stops_the_start() {
    let empty = file("");
    for (path, reason) in [
        ("ca.pem", "absolute"),
        ("/nowhere/ca.pem", "No such file"),
        (empty.path().to_str().unwrap(), "no certificate"),
    ] {
        let error = load(&[("DOUSHENG_TLS__CA_FILE", path)]).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("tls.ca_file: "), "{error}");
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn each_address_can_ask_for_tls() {
    for (variable, good, bad) in [
        ("REDIS__URL", "rediss://cache:6380", "redisss://cache"),
        (
            "REDIS__URL",
            "rediss-cluster://one:6380?node=two:6380",
            "http://cache",
        ),
        (
            "ETCD__ENDPOINTS",
            "https://one:2379,https://two:2379",
            "https://one:2379,http://two:2379",
        ),
        (
            "TRACE__ENDPOINT",
            "https://collector:4317",
            "collector:4317",
        ),
    ] {
        let variable = format!("DOUSHENG_{variable}");
        load(&[(&variable, good)]).expect(good);
        load(&[(&variable, bad)]).expect_err(bad);
    }
}
