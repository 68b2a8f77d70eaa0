//! `sarif`: SARIF 2.1.0 as GitHub's code scanning reads it, within its limits.
//!
//! GitHub refuses a file that exceeds them, so the most severe findings come first and the rest is
//! told as a notification: at most 25,000 results and 1,000 locations each. What SARIF has no word for
//! and a report needs when it is read again stands in property bags.
//! <https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde_json::{Value, json};
use serde_sarif::sarif::{
    ArtifactContent, ArtifactLocation, Invocation, Location, LogicalLocation, Message,
    MultiformatMessageString, Notification, PhysicalLocation, PropertyBag, Region,
    ReportingConfiguration, ReportingDescriptor, Result as SarifResult, ResultLevel, Run,
    Sarif as Log, Suppression, Tool, ToolComponent, VersionControlDetails,
};

use super::escaped::write_document;
use super::record::{hundredths, redacted, summary_row};
use super::redact::is_cut;
use super::{
    Report, Reporter, by_severity, file_place, grouped, history, is_in_source, named,
    percent_encoded, place_fingerprint, printable, remedy, shown_bytes, suppressed, verification,
};
use crate::model::{Confidence, Finding, Fingerprint, Gap, History, Origin, Place, Severity};
use crate::rule::{Rule, RuleSpec};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// The project's public address, as `Cargo.toml` gives it; empty where it gives none, and then no report names one.
pub(super) const HOMEPAGE: &str = env!("CARGO_PKG_REPOSITORY");
/// Of every rule. The last is how GitHub and DefectDojo are told a weakness: credentials in code.
const TAGS: [&str; 3] = ["security", "secret", "external/cwe/cwe-798"];
/// Under which name a fingerprint stands; viewers read the version off it.
const IDENTITY: &str = "keysweep/v1";
const RESULTS: usize = 25_000;
const LOCATIONS: usize = 1_000;
const NOTIFICATIONS: usize = 1_000;
/// Refs that a result names.
const REFS: usize = 3;
/// What a run says that was stopped.
pub(super) const STOPPED: &str = "the run was stopped before its end";
/// Characters of a description.
const DESCRIPTION: usize = 1_024;

/// One run of SARIF 2.1.0.
#[derive(Debug, Clone, Copy)]
pub struct Sarif;

impl Reporter for Sarif {
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        write_document(&log(report), out)
    }
}

fn log(report: &Report<'_>) -> Log {
    let mut findings = by_severity(report.findings);
    findings.extend(by_severity(report.shown_dropped()));
    let all = findings.len();
    findings.truncate(RESULTS);
    let used: BTreeMap<&str, &Finding> = findings.iter().map(|f| (f.rule.as_str(), *f)).collect();
    let rules: Vec<ReportingDescriptor> = used
        .values()
        .map(|f| {
            rule(
                f,
                report
                    .rules
                    .index_of(&f.rule)
                    .and_then(|i| report.rules.rule(i))
                    .map(Rule::spec),
            )
        })
        .collect();
    let index: BTreeMap<&str, i64> = used.keys().copied().zip(0..).collect();
    let mut identities = BTreeSet::new();
    let results: Vec<SarifResult> = findings
        .iter()
        .map(|f| {
            let mut result = result(report, f, index.get(f.rule.as_str()).copied());
            result.fingerprints = identity(f, &mut identities);
            result
        })
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    let mut driver = ToolComponent::builder()
        .name("keysweep")
        .version(version)
        .semantic_version(version)
        .rules(rules)
        .build();
    driver.information_uri = (!HOMEPAGE.is_empty()).then(|| HOMEPAGE.to_owned());
    let mut run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        .column_kind(json!("unicodeCodePoints"))
        .invocations(vec![invocation(report, all)])
        .results(results)
        .build();
    run.version_control_provenance = provenance(report).map(|details| vec![details]);
    Log::builder()
        .schema(SCHEMA)
        .version(json!("2.1.0"))
        .runs(vec![run])
        .build()
}

/// The repository's state, where the caller knows it.
fn provenance(report: &Report<'_>) -> Option<VersionControlDetails> {
    let mut details = VersionControlDetails::builder()
        .repository_uri(repository_uri(report))
        .revision_id(printable(report.revision.as_ref()?))
        .build();
    details.branch = report
        .branch
        .as_ref()
        .map(|name| printable(&report.redactor.path(name.as_bytes())).into_owned());
    Some(details)
}

