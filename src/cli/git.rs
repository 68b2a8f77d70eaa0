//! `keysweep git`: a repository's history, or what is added to it.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use anyhow::{Context, bail};

use keysweep::config::globs;
use keysweep::history::{
    Error, Refs, Repo, Revisions, Tip, Trust, parse_range, range, refs, since, staged, unstaged,
};
use keysweep::model::{Gap, Observer, Oid, Skip, SkipKind, Stage};
use keysweep::pack::{Db, Kind};
use keysweep::scan::{
    AddedOptions, Addition, Audit, AuditOptions, AuditOutcome, BlobMatch, CacheFolder, Engine,
    Input, Limits, Options, Since, audit, merge_with, scan_added, scan_tree,
};

use super::args::{GitArgs, PackEngine, ScanArgs, Shared};
use super::exit::Exit;
use super::finish::{self, Results, Wrap};
use super::progress::Progress;
use super::project;
use super::suppression::{self, Layout};

/// Bytes for objects, and for what is known of trees.
pub(crate) const MEMORY: u64 = 256 << 20;
/// Packs up to this are read into memory.
pub(crate) const LOAD: u64 = 1 << 30;

/// What a repository brought.
pub(crate) struct Scanned {
    pub(crate) outcome: AuditOutcome,
    /// HEAD's commit and branch.
    pub(crate) revision: Option<String>,
    pub(crate) branch: Option<String>,
    /// The working tree that the repository's files belong to.
    work_tree: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &GitArgs, shared: &Shared) -> anyhow::Result<Exit> {
    run_with(args, shared, &|reporter| reporter)
}

/// The same with a reporter of the caller's.
pub(crate) fn run_with(args: &GitArgs, shared: &Shared, wrap: Wrap<'_>) -> anyhow::Result<Exit> {
    let (args, shared) = &project::of_git(args, shared)?;
    let project = &args.common.project;
    finish::check(shared)?;
    let address = args.repo.to_str().filter(|text| is_address(text));
    let address = address.filter(|_| !args.repo.exists());
    // The rules are made ready beside.
    let (engine, opened) = std::thread::scope(|scope| {
        let opened = scope.spawn(|| address.is_none().then(|| Opened::of(&args.repo)));
        (super::scan::engine(&args.common), opened.join())
    });
    let engine = engine?;
    let is_whole = !args.staged
        && !args.unstaged
        && args.range.is_none()
        && args.since.is_none()
        && args.branch.is_empty();
    suppression::check_whole(&args.common, is_whole)?;
    let started = Instant::now();
    let progress = Progress::start(shared.quiet);
    let (scanned, root) = if let Some(address) = address {
        if args.staged || args.unstaged {
            bail!("--staged and --unstaged need a working tree; an address has none");
        }
        remote(&engine, address, args, shared, &progress)?
    } else {
        let opened = opened.ok().flatten();
        let opened = opened.unwrap_or_else(|| Opened::of(&args.repo))?;
        let scanned = of_repository(&engine, args, opened, &progress)?;
        (scanned, args.repo.display().to_string())
    };
    let counters = progress.end();
    counters.stage(Stage::Settle);
    let mut outcome = scanned.outcome;
    project.account(engine.rules(), &mut outcome.summary, shared);
    let mut layout = Layout::of_repository(scanned.work_tree.as_deref());
    layout.whole = is_whole && args.within.is_empty();
    if let Some(within) = globs(&args.within)? {
        // The texts of commits and tags lie nowhere, so they count everywhere.
        outcome.matches.retain(|m| {
            let path = String::from_utf8_lossy(&m.place.path);
            path.is_empty() || within.is_match(&*path)
        });
    }
    if shared.verbose > 0 {
        for note in &outcome.notes {
            let _ = writeln!(io::stderr(), "keysweep: {note}");
        }
    }
    let rules = engine.rules();
    let results = Results {
        collected: merge_with(rules, outcome.matches, &outcome.histories, project.salt()),
        summary: outcome.summary,
        root,
        elapsed: started.elapsed(),
        counters,
        revision: scanned.revision,
        branch: scanned.branch,
        layout,
    };
    let reporter = wrap(finish::reporter(shared)?);
    let exit = finish::run_with(&*reporter, &engine, results, &args.common, shared);
    // Ten thousand small pieces without a secret, and the program ends.
    std::mem::forget(engine);
    exit
}

