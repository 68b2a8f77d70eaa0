//! The program: reads its arguments, runs a command, returns its exit code.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
