//! Who is asked next: questions by service, the least busy service first.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Part of the threads that one service may have while others wait.
const SHARE: usize = 4;
/// Questions that one service may have under way at most: the network sends no more to a host at once.
const MOST: usize = 4;

/// Questions that are still to be asked.
pub(super) struct Queue {
    services: Mutex<Vec<Service>>,
    /// Told when an answer has come.
    answered: Condvar,
    /// Questions that one service may have under way.
    most: usize,
}

#[derive(Default)]
struct Service {
    waiting: VecDeque<usize>,
    /// Under way.
    busy: usize,
    asked: usize,
}

/// A question that is under way until this is dropped.
pub(super) struct Task<'q> {
    queue: &'q Queue,
    service: usize,
    number: usize,
}

impl Task<'_> {
    /// Which one it is.
    pub(super) fn number(&self) -> usize {
        self.number
    }
}

impl Queue {
    /// The questions in their order, each by the service that is asked.
    pub(super) fn new<'s>(questions: impl Iterator<Item = &'s str>, threads: usize) -> Self {
        let mut services: Vec<Service> = Vec::new();
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for (number, name) in questions.enumerate() {
            let at = *numbers.entry(name).or_insert_with(|| {
                services.push(Service::default());
                services.len() - 1
            });
            if let Some(service) = services.get_mut(at) {
                service.waiting.push_back(number);
            }
        }
        Self {
            services: Mutex::new(services),
            answered: Condvar::new(),
            most: threads.div_ceil(SHARE).clamp(1, MOST),
        }
    }

    /// The next question; waits where each service that is left has enough to do. `None` when all have been handed out.
    pub(super) fn next(&self) -> Option<Task<'_>> {
        let mut services = self.lock();
        loop {
            let left = services.iter().enumerate();
            let left = left.filter(|(_, s)| !s.waiting.is_empty());
            let (at, service) = left.min_by_key(|(at, s)| (s.busy, s.asked, *at))?;
            if service.busy < self.most {
                let service = services.get_mut(at)?;
                let number = service.waiting.pop_front()?;
                service.busy += 1;
                service.asked += 1;
                return Some(Task {
                    queue: self,
                    service: at,
                    number,
                });
            }
            services = self
                .answered
                .wait(services)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Service>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        if let Some(service) = self.queue.lock().get_mut(self.service) {
            service.busy -= 1;
        }
        self.queue.answered.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(services: &[&'static str], threads: usize, keep: &str) -> Vec<usize> {
        let queue = Queue::new(services.iter().copied(), threads);
        let (mut order, mut held) = (Vec::new(), Vec::new());
        for _ in services {
            let task = queue.next().expect("one is left");
            order.push(task.number());
            if services[task.number()] == keep {
                held.push(task);
            }
        }
        assert!(queue.next().is_none());
        order
    }

    #[test]
    fn services_take_turns() {
        assert_eq!(
            order(&["a", "a", "a", "b", "b", "c"], 8, ""),
            [0, 3, 5, 1, 4, 2]
        );
    }

    #[test]
    fn a_slow_service_waits_behind_those_that_answer() {
        // `a` never answers: its second question comes only when nobody else has one.
        assert_eq!(
            order(&["a", "a", "b", "b", "b", "c", "c"], 8, "a"),
            [0, 2, 5, 3, 6, 4, 1]
        );
    }

    #[test]
    fn a_service_has_its_share_of_the_threads_alone() {
        let queue = Queue::new(["a"; 3].into_iter(), 8);
        let first = queue.next();
        let _second = queue.next();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let queue = &queue;
            scope.spawn(move || sender.send(queue.next().map(|task| task.number())));
            let early = receiver.recv_timeout(std::time::Duration::from_millis(50));
            assert!(early.is_err(), "a third one was asked at once");
            drop(first);
            assert_eq!(receiver.recv(), Ok(Some(2)));
        });
    }
}
