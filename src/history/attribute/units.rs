//! What the walk found, unit by unit.

use std::collections::HashMap;

use super::super::forest::BARREN;
use super::super::name::Name;
use super::super::places::NO_PATH;
use super::super::trees;
use super::joined::group_of;
use super::walk::Work;
use super::{Attribution, Counts, Group, Inner, Missed, Unit};
use crate::model::Origin;
use crate::pack::{Kind, Oid};

/// Over how many changes of hits the commit that brought HEAD's version of a file is looked for.
const MOST_RUNS: usize = 1024;

impl Work<'_> {
    /// Every hit as a unit of its own, without path and commit.
    pub(super) fn unplaced(mut self) -> Attribution {
        let hits = 0..self.hits.len() as u32;
        let mut rows: Vec<(Unit, Inner)> = hits.flat_map(|hit| self.lost(hit)).collect();
        rows.sort_by(|(a, _), (b, _)| {
            let key = |unit: &Unit| (unit.leak, unit.origin);
            key(a).cmp(&key(b)).then_with(|| a.objects.cmp(&b.objects))
        });
        let (units, inner) = rows.into_iter().unzip();
        Attribution {
            units,
            counts: Counts {
                all_commits: self.commits.len(),
                ..Counts::default()
            },
            missed: Vec::new(),
            past: None,
            strays: Vec::new(),
            unreached: Vec::new(),
            inner,
            position: Vec::new(),
            held: std::mem::take(&mut self.held),
            commits: self.commits,
            sets: self.sets,
            groups: Vec::new(),
            group_of: Vec::new(),
        }
    }

    pub(super) fn finish(
        mut self,
        order: &[u32],
        last: &[Option<u32>],
        groups: Vec<Group>,
        head: Option<u32>,
        all: bool,
    ) -> Attribution {
        // Whether a tip holds it; text of commits stays as long as a tip reaches it.
        let mut tipped = vec![false; self.places.all.len()];
        let mut marks = self.sets.marks();
        for group in &groups {
            self.sets.each_new(group.now, &mut marks, &mut |unit| {
                tipped[unit as usize] = true;
            });
        }
        let mut position = vec![u32::MAX; self.commits.len()];
        for (place, commit) in (0_u32..).zip(order) {
            position[*commit as usize] = place;
        }
        let is_chosen = |commit: u32| position[commit as usize] != u32::MAX;
        let commits = &self.commits;
        let mut rows: Vec<(Unit, Inner)> = Vec::with_capacity(self.places.all.len());
        // What places were not found for is told of without one when memory ended.
        let all = all || self.missed.iter().any(|m| matches!(m, Missed::Memory));
        let mut stands = std::mem::take(&mut self.met);
        let mut runs = HashMap::new();
        for (number, place) in (0_u32..).zip(&self.places.all) {
            let u = number as usize;
            let introductions = std::mem::take(&mut self.introductions[u]);
            if introductions.is_empty() && last[u].is_none() && !tipped[u] {
                // Met when memory ended.
                continue;
            }
            for hit in &place.hits {
                stands[*hit as usize] = true;
            }
            let object = |commit: u32| match place.origin {
                Origin::Content => {
                    let root = self.roots[commit as usize].unwrap_or(BARREN);
                    let hit = self.places.hit_of(&self.forest, root, number);
                    hit.map(|hit| self.hits.id(hit))
                }
                Origin::Name => self.named(commit, &self.places.names_to(place.path)),
                _ => Some(commits.id(commit)),
            };
            let id = |commit: u32| commits.id(commit);
            let in_head = head.is_some_and(|head| {
                let sets = if place.origin == Origin::Commit {
                    &self.ever
                } else {
                    &self.held
                };
                self.sets.contains(sets[head as usize], number)
            });
            let introduced: Vec<(Oid, Oid)> = introductions
                .iter()
                .map(|commit| (id(*commit), object(*commit).unwrap_or(id(*commit))))
                .collect();
            let head = head.filter(|head| is_chosen(*head));
            let head_object = head
                .filter(|_| in_head && place.origin == Origin::Content)
                .and_then(object);
            let later = head_object.filter(|id| introduced.iter().all(|(_, old)| old != id));
            let head_commit = head
                .filter(|_| later.is_some())
                .and_then(|head| self.brought(head, number, &position, &mut runs));
            let unit = Unit {
                leak: place.leak,
                origin: place.origin,
                path: if place.path == NO_PATH {
                    Vec::new()
                } else {
                    self.places.bytes(place.path)
                },
                introductions: introduced,
                objects: place.hits.iter().map(|hit| self.hits.id(*hit)).collect(),
                last: last[u].map(id),
                removed: self.removed[u].filter(|_| !tipped[u]),
                head_object,
                head_commit: head_commit.map(id),
                in_head,
            };
            let inner = Inner {
                number,
                introductions,
                last: last[u],
            };
            rows.push((unit, inner));
        }
        let mut unreached = Vec::new();
        for hit in (0..self.hits.len() as u32).filter(|hit| !stands[*hit as usize]) {
            unreached.push(self.leaks[hit as usize].clone());
            if all {
                rows.extend(self.lost(hit));
            }
        }
        rows.sort_by(|(a, _), (b, _)| {
            let key = |unit: &Unit| (unit.leak, unit.origin);
            let order = key(a).cmp(&key(b)).then_with(|| a.path.cmp(&b.path));
            order.then_with(|| a.objects.cmp(&b.objects))
        });
        // Threads met them in any order, and commits some of them more than once.
        self.missed.sort_by_cached_key(ToString::to_string);
        self.missed.dedup_by_key(|missed| missed.to_string());
        let (units, inner) = rows.into_iter().unzip();
        Attribution {
            units,
            counts: Counts {
                commits: order.len(),
                all_commits: self.commits.len(),
                trees: self.trees.ids.len(),
                unreached: unreached.len(),
            },
            missed: self.missed,
            past: None,
            strays: Vec::new(),
            unreached,
            inner,
            commits: self.commits,
            position,
            held: self.held,
            sets: self.sets,
            group_of: group_of(&groups),
            groups,
        }
    }

    /// The commit that brought a unit's object to its path, going back from one that has it there.
    fn brought(
        &self,
        from: u32,
        unit: u32,
        position: &[u32],
        runs: &mut HashMap<u32, u32>,
    ) -> Option<u32> {
        let hit_in = |commit: u32| {
            let root = self.roots[commit as usize].unwrap_or(BARREN);
            self.places.hit_of(&self.forest, root, unit)
        };
        let hit = hit_in(from)?;
        let mut at = from;
        for _ in 0..MOST_RUNS {
            at = self.alike(at, position, runs);
            match self
                .before(at, position)
                .find(|parent| hit_in(*parent) == Some(hit))
            {
                Some(parent) => at = parent,
                None => return Some(at),
            }
        }
        None
    }

    /// The end of a way back over commits whose trees hold the same. Each way is gone once.
    fn alike(&self, from: u32, position: &[u32], runs: &mut HashMap<u32, u32>) -> u32 {
        let root = self.roots[from as usize];
        let mut at = from;
        loop {
            if let Some(end) = runs.get(&at) {
                at = *end;
                break;
            }
            let mut parents = self.before(at, position);
            match parents.find(|parent| self.roots[*parent as usize] == root) {
                Some(parent) => at = parent,
                None => break,
            }
        }
        runs.insert(from, at);
        at
    }

    /// A commit's parents, but for those that a loop puts behind it.
    fn before(&self, commit: u32, position: &[u32]) -> impl Iterator<Item = u32> {
        let place = position[commit as usize];
        let parents = self.commits.parents(commit).iter().copied();
        parents.filter(move |parent| position[*parent as usize] < place)
    }

    /// Units for a hit that no commit and no tip holds.
    fn lost(&self, hit: u32) -> impl Iterator<Item = (Unit, Inner)> + '_ {
        let id = self.hits.id(hit);
        let origin = match self.objects.db.header(&id) {
            Ok(Some((Kind::Tag, _))) => Origin::Tag,
            Ok(Some((Kind::Commit, _))) => Origin::Commit,
            _ => Origin::Content,
        };
        self.leaks[hit as usize].iter().map(move |leak| {
            let unit = Unit {
                leak: *leak,
                origin,
                path: Vec::new(),
                introductions: Vec::new(),
                objects: vec![id],
                last: None,
                removed: None,
                head_object: None,
                head_commit: None,
                in_head: false,
            };
            let inner = Inner {
                number: u32::MAX,
                ..Inner::default()
            };
            (unit, inner)
        })
    }

    /// The object of a name in a commit's tree. Only names with leaks ask for it, so it is read from the trees themselves.
    fn named(&self, commit: u32, path: &[Name]) -> Option<Oid> {
        let mut at = self.commits.row(commit).tree;
        for name in path {
            let tree = self.objects.db.find(&at, u64::from(u32::MAX)).ok()??;
            at = trees::find(&tree.bytes, self.trees.names.bytes(name.number()))?;
        }
        Some(at)
    }
}
