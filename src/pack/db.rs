//! Single objects by id, over packs and loose objects: for commits, trees and tags, a few at a time.
//!
//! A walk decodes a whole pack in one go; this decodes the chain of one object, and keeps the last few bases.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use libdeflater::Decompressor;

use super::delta::{Delta, EditMap};
use super::entry::{Form, Header};
use super::inflate::{inflate, plausible};
use super::read_at::read_file;
use super::walk::lock;
use super::{Error, Index, Kind, Loose, Midx, Oid, Pack, Why};

/// The objects of one or more `objects` folders.
///
/// Alternates are not followed: [`alternates`] names them, [`Db::add`] takes them in.
pub struct Db {
    folders: Vec<PathBuf>,
    packs: Vec<Arc<Pack>>,
    loose: Vec<Loose>,
    cache: Mutex<Cache>,
}

/// An object's kind and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What it is.
    pub kind: Kind,
    /// Its content, without git's header.
    pub bytes: Arc<[u8]>,
}

/// Most deltas between an object and its root. Git makes 4,095 at most; other writers went further.
const DEEPEST: usize = 1 << 20;
/// How often packs are listed while they come and go.
const LISTINGS: usize = 64;
/// How often a chain may leave its pack for a base elsewhere.
const JUMPS: usize = 8;
/// Most bytes of such a base when only its kind is asked for.
const ELSEWHERE: u64 = 256 << 20;

/// Whether it is what a `git gc` leaves behind that was ended; git does not look at it as long as it has no index.
fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".") || name.starts_with(b"tmp_")
}

impl Db {
    /// No object yet.
    pub fn new() -> Self {
        Self {
            folders: Vec::new(),
            packs: Vec::new(),
            loose: Vec::new(),
            cache: Mutex::default(),
        }
    }

    /// Takes in an `objects` folder. What is damaged or cannot be read is left out and returned; what vanished meanwhile
    /// is left out in silence, since `git gc` put its objects elsewhere before.
    pub fn add(&mut self, objects: &Path) -> Vec<Error> {
        self.loose.push(Loose::new(objects));
        self.folders.push(objects.to_owned());
        self.add_packs(objects)
    }

    /// Looks for packs that were not there before, after a look-up that found nothing: `git gc` may have moved an object.
    /// Packs that were deleted meanwhile stay open, where the system allows that, and readable.
    pub fn refresh(&mut self) -> Vec<Error> {
        let folders = self.folders.clone();
        folders
            .iter()
            .flat_map(|folder| self.add_packs(folder))
            .collect()
    }

    /// The same objects, and those in packs that were not there when this one was filled.
    #[must_use]
    pub fn newer(&self) -> Self {
        let mut newer = Self::new();
        newer.packs.clone_from(&self.packs);
        for folder in &self.folders {
            // What could not be read the first time is known.
            newer.add(folder);
        }
        newer
    }

