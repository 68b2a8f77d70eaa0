//! Halves of multi-part credentials: a secret and the companion near it that names or completes it.

use std::collections::HashMap;

use crate::filter::Reason;
use crate::model::{Parts, Rivals, Secret};
use crate::rule::{RuleSet, RuleSpec};
use crate::scan::Match;
use crate::scan::settle::Placed;

/// Values of one part that are kept for a secret.
const VALUES: usize = 16;
/// Ways to choose its parts that are kept for a secret.
const CHOICES: usize = 32;
/// Companions in front of a secret and behind it that are looked at.
const LOOKED_AT: usize = 256;

/// Joins the halves of multi-part credentials: the nearest companion becomes a part, and is no
/// finding of its own where it is worth little alone. `with_rivals` keeps the others within reach as well, for whoever asks which it is.
pub(super) fn pair_up(rules: &RuleSet, joined: &mut [Placed], with_rivals: bool) {
    let mut halves: HashMap<&str, Vec<Half>> = HashMap::new();
    for index in 0..joined.len() {
        let (rule, line) = (joined[index].0.rule, joined[index].1.line);
        let start = joined[index].0.span.start;
        let Some(spec) = rules.rule(rule).map(crate::rule::Rule::spec) else {
            continue;
        };
        let own = with_rivals.then(|| joined[index].0.parts.clone());
        for near in spec.near.iter() {
            if joined[index].0.dropped.is_some() {
                break;
            }
            let halves = halves
                .entry(&*near.rule)
                .or_insert_with(|| halves_of(rules, joined, &near.rule));
            match nearest(halves, Half::of(index, &joined[index]), near.within_lines) {
                Some(other) => {
                    let value = clear_part(&joined[other].0.secret);
                    let facts = joined[other].0.parts.clone();
                    let in_front =
                        joined[other].1.line == line && joined[other].0.span.end <= start;
                    let parts = &mut joined[index].0.parts;
                    // A pattern may have reached over the companion in front of the secret to one further away; else what it took
                    // stays. A companion's own companions do not stand in for others.
                    if in_front {
                        parts.retain(|(known, _)| *known != *near.part);
                    }
                    for (name, value) in [(near.part.to_string(), value)].into_iter().chain(facts) {
                        if !parts.iter().any(|(known, _)| *known == name) {
                            parts.push((name, value));
                        }
                    }
                    parts.sort();
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
        if let (Some(own), false) = (own, spec.near.is_empty()) {
            joined[index].0.rivals = rivals(spec, &halves, joined, index, &own);
        }
    }
}

/// What else may belong to a match in place of the parts that it was given; `own` are those that its pattern took.
fn rivals(
    spec: &RuleSpec,
    halves: &HashMap<&str, Vec<Half>>,
    joined: &[Placed],
    index: usize,
    own: &Parts,
) -> Rivals {
    let is_near = |name: &str| spec.near.iter().any(|near| *near.part == *name);
    let value = |parts: &Parts, name: &str| {
        let part = parts.iter().find(|(known, _)| known == name);
        part.map(|(_, value)| value.clone())
    };
    let given = &joined[index].0.parts;
    let base: Parts = own
        .iter()
        .filter(|(name, _)| !is_near(name))
        .cloned()
        .collect();
    let mut choices = vec![(0, base)];
    let mut is_cut = false;
    let mut names: Vec<&str> = Vec::new();
    for near in spec.near.iter() {
        if names.contains(&&*near.part) {
            continue;
        }
        let name = &*near.part;
        names.push(name);
        // That which it was given first, then by distance, then what its pattern took.
        let mut values: Vec<Parts> = Vec::new();
        let mut ranked = Vec::new();
        for near in spec.near.iter().filter(|near| *near.part == *name) {
            let halves = halves.get(&*near.rule).map_or(&[][..], Vec::as_slice);
            let own = Half::of(index, &joined[index]);
            let (all, cut) = within(halves, own, near.within_lines);
            is_cut |= cut;
            ranked.extend(all.map(|half| (half.rank(own), half.number)));
        }
        ranked.sort_unstable();
        let chosen = value(given, name);
        let mut of_halves: Vec<Parts> = ranked
            .into_iter()
            .map(|(_, number)| {
                let (half, ..) = &joined[number];
                let mut parts = vec![(name.to_owned(), clear_part(&half.secret))];
                let facts = half.parts.iter().filter(|(known, _)| !is_near(known));
                parts.extend(facts.cloned());
                parts
            })
            .collect();
        let is_chosen = |parts: &Parts| value(parts, name) == chosen;
        of_halves.sort_by_key(|parts| !is_chosen(parts));
        let of_pattern = value(own, name).map(|value| vec![(name.to_owned(), value)]);
        let at_first = of_pattern.clone().filter(is_chosen);
        for parts in at_first.into_iter().chain(of_halves).chain(of_pattern) {
            if !values.iter().any(|known| known.first() == parts.first()) {
                values.push(parts);
            }
        }
        is_cut |= values.len() > VALUES;
        values.truncate(VALUES);
        if values.is_empty() {
            continue;
        }
        let mut longer: Vec<(usize, Parts)> = Vec::new();
        for (rank, parts) in &choices {
            for (at, more) in values.iter().enumerate() {
                let mut parts = parts.clone();
                for (name, value) in more {
                    if !parts.iter().any(|(known, _)| known == name) {
                        parts.push((name.clone(), value.clone()));
                    }
                }
                longer.push((rank + at, parts));
            }
        }
        longer.sort_by_key(|(rank, _)| *rank);
        is_cut |= longer.len() > CHOICES;
        longer.truncate(CHOICES);
        choices = longer;
    }
    let mut all = Vec::new();
    for (_, mut parts) in choices {
        let is_given = names
            .iter()
            .all(|name| value(&parts, name) == value(given, name));
        if !is_given {
            parts.sort();
            all.push(parts);
        }
    }
    Rivals {
        parts: all,
        unseen: is_cut.then(|| "more stands near it than is asked for".to_owned()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a companion (key id, client id) becomes a part, redacted with the rest"
)]
fn clear_part(secret: &Secret) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}

/// A match that may be a companion: its number, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Half {
    number: usize,
    line: u32,
    start: usize,
    end: usize,
}

impl Half {
    fn of(number: usize, (m, at, _): &Placed) -> Self {
        Self {
            number,
            line: at.line,
            start: m.span.start,
            end: m.span.end,
        }
    }

    /// How near it is: by lines; in one line those in front first, and of these the last.
    fn rank(&self, own: Self) -> (u32, bool, usize) {
        let lines = self.line.abs_diff(own.line);
        match (lines, own.start.checked_sub(self.end)) {
            (0, Some(gap)) => (lines, false, gap),
            (0, None) => (lines, true, self.start.saturating_sub(own.start)),
            _ => (lines, false, 0),
        }
    }
}

/// The matches of a rule that may be a companion, in the order of the text. What makes one unfit was said by the filters
/// and does not change while halves are joined.
fn halves_of(rules: &RuleSet, joined: &[Placed], rule: &str) -> Vec<Half> {
    use Reason::{Checksum, Entropy, Placeholder, Words};
    let is_unfit = |m: &Match| {
        matches!(
            m.dropped,
            Some(Placeholder(_) | Checksum(_) | Entropy(..) | Words)
        )
    };
    joined
        .iter()
        .enumerate()
        .filter(|(_, (m, ..))| {
            !is_unfit(m) && rules.rule(m.rule).is_some_and(|r| r.spec().id == rule)
        })
        .map(|(number, placed)| Half::of(number, placed))
        .collect()
}

/// The companions of a match that stand on so many lines in front of it and behind it; whether there are more than are looked at: there
/// may be thousands in a file, or in one line of it.
fn within(halves: &[Half], own: Half, lines: u32) -> (impl Iterator<Item = Half>, bool) {
    let first = halves.partition_point(|half| half.line < own.line.saturating_sub(lines));
    let end = halves.partition_point(|half| half.line <= own.line.saturating_add(lines));
    let all = halves.get(first..end).unwrap_or_default();
    let here = all.partition_point(|half| half.start <= own.start);
    let from = here.saturating_sub(LOOKED_AT);
    let to = (here + LOOKED_AT).min(all.len());
    let is_cut = from > 0 || to < all.len();
    let all = all.get(from..to).unwrap_or_default().iter().copied();
    (all.filter(move |half| half.number != own.number), is_cut)
}

/// The nearest companion, by [`Half::rank`]: pairs are written id first as a rule.
fn nearest(halves: &[Half], own: Half, lines: u32) -> Option<usize> {
    let (near, _) = within(halves, own, lines);
    let nearest = near.min_by_key(|half| (half.rank(own), half.number))?;
    Some(nearest.number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every companion looked at.
    fn by_hand(halves: &[Half], own: Half, within: u32) -> Option<usize> {
        let rank = |half: &Half| (half.rank(own), half.number);
        halves
            .iter()
            .filter(|half| half.number != own.number && half.line.abs_diff(own.line) <= within)
            .min_by_key(|half| rank(half))
            .map(|half| half.number)
    }

    proptest! {
        #[test]
        fn bisection_finds_the_nearest(
            spots in prop::collection::vec((0usize..120, 1usize..9, any::<bool>()), 1..40),
            breaks in prop::collection::btree_set(0usize..128, 0..12),
            within in 0u32..4,
        ) {
            let mut spots = spots;
            spots.sort_unstable();
            let all: Vec<(Half, bool)> = spots
                .iter()
                .enumerate()
                .map(|(number, &(start, length, is_companion))| {
                    let line = u32::try_from(breaks.range(..=start).count()).expect("few breaks");
                    (Half { number, line, start, end: start + length }, is_companion)
                })
                .collect();
            let halves: Vec<Half> = all.iter().filter(|(_, is)| *is).map(|(half, _)| *half).collect();
            for (own, _) in &all {
                prop_assert_eq!(nearest(&halves, *own, within), by_hand(&halves, *own, within));
            }
        }
    }
}
