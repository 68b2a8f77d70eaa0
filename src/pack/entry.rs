//! A pack and the list of its entries: what a walk needs to know of every object before it decodes the first.

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::index::be32;
use super::inflate::plausible;
use super::read_at::{Cursor, Source, open_file};
use super::{Error, Gap, Index, Kind, Oid, PackFault, ReadAt, Why};

/// An open pack with its index.
pub struct Pack {
    pub(super) source: Source,
    index: Index,
    path: Arc<Path>,
}

/// A pack ends in a checksum of this many bytes.
const TRAILER: u64 = 20;
const HEADER: u64 = 12;

impl Pack {
    /// Opens a pack file and takes its index; only the pack's header is read.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NotAFile`], [`Error::Pack`].
    pub fn open(path: &Path, index: Index) -> Result<Self, Error> {
        Self::new(Box::new(open_file(path)?), index, path)
    }

    /// The same for bytes from elsewhere; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Pack`].
    pub fn new(reader: Box<dyn ReadAt>, index: Index, path: &Path) -> Result<Self, Error> {
        let io = |e| Error::io(path, e);
        let fault = |why| Error::Pack {
            path: path.to_owned(),
            why,
        };
        let source = Source::new(reader).map_err(io)?;
        if source.size() < HEADER + TRAILER {
            return Err(fault(PackFault::Truncated(source.size())));
        }
        let mut header = [0; HEADER as usize];
        source.read_exact_at(&mut header, 0).map_err(io)?;
        if !header.starts_with(b"PACK") {
            return Err(fault(PackFault::Magic));
        }
        if !matches!(be32(&header, 4), 2 | 3) {
            return Err(fault(PackFault::Version(be32(&header, 4))));
        }
        Ok(Self {
            source,
            index,
            path: Arc::from(path),
        })
    }

    /// Whether header and index give the same number of objects. They may differ in a pack whose index was made from a
    /// multi-pack index; in any other, objects are missing from the walk.
    ///
    /// # Errors
    /// [`Error::Pack`] with the two numbers, [`Error::Io`].
    pub fn check_count(&self) -> Result<(), Error> {
        let mut header = [0; HEADER as usize];
        self.source
            .read_exact_at(&mut header, 0)
            .map_err(|e| Error::io(&self.path, e))?;
        let (pack, index) = (be32(&header, 8), self.index.len() as u32);
        if pack == index {
            return Ok(());
        }
        Err(Error::Pack {
            path: self.path.to_path_buf(),
            why: PackFault::Count { pack, index },
        })
    }

    /// Brings the pack into memory if it has at most `most` bytes, with big reads from the current pool's threads.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn load(&mut self, most: u64) -> Result<(), Error> {
        if self.source.size() <= most {
            self.source.load().map_err(|e| Error::io(&self.path, e))?;
        }
        Ok(())
    }

    /// What tells this pack from another one, or from itself after a change: name, length, and the checksums that pack and
    /// index end with. They are not computed anew.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn identity(&self) -> Result<Vec<u8>, Error> {
        let mut checksum = [0; TRAILER as usize];
        self.source
            .read_exact_at(&mut checksum, self.end())
            .map_err(|e| Error::io(&self.path, e))?;
        let mut all = self.path.as_os_str().as_encoded_bytes().to_vec();
        all.push(0);
        all.extend_from_slice(&self.size().to_le_bytes());
        all.extend_from_slice(&checksum);
        all.extend_from_slice(self.index.checksums());
        Ok(all)
    }

    /// Its index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The pack's file.
    pub fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// Length of the file in bytes.
    pub fn size(&self) -> u64 {
        self.source.size()
    }

    /// Where its entries end.
    pub(super) fn end(&self) -> u64 {
        self.source.size() - TRAILER
    }

    pub(super) fn gap(&self, offset: u64, id: Option<Oid>, why: Why) -> Gap {
        Gap {
            place: Arc::clone(&self.path),
            offset,
            id,
            why,
        }
    }
}

/// An entry's header as it stands in the pack.
pub(super) struct Header {
    pub(super) form: Form,
    /// Size of what the stream inflates to: of the object, or of the delta.
    pub(super) size: u64,
    /// Bytes of the header.
    pub(super) len: usize,
}

/// How an entry holds its object.
pub(super) enum Form {
    Whole(Kind),
    /// A delta whose base begins so many bytes before.
    Behind(u64),
    /// A delta on the object with an id.
    On(Oid),
}

