//! AWS Signature Version 4: requests signed with an access key.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::fmt::Write as _;

use jiff::Timestamp;
use ring::{digest, hmac};
use zeroize::Zeroizing;

use crate::net::{Piece, Request, Text};

/// An access key and what it signs for.
pub(super) struct Signer<'a> {
    /// Access key id.
    pub(super) id: &'a str,
    /// Its secret.
    pub(super) secret: &'a [u8],
    /// Session token, for temporary keys.
    pub(super) token: Option<&'a str>,
    /// Region: `us-east-1`.
    pub(super) region: &'a str,
    /// Service: `sts`.
    pub(super) service: &'a str,
}

impl Signer<'_> {
    /// The request with `Host`, `X-Amz-Date`, the session token and `Authorization`. All header fields are signed. `Host` is
    /// explicit, so that the signature also holds where the caller has the host's traffic sent to an endpoint of their own.
    pub(super) fn sign(&self, request: Request, now: Timestamp) -> Request {
        let url = Zeroizing::new(request.url.wire());
        let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = before
            .find('/')
            .map_or((before, "/"), |at| before.split_at(at));
        let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let day = stamp.get(..8).unwrap_or_default().to_owned();

        let mut request = request.with_header("Host", Text::public(host));
        request = request.with_header("X-Amz-Date", Text::public(stamp.as_str()));
        if let Some(token) = self.token {
            request = request.with_header("X-Amz-Security-Token", Text::secret(token));
        }
        let mut headers: Vec<(String, Zeroizing<String>)> = request
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), trimmed(&value.wire())))
            .collect();
        headers.sort_by(|a, b| a.0.cmp(&b.0));
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");

        let mut canonical = Zeroizing::new(format!(
            "{}\n{path}\n{}\n",
            request.method,
            sorted_query(query)
        ));
        for (name, value) in &headers {
            let _ = writeln!(canonical, "{name}:{}", value.as_str());
        }
        let body = Zeroizing::new(request.body.as_ref().map(Text::wire).unwrap_or_default());
        let _ = write!(canonical, "\n{names}\n{}", sha256(body.as_bytes()));

        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}",
            sha256(canonical.as_bytes())
        );
        let signature = hex(&self.key(&day), to_sign.as_bytes());
        let mut authorization = Text::public(format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature=",
            self.id
        ));
        authorization.push(Piece::Secret(signature));
        request.with_header("Authorization", authorization)
    }

    /// The request as a plan shows it: the time is not known yet.
    pub(super) fn preview(&self, request: &Request) -> String {
        let mut shown = request.clone();
        shown.headers.push((
            "Authorization".to_owned(),
            Text::public(format!(
                "AWS4-HMAC-SHA256 Credential={}/…/{}/{}/aws4_request, Signature=…",
                self.id, self.region, self.service
            )),
        ));
        if self.token.is_some() {
            shown
                .headers
                .push(("X-Amz-Security-Token".to_owned(), Text::public("…")));
        }
        shown.shown()
    }

    /// The key of a day, region and service.
    fn key(&self, day: &str) -> hmac::Key {
        let mut first = Zeroizing::new(b"AWS4".to_vec());
        first.extend_from_slice(self.secret);
        let mut key = hmac::Key::new(hmac::HMAC_SHA256, &first);
        for part in [day, self.region, self.service, "aws4_request"] {
            let tag = hmac::sign(&key, part.as_bytes());
            key = hmac::Key::new(hmac::HMAC_SHA256, tag.as_ref());
        }
        key
    }
}

fn hex(key: &hmac::Key, data: &[u8]) -> String {
    digits(hmac::sign(key, data).as_ref())
}

fn sha256(data: &[u8]) -> String {
    digits(digest::digest(&digest::SHA256, data).as_ref())
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A header's value as it is signed: blanks around it gone, several in a row as one.
fn trimmed(value: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(value.len()));
    for word in value.split_ascii_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// The query's fields in order, each with `=`.
fn sorted_query(query: &str) -> String {
    let mut fields: Vec<(&str, &str)> = query
        .split('&')
        .filter(|field| !field.is_empty())
        .map(|field| field.split_once('=').unwrap_or((field, "")))
        .collect();
    fields.sort_unstable();
    let fields: Vec<String> = fields.iter().map(|(k, v)| format!("{k}={v}")).collect();
    fields.join("&")
}

/// RFC 3986 percent-encoding, as names and values of queries and forms are signed.
pub(super) fn percent(value: &str) -> String {
    value.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of AWS's published test suite.
    const SECRET: &str = concat!("wJalrX", "UtnFEMI/K7MDENG+bPxRfiCY", "EXAMPLEKEY");

    fn signature(request: Request, service: &str, token: Option<&str>) -> String {
        let signer = Signer {
            id: "AKIDEXAMPLE",
            secret: SECRET.as_bytes(),
            token,
            region: "us-east-1",
            service,
        };
        let now: Timestamp = "2015-08-30T12:36:00Z".parse().expect("a time");
        let request = signer.sign(request, now);
        let (name, value) = request.headers.last().expect("a header");
        assert_eq!(name, "Authorization");
        assert!(value.shown().ends_with("Signature=…"), "{}", value.shown());
        value.wire().replacen("AWS4-HMAC-SHA256 Credential=", "", 1)
    }

    fn get(url: &str) -> Request {
        Request::new("GET", Text::public(url))
    }

    // Names and values of https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-test-suite.html; the last one is the
    // worked example of the same guide.
    #[test]
    fn signatures_of_the_published_test_suite() {
        let cases = [
            (
                "get-vanilla",
                signature(get("https://example.amazonaws.com/"), "service", None),
                "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-vanilla-query-order-key-case",
                signature(
                    get("https://example.amazonaws.com/?Param2=value2&Param1=value1"),
                    "service",
                    None,
                ),
                "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "post-x-www-form-urlencoded",
                signature(
                    Request::new("POST", Text::public("https://example.amazonaws.com/")).with_body(
                        "application/x-www-form-urlencoded",
                        Text::public("Param1=value1"),
                    ),
                    "service",
                    None,
                ),
                "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                "get-header-value-trim",
                signature(
                    get("https://example.amazonaws.com/")
                        .with_header("My-Header1", Text::public(" value1"))
                        .with_header("My-Header2", Text::public(" \"a   b   c\"")),
                    "service",
                    None,
                ),
                "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;my-header1;my-header2;x-amz-date, Signature=acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
            ),
            (
                "iam-list-users",
                signature(
                    get("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08")
                        .with_header(
                            "Content-Type",
                            Text::public("application/x-www-form-urlencoded; charset=utf-8"),
                        ),
                    "iam",
                    None,
                ),
                "AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            ),
        ];
        for (name, signed, expected) in cases {
            assert_eq!(signed, expected, "{name}");
        }
    }

    #[test]
    fn a_session_token_is_signed_and_not_shown() {
        let signer = Signer {
            id: "AKIDEXAMPLE",
            secret: SECRET.as_bytes(),
            token: Some("token-of-a-session"),
            region: "us-east-1",
            service: "sts",
        };
        let request = signer.sign(get("https://sts.amazonaws.com/"), Timestamp::UNIX_EPOCH);
        assert!(
            request
                .shown()
                .contains("SignedHeaders=host;x-amz-date;x-amz-security-token")
        );
        assert!(!request.shown().contains("token-of-a-session"));
        assert!(!format!("{request:?}").contains("token-of-a-session"));
    }

    #[test]
    fn names_are_escaped_as_they_are_signed() {
        assert_eq!(percent("a b/ü+~"), "a%20b%2F%C3%BC%2B~");
    }
}
