//! `gitlab`: the secret detection report of GitLab, schema 15.2, for `artifacts:reports:secret_detection`.
//!
//! GitLab knows one location a vulnerability, so each place is one; its id is made of fingerprint and place
//! and is the same in each run. So is its description, by which DefectDojo tells findings apart: what changes from day to day stands in the
//! details. Nothing is in clear: the source extract is the redacted secret.
//! <https://docs.gitlab.com/development/integrations/secure/#report>

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::escaped::write_document;
use super::sarif::is_url;
use super::{
    Report, Reporter, by_severity, grouped, hex, history, named, place_fingerprint, printable,
    shown_bytes, verification, words,
};
use crate::model::{Finding, Origin, Place, Severity};

const VERSION: &str = "15.2.1";
/// Places of one finding that are vulnerabilities of their own.
const PLACES: usize = 100;
/// Characters of a name.
const NAME: usize = 255;
/// Characters of a solution.
const SOLUTION: usize = 7_000;
/// Messages about what was not scanned.
const MESSAGES: usize = 1_000;

/// GitLab's report of secret detection.
#[derive(Debug, Clone, Copy)]
pub struct Gitlab;

impl Reporter for Gitlab {
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        write_document(&document(report), out)
    }
}

fn document(report: &Report<'_>) -> Value {
    let mut vulnerabilities = Vec::new();
    let mut messages: Vec<Value> = words::incomplete(report)
        .into_iter()
        .chain(words::gaps(report).take(MESSAGES))
        .map(|text| json!({"level": "warn", "value": text}))
        .collect();
    if let Some(tally) = &report.summary.verified {
        messages.push(json!({"level": "info", "value": verification::summed(tally)}));
    }
    let left = words::left_out(report.summary, |_| String::new());
    if !left.is_empty() {
        let text = format!("not scanned: {}", left.join(", "));
        messages.push(json!({"level": "info", "value": text}));
    }
    for finding in by_severity(report.findings) {
        let mut places = 0;
        // Two commits that brought the same line of a file are one vulnerability.
        let mut ids = BTreeSet::new();
        for place in report.places(finding) {
            places += 1;
            let id = id(report, finding, place);
            if places <= PLACES && ids.insert(id.clone()) {
                vulnerabilities.push(vulnerability(report, finding, place, &id));
            }
        }
        if places > PLACES {
            let text = format!(
                "{} more places of finding {} are not listed",
                grouped((places - PLACES) as u64),
                finding.fingerprint
            );
            messages.push(json!({"level": "warn", "value": text}));
        }
    }
    let mut tool = json!({
        "id": "keysweep",
        "name": "keysweep",
        "vendor": {"name": "keysweep"},
        "version": env!("CARGO_PKG_VERSION"),
    });
    if !super::sarif::HOMEPAGE.is_empty() {
        tool["url"] = super::sarif::HOMEPAGE.into();
    }
    let (start, end) = times(report);
    json!({
        "version": VERSION,
        "scan": {
            "analyzer": tool,
            "scanner": tool,
            "type": "secret_detection",
            "start_time": start,
            "end_time": end,
            "status": if report.is_complete() { "success" } else { "failure" },
            "messages": messages,
        },
        "vulnerabilities": vulnerabilities,
    })
}

/// When the run began and ended, UTC, as GitLab wants it: without a zone.
fn times(report: &Report<'_>) -> (String, String) {
    let end = report.finished.unwrap_or(Timestamp::UNIX_EPOCH);
    let length = Duration::from_secs(report.elapsed.as_secs());
    let start = end.checked_sub(length).unwrap_or(end);
    let text = |time: Timestamp| {
        let text = time.to_string();
        text.get(..19).unwrap_or(&text).to_owned()
    };
    (text(start), text(end))
}

/// A UUID of version 8, from fingerprint, path and place.
fn id(report: &Report<'_>, finding: &Finding, place: &Place) -> String {
    let mut hash = Sha256::new();
    hash.update(place_fingerprint(report, finding, &place.path));
    hash.update(place.origin.word());
    hash.update(place.start.line.to_le_bytes());
    hash.update(place.start.column.to_le_bytes());
    if let (Origin::Commit | Origin::Tag, Some(blob)) = (place.origin, place.blob) {
        hash.update(blob.as_bytes());
    }
    let mut bytes: [u8; 16] = std::array::from_fn(|_| 0);
    for (to, from) in bytes.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex(&bytes);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}

