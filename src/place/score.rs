//! What the surroundings say of a match that rests on them.

use std::ops::Range;
use std::path::Path;

use super::PathKind;
use super::path::Plain;
use super::typed::without_type;

/// Bytes before and behind a match that [`context`] looks at.
pub const BEFORE: usize = 120;
/// See [`BEFORE`].
pub const BEHIND: usize = 1;

/// The factor on a generic match's score, or `None` where it is program text and no value. Of a rule that rests on a call (`is_call`), what
/// stands before the value is another argument, and no name.
#[must_use]
pub fn context(
    kind: PathKind,
    bytes: &[u8],
    span: &Range<usize>,
    quoted: bool,
    is_call: bool,
    path: &Path,
) -> Option<f32> {
    let secret = bytes.get(span.clone())?;
    let between = quoted && is_between(secret);
    if !is_call && is_neighbour(kind, bytes, span, path) || between {
        return None;
    }
    if !quoted && !is_parameter(bytes, span) {
        if kind.code || is_expression(bytes, span, secret, kind.plain) {
            return None;
        }
        if !kind.prose && !kind.config && path.extension().is_some() {
            return Some(0.5);
        }
    }
    let name = name_before(bytes, span.start);
    if !is_call && (is_other_name(name) || is_sum(bytes, span.start, name)) || is_uuid(secret) {
        return Some(0.5);
    }
    let mut factor = 1.0;
    if kind.generated {
        factor *= 0.4;
    }
    // What a person chose falls below medium here; what a machine made (see `filter`) stays.
    if kind.example || kind.prose || kind.minified {
        factor *= 0.65;
    }
    Some(factor)
}

/// Whether name and value are elements of a list that stand side by side: where a comma joins them, the name is a whole
/// word of program text, or, where there is no program, an option of a command line.
fn is_neighbour(kind: PathKind, bytes: &[u8], span: &Range<usize>, path: &Path) -> bool {
    let at = span.start;
    let before = bytes.get(at.saturating_sub(BEFORE)..at).unwrap_or_default();
    let filler = |b: &&u8| {
        matches!(
            b,
            b'"' | b'\'' | b'`' | b'\\' | b' ' | b'\t' | b'\n' | b'\r'
        )
    };
    let front = |text: &[u8]| text.len() - text.iter().rev().take_while(filler).count();
    let left = &before[..front(before)];
    let Some((b',', left)) = left.split_last() else {
        return false;
    };
    let left = &left[..front(left)];
    // The whole text of the element, up to its quote.
    let length = left
        .iter()
        .rev()
        .take_while(|b| !matches!(b, b'"' | b'\'' | b'`' | b'\n' | b'(' | b'[' | b','))
        .count();
    let name = &left[left.len() - length..];
    let word = name
        .iter()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':'));
    let ending = path
        .extension()
        .map(|e| e.to_string_lossy().to_ascii_lowercase());
    let is_data = !kind.code
        && matches!(
            ending.as_deref(),
            Some("json" | "json5" | "yaml" | "yml" | "toml")
        );
    // `"md5", "password", "scram-sha-256"`: names in small letters, one more of them in front.
    let listed = front(&left[..left.len() - length]);
    let is_listed = left[..listed].ends_with(b",")
        && bytes
            .get(span.clone())
            .is_some_and(|value| is_lower_name(value) && is_lower_name(name));
    !word || is_listed || is_data && !name.starts_with(b"-")
}

/// Whether it is a name of small letters, of several parts or without a digit: `scram-sha-256`, `mysql_query`.
fn is_lower_name(text: &[u8]) -> bool {
    let in_name = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let sign = |b: &u8| matches!(b, b'-' | b'_');
    text.first().is_some_and(u8::is_ascii_lowercase)
        && text.iter().all(|b| in_name(b) || sign(b))
        && (text.iter().any(sign) || !text.iter().any(u8::is_ascii_digit))
}

/// Whether it is what stands between two quoted texts of a program: `"Password:"),x("` holds `),x(`.
fn is_between(text: &[u8]) -> bool {
    matches!(
        text,
        [
            b')' | b']' | b'}',
            b')' | b']' | b'}' | b',' | b';' | b'.' | b'+' | b':' | b'?',
            ..
        ] | [b',' | b'+', b' ', ..]
    )
}

