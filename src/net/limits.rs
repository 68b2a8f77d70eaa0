//! How often and how much at once a host is asked.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Requests a second where a provider says nothing.
const PER_SECOND: f64 = 10.0;
/// Requests at once to one host.
const AT_ONCE: usize = 4;
/// How often a wait looks whether it should end.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// What is known of the hosts.
#[derive(Debug, Default)]
pub(super) struct Limits {
    hosts: Mutex<BTreeMap<String, Host>>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct Host {
    /// Requests under way.
    open: usize,
    /// When the next one may begin.
    next: Duration,
}

/// Why a request may not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The time is over.
    Budget,
    /// It may not wait so long.
    Held,
    /// The run is interrupted.
    Interrupted,
}

/// What a wait goes by.
pub(super) trait Waiting {
    /// Time since the run began.
    fn elapsed(&self) -> Duration;

    /// Whether it may go on until a moment.
    fn may_wait(&self, until: Duration) -> Result<(), Stop>;

    /// Sleeps until a moment.
    fn sleep_until(&self, moment: Duration) -> Result<(), Stop> {
        loop {
            self.may_wait(moment)?;
            let left = moment.saturating_sub(self.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(LOOK));
        }
    }
}

/// A place among the requests to a host, given back when dropped.
#[derive(Debug)]
pub(super) struct Place<'l> {
    limits: &'l Limits,
    host: &'l str,
}

impl Limits {
    /// Waits until a request to a host may begin.
    pub(super) fn enter<'l>(
        &'l self,
        host: &'l str,
        per_second: Option<f64>,
        waiting: &dyn Waiting,
    ) -> Result<Place<'l>, Stop> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            waiting.may_wait(waiting.elapsed())?;
            let entry = hosts.entry(host.to_owned()).or_default();
            if entry.open < AT_ONCE {
                entry.open += 1;
                break;
            }
            let waited = self.left.wait_timeout(hosts, LOOK);
            hosts = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(hosts);
        let place = Place { limits: self, host };
        let rate = per_second.filter(|rate| rate.is_finite() && *rate > 0.0);
        let rate = rate.unwrap_or(PER_SECOND).clamp(0.001, 1000.0);
        let moment = self.with(host, |entry| {
            let moment = entry.next.max(waiting.elapsed());
            entry.next = moment + Duration::from_secs_f64(1.0 / rate);
            moment
        });
        waiting.sleep_until(moment)?;
        Ok(place)
    }

    /// Asks a host nothing more before a moment.
    pub(super) fn hold(&self, host: &str, until: Duration) {
        self.with(host, |entry| entry.next = entry.next.max(until));
    }

    fn with<T>(&self, host: &str, change: impl FnOnce(&mut Host) -> T) -> T {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        change(hosts.entry(host.to_owned()).or_default())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.limits.with(self.host, |entry| entry.open -= 1);
        self.limits.left.notify_all();
    }
}
