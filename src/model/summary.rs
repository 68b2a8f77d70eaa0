//! What a run looked at.

use std::collections::BTreeMap;

use super::{Gap, Skip, SkipKind};

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
    }

    /// Sorts the lists, so that the order does not depend on threads.
    pub fn sort(&mut self) {
        self.gaps.sort();
        self.gaps.dedup();
        self.notable.sort();
        self.notable.dedup();
    }
}
