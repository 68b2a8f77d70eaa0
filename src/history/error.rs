//! Why a repository, a revision or an index cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::Oid;

/// A repository that cannot be opened, or a question about it that has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder cannot be opened, listed or read.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A control file is a link, a pipe or a device: never opened.
    #[error("{}: not a regular file", path.display())]
    NotAFile {
        /// The thing in a file's place.
        path: PathBuf,
    },
    /// A control file is longer than any that git writes.
    #[error("{}: {length} bytes, at most {most} are read", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        length: u64,
        /// The limit in bytes.
        most: u64,
    },
    /// No repository here or in a folder above.
    #[error("{}: not in a git repository", path.display())]
    NoRepository {
        /// Where the search began.
        path: PathBuf,
    },
    /// A `.git` file, link or `commondir` leads to a place that the caller does not vouch for.
    #[error(
        "{}: leads to {}, which is outside of the scanned folder, and the repository is not known to be yours",
        path.display(), target.display()
    )]
    Outside {
        /// What leads there.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A control file without the form that git gives it.
    #[error("{}: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A format of repositories that is not read.
    #[error("{}: {what} is not supported", path.display())]
    Unsupported {
        /// The file that says so.
        path: PathBuf,
        /// What is not supported.
        what: String,
    },
    /// Nothing has this name.
    #[error("no revision `{text}`{}", suggestion(near))]
    NoRevision {
        /// What was looked for.
        text: String,
        /// Names of refs that resemble it.
        near: Vec<String>,
    },
    /// The beginning of several ids.
    #[error("`{text}` is the beginning of several ids: {}", list(ids))]
    Ambiguous {
        /// What was looked for.
        text: String,
        /// Some of the objects.
        ids: Vec<Oid>,
    },
    /// A revision or date whose form is not understood.
    #[error("`{text}`: {what}")]
    Syntax {
        /// What was looked for.
        text: String,
        /// What is wrong with it.
        what: String,
    },
    /// An object is missing, or is not of the kind that is needed.
    #[error("object {id}: {what}")]
    Object {
        /// The object.
        id: Oid,
        /// What is wrong with it.
        what: String,
    },
}

impl Error {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            cause: source,
        }
    }

    pub(super) fn malformed(path: &Path, what: impl Into<String>) -> Self {
        Self::Malformed {
            path: path.to_owned(),
            what: what.into(),
        }
    }

    pub(super) fn unsupported(path: &Path, what: impl Into<String>) -> Self {
        Self::Unsupported {
            path: path.to_owned(),
            what: what.into(),
        }
    }

    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(
            self,
            Self::Io { cause, .. }
                if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        )
    }
}

fn suggestion(near: &[String]) -> String {
    if near.is_empty() {
        String::new()
    } else {
        format!("; there is `{}`", near.join("`, `"))
    }
}

fn list(ids: &[Oid]) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    ids.join(", ")
}