/// The scanned root as a URI, which SARIF requires; of an address nothing that could be a password.
fn repository_uri(report: &Report<'_>) -> String {
    let root = report.redactor.path(report.root.as_bytes());
    let Some((scheme, rest)) = root.split_once("://") else {
        let slashes = if root.starts_with('/') { "//" } else { "" };
        return format!("file:{slashes}{}", percent_encoded(&named(root.as_bytes())));
    };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let rest = rest.get(..end).unwrap_or_default();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let (host, port) = host.split_once(':').unwrap_or((host, ""));
    let colon = if port.is_empty() { "" } else { ":" };
    let [host, port, path] = [host, port, path].map(|part| percent_encoded(part.as_bytes()));
    let scheme = if scheme.bytes().all(|b| b.is_ascii_alphabetic()) {
        scheme
    } else {
        "git"
    };
    format!("{scheme}://{host}{colon}{port}{path}")
}

fn rule(finding: &Finding, spec: Option<&RuleSpec>) -> ReportingDescriptor {
    let remedy = remedy(finding);
    let help: Vec<String> = [("Console", &finding.console), ("More", &finding.link)]
        .into_iter()
        .filter(|(_, url)| is_url(url))
        .map(|(title, url)| format!("{title}: {url}"))
        .collect();
    let paragraphs = |link: fn(&str) -> String| {
        std::iter::once(remedy.to_owned())
            .chain(help.iter().map(|h| link(h)))
            .collect::<Vec<_>>()
            .join("\n\n")
    };
    let markdown = paragraphs(|line| {
        line.split_once(": ")
            .map_or_else(String::new, |(title, url)| format!("[{title}]({url})"))
    });
    let help = MultiformatMessageString::builder()
        .text(paragraphs(str::to_owned))
        .markdown(markdown)
        .build();
    let text = |text: String| {
        MultiformatMessageString::builder()
            .text(cut(text, DESCRIPTION))
            .build()
    };
    let (confidence, is_checked) = spec.map_or((finding.confidence(), false), |s| {
        (s.confidence, s.checksum.is_some())
    });
    let precision = match confidence {
        Confidence::High if is_checked => "very-high",
        Confidence::High => "high",
        Confidence::Medium => "medium",
        Confidence::Low => "low",
    };
    let security_severity = match finding.severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
    };
    let properties = PropertyBag {
        tags: Some(TAGS.map(str::to_owned).to_vec()),
        additional_properties: [
            ("precision", precision),
            ("security-severity", security_severity),
            ("provider", &finding.provider),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (key.to_owned(), json!(value)))
        .collect(),
    };
    let level: Value = json!(level(finding.severity));
    let of = if finding.provider.is_empty() {
        String::new()
    } else {
        format!(" ({})", finding.provider)
    };
    let mut rule = ReportingDescriptor::builder()
        .id(&finding.rule)
        .name(cut(finding.name.clone(), 255))
        .short_description(text(finding.name.clone()))
        .full_description(text(format!(
            "{}{of} exposed: whoever reads it can use it. {remedy}",
            finding.name
        )))
        .help(help)
        .default_configuration(ReportingConfiguration {
            level: Some(level),
            ..Default::default()
        })
        .properties(properties)
        .build();
    rule.help_uri = is_url(&finding.link).then(|| finding.link.clone());
    rule
}

/// What a result is known by wherever its places move, once in a file: of a secret that is accepted in some places there are two
/// results. `DefectDojo` recognises a finding by it, and else by its file's name.
fn identity(
    finding: &Finding,
    given: &mut BTreeSet<Fingerprint>,
) -> Option<BTreeMap<String, String>> {
    given
        .insert(finding.fingerprint)
        .then(|| BTreeMap::from([(IDENTITY.to_owned(), finding.fingerprint.to_string())]))
}

fn level(severity: Severity) -> ResultLevel {
    match severity {
        Severity::Critical | Severity::High => ResultLevel::Error,
        Severity::Medium => ResultLevel::Warning,
        Severity::Low => ResultLevel::Note,
    }
}

