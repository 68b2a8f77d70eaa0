//! Which host stands beside a key in a text: a service that people run themselves has its own, and a key of it is nobody else's business.
//!
//! Read where a place is read anyway, so that scanning pays nothing for it. What is found decides that a key is *not* sent to the
//! provider's public host; it is sent to the found one only where the caller lists it.

use std::ops::Range;

/// Lines in front of and behind the secret's that are looked at.
const LINES: usize = 6;
/// Bytes of text on each side at the most.
const REACH: usize = 2048;
/// Bytes of a name in front of an assignment.
const NAME: usize = 60;

/// The host beside a secret that is none of `home` (domains of the provider): the one that the secret stands in front of in a URL
/// (`https://user:SECRET@HOST/`), else the nearest on its line or on those around it that has one of the `words` in its address or in the
/// name that it is assigned to (`GITLAB_URL=https://HOST`). Words are in lower case. With a port where one is written.
#[must_use]
pub fn host_beside(
    text: &[u8],
    secret: Range<usize>,
    words: &[String],
    home: &[String],
) -> Option<String> {
    let around = window(text, &secret)?;
    let text = text.get(around.clone())?;
    let secret = secret.start - around.start..secret.end - around.start;
    if text.get(secret.end) == Some(&b'@') {
        let (host, _) = host_at(text, secret.end + 1)?;
        return (!is_home(&host, home)).then_some(host);
    }
    let mut nearest: Option<(usize, String)> = None;
    for (at, host, end) in hosts(text) {
        if secret.contains(&at) || is_home(&host, home) {
            continue;
        }
        let line_end =
            memchr::memchr2(b'\n', b' ', text.get(end..)?).map_or(text.len(), |n| end + n);
        let address = text.get(at..line_end)?.to_ascii_lowercase();
        let name = name_before(text, at);
        let speaks = |word: &String| {
            memchr::memmem::find(&address, word.as_bytes()).is_some()
                || name.contains(word.as_str())
        };
        if !words.iter().any(speaks) {
            continue;
        }
        let distance = if at < secret.start {
            secret.start - at
        } else {
            at.saturating_sub(secret.end)
        };
        if nearest.as_ref().is_none_or(|(least, _)| distance < *least) {
            nearest = Some((distance, host));
        }
    }
    nearest.map(|(_, host)| host)
}

/// The lines around a secret.
fn window(text: &[u8], secret: &Range<usize>) -> Option<Range<usize>> {
    let before = text.get(secret.start.saturating_sub(REACH)..secret.start)?;
    let behind = text.get(secret.end..(secret.end + REACH).min(text.len()))?;
    let start = memchr::memrchr_iter(b'\n', before)
        .nth(LINES)
        .map_or(secret.start - before.len(), |at| {
            secret.start - before.len() + at + 1
        });
    let end = memchr::memchr_iter(b'\n', behind)
        .nth(LINES)
        .map_or(secret.end + behind.len(), |at| secret.end + at);
    Some(start..end)
}

/// Hosts in a text: behind `://` and its user, behind `=`, `:` or a quote. With the offsets where each begins and ends.
fn hosts(text: &[u8]) -> Vec<(usize, String, usize)> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let begins = at == 0 || text.get(at - 1).is_some_and(|b| !is_host_byte(*b));
        let start = at;
        if begins && let Some((host, end)) = host_at(text, at) {
            // What stands in front of an @ is a user.
            if text.get(end) != Some(&b'@') {
                all.push((start, host, end));
            }
            at = end;
        }
        at += 1;
    }
    all
}

/// A name with a dot and a letter in its last label at an offset, and a port behind it; and where it ends.
fn host_at(text: &[u8], at: usize) -> Option<(String, usize)> {
    let rest = text.get(at..)?;
    let length = rest.iter().take_while(|b| is_host_byte(**b)).count();
    let mut name = std::str::from_utf8(rest.get(..length)?).ok()?;
    name = name.trim_end_matches(['.', '-']);
    let last = name.rsplit('.').next()?;
    let is_domain = name.contains('.')
        && last.len() >= 2
        && last.bytes().all(|b| b.is_ascii_alphabetic())
        && !FILES.contains(&last.to_ascii_lowercase().as_str());
    if !is_domain || name.len() > 253 || name.split('.').any(|l| l.is_empty() || l.len() > 63) {
        return None;
    }
    let mut end = at + name.len();
    let mut host = name.to_ascii_lowercase();
    if text.get(end) == Some(&b':') {
        let digits = text.get(end + 1..)?;
        let digits: Vec<u8> = digits
            .iter()
            .copied()
            .take_while(u8::is_ascii_digit)
            .take(5)
            .collect();
        if !digits.is_empty() {
            end += 1 + digits.len();
            host.push(':');
            host.extend(digits.iter().map(|b| char::from(*b)));
        }
    }
    Some((host, end))
}

