//! Files that change while they are read: the length of an open file says what it was before.

use std::fs::File;
use std::io::Write as _;
use std::sync::Condvar;

use super::super::queue::State;
use super::*;
use crate::rule::RuleSet;

/// A token that no scanner finds in this file.
fn token() -> String {
    format!(
        "{}{}",
        concat!("gh", "p_"),
        "4fQ8rT2wXzB6dJ9mL3sV7yC1nHk5pG2Wecb6"
    )
}

/// So many bytes, a token in the second line.
fn text(length: usize) -> Vec<u8> {
    let mut bytes = format!("line one\n\t{}\n", token()).into_bytes();
    bytes.resize(length, b' ');
    bytes
}

/// Scans a file that was `before` bytes long when it was opened and holds `bytes` when it is read.
fn scan(bytes: &[u8], before: u64) -> Outcome {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("it is written");
    scan_open(file, before)
}

fn scan_open(file: File, before: u64) -> Outcome {
    let engine = Engine::new(RuleSet::builtin().expect("built in")).expect("an engine");
    let queue = Queue {
        state: Mutex::new(State::default()),
        wake: Condvar::new(),
    };
    let mut worker = Worker {
        engine: &engine,
        options: &Options::default(),
        walks: &[],
        queue: &queue,
        observer: &(),
        scratch: Scratch::default(),
        buffer: Vec::new(),
        outcome: Outcome::default(),
    };
    let content = Content {
        file,
        length: before,
    };
    worker.content(content, b"a.txt".to_vec());
    worker.run()
}

#[track_caller]
fn has_gap(outcome: &Outcome, scanned: u64, length: u64) {
    let gaps: Vec<(&str, &str)> = outcome
        .summary
        .gaps
        .iter()
        .map(|gap| (gap.path.as_str(), gap.reason.as_str()))
        .collect();
    let reason =
        format!("became shorter while it was read: {scanned} of {length} bytes were scanned");
    assert_eq!(gaps, [("a.txt", reason.as_str())]);
    assert_eq!(outcome.summary.bytes, scanned);
}

#[test]
fn a_file_that_becomes_shorter_is_a_gap_and_what_is_left_is_scanned() {
    let outcome = scan(&text(1000), 1001);
    assert_eq!(outcome.matches.len(), 1);
    has_gap(&outcome, 1000, 1001);
    has_gap(&scan(b"", 1), 0, 1);
}

#[test]
fn a_big_file_that_becomes_shorter_is_one_gap_however_many_windows_are_gone() {
    let (window, before) = (WINDOW as u64, 5 * WINDOW as u64 + 7);
    for left in [
        window - 1,
        window,
        window + 1,
        2 * window + 9,
        4 * window,
        before - 1,
    ] {
        let outcome = scan(&text(usize::try_from(left).expect("small")), before);
        assert_eq!(outcome.matches.len(), 1, "{left} bytes left");
        has_gap(&outcome, left, before);
    }
    has_gap(&scan(b"", before), 0, before);
}

#[test]
fn files_that_stay_as_they_are_or_grow_are_no_gaps() {
    let edges = [0, 1, WHOLE, WHOLE + 1, 3 * WINDOW as u64];
    for before in edges {
        for grown in [0, 1, 100_000, WINDOW as u64] {
            let length = usize::try_from(before + grown).expect("small");
            let outcome = scan(&text(length), before);
            assert_eq!(outcome.summary.gaps, [], "{before} and {grown} bytes");
            assert!(outcome.summary.bytes >= before);
        }
    }
}

/// The files of `/proc` have a length of 0, those of `/sys` that of a page, whatever they hold.
#[cfg(target_os = "linux")]
#[test]
fn a_length_that_is_no_count_of_bytes_is_no_gap() {
    for path in [
        "/proc/self/status",
        "/proc/cpuinfo",
        "/sys/devices/system/cpu/online",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ] {
        let Ok(content) = open_regular(Path::new(path), false) else {
            continue;
        };
        let length = content.length;
        let outcome = scan_open(content.file, length);
        assert_eq!(outcome.summary.gaps, [], "{path}, {length} bytes");
        assert!(outcome.summary.bytes > 0, "{path}");
    }
}
