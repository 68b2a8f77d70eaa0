//! The one redactor: everything that comes from scanned material passes it on its way to a report.
//!
//! It knows every match of the run, dropped and encoded ones too, so that a secret does not show in
//! the snippet, path or part of another finding. What it knows is in memory in clear, as the scan's
//! buffers are; nothing of it is ever printed. [`printable`] is the second guard, for terminals.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

mod beside;
mod learn;

use self::beside::{is_token_like, keys_beside};
use self::learn::{
    is_strong, learn, learn_echoes, learn_ends, learn_lines, learn_names, learn_parts,
};
use super::echo;
use super::search::Search;
use crate::model::{Finding, Origin, Place, Secret, Summary};
use crate::rule::Prefilter;
use crate::scan::Engine;

/// Shorter secrets are redacted at their places, not wherever their letters occur.
const LEAST: usize = 4;
/// Shorter dropped matches too: they are placeholders.
const LEAST_DROPPED: usize = 8;
/// Lines of a secret of several lines count alone from this length on.
const LEAST_LINE: usize = 16;
/// A snippet of so many bytes may have been cut at its end.
const CUT: usize = 240;

/// What the redactor knows of a secret.
struct Known {
    /// What stands for it.
    form: String,
    /// Whether it was found in the name of a file or a ref.
    in_name: bool,
    /// Whether the whole word goes in which it stands.
    is_word: bool,
}

/// What stands for a text.
struct Form {
    text: String,
    /// Whether a path may be changed for it.
    is_strong: bool,
    /// [`Known::is_word`].
    is_word: bool,
}

/// Redacts known secrets in texts.
pub struct Redactor {
    show: bool,
    search: Search,
    /// What stands for each text of `search`.
    forms: Vec<Form>,
    /// The texts reversed, and sorted: for secrets that a snippet cuts, once there is such a snippet.
    ends: OnceLock<Vec<Vec<u8>>>,
}

/// The line of a finding, redacted, in three parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What stands before the secret.
    pub before: String,
    /// What stands for the secret.
    pub secret: String,
    /// What stands behind it.
    pub after: String,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.before, self.secret, self.after)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor")
            .field("show", &self.show)
            .field("known", &self.forms.len())
            .finish_non_exhaustive()
    }
}

