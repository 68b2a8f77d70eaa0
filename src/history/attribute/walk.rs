//! The walk over commits: what each holds, introduces and removes, and what tips hold.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::commits::Commits;
use super::super::forest::{BARREN, Forest, NodeId};
use super::super::ids::Ids;
use super::super::objects::Objects;
use super::super::places::{NO_PATH, Places, ROOT};
use super::super::route::{APART, Target, Way};
use super::super::sets::{EMPTY, Full, Set, Sets};
use super::super::trees::Trees;
use super::{Attribution, Group, Missed};
use crate::model::{Observer, Origin, Stage};
use crate::pack::Oid;

/// Commits after which the observer hears of them.
const TELL: usize = 256;

/// The walk over commits, parents first, and what it knows so far.
pub(super) struct Work<'w> {
    pub(super) objects: &'w Objects,
    pub(super) trees: &'w Trees,
    pub(super) hits: &'w Ids,
    pub(super) leaks: &'w [Vec<u32>],
    pub(super) forest: Forest,
    pub(super) places: Places<'w>,
    pub(super) sets: Sets,
    pub(super) commits: Commits,
    pub(super) shallow: &'w [Oid],
    /// The node of each commit's tree.
    pub(super) roots: Vec<Option<NodeId>>,
    /// What each commit's tree holds, and what its history does.
    pub(super) held: Vec<Set>,
    pub(super) ever: Vec<Set>,
    /// For each unit, the commits that introduced it.
    pub(super) introductions: Vec<Vec<u32>>,
    /// For each unit, the time of the newest commit that removed it.
    pub(super) removed: Vec<Option<i64>>,
    /// The commits and tags with hits that count.
    pub(super) met: Vec<bool>,
    pub(super) missed: Vec<Missed>,
}

