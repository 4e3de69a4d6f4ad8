//! Parses a JSON body: one object whose values are strings, numbers, booleans or null. A nested value is recorded without its content. Of
//! the members beyond the limit only the first is kept. [`super::body`] refuses the request for either.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::values::MAX_PARAMETERS;

/// The members of an object in their order: at most one more than a request may have.
pub struct Object(pub Vec<(String, Value)>);

/// What a member holds.
pub enum Value {
    /// Nothing.
    Null,
    /// A text, or a number or boolean as text.
    Text(String),
    /// An object or an array.
    Nested,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut members = Vec::new();
        while members.len() <= MAX_PARAMETERS {
            match map.next_entry()? {
                Some(member) => members.push(member),
                None => return Ok(Object(members)),
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Object(members))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Text(flag.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Text(number.to_string()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Text(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        // As JSON writes it: with an exponent when it is large.
        let number = Number::from_f64(number).ok_or_else(|| E::custom("not a number"))?;
        Ok(Value::Text(number.to_string()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Nested)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Nested)
    }
}

#[cfg(test)]
mod tests {
    use crate::params::{MAX_PARAMETERS, Params};

    fn read(json: &str) -> Result<Params, String> {
        let mut params = Params::default();
        let added = params.add_json(json.as_bytes());
        added.map(|()| params).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_texts_and_booleans_are_parameters() {
        let params = read(
            r#"{"a": "x\ny", "b": 42, "c": -1, "d": 1e+06, "e": true, "f": null, "g": 18446744073709551615, "a": "later"}"#,
        )
        .unwrap();
        assert_eq!(params.text("a").unwrap(), "x\ny");
        for (name, number) in [("b", 42), ("c", -1), ("d", 1_000_000)] {
            assert_eq!(params.whole(name).unwrap(), number, "{name}");
        }
        assert_eq!(params.text("e").unwrap(), "true");
        assert!(params.text("f").is_err());
        assert!(params.whole("g").is_err());
    }

    #[test]
    fn what_is_nested_is_refused_by_its_name() {
        for json in [r#"{"a": 1, "inner": {"b": [1]}}"#, r#"{"inner": [[], {}]}"#] {
            let error = read(json).err().unwrap();
            assert!(
                error.contains("inner: must be a text or a number"),
                "{error}"
            );
        }
    }

    #[test]
    fn an_object_of_too_many_members_is_refused() {
        let members = |count: usize| {
            let members: Vec<_> = (0..count).map(|n| format!(r#""p{n}": {n}"#)).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(read(&members(MAX_PARAMETERS)).is_ok());
        for count in [MAX_PARAMETERS + 1, 50_000] {
            let error = read(&members(count)).err().unwrap();
            assert!(error.contains("JSON body: has more than 64"), "{error}");
        }
        assert!(read(&members(1000).replace("\"p900\":", "\"p900\"")).is_err());
    }
}
