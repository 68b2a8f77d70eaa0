//! What users write for a commit, a range of them, or a time.

use std::ops::RangeInclusive;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{Span, Timestamp};

use super::Error;
use super::changes::{CommitHead, MOST};
use super::refs::{Refs, pseudo_ref};
use super::repo::{Repo, oid};
use crate::model::Oid;
use crate::pack::{Db, Index, Kind};

/// Resolves revisions of one repository.
#[derive(Debug, Clone, Copy)]
pub struct Revisions<'r> {
    /// The repository.
    pub repo: &'r Repo,
    /// Its objects.
    pub db: &'r Db,
    /// Its refs.
    pub refs: &'r Refs,
}

/// The two ends of a range as written; an end that was left out is HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangeText<'t> {
    /// What is there already; `None` where a single revision was written.
    pub base: Option<&'t str>,
    /// What is looked at.
    pub tip: &'t str,
    /// Three dots: from where the two parted.
    pub symmetric: bool,
}

/// Most tags that lead to each other.
const TAGS: usize = 64;
/// Shortest beginning of an id, as in git.
const SHORTEST: usize = 4;
/// Most objects that an error names.
const NAMED: usize = 8;

/// Takes `A..B`, `A...B`, `A..`, `..B` or `B` apart.
///
/// # Errors
/// [`Error::Syntax`] where there is nothing, or a third end.
pub fn parse_range(text: &str) -> Result<RangeText<'_>, Error> {
    let wrong = |what| {
        Err(Error::Syntax {
            text: text.to_owned(),
            what: String::from(what),
        })
    };
    if text.is_empty() {
        return wrong("an empty revision");
    }
    let Some((base, rest)) = text.split_once("..") else {
        return Ok(RangeText {
            base: None,
            tip: text,
            symmetric: false,
        });
    };
    let (tip, symmetric) = rest
        .strip_prefix('.')
        .map_or((rest, false), |tip| (tip, true));
    if tip.contains("..") || tip.starts_with('.') {
        return wrong("a range has two ends: A..B");
    }
    if base.is_empty() && tip.is_empty() {
        return wrong("a range needs an end: A..B");
    }
    Ok(RangeText {
        base: Some(or_head(base)),
        tip: or_head(tip),
        symmetric,
    })
}

/// The time that a date means, in seconds since 1970: `2026-01-31` (its beginning, UTC), RFC 3339,
/// `3 days|weeks|months|years ago`, counted back from `now`. `None` where it has none of these forms, so that it may be a
/// revision.
///
/// # Errors
/// [`Error::Syntax`] for a date that has the form and is none (`2026-02-30`), or is out of range.
pub fn since(text: &str, now: i64) -> Result<Option<i64>, Error> {
    let wrong = |error: jiff::Error| Error::Syntax {
        text: text.to_owned(),
        what: error.to_string(),
    };
    let text = text.trim();
    let words: Vec<&str> = text.split_whitespace().collect();
    if let [count, unit, "ago"] = words[..]
        && let Ok(count) = i64::from_str(count)
        && count >= 0
    {
        let span = Span::new();
        let span = match unit.strip_suffix('s').unwrap_or(unit) {
            "second" => span.try_seconds(count),
            "minute" => span.try_minutes(count),
            "hour" => span.try_hours(count),
            "day" => span.try_days(count),
            "week" => span.try_weeks(count),
            "month" => span.try_months(count),
            "year" => span.try_years(count),
            _ => return Ok(None),
        };
        let then = span.and_then(|span| {
            let now = Offset::UTC.to_datetime(Timestamp::from_second(now)?);
            Offset::UTC.to_timestamp(now.checked_sub(span)?)
        });
        return then.map(|then| Some(then.as_second())).map_err(wrong);
    }
    let shape: Vec<bool> = text.bytes().take(10).map(|b| b.is_ascii_digit()).collect();
    let is_date = shape == [true, true, true, true, false, true, true, false, true, true]
        && text.as_bytes().get(4) == Some(&b'-');
    if !is_date {
        return Ok(None);
    }
    let then = if text.len() == 10 {
        Date::from_str(text).and_then(|date| Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)))
    } else {
        Timestamp::from_str(text)
    };
    then.map(|then| Some(then.as_second())).map_err(wrong)
}

/// What a ref's object leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peeled {
    /// The tag objects on the way.
    pub tags: Vec<Oid>,
    /// The first object that is no tag.
    pub target: Oid,
    /// Its kind.
    pub kind: Kind,
}

