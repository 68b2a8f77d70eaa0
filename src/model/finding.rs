//! What the scanner found, and where.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{Checked, Credential, History, Oid, Origin, Secret};

/// How bad a leak of this kind is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Public by design, or of little use alone.
    Low,
    /// Of limited reach.
    Medium,
    /// Opens an account or a service.
    High,
    /// Opens everything behind it.
    Critical,
}

impl Severity {
    /// All of them, most severe first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Medium, Self::Low];

    /// The word that reports use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How sure the scanner is that the text is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Shown only on request.
    Low,
    /// More likely than not.
    Medium,
    /// Proven by structure.
    High,
}

impl Confidence {
    /// The word that reports use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// The level of a score between 0.0 and 1.0.
    #[must_use]
    pub fn of_score(score: f32) -> Self {
        if score >= 0.8 {
            Self::High
        } else if score >= 0.5 {
            Self::Medium
        } else {
            Self::Low
        }
    }

    /// The score that the level alone is worth.
    #[must_use]
    pub fn score(self) -> f32 {
        match self {
            Self::Low => 0.3,
            Self::Medium => 0.6,
            Self::High => 0.9,
        }
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Half-open byte range from the start of the blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

/// A place in a text: line and column count from 1, the column in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in bytes, from 1.
    pub column: u32,
}

/// How the text at a place was encoded, outermost first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decoding {
    /// RFC 4648 base64, standard or URL alphabet.
    Base64,
    /// Pairs of hexadecimal digits.
    Hex,
    /// `%41` of URLs.
    Percent,
    /// `\u0041`, `\x41` and the like.
    Escape,
    /// `&#65;` and named entities.
    Html,
    /// UTF-16, either byte order.
    Utf16,
    /// `=3D` of quoted-printable mail.
    Quoted,
    /// Colours and other sequences for a terminal in between.
    Terminal,
}

impl Decoding {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Base64,
        Self::Hex,
        Self::Percent,
        Self::Escape,
        Self::Html,
        Self::Utf16,
        Self::Quoted,
        Self::Terminal,
    ];

    /// The word that reports use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Hex => "hex",
            Self::Percent => "percent",
            Self::Escape => "escape",
            Self::Html => "html",
            Self::Utf16 => "utf-16",
            Self::Quoted => "quoted-printable",
            Self::Terminal => "terminal",
        }
    }
}

/// Identity of a secret of one rule across runs: 128 bits of a keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    /// HMAC-SHA-256 of rule and secret under the salt, its first 128 bits.
    #[must_use]
    pub fn of(rule: &str, secret: &[u8], salt: &[u8]) -> Self {
        let mut print = [0u8; 16];
        // HMAC takes a key of any length: there is no error to meet.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(salt) {
            mac.update(rule.as_bytes());
            mac.update(&[0]);
            mac.update(secret);
            for (to, from) in print.iter_mut().zip(mac.finalize().into_bytes()) {
                *to = from;
            }
        }
        Self(print)
    }

    /// Reads 32 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 32 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let mut print = [0u8; 16];
        for (to, from) in print.iter_mut().zip(digits.chunks(2)) {
            *to = u8::from_str_radix(std::str::from_utf8(from).ok()?, 16).ok()?;
        }
        Some(Self(print))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// The lines around a place, in clear until a report redacts them.
#[derive(Debug, Clone)]
pub struct Snippet {
    /// The text of the line, or of a part of it where it is long.
    pub text: Secret,
    /// The secret in it, byte offsets into `text`.
    pub secret: (usize, usize),
    /// The whole of the encoded text that the secret was decoded from, of which `text` may hold a
    /// part; `None` where the secret stands in plain.
    pub encoded: Option<Secret>,
    /// What the rule's pattern matched on the line, byte offsets into `text`; the secret alone where that is not known.
    pub matched: (usize, usize),
    /// What else of `text` no report shows, byte offsets: other matches, also dropped ones; one of these ranges may hold the
    /// secret with what is glued to it and may belong to it.
    pub hidden: Vec<(usize, usize)>,
    /// The whole of the lines that the match stands on, of which `text` holds a part; `None` where it holds all, or where
    /// they are very long. No report shows it.
    pub line: Option<Secret>,
    /// What a report says of the line, where the place was read from one: its text is redacted, so
    /// that columns cannot be counted in it.
    pub told: Option<Told>,
}

