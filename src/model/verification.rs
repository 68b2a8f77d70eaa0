//! What a provider says of a credential.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::{Credential, Finding, Fingerprint};

/// Whether a credential works, as its provider says; never a bool, never a status code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// It works.
    Active(Identity),
    /// The provider says, in a way that its documentation describes, that it does not work; in words.
    Inactive(String),
    /// Nothing is known.
    Unknown(Doubt),
    /// No way to ask is known for the kind.
    Unsupported,
}

impl Verification {
    /// The word that reports use.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Active(_) => "active",
            Self::Inactive(_) => "inactive",
            Self::Unknown(_) => "unknown",
            Self::Unsupported => "unsupported",
        }
    }
}

/// Whose credential it is, as far as the provider tells. All of it comes from a foreign server: reports clean it before it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Account, organisation, project or workspace.
    pub account: Option<String>,
    /// The person or machine user.
    pub owner: Option<String>,
    /// What it may do, in the provider's words.
    pub scopes: Vec<String>,
    /// What it may do, in one word.
    pub level: Option<Level>,
    /// When it ends by itself, as the provider writes it.
    pub expires: Option<String>,
    /// The provider's id of the key: safe to show.
    pub key: Option<String>,
}

/// What a credential allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Reading alone.
    ReadOnly,
    /// A choice of rights that no other word fits.
    Custom,
    /// Changing things.
    Write,
    /// Administration of others, or everything.
    Admin,
}

impl Level {
    /// The word that reports use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Custom => "custom",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// The level of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::ReadOnly, Self::Custom, Self::Write, Self::Admin]
            .into_iter()
            .find(|level| level.word() == word)
    }
}

/// Why nothing is known. Its text never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// The host could not be reached: name, connection, TLS; in words.
    Network(String),
    /// No answer in time.
    Timeout,
    /// The provider asks to come again later.
    RateLimited,
    /// A status that no documented answer has.
    Status(u16),
    /// An answer of a documented status with a body that no documented answer has; in words.
    Answer(String),
    /// A redirect, to a login page or elsewhere; the host it names.
    Redirect(String),
    /// The answer is longer than one of this sort can be.
    TooLong,
    /// The host is on no list that the caller allows, or its address is private; in words with the mend.
    Refused(String),
    /// A part that the call needs was not found beside the secret: its name.
    Missing(String),
    /// The secret no longer stands at any of its places.
    NotThere,
    /// A canary: asking would alert whoever set it.
    Canary,
    /// The time that the run may take is over.
    Budget,
    /// The run was interrupted.
    Interrupted,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(why) => write!(f, "not reached: {why}"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::RateLimited => f.write_str("rate limited"),
            Self::Status(status) => write!(f, "answered {status}, which proves nothing"),
            Self::Answer(why) => write!(f, "ambiguous answer: {why}"),
            Self::Redirect(host) => write!(f, "redirected to {host}"),
            Self::TooLong => f.write_str("answer too long"),
            Self::Refused(why) => write!(f, "not asked: {why}"),
            Self::Missing(part) => write!(f, "not asked: its {part} was not found beside it"),
            Self::NotThere => f.write_str("not asked: no longer at any of its places"),
            Self::Canary => f.write_str("not asked: a canary token, asking would alert its owner"),
            Self::Budget => f.write_str("not asked: the time for verification was over"),
            Self::Interrupted => f.write_str("not asked: interrupted"),
        }
    }
}

/// A verification and when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What the provider says.
    pub verification: Verification,
    /// When it said so, UTC.
    pub at: Timestamp,
    /// How long the question took, retries included.
    pub took: Duration,
}

/// A leak that may be ended: proven active, or named by a person; with its secret, read again from its place. The only thing that
/// a revocation takes.
#[derive(Debug, Clone)]
pub struct ConfirmedLeak<'f> {
    finding: &'f Finding,
    credential: &'f Credential,
}

impl<'f> ConfirmedLeak<'f> {
    /// `Some` only if the provider said that it is active and its secret is known.
    #[must_use]
    pub fn new(finding: &'f Finding) -> Option<Self> {
        match finding.verification.as_ref().map(|c| &c.verification) {
            Some(Verification::Active(_)) => Self::known(finding),
            _ => None,
        }
    }

    /// The leak that a person named by its fingerprint although it is not proven active.
    #[must_use]
    pub fn named(finding: &'f Finding, fingerprint: Fingerprint) -> Option<Self> {
        (finding.fingerprint == fingerprint)
            .then(|| Self::known(finding))
            .flatten()
    }

    fn known(finding: &'f Finding) -> Option<Self> {
        finding.credential.secret.is_known().then_some(Self {
            finding,
            credential: &finding.credential,
        })
    }

    /// What was found.
    #[must_use]
    pub fn finding(&self) -> &'f Finding {
        self.finding
    }

    /// The secret and its parts.
    #[must_use]
    pub fn credential(&self) -> &'f Credential {
        self.credential
    }

    /// Whose it is, where the provider said so.
    #[must_use]
    pub fn identity(&self) -> Option<&'f Identity> {
        match self.finding.verification.as_ref().map(|c| &c.verification) {
            Some(Verification::Active(identity)) => Some(identity),
            _ => None,
        }
    }
}
