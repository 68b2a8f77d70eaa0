//! A repository's whole history → matches at their paths and commits.
//!
//! All objects are scanned first ([`scan_objects`]), whoever holds them. Then [`attribute`] says which commits, paths and
//! refs hold those with hits, and the place stage is done for each of their paths.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use rayon::prelude::*;

use super::cache::{CacheFolder, Known, Store};
use super::carry::Carriers;
use super::objects::{Found, Item, ObjectOptions, scan_objects, scan_odb};
use super::reading::{Names, Reading, by_sort};
use super::recall::{self, Contexts, Ended};
use super::{BlobMatch, Engine, Limits, Settings, fingerprint};
use crate::history::{
    Hit, Input, LooseId, Missed, Objects, OpenPack, RawCommit, Refs, Repo, Tip, attribute,
};
use crate::model::{
    Fingerprint, Gap, History, Observer, Oid, Secret, Skip, SkipKind, Stage, Summary,
};
use crate::pack::{Db, Entries, Index, Kind};

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
    /// What each of [`Summary::unreachable_hits`] holds.
    pub unreached: Vec<Vec<Fingerprint>>,
    /// What there is to say of the cache.
    pub notes: Vec<String>,
}

/// The numbers of leaks: of a rule's secrets by their fingerprints.
pub(super) type Leaks = HashMap<(usize, [u8; 16]), u32>;

/// The path by which the kind of a commit's or tag's text is judged: prose.
pub(super) const MESSAGE: &[u8] = b"message.txt";

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
    let tips = by_sort(what.tips);
    let what = Audit {
        tips: &tips,
        ..what
    };
    observer.stage(Stage::OpenPacks);
    watched(observer, |stops| {
        perform((engine, what, options), &pool, observer, stops)
    })
}

/// Whether to stop scanning, and whether to stop saying where things stand.
#[derive(Default)]
struct Stops {
    scan: AtomicBool,
    attribution: AtomicBool,
}

/// How often an observer is asked whether to stop.
const ASK: Duration = Duration::from_millis(20);

/// Does some work while another thread asks whether to stop: a single object or tree may take long.
fn watched<R>(observer: &dyn Observer, work: impl FnOnce(&Stops) -> R) -> R {
    struct End<'e>(&'e AtomicBool, Thread);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
            self.1.unpark();
        }
    }
    let (stops, over) = (Stops::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                if observer.cancelled() {
                    stops.scan.store(true, Ordering::Relaxed);
                    if observer.overdue() {
                        stops.attribution.store(true, Ordering::Relaxed);
                        break;
                    }
                }
                std::thread::park_timeout(ASK);
            }
        });
        let _end = End(&over, watch.thread().clone());
        work(&stops)
    })
}