/// Follows tags to what they name.
///
/// # Errors
/// [`Error::Object`] where one is missing or damaged, or where they lead on and on.
pub fn peel(db: &Db, id: Oid) -> Result<Peeled, Error> {
    let mut tags = Vec::new();
    let mut at = id;
    for _ in 0..TAGS {
        let fault = |what: String| Error::Object { id: at, what };
        let header = db.header(&at).map_err(|e| fault(e.to_string()))?;
        let (kind, _) = header.ok_or_else(|| fault("is missing".into()))?;
        if kind != Kind::Tag {
            let target = at;
            return Ok(Peeled { tags, target, kind });
        }
        let tag = db.find(&at, MOST).map_err(|e| fault(e.to_string()))?;
        let target = tag.as_ref().and_then(|tag| {
            let line = tag.bytes.strip_prefix(b"object ")?;
            oid(line.get(..40)?)
        });
        let target = target.ok_or_else(|| fault("the tag is damaged".into()))?;
        tags.push(at);
        at = target;
    }
    Err(Error::Object {
        id,
        what: "tags lead on and on".into(),
    })
}

fn or_head(end: &str) -> &str {
    if end.is_empty() { "HEAD" } else { end }
}

impl Revisions<'_> {
    /// The commit that a revision names: an id or the beginning of one, `HEAD`, `@`, a branch, a tag, a remote's branch, a
    /// full ref, each with `~n`, `^n`, `^{commit}` behind it.
    ///
    /// # Errors
    /// [`Error::NoRevision`], [`Error::Ambiguous`], [`Error::Syntax`]; [`Error::Object`] where it is no commit or a
    /// parent is missing.
    pub fn commit(&self, text: &str) -> Result<Oid, Error> {
        let id = self.object(text)?;
        self.peeled(id, Some(Kind::Commit))
    }

    /// The object that a revision names, of any kind.
    ///
    /// # Errors
    /// As for [`commit`](Self::commit).
    pub fn object(&self, text: &str) -> Result<Oid, Error> {
        let wrong = |what: &str| Error::Syntax {
            text: text.to_owned(),
            what: what.to_owned(),
        };
        if text.contains("@{") {
            return Err(wrong(
                "`@{…}` is not supported, since it depends on configuration and logs; write the branch's name",
            ));
        }
        if text.contains(':') {
            return Err(wrong("`:` is not supported; write a commit"));
        }
        let end = text.find(['~', '^']).unwrap_or(text.len());
        let (name, mut rest) = text.split_at(end);
        let mut id = self.named(name)?;
        while let Some(sign) = rest.chars().next() {
            rest = &rest[sign.len_utf8()..];
            if sign == '^'
                && let Some(inner) = rest.strip_prefix('{')
            {
                let (kind, after) = inner
                    .split_once('}')
                    .ok_or_else(|| wrong("`^{` is not closed"))?;
                rest = after;
                id = match kind {
                    "" => self.peeled(id, None)?,
                    "commit" => self.peeled(id, Some(Kind::Commit))?,
                    "tree" => CommitHead::of(self.db, self.peeled(id, Some(Kind::Commit))?)?.tree,
                    "object" => id,
                    _ => return Err(wrong("only `^{commit}`, `^{tree}` and `^{}` are supported")),
                };
                continue;
            }
            // Who typed it knows the name, and not the id on the way.
            let named = |error| match error {
                Error::Object { id, what } => wrong(&format!("commit {id}: {what}")),
                other => other,
            };
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, after) = rest.split_at(digits);
            rest = after;
            let number: usize = match number {
                "" => 1,
                digits => digits.parse().map_err(|_| wrong("the number is too big"))?,
            };
            id = self.peeled(id, Some(Kind::Commit))?;
            match sign {
                '~' => {
                    for _ in 0..number {
                        id = self.parent(id, 1).map_err(named)?;
                    }
                }
                '^' if number == 0 => {}
                '^' => id = self.parent(id, number).map_err(named)?,
                _ => return Err(wrong("only `~n` and `^n` may follow a name")),
            }
        }
        Ok(id)
    }

    fn parent(&self, id: Oid, number: usize) -> Result<Oid, Error> {
        let fault = |what: &str| Error::Object {
            id,
            what: what.to_owned(),
        };
        if self.repo.shallow.binary_search(&id).is_ok() {
            return Err(fault("its parents are left out of this shallow clone"));
        }
        let parents = CommitHead::of(self.db, id)?.parents;
        let parent = number.checked_sub(1).and_then(|at| parents.get(at));
        parent
            .copied()
            .ok_or_else(|| fault(&format!("the commit has no parent {number}")))
    }

    /// What a chain of tags leads to, which must be of the kind, if any.
    fn peeled(&self, id: Oid, kind: Option<Kind>) -> Result<Oid, Error> {
        let peeled = peel(self.db, id)?;
        match kind {
            Some(kind) if kind != peeled.kind => Err(Error::Object {
                id: peeled.target,
                what: format!("is a {}, not a {kind}", peeled.kind),
            }),
            _ => Ok(peeled.target),
        }
    }

    fn named(&self, name: &str) -> Result<Oid, Error> {
        if let Ok(id) = Oid::from_str(name)
            && self.db.contains(&id)
        {
            return Ok(id);
        }
        if matches!(name, "HEAD" | "@") {
            return self.refs.head.ok_or_else(|| Error::Syntax {
                text: name.to_owned(),
                what: "HEAD has no commit yet".into(),
            });
        }
        if let Some(id) = self.ref_named(name)? {
            return Ok(id);
        }
        // As `git describe` writes it: v1.0-3-g1234567.
        let described = name.rsplit_once("-g").map(|(_, id)| id);
        for short in [Some(name), described].into_iter().flatten() {
            if let Some(id) = self.shortened(short)? {
                return Ok(id);
            }
        }
        Err(Error::NoRevision {
            text: name.to_owned(),
            near: self.near(name),
        })
    }

    fn ref_named(&self, name: &str) -> Result<Option<Oid>, Error> {
        let places = [
            ("", ""),
            ("refs/", ""),
            ("refs/tags/", ""),
            ("refs/heads/", ""),
            ("refs/remotes/", ""),
            ("refs/remotes/", "/HEAD"),
        ];
        for (before, after) in places {
            let full = format!("{before}{name}{after}");
            for list in [&self.refs.tips, &self.refs.work_trees] {
                if let Ok(at) = list.binary_search_by(|tip| tip.name.as_str().cmp(&full)) {
                    return Ok(list.get(at).map(|tip| tip.target));
                }
            }
        }
        let is_plain = |c: char| c.is_ascii_uppercase() || c == '_';
        if name.ends_with("_HEAD") && name.chars().all(is_plain) {
            return Ok(pseudo_ref(self.repo, name)?.first().copied());
        }
        Ok(None)
    }

    /// The object whose id begins so; where there are several, the only commit or tag among them.
    fn shortened(&self, text: &str) -> Result<Option<Oid>, Error> {
        let Some(range) = ids_from(text) else {
            return Ok(None);
        };
        let mut ids = Vec::new();
        for pack in self.db.packs() {
            ids.extend(in_pack(pack.index(), &range));
        }
        let folder = text.get(..2).unwrap_or_default().to_ascii_lowercase();
        for objects in &self.repo.object_dirs {
            let folder_path = objects.join(&folder);
            // Not through a link: it may lead out of the repository.
            if !std::fs::symlink_metadata(&folder_path).is_ok_and(|meta| meta.is_dir()) {
                continue;
            }
            let list = std::fs::read_dir(&folder_path).into_iter().flatten();
            for file in list.filter_map(Result::ok) {
                let rest = file.file_name();
                let id = rest
                    .to_str()
                    .and_then(|rest| Oid::from_str(&format!("{folder}{rest}")).ok());
                ids.extend(id.filter(|id| range.contains(id)));
            }
        }
        ids.sort_unstable();
        ids.dedup();
        if ids.len() > 1 {
            let is_commit = |id: &Oid| {
                let header = self.db.header(id).ok().flatten();
                header.is_some_and(|(kind, _)| matches!(kind, Kind::Commit | Kind::Tag))
            };
            let commits: Vec<Oid> = ids.iter().copied().filter(is_commit).take(2).collect();
            if let [only] = commits[..] {
                return Ok(Some(only));
            }
            ids.truncate(NAMED);
            return Err(Error::Ambiguous {
                text: text.to_owned(),
                ids,
            });
        }
        Ok(ids.first().copied())
    }

    /// Names of refs that a person may have meant, at most three.
    fn near(&self, name: &str) -> Vec<String> {
        let most = (name.chars().count() / 2).clamp(1, 3);
        let mut rows: Vec<(usize, &str)> = self
            .refs
            .tips
            .iter()
            .filter_map(|tip| {
                let short = ["refs/heads/", "refs/tags/", "refs/remotes/"]
                    .iter()
                    .find_map(|start| tip.name.strip_prefix(start))?;
                let last = short.rsplit_once('/').map_or(short, |(_, last)| last);
                let distance = distance(name, short, most).min(distance(name, last, most));
                (distance <= most).then_some((distance, short))
            })
            .collect();
        rows.sort_unstable();
        rows.dedup();
        rows.into_iter()
            .take(3)
            .map(|row| row.1.to_owned())
            .collect()
    }
}

