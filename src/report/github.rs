//! `github`: workflow commands that GitHub Actions shows as annotations, and lines for the log.
//!
//! A step shows ten errors, ten warnings and ten notices, so the most severe findings are annotated and the
//! last line says how many there are beside them. Whatever stands in a command is escaped as the runner
//! decodes it; no line of the log begins with scanned text, since the runner obeys lines.
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use super::sarif::code_point_columns;
use super::{
    Report, Reporter, by_severity, counted, file_place, history, named, printable, verification,
    words,
};
use crate::model::{Finding, Origin, Place, Severity};

/// What annotations about the run are called.
const TITLE: &str = "keysweep";
/// Annotations of one kind that a step shows.
const SHOWN: usize = 10;
/// Findings without an annotation that the log names.
const LISTED: usize = 1_000;
/// Gaps that the annotation names.
const GAPS: usize = 5;

/// Workflow commands of GitHub Actions.
#[derive(Debug, Clone, Copy)]
pub struct Github;

impl Reporter for Github {
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        let mut left = [SHOWN; 3];
        if let Some(what) = words::incomplete(report) {
            let mut message = what;
            for gap in words::gaps(report).take(GAPS) {
                let _ = write!(message, "\n{gap}");
            }
            if report.summary.gaps.len() > GAPS {
                let more = report.summary.gaps.len() - GAPS;
                let _ = write!(message, "\nand {} more", super::grouped(more as u64));
            }
            writeln!(out, "::error title={TITLE}::{}", data(&message))?;
            left[0] -= 1;
        }
        let mut others = Vec::new();
        for finding in by_severity(report.findings) {
            let kind = match verification::word(finding) {
                "active" => Kind::Error,
                _ => kind(finding.severity),
            };
            match left.get_mut(kind as usize) {
                Some(room) if *room > 0 => {
                    *room -= 1;
                    writeln!(out, "{}", command(report, finding, kind))?;
                }
                _ => others.push(finding),
            }
        }
        for finding in others.iter().take(LISTED) {
            let at = file_place(report, finding).map(|place| words::at(report, place));
            let text = format!(
                "keysweep: {} {} {} at {}",
                finding.severity,
                printable(&finding.rule),
                printable(&report.redactor.secret(&finding.credential.secret)),
                at.unwrap_or_default()
            );
            writeln!(out, "{}", log(&text))?;
        }
        let mut last = format!(
            "keysweep: {} in {}",
            words::found(report),
            words::looked_at(report.summary)
        );
        if !others.is_empty() {
            let count = counted(others.len() as u64, "finding has", "findings have");
            let _ = write!(
                last,
                "; {count} no annotation, because GitHub shows {SHOWN} of a kind"
            );
        }
        if let Some(tally) = &report.summary.verified {
            let _ = write!(last, "; {}", verification::summed(tally));
        }
        for hidden in words::hidden(report) {
            let _ = write!(last, "; {hidden}");
        }
        if let Some(what) = words::incomplete(report) {
            let _ = write!(last, "; {what}");
        }
        writeln!(out, "{}", log(&last))?;
        out.flush()
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Error,
    Warning,
    Notice,
}

fn kind(severity: Severity) -> Kind {
    match severity {
        Severity::Critical | Severity::High => Kind::Error,
        Severity::Medium => Kind::Warning,
        Severity::Low => Kind::Notice,
    }
}

fn command(report: &Report<'_>, finding: &Finding, kind: Kind) -> String {
    let word = match kind {
        Kind::Error => "error",
        Kind::Warning => "warning",
        Kind::Notice => "notice",
    };
    let place = file_place(report, finding);
    let at = place.map(|place| words::at(report, place));
    let places = report.places(finding).count();
    let mut text = format!(
        "{}: {}",
        printable(&finding.name),
        printable(&report.redactor.secret(&finding.credential.secret))
    );
    if let Some(at) = at {
        let _ = write!(text, " at {at}");
    }
    if places > 1 {
        let more = counted(places as u64 - 1, "more place", "more places");
        let _ = write!(text, " and {more}");
    }
    if let Some(state) = finding.history.as_ref().map(words::state) {
        let _ = write!(text, "{}{state}", if state.is_empty() { "" } else { ", " });
    }
    if let Some(told) = verification::told(report, finding) {
        let _ = write!(text, "\nVerified: {told}");
    }
    let _ = write!(
        text,
        "\nNext: {}\nFingerprint: {}",
        words::next(finding),
        finding.fingerprint
    );
    let mut properties = String::new();
    let file = place.filter(|p| p.origin == Origin::Content && !history::is_past(finding));
    if let Some(place) = file {
        properties = position(report, place);
    }
    let _ = write!(
        properties,
        "title={}",
        property(&format!(
            "{} ({})",
            printable(&finding.name),
            finding.severity
        ))
    );
    format!("::{word} {properties}::{}", data(&text))
}

