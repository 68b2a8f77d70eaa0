//! `html`: one file that opens offline: the page, its style and its script, and the findings as JSON.
//!
//! Nothing in it comes from elsewhere, and its Content-Security-Policy forbids everything but the one style and the one
//! script, by their hashes. The script builds the page from text nodes alone; `trusted-types 'none'` makes the browser
//! refuse anything else. Without script there is a plain table. All text from scanned material has passed the redactor
//! and [`printable`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::redact::{Shown, is_cut};
use super::{
    Report, Reporter, by_severity, counted, grouped, history, named, printable, size, suppressed,
    verification, words,
};
use crate::model::{Commit, Finding, History, Oid, Origin, Place, SkipKind};

const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/app.js");

/// Findings in the table that stands in for the script.
const ROWS: usize = 200;
/// Places of a finding that are written; a secret in a vendored folder of an old history can have millions.
const PLACES: usize = 500;
/// Gaps, and left-out files whose names say that a secret may be inside.
const NAMED: usize = 1000;

/// One self-contained page.
#[derive(Debug, Clone, Copy)]
pub struct Html;

impl Reporter for Html {
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        let (style, script) = (newlines(STYLE), newlines(SCRIPT));
        let page = newlines(PAGE);
        let mut rest = &*page;
        while let Some((before, name, after)) = next_slot(rest) {
            out.write_all(before.as_bytes())?;
            match name {
                "policy" => out.write_all(policy(&style, &script).as_bytes())?,
                "title" => escaped(&mut out, &title(report))?,
                "style" => out.write_all(style.as_bytes())?,
                "script" => out.write_all(script.as_bytes())?,
                "table" => table(report, &mut out)?,
                _ => serde_json::to_writer(Inert(&mut out), &data(report))?,
            }
            rest = after;
        }
        out.write_all(rest.as_bytes())?;
        out.flush()
    }
}

/// The text with line feeds alone: a browser hashes what it has read, and it reads every line break as one.
fn newlines(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// What stands before the next `{{name}}`, its name, and what follows it.
fn next_slot(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    Some((before, name, after))
}

fn policy(style: &str, script: &str) -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        hash(style),
        hash(script)
    )
}

/// JSON in which no character means anything to HTML: `<`, `>` and `&` stand in strings alone, and are escaped there.
struct Inert<W>(W);

impl<W: Write> Write for Inert<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|b| matches!(b, b'<' | b'>' | b'&')) {
            let (before, from) = rest.split_at(at);
            self.0.write_all(before)?;
            if let Some((special, after)) = from.split_first() {
                write!(self.0, "\\u{special:04x}")?;
                rest = after;
            }
        }
        self.0.write_all(rest)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes text as HTML.
fn escaped(out: &mut impl Write, text: &str) -> io::Result<()> {
    let mut rest = text;
    while let Some(at) = rest.find(['<', '>', '&', '"', '\'']) {
        let (before, from) = rest.split_at(at);
        out.write_all(before.as_bytes())?;
        let mut chars = from.chars();
        if let Some(special) = chars.next() {
            write!(out, "&#{};", u32::from(special))?;
        }
        rest = chars.as_str();
    }
    out.write_all(rest.as_bytes())
}

fn title(report: &Report<'_>) -> String {
    let count = report.findings.len() as u64;
    format!(
        "{} in {}",
        counted(count, "secret", "secrets"),
        root(report)
    )
}

fn root(report: &Report<'_>) -> String {
    path(report, report.root.as_bytes())
}

fn path(report: &Report<'_>, path: &[u8]) -> String {
    printable(&report.redactor.path(path)).into_owned()
}

/// The basis of the page: a table of the first findings.
fn table(report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    let sorted = by_severity(report.findings);
    out.write_all(b"<h1>")?;
    escaped(out, &title(report))?;
    out.write_all(b"</h1>\n")?;
    let mut sentences = vec![scanned(report)];
    if !report.is_complete() {
        let gaps = report.summary.gaps.len() as u64;
        let gaps = counted(gaps, "thing", "things");
        sentences.push(format!("Incomplete: {gaps} could not be scanned"));
    }
    sentences.extend(verified_in_all(report));
    sentences.extend(notes(report));
    if sorted.len() > ROWS {
        let all = grouped(sorted.len() as u64);
        sentences.push(format!(
            "The first {ROWS} of {all} are listed here; with JavaScript, all"
        ));
    }
    for sentence in sentences {
        out.write_all(b"<p>")?;
        escaped(out, &sentence)?;
        out.write_all(b".</p>\n")?;
    }
    if sorted.is_empty() {
        return Ok(());
    }
    out.write_all(
        b"<table><thead><tr><th scope=\"col\">Severity</th><th scope=\"col\">Kind</th><th scope=\"col\">Secret</th>\
          <th scope=\"col\">Place</th><th scope=\"col\">Status</th><th scope=\"col\">What to do next</th></tr></thead><tbody>\n",
    )?;
    for finding in sorted.into_iter().take(ROWS) {
        let secret = report.redactor.secret(&finding.credential.secret);
        let at = report.places(finding).next();
        let at = at.map(|place| location(report, place)).unwrap_or_default();
        out.write_all(b"<tr>")?;
        for cell in [
            finding.severity.word(),
            &printable(&finding.name),
            &printable(&secret),
            &at,
            verification::word(finding),
            &printable(&finding.remedy),
        ] {
            out.write_all(b"<td>")?;
            escaped(out, cell)?;
            out.write_all(b"</td>")?;
        }
        out.write_all(b"</tr>\n")?;
    }
    out.write_all(b"</tbody></table>")
}

