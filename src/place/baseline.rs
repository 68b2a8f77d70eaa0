//! Baselines: findings that a team accepted all at once, one sorted line each.
//!
//! A line holds a fingerprint, the id of its salt, the rule, a path, and behind `#` what was decided and who answers for
//! it. There is no secret in it, no hash without a salt, no line number and no time. Lines `#00` to `#ff` stand before the entries
//! that begin with these digits: so two branches that add entries seldom add them between the same two lines, and git
//! merges them. Salts are random, so a file may hold several: two baselines that were begun on two branches are one after the merge.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::Note;
use crate::model::{Fingerprint, Secret};

/// The file's name where nobody says otherwise.
pub const NAME: &str = "keysweep-baseline.txt";
/// Most bytes of a file.
pub const MOST_BYTES: u64 = 64 << 20;
/// Most salts of a file.
const MOST_SALTS: usize = 64;

const HEAD: &str = "\
# keysweep baseline: accepted findings. `keysweep baseline update` adds new ones, `update --prune` drops those that are
# gone, `keysweep baseline audit` asks what to do with each. A line such as #7f stands before the entries that begin with
# 7f, so that git merges branches which add entries. Other comments are not kept.
";

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct Error {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong, and how to mend it.
    pub what: String,
}

/// What a person decided about an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// No secret at all.
    FalseAlarm,
    /// A secret, and the risk is taken.
    Accepted,
    /// A leak that is to be mended: it is reported again.
    Real,
}

impl Verdict {
    /// The word in the file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::FalseAlarm => "false-alarm",
            Self::Accepted => "accepted",
            Self::Real => "real",
        }
    }

    fn of(word: &str) -> Option<Self> {
        let all = [Self::FalseAlarm, Self::Accepted, Self::Real];
        all.into_iter().find(|verdict| verdict.word() == word)
    }
}

/// An accepted finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The rule's id.
    pub rule: String,
    /// Where it stood when it came into the baseline; for people alone.
    pub path: String,
    /// What was decided.
    pub verdict: Option<Verdict>,
    /// Owner, day and reason.
    pub note: Note,
    /// The line where it was read, 0 for a new one.
    pub line: u32,
}

/// Which entry: a fingerprint under a salt.
pub type Key = (Fingerprint, String);

/// A baseline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    /// The file, as the user knows it.
    pub file: String,
    /// Salts by their ids; `None` for the project's, which stands in its configuration.
    salts: BTreeMap<String, Option<Vec<u8>>>,
    /// The entries.
    pub entries: BTreeMap<Key, Entry>,
}

