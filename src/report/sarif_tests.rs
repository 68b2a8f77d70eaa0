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
    for key in ["name", "version", "semanticVersion", "informationUri"] {
        assert!(driver[key].as_str().is_some_and(|s| !s.is_empty()), "{key}");
    }
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
        assert_eq!(rule["properties"]["tags"], json!(["security", "secret"]));
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
