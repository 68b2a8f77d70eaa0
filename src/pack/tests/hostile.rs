//! Packs, indexes and loose objects that lie.

use super::*;

fn why_of(pack: &Pack) -> Vec<Why> {
    let got = gather(pack, 2, &Options::default());
    got.gaps.iter().map(|gap| gap.why).collect()
}

fn fake(byte: u8) -> Oid {
    Oid::new([byte; 20])
}

#[test]
fn a_loop_of_deltas_is_a_gap_and_the_rest_is_decoded() {
    let mut made = PackBuilder::new();
    made.whole(Kind::Blob, b"good");
    let delta = DeltaBuilder::new(4, 4).copy(0, 4).0;
    made.on(fake(1), fake(2), &delta);
    made.on(fake(2), fake(3), &delta);
    made.on(fake(3), fake(1), &delta);
    made.on(fake(4), fake(4), &delta); // on itself
    made.on(fake(5), fake(1), &delta); // rests on the loop
    let pack = made.pack();
    let got = gather(&pack, 2, &Options::default());
    assert_eq!(got.objects.len(), 1);
    assert_eq!(got.gaps.len(), 5);
    assert!(got.gaps.iter().all(|gap| gap.why == Why::Loop));
    let mut db = Db::new();
    let dir = tempfile::tempdir().unwrap();
    write_pack(dir.path(), &pack);
    assert!(db.add(dir.path()).is_empty());
    for i in 1..=5 {
        assert!(matches!(db.find(&fake(i), 100), Err(Error::Object(gap)) if gap.why == Why::Loop));
        assert!(db.header(&fake(i)).is_err());
    }
}

/// Puts a made pack into an `objects` folder, with an index file.
fn write_pack(objects: &Path, pack: &Pack) {
    let folder = objects.join("pack");
    std::fs::create_dir_all(&folder).unwrap();
    let mut bytes = vec![0; pack.size() as usize];
    pack.source.read_exact_at(&mut bytes, 0).unwrap();
    std::fs::write(folder.join("pack-1.pack"), bytes).unwrap();
    std::fs::write(folder.join("pack-1.idx"), pack.index().bytes()).unwrap();
}

#[test]
fn missing_bases_are_gaps_with_all_that_rests_on_them() {
    let mut made = PackBuilder::new();
    let good = made.whole(Kind::Blob, b"good");
    let delta = DeltaBuilder::new(4, 5).copy(0, 4).insert(b"!").0;
    made.behind(id_of(Kind::Blob, b"good!"), good, &delta);
    let lost = made.behind(fake(1), good + 1, &delta);
    made.behind(fake(2), lost, &delta);
    made.on(fake(3), fake(9), &delta);
    made.on(fake(4), fake(3), &delta);
    let got = gather(&made.pack(), 2, &Options::default());
    assert_eq!(got.objects.len(), 2);
    let why: Vec<Why> = got.gaps.iter().map(|gap| gap.why).collect();
    assert_eq!(
        why,
        [
            Why::NoBaseAt(good + 1),
            Why::Base,
            Why::NoBase(fake(9)),
            Why::Base
        ]
    );
    let text = got.gaps[0].to_string();
    assert!(
        text.starts_with(&format!("made.pack: object {} at offset {lost}: ", fake(1))),
        "{text}"
    );
}

#[test]
fn sizes_that_lie_are_refused_before_memory_is_taken() {
    let stream = deflated(b"ten bytes!");
    let mut made = PackBuilder::new();
    made.whole(Kind::Blob, b"good");
    made.raw(fake(1), 3, 9, b"", &stream);
    made.raw(fake(2), 3, 11, b"", &stream);
    made.raw(fake(3), 3, 1 << 40, b"", &stream);
    made.raw(fake(4), 3, u64::MAX, b"", &stream);
    made.raw(fake(5), 3, 10_000, b"", &stream);
    made.raw(fake(6), 7, u64::MAX / 2, fake(1).as_bytes(), &stream);
    let packed = stream.len() as u64;
    let why = why_of(&made.pack());
    assert_eq!(why[0], Why::Size { claimed: 9 });
    assert_eq!(why[1], Why::Size { claimed: 11 });
    assert_eq!(
        why[2],
        Why::Claim {
            claimed: 1 << 40,
            packed
        }
    );
    assert_eq!(
        why[3],
        Why::Claim {
            claimed: u64::MAX,
            packed
        }
    );
    assert_eq!(why[4], Why::Size { claimed: 10_000 });
    assert!(matches!(why[5], Why::Claim { .. }));
    assert_eq!(why.len(), 6);
}

