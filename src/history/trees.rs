//! The folders of all commits: every tree is decoded once, and of its entries only those are kept that can lead to a hit.
//!
//! A tree mostly differs from its delta base in one entry. What a delta copies is taken over from what is known of the
//! base: a parse that comes to the beginning of one of the base's entries, within a copied stretch, goes on there as it
//! did in the base. To know beginnings without a list of all of them, every tree keeps one for each few hundred bytes.
//!
//! The kept entries of all trees are in memory at once, 8 bytes each (curl, 204,733 trees: 13 MB; a history of some
//! million commits with wide folders: gigabytes).

use std::ops::Range;

use rayon::prelude::*;

use super::attribute::Missed;
use super::ids::Ids;
use super::name::{Known, Local, Name, Names};
use super::objects::{LooseId, Objects};
use super::past::Past;
use crate::pack::{
    DeltaTree, EditMap, Head, Kind, Object, Oid, Options, Segment, Visitor, Window, walk,
};

/// An entry that can lead to a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) name: Name,
    pub(super) child: Child,
}

/// What an entry names: a tree, a hit, or neither, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Child(u32);

/// A [`Child`], taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leads {
    /// To a tree, by number.
    Tree(u32),
    /// To a hit, by number.
    Hit(u32),
    /// To nothing of interest; its name is.
    Nowhere,
}

impl Child {
    const HIT: u32 = 1 << 31;
    pub(super) const NOWHERE: Self = Self(u32::MAX);

    pub(super) fn tree(number: u32) -> Self {
        Self(number)
    }

    pub(super) fn hit(number: u32) -> Self {
        Self(number | Self::HIT)
    }

    /// Its word, for a list that outlives the run.
    pub(super) fn word(self) -> u32 {
        self.0
    }

    pub(super) fn from_word(word: u32) -> Self {
        Self(word)
    }

    pub(super) fn leads(self) -> Leads {
        match self.0 {
            u32::MAX => Leads::Nowhere,
            word if word & Self::HIT != 0 => Leads::Hit(word & !Self::HIT),
            word => Leads::Tree(word),
        }
    }
}

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

/// A tree in a pack, or among the loose ones, which come last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    /// The first bytes of its id.
    head: u64,
    source: u32,
    entry: u32,
}

impl Found {
    fn new(id: &Oid, source: u32, entry: u32) -> Self {
        let head = id
            .as_bytes()
            .first_chunk()
            .map_or(0, |b| u64::from_be_bytes(*b));
        Self {
            head,
            source,
            entry,
        }
    }
}

/// Numbers trees by their ids; gives the number of each entry of each pack, and of the loose ones.
fn number(
    mut found: Vec<Found>,
    id_of: impl Fn(&Found) -> Oid + Sync,
    objects: &Objects,
    loose: usize,
    pool: &rayon::ThreadPool,
) -> (Vec<Oid>, Vec<Vec<u32>>) {
    let mut all: Vec<Oid> = pool.install(|| {
        found.par_sort_unstable();
        found.par_iter().map(&id_of).collect()
    });
    // Those that begin alike come in the order of their packs.
    let mut at = 0;
    while at < found.len() {
        let head = found[at].head;
        let same = found[at..].iter().take_while(|f| f.head == head).count();
        if same > 1 {
            let mut rows: Vec<(Oid, Found)> = all[at..at + same]
                .iter()
                .copied()
                .zip(found[at..].iter().copied())
                .collect();
            rows.sort_unstable();
            for (i, (id, row)) in rows.into_iter().enumerate() {
                (all[at + i], found[at + i]) = (id, row);
            }
        }
        at += same;
    }
    let mut numbers: Vec<Vec<u32>> = objects
        .packs
        .iter()
        .map(|pack| vec![u32::MAX; pack.entries.len()])
        .collect();
    numbers.push(vec![u32::MAX; loose]);
    let mut number = 0;
    for i in 0..found.len() {
        if i > 0 && all[i] != all[i - 1] {
            number += 1;
        }
        numbers[found[i].source as usize][found[i].entry as usize] = number;
    }
    all.dedup();
    (all, numbers)
}

