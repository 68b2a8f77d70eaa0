//! Where repositories lie, their refs and revisions.

use super::*;

#[test]
fn a_repository_is_found_from_each_of_its_folders() {
    let git = Git::new();
    let id = git.commit("a/b/file", "1");
    for path in [".", "a/b", "a/b/file", ".git", ".git/refs/heads"] {
        let repo = Repo::discover(&git.path().join(path), &Trust::default()).unwrap();
        assert_eq!(repo.git_dir, git.dot_git(), "{path}");
        assert_eq!(repo.common_dir, repo.git_dir);
        assert_eq!(repo.work_tree, Some(git.path()));
        assert_eq!(repo.object_dirs, [git.dot_git().join("objects")]);
        assert_eq!(repo.gaps, []);
        assert!(repo.shallow.is_empty() && !repo.promisor);
        assert_eq!(refs(&repo).unwrap().head, Some(id));
    }
    let nothing = tempfile::tempdir().unwrap();
    assert!(matches!(
        Repo::discover(nothing.path(), &Trust::default()),
        Err(Error::NoRepository { .. })
    ));
}

#[test]
fn bare_unborn_detached_and_named_by_the_environment() {
    let bare = Git::with(&["--bare"]);
    let repo = bare.open();
    assert_eq!((&repo.git_dir, &repo.work_tree), (&bare.path(), &None));
    let all = refs(&repo).unwrap();
    assert_eq!(
        (all.head, all.head_name.as_deref()),
        (None, Some("refs/heads/main"))
    );
    assert_eq!(all.gaps, []);

    let git = Git::new();
    let id = git.commit("a", "1");
    git.run(&["checkout", "-q", "--detach"]);
    let all = refs(&git.open()).unwrap();
    assert_eq!((all.head, all.head_name), (Some(id), None));

    let elsewhere = tempfile::tempdir().unwrap();
    let trust = Trust {
        git_dir: Some(git.dot_git()),
        work_tree: Some(git.path()),
        index_file: Some(git.path().join("other-index")),
        ..Trust::default()
    };
    let repo = Repo::discover(elsewhere.path(), &trust).unwrap();
    assert_eq!(repo.work_tree, Some(git.path()));
    assert_eq!(repo.index_file, git.path().join("other-index"));
}

#[test]
fn linked_work_trees_have_their_own_head_and_the_refs_of_all() {
    let git = Git::new();
    let first = git.commit("a", "1");
    let second = git.commit("a", "2");
    let outside = tempfile::tempdir().unwrap();
    let linked = outside.path().canonicalize().unwrap().join("linked");
    git.run(&[
        "worktree",
        "add",
        "-q",
        "--detach",
        linked.to_str().unwrap(),
        "HEAD~1",
    ]);
    let all = refs(&git.open()).unwrap();
    assert_eq!(all.head, Some(second));
    let row = |name: &str, target| Tip {
        name: name.into(),
        target,
    };
    assert_eq!(all.work_trees, [row("worktrees/linked/HEAD", first)]);

    let repo = Repo::discover(&linked, &mine()).unwrap();
    assert_eq!(repo.common_dir, git.dot_git());
    assert_eq!(repo.git_dir, git.dot_git().join("worktrees/linked"));
    assert_eq!(repo.work_tree, Some(linked.clone()));
    let all = refs(&repo).unwrap();
    assert_eq!(all.head, Some(first));
    assert_eq!(all.tips, [row("refs/heads/main", second)]);
    assert_eq!(all.work_trees, [row("main-worktree/HEAD", second)]);

    let refused = Repo::discover(&linked, &Trust::default());
    assert!(matches!(refused, Err(Error::Outside { .. })), "{refused:?}");
    git.run(&["worktree", "add", "-q", "inside"]);
    let trust = Trust {
        root: Some(git.path()),
        ..Trust::default()
    };
    assert!(Repo::discover(&git.path().join("inside"), &trust).is_ok());
    assert_eq!(nested(&git.path()).work_trees, [git.path().join("inside")]);
}

