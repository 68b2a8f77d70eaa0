//! What a hook says: nothing or one line where all is well, else what, where, why, and the ways on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write};

use keysweep::model::{Finding, Oid, Origin, Place};
use keysweep::report::{Report, Reporter, Text, printable};

use super::Kind;
use super::comment::accepting;
use super::run::SKIP;
use crate::cli::args::CommonArgs;
use crate::cli::exit::Exit;
use crate::cli::finish;

/// Most places for which a line to paste is given.
const PLACES: usize = 5;
/// Columns of the names of the ways on.
const LABEL: usize = 15;

/// The report of a hook.
pub(super) struct Blocked<'h> {
    pub(super) kind: Kind,
    /// Whether there is no working tree, so no file in which something could be accepted.
    pub(super) is_bare: bool,
    /// Whether a commit has no parents.
    pub(super) is_root: &'h dyn Fn(Oid) -> bool,
    pub(super) allow_skip: bool,
    pub(super) common: &'h CommonArgs,
    /// What was scanned: `3 staged files`.
    pub(super) scanned: &'h str,
    /// Whether somebody sees a line that says that all is well.
    pub(super) is_seen: bool,
}

impl Reporter for Blocked<'_> {
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let exit = finish::verdict(self.common, report.findings, report.summary);
        let passes = exit == Exit::Clean;
        if passes && report.summary.gaps.is_empty() {
            if self.is_seen {
                writeln!(io::stderr(), "keysweep: {}", self.fine(report))?;
            }
            return Ok(());
        }
        Text.write(report, out)?;
        if passes {
            return Ok(());
        }
        out.write_all(self.ways(report, exit).as_bytes())
    }
}

