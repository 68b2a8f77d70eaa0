//! A repository's whole history → matches at their paths and commits.
//!
//! All objects are scanned first ([`scan_objects`]), whoever holds them. Then [`attribute`] says which commits, paths and
//! refs hold those with hits, and the place stage is done for each of their paths.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use super::blob::{located, scan_whole};
use super::cache::{CacheFolder, Known, Store};
use super::join::{Located, Spot, place};
use super::objects::{Found, Item, ObjectOptions, Seen, scan_objects, scan_odb};
use super::recall::{self, Contexts, Ended, leak_of};
use super::{BlobMatch, Engine, Limits, Scratch, Settings, fingerprint};
use crate::history::{
    Attribution, Hit, Input, LooseId, Mailmap, Missed, Objects, OpenPack, RawCommit, Refs, Repo,
    Tip, Unit, attribute, details,
};
use crate::model::{
    Commit, Fingerprint, Gap, History, Observer, Oid, Origin, Position, Secret, Skip, SkipKind,
    Span, Summary,
};
use crate::pack::{Entries, Kind};

/// How an audit goes about its work.
#[derive(Debug, Clone)]
pub struct AuditOptions {
    /// Threads; at least one is used.
    pub threads: usize,
    /// The place stage.
    pub settings: Settings,
    /// What one object may use up.
    pub limits: Limits,
    /// Bytes for decoded objects, half of it, and for what is known of trees.
    pub memory: u64,
    /// Packs of at most so many bytes are read into memory as a whole.
    pub load: u64,
    /// Whether commits, tags, and the names of files and refs are scanned, too.
    pub metadata: bool,
    /// Whether objects count that no ref reaches.
    pub all_objects: bool,
    /// Only what these commits brought.
    pub since: Option<Since>,
    /// Where what is found out is kept for the next audit, without secrets; `None` to begin anew and keep nothing.
    pub cache: Option<CacheFolder>,
    /// Every object whole and through libgit2: the slow way, to compare with.
    pub whole: bool,
    /// The time now, in seconds since 1970.
    pub now: i64,
    /// The fingerprints' salt.
    pub salt: Vec<u8>,
}

/// Which commits are recent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// Those committed at this time or later, in seconds since 1970.
    Time(i64),
    /// Those that this one does not reach.
    Commit(Oid),
}

/// What is audited.
#[derive(Clone, Copy)]
pub struct Audit<'a> {
    /// The repository.
    pub repo: &'a Repo,
    /// Its refs.
    pub refs: &'a Refs,
    /// The refs that count: a branch, or all of them with the HEADs.
    pub tips: &'a [Tip],
}

/// What an audit brought.
#[derive(Debug, Default)]
pub struct AuditOutcome {
    /// Matches at their places.
    pub matches: Vec<BlobMatch>,
    /// What history says of each secret with a place that counts.
    pub histories: BTreeMap<Fingerprint, History>,
    /// What was looked at.
    pub summary: Summary,
    /// What there is to say of the cache.
    pub notes: Vec<String>,
}

/// The numbers of leaks: of a rule's secrets by their fingerprints.
pub(super) type Leaks = HashMap<(usize, [u8; 16]), u32>;

/// The path by which the kind of a commit's or tag's text is judged: prose.
pub(super) const MESSAGE: &[u8] = b"message.txt";
/// The score from which on the versions of a file that are shown leave no doubt.
const PLAIN: f32 = 0.5;
/// Most bytes of a commit, a tag, or a mailmap.
const TEXT: u64 = 16 << 20;

/// Most objects that attribution missed and that are told of one by one.
const MOST_MISSED: usize = 1000;
/// How often a history is scanned anew because its objects moved.
const ROUNDS: usize = 8;

