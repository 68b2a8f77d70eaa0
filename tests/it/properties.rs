//! What holds for any input: windows hide nothing, nothing panics, no report shows a secret.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use keysweep::report::{self, FORMATS, Redactor, Report};
use keysweep::scan::{Limits, Options, PUBLISHED_SALT, Scratch, Settings, merge, scan_bytes};
use proptest::prelude::*;

use crate::support::{engine, fake};

/// A secret of some kind, and whether it stands on one line.
fn secret() -> impl Strategy<Value = String> {
    (0..12usize, any::<u64>()).prop_map(|(kind, seed)| match kind {
        0 => fake::github_pat(seed),
        1 => fake::npm_token(seed),
        2 => fake::gitlab_pat(seed),
        3 => fake::slack_bot(seed),
        4 => fake::stripe_live(seed),
        5 => fake::sendgrid(seed),
        6 => fake::openai_project(seed),
        7 => fake::anthropic(seed),
        8 => fake::pypi(seed),
        9 => fake::grafana_sa(seed),
        10 => format!(
            "postgres://app:{}@db.internal.corp/orders",
            fake::github_pat(seed).split_off(8)
        ),
        _ => fake::rsa_pem(seed),
    })
}

/// How a secret stands in a text.
fn planted() -> impl Strategy<Value = String> {
    (secret(), 0..5usize).prop_map(|(secret, how)| match how {
        0 => format!("key = \"{secret}\"\n"),
        1 => format!("# {secret}\n"),
        2 => {
            use base64::Engine as _;
            format!(
                "data: {}\n",
                base64::engine::general_purpose::STANDARD.encode(format!("token={secret}\n"))
            )
        }
        3 => format!(
            "x={}\n",
            secret
                .bytes()
                .map(|b| format!("{b:02x}"))
                .collect::<String>()
        ),
        _ => format!("{secret}\n"),
    })
}

/// A text with secrets in it, some after filling of any length.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let filling = prop_oneof![
        proptest::string::string_regex("[ -~\n]{0,200}")
            .unwrap()
            .prop_map(String::into_bytes),
        (0..6000usize).prop_map(|n| b"let value = compute(&input)?; "
            .iter()
            .copied()
            .cycle()
            .take(n)
            .collect()),
        proptest::collection::vec(any::<u8>(), 0..60),
    ];
    proptest::collection::vec((filling, planted()), 0..6).prop_map(|parts| {
        let mut all = Vec::new();
        for (filling, planted) in parts {
            all.extend(filling);
            all.push(b'\n');
            all.extend(planted.into_bytes());
        }
        all
    })
}

/// What the engine gives for literals that begin in some range.
fn matches(
    bytes: &[u8],
    core: Range<usize>,
    offset: usize,
    into: &mut BTreeSet<(usize, usize, usize, bool)>,
) {
    let mut scratch = Scratch::default();
    engine().scan(bytes, core, false, Limits::default(), &mut scratch, |m| {
        into.insert((
            m.rule,
            m.span.start + offset,
            m.span.end + offset,
            m.dropped.is_none(),
        ));
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn windows_hide_nothing(text in text(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..5)) {
        let mut whole = BTreeSet::new();
        matches(&text, 0..text.len(), 0, &mut whole);
        let mut edges: Vec<usize> = cuts.iter().map(|c| c.index(text.len() + 1)).collect();
        edges.extend([0, text.len()]);
        edges.sort_unstable();
        let mut pieces = BTreeSet::new();
        let overlap = engine().overlap();
        for pair in edges.windows(2) {
            let (start, end) = (pair[0], pair[1]);
            let from = start.saturating_sub(overlap);
            let to = (end + overlap).min(text.len());
            matches(&text[from..to], start - from..end - from, from, &mut pieces);
        }
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn any_bytes_can_be_scanned(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let options = Options { settings: Settings { inline_allow: true, keep_dropped: true }, ..Options::default() };
        let _ = scan_bytes(engine(), &bytes, b"any", &options, &mut Scratch::default());
    }

    #[test]
    fn changed_texts_can_be_scanned(
        mut text in text(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 0..40),
    ) {
        for (at, byte, how) in changes {
            let at = at.index(text.len() + 1);
            match how {
                0 => text.insert(at, byte),
                1 if at < text.len() => text[at] = byte,
                _ if at < text.len() => { text.remove(at); }
                _ => {}
            }
        }
        let options = Options { settings: Settings { inline_allow: true, keep_dropped: true }, ..Options::default() };
        let outcome = scan_bytes(engine(), &text, b"changed", &options, &mut Scratch::default());
        for m in &outcome.matches {
            prop_assert!(m.place.span.start < m.place.span.end && m.place.span.end <= text.len() as u64);
        }
    }

    #[test]
    fn no_report_shows_a_secret(
        secrets in proptest::collection::vec(secret(), 1..4),
        same_line in any::<bool>(),
        in_path in any::<bool>(),
    ) {
        let between = if same_line { " " } else { "\n" };
        let text = secrets.join(between);
        let path = if in_path { format!("dir/{}/a.txt", secrets[0].replace(['/', '\n'], "_")) } else { "a.txt".to_owned() };
        for keep_dropped in [false, true] {
            let options = Options { settings: Settings { inline_allow: true, keep_dropped }, ..Options::default() };
            let outcome = scan_bytes(engine(), text.as_bytes(), path.as_bytes(), &options, &mut Scratch::default());
            let collected = merge(engine().rules(), outcome.matches, PUBLISHED_SALT);
            let redactor = Redactor::new(collected.findings.iter().chain(&collected.dropped), false);
            for format in FORMATS {
                let report = Report {
                    findings: &collected.findings,
                    dropped: &collected.dropped,
                    summary: &outcome.summary,
                    rules: engine().rules(),
                    elapsed: Duration::from_millis(5),
                    hidden_low: 0,
                    root: ".",
                    redactor: &redactor,
                    options: report::Options { show_suppressed: keep_dropped, width: 300, ..report::Options::default() },
                };
                let mut out = Vec::new();
                report::by_name(format).unwrap().write(&report, &mut out).unwrap();
                let out = String::from_utf8(out).unwrap();
                for secret in &secrets {
                    // The first line of a key block says no more than what it is.
                    let lines = secret.lines().filter(|l| !l.starts_with("-----"));
                    for line in lines {
                        let line = line.strip_prefix("postgres://app:").map_or(line, |l| l.split('@').next().unwrap());
                        prop_assert!(line.len() < 16 || !out.contains(line), "{format}: {line}\n{out}");
                    }
                }
            }
        }
    }
}
