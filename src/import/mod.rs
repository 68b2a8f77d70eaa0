//! Configurations, ignore files and baselines of other scanners → ours.
//!
//! Each reader gives an [`Imported`]: rules, entries of `[[allow]]`, switches, and a [`Note`] for every line that means
//! something else here or could not be carried over. Nothing is read but the text that is handed in: files that a
//! configuration names come through a function of the caller, which decides what may be read. What is read is
//! hostile: sizes are bounded, and no input panics.

pub mod detect_secrets;
mod direct;
pub mod gitleaks;
mod names;
mod regex;
mod rule;
pub mod trufflehog;
mod write;

pub use direct::config_file;
pub use rule::{ImportedRule, Part};
pub use write::{config, rules};

use crate::config::AllowEntry;
use crate::rule::RuleSet;

/// Longest file in bytes that is imported.
pub const MAX_TEXT: usize = 16 << 20;

/// What a foreign configuration says, in our terms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// Rules of its own.
    pub rules: Vec<ImportedRule>,
    /// What it accepts.
    pub allows: Vec<AllowEntry>,
    /// Ids of built-in rules that it switches off.
    pub disabled: Vec<String>,
    /// Ids of built-in rules that it uses alone; empty for all.
    pub enabled: Vec<String>,
    /// Globs of paths that it does not scan.
    pub exclude: Vec<String>,
    /// Globs of the only paths that it scans; empty for all.
    pub include: Vec<String>,
    /// What is different, or was not carried over.
    pub notes: Vec<Note>,
}

impl Imported {
    /// Adds what another file says.
    pub fn extend(&mut self, other: Self) {
        self.rules.extend(other.rules);
        self.allows.extend(other.allows);
        self.disabled.extend(other.disabled);
        self.enabled.extend(other.enabled);
        self.exclude.extend(other.exclude);
        self.include.extend(other.include);
        self.notes.extend(other.notes);
    }

    /// Takes out what allows findings of rules that are not there, with a note for each entry that goes.
    pub fn drop_unknown(&mut self, builtin: &RuleSet, own: &[String]) {
        let knows = |id: &String| own.contains(id) || builtin.index_of(id).is_some();
        let notes = &mut self.notes;
        self.allows.retain_mut(|allow| {
            let named = allow.rules.first().cloned();
            allow.rules.retain(knows);
            let Some(rule) = named.filter(|_| allow.rules.is_empty()) else {
                return true;
            };
            notes.push(Note {
                file: allow.file.clone(),
                line: allow.line,
                kind: Kind::Lost,
                text: format!("there is no rule `{rule}`; import the configuration that holds it together with this file"),
            });
            false
        });
    }

    /// How many lines were not carried over.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.notes.iter().filter(|n| n.kind == Kind::Lost).count()
    }
}

/// A remark on one line of what was imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The file as the caller named it.
    pub file: String,
    /// Its line, from 1.
    pub line: u32,
    /// What became of the line.
    pub kind: Kind,
    /// What is different, and why.
    pub text: String,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is not carried over.
    Lost,
    /// It means something slightly different.
    Changed,
    /// It needs nothing here.
    Remark,
}

impl Kind {
    /// The words in front of the note.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Lost => "not carried over",
            Self::Changed => "changed",
            Self::Remark => "note",
        }
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}:{}: {}: {}",
            self.file,
            self.line,
            self.kind.words(),
            self.text
        )
    }
}

/// Why a file was refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {text}")]
pub struct Error {
    /// The file as the caller named it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong, and the mend.
    pub text: String,
}

/// The line of a byte offset, from 1.
fn line_of(text: &str, offset: usize) -> u32 {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    let lines = memchr::memchr_iter(b'\n', before).count();
    u32::try_from(lines).unwrap_or(u32::MAX - 1) + 1
}

fn small_enough(name: &str, text: &str) -> Result<(), Error> {
    if text.len() <= MAX_TEXT {
        return Ok(());
    }
    Err(Error {
        file: name.to_owned(),
        line: 1,
        text: format!("it has more than {MAX_TEXT} bytes; is it the right file?"),
    })
}

/// An id in our form: lower-case words joined by `-`.
fn slug(id: &str) -> String {
    let mut out = String::new();
    for c in id.chars().take(80) {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    let out = out.trim_end_matches('-');
    if out.is_empty() {
        "imported".to_owned()
    } else {
        out.to_owned()
    }
}

/// Criteria for one path and no other.
fn this_path(path: &str, entry: &mut AllowEntry) {
    let path = path.replace('\\', "/");
    let path = path.trim_start_matches("./");
    if path.contains('/') {
        entry.paths.push(regex::glob_text(path));
    } else {
        // A glob without a slash would mean that name in every folder.
        entry
            .path_regexes
            .push(format!("^{}$", ::regex::escape(path)));
    }
}

/// An entry for what stands in this file alone, to be completed.
#[must_use]
pub fn only_in(path: &str, written_in: &str) -> AllowEntry {
    let mut entry = AllowEntry {
        file: written_in.to_owned(),
        line: 1,
        ..AllowEntry::default()
    };
    this_path(path, &mut entry);
    entry
}
