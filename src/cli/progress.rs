//! Progress on a terminal, the time of each stage, and the wish to stop.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use keysweep::model::{Observer, Stage};

/// When the program began.
static BEGUN: OnceLock<Instant> = OnceLock::new();
/// When the user or the system asked the program to stop: there is one handler for all runs of a process.
static STOPPED: OnceLock<Instant> = OnceLock::new();
/// What a stopped run may still take to say where the things stand that it found.
const LATE: Duration = Duration::from_millis(600);
/// Runs shorter than this draw nothing.
const QUIET: Duration = Duration::from_millis(300);
/// Columns of the bar.
const BAR: usize = 20;

/// Remembers that the program begins now.
pub(crate) fn begin() {
    BEGUN.get_or_init(Instant::now);
}

/// Whether the program was asked to stop.
pub(crate) fn stopped() -> bool {
    STOPPED.get().is_some()
}

/// From now on the keyboard's interrupt and the system's wish to stop end a run in order.
pub(crate) fn heed_signals() {
    // A handler set earlier stays; then there is nothing more to do.
    let _ = ctrlc::set_handler(|| {
        STOPPED.get_or_init(Instant::now);
    });
}

/// Counts what the scanner tells.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Of the stage: what is done, and what is known to be there.
    items: AtomicU64,
    bytes: AtomicU64,
    ahead: AtomicI64,
    all_ahead: AtomicBool,
    /// Bytes of items that come in parts: those done, and all.
    part_bytes: AtomicU64,
    parts_ahead: AtomicU64,
    found: AtomicU64,
    /// The stages, each with its beginning.
    stages: Mutex<Vec<(Stage, Instant)>>,
    over: AtomicBool,
}

impl Observer for Counters {
    fn stage(&self, stage: Stage) {
        let mut stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        stages.push((stage, Instant::now()));
        for count in [
            &self.items,
            &self.bytes,
            &self.part_bytes,
            &self.parts_ahead,
        ] {
            count.store(0, Ordering::Relaxed);
        }
        self.ahead.store(0, Ordering::Relaxed);
        self.all_ahead.store(false, Ordering::Relaxed);
    }

    fn ahead(&self, items: i64, bytes: u64) {
        self.ahead.fetch_add(items, Ordering::Relaxed);
        self.parts_ahead.fetch_add(bytes, Ordering::Relaxed);
    }

    fn all_ahead(&self) {
        self.all_ahead.store(true, Ordering::Relaxed);
    }

