//! The records of `json` and `jsonl` as they are read, and what each becomes.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::Value;

use super::super::record::key;
use super::super::verification;
use super::Stored;
use super::value::{MANY, by_word, parse_fingerprint, score, seconds, secret, snippet};
use crate::model::{
    BaselineCounts, Commit, Credential, Decoding, Finding, Fingerprint, History, Oid, Origin,
    Place, Position, Secret, Severity, Skip, SkipKind, Span, Told,
};

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Record {
    Finding(Box<FindingRecord>),
    Gap(GapRecord),
    UnusedSuppression(IdleRecord),
    Summary(Box<SummaryRecord>),
}

#[derive(Deserialize)]
pub(super) struct FindingRecord {
    pub(super) schema: u8,
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
    pub(super) fingerprint: Fingerprint,
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
    pub(super) places: Vec<PlaceRecord>,
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
    pub(super) suppressed: Option<String>,
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
pub(super) struct PlaceRecord {
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
pub(super) struct GapRecord {
    pub(super) schema: u8,
    #[serde(default)]
    pub(super) path: String,
    pub(super) reason: String,
}

#[derive(Deserialize)]
pub(super) struct IdleRecord {
    pub(super) schema: u8,
    pub(super) path: String,
    pub(super) line: u32,
    pub(super) sort: String,
    pub(super) reason: String,
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
pub(in crate::report) struct SummaryRecord {
    #[serde(default)]
    pub(super) schema: u8,
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
    pub(in crate::report) fn of(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    pub(in crate::report) fn put_into(self, stored: &mut Stored) {
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
    pub(super) fn finding(self) -> Finding {
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
            credential: Credential::new(secret, self.parts.into_iter().collect()),
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
