//! gitleaks' allow-lists in our terms.

use super::super::{Kind, regex};
use super::file::{Allow, Text};
use super::is_commit;
use super::translation::Translation;
use crate::config::{AllowEntry, Target};

impl Translation {
    /// Entries for an allow-list; `rules` are those that it is for, empty for all.
    pub(super) fn allow(&mut self, allow: &Allow, rules: &[String]) {
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
