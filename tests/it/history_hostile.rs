//! Repositories that are damaged or made to hurt: nothing runs, nothing from outside shows, nothing is lost in silence,
//! no panic, and all within seconds.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sha1::{Digest as _, Sha1};

use crate::support::repo::{
    BLOB, ON, PackMaker, Repo, copy, deflated, delta, hex, id_of, insert, texts, watched, write,
    zeros,
};
use crate::support::{Run, fake, program};

/// The most memory that any of these may take.
const MEMORY: u64 = 400 << 20;

fn env(key: &str) -> String {
    format!("# settings\nTOKEN={key}\n")
}

/// A repository with a key in a loose object, a folder and two commits.
fn small(key: &str) -> Repo {
    let repo = Repo::new();
    repo.commit_file("app.env", env(key));
    repo.commit_file("folder/other", "other\n");
    repo
}

/// A run that must not take long; 20 s are for a debug build on a busy machine.
#[track_caller]
fn soon(repo: &Repo, arguments: &[&str]) -> Run {
    let started = Instant::now();
    let run = repo.keysweep(arguments);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(60), "took {took:?}");
    assert!((0..=2).contains(&run.code), "{}: {}", run.code, run.err);
    run
}

/// Incomplete, with words in a gap or message that say why.
#[track_caller]
fn says(run: &Run, words: &str) {
    assert_eq!(run.code, 2, "{}\n{}", run.out, run.err);
    let gaps: Vec<String> = run.records("gap").iter().map(ToString::to_string).collect();
    let all = gaps.join("\n") + &run.err;
    assert!(all.contains(words), "{all}");
}

#[track_caller]
fn finds(run: &Run, key: &str) {
    run.hides(key);
    let rules = run.rules();
    assert!(
        rules.iter().any(|rule| rule == "github-pat-classic"),
        "{rules:?}\n{}\n{}",
        run.out,
        run.err
    );
}

