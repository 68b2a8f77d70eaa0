//! `.keysweepignore`: a line is a finding's fingerprint or a path glob, and may say behind `#` who accepts it and until when.
//!
//! It becomes the same entries as `[[allow]]`; `suppress` evaluates both.

use super::{Note, glob};
use crate::config::AllowEntry;
use crate::model::Fingerprint;

/// The file's name, in the project's root and in folders below it.
pub const NAME: &str = ".keysweepignore";
/// Most bytes of a file.
pub const MOST_BYTES: u64 = 1 << 20;
/// Most bytes of a line.
const MOST_LINE: usize = 4096;

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct Error {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong, and how to write it.
    pub what: String,
}

/// Reads a file.
///
/// # Errors
/// The first line that is neither a fingerprint nor a glob, or whose owner or day cannot be read.
pub fn parse(file: &str, bytes: &[u8]) -> Result<Vec<AllowEntry>, Error> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut entries = Vec::new();
    for (number, line) in (1u32..).zip(bytes.split(|b| *b == b'\n')) {
        let entry = entry(line).map_err(|what| Error {
            file: file.to_owned(),
            line: number,
            what,
        })?;
        entries.extend(entry.map(|entry| AllowEntry {
            file: file.to_owned(),
            line: number,
            ..entry
        }));
    }
    Ok(entries)
}

fn entry(line: &[u8]) -> Result<Option<AllowEntry>, String> {
    if line.len() > MOST_LINE {
        return Err(format!("longer than {MOST_LINE} bytes"));
    }
    let line = std::str::from_utf8(line).map_err(|_| "not UTF-8; write globs such as `docs/**`")?;
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if line.contains('\0') {
        return Err("holds a NUL".to_owned());
    }
    let (what, note) = split(line);
    let note = Note::parse_strictly(note)?;
    let (owner, reason, expires) = (note.owner, note.reason, note.expires);
    let mut entry = AllowEntry {
        owner,
        reason,
        expires,
        ..AllowEntry::default()
    };
    let digits = what.bytes().all(|b| b.is_ascii_hexdigit());
    if Fingerprint::parse(what).is_some() {
        entry.fingerprints.push(what.to_ascii_lowercase());
    } else if digits && what.len() >= 24 {
        let length = what.len();
        return Err(format!(
            "a fingerprint has 32 hexadecimal digits, this has {length}; copy it from a report (for a path write ./{what})"
        ));
    } else if what.starts_with('!') {
        return Err(
            "`!` takes nothing back here; write globs that name only what is to be ignored".into(),
        );
    } else {
        let path = what.replace("\\#", "#");
        glob::forms(&path)
            .map_err(|_| format!("`{what}` is no glob; write one such as `docs/**` or `*.pem`"))?;
        entry.paths.push(path);
    }
    Ok(Some(entry))
}

/// The entry, and what stands behind the first `#` that a blank precedes.
fn split(line: &str) -> (&str, &str) {
    let mut marks = line.match_indices('#');
    let at = marks.find(|(at, _)| line[..*at].ends_with([' ', '\t']));
    match at {
        Some((at, _)) => (line[..at].trim_end(), line[at..].trim_start_matches('#')),
        None => (line, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(line: &str) -> AllowEntry {
        let mut all = parse("f", line.as_bytes()).expect("it is right");
        assert_eq!(all.len(), 1, "{line}");
        all.remove(0)
    }

    #[test]
    fn lines_are_fingerprints_or_globs() {
        let print = "0A".repeat(16);
        let entry = only(&format!(
            "{print}\t# owner=ann expires=2027-01-31 theirs\r\n"
        ));
        assert_eq!(entry.fingerprints, ["0a".repeat(16)]);
        assert_eq!(
            (entry.owner.as_deref(), entry.reason.as_deref()),
            (Some("ann"), Some("theirs"))
        );
        assert_eq!(
            entry.expires.expect("it is right").to_string(),
            "2027-01-31"
        );
        assert_eq!(only("docs/**/*.md # prose").paths, ["docs/**/*.md"]);
        assert_eq!(only("\\#odd#name").paths, ["#odd#name"]);
        assert_eq!(only("\u{feff}*.pem").paths, ["*.pem"]);
        assert!(
            parse("f", b"\n  \n# only a comment\n")
                .expect("it is right")
                .is_empty()
        );
    }

    #[test]
    fn bad_lines_name_file_line_and_mend() {
        for (line, part) in [
            ("0a".repeat(20), "32 hexadecimal digits, this has 40"),
            ("!docs".into(), "takes nothing back"),
            ("a[".into(), "no glob"),
            ("docs # expires=soon".into(), "expires=2027-01-31"),
            ("x".repeat(5000), "longer than"),
            ("a\0b".into(), "NUL"),
        ] {
            let error = parse(
                "sub/.keysweepignore",
                format!("# first\n{line}\n").as_bytes(),
            )
            .expect_err("it is wrong");
            let text = error.to_string();
            assert!(
                text.starts_with("sub/.keysweepignore:2: ") && text.contains(part),
                "{text}"
            );
        }
        assert!(parse("f", b"\xff").is_err());
    }
}
