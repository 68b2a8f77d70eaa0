//! The ledger: incidents, the steps against them, and what checks of the key said, in a SQLite file of the user's.
//!
//! Each write is one transaction with its row of the audit chain ([`Ledger::verify`]), on the disk when the call returns. A secret
//! is kept only where the caller wants to use it again, sealed ([`Kek`]). Times are given by the caller. Nothing here asks a
//! provider; text comes redacted.

mod agree;
mod chain;
mod claim;
mod error;
mod incident;
mod read;
mod record;
mod schema;
mod seal;
mod text;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

pub use error::Error;
pub(crate) use incident::BY_HAND;
pub use incident::{
    Asked, Attempt, Begun, Check, CheckState, Event, Exposure, Incident, IncidentId, IncidentState,
    NewIncident, NewStep, NoId, Site, Step, StepId, StepKind, StepState, Whose,
};
pub use record::{Flags, RECORD_SCHEMA, Record, Todo, quoted, write_json};
pub use seal::Kek;

use crate::model::Credential;
use claim::Claim;
use read::{INCIDENTS, incident};
use seal::{Keys, Sealed};

/// A ledger that is open. One process's handle; several processes may have one each.
pub struct Ledger {
    conn: Connection,
    path: PathBuf,
    keys: Keys,
    /// What this handle has claimed.
    claims: RefCell<BTreeMap<IncidentId, Claim>>,
}

impl Ledger {
    /// Opens the ledger, which is made if it is not there, and checks it: its version, the file's integrity, the audit chain and
    /// all rows against it.
    ///
    /// # Errors
    /// Where it is not whole, not ours, or not to be opened; nothing was written then.
    pub fn open(path: &Path, kek: &Kek, now: Timestamp) -> Result<Self, Error> {
        Self::open_as(path, kek, now, schema::MIGRATIONS).map_err(Error::at_first)
    }

    /// The same of one that is there: an empty file, or one that a run left half made, is none and stays as it is.
    ///
    /// # Errors
    /// The same, and where there is none.
    pub fn reopen(path: &Path, kek: &Kek, now: Timestamp) -> Result<Self, Error> {
        Self::look(path, kek).map_err(Error::at_first)?;
        Self::open(path, kek, now)
    }

    /// The same up to a version: that of all migrations that are given.
    fn open_as(path: &Path, kek: &Kek, now: Timestamp, migrations: &[&str]) -> Result<Self, Error> {
        let mut keys = Keys::of(kek)?;
        let mut conn = schema::open(path, true)?;
        if !schema::is_empty(&conn).map_err(|e| Error::of(path, &e))? {
            // An older one, too, is brought to the newest version only with its own key, and only if nobody changed it.
            let ledger = Self::of(conn, path, keys)?;
            ledger.verify()?;
            (conn, keys) = (ledger.conn, ledger.keys);
        }
        schema::migrate(&conn, path, migrations, |tx, version| {
            if version == 1 {
                tx.execute("INSERT INTO meta VALUES ('key', ?1)", [keys.check()])
                    .map_err(|e| Error::of(path, &e))?;
            }
            let entry = chain::Entry {
                at: now,
                action: "migrate",
                incident: "",
                subject: None,
                note: &format!("version {version}"),
            };
            chain::add(tx, path, &keys, &entry)
        })?;
        let ledger = Self::of(conn, path, keys)?;
        ledger.verify()?;
        Ok(ledger)
    }

    /// Complains of a place that holds no ledger and can hold none: a folder, a device, a pipe, a file of another kind. Nothing there is
    /// touched, and no key is needed to see it.
    ///
    /// # Errors
    /// [`Error::Io`], or what the file is instead.
    pub fn place(path: &Path) -> Result<(), Error> {
        schema::is_place(path)?;
        if path.exists() {
            schema::glance(path, schema::MIGRATIONS.len() as i64)?;
        }
        Ok(())
    }

    /// Opens a ledger that is there to look at it, whatever its rows say: [`Ledger::verify`] is for the caller. All that would write
    /// is refused.
    ///
    /// # Errors
    /// Where it is not there, not ours, damaged, or of another key.
    pub fn look(path: &Path, kek: &Kek) -> Result<Self, Error> {
        let conn = schema::open(path, false)?;
        if schema::is_empty(&conn).map_err(|e| Error::of(path, &e))? {
            return Err(schema::none(path));
        }
        Self::of(conn, path, Keys::of(kek)?)
    }

