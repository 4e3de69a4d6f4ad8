//! Settings: compiled-in defaults (`defaults.toml`, which explains every key), then a file, then environment variables.
//!
//! All processes share one struct, so one file serves them all. The settings are checked at start: an unknown key, a bad value or a
//! development secret in production is an error that names the key. Nothing is read after the start.

mod check;
mod choices;
mod error;
mod keys;
mod limits;
mod network;
mod ranges;
mod scratch;
mod secret;
mod sources;
mod tls;

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Deserializer, Serialize};

pub use choices::{
    AdminPaths, ClearSecret, Environment, LimitDefaults, LogFormat, ReadsAfterWrites,
};
pub use error::SettingsError;
pub use network::{Network, client_network};
pub use scratch::{SCRATCH_UNIT, rendition_bytes};
pub use secret::Secret;

/// The defaults, with every key explained: also the example of a settings file.
pub(crate) const DEFAULTS: &str = include_str!("../defaults.toml");
/// The environment variable that names the settings file.
pub(crate) const FILE_VARIABLE: &str = "DOUSHENG_CONFIG";

/// All settings; see `defaults.toml` for meaning, unit and range of each.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each key is explained in defaults.toml")]
pub struct Settings {
    pub environment: Environment,
    pub log: Log,
    pub trace: Trace,
    pub http: Http,
    pub rpc: Rpc,
    pub admin: Admin,
    pub tls: Tls,
    pub mysql: Mysql,
    pub redis: Redis,
    pub counters: Counters,
    pub etcd: Etcd,
    pub object_store: ObjectStore,
    pub auth: Auth,
    pub limits: Limits,
    pub upload: Upload,
    pub reaper: Reaper,
    pub media: Media,
    pub transcoder: Transcoder,
    pub page: Page,
}

macro_rules! sections {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(missing_docs, reason = "each key is explained in defaults.toml")]
        pub struct $name { $($(#[$field_meta])* pub $field: $type),* }
    )*};
}

