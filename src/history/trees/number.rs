//! Trees by number: those of packs, loose ones and those of a past run, in the order of their ids.

use rayon::prelude::*;

use super::super::ids::Ids;
use super::super::objects::Objects;
use crate::pack::Oid;

/// A tree in a pack, or among the loose ones, which come last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    /// The first bytes of its id.
    head: u64,
    pub(super) source: u32,
    pub(super) entry: u32,
}

impl Found {
    pub(super) fn new(id: &Oid, source: u32, entry: u32) -> Self {
        let head = id
            .as_bytes()
            .first_chunk()
            .map_or(0, |b| u64::from_be_bytes(*b));
        Self {
            head,
            source,
            entry,
        }
    }
}

/// Numbers trees by their ids; gives the number of each entry of each pack, and of the loose ones.
pub(super) fn number(
    mut found: Vec<Found>,
    id_of: impl Fn(&Found) -> Oid + Sync,
    objects: &Objects,
    loose: usize,
    pool: &rayon::ThreadPool,
) -> (Vec<Oid>, Vec<Vec<u32>>) {
    let mut all: Vec<Oid> = pool.install(|| {
        found.par_sort_unstable();
        found.par_iter().map(&id_of).collect()
    });
    // Those that begin alike come in the order of their packs.
    let mut at = 0;
    while at < found.len() {
        let head = found[at].head;
        let same = found[at..].iter().take_while(|f| f.head == head).count();
        if same > 1 {
            let mut rows: Vec<(Oid, Found)> = all[at..at + same]
                .iter()
                .copied()
                .zip(found[at..].iter().copied())
                .collect();
            rows.sort_unstable();
            for (i, (id, row)) in rows.into_iter().enumerate() {
                (all[at + i], found[at + i]) = (id, row);
            }
        }
        at += same;
    }
    let mut numbers: Vec<Vec<u32>> = objects
        .packs
        .iter()
        .map(|pack| vec![u32::MAX; pack.entries.len()])
        .collect();
    numbers.push(vec![u32::MAX; loose]);
    let mut number = 0;
    for i in 0..found.len() {
        if i > 0 && all[i] != all[i - 1] {
            number += 1;
        }
        numbers[found[i].source as usize][found[i].entry as usize] = number;
    }
    all.dedup();
    (all, numbers)
}

/// Puts new trees among those of a past run, and changes their numbers.
pub(super) fn merged(past: &[Oid], new: Vec<Oid>, numbers: &mut [Vec<u32>]) -> Ids {
    if new.is_empty() {
        return Ids::new(past.to_vec());
    }
    let mut all = Vec::with_capacity(past.len() + new.len());
    let mut moved = Vec::with_capacity(new.len());
    let mut old = past;
    for id in new {
        let (before, rest) = old.split_at(old.partition_point(|old| *old < id));
        all.extend_from_slice(before);
        old = match rest.split_first() {
            Some((same, rest)) if *same == id => rest,
            _ => rest,
        };
        moved.push(all.len() as u32);
        all.push(id);
    }
    all.extend_from_slice(old);
    for number in numbers.iter_mut().flatten() {
        if let Some(to) = moved.get(*number as usize) {
            *number = *to;
        }
    }
    Ids::new(all)
}
