//! keysweep.toml and rule files, written for people.

use std::fmt::Write;

use super::{Imported, Kind, Note};
use crate::config::{AllowEntry, Target};

/// A keysweep.toml that says what was imported. `salt` is the salt of its fingerprints, `rule_file` the path of the file
/// that holds the rules where they are not written into it.
#[must_use]
pub fn config(imported: &Imported, salt: Option<&str>, rule_file: Option<&str>) -> String {
    let mut out = String::from(
        "# Written by `keysweep import`. Read it through, then commit it at the root of the repository.\n",
    );
    notes(&mut out, &imported.notes);
    if let Some(salt) = salt {
        let _ = write!(
            out,
            "\n# The fingerprints below are made with it: keep it.\nfingerprint_salt = {}\n",
            string(salt)
        );
    }
    if !imported.include.is_empty() || !imported.exclude.is_empty() {
        out.push_str("\n[scan]\n");
        for (key, globs) in [
            ("include", &imported.include),
            ("exclude", &imported.exclude),
        ] {
            if !globs.is_empty() {
                let _ = writeln!(out, "{key} = {}", list(&sorted(globs)));
            }
        }
    }
    let files = rule_file.filter(|_| !imported.rules.is_empty());
    if files.is_some() || !imported.disabled.is_empty() || !imported.enabled.is_empty() {
        out.push_str("\n[rules]\n");
        if let Some(file) = files {
            let _ = writeln!(out, "files = {}", list(&[file.to_owned()]));
        }
        for (key, ids) in [
            ("enable", &imported.enabled),
            ("disable", &imported.disabled),
        ] {
            if !ids.is_empty() {
                let _ = writeln!(out, "{key} = {}", list(&sorted(ids)));
            }
        }
    }
    if files.is_none() {
        for rule in &imported.rules {
            let _ = write!(out, "\n{}", rule.to_toml());
        }
    }
    for allow in &imported.allows {
        entry(&mut out, allow);
    }
    out
}

/// A rule file with the imported rules alone, for `--rules` and `[rules] files`.
#[must_use]
pub fn rules(imported: &Imported) -> String {
    let mut out = String::from("# Written by `keysweep import`.\nprovider = \"Custom\"\n");
    for rule in &imported.rules {
        let _ = write!(out, "\n{}", rule.to_toml());
    }
    out
}

fn notes(out: &mut String, notes: &[Note]) {
    for (kind, title) in [
        (Kind::Lost, "Not carried over:"),
        (Kind::Changed, "Changed:"),
    ] {
        let of_kind: Vec<&Note> = notes.iter().filter(|n| n.kind == kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let _ = writeln!(out, "#\n# {title}");
        for note in of_kind {
            let _ = writeln!(
                out,
                "#   {}:{}: {}",
                comment(&note.file),
                note.line,
                comment(&note.text)
            );
        }
    }
}

fn entry(out: &mut String, allow: &AllowEntry) {
    let _ = writeln!(
        out,
        "\n[[allow]]   # {}:{}",
        comment(&allow.file),
        allow.line
    );
    let several = |out: &mut String, key: &str, values: &[String]| match values {
        [] => {}
        [one] => {
            let _ = writeln!(out, "{key} = {}", string(one));
        }
        all => {
            let _ = writeln!(out, "{key} = {}", list(all));
        }
    };
    several(out, "rule", &allow.rules);
    several(out, "path", &allow.paths);
    several(out, "path_regex", &allow.path_regexes);
    several(out, "regex", &allow.regexes);
    if !allow.regexes.is_empty() {
        match allow.target {
            Target::Secret => {}
            Target::Match => out.push_str("target = \"match\"\n"),
            Target::Line => out.push_str("target = \"line\"\n"),
        }
    }
    several(out, "stopword", &allow.stopwords);
    several(out, "commit", &allow.commits);
    several(out, "fingerprint", &allow.fingerprints);
    for (key, value) in [("owner", &allow.owner), ("reason", &allow.reason)] {
        if let Some(value) = value {
            let _ = writeln!(out, "{key} = {}", string(value));
        }
    }
    if let Some(date) = allow.expires {
        let _ = writeln!(out, "expires = {date}");
    }
}

fn sorted(list: &[String]) -> Vec<String> {
    let mut list = list.to_vec();
    list.sort();
    list.dedup();
    list
}

/// A text within a comment of one line.
pub(super) fn comment(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// A TOML string: literal where that needs no escape.
pub(super) fn string(text: &str) -> String {
    let plain = !text.chars().any(char::is_control);
    if plain && !text.contains(['"', '\\']) {
        return format!("\"{text}\"");
    }
    if plain && !text.contains('\'') {
        return format!("'{text}'");
    }
    if plain && !text.contains("'''") && !text.ends_with('\'') && !text.starts_with('\'') {
        return format!("'''{text}'''");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A TOML array of strings, one a line where it is long.
pub(super) fn list(values: &[String]) -> String {
    let all: Vec<String> = values.iter().map(|v| string(v)).collect();
    let short = all.join(", ");
    if short.len() <= 100 {
        return format!("[{short}]");
    }
    let mut out = String::from("[\n");
    for value in all {
        let _ = writeln!(out, "    {value},");
    }
    out.push(']');
    out
}
