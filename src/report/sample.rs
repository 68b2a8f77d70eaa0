//! Findings for the tests of the reporters.

use std::time::Duration;

use super::{Options, Redactor, Report, Reporter};
use crate::model::{
    Credential, Decoding, Finding, Fingerprint, Gap, Origin, Place, Position, Secret, Severity,
    Skip, SkipKind, Snippet, Span, Summary,
};
use crate::rule::{RuleSet, Selection};

/// A token of 40 bytes that no scanner finds in this file.
pub(super) fn token() -> String {
    format!(
        "{}{}",
        concat!("gh", "p_"),
        "4fQ8rT2wXzB6dJ9mL3sV7yC1nHk5pG2Wecb6"
    )
}

/// A place of `secret` in `line`, the line's first byte in column 1.
pub(super) fn place(path: &[u8], number: u32, line: &str, secret: &str) -> Place {
    let start = line.find(secret).expect("the line holds the secret");
    let end = start + secret.len();
    let position = |at: usize| Position {
        line: number,
        column: u32::try_from(at + 1).expect("short"),
    };
    Place {
        path: path.to_vec(),
        start: position(start),
        end: position(end),
        span: Span {
            start: 300 + start as u64,
            end: 300 + end as u64,
        },
        snippet: Snippet {
            text: Secret::new(line.as_bytes(), ""),
            secret: (start, end),
            encoded: None,
        },
        decoded_from: Vec::new(),
        score: 0.977,
        dropped: None,
        origin: Origin::default(),
        blob: None,
        commit: None,
    }
}

/// A place of a secret that stands in base64 there.
pub(super) fn encoded_place(path: &[u8], number: u32, line: &str, encoded: &str) -> Place {
    let mut place = place(path, number, line, encoded);
    place.decoded_from = vec![Decoding::Base64];
    place.snippet.encoded = Some(Secret::new(encoded.as_bytes(), ""));
    place
}

/// A critical finding of `secret` at these places.
pub(super) fn finding(secret: &str, places: Vec<Place>) -> Finding {
    let public = secret
        .get(..4)
        .filter(|p| p.ends_with('_'))
        .unwrap_or_default();
    Finding {
        rule: "github-pat-classic".into(),
        name: "GitHub personal access token (classic)".into(),
        provider: "GitHub".into(),
        severity: Severity::Critical,
        score: 0.977,
        credential: Credential { secret: Secret::new(secret.as_bytes(), public), parts: Vec::new() },
        entropy: 4.706,
        fingerprint: Fingerprint([0xAB; 16]),
        places,
        history: None,
        opens: Vec::new(),
        remedy: "Revoke the token on the page of tokens, then make a new one with fewer scopes, and store it outside \
                 of the repository."
            .into(),
        console: "https://github.com/settings/tokens".into(),
        link: "https://docs.github.com/authentication".into(),
    }
}

/// A finding whose places are all dropped.
pub(super) fn dropped(secret: &str, place: Place, reason: &str) -> Finding {
    finding(
        secret,
        vec![Place {
            dropped: Some(reason.into()),
            ..place
        }],
    )
}

/// A path that a terminal or a page would obey.
pub(super) fn hostile_path() -> Vec<u8> {
    "a <script>\u{1b}[31m\u{202e}b\0%#[x](y)\n::error::鍵.py"
        .as_bytes()
        .to_vec()
}

/// Two findings that meet most of what a reporter must deal with.
pub(super) fn findings() -> Vec<Finding> {
    let token = token();
    let plain = place(
        b"src/app.py",
        12,
        &format!("\tTOKEN = \"{token}\"  # 鍵"),
        &token,
    );
    let encoded = concat!("Z2hwXzRmUThyVDJ3WHpC", "NmRKOW1MM3NWN3lDMW5Iaw==");
    let decoded = encoded_place(&hostile_path(), 3, &format!("auth: {encoded}"), encoded);
    let first = finding(&token, vec![plain, decoded]);
    let password = concat!("s3cret", "-Pa55!");
    let line = format!("é = postgres://app:{password}@db.example.com/app # not {token}\u{1b}[0m");
    let mut second = finding(
        password,
        vec![place("dir/ü b.env".as_bytes(), 1, &line, password)],
    );
    second.rule = "postgres-url".into();
    second.name = "PostgreSQL connection URL".into();
    second.severity = Severity::Low;
    second.score = 0.61;
    second.fingerprint = Fingerprint([0xCD; 16]);
    second.opens = vec![
        ("database".into(), "app".into()),
        ("host".into(), format!("db.example.com\u{1b}{token}")),
    ];
    second.credential.parts = vec![("user".into(), token.clone())];
    vec![second, first]
}

/// Counts of a run with a gap and files left out.
pub(super) fn summary() -> Summary {
    let mut summary = Summary {
        files: 1234,
        bytes: 12_345_678,
        binary_files: 2,
        ..Summary::default()
    };
    for (path, notable) in [(".env", true), ("target/", false), ("b\u{1b}.pem", true)] {
        summary.skip(Skip {
            kind: SkipKind::Ignored,
            path: path.into(),
            notable,
        });
    }
    summary.gaps.push(Gap {
        path: format!("locked/{}", token()),
        reason: "permission denied".into(),
    });
    summary
}

/// What a reporter writes.
pub(super) fn written(
    reporter: &dyn Reporter,
    findings: &[Finding],
    dropped: &[Finding],
    summary: &Summary,
    options: Options,
) -> String {
    let rules = RuleSet::load(&Selection {
        no_builtin: true,
        ..Selection::default()
    })
    .expect("no rules");
    let redactor = Redactor::new(findings.iter().chain(dropped), options.show_secrets);
    let report = Report {
        findings,
        dropped,
        summary,
        rules: &rules,
        elapsed: Duration::from_millis(412),
        hidden_low: 4,
        root: ".",
        redactor: &redactor,
        options,
    };
    let mut out = Vec::new();
    reporter.write(&report, &mut out).expect("memory takes all");
    String::from_utf8(out).expect("UTF-8")
}
