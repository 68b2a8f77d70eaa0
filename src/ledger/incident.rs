//! What is on record of an incident: the leak, the steps against it, and what checks of the key said.
//!
//! All text comes redacted from whoever writes it here, and is cleaned by whoever shows it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{LIST, TEXT, cut, quoted, text};
use crate::model::{Fingerprint, Identity, Severity};

/// Id of an incident, `KS-20260131-1`: the day (UTC) on which it was opened and a number of that day, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId {
    /// The day as a number, 20260131.
    pub day: u32,
    /// The number of the day, from 1.
    pub number: u32,
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("KS-{:08}-{}", self.day, self.number))
    }
}

/// A text that is no id of an incident.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an incident's id is written such as KS-20260131-1")]
pub struct NoId;

impl FromStr for IncidentId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        let rest = text.strip_prefix("KS-").ok_or(NoId)?;
        let (day, number) = rest.split_once('-').ok_or(NoId)?;
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if day.len() != 8 || !digits(day) || !digits(number) || number.starts_with('0') {
            return Err(NoId);
        }
        Ok(Self {
            day: day.parse().map_err(|_| NoId)?,
            number: number.parse().map_err(|_| NoId)?,
        })
    }
}

/// A leak that an incident is opened for: everything that the record will say of it. Whoever fills it in (`respond`) redacts first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewIncident {
    /// Identity of the secret across runs.
    #[serde(with = "text")]
    pub fingerprint: Fingerprint,
    /// The rule's id.
    pub rule: String,
    /// The rule's title.
    pub name: String,
    /// The provider's name.
    pub provider: String,
    /// Severity of the kind.
    #[serde(with = "text::severity")]
    pub severity: Severity,
    /// The secret in its redacted form.
    pub secret: String,
    /// Whose it is, as the provider says.
    pub identity: Option<Whose>,
    /// The word of the verification: `active`, `unknown`, …
    pub verification: String,
    /// What the verification says beside the word, in words; empty for nothing.
    pub verification_note: String,
    /// When it was verified.
    #[serde(with = "text::option")]
    pub verified: Option<Timestamp>,
    /// When it was detected.
    #[serde(with = "text")]
    pub detected: Timestamp,
    /// What detected it: `keysweep 0.1.0`.
    pub detected_by: String,
    /// The command that detected it, without secrets.
    pub command: String,
    /// What was scanned, as the user named it.
    pub scanned: String,
    /// The first commit that held it, where a history was scanned.
    pub exposure: Option<Exposure>,
    /// What it opens, `host` → `db.example.org`: the systems that are affected.
    pub systems: Vec<(String, String)>,
    /// Where it stands.
    pub places: Vec<Site>,
    /// How many more places there are.
    pub more_places: u64,
    /// Who owns the files that hold it.
    pub owners: Vec<String>,
    /// Where else the value, or the variable that carries it, is used; in words, `compose.yaml:12: API_TOKEN`.
    pub dependants: Vec<String>,
    /// What a person does, where no call exists or as long as it is refused.
    pub by_hand: Vec<String>,
    /// The page where a person does it, or empty.
    pub console: String,
    /// What the rule says its owner does next, or empty.
    pub remedy: String,
    /// The provider's page that documents how keys of the kind are ended, or empty.
    pub link: String,
    /// Where its provider was asked when this was opened; none where that is not known.
    #[serde(default)]
    pub asked: Vec<Asked>,
    /// The caller's `[endpoints]` of then: a host, and what was asked in its place.
    #[serde(default)]
    pub endpoints: Vec<(String, String)>,
    /// What the commands of its record are called with so that they ask as then, `--config …`, quoted for a shell; empty for nothing.
    #[serde(default)]
    pub flags: String,
}

/// Where a provider was asked. Another one's refusal says nothing of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The host that the rule names, with its scheme: `https://api.github.com`; of a login `host:port`.
    pub named: String,
    /// What was asked: the same, or what the caller's `[endpoints]` said.
    pub at: String,
}

impl Default for NewIncident {
    fn default() -> Self {
        Self {
            fingerprint: Fingerprint([0; 16]),
            rule: String::new(),
            name: String::new(),
            provider: String::new(),
            severity: Severity::High,
            secret: String::new(),
            identity: None,
            verification: "unknown".to_owned(),
            verification_note: String::new(),
            verified: None,
            detected: Timestamp::UNIX_EPOCH,
            detected_by: String::new(),
            command: String::new(),
            scanned: String::new(),
            exposure: None,
            systems: Vec::new(),
            places: Vec::new(),
            more_places: 0,
            owners: Vec::new(),
            dependants: Vec::new(),
            by_hand: Vec::new(),
            console: String::new(),
            remedy: String::new(),
            link: String::new(),
            asked: Vec::new(),
            endpoints: Vec::new(),
            flags: String::new(),
        }
    }
}

/// Whose credential it is, as its provider said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Whose {
    /// Account, organisation, project or workspace.
    pub account: Option<String>,
    /// The person or machine user.
    pub owner: Option<String>,
    /// What it may do, in the provider's words.
    pub scopes: Vec<String>,
    /// What it may do, in one word.
    pub level: Option<String>,
    /// When it ends by itself, as the provider writes it.
    pub expires: Option<String>,
    /// The provider's id of the key.
    pub key: Option<String>,
}

impl From<&Identity> for Whose {
    fn from(identity: &Identity) -> Self {
        Self {
            account: identity.account.clone(),
            owner: identity.owner.clone(),
            scopes: identity.scopes.clone(),
            level: identity.level.map(|level| level.word().to_owned()),
            expires: identity.expires.clone(),
            key: identity.key.clone(),
        }
    }
}

