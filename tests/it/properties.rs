//! What holds for any input: windows hide nothing, nothing panics, no report shows a secret.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keysweep::model::{Commit, Finding, Gap, History, Oid, Origin, Place, Skip, SkipKind};
use keysweep::report::{self, FORMATS, Redactor, Report};
use keysweep::scan::{Limits, Options, PUBLISHED_SALT, Scratch, Settings, merge, scan_bytes};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{engine, fake, found};

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
        2 => format!("data: {}\n", STANDARD.encode(format!("token={secret}\n"))),
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

/// A secret as it stands in a text, and what must not be seen of it.
#[derive(Debug, Clone)]
struct Hidden {
    how: &'static str,
    written: String,
    pieces: Vec<String>,
}

impl Hidden {
    fn new(secret: &str, how: &'static str) -> Self {
        let each = |form: &dyn Fn(u8) -> String| secret.bytes().map(form).collect::<String>();
        let written = match how {
            "base64" => STANDARD.encode(secret),
            "hex" => each(&|b| format!("{b:02x}")),
            "percent" => each(&|b| format!("%{b:02X}")),
            "base64 twice" => STANDARD.encode(STANDARD.encode(secret)),
            "html" => each(&|b| format!("&#{b};")),
            "escape" => each(&|b| format!("\\u{b:04x}")),
            _ => secret.to_owned(),
        };
        // What the scanner does not see in this form, such as a short prefix in base64, it shows.
        let options = Options::default();
        if found("a.txt", written.as_bytes(), &options).is_empty() {
            return Self {
                how,
                written,
                pieces: Vec::new(),
            };
        }
        // Of an URL only the password is secret, of a key block all but its first and last line.
        let core = secret
            .strip_prefix("postgres://app:")
            .and_then(|rest| rest.split('@').next())
            .unwrap_or(secret);
        let lines = core.lines().filter(|l| !l.starts_with("-----"));
        let mut pieces: Vec<String> = lines.filter(|l| l.len() >= 16).map(str::to_owned).collect();
        if how != "plain" && core.len() == secret.len() {
            // In one piece, and in pieces of which a cut line could show one.
            let whole = written.as_bytes().chunks_exact(32);
            pieces.extend(whole.map(|piece| String::from_utf8_lossy(piece).into_owned()));
        }
        Self {
            how,
            written,
            pieces,
        }
    }

    /// Whether a file may have this name.
    fn is_name(&self) -> bool {
        !self.written.contains(['/', '\n'])
    }
}

fn hidden() -> impl Strategy<Value = Hidden> {
    let how = prop_oneof![
        Just("plain"),
        Just("base64"),
        Just("base64 twice"),
        Just("html"),
        Just("hex"),
        Just("percent"),
        Just("escape")
    ];
    (secret(), how).prop_map(|(secret, how)| Hidden::new(&secret, how))
}

/// What stands between two secrets: most often on the same line, near or so far that it is cut.
fn between() -> impl Strategy<Value = String> {
    prop_oneof![
        // Not the break alone: base64 goes on behind it.
        Just("\n# ".to_owned()),
        Just(" ".to_owned()),
        Just("\" key = \"".to_owned()),
        (0..300usize).prop_map(|n| format!(
            " {} ",
            "abc def ".chars().cycle().take(n).collect::<String>()
        )),
    ]
}

