//! One `keysweep.toml`: text → values, each with its line.

use std::cell::Cell;
use std::ops::Range;
use std::path::{Component, Path};

use toml::de::{DeTable, DeValue};

use super::allow::{AllowEntry, Target};
use super::glob::globs;
use super::online;
use super::value::{Source, Table, check_regex, integer, is_commit_prefix, is_fingerprint};
use crate::model::{Confidence, Severity};
use crate::rule::{self, FileError, RuleFile};

/// A value and the line where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// The line, from 1.
    pub line: u32,
}

/// What one file says.
#[derive(Debug, Clone, Default)]
pub struct ConfigFile {
    /// The file as errors and reports name it.
    pub name: String,
    /// The salt of fingerprints.
    pub salt: Option<At<[u8; 16]>>,
    /// The baseline, relative to the file.
    pub baseline: Option<At<String>>,
    /// `[scan]`.
    pub scan: ScanKeys,
    /// `[report]`.
    pub report: ReportKeys,
    /// `[rules]`.
    pub rules: RulesKeys,
    /// `[[rule]]`.
    pub own_rules: Option<At<RuleFile>>,
    /// `[[allow]]`.
    pub allow: Vec<AllowEntry>,
    /// The sections that count only in the caller's own file; [`super::Online`] reads them.
    pub online: Vec<At<&'static str>>,
    /// The rules that `[[allow]]` names, each with its line.
    pub allowed_rules: Vec<At<String>>,
}

/// `[scan]`: what is scanned. Globs are relative to the file's folder.
#[derive(Debug, Clone, Default)]
pub struct ScanKeys {
    /// Only these paths.
    pub include: Vec<At<String>>,
    /// Not these paths.
    pub exclude: Vec<At<String>>,
    /// Only files of at most so many bytes.
    pub max_size: Option<At<u64>>,
    /// Scan what git ignores, too.
    pub no_ignore: Option<At<bool>>,
    /// Threads to use.
    pub threads: Option<At<u16>>,
}

/// `[report]`: what is shown, and what fails.
#[derive(Debug, Clone, Default)]
pub struct ReportKeys {
    /// Name of the format.
    pub format: Option<At<String>>,
    /// Least confidence that is shown.
    pub min_confidence: Option<At<Confidence>>,
    /// Least severity that fails.
    pub fail_on: Option<At<Severity>>,
}

/// `[rules]`: which rules are used.
#[derive(Debug, Clone, Default)]
pub struct RulesKeys {
    /// Rule files or folders of them, relative to the file.
    pub files: Vec<At<String>>,
    /// Leave the built-in rules out.
    pub no_builtin: Option<At<bool>>,
    /// Only these.
    pub enable: Vec<At<String>>,
    /// Not these.
    pub disable: Vec<At<String>>,
}

/// Regular expressions that one file may have.
const MOST_REGEXES: usize = 1000;
/// Rules that one file may have.
const MOST_RULES: usize = 300;
/// Literals that they may have together.
const MOST_LITERALS: usize = 1000;
/// Longest pattern of a rule in bytes.
const LONGEST_PATTERN: usize = 8 << 10;
/// Errors that are told of at once.
const MOST_ERRORS: usize = 20;

