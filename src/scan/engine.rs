//! The content stage: bytes in, matches out; a pure function of the bytes around each literal.

use std::collections::BTreeMap;
use std::ops::Range;

use regex_automata::meta::{Cache, Regex};
use regex_automata::util::captures::Captures;
use regex_automata::{Anchored, Input};

use super::extent::{self, value_end};
use super::meter::{Clock, Counts, Meter};
use crate::decode::{
    Decoded, base64_around, escape_before, escapes_around, has_entity, hex_around,
    is_quoted_printable, markup,
};
use crate::filter::{Dictionary, Filters, Merit, Reason, checksum};
use crate::model::{Decoding, Secret};
use crate::rule::{
    Compiled, Escape, Hit, Literal, MACROS, Rule, RuleSet, RuleSpec, Step, Words, is_token_byte,
};

/// Rules ready to run: immutable, shared by any number of threads.
#[derive(Debug)]
pub struct Engine {
    rules: RuleSet,
    filters: Vec<Filters>,
    dictionary: Dictionary,
    reach: usize,
    /// For each literal, how far before and behind its first byte a verdict on it can depend on bytes.
    reaches: Vec<(usize, usize)>,
    /// For each rule, what may stand before its matches where that is an escape.
    edges: Vec<Edge>,
    /// Length of the longest literal.
    longest: usize,
    /// Rules without literals, which are searched for in every byte.
    everywhere: Vec<usize>,
    /// Whether some rule has keywords.
    has_keywords: bool,
    /// Where somebody asked what each rule costs.
    meter: Option<Box<Meter>>,
}

/// Why an engine was refused.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A rule names a verifier that does not exist.
    #[error("rule `{rule}`: checksum `{checksum}` is not one of {}", checksum::NAMES.join(", "))]
    Checksum {
        /// The rule.
        rule: String,
        /// The name.
        checksum: String,
    },
}

/// What one call may use up.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Matches of one input; more are an [`Match`]-less gap of the caller's.
    pub matches: usize,
    /// How deep escapes are decoded inside decoded text.
    pub depth: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            matches: 100_000,
            depth: 3,
        }
    }
}

/// A rule's match in an input, with the filters' verdict.
#[derive(Debug, Clone)]
pub struct Match {
    /// Index of the rule.
    pub rule: usize,
    /// Bytes of the input that hold the secret, or the encoded text of it.
    pub span: Range<usize>,
    /// The secret.
    pub secret: Secret,
    /// Named parts that the pattern took from the text.
    pub parts: Vec<(String, String)>,
    /// How the text was encoded, outermost first.
    pub decodings: Vec<Decoding>,
    /// What the filters found out.
    pub merit: Merit,
    /// Why it is no finding, if it is none.
    pub dropped: Option<Reason>,
    /// Whether a quote closes right behind the secret: it is a value and no program text.
    pub quoted: bool,
    /// How many bytes the pattern matched before the secret and behind it; 0 where the text was decoded.
    pub around: (usize, usize),
    /// Whether it is the right reading of its place, where the undecoded text gives another one: the escapes belong to what
    /// stands around the secret.
    pub is_reading: bool,
}

/// Buffers of one thread, reused from call to call.
#[derive(Debug, Default)]
pub struct Scratch {
    slots: Vec<Option<Slot>>,
    hits: Vec<Hit>,
    /// What the hit at hand has led to.
    found: Vec<Match>,
    /// What the input holds so far.
    kept: Vec<Match>,
    /// Where, in the last input, the part begins that was not looked at because there were more
    /// matches than the limit; `None` where all was looked at.
    pub unseen: Option<usize>,
    /// Whether the limit was met inside decoded text.
    full: bool,
    /// How many texts were decoded for the mark at hand.
    layers: usize,
}

/// For each sort of escape, up to where its lines have been decoded already.
pub(super) type Seen = [usize; Escape::COUNT];

/// Most texts that are decoded inside the one which a mark of an escape makes be decoded: enough for three sorts inside each other
/// in any order, and a bound where all of them stand in one line.
const MOST_LAYERS: usize = 10;