/// Scans a history. Where objects move while it is read, as `git gc` moves them, it is read anew.
///
/// # Errors
/// When threads cannot be started, or, with [`AuditOptions::whole`], libgit2's. Everything else is a gap in the summary.
pub fn audit(
    engine: &Engine,
    what: Audit<'_>,
    options: &AuditOptions,
    observer: &dyn Observer,
) -> Result<AuditOutcome, AuditError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads.max(1))
        .build()?;
    let mut notes = Vec::new();
    let store = options.cache.as_ref().filter(|_| !options.whole);
    let store = store.map(|folder| recall::store(engine, what.repo, options, folder));
    // What a partial clone lacks may come any time, into trees that are known.
    let store = store.filter(|_| !what.repo.promisor);
    let run = Run {
        engine,
        what,
        options,
        observer,
        pool: &pool,
        store: store.as_ref(),
    };
    match store.as_ref().map(Store::read) {
        None | Some(Ok(None)) => {}
        Some(Ok(Some(known))) => {
            if let Some(outcome) = attempt(&run, Some(known), false)? {
                return Ok(outcome);
            }
            notes.push("cache: it does not fit the repository any more, all is scanned".to_owned());
        }
        Some(Err(error)) => notes.push(format!("cache: not used: {error}")),
    }
    let mut outcome = None;
    for round in 1..=ROUNDS {
        outcome = attempt(&run, None, round == ROUNDS)?;
        if outcome.is_some() {
            break;
        }
    }
    let mut outcome = outcome.unwrap_or_default();
    notes.append(&mut outcome.notes);
    outcome.notes = notes;
    Ok(outcome)
}

/// An audit that may go on from a past one.
struct Run<'r> {
    engine: &'r Engine,
    what: Audit<'r>,
    options: &'r AuditOptions,
    observer: &'r dyn Observer,
    pool: &'r rayon::ThreadPool,
    store: Option<&'r Store<'r>>,
}

