//! What a text names as hosts: web addresses, hosts alone, and values of names that say so.

use std::ops::Range;

use super::UNREADABLE;
use super::front::name_of;
use super::words::{FILES, NONE, NOUNS, OTHER};
use crate::model::WebAddress;

/// Hosts of a text that are looked at.
const MOST: usize = 20_000;

/// What a place of a text names as a host.
#[derive(Debug)]
pub(super) struct Named {
    /// The whole of it: of an address with its scheme, user and path.
    pub(super) at: Range<usize>,
    /// The host with its port, or what stands in its place.
    pub(super) host: String,
    /// Whether it is a web address, and not a host alone.
    pub(super) is_address: bool,
    /// The name that it is assigned to, in lower case, or empty.
    pub(super) name: String,
    /// Whether it is one only where the name says so: a single word, a variable.
    pub(super) needs_name: bool,
}

/// What a text names as hosts, in its order.
pub(super) fn named(text: &[u8]) -> Vec<Named> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < text.len() && all.len() < MOST {
        let one = address_at(text, at)
            .or_else(|| bare_at(text, at))
            .or_else(|| value_at(text, at));
        at = match one {
            Some(named) => {
                let end = named.at.end.max(at + 1);
                all.push(named);
                end
            }
            None => at + 1,
        };
    }
    all
}

/// The web address that has its `//` at an offset.
fn address_at(text: &[u8], at: usize) -> Option<Named> {
    let rest = text.get(at..)?;
    let slashes = [b"//".as_slice(), b"\\/\\/"];
    let slashes = slashes.into_iter().find(|s| rest.starts_with(s))?.len();
    let front = text.get(..at)?;
    let scheme = front.strip_suffix(b":").map(|front| {
        let length = front
            .iter()
            .rev()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(**b, b'+' | b'-' | b'.'))
            .count();
        front.len() - length..front.len()
    });
    let from = at + slashes;
    let token = text.get(from..)?.iter().take_while(|b| !ends(**b)).count();
    // In front of a host that is yet to be filled in, an angle bracket.
    let token = match text.get(from) {
        Some(b'<') => {
            memchr::memchr3(b'>', b'\n', b' ', text.get(from..)?).map_or(token, |n| n + 1)
        }
        _ => token,
    };
    let end = from + token;
    let inside = authority(text, from..end);
    let start = if let Some(scheme) = &scheme {
        let name = String::from_utf8_lossy(text.get(scheme.clone())?).to_ascii_lowercase();
        if scheme.is_empty() || inside.is_empty() || OTHER.contains(&name.as_str()) {
            return None;
        }
        scheme.start
    } else {
        let begins = front
            .last()
            .is_none_or(|b| ends(*b) || matches!(b, b'=' | b'@'));
        let host = readable(inside)?;
        let is_one = host.contains(['.', ':']) || text.get(from + inside.len()) == Some(&b'/');
        if !begins || !is_one || inside.contains(&b'@') {
            return None;
        }
        at
    };
    Some(Named {
        at: start..end,
        host: host_of(inside),
        is_address: true,
        name: name_of(text, start),
        needs_name: false,
    })
}

/// Where an address ends at the latest.
pub(super) fn ends(byte: u8) -> bool {
    byte <= b' '
        || byte == 0x7f
        || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b'|' | b'(' | b')')
}

/// The authority at the start of an address without its scheme, and without user.
pub(super) fn authority(text: &[u8], address: Range<usize>) -> &[u8] {
    let address = text.get(address).unwrap_or_default();
    let mut end = address.len();
    for (at, byte) in address.iter().enumerate() {
        let next = address.get(at + 1);
        let is_end = match byte {
            b'/' | b'?' | b'#' | b',' | b';' => true,
            b'\\' => next.is_none_or(|b| matches!(b, b'/' | b'n' | b'r' | b't' | b'\\')),
            _ => false,
        };
        if is_end {
            end = at;
            break;
        }
    }
    let inside = address.get(..end).unwrap_or_default();
    if inside.contains(&b'\\') {
        // Programs do not agree on where its host is.
        return inside;
    }
    let host =
        memchr::memrchr(b'@', inside).map_or(inside, |at| inside.get(at + 1..).unwrap_or_default());
    // What closes a bracket in front of the address, and a sentence behind it.
    let closes =
        |host: &[u8], open: u8, close: u8| host.last() == Some(&close) && !host.contains(&open);
    let mut host = host;
    while closes(host, b'{', b'}')
        || closes(host, b'[', b']')
        || host
            .last()
            .is_some_and(|b| matches!(b, b':' | b'.' | b'*' | b'!'))
    {
        host = host.get(..host.len() - 1).unwrap_or_default();
    }
    host
}

/// An authority as a host with its port.
fn readable(authority: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(authority).ok()?;
    let address: WebAddress = format!("https://{text}").parse().ok()?;
    address.rest.is_empty().then(|| address.authority())
}

