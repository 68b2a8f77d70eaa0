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
