//! The place stage: what path, kind of file and comments say of a match, and what a team accepts.

pub mod baseline;
pub mod comment;
pub mod glob;
pub mod ignore_file;
mod note;
pub mod owners;
mod path;
pub mod score;
pub mod suppress;
mod typed;

pub use note::Note;
pub use path::{PathKind, is_notable, path_kind};
