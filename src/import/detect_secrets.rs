//! detect-secrets: `.secrets.baseline`.
//!
//! Facts: <https://github.com/Yelp/detect-secrets>. A baseline identifies a secret by its bare SHA-1, which anybody can try
//! guesses against; none is carried over. The caller looks for the secrets in the tree, [`Baseline::accepts`] compares,
//! and what fits becomes an entry by our own keyed fingerprint.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha1::{Digest, Sha1};

use super::{Error, Imported, Kind, Note, names, regex, small_enough};
use crate::config::{AllowEntry, Target};

/// A baseline, read.
#[derive(Debug, Default)]
pub struct Baseline {
    /// What is carried over without a look at the tree: exclusions, and notes.
    pub imported: Imported,
    /// Path → accepted secrets.
    results: BTreeMap<String, Vec<Accepted>>,
    name: String,
}

#[derive(Debug)]
struct Accepted {
    hash: [u8; 20],
    kind: String,
    line: u32,
    at: u32,
    found: bool,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    version: String,
    #[serde(default)]
    plugins_used: Vec<Plugin>,
    #[serde(default)]
    filters_used: Vec<Filter>,
    #[serde(default)]
    exclude: Option<Exclude>,
    results: BTreeMap<String, Vec<Row>>,
}

#[derive(Deserialize)]
struct Plugin {
    #[serde(default)]
    name: String,
    #[serde(default)]
    path: Option<String>,
}

#[derive(Deserialize)]
struct Filter {
    path: String,
    #[serde(default)]
    pattern: Option<OneOrMore>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// The key of versions before 1.0.
#[derive(Deserialize)]
struct Exclude {
    files: Option<String>,
    lines: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default, rename = "type")]
    kind: String,
    hashed_secret: String,
    #[serde(default)]
    line_number: u32,
    #[serde(default)]
    is_secret: Option<bool>,
}

impl Baseline {
    /// Reads a baseline.
    ///
    /// # Errors
    /// A file that is no such baseline.
    pub fn read(text: &str, name: &str) -> Result<Self, Error> {
        small_enough(name, text)?;
        let raw: Raw = serde_json::from_str(text).map_err(|e| Error {
            file: name.to_owned(),
            line: u32::try_from(e.line()).unwrap_or(1).max(1),
            text: "it is no baseline of detect-secrets (JSON with `results`)".to_owned(),
        })?;
        let mut baseline = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        let at = |word: &str| {
            text.find(&format!("\"{word}\""))
                .map_or(1, |offset| super::line_of(text, offset))
        };
        if raw.version.starts_with("0.") {
            baseline.note(
                at("version"),
                Kind::Remark,
                "it is of a version before 1.0".to_owned(),
            );
        }
        baseline.plugins(&raw.plugins_used, &at);
        let mut filters: Vec<(String, Vec<String>)> = raw
            .filters_used
            .into_iter()
            .map(|f| {
                let patterns = match f.pattern {
                    Some(OneOrMore::One(p)) => vec![p],
                    Some(OneOrMore::More(p)) => p,
                    None => Vec::new(),
                };
                (f.path, patterns)
            })
            .collect();
        if let Some(old) = raw.exclude {
            filters.push((
                "regex.should_exclude_file".to_owned(),
                old.files.into_iter().collect(),
            ));
            filters.push((
                "regex.should_exclude_line".to_owned(),
                old.lines.into_iter().collect(),
            ));
        }
        for (filter, patterns) in filters {
            let line = at(&filter);
            baseline.filter(&filter, &patterns, line);
        }
        // Each path's key, then each row's hash, in the order of the file.
        let mut cursor = text.find("\"results\"").unwrap_or(0);
        let mut row_line = super::line_of(text, cursor);
        for (path, rows) in raw.results {
            let mut accepted = Vec::new();
            for row in rows {
                if let Some(offset) = text
                    .get(cursor..)
                    .and_then(|rest| rest.find(&row.hashed_secret))
                {
                    let end = cursor + offset;
                    let between = text.get(cursor..end).unwrap_or_default();
                    row_line += u32::try_from(between.matches('\n').count()).unwrap_or(0);
                    cursor = end;
                }
                if row.is_secret == Some(true) {
                    baseline.note(
                        row_line,
                        Kind::Remark,
                        format!("{path}: audited as a real secret, so it stays a finding"),
                    );
                    continue;
                }
                let Some(hash) = digest(&row.hashed_secret) else {
                    baseline.note(
                        row_line,
                        Kind::Lost,
                        format!("{path}: hashed_secret is no SHA-1"),
                    );
                    continue;
                };
                accepted.push(Accepted {
                    hash,
                    kind: row.kind,
                    line: row.line_number,
                    at: row_line,
                    found: false,
                });
            }
            if !accepted.is_empty() {
                baseline
                    .results
                    .entry(path.replace('\\', "/").trim_start_matches("./").to_owned())
                    .or_default()
                    .extend(accepted);
            }
        }
        Ok(baseline)
    }

