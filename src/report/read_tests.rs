use super::super::{FORMATS, Json, Jsonl, Reporter, Sarif, by_name, sample};
use super::*;
use crate::model::Secret;
use crate::rule::Selection;

fn engine() -> Engine {
    let rules = RuleSet::load(&Selection {
        no_builtin: true,
        files: Vec::new(),
        ..Selection::default()
    });
    Engine::new(rules.expect("no rules")).expect("an engine")
}

/// A report as it is after it was written and read.
pub(in super::super) fn stored(
    findings: &[Finding],
    dropped: &[Finding],
    summary: &Summary,
) -> Stored {
    let options = Options {
        show_suppressed: true,
        ..Options::default()
    };
    let text = sample::written(&Jsonl, findings, dropped, summary, options);
    Stored::read("r.jsonl", text.as_bytes()).expect("a report")
}

/// What a reporter writes of a report that was read.
pub(in super::super) fn written(
    stored: &Stored,
    reporter: &dyn Reporter,
    show_secrets: bool,
) -> String {
    let engine = engine();
    let redactor = stored.redactor(&engine, show_secrets);
    let options = Options {
        show_suppressed: true,
        show_secrets,
        ..Options::default()
    };
    let mut out = Vec::new();
    reporter
        .write(&stored.report(engine.rules(), &redactor, options), &mut out)
        .expect("memory takes all");
    String::from_utf8(out).expect("UTF-8")
}

/// Reports that meet most of what there is.
fn cases() -> Vec<(Vec<Finding>, Vec<Finding>, Summary)> {
    let token = sample::token();
    let suppressed = sample::dropped(
        &token,
        sample::place(b"x", 1, &token, &token),
        "suppressed by `keysweep:allow` [x]",
    );
    let mut mixed = sample::findings();
    if let Some(place) = mixed[1].places.last_mut() {
        place.dropped = Some("placeholder: a word".to_owned());
    }
    let mut odd = sample::findings();
    odd[0].places[0].path = b"a\xFF/b".to_vec();
    odd[1].places[0].path = format!("{token}/c").into_bytes();
    odd[1].score = 0.797;
    let mut cut = sample::findings();
    cut[0].places[0].start.column += 200;
    cut[0].places[0].end.column += 200;
    let mut partial = sample::historical();
    for finding in &mut partial {
        if let Some(history) = &mut finding.history {
            history.is_partial = true;
            history.in_head = false;
            history.last = None;
        }
    }
    let stopped = Summary {
        cancelled: true,
        already_there: 7,
        ..sample::summary()
    };
    vec![
        (vec![], vec![], Summary::default()),
        (
            sample::findings(),
            vec![suppressed.clone()],
            sample::summary(),
        ),
        (mixed, vec![suppressed], stopped),
        (odd, vec![], sample::summary()),
        (cut, vec![], Summary::default()),
        (sample::historical(), vec![], sample::history_summary()),
        (partial, vec![], sample::history_summary()),
    ]
}

fn direct(reporter: &dyn Reporter, case: &(Vec<Finding>, Vec<Finding>, Summary)) -> String {
    let options = Options {
        show_suppressed: true,
        ..Options::default()
    };
    sample::written(reporter, &case.0, &case.1, &case.2, options)
}

#[test]
fn json_and_jsonl_give_every_format_byte_for_byte() {
    for (index, case) in cases().iter().enumerate() {
        for source in ["json", "jsonl"] {
            let from = by_name(source).expect("a format");
            let read = Stored::read(source, direct(&*from, case).as_bytes()).expect("a report");
            for format in FORMATS {
                let reporter = by_name(format).expect("a format");
                assert_eq!(
                    written(&read, &*reporter, false),
                    direct(&*reporter, case),
                    "case {index}, {source} to {format}"
                );
            }
        }
    }
}

