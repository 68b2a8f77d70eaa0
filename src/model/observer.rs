//! What a run tells its caller while it goes on.

/// Something that was to be scanned and could not be: the run is incomplete.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// Path relative to the scanned root, or the root itself.
    pub path: String,
    /// Why, without scanned bytes.
    pub reason: String,
}

/// Sorts of things that were left out by policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipKind {
    /// Untracked and ignored by git's ignore rules.
    Ignored,
    /// Longer than the size limit.
    TooLarge,
    /// Left out by `--exclude` or not named by `--include`.
    Excluded,
    /// Left out by `[scan]` of a `keysweep.toml`.
    Configured,
    /// A symbolic link.
    Symlink,
    /// Not there since a partial clone leaves it with its remote.
    Promised,
    /// A commit whose parents a shallow clone leaves with its remote.
    Shallow,
    /// Neither a file nor a folder: a socket, a pipe, a device.
    Special,
}

impl SkipKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Ignored,
        Self::TooLarge,
        Self::Excluded,
        Self::Configured,
        Self::Symlink,
        Self::Promised,
        Self::Shallow,
        Self::Special,
    ];

    /// The words that the summary uses.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Ignored => "ignored by git",
            Self::TooLarge => "over the size limit",
            Self::Excluded => "excluded",
            Self::Configured => "excluded by keysweep.toml",
            Self::Symlink => "symbolic link",
            Self::Promised => "promised by a partial clone",
            Self::Shallow => "history before a commit where the shallow clone ends",
            Self::Special => "not a regular file",
        }
    }
}

/// Something left out by policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skip {
    /// Why.
    pub kind: SkipKind,
    /// Path relative to the scanned root; a folder ends with `/` and counts once.
    pub path: String,
    /// Whether the name says that a secret may be inside (`.env`, `*.pem`, `id_rsa`).
    pub notable: bool,
}

/// What a run is busy with. One stage comes after the other; those of the library are told to its [`Observer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Reading arguments and configuration, and making the rules ready.
    Start,
    /// Looking for the repository, its refs and what changed.
    Discover,
    /// Walking trees and scanning their files.
    Tree,
    /// Scanning what a pipe gives.
    Stream,
    /// Opening packs and the cache.
    OpenPacks,
    /// Scanning all objects of a history.
    Objects,
    /// Reading the trees that may hold what was found.
    Trees,
    /// Saying for each commit what it brought and removed.
    Commits,
    /// Reading again what the report will show.
    Reading,
    /// Keeping what the next audit needs.
    Cache,
    /// Scanning what commits, or the index, add.
    Added,
    /// Joining what was found, and judging it by its place.
    Settle,
    /// Asking providers whether credentials work.
    Verify,
    /// Writing the report.
    Report,
}

impl Stage {
    /// What the stage does, in a few words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Discover => "discover",
            Self::Tree => "walk and scan files",
            Self::Stream => "read and scan the stream",
            Self::OpenPacks => "open packs",
            Self::Objects => "scan objects",
            Self::Trees => "attribution: trees",
            Self::Commits => "attribution: commits",
            Self::Reading => "read what is shown",
            Self::Cache => "write the cache",
            Self::Added => "scan what is added",
            Self::Settle => "join and judge",
            Self::Verify => "ask providers",
            Self::Report => "write the report",
        }
    }
}

/// Hears of progress and can stop a run. Every method may be called from any thread.
pub trait Observer: Sync {
    /// A stage begins; the one before is over.
    fn stage(&self, _stage: Stage) {}
    /// So many more items of the stage (files, objects, commits) are known to lie ahead, or, below zero, fewer; and so
    /// many bytes of items that are scanned in parts.
    fn ahead(&self, _items: i64, _bytes: u64) {}
    /// All items of the stage are known.
    fn all_ahead(&self) {}
    /// So many more items of the stage are done, with so many bytes; no items for a part of one.
    fn scanned(&self, _items: u64, _bytes: u64) {}
    /// So many more matches have been found.
    fn found(&self, _matches: u64) {}
    /// Whether the run should stop as soon as it can.
    fn cancelled(&self) -> bool {
        false
    }
    /// Whether a run that was cancelled has had its time for saying where the things stand that it had found.
    fn overdue(&self) -> bool {
        self.cancelled()
    }
}

impl Observer for () {}