    fn of(conn: Connection, path: &Path, keys: Keys) -> Result<Self, Error> {
        let kept: Option<String> = conn
            .query_row("SELECT value FROM meta WHERE name = 'key'", [], |row| {
                row.get(0)
            })
            .optional()
            .map_err(|e| Error::of(path, &e))?;
        if kept.as_ref() != Some(&keys.check()) {
            return Err(Error::Key(format!(
                "{}: the ledger was made with another key than {}; give that one, with [ledger] key in the configuration or as KEYSWEEP_LEDGER_KEY",
                path.display(),
                keys.from
            )));
        }
        Ok(Self {
            conn,
            path: path.to_owned(),
            keys,
            claims: RefCell::default(),
        })
    }

    /// Opens an incident for a leak, or takes up the one of the same fingerprint that is not closed: what is new of the leak is
    /// added to it.
    ///
    /// # Errors
    /// Those of writing.
    pub fn begin(&self, leak: &NewIncident, now: Timestamp) -> Result<Begun, Error> {
        let leak = leak.clone().bounded();
        self.write(now, |write| {
            let known = self
                .conn
                .query_row(
                    &format!("{INCIDENTS} WHERE fingerprint = ?1 AND state <> 'closed' ORDER BY number DESC LIMIT 1"),
                    [leak.fingerprint.to_string()],
                    incident,
                )
                .optional()
                .map_err(|e| self.db(&e))?;
            if let Some(known) = known {
                let renewed = known.leak.clone().renewed(&leak);
                if renewed != known.leak {
                    self.execute(
                        "UPDATE incident SET leak = ?2 WHERE id = ?1",
                        params![known.id.to_string(), json(&renewed)],
                    )?;
                    let id = known.id.to_string();
                    write.audit("found-again", known.id, Some(("incident", &id)), "")?;
                }
                return Ok(Begun {
                    incident: known.id,
                    is_new: false,
                });
            }
            let id = self.next_id(now)?;
            self.execute(
                "INSERT INTO incident (id, fingerprint, state, why, opened, changed, leak) VALUES (?1, ?2, 'open', '', ?3, ?3, ?4)",
                params![
                    id.to_string(),
                    leak.fingerprint.to_string(),
                    now.to_string(),
                    json(&leak)
                ],
            )?;
            write.audit("open", id, Some(("incident", &id.to_string())), "")?;
            Ok(Begun {
                incident: id,
                is_new: true,
            })
        })
    }

    fn next_id(&self, now: Timestamp) -> Result<IncidentId, Error> {
        let day: u32 = now.strftime("%Y%m%d").to_string().parse().unwrap_or(0);
        let mut query = self
            .conn
            .prepare("SELECT id FROM incident WHERE id LIKE ?1")
            .map_err(|e| self.db(&e))?;
        let ids = query
            .query_map([format!("KS-{day:08}-%")], |row| row.get::<_, String>(0))
            .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
            .map_err(|e| self.db(&e))?;
        let numbers = ids.iter().filter_map(|id| id.parse::<IncidentId>().ok());
        Ok(IncidentId {
            day,
            number: numbers.map(|id| id.number).max().unwrap_or(0) + 1,
        })
    }

    /// Puts steps on record that are to be done, behind those that are there.
    ///
    /// # Errors
    /// Those of writing; [`Error::Busy`] where another run works on the incident.
    pub fn plan(
        &self,
        incident: IncidentId,
        steps: &[NewStep],
        now: Timestamp,
    ) -> Result<Vec<StepId>, Error> {
        self.write(now, |write| {
            self.incident(incident)?;
            self.not_busy(incident, now)?;
            let mut ids = Vec::new();
            for step in steps {
                self.execute(
                    "INSERT INTO step (incident, state, planned, attempts, answer, plan) VALUES (?1, 'planned', ?2, 0, '', ?3)",
                    params![
                        incident.to_string(),
                        now.to_string(),
                        json(&step.clone().bounded())
                    ],
                )?;
                let id = self.conn.last_insert_rowid();
                write.audit("plan", incident, Some(("step", &id.to_string())), "")?;
                ids.push(StepId(id));
            }
            Ok(ids)
        })
    }

    /// Says more of a step that was not begun: what the `find` step found out (object, facts, request, due).
    ///
    /// # Errors
    /// Those of writing; [`Error::Order`] where it was begun already.
    pub fn refine(&self, step: StepId, plan: &NewStep, now: Timestamp) -> Result<(), Error> {
        self.write(now, |write| {
            let known = self.step(step)?;
            self.not_busy(known.incident, now)?;
            if known.state != StepState::Planned {
                return Err(self.order(step, known.state, "cannot be planned anew"));
            }
            self.execute(
                "UPDATE step SET plan = ?2 WHERE id = ?1",
                params![step.0, json(&plan.clone().bounded())],
            )?;
            write.audit_step("refine", &known, "")
        })
    }