/// Whether a text is an address for git: `https://host/path`, `user@host:path`.
pub(crate) fn is_address(text: &str) -> bool {
    let host = text.split_once(':').map(|(host, _)| host);
    text.contains("://") || host.is_some_and(|host| host.contains('@') && !host.contains('/'))
}

#[cfg(feature = "online")]
fn remote(
    engine: &Engine,
    address: &str,
    args: &GitArgs,
    shared: &Shared,
    progress: &Progress,
) -> anyhow::Result<(Scanned, String)> {
    let shown = super::clone::without_login(address);
    super::console::say(shared, &format!("cloning {shown}"));
    let clone = super::clone::Clone::of(address)?;
    let local = GitArgs {
        repo: clone.path().to_owned(),
        // A clone is never audited again.
        no_cache: true,
        ..args.clone()
    };
    let opened = Opened::with(&local.repo, &Trust::default())?;
    let scanned = of_repository(engine, &local, opened, progress)?;
    Ok((scanned, shown))
}

#[cfg(not(feature = "online"))]
fn remote(
    _: &Engine,
    _: &str,
    _: &GitArgs,
    _: &Shared,
    _: &Progress,
) -> anyhow::Result<(Scanned, String)> {
    bail!("this keysweep was built without network code; clone the repository and name its folder")
}

/// What plain `keysweep` scans: the working tree and history of the repository that holds the current folder, or that
/// folder alone where there is none.
pub(crate) fn whole() -> ScanArgs {
    let here = Path::new(".");
    let found = Repo::discover(here, &trust(here));
    let is_root = |tree: &PathBuf| here.canonicalize().is_ok_and(|here| here == *tree);
    match found {
        Ok(repo) => {
            let tree = repo.work_tree.filter(|tree| !is_root(tree));
            ScanArgs::whole(tree.unwrap_or_else(|| here.to_owned()), true)
        }
        Err(error) => ScanArgs::whole(here.to_owned(), is_broken(&error, here)),
    }
}

/// Whether a repository is there that cannot be opened, so that its history is missing and not only absent.
pub(crate) fn is_broken(error: &Error, path: &Path) -> bool {
    let Error::NoRepository { .. } = error else {
        return true;
    };
    let start = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    start.ancestors().any(|folder| {
        // An empty `.git` holds nothing, and a link that leads nowhere is none.
        let inside = std::fs::read_dir(folder.join(".git"));
        inside.is_ok_and(|mut list| list.next().is_some())
    })
}

/// Scans a repository on this machine.
pub(crate) fn history(
    engine: &Engine,
    args: &GitArgs,
    progress: &Progress,
) -> anyhow::Result<Scanned> {
    of_repository(engine, args, Opened::of(&args.repo)?, progress)
}

/// A repository and its refs.
struct Opened {
    repo: Repo,
    refs: Refs,
}

impl Opened {
    /// The one of a path that the user named.
    fn of(path: &Path) -> Result<Self, Error> {
        Self::with(path, &trust(path))
    }

    fn with(path: &Path, trust: &Trust) -> Result<Self, Error> {
        let repo = Repo::discover(path, trust)?;
        let refs = refs(&repo)?;
        Ok(Self { repo, refs })
    }
}