/// Puts new trees among those of a past run, and changes their numbers.
fn merged(past: &[Oid], new: Vec<Oid>, numbers: &mut [Vec<u32>]) -> Ids {
    if new.is_empty() {
        return Ids::new(past.to_vec());
    }
    let mut all = Vec::with_capacity(past.len() + new.len());
    let mut moved = Vec::with_capacity(new.len());
    let mut old = past;
    for id in new {
        let (before, rest) = old.split_at(old.partition_point(|old| *old < id));
        all.extend_from_slice(before);
        old = match rest.split_first() {
            Some((same, rest)) if *same == id => rest,
            _ => rest,
        };
        moved.push(all.len() as u32);
        all.push(id);
    }
    all.extend_from_slice(old);
    for number in numbers.iter_mut().flatten() {
        if let Some(to) = moved.get(*number as usize) {
            *number = *to;
        }
    }
    Ids::new(all)
}

/// What one thread read.
#[derive(Default)]
struct Part {
    lists: Vec<(u32, Range<usize>)>,
    edges: Vec<Edge>,
    missed: Vec<Missed>,
    /// Trees that are named and not there.
    absent: Absent,
    /// Blobs in the same way.
    absent_blobs: Absent,
}

/// Ids, most of which come again and again.
#[derive(Default)]
struct Absent {
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

    fn into_ids(mut self) -> Vec<Oid> {
        self.settle();
        self.ids
    }
}

/// What is there: ids by pack indexes and the list of loose objects, no file is looked at.
#[derive(Clone, Copy)]
struct Stored<'r> {
    objects: &'r Objects,
    loose: &'r [LooseId],
    known_loose: &'r [Oid],
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
struct Kept {
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

struct Reader<'r, F> {
    /// Which trees have deltas on them, and the number of each entry's tree; none for loose trees.
    pack: Option<(&'r DeltaTree, &'r [u32])>,
    trees: &'r Ids,
    hits: &'r Ids,
    names: Local<'r, F>,
    stored: Stored<'r>,
    part: Part,
    /// Of the tree at hand.
    stops: Vec<u32>,
    edges: Vec<(u32, Edge)>,
}

impl<'r, F: Fn(&[u8]) -> Vec<u32> + Sync> Reader<'r, F> {
    fn new(
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
    fn parse(&mut self, tree: u32, bytes: &[u8], base: Option<(&EditMap, &Kept)>) -> usize {
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

/// What an entry's mode says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Tree,
    /// A file or a symbolic link.
    Blob,
    /// A submodule's commit.
    Link,
}

/// One entry of a tree.
struct Entry<'t> {
    sort: Sort,
    name: &'t [u8],
    id: &'t [u8; 20],
    /// Where the id begins, and where it ends.
    id_at: usize,
    end: usize,
}

impl<'t> Entry<'t> {
    /// The entry that begins at a place, `None` if it is malformed, as git has it: no octal mode, no name, no whole id.
    #[inline]
    fn at(bytes: &'t [u8], at: usize) -> Option<Self> {
        let rest = bytes.get(at..)?;
        let mut mode = 0_u32;
        let mut digits = 0;
        loop {
            match *rest.get(digits)? {
                digit @ b'0'..=b'7' if digits < 11 => {
                    mode = mode << 3 | u32::from(digit - b'0');
                }
                b' ' if digits > 0 => break,
                _ => return None,
            }
            digits += 1;
        }
        let name = rest.get(digits + 1..)?;
        let len = memchr::memchr(0, name).filter(|len| *len > 0)?;
        let id = name.get(len + 1..)?.first_chunk::<20>()?;
        let id_at = at + digits + 1 + len + 1;
        Some(Self {
            sort: match mode & 0o170_000 {
                0o040_000 => Sort::Tree,
                0o160_000 => Sort::Link,
                _ => Sort::Blob,
            },
            name: &name[..len],
            id,
            id_at,
            end: id_at + 20,
        })
    }
}

/// The number of the entry with a name in a tree.
pub fn entry_number(tree: &[u8], name: &[u8]) -> Option<u32> {
    let mut at = 0;
    for number in 0.. {
        let entry = Entry::at(tree, at)?;
        if entry.name == name {
            return Some(number);
        }
        at = entry.end;
    }
    None
}

/// The name of an entry of a tree.
pub fn entry_name(tree: &[u8], number: u32) -> Option<&[u8]> {
    let mut at = 0;
    for _ in 0..number {
        at = Entry::at(tree, at)?.end;
    }
    Some(Entry::at(tree, at)?.name)
}

/// The id of a name in a tree.
pub(super) fn find(tree: &[u8], name: &[u8]) -> Option<Oid> {
    let mut at = 0;
    while let Some(entry) = Entry::at(tree, at) {
        if entry.name == name {
            return Some(Oid::new(*entry.id));
        }
        at = entry.end;
    }
    None
}
