//! What is known as the bytes of a file.

use super::seen::BLOCK;
use super::{HEAD, Known, MAGIC, StoredName};
use crate::pack::{Kind, Oid};

/// Numbers are little-endian; a list begins with its length.
struct Out(Vec<u8>);

impl Out {
    fn u32(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn id(&mut self, id: &Oid) {
        self.0.extend_from_slice(id.as_bytes());
    }

    fn list<T>(&mut self, all: &[T], mut one: impl FnMut(&mut Self, &T)) {
        self.u64(all.len() as u64);
        for row in all {
            one(self, row);
        }
    }
}

/// A file: the format's name, the key, length and sum of each of three parts, the sum of all that, and the parts.
pub(super) fn encode(known: &Known, key: &[u8; 32]) -> Option<Vec<u8>> {
    let mut out = Out(Vec::new());
    out.0.resize(HEAD, 0);
    let mut ends = vec![HEAD];
    out.0.push(u8::from(known.all_packs));
    out.list(&known.packs, |out, (identity, looked)| {
        out.0.extend_from_slice(identity);
        for number in [looked.objects, looked.blobs, looked.binary, looked.bytes] {
            out.u64(number);
        }
    });
    out.list(&known.loose, Out::id);
    out.list(&known.commits, |out, commit| {
        out.id(&commit.id);
        out.id(&commit.tree);
        out.u64(commit.time as u64);
        out.list(&commit.parents, Out::id);
    });
    ends.push(out.0.len());
    out.list(&known.leaks, |out, (rule, print)| {
        out.u32(*rule);
        out.0.extend_from_slice(print);
    });
    out.list(&known.contexts, |out, leak| out.u32(*leak));
    out.list(&known.hits, |out, (id, kind, items)| {
        out.id(id);
        out.0.push(kind_code(*kind));
        out.list(items, |out, (context, spot)| {
            out.u32(*context);
            for at in [spot.start, spot.end] {
                out.u32(at.line);
                out.u32(at.column);
            }
            out.u64(spot.span.start);
            out.u64(spot.span.end);
        });
    });
    out.list(&known.past.trees, Out::id);
    out.list(&known.past.nodes, |out, node| out.u32(*node));
    out.list(&known.past.starts, |out, start| out.u32(*start));
    out.list(&known.past.links, |out, (name, child)| {
        out.u32(*name);
        out.u32(*child);
    });
    out.list(&known.past.hits, Out::id);
    out.list(&known.names, |out, name| match name {
        StoredName::Clear(bytes) => {
            out.0.push(0);
            out.list(bytes, |out, byte| out.0.push(*byte));
        }
        StoredName::At(tree, number) => {
            out.0.push(1);
            out.id(tree);
            out.u32(*number);
        }
    });
    let mut rows = Out(Vec::new());
    let mut blocks = Vec::new();
    for block in known.seen.all()?.chunks(BLOCK) {
        let start = rows.0.len();
        for seen in block {
            rows.id(&seen.id);
            rows.0
                .push(kind_code(seen.kind) | u8::from(seen.binary) << 2);
            rows.u64(seen.size);
        }
        blocks.push((block.first()?.id, crc32fast::hash(rows.0.get(start..)?)));
    }
    out.list(&blocks, |out, (first, sum)| {
        out.id(first);
        out.u32(*sum);
    });
    ends.push(out.0.len());
    out.0.append(&mut rows.0);
    ends.push(out.0.len());
    let mut head = Out(Vec::with_capacity(HEAD));
    head.0.extend_from_slice(MAGIC);
    head.0.extend_from_slice(key);
    for part in ends.windows(2) {
        let bytes = out.0.get(*part.first()?..*part.last()?)?;
        head.u64(bytes.len() as u64);
        head.u32(crc32fast::hash(bytes));
    }
    let sum = crc32fast::hash(&head.0);
    head.u32(sum);
    out.0.get_mut(..HEAD)?.copy_from_slice(&head.0);
    Some(out.0)
}

fn kind_code(kind: Kind) -> u8 {
    match kind {
        Kind::Commit => 0,
        Kind::Tree => 1,
        Kind::Blob => 2,
        Kind::Tag => 3,
    }
}
