//! A long chain of deltas on more than one thread.
//!
//! Each object of a chain rests on the one before, so its decoding cannot be shared out; but looking at the objects can. A
//! worker that waits gets a copy of the object that another one has reached, and runs ahead along the chain: it decodes and
//! does not visit. As soon as what lies behind it, down to the other one, is no more than what lies before it, it begins to
//! visit: its first object as a new one, since it has no state of the base, then the rest as usual. The other one ends
//! there. What it inflated on the way it leaves for the other one, who need only apply it. So where inflating costs `i`,
//! applying `a` and visiting `v`, two threads are `(a + 2v) / (a + v)` times as fast as one.
//!
//! Handing objects to another thread for the visit instead was slower than a single thread: they leave the core's cache.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::Visitor;
use super::inflate::Buf;
use super::walk::{Task, lock};
use super::worker::{Frame, Worker};

/// Chains with fewer objects to come are not worth it.
const SHORTEST: usize = 64;
/// One who runs ahead and has not overtaken the other within so many objects gives up.
const PATIENCE: u32 = 512;

/// Deltas that are handed over at once.
const BATCH: usize = 64;

/// A chain that one worker visits and another runs ahead on.
pub(super) struct Chain {
    /// The upper half is the number of the object, counted along the chain, that the first one has reached; the lower half
    /// is the number at which it has to end, or one of the two below.
    reach: AtomicU64,
    /// What the second one inflated, ascending; holes where there was no room.
    deltas: Mutex<VecDeque<Batch>>,
    /// Bytes of deltas that there is room for.
    room: AtomicU64,
}

/// Deltas that follow each other.
#[derive(Default)]
struct Batch {
    /// The number of the object that the first one makes.
    first: u32,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    fn get(&self, number: u32) -> Option<&[u8]> {
        let at = number.checked_sub(self.first)? as usize;
        let start = if at == 0 { 0 } else { *self.ends.get(at - 1)? };
        self.bytes.get(start..*self.ends.get(at)?)
    }
}

/// The second one is on its way.
const OPEN: u32 = u32::MAX;
/// The second one gave up.
const GIVEN_UP: u32 = u32::MAX - 1;

/// An object's place on a chain.
pub(super) struct Lane {
    chain: Arc<Chain>,
    number: u32,
    batch: Batch,
}

/// Whether the first one may go on.
pub(super) enum Next {
    On(Option<Lane>),
    End,
}

fn parts(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

impl Lane {
    /// Takes the step to the next object, unless the other worker has it.
    pub(super) fn next(self) -> Next {
        let number = self.number + 1;
        let step = self
            .chain
            .reach
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                let (_, limit) = parts(word);
                (number < limit).then_some(u64::from(number) << 32 | u64::from(limit))
            });
        match step {
            Err(_) => Next::End,
            Ok(word) if parts(word).1 == GIVEN_UP => Next::On(None),
            Ok(_) => Next::On(Some(Self { number, ..self })),
        }
    }
}

impl Lane {
    /// The delta that makes this object, if it was inflated already.
    pub(super) fn delta(&mut self) -> Option<&[u8]> {
        if self.batch.get(self.number).is_none() {
            let mut deltas = lock(&self.chain.deltas);
            while let Some(front) = deltas.front()
                && front.first <= self.number
                && let Some(batch) = deltas.pop_front()
            {
                self.chain
                    .room
                    .fetch_add(batch.bytes.len() as u64, Ordering::Relaxed);
                self.batch = batch;
                if self.batch.get(self.number).is_some() {
                    break;
                }
            }
        }
        self.batch.get(self.number)
    }
}

impl Chain {
    /// Leaves inflated deltas to the first one, if there is room.
    fn leave(&self, batch: Batch) {
        let size = batch.bytes.len() as u64;
        let room = &self.room;
        let taken = room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| {
            room.checked_sub(size)
        });
        if taken.is_ok() {
            lock(&self.deltas).push_back(batch);
        }
    }

    /// For the one who runs ahead: whether to begin to visit at an object, of `count` in all. `None`: give up.
    fn claim(&self, number: u32, count: u32) -> Option<bool> {
        let claimed = self
            .reach
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                let (done, _) = parts(word);
                let far = u64::from(number) * 2 >= u64::from(count) + u64::from(done);
                (far && number > done).then_some(u64::from(done) << 32 | u64::from(number))
            });
        match claimed {
            Ok(_) => Some(true),
            Err(word) if number <= parts(word).0 && number >= PATIENCE => None,
            Err(_) if number >= count => None,
            Err(_) => Some(false),
        }
    }

    fn give_up(&self) {
        self.reach.fetch_or(u64::from(GIVEN_UP), Ordering::Relaxed);
        self.reach.fetch_and(!1, Ordering::Relaxed);
    }
}

impl<V: Visitor> Worker<'_, '_, V> {
    /// Sends a worker that waits ahead along the chain below a frame, if it is long.
    pub(super) fn send_ahead(&self, frame: &mut Frame<V::State>) {
        let single = frame.next + 1 == frame.end && frame.lane.is_none();
        let (true, Some(buf)) = (
            single && self.shared.tree.run(frame.entry) >= SHORTEST,
            &frame.buf,
        ) else {
            return;
        };
        let chain = Arc::new(Chain {
            reach: AtomicU64::new(u64::from(OPEN)),
            deltas: Mutex::default(),
            room: AtomicU64::new(self.shared.share / 2),
        });
        let copy = Frame {
            entry: frame.entry,
            kind: frame.kind,
            next: frame.next,
            end: frame.end,
            buf: Some(Buf::from(buf.bytes().to_vec())),
            state: None,
            lane: None,
        };
        if self
            .shared
            .offer(Task::Ahead(copy, Arc::clone(&chain)))
            .is_none()
        {
            frame.lane = Some(Lane {
                chain,
                number: 0,
                batch: Batch::default(),
            });
        }
    }

    /// Runs ahead along a chain; what rests on the object where it stops is on the stack then.
    pub(super) fn run_ahead(&mut self, frame: Frame<V::State>, chain: &Chain) {
        let tree = self.shared.tree;
        let count = tree.run(frame.entry) as u32;
        let (mut entry, mut buf) = (frame.entry, frame.buf.unwrap_or_default());
        let mut batch = Batch::default();
        for number in 1..=count {
            let Some(child) = tree.children(entry).last() else {
                break;
            };
            entry = *child as usize;
            // The other one meets the same damage, and reports it.
            let Ok(made) = self.apply(entry, buf.bytes()) else {
                break;
            };
            self.pool.give(std::mem::replace(&mut buf, made));
            if batch.ends.len() == BATCH {
                chain.leave(std::mem::take(&mut batch));
            }
            if batch.ends.is_empty() {
                batch.first = number;
            }
            batch.bytes.extend_from_slice(self.delta.bytes());
            batch.ends.push(batch.bytes.len());
            match chain.claim(number, count) {
                Some(false) if !self.shared.stopped() => {}
                Some(true) => {
                    chain.leave(batch);
                    let state = self.visit(entry, frame.kind, buf.bytes(), None);
                    return self.descend(entry, frame.kind, buf, state);
                }
                _ => break,
            }
        }
        self.pool.give(buf);
        chain.give_up();
    }
}
