//! Escapes inside a line: `%41` of URLs, `\u0041`, `\x41` and `\101` of strings, `&#65;` of markup, `=3D` of mail, and
//! sequences that steer a terminal. And the one that stands right before a place.

use std::ops::Range;

use super::Decoded;
use crate::model::Decoding;

/// How far a window reaches on each side of a place in a long line, in bytes.
const WINDOW: usize = 8192;

/// Most bytes of an escape that stands before a place.
const BEFORE: usize = 24;
/// Longest sequence for a terminal, in bytes; what goes on for longer is none.
const SEQUENCE: usize = 256;

const ESC: u8 = 0x1b;

/// Decodes the escapes of one sort in the line around `at`.
///
/// Also gives the range of the text that was looked at. In a line longer than the window its ends
/// are cut, and a match near a cut end is found from another place. What is `nested`, made by decoding such a piece, is taken whole.
#[must_use]
pub fn escapes_around(
    text: &[u8],
    at: usize,
    sort: Decoding,
    nested: bool,
) -> (Decoded, Range<usize>) {
    let window = if nested { 2 * WINDOW } else { WINDOW };
    let floor = at.saturating_sub(window);
    let ceiling = (at + window).min(text.len());
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
        let escape = match sort {
            Decoding::Percent => percent(rest),
            Decoding::Html => html(rest),
            Decoding::Quoted => quoted(rest),
            Decoding::Terminal => {
                if let Some(length) = sequence(rest) {
                    cursor += length;
                    continue;
                }
                None
            }
            _ => backslash(rest),
        };
        let (length, code) = escape.unwrap_or((1, u32::from(rest[0])));
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

/// The byte that an escape stands for which ends right before `at`, where its last byte is a letter or digit: only such a one
/// hides that a word begins there. A sequence for a terminal counts as its first byte.
///
/// It looks at no more than 24 bytes.
#[must_use]
pub fn escape_before(text: &[u8], at: usize) -> Option<u8> {
    let head = text.get(at.saturating_sub(BEFORE)..at)?;
    let last = *head.last()?;
    if !last.is_ascii_alphanumeric() {
        return None;
    }
    digits_before(head)
        .or_else(|| letter_before(head))
        .or_else(|| sequence_before(head).then_some(ESC))
}

/// Ends with `%22`, `%2522`, `\x22`, `\u0022`, `%u0022`, `=3D` or `\042`.
fn digits_before(head: &[u8]) -> Option<u8> {
    if let [rest @ .., a, b] = head
        && let Some(code) = number(&[*a, *b], 16)
    {
        let code = u8::try_from(code).ok().filter(u8::is_ascii);
        let mut outer = rest;
        while let Some(shorter) = outer.strip_suffix(b"25") {
            outer = shorter;
        }
        let is_escape = match rest {
            [.., b'%'] | [.., b'\\', b'x' | b'X'] | [.., b'\\' | b'%', b'u', b'0', b'0'] => true,
            [.., b'='] => !a.is_ascii_lowercase() && !b.is_ascii_lowercase(),
            _ => outer.ends_with(b"%"),
        };
        if is_escape {
            return code;
        }
    }
    match head {
        [.., b'\\', a @ b'0'..=b'1', b @ b'0'..=b'7', c @ b'0'..=b'7'] => {
            Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
        }
        _ => None,
    }
}

/// Ends with `\n` and the like.
fn letter_before(head: &[u8]) -> Option<u8> {
    match head {
        [.., b'\\', b'n'] => Some(b'\n'),
        [.., b'\\', b'r'] => Some(b'\r'),
        [.., b'\\', b't'] => Some(b'\t'),
        [.., b'\\', b'v'] => Some(0x0b),
        [.., b'\\', b'f'] => Some(0x0c),
        [.., b'\\', b'0'] => Some(0),
        _ => None,
    }
}

/// Ends with a sequence for a terminal: `ESC[31m`, also with its first byte written as an escape, or as logs have it that lost it.
fn sequence_before(head: &[u8]) -> bool {
    if head.ends_with(b"\x1b(B") {
        return true;
    }
    let Some((last, rest)) = head.split_last() else {
        return false;
    };
    let parameters = rest
        .iter()
        .rev()
        .take_while(|b| matches!(b, b'0'..=b'9' | b';' | b':' | b'?'))
        .count();
    let Some(before) = rest[..rest.len() - parameters].strip_suffix(b"[") else {
        return false;
    };
    let is_bare = parameters > 0 && *last == b'm';
    is_bare
        || [&b"\x1b"[..], b"^[", b"\\e", b"\\E", b"&#27;", b"\\u{1b}"]
            .iter()
            .any(|esc| before.ends_with(esc))
        || digits_before(before) == Some(ESC)
}

/// Whether a line is likely to be quoted-printable: it goes on, or it holds more than one escape.
#[must_use]
pub fn is_quoted_printable(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut escapes = 0;
    line.ends_with(b"=")
        || memchr::memchr_iter(b'=', line).any(|at| {
            escapes += usize::from(line.get(at..).is_some_and(|rest| quoted(rest).is_some()));
            escapes > 1
        })
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
        [b'\\', b'e' | b'E', b'[', ..] => Some((2, u32::from(ESC))),
        [b'\\', digits @ ..] => {
            let digits = digits.get(..3)?;
            number(digits, 8).filter(|n| *n < 128).map(|n| (4, n))
        }
        _ => None,
    }
}

