//! Threads, buffers and windows: trees and files in, matches at their places out.
//!
//! One set of workers draws from one queue of folders, batches of files and windows of big files.
//! Whatever their number, the result is the same: what they find is sorted when they are done.

use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::{fs, io};

use super::blob::{BINARY_HEAD, located, scan_whole, sort};
use super::join::{Located, place};
use super::windows::{WindowResult, WindowScan, before_missing, number_lines};
use super::{BlobMatch, Engine, Limits, Scratch, Settings};
use crate::model::{Gap, MarkAt, Observer, Skip, SkipKind, Stage, Summary};
use crate::place::comment;
use crate::source::{
    Content, DirTask, FileTask, OpenError, RulesHandle, TreeOptions, Walk, open_regular,
};

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
/// Files of up to so many bytes are read whole.
const WHOLE: u64 = 8 << 20;
/// Matches that a window of a big file may have, however many windows share the file's limit.
const LEAST_MATCHES: usize = 1000;
/// Matches that one thread keeps; millions of keys are no leak but a trap.
const KEPT: usize = 250_000;
/// Files of one batch.
const BATCH: usize = 32;

enum Task {
    Folder(usize, Box<DirTask>, RulesHandle),
    Files(Vec<FileTask>),
    Window(Arc<BigFile>, usize),
}

/// A file that is scanned window by window.
struct BigFile {
    content: Content,
    shown: Vec<u8>,
    binary: bool,
    windows: usize,
    done: Mutex<Vec<WindowResult>>,
}

struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    tasks: Vec<Task>,
    working: usize,
    /// Folders that are queued or being listed.
    folders: usize,
}

struct Worker<'r> {
    engine: &'r Engine,
    options: &'r Options,
    walks: &'r [Walk<'r>],
    queue: &'r Queue,
    observer: &'r dyn Observer,
    scratch: Scratch,
    buffer: Vec<u8>,
    outcome: Outcome,
}

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

fn scan_blob(
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
fn placed<'p>(
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

/// The gap of a file whose end was gone when it was to be read.
fn shorter(path: &[u8], scanned: u64, length: u64) -> Gap {
    Gap {
        path: String::from_utf8_lossy(path).into_owned(),
        reason: format!(
            "became shorter while it was read: {scanned} of {length} bytes were scanned"
        ),
    }
}

fn open_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        _ => error.to_string(),
    }
}

impl Worker<'_> {
    fn run(mut self) -> Outcome {
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
