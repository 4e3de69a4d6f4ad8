//! Decodes a protobuf message into (field name, string) pairs, the form in which all parameters are parsed.

use idl::proto::{Field, Kind, Message};

/// The bytes are no such message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// They break off, or have a field in another form than the message says.
    Wire,
    /// A text that isn't UTF-8, by the name of its field.
    NotUtf8(&'static str),
}

/// Name and value of each field that the message has; one that is unknown is passed over. The last of several wins, as protobuf has it.
///
/// # Errors
/// See [`DecodeError`].
pub fn fields(
    mut bytes: &[u8],
    message: &'static Message,
) -> Result<Vec<(&'static str, String)>, DecodeError> {
    let mut found: Vec<(&'static str, String)> = Vec::new();
    while let Some((field, value)) = next(&mut bytes, message)? {
        let Some(field) = field else { continue };
        let text = match (field.kind, value) {
            (Kind::Int | Kind::Bool, Wire::Int(number)) => number.cast_signed().to_string(),
            (Kind::Text | Kind::Bytes, Wire::Bytes(bytes)) => match str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => return Err(DecodeError::NotUtf8(field.name)),
            },
            _ => return Err(DecodeError::Wire),
        };
        found.retain(|(name, _)| *name != field.name);
        found.push((field.name, text));
    }
    Ok(found)
}

/// A value as it was sent.
enum Wire<'a> {
    Int(u64),
    Bytes(&'a [u8]),
    /// Of a form that no field of ours has.
    Fixed,
}

type Sent<'a> = Option<(Option<&'static Field>, Wire<'a>)>;

/// The next field; none at the end.
fn next<'a>(bytes: &mut &'a [u8], message: &'static Message) -> Result<Sent<'a>, DecodeError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let tag = varint(bytes)?;
    let number = u32::try_from(tag >> 3).map_err(|_| DecodeError::Wire)?;
    if number == 0 {
        return Err(DecodeError::Wire);
    }
    let value = match tag & 7 {
        0 => Wire::Int(varint(bytes)?),
        1 => take(bytes, 8).map(|_| Wire::Fixed)?,
        2 => {
            let length = usize::try_from(varint(bytes)?).map_err(|_| DecodeError::Wire)?;
            Wire::Bytes(take(bytes, length)?)
        }
        5 => take(bytes, 4).map(|_| Wire::Fixed)?,
        _ => return Err(DecodeError::Wire),
    };
    let field = message.fields.iter().find(|field| field.number == number);
    Ok(Some((field, value)))
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], DecodeError> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or(DecodeError::Wire)?;
    *bytes = rest;
    Ok(taken)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(DecodeError::Wire)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(DecodeError::Wire)
}

/// A message as JSON, for tests.
#[cfg(test)]
pub fn to_json(
    mut bytes: &[u8],
    message: &'static Message,
) -> Result<serde_json::Value, DecodeError> {
    use idl::proto::Label;
    use serde_json::{Value, json};

    let mut object = serde_json::Map::new();
    while let Some((field, value)) = next(&mut bytes, message)? {
        let field = field.ok_or(DecodeError::Wire)?;
        let value = match (field.kind, value) {
            (Kind::Int, Wire::Int(number)) => json!(number.cast_signed()),
            (Kind::Bool, Wire::Int(number)) => json!(number != 0),
            (Kind::Text, Wire::Bytes(bytes)) => json!(String::from_utf8_lossy(bytes)),
            (Kind::Message(_), Wire::Bytes(bytes)) => {
                let inner = field.kind.message().ok_or(DecodeError::Wire)?;
                to_json(bytes, inner)?
            }
            _ => return Err(DecodeError::Wire),
        };
        match field.label {
            Label::Repeated => {
                let list = object.entry(field.name).or_insert_with(|| json!([]));
                if let Value::Array(items) = list {
                    items.push(value);
                }
            }
            _ => drop(object.insert(field.name.to_owned(), value)),
        }
    }
    Ok(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> &'static Message {
        idl::proto::request_of("/douyin/user/login/").unwrap()
    }

    #[test]
    fn fields_are_read_by_their_numbers_and_unknown_ones_passed_over() {
        let sent =
            b"\x12\x03abc\x0a\x01x\x0a\x02yz\x98\x06\x07\xa5\x06\0\0\0\0\xa9\x06\0\0\0\0\0\0\0\0";
        let read = fields(sent, login()).unwrap();
        assert_eq!(
            read,
            [
                ("password", "abc".to_owned()),
                ("username", "yz".to_owned())
            ]
        );
        let list = idl::proto::request_of("/douyin/publish/list").unwrap();
        let negative = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(
            fields(negative, list).unwrap(),
            [("user_id", "-1".to_owned())]
        );
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bytes in [
            &b"\x0a"[..],
            b"\x0a\x05abc",
            b"\x08\x07",
            b"\x00\x01",
            b"\x0b",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x",
        ] {
            assert_eq!(fields(bytes, login()), Err(DecodeError::Wire), "{bytes:?}");
        }
        let text = fields(b"\x0a\x01\xff", login());
        assert_eq!(text, Err(DecodeError::NotUtf8("username")));
    }
}