fn of_repository(
    engine: &Engine,
    args: &GitArgs,
    Opened { repo, refs }: Opened,
    progress: &Progress,
) -> anyhow::Result<Scanned> {
    let mut outcome = one(engine, &repo, &refs, args, progress)?;
    if let Some(top) = &repo.work_tree {
        let project = &args.common.project;
        project.judge_history(engine, &mut outcome, top, &args.common);
    }
    if args.recurse_submodules {
        let (submodules, gaps) = repo.submodules();
        outcome.summary.gaps.extend(gaps);
        for submodule in submodules {
            let part = history_of(engine, &submodule.git_dir, args, progress);
            let name = submodule.name;
            match part {
                Ok(mut part) => {
                    for m in &mut part.matches {
                        m.place.path = [name.as_bytes(), b"/", &m.place.path].concat();
                    }
                    outcome.merge(part);
                }
                Err(error) => outcome.summary.gaps.push(Gap {
                    path: name,
                    reason: format!("{error:#}"),
                }),
            }
        }
    }
    outcome.summary.sort();
    Ok(Scanned {
        outcome,
        revision: refs.head.map(|id| id.to_string()),
        branch: refs.head_name,
        work_tree: repo.work_tree,
    })
}

/// A submodule's history. Its folder was found below the repository's own.
fn history_of(
    engine: &Engine,
    git_dir: &Path,
    args: &GitArgs,
    progress: &Progress,
) -> anyhow::Result<AuditOutcome> {
    let trust = Trust {
        git_dir: Some(git_dir.to_owned()),
        ..Trust::default()
    };
    let repo = Repo::discover(git_dir, &trust)?;
    let refs = refs(&repo)?;
    let tips = all_tips(&refs);
    let options = audit_options(args, None);
    let what = Audit {
        repo: &repo,
        refs: &refs,
        tips: &tips,
    };
    let mut outcome = audit(engine, what, &options, progress.observer())?;
    tell_of_shallow(&repo, &mut outcome);
    Ok(outcome)
}

/// What came with a commit whose parents are not here may be older.
fn mark_shallow(repo: &Repo, outcome: &mut AuditOutcome) {
    for history in outcome.histories.values_mut() {
        let first = history.first.as_ref();
        history.or_earlier = first.is_some_and(|c| repo.shallow.binary_search(&c.id).is_ok());
    }
}

/// A shallow clone's oldest commits hold what older ones brought, and what those removed is not here.
fn tell_of_shallow(repo: &Repo, outcome: &mut AuditOutcome) {
    let count = repo.shallow.len() as u64;
    if count == 0 {
        return;
    }
    mark_shallow(repo, outcome);
    *outcome
        .summary
        .skipped
        .entry(SkipKind::Shallow)
        .or_default() += count;
    let ends = if count == 1 {
        "1 commit"
    } else {
        "some commits"
    };
    outcome.summary.notes.push(format!(
        "shallow clone: what was before {ends} is not here, so a secret may be older than the commit named for it; git fetch --unshallow brings the rest"
    ));
}

fn one(
    engine: &Engine,
    repo: &Repo,
    refs: &Refs,
    args: &GitArgs,
    progress: &Progress,
) -> anyhow::Result<AuditOutcome> {
    if args.staged || args.range.is_some() {
        return added(engine, repo, refs, args, progress);
    }
    if args.unstaged {
        return changed(engine, repo, args, progress);
    }
    let mut tips = all_tips(refs);
    let mut recent = None;
    if !args.branch.is_empty() || args.since.is_some() {
        let (db, _) = repo.objects();
        let revisions = Revisions {
            repo,
            db: &db,
            refs,
        };
        if !args.branch.is_empty() {
            tips = branches(&revisions, &args.branch)?;
        }
        if let Some(text) = &args.since {
            recent = Some(match since(text, now())? {
                Some(time) => Since::Time(time),
                None => Since::Commit(revisions.commit(text).with_context(|| {
                    format!(
                        "--since {text}: no commit, and no date such as 2026-01-31, 2026-01-31T08:00:00Z or '2 weeks ago'"
                    )
                })?),
            });
        }
    }
    if args.engine == PackEngine::Whole && !repo.gaps.is_empty() {
        bail!(
            "--engine whole reads through libgit2, which follows alternates that are not to be followed here; use --engine delta"
        );
    }
    let what = Audit {
        repo,
        refs,
        tips: &tips,
    };
    let options = audit_options(args, recent);
    let mut outcome = audit(engine, what, &options, progress.observer())?;
    tell_of_shallow(repo, &mut outcome);
    Ok(outcome)
}

