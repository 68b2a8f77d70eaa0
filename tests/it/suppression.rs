//! What a team accepts: comments with owner and day, `.keysweepignore`, CODEOWNERS; and what of it does nothing any more.

use serde_json::{Value, json};

use crate::support::repo::Repo;
use crate::support::{Tree, fake};

fn line(seed: u64) -> String {
    format!("TOKEN={}\n", fake::github_pat(seed))
}

fn reasons(run: &crate::support::Run) -> Vec<String> {
    let all = run.findings().into_iter();
    all.filter_map(|f| f["suppressed"].as_str().map(str::to_owned))
        .filter(|reason| reason.starts_with("suppressed by"))
        .collect()
}

#[test]
fn a_line_of_the_ignore_file_is_a_fingerprint_or_a_glob() {
    let tree = Tree::new()
        .with("a/one.env", line(1))
        .with("b/two.env", line(2));
    let found = tree.scan(&[]).ends_with(1).findings();
    let print = found[0]["fingerprint"].as_str().unwrap().to_owned();
    tree.write(
        ".keysweepignore",
        format!("# ours\n{print}  # owner=pay expires=2999-01-31 a sandbox key\n"),
    );
    let run = tree.scan(&["--show-suppressed"]).ends_with(1);
    assert_eq!(
        reasons(&run),
        ["suppressed by .keysweepignore:2 (owner pay, until 2999-01-31: a sandbox key)"]
    );
    assert_eq!(tree.scan(&[]).ends_with(1).paths(), ["b/two.env"]);
    tree.write(".keysweepignore", format!("{print}\nb\n"));
    tree.scan(&[]).ends_with(0);
    // The same from a folder below, and for a file alone.
    assert_eq!(tree.scan(&["b"]).ends_with(1).paths(), ["two.env"]);
    tree.repository();
    tree.scan(&["b"]).ends_with(0);
    tree.scan(&["b/two.env"]).ends_with(0);
    tree.scan(&["a", "b/two.env"]).ends_with(0);
}

#[test]
fn an_ignore_file_below_holds_there_alone() {
    let tree = Tree::new()
        .with("a/x/one.env", line(1))
        .with("b/x/one.env", line(2))
        .with("a/.keysweepignore", "x/*.env\n");
    assert_eq!(tree.scan(&[]).ends_with(1).paths(), ["b/x/one.env"]);
}

#[test]
fn a_mark_of_the_byte_order_at_the_beginning_of_a_list_is_skipped() {
    let marked = |tree: &Tree, path: &str| {
        let text = std::fs::read(tree.path().join(path)).unwrap();
        tree.write(path, [b"\xEF\xBB\xBF".as_slice(), &text].concat());
    };
    let tree = Tree::new().with("a/one.env", line(1));
    tree.run(&["baseline", "create"]).ends_with(0);
    marked(&tree, "keysweep-baseline.txt");
    tree.scan(&[]).ends_with(0);
    for (path, text) in [
        (".keysweepignore", "a/one.env\n"),
        (
            "keysweep.toml",
            "[[allow]]\npath = [\"a/one.env\"]\nreason = \"a sample\"\n",
        ),
    ] {
        let tree = Tree::new().with("a/one.env", line(1)).with(path, text);
        marked(&tree, path);
        tree.scan(&[]).ends_with(0);
    }
}

#[test]
fn a_bad_line_is_an_error_with_its_place() {
    let tree = Tree::new().with("a/one.env", line(1));
    for (text, part) in [
        (
            "ok\n0123456789abcdef0123456789abcdef01234567\n",
            "32 hexadecimal digits",
        ),
        ("ok\n*.env # expires=tomorrow\n", "expires=2027-01-31"),
        ("ok\na[\n", "no glob"),
        (
            "ok\na.env # owner=p expirs=2027-01-01\n",
            "did you mean expires=?",
        ),
        ("ok\na.env # expires: 2020-01-01\n", "expires=2027-01-31"),
        (
            "ok\na.env # owner=x expires 2020-01-01\n",
            "expires=2027-01-31",
        ),
        ("ok\na.env # level=3\n", "`level=` is not known"),
    ] {
        tree.write("a/.keysweepignore", text);
        let run = tree.scan(&[]).ends_with(2);
        assert!(
            run.err.contains("a/.keysweepignore:2: ") && run.err.contains(part),
            "{}",
            run.err
        );
    }
}

