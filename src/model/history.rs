//! What git's history says of a finding.

use super::Oid;

/// What of a repository holds a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Origin {
    /// A file's content, in a working tree or in a commit's tree.
    #[default]
    Content,
    /// A file's or folder's name.
    Name,
    /// A commit object: its message, author or committer.
    Commit,
    /// An annotated tag: its message or tagger.
    Tag,
    /// The name of a branch, a tag or another ref.
    Ref,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Content,
        Self::Name,
        Self::Commit,
        Self::Tag,
        Self::Ref,
    ];

    /// The word that reports use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Name => "name",
            Self::Commit => "commit",
            Self::Tag => "tag",
            Self::Ref => "ref",
        }
    }
}

/// A commit as reports name it. Names and subject are text from the repository, to be redacted as all such text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: Oid,
    /// The author's name, by the mailmap.
    pub author: String,
    /// The author's address, by the mailmap.
    pub email: String,
    /// When it was committed: seconds since 1970, UTC.
    pub date: i64,
    /// The message's first line.
    pub subject: String,
}

/// When a secret was in the history, and where it still is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The commit that introduced it, the first by topology; `None` where no commit holds it (staged, or an object that
    /// nothing reaches).
    pub first: Option<Commit>,
    /// The last commit that held it.
    pub last: Option<Commit>,
    /// How many commits introduced it: two where it was removed and came again.
    pub introductions: u32,
    /// Whether HEAD's tree (for a commit's own text: HEAD's history) holds it.
    pub in_head: bool,
    /// Full names of the refs whose newest tree holds it: branches, tags, remote branches, others, each sort sorted; the
    /// first [`History::NAMED`] of them.
    pub tips: Vec<String>,
    /// How many more there are: a forge keeps a ref for every pull request.
    pub more_tips: u64,
    /// Full names of the refs whose history holds it, in the same way.
    pub refs: Vec<String>,
    /// How many more there are.
    pub more_refs: u64,
    /// Whole days from the first commit's date to its removal, or to now where a tip holds it.
    pub exposed_days: u32,
    /// Whether the commit that introduced it is all that is known, since only a range was scanned.
    pub is_partial: bool,
    /// Whether a shallow clone ends with the commit that introduced it: it may be older.
    pub or_earlier: bool,
}

impl History {
    /// Most refs that are named.
    pub const NAMED: usize = 100;
}
