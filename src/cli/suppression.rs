//! What a project accepts: where its files are, and what they do to what was found.
//!
//! Files of a scanned tree are read as data: bounded, without following links, without waiting on pipes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail};
use jiff::civil::Date;

use keysweep::model::{BaselineCounts, Finding, Idle, MarkAt, Origin, Place};
use keysweep::place::baseline::{self, Baseline};
use keysweep::place::ignore_file;
use keysweep::place::owners::{self, Owners};
use keysweep::place::suppress::{self, Scope, Suppressions};
use keysweep::rule::RuleSet;
use keysweep::scan::{BlobMatch, merge_with};
use keysweep::source::open_regular;

use super::args::CommonArgs;
use super::finish::Results;
use super::project::Project;

/// What is suppressed.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct SuppressionArgs {
    /// A baseline, whose findings do not count; keysweep-baseline.txt of the project's root by default
    #[arg(long, value_name = "FILE", help_heading = "What is reported")]
    pub(crate) baseline: Option<PathBuf>,
    /// Name comments and entries that suppress nothing any more
    #[arg(long, help_heading = "What is reported")]
    pub(crate) report_unused_suppressions: bool,
}

/// Folders that are looked at for ignore files, at most.
const MOST_FOLDERS: usize = 200_000;
/// Ignore files that are read, at most.
const MOST_FILES: usize = 10_000;
/// Folders below the root are entered so deep.
const MOST_DEPTH: usize = 64;

/// The project that was scanned: its root, and how paths of reports lie in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layout {
    /// The git working tree's top, else the scanned folder; `None` for a bare repository or an address.
    pub(crate) root: Option<PathBuf>,
    /// Paths of the tree as reports begin them, each with where that is below the root, where it is.
    bases: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Whether all places count from the root.
    is_repository: bool,
    /// Whether the whole project was scanned.
    pub(crate) whole: bool,
}

impl Layout {
    /// The project that holds paths.
    pub(crate) fn of_paths(paths: &[PathBuf]) -> Self {
        let here = |path: &PathBuf| {
            let path = if path == Path::new("-") {
                Path::new(".")
            } else {
                path
            };
            path.canonicalize().ok()
        };
        let Some(first) = paths.first().and_then(here) else {
            return Self::default();
        };
        let root = root_of(&first);
        let bases = paths.iter().map(|path| {
            let shown = path.to_string_lossy().replace('\\', "/");
            let shown = shown.strip_prefix("./").unwrap_or(&shown);
            let alone = paths.len() == 1 && path.is_dir();
            let shown = if alone {
                ""
            } else {
                shown.trim_end_matches('/')
            };
            let full = path.canonicalize().ok();
            let below = full
                .as_deref()
                .and_then(|full| full.strip_prefix(&root).ok());
            (shown.as_bytes().to_vec(), below.map(slashed))
        });
        Self {
            whole: paths.len() == 1 && first == root,
            bases: bases.collect(),
            is_repository: false,
            root: Some(root),
        }
    }

    /// The project of a repository's working tree.
    pub(crate) fn of_repository(work_tree: Option<&Path>) -> Self {
        Self {
            root: work_tree.map(Path::to_owned),
            is_repository: true,
            ..Self::default()
        }
    }

    /// How paths of reports begin, each with what that is from the root.
    pub(crate) fn below(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let bases = self.bases.iter();
        bases
            .filter_map(|(shown, below)| Some((shown.clone(), below.clone()?)))
            .collect()
    }

    /// Where a place is below the root.
    fn locate(&self, place: &Place) -> Option<Vec<u8>> {
        self.root.as_ref()?;
        if self.is_repository || place.blob.is_some() || place.commit.is_some() {
            return Some(place.path.clone());
        }
        self.bases.iter().find_map(|(shown, below)| {
            let rest = place.path.strip_prefix(&**shown)?;
            let rest = if shown.is_empty() {
                rest
            } else if rest.is_empty() {
                return below.clone();
            } else {
                rest.strip_prefix(b"/")?
            };
            let below = below.as_ref()?;
            let slash: &[u8] = if below.is_empty() { b"" } else { b"/" };
            Some([below, slash, rest].concat())
        })
    }
}

/// The top of the git working tree that holds a path, else the folder itself. A tree above of which somebody else is the
/// owner does not count: what that one accepts is nothing to us.
fn root_of(path: &Path) -> PathBuf {
    let folder = if path.is_dir() {
        path
    } else {
        path.parent().unwrap_or(path)
    };
    let top = folder.ancestors().find(|folder| {
        let there = folder.join(".git").symlink_metadata().is_ok();
        there && (*folder == path || is_own(folder))
    });
    top.unwrap_or(folder).to_owned()
}

