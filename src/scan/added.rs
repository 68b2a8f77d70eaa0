//! What a commit, a range of commits or the next commit adds: both sides are scanned whole, and what one of the old ones
//! holds already is counted and no finding.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::blob::{located, scan_whole, sort};
use super::join::{Located, place};
use super::marks::Marks;
use super::reading::{in_name, in_path};
use super::windows::Windowed;
use super::{AuditOutcome, BlobMatch, Engine, Limits, Scratch, Settings, fingerprint};
use crate::history::{Change, Mailmap, Removed, details, files_below};
use crate::model::{Fingerprint, Gap, History, Observer, Oid, Origin, Skip, SkipKind, Stage};
use crate::pack::{Db, Kind};

/// What one commit adds.
#[derive(Debug, Clone, Default)]
pub struct Addition {
    /// The commit; `None` for one that is not made yet.
    pub commit: Option<Oid>,
    /// Versions of files that none of its parents has at the same path.
    pub changes: Vec<Change>,
    /// Files and folders that a parent has and it has not any more: what moved from there is nothing new.
    pub removed: Vec<Removed>,
    /// Tag objects that come with it: their messages and taggers are scanned.
    pub tags: Vec<Oid>,
    /// Full names of refs that come with it.
    pub refs: Vec<String>,
}

/// How additions are scanned.
#[derive(Debug, Clone)]
pub struct AddedOptions {
    /// The place stage.
    pub settings: Settings,
    /// What one object may use up.
    pub limits: Limits,
    /// Bytes for one object.
    pub memory: u64,
    /// Whether the commits' own texts and the names of files and refs are scanned, too.
    pub metadata: bool,
    /// Whether a missing object is one that a partial clone left with its remote.
    pub promisor: bool,
    /// The fingerprints' salt.
    pub salt: Vec<u8>,
}

/// Objects above this are scanned in windows, where they are loose.
const HELD: u64 = 16 << 20;
/// Most removed files that are looked at for what moved from them; beyond that, what moved counts as new.
const MOST_REMOVED: usize = 10_000;
/// Most paths of one object with matches: a few trees can stand for millions.
const MOST_PLACES: usize = 10_000;
/// Most matches in names.
const MOST_NAMES: usize = 10_000;
/// What is said of a place that a mark in a later commit covers.
const AT_TIP: &str = "a comment at the end of the range";
/// Most bytes of a commit.
const TEXT: u64 = 16 << 20;

/// Scans what commits add, in the order given, the oldest first.
///
/// What stood there before is no finding, unless it did not count where it stood: a key that was accepted and is so no
/// more is new. `accepts` says what the caller's lists accept; marks are looked at here.
#[must_use]
pub fn scan_added(
    engine: &Engine,
    db: &Db,
    additions: &[Addition],
    options: &AddedOptions,
    accepts: &dyn Fn(&BlobMatch) -> bool,
    observer: &dyn Observer,
) -> AuditOutcome {
    let mut scan = Scan {
        engine,
        db,
        options,
        accepts,
        observer,
        scratch: Scratch::default(),
        known: HashMap::new(),
        places: HashMap::new(),
        named: 0,
        tip: BTreeMap::new(),
        outcome: AuditOutcome::default(),
    };
    observer.stage(Stage::Added);
    let all = additions.iter().map(|addition| addition.changes.len());
    observer.ahead(all.sum::<usize>() as i64, 0);
    observer.all_ahead();
    let mut already = BTreeSet::new();
    let mut added = BTreeSet::new();
    for addition in additions {
        if observer.cancelled() {
            scan.outcome.summary.cancelled = true;
            break;
        }
        let (new, old) = scan.addition(addition);
        added.extend(new);
        already.extend(old);
    }
    scan.cover();
    let summary = &mut scan.outcome.summary;
    summary.cancelled |= observer.cancelled();
    summary.commits = additions.iter().filter(|a| a.commit.is_some()).count() as u64;
    summary.already_there = already.difference(&added).count() as u64;
    summary.sort();
    scan.outcome
}

