//! Repositories as git makes them.

use super::*;

#[test]
fn a_packed_history_is_decoded_as_git_lists_it() {
    let repo = Repo::new();
    repo.history(300, 1);
    repo.git(&["tag", "-a", "-m", "a tag", "v1", "main"]);
    repo.git(&["repack", "-adfq", "--depth=250", "--window=50"]);
    let listed = repo.listed();
    let [path] = &repo.packs()[..] else {
        unreachable!("one pack after a repack");
    };
    for threads in [1, 2, 5] {
        for (load, memory) in [
            (false, 64 << 20),
            (true, 64 << 20),
            (true, threads * 200_000),
        ] {
            let mut pack = open(path);
            pack.check_count().unwrap();
            if load {
                pack.load(u64::MAX).unwrap();
            }
            let options = Options {
                memory,
                ..Options::default()
            };
            let got = gather(&pack, threads as usize, &options);
            assert_eq!(got.gaps, []);
            assert_eq!(got.objects, listed);
            assert!(got.edited > 300, "{} deltas", got.edited);
        }
    }
}

#[test]
fn only_wanted_objects_are_visited_and_the_rest_only_where_they_rest_on_it() {
    let repo = Repo::new();
    repo.history(120, 2);
    repo.git(&["repack", "-adfq", "--depth=250"]);
    let pack = open(&repo.packs()[0]);
    let pool = pool(2);
    let entries = Entries::read(&pack, &pool);
    let wanted = |id: &Oid| id.as_bytes()[3].is_multiple_of(5);
    let tree = DeltaTree::of(&pack, &entries, |_, id, kind| {
        kind == Some(Kind::Blob) && wanted(id)
    });
    let got = gather_tree(&pack, &entries, &tree, &pool, &Options::default());
    let mut listed = repo.listed();
    listed.retain(|id, (kind, _)| *kind == Kind::Blob && wanted(id));
    assert_eq!(got.objects, listed);
    assert_eq!(tree.wanted(), listed.len());
}

#[test]
fn the_database_finds_every_object_loose_packed_and_in_alternates() {
    let repo = Repo::new();
    repo.history(60, 3);
    repo.git(&["repack", "-adfq"]);
    std::fs::write(repo.path().join("loose"), "loose content").unwrap();
    repo.git(&["add", "loose"]);
    repo.git(&["commit", "-qm", "loose"]);
    let big = text(&mut Random(9), 300_000);
    std::fs::write(repo.path().join("big"), &big).unwrap();
    repo.git(&["add", "big"]);
    let other = Repo::new();
    let line = format!("# a comment\n\"{}\"\n", repo.objects().display());
    std::fs::create_dir_all(other.objects().join("info")).unwrap();
    std::fs::write(other.objects().join("info/alternates"), line).unwrap();
    let named = alternates(&other.objects()).unwrap();
    assert_eq!(named, [repo.objects()]);
    assert_eq!(alternates(&repo.objects()).unwrap(), [] as [PathBuf; 0]);

    let mut db = Db::new();
    assert!(db.add(&other.objects()).is_empty());
    assert!(db.add(&named[0]).is_empty());
    let listed = repo.listed();
    for (id, row) in &listed {
        let found = db.find(id, 1 << 20).unwrap().unwrap();
        assert_eq!(id_of(found.kind, &found.bytes), *id);
        assert_eq!(db.header(id).unwrap(), Some(*row));
        assert!(db.contains(id));
    }
    let nobody = Oid::new([7; 20]);
    assert!(!db.contains(&nobody));
    assert_eq!(db.find(&nobody, 1 << 20).unwrap(), None);

    let loose = &db.loose()[1];
    let (ids, failed) = loose.ids();
    assert!(failed.is_none());
    assert_eq!(ids.len(), 4); // two blobs, a tree, a commit
    for id in ids {
        let object = loose.open(&id).unwrap().unwrap();
        assert_eq!(listed[&id], (object.kind(), object.size()));
        let mut all = Vec::new();
        object
            .windows(1000, 100, |window| {
                assert!(window.bytes.len() <= 1000);
                assert_eq!(window.start as usize + window.seen, all.len());
                all.extend_from_slice(&window.bytes[window.seen..]);
            })
            .unwrap();
        assert_eq!(id_of(object.kind(), &all), id);
        assert_eq!(all, object.bytes(1 << 20).unwrap());
    }
}

