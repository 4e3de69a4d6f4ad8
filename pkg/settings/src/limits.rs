//! Rate limits and trusted proxies: their checks, and defaults that depend on the environment.

use super::{Environment, LimitDefaults, Limits, Network, Settings, SettingsError};

impl Settings {
    /// The networks whose `X-Forwarded-For` is believed. An error names `http.trusted_proxies`.
    pub fn trusted_proxies(&self) -> Result<Vec<Network>, SettingsError> {
        let proxies = self.http.trusted_proxies.iter().map(|text| text.parse());
        let parsed: Result<_, String> = proxies.collect();
        parsed.map_err(|reason| SettingsError::Invalid {
            key: "http.trusted_proxies",
            reason,
        })
    }

    /// Nothing finer than a microsecond is counted: of a million a minute that is a sixtieth, of far more all of it.
    pub(super) fn check_limits(&self) -> Result<(), SettingsError> {
        let given = &self.limits;
        let at_most = |key, value: u64, max: u64| match value <= max {
            true => Ok(()),
            false => Err(SettingsError::Invalid {
                key,
                reason: format!("must be 1 to {max}, or 0"),
            }),
        };
        for (key, value) in [
            ("limits.login_per_address", given.login_per_address),
            ("limits.login_per_name", given.login_per_name),
            ("limits.register_per_address", given.register_per_address),
            ("limits.publish_per_address", given.publish_per_address),
            ("limits.publish_per_user", given.publish_per_user),
            ("limits.write_per_user", given.write_per_user),
            ("limits.message_per_user", given.message_per_user),
            ("limits.request_per_address", given.request_per_address),
            ("limits.request_per_user", given.request_per_user),
        ] {
            at_most(key, value, 1_000_000)?;
        }
        at_most(
            "limits.upload_bytes_per_user_day",
            given.upload_bytes_per_user_day,
            1 << 50,
        )
    }

    /// The limits that apply: 0 is strict in production, and in development as much as a test client needs.
    pub fn limits(&self) -> Limits {
        let given = &self.limits;
        let is_strict = match given.defaults {
            LimitDefaults::Auto => self.environment == Environment::Production,
            LimitDefaults::Development => false,
            LimitDefaults::Production => true,
        };
        let default = |given: u64, development: u64, production: u64| match (given, is_strict) {
            (0, false) => development,
            (0, true) => production,
            (given, _) => given,
        };
        Limits {
            defaults: given.defaults,
            login_per_address: default(given.login_per_address, 3000, 120),
            login_per_name: default(given.login_per_name, 600, 10),
            register_per_address: default(given.register_per_address, 1200, 60),
            publish_per_address: default(given.publish_per_address, 1200, 300),
            publish_per_user: default(given.publish_per_user, 1200, 10),
            write_per_user: default(given.write_per_user, 12_000, 120),
            message_per_user: default(given.message_per_user, 12_000, 120),
            request_per_address: default(given.request_per_address, 1_000_000, 30_000),
            request_per_user: default(given.request_per_user, 100_000, 1200),
            upload_bytes_per_user_day: default(given.upload_bytes_per_user_day, 1 << 40, 4 << 30),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use crate::{Settings, SettingsError, sources::Sources};

    fn load(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let variables: HashMap<String, String> = variables
            .iter()
            .map(|(key, value)| (format!("DOUSHENG_{key}"), (*value).to_owned()))
            .collect();
        let sources = Sources {
            file: None,
            variables,
        };
        sources.settings()
    }

    #[test]
    fn what_is_left_to_the_environment_is_strict_in_production_and_roomy_in_development() {
        let mut settings = load(&[("LIMITS__LOGIN_PER_ADDRESS", "7")]).unwrap();
        let development = settings.limits();
        settings.environment = crate::Environment::Production;
        let production = settings.limits();
        // What is given holds in both.
        assert_eq!(development.login_per_address, 7);
        assert_eq!(production.login_per_address, 7);
        // A few hundred users a minute.
        assert!(development.register_per_address >= 300);
        // Of thousands of people behind one address, a few at once; of one person, what one person does.
        assert!((60..=300).contains(&production.register_per_address));
        assert!(production.request_per_address >= 20 * production.request_per_user);
        assert!(production.login_per_name <= 10);
        assert!(production.publish_per_user <= 10);
        assert_eq!(production.upload_bytes_per_user_day, 4 << 30);
        // Either set can be had in the other environment.
        settings.limits.defaults = crate::LimitDefaults::Development;
        let roomy = settings.limits();
        assert_eq!(roomy.write_per_user, development.write_per_user);
        let strict = load(&[("LIMITS__DEFAULTS", "production")])
            .unwrap()
            .limits();
        assert_eq!(strict.write_per_user, production.write_per_user);
    }

    #[test]
    fn a_bad_limit_proxy_or_database_stops_the_start_by_its_name() {
        for (variable, bad, key) in [
            (
                "HTTP__TRUSTED_PROXIES",
                "10.0.0.0/8,10.0.0.0/33",
                "http.trusted_proxies",
            ),
            (
                "HTTP__TRUSTED_PROXIES",
                "proxy.example",
                "http.trusted_proxies",
            ),
            ("REDIS__LIMITS_DB", "3", "redis.limits_db"),
            (
                "LIMITS__LOGIN_PER_ADDRESS",
                "1000001",
                "limits.login_per_address",
            ),
            ("LIMITS__WRITE_PER_USER", "-1", "limits.write_per_user"),
            ("LIMITS__DEFAULTS", "strict", "limits.defaults"),
            (
                "LIMITS__UPLOAD_BYTES_PER_USER_DAY",
                "1125899906842625",
                "limits.upload_bytes_per_user_day",
            ),
        ] {
            let error = load(&[(variable, bad)]).unwrap_err().to_string();
            assert!(error.contains(key), "{bad}: {error}");
        }
        let proxies = load(&[("HTTP__TRUSTED_PROXIES", "127.0.0.1, 2001:db8::/32")]);
        assert_eq!(proxies.unwrap().trusted_proxies().unwrap().len(), 2);
        assert!(load(&[]).unwrap().trusted_proxies().unwrap().is_empty());
    }
}