struct Scan<'s> {
    engine: &'s Engine,
    db: &'s Db,
    options: &'s AddedOptions,
    accepts: &'s dyn Fn(&BlobMatch) -> bool,
    observer: &'s dyn Observer,
    scratch: Scratch,
    /// What objects hold, for those that come up again as the old side of a later change.
    known: HashMap<Oid, Vec<Located>>,
    /// At how many paths an object with matches came up.
    places: HashMap<Oid, usize>,
    /// How many matches names brought.
    named: usize,
    /// What the last commit so far has at paths that changed, as far as there are matches in it.
    tip: BTreeMap<Vec<u8>, Oid>,
    outcome: AuditOutcome,
}

impl Scan<'_> {
    /// Scans one commit; gives the secrets that it adds, and those that were there before.
    fn addition(&mut self, addition: &Addition) -> (BTreeSet<Fingerprint>, BTreeSet<Fingerprint>) {
        let mut matches = Vec::new();
        self.forget(&addition.removed);
        for change in &addition.changes {
            if self.observer.cancelled() {
                break;
            }
            self.outcome.summary.files += 1;
            if self.options.metadata && change.old.is_empty() {
                for mut m in self.path_names(&change.path) {
                    m.place.blob = Some(change.new);
                    m.place.commit = addition.commit;
                    matches.push(m);
                }
            }
            let known = self.known.get(&change.new);
            if known.is_some_and(|found| !found.is_empty()) && self.is_crowded(change.new) {
                continue;
            }
            let before = self.outcome.summary.bytes;
            let found = self.object(change.new, &change.path);
            let bytes = self.outcome.summary.bytes - before;
            self.observer.scanned(1, bytes);
            self.observer.found(found.len() as u64);
            for one in &found {
                let rules = self.engine.rules();
                let settings = &self.options.settings;
                let spot = &one.spot;
                if let Some(mut m) = place(rules, &one.context, spot, &change.path, settings) {
                    m.place.blob = Some(change.new);
                    m.place.commit = addition.commit;
                    matches.push(m);
                }
            }
            if found.is_empty() {
                self.tip.remove(&change.path);
            } else {
                self.tip.insert(change.path.clone(), change.new);
            }
            self.known.insert(change.new, found);
        }
        if let Some(commit) = addition.commit
            && self.options.metadata
        {
            matches.extend(self.text(commit, Origin::Commit));
        }
        if self.options.metadata {
            for tag in &addition.tags {
                matches.extend(self.text(*tag, Origin::Tag));
            }
            for name in &addition.refs {
                matches.extend(self.names(name.as_bytes(), 0, Origin::Ref));
            }
        }
        if matches.is_empty() {
            return Default::default();
        }
        // The old sides are looked at only where there is something to compare.
        let wanted: BTreeSet<Fingerprint> = matches.iter().map(|m| self.print_of(m)).collect();
        let mut before = BTreeSet::new();
        let changes = addition.changes.iter();
        let olds = changes.flat_map(|change| change.old.iter().map(|id| (*id, &*change.path)));
        let removed = addition.removed.iter();
        let removed = removed.flat_map(|gone| files_below(self.db, gone, MOST_REMOVED));
        let removed: Vec<Removed> = removed.take(MOST_REMOVED).collect();
        let removed = removed.iter().map(|gone| (gone.id, &*gone.path));
        for (id, path) in olds.chain(removed).collect::<BTreeSet<_>>() {
            let found = self.object(id, path);
            for one in &found {
                let print = self.print(one.context.rule, one);
                if wanted.contains(&print)
                    && !before.contains(&print)
                    && self.counted(one, id, path)
                {
                    before.insert(print);
                }
            }
            self.known.insert(id, found);
        }
        let (mut new, mut old) = (BTreeSet::new(), BTreeSet::new());
        let history = addition.commit.and_then(|commit| self.history(commit));
        for mut m in matches {
            let print = self.print_of(&m);
            if before.contains(&print) {
                // What another rule's match covers is not told of twice.
                let covered = m.place.covered.is_some();
                if m.place.dropped.is_none() || covered && !(self.accepts)(&m) {
                    old.insert(print);
                }
                continue;
            }
            if m.place.dropped.is_none() {
                new.insert(print);
            }
            if (m.place.dropped.is_none() || m.place.covered.is_some())
                && let Some((time, history)) = &history
            {
                m.time = Some(*time);
                let histories = &mut self.outcome.histories;
                histories.entry(print).or_insert_with(|| history.clone());
            }
            self.outcome.matches.push(m);
        }
        (new, old)
    }

    /// Whether a match was a finding where it stood.
    fn counted(&self, one: &Located, id: Oid, path: &[u8]) -> bool {
        let (rules, settings) = (self.engine.rules(), &self.options.settings);
        let m = place(rules, &one.context, &one.spot, path, settings);
        m.is_some_and(|mut m| {
            m.place.blob = Some(id);
            let counts = m.place.dropped.is_none() || m.place.covered.is_some();
            counts && !(self.accepts)(&m)
        })
    }

    /// Takes away what a commit removed.
    fn forget(&mut self, removed: &[Removed]) {
        for Removed { path, .. } in removed {
            self.tip.remove(path);
            let below = [path, &b"/"[..]].concat();
            let inside = self.tip.range(below.clone()..);
            let inside: Vec<Vec<u8>> = inside
                .map(|(path, _)| path.clone())
                .take_while(|path| path.starts_with(&below))
                .collect();
            for path in inside {
                self.tip.remove(&path);
            }
        }
    }

    /// A mark wherever the last commit holds a secret that came in covers the commits before it.
    fn cover(&mut self) {
        let mut state: BTreeMap<Fingerprint, Marks> = BTreeMap::new();
        for (path, id) in &self.tip {
            for one in self.known.get(id).into_iter().flatten() {
                let (rules, settings) = (self.engine.rules(), &self.options.settings);
                if let Some(m) = place(rules, &one.context, &one.spot, path, settings) {
                    state.entry(self.print_of(&m)).or_default().add(&m.place);
                }
            }
        }
        if state.is_empty() {
            return;
        }
        let mut matches = std::mem::take(&mut self.outcome.matches);
        for m in &mut matches {
            // A name is no line of a file: no mark stands beside it.
            let is_name = m.place.origin == Origin::Name;
            if m.place.commit.is_some()
                && !is_name
                && let Some(marks) = state.get(&self.print_of(m))
            {
                marks.cover(&mut m.place, AT_TIP);
            }
        }
        self.outcome.matches = matches;
    }

    /// Counts one more path of an object with matches; from too many on, one gap stands for the rest.
    fn is_crowded(&mut self, id: Oid) -> bool {
        let count = self.places.entry(id).or_default();
        *count += 1;
        if *count == MOST_PLACES + 1 {
            self.outcome.summary.gaps.push(Gap {
                path: String::new(),
                reason: format!("object {id} stands at more than {MOST_PLACES} paths"),
            });
        }
        *count > MOST_PLACES
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the fingerprint is made of the secret"
    )]
    fn print(&self, rule: usize, one: &Located) -> Fingerprint {
        let id = self.engine.rules().rule(rule).map_or("", |r| &r.spec().id);
        fingerprint(id, one.context.secret.expose(), &self.options.salt)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the fingerprint is made of the secret"
    )]
    fn print_of(&self, m: &BlobMatch) -> Fingerprint {
        let rule = self.engine.rules().rule(m.rule);
        let id = rule.map_or("", |r| &r.spec().id);
        fingerprint(id, m.secret.expose(), &self.options.salt)
    }

    /// What an object holds; an object that cannot be read is a gap.
    fn object(&mut self, id: Oid, path: &[u8]) -> Vec<Located> {
        if let Some(known) = self.known.get(&id) {
            return known.clone();
        }
        let path = || String::from_utf8_lossy(path).into_owned();
        match self.read(id) {
            Ok(Some(found)) => return found,
            Ok(None) if self.options.promisor => self.outcome.summary.skip(Skip {
                kind: SkipKind::Promised,
                path: path(),
                notable: false,
            }),
            Ok(None) => self.outcome.summary.gaps.push(Gap {
                path: path(),
                reason: format!("object {id} is missing"),
            }),
            Err(reason) => self.outcome.summary.gaps.push(Gap {
                path: path(),
                reason,
            }),
        }
        Vec::new()
    }

    fn read(&mut self, id: Oid) -> Result<Option<Vec<Located>>, String> {
        let text = |error: crate::pack::Error| error.to_string();
        let Some((_, size)) = self.db.header(&id).map_err(text)? else {
            return Ok(None);
        };
        let (engine, settings, limits) = (self.engine, &self.options.settings, self.options.limits);
        self.outcome.summary.bytes += size;
        if size > HELD {
            for folder in self.db.loose() {
                let Some(object) = folder.open(&id).map_err(text)? else {
                    continue;
                };
                let mut windowed = Windowed::new();
                let overlap = 2 * engine.overlap();
                let scratch = &mut self.scratch;
                object
                    .windows((4 << 20) + overlap, overlap, |window| {
                        let window = (window.bytes, window.start, window.last);
                        windowed.push(engine, window, settings, limits, scratch);
                    })
                    .map_err(text)?;
                self.outcome.summary.binary_files += u64::from(windowed.is_binary());
                return Ok(Some(windowed.finish(engine)));
            }
        }
        let Some(stored) = self.db.find(&id, self.options.memory).map_err(text)? else {
            return Ok(None);
        };
        let bytes = &stored.bytes;
        let content = scan_whole(engine, bytes, sort(bytes), limits, &mut self.scratch);
        self.outcome.summary.binary_files += u64::from(content.binary);
        if content.unseen.is_some() {
            let reason = format!(
                "more than {} matches: the rest was not looked at",
                limits.matches
            );
            let path = format!("object {id}");
            self.outcome.summary.gaps.push(Gap { path, reason });
        }
        Ok(Some(located(engine, bytes, content, settings)))
    }

    /// What a commit's or a tag's own text holds.
    fn text(&mut self, id: Oid, origin: Origin) -> Vec<BlobMatch> {
        let found = self.object(id, b"");
        let (rules, settings) = (self.engine.rules(), &self.options.settings);
        let all = found.iter();
        all.filter_map(|one| {
            let mut m = place(
                rules,
                &one.context,
                &one.spot,
                super::audit::MESSAGE,
                settings,
            )?;
            m.place.path.clear();
            m.place.origin = origin;
            m.place.blob = Some(id);
            m.place.commit = Some(id).filter(|_| origin == Origin::Commit);
            Some(m)
        })
        .collect()
    }

    /// What the names on a path hold, each for itself as in an audit.
    fn path_names(&mut self, path: &[u8]) -> Vec<BlobMatch> {
        let ends = memchr::memchr_iter(b'/', path).chain([path.len()]);
        let mut start = 0;
        let mut matches = Vec::new();
        for end in ends {
            let to = path.get(..end).unwrap_or_default();
            matches.extend(self.names(to, start, Origin::Name));
            start = end + 1;
        }
        matches
    }

    /// What speaks for itself in a name, which stands in a path from an offset on to its end.
    fn names(&mut self, path: &[u8], offset: usize, origin: Origin) -> Vec<BlobMatch> {
        let (engine, settings) = (self.engine, &self.options.settings);
        let name = path.get(offset..).unwrap_or_default();
        let mut matches = in_name(
            engine,
            settings,
            self.options.limits,
            name,
            &mut self.scratch,
        )
        .iter()
        .filter_map(|found| in_path(engine, settings, found, path, offset, origin))
        .collect::<Vec<_>>();
        if matches.is_empty() {
            return matches;
        }
        let room = MOST_NAMES.saturating_sub(self.named);
        if self.named <= MOST_NAMES && matches.len() > room {
            self.outcome.summary.gaps.push(Gap {
                path: String::new(),
                reason: format!("more than {MOST_NAMES} secrets in names: the rest is left out"),
            });
        }
        self.named = self.named.saturating_add(matches.len());
        matches.truncate(room);
        matches
    }

    /// What is known of a commit's additions: when, and by whom.
    fn history(&self, commit: Oid) -> Option<(i64, History)> {
        let stored = self.db.find(&commit, TEXT).ok().flatten()?;
        if stored.kind != Kind::Commit {
            return None;
        }
        let first = details(commit, &stored.bytes, &Mailmap::new(&[]));
        let history = History {
            introductions: 1,
            first: Some(first.clone()),
            is_partial: true,
            ..History::default()
        };
        Some((first.date, history))
    }
}

/// Joins what several runs brought.
impl AuditOutcome {
    /// Adds another outcome.
    pub fn merge(&mut self, other: Self) {
        self.matches.extend(other.matches);
        self.notes.extend(other.notes);
        self.unreached.extend(other.unreached);
        let histories: BTreeMap<_, _> = other.histories;
        for (print, history) in histories {
            self.histories.entry(print).or_insert(history);
        }
        self.summary.merge(other.summary);
    }
}
