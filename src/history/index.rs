//! Git's index, versions 2 to 4, with its cache of trees. Format: <https://git-scm.com/docs/gitformat-index>.
//!
//! Read here and not with gix-index: that maps the file, reads its tree cache by recursion (a made one ends the process)
//! and expands shared path beginnings without a limit. Checksums are not compared: git itself skips them where it is told
//! to, and they guard against accidents only.

use std::ops::Range;
use std::path::Path;

use super::Error;
use super::control::{self, Links};
use crate::model::Oid;

/// Most bytes of an index: some ten million files.
const LONGEST: u64 = 2 << 30;

/// What the index holds, in its order: by path, then by stage.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) entries: Vec<Entry>,
    paths: Vec<u8>,
    pub(super) trees: TreeCache,
    /// When it was written: seconds and nanoseconds since 1970.
    pub(super) written: (i64, u32),
}

/// A file of the index, or a version of one in a conflict.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    path: Range<usize>,
    pub(super) id: Oid,
    pub(super) mode: u32,
    /// 0, or in a conflict 1 for the base, 2 for ours, 3 for theirs.
    pub(super) stage: u8,
    /// `git add -N`: the name alone.
    pub(super) intent_to_add: bool,
    /// Not in the working tree: a sparse checkout.
    pub(super) skip_worktree: bool,
    /// Modification time of the file: seconds, nanoseconds; its length, modulo 2³².
    pub(super) modified: (u32, u32),
    /// When anything of the file changed, in the same way, and its inode, modulo 2³²; zero where git does not know.
    pub(super) changed: (u32, u32),
    pub(super) inode: u32,
    pub(super) size: u32,
}

/// The tree objects that folders of the index would be written as, where they are known.
#[derive(Debug, Default)]
pub(super) struct TreeCache {
    /// Folders, each before those in it.
    nodes: Vec<Node>,
    names: Vec<u8>,
}

#[derive(Debug)]
struct Node {
    name: Range<usize>,
    /// `None`: changed since it was last written.
    id: Option<Oid>,
    /// The node after the last one in it.
    end: usize,
}

impl TreeCache {
    /// The root folder's node.
    pub(super) fn root(&self) -> Option<usize> {
        (!self.nodes.is_empty()).then_some(0)
    }

    /// The tree that a folder would be written as.
    pub(super) fn id(&self, node: usize) -> Option<Oid> {
        self.nodes.get(node)?.id
    }

    /// Folders in a folder, sorted by name.
    pub(super) fn children(&self, node: usize) -> Vec<(&[u8], usize)> {
        let mut all = Vec::new();
        let Some(parent) = self.nodes.get(node) else {
            return all;
        };
        let mut at = node + 1;
        while at < parent.end {
            let Some(child) = self.nodes.get(at) else {
                break;
            };
            all.push((self.names.get(child.name.clone()).unwrap_or_default(), at));
            at = child.end;
        }
        all.sort_unstable();
        all
    }

