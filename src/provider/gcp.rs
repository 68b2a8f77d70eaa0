//! Google Cloud service-account keys: a JWT signed with the private key is exchanged for an access token.
//!
//! Verify: <https://developers.google.com/identity/protocols/oauth2/service-account#error-codes>. The call mints a token with the
//! smallest scope there is; it is dropped unread. Revoke: `keys:disable`, after a grace period `keys.delete`,
//! <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts.keys/disable>. Addresses that stand in the leaked
//! JSON (`token_uri` and its like) are never asked.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::answer::{unanswered, unclear, unread};
use super::authority::is_plain;
use super::sigv4::percent;
use super::staged::{self, Call, Keys, Seen};
use super::template::{Values, printable};
use super::{Authority, Done, Failure, Object, Provider, Revocation, Terms};
use crate::model::{Credential, Doubt, Identity, Secret, Verification};
use crate::net::{Net, Piece, Reply, Request, Text};
use crate::rule::block;

const TOKENS: &str = "https://oauth2.googleapis.com/token";
const IAM: &str = "https://iam.googleapis.com/v1/projects/-/serviceAccounts";
/// What the minted token may do: tell the account's address.
/// The hosts of both.
pub(super) const HOSTS: [&str; 2] = ["oauth2.googleapis.com", "iam.googleapis.com"];
const SCOPE: &str = "https://www.googleapis.com/auth/userinfo.email";
/// Seconds that the signed JWT is good for.
const LIFE: i64 = 300;
/// Name in the caller's configuration.
const NAME: &str = "gcp";

/// `builtin = "gcp"`.
pub struct Gcp;

/// Keys that are disabled and, after a time of grace, deleted.
pub struct GcpRevoke<'b> {
    block: &'b block::Revoke,
}

impl<'b> GcpRevoke<'b> {
    /// As a block says.
    #[must_use]
    pub fn new(block: &'b block::Revoke) -> Self {
        Self { block }
    }
}

/// A service account's key.
struct Key<'a> {
    id: &'a str,
    account: &'a str,
    secret: &'a Secret,
}

impl<'a> Key<'a> {
    fn found(key: &'a Credential) -> Result<Self, Doubt> {
        let part = |name: &str, title: &str| {
            key.part(name)
                .ok_or_else(|| Doubt::Missing(title.to_owned()))
        };
        let id = part("id", "private_key_id")?;
        let account = part("account", "client_email")?;
        if id.len() != 40 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Doubt::Refused(
                "its private_key_id is not 40 hexadecimal digits".to_owned(),
            ));
        }
        if !is_account(account) {
            return Err(Doubt::Refused(
                "its client_email is no address of a service account".to_owned(),
            ));
        }
        Ok(Self {
            id,
            account,
            secret: &key.secret,
        })
    }

    /// The project, where the address tells it.
    fn project(&self) -> Option<&'a str> {
        let domain = self.account.split_once('@')?.1;
        domain
            .strip_suffix(".iam.gserviceaccount.com")
            .filter(|project| !project.contains('.'))
    }

    fn url(&self, action: &str) -> String {
        format!("{IAM}/{}/keys/{}{action}", percent(self.account), self.id)
    }

    /// The JWT that proves that its maker has the key.
    fn assertion(&self, now: Timestamp) -> Result<Zeroizing<String>, Doubt> {
        let key = private_key(self.secret).ok_or_else(|| {
            Doubt::Refused(
                "its private key is no RSA key of 2048 bits or more, as Google's are".to_owned(),
            )
        })?;
        let now = now.as_second();
        let head = json!({ "alg": "RS256", "typ": "JWT", "kid": self.id });
        let claims = json!({
            "iss": self.account, "scope": SCOPE, "aud": TOKENS, "iat": now, "exp": now + LIFE,
        });
        let mut text = Zeroizing::new(format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(head.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        ));
        let mut signature = vec![0; key.public().modulus_len()];
        let signed = key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            text.as_bytes(),
            &mut signature,
        );
        signed.map_err(|_| Doubt::Refused("its private key does not sign".to_owned()))?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(&signature, &mut text);
        Ok(text)
    }
}

