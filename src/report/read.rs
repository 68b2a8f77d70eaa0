//! Reports read back: what keysweep wrote as `json`, `jsonl` or `sarif` becomes findings and a summary
//! again, so that every reporter can write them.
//!
//! The other formats carry too little and are refused with a sentence. A report may come from anywhere:
//! whatever is read passes the redactor and `printable` again before it is shown. No secret is made up:
//! where a report shows its redacted form, that form is all that a [`Secret`] knows.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::Value;

use super::record::{SCHEMA, key};
use super::{Options, Redactor, Report, sarif_read, verification};
use crate::model::{
    BaselineCounts, Commit, Confidence, Credential, Decoding, Finding, Fingerprint, Gap, History,
    Idle, Oid, Origin, Place, Position, Secret, Severity, Skip, SkipKind, Snippet, Span, Summary,
    Told,
};
use crate::rule::RuleSet;
use crate::scan::Engine;

/// More refs than any repository has: a count that can be added to.
pub(super) const MANY: u64 = 1 << 40;

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

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Record {
    Finding(Box<FindingRecord>),
    Gap(GapRecord),
    UnusedSuppression(IdleRecord),
    Summary(Box<SummaryRecord>),
}

#[derive(Deserialize)]
struct FindingRecord {
    schema: u8,
    rule: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    provider: String,
    #[serde(deserialize_with = "severity")]
    severity: Severity,
    #[serde(default)]
    confidence: String,
    #[serde(default)]
    score: f32,
    secret: String,
    redacted: Option<String>,
    #[serde(default)]
    entropy: f32,
    #[serde(default)]
    parts: BTreeMap<String, String>,
    #[serde(deserialize_with = "fingerprint")]
    fingerprint: Fingerprint,
    #[serde(flatten)]
    line: LineRecord,
    commit: Option<CommitRecord>,
    last_commit: Option<CommitRecord>,
    in_head: Option<bool>,
    #[serde(default)]
    tips: Vec<String>,
    #[serde(default)]
    more_tips: u64,
    #[serde(default)]
    refs: Vec<String>,
    #[serde(default)]
    more_refs: u64,
    #[serde(default)]
    introductions: u32,
    #[serde(default)]
    or_earlier: bool,
    #[serde(default)]
    exposed_days: u32,
    places: Vec<PlaceRecord>,
    #[serde(default)]
    opens: BTreeMap<String, String>,
    #[serde(default)]
    remedy: String,
    #[serde(default)]
    console: String,
    #[serde(default)]
    link: String,
    #[serde(default)]
    owners: Vec<String>,
    verification: Option<verification::Row>,
    suppressed: Option<String>,
}

#[derive(Deserialize, Default, Clone)]
struct LineRecord {
    snippet: Option<String>,
    snippet_secret: Option<[usize; 2]>,
    #[serde(default)]
    snippet_cut: bool,
}

#[derive(Deserialize)]
struct CommitRecord {
    #[serde(deserialize_with = "oid")]
    id: Oid,
    #[serde(default)]
    author: String,
    #[serde(default)]
    email: String,
    date: Option<String>,
    #[serde(default)]
    subject: String,
}

#[derive(Deserialize)]
struct PlaceRecord {
    #[serde(default, deserialize_with = "some_oid")]
    commit: Option<Oid>,
    #[serde(default, deserialize_with = "some_oid")]
    blob: Option<Oid>,
    #[serde(default, deserialize_with = "origin")]
    origin: Origin,
    #[serde(default)]
    path: String,
    path_bytes: Option<String>,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    characters: Option<[u32; 2]>,
    #[serde(default)]
    bytes: [u64; 2],
    #[serde(default)]
    score: f32,
    #[serde(default, deserialize_with = "decodings")]
    decoded_from: Vec<Decoding>,
    suppressed: Option<String>,
    expired_suppression: Option<String>,
    #[serde(flatten)]
    text: LineRecord,
}

#[derive(Deserialize)]
struct GapRecord {
    schema: u8,
    #[serde(default)]
    path: String,
    reason: String,
}

#[derive(Deserialize)]
struct IdleRecord {
    schema: u8,
    path: String,
    line: u32,
    sort: String,
    reason: String,
}

#[derive(Deserialize)]
struct BaselineRecord {
    path: String,
    entries: u64,
    accepted: u64,
    gone: Option<u64>,
}

/// The summary's record, which SARIF has among its properties.
#[derive(Deserialize)]
pub(super) struct SummaryRecord {
    #[serde(default)]
    schema: u8,
    #[serde(default)]
    root: String,
    #[serde(default)]
    files: u64,
    #[serde(default)]
    bytes: u64,
    #[serde(default)]
    binary_files: u64,
    #[serde(default)]
    commits: u64,
    #[serde(default)]
    objects: u64,
    #[serde(default)]
    unreachable_hits: u64,
    #[serde(default)]
    already_there: u64,
    revision: Option<String>,
    branch: Option<String>,
    #[serde(default)]
    seconds: f64,
    finished: Option<String>,
    #[serde(default)]
    hidden: usize,
    #[serde(default)]
    skipped: BTreeMap<String, u64>,
    #[serde(default)]
    notable: Vec<NotableRecord>,
    #[serde(default)]
    notes: Vec<String>,
    baseline: Option<BaselineRecord>,
    verified: Option<verification::TallyRow>,
    #[serde(default)]
    cancelled: bool,
}

