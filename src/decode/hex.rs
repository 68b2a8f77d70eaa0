//! Pairs of hexadecimal digits.

use super::Decoded;

fn value(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

fn pair(text: &[u8], at: usize) -> Option<u8> {
    Some(value(*text.get(at)?)? << 4 | value(*text.get(at + 1)?)?)
}

/// Decodes the run of hex pairs around `at`, where a pair begins; up to `back` and `forward` bytes.
#[must_use]
pub fn hex_around(text: &[u8], at: usize, back: usize, forward: usize) -> Option<Decoded> {
    let mut start = at;
    while start >= 2 && at - start < (back + 8) * 2 && pair(text, start - 2).is_some() {
        start -= 2;
    }
    let mut decoded = Decoded {
        base: start,
        at: (at - start) / 2,
        ..Decoded::default()
    };
    let mut cursor = start;
    while cursor < at + (forward + 8) * 2 {
        let Some(byte) = pair(text, cursor) else {
            break;
        };
        decoded.push(byte, cursor, cursor + 2);
        cursor += 2;
    }
    (decoded.bytes.len() > decoded.at).then_some(decoded)
}
