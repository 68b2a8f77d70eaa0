//! Providers: how a kind of credential is proven, and how it is ended.
//!
//! A block of a rule file where one request and its answers say it all ([`declared`]), a file of its own where not; the rest of the
//! program cannot tell which. Nothing here knows of reports, of the ledger, or of where the credential was found.

mod answer;
mod authority;
pub mod aws;
pub mod azure_storage;
pub mod declared;
#[cfg(test)]
mod fake;
pub mod gcp;
pub mod jwt;
mod login;
mod named;
pub mod postgres;
pub mod redis;
mod sigv4;
mod socket;
mod staged;
mod template;
mod xml;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

pub use self::named::{Knowable, PartNames};
use self::staged::Staged;
use self::template::Values;
use crate::model::{
    ConfirmedLeak, Credential, Doubt, Finding, Identity, Parts, Secret, Verification,
};
use crate::net::{Error, Net};
use crate::rule::block::{self, Blocks, Verify};

/// How credentials of a kind are proven, and perhaps ended.
pub trait Provider: Send + Sync {
    /// The requests that [`Provider::verify`] would send, redacted, for `--dry-run`; nothing is sent.
    ///
    /// # Errors
    /// Why it would not ask.
    fn preview(&self, key: &Credential) -> Result<Vec<String>, Doubt>;

    /// Asks the provider, with the cheapest call that changes nothing.
    fn verify(&self, net: &dyn Net, key: &Credential) -> Verification;

    /// The parts that the answer depends on: asked with the same ones, it is the same question.
    fn asks_with(&self, key: &Credential) -> Parts {
        key.parts.clone()
    }

    /// Parts that an active answer adds to the credential, so that the next question is a narrower one: where it is known,
    /// `region` or `host`. Public.
    fn learned(&self, _key: &Credential, _identity: &Identity) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// Whether a part of this name only names something, so that it may stand in a plan.
#[must_use]
pub fn is_public(part: &str) -> bool {
    template::PUBLIC_PARTS.contains(&part)
}

/// A revocation under way: of which key, by whose authority, over which network.
#[derive(Clone, Copy)]
pub struct Revocation<'r> {
    /// What its requests go over.
    pub net: &'r dyn Net,
    /// The key that dies.
    pub leak: &'r ConfirmedLeak<'r>,
    /// Who may end it.
    pub authority: &'r Authority,
}

/// How credentials of a kind are ended. A revocation is one or more stages, each one call that changes something.
pub trait Revoke: Send + Sync {
    /// What a plan says of it; nothing is sent.
    fn terms(&self, key: &Credential) -> Terms;