/// Whether it is a whole parameter of a URL: `?api_key=…&q=1` is a value in program text, too.
fn is_parameter(bytes: &[u8], span: &Range<usize>) -> bool {
    let before = bytes
        .get(span.start.saturating_sub(BEFORE)..span.start)
        .unwrap_or_default();
    let Some((b'=', left)) = before.split_last() else {
        return false;
    };
    let in_name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let length = left.iter().rev().take_while(in_name).count();
    let left = &left[..left.len() - length];
    let left = left.strip_suffix(b"amp;").unwrap_or(left);
    matches!(left.last(), Some(b'?' | b'&'))
        && left
            .iter()
            .rev()
            .take_while(|b| !b.is_ascii_whitespace())
            .any(|b| *b == b'/')
        && matches!(
            bytes.get(span.end),
            Some(b'&' | b'#' | b'"' | b'\'' | b'`' | b' ')
        )
}

/// The name that the value is assigned to: the identifier before the operator.
fn name_before(bytes: &[u8], at: usize) -> &[u8] {
    const VALUE: [&[u8]; 5] = [
        b"value",
        b"ParameterValue",
        b"OptionValue",
        b"default",
        b"quot",
    ];
    let before = bytes.get(at.saturating_sub(BEFORE)..at).unwrap_or_default();
    let before = without_type(before);
    let in_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let end = name_end(before);
    // `value="…"` of an attribute, `b"…"` of a literal: the name stands further left.
    let name = &before[..end];
    let start = end - name.iter().rev().take_while(|b| in_name(b)).count();
    let is_value = |word: &[u8]| VALUE.iter().any(|value| word.eq_ignore_ascii_case(value));
    if end - start <= 2 || is_value(&name[start..]) {
        let left = &before[..start];
        let gap = left.iter().rev().take_while(|b| !in_name(b)).count();
        let end = left.len() - gap;
        let start = end - left[..end].iter().rev().take_while(|b| in_name(b)).count();
        return &left[start..end];
    }
    &name[start..]
}

/// Where the last name in a text ends: before the operator and its quotes, also where these are written as escapes.
fn name_end(before: &[u8]) -> usize {
    let mut rest = before;
    loop {
        rest = match rest {
            [shorter @ .., b'%', b'2', b'5', a, b]
            | [shorter @ .., b'%' | b'=', a, b]
            | [shorter @ .., b'\\', b'x', a, b]
                if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() =>
            {
                shorter
            }
            [shorter @ .., b'\\', b'u', b'0', b'0', _, _] => shorter,
            [.., b';'] => {
                let tail = rest.len().saturating_sub(8);
                match rest[tail..].iter().rposition(|b| *b == b'&') {
                    Some(at) => &rest[..tail + at],
                    None => &rest[..rest.len() - 1],
                }
            }
            [shorter @ .., last]
                if !(last.is_ascii_alphanumeric() || matches!(last, b'_' | b'-' | b'.')) =>
            {
                shorter
            }
            _ => return rest.len(),
        };
    }
}

/// Whether a name says that its value is something about a secret, and not the secret.
fn is_other_name(name: &[u8]) -> bool {
    const INSIDE: [&str; 20] = [
        "public",
        "hash",
        "digest",
        "checksum",
        "fingerprint",
        "tokenizer",
        "pagetoken",
        "page_token",
        "nexttoken",
        "next_token",
        "continuationtoken",
        "continuation_token",
        "pagination",
        "csrf",
        "placeholder",
        "encrypted",
        "salt",
        "authenticity",
        "nonce",
        "signature",
    ];
    const LAST: [&str; 58] = [
        "id",
        "ids",
        "name",
        "names",
        "type",
        "url",
        "uri",
        "path",
        "file",
        "dir",
        "ref",
        "arn",
        "length",
        "len",
        "size",
        "count",
        "index",
        "idx",
        "field",
        "header",
        "prefix",
        "suffix",
        "expiry",
        "expires",
        "endpoint",
        "version",
        "label",
        "hint",
        "regex",
        "pattern",
        "format",
        "class",
        "kind",
        "algorithm",
        "alg",
        "policy",
        "provider",
        "manager",
        "service",
        "message",
        "error",
        "text",
        "title",
        "description",
        "encryption",
        "time",
        "date",
        "timeout",
        "ttl",
        "age",
        "reset",
        "rule",
        "rules",
        "requirements",
        "strength",
        "complexity",
        "score",
        "validator",
    ];
    let lower = String::from_utf8_lossy(name).to_ascii_lowercase();
    if INSIDE.iter().any(|w| lower.contains(w)) {
        return true;
    }
    let original = String::from_utf8_lossy(name);
    let last = original.rsplit(['_', '-', '.']).next().unwrap_or_default();
    // The last word of camelCase, too.
    let camel = last
        .rfind(|c: char| c.is_ascii_uppercase())
        .map_or(last, |at| &last[at..]);
    [last, camel]
        .iter()
        .any(|w| LAST.contains(&w.to_ascii_lowercase().as_str()))
}