/// The key in PEM whose line ends may be written as `\n`.
#[expect(clippy::disallowed_methods, reason = "the private key signs")]
fn private_key(secret: &Secret) -> Option<RsaKeyPair> {
    let text = std::str::from_utf8(secret.expose()).ok()?;
    let (before, rest) = text.split_once("PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END")?;
    let mut clean = Zeroizing::new(String::with_capacity(body.len()));
    let mut is_escape = false;
    for c in body.chars() {
        match c {
            '\\' => is_escape = true,
            'n' | 'r' | 't' if is_escape => is_escape = false,
            c if c.is_ascii_alphanumeric() || c == '+' || c == '/' => {
                is_escape = false;
                clean.push(c);
            }
            c if c.is_whitespace() || c == '=' => is_escape = false,
            _ => return None,
        }
    }
    let der = Zeroizing::new(STANDARD_NO_PAD.decode(clean.as_bytes()).ok()?);
    if before.ends_with("RSA ") {
        RsaKeyPair::from_der(&der).ok()
    } else {
        RsaKeyPair::from_pkcs8(&der).ok()
    }
}

fn is_account(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else {
        return false;
    };
    let fits = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
    };
    fits(name) && fits(domain) && domain.ends_with("gserviceaccount.com") && text.len() <= 200
}

/// The exchange, with this JWT.
fn exchange(assertion: Piece) -> Request {
    let mut body =
        Text::public("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=");
    body.push(assertion);
    Request::new("POST", Text::public(TOKENS))
        .with_body("application/x-www-form-urlencoded", body)
        .reading()
}

fn judge(key: &Key<'_>, reply: &Reply) -> Verification {
    let body = reply.json();
    let field = |name: &str| {
        let value = body.as_ref().and_then(|b| b.get(name));
        value.and_then(Value::as_str).unwrap_or_default()
    };
    let (error, words) = (field("error"), field("error_description"));
    match (reply.status, error) {
        (200, "") if !field("access_token").is_empty() && field("token_type") == "Bearer" => {
            Verification::Active(Identity {
                account: key.project().map(str::to_owned),
                owner: Some(key.account.to_owned()),
                key: Some(key.id.to_owned()),
                ..Identity::default()
            })
        }
        (400, "invalid_grant") if words.starts_with("Invalid JWT Signature") => {
            Verification::Inactive(
                "Google does not accept the key for this account: it was deleted, disabled or has expired"
                    .to_owned(),
            )
        }
        // Said of clients of other kinds and of accounts, too; it does not tell whether the key is dead.
        (400 | 401, "disabled_client") => Verification::Unknown(Doubt::Answer(
            "Google says that the client is disabled: the account, or the key".to_owned(),
        )),
        // Among them a wrong clock, and an account that is not found: one that was deleted can be restored for 30 days.
        (400..=499, error) if !error.is_empty() => Verification::Unknown(Doubt::Answer(
            printable(&format!("{error}: {words}")).trim_end_matches(": ").to_owned(),
        )),
        _ => Verification::Unknown(unclear(reply)),
    }
}

impl Provider for Gcp {
    fn preview(&self, key: &Credential) -> Result<Vec<String>, Doubt> {
        Key::found(key)?;
        Ok(vec![exchange(Piece::Secret(String::new())).shown()])
    }

    fn verify(&self, net: &dyn Net, key: &Credential) -> Verification {
        let asked = Key::found(key).and_then(|key| {
            let assertion = key.assertion(net.now())?;
            let reply = net.send(&exchange(Piece::Secret((*assertion).clone())))?;
            Ok(judge(&key, &reply))
        });
        asked.unwrap_or_else(Verification::Unknown)
    }
}

/// Whether the answer is Google's, and which error it tells: `NOT_FOUND`.
fn status_of(reply: &Reply) -> Option<String> {
    let body = reply.json()?;
    let error = body.get("error")?;
    let is_same = error.get("code")?.as_u64()? == u64::from(reply.status);
    let word = error.get("status")?.as_str()?;
    is_same.then(|| printable(word))
}

fn refused(reply: &Reply, action: &str, is_read: bool) -> Failure {
    let Some(word) = status_of(reply) else {
        let doubt = format!("IAM: {}", unclear(reply));
        return if is_read || matches!(reply.status, 429) {
            Failure::NotSent(doubt)
        } else {
            Failure::Unknown(doubt)
        };
    };
    match (reply.status, word.as_str()) {
        (401, _) => Failure::Authority(
            "Google does not accept the access token that is to do this: make a new one (gcloud auth print-access-token)".to_owned(),
        ),
        (403, _) => Failure::Authority(format!(
            "Google answered {word}: the access token that is to do this needs {action} on the account"
        )),
        (429, _) => Failure::NotSent("Google asks to come again later".to_owned()),
        (404, _) => Failure::Object("Google knows no such key: it is gone already".to_owned()),
        (400..=499, _) => Failure::Refused(format!("Google answered {} {word}", reply.status)),
        (status, _) if is_read => Failure::NotSent(format!("Google answered {status} {word}")),
        (status, _) => Failure::Unknown(format!("Google answered {status} {word}")),
    }
}