fn vulnerability(report: &Report<'_>, finding: &Finding, place: &Place, id: &str) -> Value {
    let secret = printable(&report.redactor.secret(&finding.credential.secret)).into_owned();
    let name = printable(&finding.name).into_owned();
    let severity = match finding.severity {
        Severity::Critical => "Critical",
        Severity::High => "High",
        Severity::Medium => "Medium",
        Severity::Low => "Low",
    };
    let mut description = format!("{name} {secret} at {}.", words::at(report, place));
    let told = verification::told(report, finding);
    if let Some(checked) = &finding.verification {
        let answer = verification::verification_text(report.redactor, checked);
        description = format!("{description} Verified: {answer}.");
    }
    let links: Vec<Value> = [("Console", &finding.console), ("More", &finding.link)]
        .into_iter()
        .filter(|(_, url)| is_url(url))
        .map(|(title, url)| json!({"name": title, "url": url}))
        .collect();
    let mut one = json!({
        "id": id,
        "category": "secret_detection",
        "name": cut(&name, NAME),
        "description": description,
        "severity": severity,
        "solution": cut(&words::next(finding), SOLUTION),
        "raw_source_code_extract": secret,
        "identifiers": [
            {
                "type": "keysweep_rule_id",
                "name": format!("keysweep rule {}", printable(&finding.rule)),
                "value": printable(&finding.rule),
            },
            {
                "type": "keysweep_fingerprint",
                "name": format!("keysweep fingerprint {}", finding.fingerprint),
                "value": finding.fingerprint.to_string(),
            },
            {
                "type": "cwe",
                "name": "CWE-798",
                "value": "798",
                "url": "https://cwe.mitre.org/data/definitions/798.html",
            },
        ],
        "links": links,
        "location": location(report, finding, place),
    });
    let text = |name: &str, value: &str| json!({"type": "text", "name": name, "value": value});
    let mut details = Map::new();
    let state = finding.history.as_ref().map(words::state);
    if let Some(state) = state.filter(|state| !state.is_empty()) {
        details.insert("history".into(), text("History", &state));
    }
    if let Some(told) = told {
        details.insert("verification".into(), text("Verification", &told));
        for (name, value) in verification::facts(report, finding) {
            details.insert(format!("verified_{name}"), text(title(name), &value));
        }
    }
    if !details.is_empty() {
        one["details"] = Value::Object(details);
    }
    one
}

/// What a fact of an identity is called on a page.
fn title(name: &str) -> &'static str {
    match name {
        "account" => "Account",
        "owner" => "Owner",
        "level" => "Level",
        "scopes" => "Scopes",
        "expires" => "Expires",
        _ => "Key",
    }
}

fn location(report: &Report<'_>, finding: &Finding, place: &Place) -> Value {
    let mut commit = Map::new();
    let first = finding.history.as_ref().and_then(|h| h.first.as_ref());
    // Of a tree the commit that is checked out, if it is known; GitLab requires one.
    let sha = place
        .commit
        .map(|id| id.to_string())
        .or_else(|| report.revision.clone())
        .unwrap_or_else(|| "0".repeat(40));
    if let Some(first) = first.filter(|c| Some(c.id) == place.commit) {
        let text = |text: &str| json!(report.redactor.printable(text.as_bytes()));
        commit.insert("author".into(), text(&first.author));
        commit.insert("message".into(), text(&first.subject));
        if let Some(date) = history::date(first.date) {
            commit.insert("date".into(), json!(date));
        }
    }
    commit.insert("sha".into(), json!(printable(&sha)));
    let mut location = Map::new();
    location.insert("commit".into(), Value::Object(commit));
    if matches!(place.origin, Origin::Content | Origin::Name) {
        let path = shown_bytes(report, &place.path);
        let path = String::from_utf8_lossy(&named(&path)).into_owned();
        location.insert("file".into(), json!(printable(&path)));
    }
    if place.origin == Origin::Content {
        let start = place.start.line.max(1);
        location.insert("start_line".into(), json!(start));
        location.insert("end_line".into(), json!(place.end.line.max(start)));
    }
    Value::Object(location)
}

fn cut(text: &str, characters: usize) -> String {
    super::sarif::cut(text.to_owned(), characters)
}

#[cfg(test)]
mod tests {
    use super::super::{Options, sample};
    use super::*;
    use crate::model::Summary;

    fn written(findings: &[Finding], summary: &Summary) -> Value {
        let text = sample::written(&Gitlab, findings, &[], summary, Options::default());
        serde_json::from_str(&text).expect("JSON")
    }

