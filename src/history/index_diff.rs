//! What the next commit would add, and which files of the working tree differ from the index.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha1::{Digest as _, Sha1};

use super::Error;
use super::changes::{
    Change, CommitHead, Entries, Removed, Trees, is_folder, is_link, is_submodule,
};
use super::control::{self, Links, path_of};
use super::index::{Entry, Index, changed, modified};
use super::refs::pseudo_ref;
use super::repo::Repo;
use crate::model::{Gap, Oid};
use crate::pack::Db;

/// What the index holds beyond HEAD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Staged {
    /// By path; several a path where a merge left several versions.
    pub changes: Vec<Change>,
    /// Files and folders of the parents at whose paths the index has nothing; see [`files_below`](super::files_below).
    pub removed: Vec<Removed>,
    /// Entries of `git add -N`, whose content is not in the index.
    pub intent_to_add: usize,
    /// Files with another mode and the same content: executable or not any more.
    pub mode_only: usize,
    /// Submodules that are new, gone or at another commit.
    pub submodules: usize,
    /// Trees that could not be read.
    pub gaps: Vec<Gap>,
}

impl Staged {
    /// Whether the index is as HEAD is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let counted = self.intent_to_add + self.mode_only + self.submodules;
        self.changes.is_empty() && self.removed.is_empty() && counted == 0
    }
}

/// What the next commit would add: versions in the index that neither `head` nor, during a merge, one of the other parents
/// has at the same path. Without a `head`, all of them.
///
/// Folders whose tree the index knows and one of the parents has are not looked into.
///
/// # Errors
/// [`Error::Malformed`], [`Error::Unsupported`] and those of control files for the index and `MERGE_HEAD`;
/// [`Error::Object`] where `head` is no commit.
pub fn staged(repo: &Repo, db: &Db, head: Option<Oid>) -> Result<Staged, Error> {
    let mut parents: Vec<Oid> = head.into_iter().collect();
    parents.extend(pseudo_ref(repo, "MERGE_HEAD")?);
    staged_on(repo, db, &parents)
}

/// The same for a commit with these parents; without one, everything that the index holds.
///
/// # Errors
/// As for [`staged`].
pub fn staged_on(repo: &Repo, db: &Db, parents: &[Oid]) -> Result<Staged, Error> {
    let index = Index::open(&repo.index_file, repo.links)?;
    let mut bases = Vec::new();
    for parent in parents {
        bases.push(CommitHead::of(db, *parent)?.tree);
    }
    let mut walk = Comparison {
        index: &index,
        trees: Trees::new(db),
        out: Staged::default(),
    };
    let mut stack = vec![Folder {
        start: 0,
        end: index.entries.len(),
        depth: 0,
        node: index.trees.root(),
        bases,
    }];
    while let Some(folder) = stack.pop() {
        walk.compare(&folder, &mut stack);
    }
    let Comparison { mut out, trees, .. } = walk;
    out.changes.sort_unstable();
    out.changes.dedup();
    out.removed.extend(trees.removed);
    out.gaps = trees.gaps;
    out.gaps.sort_unstable();
    out.gaps.dedup();
    Ok(out)
}

/// The paths that an index file holds, sorted, each once; none where there is no such file. A folder of a sparse index ends
/// with `/`.
///
/// # Errors
/// As for [`staged`] with the index.
pub fn tracked(index_file: &Path) -> Result<Vec<Vec<u8>>, Error> {
    let index = Index::open(index_file, Links::Refuse)?;
    let paths = index.entries.iter().map(|entry| index.path(entry).to_vec());
    let mut paths: Vec<Vec<u8>> = paths.collect();
    paths.dedup();
    Ok(paths)
}

/// A folder of the index that may differ from the base trees.
struct Folder {
    /// Its entries.
    start: usize,
    end: usize,
    /// Bytes of its path, `/` included.
    depth: usize,
    node: Option<usize>,
    /// The folder's trees in the parents that have it.
    bases: Vec<Oid>,
}

struct Comparison<'i> {
    index: &'i Index,
    trees: Trees<'i>,
    out: Staged,
}

