//! Steps against a leak: what is planned, and what each came to.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::text;
use super::id::IncidentId;

/// What a step is for. Those of later commands are there already, so that ledgers need not change for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// Looks up the exact object that dies.
    Find,
    /// Ends the key, or a stage of that.
    Revoke,
    /// Proves that it is refused.
    Prove,
    /// Replaces it.
    Rotate,
    /// Tells somebody.
    Notify,
    /// Looks at what it did.
    Usage,
    /// Writes the record.
    Record,
}

/// What a step has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// It is to be done.
    Planned,
    /// It was begun, and no answer is on record: whether it had its effect must be looked up.
    Started,
    /// It is done.
    Done,
    /// It was refused or not sent; it may be begun again.
    Failed,
    /// It was sent, and whether it had its effect is not known; it may be begun again.
    Unknown,
    /// It is not needed, or a person said no.
    Skipped,
}

impl StepState {
    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Skipped)
    }
}

/// Number of a step in its ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepId(pub i64);

/// A step to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewStep {
    /// What it is for.
    pub kind: StepKind,
    /// The provider's stage that it is, from 0; 0 where there are no stages.
    pub stage: usize,
    /// In words: `deactivate the access key`.
    pub what: String,
    /// What it is done to, in words with its id; empty where the `find` step has yet to say.
    pub object: String,
    /// What a later run needs to know of the object, public: the id, and facts.
    pub facts: BTreeMap<String, String>,
    /// Whose authority is used, in words.
    pub authority: String,
    /// Whether it can be undone.
    pub reversible: bool,
    /// How, in words; empty where it cannot.
    pub undo: String,
    /// Whether it may be sent again where the answer was lost.
    pub repeatable: bool,
    /// Not before this time.
    #[serde(with = "text::option")]
    pub due: Option<Timestamp>,
    /// The request, redacted.
    pub request: String,
    /// When somebody agreed to it, as to all that cannot be undone.
    #[serde(default, with = "text::option")]
    pub agreed: Option<Timestamp>,
    /// Who agreed, in words: user and host; empty where that is not known.
    #[serde(default)]
    pub agreed_by: String,
}

/// The step that a person does.
pub(crate) const BY_HAND: &str = "a person ends the key";

impl NewStep {
    /// Whether a person does it.
    pub(crate) fn is_by_hand(&self) -> bool {
        self.kind == StepKind::Revoke && self.what == BY_HAND
    }

    /// A step of a kind with nothing else said of it.
    #[must_use]
    pub fn of(kind: StepKind, what: &str) -> Self {
        Self {
            kind,
            stage: 0,
            what: what.to_owned(),
            object: String::new(),
            facts: BTreeMap::new(),
            authority: String::new(),
            reversible: true,
            undo: String::new(),
            repeatable: true,
            due: None,
            request: String::new(),
            agreed: None,
            agreed_by: String::new(),
        }
    }
}

/// A step as it is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its number in the ledger.
    pub id: StepId,
    /// The incident.
    #[serde(with = "text")]
    pub incident: IncidentId,
    /// What was planned.
    pub plan: NewStep,
    /// What it has come to.
    pub state: StepState,
    /// When it was planned.
    #[serde(with = "text")]
    pub planned: Timestamp,
    /// When it was begun, the last time.
    #[serde(with = "text::option")]
    pub started: Option<Timestamp>,
    /// When its answer was there.
    #[serde(with = "text::option")]
    pub finished: Option<Timestamp>,
    /// How often it was begun.
    pub attempts: u32,
    /// The answer, in words without secrets.
    pub answer: String,
}

/// One time that a step was begun, with the answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Its number, from 1. What is found out later of an answer that was lost has the same.
    pub number: u32,
    /// When it was begun.
    #[serde(with = "text")]
    pub started: Timestamp,
    /// When its answer was there.
    #[serde(with = "text::option")]
    pub finished: Option<Timestamp>,
    /// What it came to.
    pub state: StepState,
    /// The answer, in words without secrets.
    pub answer: String,
}
