//! Addresses and accounts of the test servers, from the variables `DOUSHENG_TEST_*` that `make test` sets.

use std::path::PathBuf;

/// The primary with an account that may create and drop `dt_%` databases; no database in the path.
pub fn primary_url() -> String {
    required("DOUSHENG_TEST_PRIMARY_URL")
}

/// The same account on each replica; at least one.
pub fn replica_urls() -> Vec<String> {
    let urls = required("DOUSHENG_TEST_REPLICA_URLS");
    urls.split(',').map(str::to_owned).collect()
}

/// `user:password` of the services on the primary: rows of `dt_%` databases, nothing else.
pub(crate) fn service_account() -> String {
    required("DOUSHENG_TEST_SERVICE_ACCOUNT")
}

/// `user:password` of the services on the replica: it only reads.
pub(crate) fn read_account() -> String {
    required("DOUSHENG_TEST_READ_ACCOUNT")
}

/// `user:password` of migrations: the tables of `dt_%` databases, too.
pub(crate) fn migrate_account() -> String {
    required("DOUSHENG_TEST_MIGRATE_ACCOUNT")
}

/// The MySQL server that the tests run on; none: it is MariaDB.
pub(crate) fn mysqld() -> Option<PathBuf> {
    let path = std::env::var_os("DOUSHENG_TEST_MYSQLD")?;
    (!path.is_empty()).then(|| path.into())
}

/// The members of the etcd that tests share, each under a prefix of its own; separated by commas.
pub fn etcd() -> String {
    required("DOUSHENG_TEST_ETCD")
}

/// The Redis that tests share, or the Redis Cluster.
pub fn redis() -> String {
    required("DOUSHENG_TEST_REDIS")
}

/// The settings of a process that uses it with keys of its own.
pub fn redis_settings(key_prefix: String) -> settings::Redis {
    settings::Redis {
        url: settings::Secret::new(redis()),
        favorites_db: 1,
        comments_db: 2,
        marks_db: 3,
        limits_db: 4,
        key_prefix,
        counter_ttl_s: 60,
        command_timeout_ms: 200,
        ca_file: None,
    }
}

/// Where each server has a directory of its name with its `pid`.
pub fn servers() -> PathBuf {
    required("DOUSHENG_TEST_SERVERS").into()
}

/// Whether the object store tells unfinished uploads by a prefix of their keys. MinIO tells those of one key alone.
pub fn store_lists_uploads() -> bool {
    required("DOUSHENG_TEST_OBJECT_STORE") != "minio"
}

/// The object store's S3 address.
pub fn s3_endpoint() -> String {
    required("DOUSHENG_TEST_S3_ENDPOINT")
}

/// The object store's access key.
pub fn s3_access_key() -> String {
    required("DOUSHENG_TEST_S3_ACCESS_KEY")
}

/// The object store's secret key.
pub fn s3_secret_key() -> String {
    required("DOUSHENG_TEST_S3_SECRET_KEY")
}

fn required(name: &str) -> String {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => value,
        _ => panic!("{name} is not set: run the tests by `make test`, which starts the servers"),
    }
}
