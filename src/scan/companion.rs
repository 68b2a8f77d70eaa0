//! Halves of multi-part credentials: a secret and the companion near it that names or completes it.

use std::collections::HashMap;

use crate::filter::Reason;
use crate::model::Secret;
use crate::rule::RuleSet;
use crate::scan::Match;
use crate::scan::settle::Placed;

/// Joins the halves of multi-part credentials: the nearest companion becomes a part, and is no
/// finding of its own where it is worth little alone.
pub(super) fn pair_up(rules: &RuleSet, joined: &mut [Placed]) {
    let mut halves: HashMap<&str, Vec<Half>> = HashMap::new();
    for index in 0..joined.len() {
        let (rule, line) = (joined[index].0.rule, joined[index].1.line);
        let start = joined[index].0.span.start;
        let Some(spec) = rules.rule(rule).map(crate::rule::Rule::spec) else {
            continue;
        };
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

/// The nearest companion by lines. In one line the nearest in front: pairs are written id first as a rule. There may be
/// thousands in a file, or in one line of it: they are bisected.
fn nearest(halves: &[Half], own: Half, within: u32) -> Option<usize> {
    /// Companions that overlap where the secret begins: more are not looked at.
    const OVERLAPPING: usize = 64;
    let first = halves.partition_point(|half| half.line < own.line);
    let behind = first + halves[first..].partition_point(|half| half.line == own.line);
    let here = &halves[first..behind];
    let (front, back) = here.split_at(here.partition_point(|half| half.start <= own.start));
    let last = &front[front.len().saturating_sub(OVERLAPPING)..];
    let before = || last.iter().filter(|half| half.number != own.number);
    let ended = before().filter(|half| half.end <= own.start);
    let around = || before().find(|half| half.end > own.start);
    if let Some(half) = ended
        .max_by_key(|half| (half.end, std::cmp::Reverse(half.number)))
        .or_else(around)
        .or_else(|| back.iter().find(|half| half.number != own.number))
    {
        return Some(half.number);
    }
    let above = first.checked_sub(1).map(|last| {
        let line = halves[last].line;
        &halves[halves.partition_point(|half| half.line < line)]
    });
    above
        .into_iter()
        .chain(halves.get(behind))
        .map(|half| (half.line.abs_diff(own.line), half.number))
        .filter(|(lines, _)| *lines <= within)
        .min()
        .map(|(_, number)| number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every companion looked at.
    fn by_hand(halves: &[Half], own: Half, within: u32) -> Option<usize> {
        let rank = |half: &Half| {
            let lines = half.line.abs_diff(own.line);
            let gap = match (lines, own.start.checked_sub(half.end)) {
                (0, Some(gap)) => (false, gap),
                (0, None) => (true, half.start.saturating_sub(own.start)),
                _ => (false, 0),
            };
            (lines, gap, half.number)
        };
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
