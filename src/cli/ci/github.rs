//! GitHub's ways: commands in the log, outputs and the job's summary in files.
//!
//! The runner obeys each line of a log that looks like a command, and each line of those files. So what comes from outside
//! stands in the log only between two lines with a word that nobody can guess, and in the files behind such a word.

use std::collections::hash_map::RandomState;
use std::fs::OpenOptions;
use std::hash::BuildHasher;
use std::io::{self, Write};

use anyhow::Context;

use super::{Told, variable};
use crate::cli::exit::Exit;

/// Most bytes of a step's summary: beyond them GitHub drops all of it.
const SUMMARY: usize = 1 << 20;

/// A word that nobody can guess: the standard library keys its hashes with the system's random numbers.
fn word() -> String {
    let state = RandomState::new();
    format!(
        "keysweep-{:016x}{:016x}",
        state.hash_one(0),
        state.hash_one(1)
    )
}

/// While it stands, the runner obeys no command in the log.
pub(super) struct Guard {
    word: String,
    aside: bool,
}

/// Where commands go; the runner obeys those on either stream.
fn commands(aside: bool) -> Box<dyn Write> {
    if aside {
        Box::new(io::stderr())
    } else {
        Box::new(io::stdout())
    }
}

impl Guard {
    pub(super) fn begin(aside: bool) -> io::Result<Self> {
        let word = word();
        let mut out = commands(aside);
        writeln!(out, "::stop-commands::{word}")?;
        out.flush()?;
        Ok(Self { word, aside })
    }

    pub(super) fn end(self) -> io::Result<()> {
        // What the report has left to write comes before it.
        io::stdout().flush()?;
        let mut out = commands(self.aside);
        writeln!(out, "::{}::", self.word)?;
        out.flush()
    }
}

/// Annotates, and writes outputs and summary.
pub(super) fn tell(told: &Told, exit: Exit) -> anyhow::Result<()> {
    let mut out = commands(told.aside);
    out.write_all(&told.annotations)?;
    let own = b"::error title=keysweep::";
    if let Some(trouble) = &told.trouble
        && !told.annotations.starts_with(own)
    {
        let first = trouble.lines().next().unwrap_or_default();
        writeln!(out, "::error title=keysweep::{}", data(first))?;
    }
    out.flush()?;
    if let Some(path) = variable("GITHUB_OUTPUT") {
        append(&path, outputs(told, exit).as_bytes())?;
    }
    if let Some(path) = variable("GITHUB_STEP_SUMMARY") {
        let there = std::fs::metadata(&path).map_or(0, |meta| meta.len());
        let room = SUMMARY.saturating_sub(usize::try_from(there).unwrap_or(SUMMARY));
        append(&path, cut(&summary(told, exit), room).as_bytes())?;
    }
    Ok(())
}

fn append(path: &str, bytes: &[u8]) -> anyhow::Result<()> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .with_context(|| format!("{path}: cannot be written"))
}

/// Text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn outputs(told: &Told, exit: Exit) -> String {
    use std::fmt::Write as _;

    let path = |path: &Option<std::path::PathBuf>| {
        let path = path.as_ref();
        path.map_or_else(String::new, |path| path.display().to_string())
    };
    let status = match exit {
        Exit::Trouble | Exit::Interrupted if told.findings.is_some() => "incomplete",
        Exit::Trouble | Exit::Interrupted => "failed",
        Exit::Findings(_) => "findings",
        Exit::Clean if told.nothing => "nothing",
        Exit::Clean => "clean",
    };
    let rows = [
        ("sarif", path(&told.sarif)),
        ("report", path(&told.json)),
        (
            "findings",
            told.findings.map_or_else(String::new, |n| n.to_string()),
        ),
        ("exit-code", exit.code().to_string()),
        ("status", status.to_owned()),
    ];
    let word = word();
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name}<<{word}\n{value}\n{word}");
        text
    })
}

/// The job's summary.
fn summary(told: &Told, exit: Exit) -> String {
    let heading = match (&told.trouble, told.findings) {
        (Some(_), None) => "could not scan".to_owned(),
        (Some(_), _) => "could not scan all of it".to_owned(),
        (None, Some(1)) => "1 finding".to_owned(),
        (None, Some(count)) if count > 0 => format!("{count} findings"),
        (None, _) => "nothing found".to_owned(),
    };
    let mut parts = Vec::new();
    // The report has a heading of its own.
    if told.trouble.is_some() || told.markdown.is_empty() {
        parts.push(format!("### keysweep: {heading}"));
    }
    parts.extend(told.about.iter().map(|line| inert(line)));
    let trouble = told.trouble.iter();
    parts.extend(trouble.map(|trouble| format!("<pre>{}</pre>", inert(trouble))));
    if !told.markdown.is_empty() {
        let report = String::from_utf8_lossy(&told.markdown);
        parts.push(report.trim_end().to_owned());
    }
    parts.push(format!("Exit code {}\n", exit.code()));
    parts.join("\n\n")
}

/// A text in which Markdown and HTML see letters alone.
fn inert(text: &str) -> String {
    let is_plain =
        |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || " \n.,;:-/()".contains(c);
    let shown = |c: char| {
        if is_plain(c) {
            c.to_string()
        } else {
            format!("&#{};", u32::from(c))
        }
    };
    text.chars().map(shown).collect()
}

/// The text up to a size, whole lines of it, and a word on the rest.
fn cut(text: &str, room: usize) -> String {
    const REST: &str = "\n\nThe rest does not fit into a summary; the report has it.\n";
    if text.len() <= room {
        return text.to_owned();
    }
    let mut end = room.saturating_sub(REST.len()).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let kept = text.get(..end).unwrap_or_default();
    let kept = kept.rfind('\n').and_then(|at| kept.get(..at));
    kept.map_or_else(String::new, |kept| format!("{kept}{REST}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_cut_between_lines_and_says_so() {
        let text = "ü line\n".repeat(100);
        let short = cut(&text, 200);
        assert!(short.len() <= 200);
        assert!(short.contains("ü line\n\nThe rest"), "{short}");
        assert_eq!(cut(&text, text.len()), text);
        assert_eq!(cut(&text, 10), "");
    }

    #[test]
    fn markdown_sees_letters_alone() {
        assert_eq!(inert("a<b>|`@c"), "a&#60;b&#62;&#124;&#96;&#64;c");
    }

    #[test]
    fn the_word_differs_each_time() {
        assert_ne!(word(), word());
    }
}
