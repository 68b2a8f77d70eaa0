//! `sonarqube`: generic issues, for `sonar.externalIssuesReportPaths`, in the form of SonarQube 10.3 and later.
//!
//! SonarQube refuses a whole file for one column behind a line's end, so lines are told alone. It looks at the
//! files of today: what only history or a name holds has no issue, and the other formats have it.
//! <https://docs.sonarsource.com/sonarqube-server/analyzing-source-code/importing-external-issues/generic-issue-import-format>

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::escaped::write_document;
use super::{Report, Reporter, by_severity, history, printable, verification, words};
use crate::model::{Finding, Origin, Place, Severity};

/// Further places of an issue.
const PLACES: usize = 100;

/// Generic issues of SonarQube.
#[derive(Debug, Clone, Copy)]
pub struct Sonarqube;

impl Reporter for Sonarqube {
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut rules: BTreeMap<&str, Value> = BTreeMap::new();
        let mut issues = Vec::new();
        for finding in by_severity(report.findings) {
            if history::is_past(finding) {
                continue;
            }
            let files = || {
                report
                    .places(finding)
                    .filter(|p| p.origin == Origin::Content)
            };
            let Some(first) = files().next() else {
                continue;
            };
            rules.entry(&finding.rule).or_insert_with(|| rule(finding));
            let secret = report.redactor.secret(&finding.credential.secret);
            let verified = verification::told(report, finding);
            let message = format!(
                "{}: {}. {}{}",
                printable(&finding.name),
                printable(&secret),
                verified.map_or_else(String::new, |told| format!("Verified: {told}. ")),
                words::next(finding)
            );
            let others: Vec<Value> = files()
                .skip(1)
                .take(PLACES)
                .map(|place| location(report, place, "the same secret"))
                .collect();
            issues.push(json!({
                "ruleId": printable(&finding.rule),
                "effortMinutes": 30,
                "primaryLocation": location(report, first, &message),
                "secondaryLocations": others,
            }));
        }
        let rules: Vec<Value> = rules.into_values().collect();
        write_document(&json!({"rules": rules, "issues": issues}), out)
    }
}

fn rule(finding: &Finding) -> Value {
    let (severity, impact) = match finding.severity {
        Severity::Critical => ("BLOCKER", "HIGH"),
        Severity::High => ("CRITICAL", "HIGH"),
        Severity::Medium => ("MAJOR", "MEDIUM"),
        Severity::Low => ("MINOR", "LOW"),
    };
    json!({
        "id": printable(&finding.rule),
        "name": printable(&finding.name),
        "description": format!("{} exposed: whoever reads it can use it. {}",
            printable(&finding.name), printable(super::remedy(finding))),
        "engineId": "keysweep",
        "cleanCodeAttribute": "TRUSTWORTHY",
        "type": "VULNERABILITY",
        "severity": severity,
        "impacts": [{"softwareQuality": "SECURITY", "severity": impact}],
    })
}

fn location(report: &Report<'_>, place: &Place, message: &str) -> Value {
    let start = place.start.line.max(1);
    json!({
        "message": message,
        "filePath": words::path(report, place),
        "textRange": {"startLine": start, "endLine": place.end.line.max(start)},
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Options, sample};
    use super::*;
    use crate::model::Summary;

    fn written(findings: &[Finding], summary: &Summary) -> Value {
        let text = sample::written(&Sonarqube, findings, &[], summary, Options::default());
        serde_json::from_str(&text).expect("JSON")
    }

    #[test]
    fn issues_have_what_sonarqube_requires() {
        let report = written(&sample::findings(), &Summary::default());
        let rules = report["rules"].as_array().expect("rules");
        let issues = report["issues"].as_array().expect("issues");
        assert_eq!((rules.len(), issues.len()), (2, 2));
        for rule in rules {
            for key in [
                "id",
                "name",
                "description",
                "engineId",
                "cleanCodeAttribute",
            ] {
                assert!(rule[key].as_str().is_some_and(|s| !s.is_empty()), "{key}");
            }
            assert_eq!(rule["impacts"][0]["softwareQuality"], "SECURITY");
            assert!(
                ["HIGH", "MEDIUM", "LOW"]
                    .contains(&rule["impacts"][0]["severity"].as_str().expect("a word"))
            );
        }
        for issue in issues {
            assert!(rules.iter().any(|rule| rule["id"] == issue["ruleId"]));
            let others = issue["secondaryLocations"].as_array().expect("a list");
            for place in others.iter().chain([&issue["primaryLocation"]]) {
                assert!(place["message"].is_string() && place["filePath"].is_string());
                let range = &place["textRange"];
                assert!(
                    range["startLine"].as_u64() >= Some(1)
                        && range["endLine"].as_u64() >= range["startLine"].as_u64()
                );
            }
        }
        assert_eq!(issues[0]["primaryLocation"]["filePath"], "src/app.py");
        assert!(
            issues[0]["primaryLocation"]["message"]
                .as_str()
                .is_some_and(|s| s.contains("Revoke the token"))
        );
        assert!(!report.to_string().contains(&sample::token()));
    }

    #[test]
    fn what_only_history_holds_has_no_issue() {
        let report = written(&sample::historical(), &sample::history_summary());
        let issues = report["issues"].as_array().expect("issues");
        assert_eq!(issues.len(), 1);
        assert_eq!(issues[0]["primaryLocation"]["filePath"], "src/app.py");
    }
}
