//! Attribution in histories that git makes, beside a model that lists every commit's whole tree.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::*;
use crate::model::Origin;
use crate::pack::{Db, Entries, Index, Kind, Oid, Pack};

/// A repository that git makes in a temporary folder.
struct Repo {
    dir: tempfile::TempDir,
    time: std::cell::Cell<i64>,
}

impl Repo {
    fn new() -> Self {
        let repo = Self {
            dir: tempfile::tempdir().unwrap(),
            time: std::cell::Cell::new(1_700_000_000),
        };
        repo.git(&["init", "-q", "-b", "main", "."]);
        repo
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn command(&self, args: &[&str]) -> Command {
        let date = format!("{} +0000", self.time.get());
        let mut command = Command::new("git");
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs(["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"].map(|key| (key, "A")))
            .envs(["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].map(|key| (key, "a@example.org")))
            .envs(["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"].map(|key| (key, &*date)));
        command
    }

    fn git(&self, args: &[&str]) -> String {
        let out = self.command(args).output().unwrap();
        let errors = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "git {args:?}: {errors}");
        String::from_utf8(out.stdout).unwrap().trim_end().to_owned()
    }

    fn oid(&self, name: &str) -> Oid {
        self.git(&["rev-parse", name]).parse().unwrap()
    }

    /// Writes files, `None` deletes one, and commits all, an hour later.
    fn commit(&self, message: &str, files: &[(&str, Option<&str>)]) -> Oid {
        for (path, content) in files {
            let path = self.path().join(path);
            match content {
                Some(content) => {
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(path, content).unwrap();
                }
                None => std::fs::remove_file(path).unwrap(),
            }
        }
        self.git(&["add", "-A"]);
        self.time.set(self.time.get() + 3600);
        self.git(&["commit", "-qm", message, "--allow-empty"]);
        self.oid("HEAD")
    }

    fn objects(&self) -> Objects {
        let pool = pool();
        let mut db = Db::new();
        assert!(db.add(&self.path().join(".git/objects")).is_empty());
        let open = |path: &Path| {
            let index = Index::open(&path.with_extension("idx")).unwrap();
            Pack::open(path, index).unwrap()
        };
        let packs = db.packs().iter();
        let packs = packs
            .map(|pack| {
                let pack = Arc::new(open(pack.path()));
                let entries = Entries::read(&pack, &pool);
                OpenPack::new(pack, entries)
            })
            .collect();
        Objects { packs, db }
    }

    /// Every object: id, kind, content.
    fn listed(&self, objects: &Objects) -> Vec<(Oid, Kind, Vec<u8>)> {
        let list = self.git(&["cat-file", "--batch-all-objects", "--batch-check"]);
        list.lines()
            .map(|line| {
                let id: Oid = line[..40].parse().unwrap();
                let found = objects.db.find(&id, 1 << 20).unwrap().unwrap();
                (id, found.kind, found.bytes.to_vec())
            })
            .collect()
    }

    fn tips(&self) -> Vec<Tip> {
        let list = self.git(&["for-each-ref", "--format=%(objectname) %(refname)"]);
        list.lines()
            .map(|line| Tip {
                target: line[..40].parse().unwrap(),
                name: line[41..].to_owned(),
            })
            .collect()
    }

    /// Attribution where a leak is a word `leakN` in an object or a name.
    fn attribute(&self, all: bool) -> Attribution {
        let got = self.attribute_within(64 << 20, all);
        assert!(got.missed.is_empty(), "{:?}", got.missed);
        got
    }

    fn attribute_within(&self, set_memory: u64, all: bool) -> Attribution {
        let objects = self.objects();
        let pool = pool();
        let (loose, errors) = objects.loose(&pool);
        assert!(errors.is_empty());
        let (mut commits, mut hits) = (Vec::new(), Vec::new());
        for (object, kind, bytes) in self.listed(&objects) {
            if kind == Kind::Commit {
                commits.extend(parse(object, &bytes));
            }
            if kind != Kind::Tree {
                let leaks = leaks(&bytes);
                hits.push(Hit { object, leaks });
            }
        }
        attribute(
            Input {
                objects: &objects,
                loose: &loose,
                known_loose: &[],
                commits,
                hits,
                tips: &self.tips(),
                head: Some(self.oid("HEAD")),
                shallow: &[],
                all,
                past: None,
                keep: false,
                walk_memory: 64 << 20,
                set_memory,
                pool: &pool,
                stop: &AtomicBool::new(false),
                observer: &(),
            },
            leaks,
        )
    }

    fn only(&self) -> Unit {
        let got = self.attribute(false);
        assert_eq!(got.units.len(), 1, "{:?}", got.units);
        got.units[0].clone()
    }

    fn names(&self, tips: &[usize]) -> Vec<String> {
        let all = self.tips();
        tips.iter().map(|tip| all[*tip].name.clone()).collect()
    }

    fn blob(&self, rev: &str) -> Oid {
        self.oid(rev)
    }
}

fn pool() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build()
        .unwrap()
}

fn leaks(bytes: &[u8]) -> Vec<u32> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let found = text.match_indices("leak");
    let digit = |(at, _): (usize, &str)| text[at + 4..].chars().next()?.to_digit(10);
    found.filter_map(digit).collect()
}

