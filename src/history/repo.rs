//! Finding a repository and its parts, and what of it may be read.
//!
//! Everything that leads out of the scanned folder (`.git` files and links, `commondir`, alternates, links in place of
//! control files) is followed only where the caller vouches for the repository; see [`Trust`].

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::Error;
use super::control::{self, Links, is_owner, lossy, path_of, trimmed};
use crate::model::{Gap, Oid};
use crate::pack::{self, Db};

/// Most bytes of a file that holds one path.
const POINTER: u64 = 16 << 10;
/// Most bytes of `config` and of `info/alternates`.
const CONFIG: u64 = 1 << 20;
/// Most bytes of `shallow`: a million ids and more.
const SHALLOW: u64 = 64 << 20;
/// How far alternates of alternates are followed, as git does.
const ALTERNATES: usize = 5;
/// Most folders that hold alternates.
const MOST_ALTERNATES: usize = 1000;

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

/// Where a search ended.
struct Found {
    git_dir: PathBuf,
    work_tree: Option<PathBuf>,
    /// The scanned folder.
    root: PathBuf,
    /// The `.git` file or link that led there.
    through: Option<PathBuf>,
}

impl Repo {
    /// Finds the repository of a path: in the folder or one above it, a `.git` folder, a `.git` file of a linked work tree
    /// or a submodule, a bare repository.
    ///
    /// # Errors
    /// [`Error::NoRepository`]; [`Error::Outside`] where it leads to a place that must not be followed;
    /// [`Error::Unsupported`] for SHA-256, reftable and unknown extensions; [`Error::Io`], [`Error::NotAFile`],
    /// [`Error::TooLong`] and [`Error::Malformed`] for control files.
    pub fn discover(path: &Path, trust: &Trust) -> Result<Self, Error> {
        if let Some(given) = &trust.git_dir {
            let git_dir = canonical(given)?;
            if !is_git_dir(&git_dir, trust) {
                return Err(Error::NoRepository { path: git_dir });
            }
            let is_dot_git = git_dir.file_name() == Some(OsStr::new(".git"));
            let work_tree = match &trust.work_tree {
                Some(given) => Some(canonical(given)?),
                None if path.is_dir() => Some(canonical(path)?),
                None if is_dot_git => git_dir.parent().map(Path::to_owned),
                None => None,
            };
            return Self::open(
                Found {
                    root: work_tree.clone().unwrap_or_else(|| git_dir.clone()),
                    git_dir,
                    work_tree,
                    through: None,
                },
                trust,
            );
        }
        let start = canonical(path)?;
        for folder in start.ancestors() {
            if let Some(found) = look(folder, trust)? {
                return Self::open(found, trust);
            }
        }
        Err(Error::NoRepository { path: start })
    }

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

    fn follow_alternates(&mut self, own: PathBuf, trust: &Trust) {
        let mut seen = BTreeSet::from([own.clone()]);
        let mut queue = VecDeque::from([(own, 0)]);
        for given in &trust.alternates {
            match fs::canonicalize(given) {
                Ok(folder) if folder.is_dir() => {
                    if seen.insert(folder.clone()) {
                        queue.push_back((folder, 0));
                    }
                }
                Ok(_) => self.skip(given, "alternate objects: not a folder"),
                Err(error) => self.skip(given, format!("alternate objects: {error}")),
            }
        }
        while let Some((folder, depth)) = queue.pop_front() {
            let pack = folder.join("pack");
            let is_link = fs::symlink_metadata(&pack).is_ok_and(|meta| meta.is_symlink());
            if is_link && self.links == Links::Refuse {
                self.skip(&pack, "a link, which is not followed");
                continue;
            }
            self.alternates_of(&folder, depth, trust, &mut seen, &mut queue);
            self.object_dirs.push(folder);
        }
    }