    /// Puts on record that the step begins. When this returns, it is on the disk: then the call may be made.
    ///
    /// # Errors
    /// Those of writing; [`Error::Order`] where it is done or skipped; [`Error::Busy`] where this handle does not have the incident.
    pub fn start(&self, step: StepId, now: Timestamp) -> Result<(), Error> {
        self.write(now, |write| {
            let known = self.step(step)?;
            self.not_busy(known.incident, now)?;
            let other = self.other(known.incident)?;
            if !other.is_some_and(|other| self.has(known.incident, &other.token)) {
                return Err(Error::Busy {
                    path: self.path.clone(),
                    why: format!(
                        "this run does not have {}: another one took it meanwhile, or it was not claimed; look at `keysweep incidents show {0}`, then begin again",
                        known.incident
                    ),
                });
            }
            if known.state.is_final() {
                return Err(self.order(step, known.state, "cannot begin"));
            }
            self.execute(
                "UPDATE step SET state = 'started', started = ?2, finished = NULL, answer = '', attempts = attempts + 1 WHERE id = ?1",
                params![step.0, now.to_string()],
            )?;
            write.audit_step("start", &known, "")
        })
    }

    /// Puts the step's outcome on record. A step that was not begun may be finished too: its effect was there, or it is skipped. An
    /// answer is taken even where another run has taken the incident meanwhile.
    ///
    /// # Errors
    /// Those of writing; [`Error::Order`] where it is done or skipped already, or where the state is no outcome.
    pub fn finish(
        &self,
        step: StepId,
        state: StepState,
        answer: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write(now, |write| {
            let known = self.step(step)?;
            if known.state.is_final() || matches!(state, StepState::Planned | StepState::Started) {
                return Err(self.order(step, known.state, &format!("cannot become {state}")));
            }
            self.execute(
                "UPDATE step SET state = ?2, finished = ?3, answer = ?4 WHERE id = ?1",
                params![step.0, state.word(), now.to_string(), cut(answer, ANSWER)],
            )?;
            self.touch(known.incident, now)?;
            write.audit_step("finish", &known, state.word())
        })
    }

    /// Puts a use of the key on record.
    ///
    /// # Errors
    /// Those of writing.
    pub fn check(
        &self,
        incident: IncidentId,
        state: CheckState,
        answer: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write(now, |write| {
            self.incident(incident)?;
            self.touch(incident, now)?;
            self.execute(
                "INSERT INTO health (incident, at, state, answer) VALUES (?1, ?2, ?3, ?4)",
                params![
                    incident.to_string(),
                    now.to_string(),
                    state.word(),
                    cut(answer, ANSWER)
                ],
            )?;
            let id = self.conn.last_insert_rowid().to_string();
            write.audit("check", incident, Some(("health", &id)), state.word())
        })
    }

    /// Sets what the incident has come to.
    ///
    /// # Errors
    /// Those of writing; [`Error::Busy`] where another run works on it.
    pub fn set_state(
        &self,
        incident: IncidentId,
        state: IncidentState,
        why: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write(now, |write| {
            self.incident(incident)?;
            self.not_busy(incident, now)?;
            let why = cut(why, ANSWER);
            self.execute(
                "UPDATE incident SET state = ?2, why = ?3, changed = ?4 WHERE id = ?1",
                params![incident.to_string(), state.word(), why, now.to_string()],
            )?;
            let note = match why.as_str() {
                "" => state.word().to_owned(),
                why => format!("{state}: {why}"),
            };
            let id = incident.to_string();
            write.audit("state", incident, Some(("incident", &id)), &note)
        })
    }