/// The id of a salt: eight hexadecimal digits.
#[must_use]
pub fn salt_id(salt: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"keysweep salt id\0");
    hash.update(salt);
    hex(hash.finalize().get(..4).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

impl Baseline {
    /// An empty one.
    #[must_use]
    pub fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            ..Self::default()
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The first line that cannot be read, or whose salt is missing.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Error> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let mut baseline = Self::new(file);
        let error = |line, what: String| Error {
            file: file.to_owned(),
            line,
            what,
        };
        for (number, line) in (1u32..).zip(bytes.split(|b| *b == b'\n')) {
            let line = std::str::from_utf8(line)
                .map_err(|_| error(number, "not UTF-8; make the baseline anew".to_owned()))?;
            baseline
                .line(number, line.trim_end())
                .map_err(|what| error(number, what))?;
        }
        for ((_, salt), entry) in &baseline.entries {
            if !baseline.salts.contains_key(salt) {
                return Err(error(
                    entry.line,
                    format!("no line `salt {salt} …` stands in this file; restore it from git"),
                ));
            }
        }
        Ok(baseline)
    }

    fn line(&mut self, number: u32, line: &str) -> Result<(), String> {
        if line.starts_with("<<<<<<<") || line.starts_with(">>>>>>>") || line.starts_with("=======")
        {
            return Err(
                "a conflict of a merge; keep the lines of both sides and delete the marks".into(),
            );
        }
        if line.trim().is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let first = words.next().unwrap_or_default();
        if first == "salt" {
            return self.salt(words.next(), words.next());
        }
        let wrong = "a line is `fingerprint salt-id rule path`, with `# owner=… expires=… reason` behind it";
        let print = Fingerprint::parse(first).ok_or(wrong)?;
        let (salt, rule) = (words.next().ok_or(wrong)?, words.next().ok_or(wrong)?);
        let path = words.next().filter(|word| *word != "#").ok_or(wrong)?;
        let note = match words.next() {
            None => String::new(),
            Some("#") => words.collect::<Vec<_>>().join(" "),
            Some(_) => return Err(wrong.to_owned()),
        };
        let (mut verdict, mut rest) = (None, Vec::new());
        for word in note.split(' ') {
            match word.strip_prefix("verdict=") {
                Some(word) => {
                    let known = Verdict::of(word);
                    verdict = Some(known.ok_or("`verdict=` is false-alarm, accepted or real")?);
                }
                None => rest.push(word),
            }
        }
        let entry = Entry {
            rule: rule.to_owned(),
            path: path.to_owned(),
            verdict,
            note: Note::parse(&rest.join(" "))?,
            line: number,
        };
        match self.entries.entry((print, salt.to_owned())) {
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(entry);
            }
            std::collections::btree_map::Entry::Occupied(mut there) => {
                let first = there.get().clone();
                there.insert(first.joined(entry));
            }
        }
        Ok(())
    }

    fn salt(&mut self, id: Option<&str>, value: Option<&str>) -> Result<(), String> {
        let wrong =
            "a salt is `salt id 32-hexadecimal-digits`, or `salt id` where keysweep.toml has it";
        let id = id.ok_or(wrong)?;
        if self.salts.len() == MOST_SALTS {
            return Err(format!("more than {MOST_SALTS} salts"));
        }
        let salt = match value {
            Some(value) => {
                let salt = Fingerprint::parse(value).ok_or(wrong)?.0.to_vec();
                if salt_id(&salt) != id {
                    return Err(format!(
                        "`{id}` is not the id of this salt; restore the line from git"
                    ));
                }
                Some(salt)
            }
            None => None,
        };
        let known = self.salts.entry(id.to_owned()).or_default();
        *known = known.take().or(salt);
        Ok(())
    }

    /// Gives the salts that stand in the configuration.
    ///
    /// # Errors
    /// When an entry's salt is neither in the file nor the project's.
    pub fn complete(&mut self, project: Option<&[u8]>) -> Result<(), Error> {
        let project = project.map(|salt| (salt_id(salt), salt.to_vec()));
        for (id, salt) in &mut self.salts {
            if salt.is_some() {
                continue;
            }
            match &project {
                Some((own, value)) if own == id => *salt = Some(value.clone()),
                _ => {
                    return Err(Error {
                        file: self.file.clone(),
                        line: 1,
                        what: format!(
                            "made under the salt {id}, which is not `fingerprint_salt` of keysweep.toml; restore that, or make the baseline anew"
                        ),
                    });
                }
            }
        }
        Ok(())
    }

    /// Adds a salt for new entries, and gives its id. The first that the file has is used again.
    pub fn salt_for_new(
        &mut self,
        project: Option<&[u8]>,
        random: impl FnOnce() -> [u8; 16],
    ) -> String {
        if let Some(salt) = project {
            let id = salt_id(salt);
            self.salts.insert(id.clone(), Some(salt.to_vec()));
            return id;
        }
        if let Some((id, _)) = self.salts.iter().find(|(_, salt)| salt.is_some()) {
            return id.clone();
        }
        let salt = random();
        let id = salt_id(&salt);
        self.salts.insert(id.clone(), Some(salt.to_vec()));
        id
    }

    /// The keys of a rule's secret, one for each salt.
    #[expect(
        clippy::disallowed_methods,
        reason = "the fingerprint is made of the secret"
    )]
    pub fn keys(&self, rule: &str, secret: &Secret) -> impl Iterator<Item = Key> {
        self.salts.iter().filter_map(|(id, salt)| {
            let salt = salt.as_ref()?;
            Some((Fingerprint::of(rule, secret.expose(), salt), id.clone()))
        })
    }

    /// The entry of a rule's secret.
    #[must_use]
    pub fn find(&self, rule: &str, secret: &Secret) -> Option<(Key, &Entry)> {
        self.keys(rule, secret)
            .find_map(|key| self.entries.get(&key).map(|entry| (key, entry)))
    }

    /// The file's text. Salts that stand in the configuration are named by their ids alone.
    #[must_use]
    pub fn render(&self, project: Option<&[u8]>) -> String {
        let own = project.map(salt_id);
        let used: BTreeSet<&String> = self.entries.keys().map(|(_, salt)| salt).collect();
        let mut text = HEAD.to_owned();
        for (id, salt) in &self.salts {
            if !used.contains(id) && self.salts.len() > 1 {
                continue;
            }
            let value = salt.as_ref().filter(|_| own.as_ref() != Some(id));
            let _ = match value {
                Some(salt) => writeln!(text, "salt {id} {}", hex(salt)),
                None => writeln!(text, "salt {id}"),
            };
        }
        let mut entries = self.entries.iter().peekable();
        for bucket in 0..=u8::MAX {
            let _ = writeln!(text, "#{bucket:02x}");
            while let Some(((print, salt), entry)) =
                entries.next_if(|((print, _), _)| print.0[0] == bucket)
            {
                let _ = writeln!(
                    text,
                    "{print} {salt} {} {}{}",
                    entry.rule,
                    entry.path,
                    note(entry)
                );
            }
        }
        text
    }
}