#[test]
fn sarif_gives_itself_and_keeps_places_and_fingerprints() {
    for (index, case) in cases().iter().enumerate() {
        let text = direct(&Sarif, case);
        let read = Stored::read("r.sarif", text.as_bytes()).expect("a report");
        assert_eq!(written(&read, &Sarif, false), text, "case {index}");
        let prints = |all: &[Finding]| {
            let mut prints: Vec<_> = all
                .iter()
                .map(|f| (f.fingerprint, f.places.len()))
                .collect();
            prints.sort_unstable();
            prints
        };
        assert_eq!(prints(&read.findings), prints(&case.0), "case {index}");
        assert_eq!(read.summary.skipped, case.2.skipped);
        assert_eq!(read.summary.gaps.len(), case.2.gaps.len());
        assert_eq!(read.summary.cancelled, case.2.cancelled);
        // No format fails on it, and it goes on being itself through the others.
        let json = written(&read, &Json, false);
        let again = Stored::read("r.json", json.as_bytes()).expect("a report");
        assert_eq!(written(&again, &Sarif, false), text, "case {index}");
    }
}

#[test]
fn a_report_with_secrets_is_redacted_again_unless_asked() {
    let token = sample::token();
    for case in &cases() {
        for source in ["json", "jsonl", "sarif"] {
            let options = Options {
                show_suppressed: true,
                show_secrets: true,
                ..Options::default()
            };
            let from = by_name(source).expect("a format");
            let shown = sample::written(&*from, &case.0, &case.1, &case.2, options);
            let read = Stored::read(source, shown.as_bytes()).expect("a report");
            assert_eq!(written(&read, &*from, true), shown, "{source}");
            for format in FORMATS {
                let reporter = by_name(format).expect("a format");
                let hidden = written(&read, &*reporter, false);
                for secret in [&token[..], concat!("s3cret", "-Pa55!"), "Z2hwXzRm"] {
                    assert!(!hidden.contains(secret), "{source} to {format}: {hidden}");
                }
            }
        }
    }
}

#[test]
fn a_secret_that_the_report_left_out_goes_from_lines_in_clear() {
    let engine = Engine::new(RuleSet::builtin().expect("built in")).expect("an engine");
    let (token, other) = (sample::token(), "Xy12Xy34Xy56");
    let line = format!("a={other} b={token}");
    let found = sample::finding(other, vec![sample::place(b"a", 1, &line, other)]);
    let options = Options {
        show_secrets: true,
        ..Options::default()
    };
    let shown = sample::written(&Jsonl, &[found], &[], &Summary::default(), options);
    assert!(shown.contains(&token));
    let read = Stored::read("r", shown.as_bytes()).expect("a report");
    let redactor = read.redactor(&engine, false);
    let place = &read.findings[0].places[0];
    let line = redactor.snippet(place, &read.findings[0].credential.secret);
    assert_eq!(line.to_string(), "a=… (12 bytes) b=ghp_… (40 bytes)");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "there must be nothing to see")]
fn no_secret_is_made_up() {
    let case = &cases()[1];
    let read = Stored::read("r", direct(&Jsonl, case).as_bytes()).expect("a report");
    for finding in read.findings.iter().chain(&read.dropped) {
        assert!(!finding.credential.secret.is_known());
        assert!(finding.credential.secret.expose().is_empty());
    }
    assert!(!Secret::of_form("").is_known() && Secret::new(b"", "").is_known());
    // Without a mark: in clear if it does not look redacted.
    assert!(secret("hunter2hunter2", None).is_known());
    for form in ["… (1 byte)", "ghp_… (40 bytes)"] {
        assert!(!secret(form, None).is_known(), "{form}");
    }
    for clear in ["a… (x bytes)", "longer than it says… (3 bytes)"] {
        assert!(secret(clear, None).is_known(), "{clear}");
    }
}

