//! Which run works on an incident: a row for everybody to see, and a locked file that the system frees when the run dies.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::seal::{private, token};
use super::{Error, IncidentId, Ledger};

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

impl Ledger {
    /// Takes the incident for this handle: one run at a time works on it. `owner` names the run in messages. A claim ends with
    /// [`Ledger::release`], with the process that made it, or 10 minutes after its last write.
    ///
    /// # Errors
    /// [`Error::Busy`] where another run works on it.
    pub fn claim(&self, incident: IncidentId, owner: &str, now: Timestamp) -> Result<(), Error> {
        let mine = Claim::new(&self.path)?;
        let left = self.write(now, |write| {
            self.incident(incident)?;
            let other = self.other(incident)?;
            if let Some(other) = &other
                && !self.has(incident, &other.token)
                && other.lives(&self.path, now)
            {
                return Err(self.busy(incident, &other.owner));
            }
            self.execute(
                "INSERT OR REPLACE INTO claim VALUES (?1, ?2, ?3, ?4)",
                params![incident.to_string(), owner, mine.token, now.to_string()],
            )?;
            write.audit("claim", incident, None, owner)?;
            Ok(other)
        })?;
        if let Some(left) = left {
            left.clear(&self.path);
        }
        self.claims.borrow_mut().insert(incident, mine);
        Ok(())
    }

    /// Gives the incident free; nothing happens where this handle does not have it.
    ///
    /// # Errors
    /// Those of writing.
    pub fn release(&self, incident: IncidentId, now: Timestamp) -> Result<(), Error> {
        let Some(mine) = self.claims.borrow_mut().remove(&incident) else {
            return Ok(());
        };
        self.write(now, |write| {
            let gone = self.execute(
                "DELETE FROM claim WHERE incident = ?1 AND token = ?2",
                params![incident.to_string(), mine.token],
            )?;
            if gone > 0 {
                write.audit("release", incident, None, "")?;
            }
            Ok(())
        })
    }

    pub(super) fn other(&self, id: IncidentId) -> Result<Option<Other>, Error> {
        of(&self.conn, id).map_err(|e| self.db(&e))
    }

    pub(super) fn has(&self, id: IncidentId, token: &str) -> bool {
        let claims = self.claims.borrow();
        claims.get(&id).is_some_and(|claim| claim.token == token)
    }

    /// Notes that this handle still works on an incident that it has claimed: a long wait is no silence.
    ///
    /// # Errors
    /// Those of writing.
    pub fn touch(&self, id: IncidentId, now: Timestamp) -> Result<(), Error> {
        match self.claims.borrow().get(&id) {
            Some(mine) => touch(&self.conn, id, &mine.token, now).map_err(|e| self.db(&e)),
            None => Ok(()),
        }
    }

    /// An error where another run works on the incident; where this one does, that is noted.
    pub(super) fn not_busy(&self, id: IncidentId, now: Timestamp) -> Result<(), Error> {
        match self.other(id)? {
            Some(other) if !self.has(id, &other.token) && other.lives(&self.path, now) => {
                Err(self.busy(id, &other.owner))
            }
            _ => self.touch(id, now),
        }
    }

    fn busy(&self, id: IncidentId, owner: &str) -> Error {
        Error::Busy {
            path: self.path.clone(),
            why: format!(
                "another run works on {id} ({owner}); let it end, then try again: a run that died is noticed at once, one that is silent for 10 minutes counts as dead"
            ),
        }
    }
}
