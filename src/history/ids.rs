//! Ids in ascending order, found by number and numbered by id.
//!
//! Not a hash table: the ids of an index are not proven, so they could be chosen to collide.

use crate::pack::Oid;

/// Distinct ids, ascending.
pub(super) struct Ids {
    sorted: Vec<Oid>,
    /// Where the ids with the same first two bytes begin.
    fan: Vec<u32>,
    /// A bit for each beginning that an id has; a few times as many as ids.
    bits: Vec<u64>,
    shift: u32,
}

impl Ids {
    /// Most ids; numbers stay below this, so that the highest bit is free.
    pub(super) const MOST: usize = (1 << 31) - 2;

    /// Takes ids in ascending order; repeated ones are dropped, and those above [`MOST`](Self::MOST).
    pub(super) fn new(mut ids: Vec<Oid>) -> Self {
        ids.dedup();
        ids.truncate(Self::MOST);
        let mut fan = vec![0_u32; 65537];
        for id in &ids {
            fan[first(id) + 1] += 1;
        }
        for i in 1..fan.len() {
            fan[i] += fan[i - 1];
        }
        let width = (ids.len() * 16).next_power_of_two().clamp(1 << 12, 1 << 24);
        let shift = 32 - width.trailing_zeros();
        let mut bits = vec![0_u64; width / 64];
        for id in &ids {
            let at = (head(id.as_bytes()) >> shift) as usize;
            bits[at / 64] |= 1 << (at % 64);
        }
        Self {
            sorted: ids,
            fan,
            bits,
            shift,
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Oid] {
        &self.sorted
    }

    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The id with a number below [`len`](Self::len).
    pub(super) fn id(&self, number: u32) -> Oid {
        self.sorted[number as usize]
    }

    /// The id with a number, if there is one.
    pub(super) fn get(&self, number: u32) -> Option<Oid> {
        self.sorted.get(number as usize).copied()
    }

    /// The number of an id.
    pub(super) fn find(&self, id: &Oid) -> Option<u32> {
        let first = first(id);
        let (low, high) = (self.fan[first] as usize, self.fan[first + 1] as usize);
        let alike = &self.sorted[low..high];
        // Mostly a few, and equality of twenty bytes is cheaper than their order.
        let at = if alike.len() <= 12 {
            alike.iter().position(|other| other == id)?
        } else {
            alike.binary_search(id).ok()?
        };
        Some((low + at) as u32)
    }

    /// The number of an id that mostly is not among these: one look at a small table.
    #[inline]
    pub(super) fn find_rare(&self, id: &[u8; 20]) -> Option<u32> {
        let at = (head(id) >> self.shift) as usize;
        if self.bits[at / 64] >> (at % 64) & 1 == 0 {
            return None;
        }
        self.find(&Oid::new(*id))
    }
}

fn first(id: &Oid) -> usize {
    let bytes = id.as_bytes();
    usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))
}

#[inline]
fn head(id: &[u8; 20]) -> u32 {
    u32::from_be_bytes([id[0], id[1], id[2], id[3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_has_its_number_and_others_have_none() {
        let mut ids: Vec<Oid> = (0..2000_u32)
            .map(|i| {
                let mut bytes = [7; 20];
                bytes[..4].copy_from_slice(&i.wrapping_mul(2_654_435_761).to_be_bytes());
                bytes[19] = 1;
                Oid::new(bytes)
            })
            .collect();
        ids.sort_unstable();
        let twice = ids.iter().flat_map(|id| [*id, *id]).collect();
        let table = Ids::new(twice);
        assert_eq!(table.len(), 2000);
        for (number, id) in (0_u32..).zip(&ids) {
            assert_eq!(table.id(number), *id);
            assert_eq!(table.find(id), Some(number));
            assert_eq!(table.find_rare(id.as_bytes()), Some(number));
            let mut other = *id.as_bytes();
            other[19] = 2;
            assert_eq!(table.find(&Oid::new(other)), None);
            assert_eq!(table.find_rare(&other), None);
        }
        assert_eq!(Ids::new(Vec::new()).find(&ids[0]), None);
    }
}
