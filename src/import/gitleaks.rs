//! gitleaks: `.gitleaks.toml`, `.gitleaksignore`, and its JSON report as a baseline.
//!
//! Facts: <https://github.com/gitleaks/gitleaks#configuration>. Keys are read in any case, as there. A rule keeps its own
//! pattern; gitleaks' default rules do not come along, for ours stand in their place: where the file only refines,
//! allows or switches off one of those, our rules for the same kind are meant.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::rule::{ImportedRule, Part};
use super::{Error, Imported, Kind, Note, line_of, names, regex, slug, small_enough, this_path};
use crate::config::{AllowEntry, Target};
use crate::rule::RuleSet;

/// How many files may extend each other, as there.
const MAX_DEPTH: u32 = 2;
/// Most rules that are read.
const MAX_RULES: usize = 5_000;
/// Lines between a rule and what must stand near it where the file names no bound.
const FAR: u32 = 1_000;

/// What the caller decides.
pub struct Options<'a> {
    /// Rules under the ids of gitleaks' default rules are carried over as they are written, too, not replaced by ours.
    pub keep_defaults: bool,
    /// Gives the text of a file that `extend.path` names; the caller says what may be read.
    pub open: &'a dyn Fn(&str) -> Result<String, String>,
}

/// Whether a file is gitleaks' configuration and no keysweep.toml: by its name, or by a key that only gitleaks' has.
#[must_use]
pub fn is_config(name: &str, text: &str) -> bool {
    if name.ends_with("gitleaks.toml") {
        return true;
    }
    let Ok(table) = DeTable::parse(text) else {
        return false;
    };
    let root = Keys::of(table.get_ref());
    ["extend", "allowlist", "allowlists"]
        .iter()
        .any(|key| root.has(key))
        || root
            .get("rules")
            .is_some_and(|rules| rules.get_ref().is_array())
}

/// The line where a `.gitleaks.toml` switches rules off, 1 without one.
#[must_use]
pub fn disabling_line(text: &str) -> u32 {
    let found = text.lines().zip(1..).find(|(line, _)| {
        line.trim_start()
            .to_ascii_lowercase()
            .starts_with("disabledrules")
    });
    found.map_or(1, |(_, number)| number)
}

/// Reads a `.gitleaks.toml`; `extend.path` is not followed.
///
/// # Errors
/// A file that is no TOML, or breaks a rule that gitleaks would refuse it for.
pub fn read(text: &str, name: &str) -> Result<Imported, Error> {
    read_with(
        text,
        name,
        &Options {
            keep_defaults: false,
            open: &|_| Err("no other file is read here; use `keysweep import gitleaks`".to_owned()),
        },
    )
}

/// Reads a `.gitleaks.toml` and what it extends.
///
/// # Errors
/// As [`read`].
pub fn read_with(text: &str, name: &str, options: &Options<'_>) -> Result<Imported, Error> {
    let mut notes = Vec::new();
    let file = File::load(text, name, 0, options, &mut notes)?;
    let mut out = Translation {
        builtin: RuleSet::builtin().map_err(|e| Error {
            file: name.to_owned(),
            line: 1,
            text: e.to_string(),
        })?,
        ids: BTreeMap::new(),
        imported: Imported {
            notes,
            ..Imported::default()
        },
        default: file.default,
        keep: options.keep_defaults,
    };
    out.all(&file);
    let mut imported = out.imported;
    imported
        .notes
        .sort_by(|a, b| (&a.file, a.line, &a.text).cmp(&(&b.file, b.line, &b.text)));
    imported.notes.dedup();
    Ok(imported)
}

