//! Baselines: what is there today is accepted, new findings fail, and branches merge.

use std::collections::BTreeSet;
#[cfg(target_os = "linux")]
use std::io::{Read as _, Write as _};
use std::path::Path;
#[cfg(target_os = "linux")]
use std::process::{Command, Stdio};
#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};

use crate::support::repo::Repo;
use crate::support::{Run, Tree, fake, program};

const FILE: &str = "keysweep-baseline.txt";

fn line(seed: u64) -> String {
    format!("TOKEN={}\n", fake::github_pat(seed))
}

fn baseline(folder: &Path, arguments: &[&str]) -> Run {
    let run = Run::of(
        program()
            .current_dir(folder)
            .arg("baseline")
            .args(arguments),
    );
    assert!(!run.err.contains("panicked"), "{}", run.err);
    run
}

/// Lines of entries.
fn entries(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .filter(|l| !l.starts_with('#') && !l.starts_with("salt "));
    lines.map(str::to_owned).collect()
}

fn read(folder: &Path) -> String {
    std::fs::read_to_string(folder.join(FILE)).unwrap()
}

#[test]
fn a_day_that_is_none_or_over_is_refused() {
    let tree = Tree::new().with("a.env", format!("TOKEN={}\n", fake::github_pat(1)));
    for (day, says) in [
        ("foo", "write a day such as 2027-01-31"),
        ("2020-01-01", "--expires 2020-01-01 is over already"),
    ] {
        let run = tree
            .run(&["baseline", "create", "--expires", day])
            .ends_with(2);
        assert!(run.err.contains(says), "{}", run.err);
        assert!(!tree.path().join("keysweep-baseline.txt").exists());
    }
    tree.run(&["baseline", "create", "--expires", "2999-01-31"])
        .ends_with(0);
}

#[test]
fn what_is_accepted_passes_and_what_is_new_fails() {
    let repo = Repo::new();
    repo.commit_file("old.env", line(1));
    repo.remove("old.env");
    repo.commit_file("now.env", line(2));
    let run = baseline(&repo.path(), &["create"]).ends_with(0);
    assert!(run.out.contains("2 findings accepted"), "{}", run.out);
    let text = read(&repo.path());
    assert_eq!(entries(&text).len(), 2);
    assert_eq!(repo.keysweep(&[]).code, 0);
    let whole = Run::of(program().current_dir(repo.path())).ends_with(0);
    assert!(
        whole
            .out
            .contains("2 findings are accepted by keysweep-baseline.txt"),
        "{}",
        whole.out
    );
    // Moved, renamed, committed anew: the same secret.
    repo.git(&["mv", "now.env", "moved.txt"]);
    repo.write("moved.txt", format!("\n\n# a comment\n{}", line(2)));
    repo.git(&["add", "-A"]);
    assert_eq!(repo.keysweep(&["--staged"]).code, 0);
    repo.commit("moved");
    repo.git(&["commit", "-q", "--amend", "-m", "again"]);
    assert_eq!(repo.keysweep(&[]).code, 0);
    assert_eq!(repo.keysweep(&["--range", "HEAD~1..HEAD"]).code, 0);
    // A new one.
    repo.write("new.env", line(3));
    repo.git(&["add", "-A"]);
    assert_eq!(
        repo.keysweep(&["--staged"]).only_finding()["path"],
        "new.env"
    );
    repo.commit("new");
    let run = repo.keysweep(&[]);
    assert_eq!((run.code, run.paths()), (1, vec!["new.env".to_owned()]));
    let summary = run.summary();
    let counts = &summary["baseline"];
    assert_eq!(
        (&counts["entries"], &counts["accepted"], &counts["gone"]),
        (&2.into(), &2.into(), &0.into())
    );
}