/// `src/app.py:12:9`, or what else of a repository holds the secret.
fn location(report: &Report<'_>, place: &Place) -> String {
    let shown = path(report, &named(&place.path));
    let object = place.blob.or(place.commit).map(history::short);
    let object = object.unwrap_or_default();
    match place.origin {
        Origin::Content => format!("{shown}:{}:{}", place.start.line, place.start.column),
        Origin::Name => format!("name of {shown}"),
        Origin::Commit => format!("message, author or committer of commit {object}"),
        Origin::Tag => format!("message of tag {object}"),
        Origin::Ref => format!("name of ref {shown}"),
    }
}

/// `1,234 files, 87,432 commits, 497,109 objects, 12.3 MB in 0.4 s`.
fn scanned(report: &Report<'_>) -> String {
    let summary = report.summary;
    let mut parts = Vec::new();
    let is_history = history::is_scanned(summary);
    if summary.files > 0 || !is_history {
        parts.push(counted(summary.files, "file", "files"));
    }
    if is_history {
        parts.push(counted(summary.commits, "commit", "commits"));
        parts.push(counted(summary.objects, "object", "objects"));
    }
    parts.push(size(summary.bytes));
    let seconds = report.elapsed.as_secs_f64();
    let time = if seconds < 0.0995 {
        format!("{:.0} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.1} s")
    };
    format!("{} in {time}", parts.join(", "))
}

/// What the findings leave out, a sentence each.
fn notes(report: &Report<'_>) -> Vec<String> {
    let summary = report.summary;
    let accepted = report.dropped.iter();
    let accepted = accepted
        .filter(|f| suppressed(f).is_some_and(super::is_accepted))
        .count() as u64;
    let hidden = report.hidden_low as u64;
    let all = [
        (
            hidden,
            "finding is",
            "findings are",
            "below --min-confidence and not shown",
        ),
        (
            if report.options.show_suppressed {
                0
            } else {
                accepted
            },
            "finding is",
            "findings are",
            "suppressed and not shown; see --show-suppressed",
        ),
        (
            summary.already_there,
            "secret was",
            "secrets were",
            "there before and not counted; keysweep git shows them",
        ),
        (
            summary.unreachable_hits,
            "match is",
            "matches are",
            "in objects that no scanned ref reaches and not shown; see --all-objects",
        ),
        (
            summary.binary_files,
            "binary file was",
            "binary files were",
            "searched for distinctive prefixes and key blocks alone",
        ),
    ];
    let counts = all
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many, what)| format!("{} {what}", counted(count, one, many)));
    let hidden = summary.verified.as_ref().and_then(verification::hidden);
    let hidden =
        hidden.map(|hidden| format!("{hidden} and not shown; see it without --only-active"));
    hidden.into_iter().chain(counts).collect()
}

/// What providers said of all findings.
fn verified_in_all(report: &Report<'_>) -> Option<String> {
    let text = verification::summed(report.summary.verified.as_ref()?);
    Some(words::sentence(&text))
}

/// What the script reads.
#[derive(Serialize)]
struct Data<'r> {
    version: &'static str,
    root: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'r str>,
    complete: bool,
    /// Whether the user asked for secrets in clear.
    clear: bool,
    cancelled: bool,
    scanned: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<String>,
    notes: Vec<String>,
    gaps: Vec<Left>,
    more_gaps: usize,
    skipped: Vec<(u64, &'static str)>,
    notable: Vec<Left>,
    more_notable: usize,
    /// Said of every secret that was committed.
    stays: &'static str,
    kinds: Vec<Kind<'r>>,
    commits: Vec<CommitRow>,
    findings: Rows<'r>,
}

/// Something that was not scanned.
#[derive(Serialize)]
struct Left {
    path: String,
    reason: String,
}

