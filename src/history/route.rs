//! What refs lead to, and the commits on the way there, parents first.

use std::collections::{BTreeSet, HashMap};

use super::Tip;
use super::attribute::Missed;
use super::commits::Commits;
use super::ids::Ids;
use crate::pack::{Db, Kind, Oid};

/// What a ref leads to, through tags.
#[derive(Clone, Copy)]
pub(super) enum Target {
    Commit(u32),
    Tree(u32),
    Hit(u32),
    /// What is neither commit, blob nor tag: a tree, or missing.
    Other(Oid),
    Nothing,
}

/// The way through the commits.
pub(super) struct Route {
    pub(super) commits: Commits,
    pub(super) way: Way,
    pub(super) missed: Vec<Missed>,
}

/// Where it begins, and how it goes.
pub(super) struct Way {
    /// For each tip what it leads to, and the tags with hits on the way, as numbers of hits.
    pub(super) targets: Vec<(Target, Vec<u32>)>,
    /// Which commits count.
    pub(super) chosen: Vec<bool>,
    /// Those that count, parents first.
    pub(super) order: Vec<u32>,
    /// For each place in `order` the place of the only parent, where the commit has no hit of its own; else [`APART`].
    pub(super) line: Vec<u32>,
}

/// No place in the order.
pub(super) const APART: u32 = u32::MAX;

/// Most bytes of a tag.
const TAG: u64 = 16 << 20;
/// Most tags that name each other.
const NESTED: usize = 64;

impl Route {
    /// The way to what some tips reach, or through all commits; trees that tips name are still [`Target::Other`].
    pub(super) fn new(commits: Commits, hits: &Ids, db: &Db, tips: &[Tip], all: bool) -> Self {
        let mut missed = Vec::new();
        let mut seen = HashMap::new();
        let mut peel = |id| peel(id, (&commits, hits), db, &mut missed);
        let targets: Vec<(Target, Vec<u32>)> = tips
            .iter()
            .map(|tip| {
                let known = seen.entry(tip.target);
                known.or_insert_with(|| peel(tip.target)).clone()
            })
            .collect();
        let chosen = if all {
            vec![true; commits.len()]
        } else {
            let tips = targets.iter().filter_map(|(target, _)| match target {
                Target::Commit(commit) => Some(*commit),
                _ => None,
            });
            commits.reached(tips)
        };
        let (order, cuts) = commits.order(&chosen);
        if cuts > 0 {
            missed.push(Missed::CommitLoop(cuts));
        }
        let line = line(&commits, hits, &order);
        Self {
            commits,
            way: Way {
                targets,
                chosen,
                order,
                line,
            },
            missed,
        }
    }

    /// Looks up which trees tips name.
    pub(super) fn resolve(&mut self, trees: &Ids) {
        let mut missing = BTreeSet::new();
        for (target, _) in &mut self.way.targets {
            if let Target::Other(id) = *target {
                *target = trees.find(&id).map_or(Target::Nothing, Target::Tree);
                if matches!(target, Target::Nothing) {
                    missing.insert(id);
                }
            }
        }
        self.missed.extend(missing.into_iter().map(Missed::Target));
    }
}

/// The order again, with parents as places in it: what is gone through lies side by side.
fn line(commits: &Commits, hits: &Ids, order: &[u32]) -> Vec<u32> {
    let mut place = vec![APART; commits.len()];
    for (at, commit) in (0_u32..).zip(order) {
        place[*commit as usize] = at;
    }
    let mut line: Vec<u32> = (0_u32..)
        .zip(order)
        .map(|(at, commit)| {
            let parent = commits.only_parent(*commit).map(|p| place[p as usize]);
            // A loop puts a parent behind.
            parent.filter(|parent| *parent < at).unwrap_or(APART)
        })
        .collect();
    for commit in hits.all().iter().filter_map(|id| commits.find(id)) {
        if let Some(parent) = line.get_mut(place[commit as usize] as usize) {
            *parent = APART;
        }
    }
    line
}

/// What a ref leads to, and the tags with hits on the way, as numbers of hits.
fn peel(
    id: Oid,
    (commits, hits): (&Commits, &Ids),
    db: &Db,
    missed: &mut Vec<Missed>,
) -> (Target, Vec<u32>) {
    let (mut at, mut tags) = (id, Vec::new());
    for _ in 0..NESTED {
        if let Some(commit) = commits.find(&at) {
            return (Target::Commit(commit), tags);
        }
        let next = match db.header(&at) {
            Ok(Some((Kind::Blob, _))) => {
                let hit = hits.find(&at).map_or(Target::Nothing, Target::Hit);
                return (hit, tags);
            }
            Ok(Some((Kind::Tag, _))) => {
                tags.extend(hits.find(&at));
                let found = db.find(&at, TAG).ok().flatten();
                found.and_then(|tag| named_by_tag(&tag.bytes))
            }
            _ => return (Target::Other(at), tags),
        };
        let Some(next) = next else {
            break;
        };
        at = next;
    }
    missed.push(Missed::Target(at));
    (Target::Nothing, tags)
}

/// The object that a tag names.
fn named_by_tag(bytes: &[u8]) -> Option<Oid> {
    let digits = bytes.strip_prefix(b"object ")?.get(..40)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