#[test]
fn the_file_holds_no_secret_no_line_no_time_and_no_published_hash() {
    let token = fake::github_pat(1);
    let tree = Tree::new().with("a b/x.env", format!("{}\n{token}\n", "\n".repeat(70)));
    let found = tree.scan(&[]).ends_with(1).only_finding();
    baseline(
        tree.path(),
        &[
            "create",
            "--owner",
            "ann",
            "--expires",
            "2999-01-31",
            "--reason",
            "old  times",
        ],
    )
    .ends_with(0);
    let text = read(tree.path());
    assert!(!text.contains(&token) && !text.contains(found["fingerprint"].as_str().unwrap()));
    let all = entries(&text);
    let words: Vec<&str> = all[0].splitn(5, ' ').collect();
    assert_eq!(
        words[2..],
        [
            "github-pat-classic",
            "a%20b/x.env",
            "# owner=ann expires=2999-01-31 old times"
        ]
    );
    // The same project twice: another salt, other fingerprints, and nothing else differs.
    baseline(tree.path(), &["create"]).ends_with(2);
    baseline(tree.path(), &["create", "--force"]).ends_with(0);
    let again = entries(&read(tree.path()));
    assert_ne!(again[0].split(' ').next(), all[0].split(' ').next());
    // The file itself is nothing to report, and neither are the options.
    tree.scan(&[]).ends_with(0);
    std::fs::remove_file(tree.path().join("a b/x.env")).unwrap();
    let run = tree.scan(&["--min-confidence", "low"]).ends_with(0);
    assert!(run.findings().is_empty(), "{}", run.out);
    for wrong in [
        ["--owner", "a b"],
        ["--expires", "soon"],
        ["--reason", "expires=never"],
    ] {
        baseline(tree.path(), &[&["create", "--force"][..], &wrong].concat()).ends_with(2);
    }
}

#[test]
fn update_adds_and_prunes() {
    let repo = Repo::new();
    repo.write("a.env", line(1));
    repo.write("b.env", line(2));
    baseline(&repo.path(), &["create", "--owner", "ann"]).ends_with(0);
    let first = read(&repo.path());
    repo.remove("a.env");
    repo.write("c.env", line(3));
    let run = baseline(&repo.path(), &["update"]).ends_with(0);
    assert!(
        run.out.contains("1 added, 2 kept (1 of them not met"),
        "{}",
        run.out
    );
    let second = read(&repo.path());
    let (before, after): (BTreeSet<_>, BTreeSet<_>) = (
        entries(&first).into_iter().collect(),
        entries(&second).into_iter().collect(),
    );
    assert!(before.is_subset(&after) && after.len() == 3, "{second}");
    let run = baseline(&repo.path(), &["update", "--prune"]).ends_with(0);
    assert!(
        run.out.contains("0 added, 2 kept, 1 dropped"),
        "{}",
        run.out
    );
    assert_eq!(entries(&read(&repo.path())).len(), 2);
    // Nothing to do changes nothing.
    let third = read(&repo.path());
    baseline(&repo.path(), &["update"]).ends_with(0);
    assert_eq!(read(&repo.path()), third);
    // A part of the project cannot say what is gone.
    repo.write("sub/x", "x");
    baseline(
        &repo.path(),
        &["update", "sub", "--prune", "--baseline", FILE],
    )
    .ends_with(2);
    baseline(&repo.path(), &["update", "--prune", "--no-history"]).ends_with(2);
}

#[test]
fn entries_that_are_gone_are_counted_and_named() {
    let tree = Tree::new().with("a.env", line(1)).with("b.env", line(2));
    baseline(tree.path(), &["create"]).ends_with(0);
    std::fs::remove_file(tree.path().join("a.env")).unwrap();
    let run = tree
        .run(&["scan", "--report-unused-suppressions"])
        .ends_with(0);
    let text = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains(
            "1 finding is accepted by keysweep-baseline.txt; 1 of its 2 entries was not met"
        ),
        "{text}"
    );
    assert!(
        run.out.contains("1 suppression does nothing:"),
        "{}",
        run.out
    );
    assert!(
        run.out.contains(": baseline suppresses nothing"),
        "{}",
        run.out
    );
}