/// Reads a `.gitleaksignore`.
///
/// Its lines name a place by line number, which moves, and hold no trace of the secret: an entry accepts every finding
/// of the rule in the file (and commit).
///
/// # Errors
/// A file that is far too big.
pub fn read_ignore(text: &str, name: &str) -> Result<Imported, Error> {
    small_enough(name, text)?;
    let mut imported = Imported::default();
    let mut merged: BTreeMap<(Vec<String>, String, String), u32> = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let lost = |text: &str| Note {
            file: name.to_owned(),
            line: number,
            kind: Kind::Lost,
            text: text.to_owned(),
        };
        let mut fields = line.rsplitn(3, ':');
        let (place, rule, path) = (fields.next(), fields.next(), fields.next());
        let (Some(place), Some(rule), Some(path)) = (place, rule, path) else {
            imported.notes.push(lost(
                "it is neither `file:rule:line` nor `commit:file:rule:line`",
            ));
            continue;
        };
        if place.parse::<u64>().is_err() || rule.is_empty() || path.is_empty() {
            imported.notes.push(lost(
                "it is neither `file:rule:line` nor `commit:file:rule:line`",
            ));
            continue;
        }
        let (commit, path) = match path.split_once(':') {
            Some((commit, rest)) if is_commit(commit) => (commit.to_ascii_lowercase(), rest),
            _ => (String::new(), path),
        };
        if path.contains('!') {
            imported.notes.push(Note {
                kind: Kind::Remark,
                ..lost("a file inside an archive: the entry counts for the path as it is written")
            });
        }
        let key = (accepted(rule), path.replace('\\', "/"), commit);
        merged.entry(key).or_insert(number);
    }
    for ((rules, path, commit), line) in merged {
        let mut entry = AllowEntry {
            rules,
            reason: Some("accepted in .gitleaksignore".to_owned()),
            file: name.to_owned(),
            line,
            ..AllowEntry::default()
        };
        this_path(&path, &mut entry);
        if !commit.is_empty() {
            entry.commits.push(commit);
        }
        imported.allows.push(entry);
    }
    imported.allows.sort_by_key(|a| a.line);
    if !imported.allows.is_empty() {
        imported.notes.push(Note {
            file: name.to_owned(),
            line: 1,
            kind: Kind::Changed,
            text: "a line accepts what its rule finds anywhere in the file, as keysweep's suppressions hold no line numbers".to_owned(),
        });
    }
    Ok(imported)
}

/// Reads a report of gitleaks in JSON that serves as its baseline.
///
/// # Errors
/// A file that is no such report.
pub fn read_report(text: &str, name: &str) -> Result<Imported, Error> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Row {
        #[serde(rename = "RuleID")]
        rule_id: String,
        file: String,
        #[serde(default)]
        commit: String,
        #[serde(default)]
        start_line: u64,
    }
    small_enough(name, text)?;
    let rows: Vec<Row> = serde_json::from_str(text).map_err(|e| Error {
        file: name.to_owned(),
        line: u32::try_from(e.line()).unwrap_or(1),
        text: "it is no JSON report of gitleaks (a list of objects with RuleID and File)"
            .to_owned(),
    })?;
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let place = format!("{}:{}:{}", row.file, row.rule_id, row.start_line);
            if is_commit(&row.commit) {
                format!("{}:{place}", row.commit)
            } else {
                place
            }
        })
        .map(|line| line.replace(['\n', '\r'], " "))
        .collect();
    let mut imported = read_ignore(&lines.join("\n"), name)?;
    for allow in &mut imported.allows {
        allow.reason = Some("accepted in gitleaks' baseline".to_owned());
        allow.line = 1;
    }
    Ok(imported)
}

fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Ids of our rules whose findings an entry on a rule of theirs accepts.
fn accepted(rule: &str) -> Vec<String> {
    match names::gitleaks(rule) {
        Some([]) => names::GENERIC.iter().map(|s| (*s).to_owned()).collect(),
        Some(ids) => ids.iter().map(|s| (*s).to_owned()).collect(),
        None => vec![slug(rule)],
    }
}

// --- the file as written ----------------------------------------------------------------------

/// A text and where it is written.
#[expect(clippy::struct_field_names, reason = "what it is")]
#[derive(Clone)]
struct Text {
    text: String,
    file: String,
    line: u32,
}

/// One rule as written.
#[derive(Clone)]
struct Rule {
    id: Text,
    description: Option<String>,
    regex: Option<Text>,
    path: Option<Text>,
    group: usize,
    entropy: Option<f64>,
    keywords: Vec<String>,
    tags: Vec<String>,
    allow: Vec<Allow>,
    required: Vec<(Text, Option<u32>)>,
    skip_report: bool,
}

/// One allow-list as written.
#[derive(Clone)]
struct Allow {
    file: String,
    line: u32,
    description: Option<String>,
    all: bool,
    commits: Vec<Text>,
    paths: Vec<Text>,
    target: String,
    regexes: Vec<Text>,
    stopwords: Vec<Text>,
    rules: Vec<Text>,
}

