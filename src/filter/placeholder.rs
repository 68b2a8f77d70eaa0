//! Values that stand for a secret instead of being one.

/// The shape of a placeholder that the bytes have, if any.
#[must_use]
pub(super) fn shape(secret: &[u8]) -> Option<&'static str> {
    if secret.is_empty() {
        return Some("empty");
    }
    if is_reference(secret) {
        return Some("a variable or template");
    }
    if has_long_run(secret) {
        return Some("one character repeated");
    }
    if has_sequence(secret) {
        return Some("a sequence");
    }
    if is_periodic(secret) {
        return Some("a repeated text");
    }
    let lower = secret.to_ascii_lowercase();
    let says = |word: &&str| memchr::memmem::find(&lower, word.as_bytes()).is_some();
    if TELLING.iter().any(says) || says_fake(secret, &lower) || has_crosses(secret) {
        return Some("says so itself");
    }
    None
}

/// Whether it says fake; where digits and letters of both cases are mixed, only `fake`, `Fake` or `FAKE` that begins a
/// word. Four letters in whatever case stand in one random key of a hundred characters in 10,000: too many would be lost.
fn says_fake(secret: &[u8], lower: &[u8]) -> bool {
    let has = |sort: fn(&u8) -> bool| secret.iter().any(sort);
    if memchr::memmem::find(lower, b"fake").is_none() {
        return false;
    }
    if !(has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)) {
        return true;
    }
    let begins = |at: usize, is_inside: fn(&u8) -> bool| {
        at.checked_sub(1)
            .is_none_or(|before| !is_inside(&secret[before]))
    };
    let any = |word: &[u8], is_inside: fn(&u8) -> bool| {
        memchr::memmem::find_iter(secret, word).any(|at| begins(at, is_inside))
    };
    any(b"fake", u8::is_ascii_lowercase)
        || any(b"FAKE", u8::is_ascii_uppercase)
        || any(b"Fake", |_| false)
}

/// Whether four crosses stand in a row, all small or all capitals, or six of both.
fn has_crosses(secret: &[u8]) -> bool {
    let (mut run, mut alike) = (0, 0);
    let mut before = 0;
    secret.iter().any(|b| {
        let is_cross = b.eq_ignore_ascii_case(&b'x');
        run = if is_cross { run + 1 } else { 0 };
        alike = match (is_cross, *b == before) {
            (true, true) => alike + 1,
            (true, false) => 1,
            (false, _) => 0,
        };
        before = *b;
        run >= 6 || alike >= 4
    })
}

/// Words that a generated key holds by chance once in millions, and a placeholder often.
const TELLING: [&str; 29] = [
    "example",
    "your-",
    "your_",
    "yourkey",
    "yourtoken",
    "yourapi",
    "yoursecret",
    "placeholder",
    "changeme",
    "change-me",
    "change_me",
    "change.me",
    "replaceme",
    "replace-",
    "replace_",
    "insert-",
    "insert_",
    "redacted",
    "dummy",
    "notreal",
    "not-real",
    "not_real",
    "sample",
    "thisis",
    "secret_here",
    "token_here",
    "key_here",
    "-here",
    "invalid",
];

