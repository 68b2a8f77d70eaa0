//! `keysweep scan --explain FILE:LINE`: which rules looked at a line, and what became of it.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Context, bail};

use keysweep::decode::utf16;
use keysweep::report::{Redactor, printable};
use keysweep::scan::{BlobMatch, Engine, Options, Scratch, Settings, merge, scan_bytes};
use keysweep::source::open_regular;

use super::args::{ScanArgs, Shared};
use super::console;
use super::exit::Exit;
use super::suppression::Layout;

/// Largest file that is explained, in bytes.
const LIMIT: u64 = 256 << 20;

/// Runs the command.
pub(crate) fn run(
    engine: &Engine,
    place: &str,
    args: &ScanArgs,
    shared: &Shared,
) -> anyhow::Result<Exit> {
    let (file, line) = place
        .rsplit_once(':')
        .and_then(|(file, line)| Some((file, line.parse::<u32>().ok().filter(|l| *l > 0)?)))
        .with_context(|| format!("--explain takes FILE:LINE with a line from 1, not `{place}`"))?;
    let named = printable(file);
    let content = open_regular(file.as_ref(), true).with_context(|| named.to_string())?;
    if content.length > LIMIT {
        bail!(
            "{named}: larger than {} MB; cut the part in question out of it",
            LIMIT >> 20
        );
    }
    let mut bytes = Vec::new();
    let read = content.read_whole(&mut bytes, LIMIT)?;
    bytes.truncate(read);
    let mut below = Layout::of_paths(&[file.into()]).below();
    for (shown, _) in &mut below {
        *shown = file.as_bytes().to_vec();
    }
    let settings = Settings {
        below,
        inline_allow: !args.common.no_inline_allow,
        keep_dropped: true,
        ..args.common.settings()
    };
    let options = Options {
        settings,
        ..Options::default()
    };
    let outcome = scan_bytes(
        engine,
        &bytes,
        file.as_bytes(),
        &options,
        &mut Scratch::default(),
    );
    let collected = merge(
        engine.rules(),
        outcome.matches.clone(),
        args.common.project.salt(),
    );
    let redactor = Redactor::of_run(
        engine,
        collected.findings.iter().chain(&collected.dropped),
        &outcome.summary,
        file,
        args.common.show_secrets,
    );
    // Lines are those of the text, and the redactor knows secrets as text.
    let wide = match bytes.get(..2) {
        Some([0xFF, 0xFE] | [0xFE, 0xFF]) => utf16(&bytes),
        _ if bytes.iter().take(8192).any(|b| *b == 0) => utf16(&bytes),
        _ => None,
    };
    let bytes = wide.map_or(bytes, |text| text.bytes);
    let Some(text) = bytes.split(|b| *b == b'\n').nth(line as usize - 1) else {
        bail!("{named}: has fewer than {line} lines");
    };
    let here = |m: &&BlobMatch| m.place.start.line <= line && line <= m.place.end.line;
    let mut out = console::report_writer(shared)?;
    let shown = redactor.path(file.as_bytes());
    // Redacted first: half of a secret is no secret that the redactor knows. And what no rule matched may be a key that one missed.
    let prefilter = engine.rules().prefilter();
    let text_shown = clip(&redactor.unmatched(prefilter, text));
    writeln!(
        out,
        "{}:{line}: {}",
        printable(&shown),
        printable(&text_shown)
    )?;
    let mut verdicts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for m in outcome.matches.iter().filter(here) {
        let Some(rule) = engine.rules().rule(m.rule) else {
            continue;
        };
        let at = format!("{}:{}", m.place.start.line, m.place.start.column);
        let verdict = if let Some(reason) = &m.place.dropped {
            format!("{at} dropped: {reason}")
        } else {
            let confidence = keysweep::model::Confidence::of_score(m.place.score);
            let below = confidence < args.common.min_confidence.into();
            let kept = if below {
                "kept, but below --min-confidence"
            } else {
                "kept"
            };
            let (score, entropy) = (m.place.score, m.entropy);
            format!("{at} {kept}: confidence {confidence} (score {score:.2}), entropy {entropy:.2}")
        };
        verdicts
            .entry(rule.spec().id.to_string())
            .or_default()
            .push(verdict);
    }
    prefilter.search(text, |hit| {
        let Some(literal) = prefilter.literals().get(usize::from(hit.literal)) else {
            return;
        };
        for rule in &literal.rules {
            let Some(rule) = engine.rules().rule(usize::from(*rule)) else {
                continue;
            };
            let shown = String::from_utf8_lossy(&literal.bytes).into_owned();
            let encoded = if literal.steps.is_empty() {
                ""
            } else {
                " (encoded)"
            };
            verdicts
                .entry(rule.spec().id.to_string())
                .or_insert_with(|| {
                    vec![if rule.looks_into(&bytes) {
                        format!("looked: `{shown}`{encoded} stands here, the pattern does not match")
                    } else {
                        format!("looked: `{shown}`{encoded} stands here, but none of its keywords in the file")
                    }]
                });
        }
    });
    for rule in engine
        .rules()
        .rules()
        .iter()
        .filter(|r| r.spec().everywhere)
    {
        let blind = !rule.looks_into(&bytes);
        verdicts
            .entry(rule.spec().id.to_string())
            .or_insert_with(|| {
                let why = if blind {
                    "did not look: none of its keywords stands in the file"
                } else {
                    "looked, as it does at every line: the pattern does not match"
                };
                vec![why.to_owned()]
            });
    }
    if verdicts.is_empty() {
        writeln!(
            out,
            "  no rule looked at this line: none of the literals in `keysweep rules literals` stands in it"
        )?;
    }
    for (rule, all) in verdicts {
        for verdict in all {
            writeln!(out, "  {rule}: {}", redactor.printable(verdict.as_bytes()))?;
        }
    }
    out.flush()?;
    Ok(Exit::Clean)
}

/// The first 200 characters of a line.
fn clip(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
