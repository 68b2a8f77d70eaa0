//! Rule files from disk: `--rules`, `--enable`, and what a bad file says.

use serde_json::Value;

use crate::support::Tree;

/// A rule file with one good rule, and lines of it replaced.
fn file(changes: &[(&str, &str)]) -> String {
    let mut text = String::from(
        "provider = \"Acme\"\nhomepage = \"https://acme.example/tokens\"\n\n[[rule]]\nid = \"acme-token\"\nname = \"Acme token\"\n\
         severity = \"high\"\nconfidence = \"high\"\nliterals = [\"acme_\"]\n\
         pattern = '''{left}(?<secret>acme_[0-9a-z]{20}){right}'''\nremedy = \"Revoke it in the console.\"\n\
         examples = ['''acme_{-}4k2j9x7q1w8e5r3t6y0u''']\ncounterexamples = ['''acme_short''']\n",
    );
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    text
}

/// A file that fits `acme-token`.
fn token() -> String {
    concat!("token: acme", "_4k2j9x7q1w8e5r3t6y0u\n").to_owned()
}

#[test]
fn a_rule_file_adds_to_the_built_in_rules() {
    let tree = Tree::new()
        .with("a.txt", token())
        .with("rules/acme.toml", file(&[]));
    let run = tree
        .scan(&["--rules", "rules/acme.toml", "a.txt"])
        .ends_with(1);
    assert_eq!(run.rules(), ["acme-token"]);
    let run = tree
        .scan(&["--rules", "rules", "--no-builtin-rules", "a.txt"])
        .ends_with(1);
    assert_eq!(run.rules(), ["acme-token"]);
    tree.scan(&["--rules", "rules", "--disable", "acme-token", "a.txt"])
        .ends_with(0);
    tree.run(&["rules", "test", "rules/acme.toml"]).ends_with(0);
}

#[test]
fn rules_test_fails_on_an_example_that_is_not_found() {
    let tree = Tree::new().with(
        "acme.toml",
        file(&[("acme_{-}4k2j9x7q1w8e5r3t6y0u", "acme_{-}4k2j9x7q1w8e5r3t6y")]),
    );
    let run = tree.run(&["rules", "test", "acme.toml"]).ends_with(1);
    assert!(
        run.out.contains("acme-token: found 0 instead of 1"),
        "{}",
        run.out
    );
}

#[test]
fn a_bad_rule_file_names_the_line_and_the_mend() {
    let secret = "(?<secret>acme_[0-9a-z]{20})";
    let cases: &[(&str, &str, u32, &str)] = &[
        (
            "severity = \"high\"",
            "severity = \"high\"\ncolour = \"red\"",
            8,
            "unknown field `colour`",
        ),
        (
            "severity = \"high\"",
            "severity = \"grave\"",
            7,
            "critical, high, medium, low",
        ),
        (secret, "acme_[0-9a-z]{20}", 10, "write (?<secret>…)"),
        (
            secret,
            "(?<secret>acme_[0-9a-z]+)",
            10,
            "give every `*` and `+` a bound",
        ),
        (
            secret,
            "(?<secret>acme_[0-9a-z]{9000})",
            10,
            "tighten the bounds",
        ),
        (
            secret,
            "(?<secret>acme_[0-9a-z{20}",
            10,
            "pattern does not compile",
        ),
        (
            secret,
            r"\b(?<secret>acme_[0-9a-z]{20})",
            10,
            "use {left} and {right}",
        ),
        (
            "literals = [\"acme_\"]",
            "literals = [\"other\"]",
            10,
            "need not hold any of the literals",
        ),
        (
            "literals = [\"acme_\"]",
            "literals = []",
            9,
            "name bytes that stand in every match",
        ),
        (
            "literals = [\"acme_\"]",
            "literals = [\"ac\"]",
            9,
            "3 to 64 ASCII bytes",
        ),
        (
            "literals = [\"acme_\"]",
            "literals = [\"acme_\"]\neverywhere = true",
            10,
            "leave either them out or everywhere",
        ),
        (
            "literals = [\"acme_\"]",
            "everywhere = true\ngeneric = true",
            9,
            "a generic rule rests on a word",
        ),
        (
            "literals = [\"acme_\"]",
            "literals = [\"acme_\"]\nkeywords = [\"\"]",
            10,
            "keywords must be 1 to 64 bytes",
        ),
        (
            "id = \"acme-token\"",
            "id = \"Acme Token\"",
            5,
            "lower-case words",
        ),
        (
            "severity = \"high\"",
            "severity = \"high\"\npublishable = true",
            5,
            "severity \"low\"",
        ),
        ("severity = \"high\"", "severity = ", 7, ""),
        (
            "name = \"Acme token\"\n",
            "",
            4,
            "write name = \"Acme API key\"",
        ),
    ];
    for (from, to, line, mend) in cases {
        let tree = Tree::new()
            .with("a.txt", "")
            .with("bad.toml", file(&[(from, to)]));
        let run = tree.scan(&["--rules", "bad.toml", "a.txt"]);
        assert_eq!(run.code, 2, "{to}: {}", run.err);
        assert!(
            run.err.contains(&format!("bad.toml:{line}:")),
            "{to}: {}",
            run.err
        );
        assert!(run.err.contains(mend), "{to}: {}", run.err);
        assert!(run.out.is_empty(), "{to}: {}", run.out);
    }
}