#[cfg(unix)]
fn is_own(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::geteuid().as_raw();
    user == 0 || folder.metadata().is_ok_and(|m| m.uid() == user)
}

#[cfg(not(unix))]
fn is_own(_: &Path) -> bool {
    true
}

/// A path's bytes, with `/`.
fn slashed(path: &Path) -> Vec<u8> {
    let names: Vec<&[u8]> = path.iter().map(std::ffi::OsStr::as_encoded_bytes).collect();
    names.join(&b'/')
}

/// Today, in UTC.
pub(crate) fn today() -> Option<Date> {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    let seconds = i64::try_from(since.as_secs()).ok()?;
    let now = jiff::Timestamp::from_second(seconds).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(now).date())
}

/// Refuses what cannot be told from a part of a project, before anything is scanned.
pub(crate) fn check(args: &CommonArgs, layout: &Layout) -> anyhow::Result<()> {
    check_whole(args, layout.whole)
}

/// As [`check`], where it is known what is scanned.
pub(crate) fn check_whole(args: &CommonArgs, whole: bool) -> anyhow::Result<()> {
    if args.suppression.report_unused_suppressions && !whole {
        bail!(
            "--report-unused-suppressions needs the whole project: run it with `keysweep scan --history` in the project's root"
        );
    }
    Ok(())
}

/// Suppresses what is accepted, and names owners.
pub(crate) fn run(results: &mut Results, args: &CommonArgs) -> anyhow::Result<()> {
    let named = args.suppression.baseline.as_deref();
    let named = named.or(args.project.baseline());
    let baseline = match named.filter(|path| args.config.counts(path)) {
        Some(path) => Some(read_baseline(path, true)?),
        None if args.project.is_trusted() => of_project(&results.layout)?,
        None => None,
    };
    apply(results, args, baseline)
}

/// As [`run`], with this baseline or none.
pub(crate) fn apply(
    results: &mut Results,
    args: &CommonArgs,
    baseline: Option<Baseline>,
) -> anyhow::Result<()> {
    let layout = &results.layout;
    let (findings, dropped) = (
        std::mem::take(&mut results.collected.findings),
        std::mem::take(&mut results.collected.dropped),
    );
    let unused = args.suppression.report_unused_suppressions;
    let mut baseline = baseline;
    if let Some(baseline) = &mut baseline {
        baseline.complete(args.project.own_salt())?;
    }
    let suppressions = suppressions(layout, args, &findings, baseline, unused)?;
    let locate = |place: &Place| layout.locate(place);
    let mut applied = suppress::apply(findings, dropped, &suppressions, &locate, today());
    let summary = &mut results.summary;
    let whole = layout.whole && summary.gaps.is_empty() && !summary.cancelled;
    if let Some(baseline) = suppressions.baseline() {
        summary.baseline = Some(BaselineCounts {
            file: baseline.file.clone(),
            entries: baseline.entries.len() as u64,
            accepted: applied.used.by_baseline,
            gone: whole.then(|| suppressions.gone(&applied.used)),
        });
    }
    if unused {
        summary.idle = suppressions.idle(&applied.used, whole, today());
        let marks = std::mem::take(&mut summary.marks);
        let all = applied.kept.iter().chain(&applied.dropped);
        summary.idle.extend(idle_marks(&marks, all));
        summary.sort();
    }
    let any = !applied.kept.is_empty() || !applied.dropped.is_empty();
    let owners = if any {
        owners(layout)
    } else {
        Owners::default()
    };
    if !owners.is_empty() {
        for finding in applied.kept.iter_mut().chain(&mut applied.dropped) {
            give_owners(finding, &owners, &locate);
        }
    }
    results.collected.findings = applied.kept;
    results.collected.dropped = applied.dropped;
    Ok(())
}

/// Whether the project's lists accept a match where it stands; a baseline does not count, it goes by the secret alone.
pub(crate) fn accepts(
    rules: &RuleSet,
    layout: &Layout,
    args: &CommonArgs,
    found: &BlobMatch,
) -> bool {
    let salt = args.project.salt();
    let merged = merge_with(rules, vec![found.clone()], &BTreeMap::new(), salt);
    let all = [&merged.findings[..], &merged.dropped].concat();
    let suppressions = suppressions(layout, args, &all, None, false);
    suppressions.is_ok_and(|suppressions| {
        let locate = |place: &Place| layout.locate(place);
        let (findings, dropped) = (merged.findings, merged.dropped);
        let applied = suppress::apply(findings, dropped, &suppressions, &locate, today());
        applied.kept.is_empty()
    })
}

