//! A repository and its parts, and what of it may be read.
//!
//! Everything that leads out of the scanned folder (`.git` files and links, `commondir`, alternates, links in place of
//! control files) is followed only where the caller vouches for the repository; see [`Trust`].

mod alternates;
mod config;
mod nested;
mod search;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

pub use self::nested::{Nested, SubRepo, nested};

use self::config::Config;
use self::search::{Found, common_dir, may_lead};
use super::Error;
use super::control::{self, Links, is_owner, trimmed};
use crate::model::{Gap, Oid};
use crate::pack::{self, Db};

/// Most bytes of `config` and of `info/alternates`.
const CONFIG: u64 = 1 << 20;
/// Most bytes of `shallow`: a million ids and more.
const SHALLOW: u64 = 64 << 20;

/// What the caller vouches for, and what the program's environment says of the repository.
///
/// Git's `safe.directory` asks whose a repository is before it obeys its configuration. Nothing is obeyed here, so any
/// repository is read; but only one that the user `named` and owns may lead to other places. Where the system knows no
/// owners, the name alone counts.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The user named this repository; it was not met on the way or cloned from somewhere.
    pub named: bool,
    /// The user whose folders count as owned: the effective user id.
    pub uid: Option<u32>,
    /// The user who became root (`SUDO_UID`); counts beside root itself.
    pub sudo_uid: Option<u32>,
    /// The scanned folder, when it is more than the repository's own: what lies in it may be led to.
    pub root: Option<PathBuf>,
    /// `GIT_ALTERNATE_OBJECT_DIRECTORIES`: always read.
    pub alternates: Vec<PathBuf>,
    /// `GIT_OBJECT_DIRECTORY`.
    pub object_dir: Option<PathBuf>,
    /// `GIT_DIR`: no search then.
    pub git_dir: Option<PathBuf>,
    /// `GIT_WORK_TREE`.
    pub work_tree: Option<PathBuf>,
    /// `GIT_INDEX_FILE`, as `git commit -a` and `git commit PATH` set it for hooks.
    pub index_file: Option<PathBuf>,
}

impl Trust {
    /// Whether the user named the repository and owns this part of it.
    fn owns(&self, path: &Path) -> bool {
        let Some(uid) = self.uid else {
            return self.named && cfg!(not(unix));
        };
        let mine = |owner| owner == uid || uid == 0 && Some(owner) == self.sudo_uid;
        self.named && fs::symlink_metadata(path).is_ok_and(|meta| is_owner(&meta, mine))
    }
}

/// A repository: where its parts lie. All paths are absolute, without links.
#[derive(Debug, Clone)]
pub struct Repo {
    /// The folder with this work tree's HEAD and index.
    pub git_dir: PathBuf,
    /// The folder with refs and objects: another one in a linked work tree only.
    pub common_dir: PathBuf,
    /// The files' folder; `None` in a bare repository.
    pub work_tree: Option<PathBuf>,
    /// The index; it need not exist.
    pub index_file: PathBuf,
    /// Folders of objects: its own and the alternates that may be read.
    pub object_dirs: Vec<PathBuf>,
    /// Alternates that were not followed, and control files that could not be read.
    pub gaps: Vec<Gap>,
    /// Commits whose parents are left out of a shallow clone, sorted.
    pub shallow: Vec<Oid>,
    /// Whether objects may be left with a remote: a partial clone.
    pub promisor: bool,
    /// Whether links in place of control files are followed.
    pub(super) links: Links,
    /// What gaps' paths are relative to, where they lie in it.
    root: PathBuf,
}

impl Repo {
    fn open(found: Found, trust: &Trust) -> Result<Self, Error> {
        let Found {
            git_dir,
            work_tree,
            root,
            through,
        } = found;
        let owned = trust.owns(&git_dir) && through.is_none_or(|from| trust.owns(&from));
        let links = if owned { Links::Follow } else { Links::Refuse };
        let common_dir = common_dir(&git_dir, &root, links, trust)?;
        let config_file = common_dir.join("config");
        let config = control::read_if_there(&config_file, CONFIG, links)?;
        let config = Config::parse(&config.unwrap_or_default());
        config.check(&config_file)?;

        let objects = trust
            .object_dir
            .clone()
            .unwrap_or_else(|| common_dir.join("objects"));
        let canon = canonical(&objects)?;
        let vouched = trust.object_dir.is_some() || canon.starts_with(&common_dir);
        if !vouched && !may_lead(&objects, &canon, &root, trust) {
            return Err(Error::Outside {
                path: objects,
                target: canon,
            });
        }
        let bare = config.bare.unwrap_or(false) && git_dir == common_dir;
        let mut repo = Self {
            index_file: trust
                .index_file
                .clone()
                .unwrap_or_else(|| git_dir.join("index")),
            work_tree: trust
                .work_tree
                .as_deref()
                .map(canonical)
                .transpose()?
                .or(work_tree.filter(|_| !bare)),
            object_dirs: Vec::new(),
            gaps: Vec::new(),
            shallow: Vec::new(),
            promisor: config.promisor,
            git_dir,
            common_dir,
            links,
            root,
        };
        repo.follow_alternates(canon, trust);
        repo.read_shallow();
        repo.promisor |= repo.object_dirs.iter().any(|folder| has_promise(folder));
        Ok(repo)
    }

    /// The objects of its folders, and what of them cannot be used.
    pub fn objects(&self) -> (Db, Vec<pack::Error>) {
        let mut db = Db::new();
        let errors = self
            .object_dirs
            .iter()
            .flat_map(|dir| db.add(dir))
            .collect();
        (db, errors)
    }

    /// A gap at a path.
    pub(super) fn gap(&self, path: &Path, reason: impl Into<String>) -> Gap {
        gap(&self.root, path, reason)
    }

    fn skip(&mut self, path: &Path, reason: impl Into<String>) {
        let gap = self.gap(path, reason);
        self.gaps.push(gap);
    }

    fn read_shallow(&mut self) {
        let file = self.common_dir.join("shallow");
        match control::read_if_there(&file, SHALLOW, self.links) {
            Ok(None) => {}
            Ok(Some(bytes)) => {
                let lines = bytes.split(|byte| *byte == b'\n');
                for line in lines.map(trimmed).filter(|line| !line.is_empty()) {
                    match oid(line) {
                        Some(id) => self.shallow.push(id),
                        None => return self.skip(&file, "a line is not an object id"),
                    }
                }
                self.shallow.sort_unstable();
                self.shallow.dedup();
            }
            Err(error) => self.skip(&file, error.to_string()),
        }
    }
}

fn gap(root: &Path, path: &Path, reason: impl Into<String>) -> Gap {
    Gap {
        path: path
            .strip_prefix(root)
            .unwrap_or(path)
            .display()
            .to_string(),
        reason: reason.into(),
    }
}

fn canonical(path: &Path) -> Result<PathBuf, Error> {
    fs::canonicalize(path).map_err(|e| Error::io(path, e))
}

pub(super) fn oid(digits: &[u8]) -> Option<Oid> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Folders in a folder, sorted; links are none.
pub(super) fn folders(folder: &Path) -> Vec<PathBuf> {
    let list = fs::read_dir(folder).into_iter().flatten();
    let mut all: Vec<PathBuf> = list
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    all.sort_unstable();
    all
}

fn has_promise(objects: &Path) -> bool {
    let list = fs::read_dir(objects.join("pack")).into_iter().flatten();
    list.filter_map(Result::ok)
        .any(|entry| entry.path().extension() == Some(OsStr::new("promisor")))
}
