//! Reports read back: what keysweep wrote as `json`, `jsonl` or `sarif` becomes findings and a summary
//! again, so that every reporter can write them.
//!
//! The other formats carry too little and are refused with a sentence. A report may come from anywhere:
//! whatever is read passes the redactor and `printable` again before it is shown. No secret is made up:
//! where a report shows its redacted form, that form is all that a [`Secret`] knows.

mod record;
mod value;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

pub(super) use self::record::SummaryRecord;
pub(super) use self::value::{MANY, by_word, parse_fingerprint, score, seconds, secret, snippet};

use self::record::Record;
use super::record::SCHEMA;
use super::{Options, Redactor, Report, sarif_read};
use crate::model::{Finding, Gap, Idle, Summary};
use crate::rule::RuleSet;
use crate::scan::Engine;

/// A report that was read.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// Findings that count, in the report's order.
    pub findings: Vec<Finding>,
    /// Those that were dropped or suppressed, as far as the report has them.
    pub dropped: Vec<Finding>,
    /// What was scanned and what was not.
    pub summary: Summary,
    /// Wall time of the run, to the microsecond; zero where the report does not say it.
    pub elapsed: Duration,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Findings that were below `--min-confidence`.
    pub hidden_low: usize,
    /// What was scanned; empty where reports of several roots were merged.
    pub root: String,
    /// The commit that was checked out.
    pub revision: Option<String>,
    /// The branch that was checked out.
    pub branch: Option<String>,
}

/// Why a file is no report that can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A record is malformed.
    #[error("{name}:{line}: {message}")]
    Record {
        /// The report, as the caller named it.
        name: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The file as a whole is not what it should be.
    #[error("{name}: {message}")]
    File {
        /// The report, as the caller named it.
        name: String,
        /// What is wrong, and the mend.
        message: String,
    },
}

impl Stored {
    /// Reads a report; `name` is what errors call it.
    ///
    /// # Errors
    /// [`ReadError::Record`] for a record that is malformed or of a later schema, [`ReadError::File`] for what is
    /// cut off or no report of keysweep in `json`, `jsonl` or `sarif`.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, ReadError> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let file = |message: String| ReadError::File {
            name: name.to_owned(),
            message,
        };
        let record = |line: usize, message: String| ReadError::Record {
            name: name.to_owned(),
            line: line.max(1),
            message,
        };
        let bad = |e: &serde_json::Error| record(e.line(), told(e));
        match bytes.trim_ascii_start().first() {
            None => Err(file(
                "is empty; write the report with `--format json`".to_owned(),
            )),
            Some(b'[') => {
                let read = serde_json::from_slice(bytes);
                let records: Vec<Record> = read.map_err(|e| {
                    // What does not even end is cut off, whatever stands in it.
                    let whole = serde_json::from_slice::<serde::de::IgnoredAny>(bytes);
                    bad(&whole.err().filter(serde_json::Error::is_eof).unwrap_or(e))
                })?;
                let mut reading = Reading::default();
                for one in records {
                    reading.take(one).map_err(&file)?;
                }
                reading.end().map_err(file)
            }
            Some(b'{') => {
                if is_record(bytes) {
                    let mut reading = Reading::default();
                    for (index, line) in bytes.split(|b| *b == b'\n').enumerate() {
                        if line.trim_ascii().is_empty() {
                            continue;
                        }
                        let one = serde_json::from_slice(line)
                            .map_err(|e| record(index + 1, told(&e)))?;
                        reading.take(one).map_err(|e| record(index + 1, e))?;
                    }
                    return reading.end().map_err(file);
                }
                let document: Value = serde_json::from_slice(bytes).map_err(|e| bad(&e))?;
                if document.get("runs").is_some() {
                    return sarif_read::stored(&document).map_err(file);
                }
                Err(file(foreign(
                    match (document.get("vulnerabilities"), document.get("issues")) {
                        (Some(_), _) => "a GitLab report",
                        (None, Some(_)) => "a SonarQube report",
                        (None, None) => "JSON of another sort",
                    },
                )))
            }
            Some(b'<') => Err(file(foreign("XML or HTML"))),
            Some(_) => Err(file(foreign("text"))),
        }
    }

    /// The redactor for it: one that knows the secrets of a report which shows them.
    #[must_use]
    pub fn redactor(&self, engine: &Engine, show_secrets: bool) -> Redactor {
        let all = self.findings.iter().chain(&self.dropped);
        Redactor::of_run(engine, all, &self.summary, &self.root, show_secrets)
    }

    /// The report, to be written in another format.
    #[must_use]
    pub fn report<'r>(
        &'r self,
        rules: &'r RuleSet,
        redactor: &'r Redactor,
        options: Options,
    ) -> Report<'r> {
        Report {
            findings: &self.findings,
            dropped: &self.dropped,
            summary: &self.summary,
            rules,
            elapsed: self.elapsed,
            finished: self.finished,
            hidden_low: self.hidden_low,
            root: &self.root,
            revision: self.revision.clone(),
            branch: self.branch.clone(),
            redactor,
            options,
        }
    }
}

