//! The arguments that several commands take; their comments are the help. A command's own stand in its file.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use keysweep::model::{Confidence, Severity};
use keysweep::report::FORMATS;

/// What every command takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Shared {
    /// How the report is written
    #[arg(long, short, global = true, value_name = "FORMAT", default_value = "text", value_parser = clap::builder::PossibleValuesParser::new(FORMATS))]
    pub(crate) format: String,
    /// Write the report to this file instead of standard output
    #[arg(long, short, global = true, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// No progress and no messages beside the report
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Say more about what is done
    #[arg(long, short, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// When to use colour; NO_COLOR and CLICOLOR_FORCE are honoured
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub(crate) color: ColorChoice,
    /// Which of them were given, and are no defaults
    #[arg(skip)]
    pub(crate) given: super::project::Given,
}

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Arguments of `scan`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ScanArgs {
    /// Folders and files to scan, or `-` for standard input
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) paths: Vec<PathBuf>,

    /// The history of the repository that holds the path, too
    #[arg(long, conflicts_with = "explain", help_heading = "What is scanned")]
    pub(crate) history: bool,
    /// Scan untracked files that git ignores, too
    #[arg(long, help_heading = "What is scanned")]
    pub(crate) no_ignore: bool,
    /// Only paths that match this glob (repeatable); `*` also crosses `/`
    #[arg(long, value_name = "GLOB", help_heading = "What is scanned")]
    pub(crate) include: Vec<String>,
    /// Not the paths that match this glob (repeatable)
    #[arg(long, value_name = "GLOB", help_heading = "What is scanned")]
    pub(crate) exclude: Vec<String>,
    /// Leave out files of more bytes than this, such as 500K, 10M, 2G
    #[arg(long, value_name = "SIZE", value_parser = keysweep::config::size, help_heading = "What is scanned")]
    pub(crate) max_size: Option<u64>,
    /// Say which rules looked at a line, and why each kept or dropped it
    #[arg(
        long,
        value_name = "FILE:LINE",
        conflicts_with = "show_suppressed",
        help_heading = "What is reported"
    )]
    pub(crate) explain: Option<String>,

    #[cfg(feature = "online")]
    #[command(flatten)]
    pub(crate) ask: super::online::verify::AskArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// Arguments of `git`.
#[expect(clippy::struct_excessive_bools, reason = "flags of the command line")]
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct GitArgs {
    /// Repository: a folder in its working tree, a bare one, or an address that the installed git can clone
    #[arg(value_name = "REPO|URL", default_value = ".")]
    pub(crate) repo: PathBuf,

    /// Only what the next commit would add (the index against HEAD)
    #[arg(long, group = "what", help_heading = "What is scanned")]
    pub(crate) staged: bool,
    /// Only files of the working tree that differ from the index
    #[arg(long, group = "what", help_heading = "What is scanned")]
    pub(crate) unstaged: bool,
    /// Only what these commits add, such as origin/main..HEAD or main...topic
    #[arg(
        long,
        group = "what",
        value_name = "A..B",
        help_heading = "What is scanned"
    )]
    pub(crate) range: Option<String>,
    /// Leave out of the range what this commit reaches, too (repeatable)
    #[arg(
        long,
        value_name = "REV",
        requires = "range",
        help_heading = "What is scanned"
    )]
    pub(crate) not: Vec<String>,
    /// Only secrets that came in since: a commit, a date, or such as '2 weeks ago'
    #[arg(
        long,
        group = "what",
        value_name = "REV|DATE",
        help_heading = "What is scanned"
    )]
    pub(crate) since: Option<String>,
    /// Only the history of this branch, tag or commit (repeatable)
    #[arg(long, value_name = "REV", conflicts_with_all = ["staged", "unstaged", "range", "all_objects"], help_heading = "What is scanned")]
    pub(crate) branch: Vec<String>,
    /// Objects that no ref reaches, too: deleted branches, dropped stashes, amended commits
    #[arg(long, conflicts_with = "what", help_heading = "What is scanned")]
    pub(crate) all_objects: bool,
    /// The submodules' repositories, too
    #[arg(long, conflicts_with_all = ["staged", "unstaged", "range"], help_heading = "What is scanned")]
    pub(crate) recurse_submodules: bool,
    /// Leave out messages and authors of commits, tags, and names of files and refs
    #[arg(long, help_heading = "What is scanned")]
    pub(crate) no_metadata: bool,
    /// Begin anew, and keep nothing for the next run
    #[arg(long, help_heading = "What is scanned")]
    pub(crate) no_cache: bool,
    /// How packs are scanned: along their deltas, or each object whole (slow, to compare)
    #[arg(long, value_enum, default_value_t = PackEngine::Delta, value_name = "ENGINE", help_heading = "What is scanned")]
    pub(crate) engine: PackEngine,
    /// Globs of the paths that are reported; all without one.
    #[arg(skip)]
    pub(crate) within: Vec<String>,

    #[cfg(feature = "online")]
    #[command(flatten)]
    pub(crate) ask: super::online::verify::AskArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// How packs are scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PackEngine {
    /// Along their deltas.
    Delta,
    /// Every object whole, as libgit2 gives it.
    Whole,
}

