//! Files as people write them, and as they should not.
#![allow(
    clippy::unwrap_used,
    clippy::format_collect,
    reason = "a test that panics has failed, which is what it is for"
)]

use std::path::Path;

use super::*;
use crate::model::{Confidence, Severity};

const WHOLE: &str = r#"
fingerprint_salt = "00112233445566778899AABBCCDDEEFF"
baseline = "ci/accepted.toml"

[scan]
include = ["src/**"]
exclude = ["vendor",
    "*.lock"]
max_size = "10M"
no_ignore = true
threads = 2

[report]
format = "sarif"
min_confidence = "low"
fail_on = "critical"

[rules]
files = ["security/rules"]
no_builtin = false
enable = ["a", "b"]
disable = ["c"]

[[rule]]
id = "acme-key"
provider = "Acme"
name = "Acme key"
severity = "high"
confidence = "high"
literals = ["acme_"]
pattern = '{left}(?<secret>acme_[0-9a-z]{20}){right}'

[[allow]]
rule = "acme-key"
path = ["tests/**", "docs"]
regex = 'acme_0+'
target = "line"
reason = "made up"
owner = "platform"
expires = 2027-01-31

[[allow]]
commit = ["ABCDEF1", "0123456789012345678901234567890123456789"]
fingerprint = "0A29810e4e952131adbf7bec963da4cf"
stopword = "example"
path_regex = '^a/.*'
expires = "2027-02-01"
"#;

#[test]
fn every_key_is_read_with_its_line() {
    let file = ConfigFile::parse("x/keysweep.toml", WHOLE).unwrap();
    let salt = file.salt.as_ref().unwrap();
    assert_eq!((salt.value[0], salt.value[15], salt.line), (0, 0xFF, 2));
    assert_eq!(file.baseline.as_ref().unwrap().value, "ci/accepted.toml");
    let exclude: Vec<_> = file
        .scan
        .exclude
        .iter()
        .map(|at| (&*at.value, at.line))
        .collect();
    assert_eq!(exclude, [("vendor", 7), ("*.lock", 8)]);
    assert_eq!(file.scan.max_size.as_ref().unwrap().value, 10 << 20);
    assert_eq!(file.scan.threads.as_ref().unwrap().value, 2);
    let report = &file.report;
    assert_eq!(
        report.min_confidence.as_ref().unwrap().value,
        Confidence::Low
    );
    assert_eq!(report.fail_on.as_ref().unwrap().value, Severity::Critical);
    assert_eq!(file.rules.enable.len(), 2);
    let own = &file.own_rules.as_ref().unwrap().value.rules;
    assert_eq!(own[0].provider.as_deref(), Some("Acme"));
    let day = |text: &str| Some(text.parse().unwrap());
    assert_eq!(
        file.allow[0],
        AllowEntry {
            rules: vec!["acme-key".to_owned()],
            paths: vec!["tests/**".to_owned(), "docs".to_owned()],
            regexes: vec!["acme_0+".to_owned()],
            target: Target::Line,
            reason: Some("made up".to_owned()),
            owner: Some("platform".to_owned()),
            expires: day("2027-01-31"),
            file: "x/keysweep.toml".to_owned(),
            line: 33,
            ..AllowEntry::default()
        }
    );
    assert_eq!(file.allow[1].commits[0], "abcdef1");
    assert_eq!(
        file.allow[1].fingerprints[0],
        "0a29810e4e952131adbf7bec963da4cf"
    );
    assert_eq!(file.allow[1].expires, day("2027-02-01"));
    let keys: Vec<_> = file.run_wide().into_iter().map(|(key, _)| key).collect();
    assert!(keys.contains(&"[[rule]]") && keys.len() == 12, "{keys:?}");
    assert!(
        ConfigFile::parse("empty", "")
            .unwrap()
            .run_wide()
            .is_empty()
    );
}

