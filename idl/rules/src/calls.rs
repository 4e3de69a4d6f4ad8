//! Parses the `call.*` annotations of a method: its deadline, and whether it is retried. Every method must have both.

use pilota_thrift_parser::Annotation;

use crate::rules::FOREIGN;

/// The longest deadline of a call, in ms.
const MAX_DEADLINE_MS: u64 = 600_000;

/// How a client calls one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallPolicy {
    /// For the whole call, all attempts together; 1 to 600,000.
    pub deadline_ms: u64,
    /// Whether an attempt that may have been executed is repeated.
    pub retry: bool,
}

impl CallPolicy {
    /// The policy among a method's annotations. The error says what to write.
    pub fn parse(annotations: &[Annotation]) -> Result<Self, String> {
        let (mut deadline_ms, mut retry) = (None, None);
        for Annotation { key, value } in annotations {
            let value = &value.0;
            let fail = |why: &str| format!("`{key} = \"{value}\"`: {why}");
            let is_first = match key.as_str() {
                "call.deadline_ms" => deadline_ms
                    .replace(deadline(value).map_err(|why| fail(&why))?)
                    .is_none(),
                "call.retry" => retry
                    .replace(yes_or_no(value).map_err(|why| fail(&why))?)
                    .is_none(),
                other if FOREIGN.iter().any(|prefix| other.starts_with(prefix)) => true,
                _ => {
                    return Err(fail(
                        "unknown annotation; a method takes `call.deadline_ms` and `call.retry`",
                    ));
                }
            };
            if !is_first {
                return Err(fail("written twice"));
            }
        }
        Ok(Self {
            deadline_ms: deadline_ms.ok_or_else(|| missing("call.deadline_ms"))?,
            retry: retry.ok_or_else(|| missing("call.retry"))?,
        })
    }
}

fn missing(key: &str) -> String {
    format!(
        "`{key}` is missing; write (call.deadline_ms = \"2000\", call.retry = \"true\") behind the method, with its own values"
    )
}

fn deadline(value: &str) -> Result<u64, String> {
    match value.parse() {
        Ok(ms) if (1..=MAX_DEADLINE_MS).contains(&ms) => Ok(ms),
        _ => Err(format!("not a whole number from 1 to {MAX_DEADLINE_MS}")),
    }
}

fn yes_or_no(value: &str) -> Result<bool, String> {
    value
        .parse()
        .map_err(|_| "write \"true\" or \"false\"".to_owned())
}
