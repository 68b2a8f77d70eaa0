//! The bytes of a file as what is known: damaged ones are told from whole ones, and no length is believed.

use std::fs::File;
use std::sync::OnceLock;

use super::super::join::Spot;
use super::super::objects::Looked;
use super::seen::{SEEN, SeenList};
use super::{CacheError, HEAD, Known, MAGIC, PARTS, StoredName};
use crate::history::{Past, RawCommit};
use crate::model::{Position, Span};
use crate::pack::{Kind, Oid, read_pieces_at};

/// Bytes that are left of a file. What is taken beyond its end is `None`.
pub(super) struct In<'b>(pub(super) &'b [u8]);

impl<'b> In<'b> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn u8(&mut self) -> Option<u8> {
        self.bytes::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    pub(super) fn id(&mut self) -> Option<Oid> {
        self.bytes().map(Oid::new)
    }

    pub(super) fn kind(&mut self) -> Option<(Kind, u8)> {
        let code = self.u8()?;
        let kind = match code & 3 {
            0 => Kind::Commit,
            1 => Kind::Tree,
            2 => Kind::Blob,
            _ => Kind::Tag,
        };
        Some((kind, code >> 2))
    }

    /// A list with rows of one size, which is read in one go.
    fn rows<T, const N: usize>(&mut self, one: impl Fn([u8; N]) -> T) -> Option<Vec<T>> {
        let count = usize::try_from(self.u64()?).ok()?;
        let (rows, rest) = self.0.split_at_checked(count.checked_mul(N)?)?;
        self.0 = rest;
        Some(rows.as_chunks().0.iter().map(|row| one(*row)).collect())
    }

    /// A list whose rows take at least `least` bytes, so that its length can be believed.
    fn list<T>(
        &mut self,
        least: usize,
        mut one: impl FnMut(&mut In<'b>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let count = usize::try_from(self.u64()?).ok()?;
        if count > self.0.len() / least {
            return None;
        }
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(one(self)?);
        }
        Some(all)
    }
}

/// A part of a file, whose sum is right.
pub(super) fn part(file: &File, at: u64, len: usize, sum: u32) -> Result<Vec<u8>, CacheError> {
    let mut bytes = vec![0; len];
    read_pieces_at(file, &mut bytes, at)?;
    if crc32fast::hash(&bytes) == sum {
        Ok(bytes)
    } else {
        Err(CacheError::Damaged)
    }
}

/// On the threads of the current pool.
pub(super) fn decode(file: File, size: u64, key: &[u8; 32]) -> Result<Known, CacheError> {
    let mut head = [0; HEAD];
    if size < HEAD as u64 {
        return Err(CacheError::Damaged);
    }
    read_pieces_at(&file, &mut head, 0)?;
    let (body, sum) = head.split_last_chunk().ok_or(CacheError::Damaged)?;
    let mut rest = In(body);
    if rest.bytes().as_ref() != Some(MAGIC) || crc32fast::hash(body) != u32::from_le_bytes(*sum) {
        return Err(CacheError::Damaged);
    }
    if rest.bytes().as_ref() != Some(key) {
        return Err(CacheError::Foreign);
    }
    let mut at = HEAD as u64;
    let mut parts = [(0, 0, 0); PARTS];
    for part in &mut parts {
        let (len, sum) = rest.u64().zip(rest.u32()).ok_or(CacheError::Damaged)?;
        *part = (at, len as usize, sum);
        at = at.checked_add(len).ok_or(CacheError::Damaged)?;
    }
    if at != size {
        return Err(CacheError::Damaged);
    }
    let [first, second, (at, len, sum)] = parts;
    let read = |(at, len, sum), rows: fn(&mut In<'_>) -> Option<Known>| {
        let bytes = part(&file, at, len, sum)?;
        let mut rest = In(&bytes);
        let known = rows(&mut rest).filter(|_| rest.0.is_empty());
        known.ok_or(CacheError::Damaged)
    };
    let (graph, hits) = rayon::join(|| read(first, graph), || read(second, hits));
    let (graph, hits) = (graph?, hits?);
    if len % SEEN != 0 {
        return Err(CacheError::Damaged);
    }
    let known = Known {
        packs: graph.packs,
        all_packs: graph.all_packs,
        loose: graph.loose,
        commits: graph.commits,
        seen: SeenList {
            count: len / SEEN,
            blocks: hits.seen.blocks,
            file: Some((file, at, sum)),
            rows: OnceLock::new(),
        },
        ..hits
    };
    if known.is_sound() {
        Ok(known)
    } else {
        Err(CacheError::Damaged)
    }
}

/// The first part of a file: what was there, and the graph of commits.
fn graph(rest: &mut In<'_>) -> Option<Known> {
    let all_packs = rest.u8()? == 1;
    let packs = rest.list(64, |row| {
        let identity = row.bytes()?;
        let looked = Looked {
            objects: row.u64()?,
            blobs: row.u64()?,
            binary: row.u64()?,
            bytes: row.u64()?,
        };
        Some((identity, looked))
    })?;
    let loose = rest.list(20, In::id)?;
    let commits = rest.list(56, |row| {
        Some(RawCommit {
            id: row.id()?,
            tree: row.id()?,
            time: row.u64()? as i64,
            parents: row.list(20, In::id)?,
        })
    })?;
    Some(Known {
        packs,
        all_packs,
        loose,
        commits,
        ..Known::default()
    })
}

/// The second part: hits and trees.
fn hits(rest: &mut In<'_>) -> Option<Known> {
    let leaks = rest.list(20, |row| Some((row.u32()?, row.bytes()?)))?;
    let contexts = rest.list(4, In::u32)?;
    let hits = rest.list(29, |row| {
        let (id, (kind, _)) = (row.id()?, row.kind()?);
        let items = row.list(36, |row| {
            let context = row.u32()?;
            let mut at = || {
                let (line, column) = (row.u32()?, row.u32()?);
                Some(Position { line, column })
            };
            let (start, end) = (at()?, at()?);
            let span = Span {
                start: row.u64()?,
                end: row.u64()?,
            };
            Some((context, Spot { start, end, span }))
        })?;
        Some((id, kind, items))
    })?;
    let past = Past {
        trees: rest.rows(Oid::new)?,
        nodes: rest.rows(u32::from_le_bytes)?,
        starts: rest.rows(u32::from_le_bytes)?,
        links: rest.list(8, |row| Some((row.u32()?, row.u32()?)))?,
        hits: rest.list(20, In::id)?,
        names: Vec::new(),
    };
    let names = rest.list(9, |row| {
        Some(match row.u8()? {
            0 => StoredName::Clear(row.list(1, In::u8)?),
            1 => StoredName::At(row.id()?, row.u32()?),
            _ => return None,
        })
    })?;
    let blocks = rest.list(24, |row| Some((row.id()?, row.u32()?)))?;
    Some(Known {
        seen: SeenList {
            blocks,
            ..SeenList::default()
        },
        leaks,
        contexts,
        hits,
        past,
        names,
        ..Known::default()
    })
}
