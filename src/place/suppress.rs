//! What a team accepts, applied to what was found: `[[allow]]`, `.keysweepignore`, and a baseline.
//!
//! It comes after merging, since a fingerprint is a finding's and not a match's. Every entry counts its uses, so that a
//! report can name those that do nothing.

mod matcher;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use self::matcher::{Matcher, Subject};
use super::Note;
use super::baseline::{Baseline, Key};
use crate::config::AllowEntry;
use crate::model::{Cover, Finding, Fingerprint, Idle, Origin, Place};

/// Entries of one folder's files; they hold in it and below.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Relative to the project's root, without a slash at its end; empty for the root.
    pub folder: String,
    /// Where the files lie above the root, the way from there down to it, without a slash at its end.
    pub above: String,
    /// The entries.
    pub entries: Vec<AllowEntry>,
}

/// An entry that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct Error {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong, and how to write it.
    pub what: String,
}

/// All that suppresses.
#[derive(Debug, Default)]
pub struct Suppressions {
    scopes: Vec<Compiled>,
    baseline: Option<Baseline>,
}

#[derive(Debug)]
struct Compiled {
    folder: String,
    /// With a slash at its end, unless it is empty.
    above: Vec<u8>,
    entries: Vec<Matcher>,
    /// Entries by fingerprint, where that is their only criterion: there may be thousands.
    by_print: BTreeMap<Fingerprint, Vec<usize>>,
    /// The others.
    rest: Vec<usize>,
}

/// What was left of findings.
#[derive(Debug, Default)]
pub struct Applied {
    /// Findings with a place that counts.
    pub kept: Vec<Finding>,
    /// Findings without one, those that had none before among them.
    pub dropped: Vec<Finding>,
    /// What did it.
    pub used: Used,
}

/// Which suppressions did something.
#[derive(Debug, Default)]
pub struct Used {
    /// Scope and entry.
    entries: BTreeSet<(usize, usize)>,
    baseline: BTreeSet<Key>,
    /// Findings that the baseline accepted.
    pub by_baseline: u64,
}

impl Suppressions {
    /// Prepares entries.
    ///
    /// # Errors
    /// The first entry without a criterion, or with a glob or a regular expression that is none.
    pub fn new(scopes: Vec<Scope>, baseline: Option<Baseline>) -> Result<Self, Error> {
        let mut all = Vec::new();
        for scope in scopes {
            let entries = scope.entries.into_iter().map(Matcher::new);
            let entries = entries.collect::<Result<Vec<_>, _>>()?;
            let mut compiled = Compiled {
                folder: scope.folder.trim_matches('/').to_owned(),
                above: match &*scope.above {
                    "" => Vec::new(),
                    above => [above.as_bytes(), b"/"].concat(),
                },
                entries,
                by_print: BTreeMap::new(),
                rest: Vec::new(),
            };
            for (number, matcher) in compiled.entries.iter().enumerate() {
                if !matcher.is_print_alone() {
                    compiled.rest.push(number);
                    continue;
                }
                for print in &matcher.prints {
                    compiled.by_print.entry(*print).or_default().push(number);
                }
            }
            all.push(compiled);
        }
        Ok(Self {
            scopes: all,
            baseline,
        })
    }

    /// The baseline, where there is one.
    #[must_use]
    pub fn baseline(&self) -> Option<&Baseline> {
        self.baseline.as_ref()
    }

    /// Entries that did nothing or are over, by file and line; of the baseline only where all was scanned.
    #[must_use]
    pub fn idle(&self, used: &Used, whole: bool, today: Option<Date>) -> Vec<Idle> {
        let mut idle = Vec::new();
        for (number, scope) in self.scopes.iter().enumerate() {
            for (at, matcher) in scope.entries.iter().enumerate() {
                let over = over(&matcher.note, today);
                let unused = !used.entries.contains(&(number, at));
                let reason = over.or_else(|| unused.then(|| NOTHING.to_owned()));
                idle.extend(reason.map(|reason| Idle {
                    path: matcher.entry.file.clone(),
                    line: matcher.entry.line,
                    sort: "entry",
                    reason,
                }));
            }
        }
        let entries = self.baseline.iter().flat_map(|b| &b.entries);
        for (key, entry) in entries {
            let unused = whole && !used.baseline.contains(key);
            let reason = over(&entry.note, today).or_else(|| unused.then(|| NOTHING.to_owned()));
            idle.extend(reason.map(|reason| Idle {
                path: self.baseline.iter().map(|b| b.file.clone()).collect(),
                line: entry.line,
                sort: "baseline",
                reason,
            }));
        }
        idle
    }