#[test]
fn headers_and_streams_that_are_damaged() {
    let good = deflated(b"good");
    let mut made = PackBuilder::new();
    made.raw(fake(1), 0, 4, b"", &good);
    made.raw(fake(2), 5, 4, b"", &good);
    made.raw(fake(3), 3, 4, b"", b"nonsense");
    made.raw(fake(4), 3, 4, b"", &good[..6]);
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    made.raw(fake(5), 3, 4, b"", &flipped);
    let endless = made.raw(fake(6), 3, 4, b"", b"");
    made.bytes[endless as usize] |= 0x80;
    made.bytes.extend_from_slice(&[0xff; 40]);
    made.raw(fake(7), 6, 4, &[0xff; 12], &good); // a distance without end
    made.raw(fake(8), 6, 4, &[0], &good); // a distance of 0
    made.whole(Kind::Commit, b"fine");
    let got = gather(&made.pack(), 2, &Options::default());
    assert_eq!(got.objects.len(), 1);
    let why: Vec<Why> = got.gaps.iter().map(|gap| gap.why).collect();
    assert_eq!(why[..2], [Why::Header; 2]);
    assert!(
        why[2..5]
            .iter()
            .all(|why| matches!(why, Why::Inflate | Why::Size { .. })),
        "{why:?}"
    );
    assert_eq!(why[5..], [Why::Header; 3]);
}

#[test]
fn deltas_that_are_damaged() {
    let base = b"base content";
    let new = |to| DeltaBuilder::new(12, to);
    let cases = [
        (
            DeltaBuilder::new(13, 12).copy(0, 12).0,
            DeltaFault::BaseSize {
                wanted: 13,
                actual: 12,
            },
        ),
        (new(12).copy(1, 12).0, DeltaFault::OutsideBase),
        (
            new(12).copy(usize::from(u16::MAX) << 16, 12).0,
            DeltaFault::OutsideBase,
        ),
        (new(12).copy(0, 11).0, DeltaFault::ResultSize(12)),
        (
            new(12).copy(0, 12).insert(b"x").0,
            DeltaFault::ResultSize(12),
        ),
        (
            new(12).copy(0, 11).insert(b"xy").0,
            DeltaFault::ResultSize(12),
        ),
        (new(1 << 50).copy(0, 12).0, DeltaFault::ResultSize(1 << 50)),
        (
            new(12).copy(0, 11).0.into_iter().chain([2, b'x']).collect(),
            DeltaFault::Truncated,
        ),
        (
            new(12).0.into_iter().chain([0xff, 1]).collect(),
            DeltaFault::Truncated,
        ),
        (
            new(12).copy(0, 12).0.into_iter().chain([0]).collect(),
            DeltaFault::Reserved,
        ),
        (vec![0xff; 12], DeltaFault::Number),
        (vec![0x80], DeltaFault::Truncated),
        (vec![], DeltaFault::Truncated),
    ];
    let mut made = PackBuilder::new();
    let at = made.whole(Kind::Blob, base);
    for (i, (delta, _)) in cases.iter().enumerate() {
        made.behind(fake(i as u8), at, delta);
    }
    let pack = made.pack();
    let expected: Vec<Why> = cases.iter().map(|(_, fault)| Why::Delta(*fault)).collect();
    assert_eq!(why_of(&pack), expected);
    let dir = tempfile::tempdir().unwrap();
    write_pack(dir.path(), &pack);
    let mut db = Db::new();
    assert!(db.add(dir.path()).is_empty());
    for i in 0..cases.len() {
        let found = db.find(&fake(i as u8), 1 << 20);
        assert!(matches!(found, Err(Error::Object(gap)) if matches!(gap.why, Why::Delta(_))));
    }
}

#[test]
fn a_pack_cut_short_loses_what_is_behind_the_cut() {
    let repo = Repo::new();
    repo.history(60, 11);
    repo.git(&["repack", "-adfq"]);
    let path = &repo.packs()[0];
    let listed = repo.listed();
    let bytes = std::fs::read(path).unwrap();
    for keep in [
        0,
        11,
        12,
        31,
        32,
        40,
        bytes.len() / 3,
        bytes.len() - 21,
        bytes.len() - 1,
    ] {
        let index = Index::open(&path.with_extension("idx")).unwrap();
        let cut = bytes[..keep].to_vec();
        match Pack::new(Box::new(cut), index, path) {
            Ok(pack) => {
                let got = gather(&pack, 2, &Options::default());
                assert_eq!(got.objects.len() + got.gaps.len(), listed.len());
                assert!(!got.gaps.is_empty());
            }
            Err(error) => {
                assert!(keep < 32);
                assert!(error.to_string().contains("truncated: "), "{error}");
            }
        }
    }
    // Bytes behind the end belong to nobody.
    let index = Index::open(&path.with_extension("idx")).unwrap();
    let longer = [&bytes[..], b"garbage"].concat();
    let got = gather(
        &Pack::new(Box::new(longer), index, path).unwrap(),
        2,
        &Options::default(),
    );
    assert_eq!(got.objects, listed);
}