#[test]
fn what_has_expired_does_not_suppress_and_is_named() {
    let tree = Tree::new()
        .with("a.env", line(1))
        .with(
            "b.env",
            format!(
                "{} # keysweep:allow expires=2020-12-31 old\n",
                line(2).trim()
            ),
        )
        .with(".keysweepignore", "a.env # expires=2021-01-31\n");
    let run = tree.run(&["scan"]).ends_with(1);
    assert!(
        run.out.contains(".keysweepignore:1 expired on 2021-01-31"),
        "{}",
        run.out
    );
    assert!(
        run.out.contains("`keysweep:allow` expired on 2020-12-31"),
        "{}",
        run.out
    );
    let found = tree.scan(&[]).ends_with(1).findings();
    let named = |at: usize| {
        found[at]["places"][0]["expired_suppression"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(named(0).starts_with(".keysweepignore:1") && named(1).contains("2020-12-31"));
}

#[test]
fn comments_name_rule_owner_day_and_reason() {
    let token = fake::github_pat(1);
    let tree = Tree::new().with(
        "a.py",
        format!("t = '{token}'  # keysweep:allow=github-pat-classic owner=ann expires=2999-12-31 a sample\n"),
    );
    let run = tree.scan(&["--show-suppressed"]).ends_with(0);
    assert_eq!(
        reasons(&run),
        ["suppressed by `keysweep:allow` (owner ann, until 2999-12-31: a sample)"]
    );
    tree.write(
        "a.py",
        format!("t = '{token}'  # keysweep:allow=npm-token\n"),
    );
    tree.scan(&[]).ends_with(1);
    tree.write(
        "a.py",
        format!("# keysweep:allow=github-pat-classic owner=ann\nt = '{token}'\n"),
    );
    tree.scan(&[]).ends_with(0);
    // A day that cannot be read accepts nothing, and is told.
    tree.write(
        "a.py",
        format!("t = '{token}'  # keysweep:allow expires=31.12.2999\n"),
    );
    let run = tree.run(&["scan"]).ends_with(1);
    assert!(run.out.contains("expires=2027-01-31"), "{}", run.out);
    // What stands behind the mark never shows a secret.
    tree.write(
        "a.py",
        format!(
            "# keysweep:allow was {}\nt = '{token}'\n",
            fake::npm_token(3)
        ),
    );
    let run = tree.scan(&["--show-suppressed"]);
    run.hides(&token);
    run.hides(&fake::npm_token(3));
}

#[test]
fn a_mark_that_names_no_rule_says_so() {
    let token = fake::github_pat(1);
    let tree = Tree::new();
    for (mark, says) in [
        ("=nosuchrule", "names no rule, `nosuchrule`"),
        ("=github-pat-clasic", "did you mean `github-pat-classic`?"),
        (" github-pat-clasic", "did you mean `github-pat-classic`?"),
        (" test-fixture", "written reason=test-fixture"),
        (" expirs=2999-01-31", "did you mean expires=?"),
    ] {
        for text in [
            format!("t = '{token}'  # keysweep:allow{mark}\n"),
            format!("# keysweep:allow{mark}\nt = '{token}'\n"),
        ] {
            tree.write("a.py", text);
            let found = tree.scan(&[]).ends_with(1).only_finding();
            let note = found["places"][0]["expired_suppression"].as_str();
            assert!(note.is_some_and(|n| n.contains(says)), "{mark}: {note:?}");
        }
    }
    let run = tree.run(&["scan"]).ends_with(1);
    assert!(run.out.contains("note:"), "{}", run.out);
    for mark in [
        " github-pat-classic",
        " reason=test-fixture",
        " a fixture",
        "=github-pat-classic",
    ] {
        tree.write("a.py", format!("t = '{token}'  # keysweep:allow{mark}\n"));
        tree.scan(&[]).ends_with(0);
    }
    // What stands there is no id, and is not shown.
    let other = fake::gitlab_pat(4);
    tree.write("a.py", format!("t = '{token}'  # keysweep:allow {other}\n"));
    let run = tree.scan(&[]).ends_with(1);
    run.hides(&other);
    run.hides(&token);
    // A rule of another kind is right, and does not cover this one: nothing to say.
    tree.write(
        "a.py",
        format!("t = '{token}'  # keysweep:allow npm-access-token\n"),
    );
    let found = tree.scan(&[]).ends_with(1).only_finding();
    assert_eq!(found["places"][0].get("expired_suppression"), None);
    tree.write("a.py", "# keysweep:allow=nosuchrule\n");
    let run = tree.scan(&["--report-unused-suppressions"]).ends_with(0);
    let idle = run.records("unused_suppression");
    assert!(
        idle[0]["reason"]
            .as_str()
            .unwrap()
            .contains("names no rule"),
        "{idle:?}"
    );
}

#[cfg(unix)]
#[test]
fn a_link_in_place_of_an_ignore_file_or_baseline_is_an_error() {
    use std::os::unix::fs::symlink;
    for name in [".keysweepignore", "keysweep-baseline.txt"] {
        let tree = Tree::new().with("a.env", line(1)).with("other", "a.env\n");
        symlink("other", tree.path().join(name)).unwrap();
        let run = tree.scan(&[]).ends_with(2);
        let says = format!("{name}: is a symbolic link");
        assert!(run.err.contains(&says), "{}", run.err);
        tree.scan(&["--no-repo-config"]).ends_with(1);
    }
}

#[test]
fn unused_suppressions_are_named() {
    let token = fake::github_pat(1);
    let tree = Tree::new()
        .with(
            "a.py",
            format!("t = '{token}'  # keysweep:allow\n# keysweep:allow\nx = 1\n"),
        )
        .with(
            "b.py",
            format!("t = '{token}'  # keysweep:allow=npm-access-token\n"),
        )
        .with("c/.keysweepignore", "none\n")
        .with(".keysweepignore", "b.py\nd.py\ne.py # expires=2020-01-01\n");
    let run = tree.scan(&["--report-unused-suppressions"]).ends_with(0);
    let idle: Vec<(String, u64, String)> = run
        .records("unused_suppression")
        .iter()
        .map(|r| {
            let text = |key: &str| r[key].as_str().unwrap().to_owned();
            (text("path"), r["line"].as_u64().unwrap(), text("reason"))
        })
        .collect();
    let nothing = "suppresses nothing";
    let expected = [
        (".keysweepignore", 2, nothing),
        (".keysweepignore", 3, "expired on 2020-01-01"),
        ("a.py", 2, nothing),
        ("b.py", 1, nothing),
        ("c/.keysweepignore", 1, nothing),
    ];
    let expected = expected.map(|(path, line, reason)| (path.to_owned(), line, reason.to_owned()));
    assert_eq!(idle, expected);
    let text = tree.run(&["scan", "--report-unused-suppressions"]);
    assert!(
        text.out.contains("5 suppressions do nothing:"),
        "{}",
        text.out
    );
    // A part of a project cannot tell.
    tree.repository();
    let run = tree
        .scan(&["c", "--report-unused-suppressions"])
        .ends_with(2);
    assert!(run.err.contains("whole project"), "{}", run.err);
    assert!(tree.scan(&[]).records("unused_suppression").is_empty());
}

#[test]
fn staged_changes_and_ranges_obey_the_ignore_file() {
    let repo = Repo::new();
    repo.commit_file("readme", "nothing\n");
    repo.write("a.env", line(1));
    repo.git(&["add", "-A"]);
    assert_eq!(repo.keysweep(&["--staged"]).code, 1);
    repo.write(".keysweepignore", "/a.env # owner=ann\n");
    repo.git(&["add", "-A"]);
    assert_eq!(repo.keysweep(&["--staged"]).code, 0);
    // From a folder below, too.
    repo.write("sub/x", "x");
    assert_eq!(repo.keysweep_in("work/sub", &["--staged"]).code, 0);
    repo.commit("a");
    assert_eq!(repo.keysweep(&["--range", "HEAD~1..HEAD"]).code, 0);
    assert_eq!(repo.keysweep(&[]).code, 0);
    repo.remove(".keysweepignore");
    assert_eq!(repo.keysweep(&[]).code, 1);
}

#[test]
fn a_mark_in_head_covers_the_past() {
    let repo = Repo::new();
    repo.commit_file("old.env", line(1));
    repo.commit_file("old.env", format!("# moved\n{}", line(1)));
    assert_eq!(repo.keysweep(&[]).code, 1);
    repo.remove("old.env");
    let base = repo.id("HEAD");
    let marked = format!("{}  # keysweep:allow owner=ann\n", line(1).trim());
    repo.commit_file("new.env", &marked);
    for cached in [&["--no-cache"][..], &[], &[]] {
        let run = repo.keysweep(cached);
        assert_eq!(run.code, 0, "{}", run.out);
    }
    assert_eq!(repo.keysweep(&["--no-inline-allow"]).code, 1);
    // Where HEAD holds it without a mark as well, it counts.
    repo.commit_file("other.env", line(1));
    assert_eq!(repo.keysweep(&[]).code, 1);
    assert_eq!(
        repo.keysweep(&["--range", &format!("{base}..HEAD")]).code,
        1
    );
}

#[test]
fn a_mark_at_the_end_of_a_range_covers_the_range() {
    let repo = Repo::new();
    repo.commit_file("readme", "nothing\n");
    let base = repo.id("HEAD");
    let range = format!("{base}..HEAD");
    repo.commit_file("a.env", line(1));
    repo.commit_file("b.env", line(2));
    assert_eq!(repo.keysweep(&["--range", &range]).findings().len(), 2);
    repo.commit_file("a.env", format!("{}  # keysweep:allow\n", line(1).trim()));
    assert_eq!(repo.keysweep(&["--range", &range]).paths(), ["b.env"]);
    repo.git(&["mv", "b.env", "c.env"]);
    repo.commit_file("c.env", format!("# keysweep:allow\n{}", line(2)));
    assert_eq!(repo.keysweep(&["--range", &range]).code, 0);
    repo.commit_file("d.env", line(2));
    assert_eq!(repo.keysweep(&["--range", &range]).code, 1);
}

#[test]
fn owners_come_from_codeowners() {
    let tree = Tree::new()
        .with("src/a.env", line(1))
        .with("docs/b.env", line(1))
        .with("none.env", line(2))
        .with("CODEOWNERS", "* @wrong\n")
        .with(
            ".github/CODEOWNERS",
            "*.env @all\n/src/ @org/back ann@example.org\nnone.env\n",
        );
    tree.repository();
    let found = tree.scan(&[]).ends_with(1).findings();
    let of = |path: &str| -> Value {
        found.iter().find(|f| f["path"] == path).unwrap()["owners"].clone()
    };
    assert_eq!(
        of("docs/b.env"),
        json!(["@all", "@org/back", "ann@example.org"])
    );
    assert_eq!(of("none.env"), Value::Null);
    assert_eq!(
        tree.scan(&["src"]).findings()[0]["owners"],
        json!(["@org/back", "ann@example.org"])
    );
    let text = tree.run(&["scan", "src"]);
    assert!(
        text.out.contains("owners:  @org/back, ann@example.org"),
        "{}",
        text.out
    );
    let sarif = tree.run(&["scan", "src", "--format", "sarif"]);
    let sarif: Value = serde_json::from_str(&sarif.out).unwrap();
    let owners = &sarif["runs"][0]["results"][0]["properties"]["owners"];
    assert_eq!(owners, &json!(["@org/back", "ann@example.org"]));
}

#[test]
fn history_has_owners_too() {
    let repo = Repo::new();
    repo.commit_file("src/a.env", line(1));
    repo.commit_file("CODEOWNERS", "src/ @back\n");
    assert_eq!(
        repo.keysweep(&[]).only_finding()["owners"],
        json!(["@back"])
    );
}

#[cfg(unix)]
#[test]
fn pipes_and_huge_files_are_not_obeyed() {
    use std::os::unix::fs::symlink;
    let outside = Tree::new().with("github/CODEOWNERS", "* @evil\n");
    let tree = Tree::new().with("a/one.env", line(1));
    symlink(outside.path().join("github"), tree.path().join(".github")).unwrap();
    let pipe = |name: &str| {
        let made = std::process::Command::new("mkfifo")
            .arg(tree.path().join(name))
            .status();
        assert!(made.unwrap().success());
    };
    pipe("a/.keysweepignore");
    pipe("CODEOWNERS");
    pipe("keysweep-baseline.txt");
    let found = tree.scan(&[]).ends_with(1).only_finding();
    assert_eq!(found.get("owners"), None);
    tree.write(".keysweepignore", "x\n".repeat(1 << 20));
    let run = tree.scan(&[]).ends_with(2);
    assert!(
        run.err.contains(".keysweepignore: larger than 1 MB"),
        "{}",
        run.err
    );
}

/// Two rules that match the same, one for `.env` files alone, and a generic one whose match reaches further.
fn overlapping() -> String {
    let rule = |id: &str, secret: &str, more: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\nname = \"Acme\"\nseverity = \"medium\"\nconfidence = \"high\"\nliterals = [\"acme_\"]\npattern = '{{left}}(?<secret>{secret}){{right}}'\n{more}\n"
        )
    };
    [
        rule("acme-first", "acme_[0-9a-z]{20}", ""),
        rule(
            "acme-settings",
            "acme_[0-9a-z]{20}",
            "paths = { only = [\"*.env\"] }",
        ),
        rule(
            "acme-wide",
            "acme_[0-9a-z]{20}:[0-9a-z]{8}",
            "generic = true",
        ),
    ]
    .concat()
}

