//! Records as they are written.

use serde_json::{Value, json};

use super::super::escaped::Escaped;
use super::super::sample;
use super::{Json, Jsonl};
use crate::model::{Finding, History, Origin, Summary};
use crate::report::Options;

fn rows(dropped: &[Finding], options: Options) -> Vec<Value> {
    let text = sample::written(
        &Jsonl,
        &sample::findings(),
        dropped,
        &sample::summary(),
        options,
    );
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line is a record"))
        .collect()
}

#[test]
fn every_line_is_a_record_and_the_summary_is_last() {
    let rows = rows(&[], Options::default());
    let kinds: Vec<_> = rows.iter().filter_map(|r| r["kind"].as_str()).collect();
    assert_eq!(kinds, ["finding", "finding", "gap", "summary"]);
    assert!(rows.iter().all(|r| r["schema"] == 1));
    let row = &rows[1];
    assert_eq!(row["secret"], "ghp_… (40 bytes)");
    assert_eq!(row["snippet"], "\tTOKEN = \"ghp_… (40 bytes)\"  # 鍵");
    assert_eq!(
        (&row["score"], &row["entropy"]),
        (&json!(0.98), &json!(4.71))
    );
    assert_eq!(
        (&row["line"], &row["column"], &row["end_column"]),
        (&json!(12), &json!(11), &json!(51))
    );
    assert_eq!(row["fingerprint"], "ab".repeat(16));
    assert_eq!(row["place_fingerprint"].as_str().map(str::len), Some(32));
    assert_eq!(row.get("decoded_from").or(row.get("suppressed")), None);
    assert_eq!(row["places"][1]["decoded_from"], json!(["base64"]));
    assert_eq!(row["places"][0]["bytes"], json!([310, 350]));
    assert_eq!(
        row["places"][1]["path"].as_str().map(str::as_bytes),
        Some(&*sample::hostile_path())
    );
    let last = &rows[3];
    assert_eq!(
        (&last["skipped"], &last["notable"][0]),
        (
            &json!({"ignored": 3}),
            &json!({"path": ".env", "reason": "ignored"})
        )
    );
    assert_eq!(
        (&last["complete"], &last["findings"], &last["hidden"]),
        (&json!(false), &json!(2), &json!(4))
    );
    assert_eq!(last["seconds"], json!(0.412));
}

#[test]
fn no_secret_shows_unless_asked() {
    let token = sample::token();
    let write = |show_secrets| {
        let options = Options {
            show_secrets,
            ..Options::default()
        };
        sample::written(&Json, &sample::findings(), &[], &sample::summary(), options)
    };
    let (hidden, shown) = (write(false), write(true));
    assert!(!hidden.contains(&token) && !hidden.contains("Z2hwXzRm") && !hidden.contains("s3cret"));
    assert!(shown.contains(&token));
    assert!(!hidden.contains('\u{1b}') && !hidden.contains('\u{202e}'));
    assert!(
        !hidden.contains("\"redacted\"") && shown.contains("\"redacted\":\"ghp_… (40 bytes)\"")
    );
    let array: Vec<Value> = serde_json::from_str(&hidden).expect("an array");
    assert_eq!(array.len(), 4);
}

#[test]
fn what_does_not_show_is_escaped() {
    let mut out = Vec::new();
    let text = "é鍵\u{2028}\u{9b}\u{202e}\u{7f}\u{1}\u{e0041}\n\"";
    let mut rows = Escaped(&mut out);
    serde_json::to_writer(&mut rows, &[text]).expect("memory takes all");
    let written = String::from_utf8(out).expect("UTF-8");
    assert_eq!(
        written,
        concat!(
            r#"["é鍵\u2028\u009b\u202e\u007f\u0001\udb40\udc41\n\"#,
            "\"\"]"
        )
    );
    let back: Vec<String> = serde_json::from_str(&written).expect("JSON");
    assert_eq!(back, [text]);
}

#[test]
fn dropped_findings_come_with_their_reason_on_request() {
    let token = sample::token();
    let dropped = [sample::dropped(
        &token,
        sample::place(b"x", 1, &token, &token),
        "placeholder: run",
    )];
    assert_eq!(rows(&dropped, Options::default()).len(), 4);
    let rows = rows(
        &dropped,
        Options {
            show_suppressed: true,
            ..Options::default()
        },
    );
    assert_eq!(
        (&rows[2]["suppressed"], &rows[2]["path"]),
        (&json!("placeholder: run"), &json!("x"))
    );
}

