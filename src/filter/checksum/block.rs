//! Key blocks, freed of the text around them: quotes, escapes, comments, indentation.

use super::Check;
use super::read::{decode, find, number};

/// A key block, freed of the text around it.
pub(super) struct Block<'a> {
    /// What stands after `BEGIN`, such as `RSA PRIVATE KEY`.
    pub(super) label: &'a [u8],
    /// Whether a header says `ENCRYPTED`.
    pub(super) encrypted: bool,
    /// Base64 without padding or white space.
    pub(super) body: Vec<u8>,
    /// The four characters of an OpenPGP checksum line.
    pub(super) crc: Option<[u8; 4]>,
}

/// Runs `check` on the block as a piece of program text, then, where that fails, as plain text: a
/// quote is the end of a string in the one and a stray byte in the other.
pub(super) fn on_block(secret: &[u8], check: fn(&Block<'_>) -> Check) -> Check {
    let Some((label, inner)) = armor(secret) else {
        return Check::Silent; // the rule took something else than a whole block
    };
    // Somebody cut it short to show it.
    if find(inner, b"...").is_some() || find(inner, "…".as_bytes()).is_some() {
        return Check::Fails;
    }
    let verdict = block(label, inner, true).map_or(Check::Fails, |block| check(&block));
    if verdict != Check::Fails || !inner.iter().any(|b| b"\"'`".contains(b)) {
        return verdict;
    }
    block(label, inner, false).map_or(Check::Fails, |block| check(&block))
}

/// The block as [`on_block`] first reads it.
pub(super) fn first_block(secret: &[u8]) -> Option<Block<'_>> {
    let (label, inner) = armor(secret)?;
    block(label, inner, true)
}

/// Label and contents of `-----BEGIN label-----contents-----END`; the end may be missing.
fn armor(secret: &[u8]) -> Option<(&[u8], &[u8])> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let rest = secret.get(find(secret, BEGIN)? + BEGIN.len()..)?;
    let end = find(rest, b"-----")?;
    let (label, inner) = (rest.get(..end)?, rest.get(end + 5..)?);
    let end = find(inner, b"-----END").unwrap_or(inner.len());
    Some((label.trim_ascii(), inner.get(..end)?))
}

/// The block out of its contents; `None` where something in them is neither base64, nor a header, nor
/// the noise of quoting, commenting or indenting.
fn block<'a>(label: &'a [u8], inner: &[u8], quoted: bool) -> Option<Block<'a>> {
    let mut block = Block {
        label,
        encrypted: false,
        body: Vec::with_capacity(inner.len()),
        crc: None,
    };
    let text = plain(inner, quoted);
    // In a patch or a comment the mark of its lines stands before the END line too.
    let margin = match text.rsplit(|&b| b == b'\n').next().map(<[u8]>::trim_ascii) {
        Some(mark @ (b"+" | b"-" | b"//" | b"--")) => mark,
        _ => b"",
    };
    for line in text.split(|&b| b == b'\n') {
        let line = line.trim_ascii();
        let line = line.strip_prefix(margin).unwrap_or(line);
        let line = uncommented(line);
        let is_header = line.contains(&b':');
        if is_header && line.starts_with(b"Proc-Type") && find(line, b"ENCRYPTED").is_some() {
            block.encrypted = true;
        }
        let mut in_header = is_header;
        for token in line
            .split(u8::is_ascii_whitespace)
            .filter(|token| !token.is_empty() && *token != b"+")
        {
            let is_base64 = token
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(b));
            // Where line ends were lost, the body follows the headers on their line.
            in_header = in_header && !(is_base64 && token.len() >= 40);
            match token {
                _ if in_header => {}
                [b'=', crc @ ..] if crc.len() == 4 => block.crc = crc.first_chunk().copied(),
                _ if is_base64 => block.body.extend(token.iter().filter(|b| **b != b'=')),
                _ => return None,
            }
        }
    }
    Some(block)
}

/// A line without what comments, quoted mail, Javadoc and margins put before it.
pub(super) fn uncommented(mut line: &[u8]) -> &[u8] {
    loop {
        line = match line.trim_ascii() {
            [b'#' | b'*' | b'>' | b'|' | b';', rest @ ..]
            | [b'/', b'/', b' ', rest @ ..]
            | [b'-', b'-', b' ', rest @ ..] => rest,
            bare => return bare,
        }
    }
}

/// Text with its escapes resolved; where `quoted`, only what lies within strings, given that it begins
/// within one: between them stand the joins of some language.
pub(super) fn plain(text: &[u8], quoted: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut quote = None;
    let mut inside = true;
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let (byte, next) = match first {
            b'\\' => escape(rest),
            b'&' if tail.starts_with(b"#") => entity(rest),
            _ => (Some(*first), tail),
        };
        rest = next;
        match byte {
            Some(mark @ (b'"' | b'\'' | b'`')) if quoted && *quote.get_or_insert(mark) == mark => {
                inside = !inside;
                out.push(b'\n');
            }
            Some(b'"' | b'\'' | b'`' | b',' | b';' | b'(' | b')' | b'[' | b']') if !quoted => {
                out.push(b' ');
            }
            Some(byte) if inside || byte == b'\n' => out.push(byte),
            _ => {}
        }
    }
    out
}

/// What a run of backslashes and the byte behind it stand for, and what follows.
fn escape(text: &[u8]) -> (Option<u8>, &[u8]) {
    let run = text.iter().take_while(|b| **b == b'\\').count();
    let rest = text.get(run..).unwrap_or_default();
    let code = |digits: usize| {
        let value = number(rest.get(1..=digits)?, 16)?;
        Some((u8::try_from(value).ok()?, rest.get(1 + digits..)?))
    };
    match rest {
        [b'n' | b'r', tail @ ..] => (Some(b'\n'), tail),
        [b't', tail @ ..] => (Some(b' '), tail),
        [b'u', ..] => code(4).map_or((None, rest), |(byte, tail)| (Some(byte), tail)),
        [b'x', ..] => code(2).map_or((None, rest), |(byte, tail)| (Some(byte), tail)),
        // A quote ends the string in the program, a slash needs no escape, a line goes on.
        _ => (None, rest),
    }
}

/// The character that `&#10;` or `&#xA;` stands for, and what follows.
fn entity(text: &[u8]) -> (Option<u8>, &[u8]) {
    let parsed = || {
        let end = text.iter().take(8).position(|b| *b == b';')?;
        let value = match text.get(2..end)? {
            [b'x' | b'X', hex @ ..] => number(hex, 16)?,
            decimal => number(decimal, 10)?,
        };
        Some((u8::try_from(value).ok()?, text.get(end + 1..)?))
    };
    match parsed() {
        Some((byte, tail)) => (Some(byte), tail),
        None => (Some(b'&'), text.get(1..).unwrap_or_default()),
    }
}

/// The bytes of a block's body, unless it is made of too few different characters to be a key.
pub(super) fn body_bytes(block: &Block<'_>) -> Option<Vec<u8>> {
    let mut seen = [false; 256];
    for byte in &block.body {
        if let Some(slot) = seen.get_mut(usize::from(*byte)) {
            *slot = true;
        }
    }
    if seen.iter().filter(|s| **s).count() < 12 {
        return None;
    }
    decode(&block.body)
}
