//! Private keys of OpenSSH.

use super::block::{Block, body_bytes, first_block, on_block};
use super::fact::printable;
use super::read::Reader;
use super::{Check, Facts, fits_or_fails};

/// OpenSSH keys: the container parses to its end, and where it is open its two check numbers agree.
///
/// <https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key>
pub(super) fn openssh_key(secret: &[u8]) -> Check {
    on_block(secret, openssh_block)
}

pub(super) fn openssh_block(block: &Block<'_>) -> Check {
    fits_or_fails(body_bytes(block).is_some_and(|bytes| openssh(&bytes).is_some()))
}

/// Cipher and algorithm of a whole container.
fn openssh(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = Reader(bytes.strip_prefix(b"openssh-key-v1\0")?);
    let cipher = reader.string()?;
    let (_kdf, _options) = (reader.string()?, reader.string()?);
    let count = reader.number()?;
    let mut algorithm = None;
    for _ in 0..count {
        let public = reader.string()?;
        algorithm = algorithm.or_else(|| Reader(public).string());
    }
    let private = reader.string()?;
    let mut reader = Reader(private);
    let fits = match cipher {
        b"none" => reader.number()? == reader.number()? && reader.0.len() >= 32,
        _ => private.len() >= 64,
    };
    fits.then_some((cipher, algorithm?))
}

pub(super) fn openssh_facts(secret: &[u8]) -> Option<Facts> {
    let bytes = body_bytes(&first_block(secret)?)?;
    let (cipher, algorithm) = openssh(&bytes)?;
    Some(vec![
        ("algorithm", printable(&String::from_utf8_lossy(algorithm))),
        ("encrypted", (cipher != b"none").to_string()),
    ])
}
