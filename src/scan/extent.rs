//! How far a password goes beyond what its pattern takes: patterns stop at what may end a value anywhere, the text around says
//! whether it does.
//!
//! What a match is worth rests on what the pattern took; what is hidden and compared is the whole value.

/// Bytes behind a secret that are looked at.
const AHEAD: usize = 128;
/// Bytes before it.
pub(super) const BEFORE: usize = 64;

/// Where the value ends that begins at `start` and that a pattern took up to `end`.
///
/// In quotes it ends with them. An assignment that has a line to itself goes to the end of the line, or to a comment, or to the next
/// assignment; in text that was markup (`is_markup`), an `&` belongs to the value unless a parameter follows.
pub(super) fn value_end(bytes: &[u8], start: usize, end: usize, is_markup: bool) -> usize {
    let ahead = bytes
        .get(end..(end + AHEAD).min(bytes.len()))
        .unwrap_or_default();
    let line = ahead.split(|b| matches!(b, b'\n' | b'\r')).next();
    let line = line.unwrap_or_default();
    let before = bytes
        .get(start.saturating_sub(BEFORE)..start)
        .unwrap_or_default();
    if let [.., previous, quote @ (b'"' | b'\'' | b'`')] = before
        && *previous != b'\\'
    {
        let close = closing(line, *quote);
        return match close.and_then(|close| line.get(..close)) {
            Some(rest) if !ends_elsewhere(rest) => end + rest.len(),
            _ => end,
        };
    }
    match line.first() {
        Some(b' ' | b'\t' | b',' | b';' | b'&' | b'|') => {}
        _ => return end,
    }
    let (name, sign, indent) = assigned(before);
    if name.is_empty() {
        return end;
    }
    let alone = matches!(indent, [] | [.., b'\n']);
    if !alone {
        let parameter = matches!(indent, [.., b'?' | b'&']);
        let more = line
            .iter()
            .take_while(|b| !matches!(b, b';' | b'"' | b'\'' | b'<' | b'>' | b' ' | b'\t'))
            .count();
        let rest = &line[..more];
        let takes = is_markup && !parameter && rest.first() == Some(&b'&');
        return if takes && !ends_elsewhere(rest) {
            end + rest.len()
        } else {
            end
        };
    }
    // `NAME=value command` of a shell.
    let shell = sign == b'=' && !name.iter().any(u8::is_ascii_lowercase);
    let mut stop = line.len();
    for (at, byte) in line.iter().enumerate() {
        let rest = &line[at + 1..];
        let next = rest.first().copied().unwrap_or(b' ');
        let blank = matches!(next, b' ' | b'\t');
        let ends = match byte {
            b'"' | b'\'' | b'`' | b'<' | b'>' | b'(' | b')' | b'{' | b'}' | b'[' | b']' | b'\\' => {
                true
            }
            b' ' | b'\t' => {
                shell
                    || matches!(next, b'#' | b';' | b'|' | b'&' | b'=')
                    || rest.starts_with(b"//")
                    || rest.starts_with(b"--")
                    || begins_pair(rest)
            }
            b',' | b';' | b'&' | b'|' => {
                blank && *byte != b',' || rest.first() == Some(byte) || begins_pair(rest)
            }
            _ => false,
        };
        if ends {
            // Blanks and brackets only: what is in brackets is not the value, and a value of a script neither.
            if matches!(byte, b'"' | b'\'' | b'`' | b'(' | b'{' | b'[' | b'<') {
                return end;
            }
            stop = at;
            break;
        }
    }
    let rest = line[..stop].trim_ascii_end();
    let marks = rest
        .iter()
        .rev()
        .take_while(|b| matches!(b, b',' | b';'))
        .count();
    end + rest.len() - marks
}

/// Bytes behind a secret of which some may belong to it without being taken.
const GLUED: usize = 512;

