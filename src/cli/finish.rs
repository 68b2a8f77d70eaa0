//! From what a run found to its report and exit code.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use keysweep::model::{Confidence, Finding, Observer, Stage, Summary};
use keysweep::report::{self, Redactor, Report, Reporter};
use keysweep::rule::RuleSet;
use keysweep::scan::{Collected, Counts, Engine, Settings};

use super::args::{CommonArgs, Shared};
use super::console;
use super::diagnostics;
use super::exit::Exit;
use super::progress::Counters;
use super::suppression::{self, Layout};

/// What a run found.
pub(crate) struct Results {
    pub(crate) collected: Collected,
    pub(crate) summary: Summary,
    /// What was scanned, as the user named it.
    pub(crate) root: String,
    pub(crate) elapsed: Duration,
    /// What timed the run so far.
    pub(crate) counters: Arc<Counters>,
    /// HEAD's commit and branch, where a history was scanned.
    pub(crate) revision: Option<String>,
    pub(crate) branch: Option<String>,
    /// Whose ignore files, baseline and owners count.
    pub(crate) layout: Layout,
}

impl CommonArgs {
    /// The place stage as the user wants it.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            inline_allow: !self.no_inline_allow,
            keep_dropped: self.show_suppressed,
            today: suppression::today(),
            list_marks: self.suppression.report_unused_suppressions,
            ..Settings::default()
        }
    }

    /// Whether some of the built-in rules are left out.
    pub(crate) fn is_reduced(&self) -> bool {
        let mut selection = self.selection.selection();
        self.project.choose(&mut selection);
        let ids = [&selection.enable, &selection.disable, &selection.without];
        selection.no_builtin || ids.iter().any(|ids| !ids.is_empty()) || self.project.disables()
    }

    /// Threads to use.
    pub(crate) fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.threads.map_or_else(cores, usize::from)
    }
}

/// Complains of a wrong format before anything is scanned.
pub(crate) fn check(shared: &Shared) -> anyhow::Result<()> {
    reporter(shared)?;
    Ok(())
}

/// Puts a reporter of the caller's around the one that the user wants.
pub(crate) type Wrap<'w> = &'w dyn Fn(Box<dyn Reporter>) -> Box<dyn Reporter + 'w>;

/// The reporter that the user wants.
pub(crate) fn reporter(shared: &Shared) -> anyhow::Result<Box<dyn Reporter>> {
    report::by_name(&shared.format).context("no such report format")
}

/// Writes the report and judges the run.
pub(crate) fn run(
    engine: &Engine,
    results: Results,
    args: &CommonArgs,
    shared: &Shared,
) -> anyhow::Result<Exit> {
    run_with(&*reporter(shared)?, engine, results, args, shared)
}

/// The same with a reporter of the caller's.
pub(crate) fn run_with(
    reporter: &dyn Reporter,
    engine: &Engine,
    mut results: Results,
    args: &CommonArgs,
    shared: &Shared,
) -> anyhow::Result<Exit> {
    // Before the redactor, which uses the same engine.
    let counts = engine.counts();
    suppression::run(&mut results, args)?;
    let least = Confidence::from(args.min_confidence);
    let hidden = split_off(&mut results.collected, |f| f.confidence() < least);
    let hidden_low = hidden.len();
    #[cfg(feature = "online")]
    let hidden = {
        let mut hidden = hidden;
        hidden.extend(super::online::verify::of_scan(
            engine,
            &mut results,
            args,
            shared,
        )?);
        hidden
    };
    let collected = &results.collected;
    let all = collected.findings.iter().chain(&collected.dropped);
    let whole = if args.is_reduced() && !args.show_secrets {
        Some(Engine::new(RuleSet::builtin()?)?)
    } else {
        None
    };
    let redactor = Redactor::of_reduced_run(
        engine,
        whole.as_ref(),
        all.chain(&hidden),
        &results.summary,
        &results.root,
        args.show_secrets,
    );
    results.counters.stage(Stage::Report);
    let report = Report {
        findings: &collected.findings,
        dropped: &collected.dropped,
        summary: &results.summary,
        rules: engine.rules(),
        elapsed: results.elapsed,
        finished: jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).ok(),
        hidden_low,
        root: &results.root,
        revision: results.revision.clone(),
        branch: results.branch.clone(),
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
    // The lock on standard output ends with it.
    drop(out);
    diagnose(engine, &results, shared, counts.as_ref());
    Ok(verdict(args, &collected.findings, &results.summary))
}

/// Says behind the report what the user wants to know of the run itself.
pub(crate) fn diagnose(
    engine: &Engine,
    results: &Results,
    shared: &Shared,
    counts: Option<&Counts>,
) {
    if shared.verbose > 0 {
        diagnostics::times(&results.counters.times());
    }
    if let Some(counts) = counts {
        diagnostics::stats(engine, counts, &results.collected);
    }
}

/// How the run ends.
pub(crate) fn verdict(args: &CommonArgs, findings: &[Finding], summary: &Summary) -> Exit {
    if summary.cancelled {
        return Exit::Interrupted;
    }
    let incomplete = !args.keep_going && !summary.gaps.is_empty();
    let left_out = args.require_complete && !summary.skipped.is_empty();
    if incomplete || left_out {
        return Exit::Trouble;
    }
    #[cfg(feature = "online")]
    if let Some(exit) = super::online::verify::verdict(args, summary) {
        return exit;
    }
    if !args.exit_zero && findings.iter().any(|f| args.fail_on.counts(f)) {
        return Exit::Findings(args.exit_code.unwrap_or(1));
    }
    Exit::Clean
}

/// Takes the findings that the condition holds for out of those that are shown.
fn split_off(collected: &mut Collected, condition: impl Fn(&Finding) -> bool) -> Vec<Finding> {
    let (out, kept) = std::mem::take(&mut collected.findings)
        .into_iter()
        .partition(|f| condition(f));
    collected.findings = kept;
    out
}
