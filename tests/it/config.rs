//! `keysweep.toml` on real trees and repositories: what counts, what wins, what a stranger's file cannot do.

use std::fs;
use std::path::Path;

use crate::support::repo::Repo;
use crate::support::{Run, Tree, fake, program};

/// A rule of severity medium, and a text that it finds.
const OWN_RULE: &str = "[[rule]]\nid = \"acme-key\"\nname = \"Acme key\"\nseverity = \"medium\"\nconfidence = \"high\"\nliterals = [\"acme_\"]\npattern = '{left}(?<secret>acme_[0-9a-z]{20}){right}'\n";

fn own_secret() -> String {
    format!("key: acme_{}\n", "4fq8rt2wxzb6dj9ml3sv")
}

fn token(seed: u64) -> String {
    format!("TOKEN={}\n", fake::github_pat(seed))
}

/// Runs in a folder, with variables.
fn run_with(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    let mut command = program();
    command.current_dir(folder).args(arguments);
    for (name, value) in variables {
        command.env(name, value);
    }
    Run::of(&mut command)
}

/// Runs in a folder beside the repository.
fn at(repo: &Repo, folder: &str, arguments: &[&str]) -> Run {
    run_with(&repo.beside(folder), &[], arguments)
}

#[test]
fn what_the_environment_switches_off_is_said() {
    let tree = Tree::new().with("a.env", format!("TOKEN={}\n", fake::github_pat(1)));
    let with = |name: &str, value: &str| {
        let variables = [(name, value)];
        run_with(tree.path(), &variables, &["scan", "--exit-zero"]).ends_with(0)
    };
    for (name, value, note) in [
        (
            "KEYSWEEP_DISABLE",
            "github-pat-classic,generic-token",
            "KEYSWEEP_DISABLE disables 2 rules",
        ),
        (
            "KEYSWEEP_ENABLE",
            "npm-access-token",
            "KEYSWEEP_ENABLE uses 1 rule alone",
        ),
        (
            "KEYSWEEP_MIN_CONFIDENCE",
            "high",
            "hides what is below confidence high",
        ),
        (
            "KEYSWEEP_FAIL_ON",
            "critical",
            "lets findings below severity critical pass",
        ),
        ("KEYSWEEP_XYZ", "1", "KEYSWEEP_XYZ means nothing"),
        (
            "KEYSWEEP_DISABEL",
            "x",
            "KEYSWEEP_DISABEL means nothing; did you mean KEYSWEEP_DISABLE?",
        ),
    ] {
        let run = with(name, value);
        assert!(run.out.contains(note), "{name}: {}", run.out);
    }
    for (name, value) in [
        ("KEYSWEEP_FAIL_ON", "low"),
        ("KEYSWEEP_OKTA_TOKEN", "x"),
        ("KEYSWEEP_LEDGER_KEY", "x"),
        ("KEYSWEEP_XYZ", ""),
        ("KEYSWEEP_IMAGE", "x"),
    ] {
        let run = with(name, value);
        assert!(!run.out.contains("KEYSWEEP_"), "{name}: {}", run.out);
    }
}

