//! CRC32 and its like: GitHub, npm, Vercel, GitLab, Grafana, crates.io.

use super::read::{decode, digits, number, rsplit_once, split_once};
use super::{Check, Facts, fits_or_fails};

pub(super) const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
pub(super) const BASE36: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// GitHub and npm: the last six characters are the CRC32 of the body before them in base62.
///
/// <https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/>
/// The alphabet and the padding are proven on public samples of `ghp_`, `gho_`, `ghu_`, `ghr_`, `npm_`.
/// A misfit of `ghs_` says nothing: some servers issue installation tokens without the digits.
pub(super) fn github_crc32(secret: &[u8]) -> Check {
    let Some((prefix, body)) = split_once(secret, b'_') else {
        return Check::Silent;
    };
    let Some((random, check)) = body.split_last_chunk::<6>() else {
        return Check::Silent;
    };
    if *check == digits::<6>(crc32fast::hash(random), BASE62) {
        return Check::Fits;
    }
    match (prefix, body.len()) {
        (b"ghp" | b"gho" | b"ghu" | b"npm", 36) | (b"ghr", 76) => Check::Fails,
        _ => Check::Silent,
    }
}

/// Vercel: the scheme of GitHub over a body of 50 characters after a prefix of four.
///
/// <https://vercel.com/docs/rest-api#authentication>; proven on four public samples. Tokens of
/// another length are the old form of 24 characters, which has no digits.
pub(super) fn vercel_crc32(secret: &[u8]) -> Check {
    match secret {
        [b'v', b'c', _, b'_', body @ ..] if body.len() == 56 => {
            match body.split_last_chunk::<6>() {
                Some((random, check)) => {
                    fits_or_fails(*check == digits::<6>(crc32fast::hash(random), BASE62))
                }
                None => Check::Silent,
            }
        }
        _ => Check::Silent,
    }
}

/// GitLab's routable tokens: `….01.` + payload length (2) + CRC32 of all that precedes (7), in base36.
///
/// <https://gitlab.com/gitlab-org/gitlab/-/blob/master/lib/authn/token_field/generator/routable_token.rb>
/// The first releases left the version out; a misfit in that form is no proof.
pub(super) fn gitlab_routable(secret: &[u8]) -> Check {
    let Some((head, tail)) = rsplit_once(secret, b'.') else {
        return Check::Silent;
    };
    let Some((covered, check)) = secret.split_last_chunk::<7>() else {
        return Check::Silent;
    };
    if tail.len() != 9 {
        return Check::Silent;
    }
    if *check == digits::<7>(crc32fast::hash(covered), BASE36) {
        Check::Fits
    } else if head.ends_with(b".01") {
        Check::Fails
    } else {
        Check::Silent
    }
}

/// The routing part of the payload: 16 random bytes, lines such as `u:1a` in base36, their length.
pub(super) fn gitlab_facts(secret: &[u8]) -> Option<Facts> {
    let (head, tail) = rsplit_once(secret, b'.')?;
    let head = head.strip_suffix(b".01").unwrap_or(head);
    let length = usize::try_from(number(tail.get(..2)?, 36)?).ok()?;
    let payload = decode(head.get(head.len().checked_sub(length)?..)?)?;
    let (size, rest) = payload.split_last()?;
    let routing = rest.get(rest.len().checked_sub(usize::from(*size))?..)?;
    let mut facts = Facts::new();
    for line in routing.split(|&b| b == b'\n') {
        let Some((key, value)) = split_once(line, b':') else {
            continue;
        };
        let name = match key {
            b"c" => "cell",
            b"g" => "group",
            b"o" => "organization",
            b"p" => "project",
            b"u" => "user",
            _ => continue,
        };
        if let Some(id) = number(value, 36) {
            facts.push((name, id.to_string()));
        }
    }
    Some(facts)
}

/// Grafana service account tokens: eight hex digits, the CRC32 of all before the last `_`, low byte first.
///
/// <https://github.com/grafana/grafana/blob/main/pkg/components/satokengen/satokengen.go>
pub(super) fn grafana_glsa(secret: &[u8]) -> Check {
    if secret.len() != 46 || !secret.starts_with(b"glsa_") {
        return Check::Silent;
    }
    let Some((covered, check)) = rsplit_once(secret, b'_') else {
        return Check::Fails;
    };
    let expected = crc32fast::hash(covered).swap_bytes();
    fits_or_fails(check.len() == 8 && number(check, 16) == Some(u64::from(expected)))
}

/// crates.io trusted publishing: one check character, the XOR of the 31 before it, modulo 62.
///
/// <https://github.com/rust-lang/crates.io/blob/main/crates/crates_io_trustpub/src/access_token.rs>
pub(super) fn cratesio_tp(secret: &[u8]) -> Check {
    // Not BASE62: capitals first.
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let Some(body) = secret.strip_prefix(b"cio_tp_") else {
        return Check::Silent; // `cio` + 32: the ordinary token, without a check character
    };
    let Some((check, random)) = body.split_last() else {
        return Check::Fails;
    };
    let sum = random.iter().fold(0, |sum, byte| sum ^ byte);
    let expected = ALPHABET.get(usize::from(sum) % ALPHABET.len());
    fits_or_fails(
        random.len() == 31
            && random.iter().all(u8::is_ascii_alphanumeric)
            && expected == Some(check),
    )
}