/// What every command that scans takes.
#[expect(clippy::struct_excessive_bools, reason = "flags of the command line")]
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CommonArgs {
    /// Threads to use; all cores by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "What is scanned")]
    pub(crate) threads: Option<u16>,

    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// What the configuration files say, once they are read
    #[arg(skip)]
    pub(crate) project: super::project::Project,
    /// What the command says of verification; nothing where it does not verify
    #[cfg(feature = "online")]
    #[arg(skip)]
    pub(crate) ask: Option<super::online::verify::AskArgs>,

    /// Least confidence that is shown
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = Level::Medium, help_heading = "What is reported")]
    pub(crate) min_confidence: Level,
    /// Least severity that makes the exit code 1
    #[arg(long, value_name = "SEVERITY", value_enum, default_value_t = FailOn::Medium, help_heading = "What is reported")]
    pub(crate) fail_on: FailOn,
    /// Show secrets in clear
    #[arg(long, help_heading = "What is reported")]
    pub(crate) show_secrets: bool,
    /// Show what was dropped or suppressed, too, with the reason
    #[arg(long, help_heading = "What is reported")]
    pub(crate) show_suppressed: bool,
    /// Do not let comments in the scanned files suppress findings
    #[arg(long, help_heading = "What is reported")]
    pub(crate) no_inline_allow: bool,

    #[command(flatten)]
    pub(crate) suppression: super::suppression::SuppressionArgs,
    /// Say, behind the report, what time each rule took and what it came to
    #[arg(long, help_heading = "What is reported")]
    pub(crate) stats: bool,

    /// Exit code for findings instead of 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..), help_heading = "How it ends")]
    pub(crate) exit_code: Option<u8>,
    /// Exit with 0 even with findings
    #[arg(long, conflicts_with = "exit_code", help_heading = "How it ends")]
    pub(crate) exit_zero: bool,
    /// Do not fail because something could not be scanned
    #[arg(long, help_heading = "How it ends")]
    pub(crate) keep_going: bool,
    /// Fail even when something was left out by policy (ignored, over the size limit)
    #[arg(long, conflicts_with = "keep_going", help_heading = "How it ends")]
    pub(crate) require_complete: bool,
}

/// Which configuration is used.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ConfigArgs {
    /// A configuration file of yours, stronger than the scanned tree's own
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    pub(crate) config: Option<PathBuf>,
    /// Let no keysweep.toml of the scanned tree count: for changes from people whom you do not know
    #[arg(long, help_heading = "Configuration")]
    pub(crate) no_repo_config: bool,
    /// Files below this folder do not count even where they are named: a stranger's change may have written them.
    #[arg(skip)]
    pub(crate) mistrusted: Option<PathBuf>,
}

