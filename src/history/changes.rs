//! What a tree holds that others do not: the versions of files that a change brings.

use std::collections::HashMap;
use std::sync::Arc;

use super::Error;
use super::commits::parse;
use super::control::lossy;
use crate::model::{Gap, Oid};
use crate::pack::{Db, Kind};

/// A version of a file that none of the compared ones has at its path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// From the repository's root, with `/`.
    pub path: Vec<u8>,
    /// The content: of a file, or the target of a symbolic link.
    pub new: Oid,
    /// What stood at the path before, in any parent; empty for a new path.
    pub old: Vec<Oid>,
    /// As git has it: 0o100644, 0o100755, 0o120000 for a symbolic link.
    pub mode: u32,
}

/// A file or folder that stood in a compared version and does not stand at its path any more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Removed {
    /// From the repository's root, with `/`.
    pub path: Vec<u8>,
    /// The blob or tree.
    pub id: Oid,
}

/// Most bytes of one tree or commit.
pub(super) const MOST: u64 = 256 << 20;
/// Most changes of one call, some 200 bytes each: a few made trees in each other have more files than there are atoms.
pub(super) const MOST_CHANGES: usize = 2_000_000;
/// Most folders visited for them.
const MOST_FOLDERS: usize = 10 * MOST_CHANGES;

/// The type bits of a mode.
const TYPE: u32 = 0o170_000;

pub(super) fn is_folder(mode: u32) -> bool {
    mode & TYPE == 0o040_000
}

pub(super) fn is_submodule(mode: u32) -> bool {
    mode & TYPE == 0o160_000
}

pub(super) fn is_link(mode: u32) -> bool {
    mode & TYPE == 0o120_000
}

/// An entry of a tree object.
#[derive(Debug, Clone, Copy)]
pub(super) struct TreeEntry<'t> {
    pub(super) name: &'t [u8],
    pub(super) mode: u32,
    pub(super) id: Oid,
}

impl TreeEntry<'_> {
    /// Trees are ordered as if the names of folders ended with `/`.
    fn order(&self, other: &TreeEntry<'_>) -> std::cmp::Ordering {
        let shorter = self.name.len().min(other.name.len());
        let end = |entry: &TreeEntry<'_>| match entry.name.get(shorter) {
            Some(byte) => *byte,
            None if is_folder(entry.mode) => b'/',
            None => 0,
        };
        let both = self.name[..shorter].cmp(&other.name[..shorter]);
        both.then_with(|| end(self).cmp(&end(other)))
            .then_with(|| self.name.len().cmp(&other.name.len()))
    }
}

/// The entries of a tree, up to the first that is damaged; that one is an `Err`.
pub(super) struct Entries<'t>(pub(super) &'t [u8]);

impl<'t> Iterator for Entries<'t> {
    type Item = Result<TreeEntry<'t>, ()>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let parsed = entry(self.0);
        self.0 = parsed.map_or(&[], |(_, rest)| rest);
        Some(parsed.map(|(entry, _)| entry).ok_or(()))
    }
}

fn entry(bytes: &[u8]) -> Option<(TreeEntry<'_>, &[u8])> {
    let mut mode = 0_u32;
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b' ' if at > 0 => break,
            digit @ b'0'..=b'7' if at < 8 => mode = mode << 3 | u32::from(digit - b'0'),
            _ => return None,
        }
        at += 1;
    }
    let rest = bytes.get(at + 1..)?;
    let (name, rest) = rest.split_at_checked(memchr::memchr(0, rest)?)?;
    let id = Oid::from_slice(rest.get(1..)?)?;
    let entry = TreeEntry { name, mode, id };
    Some((entry, rest.get(21..)?))
}

/// Trees by id, the last ones kept, and what went wrong with them.
pub(super) struct Trees<'d> {
    db: &'d Db,
    held: HashMap<Oid, Arc<[u8]>>,
    bytes: usize,
    /// How many changes more there may be.
    pub(super) left: usize,
    folders: usize,
    pub(super) gaps: Vec<Gap>,
    /// Trees that are named and not there; each is among the gaps, too.
    pub(super) absent: Vec<Oid>,
    /// Files and folders of base trees at whose paths nothing stands any more.
    pub(super) removed: Vec<Removed>,
}