#[test]
fn each_mistake_names_its_line_and_the_mend() {
    for (text, line, says) in [
        (
            "[scan]\nexlude = []",
            2,
            "unknown key `exlude` in [scan]; did you mean `exclude`?",
        ),
        ("zzzzzz = 1", 1, "known are fingerprint_salt, baseline"),
        (
            "[scan]\n\nexclude = 3",
            3,
            "write a text in quotes, or a list",
        ),
        (
            "[scan]\nexclude = [1]",
            2,
            "is integer; write a text in quotes, or a list of them",
        ),
        ("[scan]\nexclude = [\"[\"]", 2, "is no glob"),
        ("[scan]\nexclude = [\"\"]", 2, "fill it in, or leave it out"),
        ("[scan]\nthreads = 0", 2, "a whole number from 1 to 1024"),
        ("[scan]\nthreads = -1", 2, "a whole number from 1 to 1024"),
        ("[scan]\nmax_size = \"ten\"", 2, "such as 10M"),
        ("[scan]\nno_ignore = 1", 2, "write true or false"),
        ("scan = 1", 1, "write a table, [scan]"),
        ("[report]\nfail_on = \"hihg\"", 2, "did you mean \"high\"?"),
        (
            "[report]\nmin_confidence = \"critical\"",
            2,
            "one of \"low\", \"medium\", \"high\"",
        ),
        (
            "fingerprint_salt = \"12\"",
            1,
            "is not 32 hexadecimal digits",
        ),
        ("baseline = \"../x\"", 1, "without `..`"),
        ("baseline = \"/etc/x\"", 1, "leads out of the folder"),
        (
            "[rules]\nfiles = [\"a/../../b\"]",
            2,
            "leads out of the folder",
        ),
        (
            "[[allow]]\nreason = \"x\"",
            1,
            "names nothing that it accepts",
        ),
        ("\n[[allow]]\npath = []", 2, "names nothing that it accepts"),
        (
            "[[allow]]\nregex = \"(\"",
            2,
            "is no regular expression: unclosed group",
        ),
        (
            "[[allow]]\nregex = '(?:a{1000}){1000}'",
            2,
            "make its repetitions smaller",
        ),
        (
            "[[allow]]\nregex = 'a'\ntarget = \"lines\"",
            3,
            "did you mean \"line\"?",
        ),
        ("[[allow]]\ncommit = \"abc\"", 2, "7 hexadecimal digits"),
        (
            "[[allow]]\nfingerprint = \"abc\"",
            2,
            "32 hexadecimal digits",
        ),
        (
            "[[allow]]\nrule = \"a\"\nexpires = \"soon\"",
            3,
            "such as 2027-01-31",
        ),
        (
            "[[allow]]\nrule = \"a\"\nexpires = 12:00:00",
            3,
            "a day, such as 2027-01-31",
        ),
        (
            "[[allow]]\nrule = \"a\"\nresaon = \"x\"",
            3,
            "did you mean `reason`?",
        ),
        ("[allow]\nrule = \"a\"", 1, "[[allow]] in double brackets"),
        ("a = \n", 1, ""),
        ("[scan]\nthreads = 1\nthreads = 2", 3, "duplicate key"),
        (
            "[[rule]]\nid = \"a\"\nnaem = \"x\"",
            3,
            "unknown field `naem`; did you mean `name`?",
        ),
    ] {
        let errors = ConfigFile::parse("k.toml", text).unwrap_err();
        assert_eq!(errors[0].line, line, "{text}\n{errors:?}");
        assert!(errors[0].message.contains(says), "{text}\n{errors:?}");
        assert_eq!(errors.len(), 1, "{text}\n{errors:?}");
    }
}

#[test]
fn what_is_wrong_is_told_at_once_and_in_order() {
    let errors = ConfigFile::parse("k", "[report]\nfail_on = 1\n[scan]\nx = 1\nthreads = \"a\"")
        .unwrap_err();
    let lines: Vec<_> = errors.iter().map(|error| error.line).collect();
    assert_eq!(lines, [2, 4, 5]);
    let many: String = (0..100).map(|n| format!("key{n} = 1\n")).collect();
    assert_eq!(ConfigFile::parse("k", &many).unwrap_err().len(), 20);
}

#[test]
fn what_would_take_too_long_is_refused() {
    let rule = |n: usize, literals: &str| {
        format!(
            "[[rule]]\nid = \"r-{n}\"\nname = \"n\"\nseverity = \"low\"\nconfidence = \"low\"\nliterals = [{literals}]\npattern = '(?<secret>abc[0-9]{{9}})'\n"
        )
    };
    let rules: String = (0..301).map(|n| rule(n, "\"abc\"")).collect();
    let errors = ConfigFile::parse("k", &rules).unwrap_err();
    assert!(
        errors[0].message.contains("more than 300 rules"),
        "{errors:?}"
    );
    let literals: Vec<String> = (0..1001).map(|n| format!("\"abc{n}\"")).collect();
    let errors = ConfigFile::parse("k", &rule(0, &literals.join(","))).unwrap_err();
    assert!(
        errors[0].message.contains("more than 1000 literals"),
        "{errors:?}"
    );
    let long = format!("[[rule]]\nid = \"r\"\npattern = '{}'\n", "a".repeat(9000));
    for error in [
        ConfigFile::parse("k", &long).unwrap_err().remove(0),
        rule_file("k", &format!("provider = \"x\"\n{long}")).unwrap_err(),
    ] {
        assert!(error.message.contains("longer than 8192 bytes"), "{error}");
    }
    let regexes = vec!["\"a\""; 1001].join(",");
    let errors = ConfigFile::parse("k", &format!("[[allow]]\nregex = [{regexes}]")).unwrap_err();
    assert!(
        errors[0]
            .message
            .contains("more than 1000 regular expressions"),
        "{errors:?}"
    );
}

