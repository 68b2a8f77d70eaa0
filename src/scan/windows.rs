//! Blobs too large to be held: windows that overlap, each scanned by itself, their lines counted together at the end.

use std::collections::BTreeSet;
use std::ops::Range;

use super::blob::{BINARY_HEAD, seen};
use super::join::{Located, locate};
use super::{BlobContext, Engine, Limits, Match, Scratch, Settings};

/// Bytes of the neighbours' cores in which a window looks for companions.
const NEIGHBOUR: usize = 8192;

/// What a window found, with what the next ones need for their line numbers.
pub(super) struct WindowResult {
    index: usize,
    found: Vec<Located>,
    /// Bytes of the core that were scanned.
    pub(super) scanned: u64,
    /// Whether the blob ended before the core did.
    pub(super) cut: bool,
    /// Line breaks in the core, and in the context before it.
    breaks: usize,
    context_breaks: usize,
    /// Offset behind the last line break in the core, and behind the last one that the next
    /// window's context does not hold.
    line_start: Option<u64>,
    early_line_start: Option<u64>,
    context_start: u64,
    /// Whether the run was stopped before it.
    missing: bool,
    /// Rules with keywords, one of which stands here.
    looked_into: BTreeSet<usize>,
}

impl WindowResult {
    /// Of a window of which nothing is known.
    pub(super) fn new(index: usize, context_start: u64) -> Self {
        Self {
            index,
            found: Vec::new(),
            scanned: 0,
            cut: false,
            breaks: 0,
            context_breaks: 0,
            line_start: None,
            early_line_start: None,
            context_start,
            missing: false,
            looked_into: BTreeSet::new(),
        }
    }

    /// Of a window that is not scanned any more.
    pub(super) fn missing(index: usize) -> Self {
        Self {
            missing: true,
            ..Self::new(index, 0)
        }
    }

    /// How many matches it found.
    pub(super) fn found(&self) -> u64 {
        self.found.len() as u64
    }
}

/// How windows are scanned.
#[derive(Clone, Copy)]
pub(super) struct WindowScan<'w> {
    pub(super) engine: &'w Engine,
    pub(super) settings: &'w Settings,
    pub(super) limits: Limits,
    pub(super) binary: bool,
}

impl WindowScan<'_> {
    /// Scans one window: what begins in `core` is its own, the bytes around it are context.
    pub(super) fn scan(
        &self,
        bytes: &[u8],
        core: Range<usize>,
        context_start: u64,
        index: usize,
        scratch: &mut Scratch,
    ) -> WindowResult {
        let overlap = self.engine.overlap();
        let mut result = WindowResult::new(index, context_start);
        result.scanned = core.len() as u64;
        let wide = core.start.saturating_sub(NEIGHBOUR)..(core.end + NEIGHBOUR).min(bytes.len());
        self.engine
            .scan_part(bytes, wide, self.binary, self.limits, scratch);
        let matches: Vec<Match> = scratch.take_kept().collect();
        let rules = self.engine.with_keywords();
        let looked_into = rules.filter(|(_, rule)| rule.looks_into(bytes));
        result.looked_into = looked_into.map(|(index, _)| index).collect();
        let breaks = |range: Range<usize>| memchr::memchr_iter(b'\n', &bytes[range]).count();
        let behind_last = |range: Range<usize>| {
            memchr::memrchr(b'\n', &bytes[range.clone()])
                .map(|i| context_start + (range.start + i + 1) as u64)
        };
        result.breaks = breaks(core.clone());
        result.context_breaks = breaks(0..core.start);
        let early = core.end.saturating_sub(overlap).max(core.start);
        result.early_line_start = behind_last(core.start..early);
        result.line_start = behind_last(core.clone());
        if matches.is_empty() {
            return result;
        }
        let context = BlobContext {
            bytes: seen(bytes, scratch.unseen),
            path: &[],
            offset: context_start,
            line: 1,
            column: 0,
        };
        let owned = context_start + core.start as u64..context_start + core.end as u64;
        result.found = locate(self.engine.rules(), context, matches, self.settings);
        result
            .found
            .retain(|found| owned.contains(&found.spot.span.start));
        result
    }
}

/// The windows of a blob up to the first one that a stopped run left out: behind it nobody knows the lines.
pub(super) fn before_missing(mut results: Vec<WindowResult>) -> Vec<WindowResult> {
    results.sort_by_key(|r| r.index);
    let known = results.iter().take_while(|r| !r.missing).count();
    results.truncate(known);
    results
}

/// Turns lines that count from each window's first byte into lines of the blob; what rules with keywords found counts
/// where one of these stands in any window.
pub(super) fn number_lines(engine: &Engine, mut results: Vec<WindowResult>) -> Vec<Located> {
    results.sort_by_key(|r| r.index);
    let mut blind: BTreeSet<usize> = engine.with_keywords().map(|(index, _)| index).collect();
    for result in &results {
        blind.retain(|rule| !result.looked_into.contains(rule));
    }
    let mut all = Vec::new();
    let mut breaks = 0usize;
    let mut line_start = 0u64; // of the line that holds the byte in front of the next context
    let mut full_line_start = 0u64;
    for result in results {
        let first_line = (breaks - result.context_breaks.min(breaks)) as u64;
        let first_column = result.context_start.saturating_sub(line_start);
        for mut found in result.found {
            for position in [&mut found.spot.start, &mut found.spot.end] {
                if position.line == 1 {
                    position.column = position
                        .column
                        .saturating_add(u32::try_from(first_column).unwrap_or(u32::MAX));
                }
                position.line = position
                    .line
                    .saturating_add(u32::try_from(first_line).unwrap_or(u32::MAX));
            }
            let decoded = !found.context.decodings.is_empty();
            if decoded || !blind.contains(&found.context.rule) {
                all.push(found);
            }
        }
        breaks += result.breaks;
        line_start = result.early_line_start.unwrap_or(full_line_start);
        full_line_start = result.line_start.unwrap_or(full_line_start);
    }
    all
}

/// A blob whose windows come in order, each with `2 × overlap` bytes of the one before.
pub(super) struct Windowed {
    binary: bool,
    results: Vec<WindowResult>,
}

impl Windowed {
    /// Nothing of the blob has been seen.
    pub(super) fn new() -> Self {
        Self {
            binary: false,
            results: Vec::new(),
        }
    }

    /// Scans the next window; `start` is its offset in the blob.
    pub(super) fn push(
        &mut self,
        engine: &Engine,
        (bytes, start, last): (&[u8], u64, bool),
        settings: &Settings,
        limits: Limits,
        scratch: &mut Scratch,
    ) {
        let overlap = engine.overlap();
        if start == 0 {
            let head = bytes.get(..BINARY_HEAD).unwrap_or(bytes);
            self.binary = memchr::memchr(0, head).is_some();
        }
        let from = if start == 0 { 0 } else { overlap };
        let to = if last {
            bytes.len()
        } else {
            bytes.len().saturating_sub(overlap)
        };
        let scan = WindowScan {
            engine,
            settings,
            limits,
            binary: self.binary,
        };
        let core = from.min(to)..to;
        let index = self.results.len();
        let result = scan.scan(bytes, core, start, index, scratch);
        self.results.push(result);
    }

    /// Whether only distinctive literals counted.
    pub(super) fn is_binary(&self) -> bool {
        self.binary
    }

    /// All that was found.
    pub(super) fn finish(self, engine: &Engine) -> Vec<Located> {
        number_lines(engine, self.results)
    }
}
