//! `keysweep import`: what comes out passes our loaders and finds what it found there.

use toml::{Table, Value};

use crate::support::{Run, Tree, fake};

/// The written file.
fn written(run: &Run) -> Table {
    run.out
        .parse()
        .unwrap_or_else(|e| panic!("{e}\n{}", run.out))
}

/// Tables of a list in the written file.
fn tables(table: &Table, key: &str) -> Vec<Table> {
    table
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|t| t.as_table().unwrap().clone())
        .collect()
}

fn strings(table: &Table, key: &str) -> Vec<String> {
    match table.get(key) {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => all.iter().map(|v| v.as_str().unwrap().to_owned()).collect(),
        _ => Vec::new(),
    }
}

#[track_caller]
fn says(run: &Run, text: &str) {
    assert!(run.err.contains(text), "`{text}` is not in\n{}", run.err);
}

const RULES: &str = r#"
title = "Acme"
minVersion = "v8.25.0"

[extend]
useDefault = true
disabledRules = ["github-pat", "zendesk-secret-key", "no-such-rule"]

[[rules]]
id = "Acme_Token"
description = "Acme token"
regex = '''\b(acme_[a-z0-9]{20,})\b'''
secretGroup = 1
entropy = 2.5
keywords = ["acme_"]
tags = ["severity:critical", "acme"]

  [[rules.allowlists]]
  description = "fixtures"
  condition = "AND"
  paths = ['''^fixtures/''']
  stopwords = ["zzz"]

  [[rules.allowlists]]
  regexTarget = "match"
  regexes = ['''acme_0+''']
  commits = ["0123456789abcdef0123456789abcdef01234567", "HEAD"]

[[rules]]
id = "acme-vault"
regex = '''(?i)vault[_-]?pin[^\S\r\n]*[=:]\s*["']?(\d{8})'''
path = '''(?i)\.(env|ya?ml)$'''
keywords = ["pin"]

[[rules]]
id = "far-keyword"
regex = '''[0-9a-f]{32}'''
keywords = ["acme"]

[[rules]]
id = "ahead"
regex = '''acme(?=_x)'''

[[rules]]
id = "by-name"
path = '''\.p12$'''

[[rules]]
id = "generic-api-key"
  [rules.allowlist]
  regexes = ['''^[0-9a-f]{8}-''']

[[rules]]
id = "pair"
regex = '''acmesecret-[a-z]{12}'''
  [[rules.required]]
  id = "Acme_Token"
  withinLines = 3

[[allowlists]]
description = "vendored"
paths = ['''(^|/)vendor/''', '''[[]x''']
stopwords = ["EXAMPLE"]

[[allowlists]]
targetRules = ["Acme_Token", "slack-webhook-url"]
regexes = ['''(?i)not[\s-]*secret''']
regexTarget = "line"
colour = "red"
"#;

fn acme() -> String {
    ["acme", "_4k2j9x7q1w8e5r3t6y0u"].concat()
}

