//! The caller's own credentials, part by part.

use super::{Authority, Failure};
use crate::model::Secret;

impl Authority {
    /// A part that must be there; `of` is its name in the configuration.
    pub(super) fn part(&self, of: &str, part: &str) -> Result<&Secret, Failure> {
        let value = self.parts.get(part).filter(|value| !value.is_empty());
        value.ok_or_else(|| missing(of, part))
    }

    /// A part that must be there, as text of characters that fit.
    pub(super) fn text(
        &self,
        of: &str,
        part: &str,
        fits: fn(char) -> bool,
    ) -> Result<&str, Failure> {
        self.optional_text(of, part, fits)?
            .ok_or_else(|| missing(of, part))
    }

    /// A part as text of characters that fit, if it is there.
    #[expect(
        clippy::disallowed_methods,
        reason = "the caller's own credential goes into a request"
    )]
    pub(super) fn optional_text(
        &self,
        of: &str,
        part: &str,
        fits: fn(char) -> bool,
    ) -> Result<Option<&str>, Failure> {
        let Some(value) = self.parts.get(part).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        match std::str::from_utf8(value.expose()) {
            Ok(text) if text.chars().all(fits) => Ok(Some(text)),
            _ => Err(Failure::Authority(format!(
                "the {part} under [authority.{of}] is no plain text"
            ))),
        }
    }
}

fn missing(of: &str, part: &str) -> Failure {
    Failure::Authority(format!(
        "no {part} of one that may do it: give {part} under [authority.{of}] in your own configuration, or {}",
        Authority::variable(of, part)
    ))
}

/// What may stand in a header field or a form.
pub(super) fn is_plain(c: char) -> bool {
    c.is_ascii_graphic()
}