#[derive(Deserialize)]
struct NotableRecord {
    path: String,
    reason: String,
}

impl SummaryRecord {
    pub(super) fn of(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    pub(super) fn put_into(self, stored: &mut Stored) {
        let kind = |word: &str| SkipKind::ALL.into_iter().find(|kind| key(*kind) == word);
        let summary = &mut stored.summary;
        summary.files = self.files;
        summary.bytes = self.bytes;
        summary.binary_files = self.binary_files;
        summary.commits = self.commits;
        summary.objects = self.objects;
        summary.unreachable_hits = self.unreachable_hits;
        summary.already_there = self.already_there;
        summary.cancelled = self.cancelled;
        summary.notes = self.notes;
        summary.verified = self.verified.map(verification::TallyRow::tally);
        summary.baseline = self.baseline.map(|baseline| BaselineCounts {
            file: baseline.path,
            entries: baseline.entries,
            accepted: baseline.accepted,
            gone: baseline.gone,
        });
        for (word, count) in self.skipped {
            // A sort that only a later version knows is still something that was not scanned.
            let kind = kind(&word).unwrap_or(SkipKind::Special);
            let total = summary.skipped.entry(kind).or_default();
            *total = total.saturating_add(count);
        }
        summary.notable = self
            .notable
            .into_iter()
            .map(|skip| Skip {
                kind: kind(&skip.reason).unwrap_or(SkipKind::Special),
                path: skip.path,
                notable: true,
            })
            .collect();
        // Not a number, negative or of more than some thousand years: no duration.
        let micros = (self.seconds * 1e6).round().clamp(0.0, 1e17);
        stored.elapsed = Duration::from_micros(micros as u64);
        stored.finished = self.finished.and_then(|time| time.parse().ok());
        stored.hidden_low = self.hidden;
        stored.root = self.root;
        stored.revision = self.revision;
        stored.branch = self.branch;
    }
}

impl FindingRecord {
    fn finding(self) -> Finding {
        let secret = secret(&self.secret, self.redacted.as_deref());
        let history = self.history();
        let mut first = Some(self.line);
        let mut before: Option<LineRecord> = None;
        let places = self
            .places
            .into_iter()
            .map(|place| {
                // What is not said is as at the place before.
                let own = if place.text.snippet.is_some() {
                    Some(place.text.clone())
                } else {
                    first.take().filter(|line| line.snippet.is_some())
                };
                before = own.or(before.take());
                place.place(&secret, &self.secret, before.clone())
            })
            .collect();
        Finding {
            rule: self.rule,
            name: self.name,
            provider: self.provider,
            severity: self.severity,
            score: score(self.score, &self.confidence),
            credential: Credential {
                secret,
                parts: self.parts.into_iter().collect(),
            },
            entropy: self.entropy,
            fingerprint: self.fingerprint,
            places,
            history,
            opens: self.opens.into_iter().collect(),
            remedy: self.remedy,
            console: self.console,
            link: self.link,
            verification: self.verification.and_then(verification::Row::checked),
            owners: self.owners,
        }
    }

