//! Which files hold in which folder: those on the way from a root down to it, each read once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use globset::GlobSet;

use super::file::{At, ConfigFile};
use super::glob::globs;
use super::{NAME, read};
use crate::rule::FileError;

/// Files below the roots that are read; more are a trap.
const MOST_FILES: usize = 10_000;
/// Their bytes together.
const MOST_BYTES: usize = 64 << 20;

/// What one file says for its folder and everything below.
#[derive(Debug)]
pub struct Scope {
    /// The folder, absolute and without links.
    pub folder: PathBuf,
    /// What the file says.
    pub file: ConfigFile,
    include: Option<GlobSet>,
    exclude: Option<GlobSet>,
}

impl Scope {
    /// A file's scope; it has been checked, so its globs parse.
    #[must_use]
    pub fn new(folder: &Path, file: ConfigFile) -> Self {
        let set = |list: &[At<String>]| {
            let list: Vec<&str> = list.iter().map(|at| &*at.value).collect();
            globs(&list).ok().flatten()
        };
        Self {
            folder: folder.to_owned(),
            include: set(&file.scan.include),
            exclude: set(&file.scan.exclude),
            file,
        }
    }

    /// Whether `[scan] exclude` names a path (absolute).
    #[must_use]
    pub fn excludes(&self, path: &Path) -> bool {
        let below = path.strip_prefix(&self.folder).ok();
        let below = below.filter(|path| !path.as_os_str().is_empty());
        let exclude = self.exclude.as_ref();
        exclude.is_some_and(|set| below.is_some_and(|path| set.is_match(path)))
    }

    /// Whether there is a `[scan] include` and it does not name a file (absolute).
    #[must_use]
    pub fn misses(&self, path: &Path) -> bool {
        let below = path.strip_prefix(&self.folder).ok();
        let include = self.include.as_ref();
        include.is_some_and(|set| below.is_some_and(|path| !set.is_match(path)))
    }

    /// Where `[rules] disable` names a rule: the line.
    #[must_use]
    pub fn disables(&self, rule: &str) -> Option<u32> {
        let mut disabled = self.file.rules.disable.iter();
        disabled.find(|at| at.value == rule).map(|at| at.line)
    }
}

/// The top of what is scanned together: a repository's working tree, or a folder.
#[derive(Debug)]
struct Root {
    folder: PathBuf,
    /// What holds everywhere below it: the caller's files.
    above: Vec<Arc<Scope>>,
}

#[derive(Debug, Clone)]
enum Known {
    /// No folder, or a link to one: nothing below is looked at.
    Outside,
    Folder(Option<Arc<Scope>>),
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<PathBuf, Known>,
    files: usize,
    bytes: usize,
    problems: Vec<FileError>,
}

/// Which files hold in which folder. All folders are absolute and without links.
#[derive(Debug, Default)]
pub struct Folders {
    roots: Vec<Root>,
    /// Whether files of the scanned tree are looked for.
    looks: bool,
    state: Mutex<State>,
}

impl Folders {
    /// No roots yet; `looks` says whether files of the scanned tree count.
    #[must_use]
    pub fn new(looks: bool) -> Self {
        Self {
            looks,
            ..Self::default()
        }
    }

    /// Adds a root, and the caller's scopes that hold below it.
    pub fn add_root(&mut self, folder: &Path, above: Vec<Arc<Scope>>) {
        if !self.roots.iter().any(|root| root.folder == folder) {
            let folder = folder.to_owned();
            self.roots.push(Root { folder, above });
        }
    }

    /// Says what holds in a folder, so that it is not looked for.
    pub fn insert(&self, folder: &Path, scope: Option<Arc<Scope>>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.known.insert(folder.to_owned(), Known::Folder(scope));
    }

    /// The scopes that hold in a folder, outermost first; it need not exist (any more).
    #[must_use]
    pub fn chain(&self, folder: &Path) -> Vec<Arc<Scope>> {
        let above = self.roots.iter().filter(|r| folder.starts_with(&r.folder));
        let Some(root) = above.max_by_key(|r| r.folder.components().count()) else {
            return Vec::new();
        };
        let mut chain = root.above.clone();
        let mut here = root.folder.clone();
        let below = folder.strip_prefix(&root.folder).unwrap_or(Path::new(""));
        let mut parts = below.components();
        loop {
            match self.known(&here) {
                Known::Outside => return chain,
                Known::Folder(scope) => chain.extend(scope),
            }
            match parts.next() {
                Some(Component::Normal(name)) => here.push(name),
                _ => return chain,
            }
        }
    }

    /// What holds from a folder on that was found to have a file, beside what held above it.
    #[must_use]
    pub fn below(&self, above: &[Arc<Scope>], folder: &Path) -> Vec<Arc<Scope>> {
        let mut chain = above.to_vec();
        if let Known::Folder(Some(scope)) = self.known(folder)
            && !chain.iter().any(|known| Arc::ptr_eq(known, &scope))
        {
            chain.push(scope);
        }
        chain
    }

    /// Every file of the scanned tree that was read, by folder.
    #[must_use]
    pub fn loaded(&self) -> Vec<Arc<Scope>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = |known: &Known| match known {
            Known::Folder(scope) => scope.clone(),
            Known::Outside => None,
        };
        state.known.values().filter_map(folder).collect()
    }

    /// What is wrong with files that were read on the way, sorted.
    #[must_use]
    pub fn problems(&self) -> Vec<FileError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut problems = state.problems.clone();
        problems.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
        problems
    }

    fn known(&self, folder: &Path) -> Known {
        if !self.looks {
            return Known::Folder(None);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = state.known.get(folder) {
            return known.clone();
        }
        let is_folder = fs::symlink_metadata(folder).is_ok_and(|meta| meta.is_dir());
        let known = if is_folder {
            Known::Folder(self.load(folder, &mut state))
        } else {
            Known::Outside
        };
        state.known.insert(folder.to_owned(), known.clone());
        known
    }

    fn load(&self, folder: &Path, state: &mut State) -> Option<Arc<Scope>> {
        let path = folder.join(NAME);
        let root = self.roots.iter().find(|r| folder.starts_with(&r.folder));
        let shown = root.and_then(|root| path.strip_prefix(&root.folder).ok());
        let shown = shown.unwrap_or(&path).to_string_lossy().replace('\\', "/");
        let problem = |message: String| FileError {
            path: shown.clone(),
            line: 1,
            message,
        };
        match read(&path, false) {
            Ok(None) => None,
            Err(message) => {
                state.problems.push(problem(message));
                None
            }
            Ok(Some(text)) => {
                state.files += 1;
                state.bytes += text.len();
                if state.files > MOST_FILES || state.bytes > MOST_BYTES {
                    if state.files == MOST_FILES + 1 || state.bytes - text.len() <= MOST_BYTES {
                        state.problems.push(problem(format!(
                            "is one of more than {MOST_FILES} such files (or {} MiB); they no longer count from here on",
                            MOST_BYTES >> 20
                        )));
                    }
                    return None;
                }
                match ConfigFile::parse(&shown, &text) {
                    Ok(file) => Some(Arc::new(Scope::new(folder, file))),
                    Err(errors) => {
                        state.problems.extend(errors);
                        None
                    }
                }
            }
        }
    }
}
