//! What is on record of an incident: the leak, the steps against it, and what checks of the key said.
//!
//! All text comes redacted from whoever writes it here, and is cleaned by whoever shows it.

mod bounds;
mod id;
mod leak;
mod step;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::id::{IncidentId, NoId};
pub use self::leak::{Asked, Exposure, NewIncident, Site, Whose};
pub(crate) use self::step::BY_HAND;
pub use self::step::{Attempt, NewStep, Step, StepId, StepKind, StepState};

use super::text;

/// What an incident has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncidentState {
    /// There is something to do.
    Open,
    /// The key is proven dead.
    Closed,
    /// All was done, and the key was not refused in time.
    NotProven,
    /// It was closed, and the key works again.
    Reopened,
}

/// What a use of the key showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    /// The provider refuses it: it is dead.
    Refused,
    /// It works.
    Alive,
    /// Nothing is known.
    Unknown,
}

/// A use of the key, to see whether it is dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its number in the ledger.
    pub id: i64,
    /// The incident.
    #[serde(with = "text")]
    pub incident: IncidentId,
    /// When.
    #[serde(with = "text")]
    pub at: Timestamp,
    /// What it showed.
    pub state: CheckState,
    /// The answer, in words without secrets.
    pub answer: String,
}

/// An incident as it is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    #[serde(with = "text")]
    pub id: IncidentId,
    /// What it has come to.
    pub state: IncidentState,
    /// Why, in words.
    pub why: String,
    /// When it was opened.
    #[serde(with = "text")]
    pub opened: Timestamp,
    /// When its state was set last.
    #[serde(with = "text")]
    pub changed: Timestamp,
    /// The leak.
    pub leak: NewIncident,
}

/// A change of an incident's state, or another event that has no row of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Number of the audit row.
    pub row: u64,
    /// When.
    pub at: Timestamp,
    /// What, in a word: `open`, `claim`, `seal`, `state`, …
    pub action: String,
    /// In words; empty for nothing.
    pub note: String,
}

/// What beginning an incident came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// The incident.
    pub incident: IncidentId,
    /// Whether it is a new one, and not one that was not closed yet.
    pub is_new: bool,
}

macro_rules! words {
    ($($state:ty { $($variant:ident => $word:literal),* $(,)? })*) => { $(
        impl $state {
            /// The word of the ledger and of records.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// What the word says.
            #[must_use]
            pub fn of(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl fmt::Display for $state {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }
    )* };
}

words! {
    IncidentState { Open => "open", Closed => "closed", NotProven => "not-proven", Reopened => "reopened" }
    StepKind {
        Find => "find", Revoke => "revoke", Prove => "prove", Rotate => "rotate", Notify => "notify", Usage => "usage", Record => "record",
    }
    StepState {
        Planned => "planned", Started => "started", Done => "done", Failed => "failed", Unknown => "unknown", Skipped => "skipped",
    }
    CheckState { Refused => "refused", Alive => "alive", Unknown => "unknown" }
}
