//! An instance as it is stored in etcd. Fields and defaults are those of Kitex's etcd registry.

use std::{
    collections::BTreeMap,
    net::{Ipv6Addr, SocketAddr},
};

use serde::{Deserialize, Serialize};

/// The weight of an instance without a positive weight, as in Kitex.
const DEFAULT_WEIGHT: u32 = 10;

/// One process that serves a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its share of the calls, 1 or more.
    pub weight: u32,
    /// The address of its admin port, if it has one; a tag in etcd.
    pub admin: Option<SocketAddr>,
}

/// The tag that holds [`Instance::admin`].
const ADMIN_TAG: &str = "admin";
/// The tag that holds the signature of the registration.
const SIGNATURE_TAG: &str = "signature";

/// The JSON of a key's value.
#[derive(Serialize, Deserialize)]
struct Value {
    network: String,
    address: String,
    #[serde(default)]
    weight: i64,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
}

impl Instance {
    /// An instance at `address` with this weight; Kitex's default is 10.
    pub fn new(address: SocketAddr, weight: u32) -> Self {
        Self {
            address,
            weight,
            admin: None,
        }
    }

    pub(crate) fn to_json(&self, signature: Option<String>) -> String {
        let admin = self.admin.map(|admin| (ADMIN_TAG, admin.to_string()));
        let signature = signature.map(|signature| (SIGNATURE_TAG, signature));
        let tags: BTreeMap<_, _> = [admin, signature]
            .into_iter()
            .flatten()
            .map(|(tag, value)| (tag.to_owned(), value))
            .collect();
        let value = Value {
            network: "tcp".to_owned(),
            address: self.address.to_string(),
            weight: i64::from(self.weight),
            tags: (!tags.is_empty()).then_some(tags),
        };
        // Strings and numbers always have a JSON form.
        serde_json::to_string(&value).unwrap_or_default()
    }

    /// Parses the value of a key. The error says why the instance can't be used. `is_trusted` decides by address and signature.
    pub(crate) fn from_json(
        json: &[u8],
        is_trusted: impl FnOnce(SocketAddr, Option<&str>) -> bool,
    ) -> Result<Self, &'static str> {
        let value: Value = serde_json::from_slice(json)
            .map_err(|_| "it isn't the JSON that Kitex's registry writes")?;
        if !value.network.starts_with("tcp") {
            return Err("its network isn't tcp");
        }
        let address =
            parse_address(&value.address).ok_or("its address isn't an IP address and a port")?;
        let tags = value.tags.unwrap_or_default();
        if !is_trusted(address, tags.get(SIGNATURE_TAG).map(String::as_str)) {
            return Err(
                "it isn't signed with our rpc.secret; a service that doesn't sign is named in rpc.unsigned_services",
            );
        }
        let weight = u32::try_from(value.weight).unwrap_or(0);
        Ok(Self {
            address,
            weight: if weight == 0 { DEFAULT_WEIGHT } else { weight },
            admin: tags.get(ADMIN_TAG).and_then(|admin| admin.parse().ok()),
        })
    }
}

/// Kitex's registry leaves the brackets of IPv6 away: `::1:8888` is port 8888 of `::1`.
fn parse_address(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| {
        let (host, port) = text.rsplit_once(':')?;
        let host: Ipv6Addr = host.parse().ok()?;
        Some((host, port.parse().ok()?).into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<(String, u32)> {
        let instance = Instance::from_json(json.as_bytes(), |_, _| true).ok()?;
        Some((instance.address.to_string(), instance.weight))
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
    fn ipv6_is_read_without_its_brackets_as_kitex_writes_it() {
        let at = |address: &str| {
            let json =
                format!(r#"{{"network":"tcp","address":"{address}","weight":5,"tags":null}}"#);
            read(&json).map(|(address, _)| address)
        };
        for (written, address) in [
            ("::1:8888", "[::1]:8888"),
            ("2001:db8::7:9000", "[2001:db8::7]:9000"),
            ("2001:db8:1:2:3:4:5:6:9000", "[2001:db8:1:2:3:4:5:6]:9000"),
            ("[2001:db8::7]:9000", "[2001:db8::7]:9000"),
        ] {
            assert_eq!(at(written).as_deref(), Some(address), "{written}");
        }
        for written in ["::1", "::1:65536", "::1:", "[::1:8888", ":8888", "db8:8888"] {
            assert_eq!(at(written), None, "{written}");
        }
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
            instance.to_json(None),
            r#"{"network":"tcp","address":"127.0.0.1:1234","weight":10,"tags":null}"#
        );
    }

    #[test]
    fn where_an_instance_tells_how_it_is_travels_as_a_tag() {
        let instance = Instance {
            admin: Some("127.0.0.1:4321".parse().unwrap()),
            ..Instance::new("127.0.0.1:1234".parse().unwrap(), 10)
        };
        let json = instance.to_json(None);
        assert!(
            json.ends_with(r#""tags":{"admin":"127.0.0.1:4321"}}"#),
            "{json}"
        );
        let read = Instance::from_json(json.as_bytes(), |_, signature| signature.is_none());
        assert_eq!(read, Ok(instance));
    }

    #[test]
    fn a_signature_travels_as_a_tag_and_decides_whether_an_instance_is_read() {
        let instance = Instance {
            admin: Some("127.0.0.1:4321".parse().unwrap()),
            ..Instance::new("127.0.0.1:1234".parse().unwrap(), 10)
        };
        let json = instance.to_json(Some("ours".to_owned()));
        assert!(
            json.ends_with(r#""tags":{"admin":"127.0.0.1:4321","signature":"ours"}}"#),
            "{json}"
        );
        let read = |signed: bool| {
            Instance::from_json(json.as_bytes(), |address, signature| {
                assert_eq!((address.port(), signature), (1234, Some("ours")));
                signed
            })
        };
        assert_eq!(read(true), Ok(instance.clone()));
        let refused = read(false).unwrap_err();
        assert!(refused.contains("rpc.unsigned_services"), "{refused}");
    }
}
