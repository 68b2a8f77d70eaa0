//! A thread that draws from the queue: it lists folders, scans files, and cuts big ones into windows.

use std::io::{Read as _, Seek as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::blob::BINARY_HEAD;
use super::super::windows::{WindowResult, WindowScan, before_missing, number_lines};
use super::super::{Engine, Limits, Scratch};
use super::queue::{BigFile, Queue, Task, lock};
use super::stream::{placed, scan_blob, scan_reader};
use super::{Options, Outcome, WINDOW};
use crate::model::{Gap, Observer, Skip, SkipKind};
use crate::source::{Content, DirTask, FileTask, OpenError, RulesHandle, Walk, open_regular};

/// Files of up to so many bytes are read whole.
const WHOLE: u64 = 8 << 20;

/// Matches that a window of a big file may have, however many windows share the file's limit.
const LEAST_MATCHES: usize = 1000;

/// Matches that one thread keeps; millions of keys are no leak but a trap.
const KEPT: usize = 250_000;

/// Files of one batch.
const BATCH: usize = 32;

pub(super) struct Worker<'r> {
    pub(super) engine: &'r Engine,
    pub(super) options: &'r Options,
    pub(super) walks: &'r [Walk<'r>],
    pub(super) queue: &'r Queue,
    pub(super) observer: &'r dyn Observer,
    pub(super) scratch: Scratch,
    pub(super) buffer: Vec<u8>,
    pub(super) outcome: Outcome,
}

