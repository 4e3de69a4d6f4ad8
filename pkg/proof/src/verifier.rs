//! Verifies the proof of a call, at the instance that is called.

use crate::{Call, MAX_SKEW_MS, Refusal, Secrets, VERSION, nonces::SeenNonces, now_ms};

/// Verifies the proofs of calls to one instance. It remembers accepted proofs as long as they are valid; after a restart at the same
/// address it remembers none.
#[derive(Debug)]
pub struct Verifier {
    secrets: Secrets,
    seen: SeenNonces,
}

impl Verifier {
    /// Accepts proofs that were made with one of these secrets.
    pub fn new(secrets: Secrets) -> Self {
        Self {
            secrets,
            seen: SeenNonces::new(),
        }
    }

    /// Whether there is no secret, so that no proof is required.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// Accepts a proof if it was made for this call, with one of the secrets, a short time ago, and wasn't used before.
    ///
    /// # Errors
    /// It isn't.
    pub fn verify(&self, call: &Call<'_>, proof: &str) -> Result<(), Refusal> {
        self.verify_at(call, proof, now_ms())
    }

    pub(crate) fn verify_at(
        &self,
        call: &Call<'_>,
        proof: &str,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let (time, nonce, hmac) = parts(proof).ok_or(Refusal::Unreadable)?;
        let time_ms: u64 = time.parse().map_err(|_| Refusal::Unreadable)?;
        let number = u64::from_str_radix(nonce, 16).map_err(|_| Refusal::Unreadable)?;
        if time_ms.abs_diff(now_ms) > MAX_SKEW_MS {
            return Err(Refusal::AnotherTime);
        }
        let text = call.text(time, nonce).ok_or(Refusal::Unfit)?;
        if !self.secrets.fits(&text, hmac) {
            return Err(Refusal::Unfit);
        }
        // Last: only a proof with a valid HMAC takes memory there.
        self.seen.take(number, time_ms, now_ms)
    }
}

/// Time, nonce and HMAC.
fn parts(proof: &str) -> Option<(&str, &str, &str)> {
    let mut parts = proof.split('.');
    let (version, time, nonce, hmac) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_whole = version == VERSION && nonce.len() == 16 && parts.next().is_none();
    is_whole.then_some((time, nonce, hmac))
}
