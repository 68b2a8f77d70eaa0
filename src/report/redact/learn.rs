//! What a redactor must know of a run's findings.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::{echo, suppressed};
use super::beside::is_token_like;
use super::{
    Known, LEAST, LEAST_DROPPED, LEAST_LINE, bare_form, form_of, is_cut, is_in_name, lossy,
};
use crate::model::{Finding, Place};
use crate::rule::Rule;
use crate::scan::{Engine, Limits, Scratch};

#[expect(
    clippy::disallowed_methods,
    reason = "the redactor must know what it hides"
)]
pub(super) fn learn(known: &mut BTreeMap<Vec<u8>, Known>, finding: &Finding) {
    let secret = &finding.credential.secret;
    let bytes = secret.expose();
    let dropped = suppressed(finding).is_some();
    if bytes.len() < if dropped { LEAST_DROPPED } else { LEAST }
        || dropped && is_plain_placeholder(finding, bytes)
    {
        return;
    }
    let in_name = finding.places.iter().any(is_in_name);
    add(known, bytes, in_name, &|| form_of(secret));
    for place in &finding.places {
        let (start, end) = place.snippet.secret;
        let mut hidden = place.snippet.hidden.iter();
        if let Some((from, to)) = hidden.find(|(from, to)| *from <= start && end <= *to)
            && let Some(glued) = place.snippet.text.expose().get(*from..*to)
        {
            add(known, glued, in_name, &|| format!("{}…", form_of(secret)));
        }
        if let Some(encoded) = &place.snippet.encoded {
            let encoded = encoded.expose();
            if encoded.len() >= LEAST {
                add(known, encoded, in_name, &|| bare_form(encoded.len()));
            }
        }
    }
}

/// Learns what of a finding an answer may repeat in other letters.
#[expect(
    clippy::disallowed_methods,
    reason = "the redactor must know what it hides"
)]
pub(super) fn learn_echoes(known: &mut BTreeMap<Vec<u8>, Known>, finding: &Finding) {
    let credential = &finding.credential;
    let parts = credential.parts.iter();
    let parts = parts.filter(|(name, _)| name == "session_token");
    let parts = parts.map(|(_, value)| value.as_bytes());
    for secret in std::iter::once(credential.secret.expose()).chain(parts) {
        for (text, is_word) in echo::forms(secret) {
            known.entry(text).or_insert_with_key(|text| Known {
                form: bare_form(text.len()),
                in_name: false,
                is_word,
            });
        }
    }
}

/// Learns the parts that are secrets themselves: their own finding may have been left out, and a user may be a key.
pub(super) fn learn_parts(known: &mut BTreeMap<Vec<u8>, Known>, finding: &Finding) {
    for (name, value) in finding.credential.choices().flatten() {
        let is_secret = match name.as_str() {
            "session_token" | "application_key" | "api_key" | "cookie" => value.len() >= LEAST,
            "user" => is_token_like(value.as_bytes()),
            _ => false,
        };
        if is_secret {
            let in_name = finding.places.iter().any(is_in_name);
            add(known, value.as_bytes(), in_name, &|| bare_form(value.len()));
        }
    }
}

/// Learns what the rules find in names. Those that rest on the words around a value or on a companion
/// do not count: nobody would find a folder `token=…` of partitioned data by its redacted name.
#[expect(
    clippy::disallowed_methods,
    reason = "the redactor must know what it hides"
)]
pub(super) fn learn_names<'n>(
    known: &mut BTreeMap<Vec<u8>, Known>,
    engine: &Engine,
    names: impl IntoIterator<Item = &'n [u8]>,
) {
    let mut scratch = Scratch::default();
    for name in names {
        let limits = Limits::default();
        engine.scan(name, 0..name.len(), false, limits, &mut scratch, |found| {
            let rule = engine.rules().rule(found.rule).map(Rule::spec);
            let counts = rule.is_some_and(|r| !r.generic && !r.near.iter().any(|n| n.required));
            if found.dropped.is_some() || !counts {
                return;
            }
            let secret = found.secret.expose();
            add(known, secret, true, &|| form_of(&found.secret));
            if let Some(encoded) = name.get(found.span).filter(|text| *text != secret) {
                add(known, encoded, true, &|| bare_form(encoded.len()));
            }
        });
    }
}

