//! What an audit leaves for the next one: which objects were looked at, the graph of commits, and where hits stand.
//!
//! A file holds ids, numbers and fingerprints: no secret, no text around one, and a file's name only where nothing that
//! was found stands in it. What a report shows of a hit is read again from its object. A file that is damaged, cut short
//! or made for other rules or another repository is as good as none.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use super::join::Spot;
use super::objects::{Item, Looked, Seen};
use crate::history::{Past, RawCommit};
use crate::model::{Position, Span};
use crate::pack::{Db, Kind, Oid, read_pieces_at};

/// Where audits leave what the next ones need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheFolder {
    /// The folder; it is made where it is missing, and refused where it is a link or others may write to it.
    pub path: PathBuf,
    /// The user whom it has to belong to, where the system knows users.
    pub uid: Option<u32>,
}

/// The file of one repository under one set of options.
pub(super) struct Store<'s> {
    folder: &'s CacheFolder,
    /// Of the repository alone.
    repository: String,
    name: String,
    key: [u8; 32],
}

/// The format's name and version.
const MAGIC: &[u8; 16] = b"keysweep audit 2";
/// Most bytes of a file that is read: room for ten million objects.
const MOST: u64 = 1 << 30;
/// Files of one repository that are kept: one for each set of options.
const FILES: usize = 4;
/// Seconds after which a file that was begun and never finished is taken for lost.
const LOST: u64 = 3600;

/// What past runs found.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Packs in which every object was looked at, and how much there was.
    pub(super) packs: Vec<([u8; 32], Looked)>,
    /// Whether these are all packs that there were.
    pub(super) all_packs: bool,
    /// Loose objects that were there, ascending.
    pub(super) loose: Vec<Oid>,
    /// Every object but trees.
    pub(super) seen: SeenList,
    /// Every commit, ascending.
    pub(super) commits: Vec<RawCommit>,
    /// Rule and fingerprint of each leak.
    pub(super) leaks: Vec<(u32, [u8; 16])>,
    /// The leak of each context.
    pub(super) contexts: Vec<u32>,
    /// The objects with matches, ascending.
    pub(super) hits: Vec<(Oid, Kind, Vec<Item>)>,
    /// The trees. Its names are empty, and stand in `names`.
    pub(super) past: Past,
    pub(super) names: Vec<StoredName>,
}

/// Every object but trees that was looked at, ascending: more than half of a file, and mostly not asked for.
#[derive(Debug, Default)]
pub(super) struct SeenList {
    count: usize,
    /// The first id of each block of rows, and the block's sum.
    blocks: Vec<(Oid, u32)>,
    /// The file, where in it the rows begin, and their sum.
    file: Option<(File, u64, u32)>,
    rows: OnceLock<Option<Vec<Seen>>>,
}