/// What all findings of a rule have in common.
#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
struct Kind<'r> {
    rule: &'r str,
    name: &'r str,
    provider: &'r str,
    remedy: &'r str,
    console: &'r str,
    link: &'r str,
}

#[derive(Serialize)]
struct CommitRow {
    id: String,
    author: String,
    email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    subject: String,
}

/// The findings, each made when it is written, and where their kinds and commits stand in the lists.
struct Rows<'r> {
    report: &'r Report<'r>,
    kinds: BTreeMap<Kind<'r>, usize>,
    commits: BTreeMap<Oid, usize>,
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(all(self.report).map(|finding| self.row(finding)))
    }
}

/// The findings as the page lists them: the most severe first, what was dropped last.
fn all<'r>(report: &Report<'r>) -> impl Iterator<Item = &'r Finding> + use<'r> {
    let dropped: &'r [Finding] = if report.options.show_suppressed {
        report.dropped
    } else {
        &[]
    };
    by_severity(report.findings)
        .into_iter()
        .chain(by_severity(dropped))
}

#[derive(Serialize)]
struct Row<'r> {
    fingerprint: String,
    kind: usize,
    severity: &'static str,
    confidence: &'static str,
    score: f64,
    secret: String,
    entropy: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<(Cow<'r, str>, String)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    opens: Vec<(Cow<'r, str>, String)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    owners: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<HistoryRow>,
    places: Vec<PlaceRow>,
    #[serde(skip_serializing_if = "is_zero")]
    more_places: usize,
    /// The provider's word, and the whole of what is known, name by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<(&'static str, Vec<(&'static str, String)>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed: Option<String>,
}

#[derive(Serialize)]
struct HistoryRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_head: Option<bool>,
    tips: Vec<String>,
    more_tips: u64,
    refs: Vec<String>,
    more_refs: u64,
    introductions: u32,
    /// Whether the shallow clone ends at the first commit.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    or_earlier: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<u32>,
}

#[derive(Serialize)]
struct PlaceRow {
    path: String,
    at: String,
    line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    decoded_from: Vec<&'static str>,
    /// Before the secret, what stands for it, behind it; absent where it is that of the place before.
    #[serde(skip_serializing_if = "Option::is_none")]
    snippet: Option<[String; 3]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn data<'r>(report: &'r Report<'r>) -> Data<'r> {
    let summary = report.summary;
    let left = |name: &str, reason: &str| Left {
        path: path(report, name.as_bytes()),
        reason: path(report, reason.as_bytes()),
    };
    let gaps = summary.gaps.iter().take(NAMED);
    let notable = summary.notable.iter().take(NAMED);
    let mut kinds = BTreeMap::new();
    let mut commits: BTreeMap<Oid, &Commit> = BTreeMap::new();
    for finding in all(report) {
        kinds.insert(kind(finding), 0);
        if let Some(history) = &finding.history {
            let ends = history.first.iter().chain(&history.last);
            commits.extend(ends.map(|commit| (commit.id, commit)));
        }
    }
    for (index, at) in kinds.values_mut().enumerate() {
        *at = index;
    }
    Data {
        version: env!("CARGO_PKG_VERSION"),
        root: root(report),
        branch: report
            .branch
            .as_ref()
            .map(|name| path(report, history::short_ref(name).as_bytes())),
        revision: report.revision.as_deref(),
        complete: report.is_complete(),
        clear: report.options.show_secrets,
        cancelled: summary.cancelled,
        scanned: scanned(report),
        verified: verified_in_all(report),
        notes: notes(report),
        gaps: gaps.map(|gap| left(&gap.path, &gap.reason)).collect(),
        more_gaps: summary.gaps.len().saturating_sub(NAMED),
        skipped: summary
            .skipped
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(kind, count)| (*count, skip_words(*kind, *count)))
            .collect(),
        notable: notable.map(|s| left(&s.path, s.kind.words())).collect(),
        more_notable: summary.notable.len().saturating_sub(NAMED),
        stays: history::STAYS,
        kinds: kinds.keys().copied().collect(),
        commits: commits.values().map(|c| commit_row(report, c)).collect(),
        findings: Rows {
            report,
            kinds,
            commits: commits.keys().copied().zip(0..).collect(),
        },
    }
}

fn verified(
    report: &Report<'_>,
    finding: &Finding,
) -> Option<(&'static str, Vec<(&'static str, String)>)> {
    let told = verification::told(report, finding)?;
    let all = [("provider's word", told)].into_iter();
    let all = all.chain(verification::facts(report, finding)).collect();
    Some((verification::word(finding), all))
}

fn skip_words(kind: SkipKind, count: u64) -> &'static str {
    match kind {
        SkipKind::Symlink if count != 1 => "symbolic links",
        SkipKind::Shallow if count != 1 => "histories before commits where the shallow clone ends",
        SkipKind::Special if count != 1 => "not regular files",
        _ => kind.words(),
    }
}

