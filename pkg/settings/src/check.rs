//! Checks the ranges of settings and the rules between them. Each error names the key.

use super::{DEFAULTS, Environment, Settings, SettingsError};

/// Shortest secret that HS256 should be used with, in bytes: the length of its hash (RFC 7518, section 3.2).
const MIN_JWT_SECRET_BYTES: usize = 32;
/// Shortest secret of the calls between our processes, in bytes: nobody guesses as many random ones.
const MIN_RPC_SECRET_BYTES: usize = 32;
/// What ffmpeg knows a limit of pixels for, at most.
const MAX_PIXELS: u64 = 2_147_483_647;
/// Passwords of the accounts that `scripts/lib/settings.sh` names: as public as the repository is.
pub(super) const DEVELOPMENT_PASSWORDS: [&str; 3] =
    ["dousheng-dev", "dousheng-read-dev", "dousheng-migrate-dev"];

impl Settings {
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let require = |holds: bool, key: &'static str, reason: &str| {
            if holds {
                Ok(())
            } else {
                Err(SettingsError::Invalid {
                    key,
                    reason: reason.to_owned(),
                })
            }
        };
        require(
            self.trace.endpoint.is_empty()
                || ["http://", "https://"]
                    .iter()
                    .any(|scheme| self.trace.endpoint.starts_with(scheme)),
            "trace.endpoint",
            "must be http://host:port or https://host:port, or empty",
        )?;
        require(
            (0.0..=1.0).contains(&self.trace.sample_ratio),
            "trace.sample_ratio",
            "must be 0 to 1",
        )?;
        require(
            self.log.rotate_bytes == 0 || self.log.rotate_bytes >= 65_536,
            "log.rotate_bytes",
            "must be at least 65536, or 0",
        )?;
        let connections = 1..=1_000_000;
        require(
            connections.contains(&self.http.max_connections),
            "http.max_connections",
            "must be 1 to 1000000",
        )?;
        require(
            connections.contains(&self.rpc.max_connections),
            "rpc.max_connections",
            "must be 1 to 1000000",
        )?;
        require(
            self.http.max_connections_per_address <= self.http.max_connections,
            "http.max_connections_per_address",
            "must be 1 to http.max_connections, or 0",
        )?;
        require(
            (1..=3600).contains(&self.http.admission_timeout_s),
            "http.admission_timeout_s",
            "must be 1 to 3600",
        )?;
        require(
            (1..=1 << 30).contains(&self.http.min_body_rate),
            "http.min_body_rate",
            "must be 1 to 1073741824",
        )?;
        require(
            (1..=3600).contains(&self.http.min_body_rate_after_s),
            "http.min_body_rate_after_s",
            "must be 1 to 3600",
        )?;
        require(
            self.http.request_timeout_ms > 0,
            "http.request_timeout_ms",
            "must be above 0",
        )?;
        require(
            self.http.cors_origins.iter().all(|one| is_origin(one)),
            "http.cors_origins",
            "each must be as a browser sends it: http(s)://host[:port] in lower case, no path, no default port",
        )?;
        self.trusted_proxies()?;
        self.check_limits()?;
        require(
            self.rpc_secrets()
                .iter()
                .all(|secret| secret.expose().len() >= MIN_RPC_SECRET_BYTES),
            "rpc.secret",
            "must have at least 32 bytes; two are written \"new,old\"",
        )?;
        require(
            self.rpc.connect_timeout_ms > 0,
            "rpc.connect_timeout_ms",
            "must be above 0",
        )?;
        require(
            self.rpc.retry_percent <= 100,
            "rpc.retry_percent",
            "must be 0 to 100",
        )?;
        require(
            self.rpc.retry_burst <= 1_000_000,
            "rpc.retry_burst",
            "must be 0 to 1000000",
        )?;
        require(
            self.mysql.max_connections > 0,
            "mysql.max_connections",
            "must be above 0",
        )?;
        require(
            self.mysql.max_fallback_connections > 0,
            "mysql.max_fallback_connections",
            "must be above 0",
        )?;
        require(
            self.mysql.acquire_timeout_ms > 0,
            "mysql.acquire_timeout_ms",
            "must be above 0",
        )?;
        require(
            (1..=3600).contains(&self.mysql.max_lag_s),
            "mysql.max_lag_s",
            "must be 1 to 3600",
        )?;
        require(
            (1..=1000).contains(&self.mysql.replica_wait_ms),
            "mysql.replica_wait_ms",
            "must be 1 to 1000",
        )?;
        require(
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
        )?;
        require(
            self.redis.favorites_db != self.redis.comments_db,
            "redis.comments_db",
            "must not be redis.favorites_db",
        )?;
        require(
            ![self.redis.favorites_db, self.redis.comments_db].contains(&self.redis.marks_db),
            "redis.marks_db",
            "must be neither redis.favorites_db nor redis.comments_db",
        )?;
        require(
            ![
                self.redis.favorites_db,
                self.redis.comments_db,
                self.redis.marks_db,
            ]
            .contains(&self.redis.limits_db),
            "redis.limits_db",
            "must be none of redis.favorites_db, redis.comments_db and redis.marks_db",
        )?;
        require(
            self.redis
                .key_prefix
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_:.".contains(&b)),
            "redis.key_prefix",
            "must have only letters, digits, '-', '_', ':' and '.'",
        )?;
        require(
            (2..=2_592_000).contains(&self.redis.counter_ttl_s),
            "redis.counter_ttl_s",
            "must be 2 to 2592000",
        )?;
        require(
            (10..=2000).contains(&self.redis.command_timeout_ms),
            "redis.command_timeout_ms",
            "must be 10 to 2000",
        )?;
        require(
            (100..=60_000).contains(&self.counters.fold_period_ms),
            "counters.fold_period_ms",
            "must be 100 to 60000",
        )?;
        require(
            (1..=16).contains(&self.counters.fold_workers),
            "counters.fold_workers",
            "must be 1 to 16",
        )?;
        require(
            self.counters.scan_period_s > 0,
            "counters.scan_period_s",
            "must be above 0",
        )?;
        require(
            !self.etcd.endpoints.is_empty(),
            "etcd.endpoints",
            "needs at least one address",
        )?;
        let by_tls = |endpoint: &String| endpoint.starts_with("https://");
        require(
            self.etcd.endpoints.iter().all(by_tls) || !self.etcd.endpoints.iter().any(by_tls),
            "etcd.endpoints",
            "must be all https:// or none",
        )?;
        self.check_tls()?;
        require(
            !self.etcd.prefix.is_empty(),
            "etcd.prefix",
            "must not be empty",
        )?;
        require(
            self.etcd.username.is_empty() == self.etcd.password.expose().is_empty(),
            "etcd.password",
            "must be set when etcd.username is, and only then",
        )?;
        require(
            (2..=60).contains(&self.etcd.lease_ttl_s),
            "etcd.lease_ttl_s",
            "must be 2 to 60",
        )?;
        require(
            (50..=3_600_000).contains(&self.etcd.relist_period_ms),
            "etcd.relist_period_ms",
            "must be 50 to 3600000",
        )?;
        require(
            (60..=604_800).contains(&self.object_store.url_ttl_s),
            "object_store.url_ttl_s",
            "must be 60 to 604800, the longest that S3 signs",
        )?;
        require(
            self.auth.token_ttl_s > 0,
            "auth.token_ttl_s",
            "must be above 0",
        )?;
        require(
            self.auth.bcrypt_cost == 0 || (4..=31).contains(&self.auth.bcrypt_cost),
            "auth.bcrypt_cost",
            "must be 4 to 31, or 0",
        )?;
        require(
            self.upload.max_bytes > 0,
            "upload.max_bytes",
            "must be above 0",
        )?;
        require(
            (5 << 20..=64 << 20).contains(&self.upload.part_bytes),
            "upload.part_bytes",
            "must be 5 MiB to 64 MiB",
        )?;
        require(
            (1..=3600).contains(&self.upload.stall_timeout_s),
            "upload.stall_timeout_s",
            "must be 1 to 3600",
        )?;
        require(
            self.upload.spool_slots > 0,
            "upload.spool_slots",
            "must be above 0",
        )?;
        require(
            (10..=604_800).contains(&self.upload.deadline_s),
            "upload.deadline_s",
            "must be 10 to 604800",
        )?;
        require(
            self.reaper.age_s >= 2 * self.upload.deadline_s,
            "reaper.age_s",
            "must be at least twice upload.deadline_s",
        )?;
        require(
            (1..=86_400).contains(&self.reaper.period_s),
            "reaper.period_s",
            "must be 1 to 86400",
        )?;
        require(
            self.reaper.unknown_age_s <= 31_536_000,
            "reaper.unknown_age_s",
            "must be 0 to 31536000",
        )?;
        require(
            self.media.probe_timeout_s > 0,
            "media.probe_timeout_s",
            "must be above 0",
        )?;
        require(
            self.media.cover_timeout_s > 0,
            "media.cover_timeout_s",
            "must be above 0",
        )?;
        require(
            self.media.memory_bytes >= 512 << 20,
            "media.memory_bytes",
            "must be at least 512 MiB: ffmpeg maps about 300 MiB before it begins",
        )?;
        require(self.media.parallel > 0, "media.parallel", "must be above 0")?;
        require(
            self.media.max_duration_s > 0,
            "media.max_duration_s",
            "must be above 0",
        )?;
        require(
            (1..=MAX_PIXELS).contains(&self.media.max_pixels),
            "media.max_pixels",
            "must be 1 to 2147483647, the most that ffmpeg knows",
        )?;
        require(
            self.media.max_streams > 0,
            "media.max_streams",
            "must be above 0",
        )?;
        self.check_processing()?;
        require(
            (1..=30).contains(&self.page.feed),
            "page.feed",
            "must be 1 to 30",
        )?;
        require(
            (1..=300).contains(&self.page.list),
            "page.list",
            "must be 1 to 300",
        )?;
        if self.environment == Environment::Production {
            self.check_production()?;
        }
        Ok(())
    }

    fn check_production(&self) -> Result<(), SettingsError> {
        let refuse = |key: &'static str, is_refused: bool, reason: &str| {
            if is_refused {
                Err(SettingsError::Invalid {
                    key,
                    reason: reason.to_owned(),
                })
            } else {
                Ok(())
            }
        };
        let default = "the development default is refused in production";
        let mysql = &self.mysql;
        for (key, urls) in [
            (
                "mysql.primary_url",
                std::slice::from_ref(&mysql.primary_url),
            ),
            ("mysql.replica_urls", &mysql.replica_urls),
            (
                "mysql.migrate_url",
                std::slice::from_ref(&mysql.migrate_url),
            ),
        ] {
            refuse(key, urls.iter().any(has_development_password), default)?;
        }
        for (key, value) in [
            ("object_store.access_key", &self.object_store.access_key),
            ("object_store.secret_key", &self.object_store.secret_key),
        ] {
            refuse(key, DEFAULTS.contains(value.expose()), default)?;
        }
        let unasked = "must be set in production: without it whoever reaches a service may call it";
        refuse("rpc.secret", self.rpc_secrets().is_empty(), unasked)
    }

    /// The secrets of calls: the first makes proofs, all check them; none: nothing is asked for.
    pub fn rpc_secrets(&self) -> Vec<super::Secret> {
        let secrets = self.rpc.secret.expose().split(',').map(str::trim);
        secrets
            .filter(|secret| !secret.is_empty())
            .map(super::Secret::new)
            .collect()
    }

    /// The token keys, `(kid, secret)`, the signing one first. An error names `auth.jwt_keys`.
    pub fn jwt_keys(&self) -> Result<Vec<(String, super::Secret)>, SettingsError> {
        let invalid = |reason: &str| SettingsError::Invalid {
            key: "auth.jwt_keys",
            reason: reason.to_owned(),
        };
        let mut keys: Vec<(String, super::Secret)> = Vec::new();
        for entry in self
            .auth
            .jwt_keys
            .expose()
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
        {
            let (kid, secret) = entry
                .split_once(':')
                .ok_or_else(|| invalid("each key is written kid:secret"))?;
            if kid.is_empty() || keys.iter().any(|(known, _)| known == kid) {
                return Err(invalid("each key needs a kid of its own"));
            }
            if secret.len() < MIN_JWT_SECRET_BYTES {
                return Err(invalid("each secret must have at least 32 bytes"));
            }
            keys.push((kid.to_owned(), super::Secret::new(secret)));
        }
        if keys.is_empty() {
            return Err(invalid(
                "is empty; `make run-all` makes a key, or set kid:secret with a secret of at least 32 bytes",
            ));
        }
        Ok(keys)
    }
}

/// Whether the URL's password is one of ours, wherever its server is.
pub(super) fn has_development_password(url: &super::Secret) -> bool {
    let url = url.expose();
    DEVELOPMENT_PASSWORDS
        .iter()
        .any(|password| url.contains(&format!(":{password}@")))
}

/// Whether a browser would send this as an `Origin` (RFC 6454, section 6.2).
fn is_origin(text: &str) -> bool {
    let (host, default_port) = match text.split_once("://") {
        Some(("https", host)) => (host, ":443"),
        Some(("http", host)) => (host, ":80"),
        _ => return false,
    };
    let known =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:[]".contains(&byte);
    !host.is_empty() && !host.ends_with(default_port) && host.bytes().all(known)
}