#[test]
fn several_packs_and_a_multi_pack_index() {
    let repo = Repo::new();
    repo.history(40, 4);
    repo.git(&["repack", "-adq"]);
    std::fs::write(repo.path().join("more"), "more").unwrap();
    repo.git(&["add", "more"]);
    repo.git(&["commit", "-qm", "more"]);
    repo.git(&["repack", "-dq"]);
    repo.git(&["multi-pack-index", "write"]);
    let listed = repo.listed();
    let folder = repo.objects().join("pack");
    let midx = Midx::open(&folder.join("multi-pack-index")).unwrap();
    assert_eq!(midx.len(), listed.len());
    assert_eq!(midx.names().len(), 2);
    let mut all = BTreeMap::new();
    for (number, name) in midx.names().iter().enumerate() {
        let path = folder.join(name).with_extension("pack");
        let made = Pack::open(&path, midx.index(number).unwrap()).unwrap();
        let got = gather(&made, 2, &Options::default());
        assert_eq!(got.gaps, []);
        assert_eq!(
            got.objects,
            gather(&open(&path), 2, &Options::default()).objects
        );
        all.extend(got.objects);
    }
    assert_eq!(all, listed);
    for (id, (_, size)) in &listed {
        let (number, offset) = midx.find(id).unwrap();
        let index = Index::open(&folder.join(&midx.names()[number])).unwrap();
        assert_eq!(index.offset(index.find(id).unwrap()), offset, "{size}");
    }
    // Without its index, a pack is read by the multi-pack index.
    let gone = folder.join(&midx.names()[0]);
    std::fs::remove_file(gone).unwrap();
    let mut db = Db::new();
    assert!(db.add(&repo.objects()).is_empty());
    assert!(
        listed
            .keys()
            .all(|id| db.find(id, 1 << 20).unwrap().is_some())
    );
}

#[test]
fn a_version_1_index_and_a_pack_that_names_bases_by_id() {
    let repo = Repo::new();
    repo.history(80, 5);
    repo.git(&[
        "-c",
        "repack.useDeltaBaseOffset=false",
        "repack",
        "-adfq",
        "--depth=100",
    ]);
    let [path] = &repo.packs()[..] else {
        unreachable!("one pack after a repack");
    };
    let listed = repo.listed();
    let name = path.to_str().unwrap();
    let old = repo.path().join("old.idx");
    repo.git(&[
        "index-pack",
        "--index-version=1",
        "-o",
        old.to_str().unwrap(),
        name,
    ]);
    let index = Index::open(&old).unwrap();
    let modern = Index::open(&path.with_extension("idx")).unwrap();
    assert!(index.by_offset().eq(modern.by_offset()));
    let got = gather(&Pack::open(path, index).unwrap(), 2, &Options::default());
    assert_eq!(got.gaps, []);
    assert_eq!(got.objects, listed);
    assert!(got.edited > 80);
    let mut db = Db::new();
    assert!(db.add(&repo.objects()).is_empty());
    for id in listed.keys() {
        let found = db.find(id, 1 << 20).unwrap().unwrap();
        assert_eq!(id_of(found.kind, &found.bytes), *id);
    }
}

