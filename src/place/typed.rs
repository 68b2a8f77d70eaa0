//! The name in a typed declaration: what stands between it and its value is taken away.

/// What stands before a value, up to the name that it is assigned to where a type, a call around the value or the end of an XML element
/// stands between them: `API_KEY: &str = "` gives `API_KEY`; all of it where there is no such thing.
pub(super) fn without_type(before: &[u8]) -> &[u8] {
    if let Some(name) = without_element(before) {
        return name;
    }
    let is_open = |b: &u8| matches!(b, b'"' | b'\'' | b'`' | b'\\' | b' ' | b'\t' | b'(');
    let value = without(before, is_open);
    let value = CALLS
        .iter()
        .find_map(|call| value.strip_suffix(*call))
        .unwrap_or(value);
    let Some((b'=', declared)) = value.trim_ascii_end().split_last() else {
        return before;
    };
    let mut rest = declared;
    let mut types = 0;
    loop {
        let is_gap = |b: &u8| {
            matches!(
                b,
                b' ' | b'\t'
                    | b'&'
                    | b'\''
                    | b'<'
                    | b'>'
                    | b'['
                    | b']'
                    | b'|'
                    | b'?'
                    | b'!'
                    | b';'
                    | b','
            )
        };
        let tail = without(rest, is_gap);
        let head = without(tail, |b| b.is_ascii_alphanumeric() || *b == b'_');
        let word = tail[head.len()..].to_ascii_lowercase();
        if !TYPES.contains(&word.as_slice()) {
            break;
        }
        types += 1;
        rest = head;
    }
    if types == 0 {
        return before;
    }
    without(rest, |b| {
        matches!(
            b,
            b' ' | b'\t' | b':' | b'?' | b'!' | b'&' | b'\'' | b'[' | b']'
        )
    })
}

/// What stands before `</key><string>`.
fn without_element(before: &[u8]) -> Option<&[u8]> {
    let strip = |text: &'_ [u8], ends: [&[u8]; 2]| {
        let end = ends.iter().find(|end| text.ends_with(end))?.len();
        Some(text.len() - end)
    };
    let value = &before[..strip(before, [b"<string>", b"<value>"])?];
    let key = value.trim_ascii_end();
    Some(&key[..strip(key, [b"</key>", b"</name>"])?])
}

fn without(text: &[u8], is_gone: impl Fn(&u8) -> bool) -> &[u8] {
    let gone = text.iter().rev().take_while(|b| is_gone(b)).count();
    &text[..text.len() - gone]
}

/// Calls that make a value of a string.
const CALLS: [&[u8]; 7] = [
    b"[]byte",
    b"String::from",
    b"new String",
    b"String",
    b"SecretStr",
    b"Buffer.from",
    b"bytes",
];

/// Words of the types that a declaration of a string may have.
const TYPES: [&[u8]; 21] = [
    b"str",
    b"string",
    b"nsstring",
    b"bytes",
    b"byte",
    b"secretstr",
    b"any",
    b"final",
    b"option",
    b"optional",
    b"classvar",
    b"mapped",
    b"cow",
    b"static",
    b"u8",
    b"const",
    b"as",
    b"none",
    b"null",
    b"undefined",
    b"nvarchar",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_stands_before_its_type() {
        for between in [
            ": &str = \"",
            ": &'static str = \"",
            ": string = '",
            "?: string = '",
            ": Optional[str] = \"",
            ": str | None = \"",
            " string = \"",
            " []byte = []byte(\"",
            " As String = \"",
            ": &[u8] = b\"",
            "</key>\n  <string>",
            "</name><value>",
        ] {
            let text = format!("const KEY{between}");
            let text = text.trim_end_matches("b\"");
            assert_eq!(without_type(text.as_bytes()), b"const KEY", "{between}");
        }
    }

    #[test]
    fn what_has_no_type_is_left_as_it_is() {
        for text in [
            "{a: b, key = \"",
            "case 1: key = \"",
            "key: \"",
            "strong = '",
            "f(key, \"",
        ] {
            assert_eq!(without_type(text.as_bytes()), text.as_bytes());
        }
    }
}
