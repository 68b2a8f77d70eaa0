//! What the next commit and ranges of commits add, compared with what git says.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Paths whose content is new in the index, as git says, without deleted ones, submodules and mere changes of mode.
fn staged_by_git(git: &Git) -> Vec<(String, String)> {
    let raw = git.run(&[
        "diff",
        "--cached",
        "--raw",
        "--no-renames",
        "--abbrev=40",
        "-z",
    ]);
    let fields: Vec<&str> = raw.split_terminator('\0').collect();
    let rows = fields.chunks(2).filter_map(|row| {
        let words: Vec<&str> = row[0].split(' ').collect();
        let deleted = matches!(words[4], "D" | "U");
        (!deleted && words[1] != "160000" && words[2] != words[3])
            .then(|| (row[1].to_owned(), words[3].to_owned()))
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    rows
}

fn staged_by_us(git: &Git) -> Vec<(String, String)> {
    let repo = git.open();
    let head = refs(&repo).unwrap().head;
    let found = staged(&repo, &db(&repo), head).unwrap();
    assert_eq!(found.gaps, []);
    let row = |change: &Change| {
        let path = String::from_utf8(change.path.clone()).unwrap();
        (path, change.new.to_string())
    };
    found.changes.iter().map(row).collect()
}

/// Changes files at random; some stay out of the index.
fn scramble(git: &Git, random: &mut Random, round: u64) {
    for step in 0..12 {
        let folders = ["", "a/", "a/b/", "a-b/", "a.c/", "z/y/x/"];
        let folder = folders[random.below(6) as usize];
        let name = format!("{folder}{}", random.below(5));
        let path = git.path().join(&name);
        match random.below(5) {
            0 => {
                let _ = std::fs::remove_file(&path);
            }
            1 if !path.exists() && path.symlink_metadata().is_err() => {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::os::unix::fs::symlink(format!("t{round}"), &path).unwrap();
            }
            _ => {
                if !path.is_symlink() {
                    git.write(&name, &format!("{round} {step} {}", random.below(3)));
                }
            }
        }
        if random.below(3) == 0 {
            git.run(&["add", "-A"]);
        }
    }
}

#[test]
fn the_index_holds_beyond_head_what_git_says() {
    for (seed, options) in [
        (1, &["config", "core.splitIndex", "false"]),
        (2, &["config", "index.version", "4"]),
        (3, &["config", "core.splitIndex", "true"]),
    ] {
        let git = Git::new();
        git.run(options);
        let mut random = Random(0x9e37_79b9_7f4a_7c15 + seed);
        for round in 0..12 {
            scramble(&git, &mut random, round);
            assert_eq!(
                staged_by_us(&git),
                staged_by_git_or_all(&git, round),
                "{seed} {round}"
            );
            match random.below(4) {
                0 => drop(git.run(&["commit", "-qam", "c", "--allow-empty"])),
                1 => drop(git.run(&["commit", "-qm", "c", "--allow-empty"])),
                2 => drop(git.run(&["reset", "-q", "--soft", "HEAD"])),
                _ => {}
            }
            if round == 0 {
                git.run(&["commit", "-qm", "first", "--allow-empty"]);
            }
            assert_eq!(staged_by_us(&git), staged_by_git(&git), "{seed} {round}");
        }
    }
}

fn staged_by_git_or_all(git: &Git, round: u64) -> Vec<(String, String)> {
    if round > 0 {
        return staged_by_git(git);
    }
    let list = git.run(&["ls-files", "-s"]);
    let row = |line: &str| {
        let (head, path) = line.split_once('\t').unwrap();
        (path.to_owned(), head.split(' ').nth(1).unwrap().to_owned())
    };
    let mut rows: Vec<_> = list.lines().map(row).collect();
    rows.sort();
    rows
}

#[test]
fn an_unborn_head_names_alone_and_the_version_before() {
    let git = Git::new();
    git.write("a/new", "1");
    git.run(&["add", "a/new"]);
    git.write("later", "1");
    git.run(&["add", "-N", "later"]);
    let repo = git.open();
    let found = staged(&repo, &db(&repo), None).unwrap();
    assert_eq!((found.changes.len(), found.intent_to_add), (1, 1));
    assert_eq!(found.changes[0].path, b"a/new");
    assert_eq!(found.changes[0].mode, 0o100_644);
    git.run(&["commit", "-qm", "1", "a/new"]);
    let old = git.id("HEAD:a/new");
    git.write("a/new", "2");
    git.run(&["add", "a/new"]);
    let found = staged(&repo, &db(&repo), Some(git.id("HEAD"))).unwrap();
    assert_eq!((found.changes.len(), found.intent_to_add), (1, 1));
    assert_eq!(found.changes[0].old, [old]);
    // A file written in the same instant as the index may have been changed since: it counts as changed, too.
    let mut paths = unstaged(&repo).unwrap().paths;
    paths.retain(|path| path != b"a/new");
    assert_eq!(paths, [b"later"]);
}

#[test]
fn merges_and_conflicts_are_compared_with_each_parent() {
    let git = Git::new();
    git.write("theirs", "0");
    git.write("both", "0");
    git.commit("base", "1");
    git.run(&["checkout", "-qb", "side"]);
    git.write("theirs", "side");
    git.write("both", "side");
    git.write("clean", "side");
    git.commit("s", "1");
    git.run(&["checkout", "-q", "main"]);
    git.write("both", "main");
    let head = git.commit("m", "1");
    let merge = Command::new("git")
        .current_dir(git.path())
        .args([
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@b.c",
            "merge",
            "-q",
            "side",
        ])
        .output()
        .unwrap();
    assert!(!merge.status.success());
    let repo = git.open();
    // Each side of the conflict is in a parent, and so is what came without one.
    assert_eq!(staged(&repo, &db(&repo), Some(head)).unwrap().changes, []);
    std::fs::remove_file(git.dot_git().join("MERGE_HEAD")).unwrap();
    let found = staged(&repo, &db(&repo), Some(head)).unwrap().changes;
    let paths: Vec<&[u8]> = found.iter().map(|change| &*change.path).collect();
    assert_eq!(paths, [b"both".as_slice(), b"clean", b"s", b"theirs"]);
    write(
        &git.dot_git().join("MERGE_HEAD"),
        &format!("{}\n", git.id("side")),
    );
    git.write("both", "resolved");
    git.run(&["add", "both"]);
    let found = staged(&repo, &db(&repo), Some(head)).unwrap().changes;
    assert_eq!(found.len(), 1);
    let mut old = vec![git.id("main:both"), git.id("side:both")];
    old.sort_unstable();
    assert_eq!(found[0].old, old);
}

#[test]
fn sparse_indexes_hold_folders() {
    let git = Git::new();
    for name in ["in/a", "out/b", "out/deep/c", "top"] {
        git.write(name, name);
    }
    git.commit("z", "1");
    git.run(&["sparse-checkout", "set", "--cone", "--sparse-index", "in"]);
    let listed = git.run(&["ls-files", "--sparse"]);
    assert!(listed.contains("out/\n"), "{listed}");
    git.write("in/a", "2");
    git.run(&["add", "in/a"]);
    assert_eq!(staged_by_us(&git), staged_by_git(&git));
    assert_eq!(tracked(&git.dot_git().join("index")).unwrap()[1], b"out/");
    assert!(tracked(&git.dot_git().join("none")).unwrap().is_empty());
    // Another HEAD: the folder that stands for its files differs.
    let repo = git.open();
    let database = db(&repo);
    let found = staged(&repo, &database, None).unwrap();
    let paths: Vec<&[u8]> = found.changes.iter().map(|change| &*change.path).collect();
    assert_eq!(
        paths,
        [b"in/a".as_slice(), b"out/b", b"out/deep/c", b"top", b"z"]
    );
}

#[test]
fn files_that_differ_from_the_index_are_listed() {
    let git = Git::new();
    for name in ["a", "b/c", "d", "e", "f"] {
        git.write(name, name);
        let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000);
        let file = std::fs::File::options()
            .write(true)
            .open(git.path().join(name))
            .unwrap();
        file.set_modified(old).unwrap();
    }
    git.run(&["add", "-A"]);
    let repo = git.open();
    assert_eq!(unstaged(&repo).unwrap(), Unstaged::default());
    git.write("b/c", "1234");
    std::fs::remove_file(git.path().join("d")).unwrap();
    std::fs::remove_file(git.path().join("e")).unwrap();
    std::os::unix::fs::symlink("x", git.path().join("e")).unwrap();
    std::fs::remove_file(git.path().join("f")).unwrap();
    fifo(&git.path().join("f"));
    let found = unstaged(&repo).unwrap();
    assert_eq!(found.paths, [b"b/c".as_slice(), b"e"]);
    assert_eq!(found.gaps, []);
}

/// A history with merges; dates go forth and back.
fn branchy(random: &mut Random, commits: u64) -> Git {
    let git = Git::new();
    let mut ids: Vec<Oid> = Vec::new();
    for number in 0..commits {
        scramble(&git, random, number);
        git.run(&["add", "-A"]);
        let tree = git.run(&["write-tree"]);
        let mut arguments = vec![
            "commit-tree".to_owned(),
            tree.trim().to_owned(),
            "-m".into(),
            "c".into(),
        ];
        let mut parents = BTreeSet::new();
        for _ in 0..random.below(3) + u64::from(number > 0) {
            if !ids.is_empty() {
                let back = random.below(6.min(ids.len() as u64)) as usize;
                parents.insert(ids[ids.len() - 1 - back]);
            }
        }
        for parent in parents {
            arguments.extend(["-p".to_owned(), parent.to_string()]);
        }
        let skew = if random.below(8) == 0 { 500 } else { 0 };
        let date = format!("{} +0000", 1_700_000_000 + number * 10 - skew);
        let output = Command::new("git")
            .current_dir(git.path())
            .args(&arguments)
            .envs([("GIT_AUTHOR_DATE", &date), ("GIT_COMMITTER_DATE", &date)])
            .envs(
                [
                    "GIT_AUTHOR_NAME",
                    "GIT_AUTHOR_EMAIL",
                    "GIT_COMMITTER_NAME",
                    "GIT_COMMITTER_EMAIL",
                ]
                .map(|k| (k, "x")),
            )
            .output()
            .unwrap();
        let id: Oid = String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        git.run(&[
            "update-ref",
            &format!("refs/heads/n{number}"),
            &id.to_string(),
        ]);
        ids.push(id);
    }
    git
}

fn tree_of(git: &Git, revision: &str) -> BTreeMap<String, String> {
    let list = git.run(&["ls-tree", "-r", revision]);
    let row = |line: &str| {
        let (head, path) = line.split_once('\t').unwrap();
        (path.to_owned(), head.split(' ').nth(2).unwrap().to_owned())
    };
    list.lines().map(row).collect()
}

#[test]
fn ranges_hold_the_commits_of_git_log_and_what_no_parent_has() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let git = branchy(&mut random, 50);
    let repo = git.open();
    let database = db(&repo);
    let id = |number: u64| git.id(&format!("n{number}"));
    let mut checked = BTreeSet::new();
    for _ in 0..40 {
        let (base, other, tip) = (random.below(50), random.below(50), random.below(50));
        let added = range(&database, &[], &[id(base), id(other)], id(tip)).unwrap();
        assert_eq!(added.gaps, []);
        // Whole logs: where clocks are wrong, git's own answer for a range may be too large.
        let log = |number: u64| -> BTreeSet<String> {
            let list = git.run(&["log", "--format=%H", &format!("n{number}")]);
            list.lines().map(str::to_owned).collect()
        };
        let mut listed = log(tip);
        let (base, other) = (log(base), log(other));
        listed.retain(|id| !base.contains(id) && !other.contains(id));
        let own: BTreeSet<String> = added
            .commits
            .iter()
            .map(|commit| commit.id.to_string())
            .collect();
        assert_eq!(own.len(), added.commits.len());
        assert_eq!(own, listed, "n{tip}");
        for commit in &added.commits {
            assert!(!commit.cut);
            if !checked.insert(commit.id) {
                continue;
            }
            let name = commit.id.to_string();
            let parents = git.run(&["log", "-1", "--format=%P", &name]);
            let parents: Vec<_> = parents
                .split_whitespace()
                .map(|p| tree_of(&git, p))
                .collect();
            let mut expected = tree_of(&git, &name);
            expected
                .retain(|path, blob| parents.iter().all(|parent| parent.get(path) != Some(blob)));
            let changes: BTreeMap<String, String> = (commit.changes.iter())
                .map(|change| {
                    (
                        String::from_utf8(change.path.clone()).unwrap(),
                        change.new.to_string(),
                    )
                })
                .collect();
            assert_eq!(changes, expected);
            for change in &commit.changes {
                let path = std::str::from_utf8(&change.path).unwrap();
                let old: BTreeSet<&String> = parents
                    .iter()
                    .filter_map(|parent| parent.get(path))
                    .collect();
                let own: Vec<String> = change.old.iter().map(ToString::to_string).collect();
                assert_eq!(own.iter().collect::<BTreeSet<_>>(), old);
            }
        }
    }
    let whole = range(&database, &[], &[], id(49)).unwrap();
    let listed = git.run(&["log", "--format=%H", "n49"]);
    assert_eq!(whole.commits.len(), listed.lines().count());
}

