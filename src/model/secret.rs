//! Secrets that do not print themselves.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretSlice};

/// Bytes that must not be shown: `Debug` and `Display` give a public prefix and the length.
///
/// A secret that comes from a report has its redacted form, and bytes only where the report was written
/// to show them.
#[derive(Clone)]
pub struct Secret {
    bytes: Arc<SecretSlice<u8>>,
    public: Arc<str>,
    /// The redacted form that a report gave.
    form: Option<Arc<str>>,
}

impl Secret {
    /// Wraps the bytes; `public` is the rule's literal if the secret begins with it, else empty.
    #[must_use]
    pub fn new(bytes: &[u8], public: &str) -> Self {
        Self {
            bytes: Arc::new(SecretSlice::from(bytes.to_vec())),
            public: Arc::from(public),
            form: None,
        }
    }

    /// A secret that a report names by this redacted form; its bytes are not known.
    #[must_use]
    pub fn of_form(form: &str) -> Self {
        Self::reported(&[], form)
    }

    /// A secret of a report that shows the bytes beside the redacted form.
    #[must_use]
    pub fn reported(bytes: &[u8], form: &str) -> Self {
        Self {
            form: Some(Arc::from(form)),
            ..Self::new(bytes, "")
        }
    }

    /// Whether the bytes are known, and not the redacted form alone.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.form.is_none() || !self.is_empty()
    }

    /// The bytes in clear, none if they are not known; every caller says why it may.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.bytes.expose_secret()
    }

    /// Length in bytes.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "a length reveals nothing that `Display` does not"
    )]
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The redacted form, `ghp_… (40 bytes)`.
    #[must_use]
    pub fn redacted(&self) -> String {
        if let Some(form) = &self.form {
            return form.to_string();
        }
        let unit = if self.len() == 1 { "byte" } else { "bytes" };
        format!("{}… ({} {unit})", self.public, self.len())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

/// A secret with its named parts (user, host, key id), which are not secret by themselves but are
/// redacted with it. `Debug` shows the names of the parts alone: a session token is one, and so is what the user types.
#[derive(Clone)]
pub struct Credential {
    /// The secret itself.
    pub secret: Secret,
    /// Named parts, sorted by name.
    pub parts: Parts,
    /// What else may belong to the secret in place of these parts.
    pub rivals: Rivals,
}

/// Named parts of a credential, sorted by name.
pub type Parts = Vec<(String, String)>;

/// Parts that stand beside a secret as well, where its text does not say which are its: two key ids above one key.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rivals {
    /// Each in place of the credential's parts, the likeliest first.
    pub parts: Vec<Parts>,
    /// Why further ones may exist that are not among them, in words: a refusal of all of these proves nothing.
    pub unseen: Option<String>,
}

impl Rivals {
    /// Whether the parts are all that there is.
    #[must_use]
    pub fn are_none(&self) -> bool {
        self.parts.is_empty() && self.unseen.is_none()
    }
}

impl Credential {
    /// A secret with these parts, whatever else stands beside it.
    #[must_use]
    pub fn new(secret: Secret, parts: Parts) -> Self {
        Self {
            secret,
            parts,
            rivals: Rivals::default(),
        }
    }

    /// All parts that may be its, the likeliest first.
    pub fn choices(&self) -> impl Iterator<Item = &Parts> {
        std::iter::once(&self.parts).chain(&self.rivals.parts)
    }

    /// The same secret with certain parts.
    #[must_use]
    pub fn with(&self, parts: &Parts) -> Self {
        Self::new(self.secret.clone(), parts.clone())
    }

    /// The part of a name, unless it is empty.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&str> {
        let mut parts = self.parts.iter();
        let (_, value) = parts.find(|(known, _)| known == name)?;
        (!value.is_empty()).then_some(value)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.parts.iter().map(|(name, _)| &**name).collect();
        f.debug_struct("Credential")
            .field("secret", &self.secret)
            .field("parts", &names)
            .field("rivals", &self.rivals.parts.len())
            .finish()
    }
}

impl fmt::Debug for Rivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rivals")
            .field("parts", &self.parts.len())
            .field("unseen", &self.unseen)
            .finish()
    }
}
