//! PEM: DER inside a key block.

use super::block::{Block, body_bytes, first_block, on_block};
use super::openssh::{openssh_block, openssh_facts};
use super::pgp::pgp_block;
use super::read::{Reader, find};
use super::{Check, Facts, fits_or_fails};

/// Private keys in PEM: base64 of a DER structure as long as it says, or of an encrypted body.
///
/// <https://www.rfc-editor.org/rfc/rfc7468>, <https://www.rfc-editor.org/rfc/rfc5958>,
/// <https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.2>, <https://www.rfc-editor.org/rfc/rfc5915>.
/// `Silent` for labels of other software whose contents these do not define.
pub(super) fn pem(secret: &[u8]) -> Check {
    on_block(secret, |block| match block.label {
        b"OPENSSH PRIVATE KEY" => openssh_block(block),
        label if label.starts_with(b"PGP ") => pgp_block(block),
        _ => pem_block(block),
    })
}

fn pem_block(block: &Block<'_>) -> Check {
    let Some(bytes) = body_bytes(block) else {
        return Check::Fails;
    };
    // The smallest keys in use: RSA of 512 bits, a P-256 key without its public half, Ed25519.
    let least = match block.label {
        // Whole blocks of its cipher: DES has 8 bytes, AES 16.
        _ if block.encrypted => return fits_or_fails(bytes.len() >= 64 && bytes.len() % 8 == 0),
        b"ENCRYPTED PRIVATE KEY" => {
            return fits_or_fails(bytes.len() >= 64 && der_sequence(&bytes).is_some());
        }
        b"RSA PRIVATE KEY" => 300,
        b"DSA PRIVATE KEY" => 200,
        b"EC PRIVATE KEY" => 48,
        b"PRIVATE KEY" | b"ANY PRIVATE KEY" => 46,
        _ => {
            return if bytes.len() >= 32 {
                Check::Silent
            } else {
                Check::Fails
            };
        }
    };
    // All four structures begin with a version of 0 or 1; a certificate or a public key does not.
    let fits = der_sequence(&bytes).is_some_and(|content| matches!(content, [2, 1, 0 | 1, ..]));
    fits_or_fails(fits && bytes.len() >= least)
}

/// The content of a DER sequence that fills `bytes` up to three stray bytes at the end.
fn der_sequence(bytes: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader(bytes);
    if reader.byte()? != 0x30 {
        return None;
    }
    let length = match reader.byte()? {
        short @ 0..=0x7f => usize::from(short),
        long @ 0x81..=0x84 => reader
            .take(usize::from(long & 0x7f))?
            .iter()
            .try_fold(0_usize, |sum, byte| {
                sum.checked_mul(256)?.checked_add(usize::from(*byte))
            })?,
        _ => return None,
    };
    let content = reader.take(length)?;
    (reader.0.len() <= 3).then_some(content)
}

pub(super) fn pem_facts(secret: &[u8]) -> Option<Facts> {
    // Object identifiers in DER, the algorithms that PKCS #8 keys are of.
    const KINDS: &[(&[u8], &str)] = &[
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01], "RSA"),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01], "EC"),
        (&[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01], "DSA"),
        (&[0x06, 0x03, 0x2b, 0x65, 0x70], "Ed25519"),
        (&[0x06, 0x03, 0x2b, 0x65, 0x71], "Ed448"),
        (&[0x06, 0x03, 0x2b, 0x65, 0x6e], "X25519"),
    ];
    let block = first_block(secret)?;
    if block.label == b"OPENSSH PRIVATE KEY" {
        return openssh_facts(secret);
    }
    if block.label.starts_with(b"PGP ") {
        return None;
    }
    let bytes = body_bytes(&block)?;
    let encrypted = block.encrypted || block.label.starts_with(b"ENCRYPTED");
    let algorithm = match block.label {
        b"RSA PRIVATE KEY" => Some("RSA"),
        b"DSA PRIVATE KEY" => Some("DSA"),
        b"EC PRIVATE KEY" => Some("EC"),
        // Its identifier stands in the first few bytes; further on they are the key's own.
        b"PRIVATE KEY" => bytes
            .get(..bytes.len().min(32))
            .and_then(|head| KINDS.iter().find(|(id, _)| find(head, id).is_some()))
            .map(|(_, name)| *name),
        _ => None,
    };
    let mut facts: Facts = algorithm
        .map(|name| ("algorithm", name.to_owned()))
        .into_iter()
        .collect();
    facts.push(("encrypted", encrypted.to_string()));
    Some(facts)
}