fn bearer(authority: &Authority) -> Result<Text, Failure> {
    let token = authority.text(NAME, "access_token", is_plain)?;
    let mut value = Text::public("Bearer ");
    value.push(Piece::Secret(token.to_owned()));
    Ok(value)
}

/// A leaked key, and who may end it.
struct Held<'r> {
    of: Revocation<'r>,
    key: Key<'r>,
}

impl<'r> Held<'r> {
    fn of(of: &Revocation<'r>) -> Result<Self, Failure> {
        let key = Key::found(of.leak.credential());
        let key = key.map_err(|doubt| Failure::NotSent(doubt.to_string()))?;
        Ok(Self { of: *of, key })
    }
}

impl staged::Held for Held<'_> {
    const TITLE: &'static str = "the key";

    fn id(&self) -> &str {
        self.key.id
    }

    fn look(&self) -> Result<Seen, Failure> {
        let request = Request::new("GET", Text::public(self.key.url("")))
            .with_header("Authorization", bearer(self.of.authority)?);
        let reply = self.of.net.send(&request).map_err(|e| unread(&e))?;
        if reply.status == 404 && status_of(&reply).as_deref() == Some("NOT_FOUND") {
            return Ok(Seen::Gone);
        }
        let body = reply.json().filter(|_| reply.status == 200);
        let name = body.as_ref().and_then(|b| b.get("name")?.as_str());
        let ends = format!("/keys/{}", self.key.id);
        match (name, &body) {
            (Some(name), Some(body)) if name.ends_with(&ends) => {
                let is_disabled = body.get("disabled").and_then(Value::as_bool);
                Ok(if is_disabled == Some(true) {
                    Seen::Inactive
                } else {
                    Seen::Live
                })
            }
            _ => Err(refused(&reply, "iam.serviceAccountKeys.get", true)),
        }
    }

    fn change(&self, call: Call) -> Result<Done, Failure> {
        let (request, action) = change(&self.key, call);
        let request = request.with_header("Authorization", bearer(self.of.authority)?);
        let reply = self.of.net.send(&request).map_err(|e| unanswered(&e))?;
        // Both answer an empty JSON object.
        if reply.status == 200 && reply.json().is_some_and(|body| body == json!({})) {
            return Ok(Done {
                answer: reply.status.to_string(),
                was_gone: false,
            });
        }
        if reply.status == 404 && status_of(&reply).as_deref() == Some("NOT_FOUND") {
            return Ok(Done {
                answer: "404 NOT_FOUND".to_owned(),
                was_gone: true,
            });
        }
        Err(refused(&reply, action, false))
    }
}

fn change(key: &Key<'_>, call: Call) -> (Request, &'static str) {
    match call {
        Call::Deactivate => (
            Request::new("POST", Text::public(key.url(":disable")))
                .with_body("application/json", Text::public("{}")),
            "iam.serviceAccountKeys.disable",
        ),
        Call::Delete => (
            Request::new("DELETE", Text::public(key.url(""))),
            "iam.serviceAccountKeys.delete",
        ),
    }
}

impl Keys for GcpRevoke<'_> {
    fn terms(&self, key: &Credential) -> Terms {
        let names = match Key::found(key) {
            Ok(key) => Values::naming(&[("id", key.id), ("account", key.account)]),
            Err(_) => Values::naming(&[]),
        };
        Terms::of(self.block, NAME, &names).deleting("disable")
    }

    fn find(&self, of: &Revocation<'_>) -> Result<Object, Failure> {
        let held = Held::of(of)?;
        let key = &held.key;
        match staged::Held::look(&held)? {
            Seen::Live | Seen::Inactive => Ok(Object {
                id: key.id.to_owned(),
                title: format!("the key {} of the service account {}", key.id, key.account),
                facts: [("account".to_owned(), key.account.to_owned())].into(),
            }),
            Seen::Gone => Err(Failure::Object(format!(
                "the service account {} has no key {}: it is gone already",
                key.account, key.id
            ))),
        }
    }

    fn held<'r>(&self, of: &Revocation<'r>, _: &'r Object) -> Result<impl staged::Held, Failure> {
        Held::of(of)
    }

    fn preview(&self, key: &Credential, _: &Authority, call: Call) -> Result<String, Doubt> {
        let (request, _) = change(&Key::found(key)?, call);
        Ok(request
            .with_header("Authorization", Text::public("Bearer …"))
            .shown())
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::unnecessary_wraps,
    reason = "a test that panics has failed; answers of the fake network"
)]
#[path = "gcp_tests.rs"]
mod tests;
