//! Header values with parameters (RFC 9110, section 5.6.6) and the header block of a part (RFC 7578, section 4).
//!
//! Only the name of a part is used. A file name is skipped, and may break the grammar as long as the name stands before it.

use std::borrow::Cow;

use memchr::{memchr, memmem};

/// Longest boundary, in bytes (RFC 2046, section 5.1.1).
const MAX_BOUNDARY_BYTES: usize = 70;

/// A header that can't be read, or that says two things at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// The boundary that a content type names.
pub fn boundary(content_type: &str) -> Result<Vec<u8>, Malformed> {
    let (_, parameters) = Parameters::of(content_type.as_bytes());
    let value = parameters.only(b"boundary")?.ok_or(Malformed)?;
    // More than the grammar has: clients write what they like, and no more is needed to tell it from a line's end.
    let is_plain = value.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let is_good = !value.is_empty() && value.len() <= MAX_BOUNDARY_BYTES && is_plain;
    match is_good && !value.ends_with(b" ") {
        true => Ok(value.into_owned()),
        false => Err(Malformed),
    }
}

/// The name that a part's header block gives it, without the empty line at its end.
pub fn part_name(block: &[u8]) -> Result<Option<String>, Malformed> {
    let mut disposition: Option<Vec<u8>> = None;
    // Whether the line before belongs to the disposition; none at the beginning.
    let mut is_disposition = None;
    for line in lines(block) {
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(Malformed);
        }
        if let [b' ' | b'\t', ..] = line {
            match (is_disposition, &mut disposition) {
                (Some(true), Some(value)) => value.extend_from_slice(line),
                (Some(_), _) => {}
                (None, _) => return Err(Malformed),
            }
            continue;
        }
        let (name, value) = split_at(line, b':').ok_or(Malformed)?;
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return Err(Malformed);
        }
        let found = name.eq_ignore_ascii_case(b"content-disposition");
        if found && disposition.replace(value.to_vec()).is_some() {
            return Err(Malformed);
        }
        is_disposition = Some(found);
    }
    match disposition {
        Some(value) => disposition_name(&value),
        None => Ok(None),
    }
}

/// The name in a `Content-Disposition`: none when it has none, isn't `form-data`, or the name isn't UTF-8.
pub fn disposition_name(value: &[u8]) -> Result<Option<String>, Malformed> {
    let (kind, parameters) = Parameters::of(value);
    let name = parameters.only(b"name")?;
    if !kind.eq_ignore_ascii_case(b"form-data") {
        return Ok(None);
    }
    Ok(name.and_then(|name| String::from_utf8(name.into_owned()).ok()))
}

/// The lines of a header block; none in an empty one.
fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = (!block.is_empty()).then_some(block);
    std::iter::from_fn(move || {
        let text = rest?;
        let (line, next) = match memmem::find(text, b"\r\n") {
            Some(end) => (text.get(..end)?, text.get(end + 2..)),
            None => (text, None),
        };
        rest = next;
        Some(line)
    })
}

/// The parameters of a header value: `; name=value`, the value a token or a quoted string. An unquoted one goes on to the next `;`,
/// also where it should have been quoted.
struct Parameters<'a> {
    rest: &'a [u8],
}

/// A parameter's name and value; no value: its quotes don't close, or something follows them. Nothing behind it can be read.
type Parameter<'a> = (&'a [u8], Option<Cow<'a, [u8]>>);

impl<'a> Parameters<'a> {
    /// What stands before the parameters, and these.
    fn of(value: &'a [u8]) -> (&'a [u8], Self) {
        let (kind, rest) = split_at(value, b';').unwrap_or((value, b""));
        (kind.trim_ascii(), Self { rest })
    }

