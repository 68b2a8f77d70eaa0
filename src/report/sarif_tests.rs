use super::super::sample;
use super::*;
use crate::model::{Secret, Summary};
use crate::report::Options;

fn written(
    findings: &[Finding],
    dropped: &[Finding],
    summary: &Summary,
    options: Options,
) -> Value {
    let text = sample::written(&Sarif, findings, dropped, summary, options);
    serde_json::from_str(&text).expect("JSON")
}

fn usual() -> Value {
    let token = sample::token();
    let dropped = [sample::dropped(
        &token,
        sample::place(b"x", 1, &token, &token),
        "suppressed by `keysweep:allow`",
    )];
    let options = Options {
        show_suppressed: true,
        ..Options::default()
    };
    written(&sample::findings(), &dropped, &sample::summary(), options)
}

/// A file that is renamed, or a line that moves, makes no new finding where reports are collected.
#[test]
fn a_secret_is_known_by_itself_and_only_once() {
    let token = sample::token();
    let with = |path: &[u8], line| {
        let place = sample::place(path, line, &token, &token);
        let dropped = [sample::dropped(
            &token,
            sample::place(b"accepted", 1, &token, &token),
            "suppressed by `keysweep:allow`",
        )];
        let options = Options {
            show_suppressed: true,
            ..Options::default()
        };
        let findings = [sample::finding(&token, vec![place])];
        let log = written(&findings, &dropped, &Summary::default(), options);
        log["runs"][0]["results"].clone()
    };
    let (old, new) = (with(b"old", 1), with(b"sub/new", 7));
    assert_eq!(old.as_array().map(Vec::len), Some(2));
    let print = old[0]["fingerprints"]["keysweep/v1"]
        .as_str()
        .expect("a fingerprint");
    assert_eq!(old[0]["partialFingerprints"]["keysweep/v1"], print);
    assert_eq!(old[0]["fingerprints"], new[0]["fingerprints"]);
    assert_ne!(
        old[0]["partialFingerprints"]["primaryLocationLineHash"],
        new[0]["partialFingerprints"]["primaryLocationLineHash"]
    );
    assert_eq!(old[1]["partialFingerprints"]["keysweep/v1"], print);
    assert!(old[1].get("fingerprints").is_none());
}