    fn alternates_of(
        &mut self,
        folder: &Path,
        depth: usize,
        trust: &Trust,
        seen: &mut BTreeSet<PathBuf>,
        queue: &mut VecDeque<(PathBuf, usize)>,
    ) {
        let file = folder.join("info").join("alternates");
        // The reader below has no limit of its own.
        let named = match control::read_if_there(&file, CONFIG, Links::Refuse) {
            Ok(None) => return,
            Ok(Some(_)) => pack::alternates(folder).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let named = match named {
            Ok(named) => named,
            Err(error) => return self.skip(&file, error),
        };
        let follow = trust.owns(&self.git_dir) && trust.owns(folder) && trust.owns(&file);
        for target in named {
            if !follow {
                let reason = format!(
                    "alternate objects in {} are not read: the repository is not known to be yours",
                    target.display()
                );
                self.skip(&file, reason);
                continue;
            }
            if depth >= ALTERNATES || seen.len() >= MOST_ALTERNATES {
                self.skip(&file, "too many alternates of alternates");
                return;
            }
            match fs::canonicalize(&target) {
                Ok(canon) if canon.is_dir() => {
                    if seen.insert(canon.clone()) {
                        queue.push_back((canon, depth + 1));
                    }
                }
                Ok(_) => self.skip(&target, "alternate objects: not a folder"),
                Err(error) => self.skip(&target, format!("alternate objects: {error}")),
            }
        }
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

    /// The repositories of submodules, from `modules` in its folder; their names are those folders'.
    pub fn submodules(&self) -> (Vec<SubRepo>, Vec<Gap>) {
        const DEEPEST: usize = 32;
        const MOST: usize = 100_000;
        let modules = self.common_dir.join("modules");
        let mut found = Vec::new();
        let mut gaps = Vec::new();
        let mut queue = VecDeque::from([(modules, PathBuf::new(), 0)]);
        let mut visited = 0;
        while let Some((folder, name, depth)) = queue.pop_front() {
            visited += 1;
            if depth > DEEPEST || visited > MOST {
                gaps.push(self.gap(&folder, "too many folders of submodules"));
                break;
            }
            for child in folders(&folder) {
                let name = name.join(child.file_name().unwrap_or_default());
                if is_git_dir(&child, &Trust::default()) {
                    found.push(SubRepo {
                        name: name.display().to_string(),
                        git_dir: child.clone(),
                    });
                    let inner = child.join("modules");
                    if fs::symlink_metadata(&inner).is_ok_and(|meta| meta.is_dir()) {
                        queue.push_back((inner, name, depth + 1));
                    }
                } else {
                    queue.push_back((child, name, depth + 1));
                }
            }
        }
        found.sort();
        (found, gaps)
    }
}

/// A submodule's repository inside that of its parent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubRepo {
    /// Its name, which is the path at which it was added; of one in another one, behind that one's.
    pub name: String,
    /// The folder that [`Repo::discover`] opens.
    pub git_dir: PathBuf,
}

/// Repositories inside a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nested {
    /// Folders with a `.git` in them, the root excepted, sorted.
    pub work_trees: Vec<PathBuf>,
    /// What was not looked into.
    pub gaps: Vec<Gap>,
}

/// Looks for repositories below a folder, whether it is one itself or not. Links are not followed.
pub fn nested(root: &Path) -> Nested {
    const DEEPEST: usize = 256;
    const MOST: usize = 2_000_000;
    let mut all = Nested::default();
    let mut stack = vec![(root.to_owned(), 0)];
    let mut visited = 0;
    while let Some((folder, depth)) = stack.pop() {
        visited += 1;
        if depth > DEEPEST || visited > MOST {
            let reason = "too many folders: not searched for repositories";
            all.gaps.push(gap(root, &folder, reason));
            if visited > MOST {
                break;
            }
            continue;
        }
        let list = match fs::read_dir(&folder) {
            Ok(list) => list,
            Err(error) => {
                all.gaps.push(gap(root, &folder, error.to_string()));
                continue;
            }
        };
        for entry in list.filter_map(Result::ok) {
            if entry.file_name() == ".git" {
                if depth > 0 {
                    all.work_trees.push(folder.clone());
                }
            } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                stack.push((entry.path(), depth + 1));
            }
        }
    }
    all.work_trees.sort_unstable();
    all.gaps.sort_unstable();
    all
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

/// Whether a folder looks like a repository's own. What is in HEAD does not matter: a broken one is still scanned.
fn is_git_dir(folder: &Path, trust: &Trust) -> bool {
    let there = |name| fs::symlink_metadata(folder.join(name)).is_ok();
    let has_objects = trust.object_dir.is_some() || folder.join("objects").is_dir();
    there("HEAD") && (there("commondir") || has_objects && folder.join("refs").is_dir())
}

/// Whether what stands at `from` may lead to a place, which is absolute and without links.
fn may_lead(from: &Path, target: &Path, root: &Path, trust: &Trust) -> bool {
    target.starts_with(root) || trust.owns(from) && trust.owns(target)
}