/// One file, and those that it extends merged into it.
#[derive(Default)]
struct File {
    rules: Vec<Rule>,
    allow: Vec<Allow>,
    default: bool,
    disabled: Vec<Text>,
}

impl File {
    fn load(
        text: &str,
        name: &str,
        depth: u32,
        options: &Options<'_>,
        notes: &mut Vec<Note>,
    ) -> Result<Self, Error> {
        small_enough(name, text)?;
        let table = DeTable::parse(text).map_err(|e| Error {
            file: name.to_owned(),
            line: line_of(text, e.span().map_or(0, |s| s.start)),
            text: e.message().replace('\n', "; "),
        })?;
        let mut reader = Reader { name, text, notes };
        let root = Keys::of(table.get_ref());
        let mut file = Self::default();
        let mut extends = None;
        for (key, value) in &root.all {
            let line = reader.line(value);
            match key.as_str() {
                "title" | "description" | "minversion" => {}
                "rules" => {
                    for table in reader.tables(value)? {
                        if file.rules.len() >= MAX_RULES {
                            return Err(reader.error(line, &format!("more than {MAX_RULES} rules")));
                        }
                        let rule = Rule::of(&mut reader, table)?;
                        file.rules.push(rule);
                    }
                }
                "allowlist" | "allowlists" => {
                    for table in reader.tables(value)? {
                        let allow = Allow::of(&mut reader, table)?;
                        file.allow.extend(allow);
                    }
                }
                "extend" => {
                    for (key, value) in Keys::of_value(value).all {
                        let line = reader.line(value);
                        match key.as_str() {
                            "usedefault" => {
                                file.default = value.get_ref().as_bool().unwrap_or(false);
                            }
                            "path" => extends = reader.texts(value)?.pop(),
                            "disabledrules" => file.disabled = reader.texts(value)?,
                            "url" => reader.note(
                                line,
                                Kind::Lost,
                                "extend.url: nothing is read from the network (gitleaks does not read it either)",
                            ),
                            _ => reader.unknown(line, "extend", &key),
                        }
                    }
                }
                _ => reader.unknown(line, "the file", key),
            }
        }
        if root.has("allowlist") && root.has("allowlists") {
            return Err(reader.error(
                1,
                "[allowlist] and [[allowlists]] stand in one file, which gitleaks refuses; keep the second",
            ));
        }
        let Some(path) = extends else {
            return Ok(file);
        };
        if file.default {
            return Err(reader.error(
                path.line,
                "extend.path and extend.useDefault together are refused by gitleaks; keep one",
            ));
        }
        if depth >= MAX_DEPTH {
            reader.note(
                path.line,
                Kind::Lost,
                &format!("extend.path: only {MAX_DEPTH} files deep, as gitleaks"),
            );
            return Ok(file);
        }
        match (options.open)(&path.text) {
            Ok(text) => {
                let base = Self::load(&text, &path.text, depth + 1, options, notes)?;
                file.merge(base);
            }
            Err(why) => {
                reader.note(path.line, Kind::Lost, &format!("extend.path: {why}"));
            }
        }
        Ok(file)
    }

    /// Takes in a file that this one extends: what is written here wins, lists are joined.
    fn merge(&mut self, base: Self) {
        for rule in base.rules {
            if self.disabled.iter().any(|d| d.text == rule.id.text) {
                continue;
            }
            let Some(own) = self.rules.iter_mut().find(|r| r.id.text == rule.id.text) else {
                self.rules.push(rule);
                continue;
            };
            own.description = own.description.take().or(rule.description);
            own.regex = own.regex.take().or(rule.regex);
            own.path = own.path.take().or(rule.path);
            own.entropy = own.entropy.or(rule.entropy);
            if own.group == 0 {
                own.group = rule.group;
            }
            own.keywords.extend(rule.keywords);
            own.tags.extend(rule.tags);
            own.allow.extend(rule.allow);
            own.required.extend(rule.required);
        }
        self.default |= base.default;
        self.allow.extend(base.allow);
        self.disabled.extend(base.disabled);
    }
}