fn quoted(rest: &[u8]) -> Option<(usize, u32)> {
    match rest {
        [b'=', a, b, ..] if !a.is_ascii_lowercase() && !b.is_ascii_lowercase() => {
            number(&[*a, *b], 16).filter(|n| *n < 128).map(|n| (3, n))
        }
        _ => None,
    }
}

/// Length of a sequence for a terminal that begins here: colours, movements, links, character sets.
fn sequence(rest: &[u8]) -> Option<usize> {
    let (intro, body) = match rest {
        [ESC, body @ ..] => (1, body),
        [b'^', b'[', b'[', ..] => (2, rest.get(2..)?),
        _ => return None,
    };
    let body = body.get(..body.len().min(SEQUENCE)).unwrap_or_default();
    match body {
        [b'[', body @ ..] => {
            let inside = body.iter().take_while(|b| matches!(b, b' '..=b'?')).count();
            let last = body.get(inside)?;
            matches!(last, b'@'..=b'~').then_some(intro + inside + 2)
        }
        [b'(' | b')', _, ..] => Some(intro + 2),
        [b']', ..] => {
            let end = memchr::memchr2(0x07, ESC, body)?;
            let tail = usize::from(body.get(end) == Some(&ESC));
            Some(intro + end + 1 + tail)
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_before_a_place_is_what_it_stands_for() {
        let cases: [(&str, Option<u8>); 28] = [
            ("%22", Some(b'"')),
            ("a%3D", Some(b'=')),
            ("%253d", Some(b'=')),
            ("%252526", Some(b'&')),
            ("%41", Some(b'A')),
            ("\\u0022", Some(b'"')),
            ("\\\\u003d", Some(b'=')),
            ("%u003D", Some(b'=')),
            ("\\x27", Some(b'\'')),
            ("=3D", Some(b'=')),
            ("=3d", None),
            ("\\075", Some(b'=')),
            ("\\n", Some(b'\n')),
            ("\x1b[31m", Some(ESC)),
            ("\x1b[1;38;5;200m", Some(ESC)),
            ("\x1b[K", Some(ESC)),
            ("\x1b(B", Some(ESC)),
            ("\\u001b[0m", Some(ESC)),
            ("\\033[m", Some(ESC)),
            ("\\e[31m", Some(ESC)),
            ("[31m", Some(ESC)),
            ("[m", None),
            ("a[0]m", None),
            ("%zz", None),
            ("abc", None),
            ("22", None),
            ("%", None),
            ("", None),
        ];
        for (text, byte) in cases {
            assert_eq!(escape_before(text.as_bytes(), text.len()), byte, "{text:?}");
        }
        let long = format!("\x1b[{}m", "1;".repeat(1000));
        assert_eq!(escape_before(long.as_bytes(), long.len()), None);
    }

    #[test]
    fn each_sort_is_decoded_to_what_it_stands_for() {
        let cases = [
            (Decoding::Percent, "a%3Db%zz%2", "a=b%zz%2"),
            (
                Decoding::Escape,
                "\\u003d\\x22\\075\\/\\e[m\\q\\9",
                "=\"=/\x1b[m\\q\\9",
            ),
            (Decoding::Html, "&quot;&#61;&#x3d;&no;", "\"==&no;"),
            (Decoding::Quoted, "a=3Db=3db=", "a=b=3db="),
            (
                Decoding::Terminal,
                "\x1b[1;31ma\x1b[0m\x1b(Bb^[[Kc\x1b]8;;https://a.b\x07d\x1b]0;t\x1b\\e\x1b[",
                "abcde\x1b[",
            ),
        ];
        for (sort, text, plain) in cases {
            let (decoded, _) = escapes_around(text.as_bytes(), 0, sort, false);
            assert_eq!(String::from_utf8_lossy(&decoded.bytes), plain);
        }
    }
}
