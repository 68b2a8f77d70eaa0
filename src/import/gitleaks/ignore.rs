//! What was accepted in gitleaks: `.gitleaksignore`, and its JSON report as a baseline.

use std::collections::BTreeMap;

use super::super::{Error, Imported, Kind, Note, names, slug, small_enough, this_path};
use super::is_commit;
use crate::config::AllowEntry;

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

/// Ids of our rules whose findings an entry on a rule of theirs accepts.
fn accepted(rule: &str) -> Vec<String> {
    match names::gitleaks(rule) {
        Some([]) => names::GENERIC.iter().map(|s| (*s).to_owned()).collect(),
        Some(ids) => ids.iter().map(|s| (*s).to_owned()).collect(),
        None => vec![slug(rule)],
    }
}