#[test]
fn a_gitleaks_configuration_becomes_ours_line_by_line() {
    let tree = Tree::new().with(".gitleaks.toml", RULES);
    let run = tree.run(&["import", "gitleaks"]).ends_with(0);
    let file = written(&run);
    let rules = tables(&file, "rule");
    let ids: Vec<_> = rules.iter().map(|r| r["id"].as_str().unwrap()).collect();
    let wanted = ["acme-token", "acme-vault", "far-keyword", "pair"];
    assert_eq!(ids, wanted, "{}", run.out);
    assert_eq!(rules[0]["severity"].as_str(), Some("critical"));
    assert_eq!(strings(&rules[0], "literals"), ["acme_"]);
    // No text stands in every match: it is searched for everywhere, in files that hold the keyword.
    assert_eq!(rules[2]["everywhere"].as_bool(), Some(true));
    assert_eq!(strings(&rules[2], "keywords"), ["acme"]);
    assert_eq!(strings(&rules[3], "literals"), ["acmesecret-"]);
    assert_eq!(
        rules[3]["near"][0]["rule"].as_str(),
        Some("acme-token"),
        "{}",
        run.out
    );
    assert_eq!(
        strings(file["rules"].as_table().unwrap(), "disable"),
        ["github-pat-classic"]
    );

    let allows = tables(&file, "allow");
    let of = |rule: &str| -> Vec<&Table> {
        allows
            .iter()
            .filter(|a| strings(a, "rule").contains(&rule.to_owned()))
            .collect()
    };
    let own = of("acme-token");
    assert!(
        own.iter().any(
            |a| strings(a, "path_regex") == ["^fixtures/"] && strings(a, "stopword") == ["zzz"]
        )
    );
    assert!(
        own.iter()
            .any(|a| strings(a, "regex") == ["acme_0+"] && a["target"].as_str() == Some("match"))
    );
    assert!(own.iter().any(|a| strings(a, "commit").len() == 1));
    assert!(
        own.iter()
            .any(|a| strings(a, "rule").contains(&"slack-webhook".to_owned()))
    );
    assert!(!of("generic-password").is_empty());
    // What their default configuration leaves out holds for the file's own rules.
    let defaults = allows.iter().filter(|a| {
        let reason = a.get("reason").and_then(Value::as_str);
        reason.is_some_and(|r| r.starts_with("gitleaks' default configuration"))
    });
    let defaults: Vec<_> = defaults.collect();
    assert_eq!(defaults.len(), 3, "{}", run.out);
    assert!(defaults.iter().all(|a| strings(a, "rule") == wanted));
    let global: Vec<_> = allows.iter().filter(|a| !a.contains_key("rule")).collect();
    assert_eq!(global.len(), 2, "{}", run.out);
    assert_eq!(global[0]["reason"].as_str(), Some("vendored"));

    for note in [
        "`zendesk-secret-key`",
        "`no-such-rule` is neither",
        "rule `Acme_Token`: its id is `acme-token` here",
        "repetitions without an end now have one",
        "rule `far-keyword`: no text of 3 bytes stands in every match",
        "rule `ahead`: regex: look-around",
        "rule `by-name`: it reports files by their name alone",
        "commits: this is no id of a commit",
        "`colour` of the allow-list",
    ] {
        says(&run, note);
    }
    let line = 1 + RULES
        .lines()
        .position(|l| l.contains("acme(?=_x)"))
        .unwrap();
    says(&run, &format!(".gitleaks.toml:{line}: not carried over"));
    tree.run(&["import", "gitleaks", "--strict"]).ends_with(2);
}

