//! Requests that are decoded without trust in what their bytes declare: that happens before the caller's proof is checked.
//!
//! Generated code allocates what a list or map declares, reads its elements by the types of the .thrift file whatever the message says, and
//! takes every text for UTF-8. Only the lengths and texts that it reads itself tell what it does, so they are checked as it reads them.

use pilota::{
    FastStr,
    thrift::{
        ProtocolExceptionKind, TAsyncInputProtocol, TFieldIdentifier, TInputProtocol,
        TLengthProtocol, TListIdentifier, TMapIdentifier, TMessageIdentifier, TOutputProtocol,
        TSetIdentifier, TStructIdentifier, TType, ThriftException, new_protocol_exception,
    },
};
use volo_thrift::{Bytes, EntryMessage};

/// Elements of a list, set or map at most. The rules of the .thrift files allow 5,000; a request that breaks them is told so.
///
/// The bytes of the message are no bound alone: they may be counted by smaller types than those for which generated code takes memory.
const MAX_COUNT: usize = 1 << 16;
const TOO_LONG: &str = "a declared length exceeds the message";

/// A request, and whether all its texts were UTF-8.
pub(crate) struct Strict<R> {
    pub(crate) request: R,
    pub(crate) texts_are_utf8: bool,
}

/// In a call's context when a text of its request wasn't UTF-8.
pub(crate) struct NotUtf8;

impl<R: EntryMessage> EntryMessage for Strict<R> {
    fn encode<T: TOutputProtocol>(&self, protocol: &mut T) -> Result<(), ThriftException> {
        self.request.encode(protocol)
    }

    fn decode<T: TInputProtocol>(
        protocol: &mut T,
        ident: &TMessageIdentifier,
    ) -> Result<Self, ThriftException> {
        let mut protocol = StrictProtocol {
            inner: protocol,
            texts_are_utf8: true,
        };
        let request = R::decode(&mut protocol, ident)?;
        Ok(Self {
            request,
            texts_are_utf8: protocol.texts_are_utf8,
        })
    }

    async fn decode_async<T: TAsyncInputProtocol>(
        _: &mut T,
        _: &TMessageIdentifier,
    ) -> Result<Self, ThriftException> {
        // A length can only be compared with a message that is there.
        Err(refused(TOO_LONG))
    }

    fn size<T: TLengthProtocol>(&self, protocol: &mut T) -> usize {
        self.request.size(protocol)
    }
}

/// The binary protocol, with every declared length compared with the bytes that are left.
///
/// Nested values need no check of their own: the .thrift files have no recursive type, and what they don't know is skipped to the limited
/// depth of [`TInputProtocol::skip`].
struct StrictProtocol<'a, T> {
    inner: &'a mut T,
    texts_are_utf8: bool,
}

impl<T: TInputProtocol> StrictProtocol<'_, T> {
    /// Refuses more elements than any request has, or than the rest of the message could hold.
    fn check_count(&mut self, count: usize, min_bytes: usize) -> Result<(), ThriftException> {
        self.check_length(count.saturating_mul(min_bytes))?;
        match count <= MAX_COUNT {
            true => Ok(()),
            false => Err(refused("a declared count exceeds that of any request")),
        }
    }

    fn check_length(&mut self, bytes: usize) -> Result<(), ThriftException> {
        match bytes <= self.remaining() {
            true => Ok(()),
            false => Err(refused(TOO_LONG)),
        }
    }

    fn remaining(&mut self) -> usize {
        pilota::Buf::remaining(self.inner.buf())
    }
}

fn refused(reason: &'static str) -> ThriftException {
    new_protocol_exception(ProtocolExceptionKind::SizeLimit, reason)
}

/// The fewest bytes that a value of this type takes. None takes no byte.
fn min_bytes(element: TType) -> usize {
    match element {
        TType::I16 => 2,
        TType::I32 | TType::Binary => 4,
        TType::I64 | TType::Double => 8,
        TType::Uuid => 16,
        TType::List | TType::Set => 5,
        TType::Map => 6,
        _ => 1,
    }
}

/// Methods that need no check.
macro_rules! delegate {
    ($($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&mut self, $($arg: $type),*) -> $result {
            self.inner.$name($($arg),*)
        })*
    };
}

