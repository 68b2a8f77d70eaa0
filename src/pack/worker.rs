//! One thread of a walk: depth first along the delta tree, over reused buffers, within its share of memory.

use std::sync::{Arc, MutexGuard};

use libdeflater::Decompressor;

use super::chain::{Lane, Next};
use super::delta::Delta;
use super::entry::Role;
use super::inflate::{Buf, Pool, Stream, Windower, inflate};
use super::read_at::Cursor;
use super::walk::{Shared, Task};
use super::{EditMap, Gap, Head, Kind, Object, Visitor, Why};

/// A decoded object whose children are being visited.
pub(super) struct Frame<S> {
    pub(super) entry: usize,
    pub(super) kind: Kind,
    /// Which of its children come next, and where they end.
    pub(super) next: usize,
    pub(super) end: usize,
    /// Its content; `None` after it was given up for want of memory.
    pub(super) buf: Option<Buf>,
    pub(super) state: Option<Arc<S>>,
    /// It is on a chain along which another worker runs ahead.
    pub(super) lane: Option<Lane>,
}

impl<S> Frame<S> {
    fn held(&self) -> usize {
        self.buf.as_ref().map_or(0, Buf::held)
    }
}

/// What a worker has at its end.
pub(super) struct End<V> {
    pub(super) visitor: V,
    pub(super) gaps: Vec<Gap>,
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

pub(super) struct Worker<'s, 'w, V: Visitor> {
    pub(super) shared: &'s Shared<'w, V>,
    visitor: V,
    cursor: Cursor<'w>,
    tool: Decompressor,
    pub(super) delta: Buf,
    edits: EditMap,
    pub(super) pool: Pool,
    stack: Vec<Frame<V::State>>,
    /// Bytes in the stack's buffers.
    live: usize,
    big: Option<MutexGuard<'s, ()>>,
    rebuilt: u64,
    gaps: Vec<Gap>,
    objects: u64,
    bytes: u64,
}

/// A subtree with less work is not worth giving away.
const WORTH: u64 = 256 << 10;

impl<'s, 'w, V: Visitor> Worker<'s, 'w, V> {
    pub(super) fn new(shared: &'s Shared<'w, V>, visitor: V) -> Self {
        Self {
            shared,
            visitor,
            cursor: Cursor::new(&shared.pack.source),
            tool: Decompressor::new(),
            delta: Buf::default(),
            edits: EditMap::default(),
            pool: Pool::default(),
            stack: Vec::new(),
            live: 0,
            big: None,
            rebuilt: 0,
            gaps: Vec::new(),
            objects: 0,
            bytes: 0,
        }
    }

    pub(super) fn run(mut self) -> End<V> {
        while let Some(roots) = self.shared.unit() {
            for root in roots {
                if self.shared.stopped() {
                    break;
                }
                self.root(*root as usize);
                self.drain();
                self.big = None;
            }
        }
        while let Some(task) = self.shared.task() {
            match task {
                Task::Subtree(frame) => {
                    self.push(frame);
                    self.drain();
                    self.big = None;
                }
                Task::Ahead(frame, chain) => {
                    self.run_ahead(frame, &chain);
                    self.drain();
                    self.big = None;
                }
            }
        }
        End {
            visitor: self.visitor,
            gaps: self.gaps,
            objects: self.objects,
            bytes: self.bytes,
        }
    }

    /// Decodes and visits a root, and puts it on the stack if there are deltas on it.
    fn root(&mut self, entry: usize) {
        let shared = self.shared;
        let childless = shared.tree.children(entry).is_empty();
        if let Role::Whole(kind) = shared.entries.role(entry) {
            let size = shared.entries.claimed(entry);
            let streamed = kind == Kind::Blob && childless && size > shared.options.stream_over;
            if streamed || size > shared.options.object || self.fits(size).is_err() {
                return self.stream(entry, kind, size);
            }
        }
        match self.whole(entry) {
            Ok((buf, kind)) => {
                let state = self.visit(entry, kind, buf.bytes(), None);
                self.descend(entry, kind, buf, state);
            }
            Err(why) => self.lose(entry, why),
        }
    }

    /// A root's content and kind.
    fn whole(&mut self, entry: usize) -> Result<(Buf, Kind), Why> {
        let shared = self.shared;
        let claimed = shared.entries.claimed(entry);
        if let Role::Whole(kind) = shared.entries.role(entry) {
            self.room(claimed)?;
            let (offset, packed) = self.packed(entry);
            let mut buf = self.pool.take(claimed as usize);
            inflate(
                &mut self.tool,
                self.cursor.at(offset, packed)?,
                buf.bytes_mut(),
            )?;
            return Ok((buf, kind));
        }
        let id = shared.entries.outside_base(entry).ok_or(Why::Header)?;
        let most = self.most() / 2;
        let found = shared
            .options
            .outside
            .and_then(|outside| outside.base(&id, most));
        let (kind, base) = found.ok_or(Why::NoBase(id))?;
        Ok((self.apply(entry, &base)?, kind))
    }

