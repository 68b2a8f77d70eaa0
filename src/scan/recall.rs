//! Going on from what a past audit left: whether it still fits the repository, what of it is read again, and what is left
//! for the next one.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::Engine;
use super::audit::{Audit, AuditOptions, Leaks, leak, print_of};
use super::blob::{located, scan_whole};
use super::cache::{CacheFolder, Known, SeenList, Store, StoredName};
use super::carry::Carriers;
use super::join::{Context, Located};
use super::objects::{Found, Item, Looked, Seen};
use crate::history::{Attribution, LooseId, Objects, PastName, Repo, entry_name, entry_number};
use crate::model::Oid;
use crate::pack::{Db, Index, Pack};
use crate::scan::Scratch;

/// Objects with hits above this come through windows, and are scanned by every run.
const LARGE: u64 = 16 << 20;
/// Most bytes of a tree that is read for a name in it.
const TREE: u64 = 64 << 20;
/// A run that adds less than one part in so many to what is known leaves the file as it is.
const PART: usize = 64;
/// Bytes of a secret that must not stand in a stored name.
const PIECE: usize = 8;
/// Most such pieces that are kept to compare names with; with more, no name is stored.
const PIECES: usize = 4 << 20;

/// The file for an audit, `None` where none is to be used.
pub(super) fn store<'s>(
    engine: &Engine,
    repo: &Repo,
    options: &AuditOptions,
    folder: &'s CacheFolder,
) -> Store<'s> {
    let path = |path: &std::path::Path| {
        let bytes = path.as_os_str().as_encoded_bytes();
        [&(bytes.len() as u64).to_le_bytes(), bytes].concat()
    };
    let mut repository = path(&repo.common_dir);
    repository.extend(repo.object_dirs.iter().flat_map(|folder| path(folder)));
    let mut key = engine.rules().digest().to_vec();
    key.extend_from_slice(env!("CARGO_PKG_VERSION").as_bytes());
    // A field that is added to one of these makes old files useless, as it should.
    let plain = format!(
        "\0{:?}\0{:?}\0{}\0{}\0",
        // What is kept does not depend on the day, nor on the lists that a report has.
        (options.settings.inline_allow, options.settings.keep_dropped),
        options.limits,
        options.memory,
        options.metadata
    );
    key.extend_from_slice(plain.as_bytes());
    key.extend_from_slice(&options.salt);
    Store::new(folder, &repository, &key)
}

/// What tells a pack from others.
pub(super) fn identity(pack: &Pack) -> Option<[u8; 32]> {
    pack.identity().ok().map(|all| Sha256::digest(all).into())
}

impl Known {
    /// How much there was in a pack, when all of it was looked at.
    pub(super) fn pack(&self, identity: Option<[u8; 32]>) -> Option<Looked> {
        let mut all = self.packs.iter();
        all.find(|(known, _)| Some(*known) == identity)
            .map(|(_, looked)| *looked)
    }

    /// Whether the packs that were there are there still, and no other place held what was looked at.
    pub(super) fn is_same(&self, identities: &[Option<[u8; 32]>]) -> bool {
        let mut packs = self.packs.iter();
        self.all_packs && packs.all(|(identity, _)| identities.contains(&Some(*identity)))
    }

    /// Whether every object that was there is there still.
    pub(super) fn is_there(
        &self,
        db: &Db,
        identities: &[Option<[u8; 32]>],
        pool: &rayon::ThreadPool,
    ) -> bool {
        let there = |id: &Oid| db.contains(id);
        pool.install(|| {
            if self.is_same(identities) {
                return self.loose.par_iter().all(there);
            }
            let Some(seen) = self.seen.all() else {
                return false;
            };
            self.past.trees.par_iter().all(there) && seen.par_iter().all(|seen| there(&seen.id))
        })
    }

    /// What was seen of an object that a new pack has. Where all packs that were there are there still, they say whether
    /// there is anything to look for.
    pub(super) fn seen_in_pack(&self, id: &Oid, packs: Option<&[&Index]>) -> Option<Seen> {
        let may = packs.is_none_or(|packs| {
            packs.iter().any(|index| index.find(id).is_some())
                || self.loose.binary_search(id).is_ok()
        });
        may.then(|| self.seen.find(id)).flatten()
    }

