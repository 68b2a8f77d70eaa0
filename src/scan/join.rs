//! The place stage for one blob: matches → places with line, column, score and suppression.

use std::path::Path;

use crate::filter::Reason;
use crate::model::{Origin, Place, Position, Secret, Snippet, Span};
use crate::place::{comment, path_kind, score};
use crate::rule::RuleSet;
use crate::scan::Match;
use crate::scan::settle::{Placed, settle};

/// What the place stage is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether comments can suppress.
    pub inline_allow: bool,
    /// Whether matches that the filters dropped are kept with their reason.
    pub keep_dropped: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            inline_allow: true,
            keep_dropped: false,
        }
    }
}

/// A blob's bytes around its matches.
#[derive(Debug, Clone, Copy)]
pub struct BlobContext<'b> {
    /// The bytes that the matches' spans count in.
    pub bytes: &'b [u8],
    /// Path relative to the root.
    pub path: &'b [u8],
    /// Offset of `bytes` in the blob.
    pub offset: u64,
    /// Line on which `bytes` begin, from 1, and bytes of that line that stand before them.
    pub line: u32,
    /// Bytes of the first line that come before `bytes`.
    pub column: u32,
}

/// A match at its place.
#[derive(Debug, Clone)]
pub struct BlobMatch {
    /// Index of the rule.
    pub rule: usize,
    /// The secret.
    pub secret: Secret,
    /// Its parts.
    pub parts: Vec<(String, String)>,
    /// Entropy in bits per character.
    pub entropy: f32,
    /// Where it stands.
    pub place: Place,
}

/// Longest piece of a line that a report shows, in bytes.
const SNIPPET: usize = 240;

/// Gives each match its place in a blob.
#[must_use]
pub fn join(
    rules: &RuleSet,
    blob: BlobContext<'_>,
    mut matches: Vec<Match>,
    settings: &Settings,
) -> Vec<BlobMatch> {
    if matches.is_empty() {
        return Vec::new();
    }
    let key = |m: &Match| (m.span.start, m.span.end, m.rule, m.decodings.len());
    matches.sort_by_key(key);
    matches.dedup_by(|b, a| a.rule == b.rule && a.span == b.span);
    let path_text = String::from_utf8_lossy(blob.path);
    let path = Path::new(&*path_text);
    let kind = path_kind(path);
    let mut lines = LineCounter::new(blob);
    let mut joined: Vec<Placed> = Vec::with_capacity(matches.len());
    for m in matches {
        let (start, end) = (lines.position(m.span.start), lines.position(m.span.end));
        joined.push((m, start, end));
    }
    // A companion decides whether a match counts at all; only then do those that count compete.
    pair_up(rules, &mut joined);
    settle(rules, &mut joined);
    let mut out = Vec::with_capacity(joined.len());
    for (m, start, end) in joined {
        let Some(rule) = rules.rule(m.rule) else {
            continue;
        };
        let mut reason = m.dropped;
        let mut certainty = m.merit.score;
        if reason.is_none() {
            if !rule.applies_to(path) {
                reason = Some(Reason::Path);
            } else if rule.spec().generic {
                match score::context(kind, blob.bytes, &m.span, m.quoted, path) {
                    Some(factor) => certainty *= factor,
                    None => reason = Some(Reason::Expression),
                }
            }
        }
        if reason.is_none()
            && settings.inline_allow
            && let Some(mark) = comment::allows(blob.bytes, &m.span, &rule.spec().id)
        {
            reason = Some(Reason::Comment(mark));
        }
        let hides = |r: &Reason| {
            matches!(
                r,
                Reason::Overlaps(_) | Reason::Companion(_) | Reason::PartOf(_) | Reason::Comment(_)
            )
        };
        if let Some(r) = &reason
            && !settings.keep_dropped
            && !hides(r)
        {
            continue;
        }
        let offset = |at: usize| blob.offset + at as u64;
        out.push(BlobMatch {
            rule: m.rule,
            secret: m.secret,
            parts: m.parts,
            entropy: m.merit.entropy,
            place: Place {
                path: blob.path.to_vec(),
                start,
                end,
                span: Span {
                    start: offset(m.span.start),
                    end: offset(m.span.end),
                },
                snippet: snippet(blob.bytes, &m.span),
                decoded_from: m.decodings,
                score: certainty,
                dropped: reason.map(|r| r.to_string()),
                origin: Origin::default(),
                blob: None,
                commit: None,
            },
        });
    }
    out
}

