//! One object of a pack at a time: what its delta copied keeps the base's verdicts, what is new is searched.
//!
//! A blob's literals are those that its copied stretches bring along and those that overlap new bytes or a seam. A copied
//! literal keeps its verdict where all that the verdict can depend on ([`Engine::reach`]) was copied in one piece with it;
//! else it is tried again. Rules without literals are searched for in all of its bytes. So the result equals a scan of the whole object: `tests/it/carry.rs` holds that.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::blob::{Content, scan_whole, sort};
use super::engine::{Seen, keep};
use super::{Engine, Limits, Match, Scratch};
use crate::decode::Utf16;
use crate::pack::{EditMap, Segment};
use crate::rule::Hit;

/// What is known of a decoded object while deltas on it are to come; by default nothing, so that they are searched whole.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    sort: Sort,
    len: usize,
    marks: Box<[Mark]>,
    found: Box<[Found]>,
}

/// How an object's bytes are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Sort {
    Text,
    /// Only distinctive literals count.
    Binary,
    /// Nothing is carried: UTF-16, more matches than the limit, objects that no delta rests on.
    #[default]
    Opaque,
}

/// A literal in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    at: u32,
    literal: u16,
}

/// A match that a literal led to.
#[derive(Debug, Clone)]
struct Found {
    /// Number of the literal's mark.
    mark: u32,
    /// Where the literal stood when the match was made: its span moves with it.
    at: u32,
    matched: Arc<Match>,
}

/// A stretch that was copied from the base and keeps its literals.
#[derive(Debug, Clone, Copy)]
struct Copied {
    base: usize,
    start: usize,
    len: usize,
}

/// A literal of the new object: where it comes from decides whether it is tried.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    mark: Mark,
    /// Number of the base's mark, and of the stretch that brought it.
    from: Option<(u32, u32)>,
}

/// Scans objects, with buffers of its own; one for each thread.
pub(crate) struct Carrier<'e> {
    engine: &'e Engine,
    limits: Limits,
    keep_dropped: bool,
    scratch: Scratch,
    hits: Vec<Hit>,
    copies: Vec<Copied>,
    candidates: Vec<Candidate>,
}

/// Carriers that wait for work. What one has learnt of the rules' regexes serves the next pass, too.
pub(crate) struct Carriers<'e> {
    pub(crate) engine: &'e Engine,
    limits: Limits,
    keep_dropped: bool,
    idle: Mutex<Vec<Carrier<'e>>>,
}

impl<'e> Carriers<'e> {
    pub(crate) fn new(engine: &'e Engine, limits: Limits, keep_dropped: bool) -> Self {
        Self {
            engine,
            limits,
            keep_dropped,
            idle: Mutex::default(),
        }
    }

    /// One that waits, or a new one.
    pub(crate) fn get(&self) -> Carrier<'e> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle.pop();
        drop(idle);
        waiting.unwrap_or_else(|| Carrier::new(self.engine, self.limits, self.keep_dropped))
    }

    pub(crate) fn give_back(&self, carrier: Carrier<'e>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(carrier);
    }

    /// Works with one.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Carrier<'e>) -> R) -> R {
        let mut carrier = self.get();
        let result = work(&mut carrier);
        self.give_back(carrier);
        result
    }
}

impl<'e> Carrier<'e> {
    pub(crate) fn new(engine: &'e Engine, limits: Limits, keep_dropped: bool) -> Self {
        Self {
            engine,
            limits,
            keep_dropped,
            scratch: Scratch::default(),
            hits: Vec::new(),
            copies: Vec::new(),
            candidates: Vec::new(),
        }
    }

    /// Scans an object; where all its matches are dropped and nobody asked for those, it has none. `base` is what was given back for its delta base, with the way from there; without it all of the
    /// object is new. `is_base` says whether a delta on it is to come.
    pub(crate) fn object(
        &mut self,
        bytes: &[u8],
        base: Option<(&Carried, &EditMap)>,
        is_base: bool,
    ) -> (Carried, Content) {
        let (binary, wide) = sort(bytes);
        if wide.is_some() || u32::try_from(bytes.len()).is_err() {
            return self.whole(bytes, (binary, wide));
        }
        let sort = if binary { Sort::Binary } else { Sort::Text };
        let base = base.filter(|(carried, _)| carried.sort == sort);
        self.candidates.clear();
        self.copies.clear();
        if let Some((carried, edits)) = base {
            self.collect(bytes, carried, edits);
        } else {
            let mut hits = std::mem::take(&mut self.hits);
            self.engine.hits(bytes, 0..bytes.len(), &mut hits);
            self.candidates
                .extend(hits.iter().map(|hit| Candidate::fresh(*hit)));
            self.hits = hits;
        }
        let found = self.judge(bytes, base.map(|(carried, _)| carried), binary);
        let mut everywhere = Vec::new();
        if self.engine.searches_everywhere() && !binary {
            let (engine, scratch) = (self.engine, &mut self.scratch);
            engine.search_everywhere(bytes, 0..bytes.len(), self.limits, scratch);
            everywhere.extend(scratch.take());
        }
        if found.len() + everywhere.len() >= self.limits.matches {
            return self.whole(bytes, (binary, None));
        }
        let mut matches = self.matches(&found, everywhere);
        self.engine.retain_looked_into(bytes, &mut matches);
        let content = Content {
            matches,
            binary,
            ..Content::default()
        };
        let carried = if is_base {
            Carried {
                sort,
                len: bytes.len(),
                marks: self.candidates.iter().map(|c| c.mark).collect(),
                found: found.into(),
            }
        } else {
            Carried::default()
        };
        (carried, content)
    }

