//! Why settings are refused. Each names the key, and where its value is from.

/// Why a process can't start with these settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file can't be read, or a value has the wrong type.
    #[error("settings: {0} (every key is explained in pkg/settings/defaults.toml)")]
    Read(#[from] config::ConfigError),
    /// The settings file is no TOML.
    #[error("settings: {path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong, and in which line.
        reason: String,
    },
    /// A key that no setting has.
    #[error(
        "settings: {key}: there is no such setting (set by: {origin}; every key is explained in pkg/settings/defaults.toml)"
    )]
    Unknown {
        /// `section.key`
        key: String,
        /// The file or the variable that has it.
        origin: String,
    },
    /// A variable that holds something else than text.
    #[error("settings: {variable}: the value of this environment variable is not UTF-8")]
    NotUtf8 {
        /// The variable.
        variable: String,
    },
    /// A value is outside its range or contradicts another.
    #[error("settings: {key}: {reason}")]
    Invalid {
        /// `section.key`
        key: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
}
