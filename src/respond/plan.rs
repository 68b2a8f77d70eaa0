//! What would be done, as data: which keys die, by whose authority, what it costs, and what is left to a person.

use std::time::Duration;

use serde::Serialize;

use super::run::unproven;
use super::{Held, Kinds, Policy, Use, Uses};
use crate::model::{ConfirmedLeak, Finding, Fingerprint, Verification};
use crate::net::{Net, placed};
use crate::provider::{Authority, Needed, Terms};

/// What would be done about the leaks of a report.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    /// Leaks to end, in the report's order.
    pub leaks: Vec<Planned>,
    /// Findings that are left as they are.
    pub left_out: Vec<LeftOut>,
    /// What was not searched for uses of the keys, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_searched: Vec<String>,
}

/// What would be done about a leak. Its texts come from rules, providers and the tree: they are cleaned before they are shown.
#[derive(Debug, Clone, Serialize)]
pub struct Planned {
    /// Index of the finding.
    #[serde(skip)]
    pub index: usize,
    /// The rule's id.
    pub rule: String,
    /// The rule's title.
    pub name: String,
    /// The provider's name.
    pub provider: String,
    /// How bad it is, in one word.
    pub severity: &'static str,
    /// Its redacted form.
    pub secret: String,
    /// Identity across runs.
    pub fingerprint: String,
    /// Whether the provider said that it is active; else a person named it.
    pub confirmed: bool,
    /// What its provider said where it did not say that it is active.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub doubt: String,
    /// Which login it is of, as far as the place tells: `app@db.acme.io`; one secret may be of several.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub login: String,
    /// Whose it is: account, owner, scopes, level, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identity: Vec<String>,
    /// Where it stands: `path:line`, the first of them.
    pub places: Vec<String>,
    /// How many more places there are.
    pub more_places: usize,
    /// What dies, in words.
    pub object: String,
    /// Whose authority is needed.
    pub authority: Authorised,
    /// What is done, in order; empty where only a person can do it.
    pub stages: Vec<PlannedStage>,
    /// Within how many seconds the provider refuses the key.
    pub deadline: u64,
    /// What else happens.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub effect: String,
    /// What a person does: all of it, or what is left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_hand: Vec<String>,
    /// The page where a person does it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub console: String,
    /// The provider's page that documents it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// What else depends on it, as far as the tree says.
    pub used_by: Vec<Use>,
}

/// Whose authority ends a key, and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "whose", rename_all = "kebab-case")]
pub enum Authorised {
    /// Nobody's: the call is anonymous.
    Nobody,
    /// The leaked key's own.
    Itself,
    /// Another credential of the caller's, which is there.
    Owner {
        /// Name in the configuration.
        name: String,
    },
    /// Another credential of the caller's, which is not there.
    Missing {
        /// Name in the configuration.
        name: String,
        /// What is missing and how to give it.
        mend: String,
    },
    /// A person, at the console.
    Person,
}

impl Authorised {
    /// Who it is, in words: `nobody (the call is anonymous)`.
    #[must_use]
    pub fn who(&self) -> String {
        match self {
            Self::Nobody => "nobody (the call is anonymous)".to_owned(),
            Self::Itself => "the leaked key itself".to_owned(),
            Self::Owner { name } | Self::Missing { name, .. } => format!("[authority.{name}]"),
            Self::Person => "a person".to_owned(),
        }
    }

    /// Whose it is, in words: `nobody's: the call is anonymous`.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Nobody => "nobody's: the call is anonymous".to_owned(),
            Self::Itself => "the leaked key's own".to_owned(),
            Self::Owner { name } => format!("yours: [authority.{name}]"),
            Self::Missing { name, .. } => format!("yours: [authority.{name}], which is not there"),
            Self::Person => "a person's, at the provider".to_owned(),
        }
    }
}

/// A stage of a revocation as a plan tells it.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedStage {
    /// In words.
    pub what: String,
    /// Whether it can be undone.
    pub reversible: bool,
    /// How, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub undo: String,
    /// Whether it may be sent again where its answer was lost.
    pub repeatable: bool,
    /// Whether the key is refused once it is done.
    pub kills: bool,
    /// Seconds after the stage before it.
    pub after: u64,
    /// The request, redacted; `None` where it cannot be written yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// A finding that is left as it is.
