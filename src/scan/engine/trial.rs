//! One rule at one literal: the match around it, and what the filters say of its secret.

use std::ops::Range;

use regex_automata::meta::{Cache, Regex};
use regex_automata::util::captures::Captures;
use regex_automata::{Anchored, Input};

use super::assigned::Word;
use super::layers::{Layer, Text};
use super::{Engine, Match, Scratch, Slot};
use crate::decode::{escape_before, has_entity, markup};
use crate::filter::{Filters, Merit, checksum};
use crate::model::{Decoding, Rivals, Secret};
use crate::rule::{Compiled, Literal, MACROS, Rule, RuleSpec, Words, is_token_byte};
use crate::scan::extent::{self, value_end};
use crate::scan::meter::Meter;

/// What may stand before the matches of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// Nothing in particular, or too far from the literal.
    Free,
    /// No letter or digit.
    Word,
    /// Nor a sign that may be part of a word.
    Strict,
}

impl Edge {
    pub(super) fn of(spec: &RuleSpec) -> Self {
        let bare = |pattern: &'static str| pattern.trim_start_matches("(?:");
        let left = MACROS.iter().find(|(name, _)| *name == "{left}");
        let left = left.map_or("", |(_, pattern)| bare(pattern));
        let pattern = spec.pattern.trim_start_matches("(?:");
        if spec.back > EDGE {
            Self::Free
        } else if pattern.starts_with(left) {
            Self::Word
        } else if pattern.starts_with("^|[^") {
            Self::Strict
        } else {
            Self::Free
        }
    }

    /// Whether a byte may stand there.
    fn admits(self, byte: u8) -> bool {
        match self {
            Self::Free => false,
            Self::Word => !byte.is_ascii_alphanumeric(),
            Self::Strict => {
                !byte.is_ascii_alphanumeric()
                    && !matches!(byte, b'_' | b'-' | b'.' | b'/' | b'+' | b'~' | b'@')
            }
        }
    }
}

/// How far before its literal a match may begin for an escape before it to be looked for.
const EDGE: usize = 24;

impl Engine {
    pub(super) fn try_rules(
        &self,
        text: Text<'_>,
        at: usize,
        length: usize,
        literal: &Literal,
        distinctive: bool,
        scratch: &mut Scratch,
    ) {
        if let Some(meter) = &self.meter {
            return self.measure_rules(meter, text, (at, length), literal, distinctive, scratch);
        }
        let mut word = Word::new(text.bytes, at, length);
        for (index, rule, filters) in self.rules_of(literal, distinctive) {
            if !word.is_tried(rule.spec()) {
                continue;
            }
            if let Some(found) = self.try_rule(text, at, index, rule, filters, scratch) {
                keep(&mut scratch.found, found);
            }
        }
    }

