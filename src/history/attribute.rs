//! Attribution: which commits, paths and refs hold what was found.
//!
//! A *unit* is one leak at one path, or in commit messages, or in tags. Commits are gone through with parents first. What
//! a commit's tree holds that none of its parents' trees does, it introduced; what a parent's tree holds and its own does
//! not, it removed. What its history holds is what its tree and its parents' histories hold. These sets are shared
//! ([`Sets`]), so a commit that changes no hit costs two look-ups.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::Tip;
use super::commits::{Commits, RawCommit};
use super::forest::{BARREN, Forest, NodeId};
use super::ids::Ids;
use super::objects::{Hit, LooseId, Objects};
use super::past::Past;
use super::places::{NO_PATH, Places, ROOT};
use super::route::{APART, Route, Target, Way};
use super::sets::{EMPTY, Full, Set, Sets};
use super::trees::Trees;
use crate::model::{Observer, Origin, Stage};
use crate::pack::{self, Gap, Kind, Oid, Options};

/// Over how many changes of hits the commit that brought HEAD's version of a file is looked for.
const MOST_RUNS: usize = 1024;

/// What attribution starts from.
pub struct Input<'a> {
    /// The repository.
    pub objects: &'a Objects,
    /// Its loose objects, from [`Objects::loose`].
    pub loose: &'a [LooseId],
    /// Ids of loose objects that are known from before, sorted.
    pub known_loose: &'a [Oid],
    /// All its commits, in any order.
    pub commits: Vec<RawCommit>,
    /// What was found in objects, in any order.
    pub hits: Vec<Hit>,
    /// The refs that count.
    pub tips: &'a [Tip],
    /// HEAD's commit.
    pub head: Option<Oid>,
    /// Commits whose parents a shallow clone leaves out, sorted.
    pub shallow: &'a [Oid],
    /// Whether commits that no tip reaches count, and hits that no commit holds are units of their own.
    pub all: bool,
    /// Bytes for the walk over trees.
    pub walk_memory: u64,
    /// Bytes for sets and paths. The kept entries of trees come on top, 8 bytes for each subtree of each tree.
    pub set_memory: u64,
    /// What a past run knew; its trees are not read again. The packs and loose objects are the others then.
    pub past: Option<&'a Past>,
    /// Whether [`Attribution::past`] is wanted.
    pub keep: bool,
    /// Threads for the walk.
    pub pool: &'a rayon::ThreadPool,
    /// Becomes true when the work is to end early; what is known by then is given.
    pub stop: &'a AtomicBool,
    /// Hears how far it is.
    pub observer: &'a dyn Observer,
}

/// Something that was not looked at, so that hits may be missing from the result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Missed {
    /// An object of a pack that could not be decoded.
    #[error(transparent)]
    Object(Gap),
    /// A file of the object database.
    #[error(transparent)]
    File(pack::Error),
    /// A tree with a malformed entry: what comes after it in the tree is not known.
    #[error("tree {0} is malformed")]
    MalformedTree(Oid),
    /// A tree that needs more memory than the walk has.
    #[error("tree {0} is too large for the memory budget")]
    LargeTree(Oid),
    /// A tree that is named and not there, as in a partial clone.
    #[error("tree {0} is missing")]
    Tree(Oid),
    /// A blob that is named and not there, as in a partial clone.
    #[error("blob {0} is missing")]
    Blob(Oid),
    /// A parent that is named and not there, and no shallow clone leaves it out: what was before it is not known.
    #[error("commit {0} is missing")]
    Commit(Oid),
    /// A tree that holds itself, by a false index.
    #[error("tree {0} is within itself")]
    TreeLoop(Oid),
    /// Commits that are their own ancestors, by a false index: so many.
    #[error("commits are in a loop, cut {0} times")]
    CommitLoop(usize),
    /// A path of more than 4,096 folders or 64 KiB.
    #[error("a path is too long")]
    Path,
    /// A ref's target, or what a tag names.
    #[error("object {0} of a ref is missing or cannot be read")]
    Target(Oid),
    /// Sets and paths took all the memory that they may.
    #[error(
        "hits stand in too many places for the memory budget; those in newer commits are missing"
    )]
    Memory,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Commits that count: all, or those that tips reach.
    pub commits: usize,
    /// Commits in all.
    pub all_commits: usize,
    /// Distinct trees.
    pub trees: usize,
    /// Objects with hits that no commit or tip holds: the length of [`Attribution::unreached`].
    pub unreached: usize,
}

