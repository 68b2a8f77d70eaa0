//! Threads, buffers and windows: trees and files in, matches at their places out.
//!
//! One set of workers draws from one queue of folders, batches of files and windows of big files.
//! Whatever their number, the result is the same: what they find is sorted when they are done.

mod queue;
mod stream;
mod worker;

use std::path::PathBuf;
use std::sync::{Condvar, Mutex};
use std::{fs, io};

pub use self::stream::{scan_bytes, scan_reader};

use self::queue::{Queue, State, Task};
use self::worker::Worker;
use super::{BlobMatch, Engine, Limits, Scratch, Settings};
use crate::model::{Gap, Observer, Stage, Summary};
use crate::source::{FileTask, TreeOptions, Walk};

/// How a run goes about its work.
#[derive(Debug, Clone)]
pub struct Options {
    /// Threads; at least one is used.
    pub threads: usize,
    /// What of a tree is scanned.
    pub tree: TreeOptions,
    /// The place stage.
    pub settings: Settings,
    /// What one input may use up.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: 1,
            tree: TreeOptions::default(),
            settings: Settings::default(),
            limits: Limits::default(),
        }
    }
}

/// Something to scan.
#[derive(Debug, Clone)]
pub struct Input {
    /// File or folder.
    pub path: PathBuf,
    /// What reports put in front of paths below it; empty for none.
    pub prefix: String,
}

/// What a run brought.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Matches at their places, unordered.
    pub matches: Vec<BlobMatch>,
    /// What was looked at.
    pub summary: Summary,
}

/// Bytes of a window's core.
const WINDOW: usize = 4 << 20;

/// Scans files and folders.
#[must_use]
pub fn scan_tree(
    engine: &Engine,
    inputs: &[Input],
    options: &Options,
    observer: &dyn Observer,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut walks = Vec::new();
    let mut tasks = Vec::new();
    for input in inputs {
        match fs::metadata(&input.path) {
            Ok(m) if m.is_dir() => {
                let walk = Walk::new(&input.path, &options.tree);
                let (task, handle) = walk.start(&input.prefix);
                tasks.push(Task::Folder(walks.len(), Box::new(task), handle));
                walks.push(walk);
            }
            Ok(_) => {
                let name = input
                    .path
                    .file_name()
                    .map(|n| n.to_string_lossy().into_owned())
                    .unwrap_or_default();
                let shown = if input.prefix.is_empty() {
                    name
                } else {
                    input.prefix.clone()
                };
                let file = FileTask {
                    path: input.path.clone(),
                    shown: shown.into_bytes(),
                    follow: true,
                };
                tasks.push(Task::Files(vec![file]));
            }
            Err(e) => outcome.summary.gaps.push(Gap {
                path: input.path.display().to_string(),
                reason: open_reason(&e),
            }),
        }
    }
    observer.stage(Stage::Tree);
    observer.ahead((tasks.len() - walks.len()) as i64, 0);
    if walks.is_empty() {
        observer.all_ahead();
    }
    let queue = Queue {
        state: Mutex::new(State {
            tasks,
            working: 0,
            folders: walks.len(),
        }),
        wake: Condvar::new(),
    };
    let threads = options.threads.max(1);
    let worker = || Worker {
        engine,
        options,
        walks: &walks,
        queue: &queue,
        observer,
        scratch: Scratch::default(),
        buffer: Vec::new(),
        outcome: Outcome::default(),
    };
    let parts: Vec<Outcome> = if threads == 1 {
        vec![worker().run()]
    } else {
        std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads)
                .map(|_| scope.spawn(|| worker().run()))
                .collect();
            handles.into_iter().filter_map(|h| h.join().ok()).collect()
        })
    };
    for part in parts {
        outcome.matches.extend(part.matches);
        outcome.summary.merge(part.summary);
    }
    outcome.summary.cancelled |= observer.cancelled();
    outcome.summary.sort();
    outcome
}

fn open_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        _ => error.to_string(),
    }
}
