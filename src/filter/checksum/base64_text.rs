//! Text inside base64: bots of Discord, JFrog, Atlassian, user and password.

use super::fact::printable;
use super::read::{decode, number, split_once};
use super::{Check, Facts, fits_or_fails};

/// Discord bot tokens: the first part is the bot's id, 17 to 20 digits, in base64.
///
/// <https://discord.com/developers/docs/reference#authentication>
pub(super) fn discord_bot(secret: &[u8]) -> Check {
    if secret.starts_with(b"mfa.") {
        return Check::Silent; // a user's token of old, without an id
    }
    fits_or_fails(discord_id(secret).is_some())
}

pub(super) fn discord_id(secret: &[u8]) -> Option<Vec<u8>> {
    let (first, _) = split_once(secret, b'.')?;
    decode(first).filter(|id| (17..=20).contains(&id.len()) && id.iter().all(u8::is_ascii_digit))
}

/// JFrog reference tokens: base64 of `reftkn:<version>:<expiry>:<random>`.
///
/// <https://jfrog.com/help/r/jfrog-platform-administration-documentation/understanding-reference-tokens>
/// The vendor prints only the prefix; what follows it is known from samples, so it disproves nothing.
pub(super) fn artifactory_ref(secret: &[u8]) -> Check {
    match decode(secret) {
        Some(text) if !text.starts_with(b"reftkn:") => Check::Fails,
        Some(text) if artifactory_expiry(&text).is_some() => Check::Fits,
        Some(_) => Check::Silent,
        None => Check::Fails,
    }
}

/// Seconds since 1970, 0 where it never expires.
fn artifactory_expiry(text: &[u8]) -> Option<u64> {
    let (version, rest) = split_once(text.strip_prefix(b"reftkn:")?, b':')?;
    let (expiry, random) = split_once(rest, b':')?;
    number(version, 10)?;
    let whole = random.len() >= 8 && random.iter().all(u8::is_ascii_graphic);
    number(expiry, 10).filter(|_| whole)
}

pub(super) fn artifactory_facts(secret: &[u8]) -> Option<Facts> {
    let expiry = artifactory_expiry(&decode(secret)?)?;
    Some(if expiry == 0 {
        Facts::new()
    } else {
        vec![("expires", expiry.to_string())]
    })
}

/// Personal access tokens of Jira and Confluence Data Center: base64 of `<numeric id>:<bytes>`.
///
/// <https://confluence.atlassian.com/enterprise/using-personal-access-tokens-1026032365.html>
pub(super) fn atlassian_dc(secret: &[u8]) -> Check {
    let parts = decode(secret).and_then(|bytes| {
        let (id, random) = split_once(&bytes, b':')?;
        Some(
            (6..=16).contains(&id.len()) && id.iter().all(u8::is_ascii_digit) && random.len() >= 16,
        )
    });
    fits_or_fails(parts == Some(true))
}

/// Basic authentication, also Docker's `auth` and npm's `_auth`: base64 of `user:password`.
///
/// <https://www.rfc-editor.org/rfc/rfc7617#section-2>
/// `Silent` for the passwords of manuals, and where too little is there to tell it from chance.
pub(super) fn basic_auth(secret: &[u8]) -> Check {
    let Some((user, password)) = user_password(secret) else {
        return Check::Fails;
    };
    let lower = password.to_ascii_lowercase();
    let manual = lower.is_empty()
        || lower == user.to_ascii_lowercase()
        || [
            "password",
            "passwd",
            "pass",
            "secret",
            "changeme",
            "your-password",
            "test",
        ]
        .contains(&&*lower);
    // Some services take a key in the user's place and nothing, or a word, as the password.
    if user.len() + password.len() < 7 || (manual && user.len() < 20) {
        Check::Silent
    } else {
        Check::Fits
    }
}

fn user_password(secret: &[u8]) -> Option<(String, String)> {
    let bare = match secret.split_first_chunk::<6>() {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"basic ") => rest,
        _ => secret,
    };
    let text = String::from_utf8(decode(bare.trim_ascii())?).ok()?;
    let (user, password) = text.trim_end_matches(['\r', '\n']).split_once(':')?;
    let printable = !user.contains(char::is_control) && !password.contains(char::is_control);
    (printable && !(user.is_empty() && password.is_empty()))
        .then(|| (user.to_owned(), password.to_owned()))
}

/// The user, unless it may be the key itself (`<token>:x-oauth-basic`).
pub(super) fn basic_auth_facts(secret: &[u8]) -> Option<Facts> {
    let (user, password) = user_password(secret)?;
    let is_name = !password.is_empty() && (user.len() <= 24 || user.contains('@'));
    Some(if is_name && !user.is_empty() {
        vec![("user", printable(&user))]
    } else {
        Facts::new()
    })
}
