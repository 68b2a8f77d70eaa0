//! What to look for: rule files, the set of rules of a run, and the literal search in front of it.

pub mod block;
mod builtin;
mod file;
mod prefilter;
mod proof;
mod set;

pub use file::{
    FileError, MACROS, MAX_BLOCK, MAX_REACH, RawRule, RuleFile, blocks, nearest, parse,
    parse_tables,
};
pub use prefilter::{Escape, Hit, Literal, Prefilter, Step};
pub use proof::is_token_byte;
pub(crate) use set::regex;
pub use set::{Block, Compiled, Error, Near, Rule, RuleSet, RuleSpec, Selection, Words};