/// What a report says of a place's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Columns of the secret's start and end in code points, from 1, the end exclusive.
    pub columns: (u32, u32),
    /// Whether the text begins in the middle of the line.
    pub is_cut: bool,
}

/// What a credential opens, as far as the text says it: `host`, `database`, `bucket`, `account`, `user`.
pub type Opens = Vec<(String, String)>;

/// Where a finding stands.
#[derive(Debug, Clone)]
pub struct Place {
    /// Path relative to the scanned root, `/` between names, bytes as the file system has them.
    pub path: Vec<u8>,
    /// Start of the secret.
    pub start: Position,
    /// End of the secret, exclusive.
    pub end: Position,
    /// Bytes of the secret (or of the encoded text that holds it) in its blob.
    pub span: Span,
    /// The line that holds it.
    pub snippet: Snippet,
    /// How it was encoded there, outermost first; empty for plain text.
    pub decoded_from: Vec<Decoding>,
    /// Certainty at this place, 0.0 to 1.0.
    pub score: f32,
    /// Why the place does not count, if it does not.
    pub dropped: Option<String>,
    /// What holds it.
    pub origin: Origin,
    /// The git object that holds it, in history.
    pub blob: Option<Oid>,
    /// The commit that brought it to this path, in history.
    pub commit: Option<Oid>,
    /// What would suppress it, had it not expired.
    pub lapsed: Option<String>,
    /// The better matches that it yields to, where it would count without them.
    pub covered: Option<Box<Covered>>,
}

impl Place {
    /// Takes away the covers that do not hold; without any the place is judged by itself.
    pub fn uncover(&mut self, holds: impl FnMut(&Cover) -> bool) {
        let Some(covered) = &mut self.covered else {
            return;
        };
        covered.by.retain(holds);
        if covered.by.is_empty() {
            self.dropped = covered.mark.take();
            self.covered = None;
        }
    }
}

/// What covers a place that would count alone.
#[derive(Debug, Clone)]
pub struct Covered {
    /// The better matches; one at least.
    pub by: Vec<Cover>,
    /// Why the place does not count even alone: a comment accepts it.
    pub mark: Option<String>,
}

/// A match that wins over another one at its place.
#[derive(Debug, Clone)]
pub struct Cover {
    /// Its rule's id.
    pub rule: String,
    /// Its secret.
    pub secret: Secret,
    /// The fingerprint of the two.
    pub fingerprint: Fingerprint,
    /// All that its rule's pattern matched, as it stands in the file.
    pub matched: Secret,
    /// Whether nothing of the other's secret lies outside of its own.
    pub is_whole: bool,
    /// Whether a comment accepts it.
    pub is_marked: bool,
}

/// One secret of one rule, with every place that holds it.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule's id.
    pub rule: String,
    /// The rule's title.
    pub name: String,
    /// The provider's name.
    pub provider: String,
    /// Severity of the kind.
    pub severity: Severity,
    /// Certainty at the best place, 0.0 to 1.0.
    pub score: f32,
    /// The secret and its parts.
    pub credential: Credential,
    /// Shannon entropy in bits per character.
    pub entropy: f32,
    /// Identity across runs.
    pub fingerprint: Fingerprint,
    /// Where it stands, sorted.
    pub places: Vec<Place>,
    /// What git's history says of it, where that was scanned.
    pub history: Option<History>,
    /// What it opens.
    pub opens: Opens,
    /// Who owns the files that hold it, as CODEOWNERS says.
    pub owners: Vec<String>,
    /// What the owner does next.
    pub remedy: String,
    /// The vendor's page for it, or empty.
    pub console: String,
    /// The vendor's page that defines the kind, or empty.
    pub link: String,
    /// What its provider says of it, where it was asked.
    pub verification: Option<Checked>,
}

impl Finding {
    /// The level of the score.
    #[must_use]
    pub fn confidence(&self) -> Confidence {
        Confidence::of_score(self.score)
    }
}
