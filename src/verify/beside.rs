//! Which hosts stand beside a key in a text: a service that people run themselves has its own, and a key of it is nobody else's business.
//!
//! Read where a place is read anyway, so that scanning pays nothing for it. What is found decides that a key is *not* sent to the
//! provider's public host; it is sent to a found one only where the caller lists it. What names a host and cannot be read as one (a
//! variable, letters that are not ASCII) is a host that nobody lists.

use std::borrow::Cow;
use std::ops::Range;

use crate::model::WebAddress;

/// Lines in front of and behind the secret's that decide alone.
const LINES: usize = 6;
/// Bytes of such text on each side at the most.
const REACH: usize = 2048;
/// Bytes on each side in which a host counts where the lines around the secret name none.
pub const FAR: usize = 512 * 1024;
/// Bytes of a name in front of an assignment.
const NAME: usize = 60;
/// Hosts of a text that are looked at.
const MOST: usize = 20_000;
/// Hosts that one secret is asked for at.
const ASKED: usize = 8;
/// What stands for a host that cannot be shown.
const UNREADABLE: &str = "an address that cannot be read";

/// What a place of a text names as a host.
#[derive(Debug)]
struct Named {
    /// The whole of it: of an address with its scheme, user and path.
    at: Range<usize>,
    /// The host with its port, or what stands in its place.
    host: String,
    /// Whether it is a web address, and not a host alone.
    is_address: bool,
    /// The name that it is assigned to, in lower case, or empty.
    name: String,
    /// Whether it is one only where the name says so: a single word, a variable.
    needs_name: bool,
}

/// The hosts of a text.
#[derive(Debug)]
pub struct Beside<'t> {
    text: Cow<'t, [u8]>,
    /// Where zeros were left out: every second byte of UTF-16.
    zeros: Vec<usize>,
    all: Vec<Named>,
}

impl<'t> Beside<'t> {
    /// Of a text, which may be any bytes.
    #[must_use]
    pub fn of(text: &'t [u8]) -> Self {
        let zeros: Vec<usize> = memchr::memchr_iter(0, text).collect();
        let is_wide = zeros.len() > text.len() / 4;
        let zeros = if is_wide { zeros } else { Vec::new() };
        let text = if is_wide {
            Cow::Owned(text.iter().copied().filter(|b| *b != 0).collect())
        } else {
            Cow::Borrowed(text)
        };
        let all = named(&text);
        Self { text, zeros, all }
    }

    /// The hosts that a secret may be of, none of them of `home` (domains of the provider): that of the address in which it stands
    /// (`https://user:SECRET@HOST/`), else those on the lines around it, else those of the text, that have one of the `words` in their
    /// address or in the name that they are assigned to (`GITLAB_URL=https://HOST`). Words are in lower case. With a port where one is
    /// written. Empty where nothing says that it is of another host than the provider's.
    #[must_use]
    pub fn hosts(&self, secret: &Range<usize>, words: &[String], home: &[String]) -> Vec<String> {
        if words.is_empty() {
            return Vec::new();
        }
        let moved = |at: usize| at - self.zeros.partition_point(|zero| *zero < at);
        let secret = moved(secret.start)..moved(secret.end);
        let text = &*self.text;
        if secret.end > text.len() || secret.start > secret.end {
            return Vec::new();
        }
        let shown = |host: &str| self.shown(host, &secret);
        if let Some(host) = self.around(&secret) {
            return (!is_home(&host, home))
                .then(|| shown(&host))
                .into_iter()
                .collect();
        }
        let near = window(text, &secret);
        let first = self.all.partition_point(|n| n.at.start < near.start);
        let mut found = Found::default();
        let mut is_ours = false;
        for named in self.all.get(first..).unwrap_or_default() {
            if named.at.start >= near.end {
                break;
            }
            if overlap(&named.at, &secret) || !self.speaks_near(named, words) {
                continue;
            }
            if is_home(&named.host, home) {
                // A name that says so counts, a page that is mentioned does not.
                is_ours |= words.iter().any(|w| named.name.contains(w.as_str()));
            } else {
                found.add(shown(&named.host));
            }
        }
        if is_ours || !found.hosts.is_empty() {
            return found.hosts;
        }
        let name = name_of(text, secret.start);
        if OWN.iter().any(|own| name.contains(own)) {
            return vec![shown(&name.to_ascii_uppercase())];
        }
        let far = secret.start.saturating_sub(FAR)..secret.end.saturating_add(FAR);
        for named in &self.all {
            let is_there = far.contains(&named.at.start) && !overlap(&named.at, &secret);
            if is_there && self.speaks(named, words) && !is_home(&named.host, home) {
                found.add(shown(&named.host));
            }
        }
        found.hosts
    }

