//! What a run looked at.

use std::collections::BTreeMap;

use super::{Gap, Skip, SkipKind, Tally};

/// Counts and gaps of a run; two of them merge into one in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files whose content was scanned; what git stores counts as objects.
    pub files: u64,
    /// Bytes of the content of files and objects.
    pub bytes: u64,
    /// Commits of the scanned history.
    pub commits: u64,
    /// Objects of the scanned history: commits, trees, blobs and tags.
    pub objects: u64,
    /// Matches in objects that no scanned ref reaches; they are left out.
    pub unreachable_hits: u64,
    /// Secrets in what was added that the base held before: no findings.
    pub already_there: u64,
    /// Files in which only distinctive prefixes and key blocks were looked for.
    pub binary_files: u64,
    /// What could not be scanned.
    pub gaps: Vec<Gap>,
    /// How many were left out, by sort.
    pub skipped: BTreeMap<SkipKind, u64>,
    /// Left-out files whose names say that a secret may be inside.
    pub notable: Vec<Skip>,
    /// What narrowed the run: which configuration was used, and what it leaves out.
    pub notes: Vec<String>,
    /// Whether the run was stopped before its end.
    pub cancelled: bool,
    /// Marks of suppression in scanned files, where they were asked for.
    pub marks: Vec<MarkAt>,
    /// What a baseline accepted, where there was one.
    pub baseline: Option<BaselineCounts>,
    /// Suppressions that suppress nothing any more.
    pub idle: Vec<Idle>,
    /// What providers said of the findings, where they were asked.
    pub verified: Option<Tally>,
}

/// A comment that accepts findings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MarkAt {
    /// The file's path, as places have it.
    pub path: Vec<u8>,
    /// Its line, from 1.
    pub line: u32,
    /// The rules that it names; empty for all.
    pub rules: Vec<String>,
    /// The last day on which it held, where that is over.
    pub expired: Option<String>,
}

/// What a baseline was good for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BaselineCounts {
    /// The file, as the user knows it.
    pub file: String,
    /// Its entries.
    pub entries: u64,
    /// Findings that it accepted.
    pub accepted: u64,
    /// Entries that no finding met; `None` where only a part was scanned.
    pub gone: Option<u64>,
}

/// A suppression that suppresses nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Idle {
    /// The file where it is written.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// What it is: `comment`, `entry`, `baseline`.
    pub sort: &'static str,
    /// Why it does nothing.
    pub reason: String,
}

impl Idle {
    /// Every value of [`Idle::sort`].
    pub const SORTS: [&str; 3] = ["comment", "entry", "baseline"];
}

impl Summary {
    /// Counts something left out.
    pub fn skip(&mut self, skip: Skip) {
        *self.skipped.entry(skip.kind).or_default() += 1;
        if skip.notable {
            self.notable.push(skip);
        }
    }

    /// Adds another run's counts, up to the largest number: they can come from a file.
    pub fn merge(&mut self, other: Self) {
        self.files = self.files.saturating_add(other.files);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.commits = self.commits.saturating_add(other.commits);
        self.objects = self.objects.saturating_add(other.objects);
        self.unreachable_hits = self.unreachable_hits.saturating_add(other.unreachable_hits);
        self.already_there = self.already_there.saturating_add(other.already_there);
        self.binary_files = self.binary_files.saturating_add(other.binary_files);
        self.gaps.extend(other.gaps);
        for (kind, count) in other.skipped {
            let total = self.skipped.entry(kind).or_default();
            *total = total.saturating_add(count);
        }
        self.notable.extend(other.notable);
        self.notes.extend(other.notes);
        self.cancelled |= other.cancelled;
        self.marks.extend(other.marks);
        self.baseline = self.baseline.take().or(other.baseline);
        self.idle.extend(other.idle);
        if let Some(other) = other.verified {
            self.verified.get_or_insert_default().merge(&other);
        }
    }

    /// Sorts the lists, so that the order does not depend on threads.
    pub fn sort(&mut self) {
        self.gaps.sort();
        self.gaps.dedup();
        self.notable.sort();
        self.notable.dedup();
        self.notes.dedup();
        self.marks.sort();
        self.idle.sort();
    }
}