/// Whether the first line is a record of `jsonl`.
fn is_record(bytes: &[u8]) -> bool {
    let first = bytes
        .split(|b| *b == b'\n')
        .find(|line| !line.trim_ascii().is_empty());
    first
        .and_then(|line| serde_json::from_slice::<Value>(line).ok())
        .is_some_and(|value| value.get("kind").is_some())
}

fn foreign(what: &str) -> String {
    format!(
        "is {what}, which does not carry all of a report; keysweep reads its own json, jsonl and sarif, so scan with \
         `--format json` and convert that"
    )
}

/// The message without the place, which is told before it.
fn told(error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "it ends within a record: it was cut off; write the report again".to_owned();
    }
    let text = error.to_string();
    if text.contains("enum Record") {
        return "no record of a report, which is an object with `kind`; keysweep reads its own json, jsonl and sarif"
            .to_owned();
    }
    let end = text.find(" at line ").unwrap_or(text.len());
    format!(
        "no record of a report: {}",
        text.get(..end).unwrap_or_default()
    )
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    stored: Stored,
    summary: Option<SummaryRecord>,
}

impl Reading {
    fn take(&mut self, record: Record) -> Result<(), String> {
        let schema = match &record {
            Record::Finding(finding) => finding.schema,
            Record::Gap(gap) => gap.schema,
            Record::UnusedSuppression(idle) => idle.schema,
            Record::Summary(summary) => summary.schema,
        };
        if schema != SCHEMA {
            return Err(format!(
                "a record of schema {schema}; this keysweep reads schema {SCHEMA}: take the one that wrote the report"
            ));
        }
        if self.summary.is_some() {
            return Err(
                "goes on behind its summary; for several reports in one file, give each its \
                        own and use `keysweep report merge`"
                    .to_owned(),
            );
        }
        match record {
            Record::Finding(record) if record.places.is_empty() => {
                return Err(format!("finding {} has no place", record.fingerprint));
            }
            Record::Finding(record) => {
                let dropped = record.suppressed.is_some();
                let finding = record.finding();
                if dropped {
                    self.stored.dropped.push(finding);
                } else {
                    self.stored.findings.push(finding);
                }
            }
            Record::Gap(gap) => self.stored.summary.gaps.push(Gap {
                path: gap.path,
                reason: gap.reason,
            }),
            Record::UnusedSuppression(idle) => self.stored.summary.idle.push(Idle {
                path: idle.path,
                line: idle.line,
                sort: Idle::SORTS
                    .into_iter()
                    .find(|sort| *sort == idle.sort)
                    .unwrap_or("entry"),
                reason: idle.reason,
            }),
            Record::Summary(summary) => self.summary = Some(*summary),
        }
        Ok(())
    }

    fn end(mut self) -> Result<Stored, String> {
        let summary = self.summary.take().ok_or(
            "has no summary at its end: it was cut off, or filtered by another program; scan again",
        )?;
        summary.put_into(&mut self.stored);
        Ok(self.stored)
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
pub(super) mod tests;
