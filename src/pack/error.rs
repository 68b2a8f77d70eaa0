//! What can be wrong with a repository's objects: [`Error`] where a whole file is of no use, [`Gap`] where one object is.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Oid;

/// A file of the object database that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be opened, listed or read.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// It is a symbolic link, a pipe, a device: never opened.
    #[error("{}: not a regular file", path.display())]
    NotAFile {
        /// The thing in a file's place.
        path: PathBuf,
    },
    /// An index or multi-pack index is damaged or of an unknown form.
    #[error("{}: {why}", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// What is wrong with it.
        why: IndexFault,
    },
    /// A pack's frame is damaged: its header, its length, its number of objects.
    #[error("{}: {why}", path.display())]
    Pack {
        /// The pack.
        path: PathBuf,
        /// What is wrong with it.
        why: PackFault,
    },
    /// One object cannot be decoded.
    #[error(transparent)]
    Object(#[from] Gap),
}

impl Error {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            cause: source,
        }
    }

    /// Whether the file was there when it was listed and is not any more, as while `git gc` runs.
    pub fn is_vanished(&self) -> bool {
        matches!(self, Self::Io { cause, .. } if cause.kind() == io::ErrorKind::NotFound)
    }
}

/// What is wrong with an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IndexFault {
    /// Shorter than its own tables.
    #[error("index is truncated: {len} bytes, its tables need {need}")]
    Truncated {
        /// Bytes there are.
        len: u64,
        /// Bytes there should be, at least.
        need: u64,
    },
    /// The number of bytes does not fit the tables.
    #[error("index has {extra} bytes that belong to no table")]
    Trailing {
        /// Bytes too many.
        extra: u64,
    },
    /// The counts by first byte of the id go down somewhere.
    #[error("index fan-out is not ascending")]
    FanOut,
    /// A version that is not known.
    #[error("index version {0} is not supported")]
    Version(u32),
    /// A multi-pack index without its magic.
    #[error("not a multi-pack index")]
    Magic,
    /// Ids that are not SHA-1.
    #[error("object format {0} is not supported, only SHA-1 is")]
    Format(u8),
    /// A table of a multi-pack index that is missing or has a wrong size.
    #[error("multi-pack index: table `{0}` is missing or has a wrong size")]
    Table(&'static str),
    /// More objects than this reader counts (4,294,967,294).
    #[error("too many objects")]
    Count,
}

/// What is wrong with a pack as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PackFault {
    /// The first four bytes are not `PACK`.
    #[error("not a pack: it does not begin with `PACK`")]
    Magic,
    /// A version that is not known.
    #[error("pack version {0} is not supported")]
    Version(u32),
    /// Too short for a header and a trailer.
    #[error("pack is truncated: {0} bytes")]
    Truncated(u64),
    /// The header and the index do not agree.
    #[error("pack has {pack} objects, its index {index}")]
    Count {
        /// Number in the pack's header.
        pack: u32,
        /// Number in the index.
        index: u32,
    },
}

/// An object that could not be decoded, and where it is: what a report says was not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The pack or the loose object's file.
    pub place: Arc<Path>,
    /// Where its entry begins in the pack; 0 for a loose object.
    pub offset: u64,
    /// Its id, where it is known.
    pub id: Option<Oid>,
    /// What is wrong.
    pub why: Why,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place.display())?;
        if let Some(id) = &self.id {
            write!(f, "object {id}")?;
        } else {
            f.write_str("object")?;
        }
        if self.offset > 0 {
            write!(f, " at offset {}", self.offset)?;
        }
        write!(f, ": {}", self.why)
    }
}

impl std::error::Error for Gap {}

/// Why an object could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Its header cannot be read: an unknown kind, a number without end.
    #[error("header is malformed")]
    Header,
    /// The index puts it outside the pack.
    #[error("offset is outside the pack")]
    Outside,
    /// The size it claims cannot come out of the bytes it has: no deflate stream expands more than 1,032 times.
    #[error("claims {claimed} bytes, impossible from {packed} packed ones")]
    Claim {
        /// The size in its header.
        claimed: u64,
        /// Bytes it takes in the pack.
        packed: u64,
    },
    /// Its compressed bytes are damaged.
    #[error("compressed data is damaged")]
    Inflate,
    /// It inflates to another size than its header says.
    #[error("header says {claimed} bytes, content does not have them")]
    Size {
        /// The size in its header.
        claimed: u64,
    },
    /// Its delta is damaged or not made for its base.
    #[error("delta: {0}")]
    Delta(#[from] DeltaFault),
    /// Its delta's base is at no entry of the pack.
    #[error("delta base at offset {0} is missing")]
    NoBaseAt(u64),
    /// Its delta's base is neither in the pack nor elsewhere.
    #[error("delta base {0} is missing")]
    NoBase(Oid),
    /// It is in a loop of deltas, or rests on one.
    #[error("delta chain is a loop")]
    Loop,
    /// An object that its delta rests on could not be decoded.
    #[error("delta base could not be decoded")]
    Base,
    /// It needs more memory than there is for one object.
    #[error("needs {need} bytes, too large for the memory budget of {budget}")]
    TooLarge {
        /// Bytes for the object, its base and its delta.
        need: u64,
        /// Bytes allowed.
        budget: u64,
    },
    /// Its base was given up for want of memory, and building it again would cost too much.
    #[error("delta chain is too costly to decode within the memory budget")]
    TooCostly,
    /// The file could not be read.
    #[error("cannot be read: {0}")]
    Read(io::ErrorKind),
}

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Self {
        Self::Read(error.kind())
    }
}

/// What is wrong with a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeltaFault {
    /// It ends within an instruction or before its result is complete.
    #[error("is truncated")]
    Truncated,
    /// It was made for a base of another size.
    #[error("is for a base of {wanted} bytes, not {actual}")]
    BaseSize {
        /// Size in the delta's header.
        wanted: u64,
        /// The base's size.
        actual: u64,
    },
    /// It copies from outside its base.
    #[error("copies from outside its base")]
    OutsideBase,
    /// It makes more or fewer bytes than it says.
    #[error("does not make the {0} bytes that it says")]
    ResultSize(u64),
    /// The instruction 0, which git reserves.
    #[error("has a reserved instruction")]
    Reserved,
    /// A size of more than 64 bits.
    #[error("has a number without end")]
    Number,
}
