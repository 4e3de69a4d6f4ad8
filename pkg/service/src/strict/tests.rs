//! Malformed and oversized requests: which are refused, and that none allocates what it declares.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use idl::favorite::FavoriteServiceRequestRecv as Request;
use pilota::thrift::{TMessageType, binary::TBinaryProtocol};

use super::*;

const STRUCT: u8 = 12;
const MAP: u8 = 13;
const LIST: u8 = 15;
const I64: u8 = 10;
const I8: u8 = 3;
const STOP: u8 = 0;

fn decode(method: &'static str, body: &[u8]) -> Result<Strict<Request>, ThriftException> {
    let ident = TMessageIdentifier::new(method.into(), TMessageType::Call, 1);
    let mut bytes = Bytes::copy_from_slice(body);
    Strict::decode(&mut TBinaryProtocol::new(&mut bytes, true), &ident)
}

/// Arguments with one struct, which has this as its first field.
fn args(field: &[u8]) -> Vec<u8> {
    [&[STRUCT, 0, 1], field, &[STOP, STOP]].concat()
}

#[track_caller]
fn assert_too_long(method: &'static str, field: &[u8]) {
    match decode(method, &args(field)) {
        Err(ThriftException::Protocol(error)) => assert!(
            matches!(error.kind(), ProtocolExceptionKind::SizeLimit),
            "{error}"
        ),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was decoded"),
    }
}

#[test]
fn a_count_beyond_the_message_is_refused_before_anything_is_allocated() {
    for count in [i32::MAX, i32::MIN, -1, 1 << 20] {
        let count = count.to_be_bytes();
        assert_too_long(
            "mget_flags",
            &[&[MAP, 0, 1, I64, STRUCT][..], &count].concat(),
        );
        assert_too_long("favorite_page", &[&[LIST, 0, 1, I64][..], &count].concat());
        // Nor where it lies in a field that nobody knows.
        assert_too_long("favorite_page", &[&[LIST, 0, 99, I8][..], &count].concat());
    }
}

#[test]
fn a_count_is_checked_where_elements_of_another_type_hide_it() {
    // The message says four bytes in two entries, but a struct is read, whose list declares too much.
    let inner = [&[LIST, 0, 1, I64][..], &i32::MAX.to_be_bytes()].concat();
    let keys_and_values = [&[0; 8][..], &inner, &[STOP; 20]].concat();
    let count = (keys_and_values.len() as i32 / 2).to_be_bytes();
    let map = [&[MAP, 0, 1, I8, I8][..], &count, &keys_and_values].concat();
    assert_too_long("mget_flags", &map);
}

#[test]
fn a_count_that_the_message_could_hold_in_small_elements_is_refused_where_large_ones_are_made() {
    let header = [&[MAP, 0, 1, I8, I8][..], &(1_i32 << 20).to_be_bytes()].concat();
    assert_too_long("mget_flags", &[header, vec![0; 2 << 20]].concat());
    let header = [&[LIST, 0, 1, I8][..], &(1_i32 << 20).to_be_bytes()].concat();
    assert_too_long("favorite_page", &[header, vec![0; 8 << 20]].concat());
}

#[test]
fn a_request_with_nothing_wrong_is_decoded() {
    let list = |id: u8, value: u8| {
        let start = [LIST, 0, id, I64, 0, 0, 0, 1];
        [&start[..], &u64::from(value).to_be_bytes()].concat()
    };
    let shown = [list(1, 5), list(2, 6), vec![STOP]].concat();
    let start = [MAP, 0, 1, I64, STRUCT, 0, 0, 0, 1];
    let map = [&start[..], &7_u64.to_be_bytes(), &shown].concat();
    let decoded = decode("mget_flags", &args(&map)).ok().unwrap();
    assert!(decoded.texts_are_utf8);
    let Request::MgetFlags(args) = decoded.request else {
        panic!("another method");
    };
    let viewer = args.req.viewers.get(&7).unwrap();
    assert_eq!(
        (&viewer.video_ids[..], &viewer.user_ids[..]),
        (&[5][..], &[6][..])
    );
}