/// Where what is glued to the value at `value` ends: the next blank or quote, or the end of an element; in quotes the closing one.
///
/// It may belong to the value, so nobody is shown it. In a URL, whose pattern stops at an `@`, the host is not the value's;
/// `is_url` says whether that may be one.
pub(super) fn glued_end(bytes: &[u8], value: &std::ops::Range<usize>, is_url: bool) -> usize {
    let ahead = bytes
        .get(value.end..(value.end + GLUED).min(bytes.len()))
        .unwrap_or_default();
    let line = ahead.split(|b| matches!(b, b'\n' | b'\r')).next();
    let line = line.unwrap_or_default();
    let before = bytes
        .get(value.start.saturating_sub(BEFORE)..value.start)
        .unwrap_or_default();
    let is_quote = |b: &u8| matches!(b, b'"' | b'\'' | b'`');
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let to = |ends: &dyn Fn(usize, &u8) -> bool| {
        let mut bytes = line.iter().enumerate();
        bytes.position(|(at, b)| ends(at, b)).unwrap_or(line.len())
    };
    let closes = |at: usize| line.get(at..).is_some_and(|rest| rest.starts_with(b"</"));
    let usual = || to(&|at, b| blank(b) || is_quote(b) || closes(at));
    let length = match before {
        [.., b'\\', quote] if is_quote(quote) => {
            let end = line.windows(2).position(|pair| pair == [b'\\', *quote]);
            end.unwrap_or_else(usual)
        }
        [.., quote] if is_quote(quote) => closing(line, *quote).unwrap_or_else(usual),
        [.., b'>'] if (0..line.len()).any(closes) => to(&|at, _| closes(at)),
        _ => {
            let word = before
                .iter()
                .rposition(|b| b.is_ascii_whitespace() || is_quote(b));
            let (front, behind) = before.split_at(word.unwrap_or(0));
            let opens = matches!(
                front.last(),
                None | Some(b' ' | b'\t' | b'\n' | b'=' | b':' | b'(' | b',' | b'[' | b'{')
            );
            match behind.first() {
                Some(quote) if is_quote(quote) && opens => to(&|_, b| blank(b) || b == quote),
                _ => {
                    let (name, _, indent) = assigned(before);
                    let alone = !name.is_empty() && matches!(indent, [] | [.., b'\n']);
                    to(&|at, b| blank(b) || !alone && is_quote(b) || closes(at))
                }
            }
        }
    };
    let rest = line.get(..length).unwrap_or_default();
    if is_url && rest.first() == Some(&b'@') {
        return login_end(bytes, value.end);
    }
    // What ends a call, a list or a statement says nothing.
    let is_end = |b: &u8| matches!(b, b')' | b']' | b'}' | b',' | b';');
    if rest.len() <= 3 && rest.iter().all(is_end) {
        return value.end;
    }
    value.end + rest.len()
}

/// Where the login of a URL ends whose password a pattern took up to the `@` at `end`: the host stands behind the last one.
pub(super) fn login_end(bytes: &[u8], end: usize) -> usize {
    let ahead = bytes
        .get(end..(end + AHEAD).min(bytes.len()))
        .unwrap_or_default();
    let ends = |b: &u8| {
        b.is_ascii_whitespace()
            || matches!(b, b'/' | b'?' | b'#' | b'"' | b'\'' | b'`' | b'<' | b'>')
    };
    let length = ahead.iter().position(ends).unwrap_or(ahead.len());
    let authority = ahead.get(..length).unwrap_or_default();
    end + memchr::memrchr(b'@', authority).unwrap_or(0)
}

/// The host behind the login that ends at `end`.
pub(super) fn host_behind(bytes: &[u8], end: usize) -> &[u8] {
    let behind = bytes
        .get(end + 1..(end + 1 + AHEAD).min(bytes.len()))
        .unwrap_or_default();
    let is_host = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let length = behind.iter().take_while(is_host).count();
    behind.get(..length).unwrap_or_default()
}

/// Where a quote closes that no backslash escapes.
fn closing(line: &[u8], quote: u8) -> Option<usize> {
    let mut escaped = false;
    line.iter().position(|b| {
        let closes = *b == quote && !escaped;
        escaped = *b == b'\\' && !escaped;
        closes
    })
}

/// The name before a value, the sign between them, and what stands before the name.
fn assigned(before: &[u8]) -> (&[u8], u8, &[u8]) {
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let trim = |text: &[u8]| text.trim_ascii_end().len();

    let Some((sign @ (b'=' | b':'), left)) = before[..trim(before)].split_last() else {
        return (b"", 0, b"");
    };
    let sign = *sign;
    let left = &left[..trim(left)];
    let length = left.iter().rev().take_while(|b| is_name(b)).count();
    let (indent, name) = left.split_at(left.len() - length);
    // A name that the view cuts may begin anywhere.
    if indent.is_empty() && before.len() == BEFORE {
        return (b"", 0, b"");
    }
    let blanks = indent.iter().rev();
    let blanks = blanks.take_while(|b| matches!(b, b' ' | b'\t')).count();
    (name, sign, &indent[..indent.len() - blanks])
}

/// Whether another parameter or setting begins: a name and `=` or `: `.
fn begins_pair(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let name = text
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        .count();
    let behind = text[name..].trim_ascii_start();
    name > 0
        && match behind {
            [b'=', ..] => true,
            [b':', next, ..] => matches!(next, b' ' | b'\t'),
            _ => false,
        }
}

/// Whether a parameter follows in a text, so that it is no longer the value.
fn ends_elsewhere(text: &[u8]) -> bool {
    text.iter().enumerate().any(|(at, b)| {
        matches!(b, b'&' | b';' | b',' | b' ' | b'\t') && begins_pair(&text[at + 1..])
    })
}

#[cfg(test)]
mod tests {
    use super::{glued_end, value_end};