#[test]
fn added_and_removed_later() {
    let repo = Repo::new();
    let before = repo.commit("start", &[("a", Some("x"))]);
    let add = repo.commit("add", &[("dir/env", Some("leak1"))]);
    let edit = repo.commit("edit", &[("dir/env", Some("leak1 and more"))]);
    let remove = repo.commit("remove", &[("dir/env", Some("nothing"))]);
    repo.commit("later", &[("a", Some("y"))]);
    let blobs = ["HEAD~3", "HEAD~2"].map(|rev| repo.blob(&format!("{rev}:dir/env")));
    for packed in [false, true] {
        if packed {
            repo.git(&["gc", "-q"]);
        }
        let got = repo.attribute(false);
        assert_eq!(
            got.units,
            [Unit {
                leak: 1,
                origin: Origin::Content,
                path: b"dir/env".to_vec(),
                introductions: vec![(add, blobs[0])],
                objects: blobs.to_vec(),
                last: Some(edit),
                removed: Some(1_700_000_000 + 4 * 3600),
                head_object: None,
                head_commit: None,
                in_head: false,
            }]
        );
        let joined = got.history(&[0]);
        assert_eq!(joined.first, Some(add));
        assert_eq!(joined.first_time, Some(1_700_000_000 + 2 * 3600));
        assert_eq!(joined.last, Some(edit));
        assert_eq!(joined.introductions, 1);
        assert_eq!(joined.until, Some(1_700_000_000 + 4 * 3600));
        assert_eq!(joined.tips, [] as [usize; 0]);
        assert_eq!(repo.names(&joined.refs), ["refs/heads/main"]);
        assert_eq!((got.counts.commits, got.counts.all_commits), (5, 5));
    }
    let _ = (before, remove);
}

#[test]
fn renamed_and_copied() {
    let repo = Repo::new();
    let add = repo.commit("add", &[("old", Some("leak1"))]);
    let rename = repo.commit("rename", &[("old", None), ("x/new", Some("leak1"))]);
    let copy = repo.commit("copy", &[("x/copy", Some("leak1"))]);
    let got = repo.attribute(false);
    let blob = repo.blob("HEAD:x/new");
    let paths: Vec<&[u8]> = got.units.iter().map(|unit| &unit.path[..]).collect();
    assert_eq!(paths, [&b"old"[..], b"x/copy", b"x/new"]);
    let first = got.units.iter().map(|unit| unit.introductions[..].to_vec());
    assert_eq!(
        first.collect::<Vec<_>>(),
        [add, copy, rename].map(|commit| vec![(commit, blob)])
    );
    assert_eq!(got.units[2].head_object, Some(blob));
    assert_eq!(got.units[0].removed, Some(1_700_000_000 + 2 * 3600));
    let joined = got.history(&[0, 1, 2]);
    assert_eq!((joined.introductions, joined.in_head), (1, true));
    assert_eq!(joined.until, None);
    assert_eq!((joined.first, joined.last), (Some(add), Some(copy)));
    // A subset has a history of its own.
    assert!(got.history(&[0]).until.is_some());
}

