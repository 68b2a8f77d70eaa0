//! A credential that the user types, or gives through standard input: never as an argument.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::path::Path;

use anyhow::{Context, bail};

use keysweep::model::{Credential, Doubt, Finding, Secret};
use keysweep::provider::Registry;
use keysweep::report::printable;
use keysweep::rule::Rule;
use keysweep::scan::{BlobMatch, Engine, Options, Scratch, Settings, fingerprint, scan_bytes};
use keysweep::verify::beside::Beside;

use super::prompt;
use super::reread::with_hosts;
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
    let credential = credential(engine, registry, index, &|key| {
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
    registry: &Registry,
    rule: usize,
    missing: &dyn Fn(&Credential) -> Option<Doubt>,
) -> anyhow::Result<Credential> {
    if !io::stdin().is_terminal() {
        let bytes = input::all(Path::new("-"))?;
        return given(engine, registry, rule, &bytes);
    }
    let asked = |question: &str| -> anyhow::Result<_> {
        let typed = prompt::ask(question).context("nothing can be read from the terminal")?;
        // As Ctrl-C anywhere else.
        typed.ok_or_else(|| Interrupted.into())
    };
    let secret = asked("the secret (it is not shown): ")?;
    let mut credential = given(engine, registry, rule, secret.as_bytes())?;
    while let Some(doubt) = missing(&credential) {
        let Some(part) = doubt.part() else {
            break;
        };
        let value = asked(&format!("its {} (not shown): ", printable(part)))?;
        if value.is_empty() {
            break;
        }
        put(&mut credential, part, &value);
    }
    Ok(credential)
}

fn put(credential: &mut Credential, name: &str, value: &str) {
    let rivals = credential.rivals.parts.iter_mut();
    for parts in std::iter::once(&mut credential.parts).chain(rivals) {
        parts.retain(|(known, _)| known != name);
        parts.push((name.to_owned(), value.to_owned()));
        parts.sort();
    }
    let own = &credential.parts;
    credential.rivals.parts.retain(|parts| parts != own);
    credential.rivals.parts.dedup();
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
            with_rivals: true,
            ..Settings::default()
        },
        ..Options::default()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "two matches of one secret are one"
)]
fn given(
    engine: &Engine,
    registry: &Registry,
    rule: usize,
    bytes: &[u8],
) -> anyhow::Result<Credential> {
    let outcome = scan_bytes(engine, bytes, b"", &kept(), &mut Scratch::default());
    let mut matches: Vec<BlobMatch> = outcome
        .matches
        .into_iter()
        .filter(|m| m.rule == rule)
        .collect();
    let id = engine.rules().rule(rule).map_or("", |r| &r.spec().id);
    let hosts = hosts(registry, id, bytes, &matches);
    matches.sort_by_key(|m| std::cmp::Reverse(m.parts.len()));
    matches.dedup_by(|b, a| {
        let is_same = a.secret.expose() == b.secret.expose();
        if is_same {
            let others = std::iter::once(&b.parts).chain(&b.rivals.parts);
            let others = others.filter(|parts| **parts != a.parts).cloned();
            a.rivals.parts.extend(others);
        }
        is_same
    });
    let text = String::from_utf8_lossy(bytes);
    let first = text.lines().position(|line| !line.trim().is_empty());
    let first = first.unwrap_or_default();
    let first_line = text.lines().nth(first).unwrap_or_default().trim();
    let (mut credential, from) = match &matches[..] {
        [] => {
            if first_line.is_empty() {
                bail!("no secret was given: write it into standard input");
            }
            if !is_of(engine, rule, first_line) {
                bail!(
                    "nothing was sent: the rule `{id}` finds nothing in what was given; give the secret as it is, or a text in which the rule finds it (`keysweep rules show {id}` shows examples)"
                );
            }
            let secret = Secret::new(first_line.as_bytes(), "");
            let parts = Vec::new();
            (Credential::new(secret, parts), first + 1)
        }
        [one] => {
            let mut credential = Credential::new(one.secret.clone(), one.parts.clone());
            credential.rivals = one.rivals.clone();
            (credential, one.place.end.line as usize)
        }
        several => bail!("{} secrets of the rule were given; give one", several.len()),
    };
    // Behind a secret alone stand its parts; what follows one that was found in a text is the rest of the text.
    let is_alone = credential.secret.expose() == first_line.as_bytes();
    let known = registry.parts(id).map(|mut known| {
        let near = engine.rules().rule(rule).map(|r| r.spec().near.iter());
        known.extend(near.into_iter().flatten().map(|near| &*near.part));
        known.extend(credential.parts.iter().map(|(name, _)| name.as_str()));
        known.into_iter().map(str::to_owned).collect::<Vec<_>>()
    });
    let mut has_host = credential.part("host").is_some_and(|host| !host.is_empty());
    for line in text.lines().skip(from) {
        let name_and_value = line.split_once('=');
        let is_name = |name: &str| {
            let mut bytes = name.bytes();
            bytes.next().is_some_and(|b| b.is_ascii_lowercase())
                && bytes
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
        };
        let is_part = |name: &str| match &known {
            Some(known) => known.iter().any(|known| known == name),
            None => is_name(name),
        };
        match name_and_value.map(|(name, value)| (name.trim(), value.trim())) {
            Some((name, "")) if is_part(name) && (is_alone || name == "host") => {
                bail!(
                    "nothing was sent: its {name} is empty; write it behind `{name}=`, or leave the line out"
                )
            }
            Some((name, value)) if is_part(name) => {
                has_host |= name == "host";
                put(&mut credential, name, value);
            }
            _ if line.trim().is_empty() || !is_alone => {}
            Some((name, _)) if name.len() <= 60 && !name.is_empty() => {
                let name = printable(name);
                match known.as_deref() {
                    Some([]) => {
                        bail!("nothing was sent: `{name}` is no part of `{id}`, which has none")
                    }
                    Some(known) => bail!(
                        "nothing was sent: `{name}` is no part of `{id}`; its parts are: {}",
                        known.join(", ")
                    ),
                    None => bail!(
                        "nothing was sent: `{name}` is no name of a part; they are in lower case"
                    ),
                }
            }
            _ => bail!("behind the secret's line stand its parts, a line NAME=VALUE each"),
        }
    }
    if has_host || is_alone {
        return Ok(credential);
    }
    if hosts.len() > 1 {
        let hosts: Vec<String> = hosts
            .iter()
            .map(|host| printable(host).into_owned())
            .collect();
        bail!(
            "nothing was sent: several hosts stand beside it: {}; give the secret alone, and in a further line `host=…` the one that it is for",
            hosts.join(", ")
        );
    }
    let mut all = with_hosts(credential, hosts);
    all.pop().context("the credential is gone")
}

/// The hosts that stand beside a secret in the text that was given.
fn hosts(registry: &Registry, id: &str, bytes: &[u8], matches: &[BlobMatch]) -> Vec<String> {
    let Some(proof) = registry.proof(id) else {
        return Vec::new();
    };
    let text = Beside::of(bytes);
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    let mut all = BTreeSet::new();
    for m in matches {
        let span = at(m.place.span.start)..at(m.place.span.end);
        all.extend(text.hosts(&span, &proof.beside, &proof.home));
    }
    all.into_iter().collect()
}
