//! What an audit leaves for the next one: which objects were looked at, the graph of commits, and where hits stand.
//!
//! A file holds ids, numbers and fingerprints: no secret, no text around one, and a file's name only where nothing that
//! was found stands in it. What a report shows of a hit is read again from its object. A file that is damaged, cut short
//! or made for other rules or another repository is as good as none.

mod decode;
mod encode;
mod seen;

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub(super) use self::seen::SeenList;

use self::decode::decode;
use self::encode::encode;
use super::objects::{Item, Looked};
use crate::history::{Past, RawCommit};
use crate::pack::{Db, Kind, Oid};

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
/// Parts of a file.
const PARTS: usize = 3;
/// Bytes before them.
const HEAD: usize = 16 + 32 + 12 * PARTS + 4;
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
