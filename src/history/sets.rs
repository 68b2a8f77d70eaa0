//! Sets of small numbers that share what they have in common.
//!
//! Thousands of commits hold nearly the same; here each distinct part of a set is stored once. A set is a binary trie over
//! words of 64 numbers, each node interned, so that equal sets have equal numbers and what two sets share is not looked at
//! when they are joined or compared (Okasaki and Gill, "Fast Mergeable Integer Maps", 1998, with interning). No recursion
//! goes deeper than the bits of a word's number.

use std::collections::HashMap;

/// A set's number; equal sets have equal ones.
pub(super) type Set = u32;

pub(super) const EMPTY: Set = 0;

/// The memory for sets is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// Level 0: a word of 64 numbers, `key` its place, `data` its bits. Level k: all words `w` with `w >> k == key`, which bit
/// k - 1 of `w` parts into a left and a right side, neither empty, their numbers in `data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Node {
    level: u32,
    key: u32,
    data: u64,
}

impl Node {
    fn left(self) -> Set {
        (self.data >> 32) as u32
    }

    fn right(self) -> Set {
        self.data as u32
    }

    /// The first word that it can have.
    fn word(self) -> u32 {
        self.key << self.level
    }

    /// The side that has words such as that of a node below.
    fn side(self, below: Self) -> bool {
        below.word() >> (self.level - 1) & 1 == 1
    }

    fn has_below(self, below: Self) -> bool {
        below.key >> (self.level - below.level) == self.key
    }
}

pub(super) struct Sets {
    nodes: Vec<Node>,
    numbers: HashMap<Node, Set>,
    /// Results of the last unions, each at one place that its operands give.
    done: Vec<(Set, Set, Set)>,
    most: usize,
}

const DONE: usize = 1 << 14;
/// Bytes that a node takes, with its place in the table.
const COST: u64 = 56;

impl Sets {
    /// None but the empty one; `memory` in bytes.
    pub(super) fn new(memory: u64) -> Self {
        Self {
            nodes: vec![Node {
                level: 0,
                key: 0,
                data: 0,
            }],
            numbers: HashMap::new(),
            done: vec![(0, 0, 0); DONE],
            most: usize::try_from(memory / COST)
                .unwrap_or(usize::MAX)
                .min(1 << 31),
        }
    }

    fn node(&self, set: Set) -> Node {
        self.nodes[set as usize]
    }

    fn intern(&mut self, node: Node) -> Result<Set, Full> {
        if let Some(set) = self.numbers.get(&node) {
            return Ok(*set);
        }
        if self.nodes.len() >= self.most {
            return Err(Full);
        }
        let set = self.nodes.len() as Set;
        self.nodes.push(node);
        self.numbers.insert(node, set);
        Ok(set)
    }

    fn branch(&mut self, level: u32, key: u32, left: Set, right: Set) -> Result<Set, Full> {
        let data = u64::from(left) << 32 | u64::from(right);
        self.intern(Node { level, key, data })
    }

    /// The set of some numbers, which are sorted here.
    pub(super) fn of(&mut self, members: &mut [u32]) -> Result<Set, Full> {
        members.sort_unstable();
        self.build(members)
    }

    fn build(&mut self, members: &[u32]) -> Result<Set, Full> {
        let (Some(first), Some(last)) = (members.first(), members.last()) else {
            return Ok(EMPTY);
        };
        let (low, high) = (first >> 6, last >> 6);
        if low == high {
            let data = members.iter().fold(0, |bits, m| bits | 1 << (m & 63));
            return self.intern(Node {
                level: 0,
                key: low,
                data,
            });
        }
        let level = 32 - (low ^ high).leading_zeros();
        let middle = members.partition_point(|m| m >> 6 >> (level - 1) & 1 == 0);
        let left = self.build(&members[..middle])?;
        let right = self.build(&members[middle..])?;
        self.branch(level, low >> level, left, right)
    }

    /// What is in either.
    pub(super) fn union(&mut self, a: Set, b: Set) -> Result<Set, Full> {
        if a == b || b == EMPTY {
            return Ok(a);
        }
        if a == EMPTY {
            return Ok(b);
        }
        let (mut a, mut b) = (a.min(b), a.max(b));
        let key = (a, b);
        let place = (a.wrapping_mul(0x9e37_79b9) ^ b.wrapping_mul(0x85eb_ca6b)) as usize >> 8;
        let place = place % DONE;
        let before = self.done[place];
        if (before.0, before.1) == key {
            return Ok(before.2);
        }
        let (mut upper, mut lower) = (self.node(a), self.node(b));
        if upper.level < lower.level {
            (a, b) = (b, a);
            (upper, lower) = (lower, upper);
        }
        let made = if !upper.has_below(lower) {
            let level = 32 - (upper.word() ^ lower.word()).leading_zeros();
            let key = upper.word() >> level;
            if upper.word() < lower.word() {
                self.branch(level, key, a, b)?
            } else {
                self.branch(level, key, b, a)?
            }
        } else if upper.level == 0 {
            self.intern(Node {
                data: upper.data | lower.data,
                ..upper
            })?
        } else {
            let (left, right) = if upper.level == lower.level {
                (
                    self.union(upper.left(), lower.left())?,
                    self.union(upper.right(), lower.right())?,
                )
            } else if upper.side(lower) {
                (upper.left(), self.union(upper.right(), b)?)
            } else {
                (self.union(upper.left(), b)?, upper.right())
            };
            self.branch(upper.level, upper.key, left, right)?
        };
        self.done[place] = (key.0, key.1, made);
        Ok(made)
    }

