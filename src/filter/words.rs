//! Words: what program text and prose are made of, and keys are not.
//!
//! `patterns/words/dictionary.txt` holds the words that most often make up identifiers and comments.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

static DICTIONARY: &str = include_str!("../../patterns/words/dictionary.txt");

/// The word list, built on the first generic match: many runs never need it.
#[derive(Debug, Default)]
pub struct Dictionary(OnceLock<Option<AhoCorasick>>);

impl Dictionary {
    fn words(&self) -> Option<&AhoCorasick> {
        self.0
            .get_or_init(|| {
                AhoCorasick::builder()
                    .match_kind(MatchKind::LeftmostLongest)
                    .kind(Some(AhoCorasickKind::ContiguousNFA))
                    .ascii_case_insensitive(true)
                    .build(DICTIONARY.lines())
                    .ok()
            })
            .as_ref()
    }

    /// Letters of the text that are covered by dictionary words, and all its letters.
    fn coverage(&self, text: &[u8]) -> (usize, usize) {
        let letters = text.iter().filter(|b| b.is_ascii_alphabetic()).count();
        let covered = self
            .words()
            .map_or(0, |d| d.find_iter(text).map(|m| m.len()).sum());
        (covered, letters)
    }
}

/// Whether a value reads as an identifier or as prose: for keys and tokens.
#[must_use]
pub(super) fn is_wordy(secret: &[u8], dictionary: &Dictionary) -> bool {
    let digits = secret.iter().filter(|b| b.is_ascii_digit()).count();
    if digits == 0 && secret.len() < 40 {
        return true; // a random base62 text of 20 has no digit once in 33, one of 40 once in a thousand
    }
    let (covered, letters) = dictionary.coverage(secret);
    letters == 0 || covered * 5 >= letters * 2
}

/// Whether it is shorter than keys are and has its figures at the end alone: `MyApiKey2024`.
#[must_use]
pub(super) fn is_numbered(secret: &[u8]) -> bool {
    let tail = secret.iter().rev().take_while(|b| b.is_ascii_digit());
    let body = &secret[..secret.len() - tail.count()];
    secret.len() < 16 && !body.iter().any(u8::is_ascii_digit)
}

/// Whether a password is a plain word or identifier, with nothing in it that a person would add.
#[must_use]
pub(super) fn is_plain(secret: &[u8], dictionary: &Dictionary) -> bool {
    let symbol = |b: &u8| {
        !b.is_ascii_alphanumeric()
            && !matches!(
                b,
                b'_' | b'-' | b'.' | b'/' | b':' | b'[' | b']' | b'(' | b')'
            )
    };
    let digits = secret.iter().filter(|b| b.is_ascii_digit()).count();
    if secret.iter().any(u8::is_ascii_whitespace) {
        return true;
    }
    // An option of a command line.
    if digits == 0 && secret.starts_with(b"--") {
        return true;
    }
    if is_prose(secret, digits) {
        return true;
    }
    // `forgot_password_clicked`: who chooses a password does not write what it is.
    if digits == 0 && !secret.iter().any(symbol) && names_itself(secret) {
        return true;
    }
    if digits == 0 && !secret.iter().any(symbol) {
        let (covered, letters) = dictionary.coverage(secret);
        return covered * 2 >= letters;
    }
    if is_member(secret) {
        return true;
    }
    // `user1`, `my_password_2`, `sha256`: words with a number behind.
    let body_end = secret
        .iter()
        .rposition(|b| !b.is_ascii_digit())
        .map_or(0, |i| i + 1);
    let (body, tail) = secret.split_at(body_end);
    let inner_digits = body.iter().filter(|b| b.is_ascii_digit()).count();
    if inner_digits == 0 && tail.len() <= 2 && !body.iter().any(symbol) {
        let (covered, letters) = dictionary.coverage(body);
        return covered * 4 >= letters * 3;
    }
    false
}

/// Whether it is a word or a sentence of a language that is written with more than ASCII: letters and nothing that a person adds to a
/// word to make it a password, or hardly a letter that is ASCII.
fn is_prose(text: &[u8], digits: usize) -> bool {
    let foreign = text.iter().filter(|b| !b.is_ascii()).count();
    let signs = text.iter().filter(|b| b.is_ascii_punctuation()).count();
    let inner = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
    let inner_signs = inner.iter().filter(|b| b.is_ascii_punctuation()).count();
    foreign > 0 && digits == 0 && inner_signs == 0
        || foreign > 4 * (digits + signs) && foreign * 4 > text.len() * 3
}

/// Whether one of the words stands in a text that say what a value is.
fn names_itself(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 6] = [
        b"password",
        b"passwd",
        b"passwort",
        b"passphrase",
        b"secret",
        b"credential",
    ];
    let lower = text.to_ascii_lowercase();
    let says = |word: &&[u8]| memchr::memmem::find(&lower, word).is_some();
    WORDS.iter().any(says)
}

/// Whether a value looks made by a machine: long, evenly spread, no words in it. A person who writes
/// an example seldom takes that trouble, so tests and prose speak less against it.
#[must_use]
pub(super) fn is_generated(secret: &[u8], entropy: f32, dictionary: &Dictionary) -> bool {
    let end = secret.iter().rposition(|b| *b != b'=').map_or(0, |i| i + 1);
    let body = &secret[..end];
    if !body
        .iter()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'_' | b'-'))
    {
        return false;
    }
    let count = |f: fn(&u8) -> bool| body.iter().filter(|b| f(b)).count();
    let (digits, upper, lower) = (
        count(u8::is_ascii_digit),
        count(u8::is_ascii_uppercase),
        count(u8::is_ascii_lowercase),
    );
    if digits > 0
        && digits < body.len()
        && body.iter().all(u8::is_ascii_hexdigit)
        && (upper == 0 || lower == 0)
    {
        return is_hexadecimal_key(body, entropy);
    }
    let (covered, letters) = dictionary.coverage(body);
    if covered * 5 >= letters * 2 {
        return false;
    }
    if digits > 0 && upper > 1 && lower > 1 {
        return body.len() >= 22 && entropy >= 3.9;
    }
    let run = body
        .split(|b| !b.is_ascii_alphanumeric())
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0);
    digits >= 3 && run >= 28 && entropy >= 3.5
}

