//! Object ids.

use std::fmt;
use std::str::FromStr;

/// A SHA-1 object id: twenty bytes, shown as forty lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
        for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
            *byte = hex(pair[0])? << 4 | hex(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

fn hex(digit: u8) -> Result<u8, OidSyntax> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(OidSyntax),
    }
}
