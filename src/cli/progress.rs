//! Progress on a terminal, and the wish to stop.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use keysweep::model::Observer;

/// Whether the user or the system asked the program to stop: there is one handler for all runs of a process.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Whether the program was asked to stop.
pub(crate) fn stopped() -> bool {
    STOPPED.load(Ordering::Relaxed)
}

/// Counts what the scanner tells, and draws it ten times a second from a thread of its own.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    files: AtomicU64,
    bytes: AtomicU64,
    found: AtomicU64,
    stop: AtomicBool,
    over: AtomicBool,
}

impl Observer for Counters {
    fn scanned(&self, files: u64, bytes: u64) {
        self.files.fetch_add(files, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn found(&self, matches: u64) {
        self.found.fetch_add(matches, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || stopped()
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
        let on_signal = Arc::clone(&counters);
        // A handler set earlier stays; then there is nothing more to do.
        let _ = ctrlc::set_handler(move || {
            STOPPED.store(true, Ordering::Relaxed);
            on_signal.stop.store(true, Ordering::Relaxed);
        });
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
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    while !counters.over.load(Ordering::Relaxed) {
        // Short runs draw nothing.
        if started.elapsed() > Duration::from_millis(300) {
            let bytes = counters.bytes.load(Ordering::Relaxed);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a rate for the eye"
            )]
            let rate = (bytes as f64 / started.elapsed().as_secs_f64()) as u64;
            bar.set_message(format!(
                "{} files, {} ({}/s), {} matches",
                HumanCount(counters.files.load(Ordering::Relaxed)),
                HumanBytes(bytes),
                HumanBytes(rate),
                HumanCount(counters.found.load(Ordering::Relaxed)),
            ));
            bar.tick();
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    bar.finish_and_clear();
}
