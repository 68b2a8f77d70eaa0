//! `keysweep report`: what is done with reports that are there.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;

use keysweep::report::{self, DIFF_FORMATS, Diff, JSON_SCHEMA, Options, Stored};
use keysweep::rule::RuleSet;
use keysweep::scan::Engine;

use super::args::{FailOn, Shared};
use super::console;
use super::exit::Exit;
use super::input;

/// Commands about reports.
#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Write a report again in the format that --format names
    ///
    /// Reads what keysweep wrote as json, jsonl or sarif; several reports are merged.
    Convert(Files),
    /// Make one report of several: one finding a secret, with all its places
    ///
    /// Where the reports are of different folders, paths begin with the folder that each was made of.
    Merge(Files),
    /// Write a report as one page for a browser
    Html(Files),
    /// Say which secrets are new and which are gone
    ///
    /// Writes text, json or markdown. Exit code 1 when there are new ones at or above --fail-on.
    Diff {
        /// The report of before
        #[arg(value_name = "OLD")]
        old: PathBuf,
        /// The report of now
        #[arg(value_name = "NEW")]
        new: PathBuf,
        /// Least severity of a new secret that makes the exit code 1
        #[arg(long, value_name = "SEVERITY", value_enum, default_value_t = FailOn::Medium)]
        fail_on: FailOn,
        /// Show secrets in clear, where the reports do
        #[arg(long)]
        show_secrets: bool,
    },
    /// Print the JSON Schema of the json format
    Schema,
}

/// Reports to read.
#[derive(Debug, clap::Args)]
pub(crate) struct Files {
    /// Reports in json, jsonl or sarif; `-` for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Show secrets in clear, where the report does
    #[arg(long)]
    show_secrets: bool,
}

/// Runs a command about reports.
pub(crate) fn run(command: &ReportCommand, shared: &Shared) -> anyhow::Result<Exit> {
    match command {
        ReportCommand::Convert(files) | ReportCommand::Merge(files) => {
            convert(files, &shared.format, shared)
        }
        ReportCommand::Html(files) => convert(files, "html", shared),
        ReportCommand::Diff {
            old,
            new,
            fail_on,
            show_secrets,
        } => diff(old, new, *fail_on, *show_secrets, shared),
        ReportCommand::Schema => {
            let mut out = console::report_writer(shared)?;
            out.write_all(JSON_SCHEMA.as_bytes())?;
            out.flush()?;
            Ok(Exit::Clean)
        }
    }
}

fn convert(files: &Files, format: &str, shared: &Shared) -> anyhow::Result<Exit> {
    let reporter = report::by_name(format)
        .with_context(|| format!("this keysweep writes no reports in {format}"))?;
    let mut reports = files.files.iter();
    let first = reports.next().context("name a report to read")?;
    let mut stored = read(first)?;
    for path in reports {
        stored.merge(read(path)?);
    }
    let engine = Engine::new(RuleSet::builtin()?)?;
    let redactor = stored.redactor(&engine, files.show_secrets);
    let report = stored.report(
        engine.rules(),
        &redactor,
        options(files.show_secrets, shared),
    );
    let mut out = console::report_writer(shared)?;
    reporter.write(&report, &mut *out)?;
    out.flush()?;
    Ok(Exit::Clean)
}

fn diff(
    old: &Path,
    new: &Path,
    fail_on: FailOn,
    show_secrets: bool,
    shared: &Shared,
) -> anyhow::Result<Exit> {
    if !DIFF_FORMATS.contains(&shared.format.as_str()) {
        bail!(
            "a difference is written as {}, not as {}",
            DIFF_FORMATS.join(", "),
            shared.format
        );
    }
    let (old, new) = (read(old)?, read(new)?);
    let diff = Diff::of(&old, &new);
    let engine = Engine::new(RuleSet::builtin()?)?;
    // One redactor that knows both.
    let mut both = old.clone();
    both.merge(new.clone());
    let redactor = both.redactor(&engine, show_secrets);
    let report = new.report(engine.rules(), &redactor, options(show_secrets, shared));
    let mut out = console::report_writer(shared)?;
    diff.write(&shared.format, &report, &mut *out)?;
    out.flush()?;
    if diff.new.iter().any(|f| fail_on.counts(f)) {
        Ok(Exit::Findings(1))
    } else {
        Ok(Exit::Clean)
    }
}

fn options(show_secrets: bool, shared: &Shared) -> Options {
    Options {
        show_secrets,
        // A report has them only where they were asked for.
        show_suppressed: true,
        color: console::colored(shared),
        width: console::width(),
        hyperlinks: false,
    }
}

fn read(path: &Path) -> anyhow::Result<Stored> {
    let name = path.display().to_string();
    let bytes = input::all(path)?;
    Ok(Stored::read(&name, &bytes)?)
}