    /// The host of the address in which a secret stands.
    fn around(&self, secret: &Range<usize>) -> Option<String> {
        let behind = self.all.partition_point(|n| n.at.start <= secret.start);
        let named = self.all.get(..behind)?.last();
        if let Some(named) = named
            && named.is_address
            && named.at.contains(&secret.start)
        {
            return Some(named.host.clone());
        }
        if self.text.get(secret.end) != Some(&b'@') {
            return None;
        }
        let end = secret.end
            + 1
            + self
                .text
                .get(secret.end + 1..)?
                .iter()
                .take_while(|b| !ends(**b))
                .count();
        Some(host_of(authority(&self.text, secret.end + 1..end)))
    }

    /// Whether something near the secret names the service: in the address, in front of it on its line, or in the line that it is below.
    fn speaks_near(&self, named: &Named, words: &[String]) -> bool {
        let address = self.text.get(named.at.clone()).unwrap_or_default();
        let address = address.to_ascii_lowercase();
        let mut front = before(&self.text, named.at.start);
        front.push('\n');
        front.push_str(&above(&self.text, named.at.start));
        words.iter().any(|word| {
            front.contains(word.as_str())
                || !named.needs_name && memchr::memmem::find(&address, word.as_bytes()).is_some()
        })
    }

    /// Whether something far from the secret names the service: its host, its name, or the path of its interface.
    fn speaks(&self, named: &Named, words: &[String]) -> bool {
        let is_known = named.is_address || !named.name.is_empty();
        let address = self.text.get(named.at.clone()).unwrap_or_default();
        words.iter().any(|word| {
            named.name.contains(word.as_str())
                || is_known && !named.needs_name && named.host.contains(word.as_str())
                || word.starts_with('/') && memchr::memmem::find(address, word.as_bytes()).is_some()
        })
    }

    /// A host as it may be shown: never with the secret in it.
    fn shown(&self, host: &str, secret: &Range<usize>) -> String {
        let secret = self.text.get(secret.clone()).unwrap_or_default();
        let secret = String::from_utf8_lossy(secret).to_lowercase();
        if !secret.is_empty() && host.to_lowercase().contains(&secret) {
            return UNREADABLE.to_owned();
        }
        host.to_owned()
    }
}

/// Hosts, each once.
#[derive(Default)]
struct Found {
    hosts: Vec<String>,
}

