//! What changed between two reports: which secrets are new, which are gone.
//!
//! A secret is the same where its rule and fingerprint are, wherever it has moved.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use serde_json::json;

use super::escaped::write_document;
use super::record::{SCHEMA, finding_value};
use super::{Report, by_severity, file_place, grouped, markdown, printable, words};
use crate::model::{Finding, Fingerprint};

/// Findings of two reports, apart by whether they are in both.
#[derive(Debug)]
pub struct Diff<'d> {
    /// In the new report alone, most severe first.
    pub new: Vec<&'d Finding>,
    /// In the old report alone, most severe first.
    pub gone: Vec<&'d Finding>,
    /// In both, as the new one has them.
    pub unchanged: Vec<&'d Finding>,
    /// What is to be known before the lists are believed.
    pub notes: Vec<String>,
}

/// Formats that a difference can be written in.
pub const DIFF_FORMATS: [&str; 3] = ["text", "json", "markdown"];

impl<'d> Diff<'d> {
    /// Compares two reports.
    #[must_use]
    pub fn of(old: &'d super::Stored, new: &'d super::Stored) -> Self {
        let known = |findings: &'d [Finding]| -> BTreeSet<(&str, Fingerprint)> {
            findings.iter().map(key).collect()
        };
        let (before, after) = (known(&old.findings), known(&new.findings));
        let (unchanged, added): (Vec<_>, Vec<_>) = by_severity(&new.findings)
            .into_iter()
            .partition(|f| before.contains(&key(f)));
        let gone: Vec<_> = by_severity(&old.findings)
            .into_iter()
            .filter(|f| !after.contains(&key(f)))
            .collect();
        let mut notes = Vec::new();
        if !new.summary.gaps.is_empty() || new.summary.cancelled {
            notes.push(
                "the new report is incomplete: what is gone may only not have been scanned"
                    .to_owned(),
            );
        }
        if !old.summary.gaps.is_empty() || old.summary.cancelled {
            notes.push(
                "the old report is incomplete: what is new may have been there before".to_owned(),
            );
        }
        let accepted: BTreeSet<_> = known(&new.dropped);
        let now_accepted = gone.iter().filter(|f| accepted.contains(&key(f))).count();
        if now_accepted > 0 {
            notes.push(format!(
                "of what is gone, {} suppressed now",
                super::counted(now_accepted as u64, "finding is", "findings are")
            ));
        }
        if unchanged.is_empty() && added.iter().any(|f| gone.iter().any(|g| stands_at(f, g))) {
            notes.push(
                "secrets of the same rules stand at the same places under other fingerprints: they were changed, or \
                 the reports were made with different `fingerprint_salt`"
                    .to_owned(),
            );
        }
        Self {
            new: added,
            gone,
            unchanged,
            notes,
        }
    }

    /// Writes it in one of [`DIFF_FORMATS`]. The report lends its redactor and options.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, format: &str, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        match format {
            "json" => self.json(report, out),
            "markdown" => self.markdown(report, out),
            _ => self.text(report, out),
        }
    }

    fn counts(&self) -> String {
        format!(
            "{} new, {} gone, {} unchanged",
            grouped(self.new.len() as u64),
            grouped(self.gone.len() as u64),
            grouped(self.unchanged.len() as u64)
        )
    }

    fn json(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let rows = |findings: &[&Finding]| -> Vec<_> {
            findings.iter().map(|f| finding_value(report, f)).collect()
        };
        let prints: Vec<String> = self
            .unchanged
            .iter()
            .map(|f| f.fingerprint.to_string())
            .collect();
        let document = json!({
            "schema": SCHEMA,
            "kind": "diff",
            "new": rows(&self.new),
            "gone": rows(&self.gone),
            "unchanged": prints,
            "notes": self.notes,
        });
        write_document(&document, out)
    }

    fn text(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        for (word, findings) in [("new", &self.new), ("gone", &self.gone)] {
            for finding in findings {
                out.write_all(lines(report, finding, word).as_bytes())?;
            }
        }
        writeln!(out, "{}", self.counts())?;
        for note in &self.notes {
            writeln!(out, "note: {note}")?;
        }
        out.flush()
    }

    fn markdown(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        let mut text = format!("### keysweep: {}\n\n", self.counts());
        for note in &self.notes {
            let _ = writeln!(text, "> {}\n", markdown::prose(note));
        }
        if !self.gone.is_empty() {
            text.push_str("Gone:\n\n");
            for finding in self.gone.iter().take(markdown::GONE) {
                let _ = writeln!(text, "- {}", markdown::one_line(report, finding));
            }
            let left = self.gone.len().saturating_sub(markdown::GONE);
            if left > 0 {
                let _ = writeln!(text, "- and {} more", grouped(left as u64));
            }
            text.push('\n');
        }
        text.push_str(&markdown::blocks(report, &self.new, text.chars().count()));
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

fn key(finding: &Finding) -> (&str, Fingerprint) {
    (&finding.rule, finding.fingerprint)
}

fn stands_at(a: &Finding, b: &Finding) -> bool {
    a.rule == b.rule
        && a.places.iter().any(|p| {
            b.places
                .iter()
                .any(|q| p.path == q.path && p.start == q.start)
        })
}

fn lines(report: &Report<'_>, finding: &Finding, word: &str) -> String {
    let mut out = format!(
        "{word:<5} {:<8}  {}  {}\n",
        finding.severity.word(),
        printable(&finding.name),
        printable(&finding.rule)
    );
    let at = file_place(report, finding).map(|place| words::at(report, place));
    let more = match report.places(finding).count() {
        0 | 1 => String::new(),
        places => format!(
            " and {}",
            super::counted(places as u64 - 1, "more place", "more places")
        ),
    };
    let secret = report.redactor.secret(&finding.credential.secret);
    let _ = writeln!(
        out,
        "      {} at {}{more}",
        printable(&secret),
        at.unwrap_or_default()
    );
    if word == "new" {
        for line in super::width::wrap(
            &format!("next: {}", words::next(finding)),
            report.options.width.max(40).saturating_sub(6),
        ) {
            let _ = writeln!(out, "      {line}");
        }
    }
    let _ = writeln!(out, "      fingerprint {}\n", finding.fingerprint);
    out
}