/// The lists that can mean a place of a finding.
fn suppressions(
    layout: &Layout,
    args: &CommonArgs,
    findings: &[Finding],
    baseline: Option<Baseline>,
    all: bool,
) -> anyhow::Result<Suppressions> {
    let mut scopes = if args.project.is_trusted() {
        scopes(layout, findings, all)?
    } else {
        Vec::new()
    };
    scopes.extend(args.project.allowed(layout.root.as_deref()));
    Ok(Suppressions::new(scopes, baseline)?)
}

/// Comments at which nothing is suppressed, or that are over.
fn idle_marks<'f>(marks: &[MarkAt], findings: impl Iterator<Item = &'f Finding>) -> Vec<Idle> {
    let mut used: BTreeMap<(&[u8], u32), BTreeSet<&str>> = BTreeMap::new();
    for finding in findings {
        for place in &finding.places {
            let by = place.dropped.as_deref().unwrap_or_default();
            if place.blob.is_some() || !by.starts_with("suppressed by `keysweep:allow`") {
                continue;
            }
            // On the first or the last line, or alone on the line above.
            for line in [
                place.start.line,
                place.end.line,
                place.start.line.saturating_sub(1),
            ] {
                let rules = used.entry((&place.path, line)).or_default();
                rules.insert(&finding.rule);
            }
        }
    }
    let mut idle = Vec::new();
    for mark in marks {
        let rules = used.get(&(&*mark.path, mark.line));
        let is_used = rules.is_some_and(|rules| {
            mark.rules.is_empty() || mark.rules.iter().any(|rule| rules.contains(&**rule))
        });
        let reason = match &mark.expired {
            Some(lapse) => lapse.clone(),
            None if is_used => continue,
            None => "suppresses nothing".to_owned(),
        };
        idle.push(Idle {
            path: String::from_utf8_lossy(&mark.path).into_owned(),
            line: mark.line,
            sort: "comment",
            reason,
        });
    }
    idle
}

/// A file of the project, if it is a regular file and no link leads to it.
fn project_file(root: &Path, path: &str, most: u64) -> anyhow::Result<Option<Vec<u8>>> {
    let mut full = root.to_owned();
    let mut names = path.split('/').peekable();
    while let Some(name) = names.next() {
        full.push(name);
        let is_folder = |path: &Path| path.symlink_metadata().is_ok_and(|m| m.is_dir());
        if names.peek().is_some() && !is_folder(&full) {
            return Ok(None);
        }
    }
    // As for keysweep.toml: no link is followed, and nobody is to think that one was.
    if full.is_symlink() {
        bail!(
            "{path}: is a symbolic link; put a regular file there, or leave it out with --no-repo-config"
        );
    }
    // What may not be read is a gap of the scan already.
    let Ok(content) = open_regular(&full, false) else {
        return Ok(None);
    };
    if content.length > most {
        bail!(
            "{path}: larger than {} MB, which no such file should be",
            most >> 20
        );
    }
    let mut bytes = Vec::new();
    let read = content.read_whole(&mut bytes, most + 1);
    let read = read.with_context(|| path.to_owned())?;
    if read as u64 > most {
        bail!("{path}: grew beyond {} MB while it was read", most >> 20);
    }
    bytes.truncate(read);
    Ok(Some(bytes))
}

/// The entries of ignore files: those that can mean a place of a finding, or all.
fn scopes(layout: &Layout, findings: &[Finding], all: bool) -> anyhow::Result<Vec<Scope>> {
    let Some(root) = &layout.root else {
        return Ok(Vec::new());
    };
    let mut folders = BTreeSet::from([String::new()]);
    for place in findings.iter().flat_map(|f| &f.places) {
        let counts = place.dropped.is_none() || place.covered.is_some();
        if !counts || !matches!(place.origin, Origin::Content | Origin::Name) {
            continue;
        }
        let Some(path) = layout.locate(place) else {
            continue;
        };
        let path = String::from_utf8_lossy(&path);
        let mut folder = &*path;
        while let Some((above, _)) = folder.rsplit_once('/') {
            folder = above;
            let odd = folder
                .split('/')
                .any(|name| matches!(name, "" | "." | ".." | ".git"));
            if odd || folders.len() >= MOST_FOLDERS || !folders.insert(folder.to_owned()) {
                break;
            }
        }
    }
    if all {
        folders_below(root, &mut folders);
    }
    let mut scopes = Vec::new();
    for folder in folders {
        let slash = if folder.is_empty() { "" } else { "/" };
        let name = format!("{folder}{slash}{}", ignore_file::NAME);
        let Some(bytes) = project_file(root, &name, ignore_file::MOST_BYTES)? else {
            continue;
        };
        if scopes.len() == MOST_FILES {
            bail!("more than {MOST_FILES} files {}", ignore_file::NAME);
        }
        let entries = ignore_file::parse(&name, &bytes)?;
        scopes.push(Scope {
            folder,
            entries,
            ..Scope::default()
        });
    }
    Ok(scopes)
}

