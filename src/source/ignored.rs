//! What git tracks and what it ignores: the index says the first, `.gitignore` files the second.
//!
//! The repository is never opened as one: no configuration of it is read. Files in the index are
//! scanned whatever the ignore rules say.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::history::tracked;

/// A repository's work tree: where it begins and which paths its index holds, sorted.
#[derive(Debug, Default)]
pub struct Repository {
    tracked: Vec<Vec<u8>>,
}

impl Repository {
    /// Reads the repository whose work tree begins at `root`, if there is one. A `.git` file is
    /// followed to its folder only where `trusted` says that the folder may be read.
    ///
    /// # Errors
    /// [`DamagedIndex`].
    pub fn at(root: &Path, trusted: impl Fn(&Path) -> bool) -> Result<Option<Self>, DamagedIndex> {
        let Some(git) = git_folder(root, trusted) else {
            return Ok(None);
        };
        let index = git.join("index");
        let tracked = match fs::symlink_metadata(&index) {
            Ok(kind) if kind.is_file() => tracked(&index).map_err(|_| DamagedIndex)?,
            Ok(_) => return Err(DamagedIndex),
            // Nothing added yet, so the ignore rules alone count.
            Err(_) if !has_commits(&git) => Vec::new(),
            // What is tracked cannot be known, so that nothing may be left out.
            Err(_) => return Ok(None),
        };
        Ok(Some(Self { tracked }))
    }

    /// Whether the index holds this file (path from the work tree's root, with `/`).
    #[must_use]
    pub fn tracks(&self, path: &[u8]) -> bool {
        self.tracked
            .binary_search_by(|p| p.as_slice().cmp(path))
            .is_ok()
    }

    /// Whether the index holds something below this folder.
    #[must_use]
    pub fn tracks_below(&self, folder: &[u8]) -> bool {
        let mut prefix = folder.to_vec();
        prefix.push(b'/');
        let at = self
            .tracked
            .partition_point(|p| p.as_slice() < prefix.as_slice());
        self.tracked.get(at).is_some_and(|p| p.starts_with(&prefix))
    }
}

/// A repository's index cannot be read. What is tracked cannot be known then, so that nothing may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the index of a repository is damaged: what git tracks is not known, so nothing is left out as ignored; git reset mends it"
)]
pub struct DamagedIndex;

/// Whether there is a ref: somebody has committed.
fn has_commits(git: &Path) -> bool {
    let is_there = |name: &str| fs::symlink_metadata(git.join(name)).is_ok();
    let mut heads = fs::read_dir(git.join("refs/heads")).into_iter().flatten();
    is_there("packed-refs") || is_there("commondir") || heads.next().is_some()
}

fn git_folder(root: &Path, trusted: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let git = root.join(".git");
    let kind = fs::symlink_metadata(&git).ok()?;
    if kind.is_dir() {
        return Some(git);
    }
    if !kind.is_file() || kind.len() > 4096 {
        return None;
    }
    let text = fs::read_to_string(&git).ok()?;
    let target = root.join(text.strip_prefix("gitdir:")?.trim());
    let target = fs::canonicalize(target).ok()?;
    trusted(&target).then_some(target)
}

/// The ignore rules that hold in a folder: its own and those of the folders above it.
#[derive(Debug)]
pub(super) struct Rules {
    above: Option<Arc<Rules>>,
    own: Gitignore,
}

impl Rules {
    /// The rules of a work tree's root: the user's global ones, `.git/info/exclude`, and its own.
    pub(super) fn root(root: &Path) -> Arc<Self> {
        let (global, _) = Gitignore::global();
        let above = Arc::new(Self {
            above: None,
            own: global,
        });
        let exclude = root.join(".git").join("info").join("exclude");
        let above = Arc::new(Self {
            above: Some(above),
            own: read(root, &exclude),
        });
        Self::below(&above, root)
    }

    /// The rules of a folder below: those above and its own `.gitignore`.
    pub(super) fn below(above: &Arc<Self>, folder: &Path) -> Arc<Self> {
        let file = folder.join(".gitignore");
        if !fs::symlink_metadata(&file).is_ok_and(|m| m.is_file()) {
            return Arc::clone(above);
        }
        Arc::new(Self {
            above: Some(Arc::clone(above)),
            own: read(folder, &file),
        })
    }

    /// Whether the rules ignore a path; the innermost file that names it decides.
    pub(super) fn ignores(&self, path: &Path, is_folder: bool) -> bool {
        let mut rules = Some(self);
        while let Some(r) = rules {
            match r.own.matched(path, is_folder) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
            rules = r.above.as_deref();
        }
        false
    }
}

fn read(folder: &Path, file: &Path) -> Gitignore {
    let mut builder = GitignoreBuilder::new(folder);
    // A line that does not parse is passed over, as git does.
    let _ = builder.add(file);
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}
