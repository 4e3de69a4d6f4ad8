//! What each `vt.*` rule means for a value of a given type, and which rules a type refuses.

use pilota_thrift_parser::Annotation;
use regex::Regex;

/// The types that rules tell apart.
#[derive(Clone, Debug)]
pub enum Kind {
    /// `string`
    Text,
    /// `binary`
    Bytes,
    /// `byte` to `i64`, with its width in bits.
    Integer(u32),
    /// The values that the enum defines.
    Enum(Vec<i64>),
    /// `list` and `set`
    List(Box<Kind>),
    /// A map by the kind of its values; keys take no rule.
    Map(Box<Kind>),
    /// Validated by its own rules.
    Struct,
    /// `bool`, `double`, `uuid`: nothing to check.
    Other,
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Bytes => "a binary",
            Self::Integer(_) => "an integer",
            Self::Enum(_) => "an enum",
            Self::List(_) => "a list or set",
            Self::Map(_) => "a map",
            Self::Struct => "a struct",
            Self::Other => "this type",
        }
    }
}

/// One rule, ready to be written as Rust.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// A variant of `idl::Rule`.
    pub rule: &'static str,
    /// The limit as people read it; empty when the rule has none.
    pub limit: String,
    /// A Rust condition on `v`, a reference to the value; true when the rule is broken.
    pub broken: String,
}

/// Everything that is checked about one value.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The type of the value.
    pub kind: Kind,
    /// What is checked, in the order of the annotations.
    pub checks: Vec<Check>,
    /// `skip`: a nested struct is not looked into.
    pub skip: bool,
    /// About the elements of a list or set and the values of a map.
    pub elem: Option<Box<Rules>>,
}

/// Keys that other tools read; anything else that isn't ours is taken for a typo.
pub(crate) const FOREIGN: [&str; 3] = ["pilota.", "go.", "api."];

impl Rules {
    /// The rules among a field's annotations. The error names the rule.
    pub fn parse(kind: &Kind, annotations: &[Annotation]) -> Result<Self, String> {
        let mut rules = Vec::new();
        for Annotation { key, value } in annotations {
            match key.strip_prefix("vt.") {
                Some(rule) => rules.push((rule.to_owned(), value.0.clone())),
                None if FOREIGN.iter().any(|prefix| key.starts_with(prefix)) => {}
                None => {
                    return Err(format!(
                        "`{key}`: unknown annotation; rules begin with `vt.`"
                    ));
                }
            }
        }
        Self::of(kind, &rules, "vt.")
    }

    fn of(kind: &Kind, rules: &[(String, String)], prefix: &str) -> Result<Self, String> {
        let (mut checks, mut skip, mut choices, mut for_elem) =
            (Vec::new(), false, Vec::new(), Vec::new());
        for (at, (key, value)) in rules.iter().enumerate() {
            let fail = |why: String| format!("`{prefix}{key} = \"{value}\"`: {why}");
            if let (Some(rule), Kind::List(_)) = (key.strip_prefix("elem."), kind) {
                for_elem.push((rule.to_owned(), value.clone()));
                continue;
            }
            // As with Kitex, `in` is written once for every value.
            if key == "in" {
                choices.push(choice(kind, value).map_err(fail)?);
                continue;
            }
            if rules.iter().take(at).any(|(earlier, _)| earlier == key) {
                return Err(fail("written twice".into()));
            }
            if key == "skip" && matches!(kind, Kind::Struct) {
                is_true(value).map_err(fail)?;
                skip = true;
                continue;
            }
            checks.push(check(kind, key, value).map_err(fail)?);
        }
        if !choices.is_empty() {
            let broken = match kind {
                Kind::Text => format!("![{}].contains(&&v[..])", choices.join(", ")),
                _ => format!("![{}].contains(v)", choices.join(", ")),
            };
            let limit = choices.join(", ");
            checks.push(Check {
                rule: "In",
                limit,
                broken,
            });
        }
        let elem = match kind {
            Kind::List(elem) | Kind::Map(elem) => Some(Box::new(Self::of(
                elem,
                &for_elem,
                &format!("{prefix}elem."),
            )?)),
            _ => None,
        };
        Ok(Self {
            kind: kind.clone(),
            checks,
            skip,
            elem,
        })
    }
}

