//! Refs, commits and trees: which commits, paths and refs hold an object.

mod commits;
mod objects;

pub use commits::{RawCommit, parse};
pub use objects::{Objects, OpenPack};
