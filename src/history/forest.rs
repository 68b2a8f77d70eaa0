//! The part of the trees that leads to hits. Trees that hold the same hits at the same paths become one node, so that
//! commits which differ elsewhere have the same root.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::attribute::Missed;
use super::ids::Ids;
use super::name::Name;
use super::past::{Past, PastName};
use super::trees::{Child, Leads, Trees};

/// A node's number.
pub(super) type NodeId = u32;

/// The node that leads to nothing.
pub(super) const BARREN: NodeId = 0;

/// An entry of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Link {
    pub(super) name: Name,
    /// A hit, or a node's number where a tree's stands in [`Trees`].
    pub(super) child: Child,
}

pub(super) struct Forest {
    links: Vec<Link>,
    /// Node `i`: `links[starts[i]..starts[i + 1]]`.
    starts: Vec<usize>,
    /// Nodes by the hash of their links, and the next one with the same hash.
    numbers: HashMap<u64, NodeId>,
    next: Vec<NodeId>,
    hasher: RandomState,
    /// The node of each tree that was looked at.
    of_tree: Vec<NodeId>,
    /// The node of each one of a past run.
    of_past: Vec<NodeId>,
}

const UNSEEN: NodeId = u32::MAX;
const OPEN: NodeId = u32::MAX - 1;

impl Forest {
    /// No node but those of a past run.
    pub(super) fn new(hits: &Ids, past: Option<&Past>) -> Self {
        let mut forest = Self {
            links: Vec::new(),
            starts: vec![0, 0],
            numbers: HashMap::new(),
            next: vec![BARREN],
            hasher: RandomState::new(),
            of_tree: Vec::new(),
            of_past: vec![BARREN],
        };
        if let Some(past) = past {
            forest.recall(hits, past);
        }
        forest
    }

    fn recall(&mut self, hits: &Ids, past: &Past) {
        let hits: Vec<Child> = past
            .hits
            .iter()
            .map(|id| hits.find(id).map_or(Child::NOWHERE, Child::hit))
            .collect();
        let mut links = Vec::new();
        for node in 1..past.starts.len().saturating_sub(1) {
            links.clear();
            links.extend(past.links_of(node).iter().map(|(name, child)| {
                let child = Child::from_word(*child);
                let child = match child.leads() {
                    Leads::Nowhere => child,
                    Leads::Hit(hit) => hits.get(hit as usize).copied().unwrap_or(Child::NOWHERE),
                    Leads::Tree(below) => {
                        Child::tree(self.of_past.get(below as usize).copied().unwrap_or(BARREN))
                    }
                };
                let name = past.name(*name);
                Link { name, child }
            }));
            let node = self.intern(&mut links);
            self.of_past.push(node);
        }
    }

    /// Takes up the trees that were read; those of a past run have their nodes already, and need not have been read.
    pub(super) fn take(&mut self, trees: &Trees, past: Option<&Past>) {
        self.of_tree = vec![UNSEEN; trees.ids.len()];
        let Some(past) = past else {
            return;
        };
        // Both are in the order of ids.
        let mut number = 0;
        for (id, node) in past.trees.iter().zip(&past.nodes) {
            while trees.ids.get(number).is_some_and(|other| other < *id) {
                number += 1;
            }
            if trees.ids.get(number) == Some(*id)
                && let Some(of_tree) = self.of_tree.get_mut(number as usize)
            {
                *of_tree = self.of_past.get(*node as usize).copied().unwrap_or(BARREN);
            }
        }
    }

