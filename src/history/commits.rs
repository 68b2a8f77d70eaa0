//! Commits as their objects have them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rayon::prelude::*;

use super::ids::Ids;
use super::mailmap::Mailmap;
use crate::model::Commit;
use crate::pack::Oid;

/// What a commit names, and when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawCommit {
    /// Its id.
    pub id: Oid,
    /// Its tree.
    pub tree: Oid,
    /// Its parents, in their order.
    pub parents: Vec<Oid>,
    /// The committer's time: seconds since 1970, 0 where it is damaged, as git has it.
    pub time: i64,
}

/// Reads a commit's content, without any text. `None` where it has no tree.
pub fn parse(id: Oid, bytes: &[u8]) -> Option<RawCommit> {
    let (tree, mut rest) = id_line(bytes, b"tree ")?;
    let mut parents = Vec::new();
    while let Some((parent, after)) = id_line(rest, b"parent ") {
        parents.push(parent);
        rest = after;
    }
    Some(RawCommit {
        id,
        tree,
        parents,
        time: header(rest, b"committer ").map_or(0, time),
    })
}

/// A line of a word and an id, and what follows it.
fn id_line<'b>(bytes: &'b [u8], word: &[u8]) -> Option<(Oid, &'b [u8])> {
    let rest = bytes.strip_prefix(word)?;
    let (digits, rest) = rest.split_at_checked(40)?;
    let id = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((id, rest.strip_prefix(b"\n")?))
}

/// The rest of the first header line that begins with a word.
fn header<'b>(bytes: &'b [u8], word: &[u8]) -> Option<&'b [u8]> {
    let lines = bytes.split(|byte| *byte == b'\n');
    lines
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.strip_prefix(word))
}

