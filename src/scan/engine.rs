//! The content stage: bytes in, matches out; a pure function of the bytes around each literal.

mod assigned;
mod everywhere;
mod layers;
mod trial;

use std::ops::Range;

use regex_automata::meta::Cache;
use regex_automata::util::captures::Captures;

pub(super) use self::trial::keep;

use self::assigned::ENTRY;
use self::everywhere::LINE;
use self::layers::Text;
use self::trial::Edge;
use super::extent;
use super::meter::{Clock, Counts, Meter};
use crate::filter::{Dictionary, Filters, Merit, Reason, checksum};
use crate::model::{Decoding, Rivals, Secret};
use crate::rule::{Compiled, Escape, Hit, Literal, Rule, RuleSet};

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
    /// What else stands near it that may be its parts, where the caller wants to know.
    pub rivals: Rivals,
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

#[derive(Debug)]
struct Slot {
    cache: Cache,
    captures: Captures,
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