    /// What the schema requires, and what the importer of DefectDojo reads.
    fn check(report: &Value) {
        assert_eq!(report["version"], "15.2.1");
        let scan = &report["scan"];
        assert_eq!(scan["type"], "secret_detection");
        assert!(scan["status"] == "success" || scan["status"] == "failure");
        for time in ["start_time", "end_time"] {
            let text = scan[time].as_str().expect("a time");
            let shape: String = text
                .chars()
                .map(|c| if c.is_ascii_digit() { '0' } else { c })
                .collect();
            assert_eq!(shape, "0000-00-00T00:00:00");
        }
        for tool in ["analyzer", "scanner"] {
            for key in ["/id", "/name", "/version", "/vendor/name"] {
                let text = scan[tool].pointer(key).and_then(Value::as_str);
                assert!(text.is_some_and(|s| !s.is_empty()), "{tool}{key}");
            }
        }
        for message in scan["messages"].as_array().expect("messages") {
            assert!(
                ["info", "warn", "fatal"].contains(&message["level"].as_str().expect("a level"))
            );
            assert!(message["value"].as_str().is_some_and(|s| !s.is_empty()));
        }
        let mut ids = BTreeSet::new();
        for one in report["vulnerabilities"].as_array().expect("a list") {
            let id = one["id"].as_str().expect("an id").to_owned();
            assert!(id.len() == 36 && id.as_bytes()[14] == b'8' && ids.insert(id));
            let identifiers = one["identifiers"].as_array().expect("identifiers");
            assert!(!identifiers.is_empty() && identifiers.len() <= 20);
            for identifier in identifiers {
                for key in ["type", "name", "value"] {
                    assert!(identifier[key].as_str().is_some_and(|s| !s.is_empty()));
                }
            }
            for key in ["name", "description", "solution", "raw_source_code_extract"] {
                assert!(one[key].as_str().is_some_and(|s| !s.is_empty()), "{key}");
            }
            assert!(
                one["name"]
                    .as_str()
                    .is_some_and(|s| s.chars().count() <= 255)
            );
            assert!(
                ["Low", "Medium", "High", "Critical"]
                    .contains(&one["severity"].as_str().expect("a word"))
            );
            let sha = one["location"]["commit"]["sha"].as_str().expect("required");
            assert_eq!(sha.len(), 40);
            for link in one["links"].as_array().expect("links") {
                assert!(link["url"].as_str().is_some_and(is_url));
            }
        }
    }

    #[test]
    fn the_report_has_what_gitlab_requires() {
        let report = written(&sample::findings(), &sample::summary());
        check(&report);
        let all = report["vulnerabilities"].as_array().expect("a list");
        assert_eq!(all.len(), 3);
        assert_eq!(all[0]["location"]["file"], "src/app.py");
        assert_eq!(all[0]["location"]["start_line"], 12);
        assert_eq!(all[0]["raw_source_code_extract"], "ghp_… (40 bytes)");
        assert!(
            all[0]["solution"]
                .as_str()
                .is_some_and(|s| s.starts_with("Revoke the token"))
        );
        assert_eq!(report["scan"]["status"], "failure");
        assert_eq!(report["scan"]["start_time"], "2026-01-31T10:00:00");
        check(&written(&[], &Summary::default()));
    }

    #[test]
    fn history_is_told() {
        let report = written(&sample::historical(), &sample::history_summary());
        check(&report);
        let last = report["vulnerabilities"]
            .as_array()
            .and_then(|v| v.last())
            .expect("one");
        assert_eq!(last["location"]["commit"]["sha"], "6f".repeat(20));
        assert_eq!(
            last["location"]["commit"]["author"],
            "… (12 bytes)\\nforged"
        );
        let history = last["details"]["history"]["value"].as_str();
        assert!(history.is_some_and(|s| s.contains("removed from HEAD") && s.contains("exposed")));
        assert!(
            last["description"]
                .as_str()
                .is_some_and(|s| !s.contains("HEAD") && !s.contains("exposed"))
        );
    }

    #[test]
    fn many_places_are_cut_and_said_so() {
        let token = sample::token();
        let places = (0..250)
            .map(|n| sample::place(format!("f{n}").as_bytes(), 1, &token, &token))
            .collect();
        let report = written(&[sample::finding(&token, places)], &Summary::default());
        check(&report);
        assert_eq!(
            report["vulnerabilities"].as_array().map(Vec::len),
            Some(PLACES)
        );
        let message = report["scan"]["messages"][0]["value"]
            .as_str()
            .expect("a message");
        assert!(
            message.starts_with("150 more places of finding abab"),
            "{message}"
        );
    }
}