impl Header {
    /// A header takes at most this many bytes: a size of ten, an id of twenty.
    pub(super) const MOST: usize = 30;

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Why> {
        let mut rest = bytes.iter();
        let mut next = || rest.next().copied().ok_or(Why::Header);
        let first = next()?;
        let mut size = u64::from(first & 15);
        let mut shift = 4;
        let mut byte = first;
        while byte & 0x80 != 0 {
            byte = next()?;
            let part = u64::from(byte & 0x7f);
            if shift > 60 || part << shift >> shift != part {
                return Err(Why::Header);
            }
            size |= part << shift;
            shift += 7;
        }
        let form = match first >> 4 & 7 {
            1 => Form::Whole(Kind::Commit),
            2 => Form::Whole(Kind::Tree),
            3 => Form::Whole(Kind::Blob),
            4 => Form::Whole(Kind::Tag),
            6 => {
                let mut byte = next()?;
                let mut back = u64::from(byte & 0x7f);
                while byte & 0x80 != 0 {
                    byte = next()?;
                    if back >= 1 << 56 {
                        return Err(Why::Header);
                    }
                    back = (back + 1) << 7 | u64::from(byte & 0x7f);
                }
                Form::Behind(back)
            }
            7 => {
                let mut id = [0; 20];
                for byte in &mut id {
                    *byte = next()?;
                }
                Form::On(Oid::new(id))
            }
            _ => return Err(Why::Header),
        };
        Ok(Self {
            form,
            size,
            len: bytes.len() - rest.len(),
        })
    }
}

/// What an entry is, as far as its header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Whole(Kind),
    /// A delta on another entry of this pack.
    Delta(u32),
    /// A delta on an object that is not in this pack.
    Outside,
    /// Not to be decoded: there is a fault.
    Bad,
}

#[derive(Clone, Copy)]
struct Row {
    size: u64,
    role: Role,
    head: u8,
}

/// The entries of a pack in the order of their offsets; an entry's number is its place in this order, below
/// [`len`](Self::len).
pub struct Entries {
    /// Offsets, and at last the end of the entries.
    offsets: Vec<u64>,
    positions: Vec<u32>,
    rows: Vec<Row>,
    faults: Vec<(u32, Why)>,
    outside: Vec<(u32, Oid)>,
}

impl Entries {
    /// Reads the headers of all entries, on the threads of `pool`.
    ///
    /// An entry with a bad header, a lying size or a base that is not there is kept as a fault; nothing fails as a whole.
    pub fn read(pack: &Pack, pool: &rayon::ThreadPool) -> Self {
        pool.install(|| Self::read_here(pack))
    }

