//! Leaks by number: a rule's secrets, of which only the fingerprints are kept.

use std::collections::HashMap;

use super::super::objects::{Found, Item};
use super::super::{Engine, fingerprint};
use crate::history::Hit;
use crate::model::{Fingerprint, Secret};

/// The numbers of leaks: of a rule's secrets by their fingerprints.
pub(in crate::scan) type Leaks = HashMap<(usize, [u8; 16]), u32>;

/// Lists of leaks with fingerprints in place of numbers.
pub(super) fn prints_of(lists: &[Vec<u32>], leaks: &Leaks) -> Vec<Vec<Fingerprint>> {
    if lists.is_empty() {
        return Vec::new();
    }
    let prints: HashMap<u32, Fingerprint> = leaks
        .iter()
        .map(|((_, print), number)| (*number, Fingerprint(*print)))
        .collect();
    let of = |list: &Vec<u32>| list.iter().filter_map(|l| prints.get(l).copied()).collect();
    lists.iter().map(of).collect()
}

/// The number of a leak, new or known.
pub(in crate::scan) fn leak(leaks: &mut Leaks, rule: usize, print: [u8; 16]) -> u32 {
    let next = leaks.len() as u32;
    *leaks.entry((rule, print)).or_insert(next)
}

/// The fingerprint of a rule's secret.
#[expect(
    clippy::disallowed_methods,
    reason = "the fingerprint is made of the secret"
)]
pub(in crate::scan) fn print_of(
    engine: &Engine,
    salt: &[u8],
    rule: usize,
    secret: &Secret,
) -> [u8; 16] {
    let rule = engine.rules().rule(rule);
    let id = rule.map_or("", |rule| &rule.spec().id);
    fingerprint(id, secret.expose(), salt).0
}

pub(super) fn hits(found: &Found, numbers: &[u32]) -> Vec<Hit> {
    let leaks_of = |items: &[Item]| {
        let mut leaks: Vec<u32> = items
            .iter()
            .filter_map(|(context, _)| numbers.get(*context as usize).copied())
            .collect();
        leaks.sort_unstable();
        leaks.dedup();
        leaks
    };
    let all = found.objects.iter();
    all.map(|(id, _, items)| Hit {
        object: *id,
        leaks: leaks_of(items),
    })
    .collect()
}