fn fifo(path: &Path) {
    let _ = fs::remove_file(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn is_root(repo: &Repo) -> bool {
    fs::metadata(repo.path()).unwrap().uid() == 0
}

/// Gives everything in a folder to another user.
fn give_away(path: &Path) {
    lchown(path, Some(65_534), Some(65_534)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Damage

#[test]
fn flipped_bytes_in_a_pack_lose_nothing_in_silence() {
    let key = fake::github_pat(1);
    let repo = Repo::new();
    let mut text = String::new();
    for number in 0..40 {
        let _ = writeln!(text, "{number} {}", fake::password(number));
        if number == 20 {
            text += &env(&key);
        }
        repo.commit_file("d/file", &text);
    }
    repo.repack();
    let pack = &repo.packs()[0];
    fs::set_permissions(pack, fs::Permissions::from_mode(0o644)).unwrap();
    let bytes = fs::read(pack).unwrap();
    let whole = soon(&repo, &[]);
    assert_eq!(whole.code, 1);
    let ids = |run: &Run| {
        let finding = run.findings();
        let finding = finding.iter().find(|f| f["rule"] == "github-pat-classic");
        finding.map(|f| {
            (
                f["commit"]["id"].clone(),
                f["line"].clone(),
                f["in_head"].clone(),
            )
        })
    };
    let mut random = fake::Rng::new(1);
    for _ in 0..60 {
        let at = random.below(bytes.len() - 20); // not the checksum
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << random.below(8);
        fs::write(pack, flipped).unwrap();
        let run = soon(&repo, &[]);
        run.hides(&key);
        assert!(
            run.code == 2 || run.code == 1 && ids(&run) == ids(&whole),
            "byte {at}: {}\n{}",
            run.out,
            run.err
        );
    }
}

#[test]
fn a_pack_or_an_index_cut_short_is_a_gap() {
    let key = fake::github_pat(2);
    let repo = small(&key);
    repo.repack();
    let loose = fake::npm_token(2);
    repo.commit_file("later.env", env(&loose));
    for extension in ["pack", "idx"] {
        let path = repo.packs()[0].with_extension(extension);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let bytes = fs::read(&path).unwrap();
        let length = bytes.len();
        for end in [0, 1, 12, 40, length / 2, length - 21, length - 1] {
            fs::write(&path, &bytes[..end]).unwrap();
            let run = soon(&repo, &[]);
            assert_eq!(run.code, 2, "{extension} {end}: {}", run.out);
            run.hides(&key);
            run.hides(&loose);
            let rules = run.rules();
            let found = rules.contains(&"npm-access-token".to_owned());
            // Without its pack the tree that leads there is still loose.
            assert!(found, "{extension} {end}: {rules:?} {}", run.out);
        }
        fs::write(&path, &bytes).unwrap();
    }
    let run = soon(&repo, &[]);
    assert_eq!(run.code, 1, "{}", run.out);
}

#[test]
fn a_pack_without_its_index_is_a_gap() {
    let repo = small(&fake::github_pat(3));
    repo.repack();
    fs::remove_file(repo.packs()[0].with_extension("idx")).unwrap();
    let run = soon(&repo, &[]);
    assert_eq!(run.code, 2, "{}", run.out);
}

#[test]
fn missing_objects_are_gaps() {
    let key = fake::github_pat(4);
    for (what, words) in [
        ("HEAD~1:app.env", "missing"),
        ("HEAD:folder/other", "missing"),
        ("HEAD:folder", "missing"),
        ("HEAD~1^{tree}", "missing"),
        ("HEAD~1", "missing"),
        ("HEAD", "missing"),
    ] {
        let repo = small(&key);
        let id = repo.id(what);
        fs::remove_file(repo.loose(&id)).unwrap();
        let run = soon(&repo, &[]);
        says(&run, words);
        says(&run, &id);
        let run = soon(&repo, &["--keep-going"]);
        assert!(run.code < 2, "{what}: {}", run.out);
    }
    // What is missing in a range, and in the index.
    let repo = small(&key);
    let id = repo.id("HEAD~1:app.env");
    fs::remove_file(repo.loose(&id)).unwrap();
    says(&soon(&repo, &["--range", "HEAD"]), &id);
    says(&soon(&repo, &["--branch", "main"]), &id);
    repo.write("new.env", env(&key));
    repo.git(&["add", "new.env"]);
    let id = repo.id(":new.env");
    fs::remove_file(repo.loose(&id)).unwrap();
    says(&soon(&repo, &["--staged"]), &id);
    // A tag of nothing.
    let repo = small(&key);
    repo.git(&["tag", "-a", "v1", "-m", "x", "HEAD~1"]);
    let tag = repo.id("refs/tags/v1");
    fs::remove_file(repo.loose(&tag)).unwrap();
    says(&soon(&repo, &[]), &tag);
}

#[test]
fn a_damaged_loose_object_is_a_gap() {
    let key = fake::github_pat(5);
    let repo = small(&key);
    let id = repo.id("HEAD:folder/other");
    let file = repo.loose(&id);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let good = fs::read(&file).unwrap();
    let huge = format!("blob {}\0x", u64::MAX);
    let gigabytes = format!("blob {}\0x", 5_u64 << 30);
    let short = b"blob 900\0other\n".to_vec();
    let long = b"blob 2\0other\n".to_vec();
    for bytes in [
        Vec::new(),
        good[..good.len() / 2].to_vec(),
        vec![0xff; 100],
        deflated(huge.as_bytes()),
        deflated(gigabytes.as_bytes()),
        deflated(&short),
        deflated(&long),
        deflated(b"blob -1\0x"),
        deflated(b"nonsense 6\0other\n"),
        deflated(b"blob"),
    ] {
        fs::write(&file, &bytes).unwrap();
        let (run, memory, _) = watched(&repo.path(), &[]);
        assert_eq!(run.code, 2, "{bytes:?} {}", run.out);
        finds(&run, &key);
        assert!(memory < MEMORY, "{memory}");
    }
}

#[test]
fn loops_and_missing_bases_of_deltas_are_gaps_beside_what_is_good() {
    let key = fake::github_pat(6);
    let repo = small(&key);
    let change = delta(5, 5, &copy(0, 5));
    let (a, b) = (id_of("blob", b"aaaaa"), id_of("blob", b"bbbbb"));
    let mut made = PackMaker::new();
    made.on(a, b, &change);
    made.on(b, a, &change);
    let good = fake::npm_token(6);
    made.blob(env(&good).as_bytes());
    made.install(&repo.dot_git());
    let run = soon(&repo, &["--all-objects"]);
    assert_eq!(run.code, 2, "{}", run.out);
    finds(&run, &key);
    assert!(run.rules().contains(&"npm-access-token".to_owned()));

    let repo = small(&key);
    let mut made = PackMaker::new();
    let base = [0x77; 20];
    made.on(a, base, &change);
    let good = made.blob(env(&good).as_bytes());
    made.behind(b, good, &delta(9999, 5, &copy(0, 5)));
    made.install(&repo.dot_git());
    let run = soon(&repo, &[]);
    says(&run, &hex(&a));
    says(&run, &hex(&b));
    finds(&run, &key);
}

#[test]
fn sizes_that_lie_take_no_memory() {
    let key = fake::github_pat(7);
    let stream = deflated(b"hello");
    for size in [0, 4, 6, 1 << 20, 5 << 30, 1 << 40, u64::MAX >> 4] {
        let repo = small(&key);
        let mut made = PackMaker::new();
        made.raw(id_of("blob", b"hello"), BLOB, size, b"", &stream);
        made.install(&repo.dot_git());
        let (run, memory, took) = watched(&repo.path(), &[]);
        assert_eq!(run.code, 2, "{size}: {}", run.out);
        finds(&run, &key);
        assert!(memory < MEMORY, "{size}: {memory}");
        assert!(took < Duration::from_secs(60), "{size}: {took:?}");
    }
    // The same in what a delta says of itself, and in that of a delta on it.
    for result in [1 << 31, 5 << 30, 1 << 50] {
        let repo = small(&key);
        let mut made = PackMaker::new();
        let base = made.blob(b"hello");
        let lie = delta(5, result, &copy(0, 5));
        let at = made.behind([1; 20], base, &lie);
        made.behind([2; 20], at, &delta(result, 5, &copy(0, 5)));
        made.install(&repo.dot_git());
        let (run, memory, took) = watched(&repo.path(), &[]);
        assert_eq!(run.code, 2, "{result}: {}", run.out);
        finds(&run, &key);
        assert!(memory < MEMORY, "{result}: {memory}");
        assert!(took < Duration::from_secs(60), "{result}: {took:?}");
    }
}

#[test]
fn sizes_that_lie_take_no_memory_of_libgit2_either() {
    let key = fake::github_pat(66);
    for result in [5 << 30, 60 << 30_u64] {
        let repo = small(&key);
        let mut made = PackMaker::new();
        let base = made.blob(b"hello");
        let at = made.behind([1; 20], base, &delta(5, result, &copy(0, 5)));
        made.behind([2; 20], at, &delta(result, 5, &copy(0, 5)));
        made.raw([3; 20], BLOB, result, b"", &deflated(b"hello"));
        made.install(&repo.dot_git());
        let (run, memory, took) = watched(&repo.path(), &["--engine", "whole"]);
        assert_eq!(run.code, 2, "{result}: {}", run.out);
        finds(&run, &key);
        assert!(memory < MEMORY, "{result}: {memory}");
        assert!(took < Duration::from_secs(60), "{result}: {took:?}");
    }
}

#[test]
fn packs_that_an_ended_gc_left_are_no_packs() {
    let key = fake::github_pat(67);
    let repo = small(&key);
    repo.repack();
    let folder = repo.dot_git().join("objects/pack");
    for name in [".tmp-1-pack-x.pack", "tmp_pack_abc.pack"] {
        fs::write(folder.join(name), b"PACK").unwrap();
    }
    let run = repo.keysweep(&[]);
    assert_eq!(run.code, 1, "{}", run.out);
    finds(&run, &key);
}

#[test]
fn a_delta_that_makes_a_gigabyte_takes_no_gigabyte() {
    let key = fake::github_pat(8);
    let repo = small(&fake::npm_token(8));
    let part = 12 << 20_u32;
    let mut made = PackMaker::new();
    let zero = vec![b'\n'; part as usize];
    let base = made.blob(&zero);
    let token = format!("\nTOKEN={key}\n");
    let mut rest = Vec::new();
    for _ in 0..85 {
        rest.extend(copy(0, part));
    }
    rest.extend(insert(token.as_bytes()));
    rest.extend(copy(0, part));
    let size = 86 * u64::from(part) + token.len() as u64;
    made.behind([9; 20], base, &delta(u64::from(part), size, &rest));
    made.install(&repo.dot_git());
    let (run, memory, took) = watched(&repo.path(), &["--all-objects"]);
    run.hides(&key);
    assert!(memory < MEMORY, "{memory}");
    assert!(took < Duration::from_secs(60), "{took:?}");
    let found = run.rules().contains(&"github-pat-classic".to_owned());
    assert!(found || run.code == 2, "lost in silence: {}", run.out);
}

/// A blob of a gigabyte, whole and as the base of a delta. `cargo test --test it -- --ignored gigabyte` runs it; it takes
/// about half a minute.
#[test]
#[ignore = "takes half a minute in a debug build"]
fn a_blob_of_a_gigabyte_and_a_delta_on_it() {
    let key = fake::github_pat(9);
    let repo = small(&fake::npm_token(9));
    let size = 1 << 30_u64;
    let mut made = PackMaker::new();
    let base = made.raw([8; 20], BLOB, size, b"", &zeros(size));
    let token = format!("\nTOKEN={key}\n");
    let mut rest = Vec::new();
    for part in 0..100_u32 {
        rest.extend(copy(part << 23, 1 << 23));
    }
    rest.extend(insert(token.as_bytes()));
    let made_size = (100 << 23) + token.len() as u64;
    made.behind([9; 20], base, &delta(size, made_size, &rest));
    made.install(&repo.dot_git());
    let (run, memory, _) = watched(&repo.path(), &["--all-objects"]);
    run.hides(&key);
    assert!(memory < MEMORY, "{memory}");
    let found = run.rules().contains(&"github-pat-classic".to_owned());
    assert!(found || run.code == 2, "lost in silence: {}", run.out);
}

#[test]
fn a_large_blob_with_a_key_far_inside_is_scanned_in_windows() {
    let key = fake::github_pat(10);
    let repo = Repo::new();
    let mut text = "nothing to see here, move along please\n".repeat(1_200_000);
    text.insert_str(30 << 20, &format!("\nTOKEN={key}\n"));
    let added = repo.commit_file("big.txt", &text);
    for _ in 0..2 {
        let (run, memory, _) = watched(&repo.path(), &[]);
        finds(&run, &key);
        assert_eq!(run.code, 1, "{}", run.out);
        assert_eq!(run.only_finding()["commit"]["id"], added);
        assert!(memory < MEMORY, "{memory}");
        let (run, memory, _) = watched(&repo.path(), &["--range", "HEAD"]);
        finds(&run, &key);
        assert!(memory < MEMORY, "{memory}");
        repo.repack();
    }
}

#[test]
fn a_repository_that_git_packs_meanwhile() {
    let key = fake::github_pat(11);
    let repo = Repo::new();
    for number in 0..60 {
        let text = format!(
            "{number}\n{}",
            if number == 7 {
                env(&key)
            } else {
                String::new()
            }
        );
        repo.commit_file(&format!("d{}/file", number % 5), text);
    }
    repo.git(&["tag", "-a", "v1", "-m", "x"]);
    let done = AtomicBool::new(false);
    let path = repo.path();
    let rounds = std::thread::scope(|scope| {
        let gc = scope.spawn(|| {
            let mut rounds = 0;
            while !done.load(Ordering::Relaxed) {
                rounds += 1;
                // Each moves all objects.
                for arguments in [
                    &["repack", "-qad"][..],
                    &["repack", "-qadF", "--max-pack-size=1m"],
                    &["gc", "--quiet", "--prune=now"],
                ] {
                    let mut git = Command::new("git");
                    git.current_dir(&path).args(arguments).env_clear();
                    git.env("PATH", std::env::var_os("PATH").unwrap_or_default());
                    git.env("GIT_CONFIG_GLOBAL", "/dev/null");
                    git.env("GIT_CONFIG_NOSYSTEM", "1");
                    assert!(git.output().unwrap().status.success());
                }
            }
            rounds
        });
        for round in 0..20 {
            let mut command = program();
            command.current_dir(&path);
            let run = Run::of(command.args(["git", "--format", "jsonl"]));
            let problem = if run.err.contains("panicked") || run.code != 1 {
                Some("ended badly")
            } else if run.summary()["commits"] != 60 || run.findings().len() != 1 {
                Some("lost something")
            } else {
                None
            };
            if let Some(problem) = problem {
                done.store(true, Ordering::Relaxed);
                panic!("round {round} {problem}: {}\n{}", run.out, run.err);
            }
        }
        done.store(true, Ordering::Relaxed);
        gc.join().unwrap()
    });
    assert!(rounds > 1, "{rounds}");
}

#[test]
fn formats_that_are_not_read_are_named() {
    for (option, word) in [
        ("--object-format=sha256", "SHA-256"),
        ("--ref-format=reftable", "reftable"),
    ] {
        let repo = Repo::folder();
        repo.git_in(".", &["init", "-q", "-b", "main", option, "work"]);
        repo.commit_file("app.env", env(&fake::github_pat(12)));
        for arguments in [
            &[][..],
            &["--staged"],
            &["--range", "HEAD"],
            &["--unstaged"],
        ] {
            let run = soon(&repo, arguments);
            assert_eq!(run.code, 2);
            assert!(run.err.contains(word), "{}", run.err);
            assert!(run.err.contains("not supported"), "{}", run.err);
        }
    }
}

#[test]
fn commits_with_impossible_dates_and_texts() {
    let key = fake::github_pat(13);
    let repo = small(&key);
    let tree = repo.id("HEAD^{tree}");
    let parent = repo.id("HEAD");
    for (number, date) in [
        "9223372036854775807 +0000",
        "-9223372036854775808 +0000",
        "99999999999999999999 +9999",
        "x",
        "",
        "0 +0000",
    ]
    .iter()
    .enumerate()
    {
        for who in ["A <a@b>", "", "\u{1b}[31mA\u{202e} <\u{7}>", "<<<>>> >"] {
            let text = format!(
                "tree {tree}\nparent {parent}\nauthor {who} {date}\ncommitter {who} {date}\n\n{key}\n"
            );
            let arguments = [
                "hash-object",
                "-t",
                "commit",
                "-w",
                "--literally",
                "--stdin",
            ];
            let id = repo.git_with(&arguments, text.as_bytes());
            let name = format!(".git/refs/heads/b{number}{}", who.len());
            write(&repo.path().join(name), format!("{id}\n"));
        }
    }
    for format in ["text", "json", "sarif"] {
        for arguments in [
            &[][..],
            &["--range", "main..b00"],
            &["--since", "1 day ago"],
        ] {
            let all = [&["git", "--format", format], arguments].concat();
            let run = Run::of(program().current_dir(repo.path()).args(all));
            assert!((0..=1).contains(&run.code), "{}", run.err);
            assert!(!run.err.contains("panicked"), "{}", run.err);
            run.hides(&key);
            assert!(!run.out.contains('\u{1b}'), "{}", run.out);
        }
    }
}

#[test]
fn commits_that_are_none() {
    let key = fake::github_pat(14);
    let repo = small(&key);
    for text in ["", "tree\n", "tree 123\n\nx", "nothing at all"] {
        let arguments = [
            "hash-object",
            "-t",
            "commit",
            "-w",
            "--literally",
            "--stdin",
        ];
        let id = repo.git_with(&arguments, text.as_bytes());
        write(&repo.dot_git().join("refs/heads/broken"), format!("{id}\n"));
        let run = soon(&repo, &[]);
        says(&run, &id);
        finds(&run, &key);
    }
}

#[test]
fn trees_that_are_malformed_and_names_that_git_forbids() {
    let key = fake::github_pat(15);
    let repo = small(&fake::npm_token(15));
    let blob = id_of("blob", env(&key).as_bytes());
    repo.git_with(&["hash-object", "-w", "--stdin"], env(&key).as_bytes());
    let row = |name: &[u8]| [b"100644 ", name, b"\0", &blob[..]].concat();
    let mut all = Vec::new();
    for name in [
        &b"../../outside"[..],
        b"..",
        b".git",
        b"",
        b"a/b",
        b"/etc/passwd",
        b"\x1b[31m\n\r",
        b"\xff\xfe",
    ] {
        all.push(row(name));
    }
    all.push(row(b"twice").repeat(2));
    all.push(row(&b"n".repeat(100_000)));
    let tree = |bytes: &[u8]| {
        let arguments = ["hash-object", "-t", "tree", "-w", "--literally", "--stdin"];
        repo.git_with(&arguments, bytes)
    };
    for (number, bytes) in all.iter().enumerate() {
        let commit = repo.git(&["commit-tree", "-m", "x", &tree(bytes)]);
        let name = format!("refs/heads/b{number}");
        write(&repo.dot_git().join(name), format!("{commit}\n"));
        let run = soon(&repo, &[]);
        finds(&run, &key);
        let run = soon(&repo, &["--range", "HEAD.."]);
        assert!(run.code <= 2);
    }
    // An entry cut short.
    let bytes = [row(b"good"), b"100644 bad\0\x01\x02".to_vec()].concat();
    let commit = repo.git(&["commit-tree", "-m", "x", &tree(&bytes)]);
    write(
        &repo.dot_git().join("refs/heads/cut"),
        format!("{commit}\n"),
    );
    let run = soon(&repo, &[]);
    says(&run, "malformed");
    finds(&run, &key);
}

#[test]
fn a_few_trees_that_stand_for_billions_of_paths() {
    let key = fake::github_pat(16);
    let repo = small(&fake::npm_token(16));
    let blob = repo.git_with(&["hash-object", "-w", "--stdin"], env(&key).as_bytes());
    let mut below = format!("100644 blob {blob}");
    for _ in 0..10 {
        let rows: String = (0..10).map(|n| format!("{below}\t{n}\n")).collect();
        let tree = repo.git_with(&["mktree"], rows.as_bytes());
        below = format!("040000 tree {tree}");
    }
    let tree = below.rsplit(' ').next().unwrap().to_owned();
    let commit = repo.git(&["commit-tree", "-m", "bomb", &tree]);
    repo.git(&["branch", "bomb", &commit]);
    for arguments in [&["--all-objects"][..], &["--range", "bomb"], &[]] {
        if arguments.is_empty() {
            repo.repack();
        }
        let (run, memory, took) = watched(&repo.path(), arguments);
        assert_eq!(run.code, 2, "{arguments:?}");
        finds(&run, &key);
        assert!(memory < MEMORY, "{arguments:?}: {memory}");
        assert!(took < Duration::from_secs(60), "{arguments:?}: {took:?}");
    }
}

#[test]
fn folders_in_folders_in_folders() {
    let key = fake::github_pat(17);
    let repo = small(&fake::npm_token(17));
    let path = "d/".repeat(3000) + "app.env";
    let text = env(&key);
    let stream = format!(
        "commit refs/heads/deep\ncommitter A <a@b> 1700000000 +0000\ndata 1\nm\nM 100644 inline {path}\ndata {}\n{text}\n",
        text.len()
    );
    repo.git_with(&["fast-import", "--quiet"], stream.as_bytes());
    let run = soon(&repo, &[]);
    finds(&run, &key);
    let run = soon(&repo, &["--range", "deep"]);
    assert!(run.code > 0, "{}", run.out);
}

// ---------------------------------------------------------------------------------------------
// Traps

/// Ways in which a repository is looked at.
const MODES: [&[&str]; 9] = [
    &[],
    &["--all-objects"],
    &["--engine", "whole"],
    &["--staged"],
    &["--unstaged"],
    &["--range", "HEAD"],
    &["--branch", "main"],
    &["--since", "2020-01-01"],
    &["--recurse-submodules"],
];

/// A program that leaves a mark when it runs.
struct Canary {
    script: PathBuf,
    mark: PathBuf,
}

impl Canary {
    fn new(repo: &Repo) -> Self {
        let (script, mark) = (repo.beside("canary"), repo.beside("it-ran"));
        write(
            &script,
            format!("#!/bin/sh\n: > '{}'\ncat\n", mark.display()),
        );
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        Self { script, mark }
    }

    #[track_caller]
    fn is_alive(&self) {
        assert!(!self.mark.exists(), "something of the repository ran");
    }
}

#[test]
fn nothing_that_a_repository_configures_is_run() {
    let key = fake::github_pat(20);
    let repo = small(&key);
    repo.write("folder/other", "changed\n");
    repo.git(&["add", "-A"]);
    repo.write("app.env", format!("more\n{}", env(&key)));
    repo.write(
        ".gitattributes",
        "* filter=x diff=x merge=x text=auto ident working-tree-encoding=UTF-16\n",
    );
    write(
        &repo.dot_git().join("info/attributes"),
        "* filter=x diff=x\n",
    );
    let canary = Canary::new(&repo);
    let run = canary.script.display();
    let mut config = fs::read_to_string(repo.dot_git().join("config")).unwrap();
    let _ = write!(
        config,
        "[core]\n\tfsmonitor = {run}\n\thooksPath = {hooks}\n\tsshCommand = {run}\n\tgitProxy = {run}\n\tpager = {run}\n\
         \teditor = {run}\n\taskPass = {run}\n\talternateRefsCommand = {run}\n\
         [filter \"x\"]\n\tclean = {run}\n\tsmudge = {run}\n\tprocess = {run}\n\trequired = true\n\
         [diff]\n\texternal = {run}\n[diff \"x\"]\n\ttextconv = {run}\n\tcommand = {run}\n\
         [merge \"x\"]\n\tdriver = {run}\n[gpg]\n\tprogram = {run}\n[credential]\n\thelper = !{run}\n\
         [uploadpack]\n\tpackObjectsHook = {run}\n[remote \"origin\"]\n\turl = ext::{run}\n\tuploadpack = {run}\n\
         [extensions]\n\tpartialClone = origin\n[submodule \"s\"]\n\tupdate = !{run}\n\turl = ext::{run}\n[alias]\n\tlog = !{run}\n",
        hooks = repo.beside("hooks").display(),
    );
    write(&repo.dot_git().join("config"), &config);
    write(
        &repo.path().join(".gitmodules"),
        format!("[submodule \"s\"]\n\tpath = s\n\turl = ext::{run}\n\tupdate = !{run}\n"),
    );
    for name in [
        "pre-commit",
        "post-checkout",
        "post-index-change",
        "reference-transaction",
        "fsmonitor-watchman",
        "pre-auto-gc",
        "post-merge",
    ] {
        for folder in [repo.dot_git().join("hooks"), repo.beside("hooks")] {
            fs::create_dir_all(&folder).unwrap();
            let _ = fs::remove_file(folder.join(name));
            symlink(&canary.script, folder.join(name)).unwrap();
        }
    }
    // Even a `git` on the path is not asked.
    let path = repo.beside("bin");
    fs::create_dir_all(&path).unwrap();
    for name in ["git", "ssh", "sh", "gpg", "less", "git-lfs"] {
        symlink(&canary.script, path.join(name)).unwrap();
    }
    for mode in MODES {
        let started = Instant::now();
        let run = Run::of(
            program()
                .current_dir(repo.path())
                .env("PATH", &path)
                .env("GIT_EXTERNAL_DIFF", &canary.script)
                .env("GIT_SSH_COMMAND", &canary.script)
                .args([&["git", "--format", "jsonl"], mode].concat()),
        );
        assert!(started.elapsed() < Duration::from_secs(60), "{mode:?}");
        assert!((0..=1).contains(&run.code), "{mode:?}: {}", run.err);
        run.hides(&key);
        canary.is_alive();
    }
    for arguments in [&["scan", "--history"][..], &[]] {
        let mut command = program();
        command.current_dir(repo.path()).env("PATH", &path);
        let run = Run::of(command.args(arguments));
        assert!((0..=2).contains(&run.code), "{arguments:?}: {}", run.err);
        canary.is_alive();
    }
}

#[test]
fn pipes_in_place_of_a_repositorys_files_are_not_waited_for() {
    let key = fake::github_pat(21);
    let repo = small(&key);
    repo.repack();
    repo.commit_file("b", "loose\n");
    repo.git(&["multi-pack-index", "write"]);
    repo.git(&["worktree", "add", "-q", "--detach", "../linked"]);
    repo.git(&["commit-graph", "write", "--reachable"]);
    let pack = repo.packs()[0].clone();
    let loose = repo.loose(&repo.id("HEAD:b"));
    let dot_git = repo.dot_git();
    for (path, critical) in [
        (dot_git.join("HEAD"), true),
        (dot_git.join("config"), true),
        (dot_git.join("index"), false),
        (dot_git.join("packed-refs"), true),
        (dot_git.join("shallow"), true),
        (dot_git.join("commondir"), true),
        (dot_git.join("MERGE_HEAD"), false),
        (dot_git.join("refs/heads/main"), true),
        (dot_git.join("refs/heads/pipe"), true),
        (dot_git.join("worktrees/linked/HEAD"), true),
        (dot_git.join("objects/info/alternates"), true),
        (dot_git.join("objects/info/commit-graph"), false),
        (dot_git.join("objects/pack/multi-pack-index"), false),
        (pack.with_extension("idx"), false),
        (pack.clone(), true),
        (dot_git.join("objects/pack/other.pack"), true),
        (loose.clone(), true),
        (dot_git.join("info/attributes"), false),
        (dot_git.join("info/exclude"), false),
        (dot_git.join("info/grafts"), false),
        (dot_git.join("modules/sub/HEAD"), false),
        (repo.path().join(".mailmap"), false),
        (repo.path().join(".gitattributes"), false),
        (repo.path().join(".gitmodules"), false),
        (repo.path().join("app.env"), false),
        (repo.path().join(".gitignore"), false),
    ] {
        let before = fs::read(&path).ok();
        let _ = fs::set_permissions(&path, fs::Permissions::from_mode(0o644));
        fifo(&path);
        for mode in MODES {
            let run = soon(&repo, mode);
            run.hides(&key);
            if mode.contains(&"whole") {
                continue; // libgit2 would wait, so it is not asked
            }
            if critical && mode.is_empty() {
                assert_eq!(run.code, 2, "{}: {}", path.display(), run.out);
            }
        }
        fs::remove_file(&path).unwrap();
        if let Some(before) = before {
            fs::write(&path, before).unwrap();
        }
    }
    assert_eq!(soon(&repo, &[]).code, 1, "all is as it was");
}

#[test]
fn includes_and_other_work_trees_are_not_followed() {
    let key = fake::github_pat(22);
    let outside = fake::npm_token(22);
    let repo = small(&key);
    let there = repo.beside("there");
    write(&there.join("app.env"), env(&outside));
    write(&there.join("folder/other"), env(&outside));
    write(
        &repo.beside("included"),
        format!(
            "[core]\n\tbare = true\n\tworktree = {}\n[{outside}\n",
            there.display()
        ),
    );
    fifo(&repo.beside("pipe"));
    let good = fs::read_to_string(repo.dot_git().join("config")).unwrap();
    let pipe = repo.beside("pipe").display().to_string();
    for more in [
        format!("[include]\n\tpath = {pipe}\n"),
        "[include]\n\tpath = ../../pipe\n".to_owned(),
        format!("[includeIf \"gitdir:/\"]\n\tpath = {pipe}\n"),
        "[include]\n\tpath = ../../included\n".to_owned(),
        format!("[core]\n\tworktree = {}\n", there.display()),
        "[core]\n\tworktree = /\n".to_owned(),
        format!("[core]\n\texcludesFile = {pipe}\n\tattributesFile = {pipe}\n"),
        format!("[mailmap]\n\tfile = {pipe}\n\tblob = HEAD:nowhere\n"),
    ] {
        write(&repo.dot_git().join("config"), format!("{good}{more}"));
        for mode in MODES {
            let run = soon(&repo, mode);
            assert!(run.code <= 1, "{more}: {}", run.err);
            run.hides(&outside);
            run.hides(&key);
            let rules = run.rules();
            assert!(!rules.contains(&"npm-access-token".to_owned()), "{more}");
        }
    }
}

/// A repository with a key, which is somebody's own and no concern of others.
fn private(repo: &Repo, key: &str) -> PathBuf {
    repo.git_in(".", &["init", "-q", "-b", "main", "private"]);
    write(&repo.beside("private/app.env"), env(key));
    repo.git_in("private", &["add", "-A"]);
    repo.git_in("private", &["commit", "-qm", "private"]);
    repo.beside("private")
}

#[test]
fn alternates_of_another_users_repository_are_reported() {
    let outside = fake::npm_token(23);
    let repo = small(&fake::github_pat(23));
    if !is_root(&repo) {
        return; // only root can give files away
    }
    let objects = private(&repo, &outside).join(".git/objects");
    let id = repo.git_in("private", &["rev-parse", "HEAD"]);
    write(
        &repo.dot_git().join("objects/info/alternates"),
        format!("{}\n", objects.display()),
    );
    write(&repo.dot_git().join("refs/heads/theirs"), format!("{id}\n"));
    let run = soon(&repo, &[]);
    assert_eq!(run.rules().len(), 2, "one's own are followed: {}", run.out);
    for part in [".git", ".git/objects", ".git/objects/info/alternates"] {
        chown(repo.path().join(part), Some(65_534), None).unwrap();
        for mode in MODES {
            if *mode == ["--engine", "whole"] {
                let run = soon(&repo, mode);
                assert_eq!(run.code, 2, "{}", run.out);
                assert!(!run.out.contains("npm-access-token"), "{}", run.out);
                continue;
            }
            let run = soon(&repo, mode);
            assert!(
                !run.out.contains("npm-access-token"),
                "{mode:?}: {}",
                run.out
            );
            if *mode != ["--unstaged"] {
                says(&run, "not known to be yours");
            }
        }
        chown(repo.path().join(part), Some(0), None).unwrap();
    }
}

#[test]
fn alternates_of_a_submodule_are_not_followed() {
    let outside = fake::npm_token(24);
    let repo = small(&fake::github_pat(24));
    let theirs = private(&repo, &outside);
    let id = repo.git_in("private", &["rev-parse", "HEAD"]);
    let sub = repo.dot_git().join("modules/sub");
    repo.git_in(
        ".",
        &[
            "init",
            "-q",
            "--bare",
            "-b",
            "main",
            "work/.git/modules/sub",
        ],
    );
    write(
        &sub.join("objects/info/alternates"),
        format!("{}\n", theirs.join(".git/objects").display()),
    );
    write(&sub.join("refs/heads/main"), format!("{id}\n"));
    let run = soon(&repo, &["--recurse-submodules"]);
    says(&run, "not known to be yours");
    assert!(!run.out.contains("npm-access-token"), "{}", run.out);
    // Nor a submodule that is a link, or leads elsewhere.
    fs::remove_dir_all(&sub).unwrap();
    symlink(theirs.join(".git"), &sub).unwrap();
    let run = soon(&repo, &["--recurse-submodules"]);
    assert!(!run.out.contains("npm-access-token"), "{}", run.out);
    fs::remove_file(&sub).unwrap();
    write(&sub.join("HEAD"), "ref: refs/heads/main\n");
    write(
        &sub.join("commondir"),
        theirs.join(".git").to_str().unwrap(),
    );
    let run = soon(&repo, &["--recurse-submodules"]);
    assert_eq!(run.code, 2, "{}", run.out);
    assert!(!run.out.contains("npm-access-token"), "{}", run.out);
}

#[test]
fn a_dot_git_that_leads_outside() {
    let outside = fake::npm_token(25);
    let repo = Repo::folder();
    let theirs = private(&repo, &outside).join(".git");
    let dot_git = repo.dot_git();
    fs::create_dir_all(repo.path()).unwrap();
    if !is_root(&repo) {
        return; // only root can give files away
    }
    let theirs = theirs.to_str().unwrap();
    let all: [&dyn Fn(); 3] = [
        &|| write(&dot_git, format!("gitdir: {theirs}\n")),
        &|| symlink(theirs, &dot_git).unwrap(),
        &|| {
            write(&dot_git.join("HEAD"), "ref: refs/heads/main\n");
            write(&dot_git.join("commondir"), theirs);
        },
    ];
    for make in all {
        make();
        let own = soon(&repo, &[]);
        assert_eq!(own.rules(), ["npm-access-token"], "{}", own.err);
        give_away(&dot_git);
        for mode in MODES {
            let run = soon(&repo, mode);
            says(&run, "not known to be yours");
            run.hides(&outside);
            assert!(!run.out.contains("npm-access-token"), "{}", run.out);
        }
        if dot_git.is_dir() && !dot_git.is_symlink() {
            fs::remove_dir_all(&dot_git).unwrap();
        } else {
            fs::remove_file(&dot_git).unwrap();
        }
    }
}

#[test]
fn links_in_another_users_repository_lead_nowhere() {
    let outside = fake::npm_token(26);
    let repo = small(&fake::github_pat(26));
    if !is_root(&repo) {
        return; // only root can give files away
    }
    let theirs = private(&repo, &outside);
    let blob = repo.git_in("private", &["rev-parse", "HEAD:app.env"]);
    let head = repo.git_in("private", &["rev-parse", "HEAD"]);
    let loose = theirs
        .join(".git/objects")
        .join(&blob[..2])
        .join(&blob[2..]);
    repo.git_in(".", &["clone", "-q", "--bare", "private", "packed.git"]);
    repo.git_in("packed.git", &["repack", "-qad"]);
    let pack = fs::read_dir(repo.beside("packed.git/objects/pack")).unwrap();
    let pack: Vec<PathBuf> = pack.map(|f| f.unwrap().path()).collect();
    write(&repo.beside("words"), format!("{outside}\n"));
    let dot_git = repo.dot_git();
    let good = repo.beside("good");
    assert!(
        Command::new("cp")
            .args(["-a", dot_git.to_str().unwrap(), good.to_str().unwrap()])
            .status()
            .unwrap()
            .success()
    );
    let link = |target: &Path, path: &str| {
        let path = dot_git.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&path);
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap();
        }
        symlink(target, path).unwrap();
    };
    let theirs_git = theirs.join(".git");
    let all: [&dyn Fn(); 12] = [
        &|| link(&theirs_git.join("objects"), "objects"),
        &|| link(&theirs_git.join("refs"), "refs"),
        &|| link(&theirs_git.join("HEAD"), "HEAD"),
        &|| link(&theirs_git.join("index"), "index"),
        &|| link(&repo.beside("words"), "refs/heads/words"),
        &|| link(&repo.beside("words"), "packed-refs"),
        &|| link(&repo.beside("words"), "shallow"),
        &|| link(&repo.beside("words"), "config"),
        &|| link(&loose, &format!("objects/{}/{}", &blob[..2], &blob[2..])),
        &|| link(loose.parent().unwrap(), &format!("objects/{}", &blob[..2])),
        &|| link(&repo.beside("packed.git/objects/pack"), "objects/pack"),
        &|| {
            for file in &pack {
                let name = file.file_name().unwrap().to_str().unwrap();
                link(file, &format!("objects/pack/{name}"));
            }
        },
    ];
    for (number, make) in all.iter().enumerate() {
        make();
        write(&dot_git.join("refs/heads/theirs"), format!("{head}\n"));
        give_away(&dot_git);
        for mode in MODES {
            let run = soon(&repo, mode);
            run.hides(&outside);
            assert!(
                !run.out.contains("npm-access-token"),
                "link {number}, {mode:?}: {}",
                run.out
            );
        }
        // The shared folder `refs` was written through a link.
        let _ = fs::remove_file(theirs_git.join("refs/heads/theirs"));
        fs::remove_dir_all(&dot_git).unwrap();
        assert!(
            Command::new("cp")
                .args(["-a", good.to_str().unwrap(), dot_git.to_str().unwrap()])
                .status()
                .unwrap()
                .success()
        );
    }
}

#[test]
fn another_users_repository_is_read() {
    let key = fake::github_pat(27);
    let repo = small(&key);
    if !is_root(&repo) {
        return; // only root can give files away
    }
    repo.write("new.env", env(&fake::npm_token(27)));
    repo.git(&["add", "-A"]);
    give_away(&repo.path());
    let run = soon(&repo, &[]);
    assert_eq!(run.code, 1, "{}", run.err);
    finds(&run, &key);
    assert_eq!(soon(&repo, &["--staged"]).rules(), ["npm-access-token"]);
}

#[test]
fn links_of_the_working_tree_and_of_history_are_text() {
    let outside = fake::npm_token(28);
    let repo = small(&fake::github_pat(28));
    write(&repo.beside("there/other"), env(&outside));
    repo.git(&["rm", "-qr", "--cached", "folder"]);
    fs::remove_dir_all(repo.path().join("folder")).unwrap();
    repo.write("folder/other", "x\n");
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-qm", "x"]);
    // A tracked file and a tracked folder become links.
    fs::remove_dir_all(repo.path().join("folder")).unwrap();
    symlink(repo.beside("there"), repo.path().join("folder")).unwrap();
    repo.remove("app.env");
    symlink(repo.beside("there/other"), repo.path().join("app.env")).unwrap();
    for mode in MODES {
        let run = soon(&repo, mode);
        assert!(
            !run.out.contains("npm-access-token"),
            "{mode:?}: {}",
            run.out
        );
        run.hides(&outside);
    }
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-qm", "links"]);
    for mode in MODES {
        let run = soon(&repo, mode);
        assert!(
            !run.out.contains("npm-access-token"),
            "{mode:?}: {}",
            run.out
        );
    }
}

/// An index in which one path is replaced by another of the same length.
fn with_path(repo: &Repo, from: &[u8], to: &[u8]) {
    let file = repo.dot_git().join("index");
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    let end = bytes.len() - 20;
    let sum: [u8; 20] = Sha1::digest(&bytes[..end]).into();
    bytes[end..].copy_from_slice(&sum);
    fs::write(file, bytes).unwrap();
}

#[test]
fn paths_of_an_index_do_not_lead_out_of_the_working_tree() {
    let outside = fake::npm_token(29);
    for (from, to) in [
        ("xx/there/app.env", "../there/app.env"),
        ("a/xx/xx/there/app.env", "a/../../there/app.env"),
        ("xgit/there", ".git/there"),
        ("xx", ".."),
    ] {
        let repo = Repo::new();
        write(&repo.beside("there/app.env"), env(&outside));
        repo.write(from, "x\n");
        repo.git(&["add", "-A"]);
        repo.git(&["commit", "-qm", "x"]);
        write(&repo.dot_git().join("there"), env(&outside));
        with_path(&repo, from.as_bytes(), to.as_bytes());
        for mode in MODES {
            let run = soon(&repo, mode);
            assert!(
                !run.out.contains("npm-access-token"),
                "{to} {mode:?}: {}",
                run.out
            );
            run.hides(&outside);
        }
    }
    // An absolute one.
    let repo = Repo::new();
    let there = repo.beside("there.env");
    write(&there, env(&outside));
    let to = there.to_str().unwrap();
    let from = "x".repeat(to.len());
    repo.write(&from, "x\n");
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-qm", "x"]);
    with_path(&repo, from.as_bytes(), to.as_bytes());
    for mode in MODES {
        let run = soon(&repo, mode);
        assert!(
            !run.out.contains("npm-access-token"),
            "{mode:?}: {}",
            run.out
        );
    }
}

#[test]
fn names_that_are_not_utf_8() {
    let key = fake::github_pat(30);
    let repo = Repo::new();
    let name = OsStr::from_bytes(b"k\xff.env");
    let path = repo.path().join(name);
    write(&path, "none\n");
    repo.commit("none");
    write(&path, env(&key));
    let run = soon(&repo, &["--unstaged"]);
    finds(&run, &key);
    repo.git(&["add", "-A"]);
    let run = soon(&repo, &["--staged"]);
    finds(&run, &key);
    repo.git(&["commit", "-qm", "key"]);
    let run = soon(&repo, &[]);
    finds(&run, &key);
    assert_eq!(run.only_finding()["path_bytes"], "a/8uZW52");
    let id = repo.id("HEAD");
    let heads = repo.dot_git().join("refs/heads");
    write(&heads.join(OsStr::from_bytes(b"x\xfe")), format!("{id}\n"));
    let run = soon(&repo, &[]);
    finds(&run, &key);
    assert_eq!(texts(&run.only_finding()["refs"]).len(), 2);
}

#[test]
fn an_id_with_the_content_of_another_object() {
    // The ids of a pack's index are not proven; nothing but a wrong name follows from that.
    let key = fake::github_pat(31);
    let repo = small(&fake::npm_token(31));
    let text = env(&key);
    let mut made = PackMaker::new();
    made.raw(
        [3; 20],
        BLOB,
        text.len() as u64,
        b"",
        &deflated(text.as_bytes()),
    );
    made.raw([4; 20], ON, 4, &[3; 20], &deflated(b"\x00\x00\x00\x00"));
    made.install(&repo.dot_git());
    let run = soon(&repo, &["--all-objects"]);
    finds(&run, &key);
    assert_eq!(run.code, 2, "the delta is none: {}", run.out);
}

#[test]
fn a_history_that_cannot_be_opened_is_not_dropped_in_silence() {
    let key = fake::github_pat(63);
    let plain = |repo: &Repo| {
        let mut program = program();
        Run::of(program.current_dir(repo.path()).args(["--format", "jsonl"]))
    };
    let is_told = |repo: &Repo, word: &str| {
        let run = plain(repo);
        assert_eq!(run.code, 2, "{}\n{}", run.out, run.err);
        assert_eq!(run.summary()["complete"], false);
        let gaps = run.records("gap");
        assert!(
            gaps.iter().any(|g| g.to_string().contains(word)),
            "{}",
            run.out
        );
        // What lies in the files is found nevertheless.
        finds_in(&run, "now.env");
    };
    for (option, word) in [
        ("--object-format=sha256", "SHA-256"),
        ("--ref-format=reftable", "reftable"),
    ] {
        let repo = Repo::folder();
        repo.git_in(".", &["init", "-q", "-b", "main", option, "work"]);
        repo.commit_file("app.env", env(&key));
        repo.remove("app.env");
        repo.commit_file("now.env", env(&fake::npm_token(63)));
        is_told(&repo, word);
    }
    let repo = small(&key);
    repo.commit_file("now.env", env(&fake::npm_token(63)));
    fs::remove_file(repo.dot_git().join("HEAD")).unwrap();
    is_told(&repo, "no repository");
    fs::remove_dir_all(repo.dot_git()).unwrap();
    fs::write(repo.dot_git(), "gitdir: ../vanished\n").unwrap();
    is_told(&repo, "vanished");
    fs::remove_file(repo.dot_git()).unwrap();
    fifo(&repo.dot_git());
    is_told(&repo, "not a regular file");
    // No repository at all is no gap.
    fs::remove_file(repo.dot_git()).unwrap();
    assert_eq!(plain(&repo).summary()["complete"], true);
}

fn finds_in(run: &Run, path: &str) {
    let all = run.findings();
    assert!(all.iter().any(|f| f["path"] == path), "{}", run.out);
}

#[test]
fn an_empty_head_is_no_unborn_branch() {
    let repo = small(&fake::github_pat(64));
    fs::write(repo.dot_git().join("HEAD"), "").unwrap();
    let run = soon(&repo, &["--staged"]);
    assert_eq!(run.code, 2, "{}", run.out);
    says(&run, "HEAD");
}

#[cfg(feature = "online")]
#[test]
fn a_clone_from_a_silent_server_can_be_interrupted() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/x", server.local_addr().unwrap());
    for signal in ["-INT", "-TERM"] {
        let temporary = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_keysweep"))
            .args(["git", &address])
            .env("TMPDIR", temporary.path())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Somebody calls, and hears nothing.
        let (line, _) = server.accept().unwrap();
        let started = Instant::now();
        let id = child.id().to_string();
        let kill = Command::new("kill").args([signal, &id]).status();
        assert!(kill.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130), "{signal}");
        assert!(started.elapsed() < Duration::from_secs(20));
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
        // Those who transferred for git have hung up, too.
        let mut line = line;
        line.set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let asked = std::io::copy(&mut line, &mut std::io::sink());
        assert!(asked.is_ok() || cfg!(not(target_os = "linux")), "{asked:?}");
    }
}
