//! Checks the settings: their ranges, and what production refuses. Each error names the key.

use super::{DEFAULTS, Environment, Settings, SettingsError};

/// Passwords of the accounts that `scripts/lib/settings.sh` names: as public as the repository is.
pub(super) const DEVELOPMENT_PASSWORDS: [&str; 3] =
    ["dousheng-dev", "dousheng-read-dev", "dousheng-migrate-dev"];

impl Settings {
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        self.check_ranges()?;
        self.trusted_proxies()?;
        self.check_limits()?;
        self.check_tls()?;
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
}

/// Whether the URL's password is one of ours, wherever its server is.
pub(super) fn has_development_password(url: &super::Secret) -> bool {
    let url = url.expose();
    DEVELOPMENT_PASSWORDS
        .iter()
        .any(|password| url.contains(&format!(":{password}@")))
}