    fn add_packs(&mut self, objects: &Path) -> Vec<Error> {
        for _ in 1..LISTINGS {
            let (errors, vanished) = self.add_listed_packs(objects);
            if !vanished {
                return errors;
            }
            // Whoever packs is between two removals.
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        self.add_listed_packs(objects).0
    }

    /// Takes in the packs that are listed now, and says whether a pack or an index was gone when it was opened: what took
    /// its place may not have been listed yet.
    fn add_listed_packs(&mut self, objects: &Path) -> (Vec<Error>, bool) {
        let folder = objects.join("pack");
        let mut paths: Vec<PathBuf> = match std::fs::read_dir(&folder) {
            Ok(list) => list
                .filter_map(Result::ok)
                .map(|file| file.path())
                .collect(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Default::default();
            }
            Err(error) => return (vec![Error::io(&folder, error)], false),
        };
        let mut vanished = false;
        paths.retain(|path| {
            path.extension() == Some(OsStr::new("pack"))
                && (!is_temporary(path) || path.with_extension("idx").exists())
        });
        paths.sort_unstable();
        let mut errors = Vec::new();
        let mut midx = None;
        for path in paths {
            if self.packs.iter().any(|pack| **pack.path() == *path) {
                continue;
            }
            let opened = Index::open(&path.with_extension("idx")).or_else(|error| {
                // The multi-pack index knows most of what a missing index did.
                let midx = midx.get_or_insert_with(|| Midx::open(&folder.join("multi-pack-index")));
                let name = path.with_extension("idx");
                let name = name.file_name().and_then(OsStr::to_str);
                match midx {
                    Ok(midx) => match midx.names().iter().position(|n| Some(n.as_str()) == name) {
                        Some(number) => {
                            if !error.is_vanished() {
                                errors.push(error);
                            }
                            midx.index(number)
                        }
                        None => Err(error),
                    },
                    Err(_) => Err(error),
                }
            });
            match opened.and_then(|index| Pack::open(&path, index)) {
                Ok(pack) => self.packs.push(Arc::new(pack)),
                Err(error) => {
                    vanished |= error.is_vanished();
                    if !error.is_vanished() || path.exists() {
                        errors.push(error);
                    }
                }
            }
        }
        (errors, vanished)
    }

    /// Brings the packs into memory that have at most `most` bytes; see [`Pack::load`]. Only before they are handed out.
    pub fn load(&mut self, most: u64) -> Vec<Error> {
        self.load_some(most, |_| true)
    }

    /// The same for some of them, by their numbers.
    pub fn load_some(&mut self, most: u64, which: impl Fn(usize) -> bool) -> Vec<Error> {
        self.packs
            .iter_mut()
            .enumerate()
            .filter(|(number, _)| which(*number))
            .map(|(_, pack)| pack)
            .filter_map(Arc::get_mut)
            .filter_map(|pack| pack.load(most).err())
            .collect()
    }

    /// The packs, in the order of the folders and then of their names.
    pub fn packs(&self) -> &[Arc<Pack>] {
        &self.packs
    }

    /// The loose objects of each folder.
    pub fn loose(&self) -> &[Loose] {
        &self.loose
    }

    /// Whether there is an object with this id; its content is not looked at.
    pub fn contains(&self, id: &Oid) -> bool {
        let packed = self
            .packs
            .iter()
            .any(|pack| pack.index().find(id).is_some());
        packed || self.loose.iter().any(|loose| loose.path(id).is_file())
    }

    /// Where the first packed copy of an object lies: the pack's number, and the offset.
    pub fn place(&self, id: &Oid) -> Option<(usize, u64)> {
        let mut packs = self.packs.iter().enumerate();
        packs.find_map(|(number, pack)| {
            let position = pack.index().find(id)?;
            Some((number, pack.index().offset(position)))
        })
    }

    /// An object of at most `most` bytes; `None` where there is none with this id.
    ///
    /// Where one copy of it is damaged, the next one is tried.
    ///
    /// # Errors
    /// [`Error::Object`] and the other ones, as for the first copy, when no copy can be decoded.
    pub fn find(&self, id: &Oid, most: u64) -> Result<Option<Stored>, Error> {
        self.find_from(id, most, 0)
    }

    /// Kind and size of an object, without decoding it.
    ///
    /// # Errors
    /// As for [`find`](Self::find).
    pub fn header(&self, id: &Oid) -> Result<Option<(Kind, u64)>, Error> {
        self.first(
            id,
            |pack, offset| self.packed_header(pack, offset, id),
            |loose| Ok((loose.kind(), loose.size())),
        )
    }

    fn find_from(&self, id: &Oid, most: u64, jumps: usize) -> Result<Option<Stored>, Error> {
        let packed = |pack: usize, offset| self.decode(pack, offset, id, most, jumps);
        self.first(id, packed, |loose| {
            let kind = loose.kind();
            let bytes = loose.bytes(most)?.into();
            Ok(Stored { kind, bytes })
        })
    }

    /// The first copy that can be had.
    fn first<T>(
        &self,
        id: &Oid,
        packed: impl Fn(usize, u64) -> Result<T, Error>,
        loose: impl Fn(&super::LooseObject) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut failed = None;
        for (number, pack) in self.packs.iter().enumerate() {
            let Some(position) = pack.index().find(id) else {
                continue;
            };
            match packed(number, pack.index().offset(position)) {
                Ok(got) => return Ok(Some(got)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        for folder in &self.loose {
            match folder
                .open(id)
                .and_then(|found| found.as_ref().map(&loose).transpose())
            {
                Ok(Some(got)) => return Ok(Some(got)),
                Ok(None) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    fn packed_header(&self, pack: usize, offset: u64, id: &Oid) -> Result<(Kind, u64), Error> {
        let number = pack;
        let pack = &self.packs[number];
        let read = || -> Result<(Kind, u64), Error> {
            let gap = |why| Error::Object(pack.gap(offset, Some(*id), why));
            let mut size = None;
            let mut at = offset;
            for _ in 0..DEEPEST.min(pack.index().len() + 1) {
                let head = header(pack, at).map_err(gap)?;
                if !matches!(head.form, Form::Whole(_)) && size.is_none() {
                    // The two sizes that a delta begins with take twenty bytes at most.
                    let end = pack.end();
                    let mut start = [0; 20];
                    let mut stream =
                        super::inflate::Stream::new(&pack.source, at + head.len as u64, end);
                    let got = stream.read(&mut start).map_err(gap)?;
                    let delta = Delta::new(&start[..got]).map_err(|fault| gap(fault.into()))?;
                    size = Some(delta.result_size());
                }
                match head.form {
                    Form::Whole(kind) => return Ok((kind, size.unwrap_or(head.size))),
                    Form::Behind(back) => at = behind(at, back).map_err(gap)?,
                    Form::On(base) => {
                        let Some(position) = pack.index().find(&base) else {
                            let found = self.find_from(&base, ELSEWHERE, 1)?;
                            let found = found.ok_or_else(|| gap(Why::NoBase(base)))?;
                            return Ok((found.kind, size.unwrap_or(head.size)));
                        };
                        at = pack.index().offset(position);
                    }
                }
            }
            Err(gap(Why::Loop))
        };
        read()
    }

    /// Follows an object's chain down to a root or a base in the cache, then makes it from there.
    fn decode(
        &self,
        number: usize,
        offset: u64,
        id: &Oid,
        most: u64,
        jumps: usize,
    ) -> Result<Stored, Error> {
        let pack = &self.packs[number];
        let gap = |why| Error::Object(pack.gap(offset, Some(*id), why));
        let limit = DEEPEST.min(pack.index().len() + 1);
        let mut chain: Vec<(u64, Header)> = Vec::new();
        let mut tool = Decompressor::new();
        let mut at = offset;
        let mut made = loop {
            if let Some(held) = lock(&self.cache).get(number, at) {
                break held;
            }
            if chain.len() > limit {
                return Err(gap(Why::Loop));
            }
            let head = header(pack, at).map_err(gap)?;
            match head.form {
                Form::Whole(kind) => {
                    let bytes = read(pack, at, &head, most, &mut tool).map_err(gap)?;
                    break Stored {
                        kind,
                        bytes: bytes.into(),
                    };
                }
                Form::Behind(back) => {
                    chain.push((at, head));
                    at = behind(at, back).map_err(gap)?;
                }
                Form::On(base) => {
                    chain.push((at, head));
                    match pack.index().find(&base) {
                        Some(position) => at = pack.index().offset(position),
                        None if jumps >= JUMPS => return Err(gap(Why::Loop)),
                        None => {
                            let found = self.find_from(&base, most, jumps + 1)?;
                            break found.ok_or_else(|| gap(Why::NoBase(base)))?;
                        }
                    }
                }
            }
        };
        let mut edits = EditMap::default();
        while let Some((from, head)) = chain.pop() {
            let delta = read(pack, from, &head, most, &mut tool).map_err(gap)?;
            let delta = Delta::new(&delta).map_err(|fault| gap(fault.into()))?;
            delta
                .check(made.bytes.len())
                .map_err(|fault| gap(fault.into()))?;
            let need = delta.result_size();
            if need > most {
                return Err(gap(Why::TooLarge { need, budget: most }));
            }
            // Filled where it stays: objects are large, and copies of them as well.
            let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, need as usize).collect();
            let target = Arc::get_mut(&mut bytes).unwrap_or_default();
            delta
                .apply(&made.bytes, target, &mut edits)
                .map_err(|fault| gap(fault.into()))?;
            lock(&self.cache).put(number, at, &made);
            made.bytes = bytes;
            at = from;
        }
        lock(&self.cache).put(number, at, &made);
        Ok(made)
    }
}

impl Default for Db {
    fn default() -> Self {
        Self::new()
    }
}

impl super::OutsideBases for Db {
    fn base(&self, id: &Oid, most: u64) -> Option<(Kind, Vec<u8>)> {
        let found = self.find(id, most).ok()??;
        Some((found.kind, found.bytes.to_vec()))
    }
}

fn behind(at: u64, back: u64) -> Result<u64, Why> {
    at.checked_sub(back).filter(|_| back > 0).ok_or(Why::Header)
}

fn header(pack: &Pack, at: u64) -> Result<Header, Why> {
    let left = pack
        .end()
        .checked_sub(at)
        .filter(|left| *left > 0)
        .ok_or(Why::Outside)?;
    let mut bytes = [0; Header::MOST];
    let bytes = &mut bytes[..left.min(Header::MOST as u64) as usize];
    pack.source.read_exact_at(bytes, at)?;
    let head = Header::parse(bytes)?;
    plausible(head.size, left)?;
    Ok(head)
}

/// Inflates an entry whose packed length is not known.
fn read(
    pack: &Pack,
    at: u64,
    head: &Header,
    most: u64,
    tool: &mut Decompressor,
) -> Result<Vec<u8>, Why> {
    if head.size > most {
        return Err(Why::TooLarge {
            need: head.size,
            budget: most,
        });
    }
    let start = at + head.len as u64;
    let left = pack.end().saturating_sub(start);
    // What does not shrink grows by a few bytes; an encoder that wastes more gets a second try.
    let mut len = left.min(head.size + head.size / 8 + 64);
    loop {
        let mut packed = vec![0; len as usize];
        pack.source.read_exact_at(&mut packed, start)?;
        let mut out = vec![0; head.size as usize];
        match inflate(tool, &packed, &mut out) {
            Ok(()) => return Ok(out),
            Err(why) if len == left || len > 4 * head.size + (64 << 10) => return Err(why),
            Err(_) => len = left.min(8 * len),
        }
    }
}

/// The objects decoded last, up to a few megabytes.
#[derive(Default)]
struct Cache {
    /// Pack, offset, object; the oldest first.
    held: VecDeque<(usize, u64, Stored)>,
    bytes: usize,
}

impl Cache {
    const BYTES: usize = 16 << 20;
    const OBJECTS: usize = 128;

    fn get(&mut self, pack: usize, offset: u64) -> Option<Stored> {
        let at = self
            .held
            .iter()
            .position(|row| row.0 == pack && row.1 == offset)?;
        let row = self.held.remove(at)?;
        let object = row.2.clone();
        self.held.push_back(row);
        Some(object)
    }

    fn put(&mut self, pack: usize, offset: u64, object: &Stored) {
        let len = object.bytes.len();
        if len > Self::BYTES / 4 || self.held.iter().any(|row| row.0 == pack && row.1 == offset) {
            return;
        }
        self.held.push_back((pack, offset, object.clone()));
        self.bytes += len;
        while self.bytes > Self::BYTES || self.held.len() > Self::OBJECTS {
            let Some(gone) = self.held.pop_front() else {
                break;
            };
            self.bytes -= gone.2.bytes.len();
        }
    }
}

/// The object folders that `info/alternates` of an `objects` folder names, in its order; none where it has no such file.
///
/// Relative ones are taken from the `objects` folder. They are neither opened nor looked for: whether to go there is the
/// caller's choice, since a repository of unknown origin may name any folder.
///
/// # Errors
/// [`Error::Io`], [`Error::NotAFile`].
pub fn alternates(objects: &Path) -> Result<Vec<PathBuf>, Error> {
    let path = objects.join("info").join("alternates");
    let bytes = match read_file(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.is_vanished() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty() && line[0] != b'#');
    Ok(lines
        .map(|line| objects.join(path_of(&unquoted(line))))
        .collect())
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

/// A line that may be in C's double quotes; as it stands when those are not well formed, as git takes it.
fn unquoted(line: &[u8]) -> Vec<u8> {
    let quoted = || -> Option<Vec<u8>> {
        let inner = line.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let mut rest = inner.iter();
        let mut plain = Vec::new();
        while let Some(&byte) = rest.next() {
            plain.push(match byte {
                b'"' => return None,
                b'\\' => match rest.next()? {
                    b'a' => 7,
                    b'b' => 8,
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'v' => 11,
                    b'f' => 12,
                    b'r' => b'\r',
                    first @ b'0'..=b'3' => {
                        let mut digit =
                            || Some(rest.next().filter(|d| (b'0'..=b'7').contains(d))? - b'0');
                        (first - b'0') << 6 | digit()? << 3 | digit()?
                    }
                    &other @ (b'"' | b'\\') => other,
                    _ => return None,
                },
                byte => byte,
            });
        }
        Some(plain)
    };
    quoted().unwrap_or_else(|| line.to_vec())
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db")
            .field("folders", &self.folders)
            .finish_non_exhaustive()
    }
}
