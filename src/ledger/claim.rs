//! Which run works on an incident: a row for everybody to see, and a locked file that the system frees when the run dies.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::seal::{private, token};
use super::{Error, IncidentId};

/// How long a run may be silent before others take its incident.
const SILENT: SignedDuration = SignedDuration::from_mins(10);

/// A claim of this handle's.
pub(super) struct Claim {
    pub(super) token: String,
    lock: PathBuf,
    /// Locked as long as it is open.
    _file: File,
}

impl Claim {
    pub(super) fn new(ledger: &Path) -> Result<Self, Error> {
        let token = token()?;
        let lock = lock(ledger, &token);
        let fail = |error: &_| Error::io(ledger, "no run can be noted beside the ledger", error);
        let file = private(OpenOptions::new().write(true).create_new(true))
            .open(&lock)
            .map_err(|e| fail(&e))?;
        // Where the file system knows no locks, silence alone ends a claim.
        let _ = file.try_lock();
        Ok(Self {
            token,
            lock,
            _file: file,
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // A file that stays is in nobody's way.
        let _ = fs::remove_file(&self.lock);
    }
}

fn lock(ledger: &Path, token: &str) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(format!("-run-{token}"));
    PathBuf::from(name)
}

/// Another run's claim as the ledger has it.
pub(super) struct Other {
    pub(super) owner: String,
    pub(super) token: String,
    touched: Timestamp,
}

/// Who has claimed the incident, if anybody.
pub(super) fn of(conn: &Connection, id: IncidentId) -> rusqlite::Result<Option<Other>> {
    conn.query_row(
        "SELECT owner, token, touched FROM claim WHERE incident = ?1",
        [id.to_string()],
        |row| {
            let touched: String = row.get(2)?;
            Ok(Other {
                owner: row.get(0)?,
                token: row.get(1)?,
                // What nobody can read is as good as never.
                touched: touched.parse().unwrap_or(Timestamp::MIN),
            })
        },
    )
    .optional()
}

impl Other {
    /// Whether its run lives, and is not silent.
    pub(super) fn lives(&self, ledger: &Path, now: Timestamp) -> bool {
        now.duration_since(self.touched) < SILENT && self.is_locked(ledger)
    }

    fn is_locked(&self, ledger: &Path) -> bool {
        let Some(lock) = self.lock(ledger) else {
            return false;
        };
        match OpenOptions::new().write(true).open(lock) {
            Ok(file) => !matches!(file.try_lock(), Ok(())),
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        }
    }

    /// Removes what a run that died left behind.
    pub(super) fn clear(&self, ledger: &Path) {
        if let Some(lock) = self.lock(ledger) {
            let _ = fs::remove_file(lock);
        }
    }

    /// Its file. The token comes from the ledger's: nothing but digits becomes a path.
    fn lock(&self, ledger: &Path) -> Option<PathBuf> {
        let is_token = self.token.len() == 32 && self.token.bytes().all(|b| b.is_ascii_hexdigit());
        is_token.then(|| lock(ledger, &self.token))
    }
}

/// Notes that the run still works on the incident.
pub(super) fn touch(
    conn: &Connection,
    id: IncidentId,
    token: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    conn.execute(
        "UPDATE claim SET touched = ?3 WHERE incident = ?1 AND token = ?2",
        params![id.to_string(), token, now.to_string()],
    )
    .map(drop)
}