impl Comparison<'_> {
    fn compare(&mut self, folder: &Folder, stack: &mut Vec<Folder>) {
        let index = self.index;
        let known = folder.node.and_then(|node| index.trees.id(node));
        if known.is_some_and(|id| folder.bases.contains(&id)) {
            return;
        }
        if folder.bases.is_empty() {
            // Nothing to compare with, so nothing to gain from going folder by folder.
            for entry in index
                .entries
                .get(folder.start..folder.end)
                .into_iter()
                .flatten()
            {
                self.entry(entry, &[]);
            }
            return;
        }
        let bases: Vec<Arc<[u8]>> = (folder.bases.iter())
            .map(|base| self.trees.tree(*base))
            .collect();
        let bases: Vec<Vec<Row<'_>>> = bases
            .iter()
            .map(|tree| {
                let entries = Entries(tree).map_while(Result::ok);
                let mut rows: Vec<Row<'_>> = entries
                    .map(|entry| (entry.name, is_folder(entry.mode), entry.id, entry.mode))
                    .collect();
                rows.sort_unstable();
                rows
            })
            .collect();
        let at_name = |name: &[u8], folder: bool| -> Vec<(Oid, u32)> {
            let mut found: Vec<(Oid, u32)> = bases
                .iter()
                .flat_map(|rows| {
                    let from = rows.partition_point(|row| (row.0, row.1) < (name, folder));
                    rows[from..]
                        .iter()
                        .take_while(|row| row.0 == name && row.1 == folder)
                        .map(|row| (row.2, row.3))
                })
                .collect();
            found.sort_unstable();
            found.dedup();
            found
        };
        let children = folder
            .node
            .map(|node| index.trees.children(node))
            .unwrap_or_default();
        let mut met: HashSet<(&[u8], bool)> = HashSet::new();
        let mut at = folder.start;
        while at < folder.end {
            let Some(entry) = index.entries.get(at) else {
                break;
            };
            let path = index.path(entry);
            let rest = path.get(folder.depth..).unwrap_or_default();
            let slash = memchr::memchr(b'/', rest);
            met.insert((
                rest.get(..slash.unwrap_or(rest.len())).unwrap_or(rest),
                slash.is_some(),
            ));
            let Some(slash) = slash else {
                self.entry(entry, &at_name(rest, false));
                at += 1;
                continue;
            };
            let (name, after) = rest.split_at(slash);
            let trees: Vec<Oid> = at_name(name, true).iter().map(|row| row.0).collect();
            if after.len() == 1 && is_folder(entry.mode) {
                // A folder of a sparse index, in place of its files.
                let path = path.to_vec();
                self.trees
                    .added(path, entry.id, trees, &mut self.out.changes);
                at += 1;
                continue;
            }
            let depth = folder.depth + slash + 1;
            let prefix = path.get(..depth).unwrap_or_default();
            let inside = index.entries.get(at..folder.end).unwrap_or_default();
            let count = inside.partition_point(|entry| {
                let path = index.path(entry);
                path.get(..depth).unwrap_or(path) <= prefix
            });
            let child = children.binary_search_by_key(&name, |child| child.0);
            let end = at + count.max(1);
            stack.push(Folder {
                start: at,
                end,
                depth,
                node: child
                    .ok()
                    .and_then(|child| children.get(child))
                    .map(|c| c.1),
                bases: trees,
            });
            at = end;
        }
        let first = index.entries.get(folder.start);
        let prefix = first.and_then(|entry| index.path(entry).get(..folder.depth));
        let prefix = prefix.unwrap_or_default();
        let rows = bases.iter().flatten();
        let gone = rows.filter(|(name, folder, ..)| !met.contains(&(*name, *folder)));
        for (name, _, id, mode) in gone {
            if is_submodule(*mode) {
                self.out.submodules += 1;
            } else {
                self.out.removed.push(Removed {
                    path: [prefix, name].concat(),
                    id: *id,
                });
            }
        }
    }

    /// Compares an entry with what the parents have at its path.
    fn entry(&mut self, entry: &Entry, bases: &[(Oid, u32)]) {
        if entry.intent_to_add {
            self.out.intent_to_add += 1;
            return;
        }
        let path = self.index.path(entry);
        if is_folder(entry.mode) {
            let bases = Vec::new();
            let path = path.to_vec();
            self.trees
                .added(path, entry.id, bases, &mut self.out.changes);
            return;
        }
        // The base of a conflict is no part of what will be.
        if entry.stage == 1 || bases.contains(&(entry.id, entry.mode)) {
            return;
        }
        if is_submodule(entry.mode) {
            self.out.submodules += 1;
            return;
        }
        let files = bases.iter().filter(|(_, mode)| !is_submodule(*mode));
        let mut old: Vec<Oid> = files.map(|(id, _)| *id).collect();
        old.dedup();
        if old.contains(&entry.id) {
            self.out.mode_only += 1;
            return;
        }
        self.out.changes.push(Change {
            path: path.to_vec(),
            new: entry.id,
            old,
            mode: entry.mode,
        });
    }
}

/// An entry of a base tree: name, whether it is a folder, object, mode.
type Row<'t> = (&'t [u8], bool, Oid, u32);

/// Files of the index that are not in the working tree as the index knows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unstaged {
    /// From the work tree's root, with `/`; by name. Symbolic links are among them.
    pub paths: Vec<Vec<u8>>,
    /// Paths that lead out of the work tree or cannot be looked at.
    pub gaps: Vec<Gap>,
}

