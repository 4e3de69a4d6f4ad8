//! The name of this process in logs, metrics and traces.

use std::sync::OnceLock;

static NAME: OnceLock<String> = OnceLock::new();

/// Sets the name; only the first call has an effect.
pub(crate) fn set_name(name: &str) {
    NAME.get_or_init(|| name.to_owned());
}

/// The name; empty before [`set_name`].
pub(crate) fn name() -> &'static str {
    NAME.get().map_or("", String::as_str)
}
