//! Git repositories without git: where they lie, their refs, and which commits, paths and refs hold an object.
//!
//! A repository may be made to hurt: its configuration is read for its format alone, no hook, filter or include is
//! followed, no link or pipe is opened, and nothing outside is read unless the caller vouches for it ([`Trust`]).
//! No rule and no secret is known here: what was found in objects goes by number. Absent on purpose: writing, the network,
//! SHA-256 and reftable repositories (a clear error).
//!
//! ```text
//! Repo ─▶ Refs, Revisions ─▶ staged, range: what is added
//!      └▶ Objects ─▶ trees (packs, loose) ─▶ graph ─▶ the part of it that leads to hits ─▶ Attribution
//! ```

mod attribute;
mod changes;
mod commits;
mod control;
mod error;
mod forest;
mod ids;
mod index;
mod index_diff;
mod mailmap;
mod name;
mod objects;
mod past;
mod places;
mod range;
mod refs;
mod repo;
mod revision;
mod route;
mod sets;
mod trees;

pub use attribute::{Attribution, Counts, Input, Joined, Missed, Unit, attribute};
pub use changes::{Change, Removed, files_below};
pub use commits::{RawCommit, details, parse};
pub use error::Error;
pub use index_diff::{Staged, Unstaged, staged, staged_on, tracked, unstaged};
pub use mailmap::Mailmap;
pub use objects::{Hit, LooseId, Objects, OpenPack};
pub use past::{Past, PastName};
pub use range::{Added, CommitAdds, range, range_to};
pub use refs::{Refs, Tip, refs};
pub use repo::{Nested, Repo, SubRepo, Trust, nested};
pub use revision::{Peeled, RangeText, Revisions, parse_range, peel, since};
pub use trees::{entry_name, entry_number};

#[cfg(all(test, unix))]
mod graph_tests;
#[cfg(all(test, unix))]
mod tests;
