//! Proofs by which our processes authenticate calls: HMAC-SHA256 with `rpc.secret`. A proof doesn't contain the secret. Only during an
//! upgrade, with `rpc.clear_secret = "show"`, do calls send the secret itself beside it.
//!
//! A caller proves each attempt of a call. A proof is valid once, for one method of one service at one address, for a few minutes. An
//! instance signs its registration. The signed text has one field on each line, so any language can make it; idl/README.md has the recipe.
//! This crate doesn't know how a proof is sent. Calls aren't encrypted: a listener can read a call but can't repeat it.

mod nonces;
mod refusal;
mod verifier;

use std::{
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use hmac::{Hmac, Mac as _};
use settings::Settings;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

pub use refusal::Refusal;
pub use verifier::Verifier;

/// Most difference between the clocks of caller and instance, in both directions.
const MAX_SKEW_MS: u64 = 5 * 60 * 1000;
/// The version of the format: the first part of a proof.
const VERSION: &str = "1";
/// A signed text begins with its purpose, so that a signature for one purpose isn't accepted for another.
const CALL: &str = "dousheng call 1";
const REGISTRATION: &str = "dousheng registration 1";

/// The secrets of `rpc.secret`: the first makes proofs, all verify them. Without a secret no proof is required. Cheap to clone.
#[derive(Clone)]
pub struct Secrets(Arc<[Hmac<Sha256>]>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

/// One attempt of a call.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The service that is called, by its name in the registry.
    pub service: &'a str,
    /// The address of the instance, as the registry has it: both sides know it from there.
    pub address: SocketAddr,
    /// The method, as the IDL names it.
    pub method: &'a str,
    /// The caller's name.
    pub caller: &'a str,
}

impl Secrets {
    /// The secrets of the settings.
    pub fn new(settings: &Settings) -> Self {
        let secrets = settings.rpc_secrets();
        Self(
            secrets
                .iter()
                // HMAC takes keys of any length: none is lost here.
                .filter_map(|secret| Hmac::new_from_slice(secret.expose().as_bytes()).ok())
                .collect(),
        )
    }

    /// Whether there is no secret, so that no proof is required.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The proof of an attempt that begins now; `None` without a secret. Each proof has a new nonce.
    pub fn prove(&self, call: &Call<'_>) -> Option<String> {
        self.prove_at(call, now_ms(), rand::random())
    }

    fn prove_at(&self, call: &Call<'_>, time_ms: u64, nonce: u64) -> Option<String> {
        let (time, nonce) = (time_ms.to_string(), format!("{nonce:016x}"));
        let hmac = self.sign(&call.text(&time, &nonce)?)?;
        Some(format!("{VERSION}.{time}.{nonce}.{hmac}"))
    }

    /// The signature of a registration; none without a secret.
    pub fn sign_registration(&self, service: &str, address: SocketAddr) -> Option<String> {
        self.sign(&registration(service, address)?)
    }

    /// Whether the registration of this instance was signed with one of the secrets. Always true without a secret.
    pub fn is_ours(&self, service: &str, address: SocketAddr, signature: Option<&str>) -> bool {
        self.is_empty()
            || signature
                .zip(registration(service, address))
                .is_some_and(|(signature, text)| self.fits(&text, signature))
    }

    fn sign(&self, text: &str) -> Option<String> {
        Some(hmac(self.0.first()?, text))
    }

    /// Whether one of the secrets made this signature. Every comparison takes the same time, so the time tells nothing.
    fn fits(&self, text: &str, signature: &str) -> bool {
        let fits = self.0.iter().fold(Choice::from(0), |fits, secret| {
            fits | hmac(secret, text).as_bytes().ct_eq(signature.as_bytes())
        });
        fits.into()
    }
}

impl Call<'_> {
    /// What is signed.
    fn text(&self, time_ms: &str, nonce: &str) -> Option<String> {
        let address = self.address.to_string();
        lines(&[
            CALL,
            self.service,
            &address,
            self.method,
            self.caller,
            time_ms,
            nonce,
        ])
    }
}

fn registration(service: &str, address: SocketAddr) -> Option<String> {
    lines(&[REGISTRATION, service, &address.to_string()])
}

/// `None` if a field contains a line break, which would make two fields of it.
fn lines(fields: &[&str]) -> Option<String> {
    let is_one = |field: &&str| !field.contains('\n');
    fields.iter().all(is_one).then(|| fields.join("\n"))
}

/// As hexadecimal digits in lower case.
fn hmac(secret: &Hmac<Sha256>, text: &str) -> String {
    let hmac = secret.clone().chain_update(text).finalize();
    format!("{:x}", hmac.into_bytes())
}

fn now_ms() -> u64 {
    // A clock before 1970 is as wrong as one that says 1970.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