/// ` # verdict=accepted owner=ann expires=2027-01-31 why`, or nothing.
fn note(entry: &Entry) -> String {
    let mut words = Vec::new();
    words.extend(
        entry
            .verdict
            .map(|verdict| format!("verdict={}", verdict.word())),
    );
    words.extend(
        entry
            .note
            .owner
            .as_ref()
            .map(|owner| format!("owner={owner}")),
    );
    words.extend(entry.note.expires.map(|day| format!("expires={day}")));
    words.extend(entry.note.reason.clone());
    if words.is_empty() {
        String::new()
    } else {
        format!(" # {}", words.join(" "))
    }
}

impl Entry {
    /// One entry of two that a merge left. What a person decided stands, a real leak above all; of two days the earlier one
    /// counts, and one day more than none. An owner and a reason that only one of them names are kept.
    #[must_use]
    fn joined(self, other: Self) -> Self {
        let day = |entry: &Self| entry.note.expires;
        let expires = day(&self).into_iter().chain(day(&other)).min();
        let is_sooner = day(&other).is_some() && day(&other) == expires && day(&self) != expires;
        let other_leads = match other.verdict.cmp(&self.verdict) {
            Ordering::Equal => is_sooner,
            order => order == Ordering::Greater,
        };
        let (mut lead, behind) = if other_leads {
            (other, self)
        } else {
            (self, other)
        };
        lead.note.expires = expires;
        lead.note.owner = lead.note.owner.or(behind.note.owner);
        lead.note.reason = lead.note.reason.or(behind.note.reason);
        lead
    }

    /// Whether it suppresses: not a real leak, and not over.
    #[must_use]
    pub fn counts(&self, today: Option<Date>) -> bool {
        self.verdict != Some(Verdict::Real) && !self.note.is_over(today)
    }
}

