//! `json` and `jsonl`: a record for each finding and each gap, and last the summary.
//!
//! Both formats hold the same records. They are written one by one; no more than one finding is
//! ever built as a record. [`read`](super::read) makes a report of them again, so a record says
//! whatever another format needs. `schema.json` describes them.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use super::redact::{is_cut, is_printable};
use super::sarif::code_point_columns;
use super::{Report, Reporter, history, place_fingerprint, suppressed, verification};
use crate::model::{Commit, Finding, Gap, History, Idle, Oid, Origin, Place, SkipKind};

/// Version of the records.
pub(super) const SCHEMA: u8 = 1;

/// The JSON Schema of a report in `json`, and under `$defs/record` of a line of `jsonl`.
pub const JSON_SCHEMA: &str = include_str!("schema.json");

/// One array of records.
#[derive(Debug, Clone, Copy)]
pub struct Json;

/// One record a line.
#[derive(Debug, Clone, Copy)]
pub struct Jsonl;

impl Reporter for Json {
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = Rows {
            out: Escaped(BufWriter::new(out)),
            between: ",\n",
            first: true,
        };
        rows.out.write_all(b"[\n")?;
        rows.all(report)?;
        rows.out.write_all(b"\n]\n")?;
        rows.out.flush()
    }
}

impl Reporter for Jsonl {
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = Rows {
            out: Escaped(BufWriter::new(out)),
            between: "\n",
            first: true,
        };
        rows.all(report)?;
        rows.out.write_all(b"\n")?;
        rows.out.flush()
    }
}

/// JSON on its way out: characters that a terminal or a page would obey, or that do not show, leave as `\u`
/// escapes. Beyond ASCII they stand in strings alone.
pub(super) struct Escaped<W: Write>(pub(super) W);

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The serializer hands over whole strings.
        let Ok(text) = std::str::from_utf8(bytes) else {
            self.0.write_all(bytes)?;
            return Ok(bytes.len());
        };
        let mut plain = 0;
        for (at, c) in text.char_indices() {
            // Below the space, only white space between values is left.
            if is_printable(c) || c < ' ' {
                continue;
            }
            self.0
                .write_all(text.get(plain..at).unwrap_or_default().as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(self.0, "\\u{unit:04x}")?;
            }
            plain = at + c.len_utf8();
        }
        self.0
            .write_all(text.get(plain..).unwrap_or_default().as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes a record in a line.
///
/// # Errors
/// Those of the writer.
pub fn write_record(record: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut out = Escaped(out);
    serde_json::to_writer(&mut out, record)?;
    out.write_all(b"\n")
}

/// Writes a whole document, indented.
pub(crate) fn write_document(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut out = Escaped(BufWriter::new(out));
    serde_json::to_writer_pretty(&mut out, document)?;
    out.write_all(b"\n")?;
    out.flush()
}

struct Rows<W: Write> {
    out: Escaped<W>,
    between: &'static str,
    first: bool,
}

impl<W: Write> Rows<W> {
    fn all(&mut self, report: &Report<'_>) -> io::Result<()> {
        for finding in report.findings.iter().chain(report.shown_dropped()) {
            self.one(&finding_row(report, finding))?;
        }
        for gap in &report.summary.gaps {
            self.one(&gap_row(report, gap))?;
        }
        for idle in &report.summary.idle {
            self.one(&idle_row(report, idle))?;
        }
        self.one(&summary_row(report))
    }

    fn one(&mut self, row: &impl Serialize) -> io::Result<()> {
        if !std::mem::take(&mut self.first) {
            self.out.write_all(self.between.as_bytes())?;
        }
        serde_json::to_writer(&mut self.out, row)?;
        Ok(())
    }
}

#[derive(Serialize)]
struct FindingRow<'r> {
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
}

