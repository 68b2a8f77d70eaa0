//! Git's objects as they lie on disk: packs decoded along their delta trees, loose objects, indexes.
//!
//! Every object of a pack is decoded once: from the undeltified ones, each delta is applied to the base that is in
//! memory. What a delta copied and what it inserted comes along as an [`EditMap`], so that the caller need look only at
//! what is new. No rule, no finding, no reference and no commit is known here. Absent on purpose: memory maps (a file cut
//! short by another process must be an error), the repository's configuration, replacement of objects, writing.
//!
//! ```text
//! Index ─▶ Pack ─▶ Entries ─▶ DeltaTree ─▶ walk ─▶ Visitor
//! ```
//! Nothing that a file holds makes this code panic, allocate beyond its budget or run without end: what cannot be
//! decoded becomes a [`Gap`], and the rest goes on.

mod chain;
mod db;
mod delta;
mod entry;
mod error;
mod index;
mod inflate;
mod kind;
mod loose;
mod read_at;
mod tree;
mod walk;
mod worker;

pub use crate::model::Oid;
pub use db::{Db, Stored, alternates};
pub use delta::{EditMap, Segment};
pub use entry::{Entries, Pack};
pub use error::{DeltaFault, Error, Gap, IndexFault, PackFault, Why};
pub use index::{Index, Midx};
pub use inflate::Window;
pub use kind::Kind;
pub use loose::{Loose, LooseObject};
pub use read_at::ReadAt;
pub(crate) use read_at::read_pieces_at;
pub use tree::DeltaTree;
pub use walk::{Head, Object, Options, OutsideBases, Visitor, Walked, walk};

#[cfg(test)]
mod tests;