impl Redactor {
    /// A redactor that knows the secrets of these findings: all of the run, hidden and dropped ones
    /// too. With `show_secrets` it changes nothing but invalid UTF-8.
    #[must_use]
    pub fn new<'f>(findings: impl IntoIterator<Item = &'f Finding>, show_secrets: bool) -> Self {
        let mut known = BTreeMap::new();
        if !show_secrets {
            let findings: Vec<_> = findings.into_iter().collect();
            for finding in &findings {
                learn(&mut known, finding);
                learn_echoes(&mut known, finding);
            }
            let parts = |finding: &&Finding| learn_parts(&mut known, finding);
            findings.iter().for_each(parts);
        }
        Self::knowing(known, show_secrets)
    }

    /// The redactor of a run: one that also knows the secrets which stand in the names of files and
    /// folders and in no content. `root` is what was scanned, as the user named it.
    #[must_use]
    pub fn of_run<'f>(
        engine: &Engine,
        findings: impl IntoIterator<Item = &'f Finding, IntoIter: Clone>,
        summary: &Summary,
        root: &str,
        show_secrets: bool,
    ) -> Self {
        Self::of_reduced_run(engine, None, findings, summary, root, show_secrets)
    }

    /// The same for a run without some of the rules: `whole` has all of them, for what stands beside findings.
    #[must_use]
    pub fn of_reduced_run<'f>(
        engine: &Engine,
        whole: Option<&Engine>,
        findings: impl IntoIterator<Item = &'f Finding, IntoIter: Clone>,
        summary: &Summary,
        root: &str,
        show_secrets: bool,
    ) -> Self {
        let mut known = BTreeMap::new();
        if !show_secrets {
            let findings = findings.into_iter();
            let mut names = BTreeSet::from([root.as_bytes()]);
            for finding in findings.clone() {
                learn(&mut known, finding);
                if finding.verification.is_some() {
                    learn_echoes(&mut known, finding);
                }
                names.extend(finding.places.iter().map(|place| place.path.as_slice()));
                if let Some(history) = &finding.history {
                    let refs = history.refs.iter().chain(&history.tips);
                    names.extend(refs.map(String::as_bytes));
                    for commit in history.first.iter().chain(&history.last) {
                        let texts = [&commit.author, &commit.email, &commit.subject];
                        names.extend(texts.map(String::as_bytes));
                    }
                }
            }
            names.extend(summary.gaps.iter().map(|gap| gap.path.as_bytes()));
            names.extend(summary.notable.iter().map(|skip| skip.path.as_bytes()));
            names.extend(summary.idle.iter().map(|idle| idle.path.as_bytes()));
            if let Some(whole) = whole {
                learn_names(&mut known, whole, names.iter().copied());
            }
            learn_names(&mut known, engine, names);
            for finding in findings {
                learn_parts(&mut known, finding);
                learn_lines(&mut known, engine, finding, false);
                if let Some(whole) = whole {
                    learn_lines(&mut known, whole, finding, true);
                    learn_ends(&mut known, finding);
                }
            }
        }
        Self::knowing(known, show_secrets)
    }

    /// A redactor of one text that comes from no report, such as an error with a path in it: it
    /// knows what stands in that text.
    #[must_use]
    pub fn of_text(engine: &Engine, text: &str) -> Self {
        Self::of_run(engine, [], &Summary::default(), text, false)
    }

    fn knowing(known: BTreeMap<Vec<u8>, Known>, show_secrets: bool) -> Self {
        let mut forms = Vec::with_capacity(known.len());
        let mut texts = Vec::with_capacity(known.len());
        for (bytes, known) in known {
            forms.push(Form {
                text: known.form,
                is_strong: known.in_name || is_strong(&bytes),
                is_word: known.is_word,
            });
            texts.push(bytes);
        }
        Self {
            show: show_secrets,
            search: Search::new(texts),
            forms,
            ends: OnceLock::new(),
        }
    }

    /// The text with every known secret in its redacted form; lossy UTF-8.
    #[must_use]
    pub fn redact(&self, bytes: &[u8]) -> String {
        self.replace(bytes, &self.spans(bytes, false))
    }

    /// The path with every known secret in its redacted form; lossy UTF-8. A secret that is a short
    /// or plain word (`admin`, `password`) stays, unless a name is where it was found: a path that
    /// cannot be opened would reveal it too.
    #[must_use]
    pub fn path(&self, path: &[u8]) -> String {
        self.replace(path, &self.spans(path, true))
    }

    /// [`Redactor::redact`], then [`printable`]: for what goes to a terminal.
    #[must_use]
    pub fn printable(&self, bytes: &[u8]) -> String {
        printable(&self.redact(bytes)).into_owned()
    }

    /// The secret as it is shown.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the user asked for --show-secrets"
    )]
    pub fn secret(&self, secret: &Secret) -> String {
        if self.show && secret.is_known() {
            lossy(secret.expose()).into_owned()
        } else {
            secret.redacted()
        }
    }

    /// The line at a place of this secret, redacted.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "what leaves here is redacted, or the user asked for --show-secrets"
    )]
    pub fn snippet(&self, place: &Place, secret: &Secret) -> Shown {
        let text = place.snippet.text.expose();
        let (start, end) = place.snippet.secret;
        let own = start.min(text.len())..end.clamp(start.min(text.len()), text.len());
        let piece = |range: Range<usize>| text.get(range).unwrap_or_default();
        if own.is_empty() && !secret.is_known() {
            // A report shows the line of one place alone.
            return Shown {
                before: String::new(),
                secret: secret.redacted(),
                after: String::new(),
            };
        }
        if self.show {
            return Shown {
                before: lossy(piece(0..own.start)).into_owned(),
                secret: lossy(piece(own.clone())).into_owned(),
                after: lossy(piece(own.end..text.len())).into_owned(),
            };
        }
        let is_plain =
            place.decoded_from.is_empty() || secret.expose().starts_with(piece(own.clone()));
        let mut spans = self.spans(text, false);
        if is_cut(place) {
            spans.extend(self.cut_start(text));
        }
        if text.len() >= CUT {
            spans.extend(self.cut_end(text));
        }
        let hidden = place.snippet.hidden.iter();
        let hidden = hidden.map(|(start, end)| *start..(*end).min(text.len()));
        spans.extend(
            hidden
                .filter(|span| !span.is_empty())
                .map(|span| (span, None)),
        );
        // A report's own forms stand in a line that was read from one.
        if place.snippet.told.is_none() {
            spans.extend(keys_beside(text, &own).into_iter().map(|span| (span, None)));
        }
        // What overlaps the secret is hidden with it.
        let mut own = own;
        let taken = own.clone();
        let spans = merged(spans);
        for (span, _) in &spans {
            if span.start < own.end && own.start < span.end {
                own = own.start.min(span.start)..own.end.max(span.end);
            }
        }
        let mut hidden = place.snippet.hidden.iter();
        let is_glued = hidden.any(|(start, end)| *start <= taken.start && taken.end < *end);
        let behind = if is_glued { "…" } else { "" };
        let around = |range: Range<usize>| {
            let inside: Vec<_> = spans
                .iter()
                .filter(|(s, _)| range.start <= s.start && s.end <= range.end)
                .map(|(s, form)| (s.start - range.start..s.end - range.start, *form))
                .collect();
            self.replace(piece(range), &inside)
        };
        Shown {
            before: around(0..own.start),
            secret: if !secret.is_known() {
                // What stands there is redacted already.
                lossy(piece(own.clone())).into_owned()
            } else if is_plain {
                form_of(secret)
            } else {
                bare_form(own.len())
            },
            after: format!("{behind}{}", around(own.end..text.len())),
        }
    }

    /// A line as [`Self::redact`] gives it, in which no rule need have found anything: what begins as keys do, and what looks like
    /// one, is hidden as well.
    #[must_use]
    pub fn unmatched(&self, prefilter: &Prefilter, line: &[u8]) -> String {
        let text = self.redact(line);
        if self.show {
            return text;
        }
        let bytes = text.as_bytes();
        let is_word = |at: &usize| bytes.get(*at).is_some_and(|b| is_word_byte(*b));
        let run = |from: usize| (from..bytes.len()).take_while(is_word).count();
        let mut spans: Vec<(Range<usize>, usize)> = Vec::new();
        prefilter.search(bytes, |hit| {
            let literal = prefilter.literals().get(usize::from(hit.literal));
            let Some(literal) = literal.filter(|l| l.distinctive && l.escape.is_none()) else {
                return;
            };
            let length = literal.bytes.len();
            let behind = run(hit.at + length);
            if behind >= LEAST_BEHIND {
                let kept = if literal.steps.is_empty() { length } else { 0 };
                spans.push((hit.at..hit.at + length + behind, kept));
            }
        });
        let mut at = 0;
        while at < bytes.len() {
            let length = run(at);
            if is_token_like(&bytes[at..at + length]) {
                spans.push((at..at + length, 0));
            }
            at += length.max(1);
        }
        spans.sort_by_key(|(span, kept)| (span.start + kept, std::cmp::Reverse(span.end)));
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for (span, kept) in spans {
            let start = (span.start + kept).max(at);
            if span.end <= start {
                continue;
            }
            out.push_str(text.get(at..start).unwrap_or_default());
            out.push_str(&bare_form(span.end - start + kept));
            at = span.end;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        out
    }

    /// Where known secrets stand: apart, in order, each with the index of its form.
    fn spans(&self, text: &[u8], strong: bool) -> Vec<(Range<usize>, Option<usize>)> {
        let counts =
            |index: usize| !strong || self.forms.get(index).is_some_and(|form| form.is_strong);
        let mut found = Vec::new();
        self.search.each(text, |mut span, index| {
            if counts(index) {
                if self.forms.get(index).is_some_and(|form| form.is_word) {
                    span = word_around(text, span);
                }
                found.push((span, Some(index)));
            }
        });
        merged(found)
    }

    fn replace(&self, text: &[u8], spans: &[(Range<usize>, Option<usize>)]) -> String {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for (span, form) in spans {
            out.push_str(&lossy(text.get(at..span.start).unwrap_or_default()));
            match form.and_then(|i| self.forms.get(i)) {
                Some(form) => out.push_str(&form.text),
                None => out.push('…'),
            }
            at = span.end;
        }
        out.push_str(&lossy(text.get(at..).unwrap_or_default()));
        out
    }

    /// The end of a secret with which a cut text begins.
    fn cut_start(&self, text: &[u8]) -> Option<(Range<usize>, Option<usize>)> {
        let backwards = |text: &Vec<u8>| text.iter().rev().copied().collect();
        let ends = self.ends.get_or_init(|| {
            let mut ends: Vec<Vec<u8>> = self.search.texts().iter().map(backwards).collect();
            ends.sort_unstable();
            ends
        });
        let reversed: Vec<u8> = text.iter().take(CUT).rev().copied().collect();
        (LEAST..=reversed.len()).rev().find_map(|length| {
            let end = reversed.get(reversed.len() - length..)?;
            begins_one(ends, end).then_some((0..length, None))
        })
    }

    /// The beginning of a secret with which a cut text ends.
    fn cut_end(&self, text: &[u8]) -> Option<(Range<usize>, Option<usize>)> {
        let from = text.len().saturating_sub(CUT);
        (from..=text.len().saturating_sub(LEAST)).find_map(|start| {
            begins_one(self.search.texts(), text.get(start..)?).then_some((start..text.len(), None))
        })
    }
}

