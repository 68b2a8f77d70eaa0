//! The delta tree: which entries rest on which, and what is to be decoded.

use super::entry::Role;
use super::{Entries, Gap, Kind, Oid, Pack, Why};

/// The part of a pack's delta forest that leads to the wanted objects.
///
/// Roots are whole objects and deltas on objects outside the pack. An entry's children come by offset, but the one with
/// the most work under it comes last: its parent's bytes are not needed any more by then, so that a walk holds at most
/// as many bases as the logarithm of the number of objects.
pub struct DeltaTree {
    /// Children of entry `i`: `children[starts[i]..starts[i + 1]]`.
    starts: Vec<u32>,
    children: Vec<u32>,
    roots: Vec<u32>,
    flags: Vec<u8>,
    /// Work in the subtree: bytes to make and to inflate, and some for each object.
    costs: Vec<u64>,
    /// Objects on the way that follows the last children down.
    runs: Vec<u32>,
    unreachable: Vec<(u32, Why)>,
    wanted: usize,
}

/// Flags of an entry: the code of its kind, or one of these two, and whether it is wanted.
const UNKNOWN: u8 = 4;
const BAD: u8 = 5;
const WANTED: u8 = 8;

impl DeltaTree {
    /// Every object of the pack.
    pub fn new(pack: &Pack, entries: &Entries) -> Self {
        Self::of(pack, entries, |_, _, _| true)
    }

    /// The objects for which `want` says so, and what they rest on. It gets the entry's number, its id, and its kind,
    /// which is `None` where a delta's base is outside the pack.
    pub fn of(
        pack: &Pack,
        entries: &Entries,
        mut want: impl FnMut(usize, &Oid, Option<Kind>) -> bool,
    ) -> Self {
        let n = entries.len();
        let forest = Forest::new(entries);
        let (order, kinds) = forest.order(entries);
        let mut flags = vec![BAD; n];
        let mut unreachable = Vec::new();
        let mut size = vec![0_u64; n]; // becomes the cost
        let mut reached = vec![false; n];
        let mut wanted = 0;
        for (&entry, &kind) in order.iter().zip(&kinds) {
            let e = entry as usize;
            reached[e] = true;
            let role = entries.role(e);
            let known = kind_of(kind);
            let good = kind != BAD;
            let wish = want(e, &entries.id(pack, e), known);
            if !good {
                if wish {
                    unreachable.push((entry, entries.fault(e).unwrap_or(Why::Base)));
                }
                continue;
            }
            flags[e] = kind | if wish { WANTED } else { 0 };
            wanted += usize::from(wish);
            // A delta mostly makes about as much as its base has.
            size[e] = match role {
                Role::Delta(base) => size[base as usize],
                _ => entries.claimed(e),
            };
        }
        for e in (0..n).filter(|e| !reached[*e]) {
            if want(e, &entries.id(pack, e), None) {
                unreachable.push((e as u32, Why::Loop));
            }
        }
        unreachable.sort_unstable_by_key(|(entry, _)| *entry);

        // From the leaves up: which are needed, what they cost, which child is the heaviest.
        let mut needed: Vec<bool> = flags.iter().map(|flag| flag & WANTED != 0).collect();
        let mut costs: Vec<u64> = vec![0; n];
        let mut runs = vec![0_u32; n];
        let mut heavy: Vec<u32> = vec![u32::MAX; n];
        let mut counts = vec![0_u32; n + 1];
        for &entry in order.iter().rev() {
            let e = entry as usize;
            if !needed[e] {
                continue;
            }
            if heavy[e] != u32::MAX {
                runs[e] = runs[heavy[e] as usize] + 1;
            }
            costs[e] += size[e] + 8 * entries.packed(e) + 512;
            if let Role::Delta(base) = entries.role(e) {
                let b = base as usize;
                needed[b] = true;
                costs[b] = costs[b].saturating_add(costs[e]);
                counts[b + 1] += 1;
                if heavy[b] == u32::MAX || costs[heavy[b] as usize] < costs[e] {
                    heavy[b] = entry;
                }
            }
        }
        for i in 1..=n {
            counts[i] += counts[i - 1];
        }
        let starts = counts;
        let mut fill = starts.clone();
        let mut children = vec![0_u32; starts[n] as usize];
        for e in (0..n).filter(|e| needed[*e] && flags[*e] != BAD) {
            if let Role::Delta(base) = entries.role(e) {
                let b = base as usize;
                let at = if heavy[b] == e as u32 {
                    starts[b + 1] - 1
                } else {
                    fill[b] += 1;
                    fill[b] - 1
                };
                children[at as usize] = e as u32;
            }
        }
        let roots = (0..n)
            .filter(|e| needed[*e] && flags[*e] != BAD)
            .filter(|e| !matches!(entries.role(*e), Role::Delta(_)))
            .map(|e| e as u32)
            .collect();
        Self {
            starts,
            children,
            roots,
            flags,
            costs,
            runs,
            unreachable,
            wanted,
        }
    }

