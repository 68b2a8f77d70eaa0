//! Whether to stop, asked while the work is done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::Duration;

use crate::model::Observer;

/// Whether to stop scanning, and whether to stop saying where things stand.
#[derive(Default)]
pub(super) struct Stops {
    pub(super) scan: AtomicBool,
    pub(super) attribution: AtomicBool,
}

/// How often an observer is asked whether to stop.
const ASK: Duration = Duration::from_millis(20);

/// Does some work while another thread asks whether to stop: a single object or tree may take long.
pub(super) fn watched<R>(observer: &dyn Observer, work: impl FnOnce(&Stops) -> R) -> R {
    struct End<'e>(&'e AtomicBool, Thread);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
            self.1.unpark();
        }
    }
    let (stops, over) = (Stops::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                if observer.cancelled() {
                    stops.scan.store(true, Ordering::Relaxed);
                    if observer.overdue() {
                        stops.attribution.store(true, Ordering::Relaxed);
                        break;
                    }
                }
                std::thread::park_timeout(ASK);
            }
        });
        let _end = End(&over, watch.thread().clone());
        work(&stops)
    })
}
