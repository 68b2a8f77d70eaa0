//! Encoded text around a place → its bytes, with the way back to where each of them stood.
//!
//! Only what surrounds a literal's encoded form is decoded, so that the result depends on nothing
//! but the bytes within reach.

mod base64;
mod escape;
mod hex;
mod utf16;

pub use self::base64::base64_around;
pub use self::escape::{escape_before, escapes_around, has_entity, is_quoted_printable, markup};
pub use self::hex::hex_around;
pub use self::utf16::{Utf16, utf16};

use std::ops::Range;

/// Decoded bytes that know where they came from.
#[derive(Debug, Clone, Default)]
pub struct Decoded {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// For each byte the range of the encoded text that it was made from.
    places: Vec<(u32, u32)>,
    /// What the ranges count from.
    base: usize,
    /// Where, in `bytes`, the place that was asked for stands.
    pub at: usize,
}

impl Decoded {
    fn push(&mut self, byte: u8, start: usize, end: usize) {
        let relative = |at: usize| u32::try_from(at.saturating_sub(self.base)).unwrap_or(u32::MAX);
        let place = (relative(start), relative(end));
        self.bytes.push(byte);
        self.places.push(place);
    }

    /// The encoded text that a range of the decoded bytes was made from.
    #[must_use]
    pub fn origin(&self, range: &Range<usize>) -> Range<usize> {
        let at = |i: usize| self.places.get(i).copied();
        let start = at(range.start).map_or(0, |p| p.0);
        let end = range.end.checked_sub(1).and_then(at).map_or(start, |p| p.1);
        self.base + start as usize..self.base + end.max(start) as usize
    }
}
