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

/// Hears of progress and can stop a run. Every method may be called from any thread.
pub trait Observer: Sync {
    /// So many more files and bytes have been scanned.
    fn scanned(&self, _files: u64, _bytes: u64) {}
    /// So many more matches have been found.
    fn found(&self, _matches: u64) {}
    /// Whether the run should stop as soon as it can.
    fn cancelled(&self) -> bool {
        false
    }
}

impl Observer for () {}