impl Found {
    fn add(&mut self, host: String) {
        if self.hosts.len() > ASKED || self.hosts.contains(&host) {
            return;
        }
        // That there are more keeps the answers of these from proving anything.
        self.hosts.push(if self.hosts.len() == ASKED {
            "one of many hosts".to_owned()
        } else {
            host
        });
    }
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// The lines around a secret.
fn window(text: &[u8], secret: &Range<usize>) -> Range<usize> {
    let from = secret.start.saturating_sub(REACH);
    let to = secret.end.saturating_add(REACH).min(text.len());
    let in_front = text.get(from..secret.start).unwrap_or_default();
    let behind = text.get(secret.end..to).unwrap_or_default();
    let start = memchr::memrchr_iter(b'\n', in_front)
        .nth(LINES)
        .map_or(from, |at| from + at + 1);
    let end = memchr::memchr_iter(b'\n', behind)
        .nth(LINES)
        .map_or(to, |at| secret.end + at);
    start..end
}

/// Schemes of what is no service on the web.
const OTHER: &[&str] = &[
    "amqp",
    "amqps",
    "file",
    "ftp",
    "jdbc",
    "kafka",
    "ldap",
    "ldaps",
    "mongodb",
    "mongodb+srv",
    "mysql",
    "postgres",
    "postgresql",
    "redis",
    "rediss",
    "s3",
    "smtp",
    "smtps",
    "sqlite",
];

/// In the name of a secret: it is of a server of one's own.
const OWN: &[&str] = &[
    "enterprise",
    "ghe_",
    "ghes",
    "on_prem",
    "on-prem",
    "onprem",
    "self_hosted",
    "self-hosted",
    "selfhosted",
];

/// In a name: what is assigned to it is a host.
const NOUNS: &[&str] = &[
    "addr", "api_base", "domain", "endpoint", "host", "instance", "server", "uri", "url",
];

/// Words that stand for no host.
const NONE: &[&str] = &[
    "any",
    "false",
    "nil",
    "no",
    "none",
    "null",
    "off",
    "on",
    "str",
    "string",
    "true",
    "undefined",
    "yes",
];

/// Last labels that are endings of files or names in code more often than domains.
const FILES: &[&str] = &[
    "actor",
    "auth",
    "conf",
    "css",
    "env",
    "event",
    "git",
    "go",
    "html",
    "ini",
    "java",
    "js",
    "json",
    "key",
    "lock",
    "log",
    "md",
    "password",
    "php",
    "private",
    "py",
    "rb",
    "ref",
    "repository",
    "rs",
    "secret",
    "sh",
    "sha",
    "tf",
    "token",
    "toml",
    "ts",
    "txt",
    "uri",
    "url",
    "user",
    "workflow",
    "xml",
    "yaml",
    "yml",
];

/// What a text names as hosts, in its order.
fn named(text: &[u8]) -> Vec<Named> {
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
fn ends(byte: u8) -> bool {
    byte <= b' '
        || byte == 0x7f
        || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b'|' | b'(' | b')')
}

/// The authority at the start of an address without its scheme, and without user.
fn authority(text: &[u8], address: Range<usize>) -> &[u8] {
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
fn host_of(authority: &[u8]) -> String {
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
    let assigned = name_of(text, at);
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

fn is_home(host: &str, home: &[String]) -> bool {
    let name = host.split(':').next().unwrap_or_default();
    home.iter().any(|home| {
        name.strip_suffix(home.as_str())
            .is_some_and(|front| front.is_empty() || front.ends_with('.'))
    })
}

/// What stands on the line in front of an offset, in lower case.
fn before(text: &[u8], at: usize) -> String {
    let before = text.get(at.saturating_sub(NAME)..at).unwrap_or_default();
    let start = memchr::memrchr(b'\n', before).map_or(0, |n| n + 1);
    String::from_utf8_lossy(before.get(start..).unwrap_or_default()).to_lowercase()
}

/// The name that the value at an offset is assigned to, in lower case; empty for none.
fn name_of(text: &[u8], at: usize) -> String {
    let front = before(text, at);
    let quotes = |c: char| "\"'`\\".contains(c);
    let bare = front.trim_end_matches(quotes);
    let trimmed = bare.trim_end();
    let is_word = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    let left = trimmed.trim_end_matches(['=', ':', '>', ',']);
    let is_assigned = left.len() < trimmed.len();
    let left = left
        .trim_end()
        .trim_end_matches(|c| quotes(c) || c == ']' || c == ')');
    let start = left.rfind(|c| !is_word(c)).map_or(0, |n| {
        n + left
            .get(n..)
            .and_then(|r| r.chars().next())
            .map_or(1, char::len_utf8)
    });
    let name = left.get(start..).unwrap_or_default();
    let is_option = name.starts_with("--") && trimmed.len() < bare.len();
    if is_assigned || is_option {
        name.to_owned()
    } else {
        String::new()
    }
}

/// The line that a line belongs to, in lower case: the next one above with a smaller indent, or the head of its section.
fn above(text: &[u8], at: usize) -> String {
    let front = text.get(at.saturating_sub(REACH)..at).unwrap_or_default();
    let mut lines = front.rsplit(|b| *b == b'\n');
    let indent = |line: &[u8]| {
        line.iter()
            .take_while(|b| matches!(**b, b' ' | b'\t'))
            .count()
    };
    let own = indent(lines.next().unwrap_or_default());
    let found = lines.take(30).find(|line| {
        let is_blank = line.trim_ascii().is_empty();
        !is_blank
            && if own == 0 {
                line.starts_with(b"[")
            } else {
                indent(line) < own
            }
    });
    let line = found.unwrap_or_default();
    let line = line.get(..line.len().min(4 * NAME)).unwrap_or_default();
    String::from_utf8_lossy(line.trim_ascii()).to_lowercase()
}

#[cfg(test)]
#[path = "beside_tests.rs"]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests;
