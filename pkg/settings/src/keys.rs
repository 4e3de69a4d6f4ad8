//! Parses the lists of secrets (`rpc.secret`, `auth.jwt_keys`). During a rotation a list has two.

use super::{Secret, Settings, SettingsError};

/// Shortest secret that HS256 should be used with, in bytes: the length of its hash (RFC 7518, section 3.2).
const MIN_JWT_SECRET_BYTES: usize = 32;

impl Settings {
    /// The secrets of calls: the first makes proofs, all check them; none: nothing is asked for.
    pub fn rpc_secrets(&self) -> Vec<Secret> {
        let secrets = self.rpc.secret.expose().split(',').map(str::trim);
        secrets
            .filter(|secret| !secret.is_empty())
            .map(Secret::new)
            .collect()
    }

    /// The token keys, `(kid, secret)`, the signing one first. An error names `auth.jwt_keys`.
    pub fn jwt_keys(&self) -> Result<Vec<(String, Secret)>, SettingsError> {
        let invalid = |reason: &str| SettingsError::Invalid {
            key: "auth.jwt_keys",
            reason: reason.to_owned(),
        };
        let mut keys: Vec<(String, Secret)> = Vec::new();
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
            keys.push((kid.to_owned(), Secret::new(secret)));
        }
        if keys.is_empty() {
            return Err(invalid(
                "is empty; `make run-all` makes a key, or set kid:secret with a secret of at least 32 bytes",
            ));
        }
        Ok(keys)
    }
}