#[derive(Debug, Clone, Serialize)]
pub struct LeftOut {
    /// The rule's id.
    pub rule: String,
    /// The rule's title.
    pub name: String,
    /// Its redacted form.
    pub secret: String,
    /// Identity across runs.
    pub fingerprint: String,
    /// Which login it is of; as in [`Planned::login`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub login: String,
    /// Where it stands; as in [`Planned::places`].
    pub places: Vec<String>,
    /// How many more places there are.
    pub more_places: usize,
    /// What its provider says of it, in one word; `unchecked` where it was not asked.
    pub status: &'static str,
    /// Why it is left.
    pub why: String,
    /// Whether it is ended where a person names it.
    #[serde(skip)]
    pub can_end: bool,
    /// Whether something in the way kept its provider from saying more: asking again may help.
    #[serde(skip)]
    pub is_trouble: bool,
    /// Whether a person names it, and it is not ended all the same.
    #[serde(skip)]
    pub is_refused: bool,
}

/// Places of a leak that a plan names.
const PLACES: usize = 5;

/// The leak that may be ended: proven active, or named by a person.
#[must_use]
pub(super) fn confirmed<'f>(
    finding: &'f Finding,
    named: &[Fingerprint],
) -> Option<ConfirmedLeak<'f>> {
    ConfirmedLeak::new(finding).or_else(|| {
        let by_person = named.iter().find(|print| **print == finding.fingerprint)?;
        ConfirmedLeak::named(finding, *by_person)
    })
}

/// Makes the plan for findings that were verified. `named` are fingerprints of leaks that a person wants ended although they are
/// not proven active.
#[must_use]
pub fn plan(
    findings: &[Finding],
    kinds: &dyn Kinds,
    held: &Held<'_>,
    policy: &Policy,
    named: &[Fingerprint],
) -> Plan {
    let mut plan = Plan::default();
    for (index, finding) in findings.iter().enumerate() {
        let leak = confirmed(finding, named);
        let unproven = unproven(finding, kinds);
        if let (Some(leak), None) = (&leak, &unproven) {
            plan.leaks.push(planned(index, leak, kinds, held, policy));
        } else {
            let (status, mut why) = reason(finding, named);
            let is_refused = leak.is_some();
            let can_end = status != "inactive" && unproven.is_none();
            if let (true, Some(unproven)) = (is_refused, unproven) {
                why = unproven;
            }
            plan.left_out.push(LeftOut {
                rule: finding.rule.clone(),
                name: finding.name.clone(),
                secret: finding.credential.secret.redacted(),
                fingerprint: finding.fingerprint.to_string(),
                login: login(finding),
                places: places(finding),
                more_places: finding.places.len().saturating_sub(PLACES),
                status,
                why,
                can_end,
                is_refused,
                is_trouble: matches!(
                    finding.verification.as_ref().map(|c| &c.verification),
                    Some(Verification::Unknown(doubt)) if doubt.is_trouble()
                ),
            });
        }
    }
    plan
}

impl Plan {
    /// Adds what depends on the keys: `uses` are of [`Plan::findings`], in that order.
    pub fn depend(&mut self, uses: Uses) {
        self.not_searched = uses.gaps;
        for (leak, uses) in self.leaks.iter_mut().zip(uses.of) {
            leak.used_by = uses;
        }
    }

    /// The findings of which nothing is known.
    pub fn not_known(&self) -> impl Iterator<Item = &LeftOut> {
        self.left_out.iter().filter(|left| left.status == "unknown")
    }

    /// Says of the requests where they go.
    pub fn place(&mut self, net: &dyn Net) {
        let stages = self.leaks.iter_mut().flat_map(|leak| &mut leak.stages);
        for request in stages.filter_map(|stage| stage.request.as_mut()) {
            *request = placed(net, request);
        }
    }

    /// The findings that the leaks are of, in order.
    #[must_use]
    pub fn findings<'f>(&self, all: &'f [Finding]) -> Vec<&'f Finding> {
        self.leaks.iter().filter_map(|l| all.get(l.index)).collect()
    }
}

impl Planned {
    /// Whether something is done without a person.
    #[must_use]
    pub fn is_automatic(&self) -> bool {
        !self.stages.is_empty()
    }
}