/// `file=…,line=…,col=…,endColumn=…,`; columns only of one line, as GitHub takes them.
fn position(report: &Report<'_>, place: &Place) -> String {
    let path = report.redactor.path(&named(&place.path));
    let (start, end) = code_point_columns(place);
    let line = place.start.line.max(1);
    let mut out = format!("file={},line={line},", property(&printable(&path)));
    if place.end.line > place.start.line {
        let _ = write!(out, "endLine={},", place.end.line);
    } else {
        let _ = write!(out, "col={start},endColumn={end},");
    }
    out
}

/// The text of a command: the runner decodes these three.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property of a command, which ends at `,` and `::`.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A line of the log, in which the older form of commands counts anywhere.
fn log(text: &str) -> String {
    text.replace("##[", "## [")
}

#[cfg(test)]
mod tests {
    use super::super::{Options, sample};
    use super::*;
    use crate::model::Summary;

    fn written(findings: &[Finding], summary: &Summary) -> String {
        sample::written(&Github, findings, &[], summary, Options::default())
    }

    #[test]
    fn annotations_have_file_columns_and_the_remedy() {
        let text = written(&sample::findings(), &Summary::default());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[0].starts_with(
                "::error file=src/app.py,line=12,col=11,endColumn=51,\
                 title=GitHub personal access token (classic) (critical)::GitHub personal access token (classic): \
                 ghp_… (40 bytes) at src/app.py:12 and 1 more place%0ANext: Revoke the token"
            ),
            "{text}"
        );
        // `é` takes two bytes and one column.
        assert!(
            lines[1].starts_with("::notice file=dir/ü b.env,line=1,col=20,endColumn=32,"),
            "{text}"
        );
        assert_eq!(
            lines[2],
            "keysweep: 2 findings (1 critical, 1 low) in 0 files, 0 bytes; 4 findings are below --min-confidence"
        );
    }

    #[test]
    fn hostile_text_is_no_command() {
        let token = sample::token();
        let evil = b"::error::x,line=1::%0A\n##[command]a\x1b[31m\xE2\x80\xAE";
        let mut found = sample::finding(&token, vec![sample::place(evil, 1, &token, &token)]);
        found.name = "a,file=x::b\n::warning::c".into();
        let mut all: Vec<Finding> = (0..12).map(|_| found.clone()).collect();
        all[11].rule = "::error::".into();
        let text = written(&all, &sample::summary());
        for line in text.lines() {
            assert!(
                line.starts_with("::error ") || line.starts_with("keysweep: "),
                "{line}"
            );
            if let Some(rest) = line.strip_prefix("::error ") {
                let (properties, _) = rest.split_once("::").expect("data");
                let keys: Vec<&str> = properties
                    .split(',')
                    .filter_map(|p| p.split_once('='))
                    .map(|(key, _)| key)
                    .collect();
                assert!(
                    keys == ["title"] || keys == ["file", "line", "col", "endColumn", "title"],
                    "{line}"
                );
            } else {
                assert!(!line.contains("##["), "{line}");
            }
            assert!(!line.contains(['\u{1b}', '\u{202e}', '\r']) && !line.contains(&token));
        }
    }

    #[test]
    fn a_step_gets_ten_of_a_kind_the_most_severe_ones() {
        let token = sample::token();
        let one = |severity, n: usize| {
            let path = format!("f{n}");
            let mut found = sample::finding(
                &token,
                vec![sample::place(path.as_bytes(), 1, &token, &token)],
            );
            found.severity = severity;
            found
        };
        let all: Vec<Finding> = (0..9)
            .map(|n| one(Severity::High, n))
            .chain((9..18).map(|n| one(Severity::Critical, n)))
            .chain((18..40).map(|n| one(Severity::Medium, n)))
            .collect();
        let text = written(&all, &sample::summary());
        let count = |start: &str| text.lines().filter(|l| l.starts_with(start)).count();
        assert_eq!((count("::error "), count("::warning ")), (10, 10));
        let gaps = "::incomplete: 1 thing could not be scanned%0Alocked/ghp_…";
        assert!(text.starts_with(&format!("::error title={TITLE}{gaps}")));
        assert_eq!(text.matches("(critical)::").count(), 9);
        assert_eq!(count("keysweep: high "), 9);
        let last = text.lines().last().unwrap_or_default();
        assert!(
            last.starts_with("keysweep: 40 findings (9 critical, 9 high, 22 medium)")
                && last.contains("; 21 findings have no annotation")
                && last.ends_with("incomplete: 1 thing could not be scanned"),
            "{last}"
        );
    }

    #[test]
    fn what_only_history_holds_points_at_no_file() {
        let text = written(&sample::historical(), &sample::history_summary());
        assert!(text.contains("::warning title="), "{text}");
        assert!(
            text.contains("at old.env:9, removed from HEAD and from the tip of every ref, exposed less than a day%0A"),
            "{text}"
        );
        assert!(text.contains("does not remove it from the history"));
    }
}