fn kind(finding: &Finding) -> Kind<'_> {
    Kind {
        rule: &finding.rule,
        name: &finding.name,
        provider: &finding.provider,
        remedy: &finding.remedy,
        console: &finding.console,
        link: &finding.link,
    }
}

fn commit_row(report: &Report<'_>, commit: &Commit) -> CommitRow {
    let text = |text: &str| report.redactor.printable(text.as_bytes());
    CommitRow {
        id: commit.id.to_string(),
        author: text(&commit.author),
        email: text(&commit.email),
        date: history::date(commit.date),
        subject: text(&commit.subject),
    }
}

impl<'r> Rows<'r> {
    fn row(&self, finding: &'r Finding) -> Row<'r> {
        let report = self.report;
        let text = |text: &str| report.redactor.printable(text.as_bytes());
        let pairs = |pairs: &'r [(String, String)]| {
            pairs
                .iter()
                .map(|(name, value)| (printable(name), text(value)))
                .collect()
        };
        let mut last = None;
        let places: Vec<PlaceRow> = report
            .places(finding)
            .take(PLACES)
            .map(|place| self.place(finding, place, &mut last))
            .collect();
        Row {
            fingerprint: finding.fingerprint.to_string(),
            kind: self.kinds.get(&kind(finding)).copied().unwrap_or_default(),
            severity: finding.severity.word(),
            confidence: finding.confidence().word(),
            score: hundredths(finding.score),
            secret: printable(&report.redactor.secret(&finding.credential.secret)).into_owned(),
            entropy: hundredths(finding.entropy),
            parts: pairs(&finding.credential.parts),
            opens: pairs(&finding.opens),
            owners: finding.owners.iter().map(|owner| text(owner)).collect(),
            history: finding.history.as_ref().map(|h| self.history(h)),
            more_places: report.places(finding).count() - places.len(),
            places,
            verification: verified(report, finding),
            suppressed: suppressed(finding).map(text),
        }
    }

    fn history(&self, history: &History) -> HistoryRow {
        let index = |commit: &Commit| self.commits.get(&commit.id).copied();
        let refs = |names: &[String]| {
            history::refs_in_order(names)
                .map(|name| {
                    let name = self.report.redactor.path(name.as_bytes());
                    printable(history::short_ref(&name)).into_owned()
                })
                .collect()
        };
        // Without a commit there is no day to count from, and a range says nothing of what came after it.
        let is_whole = history.first.is_some() && !history.is_partial;
        HistoryRow {
            first: history.first.as_ref().and_then(index),
            last: history.last.as_ref().and_then(index),
            in_head: (!history.is_partial).then_some(history.in_head),
            tips: refs(&history.tips),
            more_tips: history.more_tips,
            refs: refs(&history.refs),
            more_refs: history.more_refs,
            introductions: if is_whole { history.introductions } else { 0 },
            or_earlier: history.or_earlier,
            days: is_whole.then_some(history.exposed_days),
        }
    }

    /// A place; `last` is the snippet of the one before.
    fn place(&self, finding: &Finding, place: &Place, last: &mut Option<[String; 3]>) -> PlaceRow {
        let report = self.report;
        let shown = report.redactor.snippet(place, &finding.credential.secret);
        let snippet = lines(&shown, is_cut(place));
        let is_new = last.as_ref() != Some(&snippet);
        if is_new {
            *last = Some(snippet.clone());
        }
        let is_file = matches!(place.origin, Origin::Content | Origin::Name);
        PlaceRow {
            path: if is_file {
                path(report, &named(&place.path))
            } else {
                history::object_name(report, place).unwrap_or_default()
            },
            at: location(report, place),
            line: place.start.line,
            commit: place.commit.as_ref().map(Oid::to_string),
            blob: place.blob.as_ref().map(Oid::to_string),
            decoded_from: place.decoded_from.iter().map(|d| d.word()).collect(),
            snippet: is_new.then_some(snippet),
            suppressed: place
                .dropped
                .as_ref()
                .map(|reason| report.redactor.printable(reason.as_bytes())),
        }
    }
}

/// The line of a place, printable, tabs as four spaces.
fn lines(shown: &Shown, is_cut: bool) -> [String; 3] {
    let flat = |text: &str| printable(&text.replace('\t', "    ")).into_owned();
    let before = flat(&shown.before);
    [
        if is_cut {
            format!("…{before}")
        } else {
            before
        },
        flat(&shown.secret),
        flat(shown.after.trim_end()),
    ]
}

fn hundredths(value: f32) -> f64 {
    (f64::from(value) * 100.0).round() / 100.0
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