/// The ids that begin with these digits; `None` where they are too few or no digits.
fn ids_from(digits: &str) -> Option<RangeInclusive<Oid>> {
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !(SHORTEST..=40).contains(&digits.len()) || !is_hex {
        return None;
    }
    let low = Oid::from_str(&format!("{digits:0<40}")).ok()?;
    let high = Oid::from_str(&format!("{digits:f<40}")).ok()?;
    Some(low..=high)
}

fn in_pack<'i>(index: &'i Index, range: &'i RangeInclusive<Oid>) -> impl Iterator<Item = Oid> + 'i {
    let (mut low, mut high) = (0, index.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        if index.id(middle) < *range.start() {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    (low..index.len())
        .map(|at| index.id(at))
        .take_while(|id| range.contains(id))
}

/// How many letters to insert, remove, replace to get from one text to another; more than `most` where their lengths
/// alone differ by more.
fn distance(a: &str, b: &str, most: usize) -> usize {
    let a: Vec<char> = a.chars().take(256).collect();
    let b: Vec<char> = b.chars().take(256).collect();
    if a.len().abs_diff(b.len()) > most {
        return most + 1;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let replaced = corner + usize::from(x != y);
            corner = *cell;
            left = replaced.min(corner + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    /// 2026-03-31 12:00 UTC.
    const NOW: i64 = 1_774_958_400;

    #[test]
    fn dates_are_read_in_every_form() {
        let at = |text: &str| since(text, NOW).unwrap().unwrap();
        assert_eq!(at("2026-03-31"), NOW - 12 * 3600);
        assert_eq!(at("2026-03-31T12:00:00Z"), NOW);
        assert_eq!(at("2026-03-31T14:00:00+02:00"), NOW);
        assert_eq!(at("2 days ago"), NOW - 2 * 86_400);
        assert_eq!(at("1 week ago"), NOW - 7 * 86_400);
        assert_eq!(at("1 month ago"), NOW - 31 * 86_400); // the last of February
        assert_eq!(at("1 year ago"), NOW - 365 * 86_400);
        for text in [
            "main",
            "1234567",
            "2 moons ago",
            "20260331",
            "-1 days ago",
            "",
        ] {
            assert_eq!(since(text, NOW).unwrap(), None, "{text}");
        }
        for text in [
            "2026-02-30",
            "2026-13-01",
            "2026-01-01T",
            "9223372036854775807 years ago",
            "99999 years ago",
        ] {
            assert!(
                matches!(since(text, NOW), Err(Error::Syntax { .. })),
                "{text}"
            );
        }
        assert!(since("1 day ago", i64::MIN).is_err());
    }

    #[test]
    fn ranges_are_taken_apart() {
        let row = |base, tip, symmetric| RangeText {
            base,
            tip,
            symmetric,
        };
        assert_eq!(parse_range("a..b").unwrap(), row(Some("a"), "b", false));
        assert_eq!(parse_range("a...b").unwrap(), row(Some("a"), "b", true));
        assert_eq!(parse_range("a..").unwrap(), row(Some("a"), "HEAD", false));
        assert_eq!(parse_range("..b").unwrap(), row(Some("HEAD"), "b", false));
        assert_eq!(parse_range("v1.0").unwrap(), row(None, "v1.0", false));
        for text in ["", "..", "...", "a..b..c", "a....b"] {
            assert!(parse_range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn distances() {
        assert_eq!(distance("main", "main", 9), 0);
        assert_eq!(distance("mian", "main", 9), 2);
        assert_eq!(distance("", "abc", 9), 3);
        assert_eq!(distance("kitten", "sitting", 9), 3);
    }
}
