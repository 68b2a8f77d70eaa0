//! Base64, standard and URL alphabet, also broken over lines.

use super::Decoded;

const OTHER: u8 = 255;

fn value(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => OTHER,
    }
}

/// Decodes the run of base64 around `at`, where a character stands whose group of four began
/// `in_group` characters before it; up to `back` and `forward` decoded bytes.
///
/// `None` where the run does not reach back to the group's start.
#[must_use]
pub fn base64_around(
    text: &[u8],
    at: usize,
    shift: u8,
    back: usize,
    forward: usize,
) -> Option<Decoded> {
    let in_group = [0usize, 2, 3].get(usize::from(shift)).copied()?;
    let mut before = Vec::new();
    let mut cursor = at;
    let wanted = (back + 8) * 4 / 3;
    // Lines of base64 are long; text of which half is white space is none, and how far a verdict can reach has a bound.
    let floor = at.saturating_sub(2 * wanted);
    while before.len() < wanted {
        let Some(previous) = previous_in_run(text, cursor).filter(|at| *at >= floor) else {
            break;
        };
        before.push(previous);
        cursor = previous;
    }
    let start = before.len().checked_sub(in_group)? % 4;
    // `before` runs backwards: its last entries are the first characters.
    let mut places: Vec<usize> = before.iter().rev().skip(start).copied().collect();
    let literal_group = places.len().checked_sub(in_group)? / 4;
    let ahead = (forward + 8) * 4 / 3;
    let limit = places.len() + ahead;
    let ceiling = at + 2 * ahead;
    let mut cursor = Some(at);
    while let Some(place) = cursor {
        if places.len() >= limit || place >= ceiling {
            break;
        }
        places.push(place);
        cursor = next_in_run(text, place);
    }
    let mut decoded = Decoded {
        base: *places.first()?,
        at: literal_group * 3 + usize::from(shift),
        ..Decoded::default()
    };
    for group in places.chunks(4) {
        let bits = group
            .iter()
            .fold(0u32, |bits, p| bits << 6 | u32::from(value(text[*p]) & 63));
        let bits = bits << (6 * (4 - group.len()));
        for index in 0..group.len() - 1 {
            let byte = (bits >> (16 - 8 * index) & 255) as u8;
            decoded.push(byte, group[index], group[index + 1] + 1);
        }
    }
    Some(decoded)
}

/// The next base64 character after `at`, over a line break and indentation if one comes.
fn next_in_run(text: &[u8], at: usize) -> Option<usize> {
    let next = at + 1;
    if value(*text.get(next)?) != OTHER {
        return Some(next);
    }
    let rest = text.get(next..)?;
    let skipped = line_break(rest)?;
    let indent = rest
        .get(skipped..)?
        .iter()
        .take(40)
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    let target = next + skipped + indent;
    (value(*text.get(target)?) != OTHER).then_some(target)
}

fn line_break(rest: &[u8]) -> Option<usize> {
    [b"\\r\\n".as_slice(), b"\\n", b"\r\n", b"\n"]
        .into_iter()
        .find(|b| rest.starts_with(b))
        .map(<[u8]>::len)
}

/// The base64 character before `at`, over a line break and indentation if one comes.
fn previous_in_run(text: &[u8], at: usize) -> Option<usize> {
    let mut previous = at.checked_sub(1)?;
    // The `n` of a written `\n` is no character of the run.
    if text[previous] == b'n' && previous.checked_sub(1).and_then(|i| text.get(i)) == Some(&b'\\') {
        previous = previous.checked_sub(2)?;
        return (value(text[previous]) != OTHER).then_some(previous);
    }
    if value(text[previous]) != OTHER {
        return Some(previous);
    }
    for _ in 0..40 {
        match text[previous] {
            b' ' | b'\t' => previous = previous.checked_sub(1)?,
            b'\n' => {
                previous = previous.checked_sub(1)?;
                if text[previous] == b'\r' {
                    previous = previous.checked_sub(1)?;
                }
                return (value(text[previous]) != OTHER).then_some(previous);
            }
            _ => return None,
        }
    }
    None
}
