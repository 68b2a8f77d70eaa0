//! Whether the word that a generic rule rests on is a name to which something is assigned.

use crate::rule::RuleSpec;

/// A literal's word at a place, looked at once for all rules that rest on it.
pub(super) struct Word<'t> {
    bytes: &'t [u8],
    at: usize,
    length: usize,
    assigned: Option<bool>,
    entry: Option<bool>,
    spaced: Option<bool>,
}

impl<'t> Word<'t> {
    pub(super) fn new(bytes: &'t [u8], at: usize, length: usize) -> Self {
        Self {
            bytes,
            at,
            length,
            assigned: None,
            entry: None,
            spaced: None,
        }
    }

    /// Whether a rule is to be tried: one that rests on words, only where the word is a name.
    pub(super) fn is_tried(&mut self, spec: &RuleSpec) -> bool {
        let &mut Self {
            bytes, at, length, ..
        } = self;
        if !spec.generic || is_form(bytes, at, length) {
            true
        } else if spec.entry {
            *self.entry.get_or_insert_with(|| is_entry(bytes, at))
        } else if spec.spaced {
            *self
                .spaced
                .get_or_insert_with(|| is_spaced(bytes, at, length))
        } else {
            *self
                .assigned
                .get_or_insert_with(|| is_assigned(bytes, at, length))
        }
    }
}

fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// Whether the literal is no word but a form of its own, such as the beginning of a call: `jwt.sign(`, `identified by`.
fn is_form(bytes: &[u8], at: usize, length: usize) -> bool {
    let literal = bytes.get(at..at + length).unwrap_or_default();
    literal.iter().any(|b| matches!(b, b' ' | b'('))
}

/// Whether something is assigned to the word of this length at `at`: the rest of the identifier, quotes and spaces, a type, then `=`, `:`,
/// `,`, `>`, `(`, `<-`, an attribute `value=`, an element `<string>`, or, behind `--name`, a space.
fn is_assigned(bytes: &[u8], at: usize, length: usize) -> bool {
    // A literal may hold the operator.
    if matches!(bytes.get(at + length - 1), Some(b'=' | b':' | b'(')) {
        return true;
    }
    let rest = bytes.get(at + length..).unwrap_or_default();
    let name = rest.iter().take(48).take_while(|b| in_name(**b)).count();
    let behind = rest.get(name..).unwrap_or_default();
    let gap = behind
        .iter()
        .take(20)
        .take_while(|b| matches!(b, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\' | b']' | b')'))
        .count();
    match behind.get(gap) {
        Some(b'=' | b':' | b',' | b'>' | b'(' | b'|' | b'?') => true,
        None | Some(b'\n' | b'\r' | b'}' | b'/') => is_entry(bytes, at),
        Some(b'v' | b'V' | b'd' | b'D') if gap > 0 => {
            let begins = |word: &[u8]| {
                let head = behind.get(gap..gap + word.len());
                head.is_some_and(|head| head.eq_ignore_ascii_case(word))
            };
            begins(b"value=") || begins(b"default=")
        }
        Some(b'!') => behind.get(gap + 1) == Some(&b':'),
        Some(b'<') => {
            let sign = behind.get(gap + 1..).unwrap_or_default();
            sign.starts_with(b"-") || sign.starts_with(b"/key>") || sign.starts_with(b"/name>")
        }
        Some(_) if is_typed(behind.get(gap..).unwrap_or_default()) => true,
        Some(_) if behind.first() == Some(&b' ') => {
            let before = bytes.get(..at).unwrap_or_default();
            let start = before
                .iter()
                .rev()
                .take(24)
                .take_while(|b| in_name(**b))
                .count();
            before
                .get(before.len() - start..)
                .is_some_and(|flag| flag.starts_with(b"--"))
        }
        _ => false,
    }
}

/// Whether a type follows, or the brackets of an array, and then `=`: `string =`, `As String =`, `[33] =`, `[]byte =`.
fn is_typed(text: &[u8]) -> bool {
    const TYPES: [&[u8]; 6] = [b"str", b"varchar(", b"nvarchar(", b"final", b"bytes", b"[]"];
    let text = &text[..text.len().min(48)];
    let begins = |text: &[u8], word: &[u8]| {
        let head = text.get(..word.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    let type_of = if begins(text, b"as ") {
        &text[3..]
    } else {
        text
    };
    let is_type = TYPES.iter().any(|word| begins(type_of, word));
    let line = type_of.split(|b| matches!(b, b'\n' | b'\r')).next();
    (is_type || text.first() == Some(&b'[')) && line.is_some_and(|line| line.contains(&b'='))
}

/// Whether a blank joins the word of this length at `at` to a value: in quotes (`#define API_KEY "`, `storePassword '`), or bare behind an
/// option of a command line or a list, at the beginning of a line, or behind a word that sets a variable or a header.
fn is_spaced(bytes: &[u8], at: usize, length: usize) -> bool {
    const SETS: [&[u8]; 6] = [b"setenv", b"_param", b"header", b"set", b"-gx", b"-x"];
    let rest = bytes.get(at + length..).unwrap_or_default();
    let name = rest.iter().take(48).take_while(|b| in_name(**b)).count();
    let behind = rest.get(name..).unwrap_or_default();
    let quote = |b: &u8| matches!(b, b'"' | b'\'');
    let behind = match behind.split_first() {
        Some((first, rest)) if quote(first) => rest,
        _ => behind,
    };
    let blanks = behind
        .iter()
        .take(20)
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    let is_list = matches!(behind.get(blanks), Some(b',' | b'\n' | b'\r'));
    // Prose has the word in most places, and nothing to look for around it.
    if blanks == 0 && !is_list {
        return false;
    }
    let before = &bytes[at.saturating_sub(ENTRY).min(at)..at];
    let start = before.len() - before.iter().rev().take_while(|b| in_name(**b)).count();
    let is_option = before.ends_with(b"insecure-")
        || before.get(start) == Some(&b'-')
        || start == before.len() && bytes.get(at) == Some(&b'-');
    match behind.get(blanks) {
        None => false,
        Some(b',' | b'\n' | b'\r') => is_option,
        Some(b'"' | b'\'' | b'\\') => true,
        Some(_) if is_option => true,
        Some(_) => {
            let front = before[..start].trim_ascii_end();
            let line = &before[front.len()..start];
            front.is_empty()
                || line.contains(&b'\n')
                || SETS.iter().any(|word| {
                    let tail = front.len().checked_sub(word.len());
                    tail.is_some_and(|tail| front[tail..].eq_ignore_ascii_case(word))
                })
        }
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