/// Learns what the rules find in a line that a report shows in clear: secrets of findings that the report
/// left out. Scanned lines have given all that is in them.
#[expect(
    clippy::disallowed_methods,
    reason = "the redactor must know what it hides"
)]
pub(super) fn learn_lines(
    known: &mut BTreeMap<Vec<u8>, Known>,
    engine: &Engine,
    finding: &Finding,
    all: bool,
) {
    if !finding.credential.secret.is_known() {
        return;
    }
    let mut scratch = Scratch::default();
    let told =
        |place: &&Place| (all || place.snippet.told.is_some()) && !place.snippet.text.is_empty();
    for place in finding.places.iter().filter(told) {
        let line = place.snippet.text.expose();
        let limits = Limits::default();
        // A rule's keywords may stand in other lines.
        engine.scan_part(line, 0..line.len(), false, limits, &mut scratch);
        for found in scratch.take_kept().filter(|found| found.dropped.is_none()) {
            add(known, found.secret.expose(), false, &|| {
                form_of(&found.secret)
            });
        }
    }
}

/// Learns what touches the end of a line that was cut: it may be a piece of a secret that no rule knows any more.
#[expect(
    clippy::disallowed_methods,
    reason = "what is to be hidden has to be compared"
)]
pub(super) fn learn_ends(known: &mut BTreeMap<Vec<u8>, Known>, finding: &Finding) {
    const LEAST: usize = 8;
    // A line of this length may have been cut at its end, too.
    const LONG: usize = 200;
    let may_be_cut = |place: &&Place| is_cut(place) || place.snippet.text.expose().len() >= LONG;
    for place in finding.places.iter().filter(may_be_cut) {
        let line = place.snippet.text.expose();
        let (start, end) = place.snippet.secret;
        let before = line.get(..start).unwrap_or_default();
        let after = line.get(end..).unwrap_or_default();
        let is_word = |byte: &u8| byte.is_ascii_graphic();
        let first = before.iter().take_while(|byte| is_word(byte)).count();
        let last = after.iter().rev().take_while(|byte| is_word(byte)).count();
        for piece in [&before[..first], &after[after.len() - last..]] {
            if piece.len() >= LEAST {
                add(known, piece, false, &|| bare_form(piece.len()));
            }
        }
    }
}

/// Adds a text and its lines.
pub(super) fn add(
    known: &mut BTreeMap<Vec<u8>, Known>,
    bytes: &[u8],
    in_name: bool,
    form: &dyn Fn() -> String,
) {
    let mut one = |bytes: &[u8], form: &dyn Fn() -> String| {
        let new = || Known {
            form: form(),
            in_name: false,
            is_word: false,
        };
        if !known.contains_key(bytes) {
            known.insert(bytes.to_vec(), new());
        }
        if let Some(entry) = known.get_mut(bytes) {
            entry.in_name |= in_name;
        }
        // Parts and some paths arrive as lossy text.
        if let Cow::Owned(text) = lossy(bytes) {
            known.entry(text.into_bytes()).or_insert_with(new).in_name |= in_name;
        }
    };
    one(bytes, form);
    for line in lines(bytes) {
        if line.len() >= LEAST_LINE && line.len() < bytes.len() && !line.starts_with(b"-----") {
            one(line, &|| bare_form(line.len()));
        }
    }
}

/// Lines of a secret, also where their breaks are written as `\n`, without white space around them.
pub(super) fn lines(secret: &[u8]) -> impl Iterator<Item = &[u8]> {
    secret
        .split(|b| matches!(b, b'\n' | b'\r' | b'\\'))
        .enumerate()
        .map(|(index, line)| {
            let line = if index > 0 {
                line.strip_prefix(b"n").unwrap_or(line)
            } else {
                line
            };
            line.trim_ascii()
        })
}

/// A dropped match that is a word: hiding `password` in every line would hide the line, and no secret.
pub(super) fn is_plain_placeholder(finding: &Finding, secret: &[u8]) -> bool {
    let is_word = secret
        .iter()
        .all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-' | b' '))
        || secret
            .iter()
            .all(|b| b.is_ascii_uppercase() || matches!(b, b'_' | b'-' | b' '));
    let reason = |p: &Place| {
        p.dropped
            .as_deref()
            .is_some_and(|r| r.starts_with("placeholder") || r.contains("plain words"))
    };
    is_word && finding.places.iter().all(reason)
}

/// Whether a path is changed for a secret: one that would hardly stand there by chance.
pub(super) fn is_strong(secret: &[u8]) -> bool {
    let has = |sort: fn(&u8) -> bool| secret.iter().any(sort);
    secret.len() >= 16
        || secret.len() >= 8 && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}
