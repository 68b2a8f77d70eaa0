//! The records of `json` and `jsonl`, one sort of row each. `schema.json` describes them.
//!
//! [`read`](super::read) makes a report of them again, so a record says whatever another format needs.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use super::redact::is_cut;
use super::sarif::code_point_columns;
use super::{Report, history, place_fingerprint, suppressed, verification};
use crate::model::{Commit, Finding, Gap, History, Idle, Oid, Origin, Place, SkipKind};

/// Version of the records.
pub(super) const SCHEMA: u8 = 1;

#[derive(Serialize)]
pub(super) struct FindingRow<'r> {
    schema: u8,
    kind: &'static str,
    rule: &'r str,
    name: &'r str,
    #[serde(skip_serializing_if = "str::is_empty")]
    provider: &'r str,
    severity: &'static str,
    confidence: &'static str,
    score: f64,
    #[serde(flatten)]
    at: Option<At>,
    secret: String,
    /// The redacted form where `secret` is in clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    redacted: Option<String>,
    entropy: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    decoded_from: Vec<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    parts: BTreeMap<&'r str, String>,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    place_fingerprint: Option<String>,
    #[serde(flatten)]
    line: Option<Line>,
    #[serde(flatten)]
    history: Option<HistoryRow<'r>>,
    places: Places<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<verification::Row>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    opens: BTreeMap<&'r str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    owners: Vec<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    remedy: &'r str,
    #[serde(skip_serializing_if = "str::is_empty")]
    console: &'r str,
    #[serde(skip_serializing_if = "str::is_empty")]
    link: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed: Option<String>,
}

/// Where a secret stands: columns in bytes, ends exclusive.
#[derive(Serialize)]
struct At {
    #[serde(skip_serializing_if = "String::is_empty")]
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
}

/// The text of a place's line.
#[derive(Serialize, Clone, PartialEq)]
struct Line {
    snippet: String,
    /// Bytes of the secret in it.
    snippet_secret: [usize; 2],
    /// Whether it begins in the middle of the line.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    snippet_cut: bool,
}

/// What git's history says of a finding.
#[derive(Serialize)]
struct HistoryRow<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<CommitRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_commit: Option<CommitRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_head: Option<bool>,
    #[serde(skip_serializing_if = "Refs::is_empty")]
    tips: Refs<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_tips: Option<u64>,
    #[serde(skip_serializing_if = "Refs::is_empty")]
    refs: Refs<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_refs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    introductions: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    or_earlier: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    exposed_days: Option<u32>,
}

#[derive(Serialize)]
struct CommitRow {
    id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    author: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
}

/// Names of refs, each redacted when it is written: a forge keeps one for every pull request.
struct Refs<'r> {
    report: &'r Report<'r>,
    names: &'r [String],
}

impl Refs<'_> {
    fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

impl Serialize for Refs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let redactor = self.report.redactor;
        serializer.collect_seq(self.names.iter().map(|name| redactor.path(name.as_bytes())))
    }
}

#[derive(Serialize)]
struct PlaceRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'static str>,
    #[serde(flatten)]
    at: At,
    /// Columns in code points, where they are not those in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    characters: Option<[u32; 2]>,
    bytes: [u64; 2],
    /// Where it is not that of the place before.
    #[serde(flatten)]
    line: Option<Line>,
    score: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    decoded_from: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expired_suppression: Option<String>,
}

/// The places of a finding, each made when it is written: there may be very many.
struct Places<'r> {
    report: &'r Report<'r>,
    finding: &'r Finding,
    /// The first place's, which stands in the finding's record.
    first: Option<Line>,
}

impl Serialize for Places<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut before = self.first.clone();
        let places = self.report.places(self.finding).enumerate();
        serializer.collect_seq(places.map(|(number, place)| {
            let first = self.first.as_ref().filter(|_| number == 0);
            let own = first.cloned();
            let own = own.unwrap_or_else(|| line(self.report, self.finding, place));
            let is_new = before.as_ref() != Some(&own);
            if is_new {
                before = Some(own.clone());
            }
            let characters = code_point_columns(place);
            PlaceRow {
                commit: place.commit.as_ref().map(Oid::to_string),
                blob: place.blob.as_ref().map(Oid::to_string),
                origin: (place.origin != Origin::Content).then(|| place.origin.word()),
                at: at(self.report, place),
                characters: (characters != (place.start.column, place.end.column))
                    .then(|| characters.into()),
                line: is_new.then_some(own),
                bytes: [place.span.start, place.span.end],
                score: hundredths(place.score),
                decoded_from: decodings(place),
                suppressed: place
                    .dropped
                    .as_ref()
                    .map(|reason| self.report.redactor.redact(reason.as_bytes())),
                expired_suppression: place
                    .lapsed
                    .as_ref()
                    .map(|reason| self.report.redactor.redact(reason.as_bytes())),
            }
        }))
    }
}

