//! What a run asks a person, and what the person says.

/// What a person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The incident.
    pub incident: String,
    /// The step, in words.
    pub what: String,
    /// What it is done to, in words.
    pub object: String,
    /// Why it is asked.
    pub why: Why,
}

/// Why a person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It cannot be undone; what else happens, in words.
    Irreversible(String),
    /// It was sent before and its answer was lost; what is known, in words.
    SentBefore(String),
}

/// What a person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Do it.
    Yes,
    /// Leave it.
    No,
    /// There is nobody to ask.
    Nobody,
}
