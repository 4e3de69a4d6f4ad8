//! Writes what serde serialises as a message of protobuf, by the names of its fields.

use std::fmt;

use idl::proto::{Field, Kind, Label, Message};
use serde::{
    Serialize, Serializer,
    ser::{Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple},
};

/// A varint; and what has its length before it.
const WIRE_VARINT: u8 = 0;
const WIRE_LEN: u8 = 2;

/// The message with this content. What `content` has and the message hasn't is left out; what is required and not there is sent empty, so that a
/// decoder takes also the reply to a request that failed.
pub fn encode<T: Serialize + ?Sized>(content: &T, message: &'static Message) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let root = Value {
        target: Target::Root(message),
        out: &mut out,
    };
    // The reply types hold nothing that this can't write.
    let _ = content.serialize(root);
    out
}

/// Why a value can't be written: its type isn't what the message has there.
#[derive(Debug)]
struct EncodeError(String);

impl fmt::Display for EncodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for EncodeError {}

impl serde::ser::Error for EncodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

fn other_type<T>(what: &str) -> Result<T, EncodeError> {
    Err(EncodeError(format!(
        "{what} is not what the message has there"
    )))
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn tag(field: &Field, wire: u8, out: &mut Vec<u8>) {
    varint(u64::from(field.number) << 3 | u64::from(wire), out);
}

fn int(field: &Field, value: i64, out: &mut Vec<u8>) {
    tag(field, WIRE_VARINT, out);
    varint(value.cast_unsigned(), out);
}

fn bytes(field: &Field, value: &[u8], out: &mut Vec<u8>) {
    tag(field, WIRE_LEN, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// What is required and wasn't there.
fn empty(field: &'static Field, out: &mut Vec<u8>) {
    match field.kind {
        Kind::Int | Kind::Bool => int(field, 0, out),
        Kind::Text | Kind::Bytes => bytes(field, b"", out),
        Kind::Message(_) => {
            let mut content = Vec::new();
            let required = field
                .kind
                .message()
                .into_iter()
                .flat_map(|message| message.fields);
            for field in required.filter(|field| field.label == Label::Required) {
                empty(field, &mut content);
            }
            bytes(field, &content, out);
        }
    }
}

/// Where a value goes.
#[derive(Clone, Copy)]
enum Target {
    /// The whole message: it has no tag and no length.
    Root(&'static Message),
    Field(&'static Field),
}

/// Where one value is written.
struct Value<'a> {
    target: Target,
    out: &'a mut Vec<u8>,
}

impl<'a> Value<'a> {
    /// The field that takes a value of one of these kinds.
    fn field(&self, kinds: &[Kind], what: &str) -> Result<&'static Field, EncodeError> {
        match self.target {
            Target::Field(field) if kinds.contains(&field.kind) => Ok(field),
            _ => Err(EncodeError(format!(
                "{what} is not what the message has there"
            ))),
        }
    }

    fn number(self, value: i64) -> Result<(), EncodeError> {
        let field = self.field(&[Kind::Int, Kind::Text], "a number")?;
        match field.kind {
            Kind::Int => int(field, value, self.out),
            // Of a message's time the contract's document has digits.
            _ => bytes(field, value.to_string().as_bytes(), self.out),
        }
        Ok(())
    }

    fn fields(self) -> Result<Fields<'a>, EncodeError> {
        let message = match self.target {
            Target::Root(message) => Some(message),
            Target::Field(field) => field.kind.message(),
        };
        let Some(message) = message else {
            return other_type("an object");
        };
        Ok(Fields {
            target: self.target,
            message,
            content: Vec::with_capacity(128),
            written: 0,
            next: 0,
            named: None,
            out: self.out,
        })
    }
}

/// The fields of a message, as they come. They are kept until its length is known.
struct Fields<'a> {
    target: Target,
    message: &'static Message,
    content: Vec<u8>,
    /// A bit for each field that was written.
    written: u64,
    /// Fields mostly come in the order of the message.
    next: usize,
    /// The field that a map has just named.
    named: Option<(usize, &'static Field)>,
    out: &'a mut Vec<u8>,
}

impl Fields<'_> {
    fn find(&mut self, name: &str) -> Option<(usize, &'static Field)> {
        let fields = self.message.fields;
        let indexes = (self.next..fields.len()).chain(0..self.next);
        let mut indexes = indexes.filter_map(|index| Some((index, fields.get(index)?)));
        let found = indexes.find(|(_, field)| field.name == name)?;
        self.next = found.0 + 1;
        Some(found)
    }

    fn write<T: Serialize + ?Sized>(
        &mut self,
        found: Option<(usize, &'static Field)>,
        value: &T,
    ) -> Result<(), EncodeError> {
        let Some((index, field)) = found else {
            return Ok(());
        };
        self.written |= bit(index);
        value.serialize(Value {
            target: Target::Field(field),
            out: &mut self.content,
        })
    }

    fn finish(mut self) {
        for (index, field) in self.message.fields.iter().enumerate() {
            if field.label == Label::Required && self.written & bit(index) == 0 {
                empty(field, &mut self.content);
            }
        }
        match self.target {
            Target::Root(_) => self.out.append(&mut self.content),
            Target::Field(field) => bytes(field, &self.content, self.out),
        }
    }
}

/// No message has as many fields as this has bits.
fn bit(index: usize) -> u64 {
    u32::try_from(index)
        .ok()
        .and_then(|index| 1_u64.checked_shl(index))
        .unwrap_or(0)
}

macro_rules! numbers {
    ($($method:ident: $type:ty),+) => {$(
        fn $method(self, value: $type) -> Result<(), EncodeError> {
            self.number(i64::try_from(value).unwrap_or(i64::MAX))
        }
    )+};
}

impl<'a> Serializer for Value<'a> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Impossible<(), EncodeError>;
    type SerializeTupleVariant = Impossible<(), EncodeError>;
    type SerializeMap = Fields<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Impossible<(), EncodeError>;

    numbers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u64: u64);

    fn serialize_bool(self, value: bool) -> Result<(), EncodeError> {
        let field = self.field(&[Kind::Bool], "a truth value")?;
        int(field, i64::from(value), self.out);
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), EncodeError> {
        let field = self.field(&[Kind::Text, Kind::Bytes], "a text")?;
        bytes(field, value.as_bytes(), self.out);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), EncodeError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, EncodeError> {
        Ok(Items(self))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, EncodeError> {
        Ok(Items(self))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Fields<'a>, EncodeError> {
        self.fields()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>, EncodeError> {
        self.fields()
    }

    fn serialize_f32(self, _: f32) -> Result<(), EncodeError> {
        other_type("a fraction")
    }

    fn serialize_f64(self, _: f64) -> Result<(), EncodeError> {
        other_type("a fraction")
    }

    fn serialize_char(self, value: char) -> Result<(), EncodeError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), EncodeError> {
        let field = self.field(&[Kind::Bytes], "bytes")?;
        bytes(field, value, self.out);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), EncodeError> {
        Ok(())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), EncodeError> {
        other_type("a variant")
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, EncodeError> {
        other_type("a tuple")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, EncodeError> {
        other_type("a variant")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, EncodeError> {
        other_type("a variant")
    }
}

/// The items of a repeated field, each with the field's tag.
struct Items<'a>(Value<'a>);

impl Items<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        let Value { target, out } = &mut self.0;
        value.serialize(Value {
            target: *target,
            out,
        })
    }
}

impl SerializeSeq for Items<'_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.item(value)
    }

    fn end(self) -> Result<(), EncodeError> {
        Ok(())
    }
}

impl SerializeTuple for Items<'_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.item(value)
    }

    fn end(self) -> Result<(), EncodeError> {
        Ok(())
    }
}

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        let found = self.find(name);
        self.write(found, value)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.finish();
        Ok(())
    }
}

impl SerializeMap for Fields<'_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        // A key of JSON is a text.
        let name = serde_json::to_value(key).map_err(serde::ser::Error::custom)?;
        self.named = name.as_str().and_then(|name| self.find(name));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        let found = self.named.take();
        self.write(found, value)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.finish();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
