//! AWS's query APIs: forms that are posted, errors as they answer them.

use super::super::sigv4::percent;
use super::super::xml::Element;
use crate::net::{Request, Text};

/// A request with these fields.
pub(super) fn form(host: &str, fields: &[(&str, &str)]) -> Request {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", percent(name), percent(value)))
        .collect();
    Request::new("POST", Text::public(format!("https://{host}/"))).with_body(
        "application/x-www-form-urlencoded",
        Text::public(fields.join("&")),
    )
}

/// An error as the query APIs answer it.
pub(super) struct Problem<'a> {
    pub(super) code: &'a str,
    message: &'a str,
}

impl<'a> Problem<'a> {
    pub(super) fn read(root: &'a Element) -> Option<Self> {
        if root.name != "ErrorResponse" {
            return None;
        }
        let error = root
            .at(&["Error"])
            .or_else(|| root.at(&["Errors", "Error"]))?;
        Some(Self {
            code: error.text_at(&["Code"])?,
            message: error.text_at(&["Message"]).unwrap_or_default(),
        })
    }

    pub(super) fn is_of_time(&self) -> bool {
        matches!(self.code, "RequestTimeTooSkewed" | "RequestExpired")
            || (self.code == "SignatureDoesNotMatch"
                && ["Signature expired", "Signature not yet current"]
                    .iter()
                    .any(|words| self.message.contains(words)))
    }

    pub(super) fn is_throttling(&self) -> bool {
        matches!(
            self.code,
            "Throttling"
                | "ThrottlingException"
                | "ThrottledException"
                | "RequestLimitExceeded"
                | "RequestThrottled"
                | "TooManyRequestsException"
        )
    }

    /// Whether the caller's own key is at fault, or what it may do.
    pub(super) fn is_of_authority(&self) -> bool {
        matches!(
            self.code,
            "AccessDenied"
                | "AccessDeniedException"
                | "UnauthorizedOperation"
                | "NotAuthorized"
                | "OptInRequired"
                | "InvalidClientTokenId"
                | "SignatureDoesNotMatch"
                | "ExpiredToken"
                | "ExpiredTokenException"
                | "IncompleteSignature"
                | "MissingAuthenticationToken"
        )
    }
}
