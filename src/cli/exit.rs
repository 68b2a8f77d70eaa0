//! The exit codes, made nowhere else.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nothing at or above `--fail-on`.
    Clean,
    /// Findings at or above it, with the code for that.
    Findings(u8),
    /// The command could not do all its work.
    Trouble,
    /// Stopped from the keyboard.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Clean => Self::SUCCESS,
            Exit::Findings(code) => Self::from(code),
            Exit::Trouble => Self::from(2),
            Exit::Interrupted => Self::from(130),
        }
    }
}