#[test]
fn introduced_twice() {
    let repo = Repo::new();
    let first = repo.commit("add", &[("env", Some("leak1"))]);
    repo.commit("remove", &[("env", Some("-"))]);
    let second = repo.commit("again", &[("env", Some("leak1 again"))]);
    let unit = repo.only();
    let commits: Vec<Oid> = unit
        .introductions
        .iter()
        .map(|(commit, _)| *commit)
        .collect();
    assert_eq!(commits, [first, second]);
    assert_eq!(unit.objects.len(), 2);
    assert_eq!(unit.removed, None);
    assert_eq!(repo.attribute(false).history(&[0]).introductions, 2);
}

#[test]
fn only_the_resolution_of_a_merge_has_it() {
    let repo = Repo::new();
    repo.commit("start", &[("env", Some("0"))]);
    repo.git(&["checkout", "-qb", "side"]);
    repo.commit("side", &[("env", Some("1"))]);
    repo.git(&["checkout", "-q", "main"]);
    repo.commit("main", &[("env", Some("2"))]);
    let merge = repo.command(&["merge", "-q", "side"]).output().unwrap();
    assert!(!merge.status.success());
    let merge = repo.commit("merge", &[("env", Some("leak3"))]);
    let unit = repo.only();
    assert_eq!(unit.introductions, [(merge, repo.blob("HEAD:env"))]);
    assert!(unit.in_head);
}

#[test]
fn a_deleted_branch_counts_only_with_all() {
    let repo = Repo::new();
    repo.commit("start", &[("a", Some("0"))]);
    repo.git(&["checkout", "-qb", "gone"]);
    let lost = repo.commit("lost", &[("env", Some("leak1"))]);
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["branch", "-qD", "gone"]);
    let mut child = repo
        .command(&["hash-object", "-w", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"leak2").unwrap();
    assert!(child.wait().unwrap().success());

    let got = repo.attribute(false);
    assert_eq!(got.units, []);
    assert_eq!((got.counts.unreached, got.counts.commits), (2, 1));
    let got = repo.attribute(true);
    assert_eq!(got.units.len(), 2);
    assert_eq!(got.units[0].introductions[0].0, lost);
    assert_eq!(
        (got.units[1].leak, got.units[1].introductions.len()),
        (2, 0)
    );
    assert_eq!((got.units[1].last, got.units[1].objects.len()), (None, 1));
    assert_eq!(got.counts.unreached, 1);
    assert_eq!(got.history(&[0]).refs, [] as [usize; 0]);
    assert_eq!(got.history(&[1]), Joined::default());
}

#[test]
fn stashes_notes_tags_and_refs_to_trees_and_blobs() {
    let repo = Repo::new();
    repo.commit("start", &[("env", Some("0"))]);
    std::fs::write(repo.path().join("env"), "leak1").unwrap();
    repo.git(&["stash", "-q"]);
    repo.git(&["notes", "add", "-m", "leak2", "HEAD"]);
    repo.git(&["tag", "-a", "-m", "leak3", "v1"]);
    repo.git(&["tag", "-a", "-m", "nested", "v2", "v1"]);
    repo.git(&[
        "update-ref",
        "refs/blob",
        &repo.git(&["rev-parse", "stash:env"]),
    ]);
    repo.git(&[
        "update-ref",
        "refs/tree",
        &repo.git(&["rev-parse", "stash^{tree}"]),
    ]);
    let got = repo.attribute(false);
    let refs = |at: usize| repo.names(&got.history(&[at]).refs);
    assert_eq!(got.units.len(), 4, "{:?}", got.units);
    assert_eq!((got.units[0].leak, &got.units[0].path[..]), (1, &b""[..]));
    assert_eq!(refs(0), ["refs/blob"]);
    assert_eq!(&got.units[1].path[..], b"env");
    assert_eq!(refs(1), ["refs/stash", "refs/tree"]);
    assert_eq!(got.units[2].leak, 2);
    assert_eq!(refs(2), ["refs/notes/commits"]);
    assert_eq!(got.units[3].origin, Origin::Tag);
    assert_eq!(got.units[3].objects, [repo.oid("v1")]);
    assert_eq!(refs(3), ["refs/tags/v1", "refs/tags/v2"]);
    assert_eq!(got.history(&[3]).tips, got.history(&[3]).refs);
}

