//! Reports in every format, and `keysweep report`: converted, merged, compared; on real trees and repositories.

use std::fs;
use std::path::Path;

use keysweep::report::FORMATS;
use serde_json::Value;

use crate::support::repo::Repo;
use crate::support::{Run, Tree, fake, program};

/// Formats that say nothing of how long a run took or when it was.
const TIMELESS: [&str; 5] = ["sarif", "markdown", "github", "csv", "sonarqube"];

/// Runs the program in a folder.
fn run(folder: &Path, arguments: &[&str]) -> Run {
    Run::of(program().current_dir(folder).args(arguments))
}

/// Names that a terminal, a page, a runner or a spreadsheet would obey.
const EVIL: [&str; 6] = [
    "<script>alert(1)</script>.env",
    "a\u{1b}[2J\u{1b}]8;;x\u{7}\u{202e}b\u{2066}.env",
    "::error::forged\n::warning::x.env",
    "=HYPERLINK(\"x\")|cmd.env",
    "`x` @team [a](b) | ![c](d) #1 &amp;.env",
    "]]> -->\u{2028}\u{9b}31m##[error]x,line=1.env",
];

/// A tree with a secret in a file of each of these names; the text around it is no better.
fn hostile() -> (Tree, Vec<String>) {
    let tree = Tree::new();
    let mut secrets = Vec::new();
    for (index, name) in EVIL.iter().enumerate() {
        let secret = fake::github_pat(40 + index as u64);
        // A slash would end the name.
        let name = name.replace('/', "\u{2215}");
        let around = EVIL[index].replace('\n', " ");
        tree.write(&name, format!("{around} TOKEN={secret} {around}\n"));
        secrets.push(secret);
    }
    (tree, secrets)
}