    /// The one parameter of this name. What can't be read must stand behind it.
    fn only(self, wanted: &[u8]) -> Result<Option<Cow<'a, [u8]>>, Malformed> {
        let mut found = None;
        for (name, value) in self {
            match value {
                Some(value) if name.eq_ignore_ascii_case(wanted) => {
                    if found.replace(value).is_some() {
                        return Err(Malformed);
                    }
                }
                Some(_) => {}
                None if found.is_some() && !name.eq_ignore_ascii_case(wanted) => {}
                None => return Err(Malformed),
            }
        }
        Ok(found)
    }

    /// The value of a parameter, which `rest` begins with; goes on to behind its `;`.
    fn value(&mut self) -> Option<Cow<'a, [u8]>> {
        let Some(quoted) = self.rest.strip_prefix(b"\"") else {
            let (value, rest) = split_at(self.rest, b';').unwrap_or((self.rest, b""));
            self.rest = rest;
            return Some(Cow::Borrowed(value.trim_ascii()));
        };
        self.rest = b"";
        let (value, rest) = unquote(quoted)?;
        match rest.trim_ascii_start() {
            [] => {}
            [b';', rest @ ..] => self.rest = rest,
            _ => return None,
        }
        Some(value)
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Parameter<'a>;

    fn next(&mut self) -> Option<Parameter<'a>> {
        loop {
            self.rest = self.rest.trim_ascii_start();
            let end = self.rest.iter().position(|byte| b"=;".contains(byte));
            let Some(end) = end else {
                // A last word without a value.
                self.rest = b"";
                return None;
            };
            let (word, rest) = self.rest.split_at_checked(end)?;
            let (sign, rest) = rest.split_first()?;
            self.rest = rest;
            if *sign == b'=' {
                self.rest = rest.trim_ascii_start();
                return Some((word.trim_ascii_end(), self.value()));
            }
        }
    }
}

/// The text of a quoted string, which begins behind its first quote, and what follows it; none when it doesn't end.
fn unquote(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let end = text.iter().position(|byte| b"\"\\".contains(byte))?;
    if text.get(end) == Some(&b'"') {
        return Some((Cow::Borrowed(text.get(..end)?), text.get(end + 1..)?));
    }
    let (plain, rest) = text.split_at_checked(end)?;
    let (mut value, mut bytes) = (plain.to_vec(), rest.iter());
    loop {
        match bytes.next()? {
            b'"' => return Some((Cow::Owned(value), bytes.as_slice())),
            b'\\' => value.push(*bytes.next()?),
            byte => value.push(*byte),
        }
    }
}

