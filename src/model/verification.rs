//! What a provider says of a credential.

use std::collections::BTreeMap;
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
    /// The provider knows what names the key, and says that this is not its secret; in words.
    Mismatch(String),
    /// A part that the call needs was not found beside the secret: its name, behind `; ` perhaps how it is given.
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
            Self::Missing(part) => match part.split_once(MEND) {
                Some((part, mend)) => write!(f, "not asked: its {part}{NOT_BESIDE}{MEND}{mend}"),
                None => write!(f, "not asked: its {part}{NOT_BESIDE}"),
            },
            Self::Mismatch(why) => write!(f, "not a pair: {why}"),
            Self::NotThere => f.write_str("not asked: no longer at any of its places"),
            Self::Canary => f.write_str("not asked: a canary token, asking would alert its owner"),
            Self::Budget => f.write_str("not asked: the time for verification was over"),
            // It may have been asked, or been about to be.
            Self::Interrupted => f.write_str("interrupted before there was an answer"),
        }
    }
}

const NOT_BESIDE: &str = " was not found beside it";
/// What divides a part from how it is given.
const MEND: &str = "; ";

impl Doubt {
    /// A part that is missing, and how it is given.
    #[must_use]
    pub fn missing(part: &str, mend: &str) -> Self {
        Self::Missing(format!("{part}{MEND}{mend}"))
    }

    /// The name of the part that is missing.
    #[must_use]
    pub fn part(&self) -> Option<&str> {
        match self {
            Self::Missing(part) => Some(part.split_once(MEND).map_or(part, |(part, _)| part)),
            _ => None,
        }
    }

    /// Every value of [`Doubt::word`].
    pub const WORDS: [&str; 14] = [
        "network",
        "timeout",
        "rate-limited",
        "status",
        "answer",
        "redirect",
        "too-long",
        "refused",
        "mismatch",
        "missing",
        "not-there",
        "canary",
        "budget",
        "interrupted",
    ];

    /// The word that reports count it under.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Network(_) => "network",
            Self::Timeout => "timeout",
            Self::RateLimited => "rate-limited",
            Self::Status(_) => "status",
            Self::Answer(_) => "answer",
            Self::Redirect(_) => "redirect",
            Self::TooLong => "too-long",
            Self::Refused(_) => "refused",
            Self::Mismatch(_) => "mismatch",
            Self::Missing(_) => "missing",
            Self::NotThere => "not-there",
            Self::Canary => "canary",
            Self::Budget => "budget",
            Self::Interrupted => "interrupted",
        }
    }

    /// Reads what `Display` wrote. Words that it never writes are an ambiguous answer.
    #[must_use]
    pub fn read(text: &str) -> Self {
        for plain in [
            Self::Timeout,
            Self::RateLimited,
            Self::TooLong,
            Self::NotThere,
            Self::Canary,
            Self::Budget,
            Self::Interrupted,
        ] {
            if plain.to_string() == text {
                return plain;
            }
        }
        let between = |before: &str, behind: &str| {
            let rest = text.strip_prefix(before)?;
            Some(rest.strip_suffix(behind)?.to_owned())
        };
        let status = between("answered ", ", which proves nothing");
        if let Some(status) = status.and_then(|digits| digits.parse().ok()) {
            return Self::Status(status);
        }
        between("not reached: ", "")
            .map(Self::Network)
            .or_else(|| between("redirected to ", "").map(Self::Redirect))
            .or_else(|| between("not a pair: ", "").map(Self::Mismatch))
            .or_else(|| {
                let rest = between("not asked: its ", "")?;
                let (part, mend) = rest.split_once(NOT_BESIDE)?;
                (mend.is_empty() || mend.starts_with(MEND))
                    .then(|| Self::Missing(format!("{part}{mend}")))
            })
            .or_else(|| between("not asked: ", "").map(Self::Refused))
            .or_else(|| between("ambiguous answer: ", "").map(Self::Answer))
            .unwrap_or_else(|| Self::Answer(text.to_owned()))
    }

    /// Whether something in the way kept the provider from saying more, so that asking again later may help.
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        !matches!(
            self,
            Self::Mismatch(_) | Self::Missing(_) | Self::NotThere | Self::Canary
        )
    }
}

/// What providers said of findings, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those that work.
    pub active: u64,
    /// Those that do not.
    pub inactive: u64,
    /// Those of which nothing is known, by [`Doubt::word`].
    pub unknown: BTreeMap<&'static str, u64>,
    /// Those that no known call proves.
    pub unsupported: u64,
    /// Of all these, those that are left out because they are not active.
    pub hidden: u64,
}

impl Tally {
    /// Counts the findings that were to be verified; `None` where none was.
    pub fn of<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Option<Self> {
        let mut all: Option<Self> = None;
        for checked in findings.into_iter().filter_map(|f| f.verification.as_ref()) {
            all.get_or_insert_default().add(&checked.verification);
        }
        all
    }

    /// Counts one more.
    pub fn add(&mut self, verification: &Verification) {
        match verification {
            Verification::Active(_) => self.active += 1,
            Verification::Inactive(_) => self.inactive += 1,
            Verification::Unknown(doubt) => *self.unknown.entry(doubt.word()).or_default() += 1,
            Verification::Unsupported => self.unsupported += 1,
        }
    }

    /// Adds another run's counts, up to the largest number.
    pub fn merge(&mut self, other: &Self) {
        for (to, from) in [
            (&mut self.active, other.active),
            (&mut self.inactive, other.inactive),
            (&mut self.unsupported, other.unsupported),
            (&mut self.hidden, other.hidden),
        ] {
            *to = to.saturating_add(from);
        }
        for (word, count) in &other.unknown {
            let total = self.unknown.entry(word).or_default();
            *total = total.saturating_add(*count);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_doubt_says_is_read_back() {
        let all = [
            Doubt::Network("api.example.com: connection refused".to_owned()),
            Doubt::Timeout,
            Doubt::RateLimited,
            Doubt::Status(503),
            Doubt::Answer("200 without `ok`".to_owned()),
            Doubt::Redirect("login.example.com".to_owned()),
            Doubt::TooLong,
            Doubt::Refused("db.example.com: give it with --allow-host".to_owned()),
            Doubt::Mismatch("it is that of another id".to_owned()),
            Doubt::missing("id", "give it so; or so"),
            Doubt::NotThere,
            Doubt::Canary,
            Doubt::Budget,
            Doubt::Interrupted,
        ];
        for (doubt, word) in all.iter().zip(Doubt::WORDS) {
            assert_eq!(Doubt::read(&doubt.to_string()), *doubt);
            assert_eq!(doubt.word(), word);
        }
        let bare = Doubt::Missing("id".to_owned());
        assert_eq!(Doubt::read(&bare.to_string()), bare);
        assert_eq!(all[9].part(), Some("id"));
        assert_eq!(Doubt::read("hm"), Doubt::Answer("hm".to_owned()));
    }
}