    /// Keeps the secret and its parts, sealed, in place of what was kept before.
    ///
    /// # Errors
    /// Those of writing; [`Error::Busy`] where another run works on the incident.
    pub fn seal(
        &self,
        incident: IncidentId,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<(), Error> {
        let sealed = self.keys.seal(incident, credential)?;
        self.write(now, |write| {
            self.incident(incident)?;
            self.not_busy(incident, now)?;
            self.execute(
                "INSERT OR REPLACE INTO sealed VALUES (?1, ?2, ?3)",
                params![incident.to_string(), sealed.key, sealed.body],
            )?;
            let id = incident.to_string();
            write.audit("seal", incident, Some(("sealed", &id)), "")
        })
    }

    /// The secret and its parts; `None` where none is kept.
    ///
    /// # Errors
    /// Those of reading; [`Error::Tampered`] where it is not what was sealed for this incident.
    pub fn unseal(&self, incident: IncidentId) -> Result<Option<Credential>, Error> {
        let sealed = self
            .conn
            .query_row(
                "SELECT key, body FROM sealed WHERE incident = ?1",
                [incident.to_string()],
                |row| {
                    Ok(Sealed {
                        key: row.get(0)?,
                        body: row.get(1)?,
                    })
                },
            )
            .optional()
            .map_err(|e| self.db(&e))?;
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        match self.keys.open(incident, &sealed) {
            Some(credential) => Ok(Some(credential)),
            None => Err(Error::Tampered {
                path: self.path.clone(),
                row: 0,
                what: format!("the sealed secret of {incident} is not what was sealed for it"),
            }),
        }
    }

    /// Removes the secret, overwriting what the file held.
    ///
    /// # Errors
    /// Those of writing; [`Error::Busy`] where another run works on the incident.
    pub fn forget(&self, incident: IncidentId, now: Timestamp) -> Result<(), Error> {
        let gone = self.write(now, |write| {
            self.not_busy(incident, now)?;
            let id = incident.to_string();
            let gone = self.execute("DELETE FROM sealed WHERE incident = ?1", params![id])?;
            if gone > 0 {
                write.audit("forget", incident, Some(("sealed", &id)), "")?;
            }
            Ok(gone)
        })?;
        if gone > 0 {
            // The log of writes holds the row too. Another reader may keep it for a while: its next turn empties it.
            let _ = self
                .conn
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
        Ok(())
    }

    /// The last audit row: its number and the HMAC of the chain, `12:9f86d0…`. A record prints it, so that rows cut off later show.
    ///
    /// # Errors
    /// Those of reading.
    pub fn head(&self) -> Result<String, Error> {
        chain::head(&self.conn, &self.path)
    }

    /// Computes the audit chain anew and compares all rows with what it says; the number of audit rows.
    ///
    /// # Errors
    /// Those of reading; [`Error::Tampered`].
    pub fn verify(&self) -> Result<u64, Error> {
        chain::verify(&self.conn, &self.path, &self.keys)
    }

    /// Whether the chain holds this head, which a record printed.
    ///
    /// # Errors
    /// Those of reading; [`Error::Tampered`] where it does not.
    pub fn verify_head(&self, head: &str) -> Result<(), Error> {
        chain::verify_head(&self.conn, &self.path, head)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn db(&self, error: &rusqlite::Error) -> Error {
        Error::of(&self.path, error)
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize, Error> {
        self.conn
            .prepare_cached(sql)
            .and_then(|mut change| change.execute(values))
            .map_err(|e| self.db(&e))
    }

    /// Makes several writes one transaction: when this returns, all of them are on the disk, or none is.
    ///
    /// # Errors
    /// Those of the writes.
    pub fn together<T>(&self, writes: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let tx = Transaction::new_unchecked(&self.conn, TransactionBehavior::Immediate)
            .map_err(|e| self.db(&e))?;
        let done = writes()?;
        tx.commit().map_err(|e| self.db(&e))?;
        Ok(done)
    }

    /// One transaction, or a part of [`Ledger::together`]'s, with what it says of itself in the audit chain.
    fn write<T>(
        &self,
        now: Timestamp,
        change: impl FnOnce(&Write<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if !self.conn.is_autocommit() {
            return change(&Write { ledger: self, now });
        }
        let tx = Transaction::new_unchecked(&self.conn, TransactionBehavior::Immediate)
            .map_err(|e| self.db(&e))?;
        let done = change(&Write { ledger: self, now })?;
        tx.commit().map_err(|e| self.db(&e))?;
        Ok(done)
    }

    fn order(&self, step: StepId, state: StepState, why: &str) -> Error {
        Error::Order {
            path: self.path.clone(),
            why: format!("step {} is {state} and {why}", step.0),
        }
    }
}

/// A transaction of a ledger.
struct Write<'l> {
    ledger: &'l Ledger,
    now: Timestamp,
}

impl Write<'_> {
    fn audit(
        &self,
        action: &str,
        incident: IncidentId,
        subject: Option<(&str, &str)>,
        note: &str,
    ) -> Result<(), Error> {
        let entry = chain::Entry {
            at: self.now,
            action,
            incident: &incident.to_string(),
            subject,
            note,
        };
        let ledger = self.ledger;
        chain::add(&ledger.conn, &ledger.path, &ledger.keys, &entry)
    }

    fn audit_step(&self, action: &str, step: &Step, note: &str) -> Result<(), Error> {
        let id = step.id.0.to_string();
        self.audit(action, step.incident, Some(("step", &id)), note)
    }
}

/// Plain fields: there is no error to meet.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Characters of an answer that are kept.
const ANSWER: usize = 2_000;
/// Characters of another text.
const TEXT: usize = 4_000;
/// Entries of a list.
const LIST: usize = 200;

/// The text, or as much of it as is kept.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
