//! Checks a TTHeader before volo parses it: volo panics on a truncated one, and assumes that strings are UTF-8.

/// Bytes in front of the headers: length, magic, flags, sequence number, and the number of 4-byte words that follow.
pub(super) const FIXED: usize = 14;

const PADDING: u8 = 0;
const BY_NAME: u8 = 1;
const BY_NUMBER: u8 = 0x10;
const ACL_TOKEN: u8 = 0x11;

/// How many bytes of a message come before its frame; `None` when the message is shorter than that.
pub(super) fn length(head: &[u8]) -> Option<usize> {
    let mut head = Rest(head);
    let message = head.bytes(4)?.try_into().map(u32::from_be_bytes).ok()?;
    head.bytes(8)?;
    let length = FIXED + 4 * usize::from(head.u16()?);
    (length <= message as usize + 4).then_some(length)
}

/// Whether all headers are there, in UTF-8. `head` ends where they end.
pub(super) fn is_readable(head: &[u8]) -> bool {
    head.get(FIXED..).and_then(read).is_some()
}

fn read(headers: &[u8]) -> Option<()> {
    let mut rest = Rest(headers);
    let _protocol = rest.u8()?;
    let transforms = rest.u8()?;
    rest.bytes(transforms.into())?;
    while let Some(kind) = rest.u8() {
        match kind {
            PADDING => {}
            BY_NAME => {
                for _ in 0..rest.u16()? {
                    rest.text()?;
                    rest.text()?;
                }
            }
            BY_NUMBER => {
                for _ in 0..rest.u16()? {
                    rest.u16()?;
                    rest.text()?;
                }
            }
            ACL_TOKEN => _ = rest.text()?,
            _ => return None,
        }
    }
    Some(())
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn u8(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        self.bytes(2)?.try_into().map(u16::from_be_bytes).ok()
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.u16()?;
        std::str::from_utf8(self.bytes(length.into())?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name, a number, a token and padding.
    const HEADERS: &[u8] =
        b"\0\0\x01\0\x01\0\x01a\0\x02bc\x10\0\x01\0\x03\0\x01d\x11\0\x02ef\0\0\0";

    /// A message whose headers are the first so many bytes of these, and which goes on for `more` bytes.
    fn head(words: u16, more: u32) -> Vec<u8> {
        let message = 10 + 4 * u32::from(words) + more;
        let start = [&message.to_be_bytes()[..], &[0x10, 0], &[0; 6]].concat();
        let headers = HEADERS.iter().copied().take(4 * usize::from(words));
        start
            .into_iter()
            .chain(words.to_be_bytes())
            .chain(headers)
            .collect()
    }

    #[test]
    fn headers_of_every_kind_are_readable_and_cut_ones_are_not() {
        assert_eq!(HEADERS.len() % 4, 0);
        let words = u16::try_from(HEADERS.len() / 4).unwrap_or_default();
        let whole = head(words, 0);
        assert_eq!(length(&whole), Some(whole.len()));
        assert!(is_readable(&whole));
        for cut in 0..whole.len() - 2 {
            // The padding at the end may be missing; so may what comes after a header.
            let ends = [FIXED + 2, FIXED + 12, FIXED + 20, FIXED + 25];
            let readable = whole.get(..cut).is_some_and(is_readable);
            assert_eq!(readable, ends.contains(&cut), "{cut}");
        }
    }

    #[test]
    fn headers_beyond_their_message_have_no_length() {
        assert_eq!(length(&head(7, 100)), Some(FIXED + 28));
        let mut short = head(7, 0);
        short.splice(..4, 37_u32.to_be_bytes());
        assert_eq!(length(&short), None);
        for cut in 0..FIXED {
            assert_eq!(head(7, 0).get(..cut).and_then(length), None, "{cut}");
        }
    }
}
