//! Comments that accept a finding where it stands.
//!
//! `keysweep:allow[=rule-id,…] [rule-id,…] [owner=…] [expires=2027-01-31] [reason…]`
//!
//! A word with a `-` in it, where an id could stand, is one: where no rule has it, the mark says so instead of accepting
//! more than was meant.

use std::ops::Range;

use jiff::civil::Date;

use super::Note;

/// Other tools' marks: they count on the same line, whatever the rule.
const FOREIGN: [&str; 6] = [
    "gitleaks:allow",
    "pragma: allowlist secret",
    "pragma: whitelist secret",
    "betterleaks:allow",
    "trufflehog:ignore",
    "kingfisher:ignore",
];

/// Our own mark: on the line or alone on the line above, with rule ids behind it or for all rules.
pub const OWN: &str = "keysweep:allow";

/// How far from a match a mark may stand in its line, in bytes.
const REACH: usize = 4096;
/// Most marks of one file that are listed.
const MOST_LISTED: usize = 10_000;

/// What a mark says of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowance {
    /// It is accepted; the mark with its owner, day and reason.
    Accepted(String),
    /// It would be, but for the day that is over or cannot be read, or for an id that no rule has.
    Lapsed(String),
}

/// Says whether a rule has an id, else which one may be meant.
pub type Knows<'k> = &'k dyn Fn(&str) -> Result<(), Option<String>>;

/// One of our own marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The rules that it names; empty for all.
    pub rules: Vec<String>,
    /// Owner, day and reason, or what is wrong with them.
    pub note: Result<Note, String>,
}

impl Mark {
    /// Why it does not count any more, if it does not.
    #[must_use]
    pub fn lapse(&self, today: Option<Date>) -> Option<String> {
        match &self.note {
            Ok(note) => note
                .expires
                .filter(|_| note.is_over(today))
                .map(|day| format!("expired on {day}")),
            Err(wrong) => Some(format!("does not count: {wrong}")),
        }
    }

    /// What is wrong with the ids that it names, if no rule has one of them.
    #[must_use]
    pub fn unknown(&self, knows: Knows<'_>) -> Option<String> {
        self.rules.iter().find_map(|id| {
            let near = knows(id).err()?;
            // What stands there may be anything: only what looks like an id is shown.
            let is_plain = id.len() <= 40 && id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            Some(match near {
                Some(near) => format!("names no rule, `{id}`; did you mean `{near}`?"),
                None if is_plain => format!(
                    "names no rule, `{id}`; `keysweep rules list` shows all, and a reason that begins so is written reason={id}"
                ),
                None => "names no rule; `keysweep rules list` shows all".to_owned(),
            })
        })
    }

    /// Whether it means a rule.
    #[must_use]
    pub fn covers(&self, rule: &str) -> bool {
        self.rules.is_empty() || self.rules.iter().any(|id| id == rule)
    }
}