impl Serialize for Places<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The first place's stands in the finding's record.
        let first = self.report.places(self.finding).next();
        let mut before = first.map(|place| line(self.report, self.finding, place));
        serializer.collect_seq(self.report.places(self.finding).map(|place| {
            let own = line(self.report, self.finding, place);
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
struct GapRow {
    schema: u8,
    kind: &'static str,
    path: String,
    reason: String,
}

/// A suppression that does nothing.
#[derive(Serialize)]
struct IdleRow {
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

fn finding_row<'r>(report: &'r Report<'r>, finding: &'r Finding) -> FindingRow<'r> {
    let redactor = report.redactor;
    let first = report.places(finding).next();
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
        line: first.map(|place| line(report, finding, place)),
        history: finding.history.as_ref().map(|h| history_row(report, h)),
        places: Places { report, finding },
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

fn gap_row(report: &Report<'_>, gap: &Gap) -> GapRow {
    GapRow {
        schema: SCHEMA,
        kind: "gap",
        path: report.redactor.path(gap.path.as_bytes()),
        reason: report.redactor.path(gap.reason.as_bytes()),
    }
}

fn idle_row(report: &Report<'_>, idle: &Idle) -> IdleRow {
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::sample;
    use super::*;
    use crate::model::Summary;
    use crate::report::Options;

    fn rows(dropped: &[Finding], options: Options) -> Vec<Value> {
        let text = sample::written(
            &Jsonl,
            &sample::findings(),
            dropped,
            &sample::summary(),
            options,
        );
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a line is a record"))
            .collect()
    }

    #[test]
    fn every_line_is_a_record_and_the_summary_is_last() {
        let rows = rows(&[], Options::default());
        let kinds: Vec<_> = rows.iter().filter_map(|r| r["kind"].as_str()).collect();
        assert_eq!(kinds, ["finding", "finding", "gap", "summary"]);
        assert!(rows.iter().all(|r| r["schema"] == 1));
        let row = &rows[1];
        assert_eq!(row["secret"], "ghp_… (40 bytes)");
        assert_eq!(row["snippet"], "\tTOKEN = \"ghp_… (40 bytes)\"  # 鍵");
        assert_eq!(
            (&row["score"], &row["entropy"]),
            (&json!(0.98), &json!(4.71))
        );
        assert_eq!(
            (&row["line"], &row["column"], &row["end_column"]),
            (&json!(12), &json!(11), &json!(51))
        );
        assert_eq!(row["fingerprint"], "ab".repeat(16));
        assert_eq!(row["place_fingerprint"].as_str().map(str::len), Some(32));
        assert_eq!(row.get("decoded_from").or(row.get("suppressed")), None);
        assert_eq!(row["places"][1]["decoded_from"], json!(["base64"]));
        assert_eq!(row["places"][0]["bytes"], json!([310, 350]));
        assert_eq!(
            row["places"][1]["path"].as_str().map(str::as_bytes),
            Some(&*sample::hostile_path())
        );
        let last = &rows[3];
        assert_eq!(
            (&last["skipped"], &last["notable"][0]),
            (
                &json!({"ignored": 3}),
                &json!({"path": ".env", "reason": "ignored"})
            )
        );
        assert_eq!(
            (&last["complete"], &last["findings"], &last["hidden"]),
            (&json!(false), &json!(2), &json!(4))
        );
        assert_eq!(last["seconds"], json!(0.412));
    }

    #[test]
    fn no_secret_shows_unless_asked() {
        let token = sample::token();
        let write = |show_secrets| {
            let options = Options {
                show_secrets,
                ..Options::default()
            };
            sample::written(&Json, &sample::findings(), &[], &sample::summary(), options)
        };
        let (hidden, shown) = (write(false), write(true));
        assert!(
            !hidden.contains(&token) && !hidden.contains("Z2hwXzRm") && !hidden.contains("s3cret")
        );
        assert!(shown.contains(&token));
        assert!(!hidden.contains('\u{1b}') && !hidden.contains('\u{202e}'));
        assert!(
            !hidden.contains("\"redacted\"") && shown.contains("\"redacted\":\"ghp_… (40 bytes)\"")
        );
        let array: Vec<Value> = serde_json::from_str(&hidden).expect("an array");
        assert_eq!(array.len(), 4);
    }

    #[test]
    fn what_does_not_show_is_escaped() {
        let mut out = Vec::new();
        let text = "é鍵\u{2028}\u{9b}\u{202e}\u{7f}\u{1}\u{e0041}\n\"";
        let mut rows = Escaped(&mut out);
        serde_json::to_writer(&mut rows, &[text]).expect("memory takes all");
        let written = String::from_utf8(out).expect("UTF-8");
        assert_eq!(
            written,
            concat!(
                r#"["é鍵\u2028\u009b\u202e\u007f\u0001\udb40\udc41\n\"#,
                "\"\"]"
            )
        );
        let back: Vec<String> = serde_json::from_str(&written).expect("JSON");
        assert_eq!(back, [text]);
    }

    #[test]
    fn dropped_findings_come_with_their_reason_on_request() {
        let token = sample::token();
        let dropped = [sample::dropped(
            &token,
            sample::place(b"x", 1, &token, &token),
            "placeholder: run",
        )];
        assert_eq!(rows(&dropped, Options::default()).len(), 4);
        let rows = rows(
            &dropped,
            Options {
                show_suppressed: true,
                ..Options::default()
            },
        );
        assert_eq!(
            (&rows[2]["suppressed"], &rows[2]["path"]),
            (&json!("placeholder: run"), &json!("x"))
        );
    }

    #[test]
    fn a_path_that_is_not_utf8_is_given_in_bytes_unless_it_holds_a_secret() {
        let token = sample::token();
        let with_token = [b"\xFF/", token.as_bytes()].concat();
        let places = vec![
            sample::place(b"a\xFF", 1, &token, &token),
            sample::place(&with_token, 1, &token, &token),
        ];
        let found = [sample::finding(&token, places)];
        let text = sample::written(&Jsonl, &found, &[], &Summary::default(), Options::default());
        let row: Value =
            serde_json::from_str(text.lines().next().unwrap_or_default()).expect("a record");
        assert_eq!(
            (&row["path"], &row["path_bytes"]),
            (&json!("a\u{fffd}"), &json!("Yf8="))
        );
        assert_eq!(row["places"][1]["path"], "\u{fffd}/ghp_… (40 bytes)");
        assert_eq!(row["places"][1].get("path_bytes"), None);
    }

    #[test]
    fn an_empty_run_has_a_summary() {
        let text = sample::written(&Json, &[], &[], &Summary::default(), Options::default());
        let rows: Vec<Value> = serde_json::from_str(&text).expect("an array");
        assert_eq!((rows.len(), &rows[0]["complete"]), (1, &json!(true)));
    }

    #[test]
    fn history_is_in_the_record() {
        let text = sample::written(
            &Jsonl,
            &sample::historical(),
            &[],
            &sample::history_summary(),
            Options::default(),
        );
        let rows: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line is a record"))
            .collect();
        let row = &rows[0];
        assert_eq!(
            row["commit"],
            json!({
                "id": "1a".repeat(20),
                "author": "Jane Doe",
                "email": "jane@example.com",
                "date": "2024-03-02T09:30:00Z",
                "subject": "Add ghp_… (40 bytes)\u{1b}[2J\u{202e}",
            })
        );
        assert_eq!(row["last_commit"]["subject"], "Rename");
        assert_eq!(
            (&row["in_head"], &row["introductions"], &row["exposed_days"]),
            (&json!(true), &json!(2), &json!(1214))
        );
        assert_eq!(row["tips"], json!(["refs/heads/main", "refs/tags/v1"]));
        assert_eq!(row["refs"][0], "refs/heads/ghp_… (40 bytes)");
        assert_eq!(row["refs"].as_array().map(Vec::len), Some(6));
        let places = &row["places"];
        assert_eq!(
            ["origin", "commit", "blob", "path"].map(|key| places[4].get(key).cloned()),
            [
                None,
                Some(json!("1a".repeat(20))),
                Some(json!("5e".repeat(20))),
                Some(json!("src/app.py"))
            ]
        );
        let origins: Vec<_> = (0..4).map(|i| places[i]["origin"].clone()).collect();
        assert_eq!(origins, ["commit", "tag", "ref", "name"]);
        assert_eq!(places[0].get("path"), None);
        let removed = &rows[1];
        assert_eq!(removed.get("tips"), None);
        assert_eq!(removed["commit"].get("subject"), None);
        assert_eq!(removed["commit"]["author"], "… (12 bytes)\nforged");
        let last = &rows[2];
        assert_eq!(
            (
                &last["commits"],
                &last["objects"],
                &last["unreachable_hits"]
            ),
            (&json!(87_432), &json!(497_109), &json!(3))
        );
        assert_eq!(last["revision"], "2b".repeat(20));
        assert_eq!(last["branch"], "main-ghp_… (40 bytes)\u{1b}");
    }

    #[test]
    fn what_does_not_apply_is_absent() {
        let rows = rows(&[], Options::default());
        for key in [
            "commit",
            "last_commit",
            "in_head",
            "tips",
            "refs",
            "introductions",
            "exposed_days",
            "commits",
            "objects",
            "revision",
            "branch",
        ] {
            assert!(rows.iter().all(|row| row.get(key).is_none()), "{key}");
        }
        assert!(rows[0]["places"][0].get("origin").is_none());
        let token = sample::token();
        let mut found = sample::finding(&token, vec![sample::past(b"a", Origin::Content, 1)]);
        found.history = Some(History::default());
        let text = sample::written(
            &Jsonl,
            &[found],
            &[],
            &Summary::default(),
            Options::default(),
        );
        let row: Value =
            serde_json::from_str(text.lines().next().unwrap_or_default()).expect("a record");
        assert_eq!(row["in_head"], false);
        assert_eq!(row.get("exposed_days").or(row.get("introductions")), None);
    }

    #[test]
    fn every_place_and_ref_is_written() {
        let token = sample::token();
        let places = (0..3000)
            .map(|n| sample::past(format!("f{n}").as_bytes(), Origin::Content, 1))
            .collect();
        let mut found = sample::finding(&token, places);
        found.history = Some(History {
            refs: (0..4000).map(|n| format!("refs/pull/{n}/head")).collect(),
            ..History::default()
        });
        let text = sample::written(
            &Jsonl,
            &[found],
            &[],
            &Summary::default(),
            Options::default(),
        );
        let row: Value =
            serde_json::from_str(text.lines().next().unwrap_or_default()).expect("a record");
        assert_eq!(row["places"].as_array().map(Vec::len), Some(3000));
        assert_eq!(row["refs"].as_array().map(Vec::len), Some(4000));
    }
}