    /// `None` where it is not well formed: then it is as if there were none.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut cache = Self::default();
        let mut bytes = Bytes(bytes);
        // Folders whose children are being read, and how many of those are to come.
        let mut open: Vec<(usize, u32)> = Vec::new();
        loop {
            let name = bytes.until(0)?;
            let count: i64 = number(bytes.until(b' ')?)?;
            let children = u32::try_from(number(bytes.until(b'\n')?)?).ok()?;
            let id = if count >= 0 {
                Some(Oid::from_slice(bytes.take(20)?)?)
            } else {
                None
            };
            let start = cache.names.len();
            cache.names.extend_from_slice(name);
            let node = cache.nodes.len();
            cache.nodes.push(Node {
                name: start..cache.names.len(),
                id,
                end: node + 1,
            });
            open.push((node, children));
            while let Some((node, 0)) = open.last().copied() {
                open.pop();
                let end = cache.nodes.len();
                if let Some(done) = cache.nodes.get_mut(node) {
                    done.end = end;
                }
            }
            match open.last_mut() {
                Some((_, left)) => *left -= 1,
                None => break,
            }
        }
        bytes.0.is_empty().then_some(cache)
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// What follows the entries in an index file.
#[derive(Default)]
struct Extensions {
    trees: TreeCache,
    link: Option<Link>,
}

/// The other file of a split index: its checksum, and which of its entries count no more.
struct Link {
    base: Oid,
    deleted: Vec<u32>,
    replaced: Vec<u32>,
}

impl Index {
    /// Reads an index; an empty one where there is no such file.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Unsupported`], and those of control files.
    pub(super) fn open(path: &Path, links: Links) -> Result<Self, Error> {
        let (bytes, meta) = match control::read_with(path, LONGEST, links) {
            Ok(read) => read,
            Err(error) if error.is_missing() => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let (mut index, extensions) = Self::parse(&bytes, path)?;
        index.trees = extensions.trees;
        drop(bytes);
        if let Some(link) = extensions.link
            && link.base.as_bytes() != &[0; 20]
        {
            let base = path.with_file_name(format!("sharedindex.{}", link.base));
            let bytes = control::read(&base, LONGEST, links)?;
            let (shared, _) = Self::parse(&bytes, &base)?;
            index = index.joined(shared, &link, path)?;
        }
        if !index.is_sorted() {
            return Err(Error::malformed(path, "index entries are not in order"));
        }
        index.written = modified(&meta);
        Ok(index)
    }

    pub(super) fn path(&self, entry: &Entry) -> &[u8] {
        self.paths.get(entry.path.clone()).unwrap_or_default()
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<(Self, Extensions), Error> {
        let malformed = |what: &str| Error::malformed(path, what);
        let truncated = || malformed("index is truncated");
        let mut rest = Bytes(bytes);
        if rest.take(4) != Some(b"DIRC") {
            return Err(malformed("not an index: it does not begin with `DIRC`"));
        }
        let version = rest.be32().ok_or_else(truncated)?;
        if !(2..=4).contains(&version) {
            return Err(Error::unsupported(path, format!("index version {version}")));
        }
        let count = rest.be32().ok_or_else(truncated)? as usize;
        // An entry takes 62 bytes at least, so a number that is made up makes no room.
        let room = count.min(bytes.len() / 62);
        let mut index = Self {
            entries: Vec::with_capacity(room),
            ..Self::default()
        };
        // Where beginnings are shared, a short file can hold long paths.
        let most = bytes.len().saturating_mul(32).saturating_add(64 << 20);
        for _ in 0..count {
            let entry = index.entry(&mut rest, version).ok_or_else(truncated)?;
            if index.paths.len() > most {
                return Err(malformed("index has paths of unlikely length"));
            }
            index.entries.push(entry);
        }
        let extensions = extensions(rest, path)?;
        Ok((index, extensions))
    }

    fn entry(&mut self, rest: &mut Bytes<'_>, version: u32) -> Option<Entry> {
        let before = rest.0.len();
        let stat = rest.take(40)?;
        let word = |at: usize| Bytes(stat.get(at..).unwrap_or_default()).be32();
        let id = Oid::from_slice(rest.take(20)?)?;
        let flags = rest.be16()?;
        let more = if flags & 0x4000 != 0 && version > 2 {
            rest.be16()?
        } else {
            0
        };
        let start = self.paths.len();
        if version == 4 {
            let strip = usize::try_from(rest.offset()?).ok()?;
            let last = self.entries.last().map_or(0..0, |last| last.path.clone());
            let keep = last.len().checked_sub(strip)?;
            self.paths.extend_from_within(last.start..last.start + keep);
            let tail = rest.until(0)?;
            self.paths.extend_from_slice(tail);
        } else {
            let known = usize::from(flags & 0xfff);
            // Longer names than the field can say end with a NUL.
            let name = if known < 0xfff {
                rest.take(known)?
            } else {
                let end = memchr::memchr(0, rest.0)?;
                rest.take(end)?
            };
            self.paths.extend_from_slice(name);
            let used = before - rest.0.len();
            rest.take(8 - used % 8)?;
        }
        Some(Entry {
            path: start..self.paths.len(),
            id,
            mode: word(24)?,
            stage: (flags >> 12 & 3) as u8,
            intent_to_add: more & 0x2000 != 0,
            skip_worktree: more & 0x4000 != 0,
            changed: (word(0)?, word(4)?),
            modified: (word(8)?, word(12)?),
            inode: word(20)?,
            size: word(36)?,
        })
    }

    /// The entries of a split index: those of the shared file, of which some are deleted, some have new values (the first
    /// ones of this file, without a path), and the rest of this file's.
    fn joined(self, shared: Self, link: &Link, path: &Path) -> Result<Self, Error> {
        let malformed = || Error::malformed(path, "does not fit its shared index");
        let mut all = shared;
        let mut own = self.entries.iter();
        for at in &link.replaced {
            let new = own.next().ok_or_else(malformed)?;
            let old = all.entries.get_mut(*at as usize).ok_or_else(malformed)?;
            *old = Entry {
                path: old.path.clone(),
                ..new.clone()
            };
        }
        let mut gone = link.deleted.iter().peekable();
        let mut at = 0_u32;
        all.entries.retain(|_| {
            let deleted = gone.next_if(|gone| **gone == at).is_some();
            at += 1;
            !deleted
        });
        if gone.next().is_some() {
            return Err(malformed());
        }
        for entry in own {
            let start = all.paths.len();
            all.paths.extend_from_slice(self.path(entry));
            all.entries.push(Entry {
                path: start..all.paths.len(),
                ..entry.clone()
            });
        }
        let paths = &all.paths;
        let path_of = |entry: &Entry| paths.get(entry.path.clone()).unwrap_or_default();
        all.entries
            .sort_by(|a, b| path_of(a).cmp(path_of(b)).then(a.stage.cmp(&b.stage)));
        all.trees = self.trees;
        Ok(all)
    }

    /// Whether searches in it find what is there.
    fn is_sorted(&self) -> bool {
        self.entries
            .is_sorted_by(|a, b| match self.path(a).cmp(self.path(b)) {
                std::cmp::Ordering::Equal => a.stage <= b.stage,
                order => order.is_lt(),
            })
    }
}

fn extensions(mut rest: Bytes<'_>, path: &Path) -> Result<Extensions, Error> {
    let mut found = Extensions::default();
    // The last twenty bytes are the file's checksum.
    while rest.0.len() >= 28 {
        let head = rest.take(4).unwrap_or_default();
        let size = rest.be32().unwrap_or_default() as usize;
        let body = rest
            .take(size)
            .ok_or_else(|| Error::malformed(path, "index is truncated"))?;
        match head {
            b"TREE" => found.trees = TreeCache::parse(body).unwrap_or_default(),
            b"link" => {
                let link = link(body);
                found.link = Some(link.ok_or_else(|| Error::malformed(path, "link is damaged"))?);
            }
            // Entries say themselves whether they are folders (`sdir`); names in capitals are help only.
            b"sdir" | [b'A'..=b'Z', ..] => {}
            other => {
                let what = format!("index extension `{}`", other.escape_ascii());
                return Err(Error::unsupported(path, what));
            }
        }
    }
    Ok(found)
}

fn link(body: &[u8]) -> Option<Link> {
    let mut body = Bytes(body);
    let base = Oid::from_slice(body.take(20)?)?;
    let (deleted, replaced) = if body.0.is_empty() {
        (Vec::new(), Vec::new())
    } else {
        (bits(&mut body)?, bits(&mut body)?)
    };
    Some(Link {
        base,
        deleted,
        replaced,
    })
}

/// The set bits of a bitmap in EWAH form: words that say how many words of equal bits and how many plain ones follow.
fn bits(bytes: &mut Bytes<'_>) -> Option<Vec<u32>> {
    // No index has more entries than its length allows, so runs beyond that are damage.
    const MOST: u64 = LONGEST / 62;
    let size = bytes.be32()?;
    let words = bytes.be32()? as usize;
    let mut body = Bytes(bytes.take(words.checked_mul(8)?)?);
    bytes.be32()?; // where the last marker is: for writers
    let mut set = Vec::new();
    let mut at = 0_u64;
    while !body.0.is_empty() {
        let marker = body.be64()?;
        let run = (marker >> 1 & 0xffff_ffff) * 64;
        if at + run > MOST + 64 {
            return None;
        }
        if marker & 1 == 1 {
            set.extend((at..at + run).map(|bit| bit as u32));
        }
        at += run;
        for _ in 0..marker >> 33 {
            let word = body.be64()?;
            set.extend(
                (0..64)
                    .filter(|bit| word >> bit & 1 == 1)
                    .map(|bit| (at + bit) as u32),
            );
            at += 64;
            if at > MOST + 64 {
                return None;
            }
        }
    }
    set.retain(|bit| *bit < size);
    Some(set)
}

/// Bytes that are yet to be read.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    /// Those before a byte, which is left out.
    fn until(&mut self, end: u8) -> Option<&'b [u8]> {
        let at = memchr::memchr(end, self.0)?;
        let head = self.take(at)?;
        self.take(1)?;
        Some(head)
    }

