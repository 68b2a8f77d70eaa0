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
/// Characters of a reason: it ends with what mends it, so that it is not to be cut before.
const REASON: usize = 600;
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
    let cut = |text: &str, most| {
        let shown = redactor.printable(text.as_bytes());
        super::sarif::cut(shown, most)
    };
    let text = |text: &str| cut(text, PIECE);
    let reason = |text: &str| cut(text, REASON);
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
            let _ = write!(out, ": {}", reason(why));
        }
        Verification::Unknown(doubt) => {
            let _ = write!(out, ": {}", reason(&doubt.to_string()));
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

#[cfg(test)]
mod tests {
    use super::super::{FORMATS, Json, Options, Sarif, Stored, by_name, sample};
    use super::*;
    use crate::report::Reporter;

    fn written(format: &dyn Reporter) -> String {
        let (findings, summary) = sample::verified();
        sample::written(format, &findings, &[], &summary, Options::default())
    }

    #[test]
    fn every_format_says_what_the_provider_said_and_obeys_none_of_it() {
        for name in FORMATS {
            let text = written(&*by_name(name).expect("a format"));
            for word in [
                "active", "inactive", "503", "revoked", "acme", "repo", "write",
            ] {
                assert!(text.contains(word), "{name}: no {word} in\n{text}");
            }
            assert!(!text.contains(&sample::token()), "{name} shows the secret");
            assert!(!text.contains(['\u{1b}', '\u{202e}']), "{name}: {text}");
            if !["csv", "sonarqube", "junit"].contains(&name) {
                assert!(
                    text.contains("1 active") || text.replace(' ', "").contains("\"active\":1"),
                    "{name}: {text}"
                );
            }
        }
    }

    #[test]
    fn json_and_sarif_are_read_back_as_they_were() {
        let (mut findings, summary) = sample::verified();
        for format in [&Json as &dyn Reporter, &Sarif] {
            let text = written(format);
            let read = Stored::read("report", text.as_bytes()).expect("a report");
            assert_eq!(read.summary.verified, summary.verified);
            findings.sort_by_key(|f| f.fingerprint);
            let mut back = read.findings;
            back.sort_by_key(|f| f.fingerprint);
            let redacted = |checked: &Checked| {
                let redactor = Redactor::new(&findings, false);
                verification_value(&redactor, checked)
            };
            for (one, back) in findings.iter().zip(&back) {
                let (one, back) = (one.verification.as_ref(), back.verification.as_ref());
                assert_eq!(one.map(redacted), back.map(redacted));
            }
        }
    }

    #[test]
    fn what_works_comes_first_and_what_does_not_last() {
        let text = written(&*by_name("text").expect("a format"));
        let at = |word: &str| {
            text.find(word)
                .unwrap_or_else(|| panic!("{word} in\n{text}"))
        };
        assert!(at("status:  active, account acme") < at("status:  unsupported: no call"));
        assert!(at("status:  unknown: answered 503") < at("status:  inactive: the token"));
        assert!(text.contains(
            "verified: 1 active, 1 inactive, 2 unknown (1 network, 1 status), 1 unsupported"
        ));
        assert!(text.contains("2 findings are not known to be active and not shown"));
    }

    #[test]
    fn of_two_reports_the_later_word_counts() {
        let (findings, _) = sample::verified();
        let one = |number: usize, seconds: i64| {
            let mut finding = findings[number].clone();
            finding.fingerprint = findings[0].fingerprint;
            if let Some(checked) = &mut finding.verification {
                checked.at = Timestamp::from_second(seconds).expect("a time");
            }
            Stored {
                summary: crate::model::Summary {
                    verified: Tally::of([&finding]),
                    ..Default::default()
                },
                findings: vec![finding],
                ..Stored::default()
            }
        };
        for (first, second) in [((1, 10), (3, 20)), ((3, 20), (1, 10))] {
            let mut all = one(first.0, first.1);
            all.merge(one(second.0, second.1));
            assert_eq!(word(&all.findings[0]), "active");
            let tally = all.summary.verified.unwrap_or_default();
            assert_eq!((tally.active, tally.inactive), (1, 0));
        }
    }
}
