//! Rules without literals: their patterns are searched for in every byte; and rules with keywords, which look only into texts that hold
//! one of them.

use std::collections::BTreeMap;
use std::ops::Range;

use regex_automata::Input;

use super::layers::Text;
use super::{Engine, Limits, Match, Scratch};
use crate::filter::Filters;
use crate::rule::Rule;

impl Engine {
    /// Adds what the rules without literals find, up to where the others looked.
    pub(super) fn scan_everywhere(
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
    pub(in crate::scan) fn search_everywhere(
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
    pub(in crate::scan) fn retain_looked_into(&self, bytes: &[u8], matches: &mut Vec<Match>) {
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
    pub(in crate::scan) fn searches_everywhere(&self) -> bool {
        !self.everywhere.is_empty()
    }

    /// Rules with keywords, of which a text's parts have to be asked one by one.
    pub(in crate::scan) fn with_keywords(&self) -> impl Iterator<Item = (usize, &Rule)> {
        let rules = self.rules.rules().iter().enumerate();
        let rules = rules.filter(|(_, rule)| !rule.spec().keywords.is_empty());
        rules.take(if self.has_keywords { usize::MAX } else { 0 })
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

/// Context in bytes that is enough for the beginning of most lines.
pub(super) const LINE: usize = 32 << 10;
