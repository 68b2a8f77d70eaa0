//! The command line: arguments → library calls → reports and exit codes.

mod args;
mod baseline;
mod ci;
#[cfg(feature = "online")]
mod clone;
mod command;
mod config;
mod console;
mod diagnostics;
mod exit;
mod explain;
mod finish;
mod git;
mod hook;
mod import;
mod init;
mod input;
#[cfg(feature = "online")]
mod online;
mod pages;
mod progress;
mod project;
mod report;
mod rules;
mod scan;
mod suppression;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use keysweep::report::{Redactor, printable};
use keysweep::rule::RuleSet;
use keysweep::scan::Engine;

use args::Shared;
use command::{Args, Command};
use exit::Exit;

/// Runs the program.
pub(crate) fn run() -> ExitCode {
    progress::begin();
    let matches = match Args::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            // clap's own exit codes: 0 for help and version, 2 for a wrong call.
            if error.use_stderr() {
                refuse(&error);
                return Exit::Trouble.into();
            }
            let _ = error.print();
            return Exit::Clean.into();
        }
    };
    let mut args = match Args::from_arg_matches(&matches) {
        Ok(args) => args,
        Err(error) => {
            refuse(&error);
            return Exit::Trouble.into();
        }
    };
    args.shared.given = project::Given::of(&matches);
    // `-` is standard output, where reports go anyway.
    args.shared.output = args.shared.output.filter(|path| path.as_os_str() != "-");
    match perform(args) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let closed = error
                .downcast_ref::<io::Error>()
                .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe);
            let message = if closed {
                "the reader of the report went away before its end; write it to a file with --output".to_owned()
            } else {
                format!("{error:#}")
            };
            let interrupted = error.is::<input::Interrupted>();
            let message = without_secrets(&message).unwrap_or(message);
            let lines: Vec<_> = message.lines().map(printable).collect();
            let message = lines.join("\n");
            let _ = writeln!(io::stderr(), "keysweep: {message}");
            if interrupted {
                Exit::Interrupted.into()
            } else {
                Exit::Trouble.into()
            }
        }
    }
}

/// Says what is wrong with the call, without the key that somebody gave by mistake.
fn refuse(error: &clap::Error) {
    let _ = match without_secrets(&error.render().to_string()) {
        Some(message) => write!(io::stderr(), "{message}"),
        None => error.print(),
    };
}

/// The message with the secrets hidden that stand in it, in a path or in a line of a rule file;
/// `None` where there are none.
fn without_secrets(message: &str) -> Option<String> {
    let engine = Engine::new(RuleSet::builtin().ok()?).ok()?;
    let shown = Redactor::of_text(&engine, message).redact(message.as_bytes());
    (shown != message).then_some(shown)
}

fn perform(args: Args) -> anyhow::Result<Exit> {
    let shared = args.shared;
    match args.command {
        Some(Command::Scan(scan)) => scan::run(&scan, &shared),
        Some(Command::Git(git)) => git::run(&git, &shared),
        Some(Command::Hook(command)) => hook::run(command, &shared),
        Some(Command::Baseline(command)) => baseline::run(command, &shared),
        Some(Command::Ci(ci)) => ci::run(&ci, &shared),
        Some(Command::Rules(command)) => rules::run(command, &shared),
        Some(Command::Config(command)) => config::run(command, &shared),
        Some(Command::Import(command)) => import::run(command, &shared),
        #[cfg(feature = "online")]
        Some(Command::Incidents(command)) => online::incidents::run(&command, &shared),
        Some(Command::Init(init)) => init::run(&init, &shared),
        Some(Command::Report(command)) => report::run(&command, &shared),
        #[cfg(feature = "online")]
        Some(Command::Verify(verify)) => online::verify::run(&verify, &shared),
        #[cfg(feature = "online")]
        Some(Command::Respond(respond)) => online::respond::run(&respond, &shared),
        #[cfg(feature = "online")]
        Some(Command::Revoke(revoke)) => online::revoke::run(&revoke, &shared),
        #[cfg(feature = "online")]
        Some(Command::Recheck(recheck)) => online::recheck::run(&recheck, &shared),
        Some(Command::Completions { shell }) => pages::completions(shell, &shared),
        Some(Command::Man { command, all }) => {
            pages::man(command.as_deref(), all.as_deref(), &shared)
        }
        None => scan::run(&git::whole(), &shared),
    }
}
