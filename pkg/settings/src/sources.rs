//! Reads the settings from their sources and remembers which source decided each value.

use std::{
    collections::{BTreeSet, HashMap},
    ffi::OsString,
    fmt::{self, Write as _},
    path::PathBuf,
};

use config::{Config, ConfigError, Environment, File, FileFormat, Source as _, Value, ValueKind};

use crate::{DEFAULTS, FILE_VARIABLE, Settings, SettingsError};

/// What a process reads its settings from, besides the defaults.
pub(crate) struct Sources {
    pub(crate) file: Option<PathBuf>,
    pub(crate) variables: HashMap<String, String>,
}

/// Who decided the value of a key.
enum Origin {
    Default,
    File(PathBuf),
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

impl Sources {
    /// The file that [`FILE_VARIABLE`] names, and the environment.
    pub(crate) fn of_process() -> Result<Self, SettingsError> {
        Ok(Self {
            file: std::env::var_os(FILE_VARIABLE).map(PathBuf::from),
            variables: ours(std::env::vars_os())?,
        })
    }

    /// All of them together, checked.
    pub(crate) fn settings(&self) -> Result<Settings, SettingsError> {
        let mut builder = Config::builder().add_source(defaults());
        if let Some(file) = self.file_source() {
            builder = builder.add_source(file);
        }
        let all = builder
            .add_source(self.environment())
            .build()
            .map_err(unreadable)?;
        self.refuse_unknown(&all.cache)?;
        let mut settings: Settings = all.try_deserialize()?;
        settings.check().map_err(|error| match error {
            SettingsError::Invalid { key, reason } => SettingsError::Invalid {
                key,
                reason: format!("{reason} (set by: {})", self.origin(key)),
            },
            error => error,
        })?;
        settings.spread_ca_file();
        Ok(settings)
    }

    /// The settings as TOML, in the order of `defaults.toml`, secrets masked, behind each who decided it.
    pub(crate) fn explain(&self) -> Result<String, SettingsError> {
        let settings = serde_json::to_value(self.settings()?).unwrap_or_default();
        let (mut text, mut section) = (String::new(), "");
        for line in DEFAULTS.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                section = name;
                let _ = writeln!(text, "\n{line}");
            } else if let Some((name, _)) =
                line.split_once(" = ").filter(|_| !line.starts_with('#'))
            {
                let (value, key) = match section {
                    "" => (settings.get(name), name.to_owned()),
                    _ => {
                        let value = settings.get(section).and_then(|s| s.get(name));
                        (value, format!("{section}.{name}"))
                    }
                };
                let value = value.unwrap_or_default().to_string();
                let shown = format!("{name} = {value}");
                let _ = writeln!(text, "{shown:<56} # {}", self.origin(&key));
            }
        }
        Ok(text)
    }

    fn file_source(&self) -> Option<File<config::FileSourceFile, FileFormat>> {
        let path = self.file.clone()?;
        Some(File::from(path).format(FileFormat::Toml))
    }

    fn environment(&self) -> Environment {
        Environment::with_prefix("DOUSHENG")
            .prefix_separator("_")
            .separator("__")
            .source(Some(self.variables.clone()))
    }

    /// The last source that has the key decides it.
    fn origin(&self, key: &str) -> Origin {
        let variable = format!("DOUSHENG_{}", key.replace('.', "__"));
        let mut names = self.variables.keys();
        if let Some(name) = names.find(|name| name.eq_ignore_ascii_case(&variable)) {
            return Origin::Variable(name.clone());
        }
        let in_file = self.file_source().and_then(|file| file.collect().ok());
        match &self.file {
            Some(path) if in_file.is_some_and(|values| keys(&values).contains(key)) => {
                Origin::File(path.clone())
            }
            _ => Origin::Default,
        }
    }

    /// Names a key that no setting has.
    fn refuse_unknown(&self, all: &Value) -> Result<(), SettingsError> {
        let known = keys(&defaults().collect().map_err(unreadable)?);
        let is_section = |key: &str| {
            let prefix = format!("{key}.");
            known.iter().any(|known| known.starts_with(&prefix))
        };
        let given = match &all.kind {
            ValueKind::Table(table) => keys(table),
            _ => BTreeSet::new(),
        };
        let unknown = |key: &String| !known.contains(key) && !is_section(key);
        match given.into_iter().find(unknown) {
            Some(key) => Err(SettingsError::Unknown {
                origin: self.origin(&key).to_string(),
                key,
            }),
            None => Ok(()),
        }
    }
}

impl Settings {
    /// Reads defaults, the file named by `FILE_VARIABLE` if set, and `DOUSHENG_<SECTION>__<KEY>` variables; checks them.
    pub fn load() -> Result<Self, SettingsError> {
        Sources::of_process()?.settings()
    }

    /// What [`load`](Self::load) gives, as TOML for people: secrets masked, behind each value who decided it.
    pub fn explain() -> Result<String, SettingsError> {
        Sources::of_process()?.explain()
    }
}

fn defaults() -> File<config::FileSourceString, FileFormat> {
    File::from_str(DEFAULTS, FileFormat::Toml)
}

/// The settings among a process's variables. The others may hold whatever they like.
pub(crate) fn ours(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<HashMap<String, String>, SettingsError> {
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| is_setting(name))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(SettingsError::NotUtf8 { variable: name }),
        })
        .collect()
}

/// Variables of scripts and tests carry one underscore; a setting outside a section has none.
fn is_setting(variable: &str) -> bool {
    let name = variable.to_ascii_uppercase();
    name == "DOUSHENG_ENVIRONMENT" || (name.starts_with("DOUSHENG_") && name.contains("__"))
}

/// The dotted keys of all values in a table and in the tables in it.
pub(crate) fn keys(table: &config::Map<String, Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (key, value) in table {
        match &value.kind {
            ValueKind::Table(inner) => {
                found.extend(keys(inner).iter().map(|name| format!("{key}.{name}")));
            }
            _ => _ = found.insert(key.clone()),
        }
    }
    found
}

/// A file that is no TOML is shown by the place of its fault, not by the line that has it: it may hold a secret.
fn unreadable(error: ConfigError) -> SettingsError {
    match error {
        ConfigError::FileParse { uri, cause } => {
            let text = cause.to_string();
            let words: Vec<&str> = text.lines().filter(|line| !line.contains('|')).collect();
            SettingsError::File {
                path: uri.unwrap_or_default(),
                reason: words.join(": "),
            }
        }
        error => error.into(),
    }
}
