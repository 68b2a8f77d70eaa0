use std::process::Command;
use std::sync::{Mutex, OnceLock};

use super::super::fake::{Fake, active, credential, is_kept_while_active, reply, trouble};
use super::super::staged::Staged;
use super::super::{Effect, Revoke};
use super::*;
use crate::model::{ConfirmedLeak, Finding};
use crate::net::Error;
use crate::rule::block::Blocks;

const ACCOUNT: &str = "ci@demo-4711.iam.gserviceaccount.com";

fn id() -> String {
    "0f".repeat(20)
}

fn neighbour() -> String {
    "1e".repeat(20)
}

/// A key that openssl makes: none stands in a file.
fn pem() -> &'static str {
    static PEM: OnceLock<String> = OnceLock::new();
    PEM.get_or_init(|| {
        let made = Command::new("openssl")
            .args([
                "genpkey",
                "-algorithm",
                "RSA",
                "-pkeyopt",
                "rsa_keygen_bits:2048",
            ])
            .output()
            .expect("openssl is installed");
        assert!(made.status.success());
        String::from_utf8(made.stdout).expect("PEM is text")
    })
}

fn key() -> Credential {
    let escaped = pem().replace('\n', "\\n");
    credential(&escaped, &[("id", &id()), ("account", ACCOUNT)])
}

/// As the rule files say.
fn ending() -> Staged<GcpRevoke<'static>> {
    static BLOCKS: OnceLock<Blocks> = OnceLock::new();
    let blocks = BLOCKS.get_or_init(|| Blocks::load(&[]).unwrap());
    Staged(GcpRevoke::new(&blocks.revoke["gcp.service-account-key"]))
}

fn said(status: u16, body: &str) -> Verification {
    Gcp.verify(&Fake::always(status, body), &key())
}

