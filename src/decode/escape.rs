//! Escapes inside a line: `%41` of URLs, `\u0041` and `\x41` of strings, `&#65;` of markup.

use std::ops::Range;

use super::Decoded;
use crate::model::Decoding;

/// How far a window reaches on each side of a place in a long line, in bytes.
const WINDOW: usize = 8192;

/// Decodes the escapes of one sort in the line around `at`.
///
/// Also gives the range of the text that was looked at. In a line longer than the window its ends
/// are cut, and a match near a cut end is found from another place.
#[must_use]
pub fn escapes_around(text: &[u8], at: usize, sort: Decoding) -> (Decoded, Range<usize>) {
    let floor = at.saturating_sub(WINDOW);
    let ceiling = (at + WINDOW).min(text.len());
    let start = memchr::memrchr(b'\n', &text[floor..at]).map_or(floor, |i| floor + i + 1);
    let end = memchr::memchr(b'\n', &text[at..ceiling]).map_or(ceiling, |i| at + i);
    let mut decoded = Decoded {
        base: start,
        ..Decoded::default()
    };
    let mut cursor = start;
    while cursor < end {
        if cursor == at {
            decoded.at = decoded.bytes.len();
        }
        let rest = &text[cursor..end];
        let (length, code) = match sort {
            Decoding::Percent => percent(rest),
            Decoding::Html => html(rest),
            _ => backslash(rest),
        }
        .unwrap_or((1, u32::from(rest[0])));
        let next = cursor + length;
        if length == 1 {
            decoded.push(rest[0], cursor, next);
        } else if let Some(letter) = char::from_u32(code) {
            let mut buffer = [0u8; 4];
            for byte in letter.encode_utf8(&mut buffer).bytes() {
                decoded.push(byte, cursor, next);
            }
        }
        cursor = next;
    }
    (decoded, start..end)
}

/// Decodes the entities of markup in a part of a text.
#[must_use]
pub fn markup(text: &[u8], part: Range<usize>, at: usize) -> Decoded {
    let mut decoded = Decoded {
        base: part.start,
        ..Decoded::default()
    };
    let mut cursor = part.start;
    while let Some(rest) = text.get(cursor..part.end).filter(|rest| !rest.is_empty()) {
        if cursor == at {
            decoded.at = decoded.bytes.len();
        }
        let (length, letter) = html(rest)
            .and_then(|(length, code)| Some((length, char::from_u32(code)?)))
            .unwrap_or((1, '\0'));
        if length == 1 {
            decoded.push(rest[0], cursor, cursor + 1);
        } else {
            for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                decoded.push(byte, cursor, cursor + length);
            }
        }
        cursor += length;
    }
    decoded
}

/// Whether an entity begins in a part of a text.
#[must_use]
pub fn has_entity(text: &[u8], part: Range<usize>) -> bool {
    let inside = text.get(part.start..part.end.min(text.len()));
    memchr::memchr_iter(b'&', inside.unwrap_or_default())
        .any(|i| html(&text[part.start + i..]).is_some())
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u32, |n, d| {
        n.checked_mul(radix)?
            .checked_add(char::from(*d).to_digit(radix)?)
    })
}

fn percent(rest: &[u8]) -> Option<(usize, u32)> {
    match rest {
        [b'%', a, b, ..] => number(&[*a, *b], 16).filter(|n| *n < 128).map(|n| (3, n)),
        _ => None,
    }
}

fn backslash(rest: &[u8]) -> Option<(usize, u32)> {
    match rest {
        [b'\\', b'u', b'{', tail @ ..] => {
            let close = tail.iter().take(7).position(|b| *b == b'}')?;
            number(&tail[..close], 16).map(|n| (close + 4, n))
        }
        [b'\\', b'u', digits @ ..] => number(digits.get(..4)?, 16).map(|n| (6, n)),
        [b'\\', b'x', digits @ ..] => number(digits.get(..2)?, 16).map(|n| (4, n)),
        [b'\\', b'/', ..] => Some((2, u32::from(b'/'))),
        _ => None,
    }
}

fn html(rest: &[u8]) -> Option<(usize, u32)> {
    const NAMED: [(&[u8], char); 6] = [
        (b"&quot;", '"'),
        (b"&amp;", '&'),
        (b"&lt;", '<'),
        (b"&gt;", '>'),
        (b"&apos;", '\''),
        (b"&nbsp;", ' '),
    ];
    if let Some((name, letter)) = NAMED.iter().find(|(name, _)| rest.starts_with(name)) {
        return Some((name.len(), u32::from(*letter)));
    }
    let digits = rest.strip_prefix(b"&#")?;
    let close = digits.iter().take(9).position(|b| *b == b';')?;
    let body = &digits[..close];
    let code = match body {
        [b'x' | b'X', hex @ ..] => number(hex, 16),
        _ => number(body, 10),
    };
    code.map(|n| (close + 3, n))
}
