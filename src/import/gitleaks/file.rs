//! A `.gitleaks.toml` as it is written: rules and allow-lists, with those of the files that it extends merged in.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::{Error, Kind, Note, line_of, slug, small_enough};
use super::Options;
use super::reader::{Keys, Reader};

/// How many files may extend each other, as there.
const MAX_DEPTH: u32 = 2;
/// Most rules that are read.
const MAX_RULES: usize = 5_000;

/// A text and where it is written.
#[expect(clippy::struct_field_names, reason = "what it is")]
#[derive(Clone)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) file: String,
    pub(super) line: u32,
}

/// One rule as written.
#[derive(Clone)]
pub(super) struct Rule {
    pub(super) id: Text,
    pub(super) description: Option<String>,
    pub(super) regex: Option<Text>,
    pub(super) path: Option<Text>,
    pub(super) group: usize,
    pub(super) entropy: Option<f64>,
    pub(super) keywords: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) allow: Vec<Allow>,
    pub(super) required: Vec<(Text, Option<u32>)>,
    pub(super) skip_report: bool,
}

/// One allow-list as written.
#[derive(Clone)]
pub(super) struct Allow {
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) description: Option<String>,
    pub(super) all: bool,
    pub(super) commits: Vec<Text>,
    pub(super) paths: Vec<Text>,
    pub(super) target: String,
    pub(super) regexes: Vec<Text>,
    pub(super) stopwords: Vec<Text>,
    pub(super) rules: Vec<Text>,
}

/// One file, and those that it extends merged into it.
#[derive(Default)]
pub(super) struct File {
    pub(super) rules: Vec<Rule>,
    pub(super) allow: Vec<Allow>,
    pub(super) default: bool,
    pub(super) disabled: Vec<Text>,
}

impl File {
    pub(super) fn load(
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
