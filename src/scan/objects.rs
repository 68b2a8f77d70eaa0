//! All objects of a repository → which of them hold what: the content stage of a history.
//!
//! Packs are walked along their delta trees with a [`Carrier`] for each thread; loose objects are read one by one. What is
//! found is kept without the objects: matches with the text around them, equal ones once, and for each object where in it
//! they stand. Paths and commits are attached afterwards.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::blob::located;
use super::carry::{Carried, Carrier, Carriers};
use super::join::{Context, Located, Spot};
use super::windows::Windowed;
use super::{Engine, Limits, Scratch, Settings};
use crate::history::{LooseId, Objects, RawCommit, parse};
use crate::model::{Observer, Stage};
use crate::pack::{Db, DeltaTree, Gap, Head, Kind, Object, Oid, Visitor, Window, walk};

/// How objects are scanned.
#[derive(Clone, Copy)]
pub(crate) struct ObjectOptions<'o, 'e> {
    /// The place stage.
    pub(crate) settings: &'o Settings,
    /// Who scans.
    pub(crate) carriers: &'o Carriers<'e>,
    /// What one object may use up.
    pub(crate) limits: Limits,
    /// Bytes for decoded objects.
    pub(crate) memory: u64,
    /// Whether commits' and tags' texts are scanned.
    pub(crate) metadata: bool,
    /// What past runs looked at: it is counted and not looked at again.
    pub(crate) known: &'o (dyn Fn(&Oid) -> Option<Seen> + Sync),
    /// Whether [`Found::seen`] is wanted.
    pub(crate) record: bool,
    /// Becomes true when the run is to end early.
    pub(crate) stop: &'o AtomicBool,
}

/// Where in an object something stands: the number of its context, and the place.
pub(crate) type Item = (u32, Spot);

/// An object that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    pub(crate) id: Oid,
    pub(crate) kind: Kind,
    pub(crate) binary: bool,
    pub(crate) size: u64,
}

impl Seen {
    pub(crate) fn find(all: &[Self], id: &Oid) -> Option<Self> {
        let at = all.binary_search_by_key(id, |seen| seen.id).ok()?;
        all.get(at).copied()
    }
}

/// What all objects hold.
#[derive(Default)]
pub(crate) struct Found {
    /// Every distinct match with the text around it.
    pub(crate) contexts: Vec<Context>,
    /// The objects with matches, by id.
    pub(crate) objects: Vec<(Oid, Kind, Vec<Item>)>,
    /// Every commit, by id.
    pub(crate) commits: Vec<RawCommit>,
    /// What could not be decoded.
    pub(crate) gaps: Vec<Gap>,
    /// Other trouble: objects with more matches than the limit, folders that could not be listed.
    pub(crate) notes: Vec<(String, String)>,
    /// Objects that were looked at, and their bytes.
    pub(crate) looked: Looked,
    /// Loose objects that were listed and then gone.
    pub(crate) vanished: u64,
    /// The same for each pack that was gone through.
    pub(crate) packs: Vec<Looked>,
    /// Every object that was looked at, by id.
    pub(crate) seen: Vec<Seen>,
}

/// Counts of objects.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Looked {
    pub(crate) objects: u64,
    pub(crate) blobs: u64,
    pub(crate) binary: u64,
    pub(crate) bytes: u64,
}

impl Looked {
    pub(crate) fn add(&mut self, more: Self) {
        self.objects += more.objects;
        self.blobs += more.blobs;
        self.binary += more.binary;
        self.bytes += more.bytes;
    }

    /// Counts an object that a past run looked at.
    pub(crate) fn count(&mut self, seen: Seen) {
        self.add(Self {
            objects: 1,
            blobs: u64::from(seen.kind == Kind::Blob),
            binary: u64::from(seen.binary),
            bytes: seen.size,
        });
    }
}

/// What a thread gathers.
struct Gatherer<'o, 'e> {
    engine: &'e Engine,
    options: ObjectOptions<'o, 'e>,
    observer: &'o dyn Observer,
    carrier: Carrier<'e>,
    contexts: HashMap<Arc<Context>, u32>,
    objects: Vec<(Oid, Kind, Vec<Item>)>,
    commits: Vec<RawCommit>,
    notes: Vec<(String, String)>,
    windowed: Option<Windowed>,
    scratch: Scratch,
    looked: Looked,
    vanished: u64,
    seen: Vec<Seen>,
    /// What the observer has not been told yet.
    untold: (u64, u64),
}

/// Objects after which the observer hears of them.
const TELL: u64 = 512;

