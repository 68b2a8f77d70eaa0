//! What a past run worked out of the trees, so that the next one reads only those that are new.
//!
//! Plain numbers and ids: how they are stored is the caller's business. Nothing is taken on trust from a file but through
//! [`Past::is_sound`].

use super::ids::Ids;
use super::name::Name;
use super::trees::{Child, Leads};
use crate::pack::Oid;

/// The trees of a past run, and the part of them that leads to hits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// All trees, ascending.
    pub trees: Vec<Oid>,
    /// The node of each of them; node 0 leads to nothing.
    pub nodes: Vec<u32>,
    /// Links of node `i`: `links[starts[i]..starts[i + 1]]`.
    pub starts: Vec<u32>,
    /// A name's number, and what it names: the word of a `Child`.
    pub links: Vec<(u32, u32)>,
    /// The hits that links name by number, ascending.
    pub hits: Vec<Oid>,
    /// The names that stand in links, by number.
    pub names: Vec<PastName>,
}

/// A name that leads to a hit, or that has one itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PastName {
    /// The name.
    pub bytes: Vec<u8>,
    /// Leaks in it, by this run's numbers.
    pub leaks: Vec<u32>,
    /// A tree with an entry of this name.
    pub holder: Option<Oid>,
}

impl Past {
    /// Whether all numbers lead to something, and to no loop.
    pub fn is_sound(&self) -> bool {
        let most = Ids::MOST;
        if self.trees.len() > most || self.hits.len() > most || self.names.len() > most {
            return false;
        }
        let Some(count) = self.starts.len().checked_sub(1) else {
            return false;
        };
        let starts = self.starts.get(..2) == Some(&[0, 0])
            && self.starts.is_sorted()
            && self.starts.last().map(|end| *end as usize) == Some(self.links.len());
        let ids = |ids: &[Oid]| ids.is_sorted_by(|a, b| a < b);
        starts
            && ids(&self.trees)
            && ids(&self.hits)
            && self.nodes.len() == self.trees.len()
            && self.nodes.iter().all(|node| (*node as usize) < count)
            && (0..count).all(|node| self.is_node(node))
    }

    fn is_node(&self, node: usize) -> bool {
        let links = self.links_of(node);
        links.iter().all(|(name, child)| {
            let child = match Child::from_word(*child).leads() {
                Leads::Nowhere => true,
                Leads::Hit(hit) => (hit as usize) < self.hits.len(),
                // Nodes are made from the leaves up.
                Leads::Tree(below) => (below as usize) < node,
            };
            child && (*name as usize) < self.names.len()
        })
    }

    pub(super) fn links_of(&self, node: usize) -> &[(u32, u32)] {
        let range = self.starts.get(node).zip(self.starts.get(node + 1));
        let links = range.and_then(|(start, end)| self.links.get(*start as usize..*end as usize));
        links.unwrap_or_default()
    }

    pub(super) fn name(&self, number: u32) -> Name {
        let name = self.names.get(number as usize);
        Name::new(number, name.is_some_and(|name| !name.leaks.is_empty()))
    }
}