#[test]
fn an_entry_expires_and_a_real_leak_is_reported_again() {
    let tree = Tree::new().with("a.env", line(1)).with("b.env", line(2));
    baseline(tree.path(), &["create"]).ends_with(0);
    let text = read(tree.path());
    let all = entries(&text);
    let text = text.replace(&all[0], &format!("{} # expires=2020-01-31", all[0]));
    tree.write(FILE, &text);
    let run = tree.run(&["scan"]).ends_with(1);
    assert!(run.out.contains("expired on 2020-01-31"), "{}", run.out);
    let text = text
        .replace(" # expires=2020-01-31", "")
        .replace(&all[1], &format!("{} # verdict=real", all[1]));
    tree.write(FILE, &text);
    assert_eq!(tree.scan(&[]).ends_with(1).findings().len(), 1);
    tree.write(FILE, format!("{text}<<<<<<< HEAD\n"));
    let run = tree.scan(&[]).ends_with(2);
    let last = text.lines().count() + 1;
    assert!(
        run.err
            .contains(&format!("{FILE}:{last}: a conflict of a merge")),
        "{}",
        run.err
    );
}

#[test]
fn a_named_baseline_counts_for_every_command() {
    let repo = Repo::new();
    repo.commit_file("a.env", line(1));
    let file = repo.beside("accepted.txt");
    let file = file.to_str().unwrap();
    baseline(&repo.path(), &["create", "--output", file]).ends_with(0);
    assert!(!repo.path().join(FILE).exists() && !repo.path().join(".gitattributes").exists());
    assert_eq!(repo.keysweep(&[]).code, 1);
    assert_eq!(repo.keysweep(&["--baseline", file]).code, 0);
    let scan = program()
        .current_dir(repo.path())
        .args(["scan", "--baseline", file])
        .output()
        .unwrap();
    assert_eq!(scan.status.code(), Some(0));
    let run = repo.keysweep(&["--baseline", "missing.txt"]);
    assert!(
        run.code == 2 && run.err.contains("keysweep baseline create"),
        "{}",
        run.err
    );
    // A bare repository has no file of its own; the named one counts.
    repo.git_in(".", &["clone", "-q", "--bare", "work", "bare.git"]);
    assert_eq!(repo.keysweep_in("bare.git", &[]).code, 1);
    assert_eq!(repo.keysweep_in("bare.git", &["--baseline", file]).code, 0);
}

/// Two branches that add `count` entries each to a baseline, merged; gives whether git did it alone.
fn merged(repo: &Repo, round: u64, count: u64) -> bool {
    let start = repo.id("HEAD");
    let seeds = |side: u64| (0..count).map(move |n| 1000 * (round + 1) + 100 * side + n);
    for side in 0..2 {
        repo.git(&["checkout", "-q", "-B", &format!("side{side}"), &start]);
        for seed in seeds(side) {
            repo.write(&format!("s{seed}.env"), line(seed));
        }
        baseline(&repo.path(), &["update", "--no-history"]).ends_with(0);
        repo.commit("more");
    }
    let clean = repo.try_git(&["merge", "-q", "-m", "both", "side0"]);
    if clean {
        let found = Run::of(
            program()
                .current_dir(repo.path())
                .args(["scan", "--format", "jsonl"]),
        );
        assert_eq!(found.code, 0, "{}{}", found.out, found.err);
        let before = entries(&read(&repo.path()));
        baseline(&repo.path(), &["update", "--no-history"]).ends_with(0);
        let after = entries(&read(&repo.path()));
        assert_eq!(before.len(), after.len());
        assert!(after.is_sorted());
    } else {
        repo.git(&["merge", "--abort"]);
    }
    repo.git(&["checkout", "-q", "-f", "--detach", &start]);
    clean
}