    /// The value whose first bytes, up to `|`, a pattern took.
    fn whole(text: &str, is_markup: bool) -> String {
        let mut parts = text.split('¦');
        let [front, taken, rest] = std::array::from_fn(|_| parts.next().unwrap_or_default());
        let text = format!("{front}{taken}{rest}");
        let start = front.len();
        let end = value_end(text.as_bytes(), start, start + taken.len(), is_markup);
        text[start..end].to_owned()
    }

    #[test]
    fn a_setting_goes_to_the_end_of_its_line() {
        for (text, value) in [
            (
                "password=¦Zx8sk29¦ dkW2q tail\nport=1",
                "Zx8sk29 dkW2q tail",
            ),
            ("[db]\n  password = ¦Zx8sk29¦,dkW2q\r\n", "Zx8sk29,dkW2q"),
            ("password: ¦Zx8sk29¦;sk29 # of the db", "Zx8sk29;sk29"),
            ("password: ¦Zx8sk29¦ // change it", "Zx8sk29"),
            ("password=¦Zx8sk29¦;user=app", "Zx8sk29"),
            ("password=¦Zx8sk29¦ user=app", "Zx8sk29"),
            ("password=¦Zx8sk29¦; export password", "Zx8sk29"),
            ("PASSWORD=¦Zx8sk29¦ make deploy", "Zx8sk29"),
            ("a: {password: ¦Zx8sk29¦, port: 1}", "Zx8sk29"),
            ("curl -d password=¦Zx8sk29¦ host", "Zx8sk29"),
            ("password: ¦Zx8sk29¦ (ask bob)", "Zx8sk29"),
        ] {
            assert_eq!(whole(text, false), value, "{text}");
        }
    }

    #[test]
    fn quotes_close_a_value() {
        for (text, value) in [
            ("word='¦Zx8sk29¦,dkW2q' # x", "Zx8sk29,dkW2q"),
            ("pass: \"¦Zx8sk29¦&dk;W2q\", b: \"c\"", "Zx8sk29&dk;W2q"),
            ("x='¦Zx8sk29¦;user=app'", "Zx8sk29"),
            (r#"word: "¦Zx8sk29¦\"dkW2q" # x"#, r#"Zx8sk29\"dkW2q"#),
            (r#"x = "{\"word\": \"¦Zx8sk29¦\"}""#, "Zx8sk29"),
            ("x=\"¦Zx8sk29¦;x", "Zx8sk29"),
        ] {
            assert_eq!(whole(text, false), value, "{text}");
        }
    }

    /// What is glued behind the value between the marks.
    fn behind(text: &str, is_url: bool) -> String {
        let mut parts = text.split('¦');
        let [front, taken, rest] = std::array::from_fn(|_| parts.next().unwrap_or_default());
        let text = format!("{front}{taken}{rest}");
        let value = front.len()..front.len() + taken.len();
        let end = glued_end(text.as_bytes(), &value, is_url);
        text[value.end..end].to_owned()
    }

    #[test]
    fn what_is_glued_to_a_value_ends_with_its_word_quote_or_element() {
        for (text, glued) in [
            ("word=¦Zx8sk¦)kQ9 x\n", ")kQ9"),
            ("a:\n  word: ¦Zx8sk¦]k\"Q9\r\nb: c", "]k\"Q9"),
            ("run -e word=¦Zx8sk¦>k\"Q9 x", ">k"),
            ("<word>¦Zx8sk¦&kQ9|; <x</word>", "&kQ9|; <x"),
            ("<b>word=¦Zx8sk¦}k</b>", "}k"),
            ("x = '¦Zx8sk¦}k Q\"9' # y'", "}k Q\"9"),
            (r#"x = "{\"a\": \"¦Zx8sk¦;kQ9\"}""#, ";kQ9"),
            ("run -u 'bob:¦Zx8sk¦{k\"Q9' host", "{k\"Q9"),
            ("connect(word=¦Zx8sk¦);", ""),
            ("a=1, word=¦Zx8sk¦, c=2", ""),
            ("word=¦Zx8sk¦", ""),
        ] {
            assert_eq!(behind(text, false), glued, "{text}");
        }
        for (text, glued) in [
            ("//app:¦Zx8sk¦@b@host/x@y", "@b"),
            ("//app:¦Zx8sk¦@host/@scope/x", ""),
            ("'app:¦Zx8sk¦@net(host:3306)/db'", ""),
        ] {
            assert_eq!(behind(text, true), glued, "{text}");
        }
        assert_eq!(behind("word=¦Zx8sk¦@kQ9", false), "@kQ9");
    }

    #[test]
    fn a_sign_of_markup_belongs_to_the_value_unless_a_parameter_follows() {
        for (text, value) in [
            ("a;Password=¦Tr0ub4¦&dor99;", "Tr0ub4&dor99"),
            ("u?user=sa&password=¦Tr0ub4¦&useSSL", "Tr0ub4"),
            ("a;Password=¦Tr0ub4¦&user=x", "Tr0ub4"),
        ] {
            assert_eq!(whole(text, true), value, "{text}");
        }
    }
}