    /// How many entries of the baseline no finding met.
    #[must_use]
    pub fn gone(&self, used: &Used) -> u64 {
        let entries = self.baseline.iter().flat_map(|b| b.entries.keys());
        entries.filter(|key| !used.baseline.contains(*key)).count() as u64
    }
}

const NOTHING: &str = "suppresses nothing";

fn over(note: &Note, today: Option<Date>) -> Option<String> {
    let day = note.expires.filter(|_| note.is_over(today))?;
    Some(format!("expired on {day}"))
}

/// Suppresses what is accepted. `locate` gives a place's path relative to the project's root, `None` for one outside of it
/// and for what is no file.
///
/// What a better match covered is judged by itself where a list accepts that match: `Suppressions::yields`.
pub fn apply(
    mut findings: Vec<Finding>,
    mut dropped: Vec<Finding>,
    suppressions: &Suppressions,
    locate: &dyn Fn(&Place) -> Option<Vec<u8>>,
    today: Option<Date>,
) -> Applied {
    for finding in findings.iter_mut().chain(&mut dropped) {
        for place in &mut finding.places {
            if place.covered.is_some() {
                let path = path_of(place, locate);
                let mut seen = place.clone();
                seen.uncover(|cover| !suppressions.yields(cover, place, path.as_deref(), today));
                *place = seen;
            }
        }
    }
    let counts = |f: &mut Finding| f.places.iter().any(|place| place.dropped.is_none());
    findings.extend(dropped.extract_if(.., counts));
    let mut applied = Applied {
        dropped,
        ..Applied::default()
    };
    let mut moved = false;
    for mut finding in findings {
        cover_history(&mut finding);
        suppressions.lists(&mut finding, locate, today, &mut applied.used);
        suppressions.accepted(&mut finding, today, &mut applied.used);
        let counting = finding.places.iter().filter(|p| p.dropped.is_none());
        let score = counting.map(|p| p.score).reduce(f32::max);
        if let Some(score) = score {
            finding.score = score;
            // Those that count come first, in the order that they have.
            finding.places.sort_by_key(|p| p.dropped.is_some());
            applied.kept.push(finding);
        } else {
            moved = true;
            applied.dropped.push(finding);
        }
    }
    let key = |f: &Finding| {
        let first = f.places.first();
        let first = first.map(|p| (p.path.clone(), p.span));
        (first, f.rule.clone(), f.fingerprint)
    };
    applied.kept.sort_by_cached_key(key);
    if moved {
        applied.dropped.sort_by_cached_key(key);
    }
    applied
}

/// A comment that accepts a secret wherever the working tree holds it covers its past, too.
fn cover_history(finding: &mut Finding) {
    let is_past = |p: &Place| p.blob.is_some() || p.commit.is_some();
    let mut here = finding.places.iter().filter(|p| !is_past(p));
    let marked = |p: &Place| {
        let by = p.dropped.as_deref();
        by.filter(|reason| reason.starts_with("suppressed by"))
            .map(str::to_owned)
    };
    let Some(reason) = here.clone().find_map(marked) else {
        return;
    };
    if here.all(|p| p.dropped.is_some()) {
        for place in &mut finding.places {
            if place.dropped.is_none() {
                place.dropped = Some(format!("{reason}, in the working tree"));
            }
        }
    }
}

impl Suppressions {
    /// Drops the places that an entry of a list means.
    fn lists(
        &self,
        finding: &mut Finding,
        locate: &dyn Fn(&Place) -> Option<Vec<u8>>,
        today: Option<Date>,
        used: &mut Used,
    ) {
        if self.scopes.is_empty() {
            return;
        }
        for at in 0..finding.places.len() {
            let Some(place) = finding.places.get(at) else {
                continue;
            };
            if place.dropped.is_some() {
                continue;
            }
            let path = path_of(place, locate);
            let subject = Subject::of(finding, place);
            let (mut reason, mut lapsed) = (None, None);
            for (number, scope) in self.scopes.iter().enumerate() {
                let Some(inside) = scope.inside(path.as_deref()) else {
                    continue;
                };
                let by_print = scope.by_print.get(&finding.fingerprint);
                let all = by_print.into_iter().flatten().chain(&scope.rest);
                for entry in all {
                    let Some(matcher) = scope.entries.get(*entry) else {
                        continue;
                    };
                    if !matcher.matches(&subject, place, inside.as_deref()) {
                        continue;
                    }
                    let AllowEntry { file, line, .. } = &matcher.entry;
                    if let Some(over) = over(&matcher.note, today) {
                        lapsed = Some(format!("{file}:{line} {over}"));
                        continue;
                    }
                    used.entries.insert((number, *entry));
                    let note = &matcher.note;
                    reason.get_or_insert_with(|| format!("suppressed by {file}:{line}{note}"));
                }
            }
            if let Some(place) = finding.places.get_mut(at) {
                if reason.is_none() && lapsed.is_some() {
                    place.lapsed = lapsed;
                }
                place.dropped = reason;
            }
        }
    }