    /// Looks up the exact object that dies. Reads alone.
    ///
    /// # Errors
    /// Where it is not found, or not exactly one fits.
    fn find(&self, of: &Revocation<'_>) -> Result<Object, Failure>;

    /// Whether the effect of a stage is there already; reads alone. Asked before the stage, and when an interrupted run goes on.
    fn effect(&self, of: &Revocation<'_>, object: &Object, stage: usize) -> Effect;

    /// Does a stage: one call, sent once.
    ///
    /// # Errors
    /// What went wrong, and whether the call may have had its effect.
    fn run(&self, of: &Revocation<'_>, object: &Object, stage: usize) -> Result<Done, Failure>;

    /// Whether one call ends several keys, and how many.
    fn together(&self) -> Option<Together> {
        None
    }

    /// Does the stage of several keys: one call, sent once. All of them give the same [`Revoke::together`].
    ///
    /// # Errors
    /// As [`Revoke::run`], for all of them.
    fn run_together(&self, _: &dyn Net, _: &[&ConfirmedLeak<'_>]) -> Result<Done, Failure> {
        Err(Failure::NotSent("one call ends one key".to_owned()))
    }

    /// The request of a stage, redacted, for the plan; nothing is sent.
    ///
    /// # Errors
    /// Why it cannot be written.
    fn preview(
        &self,
        key: &Credential,
        authority: &Authority,
        stage: usize,
    ) -> Result<String, Doubt>;
}

/// A call that ends several keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Together {
    /// Which call it is: keys of several kinds may have the same.
    pub call: String,
    /// How many keys it takes at the most.
    pub most: usize,
}

/// What a plan says of a revocation.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What dies, in words.
    pub object: String,
    /// Whose authority is needed.
    pub needed: Needed,
    /// The stages in order; none where only a person can do it.
    pub stages: Vec<StageTerms>,
    /// What else happens, in words; empty for nothing.
    pub effect: String,
    /// Within what time the provider refuses the key.
    pub deadline: Duration,
    /// What a person does, where no call exists or the call is refused.
    pub steps: Vec<String>,
    /// The page where a person does it, or empty.
    pub console: String,
    /// The provider's page that documents it.
    pub source: String,
}

impl Terms {
    /// What a block says, with the names in it filled in: one stage, or none where only a person can do it. The authority is the
    /// credential called `of` in the caller's configuration.
    fn of(block: &block::Revoke, of: &str, names: &Values<'_>) -> Self {
        let object = names.shown(&block.object);
        let stage = StageTerms {
            what: format!("revoke {object}"),
            reversible: block.reversible,
            undo: names.shown(&block.undo),
            repeatable: block.repeatable,
            after: Duration::ZERO,
            kills: true,
        };
        let (needed, stages) = match block.authority.as_str() {
            "none" => (Needed::Nobody, vec![stage]),
            "self" => (Needed::Itself, vec![stage]),
            "owner" => {
                let (name, parts) = (of.to_owned(), block.needs.clone());
                (Needed::Owner { name, parts }, vec![stage])
            }
            _ => (Needed::Person, Vec::new()),
        };
        Self {
            object,
            needed,
            stages,
            effect: names.shown(&block.effect),
            deadline: Duration::from_secs(u64::from(block.deadline)),
            steps: block.steps.iter().map(|step| names.shown(step)).collect(),
            console: block.console.clone(),
            source: block.source.clone(),
        }
    }
}

/// What a plan says of a stage.
#[derive(Debug, Clone)]
pub struct StageTerms {
    /// In words: `deactivate the access key`.
    pub what: String,
    /// Whether it can be undone.
    pub reversible: bool,
    /// How, in words.
    pub undo: String,
    /// Whether it may be sent again where the answer was lost.
    pub repeatable: bool,
    /// How long after the stage before it; zero for at once. A later one is kept for `recheck` or `respond --resume`.
    pub after: Duration,
    /// Whether the key is refused once it is done, so that the proof of death comes after it.
    pub kills: bool,
}

/// Whose authority a revocation needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needed {
    /// Nobody's: the call is anonymous.
    Nobody,
    /// The leaked key's own.
    Itself,
    /// Another credential of the caller's: `[authority.NAME]` with these parts.
    Owner {
        /// Name in the configuration.
        name: String,
        /// Its parts.
        parts: Vec<String>,
    },
    /// A person, at the console.
    Person,
}

/// A credential of the caller's that may end others. Parts of it come from the environment or from files, never from a scanned tree.
#[derive(Debug, Clone, Default)]
pub struct Authority {
    /// Part → value.
    pub parts: BTreeMap<String, Secret>,
}

impl Authority {
    /// The variable of the environment in which a part of a named credential is looked for: `KEYSWEEP_GITHUB_TOKEN`.
    #[must_use]
    pub fn variable(name: &str, part: &str) -> String {
        format!("KEYSWEEP_{name}_{part}")
            .replace('-', "_")
            .to_ascii_uppercase()
    }
}

/// The exact thing that dies: `id` is safe to show and to keep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// The provider's id of it.
    pub id: String,
    /// In words, with the id.
    pub title: String,
    /// What else later stages need: public.
    pub facts: BTreeMap<String, String>,
}

/// What is known of an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The object is gone, or as the stage would leave it.
    There,
    /// It is not: the key lives.
    NotThere,
    /// It cannot be known; in words.
    Unknown(String),
}

/// A stage that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// What the provider answered, in words without secrets: `204`, `202 accepted`.
    pub answer: String,
    /// Whether it was dead before.
    pub was_gone: bool,
}