#[test]
fn counts_of_a_forged_report_add_up_without_a_panic() {
    let case = &cases()[5];
    let text = direct(&Jsonl, case)
        .replace("\"commits\":87432", "\"commits\":18446744073709551615,\"hidden\":18446744073709551615,\"x\":0")
        .replace("\"hidden\":4,", "")
        .replace("\"more_refs\":", "\"y\":")
        .replace("\"in_head\":true", "\"in_head\":true,\"more_refs\":18446744073709551615,\"more_tips\":18446744073709551615")
        .replace("\"line\":9", "\"line\":4294967295")
        .replace("\"column\":5", "\"column\":4294967295")
        .replace("\"bytes\":[304,344]", "\"bytes\":[18446744073709551615,0]")
        .replace("\"seconds\":0.412", "\"seconds\":1e300");
    let read = Stored::read("r", text.as_bytes()).expect("a report");
    let mut twice = read.clone();
    twice.merge(read);
    assert_eq!(twice.summary.commits, u64::MAX);
    for format in FORMATS {
        let reporter = by_name(format).expect("a format");
        assert!(!written(&twice, &*reporter, false).is_empty());
    }
}

#[test]
fn what_is_no_report_is_refused_with_the_line_and_the_mend() {
    let summary = r#"{"schema":1,"kind":"summary"}"#;
    let row = |change: (&str, &str)| {
        let text = direct(&Jsonl, &cases()[1]);
        assert!(text.contains(change.0), "{}", change.0);
        text.replacen(change.0, change.1, 1)
    };
    let tests: Vec<(String, &str)> = vec![
        (
            String::new(),
            "r: is empty; write the report with `--format json`",
        ),
        (
            "No secrets found\n".into(),
            "r: is text, which does not carry",
        ),
        ("<?xml version=\"1.0\"?>".into(), "r: is XML or HTML"),
        (
            direct(&super::super::Gitlab, &cases()[1]),
            "r: is a GitLab report",
        ),
        (
            direct(&super::super::Sonarqube, &cases()[1]),
            "r: is a SonarQube report",
        ),
        ("{\"a\":1}".into(), "r: is JSON of another sort"),
        (
            "[\n{\"schema\":1,\"kind\":\"summary\"},\n{\"schema\":1,\"kind\":\"summary\"}]".into(),
            "r: goes on behind its summary",
        ),
        (
            format!("{summary}\n{summary}\n"),
            "r:2: goes on behind its summary",
        ),
        (
            row(("\"kind\":\"summary\"", "\"kind\":\"total\"")),
            "r:5: no record of a report: unknown variant `total`",
        ),
        (
            row(("\"schema\":1", "\"schema\":2")),
            "r:1: a record of schema 2",
        ),
        (
            row(("\"severity\":\"low\"", "\"severity\":\"huge\"")),
            "r:1: no record of a report: `severity` is one of",
        ),
        (
            row(("\"fingerprint\":\"cd", "\"fingerprint\":\"xd")),
            "r:1: no record of a report: a fingerprint has",
        ),
        (
            row((
                "\"column\":21,\"end_line\":1,\"end_column\":33,\"characters\"",
                "\"characters\"",
            )),
            "r:1: no record of a report: missing field `column`",
        ),
        (
            "[\n{\"schema\":1,\"kind\":\"gap\",\"path\":\"a\"}]".into(),
            "r:2: no record of a report: missing field `reason`",
        ),
        (
            row(("\"places\":[", "\"places\":[],\"others\":[")),
            "r:1: finding cdcdcdcd",
        ),
        ("[]".into(), "r: has no summary at its end: it was cut off"),
        (
            "{\"runs\":[]}".into(),
            "r: is SARIF of several runs or none",
        ),
        (
            "{\"runs\":[{\"tool\":{\"driver\":{\"name\":\"other\"}}}]}".into(),
            "r: is SARIF of another tool",
        ),
    ];
    for (text, message) in tests {
        let error = Stored::read("r", text.as_bytes())
            .expect_err(message)
            .to_string();
        assert!(error.starts_with(message), "{error}\nnot: {message}");
    }
    let whole = direct(&Jsonl, &cases()[1]);
    for end in [whole.len() / 3, whole.len() - 20] {
        let cut = whole.get(..end).unwrap_or(&whole[..end - 1]);
        assert!(Stored::read("r", cut.as_bytes()).is_err());
    }
    let old = direct(&Json, &cases()[1]);
    assert!(Stored::read("r", &old.as_bytes()[..old.len() - 3]).is_err());
}