    fn read_here(pack: &Pack) -> Self {
        const SHARE: usize = 8192;
        let sorted = pack.index.sorted();
        let (mut offsets, positions): (Vec<u64>, Vec<u32>) = sorted.into_iter().unzip();
        offsets.push(pack.end());
        let count = positions.len();
        let read = |part: usize| {
            let mut cursor = Cursor::new(&pack.source);
            let (mut faults, mut outside) = (Vec::new(), Vec::new());
            let range = part * SHARE..count.min((part + 1) * SHARE);
            let rows: Vec<Row> = range
                .map(|entry| {
                    row(pack, &offsets, entry, &mut cursor, &mut outside).unwrap_or_else(|why| {
                        faults.push((entry as u32, why));
                        Row {
                            size: 0,
                            role: Role::Bad,
                            head: 0,
                        }
                    })
                })
                .collect();
            (rows, faults, outside)
        };
        let parts: Vec<_> = (0..count.div_ceil(SHARE))
            .into_par_iter()
            .map(read)
            .collect();
        let mut all = Self {
            offsets: Vec::new(),
            positions,
            rows: Vec::with_capacity(count),
            faults: Vec::new(),
            outside: Vec::new(),
        };
        for (rows, faults, outside) in parts {
            all.rows.extend(rows);
            all.faults.extend(faults);
            all.outside.extend(outside);
        }
        all.offsets = offsets;
        all
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Where an entry begins.
    pub fn offset(&self, entry: usize) -> u64 {
        self.offsets[entry]
    }

    /// Bytes from its beginning to the next entry's.
    pub fn packed(&self, entry: usize) -> u64 {
        span(&self.offsets, entry)
    }

    /// Its object's id.
    pub fn id(&self, pack: &Pack, entry: usize) -> Oid {
        pack.index.id(self.positions[entry] as usize)
    }

    /// Its kind, when it is not a delta.
    pub fn kind(&self, entry: usize) -> Option<Kind> {
        match self.rows[entry].role {
            Role::Whole(kind) => Some(kind),
            _ => None,
        }
    }

    /// The number of its delta base's entry, when that is in this pack.
    pub fn base(&self, entry: usize) -> Option<usize> {
        match self.rows[entry].role {
            Role::Delta(base) => Some(base as usize),
            _ => None,
        }
    }

    /// Whether no delta rests on an object outside the pack.
    pub fn is_closed(&self) -> bool {
        self.outside.is_empty()
    }

    /// The id of its delta base, when that is not in this pack.
    pub fn outside_base(&self, entry: usize) -> Option<Oid> {
        let at = self
            .outside
            .binary_search_by_key(&(entry as u32), |(entry, _)| *entry);
        at.ok().map(|at| self.outside[at].1)
    }

    /// Why it cannot be decoded, where its header tells.
    pub fn fault(&self, entry: usize) -> Option<Why> {
        let at = self
            .faults
            .binary_search_by_key(&(entry as u32), |(entry, _)| *entry);
        at.ok().map(|at| self.faults[at].1)
    }

    /// Bytes that its stream says it inflates to: the object, or the delta.
    pub fn claimed(&self, entry: usize) -> u64 {
        self.rows[entry].size
    }

    pub(super) fn role(&self, entry: usize) -> Role {
        self.rows[entry].role
    }

    /// Where its stream begins, and how many bytes there are for it.
    pub(super) fn data(&self, entry: usize) -> (u64, usize) {
        let head = u64::from(self.rows[entry].head);
        let packed = span(&self.offsets, entry).saturating_sub(head);
        (self.offsets[entry] + head, packed as usize)
    }
}

/// Bytes from an entry to the next offset above it, the end of the pack's entries at most. `offsets` ends with that end;
/// a damaged index may name offsets beyond it, or one twice.
fn span(offsets: &[u64], entry: usize) -> u64 {
    let start = offsets[entry];
    let end = offsets.last().copied().unwrap_or(0);
    let mut next = offsets[entry + 1];
    if next == start {
        let rest = &offsets[entry + 1..];
        next = rest
            .get(rest.partition_point(|o| *o <= start))
            .copied()
            .unwrap_or(end);
    }
    next.min(end).saturating_sub(start)
}

/// One entry's header, checked.
fn row(
    pack: &Pack,
    offsets: &[u64],
    entry: usize,
    cursor: &mut Cursor<'_>,
    outside: &mut Vec<(u32, Oid)>,
) -> Result<Row, Why> {
    let offset = offsets[entry];
    if offset < HEADER || offset >= pack.end() {
        return Err(Why::Outside);
    }
    let span = span(offsets, entry);
    let head = Header::parse(cursor.at(offset, span.min(Header::MOST as u64) as usize)?)?;
    plausible(head.size, span - head.len as u64)?;
    let role = match head.form {
        Form::Whole(kind) => Role::Whole(kind),
        Form::Behind(back) => {
            let at = offset
                .checked_sub(back)
                .filter(|_| back > 0)
                .ok_or(Why::Header)?;
            Role::Delta(before(&offsets[..entry], at).ok_or(Why::NoBaseAt(at))?)
        }
        Form::On(id) => {
            if let Some(position) = pack.index.find(&id) {
                let at = pack.index.offset(position);
                let found = offsets[..offsets.len() - 1].binary_search(&at);
                Role::Delta(found.map_err(|_| Why::NoBase(id))? as u32)
            } else {
                outside.push((entry as u32, id));
                Role::Outside
            }
        }
    };
    Ok(Row {
        size: head.size,
        role,
        head: head.len as u8,
    })
}

/// Finds an offset in ascending ones, from the end in growing steps: bases mostly lie close by.
fn before(offsets: &[u64], at: u64) -> Option<u32> {
    let mut high = offsets.len();
    let mut step = 8;
    let low = loop {
        let low = high.saturating_sub(step);
        if low == 0 || offsets[low] <= at {
            break low;
        }
        high = low;
        step *= 2;
    };
    let found = offsets[low..high].binary_search(&at).ok()?;
    Some((low + found) as u32)
}
