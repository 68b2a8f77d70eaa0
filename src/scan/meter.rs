//! What each rule costs and comes to, counted only where somebody asked.
//!
//! The library reads no clock: whoever measures gives one. Threads add to common counters, which is slow; an engine that is
//! not measured has none, and asks for them once for each literal that it meets.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::filter::Reason;

/// Nanoseconds since some moment.
pub type Clock = fn() -> u64;

/// The counters of an engine.
#[derive(Debug)]
pub(super) struct Meter {
    clock: Clock,
    search: AtomicU64,
    searched: AtomicU64,
    rules: Vec<Row>,
}

#[derive(Debug, Default)]
struct Row {
    nanos: AtomicU64,
    tried: AtomicU64,
    matched: AtomicU64,
    dropped: [AtomicU64; Drops::COUNT],
}

/// What a rule cost and came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RuleCount {
    /// Nanoseconds, all threads together.
    pub nanos: u64,
    /// Candidates: literals of the rule that its pattern was tried at.
    pub tried: u64,
    /// How often the pattern matched.
    pub matched: u64,
    /// Matches that the content filters dropped.
    pub dropped: Drops,
}

impl RuleCount {
    /// Matches that the content filters kept.
    #[must_use]
    pub fn kept(&self) -> u64 {
        self.matched - self.dropped.each().map(|(_, count)| count).sum::<u64>()
    }
}

/// Dropped matches by the filter that dropped them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drops([u64; Drops::COUNT]);

impl Drops {
    const COUNT: usize = 6;
    const WORDS: [&'static str; Self::COUNT] = [
        "placeholder",
        "characters",
        "entropy",
        "words",
        "checksum",
        "other",
    ];

    /// The filters' names with their numbers.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Self::WORDS.into_iter().zip(self.0)
    }

    fn index(reason: &Reason) -> usize {
        match reason {
            Reason::Placeholder(_) => 0,
            Reason::Characters => 1,
            Reason::Entropy(..) => 2,
            Reason::Words => 3,
            Reason::Checksum(_) => 4,
            _ => 5,
        }
    }
}

/// What a measured engine has done so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Nanoseconds of the search for literals, all threads together.
    pub search: u64,
    /// Bytes that were searched.
    pub searched: u64,
    /// For each rule, by its index.
    pub rules: Vec<RuleCount>,
}

impl Meter {
    pub(super) fn new(rules: usize, clock: Clock) -> Self {
        Self {
            clock,
            search: AtomicU64::new(0),
            searched: AtomicU64::new(0),
            rules: (0..rules).map(|_| Row::default()).collect(),
        }
    }

    /// Measures a search for literals.
    pub(super) fn search(&self, bytes: usize, work: impl FnOnce()) {
        let begun = (self.clock)();
        work();
        add(&self.search, (self.clock)().saturating_sub(begun));
        add(&self.searched, bytes as u64);
    }

    /// Measures a trial of a rule. `drop` says of a match why it is dropped, if it is.
    pub(super) fn trial<M>(
        &self,
        rule: usize,
        work: impl FnOnce() -> Option<M>,
        drop: impl FnOnce(&M) -> Option<&Reason>,
    ) -> Option<M> {
        let begun = (self.clock)();
        let found = work();
        let nanos = (self.clock)().saturating_sub(begun);
        let Some(row) = self.rules.get(rule) else {
            return found;
        };
        add(&row.nanos, nanos);
        add(&row.tried, 1);
        if let Some(found) = &found {
            add(&row.matched, 1);
            if let Some(reason) = drop(found) {
                row.dropped[Drops::index(reason)].fetch_add(1, Ordering::Relaxed);
            }
        }
        found
    }

    pub(super) fn counts(&self) -> Counts {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let rules = self.rules.iter().map(|row| RuleCount {
            nanos: get(&row.nanos),
            tried: get(&row.tried),
            matched: get(&row.matched),
            dropped: Drops(row.dropped.each_ref().map(get)),
        });
        Counts {
            search: get(&self.search),
            searched: get(&self.searched),
            rules: rules.collect(),
        }
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}