/// Rule, path and line of every place, sorted.
fn places(run: &Run) -> Vec<(String, String, u64)> {
    let mut found = Vec::new();
    for finding in run.findings() {
        let rule = finding["rule"].as_str().unwrap();
        for place in finding["places"].as_array().unwrap() {
            let path = place["path"].as_str().unwrap().to_owned();
            found.push((rule.to_owned(), path, place["line"].as_u64().unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn imported_rules_load_and_find_what_they_found_there() {
    let token = acme();
    let tree = Tree::new()
        .with(".gitleaks.toml", RULES)
        .with("src/a.txt", format!("use {token}.\nuse x{token}\n"))
        .with("b.yml", "vault_pin: \"48120377\"\n")
        .with("c.txt", "vault_pin: \"48120377\"\n")
        .with("d.txt", format!("{token}\nacmesecret-qwertzuiopas\n"))
        .with("e.txt", "acmesecret-qwertzuiopas\n")
        .with("fixtures/zzz.txt", format!("{token}zzz\n"));
    tree.run(&[
        "import",
        "gitleaks",
        "--rules-output",
        "own.toml",
        "--output",
        "keysweep.toml",
    ])
    .ends_with(0);
    tree.run(&["rules", "test", "own.toml"]).ends_with(0);
    let run = tree.run(&["config", "check", "keysweep.toml"]).ends_with(0);
    assert!(run.out.contains("keysweep.toml: right"), "{}", run.out);
    // The written file names the rules and says what is accepted.
    let run = tree
        .scan(&[
            "--no-builtin-rules",
            "--include",
            "*.txt",
            "--include",
            "*.yml",
        ])
        .ends_with(1);
    run.hides(&token);
    let found = places(&run);
    let wanted = [
        ("acme-token", "d.txt", 1),
        ("acme-token", "src/a.txt", 1),
        ("acme-vault", "b.yml", 1),
        ("pair", "d.txt", 2),
    ];
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(r, p, l)| ((*r).to_owned(), (*p).to_owned(), *l))
        .collect();
    assert_eq!(found, wanted, "{}", run.out);
    // What was accepted is shown on request, with the line of the written file that accepts it.
    let run = tree
        .scan(&[
            "--no-builtin-rules",
            "--show-suppressed",
            "--include",
            "*.txt",
        ])
        .ends_with(1);
    let of = |run: &Run| {
        run.findings()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    let accepted = of(&run);
    let accepted = accepted.iter().find(|f| f.contains("fixtures/zzz.txt"));
    assert!(
        accepted.is_some_and(|f| f.contains("keysweep.toml:")),
        "{}",
        run.out
    );
    // A file that is there is not overwritten.
    let run = tree
        .run(&["import", "gitleaks", "--output", "keysweep.toml"])
        .ends_with(2);
    says(&run, "--force");
}

#[test]
fn gitleaks_files_are_read_directly() {
    let token = acme();
    let tree = Tree::new()
        .with(".gitleaks.toml", RULES)
        .with(
            ".gitleaksignore",
            "src/a.txt:Acme_Token:1\nd.txt:gone-rule:1\n",
        )
        .with("src/a.txt", format!("use {token}.\n"))
        .with("b.yml", "vault_pin: \"48120377\"\n")
        .with("d.txt", format!("{token}\nacmesecret-qwertzuiopas\n"))
        .with("vendor/v.txt", format!("{token}\n"))
        .with("fixtures/zzz.txt", format!("{token}zzz\n"))
        .with("pat.py", format!("key = \"{}\"\n", fake::github_pat(3)));
    let found = |run: &Run| -> Vec<String> {
        // The id of a commit that a configuration accepts is a number such as `far-keyword` looks for.
        let config = |path: &str| path == "leaks.cfg" || path == "keysweep.toml";
        let all = places(run).into_iter().filter(|(_, path, _)| !config(path));
        all.map(|(rule, path, line)| format!("{rule} {path} {line}"))
            .collect()
    };
    // The built-in rule for what `disabledRules` names is off.
    let wanted = ["acme-token d.txt 1", "acme-vault b.yml 1", "pair d.txt 2"];
    let run = tree.scan(&["--config", ".gitleaks.toml"]).ends_with(1);
    run.hides(&token);
    assert_eq!(found(&run), wanted, "{}", run.out);
    let notes = run.summary()["notes"].to_string();
    assert!(notes.contains("--verbose names them"), "{notes}");
    let run = tree
        .scan(&["--config", ".gitleaks.toml", "--verbose"])
        .ends_with(1);
    let notes = run.summary()["notes"].to_string();
    assert!(
        notes.contains("rule `ahead`: regex: look-around"),
        "{notes}"
    );
    assert!(notes.contains("no rule `gone-rule`"), "{notes}");

    // By what it says, whatever its name; and as written by `import`, all is the same.
    tree.write("leaks.cfg", RULES);
    let run = tree.scan(&["--config", "leaks.cfg"]).ends_with(1);
    assert_eq!(found(&run), wanted, "{}", run.out);
    tree.run(&["import", "gitleaks", "--output", "keysweep.toml"])
        .ends_with(0);
    tree.run(&["config", "check"]).ends_with(0);
    assert_eq!(found(&tree.scan(&[]).ends_with(1)), wanted);
    std::fs::remove_file(tree.path().join("keysweep.toml")).unwrap();

    // What the tree says of itself does not count where the caller says so; the caller's own file does.
    let own = Tree::new().with("gitleaks.toml", RULES);
    let path = own.path().join("gitleaks.toml");
    let path = path.to_str().unwrap();
    let run = tree
        .scan(&["--config", path, "--no-repo-config"])
        .ends_with(1);
    let all = found(&run);
    let theirs = "acme-token src/a.txt 1".to_owned();
    assert!(all.contains(&theirs), "{}", run.out);
    let run = tree.scan(&["--config", path]).ends_with(1);
    assert_eq!(found(&run), wanted, "{}", run.out);

    let check = tree
        .run(&["config", "check", ".gitleaks.toml"])
        .ends_with(0);
    let right = ".gitleaks.toml: right (4 rules of its own";
    assert!(check.out.contains(right), "{}", check.out);
    tree.write("bad.gitleaks.toml", "[extend]\n[[rules]]\nregex = 'x'\n");
    let run = tree.scan(&["--config", "bad.gitleaks.toml"]).ends_with(2);
    says(&run, "bad.gitleaks.toml:");
}

#[test]
fn what_holds_no_text_is_found_as_gitleaks_does() {
    let rules = r#"
[extend]
useDefault = true
[[rules]]
id = "ipv4"
regex = '''\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b'''
[[rules]]
id = "pin"
regex = '''\b(\d{6,})\b'''
secretGroup = 1
keywords = ["Vault", "pw"]
[allowlist]
regexTarget = "line"
regexes = ['''Chrome/''']
"#;
    let tree = Tree::new()
        .with(".gitleaks.toml", rules)
        .with(
            "a.txt",
            "one 10.1.2.3, two 10.1.2.4 and x10.1.2.5\n10.1.2.6\n",
        )
        .with("b.txt", "see the VAULT\nis 481203\n")
        .with("c.txt", "4812034\n")
        .with("d.txt", "PW: 48120345\n")
        .with("icon.svg", "<path d='10.1.2.7'/>\n")
        .with("g.bin", b"\0 10.1.2.8\n")
        // What is accepted on its line, at the far end of it.
        .with(
            "h.log",
            format!("10.1.2.9 {}Chrome/1\n", "get ".repeat(200)),
        );
    let run = tree.scan(&["--config", ".gitleaks.toml"]).ends_with(1);
    let found: Vec<String> = places(&run)
        .into_iter()
        .map(|(rule, path, line)| format!("{rule} {path} {line}"))
        .collect();
    let wanted = [
        "ipv4 a.txt 1",
        "ipv4 a.txt 1",
        "ipv4 a.txt 2",
        "pin b.txt 2",
        "pin d.txt 1",
    ];
    assert_eq!(found, wanted, "{}", run.out);
    for address in ["10.1.2.3", "10.1.2.4", "10.1.2.6"] {
        run.hides(address);
    }
    let run = tree
        .run(&["config", "check", ".gitleaks.toml"])
        .ends_with(0);
    assert!(
        run.out
            .contains("rule `ipv4` has no literals: it is searched for in every byte"),
        "{}",
        run.out
    );
    let run = tree
        .scan(&["--config", ".gitleaks.toml", "--verbose"])
        .ends_with(1);
    let notes = run.summary()["notes"].to_string();
    assert!(notes.contains("searched for in every byte"), "{notes}");
}

#[test]
fn a_history_is_audited_with_a_gitleaks_configuration() {
    let token = acme();
    let tree = Tree::new()
        .with(".gitleaks.toml", RULES)
        .with("a.txt", format!("{token}\n"))
        .with("vendor/v.txt", format!("{token}\n"));
    let repository = tree.repository();
    let mut index = repository.index().unwrap();
    let all = git2::IndexAddOption::DEFAULT;
    index.add_all(["*"], all, None).unwrap();
    let root = index.write_tree().unwrap();
    let root = repository.find_tree(root).unwrap();
    let when = git2::Time::new(1_700_000_000, 0);
    let who = git2::Signature::new("A", "a@example.org", &when).unwrap();
    repository
        .commit(Some("HEAD"), &who, &who, "one", &root, &[])
        .unwrap();
    let run = tree
        .run(&[
            "git",
            "--config",
            ".gitleaks.toml",
            "--format",
            "jsonl",
            ".",
        ])
        .ends_with(1);
    let paths: Vec<String> = places(&run).into_iter().map(|(_, path, _)| path).collect();
    assert_eq!(paths, ["a.txt"], "{}", run.out);
}

#[test]
fn a_rule_that_stands_for_several_of_ours_says_which_are_off() {
    let tree = Tree::new().with(
        ".gitleaks.toml",
        "[extend]\nuseDefault = true\ndisabledRules = [\"generic-api-key\", \"github-pat\"]\n",
    );
    let run = tree.run(&["import", "gitleaks"]).ends_with(0);
    says(
        &run,
        ".gitleaks.toml:3: changed: disabledRules: `generic-api-key` stands for 6 rules of keysweep",
    );
    says(
        &run,
        "generic-password, generic-password-line, generic-password-unquoted",
    );
    assert!(!run.err.contains("`github-pat` stands"), "{}", run.err);
}

#[test]
fn default_rules_written_out_are_replaced_by_ours() {
    let tree = Tree::new().with(
        ".gitleaks.toml",
        "[[rules]]\nid = \"github-pat\"\nregex = '''ghp_[0-9a-zA-Z]{36}'''\nkeywords = [\"ghp_\"]\n\
         [rules.allowlist]\npaths = ['''^docs/''']\n",
    );
    let run = tree.run(&["import", "gitleaks"]).ends_with(0);
    let file = written(&run);
    assert!(tables(&file, "rule").is_empty());
    assert_eq!(
        strings(&tables(&file, "allow")[0], "rule"),
        ["github-pat-classic"]
    );
    says(&run, "keysweep's own take its place");
    let run = tree
        .run(&["import", "gitleaks", "--keep-default-rules"])
        .ends_with(0);
    assert_eq!(
        tables(&written(&run), "rule")[0]["id"].as_str(),
        Some("github-pat")
    );
}

#[test]
fn extensions_are_followed_in_the_tree_alone() {
    let rule = |id: &str, next: &str| {
        format!("{next}\n[[rules]]\nid = \"{id}\"\nregex = '''{id}_[0-9a-f]{{16}}'''\n")
    };
    let outside = Tree::new().with("out.toml", rule("outside", ""));
    let tree = Tree::new()
        .with(
            "a.toml",
            rule(
                "one",
                "[extend]\npath = \"cfg/b.toml\"\ndisabledRules = [\"gone\"]",
            ),
        )
        .with(
            "cfg/b.toml",
            rule("two", "[extend]\npath = \"cfg/c.toml\"") + &rule("gone", ""),
        )
        .with(
            "cfg/c.toml",
            rule("three", "[extend]\npath = \"cfg/d.toml\""),
        )
        .with("cfg/d.toml", rule("four", ""))
        .with("up.toml", "[extend]\npath = \"../out.toml\"\n")
        .with(
            "far.toml",
            format!(
                "[extend]\npath = \"{}\"\n",
                outside.path().join("out.toml").display()
            ),
        );
    let run = tree.run(&["import", "gitleaks", "a.toml"]).ends_with(0);
    let mut ids: Vec<_> = tables(&written(&run), "rule")
        .iter()
        .map(|r| r["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    assert_eq!(ids, ["one", "three", "two"]);
    says(&run, "only 2 files deep");
    for name in ["up.toml", "far.toml"] {
        let run = tree.run(&["import", "gitleaks", name]).ends_with(0);
        assert!(tables(&written(&run), "rule").is_empty(), "{}", run.out);
        says(&run, "extend.path:");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(
            outside.path().join("out.toml"),
            tree.path().join("link.toml"),
        )
        .unwrap();
        tree.write("linked.toml", "[extend]\npath = \"link.toml\"\n");
        let run = tree
            .run(&["import", "gitleaks", "linked.toml"])
            .ends_with(0);
        assert!(tables(&written(&run), "rule").is_empty(), "{}", run.out);
        says(&run, "outside of the tree");
    }
}

#[test]
fn an_ignore_file_becomes_entries_without_line_numbers() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let own = "[[rules]]\nid = \"acme-token\"\nregex = '''acme_[a-z0-9]{20,40}'''\n";
    let tree = Tree::new().with("own.toml", own).with(
        ".gitleaksignore",
        format!(
            "# ours\n\nsrc\\app[1].py:github-pat:12\nsrc/app[1].py:github-pat:80\n{commit}:env:acme-token:3\nold.py:gone-rule:3\nx.cfg:zendesk-secret-key:1\nnonsense\na:b:c\n"
        ),
    );
    let both = ["import", "gitleaks", "own.toml", ".gitleaksignore"];
    let run = tree.run(&both).ends_with(0);
    let allows = tables(&written(&run), "allow");
    assert_eq!(allows.len(), 3, "{}", run.out);
    assert_eq!(strings(&allows[0], "rule"), ["github-pat-classic"]);
    assert_eq!(strings(&allows[0], "path"), ["src/app[[]1[]].py"]);
    assert_eq!(strings(&allows[1], "commit"), [commit]);
    assert_eq!(strings(&allows[1], "path_regex"), ["^env$"]);
    assert!(strings(&allows[2], "rule").contains(&"generic-api-key".to_owned()));
    says(
        &run,
        ".gitleaksignore:6: not carried over: there is no rule `gone-rule`",
    );
    says(&run, ".gitleaksignore:8: not carried over");
    says(&run, ".gitleaksignore:9: not carried over");
    tree.write("keysweep.toml", &run.out);
    tree.run(&["config", "check", "keysweep.toml"]).ends_with(0);

    let report = format!(
        "[{{\"RuleID\":\"github-pat\",\"File\":\"a/b.py\",\"StartLine\":4,\"Commit\":\"{commit}\"}}]"
    );
    tree.write("gitleaks-report.json", report);
    let run = tree
        .run(&["import", "gitleaks", "gitleaks-report.json"])
        .ends_with(0);
    let allows = tables(&written(&run), "allow");
    assert_eq!(strings(&allows[0], "path"), ["a/b.py"]);
    assert_eq!(strings(&allows[0], "commit"), [commit]);
}

#[test]
fn a_baseline_of_detect_secrets_is_matched_to_the_tree() {
    use sha1::{Digest, Sha1};
    let hash = |text: &str| -> String {
        Sha1::digest(text.as_bytes())
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    };
    let (accepted, real) = (fake::github_pat(1), fake::github_pat(2));
    let row = |hash: &str, more: &str| {
        format!(
            "{{\"type\": \"GitHub Token\", \"filename\": \"x\",\n \"hashed_secret\": \"{hash}\", \"line_number\": 1{more}}}"
        )
    };
    let baseline = format!(
        "{{\"version\": \"1.5.0\", \"plugins_used\": [{{\"name\": \"KeywordDetector\"}}, {{\"name\": \"Own\", \"path\": \"file://own.py\"}}],\n\
         \"filters_used\": [{{\"path\": \"detect_secrets.filters.regex.should_exclude_file\", \"pattern\": [\"^vendor/\", \"a(?!b)\"]}},\n\
         {{\"path\": \"detect_secrets.filters.heuristic.is_sequential_string\"}}],\n\
         \"results\": {{\"src/app.py\": [{}, {}], \"b.env\": [{}], \"../out.py\": [{}]}}}}",
        row(&hash(&accepted), ""),
        row(&hash(&real), ", \"is_secret\": true"),
        row(&hash("gone"), ""),
        row(&hash(&accepted), ""),
    );
    let tree = Tree::new()
        .with(".secrets.baseline", &baseline)
        .with(
            "src/app.py",
            format!("a = \"{accepted}\"\nb = \"{real}\"\n"),
        )
        .with("b.env", "nothing = here\n");
    let run = tree.run(&["import", "detect-secrets"]).ends_with(0);
    run.hides(&accepted);
    run.hides(&hash(&accepted));
    let file = written(&run);
    assert_eq!(file["fingerprint_salt"].as_str().unwrap().len(), 32);
    let allows = tables(&file, "allow");
    assert_eq!(allows.len(), 2, "{}", run.out);
    assert_eq!(strings(&allows[0], "path_regex"), ["^vendor/"]);
    assert_eq!(strings(&allows[1], "path"), ["src/app.py"]);
    assert_eq!(strings(&allows[1], "fingerprint").len(), 1);
    says(&run, "audited as a real secret");
    says(&run, "b.env:1: keysweep finds no such secret");
    says(&run, "look-around");
    says(&run, "plugin `Own` is code of your own");

    // A salt that is there is used again, so the fingerprint stays.
    tree.write(
        "keysweep.toml",
        "fingerprint_salt = \"00112233445566778899aabbccddeeff\"\n",
    );
    let prints = || {
        let run = tree.run(&["import", "detect-secrets"]).ends_with(0);
        let file = written(&run);
        assert!(run.out.contains("00112233445566778899aabbccddeeff"));
        strings(&tables(&file, "allow")[1], "fingerprint")
    };
    assert_eq!(prints(), prints());
    tree.write(".secrets.baseline", "{]");
    let run = tree.run(&["import", "detect-secrets"]).ends_with(2);
    says(&run, ".secrets.baseline:1: it is no baseline");
}

#[test]
fn trufflehogs_paths_and_detectors_are_carried_over() {
    let tree = Tree::new()
        .with(
            "exclude.txt",
            "# ours\nvendor/\n\\.lock$\n(^|/)[a-z]+_test\\.go$\nx(?=y)\n",
        )
        .with("include.txt", "^src/.*\\.py$\n");
    let run = tree
        .run(&[
            "import",
            "trufflehog",
            "exclude.txt",
            "--include-paths",
            "include.txt",
            "--exclude-detectors",
            "stripe, github.v1,17,nosuch",
        ])
        .ends_with(0);
    let file = written(&run);
    let scan = file["scan"].as_table().unwrap();
    assert_eq!(strings(scan, "exclude"), ["*.lock", "*vendor/*"]);
    assert_eq!(strings(scan, "include"), ["src/*.py"]);
    assert_eq!(
        strings(&tables(&file, "allow")[0], "path_regex"),
        ["(^|/)[a-z]+_test\\.go$"]
    );
    let disabled = strings(file["rules"].as_table().unwrap(), "disable");
    assert!(
        disabled
            .iter()
            .all(|id| id.starts_with("stripe-") || id.starts_with("github-"))
    );
    assert!(disabled.len() > 10, "{disabled:?}");
    says(&run, "exclude.txt:5: not carried over");
    says(&run, "`nosuch`: keysweep has no rule");
    says(&run, "`17`: numbers");
    tree.run(&["import", "trufflehog"]).ends_with(2);
}

#[test]
fn a_detector_of_trufflehog_means_our_rules_for_the_same_kind() {
    let tree = Tree::new().with("exclude.txt", "vendor/\n");
    let disabled = |list: &str| {
        let arguments = ["import", "trufflehog", "exclude.txt"];
        let arguments = [&arguments[..], &["--exclude-detectors", list]].concat();
        let run = tree.run(&arguments).ends_with(0);
        let file = written(&run);
        let rules = file.get("rules").and_then(Value::as_table).cloned();
        (strings(&rules.unwrap_or_default(), "disable"), run.err)
    };
    let postgres = ["database-url-libpq", "database-url-postgres"];
    for name in ["postgres", "Postgres", "POSTGRES.v1"] {
        let (ids, said) = disabled(name);
        assert_eq!(ids, postgres, "{name}: {said}");
        assert!(said.contains("0 lines were not carried over"), "{said}");
    }
    let webhooks = ["slack-webhook", "slack-workflow-webhook"];
    assert_eq!(disabled("slackwebhook").0, webhooks);
    assert_eq!(disabled("mongodb").0, ["database-url-mongodb"]);
    // A name that begins as another provider's does means that one alone.
    assert_eq!(disabled("NewRelicUserKey").0, ["newrelic-user-key"]);
    let (keys, _) = disabled("privatekey,aws");
    let both = |id: &&str| keys.iter().any(|known| known == id);
    assert!(["private-key-rsa", "aws-access-key-id"].iter().all(both));
    // A kind that has a name there and no rule here switches nothing off.
    let (none, said) = disabled("GitHubApp");
    assert!(
        none.is_empty() && said.contains("`GitHubApp`: keysweep has no rule"),
        "{said}"
    );
}

#[test]
fn a_dash_as_output_is_standard_output() {
    let tree = Tree::new().with(".gitleaksignore", "a.txt:github-pat:1\n");
    let run = tree
        .run(&["import", "gitleaks", "--output", "-"])
        .ends_with(0);
    assert_eq!(tables(&written(&run), "allow").len(), 1);
    assert!(!tree.path().join("-").exists());
}

#[test]
fn hostile_files_get_an_answer() {
    let tree = Tree::new();
    let nested = format!(
        "[[rules]]\nid = \"a\"\nregex = '''{}a{}'''\n",
        "(".repeat(4000),
        ")".repeat(4000)
    );
    let power = format!(
        "[[rules]]\nid = \"b\"\nregex = '''{}abcd{}'''\n",
        "(?:".repeat(12),
        "){1000}".repeat(12)
    );
    let cases = [
        ("rules = 3", 2),
        ("[[rules]]\nregex = 'a'", 2),
        ("[allowlist]\npaths = [1]", 2),
        ("[allowlist]\n[[allowlists]]\npaths = []", 2),
        ("[extend]\npath = \"x\"\nuseDefault = true", 2),
        ("[[rules]]\nid = \"\\u001b[31m\"\nregex = '''abcdef'''", 0),
        ("x = [[[[", 2),
        (nested.as_str(), 0),
        (power.as_str(), 0),
        ("[[rules]]\nid = \"c\"\nregex = '''abc[]'''", 0),
        (
            "[[rules]]\nid = \"d\"\nregex = '''[a-'''\n[[rules]]\nid = \"e\"\nregex = '''abc\\'''",
            0,
        ),
    ];
    for (text, code) in cases {
        tree.write("bad.toml", text);
        let run = tree.run(&["import", "gitleaks", "bad.toml"]);
        assert_eq!(
            run.code,
            code,
            "{}\n{}",
            &text[..text.len().min(80)],
            run.err
        );
        assert!(run.err.contains("bad.toml:"), "{}", run.err);
        assert!(!run.err.contains('\u{1b}'), "{}", run.err);
        if code == 0 {
            written(&run);
        }
    }
    let run = tree.run(&["import", "gitleaks"]).ends_with(2);
    says(&run, "neither .gitleaks.toml nor .gitleaksignore");
}