const ACME: [&str; 2] = ["acme_", "4fq8rt2wxzb6dj9ml3sv"];

fn acme(more: &str) -> String {
    format!("key = \"{}{}{more}\"\n", ACME[0], ACME[1])
}

#[test]
fn what_wins_a_place_yields_where_a_list_accepts_it() {
    let tree = Tree::new()
        .with("app.env", acme(""))
        .with("app.txt", acme(""))
        .with("pair.txt", acme(":k2m5n8q3"));
    let config = |more: &str| {
        let text = format!("[rules]\nno_builtin = true\n{}{more}", overlapping());
        tree.write("keysweep.toml", text);
    };
    let found = || {
        let run = tree.scan(&["--exclude", "keysweep.toml"]);
        let all = run.findings();
        let all = all.iter().flat_map(|finding| {
            let rule = finding["rule"].as_str().unwrap().to_owned();
            let places = finding["places"].as_array().unwrap().clone();
            places
                .into_iter()
                .map(move |place| format!("{rule} {}", place["path"].as_str().unwrap()))
        });
        let mut all: Vec<String> = all.collect();
        all.sort();
        all
    };
    let first = [
        "acme-first app.env",
        "acme-first app.txt",
        "acme-first pair.txt",
    ];
    config("");
    assert_eq!(found(), first);
    // By rule: what each other rule finds there comes up.
    let others = ["acme-settings app.env", "acme-wide pair.txt"];
    config("[[allow]]\nrule = \"acme-first\"\n");
    assert_eq!(found(), others);
    config("[[allow]]\nrule = \"acme-first\"\npath = \"*.env\"\n");
    assert_eq!(
        found(),
        ["acme-first app.txt", "acme-first pair.txt", others[0]]
    );
    // By a word or a regular expression that the wider match does not meet.
    config("[[allow]]\nregex = '^acme_[0-9a-z]+$'\n");
    assert_eq!(found(), others[1..]);
    // By path, word or rules that mean both.
    config("[[allow]]\npath = \"*.env\"\n[[allow]]\npath = \"pair.txt\"\n");
    assert_eq!(found(), ["acme-first app.txt"]);
    config("[[allow]]\nstopword = \"4fq8rt\"\n");
    assert!(found().is_empty());
    config("[[allow]]\nrule = [\"acme-first\", \"acme-settings\"]\n");
    assert_eq!(found(), others[1..]);
    // An entry that is over accepts nothing.
    config("[[allow]]\nrule = \"acme-first\"\nexpires = 2020-01-31\n");
    assert_eq!(found(), first);
    // A whole rule that is off in a folder is the same.
    config("");
    tree.write("sub/app.env", acme(""));
    tree.write("sub/app.txt", acme(""));
    tree.write("sub/keysweep.toml", "[rules]\ndisable = [\"acme-first\"]\n");
    let below: Vec<String> = found().into_iter().filter(|f| f.contains("sub/")).collect();
    assert_eq!(below, ["acme-settings sub/app.env"]);
}

