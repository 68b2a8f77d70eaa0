//! gitleaks' rules and switches in our terms, and a note for what is different or left out.

use std::collections::{BTreeMap, BTreeSet};

use super::super::rule::{ImportedRule, Part};
use super::super::{Imported, Kind, Note, names, regex, slug};
use super::defaults;
use super::file::{File, Rule, Text};
use crate::config::AllowEntry;
use crate::rule::RuleSet;

/// Lines between a rule and what must stand near it where the file names no bound.
const FAR: u32 = 1_000;

pub(super) struct Translation {
    /// Their id → ours.
    ids: BTreeMap<String, Vec<String>>,
    pub(super) imported: Imported,
    /// Whether the file extends gitleaks' default rules.
    default: bool,
    keep: bool,
}

impl Translation {
    /// What a file says in our terms; `notes` were made on reading it. With `keep`, rules under the ids of gitleaks' default
    /// rules are carried over, too.
    pub(super) fn of(file: &File, notes: Vec<Note>, keep: bool) -> Imported {
        let mut out = Self {
            ids: BTreeMap::new(),
            imported: Imported {
                notes,
                ..Imported::default()
            },
            default: file.default,
            keep,
        };
        out.all(file);
        out.imported
    }

    pub(super) fn note(&mut self, at: (&str, u32), kind: Kind, text: String) {
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
        if self.default && !self.imported.rules.is_empty() {
            let own = self.imported.rules.iter().map(|rule| rule.id.clone());
            let own: Vec<String> = own.collect();
            let allows = defaults::allows(&own, (&name, line));
            self.imported.allows.extend(allows);
        }
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
            if ours.len() > 1 {
                self.note(
                    (&id.file, id.line),
                    Kind::Changed,
                    format!(
                        "disabledRules: `{}` stands for {} rules of keysweep, and all of them are off: {}; take out of `disable` what is to be found",
                        id.text,
                        ours.len(),
                        ours.join(", ")
                    ),
                );
            }
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
                "it stands in place of a default rule there, whose allow-lists keysweep's filters for placeholders and plain words stand for; keysweep's own stay on beside it ({})",
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
            keywords: found.keywords,
            pattern: found.pattern,
            entropy: rule.entropy.map(|e| e.min(8.0) as f32),
            only,
            placeholder: known.is_some() && self.default,
            words: theirs == "generic-api-key" && self.default,
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
        let place = (pattern.file.as_str(), pattern.line);
        if imported.literals.is_empty() {
            self.note(
                place,
                Kind::Remark,
                format!("rule `{theirs}`: no text of 3 bytes stands in every match: it is searched for in every byte, which is slower"),
            );
        }
        for change in found.changes {
            self.note(place, Kind::Changed, format!("rule `{theirs}`: {change}"));
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
        let taken =
            |id: &str| RuleSet::is_builtin(id) || self.imported.rules.iter().any(|r| r.id == id);
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