/// Why a stage was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The authority is missing, wrong, or allows too little; nothing was done. In words with the mend.
    #[error("{0}")]
    Authority(String),
    /// The object is not found, or not exactly one fits; nothing was done.
    #[error("{0}")]
    Object(String),
    /// The provider refused the call; nothing was done.
    #[error("{0}")]
    Refused(String),
    /// The provider takes no more such calls for now; nothing was done. Until when, where it says so.
    #[error("rate limited{}", until(.0.as_ref()))]
    RateLimited(Option<Timestamp>),
    /// The call was not sent.
    #[error("{0}")]
    NotSent(String),
    /// The call was sent and its effect is not known.
    #[error("{0}")]
    Unknown(String),
}

/// The end of a limit in words.
pub(crate) fn until(end: Option<&Timestamp>) -> String {
    end.map(|end| format!(" until {end:.0}"))
        .unwrap_or_default()
}

/// What the caller knows of a provider, by part: the host of a service of one's own, the user that a token belongs to. No secrets.
pub type Known = BTreeMap<String, String>;

/// All providers of a run, by rule.
pub struct Registry {
    blocks: Blocks,
    known: BTreeMap<String, Known>,
    nothing: Known,
}

impl Registry {
    /// The providers that blocks declare.
    #[must_use]
    pub fn new(blocks: Blocks) -> Self {
        Self {
            blocks,
            known: BTreeMap::new(),
            nothing: Known::new(),
        }
    }

    /// The same with what the caller's configuration says of providers: `[known.NAME]`.
    #[must_use]
    pub fn knowing(mut self, known: BTreeMap<String, Known>) -> Self {
        self.known = known;
        self
    }

    fn known(&self, provider: &str) -> &Known {
        self.known.get(provider).unwrap_or(&self.nothing)
    }

