//! Where bytes come from: working trees and files, whole or in windows.

mod file;
mod ignored;
mod worktree;

pub(crate) use worktree::reason;

pub use file::{Content, OpenError, open_regular};
pub use ignored::{DamagedIndex, Repository};
pub use worktree::{DirTask, FileTask, Listing, RulesHandle, TreeOptions, Walk};
