//! Private keys of OpenPGP, armored.

use super::block::{Block, body_bytes, on_block};
use super::read::decode;
use super::{Check, fits_or_fails};

/// OpenPGP private keys: the armour decodes, its CRC-24 fits where there is one, a key comes first.
///
/// <https://www.rfc-editor.org/rfc/rfc4880#section-6.1>; RFC 9580 makes the checksum optional.
pub(super) fn pgp(secret: &[u8]) -> Check {
    on_block(secret, pgp_block)
}

pub(super) fn pgp_block(block: &Block<'_>) -> Check {
    let Some(bytes) = body_bytes(block).filter(|bytes| bytes.len() >= 100) else {
        return Check::Fails;
    };
    if let Some(check) = block.crc {
        return fits_or_fails(decode(&check).as_deref() == crc24(&bytes).to_be_bytes().get(1..));
    }
    // The tag of the first packet: a secret key, in the old or the new form.
    fits_or_fails(matches!(bytes.first(), Some(0x94..=0x97 | 0xc5)))
}

pub(super) fn crc24(bytes: &[u8]) -> u32 {
    let mut sum = 0x00b7_04ce;
    for byte in bytes {
        sum ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            sum <<= 1;
            if sum & 0x0100_0000 != 0 {
                sum ^= 0x0186_4cfb;
            }
        }
    }
    sum
}
