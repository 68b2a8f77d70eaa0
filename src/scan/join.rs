//! The place stage for one blob: matches → places with line, column, score and suppression.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use crate::filter::Reason;
use crate::model::{
    Cover, Covered, Decoding, Fingerprint, Origin, Place, Position, Rivals, Secret, Snippet, Span,
};
use crate::place::comment::{self, Allowance};
use crate::place::{path_kind, score};
use crate::rule::RuleSet;
use crate::scan::Match;
use crate::scan::companion::pair_up;
use crate::scan::extent;
use crate::scan::settle::{Placed, settle};

/// What the place stage is told.
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches that do not depend on each other"
)]
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether comments can suppress.
    pub inline_allow: bool,
    /// Whether matches that the filters dropped are kept with their reason.
    pub keep_dropped: bool,
    /// Today, for comments that expire; without it none does.
    pub today: Option<jiff::civil::Date>,
    /// Whether the summary lists the comments that suppress, used or not.
    pub list_marks: bool,
    /// Whether matches tell what else stands near them that may be their parts.
    pub with_rivals: bool,
    /// How paths of reports begin, each with what that is from the project's root. A file is a test or an example by its path from
    /// there, from wherever it is scanned.
    pub below: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            inline_allow: true,
            keep_dropped: false,
            today: None,
            list_marks: false,
            with_rivals: false,
            below: Vec::new(),
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
    /// What else may be its parts; none where [`Settings::with_rivals`] does not ask for it.
    pub rivals: Rivals,
    /// Entropy in bits per character.
    pub entropy: f32,
    /// Where it stands.
    pub place: Place,
    /// Time of the commit that brought it there, in history.
    pub time: Option<i64>,
}

/// Longest piece of a line that a report shows, in bytes.
const SNIPPET: usize = 240;
/// Longest line in bytes that an allow-list is compared with as a whole.
const LINE: usize = 4096;

/// A match with all that its place in a blob says of it, whatever path the blob has: what is left to do needs the path alone.
#[derive(Debug, Clone)]
pub(crate) struct Located {
    /// What does not change where lines or bytes are put in front of it.
    pub(crate) context: Context,
    /// Where it stands.
    pub(crate) spot: Spot,
}

/// Where a match stands in its blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Spot {
    /// Start of the secret.
    pub(crate) start: Position,
    /// End of the secret, exclusive.
    pub(crate) end: Position,
    /// Bytes of the secret in its blob.
    pub(crate) span: Span,
}

/// A match and the text around it. Many versions of a file hold the same.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Index of the rule.
    pub(crate) rule: usize,
    /// The secret.
    pub(crate) secret: Secret,
    parts: Vec<(String, String)>,
    rivals: Rivals,
    entropy: f32,
    score: f32,
    dropped: Option<Reason>,
    quoted: bool,
    /// Comment that accepts the match.
    mark: Option<String>,
    /// Comment that would, had it not expired.
    lapsed: Option<String>,
    snippet: Snippet,
    /// How it was encoded.
    pub(crate) decodings: Vec<Decoding>,
    /// For generic rules the bytes that [`score::context`] looks at, and the secret's place in them.
    around: Option<(Secret, std::ops::Range<usize>)>,
    /// The matches that win over it, where it would count without them.
    covers: Vec<Winner>,
}

/// A match that wins over another one.
#[derive(Debug, Clone)]
struct Winner {
    rule: usize,
    secret: Secret,
    matched: Secret,
    is_whole: bool,
    is_marked: bool,
}

impl Winner {
    #[expect(clippy::disallowed_methods, reason = "compared and hashed, not shown")]
    fn key(&self) -> impl PartialEq + std::hash::Hash + '_ {
        let (secret, matched) = (self.secret.expose(), self.matched.expose());
        (self.rule, secret, matched, self.is_whole, self.is_marked)
    }

    fn cover(&self, rules: &RuleSet) -> Option<Cover> {
        Some(Cover {
            rule: rules.rule(self.rule)?.spec().id.to_string(),
            secret: self.secret.clone(),
            // The salt comes with the merge.
            fingerprint: Fingerprint([0; 16]),
            matched: self.matched.clone(),
            is_whole: self.is_whole,
            is_marked: self.is_marked,
        })
    }
}

impl Context {
    #[expect(clippy::disallowed_methods, reason = "compared and hashed, not shown")]
    fn key(&self) -> impl PartialEq + std::hash::Hash + '_ {
        (
            (self.rule, self.secret.expose(), &self.parts, &self.rivals),
            (self.entropy.to_bits(), self.score.to_bits(), self.quoted),
            self.dropped.as_ref().map(ToString::to_string),
            (&self.mark, &self.lapsed, &self.decodings),
            (self.snippet.text.expose(), self.snippet.secret),
            &self.snippet.hidden,
            self.snippet.line.as_ref().map(Secret::expose),
            (
                self.snippet.encoded.as_ref().map(Secret::expose),
                self.snippet.matched,
            ),
            self.covers.iter().map(Winner::key).collect::<Vec<_>>(),
            self.around
                .as_ref()
                .map(|(text, span)| (text.expose(), span.clone())),
        )
    }
}