    /// Gives the names of trees back; `found` gets the leaks in those that are read again. `None` where one cannot be read.
    pub(super) fn recall_names(
        &mut self,
        db: &Db,
        mut found: impl FnMut(&[u8]) -> Vec<u32>,
    ) -> Option<()> {
        let mut trees: HashMap<Oid, Arc<[u8]>> = HashMap::new();
        for name in &self.names {
            let name = match name {
                StoredName::Clear(bytes) => PastName {
                    bytes: bytes.clone(),
                    ..PastName::default()
                },
                StoredName::At(tree, number) => {
                    let bytes = match trees.entry(*tree) {
                        Entry::Occupied(there) => there.into_mut(),
                        Entry::Vacant(free) => free.insert(db.find(tree, TREE).ok()??.bytes),
                    };
                    let bytes = entry_name(bytes, *number)?.to_vec();
                    PastName {
                        leaks: found(&bytes),
                        bytes,
                        holder: None,
                    }
                }
            };
            self.past.names.push(name);
        }
        self.past.is_sound().then_some(())
    }
}

/// Every distinct match, those of past runs as far as they were read again.
pub(super) struct Contexts {
    /// The leak of each.
    pub(super) leaks: Vec<u32>,
    slots: Vec<OnceLock<Context>>,
}

impl Contexts {
    /// Those of past runs come first.
    pub(super) fn new(
        known: Option<&mut Known>,
        found: &mut Found,
        leaks: &mut Leaks,
        print: impl Fn(&Context) -> [u8; 16],
    ) -> Self {
        let mut all = Self {
            leaks: Vec::new(),
            slots: Vec::new(),
        };
        if let Some(known) = known {
            let numbers: Vec<u32> = known
                .leaks
                .iter()
                .map(|(rule, print)| leak(leaks, *rule as usize, *print))
                .collect();
            let of = |number: &u32| numbers.get(*number as usize).copied().unwrap_or(u32::MAX);
            all.leaks.extend(known.contexts.iter().map(of));
            all.slots.resize_with(all.leaks.len(), OnceLock::new);
            let first = all.leaks.len() as u32;
            for (number, _) in found.objects.iter_mut().flat_map(|(_, _, items)| items) {
                *number += first;
            }
            found.objects.append(&mut known.hits);
            // What was found now comes first, and stands.
            found.objects.sort_by_key(|(id, ..)| *id);
            found.objects.dedup_by_key(|(id, ..)| *id);
        }
        for context in std::mem::take(&mut found.contexts) {
            all.leaks.push(leak(leaks, context.rule, print(&context)));
            all.slots.push(OnceLock::from(context));
        }
        all
    }

    pub(super) fn get(&self, number: u32) -> Option<&Context> {
        self.slots.get(number as usize)?.get()
    }

    /// Whether one is known by its number alone.
    pub(super) fn is_missing(&self, number: u32) -> bool {
        self.get(number).is_none()
    }

    /// Reads an object's matches again. False where they are not what they were.
    pub(super) fn recall(
        &self,
        carriers: &Carriers<'_>,
        options: &AuditOptions,
        objects: &Objects,
        (id, items): (&Oid, &[Item]),
        leak_of: impl Fn(&Context) -> Option<u32>,
    ) -> bool {
        let Ok(Some(stored)) = objects.db.find(id, LARGE) else {
            return false;
        };
        let (_, content) = carriers.with(|carrier| carrier.object(&stored.bytes, None, false));
        let found = located(carriers.engine, &stored.bytes, content, &options.settings);
        for Located { context, spot } in found {
            let Some(leak) = leak_of(&context) else {
                return false;
            };
            let same = items.iter().find(|(number, at)| {
                *at == spot && self.leaks.get(*number as usize) == Some(&leak)
            });
            let Some(slot) = same.and_then(|(number, _)| self.slots.get(*number as usize)) else {
                return false;
            };
            // Another object may have brought the same.
            let _ = slot.set(context);
        }
        items.iter().all(|(number, _)| !self.is_missing(*number))
    }