fn audit_options(args: &GitArgs, since: Option<Since>) -> AuditOptions {
    AuditOptions {
        threads: args.common.threads(),
        settings: args.common.settings(),
        limits: Limits::default(),
        memory: MEMORY,
        load: LOAD,
        metadata: !args.no_metadata,
        all_objects: args.all_objects,
        since,
        cache: cache(args),
        whole: args.engine == PackEngine::Whole,
        now: now(),
        salt: args.common.project.salt().to_vec(),
    }
}

/// Everything that refs, HEAD and the HEADs of work trees name.
fn all_tips(refs: &Refs) -> Vec<Tip> {
    let mut tips = refs.tips.clone();
    tips.extend(refs.work_trees.iter().cloned());
    tips.extend(refs.head.map(|target| Tip {
        name: "HEAD".to_owned(),
        target,
    }));
    tips
}

fn branches(revisions: &Revisions<'_>, names: &[String]) -> anyhow::Result<Vec<Tip>> {
    let tip = |name: &String| {
        let commit = revisions.commit(name)?;
        let full = ["", "refs/", "refs/heads/", "refs/tags/", "refs/remotes/"];
        let full = full.map(|prefix| format!("{prefix}{name}"));
        let mut tips = revisions.refs.tips.iter();
        let known = tips.find(|tip| full.contains(&tip.name));
        Ok(Tip {
            name: known.map_or_else(|| name.clone(), |tip| tip.name.clone()),
            // An annotated tag has a text of its own.
            target: known.map_or(commit, |tip| tip.target),
        })
    };
    names.iter().map(tip).collect()
}

/// What the index or a range of commits adds.
fn added(
    engine: &Engine,
    repo: &Repo,
    refs: &Refs,
    args: &GitArgs,
    progress: &Progress,
) -> anyhow::Result<AuditOutcome> {
    let (db, errors) = repo.objects();
    let mut gaps: Vec<Gap> = errors
        .iter()
        .map(|error| Gap {
            path: String::new(),
            reason: error.to_string(),
        })
        .collect();
    gaps.extend(repo.gaps.iter().cloned());
    let mut additions = Vec::new();
    let mut promised = Vec::new();
    if let Some(text) = &args.range {
        let ends = ends(text, &args.not, repo, &db, refs)?;
        let mut added = range(&db, &repo.shallow, &ends.base, ends.tip)?;
        if repo.promisor {
            promised = added.take_promised();
        }
        gaps.extend(added.gaps);
        additions.extend(added.commits.into_iter().rev().map(|commit| Addition {
            commit: Some(commit.id),
            changes: commit.changes,
            removed: commit.removed,
            tags: Vec::new(),
            refs: Vec::new(),
        }));
        additions.push(Addition {
            tags: ends.tag.into_iter().collect(),
            ..Addition::default()
        });
    } else {
        if repo.work_tree.is_none() && std::env::var_os("GIT_INDEX_FILE").is_none() {
            bail!("--staged needs an index; this repository is bare");
        }
        if refs.head.is_none() {
            // A branch without a commit is no gap; a HEAD that says nothing would make all that is staged look new.
            let head = repo.git_dir.join("HEAD");
            if let Some(gap) = refs.gaps.iter().find(|gap| head.ends_with(&gap.path)) {
                bail!("{}: {}", gap.path, gap.reason);
            }
        }
        let staged = staged(repo, &db, refs.head)?;
        gaps.extend(staged.gaps);
        additions.push(Addition {
            commit: None,
            changes: staged.changes,
            removed: staged.removed,
            tags: Vec::new(),
            refs: Vec::new(),
        });
    }
    let options = AddedOptions {
        settings: args.common.settings(),
        limits: Limits::default(),
        memory: MEMORY,
        metadata: !args.no_metadata,
        promisor: repo.promisor,
        salt: args.common.project.salt().to_vec(),
    };
    let project = &args.common.project;
    let left_out = project.narrow(repo.work_tree.as_deref(), &mut additions);
    let layout = Layout::of_repository(repo.work_tree.as_deref());
    let accepts =
        |found: &BlobMatch| suppression::accepts(engine.rules(), &layout, &args.common, found);
    let observer = progress.observer();
    let mut outcome = scan_added(engine, &db, &additions, &options, &accepts, observer);
    mark_shallow(repo, &mut outcome);
    outcome.summary.gaps.extend(gaps);
    for path in left_out {
        outcome.summary.skip(project::skipped(&path));
    }
    for id in promised {
        outcome.summary.skip(Skip {
            kind: SkipKind::Promised,
            path: id.to_string(),
            notable: false,
        });
    }
    Ok(outcome)
}