/// A path as a word of a line: blanks, `%`, `#` and what does not print are percent-encoded.
#[must_use]
pub fn path_word(path: &str) -> String {
    let mut word = String::with_capacity(path.len());
    for c in path.chars() {
        if c.is_whitespace()
            || c.is_control()
            || matches!(c, '%' | '#' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            for byte in c.to_string().bytes() {
                let _ = write!(word, "%{byte:02X}");
            }
        } else {
            word.push(c);
        }
    }
    if word.is_empty() {
        "-".to_owned()
    } else {
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str) -> Entry {
        Entry {
            rule: "npm-token".into(),
            path: path_word(path),
            verdict: None,
            note: Note::default(),
            line: 0,
        }
    }

    fn filled(prints: &[u8]) -> Baseline {
        let mut baseline = Baseline::new("b");
        let salt = baseline.salt_for_new(None, || [7; 16]);
        for first in prints {
            let key = (Fingerprint([*first; 16]), salt.clone());
            baseline.entries.insert(key, entry("a b#c"));
        }
        baseline
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut baseline = filled(&[3, 200]);
        let last = baseline
            .entries
            .values_mut()
            .next_back()
            .expect("it is right");
        last.verdict = Some(Verdict::Accepted);
        last.note = Note::parse("owner=ann expires=2027-01-31 old sandbox").expect("it is right");
        let text = baseline.render(None);
        let read = Baseline::parse("b", text.as_bytes()).expect("it is right");
        assert_eq!(read.render(None), text);
        assert!(text.contains("\n#03\n03030303"), "{text}");
        assert!(text.contains(
            " npm-token a%20b%23c # verdict=accepted owner=ann expires=2027-01-31 old sandbox\n"
        ));
    }

    #[test]
    fn two_files_in_one_are_one_baseline() {
        let one = filled(&[1]).render(None);
        let mut other = Baseline::new("b");
        let salt = other.salt_for_new(None, || [9; 16]);
        other
            .entries
            .insert((Fingerprint([2; 16]), salt), entry("x"));
        let both = format!("{one}{}", other.render(None));
        let read = Baseline::parse("b", both.as_bytes()).expect("it is right");
        assert_eq!((read.entries.len(), read.salts.len()), (2, 2));
        let twice = format!("{one}{one}");
        assert_eq!(
            Baseline::parse("b", twice.as_bytes())
                .expect("it is right")
                .render(None),
            one
        );
    }

    #[test]
    fn of_an_entry_that_a_merge_left_twice_the_stricter_one_counts() {
        let good = filled(&[1]).render(None);
        let line = good
            .lines()
            .find(|l| l.starts_with("0101"))
            .expect("it is there");
        let read = |notes: [&str; 2]| {
            let text = notes.map(|note| format!("{line}{note}\n")).concat();
            let text = good.replace(&format!("{line}\n"), &text);
            let read = Baseline::parse("b", text.as_bytes()).expect("it is right");
            assert_eq!(read.entries.len(), 1);
            let written = read.render(None);
            let kept = written.lines().find(|l| l.starts_with("0101"));
            kept.expect("it is there").replacen(line, "", 1)
        };
        for (notes, kept) in [
            (
                ["", " # owner=me expires=2027-01-31 why not"],
                " # owner=me expires=2027-01-31 why not",
            ),
            (["", " # owner=me"], " # owner=me"),
            (
                [
                    " # expires=2027-03-01 late",
                    " # owner=me expires=2027-01-31 soon",
                ],
                " # owner=me expires=2027-01-31 soon",
            ),
            (
                [" # verdict=accepted owner=ann", " # expires=2027-01-31 old"],
                " # verdict=accepted owner=ann expires=2027-01-31 old",
            ),
            (
                [" # verdict=real", " # verdict=accepted owner=ann"],
                " # verdict=real owner=ann",
            ),
        ] {
            assert_eq!(read(notes), kept);
            assert_eq!(read([notes[1], notes[0]]), kept, "the other way round");
        }
    }

    #[test]
    fn the_projects_salt_is_named_and_not_written() {
        let mut baseline = Baseline::new("b");
        let id = baseline.salt_for_new(Some(b"project"), || [1; 16]);
        baseline
            .entries
            .insert((Fingerprint([2; 16]), id.clone()), entry("x"));
        let text = baseline.render(Some(b"project"));
        assert!(text.contains(&format!("\nsalt {id}\n")));
        let mut read = Baseline::parse("b", text.as_bytes()).expect("it is right");
        assert!(read.clone().complete(Some(b"another")).is_err());
        assert!(read.clone().complete(None).is_err());
        read.complete(Some(b"project")).expect("it is right");
        assert_eq!(read.render(Some(b"project")), text);
    }

    #[test]
    fn bad_lines_name_their_number_and_mend() {
        let good = filled(&[1]).render(None);
        for (line, part) in [
            ("nonsense", "a line is"),
            ("<<<<<<< HEAD", "conflict"),
            (
                "salt 00000000 00000000000000000000000000000000",
                "not the id",
            ),
            (
                "01010101010101010101010101010101 deadbeef rule path",
                "no line `salt deadbeef",
            ),
            ("02020202020202020202020202020202 x", "a line is"),
        ] {
            let lines = good.lines().count();
            let error = Baseline::parse("b", format!("{good}{line}\n").as_bytes())
                .expect_err("it is wrong");
            let text = error.to_string();
            assert!(
                text.starts_with(&format!("b:{}: ", lines + 1)) && text.contains(part),
                "{text}"
            );
        }
        let salt = salt_id(&[7; 16]);
        for note in ["expires=never", "verdict=maybe"] {
            let line = format!("02020202020202020202020202020202 {salt} rule path # {note}");
            assert!(Baseline::parse("b", format!("{good}{line}\n").as_bytes()).is_err());
        }
    }
}
