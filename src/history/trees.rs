//! The folders of all commits: every tree is decoded once, and of its entries only those are kept that can lead to a hit.
//!
//! The kept entries of all trees are in memory at once, 8 bytes each (curl, 204,733 trees: 13 MB; a history of some
//! million commits with wide folders: gigabytes).

mod edge;
mod entry;
mod number;
mod reader;

pub(super) use self::edge::{Child, Edge, Leads};
pub(super) use self::entry::find;
pub use self::entry::{entry_name, entry_number};

use self::number::{Found, merged, number};
use self::reader::{Part, Reader, Stored};
use super::attribute::Missed;
use super::ids::Ids;
use super::name::{Known, Names};
use super::objects::{LooseId, Objects};
use super::past::Past;
use crate::pack::{Kind, Oid, Options, walk};

/// All trees of a repository, by number.
pub(super) struct Trees {
    pub(super) ids: Ids,
    lists: Vec<List>,
    edges: Vec<Vec<Edge>>,
    pub(super) names: Known,
}

/// Where a tree's edges are.
#[derive(Clone, Copy, Default)]
struct List {
    start: usize,
    len: u32,
    part: u32,
}

impl Trees {
    /// The kept entries of a tree.
    pub(super) fn edges(&self, tree: u32) -> &[Edge] {
        let list = self.lists[tree as usize];
        let part = self.edges.get(list.part as usize);
        part.map_or(&[], |part| {
            &part[list.start..list.start + list.len as usize]
        })
    }

    /// Reads all trees but those of a past run. `hits` are the objects to look for, `ask` gives the leaks in a name.
    pub(super) fn read(
        (objects, loose, known_loose): (&Objects, &[LooseId], &[Oid]),
        hits: &Ids,
        ask: impl Fn(&[u8]) -> Vec<u32> + Sync,
        past: Option<&Past>,
        options: &Options<'_>,
        pool: &rayon::ThreadPool,
        missed: &mut Vec<Missed>,
    ) -> Self {
        let mut found: Vec<Found> = Vec::new();
        for (source, open) in (0_u32..).zip(&objects.packs) {
            let all = open.folders().entries.iter();
            found.extend(all.map(|&entry| {
                let id = open.entries.id(&open.pack, entry as usize);
                Found::new(&id, source, entry)
            }));
        }
        objects.db.packs().iter().for_each(|p| p.index().refine());
        let stored = Stored {
            objects,
            loose,
            known_loose,
        };
        let loose: Vec<&LooseId> = loose.iter().filter(|l| l.kind == Kind::Tree).collect();
        let outside = objects.packs.len() as u32;
        found.extend(
            (0_u32..)
                .zip(&loose)
                .map(|(i, l)| Found::new(&l.id, outside, i)),
        );
        let id_of = |found: &Found| match objects.packs.get(found.source as usize) {
            Some(open) => open.entries.id(&open.pack, found.entry as usize),
            None => loose[found.entry as usize].id,
        };
        let (ids, mut numbers) = number(found, id_of, objects, loose.len(), pool);
        let ids = match past {
            Some(past) => merged(&past.trees, ids, &mut numbers),
            None => Ids::new(ids),
        };
        let names = Names::new(ask, past.map_or(&[], |past| &past.names));
        let options = Options {
            object: options.object.min(u64::from(u32::MAX)),
            outside: Some(&objects.db),
            ..*options
        };
        let mut trees = Self {
            lists: vec![
                List {
                    part: u32::MAX,
                    ..List::default()
                };
                ids.len()
            ],
            ids,
            edges: Vec::new(),
            names: Known::default(),
        };
        for (source, open) in objects.packs.iter().enumerate() {
            let deltas = &open.folders().deltas;
            let walked = walk(&open.pack, &open.entries, deltas, &options, pool, || {
                Reader::new(
                    Some((deltas, &numbers[source][..])),
                    &trees.ids,
                    hits,
                    names.local(),
                    stored,
                )
            });
            missed.extend(walked.gaps.into_iter().map(Missed::Object));
            let parts: Vec<Part> = walked.visitors.into_iter().map(|v| v.part).collect();
            for part in parts {
                trees.take(part, missed);
            }
        }
        let part = {
            let mut reader = Reader::new(None, &trees.ids, hits, names.local(), stored);
            for (row, number) in loose.iter().zip(&numbers[objects.packs.len()]) {
                if options
                    .stop
                    .is_some_and(|s| s.load(std::sync::atomic::Ordering::Relaxed))
                {
                    break;
                }
                let Some(folder) = objects.db.loose().get(row.folder as usize) else {
                    continue;
                };
                let bytes = folder.open(&row.id).and_then(|object| {
                    object
                        .map(|o| o.bytes(options.object.min(options.memory)))
                        .transpose()
                });
                match bytes {
                    Ok(Some(bytes)) => drop(reader.parse(*number, &bytes, None)),
                    // It was packed meanwhile.
                    Ok(None) => match objects.db.find(&row.id, options.memory) {
                        Ok(Some(tree)) => drop(reader.parse(*number, &tree.bytes, None)),
                        Ok(None) => reader.part.missed.push(Missed::Tree(row.id)),
                        Err(error) => reader.part.missed.push(Missed::File(error)),
                    },
                    Err(error) => reader.part.missed.push(Missed::File(error)),
                }
            }
            reader.part
        };
        trees.take(part, missed);
        trees.names = names.finish();
        trees
    }

    /// Whether each of so many hits stands in a tree that was read now.
    pub(super) fn named(&self, hits: usize) -> Vec<bool> {
        let mut named = vec![false; hits];
        for edge in self.edges.iter().flatten() {
            if let Leads::Hit(hit) = edge.child.leads()
                && let Some(named) = named.get_mut(hit as usize)
            {
                *named = true;
            }
        }
        named
    }

    /// Takes what one thread read. Of a tree that several packs have, the first one stands.
    fn take(&mut self, part: Part, missed: &mut Vec<Missed>) {
        let number = self.edges.len() as u32;
        for (tree, range) in part.lists {
            if let Some(list) = self.lists.get_mut(tree as usize)
                && list.part == u32::MAX
            {
                *list = List {
                    start: range.start,
                    len: range.len() as u32,
                    part: number,
                };
            }
        }
        self.edges.push(part.edges);
        missed.extend(part.missed);
        missed.extend(part.absent.into_ids().into_iter().map(Missed::Tree));
        missed.extend(part.absent_blobs.into_ids().into_iter().map(Missed::Blob));
    }
}
