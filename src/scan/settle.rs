//! Which of several matches at one place counts.

use std::collections::{BTreeMap, BTreeSet};

use super::Match;
use crate::filter::Reason;
use crate::model::Position;
use crate::rule::RuleSet;

/// A match with its first position and the one behind its last byte.
pub(super) type Placed = (Match, Position, Position);

/// Lets the best of those that overlap stand: the
/// rule with structure wins, then the reading that understands the escapes around it, then the longer match, then the smaller
/// id; generic rules yield.
///
/// What yields to a match that counts can be a finding after all, where that match is accepted: it is given with what wins
/// over it, each by its number.
pub(super) fn settle(rules: &RuleSet, found: &mut [Placed]) -> BTreeMap<usize, Vec<usize>> {
    let rank = |m: &Match| -> u8 {
        let Some(rule) = rules.rule(m.rule) else {
            return 0;
        };
        if m.merit.proven {
            3
        } else if rule.spec().prefixed && !rule.spec().generic {
            2
        } else {
            u8::from(!rule.spec().generic)
        }
    };
    let mut losers: Vec<(usize, usize)> = Vec::new();
    let mut active: Vec<usize> = Vec::new();
    for index in 0..found.len() {
        active.retain(|a| found[*a].0.span.end > found[index].0.span.start);
        for other in &active {
            let (a, b) = (&found[*other].0, &found[index].0);
            let counts = |m: &Match| match m.dropped {
                None => 2u8,
                // What a rule with structure knows to be none, a generic one does not bring back.
                Some(Reason::Checksum(_) | Reason::Placeholder(_)) if rank(m) > 0 => 1,
                Some(_) => 0,
            };
            let (wins_a, wins_b) = (counts(a), counts(b));
            if wins_a == 0 || wins_b == 0 {
                continue;
            }
            let key = |m: &Match, wins: u8| {
                let weight = if wins == 2 { rank(m) } else { rank(m).min(1) };
                (
                    weight,
                    wins,
                    m.is_reading,
                    m.span.len(),
                    std::cmp::Reverse(m.rule),
                )
            };
            if key(a, wins_a) >= key(b, wins_b) {
                losers.push((index, *other));
            } else {
                losers.push((*other, index));
            }
        }
        active.push(index);
        if active.len() > 64 {
            active.remove(0);
        }
    }
    let mut covers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut beaten = BTreeSet::new();
    for (loser, winner) in &losers {
        let dropped = |number: &usize| found.get(*number).is_none_or(|one| one.0.dropped.is_some());
        if dropped(loser) || dropped(winner) {
            beaten.insert(*loser);
        } else {
            covers.entry(*loser).or_default().push(*winner);
        }
    }
    covers.retain(|loser, _| !beaten.contains(loser));
    for (loser, winner) in losers {
        let id = found[winner].0.rule;
        let name = rules
            .rule(id)
            .map_or_else(String::new, |r| r.spec().id.to_string());
        if let Some((m, ..)) = found.get_mut(loser)
            && m.dropped.is_none()
        {
            m.dropped = Some(Reason::Overlaps(name));
        }
    }
    covers
}