#[test]
fn branches_that_add_entries_merge() {
    let repo = Repo::new();
    for seed in 0..4 {
        repo.write(&format!("{seed}.env"), line(seed));
    }
    baseline(&repo.path(), &["create"]).ends_with(0);
    let attributes = String::from_utf8(repo.read(".gitattributes")).unwrap();
    assert_eq!(attributes, format!("{FILE} merge=union\n"));
    repo.commit("baseline");
    for round in 0..3 {
        assert!(merged(&repo, round, 12), "round {round}");
    }
    // An empty baseline, and where nobody reads attributes: lines of their own keep entries apart.
    let repo = Repo::new();
    repo.write("x", "nothing");
    baseline(&repo.path(), &["create"]).ends_with(0);
    repo.remove(".gitattributes");
    // A salt that stays the same, so that the test does.
    let salt = "000102030405060708090a0b0c0d0e0f";
    let id = keysweep::place::baseline::salt_id(&(0..16).collect::<Vec<u8>>());
    let text = read(&repo.path());
    let old = text.lines().find(|l| l.starts_with("salt ")).unwrap();
    repo.write(FILE, text.replace(old, &format!("salt {id} {salt}")));
    repo.write(".gitattributes", format!("{FILE} text\n"));
    repo.commit("baseline");
    let clean = (0..8).filter(|round| merged(&repo, *round, 4)).count();
    assert!(clean >= 6, "{clean} of 8");
}

#[test]
fn baselines_begun_on_two_branches_are_one_after_the_merge() {
    let repo = Repo::new();
    repo.write("a.env", line(1));
    let start = repo.commit("a");
    for side in ["one", "two"] {
        repo.git(&["checkout", "-q", "-B", side, &start]);
        repo.write(
            &format!("{side}.env"),
            line(if side == "one" { 2 } else { 3 }),
        );
        baseline(&repo.path(), &["create"]).ends_with(0);
        repo.commit("baseline");
    }
    repo.git(&["merge", "-q", "-m", "both", "one"]);
    assert_eq!(repo.keysweep(&[]).code, 0, "{}", read(&repo.path()));
}

#[test]
fn audit_refuses_without_a_terminal() {
    let tree = Tree::new().with("a.env", line(1));
    baseline(tree.path(), &["create"]).ends_with(0);
    let run = baseline(tree.path(), &["audit"]).ends_with(2);
    assert!(run.err.contains("needs a terminal"), "{}", run.err);
}

#[test]
fn the_configured_baseline_is_the_one_that_the_commands_write() {
    let repo = Repo::new();
    repo.write("keysweep.toml", "baseline = \"sec/more/bl.txt\"\n");
    repo.commit_file("a.env", line(1));
    let scan = || {
        let mut scan = program();
        Run::of(scan.current_dir(repo.path()).args(["scan", "."]))
    };
    assert!(scan().ends_with(2).err.contains("keysweep baseline create"));
    let run = baseline(&repo.path(), &["create"]).ends_with(0);
    assert!(
        run.out.contains("sec/more/bl.txt: 1 finding"),
        "{}",
        run.out
    );
    assert!(!repo.path().join(FILE).exists());
    scan().ends_with(0);
    // From a folder below, and with what is new.
    repo.commit_file("sub/b.env", line(2));
    scan().ends_with(1);
    let run = baseline(&repo.path().join("sub"), &["update"]).ends_with(0);
    assert!(run.out.contains("1 added, 1 kept"), "{}", run.out);
    scan().ends_with(0);
    let text = repo.read("sec/more/bl.txt");
    assert_eq!(entries(&String::from_utf8(text).unwrap()).len(), 2);
    // A file that is named wins.
    let file = repo.beside("other.txt");
    baseline(
        &repo.path(),
        &["create", "--output", file.to_str().unwrap()],
    )
    .ends_with(0);
    assert!(file.exists());
}

#[cfg(unix)]
#[test]
fn a_configured_baseline_is_not_written_through_a_link_out_of_the_project() {
    let repo = Repo::new();
    repo.write("keysweep.toml", "baseline = \"sec/bl.txt\"\n");
    repo.commit_file("a.env", line(1));
    let outside = repo.beside("outside");
    std::fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, repo.path().join("sec")).unwrap();
    let run = baseline(&repo.path(), &["create"]).ends_with(2);
    assert!(run.err.contains("leads out of the project"), "{}", run.err);
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
}