    /// Whether a match that wins over another one is accepted in such a way that the other one is to be judged by itself.
    ///
    /// Whoever accepts a rule, a path, a word or a commit has said nothing of what another rule finds there. Whoever accepts
    /// one value, by its fingerprint, in a baseline or by a comment, has: the same bytes, or a part of them, do not
    /// come back under another name. A baseline accepts all that stood there.
    fn yields(
        &self,
        cover: &Cover,
        place: &Place,
        path: Option<&[u8]>,
        today: Option<Date>,
    ) -> bool {
        let known = self.baseline.as_ref();
        let known = known.and_then(|baseline| baseline.find(&cover.rule, &cover.secret));
        if known.is_some_and(|(_, entry)| entry.counts(today)) {
            return false;
        }
        let subject = Subject::of_cover(cover);
        let (mut by_value, mut by_kind) = (cover.is_marked, false);
        for scope in &self.scopes {
            let Some(inside) = scope.inside(path) else {
                continue;
            };
            for entry in scope.meant(cover.fingerprint) {
                if entry.note.is_over(today) || !entry.matches(&subject, place, inside.as_deref()) {
                    continue;
                }
                if entry.prints.is_empty() {
                    by_kind = true;
                } else {
                    by_value = true;
                }
            }
        }
        if by_value { !cover.is_whole } else { by_kind }
    }

    /// Drops all places of a finding that the baseline accepts.
    fn accepted(&self, finding: &mut Finding, today: Option<Date>, used: &mut Used) {
        let Some(baseline) = &self.baseline else {
            return;
        };
        let Some((key, entry)) = baseline.find(&finding.rule, &finding.credential.secret) else {
            return;
        };
        used.baseline.insert(key);
        let (file, line) = (&baseline.file, entry.line);
        if entry.counts(today) {
            let mut counting = false;
            for place in finding.places.iter_mut().filter(|p| p.dropped.is_none()) {
                counting = true;
                let note = &entry.note;
                place.dropped = Some(format!("suppressed by the baseline {file}:{line}{note}"));
            }
            used.by_baseline += u64::from(counting);
        } else if let Some(over) = over(&entry.note, today) {
            for place in &mut finding.places {
                place.lapsed = Some(format!("{file}:{line} {over}"));
            }
        }
    }
}

/// A place's path relative to the project's root, where it stands in a file or in the name of one.
fn path_of(place: &Place, locate: &dyn Fn(&Place) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    match place.origin {
        Origin::Content | Origin::Name => locate(place),
        Origin::Commit | Origin::Tag | Origin::Ref => None,
    }
}

impl Compiled {
    /// The entries that can mean a finding, by its fingerprint.
    fn meant(&self, print: Fingerprint) -> impl Iterator<Item = &Matcher> {
        let by_print = self.by_print.get(&print).into_iter().flatten();
        let all = by_print.chain(&self.rest);
        all.filter_map(|entry| self.entries.get(*entry))
    }

    /// What of a path is below the folder; `None` where the scope does not hold.
    #[expect(
        clippy::option_option,
        reason = "a scope at the root holds for what has no path, too"
    )]
    fn inside<'p>(&self, path: Option<&'p [u8]>) -> Option<Option<Cow<'p, [u8]>>> {
        if !self.above.is_empty() {
            let whole = path.map(|path| [&self.above, path].concat());
            return Some(whole.map(Cow::Owned));
        }
        if self.folder.is_empty() {
            return Some(path.map(Cow::Borrowed));
        }
        let rest = path?.strip_prefix(self.folder.as_bytes())?;
        rest.strip_prefix(b"/")
            .map(|rest| Some(Cow::Borrowed(rest)))
    }
}

#[cfg(test)]
#[path = "suppress_tests.rs"]
mod tests;
