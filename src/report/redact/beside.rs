//! What stands in a shown line beside a secret and looks like one, though no rule matched it.

use std::ops::Range;

use super::{LEAST, is_word_byte};

/// What beside a secret looks like one, although no rule found it: what [`Redactor::unmatched`] hides, but for names that hold some
/// digits, and in a row of values the passwords.
pub(super) fn keys_beside(text: &[u8], own: &Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let sides = [0..own.start, own.end..text.len()];
    for side in sides.iter().filter(|side| side.start < side.end) {
        let mut at = side.start;
        while at < side.end {
            if text[at] == b'/' {
                at += 1;
                continue;
            }
            let is_value = |at: &usize| is_word_byte(text[*at]) && text[*at] != b'=';
            let end = at + (at..side.end).take_while(is_value).count();
            let padding = (end..side.end).take_while(|at| text[*at] == b'=').count();
            let word = &text[at..end];
            let mut pieces = word.split(|b| matches!(b, b'_' | b'-' | b'/'));
            if is_token_like(word) && !pieces.all(is_name_piece) {
                found.push(at..end + if padding <= 2 { padding } else { 0 });
            }
            at = end + padding.max(1);
        }
    }
    found.extend(passwords_in_row(text, own));
    found
}

/// Whether a piece of a name is a word, a number, or a word with a number.
pub(super) fn is_name_piece(piece: &[u8]) -> bool {
    let letters = piece.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let (word, rest) = piece.split_at(letters);
    let lower = word.iter().skip(1).all(u8::is_ascii_lowercase);
    let digits = rest.iter().all(u8::is_ascii_digit);
    digits && (lower || word.iter().all(u8::is_ascii_uppercase)) && rest.len() <= 4
}

/// Values beside the secret that are mixed as passwords are, where it is a field of a row of them, as in the `credentials.csv` of a
/// cloud's console.
pub(super) fn passwords_in_row(text: &[u8], own: &Range<usize>) -> Vec<Range<usize>> {
    const LEAST_FIELDS: usize = 3;
    let Some(separator) = text
        .get(own.end..)
        .and_then(|rest| rest.iter().find(|b| !matches!(b, b'"' | b'\'')))
        .or_else(|| {
            let before = text.get(..own.start)?.iter().rev();
            before.clone().find(|b| !matches!(b, b'"' | b'\''))
        })
        .copied()
        .filter(|b| matches!(b, b',' | b';' | b'\t'))
    else {
        return Vec::new();
    };
    let mut fields = Vec::new();
    let mut from = 0;
    for field in text.split(|b| *b == separator) {
        fields.push(from..from + field.len());
        from += field.len() + 1;
    }
    let is_row = fields.len() >= LEAST_FIELDS
        && fields
            .iter()
            .any(|field| field.start <= own.start && own.end <= field.end);
    let has = |field: &Range<usize>, sort: fn(&u8) -> bool| text[field.clone()].iter().any(sort);
    fields.retain(|field| {
        let sorts = [
            has(field, u8::is_ascii_lowercase),
            has(field, u8::is_ascii_uppercase),
            has(field, u8::is_ascii_digit),
            has(field, |b| {
                b.is_ascii_punctuation() && !matches!(b, b'"' | b'\'' | b'.' | b'-' | b'_')
            }),
        ];
        let word = &text[field.clone()];
        is_row
            && (field.end <= own.start || own.end <= field.start)
            && word.len() >= LEAST
            && sorts.iter().filter(|has| **has).count() >= 3
            && !word.iter().any(u8::is_ascii_whitespace)
            && memchr::memmem::find(word, b"://").is_none()
    });
    fields
}

/// Whether an unbroken word is as long and as mixed as keys are.
pub(super) fn is_token_like(word: &[u8]) -> bool {
    let count = |sort: fn(&u8) -> bool| word.iter().filter(|b| sort(b)).count();
    let digits = count(u8::is_ascii_digit);
    // Of random letters and digits three in five follow one of another sort, of words written together one in three.
    let sort = |b: u8| (b.is_ascii_lowercase(), b.is_ascii_uppercase());
    let turns = word
        .windows(2)
        .filter(|pair| sort(pair[0]) != sort(pair[1]));
    let is_mixed = || digits >= 1 && turns.count() * 9 >= word.len() * 4;
    word.len() >= 20 && count(u8::is_ascii_alphabetic) >= 3 && (digits >= 3 || is_mixed())
}