/// Scans a history once. `None` where what is known does not fit the repository, or where objects moved meanwhile and it
/// is not the last try.
fn attempt(
    run: &Run<'_>,
    mut known: Option<Known>,
    last: bool,
) -> Result<Option<AuditOutcome>, AuditError> {
    let Run {
        engine,
        what,
        options,
        observer,
        pool,
        store,
    } = *run;
    let stop = AtomicBool::new(false);
    let mut summary = Summary::default();
    summary.gaps.extend(what.repo.gaps.iter().cloned());
    summary.gaps.extend(what.refs.gaps.iter().cloned());
    let Some(opened) = open(what.repo, options, pool, known.as_ref(), &mut summary) else {
        return Ok(None);
    };
    let Opened {
        objects,
        loose,
        known_loose,
        identities,
    } = opened;
    let names = Names {
        engine,
        options,
        found: Mutex::default(),
    };
    let leaks = Mutex::new(Leaks::new());
    if let Some(known) = &mut known
        && known
            .recall_names(&objects.db, |name| names.scan(name, &leaks))
            .is_none()
    {
        return Ok(None);
    }
    let keep = store.is_some() && recall::is_worth(known.as_ref(), &objects, &loose);
    let object_options = ObjectOptions {
        known: known.as_ref().map_or(&[], |known| &known.seen),
        record: keep,
        settings: &options.settings,
        limits: options.limits,
        memory: options.memory / 4 * 3,
        metadata: options.metadata,
        stop: &stop,
    };
    let mut found = if options.whole {
        let folders = &what.repo.object_dirs;
        scan_odb(engine, folders, object_options, pool, observer)?
    } else {
        scan_objects(engine, &objects, &loose, object_options, pool, observer)
    };
    note(&mut found, what.repo, &mut summary);
    let mut commits = std::mem::take(&mut found.commits);
    if let Some(known) = &mut known {
        for identity in &identities {
            let looked = known.pack(*identity).unwrap_or_default();
            found.looked.add(looked);
        }
        let old = known_loose.iter();
        let old = old.filter_map(|id| Seen::find(&known.seen, id));
        old.for_each(|seen| found.looked.count(seen));
        let new = std::mem::replace(&mut commits, std::mem::take(&mut known.commits));
        commits.extend(new);
        commits.sort_by_key(|commit| commit.id);
        commits.dedup_by_key(|commit| commit.id);
    }
    summary.objects += found.looked.objects;
    summary.bytes += found.looked.bytes;
    summary.binary_files += found.looked.binary;
    let recent = options.since.as_ref().map(|since| recent(&commits, since));
    let times = commits.iter().map(|c| (c.id, c.time)).collect();
    let contexts = {
        let mut leaks = leaks.lock().unwrap_or_else(PoisonError::into_inner);
        Contexts::new(known.as_ref(), &mut found, &mut leaks, |context| {
            print_of(engine, &options.salt, context.rule, &context.secret)
        })
    };
    let input = Input {
        objects: &objects,
        loose: &loose,
        commits,
        hits: hits(&found, &contexts.leaks),
        tips: what.tips,
        head: what.refs.head,
        shallow: &what.repo.shallow,
        all: options.all_objects,
        walk_memory: options.memory / 2,
        set_memory: options.memory,
        past: known.as_ref().map(|known| &known.past),
        keep,
        known_loose: &known_loose,
        pool,
        stop: &stop,
    };
    let mut attribution = attribute(input, |name| names.scan(name, &leaks));
    let is_blob = |id: &Oid| {
        let at = found.objects.binary_search_by_key(id, |(id, ..)| *id);
        let row = at.ok().and_then(|at| found.objects.get(at));
        row.is_some_and(|(_, kind, _)| *kind == Kind::Blob)
    };
    if attribution.strays.iter().any(is_blob) {
        // It may stand in a tree that was read when the blob was not there.
        return Ok(None);
    }
    if !last && !observer.cancelled() && moved(what.repo, &objects, &found, &attribution.missed) {
        return Ok(None);
    }
    let mut more = 0;
    for (number, missed) in attribution.missed.iter().enumerate() {
        if number < MOST_MISSED || what.repo.promisor {
            missing(missed, what.repo.promisor, &mut summary);
        } else {
            more += 1;
        }
    }
    if more > 0 {
        summary.gaps.push(Gap {
            path: String::new(),
            reason: format!("{more} more objects are missing or damaged"),
        });
    }
    summary.commits = attribution.counts.commits as u64;
    summary.objects += attribution.counts.trees as u64;
    if objects.db.packs().len() > 1 || !loose.is_empty() || !known_loose.is_empty() {
        let all = loose.iter().map(|one| one.id);
        let mut all: Vec<Oid> = all.chain(known_loose.iter().copied()).collect();
        all.sort_unstable();
        summary.objects = summary.objects.min(distinct(&objects, &all));
    }
    summary.unreachable_hits = attribution.counts.unreached as u64;
    summary.cancelled |= observer.cancelled();
    let names = names.found.into_inner();
    let mut leaks = leaks.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut reading = Reading {
        engine,
        options,
        what,
        objects: &objects,
        found: &found,
        contexts: &contexts,
        leaks: &leaks,
        pool,
        stale: Cell::new(false),
        names: names.unwrap_or_else(PoisonError::into_inner),
        times,
        recent,
        commits: HashMap::new(),
        mailmap: None,
        outcome: AuditOutcome::default(),
    };
    reading.run(&attribution);
    if options.metadata {
        reading.ref_names();
    }
    if reading.stale.get() {
        return Ok(None);
    }
    let mut outcome = reading.outcome;
    summary.sort();
    let whole = summary.gaps.is_empty() && summary.skipped.is_empty() && !summary.cancelled;
    if let Some(store) = store.filter(|_| keep && whole) {
        let mut rows: Vec<(u32, (u32, [u8; 16]))> = leaks
            .drain()
            .map(|((rule, print), number)| (number, (rule as u32, print)))
            .collect();
        rows.sort_unstable();
        let ended = Ended {
            engine,
            options,
            what,
            objects: &objects,
            identities: &identities,
            known: known.as_ref(),
            found: &found,
            contexts: &contexts,
            leaks: rows.into_iter().map(|(_, leak)| leak).collect(),
            loose: (&loose, &known_loose),
        };
        let kept = ended
            .known(&mut attribution)
            .map(|known| store.write(&known));
        if let Some(Err(error)) = kept {
            outcome.notes.push(format!("cache: not written: {error}"));
        }
    }
    outcome.summary = summary;
    Ok(Some(outcome))
}