#[derive(Serialize)]
pub(super) struct GapRow {
    schema: u8,
    kind: &'static str,
    path: String,
    reason: String,
}

/// A suppression that does nothing.
#[derive(Serialize)]
pub(super) struct IdleRow {
    schema: u8,
    kind: &'static str,
    sort: &'static str,
    path: String,
    line: u32,
    reason: String,
}

/// What a baseline was good for.
#[derive(Serialize)]
struct BaselineRow {
    path: String,
    entries: u64,
    accepted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    gone: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct SummaryRow {
    schema: u8,
    kind: &'static str,
    version: &'static str,
    root: String,
    files: u64,
    bytes: u64,
    binary_files: u64,
    #[serde(flatten)]
    history: Option<HistoryCounts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    already_there: Option<u64>,
    seconds: f64,
    bytes_per_second: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<String>,
    findings: usize,
    hidden: usize,
    gaps: usize,
    skipped: BTreeMap<&'static str, u64>,
    notable: Vec<NotableRow>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<BaselineRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<verification::TallyRow>,
    cancelled: bool,
    complete: bool,
}

#[derive(Serialize)]
struct HistoryCounts {
    commits: u64,
    objects: u64,
    unreachable_hits: u64,
}

#[derive(Serialize)]
struct NotableRow {
    path: String,
    reason: &'static str,
}

/// A finding's record as a value.
pub(super) fn finding_value(report: &Report<'_>, finding: &Finding) -> serde_json::Value {
    serde_json::to_value(finding_row(report, finding)).unwrap_or_default()
}

pub(super) fn finding_row<'r>(report: &'r Report<'r>, finding: &'r Finding) -> FindingRow<'r> {
    let redactor = report.redactor;
    let first = report.places(finding).next();
    let first_line = first.map(|place| line(report, finding, place));
    let texts = |pairs: &'r [(String, String)]| {
        pairs
            .iter()
            .map(|(name, value)| (name.as_str(), redactor.redact(value.as_bytes())))
            .collect()
    };
    FindingRow {
        schema: SCHEMA,
        kind: "finding",
        rule: &finding.rule,
        name: &finding.name,
        provider: &finding.provider,
        severity: finding.severity.word(),
        confidence: finding.confidence().word(),
        score: hundredths(finding.score),
        at: first.map(|place| at(report, place)),
        secret: redactor.secret(&finding.credential.secret),
        redacted: redacted(report, finding),
        entropy: hundredths(finding.entropy),
        decoded_from: first.map(decodings).unwrap_or_default(),
        parts: texts(&finding.credential.parts),
        fingerprint: finding.fingerprint.to_string(),
        place_fingerprint: first.map(|place| place_fingerprint(report, finding, &place.path)),
        line: first_line.clone(),
        history: finding.history.as_ref().map(|h| history_row(report, h)),
        places: Places {
            report,
            finding,
            first: first_line,
        },
        verification: verification::row(report, finding),
        opens: texts(&finding.opens),
        owners: finding
            .owners
            .iter()
            .map(|owner| redactor.redact(owner.as_bytes()))
            .collect(),
        remedy: &finding.remedy,
        console: &finding.console,
        link: &finding.link,
        suppressed: suppressed(finding).map(|reason| redactor.redact(reason.as_bytes())),
    }
}

/// The redacted form, where the report shows the secret in clear.
pub(super) fn redacted(report: &Report<'_>, finding: &Finding) -> Option<String> {
    let secret = &finding.credential.secret;
    (report.options.show_secrets && secret.is_known()).then(|| secret.redacted())
}

fn line(report: &Report<'_>, finding: &Finding, place: &Place) -> Line {
    let shown = report.redactor.snippet(place, &finding.credential.secret);
    let start = shown.before.len();
    Line {
        snippet_secret: [start, start + shown.secret.len()],
        snippet: shown.to_string(),
        snippet_cut: is_cut(place),
    }
}

fn history_row<'r>(report: &'r Report<'r>, history: &'r History) -> HistoryRow<'r> {
    let refs = |names| Refs { report, names };
    // Without a commit there is no day to count from.
    let is_committed = history.first.is_some() && !history.is_partial;
    let some = |count: u64| (count > 0).then_some(count);
    HistoryRow {
        commit: history.first.as_ref().map(|c| commit_row(report, c)),
        last_commit: history.last.as_ref().map(|c| commit_row(report, c)),
        in_head: (!history.is_partial).then_some(history.in_head),
        tips: refs(&history.tips),
        more_tips: some(history.more_tips),
        refs: refs(&history.refs),
        more_refs: some(history.more_refs),
        introductions: is_committed.then_some(history.introductions),
        or_earlier: history.or_earlier,
        exposed_days: is_committed.then_some(history.exposed_days),
    }
}