    /// Gives each member of `a` that is not in `b`, ascending.
    pub(super) fn minus(&self, a: Set, b: Set, out: &mut impl FnMut(u32)) {
        if a == EMPTY || a == b {
            return;
        }
        let (whole, other) = (self.node(a), self.node(b));
        if whole.level == 0 {
            members(whole.key, whole.data & !self.word(b, whole.key), out);
        } else if b == EMPTY {
            self.minus(whole.left(), b, out);
            self.minus(whole.right(), b, out);
        } else if whole.level == other.level && whole.key == other.key {
            self.minus(whole.left(), other.left(), out);
            self.minus(whole.right(), other.right(), out);
        } else if whole.level > other.level && whole.has_below(other) {
            let right = whole.side(other);
            self.minus(whole.left(), if right { EMPTY } else { b }, out);
            self.minus(whole.right(), if right { b } else { EMPTY }, out);
        } else if whole.level < other.level && other.has_below(whole) {
            let below = if other.side(whole) {
                other.right()
            } else {
                other.left()
            };
            self.minus(a, below, out);
        } else {
            self.minus(a, EMPTY, out);
        }
    }

    /// The bits of a word.
    fn word(&self, set: Set, word: u32) -> u64 {
        let mut node = self.node(set);
        if set == EMPTY {
            return 0;
        }
        loop {
            if word >> node.level != node.key {
                return 0;
            }
            if node.level == 0 {
                return node.data;
            }
            let right = word >> (node.level - 1) & 1 == 1;
            node = self.node(if right { node.right() } else { node.left() });
        }
    }

    pub(super) fn contains(&self, set: Set, member: u32) -> bool {
        self.word(set, member >> 6) >> (member & 63) & 1 == 1
    }

    /// Whether the set has any of these.
    pub(super) fn has_any(&self, set: Set, wanted: &[u32]) -> bool {
        wanted.iter().any(|member| self.contains(set, *member))
    }

    /// Marks for [`each_new`](Self::each_new).
    pub(super) fn marks(&self) -> Vec<bool> {
        let mut marks = vec![false; self.nodes.len()];
        marks[EMPTY as usize] = true;
        marks
    }

    /// Gives the members in those parts of a set that no call with the same marks has met before: all new ones, and some
    /// others.
    pub(super) fn each_new(&self, set: Set, marks: &mut [bool], out: &mut impl FnMut(u32)) {
        if std::mem::replace(&mut marks[set as usize], true) {
            return;
        }
        let node = self.node(set);
        if node.level == 0 {
            return members(node.key, node.data, out);
        }
        self.each_new(node.left(), marks, out);
        self.each_new(node.right(), marks, out);
    }
}

fn members(word: u32, mut bits: u64, out: &mut impl FnMut(u32)) {
    while bits != 0 {
        out(word << 6 | bits.trailing_zeros());
        bits &= bits - 1;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn numbers() -> impl Strategy<Value = BTreeSet<u32>> {
        let near = 0_u32..300;
        let far = prop_oneof![0_u32..5000, Just(u32::MAX), Just(1 << 31), any::<u32>()];
        prop::collection::btree_set(prop_oneof![3 => near, 1 => far], 0..60)
    }

    proptest! {
        #[test]
        fn as_a_set_of_the_standard_library(a in numbers(), b in numbers()) {
            let mut sets = Sets::new(1 << 20);
            let mut made = |numbers: &BTreeSet<u32>| {
                sets.of(&mut numbers.iter().rev().copied().collect::<Vec<_>>()).unwrap()
            };
            let (x, y, z) = (made(&a), made(&b), made(&(&a | &b)));
            prop_assert_eq!(sets.union(x, y), Ok(z));
            prop_assert_eq!(sets.union(y, x), Ok(z));
            prop_assert_eq!(sets.union(z, x), Ok(z));
            let mut got = Vec::new();
            sets.minus(x, y, &mut |m| got.push(m));
            prop_assert_eq!(got, (&a - &b).into_iter().collect::<Vec<_>>());
            let mut all = Vec::new();
            sets.minus(z, EMPTY, &mut |m| all.push(m));
            prop_assert_eq!(all, (&a | &b).into_iter().collect::<Vec<_>>());
            for m in a.iter().chain(&b) {
                prop_assert_eq!(sets.contains(x, *m), a.contains(m));
            }
            let list: Vec<u32> = b.iter().copied().collect();
            prop_assert_eq!(sets.has_any(x, &list), !a.is_disjoint(&b));
            let mut marks = sets.marks();
            let mut met = BTreeSet::new();
            sets.each_new(x, &mut marks, &mut |m| { met.insert(m); });
            prop_assert_eq!(&met, &a);
            sets.each_new(y, &mut marks, &mut |m| { met.insert(m); });
            prop_assert_eq!(met, &a | &b);
        }
    }

    #[test]
    fn memory_has_an_end() {
        let mut sets = Sets::new(100 * COST);
        let made: Result<Vec<Set>, Full> = (0..200).map(|i| sets.of(&mut [i])).collect();
        assert_eq!(made, Err(Full));
    }
}