impl<'o, 'e> Gatherer<'o, 'e> {
    fn new(options: ObjectOptions<'o, 'e>, observer: &'o dyn Observer) -> Self {
        Self {
            engine: options.carriers.engine,
            options,
            observer,
            carrier: options.carriers.get(),
            contexts: HashMap::new(),
            objects: Vec::new(),
            commits: Vec::new(),
            notes: Vec::new(),
            windowed: None,
            scratch: Scratch::default(),
            looked: Looked::default(),
            vanished: 0,
            seen: Vec::new(),
            untold: (0, 0),
        }
    }

    fn count(&mut self, kind: Kind, bytes: u64) {
        self.looked.objects += 1;
        self.looked.blobs += u64::from(kind == Kind::Blob);
        self.looked.bytes += bytes;
        self.untold.0 += 1;
        self.untold.1 += bytes;
        if self.untold.0 >= TELL {
            self.tell();
        }
    }

    fn record(&mut self, id: &dyn Fn() -> Oid, kind: Kind, binary: bool, size: u64) {
        if self.options.record {
            self.seen.push(Seen {
                id: id(),
                kind,
                binary,
                size,
            });
        }
    }

    fn tell(&mut self) {
        self.observer.scanned(self.untold.0, self.untold.1);
        self.untold = (0, 0);
        if self.observer.cancelled() {
            self.options.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Whether an object's bytes are scanned at all.
    fn is_scanned(&self, kind: Kind) -> bool {
        match kind {
            Kind::Blob => true,
            Kind::Commit | Kind::Tag => self.options.metadata,
            Kind::Tree => false,
        }
    }

    fn keep(&mut self, id: Oid, kind: Kind, found: Vec<Located>) {
        if found.is_empty() {
            return;
        }
        self.observer.found(found.len() as u64);
        let items = found
            .into_iter()
            .map(|found| {
                let next = self.contexts.len() as u32;
                let context = Arc::new(found.context);
                (*self.contexts.entry(context).or_insert(next), found.spot)
            })
            .collect();
        self.objects.push((id, kind, items));
    }

    fn note_overflow(&mut self, id: Oid, overflow: bool) {
        if overflow {
            let most = self.options.limits.matches;
            self.notes.push((
                format!("object {id}"),
                format!("more than {most} matches: the rest was not looked at"),
            ));
        }
    }

    /// Scans an object that is in memory.
    fn object(
        &mut self,
        id: &dyn Fn() -> Oid,
        kind: Kind,
        bytes: &[u8],
        base: Option<(&Carried, &crate::pack::EditMap)>,
        is_base: bool,
    ) -> Carried {
        self.count(kind, bytes.len() as u64);
        if kind == Kind::Commit {
            let id = id();
            match parse(id, bytes) {
                Some(commit) => self.commits.push(commit),
                None => self
                    .notes
                    .push((format!("object {id}"), "malformed commit".to_owned())),
            }
        }
        if !self.is_scanned(kind) {
            self.record(id, kind, false, bytes.len() as u64);
            return Carried::default();
        }
        let (carried, content) = self.carrier.object(bytes, base, is_base);
        self.looked.binary += u64::from(content.binary);
        self.record(id, kind, content.binary, bytes.len() as u64);
        if content.unseen.is_some() {
            self.note_overflow(id(), true);
        }
        if !content.matches.is_empty() {
            let found = located(self.engine, bytes, content, self.options.settings);
            self.keep(id(), kind, found);
        }
        carried
    }

    /// Scans a stretch of an object that is not held in memory.
    fn window(&mut self, id: Oid, kind: Kind, size: u64, window: &Window<'_>) {
        if window.start == 0 {
            self.count(kind, size);
            self.windowed = Some(Windowed::new());
        }
        if !self.is_scanned(kind) {
            if window.last {
                self.record(&|| id, kind, false, size);
            }
            return;
        }
        let Some(windowed) = &mut self.windowed else {
            return;
        };
        windowed.push(
            self.engine,
            (window.bytes, window.start, window.last),
            self.options.settings,
            self.options.limits,
            &mut self.scratch,
        );
        let done = window.last.then(|| self.windowed.take()).flatten();
        self.note_overflow(id, self.scratch.unseen.is_some());
        if let Some(windowed) = done {
            let binary = windowed.is_binary();
            self.looked.binary += u64::from(binary);
            self.record(&|| id, kind, binary, size);
            self.keep(id, kind, windowed.finish(self.engine));
        }
    }
}

impl Visitor for Gatherer<'_, '_> {
    type State = Carried;

    fn object(&mut self, object: &Object<'_>, base: Option<&Carried>) -> Carried {
        let head = &object.head;
        self.object(
            &|| head.id(),
            head.kind,
            object.bytes,
            base.zip(object.edits),
            object.is_base,
        )
    }

    fn window(&mut self, object: &Head<'_>, window: &Window<'_>) {
        self.window(object.id(), object.kind, object.size, window);
    }
}

/// Scans every blob, commit and tag.
pub(crate) fn scan_objects(
    objects: &Objects,
    loose: &[LooseId],
    options: ObjectOptions<'_, '_>,
    pool: &rayon::ThreadPool,
    observer: &dyn Observer,
) -> Found {
    let make = || Gatherer::new(options, observer);
    let overlap = 2 * options.carriers.engine.overlap();
    let walk_options = crate::pack::Options {
        memory: options.memory,
        window: (4 << 20) + overlap,
        overlap,
        outside: Some(&objects.db),
        stop: Some(options.stop),
        ..crate::pack::Options::default()
    };
    observer.stage(Stage::Objects);
    let packed = objects.packs.iter().map(|open| open.pack.index().len());
    let unpacked = loose.iter().filter(|one| one.kind != Kind::Tree).count();
    observer.ahead((packed.sum::<usize>() + unpacked) as i64, 0);
    observer.all_ahead();
    let mut found = Found::default();
    let mut gatherers = Vec::new();
    for open in &objects.packs {
        if options.stop.load(Ordering::Relaxed) {
            break;
        }
        let mut looked = Looked::default();
        let deltas = || {
            DeltaTree::of(&open.pack, &open.entries, |_, id, kind| {
                if kind == Some(Kind::Tree) {
                    return false;
                }
                let known = (options.known)(id);
                if let Some(seen) = known {
                    looked.count(seen);
                }
                known.is_none()
            })
        };
        // Attribution's trees are found on another thread meanwhile.
        let (tree, ()) = pool.join(deltas, || open.prepare());
        found.looked.add(looked);
        // Trees, and what is known, are not scanned.
        observer.ahead(tree.wanted() as i64 - open.pack.index().len() as i64, 0);
        let walked = walk(&open.pack, &open.entries, &tree, &walk_options, pool, make);
        found.gaps.extend(walked.gaps);
        for visitor in &walked.visitors {
            looked.add(visitor.looked);
        }
        found.packs.push(looked);
        gatherers.extend(walked.visitors);
    }
    let errors = Mutex::new(Vec::new());
    let loose: Vec<Gatherer<'_, '_>> = pool.install(|| {
        let chunks = loose.par_chunks(64);
        let gathered = chunks.fold(make, |mut gatherer, chunk| {
            for one in chunk {
                if options.stop.load(Ordering::Relaxed) {
                    break;
                }
                let Some(folder) = objects.db.loose().get(one.folder as usize) else {
                    continue;
                };
                if let Err(error) = loose_object(&mut gatherer, folder, one, &walk_options) {
                    let mut errors = errors.lock().unwrap_or_else(PoisonError::into_inner);
                    errors.push(error);
                }
            }
            gatherer
        });
        gathered.collect()
    });
    gatherers.extend(loose);
    for error in errors.into_inner().unwrap_or_else(PoisonError::into_inner) {
        match error {
            crate::pack::Error::Object(gap) => found.gaps.push(gap),
            other if other.is_vanished() => found.vanished += 1,
            other => found.notes.push((String::new(), other.to_string())),
        }
    }
    for gatherer in gatherers {
        found.take(gatherer);
    }
    pool.install(|| found.sort());
    found
}

fn loose_object(
    gatherer: &mut Gatherer<'_, '_>,
    folder: &crate::pack::Loose,
    one: &LooseId,
    options: &crate::pack::Options<'_>,
) -> Result<(), crate::pack::Error> {
    let LooseId { id, kind, .. } = *one;
    if kind == Kind::Tree {
        return Ok(());
    }
    let Some(object) = folder.open(&id)? else {
        gatherer.vanished += 1;
        return Ok(());
    };
    if object.size() > options.stream_over && kind == Kind::Blob {
        return object.windows(options.window, options.overlap, |window| {
            gatherer.window(id, kind, object.size(), &window);
        });
    }
    let bytes = object.bytes(options.memory / 4)?;
    gatherer.object(&|| id, kind, &bytes, None, false);
    Ok(())
}

/// Something in a folder of objects that is neither a file nor a folder: libgit2 would follow a link, and wait for a pipe.
fn not_a_file(folder: &std::path::Path) -> Option<PathBuf> {
    let mut stack = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = stack.pop() {
        let list = std::fs::read_dir(&folder).into_iter().flatten();
        for entry in list.filter_map(Result::ok) {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < 2 => stack.push((entry.path(), depth + 1)),
                Ok(kind) if kind.is_dir() || kind.is_file() => {}
                Ok(_) => return Some(entry.path()),
                Err(_) => {} // vanished
            }
        }
    }
    None
}

/// Scans every object whole, as libgit2 gives it: slow, and the reference for [`scan_objects`].
///
/// libgit2 follows the alternates of these folders: the caller has looked at them.
///
/// # Errors
/// libgit2's, where a folder cannot be opened or listed.
pub(crate) fn scan_odb(
    (folders, db): (&[PathBuf], &Db),
    options: ObjectOptions<'_, '_>,
    pool: &rayon::ThreadPool,
    observer: &dyn Observer,
) -> Result<Found, git2::Error> {
    let odb = git2::Odb::new()?;
    for folder in folders {
        if let Some(path) = not_a_file(folder) {
            let text = format!("{}: not a regular file", path.display());
            return Err(git2::Error::from_str(&text));
        }
        odb.add_disk_alternate(&folder.to_string_lossy())?;
    }
    let mut ids = Vec::new();
    odb.foreach(|id| {
        ids.push(*id);
        true
    })?;
    ids.sort_unstable();
    ids.dedup();
    let make = || Gatherer::new(options, observer);
    let gatherers: Vec<Gatherer<'_, '_>> = pool.install(|| {
        ids.par_chunks(256)
            .fold(make, |mut gatherer, ids| {
                for git_id in ids {
                    if options.stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let Some(id) = Oid::from_slice(git_id.as_bytes()) else {
                        continue;
                    };
                    // libgit2 makes room for whatever a header or a delta claims.
                    if let Err(error) = db.find(&id, options.memory) {
                        let note = (format!("object {id}"), error.to_string());
                        gatherer.notes.push(note);
                        continue;
                    }
                    match odb.read(*git_id) {
                        Ok(object) => {
                            let kind = match object.kind() {
                                git2::ObjectType::Commit => Kind::Commit,
                                git2::ObjectType::Blob => Kind::Blob,
                                git2::ObjectType::Tag => Kind::Tag,
                                _ => continue,
                            };
                            gatherer.object(&|| id, kind, object.data(), None, false);
                        }
                        Err(error) => gatherer
                            .notes
                            .push((format!("object {id}"), error.message().to_owned())),
                    }
                }
                gatherer
            })
            .collect()
    });
    let mut found = Found::default();
    for gatherer in gatherers {
        found.take(gatherer);
    }
    pool.install(|| found.sort());
    Ok(found)
}

impl Found {
    /// Adds what a thread gathered, with the numbers of contexts made common.
    fn take(&mut self, mut gatherer: Gatherer<'_, '_>) {
        gatherer.tell();
        let mut contexts: Vec<(Arc<Context>, u32)> = gatherer.contexts.drain().collect();
        contexts.sort_unstable_by_key(|(_, number)| *number);
        let first = self.contexts.len() as u32;
        // Equal ones of several threads stay two contexts; what is made of them is joined later.
        self.contexts.extend(
            contexts
                .into_iter()
                .map(|(context, _)| Arc::unwrap_or_clone(context)),
        );
        self.objects
            .extend(gatherer.objects.into_iter().map(|(id, kind, mut items)| {
                for (number, _) in &mut items {
                    *number += first;
                }
                (id, kind, items)
            }));
        self.commits.append(&mut gatherer.commits);
        self.notes.append(&mut gatherer.notes);
        self.vanished += gatherer.vanished;
        self.looked.add(gatherer.looked);
        self.seen.append(&mut gatherer.seen);
        gatherer.options.carriers.give_back(gatherer.carrier);
    }

    /// Orders everything, and leaves out what several packs hold; on the threads of the current pool.
    fn sort(&mut self) {
        self.objects.par_sort_by_key(|(id, ..)| *id);
        self.objects.dedup_by_key(|(id, ..)| *id);
        self.seen.par_sort_unstable();
        self.seen.dedup_by_key(|seen| seen.id);
        self.commits.par_sort_by_key(|commit| commit.id);
        self.commits.dedup_by_key(|commit| commit.id);
        self.gaps
            .sort_by_key(|gap| (gap.place.clone(), gap.offset, gap.id));
        self.notes.sort();
        self.notes.dedup();
    }
}