#[test]
fn the_baseline_that_is_found_by_its_name_is_shown() {
    let tree = Tree::new().with("a.txt", "x\n");
    let shown = |arguments: &[&str]| {
        let arguments = [&["config", "show"], arguments].concat();
        let run = run_with(tree.path(), &[], &arguments).ends_with(0);
        let line = run.out.lines().find(|line| line.starts_with("baseline "));
        line.unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let none = shown(&[]);
    assert!(
        none.contains("none; ") && none.contains("keysweep-baseline.txt once it is there default"),
        "{none}"
    );
    run_with(tree.path(), &[], &["baseline", "create"]).ends_with(0);
    let found = shown(&[]);
    assert!(
        !found.contains("none") && found.ends_with("keysweep-baseline.txt default"),
        "{found}"
    );
    let other = shown(&["--baseline", "other.txt"]);
    assert_eq!(other, "baseline other.txt --baseline");
}

#[test]
fn a_flag_beats_the_environment_and_that_the_project_and_that_the_user() {
    let home = Tree::new().with("keysweep/keysweep.toml", "[report]\nfail_on = \"high\"\n");
    let tree = Tree::new()
        .with("a.txt", own_secret())
        .with("keysweep.toml", OWN_RULE);
    let home_path = home.path().to_str().unwrap();
    let user = ("XDG_CONFIG_HOME", home_path);
    let code = |variables: &[(&str, &str)], arguments: &[&str]| {
        let all = [&["scan", "--format", "jsonl"][..], arguments].concat();
        let run = run_with(tree.path(), variables, &all);
        assert_eq!(run.rules(), ["acme-key"], "{}", run.err);
        run.code
    };
    assert_eq!(code(&[], &[]), 1);
    assert_eq!(code(&[user], &[]), 0);
    tree.write(
        "keysweep.toml",
        format!("report.fail_on = \"low\"\n{OWN_RULE}"),
    );
    assert_eq!(code(&[user], &[]), 1);
    assert_eq!(code(&[user, ("KEYSWEEP_FAIL_ON", "high")], &[]), 0);
    let environment = ("KEYSWEEP_FAIL_ON", "high");
    assert_eq!(code(&[user, environment], &["--fail-on", "medium"]), 1);
    // The caller's own file stands above the project's, below the environment.
    home.write("mine.toml", "[report]\nfail_on = \"critical\"\n");
    let mine = home.path().join("mine.toml");
    let mine = mine.to_str().unwrap();
    assert_eq!(code(&[user], &["--config", mine]), 0);
    assert_eq!(code(&[("KEYSWEEP_CONFIG", mine)], &[]), 0);
    assert_eq!(code(&[("KEYSWEEP_FAIL_ON", "low")], &["--config", mine]), 1);

    let shown = run_with(
        tree.path(),
        &[user, ("KEYSWEEP_THREADS", "3")],
        &[
            "config",
            "show",
            "--min-confidence",
            "high",
            "--format",
            "json",
        ],
    )
    .ends_with(0);
    let shown: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    let from = |key: &str| {
        let mut values = shown["values"].as_array().unwrap().iter();
        let value = values.find(|v| v["key"] == key).unwrap();
        (
            value["value"].as_str().unwrap(),
            value["from"].as_str().unwrap(),
        )
    };
    assert_eq!(from("report.fail_on"), ("low", "keysweep.toml:1"));
    assert_eq!(from("report.min_confidence"), ("high", "--min-confidence"));
    assert_eq!(from("scan.threads"), ("3", "KEYSWEEP_THREADS"));
    assert_eq!(from("scan.max_size"), ("none", "default"));
    assert_eq!(from("report.format"), ("json", "--format"));
}

#[test]
fn a_wrong_variable_names_itself_and_the_mend() {
    let tree = Tree::new().with("a.txt", "x");
    for (name, value, says) in [
        (
            "KEYSWEEP_FAIL_ON",
            "bad",
            "write one of low, medium, high, critical",
        ),
        (
            "KEYSWEEP_MIN_CONFIDENCE",
            "9",
            "write one of low, medium, high",
        ),
        ("KEYSWEEP_THREADS", "0", "from 1 to 1024"),
        ("KEYSWEEP_MAX_SIZE", "ten", "such as 10M"),
        ("KEYSWEEP_NO_IGNORE", "maybe", "true or false"),
        ("KEYSWEEP_FORMAT", "josn", "did you mean json?"),
        ("KEYSWEEP_CONFIG", "gone.toml", "no such file"),
        (
            "KEYSWEEP_ENABLE",
            "github-pat-clasic",
            "did you mean `github-pat-classic`?",
        ),
    ] {
        let run = run_with(tree.path(), &[(name, value)], &["scan"]).ends_with(2);
        assert!(run.err.contains(says), "{name}: {}", run.err);
    }
    // Empty ones and those of others say nothing.
    let others = [
        ("KEYSWEEP_FAIL_ON", ""),
        ("KEYSWEEP_PATHS", "x"),
        ("KEYSWEEP", "y"),
    ];
    run_with(tree.path(), &others, &["scan"]).ends_with(0);
}

#[test]
fn files_are_found_up_to_the_repositorys_top_and_no_further() {
    let repo = Repo::new();
    repo.write("a/b/x.env", token(1));
    repo.write(
        "keysweep.toml",
        "rules.disable = [\"github-pat-classic\", \"generic-token\"]\n",
    );
    fs::write(
        repo.beside("keysweep.toml"),
        "[scan]\nexclude = [\"*.env\"]\n",
    )
    .unwrap();
    let scan = |folder: &str| at(&repo, folder, &["scan", "--format", "jsonl", "-v"]);
    let run = scan("work/a/b").ends_with(0);
    assert!(run.findings().is_empty());
    let summary = run.summary();
    assert_eq!(summary["files"], 1);
    let notes = summary["notes"].to_string();
    assert!(
        notes.contains("keysweep.toml:1 disables 2 rules"),
        "{notes}"
    );
    // Outside a repository the user's own files above count.
    repo.write(".git/HEAD", "ref: refs/heads/main\n");
    fs::rename(repo.dot_git(), repo.beside("git")).unwrap();
    let run = scan("work/a/b").ends_with(0);
    assert_eq!(
        run.summary()["skipped"]["excluded_by_config"],
        1,
        "{}",
        run.out
    );
    at(&repo, "work/a/b", &["scan", "--no-repo-config"]).ends_with(1);
    let none = [("KEYSWEEP_NO_REPO_CONFIG", "true")];
    run_with(&repo.path(), &none, &["scan"]).ends_with(1);
    run_with(
        &repo.path(),
        &[("KEYSWEEP_NO_REPO_CONFIG", "false")],
        &["scan"],
    )
    .ends_with(0);
}

#[cfg(unix)]
#[test]
fn files_of_others_above_the_folder_do_not_count() {
    use std::os::unix::fs::MetadataExt;
    let tree = Tree::new()
        .with("keysweep.toml", "[scan]\nexclude = [\"*.env\"]\n")
        .with("below/a.env", token(1));
    if fs::metadata(tree.path()).unwrap().uid() != 0 {
        return; // only root can give files away
    }
    let file = tree.path().join("keysweep.toml");
    let below = tree.path().join("below");
    let scan = || run_with(&below, &[], &["scan"]);
    scan().ends_with(0);
    std::os::unix::fs::chown(&file, Some(4321), None).unwrap();
    scan().ends_with(1);
    tree.repository();
    scan().ends_with(1);
    // In a repository that of the folder's owner does.
    std::os::unix::fs::chown(&below, Some(4321), None).unwrap();
    scan().ends_with(0);
}

#[test]
fn each_folder_of_a_monorepo_has_its_own_file_that_inherits() {
    let tree = Tree::new()
        .with("keysweep.toml", "[scan]\nexclude = [\"generated\"]\n")
        .with(
            "a/keysweep.toml",
            "[scan]\nexclude = [\"fixtures/*.env\"]\n",
        )
        .with("a/fixtures/x.env", token(1))
        .with("a/generated/x.env", token(2))
        .with("a/src/x.env", token(3))
        .with(
            "b/keysweep.toml",
            "[rules]\ndisable = [\"github-pat-classic\", \"generic-token\"]\n[scan]\ninclude = [\"*.env\"]\n",
        )
        .with("b/fixtures/x.env", token(4))
        .with("b/x.txt", token(5))
        .with("c/fixtures/x.env", token(6));
    tree.repository();
    for threads in ["1", "4"] {
        let run = tree.scan(&["--threads", threads]).ends_with(1);
        assert_eq!(run.paths(), ["a/src/x.env", "c/fixtures/x.env"]);
        let summary = run.summary();
        // Fixtures of a, the folder generated, and b's text and configuration, which its include leaves out.
        assert_eq!(summary["skipped"]["excluded_by_config"], 4, "{summary}");
        let notable = summary["notable"].to_string();
        assert!(notable.contains("a/fixtures/x.env"), "{notable}");
        let notes = summary["notes"].to_string();
        assert!(
            notes.contains("b/keysweep.toml:2 disables 2 rules below its folder"),
            "{notes}"
        );
    }
    let run = tree.scan(&["--show-suppressed"]);
    assert!(
        run.out.contains("rule disabled by b/keysweep.toml:2"),
        "{}",
        run.out
    );
    // Without the one rule the other one has its say, from the top as from the folder itself.
    let one_rule = "[rules]\ndisable = [\"github-pat-classic\"]\n";
    let both = fs::read(tree.path().join("b/keysweep.toml")).unwrap();
    tree.write("b/keysweep.toml", one_rule);
    let in_b = |folder: &str| -> Vec<String> {
        let all = tree.scan(&[folder]).ends_with(1).findings().into_iter();
        all.filter(|f| folder == "b" || f["path"].as_str().unwrap().starts_with("b/"))
            .map(|f| f["rule"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(in_b("b"), ["generic-token", "generic-token"]);
    assert_eq!(in_b("."), in_b("b"));
    tree.write("b/keysweep.toml", both);
    // From the folder itself, from the top, and by its name it is the same.
    let below = run_with(&tree.path().join("a"), &[], &["scan", "--format", "jsonl"]);
    assert_eq!(below.paths(), ["src/x.env"]);
    assert_eq!(tree.scan(&["a"]).paths(), ["src/x.env"]);
    assert_eq!(tree.scan(&["a", "b"]).paths(), ["a/src/x.env"]);
    assert_eq!(
        tree.scan(&["b", "c", "a"]).paths(),
        ["a/src/x.env", "c/fixtures/x.env"]
    );
    // What the caller names is meant to be scanned, and a rule that the caller chooses to be used.
    assert_eq!(tree.scan(&["a/generated"]).paths(), ["x.env"]);
    assert_eq!(
        tree.scan(&["a/fixtures/x.env"]).paths(),
        ["a/fixtures/x.env"]
    );
    let chosen = tree.scan(&["--enable", "github-pat-classic"]).paths();
    assert_eq!(
        chosen,
        ["a/src/x.env", "b/fixtures/x.env", "c/fixtures/x.env"]
    );
    let all = tree.scan(&["--no-repo-config"]);
    assert_eq!(all.paths().len(), 6);
    tree.scan(&["--require-complete"]).ends_with(2);
}

#[test]
fn histories_and_changes_are_judged_by_the_working_trees_files() {
    let repo = Repo::new();
    repo.write("keysweep.toml", "[scan]\nexclude = [\"vendor\"]\n");
    repo.write(
        "b/keysweep.toml",
        "[rules]\ndisable = [\"github-pat-classic\", \"generic-token\"]\n",
    );
    let first = repo.commit("configuration");
    repo.write("vendor/gone.env", token(1));
    repo.write("b/x.env", token(2));
    repo.write("kept.env", token(3));
    repo.git(&["add", "-A"]);
    let check = |arguments: &[&str]| {
        let all = [&["git", "--format", "jsonl"][..], arguments].concat();
        let run = at(&repo, "work", &all).ends_with(1);
        assert_eq!(run.paths(), ["kept.env"], "{arguments:?}");
        let summary = run.summary();
        assert_eq!(
            summary["skipped"]["excluded_by_config"], 1,
            "{arguments:?} {summary}"
        );
        let blind = [&all[..], &["--no-repo-config"]].concat();
        let run = at(&repo, "work", &blind).ends_with(1);
        assert_eq!(
            run.paths(),
            ["b/x.env", "kept.env", "vendor/gone.env"],
            "{arguments:?}"
        );
    };
    check(&["--staged"]);
    repo.commit("keys");
    check(&["--no-cache"]);
    check(&["--range", &format!("{first}..HEAD")]);
    // The second audit, from its cache.
    check(&[]);
    check(&[]);
    for path in ["vendor/gone.env", "b/x.env", "kept.env"] {
        repo.write(path, format!("{}changed\n", token(9)));
    }
    check(&["--unstaged"]);
    // A bare repository has no file of its own.
    repo.git_in(".", &["clone", "-q", "--bare", "work", "bare.git"]);
    let run = at(&repo, ".", &["git", "--format", "jsonl", "bare.git"]);
    assert_eq!(run.ends_with(1).paths().len(), 3);
}

#[test]
fn the_salt_decides_every_fingerprint() {
    let repo = Repo::new();
    repo.write("a.env", token(1));
    let print = |arguments: &[&str]| {
        let run = at(&repo, "work", &[arguments, &["--format", "jsonl"]].concat());
        run.ends_with(1).only_finding()["fingerprint"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let published = print(&["scan"]);
    at(&repo, "work", &["init", "-q"]).ends_with(0);
    let own = print(&["scan"]);
    assert_ne!(published, own);
    repo.git(&["add", "-A"]);
    assert_eq!(print(&["git", "--staged"]), own);
    repo.commit("key");
    assert_eq!(print(&["git"]), own);
    assert_eq!(print(&["scan", ".", "--history"]), own);
    assert_eq!(print(&["git", "--range", "HEAD"]), own);
    assert_eq!(print(&["scan", "--no-repo-config"]), published);
    // One deeper in the tree is none.
    repo.write(
        "b/keysweep.toml",
        format!("fingerprint_salt = \"{}\"\n", "ab".repeat(16)),
    );
    let run = at(&repo, "work", &["scan", "--format", "jsonl"]);
    assert_eq!(run.only_finding()["fingerprint"], *own);
    let notes = run.summary()["notes"].to_string();
    assert!(
        notes.contains("b/keysweep.toml:1: fingerprint_salt counts only at the top"),
        "{notes}"
    );
}

#[test]
fn rules_come_from_the_file_and_from_files_that_it_names() {
    let own = OWN_RULE.replace("acme", "bolt");
    let tree = Tree::new()
        .with(
            "a.txt",
            own_secret() + &own_secret().replace("acme", "bolt"),
        )
        .with("b.env", token(1))
        .with("rules/bolt.toml", format!("provider = \"Bolt\"\n{own}"))
        .with(
            "keysweep.toml",
            format!("[rules]\nfiles = [\"rules\"]\n{OWN_RULE}"),
        );
    let run = tree.scan(&[]).ends_with(1);
    assert_eq!(run.rules(), ["acme-key", "bolt-key", "github-pat-classic"]);
    let providers: Vec<_> = run
        .findings()
        .iter()
        .map(|f| f["provider"].to_string())
        .collect();
    assert_eq!(providers[..2], ["\"Custom\"", "\"Bolt\""]);
    let here = format!("[rules]\nenable = [\"acme-key\"]\n{OWN_RULE}");
    tree.write("keysweep.toml", &here);
    let run = tree.scan(&[]);
    assert_eq!(run.rules(), ["acme-key"]);
    let notes = run.summary()["notes"].to_string();
    assert!(
        notes.contains("keysweep.toml:2 uses 1 rule alone"),
        "{notes}"
    );
    tree.write(
        "keysweep.toml",
        here.replace("[\"acme-key\"]", "[\"acme-kye\"]"),
    );
    let run = tree.scan(&[]).ends_with(2);
    assert!(
        run.err
            .contains("keysweep.toml:2: no rule has the id `acme-kye`; did you mean `acme-key`"),
        "{}",
        run.err
    );
    tree.write(
        "keysweep.toml",
        format!(
            "{OWN_RULE}examples = [\"{}\", \"nothing\"]\n",
            own_secret().trim()
        ),
    );
    let run = tree.run(&["rules", "test", "keysweep.toml"]).ends_with(1);
    assert!(run.out.contains("1 passed, 1 failed"), "{}", run.out);
}

#[test]
fn what_a_trees_file_switches_off_is_said() {
    let tree = Tree::new().with("a.env", token(1));
    for (text, says) in [
        (
            format!("[rules]\nno_builtin = true\n{OWN_RULE}"),
            "keysweep.toml:2 leaves the built-in rules out",
        ),
        (
            "[report]\nmin_confidence = \"high\"\n".to_owned(),
            "keysweep.toml:2 hides what is below confidence high",
        ),
        (
            "[report]\nfail_on = \"critical\"\n".to_owned(),
            "keysweep.toml:2 lets findings below severity critical pass",
        ),
        (
            "[scan]\nexclude = [\"**\"]\n".to_owned(),
            "excluded by keysweep.toml",
        ),
    ] {
        tree.write("keysweep.toml", text);
        let run = tree.run(&["scan"]);
        let out: Vec<&str> = run.out.split_whitespace().collect();
        assert!(out.join(" ").contains(says), "{says}\n{}", run.out);
        let run = tree.run(&["scan", "--no-repo-config"]).ends_with(1);
        assert!(!run.out.contains("keysweep.toml"), "{}", run.out);
    }
    // The caller's flag makes the remark void.
    tree.write("keysweep.toml", "[report]\nfail_on = \"critical\"\n");
    let run = tree.run(&["scan", "--fail-on", "low"]);
    assert!(!run.out.contains("keysweep.toml"), "{}", run.out);
    let run = tree.run(&["scan", "-v"]);
    assert!(
        run.out.contains("configuration: keysweep.toml"),
        "{}",
        run.out
    );
}

#[test]
fn a_wrong_file_stops_the_run_and_one_deeper_is_a_gap() {
    let secret = fake::github_pat(4);
    let tree = Tree::new()
        .with("a.env", token(1))
        .with("below/b.env", token(2));
    let wrong = format!("[scan]\nexlude = []\n[rules]\ndisable = [\"{secret}\"]\n");
    tree.write("below/keysweep.toml", &wrong);
    let run = tree.scan(&[]).ends_with(2);
    assert_eq!(run.paths(), ["a.env", "below/b.env", "below/keysweep.toml"]);
    let gaps = run.records("gap");
    assert_eq!(gaps[0]["path"], "below/keysweep.toml:2", "{gaps:?}");
    assert!(
        gaps[0]["reason"]
            .as_str()
            .unwrap()
            .contains("did you mean `exclude`?")
    );
    tree.scan(&["--keep-going"]).ends_with(1);
    tree.scan(&["--no-repo-config"]).ends_with(1);
    tree.write(
        "below/keysweep.toml",
        "[rules]\ndisable = [\"no-such-rule\"]\n",
    );
    let gaps = tree.scan(&[]).ends_with(2).records("gap");
    assert!(
        gaps[0]["reason"]
            .as_str()
            .unwrap()
            .contains("no rule has the id `no-such-rule`"),
        "{gaps:?}"
    );

    tree.write("keysweep.toml", &wrong);
    let run = tree.scan(&[]).ends_with(2);
    assert!(
        run.out.is_empty() && run.err.contains("keysweep.toml:2: unknown key `exlude`"),
        "{}",
        run.err
    );
    tree.write(
        "keysweep.toml",
        format!("[rules]\ndisable = [\"{secret}\"]\n"),
    );
    let run = tree.scan(&[]).ends_with(2);
    run.hides(&secret);
    assert!(
        run.err.contains("keysweep.toml:2: no rule has the id"),
        "{}",
        run.err
    );
    tree.run(&["config", "check"]).ends_with(2).hides(&secret);
    tree.run(&["scan", "--config", "keysweep.toml"])
        .ends_with(2)
        .hides(&secret);
    tree.write("keysweep.toml", "[report]\nformat = \"sarfi\"\n");
    let run = tree.scan(&[]).ends_with(2);
    assert!(
        run.err
            .contains("keysweep.toml:2: no report format `sarfi`"),
        "{}",
        run.err
    );
}

#[cfg(unix)]
#[test]
fn a_strangers_file_leads_nowhere_and_nothing_waits_for_it() {
    use std::os::unix::fs::symlink;
    let outside = Tree::new()
        .with("config.toml", "[scan]\nexclude = [\"*\"]\n")
        .with("rules/r.toml", format!("provider = \"x\"\n{OWN_RULE}"));
    let fifo = |path: &Path| {
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    };
    for place in ["keysweep.toml", "below/keysweep.toml"] {
        let tree = Tree::new()
            .with("a.env", token(1))
            .with("below/b.env", token(2));
        let path = tree.path().join(place);
        symlink(outside.path().join("config.toml"), &path).unwrap();
        let run = tree.scan(&[]).ends_with(2);
        assert!((run.out + &run.err).contains("symbolic link"));
        tree.scan(&["--no-repo-config"]).ends_with(1);
        fs::remove_file(&path).unwrap();
        fifo(&path);
        let run = tree.scan(&[]).ends_with(2);
        assert!((run.out + &run.err).contains("no regular file"));
        fs::remove_file(&path).unwrap();
        tree.write(place, vec![b'#'; (1 << 20) + 1]);
        let run = tree.scan(&[]).ends_with(2);
        assert!((run.out + &run.err).contains("longer than 1024 KiB"));
    }
    let tree = Tree::new().with("a.txt", own_secret());
    tree.write("keysweep.toml", "[rules]\nfiles = [\"rules\"]\n");
    symlink(outside.path().join("rules"), tree.path().join("rules")).unwrap();
    let run = tree.scan(&[]).ends_with(2);
    assert!(
        run.err
            .contains("keysweep.toml:2: rules is a symbolic link"),
        "{}",
        run.err
    );
    fs::remove_file(tree.path().join("rules")).unwrap();
    fifo(&tree.path().join("rules"));
    let run = tree.scan(&[]).ends_with(2);
    assert!(run.err.contains("rules is no regular file"), "{}", run.err);
    // The user's own may be a link, as dotfiles are.
    let home = Tree::new().with("keysweep/other", "");
    symlink(
        outside.path().join("config.toml"),
        home.path().join("keysweep/keysweep.toml"),
    )
    .unwrap();
    let tree = Tree::new().with("a.env", token(1));
    let user = [("XDG_CONFIG_HOME", home.path().to_str().unwrap())];
    run_with(tree.path(), &user, &["scan"]).ends_with(0);
}

#[test]
fn a_branch_that_turns_everything_off_is_seen_where_its_file_does_not_count() {
    let repo = Repo::new();
    repo.commit_file("readme", "x\n");
    repo.write(
        "keysweep.toml",
        "[scan]\nexclude = [\"**\"]\n[rules]\nenable = [\"aws-access-key-id\"]\n",
    );
    repo.write("a.env", token(1));
    repo.commit("hostile");
    let run = at(&repo, "work", &["git", "--range", "HEAD~1..HEAD"]).ends_with(0);
    assert!(
        run.out.contains("2 excluded by keysweep.toml") && run.out.contains("uses 1 rule alone"),
        "{}",
        run.out
    );
    at(
        &repo,
        "work",
        &["git", "--range", "HEAD~1..HEAD", "--no-repo-config"],
    )
    .ends_with(1);
    at(
        &repo,
        "work",
        &["git", "--range", "HEAD~1..HEAD", "--require-complete"],
    )
    .ends_with(2);
}

#[test]
fn init_writes_once_and_what_it_writes_is_right() {
    let repo = Repo::new();
    repo.write("sub/x", "");
    let run = at(&repo, "work/sub", &["init"]).ends_with(0);
    assert!(run.err.contains("keysweep.toml"), "{}", run.err);
    let text = String::from_utf8(repo.read("keysweep.toml")).unwrap();
    assert!(text.contains("fingerprint_salt = \""));
    at(&repo, "work", &["config", "check"]).ends_with(0);
    // A second time nothing changes.
    let run = at(&repo, "work", &["init"]).ends_with(2);
    assert!(
        run.err.contains("is there already and stays as it is"),
        "{}",
        run.err
    );
    let run = at(&repo, "work", &["init", "--ci", "github", "--hook"]).ends_with(0);
    assert!(run.err.contains("pre-commit installed"), "{}", run.err);
    let hook = String::from_utf8(repo.read(".git/hooks/pre-commit")).unwrap();
    assert!(hook.contains("hook run pre-commit"), "{hook}");
    assert_eq!(String::from_utf8(repo.read("keysweep.toml")).unwrap(), text);
    let workflow = String::from_utf8(repo.read(".github/workflows/keysweep.yml")).unwrap();
    assert!(workflow.contains("fetch-depth: 0") && workflow.contains("persist-credentials: false"));
    // What is scanned cannot tell cargo what to run: it is not there yet.
    let place = |text: &str| workflow.find(text).unwrap();
    assert!(place("cargo install") < place("actions/checkout@"));
    // Actions are those of README.md, at the same commits.
    let front_page = include_str!("../../README.md");
    let actions = workflow.lines().filter_map(|l| l.split_once("uses: "));
    assert_eq!(actions.clone().count(), 2);
    for (_, action) in actions {
        assert!(front_page.contains(action), "{action}");
    }
    // Nothing of an event is pasted into a script.
    assert!(workflow.contains("run: keysweep ci"), "{workflow}");
    assert!(!workflow.contains("${{"), "{workflow}");
    // Whoever commits it as it stands would get a red job: both say so.
    assert!(
        workflow.contains("# Works once this version is published"),
        "{workflow}"
    );
    assert!(
        run.err.contains("until then put in its place"),
        "{}",
        run.err
    );
    let run = at(&repo, "work", &["init", "--ci", "gitlab"]).ends_with(0);
    assert!(
        run.err.contains("until then put in its place"),
        "{}",
        run.err
    );
    let job = String::from_utf8(repo.read(".gitlab/keysweep.yml")).unwrap();
    assert!(job.contains("(cd / && cargo install"), "{job}");
    assert!(
        job.contains("# Works once this version is published")
            && job.contains("lists `stages` of its own"),
        "{job}"
    );
    assert_eq!(
        repo.read(".gitlab-ci.yml"),
        b"include:\n  - local: .gitlab/keysweep.yml\n"
    );
    repo.write(".gitlab/keysweep.yml", "mine");
    let run = at(&repo, "work", &["init", "--ci", "gitlab"]).ends_with(2);
    assert!(run.err.contains("add to .gitlab-ci.yml"), "{}", run.err);
    assert_eq!(repo.read(".gitlab/keysweep.yml"), b"mine");
    // Salts differ from project to project.
    let other = Tree::new();
    other.run(&["init"]).ends_with(0);
    assert_ne!(
        fs::read_to_string(other.path().join("keysweep.toml")).unwrap(),
        text
    );
    other.run(&["init", "gone"]).ends_with(2);
    #[cfg(unix)]
    {
        let linked = Tree::new();
        let target = linked.path().join("target");
        std::os::unix::fs::symlink(&target, linked.path().join("keysweep.toml")).unwrap();
        linked.run(&["init"]).ends_with(2);
        assert!(!target.exists());
    }
}

#[test]
fn config_check_names_keys_that_do_nothing_where_they_stand() {
    let tree = Tree::new()
        .with("keysweep.toml", "[report]\nfail_on = \"low\"\n")
        .with(
            "a/keysweep.toml",
            "baseline = \"b.txt\"\n[report]\nfail_on = \"critical\"\n",
        )
        .with("b/keysweep.toml", "[scan]\nexclude = \"x\"\n");
    tree.repository();
    for arguments in [
        &["config", "check"][..],
        &["config", "check", "a/keysweep.toml"],
    ] {
        let run = tree.run(arguments).ends_with(0);
        for line in [
            "a/keysweep.toml:3: [report] fail_on counts only at the top",
            "a/keysweep.toml:1: baseline counts only in the file at the project's root",
        ] {
            assert!(run.out.contains(line), "{line}\n{}", run.out);
        }
        assert!(!run.out.contains("a/keysweep.toml: right"), "{}", run.out);
    }
    let run = tree.run(&["config", "check"]).ends_with(0);
    assert!(
        run.out.contains("b/keysweep.toml: right (1 exclude)"),
        "{}",
        run.out
    );
    // In its own folder it counts, but for what is the root's.
    let run = run_with(&tree.path().join("a"), &[], &["config", "check"]).ends_with(0);
    assert!(!run.out.contains("fail_on"), "{}", run.out);
    assert!(run.out.contains("baseline counts only"), "{}", run.out);
    for command in ["check", "show"] {
        let run = tree.run(&["config", command, "nope"]).ends_with(2);
        assert!(
            run.err.contains("no such file") || run.out.contains("no such file"),
            "{}",
            run.err
        );
    }
}

#[test]
fn mistakes_name_their_own_line_and_what_to_write() {
    let rule = |line: &str, with: &str| OWN_RULE.replace(line, with);
    let severity = OWN_RULE
        .lines()
        .find(|l| l.starts_with("severity"))
        .unwrap();
    let at = OWN_RULE.lines().position(|l| l == severity).unwrap() + 1;
    for (text, says) in [
        (
            "[[allow]]\npath = \"a\"\nrule = [\n  \"generic-pasword\",\n]\n".to_owned(),
            "keysweep.toml:4: no rule has the id `generic-pasword`; did you mean".to_owned(),
        ),
        (
            rule(&format!("{severity}\n"), ""),
            "missing field `severity`; write severity = \"high\"".to_owned(),
        ),
        (
            rule(severity, "severity = \"grave\""),
            format!("keysweep.toml:{at}: rule `acme-key`: "),
        ),
    ] {
        let tree = Tree::new().with("keysweep.toml", text).with("a", "");
        let run = tree.run(&["scan"]).ends_with(2);
        assert!(run.err.contains(&says), "{says}\n{}", run.err);
    }
    // One text is a list of one.
    let tree = Tree::new()
        .with("keysweep.toml", "[scan]\nexclude = \"vendor\"\n")
        .with("vendor/a.env", token(1));
    tree.scan(&[]).ends_with(0);
    // The variable is named, and the system's answer once.
    let run = run_with(tree.path(), &[("KEYSWEEP_RULES", "/nope")], &["scan"]).ends_with(2);
    assert!(
        run.err.contains("KEYSWEEP_RULES names /nope: No such file"),
        "{}",
        run.err
    );
    let given = tree.scan(&["--rules", "/nope"]).ends_with(2);
    for run in [run, given] {
        assert_eq!(run.err.matches("No such file").count(), 1, "{}", run.err);
    }
}

#[test]
fn config_check_looks_at_every_file_that_counts() {
    let tree = Tree::new()
        .with("keysweep.toml", format!("baseline = \"none.toml\"\n{OWN_RULE}[[allow]]\nrule = \"acme-key\"\nexpires = 2020-01-01\n"))
        .with("a/keysweep.toml", "[rules]\ndisable = [\"acme-key\"]\n")
        .with("a/b/c.txt", "");
    tree.repository();
    let run = tree.run(&["config", "check"]).ends_with(0);
    for line in [
        "keysweep.toml:1: there is no baseline none.toml yet",
        "keysweep.toml:9: expired on 2020-01-01, accepts nothing any more",
        "keysweep.toml: right (1 rule of its own, 1 accepted entry)",
        "a/keysweep.toml: right (1 disabled rule)",
    ] {
        assert!(run.out.contains(line), "{line}\n{}", run.out);
    }
    // From below those above count; a wrong one does not hide the others.
    tree.write(
        "a/b/keysweep.toml",
        "[scan]\nexlude = []\n[rules]\ndisable = [\"acme-kye\"]\n",
    );
    let run = run_with(&tree.path().join("a/b"), &[], &["config", "check"]).ends_with(2);
    assert!(
        run.out.contains("keysweep.toml:2: unknown key `exlude`"),
        "{}",
        run.out
    );
    assert!(run.out.contains("right (1 disabled rule)"), "{}", run.out);
    tree.write("a/b/keysweep.toml", "[rules]\ndisable = [\"acme-kye\"]\n");
    let run = tree.run(&["config", "check"]).ends_with(2);
    assert!(
        run.out.contains(
            "a/b/keysweep.toml:2: no rule has the id `acme-kye`; did you mean `acme-key`?"
        ),
        "{}",
        run.out
    );
    tree.run(&["config", "check", "a/keysweep.toml"])
        .ends_with(2);
    let run = tree.run(&["config", "check", "gone.toml"]).ends_with(2);
    assert!(
        run.out.contains("`keysweep init` writes a keysweep.toml"),
        "{}",
        run.out
    );
    let empty = Tree::new();
    let run = empty.run(&["config", "check"]).ends_with(0);
    assert!(
        run.out.contains("`keysweep init` writes one"),
        "{}",
        run.out
    );
}