    fn be16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn be32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn be64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    /// A number as offsets in packs are written: seven bits a byte, each further byte counting one more.
    fn offset(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for further in 0..10 {
            let byte = *self.take(1)?.first()?;
            if further > 0 {
                value = value.checked_add(1)?;
            }
            value = value.checked_mul(128)? + u64::from(byte & 127);
            if byte & 128 == 0 {
                return Some(value);
            }
        }
        None
    }
}

/// When a file was last changed, in seconds since 1970 and nanoseconds.
#[cfg(unix)]
pub(super) fn modified(meta: &std::fs::Metadata) -> (i64, u32) {
    use std::os::unix::fs::MetadataExt;
    (meta.mtime(), meta.mtime_nsec() as u32)
}

/// When anything of a file changed, as [`modified`], and its inode.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems do not say")]
pub(super) fn changed(meta: &std::fs::Metadata) -> Option<(i64, u32, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((meta.ctime(), meta.ctime_nsec() as u32, meta.ino()))
}

/// Not known here.
#[cfg(not(unix))]
pub(super) fn changed(_: &std::fs::Metadata) -> Option<(i64, u32, u64)> {
    None
}

/// Zero where the system does not say: then every file counts as changed, which costs a comparison of content.
#[cfg(not(unix))]
pub(super) fn modified(meta: &std::fs::Metadata) -> (i64, u32) {
    let since = meta.modified().ok();
    let since = since.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.map_or((0, 0), |time| (time.as_secs() as i64, time.subsec_nanos()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    #[test]
    fn a_tree_cache_of_great_depth_is_read_without_recursion() {
        let mut bytes = b"\x00-1 1\n".repeat(1_000_000);
        bytes.extend_from_slice(b"\x00-1 0\n");
        let cache = TreeCache::parse(&bytes).unwrap();
        assert_eq!(cache.nodes.len(), 1_000_001);
        assert_eq!(cache.children(0).len(), 1);
        assert!(TreeCache::parse(&bytes[..bytes.len() - 1]).is_none());
        assert!(TreeCache::parse(b"\x00-1 4294967295\n").is_none());
    }

    #[test]
    fn bitmaps_of_hostile_length_are_refused() {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&u32::MAX.to_be_bytes());
        bytes.extend_from_slice(&1_u32.to_be_bytes());
        bytes.extend_from_slice(&(0xffff_ffff_u64 << 1 | 1).to_be_bytes());
        bytes.extend_from_slice(&0_u32.to_be_bytes());
        assert!(bits(&mut Bytes(&bytes)).is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(mut bytes: Vec<u8>, version in 2_u32..5, count in 0_u32..9) {
            let mut all = b"DIRC".to_vec();
            all.extend_from_slice(&version.to_be_bytes());
            all.extend_from_slice(&count.to_be_bytes());
            all.append(&mut bytes);
            let _ = Index::parse(&all, Path::new("index"));
        }
    }
}
