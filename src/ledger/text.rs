//! Values as the text that rows hold: those that are shown and parsed back.

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serializer, de};

use crate::model::Fingerprint;

/// What is written by `Display` and read back.
pub(super) trait Text: Sized + Display {
    fn parse(text: &str) -> Option<Self>;
}

impl Text for jiff::Timestamp {
    fn parse(text: &str) -> Option<Self> {
        Self::from_str(text).ok()
    }
}

impl Text for super::IncidentId {
    fn parse(text: &str) -> Option<Self> {
        Self::from_str(text).ok()
    }
}

impl Text for Fingerprint {
    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

pub(super) fn serialize<T: Text, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

pub(super) fn deserialize<'de, T: Text, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let text = String::deserialize(from)?;
    T::parse(&text).ok_or_else(|| de::Error::custom("malformed"))
}

/// The same where there may be none.
pub(super) mod option {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::Text;

    #[expect(
        clippy::ref_option,
        reason = "serde calls it with a reference to the field"
    )]
    pub(in super::super) fn serialize<T: Text, S: Serializer>(
        value: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.collect_str(value),
            None => to.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, T: Text, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<T>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        let value = T::parse(&text).ok_or_else(|| de::Error::custom("malformed"))?;
        Ok(Some(value))
    }
}

/// Severities by their words.
pub(super) mod severity {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::model::Severity;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it with a reference to the field"
    )]
    pub(in super::super) fn serialize<S: Serializer>(
        value: &Severity,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(value.word())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Severity, D::Error> {
        let word = String::deserialize(from)?;
        Severity::ALL
            .into_iter()
            .find(|severity| severity.word() == word)
            .ok_or_else(|| de::Error::custom("no such severity"))
    }
}
