//! Proofs by which our processes know each other: HMAC-SHA256 with `rpc.secret`, which itself never travels.
//!
//! A caller proves each attempt of a call, for one method of one service at one address, now and once; an instance signs its
//! registration. What is signed is text, a field a line, so that any language can do it: idl/README.md has the recipe. Nothing
//! here knows what carries a proof. This is no encryption: who listens on the network reads what is called, but can't repeat it.

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

/// How far the clock of a caller may be from that of whom it calls, both ways.
const MAX_SKEW_MS: u64 = 5 * 60 * 1000;
/// How a proof is written: the first of its parts.
const VERSION: &str = "1";
/// What is signed begins with what it is for, so that none can be taken for another.
const CALL: &str = "dousheng call 1";
const REGISTRATION: &str = "dousheng registration 1";

/// `rpc.secret`: the first makes proofs, all check them. None: nothing is asked for. Cheap to clone.
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
    /// Those of the settings.
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

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The proof of an attempt that begins now; none without a secret. Another one at each call.
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

    /// Whether one of us registered this instance. Without a secret everybody is one of us.
    pub fn is_ours(&self, service: &str, address: SocketAddr, signature: Option<&str>) -> bool {
        self.is_empty()
            || signature
                .zip(registration(service, address))
                .is_some_and(|(signature, text)| self.fits(&text, signature))
    }

    fn sign(&self, text: &str) -> Option<String> {
        Some(hmac(self.0.first()?, text))
    }

    /// Whether one of the secrets made this signature. All are compared, each to its end: the time tells nothing.
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

/// None where a field holds a line break: it could be taken for two.
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