fn result(report: &Report<'_>, finding: &Finding, rule_index: Option<i64>) -> SarifResult {
    let secret = report.redactor.secret(&finding.credential.secret);
    let mut text = format!("{}: {}", finding.name, plain(&secret));
    // GitHub shows a result at its first location, and only at a file's.
    let first = file_place(report, finding);
    let places = report
        .places(finding)
        .filter(|p| !first.is_some_and(|first| std::ptr::eq(*p, first)));
    if let Some(place) = first.filter(|p| !p.decoded_from.is_empty()) {
        let words: Vec<_> = place.decoded_from.iter().map(|d| d.word()).collect();
        text = format!("{text}, decoded from {}", words.join(", "));
    }
    if let Some(told) = verification::told(report, finding) {
        text = format!("{text}. Verified: {}", plain(&told));
    }
    text = format!("{text}. {}", remedy(finding));
    if history::is_committed(finding) {
        text = format!("{text} {}", history::STAYS);
    }
    let related: Vec<Location> = places
        .take(LOCATIONS - 1)
        .zip(1..)
        .map(|(place, id)| Location {
            id: Some(id),
            message: Some(message("the same secret")),
            ..location(report, finding, place, false)
        })
        .collect();
    let path = first.map(|p| p.path.as_slice()).unwrap_or_default();
    let hash = place_fingerprint(report, finding, path);
    let prints = [
        (IDENTITY, finding.fingerprint.to_string()),
        // The one that GitHub uses; it does not change when lines move.
        (
            "primaryLocationLineHash",
            format!("{}:1", hash.get(..16).unwrap_or_default()),
        ),
    ];
    let mut result = SarifResult::builder()
        .rule_id(&finding.rule)
        .level(match verification::word(finding) {
            // A key that is known to work is never only a note.
            "active" => ResultLevel::Error,
            _ => level(finding.severity),
        })
        .message(message(text))
        .locations(
            first
                .map(|p| location(report, finding, p, true))
                .into_iter()
                .collect::<Vec<_>>(),
        )
        .partial_fingerprints(
            prints
                .map(|(key, value)| (key.to_owned(), value))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
        )
        .rank((f64::from(finding.score) * 100.0).round().clamp(0.0, 100.0))
        .build();
    result.rule_index = rule_index;
    result.properties = Some(properties(report, finding));
    result.related_locations = (!related.is_empty()).then_some(related);
    result.suppressions = suppressed(finding).map(|reason| vec![suppression(report, reason)]);
    result
}

/// What history says of a result; people are left to the other formats, since forges show these files widely.
fn properties(report: &Report<'_>, finding: &Finding) -> PropertyBag {
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    let mut add = |key: &str, value: Value| all.insert(key.to_owned(), value);
    add("entropy", json!(hundredths(finding.entropy)));
    add("severity", json!(finding.severity.word()));
    add("confidence", json!(finding.confidence().word()));
    add(
        "secret",
        json!(report.redactor.secret(&finding.credential.secret)),
    );
    if let Some(form) = redacted(report, finding) {
        add("redacted", json!(form));
    }
    if let Some(row) = verification::row(report, finding) {
        add("verification", json!(row));
    }
    if !finding.owners.is_empty() {
        let owners = finding.owners.iter();
        let owners: Vec<String> = owners
            .map(|owner| report.redactor.redact(owner.as_bytes()))
            .collect();
        add("owners", json!(owners));
    }
    if let Some(history) = &finding.history {
        history_properties(history, &mut add);
        for (key, names, more) in [
            ("tips", &history.tips, history.more_tips),
            ("refs", &history.refs, history.more_refs),
        ] {
            let shown: Vec<String> = history::refs_in_order(names)
                .take(REFS)
                .map(|name| report.redactor.path(name.as_bytes()))
                .collect();
            let more = more + (names.len() - shown.len()) as u64;
            if !shown.is_empty() {
                add(key, json!(shown));
            }
            if more > 0 {
                add(&format!("more_{key}"), json!(more));
            }
        }
    }
    PropertyBag {
        tags: None,
        additional_properties: all,
    }
}

fn history_properties(history: &History, add: &mut impl FnMut(&str, Value) -> Option<Value>) {
    if !history.is_partial {
        add("in_head", json!(history.in_head));
    }
    if let Some(first) = &history.first {
        add("commit", json!(first.id.to_string()));
        if let Some(date) = history::date(first.date) {
            add("date", json!(date));
        }
        if history.or_earlier {
            add("or_earlier", json!(true));
        }
        if !history.is_partial {
            add("exposed_days", json!(history.exposed_days));
            add("introductions", json!(history.introductions));
        }
    }
    if let Some(last) = &history.last {
        add("last_commit", json!(last.id.to_string()));
    }
}

