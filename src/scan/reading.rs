//! The last step of an audit: from units of attribution to matches at their paths and commits.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::audit::{Audit, AuditOptions, AuditOutcome, Leaks, MESSAGE, leak, print_of};
use super::blob::{located, scan_whole};
use super::carry::Carriers;
use super::join::{Context, Located, Spot, place};
use super::marks::Marks;
use super::objects::{Found, Item};
use super::recall::{Contexts, leak_of};
use super::{BlobMatch, Engine, Limits, Scratch, Settings};
use crate::history::{Attribution, Joined, Mailmap, Objects, Tip, Unit, details};
use crate::model::{Commit, Fingerprint, History, Oid, Origin, Position, Span};
use crate::pack::Kind;

/// Most bytes of a commit, a tag, or a mailmap.
const TEXT: u64 = 16 << 20;
/// The score from which on the versions of a file that are shown leave no doubt.
const PLAIN: f32 = 0.5;
/// What is said of a place in the past that a mark of today covers.
const IN_HEAD: &str = "a comment in HEAD";
/// The name under which the commit that is checked out is a tip.
const HEAD: &str = "HEAD";

/// Orders refs as reports name them: HEAD, branches, tags, remote branches, others; each sort by name.
pub(super) fn by_sort(tips: &[Tip]) -> Vec<Tip> {
    let sort = |tip: &Tip| {
        let sorts = [HEAD, "refs/heads/", "refs/tags/", "refs/remotes/"];
        let sort = sorts.iter().position(|prefix| tip.name.starts_with(prefix));
        sort.unwrap_or(sorts.len())
    };
    let mut tips: Vec<(usize, &Tip)> = tips.iter().map(|tip| (sort(tip), tip)).collect();
    tips.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.name.cmp(&other.name)));
    tips.into_iter().map(|(_, tip)| tip.clone()).collect()
}

/// The secrets in names of files and folders.
pub(super) struct Names<'n, 'e> {
    pub(super) carriers: &'n Carriers<'e>,
    pub(super) options: &'n AuditOptions,
    /// Name, leak, and where it stands in the name.
    pub(super) found: Mutex<Vec<(Vec<u8>, u32, Located)>>,
}

/// Finds what speaks for itself in a name.
pub(super) fn in_name(
    engine: &Engine,
    settings: &Settings,
    limits: Limits,
    name: &[u8],
    scratch: &mut Scratch,
) -> Vec<Located> {
    let content = scan_whole(engine, name, (true, None), limits, scratch);
    located(engine, name, content, settings)
}

/// A match in a name that begins at an offset of a path.
pub(super) fn in_path(
    engine: &Engine,
    settings: &Settings,
    found: &Located,
    path: &[u8],
    offset: usize,
    origin: Origin,
) -> Option<BlobMatch> {
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
    let mut m = place(engine.rules(), &found.context, &spot, path, settings)?;
    m.place.origin = origin;
    Some(m)
}

impl Names<'_, '_> {
    /// The leaks in a name.
    pub(super) fn scan(&self, name: &[u8], leaks: &Mutex<Leaks>) -> Vec<u32> {
        if !self.options.metadata {
            return Vec::new();
        }
        let (settings, limits) = (&self.options.settings, self.options.limits);
        let engine = self.carriers.engine;
        let found = self
            .carriers
            .with(|carrier| in_name(engine, settings, limits, name, carrier.scratch()));
        if found.is_empty() {
            return Vec::new();
        }
        let mut leaks = leaks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let mut numbers = Vec::new();
        for one in found {
            let (rule, secret) = (one.context.rule, &one.context.secret);
            let print = print_of(engine, &self.options.salt, rule, secret);
            let number = leak(&mut leaks, rule, print);
            numbers.push(number);
            all.push((name.to_vec(), number, one));
        }
        numbers
    }
}