impl PartialEq for Context {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Context {}

impl std::hash::Hash for Context {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// Gives each match its place in a blob.
#[must_use]
pub fn join(
    rules: &RuleSet,
    blob: BlobContext<'_>,
    matches: Vec<Match>,
    settings: &Settings,
) -> Vec<BlobMatch> {
    if matches.is_empty() {
        return Vec::new();
    }
    locate(rules, blob, matches, settings)
        .into_iter()
        .filter_map(|found| place(rules, &found.context, &found.spot, blob.path, settings))
        .collect()
}

/// The part of the place stage that needs a blob's bytes.
pub(crate) fn locate(
    rules: &RuleSet,
    blob: BlobContext<'_>,
    mut matches: Vec<Match>,
    settings: &Settings,
) -> Vec<Located> {
    let key = |m: &Match| (m.span.start, m.span.end, m.rule, m.decodings.len());
    matches.sort_by_key(key);
    matches.dedup_by(|b, a| {
        let is_same = a.rule == b.rule && a.span == b.span;
        a.quoted |= is_same && b.quoted;
        a.is_reading |= is_same && b.is_reading;
        is_same
    });
    let mut lines = LineCounter::new(blob);
    let mut joined: Vec<Placed> = Vec::with_capacity(matches.len());
    for m in matches {
        let (start, end) = (lines.position(m.span.start), lines.position(m.span.end));
        joined.push((m, start, end));
    }
    // A companion decides whether a match counts at all; only then do those that count compete.
    pair_up(rules, &mut joined, settings.with_rivals);
    let covers = settle(rules, &mut joined);
    let knows = rules.adviser();
    let judged = |m: &Match| {
        let rule = rules.rule(m.rule).filter(|_| settings.inline_allow)?;
        comment::allows(blob.bytes, &m.span, &rule.spec().id, settings.today, &knows)
    };
    // A long match may win over very many: they share what is said of it.
    let mut winners: BTreeMap<usize, Winner> = BTreeMap::new();
    let mut covers: BTreeMap<usize, Vec<Winner>> = covers
        .into_iter()
        .map(|(loser, numbers)| {
            let loser_span = &joined[loser].0.span;
            let all = numbers.into_iter().map(|number| {
                let m = &joined[number].0;
                let winner = winners.entry(number).or_insert_with(|| Winner {
                    rule: m.rule,
                    secret: m.secret.clone(),
                    matched: matched(blob.bytes, m),
                    is_whole: false,
                    is_marked: matches!(judged(m), Some(Allowance::Accepted(_))),
                });
                Winner {
                    is_whole: m.span.start <= loser_span.start && loser_span.end <= m.span.end,
                    ..winner.clone()
                }
            });
            (loser, all.collect())
        })
        .collect();
    let mut out = Vec::with_capacity(joined.len());
    let mut line = None;
    let hidden: Vec<Hidden> = joined
        .iter()
        .map(|(m, ..)| Hidden::of(rules, blob.bytes, m))
        .collect();
    for (number, (m, start, end)) in joined.into_iter().enumerate() {
        let covers = covers.remove(&number).unwrap_or_default();
        let counts = m.dropped.is_none() || !covers.is_empty();
        let Some(rule) = rules.rule(m.rule) else {
            continue;
        };
        if m.dropped.as_ref().is_some_and(|r| !is_kept(r, settings)) {
            continue;
        }
        let (mut mark, mut lapsed) = (None, None);
        if counts {
            match judged(&m) {
                Some(Allowance::Accepted(text)) => mark = Some(text),
                Some(Allowance::Lapsed(text)) => lapsed = Some(text),
                None => {}
            }
        }
        let around = (counts && rule.spec().generic).then(|| {
            let from = m.span.start.saturating_sub(score::BEFORE);
            let to = (m.span.end + score::BEHIND).min(blob.bytes.len());
            let text = Secret::new(blob.bytes.get(from..to).unwrap_or_default(), "");
            (text, m.span.start - from..m.span.end - from)
        });
        let offset = |at: usize| blob.offset + at as u64;
        out.push(Located {
            spot: Spot {
                start,
                end,
                span: Span {
                    start: offset(m.span.start),
                    end: offset(m.span.end),
                },
            },
            context: Context {
                rule: m.rule,
                parts: m.parts,
                rivals: m.rivals,
                entropy: m.merit.entropy,
                score: m.merit.score,
                dropped: m.dropped,
                quoted: m.quoted,
                mark,
                lapsed,
                snippet: snippet(
                    blob.bytes,
                    &m.span,
                    m.around,
                    !m.decodings.is_empty(),
                    (&hidden, number),
                    &mut line,
                ),
                decodings: m.decodings,
                secret: m.secret,
                around,
                covers,
            },
        });
    }
    out
}

/// Whether a match with this reason against it goes on to the report: what rules told each other is of use there.
fn is_kept(reason: &Reason, settings: &Settings) -> bool {
    settings.keep_dropped
        || matches!(
            reason,
            Reason::Overlaps(_) | Reason::Companion(_) | Reason::PartOf(_) | Reason::Comment(_)
        )
}

/// The part of the place stage that needs the path.
#[expect(
    clippy::disallowed_methods,
    reason = "the text around a secret is looked at, not shown"
)]
pub(crate) fn place(
    rules: &RuleSet,
    context: &Context,
    at: &Spot,
    path: &[u8],
    settings: &Settings,
) -> Option<BlobMatch> {
    let rule = rules.rule(context.rule)?;
    let path_text = String::from_utf8_lossy(path);
    let shown = Path::new(&*path_text);
    let mut reason = context.dropped.clone();
    // A rule that does not apply here wins over nothing.
    let applies = |winner: &&Winner| rules.rule(winner.rule).is_some_and(|r| r.applies_to(shown));
    let winners = context.covers.iter().filter(applies);
    let winners = winners.filter_map(|winner| winner.cover(rules));
    let mut covers: Vec<Cover> = winners.collect();
    let yields = reason.take_if(|_| !context.covers.is_empty());
    let mut certainty = context.score;
    if reason.is_none() {
        if !rule.applies_to(shown) {
            reason = Some(Reason::Path);
        } else if let Some((text, span)) = &context.around {
            let below = from_root(path, &settings.below);
            let kind = path_kind(Path::new(&*String::from_utf8_lossy(&below)));
            let is_call = rule.is_call();
            match score::context(kind, text.expose(), span, context.quoted, is_call, shown) {
                Some(factor) => certainty *= factor,
                None => reason = Some(Reason::Expression),
            }
        }
    }
    let mark = context.mark.clone().map(Reason::Comment);
    let mut covered = None;
    if yields.is_some() && !covers.is_empty() {
        let by = covers.first().map_or("", |cover| &cover.rule);
        let yields = Reason::Overlaps(by.to_owned());
        covered = reason.is_none().then(|| {
            Box::new(Covered {
                by: std::mem::take(&mut covers),
                mark: mark.map(|mark| mark.to_string()),
            })
        });
        reason = Some(yields);
    } else if reason.is_none() {
        reason = mark;
    }
    if reason.as_ref().is_some_and(|r| !is_kept(r, settings)) {
        return None;
    }
    Some(BlobMatch {
        rule: context.rule,
        secret: context.secret.clone(),
        parts: context.parts.clone(),
        rivals: context.rivals.clone(),
        entropy: context.entropy,
        place: Place {
            path: path.to_vec(),
            start: at.start,
            end: at.end,
            span: at.span,
            snippet: context.snippet.clone(),
            decoded_from: context.decodings.clone(),
            score: certainty,
            dropped: reason.map(|r| r.to_string()),
            origin: Origin::default(),
            blob: None,
            commit: None,
            lapsed: context.lapsed.clone(),
            covered,
        },
        time: None,
    })
}