    /// Reads objects again until the contexts in all of them are known; false where one is not what it was.
    pub(super) fn recall_all<'o>(
        &self,
        objects: impl Iterator<Item = (&'o Oid, &'o [Item])>,
        db: &Db,
        pool: &rayon::ThreadPool,
        recall: impl Fn(&Oid, &[Item]) -> bool + Sync,
    ) -> bool {
        let mut missing: Vec<bool> = self.slots.iter().map(|slot| slot.get().is_none()).collect();
        let mut wanted = Vec::new();
        for (id, items) in objects {
            let mut is_new = false;
            for (number, _) in items {
                let one = missing.get_mut(*number as usize);
                is_new |= one.is_some_and(std::mem::take);
            }
            if is_new {
                wanted.push((id, items));
            }
        }
        // What lies side by side mostly has a base in common, which is decoded once then.
        wanted.sort_by_cached_key(|(id, _)| db.place(id));
        pool.install(|| wanted.par_iter().all(|(id, items)| recall(id, items)))
    }
}

/// What a run has at its end.
pub(super) struct Ended<'e> {
    pub(super) engine: &'e Engine,
    pub(super) options: &'e AuditOptions,
    pub(super) what: Audit<'e>,
    pub(super) objects: &'e Objects,
    pub(super) identities: &'e [Option<[u8; 32]>],
    pub(super) known: Option<&'e Known>,
    pub(super) found: &'e Found,
    pub(super) contexts: &'e Contexts,
    /// Rule and fingerprint of each leak.
    pub(super) leaks: Vec<(u32, [u8; 16])>,
    /// New loose objects, and those that were known.
    pub(super) loose: (&'e [LooseId], &'e [Oid]),
}

/// Whether so much is new that it is worth a new file.
pub(super) fn is_worth(known: Option<&Known>, objects: &Objects, loose: &[LooseId]) -> bool {
    let Some(known) = known else {
        return true;
    };
    let packed: usize = objects.packs.iter().map(|open| open.entries.len()).sum();
    (packed + loose.len()).saturating_mul(PART) > known.seen.len() + known.past.trees.len()
}