/// Whether a value that no name makes a secret is one that a machine made: 20 characters and more, either hexadecimal or
/// letters and digits spread evenly, hardly a word among them. A user or an organisation is called otherwise.
#[must_use]
pub(super) fn is_token(secret: &[u8], entropy: f32, dictionary: &Dictionary) -> bool {
    let length = u16::try_from(secret.len()).unwrap_or(u16::MAX);
    let count = |sort: fn(&u8) -> bool| secret.iter().filter(|b| sort(b)).count();
    let digits = count(u8::is_ascii_digit);
    let is_mixed = count(u8::is_ascii_uppercase) >= 2 && count(u8::is_ascii_lowercase) >= 2;
    let is_spread = length >= 20
        && digits >= if is_mixed { 1 } else { 3 }
        && entropy >= 0.81 * f32::from(length.min(64)).log2();
    let (covered, letters) = dictionary.coverage(secret);
    is_hexadecimal_key(secret, entropy)
        || is_short_hexadecimal(secret, entropy)
        || is_spread && covered * 5 < letters * 2
}

/// Whether it is 32 hexadecimal digits or more, spread as evenly as all but one in 8,000 random ones.
pub(super) fn is_hexadecimal_key(secret: &[u8], entropy: f32) -> bool {
    secret.len() >= 32 && entropy >= 3.0 && secret.iter().all(u8::is_ascii_hexdigit)
}

/// Whether it is 16 to 31 hexadecimal digits, figures and letters of one case among them, spread as evenly as all but one in two hundred
/// random ones of that length.
pub(super) fn is_short_hexadecimal(secret: &[u8], entropy: f32) -> bool {
    let has = |sort: fn(&u8) -> bool| secret.iter().any(sort);
    let length = u16::try_from(secret.len()).unwrap_or(u16::MAX);
    (16..32).contains(&length)
        && secret.iter().all(u8::is_ascii_hexdigit)
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_uppercase) != has(u8::is_ascii_lowercase)
        && entropy >= 0.645 * f32::from(length).log2()
}

/// Whether a value without a digit is a key all the same, not a long name in capitals and small letters: a random base64
/// text of 40 has no digit once in 900, one of 20 once in 35. Its letters are spread as evenly as all but one in two
/// hundred random texts of its length, and few of them are words. Where a name alone makes it a secret (`is_generic`), the
/// capitals must also stand as they do in no camelCase: beside each other, and around a single small letter.
#[must_use]
pub(super) fn is_random_letters(
    secret: &[u8],
    entropy: f32,
    is_generic: bool,
    dictionary: &Dictionary,
) -> bool {
    let length = u16::try_from(secret.len()).unwrap_or(u16::MAX);
    let least = if is_generic { 20 } else { 32 };
    let has = |sort: fn(&u8) -> bool| secret.iter().any(sort);
    if length < least
        || entropy < 0.81 * f32::from(length).log2()
        || !(has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase))
    {
        return false;
    }
    if is_generic {
        let upper = |b: &u8| b.is_ascii_uppercase();
        let pairs = secret.windows(2).filter(|w| w.iter().all(upper)).count();
        let lone = |w: &[u8]| upper(&w[0]) && w[1].is_ascii_lowercase() && upper(&w[2]);
        if pairs * 10 < secret.len() || !secret.windows(3).any(lone) {
            return false;
        }
    }
    let (covered, letters) = dictionary.coverage(secret);
    covered * 4 < letters
}

/// Whether a text that stood in base64 is a generated password: all sorts of letter mixed, no words.
#[must_use]
pub(super) fn is_mixed(text: &[u8], dictionary: &Dictionary) -> bool {
    let Some((_, behind)) = text.split_first() else {
        return false;
    };
    let inner = behind
        .get(..behind.len().saturating_sub(1))
        .unwrap_or_default();
    text.len() >= 10
        && inner.iter().any(u8::is_ascii_digit)
        && inner.iter().filter(|b| b.is_ascii_uppercase()).count() >= 2
        && inner.iter().any(u8::is_ascii_lowercase)
        && dictionary.coverage(text).0 == 0
}

/// A member of a package: four names and more, joined by dots.
fn is_member(text: &[u8]) -> bool {
    let named = |name: &[u8]| {
        name.len() >= 2
            && name[0].is_ascii_alphabetic()
            && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
    };
    text.split(|b| *b == b'.').count() >= 4 && text.split(|b| matches!(b, b'.' | b'#')).all(named)
}

/// How much a password's make-up speaks for it, as a factor on the score.
#[must_use]
pub(super) fn password_weight(secret: &[u8]) -> f32 {
    let has = |f: fn(&u8) -> bool| u8::from(secret.iter().any(f));
    let sorts = has(u8::is_ascii_digit)
        + has(u8::is_ascii_uppercase)
        + has(u8::is_ascii_lowercase)
        + u8::from(
            secret
                .iter()
                .any(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'_' | b'-' | b'.')),
        );
    let letters = secret.iter().all(u8::is_ascii_alphabetic);
    match (sorts, secret.len()) {
        (0..=1, 0..=11) => 0.7,
        (_, 0..=5) => 0.6,
        (_, 0..=11) if letters => 0.7,
        (2, 0..=9) => 0.8,
        _ => 1.0,
    }
}