fn look(folder: &Path, trust: &Trust) -> Result<Option<Found>, Error> {
    let dot_git = folder.join(".git");
    let root = match &trust.root {
        Some(root) => canonical(root)?,
        None => folder.to_owned(),
    };
    let led = |target: PathBuf| -> Result<Option<Found>, Error> {
        if !may_lead(&dot_git, &target, &root, trust) {
            return Err(Error::Outside {
                path: dot_git.clone(),
                target,
            });
        }
        if !is_git_dir(&target, trust) {
            let what = format!("leads to {}, which is no repository", target.display());
            return Err(Error::malformed(&dot_git, what));
        }
        Ok(Some(Found {
            git_dir: target,
            work_tree: Some(folder.to_owned()),
            root: root.clone(),
            through: Some(dot_git.clone()),
        }))
    };
    match fs::symlink_metadata(&dot_git) {
        Ok(meta) if meta.is_dir() => {
            if is_git_dir(&dot_git, trust) {
                return Ok(Some(Found {
                    git_dir: dot_git,
                    work_tree: Some(folder.to_owned()),
                    root,
                    through: None,
                }));
            }
        }
        Ok(meta) if meta.is_file() => return led(pointed(&dot_git)?),
        Ok(meta) if meta.is_symlink() => match fs::canonicalize(&dot_git) {
            Ok(target) if target.is_dir() => return led(target),
            Ok(target) => {
                // Looked at before it is opened: a link may lead to anything.
                if !may_lead(&dot_git, &target, &root, trust) {
                    return Err(Error::Outside {
                        path: dot_git,
                        target,
                    });
                }
                return led(pointed(&target)?);
            }
            Err(_) => {} // leads nowhere, which is as if it were not there
        },
        Ok(_) => return Err(Error::NotAFile { path: dot_git }),
        Err(_) => {}
    }
    if !is_git_dir(folder, trust) {
        return Ok(None);
    }
    let is_dot_git = folder.file_name() == Some(OsStr::new(".git"));
    Ok(Some(Found {
        git_dir: folder.to_owned(),
        work_tree: folder.parent().filter(|_| is_dot_git).map(Path::to_owned),
        root,
        through: None,
    }))
}

/// Where a `.git` file leads.
fn pointed(file: &Path) -> Result<PathBuf, Error> {
    let bytes = control::read(file, POINTER, Links::Refuse)?;
    let target = bytes
        .strip_prefix(b"gitdir:")
        .map(<[u8]>::trim_ascii)
        .filter(|rest| !rest.is_empty() && !rest.contains(&0))
        .ok_or_else(|| Error::malformed(file, "does not begin with `gitdir: `"))?;
    let folder = file.parent().unwrap_or(file);
    canonical(&folder.join(path_of(target)))
}

fn common_dir(git_dir: &Path, root: &Path, links: Links, trust: &Trust) -> Result<PathBuf, Error> {
    let file = git_dir.join("commondir");
    let Some(bytes) = control::read_if_there(&file, POINTER, links)? else {
        return Ok(git_dir.to_owned());
    };
    let named = trimmed(&bytes);
    if named.is_empty() || named.contains(&0) {
        return Err(Error::malformed(&file, "names no folder"));
    }
    let target = canonical(&git_dir.join(path_of(named)))?;
    // The folder of a linked work tree lies inside the one that it leads to, and led to it was allowed.
    let home = git_dir
        .parent()
        .is_some_and(|parent| *parent == *target.join("worktrees"));
    if !home && !may_lead(&file, &target, root, trust) {
        return Err(Error::Outside { path: file, target });
    }
    if is_git_dir(&target, trust) {
        Ok(target)
    } else {
        let what = format!("leads to {}, which is no repository", target.display());
        Err(Error::malformed(&file, what))
    }
}

fn has_promise(objects: &Path) -> bool {
    let list = fs::read_dir(objects.join("pack")).into_iter().flatten();
    list.filter_map(Result::ok)
        .any(|entry| entry.path().extension() == Some(OsStr::new("promisor")))
}

/// The few values of a `config` file that say how the repository is laid out.
///
/// Includes are not followed, and `core.worktree` is left alone: it may name any folder.
#[derive(Debug, Default, PartialEq, Eq)]
struct Config {
    version: Option<String>,
    bare: Option<bool>,
    promisor: bool,
    object_format: Option<String>,
    ref_storage: Option<String>,
    /// Extensions that change what is read in ways that are not known here.
    unknown: Option<String>,
}

impl Config {
    fn parse(bytes: &[u8]) -> Self {
        let mut config = Self::default();
        let mut section = String::new();
        let mut lines = bytes.split(|byte| *byte == b'\n');
        while let Some(line) = lines.next() {
            let mut rest = line.trim_ascii();
            if let Some(head) = rest.strip_prefix(b"[") {
                let Some(end) = section_end(head) else {
                    continue;
                };
                section = lossy(&head[..end]).to_ascii_lowercase();
                rest = head[end + 1..].trim_ascii();
            }
            if rest.is_empty() || matches!(rest[0], b'#' | b';') {
                continue;
            }
            let equals = rest.iter().position(|byte| *byte == b'=');
            let key = lossy(rest[..equals.unwrap_or(rest.len())].trim_ascii()).to_ascii_lowercase();
            let mut value = String::new();
            let mut next = equals.map(|at| &rest[at + 1..]);
            while let Some(part) = next {
                let (plain, goes_on) = unquoted(part);
                value.push_str(&plain);
                next = if goes_on { lines.next() } else { None };
            }
            let has_value = equals.is_some();
            config.take(&section, &key, value.trim(), has_value);
        }
        config
    }

