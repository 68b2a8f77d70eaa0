//! What refs lead to, and the commits on the way there, parents first.

use std::collections::HashMap;

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
}

/// Most bytes of a tag.
const TAG: u64 = 16 << 20;
/// Most tags that name each other.
const NESTED: usize = 64;

impl Route {
    /// The way to what some tips reach, or through all commits.
    pub(super) fn new(
        commits: Commits,
        trees: &Ids,
        hits: &Ids,
        db: &Db,
        tips: &[Tip],
        all: bool,
    ) -> Self {
        let mut missed = Vec::new();
        let mut seen = HashMap::new();
        let mut peel = |id| peel(id, (&commits.ids, trees, hits), db, &mut missed);
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
        Self {
            commits,
            way: Way {
                targets,
                chosen,
                order,
            },
            missed,
        }
    }
}

/// What a ref leads to, and the tags with hits on the way, as numbers of hits.
fn peel(
    id: Oid,
    (commits, trees, hits): (&Ids, &Ids, &Ids),
    db: &Db,
    missed: &mut Vec<Missed>,
) -> (Target, Vec<u32>) {
    let (mut at, mut tags) = (id, Vec::new());
    for _ in 0..NESTED {
        if let Some(commit) = commits.find(&at) {
            return (Target::Commit(commit), tags);
        }
        if let Some(tree) = trees.find(&at) {
            return (Target::Tree(tree), tags);
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
            _ => None,
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