    /// The object that an entry's delta makes of its base; `self.edits` becomes its map.
    pub(super) fn apply(&mut self, entry: usize, base: &[u8]) -> Result<Buf, Why> {
        self.inflate_delta(entry, base.len())?;
        self.make(base)
    }

    /// The object that `self.delta` makes of a base of the right size.
    fn make(&mut self, base: &[u8]) -> Result<Buf, Why> {
        let size = Delta::new(self.delta.bytes())?.result_size();
        self.room(size.saturating_add((base.len() + self.delta.bytes().len()) as u64))?;
        let mut buf = self.pool.take(size as usize);
        Delta::new(self.delta.bytes())?.apply(base, buf.bytes_mut(), &mut self.edits)?;
        Ok(buf)
    }

    /// Inflates an entry's delta into `self.delta`, and checks that it is for a base of this size.
    fn inflate_delta(&mut self, entry: usize, base: usize) -> Result<(), Why> {
        let claimed = self.shared.entries.claimed(entry);
        self.room(claimed.saturating_add(base as u64))?;
        let (offset, packed) = self.packed(entry);
        if self.delta.held() as u64 > claimed.saturating_mul(4).max(1 << 20) {
            self.delta = Buf::default(); // after one huge delta, do not keep its room
        }
        self.delta.set_len(claimed as usize);
        inflate(
            &mut self.tool,
            self.cursor.at(offset, packed)?,
            self.delta.bytes_mut(),
        )?;
        let delta = Delta::new(self.delta.bytes())?;
        delta.check(base)?;
        let size = delta.result_size();
        let most = self.shared.options.object;
        if size > most {
            return Err(Why::TooLarge {
                need: size,
                budget: most,
            });
        }
        Ok(())
    }

    /// Where an entry's stream is. Of an overlong one (no encoder doubles its input) only so much is read.
    fn packed(&self, entry: usize) -> (u64, usize) {
        let (offset, packed) = self.shared.entries.data(entry);
        let most = (2 * self.shared.entries.claimed(entry)).saturating_add(64 << 10);
        (
            offset,
            packed.min(usize::try_from(most).unwrap_or(usize::MAX)),
        )
    }

    /// Gives an object to the visitor, if it is wanted. `base` is its delta base, with `self.edits` as the map.
    pub(super) fn visit(
        &mut self,
        entry: usize,
        kind: Kind,
        bytes: &[u8],
        base: Option<&Frame<V::State>>,
    ) -> Option<V::State> {
        let shared = self.shared;
        if !shared.tree.is_wanted(entry) {
            return None;
        }
        self.objects += 1;
        self.bytes += bytes.len() as u64;
        let known = base.and_then(|base| Some((base.entry, base.state.as_deref()?)));
        let object = Object {
            head: Head::new(shared.pack, shared.entries, entry, kind, bytes.len() as u64),
            bytes,
            edits: known.map(|_| &self.edits),
            base: known.map(|(entry, _)| entry),
            is_base: !shared.tree.children(entry).is_empty(),
        };
        Some(self.visitor.object(&object, known.map(|(_, state)| state)))
    }

    /// Gives a root that is not to be held to the visitor in windows. What rests on it is lost.
    fn stream(&mut self, entry: usize, kind: Kind, size: u64) {
        let shared = self.shared;
        let options = shared.options;
        let children = shared.tree.children(entry);
        let need = size.saturating_mul(2);
        for child in children {
            self.lose(
                *child as usize,
                Why::TooLarge {
                    need,
                    budget: self.most(),
                },
            );
        }
        if !shared.tree.is_wanted(entry) {
            return;
        }
        if size > options.object {
            return self.lose_one(
                entry,
                Why::TooLarge {
                    need: size,
                    budget: options.object,
                },
            );
        }
        let (offset, packed) = shared.entries.data(entry);
        let head = Head::new(shared.pack, shared.entries, entry, kind, size);
        let visitor = &mut self.visitor;
        let mut windows = Windower::new(size, options.window, options.overlap, |window| {
            visitor.window(&head, &window);
        });
        let mut stream = Stream::new(&shared.pack.source, offset, offset + packed as u64);
        match stream.windows(size, &mut windows, &|| shared.stopped()) {
            Ok(()) => {
                self.objects += 1;
                self.bytes += size;
            }
            Err(why) => self.lose_one(entry, why),
        }
    }