/// Files whose time or length is not what the index says, and those that changed too shortly before the index was written
/// to tell. Deleted ones and submodules are left out.
///
/// # Errors
/// As for [`staged`] with the index; [`Error::NoRepository`] where there is no work tree.
pub fn unstaged(repo: &Repo) -> Result<Unstaged, Error> {
    let root = repo.work_tree.as_deref().ok_or(Error::NoRepository {
        path: repo.git_dir.clone(),
    })?;
    let index = Index::open(&repo.index_file, repo.links)?;
    let mut out = Unstaged::default();
    let mut last: Option<(&[u8], bool)> = None;
    for entry in &index.entries {
        let path = index.path(entry);
        let special = is_submodule(entry.mode) || is_folder(entry.mode);
        if special || out.paths.last().is_some_and(|p| p == path) {
            continue;
        }
        if !is_inside(path) {
            out.gaps
                .push(repo.gap(&path_of(path), "a path that leads elsewhere"));
            continue;
        }
        // Each folder is asked once for all its files.
        let folder = path
            .iter()
            .rposition(|byte| *byte == b'/')
            .and_then(|at| path.get(..at))
            .unwrap_or_default();
        let real = match last {
            Some((known, real)) if known == folder => real,
            _ => is_real_folder(root, folder),
        };
        last = Some((folder, real));
        if !real {
            continue;
        }
        let file: PathBuf = root.join(path_of(path));
        match std::fs::symlink_metadata(&file) {
            Ok(meta) if !(meta.is_file() || meta.is_symlink()) => {}
            Ok(meta) => {
                let differs = if entry.skip_worktree {
                    // Git looks away from a file that is there nevertheless, and the index says nothing of it.
                    !has_content(entry, &file, &meta)
                } else {
                    entry.stage > 0 || entry.intent_to_add || differs(entry, &file, &meta, &index)
                };
                if differs {
                    out.paths.push(path.to_vec());
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => out.gaps.push(repo.gap(&file, error.to_string())),
        }
    }
    out.gaps.sort_unstable();
    Ok(out)
}

/// Whether a path has no part that would lead out of the work tree or into the repository.
fn is_inside(path: &[u8]) -> bool {
    let parts = path.split(|byte| *byte == b'/');
    let wrong = |part: &[u8]| {
        matches!(part, b"" | b"." | b"..")
            || part.eq_ignore_ascii_case(b".git")
            || part.contains(&0)
            || cfg!(windows) && part.iter().any(|byte| matches!(byte, b'\\' | b':'))
    };
    !parts.into_iter().any(wrong)
}

/// Whether each part of the folder's path is a folder and no link to one: files behind a link are not those of the index.
fn is_real_folder(root: &Path, folder: &[u8]) -> bool {
    let ends = memchr::memchr_iter(b'/', folder).chain([folder.len()]);
    folder.is_empty()
        || ends.into_iter().all(|end| {
            let part = root.join(path_of(folder.get(..end).unwrap_or_default()));
            std::fs::symlink_metadata(part).is_ok_and(|meta| meta.is_dir())
        })
}

/// Whether a file may differ from what the index last saw of it.
fn differs(entry: &Entry, file: &Path, meta: &std::fs::Metadata, index: &Index) -> bool {
    let (seconds, nanos) = entry.modified;
    let (now_seconds, now_nanos) = modified(meta);
    let time_differs = now_seconds as u32 != seconds
        // Zero where git was built without, or the file system has none.
        || nanos != 0 && now_nanos != nanos;
    // A change in the same moment as the index was written leaves no trace in the time.
    let racy = (i64::from(seconds), nanos) >= index.written
        || nanos == 0 && i64::from(seconds) >= index.written.0;
    // Whoever puts the old time back leaves this one.
    let replaced = changed(meta).is_some_and(|(now_seconds, now_nanos, inode)| {
        let (seconds, nanos) = entry.changed;
        seconds != 0 && now_seconds as u32 != seconds
            || nanos != 0 && now_nanos != nanos
            || entry.inode != 0 && inode as u32 != entry.inode
    });
    time_differs
        || racy
        || replaced && !has_content(entry, file, meta)
        || meta.len() as u32 != entry.size
        || meta.is_symlink() != is_link(entry.mode)
}

/// Whether a file holds what the index has: a copied or moved work tree has other inodes, and nothing else is new.
fn has_content(entry: &Entry, file: &Path, meta: &std::fs::Metadata) -> bool {
    if !meta.is_file() {
        return false;
    }
    let Ok((mut opened, meta)) = control::open(file, Links::Refuse) else {
        return false;
    };
    let mut hash = Sha1::new_with_prefix(format!("blob {}\0", meta.len()));
    let mut buffer = vec![0; 64 << 10];
    loop {
        match opened.read(&mut buffer) {
            Ok(0) => return hash.finalize()[..] == entry.id.as_bytes()[..],
            Ok(count) => hash.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
}