/// `${X}`, `$X`, `{{ x }}`, `<x>`, `%(x)s`, `%s`, `#{x}`, `$(x)`, `@x@`, `[x]`.
fn is_reference(secret: &[u8]) -> bool {
    /// Where others keep it: Vault by bank-vaults, 1Password, environment, parameter stores.
    const ELSEWHERE: [&[u8]; 9] = [
        b"vault:",
        b"op://",
        b"env:",
        b"@env:",
        b"env(",
        b"ssm:",
        b"sops:",
        b"file:",
        b"secretsmanager:",
    ];
    let identifier = |bytes: &[u8]| {
        !bytes.is_empty()
            && bytes
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b':'))
    };
    let inside = |open: &[u8], close: &[u8]| secret.starts_with(open) && secret.ends_with(close);
    let holds = |mark: &[u8]| memchr::memmem::find(secret, mark).is_some();
    ELSEWHERE.iter().any(|prefix| secret.starts_with(prefix))
        || [b".yml#/".as_slice(), b".yaml#/", b".json#/"]
            .iter()
            .any(|pointer| holds(pointer))
        || holds(b"${")
        || holds(b"{{")
        || holds(b"#{")
        || holds(b"$(")
        || holds(b"%(")
        || holds(b"<%")
        || has_template_part(secret)
        || is_cut_short(secret)
        || holds("…".as_bytes())
        || inside(b"<", b">")
        || inside(b"{", b"}")
        || inside(b"[", b"]")
        || [b"%", b"@"].iter().any(|mark| {
            let inner = secret.strip_prefix(*mark);
            inner
                .and_then(|inner| inner.strip_suffix(*mark))
                .is_some_and(identifier)
        })
        || inside(b"__", b"__")
        || secret.strip_prefix(b"$").is_some_and(|rest| {
            identifier(rest)
                && (rest.first().is_some_and(u8::is_ascii_alphabetic) || rest.len() == 1)
                && !rest.iter().any(u8::is_ascii_digit)
        })
        || matches!(secret, b"%s" | b"%d" | b"%v" | b"%@" | b"?" | b"*")
        || secret
            .iter()
            .all(|b| matches!(b, b'*' | b'.' | b'-' | b'_' | b'#' | b'?'))
}

/// Whether a name in capitals or a UUID stands in braces: `_SA_{262E99C9-…}`, `acme-{ACCOUNT_NAME}-1`.
fn has_template_part(secret: &[u8]) -> bool {
    let is_name = |part: &[u8]| {
        part.len() >= 3
            && part[0].is_ascii_uppercase()
            && part.iter().all(|b| b.is_ascii_uppercase() || *b == b'_')
    };
    let is_uuid = |part: &[u8]| {
        part.len() == 36
            && part.iter().enumerate().all(|(at, b)| match at {
                8 | 13 | 18 | 23 => *b == b'-',
                _ => b.is_ascii_hexdigit(),
            })
    };
    memchr::memchr_iter(b'{', secret).any(|open| {
        let rest = &secret[open + 1..];
        memchr::memchr(b'}', rest).is_some_and(|end| is_name(&rest[..end]) || is_uuid(&rest[..end]))
    })
}

/// Whether dots stand for what was left out. Keys of some kinds hold dots, three in a row once in 4,000.
fn is_cut_short(secret: &[u8]) -> bool {
    secret.starts_with(b"...")
        || secret.ends_with(b"...")
        || secret.len() < 32 && memchr::memmem::find(secret, b"...").is_some()
}

/// One character eight times in a row, or for half of the value.
fn has_long_run(secret: &[u8]) -> bool {
    let limit = (secret.len() / 2).clamp(4, 8);
    let mut run = 1;
    for pair in secret.windows(2) {
        run = if pair[0] == pair[1] { run + 1 } else { 1 };
        if run >= limit {
            return true;
        }
    }
    false
}

/// Neighbours that count up or down, as in `12345678` or `abcdefgh`, eight long or for most of the value.
fn has_sequence(secret: &[u8]) -> bool {
    let limit = (secret.len() * 2 / 3).clamp(5, 8);
    for step in [1i16, -1] {
        let mut run = 1;
        for pair in secret.windows(2) {
            let (a, b) = (pair[0].to_ascii_lowercase(), pair[1].to_ascii_lowercase());
            let wraps = (step == 1 && a == b'9' && matches!(b, b'0' | b'a'))
                || (step == -1 && a == b'0' && b == b'9');
            let follows =
                a.is_ascii_alphanumeric() && (i16::from(b) - i16::from(a) == step || wraps);
            run = if follows { run + 1 } else { 1 };
            if run >= limit {
                return true;
            }
        }
    }
    false
}