/// Runs the audit in a real terminal and types keys, one each time that it asks; gives the code and what was on the screen.
#[cfg(target_os = "linux")]
fn audit(folder: &Path, arguments: &[&str], keys: &str) -> (i32, String) {
    let exe = assert_cmd::cargo::cargo_bin!("keysweep");
    let command = format!(
        "stty cols 100 rows 40; exec '{}' baseline audit {}",
        exe.display(),
        arguments.join(" ")
    );
    let mut child = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut screen = child.stdout.take().unwrap();
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = screen.read(&mut buffer) {
            let _ = send.send(buffer[..read].to_vec());
        }
    });
    let mut input = child.stdin.take().unwrap();
    let mut out = Vec::new();
    let mut keys = keys.bytes();
    let mut asked = 0;
    let begun = Instant::now();
    loop {
        match receive.recv_timeout(Duration::from_millis(200)) {
            Ok(bytes) => out.extend(bytes),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
        }
        assert!(
            begun.elapsed() < Duration::from_secs(100),
            "{}",
            String::from_utf8_lossy(&out)
        );
        let text = String::from_utf8_lossy(&out);
        if text.matches("[q] quit").count() > asked
            && let Some(key) = keys.next()
        {
            asked += 1;
            input.write_all(&[key]).unwrap();
            input.flush().unwrap();
        }
    }
    let status = child.wait().unwrap();
    (
        status.code().unwrap(),
        String::from_utf8_lossy(&out).into_owned(),
    )
}

#[cfg(target_os = "linux")]
#[test]
fn audit_takes_one_key_a_decision_and_goes_on_where_it_stopped() {
    let tree = Tree::new();
    for seed in 1..=4 {
        tree.write(&format!("{seed}.env"), line(seed));
    }
    baseline(tree.path(), &["create"]).ends_with(0);
    let decided = |word: &str| {
        read(tree.path())
            .matches(&format!("verdict={word}"))
            .count()
    };
    // A false alarm, one that is skipped, and away.
    let (code, screen) = audit(tree.path(), &[], "fsq");
    assert_eq!(code, 0, "{screen}");
    assert!(
        screen.contains("1 of 4, not decided") && screen.contains("3 of 4"),
        "{screen}"
    );
    assert!(screen.contains("1 decided, 3 left"), "{screen}");
    assert_eq!(
        (decided("false-alarm"), decided("accepted"), decided("real")),
        (1, 0, 0)
    );
    for seed in 1..=4 {
        assert!(!screen.contains(&fake::github_pat(seed)));
    }
    // The rest: accept, back, real instead, then the next two with an owner; a look at a secret on the way.
    let (code, screen) = audit(tree.path(), &["--owner", "ann"], "abrvaa");
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("1 of 3, accepted"), "{screen}");
    assert!(
        (1..=4).any(|seed| screen.contains(&fake::github_pat(seed))),
        "{screen}"
    );
    assert!(screen.contains("3 decided, 0 left"), "{screen}");
    assert_eq!(
        (decided("false-alarm"), decided("accepted"), decided("real")),
        (1, 2, 1)
    );
    assert_eq!(read(tree.path()).matches("owner=ann").count(), 3);
    // The real one is reported again, the others are not.
    assert_eq!(tree.scan(&[]).ends_with(1).findings().len(), 1);
    let (code, screen) = audit(tree.path(), &[], "");
    assert!(
        code == 0 && screen.contains("nothing left to decide"),
        "{screen}"
    );
    // The configured file is the one that is gone through.
    std::fs::create_dir(tree.path().join("sec")).unwrap();
    std::fs::rename(tree.path().join(FILE), tree.path().join("sec/b.txt")).unwrap();
    tree.write("keysweep.toml", "baseline = \"sec/b.txt\"\n");
    let (code, screen) = audit(tree.path(), &[], "");
    assert!(
        code == 0 && screen.contains("sec/b.txt: nothing left to decide"),
        "{screen}"
    );
    // Everything again, and interrupted.
    let (code, screen) = audit(tree.path(), &["--all"], "\u{3}");
    assert!(code == 130 && screen.contains("1 of 4"), "{code} {screen}");
}