    fn history(&self) -> Option<History> {
        let is_told = self.commit.is_some()
            || self.last_commit.is_some()
            || self.in_head.is_some()
            || !self.refs.is_empty();
        is_told.then(|| History {
            first: self.commit.as_ref().map(CommitRecord::commit),
            last: self.last_commit.as_ref().map(CommitRecord::commit),
            introductions: self.introductions,
            in_head: self.in_head.unwrap_or(false),
            tips: self.tips.clone(),
            more_tips: self.more_tips.min(MANY),
            refs: self.refs.clone(),
            more_refs: self.more_refs.min(MANY),
            exposed_days: self.exposed_days,
            is_partial: self.in_head.is_none(),
            or_earlier: self.or_earlier,
        })
    }
}

impl CommitRecord {
    fn commit(&self) -> Commit {
        Commit {
            id: self.id,
            author: self.author.clone(),
            email: self.email.clone(),
            date: seconds(self.date.as_deref()),
            subject: self.subject.clone(),
        }
    }
}

impl PlaceRecord {
    fn place(self, secret: &Secret, shown: &str, line: Option<LineRecord>) -> Place {
        let line = line.unwrap_or(self.text);
        let raw = self
            .path_bytes
            .and_then(|text| STANDARD.decode(text).ok())
            .filter(|raw| String::from_utf8_lossy(raw) == self.path);
        let columns = self.characters.unwrap_or([self.column, self.end_column]);
        Place {
            path: raw.unwrap_or_else(|| self.path.into_bytes()),
            start: Position {
                line: self.line,
                column: self.column,
            },
            end: Position {
                line: self.end_line,
                column: self.end_column,
            },
            span: Span {
                start: self.bytes[0],
                end: self.bytes[1],
            },
            snippet: snippet(
                secret,
                shown,
                line.snippet.as_deref().unwrap_or_default(),
                line.snippet_secret,
                !self.decoded_from.is_empty(),
                Told {
                    columns: columns.into(),
                    is_cut: line.snippet_cut,
                },
            ),
            decoded_from: self.decoded_from,
            score: self.score,
            dropped: self.suppressed,
            lapsed: self.expired_suppression,
            covered: None,
            origin: self.origin,
            blob: self.blob,
            commit: self.commit,
        }
    }
}

/// The secret of a report: its redacted form, and its bytes only where it stands there in clear.
pub(super) fn secret(shown: &str, redacted: Option<&str>) -> Secret {
    match redacted {
        Some(form) => Secret::reported(shown.as_bytes(), form),
        None if is_form(shown) => Secret::of_form(shown),
        // In clear, though the report does not say so.
        None => Secret::reported(
            shown.as_bytes(),
            &Secret::new(shown.as_bytes(), "").redacted(),
        ),
    }
}

/// Whether the text is a redacted form, `ghp_… (40 bytes)`.
fn is_form(text: &str) -> bool {
    let Some((public, rest)) = text.rsplit_once('…') else {
        return false;
    };
    let number = rest
        .strip_prefix(" (")
        .and_then(|rest| {
            rest.strip_suffix(" bytes)")
                .or_else(|| rest.strip_suffix(" byte)"))
        })
        .and_then(|digits| digits.parse::<usize>().ok());
    number.is_some_and(|length| public.len() <= length)
}

/// The line of a place as a report shows it.
pub(super) fn snippet(
    secret: &Secret,
    shown: &str,
    text: &str,
    own: Option<[usize; 2]>,
    is_encoded: bool,
    told: Told,
) -> Snippet {
    let fits = |range: &[usize; 2]| text.get(range[0]..range[1]).is_some();
    let own = own.filter(fits).or_else(|| {
        let at = text.find(shown).filter(|_| !shown.is_empty())?;
        Some([at, at + shown.len()])
    });
    let [start, end] = own.unwrap_or_default();
    let encoded = (is_encoded && secret.is_known())
        .then(|| text.get(start..end).unwrap_or_default())
        .filter(|piece| !piece.is_empty());
    Snippet {
        text: Secret::new(text.as_bytes(), ""),
        secret: (start, end),
        matched: (start, end),
        line: None,
        encoded: encoded.map(|piece| Secret::new(piece.as_bytes(), "")),
        told: Some(told),
    }
}

/// A score in hundredths as one that has the report's level: rounding can have lifted it over a limit.
pub(super) fn score(score: f32, confidence: &str) -> f32 {
    if Confidence::of_score(score).word() == confidence || confidence.is_empty() {
        return score;
    }
    let nudged = score - 0.004;
    if Confidence::of_score(nudged).word() == confidence {
        nudged
    } else {
        score
    }
}

/// Seconds since 1970 of an RFC 3339 date; one that no date can write where there is none.
pub(super) fn seconds(date: Option<&str>) -> i64 {
    date.and_then(|text| text.parse::<Timestamp>().ok())
        .map_or(i64::MIN, Timestamp::as_second)
}

/// A fingerprint of 32 hexadecimal digits.
pub(super) fn parse_fingerprint(text: &str) -> Option<Fingerprint> {
    let mut print = [0u8; 16];
    if text.len() != 32 {
        return None;
    }
    for (index, byte) in print.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(Fingerprint(print))
}

/// The one of all whose word it is.
pub(super) fn by_word<T: Copy>(all: &[T], word: fn(T) -> &'static str, text: &str) -> Option<T> {
    all.iter().copied().find(|one| word(*one) == text)
}

fn severity<'de, D: Deserializer<'de>>(from: D) -> Result<Severity, D::Error> {
    let text = String::deserialize(from)?;
    by_word(&Severity::ALL, Severity::word, &text)
        .ok_or_else(|| D::Error::custom("`severity` is one of critical, high, medium, low"))
}

fn origin<'de, D: Deserializer<'de>>(from: D) -> Result<Origin, D::Error> {
    let text = String::deserialize(from)?;
    by_word(&Origin::ALL, Origin::word, &text)
        .ok_or_else(|| D::Error::custom("`origin` is one of content, name, commit, tag, ref"))
}

fn decodings<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Decoding>, D::Error> {
    let words = Vec::<String>::deserialize(from)?;
    let one = |text: &String| by_word(&Decoding::ALL, Decoding::word, text);
    words
        .iter()
        .map(one)
        .collect::<Option<_>>()
        .ok_or_else(|| D::Error::custom("`decoded_from` names an encoding that is not known"))
}

fn fingerprint<'de, D: Deserializer<'de>>(from: D) -> Result<Fingerprint, D::Error> {
    parse_fingerprint(&String::deserialize(from)?)
        .ok_or_else(|| D::Error::custom("a fingerprint has 32 hexadecimal digits"))
}

fn oid<'de, D: Deserializer<'de>>(from: D) -> Result<Oid, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn some_oid<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Oid>, D::Error> {
    oid(from).map(Some)
}

#[cfg(test)]
#[path = "read_tests.rs"]
pub(super) mod tests;