/// A text of up to eight bytes (or a third of the value) written over and over.
fn is_periodic(secret: &[u8]) -> bool {
    secret.len() >= 6
        && (1..=(secret.len() / 3).min(16)).any(|period| {
            secret
                .iter()
                .zip(secret.iter().skip(period))
                .all(|(a, b)| a == b)
        })
}

/// Whether a password is made of nothing but words that everybody uses in place of one, also with
/// digits for letters (`p4ssw0rd`), with escapes of URLs, and with a URL's options behind.
#[must_use]
pub(super) fn is_trivial(secret: &[u8]) -> bool {
    const SIGNS: [(u8, u8); 3] = [(b'@', b'a'), (b'0', b'o'), (b'$', b's')];
    const DIGITS: [(u8, u8); 5] = [
        (b'1', b'i'),
        (b'3', b'e'),
        (b'4', b'a'),
        (b'5', b's'),
        (b'7', b't'),
    ];
    let text = unescaped(without_option(secret)).to_ascii_lowercase();
    let read_as = |table: &[(u8, u8)]| -> Vec<u8> {
        text.iter()
            .map(|b| {
                table
                    .iter()
                    .find(|(from, _)| from == b)
                    .map_or(*b, |(_, to)| *to)
            })
            .collect()
    };
    let signs = read_as(&SIGNS);
    let both: Vec<(u8, u8)> = SIGNS.iter().chain(&DIGITS).copied().collect();
    all_trivial(&signs) || all_trivial(&read_as(&both))
}

fn all_trivial(text: &[u8]) -> bool {
    let mut words = text
        .split(|b| !b.is_ascii_alphabetic())
        .filter(|w| !w.is_empty())
        .peekable();
    if words.peek().is_none() {
        // Digits and signs alone: a number of fewer than six, or a sequence, is a stand-in.
        return text.len() < 6;
    }
    let digits = text.iter().filter(|b| b.is_ascii_digit()).count();
    let counted = b"1234567890".starts_with(&text[text.len() - digits..]);
    // Letters that stand alone between signs and digits are no words, however many.
    let is_scattered = text.len() >= 8
        && text
            .split(|b| !b.is_ascii_alphabetic())
            .all(|run| run.len() < 2);
    let few_digits = digits <= 4 || counted;
    let letters: Vec<u8> = text
        .iter()
        .copied()
        .filter(u8::is_ascii_alphabetic)
        .collect();
    // `pa:ss`: a word with a sign in it.
    let is_cut =
        || text.len() == letters.len() + 1 && TRIVIAL.iter().any(|word| word.as_bytes() == letters);
    (words.all(made_of_trivial) && few_digits && !is_scattered) || is_cut()
}

/// A password of a URL without the option that mail and file URLs allow behind it: `;auth=NTLM`.
fn without_option(secret: &[u8]) -> &[u8] {
    let Some(at) = memchr::memchr(b';', secret) else {
        return secret;
    };
    let (head, option) = (&secret[..at], &secret[at + 1..]);
    let name = option
        .iter()
        .take_while(|b| b.is_ascii_alphabetic())
        .count();
    let value = option.get(name + 1..).unwrap_or_default();
    let is_option = name > 0
        && (name == option.len()
            || option[name] == b'='
                && value
                    .iter()
                    .all(|b| b.is_ascii_alphanumeric() || *b == b'*'));
    if is_option && head.len() >= 3 {
        head
    } else {
        secret
    }
}

/// With `@` in place of `%40`.
fn unescaped(secret: &[u8]) -> Vec<u8> {
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut out = Vec::with_capacity(secret.len());
    let mut rest = secret;
    while let Some((first, tail)) = rest.split_first() {
        let escaped = match rest {
            [b'%', a, b, behind @ ..] => digit(*a).zip(digit(*b)).map(|pair| (pair, behind)),
            _ => None,
        };
        let (byte, behind) = match escaped {
            Some(((high, low), behind)) => (high << 4 | low, behind),
            None => (*first, tail),
        };
        out.push(byte);
        rest = behind;
    }
    out
}

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

