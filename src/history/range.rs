//! What the commits of a range add: a push, a pull request.

use std::collections::{BinaryHeap, HashMap};

use super::Error;
use super::changes::{Change, CommitHead, MOST_CHANGES, Removed, Trees, place};
use crate::model::{Gap, Oid};
use crate::pack::Db;

/// What a range of commits adds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    /// The commits, newest first by the date of the commit.
    pub commits: Vec<CommitAdds>,
    /// Objects that could not be read, and limits that were met.
    pub gaps: Vec<Gap>,
    /// The trees among them that are not there.
    pub absent: Vec<Oid>,
}

impl Added {
    /// Takes the trees that are not there out of the gaps: a partial clone leaves them with its remote.
    pub fn take_promised(&mut self) -> Vec<Oid> {
        let promised = std::mem::take(&mut self.absent);
        let paths: Vec<String> = promised.iter().map(place).collect();
        self.gaps.retain(|gap| !paths.contains(&gap.path));
        promised
    }
}

/// What one commit adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitAdds {
    /// The commit.
    pub id: Oid,
    /// Versions of files that no parent has at the same path, by path.
    pub changes: Vec<Change>,
    /// Files and folders of its parents at whose paths it has nothing; see [`files_below`](super::files_below).
    pub removed: Vec<Removed>,
    /// Whether its parents are left out of a shallow clone: all that it holds counts as added.
    pub cut: bool,
}

/// After all that is left is known to be no part of the range, how many more commits are looked at because clocks go
/// wrong. Git takes 5; these cost a few milliseconds, and each commit too many is scanned. A wrong clock makes the range
/// larger, never smaller.
const SLOP: usize = 128;

/// A commit's place in the queue: the newest first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Queued {
    date: i64,
    id: Oid,
}

struct Known {
    links: Option<CommitHead>,
    /// Reachable from a base.
    old: bool,
    seen: bool,
}

/// The commits that `tip` reaches and no `base` does, each with the file versions that are in none of its parents.
///
/// `shallow` are the commits whose parents a shallow clone leaves out ([`Repo::shallow`](super::Repo::shallow)), sorted.
/// Without a base it is the whole history of `tip`. A missing parent is a gap, and what it would have held counts as
/// added; a base that is missing is one too.
///
/// # Errors
/// [`Error::Object`] where the tip is no commit.
pub fn range(db: &Db, shallow: &[Oid], base: &[Oid], tip: Oid) -> Result<Added, Error> {
    within(MOST_CHANGES, db, shallow, base, &[tip])
}

/// The same for several tips, as one push brings them; a commit that several reach comes once.
///
/// # Errors
/// [`Error::Object`] where a tip is no commit.
pub fn range_to(db: &Db, shallow: &[Oid], base: &[Oid], tips: &[Oid]) -> Result<Added, Error> {
    within(MOST_CHANGES, db, shallow, base, tips)
}

/// The same, up to a number of changes, and those of one more folder.
pub(super) fn within(
    most: usize,
    db: &Db,
    shallow: &[Oid],
    base: &[Oid],
    tips: &[Oid],
) -> Result<Added, Error> {
    let mut trees = Trees::new(db);
    trees.left = most;
    let mut walk = Walk {
        db,
        shallow,
        known: HashMap::new(),
        queue: BinaryHeap::new(),
        fresh: 0,
    };
    for tip in tips {
        let links = CommitHead::of(db, *tip)?;
        walk.enter(*tip, Some(links), false);
    }
    for id in base {
        match CommitHead::of(db, *id) {
            Ok(links) => walk.enter(*id, Some(links), true),
            Err(error) => trees.gap(*id, &error),
        }
    }
    let order = walk.run(&mut trees);

    let mut commits = Vec::new();
    for id in order {
        let Some(links) = walk.known.get(&id).filter(|known| !known.old) else {
            continue;
        };
        let Some(links) = links.links.clone() else {
            continue;
        };
        let cut = shallow.binary_search(&id).is_ok();
        let mut bases: Vec<Oid> = Vec::new();
        for parent in links.parents.iter().filter(|_| !cut) {
            let known = walk
                .known
                .get(parent)
                .and_then(|known| known.links.as_ref());
            // A missing parent is a gap already.
            if let Some(parent) = known {
                bases.push(parent.tree);
            }
        }
        bases.sort_unstable();
        bases.dedup();
        let mut changes = Vec::new();
        let whole = trees.added(Vec::new(), links.tree, bases, &mut changes);
        changes.sort_unstable();
        let removed = std::mem::take(&mut trees.removed);
        commits.push(CommitAdds {
            id,
            changes,
            removed,
            cut,
        });
        if !whole {
            break;
        }
    }
    let (mut gaps, mut absent) = (trees.gaps, trees.absent);
    gaps.sort_unstable();
    gaps.dedup();
    absent.sort_unstable();
    absent.dedup();
    Ok(Added {
        commits,
        gaps,
        absent,
    })
}

struct Walk<'d> {
    db: &'d Db,
    shallow: &'d [Oid],
    known: HashMap<Oid, Known>,
    queue: BinaryHeap<Queued>,
    /// How many in the queue are not known to be reachable from a base.
    fresh: usize,
}

impl Walk<'_> {
    /// Brings a commit into the queue once, and marks it as old where it is.
    fn enter(&mut self, id: Oid, links: Option<CommitHead>, old: bool) {
        let date = links.as_ref().map_or(0, |links| links.date);
        if self.known.contains_key(&id) {
            if old {
                self.mark(id);
            }
            return;
        }
        self.known.insert(
            id,
            Known {
                links,
                old,
                seen: false,
            },
        );
        self.queue.push(Queued { date, id });
        self.fresh += usize::from(!old);
    }

    /// Marks a commit as old, and what was reached from it by then.
    fn mark(&mut self, id: Oid) {
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            let Some(known) = self.known.get_mut(&id).filter(|known| !known.old) else {
                continue;
            };
            known.old = true;
            if known.seen {
                let parents = known.links.as_ref().map(|links| &links.parents);
                stack.extend(parents.into_iter().flatten());
            } else {
                self.fresh -= 1;
            }
        }
    }

    /// Walks until nothing new can be met, and gives the commits that were met, newest first.
    fn run(&mut self, trees: &mut Trees<'_>) -> Vec<Oid> {
        let mut order = Vec::new();
        let mut oldest = i64::MAX;
        let mut slop = SLOP;
        while let Some(Queued { date, id }) = self.queue.pop() {
            let Some(known) = self.known.get_mut(&id) else {
                continue;
            };
            known.seen = true;
            let old = known.old;
            let parents = match &known.links {
                Some(links) if self.shallow.binary_search(&id).is_err() => links.parents.clone(),
                _ => Vec::new(),
            };
            if old {
                if self.fresh == 0 {
                    // As long as the dates fit, an old commit may still lead to one that was taken for new.
                    slop = if date < oldest {
                        slop.saturating_sub(1)
                    } else {
                        SLOP
                    };
                }
            } else {
                self.fresh -= 1;
                oldest = oldest.min(date);
                order.push(id);
            }
            for parent in parents {
                if self.known.contains_key(&parent) {
                    self.enter(parent, None, old);
                    continue;
                }
                let links = match CommitHead::of(self.db, parent) {
                    Ok(links) => Some(links),
                    Err(error) => {
                        // What is not there matters only to what is compared with it.
                        if !old {
                            trees.gap(parent, &error);
                        }
                        None
                    }
                };
                self.enter(parent, links, old);
            }
            if self.fresh == 0 && slop == 0 {
                break;
            }
        }
        order
    }
}