impl Worker<'_> {
    pub(super) fn run(mut self) -> Outcome {
        while let Some(task) = self.next() {
            if !self.observer.cancelled() {
                self.perform(task);
            } else if let Task::Window(file, index) = task {
                self.done(&file, WindowResult::missing(index));
            }
            if self.outcome.matches.len() > KEPT {
                self.outcome.matches.truncate(KEPT);
                let reason = format!("more than {KEPT} matches: the rest is left out");
                let path = String::new();
                self.outcome.summary.gaps.push(Gap { path, reason });
            }
            let mut state = lock(&self.queue.state);
            state.working -= 1;
            if state.working == 0 && state.tasks.is_empty() {
                self.queue.wake.notify_all();
            }
        }
        self.outcome
    }

    fn next(&self) -> Option<Task> {
        let mut state = lock(&self.queue.state);
        loop {
            if let Some(task) = state.tasks.pop() {
                state.working += 1;
                return Some(task);
            }
            if state.working == 0 {
                return None;
            }
            state = self
                .queue
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn push(&self, tasks: impl IntoIterator<Item = Task>) {
        let mut state = lock(&self.queue.state);
        let before = state.tasks.len();
        state.tasks.extend(tasks);
        match state.tasks.len() - before {
            0 => {}
            1 => self.queue.wake.notify_one(),
            _ => self.queue.wake.notify_all(),
        }
    }

    fn perform(&mut self, task: Task) {
        match task {
            Task::Folder(walk, folder, handle) => self.folder(walk, *folder, &handle),
            Task::Files(files) => {
                let (mut count, mut bytes) = (0, 0);
                for file in files {
                    if self.observer.cancelled() {
                        break;
                    }
                    bytes += self.file(file);
                    count += 1;
                }
                self.observer.scanned(count, bytes);
            }
            Task::Window(file, index) => self.window(&file, index),
        }
    }

    fn folder(&mut self, index: usize, folder: DirTask, handle: &RulesHandle) {
        let Some(walk) = self.walks.get(index) else {
            return;
        };
        let listing = walk.list(folder, handle);
        for skip in listing.skips {
            self.outcome.summary.skip(skip);
        }
        self.outcome.summary.gaps.extend(listing.gaps);
        if let Some(damaged) = listing.damaged {
            self.outcome.summary.notes.push(damaged.to_string());
        }
        let folders = listing
            .folders
            .into_iter()
            .map(|(task, handle)| Task::Folder(index, Box::new(task), handle));
        let mut batches = Vec::new();
        let count = listing.files.len();
        let mut files = listing.files.into_iter();
        loop {
            let batch: Vec<FileTask> = files.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            batches.push(Task::Files(batch));
        }
        self.observer.ahead(count as i64, 0);
        {
            let mut state = lock(&self.queue.state);
            state.folders = state.folders + folders.len() - 1;
            if state.folders == 0 {
                self.observer.all_ahead();
            }
        }
        // Files lie on top of the queue, so that it stays short.
        self.push(folders.chain(batches));
    }

    /// Scans a file, or queues its windows; gives the bytes scanned here.
    fn file(&mut self, file: FileTask) -> u64 {
        let shown = || String::from_utf8_lossy(&file.shown).into_owned();
        let content = match open_regular(&file.path, file.follow) {
            Ok(content) => content,
            // The user named it, so that it must not go by as if it had been scanned.
            Err(OpenError::Special) if file.follow => {
                self.outcome.summary.gaps.push(Gap {
                    path: shown(),
                    reason: "neither a file, a folder nor a pipe".to_owned(),
                });
                return 0;
            }
            Err(OpenError::Special) => {
                self.outcome.summary.skip(Skip {
                    kind: SkipKind::Special,
                    path: shown(),
                    notable: false,
                });
                return 0;
            }
            Err(OpenError::Io(e)) => {
                self.outcome.summary.gaps.push(Gap {
                    path: shown(),
                    reason: crate::source::reason(&e),
                });
                return 0;
            }
        };
        self.content(content, file.shown)
    }

    /// Scans an open file, or queues its windows; gives the bytes scanned here.
    fn content(&mut self, content: Content, path: Vec<u8>) -> u64 {
        let shown = || String::from_utf8_lossy(&path).into_owned();
        if self
            .options
            .tree
            .max_size
            .is_some_and(|max| content.length > max)
        {
            let notable = crate::place::is_notable(
                &Path::new(&shown())
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy(),
            );
            self.outcome.summary.skip(Skip {
                kind: SkipKind::TooLarge,
                path: shown(),
                notable,
            });
            return 0;
        }
        if content.length > WHOLE {
            self.split(content, path);
            return 0;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = match content.read_whole(&mut buffer, WHOLE + 1) {
            Ok(read) => read,
            Err(e) => {
                self.buffer = buffer;
                self.outcome.summary.gaps.push(Gap {
                    path: shown(),
                    reason: crate::source::reason(&e),
                });
                return 0;
            }
        };
        if read as u64 > content.length {
            // It grew while it was read, or has no length of its own, as the files of /proc.
            self.buffer = buffer;
            return self.stream(&content, &shown());
        }
        if (read as u64) < content.length && content.has_shrunk() {
            self.outcome
                .summary
                .gaps
                .push(shorter(&path, read as u64, content.length));
        }
        let before = self.outcome.matches.len();
        let bytes = &buffer[..read];
        let binary = scan_blob(
            self.engine,
            bytes,
            &path,
            self.options,
            &mut self.scratch,
            &mut self.outcome,
        );
        self.observer
            .found((self.outcome.matches.len() - before) as u64);
        let length = read as u64;
        self.buffer = buffer;
        self.outcome.summary.files += 1;
        self.outcome.summary.bytes += length;
        self.outcome.summary.binary_files += u64::from(binary);
        length
    }

    /// Scans a file to wherever it ends.
    fn stream(&mut self, content: &Content, path: &str) -> u64 {
        let mut file = &content.file;
        // Reads at an offset move the place of the next one on some systems.
        if let Err(e) = file.rewind() {
            self.outcome.summary.gaps.push(Gap {
                path: path.to_owned(),
                reason: crate::source::reason(&e),
            });
            return 0;
        }
        let mut reader = file.take(self.options.tree.max_size.unwrap_or(u64::MAX));
        let part = scan_reader(
            self.engine,
            &mut reader,
            path.as_bytes(),
            self.options,
            &mut self.scratch,
            self.observer,
        );
        self.outcome.matches.extend(part.matches);
        self.outcome.summary.merge(part.summary);
        0
    }

    fn split(&mut self, content: Content, shown: Vec<u8>) {
        let mut head = [0u8; BINARY_HEAD];
        let read = content.read_window(0, &mut head).unwrap_or(0);
        let binary = memchr::memchr(0, &head[..read]).is_some();
        let windows = usize::try_from(content.length.div_ceil(WINDOW as u64)).unwrap_or(usize::MAX);
        self.outcome.summary.files += 1;
        self.outcome.summary.binary_files += u64::from(binary);
        self.observer.ahead(0, content.length);
        let file = Arc::new(BigFile {
            content,
            shown,
            binary,
            windows,
            done: Mutex::new(Vec::new()),
        });
        self.push(
            (0..windows)
                .rev()
                .map(|index| Task::Window(Arc::clone(&file), index)),
        );
    }

    fn window(&mut self, file: &Arc<BigFile>, index: usize) {
        let overlap = self.engine.overlap();
        let core_start = index as u64 * WINDOW as u64;
        let before = (overlap as u64).min(core_start);
        let context_start = core_start - before;
        let before = usize::try_from(before).unwrap_or(0);
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(before + WINDOW + overlap, 0);
        let read = file.content.read_window(context_start, &mut buffer);
        let result = match read {
            Ok(read) => {
                let bytes = &buffer[..read];
                let core = before.min(read)..(before + WINDOW).min(read);
                // Windows are scanned in any order, so each has its share of the file's limit.
                let all = self.options.limits.matches;
                let limits = Limits {
                    matches: (all / file.windows.max(1)).max(LEAST_MATCHES).min(all),
                    ..self.options.limits
                };
                let window = WindowScan {
                    engine: self.engine,
                    settings: &self.options.settings,
                    limits,
                    binary: file.binary,
                };
                let scratch = &mut self.scratch;
                let mut result = window.scan(bytes, core, context_start, index, scratch);
                let rest = file.content.length.saturating_sub(core_start);
                result.cut = result.scanned < rest.min(WINDOW as u64);
                if scratch.unseen.is_some() {
                    let most = limits.matches;
                    let reason = format!(
                        "more than {most} matches in {} MB: the rest was not looked at",
                        WINDOW >> 20
                    );
                    let path = String::from_utf8_lossy(&file.shown).into_owned();
                    self.outcome.summary.gaps.push(Gap { path, reason });
                }
                self.outcome.summary.bytes += result.scanned;
                self.observer.scanned(0, result.scanned);
                result
            }
            Err(e) => {
                self.outcome.summary.gaps.push(Gap {
                    path: String::from_utf8_lossy(&file.shown).into_owned(),
                    reason: format!("bytes from {core_start}: {}", crate::source::reason(&e)),
                });
                WindowResult::new(index, context_start)
            }
        };
        self.buffer = buffer;
        self.observer.found(result.found());
        self.done(file, result);
    }

    /// Adds what a window brought; the last one numbers the lines of all.
    fn done(&mut self, file: &BigFile, result: WindowResult) {
        let finished = {
            let mut done = lock(&file.done);
            done.push(result);
            (done.len() == file.windows).then(|| std::mem::take(&mut *done))
        };
        if let Some(results) = finished {
            let results = before_missing(results);
            if results.iter().any(|r| r.cut) && file.content.has_shrunk() {
                let scanned = results.iter().map(|r| r.scanned).sum();
                self.outcome
                    .summary
                    .gaps
                    .push(shorter(&file.shown, scanned, file.content.length));
            }
            let found = number_lines(self.engine, results);
            let matches = placed(self.engine, &found, &file.shown, self.options);
            self.outcome.matches.extend(matches);
        }
    }
}

/// The gap of a file whose end was gone when it was to be read.
fn shorter(path: &[u8], scanned: u64, length: u64) -> Gap {
    Gap {
        path: String::from_utf8_lossy(path).into_owned(),
        reason: format!(
            "became shorter while it was read: {scanned} of {length} bytes were scanned"
        ),
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
