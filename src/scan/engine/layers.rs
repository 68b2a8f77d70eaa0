//! From a literal to the plain text around it: encodings and escapes, one inside the other.

use std::ops::Range;

use super::{Engine, Limits, Scratch, Seen};
use crate::decode::{Decoded, base64_around, escapes_around, hex_around, is_quoted_printable};
use crate::model::Decoding;
use crate::rule::{Escape, Hit, Literal, Step};

/// Most texts that are decoded inside the one which a mark of an escape makes be decoded: enough for three sorts inside each other
/// in any order, and a bound where all of them stand in one line.
const MOST_LAYERS: usize = 10;

/// An input on its way through the decoders.
#[derive(Clone, Copy)]
pub(super) struct Text<'t> {
    pub(super) bytes: &'t [u8],
    pub(super) outer: Option<&'t Layer<'t>>,
}

/// One decoding and what it was made from.
pub(super) struct Layer<'t> {
    pub(super) decoded: &'t Decoded,
    pub(super) sort: Decoding,
    pub(super) outer: Option<&'t Layer<'t>>,
}

impl Layer<'_> {
    pub(super) fn is_markup(&self) -> bool {
        self.sort == Decoding::Html
    }

    /// Whether a range of the decoded text holds an escape.
    pub(super) fn is_escaped(&self, range: &Range<usize>) -> bool {
        !range.is_empty() && self.decoded.origin(range).len() != range.len()
    }

    /// Whether it holds one, or one stands right beside it.
    pub(super) fn touches(&self, range: &Range<usize>) -> bool {
        let end = (range.end + 1).min(self.decoded.bytes.len());
        self.is_escaped(&(range.start.saturating_sub(1)..end))
    }
}

impl Engine {
    /// `seen` says, for each sort of escape, up to where its lines have been decoded already.
    pub(super) fn follow(
        &self,
        text: Text<'_>,
        hit: Hit,
        distinctive: bool,
        limits: Limits,
        seen: &mut Seen,
        scratch: &mut Scratch,
    ) {
        let Some(literal) = self
            .rules
            .prefilter()
            .literals()
            .get(usize::from(hit.literal))
        else {
            return;
        };
        if distinctive && !literal.distinctive {
            return;
        }
        if let Some(escape) = literal.escape {
            self.unescape(text, hit.at, escape, limits, seen, scratch);
        } else if let Some((first, rest)) = literal.steps.split_first() {
            self.decode(text, hit.at, literal, *first, rest, distinctive, scratch);
        } else {
            self.try_rules(
                text,
                hit.at,
                literal.bytes.len(),
                literal,
                distinctive,
                scratch,
            );
        }
    }

    /// Follows an encoded literal inward, one encoding after the other, to the plain one.
    #[expect(
        clippy::too_many_arguments,
        reason = "one inner step of the scan, called from one place"
    )]
    fn decode(
        &self,
        text: Text<'_>,
        at: usize,
        literal: &Literal,
        step: Step,
        rest: &[Step],
        distinctive: bool,
        scratch: &mut Scratch,
    ) {
        // What is still encoded inside takes more room than the plain text.
        let room = |plain: usize| (plain + 64) << rest.len();
        let (back, forward) = (room(literal.back), room(literal.forward));
        let (decoded, sort) = match step {
            Step::Base64(shift) => (
                base64_around(text.bytes, at, shift, back, forward),
                Decoding::Base64,
            ),
            Step::Hex => (hex_around(text.bytes, at, back, forward), Decoding::Hex),
        };
        let Some(decoded) = decoded else { return };
        let layer = Layer {
            decoded: &decoded,
            sort,
            outer: text.outer,
        };
        let inner = Text {
            bytes: &decoded.bytes,
            outer: Some(&layer),
        };
        match rest.split_first() {
            Some((next, rest)) => {
                // The certain characters of the inner base64 begin a little into its group.
                self.decode(
                    inner,
                    decoded.at,
                    literal,
                    *next,
                    rest,
                    distinctive,
                    scratch,
                );
            }
            None => self.try_rules(inner, decoded.at, 3, literal, distinctive, scratch),
        }
    }

    /// Decodes a line's escapes and searches it as a whole.
    fn unescape(
        &self,
        text: Text<'_>,
        at: usize,
        escape: Escape,
        limits: Limits,
        seen: &mut Seen,
        scratch: &mut Scratch,
    ) {
        let [percent, backslash, html, quoted, terminal] = seen;
        let (sort, until) = match escape {
            Escape::Percent => (Decoding::Percent, percent),
            Escape::Backslash => (Decoding::Escape, backslash),
            Escape::Html => (Decoding::Html, html),
            Escape::Quoted => (Decoding::Quoted, quoted),
            Escape::Terminal => (Decoding::Terminal, terminal),
        };
        let is_nested = text.outer.is_some();
        if limits.depth == 0 || at < *until || is_nested && scratch.layers >= MOST_LAYERS {
            return;
        }
        scratch.layers = if is_nested { scratch.layers + 1 } else { 0 };
        let (decoded, window) = escapes_around(text.bytes, at, sort, is_nested);
        let cut = text.bytes.get(window.end).is_some_and(|b| *b != b'\n');
        // What ends near a cut is decoded again from a later place, with all that follows it.
        *until = if cut {
            window.end.saturating_sub(window.len() / 4).max(at + 1)
        } else {
            window.end
        };
        let line = text.bytes.get(window).unwrap_or_default();
        if sort == Decoding::Quoted && !is_quoted_printable(line) {
            return;
        }
        let layer = Layer {
            decoded: &decoded,
            sort,
            outer: text.outer,
        };
        let inner = Text {
            bytes: &decoded.bytes,
            outer: Some(&layer),
        };
        let mut hits = Vec::new();
        self.rules
            .prefilter()
            .search(&decoded.bytes, |hit| hits.push(hit));
        let mut inner_seen = Seen::default();
        let inner_limits = Limits {
            depth: limits.depth - 1,
            ..limits
        };
        for hit in hits {
            if scratch.found.len() >= limits.matches {
                scratch.full = true;
                break;
            }
            self.follow(inner, hit, false, inner_limits, &mut inner_seen, scratch);
        }
    }
}
