//! Rules without literals, which are searched for in every byte, and rules with keywords.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use keysweep::rule::{RuleSet, Selection, parse};
use keysweep::scan::{Engine, Limits, Scratch};
use proptest::prelude::*;

use crate::support::{Run, Tree, program};

/// Matches of one line, of several, and of files that hold a keyword.
pub(crate) const RULES: &str = r#"provider = "Far"
[[rule]]
id = "far-run"
name = "Run of digits"
severity = "medium"
confidence = "high"
everywhere = true
pattern = '(?<secret>[0-9]{3,6})'
placeholder = false
[[rule]]
id = "far-apart"
name = "Two words on lines that follow each other"
severity = "medium"
confidence = "high"
everywhere = true
pattern = '[a-d]{3}\s{1,40}(?<secret>[a-h]{3,9})'
placeholder = false
[[rule]]
id = "far-gated"
name = "Word in a file that holds another"
severity = "medium"
confidence = "high"
everywhere = true
keywords = ["AWS_access"]
pattern = '\<(?<secret>[e-h]{3,8})\>'
placeholder = false
[[rule]]
id = "near-gated"
name = "Word with a literal in a file that holds another"
severity = "medium"
confidence = "high"
literals = ["half="]
keywords = ["data: ", "zz"]
pattern = 'half=(?<secret>[0-9A-Za-z_]{4,90})'
placeholder = false
"#;

fn engine() -> Engine {
    let selection = Selection {
        parsed: vec![("far.toml".to_owned(), parse("far.toml", RULES).unwrap())],
        no_builtin: true,
        ..Selection::default()
    };
    Engine::new(RuleSet::load(&selection).unwrap()).unwrap()
}

/// Rule, start and end of what begins in a range of a text, the text cut to the context that the engine asks for.
fn matches(
    engine: &Engine,
    text: &[u8],
    start: usize,
    end: usize,
) -> BTreeSet<(String, usize, usize)> {
    let from = start.saturating_sub(engine.overlap());
    let to = (end + engine.overlap()).min(text.len());
    let mut all = BTreeSet::new();
    engine.scan(
        &text[from..to],
        start - from..end - from,
        false,
        Limits::default(),
        &mut Scratch::default(),
        |found| {
            let rule = engine.rules().rule(found.rule).unwrap();
            let span = found.span;
            all.insert((
                rule.spec().id.to_string(),
                span.start + from,
                span.end + from,
            ));
        },
    );
    all
}

fn secrets(text: &str) -> Vec<String> {
    let engine = engine();
    let all = matches(&engine, text.as_bytes(), 0, text.len()).into_iter();
    all.map(|(rule, start, end)| format!("{rule} {}", &text[start..end]))
        .collect()
}