#[test]
fn a_rule_that_does_not_apply_to_a_path_wins_nothing_there() {
    let tree = Tree::new()
        .with("app.env", acme(":k2m5n8q3"))
        .with("app.txt", acme(":k2m5n8q3"));
    let rules = overlapping();
    let without_first = &rules[rules[1..].find("[[rule]]").unwrap() + 1..];
    let text = format!("[rules]\nno_builtin = true\n{without_first}");
    tree.write("keysweep.toml", text);
    let run = tree.scan(&["--exclude", "keysweep.toml"]).ends_with(1);
    assert_eq!(run.rules(), ["acme-settings", "acme-wide"]);
    assert_eq!(run.findings()[1]["path"], json!("app.txt"));
}

#[test]
fn an_accepted_value_does_not_come_back_under_another_name() {
    let tree = Tree::new()
        .with("app.env", acme(""))
        .with("pair.txt", acme(":k2m5n8q3"));
    let config = format!("[rules]\nno_builtin = true\n{}", overlapping());
    tree.write("keysweep.toml", &config);
    let scan = |more: &[&str]| tree.scan(&[&["--exclude", "keysweep.toml"], more].concat());
    let run = scan(&[]).ends_with(1);
    let print = run.only_finding()["fingerprint"]
        .as_str()
        .unwrap()
        .to_owned();
    // By its fingerprint; what reaches beyond the value is something else.
    tree.write(".keysweepignore", format!("{print}\n"));
    let run = scan(&[]).ends_with(1);
    assert_eq!(
        (run.rules(), run.paths()),
        (vec!["acme-wide".into()], vec!["pair.txt".into()])
    );
    run.hides(ACME[1]);
    let both = format!(
        "{print}\n{}\n",
        run.only_finding()["fingerprint"].as_str().unwrap()
    );
    tree.write(".keysweepignore", both);
    scan(&[]).ends_with(0);
    // By comments: for one rule, and for all.
    tree.write(".keysweepignore", "");
    let mark = "# keysweep:allow=acme-first\n";
    tree.write("app.env", format!("{mark}{}", acme("")));
    tree.write("pair.txt", format!("{mark}{}", acme(":k2m5n8q3")));
    assert_eq!(scan(&[]).ends_with(1).rules(), ["acme-wide"]);
    assert_eq!(
        scan(&["--no-inline-allow"]).ends_with(1).rules(),
        ["acme-first"]
    );
    tree.write(
        "pair.txt",
        format!("# keysweep:allow\n{}", acme(":k2m5n8q3")),
    );
    scan(&[]).ends_with(0);
    // By a baseline, which accepts all that stood there.
    tree.write("pair.txt", acme(":k2m5n8q3"));
    tree.write("app.env", acme(""));
    tree.run(&["baseline", "create"]).ends_with(0);
    scan(&[]).ends_with(0);
    // An entry for the rule says nothing new of a value that the baseline has.
    tree.write(
        "keysweep.toml",
        format!("{config}[[allow]]\nrule = \"acme-first\"\n"),
    );
    scan(&[]).ends_with(0);
}

