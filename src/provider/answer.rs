//! What providers in code say of answers that their provider's documentation does not describe.

use super::Failure;
use super::template::printable;
use crate::model::Doubt;
use crate::net::{Error, Reply};

/// Why an answer proves nothing.
pub(super) fn unclear(reply: &Reply) -> Doubt {
    match reply.status {
        429 => Doubt::RateLimited,
        300..=399 => Doubt::Redirect(
            reply
                .header("location")
                .and_then(|url| url.split_once("://")?.1.split(['/', '?', '#']).next())
                .filter(|host| !host.contains('@'))
                .map_or_else(|| "another page".to_owned(), printable),
        ),
        200..=299 => Doubt::Answer(format!(
            "status {}, but not the answer that the provider documents",
            reply.status
        )),
        status => Doubt::Status(status),
    }
}

/// A call that changes something has no answer.
pub(super) fn unanswered(error: &Error) -> Failure {
    match error {
        Error::Timeout { .. } | Error::Unreachable { sent: true, .. } | Error::TooLong { .. } => {
            Failure::Unknown(error.to_string())
        }
        _ => Failure::NotSent(error.to_string()),
    }
}

/// A call that reads has no answer, so that what would change something is not sent.
pub(super) fn unread(error: &Error) -> Failure {
    Failure::NotSent(error.to_string())
}
