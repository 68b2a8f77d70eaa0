//! Secrets that do not print themselves.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretSlice};

/// Bytes that must not be shown: `Debug` and `Display` give a public prefix and the length.
#[derive(Clone)]
pub struct Secret {
    bytes: Arc<SecretSlice<u8>>,
    public: Arc<str>,
}

impl Secret {
    /// Wraps the bytes; `public` is the rule's literal if the secret begins with it, else empty.
    #[must_use]
    pub fn new(bytes: &[u8], public: &str) -> Self {
        Self {
            bytes: Arc::new(SecretSlice::from(bytes.to_vec())),
            public: Arc::from(public),
        }
    }

    /// The bytes in clear; every caller says why it may.
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
/// redacted with it.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The secret itself.
    pub secret: Secret,
    /// Named parts, sorted by name.
    pub parts: Vec<(String, String)>,
}
