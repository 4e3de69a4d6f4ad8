//! The ranges of settings, and the rules between them, section by section.

mod network;
mod process;
mod processing;
mod stores;

use crate::{Settings, SettingsError};

/// Whether something holds, the key that is to blame if it doesn't, and what would be right.
type Check = (bool, &'static str, &'static str);

impl Settings {
    /// An error names the first key whose value is refused.
    pub(super) fn check_ranges(&self) -> Result<(), SettingsError> {
        let checks = [
            self.network_checks(),
            self.store_checks(),
            self.process_checks(),
            self.processing_checks(),
        ];
        match checks.into_iter().flatten().find(|(holds, ..)| !holds) {
            None => Ok(()),
            Some((_, key, reason)) => Err(SettingsError::Invalid {
                key,
                reason: reason.to_owned(),
            }),
        }
    }
}
