//! What the generated checks do, for every rule on every type and every way of nesting.

mod generated {
    #![allow(warnings, unsafe_code)]
    include!(concat!(env!("OUT_DIR"), "/every_rule.rs"));
}

use generated::every_rule::every_rule::{Colour, Everything, Leaf};
use idl::{Rule, Validate};

fn leaf(id: i64) -> Leaf {
    Leaf { id, next: None }
}

fn valid() -> Everything {
    Everything {
        text: "a".into(),
        choice: "a".into(),
        bytes: vec![0].into(),
        small: 0,
        number: -1,
        colour: Colour::BLUE,
        names: vec![],
        numbers: Default::default(),
        matrix: vec![],
        leaves: Default::default(),
        row: vec![],
        leaf: leaf(1),
        unseen: leaf(0),
        unseen_row: vec![leaf(0)],
        note: None,
        ids: None,
        r#type: 0,
    }
}

fn keeps(set: impl FnOnce(&mut Everything)) {
    let mut value = valid();
    set(&mut value);
    assert_eq!(value.validate(), Ok(()), "{value:?}");
}

/// The error as people read it.
fn breaks(set: impl FnOnce(&mut Everything), rule: Rule, words: &str) {
    let mut value = valid();
    set(&mut value);
    let error = value.validate().expect_err(words);
    assert_eq!((error.rule, error.to_string().as_str()), (rule, words));
}

#[test]
fn text() {
    keeps(|v| v.text = "aéé".into());
    breaks(
        |v| v.text = "".into(),
        Rule::MinBytes,
        "text: at least 1 byte",
    );
    breaks(
        |v| v.text = "aéééé".into(),
        Rule::MaxBytes,
        "text: at most 8 bytes",
    );
    breaks(
        |v| v.text = "abcde".into(),
        Rule::MaxChars,
        "text: at most 4 characters",
    );
    breaks(
        |v| v.text = "b".into(),
        Rule::Prefix,
        "text: must start with a",
    );
    breaks(
        |v| v.text = "a\\".into(),
        Rule::Pattern,
        "text: must match ^[^\\\\]*$",
    );
    breaks(
        |v| v.text = "a\u{3000}".into(),
        Rule::Trimmed,
        "text: no white space at its start or end",
    );
    breaks(
        |v| v.text = "a\u{85}b".into(),
        Rule::NoControl,
        "text: no control characters",
    );
    keeps(|v| v.choice = "b \"c\"".into());
    breaks(
        |v| v.choice = "c".into(),
        Rule::In,
        r#"choice: must be one of "a", "b \"c\"""#,
    );
    breaks(
        |v| v.bytes = vec![].into(),
        Rule::MinBytes,
        "bytes: at least 1 byte",
    );
    breaks(
        |v| v.bytes = vec![0; 3].into(),
        Rule::MaxBytes,
        "bytes: at most 2 bytes",
    );
}

#[test]
fn numbers_and_enums() {
    keeps(|v| (v.small, v.number) = (-2, 300));
    breaks(|v| v.small = -3, Rule::Gt, "small: must be greater than -3");
    breaks(|v| v.small = 3, Rule::Lt, "small: must be less than 3");
    breaks(|v| v.number = 0, Rule::In, "number: must be one of -1, 300");
    breaks(
        |v| v.colour = 0.into(),
        Rule::DefinedOnly,
        "colour: must be a defined value",
    );
    breaks(|v| v.r#type = -1, Rule::Ge, "type: must be at least 0");
}

#[test]
fn elements() {
    keeps(|v| v.names = vec!["éé".into(); 2]);
    breaks(
        |v| v.names = vec!["".into(); 3],
        Rule::MaxItems,
        "names: at most 2 items",
    );
    breaks(
        |v| v.names = vec!["".into(), "abc".into()],
        Rule::MaxChars,
        "names[]: at most 2 characters",
    );
    breaks(
        |v| v.numbers = [9, 10].into_iter().collect(),
        Rule::Le,
        "numbers[]: must be at most 9",
    );
    breaks(
        |v| v.matrix = vec![vec![0; 3]],
        Rule::MaxItems,
        "matrix[]: at most 2 items",
    );
    breaks(
        |v| v.matrix = vec![vec![], vec![-1]],
        Rule::Ge,
        "matrix[][]: must be at least 0",
    );
}

#[test]
fn nested_structs() {
    let at_least_1 = "must be at least 1";
    breaks(
        |v| v.leaf.id = 0,
        Rule::Ge,
        &format!("leaf.id: {at_least_1}"),
    );
    breaks(
        |v| v.leaf.next = Some(leaf(0).into()),
        Rule::Ge,
        &format!("leaf.next.id: {at_least_1}"),
    );
    breaks(
        |v| v.row = vec![leaf(1), leaf(0)],
        Rule::Ge,
        &format!("row[].id: {at_least_1}"),
    );
    breaks(
        |v| v.leaves = [("x".into(), leaf(0))].into_iter().collect(),
        Rule::Ge,
        &format!("leaves[].id: {at_least_1}"),
    );
    let two = [("x".into(), leaf(1)), ("y".into(), leaf(1))];
    breaks(
        |v| v.leaves = two.into_iter().collect(),
        Rule::MaxItems,
        "leaves: at most 1 item",
    );
}

#[test]
fn an_optional_field_is_checked_when_it_is_there() {
    keeps(|v| (v.note, v.ids) = (None, None));
    keeps(|v| (v.note, v.ids) = (Some("éé".into()), Some(vec![1])));
    breaks(
        |v| v.note = Some("abc".into()),
        Rule::MaxChars,
        "note: at most 2 characters",
    );
    breaks(
        |v| v.ids = Some(vec![]),
        Rule::MinItems,
        "ids: at least 1 item",
    );
    breaks(
        |v| v.ids = Some(vec![0]),
        Rule::Gt,
        "ids[]: must be greater than 0",
    );
}
