//! Bech32: identities of age.

use super::read::rsplit_once;
use super::{Check, fits_or_fails};

/// age identities: Bech32 in one case, with its checksum of six characters.
///
/// <https://github.com/C2SP/C2SP/blob/main/age.md> and
/// <https://github.com/bitcoin/bips/blob/master/bip-0173.mediawiki>.
pub(super) fn age_bech32(secret: &[u8]) -> Check {
    const CHARSET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let mixed =
        secret.iter().any(u8::is_ascii_lowercase) && secret.iter().any(u8::is_ascii_uppercase);
    let lower = secret.to_ascii_lowercase();
    let Some((prefix, data)) = rsplit_once(&lower, b'1') else {
        return Check::Fails;
    };
    if mixed || !prefix.starts_with(b"age-secret-key-") || data.len() < 58 {
        return Check::Fails;
    }
    let mut sum = 1;
    for byte in prefix {
        bech32_step(&mut sum, u32::from(byte >> 5));
    }
    bech32_step(&mut sum, 0);
    for byte in prefix {
        bech32_step(&mut sum, u32::from(byte & 31));
    }
    for byte in data {
        match (0..).zip(CHARSET).find(|(_, known)| *known == byte) {
            Some((value, _)) => bech32_step(&mut sum, value),
            None => return Check::Fails,
        }
    }
    fits_or_fails(sum == 1)
}

/// One character of five bits through the code of BIP 173.
fn bech32_step(sum: &mut u32, value: u32) {
    const GENERATOR: [u32; 5] = [
        0x3b6a_57b2,
        0x2650_8e6d,
        0x1ea1_19fa,
        0x3d42_33dd,
        0x2a14_62b3,
    ];
    let top = *sum >> 25;
    *sum = ((*sum & 0x1ff_ffff) << 5) ^ value;
    for (bit, term) in (0..).zip(GENERATOR) {
        if (top >> bit) & 1 == 1 {
            *sum ^= term;
        }
    }
}
