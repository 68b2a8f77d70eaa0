//! A repository's whole history → matches at their paths and commits.
//!
//! All objects are scanned first ([`scan_objects`]), whoever holds them. Then [`attribute`] says which commits, paths and
//! refs hold those with hits, and the place stage is done for each of their paths.

mod gaps;
mod leaks;
mod opened;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

pub(super) use self::leaks::{Leaks, leak, print_of};

use self::gaps::{missing, note};
use self::leaks::{hits, prints_of};
use self::opened::{Opened, distinct, moved, open};
use self::watch::{Stops, watched};
use super::cache::{CacheFolder, Known, Store};
use super::carry::Carriers;
use super::objects::{ObjectOptions, scan_objects, scan_odb};
use super::reading::{Names, Reading, by_sort};
use super::recall::{self, Contexts, Ended};
use super::{BlobMatch, Engine, Limits, Settings};
use crate::history::{Input, RawCommit, Refs, Repo, Tip, attribute};
use crate::model::{Fingerprint, Gap, History, Observer, Oid, Stage, Summary};
use crate::pack::{self, Db, Index, Kind};

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
    opened: Option<(Db, Vec<pack::Error>)>,
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
