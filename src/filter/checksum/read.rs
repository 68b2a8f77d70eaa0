//! Digits in a base, base64 and base32, pieces of byte strings, binary structures.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// The lowest `N` digits of a number, highest first, padded with the alphabet's zero.
pub(super) fn digits<const N: usize>(value: u32, alphabet: &[u8]) -> [u8; N] {
    let radix = u32::try_from(alphabet.len()).unwrap_or(u32::MAX).max(2);
    let mut rest = value;
    let mut out = [0; N];
    for slot in out.iter_mut().rev() {
        *slot = alphabet
            .get((rest % radix) as usize)
            .copied()
            .unwrap_or_default();
        rest /= radix;
    }
    out
}

/// A number in base 36 or less; `None` where it is empty, too large or has another character.
pub(super) fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let parse = |sum: u64, digit: &u8| {
        let value = char::from(*digit).to_digit(radix)?;
        sum.checked_mul(u64::from(radix))?
            .checked_add(u64::from(value))
    };
    if digits.is_empty() {
        None
    } else {
        digits.iter().try_fold(0, parse)
    }
}

pub(super) fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|b| *b == at)?;
    Some((bytes.get(..place)?, bytes.get(place + 1..)?))
}

pub(super) fn rsplit_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().rposition(|b| *b == at)?;
    Some((bytes.get(..place)?, bytes.get(place + 1..)?))
}

/// Where a short needle first stands.
pub(super) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
}

pub(super) fn unpadded(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b'='] = text {
        text = rest;
    }
    text
}

/// Base64 of either alphabet, padded or not. Stray bits at the end are let pass: hand-made encoders
/// leave them.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
    const URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);
    let text = unpadded(text);
    let engine = if text.iter().any(|b| b"-_".contains(b)) {
        URL
    } else {
        STANDARD
    };
    engine.decode(text).ok()
}

/// As [`decode`], but refuses stray bits: for check digits every bit counts.
pub(super) fn decode_strict(text: &[u8]) -> Option<Vec<u8>> {
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireNone);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
    const URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);
    let text = unpadded(text);
    let engine = if text.iter().any(|b| b"-_".contains(b)) {
        URL
    } else {
        STANDARD
    };
    engine.decode(text).ok()
}

/// Base32 of RFC 4648 in either case, without padding; bits that do not fill a byte are dropped.
pub(super) fn base32(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text {
        let value = match byte.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5) | u32::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            let [.., low] = (bits >> held).to_be_bytes();
            out.push(low);
            bits &= (1 << held) - 1;
        }
    }
    Some(out)
}

/// What is left to read of a binary structure.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number of 32 bits, high byte first.
    pub(super) fn number(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    /// A string of SSH: its length in 32 bits, its bytes.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    /// A field of a macaroon: its length, seven bits to a byte, low ones first, and its bytes.
    pub(super) fn counted(&mut self) -> Option<&'a [u8]> {
        let mut length = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return self.take(length);
            }
        }
        None
    }
}