    /// Its buffers, for a text that is no object.
    pub(crate) fn scratch(&mut self) -> &mut Scratch {
        &mut self.scratch
    }

    fn whole(&mut self, bytes: &[u8], sort: (bool, Option<Utf16>)) -> (Carried, Content) {
        let (engine, scratch) = (self.engine, &mut self.scratch);
        let content = scan_whole(engine, bytes, sort, self.limits, scratch);
        (Carried::default(), content)
    }

    /// Gathers the literals of an object made from `base`: in `copies` the stretches that keep theirs, and in `candidates`
    /// all literals, by place and number.
    fn collect(&mut self, bytes: &[u8], base: &Carried, edits: &EditMap) {
        let longest = self.engine.longest();
        // A short copy between two edits would be searched from both sides: it counts as new.
        let least = 2 * longest;
        self.copies.extend(
            edits
                .segments()
                .iter()
                .filter_map(|segment| match *segment {
                    Segment::Copy {
                        base_start: base,
                        result_start: start,
                        len,
                    } if len >= least => Some(Copied { base, start, len }),
                    _ => None,
                }),
        );
        let literals = self.engine.rules().prefilter().literals();
        let length = |literal: u16| {
            literals
                .get(usize::from(literal))
                .map_or(0, |l| l.bytes.len())
        };
        let mut done = 0;
        for (number, copy) in self.copies.iter().enumerate() {
            search(
                self.engine,
                bytes,
                done..copy.start,
                &mut self.hits,
                &mut self.candidates,
                length,
            );
            let first = base
                .marks
                .partition_point(|mark| (mark.at as usize) < copy.base);
            let marks = base.marks.iter().enumerate().skip(first);
            let inside = marks.take_while(|(_, mark)| (mark.at as usize) < copy.base + copy.len);
            self.candidates.extend(inside.filter_map(|(index, mark)| {
                let at = mark.at as usize;
                (at + length(mark.literal) <= copy.base + copy.len).then(|| Candidate {
                    mark: Mark {
                        at: (at - copy.base + copy.start) as u32,
                        literal: mark.literal,
                    },
                    from: Some((index as u32, number as u32)),
                })
            }));
            done = copy.start + copy.len;
        }
        search(
            self.engine,
            bytes,
            done..bytes.len(),
            &mut self.hits,
            &mut self.candidates,
            length,
        );
        // Those of a seam begin in the stretch before it.
        if !self.candidates.is_sorted_by_key(|c| c.mark) {
            self.candidates.sort_by_key(|c| c.mark);
        }
    }

    /// Takes over or makes the matches of all candidates, in their order.
    fn judge(&mut self, bytes: &[u8], base: Option<&Carried>, distinctive: bool) -> Vec<Found> {
        let literals = self.engine.rules().prefilter().literals();
        let mut out = Vec::new();
        let mut line = Line::default();
        for (number, candidate) in self.candidates.iter().enumerate() {
            let Mark { at, literal } = candidate.mark;
            let Some(text) = literals.get(usize::from(literal)) else {
                continue;
            };
            if distinctive && !text.distinctive {
                continue;
            }
            let at = at as usize;
            let from = base.and_then(|base| {
                let (mark, copy) = candidate.from?;
                Some((base, mark, self.copies.get(copy as usize)?))
            });
            let mut none = Seen::default();
            let seen = if text.escape.is_some() {
                if at >= line.range.end || line.is_new {
                    line = Line::around(bytes, at);
                    line.is_kept = from.is_some_and(|(base, _, copy)| {
                        copy.holds(line.with_breaks(bytes.len()), bytes.len(), base.len)
                    });
                }
                &mut line.seen
            } else {
                &mut none
            };
            if let Some((base, mark, copy)) = from {
                let kept = if text.escape.is_some() {
                    line.is_kept
                } else {
                    let (back, forward) = self.engine.reach(literal);
                    let reach =
                        at.saturating_sub(back)..at.saturating_add(forward).min(bytes.len());
                    let clipped = back > at;
                    copy.holds((reach, clipped), bytes.len(), base.len)
                };
                if kept {
                    let first = base.found.partition_point(|found| found.mark < mark);
                    let all = base.found.iter().skip(first);
                    out.extend(all.take_while(|f| f.mark == mark).map(|f| Found {
                        mark: number as u32,
                        ..f.clone()
                    }));
                    continue;
                }
            }
            let hit = Hit { at, literal };
            self.engine.evaluate(
                bytes,
                hit,
                distinctive,
                self.limits,
                seen,
                &mut self.scratch,
            );
            out.extend(self.scratch.take().map(|found| Found {
                mark: number as u32,
                at: at as u32,
                matched: Arc::new(found),
            }));
            if out.len() >= self.limits.matches {
                break;
            }
        }
        out
    }

