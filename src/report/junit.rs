//! `junit`: a test suite for each rule with findings, a failed test for each finding, as CI servers show them.
//!
//! A run without findings has one test that passes, since servers take a file without tests for a mistake.
//! What could not be scanned is a test with an error.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use super::{
    Report, Reporter, by_severity, file_place, printable, suppressed, verification, words,
};
use crate::model::Finding;

/// Places of a finding that its failure lists.
const PLACES: usize = 20;

/// JUnit's XML.
#[derive(Debug, Clone, Copy)]
pub struct Junit;

impl Reporter for Junit {
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        let suites = suites(report);
        let all = |count: fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>();
        writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(
            out,
            "<testsuites name=\"keysweep\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3}\">",
            all(|s| s.tests),
            all(|s| s.failures),
            all(|s| s.errors),
            report.elapsed.as_secs_f64()
        )?;
        let time = report.finished.map_or_else(String::new, |time| {
            let text = time.to_string();
            format!(" timestamp=\"{}\"", text.get(..19).unwrap_or_default())
        });
        for suite in &suites {
            writeln!(
                out,
                "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"0\"{time}>",
                escaped(&suite.name),
                suite.tests,
                suite.failures,
                suite.errors,
                suite.skipped
            )?;
            out.write_all(suite.cases.as_bytes())?;
            writeln!(out, "  </testsuite>")?;
        }
        writeln!(out, "</testsuites>")?;
        out.flush()
    }
}

#[derive(Default)]
struct Suite {
    name: String,
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    cases: String,
}

fn suites(report: &Report<'_>) -> Vec<Suite> {
    let mut suites: Vec<Suite> = Vec::new();
    let mut by_rule: BTreeMap<&str, usize> = BTreeMap::new();
    let mut shown = by_severity(report.findings);
    shown.extend(by_severity(report.shown_dropped()));
    for finding in shown {
        let index = *by_rule.entry(&finding.rule).or_insert_with(|| {
            suites.push(Suite {
                name: finding.rule.clone(),
                ..Suite::default()
            });
            suites.len() - 1
        });
        if let Some(suite) = suites.get_mut(index) {
            case(report, finding, suite);
        }
    }
    let mut last = Suite {
        name: "keysweep".to_owned(),
        ..Suite::default()
    };
    if report.findings.is_empty() {
        last.tests += 1;
        let _ = writeln!(
            last.cases,
            "    <testcase name=\"no exposed secret in {}\" classname=\"keysweep\" time=\"0\"/>",
            escaped(&words::looked_at(report.summary))
        );
    }
    if let Some(what) = words::incomplete(report) {
        last.tests += 1;
        last.errors += 1;
        let body: Vec<String> = words::gaps(report).collect();
        let _ = writeln!(
            last.cases,
            "    <testcase name=\"everything could be scanned\" classname=\"keysweep\" time=\"0\">\n      \
             <error message=\"{}\" type=\"incomplete\">{}</error>\n    </testcase>",
            escaped(&what),
            escaped(&body.join("\n"))
        );
    }
    if last.tests > 0 {
        suites.push(last);
    }
    suites
}

fn case(report: &Report<'_>, finding: &Finding, suite: &mut Suite) {
    suite.tests += 1;
    let place = file_place(report, finding);
    let at = place
        .map(|place| words::at(report, place))
        .unwrap_or_default();
    let file = place.map_or_else(String::new, |place| {
        format!(
            " file=\"{}\" line=\"{}\"",
            escaped(&words::path(report, place)),
            place.start.line
        )
    });
    let secret = report.redactor.secret(&finding.credential.secret);
    let name = escaped(&format!("{at} {}", finding.fingerprint));
    let message = escaped(&format!("{}: {secret} at {at}", finding.name));
    let _ = writeln!(
        suite.cases,
        "    <testcase name=\"{name}\" classname=\"{}\"{file} time=\"0\">",
        escaped(&finding.rule)
    );
    if let Some(reason) = suppressed(finding) {
        suite.skipped += 1;
        let reason = escaped(&report.redactor.redact(reason.as_bytes()));
        let _ = writeln!(suite.cases, "      <skipped message=\"{reason}\"/>");
    } else {
        suite.failures += 1;
        let _ = writeln!(
            suite.cases,
            "      <failure message=\"{message}\" type=\"{}\">{}</failure>",
            finding.severity,
            escaped_lines(&body(report, finding))
        );
    }
    suite.cases.push_str("    </testcase>\n");
}

