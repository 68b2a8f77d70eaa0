//! Comments that accept a finding where it stands.

use std::ops::Range;

/// Other tools' marks: they count on the same line, whatever the rule.
const FOREIGN: [&str; 6] = [
    "gitleaks:allow",
    "pragma: allowlist secret",
    "pragma: whitelist secret",
    "betterleaks:allow",
    "trufflehog:ignore",
    "kingfisher:ignore",
];

/// Our own mark: on the line or alone on the line above, with rule ids behind it or for all rules.
pub const OWN: &str = "keysweep:allow";

/// How far from a match a mark may stand in its line, in bytes.
const REACH: usize = 4096;

/// The mark that accepts a match of `rule` at `span`, if one does.
#[must_use]
pub fn allows(bytes: &[u8], span: &Range<usize>, rule: &str) -> Option<String> {
    // A line is looked at no further than this from the match: long lines hold many of them.
    let start_of = |at: usize| {
        let floor = at.saturating_sub(REACH);
        let before = bytes.get(floor..at).unwrap_or_default();
        memchr::memrchr(b'\n', before).map_or(floor, |i| floor + i + 1)
    };
    let end_of = |at: usize| {
        let ceiling = (at + REACH).min(bytes.len());
        let behind = bytes.get(at..ceiling).unwrap_or_default();
        memchr::memchr(b'\n', behind).map_or(ceiling, |i| at + i)
    };
    let start = start_of(span.start);
    // A block's mark may stand on its first or on its last line.
    let first = bytes.get(start..end_of(span.start))?;
    let last = bytes
        .get(start_of(span.end)..end_of(span.end))
        .unwrap_or_default();
    let starts_a_line = start == 0 || bytes.get(start - 1) == Some(&b'\n');
    let above = match start.checked_sub(1) {
        Some(end) if starts_a_line => bytes.get(start_of(end)..end).unwrap_or_default(),
        _ => &[],
    };
    for line in [first, last] {
        if own_mark(line, rule) {
            return Some(OWN.to_owned());
        }
        if let Some(mark) = FOREIGN
            .iter()
            .find(|m| memchr::memmem::find(line, m.as_bytes()).is_some())
        {
            return Some((*mark).to_owned());
        }
    }
    // Above, the mark must be all that the line says, so that it cannot be meant for that line.
    let before = memchr::memmem::find(above, OWN.as_bytes())?;
    let comment_only = above[..before].iter().all(|b| !b.is_ascii_alphanumeric());
    (comment_only && own_mark(above, rule)).then(|| OWN.to_owned())
}

fn own_mark(line: &[u8], rule: &str) -> bool {
    // A word of its own: not `keysweep:allowed`, and not a part of an address.
    let stands_alone = |at: usize| {
        let before = at.checked_sub(1).and_then(|i| line.get(i));
        let behind = line.get(at + OWN.len());
        before.is_none_or(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'?' | b'&' | b'=' | b'_'))
            && behind.is_none_or(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'&' | b'=' | b'_'))
    };
    let mut marks = memchr::memmem::find_iter(line, OWN.as_bytes());
    let Some(at) = marks.find(|at| stands_alone(*at)) else {
        return false;
    };
    let rest = String::from_utf8_lossy(&line[at + OWN.len()..]);
    let mut ids = rest
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|w| {
            w.contains('-')
                && w.chars().any(|c| c.is_ascii_alphabetic())
                && !w.starts_with('-')
                && !w.ends_with('-')
        })
        .peekable();
    ids.peek().is_none() || ids.any(|id| id == rule)
}
