//! What can go wrong with a ledger, each time with the file and what mends it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::IncidentId;

/// Why the ledger was not read or not written. Nothing is half written: each write is one transaction.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A newer keysweep wrote it; it was not touched.
    #[error(
        "{path}: this ledger is of version {found}, and this keysweep knows versions up to {known}; it was not touched: use the newer keysweep"
    )]
    Newer {
        /// The ledger.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that is known here.
        known: i64,
    },
    /// It is a database, and not a ledger.
    #[error(
        "{path}: this is not a ledger of keysweep; it was not touched: name another file with --ledger"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Somebody changed, added or removed rows without the key.
    #[error(
        "{path}: the ledger was changed by somebody else, at {}: {what}; nothing is written to it: keep the file as evidence, and put back a copy of before or begin a new one with --ledger",
        place(*row)
    )]
    Tampered {
        /// The ledger.
        path: PathBuf,
        /// The first audit row that does not hold; 0 where it is a table that contradicts them, or where rows are missing.
        row: u64,
        /// What does not hold.
        what: String,
    },
    /// Another process writes it, or works on the incident; in words with the mend.
    #[error("{path}: {why}")]
    Busy {
        /// The ledger.
        path: PathBuf,
        /// Who, and what to do.
        why: String,
    },
    /// The disk or the quota is full.
    #[error(
        "{path}: no room left on the disk, or it cannot be written: the step is not on record, and nothing was done after it; make room, then go on with `keysweep respond --resume`"
    )]
    Full {
        /// The ledger.
        path: PathBuf,
    },
    /// The same before anything of the run was on record.
    #[error(
        "{path}: no room left on the disk, or it cannot be written: nothing was done, and nothing of it is on record; make room, then give the same command again"
    )]
    NoRoom {
        /// The ledger.
        path: PathBuf,
    },
    /// There is none, or one that was never filled.
    #[error(
        "{path}: there is no ledger; `keysweep respond REPORT --apply` makes one, --ledger names another"
    )]
    Absent {
        /// Where it would be.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error(
        "{path}: the ledger is damaged: {why}; put back a copy of before, or begin a new one with --ledger"
    )]
    Damaged {
        /// The ledger.
        path: PathBuf,
        /// What the database says.
        why: String,
    },
    /// The key-encryption key is missing, malformed, open to others, or not the one of this ledger; in words with the mend.
    #[error("{0}")]
    Key(String),
    /// The file cannot be opened, read or written.
    #[error("{path}: {why}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// No incident has this id.
    #[error("{path}: no incident {id}; `keysweep incidents list` names those that are there")]
    NoIncident {
        /// The ledger.
        path: PathBuf,
        /// The id.
        id: IncidentId,
    },
    /// What was asked for does not fit what is on record: a step that is not there, or that is done already.
    #[error("{path}: {why}")]
    Order {
        /// The ledger.
        path: PathBuf,
        /// What does not fit.
        why: String,
    },
}

fn place(row: u64) -> String {
    match row {
        0 => "its tables".to_owned(),
        row => format!("audit row {row}"),
    }
}

impl Error {
    /// What an error of the database means for this ledger.
    pub(super) fn of(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        let rusqlite::Error::SqliteFailure(code, _) = error else {
            return Self::Damaged {
                path,
                why: error.to_string(),
            };
        };
        match code.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy {
                path,
                why: "another process has been writing to the ledger for 10 seconds; let it end, then try again"
                    .to_owned(),
            },
            ErrorCode::DiskFull => Self::Full { path },
            // What a full disk does to the index of the write-ahead log, and a quota to a file.
            ErrorCode::SystemIoFailure if FULL.contains(&code.extended_code) => Self::Full { path },
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged {
                path,
                why: error.to_string(),
            },
            _ => Self::Io {
                path,
                why: format!(
                    "the ledger cannot be read or written: {error} (SQLite's code {})",
                    code.extended_code
                ),
            },
        }
    }

    /// The same where nothing of the run is on record yet, so that there is nothing to go on with.
    #[must_use]
    pub fn at_first(self) -> Self {
        match self {
            Self::Full { path } => Self::NoRoom { path },
            other => other,
        }
    }

    /// What an error of the file system means.
    pub(super) fn io(path: &Path, what: &str, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io {
                path,
                why: format!("{what}: {error}"),
            },
        }
    }
}

/// What is left of `ENOSPC`, `EDQUOT` and `EFBIG` when SQLite tells of them.
const FULL: [i32; 5] = [
    rusqlite::ffi::SQLITE_IOERR_WRITE,
    rusqlite::ffi::SQLITE_IOERR_FSYNC,
    rusqlite::ffi::SQLITE_IOERR_TRUNCATE,
    rusqlite::ffi::SQLITE_IOERR_SHMOPEN,
    rusqlite::ffi::SQLITE_IOERR_SHMSIZE,
];