    /// Entries to begin at, by offset.
    pub fn roots(&self) -> &[u32] {
        &self.roots
    }

    /// The entries that are deltas on an entry and lead to wanted objects.
    pub fn children(&self, entry: usize) -> &[u32] {
        &self.children[self.starts[entry] as usize..self.starts[entry + 1] as usize]
    }

    /// Whether the visitor gets this object.
    pub fn is_wanted(&self, entry: usize) -> bool {
        self.flags[entry] & WANTED != 0
    }

    /// Number of wanted objects in the tree, gaps not counted.
    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// The kind of an object: its root's. `None` where that is outside the pack, and for gaps.
    pub fn kind(&self, entry: usize) -> Option<Kind> {
        kind_of(self.flags[entry] & 7)
    }

    /// Wanted objects that cannot be reached: in loops, without a base, with a bad header; and all that rest on them.
    pub fn gaps(&self, pack: &Pack, entries: &Entries) -> Vec<Gap> {
        let gap = |(entry, why): &(u32, Why)| {
            let e = *entry as usize;
            pack.gap(entries.offset(e), Some(entries.id(pack, e)), *why)
        };
        self.unreachable.iter().map(gap).collect()
    }

    /// Estimated work of an entry and all that rests on it, in bytes made.
    pub(super) fn cost(&self, entry: usize) -> u64 {
        self.costs[entry]
    }

    /// Number of objects below an entry on the way of the last children.
    pub(super) fn run(&self, entry: usize) -> usize {
        self.runs[entry] as usize
    }
}

fn kind_code(kind: Kind) -> u8 {
    kind as u8
}

fn kind_of(code: u8) -> Option<Kind> {
    [Kind::Commit, Kind::Tree, Kind::Blob, Kind::Tag]
        .get(usize::from(code))
        .copied()
}

/// All children of all entries, before any choice.
struct Forest {
    starts: Vec<u32>,
    children: Vec<u32>,
}

impl Forest {
    fn new(entries: &Entries) -> Self {
        let n = entries.len();
        let mut starts = vec![0_u32; n + 1];
        for e in 0..n {
            if let Role::Delta(base) = entries.role(e) {
                starts[base as usize + 1] += 1;
            }
        }
        for i in 1..=n {
            starts[i] += starts[i - 1];
        }
        let mut fill = starts.clone();
        let mut children = vec![0; starts[n] as usize];
        for e in 0..n {
            if let Role::Delta(base) = entries.role(e) {
                let at = &mut fill[base as usize];
                children[*at as usize] = e as u32;
                *at += 1;
            }
        }
        Self { starts, children }
    }

    /// Entries with every base before what rests on it, and the code of each one's kind. Loops are not reached.
    fn order(&self, entries: &Entries) -> (Vec<u32>, Vec<u8>) {
        let n = entries.len();
        let mut order = Vec::with_capacity(n);
        let mut kinds = Vec::with_capacity(n);
        for e in 0..n {
            let code = match entries.role(e) {
                Role::Whole(kind) => kind_code(kind),
                Role::Outside => UNKNOWN,
                Role::Bad => BAD,
                Role::Delta(_) => continue,
            };
            // A queue, breadth first: what is appended is read again from `next` on.
            let mut next = order.len();
            order.push(e as u32);
            kinds.push(code);
            while next < order.len() {
                let at = order[next] as usize;
                let below = &self.children[self.starts[at] as usize..self.starts[at + 1] as usize];
                order.extend_from_slice(below);
                kinds.resize(order.len(), code);
                next += 1;
            }
        }
        (order, kinds)
    }
}