impl<T: TInputProtocol> TInputProtocol for StrictProtocol<'_, T> {
    type Buf = T::Buf;

    delegate! {
        read_message_begin() -> Result<TMessageIdentifier, ThriftException>;
        read_message_end() -> Result<(), ThriftException>;
        read_struct_begin() -> Result<Option<TStructIdentifier>, ThriftException>;
        read_struct_end() -> Result<(), ThriftException>;
        read_field_begin() -> Result<TFieldIdentifier, ThriftException>;
        read_field_end() -> Result<(), ThriftException>;
        read_bool() -> Result<bool, ThriftException>;
        read_i8() -> Result<i8, ThriftException>;
        read_i16() -> Result<i16, ThriftException>;
        read_i32() -> Result<i32, ThriftException>;
        read_i64() -> Result<i64, ThriftException>;
        read_double() -> Result<f64, ThriftException>;
        read_byte() -> Result<u8, ThriftException>;
        read_list_end() -> Result<(), ThriftException>;
        read_set_end() -> Result<(), ThriftException>;
        read_map_end() -> Result<(), ThriftException>;
        buf() -> &mut Self::Buf;
    }

    fn read_uuid(&mut self) -> Result<[u8; 16], ThriftException> {
        self.check_length(min_bytes(TType::Uuid))?;
        self.inner.read_uuid()
    }

    fn read_bytes(&mut self) -> Result<Bytes, ThriftException> {
        let declared = self.inner.read_i32()?;
        match usize::try_from(declared) {
            Ok(length) if length <= self.remaining() => self.inner.get_bytes(None, length),
            _ => Err(refused(TOO_LONG)),
        }
    }

    fn read_bytes_vec(&mut self) -> Result<Vec<u8>, ThriftException> {
        self.read_bytes().map(Vec::from)
    }

    fn get_bytes(&mut self, ptr: Option<*const u8>, len: usize) -> Result<Bytes, ThriftException> {
        self.check_length(len)?;
        self.inner.get_bytes(ptr, len)
    }

    fn read_faststr(&mut self) -> Result<FastStr, ThriftException> {
        let bytes = self.read_bytes()?;
        Ok(FastStr::from_bytes(bytes).unwrap_or_else(|_| {
            // The request is refused where its caller can be told.
            self.texts_are_utf8 = false;
            FastStr::empty()
        }))
    }

    fn read_string(&mut self) -> Result<String, ThriftException> {
        self.read_faststr().map(|text| text.as_str().to_owned())
    }

    fn read_list_begin(&mut self) -> Result<TListIdentifier, ThriftException> {
        let list = self.inner.read_list_begin()?;
        self.check_count(list.size, min_bytes(list.element_type))?;
        Ok(list)
    }

    fn read_set_begin(&mut self) -> Result<TSetIdentifier, ThriftException> {
        let set = self.inner.read_set_begin()?;
        self.check_count(set.size, min_bytes(set.element_type))?;
        Ok(set)
    }

    fn read_map_begin(&mut self) -> Result<TMapIdentifier, ThriftException> {
        let map = self.inner.read_map_begin()?;
        self.check_count(
            map.size,
            min_bytes(map.key_type) + min_bytes(map.value_type),
        )?;
        Ok(map)
    }
}

impl<T: TInputProtocol> TLengthProtocol for StrictProtocol<'_, T> {
    delegate! {
        message_begin_len(identifier: &TMessageIdentifier) -> usize;
        message_end_len() -> usize;
        struct_begin_len(identifier: &TStructIdentifier) -> usize;
        struct_end_len() -> usize;
        field_begin_len(field_type: TType, id: Option<i16>) -> usize;
        field_end_len() -> usize;
        field_stop_len() -> usize;
        bool_len(b: bool) -> usize;
        bytes_len(b: &[u8]) -> usize;
        bytes_vec_len(b: &[u8]) -> usize;
        byte_len(b: u8) -> usize;
        uuid_len(u: [u8; 16]) -> usize;
        i8_len(i: i8) -> usize;
        i16_len(i: i16) -> usize;
        i32_len(i: i32) -> usize;
        i64_len(i: i64) -> usize;
        double_len(d: f64) -> usize;
        string_len(s: &str) -> usize;
        faststr_len(s: &FastStr) -> usize;
        list_begin_len(identifier: TListIdentifier) -> usize;
        list_end_len() -> usize;
        set_begin_len(identifier: TSetIdentifier) -> usize;
        set_end_len() -> usize;
        map_begin_len(identifier: TMapIdentifier) -> usize;
        map_end_len() -> usize;
        zero_copy_len() -> usize;
        reset() -> ();
    }
}

#[cfg(test)]
mod tests;