/// Where the place is for a machine: byte offsets, bytes of columns, git's objects.
fn place_properties(report: &Report<'_>, place: &Place) -> PropertyBag {
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    let mut add = |key: &str, value: Value| all.insert(key.to_owned(), value);
    add("bytes", json!([place.span.start, place.span.end]));
    add("score", json!(hundredths(place.score)));
    let at = [place.start, place.end].map(|at| [at.line, at.column]);
    add("at", json!(at));
    if place.origin != Origin::Content {
        add("origin", json!(place.origin.word()));
    }
    if is_cut(place) {
        add("cut", json!(true));
    }
    for (key, id) in [("commit", place.commit), ("blob", place.blob)] {
        if let Some(id) = id {
            add(key, json!(id.to_string()));
        }
    }
    if !place.decoded_from.is_empty() {
        let words: Vec<_> = place.decoded_from.iter().map(|d| d.word()).collect();
        add("decoded_from", json!(words));
    }
    if let Some(reason) = &place.lapsed {
        let reason = report.redactor.redact(reason.as_bytes());
        add("expired_suppression", json!(reason));
    }
    if let Some(reason) = &place.dropped {
        add("dropped", json!(report.redactor.redact(reason.as_bytes())));
    }
    PropertyBag {
        tags: None,
        additional_properties: all,
    }
}

fn suppression(report: &Report<'_>, reason: &str) -> Suppression {
    // A comment in the text, or a filter or list outside of it.
    let kind = if is_in_source(reason) {
        "inSource"
    } else {
        "external"
    };
    Suppression::builder()
        .kind(json!(kind))
        .status(json!("accepted"))
        .justification(plain(&report.redactor.redact(reason.as_bytes())))
        .build()
}

fn location(report: &Report<'_>, finding: &Finding, place: &Place, with_text: bool) -> Location {
    if let Some(name) = history::object_name(report, place) {
        let logical = LogicalLocation {
            fully_qualified_name: Some(name),
            ..Default::default()
        };
        return Location {
            logical_locations: Some(vec![logical]),
            properties: Some(place_properties(report, place)),
            ..Default::default()
        };
    }
    let is_content = place.origin == Origin::Content;
    let mut region = if is_content {
        region(place)
    } else {
        beginning()
    };
    let mut context = None;
    if with_text && is_content {
        let shown = report.redactor.snippet(place, &finding.credential.secret);
        region.snippet = Some(content(&shown.secret));
        context = Some(Region {
            start_line: region.start_line,
            end_line: region.end_line,
            snippet: Some(content(&shown.to_string())),
            ..Default::default()
        });
    }
    let physical = PhysicalLocation {
        artifact_location: Some(artifact(report, &place.path)),
        region: Some(region),
        context_region: context,
        ..Default::default()
    };
    Location {
        physical_location: Some(physical),
        properties: Some(place_properties(report, place)),
        ..Default::default()
    }
}

fn artifact(report: &Report<'_>, path: &[u8]) -> ArtifactLocation {
    ArtifactLocation {
        uri: Some(uri(&shown_bytes(report, path))),
        ..Default::default()
    }
}

/// A URI reference of a path: relative without `./`, or `file://` for an absolute one.
fn uri(path: &[u8]) -> String {
    let mut path = path;
    while let Some(rest) = path.strip_prefix(b"./") {
        path = rest;
    }
    let scheme = if path.starts_with(b"/") {
        "file://"
    } else {
        ""
    };
    format!("{scheme}{}", percent_encoded(&named(path)))
}

/// The first character of a file whose name is what is meant: GitHub takes no location without a region.
fn beginning() -> Region {
    Region {
        start_line: Some(1),
        start_column: Some(1),
        end_line: Some(1),
        end_column: Some(2),
        ..Default::default()
    }
}

