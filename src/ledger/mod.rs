//! The ledger: incidents, the steps against them, and what checks of the key said, in a SQLite file of the user's.
//!
//! Each write is one transaction with its row of the audit chain ([`Ledger::verify`]), on the disk when the call returns. A secret
//! is kept only where the caller wants to use it again, sealed ([`Kek`]). Times are given by the caller. Nothing here asks a
//! provider; text comes redacted.

mod error;
mod incident;
mod seal;
mod text;

use std::path::Path;

use jiff::Timestamp;

pub use error::Error;
pub use incident::{
    Begun, Check, CheckState, Event, Exposure, Incident, IncidentId, IncidentState, NewIncident,
    NewStep, NoId, Site, Step, StepId, StepKind, StepState, Whose,
};
pub use seal::Kek;

use crate::model::Credential;

/// A ledger that is open for writing. One process's handle; several processes may have one each.
pub struct Ledger {}

impl Ledger {
    /// Opens the ledger, which is made if it is not there, and checks it: its version, the file's integrity, the audit chain and
    /// all rows against it.
    ///
    /// # Errors
    /// Where it is not whole, not ours, or not to be opened; nothing was written then.
    pub fn open(path: &Path, kek: &Kek, now: Timestamp) -> Result<Self, Error> {
        todo!()
    }

    /// Opens a ledger that is there to look at it, whatever its rows say: [`Ledger::verify`] is for the caller. All that would write
    /// is refused.
    ///
    /// # Errors
    /// Where it is not there, not ours, damaged, or of another key.
    pub fn look(path: &Path, kek: &Kek) -> Result<Self, Error> {
        todo!()
    }

    /// Opens an incident for a leak, or takes up the one of the same fingerprint that is not closed: what is new of the leak is
    /// added to it.
    ///
    /// # Errors
    /// Those of writing.
    pub fn begin(&self, leak: &NewIncident, now: Timestamp) -> Result<Begun, Error> {
        todo!()
    }

    /// Takes the incident for this handle: one run at a time works on it. `owner` names the run in messages. A claim ends with
    /// [`Ledger::release`], with the process that made it, or 10 minutes after its last write.
    ///
    /// # Errors
    /// [`Error::Busy`] where another run works on it.
    pub fn claim(&self, incident: IncidentId, owner: &str, now: Timestamp) -> Result<(), Error> {
        todo!()
    }

    /// Gives the incident free; nothing happens where this handle does not have it.
    ///
    /// # Errors
    /// Those of writing.
    pub fn release(&self, incident: IncidentId, now: Timestamp) -> Result<(), Error> {
        todo!()
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
        todo!()
    }

    /// Says more of a step that was not begun: what the `find` step found out (object, facts, request, due).
    ///
    /// # Errors
    /// Those of writing; [`Error::Order`] where it was begun already.
    pub fn refine(&self, step: StepId, plan: &NewStep, now: Timestamp) -> Result<(), Error> {
        todo!()
    }

    /// Puts on record that the step begins. When this returns, it is on the disk: then the call may be made.
    ///
    /// # Errors
    /// Those of writing; [`Error::Order`] where it is done or skipped; [`Error::Busy`] where this handle does not have the incident.
    pub fn start(&self, step: StepId, now: Timestamp) -> Result<(), Error> {
        todo!()
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
        todo!()
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
        todo!()
    }

    /// Sets what the incident has come to.
    ///
    /// # Errors
    /// Those of writing.
    pub fn set_state(
        &self,
        incident: IncidentId,
        state: IncidentState,
        why: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        todo!()
    }

    /// Keeps the secret and its parts, sealed, in place of what was kept before.
    ///
    /// # Errors
    /// Those of writing.
    pub fn seal(
        &self,
        incident: IncidentId,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<(), Error> {
        todo!()
    }

    /// The secret and its parts; `None` where none is kept.
    ///
    /// # Errors
    /// Those of reading; [`Error::Tampered`] where it is not what was sealed for this incident.
    pub fn unseal(&self, incident: IncidentId) -> Result<Option<Credential>, Error> {
        todo!()
    }

    /// Whether a secret is kept.
    ///
    /// # Errors
    /// Those of reading.
    pub fn is_sealed(&self, incident: IncidentId) -> Result<bool, Error> {
        todo!()
    }

    /// Removes the secret, overwriting what the file held.
    ///
    /// # Errors
    /// Those of writing.
    pub fn forget(&self, incident: IncidentId, now: Timestamp) -> Result<(), Error> {
        todo!()
    }

    /// All incidents, the oldest first.
    ///
    /// # Errors
    /// Those of reading.
    pub fn incidents(&self) -> Result<Vec<Incident>, Error> {
        todo!()
    }

    /// An incident.
    ///
    /// # Errors
    /// Those of reading; [`Error::NoIncident`].
    pub fn incident(&self, id: IncidentId) -> Result<Incident, Error> {
        todo!()
    }

    /// The steps of an incident in the order in which they were planned.
    ///
    /// # Errors
    /// Those of reading.
    pub fn steps(&self, incident: IncidentId) -> Result<Vec<Step>, Error> {
        todo!()
    }

    /// A step.
    ///
    /// # Errors
    /// Those of reading; [`Error::Order`] where there is none.
    pub fn step(&self, id: StepId) -> Result<Step, Error> {
        todo!()
    }

    /// The checks of an incident, the oldest first.
    ///
    /// # Errors
    /// Those of reading.
    pub fn checks(&self, incident: IncidentId) -> Result<Vec<Check>, Error> {
        todo!()
    }

    /// What else happened to an incident, the oldest first: changes of its state, claims, seals.
    ///
    /// # Errors
    /// Those of reading.
    pub fn events(&self, incident: IncidentId) -> Result<Vec<Event>, Error> {
        todo!()
    }

    /// The last audit row: its number and the HMAC of the chain, `12:9f86d0…`. A record prints it, so that rows cut off later show.
    ///
    /// # Errors
    /// Those of reading.
    pub fn head(&self) -> Result<String, Error> {
        todo!()
    }

    /// Computes the audit chain anew and compares all rows with what it says; the number of audit rows.
    ///
    /// # Errors
    /// Those of reading; [`Error::Tampered`].
    pub fn verify(&self) -> Result<u64, Error> {
        todo!()
    }

    /// Whether the chain holds this head, which a record printed.
    ///
    /// # Errors
    /// Those of reading; [`Error::Tampered`] where it does not.
    pub fn verify_head(&self, head: &str) -> Result<(), Error> {
        todo!()
    }
}