#[test]
fn what_github_requires_is_there() {
    let log = usual();
    assert_eq!(
        (&log["$schema"], &log["version"]),
        (&json!(SCHEMA), &json!("2.1.0"))
    );
    let run = &log["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let driver = &run["tool"]["driver"];
    for key in ["name", "version", "semanticVersion"] {
        assert!(driver[key].as_str().is_some_and(|s| !s.is_empty()), "{key}");
    }
    // No address is made up: viewers would follow it.
    let address = driver
        .get("informationUri")
        .map_or("", |uri| uri.as_str().expect("text"));
    assert_eq!(address, env!("CARGO_PKG_REPOSITORY"));
    let rules = driver["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), 2);
    for rule in rules {
        let texts = [
            "/id",
            "/name",
            "/shortDescription/text",
            "/fullDescription/text",
            "/help/text",
            "/help/markdown",
            "/helpUri",
        ];
        for key in texts {
            assert!(
                rule.pointer(key)
                    .and_then(Value::as_str)
                    .is_some_and(|s| !s.is_empty()),
                "{key}"
            );
        }
        assert_eq!(
            rule["properties"]["tags"],
            json!(["security", "secret", "external/cwe/cwe-798"])
        );
    }
    assert_eq!(rules[0]["properties"]["security-severity"], "9.5");
    assert_eq!(rules[1]["defaultConfiguration"]["level"], "note");
    let results = run["results"].as_array().expect("results");
    for result in results {
        let index =
            usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(result["partialFingerprints"]["keysweep/v1"].is_string());
        let hash = result["partialFingerprints"]["primaryLocationLineHash"]
            .as_str()
            .expect("a hash");
        assert!(hash.len() == 18 && hash.ends_with(":1"));
    }
    assert_eq!(results[0]["level"], "error");
    assert_eq!(
        results[0]["relatedLocations"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(results[2]["suppressions"][0]["kind"], "inSource");
    assert_eq!(results[1].get("suppressions"), None);
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(
        invocation["toolExecutionNotifications"][0]["level"],
        "warning"
    );
}

#[test]
fn columns_count_code_points() {
    let log = usual();
    let region = &log["runs"][0]["results"][1]["locations"][0]["physicalLocation"]["region"];
    // `é` takes two bytes and one column.
    assert_eq!(
        (&region["startColumn"], &region["endColumn"]),
        (&json!(20), &json!(32))
    );
    let mut place = sample::place(b"a", 1, "éé=abcd", "abcd");
    place.start.column += 100;
    place.end.column += 100;
    assert_eq!(code_point_columns(&place), (106, 110));
    place.snippet.text = Secret::new(b"", "");
    assert_eq!(code_point_columns(&place), (106, 110));
}

#[test]
fn uris_are_relative_and_encoded() {
    assert_eq!(uri(b"./a b/\xC3\xBC%.env"), "a%20b/%C3%BC%25.env");
    assert_eq!(uri(b"a:b\xFF"), "a%3Ab%FF");
    assert_eq!(
        (uri(b"/etc/x"), uri(b"")),
        ("file:///etc/x".to_owned(), "-".to_owned())
    );
    let text = usual().to_string();
    assert!(
        !text.contains("<script>") && !text.contains('\u{202e}') && text.contains("%3Cscript%3E")
    );
}

#[test]
fn no_secret_shows() {
    let text = usual().to_string();
    assert!(
        !text.contains(&sample::token()) && !text.contains("Z2hwXzRm") && !text.contains("s3cret")
    );
}

#[test]
fn descriptions_are_cut() {
    assert_eq!(cut("äbcdef".to_owned(), 4), "äbc…");
    assert_eq!(cut("äbcd".to_owned(), 4), "äbcd");
}

fn historical() -> Value {
    let summary = sample::history_summary();
    written(&sample::historical(), &[], &summary, Options::default())
}

#[test]
fn history_is_in_properties_and_the_revision_in_the_run() {
    let log = historical();
    let run = &log["runs"][0];
    assert_eq!(
        run["versionControlProvenance"],
        json!([{
            "repositoryUri": "file:.",
            "revisionId": "2b".repeat(20),
            "branch": "main-ghp_… (40 bytes)\\u{1b}",
        }])
    );
    let counts = &run["invocations"][0]["properties"];
    assert_eq!(
        (&counts["commits"], &counts["objects"]),
        (&json!(87_432), &json!(497_109))
    );
    let kept = &run["results"][0];
    assert_eq!(
        kept["properties"],
        json!({
            "commit": "1a".repeat(20),
            "confidence": "high",
            "entropy": 4.71,
            "more_refs": 3,
            "refs": ["refs/heads/ghp_… (40 bytes)", "refs/heads/dev", "refs/heads/main"],
            "secret": "ghp_… (40 bytes)",
            "severity": "critical",
            "tips": ["refs/heads/main", "refs/tags/v1"],
            "date": "2024-03-02T09:30:00Z",
            "exposed_days": 1214,
            "in_head": true,
            "introductions": 2,
            "last_commit": "2b".repeat(20),
        })
    );
    assert_eq!(
        (&kept["level"], &run["results"][1]["level"]),
        (&json!("error"), &json!("warning"))
    );
    let plain = usual();
    let run = &plain["runs"][0];
    assert_eq!(run.get("versionControlProvenance"), None);
    assert_eq!(run["results"][0]["properties"].get("in_head"), None);
    let counts = &run["invocations"][0]["properties"];
    assert_eq!(
        (&counts["files"], counts.get("commits")),
        (&json!(1234), None)
    );
    // The same tree gives the same file.
    assert_eq!(counts.get("seconds").or(counts.get("finished")), None);
}

#[test]
fn what_is_no_file_has_a_logical_location() {
    let log = historical();
    let kept = &log["runs"][0]["results"][0];
    let first = &kept["locations"][0]["physicalLocation"];
    assert_eq!(
        first["artifactLocation"]["uri"],
        "d/ghp_%E2%80%A6%20%2840%20bytes%29.txt"
    );
    assert_eq!(
        first["region"],
        json!({"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 2})
    );
    let related = kept["relatedLocations"].as_array().expect("others");
    let names: Vec<_> = related
        .iter()
        .filter_map(|l| l["logicalLocations"][0]["fullyQualifiedName"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            format!("commit:{}", "1a".repeat(20)),
            format!("tag:{}", "3c".repeat(20)),
            "ref:refs/heads/ghp_… (40 bytes)".to_owned()
        ]
    );
    assert_eq!(related.len(), 4);
    for location in related {
        assert_ne!(
            location.get("physicalLocation").is_some(),
            location.get("logicalLocations").is_some()
        );
    }
}

#[test]
fn a_result_holds_no_more_locations_than_github_takes() {
    let places = (0..2500)
        .map(|n| sample::past(format!("f{n}").as_bytes(), Origin::Content, 1))
        .collect();
    let found = [sample::finding(&sample::token(), places)];
    let log = written(&found, &[], &sample::history_summary(), Options::default());
    let result = &log["runs"][0]["results"][0];
    let count = |key: &str| result[key].as_array().map_or(0, Vec::len);
    assert_eq!(count("locations") + count("relatedLocations"), LOCATIONS);
}

#[test]
fn addresses_of_repositories_show_no_password() {
    let rules = crate::rule::RuleSet::load(&crate::rule::Selection {
        no_builtin: true,
        ..crate::rule::Selection::default()
    })
    .expect("no rules");
    let redactor = crate::report::Redactor::new([], false);
    let uri_of = |root: &str| {
        repository_uri(&Report {
            findings: &[],
            dropped: &[],
            summary: &Summary::default(),
            rules: &rules,
            elapsed: std::time::Duration::ZERO,
            finished: None,
            hidden_low: 0,
            root,
            revision: None,
            branch: None,
            redactor: &redactor,
            options: Options::default(),
        })
    };
    let of = |user: &str| {
        uri_of(&format!(
            "https://{user}git.example.com:8443/a b/c.git?k=v#x"
        ))
    };
    let plain = "https://git.example.com:8443/a%20b/c.git";
    assert_eq!(of(""), plain);
    assert_eq!(of(concat!("me:", "pw@")), plain);
    assert_eq!(uri_of("/srv/ä"), "file:///srv/%C3%A4");
    assert_eq!(
        (uri_of("sub"), uri_of("")),
        ("file:sub".to_owned(), "file:-".to_owned())
    );
    assert_eq!(uri_of("+x://h"), "git://h");
}