fn check(kind: &Kind, key: &str, value: &str) -> Result<Check, String> {
    let made = |rule, limit: &dyn ToString, broken| {
        Ok(Check {
            rule,
            limit: limit.to_string(),
            broken,
        })
    };
    match (key, kind) {
        ("min_size", Kind::Text | Kind::Bytes) => {
            let n = count(value)?;
            made("MinBytes", &n, format!("v.len() < {n}"))
        }
        ("max_size", Kind::Text | Kind::Bytes) => {
            let n = count(value)?;
            made("MaxBytes", &n, format!("v.len() > {n}"))
        }
        ("min_size", Kind::List(_) | Kind::Map(_)) => {
            let n = count(value)?;
            made("MinItems", &n, format!("v.len() < {n}"))
        }
        ("max_size", Kind::List(_) | Kind::Map(_)) => {
            let n = count(value)?;
            made("MaxItems", &n, format!("v.len() > {n}"))
        }
        ("min_rune_size", Kind::Text) => {
            let n = count(value)?;
            made("MinChars", &n, format!("v.chars().count() < {n}"))
        }
        ("max_rune_size", Kind::Text) => {
            let n = count(value)?;
            made("MaxChars", &n, format!("v.chars().count() > {n}"))
        }
        ("pattern", Kind::Text) => {
            Regex::new(value).map_err(|e| format!("not a regular expression: {e}"))?;
            let regex = "::std::sync::LazyLock<::regex::Regex>";
            made(
                "Pattern",
                &value,
                format!(
                    "{{ static RE: {regex} = ::std::sync::LazyLock::new(|| ::regex::Regex::new({value:?}).unwrap()); \
                     !RE.is_match(v) }}"
                ),
            )
        }
        ("prefix", Kind::Text) => made("Prefix", &value, format!("!v.starts_with({value:?})")),
        ("trimmed", Kind::Text) => {
            is_true(value)?;
            made("Trimmed", &"", "v.trim().len() != v.len()".into())
        }
        ("no_control", Kind::Text) => {
            is_true(value)?;
            made("NoControl", &"", "v.chars().any(char::is_control)".into())
        }
        ("gt", Kind::Integer(bits)) => {
            let n = integer(value, *bits)?;
            made("Gt", &n, format!("*v <= {n}"))
        }
        ("ge", Kind::Integer(bits)) => {
            let n = integer(value, *bits)?;
            made("Ge", &n, format!("*v < {n}"))
        }
        ("lt", Kind::Integer(bits)) => {
            let n = integer(value, *bits)?;
            made("Lt", &n, format!("*v >= {n}"))
        }
        ("le", Kind::Integer(bits)) => {
            let n = integer(value, *bits)?;
            made("Le", &n, format!("*v > {n}"))
        }
        ("defined_only", Kind::Enum(values)) => {
            is_true(value)?;
            let values: Vec<_> = values.iter().map(i64::to_string).collect();
            made(
                "DefinedOnly",
                &"",
                format!("!matches!(v.inner(), {})", values.join(" | ")),
            )
        }
        (
            "min_size" | "max_size" | "min_rune_size" | "max_rune_size" | "pattern" | "prefix"
            | "trimmed" | "no_control" | "gt" | "ge" | "lt" | "le" | "defined_only" | "skip",
            _,
        ) => Err(format!("{} has no such rule", kind.name())),
        (elem, _) if elem.starts_with("elem.") => Err(format!("{} has no elements", kind.name())),
        _ => Err("unknown rule".into()),
    }
}

fn count(value: &str) -> Result<u32, String> {
    value
        .parse()
        .map_err(|_| "not a whole number from 0".into())
}

fn integer(value: &str, bits: u32) -> Result<i64, String> {
    let n: i64 = value.parse().map_err(|_| "not a whole number")?;
    // An i64 shifted right by its width but one leaves only copies of the sign.
    match n >> (bits - 1) {
        0 | -1 => Ok(n),
        _ => Err(format!("does not fit an i{bits}")),
    }
}

fn choice(kind: &Kind, value: &str) -> Result<String, String> {
    match kind {
        Kind::Text => Ok(format!("{value:?}")),
        Kind::Integer(bits) => Ok(integer(value, *bits)?.to_string()),
        _ => Err(format!("{} has no such rule", kind.name())),
    }
}

fn is_true(value: &str) -> Result<(), String> {
    match value {
        "true" => Ok(()),
        _ => Err("write \"true\" or leave the rule out".into()),
    }
}