fn body(report: &Report<'_>, finding: &Finding) -> Vec<String> {
    let mut lines = vec![
        format!(
            "secret: {}",
            report.redactor.secret(&finding.credential.secret)
        ),
        format!(
            "severity: {}, confidence: {}",
            finding.severity,
            finding.confidence()
        ),
    ];
    let places = report.places(finding).count();
    for place in report.places(finding).take(PLACES) {
        lines.push(format!("place: {}", words::at(report, place)));
    }
    if places > PLACES {
        lines.push(format!("and {} more places", places - PLACES));
    }
    if let Some(state) = finding.history.as_ref().map(words::state)
        && !state.is_empty()
    {
        lines.push(format!("history: {state}"));
    }
    if let Some(told) = verification::told(report, finding) {
        lines.push(format!("verified: {told}"));
    }
    lines.push(format!("next: {}", words::next(finding)));
    if !finding.console.is_empty() {
        lines.push(format!("console: {}", finding.console));
    }
    lines.push(format!("fingerprint: {}", finding.fingerprint));
    lines
}

/// Each line escaped, the breaks between them kept.
fn escaped_lines(lines: &[String]) -> String {
    let all: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
    all.join("\n")
}

/// Text in an element or an attribute: no character that XML 1.0 forbids, nothing that ends either.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push_str("&#10;");
        }
        for c in printable(line).chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&apos;"),
                '\u{fffe}' | '\u{ffff}' => out.extend(c.escape_unicode()),
                c => out.push(c),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{Options, sample};
    use super::*;
    use crate::model::Summary;

    /// The elements of a document, `name` or `/name`, each with its attributes; fails on what is no XML.
    fn elements(text: &str) -> Vec<(String, BTreeMap<String, String>)> {
        let mut rest = text
            .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
            .expect("a declaration");
        let (mut all, mut open) = (Vec::new(), Vec::<String>::new());
        while let Some(at) = rest.find('<') {
            assert!(!rest[..at].contains(['>', '"']), "{}", &rest[..at]);
            let end = rest.find('>').expect("an end");
            let tag = &rest[at + 1..end];
            rest = &rest[end + 1..];
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(name));
                continue;
            }
            let (is_empty, tag) = tag
                .strip_suffix('/')
                .map_or((false, tag), |tag| (true, tag));
            let (name, mut inner) = tag.split_once(' ').unwrap_or((tag, ""));
            let mut attributes = BTreeMap::new();
            while let Some((key, tail)) = inner.split_once("=\"") {
                let (value, tail) = tail.split_once('"').expect("a closing quote");
                assert!(!value.contains('<'));
                assert!(
                    attributes
                        .insert(key.trim().to_owned(), value.to_owned())
                        .is_none()
                );
                inner = tail;
            }
            assert!(inner.trim().is_empty(), "{inner}");
            all.push((name.to_owned(), attributes));
            if !is_empty {
                open.push(name.to_owned());
            }
        }
        assert!(open.is_empty());
        for c in text.chars() {
            assert!(
                c == '\n' || c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'),
                "{c:?}"
            );
        }
        for (at, _) in text.match_indices('&') {
            let name = text[at + 1..].split(';').next().unwrap_or_default();
            assert!(
                ["amp", "lt", "gt", "quot", "apos", "#10"].contains(&name),
                "{name}"
            );
        }
        all
    }

    #[test]
    fn findings_fail_and_gaps_are_errors() {
        let token = sample::token();
        let place = sample::place(b"x", 1, &token, &token);
        let dropped = [sample::dropped(
            &token,
            place,
            "suppressed by <a> & \"b\"\u{ffff}",
        )];
        let options = Options {
            show_suppressed: true,
            ..Options::default()
        };
        let text = sample::written(
            &Junit,
            &sample::findings(),
            &dropped,
            &sample::summary(),
            options,
        );
        let all = elements(&text);
        let named = |name: &str| {
            all.iter()
                .filter(|(n, _)| n == name)
                .map(|(_, a)| a)
                .collect::<Vec<_>>()
        };
        let root = named("testsuites")[0];
        assert_eq!(
            (&*root["tests"], &*root["failures"], &*root["errors"]),
            ("4", "2", "1")
        );
        assert_eq!(named("testsuite").len(), 3);
        assert_eq!(
            (
                named("failure").len(),
                named("skipped").len(),
                named("error").len()
            ),
            (2, 1, 1)
        );
        assert_eq!(
            named("skipped")[0]["message"],
            "suppressed by &lt;a&gt; &amp; &quot;b&quot;\\u{ffff}"
        );
        let case = named("testcase")[0];
        assert_eq!(
            (&*case["file"], &*case["line"], &*case["classname"]),
            ("src/app.py", "12", "github-pat-classic")
        );
        assert!(text.contains("\nnext: Revoke the token") && text.contains("a &lt;script&gt;"));
        assert!(!text.contains(&token) && !text.contains("<script>") && !text.contains('\u{202e}'));
    }

    #[test]
    fn a_clean_run_has_a_test_that_passes() {
        let text = sample::written(&Junit, &[], &[], &Summary::default(), Options::default());
        let all = elements(&text);
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["testsuites", "testsuite", "testcase"]);
        assert_eq!(all[0].1["failures"], "0");
    }
}
