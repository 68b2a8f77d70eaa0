//! Names of files and folders, numbered, each asked once whether something was found in it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::past::PastName;

/// A name's number, and in the highest bit whether something was found in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name(u32);

impl Name {
    pub(super) fn new(number: u32, leaky: bool) -> Self {
        Self(number & !Self::LEAKY | if leaky { Self::LEAKY } else { 0 })
    }

    const LEAKY: u32 = 1 << 31;
    /// A clean name that got no number, since there are too many.
    const NONE: u32 = Self::LEAKY - 1;

    pub(super) fn is_leaky(self) -> bool {
        self.0 & Self::LEAKY != 0
    }

    pub(super) fn number(self) -> u32 {
        self.0 & !Self::LEAKY
    }
}

/// All names, shared by the threads of a walk.
pub(super) struct Names<F> {
    ask: F,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    numbers: HashMap<Arc<[u8]>, Name>,
    known: Known,
}

/// The names when all are known.
#[derive(Default)]
pub(super) struct Known {
    names: Vec<Arc<[u8]>>,
    leaks: HashMap<u32, Vec<u32>>,
}

/// One thread's view of [`Names`].
pub(super) struct Local<'n, F> {
    names: &'n Names<F>,
    held: HashMap<Arc<[u8]>, Name>,
}

/// Names above this many get no number unless something needs it, and are asked about again.
const REMEMBERED: usize = 2 << 20;

impl<F: Fn(&[u8]) -> Vec<u32> + Sync> Names<F> {
    /// `ask` gives the leaks in a name; those of a past run keep their numbers.
    pub(super) fn new(ask: F, past: &[PastName]) -> Self {
        let mut table = Table::default();
        for (number, name) in (0_u32..).zip(past) {
            let key: Arc<[u8]> = Arc::from(name.bytes.as_slice());
            let flagged = Name::new(number, !name.leaks.is_empty());
            table.numbers.entry(Arc::clone(&key)).or_insert(flagged);
            table.known.names.push(key);
            if !name.leaks.is_empty() {
                table.known.leaks.insert(number, name.leaks.clone());
            }
        }
        Self {
            ask,
            table: Mutex::new(table),
        }
    }

    pub(super) fn local(&self) -> Local<'_, F> {
        Local {
            names: self,
            held: HashMap::new(),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn finish(self) -> Known {
        let table = self.table.into_inner();
        table.unwrap_or_else(PoisonError::into_inner).known
    }
}

impl<F: Fn(&[u8]) -> Vec<u32> + Sync> Local<'_, F> {
    /// The name with these bytes; without a number maybe, if it is not `needed`.
    pub(super) fn name(&mut self, bytes: &[u8], needed: bool) -> Name {
        if let Some(name) = self.held.get(bytes) {
            return *name;
        }
        let found = self.names.table().numbers.get_key_value(bytes).map(clone);
        if let Some((key, name)) = found {
            self.held.insert(key, name);
            return name;
        }
        // Outside of the lock: two threads may ask about the same name, and hear the same.
        let leaks = (self.names.ask)(bytes);
        let mut table = self.names.table();
        let number = table.known.names.len();
        if number >= Name::NONE as usize || (number >= REMEMBERED && leaks.is_empty() && !needed) {
            return Name(Name::NONE);
        }
        let table = &mut *table;
        let key: Arc<[u8]> = Arc::from(bytes);
        let name = match table.numbers.entry(Arc::clone(&key)) {
            Entry::Occupied(there) => *there.get(),
            Entry::Vacant(free) => {
                let flag = if leaks.is_empty() { 0 } else { Name::LEAKY };
                table.known.names.push(Arc::clone(&key));
                if !leaks.is_empty() {
                    table.known.leaks.insert(number as u32, leaks);
                }
                *free.insert(Name(number as u32 | flag))
            }
        };
        self.held.insert(key, name);
        name
    }
}

fn clone((key, name): (&Arc<[u8]>, &Name)) -> (Arc<[u8]>, Name) {
    (Arc::clone(key), *name)
}

impl Known {
    /// A name's bytes.
    pub(super) fn bytes(&self, number: u32) -> &[u8] {
        self.names.get(number as usize).map_or(&[], |name| name)
    }

    /// The leaks in a name.
    pub(super) fn leaks(&self, number: u32) -> &[u32] {
        if self.leaks.is_empty() {
            return &[];
        }
        self.leaks.get(&number).map_or(&[], Vec::as_slice)
    }
}
