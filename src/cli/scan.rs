//! `keysweep scan`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use keysweep::model::Gap;
use keysweep::rule::RuleSet;
use keysweep::scan::{
    AuditOutcome, Engine, Input, Limits, Options, Outcome, PUBLISHED_SALT, Scratch, merge_with,
    scan_reader, scan_tree,
};
use keysweep::source::TreeOptions;

use super::args::{GitArgs, ScanArgs, SelectionArgs, Shared};
use super::exit::Exit;
use super::explain;
use super::finish::{self, Results, Wrap};
use super::git;
use super::progress::Progress;

/// Makes the engine for the rules that the caller chose.
pub(crate) fn engine(selection: &SelectionArgs) -> anyhow::Result<Engine> {
    let rules = RuleSet::load(&selection.selection())?;
    if rules.rules().is_empty() {
        bail!(
            "no rule is left to scan with; give some with --rules, or leave out --no-builtin-rules or --disable"
        );
    }
    Ok(Engine::new(rules)?)
}

/// Runs the command.
pub(crate) fn run(args: &ScanArgs, shared: &Shared) -> anyhow::Result<Exit> {
    run_with(args, shared, &|reporter| reporter)
}

/// The same with a reporter of the caller's.
pub(crate) fn run_with(args: &ScanArgs, shared: &Shared, wrap: Wrap<'_>) -> anyhow::Result<Exit> {
    let engine = engine(&args.common.selection)?;
    if let Some(place) = &args.explain {
        return explain::run(&engine, place, args, shared);
    }
    finish::check(shared)?;
    let options = Options {
        threads: args.common.threads(),
        tree: TreeOptions {
            no_ignore: args.no_ignore,
            include: globs(&args.include)?,
            exclude: globs(&args.exclude)?,
            max_size: args.max_size,
        },
        settings: args.common.settings(),
        limits: Limits::default(),
    };
    let started = Instant::now();
    let progress = Progress::start(shared.quiet);
    let tree = scan_all(&engine, &args.paths, &options, &progress);
    let mut all = AuditOutcome {
        matches: tree.matches,
        summary: tree.summary,
        ..AuditOutcome::default()
    };
    let (mut revision, mut branch) = (None, None);
    if args.history {
        for path in &args.paths {
            let git = GitArgs::of(path, &args.common);
            let history = git::history(&engine, &git, &progress)?;
            all.merge(history.outcome);
            (revision, branch) = (history.revision, history.branch);
        }
    }
    drop(progress);
    all.summary.sort();
    let root = args
        .paths
        .first()
        .map_or_else(String::new, |p| p.display().to_string());
    let rules = engine.rules();
    let results = Results {
        collected: merge_with(rules, all.matches, &all.histories, PUBLISHED_SALT),
        summary: all.summary,
        root,
        elapsed: started.elapsed(),
        revision,
        branch,
    };
    let reporter = wrap(finish::reporter(shared)?);
    finish::run_with(&*reporter, &engine, results, &args.common, shared)
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
            let part = scan_reader(
                engine,
                &mut *pipe,
                shown.as_bytes(),
                options,
                &mut scratch,
                observer,
            );
            outcome.matches.extend(part.matches);
            outcome.summary.merge(part.summary);
            continue;
        }
        let shown = path.to_string_lossy().replace('\\', "/");
        let shown = shown
            .strip_prefix("./")
            .unwrap_or(&shown)
            .trim_end_matches('/')
            .to_owned();
        let prefix = if several || path.is_file() {
            shown
        } else {
            String::new()
        };
        inputs.push(Input {
            path: path.clone(),
            prefix,
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

/// What is read to its end as it comes: standard input, or a pipe that the user named, as `<(…)` of a shell.
fn pipe(path: &Path) -> Option<io::Result<Box<dyn io::Read>>> {
    if path == Path::new("-") {
        return Some(Ok(Box::new(io::stdin().lock())));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if std::fs::metadata(path).is_ok_and(|kind| kind.file_type().is_fifo()) {
            let pipe = std::fs::File::open(path);
            return Some(pipe.map(|pipe| Box::new(pipe) as Box<dyn io::Read>));
        }
    }
    None
}

/// The globs of `--include` and its kin; `None` where there is none.
pub(crate) fn globs(patterns: &[String]) -> anyhow::Result<Option<GlobSet>> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        // A name without a slash means a file of that name anywhere, and a folder with all in it.
        let bare = pattern.trim_end_matches('/');
        let mut forms = vec![bare.to_owned(), format!("{bare}/**")];
        if !bare.contains('/') {
            forms.extend([format!("**/{bare}"), format!("**/{bare}/**")]);
        }
        for form in forms {
            let glob = GlobBuilder::new(form.trim_start_matches("./"))
                .build()
                .with_context(|| {
                    format!("`{pattern}` is no glob; write one such as '*.lock' or 'docs/**'")
                })?;
            set.add(glob);
        }
    }
    Ok(Some(set.build()?))
}