fn planned(
    index: usize,
    leak: &ConfirmedLeak<'_>,
    kinds: &dyn Kinds,
    held: &Held<'_>,
    policy: &Policy,
) -> Planned {
    let finding = leak.finding();
    let key = leak.credential();
    let revoker = kinds.revoker(&finding.rule);
    let terms = revoker
        .as_ref()
        .map_or_else(|| by_hand(finding), |r| r.terms(key));
    let (authorised, authority) = authorised(&terms, held);
    let stages = terms.stages.iter().enumerate();
    let stages = stages.map(|(at, stage)| PlannedStage {
        what: stage.what.clone(),
        reversible: stage.reversible,
        undo: stage.undo.clone(),
        repeatable: stage.repeatable,
        kills: stage.kills,
        after: policy.after(stage.after).as_secs(),
        request: revoker
            .as_ref()
            .and_then(|r| r.preview(key, &authority, at).ok())
            .filter(|text| !text.is_empty()),
    });
    Planned {
        index,
        rule: finding.rule.clone(),
        name: finding.name.clone(),
        provider: finding.provider.clone(),
        severity: finding.severity.word(),
        secret: key.secret.redacted(),
        fingerprint: finding.fingerprint.to_string(),
        login: login(leak.finding()),
        confirmed: leak.identity().is_some(),
        doubt: if leak.identity().is_some() {
            String::new()
        } else {
            let (status, why) = reason(finding, &[]);
            format!("{status}: {why}")
        },
        identity: identity(leak),
        places: places(finding),
        more_places: finding.places.len().saturating_sub(PLACES),
        stages: stages.collect(),
        object: terms.object,
        authority: authorised,
        deadline: policy.deadline.unwrap_or(terms.deadline).as_secs(),
        effect: terms.effect,
        by_hand: terms.steps,
        console: terms.console,
        source: terms.source,
        used_by: Vec::new(),
    }
}

/// The first places of a finding, in words.
fn places(finding: &Finding) -> Vec<String> {
    let places = finding.places.iter().take(PLACES).map(|place| {
        let path = String::from_utf8_lossy(&place.path);
        match place.commit.or(place.blob) {
            Some(object) => format!("{path}:{} ({:.10})", place.start.line, object.to_string()),
            None => format!("{path}:{}", place.start.line),
        }
    });
    places.collect()
}

/// The terms of a kind that no block says how to end.
pub(super) fn by_hand(finding: &Finding) -> Terms {
    let remedy = if finding.remedy.is_empty() {
        "End the key at its provider.".to_owned()
    } else {
        finding.remedy.clone()
    };
    Terms {
        object: finding.name.clone(),
        needed: Needed::Person,
        stages: Vec::new(),
        effect: String::new(),
        deadline: Duration::from_secs(60),
        steps: vec![remedy],
        console: finding.console.clone(),
        source: finding.link.clone(),
    }
}

/// Whose authority it is, and the authority itself.
pub(super) fn authorised(terms: &Terms, held: &Held<'_>) -> (Authorised, Authority) {
    let none = Authority::default();
    match &terms.needed {
        Needed::Nobody => (Authorised::Nobody, none),
        Needed::Itself => (Authorised::Itself, none),
        Needed::Person => (Authorised::Person, none),
        Needed::Owner { name, parts } => {
            let missing = |mend| Authorised::Missing {
                name: name.clone(),
                mend,
            };
            match held(name, parts) {
                Err(mend) => (missing(mend), none),
                Ok(authority) => {
                    let lacking = parts
                        .iter()
                        .find(|part| !authority.parts.contains_key(*part));
                    match lacking {
                        Some(part) => (missing(mend(name, part)), none),
                        None => (Authorised::Owner { name: name.clone() }, authority),
                    }
                }
            }
        }
    }
}

fn mend(name: &str, part: &str) -> String {
    let variable = Authority::variable(name, part);
    format!(
        "the {part} of a credential of your own for {name} is needed: write `{part} = {{ env = \"…\" }}` under [authority.{name}] of your configuration, or set {variable}"
    )
}

/// User and host of a finding, each where it is known.
fn login(finding: &Finding) -> String {
    let part = |name| finding.credential.part(name).unwrap_or_default();
    match (part("user"), part("host")) {
        ("", host) => host.to_owned(),
        (user, "") => user.to_owned(),
        (user, host) => format!("{user}@{host}"),
    }
}

fn identity(leak: &ConfirmedLeak<'_>) -> Vec<String> {
    let Some(identity) = leak.identity() else {
        return Vec::new();
    };
    let mut words = Vec::new();
    let mut add = |what: &str, value: Option<&str>| {
        if let Some(value) = value {
            words.push(format!("{what} {value}"));
        }
    };
    add("account", identity.account.as_deref());
    add("owner", identity.owner.as_deref());
    add("key", identity.key.as_deref());
    add("level", identity.level.map(crate::model::Level::word));
    let scopes = identity.scopes.join(", ");
    add("scopes", (!scopes.is_empty()).then_some(&*scopes));
    add("expires", identity.expires.as_deref());
    words
}