impl ConfigFile {
    /// Reads and checks a file; `name` is what errors call it.
    ///
    /// # Errors
    /// What is wrong, in the order of the lines, each with its mend; 20 things at the most.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<FileError>> {
        let source = Source::new(name, text);
        let document = DeTable::parse(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            source.fail(&span, error.message().replace('\n', "; "));
            source.errors.take()
        })?;
        let mut file = read(&source, document.get_ref());
        name.clone_into(&mut file.name);
        let mut errors = source.errors.into_inner();
        if errors.is_empty() {
            return Ok(file);
        }
        errors.sort_by_key(|error| error.line);
        errors.truncate(MOST_ERRORS);
        Err(errors)
    }

    /// The keys that count for a whole run alone, and so not in a file deeper in the tree: name and line.
    #[must_use]
    pub fn run_wide(&self) -> Vec<(&'static str, u32)> {
        fn line<T>(at: Option<&At<T>>) -> Option<u32> {
            at.map(|at| at.line)
        }
        let keys = [
            ("fingerprint_salt", line(self.salt.as_ref())),
            ("baseline", line(self.baseline.as_ref())),
            ("[scan] max_size", line(self.scan.max_size.as_ref())),
            ("[scan] no_ignore", line(self.scan.no_ignore.as_ref())),
            ("[scan] threads", line(self.scan.threads.as_ref())),
            ("[report] format", line(self.report.format.as_ref())),
            (
                "[report] min_confidence",
                line(self.report.min_confidence.as_ref()),
            ),
            ("[report] fail_on", line(self.report.fail_on.as_ref())),
            ("[rules] files", line(self.rules.files.first())),
            ("[rules] no_builtin", line(self.rules.no_builtin.as_ref())),
            ("[rules] enable", line(self.rules.enable.first())),
            ("[[rule]]", line(self.own_rules.as_ref())),
        ];
        let there = keys.into_iter();
        there.filter_map(|(key, line)| Some((key, line?))).collect()
    }
}

fn read(source: &Source<'_>, document: &DeTable<'_>) -> ConfigFile {
    let root = Table {
        source,
        name: "",
        table: document,
    };
    root.known(&[
        "fingerprint_salt",
        "baseline",
        "scan",
        "report",
        "rules",
        "rule",
        "allow",
        "endpoints",
        "network",
        "known",
        "authority",
        "respond",
        "ledger",
    ]);
    let mut file = ConfigFile {
        online: online::sections(source, document),
        salt: root.value("fingerprint_salt", "32 hexadecimal digits in quotes", |v| {
            v.as_str().map(salt)
        }),
        baseline: root.value("baseline", "a path in quotes", |v| {
            v.as_str()
                .map(|text| inside(text).map(|()| text.to_owned()))
        }),
        ..ConfigFile::default()
    };
    if let Some(scan) = root.table("scan", "[scan]") {
        scan.known(&["include", "exclude", "max_size", "no_ignore", "threads"]);
        file.scan = ScanKeys {
            include: scan.list("include", glob),
            exclude: scan.list("exclude", glob),
            max_size: scan.value(
                "max_size",
                "a number of bytes, or such as \"10M\"",
                |value| match value {
                    DeValue::String(text) => {
                        Some(size(text).map_err(|e| format!("is no size: {e}")))
                    }
                    other => {
                        let number = integer(other)?;
                        Some(number.map_err(|()| "is no size: write 0 or more bytes".to_owned()))
                    }
                },
            ),
            no_ignore: scan.switch("no_ignore"),
            threads: scan.number("threads", 1..1025).map(|at| At {
                value: at.value as u16,
                line: at.line,
            }),
        };
    }
    if let Some(report) = root.table("report", "[report]") {
        report.known(&["format", "min_confidence", "fail_on"]);
        file.report = ReportKeys {
            format: report.text("format"),
            min_confidence: report.word(
                "min_confidence",
                &[Confidence::Low, Confidence::Medium, Confidence::High].map(|c| (c.word(), c)),
            ),
            fail_on: report.word(
                "fail_on",
                &[
                    Severity::Low,
                    Severity::Medium,
                    Severity::High,
                    Severity::Critical,
                ]
                .map(|s| (s.word(), s)),
            ),
        };
    }
    if let Some(rules) = root.table("rules", "[rules]") {
        rules.known(&["files", "no_builtin", "enable", "disable"]);
        file.rules = RulesKeys {
            files: rules.list("files", inside),
            no_builtin: rules.switch("no_builtin"),
            enable: rules.list("enable", |_| Ok(())),
            disable: rules.list("disable", |_| Ok(())),
        };
    }
    file.own_rules = own_rules(&root);
    let regexes = Cell::new(0);
    for (table, span) in root.tables("allow", "[[allow]]") {
        let line = source.line(span.start);
        let before = source.errors.borrow().len();
        let entry = entry(&table, source.path, line, &regexes);
        file.allowed_rules.extend(rules_in(&table));
        let limits = [
            &entry.paths,
            &entry.path_regexes,
            &entry.regexes,
            &entry.stopwords,
            &entry.commits,
            &entry.fingerprints,
        ];
        let broken = source.errors.borrow().len() > before;
        if limits.iter().all(|list| list.is_empty()) && entry.rules.is_empty() && !broken {
            let message = "[[allow]] names nothing that it accepts; give it rule, path, path_regex, regex, stopword, commit or fingerprint";
            source.fail(&span, message.to_owned());
        }
        file.allow.push(entry);
    }
    file
}