    /// The files that hold accepted secrets.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.results.keys().map(String::as_str)
    }

    /// Whether the baseline accepts one of these texts in a file. The texts are forms of one secret: what we call the
    /// secret, and what detect-secrets may have called it.
    pub fn accepts<'t>(&mut self, path: &str, texts: impl Iterator<Item = &'t [u8]>) -> bool {
        let Some(rows) = self.results.get_mut(path) else {
            return false;
        };
        let mut any = false;
        for text in texts {
            let hash: [u8; 20] = Sha1::digest(text).into();
            for row in rows.iter_mut().filter(|r| r.hash == hash) {
                row.found = true;
                any = true;
            }
        }
        any
    }

    /// What was imported, with a note for each accepted secret that was not met in the tree.
    #[must_use]
    pub fn finish(mut self) -> Imported {
        let results = std::mem::take(&mut self.results);
        for (path, rows) in results {
            for row in rows.into_iter().filter(|r| !r.found) {
                let place = if row.line == 0 {
                    path.clone()
                } else {
                    format!("{path}:{}", row.line)
                };
                self.note(
                    row.at,
                    Kind::Remark,
                    format!(
                        "{place}: keysweep finds no such secret in the file ({}), so there is nothing to accept",
                        row.kind
                    ),
                );
            }
        }
        self.imported
    }

    fn note(&mut self, line: u32, kind: Kind, text: String) {
        self.imported.notes.push(Note {
            file: self.name.clone(),
            line,
            kind,
            text,
        });
    }

    fn plugins(&mut self, used: &[Plugin], at: &dyn Fn(&str) -> u32) {
        for plugin in used {
            if let Some(path) = &plugin.path {
                self.note(
                    at(&plugin.name),
                    Kind::Lost,
                    format!(
                        "plugin `{}` is code of your own ({path}); write its kind as a [[rule]]",
                        plugin.name
                    ),
                );
            }
        }
        if used.is_empty() {
            return;
        }
        // A plugin that is missing may have been switched off, or be younger than the baseline.
        for name in ["KeywordDetector", "BasicAuthDetector", "PrivateKeyDetector"] {
            if !used.iter().any(|p| p.name == name) {
                let rules: Vec<String> = names::detect_secrets(name)
                    .iter()
                    .map(|prefix| format!("{prefix}…"))
                    .collect();
                self.note(
                    at("plugins_used"),
                    Kind::Changed,
                    format!("{name} is not used there; keysweep's rules for it stay on ({}); name them in disable under [rules] if you do not want them", rules.join(", ")),
                );
            }
        }
        let entropy = |p: &Plugin| p.name.ends_with("HighEntropyString");
        if used.iter().any(entropy) {
            self.note(
                at("Base64HighEntropyString").max(at("HexHighEntropyString")),
                Kind::Remark,
                "keysweep has no rule on entropy alone: a value needs a name that says secret, or a shape".to_owned(),
            );
        }
    }

    fn filter(&mut self, filter: &str, patterns: &[String], line: u32) {
        let short = filter.rsplit('.').next().unwrap_or(filter);
        let mut entry = AllowEntry {
            reason: Some(format!("detect-secrets: {short}")),
            file: self.name.clone(),
            line,
            ..AllowEntry::default()
        };
        for pattern in patterns {
            match regex::plain(pattern) {
                Ok(regex) if short == "should_exclude_file" => entry.path_regexes.push(regex),
                Ok(regex) => entry.regexes.push(regex),
                Err(why) => self.note(line, Kind::Lost, format!("{short}: the regex: {why}")),
            }
        }
        match short {
            "should_exclude_file" => {}
            "should_exclude_line" => entry.target = Target::Line,
            "should_exclude_secret" if filter.contains("regex") => entry.target = Target::Secret,
            "should_exclude_secret" => {
                self.note(
                    line,
                    Kind::Lost,
                    "a list of words: name the words as stopword in an [[allow]]".to_owned(),
                );
                return;
            }
            // The heuristics that come with it; keysweep has filters of its own.
            _ if filter.starts_with("detect_secrets.filters.") => return,
            _ => {
                self.note(
                    line,
                    Kind::Lost,
                    format!("filter `{filter}` is code of your own"),
                );
                return;
            }
        }
        if !entry.path_regexes.is_empty() || !entry.regexes.is_empty() {
            self.imported.allows.push(entry);
        }
    }
}

/// What detect-secrets may have taken as the secret where we found one in this text: quoted parts, words between spaces
/// and signs, the header of a key block.
#[must_use]
pub fn forms<'t>(line: &'t [u8], secret: &'t [u8]) -> Vec<&'t [u8]> {
    const MOST: usize = 64;
    let mut all = vec![secret];
    let trimmed = |text: &'t [u8]| {
        let from = text.iter().position(|b| *b != b'-').unwrap_or(text.len());
        let to = text
            .iter()
            .rposition(|b| *b != b'-')
            .map_or(from, |i| i + 1);
        text.get(from..to).unwrap_or_default()
    };
    let first = secret.split(|b| *b == b'\n').next().unwrap_or_default();
    all.push(trimmed(first.trim_ascii()));
    let overlaps = |part: &[u8]| {
        !part.is_empty()
            && (memchr::memmem::find(secret, part).is_some_and(|_| part.len() >= 4)
                || memchr::memmem::find(part, secret).is_some())
    };
    for marks in [
        &b"\"'`"[..],
        b" \t\"'`,;()[]{}<>",
        b" \t\"'`,;()[]{}<>=:",
        b" \t\"'`,;()[]{}<>=:@/",
    ] {
        for part in line.split(|b| marks.contains(b)) {
            let part = part.trim_ascii();
            if all.len() < MOST && overlaps(part) && !all.contains(&part) {
                all.push(part);
            }
        }
    }
    all
}

fn digest(hex: &str) -> Option<[u8; 20]> {
    let bytes = hex.as_bytes();
    if bytes.len() != 40 {
        return None;
    }
    let mut out = [0; 20];
    for (to, pair) in out.iter_mut().zip(bytes.chunks(2)) {
        let text = std::str::from_utf8(pair).ok()?;
        *to = u8::from_str_radix(text, 16).ok()?;
    }
    Some(out)
}
