//! Settings that choose one of several words.

use serde::{Deserialize, Serialize};

/// Where this runs; decides which shortcuts are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// A developer's machine: the secrets of `defaults.toml` are good enough.
    Development,
    /// Anywhere else: development secrets are refused.
    Production,
}

/// How a read that must see what was just written is sent to a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadsAfterWrites {
    /// To one that has the commit, by its GTID.
    Gtid,
    /// Not at all: to the primary, as long as the mark lives.
    Mark,
}

/// Whether the API answers on `http.listen` what the admin port answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdminPaths {
    /// In development.
    Auto,
    /// Yes.
    On,
    /// Only whether the process answers.
    Off,
}

/// Whose limits apply where none is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitDefaults {
    /// Those of the environment.
    Auto,
    /// What a test client needs.
    Development,
    /// Strict ones.
    Production,
}

/// What becomes of `rpc.secret` itself, which versions before the proofs sent along with each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClearSecret {
    /// A call that shows it in place of a proof is refused.
    Refuse,
    /// Such a call is served; ours never show it.
    Accept,
    /// Our calls show it, too, and to instances that nobody signed.
    Show,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Pretty on a terminal, JSON otherwise.
    Auto,
    /// For eyes.
    Pretty,
    /// For machines.
    Json,
}
