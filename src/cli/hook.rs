//! `keysweep hook`: scanning what is committed, pushed or received, before it is.
//!
//! `install` writes small scripts that call `run`; `run` does the work in this process, on what git tells it through the
//! environment and standard input. Nothing that is there already is overwritten.

mod blocked;
mod comment;
mod install;
mod manager;
mod push;
mod run;
mod script;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Subcommand, ValueEnum};

use super::args::{CommonArgs, Shared};
use super::exit::Exit;

/// Commands about hooks.
#[derive(Debug, Subcommand)]
pub(crate) enum HookCommand {
    /// Install hooks in a repository; hooks that are there already go on running
    Install(InstallArgs),
    /// Remove the installed hooks, and put back those that were there before
    Uninstall(InstallArgs),
    /// Scan what is being committed, pushed or received: what an installed hook calls
    Run(Box<RunArgs>),
}

/// Arguments of `hook install` and `hook uninstall`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct InstallArgs {
    /// Repository: a folder in its working tree, or a bare one
    #[arg(value_name = "REPO", default_value = ".", conflicts_with = "global")]
    pub(crate) repo: PathBuf,
    /// Which hook (repeatable); for install pre-commit by default, for uninstall all of keysweep's
    #[arg(long = "type", short = 't', value_name = "HOOK", value_enum)]
    pub(crate) kinds: Vec<Kind>,
    /// In git's template, so for all repositories that are made or cloned from now on
    #[arg(long)]
    pub(crate) global: bool,
    /// Even where a hook manager (pre-commit, lefthook, husky, …) is in charge
    #[arg(long)]
    pub(crate) force: bool,
}

/// Installs the pre-commit hook of a repository.
pub(crate) fn install_in(root: &Path, shared: &Shared) -> anyhow::Result<Exit> {
    let args = InstallArgs {
        repo: root.to_owned(),
        kinds: Vec::new(),
        global: false,
        force: false,
    };
    install::install(&args, shared)
}

/// Arguments of `hook run`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RunArgs {
    /// The hook
    #[arg(value_name = "HOOK", value_enum)]
    kind: Kind,
    /// What git gives the hook: for pre-push the remote's name and address
    #[arg(value_name = "ARGUMENT")]
    arguments: Vec<String>,
    /// Stop after so many seconds, such as 4 where the server allows 5; the hook fails then, unless --keep-going is given
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    time_limit: Option<Duration>,
    /// For pre-receive: let a push pass, with a line in its log, that comes with `git push -o keysweep.skip`
    #[arg(long)]
    allow_skip: bool,

    #[command(flatten)]
    common: CommonArgs,
}

/// Git's hooks that there is something to scan in.
#[expect(clippy::enum_variant_names, reason = "they are git's names")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Before a commit is made.
    PreCommit,
    /// Before a merge without conflicts is committed.
    PreMergeCommit,
    /// Before commits are pushed.
    PrePush,
    /// On the server, before pushed commits are accepted.
    PreReceive,
}

impl Kind {
    const ALL: [Self; 4] = [
        Self::PreCommit,
        Self::PreMergeCommit,
        Self::PrePush,
        Self::PreReceive,
    ];

    /// Git's name for it.
    fn name(self) -> &'static str {
        match self {
            Self::PreCommit => "pre-commit",
            Self::PreMergeCommit => "pre-merge-commit",
            Self::PrePush => "pre-push",
            Self::PreReceive => "pre-receive",
        }
    }

    /// What it holds up.
    fn subject(self) -> &'static str {
        match self {
            Self::PreCommit => "commit",
            Self::PreMergeCommit => "merge",
            Self::PrePush | Self::PreReceive => "push",
        }
    }
}

/// Runs the command.
pub(crate) fn run(command: HookCommand, shared: &Shared) -> anyhow::Result<Exit> {
    match command {
        HookCommand::Install(args) => install::install(&args, shared),
        HookCommand::Uninstall(args) => install::uninstall(&args, shared),
        HookCommand::Run(args) => run::run(&args, shared),
    }
}

/// Reads a number of seconds.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    limit
        .filter(|limit| !limit.is_zero())
        .ok_or_else(|| "write a number of seconds, such as 4 or 0.5".to_owned())
}
