//! gitleaks: `.gitleaks.toml`, `.gitleaksignore`, and its JSON report as a baseline.
//!
//! Facts: <https://github.com/gitleaks/gitleaks#configuration>. Keys are read in any case, as there. A rule keeps its own
//! pattern; gitleaks' default rules do not come along, for ours stand in their place: where the file only refines,
//! allows or switches off one of those, our rules for the same kind are meant.

mod allow;
mod defaults;
mod file;
mod ignore;
mod reader;
mod translation;

use toml::de::DeTable;

pub use ignore::{read_ignore, read_report};

use self::file::File;
use self::reader::Keys;
use self::translation::Translation;
use super::{Error, Imported};

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
    let mut imported = Translation::of(&file, notes, options.keep_defaults);
    imported
        .notes
        .sort_by(|a, b| (&a.file, a.line, &a.text).cmp(&(&b.file, b.line, &b.text)));
    imported.notes.dedup();
    Ok(imported)
}

fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}