/// Whether something was not read that is there after all: it was scanned neither where it was nor where it is.
fn moved(repo: &Repo, objects: &Objects, found: &Found, missed: &[Missed]) -> bool {
    if found.vanished > 0 {
        return true;
    }
    let mut ids = missed.iter().filter_map(|missed| match missed {
        Missed::Blob(id) | Missed::Tree(id) | Missed::Commit(id) | Missed::Target(id) => Some(id),
        _ => None,
    });
    let mut again = None;
    ids.any(|id| {
        let db = again.get_or_insert_with(|| repo.objects().0);
        db.contains(id) && !objects.db.contains(id)
    })
}

/// How many objects there are; one that several packs hold counts once.
fn distinct(objects: &Objects, loose: &[Oid]) -> u64 {
    let mut starts = vec![0; objects.db.packs().len()];
    let mut loose = loose;
    let mut ids = Vec::new();
    let mut count = 0;
    // A part at a time, so that not all ids are in memory.
    for first in 0..=u8::MAX {
        let is_next = |id: &Oid| id.as_bytes().first() == Some(&first);
        for (pack, start) in objects.db.packs().iter().zip(&mut starts) {
            let index = pack.index();
            let rest = (*start..index.len()).map(|at| index.id(at));
            let before = ids.len();
            ids.extend(rest.take_while(is_next));
            *start += ids.len() - before;
        }
        let end = loose.partition_point(is_next);
        let (part, rest) = loose.split_at(end);
        ids.extend_from_slice(part);
        loose = rest;
        ids.sort_unstable();
        ids.dedup();
        count += ids.len() as u64;
        ids.clear();
    }
    count
}

/// Why an audit could not begin.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// No threads.
    #[error("cannot start threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// libgit2's trouble with the object database.
    #[error("libgit2: {0}")]
    Git(#[from] git2::Error),
}

/// Everything that holds objects.
struct Opened {
    /// The packs in it are those that are not known.
    objects: Objects,
    loose: Vec<LooseId>,
    known_loose: Vec<Oid>,
    /// Of each pack, known or not.
    identities: Vec<Option<[u8; 32]>>,
}

/// Opens everything that holds objects. `None` where some that are known are gone.
fn open(
    repo: &Repo,
    options: &AuditOptions,
    pool: &rayon::ThreadPool,
    known: Option<&Known>,
    summary: &mut Summary,
) -> Option<Opened> {
    let (db, mut errors) = repo.objects();
    let packs = Vec::new();
    let mut objects = Objects { packs, db };
    let is_known = |id: &Oid| known.is_some_and(|known| known.has(id));
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
        .map(|pack| OpenPack {
            pack: pack.clone(),
            entries: Entries::read(pack, pool),
        })
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
    })
}

/// Puts into the summary what was scanned and what could not be.
fn note(found: &mut Found, repo: &Repo, summary: &mut Summary) {
    let gaps = std::mem::take(&mut found.gaps);
    let relative = |path: &std::path::Path| {
        let inside = path.strip_prefix(&repo.common_dir).unwrap_or(path);
        inside.display().to_string()
    };
    summary.gaps.extend(gaps.into_iter().map(|gap| {
        let object = gap
            .id
            .map_or_else(|| "an object".to_owned(), |id| format!("object {id}"));
        let place = match gap.offset {
            0 => String::new(),
            offset => format!(" at offset {offset}"),
        };
        Gap {
            path: relative(&gap.place),
            reason: format!("{object}{place}: {}", gap.why),
        }
    }));
    let notes = std::mem::take(&mut found.notes);
    let notes = notes.into_iter().map(|(path, reason)| Gap { path, reason });
    summary.gaps.extend(notes);
}

fn missing(missed: &Missed, promisor: bool, summary: &mut Summary) {
    let reason = missed.to_string();
    match missed {
        Missed::Tree(id) | Missed::Blob(id) | Missed::Commit(id) | Missed::Target(id)
            if promisor =>
        {
            summary.skip(Skip {
                kind: SkipKind::Promised,
                path: id.to_string(),
                notable: false,
            });
        }
        _ => summary.gaps.push(Gap {
            path: String::new(),
            reason,
        }),
    }
}

