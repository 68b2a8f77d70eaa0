//! Where a repository is: from a folder upwards, through what leads elsewhere and may.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::Error;
use super::super::control::{self, Links, path_of, trimmed};
use super::{Repo, Trust, canonical};

/// Most bytes of a file that holds one path.
const POINTER: u64 = 16 << 10;

/// Where a search ended.
pub(super) struct Found {
    pub(super) git_dir: PathBuf,
    pub(super) work_tree: Option<PathBuf>,
    /// The scanned folder.
    pub(super) root: PathBuf,
    /// The `.git` file or link that led there.
    pub(super) through: Option<PathBuf>,
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
}

/// Whether a folder looks like a repository's own. What is in HEAD does not matter: a broken one is still scanned.
pub(super) fn is_git_dir(folder: &Path, trust: &Trust) -> bool {
    let there = |name| fs::symlink_metadata(folder.join(name)).is_ok();
    let has_objects = trust.object_dir.is_some() || folder.join("objects").is_dir();
    there("HEAD") && (there("commondir") || has_objects && folder.join("refs").is_dir())
}

/// Whether what stands at `from` may lead to a place, which is absolute and without links.
pub(super) fn may_lead(from: &Path, target: &Path, root: &Path, trust: &Trust) -> bool {
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

pub(super) fn common_dir(
    git_dir: &Path,
    root: &Path,
    links: Links,
    trust: &Trust,
) -> Result<PathBuf, Error> {
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
