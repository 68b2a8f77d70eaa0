//! `keysweep ci`: what the event of a CI service adds is scanned, and the service is told in its own ways.
//!
//! The event says which commits are new (`event`), the repository whether they are there (`plan`), and what was found goes
//! to the log, to files, and for GitHub to annotations, outputs and the job's summary (`github`). Nothing is fetched: where
//! commits are missing, the run fails and says what to change.

mod event;
mod github;
mod paths;
mod plan;

use std::cell::RefCell;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::ValueEnum;

use keysweep::model::SkipKind;
use keysweep::report::{self, Report, Reporter, printable};

use super::args::{CommonArgs, GitArgs, ScanArgs, Shared};
use super::exit::Exit;
use super::{finish, git, project, scan};
use event::{Event, Service};
use plan::Plan;

/// Arguments of `ci`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CiArgs {
    /// Report only what these files, folders or globs hold
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<String>,

    /// What is scanned
    #[arg(long, value_enum, default_value_t = Scope::Event, value_name = "SCOPE", help_heading = "What is scanned")]
    pub(crate) scope: Scope,
    /// Only what these commits add, whatever the event says
    #[arg(
        long,
        value_name = "A..B",
        conflicts_with = "scope",
        help_heading = "What is scanned"
    )]
    pub(crate) range: Option<String>,
    /// A folder of the checked-out repository
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = ".",
        help_heading = "What is scanned"
    )]
    pub(crate) repo: PathBuf,
    /// Whether marks, configuration and baseline in the scanned tree may accept findings
    #[arg(long, value_enum, default_value_t = Trust::Auto, value_name = "WHEN", help_heading = "What is reported")]
    pub(crate) trust: Trust,
    /// Folder for report.json and report.sarif; a new one for GitHub, `keysweep-reports` for GitLab
    #[arg(long, value_name = "FOLDER", help_heading = "What is reported")]
    pub(crate) reports: Option<PathBuf>,

    #[cfg(feature = "online")]
    #[command(flatten)]
    pub(crate) ask: super::online::verify::AskArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// What is scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scope {
    /// What the event adds; the whole history for a schedule, a run by hand and the like.
    Event,
    /// The whole history.
    History,
    /// The checked-out files alone, without history.
    Tree,
}

/// Whether what is scanned may say what counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Trust {
    /// Not in changes from a fork, nor in a merge queue, which may hold some.
    Auto,
    /// In any change.
    Always,
    /// In no change.
    Never,
}

/// A variable of the environment; an empty one counts as none.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What a run comes to, for those who read outputs.
#[derive(Debug, Default)]
struct Told {
    /// The event and what of it was scanned, a line each.
    about: Vec<String>,
    findings: Option<usize>,
    /// Whether something could not be scanned.
    incomplete: bool,
    /// Whether there was nothing to scan.
    nothing: bool,
    json: Option<PathBuf>,
    sarif: Option<PathBuf>,
    annotations: Vec<u8>,
    markdown: Vec<u8>,
    /// Whether commands and messages leave standard output to the report.
    aside: bool,
    /// Why the run fails, besides findings.
    trouble: Option<String>,
}

/// Runs the command.
pub(crate) fn run(args: &CiArgs, shared: &Shared) -> anyhow::Result<Exit> {
    let service = Service::of_environment();
    let mut told = Told::default();
    if service != Service::GitHub {
        let exit = perform(args, shared, service, &mut told)?;
        return match told.trouble {
            Some(trouble) => bail!(trouble),
            None => Ok(exit),
        };
    }
    // The log is a channel of commands: what is foreign is written between these two lines, to one stream, in order. A report for
    // programs has standard output to itself.
    told.aside = shared.output.is_none() && !matches!(&*shared.format, "text" | "github");
    let guard = github::Guard::begin(told.aside)?;
    let ended = perform(args, shared, service, &mut told);
    let exit = match ended {
        Ok(exit) => exit,
        Err(error) => {
            told.trouble = Some(format!("{error:#}"));
            Exit::Trouble
        }
    };
    if let Some(trouble) = &told.trouble {
        let shown = shown(trouble);
        writeln!(log(service, told.aside), "keysweep: {shown}")?;
        told.trouble = Some(shown);
    }
    guard.end()?;
    github::tell(&told, exit)?;
    Ok(exit)
}