#[test]
fn the_assertion_is_signed_by_the_key_and_sent_to_google_alone() {
    let net = Fake::always(
        200,
        r#"{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}"#,
    );
    let Verification::Active(identity) = Gcp.verify(&net, &key()) else {
        panic!("active")
    };
    assert_eq!(identity.account.as_deref(), Some("demo-4711"));
    assert_eq!(identity.owner.as_deref(), Some(ACCOUNT));
    assert_eq!(identity.key, Some(id()));
    assert_eq!(identity.level, None);

    let line = net.lines().remove(0);
    let assertion = line.split_once("&assertion=").unwrap().1;
    assert!(
        line.starts_with("POST oauth2.googleapis.com/token grant_type="),
        "{line}"
    );
    let (text, signature) = assertion.rsplit_once('.').unwrap();
    let (head, claims) = text.split_once('.').unwrap();
    let json = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(
        json(head),
        json!({ "alg": "RS256", "typ": "JWT", "kid": id() })
    );
    assert_eq!(json(claims)["iss"], ACCOUNT);
    assert_eq!(json(claims)["aud"], TOKENS);
    assert_eq!(json(claims)["scope"], SCOPE);
    let public = private_key(&key().secret).unwrap();
    let public = public.public();
    ring::signature::UnparsedPublicKey::new(&ring::signature::RSA_PKCS1_2048_8192_SHA256, public)
        .verify(text.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .unwrap();
    let seen = net.seen.lock().unwrap();
    assert!(!seen[0].shown().contains(signature), "{}", seen[0].shown());
}

#[test]
fn keys_are_read_however_their_lines_end() {
    let plain = pem();
    let indented = plain.replace('\n', "\n    ");
    let twice = plain.replace('\n', "\\\\n");
    let windows = plain.replace('\n', "\\r\\n");
    for text in [plain, &indented, &twice, &windows] {
        assert!(
            private_key(&Secret::new(text.as_bytes(), "")).is_some(),
            "{text:.40}"
        );
    }
    let cut = plain.replacen("MI", "", 1);
    for text in [
        "",
        "PRIVATE KEY----------END",
        &cut,
        "-----BEGIN PRIVATE KEY-----\n<x>\n-----END",
    ] {
        assert!(
            private_key(&Secret::new(text.as_bytes(), "")).is_none(),
            "{text:.40}"
        );
    }
}

#[test]
fn only_the_documented_answers_are_inactive() {
    for (status, body, word) in [
        (
            400,
            r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#,
            "inactive",
        ),
        (
            401,
            r#"{"error":"disabled_client","error_description":"The OAuth client was disabled."}"#,
            "unknown",
        ),
        (
            400,
            r#"{"error":"invalid_grant","error_description":"Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."}"#,
            "unknown",
        ),
        (
            400,
            r#"{"error":"invalid_grant","error_description":"Invalid grant: account not found"}"#,
            "unknown",
        ),
        (400, r#"{"error":"invalid_grant"}"#, "unknown"),
        (
            400,
            r#"{"error":"invalid_scope","error_description":"Invalid JWT Signature."}"#,
            "unknown",
        ),
        (
            500,
            r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#,
            "unknown",
        ),
        (
            401,
            r#"{"error":"unauthorized_client","error_description":"no"}"#,
            "unknown",
        ),
        (
            200,
            r#"{"access_token":"","token_type":"Bearer"}"#,
            "unknown",
        ),
        (200, r#"{"access_token":"x"}"#, "unknown"),
    ] {
        assert_eq!(said(status, body).word(), word, "{status} {body}");
    }
    for (status, body) in trouble() {
        assert_eq!(said(status, &body).word(), "unknown", "{status} {body:.60}");
    }
}

#[test]
fn what_is_no_service_account_is_not_asked() {
    let net = Fake::new(|_| panic!("nothing is sent"));
    let id = id();
    for parts in [
        vec![("id", id.as_str())],
        vec![("account", ACCOUNT)],
        vec![("id", "12"), ("account", ACCOUNT)],
        vec![("id", &id), ("account", "jo@example.org")],
        vec![("id", &id), ("account", "a/../b@x.gserviceaccount.com")],
    ] {
        let key = credential(pem(), &parts);
        assert_eq!(Gcp.verify(&net, &key).word(), "unknown", "{parts:?}");
    }
    let weak = credential(
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        &[("id", &id), ("account", ACCOUNT)],
    );
    assert_eq!(Gcp.verify(&net, &weak).word(), "unknown");
}

/// IAM with the account's keys and whether each is disabled.
struct Iam(Mutex<Vec<(String, bool)>>);

impl Iam {
    fn new() -> Self {
        Self(Mutex::new(vec![(neighbour(), false), (id(), false)]))
    }

    fn answer(&self, request: &Request) -> Result<Reply, Error> {
        let url = request.url.wire();
        let authorization = request
            .headers
            .iter()
            .find(|(n, _)| n == "Authorization")
            .map(|(_, v)| v.wire());
        let error = |status: u16, word: &str| {
            reply(
                status,
                &json!({ "error": { "code": status, "message": "no", "status": word } })
                    .to_string(),
            )
        };
        match authorization.as_deref() {
            Some("Bearer owner") => {}
            Some("Bearer weak") => return Ok(error(403, "PERMISSION_DENIED")),
            _ => return Ok(error(401, "UNAUTHENTICATED")),
        }
        let path = url
            .strip_prefix("https://iam.googleapis.com/v1/projects/-/serviceAccounts/ci%40demo-4711.iam.gserviceaccount.com/keys/")
            .expect("the account's keys");
        let (id, action) = path.split_once(':').unwrap_or((path, ""));
        let mut keys = self.0.lock().unwrap();
        let Some(at) = keys.iter().position(|(known, _)| known == id) else {
            return Ok(error(404, "NOT_FOUND"));
        };
        assert_eq!(request.is_read, request.method == "GET");
        Ok(match (request.method.as_str(), action) {
            ("GET", "") => {
                let name = format!("projects/demo-4711/serviceAccounts/{ACCOUNT}/keys/{id}");
                let mut body = json!({ "name": name, "keyType": "USER_MANAGED" });
                if keys[at].1 {
                    body["disabled"] = json!(true);
                }
                reply(200, &body.to_string())
            }
            ("POST", "disable") => {
                keys[at].1 = true;
                reply(200, "{}")
            }
            ("DELETE", "") => {
                keys.remove(at);
                reply(200, "{}\n")
            }
            _ => error(404, "NOT_FOUND"),
        })
    }
}

fn authority(token: &str) -> Authority {
    Authority {
        parts: [("access_token".to_owned(), Secret::new(token.as_bytes(), ""))].into(),
    }
}

/// The leaked key is ended by who may do it.
fn by_owner<'n>(net: &'n Fake<'_>) -> Revocation<'n> {
    static FINDING: OnceLock<Finding> = OnceLock::new();
    static LEAK: OnceLock<ConfirmedLeak<'_>> = OnceLock::new();
    static OWNER: OnceLock<Authority> = OnceLock::new();
    let finding = || FINDING.get_or_init(|| active(key(), Identity::default()));
    Revocation {
        net,
        leak: LEAK.get_or_init(|| ConfirmedLeak::new(finding()).unwrap()),
        authority: OWNER.get_or_init(|| authority("owner")),
    }
}

#[test]
fn exactly_the_leaked_key_is_disabled_and_later_deleted() {
    let iam = Iam::new();
    let net = Fake::new(|request| iam.answer(request));
    let of = by_owner(&net);
    let object = ending().find(&of).unwrap();
    assert_eq!(object.id, id());
    let effect = |stage| ending().effect(&of, &object, stage);
    let run = |stage| ending().run(&of, &object, stage).unwrap();
    assert_eq!((effect(0), effect(1)), (Effect::NotThere, Effect::NotThere));
    assert!(!run(0).was_gone);
    assert_eq!((effect(0), effect(1)), (Effect::There, Effect::NotThere));
    assert!(!run(1).was_gone);
    assert_eq!((effect(0), effect(1)), (Effect::There, Effect::There));
    assert!(run(0).was_gone && run(1).was_gone);
    assert_eq!(*iam.0.lock().unwrap(), [(neighbour(), false)]);
    assert!(matches!(ending().find(&of), Err(Failure::Object(_))));
}

#[test]
fn a_key_that_is_enabled_again_is_not_deleted() {
    let iam = Iam::new();
    let net = Fake::new(|request| iam.answer(request));
    let of = by_owner(&net);
    is_kept_while_active(&ending(), &of, || {
        let lines = net.lines();
        lines.iter().filter(|line| !line.starts_with("GET")).count()
    });
}

#[test]
fn the_wrong_authority_does_nothing() {
    let iam = Iam::new();
    let net = Fake::new(|request| iam.answer(request));
    let of = by_owner(&net);
    let object = ending().find(&of).unwrap();
    for token in ["", "weak", "stranger", "a\nb"] {
        let other = authority(token);
        let of = Revocation {
            authority: &other,
            ..of
        };
        let found = ending().find(&of);
        assert!(
            matches!(found, Err(Failure::Authority(_))),
            "{token:?} {found:?}"
        );
        let done = ending().run(&of, &object, 0);
        assert!(
            matches!(done, Err(Failure::Authority(_))),
            "{token:?} {done:?}"
        );
    }
    assert!(iam.0.lock().unwrap().iter().all(|(_, disabled)| !disabled));
    let mut other = object;
    other.id = neighbour();
    let done = ending().run(&of, &other, 0);
    assert!(matches!(done, Err(Failure::Object(_))), "{done:?}");
}

#[test]
fn what_may_have_been_done_is_unknown() {
    let object = Object {
        id: id(),
        ..Object::default()
    };
    for (status, body) in trouble() {
        // An empty object is the documented answer.
        if (status, body.as_str()) == (200, "{}") {
            continue;
        }
        let net = Fake::always(status, &body);
        let of = by_owner(&net);
        let done = ending().run(&of, &object, 0);
        let is_open = matches!(done, Err(Failure::Unknown(_)))
            || status == 429 && matches!(done, Err(Failure::NotSent(_)));
        assert!(is_open, "{status} {body:.60} {done:?}");
        let seen = ending().effect(&of, &object, 0);
        assert!(
            matches!(seen, Effect::Unknown(_)),
            "{status} {body:.60} {seen:?}"
        );
    }
}

#[test]
fn previews_show_no_secret() {
    let shown = Provider::preview(&Gcp, &key()).unwrap().join("\n");
    assert!(
        shown.contains("POST https://oauth2.googleapis.com/token"),
        "{shown}"
    );
    let shown = ending().preview(&key(), &authority("owner"), 0).unwrap();
    assert!(
        shown.contains(":disable") && !shown.contains("owner"),
        "{shown}"
    );
}