impl Rule {
    fn of(reader: &mut Reader<'_>, table: &Spanned<DeValue<'_>>) -> Result<Self, Error> {
        let line = reader.line(table);
        let text = |text: &str| Text {
            text: text.to_owned(),
            file: reader.name.to_owned(),
            line,
        };
        let mut rule = Self {
            id: text(""),
            description: None,
            regex: None,
            path: None,
            group: 0,
            entropy: None,
            keywords: Vec::new(),
            tags: Vec::new(),
            allow: Vec::new(),
            required: Vec::new(),
            skip_report: false,
        };
        for (key, value) in Keys::of_value(table).all {
            let line = reader.line(value);
            match key.as_str() {
                "id" => {
                    if let Some(id) = reader.texts(value)?.pop() {
                        rule.id = id;
                    }
                }
                "description" => rule.description = reader.texts(value)?.pop().map(|t| t.text),
                "regex" => rule.regex = reader.texts(value)?.pop().filter(|t| !t.text.is_empty()),
                "path" => rule.path = reader.texts(value)?.pop().filter(|t| !t.text.is_empty()),
                "secretgroup" => rule.group = reader.number(value)?.max(0.0) as usize,
                "entropy" => rule.entropy = Some(reader.number(value)?).filter(|e| *e > 0.0),
                "keywords" => {
                    rule.keywords = reader.texts(value)?.into_iter().map(|t| t.text).collect();
                }
                "tags" => rule.tags = reader.texts(value)?.into_iter().map(|t| t.text).collect(),
                "allowlist" | "allowlists" => {
                    for table in reader.tables(value)? {
                        rule.allow.extend(Allow::of(reader, table)?);
                    }
                }
                "required" => {
                    for table in reader.tables(value)? {
                        let keys = Keys::of_value(table);
                        let id = match keys.get("id") {
                            Some(value) => reader.texts(value)?.pop(),
                            None => None,
                        };
                        let lines = match keys.get("withinlines") {
                            Some(value) => Some(reader.number(value)?.clamp(0.0, 1e6) as u32),
                            None => None,
                        };
                        if let Some(value) = keys.get("withincolumns") {
                            let line = reader.line(value);
                            reader.note(
                                line,
                                Kind::Changed,
                                "withinColumns: keysweep measures nearness in lines alone",
                            );
                        }
                        rule.required.extend(id.map(|id| (id, lines)));
                    }
                }
                "skipreport" => rule.skip_report = value.get_ref().as_bool().unwrap_or(false),
                "verify" | "severity" | "randomness" | "report" | "secretgroupname" => {
                    reader.note(
                        line,
                        Kind::Lost,
                        &format!("`{key}` is no key of gitleaks 8"),
                    );
                }
                _ => reader.unknown(line, "the rule", &key),
            }
        }
        if rule.id.text.is_empty() {
            // Files of old versions have no ids; the description was the name.
            let Some(name) = &rule.description else {
                return Err(
                    reader.error(line, "a rule has neither id nor description; give it an id")
                );
            };
            rule.id.text = slug(name);
            reader.note(
                line,
                Kind::Changed,
                &format!(
                    "the rule has no id; it is called `{}` by its description",
                    rule.id.text
                ),
            );
        }
        Ok(rule)
    }
}