/// The mark that accepts a match of `rule` at `span`, if one does. One that still counts comes before one that is over.
#[must_use]
pub fn allows(
    bytes: &[u8],
    span: &Range<usize>,
    rule: &str,
    today: Option<Date>,
    knows: Knows<'_>,
) -> Option<Allowance> {
    // A line is looked at no further than this from the match: long lines hold many of them.
    let start_of = |at: usize| {
        let floor = at.saturating_sub(REACH);
        let before = bytes.get(floor..at).unwrap_or_default();
        memchr::memrchr(b'\n', before).map_or(floor, |i| floor + i + 1)
    };
    let end_of = |at: usize| {
        let ceiling = (at + REACH).min(bytes.len());
        let behind = bytes.get(at..ceiling).unwrap_or_default();
        memchr::memchr(b'\n', behind).map_or(ceiling, |i| at + i)
    };
    let start = start_of(span.start);
    // A block's mark may stand on its first or on its last line.
    let first = start..end_of(span.start);
    let last = start_of(span.end)..end_of(span.end);
    let starts_a_line = start == 0 || bytes.get(start - 1) == Some(&b'\n');
    let mut lapsed = None;
    let misnamed = |mark: &Mark| {
        let wrong = mark.unknown(knows)?;
        Some(Allowance::Lapsed(format!("the comment `{OWN}` {wrong}")))
    };
    for line in [first, last] {
        let text = bytes.get(line.clone())?;
        for (at, mark) in own_marks(text) {
            if !mark.covers(rule) {
                lapsed = lapsed.or_else(|| misnamed(&mark));
                continue;
            }
            // A reason that is cut, or that holds the match itself, could show a part of a secret.
            let ends = line.end == bytes.len() || bytes.get(line.end) == Some(&b'\n');
            let whole = ends && line.start + at >= span.end;
            match verdict(&mark, today, whole) {
                accepted @ Allowance::Accepted(_) => return Some(accepted),
                over @ Allowance::Lapsed(_) => lapsed = Some(over),
            }
        }
        if let Some(mark) = FOREIGN
            .iter()
            .find(|m| memchr::memmem::find(text, m.as_bytes()).is_some())
        {
            return Some(Allowance::Accepted(format!("`{mark}`")));
        }
    }
    // Above, the mark must be all that the line says, so that it cannot be meant for that line.
    if let Some(end) = start.checked_sub(1).filter(|_| starts_a_line) {
        let from = start_of(end);
        let above = bytes.get(from..end).unwrap_or_default();
        let is_whole = from == 0 || bytes.get(from - 1) == Some(&b'\n');
        if let Some((at, mark)) = own_marks(above).next()
            && above[..at].iter().all(|b| !b.is_ascii_alphanumeric())
        {
            if mark.covers(rule) {
                match verdict(&mark, today, is_whole) {
                    accepted @ Allowance::Accepted(_) => return Some(accepted),
                    over @ Allowance::Lapsed(_) => lapsed = Some(over),
                }
            } else {
                lapsed = lapsed.or_else(|| misnamed(&mark));
            }
        }
    }
    lapsed
}

fn verdict(mark: &Mark, today: Option<Date>, with_note: bool) -> Allowance {
    match (mark.lapse(today), &mark.note) {
        (Some(lapse), _) => Allowance::Lapsed(format!("the comment `{OWN}` {lapse}")),
        (None, Ok(note)) if with_note => Allowance::Accepted(format!("`{OWN}`{note}")),
        (None, _) => Allowance::Accepted(format!("`{OWN}`")),
    }
}

/// All of our own marks in a text, each with its line.
#[must_use]
pub fn list(bytes: &[u8]) -> Vec<(u32, Mark)> {
    let mut all = Vec::new();
    let (mut line, mut at) = (1u32, 0);
    for found in memchr::memmem::find_iter(bytes, OWN.as_bytes()) {
        if all.len() == MOST_LISTED {
            break;
        }
        let passed = bytes.get(at..found).unwrap_or_default();
        line += u32::try_from(memchr::memchr_iter(b'\n', passed).count()).unwrap_or(0);
        at = found;
        // What stands before the mark matters by its last byte alone.
        let start = found.saturating_sub(1);
        let end = (found + REACH).min(bytes.len());
        let end = memchr::memchr(b'\n', &bytes[found..end]).map_or(end, |i| found + i);
        let text = bytes.get(start..end).unwrap_or_default();
        all.extend(
            own_marks(text)
                .find(|(at, _)| start + at == found)
                .map(|(_, mark)| (line, mark)),
        );
    }
    all
}

/// Our own marks in a line, each with its offset.
fn own_marks(line: &[u8]) -> impl Iterator<Item = (usize, Mark)> + '_ {
    // A word of its own: not `keysweep:allowed`, and not a part of an address.
    let stands_alone = |at: &usize| {
        let before = at.checked_sub(1).and_then(|i| line.get(i));
        let behind = line.get(at + OWN.len());
        let named = line.get(at + OWN.len() + 1);
        let names_a_rule = behind == Some(&b'=') && named.is_some_and(u8::is_ascii_lowercase);
        before.is_none_or(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'?' | b'&' | b'=' | b'_'))
            && (names_a_rule
                || behind
                    .is_none_or(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'&' | b'=' | b'_')))
    };
    memchr::memmem::find_iter(line, OWN.as_bytes())
        .filter(stands_alone)
        .map(|at| (at, parse(&line[at + OWN.len()..])))
}

