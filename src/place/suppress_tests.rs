use super::*;
use crate::config::Target;
use crate::model::{Credential, Oid, Position, Secret, Severity, Snippet, Span};

const SECRET: &str = "Correct-Horse";

fn place(path: &str) -> Place {
    Place {
        path: path.as_bytes().to_vec(),
        start: Position { line: 1, column: 1 },
        end: Position {
            line: 1,
            column: 14,
        },
        span: Span { start: 0, end: 13 },
        snippet: Snippet {
            text: Secret::new(format!("pass = {SECRET} # sample").as_bytes(), ""),
            secret: (7, 20),
            matched: (0, 20),
            line: None,
            hidden: Vec::new(),
            encoded: None,
            told: None,
        },
        decoded_from: Vec::new(),
        score: if path.starts_with("docs") { 0.5 } else { 0.9 },
        dropped: None,
        origin: Origin::Content,
        blob: None,
        commit: None,
        lapsed: None,
        covered: None,
    }
}

fn finding(places: Vec<Place>) -> Finding {
    Finding {
        rule: "generic-password".into(),
        name: String::new(),
        provider: String::new(),
        severity: Severity::High,
        score: 0.9,
        credential: Credential::new(Secret::new(SECRET.as_bytes(), ""), Vec::new()),
        entropy: 3.0,
        fingerprint: Fingerprint([0xAB; 16]),
        places,
        history: None,
        opens: Vec::new(),
        owners: Vec::new(),
        remedy: String::new(),
        console: String::new(),
        link: String::new(),
        verification: None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as the functions take it")]
fn today() -> Option<Date> {
    Some("2026-06-01".parse().expect("it is right"))
}

fn run(scopes: Vec<Scope>, findings: Vec<Finding>) -> (Applied, Suppressions) {
    let suppressions = Suppressions::new(scopes, None).expect("it is right");
    let locate = |place: &Place| Some(place.path.clone());
    let applied = apply(findings, Vec::new(), &suppressions, &locate, today());
    (applied, suppressions)
}

fn entry() -> AllowEntry {
    AllowEntry {
        file: "keysweep.toml".into(),
        line: 7,
        ..AllowEntry::default()
    }
}

fn scope(folder: &str, entry: AllowEntry) -> Vec<Scope> {
    vec![Scope {
        folder: folder.into(),
        above: String::new(),
        entries: vec![entry],
    }]
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|v| (*v).to_owned()).collect()
}

/// Whether one entry at the root suppresses a finding in `src/a/app.env`, brought by a commit.
fn allows(entry: AllowEntry) -> bool {
    let mut at = place("src/a/app.env");
    at.commit = Some(Oid::new([0x1A; 20]));
    let (applied, _) = run(scope("", entry), vec![finding(vec![at])]);
    assert_eq!(applied.kept.len() + applied.dropped.len(), 1);
    applied.kept.is_empty()
}

#[test]
fn each_criterion_alone() {
    let with = |change: fn(&mut AllowEntry, Vec<String>), value: &str| {
        let mut one = entry();
        change(&mut one, texts(&["no-such", value]));
        allows(one)
    };
    assert!(with(|e, v| e.rules = v, "generic-password"));
    assert!(!with(|e, v| e.rules = v, "generic"));
    for (glob, expected) in [
        ("*.env", true),
        ("app.env", true),
        ("src", true),
        ("src/a/", true),
        ("src/*.env", true),
        ("/app.env", false),
        ("/src", true),
        ("a", true),
        ("app", false),
        ("src/b", false),
    ] {
        assert_eq!(with(|e, v| e.paths = v, glob), expected, "{glob}");
    }
    assert!(with(|e, v| e.path_regexes = v, r"^src/.*\.env$"));
    assert!(!with(|e, v| e.path_regexes = v, r"^app"));
    assert!(with(|e, v| e.regexes = v, "^Correct"));
    assert!(!with(|e, v| e.regexes = v, "sample"));
    assert!(with(
        |e, v| {
            e.regexes = v;
            e.target = Target::Line;
        },
        "sample$"
    ));
    assert!(with(
        |e, v| {
            e.regexes = v;
            e.target = Target::Match;
        },
        "^pass = .*Horse$"
    ));
    assert!(!with(
        |e, v| {
            e.regexes = v;
            e.target = Target::Match;
        },
        "sample"
    ));
    assert!(with(|e, v| e.stopwords = v, "hORSE"));
    assert!(!with(|e, v| e.stopwords = v, "donkey"));
    assert!(with(|e, v| e.commits = v, "1a1a1a1"));
    assert!(!with(|e, v| e.commits = v, "1a1a1"));
    let print = |digits: &str| {
        let mut one = entry();
        one.fingerprints = vec![digits.repeat(16)];
        allows(one)
    };
    assert!(print("ab") && print("AB") && !print("ac"));
}

#[test]
fn criteria_are_joined_by_and() {
    let mut both = entry();
    both.rules = texts(&["generic-password"]);
    both.paths = texts(&["*.env"]);
    assert!(allows(both.clone()));
    both.stopwords = texts(&["donkey"]);
    assert!(!allows(both));
}

#[test]
fn an_entry_holds_below_its_folder_alone() {
    let mut all = entry();
    all.paths = texts(&["*.env"]);
    let places = || vec![place("docs/a.env"), place("src/a.env"), place("src2/a.env")];
    let (applied, _) = run(scope("src", all.clone()), vec![finding(places())]);
    let kept = &applied.kept[0].places;
    let open: Vec<_> = kept.iter().filter(|p| p.dropped.is_none()).collect();
    assert_eq!(open.len(), 2);
    let last = kept.last().expect("it is right");
    assert_eq!(last.path, b"src/a.env");
    assert_eq!(
        last.dropped.as_deref(),
        Some("suppressed by keysweep.toml:7")
    );
    all.paths = texts(&["/a.env"]);
    let (applied, _) = run(scope("src", all), vec![finding(vec![place("src/b/a.env")])]);
    assert_eq!(applied.kept.len(), 1);
}

#[test]
fn the_score_is_that_of_what_still_counts() {
    let mut src = entry();
    src.paths = texts(&["src"]);
    let places = vec![place("src/a"), place("docs/a")];
    let (applied, _) = run(scope("", src), vec![finding(places)]);
    assert!((applied.kept[0].score - 0.5).abs() < f32::EPSILON);
    assert_eq!(applied.kept[0].places[0].path, b"docs/a");
}

#[test]
fn a_message_has_no_path() {
    let mut all = entry();
    all.paths = texts(&["*"]);
    let mut at = place("");
    at.origin = Origin::Commit;
    let (applied, _) = run(scope("", all.clone()), vec![finding(vec![at.clone()])]);
    assert_eq!(applied.kept.len(), 1);
    all.paths.clear();
    all.fingerprints = vec!["ab".repeat(16)];
    let (applied, _) = run(scope("", all), vec![finding(vec![at])]);
    assert_eq!(applied.dropped.len(), 1);
}

#[test]
fn what_is_over_is_named_and_does_not_suppress() {
    let mut old = entry();
    old.rules = texts(&["generic-password"]);
    old.expires = Some("2026-05-31".parse().expect("it is right"));
    let (applied, all) = run(scope("", old.clone()), vec![finding(vec![place("a")])]);
    let lapsed = applied.kept[0].places[0].lapsed.as_deref();
    assert_eq!(lapsed, Some("keysweep.toml:7 expired on 2026-05-31"));
    assert_eq!(
        all.idle(&applied.used, true, today())[0].reason,
        "expired on 2026-05-31"
    );
    old.expires = today();
    let (applied, all) = run(scope("", old), vec![finding(vec![place("a")])]);
    assert_eq!(applied.dropped.len(), 1);
    assert_eq!(all.idle(&applied.used, true, today()), []);
}

#[test]
fn owner_day_and_reason_are_told() {
    let mut one = entry();
    one.rules = texts(&["generic-password"]);
    one.owner = Some("ann".into());
    one.reason = Some("a sandbox".into());
    one.expires = Some("2027-01-31".parse().expect("it is right"));
    let (applied, _) = run(scope("", one), vec![finding(vec![place("a")])]);
    assert_eq!(
        applied.dropped[0].places[0].dropped.as_deref(),
        Some("suppressed by keysweep.toml:7 (owner ann, until 2027-01-31: a sandbox)")
    );
}

#[test]
fn bad_entries_name_file_and_line() {
    let bad = |change: fn(&mut AllowEntry)| {
        let mut one = entry();
        change(&mut one);
        Suppressions::new(scope("", one), None)
            .expect_err("it is wrong")
            .to_string()
    };
    for text in [
        bad(|_| ()),
        bad(|e| e.paths = texts(&["a["])),
        bad(|e| e.regexes = texts(&["("])),
        bad(|e| e.path_regexes = texts(&["(?=a)"])),
        bad(|e| e.regexes = texts(&["a{1000}{1000}{1000}"])),
        bad(|e| e.fingerprints = texts(&["1234"])),
    ] {
        assert!(text.starts_with("keysweep.toml:7: "), "{text}");
    }
}

#[test]
fn a_comment_in_the_working_tree_covers_the_past() {
    let mut marked = place("a.env");
    marked.dropped = Some("suppressed by `keysweep:allow`".into());
    let mut past = place("old.env");
    past.blob = Some(Oid::new([1; 20]));
    let (applied, _) = run(vec![], vec![finding(vec![past.clone(), marked.clone()])]);
    assert_eq!(applied.dropped.len(), 1);
    // Not where the tree holds it without a mark, too.
    let (applied, _) = run(vec![], vec![finding(vec![past, marked, place("b.env")])]);
    assert_eq!(applied.kept.len(), 1);
}
