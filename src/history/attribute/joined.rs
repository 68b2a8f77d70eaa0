//! What several units have in common: asked for when it is shown.

use super::super::commits::RawCommit;
use super::{Attribution, Group, Inner, Unit};
use crate::model::Origin;
use crate::pack::Oid;

/// What several units have in common, as [`crate::model::History`] has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Joined {
    /// The commit that introduced the first of them, by topology.
    pub first: Option<Oid>,
    /// Its time.
    pub first_time: Option<i64>,
    /// The last commit that holds one of them.
    pub last: Option<Oid>,
    /// Commits that introduced one while none of their parents' trees held any of them.
    pub introductions: u32,
    /// Whether HEAD holds one.
    pub in_head: bool,
    /// Tips whose newest tree holds one, ascending; the first ones of `tips_count`.
    pub tips: Vec<usize>,
    /// Tips whose history holds one, ascending; the first ones of `refs_count`.
    pub refs: Vec<usize>,
    /// How many tips hold one.
    pub tips_count: usize,
    /// How many tips' histories do.
    pub refs_count: usize,
    /// When the last of them was removed; `None` while a tip holds one, or where nobody removed any.
    pub until: Option<i64>,
}

impl Attribution {
    /// All commits, by id.
    pub fn commits(&self) -> &[RawCommit] {
        self.commits.rows()
    }

    /// What units, given by their places in [`units`](Self::units), have in common.
    pub fn history(&self, units: &[usize]) -> Joined {
        self.history_with(units, usize::MAX)
    }

    /// The same with at most so many tips of each sort listed.
    pub fn history_with(&self, units: &[usize], most: usize) -> Joined {
        let inner: Vec<&Inner> = units.iter().filter_map(|u| self.inner.get(*u)).collect();
        let units: Vec<&Unit> = units.iter().filter_map(|u| self.units.get(*u)).collect();
        let mut numbers: Vec<u32> = inner.iter().map(|inner| inner.number).collect();
        numbers.sort_unstable();
        let place = |commit: &u32| self.position.get(*commit as usize).copied();
        let mut commits: Vec<u32> = inner
            .iter()
            .flat_map(|i| &i.introductions)
            .copied()
            .collect();
        commits.sort_unstable_by_key(place);
        commits.dedup();
        let anew = |commit: &&u32| {
            let mut parents = self.commits.parents(**commit).iter();
            !parents.any(|parent| self.sets.has_any(self.held[*parent as usize], &numbers))
        };
        let first = commits.first().copied();
        let last = inner
            .iter()
            .filter_map(|inner| inner.last)
            .max_by_key(place);
        let own: Vec<u32> = (units.iter().zip(&inner))
            .filter(|(unit, _)| unit.origin == Origin::Commit)
            .map(|(_, inner)| inner.number)
            .collect();
        let mut joined = Joined {
            first: first.map(|commit| self.commits.id(commit)),
            first_time: first.map(|commit| self.commits.row(commit).time),
            last: last.map(|commit| self.commits.id(commit)),
            introductions: commits.iter().filter(anew).count() as u32,
            in_head: units.iter().any(|unit| unit.in_head),
            ..Joined::default()
        };
        // Of each group whether it holds one, and whether now.
        let mut holds = vec![(false, false); self.groups.len()];
        for (group, (ever, now)) in self.groups.iter().zip(&mut holds) {
            *ever = self.sets.has_any(group.ever, &numbers);
            if *ever {
                joined.refs_count += group.tips.len();
                *now =
                    self.sets.has_any(group.now, &numbers) || self.sets.has_any(group.ever, &own);
                joined.tips_count += if *now { group.tips.len() } else { 0 };
            }
        }
        let (refs, tips) = (joined.refs_count.min(most), joined.tips_count.min(most));
        for (tip, group) in self.group_of.iter().enumerate() {
            if joined.refs.len() == refs && joined.tips.len() == tips {
                break;
            }
            let (ever, now) = holds.get(*group as usize).copied().unwrap_or_default();
            if ever && joined.refs.len() < refs {
                joined.refs.push(tip);
            }
            if now && joined.tips.len() < tips {
                joined.tips.push(tip);
            }
        }
        if joined.tips_count == 0 {
            joined.until = units.iter().filter_map(|unit| unit.removed).max();
        }
        joined
    }
}

/// The group of each tip: there may be some ten thousand tips for each of some thousand units, so that lists for each
/// unit are not made longer than they are shown.
pub(super) fn group_of(groups: &[Group]) -> Vec<u32> {
    let last = groups.iter().filter_map(|group| group.tips.last()).max();
    let mut of = vec![u32::MAX; last.map_or(0, |last| last + 1)];
    for (number, group) in (0_u32..).zip(groups) {
        for tip in &group.tips {
            of[*tip] = number;
        }
    }
    of
}
