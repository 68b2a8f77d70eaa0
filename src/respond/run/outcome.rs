//! What became of an incident.

use jiff::Timestamp;

use crate::respond::Refusal;

/// How it stands with an incident after a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The incident.
    pub incident: String,
    /// The rule's id.
    pub rule: String,
    /// The rule's title.
    pub name: String,
    /// The redacted form of the secret.
    pub secret: String,
    /// Identity across runs.
    pub fingerprint: String,
    /// The incident's state, in one word.
    pub state: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What is done later: in words, and from when on.
    pub due: Vec<(String, Timestamp)>,
    /// The command line that goes on with it.
    pub resume: String,
    /// The command line that uses the key again.
    pub recheck: String,
    /// The command line that shows its record.
    pub show: String,
}

/// How a run over an incident ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider refuses the key; in its words.
    Dead(String),
    /// The key was refused once, which proves nothing yet: the same call with this refusal uses it a second time.
    Once(Refusal),
    /// The key was ended and is not proven dead.
    NotProven {
        /// Why.
        why: String,
        /// The command line that sends the call again, where that may help.
        again: Option<String>,
        /// Whether the answer of a call was lost, so that going on may send it again.
        is_lost: bool,
    },
    /// The key works although its incident was closed.
    Lives,
    /// Whether the key works cannot be said; why.
    Unclear(String),
    /// A person does it; how.
    ByHand(Vec<String>),
    /// It stopped before its end; why, and what goes on with it.
    Stopped {
        /// Why, in words.
        why: String,
        /// A command line.
        command: String,
    },
    /// A step that cannot be undone waits for somebody to agree.
    Unasked {
        /// The step, in words.
        what: String,
        /// The command line that agrees.
        command: String,
    },
    /// A person did not want the step; in words.
    Declined(String),
    /// Its secret is not kept, so that it cannot be used again.
    NotKept,
    /// The user stopped the run.
    Interrupted,
    /// It is on record, and the run ended before it was its turn.
    Left,
}