    /// The matches at their places, those of rules without literals behind them.
    fn matches(&self, found: &[Found], everywhere: Vec<Match>) -> Vec<Match> {
        let counts = |m: &Match| self.keep_dropped || m.dropped.is_none();
        let mut kept = Vec::new();
        if !found.iter().any(|f| counts(&f.matched)) && !everywhere.iter().any(counts) {
            return kept;
        }
        for f in found {
            let Some(candidate) = self.candidates.get(f.mark as usize) else {
                continue;
            };
            let mut found = Match::clone(&f.matched);
            let moved = |at: usize| (at + candidate.mark.at as usize).saturating_sub(f.at as usize);
            found.span = moved(found.span.start)..moved(found.span.end);
            keep(&mut kept, found);
        }
        kept.extend(everywhere);
        kept
    }
}

/// Finds the literals that are not whole in a stretch beside `zone`.
fn search(
    engine: &Engine,
    bytes: &[u8],
    zone: Range<usize>,
    hits: &mut Vec<Hit>,
    candidates: &mut Vec<Candidate>,
    length: impl Fn(u16) -> usize,
) {
    // Nothing is in front of the first byte or behind the last one that could join with it.
    if zone.is_empty() && (zone.start == 0 || zone.end == bytes.len()) {
        return;
    }
    let margin = engine.longest().saturating_sub(1);
    let from = zone.start.saturating_sub(margin);
    let to = (zone.end + margin).min(bytes.len());
    let Some(text) = bytes.get(from..to) else {
        return;
    };
    engine.hits(text, 0..text.len(), hits);
    candidates.extend(hits.iter().filter_map(|hit| {
        let at = from + hit.at;
        let is_new = at < zone.end && at + length(hit.literal) > zone.start;
        is_new.then(|| Candidate::fresh(Hit { at, ..*hit }))
    }));
}

impl Candidate {
    fn fresh(hit: Hit) -> Self {
        Self {
            mark: Mark {
                at: hit.at as u32,
                literal: hit.literal,
            },
            from: None,
        }
    }
}

impl Copied {
    /// Whether all of a range was copied here, and its ends are ends of both objects where they are clipped there.
    fn holds(&self, (range, at_start): (Range<usize>, bool), len: usize, base_len: usize) -> bool {
        let start = if at_start {
            self.start == 0 && self.base == 0
        } else {
            range.start >= self.start
        };
        let end = self.start + self.len;
        let behind = if range.end >= len {
            end == len && self.base + self.len == base_len
        } else {
            range.end <= end
        };
        start && behind
    }
}

/// A line whose marks of escapes are judged one after the other.
#[derive(Debug)]
struct Line {
    range: Range<usize>,
    seen: Seen,
    is_kept: bool,
    is_new: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            range: 0..0,
            seen: Seen::default(),
            is_kept: false,
            is_new: true,
        }
    }
}

impl Line {
    fn around(bytes: &[u8], at: usize) -> Self {
        let before = bytes.get(..at).unwrap_or_default();
        let start = memchr::memrchr(b'\n', before).map_or(0, |i| i + 1);
        let behind = bytes.get(at..).unwrap_or_default();
        let end = memchr::memchr(b'\n', behind).map_or(bytes.len(), |i| at + i);
        Self {
            range: start..end,
            is_new: false,
            ..Self::default()
        }
    }

    /// The line with the breaks around it, and whether it is the first one.
    fn with_breaks(&self, len: usize) -> (Range<usize>, bool) {
        let start = self.range.start.saturating_sub(1);
        (start..(self.range.end + 1).min(len), self.range.start == 0)
    }
}