#[test]
fn messages_and_names() {
    let repo = Repo::new();
    let first = repo.commit("leak1 in a message", &[("a", Some("0"))]);
    let second = repo.commit(
        "two",
        &[("d/leak2/file", Some("0")), ("leak3.txt", Some("0"))],
    );
    let file = repo.blob("HEAD:leak3.txt");
    let folder = repo.blob("HEAD:d/leak2");
    repo.commit("three", &[("d/leak2/file", None), ("a", Some("1"))]);
    repo.git(&["checkout", "-qb", "old", "HEAD~2"]);
    repo.commit("side", &[("b", Some("1"))]);
    let got = repo.attribute(false);
    assert_eq!(got.units.len(), 3, "{:?}", got.units);
    let message = &got.units[0];
    assert_eq!(message.origin, Origin::Commit);
    assert_eq!(message.introductions, [(first, first)]);
    assert_eq!((message.objects[0], message.last), (first, Some(first)));
    assert!(message.in_head);
    assert_eq!(got.history(&[0]).tips, [0, 1]);
    let name = &got.units[1];
    assert_eq!(
        (name.origin, &name.path[..]),
        (Origin::Name, &b"d/leak2"[..])
    );
    assert_eq!(name.introductions, [(second, folder)]);
    assert_eq!(name.last, Some(second));
    assert!(name.removed.is_some());
    let name = &got.units[2];
    assert_eq!(name.introductions, [(second, file)]);
    assert_eq!(name.objects, []);
    assert_eq!(repo.names(&got.history(&[2]).tips), ["refs/heads/main"]);
}

#[test]
fn details_of_a_commit() {
    let id = Oid::new([1; 20]);
    let long = "x".repeat(500);
    let bytes = format!(
        "tree {id}\nparent {id}\nauthor  \u{fc} B  <B@Old.example.org> 5 +0100\n\
         committer C <c@example.org> -7 +0000\ngpgsig -----\n author no\n\nsubject {long}\nbody\n"
    );
    let raw = parse(id, bytes.as_bytes()).unwrap();
    assert_eq!((raw.tree, &raw.parents[..], raw.time), (id, &[id][..], -7));
    let map = Mailmap::new(b"<b@example.org> <b@old.example.org>");
    let commit = details(id, bytes.as_bytes(), &map);
    assert_eq!(
        (&*commit.author, &*commit.email),
        ("\u{fc} B", "b@example.org")
    );
    assert_eq!((commit.date, commit.subject.len()), (-7, 200));
    assert_eq!(parse(id, b"tree 123"), None);
    assert_eq!(
        parse(id, format!("tree {id}\n").as_bytes()).unwrap().time,
        0
    );
    let none = details(id, b"author <\n\n\xff", &Mailmap::default());
    assert_eq!((&*none.author, &*none.subject), ("", "\u{fffd}"));
}