fn perform(
    (engine, what, options): (&Engine, Audit<'_>, &AuditOptions),
    pool: &rayon::ThreadPool,
    observer: &dyn Observer,
    stops: &Stops,
) -> Result<AuditOutcome, AuditError> {
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
        pool,
        stops,
        store: store.as_ref(),
    };
    let read = || store.as_ref().map(|store| store.read(pool));
    // Two files of some ten megabytes, of which neither needs the other.
    let (read, opened) = pool.join(read, || what.repo.objects());
    let mut opened = Some(opened);
    match read {
        None | Some(Ok(None)) => {}
        Some(Ok(Some(known))) => {
            if let Some(outcome) = attempt(&run, opened.take(), Some(known), false)? {
                return Ok(outcome);
            }
            notes.push("cache: it does not fit the repository any more, all is scanned".to_owned());
        }
        Some(Err(error)) => notes.push(format!("cache: not used: {error}")),
    }
    let mut outcome = None;
    for round in 1..=ROUNDS {
        outcome = attempt(&run, opened.take(), None, round == ROUNDS)?;
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
    stops: &'r Stops,
    pool: &'r rayon::ThreadPool,
    store: Option<&'r Store<'r>>,
}

/// Scans a history once. `None` where what is known does not fit the repository, or where objects moved meanwhile and it
/// is not the last try.
fn attempt(
    run: &Run<'_>,
    opened: Option<(Db, Vec<crate::pack::Error>)>,
    mut known: Option<Known>,
    last: bool,
) -> Result<Option<AuditOutcome>, AuditError> {
    let Run {
        engine,
        what,
        options,
        observer,
        stops,
        pool,
        store,
    } = *run;
    let mut summary = Summary::default();
    summary.gaps.extend(what.repo.gaps.iter().cloned());
    summary.gaps.extend(what.refs.gaps.iter().cloned());
    let db = opened.unwrap_or_else(|| pool.install(|| what.repo.objects()));
    let Some(opened) = open(db, options, pool, known.as_ref(), &mut summary) else {
        return Ok(None);
    };
    let Opened {
        objects,
        loose,
        known_loose,
        identities,
        old,
    } = opened;
    let keep_dropped = options.settings.keep_dropped;
    let carriers = Carriers::new(engine, options.limits, keep_dropped);
    let names = Names {
        carriers: &carriers,
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
    let is_damaged = |known: &Known| known.seen.all().is_none();
    if (keep || !known_loose.is_empty()) && known.as_ref().is_some_and(is_damaged) {
        return Ok(None);
    }
    let old: Option<Vec<&Index>> = old.as_ref().map(|old| {
        let packs = objects.db.packs().iter().zip(old);
        let old = packs.filter(|(_, is_old)| **is_old);
        old.map(|(pack, _)| pack.index()).collect()
    });
    let seen = |id: &Oid| known.as_ref()?.seen_in_pack(id, old.as_deref());
    let object_options = ObjectOptions {
        known: &seen,
        record: keep,
        settings: &options.settings,
        carriers: &carriers,
        limits: options.limits,
        memory: options.memory / 4 * 3,
        metadata: options.metadata,
        stop: &stops.scan,
    };
    let mut found = if options.whole {
        let folders = &what.repo.object_dirs;
        let from = (&**folders, &objects.db);
        scan_odb(from, object_options, pool, observer)?
    } else {
        scan_objects(&objects, &loose, object_options, pool, observer)
    };
    note(&mut found, what.repo, &mut summary);
    let mut commits = std::mem::take(&mut found.commits);
    if let Some(known) = &mut known {
        for identity in &identities {
            let looked = known.pack(*identity).unwrap_or_default();
            found.looked.add(looked);
        }
        let old = known_loose.iter().filter_map(|id| known.seen.find(id));
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
        Contexts::new(known.as_mut(), &mut found, &mut leaks, |context| {
            print_of(engine, &options.salt, context.rule, &context.secret)
        })
    };
    let hits = hits(&found, &contexts.leaks);
    let attribution_stop = if hits.is_empty() {
        // Nothing is there to be placed.
        &stops.scan
    } else {
        &stops.attribution
    };
    let input = Input {
        objects: &objects,
        loose: &loose,
        commits,
        hits,
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
        stop: attribution_stop,
        observer,
    };
    let mut attribution = attribute(input, |name| names.scan(name, &leaks));
    let is_blob = |id: &Oid| {
        let at = found.objects.binary_search_by_key(id, |(id, ..)| *id);
        let row = at.ok().and_then(|at| found.objects.get(at));
        row.is_some_and(|(_, kind, _)| *kind == Kind::Blob)
    };
    let cancelled = observer.cancelled();
    if !cancelled && attribution.strays.iter().any(is_blob) {
        // It may stand in a tree that was read when the blob was not there.
        return Ok(None);
    }
    if !last && !cancelled && moved(&objects, &found, &attribution.missed) {
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
        all.dedup();
        summary.objects = summary.objects.min(distinct(&objects, &all, pool));
    }
    if !options.all_objects {
        summary.unreachable_hits = attribution.counts.unreached as u64;
    }
    summary.cancelled |= observer.cancelled();
    let names = names.found.into_inner();
    let mut leaks = leaks.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut reading = Reading {
        engine,
        carriers: &carriers,
        options,
        what,
        objects: &objects,
        found: &found,
        contexts: &contexts,
        leaks: &leaks,
        pool,
        stale: AtomicBool::new(false),
        names: names.unwrap_or_else(PoisonError::into_inner),
        times,
        recent,
        commits: HashMap::new(),
        outcome: AuditOutcome::default(),
    };
    observer.stage(Stage::Reading);
    reading.run(&attribution);
    if options.metadata {
        reading.ref_names();
    }
    if !cancelled && reading.stale.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let mut outcome = reading.outcome;
    if !options.all_objects {
        outcome.unreached = prints_of(&attribution.unreached, &leaks);
    }
    summary.sort();
    let whole = summary.gaps.is_empty() && summary.skipped.is_empty() && !summary.cancelled;
    if let Some(store) = store.filter(|_| keep && whole) {
        observer.stage(Stage::Cache);
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
    // Millions of small pieces, and the pack: nobody waits for their end.
    pool.spawn(move || drop((objects, attribution, found, contexts, known)));
    Ok(Some(outcome))
}

/// Whether something was not read that is there after all: it was scanned neither where it was nor where it is.
fn moved(objects: &Objects, found: &Found, missed: &[Missed]) -> bool {
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
fn distinct(objects: &Objects, loose: &[Oid], pool: &rayon::ThreadPool) -> u64 {
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
    /// Of each pack whether it is known, where all known ones are there.
    old: Option<Vec<bool>>,
}

/// Opens everything that holds objects. `None` where some that are known are gone.
fn open(
    (db, mut errors): (Db, Vec<crate::pack::Error>),
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

/// Lists of leaks with fingerprints in place of numbers.
fn prints_of(lists: &[Vec<u32>], leaks: &Leaks) -> Vec<Vec<Fingerprint>> {
    if lists.is_empty() {
        return Vec::new();
    }
    let prints: HashMap<u32, Fingerprint> = leaks
        .iter()
        .map(|((_, print), number)| (*number, Fingerprint(*print)))
        .collect();
    let of = |list: &Vec<u32>| list.iter().filter_map(|l| prints.get(l).copied()).collect();
    lists.iter().map(of).collect()
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
