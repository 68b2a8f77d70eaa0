//! Reading at offsets: the only way in which this module touches a file.
//!
//! No memory map: a file that another process cuts short must be an error, not a signal.

use std::fs::File;
use std::io;
use std::path::Path;

use rayon::prelude::*;

use super::Error;

/// Something whose bytes are read at offsets, by several threads at once.
pub trait ReadAt: Send + Sync {
    /// Length in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Fills `buf` with the bytes from `offset` on.
    ///
    /// # Errors
    /// `UnexpectedEof` when they are not all there.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buf, offset)
    }

    #[cfg(windows)]
    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(self, buf, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    buf = &mut buf[read..];
                    offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl ReadAt for [u8] {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        buf.copy_from_slice(part(self, offset, buf.len())?);
        Ok(())
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> io::Result<u64> {
        self.as_slice().size()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.as_slice().read_exact_at(buf, offset)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Box<T> {
    fn size(&self) -> io::Result<u64> {
        (**self).size()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_exact_at(buf, offset)
    }
}

fn part(bytes: &[u8], offset: u64, len: usize) -> io::Result<&[u8]> {
    usize::try_from(offset)
        .ok()
        .and_then(|start| bytes.get(start..start.checked_add(len)?))
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Opens a regular file. A symbolic link, pipe or device in its place is refused, since opening those may leave the
/// repository or wait for ever.
pub(super) fn open_file(path: &Path) -> Result<File, Error> {
    let meta = std::fs::symlink_metadata(path).map_err(|e| Error::io(path, e))?;
    if !meta.is_file() {
        return Err(Error::NotAFile {
            path: path.to_owned(),
        });
    }
    File::open(path).map_err(|e| Error::io(path, e))
}

/// All bytes of a regular file.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, Error> {
    let file = open_file(path)?;
    let size = file.size().map_err(|e| Error::io(path, e))?;
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
    read_pieces(&file, &mut bytes).map_err(|e| Error::io(path, e))?;
    Ok(bytes)
}

/// Fills a buffer from its beginning on, by big reads: where the caller is a thread of a pool, from all of its threads.
fn read_pieces(reader: &dyn ReadAt, bytes: &mut [u8]) -> io::Result<()> {
    read_pieces_at(reader, bytes, 0)
}

/// The same from an offset on.
pub(crate) fn read_pieces_at(reader: &dyn ReadAt, bytes: &mut [u8], at: u64) -> io::Result<()> {
    const PIECE: usize = 4 << 20;
    let read =
        |(i, piece): (usize, &mut [u8])| reader.read_exact_at(piece, at + (i * PIECE) as u64);
    if rayon::current_thread_index().is_some() {
        bytes.par_chunks_mut(PIECE).enumerate().try_for_each(read)
    } else {
        bytes.chunks_mut(PIECE).enumerate().try_for_each(read)
    }
}

/// A pack's bytes: in memory, or read piece by piece.
pub(super) enum Source {
    Whole(Vec<u8>),
    Pieces(Box<dyn ReadAt>, u64),
}

impl Source {
    pub(super) fn new(reader: Box<dyn ReadAt>) -> io::Result<Self> {
        let size = reader.size()?;
        Ok(Self::Pieces(reader, size))
    }

    /// Brings all bytes into memory, by big reads from the threads of the current pool.
    pub(super) fn load(&mut self) -> io::Result<()> {
        if let Self::Pieces(reader, size) = self {
            let size = usize::try_from(*size).map_err(|_| io::ErrorKind::OutOfMemory)?;
            let mut bytes = vec![0; size];
            read_pieces(&**reader, &mut bytes)?;
            *self = Self::Whole(bytes);
        }
        Ok(())
    }

    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Pieces(_, size) => *size,
        }
    }

    pub(super) fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::Whole(bytes) => bytes.read_exact_at(buf, offset),
            Self::Pieces(reader, _) => reader.read_exact_at(buf, offset),
        }
    }
}

/// One thread's view of a [`Source`]: hands out slices, keeps the last few pieces that it read.
///
/// Deltas mostly lie close behind their bases, so a handful of pieces serves a whole tree of them.
pub(super) struct Cursor<'p> {
    source: &'p Source,
    pieces: Vec<Piece>,
    clock: u64,
}

struct Piece {
    start: u64,
    bytes: Vec<u8>,
    used: u64,
}

/// Bytes per piece, and pieces per cursor.
const PIECE: usize = 16 << 10;
const PIECES: usize = 64;

impl<'p> Cursor<'p> {
    pub(super) fn new(source: &'p Source) -> Self {
        Self {
            source,
            pieces: Vec::new(),
            clock: 0,
        }
    }

    /// `len` bytes at `offset`.
    pub(super) fn at(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let (reader, size) = match self.source {
            Source::Whole(bytes) => return part(bytes, offset, len),
            Source::Pieces(reader, size) => (reader, *size),
        };
        let end = offset
            .checked_add(len as u64)
            .filter(|end| *end <= size)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        self.clock += 1;
        let held = self
            .pieces
            .iter()
            .position(|p| p.start <= offset && end <= p.start + p.bytes.len() as u64);
        let which = if let Some(which) = held {
            which
        } else {
            let which = if self.pieces.len() < PIECES {
                self.pieces.push(Piece {
                    start: 0,
                    bytes: Vec::new(),
                    used: 0,
                });
                self.pieces.len() - 1
            } else {
                let oldest = self.pieces.iter().enumerate().min_by_key(|(_, p)| p.used);
                oldest.map_or(0, |(i, _)| i)
            };
            let piece = &mut self.pieces[which];
            let want = len.max(PIECE.min((size - offset) as usize));
            if piece.bytes.capacity() > 4 * PIECE.max(want) {
                piece.bytes = Vec::new(); // after one huge object, do not keep its room
            }
            piece.bytes.resize(want, 0);
            piece.start = u64::MAX; // should the read fail, nobody takes these bytes for read ones
            reader.read_exact_at(&mut piece.bytes, offset)?;
            piece.start = offset;
            which
        };
        let piece = &mut self.pieces[which];
        piece.used = self.clock;
        let from = (offset - piece.start) as usize;
        Ok(&piece.bytes[from..from + len])
    }
}
