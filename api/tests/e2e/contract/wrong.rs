//! Ways for a parameter to be wrong.

/// A parameter that is wrong: its value (none: it is left out), the code, and the rule that `status_msg` names.
pub type Wrong = (&'static str, Option<String>, i64, &'static str);

/// Wrong by what it says.
pub fn value(name: &'static str, value: &str, code: i64, rule: &'static str) -> Wrong {
    (name, Some(value.to_owned()), code, rule)
}

/// What no whole number from 1 up is.
pub fn no_id(name: &'static str) -> Vec<Wrong> {
    [
        ("0", "must be at least 1"),
        ("-1", "must be at least 1"),
        ("-1e3", "must be at least 1"),
        ("1.5", "must be a whole number"),
        ("1e-1", "must be a whole number"),
        ("9223372036854775808", "is out of range"),
        ("1e19", "is out of range"),
        ("x", "is not a number"),
        ("1 2", "is not a number"),
        ("true", "is not a number"),
    ]
    .map(|(text, rule)| value(name, text, 10001, rule))
    .into()
}

/// Not there, or empty, where that is the same.
pub fn missing(name: &'static str) -> Vec<Wrong> {
    vec![
        (name, None, 10001, "is missing"),
        value(name, "", 10001, "is missing"),
    ]
}

/// Neither of two actions.
pub fn no_action() -> Vec<Wrong> {
    let mut all = missing("action_type");
    for (text, rule) in [
        ("0", "must be 1 or 2"),
        ("3", "must be 1 or 2"),
        ("-1", "must be 1 or 2"),
        ("1.5", "must be a whole number"),
        ("like", "is not a number"),
    ] {
        all.push(value("action_type", text, 10001, rule));
    }
    all
}

/// Nobody's token; or none.
pub fn no_token(required: bool) -> Vec<Wrong> {
    let mut all = vec![value("token", "not.a.token", 10003, "")];
    if required {
        all.extend([("token", None, 10002, ""), value("token", "", 10002, "")]);
    }
    all
}

/// So many characters of three bytes.
pub fn too_long(name: &'static str, characters: usize, rule: &'static str) -> Wrong {
    (name, Some("好".repeat(characters)), 10001, rule)
}