    /// What the next run needs of all this. `None` where trees are in a loop.
    pub(super) fn past(&mut self, trees: &Trees, hits: &Ids) -> Option<Past> {
        let mut missed = Vec::new();
        for tree in 0..self.of_tree.len() as u32 {
            self.node(trees, tree, &mut missed);
        }
        if !missed.is_empty() {
            return None;
        }
        // Only the names that stand in links are kept, in their order.
        let mut used: Vec<Name> = self.links.iter().map(|link| link.name).collect();
        used.sort_unstable_by_key(|name| name.number());
        used.dedup();
        let number = |name: Name| {
            let at = used.binary_search_by_key(&name.number(), |name| name.number());
            at.unwrap_or(0) as u32
        };
        let mut names: Vec<PastName> = used
            .iter()
            .map(|name| PastName {
                bytes: trees.names.bytes(name.number()).to_vec(),
                leaks: trees.names.leaks(name.number()).to_vec(),
                holder: None,
            })
            .collect();
        let mut seen = vec![false; self.next.len()];
        for (tree, node) in (0_u32..).zip(&self.of_tree) {
            if std::mem::replace(&mut seen[*node as usize], true) {
                continue;
            }
            for link in self.links(*node) {
                let name = &mut names[number(link.name) as usize];
                name.holder = name.holder.or(trees.ids.get(tree));
            }
        }
        let links = self.links.iter();
        Some(Past {
            trees: trees.ids.all().to_vec(),
            nodes: self.of_tree.clone(),
            starts: self.starts.iter().map(|start| *start as u32).collect(),
            links: links.map(|l| (number(l.name), l.child.word())).collect(),
            hits: hits.all().to_vec(),
            names,
        })
    }

    /// The entries of a node, by name.
    pub(super) fn links(&self, node: NodeId) -> &[Link] {
        let n = node as usize;
        &self.links[self.starts[n]..self.starts[n + 1]]
    }

    /// The node of a tree, made from the nodes of the trees in it.
    ///
    /// A tree within itself, which only a false index can make, is cut there.
    pub(super) fn node(&mut self, trees: &Trees, tree: u32, missed: &mut Vec<Missed>) -> NodeId {
        if self.of_tree[tree as usize] != UNSEEN {
            return self.of_tree[tree as usize];
        }
        self.of_tree[tree as usize] = OPEN;
        let mut stack = vec![(tree, 0)];
        let mut links = Vec::new();
        while let Some((at, next)) = stack.last_mut() {
            let (at, edges) = (*at, trees.edges(*at));
            let below = edges.iter().skip(*next).position(|edge| {
                matches!(edge.child.leads(), Leads::Tree(t) if self.of_tree[t as usize] == UNSEEN)
            });
            if let Some(skipped) = below {
                *next += skipped + 1;
                if let Leads::Tree(t) = edges[*next - 1].child.leads() {
                    self.of_tree[t as usize] = OPEN;
                    stack.push((t, 0));
                }
                continue;
            }
            stack.pop();
            links.clear();
            for edge in edges {
                let mut child = edge.child;
                if let Leads::Tree(t) = child.leads() {
                    let mut node = self.of_tree[t as usize];
                    if node == OPEN {
                        missed.push(Missed::TreeLoop(trees.ids.id(t)));
                        node = BARREN;
                    }
                    if node == BARREN && !edge.name.is_leaky() {
                        continue;
                    }
                    child = Child::tree(node);
                }
                let name = edge.name;
                links.push(Link { name, child });
            }
            self.of_tree[at as usize] = self.intern(&mut links);
        }
        self.of_tree[tree as usize]
    }

    fn intern(&mut self, links: &mut Vec<Link>) -> NodeId {
        if links.is_empty() {
            return BARREN;
        }
        links.sort_unstable();
        links.dedup();
        let hash = self.hasher.hash_one(&links[..]);
        let first = self.numbers.get(&hash).copied().unwrap_or(BARREN);
        let mut node = first;
        while node != BARREN {
            if self.links(node) == &links[..] {
                return node;
            }
            node = self.next[node as usize];
        }
        let node = self.next.len() as NodeId;
        self.links.extend_from_slice(links);
        self.starts.push(self.links.len());
        self.next.push(first);
        self.numbers.insert(hash, node);
        node
    }

    /// What a node has under a name.
    pub(super) fn named(&self, node: NodeId, name: Name) -> impl Iterator<Item = Child> + '_ {
        let links = self.links(node);
        let links = &links[links.partition_point(|link| link.name < name)..];
        let same = links.iter().take_while(move |link| link.name == name);
        same.map(|link| link.child)
    }
}