/// Whether it is a value that a vendor publishes for everybody: the key of an emulator or of a page of documentation.
///
/// Only the first eight bytes of each value's SHA-256 are kept here.
#[must_use]
pub(super) fn is_published(secret: &[u8]) -> bool {
    use sha2::{Digest, Sha256};
    if secret.len() < 16 || secret.len() > 400 {
        return false;
    }
    let digest = Sha256::digest(secret);
    PUBLISHED
        .iter()
        .any(|known| digest.starts_with(&known.to_be_bytes()))
}

const PUBLISHED: [u64; 9] = [
    0x0011_cc25_eb43_2071, // Azurite and the Azure storage emulator
    0xaa65_4743_9583_c3a2, // the Azure Cosmos DB emulator
    0xbf17_25a8_f98b_ea37, // Supabase on a developer's machine: anon
    0x7054_1e07_fd4f_900b, // the same: service_role
    0xa064_b502_e61d_27e9, // the same: JWT secret
    0x7f75_367e_7881_2551, // the sample token of jwt.io
    0x2caf_c097_0149_a84f, // Stripe's documentation: secret
    0xb147_1f54_4cee_ea31, // the same: publishable
    0xbc1a_5096_6c9e_6486, // Hardhat and Anvil: first account
];
/// Whether a run of letters can be cut into trivial words, at most one of which is a single letter; or is one letter,
/// repeated or not. Of single letters alone, a random password would be made as often as not.
fn made_of_trivial(word: &[u8]) -> bool {
    const NEVER: usize = 2;
    if word.iter().all(|b| *b == word[0]) {
        return TRIVIAL
            .iter()
            .any(|trivial| word.starts_with(trivial.as_bytes()));
    }
    // The fewest single letters that a cut up to here needs.
    let mut singles = vec![NEVER; word.len() + 1];
    singles[0] = 0;
    for at in 0..word.len() {
        if singles[at] >= NEVER {
            continue;
        }
        for trivial in TRIVIAL {
            if word[at..].starts_with(trivial.as_bytes()) {
                let needs = singles[at] + usize::from(trivial.len() == 1);
                let known = &mut singles[at + trivial.len()];
                *known = needs.min(*known);
            }
        }
    }
    singles[word.len()] < NEVER
}

