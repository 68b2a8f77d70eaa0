//! Deltas: applying one to its base, and the map of what it copied and inserted.
//!
//! Format: <https://git-scm.com/docs/gitformat-pack#_deltified_representation>.

use super::DeltaFault;

/// A stretch of an object made from a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment {
    /// The same bytes as in the base.
    Copy {
        /// Where they begin in the base.
        base_start: usize,
        /// Where they begin in the object.
        result_start: usize,
        /// How many, never 0.
        len: usize,
    },
    /// Bytes that the delta brings.
    Insert {
        /// Where they begin in the object.
        result_start: usize,
        /// How many, never 0.
        len: usize,
    },
}

/// How an object came from its delta base: segments in the object's order, which cover it without a hole.
///
/// Copies that continue each other in base and object are one segment, and so are inserts that follow each other.
#[derive(Debug, Default, Clone)]
pub struct EditMap {
    segments: Vec<Segment>,
}

impl EditMap {
    /// The segments, in the object's order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    fn copy(&mut self, base_start: usize, result_start: usize, len: usize) {
        if let Some(Segment::Copy {
            base_start: before,
            len: had,
            ..
        }) = self.segments.last_mut()
            && *before + *had == base_start
        {
            *had += len;
            return;
        }
        self.segments.push(Segment::Copy {
            base_start,
            result_start,
            len,
        });
    }

    fn insert(&mut self, result_start: usize, len: usize) {
        if let Some(Segment::Insert { len: had, .. }) = self.segments.last_mut() {
            *had += len;
            return;
        }
        self.segments.push(Segment::Insert { result_start, len });
    }
}

/// A delta with its two sizes read.
#[derive(Clone, Copy)]
pub(super) struct Delta<'d> {
    base_size: u64,
    result_size: u64,
    ops: &'d [u8],
}

/// One instruction.
enum Op<'d> {
    Copy { start: usize, len: usize },
    Insert(&'d [u8]),
}

impl<'d> Delta<'d> {
    pub(super) fn new(bytes: &'d [u8]) -> Result<Self, DeltaFault> {
        let mut ops = bytes;
        Ok(Self {
            base_size: number(&mut ops)?,
            result_size: number(&mut ops)?,
            ops,
        })
    }

    pub(super) fn result_size(&self) -> u64 {
        self.result_size
    }

    /// Checks that it was made for a base of this size, and that its instructions could make as much as it says.
    pub(super) fn check(&self, base_size: usize) -> Result<(), DeltaFault> {
        /// Most bytes that one byte of instructions makes: a copy of 16,777,215 takes four.
        const YIELD: u64 = 0x00ff_ffff / 4 + 1;
        if self.base_size != base_size as u64 {
            return Err(DeltaFault::BaseSize {
                wanted: self.base_size,
                actual: base_size as u64,
            });
        }
        if self.result_size > (self.ops.len() as u64).saturating_mul(YIELD) {
            return Err(DeltaFault::ResultSize(self.result_size));
        }
        Ok(())
    }

    /// Makes the object, whose length `result` has, and its map.
    pub(super) fn apply(
        &self,
        base: &[u8],
        result: &mut [u8],
        edits: &mut EditMap,
    ) -> Result<(), DeltaFault> {
        self.check(base.len())?;
        edits.segments.clear();
        let wrong = DeltaFault::ResultSize(self.result_size);
        let mut ops = self.ops;
        let mut at = 0;
        while let Some(op) = next(&mut ops)? {
            let bytes = match op {
                Op::Copy { start, len } => {
                    edits.copy(start, at, len);
                    base.get(start..start + len)
                        .ok_or(DeltaFault::OutsideBase)?
                }
                Op::Insert(bytes) => {
                    edits.insert(at, bytes.len());
                    bytes
                }
            };
            let end = at + bytes.len();
            result.get_mut(at..end).ok_or(wrong)?.copy_from_slice(bytes);
            at = end;
        }
        if at == result.len() {
            Ok(())
        } else {
            Err(wrong)
        }
    }

    /// Makes the object piece by piece, without holding it.
    pub(super) fn pieces(
        &self,
        base: &[u8],
        mut piece: impl FnMut(&[u8]),
    ) -> Result<(), DeltaFault> {
        self.check(base.len())?;
        let mut ops = self.ops;
        let mut left = self.result_size;
        while let Some(op) = next(&mut ops)? {
            let bytes = match op {
                Op::Copy { start, len } => base
                    .get(start..start + len)
                    .ok_or(DeltaFault::OutsideBase)?,
                Op::Insert(bytes) => bytes,
            };
            left = left
                .checked_sub(bytes.len() as u64)
                .ok_or(DeltaFault::ResultSize(self.result_size))?;
            piece(bytes);
        }
        if left == 0 {
            Ok(())
        } else {
            Err(DeltaFault::ResultSize(self.result_size))
        }
    }
}

#[inline]
fn next<'d>(ops: &mut &'d [u8]) -> Result<Option<Op<'d>>, DeltaFault> {
    let Some((&first, rest)) = ops.split_first() else {
        return Ok(None);
    };
    if first & 0x80 == 0 {
        if first == 0 {
            return Err(DeltaFault::Reserved);
        }
        let (bytes, rest) = rest
            .split_at_checked(usize::from(first))
            .ok_or(DeltaFault::Truncated)?;
        *ops = rest;
        return Ok(Some(Op::Insert(bytes)));
    }
    // Four bytes of start and three of length, those present that have their bit set.
    let mut rest = rest;
    let mut value = 0_u64;
    let mut bits = first & 0x7f;
    while bits != 0 {
        let (&byte, after) = rest.split_first().ok_or(DeltaFault::Truncated)?;
        value |= u64::from(byte) << (8 * bits.trailing_zeros());
        rest = after;
        bits &= bits - 1;
    }
    *ops = rest;
    let len = (value >> 32) as usize;
    Ok(Some(Op::Copy {
        start: (value & 0xffff_ffff) as usize,
        len: if len == 0 { 0x10000 } else { len },
    }))
}

/// A little-endian base-128 number.
fn number(bytes: &mut &[u8]) -> Result<u64, DeltaFault> {
    let mut value = 0_u64;
    for shift in (0..).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(DeltaFault::Truncated)?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if shift > 63 || part << shift >> shift != part {
            return Err(DeltaFault::Number);
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Ok(value)
}