/// Whether the name is that of a file whose checksum the value is: `checksum/secret: …` makes Kubernetes roll out a change.
fn is_sum(bytes: &[u8], at: usize, name: &[u8]) -> bool {
    let before = bytes.get(at.saturating_sub(BEFORE)..at).unwrap_or_default();
    memchr::memmem::rfind(before, name)
        .is_some_and(|start| before[..start].to_ascii_lowercase().ends_with(b"checksum/"))
}

/// A UUID names things more often than it opens them.
fn is_uuid(secret: &[u8]) -> bool {
    secret.len() == 36
        && secret.iter().enumerate().all(|(at, b)| {
            if matches!(at, 8 | 13 | 18 | 23) {
                *b == b'-'
            } else {
                b.is_ascii_hexdigit()
            }
        })
}

/// Whether an unquoted value of plain settings is one that a person or machine chose: letters of both cases and a digit,
/// nothing that refers to a file, a variable or a setting elsewhere, and no sign in front that means something else.
fn is_chosen(secret: &[u8], plain: Plain) -> bool {
    const ELSEWHERE: [&[u8]; 11] = [
        b"$", b"%", b"<", b"{", b"[", b"/", b"./", b"~/", b"http:", b"https:", b"arn:",
    ];
    let has = |sort: fn(&u8) -> bool| secret.iter().any(sort);
    let call = secret
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
        .count();
    let is_call = call > 0 && secret.get(call) == Some(&b'(') && secret.last() == Some(&b')');
    let is_syntax = plain == Plain::Yaml
        && matches!(
            secret.first(),
            Some(b'*' | b'&' | b'!' | b'@' | b'|' | b'>')
        );
    has(u8::is_ascii_digit)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && !ELSEWHERE.iter().any(|prefix| secret.starts_with(prefix))
        && !is_call
        && !is_syntax
        && !is_assignment(secret)
}

/// A call, an index, a member of something, or a variable: what a script or template puts there.
fn is_expression(bytes: &[u8], span: &Range<usize>, secret: &[u8], plain: Option<Plain>) -> bool {
    let next = bytes.get(span.end).copied();
    let starts = |prefix: &[u8]| secret.starts_with(prefix);
    let identifier = |part: &[u8]| {
        part.first()
            .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
            && part.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
    };
    let member = secret.contains(&b'.')
        && secret.split(|b| *b == b'.').all(identifier)
        && secret.split(|b| *b == b'.').count() >= 2;
    if matches!(next, Some(b'(' | b'[')) {
        return true;
    }
    if plain.is_some_and(|plain| is_chosen(secret, plain)) {
        return false;
    }
    secret.contains(&b'(')
        || starts(b"$")
        || starts(b"%")
        || starts(b"<")
        || starts(b"&")
        || starts(b"*")
        || starts(b"!")
        || starts(b"@")
        || starts(b"/")
        || starts(b"./")
        || starts(b"~")
        || starts(b"{")
        || starts(b"[")
        || starts(b"http:")
        || starts(b"https:")
        || starts(b"arn:")
        || starts(b"-")
        || starts(b"=")
        || secret.ends_with(b":")
        || memchr::memmem::find(secret, b"::").is_some()
        || memchr::memmem::find(secret, b"->").is_some()
        || memchr::memmem::find(secret, b"=>").is_some()
        || (member && !secret.iter().any(u8::is_ascii_digit))
        || is_assignment(secret)
}

/// `OTHER_NAME=value`, `otherName=`: the name in front of it has an empty value.
fn is_assignment(text: &[u8]) -> bool {
    if let Some((b'=', name)) = text.split_last()
        && name
            .iter()
            .all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'.'))
    {
        return true;
    }
    let name = text
        .iter()
        .take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || **b == b'_')
        .count();
    let (name, rest) = text.split_at(name);
    rest.first() == Some(&b'=')
        && name.contains(&b'_')
        && name.first().is_some_and(u8::is_ascii_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_before_its_operator_however_that_is_written() {
        for between in [
            "=",
            ": \"",
            "%3D",
            "%253d",
            "\\u003d",
            "\\u0022:\\u0022",
            "\\x3d",
            "=3D",
            "&quot;: &quot;",
            "&#61;",
            ";",
        ] {
            let text = format!("a, page_token{between}");
            let shown =
                String::from_utf8_lossy(name_before(text.as_bytes(), text.len())).into_owned();
            assert_eq!(shown, "page_token", "{between}");
        }
    }
}