#[test]
fn an_unknown_checksum_or_companion_is_refused() {
    let tree = Tree::new().with("a.txt", "");
    tree.write(
        "bad.toml",
        file(&[(
            "severity = \"high\"",
            "severity = \"high\"\nchecksum = \"crc99\"",
        )]),
    );
    let run = tree.scan(&["--rules", "bad.toml", "a.txt"]).ends_with(2);
    assert!(
        run.err.contains("acme-token")
            && run.err.contains("crc99")
            && run.err.contains("github-crc32"),
        "{}",
        run.err
    );
    tree.write(
        "bad.toml",
        file(&[(
            "severity = \"high\"",
            "severity = \"high\"\nnear = [{ rule = \"acme-id\", within_lines = 3, as = \"id\" }]",
        )]),
    );
    let run = tree.scan(&["--rules", "bad.toml", "a.txt"]).ends_with(2);
    assert!(run.err.contains("acme-id"), "{}", run.err);
}

#[test]
fn files_and_folders_that_cannot_be_read_are_named() {
    let tree = Tree::new().with("a.txt", "").with("empty/readme", "");
    let run = tree
        .scan(&["--rules", "missing.toml", "a.txt"])
        .ends_with(2);
    assert!(run.err.contains("missing.toml"), "{}", run.err);
    let run = tree.scan(&["--rules", "empty", "a.txt"]).ends_with(2);
    assert!(run.err.contains("no rule file"), "{}", run.err);
}

#[test]
fn an_id_defined_twice_is_refused() {
    let tree = Tree::new()
        .with("a.txt", "")
        .with("one.toml", file(&[]))
        .with("two.toml", file(&[]));
    let run = tree
        .scan(&["--rules", "one.toml", "--rules", "two.toml", "a.txt"])
        .ends_with(2);
    assert!(
        run.err.contains("two.toml") && run.err.contains("defined already"),
        "{}",
        run.err
    );
    tree.write(
        "one.toml",
        file(&[("id = \"acme-token\"", "id = \"github-pat-classic\"")]),
    );
    tree.scan(&["--rules", "one.toml", "a.txt"]).ends_with(2);
}

#[test]
fn an_unknown_id_suggests_a_near_one() {
    let tree = Tree::new().with("a.txt", "");
    for flag in ["--enable", "--disable"] {
        let run = tree
            .scan(&[flag, "github-pat-clasic", "a.txt"])
            .ends_with(2);
        assert!(
            run.err.contains("did you mean") && run.err.contains("github-pat-classic"),
            "{}",
            run.err
        );
    }
    let run = tree
        .run(&["rules", "show", "github-pat-clasic"])
        .ends_with(2);
    assert!(run.err.contains("github-pat-classic"), "{}", run.err);
}

#[test]
fn rules_are_listed_for_people_and_machines() {
    let tree = Tree::new();
    let run = tree
        .run(&["rules", "list", "--format", "json"])
        .ends_with(0);
    let all: Vec<Value> = serde_json::from_str(&run.out).unwrap();
    assert!(all.len() >= 120);
    assert!(all.iter().all(|r| {
        ["id", "severity", "confidence", "pattern", "remedy"]
            .iter()
            .all(|k| r[k].is_string())
    }));
    let text = tree.run(&["rules", "list"]).ends_with(0);
    assert_eq!(text.out.lines().count(), all.len());
    let show = tree
        .run(&["rules", "show", "github-pat-classic"])
        .ends_with(0);
    assert!(show.out.contains("github-crc32"), "{}", show.out);
    let literals = tree
        .run(&["rules", "literals", "--enable", "github-pat-classic"])
        .ends_with(0);
    assert_eq!(literals.out, concat!("gh", "p_\n"));
    tree.run(&["rules", "test"]).ends_with(0);
}

#[test]
fn completions_and_manual_are_written() {
    let tree = Tree::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            tree.run(&["completions", shell])
                .ends_with(0)
                .out
                .contains("keysweep")
        );
    }
    assert!(tree.run(&["man"]).ends_with(0).out.contains(".TH"));
    assert!(
        tree.run(&["man", "scan"])
            .ends_with(0)
            .out
            .contains("no\\-inline\\-allow")
    );
    tree.run(&["man", "nothing"]).ends_with(2);

    // As packages take them: a page for each command, nested ones too, and scripts in files.
    tree.run(&["man", "--all", "pages"]).ends_with(0);
    for page in ["keysweep.1", "keysweep-git.1", "keysweep-rules-list.1"] {
        let text = std::fs::read_to_string(tree.path().join("pages").join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
    let script = tree.run(&["completions", "fish", "--output", "keysweep.fish"]);
    assert_eq!(script.ends_with(0).out, "");
    let text = std::fs::read_to_string(tree.path().join("keysweep.fish")).unwrap();
    assert!(text.contains("complete -c keysweep"));
    tree.write("file", "");
    let refused = tree.run(&["man", "--all", "file/pages"]).ends_with(2);
    assert!(
        refused.err.contains("file/pages: cannot write"),
        "{}",
        refused.err
    );
}