/// A text that may hold what is foreign, fit for a log.
fn shown(text: &str) -> String {
    let text = super::without_secrets(text).unwrap_or_else(|| text.to_owned());
    let lines: Vec<_> = text.lines().map(printable).collect();
    lines.join("\n")
}

fn perform(
    args: &CiArgs,
    shared: &Shared,
    service: Service,
    told: &mut Told,
) -> anyhow::Result<Exit> {
    if args.common.show_secrets {
        bail!(
            "--show-secrets would write secrets into the log of a CI service, for everybody who may read it; leave it out"
        );
    }
    finish::check(shared)?;
    let by_hand = args.range.is_some() || args.scope != Scope::Event;
    let event = match event::read(service) {
        Ok(event) => event,
        // What is scanned is said already; who changed it is not.
        Err(_) if by_hand => Event::unknown(service),
        Err(error) => return Err(error),
    };
    let mut common = args.common.clone();
    #[cfg(feature = "online")]
    common.ask(&args.ask);
    let mistrusted = match args.trust {
        Trust::Auto => event.stranger,
        Trust::Always => None,
        Trust::Never => Some("as asked"),
    };
    if mistrusted.is_some() {
        mistrust(&mut common, &args.repo);
    }
    let plan = match (&args.range, args.scope) {
        (Some(range), _) => plan::range(&args.repo, range, service)?,
        (None, Scope::Event) => plan::of_event(&args.repo, &event, service)?,
        (None, Scope::History) => plan::everything(&args.repo, service)?,
        (None, Scope::Tree) => Plan::Tree,
    };
    let within = paths::of(&args.paths, &args.repo, &plan)?;
    told.about.push(format!("{}: {}", event.name, plan.words()));
    told.about.extend(event.notes);
    if let Some(why) = mistrusted {
        told.about.push(format!(
            "marks in the scanned files, such as keysweep:allow, and the checked-out keysweep.toml, ignore files and baseline, even where they are named, do not count: {why}"
        ));
    }
    if !within.is_empty() {
        told.about
            .push(format!("reported within: {}", within.join(", ")));
    }
    for line in &mut told.about {
        *line = shown(line);
        if !shared.quiet {
            writeln!(log(service, told.aside), "keysweep: {line}")?;
        }
    }
    let folder = reports(args, service)?;
    let told = RefCell::new(told);
    let wrap = |inner| -> Box<dyn Reporter + '_> {
        Box::new(Listening {
            inner,
            service,
            folder: folder.as_deref(),
            told: &told,
        })
    };
    let git = |range: Option<String>, not: Vec<String>, branch: Vec<String>| GitArgs {
        range,
        not,
        branch,
        within: within.clone(),
        ..GitArgs::of(&args.repo, &common)
    };
    let exit = match plan {
        Plan::Nothing(_) => {
            let told = told.into_inner();
            told.nothing = true;
            told.findings = Some(0);
            return Ok(Exit::Clean);
        }
        Plan::Range { text, not, .. } => {
            git::run_with(&git(Some(text), not, Vec::new()), shared, &wrap)?
        }
        Plan::History { of } => {
            let branch = of.into_iter().collect();
            git::run_with(&git(None, Vec::new(), branch), shared, &wrap)?
        }
        Plan::Tree => {
            let tree = ScanArgs {
                include: within.clone(),
                common: common.clone(),
                ..ScanArgs::whole(args.repo.clone(), false)
            };
            scan::run_with(&tree, shared, &wrap)?
        }
    };
    let told = told.into_inner();
    if exit == Exit::Trouble && told.trouble.is_none() {
        told.trouble = Some(if told.incomplete {
            "something could not be scanned; the report says what and why".to_owned()
        } else {
            "something was left out, and --require-complete is set; the report says what".to_owned()
        });
    }
    Ok(match (&told.trouble, exit) {
        (Some(_), Exit::Clean | Exit::Findings(_)) => Exit::Trouble,
        _ => exit,
    })
}