/// So many characters behind the beginning of a key are hidden where no rule matched.
const LEAST_BEHIND: usize = 8;

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=')
}

/// Whether one of the sorted patterns begins with these bytes.
fn begins_one(sorted: &[Vec<u8>], bytes: &[u8]) -> bool {
    let first = sorted.partition_point(|p| p.as_slice() < bytes);
    sorted.get(first).is_some_and(|p| p.starts_with(bytes))
}

/// Whether a place's snippet begins in the middle of its line.
pub(super) fn is_cut(place: &Place) -> bool {
    place.snippet.told.map_or_else(
        || place.start.column as usize > place.snippet.secret.0 + 1,
        |told| told.is_cut,
    )
}

/// Joins spans that overlap; the form of the longest stands for all.
fn merged(mut spans: Vec<(Range<usize>, Option<usize>)>) -> Vec<(Range<usize>, Option<usize>)> {
    spans.sort_by_key(|(span, _)| (span.start, span.end));
    let mut out: Vec<(Range<usize>, Option<usize>)> = Vec::with_capacity(spans.len());
    let mut longest = 0;
    for (span, form) in spans {
        match out.last_mut() {
            Some((last, shown)) if span.start < last.end => {
                if span.len() > longest {
                    (longest, *shown) = (span.len(), form);
                }
                last.end = last.end.max(span.end);
            }
            _ => {
                longest = span.len();
                out.push((span, form));
            }
        }
    }
    out
}