impl Work<'_> {
    pub(super) fn run(
        mut self,
        Way {
            targets,
            chosen,
            order,
            line,
        }: Way,
        head: Option<Oid>,
        (all, keep): (bool, bool),
        (stop, observer): (&AtomicBool, &dyn Observer),
    ) -> Attribution {
        let head = head.and_then(|id| self.commits.find(&id));
        observer.stage(Stage::Commits);
        observer.ahead(order.len() as i64, 0);
        observer.all_ahead();
        let mut cut = false;
        // What is known of each commit, in the order.
        let roots: Vec<Option<NodeId>> = order.iter().map(|c| self.roots[*c as usize]).collect();
        let mut sets: Vec<(Set, Set)> = Vec::with_capacity(order.len());
        for (number, commit) in order.iter().enumerate() {
            cut = stop.load(Ordering::Relaxed);
            if cut {
                break;
            }
            if number % TELL == TELL - 1 {
                observer.scanned(TELL as u64, 0);
            }
            let c = *commit as usize;
            let parent = line[number] as usize;
            if line[number] != APART && roots[number].is_some() && roots[number] == roots[parent] {
                // It changed no hit.
                let same = sets[parent];
                sets.push(same);
                (self.held[c], self.ever[c]) = same;
                continue;
            }
            if self.commit(*commit).is_err() {
                self.missed.push(Missed::Memory);
                break;
            }
            sets.push((self.held[c], self.ever[c]));
        }
        let groups = self.groups(&targets).unwrap_or_else(|(Full, groups)| {
            self.missed.push(Missed::Memory);
            groups
        });
        self.fit();
        if let Some(head) = head.filter(|head| !chosen[*head as usize]) {
            self.beside(head, &chosen, stop);
        }
        if cut || stop.load(Ordering::Relaxed) {
            // What trees and commits say is half the truth, and what was found shall not be lost with it.
            return self.unplaced();
        }
        let last = self.last(&order);
        let past = keep.then(|| self.forest.past(self.trees, self.hits));
        let mut attribution = self.finish(&order, &last, groups, head, all);
        attribution.past = past.flatten();
        attribution
    }

    /// Works out what HEAD holds where no tip reaches it. Nothing that its commits brought or removed counts.
    fn beside(&mut self, head: u32, chosen: &[bool], stop: &AtomicBool) {
        let (introductions, removed) = (self.introductions.clone(), self.removed.clone());
        let met = self.met.clone();
        let hits: Vec<usize> = self.places.all.iter().map(|p| p.hits.len()).collect();
        let reached = self.commits.reached([head]);
        let (order, cuts) = self.commits.order(&reached);
        if cuts > 0 {
            self.missed.push(Missed::CommitLoop(cuts));
        }
        for commit in order.iter().filter(|commit| !chosen[**commit as usize]) {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if self.commit(*commit).is_err() {
                self.missed.push(Missed::Memory);
                break;
            }
        }
        (self.introductions, self.removed, self.met) = (introductions, removed, met);
        for (unit, place) in self.places.all.iter_mut().enumerate() {
            place.hits.truncate(hits.get(unit).copied().unwrap_or(0));
        }
        self.fit();
    }

    fn root(&mut self, tree: u32) -> NodeId {
        self.forest.node(self.trees, tree, &mut self.missed)
    }

    fn held_by(&mut self, root: NodeId) -> Result<Set, Full> {
        self.places
            .held(&self.forest, &mut self.sets, root, &mut self.missed)
    }

    /// Makes room for units that are new.
    fn fit(&mut self) {
        let count = self.places.all.len();
        self.introductions.resize_with(count, Vec::new);
        self.removed.resize(count, None);
    }

    /// Works out what a commit holds, introduces and removes. Its parents were there before.
    fn commit(&mut self, commit: u32) -> Result<(), Full> {
        let c = commit as usize;
        let row = self.commits.row(commit);
        let (id, tree, time) = (row.id, row.tree, row.time);
        if row.parents.len() > self.commits.parents(commit).len()
            && self.shallow.binary_search(&id).is_err()
        {
            let commits = &self.commits;
            let absent = row.parents.iter().filter(|id| commits.find(id).is_none());
            self.missed.extend(absent.map(|id| Missed::Commit(*id)));
        }
        let root = self.roots[c].unwrap_or_else(|| {
            self.missed.push(Missed::Tree(tree));
            BARREN
        });
        let held = self.held_by(root)?;
        self.held[c] = held;
        self.fit();
        let (mut before, mut ever) = (EMPTY, held);
        for parent in self.commits.parents(commit) {
            let theirs = self.held[*parent as usize];
            ever = self.sets.union(ever, self.ever[*parent as usize])?;
            if theirs == held {
                before = held;
                continue;
            }
            before = self.sets.union(before, theirs)?;
            let removed = &mut self.removed;
            self.sets.minus(theirs, held, &mut |unit| {
                let removed = &mut removed[unit as usize];
                *removed = Some(removed.map_or(time, |before| before.max(time)));
            });
        }
        let introductions = &mut self.introductions;
        let mut new = 0;
        self.sets.minus(held, before, &mut |unit| {
            introductions[unit as usize].push(commit);
            new += 1;
        });
        self.places.spend(new)?;
        if let Some(hit) = self.hits.find_rare(id.as_bytes()) {
            let own = self.own(hit, Origin::Commit)?;
            self.fit();
            for unit in &own {
                self.introductions[*unit as usize].push(commit);
            }
            let own = self.sets.of(&mut own.clone())?;
            ever = self.sets.union(ever, own)?;
        }
        self.ever[c] = ever;
        Ok(())
    }

    /// The units of a commit's or tag's own text.
    fn own(&mut self, hit: u32, origin: Origin) -> Result<Vec<u32>, Full> {
        let new = !std::mem::replace(&mut self.met[hit as usize], true);
        let leaks = self.leaks;
        let mut units = Vec::new();
        for leak in &leaks[hit as usize] {
            let unit = self.places.unit(*leak, NO_PATH, origin)?;
            if new {
                self.places.all[unit as usize].hits.push(hit);
            }
            units.push(unit);
        }
        Ok(units)
    }

    /// Tips by what they hold. What is known when memory ends comes with the error.
    fn groups(&mut self, targets: &[(Target, Vec<u32>)]) -> Result<Vec<Group>, (Full, Vec<Group>)> {
        let mut groups: BTreeMap<(Set, Set), Vec<usize>> = BTreeMap::new();
        let mut full = None;
        for (tip, (target, tags)) in targets.iter().enumerate() {
            match self.tip(*target, tags) {
                Ok(sets) => groups.entry(sets).or_default().push(tip),
                Err(error) => full = Some(error),
            }
        }
        let groups = groups.into_iter();
        let groups = groups
            .map(|((now, ever), tips)| Group { now, ever, tips })
            .collect();
        match full {
            None => Ok(groups),
            Some(error) => Err((error, groups)),
        }
    }

    /// What a tip's newest tree and its history hold.
    fn tip(&mut self, target: Target, tags: &[u32]) -> Result<(Set, Set), Full> {
        let (mut now, mut ever) = match target {
            Target::Commit(commit) => (self.held[commit as usize], self.ever[commit as usize]),
            Target::Tree(tree) => {
                let root = self.root(tree);
                let held = self.held_by(root)?;
                (held, held)
            }
            Target::Hit(hit) => {
                let range = self.places.hit_at(ROOT, hit)?;
                let mut units = self.places.units_in(range).to_vec();
                let held = self.sets.of(&mut units)?;
                (held, held)
            }
            Target::Nothing | Target::Other(_) => (EMPTY, EMPTY),
        };
        for tag in tags {
            let mut units = self.own(*tag, Origin::Tag)?;
            let own = self.sets.of(&mut units)?;
            now = self.sets.union(now, own)?;
            ever = self.sets.union(ever, own)?;
        }
        Ok((now, ever))
    }

    /// For each unit, the last commit that holds it.
    fn last(&self, order: &[u32]) -> Vec<Option<u32>> {
        let mut last = vec![None; self.places.all.len()];
        let mut marks = self.sets.marks();
        for commit in order.iter().rev() {
            self.sets
                .each_new(self.held[*commit as usize], &mut marks, &mut |unit| {
                    let _ = last[unit as usize].get_or_insert(*commit);
                });
        }
        for (last, introductions) in last.iter_mut().zip(&self.introductions) {
            // A commit's own text is in no tree.
            *last = last.or(introductions.last().copied());
        }
        last
    }
}
