//! Tests of the object reader: repositories that git made, packs made byte by byte, random histories.
//!
//! Every decoded object is hashed and compared with its id, and every edit map with the two objects it joins.

#![expect(
    clippy::unwrap_used,
    clippy::many_single_char_names,
    reason = "a test that cannot go on fails; a hash has the letters of its standard"
)]

mod hostile;
mod real;
mod synthetic;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;

/// SHA-1 of an object with git's header: its id.
fn id_of(kind: Kind, bytes: &[u8]) -> Oid {
    let mut data = format!("{kind} {}\0", bytes.len()).into_bytes();
    data.extend_from_slice(bytes);
    Oid::new(sha1(data))
}

/// SHA-1 as FIPS 180-4 has it; a crate for it would serve these tests alone.
fn sha1(mut data: Vec<u8>) -> [u8; 20] {
    let bits = data.len() as u64 * 8;
    data.push(0x80);
    let end = data.len().next_multiple_of(64);
    data.resize(
        if end - data.len() < 8 {
            end + 56
        } else {
            end - 8
        },
        0,
    );
    data.extend_from_slice(&bits.to_be_bytes());
    let mut hash = [
        0x6745_2301_u32,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];
    for block in data.as_chunks::<64>().0 {
        let mut w = [0_u32; 80];
        for (word, bytes) in w.iter_mut().zip(block.as_chunks::<4>().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        for i in 16..80 {
            w[i] = (w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16]).rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = hash;
        for (i, word) in w.iter().enumerate() {
            let (f, k) = match i / 20 {
                0 => ((b & c) | (!b & d), 0x5a82_7999),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next = a
                .rotate_left(5)
                .wrapping_add(f)
                .wrapping_add(e)
                .wrapping_add(k)
                .wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (sum, value) in hash.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(value);
        }
    }
    let mut id = [0; 20];
    for (to, from) in id.as_chunks_mut::<4>().0.iter_mut().zip(hash) {
        *to = from.to_be_bytes();
    }
    id
}

#[test]
fn the_hash_of_the_empty_blob_is_git_s() {
    assert_eq!(
        id_of(Kind::Blob, b"").to_string(),
        "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    );
    for len in 100..180 {
        let bytes = vec![b'a'; len];
        assert_eq!(sha1(bytes.clone()).len(), 20);
        if len % 13 == 0 || len == 117 {
            assert_eq!(id_of(Kind::Blob, &bytes).to_string(), git_hash(&bytes));
        }
    }
}

fn git_hash(bytes: &[u8]) -> String {
    let mut child = Command::new("git")
        .args(["hash-object", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let out = child.wait_with_output().unwrap().stdout;
    String::from_utf8(out).unwrap().trim().to_owned()
}

/// Gathers objects, and checks each edit map against base and object.
#[derive(Default)]
struct Gather {
    objects: BTreeMap<Oid, (Kind, u64)>,
    edited: usize,
    twice: usize,
    windows: BTreeMap<Oid, Vec<u8>>,
}

impl Visitor for Gather {
    type State = Vec<u8>;

    fn object(&mut self, object: &Object<'_>, base: Option<&Vec<u8>>) -> Vec<u8> {
        let id = id_of(object.head.kind, object.bytes);
        assert_eq!(object.head.id(), id);
        assert_eq!(object.edits.is_some(), base.is_some());
        assert_eq!(object.base.is_some(), base.is_some());
        let row = (object.head.kind, object.bytes.len() as u64);
        self.twice += usize::from(self.objects.insert(id, row).is_some());
        if let (Some(edits), Some(base)) = (object.edits, base) {
            self.edited += 1;
            check(edits, base, object.bytes);
        }
        object.bytes.to_vec()
    }

    fn window(&mut self, head: &Head<'_>, window: &Window<'_>) {
        let all = self.windows.entry(head.id()).or_default();
        assert_eq!(window.start as usize + window.seen, all.len());
        assert_eq!(&all[window.start as usize..], &window.bytes[..window.seen]);
        all.extend_from_slice(&window.bytes[window.seen..]);
        if window.last {
            assert_eq!(all.len() as u64, head.size);
            let id = id_of(head.kind, all);
            assert_eq!(id, head.id());
            self.objects.insert(id, (head.kind, head.size));
        }
    }
}

/// The segments cover the object, copies hold what the base holds, and none could be joined with the one before.
fn check(edits: &EditMap, base: &[u8], bytes: &[u8]) {
    let mut at = 0;
    let mut before: Option<Segment> = None;
    for segment in edits.segments() {
        match *segment {
            Segment::Copy {
                base_start,
                result_start,
                len,
            } => {
                assert_eq!(result_start, at);
                assert!(len > 0);
                assert_eq!(base[base_start..base_start + len], bytes[at..at + len]);
                if let Some(Segment::Copy {
                    base_start: start,
                    len,
                    ..
                }) = before
                {
                    assert_ne!(start + len, base_start);
                }
                at += len;
            }
            Segment::Insert { result_start, len } => {
                assert_eq!(result_start, at);
                assert!(len > 0);
                assert!(!matches!(before, Some(Segment::Insert { .. })));
                at += len;
            }
        }
        before = Some(*segment);
    }
    assert_eq!(at, bytes.len());
}

/// What a walk over a pack gathered.
struct Gathered {
    objects: BTreeMap<Oid, (Kind, u64)>,
    edited: usize,
    gaps: Vec<Gap>,
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
}

fn gather(pack: &Pack, threads: usize, options: &Options<'_>) -> Gathered {
    let pool = pool(threads);
    let entries = Entries::read(pack, &pool);
    let tree = DeltaTree::new(pack, &entries);
    gather_tree(pack, &entries, &tree, &pool, options)
}

fn gather_tree(
    pack: &Pack,
    entries: &Entries,
    tree: &DeltaTree,
    pool: &rayon::ThreadPool,
    options: &Options<'_>,
) -> Gathered {
    let walked = walk(pack, entries, tree, options, pool, Gather::default);
    let mut all = Gathered {
        objects: BTreeMap::new(),
        edited: 0,
        gaps: walked.gaps,
    };
    for visitor in walked.visitors {
        assert_eq!(visitor.twice, 0);
        all.edited += visitor.edited;
        for (id, row) in visitor.objects {
            assert!(
                all.objects.insert(id, row).is_none(),
                "{id} was visited twice"
            );
        }
    }
    assert_eq!(walked.objects, all.objects.len() as u64);
    all
}

/// A pack made entry by entry.
struct PackBuilder {
    bytes: Vec<u8>,
    rows: Vec<(Oid, u64)>,
}

impl PackBuilder {
    fn new() -> Self {
        let mut bytes = b"PACK".to_vec();
        bytes.extend_from_slice(&2_u32.to_be_bytes());
        bytes.extend_from_slice(&0_u32.to_be_bytes());
        Self {
            bytes,
            rows: Vec::new(),
        }
    }

    fn end(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Any header before any bytes.
    fn raw(&mut self, id: Oid, code: u8, size: u64, base: &[u8], stream: &[u8]) -> u64 {
        let offset = self.end();
        let mut rest = size >> 4;
        let more = |rest: u64| if rest > 0 { 0x80 } else { 0 };
        self.bytes.push(code << 4 | (size & 15) as u8 | more(rest));
        while rest > 0 {
            let byte = (rest & 0x7f) as u8;
            rest >>= 7;
            self.bytes.push(byte | more(rest));
        }
        self.bytes.extend_from_slice(base);
        self.bytes.extend_from_slice(stream);
        self.rows.push((id, offset));
        offset
    }

    fn whole(&mut self, kind: Kind, bytes: &[u8]) -> u64 {
        let id = id_of(kind, bytes);
        self.raw(
            id,
            kind as u8 + 1,
            bytes.len() as u64,
            b"",
            &deflated(bytes),
        )
    }

    /// A delta on the entry at an offset.
    fn behind(&mut self, id: Oid, base: u64, delta: &[u8]) -> u64 {
        let mut back = self.end() - base;
        let mut code = vec![(back & 0x7f) as u8];
        back >>= 7;
        while back > 0 {
            back -= 1;
            code.insert(0, 0x80 | (back & 0x7f) as u8);
            back >>= 7;
        }
        self.raw(id, 6, delta.len() as u64, &code, &deflated(delta))
    }

    /// A delta on the object with an id.
    fn on(&mut self, id: Oid, base: Oid, delta: &[u8]) -> u64 {
        self.raw(id, 7, delta.len() as u64, base.as_bytes(), &deflated(delta))
    }

    fn finish(self) -> (Vec<u8>, Index) {
        let (mut bytes, mut rows) = (self.bytes, self.rows);
        bytes[8..12].copy_from_slice(&(rows.len() as u32).to_be_bytes());
        let sum = sha1(bytes.clone());
        bytes.extend_from_slice(&sum);
        rows.sort_unstable();
        (
            bytes,
            Index::from_sorted(&rows, Path::new("made.idx")).unwrap(),
        )
    }

    fn pack(self) -> Pack {
        let (bytes, index) = self.finish();
        Pack::new(Box::new(bytes), index, Path::new("made.pack")).unwrap()
    }
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// A delta under construction.
struct DeltaBuilder(Vec<u8>);

impl DeltaBuilder {
    fn new(base: u64, result: u64) -> Self {
        let mut bytes = Vec::new();
        for mut value in [base, result] {
            while value > 0x7f {
                bytes.push((value & 0x7f) as u8 | 0x80);
                value >>= 7;
            }
            bytes.push(value as u8);
        }
        Self(bytes)
    }

    fn copy(mut self, start: usize, len: usize) -> Self {
        let value = (start as u64) | (len as u64) << 32;
        let at = self.0.len();
        self.0.push(0x80);
        for i in 0..7 {
            let byte = (value >> (8 * i)) as u8;
            if byte != 0 {
                self.0[at] |= 1 << i;
                self.0.push(byte);
            }
        }
        self
    }

    fn insert(mut self, bytes: &[u8]) -> Self {
        for part in bytes.chunks(127) {
            self.0.push(part.len() as u8);
            self.0.extend_from_slice(part);
        }
        self
    }

    /// Replaces a stretch of a base, copying the rest.
    fn splice(base: &[u8], from: usize, to: usize, new: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let result = [&base[..from], new, &base[to..]].concat();
        let mut delta = Self::new(base.len() as u64, result.len() as u64);
        for (start, end) in [(0, from), (to, base.len())] {
            let mut start = start;
            while start < end {
                let len = (end - start).min(0xff_ffff);
                delta = delta.copy(start, len);
                start += len;
            }
            if end == from {
                delta = delta.insert(new);
            }
        }
        (delta.0, result)
    }
}

/// A repository that git makes in a temporary folder.
struct Repo {
    dir: tempfile::TempDir,
}

impl Repo {
    fn new() -> Self {
        let repo = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        repo.git(&["init", "-q", "-b", "main", "."]);
        repo
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn objects(&self) -> PathBuf {
        self.path().join(".git/objects")
    }

    fn git(&self, args: &[&str]) -> String {
        let out = Command::new("git")
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs([
                ("GIT_AUTHOR_NAME", "A"),
                ("GIT_AUTHOR_EMAIL", "a@example.org"),
            ])
            .envs([
                ("GIT_COMMITTER_NAME", "A"),
                ("GIT_COMMITTER_EMAIL", "a@example.org"),
            ])
            .envs([
                ("GIT_AUTHOR_DATE", "1700000000 +0000"),
                ("GIT_COMMITTER_DATE", "1700000000 +0000"),
            ])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "git {args:?}: {errors}");
        String::from_utf8(out.stdout).unwrap()
    }

    /// Commits that edit a few files at places that `seed` chooses.
    fn history(&self, commits: usize, seed: u64) {
        let mut random = Random(seed);
        let mut files: Vec<Vec<u8>> = (0..4).map(|i| text(&mut random, 2000 + 3000 * i)).collect();
        let mut stream = Vec::new();
        for commit in 0..commits {
            writeln!(stream, "commit refs/heads/main\nmark :{}", commit + 1).unwrap();
            writeln!(
                stream,
                "committer A <a@example.org> {} +0000",
                1_700_000_000 + commit
            )
            .unwrap();
            writeln!(stream, "data 7\nmessage").unwrap();
            if commit > 0 {
                writeln!(stream, "from :{commit}").unwrap();
            }
            let which = random.below(files.len());
            let file = &mut files[which];
            let from = random.below(file.len());
            let to = (from + random.below(200)).min(file.len());
            let len = random.below(300);
            file.splice(from..to, text(&mut random, len));
            writeln!(
                stream,
                "M 100644 inline dir/file{which}\ndata {}",
                file.len()
            )
            .unwrap();
            stream.extend_from_slice(file);
            stream.push(b'\n');
        }
        let mut child = Command::new("git")
            .args(["fast-import", "--quiet", "--force"])
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&stream).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// What git says there is: id, kind and size of every object.
    fn listed(&self) -> BTreeMap<Oid, (Kind, u64)> {
        let out = self.git(&["cat-file", "--batch-all-objects", "--batch-check"]);
        let row = |line: &str| {
            let mut words = line.split(' ');
            let id = words.next()?.parse().ok()?;
            let kind = Kind::from_name(words.next()?.as_bytes())?;
            Some((id, (kind, words.next()?.parse().ok()?)))
        };
        out.lines().map(|line| row(line).unwrap()).collect()
    }

    fn packs(&self) -> Vec<PathBuf> {
        let list = std::fs::read_dir(self.objects().join("pack")).unwrap();
        let mut packs: Vec<PathBuf> = list.map(|file| file.unwrap().path()).collect();
        packs.retain(|path| path.extension().is_some_and(|e| e == "pack"));
        packs.sort();
        packs
    }
}

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        if end == 0 {
            0
        } else {
            (self.next() % end as u64) as usize
        }
    }
}

fn text(random: &mut Random, len: usize) -> Vec<u8> {
    (0..len)
        .map(|_| match random.below(40) {
            0 => b'\n',
            n => b'a' + (n % 26) as u8,
        })
        .collect()
}

fn open(path: &Path) -> Pack {
    Pack::open(path, Index::open(&path.with_extension("idx")).unwrap()).unwrap()
}
