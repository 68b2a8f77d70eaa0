//! Content filters: what a match must pass, by its bytes alone, to be a finding.
//!
//! Cheapest first: placeholder shapes, required characters, entropy, words, checksum. Each gives a
//! [`Verdict`], and `--explain` prints the reasons.

pub mod checksum;
mod placeholder;
mod sort;
mod trivial;
mod words;

pub use words::Dictionary;

use crate::model::Confidence;
use crate::rule::{Rule, Words};

/// What a filter says of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing against it.
    Keep,
    /// No finding, and why.
    Drop(Reason),
}

/// Why a match is no finding.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It has the shape of a placeholder.
    Placeholder(&'static str),
    /// Less entropy than the rule asks for; both in hundredths of a bit per character.
    Entropy(u32, u32),
    /// A sort of character is missing.
    Characters,
    /// It is made of words.
    Words,
    /// Its check digits do not fit, or its structure does not parse.
    Checksum(String),
    /// A better match covers it.
    Overlaps(String),
    /// The companion that it needs is not near.
    Companion(String),
    /// It is the public half of another finding.
    PartOf(String),
    /// The rule does not apply to this path.
    Path,
    /// What follows is a call or a variable of program text, not a value.
    Expression,
    /// A comment accepts it.
    Comment(String),
    /// Only prefixes and key blocks count in binary files.
    Binary,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Placeholder(what) => write!(f, "placeholder: {what}"),
            Self::Entropy(has, needs) => write!(
                f,
                "entropy {}.{:02} is below {}.{:02} bits per character",
                has / 100,
                has % 100,
                needs / 100,
                needs % 100
            ),
            Self::Characters => f.write_str("lacks a sort of character that the rule requires"),
            Self::Words => f.write_str("made of plain words"),
            Self::Checksum(name) => write!(f, "checksum {name} does not fit"),
            Self::Overlaps(rule) => write!(f, "covered by {rule}"),
            Self::Companion(rule) => write!(f, "no {rule} near"),
            Self::PartOf(rule) => write!(f, "part of {rule}"),
            Self::Path => f.write_str("the rule does not apply to this path"),
            Self::Expression => f.write_str("program text, not a value"),
            Self::Comment(mark) => write!(f, "suppressed by {mark}"),
            Self::Binary => f.write_str("not a distinctive prefix, in a binary file"),
        }
    }
}

/// A rule's filters with its verifier looked up.
#[derive(Debug, Clone, Copy)]
pub struct Filters {
    verifier: Option<checksum::Verifier>,
}

/// What the filters found out about a match that they keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merit {
    /// Shannon entropy in bits per character.
    pub entropy: f32,
    /// Certainty from 0.0 to 1.0.
    pub score: f32,
    /// Whether check digits or structure prove it.
    pub proven: bool,
}

impl Filters {
    /// The filters of a rule; `None` where it names a checksum that does not exist.
    #[must_use]
    pub fn of(rule: &Rule) -> Option<Self> {
        let verifier = match &rule.spec().checksum {
            Some(name) => Some(checksum::by_name(name)?),
            None => None,
        };
        Some(Self { verifier })
    }

