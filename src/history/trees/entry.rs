//! The entries of a tree's bytes.

use crate::pack::Oid;

/// What an entry's mode says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Tree,
    /// A file or a symbolic link.
    Blob,
    /// A submodule's commit.
    Link,
}

/// One entry of a tree.
pub(super) struct Entry<'t> {
    pub(super) sort: Sort,
    pub(super) name: &'t [u8],
    pub(super) id: &'t [u8; 20],
    /// Where the id begins, and where it ends.
    pub(super) id_at: usize,
    pub(super) end: usize,
}

impl<'t> Entry<'t> {
    /// The entry that begins at a place, `None` if it is malformed, as git has it: no octal mode, no name, no whole id.
    #[inline]
    pub(super) fn at(bytes: &'t [u8], at: usize) -> Option<Self> {
        let rest = bytes.get(at..)?;
        let mut mode = 0_u32;
        let mut digits = 0;
        loop {
            match *rest.get(digits)? {
                digit @ b'0'..=b'7' if digits < 11 => {
                    mode = mode << 3 | u32::from(digit - b'0');
                }
                b' ' if digits > 0 => break,
                _ => return None,
            }
            digits += 1;
        }
        let name = rest.get(digits + 1..)?;
        let len = memchr::memchr(0, name).filter(|len| *len > 0)?;
        let id = name.get(len + 1..)?.first_chunk::<20>()?;
        let id_at = at + digits + 1 + len + 1;
        Some(Self {
            sort: match mode & 0o170_000 {
                0o040_000 => Sort::Tree,
                0o160_000 => Sort::Link,
                _ => Sort::Blob,
            },
            name: &name[..len],
            id,
            id_at,
            end: id_at + 20,
        })
    }
}

/// The number of the entry with a name in a tree.
pub fn entry_number(tree: &[u8], name: &[u8]) -> Option<u32> {
    let mut at = 0;
    for number in 0.. {
        let entry = Entry::at(tree, at)?;
        if entry.name == name {
            return Some(number);
        }
        at = entry.end;
    }
    None
}

/// The name of an entry of a tree.
pub fn entry_name(tree: &[u8], number: u32) -> Option<&[u8]> {
    let mut at = 0;
    for _ in 0..number {
        at = Entry::at(tree, at)?.end;
    }
    Some(Entry::at(tree, at)?.name)
}

/// The id of a name in a tree.
pub(in crate::history) fn find(tree: &[u8], name: &[u8]) -> Option<Oid> {
    let mut at = 0;
    while let Some(entry) = Entry::at(tree, at) {
        if entry.name == name {
            return Some(Oid::new(*entry.id));
        }
        at = entry.end;
    }
    None
}
