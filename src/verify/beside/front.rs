//! What stands in front of a value: the rest of its line, the name that it is assigned to, the line that it is below.

use super::REACH;

/// Bytes of a name in front of an assignment.
const NAME: usize = 60;

/// What stands on the line in front of an offset, in lower case.
pub(super) fn before(text: &[u8], at: usize) -> String {
    let before = text.get(at.saturating_sub(NAME)..at).unwrap_or_default();
    let start = memchr::memrchr(b'\n', before).map_or(0, |n| n + 1);
    String::from_utf8_lossy(before.get(start..).unwrap_or_default()).to_lowercase()
}

/// The name that the value at an offset is assigned to, in lower case; empty for none.
pub(super) fn name_of(text: &[u8], at: usize) -> String {
    let front = before(text, at);
    let quotes = |c: char| "\"'`\\".contains(c);
    let bare = front.trim_end_matches(quotes);
    let trimmed = bare.trim_end();
    let is_word = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    let left = trimmed.trim_end_matches(['=', ':', '>', ',']);
    let is_assigned = left.len() < trimmed.len();
    let left = left
        .trim_end()
        .trim_end_matches(|c| quotes(c) || c == ']' || c == ')');
    let start = left.rfind(|c| !is_word(c)).map_or(0, |n| {
        n + left
            .get(n..)
            .and_then(|r| r.chars().next())
            .map_or(1, char::len_utf8)
    });
    let name = left.get(start..).unwrap_or_default();
    let is_option = name.starts_with("--") && trimmed.len() < bare.len();
    if is_assigned || is_option {
        name.to_owned()
    } else {
        String::new()
    }
}

/// The line that a line belongs to, in lower case: the next one above with a smaller indent, or the head of its section.
pub(super) fn above(text: &[u8], at: usize) -> String {
    let front = text.get(at.saturating_sub(REACH)..at).unwrap_or_default();
    let mut lines = front.rsplit(|b| *b == b'\n');
    let indent = |line: &[u8]| {
        line.iter()
            .take_while(|b| matches!(**b, b' ' | b'\t'))
            .count()
    };
    let own = indent(lines.next().unwrap_or_default());
    let found = lines.take(30).find(|line| {
        let is_blank = line.trim_ascii().is_empty();
        !is_blank
            && if own == 0 {
                line.starts_with(b"[")
            } else {
                indent(line) < own
            }
    });
    let line = found.unwrap_or_default();
    let line = line.get(..line.len().min(4 * NAME)).unwrap_or_default();
    String::from_utf8_lossy(line.trim_ascii()).to_lowercase()
}