#[test]
fn a_path_that_is_not_utf8_is_given_in_bytes_unless_it_holds_a_secret() {
    let token = sample::token();
    let with_token = [b"\xFF/", token.as_bytes()].concat();
    let places = vec![
        sample::place(b"a\xFF", 1, &token, &token),
        sample::place(&with_token, 1, &token, &token),
    ];
    let found = [sample::finding(&token, places)];
    let text = sample::written(&Jsonl, &found, &[], &Summary::default(), Options::default());
    let row: Value =
        serde_json::from_str(text.lines().next().unwrap_or_default()).expect("a record");
    assert_eq!(
        (&row["path"], &row["path_bytes"]),
        (&json!("a\u{fffd}"), &json!("Yf8="))
    );
    assert_eq!(row["places"][1]["path"], "\u{fffd}/ghp_… (40 bytes)");
    assert_eq!(row["places"][1].get("path_bytes"), None);
}

#[test]
fn an_empty_run_has_a_summary() {
    let text = sample::written(&Json, &[], &[], &Summary::default(), Options::default());
    let rows: Vec<Value> = serde_json::from_str(&text).expect("an array");
    assert_eq!((rows.len(), &rows[0]["complete"]), (1, &json!(true)));
}

#[test]
fn history_is_in_the_record() {
    let text = sample::written(
        &Jsonl,
        &sample::historical(),
        &[],
        &sample::history_summary(),
        Options::default(),
    );
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is a record"))
        .collect();
    let row = &rows[0];
    assert_eq!(
        row["commit"],
        json!({
            "id": "1a".repeat(20),
            "author": "Jane Doe",
            "email": "jane@example.com",
            "date": "2024-03-02T09:30:00Z",
            "subject": "Add ghp_… (40 bytes)\u{1b}[2J\u{202e}",
        })
    );
    assert_eq!(row["last_commit"]["subject"], "Rename");
    assert_eq!(
        (&row["in_head"], &row["introductions"], &row["exposed_days"]),
        (&json!(true), &json!(2), &json!(1214))
    );
    assert_eq!(row["tips"], json!(["refs/heads/main", "refs/tags/v1"]));
    assert_eq!(row["refs"][0], "refs/heads/ghp_… (40 bytes)");
    assert_eq!(row["refs"].as_array().map(Vec::len), Some(6));
    let places = &row["places"];
    assert_eq!(
        ["origin", "commit", "blob", "path"].map(|key| places[4].get(key).cloned()),
        [
            None,
            Some(json!("1a".repeat(20))),
            Some(json!("5e".repeat(20))),
            Some(json!("src/app.py"))
        ]
    );
    let origins: Vec<_> = (0..4).map(|i| places[i]["origin"].clone()).collect();
    assert_eq!(origins, ["commit", "tag", "ref", "name"]);
    assert_eq!(places[0].get("path"), None);
    let removed = &rows[1];
    assert_eq!(removed.get("tips"), None);
    assert_eq!(removed["commit"].get("subject"), None);
    assert_eq!(removed["commit"]["author"], "… (12 bytes)\nforged");
    let last = &rows[2];
    assert_eq!(
        (
            &last["commits"],
            &last["objects"],
            &last["unreachable_hits"]
        ),
        (&json!(87_432), &json!(497_109), &json!(3))
    );
    assert_eq!(last["revision"], "2b".repeat(20));
    assert_eq!(last["branch"], "main-ghp_… (40 bytes)\u{1b}");
}

#[test]
fn what_does_not_apply_is_absent() {
    let rows = rows(&[], Options::default());
    for key in [
        "commit",
        "last_commit",
        "in_head",
        "tips",
        "refs",
        "introductions",
        "exposed_days",
        "commits",
        "objects",
        "revision",
        "branch",
    ] {
        assert!(rows.iter().all(|row| row.get(key).is_none()), "{key}");
    }
    assert!(rows[0]["places"][0].get("origin").is_none());
    let token = sample::token();
    let mut found = sample::finding(&token, vec![sample::past(b"a", Origin::Content, 1)]);
    found.history = Some(History::default());
    let text = sample::written(
        &Jsonl,
        &[found],
        &[],
        &Summary::default(),
        Options::default(),
    );
    let row: Value =
        serde_json::from_str(text.lines().next().unwrap_or_default()).expect("a record");
    assert_eq!(row["in_head"], false);
    assert_eq!(row.get("exposed_days").or(row.get("introductions")), None);
}

#[test]
fn every_place_and_ref_is_written() {
    let token = sample::token();
    let places = (0..3000)
        .map(|n| sample::past(format!("f{n}").as_bytes(), Origin::Content, 1))
        .collect();
    let mut found = sample::finding(&token, places);
    found.history = Some(History {
        refs: (0..4000).map(|n| format!("refs/pull/{n}/head")).collect(),
        ..History::default()
    });
    let text = sample::written(
        &Jsonl,
        &[found],
        &[],
        &Summary::default(),
        Options::default(),
    );
    let row: Value =
        serde_json::from_str(text.lines().next().unwrap_or_default()).expect("a record");
    assert_eq!(row["places"].as_array().map(Vec::len), Some(3000));
    assert_eq!(row["refs"].as_array().map(Vec::len), Some(4000));
}