impl Allow {
    fn of(reader: &mut Reader<'_>, table: &Spanned<DeValue<'_>>) -> Result<Option<Self>, Error> {
        let line = reader.line(table);
        let mut allow = Self {
            file: reader.name.to_owned(),
            line,
            description: None,
            all: false,
            commits: Vec::new(),
            paths: Vec::new(),
            target: String::new(),
            regexes: Vec::new(),
            stopwords: Vec::new(),
            rules: Vec::new(),
        };
        for (key, value) in Keys::of_value(table).all {
            let line = reader.line(value);
            match key.as_str() {
                "description" => allow.description = reader.texts(value)?.pop().map(|t| t.text),
                "condition" => {
                    let word = reader
                        .texts(value)?
                        .pop()
                        .map(|t| t.text.to_ascii_uppercase());
                    allow.all = match word.as_deref() {
                        Some("AND" | "&&") => true,
                        None | Some("" | "OR" | "||") => false,
                        Some(_) => {
                            return Err(reader.error(line, "condition is neither AND nor OR"));
                        }
                    };
                }
                "regextarget" => {
                    let word = reader
                        .texts(value)?
                        .pop()
                        .map(|t| t.text)
                        .unwrap_or_default();
                    if !matches!(word.as_str(), "" | "secret" | "match" | "line") {
                        return Err(
                            reader.error(line, "regexTarget is none of secret, match and line")
                        );
                    }
                    allow.target = word;
                }
                "commits" => allow.commits = reader.texts(value)?,
                "paths" => allow.paths = reader.texts(value)?,
                "regexes" => allow.regexes = reader.texts(value)?,
                "stopwords" => allow.stopwords = reader.texts(value)?,
                "targetrules" => allow.rules = reader.texts(value)?,
                "files" => {
                    // The name of `paths` in versions before 8.
                    let files = reader.texts(value)?;
                    allow.paths.extend(files);
                    reader.note(
                        line,
                        Kind::Changed,
                        "`files` is a key of gitleaks 7, which 8 passes over; it is read as `paths`",
                    );
                }
                _ => reader.unknown(line, "the allow-list", &key),
            }
        }
        let empty = [
            &allow.commits,
            &allow.paths,
            &allow.regexes,
            &allow.stopwords,
        ]
        .iter()
        .all(|l| l.is_empty());
        if empty {
            reader.note(
                line,
                Kind::Lost,
                "the allow-list names nothing: neither commits, paths, regexes nor stopwords",
            );
            return Ok(None);
        }
        Ok(Some(allow))
    }
}

/// Keys of a table in lower case, as they are read there.
struct Keys<'t, 'i> {
    all: Vec<(String, &'t Spanned<DeValue<'i>>)>,
}

impl<'t, 'i> Keys<'t, 'i> {
    fn of(table: &'t DeTable<'i>) -> Self {
        let mut all: Vec<_> = table
            .iter()
            .map(|(key, value)| (key.get_ref().to_ascii_lowercase(), value))
            .collect();
        all.sort_by_key(|(_, value)| value.span().start);
        Self { all }
    }

    fn of_value(value: &'t Spanned<DeValue<'i>>) -> Self {
        match value.get_ref().as_table() {
            Some(table) => Self::of(table),
            None => Self { all: Vec::new() },
        }
    }

    fn get(&self, name: &str) -> Option<&'t Spanned<DeValue<'i>>> {
        self.all
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, v)| *v)
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    notes: &'a mut Vec<Note>,
}

impl Reader<'_> {
    fn line(&self, value: &Spanned<DeValue<'_>>) -> u32 {
        line_of(self.text, value.span().start)
    }

    fn error(&self, line: u32, text: &str) -> Error {
        Error {
            file: self.name.to_owned(),
            line,
            text: text.to_owned(),
        }
    }

    fn note(&mut self, line: u32, kind: Kind, text: &str) {
        self.notes.push(Note {
            file: self.name.to_owned(),
            line,
            kind,
            text: text.to_owned(),
        });
    }

    fn unknown(&mut self, line: u32, place: &str, key: &str) {
        self.note(
            line,
            Kind::Lost,
            &format!("`{key}` of {place} is no key that keysweep knows of gitleaks"),
        );
    }

    /// The tables of a list, or the one table.
    fn tables<'t, 'i>(
        &self,
        value: &'t Spanned<DeValue<'i>>,
    ) -> Result<Vec<&'t Spanned<DeValue<'i>>>, Error> {
        let all: Vec<_> = match value.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![value],
        };
        match all.iter().find(|t| !t.get_ref().is_table()) {
            Some(other) => Err(self.error(self.line(other), "a table is expected here")),
            None => Ok(all),
        }
    }

    /// The strings of a list, or the one string.
    fn texts(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<Text>, Error> {
        let all: Vec<_> = match value.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![value],
        };
        all.iter()
            .map(|v| {
                let text = v.get_ref().as_str();
                text.map(|text| Text {
                    text: text.to_owned(),
                    file: self.name.to_owned(),
                    line: self.line(v),
                })
                .ok_or_else(|| self.error(self.line(v), "a string is expected here"))
            })
            .collect()
    }

    fn number(&self, value: &Spanned<DeValue<'_>>) -> Result<f64, Error> {
        let text = match value.get_ref() {
            DeValue::Integer(i) => i.as_str().to_owned(),
            DeValue::Float(f) => f.as_str().to_owned(),
            DeValue::String(s) => s.to_string(),
            _ => String::new(),
        };
        text.parse::<f64>()
            .ok()
            .filter(|n| n.is_finite())
            .ok_or_else(|| self.error(self.line(value), "a number is expected here"))
    }
}

