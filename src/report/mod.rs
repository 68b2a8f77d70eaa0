//! Reports: one [`Reporter`] for each format, all of them behind one [`Redactor`].
//!
//! A reporter sees what a run found and writes it, sorted, to the writer that it is given. It knows
//! no terminal and no clock: colours, width and time come with the [`Report`].

mod csv;
mod diff;
mod echo;
mod escaped;
mod github;
mod gitlab;
mod history;
mod html;
mod json;
mod junit;
mod markdown;
mod merge;
mod read;
mod record;
mod redact;
#[cfg(test)]
mod sample;
mod sarif;
mod sarif_read;
mod search;
mod sonarqube;
mod text;
mod verification;
mod width;
mod words;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

pub use csv::Csv;
pub use diff::{DIFF_FORMATS, Diff};
pub use escaped::write_record;
pub use github::Github;
pub use gitlab::Gitlab;
pub use html::Html;
pub use json::{JSON_SCHEMA, Json, Jsonl};
pub use junit::Junit;
pub use markdown::Markdown;
pub use read::{ReadError, Stored};
pub use redact::{Redactor, Shown, printable};
pub use sarif::Sarif;
pub use sonarqube::Sonarqube;
pub use text::Text;
pub use verification::{verification_text, verification_value};
pub use width::wrap;

// What cleans and writes the text of others in records of incidents, too.
#[cfg(feature = "online")]
pub(crate) use escaped::write_document;
#[cfg(feature = "online")]
pub(crate) use markdown::{code, prose};

use crate::model::{Finding, Origin, Place, Severity, Summary};
use crate::rule::RuleSet;

/// Names of the formats, as `--format` takes them.
pub const FORMATS: [&str; 11] = [
    "text",
    "json",
    "jsonl",
    "sarif",
    "markdown",
    "github",
    "gitlab",
    "junit",
    "csv",
    "sonarqube",
    "html",
];

/// The reporter of a format; `None` for a name that is not in [`FORMATS`].
#[must_use]
pub fn by_name(name: &str) -> Option<Box<dyn Reporter>> {
    match name {
        "text" => Some(Box::new(Text)),
        "json" => Some(Box::new(Json)),
        "jsonl" => Some(Box::new(Jsonl)),
        "sarif" => Some(Box::new(Sarif)),
        "markdown" => Some(Box::new(Markdown)),
        "github" => Some(Box::new(Github)),
        "gitlab" => Some(Box::new(Gitlab)),
        "junit" => Some(Box::new(Junit)),
        "csv" => Some(Box::new(Csv)),
        "sonarqube" => Some(Box::new(Sonarqube)),
        "html" => Some(Box::new(Html)),
        _ => None,
    }
}

/// Writes a report in one format.
pub trait Reporter {
    /// Writes the whole report.
    ///
    /// # Errors
    /// Those of the writer.
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()>;
}

/// How a report looks.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line, any mix of them is legal"
)]
pub struct Options {
    /// Secrets in clear; [`Redactor::new`] is told the same.
    pub show_secrets: bool,
    /// Dropped matches too, each with its reason.
    pub show_suppressed: bool,
    /// ANSI colours, in text alone.
    pub color: bool,
    /// Columns of the terminal, in text alone; less than 40 counts as 40.
    pub width: usize,
    /// OSC 8 hyperlinks, in text alone.
    pub hyperlinks: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            show_secrets: false,
            show_suppressed: false,
            color: false,
            width: 80,
            hyperlinks: false,
        }
    }
}

/// What a run found, and how it is to be shown.
#[derive(Debug)]
pub struct Report<'r> {
    /// Findings that are shown, sorted by place.
    pub findings: &'r [Finding],
    /// Findings of which no place counts; shown with [`Options::show_suppressed`] alone.
    pub dropped: &'r [Finding],
    /// What was scanned and what was not.
    pub summary: &'r Summary,
    /// The rules of the run.
    pub rules: &'r RuleSet,
    /// Wall time of the run.
    pub elapsed: Duration,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Findings left out because they are below `--min-confidence`.
    pub hidden_low: usize,
    /// What was scanned, as the user named it.
    pub root: &'r str,
    /// Full id of the commit that is checked out, where a repository was scanned.
    pub revision: Option<String>,
    /// The branch that is checked out, by its short name.
    pub branch: Option<String>,
    /// Built from every finding of the run, hidden and dropped ones too.
    pub redactor: &'r Redactor,
    /// How it is shown.
    pub options: Options,
}

