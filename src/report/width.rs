//! Terminal columns: how wide a text is, and how it is wrapped or cut to fit.
//!
//! Widths follow Unicode's East Asian Width as terminals apply it; a table of the ranges that matter
//! is kept here, since a column too few costs a crooked line and no more.

use super::printable;

/// Columns of a tab stop.
const TAB: usize = 4;

/// Ranges of characters that take two columns.
const WIDE: [(u32, u32); 38] = [
    (0x1100, 0x115F),
    (0x231A, 0x231B),
    (0x2329, 0x232A),
    (0x23E9, 0x23EC),
    (0x25FD, 0x25FE),
    (0x2614, 0x2615),
    (0x2648, 0x2653),
    (0x267F, 0x267F),
    (0x2693, 0x2693),
    (0x26A1, 0x26A1),
    (0x26AA, 0x26AB),
    (0x26BD, 0x26BE),
    (0x26C4, 0x26C5),
    (0x26D4, 0x26D4),
    (0x26EA, 0x26EA),
    (0x26F2, 0x26F5),
    (0x26FA, 0x26FD),
    (0x2705, 0x2705),
    (0x270A, 0x270B),
    (0x2728, 0x2728),
    (0x274C, 0x274E),
    (0x2753, 0x2757),
    (0x2795, 0x2797),
    (0x2B1B, 0x2B1C),
    (0x2B50, 0x2B55),
    (0x2E80, 0x303E),
    (0x3041, 0xA4CF),
    (0xA960, 0xA97F),
    (0xAC00, 0xD7A3),
    (0xF900, 0xFAFF),
    (0xFE30, 0xFE6F),
    (0xFF00, 0xFF60),
    (0xFFE0, 0xFFE6),
    (0x1B000, 0x1B2FF),
    (0x1F300, 0x1F64F),
    (0x1F680, 0x1F6FF),
    (0x1F900, 0x1FAFF),
    (0x20000, 0x3FFFD),
];

/// Ranges of characters that take none: they sit on the one before.
const COMBINING: [(u32, u32); 18] = [
    (0x0300, 0x036F),
    (0x0483, 0x0489),
    (0x0591, 0x05BD),
    (0x0610, 0x061A),
    (0x064B, 0x065F),
    (0x0E31, 0x0E31),
    (0x0E34, 0x0E3A),
    (0x0E47, 0x0E4E),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x200B, 0x200D),
    (0x20D0, 0x20FF),
    (0x302A, 0x302D),
    (0x3099, 0x309A),
    (0xFE00, 0xFE0F),
    (0xFE20, 0xFE2F),
    (0x1F3FB, 0x1F3FF),
    (0xE0100, 0xE01EF),
];

fn holds(ranges: &[(u32, u32)], c: u32) -> bool {
    let after = ranges.partition_point(|(start, _)| *start <= c);
    after
        .checked_sub(1)
        .and_then(|i| ranges.get(i))
        .is_some_and(|(_, end)| c <= *end)
}

/// Columns of a character.
pub(super) fn of_char(c: char) -> usize {
    let code = u32::from(c);
    if code < 0x300 {
        usize::from(!c.is_control())
    } else if holds(&COMBINING, code) {
        0
    } else if holds(&WIDE, code) {
        2
    } else {
        1
    }
}

/// Columns of a text without line breaks and tabs.
pub(super) fn of(text: &str) -> usize {
    text.chars().map(of_char).sum()
}

/// The beginning of a text that fits, with `…` if something was cut.
pub(super) fn head(text: &str, columns: usize) -> String {
    if of(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let mut out = String::new();
    for c in text.chars() {
        let width = of_char(c);
        if width > left {
            break;
        }
        left -= width;
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// The end of a text that fits, with `…` before it if something was cut.
pub(super) fn tail(text: &str, columns: usize) -> String {
    if of(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let mut from = text.len();
    for (at, c) in text.char_indices().rev() {
        let width = of_char(c);
        if width > left {
            break;
        }
        left -= width;
        from = at;
    }
    let mark = if columns > 0 { "…" } else { "" };
    format!("{mark}{}", text.get(from..).unwrap_or_default())
}

/// Lines of at most so many columns, broken at spaces; a longer word has a line of its own, whole,
/// so that addresses can be copied. A number stays with the word behind it: `(38 kB/s)`, `2 refs`.
#[must_use]
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let unit = if is_number(word) { words.peek() } else { None };
        let width = of(word);
        let together = width + unit.map_or(0, |unit| 1 + of(unit));
        let needed = if together > columns { width } else { together };
        if used > 0 && used + 1 + needed > columns {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += width;
    }
    if used > 0 {
        lines.push(line);
    }
    lines
}

/// Whether it is digits, after an opening parenthesis or not.
fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix('(').unwrap_or(word);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || b".,".contains(&b))
}

/// Printable text from this column on, tabs as spaces.
pub(super) fn flat(text: &str, column: usize) -> String {
    let mut out = String::new();
    let mut at = column;
    for piece in text.split_inclusive('\t') {
        let shown = printable(piece.strip_suffix('\t').unwrap_or(piece));
        out.push_str(&shown);
        at += of(&shown);
        if piece.ends_with('\t') {
            let stop = TAB - at % TAB;
            out.extend(std::iter::repeat_n(' ', stop));
            at += stop;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted() {
        for table in [&WIDE[..], &COMBINING[..]] {
            assert!(table.is_sorted_by(|a, b| a.0 <= a.1 && a.1 < b.0));
        }
    }

    #[test]
    fn columns_are_counted_as_terminals_do() {
        assert_eq!(of("key"), 3);
        assert_eq!(of("鍵=é"), 4);
        assert_eq!(of("e\u{301}"), 1);
        assert_eq!(of("🔑"), 2);
    }

    #[test]
    fn what_is_cut_fits() {
        assert_eq!(head("abcdef", 4), "abc…");
        assert_eq!(tail("abcdef", 4), "…def");
        assert_eq!(head("鍵鍵鍵", 4), "鍵…");
        assert_eq!(tail("鍵鍵鍵", 4), "…鍵");
        assert_eq!(
            (head("ab", 2), tail("ab", 0)),
            ("ab".to_owned(), String::new())
        );
    }

    #[test]
    fn text_is_wrapped_at_spaces() {
        assert_eq!(
            wrap(
                "Revoke the key, then https://example.com/a/long/path now",
                12
            ),
            [
                "Revoke the",
                "key, then",
                "https://example.com/a/long/path",
                "now"
            ]
        );
        assert!(wrap("  ", 10).is_empty());
        assert_eq!(
            wrap("1 finding, 21 ms (38.5 kB/s), 41 days", 20),
            ["1 finding, 21 ms", "(38.5 kB/s), 41 days"]
        );
        assert_eq!(wrap("a (1,234 bytes)", 10), ["a (1,234", "bytes)"]);
    }
}
