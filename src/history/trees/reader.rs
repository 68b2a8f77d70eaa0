//! Trees into edges.
//!
//! A tree mostly differs from its delta base in one entry. What a delta copies is taken over from what is known of the
//! base: a parse that comes to the beginning of one of the base's entries, within a copied stretch, goes on there as it
//! did in the base. To know beginnings without a list of all of them, every tree keeps one for each few hundred bytes.

use std::ops::Range;

use super::super::attribute::Missed;
use super::super::ids::Ids;
use super::super::name::Local;
use super::super::objects::{LooseId, Objects};
use super::edge::{Child, Edge};
use super::entry::{Entry, Sort};
use crate::pack::{DeltaTree, EditMap, Head, Kind, Object, Oid, Segment, Visitor, Window};

/// What one thread read.
#[derive(Default)]
pub(super) struct Part {
    pub(super) lists: Vec<(u32, Range<usize>)>,
    pub(super) edges: Vec<Edge>,
    pub(super) missed: Vec<Missed>,
    /// Trees that are named and not there.
    pub(super) absent: Absent,
    /// Blobs in the same way.
    pub(super) absent_blobs: Absent,
}

/// Ids, most of which come again and again.
#[derive(Default)]
pub(super) struct Absent {
    ids: Vec<Oid>,
    /// How many there were when they were last made distinct.
    distinct: usize,
}

impl Absent {
    fn add(&mut self, id: Oid) {
        self.ids.push(id);
        if self.ids.len() >= 4096.max(2 * self.distinct) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.ids.sort_unstable();
        self.ids.dedup();
        self.distinct = self.ids.len();
    }

    pub(super) fn into_ids(mut self) -> Vec<Oid> {
        self.settle();
        self.ids
    }
}

/// What is there: ids by pack indexes and the list of loose objects, no file is looked at.
#[derive(Clone, Copy)]
pub(super) struct Stored<'r> {
    pub(super) objects: &'r Objects,
    pub(super) loose: &'r [LooseId],
    pub(super) known_loose: &'r [Oid],
}

impl Stored<'_> {
    fn has(&self, id: &Oid) -> bool {
        let mut packs = self.objects.db.packs().iter();
        packs.any(|pack| pack.index().find(id).is_some())
            || self
                .loose
                .binary_search_by_key(id, |loose| loose.id)
                .is_ok()
            || self.known_loose.binary_search(id).is_ok()
    }
}

/// What is kept of a tree for the deltas on it.
#[derive(Default)]
pub(super) struct Kept {
    /// Where some of its entries begin, ascending.
    stops: Vec<u32>,
    /// Its edges, each with the place where its entry begins, ascending.
    edges: Vec<(u32, Edge)>,
    /// Where its last whole entry ends.
    end: usize,
}

/// What the base has of an entry.
#[derive(Clone, Copy)]
enum Before {
    /// Nobody knows.
    Unknown,
    /// An entry with the same mode and name, of which nothing is kept.
    Nothing,
    /// An entry with the same mode and name, and this edge.
    Edge(Edge),
}

/// Least distance of two stops that are set while parsing.
const STRIDE: usize = 256;

pub(super) struct Reader<'r, F> {
    /// Which trees have deltas on them, and the number of each entry's tree; none for loose trees.
    pack: Option<(&'r DeltaTree, &'r [u32])>,
    trees: &'r Ids,
    hits: &'r Ids,
    names: Local<'r, F>,
    stored: Stored<'r>,
    pub(super) part: Part,
    /// Of the tree at hand.
    stops: Vec<u32>,
    edges: Vec<(u32, Edge)>,
}

impl<'r, F: Fn(&[u8]) -> Vec<u32> + Sync> Reader<'r, F> {
    pub(super) fn new(
        pack: Option<(&'r DeltaTree, &'r [u32])>,
        trees: &'r Ids,
        hits: &'r Ids,
        names: Local<'r, F>,
        stored: Stored<'r>,
    ) -> Self {
        Self {
            pack,
            trees,
            hits,
            names,
            stored,
            part: Part::default(),
            stops: Vec::new(),
            edges: Vec::new(),
        }
    }

