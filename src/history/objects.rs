//! A repository's objects, opened once for all passes.

use std::sync::Arc;

use rayon::prelude::*;

use crate::pack::{Db, Entries, Error, Kind, Oid, Pack};

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