/// The recent commits, by id.
fn recent(commits: &[RawCommit], since: &Since) -> BTreeSet<Oid> {
    let all = commits.iter();
    match since {
        Since::Time(time) => all.filter(|c| c.time >= *time).map(|c| c.id).collect(),
        Since::Commit(base) => {
            let parents: HashMap<Oid, &[Oid]> = all.clone().map(|c| (c.id, &*c.parents)).collect();
            let mut old = BTreeSet::new();
            let mut queue = vec![*base];
            while let Some(id) = queue.pop() {
                if old.insert(id) {
                    queue.extend(parents.get(&id).copied().unwrap_or_default());
                }
            }
            all.map(|c| c.id).filter(|id| !old.contains(id)).collect()
        }
    }
}

/// The number of a leak, new or known.
pub(super) fn leak(leaks: &mut Leaks, rule: usize, print: [u8; 16]) -> u32 {
    let next = leaks.len() as u32;
    *leaks.entry((rule, print)).or_insert(next)
}

/// The fingerprint of a rule's secret.
#[expect(
    clippy::disallowed_methods,
    reason = "the fingerprint is made of the secret"
)]
pub(super) fn print_of(engine: &Engine, salt: &[u8], rule: usize, secret: &Secret) -> [u8; 16] {
    let rule = engine.rules().rule(rule);
    let id = rule.map_or("", |rule| &rule.spec().id);
    fingerprint(id, secret.expose(), salt).0
}

fn hits(found: &Found, numbers: &[u32]) -> Vec<Hit> {
    let leaks_of = |items: &[Item]| {
        let mut leaks: Vec<u32> = items
            .iter()
            .filter_map(|(context, _)| numbers.get(*context as usize).copied())
            .collect();
        leaks.sort_unstable();
        leaks.dedup();
        leaks
    };
    let all = found.objects.iter();
    all.map(|(id, _, items)| Hit {
        object: *id,
        leaks: leaks_of(items),
    })
    .collect()
}

/// The secrets in names of files and folders.
struct Names<'n> {
    engine: &'n Engine,
    options: &'n AuditOptions,
    /// Name, leak, and where it stands in the name.
    found: Mutex<Vec<(Vec<u8>, u32, Located)>>,
}

/// Finds what speaks for itself in a name.
fn in_name(engine: &Engine, options: &AuditOptions, name: &[u8]) -> Vec<Located> {
    let (limits, settings) = (options.limits, &options.settings);
    let content = scan_whole(engine, name, (true, None), limits, &mut Scratch::default());
    located(engine, name, content, settings)
}

impl Names<'_> {
    /// The leaks in a name.
    fn scan(&self, name: &[u8], leaks: &Mutex<Leaks>) -> Vec<u32> {
        if !self.options.metadata {
            return Vec::new();
        }
        let found = in_name(self.engine, self.options, name);
        if found.is_empty() {
            return Vec::new();
        }
        let mut leaks = leaks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let mut numbers = Vec::new();
        for one in found {
            let (rule, secret) = (one.context.rule, &one.context.secret);
            let print = print_of(self.engine, &self.options.salt, rule, secret);
            let number = leak(&mut leaks, rule, print);
            numbers.push(number);
            all.push((name.to_vec(), number, one));
        }
        numbers
    }
}

/// From units to matches.
struct Reading<'r> {
    engine: &'r Engine,
    options: &'r AuditOptions,
    what: Audit<'r>,
    objects: &'r Objects,
    found: &'r Found,
    contexts: &'r Contexts,
    leaks: &'r Leaks,
    pool: &'r rayon::ThreadPool,
    /// Whether something that is known turned out not to be so.
    stale: Cell<bool>,
    names: Vec<(Vec<u8>, u32, Located)>,
    /// When each commit was made, by its id.
    times: Vec<(Oid, i64)>,
    recent: Option<BTreeSet<Oid>>,
    commits: HashMap<Oid, Option<Commit>>,
    mailmap: Option<Mailmap>,
    outcome: AuditOutcome,
}