#[test]
fn what_yields_is_told_of_with_its_past() {
    let repo = Repo::new();
    repo.write(
        "keysweep.toml",
        format!(
            "[rules]\nno_builtin = true\n{}[[allow]]\nrule = \"acme-first\"\n[scan]\nexclude = [\"keysweep.toml\"]\n",
            overlapping()
        ),
    );
    let start = repo.commit("Begin");
    let added = repo.commit_file("app.env", acme(""));
    repo.each_way(|repo| {
        let finding = repo.keysweep(&[]).ends_with(1).only_finding();
        assert_eq!(finding["rule"], json!("acme-settings"));
        assert_eq!(finding["commit"]["id"], json!(added));
        assert_eq!(finding["in_head"], json!(true));
    });
    let range = format!("{start}..HEAD");
    let run = repo.keysweep(&["--range", &range]).ends_with(1);
    assert_eq!(run.rules(), ["acme-settings"]);
    // What is there already does not block.
    repo.write("app.env", format!("# more\n{}", acme("")));
    repo.git(&["add", "."]);
    let run = repo.keysweep(&["--staged"]).ends_with(0);
    assert_eq!(run.summary()["already_there"], json!(1));
    // A mark of today covers the past.
    let mark = format!("# keysweep:allow=acme-settings\n{}", acme(""));
    repo.commit_file("app.env", mark);
    repo.each_way(|repo| {
        repo.keysweep(&[]).ends_with(0);
    });
    repo.keysweep(&["--range", &range]).ends_with(0);
}

