//! What to look for: rule files, the set of rules of a run, and the literal search in front of it.

pub mod block;
mod builtin;
mod check;
mod compiled;
mod file;
mod prefilter;
mod proof;
mod set;
mod spec;

pub use compiled::Compiled;
#[cfg(feature = "online")]
pub(crate) use compiled::regex;
pub(crate) use compiled::{check_regex, fits};
pub use file::{
    FileError, MACROS, MAX_BLOCK, MAX_REACH, MIN_EVERYWHERE, RawRule, RuleFile, blocks, nearest,
    parse, parse_tables,
};
pub use prefilter::{Escape, Hit, Literal, Prefilter, Step};
pub use proof::is_token_byte;
pub(crate) use proof::locate;
pub use set::{Error, Rule, RuleSet, Selection};
pub use spec::{Block, Near, RuleSpec, Words};