/// One leak at one path, or in commits' or tags' own text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The leak's number.
    pub leak: u32,
    /// What holds it.
    pub origin: Origin,
    /// The path, with `/`; empty for a commit, a tag, and what nothing holds.
    pub path: Vec<u8>,
    /// The commits that introduced it, by topology, each with the object that holds it there: the blob at the path, for
    /// [`Origin::Name`] the blob or tree of that name, or the commit itself.
    pub introductions: Vec<(Oid, Oid)>,
    /// The hit objects that stood at the path with this leak, or the commits or tags that have it: the ones introduced
    /// first come first. Empty for [`Origin::Name`].
    pub objects: Vec<Oid>,
    /// The last commit by topology whose tree holds it, or that has it in its own text.
    pub last: Option<Oid>,
    /// Time of the newest commit that removed it, when no tip holds it.
    pub removed: Option<i64>,
    /// The object with this leak at this path in HEAD's tree, [`Origin::Content`] only.
    pub head_object: Option<Oid>,
    /// The commit that brought that object to the path, where none of `introductions` did and it is not too far back.
    pub head_commit: Option<Oid>,
    /// Whether HEAD's tree holds it; for a commit's own text, HEAD's history.
    pub in_head: bool,
}

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

/// Where everything that was found is and was.
///
/// The refs of a unit are worked out when they are asked for: with 17,887 refs, as curl has, a list for each unit would
/// take more memory than all else.
pub struct Attribution {
    /// Sorted by leak, origin and path.
    pub units: Vec<Unit>,
    /// How much was looked at.
    pub counts: Counts,
    /// What was not.
    pub missed: Vec<Missed>,
    /// What the next run needs, where it was asked for.
    pub past: Option<Past>,
    /// Hits that the past run did not have, and that stand in no tree that was read now.
    pub strays: Vec<Oid>,
    /// The leaks of each object that no commit or tip holds.
    pub unreached: Vec<Vec<u32>>,
    /// For each of `units`.
    inner: Vec<Inner>,
    commits: Commits,
    /// Place of each commit in the order.
    position: Vec<u32>,
    /// What each commit's tree holds.
    held: Vec<Set>,
    sets: Sets,
    groups: Vec<Group>,
    /// The group of each tip.
    group_of: Vec<u32>,
}

/// A unit with numbers in place of ids.
#[derive(Default)]
struct Inner {
    /// Its number in sets.
    number: u32,
    introductions: Vec<u32>,
    last: Option<u32>,
}

/// Tips that hold the same.
struct Group {
    /// What the newest tree holds, tags included, and commits' own text in the history.
    now: Set,
    /// What the history holds.
    ever: Set,
    tips: Vec<usize>,
}

/// Finds the commits, paths and refs of all hits. `names` gives the leaks in a file's or folder's name; it is asked once
/// for each distinct name, or a few times.
pub fn attribute(input: Input<'_>, names: impl Fn(&[u8]) -> Vec<u32> + Sync) -> Attribution {
    let mut missed = Vec::new();
    let (ids, leaks) = joined(input.hits);
    let options = Options {
        memory: input.walk_memory,
        stop: Some(input.stop),
        ..Options::default()
    };
    input.observer.stage(Stage::Trees);
    let names = &names;
    let read = || {
        Trees::read(
            (input.objects, input.loose, input.known_loose),
            &ids,
            names,
            input.past,
            &options,
            input.pool,
            &mut missed,
        )
    };
    let mut commits = input.commits;
    let pool = input.pool;
    // None needs another, and all are mostly serial when little is new.
    let ((trees, mut forest), mut route) = pool.join(
        || pool.join(read, || Forest::new(&ids, input.past)),
        || {
            Commits::arrange(&mut commits, pool);
            let commits = Commits::new(commits);
            Route::new(commits, &ids, &input.objects.db, input.tips, input.all)
        },
    );
    let find = |commit: &RawCommit| trees.ids.find(&commit.tree);
    let commits = route.commits.in_order();
    let (roots, ()) = pool.join(
        || -> Vec<Option<u32>> { commits.map(find).collect() },
        || forest.take(&trees, input.past),
    );
    let mut node = |tree| forest.node(&trees, tree, &mut missed);
    let roots: Vec<Option<NodeId>> = roots.into_iter().map(|t| t.map(&mut node)).collect();
    route.resolve(&trees.ids);
    missed.extend(route.missed);
    let count = route.commits.len();
    let work = Work {
        objects: input.objects,
        forest,
        places: Places::new(&leaks, &trees.names, input.set_memory / 2),
        sets: Sets::new(input.set_memory / 2),
        trees: &trees,
        hits: &ids,
        leaks: &leaks,
        commits: route.commits,
        shallow: input.shallow,
        roots,
        held: vec![EMPTY; count],
        ever: vec![EMPTY; count],
        introductions: Vec::new(),
        removed: Vec::new(),
        met: vec![false; ids.len()],
        missed,
    };
    let strays = input
        .past
        .map_or_else(Vec::new, |past| strays(&trees, &ids, past));
    let watch = (input.stop, input.observer);
    let mut attribution = work.run(route.way, input.head, (input.all, input.keep), watch);
    attribution.strays = strays;
    attribution
}

