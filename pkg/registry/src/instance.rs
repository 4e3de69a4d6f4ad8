//! An instance as it stands in etcd. Fields and defaults are those of Kitex's etcd registry.

use std::{collections::HashMap, net::SocketAddr};

use serde::{Deserialize, Serialize};

/// What Kitex takes an instance's weight to be that gives none, or none above 0.
const DEFAULT_WEIGHT: u32 = 10;

/// One process that serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its share of the calls, 1 or more.
    pub weight: u32,
    /// Where it tells how it is, if it does; a tag in etcd.
    pub admin: Option<SocketAddr>,
}

/// The tag that holds [`Instance::admin`].
const ADMIN_TAG: &str = "admin";

/// The JSON of a key's value.
#[derive(Serialize, Deserialize)]
struct Value {
    network: String,
    address: String,
    #[serde(default)]
    weight: i64,
    #[serde(default)]
    tags: Option<HashMap<String, String>>,
}

impl Instance {
    /// An instance at `address` with this share of the calls; Kitex's usual one is 10.
    pub fn new(address: SocketAddr, weight: u32) -> Self {
        Self {
            address,
            weight,
            admin: None,
        }
    }

    pub(crate) fn to_json(&self) -> String {
        let value = Value {
            network: "tcp".to_owned(),
            address: self.address.to_string(),
            weight: i64::from(self.weight),
            tags: self
                .admin
                .map(|admin| HashMap::from([(ADMIN_TAG.to_owned(), admin.to_string())])),
        };
        // Strings and numbers always have a JSON form.
        serde_json::to_string(&value).unwrap_or_default()
    }

    /// None for what this process could not call: other networks than TCP, names in place of addresses, no such JSON.
    pub(crate) fn from_json(json: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(json).ok()?;
        if !value.network.starts_with("tcp") {
            return None;
        }
        let weight = u32::try_from(value.weight).unwrap_or(0);
        Some(Self {
            address: value.address.parse().ok()?,
            weight: if weight == 0 { DEFAULT_WEIGHT } else { weight },
            admin: value
                .tags
                .and_then(|tags| tags.get(ADMIN_TAG)?.parse().ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<(String, u32)> {
        Instance::from_json(json.as_bytes()).map(|i| (i.address.to_string(), i.weight))
    }

    #[test]
    fn what_kitex_writes_is_read() {
        let tagged =
            r#"{"network":"tcp","address":"10.0.0.1:8888","weight":5,"tags":{"zone":"a"}}"#;
        assert_eq!(read(tagged), Some(("10.0.0.1:8888".to_owned(), 5)));
        let bare = r#"{"network":"tcp","address":"[::1]:8888","weight":0,"tags":null}"#;
        assert_eq!(read(bare), Some(("[::1]:8888".to_owned(), 10)));
    }

    #[test]
    fn what_cannot_be_called_is_passed_over() {
        for json in [
            "",
            "{}",
            r#"{"network":"unix","address":"/tmp/a.sock","weight":10,"tags":null}"#,
            r#"{"network":"tcp","address":"nowhere","weight":10,"tags":null}"#,
        ] {
            assert_eq!(read(json), None, "{json}");
        }
    }

    #[test]
    fn what_is_written_has_every_field_of_kitex() {
        let instance = Instance::new("127.0.0.1:1234".parse().unwrap(), 10);
        assert_eq!(
            instance.to_json(),
            r#"{"network":"tcp","address":"127.0.0.1:1234","weight":10,"tags":null}"#
        );
    }

    #[test]
    fn where_an_instance_tells_how_it_is_travels_as_a_tag() {
        let instance = Instance {
            admin: Some("127.0.0.1:4321".parse().unwrap()),
            ..Instance::new("127.0.0.1:1234".parse().unwrap(), 10)
        };
        let json = instance.to_json();
        assert!(
            json.ends_with(r#""tags":{"admin":"127.0.0.1:4321"}}"#),
            "{json}"
        );
        assert_eq!(Instance::from_json(json.as_bytes()), Some(instance));
    }
}
