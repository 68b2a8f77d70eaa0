//! `keysweep git`: a repository's history, or what is added to it.

mod added;
mod audited;
mod environment;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};

use keysweep::config::globs;
use keysweep::history::{Error, Refs, Repo, Revisions, Trust, refs, since};
use keysweep::model::{Gap, Observer, Stage};
use keysweep::scan::{Audit, AuditOutcome, Engine, Since, audit, merge_with};

pub(crate) use self::added::ends;
#[cfg(unix)]
pub(crate) use self::environment::user;
pub(crate) use self::environment::{now, path_of, trust};

use self::added::{added, changed};
use self::audited::{all_tips, audit_options, branches, history_of, tell_of_shallow};
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
