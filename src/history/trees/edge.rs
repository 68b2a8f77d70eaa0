//! A kept entry of a tree: its name, and what it leads to, in one word each.

use super::super::name::Name;

/// An entry that can lead to a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::history) struct Edge {
    pub(in crate::history) name: Name,
    pub(in crate::history) child: Child,
}

/// What an entry names: a tree, a hit, or neither, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::history) struct Child(u32);

/// A [`Child`], taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::history) enum Leads {
    /// To a tree, by number.
    Tree(u32),
    /// To a hit, by number.
    Hit(u32),
    /// To nothing of interest; its name is.
    Nowhere,
}

impl Child {
    const HIT: u32 = 1 << 31;
    pub(in crate::history) const NOWHERE: Self = Self(u32::MAX);

    pub(in crate::history) fn tree(number: u32) -> Self {
        Self(number)
    }

    pub(in crate::history) fn hit(number: u32) -> Self {
        Self(number | Self::HIT)
    }

    /// Its word, for a list that outlives the run.
    pub(in crate::history) fn word(self) -> u32 {
        self.0
    }

    pub(in crate::history) fn from_word(word: u32) -> Self {
        Self(word)
    }

    pub(in crate::history) fn leads(self) -> Leads {
        match self.0 {
            u32::MAX => Leads::Nowhere,
            word if word & Self::HIT != 0 => Leads::Hit(word & !Self::HIT),
            word => Leads::Tree(word),
        }
    }
}
