//! Requests that can be shown without their secrets, and answers that are dropped once read.

use std::fmt::{self, Write as _};
use std::time::Duration;

use jiff::Timestamp;
use zeroize::Zeroize;

use super::http::retry_after;

/// A piece of text that is public or secret.
#[derive(Clone)]
pub enum Piece {
    /// May be shown.
    Public(String),
    /// Must not be shown.
    Secret(String),
}

/// Text of a request, with what of it is secret.
#[derive(Clone, Default)]
pub struct Text(Vec<Piece>);

impl Text {
    /// Text that may be shown.
    #[must_use]
    pub fn public(text: impl Into<String>) -> Self {
        Self(vec![Piece::Public(text.into())])
    }

    /// Text that must not be shown.
    #[must_use]
    pub fn secret(text: impl Into<String>) -> Self {
        Self(vec![Piece::Secret(text.into())])
    }

    /// Adds a piece.
    pub fn push(&mut self, piece: Piece) {
        self.0.push(piece);
    }

    /// Adds text.
    pub fn append(&mut self, text: Self) {
        let mut text = text;
        self.0.append(&mut text.0);
    }

    /// The text in clear, for the wire; wiped by whoever has used it.
    #[must_use]
    pub fn wire(&self) -> String {
        self.0
            .iter()
            .map(|p| match p {
                Piece::Public(text) | Piece::Secret(text) => text.as_str(),
            })
            .collect()
    }

    /// The text with `…` for each secret.
    #[must_use]
    pub fn shown(&self) -> String {
        self.0
            .iter()
            .map(|p| match p {
                Piece::Public(text) => text.as_str(),
                Piece::Secret(_) => "…",
            })
            .collect()
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Self::Secret(text) = self {
            text.zeroize();
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// An HTTP request. `Debug` shows it redacted.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST`, ….
    pub method: String,
    /// `https://host/path?query`.
    pub url: Text,
    /// Header fields in order.
    pub headers: Vec<(String, Text)>,
    /// The body; `Content-Type` is among the headers.
    pub body: Option<Text>,
    /// Whether the call changes nothing, so that it may be repeated; a POST can be a read (`auth.test`).
    pub is_read: bool,
    /// Requests a second that the provider allows, where it says so.
    pub per_second: Option<f64>,
    /// Longest that it may wait for its turn, and for another try, whatever the host asks for; without it, as long as the run may take.
    pub patience: Option<Duration>,
}

impl Request {
    /// A request without header fields and body; it counts as a read if the method is GET or HEAD.
    #[must_use]
    pub fn new(method: &str, url: Text) -> Self {
        Self {
            method: method.to_owned(),
            url,
            headers: Vec::new(),
            body: None,
            is_read: matches!(method, "GET" | "HEAD"),
            per_second: None,
            patience: None,
        }
    }

    /// The same with a header field.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: Text) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: Text) -> Self {
        self.headers
            .push(("Content-Type".to_owned(), Text::public(content_type)));
        self.body = Some(body);
        self
    }

    /// The same as a read, whatever its method.
    #[must_use]
    pub fn reading(mut self) -> Self {
        self.is_read = true;
        self
    }

    /// The request for people, redacted: method and address, header fields, body.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut text = format!("{} {}", self.method, self.url.shown());
        for (name, value) in &self.headers {
            let _ = write!(text, "\n{name}: {}", value.shown());
        }
        if let Some(body) = &self.body {
            let _ = write!(text, "\n\n{}", body.shown());
        }
        text
    }
}

/// An answer. It is read into the fields that are needed, then dropped and wiped; `Debug` shows status and length.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Reply {
    /// An answer as it came.
    #[must_use]
    pub fn new(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        Self {
            status,
            headers,
            body,
        }
    }

    /// The first header field of a name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether it says that too much was asked, and until when no more is answered, as far as it tells.
    #[must_use]
    pub fn limited(&self, now: Timestamp) -> Option<Option<Timestamp>> {
        if !matches!(self.status, 403 | 429) {
            return None;
        }
        let wait = self
            .header("Retry-After")
            .and_then(|text| retry_after(text, now))
            .map(|wait| now.checked_add(wait).unwrap_or(Timestamp::MAX));
        // GitHub's names, which others have taken over; the reset is a time in seconds.
        let is_spent = self.header("X-RateLimit-Remaining") == Some("0");
        let reset = self.header("X-RateLimit-Reset").filter(|_| is_spent);
        let reset = reset.and_then(|text| text.trim().parse().ok());
        let reset = reset.and_then(|second| Timestamp::from_second(second).ok());
        let says = || self.text().to_ascii_lowercase().contains("rate limit");
        let is_limit = self.status == 429 || wait.is_some() || is_spent || says();
        is_limit.then(|| wait.or(reset.filter(|reset| *reset > now)))
    }

    /// The body as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, if it is.
    #[must_use]
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Bytes of the body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.status, self.body.len())
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.body.zeroize();
        for (_, value) in &mut self.headers {
            value.zeroize();
        }
    }
}
