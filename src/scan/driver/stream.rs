//! One blob: bytes in memory, or what a reader gives, in windows.

use std::io::{self, Read as _};

use super::super::blob::{BINARY_HEAD, located, scan_whole, sort};
use super::super::join::{Located, place};
use super::super::windows::{WindowScan, number_lines};
use super::super::{BlobMatch, Engine, Limits, Scratch};
use super::{Options, Outcome, WINDOW};
use crate::model::{Gap, MarkAt, Observer};
use crate::place::comment;

/// Scans bytes that are in memory already, as one blob of this path.
#[must_use]
pub fn scan_bytes(
    engine: &Engine,
    bytes: &[u8],
    path: &[u8],
    options: &Options,
    scratch: &mut Scratch,
) -> Outcome {
    let mut outcome = Outcome::default();
    let binary = scan_blob(engine, bytes, path, options, scratch, &mut outcome);
    outcome.summary.files += 1;
    outcome.summary.bytes += bytes.len() as u64;
    outcome.summary.binary_files += u64::from(binary);
    outcome
}

/// Scans what a reader gives, in windows, as one blob of this path.
#[must_use]
pub fn scan_reader(
    engine: &Engine,
    reader: &mut dyn io::Read,
    path: &[u8],
    options: &Options,
    scratch: &mut Scratch,
    observer: &dyn Observer,
) -> Outcome {
    let mut outcome = Outcome::default();
    let overlap = engine.overlap();
    let mut buffer: Vec<u8> = Vec::new();
    let mut results = Vec::new();
    let (mut context_start, mut core_start) = (0u64, 0usize); // the core's start counts in `buffer`
    let mut binary = None;
    let mut found = 0_usize;
    outcome.summary.files = 1;
    loop {
        let wanted = core_start + WINDOW + overlap;
        let missing = wanted.saturating_sub(buffer.len());
        let ended = match (&mut *reader).take(missing as u64).read_to_end(&mut buffer) {
            Ok(read) => read < missing,
            Err(e) => {
                let path = String::from_utf8_lossy(path).into_owned();
                outcome.summary.gaps.push(Gap {
                    path,
                    reason: crate::source::reason(&e),
                });
                true
            }
        };
        if ended && results.is_empty() {
            let is_binary = scan_blob(engine, &buffer, path, options, scratch, &mut outcome);
            outcome.summary.binary_files += u64::from(is_binary);
            outcome.summary.bytes = buffer.len() as u64;
            outcome.summary.cancelled = observer.cancelled();
            observer.scanned(0, buffer.len() as u64);
            return outcome;
        }
        let is_binary = *binary.get_or_insert_with(|| {
            memchr::memchr(0, &buffer[..buffer.len().min(BINARY_HEAD)]).is_some()
        });
        let core = core_start..if ended {
            buffer.len()
        } else {
            core_start + WINDOW
        };
        // What is left of the limit: the windows come one after the other.
        let limits = Limits {
            matches: options.limits.matches.saturating_sub(found).max(1),
            ..options.limits
        };
        let window = WindowScan {
            engine,
            settings: &options.settings,
            limits,
            binary: is_binary,
        };
        let index = results.len();
        let result = window.scan(&buffer, core.clone(), context_start, index, scratch);
        found += usize::try_from(result.found()).unwrap_or(usize::MAX);
        note_overflow(scratch, path, options.limits, &mut outcome);
        observer.scanned(0, core.len() as u64);
        observer.found(result.found());
        outcome.summary.bytes += core.len() as u64;
        results.push(result);
        if ended || observer.cancelled() || scratch.unseen.is_some() {
            break;
        }
        let drop = core.end.saturating_sub(overlap);
        buffer.drain(..drop);
        context_start += drop as u64;
        core_start = core.end - drop;
    }
    outcome.summary.cancelled = observer.cancelled();
    outcome.summary.binary_files += u64::from(binary.unwrap_or(false));
    let found = number_lines(engine, results);
    outcome
        .matches
        .extend(placed(engine, &found, path, options));
    outcome
}

pub(super) fn scan_blob(
    engine: &Engine,
    bytes: &[u8],
    path: &[u8],
    options: &Options,
    scratch: &mut Scratch,
    outcome: &mut Outcome,
) -> bool {
    let content = scan_whole(engine, bytes, sort(bytes), options.limits, scratch);
    let binary = content.binary;
    if options.settings.list_marks {
        let text = content.wide.as_ref().map_or(bytes, |wide| &wide.bytes);
        let marks = comment::list(text).into_iter();
        let knows = engine.rules().adviser();
        let misnamed = |mark: &comment::Mark| {
            let any = mark.rules.iter().any(|id| engine.rules().is_known(id));
            mark.unknown(&knows).filter(|_| !any)
        };
        outcome.summary.marks.extend(marks.map(|(line, mark)| {
            MarkAt {
                path: path.to_vec(),
                line,
                expired: mark
                    .lapse(options.settings.today)
                    .or_else(|| misnamed(&mark)),
                rules: mark.rules,
            }
        }));
    }
    let found = located(engine, bytes, content, &options.settings);
    outcome
        .matches
        .extend(placed(engine, &found, path, options));
    note_overflow(scratch, path, options.limits, outcome);
    binary
}

/// Gives what was found in a blob its path.
pub(super) fn placed<'p>(
    engine: &'p Engine,
    found: &'p [Located],
    path: &'p [u8],
    options: &'p Options,
) -> impl Iterator<Item = BlobMatch> + 'p {
    let (rules, settings) = (engine.rules(), &options.settings);
    found
        .iter()
        .filter_map(move |found| place(rules, &found.context, &found.spot, path, settings))
}

fn note_overflow(scratch: &Scratch, path: &[u8], limits: Limits, outcome: &mut Outcome) {
    if scratch.unseen.is_some() {
        let most = limits.matches;
        let reason = format!("more than {most} matches: the rest was not looked at");
        outcome.summary.gaps.push(Gap {
            path: String::from_utf8_lossy(path).into_owned(),
            reason,
        });
    }
}
