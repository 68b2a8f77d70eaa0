//! Everything that holds objects, opened; whether any of it moved since, and how many objects there are.

use rayon::prelude::*;

use super::super::cache::Known;
use super::super::objects::Found;
use super::super::recall;
use super::AuditOptions;
use crate::history::{LooseId, Missed, Objects, OpenPack};
use crate::model::{Gap, Oid, Summary};
use crate::pack::{self, Db, Entries, Index};

/// Everything that holds objects.
pub(super) struct Opened {
    /// The packs in it are those that are not known.
    pub(super) objects: Objects,
    pub(super) loose: Vec<LooseId>,
    pub(super) known_loose: Vec<Oid>,
    /// Of each pack, known or not.
    pub(super) identities: Vec<Option<[u8; 32]>>,
    /// Of each pack whether it is known, where all known ones are there.
    pub(super) old: Option<Vec<bool>>,
}

/// Opens everything that holds objects. `None` where some that are known are gone.
pub(super) fn open(
    (db, mut errors): (Db, Vec<pack::Error>),
    options: &AuditOptions,
    pool: &rayon::ThreadPool,
    known: Option<&Known>,
    summary: &mut Summary,
) -> Option<Opened> {
    let packs = Vec::new();
    let mut objects = Objects { packs, db };
    let is_known = |id: &Oid| known.is_some_and(|known| known.has_loose(id, &objects.db));
    let (loose, known_loose, failed) = objects.loose_but(pool, is_known);
    errors.extend(failed);
    // A loose object goes only when a pack has it, so packs are listed after loose objects.
    errors.extend(objects.db.refresh());
    let identities: Vec<_> = objects
        .db
        .packs()
        .iter()
        .map(|pack| recall::identity(pack))
        .collect();
    let is_new = |number: usize| {
        let identity = identities.get(number).copied().flatten();
        known.is_none_or(|known| known.pack(identity).is_none())
    };
    if known.is_some_and(|known| !known.is_there(&objects.db, &identities, pool)) {
        return None;
    }
    let is_same = known.is_some_and(|known| known.is_same(&identities));
    let old = is_same.then(|| (0..identities.len()).map(|n| !is_new(n)).collect());
    let load = options.load;
    errors.extend(pool.install(|| objects.db.load_some(load, is_new)));
    let packs = objects
        .db
        .packs()
        .iter()
        .enumerate()
        .filter(|(number, _)| is_new(*number))
        .map(|(_, pack)| pack);
    objects.packs = packs
        .map(|pack| OpenPack::new(pack.clone(), Entries::read(pack, pool)))
        .collect();
    errors.extend(
        objects
            .packs
            .iter()
            .filter_map(|open| open.pack.check_count().err()),
    );
    for error in errors {
        summary.gaps.push(Gap {
            path: String::new(),
            reason: error.to_string(),
        });
    }
    Some(Opened {
        objects,
        loose,
        known_loose,
        identities,
        old,
    })
}

/// Whether something was not read that is there after all: it was scanned neither where it was nor where it is.
pub(super) fn moved(objects: &Objects, found: &Found, missed: &[Missed]) -> bool {
    if found.vanished > 0 {
        return true;
    }
    let mut ids = missed.iter().filter_map(|missed| match missed {
        Missed::Blob(id) | Missed::Tree(id) | Missed::Commit(id) | Missed::Target(id) => Some(id),
        _ => None,
    });
    let mut again = None;
    ids.any(|id| {
        let db = again.get_or_insert_with(|| objects.db.newer());
        db.contains(id) && !objects.db.contains(id)
    })
}

/// How many objects there are; one that several packs hold, or that is loose too, counts once.
pub(super) fn distinct(objects: &Objects, loose: &[Oid], pool: &rayon::ThreadPool) -> u64 {
    let mut indexes: Vec<_> = objects.db.packs().iter().map(|p| p.index()).collect();
    // Only what is not in the biggest one is looked up.
    indexes.sort_by_key(|index| std::cmp::Reverse(index.len()));
    let among = |indexes: &[&Index], id: &Oid| indexes.iter().any(|i| i.find(id).is_some());
    let new = |(number, index): (usize, &&Index)| {
        let all = (0..index.len()).into_par_iter();
        let before = &indexes[..number];
        all.filter(|at| !among(before, &index.id(*at))).count()
    };
    pool.install(|| {
        let packed: usize = indexes.iter().enumerate().map(new).sum();
        let alone = loose.par_iter().filter(|id| !among(&indexes, id));
        (packed + alone.count()) as u64
    })
}