    /// Reads a tree; what is found is in `self.edges` and `self.stops` then, and in the part. Gives the end of its last
    /// whole entry.
    pub(super) fn parse(
        &mut self,
        tree: u32,
        bytes: &[u8],
        base: Option<(&EditMap, &Kept)>,
    ) -> usize {
        self.stops.clear();
        self.edges.clear();
        let end = match base {
            None => self.plain(bytes, 0, bytes.len()),
            Some((edits, base)) => self.edited(bytes, edits, base),
        };
        #[cfg(test)]
        self.check(bytes, end);
        if end < bytes.len()
            && let Some(id) = self.trees.get(tree)
        {
            self.part.missed.push(Missed::MalformedTree(id));
        }
        if !self.edges.is_empty() {
            let start = self.part.edges.len();
            let edges = self.edges.iter().map(|(_, edge)| *edge);
            self.part.edges.extend(edges);
            self.part.lists.push((tree, start..self.part.edges.len()));
        }
        end
    }

    /// What a delta's parse gave is what a whole parse gives.
    #[cfg(test)]
    fn check(&mut self, bytes: &[u8], end: usize) {
        let (edges, stops) = (
            std::mem::take(&mut self.edges),
            std::mem::take(&mut self.stops),
        );
        assert_eq!(self.plain(bytes, 0, bytes.len()), end);
        assert_eq!(edges, self.edges);
        let (mut starts, mut at) = (std::collections::BTreeSet::new(), 0);
        while let Some(entry) = Entry::at(bytes, at) {
            starts.insert(at as u32);
            at = entry.end;
        }
        assert!(stops.iter().all(|stop| starts.contains(stop)));
        assert!(stops.is_sorted());
        (self.edges, self.stops) = (edges, stops);
    }

    /// Parses entries from `at` on while they begin before `to`; gives the place after the last whole one.
    fn plain(&mut self, bytes: &[u8], mut at: usize, to: usize) -> usize {
        while at < to {
            let Some(entry) = Entry::at(bytes, at) else {
                break;
            };
            self.stop(at);
            self.keep(&entry, at, Before::Unknown);
            at = entry.end;
        }
        at
    }

    /// Parses a tree that a delta made.
    fn edited(&mut self, bytes: &[u8], edits: &EditMap, base: &Kept) -> usize {
        let mut at = 0;
        // A place in the base where an entry begins, the last one that was met.
        let mut aligned = 0;
        for segment in edits.segments() {
            let Segment::Copy {
                base_start,
                result_start,
                len,
            } = *segment
            else {
                let Segment::Insert { result_start, len } = *segment else {
                    continue;
                };
                let to = result_start + len;
                let end = self.plain(bytes, at, to);
                if end < to {
                    return end;
                }
                at = end;
                continue;
            };
            let (to, limit) = (result_start + len, base_start + len);
            while at < to {
                let from = at - result_start + base_start;
                let known = from < base.end
                    && (from == aligned || base.stops.binary_search(&(from as u32)).is_ok());
                if !known {
                    let Some(entry) = Entry::at(bytes, at) else {
                        return at;
                    };
                    self.stop(at);
                    self.keep(&entry, at, Before::Unknown);
                    at = entry.end;
                    continue;
                }
                // All whole entries up to a known beginning are those of the base.
                let next = if limit >= base.end {
                    base.end
                } else {
                    let before = base.stops.partition_point(|stop| *stop as usize <= limit);
                    before.checked_sub(1).map_or(0, |i| base.stops[i] as usize)
                };
                if next > from {
                    self.take_over(base, from..next, at);
                    at += next - from;
                    aligned = next;
                    continue;
                }
                let Some(entry) = Entry::at(bytes, at) else {
                    return at;
                };
                self.stop(at);
                let header = entry.id_at - at;
                if from + header > limit {
                    self.keep(&entry, at, Before::Unknown);
                } else {
                    // The same mode and name as in the base, so what was found in the name is known.
                    let i = base
                        .edges
                        .partition_point(|(start, _)| (*start as usize) < from);
                    let edge = base
                        .edges
                        .get(i)
                        .filter(|(start, _)| *start as usize == from);
                    let edge = edge.map(|(_, edge)| *edge);
                    aligned = from + header + 20;
                    if aligned <= limit {
                        self.edges.extend(edge.map(|edge| (at as u32, edge)));
                    } else {
                        self.keep(&entry, at, edge.map_or(Before::Nothing, Before::Edge));
                    }
                }
                at = entry.end;
            }
        }
        at
    }