#[test]
fn lists_above_a_scanned_folder_count_from_where_they_lie() {
    let tree = Tree::new()
        .with("one/a/app.env", line(1))
        .with("one/b/app.env", line(2));
    for allow in [
        "path_regex = '^one/a/'",
        "path = \"/one/a\"",
        "path = \"one/a/**\"",
        "path_regex = 'a/app'",
    ] {
        tree.write("keysweep.toml", format!("[[allow]]\n{allow}\n"));
        for (folder, found) in [
            (".", "one/b/app.env"),
            ("one", "b/app.env"),
            ("one/b", "app.env"),
        ] {
            assert_eq!(
                tree.scan(&[folder]).ends_with(1).paths(),
                [found],
                "{allow}"
            );
        }
        tree.scan(&["one/a"]).ends_with(0);
        tree.scan(&["one/a/app.env"]).ends_with(0);
    }
    // A file between the two, seen from above, from below and from beside it.
    tree.write("keysweep.toml", "");
    tree.write("one/keysweep.toml", "[[allow]]\npath = \"/a\"\n");
    for folder in [".", "one", "one/b"] {
        assert!(tree.scan(&[folder]).ends_with(1).paths()[0].ends_with("app.env"));
    }
    tree.scan(&["one/a"]).ends_with(0);
    tree.write(
        "one/a/keysweep.toml",
        "[[allow]]\npath_regex = '^app.env$'\n",
    );
    tree.write("one/keysweep.toml", "");
    assert_eq!(tree.scan(&["one"]).ends_with(1).paths(), ["b/app.env"]);
}