// --- translation ------------------------------------------------------------------------------

struct Translation {
    builtin: RuleSet,
    /// Their id → ours.
    ids: BTreeMap<String, Vec<String>>,
    imported: Imported,
    /// Whether the file extends gitleaks' default rules.
    default: bool,
    keep: bool,
}

impl Translation {
    fn note(&mut self, at: (&str, u32), kind: Kind, text: String) {
        self.imported.notes.push(Note {
            file: at.0.to_owned(),
            line: at.1,
            kind,
            text,
        });
    }

    fn all(&mut self, file: &File) {
        self.disable(file);
        let kept: Vec<&Rule> = file
            .rules
            .iter()
            .filter(|r| !file.disabled.iter().any(|d| d.text == r.id.text))
            .collect();
        for rule in &kept {
            self.rule(rule);
        }
        self.near(&kept);
        for rule in &kept {
            let Some(ids) = self.ids.get(&rule.id.text).cloned() else {
                continue;
            };
            for allow in &rule.allow {
                self.allow(allow, &ids);
            }
            if rule.skip_report && ids.len() == 1 {
                self.imported.allows.push(AllowEntry {
                    rules: ids,
                    paths: vec!["*".to_owned()],
                    reason: Some("skipReport: it only stands beside others".to_owned()),
                    file: rule.id.file.clone(),
                    line: rule.id.line,
                    ..AllowEntry::default()
                });
            }
        }
        for allow in &file.allow {
            if allow.rules.is_empty() {
                self.allow(allow, &[]);
                continue;
            }
            let mut ids = Vec::new();
            for target in &allow.rules {
                let ours = match self.ids.get(&target.text) {
                    Some(ours) => ours.clone(),
                    None => self.counterparts(target, "the allow-list"),
                };
                ids.extend(ours);
            }
            ids.dedup();
            if !ids.is_empty() {
                self.allow(allow, &ids);
            }
        }
        let Some(first) = file.rules.first() else {
            return;
        };
        let (name, line) = (first.id.file.clone(), first.id.line);
        if !self.default && !self.imported.rules.is_empty() {
            self.note(
                (&name, line),
                Kind::Remark,
                "the file does not extend gitleaks' default rules, and keysweep's built-in rules stay on; for these rules alone, write no_builtin = true under [rules]".to_owned(),
            );
        }
    }

    fn disable(&mut self, file: &File) {
        let written: BTreeSet<&str> = file.rules.iter().map(|r| r.id.text.as_str()).collect();
        for id in &file.disabled {
            if written.contains(id.text.as_str()) && names::gitleaks(&id.text).is_none() {
                continue;
            }
            let ours = self.counterparts(id, "disabledRules");
            self.imported.disabled.extend(ours);
        }
        self.imported.disabled.sort();
        self.imported.disabled.dedup();
    }

    /// Our rules for a default rule of theirs; a note where there is none.
    fn counterparts(&mut self, id: &Text, place: &str) -> Vec<String> {
        match names::gitleaks(&id.text) {
            Some([]) => {
                self.note(
                    (&id.file, id.line),
                    Kind::Remark,
                    format!("{place}: keysweep has no rule for the kind `{}`", id.text),
                );
                Vec::new()
            }
            Some(ids) => ids.iter().map(|s| (*s).to_owned()).collect(),
            None => {
                self.note(
                    (&id.file, id.line),
                    Kind::Lost,
                    format!(
                        "{place}: `{}` is neither a rule of the file nor one of gitleaks' default rules",
                        id.text
                    ),
                );
                Vec::new()
            }
        }
    }

