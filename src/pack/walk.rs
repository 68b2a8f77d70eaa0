//! The walk over a pack: what it gives to its visitors, and how the work is shared out among threads.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::chain::Chain;
use super::worker::{Frame, Worker};
use super::{DeltaTree, EditMap, Entries, Gap, Kind, Oid, Pack, Window};

/// What looks at decoded objects. Each thread has one of its own.
pub trait Visitor: Send {
    /// What is known of an object while there are deltas on it to come.
    type State: Send + Sync;

    /// Looks at an object.
    ///
    /// `base` is what was returned for its delta base, maybe by another thread's visitor. It is `Some` exactly when
    /// [`Object::edits`] is. With neither, all of the object is new: it is a whole one, or its base was not wanted, or the
    /// work was divided here. So what is found in an object must not depend on whether there is a base.
    fn object(&mut self, object: &Object<'_>, base: Option<&Self::State>) -> Self::State;

    /// Looks at a stretch of an object too large to be held. Stretches of one object come in order, to one visitor.
    fn window(&mut self, object: &Head<'_>, window: &Window<'_>);
}

/// Which object it is.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    pack: &'a Pack,
    entries: &'a Entries,
    /// Number of its entry, by offset in the pack.
    pub entry: usize,
    /// What it is.
    pub kind: Kind,
    /// Its length in bytes.
    pub size: u64,
}

impl<'a> Head<'a> {
    pub(super) fn new(
        pack: &'a Pack,
        entries: &'a Entries,
        entry: usize,
        kind: Kind,
        size: u64,
    ) -> Self {
        Self {
            pack,
            entries,
            entry,
            kind,
            size,
        }
    }

    /// Its id, looked up in the index.
    pub fn id(&self) -> Oid {
        self.entries.id(self.pack, self.entry)
    }

    /// Where it begins in the pack.
    pub fn offset(&self) -> u64 {
        self.entries.offset(self.entry)
    }
}

/// A decoded object.
#[derive(Clone, Copy)]
pub struct Object<'a> {
    /// Which it is.
    pub head: Head<'a>,
    /// Its content, without git's header.
    pub bytes: &'a [u8],
    /// How it came from its delta base, when the visitors have seen that: `None` means that all of it is new.
    pub edits: Option<&'a EditMap>,
    /// Entry number of that delta base.
    pub base: Option<usize>,
    /// Whether a delta on it is to come, which what the visitor returns is then given to.
    pub is_base: bool,
}

/// Gives the content of objects outside the pack.
pub trait OutsideBases: Sync {
    /// The object with an id, `None` when it is not to be had or has more than `most` bytes.
    fn base(&self, id: &Oid, most: u64) -> Option<(Kind, Vec<u8>)>;
}

/// How a walk goes about it.
pub struct Options<'w> {
    /// Bytes for decoded objects and deltas, all threads together; the pack, the index and the lists come on top.
    pub memory: u64,
    /// Most bytes of an object, whether held or seen through windows.
    pub object: u64,
    /// Blobs above this that no delta rests on come in windows.
    pub stream_over: u64,
    /// Bytes of a window.
    pub window: usize,
    /// Bytes that a window has in common with the one before.
    pub overlap: usize,
    /// Where delta bases outside the pack come from; without it, what rests on them is a gap.
    pub outside: Option<&'w dyn OutsideBases>,
    /// Becomes true when the walk is to end early.
    pub stop: Option<&'w AtomicBool>,
}

impl Default for Options<'_> {
    /// 192 MB for objects, 4 GB the largest object, windows of 4 MB that overlap by 64 KB for blobs over 16 MB.
    fn default() -> Self {
        Self {
            memory: 192 << 20,
            object: 4 << 30,
            stream_over: 16 << 20,
            window: 4 << 20,
            overlap: 64 << 10,
            outside: None,
            stop: None,
        }
    }
}

/// What a walk leaves.
pub struct Walked<V> {
    /// The visitors, one per thread, in no order: which objects went to which depends on the threads' speed. Sort what
    /// they gathered by [`Head::entry`].
    pub visitors: Vec<V>,
    /// Wanted objects that could not be decoded, by offset.
    pub gaps: Vec<Gap>,
    /// Objects given to visitors.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Decodes the wanted objects of a delta tree, each once, on all threads of `pool`, and gives them to visitors that
/// `make` makes, one per thread.
///
/// A delta base comes before what rests on it; beyond that there is no order.
pub fn walk<V: Visitor>(
    pack: &Pack,
    entries: &Entries,
    tree: &DeltaTree,
    options: &Options<'_>,
    pool: &rayon::ThreadPool,
    make: impl Fn() -> V + Sync,
) -> Walked<V> {
    let threads = pool.current_num_threads();
    let shared = Shared {
        pack,
        entries,
        tree,
        options,
        share: options.memory / 2 / threads as u64,
        units: units(tree, threads),
        next: AtomicUsize::new(0),
        queue: Mutex::new(Queue {
            tasks: VecDeque::new(),
            busy: threads,
        }),
        wake: Condvar::new(),
        hungry: AtomicUsize::new(0),
        big: Mutex::new(()),
        failed: AtomicBool::new(false),
    };
    let ends = pool.broadcast(|_| {
        let _alarm = Alarm(&shared);
        Worker::new(&shared, make()).run()
    });
    let mut walked = Walked {
        visitors: Vec::with_capacity(threads),
        gaps: tree.gaps(pack, entries),
        objects: 0,
        bytes: 0,
    };
    for end in ends {
        walked.visitors.push(end.visitor);
        walked.gaps.extend(end.gaps);
        walked.objects += end.objects;
        walked.bytes += end.bytes;
    }
    walked.gaps.sort_by_key(|gap| (gap.offset, gap.id));
    walked
}

/// What all workers of a walk see.
pub(super) struct Shared<'w, V: Visitor> {
    pub(super) pack: &'w Pack,
    pub(super) entries: &'w Entries,
    pub(super) tree: &'w DeltaTree,
    pub(super) options: &'w Options<'w>,
    /// Bytes that each worker may hold.
    pub(super) share: u64,
    units: Vec<Range<usize>>,
    next: AtomicUsize,
    queue: Mutex<Queue<V>>,
    wake: Condvar,
    /// Workers that wait, less the tasks that wait.
    hungry: AtomicUsize,
    /// Its holder may take the half of the memory that is not shared out.
    big: Mutex<()>,
    failed: AtomicBool,
}