/// What a stranger's change may not do: accept its own findings.
fn mistrust(common: &mut CommonArgs, repo: &Path) {
    common.no_inline_allow = true;
    common.config.no_repo_config = true;
    let inside = repo.canonicalize().unwrap_or_else(|_| repo.to_owned());
    common.config.mistrusted = Some(project::root_of(&inside));
}

/// Where messages go: GitHub reads commands from both streams, so there they keep to the one that is guarded.
fn log(service: Service, aside: bool) -> Box<dyn Write> {
    if service == Service::GitHub && !aside {
        Box::new(io::stdout())
    } else {
        Box::new(io::stderr())
    }
}

/// The folder for reports, made if need be.
fn reports(args: &CiArgs, service: Service) -> anyhow::Result<Option<PathBuf>> {
    let folder = match (&args.reports, service) {
        (Some(folder), _) => folder.clone(),
        (None, Service::GitHub) => {
            let parent = variable("RUNNER_TEMP").map_or_else(std::env::temp_dir, PathBuf::from);
            let folder = tempfile::Builder::new()
                .prefix("keysweep-")
                .tempdir_in(&parent)
                .with_context(|| format!("{}: no folder for reports", parent.display()))?;
            return Ok(Some(folder.keep()));
        }
        (None, Service::GitLab) => PathBuf::from("keysweep-reports"),
        (None, Service::None) => return Ok(None),
    };
    fs::create_dir_all(&folder)
        .with_context(|| format!("{}: no folder for reports", folder.display()))?;
    // The scanned tree may have brought it, with a link in its place.
    if !fs::symlink_metadata(&folder).is_ok_and(|meta| meta.is_dir()) {
        bail!(
            "{}: not a folder but a link; name another one with --reports",
            folder.display()
        );
    }
    Ok(Some(folder))
}

/// Writes the report that the user wants, and takes from it what else is to be told.
struct Listening<'l, 't> {
    inner: Box<dyn Reporter>,
    service: Service,
    folder: Option<&'l Path>,
    told: &'l RefCell<&'t mut Told>,
}

impl Reporter for Listening<'_, '_> {
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        self.inner.write(report, out)?;
        let mut told = self.told.borrow_mut();
        told.receive(report, self.service, self.folder)
            .map_err(|error| io::Error::other(format!("{error:#}")))
    }
}

impl Told {
    /// Takes what the service and later steps need of a report.
    fn receive(
        &mut self,
        report: &Report<'_>,
        service: Service,
        folder: Option<&Path>,
    ) -> anyhow::Result<()> {
        self.findings = Some(report.findings.len());
        self.incomplete = !report.is_complete();
        let promised = report.summary.skipped.get(&SkipKind::Promised).copied();
        if let Some(count) = promised.filter(|count| *count > 0) {
            self.incomplete = true;
            self.trouble = Some(plan::promised(count, service));
        }
        if let Some(folder) = folder {
            self.json = write_file(report, "json", &folder.join("report.json"))?;
            self.sarif = write_file(report, "sarif", &folder.join("report.sarif"))?;
            if service == Service::GitLab {
                write_file(
                    report,
                    "gitlab",
                    &folder.join("gl-secret-detection-report.json"),
                )?;
            }
        }
        if service == Service::GitHub {
            write_to(report, "github", &mut self.annotations)?;
            write_to(report, "markdown", &mut self.markdown)?;
        }
        Ok(())
    }
}

/// Writes a report in a format into a file that is not there yet or is replaced, whatever stood in its place.
fn write_file(report: &Report<'_>, format: &str, path: &Path) -> anyhow::Result<Option<PathBuf>> {
    let mut bytes = Vec::new();
    if !write_to(report, format, &mut bytes)? {
        return Ok(None);
    }
    let write = || {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Not through a link that came meanwhile.
        let mut file = fs::File::create_new(path)?;
        file.write_all(&bytes)
    };
    write().with_context(|| format!("{}: cannot write the report", path.display()))?;
    Ok(Some(path.to_owned()))
}

/// Writes a report in a format; gives whether there is such a format.
fn write_to(report: &Report<'_>, format: &str, out: &mut Vec<u8>) -> anyhow::Result<bool> {
    let Some(reporter) = report::by_name(format) else {
        return Ok(false);
    };
    reporter.write(report, out)?;
    Ok(true)
}