    /// Judges a match of `rule` by its secret.
    ///
    /// # Errors
    /// The reason why it is no finding.
    pub fn judge(
        self,
        rule: &Rule,
        secret: &[u8],
        dictionary: &Dictionary,
    ) -> Result<Merit, Reason> {
        let spec = rule.spec();
        let entropy = if secret.is_empty() {
            0.0
        } else {
            entropy::shannon_entropy(secret)
        };
        let is_block = spec.block.is_some();
        // Check digits that fit are no accident: a word in such a token is one, unless it was published.
        let fits = || {
            let fits = self.verifier.map(|verify| verify(secret));
            spec.prefixed && fits == Some(checksum::Check::Fits)
        };
        if spec.placeholder && !is_block {
            let body = spec
                .literals
                .iter()
                .find_map(|l| secret.strip_prefix(l.as_bytes()))
                .unwrap_or(secret);
            if let Some(what) = placeholder::shape(body)
                && !fits()
            {
                return Err(Reason::Placeholder(what));
            }
            if spec.words == Some(Words::Password) && trivial::is_trivial(secret) {
                return Err(Reason::Placeholder("a trivial word"));
            }
        }
        if spec.placeholder {
            if placeholder::is_published(secret) {
                return Err(Reason::Placeholder("a published value"));
            }
            if spec.words == Some(Words::Password) && sort::is_hash(secret) {
                return Err(Reason::Placeholder("a hash, not the password"));
            }
            if spec.generic && sort::is_ciphertext(secret) {
                return Err(Reason::Placeholder("an encrypted message"));
            }
            if spec.generic
                && let Some(what) = sort::other_sort(secret)
            {
                return Err(Reason::Placeholder(what));
            }
            if spec.checksum.as_deref() == Some("basic-auth")
                && stands_for_login(secret, dictionary)
            {
                return Err(Reason::Placeholder("a login that stands for one"));
            }
        }
        let is_hexadecimal = spec.generic
            && (words::is_hexadecimal_key(secret, entropy)
                || words::is_short_hexadecimal(secret, entropy));
        let is_random = rule.lacks_digits_alone(secret)
            && words::is_random_letters(secret, entropy, spec.generic, dictionary);
        if !rule.has_required(secret) && !is_random {
            return Err(Reason::Characters);
        }
        if let Some(least) = spec.entropy
            && entropy < least
            && !is_hexadecimal
        {
            return Err(Reason::Entropy(hundredths(entropy), hundredths(least)));
        }
        let mut score = spec.confidence.score();
        let encoded = spec.words.and_then(|_| encoded_text(secret));
        if let Some(text) = &encoded
            && (placeholder::shape(text).is_some()
                || trivial::is_trivial(text)
                || words::is_plain(text, dictionary))
        {
            return Err(Reason::Words);
        }
        match spec.words {
            Some(Words::Strict)
                if !is_random
                    && !is_hexadecimal
                    && (words::is_wordy(secret, dictionary)
                        || spec.generic && words::is_numbered(secret)) =>
            {
                return Err(Reason::Words);
            }
            Some(Words::Generated) if !words::is_token(secret, entropy, dictionary) => {
                return Err(Reason::Words);
            }
            Some(Words::Password) => {
                if words::is_plain(secret, dictionary) {
                    return Err(Reason::Words);
                }
                score *= words::password_weight(secret);
            }
            _ => {}
        }
        if spec.generic {
            let generated = match &encoded {
                Some(text) => words::is_mixed(text, dictionary),
                None => words::is_generated(secret, entropy, dictionary),
            };
            if generated {
                score *= GENERATED;
            }
        }
        let mut proven = false;
        if let Some(verify) = self.verifier {
            match verify(secret) {
                checksum::Check::Fits => {
                    proven = true;
                    score = score.max(Confidence::High.score()) + 0.08;
                }
                checksum::Check::Silent => {}
                checksum::Check::Fails => {
                    return Err(Reason::Checksum(
                        spec.checksum.as_deref().unwrap_or_default().to_owned(),
                    ));
                }
            }
        }
        Ok(Merit {
            entropy,
            score: score.min(1.0),
            proven,
        })
    }
}

/// What it is worth that a generic match looks made by a machine: enough to outweigh a test or a page
/// of documentation around it, too little to be certain anywhere.
const GENERATED: f32 = 1.3;

/// The text that base64 stands for, where it is printable.
fn encoded_text(secret: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine as _;
    if secret.len() < 8 || !secret.len().is_multiple_of(4) {
        return None;
    }
    let mut text = base64::engine::general_purpose::STANDARD
        .decode(secret)
        .ok()?;
    text.truncate(text.trim_ascii_end().len());
    (text.len() >= 4 && text.iter().all(|b| matches!(b, b' '..=b'~'))).then_some(text)
}

/// Whether `user:password` in base64 is what examples say in place of a login. A long user may be the key itself.
fn stands_for_login(secret: &[u8], dictionary: &Dictionary) -> bool {
    let Some(text) = encoded_text(secret) else {
        return false;
    };
    let Some(colon) = memchr::memchr(b':', &text) else {
        return false;
    };
    let (user, password) = (&text[..colon], &text[colon + 1..]);
    // A name without a password opens nothing.
    (user.len() < 20 || placeholder::shape(user).is_some())
        && (password.is_empty()
            || user == password
            || placeholder::shape(password).is_some()
            || trivial::is_trivial(password)
            || words::is_plain(password, dictionary))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "entropy is 0.0 to 8.0"
)]
fn hundredths(bits: f32) -> u32 {
    (bits * 100.0).round() as u32
}
