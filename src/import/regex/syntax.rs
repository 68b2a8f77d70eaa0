//! The syntax of Go and Python in that of Rust: what reads otherwise there is written out.

use std::fmt::Write;

/// Longest pattern in bytes that is looked at.
const MAX_PATTERN: usize = 16_384;
/// The pattern in the syntax of Rust's regex.
pub(super) fn normal(text: &str) -> Result<String, String> {
    if text.len() > MAX_PATTERN {
        return Err(format!("it is longer than {MAX_PATTERN} bytes"));
    }
    let mut chars = Chars {
        rest: text.chars().collect(),
        at: 0,
    };
    let mut out = String::with_capacity(text.len() + 16);
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(&mut chars, &mut out)?,
            '[' => class(&mut chars, &mut out)?,
            '{' => match repeat(&chars) {
                Some(length) => {
                    out.push('{');
                    for _ in 0..length {
                        out.extend(chars.next());
                    }
                }
                None => out.push_str(r"\{"),
            },
            '}' => out.push_str(r"\}"),
            '(' => {
                if ["?=", "?!", "?<=", "?<!"].iter().any(|l| chars.sees(l)) {
                    return Err(
                        "look-around is not in the language, which keeps a search linear"
                            .to_owned(),
                    );
                }
                if ["?P=", "?P>", "?>", "?(", "?#"]
                    .iter()
                    .any(|l| chars.sees(l))
                {
                    return Err("this kind of group is not in the language".to_owned());
                }
                out.push('(');
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

struct Chars {
    rest: Vec<char>,
    at: usize,
}

impl Chars {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn sees(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(i, c)| self.peek(i) == Some(c))
    }
}

impl Iterator for Chars {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let c = self.peek(0);
        self.at += usize::from(c.is_some());
        c
    }
}

/// Length of `3}`, `3,}` or `3,9}` behind a brace; anything else is a brace and no count.
fn repeat(chars: &Chars) -> Option<usize> {
    let digits = |from: usize| {
        (from..from + 8)
            .take_while(|i| chars.peek(*i).is_some_and(|c| c.is_ascii_digit()))
            .count()
    };
    let mut at = digits(0);
    if at == 0 || at > 5 {
        return None;
    }
    if chars.peek(at) == Some(',') {
        at += 1;
        at += digits(at);
    }
    (chars.peek(at) == Some('}')).then_some(at + 1)
}

/// What stands behind a backslash outside of a class.
fn escape(chars: &mut Chars, out: &mut String) -> Result<(), String> {
    match chars.peek(0) {
        None => return Err("it ends with a backslash".to_owned()),
        Some('Q') => {
            chars.next();
            while chars.peek(0).is_some() && !chars.sees(r"\E") {
                if let Some(c) = chars.next() {
                    literal(c, out);
                }
            }
            chars.next();
            chars.next();
        }
        Some('C') => {
            chars.next();
            out.push_str("(?s:.)");
        }
        Some('Z') => {
            chars.next();
            out.push_str(r"\z");
        }
        Some('b') => {
            chars.next();
            out.push_str(r"\b");
        }
        Some('B') => return Err(r"`\B` is not in the language of rules".to_owned()),
        Some(c @ ('A' | 'z' | 'd' | 'D' | 's' | 'S' | 'w' | 'W')) => {
            chars.next();
            out.push('\\');
            out.push(c);
        }
        Some('p' | 'P') => {
            return Err(
                "classes of Unicode are not in the language, which works on bytes".to_owned(),
            );
        }
        Some(_) => {
            let c = character(chars)?;
            literal(c, out);
        }
    }
    Ok(())
}

/// The character that an escape stands for; the backslash has been read.
fn character(chars: &mut Chars) -> Result<char, String> {
    let Some(c) = chars.next() else {
        return Err("it ends with a backslash".to_owned());
    };
    let from =
        |code: u32| char::from_u32(code).ok_or_else(|| "an escape names no character".to_owned());
    Ok(match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'f' => '\x0c',
        'v' => '\x0b',
        'a' => '\x07',
        'b' => '\x08',
        'x' if chars.peek(0) == Some('{') => {
            chars.next();
            let mut digits = String::new();
            while let Some(c) = chars.next().filter(|c| *c != '}') {
                digits.push(c);
            }
            from(u32::from_str_radix(&digits, 16).unwrap_or(u32::MAX))?
        }
        'x' => {
            let digits: String = chars.by_ref().take(2).collect();
            from(u32::from_str_radix(&digits, 16).unwrap_or(u32::MAX))?
        }
        '0' => {
            let mut code = 0;
            for _ in 0..2 {
                if let Some(digit) = chars.peek(0).and_then(|c| c.to_digit(8)) {
                    code = code * 8 + digit;
                    chars.next();
                }
            }
            from(code)?
        }
        '1'..='9' => return Err("back-references are not in the language".to_owned()),
        c if c.is_ascii_alphanumeric() => return Err(format!(r"`\{c}` is not in the language")),
        c => c,
    })
}

/// A character as itself.
fn literal(c: char, out: &mut String) {
    match c {
        '<' | '>' | '_' | '"' | '\'' | '/' | ' ' | '=' | '@' | ':' | ';' | ',' | '`' | '%'
        | '!' => {
            out.push(c);
        }
        c if c.is_ascii_alphanumeric() || !c.is_ascii() => out.push(c),
        c if c.is_ascii_punctuation() => {
            out.push('\\');
            out.push(c);
        }
        c => {
            let _ = write!(out, r"\x{:02X}", u32::from(c));
        }
    }
}

/// A class, written anew: what Go takes as a character, Rust may take as an operator.
fn class(chars: &mut Chars, out: &mut String) -> Result<(), String> {
    const OPEN: &str = "a `[` has no `]`";
    out.push('[');
    if chars.peek(0) == Some('^') {
        chars.next();
        out.push('^');
    }
    let mut first = true;
    loop {
        let c = chars.next().ok_or(OPEN)?;
        if c == ']' && !first {
            out.push(']');
            return Ok(());
        }
        first = false;
        if c == '[' && chars.peek(0) == Some(':') {
            let end = (0..16)
                .find(|i| chars.peek(*i) == Some(':') && chars.peek(i + 1) == Some(']') && *i > 0);
            if let Some(end) = end {
                out.push('[');
                for _ in 0..end + 2 {
                    out.extend(chars.next());
                }
                continue;
            }
        }
        let low = if c == '\\' {
            match chars.peek(0) {
                Some(kind @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) => {
                    chars.next();
                    out.push('\\');
                    out.push(kind);
                    continue;
                }
                Some('p' | 'P') => {
                    return Err(
                        "classes of Unicode are not in the language, which works on bytes"
                            .to_owned(),
                    );
                }
                _ => character(chars)?,
            }
        } else {
            c
        };
        literal(low, out);
        let range = chars.peek(0) == Some('-') && chars.peek(1).is_some_and(|c| c != ']');
        let class_follows =
            chars.peek(1) == Some('\\') && chars.peek(2).is_some_and(|c| "dDsSwWpP".contains(c));
        if range && !class_follows {
            chars.next();
            let c = chars.next().ok_or(OPEN)?;
            let high = if c == '\\' { character(chars)? } else { c };
            out.push('-');
            literal(high, out);
        }
    }
}
