//! The leak that an incident is opened for, and what a later find of it adds.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::{LIST, quoted, text};
use super::id::IncidentId;
use crate::model::{Fingerprint, Identity, Severity};

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

impl NewIncident {
    /// With what a later find of the same secret adds: times of before stay, what was verified is new, places are joined.
    pub(in crate::ledger) fn renewed(mut self, newer: &Self) -> Self {
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
}

/// Adds what is not there.
fn join<T: PartialEq>(list: &mut Vec<T>, more: Vec<T>) {
    for one in more {
        if list.len() < LIST && !list.contains(&one) {
            list.push(one);
        }
    }
}
