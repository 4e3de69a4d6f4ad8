//! A connection to the database by TLS, with a certificate of the test's own.

use dal::Db;
use testkit::{Certificates, TlsDatabase};

use crate::fixture::mysql;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_by_tls_is_used_where_its_certificate_is_trusted() {
    let certificates = Certificates::make();
    let server = TlsDatabase::start(&certificates).await;
    let trusting = |mode: &str, by: &Certificates| {
        format!("{}&ssl-ca={}", server.url(mode), by.ca().display())
    };
    let trusted = [
        server.url("REQUIRED"),
        trusting("VERIFY_CA", &certificates),
        trusting("VERIFY_IDENTITY", &certificates),
    ];
    for (number, url) in trusted.into_iter().enumerate() {
        dal::migrate(&mysql(&url, &[])).await.expect(&url);
        let db = Db::connect(&mysql(&url, &[])).unwrap();
        dal::users::create(&db, &format!("user {number}"), "hash")
            .await
            .expect(&url);
    }

    let another = Certificates::make();
    for url in [
        server.url("VERIFY_CA"),
        server.url("VERIFY_IDENTITY"),
        trusting("VERIFY_CA", &another),
    ] {
        let error = dal::migrate(&mysql(&url, &[])).await.unwrap_err();
        assert!(
            error.to_string().contains("UnknownIssuer"),
            "{url}: {error}"
        );
    }
    // It lets nobody in without TLS.
    let plain = mysql(&server.url("DISABLED"), &[]);
    let error = dal::migrate(&plain).await.unwrap_err().to_string();
    assert!(error.contains("Access denied"), "{error}");
}
