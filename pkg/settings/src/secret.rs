//! Values that are shown masked.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A value that no log and no error message shows.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What may be shown of it: of a URL everything but the password, of anything else whether it is set.
    fn masked(&self) -> String {
        let value = self.expose();
        match value.split_once("://") {
            // A password may hold anything, also an unescaped "@": the last one ends it.
            Some((scheme, rest)) => match rest.rsplit_once('@') {
                Some((user, place)) => {
                    let user = user.split_once(':').map_or(user, |(user, _)| user);
                    format!("{scheme}://{user}:***@{place}")
                }
                None => value.to_owned(),
            },
            None if value.is_empty() => String::new(),
            None => "***".to_owned(),
        }
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_str(&self.masked())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}