/// Joins the halves of multi-part credentials: the nearest companion becomes a part, and is no
/// finding of its own where it is worth little alone.
fn pair_up(rules: &RuleSet, joined: &mut [Placed]) {
    for index in 0..joined.len() {
        let (rule, line) = (joined[index].0.rule, joined[index].1.line);
        let Some(spec) = rules.rule(rule).map(crate::rule::Rule::spec) else {
            continue;
        };
        for near in spec.near.iter() {
            if joined[index].0.dropped.is_some() {
                break;
            }
            let companion = joined
                .iter()
                .enumerate()
                .filter(|(other, (m, at, _))| {
                    *other != index
                        && rules.rule(m.rule).is_some_and(|r| r.spec().id == near.rule)
                        && !matches!(
                            m.dropped,
                            Some(
                                Reason::Placeholder(_)
                                    | Reason::Checksum(_)
                                    | Reason::Entropy(..)
                                    | Reason::Words
                            )
                        )
                        && at.line.abs_diff(line) <= near.within_lines
                })
                .min_by_key(|(other, (_, at, _))| (at.line.abs_diff(line), *other))
                .map(|(other, _)| other);
            match companion {
                Some(other) => {
                    let value = clear_part(&joined[other].0.secret);
                    let facts = joined[other].0.parts.clone();
                    let parts = &mut joined[index].0.parts;
                    parts.push((near.part.to_string(), value));
                    parts.extend(facts);
                    parts.sort();
                    parts.dedup_by(|b, a| a.0 == b.0);
                    let low = rules
                        .rule(joined[other].0.rule)
                        .is_some_and(|r| r.spec().severity <= crate::model::Severity::Low);
                    if low && joined[other].0.dropped.is_none() {
                        joined[other].0.dropped = Some(Reason::PartOf(spec.id.to_string()));
                    }
                }
                None if near.required => {
                    joined[index].0.dropped = Some(Reason::Companion(near.rule.to_string()));
                }
                None => {}
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a companion (key id, client id) becomes a part, redacted with the rest"
)]
fn clear_part(secret: &Secret) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}

/// Counts lines forward from match to match.
struct LineCounter<'b> {
    blob: BlobContext<'b>,
    at: usize,
    line: u32,
    line_start: Option<usize>,
}

impl<'b> LineCounter<'b> {
    fn new(blob: BlobContext<'b>) -> Self {
        Self {
            blob,
            at: 0,
            line: blob.line,
            line_start: None,
        }
    }

    fn position(&mut self, to: usize) -> Position {
        if to < self.at {
            // Back over what overlaps: never further than a match is long.
            let repassed = self.blob.bytes.get(to..self.at).unwrap_or_default();
            let breaks = memchr::memchr_iter(b'\n', repassed).count();
            self.at = to;
            if breaks > 0 {
                self.line -= u32::try_from(breaks).unwrap_or(0).min(self.line);
                let before = self.blob.bytes.get(..to).unwrap_or_default();
                self.line_start = memchr::memrchr(b'\n', before).map(|i| i + 1);
            }
        }
        let passed = self.blob.bytes.get(self.at..to).unwrap_or_default();
        let breaks = memchr::memchr_iter(b'\n', passed).count();
        self.line += u32::try_from(breaks).unwrap_or(u32::MAX);
        if let Some(last) = memchr::memrchr(b'\n', passed) {
            self.line_start = Some(self.at + last + 1);
        }
        self.at = to;
        let column = match self.line_start {
            Some(start) => to - start,
            None => to + self.blob.column as usize,
        };
        Position {
            line: self.line,
            column: u32::try_from(column + 1).unwrap_or(u32::MAX),
        }
    }
}

/// The first line of a match, cut around the secret where it is long.
fn snippet(bytes: &[u8], span: &std::ops::Range<usize>) -> Snippet {
    let floor = span.start.saturating_sub(SNIPPET);
    let start = memchr::memrchr(b'\n', &bytes[floor..span.start]).map_or(floor, |i| floor + i + 1);
    let start = if span.start - start > SNIPPET / 2 {
        span.start - SNIPPET / 3
    } else {
        start
    };
    let most = start + SNIPPET.max(span.end.saturating_sub(start).min(400));
    let ceiling = most.min(bytes.len());
    let end = memchr::memchr(b'\n', &bytes[span.start..ceiling.max(span.start)])
        .map_or(ceiling, |i| span.start + i);
    let end = if end > start && bytes[end - 1] == b'\r' {
        end - 1
    } else {
        end
    };
    let text = Secret::new(bytes.get(start..end).unwrap_or_default(), "");
    Snippet {
        text,
        secret: (span.start - start, span.end.min(end).saturating_sub(start)),
    }
}
