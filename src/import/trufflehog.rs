//! TruffleHog: files of paths to leave out or to scan alone, and the switches of its detectors.
//!
//! Facts: <https://docs.trufflesecurity.com/>. A file of paths holds one Go regular expression a line, `#` begins a comment.

use super::{Error, Imported, Kind, Note, names, regex, small_enough};
use crate::config::AllowEntry;
use crate::rule::RuleSet;

/// Reads a file of `--exclude-paths`.
///
/// Where globs say exactly the same, the paths are not scanned; else their findings are accepted.
///
/// # Errors
/// A file that is far too big.
pub fn read_exclude(text: &str, name: &str) -> Result<Imported, Error> {
    read_paths(text, name, |line, regex, imported| {
        if let Ok((globs, true)) = regex::globs(regex) {
            imported.exclude.extend(globs);
            return Ok(());
        }
        let kept = regex::plain(regex)?;
        imported.notes.push(Note {
            file: name.to_owned(),
            line,
            kind: Kind::Changed,
            text:
                "no glob says the same: the paths are scanned, and what is found there is accepted"
                    .to_owned(),
        });
        imported.allows.push(AllowEntry {
            path_regexes: vec![kept],
            reason: Some("left out by TruffleHog's --exclude-paths".to_owned()),
            file: name.to_owned(),
            line,
            ..AllowEntry::default()
        });
        Ok(())
    })
}

/// Reads a file of `--include-paths`.
///
/// # Errors
/// A file that is far too big.
pub fn read_include(text: &str, name: &str) -> Result<Imported, Error> {
    read_paths(text, name, |line, regex, imported| {
        let (globs, exact) = regex::globs(regex)?;
        if !exact {
            imported.notes.push(Note {
                file: name.to_owned(),
                line,
                kind: Kind::Changed,
                text: "the globs name more paths than the regex".to_owned(),
            });
        }
        imported.include.extend(globs);
        Ok(())
    })
}

fn read_paths(
    text: &str,
    name: &str,
    mut add: impl FnMut(u32, &str, &mut Imported) -> Result<(), String>,
) -> Result<Imported, Error> {
    small_enough(name, text)?;
    let mut imported = Imported::default();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Err(why) = add(number, line, &mut imported) {
            imported.notes.push(Note {
                file: name.to_owned(),
                line: number,
                kind: Kind::Lost,
                text: format!("the regex: {why}"),
            });
        }
    }
    Ok(imported)
}

/// Reads lists of detectors, as `--include-detectors` and `--exclude-detectors` take them: names or numbers, joined
/// by commas, a version behind a dot. A name means our rules for the same kind.
///
/// # Errors
/// Built-in rules that do not load, which the tests rule out.
pub fn read_detectors(include: &str, exclude: &str) -> Result<Imported, Error> {
    let rules = RuleSet::builtin().map_err(|e| Error {
        file: "built-in".to_owned(),
        line: 1,
        text: e.to_string(),
    })?;
    let mut imported = Imported::default();
    for (option, list, included) in [
        ("--include-detectors", include, true),
        ("--exclude-detectors", exclude, false),
    ] {
        for word in list.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            if included && word.eq_ignore_ascii_case("all") {
                continue;
            }
            let mut lost = |text: String| {
                imported.notes.push(Note {
                    file: option.to_owned(),
                    line: 1,
                    kind: Kind::Lost,
                    text,
                });
            };
            if word.starts_with(|c: char| c.is_ascii_digit()) {
                lost(format!(
                    "`{word}`: numbers of detectors are TruffleHog's own; give the name"
                ));
                continue;
            }
            let name = word.split('.').next().unwrap_or(word);
            let found = rules_of(&rules, name);
            if found.is_empty() {
                lost(format!(
                    "`{name}`: keysweep has no rule of that name; `keysweep rules list` shows all"
                ));
            } else if included {
                imported.enabled.extend(found);
            } else {
                imported.disabled.extend(found);
            }
        }
    }
    for list in [&mut imported.enabled, &mut imported.disabled] {
        list.sort();
        list.dedup();
    }
    Ok(imported)
}

/// Our rules for a detector: as the table has them, else those whose provider or id begins as its name does.
fn rules_of(rules: &RuleSet, detector: &str) -> Vec<String> {
    let specs = rules.rules().iter().map(crate::rule::Rule::spec);
    if let Some(known) = names::trufflehog(detector) {
        let meant = |id: &str| {
            let is = |name: &str| id == name || name.ends_with('-') && id.starts_with(name);
            known.iter().any(|name| is(name))
        };
        let ids = specs.map(|s| s.id.to_string());
        return ids.filter(|id| meant(id)).collect();
    }
    let wanted = plain(detector);
    if wanted.len() < 3 {
        return Vec::new();
    }
    let meant = |provider: &str, id: &str| {
        let database = id.strip_prefix("database-url-");
        wanted.starts_with(&plain(provider))
            || plain(provider).starts_with(&wanted)
            || plain(id).starts_with(&wanted)
            || database.is_some_and(|kind| plain(kind).starts_with(&wanted))
    };
    let found = specs.filter(|s| meant(&s.provider, &s.id));
    found.map(|s| s.id.to_string()).collect()
}

/// Letters and digits alone, in lower case.
fn plain(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}
