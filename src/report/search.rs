//! Known texts in other texts: some thousand short ones, sought in lines and paths.
//!
//! An automaton would take longer to build than all that it is used for. Here the texts are sorted, each with the longest
//! other one that it begins with; what stands at a place is found by one look at a bitmap and, where that has a bit, one
//! search by halves.

use std::ops::Range;

/// Sorted texts that are searched for.
#[derive(Default)]
pub(super) struct Search {
    texts: Vec<Vec<u8>>,
    /// For each text the number of the longest other one that it begins with; its own where there is none.
    shorter: Vec<u32>,
    /// A bit for each hash of four bytes with which a text begins; `None` where a text has fewer.
    heads: Option<Box<[u64]>>,
    /// Bits of such a hash.
    bits: u32,
}

/// The least and the most bits of a hash: a bitmap of 32 KiB, one of 2 MiB.
const BITS: (u32, u32) = (18, 24);
/// Bits of the bitmap for each text, so that few of them are set.
const SPARE: usize = 16;
/// Bytes of which the bitmap tells.
const HEAD: usize = 4;

impl Search {
    /// Takes distinct texts in ascending order; an empty one is nowhere found.
    pub(super) fn new(texts: Vec<Vec<u8>>) -> Self {
        let mut shorter = Vec::with_capacity(texts.len());
        // Those that the text at hand may begin with, each the beginning of the next.
        let mut open: Vec<u32> = Vec::new();
        for (number, text) in (0_u32..).zip(&texts) {
            let begins = |at: &u32| {
                let other = texts.get(*at as usize);
                other.is_some_and(|other| !other.is_empty() && text.starts_with(other))
            };
            while open.last().is_some_and(|last| !begins(last)) {
                open.pop();
            }
            shorter.push(open.last().copied().unwrap_or(number));
            open.push(number);
        }
        let bits = (texts.len() * SPARE).checked_ilog2().unwrap_or(0);
        let bits = bits.clamp(BITS.0, BITS.1);
        let mut heads = Some(vec![0_u64; 1 << bits >> 6].into_boxed_slice());
        for text in texts.iter().filter(|text| !text.is_empty()) {
            match (head(text, bits), &mut heads) {
                (Some((word, bit)), Some(heads)) => heads[word] |= bit,
                _ => heads = None,
            }
        }
        Self {
            texts,
            shorter,
            heads,
            bits,
        }
    }

    /// The texts, ascending.
    pub(super) fn texts(&self) -> &[Vec<u8>] {
        &self.texts
    }

    /// Gives every place where one of the texts stands, with the text's number.
    pub(super) fn each(&self, text: &[u8], mut found: impl FnMut(Range<usize>, usize)) {
        if self.texts.is_empty() {
            return;
        }
        for start in 0..text.len() {
            let rest = &text[start..];
            if let Some(heads) = &self.heads {
                match head(rest, self.bits) {
                    Some((word, bit)) if heads[word] & bit != 0 => {}
                    Some(_) => continue,
                    None => break,
                }
            }
            // What stands here is the last text that is not behind `rest` in order, or one that this begins with.
            let after = self.texts.partition_point(|known| known.as_slice() <= rest);
            let Some(mut at) = after.checked_sub(1) else {
                continue;
            };
            let common = self.texts[at].iter().zip(rest);
            let common = common.take_while(|(a, b)| a == b).count();
            loop {
                let len = self.texts[at].len();
                if (1..=common).contains(&len) {
                    found(start..start + len, at);
                }
                let next = self.shorter[at] as usize;
                if next == at {
                    break;
                }
                at = next;
            }
        }
    }
}

/// The place of a text's first bytes in the bitmap: a word, and a bit in it.
#[inline]
fn head(text: &[u8], bits: u32) -> Option<(usize, u64)> {
    let first = u32::from_le_bytes(*text.first_chunk::<HEAD>()?);
    let hash = first.wrapping_mul(0x9e37_79b1) >> (32 - bits);
    Some(((hash >> 6) as usize, 1 << (hash & 63)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn text(most: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(&b"ab\xff"[..]), 0..most)
    }

    proptest! {
        #[test]
        fn every_place_of_every_text_is_found(
            texts in prop::collection::btree_set(text(9), 0..40),
            sought in text(60),
            long in any::<bool>(),
        ) {
            let texts: BTreeSet<Vec<u8>> =
                texts.into_iter().filter(|text| !long || text.len() >= HEAD).collect();
            let search = Search::new(texts.iter().cloned().collect());
            let mut found = BTreeSet::new();
            search.each(&sought, |span, number| {
                assert!(found.insert((span.start, span.end, number)), "found twice");
            });
            let mut expected = BTreeSet::new();
            for (number, text) in texts.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
                let windows = sought.windows(text.len()).enumerate();
                let places = windows.filter(|(_, window)| window == text);
                expected.extend(places.map(|(at, _)| (at, at + text.len(), number)));
            }
            prop_assert_eq!(found, expected);
        }
    }
}
