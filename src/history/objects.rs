//! A repository's packs and loose objects, opened once for all passes.

use std::sync::Arc;

use crate::pack::{Db, Entries, Pack};

/// Packs and loose objects.
pub struct Objects {
    /// The packs with their entries.
    pub packs: Vec<OpenPack>,
    /// All objects by id.
    pub db: Db,
}

/// A pack with the list of its entries.
pub struct OpenPack {
    /// The pack.
    pub pack: Arc<Pack>,
    /// Its entries.
    pub entries: Entries,
}