/// The time of a person's line: the number after the last `>`.
fn time(line: &[u8]) -> i64 {
    let after = memchr::memrchr(b'>', line).map_or(&[][..], |at| &line[at + 1..]);
    let number = after.trim_ascii_start();
    let end = number
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(number.len());
    let number = std::str::from_utf8(&number[..end]).ok();
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Most characters of a text that [`details`] gives.
const LONGEST: usize = 200;

/// What reports say of a commit. Text that is not UTF-8 gets replacement characters; the `encoding` header is not looked at.
pub fn details(id: Oid, bytes: &[u8], mailmap: &Mailmap) -> Commit {
    let person = header(bytes, b"author ").unwrap_or_default();
    let (name, email) = name_and_email(person);
    let (name, email) = mailmap.person(name, email);
    let message = memchr::memmem::find(bytes, b"\n\n").map_or(&[][..], |at| &bytes[at + 2..]);
    let subject = message
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    Commit {
        id,
        author: text(name),
        email: text(email),
        date: header(bytes, b"committer ").map_or(0, time),
        subject: text(subject),
    }
}

fn name_and_email(line: &[u8]) -> (&[u8], &[u8]) {
    let Some(open) = memchr::memchr(b'<', line) else {
        return (line.trim_ascii(), &[]);
    };
    let rest = &line[open + 1..];
    let close = memchr::memchr(b'>', rest).unwrap_or(rest.len());
    (line[..open].trim_ascii(), &rest[..close])
}

fn text(bytes: &[u8]) -> String {
    // A character has four bytes at most, and what is not UTF-8 becomes one for three.
    let bytes = &bytes[..bytes.len().min(4 * LONGEST)];
    String::from_utf8_lossy(bytes)
        .chars()
        .take(LONGEST)
        .collect()
}

/// Commits whose parents are looked up in one go.
const PART: usize = 4096;

/// The commits of a repository by number. The older one has the smaller number, and of equal age the one with the smaller
/// id: so a commit's number is near those of its parents, and what is gone through lies side by side.
pub(super) struct Commits {
    ids: Ids,
    /// By id.
    rows: Vec<RawCommit>,
    /// The row of each commit, and the number of each row.
    by_age: Vec<u32>,
    numbers: Vec<u32>,
    /// Parents of commit `i` that are there: `parents[starts[i]..starts[i + 1]]`.
    starts: Vec<u32>,
    parents: Vec<u32>,
    /// Whether all parents of commit `i` are there.
    whole: Vec<bool>,
}

impl Commits {
    /// Brings rows into the order in which [`new`](Self::new) numbers them.
    pub(super) fn arrange(rows: &mut Vec<RawCommit>, pool: &rayon::ThreadPool) {
        if !rows.is_sorted_by_key(|row| row.id) {
            pool.install(|| rows.par_sort_unstable_by_key(|row| row.id));
        }
        rows.dedup_by_key(|row| row.id);
        rows.truncate(Ids::MOST);
    }

    /// Numbers commits that are arranged. On the threads of the current pool.
    pub(super) fn new(rows: Vec<RawCommit>) -> Self {
        let ids = Ids::new(rows.iter().map(|row| row.id).collect());
        let ages = (0_u32..).zip(&rows).map(|(row, commit)| (commit.time, row));
        let mut ages: Vec<(i64, u32)> = ages.collect();
        ages.par_sort_unstable();
        let by_age: Vec<u32> = ages.into_iter().map(|(_, row)| row).collect();
        let mut numbers = vec![0; rows.len()];
        for (number, row) in (0_u32..).zip(&by_age) {
            numbers[*row as usize] = number;
        }
        // A part is the parents of some rows, and for each row how many of them are there.
        let part = |rows: &[RawCommit]| {
            let mut parents = Vec::with_capacity(rows.len());
            let mut counts = Vec::with_capacity(rows.len());
            for row in rows {
                let before = parents.len();
                let there = row.parents.iter().filter_map(|id| ids.find(id));
                parents.extend(there.map(|row| numbers[row as usize]));
                counts.push((parents.len() - before) as u32);
            }
            (parents, counts)
        };
        let parts: Vec<_> = rows.par_chunks(PART).map(part).collect();
        let mut found: Vec<(u32, u32)> = Vec::with_capacity(rows.len());
        let mut by_row: Vec<u32> = Vec::with_capacity(rows.len());
        for (parents, counts) in parts {
            let mut start = by_row.len() as u32;
            for count in counts {
                found.push((start, count));
                start += count;
            }
            by_row.extend(parents);
        }
        let mut starts = Vec::with_capacity(rows.len() + 1);
        let mut parents: Vec<u32> = Vec::with_capacity(by_row.len());
        let mut whole = Vec::with_capacity(rows.len());
        starts.push(0);
        for row in &by_age {
            let (start, count) = found[*row as usize];
            parents.extend_from_slice(&by_row[start as usize..(start + count) as usize]);
            starts.push(parents.len() as u32);
            whole.push(count as usize == rows[*row as usize].parents.len());
        }
        Self {
            ids,
            rows,
            by_age,
            numbers,
            starts,
            parents,
            whole,
        }
    }

    /// All of them, by id.
    pub(super) fn rows(&self) -> &[RawCommit] {
        &self.rows
    }

    /// All of them, by number.
    pub(super) fn in_order(&self) -> impl IndexedParallelIterator<Item = &RawCommit> {
        self.by_age.par_iter().map(|row| &self.rows[*row as usize])
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn row(&self, commit: u32) -> &RawCommit {
        &self.rows[self.by_age[commit as usize] as usize]
    }

    /// The number of a commit.
    pub(super) fn find(&self, id: &Oid) -> Option<u32> {
        let row = self.ids.find(id)?;
        self.numbers.get(row as usize).copied()
    }

    pub(super) fn id(&self, commit: u32) -> Oid {
        self.row(commit).id
    }

    pub(super) fn parents(&self, commit: u32) -> &[u32] {
        let c = commit as usize;
        &self.parents[self.starts[c] as usize..self.starts[c + 1] as usize]
    }

    /// The parent of a commit that has one alone, when that is there.
    pub(super) fn only_parent(&self, commit: u32) -> Option<u32> {
        match self.parents(commit) {
            [parent] if self.whole[commit as usize] => Some(*parent),
            _ => None,
        }
    }

    /// Which commits can be reached from some.
    pub(super) fn reached(&self, from: impl IntoIterator<Item = u32>) -> Vec<bool> {
        let mut reached = vec![false; self.len()];
        let mut stack = Vec::new();
        for commit in from {
            if !std::mem::replace(&mut reached[commit as usize], true) {
                stack.push(commit);
            }
            while let Some(at) = stack.pop() {
                for parent in self.parents(at) {
                    if !std::mem::replace(&mut reached[*parent as usize], true) {
                        stack.push(*parent);
                    }
                }
            }
        }
        reached
    }

    /// The chosen commits, which hold all their ancestors, with parents first; among those that may come next the oldest,
    /// and of equal age the smallest id. Commits in a loop, which only a false index can make, come where the loop is cut.
    /// Gives the number of cuts beside them.
    pub(super) fn order(&self, chosen: &[bool]) -> (Vec<u32>, usize) {
        let all = 0..self.len() as u32;
        let mut waits = vec![0_u32; self.len()];
        let mut child_starts = vec![0_u32; self.len() + 1];
        for commit in all.clone().filter(|c| chosen[*c as usize]) {
            waits[commit as usize] = self.parents(commit).len() as u32;
            for parent in self.parents(commit) {
                child_starts[*parent as usize + 1] += 1;
            }
        }
        for i in 1..child_starts.len() {
            child_starts[i] += child_starts[i - 1];
        }
        let mut fill = child_starts.clone();
        let mut children = vec![0_u32; child_starts[self.len()] as usize];
        for commit in all.clone().filter(|c| chosen[*c as usize]) {
            for parent in self.parents(commit) {
                let at = &mut fill[*parent as usize];
                children[*at as usize] = commit;
                *at += 1;
            }
        }
        let total = chosen.iter().filter(|chosen| **chosen).count();
        // Mostly a commit is younger than its parents, so it may come when its turn is by age, which is by number. One whose
        // parents come later waits for them, here, when they were there.
        let mut late: BinaryHeap<Reverse<u32>> = BinaryHeap::new();
        let mut missed = vec![false; self.len()];
        let mut ages = all.clone().filter(|c| chosen[*c as usize]).peekable();
        let mut order = Vec::with_capacity(total);
        let mut placed = vec![false; self.len()];
        let mut cuts = 0;
        let mut rest = all.filter(|c| chosen[*c as usize]);
        while order.len() < total {
            while let Some(commit) = ages.next_if(|c| waits[*c as usize] > 0) {
                missed[commit as usize] = true;
            }
            let is_late = match (late.peek(), ages.peek()) {
                (Some(Reverse(late)), Some(next)) => late < next,
                (late, _) => late.is_some(),
            };
            let next = if is_late {
                late.pop().map(|Reverse(next)| next)
            } else {
                ages.next()
            };
            let next = next.or_else(|| {
                cuts += 1;
                rest.find(|c| !placed[*c as usize])
            });
            let Some(commit) = next else {
                break;
            };
            if std::mem::replace(&mut placed[commit as usize], true) {
                continue;
            }
            order.push(commit);
            let c = commit as usize;
            for child in &children[child_starts[c] as usize..child_starts[c + 1] as usize] {
                let waits = &mut waits[*child as usize];
                *waits = waits.saturating_sub(1);
                if *waits == 0 && missed[*child as usize] && !placed[*child as usize] {
                    late.push(Reverse(*child));
                }
            }
        }
        (order, cuts)
    }
}
