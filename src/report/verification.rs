//! What a provider said of a finding: as a record, read back, and in words.
//!
//! All of it but the first word comes from a foreign server, so it passes the redactor like scanned material.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Redactor, Report, counted, grouped, printable};
use crate::model::{Checked, Doubt, Finding, Identity, Level, Tally, Verification};

/// Characters of one foreign text in a sentence.
const PIECE: usize = 120;
/// Scopes in a sentence.
const SCOPES: usize = 12;

/// The record of a verification.
#[derive(Serialize, Deserialize, Clone)]
pub(super) struct Row {
    status: String,
    /// Why it does not work, or why nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The sort of doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<Cow<'static, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<IdentityRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checked_at: Option<String>,
    /// How long the question took.
    #[serde(default)]
    seconds: f64,
}

#[derive(Serialize, Deserialize, Clone, Default)]
struct IdentityRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    level: Option<Cow<'static, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl Row {
    pub(super) fn of(redactor: &Redactor, checked: &Checked) -> Self {
        let text = |text: &String| redactor.redact(text.as_bytes());
        let (mut reason, mut cause, mut identity) = (None, None, None);
        match &checked.verification {
            Verification::Active(whose) => {
                identity = Some(IdentityRow {
                    account: whose.account.as_ref().map(text),
                    owner: whose.owner.as_ref().map(text),
                    scopes: whose.scopes.iter().map(text).collect(),
                    level: whose.level.map(|level| level.word().into()),
                    expires: whose.expires.as_ref().map(text),
                    key: whose.key.as_ref().map(text),
                });
            }
            Verification::Inactive(why) if why.is_empty() => {}
            Verification::Inactive(why) => reason = Some(text(why)),
            Verification::Unknown(doubt) => {
                reason = Some(text(&doubt.to_string()));
                cause = Some(doubt.word().into());
            }
            Verification::Unsupported => {}
        }
        Self {
            status: checked.verification.word().to_owned(),
            reason,
            cause,
            identity,
            checked_at: Some(checked.at.to_string()),
            seconds: checked.took.as_millis() as f64 / 1e3,
        }
    }

    /// `None` for a status that this version does not know.
    pub(super) fn checked(self) -> Option<Checked> {
        let reason = self.reason.unwrap_or_default();
        let verification = match self.status.as_str() {
            "active" => {
                let row = self.identity.unwrap_or_default();
                Verification::Active(Identity {
                    account: row.account,
                    owner: row.owner,
                    scopes: row.scopes,
                    level: row.level.and_then(|word| Level::of(&word)),
                    expires: row.expires,
                    key: row.key,
                })
            }
            "inactive" => Verification::Inactive(reason),
            "unknown" => Verification::Unknown(Doubt::read(&reason)),
            "unsupported" => Verification::Unsupported,
            _ => return None,
        };
        let at = self.checked_at.and_then(|time| time.parse().ok());
        let millis = (self.seconds * 1e3).round().clamp(0.0, 1e12);
        Some(Checked {
            verification,
            at: at.unwrap_or(Timestamp::UNIX_EPOCH),
            took: Duration::from_millis(millis as u64),
        })
    }
}

/// The record of a finding's verification.
pub(super) fn row(report: &Report<'_>, finding: &Finding) -> Option<Row> {
    let checked = finding.verification.as_ref()?;
    Some(Row::of(report.redactor, checked))
}

/// A verification as JSON reports have it.
#[must_use]
pub fn verification_value(redactor: &Redactor, checked: &Checked) -> Value {
    serde_json::to_value(Row::of(redactor, checked)).unwrap_or_default()
}

/// The record in a report's property bag.
pub(super) fn read(value: &Value) -> Option<Checked> {
    Row::deserialize(value).ok()?.checked()
}

/// A verification in one printable line: `active, account acme, owner jane, write (repo, workflow), expires 2027-01-31`.
#[must_use]
pub fn verification_text(redactor: &Redactor, checked: &Checked) -> String {
    let text = |text: &str| {
        let shown = redactor.printable(text.as_bytes());
        super::sarif::cut(shown, PIECE)
    };
    let mut out = checked.verification.word().to_owned();
    match &checked.verification {
        Verification::Active(whose) => {
            for (name, value) in [("account", &whose.account), ("owner", &whose.owner)] {
                if let Some(value) = value {
                    let _ = write!(out, ", {name} {}", text(value));
                }
            }
            if let Some(level) = whose.level {
                let _ = write!(out, ", {}", level.word());
            }
            if !whose.scopes.is_empty() {
                let mut scopes: Vec<String> =
                    whose.scopes.iter().take(SCOPES).map(|s| text(s)).collect();
                let more = whose.scopes.len() - scopes.len();
                if more > 0 {
                    scopes.push(format!("{} more", grouped(more as u64)));
                }
                let comma = if whose.level.is_some() { "" } else { "," };
                let _ = write!(out, "{comma} ({})", scopes.join(", "));
            }
            for (name, value) in [("expires", &whose.expires), ("key", &whose.key)] {
                if let Some(value) = value {
                    let _ = write!(out, ", {name} {}", text(value));
                }
            }
        }
        Verification::Inactive(why) if why.is_empty() => {}
        Verification::Inactive(why) => {
            let _ = write!(out, ": {}", text(why));
        }
        Verification::Unknown(doubt) => {
            let _ = write!(out, ": {}", text(&doubt.to_string()));
        }
        Verification::Unsupported => out.push_str(": no call is known that proves it"),
    }
    out
}