sections! {
    /// `[log]`
    Log { filter: String, format: LogFormat, rotate_bytes: u64 }
    /// `[trace]`
    Trace {
        endpoint: String,
        sample_ratio: f64,
        #[serde(skip)]
        ca_file: Option<PathBuf>,
    }
    /// `[http]`
    Http {
        listen: SocketAddr,
        shared_port: bool,
        admin_paths: AdminPaths,
        max_connections: u32,
        max_connections_per_address: u32,
        admission_timeout_s: u64,
        min_body_rate: u64,
        min_body_rate_after_s: u64,
        request_timeout_ms: u64,
        #[serde(deserialize_with = "list")]
        cors_origins: Vec<String>,
        #[serde(deserialize_with = "list")]
        trusted_proxies: Vec<String>,
    }
    /// `[rpc]`
    Rpc {
        listen: SocketAddr,
        secret: Secret,
        clear_secret: ClearSecret,
        #[serde(deserialize_with = "list")]
        unsigned_services: Vec<String>,
        max_connections: u32,
        connect_timeout_ms: u64,
        deregister_wait_ms: u64,
        retry_percent: u32,
        retry_burst: u32,
    }
    /// `[admin]`
    Admin { listen: SocketAddr }
    /// `[tls]`
    Tls { ca_file: String }
    /// `[mysql]`
    Mysql {
        primary_url: Secret,
        #[serde(deserialize_with = "list")]
        replica_urls: Vec<Secret>,
        migrate_url: Secret,
        max_connections: u32,
        max_fallback_connections: u32,
        acquire_timeout_ms: u64,
        reads_after_writes: ReadsAfterWrites,
        max_lag_s: u64,
        replica_wait_ms: u64,
    }
    /// `[redis]`
    Redis {
        url: Secret,
        favorites_db: u8,
        comments_db: u8,
        marks_db: u8,
        limits_db: u8,
        key_prefix: String,
        counter_ttl_s: u64,
        command_timeout_ms: u64,
        #[serde(skip)]
        ca_file: Option<PathBuf>,
    }
    /// `[counters]`
    Counters { fold_period_ms: u64, scan_period_s: u64, fold_workers: usize }
    /// `[etcd]`
    Etcd {
        #[serde(deserialize_with = "list")]
        endpoints: Vec<String>,
        prefix: String,
        username: String,
        password: Secret,
        lease_ttl_s: i64,
        relist_period_ms: u64,
        #[serde(skip)]
        ca_file: Option<PathBuf>,
    }
    /// `[object_store]`
    ObjectStore {
        endpoint: String,
        public_endpoint: String,
        region: String,
        bucket: String,
        access_key: Secret,
        secret_key: Secret,
        url_ttl_s: u32,
        #[serde(skip)]
        ca_file: Option<PathBuf>,
    }
    /// `[auth]`
    Auth {
        jwt_keys: Secret,
        issuer: String,
        audience: String,
        token_ttl_s: u64,
        bcrypt_cost: u32,
        bcrypt_parallel: usize,
    }
    /// `[limits]`
    Limits {
        defaults: LimitDefaults,
        login_per_address: u64,
        login_per_name: u64,
        register_per_address: u64,
        publish_per_address: u64,
        publish_per_user: u64,
        write_per_user: u64,
        message_per_user: u64,
        request_per_address: u64,
        request_per_user: u64,
        upload_bytes_per_user_day: u64,
    }
    /// `[upload]`
    Upload {
        max_bytes: u64,
        part_bytes: usize,
        parallel: usize,
        parallel_per_user: usize,
        stall_timeout_s: u64,
        spool_slots: usize,
        deadline_s: u64,
    }
    /// `[reaper]`
    Reaper { age_s: u64, period_s: u64, unknown_age_s: u64 }
    /// `[media]`
    Media {
        probe_timeout_s: u64,
        cover_timeout_s: u64,
        memory_bytes: u64,
        parallel: usize,
        max_duration_s: u64,
        max_pixels: u64,
        max_streams: usize,
        max_bit_rate: u64,
        remux_timeout_ms: u64,
        remux_always_bytes: u64,
        keep_originals: bool,
        max_unfinished: u64,
        small_height: u32,
        scratch_dir: String,
        scratch_bytes: u64,
    }
    /// `[transcoder]`
    Transcoder {
        parallel: usize,
        threads: u64,
        memory_bytes: u64,
        lease_s: u64,
        max_attempts: i32,
        retry_pause_s: u64,
        time_factor: u64,
        max_attempt_s: u64,
        poll_ms: u64,
        crf: u32,
        max_bit_rate: u64,
        small_bit_rate: u64,
    }
    /// `[page]`
    Page { feed: i32, list: i32, utc_offset: String }
}

impl Settings {
    /// Whether `/readyz` and `/metrics` are answered on `http.listen`, too.
    pub fn has_admin_paths(&self) -> bool {
        match self.http.admin_paths {
            AdminPaths::Auto => self.environment == Environment::Development,
            AdminPaths::On => true,
            AdminPaths::Off => false,
        }
    }

    /// The work factor to hash new passwords with.
    pub fn bcrypt_cost(&self) -> u32 {
        match (self.auth.bcrypt_cost, self.environment) {
            (0, Environment::Development) => 10,
            (0, Environment::Production) => 12,
            (cost, _) => cost,
        }
    }
}

/// A TOML list, or the text "a,b" that an environment variable can hold.
fn list<'de, D: Deserializer<'de>, T: From<String>>(input: D) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum ListOrText {
        List(Vec<String>),
        Text(String),
    }
    let items = match ListOrText::deserialize(input)? {
        ListOrText::List(items) => items,
        ListOrText::Text(text) => text.split(',').map(|item| item.trim().to_owned()).collect(),
    };
    Ok(items
        .into_iter()
        .filter(|item| !item.is_empty())
        .map(T::from)
        .collect())
}

#[cfg(test)]
mod tests;