    /// The rules behind a literal.
    fn rules_of<'e>(
        &'e self,
        literal: &'e Literal,
        distinctive: bool,
    ) -> impl Iterator<Item = (usize, &'e Rule, Filters)> {
        literal.rules.iter().filter_map(move |index| {
            let index = usize::from(*index);
            let rule = self.rules.rule(index)?;
            let filters = *self.filters.get(index)?;
            (!distinctive || rule.is_distinctive()).then_some((index, rule, filters))
        })
    }

    /// The same, with each trial counted: apart, so that a run that nobody measures pays nothing.
    #[cold]
    fn measure_rules(
        &self,
        meter: &Meter,
        text: Text<'_>,
        (at, length): (usize, usize),
        literal: &Literal,
        distinctive: bool,
        scratch: &mut Scratch,
    ) {
        let mut word = Word::new(text.bytes, at, length);
        for (index, rule, filters) in self.rules_of(literal, distinctive) {
            let is_tried = word.is_tried(rule.spec());
            let trial = || {
                let found =
                    is_tried.then(|| self.try_rule(text, at, index, rule, filters, scratch));
                found.flatten()
            };
            if let Some(found) = meter.trial(index, trial, |found| found.dropped.as_ref()) {
                keep(&mut scratch.found, found);
            }
        }
    }

    fn try_rule(
        &self,
        text: Text<'_>,
        at: usize,
        index: usize,
        rule: &Rule,
        filters: Filters,
        scratch: &mut Scratch,
    ) -> Option<Match> {
        let spec = rule.spec();
        if !spec.prefixed && !may_match(text.bytes, at, spec)
            || text.outer.is_some() && spec.generic && !spec.decode
        {
            return None;
        }
        let (compiled, slot) = scratch.slot(index, rule, self.rules.rules().len())?;
        let Slot { cache, captures } = slot;
        let bytes = text.bytes;
        let block = spec.block.as_ref();
        let ahead = spec.forward - block.map_or(0, |b| b.max);
        let end = (at + ahead).min(bytes.len());
        let search = Search {
            regex: &compiled.regex,
            back: spec.back,
        };
        let mut skipped = 0;
        let mut whole = search.covering(cache, captures, bytes, at, end);
        let edge = *self.edges.get(index)?;
        if whole.is_none()
            && let Some(start) = behind_escape(bytes, at, spec.back, edge)
        {
            // What is left begins where a word does, as the pattern wants it.
            skipped = start;
            let rest = bytes.get(start..)?;
            let found = search.covering(cache, captures, rest, at - start, end - start);
            whole = found.map(|whole| whole.start + start..whole.end + start);
        }
        let is_markup = text.outer.is_some_and(Layer::is_markup);
        let Some(whole) = whole else {
            let quotes = at..end.min(at + ENTITY);
            let retry = spec.generic && !is_markup && has_entity(bytes, quotes);
            let found = retry.then(|| self.try_markup(text, at, index, rule, filters, scratch));
            // An entity must open the value, or the plain text is what counts: `password&quot; type="…"`.
            return found
                .flatten()
                .filter(|found| opens_value(text, found.span.start));
        };
        let group = |number: usize| {
            let range = captures.get_group(number)?.range();
            Some(range.start + skipped..range.end + skipped)
        };
        let span = match block {
            Some(block) => {
                // The match may have taken a byte of what stands in front.
                let start = spec
                    .literals
                    .iter()
                    .filter_map(|l| memchr::memmem::find(&bytes[whole.clone()], l.as_bytes()))
                    .min()
                    .map_or(whole.start, |i| whole.start + i);
                start..block_end(bytes, whole.end, block.end.as_bytes(), start + block.max)?
            }
            None => group(compiled.secret)?,
        };
        // A value with entities, or that one of them ends, is read as the markup says.
        if block.is_none() && !is_markup && has_entity(bytes, span.start..span.end + 1) {
            return self.try_markup(text, at, index, rule, filters, scratch);
        }
        // What holds no escape of the innermost sort, and does not touch one, is found in the text around that, too.
        let all = whole.start.min(span.start)..whole.end.max(span.end);
        if text.outer.is_some_and(|layer| !layer.touches(&all)) {
            return None;
        }
        let ranges = (whole, span);
        self.judged(text, index, rule, filters, (compiled, &group), ranges)
    }

    /// A match of `whole` whose secret stands at `span`, with the filters' verdict; `group` says where the pattern's groups stand.
    pub(super) fn judged(
        &self,
        text: Text<'_>,
        index: usize,
        rule: &Rule,
        filters: Filters,
        (compiled, group): (&Compiled, &dyn Fn(usize) -> Option<Range<usize>>),
        (whole, span): (Range<usize>, Range<usize>),
    ) -> Option<Match> {
        let (spec, bytes) = (rule.spec(), text.bytes);
        let is_markup = text.outer.is_some_and(Layer::is_markup);
        let part = |number: usize| {
            bytes
                .get(group(number)?)
                .map(|b| String::from_utf8_lossy(b).into_owned())
        };
        let mut parts: Vec<(String, String)> = compiled
            .parts
            .iter()
            .filter_map(|(group, name)| Some((name.clone(), part(*group)?)))
            .collect();
        let secret = bytes.get(span.clone())?;
        let (merit, dropped) = match filters.judge(rule, secret, &self.dictionary) {
            Ok(merit) => {
                if let Some(name) = &spec.checksum {
                    parts.extend(
                        checksum::facts(name, secret)
                            .into_iter()
                            .map(|(k, v)| (k.to_owned(), v)),
                    );
                }
                (merit, None)
            }
            Err(reason) => (
                Merit {
                    entropy: 0.0,
                    score: 0.0,
                    proven: false,
                },
                Some(reason),
            ),
        };
        parts.sort();
        let mut span = span;
        // In other decoded text the line's end is not the value's.
        let has_end = text.outer.is_none_or(Layer::is_markup);
        let is_password = spec.generic && spec.words == Some(Words::Password);
        if is_password && has_end && dropped.is_none() {
            span.end = value_end(bytes, span.start, span.end, is_markup);
        }
        if spec.open && !spec.generic && has_end && bytes.get(span.end) == Some(&b'@') {
            let end = extent::login_end(bytes, span.end);
            if end > span.end {
                // What the pattern took for the host is the rest of the password.
                span.end = end;
                let behind = ["host", "port", "more", "database"];
                let had_host = parts.iter().any(|(name, _)| name == "host");
                parts.retain(|(name, _)| !behind.contains(&name.as_str()));
                let host = extent::host_behind(bytes, end);
                if had_host && !host.is_empty() {
                    let host = String::from_utf8_lossy(host).into_owned();
                    parts.push(("host".to_owned(), host));
                    parts.sort();
                }
            }
        }
        let secret = bytes.get(span.clone())?;
        let public = spec
            .literals
            .iter()
            .filter(|l| secret.starts_with(l.as_bytes()))
            .max_by_key(|l| l.len())
            .map_or("", |l| l.as_ref());
        let quote = |b: Option<&u8>| b.is_some_and(|b| matches!(b, b'"' | b'\'' | b'`'));
        let quoted = quote(bytes.get(span.end))
            || bytes.get(span.end) == Some(&b'\\') && quote(bytes.get(span.end + 1));
        let mut decodings = Vec::new();
        let secret = Secret::new(secret, public);
        let is_reading = text.outer.is_some_and(|layer| match layer.sort {
            Decoding::Escape | Decoding::Html | Decoding::Terminal => true,
            // A password may hold what is an escape elsewhere: the level is that of what stands before it.
            Decoding::Percent | Decoding::Quoted => layer.is_escaped(&(whole.start..span.start)),
            Decoding::Base64 | Decoding::Hex | Decoding::Utf16 => false,
        });
        let around = match text.outer {
            None => (
                span.start.saturating_sub(whole.start),
                whole.end.saturating_sub(span.end),
            ),
            Some(_) => (0, 0),
        };
        let mut layer = text.outer;
        while let Some(l) = layer {
            span = l.decoded.origin(&span);
            decodings.push(l.sort);
            layer = l.outer;
        }
        decodings.reverse();
        Some(Match {
            rule: index,
            span,
            secret,
            parts,
            rivals: Rivals::default(),
            decodings,
            merit,
            dropped,
            quoted,
            around,
            is_reading,
        })
    }

    /// Tries a rule on what stands around a literal with the entities of markup decoded.
    fn try_markup(
        &self,
        text: Text<'_>,
        at: usize,
        index: usize,
        rule: &Rule,
        filters: Filters,
        scratch: &mut Scratch,
    ) -> Option<Match> {
        let spec = rule.spec();
        let more = if spec.generic { extent::BEFORE } else { 0 };
        let start = at.saturating_sub(spec.back + more);
        let end = (at + spec.forward + 64).min(text.bytes.len());
        let decoded = markup(text.bytes, start..end, at);
        let layer = Layer {
            decoded: &decoded,
            sort: Decoding::Html,
            outer: text.outer,
        };
        let inner = Text {
            bytes: &decoded.bytes,
            outer: Some(&layer),
        };
        let mut found = self.try_rule(inner, decoded.at, index, rule, filters, scratch)?;
        if text.outer.is_none() && found.span.len() == found.secret.len() {
            found.decodings.clear();
        }
        Some(found)
    }
}