/// The same with the time, for a finding that was verified.
pub(super) fn told(report: &Report<'_>, finding: &Finding) -> Option<String> {
    let checked = finding.verification.as_ref()?;
    let text = verification_text(report.redactor, checked);
    Some(match checked.verification {
        Verification::Unsupported => text,
        _ => format!("{text} ({})", checked.at),
    })
}

/// Where a finding comes among those of its severity: what works first, what does not last.
pub(super) fn rank(finding: &Finding) -> u8 {
    match finding.verification.as_ref().map(|c| &c.verification) {
        Some(Verification::Active(_)) => 0,
        Some(Verification::Inactive(_)) => 2,
        _ => 1,
    }
}

/// `verified: 3 active, 5 inactive, 2 unknown (1 timeout, 1 rate-limited), 4 unsupported`.
pub(super) fn summed(tally: &Tally) -> String {
    let unknown: u64 = tally
        .unknown
        .values()
        .fold(0, |sum, n| sum.saturating_add(*n));
    let mut reasons: Vec<String> = Vec::new();
    for (word, count) in &tally.unknown {
        reasons.push(format!("{} {word}", grouped(*count)));
    }
    let reasons = if reasons.is_empty() {
        String::new()
    } else {
        format!(" ({})", reasons.join(", "))
    };
    format!(
        "verified: {} active, {} inactive, {} unknown{reasons}, {} unsupported",
        grouped(tally.active),
        grouped(tally.inactive),
        grouped(unknown),
        grouped(tally.unsupported)
    )
}

/// `5 findings are not known to be active`.
pub(super) fn hidden(tally: &Tally) -> Option<String> {
    (tally.hidden > 0).then(|| {
        let findings = counted(tally.hidden, "finding is", "findings are");
        format!("{findings} not known to be active")
    })
}

/// The record of a run's counts.
#[derive(Serialize, Deserialize)]
pub(super) struct TallyRow {
    active: u64,
    inactive: u64,
    unknown: u64,
    unsupported: u64,
    /// By the sort of doubt.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    causes: BTreeMap<String, u64>,
    /// Those that are left out.
    #[serde(default)]
    hidden: u64,
}

impl TallyRow {
    pub(super) fn of(tally: &Tally) -> Self {
        Self {
            active: tally.active,
            inactive: tally.inactive,
            unknown: tally
                .unknown
                .values()
                .fold(0, |sum, n| sum.saturating_add(*n)),
            unsupported: tally.unsupported,
            causes: tally
                .unknown
                .iter()
                .map(|(word, count)| ((*word).to_owned(), *count))
                .collect(),
            hidden: tally.hidden,
        }
    }

    pub(super) fn tally(self) -> Tally {
        let mut unknown: BTreeMap<&'static str, u64> = BTreeMap::new();
        for (cause, count) in self.causes {
            // A sort that only a later version knows is still a doubt.
            let known = Doubt::WORDS.into_iter().find(|word| *word == cause);
            let total = unknown.entry(known.unwrap_or("answer")).or_default();
            *total = total.saturating_add(count);
        }
        Tally {
            active: self.active,
            inactive: self.inactive,
            unknown,
            unsupported: self.unsupported,
            hidden: self.hidden,
        }
    }
}

/// A word for a narrow column or cell; empty where nobody asked.
pub(super) fn word(finding: &Finding) -> &'static str {
    let checked = finding.verification.as_ref();
    checked.map_or("", |checked| checked.verification.word())
}

/// Names and values of an identity, in the order of reports; all printable.
pub(super) fn facts(report: &Report<'_>, finding: &Finding) -> Vec<(&'static str, String)> {
    let Some(Checked {
        verification: Verification::Active(whose),
        ..
    }) = &finding.verification
    else {
        return Vec::new();
    };
    let text = |text: &str| printable(&report.redactor.redact(text.as_bytes())).into_owned();
    let scopes: Vec<String> = whose.scopes.iter().map(|scope| text(scope)).collect();
    [
        ("account", whose.account.as_deref().map(text)),
        ("owner", whose.owner.as_deref().map(text)),
        ("level", whose.level.map(|level| level.word().to_owned())),
        ("scopes", (!scopes.is_empty()).then(|| scopes.join(" "))),
        ("expires", whose.expires.as_deref().map(text)),
        ("key", whose.key.as_deref().map(text)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}