/// Why a finding is not planned.
fn reason(finding: &Finding, named: &[Fingerprint]) -> (&'static str, String) {
    let checked = finding.verification.as_ref().map(|c| &c.verification);
    let status = checked.map_or("unchecked", Verification::word);
    let why = match checked {
        _ if named.contains(&finding.fingerprint) => {
            "its secret no longer stands at any of its places".to_owned()
        }
        Some(Verification::Active(_)) => {
            "its secret no longer stands at any of its places".to_owned()
        }
        Some(Verification::Inactive(why)) if why.is_empty() => "refused by its provider".to_owned(),
        Some(Verification::Inactive(why)) => why.clone(),
        Some(Verification::Unknown(doubt)) => doubt.to_string(),
        Some(Verification::Unsupported) => "no way to ask its provider is known".to_owned(),
        None => "its provider was not asked".to_owned(),
    };
    (status, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Doubt, Secret};
    use crate::respond::fake::{Fake, active, finding, inactive, unknown};

    #[expect(clippy::unnecessary_wraps, reason = "what gives authority can fail")]
    fn held(name: &str, _: &[String]) -> Result<Authority, String> {
        let mut authority = Authority::default();
        if name == "there" {
            let value = Secret::new(b"0123456789", "");
            authority.parts.insert("token".to_owned(), value);
        }
        Ok(authority)
    }

    #[test]
    fn one_secret_of_several_logins_is_told_apart() {
        let of = |user: &str| {
            let mut leak = finding("a.env", "DATABASE_URL=", "secret-value-1");
            let parts = [("user", user), ("host", "db.acme.io")];
            leak.credential.parts = parts.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec();
            leak
        };
        let all = [active(of("app")), inactive(of("old"))];
        let plan = plan(&all, &Fake::new().kinds(), &held, &Policy::default(), &[]);
        assert_eq!(plan.leaks[0].login, "app@db.acme.io");
        assert_eq!(plan.left_out[0].login, "old@db.acme.io");
    }

    #[test]
    fn only_active_leaks_and_those_that_a_person_names_are_planned() {
        let leak = |n: u8| finding("a.env", "DEPLOY_TOKEN=", &format!("secret-value-{n}"));
        let all = [
            active(leak(1)),
            inactive(leak(2)),
            unknown(leak(3), Doubt::RateLimited),
            leak(4),
        ];
        let kinds = Fake::new().kinds();
        let policy = Policy::default();
        let bare = plan(&all, &kinds, &held, &policy, &[]);
        assert_eq!(bare.leaks.len(), 1);
        let why: Vec<_> = bare.left_out.iter().map(|l| (l.status, &*l.why)).collect();
        assert_eq!(
            why,
            [
                ("inactive", "revoked"),
                ("unknown", "rate limited"),
                ("unchecked", "its provider was not asked"),
            ]
        );
        let more = plan(&all, &kinds, &held, &policy, &[all[2].fingerprint]);
        let confirmed: Vec<_> = more.leaks.iter().map(|l| l.confirmed).collect();
        assert_eq!(confirmed, [true, false]);
    }

    #[test]
    fn a_missing_authority_is_told_with_its_mend_and_the_grace_is_the_callers() {
        let all = [active(finding("a.env", "DEPLOY_TOKEN=", "secret-value"))];
        let policy = Policy {
            grace: Some(Duration::from_secs(60)),
            ..Policy::default()
        };
        let there = plan(
            &all,
            &Fake::new().owned_by("there").kinds(),
            &held,
            &policy,
            &[],
        );
        let owner = Authorised::Owner {
            name: "there".to_owned(),
        };
        assert_eq!(there.leaks[0].authority, owner);
        let stages: Vec<_> = there.leaks[0].stages.iter().map(|s| s.after).collect();
        assert_eq!(stages, [0, 60]);
        let lost = plan(
            &all,
            &Fake::new().owned_by("not-there").kinds(),
            &held,
            &policy,
            &[],
        );
        let Authorised::Missing { mend, .. } = &lost.leaks[0].authority else {
            panic!("{:?}", lost.leaks[0].authority);
        };
        assert!(mend.contains("KEYSWEEP_NOT_THERE_TOKEN"), "{mend}");
    }

    #[test]
    fn a_kind_without_a_call_is_left_to_a_person_with_the_remedy_of_its_rule() {
        let all = [active(finding("a.env", "DEPLOY_TOKEN=", "secret-value"))];
        let kinds = Fake::new().without_revoker().kinds();
        let plan = plan(&all, &kinds, &held, &Policy::default(), &[]);
        assert!(!plan.leaks[0].is_automatic());
        assert_eq!(plan.leaks[0].by_hand, ["Revoke it."]);
    }
}
