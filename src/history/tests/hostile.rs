//! Repositories made to hurt: nothing hangs, nothing leads outside.

use std::os::unix::fs::symlink;

use super::*;

fn reasons(gaps: &[crate::model::Gap]) -> String {
    let lines = gaps
        .iter()
        .map(|gap| format!("{}: {}\n", gap.path, gap.reason));
    lines.collect::<Vec<_>>().concat()
}

#[test]
fn configuration_is_not_obeyed() {
    let git = Git::new();
    let id = git.commit("a", "1");
    fifo(&git.path().join("pipe"));
    let config = "[core]\n\tbare = false\n\tworktree = /\n\tfsmonitor = touch /tmp/x\n[include]\n\tpath = ../pipe\n\tpath = /etc/passwd\n";
    write(&git.dot_git().join("config"), config);
    let repo = git.open();
    assert_eq!(repo.work_tree, Some(git.path()));
    assert_eq!(refs(&repo).unwrap().head, Some(id));
}

#[test]
fn pipes_and_links_in_place_of_control_files_are_not_opened() {
    for name in ["config", "commondir"] {
        let git = Git::new();
        git.commit("a", "1");
        fifo(&git.dot_git().join(name));
        let error = Repo::discover(&git.path(), &mine()).unwrap_err();
        assert!(matches!(error, Error::NotAFile { .. }), "{name}: {error}");
        std::fs::remove_file(git.dot_git().join(name)).unwrap();
        symlink("/dev/zero", git.dot_git().join(name)).unwrap();
        assert!(Repo::discover(&git.path(), &mine()).is_err(), "{name}");
    }
    for name in [
        "HEAD",
        "packed-refs",
        "shallow",
        "objects/info/alternates",
        "refs/heads/main",
    ] {
        let git = Git::new();
        git.commit("a", "1");
        git.run(&["branch", "other"]);
        for trust in [Trust::default(), mine()] {
            fifo(&git.dot_git().join(name));
            let repo = Repo::discover(&git.path(), &trust).unwrap();
            let all = refs(&repo).unwrap();
            let said = reasons(&repo.gaps) + &reasons(&all.gaps);
            assert!(said.contains("not a regular file"), "{name}: {said}");
            assert!(all.tips.iter().any(|tip| tip.name == "refs/heads/other"));
            std::fs::remove_file(git.dot_git().join(name)).unwrap();
            symlink("/dev/zero", git.dot_git().join(name)).unwrap();
            let repo = Repo::discover(&git.path(), &trust).unwrap();
            let all = refs(&repo).unwrap();
            assert_ne!(reasons(&repo.gaps) + &reasons(&all.gaps), "", "{name}");
        }
    }
    let git = Git::new();
    let head = git.commit("a", "1");
    fifo(&git.dot_git().join("index"));
    let repo = git.open();
    assert!(staged(&repo, &db(&repo), Some(head)).is_err());
    fifo(&git.dot_git().join("MERGE_HEAD"));
    std::fs::remove_file(git.dot_git().join("index")).unwrap();
    assert!(staged(&repo, &db(&repo), Some(head)).is_err());
    let folder = tempfile::tempdir().unwrap();
    fifo(&folder.path().join(".git"));
    assert!(matches!(
        Repo::discover(folder.path(), &mine()),
        Err(Error::NotAFile { .. })
    ));
}

#[test]
fn what_leads_outside_is_refused_unless_it_is_the_users_own() {
    let other = Git::new();
    other.commit("private", "1");
    let folder = tempfile::tempdir().unwrap();
    let target = other.dot_git();
    let dot_git = folder.path().join(".git");
    for link in [false, true] {
        let _ = std::fs::remove_file(&dot_git);
        if link {
            symlink(&target, &dot_git).unwrap();
        } else {
            write(&dot_git, &format!("gitdir: {}\n", target.display()));
        }
        let error = Repo::discover(folder.path(), &Trust::default()).unwrap_err();
        assert!(matches!(error, Error::Outside { .. }), "{error}");
        assert!(Repo::discover(folder.path(), &mine()).is_ok());
        let stranger = Trust {
            uid: Some(mine().uid.unwrap() + 1),
            ..mine()
        };
        assert!(Repo::discover(folder.path(), &stranger).is_err());
    }
    for text in [
        "",
        "gitdir:",
        "gitdir: \n",
        "nonsense",
        "gitdir: .git",
        "gitdir: a\0b",
        "gitdir: missing",
    ] {
        std::fs::remove_file(&dot_git).unwrap();
        write(&dot_git, text);
        assert!(Repo::discover(folder.path(), &mine()).is_err(), "{text}");
    }

    let git = Git::new();
    git.commit("a", "1");
    for (text, own) in [
        (target.to_str().unwrap(), true),
        (".", true),
        ("", false),
        ("..", false),
        ("nowhere", false),
    ] {
        write(&git.dot_git().join("commondir"), text);
        assert_eq!(Repo::discover(&git.path(), &mine()).is_ok(), own, "{text}");
        let theirs = Repo::discover(&git.path(), &Trust::default()).is_ok();
        assert_eq!(theirs, text == ".", "{text}");
    }

    // The objects or the packs are a link to somewhere else.
    let git = Git::new();
    git.commit("a", "1");
    std::fs::remove_dir_all(git.dot_git().join("objects")).unwrap();
    symlink(target.join("objects"), git.dot_git().join("objects")).unwrap();
    assert!(matches!(
        Repo::discover(&git.path(), &Trust::default()),
        Err(Error::Outside { .. })
    ));
    assert!(Repo::discover(&git.path(), &mine()).is_ok());
    let git = Git::new();
    git.commit("a", "1");
    std::fs::remove_dir(git.dot_git().join("objects/pack")).unwrap();
    symlink(
        target.join("objects/pack"),
        git.dot_git().join("objects/pack"),
    )
    .unwrap();
    let repo = git.open();
    assert!(reasons(&repo.gaps).contains("not followed"));
    assert!(repo.object_dirs.is_empty());
}

