//! Units: one leak at one path. Which ones a node of the [`Forest`] holds, when it stands at a path.

use std::collections::HashMap;
use std::ops::Range;

use super::attribute::Missed;
use super::forest::{BARREN, Forest, NodeId};
use super::name::{Known, Name};
use super::sets::{EMPTY, Full, Set, Sets};
use super::trees::Leads;
use crate::model::Origin;

/// A path's number.
pub(super) type PathId = u32;

/// The path of a commit's tree itself.
pub(super) const ROOT: PathId = 0;
/// Instead of a path, for what is in a commit or a tag.
pub(super) const NO_PATH: PathId = u32::MAX;

/// Most folders above a file.
const DEEPEST: u32 = 4096;
/// Most bytes of a path.
const LONGEST: u32 = 64 << 10;
/// Bytes that a pair of a node and a path takes, or a path, or a hit at a path.
const COST: u64 = 48;

/// Trees made to hurt hold each other many times over, so that there is no end to their paths.
const STEPS: u64 = 1 << 31;

struct Path {
    parent: PathId,
    name: Option<Name>,
    len: u32,
    depth: u32,
}

/// One leak at one path.
pub(super) struct Place {
    pub(super) leak: u32,
    pub(super) origin: Origin,
    pub(super) path: PathId,
    /// Numbers of the hits that stood there, in the order in which commits brought them.
    pub(super) hits: Vec<u32>,
}

pub(super) struct Places<'h> {
    /// The leaks of each hit.
    leaks: &'h [Vec<u32>],
    names: &'h Known,
    paths: Vec<Path>,
    path_numbers: HashMap<(PathId, Name), PathId>,
    pub(super) all: Vec<Place>,
    numbers: HashMap<(PathId, u32, Origin), u32>,
    /// The units of a hit at a path: a stretch of `lists`.
    of_hit: HashMap<(PathId, u32), Range<u32>>,
    lists: Vec<u32>,
    held: HashMap<(NodeId, PathId), Set>,
    /// How many more rows there may be.
    left: u64,
    /// How many more links may be looked at.
    steps: u64,
}

/// A node that is being looked at.
struct Frame {
    node: NodeId,
    path: PathId,
    next: usize,
    units: Vec<u32>,
    below: Set,
}

impl<'h> Places<'h> {
    pub(super) fn new(leaks: &'h [Vec<u32>], names: &'h Known, memory: u64) -> Self {
        Self {
            leaks,
            names,
            paths: vec![Path {
                parent: ROOT,
                name: None,
                len: 0,
                depth: 0,
            }],
            path_numbers: HashMap::new(),
            all: Vec::new(),
            numbers: HashMap::new(),
            of_hit: HashMap::new(),
            lists: Vec::new(),
            held: HashMap::new(),
            left: memory / COST,
            steps: STEPS,
        }
    }

    /// Counts rows of about 48 bytes.
    pub(super) fn spend(&mut self, rows: u64) -> Result<(), Full> {
        self.left = self.left.checked_sub(rows).ok_or(Full)?;
        Ok(())
    }

    /// The units that a node holds as a commit's tree.
    pub(super) fn held(
        &mut self,
        forest: &Forest,
        sets: &mut Sets,
        root: NodeId,
        missed: &mut Vec<Missed>,
    ) -> Result<Set, Full> {
        if let Some(set) = self.known(root, ROOT) {
            return Ok(set);
        }
        let mut stack = vec![Frame::new(root, ROOT)];
        let mut last = EMPTY;
        while let Some(frame) = stack.last_mut() {
            let Some(link) = forest.links(frame.node).get(frame.next).copied() else {
                let set = sets.of(&mut frame.units)?;
                last = sets.union(set, frame.below)?;
                self.spend(1)?;
                self.held.insert((frame.node, frame.path), last);
                stack.pop();
                if let Some(above) = stack.last_mut() {
                    above.below = sets.union(above.below, last)?;
                }
                continue;
            };
            frame.next += 1;
            self.steps = self.steps.checked_sub(1).ok_or(Full)?;
            let Some(path) = self.path(frame.path, link.name)? else {
                if !matches!(missed.last(), Some(Missed::Path)) {
                    missed.push(Missed::Path);
                }
                continue;
            };
            if link.name.is_leaky() {
                let names = self.names;
                for leak in names.leaks(link.name.number()) {
                    let unit = self.unit(*leak, path, Origin::Name)?;
                    frame.units.push(unit);
                }
            }
            match link.child.leads() {
                Leads::Nowhere => {}
                Leads::Hit(hit) => {
                    let range = self.hit_at(path, hit)?;
                    frame.units.extend_from_slice(&self.lists[range]);
                }
                Leads::Tree(node) => match self.known(node, path) {
                    Some(set) => frame.below = sets.union(frame.below, set)?,
                    None => stack.push(Frame::new(node, path)),
                },
            }
        }
        Ok(last)
    }

