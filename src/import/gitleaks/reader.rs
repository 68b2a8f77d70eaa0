//! Values of a TOML file, read as gitleaks reads them, each with its line.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::{Error, Kind, Note, line_of};
use super::file::Text;

/// Keys of a table in lower case, as they are read there.
pub(super) struct Keys<'t, 'i> {
    pub(super) all: Vec<(String, &'t Spanned<DeValue<'i>>)>,
}

impl<'t, 'i> Keys<'t, 'i> {
    pub(super) fn of(table: &'t DeTable<'i>) -> Self {
        let mut all: Vec<_> = table
            .iter()
            .map(|(key, value)| (key.get_ref().to_ascii_lowercase(), value))
            .collect();
        all.sort_by_key(|(_, value)| value.span().start);
        Self { all }
    }

    pub(super) fn of_value(value: &'t Spanned<DeValue<'i>>) -> Self {
        match value.get_ref().as_table() {
            Some(table) => Self::of(table),
            None => Self { all: Vec::new() },
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'t Spanned<DeValue<'i>>> {
        self.all
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, v)| *v)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

pub(super) struct Reader<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
    pub(super) notes: &'a mut Vec<Note>,
}

impl Reader<'_> {
    pub(super) fn line(&self, value: &Spanned<DeValue<'_>>) -> u32 {
        line_of(self.text, value.span().start)
    }

    pub(super) fn error(&self, line: u32, text: &str) -> Error {
        Error {
            file: self.name.to_owned(),
            line,
            text: text.to_owned(),
        }
    }

    pub(super) fn note(&mut self, line: u32, kind: Kind, text: &str) {
        self.notes.push(Note {
            file: self.name.to_owned(),
            line,
            kind,
            text: text.to_owned(),
        });
    }

    pub(super) fn unknown(&mut self, line: u32, place: &str, key: &str) {
        self.note(
            line,
            Kind::Lost,
            &format!("`{key}` of {place} is no key that keysweep knows of gitleaks"),
        );
    }

    /// The tables of a list, or the one table.
    pub(super) fn tables<'t, 'i>(
        &self,
        value: &'t Spanned<DeValue<'i>>,
    ) -> Result<Vec<&'t Spanned<DeValue<'i>>>, Error> {
        let all: Vec<_> = match value.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![value],
        };
        match all.iter().find(|t| !t.get_ref().is_table()) {
            Some(other) => Err(self.error(self.line(other), "a table is expected here")),
            None => Ok(all),
        }
    }

    /// The strings of a list, or the one string.
    pub(super) fn texts(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<Text>, Error> {
        let all: Vec<_> = match value.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![value],
        };
        all.iter()
            .map(|v| {
                let text = v.get_ref().as_str();
                text.map(|text| Text {
                    text: text.to_owned(),
                    file: self.name.to_owned(),
                    line: self.line(v),
                })
                .ok_or_else(|| self.error(self.line(v), "a string is expected here"))
            })
            .collect()
    }

    pub(super) fn number(&self, value: &Spanned<DeValue<'_>>) -> Result<f64, Error> {
        let text = match value.get_ref() {
            DeValue::Integer(i) => i.as_str().to_owned(),
            DeValue::Float(f) => f.as_str().to_owned(),
            DeValue::String(s) => s.to_string(),
            _ => String::new(),
        };
        text.parse::<f64>()
            .ok()
            .filter(|n| n.is_finite())
            .ok_or_else(|| self.error(self.line(value), "a number is expected here"))
    }
}