struct Queue<V: Visitor> {
    tasks: VecDeque<Task<V>>,
    busy: usize,
}

/// Work that one worker gives to another.
pub(super) enum Task<V: Visitor> {
    /// A decoded object with deltas on it to come.
    Subtree(Frame<V::State>),
    /// An object to run ahead from.
    Ahead(Frame<V::State>, Arc<Chain>),
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'w, V: Visitor> Shared<'w, V> {
    /// The next roots, while there are any.
    pub(super) fn unit(&self) -> Option<&'w [u32]> {
        let unit = self.units.get(self.next.fetch_add(1, Ordering::Relaxed))?;
        self.tree.roots().get(unit.clone())
    }

    /// Waits for work from others; `None` when nobody works any more.
    pub(super) fn task(&self) -> Option<Task<V>> {
        let mut queue = lock(&self.queue);
        queue.busy -= 1;
        let mut counted = false;
        loop {
            if let Some(task) = queue.tasks.pop_front() {
                queue.busy += 1;
                if !counted {
                    // It was put there for one that waits, and who goes on being hungry.
                    self.hungry.fetch_add(1, Ordering::Relaxed);
                }
                return Some(task);
            }
            if queue.busy == 0 || self.stopped() {
                self.wake.notify_all();
                return None;
            }
            if !counted {
                counted = true;
                self.hungry.fetch_add(1, Ordering::Relaxed);
            }
            queue = self
                .wake
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether somebody waits for work.
    pub(super) fn is_hungry(&self) -> bool {
        self.hungry.load(Ordering::Relaxed) > 0
    }

    /// Gives work away; hands it back if nobody waits any more.
    pub(super) fn offer(&self, task: Task<V>) -> Option<Task<V>> {
        let mut queue = lock(&self.queue);
        if self.hungry.load(Ordering::Relaxed) == 0 {
            return Some(task);
        }
        self.hungry.fetch_sub(1, Ordering::Relaxed);
        queue.tasks.push_back(task);
        drop(queue);
        self.wake.notify_one();
        None
    }

    /// Waits for the memory that is there for large objects.
    pub(super) fn big(&self) -> MutexGuard<'_, ()> {
        lock(&self.big)
    }

    /// Whether the caller or a panic elsewhere ends the walk.
    pub(super) fn stopped(&self) -> bool {
        let stop = self
            .options
            .stop
            .is_some_and(|stop| stop.load(Ordering::Relaxed));
        stop || self.failed.load(Ordering::Relaxed)
    }
}

/// Wakes the other workers when a visitor panics, so that they do not wait for ever.
struct Alarm<'s, 'w, V: Visitor>(&'s Shared<'w, V>);

impl<V: Visitor> Drop for Alarm<'_, '_, V> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.failed.store(true, Ordering::Relaxed);
            let _queue = lock(&self.0.queue);
            self.0.wake.notify_all();
        }
    }
}

/// Cuts the roots into runs of about equal work: those with much first, so that none of them is begun last.
fn units(tree: &DeltaTree, threads: usize) -> Vec<Range<usize>> {
    let roots = tree.roots();
    let cost = |range: &Range<usize>| -> u64 {
        let all = roots[range.clone()].iter();
        all.map(|root| tree.cost(*root as usize))
            .fold(0, u64::saturating_add)
    };
    let target = (cost(&(0..roots.len())) / (64 * threads as u64)).clamp(64 << 10, 4 << 20);
    let mut units: Vec<Range<usize>> = Vec::new();
    let (mut start, mut sum) = (0, 0_u64);
    for (i, root) in roots.iter().enumerate() {
        sum = sum.saturating_add(tree.cost(*root as usize));
        if sum >= target {
            units.push(start..i + 1);
            (start, sum) = (i + 1, 0);
        }
    }
    units.push(start..roots.len());
    let large = 8 * target;
    units.sort_by_cached_key(|unit| {
        let cost = cost(unit);
        (
            std::cmp::Reverse(if cost > large { cost } else { 0 }),
            unit.start,
        )
    });
    units
}