#[test]
fn alternates_are_followed_in_the_users_own_repository_only() {
    let chain: Vec<Git> = (0..8).map(|_| Git::new()).collect();
    let objects = |at: usize| chain[at].dot_git().join("objects");
    for at in 0..8 {
        let next = objects((at + 1) % 8); // the last leads to the first
        let text = format!("{}\n../objects\nnowhere\n", next.display());
        write(&objects(at).join("info/alternates"), &text);
    }
    let repo = chain[0].open();
    assert_eq!(repo.object_dirs, [objects(0)]);
    assert_eq!(repo.gaps.len(), 3);
    assert!(reasons(&repo.gaps).contains("not known to be yours"));
    let repo = Repo::discover(&chain[0].path(), &mine()).unwrap();
    let six: Vec<PathBuf> = (0..6).map(objects).collect();
    assert_eq!(repo.object_dirs, six);
    assert!(reasons(&repo.gaps).contains("too many"));
    assert!(reasons(&repo.gaps).contains("nowhere"));
    let trust = Trust {
        alternates: vec![objects(7), PathBuf::from("/nowhere")],
        ..Trust::default()
    };
    let repo = Repo::discover(&chain[0].path(), &trust).unwrap();
    assert_eq!(repo.object_dirs, [objects(0), objects(7)]);
    assert!(reasons(&repo.gaps).contains("/nowhere"));
    assert!(Repo::discover(&chain[0].path(), &mine()).is_ok());

    let file = objects(0).join("info/alternates");
    std::fs::File::create(&file)
        .unwrap()
        .set_len(100 << 20)
        .unwrap();
    let repo = Repo::discover(&chain[0].path(), &mine()).unwrap();
    assert!(reasons(&repo.gaps).contains("at most"));
}

#[test]
fn a_repository_of_another_user_is_read_and_leads_nowhere() {
    let git = Git::new();
    let id = git.commit("a", "1");
    let other = Git::new();
    let alternates = git.dot_git().join("objects/info/alternates");
    write(
        &alternates,
        &format!("{}\n", other.dot_git().join("objects").display()),
    );
    if mine().uid != Some(0) {
        return; // only root can give files away
    }
    std::os::unix::fs::chown(git.dot_git(), Some(65_534), None).unwrap();
    let repo = Repo::discover(&git.path(), &mine()).unwrap();
    assert_eq!(repo.object_dirs.len(), 1);
    assert_eq!(repo.gaps.len(), 1);
    assert_eq!(refs(&repo).unwrap().head, Some(id));
    // Root by sudo: the user who asked owns it.
    for path in ["objects", "objects/info/alternates"] {
        std::os::unix::fs::chown(git.dot_git().join(path), Some(65_534), None).unwrap();
    }
    let sudo = Trust {
        sudo_uid: Some(65_534),
        ..mine()
    };
    let repo = Repo::discover(&git.path(), &sudo).unwrap();
    assert_eq!((repo.object_dirs.len(), repo.gaps.len()), (2, 0));
}