    fn take(&mut self, section: &str, key: &str, value: &str, has_value: bool) {
        let yes = || {
            !has_value
                || matches!(
                    value.to_ascii_lowercase().as_str(),
                    "true" | "yes" | "on" | "1"
                )
        };
        let lower = || value.to_ascii_lowercase();
        match (section, key) {
            ("core", "repositoryformatversion") => self.version = Some(value.to_owned()),
            ("core", "bare") => self.bare = Some(yes()),
            ("extensions", "objectformat") => self.object_format = Some(lower()),
            ("extensions", "refstorage") => self.ref_storage = Some(lower()),
            ("extensions", "partialclone") => self.promisor = true,
            (
                "extensions",
                "noop"
                | "noop-v1"
                | "preciousobjects"
                | "worktreeconfig"
                | "relativeworktrees"
                | "compatobjectformat"
                | "submodulepathconfig",
            ) => {}
            ("extensions", other) => self.unknown = Some(other.to_owned()),
            (remote, "promisor") if remote.starts_with("remote ") => self.promisor |= yes(),
            _ => {}
        }
    }

    fn check(&self, file: &Path) -> Result<(), Error> {
        let version = match self.version.as_deref() {
            None | Some("") => 0,
            Some(text) => text
                .parse::<u64>()
                .map_err(|_| Error::malformed(file, "core.repositoryFormatVersion: no number"))?,
        };
        if version > 1 {
            let what = format!("version {version} of the repository format");
            return Err(Error::unsupported(file, what));
        }
        match self.object_format.as_deref() {
            None | Some("sha1") => {}
            Some("sha256") => {
                return Err(Error::unsupported(file, "a SHA-256 repository"));
            }
            Some(other) => {
                let what = format!("object format `{other}`");
                return Err(Error::unsupported(file, what));
            }
        }
        match self.ref_storage.as_deref() {
            None => {}
            Some(files) if files == "files" || files.starts_with("files:") => {}
            Some("reftable") => {
                return Err(Error::unsupported(file, "a reftable repository"));
            }
            Some(other) => {
                let what = format!("ref storage `{other}`");
                return Err(Error::unsupported(file, what));
            }
        }
        // Git obeys extensions of version 1 only, and refuses those that it does not know.
        match &self.unknown {
            Some(name) if version == 1 => {
                let what = format!("repository extension `{name}`");
                Err(Error::unsupported(file, what))
            }
            _ => Ok(()),
        }
    }
}

/// Where the bracket closes that began a section; names of subsections are in quotes and may hold brackets.
fn section_end(head: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in head.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// A value without quotes and comment, and whether the next line belongs to it.
fn unquoted(text: &[u8]) -> (String, bool) {
    let mut plain = Vec::new();
    let mut quoted = false;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => quoted = !quoted,
            b'#' | b';' if !quoted => break,
            b'\\' => match bytes.next() {
                None | Some(b'\r') => return (lossy(&plain), true),
                Some(b'n') => plain.push(b'\n'),
                Some(b't') => plain.push(b'\t'),
                Some(other) => plain.push(other),
            },
            other => plain.push(other),
        }
    }
    (lossy(&plain), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_read_as_git_reads_it_and_nothing_else() {
        let text = b"# c\n[include]\n\tpath = /dev/zero\n[Core] bare = true ; x\n\tRepositoryFormatVersion=\"1\" # y\n\
            \tworktree = /etc\n[extensions]\n objectFormat = sha\\\n1\n[remote \"a]b\"]\n\tpromisor\n[core]\n\tbare=off\n=\n[\n";
        let config = Config::parse(text);
        assert_eq!(config.version.as_deref(), Some("1"));
        assert_eq!(config.bare, Some(false));
        assert_eq!(config.object_format.as_deref(), Some("sha1"));
        assert!(config.promisor);
        assert!(config.check(Path::new("config")).is_ok());
    }

    #[test]
    fn formats_that_are_not_read_are_named() {
        for (text, word) in [
            ("[core]\nrepositoryformatversion = 2", "version 2"),
            ("[core]\nrepositoryformatversion = x", "no number"),
            ("[extensions]\nobjectformat = SHA256", "SHA-256"),
            ("[extensions]\nrefstorage = reftable", "reftable"),
            (
                "[core]\nrepositoryformatversion = 1\n[extensions]\nwhat = 1",
                "extension `what`",
            ),
        ] {
            let error = Config::parse(text.as_bytes()).check(Path::new("config"));
            let error = error.map_err(|e| e.to_string());
            assert!(error.as_ref().is_err_and(|e| e.contains(word)), "{error:?}");
        }
    }
}
