//! Loose objects: one zlib file each. Format: <https://git-scm.com/docs/gitformat-loose>.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use libdeflater::Decompressor;

use super::inflate::{Stream, Windower, inflate, plausible};
use super::read_at::{Source, open_file};
use super::{Error, Gap, Kind, Oid, Why, Window};

/// The loose objects of an `objects` folder.
///
/// Files are opened only if they are regular ones; links and pipes in their places are gaps.
pub struct Loose {
    folder: PathBuf,
}

/// A loose object's header, and the file to read on from.
pub struct LooseObject {
    source: Source,
    path: PathBuf,
    id: Option<Oid>,
    kind: Kind,
    size: u64,
    /// Bytes of the header.
    head: usize,
}

/// `commit 18446744073709551615` and a NUL are shorter.
const HEADER: usize = 32;

impl Loose {
    /// Those of a folder, which has subfolders `00` to `ff`.
    pub fn new(objects: &Path) -> Self {
        Self {
            folder: objects.to_owned(),
        }
    }

    /// All ids, ascending. Subfolders that vanish meanwhile, as `git gc` makes them, have none.
    ///
    /// # Errors
    /// [`Error::Io`] for the first subfolder that is there and cannot be listed; it is given beside the ids of the others.
    pub fn ids(&self) -> (Vec<Oid>, Option<Error>) {
        let mut ids = Vec::new();
        let mut failed = None;
        for first in 0..=255_u8 {
            let name = format!("{first:02x}");
            let folder = self.folder.join(&name);
            // Not through a link: it may lead out of the repository.
            if !std::fs::symlink_metadata(&folder).is_ok_and(|meta| meta.is_dir()) {
                continue;
            }
            let list = match std::fs::read_dir(&folder) {
                Ok(list) => list,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    failed.get_or_insert(Error::io(&folder, error));
                    continue;
                }
            };
            for file in list.filter_map(Result::ok) {
                let rest = file.file_name();
                let id: Option<Oid> = rest
                    .to_str()
                    .and_then(|rest| format!("{name}{rest}").parse().ok());
                ids.extend(id);
            }
        }
        ids.sort_unstable();
        (ids, failed)
    }

    /// Where an object's file would be.
    pub fn path(&self, id: &Oid) -> PathBuf {
        let name = id.to_string();
        self.folder.join(&name[..2]).join(&name[2..])
    }

    /// Opens an object and reads its header; `None` where there is no such file.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NotAFile`], or [`Error::Object`] where the header is damaged or claims a size that its
    /// file cannot hold.
    pub fn open(&self, id: &Oid) -> Result<Option<LooseObject>, Error> {
        match LooseObject::open(&self.path(id), Some(*id)) {
            Err(error) if error.is_vanished() => Ok(None),
            other => other.map(Some),
        }
    }
}

impl LooseObject {
    /// Opens a loose object's file; the id is for messages.
    ///
    /// # Errors
    /// As for [`Loose::open`].
    pub fn open(path: &Path, id: Option<Oid>) -> Result<Self, Error> {
        let file = open_file(path)?;
        let source = Source::new(Box::new(file)).map_err(|e| Error::io(path, e))?;
        let gap = |why| Gap {
            place: Arc::from(path),
            offset: 0,
            id,
            why,
        };
        let mut start = [0; HEADER];
        let got = Stream::new(&source, 0, source.size())
            .read(&mut start)
            .map_err(gap)?;
        let (kind, size, head) = header(&start[..got]).ok_or_else(|| gap(Why::Header))?;
        plausible(size, source.size()).map_err(gap)?;
        Ok(Self {
            source,
            path: path.to_owned(),
            id,
            kind,
            size,
            head,
        })
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its length in bytes, as its header says.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn gap(&self, why: Why) -> Error {
        Error::Object(Gap {
            place: Arc::from(self.path.as_path()),
            offset: 0,
            id: self.id,
            why,
        })
    }

    /// Its content.
    ///
    /// # Errors
    /// [`Error::Object`] where it is damaged or has more than `most` bytes.
    pub fn bytes(&self, most: u64) -> Result<Vec<u8>, Error> {
        let need = self.size.saturating_add(self.source.size());
        if self.size > most || self.source.size() > 2 * most.saturating_add(64 << 10) {
            return Err(self.gap(Why::TooLarge { need, budget: most }));
        }
        let read = || -> Result<Vec<u8>, Why> {
            let mut packed = vec![0; self.source.size() as usize];
            self.source.read_exact_at(&mut packed, 0)?;
            let mut all = vec![0; self.head + self.size as usize];
            inflate(&mut Decompressor::new(), &packed, &mut all)?;
            all.drain(..self.head);
            Ok(all)
        };
        read().map_err(|why| self.gap(why))
    }

    /// Its content in windows of `window` bytes, of which `overlap` are from the one before.
    ///
    /// # Errors
    /// [`Error::Object`] where it is damaged; the windows before the damage were given by then.
    pub fn windows(
        &self,
        window: usize,
        overlap: usize,
        on: impl FnMut(Window<'_>),
    ) -> Result<(), Error> {
        let read = || -> Result<(), Why> {
            let mut stream = Stream::new(&self.source, 0, self.source.size());
            let mut head = vec![0; self.head];
            stream.read(&mut head)?;
            let mut windows = Windower::new(self.size, window, overlap, on);
            stream.windows(self.size, &mut windows, &|| false)
        };
        read().map_err(|why| self.gap(why))
    }
}

/// Kind, size and length of a header such as `blob 12` and a NUL.
fn header(bytes: &[u8]) -> Option<(Kind, u64, usize)> {
    let end = memchr::memchr(0, bytes)?;
    let space = memchr::memchr(b' ', &bytes[..end])?;
    let kind = Kind::from_name(&bytes[..space])?;
    let digits = &bytes[space + 1..end];
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((kind, size, end + 1))
}
