//! Single values of a report, whichever format has them: secrets, lines, scores, dates.

use jiff::Timestamp;

use crate::model::{Confidence, Fingerprint, Secret, Snippet, Told};

/// More refs than any repository has: a count that can be added to.
pub(in crate::report) const MANY: u64 = 1 << 40;

/// The secret of a report: its redacted form, and its bytes only where it stands there in clear.
pub(in crate::report) fn secret(shown: &str, redacted: Option<&str>) -> Secret {
    match redacted {
        Some(form) => Secret::reported(shown.as_bytes(), form),
        None if is_form(shown) => Secret::of_form(shown),
        // In clear, though the report does not say so.
        None => Secret::reported(
            shown.as_bytes(),
            &Secret::new(shown.as_bytes(), "").redacted(),
        ),
    }
}

/// Whether the text is a redacted form, `ghp_… (40 bytes)`.
fn is_form(text: &str) -> bool {
    let Some((public, rest)) = text.rsplit_once('…') else {
        return false;
    };
    let number = rest
        .strip_prefix(" (")
        .and_then(|rest| {
            rest.strip_suffix(" bytes)")
                .or_else(|| rest.strip_suffix(" byte)"))
        })
        .and_then(|digits| digits.parse::<usize>().ok());
    number.is_some_and(|length| public.len() <= length)
}

/// The line of a place as a report shows it.
pub(in crate::report) fn snippet(
    secret: &Secret,
    shown: &str,
    text: &str,
    own: Option<[usize; 2]>,
    is_encoded: bool,
    told: Told,
) -> Snippet {
    let fits = |range: &[usize; 2]| text.get(range[0]..range[1]).is_some();
    let own = own.filter(fits).or_else(|| {
        let at = text.find(shown).filter(|_| !shown.is_empty())?;
        Some([at, at + shown.len()])
    });
    let [start, end] = own.unwrap_or_default();
    let encoded = (is_encoded && secret.is_known())
        .then(|| text.get(start..end).unwrap_or_default())
        .filter(|piece| !piece.is_empty());
    Snippet {
        text: Secret::new(text.as_bytes(), ""),
        secret: (start, end),
        matched: (start, end),
        line: None,
        hidden: Vec::new(),
        encoded: encoded.map(|piece| Secret::new(piece.as_bytes(), "")),
        told: Some(told),
    }
}

/// A score in hundredths as one that has the report's level: rounding can have lifted it over a limit.
pub(in crate::report) fn score(score: f32, confidence: &str) -> f32 {
    if Confidence::of_score(score).word() == confidence || confidence.is_empty() {
        return score;
    }
    let nudged = score - 0.004;
    if Confidence::of_score(nudged).word() == confidence {
        nudged
    } else {
        score
    }
}

/// Seconds since 1970 of an RFC 3339 date; one that no date can write where there is none.
pub(in crate::report) fn seconds(date: Option<&str>) -> i64 {
    date.and_then(|text| text.parse::<Timestamp>().ok())
        .map_or(i64::MIN, Timestamp::as_second)
}

/// A fingerprint of 32 hexadecimal digits.
pub(in crate::report) fn parse_fingerprint(text: &str) -> Option<Fingerprint> {
    let mut print = [0u8; 16];
    if text.len() != 32 {
        return None;
    }
    for (index, byte) in print.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(Fingerprint(print))
}

/// The one of all whose word it is.
pub(in crate::report) fn by_word<T: Copy>(
    all: &[T],
    word: fn(T) -> &'static str,
    text: &str,
) -> Option<T> {
    all.iter().copied().find(|one| word(*one) == text)
}
