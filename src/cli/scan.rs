//! `keysweep scan`.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::bail;

use keysweep::config::globs;
use keysweep::history::Error;
use keysweep::model::{Fingerprint, Gap, Observer, Origin, Stage};
use keysweep::rule::RuleSet;
use keysweep::scan::{
    AuditOutcome, Engine, Input, Limits, Options, Outcome, Scratch, Settings, merge_with,
    scan_reader, scan_tree,
};
use keysweep::source::TreeOptions;

use super::args::{CommonArgs, GitArgs, ScanArgs, Shared};
use super::diagnostics;
use super::exit::Exit;
use super::explain;
use super::finish::{self, Results, Wrap};
use super::git;
use super::input::{self, Patient};
use super::progress::Progress;
use super::project;
use super::suppression::{self, Layout};

/// Makes the engine for the rules that the caller and the configuration chose.
pub(crate) fn engine(common: &CommonArgs) -> anyhow::Result<Engine> {
    let mut selection = common.selection.selection();
    common.project.choose(&mut selection);
    let rules = RuleSet::load(&selection).map_err(|e| common.project.located(e))?;
    if rules.rules().is_empty() {
        bail!(
            "no rule is left to scan with; give some with --rules, or leave out --no-builtin-rules or --disable"
        );
    }
    common.project.check_rules(&rules)?;
    let engine = Engine::new(rules)?;
    Ok(if common.stats {
        engine.measured(diagnostics::nanos)
    } else {
        engine
    })
}

/// Runs the command.
pub(crate) fn run(args: &ScanArgs, shared: &Shared) -> anyhow::Result<Exit> {
    run_with(args, shared, &|reporter| reporter)
}

/// The same with a reporter of the caller's.
pub(crate) fn run_with(args: &ScanArgs, shared: &Shared, wrap: Wrap<'_>) -> anyhow::Result<Exit> {
    let (args, shared) = &project::of_scan(args, shared)?;
    let engine = engine(&args.common)?;
    if let Some(place) = &args.explain {
        return explain::run(&engine, place, args, shared);
    }
    finish::check(shared)?;
    let results = collect(&engine, args, shared)?;
    let reporter = wrap(finish::reporter(shared)?);
    finish::run_with(&*reporter, &engine, results, &args.common, shared)
}

/// Scans, and joins what is found.
pub(crate) fn collect(
    engine: &Engine,
    args: &ScanArgs,
    shared: &Shared,
) -> anyhow::Result<Results> {
    let project = &args.common.project;
    let mut layout = Layout::of_paths(&args.paths);
    layout.whole &= args.include.is_empty() && args.exclude.is_empty();
    suppression::check(&args.common, &layout)?;
    let options = Options {
        threads: args.common.threads(),
        tree: TreeOptions {
            no_ignore: args.no_ignore,
            include: globs(&args.include)?,
            exclude: globs(&args.exclude)?,
            max_size: args.max_size,
            folders: project.folders(),
        },
        settings: Settings {
            below: layout.below(),
            ..args.common.settings()
        },
        limits: Limits::default(),
    };
    let started = Instant::now();
    let progress = Progress::start(shared.quiet);
    let mut tree = scan_all(engine, &args.paths, &options, &progress);
    project.judge_tree(engine, &mut tree, &args.common);
    let mut all = AuditOutcome {
        matches: tree.matches,
        summary: tree.summary,
        ..AuditOutcome::default()
    };
    let (mut revision, mut branch) = (None, None);
    if args.history {
        let (include, exclude) = (&options.tree.include, &options.tree.exclude);
        for path in &args.paths {
            let git = GitArgs::of(path, &args.common);
            let mut history = match git::history(engine, &git, &progress) {
                Ok(history) => history,
                Err(error) => {
                    all.summary.gaps.push(unopened(error, path)?);
                    continue;
                }
            };
            history.outcome.matches.retain(|found| {
                // The texts of commits and tags and the names of refs lie nowhere, so they count everywhere.
                let path = String::from_utf8_lossy(&found.place.path);
                !matches!(found.place.origin, Origin::Content | Origin::Name)
                    || include.as_ref().is_none_or(|globs| globs.is_match(&*path))
                        && !exclude.as_ref().is_some_and(|globs| globs.is_match(&*path))
            });
            all.merge(history.outcome);
            (revision, branch) = (history.revision, history.branch);
        }
    }
    let counters = progress.end();
    counters.stage(Stage::Settle);
    project.account(engine.rules(), &mut all.summary, shared);
    all.summary.sort();
    let root = args
        .paths
        .first()
        .map_or_else(String::new, |p| p.display().to_string());
    let rules = engine.rules();
    let collected = merge_with(rules, all.matches, &all.histories, project.salt());
    // What is staged lies in an object that no ref reaches; it is shown where the tree has it.
    let shown = collected.findings.iter().chain(&collected.dropped);
    let shown: BTreeSet<Fingerprint> = shown.map(|finding| finding.fingerprint).collect();
    let is_shown = |prints: &&Vec<Fingerprint>| prints.iter().all(|print| shown.contains(print));
    all.summary.unreachable_hits -= all.unreached.iter().filter(is_shown).count() as u64;
    Ok(Results {
        collected,
        summary: all.summary,
        root,
        elapsed: started.elapsed(),
        counters,
        revision,
        branch,
        layout,
    })
}