#[test]
fn every_match_is_found_and_what_is_too_short_is_none() {
    let found = secrets("12 123 1234567890\nabc\nfgh 55");
    let wanted = [
        "far-apart fgh",
        "far-run 123",
        "far-run 123456",
        "far-run 7890",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn a_keyword_opens_the_file_in_any_case() {
    assert!(secrets("efgh half=abcd\n").is_empty());
    let found = secrets("efgh half=abcd\n# aws_ACCESS DATA: \n");
    assert_eq!(found, ["far-gated efgh", "near-gated abcd"]);
}

#[test]
fn more_matches_than_the_limit_are_told() {
    let engine = engine();
    let text = "1234 ".repeat(500);
    let limits = Limits {
        matches: 100,
        ..Limits::default()
    };
    let mut scratch = Scratch::default();
    let mut count = 0;
    let all = 0..text.len();
    engine.scan(text.as_bytes(), all, false, limits, &mut scratch, |_| {
        count += 1;
    });
    assert_eq!((count, scratch.unseen), (100, Some(500)));
}

#[test]
fn each_source_finds_the_same() {
    let address = "address 203.0.113.77 here\n";
    let rules = "[[rule]]\nid = \"own-address\"\nname = \"Address\"\nseverity = \"high\"\nconfidence = \"high\"\neverywhere = true\nkeywords = [\"HERE\"]\npattern = '(?<secret>[0-9]{1,3}(?:\\.[0-9]{1,3}){3})'\n";
    let tree = Tree::new()
        .with("keysweep.toml", rules)
        .with("a/b.txt", format!("{address}and 203.0.113.78\n"));
    let places = |run: &Run| -> Vec<(String, u64)> {
        let mut all: Vec<(String, u64)> = run
            .findings()
            .iter()
            .map(|f| {
                let rule = f["rule"].as_str().unwrap().to_owned();
                (rule, f["line"].as_u64().unwrap())
            })
            .collect();
        all.sort();
        all
    };
    let wanted = [("own-address".to_owned(), 1), ("own-address".to_owned(), 2)];
    let run = tree.scan(&[]).ends_with(1);
    assert_eq!(places(&run), wanted, "{}", run.out);
    run.hides("203.0.113.7");
    let mut command = program();
    let command = command.current_dir(tree.path());
    command.args(["scan", "--format", "jsonl", "-"]);
    let run = Run::of(command.write_stdin(format!("{address}and 203.0.113.78\n")));
    assert_eq!(places(&run), wanted, "{}{}", run.out, run.err);
    let repository = tree.repository();
    let mut index = repository.index().unwrap();
    let all = git2::IndexAddOption::DEFAULT;
    index.add_all(["*"], all, None).unwrap();
    index.write().unwrap();
    let run = tree
        .run(&["git", "--staged", "--format", "jsonl"])
        .ends_with(1);
    assert_eq!(places(&run), wanted, "{}", run.out);
    tree.commit("one");
    for engine in ["delta", "whole"] {
        let run = tree
            .run(&["git", "--format", "jsonl", "--no-cache", "--engine", engine])
            .ends_with(1);
        assert_eq!(places(&run), wanted, "{engine}: {}", run.out);
    }
    let run = tree.run(&["scan", "--explain", "a/b.txt:2"]).ends_with(0);
    assert!(run.out.contains("own-address: 2:5 kept"), "{}", run.out);
    let run = tree
        .run(&["rules", "show", "own-address", "--rules", "keysweep.toml"])
        .ends_with(0);
    assert!(
        run.out.contains("none: searched for in every byte"),
        "{}",
        run.out
    );
}

#[test]
fn a_big_file_is_searched_in_windows_with_its_keyword_anywhere() {
    // The keyword stands at the end alone, what it opens in every window, and across their edges.
    let mut text = String::new();
    while text.len() < 9 << 20 {
        let _ = writeln!(text, "{:>60} {:06}", "-", text.len() % 999_983);
    }
    let rules = "provider = \"Own\"\n[[rule]]\nid = \"own-number\"\nname = \"Number\"\nseverity = \"high\"\nconfidence = \"high\"\neverywhere = true\nkeywords = [\"the end\"]\npattern = '(?<secret>[0-9]{5}7)'\nplaceholder = false\n";
    let lines = |text: &str| -> usize { text.lines().filter(|l| l.ends_with('7')).count() };
    let tree = Tree::new()
        .with("own.toml", rules)
        .with("none.txt", &text)
        .with("big.txt", format!("{text}THE END\n"));
    let arguments = ["--rules", "own.toml", "--no-builtin-rules"];
    let run = tree
        .scan(&[&arguments[..], &["none.txt"]].concat())
        .ends_with(0);
    assert!(run.findings().is_empty());
    let run = tree
        .scan(&[&arguments[..], &["big.txt"]].concat())
        .ends_with(1);
    let places = run.findings().into_iter();
    let places: usize = places.map(|f| f["places"].as_array().unwrap().len()).sum();
    assert_eq!(places, lines(&text), "{}", run.err);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn windows_give_what_the_whole_gives(
        parts in proptest::collection::vec(("[0-9]{1,20}|[a-h]{1,12}|[ \n]{1,9}", 1..400usize), 0..60),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let engine = engine();
        // Without the keyword's rules: each piece is asked by itself here.
        let text: String = parts.iter().map(|(part, times)| part.repeat(1 + times / 40)).collect();
        let text = text.as_bytes();
        let mut edges: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        edges.extend([0, text.len()]);
        edges.sort_unstable();
        let pieces: BTreeSet<_> = edges
            .windows(2)
            .flat_map(|pair| matches(&engine, text, pair[0], pair[1]))
            .collect();
        prop_assert_eq!(matches(&engine, text, 0, text.len()), pieces);
    }
}