/// Folders that are to be compared.
struct Frame {
    /// With a `/` at the end, where it is not empty.
    prefix: Vec<u8>,
    new: Oid,
    bases: Vec<Oid>,
}

impl<'d> Trees<'d> {
    const HELD: usize = 64 << 20;

    pub(super) fn new(db: &'d Db) -> Self {
        Self {
            db,
            held: HashMap::new(),
            bytes: 0,
            left: MOST_CHANGES,
            folders: 0,
            gaps: Vec::new(),
            absent: Vec::new(),
            removed: Vec::new(),
        }
    }

    /// A tree's bytes; one that cannot be had is a gap, and empty.
    pub(super) fn tree(&mut self, id: Oid) -> Arc<[u8]> {
        if let Some(held) = self.held.get(&id) {
            return Arc::clone(held);
        }
        let bytes: Arc<[u8]> = match object(self.db, id, Kind::Tree) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.gap(id, &error);
                if !self.db.contains(&id) {
                    self.absent.push(id);
                }
                Arc::from(&[][..])
            }
        };
        if self.bytes > Self::HELD {
            self.held.clear();
            self.bytes = 0;
        }
        self.bytes += bytes.len() + 64;
        self.held.insert(id, Arc::clone(&bytes));
        bytes
    }

    pub(super) fn gap(&mut self, id: Oid, error: &Error) {
        let reason = match error {
            Error::Object { what, .. } => what.clone(),
            other => other.to_string(),
        };
        self.gaps.push(Gap {
            path: place(&id),
            reason,
        });
    }

    /// The files of a tree that none of the base trees has at the same path. `old` are versions from the bases.
    ///
    /// Gives whether all could be compared; where not, a gap says why.
    pub(super) fn added(
        &mut self,
        prefix: Vec<u8>,
        new: Oid,
        bases: Vec<Oid>,
        changes: &mut Vec<Change>,
    ) -> bool {
        let mut stack = vec![Frame { prefix, new, bases }];
        while let Some(frame) = stack.pop() {
            if frame.bases.contains(&frame.new) {
                continue;
            }
            self.folders += 1;
            if self.folders > MOST_FOLDERS || self.left == 0 {
                self.gaps.push(Gap {
                    path: lossy(&frame.prefix),
                    reason: format!("too many files in tree {}", frame.new),
                });
                return false;
            }
            let tree = self.tree(frame.new);
            let bases: Vec<Arc<[u8]>> = frame.bases.iter().map(|base| self.tree(*base)).collect();
            let mut cursors: Vec<_> = bases
                .iter()
                .map(|base| Entries(base).map_while(Result::ok).peekable())
                .collect();
            let mut same: Vec<TreeEntry<'_>> = Vec::new();
            for entry in Entries(&tree) {
                let Ok(entry) = entry else {
                    self.gaps.push(Gap {
                        path: lossy(&frame.prefix),
                        reason: format!("tree {} is damaged", frame.new),
                    });
                    break;
                };
                same.clear();
                for cursor in &mut cursors {
                    while let Some(base) = cursor.next_if(|base| base.order(&entry).is_lt()) {
                        self.removed.push(gone(&frame.prefix, &base));
                    }
                    same.extend(cursor.next_if(|base| base.order(&entry).is_eq()));
                }
                if is_submodule(entry.mode) || same.iter().any(|base| base.id == entry.id) {
                    continue;
                }
                let path = [&*frame.prefix, entry.name].concat();
                let ids = same.iter().filter(|base| !is_submodule(base.mode));
                let mut old: Vec<Oid> = ids.map(|base| base.id).collect();
                old.sort_unstable();
                old.dedup();
                if is_folder(entry.mode) {
                    stack.push(Frame {
                        prefix: [&*path, b"/"].concat(),
                        new: entry.id,
                        bases: old,
                    });
                } else {
                    self.left = self.left.saturating_sub(1);
                    changes.push(Change {
                        path,
                        new: entry.id,
                        old,
                        mode: entry.mode,
                    });
                }
            }
            for cursor in cursors {
                let rest = cursor.map(|base| gone(&frame.prefix, &base));
                self.removed.extend(rest);
            }
        }
        true
    }
}