/// A report's path from the project's root.
fn from_root<'p>(path: &'p [u8], below: &[(Vec<u8>, Vec<u8>)]) -> Cow<'p, [u8]> {
    let found = below.iter().find_map(|(shown, root)| {
        let rest = path.strip_prefix(&**shown)?;
        let is_whole = shown.is_empty() || matches!(rest.first(), None | Some(b'/'));
        let rest = rest.strip_prefix(b"/").unwrap_or(rest);
        let names = [&**root, rest].into_iter().filter(|part| !part.is_empty());
        is_whole.then(|| names.collect::<Vec<_>>().join(&b'/'))
    });
    found.map_or(Cow::Borrowed(path), Cow::Owned)
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

/// What a pattern matched as it stands in the file, cut on both sides of the secret where that is long.
fn matched(bytes: &[u8], m: &Match) -> Secret {
    let (before, behind) = (m.around.0.min(SNIPPET), m.around.1.min(SNIPPET));
    let range = m.span.start.saturating_sub(before)..m.span.end + behind;
    Secret::new(bytes.get(range).unwrap_or_default(), "")
}

/// What of a match no report shows.
#[derive(Debug)]
struct Hidden {
    /// The secret, or the encoded text of it, with what is glued to it and may belong to it.
    span: std::ops::Range<usize>,
    /// Whether it is hidden beside other matches: a placeholder is not.
    beside: bool,
}