    /// Takes over what is known of a stretch of the base, whose copy begins at `at`.
    fn take_over(&mut self, base: &Kept, range: Range<usize>, at: usize) {
        let moved = |place: u32| (place as usize - range.start + at) as u32;
        let within = |place: u32| (place as usize) < range.end;
        let first = base
            .stops
            .partition_point(|stop| (*stop as usize) < range.start);
        let rest = &base.stops[first..];
        let rest = &rest[..rest.partition_point(|stop| within(*stop))];
        self.stops.extend(rest.iter().map(|stop| moved(*stop)));
        let first = base
            .edges
            .partition_point(|(start, _)| (*start as usize) < range.start);
        let rest = &base.edges[first..];
        let rest = &rest[..rest.partition_point(|(start, _)| within(*start))];
        self.edges
            .extend(rest.iter().map(|(start, edge)| (moved(*start), *edge)));
    }

    fn stop(&mut self, at: usize) {
        let far = self
            .stops
            .last()
            .is_none_or(|last| at >= *last as usize + STRIDE);
        if far {
            self.stops.push(at as u32);
        }
    }

    /// Keeps an entry if it can lead to a hit. `before` is what the base has.
    #[inline]
    fn keep(&mut self, entry: &Entry<'_>, at: usize, before: Before) {
        let child = match entry.sort {
            Sort::Tree => {
                let id = Oid::new(*entry.id);
                if let Some(number) = self.trees.find(&id) {
                    Child::tree(number)
                } else {
                    self.part.absent.add(id);
                    Child::NOWHERE
                }
            }
            Sort::Blob => {
                let hit = self.hits.find_rare(entry.id);
                if hit.is_none() {
                    let id = Oid::new(*entry.id);
                    if !self.stored.has(&id) {
                        self.part.absent_blobs.add(id);
                    }
                }
                hit.map_or(Child::NOWHERE, Child::hit)
            }
            Sort::Link => Child::NOWHERE,
        };
        let leads = child != Child::NOWHERE;
        let name = match before {
            Before::Edge(edge) => edge.name,
            // Had it something in its name, the base would have an edge.
            Before::Nothing if !leads => return,
            _ => self.names.name(entry.name, leads),
        };
        if leads || name.is_leaky() {
            self.edges.push((at as u32, Edge { name, child }));
        }
    }
}

impl<F: Fn(&[u8]) -> Vec<u32> + Sync> Visitor for Reader<'_, F> {
    type State = Kept;

    fn object(&mut self, object: &Object<'_>, base: Option<&Kept>) -> Kept {
        let head = &object.head;
        let Some((deltas, numbers)) = self.pack.filter(|_| head.kind == Kind::Tree) else {
            return Kept::default();
        };
        let Some(tree) = numbers.get(head.entry) else {
            return Kept::default();
        };
        let end = self.parse(*tree, object.bytes, object.edits.zip(base));
        if deltas.children(head.entry).is_empty() {
            return Kept::default();
        }
        Kept {
            stops: self.stops.clone(),
            edges: self.edges.clone(),
            end,
        }
    }

    fn window(&mut self, object: &Head<'_>, window: &Window<'_>) {
        if window.start == 0 && object.kind == Kind::Tree {
            self.part.missed.push(Missed::LargeTree(object.id()));
        }
    }
}
