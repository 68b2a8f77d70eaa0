//! The place stage: what path, kind of file and comments say of a match.

pub mod comment;
mod path;
pub mod score;

pub use path::{PathKind, is_notable, path_kind};
