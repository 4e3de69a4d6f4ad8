//! Whole numbers as clients write them: `42`, `42.0`, `1e+06`. Exact: no value passes through a float.

/// Why a text is not an int64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotWhole {
    /// Not a decimal number at all.
    NotANumber,
    /// A number that isn't whole.
    Fraction,
    /// A whole number that int64 can't hold.
    OutOfRange,
}

/// A larger exponent counts as this one: no text has enough digits to make up for it.
const MAX_EXPONENT: i64 = 1 << 40;

/// Reads a whole number in decimal or scientific notation.
pub fn parse_whole(text: &str) -> Result<i64, NotWhole> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        // An unescaped `+` in a query string arrives as a space.
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent.trim_start_matches(' '))?),
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty()
        || !whole
            .bytes()
            .chain(fraction.bytes())
            .all(|b| b.is_ascii_digit())
    {
        return Err(NotWhole::NotANumber);
    }
    let digits: String = [whole, fraction].concat();
    let significant = digits.trim_end_matches('0');
    // The value is `significant` times ten to the power of `scale`.
    let dropped = (digits.len() - significant.len()) as i64;
    let scale = exponent - fraction.len() as i64 + dropped;
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    if scale < 0 {
        return Err(NotWhole::Fraction);
    }
    let magnitude = significant
        .parse::<i128>()
        .map_err(|_| NotWhole::OutOfRange)?;
    let power = u32::try_from(scale)
        .ok()
        .and_then(|scale| 10_i128.checked_pow(scale))
        .ok_or(NotWhole::OutOfRange)?;
    let value = magnitude.checked_mul(power).ok_or(NotWhole::OutOfRange)?;
    i64::try_from(if negative { -value } else { value }).map_err(|_| NotWhole::OutOfRange)
}

fn parse_exponent(text: &str) -> Result<i64, NotWhole> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NotWhole::NotANumber);
    }
    let size = digits
        .parse::<i64>()
        .unwrap_or(MAX_EXPONENT)
        .min(MAX_EXPONENT);
    Ok(if text.starts_with('-') { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_in_every_notation() {
        for (text, value) in [
            ("42", 42),
            ("42.0", 42),
            ("1e+06", 1_000_000),
            ("1e 06", 1_000_000),
            ("1E6", 1_000_000),
            ("1.5e1", 15),
            ("1500e-2", 15),
            ("-7", -7),
            ("+7.00", 7),
            ("0", 0),
            ("0e999999999999", 0),
            (".0", 0),
            ("1.717171717171e+12", 1_717_171_717_171),
            ("9223372036854775807.0", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(parse_whole(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn as_many_zeros_as_one_likes_are_counted() {
        let zeros = |count: usize| "0".repeat(count);
        for (text, value) in [
            (format!("0.{}1e500", zeros(499)), Ok(1)),
            (format!("0.{}1e500", zeros(399)), Err(NotWhole::OutOfRange)),
            (format!("7{}e-500", zeros(500)), Ok(7)),
            (format!("7{}e-500", zeros(499)), Err(NotWhole::Fraction)),
            (format!("1e{}1", zeros(500)), Ok(10)),
        ] {
            assert_eq!(parse_whole(&text), value, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_for_its_reason() {
        for (text, reason) in [
            ("", NotWhole::NotANumber),
            ("abc", NotWhole::NotANumber),
            ("1e", NotWhole::NotANumber),
            ("1e+", NotWhole::NotANumber),
            ("--1", NotWhole::NotANumber),
            (".", NotWhole::NotANumber),
            ("0x10", NotWhole::NotANumber),
            ("１", NotWhole::NotANumber),
            ("NaN", NotWhole::NotANumber),
            ("inf", NotWhole::NotANumber),
            ("1 2", NotWhole::NotANumber),
            ("1.5", NotWhole::Fraction),
            ("15e-2", NotWhole::Fraction),
            ("1e-999999999999", NotWhole::Fraction),
            ("9223372036854775808", NotWhole::OutOfRange),
            ("1e19", NotWhole::OutOfRange),
            ("1e999999999999", NotWhole::OutOfRange),
            (
                "99999999999999999999999999999999999999999999",
                NotWhole::OutOfRange,
            ),
        ] {
            assert_eq!(parse_whole(text), Err(reason), "{text}");
        }
    }
}
