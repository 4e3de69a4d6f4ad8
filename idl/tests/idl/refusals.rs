//! An annotation that is wrong or missing ends the build, with file, struct and field or service and method, and what is wrong.

use std::fs;

use idl_rules::Schema;

/// What the build says to a struct with this field.
fn build(field: &str) -> Result<Schema, String> {
    build_file(&format!(
        "namespace rs broken\nenum Colour {{ RED = 1 }}\nstruct Nested {{ 1: required i64 id }}\n\
         struct Request {{\n    1: required i64 id (vt.ge = \"1\"),\n    2: {field}\n}}\n"
    ))
}

fn build_file(text: &str) -> Result<Schema, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("broken.thrift");
    fs::write(&path, text).unwrap();
    Schema::load(&[path])
}

fn assert_refused(field: &str, why: &str) {
    let message = build(field).expect_err(field);
    let rule = field
        .split_once('(')
        .map_or("", |(_, rule)| rule.trim_end_matches(')'));
    for part in ["broken.thrift", "Request.x", rule, why] {
        assert!(message.contains(part), "`{part}` is not in `{message}`");
    }
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn an_unknown_rule_is_refused() {
    assert_refused(r#"required string x (vt.max_charz = "3")"#, "unknown rule");
    assert_refused(
        r#"required list<string> x (vt.elem.max_charz = "3")"#,
        "unknown rule",
    );
    assert_refused(r#"required string x (vt. = "3")"#, "unknown rule");
}

#[test]
fn an_annotation_that_is_nearly_a_rule_is_refused() {
    let message = build(r#"required string x (vtmax_size = "3")"#).unwrap_err();
    assert!(
        message.contains("Request.x") && message.contains("vtmax_size"),
        "{message}"
    );
    build(r#"required string x (go.tag = "json:\"x\"", pilota.name = "y")"#).unwrap();
}

#[test]
fn a_rule_on_a_type_that_has_no_such_rule_is_refused() {
    assert_refused(
        r#"required i64 x (vt.max_size = "3")"#,
        "an integer has no such rule",
    );
    assert_refused(
        r#"required string x (vt.ge = "3")"#,
        "a string has no such rule",
    );
    assert_refused(
        r#"required binary x (vt.max_rune_size = "3")"#,
        "a binary has no such rule",
    );
    assert_refused(
        r#"required bool x (vt.in = "true")"#,
        "this type has no such rule",
    );
    assert_refused(
        r#"required double x (vt.gt = "0")"#,
        "this type has no such rule",
    );
    assert_refused(
        r#"required Colour x (vt.ge = "1")"#,
        "an enum has no such rule",
    );
    assert_refused(
        r#"required Nested x (vt.min_size = "1")"#,
        "a struct has no such rule",
    );
    assert_refused(
        r#"required list<i64> x (vt.ge = "1")"#,
        "a list or set has no such rule",
    );
    assert_refused(
        r#"required i64 x (vt.elem.ge = "1")"#,
        "an integer has no elements",
    );
    assert_refused(
        r#"required list<i64> x (vt.elem.trimmed = "true")"#,
        "an integer has no such rule",
    );
    assert_refused(
        r#"required string x (vt.skip = "true")"#,
        "a string has no such rule",
    );
}

#[test]
fn a_value_that_cannot_be_read_is_refused() {
    assert_refused(
        r#"required string x (vt.max_rune_size = "many")"#,
        "not a whole number",
    );
    assert_refused(
        r#"required string x (vt.max_rune_size = "-1")"#,
        "not a whole number from 0",
    );
    assert_refused(r#"required i64 x (vt.ge = "1.5")"#, "not a whole number");
    assert_refused(r#"required i8 x (vt.le = "128")"#, "does not fit an i8");
    assert_refused(
        r#"required i32 x (vt.in = "4294967296")"#,
        "does not fit an i32",
    );
    assert_refused(
        r#"required string x (vt.trimmed = "yes")"#,
        "write \"true\"",
    );
    assert_refused(
        r#"required Colour x (vt.defined_only = "false")"#,
        "write \"true\"",
    );
    let message = build(r#"required string x (vt.pattern = "[a-")"#).unwrap_err();
    assert!(
        message.contains("Request.x") && message.contains("not a regular expression"),
        "{message}"
    );
}

#[test]
fn a_rule_written_twice_is_refused() {
    let message = build(r#"required i64 x (vt.ge = "1", vt.ge = "2")"#).unwrap_err();
    assert!(
        message.contains("Request.x") && message.contains("written twice"),
        "{message}"
    );
}

#[test]
fn a_rule_where_nothing_would_check_it_is_refused() {
    for (text, place) in [
        (
            r#"struct Request { 1: required i64 x } (vt.ge = "1")"#,
            "Request",
        ),
        (
            r#"struct Request { 1: required list<i64 (vt.ge = "1")> x }"#,
            "Request.x",
        ),
        (
            r#"enum Colour { RED = 1 } (vt.defined_only = "true")"#,
            "Colour",
        ),
        (
            r#"service S { void call(1: i64 x (vt.ge = "1")) }"#,
            "S.call",
        ),
        (r#"union Either { 1: i64 x (vt.ge = "1") }"#, "Either"),
        ("typedef i64 Id", "Id"),
        (
            "struct Request { 1: i64 x }",
            "Request.x: say `required` or `optional`",
        ),
        (
            "struct Request { 1: required Missing x }",
            "Request.x: no type is called `Missing`",
        ),
    ] {
        let message = build_file(text).expect_err(text);
        assert!(message.contains("broken.thrift"), "{message}");
        assert!(message.contains(place), "`{place}` is not in `{message}`");
    }
}

#[test]
fn a_file_that_cannot_be_parsed_is_named() {
    let message = build_file("struct Request {").unwrap_err();
    assert!(message.contains("broken.thrift"), "{message}");
}

/// What the build says to a method with these annotations.
fn build_method(annotations: &str) -> Result<Schema, String> {
    build_file(&format!(
        "namespace rs broken\nstruct Request {{ }}\nstruct Response {{ }}\n\
         service Broken {{\n    Response call(1: Request req){annotations},\n}}\n"
    ))
}

#[test]
fn a_method_without_a_call_policy_is_refused_and_told_what_to_write() {
    for (annotations, missing) in [
        ("", "call.deadline_ms"),
        (r#" (call.retry = "true")"#, "call.deadline_ms"),
        (r#" (call.deadline_ms = "1")"#, "call.retry"),
        (r#" (go.tag = "x")"#, "call.deadline_ms"),
    ] {
        let message = build_method(annotations).expect_err(annotations);
        for part in [
            "broken.thrift",
            "Broken.call",
            &format!("`{missing}` is missing"),
            r#"(call.deadline_ms = "2000", call.retry = "true")"#,
        ] {
            assert!(message.contains(part), "`{part}` is not in `{message}`");
        }
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn a_call_policy_that_cannot_be_meant_is_refused() {
    for (policy, why) in [
        (
            r#"call.deadline = "2000", call.retry = "true""#,
            "`call.deadline = \"2000\"`: unknown annotation",
        ),
        (
            r#"call.deadline_ms = "2000", call.idempotent = "true""#,
            "`call.idempotent = \"true\"`: unknown annotation",
        ),
        (
            r#"call.deadline_ms = "2 s", call.retry = "true""#,
            "`call.deadline_ms = \"2 s\"`: not a whole number from 1 to 600000",
        ),
        (
            r#"call.deadline_ms = "0", call.retry = "true""#,
            "not a whole number from 1 to 600000",
        ),
        (
            r#"call.deadline_ms = "600001", call.retry = "true""#,
            "not a whole number from 1 to 600000",
        ),
        (
            r#"call.deadline_ms = "1", call.retry = "yes""#,
            "`call.retry = \"yes\"`: write \"true\" or \"false\"",
        ),
        (
            r#"call.retry = "true", call.retry = "true", call.deadline_ms = "1""#,
            "written twice",
        ),
        (
            r#"call.deadline_ms = "1", call.retry = "true", vt.ge = "1""#,
            "`vt.ge = \"1\"`: unknown annotation",
        ),
    ] {
        let message = build_method(&format!(" ({policy})")).expect_err(policy);
        for part in ["broken.thrift", "Broken.call", why] {
            assert!(message.contains(part), "`{part}` is not in `{message}`");
        }
    }
    build_method(r#" (call.deadline_ms = "600000", call.retry = "false", go.tag = "x")"#).unwrap();
}

#[test]
fn a_service_that_extends_another_is_refused() {
    let message = build_file("service Parent { }\nservice Child extends Parent { }").unwrap_err();
    assert!(
        message.contains("Child") && message.contains("extends no other"),
        "{message}"
    );
}