/// The word in which a span stands.
fn word_around(text: &[u8], span: Range<usize>) -> Range<usize> {
    let inside = |byte: &&u8| echo::is_inside(**byte);
    let before = text.get(..span.start).unwrap_or_default().iter().rev();
    let after = text.get(span.end..).unwrap_or_default().iter();
    span.start - before.take_while(inside).count()..span.end + after.take_while(inside).count()
}

/// Whether the place counts and is the name of a file or a ref.
fn is_in_name(place: &Place) -> bool {
    place.dropped.is_none() && matches!(place.origin, Origin::Name | Origin::Ref)
}

/// What stands for a secret: its redacted form, for a key block its first line.
#[expect(
    clippy::disallowed_methods,
    reason = "the BEGIN line of a key block is public"
)]
fn form_of(secret: &Secret) -> String {
    let header = secret
        .expose()
        .strip_prefix(b"-----BEGIN ")
        .and_then(|rest| {
            let name: Vec<u8> = rest
                .iter()
                .copied()
                .take(60)
                .take_while(|b| b.is_ascii_uppercase() || matches!(b, b' ' | b'0'..=b'9'))
                .collect();
            rest.get(name.len()..)?
                .starts_with(b"-----")
                .then(|| String::from_utf8(name).ok())?
        });
    match header {
        Some(name) => format!("-----BEGIN {name}-----{}", bare_form(secret.len())),
        None => secret.redacted(),
    }
}

fn bare_form(length: usize) -> String {
    format!(
        "… ({length} {})",
        if length == 1 { "byte" } else { "bytes" }
    )
}

fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The text with everything spelled out that a terminal would not print or would obey: control
/// characters and escapes, marks of direction, invisible characters, as `\n`, `\u{1b}`, `\u{202e}`.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_printable) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if is_printable(c) => out.push(c),
            '\n' | '\r' | '\t' => out.extend(c.escape_default()),
            c => out.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(out)
}

/// Whether the character shows and does nothing.
pub(super) fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}' | '\u{f0000}'..='\u{10ffff}')
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