/// Last labels that are endings of files more often than domains.
const FILES: &[&str] = &[
    "conf", "css", "env", "go", "html", "ini", "java", "js", "json", "lock", "log", "md", "php",
    "py", "rb", "rs", "sh", "tf", "toml", "ts", "txt", "xml", "yaml", "yml",
];

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.' || byte == b'_'
}

fn is_home(host: &str, home: &[String]) -> bool {
    let name = host.split(':').next().unwrap_or_default();
    home.iter().any(|home| {
        name.strip_suffix(home.as_str())
            .is_some_and(|front| front.is_empty() || front.ends_with('.'))
    })
}

/// The name that the value at an offset is assigned to, in lower case: what stands on the line in front of it.
fn name_before(text: &[u8], at: usize) -> String {
    let before = text.get(at.saturating_sub(NAME)..at).unwrap_or_default();
    let start = memchr::memrchr(b'\n', before).map_or(0, |n| n + 1);
    String::from_utf8_lossy(before.get(start..).unwrap_or_default()).to_lowercase()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    fn found(text: &str, words: &[&str], home: &[&str]) -> Option<String> {
        let own = |list: &[&str]| {
            list.iter()
                .map(|w| (*w).to_owned())
                .collect::<Vec<String>>()
        };
        let start = text.find("SECRET").unwrap();
        host_beside(text.as_bytes(), start..start + 6, &own(words), &own(home))
    }

    fn gitlab(text: &str) -> Option<String> {
        found(text, &["gitlab", "/api/v4"], &["gitlab.com"])
    }

    #[test]
    fn the_host_of_a_service_of_ones_own_is_found_beside_its_key() {
        for text in [
            "GITLAB_URL=https://git.acme.io\nGITLAB_TOKEN=SECRET\n",
            "https://oauth2:SECRET@git.acme.io/group/project.git",
            "curl -H 'PRIVATE-TOKEN: SECRET' https://git.acme.io/api/v4/projects",
            "token: SECRET\n# ours\nserver: gitlab\ngitlab_host: git.acme.io\n",
            "gitlab:\n  url: \"https://git.acme.io/\"\n  token: SECRET # gitlab_url above\nGITLAB: git.acme.io",
        ] {
            assert_eq!(gitlab(text).as_deref(), Some("git.acme.io"), "{text}");
        }
        let port = "VAULT_ADDR=https://vault.acme.io:8200\nVAULT_TOKEN=SECRET";
        assert_eq!(
            found(port, &["vault"], &[]).as_deref(),
            Some("vault.acme.io:8200")
        );
        let shop = "SHOP=acme.myshopify.com\nTOKEN=SECRET";
        assert_eq!(
            found(shop, &["shop"], &[]).as_deref(),
            Some("acme.myshopify.com")
        );
        let block = "credentials \"tfe.acme.io\" {\n  token = \"SECRET\"\n}";
        assert_eq!(
            found(block, &["credentials \""], &["terraform.io"]).as_deref(),
            Some("tfe.acme.io")
        );
    }

    #[test]
    fn hosts_of_others_and_the_providers_own_are_not_taken_for_it() {
        for text in [
            "GITLAB_TOKEN=SECRET",
            "# https://docs.gitlab.com/user/profile\nGITLAB_TOKEN=SECRET",
            "https://oauth2:SECRET@gitlab.com/group/project.git",
            "DATABASE_URL=postgres://app@db.acme.io/x\nREDIS_HOST=cache.acme.io\nGITLAB_TOKEN=SECRET",
            "NPM_CONFIG_REGISTRY=https://npm.acme.io GITLAB_TOKEN=SECRET npm publish",
            "include .gitlab-ci.yml\nGITLAB_TOKEN=SECRET",
            "GITLAB_TOKEN=SECRET\nGITLAB_MAIL=jo@acme",
        ] {
            assert_eq!(gitlab(text), None, "{text}");
        }
        let far = format!(
            "GITLAB_URL=https://git.acme.io\n{}GITLAB_TOKEN=SECRET",
            "#\n".repeat(20)
        );
        assert_eq!(gitlab(&far), None);
    }

    #[test]
    fn any_bytes_are_looked_at_without_a_panic() {
        let hostile = [
            b"\xff.\xfe:99999@".as_slice(),
            b"SECRET",
            b"@\x00:..-.a.b:1",
        ]
        .concat();
        let at = hostile.windows(6).position(|w| w == b"SECRET").unwrap();
        let _ = host_beside(&hostile, at..at + 6, &["a".to_owned()], &[]);
        assert_eq!(host_beside(b"", 0..0, &[], &[]), None);
        assert_eq!(host_beside(b"x", 5..9, &[], &[]), None);
    }
}
