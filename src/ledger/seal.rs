//! Keys: the key-encryption key, what is derived from it, and secrets sealed under it.

use std::path::Path;

use zeroize::Zeroizing;

use super::Error;

/// The key-encryption key: 32 bytes, kept apart from the ledger where somebody cares.
pub struct Kek {
    bytes: Zeroizing<[u8; 32]>,
    /// Where it came from, for messages.
    from: String,
}

impl Kek {
    /// Reads the key from a file of its owner's alone; with `create` a new one is made where there is none.
    ///
    /// # Errors
    /// [`Error::Key`] where it is missing, malformed, or may be read by others.
    pub fn from_file(path: &Path, create: bool) -> Result<Self, Error> {
        todo!()
    }

    /// The key from text that the caller has from somewhere: 32 bytes in base64. `from` says where, for messages.
    ///
    /// # Errors
    /// [`Error::Key`] where it is malformed.
    pub fn of_text(text: &str, from: &str) -> Result<Self, Error> {
        todo!()
    }
}