    fn scanned(&self, items: u64, bytes: u64) {
        self.items.fetch_add(items, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if items == 0 {
            self.part_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    fn found(&self, matches: u64) {
        self.found.fetch_add(matches, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        stopped()
    }

    fn overdue(&self) -> bool {
        STOPPED.get().is_some_and(|since| since.elapsed() > LATE)
    }
}

impl Counters {
    /// How long each stage took, in the order in which they came first.
    pub(crate) fn times(&self) -> Vec<(Stage, Duration)> {
        let stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = stages.iter().skip(1).map(|(_, at)| *at);
        let ends = ends.chain([Instant::now()]);
        let mut times: Vec<(Stage, Duration)> = Vec::new();
        for ((stage, begun), end) in stages.iter().zip(ends) {
            let time = end.saturating_duration_since(*begun);
            match times.iter_mut().find(|(known, _)| known == stage) {
                Some((_, sum)) => *sum += time,
                None => times.push((*stage, time)),
            }
        }
        times
    }

    fn snapshot(&self) -> Snapshot {
        let stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        let (stage, begun) = match stages.last() {
            Some((stage, begun)) => (*stage, *begun),
            None => (Stage::Discover, Instant::now()),
        };
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Snapshot {
            stage,
            elapsed: begun.elapsed(),
            items: get(&self.items),
            bytes: get(&self.bytes),
            ahead: u64::try_from(self.ahead.load(Ordering::Relaxed)).unwrap_or(0),
            all_ahead: self.all_ahead.load(Ordering::Relaxed),
            parts: (get(&self.part_bytes), get(&self.parts_ahead)),
            found: get(&self.found),
            stopping: stopped(),
        }
    }
}

/// The drawing thread; it ends when this is dropped.
pub(crate) struct Progress {
    counters: Arc<Counters>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts counting, and drawing where somebody can see it; the keyboard's interrupt stops the run.
    pub(crate) fn start(quiet: bool) -> Self {
        let counters = Arc::new(Counters::default());
        if let Some(begun) = BEGUN.get() {
            let mut stages = counters
                .stages
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            stages.push((Stage::Start, *begun));
        }
        counters.stage(Stage::Discover);
        heed_signals();
        let visible = !quiet
            && io::stderr().is_terminal()
            && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        let thread = visible.then(|| {
            let counters = Arc::clone(&counters);
            std::thread::spawn(move || draw(&counters))
        });
        Self { counters, thread }
    }

    /// The observer for the library.
    pub(crate) fn observer(&self) -> &Counters {
        &self.counters
    }

    /// Draws no more; what comes after the scan is timed with what is given.
    pub(crate) fn end(self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.counters.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn draw(counters: &Counters) {
    let started = Instant::now();
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        bar.set_style(style);
    }
    while !counters.over.load(Ordering::Relaxed) {
        if started.elapsed() > QUIET {
            bar.set_message(counters.snapshot().line());
            bar.tick();
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    bar.finish_and_clear();
}

/// How far a stage is.
#[derive(Debug, Clone, Copy)]
struct Snapshot {
    stage: Stage,
    elapsed: Duration,
    items: u64,
    bytes: u64,
    ahead: u64,
    all_ahead: bool,
    /// Bytes of items that come in parts: those done, and all.
    parts: (u64, u64),
    found: u64,
    stopping: bool,
}

impl Snapshot {
    fn line(&self) -> String {
        if self.stopping {
            return format!("stopping: {}", self.stage.words());
        }
        let items = match self.stage {
            Stage::Tree | Stage::Added => "files",
            Stage::Objects => "objects",
            Stage::Commits => "commits",
            Stage::Stream => "",
            stage => return stage.words().to_owned(),
        };
        let seconds = self.elapsed.as_secs_f64().max(0.001);
        let rate = |count: u64| (count as f64 / seconds) as u64;
        let mut parts = Vec::new();
        let mut left = None;
        if let Some((done, all)) = self.done() {
            parts.push(bar(done, all));
            left = (done > 0).then(|| seconds / done as f64 * all.saturating_sub(done) as f64);
        }
        let count = HumanCount(self.items);
        match items {
            "" => {}
            // Folders are listed as files are scanned, so that more may come.
            _ if !self.all_ahead => parts.push(format!(
                "{count} of {} {items} so far",
                HumanCount(self.ahead.max(self.items))
            )),
            _ => parts.push(format!(
                "{count}/{} {items}",
                HumanCount(self.ahead.max(self.items))
            )),
        }
        if self.stage == Stage::Commits {
            parts.push(format!("{}/s", HumanCount(rate(self.items))));
        } else {
            let (bytes, rate) = (HumanBytes(self.bytes), HumanBytes(rate(self.bytes)));
            parts.push(format!("{bytes} ({rate}/s)"));
        }
        parts.push(format!("{} matches", HumanCount(self.found)));
        if let Some(left) = left {
            parts.push(format!("{} left", span(left)));
        }
        parts.join("  ")
    }

    /// How much is done, of how much: files or objects or, where only parts of large files are left, their bytes.
    /// `None` while that is not known.
    fn done(&self) -> Option<(u64, u64)> {
        let items = (self.items, self.ahead.max(self.items));
        if !self.all_ahead || items.1 == 0 {
            return None;
        }
        if self.parts.1 > 0 && items.0 == items.1 {
            return Some((self.parts.0.min(self.parts.1), self.parts.1));
        }
        Some(items)
    }
}

fn bar(done: u64, all: u64) -> String {
    let share = done as f64 / all.max(1) as f64;
    let full = ((share * BAR as f64) as usize).min(BAR);
    let percent = (share * 100.0) as u64;
    format!(
        "[{}{}] {percent:>3} %",
        "#".repeat(full),
        "-".repeat(BAR - full)
    )
}

/// A time for the eye.
fn span(seconds: f64) -> String {
    let whole = seconds.ceil() as u64;
    match whole {
        0..=99 => format!("{whole} s"),
        100..=5_999 => format!("{} min", whole.div_ceil(60)),
        _ => format!("{} h", whole.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCAN: Snapshot = Snapshot {
        stage: Stage::Tree,
        elapsed: Duration::from_secs(2),
        items: 1_000,
        bytes: 8 << 20,
        ahead: 4_000,
        all_ahead: true,
        parts: (0, 0),
        found: 3,
        stopping: false,
    };

    #[test]
    fn time_left_is_given_where_all_that_lies_ahead_is_known() {
        assert_eq!(
            SCAN.line(),
            "[#####---------------]  25 %  1,000/4,000 files  8.00 MiB (4.00 MiB/s)  3 matches  6 s left"
        );
        let walking = Snapshot {
            all_ahead: false,
            ..SCAN
        };
        assert_eq!(
            walking.line(),
            "1,000 of 4,000 files so far  8.00 MiB (4.00 MiB/s)  3 matches"
        );
    }

    #[test]
    fn bytes_count_where_large_files_are_left() {
        let last = Snapshot {
            items: 4_000,
            parts: (30 << 20, 40 << 20),
            ..SCAN
        };
        assert_eq!(last.done(), Some((30 << 20, 40 << 20)));
        assert!(last.line().starts_with("[###############-----]  75 %"));
        assert!(last.line().ends_with("1 s left"), "{}", last.line());
    }

    #[test]
    fn commits_have_a_rate_of_their_own_and_a_pipe_has_no_end() {
        let commits = Snapshot {
            stage: Stage::Commits,
            ..SCAN
        };
        assert!(commits.line().contains("1,000/4,000 commits  500/s"));
        let pipe = Snapshot {
            stage: Stage::Stream,
            items: 0,
            ahead: 0,
            all_ahead: false,
            ..SCAN
        };
        assert_eq!(pipe.line(), "8.00 MiB (4.00 MiB/s)  3 matches");
    }

    #[test]
    fn times_of_a_stage_that_comes_again_are_added() {
        let counters = Counters::default();
        for stage in [Stage::Start, Stage::Objects, Stage::Trees, Stage::Objects] {
            counters.stage(stage);
            std::thread::sleep(Duration::from_millis(2));
        }
        let times = counters.times();
        let stages: Vec<Stage> = times.iter().map(|(stage, _)| *stage).collect();
        assert_eq!(stages, [Stage::Start, Stage::Objects, Stage::Trees]);
        assert!(times[1].1 >= Duration::from_millis(4));
    }
}
