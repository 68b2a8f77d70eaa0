//! Owner, reason and expiry of what is accepted, as they stand behind a mark or an entry:
//! `owner=payments expires=2027-01-31 sandbox key, rotated weekly`.

use jiff::civil::Date;

use crate::rule::nearest;

/// Who accepts something, why, and until when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Note {
    /// Who answers for it.
    pub owner: Option<String>,
    /// The last day on which it holds.
    pub expires: Option<Date>,
    /// Why it is accepted.
    pub reason: Option<String>,
}

impl Note {
    /// Reads words: `owner=` and `expires=` where they stand, all others are the reason.
    ///
    /// # Errors
    /// What is wrong and how to write it, without naming a place.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut note = Self::default();
        let mut reason: Vec<&str> = Vec::new();
        let mut words = text.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let (key, value) = word.split_once('=').unwrap_or(("", word));
            if key.is_empty() && is_expiry(word) {
                let behind = words
                    .clone()
                    .find(|word| !matches!(*word, "on" | "=" | ":"));
                if word.ends_with(':') || behind.is_some_and(|w| w.starts_with(is_digit)) {
                    return Err(WITHOUT_SIGN.to_owned());
                }
            }
            match key.to_ascii_lowercase().as_str() {
                "owner" if note.owner.is_some() => return Err("`owner=` stands there twice".into()),
                "expires" if note.expires.is_some() => {
                    return Err("`expires=` stands there twice".into());
                }
                "owner" => {
                    let owner = value.trim_matches(['"', '\'', ',', ';']);
                    if owner.is_empty() {
                        return Err(
                            "`owner=` needs a name behind it, such as owner=payments".into()
                        );
                    }
                    note.owner = Some(owner.to_owned());
                }
                "expires" => note.expires = Some(date(value)?),
                "expire" | "expiry" | "expired" | "until" => {
                    return Err(format!("`{key}=` is not known; write expires=2027-01-31"));
                }
                "reason" if !value.is_empty() => reason.push(value),
                "reason" => {}
                other => match nearest(other, ["expires", "owner"].into_iter()) {
                    Some(known) if is_word(other) => {
                        return Err(format!("`{key}=` is not known; did you mean {known}=?"));
                    }
                    _ => reason.push(word),
                },
            }
        }
        if !reason.is_empty() {
            note.reason = Some(reason.join(" "));
        }
        Ok(note)
    }

    /// As [`Note::parse`], where nothing but a note can stand: each `word=` must be one that is known, and `expires` never
    /// a word of the reason.
    ///
    /// # Errors
    /// What is wrong and how to write it, without naming a place.
    pub fn parse_strictly(text: &str) -> Result<Self, String> {
        let note = Self::parse(text)?;
        for word in text.split_whitespace() {
            let known = ["owner", "expires", "reason"];
            match word.split_once('=') {
                Some((key, _)) if is_word(key) && !known.contains(&&*key.to_ascii_lowercase()) => {
                    return Err(format!(
                        "`{key}=` is not known; write owner=, expires= or reason=, or leave `=` out"
                    ));
                }
                None if is_expiry(word) => return Err(WITHOUT_SIGN.to_owned()),
                None if word.eq_ignore_ascii_case("owner:") => {
                    return Err("`owner:` is not known; write owner=payments".to_owned());
                }
                _ => {}
            }
        }
        Ok(note)
    }

    /// Whether it holds no longer. The day of expiry still counts; without a day nothing expires.
    #[must_use]
    pub fn is_over(&self, today: Option<Date>) -> bool {
        self.expires
            .zip(today)
            .is_some_and(|(expires, today)| today > expires)
    }
}

const WITHOUT_SIGN: &str = "`expires` needs `=` and a date right behind it: expires=2027-01-31";

/// Whether somebody meant `expires=` and left the `=` out, if a day follows.
fn is_expiry(word: &str) -> bool {
    let word = word.strip_suffix(':').unwrap_or(word);
    ["expires", "expire", "expiry"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// Whether it is a plain word, such as a key is.
fn is_word(text: &str) -> bool {
    let in_word = |b: u8| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_');
    !text.is_empty() && text.bytes().all(in_word)
}

/// A date, with nothing but marks of a comment's end behind it.
fn date(text: &str) -> Result<Date, String> {
    let wrong = || "`expires=` needs a date such as expires=2027-01-31".to_owned();
    let text = text.trim_matches(['"', '\'']);
    let (day, rest) = text.split_at_checked(10).ok_or_else(wrong)?;
    if rest.bytes().any(|b| b.is_ascii_alphanumeric()) {
        return Err(wrong());
    }
    day.parse().map_err(|_| wrong())
}

/// ` (owner payments, until 2027-01-31: sandbox key)`, or nothing.
impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let owner = self.owner.as_ref().map(|owner| format!("owner {owner}"));
        let until = self.expires.map(|day| format!("until {day}"));
        let facts: Vec<String> = owner.into_iter().chain(until).collect();
        match (facts.is_empty(), &self.reason) {
            (true, None) => Ok(()),
            (true, Some(reason)) => write!(f, " ({reason})"),
            (false, None) => write!(f, " ({})", facts.join(", ")),
            (false, Some(reason)) => write!(f, " ({}: {reason})", facts.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_and_day_may_stand_anywhere() {
        let note = Note::parse("a sandbox key owner=pay expires=2027-01-31 of theirs")
            .expect("it is right");
        assert_eq!(note.owner.as_deref(), Some("pay"));
        assert_eq!(note.reason.as_deref(), Some("a sandbox key of theirs"));
        assert_eq!(
            note.to_string(),
            " (owner pay, until 2027-01-31: a sandbox key of theirs)"
        );
        assert_eq!(Note::parse("").expect("it is right"), Note::default());
    }

    #[test]
    fn the_day_itself_counts() {
        let note = Note::parse("expires=2027-01-31*/").expect("it is right");
        let over = |day: &str| note.is_over(Some(day.parse().expect("it is right")));
        assert!(!over("2027-01-31") && over("2027-02-01"));
        assert!(!note.is_over(None));
    }

    #[test]
    fn what_is_no_date_is_an_error() {
        for text in [
            "expires=soon",
            "expires=2027-13-01",
            "expires=2027-01-311",
            "expires=",
            "expiry=2027-01-31",
            "owner=",
            "owner=a owner=b",
            "expirs=2027-01-31",
            "onwer=ann",
            "expires 2027-01-31",
            "expires: 2027-01-31",
            "expires on 2027-01-31",
            "a key, expires = 2027-01-31",
        ] {
            assert!(Note::parse(text).is_err(), "{text}");
        }
        // Prose and addresses are a reason; where a note stands alone, `word=` and `expires` must be meant.
        for (text, strictly) in [
            ("of https://acme.example/?id=3 in level 2", true),
            ("never expires", false),
            ("level=3", false),
            ("owner: ann", false),
        ] {
            assert!(Note::parse(text).is_ok(), "{text}");
            assert_eq!(Note::parse_strictly(text).is_ok(), strictly, "{text}");
        }
    }
}