/// The search for a match around a literal.
struct Search<'c> {
    regex: &'c Regex,
    back: usize,
}

impl Search<'_> {
    /// The leftmost match that covers the literal at `at`. Where it can only begin close before it, each such place is tried:
    /// that ends with the first byte that does not fit, and a search would go on to the end of the reach.
    fn covering(
        &self,
        cache: &mut Cache,
        captures: &mut Captures,
        bytes: &[u8],
        at: usize,
        end: usize,
    ) -> Option<Range<usize>> {
        let mut from = at.saturating_sub(self.back);
        let anchored = if self.back <= CLOSE {
            Anchored::Yes
        } else {
            Anchored::No
        };
        loop {
            let input = Input::new(bytes).span(from..end).anchored(anchored);
            self.regex.search_captures_with(cache, &input, captures);
            match captures.get_match().map(|whole| whole.range()) {
                Some(whole) if whole.start > at => return None,
                Some(whole) if whole.end > at => return Some(whole),
                Some(whole) => from = whole.start + 1,
                None if anchored == Anchored::Yes && from < at => from += 1,
                None => return None,
            }
        }
    }
}

/// Where a match of the literal at `at` may begin because an escape ends there that stands for a byte which may precede it:
/// `%22`, `\u003d`, `ESC[31m`. Its last letter hides that a word begins.
fn behind_escape(bytes: &[u8], at: usize, back: usize, edge: Edge) -> Option<usize> {
    if edge == Edge::Free {
        return None;
    }
    let in_word = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b':' | b'/')
    };
    let mut start = at;
    loop {
        if escape_before(bytes, start).is_some_and(|byte| edge.admits(byte)) {
            return Some(start);
        }
        let previous = start.checked_sub(1)?;
        if at - previous > back || !bytes.get(previous).is_some_and(in_word) {
            return None;
        }
        start = previous;
    }
}