/// From units to matches.
pub(super) struct Reading<'r, 'e> {
    pub(super) engine: &'r Engine,
    pub(super) carriers: &'r Carriers<'e>,
    pub(super) options: &'r AuditOptions,
    pub(super) what: Audit<'r>,
    pub(super) objects: &'r Objects,
    pub(super) found: &'r Found,
    pub(super) contexts: &'r Contexts,
    pub(super) leaks: &'r Leaks,
    pub(super) pool: &'r rayon::ThreadPool,
    /// Whether something that is known turned out not to be so.
    pub(super) stale: AtomicBool,
    pub(super) names: Vec<(Vec<u8>, u32, Located)>,
    /// When each commit was made, by its id.
    pub(super) times: Vec<(Oid, i64)>,
    pub(super) recent: Option<BTreeSet<Oid>>,
    pub(super) commits: HashMap<Oid, Option<Commit>>,
    pub(super) outcome: AuditOutcome,
}

impl Reading<'_, '_> {
    pub(super) fn run(&mut self, attribution: &Attribution) {
        self.names.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        self.names
            .dedup_by(|b, a| (&a.0, a.1, a.2.spot) == (&b.0, b.1, b.2.spot));
        self.prepare(attribution);
        let mut counting: BTreeMap<u32, (Fingerprint, Vec<usize>)> = BTreeMap::new();
        let mut waiting = counting.clone();
        let leaks = self.recent_leaks(attribution);
        let this = &*self;
        // What is said of a secret's past is that of all its places, whichever are shown.
        let matches = |unit: &Unit| match unit.origin {
            _ if !leaks.contains(&unit.leak) => Vec::new(),
            Origin::Content => this.content(unit),
            Origin::Name => this.name(unit),
            _ => this.text(unit),
        };
        let units = attribution.units.par_iter();
        let all: Vec<Vec<BlobMatch>> = this.pool.install(|| units.map(matches).collect());
        // Of each leak, whether HEAD holds it with a mark, and whether without.
        let mut heads: BTreeMap<u32, Marks> = BTreeMap::new();
        for (unit, matches) in attribution.units.iter().zip(&all) {
            if !unit.in_head || !matches!(unit.origin, Origin::Content | Origin::Name) {
                continue;
            }
            for m in matches {
                if unit.origin == Origin::Name || m.place.blob == unit.head_object {
                    heads.entry(unit.leak).or_default().add(&m.place);
                }
            }
        }
        for (number, (unit, mut matches)) in attribution.units.iter().zip(all).enumerate() {
            // A mark wherever HEAD holds a secret covers its past.
            if let Some(marks) = heads.get(&unit.leak) {
                let places = matches.iter_mut().map(|m| &mut m.place);
                places.for_each(|place| marks.cover(place, IN_HEAD));
            }
            let open = matches.iter().find(|m| m.place.dropped.is_none());
            // What better matches cover counts where those are accepted.
            let covered = || matches.iter().find(|m| m.place.covered.is_some());
            let into = if open.is_some() {
                &mut counting
            } else {
                &mut waiting
            };
            if let Some(first) = open.or_else(covered) {
                let print = self.fingerprint(first);
                let entry = into.entry(unit.leak);
                entry.or_insert((print, Vec::new())).1.push(number);
            }
            if self.is_recent(unit) {
                self.outcome.matches.extend(matches);
            }
        }
        waiting.retain(|leak, _| !counting.contains_key(leak));
        let heads = self.what.tips.iter().take_while(|tip| tip.name == HEAD);
        let most = heads.count() + History::NAMED;
        let both = counting.into_values().chain(waiting.into_values());
        let wanted: Vec<(Fingerprint, Vec<usize>)> = both.collect();
        let joined = |(_, units): &(_, Vec<usize>)| attribution.history_with(units, most);
        let joined: Vec<Joined> = self
            .pool
            .install(|| wanted.par_iter().map(joined).collect());
        let named = joined.iter().flat_map(|joined| [joined.first, joined.last]);
        self.read_commits(named.flatten().collect());
        for ((print, _), joined) in wanted.iter().zip(joined) {
            let history = self.history(&joined);
            self.outcome.histories.insert(*print, history);
        }
    }

    fn is_recent(&self, unit: &Unit) -> bool {
        self.recent.as_ref().is_none_or(|recent| {
            let mut commits = unit.introductions.iter().map(|(commit, _)| commit);
            commits.any(|commit| recent.contains(commit))
        })
    }

    /// The leaks with a recent unit.
    fn recent_leaks(&self, attribution: &Attribution) -> HashSet<u32> {
        let units = attribution.units.iter();
        let recent = units.filter(|unit| self.is_recent(unit));
        recent.map(|unit| unit.leak).collect()
    }

