//! Passwords that everybody uses in place of one.

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
    use super::is_trivial;

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
}