impl Repo {
    /// Stores an object that git would not make.
    fn store(&self, kind: &str, bytes: &[u8]) -> Oid {
        let mut child = self
            .command(&["hash-object", "-w", "--literally", "-t", kind, "--stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let out = child.wait_with_output().unwrap().stdout;
        String::from_utf8(out).unwrap().trim().parse().unwrap()
    }

    fn commit_tree(&self, tree: Oid) {
        let commit = self.git(&["commit-tree", "-m", "m", &tree.to_string()]);
        self.git(&["update-ref", "refs/heads/main", &commit]);
    }
}

fn entry(mode: &str, name: &str, id: Oid) -> Vec<u8> {
    [mode.as_bytes(), b" ", name.as_bytes(), b"\0", id.as_bytes()].concat()
}

#[test]
fn trees_that_multiply_end_with_the_memory() {
    let repo = Repo::new();
    let mut at = repo.store("blob", b"leak1");
    for level in 0..12 {
        let mode = if level == 0 { "100644" } else { "40000" };
        let all = (0..10).map(|n| entry(mode, &n.to_string(), at));
        at = repo.store("tree", &all.collect::<Vec<_>>().concat());
    }
    repo.commit_tree(at);
    let got = repo.attribute_within(4 << 20, false);
    assert!(
        matches!(got.missed[..], [Missed::Memory]),
        "{:?}",
        got.missed
    );
    // Without anything to be found they are no trouble.
    let quiet = Repo::new();
    let mut at = quiet.store("blob", b"quiet");
    for level in 0..12 {
        let mode = if level == 0 { "100644" } else { "40000" };
        let all = (0..10).map(|n| entry(mode, &n.to_string(), at));
        at = quiet.store("tree", &all.collect::<Vec<_>>().concat());
    }
    quiet.commit_tree(at);
    assert_eq!(quiet.attribute(false).units, []);
}

#[test]
fn damaged_trees_give_what_comes_before_the_damage() {
    let repo = Repo::new();
    let blob = repo.store("blob", b"leak1");
    let gone = Oid::new([9; 20]);
    let tree = [
        entry("100644", "a", blob),
        entry("40000", "gone", gone),
        entry("100644", "z", blob)[..20].to_vec(),
    ];
    let tree = repo.store("tree", &tree.concat());
    repo.commit_tree(tree);
    let got = repo.attribute_within(4 << 20, false);
    assert_eq!(got.units.len(), 1);
    assert_eq!(&got.units[0].path[..], b"a");
    let said: Vec<String> = got.missed.iter().map(ToString::to_string).collect();
    let mut wanted = [
        format!("tree {tree} is malformed"),
        format!("tree {gone} is missing"),
    ];
    wanted.sort();
    assert_eq!(said, wanted);
}

#[test]
fn a_deep_folder_has_an_end() {
    let repo = Repo::new();
    let mut at = repo.store("blob", b"leak1");
    let mut tree = Vec::new();
    for level in 0..4200 {
        tree.clear();
        let mode = if level == 0 { "100644" } else { "40000" };
        tree.extend(entry(mode, "d", at));
        at = id_of_tree(&repo, &tree);
    }
    repo.commit_tree(at);
    let got = repo.attribute_within(64 << 20, false);
    assert_eq!(got.units, []);
    assert!(matches!(got.missed[..], [Missed::Path]), "{:?}", got.missed);
}

/// Stores a tree, without a process for each.
fn id_of_tree(repo: &Repo, bytes: &[u8]) -> Oid {
    let mut data = format!("tree {}\0", bytes.len()).into_bytes();
    data.extend_from_slice(bytes);
    let id = Oid::new(<sha1::Sha1 as sha1::Digest>::digest(&data).into());
    let name = id.to_string();
    let folder = repo.path().join(".git/objects").join(&name[..2]);
    std::fs::create_dir_all(&folder).unwrap();
    let file = std::fs::File::create(folder.join(&name[2..])).unwrap();
    let mut out = flate2::write::ZlibEncoder::new(file, flate2::Compression::fast());
    out.write_all(&data).unwrap();
    out.finish().unwrap();
    id
}

/// What a commit holds: leak and path to object.
type Held = BTreeMap<(u32, Vec<u8>), Oid>;

/// One step of a random history.
#[derive(Debug, Clone)]
struct Step {
    /// Parents: how many commits back.
    parents: Vec<usize>,
    /// Files to write, and to delete.
    writes: Vec<(usize, usize)>,
    deletes: Vec<usize>,
    /// Seconds since the commit before, maybe to the past.
    later: i64,
    branch: bool,
}

const PATHS: [&str; 7] = ["a", "b", "d/a", "d/e/a", "d/e/b", "f/a", "f/g/h/a"];

fn step() -> impl Strategy<Value = Step> {
    (
        prop::collection::vec(1_usize..6, 1..3),
        prop::collection::vec((0..PATHS.len(), 0_usize..9), 0..3),
        prop::collection::vec(0..PATHS.len(), 0..2),
        -50_i64..100,
        prop::bool::weighted(0.3),
    )
        .prop_map(|(parents, writes, deletes, later, branch)| Step {
            parents,
            writes,
            deletes,
            later,
            branch,
        })
}

/// Imports a history; gives the number of the commit that each ref names.
fn import(repo: &Repo, steps: &[Step]) {
    let contents = [
        "no",
        "leak1",
        "leak1 x",
        "leak2",
        "leak1 leak2",
        "leak3",
        "y",
        "leak3 z",
        "none",
    ];
    let mut stream = Vec::new();
    let mut time = 1_700_000_000;
    for (i, step) in steps.iter().enumerate() {
        time += step.later;
        let branch = if step.branch {
            format!("b{i}")
        } else {
            "main".into()
        };
        let mut parents: Vec<usize> = step
            .parents
            .iter()
            .filter_map(|n| i.checked_sub(*n))
            .collect();
        parents.sort_unstable();
        parents.dedup();
        writeln!(
            stream,
            "reset refs/heads/{branch}\ncommit refs/heads/{branch}"
        )
        .unwrap();
        writeln!(
            stream,
            "mark :{}\ncommitter A <a@example.org> {time} +0000",
            i + 1
        )
        .unwrap();
        writeln!(stream, "data 1\nm").unwrap();
        for (n, parent) in parents.iter().enumerate() {
            let word = if n == 0 { "from" } else { "merge" };
            writeln!(stream, "{word} :{}", parent + 1).unwrap();
        }
        for path in &step.deletes {
            writeln!(stream, "D {}", PATHS[*path]).unwrap();
        }
        for (path, content) in &step.writes {
            let content = contents[*content];
            writeln!(stream, "M 100644 inline {}", PATHS[*path]).unwrap();
            writeln!(stream, "data {}\n{content}", content.len()).unwrap();
        }
        // Fillers make trees long enough for deltas.
        if i == 0 {
            for n in 0..40 {
                let folder = ["", "d/", "f/"][n % 3];
                writeln!(stream, "M 100644 inline {folder}filler{n}\ndata 1\nz").unwrap();
            }
        }
    }
    let mut child = repo
        .command(&["fast-import", "--quiet", "--force"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&stream).unwrap();
    assert!(child.wait().unwrap().success());
    if !steps.iter().any(|step| !step.branch) {
        let first = &repo.tips()[0].name;
        repo.git(&["update-ref", "refs/heads/main", first]);
    }
}

/// All hits below a tree, by reading all of it.
fn list(objects: &Objects, tree: Oid, path: &str, held: &mut Held) {
    let found = objects.db.find(&tree, 1 << 20).unwrap().unwrap();
    if found.kind == Kind::Blob {
        for leak in leaks(&found.bytes) {
            held.insert((leak, path.as_bytes().to_vec()), tree);
        }
        return;
    }
    let mut rest = &found.bytes[..];
    while let Some(nul) = rest.iter().position(|byte| *byte == 0) {
        let name = std::str::from_utf8(&rest[..nul]).unwrap();
        let name = name.split_once(' ').unwrap().1;
        let id = Oid::from_slice(&rest[nul + 1..]).unwrap();
        let below = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}/{name}")
        };
        list(objects, id, &below, held);
        rest = &rest[nul + 21..];
    }
}

fn check(repo: &Repo) -> Result<(), TestCaseError> {
    let objects = repo.objects();
    let mut raw = BTreeMap::new();
    let mut held: BTreeMap<Oid, Held> = BTreeMap::new();
    for (id, kind, bytes) in repo.listed(&objects) {
        if kind == Kind::Commit {
            let commit = parse(id, &bytes).unwrap();
            let mut of = Held::new();
            list(&objects, commit.tree, "", &mut of);
            held.insert(id, of);
            raw.insert(id, commit);
        }
    }
    let tips = repo.tips();
    let reach = |from: Oid| {
        let mut reached = BTreeSet::from([from]);
        let mut stack = vec![from];
        while let Some(at) = stack.pop() {
            let new = raw[&at]
                .parents
                .iter()
                .filter(|parent| reached.insert(**parent));
            stack.extend(new);
        }
        reached
    };
    let head = repo.oid("HEAD");
    let reached: BTreeSet<Oid> = tips
        .iter()
        .map(|tip| tip.target)
        .chain([head])
        .flat_map(reach)
        .collect();
    let mut order: Vec<Oid> = Vec::new();
    while order.len() < reached.len() {
        let ready = reached.iter().filter(|id| {
            !order.contains(id) && raw[id].parents.iter().all(|parent| order.contains(parent))
        });
        order.push(*ready.min_by_key(|id| (raw[id].time, **id)).unwrap());
    }
    let got = repo.attribute(false);
    let keys: BTreeSet<(u32, Vec<u8>)> = order
        .iter()
        .flat_map(|id| held[id].keys().cloned())
        .collect();
    let units: Vec<(u32, Vec<u8>)> = got
        .units
        .iter()
        .map(|unit| (unit.leak, unit.path.clone()))
        .collect();
    prop_assert_eq!(&units, &keys.iter().cloned().collect::<Vec<_>>());
    let has = |id: &Oid, key: &(u32, Vec<u8>)| held[id].contains_key(key);
    for (at, (unit, key)) in got.units.iter().zip(&keys).enumerate() {
        let mut objects: Vec<Oid> = Vec::new();
        let (mut introductions, mut removed, mut last) = (Vec::new(), None, None);
        for id in &order {
            let parents = &raw[id].parents;
            if let Some(object) = held[id].get(key) {
                if !objects.contains(object) {
                    objects.push(*object);
                }
                if !parents.iter().any(|parent| has(parent, key)) {
                    introductions.push((*id, *object));
                }
                last = Some(*id);
            } else if parents.iter().any(|parent| has(parent, key)) {
                removed = removed.max(Some(raw[id].time));
            }
        }
        let tipped: Vec<usize> = (0..tips.len())
            .filter(|tip| has(&tips[*tip].target, key))
            .collect();
        let refs: Vec<usize> = (0..tips.len())
            .filter(|tip| reach(tips[*tip].target).iter().any(|id| has(id, key)))
            .collect();
        let joined = got.history(&[at]);
        prop_assert_eq!(&unit.introductions, &introductions);
        prop_assert_eq!(&unit.objects, &objects);
        prop_assert_eq!(unit.last, last);
        prop_assert_eq!(unit.removed, removed.filter(|_| tipped.is_empty()));
        prop_assert_eq!(unit.head_object, held[&head].get(key).copied());
        prop_assert_eq!(unit.in_head, has(&head, key));
        prop_assert_eq!(joined.tips, tipped);
        prop_assert_eq!(joined.refs, refs);
        prop_assert_eq!(joined.introductions as usize, introductions.len());
    }
    for leak in units.iter().map(|unit| unit.0).collect::<BTreeSet<u32>>() {
        let of: Vec<usize> = (0..units.len()).filter(|at| units[*at].0 == leak).collect();
        let has = |id: &Oid| held[id].keys().any(|key| key.0 == leak);
        let anew = |id: &&Oid| has(id) && !raw[*id].parents.iter().any(has);
        let joined = got.history(&of);
        prop_assert_eq!(
            joined.introductions as usize,
            order.iter().filter(anew).count()
        );
        prop_assert_eq!(joined.first, order.iter().find(|id| has(id)).copied());
        prop_assert_eq!(joined.last, order.iter().rfind(|id| has(id)).copied());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn random_histories_as_a_model_has_them(
        steps in prop::collection::vec(step(), 1..40),
        depth in prop::option::of(1_usize..50),
    ) {
        let repo = Repo::new();
        import(&repo, &steps);
        if let Some(depth) = depth {
                repo.git(&["repack", "-adfq", "--window=20", &format!("--depth={depth}")]);
} else {
                let packs: Vec<PathBuf> = repo.objects().db.packs().iter()
                    .map(|pack| pack.path().to_path_buf()).collect();
                for pack in packs {
                    let bytes = std::fs::read(&pack).unwrap();
                    for extension in ["pack", "idx"] {
                        std::fs::remove_file(pack.with_extension(extension)).unwrap();
                    }
                    let mut child = repo.command(&["unpack-objects", "-q"])
                        .stdin(Stdio::piped()).spawn().unwrap();
                    child.stdin.take().unwrap().write_all(&bytes).unwrap();
                    assert!(child.wait().unwrap().success());
                }
            }
        check(&repo)?;
    }
}