/// Whether an entity stands right before a place in a text; in decoded text, whose places are the outermost's, that is not asked.
fn opens_value(text: Text<'_>, at: usize) -> bool {
    let before = || text.bytes.get(at.saturating_sub(10)..at);
    text.outer.is_some()
        || before().is_some_and(|before| {
            memchr::memrchr(b'&', before)
                .and_then(|from| before.get(from..))
                .is_some_and(|entity| entity.ends_with(b";") && has_entity(entity, 0..entity.len()))
        })
}

/// How far behind a literal an entity in place of the quote is looked for.
const ENTITY: usize = 64;

/// Adds a match to an input's, unless an earlier one says the same; one that needs less decoding takes its place.
pub(in crate::scan) fn keep(kept: &mut Vec<Match>, found: Match) {
    let mut recent = kept.iter_mut().rev().take(16);
    match recent.find(|k| k.rule == found.rule && k.span == found.span) {
        Some(known) => known.join(found),
        None => kept.push(found),
    }
}

/// How far before its literal a match may begin for each place to be tried by itself.
const CLOSE: usize = 3;

/// Whether what every match of a rule holds stands near its literal: cheaper to see than to match.
fn may_match(bytes: &[u8], at: usize, spec: &RuleSpec) -> bool {
    let near = bytes
        .get(at.saturating_sub(spec.back)..(at + spec.forward).min(bytes.len()))
        .unwrap_or_default();
    if spec.gate != 0 && memchr::memchr(spec.gate, near).is_none() {
        return false;
    }
    if spec.run < 10 {
        return true;
    }
    // A run of that length covers one byte in so many, so most are never looked at.
    let mut end = spec.run - 1;
    while end < near.len() {
        let mut start = end;
        while is_token_byte(near[start]) {
            if end - start + 1 >= spec.run {
                return true;
            }
            match start.checked_sub(1) {
                Some(previous) => start = previous,
                None => return end + 1 >= spec.run,
            }
        }
        end = start + spec.run;
    }
    false
}

/// Where a block ends: behind the line of dashes, or the rest of the words, that its end mark begins.
fn block_end(bytes: &[u8], from: usize, mark: &[u8], limit: usize) -> Option<usize> {
    let body = bytes.get(from..limit.min(bytes.len()))?;
    let mut end = from + memchr::memmem::find(body, mark)? + mark.len();
    let tail = |end: usize, allowed: fn(u8) -> bool| {
        bytes
            .get(end..)
            .unwrap_or_default()
            .iter()
            .take(80)
            .take_while(|b| allowed(**b))
            .count()
    };
    end += tail(end, |b| {
        b.is_ascii_alphanumeric() || matches!(b, b' ' | b':')
    });
    end += tail(end, |b| b == b'-');
    Some(end)
}
