//! A table's values, each with its line; what is wrong is collected, so that one look shows all of it.

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::At;
use crate::rule::{FileError, nearest};

/// The file that is being read.
pub(super) struct Source<'s> {
    pub(super) path: &'s str,
    pub(super) text: &'s str,
    pub(super) errors: RefCell<Vec<FileError>>,
    /// Where the newlines are.
    newlines: Vec<usize>,
}

impl<'s> Source<'s> {
    pub(super) fn new(path: &'s str, text: &'s str) -> Self {
        Self {
            path,
            text,
            errors: RefCell::new(Vec::new()),
            newlines: memchr::memchr_iter(b'\n', text.as_bytes()).collect(),
        }
    }

    /// Line of a byte offset, from 1.
    pub(super) fn line(&self, offset: usize) -> u32 {
        let before = self.newlines.partition_point(|newline| *newline < offset);
        u32::try_from(before).unwrap_or(u32::MAX - 1) + 1
    }

    pub(super) fn fail(&self, span: &Range<usize>, message: String) {
        self.errors.borrow_mut().push(FileError {
            path: self.path.to_owned(),
            line: self.line(span.start) as usize,
            message,
        });
    }
}

/// A table of the file.
#[expect(clippy::struct_field_names, reason = "the table of the reader")]
pub(super) struct Table<'s> {
    pub(super) source: &'s Source<'s>,
    /// What errors call it, such as `[scan]`.
    pub(super) name: &'s str,
    pub(super) table: &'s DeTable<'s>,
}

impl<'s> Table<'s> {
    /// Complains of every key that is not in the list.
    pub(super) fn known(&self, keys: &[&str]) {
        for (key, _) in self.table {
            let name: &str = key.get_ref();
            if keys.contains(&name) {
                continue;
            }
            let shown: String = name.chars().take(60).collect();
            let hint = match nearest(name, keys.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known are {}", keys.join(", ")),
            };
            let place = match self.name {
                "" => String::new(),
                name => format!(" in {name}"),
            };
            let message = format!("unknown key `{shown}`{place}; {hint}");
            self.source.fail(&key.span(), message);
        }
    }

    fn get(&self, key: &str) -> Option<&'s Spanned<DeValue<'s>>> {
        self.table.get(key)
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let kind = value.get_ref().type_str();
        self.source
            .fail(&value.span(), format!("`{key}` is {kind}; write {wanted}"));
    }

    /// A value that a function makes sense of, or says what to write instead.
    pub(super) fn value<T>(
        &self,
        key: &str,
        wanted: &str,
        read: impl FnOnce(&DeValue<'s>) -> Option<Result<T, String>>,
    ) -> Option<At<T>> {
        let value = self.get(key)?;
        match read(value.get_ref()) {
            None => {
                self.wrong(key, value, wanted);
                None
            }
            Some(Err(message)) => {
                self.source
                    .fail(&value.span(), format!("`{key}` {message}"));
                None
            }
            Some(Ok(read)) => Some(At {
                value: read,
                line: self.source.line(value.span().start),
            }),
        }
    }

    pub(super) fn text(&self, key: &str) -> Option<At<String>> {
        self.value(key, "a text in quotes", |value| {
            let text = value.as_str()?;
            Some(if text.trim().is_empty() {
                Err("is empty; fill it in, or leave the key out".to_owned())
            } else {
                Ok(text.to_owned())
            })
        })
    }

    pub(super) fn switch(&self, key: &str) -> Option<At<bool>> {
        self.value(key, "true or false", |value| value.as_bool().map(Ok))
    }

    /// A whole number in a range.
    pub(super) fn number(&self, key: &str, range: Range<u64>) -> Option<At<u64>> {
        let (least, most) = (range.start, range.end - 1);
        let wanted = format!("a whole number from {least} to {most}");
        self.value(key, &wanted, |value| {
            let number = integer(value)?;
            Some(match number {
                Ok(number) if range.contains(&number) => Ok(number),
                _ => Err(format!("is out of range; write {wanted}")),
            })
        })
    }

    /// One word of a list.
    pub(super) fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Option<At<T>> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let wanted = format!("one of {}", quoted(&names));
        self.value(key, &wanted, |value| {
            let text = value.as_str()?;
            Some(
                if let Some((_, meaning)) = words.iter().find(|(name, _)| *name == text) {
                    Ok(*meaning)
                } else {
                    let shown: String = text.chars().take(60).collect();
                    let hint = nearest(text, names.iter().copied())
                        .map(|name| format!("; did you mean \"{name}\"?"));
                    let hint = hint.unwrap_or_default();
                    Err(format!("\"{shown}\" is not {wanted}{hint}"))
                },
            )
        })
    }