    /// Visits all that rests on the objects on the stack.
    fn drain(&mut self) {
        while let Some(mut frame) = self.stack.pop() {
            self.live -= frame.held();
            if self.shared.stopped() {
                continue;
            }
            if frame.next >= frame.end {
                self.recycle(frame);
                continue;
            }
            if self.shared.is_hungry() {
                self.share_out(&mut frame);
            }
            self.step(frame);
        }
    }

    /// Decodes and visits the next child of a frame.
    fn step(&mut self, mut frame: Frame<V::State>) {
        let child = self.shared.tree.children(frame.entry)[frame.next] as usize;
        frame.next += 1;
        // The last child is the next object of the chain.
        let mut lane = None;
        if frame.next == frame.end
            && let Some(at) = frame.lane.take()
        {
            match at.next() {
                Next::On(on) => lane = on,
                Next::End => return self.recycle(frame),
            }
        }
        if frame.buf.is_none() {
            match self.rebuild(frame.entry) {
                Ok(buf) => frame.buf = Some(buf),
                Err(why) => {
                    let rest = &self.shared.tree.children(frame.entry)[frame.next - 1..frame.end];
                    for child in rest {
                        self.lose(*child as usize, why);
                    }
                    frame.next = frame.end;
                    return self.push(frame);
                }
            }
        }
        let base = frame.buf.as_ref().map_or(&[][..], Buf::bytes);
        let kind = frame.kind;
        let made = match lane.as_mut().and_then(Lane::delta) {
            Some(delta) => {
                self.delta.set_len(delta.len());
                self.delta.bytes_mut().copy_from_slice(delta);
                self.make(base)
            }
            None => self.apply(child, base),
        };
        match made {
            Ok(buf) => {
                let state = self.visit(child, kind, buf.bytes(), Some(&frame));
                self.leave(frame);
                self.descend(child, kind, buf, state);
                if let Some(top) = self.stack.last_mut().filter(|top| top.entry == child) {
                    top.lane = lane;
                }
            }
            Err(Why::TooLarge { need, budget }) => {
                self.pieces(child, kind, base, need, budget);
                self.leave(frame);
            }
            Err(why) => {
                self.lose(child, why);
                self.leave(frame);
            }
        }
    }

    /// Gives what a delta makes to the visitor in windows, since there is no room for it. What rests on it is lost.
    fn pieces(&mut self, entry: usize, kind: Kind, base: &[u8], need: u64, budget: u64) {
        let shared = self.shared;
        let options = shared.options;
        let lost = Why::TooLarge { need, budget };
        for child in shared.tree.children(entry) {
            self.lose(*child as usize, lost);
        }
        if !shared.tree.is_wanted(entry) {
            return;
        }
        let given = self.inflate_delta(entry, base.len()).and_then(|()| {
            let delta = Delta::new(self.delta.bytes())?;
            let size = delta.result_size();
            let head = Head::new(shared.pack, shared.entries, entry, kind, size);
            let visitor = &mut self.visitor;
            let mut windows = Windower::new(size, options.window, options.overlap, |window| {
                visitor.window(&head, &window);
            });
            delta.pieces(base, |piece| windows.push(piece))?;
            Ok(size)
        });
        match given {
            Ok(size) => {
                self.objects += 1;
                self.bytes += size;
            }
            Err(why) => self.lose_one(entry, why),
        }
    }

    /// After a child: back on the stack if there are more, else its buffer is free.
    fn leave(&mut self, frame: Frame<V::State>) {
        if frame.next < frame.end {
            self.push(frame);
        } else {
            self.recycle(frame);
        }
    }

    fn recycle(&mut self, frame: Frame<V::State>) {
        if let Some(buf) = frame.buf {
            self.pool.give(buf);
        }
    }

    /// Puts an object on the stack if there are deltas on it.
    pub(super) fn descend(&mut self, entry: usize, kind: Kind, buf: Buf, state: Option<V::State>) {
        let end = self.shared.tree.children(entry).len();
        if end == 0 {
            return self.pool.give(buf);
        }
        self.push(Frame {
            entry,
            kind,
            next: 0,
            end,
            buf: Some(buf),
            state: state.map(Arc::new),
            lane: None,
        });
    }

    fn push(&mut self, frame: Frame<V::State>) {
        self.live += frame.held();
        self.stack.push(frame);
    }