/// The place of a secret, columns in code points where the line is known from its beginning.
fn region(place: &Place) -> Region {
    let (start, end) = code_point_columns(place);
    let number = |n: u32| Some(i64::from(n.max(1)));
    Region {
        start_line: number(place.start.line),
        start_column: number(start),
        end_line: number(place.end.line.max(place.start.line)),
        end_column: number(end),
        ..Default::default()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "characters are counted, none leaves"
)]
pub(super) fn code_point_columns(place: &Place) -> (u32, u32) {
    if let Some(told) = place.snippet.told {
        return told.columns;
    }
    let (start, end) = (place.start.column.max(1), place.end.column.max(1));
    let text = place.snippet.text.expose();
    let (from, to) = place.snippet.secret;
    let count = |range| {
        text.get(range)
            .map(|bytes| String::from_utf8_lossy(bytes).chars().count())
    };
    let one_line = place.start.line == place.end.line;
    let (first, last) = match count(0..from) {
        Some(before) if !is_cut(place) => {
            let first = u32::try_from(before + 1).unwrap_or(start);
            // The snippet may be cut behind the secret's beginning; then its bytes are counted.
            let whole = to
                .checked_sub(from)
                .is_some_and(|length| length as u64 == u64::from(end.saturating_sub(start)));
            let length = if whole {
                count(from..to).and_then(|n| u32::try_from(n).ok())
            } else {
                None
            };
            (first, first + length.unwrap_or(end.saturating_sub(start)))
        }
        _ => (start, end),
    };
    if one_line {
        (first, last.max(first + 1))
    } else {
        (first, end)
    }
}

fn invocation(report: &Report<'_>, all: usize) -> Invocation {
    let gaps = &report.summary.gaps;
    let mut notes: Vec<Notification> = gaps
        .iter()
        .take(NOTIFICATIONS)
        .map(|gap| gap_note(report, gap))
        .collect();
    let left = gaps.len().saturating_sub(NOTIFICATIONS);
    if left > 0 {
        notes.push(note(format!(
            "{} more could not be scanned",
            grouped(left as u64)
        )));
    }
    if report.summary.cancelled {
        notes.push(note(STOPPED.to_owned()));
    }
    if all > RESULTS {
        notes.push(note(format!(
            "{} of {} findings are in this file, the most severe ones: GitHub takes no more",
            grouped(RESULTS as u64),
            grouped(all as u64)
        )));
    }
    let mut invocation = Invocation::builder()
        .execution_successful(report.is_complete())
        .tool_execution_notifications(notes)
        .build();
    invocation.properties = Some(counts(report));
    invocation
}

/// The summary's record, without what changes from run to run: the same tree gives the same file.
fn counts(report: &Report<'_>) -> PropertyBag {
    let mut all = match serde_json::to_value(summary_row(report)) {
        Ok(Value::Object(row)) => row,
        _ => serde_json::Map::new(),
    };
    for key in ["schema", "kind", "seconds", "bytes_per_second", "finished"] {
        all.remove(key);
    }
    PropertyBag {
        tags: None,
        additional_properties: all.into_iter().collect(),
    }
}

fn gap_note(report: &Report<'_>, gap: &Gap) -> Notification {
    let path = report.redactor.path(gap.path.as_bytes());
    let reason = report.redactor.path(gap.reason.as_bytes());
    let physical = PhysicalLocation {
        artifact_location: Some(artifact(report, gap.path.as_bytes())),
        ..Default::default()
    };
    let mut note = note(format!("{}: {}", plain(&path), plain(&reason)));
    note.locations = Some(vec![Location {
        physical_location: Some(physical),
        ..Default::default()
    }]);
    note
}

fn note(text: String) -> Notification {
    Notification::builder()
        .level(json!("warning"))
        .message(message(text))
        .build()
}

fn message(text: impl Into<String>) -> Message {
    Message {
        text: Some(text.into()),
        ..Default::default()
    }
}

fn content(text: &str) -> ArtifactContent {
    let kept: String = text
        .chars()
        .map(|c| {
            if c == '\t' {
                c.to_string()
            } else {
                printable(c.encode_utf8(&mut [0; 4])).into_owned()
            }
        })
        .collect();
    ArtifactContent {
        text: Some(kept),
        ..Default::default()
    }
}

/// Scanned text in a message: nothing to obey, and no brackets, which SARIF reads as links.
pub(super) fn plain(text: &str) -> String {
    printable(text).replace('[', "\\[").replace(']', "\\]")
}

pub(super) fn is_url(text: &str) -> bool {
    (text.starts_with("https://") || text.starts_with("http://"))
        && text.bytes().all(|b| {
            b.is_ascii_graphic()
                && !matches!(
                    b,
                    b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
                )
        })
}

pub(super) fn cut(text: String, characters: usize) -> String {
    match text.char_indices().nth(characters.saturating_sub(1)) {
        Some((at, last)) if at + last.len_utf8() < text.len() => {
            format!("{}…", text.get(..at).unwrap_or_default())
        }
        _ => text,
    }
}

#[cfg(test)]
#[path = "sarif_tests.rs"]
mod tests;