#[test]
fn a_thin_pack_takes_its_bases_from_elsewhere() {
    let repo = Repo::new();
    repo.history(40, 6);
    repo.git(&["repack", "-adfq"]);
    let revs = repo.path().join("revs");
    std::fs::write(&revs, "main\n^main~20\n").unwrap();
    let script = "git pack-objects --thin --revs --stdout -q < revs > thin.pack";
    let done = Command::new("sh")
        .args(["-c", script])
        .current_dir(repo.path())
        .status();
    assert!(done.unwrap().success());
    let bytes = std::fs::read(repo.path().join("thin.pack")).unwrap();
    // git indexes no thin pack: the offsets are those of a trial over the bytes.
    let rows = indexed(&bytes, &repo);
    let pack = |rows: &[(Oid, u64)]| {
        let index = Index::from_sorted(rows, Path::new("thin.idx")).unwrap();
        Pack::new(Box::new(bytes.clone()), index, Path::new("thin.pack")).unwrap()
    };
    let mut db = Db::new();
    db.add(&repo.objects());
    let options = Options {
        outside: Some(&db),
        ..Options::default()
    };
    let got = gather(&pack(&rows), 2, &options);
    assert_eq!(got.gaps, []);
    assert_eq!(got.objects.len(), rows.len());
    let without = gather(&pack(&rows), 2, &Options::default());
    assert!(
        without
            .gaps
            .iter()
            .any(|gap| matches!(gap.why, Why::NoBase(_)))
    );
    assert_eq!(without.gaps.len() + without.objects.len(), rows.len());
}

/// Finds the entries of a pack without index: each stream's end is where the next entry begins.
fn indexed(bytes: &[u8], repo: &Repo) -> Vec<(Oid, u64)> {
    use crate::pack::delta::Delta;
    use crate::pack::entry::{Form, Header};
    let mut db = Db::new();
    db.add(&repo.objects());
    let mut at = 12;
    let mut known: BTreeMap<u64, (Kind, Vec<u8>)> = BTreeMap::new();
    let mut rows = Vec::new();
    while at < bytes.len() - 20 {
        let head = Header::parse(&bytes[at..(at + 30).min(bytes.len())]).unwrap();
        let mut tool = flate2::Decompress::new(true);
        let mut out = vec![0; head.size as usize + 1];
        let start = at + head.len;
        tool.decompress(&bytes[start..], &mut out, flate2::FlushDecompress::Finish)
            .unwrap();
        out.pop();
        let on = |base: &[u8]| {
            let delta = Delta::new(&out).unwrap();
            let mut made = vec![0; delta.result_size() as usize];
            delta
                .apply(base, &mut made, &mut EditMap::default())
                .unwrap();
            made
        };
        let object = match head.form {
            Form::Whole(kind) => (kind, out),
            Form::Behind(back) => {
                let (kind, base) = &known[&(at as u64 - back)];
                (*kind, on(base))
            }
            Form::On(id) => {
                let base = db.find(&id, 1 << 20).unwrap().unwrap();
                (base.kind, on(&base.bytes))
            }
        };
        rows.push((id_of(object.0, &object.1), at as u64));
        known.insert(at as u64, object);
        at = start + tool.total_in() as usize;
    }
    rows.sort_unstable();
    rows
}

#[test]
fn a_pack_deleted_by_gc_stays_readable_and_the_new_one_is_found() {
    let repo = Repo::new();
    repo.history(30, 7);
    let mut db = Db::new();
    assert!(db.add(&repo.objects()).is_empty());
    let before = db.packs()[0].path().to_path_buf();
    std::fs::write(repo.path().join("later"), "later").unwrap();
    repo.git(&["add", "later"]);
    repo.git(&["commit", "-qm", "later"]);
    repo.git(&["gc", "-q", "--prune=now"]);
    assert!(!before.exists());
    let listed = repo.listed();
    let new: Vec<_> = listed.keys().filter(|id| !db.contains(id)).collect();
    assert!(!new.is_empty());
    assert!(db.refresh().is_empty());
    for id in listed.keys() {
        let found = db.find(id, 1 << 20).unwrap().unwrap();
        assert_eq!(id_of(found.kind, &found.bytes), *id);
    }
}