/// What stands behind a mark: ids of rules, then owner, day and reason.
fn parse(rest: &[u8]) -> Mark {
    let rest = String::from_utf8_lossy(rest);
    let mut rest = rest.as_ref();
    let is_id = |word: &str| {
        word.contains('-')
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && word.bytes().any(|b| b.is_ascii_alphabetic())
            && !word.starts_with('-')
            && !word.ends_with('-')
    };
    let mut rules = Vec::new();
    if let Some(named) = rest.strip_prefix('=') {
        let in_list = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ',');
        let end = named.find(|c| !in_list(c)).unwrap_or(named.len());
        let ids = named[..end].split(',').filter(|id| !id.is_empty());
        rules.extend(ids.map(str::to_owned));
        rest = &named[end..];
    }
    // Ids come first, parted by spaces or commas.
    loop {
        let trimmed = rest.trim_start_matches([' ', '\t', ',', '(', '[', ':']);
        let end = trimmed
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .unwrap_or(trimmed.len());
        let (word, behind) = trimmed.split_at(end);
        if !is_id(word) || behind.starts_with(['=', '/', '.', '_', '@']) {
            rest = trimmed;
            break;
        }
        rules.push(word.to_owned());
        rest = behind;
        if rest.starts_with([':', ')', ']']) {
            rest = &rest[1..];
            break;
        }
    }
    // What ends a comment is no part of the reason.
    let end = ["-->", "*/", "*)", "#}", "%>"]
        .iter()
        .filter_map(|mark| rest.find(mark))
        .min();
    let text = rest[..end.unwrap_or(rest.len())].trim();
    let text = text.trim_start_matches([':', '-', ' ']);
    Mark {
        rules,
        note: Note::parse(text.trim_matches(['"', '\''])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(text: &str) -> Mark {
        own_marks(text.as_bytes()).next().expect("a mark").1
    }

    #[test]
    fn rules_owner_day_and_reason_are_read() {
        let found = mark(
            "x # keysweep:allow=npm-token,pypi-token owner=ann expires=2027-01-31 a test value",
        );
        assert_eq!(found.rules, ["npm-token", "pypi-token"]);
        let note = found.note.expect("it is right");
        assert_eq!(note.owner.as_deref(), Some("ann"));
        assert_eq!(note.reason.as_deref(), Some("a test value"));
        let older = mark("<!-- keysweep:allow other-rule, npm-token: well known -->");
        assert_eq!(older.rules, ["other-rule", "npm-token"]);
        assert_eq!(
            older.note.expect("it is right").reason.as_deref(),
            Some("well known")
        );
        assert_eq!(
            mark("/* keysweep:allow */"),
            Mark {
                rules: vec![],
                note: Ok(Note::default())
            }
        );
    }

    #[test]
    fn what_is_no_mark_is_none() {
        for text in [
            "keysweep:allowed",
            "?keysweep:allow=1",
            "x_keysweep:allow",
            "keysweep:allow=1",
        ] {
            assert!(own_marks(text.as_bytes()).next().is_none(), "{text}");
        }
    }

    #[test]
    fn a_mark_that_is_over_or_wrong_does_not_accept() {
        let today = Some("2027-02-01".parse().expect("it is right"));
        let ask = |text: &str| allows(text.as_bytes(), &(0..6), "npm-token", today, &|_| Ok(()));
        assert!(matches!(
            ask("secret # keysweep:allow expires=2027-01-31\n"),
            Some(Allowance::Lapsed(text)) if text.ends_with("expired on 2027-01-31")
        ));
        assert!(matches!(
            ask("secret # keysweep:allow expires=soon"),
            Some(Allowance::Lapsed(_))
        ));
        assert!(matches!(
            ask("secret # keysweep:allow owner=ann expires=2027-02-01 why not\n"),
            Some(Allowance::Accepted(text)) if text.contains("owner ann") && text.contains("why not")
        ));
        assert_eq!(ask("secret # keysweep:allow=pypi-token"), None);
    }

    #[test]
    fn marks_are_listed_with_their_lines() {
        let text = b"a\n# keysweep:allow\nb keysweep:allow=npm-token\nkeysweep:allowed\n";
        let lines: Vec<u32> = list(text).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [2, 3]);
    }
}