impl Report<'_> {
    /// Whether everything was scanned that was to be scanned.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.summary.gaps.is_empty() && !self.summary.cancelled
    }

    /// Scanned bytes a second; 0 for a run without duration.
    #[must_use]
    pub fn bytes_per_second(&self) -> u64 {
        let micros = self.elapsed.as_micros();
        if micros == 0 {
            return 0;
        }
        u64::try_from(u128::from(self.summary.bytes) * 1_000_000 / micros).unwrap_or(u64::MAX)
    }

    /// Dropped findings as far as they are shown.
    fn shown_dropped(&self) -> &[Finding] {
        if self.options.show_suppressed {
            self.dropped
        } else {
            &[]
        }
    }

    /// Places as far as they are shown: those that count, the others on request.
    fn places<'f>(&self, finding: &'f Finding) -> impl Iterator<Item = &'f Place> + use<'f> {
        let all = self.options.show_suppressed || suppressed(finding).is_some();
        finding
            .places
            .iter()
            .filter(move |p| all || p.dropped.is_none())
    }

    /// How many findings there are of each severity, most severe first, without zeros.
    fn counts(&self) -> Vec<(Severity, usize)> {
        Severity::ALL
            .into_iter()
            .map(|severity| {
                (
                    severity,
                    self.findings
                        .iter()
                        .filter(|f| f.severity == severity)
                        .count(),
                )
            })
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

/// Findings by severity, most severe first, of these the ones that work first and those that do not last; then by place.
fn by_severity(findings: &[Finding]) -> Vec<&Finding> {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    // Stable: findings come sorted by place.
    sorted.sort_by_key(|f| (Reverse(f.severity), verification::rank(f)));
    sorted
}

/// Why a finding does not count, if no place of it does.
fn suppressed(finding: &Finding) -> Option<&str> {
    let first = finding.places.first()?;
    let all = finding.places.iter().all(|p| p.dropped.is_some());
    if all { first.dropped.as_deref() } else { None }
}

/// Whether the reason is that somebody accepts the finding; the others are the scanner's own.
fn is_accepted(reason: &str) -> bool {
    reason.starts_with("suppressed by")
}

/// Whether a comment in the scanned text accepts it, and no list.
fn is_in_source(reason: &str) -> bool {
    let by = reason.strip_prefix("suppressed by ");
    by.is_some_and(|by| by.starts_with('`') || by.starts_with("a comment"))
}

/// Hexadecimal form of the first 16 bytes of SHA-256 over fingerprint and path, the path as it is shown: a
/// report that was read knows no other, and a secret in a name stays out of the hash.
fn place_fingerprint(report: &Report<'_>, finding: &Finding, path: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(finding.fingerprint.0);
    hash.update(shown_bytes(report, path));
    hex(hash.finalize().get(..16).unwrap_or_default())
}

/// Bytes in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
            // Writing to a string does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// The bytes of a path as far as they are shown: all of them, or the redacted text.
fn shown_bytes<'p>(report: &Report<'_>, path: &'p [u8]) -> Cow<'p, [u8]> {
    let shown = report.redactor.path(path);
    if shown == String::from_utf8_lossy(path) {
        Cow::Borrowed(path)
    } else {
        Cow::Owned(shown.into_bytes())
    }
}

/// The place that services show a finding at: the first that is a file, else the first.
fn file_place<'f>(report: &Report<'_>, finding: &'f Finding) -> Option<&'f Place> {
    report
        .places(finding)
        .find(|p| matches!(p.origin, Origin::Content | Origin::Name))
        .or_else(|| report.places(finding).next())
}

/// What the owner does next.
fn remedy(finding: &Finding) -> &str {
    if finding.remedy.is_empty() {
        "Revoke the credential with its provider, then replace it wherever it is used."
    } else {
        &finding.remedy
    }
}

/// `1 file`, `2 files`.
fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// A number with commas between groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `512 bytes`, `12.3 MB`.
fn size(bytes: u64) -> String {
    scaled(bytes, 99.95)
}

/// A size with a decimal below a limit.
fn scaled(bytes: u64, decimal_below: f64) -> String {
    if bytes < 1000 {
        return counted(bytes, "byte", "bytes");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = "kB";
    for next in ["MB", "GB", "TB"] {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if value < decimal_below {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

/// The path, an empty one as `-`.
fn named(path: &[u8]) -> Cow<'_, [u8]> {
    if path.is_empty() {
        Cow::Borrowed(b"-")
    } else {
        Cow::Borrowed(path)
    }
}

/// Bytes as the path of a URI: everything percent-encoded but unreserved characters and `/`.
fn percent_encoded(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_a_reporter() {
        assert!(FORMATS.iter().all(|name| by_name(name).is_some()));
        assert!(by_name("xml").is_none());
    }

    #[test]
    fn numbers_are_grouped() {
        let all = [0, 7, 123, 1234, 123_456, 1_234_567].map(grouped);
        assert_eq!(all, ["0", "7", "123", "1,234", "123,456", "1,234,567"]);
        assert_eq!(counted(1, "file", "files"), "1 file");
        assert_eq!(counted(2000, "file", "files"), "2,000 files");
    }
}
