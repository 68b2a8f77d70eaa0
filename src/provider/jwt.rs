//! JSON Web Tokens, read offline: nothing is asked, because the issuer's address stands in the token.
//!
//! A token whose `exp` has passed is inactive, <https://datatracker.ietf.org/doc/html/rfc7519#section-4.1.4>. Of any other nothing is
//! known: its signature would have to be checked with the issuer's key, and the issuer may have ended it.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use serde_json::Value;
use zeroize::Zeroizing;

use super::Provider;
use super::template::printable;
use crate::model::{Credential, Doubt, Secret, Verification};
use crate::net::Net;

/// Seconds that two clocks may differ.
const LEEWAY: i64 = 300;
/// No date, but milliseconds: the year 5138.
const SECONDS: i64 = 100_000_000_000;

const LOOSE: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LOOSE);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LOOSE);

/// `builtin = "jwt"`.
pub struct Jwt;

/// What a token says of itself.
struct Claims {
    head: Value,
    body: Value,
}

impl Claims {
    /// Of a token, or of one that is encoded in base64 once more.
    #[expect(clippy::disallowed_methods, reason = "public claims are read")]
    fn read(secret: &Secret) -> Option<Self> {
        let mut bytes = Zeroizing::new(secret.expose().to_vec());
        if !bytes.contains(&b'.') {
            bytes = Zeroizing::new(PLAIN.decode(bytes.as_slice()).ok()?);
        }
        let text = std::str::from_utf8(&bytes).ok()?;
        let mut parts = text.trim().split('.');
        let object = |part: Option<&str>| -> Option<Value> {
            let json = Zeroizing::new(URL.decode(part?).ok()?);
            serde_json::from_slice(&json).ok().filter(Value::is_object)
        };
        Some(Self {
            head: object(parts.next())?,
            body: object(parts.next())?,
        })
    }

    fn judge(&self, now: Timestamp) -> Verification {
        let expires = self.body.get("exp").and_then(number);
        if let Some(at) = expires
            && at < now.as_second() - LEEWAY
        {
            return Verification::Inactive(format!("it expired at {}", date(at)));
        }
        let mut told = vec!["a JWT is only read, its issuer is not asked".to_owned()];
        let algorithm = self.head.get("alg").and_then(Value::as_str);
        if algorithm.is_some_and(|alg| alg.eq_ignore_ascii_case("none")) {
            told.push("nobody signed it (alg none)".to_owned());
        }
        for (name, title) in [
            ("iss", "issuer"),
            ("sub", "subject"),
            ("aud", "audience"),
            ("scope", "scope"),
            ("scp", "scope"),
        ] {
            if let Some(value) = self.body.get(name).and_then(words) {
                told.push(format!("{title} {value}"));
            }
        }
        told.push(match (expires, self.body.get("exp")) {
            (Some(at), _) => format!("good until {}", date(at)),
            (None, Some(_)) => "its exp is no date".to_owned(),
            (None, None) => "it never expires".to_owned(),
        });
        if let Some(at) = self.body.get("nbf").and_then(number)
            && at > now.as_second() + LEEWAY
        {
            told.push(format!("not before {}", date(at)));
        }
        Verification::Unknown(Doubt::Refused(told.join("; ")))
    }
}

/// Seconds since 1970; a fraction is cut.
fn number(value: &Value) -> Option<i64> {
    let seconds = value
        .as_i64()
        .or_else(|| value.as_f64().map(|f| f.floor() as i64))?;
    (0..SECONDS).contains(&seconds).then_some(seconds)
}

fn date(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |at| at.to_string())
}

/// A text, or a list of texts.
fn words(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => {
            let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            texts.join(" ")
        }
        _ => return None,
    };
    (!text.is_empty()).then(|| printable(&text))
}

impl Provider for Jwt {
    fn preview(&self, _key: &Credential) -> Result<Vec<String>, Doubt> {
        Ok(Vec::new())
    }

    fn verify(&self, net: &dyn Net, key: &Credential) -> Verification {
        match Claims::read(&key.secret) {
            Some(claims) => claims.judge(net.now()),
            None => Verification::Unknown(Doubt::Refused("its claims are not readable".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(head: &Value, body: &Value, wrap: bool) -> Verification {
        let part = |value: &Value| URL.encode(value.to_string()).replace('=', "");
        let mut text = format!("{}.{}.c2lnbmF0dXJl", part(head), part(body));
        if wrap {
            text = PLAIN.encode(text);
        }
        let claims = Claims::read(&Secret::new(text.as_bytes(), "")).expect("a token");
        claims.judge("2026-01-01T00:00:00Z".parse().expect("a time"))
    }

    fn rs256() -> Value {
        json!({ "alg": "RS256" })
    }

    #[test]
    fn an_expired_token_is_inactive_plain_or_encoded_again() {
        for wrap in [false, true] {
            for exp in [json!(1_700_000_000), json!(1_700_000_000.5)] {
                let said = judged(&rs256(), &json!({ "exp": exp }), wrap);
                assert_eq!(
                    said,
                    Verification::Inactive("it expired at 2023-11-14T22:13:20Z".to_owned())
                );
            }
        }
    }

    #[test]
    fn any_other_token_is_unknown_and_tells_whose_it_is() {
        let body = json!({
            "iss": "https://auth.example/\u{1b}[2J", "sub": "ci", "aud": ["a", "b"], "scope": "read", "exp": 1_800_000_000, "nbf": 1_790_000_000,
        });
        let Verification::Unknown(doubt) = judged(&json!({ "alg": "None" }), &body, false) else {
            panic!("it is not known")
        };
        assert_eq!(
            doubt.to_string(),
            "not asked: a JWT is only read, its issuer is not asked; nobody signed it (alg none); issuer https://auth.example/?[2J; subject ci; audience a b; scope read; good until 2027-01-15T08:00:00Z; not before 2026-09-21T14:13:20Z"
        );
    }

    #[test]
    fn what_is_no_date_expires_nothing() {
        // Milliseconds, a text, before 1970, just now.
        for exp in [
            json!(1_700_000_000_000_i64),
            json!("1700000000"),
            json!(-1),
            json!(1e300),
            json!(null),
            json!(1_767_225_600 - 60),
        ] {
            let said = judged(&rs256(), &json!({ "exp": exp }), false);
            assert_eq!(said.word(), "unknown", "{exp}");
        }
        assert_eq!(judged(&rs256(), &json!({}), false).word(), "unknown");
    }

    #[test]
    fn what_is_no_token_is_not_read() {
        for text in [
            "",
            "a.b.c",
            "eyJ",
            "....",
            "e30",
            "W10.W10.x",
            "\u{ff}.\u{fe}",
        ] {
            assert!(
                Claims::read(&Secret::new(text.as_bytes(), "")).is_none(),
                "{text}"
            );
        }
    }
}