#[test]
fn submodules_are_listed_and_open() {
    let inner = Git::new();
    inner.commit("secret", "1");
    let middle = Git::new();
    middle.run(&[
        "submodule",
        "--quiet",
        "add",
        inner.path().to_str().unwrap(),
        "deep/inner",
    ]);
    middle.commit("m", "1");
    let git = Git::new();
    git.commit("a", "1");
    git.run(&[
        "submodule",
        "--quiet",
        "add",
        middle.path().to_str().unwrap(),
        "lib/middle",
    ]);
    git.run(&["submodule", "--quiet", "update", "--init", "--recursive"]);
    let (found, gaps) = git.open().submodules();
    assert_eq!(gaps, []);
    let names: Vec<&str> = found.iter().map(|sub| sub.name.as_str()).collect();
    assert_eq!(names, ["lib/middle", "lib/middle/deep/inner"]);
    let trust = Trust {
        root: Some(git.path()),
        ..Trust::default()
    };
    for sub in &found {
        let repo = Repo::discover(&sub.git_dir, &trust).unwrap();
        assert_eq!(repo.git_dir, sub.git_dir);
        assert!(refs(&repo).unwrap().head.is_some());
    }
    let repo = Repo::discover(&git.path().join("lib/middle"), &trust).unwrap();
    assert_eq!(repo.git_dir, git.dot_git().join("modules/lib/middle"));
    let expected = ["lib/middle", "lib/middle/deep/inner"].map(|path| git.path().join(path));
    assert_eq!(nested(&git.path()).work_trees, expected);
}

#[test]
fn shallow_and_partial_clones_say_so() {
    let git = Git::new();
    git.commit("a", "1");
    git.commit("a", "2");
    git.run(&["config", "uploadpack.allowFilter", "true"]);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", git.path().display());
    run(
        folder.path(),
        &["clone", "-q", "--depth=1", &url, "shallow"],
    );
    run(
        folder.path(),
        &[
            "clone",
            "-q",
            "--filter=blob:none",
            "--no-checkout",
            &url,
            "partial",
        ],
    );
    let repo = Repo::discover(&folder.path().join("shallow"), &Trust::default()).unwrap();
    assert_eq!(repo.shallow, [git.id("HEAD")]);
    let all = refs(&repo).unwrap();
    let database = db(&repo);
    let added = range(&database, &repo.shallow, &[], all.head.unwrap()).unwrap();
    assert!(added.commits[0].cut);
    assert_eq!((added.commits.len(), added.gaps.len()), (1, 0));
    let revisions = Revisions {
        repo: &repo,
        db: &database,
        refs: &all,
    };
    assert!(
        revisions
            .commit("HEAD~1")
            .unwrap_err()
            .to_string()
            .contains("shallow")
    );
    let repo = Repo::discover(&folder.path().join("partial"), &Trust::default()).unwrap();
    assert!(repo.promisor && repo.shallow.is_empty());
}