impl Ended<'_> {
    /// What the next run needs. `None` where something is not as it should be, so that nothing is to be left.
    pub(super) fn known(&self, attribution: &mut Attribution) -> Option<Known> {
        let mut past = attribution.past.take()?;
        if !self.is_unchanged()
            || self
                .objects
                .packs
                .iter()
                .any(|open| !open.entries.is_closed())
        {
            return None;
        }
        let names = self.names(&past.names)?;
        past.names.clear();
        let mut seen = self.found.seen.clone();
        if let Some(known) = self.known {
            seen.extend_from_slice(known.seen.all()?);
        }
        seen.sort_unstable();
        seen.dedup_by_key(|seen| seen.id);
        let is_large = |id: &Oid| Seen::find(&seen, id).is_none_or(|seen| seen.size > LARGE);
        let (large, hits): (Vec<_>, Vec<_>) = self
            .found
            .objects
            .iter()
            .cloned()
            .partition(|(id, ..)| is_large(id));
        let large: BTreeSet<Oid> = large.into_iter().map(|(id, ..)| id).collect();
        seen.retain(|seen| !large.contains(&seen.id));
        let mut packs = Vec::new();
        let mut new = self.found.packs.iter();
        for identity in self.identities {
            let looked = self.known.and_then(|known| known.pack(*identity));
            let looked = match looked {
                Some(looked) => looked,
                None => *new.next()?,
            };
            packs.push(((*identity)?, looked));
        }
        let mut loose: Vec<Oid> = self.loose.0.iter().map(|loose| loose.id).collect();
        loose.extend(self.loose.1);
        loose.sort_unstable();
        loose.dedup();
        let all_packs = large.is_empty();
        if !all_packs {
            // The packs that hold them are to be opened again.
            packs.clear();
        }
        Some(Known {
            packs,
            all_packs,
            loose,
            seen: SeenList::new(seen),
            commits: attribution.commits().to_vec(),
            leaks: self.leaks.clone(),
            contexts: self.contexts.leaks.clone(),
            hits,
            past,
            names,
        })
    }

    /// Whether nothing came or went since the run began: else a tree may be known that names an object which was not seen.
    fn is_unchanged(&self) -> bool {
        let mut packs = BTreeSet::new();
        for folder in &self.what.repo.object_dirs {
            if let Ok(list) = fs::read_dir(folder.join("pack")) {
                let paths = list.filter_map(Result::ok).map(|file| file.path());
                packs.extend(paths.filter(|path| path.extension().is_some_and(|e| e == "pack")));
            }
        }
        let opened = self.objects.db.packs().iter();
        let opened: BTreeSet<_> = opened.map(|pack| pack.path().to_path_buf()).collect();
        let mut loose: Vec<Oid> = self.loose.0.iter().map(|loose| loose.id).collect();
        loose.extend(self.loose.1);
        loose.sort_unstable();
        let mut now = Vec::new();
        for folder in self.objects.db.loose() {
            now.extend(folder.ids().0);
        }
        now.sort_unstable();
        packs == opened && loose == now
    }

    /// Names as they are stored: in clear only where nothing that was ever found stands in them.
    fn names(&self, names: &[PastName]) -> Option<Vec<StoredName>> {
        let clear: Option<HashSet<&[u8]>> = self.known.map(|known| {
            let names = known.names.iter();
            let clear = names.filter_map(|name| match name {
                StoredName::Clear(bytes) => Some(bytes.as_slice()),
                StoredName::At(..) => None,
            });
            clear.collect()
        });
        let pieces = self.pieces();
        let limits = self.options.limits;
        let mut scratch = Scratch::default();
        let mut is_clear = |name: &PastName| {
            let bytes = name.bytes.as_slice();
            // Secrets of past runs are not known any more, so a new name cannot be compared with them.
            let before = clear.as_ref().is_none_or(|clear| clear.contains(bytes));
            before
                && name.leaks.is_empty()
                && pieces.as_ref().is_some_and(|pieces| pieces.miss(bytes))
                && (clear.is_some()
                    || scan_whole(self.engine, bytes, (false, None), limits, &mut scratch)
                        .matches
                        .is_empty())
        };
        let mut trees: HashMap<Oid, Arc<[u8]>> = HashMap::new();
        let mut all = Vec::with_capacity(names.len());
        for name in names {
            all.push(if is_clear(name) {
                StoredName::Clear(name.bytes.clone())
            } else {
                let tree = name.holder?;
                let bytes = match trees.entry(tree) {
                    Entry::Occupied(there) => there.into_mut(),
                    Entry::Vacant(free) => {
                        free.insert(self.objects.db.find(&tree, TREE).ok()??.bytes)
                    }
                };
                StoredName::At(tree, entry_number(bytes, &name.bytes)?)
            });
        }
        Some(all)
    }

    /// The pieces of all secrets that are known in clear.
    #[expect(clippy::disallowed_methods, reason = "compared with names, not shown")]
    fn pieces(&self) -> Option<Pieces> {
        let mut pieces = Pieces::default();
        for context in self.contexts.slots.iter().filter_map(OnceLock::get) {
            let secret = context.secret.expose();
            if secret.len() < PIECE {
                pieces.short.insert(secret.to_vec());
            }
            for piece in secret.windows(PIECE) {
                pieces.long.extend(piece.first_chunk::<PIECE>());
            }
            if pieces.long.len() > PIECES {
                return None;
            }
        }
        Some(pieces)
    }
}

#[derive(Default)]
struct Pieces {
    long: HashSet<[u8; PIECE]>,
    short: BTreeSet<Vec<u8>>,
}

impl Pieces {
    fn miss(&self, name: &[u8]) -> bool {
        let long = name.windows(PIECE).filter_map(|w| w.first_chunk::<PIECE>());
        let mut short = self.short.iter().filter(|secret| !secret.is_empty());
        !long.into_iter().any(|piece| self.long.contains(piece))
            && !short.any(|secret| memchr::memmem::find(name, secret).is_some())
    }
}

/// The leak of a context, when it is a known one.
pub(super) fn leak_of(
    engine: &Engine,
    salt: &[u8],
    leaks: &Leaks,
    context: &Context,
) -> Option<u32> {
    let print = print_of(engine, salt, context.rule, &context.secret);
    leaks.get(&(context.rule, print)).copied()
}
