//! Whether the word that a generic rule rests on is a name to which something is assigned.

use crate::rule::RuleSpec;

/// A literal's word at a place, looked at once for all rules that rest on it.
pub(super) struct Word<'t> {
    bytes: &'t [u8],
    at: usize,
    length: usize,
    assigned: Option<bool>,
    entry: Option<bool>,
}

impl<'t> Word<'t> {
    pub(super) fn new(bytes: &'t [u8], at: usize, length: usize) -> Self {
        Self {
            bytes,
            at,
            length,
            assigned: None,
            entry: None,
        }
    }

    /// Whether a rule is to be tried: one that rests on words, only where the word is a name.
    pub(super) fn is_tried(&mut self, spec: &RuleSpec) -> bool {
        let &mut Self {
            bytes, at, length, ..
        } = self;
        if !spec.generic {
            true
        } else if spec.entry {
            *self.entry.get_or_insert_with(|| is_entry(bytes, at))
        } else {
            *self
                .assigned
                .get_or_insert_with(|| is_assigned(bytes, at, length))
        }
    }
}

/// Whether something is assigned to the word of this length at `at`: the rest of the identifier,
/// quotes and spaces, then `=`, `:`, `,`, `>`, `(`, an attribute `value=`, or, behind `--name`, a space.
fn is_assigned(bytes: &[u8], at: usize, length: usize) -> bool {
    let in_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    // A literal may hold the operator.
    if matches!(bytes.get(at + length - 1), Some(b'=' | b':' | b'(')) {
        return true;
    }
    let rest = bytes.get(at + length..).unwrap_or_default();
    let name = rest.iter().take(48).take_while(|b| in_name(b)).count();
    let behind = rest.get(name..).unwrap_or_default();
    let gap = behind
        .iter()
        .take(20)
        .take_while(|b| matches!(b, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\' | b']' | b')'))
        .count();
    match behind.get(gap) {
        Some(b'=' | b':' | b',' | b'>' | b'(' | b'|' | b'?') => true,
        None | Some(b'\n' | b'\r' | b'}' | b'/') => is_entry(bytes, at),
        Some(b'v' | b'V') if gap > 0 => behind
            .get(gap..gap + 6)
            .is_some_and(|w| w.eq_ignore_ascii_case(b"value=")),
        Some(_) if behind.first() == Some(&b' ') => {
            let before = bytes.get(..at).unwrap_or_default();
            let start = before
                .iter()
                .rev()
                .take(24)
                .take_while(|b| in_name(b))
                .count();
            before
                .get(before.len() - start..)
                .is_some_and(|flag| flag.starts_with(b"--"))
        }
        _ => false,
    }
}

/// Whether the word at `at` is the name of an entry whose value stands beside it: `name: DB_PASSWORD`, `"ParameterKey": "…`.
fn is_entry(bytes: &[u8], at: usize) -> bool {
    let before = &bytes[at.saturating_sub(ENTRY).min(at)..at];
    let without = |text: &[u8], most: usize, f: fn(u8) -> bool| {
        let gone = text.iter().rev().take(most).take_while(|b| f(**b)).count();
        text.len() - gone
    };
    let word = without(before, 40, |b| {
        b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
    });
    let gap = |b: u8| matches!(b, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\');
    let sign = &before[..without(&before[..word], 6, gap)];
    let Some((b':' | b'=', name)) = sign.split_last() else {
        return false;
    };
    let name = &name[..without(name, 6, gap)];
    [b"name".as_slice(), b"key"].iter().any(|word| {
        name.len()
            .checked_sub(word.len())
            .is_some_and(|from| name[from..].eq_ignore_ascii_case(word))
    })
}

/// How far before a word [`is_entry`] looks.
pub(super) const ENTRY: usize = 60;
