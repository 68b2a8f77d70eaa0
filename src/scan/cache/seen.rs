//! Every object that was looked at: most of a file, read only where it is asked for.

use std::fs::File;
use std::sync::OnceLock;

use super::super::objects::Seen;
use super::decode::{In, part};
use crate::pack::Oid;

/// Every object but trees that was looked at, ascending: more than half of a file, and mostly not asked for.
#[derive(Debug, Default)]
pub(in crate::scan) struct SeenList {
    pub(super) count: usize,
    /// The first id of each block of rows, and the block's sum.
    pub(super) blocks: Vec<(Oid, u32)>,
    /// The file, where in it the rows begin, and their sum.
    pub(super) file: Option<(File, u64, u32)>,
    pub(super) rows: OnceLock<Option<Vec<Seen>>>,
}

impl SeenList {
    /// Those of a run that ends, ascending.
    pub(in crate::scan) fn new(rows: Vec<Seen>) -> Self {
        Self {
            count: rows.len(),
            blocks: Vec::new(),
            file: None,
            rows: OnceLock::from(Some(rows)),
        }
    }

    /// How many there are.
    pub(in crate::scan) fn len(&self) -> usize {
        self.count
    }

    /// All of them, which are read now; `None` where the file is damaged.
    pub(in crate::scan) fn all(&self) -> Option<&[Seen]> {
        self.rows.get_or_init(|| self.read()).as_deref()
    }

    /// Among them one object; of the file its block is read. `None`, too, where that is damaged.
    pub(in crate::scan) fn find(&self, id: &Oid) -> Option<Seen> {
        if let Some(rows) = self.rows.get() {
            return Seen::find(rows.as_deref()?, id);
        }
        let (file, at, _) = self.file.as_ref()?;
        let block = self.blocks.partition_point(|(first, _)| first <= id);
        let block = block.checked_sub(1)?;
        let (_, sum) = self.blocks.get(block)?;
        let first = block * BLOCK;
        let count = self.count.checked_sub(first)?.min(BLOCK);
        let bytes = part(file, *at + (first * SEEN) as u64, count * SEEN, *sum).ok()?;
        let rows = bytes.as_chunks::<SEEN>().0;
        let is_it = |row: &&[u8; SEEN]| row.first_chunk() == Some(id.as_bytes());
        seen(&mut In(rows.iter().find(is_it)?))
    }

    fn read(&self) -> Option<Vec<Seen>> {
        let Some((file, at, sum)) = &self.file else {
            return Some(Vec::new());
        };
        let bytes = part(file, *at, self.count * SEEN, *sum).ok()?;
        let rows = bytes.as_chunks::<SEEN>().0.iter();
        let rows: Option<Vec<Seen>> = rows.map(|row| seen(&mut In(row))).collect();
        rows.filter(|rows| rows.is_sorted_by(|a, b| a.id < b.id))
    }
}

/// Bytes of an object that was seen.
pub(super) const SEEN: usize = 29;

/// Such rows that have a sum of their own.
pub(super) const BLOCK: usize = 128;

fn seen(row: &mut In<'_>) -> Option<Seen> {
    let id = row.id()?;
    let (kind, flag) = row.kind()?;
    Some(Seen {
        id,
        kind,
        binary: flag & 1 == 1,
        size: row.u64()?,
    })
}
