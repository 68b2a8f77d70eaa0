//! What a value is by its form, where that is no secret: a hash, a version, a date, an address, a message in cipher.

/// Whether it is the hash of a password, by the scheme that stands in front.
#[must_use]
pub(super) fn is_hash(secret: &[u8]) -> bool {
    const SCHEMES: [&str; 14] = [
        "sha1:", "sha224:", "sha256:", "sha384:", "sha512:", "md5:", "pbkdf2:", "pbkdf2_",
        "scrypt:", "argon2", "bcrypt", "{ssha", "{sha", "{crypt}",
    ];
    let head = secret
        .get(..secret.len().min(16))
        .unwrap_or_default()
        .to_ascii_lowercase();
    let hexadecimal = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    // What a database server stores: MySQL's `*` and SHA-1, PostgreSQL's MD5 and SCRAM.
    let is_stored = match secret {
        [b'*', digits @ ..] => digits.len() == 40 && hexadecimal(digits),
        [b'm', b'd', b'5', digits @ ..] => digits.len() == 32 && hexadecimal(digits),
        _ => secret.starts_with(b"SCRAM-SHA-"),
    };
    is_stored || secret.len() >= 24 && SCHEMES.iter().any(|s| head.starts_with(s.as_bytes()))
}

/// What a value is by its form, where that is no secret: a version, a date, an address.
#[must_use]
pub(super) fn other_sort(secret: &[u8]) -> Option<&'static str> {
    if is_version(secret) {
        Some("a version")
    } else if is_date(secret) {
        Some("a date")
    } else if is_address(secret) {
        Some("an address")
    } else if is_package(secret) {
        Some("a path of a package")
    } else {
        None
    }
}

/// `1.0.50`, `v2.1.0-rc1`, `10.0.0.1`, `1.0.50.cl210320210309-1101`: three numbers and more, then perhaps a word and a number.
fn is_version(secret: &[u8]) -> bool {
    let text = match secret {
        [b'v' | b'V', rest @ ..] => rest,
        _ => secret,
    };
    let mut rest = text;
    let mut numbers = 0;
    loop {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 || digits > 8 {
            break;
        }
        numbers += 1;
        rest = &rest[digits..];
        match rest {
            [b'.', next, ..] if next.is_ascii_digit() => rest = &rest[1..],
            _ => break,
        }
    }
    // What a build adds: words in lower case with numbers, or one in capitals.
    let plain = |b: &u8| {
        b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'_')
    };
    let build = match rest {
        [] => true,
        [b'.' | b'-' | b'+' | b'_', tail @ ..] => {
            tail.iter().all(plain)
                || tail
                    .iter()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
                || [b"Final".as_slice(), b"Release"].contains(&tail)
        }
        _ => false,
    };
    numbers >= 3 && build || is_protocol(secret)
}

/// `github.com/acme/shop/password`: a host's name in small letters, and a path of words.
fn is_package(secret: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'/', secret) else {
        return false;
    };
    let (host, path) = (&secret[..at], &secret[at + 1..]);
    let label = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    let in_path = |b: &u8| label(b) || matches!(b, b'/' | b'_');
    let last = host.rsplit(|b| *b == b'.').next().unwrap_or_default();
    host.contains(&b'.')
        && host.iter().all(label)
        && (2..=6).contains(&last.len())
        && last.iter().all(u8::is_ascii_lowercase)
        && path.len() >= 3
        && path.iter().all(in_path)
}

/// `SNMPv3`, `TLSv1.2`: capitals, `v`, and a small number.
fn is_protocol(secret: &[u8]) -> bool {
    let capitals = secret.iter().take_while(|b| b.is_ascii_uppercase()).count();
    let number = secret.get(capitals + 1..).unwrap_or_default();
    capitals >= 2
        && secret.get(capitals) == Some(&b'v')
        && (1..=4).contains(&number.len())
        && number.iter().all(|b| b.is_ascii_digit() || *b == b'.')
}

/// `2021-04-28`, `2021-04-28T10:51:19+00:00`, `2021/04/28`.
fn is_date(secret: &[u8]) -> bool {
    let form = b"0000-00-00";
    let Some((day, rest)) = secret.split_at_checked(form.len()) else {
        return false;
    };
    let fits = day.iter().zip(form).all(|(b, form)| match form {
        b'0' => b.is_ascii_digit(),
        _ => matches!(b, b'-' | b'/' | b'.'),
    });
    let clock = |b: &u8| {
        b.is_ascii_digit() || matches!(b, b':' | b'.' | b'+' | b'-' | b'Z' | b'T' | b't' | b'z')
    };
    fits && (rest.is_empty() || matches!(rest[0], b'T' | b't') && rest.iter().all(clock))
}

/// `unix:///run/app.sock`, `https://acme.io/reset`: a scheme and what it leads to. A password in it has a rule of its own.
fn is_address(secret: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(secret, b"://") else {
        return false;
    };
    let (scheme, rest) = (&secret[..at], &secret[at + 3..]);
    (2..=16).contains(&scheme.len())
        && scheme[0].is_ascii_alphabetic()
        && scheme
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        && !rest.contains(&b'@')
}

/// Whether it is a message that Fernet encrypted (version byte and the upper half of the time): as a
/// value it opens nothing.
#[must_use]
pub(super) fn is_ciphertext(secret: &[u8]) -> bool {
    secret.starts_with(b"gAAAAA")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_package_is_no_secret() {
        for text in ["github.com/acme/shop/v3/util/password", "k8s.io/api/v1"] {
            assert_eq!(
                other_sort(text.as_bytes()),
                Some("a path of a package"),
                "{text}"
            );
        }
        for text in ["q7.rv/9vB3nLd8", "q7rv/9vb3nld8", "a.b/c9d8e7f6"] {
            assert_eq!(other_sort(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_a_database_stores_is_a_hash() {
        assert!(is_hash(b"*94BDCEBE19083CE2A1F959FD02F964C7AF4CFC29"));
        assert!(is_hash(b"md5a3f1c29b7de045862f4e1a90b7c35d68"));
        assert!(is_hash(b"SCRAM-SHA-256$4096:c2FsdA==$a:b"));
        assert!(!is_hash(b"*94BDCEBE19083CE2"));
        assert!(!is_hash(b"md5a3f1c29b7"));
    }
}
