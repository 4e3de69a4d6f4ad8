//! Range checks of the settings `[mysql]`, `[redis]`, `[counters]`, `[etcd]` and `[object_store]`.

use super::Check;
use crate::Settings;

impl Settings {
    pub(super) fn store_checks(&self) -> Vec<Check> {
        let by_tls = |endpoint: &String| endpoint.starts_with("https://");
        vec![
            (
                self.mysql.max_connections > 0,
                "mysql.max_connections",
                "must be above 0",
            ),
            (
                self.mysql.max_fallback_connections > 0,
                "mysql.max_fallback_connections",
                "must be above 0",
            ),
            (
                self.mysql.acquire_timeout_ms > 0,
                "mysql.acquire_timeout_ms",
                "must be above 0",
            ),
            (
                (1..=3600).contains(&self.mysql.max_lag_s),
                "mysql.max_lag_s",
                "must be 1 to 3600",
            ),
            (
                (1..=1000).contains(&self.mysql.replica_wait_ms),
                "mysql.replica_wait_ms",
                "must be 1 to 1000",
            ),
            (
                [
                    "redis://",
                    "rediss://",
                    "redis-cluster://",
                    "rediss-cluster://",
                ]
                .iter()
                .any(|scheme| self.redis.url.expose().starts_with(scheme)),
                "redis.url",
                "must be redis://[user:password@]host[:port], or redis-cluster://… with further nodes as ?node=host:port&node=…; by TLS rediss://… or rediss-cluster://…",
            ),
            (
                self.redis.favorites_db != self.redis.comments_db,
                "redis.comments_db",
                "must not be redis.favorites_db",
            ),
            (
                ![self.redis.favorites_db, self.redis.comments_db].contains(&self.redis.marks_db),
                "redis.marks_db",
                "must be neither redis.favorites_db nor redis.comments_db",
            ),
            (
                ![
                    self.redis.favorites_db,
                    self.redis.comments_db,
                    self.redis.marks_db,
                ]
                .contains(&self.redis.limits_db),
                "redis.limits_db",
                "must be none of redis.favorites_db, redis.comments_db and redis.marks_db",
            ),
            (
                self.redis
                    .key_prefix
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_:.".contains(&b)),
                "redis.key_prefix",
                "must have only letters, digits, '-', '_', ':' and '.'",
            ),
            (
                (2..=2_592_000).contains(&self.redis.counter_ttl_s),
                "redis.counter_ttl_s",
                "must be 2 to 2592000",
            ),
            (
                (10..=2000).contains(&self.redis.command_timeout_ms),
                "redis.command_timeout_ms",
                "must be 10 to 2000",
            ),
            (
                (100..=60_000).contains(&self.counters.fold_period_ms),
                "counters.fold_period_ms",
                "must be 100 to 60000",
            ),
            (
                (1..=16).contains(&self.counters.fold_workers),
                "counters.fold_workers",
                "must be 1 to 16",
            ),
            (
                self.counters.scan_period_s > 0,
                "counters.scan_period_s",
                "must be above 0",
            ),
            (
                !self.etcd.endpoints.is_empty(),
                "etcd.endpoints",
                "needs at least one address",
            ),
            (
                self.etcd.endpoints.iter().all(by_tls) || !self.etcd.endpoints.iter().any(by_tls),
                "etcd.endpoints",
                "must be all https:// or none",
            ),
            (
                !self.etcd.prefix.is_empty(),
                "etcd.prefix",
                "must not be empty",
            ),
            (
                self.etcd.username.is_empty() == self.etcd.password.expose().is_empty(),
                "etcd.password",
                "must be set when etcd.username is, and only then",
            ),
            (
                (2..=60).contains(&self.etcd.lease_ttl_s),
                "etcd.lease_ttl_s",
                "must be 2 to 60",
            ),
            (
                (50..=3_600_000).contains(&self.etcd.relist_period_ms),
                "etcd.relist_period_ms",
                "must be 50 to 3600000",
            ),
            (
                (60..=604_800).contains(&self.object_store.url_ttl_s),
                "object_store.url_ttl_s",
                "must be 60 to 604800, the longest that S3 signs",
            ),
        ]
    }
}