/// All that a reader can get out of a report: its text, the strings in it, addresses decoded.
fn said(format: &str, report: String) -> String {
    fn strings(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::String(text) => into.push(text.clone()),
            Value::Array(all) => all.iter().for_each(|value| strings(value, into)),
            Value::Object(all) => {
                for (key, value) in all {
                    into.push(key.clone());
                    if let (true, Some(address)) = (key == "uri", value.as_str()) {
                        assert!(
                            address.is_ascii() && !address.contains([' ', '[', ']']),
                            "{address}"
                        );
                        into.push(percent_decoded(address));
                    }
                    strings(value, into);
                }
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    match format {
        "json" | "sarif" | "gitlab" | "sonarqube" => {
            strings(&serde_json::from_str(&report).unwrap(), &mut all);
        }
        "html" => {
            let (_, data) = report.split_once("\"application/json\">").unwrap();
            let (data, _) = data.split_once("</script>").unwrap();
            strings(&serde_json::from_str(data).unwrap(), &mut all);
        }
        "jsonl" => {
            for line in report.lines() {
                strings(&serde_json::from_str(line).unwrap(), &mut all);
            }
        }
        // As a runner, an XML reader or a browser decodes them.
        _ => {
            all.push(
                report
                    .replace("%25", "%")
                    .replace("%3A", ":")
                    .replace("%2C", ","),
            );
            let entities = [
                ("&lt;", "<"),
                ("&gt;", ">"),
                ("&quot;", "\""),
                ("&apos;", "'"),
                ("&amp;", "&"),
            ];
            let decoded = entities
                .iter()
                .fold(report.clone(), |text, (from, to)| text.replace(from, to));
            all.push(decoded.replace('\\', ""));
            all.push(decoded);
        }
    }
    all.push(report);
    all.join("\n")
}

/// The text of an address; every `%` in it begins an escape.
fn percent_decoded(address: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = address.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(&tail[..2]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
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

/// A history in which every text that a report takes from it repeats the secrets.
fn put_in_history(finding: &mut Finding, secrets: &[String]) {
    let all = secrets.join(" ");
    let names: Vec<String> = secrets.iter().map(|s| format!("refs/heads/{s}")).collect();
    let commit = Commit {
        id: Oid::new([7; 20]),
        author: all.clone(),
        email: format!("{all}@example.com"),
        date: 1_700_000_000,
        subject: format!("Add {all}"),
    };
    finding.history = Some(History {
        first: Some(commit.clone()),
        last: Some(commit),
        introductions: 2,
        in_head: false,
        tips: names.clone(),
        refs: names,
        exposed_days: 3,
        ..History::default()
    });
    let Some(place) = finding.places.first().cloned() else {
        return;
    };
    for origin in [Origin::Name, Origin::Commit, Origin::Tag, Origin::Ref] {
        finding.places.push(Place {
            origin,
            path: all.clone().into_bytes(),
            commit: Some(Oid::new([7; 20])),
            ..place.clone()
        });
    }
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
        let options = Options { settings: Settings { inline_allow: true, keep_dropped: true, ..Settings::default() }, ..Options::default() };
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
        let options = Options { settings: Settings { inline_allow: true, keep_dropped: true, ..Settings::default() }, ..Options::default() };
        let outcome = scan_bytes(engine(), &text, b"changed", &options, &mut Scratch::default());
        for m in &outcome.matches {
            prop_assert!(m.place.span.start < m.place.span.end && m.place.span.end <= text.len() as u64);
        }
    }

    #[test]
    fn no_report_shows_a_secret(
        content in proptest::collection::vec((hidden(), between()), 1..5),
        names in proptest::collection::vec((hidden(), any::<bool>()), 0..3),
        repeated in any::<bool>(),
        width in prop_oneof![Just(40usize), Just(80), Just(300)],
        in_history in any::<bool>(),
    ) {
        let mut text = String::new();
        for (secret, between) in &content {
            text.push_str(&secret.written);
            text.push_str(between);
        }
        // All of them are strong: a weak one, a short password or a plain word, stays in a path.
        let mut path = "dir".to_owned();
        let in_path: Vec<&Hidden> = names
            .iter()
            .map(|(secret, _)| secret)
            .chain(content.iter().map(|(secret, _)| secret).filter(|_| repeated))
            .filter(|secret| secret.is_name())
            .collect();
        for (index, secret) in in_path.iter().enumerate() {
            let sign = if names.get(index).is_some_and(|(_, with_word)| *with_word) { "old." } else { "" };
            path = format!("{path}/{sign}{}", secret.written);
        }
        let file = format!("{path}/a.txt");
        let planted: Vec<&Hidden> = content.iter().map(|(secret, _)| secret).chain(in_path.iter().copied()).collect();
        // An unseen one may begin with the same public prefix.
        let is_public = |piece: &str| planted.iter().any(|p| p.pieces.is_empty() && p.written.contains(piece));
        for keep_dropped in [false, true] {
            let options = Options { settings: Settings { inline_allow: true, keep_dropped, ..Settings::default() }, ..Options::default() };
            let outcome = scan_bytes(engine(), text.as_bytes(), file.as_bytes(), &options, &mut Scratch::default());
            let mut collected = merge(engine().rules(), outcome.matches, PUBLISHED_SALT);
            if in_history {
                let secrets: Vec<String> = content.iter().map(|(secret, _)| secret.written.clone()).collect();
                for finding in collected.findings.iter_mut().chain(&mut collected.dropped) {
                    put_in_history(finding, &secrets);
                }
            }
            let mut summary = outcome.summary;
            summary.gaps.push(Gap { path: format!("{path}/locked"), reason: "permission denied".to_owned() });
            summary.skip(Skip { kind: SkipKind::Ignored, path: format!("{path}/.env"), notable: true });
            let all = collected.findings.iter().chain(&collected.dropped);
            let redactor = Redactor::of_run(engine(), all, &summary, &path, false);
            for format in FORMATS {
                let report = Report {
                    findings: &collected.findings,
                    dropped: &collected.dropped,
                    summary: &summary,
                    rules: engine().rules(),
                    elapsed: Duration::from_millis(5),
                    finished: None,
                    hidden_low: 0,
                    root: &path,
                    revision: None,
                    branch: None,
                    redactor: &redactor,
                    options: report::Options { show_suppressed: keep_dropped, width, ..report::Options::default() },
                };
                let mut out = Vec::new();
                report::by_name(format).unwrap().write(&report, &mut out).unwrap();
                let said = said(format, String::from_utf8(out).unwrap());
                for secret in &planted {
                    for piece in secret.pieces.iter().filter(|piece| !is_public(piece)) {
                        prop_assert!(!said.contains(piece), "{format}, {}: {piece}\n{said}", secret.how);
                    }
                }
            }
        }
    }
}