    fn rule(&mut self, rule: &Rule) {
        let theirs = &rule.id.text;
        let at = (rule.id.file.as_str(), rule.id.line);
        let known = names::gitleaks(theirs);
        let Some(pattern) = &rule.regex else {
            match known {
                Some([]) => {
                    self.note(
                        at,
                        Kind::Remark,
                        format!("rule `{theirs}`: keysweep has no rule for the kind; nothing to refine"),
                    );
                }
                Some(ids) if self.default => {
                    let ids: Vec<String> = ids.iter().map(|s| (*s).to_owned()).collect();
                    if rule.entropy.is_some() || !rule.keywords.is_empty() || rule.path.is_some() {
                        self.note(
                            at,
                            Kind::Changed,
                            format!("rule `{theirs}`: keysweep's own rule keeps its entropy, literals and paths: {}", ids.join(", ")),
                        );
                    }
                    self.ids.insert(theirs.clone(), ids);
                }
                _ if rule.path.is_some() => self.note(
                    at,
                    Kind::Lost,
                    format!("rule `{theirs}`: it reports files by their name alone, and keysweep reports secrets; it names left-out files such as `.env` and `*.pem` in its summary"),
                ),
                _ => self.note(at, Kind::Lost, format!("rule `{theirs}`: it has no regex")),
            }
            return;
        };
        if let Some(ids @ [_, ..]) = known
            && !self.default
            && !self.keep
        {
            let ids: Vec<String> = ids.iter().map(|s| (*s).to_owned()).collect();
            self.note(
                at,
                Kind::Changed,
                format!("rule `{theirs}` is one of gitleaks' default rules: keysweep's own take its place ({}); --keep-default-rules carries it over as it is", ids.join(", ")),
            );
            self.ids.insert(theirs.clone(), ids);
            return;
        }
        let mut found = match regex::rule(&pattern.text, rule.group, &rule.keywords) {
            Ok(found) => found,
            Err(why) => {
                self.note(
                    (&pattern.file, pattern.line),
                    Kind::Lost,
                    format!("rule `{theirs}`: regex: {why}"),
                );
                return;
            }
        };
        let mut only = Vec::new();
        if let Some(path) = &rule.path {
            match regex::globs(&path.text) {
                Ok((globs, exact)) => {
                    if !exact {
                        found.changes.push(format!(
                            "path: globs say less exactly what the regex says, and hold for more paths: {}",
                            globs.iter().take(3).map(|g| format!("`{g}`")).collect::<Vec<_>>().join(", ")
                        ));
                    }
                    only = globs;
                }
                Err(why) => {
                    self.note(
                        (&path.file, path.line),
                        Kind::Lost,
                        format!("rule `{theirs}`: path: {why}"),
                    );
                    return;
                }
            }
        }
        let id = self.free_id(theirs);
        if id != *theirs {
            found.changes.push(format!("its id is `{id}` here"));
        }
        if let Some(ids @ [_, ..]) = known
            && self.default
        {
            found.changes.push(format!(
                "it stands in place of a default rule there; keysweep's own stay on beside it ({})",
                ids.join(", ")
            ));
        }
        let imported = ImportedRule {
            id: id.clone(),
            name: rule
                .description
                .as_deref()
                .filter(|d| !d.trim().is_empty())
                .unwrap_or(theirs)
                .replace(|c: char| c.is_control(), " "),
            severity: severity(&rule.tags),
            literals: found.literals,
            ignore_case: found.ignore_case,
            pattern: found.pattern,
            entropy: rule.entropy.map(|e| e.min(8.0) as f32),
            only,
            near: Vec::new(),
            file: rule.id.file.clone(),
            line: rule.id.line,
        };
        if let Err(error) = imported.rule_file() {
            self.note(
                at,
                Kind::Lost,
                format!("rule `{theirs}`: {}", error.message),
            );
            return;
        }
        for change in found.changes {
            self.note(
                (&pattern.file, pattern.line),
                Kind::Changed,
                format!("rule `{theirs}`: {change}"),
            );
        }
        self.imported.rules.push(imported);
        self.ids.insert(theirs.clone(), vec![id]);
    }

    /// Companions, once it is known which rules there are.
    fn near(&mut self, rules: &[&Rule]) {
        for rule in rules {
            for (required, lines) in &rule.required {
                let own = self.ids.get(&rule.id.text).cloned().unwrap_or_default();
                let other = self.ids.get(&required.text).cloned().unwrap_or_default();
                let ([own], [other]) = (&own[..], &other[..]) else {
                    self.note(
                        (&required.file, required.line),
                        Kind::Lost,
                        format!("rule `{}`: required: `{}` is no rule here, so it is reported without it", rule.id.text, required.text),
                    );
                    continue;
                };
                if lines.is_none() {
                    self.note(
                        (&required.file, required.line),
                        Kind::Changed,
                        format!(
                            "rule `{}`: required: it names no withinLines; {FAR} are allowed here",
                            rule.id.text
                        ),
                    );
                }
                if let Some(imported) = self.imported.rules.iter_mut().find(|r| r.id == *own) {
                    imported.near.push(Part {
                        rule: other.clone(),
                        within_lines: lines.unwrap_or(FAR),
                    });
                }
            }
        }
    }