/// Every folder of the tree; links are not followed, repositories inside are not entered.
fn folders_below(root: &Path, folders: &mut BTreeSet<String>) {
    let mut queue = vec![(root.to_owned(), String::new(), 0)];
    while let Some((path, shown, depth)) = queue.pop() {
        let Ok(list) = std::fs::read_dir(&path) else {
            continue;
        };
        for entry in list.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| *name != ".git") else {
                continue;
            };
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if !is_folder || depth == MOST_DEPTH || folders.len() >= MOST_FOLDERS {
                continue;
            }
            let slash = if shown.is_empty() { "" } else { "/" };
            let shown = format!("{shown}{slash}{name}");
            folders.insert(shown.clone());
            queue.push((entry.path(), shown, depth + 1));
        }
    }
}

/// The baseline that lies in the project's root, if one does.
fn of_project(layout: &Layout) -> anyhow::Result<Option<Baseline>> {
    let Some(root) = &layout.root else {
        return Ok(None);
    };
    let bytes = project_file(root, baseline::NAME, baseline::MOST_BYTES)?;
    let read = bytes.map(|bytes| Baseline::parse(baseline::NAME, &bytes));
    Ok(read.transpose()?)
}

/// Where the baseline is: as named, else as configured, else in the root of the project that holds the path.
pub(crate) fn baseline_path(
    named: Option<&Path>,
    project: &Project,
    layout: &Layout,
) -> anyhow::Result<PathBuf> {
    match (named.or(project.baseline()), &layout.root) {
        (Some(path), _) => Ok(path.to_owned()),
        (None, Some(root)) => Ok(root.join(baseline::NAME)),
        (None, None) => bail!("this has no working tree to hold a baseline; name a file"),
    }
}

/// Reads a baseline that must be there.
pub(crate) fn read_baseline(path: &Path, follow: bool) -> anyhow::Result<Baseline> {
    let shown = path.display().to_string();
    let content = open_regular(path, follow).with_context(|| {
        format!("{shown}: cannot read the baseline; `keysweep baseline create` makes one")
    })?;
    if content.length > baseline::MOST_BYTES {
        bail!("{shown}: larger than {} MB", baseline::MOST_BYTES >> 20);
    }
    let mut bytes = Vec::new();
    let read = content.read_whole(&mut bytes, baseline::MOST_BYTES);
    let read = read.with_context(|| shown.clone())?;
    bytes.truncate(read);
    Ok(Baseline::parse(&shown, &bytes)?)
}

/// Who owns what, as the project's first CODEOWNERS says.
fn owners(layout: &Layout) -> Owners {
    let mut files = layout.root.iter().filter_map(|root| {
        let read = |path: &&str| project_file(root, path, owners::MOST_BYTES).ok().flatten();
        owners::FILES.iter().find_map(read)
    });
    let first = files.next();
    first.map_or_else(Owners::default, |bytes| Owners::parse(&bytes))
}

/// The owners of all files that hold a finding, those of its first place first.
fn give_owners(finding: &mut Finding, owners: &Owners, locate: &dyn Fn(&Place) -> Option<Vec<u8>>) {
    const MOST: usize = 100;
    let mut seen = BTreeSet::new();
    let mut all: Vec<String> = Vec::new();
    let counting = finding.places.iter().any(|p| p.dropped.is_none());
    let places = finding.places.iter();
    for place in places.filter(|p| p.dropped.is_none() || !counting) {
        if !matches!(place.origin, Origin::Content | Origin::Name) {
            continue;
        }
        let Some(path) = locate(place).filter(|path| seen.insert(path.clone())) else {
            continue;
        };
        for owner in owners.of(&path) {
            if all.len() < MOST && !all.contains(owner) {
                all.push(owner.clone());
            }
        }
    }
    finding.owners = all;
}