#[test]
fn missing_objects_are_gaps_and_what_they_held_counts_as_added() {
    let git = Git::new();
    git.write("a", "1");
    let first = git.commit("b", "1");
    let second = git.commit("c", "1");
    let name = first.to_string();
    std::fs::remove_file(
        git.dot_git()
            .join("objects")
            .join(&name[..2])
            .join(&name[2..]),
    )
    .unwrap();
    let repo = git.open();
    let added = range(&db(&repo), &[], &[], second).unwrap();
    assert_eq!(added.gaps.len(), 1);
    assert_eq!(added.commits.len(), 1);
    assert_eq!(added.commits[0].changes.len(), 3);
    assert!(range(&db(&repo), &[], &[], first).is_err());
    let added = range(&db(&repo), &[], &[first], second).unwrap();
    assert_eq!((added.gaps.len(), added.commits.len()), (1, 1));
}

/// `KEYSWEEP_TIME_REPO=…` for refs and ranges of a big repository; run with `--ignored --nocapture` in release.
#[test]
#[ignore = "measures"]
#[expect(
    clippy::print_stdout,
    clippy::use_debug,
    reason = "it is for a person to read"
)]
fn time_of_refs_ranges_and_the_index() {
    use std::time::Instant;
    if let Some(path) = std::env::var_os("KEYSWEEP_TIME_REPO") {
        let repo = Repo::discover(Path::new(&path), &Trust::default()).unwrap();
        for _ in 0..3 {
            let start = Instant::now();
            let all = refs(&repo).unwrap();
            println!(
                "{} refs, {} gaps: {:?}",
                all.tips.len(),
                all.gaps.len(),
                start.elapsed()
            );
            let database = db(&repo);
            println!("with objects: {:?}", start.elapsed());
            let revisions = Revisions {
                repo: &repo,
                db: &database,
                refs: &all,
            };
            let base = revisions.commit("HEAD~1000").unwrap();
            let start = Instant::now();
            let added = range(&database, &[], &[base], all.head.unwrap()).unwrap();
            let changes: usize = added
                .commits
                .iter()
                .map(|commit| commit.changes.len())
                .sum();
            println!(
                "{} commits, {changes} changes: {:?}",
                added.commits.len(),
                start.elapsed()
            );
        }
    }
    let git = Git::new();
    for number in 0..100_000 {
        git.write(
            &format!("d{}/e{}/file-{number}", number % 37, number % 1000),
            &format!("{number}"),
        );
    }
    git.commit("z", "1");
    git.run(&["gc", "-q"]);
    git.write("d5/e5/file-5", "changed");
    git.run(&["add", "d5/e5/file-5"]);
    for _ in 0..5 {
        let start = Instant::now();
        let repo = git.open();
        let head = refs(&repo).unwrap().head;
        let database = db(&repo);
        let opened = start.elapsed();
        let found = staged(&repo, &database, head).unwrap();
        println!(
            "{} staged: {opened:?} + {:?}",
            found.changes.len(),
            start.elapsed().saturating_sub(opened)
        );
        let start = Instant::now();
        let found = unstaged(&repo).unwrap();
        println!("{} unstaged: {:?}", found.paths.len(), start.elapsed());
    }
    let start = Instant::now();
    git.run(&["diff", "--cached", "--name-only"]);
    println!("git diff --cached: {:?}", start.elapsed());
}