#[test]
fn broken_refs_are_gaps_beside_the_good_ones() {
    let git = Git::new();
    let id = git.commit("a", "1");
    let heads = git.dot_git().join("refs/heads");
    write(&heads.join("empty"), "");
    write(&heads.join("garbage"), "\u{1}what\n");
    write(&heads.join("short"), &id.to_string()[..39]);
    write(&heads.join("long"), &format!("{id}0"));
    write(&heads.join("zeros"), &"0".repeat(40));
    write(&heads.join("up"), "ref: refs/../../../etc/passwd\n");
    write(&heads.join("out"), "ref: /etc/passwd\n");
    write(&heads.join("loop1"), "ref: refs/heads/loop2\n");
    write(&heads.join("loop2"), "ref: refs/heads/loop1\n");
    write(&heads.join("self"), "ref: refs/heads/self\n");
    write(&heads.join("x.lock"), "");
    write(&heads.join(".DS_Store"), "\0\0");
    symlink("/etc/passwd", heads.join("passwd")).unwrap();
    symlink("/", heads.join("root")).unwrap();
    fifo(&heads.join("pipe"));
    let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff\xfe");
    std::fs::write(heads.join(name), format!("{id}\n")).unwrap();
    symlink("refs/heads/main", heads.join("old-style")).unwrap();
    let mut packed = b"# pack-refs with: peeled\n\0\0\xff\xfegarbage\n^\n".to_vec();
    packed.extend_from_slice(format!("{id} refs/tags/good\n{id}refs/x\n{id} ../x\n").as_bytes());
    packed.extend_from_slice(&b"x".repeat(100_000));
    std::fs::write(git.dot_git().join("packed-refs"), packed).unwrap();
    let all = refs(&git.open()).unwrap();
    let names: Vec<&str> = all.tips.iter().map(|tip| tip.name.as_str()).collect();
    let good = [
        "refs/heads/main",
        "refs/heads/old-style",
        "refs/heads/\u{fffd}\u{fffd}",
        "refs/tags/good",
    ];
    assert_eq!(names, good);
    assert!(all.tips.iter().all(|tip| tip.target == id));
    assert_eq!(all.gaps.len(), 14, "{}", reasons(&all.gaps));
    assert!(reasons(&all.gaps).contains("packed-refs: 4 lines"));
}

#[test]
fn a_head_of_any_length_or_form_is_a_gap() {
    let git = Git::new();
    git.commit("a", "1");
    let head = git.dot_git().join("HEAD");
    std::fs::File::create(&head)
        .unwrap()
        .set_len(100 << 20)
        .unwrap();
    let all = refs(&git.open()).unwrap();
    assert_eq!((all.head, all.tips.len()), (None, 1));
    assert!(reasons(&all.gaps).contains("at most"));
    for text in [
        "",
        "ref: ",
        "ref: ../../x",
        "ref: refs/heads/../x",
        "zzz",
        "\0",
    ] {
        write(&head, text);
        let all = refs(&git.open()).unwrap();
        assert_eq!((all.head, all.gaps.len()), (None, 1), "{text}");
    }
    write(&head, "ref: refs/heads/a\n");
    write(&git.dot_git().join("refs/heads/a"), "ref: refs/heads/a\n");
    let all = refs(&git.open()).unwrap();
    assert_eq!((all.head, all.gaps.len()), (None, 2));
}

#[test]
fn a_few_trees_in_each_other_do_not_take_for_ever() {
    let git = Git::new();
    git.write("0", "x");
    let mut below = git.run(&["hash-object", "-w", "0"]).trim().to_owned();
    let mut kind = "100644 blob";
    for _ in 0..12 {
        let rows = (0..10).map(|n| format!("{kind} {below}\t{n}\n"));
        git.write("rows", &rows.collect::<Vec<_>>().concat());
        let script = "git mktree < rows";
        let output = Command::new("sh")
            .current_dir(git.path())
            .args(["-c", script])
            .output()
            .unwrap();
        below = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        kind = "040000 tree";
    }
    let commit = git.run(&["commit-tree", "-m", "bomb", &below]);
    let repo = git.open();
    let database = db(&repo);
    let tip = commit.trim().parse().unwrap();
    let added = range::within(20_000, &database, &[], &[], &[tip]).unwrap();
    assert!(added.commits[0].changes.len() < 21_000);
    assert!(reasons(&added.gaps).contains("too many files"));
}

#[test]
fn indexes_cut_or_changed_anywhere_are_errors_or_results() {
    let git = Git::new();
    for name in ["a/b/c", "a/d", "e", "f/g"] {
        git.write(name, name);
    }
    let head = git.commit("z", "1");
    git.write("e", "2");
    git.run(&["add", "e"]);
    for version in ["2", "4"] {
        git.run(&["update-index", "--index-version", version]);
        let repo = git.open();
        let database = db(&repo);
        let bytes = std::fs::read(&repo.index_file).unwrap();
        for at in 0..bytes.len() {
            std::fs::write(&repo.index_file, &bytes[..at]).unwrap();
            let _ = staged(&repo, &database, Some(head));
            for value in [0, 0x7f, 0xff, bytes[at] ^ 1] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                std::fs::write(&repo.index_file, &bytes).unwrap();
                let _ = (staged(&repo, &database, Some(head)), unstaged(&repo));
            }
        }
        std::fs::write(&repo.index_file, &bytes).unwrap();
        assert_eq!(
            staged(&repo, &database, Some(head)).unwrap().changes.len(),
            1
        );
    }
}

#[test]
fn files_behind_a_link_are_not_those_of_the_index() {
    let git = Git::new();
    git.write("a/passwd", "x");
    git.write("b", "x");
    git.run(&["add", "-A"]);
    std::fs::remove_dir_all(git.path().join("a")).unwrap();
    symlink("/etc", git.path().join("a")).unwrap();
    git.write("b", "other");
    let found = unstaged(&git.open()).unwrap();
    assert_eq!(found.paths, [b"b"]);
}