    /// Reads again what will be shown of past runs' matches.
    fn prepare(&self, attribution: &Attribution) {
        let leaks = self.recent_leaks(attribution);
        let units = attribution.units.iter();
        let units = units.filter(|unit| leaks.contains(&unit.leak));
        let shown = units.flat_map(|unit| {
            let introduced = unit.introductions.iter().map(|(_, object)| object);
            let first = unit.objects.first().filter(|_| introduced.len() == 0);
            introduced.chain(&unit.head_object).chain(first)
        });
        let shown = shown.map(|object| (object, self.all_items(object)));
        let db = &self.objects.db;
        let recall = |id: &Oid, items: &[Item]| self.recall(id, items);
        let good = self.contexts.recall_all(shown, db, self.pool, recall);
        if !good {
            self.stale.store(true, Ordering::Relaxed);
        }
    }

    fn recall(&self, object: &Oid, items: &[Item]) -> bool {
        let leak =
            |context: &Context| leak_of(self.engine, &self.options.salt, self.leaks, context);
        let (carriers, objects) = (self.carriers, self.objects);
        self.contexts
            .recall(carriers, self.options, objects, (object, items), leak)
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
            && !self.recall(object, all)
        {
            self.stale.store(true, Ordering::Relaxed);
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
            out.extend(self.matches(object, unit.leak, path, unit.head_commit));
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
            let settings = &self.options.settings;
            let mut m = in_path(
                self.engine,
                settings,
                found,
                &unit.path,
                slash,
                Origin::Name,
            )?;
            m.place.commit = commit;
            m.place.blob = unit.introductions.first().map(|(_, object)| *object);
            m.time = Some(self.time(commit));
            Some(m)
        })
        .collect()
    }

    fn history(&self, joined: &Joined) -> History {
        let (tips, more_tips) = self.named(&joined.tips, joined.tips_count);
        let (refs, more_refs) = self.named(&joined.refs, joined.refs_count);
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
            or_earlier: false,
            exposed_days: u32::try_from(seconds / 86_400).unwrap_or(0),
            first: joined.first.and_then(|id| self.commit(id)),
            last: joined.last.and_then(|id| self.commit(id)),
        }
    }

    /// The names of the first of these tips, and how many more there are of so many. HEAD, which comes first, is told of
    /// elsewhere.
    fn named(&self, tips: &[usize], count: usize) -> (Vec<String>, u64) {
        let name = |tip: &usize| self.what.tips.get(*tip).map_or("", |tip| &*tip.name);
        let heads = tips.iter().take_while(|tip| name(tip) == HEAD).count();
        let shown = tips.iter().skip(heads).take(History::NAMED);
        let names: Vec<String> = shown.map(|tip| name(tip).to_owned()).collect();
        let more = count.saturating_sub(heads + names.len()) as u64;
        (names, more)
    }

    /// What a report says of a commit that was read.
    fn commit(&self, id: Oid) -> Option<Commit> {
        self.commits.get(&id).cloned().flatten()
    }

    /// Reads what a report says of some commits.
    fn read_commits(&mut self, ids: BTreeSet<Oid>) {
        let head = self.what.refs.head;
        let bytes = head.filter(|_| !ids.is_empty());
        let bytes = bytes.and_then(|head| mailmap(self.objects, head));
        let mailmap = Mailmap::new(&bytes.unwrap_or_default());
        let db = &self.objects.db;
        let mut ids: Vec<Oid> = ids.into_iter().collect();
        ids.sort_by_cached_key(|id| db.place(id));
        let read = |id: &Oid| {
            let stored = db.find(id, TEXT).ok().flatten();
            (
                *id,
                stored.map(|stored| details(*id, &stored.bytes, &mailmap)),
            )
        };
        self.commits = self.pool.install(|| ids.par_iter().map(read).collect());
    }

    /// Secrets in the names of refs.
    pub(super) fn ref_names(&mut self) {
        let (settings, limits) = (&self.options.settings, self.options.limits);
        let mut scratch = Scratch::default();
        for tip in self.what.tips {
            let path = tip.name.as_bytes();
            for found in in_name(self.engine, settings, limits, path, &mut scratch) {
                let m = in_path(self.engine, settings, &found, path, 0, Origin::Ref);
                let Some(mut m) = m else {
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