impl ConfigArgs {
    /// Whether a file that was named counts.
    pub(crate) fn counts(&self, file: &Path) -> bool {
        self.mistrusted.as_deref().is_none_or(|root| {
            // A link in the tree is the stranger's wherever it leads, and one into it as well.
            let written = std::path::absolute(file).is_ok_and(|path| path.starts_with(root));
            let meant = file.canonicalize().is_ok_and(|path| path.starts_with(root));
            !written && !meant
        })
    }
}

/// Which rules are used.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct SelectionArgs {
    /// A rule file, or a folder of them, beside the built-in rules (repeatable)
    #[arg(long, value_name = "FILE|DIR", help_heading = "Rules")]
    pub(crate) rules: Vec<PathBuf>,
    /// Leave the built-in rules out
    #[arg(long, help_heading = "Rules")]
    pub(crate) no_builtin_rules: bool,
    /// Only the rule with this id (repeatable)
    #[arg(long, value_name = "ID", help_heading = "Rules")]
    pub(crate) enable: Vec<String>,
    /// Not the rule with this id (repeatable)
    #[arg(long, value_name = "ID", help_heading = "Rules")]
    pub(crate) disable: Vec<String>,
}

impl SelectionArgs {
    /// The same for the library.
    pub(crate) fn selection(&self) -> keysweep::rule::Selection {
        keysweep::rule::Selection {
            files: self.rules.clone(),
            no_builtin: self.no_builtin_rules,
            enable: self.enable.clone(),
            disable: self.disable.clone(),
            ..Default::default()
        }
    }
}

/// Levels of confidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// Everything that is not ruled out.
    Low,
    /// More likely than not.
    Medium,
    /// Proven by structure.
    High,
}

impl From<Level> for Confidence {
    fn from(level: Level) -> Self {
        match level {
            Level::Low => Self::Low,
            Level::Medium => Self::Medium,
            Level::High => Self::High,
        }
    }
}

/// Levels of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Any finding.
    Low,
    /// All but public and nearly useless keys.
    Medium,
    /// High and critical.
    High,
    /// Critical alone.
    Critical,
    /// Credentials that work, whatever their severity.
    #[cfg(feature = "online")]
    Active,
}

impl FailOn {
    /// Whether a finding makes a command fail.
    pub(crate) fn counts(self, finding: &keysweep::model::Finding) -> bool {
        #[cfg(feature = "online")]
        if self == Self::Active {
            return super::online::verify::is_active(finding);
        }
        finding.severity >= Severity::from(self)
    }
}

impl From<FailOn> for Severity {
    fn from(level: FailOn) -> Self {
        match level {
            #[cfg(feature = "online")]
            FailOn::Active => Self::Low,
            FailOn::Low => Self::Low,
            FailOn::Medium => Self::Medium,
            FailOn::High => Self::High,
            FailOn::Critical => Self::Critical,
        }
    }
}

/// A command's arguments when none is given.
pub(crate) fn defaults<A: clap::Args>() -> A {
    let command = A::augment_args(clap::Command::new("keysweep"));
    let matches = command.get_matches_from(["keysweep"]);
    A::from_arg_matches(&matches).unwrap_or_else(|e| e.exit())
}

impl ScanArgs {
    /// What plain `keysweep` does: this folder, with the history if it is a repository's.
    pub(crate) fn whole(folder: PathBuf, history: bool) -> Self {
        Self {
            paths: vec![folder],
            history,
            ..defaults()
        }
    }
}

impl GitArgs {
    /// The whole history of the repository that holds a path.
    pub(crate) fn of(path: &Path, common: &CommonArgs) -> Self {
        Self {
            repo: path.to_owned(),
            common: common.clone(),
            ..defaults()
        }
    }
}

impl From<Confidence> for Level {
    fn from(level: Confidence) -> Self {
        match level {
            Confidence::Low => Self::Low,
            Confidence::Medium => Self::Medium,
            Confidence::High => Self::High,
        }
    }
}

impl From<Severity> for FailOn {
    fn from(level: Severity) -> Self {
        match level {
            Severity::Low => Self::Low,
            Severity::Medium => Self::Medium,
            Severity::High => Self::High,
            Severity::Critical => Self::Critical,
        }
    }
}
