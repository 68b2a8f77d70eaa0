//! `keysweep.toml`: text → typed values, and which of these files hold in which folder.
//!
//! Most of these files come out of a scanned tree, so they are read as anything else there: no link, no pipe, a bounded
//! size, bounded regexes. What wins where several say the same (flag, environment, files) is the program's business and
//! deliberately absent, as is judging findings by `[[allow]]`: `place/` does that.

mod allow;
mod file;
mod folders;
mod glob;
mod online;
mod read;
mod value;

pub use allow::{AllowEntry, Target};
pub use file::{At, ConfigFile, ReportKeys, RulesKeys, ScanKeys, rule_file, size};
pub use folders::{Folders, Scope};
pub use glob::{GlobError, globs};
pub use online::{LedgerKeys, NamedPart, NetworkKeys, Online, RespondKeys, ValueFrom, named_parts};
pub use read::{MOST_BYTES, read};
pub use value::{check_regex, compile, is_commit_prefix, is_fingerprint};

pub use crate::rule::FileError;

/// The name of the file.
pub const NAME: &str = "keysweep.toml";

#[cfg(test)]
mod tests;