impl Hidden {
    #[expect(clippy::disallowed_methods, reason = "looked at, not shown")]
    fn of(rules: &RuleSet, bytes: &[u8], m: &Match) -> Self {
        /// Shorter dropped ones are words.
        const LEAST: usize = 8;
        let is_word = |sort: fn(&u8) -> bool| {
            let other = |b: &u8| !sort(b) && !matches!(b, b'_' | b'-' | b' ');
            !m.secret.expose().iter().any(other)
        };
        let is_name = is_word(u8::is_ascii_lowercase) || is_word(u8::is_ascii_uppercase);
        let beside = match &m.dropped {
            None => true,
            Some(Reason::Placeholder(_) | Reason::Words) if is_name => false,
            Some(_) => m.secret.len() >= LEAST,
        };
        let is_text =
            |sort: &Decoding| !matches!(sort, Decoding::Base64 | Decoding::Hex | Decoding::Utf16);
        let spec = rules.rule(m.rule).map(crate::rule::Rule::spec);
        let spec = spec.filter(|spec| spec.generic || spec.open);
        let end = match spec.filter(|_| m.decodings.iter().all(is_text)) {
            Some(spec) => extent::glued_end(bytes, &m.span, !spec.generic),
            None => m.span.end,
        };
        Self {
            span: m.span.start..end,
            beside,
        }
    }

    /// The ranges of a text, which stands at `text`, that are hidden with the match of this number.
    fn within(
        all: &[Self],
        number: usize,
        own: &std::ops::Range<usize>,
        text: &std::ops::Range<usize>,
    ) -> Vec<(usize, usize)> {
        /// Matches that begin further before the text are not looked at.
        const BACK: usize = 2048;
        let first = all.partition_point(|one| one.span.start + BACK < text.start);
        let near = all.iter().enumerate().skip(first);
        near.take_while(|(_, one)| one.span.start < text.end)
            .filter(|(other, one)| {
                let overlaps = one.span.start < own.end && own.start < one.span.end;
                if *other == number {
                    one.span.end > own.end
                } else {
                    one.beside && !overlaps && one.span.end > text.start
                }
            })
            .map(|(_, one)| {
                let inside = |at: usize| at.clamp(text.start, text.end) - text.start;
                (inside(one.span.start), inside(one.span.end))
            })
            .filter(|(start, end)| start < end)
            .collect()
    }
}

/// The lines that a match stands on, unless they are longer than [`LINE`].
fn lines_of(bytes: &[u8], matched: std::ops::Range<usize>) -> Option<std::ops::Range<usize>> {
    let floor = matched.start.saturating_sub(LINE);
    let before = bytes.get(floor..matched.start)?;
    let start = memchr::memrchr(b'\n', before).map_or(floor, |i| floor + i + 1);
    let ceiling = (start + LINE).min(bytes.len());
    let behind = bytes.get(matched.end..ceiling)?;
    let end = memchr::memchr(b'\n', behind).map(|i| matched.end + i);
    let end = end.or_else(|| (ceiling == bytes.len()).then_some(ceiling))?;
    let end = end - usize::from(end > matched.end && bytes[end - 1] == b'\r');
    // One that was cut at its beginning is longer, too.
    (start == 0 || bytes.get(start - 1) == Some(&b'\n')).then_some(start..end)
}

/// The first line of a match, cut around the secret where it is long.
fn snippet(
    bytes: &[u8],
    span: &std::ops::Range<usize>,
    around: (usize, usize),
    is_encoded: bool,
    (all, number): (&[Hidden], usize),
    known: &mut Option<(std::ops::Range<usize>, Secret)>,
) -> Snippet {
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
    let hidden = |range| Secret::new(bytes.get(range).unwrap_or_default(), "");
    let lines = lines_of(
        bytes,
        span.start.saturating_sub(around.0)..span.end + around.1,
    );
    let line = lines.filter(|lines| lines.start < start || end < lines.end);
    let line = line.map(|lines| {
        // Many matches of one line share it.
        let shared = known.take().filter(|(range, _)| *range == lines);
        let (_, text) = known.insert(shared.unwrap_or_else(|| (lines.clone(), hidden(lines))));
        text.clone()
    });
    let inside = |at: usize| at.clamp(start, end.max(start)) - start;
    Snippet {
        matched: (
            inside(span.start.saturating_sub(around.0)),
            inside(span.end.saturating_add(around.1)),
        ),
        text: hidden(start..end),
        hidden: Hidden::within(all, number, span, &(start..end.max(start))),
        line,
        encoded: is_encoded.then(|| hidden(span.clone())),
        secret: (span.start - start, span.end.min(end).saturating_sub(start)),
        told: None,
    }
}