/// What a range means.
pub(crate) struct Ends {
    /// What is left out, with all that it reaches.
    pub(crate) base: Vec<Oid>,
    /// The commit that the range ends with.
    pub(crate) tip: Oid,
    /// The annotated tag by which that commit was named.
    pub(crate) tag: Option<Oid>,
}

/// Looks the ends of a range up.
pub(crate) fn ends(
    text: &str,
    not: &[String],
    repo: &Repo,
    db: &Db,
    refs: &Refs,
) -> anyhow::Result<Ends> {
    let written = parse_range(text)?;
    let revisions = Revisions { repo, db, refs };
    let named = revisions.object(written.tip)?;
    let is_tag = matches!(db.header(&named), Ok(Some((Kind::Tag, _))));
    // For `A...B` as for `A..B` what A reaches is left out: a pull request adds what the target has not.
    let base = written.base.into_iter();
    let base = base.chain(not.iter().map(String::as_str));
    Ok(Ends {
        base: base
            .map(|base| revisions.commit(base))
            .collect::<Result<_, _>>()?,
        tip: revisions.commit(written.tip)?,
        tag: is_tag.then_some(named),
    })
}

/// Files of the working tree that differ from the index.
fn changed(
    engine: &Engine,
    repo: &Repo,
    args: &GitArgs,
    progress: &Progress,
) -> anyhow::Result<AuditOutcome> {
    let root = repo
        .work_tree
        .as_ref()
        .context("--unstaged needs a working tree; this repository is bare")?;
    let changed = unstaged(repo)?;
    let project = &args.common.project;
    let (left_out, paths): (Vec<_>, Vec<_>) = changed
        .paths
        .iter()
        .partition(|path| project.leaves_out(root, path));
    let inputs: Vec<Input> = paths
        .into_iter()
        .map(|path| Input {
            path: root.join(path_of(path)),
            prefix: String::from_utf8_lossy(path).into_owned(),
        })
        .filter(|input| input.path.symlink_metadata().is_ok_and(|m| m.is_file()))
        .collect();
    let options = Options {
        threads: args.common.threads(),
        settings: args.common.settings(),
        ..Options::default()
    };
    let part = scan_tree(engine, &inputs, &options, progress.observer());
    let mut outcome = AuditOutcome {
        matches: part.matches,
        summary: part.summary,
        ..AuditOutcome::default()
    };
    outcome.summary.gaps.extend(changed.gaps);
    for path in left_out {
        outcome.summary.skip(project::skipped(path));
    }
    Ok(outcome)
}

/// A path as git writes it.
#[cfg(unix)]
pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