/// The first commit that held the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposure {
    /// Its id, in hexadecimal digits.
    pub commit: String,
    /// The author's name.
    pub author: String,
    /// The author's address.
    pub email: String,
    /// When it was committed.
    #[serde(with = "text")]
    pub date: Timestamp,
    /// The message's first line.
    pub subject: String,
    /// Full names of the refs whose history holds it.
    pub refs: Vec<String>,
    /// How many more refs there are.
    pub more_refs: u64,
    /// Whether HEAD still holds it.
    pub in_head: bool,
    /// Whether a shallow clone or a range hides what was before, so that it may be older.
    pub or_earlier: bool,
}

/// A place that holds the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Path relative to what was scanned; bytes that are not UTF-8 replaced.
    pub path: String,
    /// Line, from 1; 0 for what has no lines (a file's name, a ref).
    pub line: u32,
    /// Line of its end; the secret spans lines if it is another.
    pub end_line: u32,
    /// The commit that brought it there, where a history was scanned.
    pub commit: Option<String>,
}

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

/// As much of a list as is kept; how much was left out.
fn shorten<T>(list: &mut Vec<T>) -> u64 {
    let more = list.len().saturating_sub(LIST);
    list.truncate(LIST);
    more as u64
}

fn shorten_texts(list: &mut Vec<String>) {
    let more = shorten(list);
    for text in list.iter_mut() {
        *text = cut(text, TEXT);
    }
    if more > 0 {
        list.push(format!("… and {more} more"));
    }
}

impl NewIncident {
    /// With what a later find of the same secret adds: times of before stay, what was verified is new, places are joined.
    pub(super) fn renewed(mut self, newer: &Self) -> Self {
        let old = std::mem::replace(&mut self, newer.clone());
        // What was noted first is the detection.
        if old.detected <= self.detected {
            self.detected = old.detected;
            self.detected_by = old.detected_by;
            self.command = old.command;
            self.scanned = old.scanned;
        }
        // A scan of the tree alone knows nothing of the history.
        if self.exposure.as_ref().is_none_or(|new| {
            old.exposure
                .as_ref()
                .is_some_and(|old| new.or_earlier && old.date < new.date)
        }) {
            self.exposure = old.exposure.or(self.exposure);
        }
        if self.verified.is_none() {
            self.verification = old.verification;
            self.verification_note = old.verification_note;
            self.verified = old.verified;
        }
        self.identity = self.identity.or(old.identity);
        // Where it was found active stays: it is to be proven dead there. What is found so now may name fewer of these.
        let is_there = !self.asked.is_empty() && self.verification == "active";
        let is_known = self.asked.iter().all(|one| old.asked.contains(one));
        if !(old.asked.is_empty() || is_there && is_known) {
            self.asked = old.asked;
            self.endpoints = old.endpoints;
            self.flags = old.flags;
        }
        self.more_places = self.more_places.max(old.more_places);
        join(&mut self.places, old.places);
        join(&mut self.systems, old.systems);
        join(&mut self.owners, old.owners);
        join(&mut self.dependants, old.dependants);
        self
    }

    /// The command that goes on with a key that is not kept: it comes from where it was found, or is typed.
    pub(crate) fn given_again(&self, id: IncidentId) -> String {
        if self.scanned.is_empty() {
            format!("revoke --rule {}", quoted(&self.rule))
        } else {
            format!("respond REPORT --resume {id}")
        }
    }

    /// With texts and lists no longer than the ledger keeps.
    pub(super) fn bounded(mut self) -> Self {
        for text in [
            &mut self.rule,
            &mut self.name,
            &mut self.provider,
            &mut self.secret,
            &mut self.verification,
            &mut self.verification_note,
            &mut self.detected_by,
            &mut self.command,
            &mut self.scanned,
            &mut self.console,
            &mut self.remedy,
            &mut self.link,
            &mut self.flags,
        ] {
            *text = cut(text, TEXT);
        }
        self.more_places += shorten(&mut self.places);
        for site in &mut self.places {
            site.path = cut(&site.path, TEXT);
        }
        shorten(&mut self.asked);
        for one in &mut self.asked {
            (one.named, one.at) = (cut(&one.named, TEXT), cut(&one.at, TEXT));
        }
        for pairs in [&mut self.systems, &mut self.endpoints] {
            shorten(pairs);
            for (name, value) in pairs {
                (*name, *value) = (cut(name, TEXT), cut(value, TEXT));
            }
        }
        for list in [&mut self.owners, &mut self.dependants, &mut self.by_hand] {
            shorten_texts(list);
        }
        if let Some(whose) = &mut self.identity {
            shorten_texts(&mut whose.scopes);
            for text in [
                &mut whose.account,
                &mut whose.owner,
                &mut whose.level,
                &mut whose.expires,
                &mut whose.key,
            ] {
                *text = text.take().map(|text| cut(&text, TEXT));
            }
        }
        if let Some(first) = &mut self.exposure {
            first.more_refs += shorten(&mut first.refs);
            for text in first.refs.iter_mut().chain([
                &mut first.author,
                &mut first.email,
                &mut first.subject,
            ]) {
                *text = cut(text, TEXT);
            }
        }
        self
    }
}

/// Adds what is not there.
fn join<T: PartialEq>(list: &mut Vec<T>, more: Vec<T>) {
    for one in more {
        if list.len() < LIST && !list.contains(&one) {
            list.push(one);
        }
    }
}

impl NewStep {
    /// With texts no longer than the ledger keeps.
    pub(super) fn bounded(mut self) -> Self {
        for text in [
            &mut self.what,
            &mut self.object,
            &mut self.authority,
            &mut self.undo,
            &mut self.request,
        ] {
            *text = cut(text, TEXT);
        }
        for fact in self.facts.values_mut() {
            *fact = cut(fact, TEXT);
        }
        self
    }
}