/// What stands for the path of an object's gap.
pub(super) fn place(id: &Oid) -> String {
    format!("object {id}")
}

fn gone(prefix: &[u8], entry: &TreeEntry<'_>) -> Removed {
    Removed {
        path: [prefix, entry.name].concat(),
        id: entry.id,
    }
}

/// The files below a folder, the first so many; a file is itself. What cannot be read has none.
pub fn files_below(db: &Db, folder: &Removed, most: usize) -> Vec<Removed> {
    let (mut files, mut stack) = (Vec::new(), vec![(folder.clone(), true)]);
    let mut steps = 10 * most;
    while let Some((Removed { path, id }, may_be_folder)) = stack.pop() {
        steps = steps.saturating_sub(1);
        if files.len() >= most || steps == 0 {
            break;
        }
        let tree = may_be_folder
            .then(|| object(db, id, Kind::Tree).ok())
            .flatten();
        let Some(tree) = tree else {
            files.push(Removed { path, id });
            continue;
        };
        let prefix = [&*path, b"/"].concat();
        let entries = Entries(&tree).map_while(Result::ok);
        let entries = entries.filter(|entry| !is_submodule(entry.mode));
        stack.extend(entries.map(|entry| (gone(&prefix, &entry), is_folder(entry.mode))));
    }
    files
}

/// An object of one kind.
pub(super) fn object(db: &Db, id: Oid, kind: Kind) -> Result<Arc<[u8]>, Error> {
    match db.find(&id, MOST) {
        Ok(Some(found)) if found.kind == kind => Ok(found.bytes),
        Ok(Some(found)) => Err(Error::Object {
            id,
            what: format!("is a {}, not a {kind}", found.kind),
        }),
        Ok(None) if kind == Kind::Tree && id == EMPTY_TREE => Ok(Arc::from(&[][..])),
        Ok(None) => Err(Error::Object {
            id,
            what: format!("the {kind} is missing"),
        }),
        Err(error) => Err(Error::Object {
            id,
            what: error.to_string(),
        }),
    }
}

/// The tree without entries, which git knows without having stored it.
const EMPTY_TREE: Oid = Oid::new([
    0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e, 0xb9, 0xa0, 0x60, 0xe5, 0x4b, 0xf8, 0xd6, 0x92, 0x88,
    0xfb, 0xee, 0x49, 0x04,
]);

/// What of a commit steers the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommitHead {
    pub(super) tree: Oid,
    pub(super) parents: Vec<Oid>,
    /// When it was committed: seconds since 1970.
    pub(super) date: i64,
}

impl CommitHead {
    pub(super) fn of(db: &Db, id: Oid) -> Result<Self, Error> {
        let bytes = object(db, id, Kind::Commit)?;
        let commit = parse(id, &bytes).ok_or_else(|| Error::Object {
            id,
            what: "the commit is damaged".into(),
        })?;
        Ok(Self {
            tree: commit.tree,
            parents: commit.parents,
            date: commit.time,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &'static [u8], mode: u32) -> TreeEntry<'static> {
        TreeEntry {
            name,
            mode,
            id: Oid::new([1; 20]),
        }
    }

    #[test]
    fn folders_are_ordered_as_git_orders_them() {
        let (file, folder) = (0o100_644, 0o040_000);
        let rows = [
            named(b"a", file),
            named(b"a-b", file),
            named(b"a", folder),
            named(b"a0", folder),
            named(b"ab", file),
        ];
        assert!(rows.is_sorted_by(|a, b| a.order(b).is_lt()));
        assert!(named(b"a", folder).order(&named(b"a", folder)).is_eq());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_tree_reader_panic(bytes: Vec<u8>) {
            let _ = Entries(&bytes).count();
            let _ = parse(Oid::new([0; 20]), &bytes);
        }
    }
}