/// What the user vouches for in the repository of a path. What git's environment says of a repository is meant for the one
/// around the current folder: a folder that is named says itself where its repository is.
pub(crate) fn trust(of: &Path) -> Trust {
    let own = Trust {
        named: true,
        uid: user(),
        sudo_uid: std::env::var("SUDO_UID")
            .ok()
            .and_then(|id| id.parse().ok()),
        ..Trust::default()
    };
    if of != Path::new(".") {
        return own;
    }
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let list = std::env::var_os("GIT_ALTERNATE_OBJECT_DIRECTORIES");
    Trust {
        alternates: list.map_or_else(Vec::new, |list| folders(&list)),
        object_dir: path("GIT_OBJECT_DIRECTORY"),
        git_dir: path("GIT_DIR"),
        work_tree: path("GIT_WORK_TREE"),
        index_file: path("GIT_INDEX_FILE"),
        ..own
    }
}

/// The folders of `GIT_ALTERNATE_OBJECT_DIRECTORIES`. Git puts a path into quotes, with C's escapes, where the separator stands
/// in it; so it does with the folders of a push that is not accepted yet.
fn folders(list: &OsStr) -> Vec<PathBuf> {
    if !list.as_encoded_bytes().contains(&b'"') {
        return std::env::split_paths(list).collect();
    }
    let separator = if cfg!(windows) { b';' } else { b':' };
    let mut all = Vec::new();
    let mut rest = list.as_encoded_bytes();
    while !rest.is_empty() {
        let mut path = Vec::new();
        let quoted = rest.strip_prefix(b"\"").and_then(|text| {
            let (unquoted, behind) = unquoted(text)?;
            path = unquoted;
            (behind.is_empty() || behind.starts_with(&[separator])).then_some(behind)
        });
        rest = quoted.unwrap_or_else(|| {
            let end = memchr::memchr(separator, rest).unwrap_or(rest.len());
            path = rest[..end].to_vec();
            &rest[end..]
        });
        rest = rest.get(1..).unwrap_or_default();
        if !path.is_empty() {
            all.push(path_of(&path));
        }
    }
    all
}

/// The text up to the closing quote, with C's escapes undone, and what stands behind it.
fn unquoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut out = Vec::new();
    let mut at = 0;
    loop {
        let byte = *text.get(at)?;
        at += 1;
        match byte {
            b'"' => return Some((out, text.get(at..)?)),
            b'\\' => {
                let escape = *text.get(at)?;
                at += 1;
                out.push(match escape {
                    b'a' => 7,
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => 11,
                    b'0'..=b'3' => {
                        let digits = text.get(at - 1..at + 2)?;
                        at += 2;
                        let octal = std::str::from_utf8(digits).ok()?;
                        u8::from_str_radix(octal, 8).ok()?
                    }
                    other => other,
                });
            }
            other => out.push(other),
        }
    }
}

/// Where caches are, unless there are to be none.
fn cache(args: &GitArgs) -> Option<CacheFolder> {
    let folder = |name: &str| {
        let path = std::env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let home = |below: &str| folder("HOME").map(|home| home.join(below));
    let caches = if args.no_cache {
        None
    } else if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("XDG_CACHE_HOME").or_else(|| home("Library/Caches"))
    } else {
        folder("XDG_CACHE_HOME").or_else(|| home(".cache"))
    };
    Some(CacheFolder {
        path: caches?.join("keysweep"),
        uid: user(),
    })
}

/// The user whose folders count as owned.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "there is none on other systems")]
pub(crate) fn user() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

#[cfg(not(unix))]
pub(crate) fn user() -> Option<u32> {
    None
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn lists_of_folders_are_read_as_git_writes_them() {
        let cases: [(&str, &[&str]); 6] = [
            ("/a/b:/c", &["/a/b", "/c"]),
            ("\"/a:b\":/c", &["/a:b", "/c"]),
            ("/c:\"/a\\\"\\303\\274\\t\"", &["/c", "/a\"ü\t"]),
            ("\"open:/c", &["\"open", "/c"]),
            ("\"/a\"x:/c", &["\"/a\"x", "/c"]),
            ("::/c:", &["/c"]),
        ];
        for (list, expected) in cases {
            let found: Vec<PathBuf> = folders(OsStr::new(list))
                .into_iter()
                .filter(|path| *path != Path::new(""))
                .collect();
            let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(found, expected, "{list}");
        }
    }
}
