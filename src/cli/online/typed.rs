//! A credential that the user types, or gives through standard input: never as an argument.

use std::io::{self, IsTerminal};
use std::path::Path;

use anyhow::{Context, bail};

use keysweep::model::{Credential, Doubt, Finding, Secret};
use keysweep::provider::Registry;
use keysweep::report::printable;
use keysweep::rule::Rule;
use keysweep::scan::{BlobMatch, Engine, Options, Scratch, Settings, fingerprint, scan_bytes};

use super::prompt;
use crate::cli::input::{self, Interrupted};

/// The rule with an id that the user typed.
pub(crate) fn index_of(engine: &Engine, rule: &str) -> anyhow::Result<usize> {
    engine.rules().index_of(rule).ok_or_else(|| {
        let near = engine.rules().knows(rule).err().flatten();
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        anyhow::anyhow!("no rule has the id `{rule}`{hint} (`keysweep rules list` shows all)")
    })
}

/// What the user types, as a finding of its rule that stands nowhere.
#[expect(
    clippy::disallowed_methods,
    reason = "the fingerprint is made of the secret"
)]
pub(crate) fn finding(
    engine: &Engine,
    registry: &Registry,
    index: usize,
    salt: &[u8],
) -> anyhow::Result<Finding> {
    let spec = engine.rules().rule(index).map(Rule::spec);
    let spec = spec.context("the rule is gone")?;
    let credential = credential(engine, index, &|key| {
        registry.verifier(&spec.id)?.preview(key).err()
    })?;
    Ok(Finding {
        rule: spec.id.to_string(),
        name: spec.name.to_string(),
        provider: spec.provider.to_string(),
        severity: spec.severity,
        score: 1.0,
        fingerprint: fingerprint(&spec.id, credential.secret.expose(), salt),
        credential,
        entropy: 0.0,
        places: Vec::new(),
        history: None,
        opens: Vec::new(),
        owners: Vec::new(),
        remedy: spec.remedy.to_string(),
        console: spec.console.to_string(),
        link: String::new(),
        verification: None,
    })
}

/// The credential that the user types, or that comes through standard input: a text in which the rule finds it, or the
/// secret alone in the first line; further parts as lines `name=value`.
fn credential(
    engine: &Engine,
    rule: usize,
    missing: &dyn Fn(&Credential) -> Option<Doubt>,
) -> anyhow::Result<Credential> {
    if !io::stdin().is_terminal() {
        let bytes = input::all(Path::new("-"))?;
        return given(engine, rule, &bytes);
    }
    let asked = |question: &str| -> anyhow::Result<_> {
        let typed = prompt::ask(question).context("nothing can be read from the terminal")?;
        // As Ctrl-C anywhere else.
        typed.ok_or_else(|| Interrupted.into())
    };
    let secret = asked("the secret (it is not shown): ")?;
    let mut credential = given(engine, rule, secret.as_bytes())?;
    while let Some(Doubt::Missing(part)) = missing(&credential) {
        let value = asked(&format!("its {} (not shown): ", printable(&part)))?;
        if value.is_empty() {
            break;
        }
        put(&mut credential, &part, &value);
    }
    Ok(credential)
}

fn put(credential: &mut Credential, name: &str, value: &str) {
    credential.parts.retain(|(known, _)| known != name);
    credential.parts.push((name.to_owned(), value.to_owned()));
    credential.parts.sort();
}

/// Whether a text is a secret of the rule: it finds the whole of it where one of its examples holds another.
///
/// What a user gives for a kind goes to that kind's provider, so what the rule does not know is sent to nobody.
#[expect(
    clippy::disallowed_methods,
    reason = "compared with what the user gave"
)]
fn is_of(engine: &Engine, rule: usize, secret: &str) -> bool {
    let Some(spec) = engine.rules().rule(rule).map(Rule::spec) else {
        return false;
    };
    let holds = |text: &str| {
        let matches = scan_bytes(
            engine,
            text.as_bytes(),
            b"",
            &kept(),
            &mut Scratch::default(),
        )
        .matches;
        matches
            .into_iter()
            .filter(|m| m.rule == rule)
            .collect::<Vec<BlobMatch>>()
    };
    let mut contexts = vec![spec.shape_context.replace("{}", secret)];
    for example in spec.examples.iter() {
        let example = example.replace("{-}", "");
        for other in holds(&example) {
            if let Ok(other) = std::str::from_utf8(other.secret.expose()) {
                contexts.push(example.replace(other, secret));
            }
        }
    }
    contexts.iter().any(|text| {
        holds(text)
            .iter()
            .any(|m| m.secret.expose() == secret.as_bytes())
    })
}

/// Every match counts, whatever stands around it.
fn kept() -> Options {
    Options {
        settings: Settings {
            inline_allow: false,
            keep_dropped: true,
            ..Settings::default()
        },
        ..Options::default()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "two matches of one secret are one"
)]
fn given(engine: &Engine, rule: usize, bytes: &[u8]) -> anyhow::Result<Credential> {
    let outcome = scan_bytes(engine, bytes, b"", &kept(), &mut Scratch::default());
    let mut matches: Vec<BlobMatch> = outcome
        .matches
        .into_iter()
        .filter(|m| m.rule == rule)
        .collect();
    matches.sort_by_key(|m| std::cmp::Reverse(m.parts.len()));
    matches.dedup_by(|b, a| a.secret.expose() == b.secret.expose());
    let text = String::from_utf8_lossy(bytes);
    let (mut credential, from) = match &matches[..] {
        [] => {
            let first = text.lines().next().unwrap_or_default().trim();
            if first.is_empty() {
                bail!("no secret was given: write it into standard input");
            }
            if !is_of(engine, rule, first) {
                let id = engine.rules().rule(rule).map_or("", |r| &r.spec().id);
                bail!(
                    "nothing was sent: the rule `{id}` finds nothing in what was given; give the secret as it is, or a text in which the rule finds it (`keysweep rules show {id}` shows examples)"
                );
            }
            let secret = Secret::new(first.as_bytes(), "");
            let parts = Vec::new();
            (Credential { secret, parts }, 1)
        }
        [one] => {
            let credential = Credential {
                secret: one.secret.clone(),
                parts: one.parts.clone(),
            };
            (credential, one.place.end.line as usize)
        }
        several => bail!("{} secrets of the rule were given; give one", several.len()),
    };
    for line in text.lines().skip(from) {
        let name_and_value = line.split_once('=');
        let is_name = |name: &str| {
            let mut bytes = name.bytes();
            bytes.next().is_some_and(|b| b.is_ascii_lowercase())
                && bytes
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
        };
        match name_and_value {
            Some((name, value)) if is_name(name.trim()) => {
                put(&mut credential, name.trim(), value.trim());
            }
            _ if line.trim().is_empty() => {}
            // What follows a secret that was found in a text is the rest of the text.
            _ if !matches.is_empty() => {}
            _ => bail!("behind the secret's line stand its parts, a line NAME=VALUE each"),
        }
    }
    Ok(credential)
}