impl SeenList {
    /// Those of a run that ends, ascending.
    pub(super) fn new(rows: Vec<Seen>) -> Self {
        Self {
            count: rows.len(),
            blocks: Vec::new(),
            file: None,
            rows: OnceLock::from(Some(rows)),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// All of them, which are read now; `None` where the file is damaged.
    pub(super) fn all(&self) -> Option<&[Seen]> {
        self.rows.get_or_init(|| self.read()).as_deref()
    }

    /// Among them one object; of the file its block is read. `None`, too, where that is damaged.
    pub(super) fn find(&self, id: &Oid) -> Option<Seen> {
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

/// A name of a file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StoredName {
    /// Nothing that was found stands in it.
    Clear(Vec<u8>),
    /// It is to be read from an entry of a tree.
    At(Oid, u32),
}

/// Why there is nothing to go on from.
#[derive(Debug, thiserror::Error)]
pub(super) enum CacheError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Refused(&'static str),
    #[error("it is damaged or of another version")]
    Damaged,
    #[error("it was made with other rules or options")]
    Foreign,
}

impl<'s> Store<'s> {
    /// `repository` tells the repository, `options` everything else that a result depends on.
    pub(super) fn new(folder: &'s CacheFolder, repository: &[u8], options: &[u8]) -> Self {
        let repository = Sha256::digest(repository);
        let mut key = Sha256::new();
        key.update(MAGIC);
        key.update(repository);
        key.update(options);
        let key: [u8; 32] = key.finalize().into();
        let digits = |bytes: &[u8]| -> String {
            let first = bytes.iter().take(10);
            let digit = |half: u8| char::from_digit(u32::from(half), 16);
            first
                .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
                .flatten()
                .collect()
        };
        let repository = digits(&repository);
        Self {
            name: format!("{repository}-{}", digits(&key)),
            folder,
            repository,
            key,
        }
    }

    /// What past runs left; `None` where there is nothing yet.
    pub(super) fn read(&self, pool: &rayon::ThreadPool) -> Result<Option<Known>, CacheError> {
        match self.check_folder() {
            Err(CacheError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            other => other?,
        }
        let path = self.folder.path.join(&self.name);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
            Ok(meta) => self.check_file(&meta)?,
        }
        let file = options().read(true).open(&path)?;
        let meta = file.metadata()?;
        self.check_file(&meta)?;
        if meta.len() > MOST {
            return Err(CacheError::Damaged);
        }
        pool.install(|| decode(file, meta.len(), &self.key))
            .map(Some)
    }

    /// Puts a whole file in the place of the old one.
    pub(super) fn write(&self, known: &Known) -> Result<(), CacheError> {
        match self.check_folder() {
            Err(CacheError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                make_folder(&self.folder.path)?;
                self.check_folder()?;
            }
            other => other?,
        }
        let bytes = encode(known, &self.key).ok_or(CacheError::Damaged)?;
        if bytes.len() as u64 > MOST {
            return Err(CacheError::Refused("the repository is too large for it"));
        }
        let number = RandomState::new().hash_one(0_u8);
        let path = self.folder.path.join(&self.name);
        let draft = self
            .folder
            .path
            .join(format!("{}.{number:016x}.tmp", self.name));
        let result = draft_of(&draft, &bytes).and_then(|()| fs::rename(&draft, &path));
        if result.is_err() {
            let _ = fs::remove_file(&draft);
        }
        result?;
        // The name is to last as the content does; where a folder cannot be synced, it may be lost, not wrong.
        let _ = File::open(&self.folder.path).and_then(|folder| folder.sync_all());
        self.prune(&path);
        Ok(())
    }

    /// Deletes the oldest files of this repository, and those that were never finished.
    fn prune(&self, newest: &Path) {
        let age = |path: &Path| fs::symlink_metadata(path).and_then(|meta| meta.modified());
        let (Ok(list), Ok(now)) = (fs::read_dir(&self.folder.path), age(newest)) else {
            return;
        };
        let mut files = Vec::new();
        for file in list.filter_map(Result::ok) {
            let name = file.file_name();
            let Some(name) = name.to_str().filter(|n| n.starts_with(&self.repository)) else {
                continue;
            };
            let Ok(time) = age(&file.path()) else {
                continue;
            };
            if name.split_once('.').is_none() {
                files.push((time, file.path()));
            } else if now
                .duration_since(time)
                .is_ok_and(|age| age.as_secs() > LOST)
            {
                let _ = fs::remove_file(file.path());
            }
        }
        files.sort();
        let more = files.len().saturating_sub(FILES);
        for (_, path) in files.iter().take(more).filter(|(_, path)| path != newest) {
            let _ = fs::remove_file(path);
        }
    }

    #[cfg(unix)]
    fn check_folder(&self) -> Result<(), CacheError> {
        use std::os::unix::fs::MetadataExt;
        let meta = fs::symlink_metadata(&self.folder.path)?;
        if !meta.is_dir() {
            return Err(CacheError::Refused("its folder is a link or no folder"));
        }
        if self.folder.uid.is_some_and(|uid| uid != meta.uid()) {
            return Err(CacheError::Refused("its folder belongs to somebody else"));
        }
        if meta.mode() & 0o022 != 0 {
            return Err(CacheError::Refused("others may write to its folder"));
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn check_folder(&self) -> Result<(), CacheError> {
        if fs::symlink_metadata(&self.folder.path)?.is_dir() {
            return Ok(());
        }
        Err(CacheError::Refused("its folder is a link or no folder"))
    }

    fn check_file(&self, meta: &fs::Metadata) -> Result<(), CacheError> {
        if !meta.is_file() {
            return Err(CacheError::Refused("it is a link or no file"));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            if self.folder.uid.is_some_and(|uid| uid != meta.uid()) {
                return Err(CacheError::Refused("it belongs to somebody else"));
            }
        }
        Ok(())
    }
}

/// How a file is opened: not through a link, without waiting, and for the user alone where it is made.
#[cfg(unix)]
fn options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .mode(0o600);
    options
}

#[cfg(not(unix))]
fn options() -> OpenOptions {
    OpenOptions::new()
}

fn draft_of(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = options().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// Numbers are little-endian; a list begins with its length.
struct Out(Vec<u8>);

impl Out {
    fn u32(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn id(&mut self, id: &Oid) {
        self.0.extend_from_slice(id.as_bytes());
    }

    fn list<T>(&mut self, all: &[T], mut one: impl FnMut(&mut Self, &T)) {
        self.u64(all.len() as u64);
        for row in all {
            one(self, row);
        }
    }
}

/// A file: the format's name, the key, length and sum of each of three parts, the sum of all that, and the parts.
fn encode(known: &Known, key: &[u8; 32]) -> Option<Vec<u8>> {
    let mut out = Out(Vec::new());
    out.0.resize(HEAD, 0);
    let mut ends = vec![HEAD];
    out.0.push(u8::from(known.all_packs));
    out.list(&known.packs, |out, (identity, looked)| {
        out.0.extend_from_slice(identity);
        for number in [looked.objects, looked.blobs, looked.binary, looked.bytes] {
            out.u64(number);
        }
    });
    out.list(&known.loose, Out::id);
    out.list(&known.commits, |out, commit| {
        out.id(&commit.id);
        out.id(&commit.tree);
        out.u64(commit.time as u64);
        out.list(&commit.parents, Out::id);
    });
    ends.push(out.0.len());
    out.list(&known.leaks, |out, (rule, print)| {
        out.u32(*rule);
        out.0.extend_from_slice(print);
    });
    out.list(&known.contexts, |out, leak| out.u32(*leak));
    out.list(&known.hits, |out, (id, kind, items)| {
        out.id(id);
        out.0.push(kind_code(*kind));
        out.list(items, |out, (context, spot)| {
            out.u32(*context);
            for at in [spot.start, spot.end] {
                out.u32(at.line);
                out.u32(at.column);
            }
            out.u64(spot.span.start);
            out.u64(spot.span.end);
        });
    });
    out.list(&known.past.trees, Out::id);
    out.list(&known.past.nodes, |out, node| out.u32(*node));
    out.list(&known.past.starts, |out, start| out.u32(*start));
    out.list(&known.past.links, |out, (name, child)| {
        out.u32(*name);
        out.u32(*child);
    });
    out.list(&known.past.hits, Out::id);
    out.list(&known.names, |out, name| match name {
        StoredName::Clear(bytes) => {
            out.0.push(0);
            out.list(bytes, |out, byte| out.0.push(*byte));
        }
        StoredName::At(tree, number) => {
            out.0.push(1);
            out.id(tree);
            out.u32(*number);
        }
    });
    let mut rows = Out(Vec::new());
    let mut blocks = Vec::new();
    for block in known.seen.all()?.chunks(BLOCK) {
        let start = rows.0.len();
        for seen in block {
            rows.id(&seen.id);
            rows.0
                .push(kind_code(seen.kind) | u8::from(seen.binary) << 2);
            rows.u64(seen.size);
        }
        blocks.push((block.first()?.id, crc32fast::hash(rows.0.get(start..)?)));
    }
    out.list(&blocks, |out, (first, sum)| {
        out.id(first);
        out.u32(*sum);
    });
    ends.push(out.0.len());
    out.0.append(&mut rows.0);
    ends.push(out.0.len());
    let mut head = Out(Vec::with_capacity(HEAD));
    head.0.extend_from_slice(MAGIC);
    head.0.extend_from_slice(key);
    for part in ends.windows(2) {
        let bytes = out.0.get(*part.first()?..*part.last()?)?;
        head.u64(bytes.len() as u64);
        head.u32(crc32fast::hash(bytes));
    }
    let sum = crc32fast::hash(&head.0);
    head.u32(sum);
    out.0.get_mut(..HEAD)?.copy_from_slice(&head.0);
    Some(out.0)
}

/// Parts of a file.
const PARTS: usize = 3;
/// Bytes before them.
const HEAD: usize = 16 + 32 + 12 * PARTS + 4;

fn kind_code(kind: Kind) -> u8 {
    match kind {
        Kind::Commit => 0,
        Kind::Tree => 1,
        Kind::Blob => 2,
        Kind::Tag => 3,
    }
}

/// Bytes that are left of a file. What is taken beyond its end is `None`.
struct In<'b>(&'b [u8]);

impl<'b> In<'b> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn u8(&mut self) -> Option<u8> {
        self.bytes::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn id(&mut self) -> Option<Oid> {
        self.bytes().map(Oid::new)
    }

    fn kind(&mut self) -> Option<(Kind, u8)> {
        let code = self.u8()?;
        let kind = match code & 3 {
            0 => Kind::Commit,
            1 => Kind::Tree,
            2 => Kind::Blob,
            _ => Kind::Tag,
        };
        Some((kind, code >> 2))
    }

    /// A list with rows of one size, which is read in one go.
    fn rows<T, const N: usize>(&mut self, one: impl Fn([u8; N]) -> T) -> Option<Vec<T>> {
        let count = usize::try_from(self.u64()?).ok()?;
        let (rows, rest) = self.0.split_at_checked(count.checked_mul(N)?)?;
        self.0 = rest;
        Some(rows.as_chunks().0.iter().map(|row| one(*row)).collect())
    }

    /// A list whose rows take at least `least` bytes, so that its length can be believed.
    fn list<T>(
        &mut self,
        least: usize,
        mut one: impl FnMut(&mut In<'b>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let count = usize::try_from(self.u64()?).ok()?;
        if count > self.0.len() / least {
            return None;
        }
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(one(self)?);
        }
        Some(all)
    }
}

/// A part of a file, whose sum is right.
fn part(file: &File, at: u64, len: usize, sum: u32) -> Result<Vec<u8>, CacheError> {
    let mut bytes = vec![0; len];
    read_pieces_at(file, &mut bytes, at)?;
    if crc32fast::hash(&bytes) == sum {
        Ok(bytes)
    } else {
        Err(CacheError::Damaged)
    }
}

/// On the threads of the current pool.
fn decode(file: File, size: u64, key: &[u8; 32]) -> Result<Known, CacheError> {
    let mut head = [0; HEAD];
    if size < HEAD as u64 {
        return Err(CacheError::Damaged);
    }
    read_pieces_at(&file, &mut head, 0)?;
    let (body, sum) = head.split_last_chunk().ok_or(CacheError::Damaged)?;
    let mut rest = In(body);
    if rest.bytes().as_ref() != Some(MAGIC) || crc32fast::hash(body) != u32::from_le_bytes(*sum) {
        return Err(CacheError::Damaged);
    }
    if rest.bytes().as_ref() != Some(key) {
        return Err(CacheError::Foreign);
    }
    let mut at = HEAD as u64;
    let mut parts = [(0, 0, 0); PARTS];
    for part in &mut parts {
        let (len, sum) = rest.u64().zip(rest.u32()).ok_or(CacheError::Damaged)?;
        *part = (at, len as usize, sum);
        at = at.checked_add(len).ok_or(CacheError::Damaged)?;
    }
    if at != size {
        return Err(CacheError::Damaged);
    }
    let [first, second, (at, len, sum)] = parts;
    let read = |(at, len, sum), rows: fn(&mut In<'_>) -> Option<Known>| {
        let bytes = part(&file, at, len, sum)?;
        let mut rest = In(&bytes);
        let known = rows(&mut rest).filter(|_| rest.0.is_empty());
        known.ok_or(CacheError::Damaged)
    };
    let (graph, hits) = rayon::join(|| read(first, graph), || read(second, hits));
    let (graph, hits) = (graph?, hits?);
    if len % SEEN != 0 {
        return Err(CacheError::Damaged);
    }
    let known = Known {
        packs: graph.packs,
        all_packs: graph.all_packs,
        loose: graph.loose,
        commits: graph.commits,
        seen: SeenList {
            count: len / SEEN,
            blocks: hits.seen.blocks,
            file: Some((file, at, sum)),
            rows: OnceLock::new(),
        },
        ..hits
    };
    if known.is_sound() {
        Ok(known)
    } else {
        Err(CacheError::Damaged)
    }
}

/// Bytes of an object that was seen.
const SEEN: usize = 29;
/// Such rows that have a sum of their own.
const BLOCK: usize = 128;

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

/// The first part of a file: what was there, and the graph of commits.
fn graph(rest: &mut In<'_>) -> Option<Known> {
    let all_packs = rest.u8()? == 1;
    let packs = rest.list(64, |row| {
        let identity = row.bytes()?;
        let looked = Looked {
            objects: row.u64()?,
            blobs: row.u64()?,
            binary: row.u64()?,
            bytes: row.u64()?,
        };
        Some((identity, looked))
    })?;
    let loose = rest.list(20, In::id)?;
    let commits = rest.list(56, |row| {
        Some(RawCommit {
            id: row.id()?,
            tree: row.id()?,
            time: row.u64()? as i64,
            parents: row.list(20, In::id)?,
        })
    })?;
    Some(Known {
        packs,
        all_packs,
        loose,
        commits,
        ..Known::default()
    })
}

/// The second part: hits and trees.
fn hits(rest: &mut In<'_>) -> Option<Known> {
    let leaks = rest.list(20, |row| Some((row.u32()?, row.bytes()?)))?;
    let contexts = rest.list(4, In::u32)?;
    let hits = rest.list(29, |row| {
        let (id, (kind, _)) = (row.id()?, row.kind()?);
        let items = row.list(36, |row| {
            let context = row.u32()?;
            let mut at = || {
                let (line, column) = (row.u32()?, row.u32()?);
                Some(Position { line, column })
            };
            let (start, end) = (at()?, at()?);
            let span = Span {
                start: row.u64()?,
                end: row.u64()?,
            };
            Some((context, Spot { start, end, span }))
        })?;
        Some((id, kind, items))
    })?;
    let past = Past {
        trees: rest.rows(Oid::new)?,
        nodes: rest.rows(u32::from_le_bytes)?,
        starts: rest.rows(u32::from_le_bytes)?,
        links: rest.list(8, |row| Some((row.u32()?, row.u32()?)))?,
        hits: rest.list(20, In::id)?,
        names: Vec::new(),
    };
    let names = rest.list(9, |row| {
        Some(match row.u8()? {
            0 => StoredName::Clear(row.list(1, In::u8)?),
            1 => StoredName::At(row.id()?, row.u32()?),
            _ => return None,
        })
    })?;
    let blocks = rest.list(24, |row| Some((row.id()?, row.u32()?)))?;
    Some(Known {
        seen: SeenList {
            blocks,
            ..SeenList::default()
        },
        leaks,
        contexts,
        hits,
        past,
        names,
        ..Known::default()
    })
}

impl Known {
    /// Whether lists that are searched are in order, and numbers lead to something. The trees are looked at when their
    /// names are known.
    fn is_sound(&self) -> bool {
        let leaks = self.leaks.len();
        let contexts = self.contexts.len();
        let items = |(_, _, items): &(Oid, Kind, Vec<Item>)| {
            items
                .iter()
                .all(|(context, _)| (*context as usize) < contexts)
        };
        self.contexts.iter().all(|leak| (*leak as usize) < leaks)
            && self.hits.iter().all(items)
            && self.loose.is_sorted()
            && self.commits.is_sorted_by(|a, b| a.id < b.id)
            && self.hits.is_sorted_by(|a, b| a.0 < b.0)
    }

    /// Whether a loose object was looked at. What was packed, and is not any more, is looked at again.
    pub(super) fn has_loose(&self, id: &Oid, db: &Db) -> bool {
        let was_seen = || self.past.trees.binary_search(id).is_ok() || self.seen.find(id).is_some();
        if self.all_packs {
            self.loose.binary_search(id).is_ok() || db.place(id).is_some() && was_seen()
        } else {
            // Among these are some that every run looks at.
            was_seen()
        }
    }
}