#[test]
fn globs_match_names_anywhere_and_folders_with_all_in_them() {
    for (glob, path, wanted) in [
        ("vendor", "vendor", true),
        ("vendor", "a/vendor/b/c", true),
        ("vendor/", "a/vendor/b", true),
        ("vendor", "vendors/b", false),
        ("*.lock", "a/b.lock", true),
        ("docs/*.md", "docs/a/b.md", true),
        ("docs/*.md", "x/docs/a.md", false),
        ("./src", "src/a", true),
        ("a/b", "a/b/c", true),
        ("a/b", "x/a/b", false),
    ] {
        let set = globs(&[glob]).unwrap().unwrap();
        assert_eq!(set.is_match(Path::new(path)), wanted, "{glob} {path}");
    }
    assert!(globs::<&str>(&[]).unwrap().is_none());
    assert!(globs(&["a{b"]).is_err() && globs(&["/"]).is_err());
}

#[test]
fn scopes_hold_below_their_folders() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("keysweep.toml", "[scan]\nexclude = [\"out\"]");
    write(
        "a/b/keysweep.toml",
        "[rules]\ndisable = [\"x\"]\n[scan]\ninclude = [\"*.env\"]",
    );
    write("bad/keysweep.toml", "[scan]\nexlude = []");
    let mut folders = Folders::new(true);
    folders.add_root(&root, Vec::new());
    assert_eq!(folders.chain(&root.join("a")).len(), 1);
    let chain = folders.chain(&root.join("a/b/gone/away"));
    assert_eq!(chain.len(), 2);
    assert!(chain[0].excludes(&root.join("a/out/x")) && !chain[0].excludes(&root));
    assert!(chain[1].misses(&root.join("a/b/c.txt")) && !chain[1].misses(&root.join("a/b/c.env")));
    assert!(!chain[1].misses(&root.join("a/c.txt")));
    assert_eq!(chain[1].disables("x"), Some(2));
    assert_eq!(chain[1].file.name, "a/b/keysweep.toml");
    assert_eq!(folders.chain(&root.join("bad")).len(), 1);
    assert_eq!(folders.problems()[0].path, "bad/keysweep.toml");
    assert!(folders.chain(Path::new("/")).is_empty());
    let mut blind = Folders::new(false);
    blind.add_root(&root, Vec::new());
    assert!(blind.chain(&root.join("a/b")).is_empty());
}

#[cfg(unix)]
#[test]
fn a_link_is_not_followed_and_a_folder_behind_one_not_entered() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap().join("tree");
    let outside = folder.path().join("outside");
    for path in [&root, &outside] {
        std::fs::create_dir(path).unwrap();
    }
    std::fs::write(outside.join(NAME), "[rules]\ndisable = [\"x\"]").unwrap();
    std::os::unix::fs::symlink(&outside, root.join("link")).unwrap();
    std::os::unix::fs::symlink(outside.join(NAME), root.join(NAME)).unwrap();
    let mut folders = Folders::new(true);
    folders.add_root(&root, Vec::new());
    assert!(folders.chain(&root.join("link/below")).is_empty());
    let problems = folders.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].message.contains("symbolic link"),
        "{problems:?}"
    );
    assert!(read(&root.join(NAME), true).unwrap().is_some());
    assert!(read(&root, false).unwrap_err().contains("no regular file"));
    assert_eq!(read(&root.join("none"), false), Ok(None));
    let long = root.join("long");
    std::fs::write(&long, vec![b'#'; MOST_BYTES as usize + 1]).unwrap();
    assert!(
        read(&long, false)
            .unwrap_err()
            .contains("longer than 1024 KiB")
    );
    std::fs::write(&long, b"a = \"\xFF\"").unwrap();
    assert!(
        read(&long, false)
            .unwrap_err()
            .contains("not UTF-8 from byte 5")
    );
}
