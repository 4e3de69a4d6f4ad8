//! The parameters of one request as strings, from its query string, its body and two headers.
//!
//! Invariant: the query wins over the body; within one location the first value wins. A request has at most [`MAX_PARAMETERS`], known or not.

use std::{borrow::Cow, collections::HashMap};

use http::{HeaderMap, HeaderValue, header};
use percent_encoding::percent_decode;

use super::number::{NotWhole, parse_whole};
use crate::{error::ApiError, i18n::Rule};

/// The name of the token as a parameter.
pub const TOKEN: &str = "token";
/// The header with which a client makes the repetition of a write harmless.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// Most parameters that a request may have, in all locations together.
pub const MAX_PARAMETERS: usize = 64;

/// The parameters of one request.
#[derive(Debug, Default)]
pub struct Params {
    values: HashMap<String, String>,
    /// How many were read, including repeated ones.
    read: usize,
    bearer: Option<String>,
    idempotency_key: Option<HeaderValue>,
}

impl Params {
    /// The parameters that the head of a request has.
    ///
    /// # Errors
    /// The query string is malformed or has too many of them.
    pub fn from_head(query: &str, headers: &HeaderMap) -> Result<Self, ApiError> {
        Ok(Self {
            bearer: bearer(headers).map(str::to_owned),
            idempotency_key: headers.get(IDEMPOTENCY_KEY).cloned(),
            ..Self::from_query(query)?
        })
    }

    /// The token: as a parameter, which wins, or as `Authorization: Bearer`. An empty one counts as missing.
    pub fn token(&self) -> Option<&str> {
        self.filled(TOKEN).or(self.bearer.as_deref())
    }

    pub(super) fn idempotency_key(&self) -> Option<&HeaderValue> {
        self.idempotency_key.as_ref()
    }

    /// The parameters of a query string.
    pub fn from_query(query: &str) -> Result<Self, ApiError> {
        let mut params = Self::default();
        params.add_urlencoded(query.as_bytes(), "query string")?;
        Ok(params)
    }

    /// Adds a parameter unless an earlier location named it.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.values
            .entry(name.into())
            .or_insert_with(|| value.into());
    }

    /// Counts one more parameter; an error names `location`.
    pub(super) fn count(&mut self, location: &str) -> Result<(), ApiError> {
        self.read += 1;
        match self.read > MAX_PARAMETERS {
            true => {
                let rule = Rule::TooManyParameters(MAX_PARAMETERS);
                Err(ApiError::bad_parameter(location, rule))
            }
            false => Ok(()),
        }
    }

    /// Adds what `application/x-www-form-urlencoded` text holds; `location` names it in an error.
    pub(super) fn add_urlencoded(&mut self, text: &[u8], location: &str) -> Result<(), ApiError> {
        for pair in text
            .split(|byte| *byte == b'&')
            .filter(|pair| !pair.is_empty())
        {
            self.count(location)?;
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (
                halves.next().unwrap_or_default(),
                halves.next().unwrap_or_default(),
            );
            let malformed = || ApiError::bad_parameter(location, Rule::Malformed);
            let name = decode(name).ok_or_else(malformed)?;
            let value = decode(value).ok_or_else(malformed)?;
            self.add(name, value);
        }
        Ok(())
    }

    /// A text that must be there, though it may be empty.
    pub fn text(&self, name: &str) -> Result<&str, ApiError> {
        self.values
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| ApiError::missing(name))
    }

    /// A value that counts as missing when it is empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// A whole number. An empty value counts as missing.
    pub fn whole(&self, name: &str) -> Result<i64, ApiError> {
        let text = self.filled(name).ok_or_else(|| ApiError::missing(name))?;
        parse_whole(text).map_err(|reason| {
            let rule = match reason {
                NotWhole::NotANumber => Rule::NotANumber,
                NotWhole::Fraction => Rule::Fraction,
                NotWhole::OutOfRange => Rule::OutOfRange,
            };
            ApiError::bad_parameter(name, rule)
        })
    }

    /// An id: a whole number from 1 up.
    pub fn id(&self, name: &str) -> Result<i64, ApiError> {
        match self.whole(name)? {
            id if id < 1 => Err(ApiError::bad_parameter(name, Rule::BelowOne)),
            id => Ok(id),
        }
    }
}

/// The token of an `Authorization: Bearer` header; an empty one counts as missing.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The first value of a parameter in a query string, unless it is empty. The other parameters aren't decoded.
pub fn in_query(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some(halves) => halves,
        None => (pair, ""),
    });
    let mut named = pairs.filter(|(given, _)| {
        *given == name || given.contains('%') && decode(given.as_bytes()).as_deref() == Some(name)
    });
    let (_, value) = named.next()?;
    decode(value.as_bytes()).filter(|value| !value.is_empty())
}

/// Decodes one name or value; `None` when an escape is broken or the bytes are not UTF-8.
fn decode(text: &[u8]) -> Option<String> {
    let escapes_are_whole = text
        .split(|byte| *byte == b'%')
        .skip(1)
        .all(|rest| matches!(rest, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()));
    if !escapes_are_whole {
        return None;
    }
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_decode(&spaced)
        .decode_utf8()
        .ok()
        .map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_text_is_decoded() {
        let params = Params::from_query("title=%E4%BD%A0+a%2Bb&empty=&bare").unwrap();
        assert_eq!(params.text("title").unwrap(), "你 a+b");
        assert_eq!(params.text("empty").unwrap(), "");
        assert_eq!(params.filled("empty"), None);
        assert_eq!(params.text("bare").unwrap(), "");
    }

    #[test]
    fn a_broken_escape_or_encoding_is_refused() {
        for query in ["a=%", "a=%4", "a=%zz", "%g1=1", "a=%ff"] {
            assert!(Params::from_query(query).is_err(), "{query}");
        }
    }

    #[test]
    fn one_parameter_is_found_as_all_are() {
        for query in [
            "",
            "token",
            "token=",
            "token=a",
            "token=a&token=b",
            "token=&token=b",
            "x=1&tok%65n=a%2Bb+c&token=d",
            "tokens=x&token=a=b",
        ] {
            let all = Params::from_query(query).unwrap();
            let found = in_query(query, "token");
            assert_eq!(found.as_deref(), all.filled("token"), "{query}");
        }
        assert_eq!(in_query("token=%zz", "token"), None);
    }

    #[test]
    fn a_query_of_too_many_parameters_is_refused() {
        let query = "a=1&".repeat(MAX_PARAMETERS);
        assert!(Params::from_query(&query).is_ok());
        let error = Params::from_query(&(query + "b")).unwrap_err().to_string();
        assert!(error.contains("query string: has more than 64"), "{error}");
    }

    #[test]
    fn the_first_value_wins() {
        let mut params = Params::from_query("a=1&a=2").unwrap();
        params.add("a", "3");
        assert_eq!(params.text("a").unwrap(), "1");
    }
}
