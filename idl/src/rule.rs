//! The validation rules, and the table of all fields of the .thrift files that have them.

use std::{collections::HashMap, sync::LazyLock};

use regex::Regex;

/// The patterns of all rules, compiled once. The build has refused what isn't a regular expression.
static PATTERNS: LazyLock<HashMap<&str, Regex>> = LazyLock::new(|| {
    let patterns = RULES.iter().filter(|entry| entry.rule == Rule::Pattern);
    let compiled = patterns.filter_map(|entry| Some((entry.limit, Regex::new(entry.limit).ok()?)));
    compiled.collect()
});

/// What a field must satisfy. Its limit is kept beside it as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// `min_size` of a string or binary: bytes.
    MinBytes,
    /// `max_size` of a string or binary: bytes.
    MaxBytes,
    /// `min_rune_size`: Unicode scalar values.
    MinChars,
    /// `max_rune_size`: Unicode scalar values.
    MaxChars,
    /// `min_size` of a list, set or map.
    MinItems,
    /// `max_size` of a list, set or map.
    MaxItems,
    /// `pattern`: a regular expression that is found in the text.
    Pattern,
    /// `prefix`: what the text begins with.
    Prefix,
    /// `gt`: greater than the limit.
    Gt,
    /// `ge`: the limit or greater.
    Ge,
    /// `lt`: less than the limit.
    Lt,
    /// `le`: the limit or less.
    Le,
    /// `in`: one of the listed values.
    In,
    /// `defined_only`: a value that the enum names.
    DefinedOnly,
    /// `trimmed`: no Unicode white space at either end.
    Trimmed,
    /// `no_control`: no control character (Unicode category Cc).
    NoControl,
}

impl Rule {
    /// Every rule and its name, in the .thrift files and on the wire.
    const NAMES: [(Self, &str); 16] = [
        (Self::MinBytes, "min_size"),
        (Self::MaxBytes, "max_size"),
        (Self::MinChars, "min_rune_size"),
        (Self::MaxChars, "max_rune_size"),
        (Self::MinItems, "min_size"),
        (Self::MaxItems, "max_size"),
        (Self::Pattern, "pattern"),
        (Self::Prefix, "prefix"),
        (Self::Gt, "gt"),
        (Self::Ge, "ge"),
        (Self::Lt, "lt"),
        (Self::Le, "le"),
        (Self::In, "in"),
        (Self::DefinedOnly, "defined_only"),
        (Self::Trimmed, "trimmed"),
        (Self::NoControl, "no_control"),
    ];

    /// The name that stands for this rule in a business error's `extra`.
    pub fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(rule, _)| *rule == self)
            .map_or("", |(_, name)| name)
    }

    /// The rule of that name on the field at this path. Texts and lists have two names in common: the table of all rules says which of them
    /// is meant.
    pub(crate) fn from_name(name: &str, path: &str) -> Option<Self> {
        let mut known = Self::NAMES.iter().filter(|(_, known)| *known == name);
        let (rule, _) = known.next()?;
        if known.next().is_none() {
            return Some(*rule);
        }
        let field = path.rsplit('.').next()?;
        let mut stated = RULES.iter().filter(|entry| entry.field == field);
        stated
            .find(|entry| entry.rule.name() == name)
            .map(|entry| entry.rule)
    }

    /// Whether a text keeps this rule. A rule that isn't about texts admits any.
    pub(crate) fn admits(self, limit: &str, text: &str) -> bool {
        let number = || limit.parse::<usize>().unwrap_or_default();
        match self {
            Self::MinBytes => text.len() >= number(),
            Self::MaxBytes => text.len() <= number(),
            Self::MinChars => text.chars().count() >= number(),
            Self::MaxChars => text.chars().count() <= number(),
            Self::Pattern => PATTERNS.get(limit).is_none_or(|regex| regex.is_match(text)),
            Self::Prefix => text.starts_with(limit),
            Self::Trimmed => text.trim().len() == text.len(),
            Self::NoControl => !text.chars().any(char::is_control),
            _ => true,
        }
    }

    /// What the rule asks for, in English. `limit` is the rule's limit as text.
    pub(crate) fn describe(self, limit: &str) -> String {
        let count = |bound: &str, unit: &str| {
            let plural = if limit == "1" { "" } else { "s" };
            format!("{bound} {limit} {unit}{plural}")
        };
        match self {
            Self::MinBytes => count("at least", "byte"),
            Self::MaxBytes => count("at most", "byte"),
            Self::MinChars => count("at least", "character"),
            Self::MaxChars => count("at most", "character"),
            Self::MinItems => count("at least", "item"),
            Self::MaxItems => count("at most", "item"),
            Self::Pattern => format!("must match {limit}"),
            Self::Prefix => format!("must start with {limit}"),
            Self::Gt => format!("must be greater than {limit}"),
            Self::Ge => format!("must be at least {limit}"),
            Self::Lt => format!("must be less than {limit}"),
            Self::Le => format!("must be at most {limit}"),
            Self::In => format!("must be one of {limit}"),
            Self::DefinedOnly => "must be a defined value".into(),
            Self::Trimmed => "no white space at its start or end".into(),
            Self::NoControl => "no control characters".into(),
        }
    }
}

/// One rule of one field, as a .thrift file states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleEntry {
    /// The file without its extension.
    pub file: &'static str,
    /// The struct's name.
    pub strct: &'static str,
    /// The field's name; `name[]` for a rule about its elements.
    pub field: &'static str,
    /// The rule.
    pub rule: Rule,
    /// The rule's limit; empty when it has none.
    pub limit: &'static str,
}

/// Every rule of every .thrift file: tests compare themselves with it.
pub const RULES: &[RuleEntry] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));