/// What stands before and behind the first of this byte.
fn split_at(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr(byte, text)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Whether it may stand in a header's name (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(value: &str) -> Result<Option<String>, Malformed> {
        disposition_name(value.as_bytes())
    }

    #[test]
    fn the_name_is_found_however_it_is_written() {
        for value in [
            r#"form-data; name="data""#,
            "form-data; name=data",
            "form-data;name=data",
            r#"Form-Data; Name="data""#,
            r#"form-data; NAME = "data" ;"#,
            r#"form-data; filename="my name.mp4"; name="data""#,
            r#"form-data; filename="a; name=x.mp4"; name="data""#,
            r#"form-data; filename="a\"; name=\"x.mp4"; name="data""#,
            r#"form-data; filename="C:\films\a.mp4"; name="data""#,
            r#"form-data; filename*=UTF-8''a%3B%20name%3Dx; name="data""#,
            r#"form-data; name="data"; filename="a.mp4"; filename*=UTF-8''%E7%94%B5.mp4"#,
            r#"form-data; name="da\ta""#,
            "form-data; filename=my film.mp4; name=data",
            "form-data; filename=my;film.mp4; name=data",
            r#"form-data;; name="data";;"#,
            r#"form-data; name="data"; filename="ends in a backslash\""#,
            r#"form-data; name="data"; filename="a" film.mp4"#,
            "form-data; name=\"data\"; filename=\"\u{7535}\u{5f71}.mp4\"",
            "form-data; rename=x; name=data; names=y; filename=name=z",
        ] {
            assert_eq!(name(value), Ok(Some("data".to_owned())), "{value}");
        }
        let latin = b"form-data; name=\"data\"; filename=\"\xe9t\xe9.mp4\"";
        assert_eq!(disposition_name(latin), Ok(Some("data".to_owned())));
    }

    #[test]
    fn a_name_may_hold_whatever_is_quoted() {
        for (value, expected) in [
            (r#"form-data; name="a; name=b""#, "a; name=b"),
            (r#"form-data; name="a\"b\\c""#, "a\"b\\c"),
            (r#"form-data; name="""#, ""),
            ("form-data; name=", ""),
            ("form-data; name=\"\u{7535}\"", "\u{7535}"),
            ("form-data; name=a=b", "a=b"),
        ] {
            assert_eq!(name(value), Ok(Some(expected.to_owned())), "{value}");
        }
    }

    #[test]
    fn a_part_may_have_no_name() {
        for value in [
            "",
            "form-data",
            "form-data; filename=a",
            "form-data; name",
            "attachment; name=data",
            "; name=data",
            "form-data; filename=\"name=data\"",
        ] {
            assert_eq!(name(value), Ok(None), "{value}");
        }
        assert_eq!(disposition_name(b"form-data; name=\"\xff\""), Ok(None));
    }

    #[test]
    fn what_is_ambiguous_is_malformed() {
        for value in [
            "form-data; name=a; name=b",
            "form-data; name=a; NAME=a",
            r#"form-data; name="a"#,
            r#"form-data; name="a" b"#,
            r#"form-data; filename="a"b; name=c"#,
            r#"form-data; filename="a; name=b"#,
            r#"form-data; filename="a\"; name="b""#,
            r#"form-data; name="a\"#,
        ] {
            assert_eq!(name(value), Err(Malformed), "{value}");
        }
    }

    #[test]
    fn a_header_block_is_read_line_by_line() {
        let data = Ok(Some("data".to_owned()));
        for block in [
            "content-disposition: form-data; name=data",
            "Content-Disposition:form-data; name=data\r\nContent-Type: video/mp4",
            "x-other: name=x\r\nCONTENT-DISPOSITION: form-data; name=data",
            "content-disposition: form-data;\r\n name=data",
            "content-disposition: form-data\r\n\t; name\r\n =\"data\"\r\nx: y\r\n z",
            "x: y\r\n content-disposition: form-data; name=z\r\ncontent-disposition: form-data; name=data",
        ] {
            assert_eq!(part_name(block.as_bytes()), data, "{block}");
        }
        assert_eq!(part_name(b""), Ok(None));
        assert_eq!(part_name(b"content-type: text/plain"), Ok(None));
        for block in [
            "nonsense",
            ": x",
            " content-disposition: form-data; name=data",
            "content disposition: form-data; name=data",
            "content-disposition : form-data; name=data",
            "content-disposition: form-data; name=a\r\ncontent-disposition: form-data; name=a",
            "content-disposition: form-data; name=a\nx: y",
            "content-disposition: form-data; name=a\rx: y",
            "content-disposition: form-data; name=\"a\0\"",
        ] {
            assert_eq!(part_name(block.as_bytes()), Err(Malformed), "{block}");
        }
    }

    #[test]
    fn a_boundary_may_be_quoted_and_hold_an_equals_sign() {
        let longest = format!("multipart/form-data; boundary={}", "x".repeat(70));
        for (content_type, expected) in [
            ("multipart/form-data; boundary=b", "b"),
            ("multipart/form-data;boundary=\"b\"", "b"),
            ("Multipart/Form-Data; charset=utf-8; BOUNDARY=b", "b"),
            ("multipart/form-data; boundary=a=b==", "a=b=="),
            ("multipart/form-data; boundary=\"a=b; c\"", "a=b; c"),
            ("multipart/form-data; boundary=\"a\\\"b\"", "a\"b"),
            (
                "multipart/form-data; boundary=----=_Part_1.2",
                "----=_Part_1.2",
            ),
            (longest.as_str(), &"x".repeat(70)),
        ] {
            assert_eq!(
                boundary(content_type),
                Ok(expected.into()),
                "{content_type}"
            );
        }
        let too_long = format!("{longest}x");
        for content_type in [
            "multipart/form-data",
            "multipart/form-data; boundary",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"\"",
            "multipart/form-data; boundary=\"a",
            "multipart/form-data; boundary=\"a \"",
            "multipart/form-data; boundary=\"a\tb\"",
            "multipart/form-data; boundary=a; boundary=b",
            too_long.as_str(),
        ] {
            assert_eq!(boundary(content_type), Err(Malformed), "{content_type}");
        }
    }
}