#[test]
fn formats_that_are_not_read_are_clear_errors() {
    for (options, word) in [
        ("--object-format=sha256", "SHA-256"),
        ("--ref-format=reftable", "reftable"),
    ] {
        let git = Git::with(&[options]);
        let error = Repo::discover(&git.path(), &Trust::default()).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn refs_are_those_that_git_lists() {
    let git = Git::new();
    let mut random = Random(88_172_645_463_325_252);
    for round in 0..3 {
        for number in 0..15 {
            let id = git.commit("f", &format!("{round} {number}")).to_string();
            let name = match random.below(5) {
                0 => format!("refs/heads/b{number}/x"),
                1 => format!("refs/tags/t{round}-{number}"),
                2 => format!("refs/remotes/origin/r{number}"),
                3 => format!("refs/notes/{number}/ü"),
                _ => format!("refs/heads/{number}"),
            };
            git.run(&["update-ref", &name, &id]);
        }
        git.run(&["tag", "-a", "-m", "t", &format!("annotated{round}")]);
        git.run(&[
            "symbolic-ref",
            "refs/remotes/origin/HEAD",
            "refs/heads/main",
        ]);
        git.run(&["symbolic-ref", "refs/remotes/gone/HEAD", "refs/heads/none"]);
        if round % 2 == 0 {
            git.run(&["pack-refs", "--all"]);
        }
        git.run(&["update-ref", "-d", &format!("refs/tags/annotated{round}")]);
        let listed = git.run(&["for-each-ref", "--format=%(objectname) %(refname)"]);
        let all = refs(&git.open()).unwrap();
        let own: Vec<String> = (all.tips.iter())
            .map(|tip| format!("{} {}", tip.target, tip.name))
            .collect();
        assert_eq!(own, listed.lines().collect::<Vec<_>>());
        assert_eq!(all.gaps, []);
    }
}

#[test]
fn revisions_are_resolved_as_git_does() {
    let git = Git::new();
    for number in 0..60 {
        git.commit("f", &number.to_string());
    }
    git.run(&["repack", "-adq"]);
    git.run(&["checkout", "-q", "-b", "feature/login", "HEAD~2"]);
    git.commit("g", "1");
    git.run(&["merge", "-q", "--no-edit", "main"]);
    git.run(&["tag", "-a", "-m", "t", "v1.0"]);
    git.run(&["tag", "light", "HEAD~3"]);
    git.run(&["update-ref", "refs/remotes/origin/x", "main"]);
    git.run(&[
        "symbolic-ref",
        "refs/remotes/origin/HEAD",
        "refs/remotes/origin/x",
    ]);
    let repo = git.open();
    let (all, database) = (refs(&repo).unwrap(), db(&repo));
    let revisions = Revisions {
        repo: &repo,
        db: &database,
        refs: &all,
    };
    for text in [
        "HEAD",
        "@",
        "main",
        "feature/login",
        "heads/main",
        "refs/heads/main",
        "origin/x",
        "origin",
        "v1.0",
        "light",
        "HEAD~",
        "HEAD~3",
        "HEAD^2",
        "HEAD^2~4",
        "HEAD^",
        "HEAD^^",
        "v1.0^{commit}",
        "v1.0^0",
        "v1.0^2~1",
        "v1.0^{}",
        "light~10^{commit}",
        "main^0~0",
    ] {
        let wanted = git.id(&format!("{text}^{{commit}}"));
        assert_eq!(revisions.commit(text).unwrap(), wanted, "{text}");
    }
    assert_eq!(revisions.object("v1.0").unwrap(), git.id("v1.0"));
    assert_eq!(
        revisions.object("v1.0^{tree}").unwrap(),
        git.id("v1.0^{tree}")
    );
    let mut ambiguous = 0;
    for row in git.run(&["log", "--all", "--format=%H"]).lines() {
        assert_eq!(revisions.commit(row).unwrap().to_string(), row);
        assert_eq!(revisions.commit(&row[..12]).unwrap().to_string(), row);
        assert_eq!(
            revisions
                .commit(&format!("v9-3-g{}", &row[..9]))
                .unwrap()
                .to_string(),
            row
        );
        match revisions.commit(&row[..4]) {
            Ok(id) => assert_eq!(id.to_string(), row),
            Err(Error::Ambiguous { ids, .. }) => ambiguous += ids.len(),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(ambiguous < 200);
    let error = |text: &str| revisions.commit(text).unwrap_err().to_string();
    assert_eq!(error("mian"), "no revision `mian`; there is `main`");
    assert_eq!(error("zzzzzz"), "no revision `zzzzzz`");
    assert_eq!(
        error("logim"),
        "no revision `logim`; there is `feature/login`"
    );
    assert!(error("main@{upstream}").contains("not supported"));
    assert!(error("main:f").contains("not supported"));
    assert!(error("main^{tree}").contains("not a commit"));
    assert!(error("main~9999").contains("no parent"));
    assert!(error("main~99999999999999999999").contains("too big"));
    assert!(error("main^x").contains("follow"));
    assert!(error("").contains("no revision"));
    assert!(error("main^{").contains("closed"));
}
