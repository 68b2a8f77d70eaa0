//! A secret as an answer may repeat it in other letters: base64 wherever it begins in a longer text, percent-encoded.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter secrets are known by their letters alone.
const LEAST: usize = 8;
/// Longer ones too: an answer that repeats them is no line of a report.
const MOST: usize = 4096;

/// The forms of a secret, and whether what is hidden reaches to the ends of the word that they stand in.
pub(super) fn forms(secret: &[u8]) -> Vec<(Vec<u8>, bool)> {
    if !(LEAST..=MOST).contains(&secret.len()) {
        return Vec::new();
    }
    let mut forms = Vec::new();
    for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        for front in 0..3 {
            let text = [&[0; 3][..front], secret].concat();
            let encoded = engine.encode(&text);
            // Letters that the secret alone decides: those in front and behind hold bits of what stands around it.
            let from = (front * 8).div_ceil(6);
            let to = text.len() * 8 / 6;
            let core = encoded.get(from..to).unwrap_or_default();
            forms.push((core.as_bytes().to_vec(), true));
        }
    }
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~".contains(b);
    for upper in [true, false] {
        let escaped = |byte: &u8| {
            if upper {
                format!("%{byte:02X}")
            } else {
                format!("%{byte:02x}")
            }
        };
        let every: Vec<String> = secret.iter().map(escaped).collect();
        let needed = secret.iter().map(|byte| {
            if is_plain(byte) {
                char::from(*byte).to_string()
            } else {
                escaped(byte)
            }
        });
        for text in [every.concat(), needed.collect()] {
            forms.push((text.into_bytes(), false));
        }
    }
    forms.retain(|(form, _)| form != secret);
    forms
}

/// Whether a byte may stand in such a word.
pub(super) fn is_inside(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}
