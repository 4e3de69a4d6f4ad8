//! Tokens: JWT, signed with HS256. A token that names another algorithm is refused.
//!
//! The header's `kid` chooses one of the configured keys: the first key signs, all keys verify. To replace a key, add the new one last on
//! every process, then put it first on every process, then remove the old one after the TTL of a token. So every process accepts the
//! tokens of every other at any moment. A token ends before it expires
//! only when the epoch of its account rises. Who reads the account compares the two; this package doesn't.
//! A token names its account by id and creation time: after a restore an id may be given again, but not with the same time.

use std::{fmt, sync::Arc, time::Duration};

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
    errors::ErrorKind, get_current_timestamp,
};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use settings::Secret;

use crate::{AuthError, hs256};

/// How long an expired token is still accepted.
const LEEWAY_S: u64 = 5;
/// How far in the future a token may have been issued: the largest difference between two clocks.
const MAX_CLOCK_SKEW_S: u64 = 60;
/// Longest token that is decoded, in bytes; ours have about 250.
const MAX_BYTES: usize = 1024;
/// Verified tokens that are remembered at most: some 400 bytes each, 4 MB in all.
const MAX_REMEMBERED: usize = 10_000;

/// Why a token is refused. It tells no details, because they would help a forger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It has expired.
    #[error("token expired")]
    Expired,
    /// It has a wrong signature, issuer or audience, or isn't valid yet.
    #[error("token invalid")]
    Invalid,
}

/// Issues and verifies tokens. Cheap to clone.
#[derive(Clone)]
pub struct Tokens(Arc<Inner>);

struct Inner {
    signing: EncodingKey,
    header: Header,
    verifying: Vec<(String, DecodingKey)>,
    validation: Validation,
    issuer: String,
    audience: String,
    ttl: Duration,
    /// Tokens that were verified, whole, with the second when each expires. None stays valid longer for being here.
    verified: Cache<Box<str>, (TokenSubject, f64)>,
}

/// The account that a valid token names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenSubject {
    /// From 1 up.
    pub user_id: i64,
    /// When the account was created; `None` in a token from before this claim existed.
    pub created_ms: Option<i64>,
    /// When the token was issued, by the issuer's clock.
    pub issued_s: u64,
    /// Counted up by the account when its tokens end; 0 in a token from before this claim existed.
    pub epoch: i64,
}

impl TokenSubject {
    /// Whether the token was issued to the account with this id that was created at `created_ms`. A token without a creation time is
    /// accepted if the account was created before the token.
    pub fn was_issued_to(&self, created_ms: i64) -> bool {
        match self.created_ms {
            Some(named) => named == created_ms,
            None => {
                let by_then_s = self.issued_s.saturating_add(MAX_CLOCK_SKEW_S);
                i64::try_from(by_then_s.saturating_mul(1000)).is_ok_and(|then| created_ms <= then)
            }
        }
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: String,
    /// When the subject was made, in ms. (`_ms`, for `iat` and `exp` are seconds.)
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_created_ms: Option<i64>,
    /// See [`TokenSubject::epoch`].
    #[serde(skip_serializing_if = "is_first")]
    sub_epoch: i64,
    iat: u64,
    exp: u64,
}

fn is_first(epoch: &i64) -> bool {
    *epoch == 0
}

/// The claims that the library doesn't check itself (it checks `exp`, `nbf`, `iss` and `aud`).
#[derive(Deserialize)]
struct Rest {
    sub: String,
    #[serde(default)]
    sub_created_ms: Option<i64>,
    #[serde(default)]
    sub_epoch: i64,
    iat: u64,
    /// Whole seconds in ours.
    exp: f64,
}

impl Tokens {
    /// `keys`: `(kid, secret)`, the signing one first. `ttl`: of a token, in whole seconds.
    pub fn new(
        keys: Vec<(String, Secret)>,
        issuer: &str,
        audience: &str,
        ttl: Duration,
    ) -> Result<Self, AuthError> {
        hs256::install();
        let (kid, secret) = keys.first().ok_or(AuthError::NoKey)?;
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(kid.clone());
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Ok(Self(Arc::new(Inner {
            signing: EncodingKey::from_secret(secret.expose().as_bytes()),
            header,
            verifying: keys
                .iter()
                .map(|(kid, secret)| {
                    let key = DecodingKey::from_secret(secret.expose().as_bytes());
                    (kid.clone(), key)
                })
                .collect(),
            validation,
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            ttl,
            verified: Cache::new(MAX_REMEMBERED),
        })))
    }

    /// A token for this user, whose account was made at `created_ms`, valid from now on for the configured time.
    pub fn issue(&self, user_id: i64, created_ms: Option<i64>) -> Result<String, AuthError> {
        self.issue_in_epoch(user_id, created_ms, 0)
    }

    /// As [`Self::issue`]. `epoch`: how often the tokens of the account have been ended.
    pub fn issue_in_epoch(
        &self,
        user_id: i64,
        created_ms: Option<i64>,
        epoch: i64,
    ) -> Result<String, AuthError> {
        let now = get_current_timestamp();
        let claims = Claims {
            iss: &self.0.issuer,
            aud: &self.0.audience,
            sub: user_id.to_string(),
            sub_created_ms: created_ms,
            sub_epoch: epoch,
            iat: now,
            exp: now.saturating_add(self.0.ttl.as_secs()),
        };
        encode(&self.0.header, &claims, &self.0.signing).map_err(AuthError::Sign)
    }

    /// The account that a valid token names.
    pub fn verify(&self, token: &str) -> Result<TokenSubject, TokenError> {
        if token.len() > MAX_BYTES {
            return Err(TokenError::Invalid);
        }
        let verified = self.0.verified.get(token);
        if let Some((subject, expires_s)) = verified
            && (get_current_timestamp() as f64) < expires_s
        {
            return Ok(subject);
        }
        let kid = decode_header(token)
            .ok()
            .and_then(|header| header.kid)
            .ok_or(TokenError::Invalid)?;
        let (_, key) = self
            .0
            .verifying
            .iter()
            .find(|(known, _)| *known == kid)
            .ok_or(TokenError::Invalid)?;
        let Rest {
            sub,
            sub_created_ms,
            sub_epoch,
            iat,
            exp,
        } = decode(token, key, &self.0.validation)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => TokenError::Expired,
                _ => TokenError::Invalid,
            })?
            .claims;
        // The library doesn't check `iat`. A token is never issued further in the future than clocks differ.
        if iat > get_current_timestamp().saturating_add(MAX_CLOCK_SKEW_S) {
            return Err(TokenError::Invalid);
        }
        match sub.parse() {
            Ok(user_id) if user_id >= 1 => {
                let subject = TokenSubject {
                    user_id,
                    created_ms: sub_created_ms,
                    issued_s: iat,
                    epoch: sub_epoch,
                };
                self.0.verified.insert(token.into(), (subject, exp));
                Ok(subject)
            }
            _ => Err(TokenError::Invalid),
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}