/// The same; one that cannot be read as it stands, where that may be shown.
pub(super) fn host_of(authority: &[u8]) -> String {
    if let Some(host) = readable(authority) {
        return host;
    }
    let text = String::from_utf8_lossy(authority);
    let is_name = |c: char| c.is_alphanumeric() || "-._${}<>%".contains(c);
    if !text.is_empty() && text.len() <= 100 && text.chars().all(is_name) {
        // Never taken for one that is listed.
        return text.into_owned();
    }
    UNREADABLE.to_owned()
}

/// A host without an address around it: with a dot and letters behind the last.
fn bare_at(text: &[u8], at: usize) -> Option<Named> {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_') || b >= 0x80;
    if at > 0 && text.get(at - 1).is_some_and(|b| is_part(*b)) {
        return None;
    }
    let rest = text.get(at..)?;
    let length = rest.iter().take_while(|b| is_part(**b)).take(300).count();
    let name = std::str::from_utf8(rest.get(..length)?).ok()?;
    let name = name.trim_end_matches(['.', '-']);
    let last = name.rsplit('.').next()?.to_lowercase();
    let is_domain = name.contains('.')
        && name.len() <= 253
        && last.chars().count() >= 2
        && (last.bytes().all(|b| b.is_ascii_alphabetic())
            || last.starts_with("xn--")
            || last.chars().all(|c| !c.is_ascii() && c.is_alphabetic()))
        && !FILES.contains(&last.as_str());
    let is_address = name.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && name.parse::<std::net::Ipv4Addr>().is_ok();
    if !is_domain && !is_address || name.split('.').any(|l| l.is_empty() || l.len() > 63) {
        return None;
    }
    let mut end = at + name.len();
    if text.get(end) == Some(&b':') {
        let digits = text
            .get(end + 1..)?
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .take(5)
            .count();
        if digits > 0 {
            end += 1 + digits;
        }
    }
    let assigned = name_of(text, at);
    // A function of a module, `wandb.login(`, is no host unless a name says so.
    if text.get(end) == Some(&b'(') && !NOUNS.iter().any(|noun| assigned.contains(noun)) {
        return None;
    }
    // What stands in front of an @ is a user.
    if text.get(end) == Some(&b'@') || text.get(end..)?.starts_with(b"://") {
        return None;
    }
    // Words of other letters may stand in front of a host without a blank.
    let ascii = name.rfind(|c: char| !c.is_ascii()).map_or(name, |n| {
        name.get(n..)
            .unwrap_or_default()
            .trim_start_matches(|c: char| !c.is_ascii())
    });
    let host = if assigned.is_empty() && ascii.contains('.') {
        ascii.to_ascii_lowercase()
    } else {
        host_of(text.get(at..end)?)
    };
    Some(Named {
        at: at..end,
        host,
        is_address: false,
        name: assigned,
        needs_name: is_address,
    })
}

/// A word or a variable that a name at an offset makes a host: `GHE_HOST=ghe:8443`, `GITLAB_URL=${URL}`.
fn value_at(text: &[u8], at: usize) -> Option<Named> {
    if at == 0
        || !matches!(
            text.get(at - 1)?,
            b'=' | b':' | b' ' | b'\t' | b'"' | b'\'' | b'`'
        )
    {
        return None;
    }
    let first = *text.get(at)?;
    let is_variable = matches!(first, b'$' | b'%' | b'{' | b'<');
    if !is_variable && !first.is_ascii_alphanumeric() && first != b'[' && first < 0x80 {
        return None;
    }
    let name = name_of(text, at);
    if !NOUNS.iter().any(|noun| name.contains(noun)) {
        return None;
    }
    let is_quoted = matches!(text.get(at - 1)?, b'"' | b'\'' | b'`');
    let rest = text.get(at..)?;
    let length = rest
        .iter()
        .take_while(|b| !ends(**b) || is_variable && matches!(**b, b'<' | b'>'))
        .count();
    let value = authority(text, at..at + length);
    let lower = String::from_utf8_lossy(value).to_lowercase();
    let word = lower.split(':').next().unwrap_or_default();
    let is_plain = word.bytes().all(|b| b.is_ascii_digit()) || NONE.contains(&word);
    if rest.get(..length)?.windows(3).any(|w| w == b"://")
        || value.is_empty()
        || is_plain && !value.contains(&b'.')
    {
        return None;
    }
    // A word in code is another name.
    let line = memchr::memchr(b'\n', rest).map_or(rest, |n| rest.get(..n).unwrap_or_default());
    let is_alone = line.get(length..)?.trim_ascii().is_empty();
    let start = text.get(..at)?.trim_ascii_end().len();
    let is_spaced = text.get(start.saturating_sub(1)) == Some(&b'=') && start != at;
    if !is_variable && !is_quoted && (!is_alone || is_spaced) {
        return None;
    }
    Some(Named {
        at: at..at + length.max(1),
        host: host_of(value),
        is_address: false,
        name,
        needs_name: true,
    })
}