/// The rules of an entry; what is wrong with the list is told where the entry is read.
fn rules_in(table: &Table<'_>) -> Vec<At<String>> {
    let Some(value) = table.table.get("rule") else {
        return Vec::new();
    };
    let one = std::slice::from_ref(value);
    let items = match value.get_ref() {
        DeValue::Array(items) => items,
        _ => one,
    };
    let texts = items.iter().filter_map(|item| {
        Some(At {
            value: item.get_ref().as_str()?.to_owned(),
            line: table.source.line(item.span().start),
        })
    });
    texts.collect()
}

fn entry(table: &Table<'_>, file: &str, line: u32, regexes: &Cell<usize>) -> AllowEntry {
    table.known(&[
        "rule",
        "path",
        "path_regex",
        "regex",
        "target",
        "stopword",
        "commit",
        "fingerprint",
        "owner",
        "reason",
        "expires",
    ]);
    let plain = |key: &str, check: &dyn Fn(&str) -> Result<(), String>| -> Vec<String> {
        let list = table.list(key, check);
        list.into_iter().map(|at| at.value).collect()
    };
    let regex = |text: &str| {
        regexes.set(regexes.get() + 1);
        if regexes.get() > MOST_REGEXES {
            return Err(format!(
                "more than {MOST_REGEXES} regular expressions in one file; join some with `|`"
            ));
        }
        check_regex(text)
    };
    let commit = |text: &str| {
        let wrong = || {
            Err(format!(
                "`{}` is no commit; write 7 hexadecimal digits of its id or more",
                short(text)
            ))
        };
        if is_commit_prefix(text) {
            Ok(())
        } else {
            wrong()
        }
    };
    let fingerprint = |text: &str| {
        let wrong = || {
            Err(format!(
                "`{}` is no fingerprint; write its 32 hexadecimal digits, as a report shows them",
                short(text)
            ))
        };
        if is_fingerprint(text) {
            Ok(())
        } else {
            wrong()
        }
    };
    let lower = |list: Vec<String>| list.iter().map(|text| text.to_ascii_lowercase()).collect();
    AllowEntry {
        rules: plain("rule", &|_| Ok(())),
        paths: plain("path", &glob),
        path_regexes: plain("path_regex", &regex),
        regexes: plain("regex", &regex),
        target: table
            .word(
                "target",
                &[
                    ("secret", Target::Secret),
                    ("match", Target::Match),
                    ("line", Target::Line),
                ],
            )
            .map_or(Target::Secret, |at| at.value),
        stopwords: plain("stopword", &|_| Ok(())),
        commits: lower(plain("commit", &commit)),
        fingerprints: lower(plain("fingerprint", &fingerprint)),
        owner: table.text("owner").map(|at| at.value),
        reason: table.text("reason").map(|at| at.value),
        expires: table
            .value(
                "expires",
                "a day, such as 2027-01-31",
                |value| match value {
                    DeValue::String(text) => Some(day(text)),
                    DeValue::Datetime(time) => Some(day(&time.date?.to_string())),
                    _ => None,
                },
            )
            .map(|at| at.value),
        file: file.to_owned(),
        line,
    }
}