fn is_obeyed(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[test]
fn what_is_cut_off_or_no_report_is_told_apart() {
    for (text, says) in [
        ("[1", "cut off"),
        ("[1]", "no record of a report, which is an object"),
        ("[{\"kind\": \"finding\", ", "cut off"),
    ] {
        let tree = Tree::new().with("r.json", text);
        let run = tree
            .run(&["report", "convert", "r.json", "--format", "text"])
            .ends_with(2);
        assert!(
            run.err.contains("r.json:1: ") && run.err.contains(says),
            "{}",
            run.err
        );
        assert!(!run.err.contains("enum"), "{}", run.err);
    }
}

#[test]
fn hostile_names_and_lines_are_harmless_in_every_format() {
    let (tree, secrets) = hostile();
    for format in FORMATS {
        let direct = tree.run(&["scan", "--format", format]).ends_with(1);
        let stored = tree.path().parent().unwrap().join(format!(
            "{}.json",
            tree.path().file_name().unwrap().to_string_lossy()
        ));
        let name = stored.to_str().unwrap();
        tree.run(&["scan", "--format", "json", "--output", name]);
        let converted = tree
            .run(&["report", "convert", name, "--format", format])
            .ends_with(0);
        fs::remove_file(&stored).unwrap();
        for out in [&direct, &converted] {
            for secret in &secrets {
                out.hides(secret);
            }
            assert!(!out.out.contains(is_obeyed), "{format}: {}", out.out);
            assert!(out.err.is_empty(), "{format}: {}", out.err);
            match format {
                "github" => {
                    for line in out.out.lines() {
                        assert!(
                            line.starts_with("::error file=") || line.starts_with("keysweep: "),
                            "{line}"
                        );
                        assert!(
                            line.starts_with("::error") || !line.contains("##["),
                            "{line}"
                        );
                        let properties = line.split("::").nth(1).unwrap_or_default();
                        let keys = properties.split(',').map(|p| p.split('=').next().unwrap());
                        assert!(
                            line.starts_with("keysweep: ")
                                || keys.eq(["error file", "line", "col", "endColumn", "title"]),
                            "{line}"
                        );
                    }
                }
                "junit" | "html" => assert!(!out.out.contains("<script>alert"), "{}", out.out),
                "csv" => assert!(!out.out.contains("\"=HYPERLINK"), "{}", out.out),
                "markdown" => {
                    for line in out.out.lines().filter(|line| line.contains("script")) {
                        assert!(line.starts_with("- at `<script>"), "{line}");
                    }
                    assert!(
                        out.out
                            .contains("``x` @team [a](b) | ![c](d) #1 &amp;.env:1``")
                            || out
                                .out
                                .contains("`` `x` @team [a](b) | ![c](d) #1 &amp;.env:1 ``"),
                        "{}",
                        out.out
                    );
                }
                _ => {}
            }
        }
    }
}

#[test]
fn every_format_says_what_to_do_next() {
    let tree = Tree::new().with("a.env", format!("TOKEN={}\n", fake::github_pat(3)));
    for format in FORMATS {
        let run = tree.run(&["scan", "--format", format]).ends_with(1);
        assert!(
            run.out.contains("Delete the token under"),
            "{format}: {}",
            run.out
        );
        let clean = tree.run(&["scan", "--format", format, "--exclude", "a.env"]);
        assert_eq!((clean.code, clean.out.is_empty()), (0, false), "{format}");
    }
}

/// A repository in which a secret was removed and another is still there.
fn repository() -> Repo {
    let fixture = Repo::new();
    fixture.commit_file("old.env", format!("TOKEN={}\n", fake::github_pat(1)));
    fixture.commit_file("old.env", "TOKEN=\n");
    let line = format!(
        "é key = \"{}\" # {}\n",
        fake::npm_token(2),
        fake::github_pat(1)
    );
    fixture.commit_file("src/kept é.js", line);
    fixture
}

#[test]
fn a_converted_report_is_the_direct_one() {
    let fixture = repository();
    let folder = fixture.path();
    for command in [&["git"][..], &["scan", "--history"], &["scan"]] {
        let direct = |format: &str| {
            run(
                &folder,
                &[command, &["--show-suppressed", "--format", format]].concat(),
            )
            .out
        };
        let file = fixture.beside("report");
        let name = file.to_str().unwrap();
        for source in ["json", "jsonl"] {
            fs::write(&file, direct(source)).unwrap();
            for format in TIMELESS {
                let converted = run(&folder, &["report", "convert", name, "--format", format]);
                assert_eq!(
                    converted.ends_with(0).out,
                    direct(format),
                    "{command:?} {source} {format}"
                );
            }
        }
    }
}

#[test]
fn json_to_jsonl_to_json_loses_nothing() {
    let fixture = repository();
    let folder = fixture.path();
    let json = run(&folder, &["scan", "--history", "--format", "json"]).out;
    let convert = |text: &str, format: &str| {
        let run = Run::of(
            program()
                .current_dir(&folder)
                .args(["report", "convert", "-", "--format", format])
                .write_stdin(text),
        );
        run.ends_with(0).out
    };
    let jsonl = convert(&json, "jsonl");
    assert_eq!(convert(&jsonl, "json"), json);
    assert_eq!(
        convert(&convert(&jsonl, "sarif"), "sarif"),
        convert(&json, "sarif")
    );
    let rows: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(rows.last().unwrap()["kind"], "summary");
    assert!(rows.last().unwrap()["finished"].is_string());
}

#[test]
fn a_report_with_secrets_is_redacted_again() {
    let secret = fake::github_pat(5);
    let tree = Tree::new().with(
        "a.env",
        format!("A={} TOKEN={secret}\n", fake::stripe_live(6)),
    );
    let shown = tree
        .run(&["scan", "--format", "json", "--show-secrets"])
        .out;
    assert!(shown.contains(&secret));
    tree.write("r.json", &shown);
    for format in FORMATS {
        let hidden = tree
            .run(&["report", "convert", "r.json", "--format", format])
            .ends_with(0);
        hidden.hides(&secret);
        hidden.hides(&fake::stripe_live(6));
    }
    let again = tree.run(&[
        "report",
        "convert",
        "r.json",
        "--format",
        "json",
        "--show-secrets",
    ]);
    assert_eq!(again.out, shown);
    let hidden = tree
        .run(&["report", "convert", "r.json", "--format", "sarif"])
        .out;
    fs::remove_file(tree.path().join("r.json")).unwrap();
    assert_eq!(hidden, tree.run(&["scan", "--format", "sarif"]).out);
}

#[test]
fn reports_of_two_folders_become_one() {
    let (shared, other) = (fake::github_pat(7), fake::npm_token(8));
    let tree = Tree::new()
        .with("one/a.env", format!("TOKEN={shared}\n"))
        .with("two/a.env", format!("TOKEN={shared}\nNPM={other}\n"));
    for folder in ["one", "two"] {
        tree.run(&[
            "scan",
            folder,
            "--format",
            "json",
            "--output",
            &format!("{folder}.json"),
        ]);
    }
    let merged = tree
        .run(&[
            "report", "merge", "one.json", "two.json", "--format", "jsonl",
        ])
        .ends_with(0);
    assert_eq!(merged.findings().len(), 2);
    assert_eq!(merged.paths(), ["one/a.env", "two/a.env"]);
    let summary = merged.summary();
    assert_eq!(
        (&summary["files"], &summary["findings"], &summary["root"]),
        (&2.into(), &2.into(), &"".into())
    );
    // The grouping does not count.
    let by = |order: &[&str], to: &str| {
        let mut arguments = vec!["report", "merge", "--format", "json", "--output", to];
        arguments.extend(order);
        tree.run(&arguments).ends_with(0);
        fs::read_to_string(tree.path().join(to)).unwrap()
    };
    by(&["one.json", "two.json"], "left.json");
    by(&["two.json", "one.json"], "right.json");
    assert_eq!(
        by(&["left.json", "one.json"], "x.json"),
        by(&["one.json", "right.json"], "y.json")
    );
}

#[test]
fn a_difference_fails_on_what_is_new() {
    let (first, second) = (fake::github_pat(9), fake::npm_token(10));
    let tree = Tree::new().with("a.env", format!("TOKEN={first}\n"));
    let scan = |to: &str| {
        tree.run(&[
            "scan",
            "--include",
            "*.env",
            "--format",
            "json",
            "--output",
            to,
        ])
    };
    scan("old.json");
    fs::rename(tree.path().join("a.env"), tree.path().join("moved.env")).unwrap();
    scan("moved.json");
    let same = tree
        .run(&["report", "diff", "old.json", "moved.json"])
        .ends_with(0);
    assert_eq!(same.out, "0 new, 0 gone, 1 unchanged\n");
    tree.write("moved.env", format!("NPM={second}\n"));
    scan("new.json");
    let diff = |arguments: &[&str]| {
        tree.run(&[&["report", "diff", "old.json", "new.json"], arguments].concat())
    };
    let text = diff(&[]).ends_with(1);
    for expected in [
        "new   ",
        "npm-",
        "next: ",
        "gone  critical  GitHub",
        "1 new, 1 gone, 0 unchanged",
    ] {
        assert!(text.out.contains(expected), "{expected}\n{}", text.out);
    }
    text.hides(&first);
    text.hides(&second);
    let json: Value = serde_json::from_str(&diff(&["--format", "json"]).ends_with(1).out).unwrap();
    assert_eq!(json["new"][0]["path"], "moved.env");
    assert_eq!(json["gone"][0]["rule"], "github-pat-classic");
    assert_eq!(json["unchanged"].as_array().map(Vec::len), Some(0));
    let markdown = diff(&["--format", "markdown"]).ends_with(1);
    assert!(
        markdown
            .out
            .starts_with("### keysweep: 1 new, 1 gone, 0 unchanged\n\nGone:\n\n- critical GitHub")
    );
    let back = tree.run(&["report", "diff", "new.json", "new.json", "--fail-on", "low"]);
    assert_eq!(back.code, 0);
    tree.write(
        "low.json",
        fs::read_to_string(tree.path().join("new.json"))
            .unwrap()
            .replace("\"severity\":\"critical\"", "\"severity\":\"low\"")
            .replace("\"severity\":\"high\"", "\"severity\":\"low\""),
    );
    assert_eq!(
        tree.run(&["report", "diff", "old.json", "low.json"]).code,
        0
    );
    assert_eq!(
        tree.run(&["report", "diff", "old.json", "low.json", "--fail-on", "low"])
            .code,
        1
    );
    let refused = diff(&["--format", "csv"]).ends_with(2);
    assert!(
        refused
            .err
            .contains("a difference is written as text, json, markdown"),
        "{}",
        refused.err
    );
}

#[test]
fn an_incomplete_report_casts_doubt_on_what_is_gone() {
    let tree = Tree::new().with("a.env", format!("TOKEN={}\n", fake::github_pat(11)));
    tree.run(&["scan", "a.env", "--format", "json", "--output", "old.json"]);
    tree.run(&[
        "scan", "missing", "--format", "json", "--output", "new.json",
    ])
    .ends_with(2);
    let diff = tree
        .run(&["report", "diff", "old.json", "new.json"])
        .ends_with(0);
    assert!(
        diff.out
            .contains("0 new, 1 gone, 0 unchanged\nnote: the new report is incomplete: "),
        "{}",
        diff.out
    );
    for format in [
        "text", "markdown", "github", "csv", "junit", "gitlab", "sarif",
    ] {
        let run = tree
            .run(&["report", "convert", "new.json", "--format", format])
            .ends_with(0);
        assert!(run.out.contains("missing"), "{format}: {}", run.out);
    }
}

#[test]
fn what_is_no_report_is_refused_with_file_line_and_mend() {
    let tree = Tree::new().with("a.env", format!("TOKEN={}\n", fake::github_pat(12)));
    tree.run(&["scan", "a.env", "--format", "jsonl", "--output", "r.jsonl"]);
    let report = fs::read_to_string(tree.path().join("r.jsonl")).unwrap();
    tree.write(
        "wrong.jsonl",
        report.replacen("\"severity\":\"critical\"", "\"severity\":\"huge\"", 1),
    );
    tree.write("cut.jsonl", report.lines().next().unwrap());
    for format in ["csv", "junit", "gitlab", "markdown", "github", "sonarqube"] {
        let name = format!("r.{format}");
        tree.run(&["scan", "a.env", "--format", format, "--output", &name]);
        let run = tree.run(&["report", "convert", &name]).ends_with(2);
        assert!(
            run.err.starts_with(&format!("keysweep: {name}: is ")),
            "{}",
            run.err
        );
        assert!(run.err.contains("--format json"), "{}", run.err);
    }
    for (name, message) in [
        (
            "wrong.jsonl",
            "keysweep: wrong.jsonl:1: no record of a report: `severity` is one of",
        ),
        (
            "cut.jsonl",
            "keysweep: cut.jsonl: has no summary at its end",
        ),
        (
            "none.json",
            "keysweep: none.json: the report cannot be read",
        ),
    ] {
        let run = tree.run(&["report", "convert", name]).ends_with(2);
        assert!(
            run.err.starts_with(message) && run.out.is_empty(),
            "{}",
            run.err
        );
    }
}

#[test]
fn the_page_for_a_browser_is_a_format() {
    let tree = Tree::new().with("a.env", format!("TOKEN={}\n", fake::github_pat(13)));
    tree.run(&["scan", "a.env", "--format", "json", "--output", "r.json"]);
    let run = tree.run(&["report", "html", "r.json"]);
    if FORMATS.contains(&"html") {
        assert_eq!(
            (run.code, run.out),
            (
                0,
                tree.run(&["report", "convert", "r.json", "--format", "html"])
                    .out
            )
        );
    } else {
        assert_eq!((run.code, run.out.as_str()), (2, ""));
    }
}

#[test]
fn the_schema_names_every_field_of_a_record() {
    let schema: Value =
        serde_json::from_str(&Tree::new().run(&["report", "schema"]).ends_with(0).out).unwrap();
    let fixture = repository();
    let report = run(
        &fixture.path(),
        &[
            "scan",
            "--history",
            "--show-suppressed",
            "--show-secrets",
            "--format",
            "json",
        ],
    );
    let rows: Vec<Value> = serde_json::from_str(&report.out).unwrap();
    let known = |what: &str, record: &Value| {
        for key in record.as_object().unwrap().keys() {
            let field = &schema["$defs"][what]["properties"][key];
            assert!(field.is_object(), "{what} has no {key}");
        }
        for key in schema["$defs"][what]["required"]
            .as_array()
            .into_iter()
            .flatten()
        {
            assert!(
                record.get(key.as_str().unwrap()).is_some(),
                "{what} lacks {key}"
            );
        }
    };
    assert!(rows.len() > 2);
    for row in &rows {
        known(row["kind"].as_str().unwrap(), row);
        for place in row["places"].as_array().into_iter().flatten() {
            known("place", place);
        }
        if row.get("commit").is_some() {
            known("commit", &row["commit"]);
        }
    }
}