/// What may stand before the matches of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    /// Nothing in particular, or too far from the literal.
    Free,
    /// No letter or digit.
    Word,
    /// Nor a sign that may be part of a word.
    Strict,
}

impl Edge {
    fn of(spec: &RuleSpec) -> Self {
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

#[derive(Debug)]
struct Slot {
    cache: Cache,
    captures: Captures,
}

/// An input on its way through the decoders.
#[derive(Clone, Copy)]
struct Text<'t> {
    bytes: &'t [u8],
    outer: Option<&'t Layer<'t>>,
}

/// One decoding and what it was made from.
struct Layer<'t> {
    decoded: &'t Decoded,
    sort: Decoding,
    outer: Option<&'t Layer<'t>>,
}

impl Match {
    /// Takes in another match of the same rule at the same place: the one that needs less decoding stands, and knows what the other
    /// one does of what is around it.
    pub(super) fn join(&mut self, mut other: Self) {
        if other.decodings.len() < self.decodings.len() {
            std::mem::swap(self, &mut other);
        }
        self.quoted |= other.quoted;
        self.is_reading |= other.is_reading;
    }
}

impl Scratch {
    /// What [`Engine::evaluate`] left.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Match> + '_ {
        self.found.drain(..)
    }

    /// What [`Engine::scan_part`] left.
    pub(crate) fn take_kept(&mut self) -> impl Iterator<Item = Match> + '_ {
        self.kept.drain(..)
    }

    /// A rule's pattern and its buffers; `slots` is the number of rules.
    fn slot<'r>(
        &mut self,
        index: usize,
        rule: &'r Rule,
        slots: usize,
    ) -> Option<(&'r Compiled, &mut Slot)> {
        let compiled = rule.compiled()?;
        if self.slots.len() <= index {
            self.slots.resize_with(slots, || None);
        }
        let slot = self.slots.get_mut(index)?.get_or_insert_with(|| Slot {
            cache: compiled.regex.create_cache(),
            captures: compiled.regex.create_captures(),
        });
        Some((compiled, slot))
    }
}