impl Blocked<'_> {
    fn fine(&self, report: &Report<'_>) -> String {
        let mut line = match report.findings.len() {
            0 => format!("no new secret in {}", self.scanned),
            1 => format!("1 finding below --fail-on in {}", self.scanned),
            more => format!("{more} findings below --fail-on in {}", self.scanned),
        };
        match report.summary.already_there {
            0 => {}
            1 => line.push_str(", 1 was there before"),
            more => {
                let _ = write!(line, ", {more} were there before");
            }
        }
        line
    }

    fn ways(&self, report: &Report<'_>, exit: Exit) -> String {
        let subject = self.kind.subject();
        let findings = report.findings.iter();
        let findings: Vec<&Finding> = findings.filter(|f| self.common.fail_on.counts(f)).collect();
        let skip = self.skip();
        if exit == Exit::Interrupted {
            return format!("\nThe {subject} is blocked: the scan was stopped.\n");
        }
        if findings.is_empty() {
            return format!(
                "\nThe {subject} is blocked: not everything could be scanned, see above.\n  {:<LABEL$}{skip}\n",
                "skip once"
            );
        }
        let verb = match self.kind {
            Kind::PreCommit | Kind::PreMergeCommit => "add",
            Kind::PrePush => "publish",
            Kind::PreReceive => "bring",
        };
        let count = match findings.len() {
            1 => "1 secret".to_owned(),
            more => format!("{more} secrets"),
        };
        let mut text =
            format!("\nThe {subject} is blocked: it would {verb} {count}. Three ways on:\n\n");
        way(&mut text, "remove it", &self.remove(report, &findings));
        way(&mut text, "suppress it", &self.suppress(report, &findings));
        way(&mut text, "skip once", &[skip]);
        text
    }

    fn skip(&self) -> String {
        match self.kind {
            Kind::PreCommit => "git commit --no-verify".to_owned(),
            Kind::PreMergeCommit => "git merge --no-verify".to_owned(),
            Kind::PrePush => "git push --no-verify".to_owned(),
            Kind::PreReceive if self.allow_skip => {
                format!("git push -o {SKIP} (the server keeps a record of it)")
            }
            Kind::PreReceive => "only who runs the server can let it through".to_owned(),
        }
    }

    fn remove(&self, report: &Report<'_>, findings: &[&Finding]) -> Vec<String> {
        let mut lines = Vec::new();
        match self.kind {
            Kind::PreCommit | Kind::PreMergeCommit => {
                let places = findings.iter().flat_map(|f| counting(f));
                let (named, rest): (Vec<&Place>, Vec<&Place>) =
                    places.partition(|place| place.origin == Origin::Name);
                let paths: BTreeSet<&[u8]> = rest.iter().map(|place| &*place.path).collect();
                let shown = paths.iter().take(PLACES);
                let mut shown: Vec<String> = shown.map(|path| pathspec(report, path)).collect();
                if paths.len() > PLACES {
                    shown.push("…".to_owned());
                }
                if !shown.is_empty() {
                    lines.push(format!("take it out, then: git add {}", shown.join(" ")));
                }
                if !named.is_empty() {
                    lines.push("give what has it in its name another one: git mv".to_owned());
                }
            }
            Kind::PrePush | Kind::PreReceive => {
                let ways = self.rewrite(findings);
                if !ways.is_empty() {
                    lines.push(
                        "out of the commit that brings it: one that deletes it later still"
                            .to_owned(),
                    );
                    lines.push("publishes it. git commit --amend, or further back:".to_owned());
                    lines.extend(ways);
                }
                let has = |origin| {
                    let mut places = findings.iter().flat_map(|f| counting(f));
                    places.any(|place| place.origin == origin)
                };
                if has(Origin::Tag) {
                    lines.push("out of the tag's message: git tag -f -a".to_owned());
                }
                if has(Origin::Ref) {
                    lines.push("out of the name: git branch -m, or another tag".to_owned());
                }
                if lines.is_empty() {
                    lines.push("out of what is pushed".to_owned());
                }
            }
        }
        lines.push("a key that anyone else has seen must be rotated, too".to_owned());
        lines
    }

    /// Commands that lead to the commits which bring secrets.
    fn rewrite(&self, findings: &[&Finding]) -> Vec<String> {
        let mut commands = Vec::new();
        for finding in findings {
            let first = finding.history.as_ref().and_then(|h| h.first.as_ref());
            let first = first.map(|commit| commit.id);
            let rewritten =
                counting(finding).filter(|p| !matches!(p.origin, Origin::Tag | Origin::Ref));
            for commit in rewritten.filter_map(|place| place.commit.or(first)) {
                let command = if (self.is_root)(commit) {
                    "  git rebase -i --root".to_owned()
                } else {
                    let id = commit.to_string();
                    format!("  git rebase -i {}^", id.get(..10).unwrap_or(&id))
                };
                if !commands.contains(&command) {
                    commands.push(command);
                }
                if commands.len() == PLACES {
                    return commands;
                }
            }
        }
        commands
    }

    /// The lines to paste, for each place.
    fn suppress(&self, report: &Report<'_>, findings: &[&Finding]) -> Vec<String> {
        let mut lines = vec!["only where it is meant to stand there:".to_owned()];
        let all = findings
            .iter()
            .flat_map(|finding| counting(finding).map(move |place| (*finding, place)));
        let all: Vec<_> = all.collect();
        let mut ignored: BTreeMap<String, String> = BTreeMap::new();
        for (finding, place) in all.iter().take(PLACES) {
            let path = shown_path(report, &place.path);
            let staged = matches!(self.kind, Kind::PreCommit | Kind::PreMergeCommit);
            let comment = ((staged || self.is_bare) && place.origin == Origin::Content)
                .then(|| {
                    let name = String::from_utf8_lossy(&place.path);
                    let line = report.redactor.snippet(place, &finding.credential.secret);
                    let line = format!("{} {}", line.before, line.after);
                    accepting(&name, &finding.rule, place.start.line, &line)
                })
                .flatten();
            match comment {
                Some(comment) => {
                    let inside = if staged { "" } else { ", in the same commit" };
                    let line = place.start.line;
                    lines.push(format!("above line {line} of {path}{inside}:"));
                    lines.push(format!("  {}", printable(&comment)));
                }
                None => {
                    ignored
                        .entry(finding.fingerprint.to_string())
                        .or_insert(path);
                }
            }
        }
        for (print, path) in ignored {
            let path = if path.is_empty() {
                "the message"
            } else {
                &path
            };
            // Without a working tree there is no .keysweepignore that counts.
            lines.push(match self.kind {
                Kind::PreReceive if self.is_bare => {
                    format!("for {path} only who runs the server can accept it:")
                }
                _ if self.is_bare => {
                    format!("for {path} only a baseline counts here (--baseline FILE):")
                }
                _ => format!("for {path} in .keysweepignore:"),
            });
            lines.push(format!("  {print}"));
        }
        if all.len() > PLACES {
            lines.push(format!("and so on for {} more places", all.len() - PLACES));
        }
        lines
    }
}

fn counting(finding: &Finding) -> impl Iterator<Item = &Place> {
    finding.places.iter().filter(|p| p.dropped.is_none())
}

fn shown_path(report: &Report<'_>, path: &[u8]) -> String {
    printable(&report.redactor.path(path)).into_owned()
}

/// A path as git takes it in any shell. Where it cannot be shown as it is, `?` stands for each byte that cannot; where
/// something in it is secret, all is meant that git knows and that has changed.
fn pathspec(report: &Report<'_>, path: &[u8]) -> String {
    let shown = shown_path(report, path);
    if shown.as_bytes() == path && !path.starts_with(b":") && !shown.contains(['*', '?', '[', '\\'])
    {
        return word(&shown);
    }
    let is_shown = |byte: u8| byte.is_ascii_graphic() && !br"*?[\'".contains(&byte) || byte == b' ';
    if report.redactor.path(path) == String::from_utf8_lossy(path) {
        let odd = |byte: &u8| {
            if is_shown(*byte) {
                char::from(*byte)
            } else {
                '?'
            }
        };
        let glob: String = path.iter().map(odd).collect();
        return word(&format!(":(top,glob){glob}"));
    }
    "-u".to_owned()
}

/// A path as one word of the shell.
fn word(path: &str) -> String {
    let plain =
        |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '@' | ',');
    if path.chars().all(plain) && !path.starts_with('-') {
        return path.to_owned();
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

fn way(text: &mut String, label: &str, lines: &[String]) {
    let mut label = label;
    for line in lines {
        let _ = writeln!(text, "  {label:<LABEL$}{line}");
        label = "";
    }
}
