//! Repositories inside others: those of submodules, and work trees below a folder.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use super::search::is_git_dir;
use super::{Repo, Trust, folders, gap};
use crate::model::Gap;

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

impl Repo {
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
