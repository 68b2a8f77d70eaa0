//! The program's command line as a whole: one variant a command.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::args::{GitArgs, ScanArgs, Shared};
use super::baseline::BaselineCommand;
use super::ci::CiArgs;
use super::config::ConfigCommand;
use super::hook::HookCommand;
use super::import::ImportCommand;
use super::init::InitArgs;
use super::report::ReportCommand;
use super::rules::RulesCommand;

/// Find every exposed key in working trees, files, standard input and git history.
///
/// Without a command it scans the current folder's repository: working tree and history.
///
/// Exit codes: 0 nothing found at or above --fail-on, 1 findings, 2 the command could not do all its
/// work (2 beats 1), 130 interrupted. Hook runners treat any code but 0 as failure.
#[derive(Debug, Parser)]
#[command(
    name = "keysweep",
    version,
    max_term_width = 100,
    propagate_version = true
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Scan working trees, files or standard input
    Scan(Box<ScanArgs>),
    /// Scan the history of a git repository, or what is added to it
    Git(Box<GitArgs>),
    /// Install, remove or run git hooks that scan what is committed or pushed
    #[command(subcommand)]
    Hook(HookCommand),
    /// Accept what is there today, so that only new findings fail
    #[command(subcommand)]
    Baseline(BaselineCommand),
    /// Scan what the event of a CI service adds: a pull request, a push, a merge queue's group
    Ci(Box<CiArgs>),
    /// List, show or test the rules
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Convert, merge or compare reports
    #[command(subcommand)]
    Report(ReportCommand),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write a commented keysweep.toml, and what runs keysweep for a project
    Init(InitArgs),
    /// Turn another scanner's configuration, ignore file or baseline into a keysweep.toml
    #[command(subcommand)]
    Import(ImportCommand),
    /// Plan what ends the leaks of a report, and with --apply do it, prove it and put it on record
    ///
    /// Written as text or json. Exit codes: 2 where a key is not proven dead or something is left to a person, else 0.
    #[cfg(feature = "online")]
    Respond(Box<super::online::respond::RespondArgs>),
    /// End one key that you have, prove it dead and put it on record
    ///
    /// Written as text or json. Exit codes: 2 where the key is not proven dead, else 0.
    #[cfg(feature = "online")]
    Revoke(Box<super::online::revoke::RevokeArgs>),
    /// Use keys again that were ended, to see that they are dead
    ///
    /// Written as text or json. Exit codes: 1 a key works, 2 it cannot be said of one, else 0.
    #[cfg(feature = "online")]
    Recheck(Box<super::online::recheck::RecheckArgs>),
    /// Ask providers which credentials of a report work
    ///
    /// A report never holds the secrets: they are read again where they stand. With --rule, the answer is
    /// written as text, json or jsonl. Exit codes: 1 a credential works, 2 nobody could be
    /// asked, else 0.
    #[cfg(feature = "online")]
    Verify(Box<super::online::verify::VerifyArgs>),
    /// Show what was done about leaks: list, show or export incidents, check the ledger
    #[cfg(feature = "online")]
    #[command(subcommand)]
    Incidents(super::online::incidents::IncidentsCommand),
    /// Write a completion script for a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write a manual page
    Man {
        /// The command to describe; the program as a whole without it
        command: Option<String>,
        /// Write the pages of all commands into this folder
        #[arg(long, value_name = "FOLDER", conflicts_with_all = ["command", "output"])]
        all: Option<PathBuf>,
    },
}