/// The gap that a history leaves which cannot be opened: what lies in the files is told nevertheless.
fn unopened(error: anyhow::Error, path: &Path) -> anyhow::Result<Gap> {
    let reason = match error.downcast_ref::<Error>() {
        Some(Error::NoRepository { .. }) => {
            let error = error.downcast_ref().filter(|e| git::is_broken(e, path));
            error.map(|_: &Error| {
                "there is a .git that is no repository: HEAD, objects or refs are missing; its history is not scanned"
                    .to_owned()
            })
        }
        Some(broken) => Some(format!("{broken}; the history is not scanned")),
        None => None,
    };
    let path = path.join(".git").display().to_string();
    reason.map(|reason| Gap { path, reason }).ok_or(error)
}

fn scan_all(engine: &Engine, paths: &[PathBuf], options: &Options, progress: &Progress) -> Outcome {
    let mut outcome = Outcome::default();
    let several = paths.len() > 1;
    let mut inputs = Vec::new();
    for path in paths {
        let pipe = match pipe(path) {
            None => None,
            Some(Ok(pipe)) => Some(pipe),
            Some(Err(error)) => {
                outcome.summary.gaps.push(Gap {
                    path: path.display().to_string(),
                    reason: error.to_string(),
                });
                continue;
            }
        };
        if let Some(mut pipe) = pipe {
            let shown = path.to_string_lossy();
            let mut scratch = Scratch::default();
            let observer = progress.observer();
            observer.stage(Stage::Stream);
            let part = scan_reader(
                engine,
                &mut pipe,
                shown.as_bytes(),
                options,
                &mut scratch,
                observer,
            );
            outcome.matches.extend(part.matches);
            outcome.summary.merge(part.summary);
            continue;
        }
        inputs.push(Input {
            path: path.clone(),
            prefix: prefix(path, several),
        });
    }
    if !inputs.is_empty() {
        let part = scan_tree(engine, &inputs, options, progress.observer());
        outcome.matches.extend(part.matches);
        outcome.summary.merge(part.summary);
    }
    outcome.summary.sort();
    outcome
}

/// What reports put in front of the paths below an input: as it was named, where there are several.
pub(crate) fn prefix(path: &Path, several: bool) -> String {
    if !several && !path.is_file() {
        return String::new();
    }
    let shown = path.to_string_lossy().replace('\\', "/");
    let shown = shown.strip_prefix("./").unwrap_or(&shown);
    shown.trim_end_matches('/').to_owned()
}

/// What is read to its end as it comes: standard input, or a pipe that the user named, as `<(…)` of a shell.
fn pipe(path: &Path) -> Option<io::Result<Patient>> {
    if path == Path::new("-") {
        return Some(Patient::stdin());
    }
    input::is_pipe(path).then(|| Patient::pipe(path))
}
