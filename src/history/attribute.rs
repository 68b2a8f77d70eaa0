//! Attribution: which commits, paths and refs hold what was found.
//!
//! A *unit* is one leak at one path, or in commit messages, or in tags. Commits are gone through with parents first. What
//! a commit's tree holds that none of its parents' trees does, it introduced; what a parent's tree holds and its own does
//! not, it removed. What its history holds is what its tree and its parents' histories hold. These sets are shared
//! ([`Sets`]), so a commit that changes no hit costs two look-ups.

mod joined;
mod units;
mod walk;

use std::sync::atomic::AtomicBool;

use rayon::prelude::*;

pub use joined::Joined;

use self::walk::Work;

use super::Tip;
use super::commits::{Commits, RawCommit};
use super::forest::{Forest, NodeId};
use super::ids::Ids;
use super::objects::{Hit, LooseId, Objects};
use super::past::Past;
use super::places::Places;
use super::route::Route;
use super::sets::{EMPTY, Set, Sets};
use super::trees::Trees;
use crate::model::{Observer, Origin, Stage};
use crate::pack::{self, Gap, Oid, Options};

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