    /// Gives work to a worker that waits: an older base with its rest, else some of the children of `top`, else the lead on
    /// the chain below it.
    fn share_out(&mut self, top: &mut Frame<V::State>) {
        let shared = self.shared;
        let cost = |frame: &Frame<V::State>| -> u64 {
            let children = &shared.tree.children(frame.entry)[frame.next..frame.end];
            children
                .iter()
                .take(4096)
                .map(|child| shared.tree.cost(*child as usize))
                .sum()
        };
        // The oldest base has mostly the largest rest.
        if let Some(at) = self.stack.iter().position(|frame| cost(frame) > WORTH) {
            let given = self.stack.remove(at);
            self.live -= given.held();
            if let Some(Task::Subtree(back)) = shared.offer(Task::Subtree(given)) {
                self.live += back.held();
                self.stack.insert(at, back);
            }
            return;
        }
        let left = top.end - top.next;
        let all = cost(top);
        if left >= 2
            && all > WORTH
            && top.lane.is_none()
            && let Some(buf) = &top.buf
        {
            // The last child has the most work under it: alone if that is half of all, else with half of the others.
            let last = shared.tree.children(top.entry)[top.end - 1] as usize;
            let heavy = shared.tree.cost(last) * 2 > all;
            let middle = if heavy {
                top.end - 1
            } else {
                top.next + left / 2
            };
            let given = Frame {
                entry: top.entry,
                kind: top.kind,
                next: middle,
                end: top.end,
                buf: Some(Buf::from(buf.bytes().to_vec())),
                state: top.state.clone(),
                lane: None,
            };
            if shared.offer(Task::Subtree(given)).is_none() {
                top.end = middle;
            }
        } else if all > WORTH {
            self.send_ahead(top);
        }
    }

    /// Bytes that may be held at this moment.
    fn allowance(&self) -> u64 {
        if self.big.is_some() {
            self.most()
        } else {
            self.shared.share
        }
    }

    /// Bytes that may be held by the one worker that has the memory for large objects.
    fn most(&self) -> u64 {
        self.shared.options.memory / 2 + self.shared.share
    }

    /// Whether so many bytes can be held at all; waits for the memory for large objects where they need it.
    fn fits(&mut self, need: u64) -> Result<(), Why> {
        let budget = self.most();
        if need > budget {
            return Err(Why::TooLarge { need, budget });
        }
        if need > self.shared.share && self.big.is_none() {
            self.big = Some(self.shared.big());
        }
        Ok(())
    }

    /// Makes room for so many bytes: unused buffers go first, then the oldest bases, which are decoded again later.
    fn room(&mut self, need: u64) -> Result<(), Why> {
        self.fits(need)?;
        let budget = self.allowance();
        let mut oldest = 0;
        while need + (self.live + self.pool.held()) as u64 > budget {
            if self.pool.shrink() {
                continue;
            }
            let Some(frame) = self.stack.get_mut(oldest) else {
                break;
            };
            if let Some(buf) = frame.buf.take() {
                self.live -= buf.held();
            }
            oldest += 1;
        }
        Ok(())
    }

    /// Decodes an object again, from the nearest base in memory or else from its root.
    fn rebuild(&mut self, entry: usize) -> Result<Buf, Why> {
        let mut path = Vec::new();
        let mut at = entry;
        let mut held = None;
        while let Role::Delta(base) = self.shared.entries.role(at) {
            path.push(at);
            at = base as usize;
            held = self
                .stack
                .iter()
                .position(|f| f.entry == at && f.buf.is_some());
            if held.is_some() {
                break;
            }
        }
        let mut made = None;
        if let Some(at) = held
            && let Some(first) = path.pop()
            && let Some(base) = self.stack[at].buf.take()
        {
            // Taken out for the moment: what makes room must not free it.
            let next = self.apply(first, base.bytes());
            self.stack[at].buf = Some(base);
            made = Some(next?);
        }
        let mut buf = match made {
            Some(buf) => buf,
            None => self.whole(at)?.0,
        };
        while let Some(next) = path.pop() {
            self.rebuilt += buf.bytes().len() as u64;
            if self.rebuilt > (4 << 30) + 4 * self.bytes {
                return Err(Why::TooCostly);
            }
            let made = self.apply(next, buf.bytes())?;
            self.pool.give(buf);
            buf = made;
        }
        Ok(buf)
    }

    /// An object that could not be decoded, and all that rests on it.
    fn lose(&mut self, entry: usize, why: Why) {
        self.lose_one(entry, why);
        let mut rest: Vec<u32> = self.shared.tree.children(entry).to_vec();
        while let Some(next) = rest.pop() {
            self.lose_one(next as usize, Why::Base);
            rest.extend_from_slice(self.shared.tree.children(next as usize));
        }
    }

    fn lose_one(&mut self, entry: usize, why: Why) {
        let Shared {
            pack,
            entries,
            tree,
            ..
        } = self.shared;
        if tree.is_wanted(entry) {
            let id = entries.id(pack, entry);
            self.gaps
                .push(pack.gap(entries.offset(entry), Some(id), why));
        }
    }
}
