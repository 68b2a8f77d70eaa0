//! Object ids.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A SHA-1 object id: twenty bytes, shown as forty lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Oid([u8; 20]);

impl Oid {
    /// The id with these bytes.
    pub const fn new(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The id in the first twenty bytes of a slice, `None` when it is shorter.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk::<20>().map(|bytes| Self(*bytes))
    }

    /// Its twenty bytes.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// Its bytes in three numbers, which are compared in place; twenty bytes are by a call. The last two overlap.
    fn parts(&self) -> [u64; 3] {
        let word = |at: usize| {
            let bytes = self.0.get(at..).and_then(<[u8]>::first_chunk);
            bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes))
        };
        [word(0), word(8), word(12)]
    }
}

impl Ord for Oid {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl PartialOrd for Oid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not forty hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an object id is forty hexadecimal digits")]
pub struct OidSyntax;

impl FromStr for Oid {
    type Err = OidSyntax;

    fn from_str(text: &str) -> Result<Self, OidSyntax> {
        let digits = text.as_bytes();
        if digits.len() != 40 {
            return Err(OidSyntax);
        }
        let mut bytes = [0; 20];
        let mut wrong = 0;
        for (byte, [high, low]) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
            let (high, low) = (VALUES[usize::from(*high)], VALUES[usize::from(*low)]);
            wrong |= high | low;
            *byte = high << 4 | low & 15;
        }
        if wrong & NONE == 0 {
            Ok(Self(bytes))
        } else {
            Err(OidSyntax)
        }
    }
}

/// Marks what is no hexadecimal digit.
const NONE: u8 = 0x80;

/// The value of each hexadecimal digit: ids are read by the ten thousand.
static VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value] as usize] = value as u8;
        values[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    values
};
