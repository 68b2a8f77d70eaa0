//! Which hosts stand beside a key in a text: a service that people run themselves has its own, and a key of it is nobody else's business.
//!
//! Read where a place is read anyway, so that scanning pays nothing for it. What is found decides that a key is *not* sent to the
//! provider's public host; it is sent to a found one only where the caller lists it. What names a host and cannot be read as one (a
//! variable, letters that are not ASCII) is a host that nobody lists.

mod front;
mod named;
mod words;

use std::borrow::Cow;
use std::ops::Range;

use self::front::{above, before, name_of};
use self::named::{Named, authority, ends, host_of, named};
use self::words::OWN;

/// Lines in front of and behind the secret's that decide alone.
const LINES: usize = 6;
/// Bytes of such text on each side at the most.
const REACH: usize = 2048;
/// Bytes on each side in which a host counts where the lines around the secret name none.
pub const FAR: usize = 512 * 1024;
/// Hosts that one secret is asked for at.
const ASKED: usize = 8;
/// What stands for a host that cannot be shown.
const UNREADABLE: &str = "an address that cannot be read";

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
        let Some(secret) = self.moved(secret).filter(|_| !words.is_empty()) else {
            return Vec::new();
        };
        let text = &*self.text;
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
        for named in self.far(&secret, words) {
            if !is_home(&named.host, home) {
                found.add(shown(&named.host));
            }
        }
        found.hosts
    }

    /// A host of the text that a secret may be of as well, and that is none of `hosts`: further away than those that decided, so that a
    /// refusal there proves nothing. `None` where the address in which it stands decides.
    #[must_use]
    pub fn elsewhere(
        &self,
        secret: &Range<usize>,
        words: &[String],
        home: &[String],
        hosts: &[String],
    ) -> Option<String> {
        let secret = self.moved(secret).filter(|_| !words.is_empty())?;
        if self.around(&secret).is_some() {
            return None;
        }
        let is_other = |named: &&Named| {
            if is_home(&named.host, home) {
                // It was asked there where no host was found; a page that is mentioned does not count.
                let is_named = words.iter().any(|w| named.name.contains(w.as_str()));
                return is_named && !hosts.is_empty();
            }
            !hosts.contains(&self.shown(&named.host, &secret))
        };
        let mut far = self.far(&secret, words);
        let named = far.find(is_other)?;
        Some(self.shown(&named.host, &secret))
    }

    /// Where a secret stands in the text as it is looked at.
    fn moved(&self, secret: &Range<usize>) -> Option<Range<usize>> {
        let moved = |at: usize| at - self.zeros.partition_point(|zero| *zero < at);
        let secret = moved(secret.start)..moved(secret.end);
        (secret.end <= self.text.len() && secret.start <= secret.end).then_some(secret)
    }

    /// The hosts in the wider text around a secret that name the service.
    fn far<'s>(
        &'s self,
        secret: &'s Range<usize>,
        words: &'s [String],
    ) -> impl Iterator<Item = &'s Named> {
        let far = secret.start.saturating_sub(FAR)..secret.end.saturating_add(FAR);
        self.all.iter().filter(move |named| {
            let is_there = far.contains(&named.at.start) && !overlap(&named.at, secret);
            is_there && self.speaks(named, words)
        })
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

fn is_home(host: &str, home: &[String]) -> bool {
    let name = host.split(':').next().unwrap_or_default();
    home.iter().any(|home| {
        name.strip_suffix(home.as_str())
            .is_some_and(|front| front.is_empty() || front.ends_with('.'))
    })
}

#[cfg(test)]
#[path = "beside_tests.rs"]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests;