#[test]
fn a_pack_with_flipped_bytes_never_panics_and_accounts_for_every_object() {
    let repo = Repo::new();
    repo.history(40, 12);
    repo.git(&["repack", "-adfq", "--depth=60"]);
    let path = &repo.packs()[0];
    let listed = repo.listed();
    let clean = std::fs::read(path).unwrap();
    let mut random = Random(5);
    let pool = pool(2);
    for _ in 0..120 {
        let mut bytes = clean.clone();
        for _ in 0..=random.below(3) {
            let at = 12 + random.below(bytes.len() - 12);
            bytes[at] ^= 1 << random.below(8);
        }
        let index = Index::open(&path.with_extension("idx")).unwrap();
        let pack = Pack::new(Box::new(bytes), index, path).unwrap();
        let entries = Entries::read(&pack, &pool);
        let tree = DeltaTree::new(&pack, &entries);
        let walked = walk(&pack, &entries, &tree, &Options::default(), &pool, || Count);
        assert_eq!(
            walked.objects + walked.gaps.len() as u64,
            listed.len() as u64
        );
    }
}

/// Counts what it is given, whatever it is: a flipped bit in a distance makes another object, not damage.
struct Count;

impl Visitor for Count {
    type State = ();

    fn object(&mut self, _: &Object<'_>, _: Option<&()>) {}
    fn window(&mut self, _: &Head<'_>, _: &Window<'_>) {}
}

#[test]
fn an_index_that_is_damaged_is_an_error_or_names_only_what_is_there() {
    let repo = Repo::new();
    repo.history(20, 13);
    repo.git(&["repack", "-adfq"]);
    let path = &repo.packs()[0];
    let clean = std::fs::read(path.with_extension("idx")).unwrap();
    for keep in (0..clean.len()).step_by(7) {
        let error = Index::parse(clean[..keep].to_vec(), path).err().unwrap();
        assert!(matches!(error, Error::Index { .. }), "{error}");
    }
    assert!(Index::parse([&clean[..], b"x"].concat(), path).is_err());
    let mut random = Random(6);
    let pool = pool(2);
    for _ in 0..120 {
        let mut bytes = clean.clone();
        for _ in 0..=random.below(5) {
            let at = random.below(bytes.len());
            bytes[at] = random.next() as u8;
        }
        let Ok(index) = Index::parse(bytes, path) else {
            continue;
        };
        let count = index.len();
        let pack = Pack::open(path, index).unwrap();
        let entries = Entries::read(&pack, &pool);
        let tree = DeltaTree::new(&pack, &entries);
        let walked = walk(&pack, &entries, &tree, &Options::default(), &pool, || Count);
        assert_eq!(walked.objects + walked.gaps.len() as u64, count as u64);
    }
}

#[test]
fn a_multi_pack_index_that_is_damaged_never_panics() {
    let repo = Repo::new();
    repo.history(20, 14);
    repo.git(&["repack", "-adfq"]);
    repo.git(&["multi-pack-index", "write"]);
    let path = repo.objects().join("pack/multi-pack-index");
    let clean = std::fs::read(&path).unwrap();
    for keep in 0..clean.len() {
        // The checksum at the end is not looked at.
        let parsed = Midx::parse(clean[..keep].to_vec(), &path);
        assert!(parsed.is_err() || keep + 20 >= clean.len());
    }
    let mut random = Random(7);
    for _ in 0..500 {
        let mut bytes = clean.clone();
        for _ in 0..=random.below(5) {
            let at = random.below(bytes.len());
            bytes[at] = random.next() as u8;
        }
        if let Ok(midx) = Midx::parse(bytes, &path) {
            for pack in 0..midx.names().len() {
                drop(midx.index(pack));
            }
            midx.find(&fake(3));
        }
    }
}

#[test]
fn a_large_object_beyond_the_budget_comes_in_windows_and_its_deltas_are_gaps() {
    let big = text(&mut Random(8), 600_000);
    let (delta, next) = DeltaBuilder::splice(&big, 1000, 1010, b"edited");
    let mut made = PackBuilder::new();
    let at = made.whole(Kind::Blob, &big);
    let second = made.behind(id_of(Kind::Blob, &next), at, &delta);
    let (delta, third) = DeltaBuilder::splice(&next, 0, 1, b"");
    made.behind(id_of(Kind::Blob, &third), second, &delta);
    made.whole(Kind::Blob, b"small");
    let pack = made.pack();
    for threads in [1, 3] {
        let options = Options {
            memory: 400_000,
            window: 50_000,
            overlap: 5000,
            ..Options::default()
        };
        let got = gather(&pack, threads, &options);
        assert_eq!(got.objects.len(), 2);
        assert!(matches!(
            got.gaps[0].why,
            Why::TooLarge {
                need: 1_200_000,
                ..
            }
        ));
        assert_eq!(got.gaps[1].why, Why::Base);
        let whole = gather(
            &pack,
            threads,
            &Options {
                stream_over: 1000,
                ..Options::default()
            },
        );
        assert_eq!(whole.objects.len(), 4);
        assert_eq!(whole.gaps, []);
    }
}

#[test]
fn a_delta_that_makes_much_of_a_small_base_comes_in_windows() {
    let base = text(&mut Random(9), 1 << 16);
    let copies = 160;
    let size = base.len() * copies;
    let mut delta = DeltaBuilder::new(base.len() as u64, size as u64);
    for _ in 0..copies {
        delta = delta.copy(0, base.len());
    }
    let delta = delta.0;
    let mut made = PackBuilder::new();
    let at = made.whole(Kind::Blob, &base);
    let huge = made.behind(id_of(Kind::Blob, &base.repeat(copies)), at, &delta);
    made.behind(
        fake(1),
        huge,
        &DeltaBuilder::new(size as u64, 5).copy(0, 5).0,
    );
    let pack = made.pack();
    let options = Options {
        memory: 1 << 20,
        window: 1 << 18,
        ..Options::default()
    };
    let got = gather(&pack, 2, &options);
    assert_eq!(got.objects.len(), 2);
    assert_eq!(got.gaps.len(), 1);
    let limited = Options {
        object: 1 << 22,
        ..options
    };
    let got = gather(&pack, 2, &limited);
    assert_eq!(got.objects.len(), 1);
    assert_eq!(
        got.gaps[0].why,
        Why::TooLarge {
            need: size as u64,
            budget: 1 << 22
        }
    );
}

#[test]
fn loose_objects_that_are_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("01");
    std::fs::create_dir(&folder).unwrap();
    let loose = Loose::new(dir.path());
    let id = fake(1);
    let cases: [(&[u8], bool); 9] = [
        (b"blob 4\0good", true),
        (b"blob 5\0good", false),
        (b"blob 3\0good", false),
        (b"blob 99999999999\0good", false),
        (b"blob 99999999999999999999999999999\0good", false),
        (b"blob -4\0good", false),
        (b"knob 4\0good", false),
        (b"blob4\0good", false),
        (b"", false),
    ];
    for (bytes, fine) in cases {
        std::fs::write(loose.path(&id), deflated(bytes)).unwrap();
        let read = loose.open(&id).and_then(|found| found.unwrap().bytes(100));
        assert_eq!(read.is_ok(), fine, "{read:?}");
        let read = loose
            .open(&id)
            .and_then(|found| found.unwrap().windows(100, 10, |_| ()));
        assert_eq!(read.is_ok(), fine, "{read:?}");
        if let Err(error) = read {
            assert!(
                error.to_string().contains(&format!("object {id}")),
                "{error}"
            );
        }
    }
    std::fs::write(loose.path(&id), b"not zlib").unwrap();
    assert!(loose.open(&id).is_err());
    std::fs::write(loose.path(&id), b"").unwrap();
    assert!(loose.open(&id).is_err());
    std::fs::remove_file(loose.path(&id)).unwrap();
    assert!(loose.open(&id).unwrap().is_none());
    #[cfg(unix)]
    {
        let target = dir.path().join("target");
        std::fs::write(&target, deflated(b"blob 4\0good")).unwrap();
        std::os::unix::fs::symlink(&target, loose.path(&id)).unwrap();
        assert!(matches!(loose.open(&id), Err(Error::NotAFile { .. })));
        std::fs::remove_file(loose.path(&id)).unwrap();
        assert!(
            Command::new("mkfifo")
                .arg(loose.path(&id))
                .status()
                .unwrap()
                .success()
        );
        assert!(matches!(loose.open(&id), Err(Error::NotAFile { .. })));
    }
}
