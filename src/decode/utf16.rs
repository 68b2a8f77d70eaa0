//! UTF-16 files: recognised by their mark, or by a NUL in every other byte.

/// A text in UTF-16, with its bytes as UTF-8 and the way back.
#[derive(Debug, Clone)]
pub struct Utf16 {
    /// The text in UTF-8.
    pub bytes: Vec<u8>,
    /// Every 64th byte's offset in the source: enough to count on from.
    marks: Vec<u32>,
    units: Vec<u8>,
    skip: usize,
}

/// Reads a text in UTF-16, little or big endian; `None` where the bytes are something else.
#[must_use]
pub fn utf16(source: &[u8]) -> Option<Utf16> {
    let (big, skip) = match source {
        [0xFF, 0xFE, ..] => (false, 2),
        [0xFE, 0xFF, ..] => (true, 2),
        _ => (guess(source)?, 0),
    };
    let mut text = Utf16 {
        bytes: Vec::with_capacity(source.len() / 2),
        marks: Vec::new(),
        units: Vec::new(),
        skip,
    };
    let units = source.get(skip..)?.chunks_exact(2).map(|pair| match pair {
        [a, b] if big => u16::from_be_bytes([*a, *b]),
        [a, b] => u16::from_le_bytes([*a, *b]),
        _ => 0,
    });
    for letter in char::decode_utf16(units) {
        let letter = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
        let mut buffer = [0u8; 4];
        let encoded = letter.encode_utf8(&mut buffer);
        text.bytes.extend_from_slice(encoded.as_bytes());
        // Bytes of source that each byte of text accounts for: all at a letter's first byte.
        let width = u8::try_from(letter.len_utf16() * 2).unwrap_or(2);
        text.units.push(width);
        text.units.extend(std::iter::repeat_n(0, encoded.len() - 1));
    }
    let mut at = 0u32;
    for (index, width) in text.units.iter().enumerate() {
        if index % 64 == 0 {
            text.marks.push(at);
        }
        at += u32::from(*width);
    }
    Some(text)
}

impl Utf16 {
    /// Offset in the source of a byte of the text (or of the end).
    #[must_use]
    pub fn origin(&self, at: usize) -> usize {
        let block = (at / 64).min(self.marks.len().saturating_sub(1));
        let base = self.marks.get(block).copied().unwrap_or(0) as usize;
        let tail: usize = self
            .units
            .get(block * 64..at.min(self.units.len()))
            .unwrap_or_default()
            .iter()
            .map(|w| usize::from(*w))
            .sum();
        self.skip + base + tail
    }
}

/// Byte order of a text without a mark: a NUL in nearly every second byte of the first kilobyte.
fn guess(source: &[u8]) -> Option<bool> {
    let head = source.get(..source.len().min(1024) & !1)?;
    if head.len() < 16 {
        return None;
    }
    let nuls = |offset: usize| {
        head.iter()
            .skip(offset)
            .step_by(2)
            .filter(|b| **b == 0)
            .count()
    };
    let (even, odd, pairs) = (nuls(0), nuls(1), head.len() / 2);
    if odd * 10 >= pairs * 9 && even * 10 < pairs {
        Some(false)
    } else if even * 10 >= pairs * 9 && odd * 10 < pairs {
        Some(true)
    } else {
        None
    }
}
