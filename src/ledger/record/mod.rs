//! The record of an incident: what leaked, what was done about it and what is left to do, as text, Markdown and JSON.
//!
//! All of it comes from the ledger, whose head it prints: a ledger that is cut off later shows against it. Text of others stands in
//! code spans; commands quote it for a shell. `record.schema.json` describes the JSON.

mod page;
mod todo;

use std::collections::BTreeMap;
use std::io;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Attempt, Check, CheckState, Error, Event, Incident, IncidentId, IncidentState, Ledger,
    NewIncident, Step, StepId,
};
use crate::report::write_document;
pub use todo::{Todo, quoted};

/// The JSON Schema of a record in JSON.
pub const RECORD_SCHEMA: &str = include_str!("record.schema.json");

/// Version of the JSON.
const SCHEMA: u8 = 1;

/// What the commands of a record are called with, so that they find its ledger: each quoted for a shell, with a space in front; empty
/// for nothing.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// ` --config FILE`.
    pub config: String,
    /// ` --ledger FILE`.
    pub ledger: String,
}

/// Everything that is on record of an incident.
#[derive(Debug, Clone)]
pub struct Record {
    /// The incident.
    pub incident: Incident,
    /// The steps in order.
    pub steps: Vec<Step>,
    /// Each time that a step was begun.
    pub attempts: BTreeMap<StepId, Vec<Attempt>>,
    /// The uses of the key, the oldest first.
    pub checks: Vec<Check>,
    /// What else happened, the oldest first.
    pub events: Vec<Event>,
    /// Whether the secret is kept, sealed.
    pub is_sealed: bool,
    /// Head of the ledger's chain when the record was made.
    pub head: String,
    /// When it was made.
    pub made: Timestamp,
    /// What made it: `keysweep 0.1.0`.
    pub made_by: String,
    /// What its commands are called with.
    pub flags: Flags,
}

impl Record {
    /// Reads the record of an incident.
    ///
    /// # Errors
    /// Those of reading; [`Error::NoIncident`].
    pub fn of(
        ledger: &Ledger,
        id: IncidentId,
        made: Timestamp,
        made_by: &str,
    ) -> Result<Self, Error> {
        Ok(Self {
            incident: ledger.incident(id)?,
            steps: ledger.steps(id)?,
            attempts: ledger.attempts(id)?,
            checks: ledger.checks(id)?,
            events: ledger.events(id)?,
            is_sealed: ledger.is_sealed(id)?,
            head: ledger.head()?,
            made,
            made_by: made_by.to_owned(),
            flags: Flags::default(),
        })
    }

    /// The same with what its commands are called with.
    #[must_use]
    pub fn with(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    /// The check that says last whether the key is dead.
    #[must_use]
    pub fn verdict(&self) -> Option<&Check> {
        let mut checks = self.checks.iter().rev();
        checks.find(|check| check.state != CheckState::Unknown)
    }

    /// Whether the key is proven dead: the incident is closed, and the last check that says anything was refused.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.incident.state == IncidentState::Closed
            && self
                .verdict()
                .is_some_and(|check| check.state == CheckState::Refused)
    }

    /// As JSON, for other programs.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn json(&self, out: &mut dyn io::Write) -> io::Result<()> {
        write_json(&self.document(), out)
    }

    fn document(&self) -> Document<'_> {
        let incident = &self.incident;
        Document {
            schema: SCHEMA,
            kind: "incident",
            id: incident.id.to_string(),
            state: incident.state,
            why: &incident.why,
            opened: shown(incident.opened),
            changed: shown(incident.changed),
            leak: &incident.leak,
            steps: self
                .steps
                .iter()
                .map(|step| Done {
                    tries: self.attempts.get(&step.id).map_or(&[], Vec::as_slice),
                    step,
                })
                .collect(),
            proof: Proof {
                proven: self.is_proven(),
                at: self.verdict().map(|check| shown(check.at)),
                answer: self.verdict().map(|check| &*check.answer),
            },
            checks: &self.checks,
            events: self
                .events
                .iter()
                .map(|event| Happened {
                    row: event.row,
                    at: shown(event.at),
                    action: &event.action,
                    note: &event.note,
                })
                .collect(),
            sealed: self.is_sealed,
            todo: self.todo(),
            ledger: &self.head,
            made: shown(self.made),
            made_by: &self.made_by,
        }
    }
}

/// Writes what comes from a ledger as JSON, indented; what does not show or would steer a terminal is escaped.
///
/// # Errors
/// Those of the writer.
pub fn write_json(what: &impl Serialize, out: &mut dyn io::Write) -> io::Result<()> {
    write_document(what, out)
}

fn at(path: &str, line: u32) -> String {
    match line {
        0 => path.to_owned(),
        line => format!("{path}:{line}"),
    }
}

/// Seconds are enough.
fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[derive(Serialize)]
struct Document<'r> {
    schema: u8,
    kind: &'static str,
    id: String,
    state: IncidentState,
    why: &'r str,
    opened: String,
    changed: String,
    leak: &'r NewIncident,
    steps: Vec<Done<'r>>,
    proof: Proof<'r>,
    checks: &'r [Check],
    events: Vec<Happened<'r>>,
    sealed: bool,
    todo: Vec<Todo>,
    ledger: &'r str,
    made: String,
    made_by: &'r str,
}

/// A step with each time that it was begun.
#[derive(Serialize)]
struct Done<'r> {
    #[serde(flatten)]
    step: &'r Step,
    tries: &'r [Attempt],
}

#[derive(Serialize)]
struct Proof<'r> {
    proven: bool,
    at: Option<String>,
    answer: Option<&'r str>,
}

#[derive(Serialize)]
struct Happened<'r> {
    row: u64,
    at: String,
    action: &'r str,
    note: &'r str,
}

#[cfg(test)]
mod tests;
