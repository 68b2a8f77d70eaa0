//! Findings for the tests of the reporters.

use std::time::Duration;

use jiff::Timestamp;

use super::{Options, Redactor, Report, Reporter};
use crate::model::{
    Checked, Commit, Credential, Decoding, Doubt, Finding, Fingerprint, Gap, History, Identity,
    Level, Oid, Origin, Place, Position, Secret, Severity, Skip, SkipKind, Snippet, Span, Summary,
    Tally, Verification,
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
            matched: (start, end),
            line: None,
            hidden: Vec::new(),
            encoded: None,
            told: None,
        },
        decoded_from: Vec::new(),
        score: 0.977,
        dropped: None,
        origin: Origin::default(),
        blob: None,
        commit: None,
        lapsed: None,
        covered: None,
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
        credential: Credential::new(Secret::new(secret.as_bytes(), public), Vec::new()),
        entropy: 4.706,
        fingerprint: Fingerprint([0xAB; 16]),
        places,
        history: None,
        opens: Vec::new(),
        owners: Vec::new(),
        remedy: "Revoke the token on the page of tokens, then make a new one with fewer scopes, and store it outside \
                 of the repository."
            .into(),
        console: "https://github.com/settings/tokens".into(),
        link: "https://docs.github.com/authentication".into(),
        verification: None,
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

/// A finding for each word of a provider, whose own texts are hostile and hold the token; and what they come to.
pub(super) fn verified() -> (Vec<Finding>, Summary) {
    let token = token();
    let hostile = |text: &str| format!("{text} {token}\u{1b}[31m\u{202e}<b>|`[x](y)");
    let active = Verification::Active(Identity {
        account: Some(hostile("acme")),
        owner: Some("=cmd|jane".into()),
        scopes: vec![hostile("repo"), "read:org".into()],
        level: Some(Level::Write),
        expires: Some("2027-01-31T00:00:00Z".into()),
        key: Some("key-17".into()),
    });
    let words = [
        Verification::Unsupported,
        Verification::Inactive(hostile("the token was revoked")),
        Verification::Unknown(Doubt::Network(hostile("api.example.com: refused"))),
        active,
        Verification::Unknown(Doubt::Status(503)),
    ];
    let mut findings = Vec::new();
    for (number, verification) in words.into_iter().enumerate() {
        let at = place(b"src/app.py", number as u32 + 1, &token, &token);
        let mut found = finding(&token, vec![at]);
        found.fingerprint = Fingerprint([number as u8; 16]);
        found.verification = Some(Checked {
            verification,
            at: Timestamp::from_second(1_790_000_000).expect("a time"),
            took: Duration::from_millis(213),
        });
        findings.push(found);
    }
    let tally = Tally::of(&findings).map(|tally| Tally { hidden: 2, ..tally });
    let summary = Summary {
        verified: tally,
        ..Summary::default()
    };
    (findings, summary)
}

/// The id whose bytes are all the same.
pub(super) fn oid(byte: u8) -> Oid {
    Oid::new([byte; 20])
}

/// A commit of the second of March 2024.
pub(super) fn commit(byte: u8, subject: &str) -> Commit {
    Commit {
        id: oid(byte),
        author: "Jane Doe".into(),
        email: "jane@example.com".into(),
        date: 1_709_371_800,
        subject: subject.into(),
    }
}

/// A place in git's history.
pub(super) fn past(path: &[u8], origin: Origin, byte: u8) -> Place {
    let token = token();
    Place {
        origin,
        blob: Some(oid(byte)),
        commit: Some(oid(0x1A)),
        ..place(path, 3, &format!("k = {token}"), &token)
    }
}

/// Findings of a history: one that is still there, one that was removed.
pub(super) fn historical() -> Vec<Finding> {
    let token = token();
    let ref_name = format!("refs/heads/{token}");
    let mut kept = finding(
        &token,
        vec![
            Place {
                commit: Some(oid(0x1A)),
                ..past(b"", Origin::Commit, 0x1A)
            },
            Place {
                commit: None,
                ..past(b"", Origin::Tag, 0x3C)
            },
            Place {
                commit: None,
                blob: None,
                ..past(ref_name.as_bytes(), Origin::Ref, 0)
            },
            past(format!("d/{token}.txt").as_bytes(), Origin::Name, 0x4D),
            past(b"src/app.py", Origin::Content, 0x5E),
        ],
    );
    let names = |all: &[&str]| all.iter().map(|n| (*n).to_owned()).collect::<Vec<String>>();
    kept.history = Some(History {
        first: Some(commit(0x1A, &format!("Add {token}\u{1b}[2J\u{202e}"))),
        last: Some(commit(0x2B, "Rename")),
        introductions: 2,
        in_head: true,
        tips: names(&["refs/heads/main", "refs/tags/v1"]),
        refs: {
            let mut refs = names(&[
                "refs/heads/dev",
                "refs/heads/main",
                "refs/pull/1/head",
                "refs/remotes/origin/main",
                "refs/tags/v1",
            ]);
            refs.insert(0, ref_name);
            refs
        },
        exposed_days: 1214,
        ..History::default()
    });
    let password = concat!("s3cret", "-Pa55!");
    let mut removed = finding(
        password,
        vec![Place {
            commit: Some(oid(0x6F)),
            blob: Some(oid(0x70)),
            ..place(b"old.env", 9, &format!("PW={password}"), password)
        }],
    );
    removed.severity = Severity::Medium;
    removed.fingerprint = Fingerprint([0xCD; 16]);
    let author = Commit {
        author: format!("{password}\nforged"),
        email: format!("{token}@example.com"),
        ..commit(0x6F, "")
    };
    removed.history = Some(History {
        first: Some(author),
        last: Some(commit(0x71, "Last that held it")),
        introductions: 1,
        refs: names(&["refs/heads/main"]),
        ..History::default()
    });
    vec![kept, removed]
}

/// Counts of a run over a history.
pub(super) fn history_summary() -> Summary {
    Summary {
        commits: 87_432,
        objects: 497_109,
        bytes: 5_990_000_000,
        unreachable_hits: 3,
        ..Summary::default()
    }
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
    let in_history = summary.objects > 0;
    let report = Report {
        findings,
        dropped,
        summary,
        rules: &rules,
        elapsed: Duration::from_millis(412),
        finished: Timestamp::from_second(1_769_853_600).ok(),
        hidden_low: 4,
        root: ".",
        revision: in_history.then(|| oid(0x2B).to_string()),
        branch: in_history.then(|| format!("main-{}\u{1b}", token())),
        redactor: &redactor,
        options,
    };
    let mut out = Vec::new();
    reporter.write(&report, &mut out).expect("memory takes all");
    String::from_utf8(out).expect("UTF-8")
}
