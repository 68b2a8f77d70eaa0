//! Pack indexes: which object lies where. Format: <https://git-scm.com/docs/gitformat-pack>.
//!
//! The tables are read where they lie in the file's bytes; nothing is copied out of them.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use super::read_at::read_file;
use super::{Error, IndexFault, Oid};

/// The index of one pack: its objects' ids in ascending order, each with its offset.
pub struct Index {
    data: Vec<u8>,
    path: Arc<Path>,
    count: u32,
    /// Where the 256 counts begin.
    fan: usize,
    ids: Column,
    offsets: Column,
    /// Where the 8-byte offsets begin, and how many there are.
    large: (usize, usize),
    /// How many ids begin with less than each two bytes; made by [`Index::refine`].
    fine: OnceLock<Vec<u32>>,
}

/// Values at equal distances.
#[derive(Clone, Copy)]
struct Column {
    start: usize,
    stride: usize,
}

const MAGIC: &[u8; 4] = b"\xfftOc";
/// Two checksums at the end.
const TRAILER: usize = 40;

impl Index {
    /// Reads an index file, version 1 or 2.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NotAFile`], or [`Error::Index`] where it is truncated or damaged.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::parse(read_file(path)?, path)
    }

    /// Takes the bytes of an index; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Index`].
    pub fn parse(data: Vec<u8>, path: &Path) -> Result<Self, Error> {
        Self::tables(data, path).map_err(|why| Error::Index {
            path: path.to_owned(),
            why,
        })
    }

    fn tables(data: Vec<u8>, path: &Path) -> Result<Self, IndexFault> {
        let len = data.len();
        let truncated = |need: usize| IndexFault::Truncated {
            len: len as u64,
            need: need as u64,
        };
        let modern = data.starts_with(MAGIC);
        let fan = if modern { 8 } else { 0 };
        let tables = fan + 1024;
        if len < tables + TRAILER {
            return Err(truncated(tables + TRAILER));
        }
        if modern && be32(&data, 4) != 2 {
            return Err(IndexFault::Version(be32(&data, 4)));
        }
        let count = fan_out(&data, fan)?;
        let n = count as usize;
        let row = if modern { 28 } else { 24 };
        let small = n
            .checked_mul(row)
            .and_then(|size| size.checked_add(tables + TRAILER))
            .ok_or(IndexFault::Count)?;
        if len < small {
            return Err(truncated(small));
        }
        let rest = len - small;
        let (ids, offsets) = if modern {
            (
                Column {
                    start: tables,
                    stride: 20,
                },
                Column {
                    start: tables + 24 * n,
                    stride: 4,
                },
            )
        } else {
            (
                Column {
                    start: tables + 4,
                    stride: 24,
                },
                Column {
                    start: tables,
                    stride: 24,
                },
            )
        };
        let stray = if modern { rest % 8 } else { rest };
        if stray != 0 {
            return Err(IndexFault::Trailing {
                extra: stray as u64,
            });
        }
        Ok(Self {
            path: Arc::from(path),
            count,
            fan,
            ids,
            offsets,
            large: (tables + row * n, rest / 8),
            fine: OnceLock::new(),
            data,
        })
    }

    /// An index of these objects, ascending by id, as a version 2 file would have them.
    pub(super) fn from_sorted(rows: &[(Oid, u64)], path: &Path) -> Result<Self, Error> {
        let mut data = Vec::with_capacity(1072 + rows.len() * 28);
        data.extend_from_slice(MAGIC);
        data.extend_from_slice(&2_u32.to_be_bytes());
        for first in 0..=255_u8 {
            let upto = rows.partition_point(|(id, _)| id.as_bytes()[0] <= first);
            data.extend_from_slice(&(upto as u32).to_be_bytes());
        }
        for (id, _) in rows {
            data.extend_from_slice(id.as_bytes());
        }
        data.resize(data.len() + 4 * rows.len(), 0);
        let mut large = Vec::new();
        for (_, offset) in rows {
            let small = u32::try_from(*offset).ok().filter(|small| small >> 31 == 0);
            let value = small.unwrap_or_else(|| {
                large.extend_from_slice(&offset.to_be_bytes());
                1 << 31 | (large.len() / 8 - 1) as u32
            });
            data.extend_from_slice(&value.to_be_bytes());
        }
        data.extend_from_slice(&large);
        data.extend_from_slice(&[0; TRAILER]);
        Self::parse(data, path)
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.data
    }

    /// The checksums at its end: the pack's and its own.
    pub(super) fn checksums(&self) -> &[u8] {
        let start = self.data.len().saturating_sub(TRAILER);
        self.data.get(start..).unwrap_or_default()
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether it lists no object.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The file.
    pub fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// The id at a position below [`len`](Self::len), in ascending order of ids.
    ///
    /// A position that is not below it gives the id of zeros.
    pub fn id(&self, position: usize) -> Oid {
        let at = self.ids.start + position * self.ids.stride;
        self.data
            .get(at..)
            .and_then(Oid::from_slice)
            .unwrap_or(Oid::new([0; 20]))
    }

    /// The pack offset of the object at a position; [`u64::MAX`], which is in no pack, where the index has none.
    pub fn offset(&self, position: usize) -> u64 {
        let at = self.offsets.start + position * self.offsets.stride;
        let small = be32(&self.data, at);
        if self.fan == 0 || small >> 31 == 0 {
            return u64::from(small);
        }
        let which = (small & 0x7fff_ffff) as usize;
        let (start, count) = self.large;
        if which >= count {
            return u64::MAX;
        }
        be64(&self.data, start + which * 8)
    }

    /// Makes [`find`](Self::find) twice as fast, for as much work as some ten thousand of its calls.
    pub fn refine(&self) {
        self.fine.get_or_init(|| {
            let mut fine = vec![0_u32; (1 << 16) + 1];
            for position in 0..self.len() {
                fine[first(&self.id(position)) + 1] += 1;
            }
            for i in 1..fine.len() {
                fine[i] += fine[i - 1];
            }
            fine
        });
    }

    /// The position of an object.
    pub fn find(&self, id: &Oid) -> Option<usize> {
        /// Four times the usual distance between guess and place in a pack of some million objects.
        const NEAR: usize = 128;
        let (mut low, mut high) = match self.fine.get() {
            Some(fine) => (fine[first(id)] as usize, fine[first(id) + 1] as usize),
            None => fan_range(&self.data, self.fan, id),
        };
        // Ids are as good as random, so the next bytes tell about where one stands. Where they lie, nothing is lost but
        // two looks.
        if high - low > 4 * NEAR && self.fine.get().is_none() {
            let [_, next @ ..] = id.as_bytes();
            let next = next.first_chunk().map_or(0, |b| u32::from_be_bytes(*b));
            let guess = low + (((high - low) as u64 * u64::from(next)) >> 32) as usize;
            let (first, last) = (guess.saturating_sub(NEAR), guess + NEAR);
            if first > low && self.id(first) <= *id {
                low = first;
            }
            if last < high && self.id(last) > *id {
                high = last;
            }
        }
        let head = |id: &[u8]| id.first_chunk().map_or(0, |b| u64::from_be_bytes(*b));
        let wanted = head(id.as_bytes());
        while low < high {
            let middle = usize::midpoint(low, high);
            let at = self.ids.start + middle * self.ids.stride;
            let order = head(self.data.get(at..).unwrap_or_default()).cmp(&wanted);
            match order.then_with(|| self.id(middle).cmp(id)) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    /// Offsets and positions of all objects, by offset.
    #[cfg(test)]
    pub(super) fn by_offset(&self) -> impl Iterator<Item = (u64, Oid)> + '_ {
        self.sorted()
            .into_iter()
            .map(|(offset, position)| (offset, self.id(position as usize)))
    }

    /// Offset and position of every object, by offset. On the threads of the current pool.
    pub(super) fn sorted(&self) -> Vec<(u64, u32)> {
        let all: Vec<u64> = (0..self.len()).map(|i| self.offset(i)).collect();
        // Below 4 GB, offset and position fit one word, which sorts twice as fast.
        if all.iter().all(|offset| offset >> 32 == 0) {
            let mut keys: Vec<u64> = (0_u64..)
                .zip(&all)
                .map(|(i, offset)| offset << 32 | i)
                .collect();
            keys.par_sort_unstable();
            keys.into_iter()
                .map(|key| (key >> 32, key as u32))
                .collect()
        } else {
            let mut rows: Vec<(u64, u32)> = all.into_iter().zip(0..).collect();
            rows.par_sort_unstable();
            rows
        }
    }
}

/// The first two bytes of an id as a number.
fn first(id: &Oid) -> usize {
    let [high, low, ..] = *id.as_bytes();
    usize::from(u16::from_be_bytes([high, low]))
}

/// A multi-pack index: ids of the objects of several packs, each with one of the packs and the offset there.
///
/// Format: <https://git-scm.com/docs/gitformat-pack>. It lists an object once, however many packs have it, so it is for
/// look-ups; a walk over a pack takes that pack's own index, and [`Midx::index`] only in its absence.
pub struct Midx {
    data: Vec<u8>,
    path: Arc<Path>,
    names: Vec<String>,
    count: u32,
    fan: usize,
    ids: usize,
    places: usize,
    large: (usize, usize),
}

impl Midx {
    /// Reads a multi-pack index.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NotAFile`], or [`Error::Index`] where it is truncated or damaged.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::parse(read_file(path)?, path)
    }

    /// Takes the bytes of a multi-pack index; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Index`].
    pub fn parse(data: Vec<u8>, path: &Path) -> Result<Self, Error> {
        Self::tables(data, path).map_err(|why| Error::Index {
            path: path.to_owned(),
            why,
        })
    }

    fn tables(data: Vec<u8>, path: &Path) -> Result<Self, IndexFault> {
        let len = data.len() as u64;
        let truncated = |need: u64| IndexFault::Truncated { len, need };
        if len < 12 {
            return Err(truncated(12));
        }
        if !data.starts_with(b"MIDX") {
            return Err(IndexFault::Magic);
        }
        if !matches!(data[4], 1 | 2) {
            return Err(IndexFault::Version(u32::from(data[4])));
        }
        if data[5] != 1 {
            return Err(IndexFault::Format(data[5]));
        }
        let tables = usize::from(data[6]);
        let packs = be32(&data, 8) as usize;
        let head = 12 + 12 * (tables + 1);
        if data.len() < head {
            return Err(truncated(head as u64));
        }
        let table = |name: &'static str| -> Result<std::ops::Range<usize>, IndexFault> {
            let row = (0..tables)
                .map(|i| 12 + 12 * i)
                .find(|at| data[*at..].starts_with(name.as_bytes()))
                .ok_or(IndexFault::Table(name))?;
            let (start, end) = (be64(&data, row + 4), be64(&data, row + 16));
            if end > len {
                return Err(truncated(end));
            }
            if start > end {
                return Err(IndexFault::Table(name));
            }
            Ok(start as usize..end as usize)
        };
        let fan = table("OIDF")?;
        if fan.len() != 1024 {
            return Err(IndexFault::Table("OIDF"));
        }
        let count = fan_out(&data, fan.start)?;
        let (ids, places) = (table("OIDL")?, table("OOFF")?);
        if ids.len() as u64 != 20 * u64::from(count) {
            return Err(IndexFault::Table("OIDL"));
        }
        if places.len() as u64 != 8 * u64::from(count) {
            return Err(IndexFault::Table("OOFF"));
        }
        let large = table("LOFF").unwrap_or(0..0);
        let names: Vec<String> = data[table("PNAM")?]
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        // A name is joined to the pack folder: one with a separator would lead out of it.
        if names.len() != packs || names.iter().any(|name| name.contains(['/', '\\'])) {
            return Err(IndexFault::Table("PNAM"));
        }
        Ok(Self {
            path: Arc::from(path),
            names,
            count,
            fan: fan.start,
            ids: ids.start,
            places: places.start,
            large: (large.start, large.len() / 8),
            data,
        })
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether it lists no object.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The file.
    pub fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// File names of the packs' indexes, `pack-….idx`, in the order of their numbers.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn id(&self, position: usize) -> Oid {
        self.data
            .get(self.ids + 20 * position..)
            .and_then(Oid::from_slice)
            .unwrap_or(Oid::new([0; 20]))
    }

    /// Number of the pack, and the offset in it.
    fn place(&self, position: usize) -> (usize, u64) {
        let at = self.places + 8 * position;
        let (pack, small) = (be32(&self.data, at), be32(&self.data, at + 4));
        let (start, count) = self.large;
        let offset = if small >> 31 == 0 || count == 0 {
            u64::from(small)
        } else {
            let which = (small & 0x7fff_ffff) as usize;
            if which < count {
                be64(&self.data, start + which * 8)
            } else {
                u64::MAX
            }
        };
        (pack as usize, offset)
    }

    /// The pack that has an object (a number for [`names`](Self::names)) and the offset in it.
    pub fn find(&self, id: &Oid) -> Option<(usize, u64)> {
        let (mut low, mut high) = fan_range(&self.data, self.fan, id);
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.id(middle).cmp(id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(self.place(middle)),
            }
        }
        None
    }

    /// What it says of one pack, as an index in place of a missing or damaged one.
    ///
    /// Objects that it places in another pack are not in it, so a delta on one of those may lack its base.
    ///
    /// # Errors
    /// [`Error::Index`].
    pub fn index(&self, pack: usize) -> Result<Index, Error> {
        let mut rows: Vec<(Oid, u64)> = (0..self.len())
            .map(|i| (self.place(i), self.id(i)))
            .filter(|((which, _), _)| *which == pack)
            .map(|((_, offset), id)| (id, offset))
            .collect();
        rows.sort_unstable();
        Index::from_sorted(&rows, &self.path)
    }
}

/// Checks the 256 ascending counts at `start`, and gives the last one: the number of objects.
fn fan_out(data: &[u8], start: usize) -> Result<u32, IndexFault> {
    let mut last = 0;
    for i in 0..256 {
        let next = be32(data, start + 4 * i);
        if next < last {
            return Err(IndexFault::FanOut);
        }
        last = next;
    }
    if last == u32::MAX {
        Err(IndexFault::Count)
    } else {
        Ok(last)
    }
}

/// Positions of the ids that begin with the same byte.
fn fan_range(data: &[u8], fan: usize, id: &Oid) -> (usize, usize) {
    let first = usize::from(id.as_bytes()[0]);
    let low = if first == 0 {
        0
    } else {
        be32(data, fan + 4 * (first - 1))
    };
    (low as usize, be32(data, fan + 4 * first) as usize)
}

/// A big-endian number, 0 beyond the end.
pub(super) fn be32(data: &[u8], at: usize) -> u32 {
    data.get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn be64(data: &[u8], at: usize) -> u64 {
    data.get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
