use super::super::sample;
use super::*;
use crate::model::{Finding, Gap, History, Origin, Place, Secret, Skip, SkipKind, Summary};
use crate::report::{Options, size};

fn written(findings: &[Finding], summary: &Summary, options: Options) -> String {
    sample::written(&Text, findings, &[], summary, options)
}

#[test]
fn a_finding_says_what_where_and_what_next() {
    let text = written(&sample::findings(), &sample::summary(), Options::default());
    let expected = r#"critical  GitHub personal access token (classic)
          github-pat-classic  (confidence high)
  ghp_… (40 bytes)
  src/app.py:12:11
    12 |     TOKEN = "ghp_… (40 bytes)"  # 鍵
       |              ^^^^^^^^^^^^^^^^
  +1 more place:
    a <script>\u{1b}[31m\u{202e}b\u{0}%#[x](y)\n::error::鍵.py:3:7  (decoded from base64)
  next:    Revoke the token on the page of tokens, then make a new one with
           fewer scopes, and store it outside of the repository.
  console: https://github.com/settings/tokens
  fingerprint abababababababababababababababab

low       PostgreSQL connection URL  postgres-url  (confidence medium)
  … (12 bytes)
  dir/ü b.env:1:21
    1 | é = postgres://app:… (12 bytes)@db.example.com/app # not ghp_… (40 byte…
      |                    ^^^^^^^^^^^^
  opens:   database app, host db.example.com\u{1b}ghp_… (40 bytes)
  parts:   user ghp_… (40 bytes)
"#;
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn the_summary_accounts_for_everything() {
    let text = written(
        &sample::findings(),
        &sample::summary(),
        Options {
            width: 200,
            ..Options::default()
        },
    );
    let expected = "2 findings (1 critical, 1 low) in 1,234 files, 12.3 MB, 0.4 s (30 MB/s)\n\
                    4 findings are below --min-confidence and not shown\n\
                    2 binary files were searched for distinctive prefixes and key blocks alone\n\
                    not scanned: 3 ignored by git (among them .env, b\\u{1b}.pem — use --no-ignore)\n\
                    incomplete: 1 thing could not be scanned\n  locked/ghp_… (40 bytes): permission denied\n";
    assert!(text.ends_with(expected), "{text}");
    let nothing = Summary {
        files: 1,
        bytes: 1,
        ..Summary::default()
    };
    assert!(
        written(&[], &nothing, Options::default())
            .starts_with("No secrets found in 1 file, 1 byte, 0.4 s (2 bytes/s)\n")
    );
}

#[test]
fn lines_fit_and_nothing_is_obeyed() {
    let token = sample::token();
    for columns in [40, 80, 200] {
        let line = format!(
            "{}= '{token}' {}",
            "鍵\u{1b}\t".repeat(60),
            "後 ".repeat(90)
        );
        let mut findings = sample::findings();
        findings.push(sample::finding(
            &token,
            vec![sample::place(b"w.py", 100_000, &line, &token)],
        ));
        let text = written(
            &findings,
            &sample::summary(),
            Options {
                width: columns,
                ..Options::default()
            },
        );
        for line in text
            .lines()
            .filter(|l| !l.contains("<script>") && !l.contains("fingerprint") && !l.contains("://"))
        {
            assert!(
                width::of(line) <= columns.max(72),
                "{} {line}",
                width::of(line)
            );
        }
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\0']));
        assert!(!text.contains(&token) && !text.contains("Z2hwXzRm") && !text.contains("s3cret"));
    }
}

#[test]
fn carets_stand_under_the_secret() {
    let token = sample::token();
    for line in [
        format!("鍵 = {token};"),
        format!("\t\tx\t{token}"),
        format!("{}{token}{}", "a".repeat(150), "b".repeat(150)),
    ] {
        let found = sample::finding(&token, vec![sample::place(b"a", 7, &line, &token)]);
        let text = written(&[found], &Summary::default(), Options::default());
        let lines: Vec<&str> = text.lines().collect();
        let carets = lines
            .iter()
            .position(|l| l.contains("^^^"))
            .expect("carets");
        let shown = lines[carets - 1];
        let column = |line: &str, mark: &str| line.find(mark).map(|at| width::of(&line[..at]));
        assert_eq!(column(lines[carets], "^"), column(shown, "ghp_…"), "{text}");
        assert_eq!(
            lines[carets].matches('^').count(),
            width::of("ghp_… (40 bytes)")
        );
        assert!(width::of(shown) <= 80);
    }
}

#[test]
fn a_run_that_was_stopped_does_not_begin_like_a_clean_one() {
    let mut summary = Summary {
        cancelled: true,
        ..Summary::default()
    };
    let text = written(&[], &summary, Options::default());
    assert!(text.starts_with("Nothing was scanned\n"), "{text}");
    assert!(text.contains("incomplete: the run was stopped before its end"));
    summary.files = 3;
    let text = written(&[], &summary, Options::default());
    assert!(
        text.starts_with("Stopped, no secrets found until then in 3 files"),
        "{text}"
    );
    assert!(!text.contains("No secrets"), "{text}");
}

#[test]
fn a_line_that_begins_before_its_snippet_says_so() {
    let mut place = sample::place(b"a", 1, "k=abcdefgh;", "abcdefgh");
    place.start.column += 500;
    let text = written(
        &[sample::finding("abcdefgh", vec![place])],
        &Summary::default(),
        Options::default(),
    );
    assert!(
        text.contains("    1 | …k=… (8 bytes);\n      |    ^^^^^^^^^^^\n"),
        "{text}"
    );
}

#[test]
fn colours_and_links_come_on_request_alone() {
    let findings = sample::findings();
    let color = written(
        &findings,
        &sample::summary(),
        Options {
            color: true,
            ..Options::default()
        },
    );
    assert!(
        color.contains("\u{1b}[1m\u{1b}[31mcritical\u{1b}[0m"),
        "{color:?}"
    );
    let links = written(
        &findings,
        &sample::summary(),
        Options {
            hyperlinks: true,
            ..Options::default()
        },
    );
    assert!(links.contains("\u{1b}]8;;https://github.com/settings/tokens\u{1b}\\https://"));
}

#[test]
fn dropped_findings_say_why() {
    let token = sample::token();
    let place = || sample::place(b"x", 1, &token, &token);
    let dropped = [
        sample::dropped(&token, place(), "placeholder: run"),
        sample::dropped(&token, place(), "suppressed by `keysweep:allow`"),
    ];
    let text = |show_suppressed| {
        let options = Options {
            show_suppressed,
            ..Options::default()
        };
        sample::written(&Text, &[], &dropped, &Summary::default(), options)
    };
    assert!(
        text(true).contains("dropped   GitHub")
            && text(true).contains("  dropped: placeholder: run\n")
    );
    assert!(
        text(false).contains("1 finding is suppressed and not shown")
            && !text(false).contains("placeholder")
    );
}

#[test]
fn long_lists_are_cut() {
    let token = sample::token();
    let places = (0..9)
        .map(|n| sample::place(format!("f{n}").as_bytes(), 1, &token, &token))
        .collect();
    let mut summary = Summary::default();
    for n in 0..23 {
        summary.gaps.push(Gap {
            path: format!("g{n}"),
            reason: "unreadable".into(),
        });
        summary.skip(Skip {
            kind: SkipKind::Symlink,
            path: format!("s{n}"),
            notable: true,
        });
    }
    let text = written(
        &[sample::finding(&token, places)],
        &summary,
        Options::default(),
    );
    assert!(
        text.contains("  +8 more places:\n") && text.contains("    f5:1:1\n    and 3 more\n"),
        "{text}"
    );
    assert!(text.contains("  g19: unreadable\n  and 3 more\n"));
    assert!(
        text.contains("not scanned: 23 symbolic links (among them s0, s1,")
            && text.contains("13 more)")
    );
}

#[test]
fn secrets_show_in_clear_if_asked() {
    let block = concat!(
        "-----BEGIN PRIV",
        "ATE KEY-----\nMIIEowIBAAKCAQEAn9f3\n-----END\u{1b}"
    );
    let mut place = sample::place(b"k", 1, "-----BEGIN", "-----BEGIN");
    place.snippet.text = Secret::new(b"-----BEGIN", "");
    let options = Options {
        show_secrets: true,
        ..Options::default()
    };
    let text = written(
        &[sample::finding(block, vec![place])],
        &Summary::default(),
        options,
    );
    assert!(
        text.contains("KEY-----\\nMIIEowIBAAKCAQEAn9f3\\n-----END\\u{1b}\n"),
        "{text}"
    );
}

#[test]
fn sizes_and_times_are_short() {
    let all = [0, 999, 1000, 12_345_678, 999_600, 123_456_789_000].map(size);
    assert_eq!(
        all,
        [
            "0 bytes",
            "999 bytes",
            "1.0 kB",
            "12.3 MB",
            "1.0 MB",
            "123 GB"
        ]
    );
    let findings = [];
    let summary = Summary::default();
    let text = written(&findings, &summary, Options::default());
    assert!(text.contains("0.4 s") && !text.contains("/s)"));
}

#[test]
fn history_says_when_it_came_and_where_it_is() {
    let options = Options {
        width: 200,
        ..Options::default()
    };
    let summary = sample::history_summary();
    let text = written(&sample::historical(), &summary, options);
    for expected in [
        "  in commit 1a1a1a1a1a (message, author or committer)\n",
        "    in the message of tag 3c3c3c3c3c\n    in the name of a ref: refs/heads/ghp_… (40 bytes)\n",
        "    in the name of a file: d/ghp_… (40 bytes).txt  (commit 1a1a1a1a1a)\n",
        "    src/app.py:3:5  (commit 1a1a1a1a1a)\n",
        "  history: introduced 1a1a1a1a1a 2024-03-02 Jane Doe <jane@example.com> Add ghp_… (40 bytes)\\u{1b}[2J\\u{202e}\n",
        "           still in HEAD and in the tip of 2 refs, exposed 1,214 days, introduced 2 times\n",
        "           held by 6 refs: ghp_… (40 bytes), dev, main and 3 more\n",
        "outside of the repository. Revoking comes first: removing it from the newest tree does not",
        "  old.env:9:4  (commit 6f6f6f6f6f)\n",
        "  history: introduced 6f6f6f6f6f 2024-03-02 … (12 bytes)\\nforged <ghp_… (40 bytes)@example.com>\n",
        "           removed from HEAD and from the tip of every ref, exposed less than a day\n",
        "           last held by 7171717171 2024-03-02 Jane Doe <jane@example.com> Last that held it\n",
        "           held by 1 ref: main\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(
        text.ends_with(
            "2 findings (1 critical, 1 medium) in 87,432 commits, 497,109 objects, 6.0 GB, 0.4 s (15 GB/s)\n\
             4 findings are below --min-confidence and not shown\n\
             3 matches are in objects that no scanned ref reaches and not shown; see --all-objects\n"
        ),
        "{text}"
    );
}

#[test]
fn history_without_a_commit_is_said_so() {
    let token = sample::token();
    let place = Place {
        commit: None,
        ..sample::past(b"a", Origin::Content, 0x9A)
    };
    let mut found = sample::finding(&token, vec![place]);
    found.history = Some(History::default());
    let text = written(&[found], &Summary::default(), Options::default());
    assert!(
        text.contains("  a:3:5  (object 9a9a9a9a9a)\n")
            && text.contains("  history: in no commit of a scanned ref\n")
            && !text.contains("Revoking comes first"),
        "{text}"
    );
}

#[test]
fn lines_of_history_fit() {
    let mut found = sample::historical();
    for finding in &mut found {
        finding.places.retain(|p| p.origin == Origin::Content);
        if let Some(history) = &mut finding.history {
            history.tips = vec![format!("refs/heads/{}", "鍵".repeat(300)); 4];
            history.refs.clone_from(&history.tips);
            history.in_head = false;
            if let Some(first) = &mut history.first {
                first.author = "a".repeat(5000);
                first.email = "b".repeat(5000);
                first.subject = "c d".repeat(9000);
            }
        }
    }
    let options = Options {
        width: 60,
        ..Options::default()
    };
    let text = written(&found, &sample::history_summary(), options);
    for line in text.lines().filter(|l| !l.contains("://")) {
        assert!(width::of(line) <= 60, "{} {line}", width::of(line));
    }
    assert!(text.contains("and 1 more"), "{text}");
}