/// The new hits that no new tree names.
fn strays(trees: &Trees, hits: &Ids, past: &Past) -> Vec<Oid> {
    let named = trees.named(hits.len());
    let all = hits.all().iter().zip(named);
    all.filter(|(id, named)| !named && past.hits.binary_search(id).is_err())
        .map(|(id, _)| *id)
        .collect()
}

/// Hits by object.
fn joined(mut hits: Vec<Hit>) -> (Ids, Vec<Vec<u32>>) {
    hits.retain(|hit| !hit.leaks.is_empty());
    hits.sort_unstable_by_key(|hit| hit.object);
    let mut ids: Vec<Oid> = Vec::with_capacity(hits.len());
    let mut leaks: Vec<Vec<u32>> = Vec::with_capacity(hits.len());
    for hit in hits {
        match leaks.last_mut() {
            Some(last) if ids.last() == Some(&hit.object) => last.extend(hit.leaks),
            _ => {
                ids.push(hit.object);
                leaks.push(hit.leaks);
            }
        }
    }
    for list in &mut leaks {
        list.sort_unstable();
        list.dedup();
    }
    (Ids::new(ids), leaks)
}

/// Commits after which the observer hears of them.
const TELL: usize = 256;

struct Work<'w> {
    objects: &'w Objects,
    trees: &'w Trees,
    hits: &'w Ids,
    leaks: &'w [Vec<u32>],
    forest: Forest,
    places: Places<'w>,
    sets: Sets,
    commits: Commits,
    shallow: &'w [Oid],
    /// The node of each commit's tree.
    roots: Vec<Option<NodeId>>,
    /// What each commit's tree holds, and what its history does.
    held: Vec<Set>,
    ever: Vec<Set>,
    /// For each unit, the commits that introduced it.
    introductions: Vec<Vec<u32>>,
    /// For each unit, the time of the newest commit that removed it.
    removed: Vec<Option<i64>>,
    /// The commits and tags with hits that count.
    met: Vec<bool>,
    missed: Vec<Missed>,
}

impl Work<'_> {
    fn run(
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

    /// Every hit as a unit of its own, without path and commit.
    fn unplaced(mut self) -> Attribution {
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

    fn finish(
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
    fn named(&self, commit: u32, path: &[super::name::Name]) -> Option<Oid> {
        let mut at = self.commits.row(commit).tree;
        for name in path {
            let tree = self.objects.db.find(&at, u64::from(u32::MAX)).ok()??;
            at = super::trees::find(&tree.bytes, self.trees.names.bytes(name.number()))?;
        }
        Some(at)
    }
}

/// The group of each tip: there may be some ten thousand tips for each of some thousand units, so that lists for each
/// unit are not made longer than they are shown.
fn group_of(groups: &[Group]) -> Vec<u32> {
    let last = groups.iter().filter_map(|group| group.tips.last()).max();
    let mut of = vec![u32::MAX; last.map_or(0, |last| last + 1)];
    for (number, group) in (0_u32..).zip(groups) {
        for tip in &group.tips {
            of[*tip] = number;
        }
    }
    of
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