impl Reading<'_> {
    fn run(&mut self, attribution: &Attribution) {
        self.names.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        self.names
            .dedup_by(|b, a| (&a.0, a.1, a.2.spot) == (&b.0, b.1, b.2.spot));
        self.prepare(attribution);
        let mut counting: BTreeMap<u32, (Fingerprint, Vec<usize>)> = BTreeMap::new();
        for (number, unit) in attribution.units.iter().enumerate() {
            if !self.is_recent(unit) {
                continue;
            }
            let matches = match unit.origin {
                Origin::Content => self.content(unit),
                Origin::Name => self.name(unit),
                _ => self.text(unit),
            };
            if let Some(first) = matches.iter().find(|m| m.place.dropped.is_none()) {
                let print = self.fingerprint(first);
                let entry = counting.entry(unit.leak);
                entry.or_insert((print, Vec::new())).1.push(number);
            }
            self.outcome.matches.extend(matches);
        }
        for (print, units) in counting.into_values() {
            let history = self.history(attribution, &units);
            self.outcome.histories.insert(print, history);
        }
    }

    fn is_recent(&self, unit: &Unit) -> bool {
        self.recent.as_ref().is_none_or(|recent| {
            let mut commits = unit.introductions.iter().map(|(commit, _)| commit);
            commits.any(|commit| recent.contains(commit))
        })
    }

    /// Reads again what will be shown of past runs' matches.
    fn prepare(&self, attribution: &Attribution) {
        let units = attribution.units.iter().filter(|unit| self.is_recent(unit));
        let shown = units.flat_map(|unit| {
            let introduced = unit.introductions.iter().map(|(_, object)| object);
            let first = unit.objects.first().filter(|_| introduced.len() == 0);
            introduced.chain(&unit.head_object).chain(first)
        });
        let shown = shown.map(|object| (object, self.all_items(object)));
        let good = self.contexts.recall_all(shown, self.pool, |id, items| {
            recall_one(
                (self.engine, self.options, self.objects),
                (self.contexts, self.leaks),
                (id, items),
            )
        });
        if !good {
            self.stale.set(true);
        }
    }

    fn fingerprint(&self, found: &BlobMatch) -> Fingerprint {
        let (rule, secret) = (found.rule, &found.secret);
        Fingerprint(print_of(self.engine, &self.options.salt, rule, secret))
    }

    /// What stands where in an object.
    fn all_items(&self, object: &Oid) -> &[Item] {
        let objects = &self.found.objects;
        let at = objects.binary_search_by_key(object, |(id, ..)| *id).ok();
        let items = at.and_then(|at| objects.get(at));
        items.map_or(&[], |(_, _, items)| items)
    }

    /// Where an object holds a leak.
    fn items(&self, object: &Oid, leak: u32) -> impl Iterator<Item = &Item> {
        let all = self.all_items(object);
        let is_it = move |context: u32| self.contexts.leaks.get(context as usize) == Some(&leak);
        if all
            .iter()
            .any(|(c, _)| is_it(*c) && self.contexts.is_missing(*c))
            && !recall_one(
                (self.engine, self.options, self.objects),
                (self.contexts, self.leaks),
                (object, all),
            )
        {
            self.stale.set(true);
        }
        all.iter().filter(move |(context, _)| is_it(*context))
    }

    /// Matches of a leak in one object at a path.
    fn matches(&self, object: Oid, leak: u32, path: &[u8], commit: Option<Oid>) -> Vec<BlobMatch> {
        let rules = self.engine.rules();
        self.items(&object, leak)
            .filter_map(|(number, spot)| {
                let context = self.contexts.get(*number)?;
                let mut m = place(rules, context, spot, path, &self.options.settings)?;
                m.place.blob = Some(object);
                m.place.commit = commit;
                m.time = Some(self.time(commit));
                Some(m)
            })
            .collect()
    }

    /// When a commit was made; what has none comes last.
    fn time(&self, commit: Option<Oid>) -> i64 {
        commit
            .and_then(|id| {
                let at = self.times.binary_search_by_key(&id, |(id, _)| *id);
                self.times.get(at.ok()?).map(|(_, time)| *time)
            })
            .unwrap_or(i64::MAX)
    }

    /// A leak in the versions of a file: where it came in, where it is now, and the version that is worth most.
    fn content(&self, unit: &Unit) -> Vec<BlobMatch> {
        let shown;
        let path: &[u8] = if unit.path.is_empty() {
            // Nothing holds it, so it has no name but its id.
            shown = unit.objects.first().map(|id| format!("object {id}"));
            shown.as_deref().unwrap_or_default().as_bytes()
        } else {
            &unit.path
        };
        let best = |matches: &[BlobMatch]| {
            let counting = matches.iter().filter(|m| m.place.dropped.is_none());
            counting.map(|m| m.place.score).fold(-1.0, f32::max)
        };
        let mut out = Vec::new();
        let mut taken = BTreeSet::new();
        for (commit, object) in &unit.introductions {
            if taken.insert(*object) {
                out.extend(self.matches(*object, unit.leak, path, Some(*commit)));
            }
        }
        if let Some(object) = unit.head_object
            && taken.insert(object)
        {
            let last = unit.introductions.last().map(|(commit, _)| *commit);
            out.extend(self.matches(object, unit.leak, path, last));
        }
        // Where these leave a doubt, another version may say more clearly that it is a secret.
        let mut worth = best(&out);
        let mut better = None;
        let in_doubt = worth < PLAIN;
        let rest = unit.objects.iter().filter(|_| in_doubt);
        for object in rest.filter(|id| !taken.contains(id)) {
            let matches = self.matches(*object, unit.leak, path, None);
            if best(&matches) > worth || out.is_empty() && better.is_none() {
                worth = best(&matches).max(worth);
                better = Some(matches);
            }
        }
        out.extend(better.into_iter().flatten());
        out
    }

    /// A leak in commits' or tags' own text.
    fn text(&self, unit: &Unit) -> Vec<BlobMatch> {
        let is_commit = unit.origin == Origin::Commit;
        let mut objects: Vec<Oid> = unit.introductions.iter().map(|(_, id)| *id).collect();
        if objects.is_empty() {
            objects.extend(unit.objects.first());
        }
        let mut out = Vec::new();
        for object in objects {
            let commit = is_commit.then_some(object);
            let matches = self.matches(object, unit.leak, MESSAGE, commit);
            out.extend(matches.into_iter().map(|mut m| {
                m.place.path.clear();
                m.place.origin = unit.origin;
                m
            }));
        }
        out
    }

    /// A leak in the name of a file or folder.
    fn name(&self, unit: &Unit) -> Vec<BlobMatch> {
        let slash = memchr::memrchr(b'/', &unit.path).map_or(0, |at| at + 1);
        let name = unit.path.get(slash..).unwrap_or_default();
        let first = self
            .names
            .partition_point(|(n, leak, _)| (n.as_slice(), *leak) < (name, unit.leak));
        let same = |(n, leak, _): &&(Vec<u8>, u32, Located)| n == name && *leak == unit.leak;
        let all = self.names.iter().skip(first).take_while(same);
        let commit = unit.introductions.first().map(|(commit, _)| *commit);
        all.filter_map(|(_, _, found)| {
            let mut m = self.in_text(found, &unit.path, slash, Origin::Name)?;
            m.place.commit = commit;
            m.place.blob = unit.introductions.first().map(|(_, object)| *object);
            m.time = Some(self.time(commit));
            Some(m)
        })
        .collect()
    }

    /// A match in a name that begins at an offset of a path.
    fn in_text(
        &self,
        found: &Located,
        path: &[u8],
        offset: usize,
        origin: Origin,
    ) -> Option<BlobMatch> {
        let (rules, settings) = (self.engine.rules(), &self.options.settings);
        let moved = |at: Position| Position {
            line: at.line,
            column: at.column.saturating_add(offset as u32),
        };
        let spot = Spot {
            start: moved(found.spot.start),
            end: moved(found.spot.end),
            span: Span {
                start: found.spot.span.start + offset as u64,
                end: found.spot.span.end + offset as u64,
            },
        };
        let mut m = place(rules, &found.context, &spot, path, settings)?;
        m.place.origin = origin;
        Some(m)
    }

    fn history(&mut self, attribution: &Attribution, units: &[usize]) -> History {
        let joined = attribution.history(units);
        let (tips, more_tips) = self.named(&joined.tips);
        let (refs, more_refs) = self.named(&joined.refs);
        let until = joined.until.unwrap_or(self.options.now);
        let seconds = joined
            .first_time
            .map_or(0, |first| until.saturating_sub(first));
        History {
            introductions: joined.introductions,
            in_head: joined.in_head,
            tips,
            more_tips,
            refs,
            more_refs,
            is_partial: false,
            exposed_days: u32::try_from(seconds / 86_400).unwrap_or(0),
            first: joined.first.and_then(|id| self.commit(id)),
            last: joined.last.and_then(|id| self.commit(id)),
        }
    }

    /// The names of the first of these tips, and how many more there are. HEAD is told of elsewhere.
    fn named(&self, tips: &[usize]) -> (Vec<String>, u64) {
        let sort = |name: &str| {
            let sorts = ["refs/heads/", "refs/tags/", "refs/remotes/"];
            let sort = sorts.iter().position(|prefix| name.starts_with(prefix));
            sort.unwrap_or(sorts.len())
        };
        let tips = tips.iter().filter_map(|tip| self.what.tips.get(*tip));
        let mut all: Vec<(usize, &str)> = tips
            .map(|tip| (sort(&tip.name), &*tip.name))
            .filter(|(_, name)| *name != "HEAD")
            .collect();
        if all.len() > History::NAMED {
            all.select_nth_unstable(History::NAMED);
        }
        let more = all.len().saturating_sub(History::NAMED);
        all.truncate(History::NAMED);
        all.sort_unstable();
        let names = all.into_iter().map(|(_, name)| name.to_owned());
        (names.collect(), more as u64)
    }

    /// What a report says of a commit.
    fn commit(&mut self, id: Oid) -> Option<Commit> {
        if let Some(known) = self.commits.get(&id) {
            return known.clone();
        }
        if self.mailmap.is_none() {
            let head = self.what.refs.head;
            let bytes = head.and_then(|head| mailmap(self.objects, head));
            self.mailmap = Some(Mailmap::new(&bytes.unwrap_or_default()));
        }
        let stored = self.objects.db.find(&id, TEXT).ok().flatten();
        let commit = stored
            .zip(self.mailmap.as_ref())
            .map(|(stored, mailmap)| details(id, &stored.bytes, mailmap));
        self.commits.insert(id, commit.clone());
        commit
    }

    /// Secrets in the names of refs.
    fn ref_names(&mut self) {
        for tip in self.what.tips {
            for found in in_name(self.engine, self.options, tip.name.as_bytes()) {
                let path = tip.name.as_bytes();
                let Some(mut m) = self.in_text(&found, path, 0, Origin::Ref) else {
                    continue;
                };
                m.time = Some(i64::MAX);
                if m.place.dropped.is_none() {
                    let print = self.fingerprint(&m);
                    let history = self.outcome.histories.entry(print).or_default();
                    for names in [&mut history.tips, &mut history.refs] {
                        if !names.contains(&tip.name) {
                            names.insert(0, tip.name.clone());
                        }
                    }
                }
                self.outcome.matches.push(m);
            }
        }
    }
}

fn recall_one(
    (engine, options, objects): (&Engine, &AuditOptions, &Objects),
    (contexts, leaks): (&Contexts, &Leaks),
    object: (&Oid, &[Item]),
) -> bool {
    contexts.recall(engine, options, objects, object, |context| {
        leak_of(engine, &options.salt, leaks, context)
    })
}

/// HEAD's `.mailmap`.
fn mailmap(objects: &Objects, head: Oid) -> Option<Vec<u8>> {
    let text = |id: &Oid, kind: Kind| {
        let stored = objects.db.find(id, TEXT).ok().flatten();
        stored.filter(|stored| stored.kind == kind)
    };
    let commit = crate::history::parse(head, &text(&head, Kind::Commit)?.bytes)?;
    let tree = text(&commit.tree, Kind::Tree)?;
    let entry = b"100644 .mailmap\0";
    let at = memchr::memmem::find(&tree.bytes, entry)? + entry.len();
    let id = Oid::from_slice(tree.bytes.get(at..)?)?;
    Some(text(&id, Kind::Blob)?.bytes.to_vec())
}