/// Words that stand where a password would.
const TRIVIAL: [&str; 131] = [
    "a",
    "abc",
    "abcd",
    "abcde",
    "abcdef",
    "access",
    "account",
    "admin",
    "administrator",
    "an",
    "anonymous",
    "any",
    "api",
    "app",
    "auth",
    "b",
    "bar",
    "baz",
    "blah",
    "c",
    "changed",
    "changeit",
    "changeme",
    "client",
    "correct",
    "credential",
    "credentials",
    "custom",
    "d",
    "db",
    "default",
    "demo",
    "dev",
    "dummy",
    "e",
    "empty",
    "enter",
    "example",
    "f",
    "fake",
    "false",
    "foo",
    "foobar",
    "guest",
    "hello",
    "here",
    "hidden",
    "host",
    "id",
    "incorrect",
    "insecure",
    "invalid",
    "is",
    "joe",
    "key",
    "letmein",
    "login",
    "me",
    "mock",
    "my",
    "mysecret",
    "name",
    "new",
    "newpass",
    "nil",
    "no",
    "none",
    "not",
    "null",
    "old",
    "one",
    "option",
    "optional",
    "options",
    "p",
    "pass",
    "passphrase",
    "passw",
    "passwd",
    "password",
    "passwords",
    "passwort",
    "placeholder",
    "pswd",
    "pw",
    "pwd",
    "qwerty",
    "real",
    "really",
    "redacted",
    "required",
    "right",
    "root",
    "s",
    "sa",
    "sample",
    "secret",
    "secrets",
    "secure",
    "sekret",
    "server",
    "some",
    "something",
    "string",
    "strong",
    "super",
    "system",
    "t",
    "temp",
    "test",
    "tester",
    "testing",
    "tests",
    "the",
    "this",
    "three",
    "tmp",
    "token",
    "top",
    "true",
    "two",
    "undefined",
    "user",
    "username",
    "value",
    "very",
    "word",
    "wrong",
    "x",
    "yes",
    "your",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_fake_is_no_key() {
        for text in [
            "myfakepassword",
            "my-fake-Password1",
            "thisIsAFakeKey1",
            "FAKEKEY01rtvnpwz",
            "fakeKey123",
            "0fake0fake0fakeA",
            "sk_FAKE_1a",
        ] {
            assert_eq!(shape(text.as_bytes()), Some("says so itself"), "{text}");
        }
        for text in [
            "q7RfAkE9vB3nLd81Wz",
            "q7Rpfake9vB3nLd81Wz",
            "q7PFAKE9vb3nLd81Wz",
        ] {
            assert_eq!(shape(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn crosses_stand_for_a_key_where_they_are_alike_or_many() {
        for text in ["q7Rxxxx9vB3n", "XXXX9vB3nLd8", "q7Rv9vB3xxXXxX"] {
            assert_eq!(shape(text.as_bytes()), Some("says so itself"), "{text}");
        }
        assert_eq!(shape(b"q7RxXxX9vB3nLd81Wz"), None);
    }

    #[test]
    fn a_name_in_braces_is_put_in_later() {
        for text in [
            "_SA_{262E99C9-6160-4871-ACEC-4E61736B6F21}",
            "acme-{ACCOUNT_NAME}-1",
            "{{x{DAY}9",
        ] {
            assert!(shape(text.as_bytes()).is_some(), "{text}");
        }
        for text in [
            "q7{Rv}9vB3",
            "q7{A}9vB3nL",
            "q7{RV9}vB3nL",
            "q7}RVX{9vB3",
            "q7{RVX9vB3",
        ] {
            assert_eq!(shape(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn dots_stand_for_what_is_left_out() {
        for text in [
            "q7Rv...Ld81",
            "...Ld81Wz",
            "q7Rv9vB3nLd81WzT5kM2pXcY6hJ4sGf...",
        ] {
            assert_eq!(
                shape(text.as_bytes()),
                Some("a variable or template"),
                "{text}"
            );
        }
        assert_eq!(shape(b"q7Rv9vB3nLd8...zT5kM2pXcY6hJ4sGf8d"), None);
    }

    #[test]
    fn trivial_passwords_are_made_of_words_not_of_letters() {
        for text in [
            "mypassword1",
            "p4ssw0rd",
            "test-a-secret",
            "xxxxxx",
            "aaa",
            "apassword",
            "a-b",
            "abc123",
            "pa%3Ass",
            "P%40ssw0rd%21",
        ] {
            assert!(is_trivial(text.as_bytes()), "{text}");
        }
        for text in [
            "A8c6?spCt_aFX8",
            "fas^-XdIs7fB&s",
            "c6?s_a-t8+x",
            "xxc1=-ebaF?PEF",
        ] {
            assert!(!is_trivial(text.as_bytes()), "{text}");
        }
    }

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

    #[test]
    fn signs_around_a_name_make_a_variable() {
        for text in ["%DB_PASSWORD%", "@maven.password@"] {
            assert_eq!(
                shape(text.as_bytes()),
                Some("a variable or template"),
                "{text}"
            );
        }
        for text in ["%sDql3^#Dx49:%", "@L3^z.ARac2u!@"] {
            assert_eq!(shape(text.as_bytes()), None, "{text}");
        }
    }
}
