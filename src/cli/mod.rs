//! The command line: arguments → library calls → reports and exit codes.

mod args;
mod console;
mod exit;
mod explain;
mod finish;
mod progress;
mod rules;
mod scan;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::{Args, Command, Shared};
use exit::Exit;

/// Runs the program.
pub(crate) fn run() -> ExitCode {
    let matches = match Args::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            // clap's own exit codes: 0 for help and version, 2 for a wrong call.
            let code = if error.use_stderr() {
                Exit::Trouble
            } else {
                Exit::Clean
            };
            let _ = error.print();
            return code.into();
        }
    };
    let args = match Args::from_arg_matches(&matches) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return Exit::Trouble.into();
        }
    };
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
            let _ = writeln!(io::stderr(), "keysweep: {message}");
            Exit::Trouble.into()
        }
    }
}

fn perform(args: Args) -> anyhow::Result<Exit> {
    let shared = args.shared;
    match args.command {
        Some(Command::Scan(scan)) => scan::run(&scan, &shared),
        Some(Command::Rules(command)) => rules::run(command, &shared),
        Some(Command::Completions { shell }) => {
            let mut command = Args::command();
            clap_complete::generate(shell, &mut command, "keysweep", &mut io::stdout());
            Ok(Exit::Clean)
        }
        Some(Command::Man { command }) => man(command.as_deref()),
        None => scan::run(&args::ScanArgs::default_for_terminal(), &shared),
    }
}

/// Writes the manual page of the program or of one command.
fn man(name: Option<&str>) -> anyhow::Result<Exit> {
    let mut command = Args::command();
    command.build();
    let page = match name {
        None => command,
        Some(name) => command
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| anyhow::anyhow!("no command `{name}`; `keysweep help` lists them"))?,
    };
    clap_mangen::Man::new(page).render(&mut io::stdout())?;
    Ok(Exit::Clean)
}
