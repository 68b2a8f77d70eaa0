//! A repository's objects, opened once for all passes.

use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use crate::pack::{Db, DeltaTree, Entries, Error, Kind, Oid, Pack};

/// Packs and loose objects of a repository.
pub struct Objects {
    /// The packs, each with its list of entries.
    pub packs: Vec<OpenPack>,
    /// Loose objects, and every object by its id.
    pub db: Db,
}

/// A pack that is walked, more than once maybe.
pub struct OpenPack {
    /// The pack, in memory when it fits the budget.
    pub pack: Arc<Pack>,
    /// Its entries.
    pub entries: Entries,
    folders: OnceLock<Folders>,
}

/// The trees of a pack.
pub(super) struct Folders {
    /// What leads to them.
    pub(super) deltas: DeltaTree,
    /// Their entries, and those of which only decoding tells that they are none.
    pub(super) entries: Vec<u32>,
}

impl OpenPack {
    /// A pack with the list of its entries.
    pub fn new(pack: Arc<Pack>, entries: Entries) -> Self {
        Self {
            pack,
            entries,
            folders: OnceLock::new(),
        }
    }

    /// Finds its trees, which [`attribute`](super::attribute()) asks for: to be called beside other work on one thread.
    pub fn prepare(&self) {
        self.folders();
    }

    pub(super) fn folders(&self) -> &Folders {
        self.folders.get_or_init(|| {
            let mut entries = Vec::new();
            let deltas = DeltaTree::of(&self.pack, &self.entries, |entry, _, kind| {
                // A delta on an object outside the pack has a kind that only decoding tells.
                let may = kind.is_none_or(|kind| kind == Kind::Tree);
                if may {
                    entries.push(entry as u32);
                }
                may
            });
            Folders { deltas, entries }
        })
    }
}

/// A loose object that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LooseId {
    /// Its id.
    pub id: Oid,
    /// Number of its folder in [`Db::loose`].
    pub folder: u32,
    /// What its header says that it is.
    pub kind: Kind,
}

/// An object in which something was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// A blob, a commit or a tag.
    pub object: Oid,
    /// Numbers of the leaks in it.
    pub leaks: Vec<u32>,
}

impl Objects {
    /// All loose objects by id, with what could not be listed or opened. Each file's header is read, on the pool's threads;
    /// so this is asked once and handed to the passes. What vanishes meanwhile is left out in silence.
    pub fn loose(&self, pool: &rayon::ThreadPool) -> (Vec<LooseId>, Vec<Error>) {
        let (found, _, errors) = self.loose_but(pool, |_| false);
        (found, errors)
    }

    /// The same without those that are known; their ids come apart, one for each folder that has them, unopened.
    pub fn loose_but(
        &self,
        pool: &rayon::ThreadPool,
        is_known: impl Fn(&Oid) -> bool,
    ) -> (Vec<LooseId>, Vec<Oid>, Vec<Error>) {
        let mut found = Vec::new();
        let mut known = Vec::new();
        let mut errors = Vec::new();
        for (folder, loose) in (0_u32..).zip(self.db.loose()) {
            let (ids, failed) = loose.ids();
            let (old, ids): (Vec<Oid>, Vec<Oid>) = ids.into_iter().partition(&is_known);
            known.extend(old);
            errors.extend(failed);
            let opened: Vec<Result<Option<LooseId>, Error>> = pool.install(|| {
                ids.into_par_iter()
                    .map(|id| {
                        let object = loose.open(&id)?;
                        Ok(object.map(|object| LooseId {
                            id,
                            folder,
                            kind: object.kind(),
                        }))
                    })
                    .collect()
            });
            for one in opened {
                match one {
                    Ok(row) => found.extend(row),
                    Err(error) => errors.push(error),
                }
            }
        }
        found.sort_unstable();
        known.sort_unstable();
        (found, known, errors)
    }
}