    /// What the blocks say.
    #[must_use]
    pub fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// What proves credentials of a rule.
    #[must_use]
    pub fn verifier(&self, rule: &str) -> Option<Box<dyn Provider + '_>> {
        let uses = self.blocks.rules.get(rule)?;
        let block = self.blocks.verify.get(uses.verify.as_deref()?)?;
        let known = self.known(&uses.provider);
        match block.builtin.as_deref() {
            None => Some(Box::new(
                declared::Declared::new(block, known).named(&uses.provider),
            )),
            Some("postgres") => Some(Box::new(postgres::Postgres)),
            Some("redis") => Some(Box::new(redis::Redis)),
            Some("aws") => Some(Box::new(aws::Aws)),
            Some("azure-storage") => Some(Box::new(azure_storage::AzureStorage::new(known))),
            Some("gcp") => Some(Box::new(gcp::Gcp)),
            Some("jwt") => Some(Box::new(jwt::Jwt)),
            // [`block::VERIFIERS`] are all; rule files with another name are refused.
            Some(_) => None,
        }
    }

    /// Why a credential is shown to nobody: another host than its provider's stands beside it, and the caller does not list it.
    #[must_use]
    pub fn refusal(&self, rule: &str, key: &Credential, net: &dyn Net) -> Option<Doubt> {
        let uses = self.blocks.rules.get(rule)?;
        let block = self.blocks.verify.get(uses.verify.as_deref()?)?;
        block.request.as_ref()?;
        let declared = declared::Declared::new(block, self.known(&uses.provider));
        declared.refusal(key, net)
    }

    /// The parts that calls of a rule have use for beside its secret; `None` where code of its own decides.
    #[must_use]
    pub fn parts(&self, rule: &str) -> Option<BTreeSet<&str>> {
        let uses = self.blocks.rules.get(rule)?;
        let mut all = BTreeSet::new();
        if let Some(block) = uses
            .verify
            .as_deref()
            .and_then(|v| self.blocks.verify.get(v))
        {
            all.extend(of_calls(
                &block.request.as_ref()?.variables().collect::<Vec<_>>(),
                &block.vars,
            ));
            if !block.beside.is_empty() {
                all.insert("host");
            }
        }
        if let Some(block) = uses
            .revoke
            .as_deref()
            .and_then(|v| self.blocks.revoke.get(v))
        {
            if block.builtin.is_some() {
                return None;
            }
            let find = block.find.as_ref().map(|find| &find.request);
            for request in block.request.iter().chain(find) {
                all.extend(of_calls(
                    &request.variables().collect::<Vec<_>>(),
                    &block.vars,
                ));
            }
        }
        Some(all)
    }

    /// Whether what proves a rule's credentials asks with parts that are found beside them: whether they are its, its provider alone knows.
    #[must_use]
    pub fn is_paired(&self, rule: &str) -> bool {
        let Some(uses) = self.blocks.rules.get(rule) else {
            return false;
        };
        let Some(proof) = self.proof(rule) else {
            return false;
        };
        let asked = proof.request.as_ref().map(|request| {
            let names: Vec<&str> = request.variables().collect();
            of_calls(&names, &proof.vars)
        });
        let is_asked = |part: &String| {
            asked
                .as_ref()
                .is_none_or(|names| names.contains(&part.as_str()))
        };
        uses.near.iter().any(is_asked)
    }

    /// What the block of a rule says of proving its credentials.
    #[must_use]
    pub fn proof(&self, rule: &str) -> Option<&Verify> {
        let uses = self.blocks.rules.get(rule)?;
        self.blocks.verify.get(uses.verify.as_deref()?)
    }

    /// Adds to a finding's credential what its active answer tells of it.
    pub fn learn(&self, finding: &mut Finding) {
        let said = finding.verification.as_ref().map(|c| &c.verification);
        let (Some(Verification::Active(identity)), Some(provider)) =
            (said, self.verifier(&finding.rule))
        else {
            return;
        };
        let learned = provider.learned(&finding.credential, identity);
        let parts = &mut finding.credential.parts;
        for (name, value) in learned {
            if !parts.iter().any(|(known, _)| *known == name) {
                parts.push((name, value));
                parts.sort();
            }
        }
    }

    /// What ends credentials of a rule.
    #[must_use]
    pub fn revoker(&self, rule: &str) -> Option<Box<dyn Revoke + '_>> {
        let uses = self.blocks.rules.get(rule)?;
        let block = self.blocks.revoke.get(uses.revoke.as_deref()?)?;
        match block.builtin.as_deref() {
            None => Some(Box::new(declared::DeclaredRevoke::new(
                block,
                &uses.provider,
                uses.verify
                    .as_deref()
                    .and_then(|v| self.blocks.verify.get(v)),
                self.known(&uses.provider),
            ))),
            Some("postgres") => Some(Box::new(login::Logins::new(postgres::Postgres, block))),
            Some("redis") => Some(Box::new(login::Logins::new(redis::Redis, block))),
            Some("aws") => Some(Box::new(Staged(aws::AwsRevoke::new(
                block,
                self.blocks.revoke.get("aws.console-session")?,
            )))),
            Some("gcp") => Some(Box::new(Staged(gcp::GcpRevoke::new(block)))),
            Some(_) => None,
        }
    }
}

/// The parts among the variables of calls.
fn of_calls<'b>(names: &[&'b str], vars: &'b BTreeMap<String, block::Var>) -> Vec<&'b str> {
    let own = ["secret", "found"];
    let names = names
        .iter()
        .copied()
        .filter(|name| !vars.contains_key(*name));
    names
        .chain(vars.values().map(|var| var.from.as_str()))
        .filter(|name| !own.contains(name) && !name.contains('.'))
        .collect()
}

/// What an error of the network says of a verification.
impl From<Error> for Doubt {
    fn from(error: Error) -> Self {
        match error {
            Error::Unreachable { host, why, .. } | Error::Malformed { host, why } => {
                Self::Network(format!("{host}: {why}"))
            }
            Error::Timeout { .. } => Self::Timeout,
            Error::Refused { host, why } => Self::Refused(format!("{host}: {why}")),
            Error::TooLong { .. } => Self::TooLong,
            Error::Budget { .. } => Self::Budget,
            Error::Held { .. } => Self::RateLimited,
            Error::Interrupted { .. } => Self::Interrupted,
        }
    }
}