    fn known(&self, node: NodeId, path: PathId) -> Option<Set> {
        if node == BARREN {
            return Some(EMPTY);
        }
        self.held.get(&(node, path)).copied()
    }

    /// The path of a name in a folder; `None` where it is too long.
    fn path(&mut self, folder: PathId, name: Name) -> Result<Option<PathId>, Full> {
        if let Some(path) = self.path_numbers.get(&(folder, name)) {
            return Ok(Some(*path));
        }
        let above = &self.paths[folder as usize];
        let (depth, slash) = (above.depth + 1, u32::from(folder != ROOT));
        let len = self.names.bytes(name.number()).len().min(LONGEST as usize) as u32;
        let len = above.len + slash + len;
        if depth > DEEPEST || len > LONGEST {
            return Ok(None);
        }
        self.spend(2)?;
        let path = self.paths.len() as PathId;
        self.paths.push(Path {
            parent: folder,
            name: Some(name),
            len,
            depth,
        });
        self.path_numbers.insert((folder, name), path);
        Ok(Some(path))
    }

    /// The number of a unit, new or known.
    pub(super) fn unit(&mut self, leak: u32, path: PathId, origin: Origin) -> Result<u32, Full> {
        if let Some(unit) = self.numbers.get(&(path, leak, origin)) {
            return Ok(*unit);
        }
        // The result has each unit's path in full.
        let len = self.paths.get(path as usize).map_or(0, |path| path.len);
        self.spend(3 + u64::from(len) / COST)?;
        let unit = self.all.len() as u32;
        self.all.push(Place {
            leak,
            origin,
            path,
            hits: Vec::new(),
        });
        self.numbers.insert((path, leak, origin), unit);
        Ok(unit)
    }

    /// The units of a hit at a path, as a range of `lists`.
    pub(super) fn hit_at(&mut self, path: PathId, hit: u32) -> Result<Range<usize>, Full> {
        if let Some(range) = self.of_hit.get(&(path, hit)) {
            return Ok(range.start as usize..range.end as usize);
        }
        let leaks = self.leaks.get(hit as usize).map_or(&[][..], Vec::as_slice);
        self.spend(2 + leaks.len() as u64 / 4)?;
        let start = self.lists.len();
        for leak in leaks {
            let unit = self.unit(*leak, path, Origin::Content)?;
            self.lists.push(unit);
            self.all[unit as usize].hits.push(hit);
        }
        let range = start..self.lists.len();
        self.of_hit
            .insert((path, hit), start as u32..range.end as u32);
        Ok(range)
    }

    pub(super) fn units_in(&self, range: Range<usize>) -> &[u32] {
        &self.lists[range]
    }

    /// The names from the root to a path.
    pub(super) fn names_to(&self, path: PathId) -> Vec<Name> {
        let mut names = Vec::new();
        let mut at = path;
        while let Some(Path {
            parent,
            name: Some(name),
            ..
        }) = self.paths.get(at as usize)
        {
            names.push(*name);
            at = *parent;
        }
        names.reverse();
        names
    }

    /// A path's bytes, with `/` between the names.
    pub(super) fn bytes(&self, path: PathId) -> Vec<u8> {
        let mut bytes = Vec::new();
        for name in self.names_to(path) {
            if !bytes.is_empty() {
                bytes.push(b'/');
            }
            bytes.extend_from_slice(self.names.bytes(name.number()));
        }
        bytes
    }

    /// The hit with a leak that a tree has at a unit's path.
    pub(super) fn hit_of(&self, forest: &Forest, root: NodeId, unit: u32) -> Option<u32> {
        let place = &self.all[unit as usize];
        let names = self.names_to(place.path);
        let (last, folders) = names.split_last()?;
        // A damaged tree may have a name twice; of such folders each is looked into.
        let mut nodes = vec![root];
        for name in folders {
            let below = nodes.iter().flat_map(|node| forest.named(*node, *name));
            nodes = below
                .filter_map(|child| match child.leads() {
                    Leads::Tree(node) => Some(node),
                    _ => None,
                })
                .collect();
            nodes.sort_unstable();
            nodes.dedup();
        }
        let found = nodes.iter().flat_map(|node| forest.named(*node, *last));
        found
            .filter_map(|child| match child.leads() {
                Leads::Hit(hit) => Some(hit),
                _ => None,
            })
            .find(|hit| self.leaks[*hit as usize].contains(&place.leak))
    }
}

impl Frame {
    fn new(node: NodeId, path: PathId) -> Self {
        Self {
            node,
            path,
            next: 0,
            units: Vec::new(),
            below: EMPTY,
        }
    }
}