    /// The id in our form, different from every other.
    fn free_id(&self, theirs: &str) -> String {
        let base = slug(theirs);
        let taken = |id: &str| {
            self.builtin.index_of(id).is_some() || self.imported.rules.iter().any(|r| r.id == id)
        };
        if !taken(&base) {
            return base;
        }
        let own = format!("own-{base}");
        if !taken(&own) {
            return own;
        }
        (2_u32..=100_000)
            .map(|n| format!("{own}-{n}"))
            .find(|id| !taken(id))
            .unwrap_or(own)
    }

    fn allow(&mut self, allow: &Allow, rules: &[String]) {
        let entry = || AllowEntry {
            rules: rules.to_vec(),
            reason: allow
                .description
                .as_ref()
                .map(|d| d.trim().replace(|c: char| c.is_control(), " "))
                .filter(|d| !d.is_empty()),
            file: allow.file.clone(),
            line: allow.line,
            ..AllowEntry::default()
        };
        let mut commits = entry();
        for commit in &allow.commits {
            let id = commit.text.trim().to_ascii_lowercase();
            if is_commit(&id) {
                commits.commits.push(id);
            } else {
                self.note(
                    (&commit.file, commit.line),
                    Kind::Lost,
                    "commits: this is no id of a commit (7 hexadecimal digits at least)".to_owned(),
                );
            }
        }
        let mut paths = entry();
        self.regexes("paths", &allow.paths, &mut paths.path_regexes);
        let mut regexes = entry();
        self.regexes("regexes", &allow.regexes, &mut regexes.regexes);
        regexes.target = match allow.target.as_str() {
            "line" => Target::Line,
            "match" => Target::Match,
            _ => Target::Secret,
        };
        let mut words = entry();
        words.stopwords = allow.stopwords.iter().map(|w| w.text.clone()).collect();
        words.stopwords.retain(|w| !w.is_empty());
        if !allow.all {
            for part in [commits, paths, regexes, words] {
                if has_criterion(&part) {
                    self.imported.allows.push(part);
                }
            }
            return;
        }
        // A criterion that was lost would make the entry accept more than was written.
        let whole = [
            (allow.commits.len(), commits.commits.len()),
            (allow.paths.len(), paths.path_regexes.len()),
            (allow.regexes.len(), regexes.regexes.len()),
            (allow.stopwords.len(), words.stopwords.len()),
        ]
        .iter()
        .all(|(written, kept)| (*written == 0) == (*kept == 0));
        if !whole {
            self.note(
                (&allow.file, allow.line),
                Kind::Lost,
                "the allow-list asks for all of its criteria, and not all could be carried over"
                    .to_owned(),
            );
            return;
        }
        self.imported.allows.push(AllowEntry {
            commits: commits.commits,
            path_regexes: paths.path_regexes,
            stopwords: words.stopwords,
            ..regexes
        });
    }

    fn regexes(&mut self, key: &str, from: &[Text], into: &mut Vec<String>) {
        for one in from {
            match regex::plain(&one.text) {
                Ok(regex) => into.push(regex),
                Err(why) => self.note(
                    (&one.file, one.line),
                    Kind::Lost,
                    format!("{key}: the regex: {why}"),
                ),
            }
        }
    }
}

fn has_criterion(entry: &AllowEntry) -> bool {
    [
        &entry.paths,
        &entry.path_regexes,
        &entry.regexes,
        &entry.stopwords,
        &entry.commits,
    ]
    .iter()
    .any(|l| !l.is_empty())
}

/// The severity that a tag names, `high` without one.
fn severity(tags: &[String]) -> &'static str {
    tags.iter()
        .find_map(|tag| {
            let word = tag.to_ascii_lowercase();
            let word = word.strip_prefix("severity:").unwrap_or(&word);
            ["critical", "high", "medium", "low"]
                .into_iter()
                .find(|s| *s == word)
        })
        .unwrap_or("high")
}