fn commit_row(report: &Report<'_>, commit: &Commit) -> CommitRow {
    let text = |text: &str| report.redactor.redact(text.as_bytes());
    CommitRow {
        id: commit.id.to_string(),
        author: text(&commit.author),
        email: text(&commit.email),
        date: history::date(commit.date),
        subject: text(&commit.subject),
    }
}

fn at(report: &Report<'_>, place: &Place) -> At {
    let path = report.redactor.path(&place.path);
    // The bytes of a path that was redacted would give away what was redacted.
    let is_raw =
        std::str::from_utf8(&place.path).is_err() && *path == *String::from_utf8_lossy(&place.path);
    At {
        path_bytes: is_raw.then(|| STANDARD.encode(&place.path)),
        path,
        line: place.start.line,
        column: place.start.column,
        end_line: place.end.line,
        end_column: place.end.column,
    }
}

fn decodings(place: &Place) -> Vec<&'static str> {
    place.decoded_from.iter().map(|d| d.word()).collect()
}

pub(super) fn gap_row(report: &Report<'_>, gap: &Gap) -> GapRow {
    GapRow {
        schema: SCHEMA,
        kind: "gap",
        path: report.redactor.path(gap.path.as_bytes()),
        reason: report.redactor.path(gap.reason.as_bytes()),
    }
}

pub(super) fn idle_row(report: &Report<'_>, idle: &Idle) -> IdleRow {
    IdleRow {
        schema: SCHEMA,
        kind: "unused_suppression",
        sort: idle.sort,
        path: report.redactor.path(idle.path.as_bytes()),
        line: idle.line,
        reason: report.redactor.redact(idle.reason.as_bytes()),
    }
}

pub(super) fn summary_row(report: &Report<'_>) -> SummaryRow {
    let summary = report.summary;
    let (revision, branch) = (report.revision.as_ref(), report.branch.as_ref());
    let skipped = summary
        .skipped
        .iter()
        .map(|(kind, count)| (key(*kind), *count))
        .collect();
    let notable = summary
        .notable
        .iter()
        .map(|skip| NotableRow {
            path: report.redactor.path(skip.path.as_bytes()),
            reason: key(skip.kind),
        })
        .collect();
    SummaryRow {
        schema: SCHEMA,
        kind: "summary",
        version: env!("CARGO_PKG_VERSION"),
        root: report.redactor.path(report.root.as_bytes()),
        files: summary.files,
        bytes: summary.bytes,
        binary_files: summary.binary_files,
        history: history::is_scanned(summary).then_some(HistoryCounts {
            commits: summary.commits,
            objects: summary.objects,
            unreachable_hits: summary.unreachable_hits,
        }),
        revision: revision.cloned(),
        branch: branch.map(|name| report.redactor.path(name.as_bytes())),
        already_there: (summary.already_there > 0).then_some(summary.already_there),
        // Whole microseconds, of which the rate is computed too: it is the same when the report is read.
        seconds: report.elapsed.as_micros() as f64 / 1e6,
        bytes_per_second: report.bytes_per_second(),
        finished: report.finished.map(|time| time.to_string()),
        findings: report.findings.len(),
        hidden: report.hidden_low,
        gaps: summary.gaps.len(),
        skipped,
        notable,
        notes: {
            let notes = summary.notes.iter();
            notes.map(|n| report.redactor.path(n.as_bytes())).collect()
        },
        baseline: summary.baseline.as_ref().map(|baseline| BaselineRow {
            path: report.redactor.path(baseline.file.as_bytes()),
            entries: baseline.entries,
            accepted: baseline.accepted,
            gone: baseline.gone,
        }),
        verified: summary.verified.as_ref().map(verification::TallyRow::of),
        cancelled: summary.cancelled,
        complete: report.is_complete(),
    }
}

/// The word that records have for a sort.
pub(super) fn key(kind: SkipKind) -> &'static str {
    match kind {
        SkipKind::Ignored => "ignored",
        SkipKind::TooLarge => "too_large",
        SkipKind::Excluded => "excluded",
        SkipKind::Configured => "excluded_by_config",
        SkipKind::Symlink => "symlink",
        SkipKind::Promised => "promised",
        SkipKind::Shallow => "shallow",
        SkipKind::Special => "special",
    }
}

pub(super) fn hundredths(value: f32) -> f64 {
    (f64::from(value) * 100.0).round() / 100.0
}