/// Reads and checks a rule file that a configuration names, within the bounds of one.
///
/// # Errors
/// The first thing wrong, with its line and the mend.
pub fn rule_file(name: &str, text: &str) -> Result<RuleFile, FileError> {
    let source = Source::new(name, text);
    if let Ok(document) = DeTable::parse(text) {
        let root = Table {
            source: &source,
            name: "",
            table: document.get_ref(),
        };
        within_bounds(&source, &root.tables("rule", "[[rule]]"));
    }
    match source.errors.into_inner().into_iter().next() {
        Some(error) => Err(error),
        None => rule::parse(name, text),
    }
}

fn own_rules(root: &Table<'_>) -> Option<At<RuleFile>> {
    let source = root.source;
    let tables = root.tables("rule", "[[rule]]");
    let (_, first) = tables.first()?;
    if !within_bounds(source, &tables) {
        return None;
    }
    match rule::parse_tables(source.path, source.text) {
        Ok(rules) => Some(At {
            value: rules,
            line: source.line(first.start),
        }),
        Err(error) => {
            source.errors.borrow_mut().push(error);
            None
        }
    }
}

/// Checking a rule takes time, so what there is of them is bounded first.
fn within_bounds(source: &Source<'_>, tables: &[(Table<'_>, Range<usize>)]) -> bool {
    let mut literals = 0;
    for (index, (table, span)) in tables.iter().enumerate() {
        let value = |key: &str| table.table.get(key).map(toml::Spanned::get_ref);
        let length = |key: &str| {
            value(key)
                .and_then(DeValue::as_array)
                .map_or(0, |l| l.len())
        };
        literals += length("literals") + length("keywords");
        let pattern = value("pattern").and_then(DeValue::as_str);
        let message = if index >= MOST_RULES {
            format!("more than {MOST_RULES} rules; leave some out")
        } else if literals > MOST_LITERALS {
            format!(
                "the rules have more than {MOST_LITERALS} literals; give each only its most telling ones"
            )
        } else if pattern.is_some_and(|pattern| pattern.len() > LONGEST_PATTERN) {
            format!("the pattern is longer than {LONGEST_PATTERN} bytes; make several rules of it")
        } else {
            continue;
        };
        source.fail(span, message);
        return false;
    }
    true
}

fn glob(text: &str) -> Result<(), String> {
    globs(&[text]).map(drop).map_err(|e| e.to_string())
}

/// A path that does not lead out of the folder that it is relative to.
fn inside(text: &str) -> Result<(), String> {
    let plain = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
    let path = Path::new(text);
    if text.trim().is_empty() || text.contains('\\') || !path.components().all(plain) {
        return Err(format!(
            "`{}` leads out of the folder; write a path below it, with `/` and without `..`",
            short(text)
        ));
    }
    Ok(())
}

fn salt(text: &str) -> Result<[u8; 16], String> {
    let wrong = || {
        "is not 32 hexadecimal digits; `keysweep init` in an empty folder writes a fresh one"
            .to_owned()
    };
    if !is_fingerprint(text) {
        return Err(wrong());
    }
    let mut salt = [0; 16];
    for (byte, pair) in salt.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
    }
    Ok(salt)
}

fn day(text: &str) -> Result<jiff::civil::Date, String> {
    text.parse().map_err(|_| {
        format!(
            "\"{}\" is no day; write one such as 2027-01-31",
            short(text)
        )
    })
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

/// Reads a number of bytes, with K, M or G (of 1,024) behind it.
///
/// # Errors
/// What to write instead.
pub fn size(text: &str) -> Result<u64, String> {
    let upper = text.trim().to_ascii_uppercase();
    let bare = upper.trim_end_matches("IB").trim_end_matches('B');
    let (digits, factor) = match bare.char_indices().last() {
        Some((at, 'K')) => (&bare[..at], 1u64 << 10),
        Some((at, 'M')) => (&bare[..at], 1 << 20),
        Some((at, 'G')) => (&bare[..at], 1 << 30),
        _ => (bare, 1),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(factor))
        .ok_or_else(|| {
            "write a number of bytes, or one with K, M or G behind it, such as 10M".to_owned()
        })
}
