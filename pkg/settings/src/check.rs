//! Ranges, and rules between settings. Each failure names its key.

use super::{DEFAULTS, Environment, Settings, SettingsError};

/// Shortest secret that HS256 should be used with, in bytes: the length of its hash (RFC 7518, section 3.2).
const MIN_JWT_SECRET_BYTES: usize = 32;

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
            self.http.request_timeout_ms > 0,
            "http.request_timeout_ms",
            "must be above 0",
        )?;
        require(
            self.http.cors_origins.iter().all(|one| is_origin(one)),
            "http.cors_origins",
            "each must be as a browser sends it: http(s)://host[:port] in lower case, no path, no default port",
        )?;
        require(
            self.rpc.connect_timeout_ms > 0,
            "rpc.connect_timeout_ms",
            "must be above 0",
        )?;
        require(
            self.mysql.max_connections > 0,
            "mysql.max_connections",
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
            self.redis.url.expose().starts_with("redis://"),
            "redis.url",
            "must be redis://[user:password@]host[:port]",
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
            self.counters.scan_period_s > 0,
            "counters.scan_period_s",
            "must be above 0",
        )?;
        require(
            !self.etcd.endpoints.is_empty(),
            "etcd.endpoints",
            "needs at least one address",
        )?;
        require(
            !self.etcd.prefix.is_empty(),
            "etcd.prefix",
            "must not be empty",
        )?;
        require(
            (2..=60).contains(&self.etcd.lease_ttl_s),
            "etcd.lease_ttl_s",
            "must be 2 to 60",
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
            self.upload.stall_timeout_s > 0,
            "upload.stall_timeout_s",
            "must be above 0",
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
        let refuse_development = |key: &'static str, value: &str| {
            if DEFAULTS.contains(value) {
                Err(SettingsError::Invalid {
                    key,
                    reason: "the development default is refused in production".to_owned(),
                })
            } else {
                Ok(())
            }
        };
        refuse_development("mysql.primary_url", self.mysql.primary_url.expose())?;
        for url in &self.mysql.replica_urls {
            refuse_development("mysql.replica_urls", url.expose())?;
        }
        refuse_development(
            "object_store.access_key",
            self.object_store.access_key.expose(),
        )?;
        refuse_development(
            "object_store.secret_key",
            self.object_store.secret_key.expose(),
        )?;
        Ok(())
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
