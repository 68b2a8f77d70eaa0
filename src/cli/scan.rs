//! `keysweep scan`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use keysweep::model::{Confidence, Finding, Severity};
use keysweep::report::{self, Redactor, Report};
use keysweep::rule::RuleSet;
use keysweep::scan::{
    Collected, Engine, Input, Limits, Options, Outcome, PUBLISHED_SALT, Scratch, Settings, merge,
    scan_reader, scan_tree,
};
use keysweep::source::TreeOptions;

use super::args::{ScanArgs, SelectionArgs, Shared};
use super::console;
use super::exit::Exit;
use super::explain;
use super::progress::Progress;

/// Makes the engine for the rules that the caller chose.
pub(crate) fn engine(selection: &SelectionArgs) -> anyhow::Result<Engine> {
    Ok(Engine::new(RuleSet::load(&selection.selection())?)?)
}

/// Runs the command.
pub(crate) fn run(args: &ScanArgs, shared: &Shared) -> anyhow::Result<Exit> {
    let engine = engine(&args.selection)?;
    if let Some(place) = &args.explain {
        return explain::run(&engine, place, args, shared);
    }
    let reporter = report::by_name(&shared.format).context("no such report format")?;
    let options = Options {
        threads: args.threads.map_or_else(cores, usize::from),
        tree: TreeOptions {
            no_ignore: args.no_ignore,
            include: globs(&args.include)?,
            exclude: globs(&args.exclude)?,
            max_size: args.max_size,
        },
        settings: Settings {
            inline_allow: !args.no_inline_allow,
            keep_dropped: args.show_suppressed,
        },
        limits: Limits::default(),
    };
    let started = Instant::now();
    let progress = Progress::start(shared.quiet);
    let outcome = scan_all(&engine, &args.paths, &options, &progress);
    drop(progress);
    let Outcome { matches, summary } = outcome;
    let mut collected = merge(engine.rules(), matches, PUBLISHED_SALT);
    let least = Confidence::from(args.min_confidence);
    let hidden = split_off(&mut collected, |f| f.confidence() < least);
    let redactor = Redactor::new(
        collected
            .findings
            .iter()
            .chain(&collected.dropped)
            .chain(&hidden),
        args.show_secrets,
    );
    let root = args
        .paths
        .first()
        .map_or_else(String::new, |p| p.display().to_string());
    let report = Report {
        findings: &collected.findings,
        dropped: &collected.dropped,
        summary: &summary,
        rules: engine.rules(),
        elapsed: started.elapsed(),
        hidden_low: hidden.len(),
        root: &root,
        redactor: &redactor,
        options: report::Options {
            show_secrets: args.show_secrets,
            show_suppressed: args.show_suppressed,
            color: console::colored(shared),
            width: console::width(),
            hyperlinks: false,
        },
    };
    let mut out = console::report_writer(shared)?;
    reporter.write(&report, &mut *out)?;
    out.flush()?;
    Ok(verdict(args, &collected.findings, &summary))
}

fn verdict(args: &ScanArgs, findings: &[Finding], summary: &keysweep::model::Summary) -> Exit {
    if summary.cancelled {
        return Exit::Interrupted;
    }
    let incomplete = !args.keep_going && !summary.gaps.is_empty();
    let left_out = args.require_complete && !summary.skipped.is_empty();
    if incomplete || left_out {
        return Exit::Trouble;
    }
    let least = Severity::from(args.fail_on);
    if !args.exit_zero && findings.iter().any(|f| f.severity >= least) {
        return Exit::Findings(args.exit_code.unwrap_or(1));
    }
    Exit::Clean
}

fn scan_all(engine: &Engine, paths: &[PathBuf], options: &Options, progress: &Progress) -> Outcome {
    let mut outcome = Outcome::default();
    let several = paths.len() > 1;
    let mut inputs = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            let mut scratch = Scratch::default();
            let part = scan_reader(
                engine,
                &mut io::stdin().lock(),
                b"-",
                options,
                &mut scratch,
                progress.observer(),
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

/// Takes the findings that the condition holds for out of those that are shown.
fn split_off(collected: &mut Collected, condition: impl Fn(&Finding) -> bool) -> Vec<Finding> {
    let (out, kept) = std::mem::take(&mut collected.findings)
        .into_iter()
        .partition(|f| condition(f));
    collected.findings = kept;
    out
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn globs(patterns: &[String]) -> anyhow::Result<Option<GlobSet>> {
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
