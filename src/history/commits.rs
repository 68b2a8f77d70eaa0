//! Commits as the graph needs them.

use crate::pack::Oid;

/// A commit's place in the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawCommit {
    /// Its id.
    pub id: Oid,
    /// The tree.
    pub tree: Oid,
    /// The parents.
    pub parents: Vec<Oid>,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
}

/// Reads a commit object.
#[must_use]
pub fn parse(id: Oid, bytes: &[u8]) -> Option<RawCommit> {
    let mut lines = bytes.split(|b| *b == b'\n');
    let hex = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<Oid>().ok();
    let tree = hex(lines.next()?.strip_prefix(b"tree ")?)?;
    let mut parents = Vec::new();
    let mut time = 0;
    for line in lines {
        if let Some(parent) = line.strip_prefix(b"parent ") {
            parents.push(hex(parent)?);
        } else if let Some(who) = line.strip_prefix(b"committer ") {
            let mut words = who.rsplit(|b| *b == b' ');
            words.next();
            time = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
            break;
        } else if line.is_empty() {
            break;
        }
    }
    Some(RawCommit {
        id,
        tree,
        parents,
        time,
    })
}
