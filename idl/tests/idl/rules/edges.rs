//! Both sides of a rule: a request that only just keeps it and one that breaks it, made from a valid request of the method.

use std::{any::type_name, pin::Pin};

use idl::Rule;
use pilota::FastStr;
use volo_thrift::ClientError;

use super::servers::{Clients, Rpc, text};

type Call = Box<
    dyn for<'a> Fn(
        &'a Clients,
    ) -> Pin<Box<dyn Future<Output = Result<(), ClientError>> + Send + 'a>>,
>;

/// Both sides of one rule.
pub struct Edge {
    pub file: &'static str,
    pub strct: &'static str,
    pub field: &'static str,
    pub rule: Rule,
    /// Where the struct stands in the request, with a dot at the end; empty where it is the request.
    pub within: &'static str,
    /// Sends a request that breaks this rule and no other.
    pub broken: Call,
    /// Sends a request that only just keeps it.
    pub kept: Call,
}

impl Edge {
    /// Of a struct that stands within the request.
    pub fn of(mut self, strct: &'static str, within: &'static str) -> Self {
        (self.strct, self.within) = (strct, within);
        self
    }
}

pub fn edge<R: Rpc, T>(
    field: &'static str,
    rule: Rule,
    kept: T,
    broken: T,
    set: impl Fn(&mut R, T),
) -> Edge {
    let request = |value| {
        let mut request = R::valid();
        set(&mut request, value);
        request
    };
    let mut path = type_name::<R>().rsplit("::");
    Edge {
        strct: path.next().unwrap(),
        file: path.next().unwrap(),
        field,
        rule,
        within: "",
        broken: call(request(broken)),
        kept: call(request(kept)),
    }
}

fn call<R: Rpc>(request: R) -> Call {
    Box::new(move |clients| Box::pin(request.clone().send(clients)))
}

/// An id, a count or another number from `min` on.
pub fn at_least<R: Rpc, N: From<i8>>(
    field: &'static str,
    min: i8,
    set: impl Fn(&mut R, N),
) -> Edge {
    edge(field, Rule::Ge, min.into(), (min - 1).into(), set)
}

/// A page size from 1 to `max`.
pub fn page_size<R: Rpc>(max: i32, set: impl Fn(&mut R, i32) + Copy) -> [Edge; 2] {
    [
        at_least("limit", 1, set),
        edge("limit", Rule::Le, max, max + 1, set),
    ]
}

/// Up to 300 ids, of which `field_elem` is the path of one.
pub fn ids<R: Rpc>(
    field: &'static str,
    field_elem: &'static str,
    set: impl Fn(&mut R, Vec<i64>) + Copy,
) -> [Edge; 2] {
    many_ids(field, field_elem, 300, set)
}

/// Up to `max` ids.
pub fn many_ids<R: Rpc>(
    field: &'static str,
    field_elem: &'static str,
    max: usize,
    set: impl Fn(&mut R, Vec<i64>) + Copy,
) -> [Edge; 2] {
    [
        edge(field, Rule::MaxItems, vec![1; max], vec![1; max + 1], set),
        edge(field_elem, Rule::Ge, vec![1, 1], vec![1, 0], set),
    ]
}

pub fn not_empty<R: Rpc>(field: &'static str, set: impl Fn(&mut R, Vec<i64>)) -> Edge {
    edge(field, Rule::MinItems, vec![1], vec![], set)
}

/// Text of 1 to `max` bytes.
pub fn bytes<R: Rpc>(
    field: &'static str,
    max: usize,
    set: impl Fn(&mut R, FastStr) + Copy,
) -> [Edge; 2] {
    let longest = edge(
        field,
        Rule::MaxBytes,
        text("é", max / 2),
        text("é", max / 2 + 1),
        set,
    );
    [
        edge(field, Rule::MinBytes, text("a", 1), text("", 0), set),
        longest,
    ]
}

/// Text of `min` to `max` characters, each of more than one byte.
pub fn chars<R: Rpc>(
    field: &'static str,
    min: usize,
    max: usize,
    set: impl Fn(&mut R, FastStr) + Copy,
) -> [Edge; 2] {
    [
        edge(
            field,
            Rule::MinChars,
            text("é", min),
            text("é", min - 1),
            set,
        ),
        edge(
            field,
            Rule::MaxChars,
            text("é", max),
            text("é", max + 1),
            set,
        ),
    ]
}

/// A client's key: up to 255 characters that are printed.
pub fn repeat_key<R: Rpc>(set: impl Fn(&mut R, FastStr)) -> Edge {
    let (kept, broken) = (text("~", 255), text("~", 256));
    edge("idempotency_key", Rule::Pattern, kept, broken, set)
}
