//! One blob from bytes to matches at their lines: what is common to files, objects and standard input.

use super::join::{Located, locate};
use super::{BlobContext, Engine, Limits, Match, Scratch, Settings};
use crate::decode::{Utf16, utf16};
use crate::model::Decoding;

/// A NUL in so many first bytes makes a blob binary.
pub(super) const BINARY_HEAD: usize = 8192;

/// What a blob holds.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// Matches as [`Engine::scan`] gives them.
    pub(crate) matches: Vec<Match>,
    /// Whether only distinctive literals counted.
    pub(crate) binary: bool,
    /// The text that the matches' spans count in, where it is not the blob's bytes.
    pub(crate) wide: Option<Utf16>,
    /// Where the part begins that was not looked at, with more matches than the limit.
    pub(crate) unseen: Option<usize>,
}

/// Whether a blob is binary, and its text where it is one in UTF-16.
pub(super) fn sort(bytes: &[u8]) -> (bool, Option<Utf16>) {
    let head = bytes.get(..BINARY_HEAD).unwrap_or(bytes);
    let has_mark = matches!(head, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]);
    let binary = memchr::memchr(0, head).is_some();
    let wide = if binary || has_mark {
        utf16(bytes)
    } else {
        None
    };
    (binary && wide.is_none(), wide)
}

/// Scans a blob as a whole.
pub(super) fn scan_whole(
    engine: &Engine,
    bytes: &[u8],
    (binary, wide): (bool, Option<Utf16>),
    limits: Limits,
    scratch: &mut Scratch,
) -> Content {
    let mut matches = Vec::new();
    let text = wide.as_ref().map_or(bytes, |wide| &wide.bytes);
    engine.scan(text, 0..text.len(), binary, limits, scratch, |found| {
        matches.push(found);
    });
    Content {
        matches,
        binary,
        wide,
        unseen: scratch.unseen,
    }
}

/// The bytes that were looked at: no snippet goes beyond them, for what stands there may be a secret
/// that nobody has seen.
pub(super) fn seen(bytes: &[u8], unseen: Option<usize>) -> &[u8] {
    let end = unseen.unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or(bytes)
}

/// Gives the matches in a blob their lines, and all else that does not need its path.
pub(crate) fn located(
    engine: &Engine,
    bytes: &[u8],
    content: Content,
    settings: &Settings,
) -> Vec<Located> {
    if content.matches.is_empty() {
        return Vec::new();
    }
    let text = content.wide.as_ref().map_or(bytes, |wide| &wide.bytes);
    let context = BlobContext {
        bytes: seen(text, content.unseen),
        path: &[],
        offset: 0,
        line: 1,
        column: 0,
    };
    let mut located = locate(engine.rules(), context, content.matches, settings);
    if let Some(text) = &content.wide {
        let at = |offset: u64| text.origin(usize::try_from(offset).unwrap_or(usize::MAX)) as u64;
        for found in &mut located {
            let span = &mut found.spot.span;
            (span.start, span.end) = (at(span.start), at(span.end));
            found.context.decodings.insert(0, Decoding::Utf16);
        }
    }
    located
}