    /// A list of texts; a single text counts as a list of one.
    pub(super) fn list(
        &self,
        key: &str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Vec<At<String>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let wanted = "a text in quotes, or a list of them";
        let single = std::slice::from_ref(value);
        let items: &[Spanned<DeValue<'_>>] = match value.get_ref() {
            DeValue::String(_) => single,
            DeValue::Array(items) => items,
            _ => {
                self.wrong(key, value, wanted);
                return Vec::new();
            }
        };
        let mut list = Vec::new();
        for item in items {
            let Some(text) = item.get_ref().as_str() else {
                self.wrong(key, item, wanted);
                continue;
            };
            let checked = if text.is_empty() {
                Err("an empty text; fill it in, or leave it out".to_owned())
            } else {
                check(text)
            };
            match checked {
                Ok(()) => list.push(At {
                    value: text.to_owned(),
                    line: self.source.line(item.span().start),
                }),
                Err(message) => self
                    .source
                    .fail(&item.span(), format!("`{key}`: {message}")),
            }
        }
        list
    }

    /// A table of this one; `name` is what errors call it.
    pub(super) fn table(&self, key: &str, name: &'s str) -> Option<Table<'s>> {
        let value = self.get(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(key, value, &format!("a table, {name}"));
            return None;
        };
        Some(Table {
            source: self.source,
            name,
            table,
        })
    }

    /// The tables of an array, each with the byte where it begins.
    pub(super) fn tables(&self, key: &str, name: &'s str) -> Vec<(Table<'s>, Range<usize>)> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(key, value, &format!("{name} in double brackets"));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            match item.get_ref().as_table() {
                Some(table) => {
                    let table = Table {
                        source: self.source,
                        name,
                        table,
                    };
                    tables.push((table, item.span()));
                }
                None => self.wrong(key, item, name),
            }
        }
        tables
    }
}

/// An integer, where it is one; an error where it is below 0 or too large.
pub(super) fn integer(value: &DeValue<'_>) -> Option<Result<u64, ()>> {
    let number = value.as_integer()?;
    Some(u64::from_str_radix(number.as_str(), number.radix()).map_err(drop))
}

fn quoted(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    quoted.join(", ")
}

/// The most that one compiled expression may take, in bytes.
const COMPILED: usize = 256 << 10;
/// Longest expression in bytes.
const LONGEST: usize = 8 << 10;

/// Whether a regular expression of a configuration compiles; compiling it is put off until something is compared with it.
///
/// # Errors
/// Why not, and the mend.
pub fn check_regex(pattern: &str) -> Result<(), String> {
    if pattern.len() <= LONGEST && crate::rule::fits(pattern, COMPILED) {
        return Ok(());
    }
    compile(pattern).map(drop)
}

/// Compiles a regular expression of a configuration: for bytes, without Unicode, within bounds.
///
/// # Errors
/// Why not, and the mend.
pub fn compile(pattern: &str) -> Result<regex::bytes::Regex, String> {
    let shown: String = pattern.chars().take(60).collect();
    if pattern.len() > LONGEST {
        return Err(format!(
            "the expression that begins `{shown}` is longer than {LONGEST} bytes; split it"
        ));
    }
    regex::bytes::RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(COMPILED)
        .dfa_size_limit(COMPILED)
        .nest_limit(100)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                format!(
                    "`{shown}` takes more than 256 KB when compiled; make its repetitions smaller"
                )
            }
            error => {
                let last = error.to_string();
                let last = last.lines().last().unwrap_or_default().trim();
                let last = last.trim_start_matches("error: ");
                format!("`{shown}` is no regular expression: {last}")
            }
        })
}

/// Whether a text is a fingerprint: 32 hexadecimal digits.
#[must_use]
pub fn is_fingerprint(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether a text is the beginning of a commit's id, long enough to mean one.
#[must_use]
pub fn is_commit_prefix(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}
