//! Rules meet bytes: the engine, what joins its matches into findings, and the threads.

mod added;
mod audit;
mod blob;
mod cache;
mod carry;
mod companion;
mod driver;
mod engine;
mod extent;
mod join;
mod marks;
mod merge;
mod meter;
mod objects;
mod reading;
mod recall;
mod settle;
mod windows;

pub use added::{AddedOptions, Addition, scan_added};
pub use audit::{Audit, AuditError, AuditOptions, AuditOutcome, Since, audit};
pub use cache::CacheFolder;
pub use driver::{Input, Options, Outcome, scan_bytes, scan_reader, scan_tree};
pub use engine::{Engine, EngineError, Limits, Match, Scratch};
pub use join::{BlobContext, BlobMatch, Settings, join};
pub use merge::{Collected, PUBLISHED_SALT, fingerprint, merge, merge_with};
pub use meter::{Clock, Counts, Drops, RuleCount};