impl Engine {
    /// Makes an engine of a rule set.
    ///
    /// # Errors
    /// A rule that names an unknown checksum.
    pub fn new(rules: RuleSet) -> Result<Self, EngineError> {
        let filters = rules
            .rules()
            .iter()
            .map(|rule| {
                Filters::of(rule).ok_or_else(|| EngineError::Checksum {
                    rule: rule.spec().id.to_string(),
                    checksum: rule
                        .spec()
                        .checksum
                        .as_deref()
                        .unwrap_or_default()
                        .to_owned(),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let reach = rules.reach();
        let literals = rules.prefilter().literals();
        let is_generic = |index: &u16| {
            rules
                .rule(usize::from(*index))
                .is_some_and(|r| r.spec().generic)
        };
        let reaches = literals
            .iter()
            .map(|l| reach_of(l, l.rules.iter().any(is_generic)))
            .collect();
        let edges = rules.rules().iter().map(|r| Edge::of(r.spec())).collect();
        let longest = literals.iter().map(|l| l.bytes.len()).max().unwrap_or(0);
        let numbered = rules.rules().iter().map(Rule::spec).enumerate();
        let everywhere = numbered.filter(|(_, spec)| spec.everywhere);
        let everywhere = everywhere.map(|(index, _)| index).collect();
        let mut specs = rules.rules().iter().map(Rule::spec);
        let has_keywords = specs.any(|spec| !spec.keywords.is_empty());
        Ok(Self {
            rules,
            filters,
            dictionary: Dictionary::default(),
            reach,
            reaches,
            edges,
            longest,
            everywhere,
            has_keywords,
            meter: None,
        })
    }

    /// The same engine, which from now on counts what each rule costs and comes to, by the caller's clock. It is slower.
    #[must_use]
    pub fn measured(mut self, clock: Clock) -> Self {
        self.meter = Some(Box::new(Meter::new(self.rules.rules().len(), clock)));
        self
    }

    /// What was counted so far; `None` where nothing is measured.
    #[must_use]
    pub fn counts(&self) -> Option<Counts> {
        self.meter.as_ref().map(|meter| meter.counts())
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Context in bytes that a window needs on both sides: what is encoded twice reaches furthest. Rules without literals
    /// want their line.
    #[must_use]
    pub fn overlap(&self) -> usize {
        let least = if self.everywhere.is_empty() { 0 } else { LINE };
        ((self.reach + 64) * 2).max(least)
    }

    /// Finds the matches whose literal begins within `core`, and gives each to `sink`; of rules without literals, those
    /// that begin there themselves. A rule with keywords finds nothing where `bytes` hold none of them.
    ///
    /// They come as they are met, and may overlap or repeat; [`super::join`] settles that.
    ///
    /// `bytes` may hold context before and after `core`; it should be [`Engine::overlap`] bytes of it
    /// wherever the text goes on. With `distinctive` only prefixes that speak for themselves and key
    /// blocks are looked for, as in binary files.
    pub fn scan(
        &self,
        bytes: &[u8],
        core: Range<usize>,
        distinctive: bool,
        limits: Limits,
        scratch: &mut Scratch,
        mut sink: impl FnMut(Match),
    ) {
        self.scan_part(bytes, core, distinctive, limits, scratch);
        let mut kept = std::mem::take(&mut scratch.kept);
        self.retain_looked_into(bytes, &mut kept);
        kept.drain(..).for_each(&mut sink);
        scratch.kept = kept;
    }

    /// The same, left in [`Scratch::take_kept`], for a part of a text whose other parts may hold the keywords.
    pub(crate) fn scan_part(
        &self,
        bytes: &[u8],
        core: Range<usize>,
        distinctive: bool,
        limits: Limits,
        scratch: &mut Scratch,
    ) {
        scratch.unseen = None;
        scratch.full = false;
        let mut hits = std::mem::take(&mut scratch.hits);
        self.hits(bytes, core.clone(), &mut hits);
        let mut seen = Seen::default();
        for hit in &hits {
            scratch.full |= scratch.kept.len() >= limits.matches;
            if !scratch.full {
                self.evaluate(bytes, *hit, distinctive, limits, &mut seen, scratch);
                let mut found = std::mem::take(&mut scratch.found);
                found
                    .drain(..)
                    .for_each(|found| keep(&mut scratch.kept, found));
                scratch.found = found;
            }
            if scratch.full {
                // Nothing counts of a part in which nobody knows what else is a secret.
                scratch.unseen = Some(hit.at);
                scratch.kept.retain(|found| found.span.end <= hit.at);
                break;
            }
        }
        scratch.hits = hits;
        if !self.everywhere.is_empty() && !distinctive {
            self.scan_everywhere(bytes, core, limits, scratch);
        }
    }

    /// Adds what the rules without literals find, up to where the others looked.
    fn scan_everywhere(
        &self,
        bytes: &[u8],
        core: Range<usize>,
        limits: Limits,
        scratch: &mut Scratch,
    ) {
        let seen = scratch.unseen.unwrap_or(bytes.len());
        let core = core.start..core.end.min(seen);
        let cut = self.search_everywhere(bytes, core, limits, scratch);
        let mut kept = std::mem::take(&mut scratch.kept);
        kept.append(&mut scratch.found);
        if let Some(end) = first_beyond(&kept, limits.matches).or(cut) {
            // What stands behind so many was looked at by some rules, not by all.
            kept.retain(|found| found.span.end <= end);
            scratch.unseen = Some(end);
        }
        scratch.kept = kept;
    }

    /// Leaves in `scratch.found` the matches of rules without literals that begin within `core`.
    ///
    /// Where there are more than the limit, those of a first part, and where that ends. They depend on the line that they begin on and on what a match can hold behind it, so that windows and whole texts
    /// give the same: behind a match the search goes on in the next line at the latest.
    pub(super) fn search_everywhere(
        &self,
        bytes: &[u8],
        core: Range<usize>,
        limits: Limits,
        scratch: &mut Scratch,
    ) -> Option<usize> {
        scratch.found.clear();
        let (mut end, mut cut) = (core.end, None);
        // A match whose secret stands in `core` may begin so much earlier; the search begins with the line of that place.
        let back = core.start.saturating_sub(self.reach);
        let context = core.start.saturating_sub(self.overlap());
        let line = bytes.get(context..back).unwrap_or_default();
        let start = memchr::memrchr(b'\n', line).map_or(context, |i| context + i + 1);
        for &index in &self.everywhere {
            let (Some(rule), Some(filters)) = (self.rules.rule(index), self.filters.get(index))
            else {
                continue;
            };
            let first = scratch.found.len();
            let mut at = start;
            while scratch.found.len() - first <= limits.matches {
                let range = at..end;
                let step = |scratch: &mut Scratch| {
                    self.next_match(bytes, range, index, rule, *filters, scratch)
                };
                let (found, next) = match &self.meter {
                    None => step(scratch),
                    Some(meter) => {
                        let mut next = None;
                        let trial = || {
                            let (found, behind) = step(scratch);
                            next = behind;
                            found
                        };
                        let found = meter.trial(index, trial, |found| found.dropped.as_ref());
                        (found, next)
                    }
                };
                scratch
                    .found
                    .extend(found.filter(|found| core.contains(&found.span.start)));
                match next {
                    Some(next) => at = next,
                    None => break,
                }
            }
            if let Some(beyond) = first_beyond(&scratch.found, limits.matches) {
                scratch.found.retain(|found| found.span.start < beyond);
                (end, cut) = (beyond, Some(beyond));
            }
        }
        cut
    }

    /// The first match of a rule that begins in a range, where it counts, and where the search goes on behind it.
    fn next_match(
        &self,
        bytes: &[u8],
        range: Range<usize>,
        index: usize,
        rule: &Rule,
        filters: Filters,
        scratch: &mut Scratch,
    ) -> (Option<Match>, Option<usize>) {
        let slots = self.rules.rules().len();
        let Some((compiled, slot)) = scratch.slot(index, rule, slots) else {
            return (None, None);
        };
        let (cache, captures) = (&mut slot.cache, &mut slot.captures);
        // A match may end behind the range, and what stands there may decide whether it is one.
        let end = (range.end + rule.spec().forward).min(bytes.len());
        let input = Input::new(bytes).span(range.start..end.max(range.start));
        compiled.regex.search_captures_with(cache, &input, captures);
        let Some(whole) = captures.get_match().map(|whole| whole.range()) else {
            return (None, None);
        };
        if whole.start >= range.end {
            return (None, None);
        }
        let line = memchr::memchr(b'\n', &bytes[whole.clone()]);
        let next = line.map_or(whole.end, |i| whole.start + i + 1);
        let found = captures
            .get_group(compiled.secret)
            .map(|group| group.range())
            .filter(|span| !span.is_empty())
            .and_then(|span| {
                let text = Text { bytes, outer: None };
                let ranges = (whole.clone(), span);
                let group = |number: usize| Some(captures.get_group(number)?.range());
                self.judged(text, index, rule, filters, (compiled, &group), ranges)
            });
        (found, Some(next.max(whole.start + 1)))
    }

    /// Takes out the matches of rules with keywords where `bytes` hold none of them. What was decoded stays: the keyword may
    /// have been encoded with it.
    pub(super) fn retain_looked_into(&self, bytes: &[u8], matches: &mut Vec<Match>) {
        if !self.has_keywords || matches.is_empty() {
            return;
        }
        let mut known: BTreeMap<usize, bool> = BTreeMap::new();
        matches.retain(|found| {
            let looks = || {
                let rule = self.rules.rule(found.rule);
                rule.is_none_or(|rule| rule.looks_into(bytes))
            };
            !found.decodings.is_empty() || *known.entry(found.rule).or_insert_with(looks)
        });
    }

    /// Whether some rule is searched for in every byte.
    pub(super) fn searches_everywhere(&self) -> bool {
        !self.everywhere.is_empty()
    }

    /// Rules with keywords, of which a text's parts have to be asked one by one.
    pub(super) fn with_keywords(&self) -> impl Iterator<Item = (usize, &Rule)> {
        let rules = self.rules.rules().iter().enumerate();
        let rules = rules.filter(|(_, rule)| !rule.spec().keywords.is_empty());
        rules.take(if self.has_keywords { usize::MAX } else { 0 })
    }

    /// The literals that begin within `core`, by place and number.
    pub(super) fn hits(&self, bytes: &[u8], core: Range<usize>, hits: &mut Vec<Hit>) {
        hits.clear();
        // A literal may begin before the end of `core` and end behind it.
        let searched = bytes
            .get(..(core.end + 256).min(bytes.len()))
            .unwrap_or(bytes);
        let mut search = || {
            self.rules.prefilter().search(searched, |hit| {
                if core.contains(&hit.at) {
                    hits.push(hit);
                }
            });
        };
        match &self.meter {
            None => search(),
            Some(meter) => meter.search(searched.len(), search),
        }
        hits.sort_unstable();
    }

    /// Leaves in `scratch.found` what one literal leads to.
    ///
    /// It depends on no more than [`Engine::reach`] says, and of marks of escapes (see [`Literal::escape`]) on their line and
    /// on those before them in it, which `seen` stands for: zeros on a line's first one.
    pub(super) fn evaluate(
        &self,
        bytes: &[u8],
        hit: Hit,
        distinctive: bool,
        limits: Limits,
        seen: &mut Seen,
        scratch: &mut Scratch,
    ) {
        scratch.found.clear();
        let text = Text { bytes, outer: None };
        self.follow(text, hit, distinctive, limits, seen, scratch);
    }

    /// How many bytes before and behind a literal's first byte a verdict on it can depend on; of a mark of escapes its line.
    pub(super) fn reach(&self, literal: u16) -> (usize, usize) {
        self.reaches
            .get(usize::from(literal))
            .copied()
            .unwrap_or((usize::MAX, usize::MAX))
    }

    /// Length of the longest literal in bytes.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// `seen` says, for each sort of escape, up to where its lines have been decoded already.
    fn follow(
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

    fn try_rules(
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
        for index in &literal.rules {
            let index = usize::from(*index);
            let (Some(rule), Some(filters)) = (self.rules.rule(index), self.filters.get(index))
            else {
                continue;
            };
            if distinctive && !rule.is_distinctive() {
                continue;
            }
            if rule.spec().generic && !is_assigned(text.bytes, at, length) {
                continue;
            }
            if let Some(found) = self.try_rule(text, at, index, rule, *filters, scratch) {
                keep(&mut scratch.found, found);
            }
        }
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
        for index in &literal.rules {
            let index = usize::from(*index);
            let (Some(rule), Some(filters)) = (self.rules.rule(index), self.filters.get(index))
            else {
                continue;
            };
            if distinctive && !rule.is_distinctive() {
                continue;
            }
            let is_tried = !rule.spec().generic || is_assigned(text.bytes, at, length);
            let trial = || {
                let found =
                    is_tried.then(|| self.try_rule(text, at, index, rule, *filters, scratch));
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
        if !spec.prefixed && !may_match(text.bytes, at, spec) {
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
    fn judged(
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

/// Where the first match stands that is one too many.
fn first_beyond(found: &[Match], most: usize) -> Option<usize> {
    if found.len() <= most {
        return None;
    }
    let mut starts: Vec<usize> = found.iter().map(|found| found.span.start).collect();
    starts.sort_unstable();
    starts.get(most).copied()
}

impl Layer<'_> {
    fn is_markup(&self) -> bool {
        self.sort == Decoding::Html
    }

    /// Whether a range of the decoded text holds an escape.
    fn is_escaped(&self, range: &Range<usize>) -> bool {
        !range.is_empty() && self.decoded.origin(range).len() != range.len()
    }

    /// Whether it holds one, or one stands right beside it.
    fn touches(&self, range: &Range<usize>) -> bool {
        let end = (range.end + 1).min(self.decoded.bytes.len());
        self.is_escaped(&(range.start.saturating_sub(1)..end))
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
pub(super) fn keep(kept: &mut Vec<Match>, found: Match) {
    let mut recent = kept.iter_mut().rev().take(16);
    match recent.find(|k| k.rule == found.rule && k.span == found.span) {
        Some(known) => known.join(found),
        None => kept.push(found),
    }
}

/// See [`Engine::reach`]: what the rules look at, what [`is_assigned`], [`value_end`] and [`block_end`] see beyond, and, where the text is
/// encoded, three bytes for each plain one: base64 broken over lines takes at most that (see [`base64_around`]).
fn reach_of(literal: &Literal, is_generic: bool) -> (usize, usize) {
    let before = if is_generic {
        extent::BEFORE.max(ENTRY)
    } else {
        32
    };
    let plain = (
        literal.back + before,
        (literal.forward + 176).max(literal.bytes.len() + 96),
    );
    match literal.steps.len().checked_sub(1) {
        None => plain,
        Some(inner) => {
            let encoded = |plain: usize| (((plain + 64) << inner) + 64) * 3 + 256;
            (encoded(plain.0), encoded(plain.1))
        }
    }
}

/// Context in bytes that is enough for the beginning of most lines.
const LINE: usize = 32 << 10;

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

/// Whether something is assigned to the word of this length at `at`: the rest of the identifier,
/// quotes and spaces, then `=`, `:`, `,`, `>`, `(`, an attribute `value=`, or, behind `--name`, a space.
fn is_assigned(bytes: &[u8], at: usize, length: usize) -> bool {
    let in_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    // A literal may hold the operator.
    if matches!(bytes.get(at + length - 1), Some(b'=' | b':' | b'(')) {
        return true;
    }
    let rest = bytes.get(at + length..).unwrap_or_default();
    let name = rest.iter().take(48).take_while(|b| in_name(b)).count();
    let behind = rest.get(name..).unwrap_or_default();
    let gap = behind
        .iter()
        .take(20)
        .take_while(|b| matches!(b, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\' | b']' | b')'))
        .count();
    match behind.get(gap) {
        Some(b'=' | b':' | b',' | b'>' | b'(' | b'|' | b'?') => true,
        None | Some(b'\n' | b'\r' | b'}' | b'/') => is_entry(bytes, at),
        Some(b'v' | b'V') if gap > 0 => behind
            .get(gap..gap + 6)
            .is_some_and(|w| w.eq_ignore_ascii_case(b"value=")),
        Some(_) if behind.first() == Some(&b' ') => {
            let before = bytes.get(..at).unwrap_or_default();
            let start = before
                .iter()
                .rev()
                .take(24)
                .take_while(|b| in_name(b))
                .count();
            before
                .get(before.len() - start..)
                .is_some_and(|flag| flag.starts_with(b"--"))
        }
        _ => false,
    }
}

/// Whether the word at `at` is the name of an entry whose value stands beside it: `name: DB_PASSWORD`, `"ParameterKey": "…`.
fn is_entry(bytes: &[u8], at: usize) -> bool {
    let before = &bytes[at.saturating_sub(ENTRY).min(at)..at];
    let without = |text: &[u8], most: usize, f: fn(u8) -> bool| {
        let gone = text.iter().rev().take(most).take_while(|b| f(**b)).count();
        text.len() - gone
    };
    let word = without(before, 40, |b| {
        b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
    });
    let gap = |b: u8| matches!(b, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\');
    let sign = &before[..without(&before[..word], 6, gap)];
    let Some((b':' | b'=', name)) = sign.split_last() else {
        return false;
    };
    let name = &name[..without(name, 6, gap)];
    [b"name".as_slice(), b"key"].iter().any(|word| {
        name.len()
            .checked_sub(word.len())
            .is_some_and(|from| name[from..].eq_ignore_ascii_case(word))
    })
}

/// How far before a word [`is_entry`] looks.
const ENTRY: usize = 60;
