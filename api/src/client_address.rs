//! The client's address for the rate limits: the peer of the connection, or the one that a trusted proxy forwards.
//!
//! Anybody may send an `X-Forwarded-For`. Only the entries that trusted proxies have added are true: each adds the address of its own
//! peer on the right.

use std::net::{IpAddr, SocketAddr};

use http::{Extensions, HeaderMap};
use idl::base::Code;
use settings::Network;

use crate::error::ApiError;

/// The header that proxies write into.
const FORWARDED: &str = "x-forwarded-for";

/// The other end of a request's connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// The client's address, as the rate limits count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The address that the rate limit has put into a request.
    ///
    /// # Errors
    /// The request hasn't passed the rate limit: a bug.
    pub fn of(request: &Extensions) -> Result<Self, ApiError> {
        request.get().copied().ok_or_else(|| {
            tracing::error!("a request without an address");
            ApiError::new(Code::INTERNAL)
        })
    }
}

/// The client behind a connection from `peer`.
pub fn client_address(trusted: &[Network], peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
    let is_proxy = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut address = peer.to_canonical();
    // Several headers are one list. It isn't read when the peer is no proxy.
    let lines = headers.get_all(FORWARDED).iter().rev();
    let mut entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    while is_proxy(address)
        && let Some(entry) = entries.next()
    {
        // The entry is no address: the proxy counts as the client.
        let Some(forwarded) = parse(entry) else { break };
        address = forwarded;
    }
    ClientAddress(address)
}

/// An address as proxies write it, some of them with a port.
fn parse(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let address = text
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()))
        .or_else(|_| text.trim_start_matches('[').trim_end_matches(']').parse());
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// The client of a connection from `peer`, with these headers, where 10.0.0.0/8 and ::1 are proxies.
    fn client(peer: &str, forwarded: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "::1"].map(|network| network.parse().unwrap());
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED, HeaderValue::from_str(line).unwrap());
        }
        let ClientAddress(address) = client_address(&trusted, peer.parse().unwrap(), &headers);
        address.to_string()
    }

    #[test]
    fn a_stranger_is_who_it_is_whatever_it_says() {
        assert_eq!(client("192.0.2.1", &[]), "192.0.2.1");
        assert_eq!(client("192.0.2.1", &["203.0.113.1"]), "192.0.2.1");
        assert_eq!(client("::ffff:192.0.2.1", &["10.0.0.1"]), "192.0.2.1");
    }

    #[test]
    fn of_what_passed_proxies_the_last_stranger_is_the_client() {
        for (forwarded, expected) in [
            (&["203.0.113.1"][..], "203.0.113.1"),
            // The client wrote the entries further to the left.
            (&["198.51.100.9, 203.0.113.1"], "203.0.113.1"),
            (&["203.0.113.1, 10.1.1.1"], "203.0.113.1"),
            (&["198.51.100.9", "203.0.113.1 , 10.1.1.1"], "203.0.113.1"),
            (&["203.0.113.1:4711"], "203.0.113.1"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["2001:db8::1,::1"], "2001:db8::1"),
            (&["::ffff:203.0.113.1"], "203.0.113.1"),
            (&["10.1.1.1"], "10.1.1.1"),
            (&[], "10.0.0.7"),
        ] {
            assert_eq!(client("10.0.0.7", forwarded), expected, "{forwarded:?}");
        }
    }

    #[test]
    fn behind_what_is_no_address_nothing_is_believed() {
        for forwarded in [
            "unknown",
            "203.0.113.1, _hidden",
            "203.0.113.1,",
            "203.0.113.1 10.1.1.1",
        ] {
            assert_eq!(client("10.0.0.7", &[forwarded]), "10.0.0.7", "{forwarded}");
        }
        let passed = client("10.0.0.7", &["203.0.113.1, nonsense, 10.1.1.1"]);
        assert_eq!(passed, "10.1.1.1");
    }
}
