//! Google's service-account keys: the program's own client against a server on loopback that plays the token endpoint and IAM, as
//! <https://developers.google.com/identity/protocols/oauth2/service-account> and
//! <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts.keys> describe them. openssl makes the keys and
//! checks what is signed with them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use keysweep::model::{ConfirmedLeak, Finding, Secret};
use keysweep::provider::{Authority, Effect, Failure, Revocation};
use keysweep::scan::Options;
use serde_json::{Value, json};

use super::database::{active, object, proven, registry, verify};
use super::playground::{self, Playground};
use crate::support::found;
use crate::support::http::{Answer, Seen, Server};

const ACCOUNT: &str = "deploy@demo-4711.iam.gserviceaccount.com";
const TOKENS: &str = "https://oauth2.googleapis.com/token";
/// What the owner's access token is.
const OWNER: &str = "token-of-the-owner";

fn leak_id() -> String {
    "9c1ae0b275".repeat(4)
}

fn neighbour_id() -> String {
    "1e48d7f360".repeat(4)
}

fn openssl(arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut running = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl is installed");
    running.stdin.take().unwrap().write_all(input).unwrap();
    let ended = running.wait_with_output().unwrap();
    ended.status.success().then_some(ended.stdout)
}

/// A key of the account as Google keeps it.
struct Kept {
    public: Vec<u8>,
    is_disabled: bool,
}

/// The account's keys by id, and how often one was changed.
#[derive(Default)]
struct Google {
    keys: Mutex<BTreeMap<String, Kept>>,
    changes: Mutex<usize>,
}

impl Google {
    /// Makes a key; what its owner downloads.
    fn make(&self, id: &str) -> String {
        let private = openssl(&["genrsa", "2048"], b"").unwrap();
        let public = openssl(&["rsa", "-pubout"], &private).unwrap();
        let kept = Kept {
            public,
            is_disabled: false,
        };
        self.keys.lock().unwrap().insert(id.to_owned(), kept);
        format!(
            "{{\n  \"type\": \"service_account\",\n  \"project_id\": \"demo-4711\",\n  \"private_key_id\": \"{id}\",\n  \"private_key\": {},\n  \"client_email\": \"{ACCOUNT}\",\n  \"client_id\": \"104857600000000000001\",\n  \"token_uri\": \"http://127.0.0.1:9/token\"\n}}\n",
            json!(String::from_utf8(private).unwrap())
        )
    }

    fn answer(&self, seen: &Seen) -> Answer {
        let (status, body) = match (seen.method.as_str(), seen.path()) {
            ("POST", "/token") => self.exchange(seen),
            (method, path) => self.iam(method, path, seen.header("Authorization")),
        };
        Answer::status(status).with_json(&body)
    }

    fn exchange(&self, seen: &Seen) -> (u16, Value) {
        let body = seen.text();
        let assertion = body
            .strip_prefix(
                "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=",
            )
            .unwrap();
        let (text, signature) = assertion.rsplit_once('.').unwrap();
        let (head, claims) = text.split_once('.').unwrap();
        let json = |part: &str| -> Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        let (head, claims) = (json(head), json(claims));
        assert_eq!(
            (&head["alg"], &head["typ"]),
            (&json!("RS256"), &json!("JWT"))
        );
        assert_eq!(
            (&claims["iss"], &claims["aud"]),
            (&json!(ACCOUNT), &json!(TOKENS))
        );
        let time = |name: &str| claims[name].as_i64().unwrap();
        assert!((time("iat") - Timestamp::now().as_second()).abs() < 60);
        assert!((1..=3600).contains(&(time("exp") - time("iat"))));

        let keys = self.keys.lock().unwrap();
        let kept = keys.get(head["kid"].as_str().unwrap());
        let is_signed = kept.is_some_and(|kept| {
            let folder = tempfile::tempdir().unwrap();
            let file = |name: &str, content: &[u8]| {
                let path = folder.path().join(name);
                fs::write(&path, content).unwrap();
                path.to_str().unwrap().to_owned()
            };
            let public = file("public", &kept.public);
            let signature = file("signature", &URL_SAFE_NO_PAD.decode(signature).unwrap());
            let check = [
                "dgst",
                "-sha256",
                "-verify",
                &public,
                "-signature",
                &signature,
            ];
            !kept.is_disabled && openssl(&check, text.as_bytes()).is_some()
        });
        if is_signed {
            let token =
                json!({ "access_token": "minted", "expires_in": 3599, "token_type": "Bearer" });
            (200, token)
        } else {
            let words = "Invalid JWT Signature.";
            (
                400,
                json!({ "error": "invalid_grant", "error_description": words }),
            )
        }
    }

    fn iam(&self, method: &str, path: &str, authorization: Option<&str>) -> (u16, Value) {
        let error = |status: u16, word: &str| {
            let error = json!({ "code": status, "message": "no", "status": word });
            (status, json!({ "error": error }))
        };
        if authorization != Some(&format!("Bearer {OWNER}")) {
            return error(401, "UNAUTHENTICATED");
        }
        let account = ACCOUNT.replace('@', "%40");
        let keys = format!("/v1/projects/-/serviceAccounts/{account}/keys/");
        let rest = path.strip_prefix(&keys).unwrap();
        let (id, action) = rest.split_once(':').unwrap_or((rest, ""));
        let mut keys = self.keys.lock().unwrap();
        let Some(kept) = keys.get_mut(id) else {
            return error(404, "NOT_FOUND");
        };
        match (method, action) {
            ("GET", "") => {
                let name = format!("projects/demo-4711/serviceAccounts/{ACCOUNT}/keys/{id}");
                (200, json!({ "name": name, "disabled": kept.is_disabled }))
            }
            ("POST", "disable") => {
                kept.is_disabled = true;
                *self.changes.lock().unwrap() += 1;
                (200, json!({}))
            }
            ("DELETE", "") => {
                keys.remove(id);
                *self.changes.lock().unwrap() += 1;
                (200, json!({}))
            }
            other => panic!("{other:?}"),
        }
    }

    fn left(&self) -> Vec<String> {
        self.keys.lock().unwrap().keys().cloned().collect()
    }
}

/// What a scan of a downloaded key finds.
fn scanned(text: &str) -> Finding {
    let all = found("key.json", text.as_bytes(), &Options::default());
    let mut all = all
        .into_iter()
        .filter(|f| f.rule == "gcp-service-account-key");
    all.next().expect("a key is found")
}

fn playground(server: &Server) -> Playground {
    let hosts = ["oauth2.googleapis.com", "iam.googleapis.com"].map(str::to_owned);
    Playground::new(server, &hosts, Duration::from_secs(10))
}

fn authority(token: &str) -> Authority {
    let token = Secret::new(token.as_bytes(), "");
    Authority {
        parts: [("access_token".to_owned(), token)].into(),
    }
}

#[test]
fn a_leaked_key_dies_and_its_neighbour_lives() {
    let google = Arc::new(Google::default());
    let (leaked, neighbour) = (
        scanned(&google.make(&leak_id())),
        scanned(&google.make(&neighbour_id())),
    );
    let server = Server::start({
        let google = Arc::clone(&google);
        move |seen| google.answer(seen)
    });
    let net = playground(&server).client;
    let registry = registry();
    let said = |finding: &Finding| verify(&net, finding);

    let verification = said(&leaked);
    let identity = active(&verification);
    assert_eq!(identity.owner.as_deref(), Some(ACCOUNT));
    assert_eq!(identity.account.as_deref(), Some("demo-4711"));
    // A key whose signature does not fit its id is no live key.
    let mut mixed = leaked.clone();
    mixed.credential.secret = neighbour.credential.secret.clone();
    assert_eq!(said(&mixed).word(), "inactive");

    let leaked = proven(&net, leaked);
    let leak = ConfirmedLeak::new(&leaked).unwrap();
    let revoke = registry.revoker(&leaked.rule).unwrap();
    let (other, owner) = (authority("another"), authority(OWNER));
    let of = Revocation {
        net: &net,
        leak: &leak,
        authority: &owner,
    };
    let found = revoke.find(&Revocation {
        authority: &other,
        ..of
    });
    assert!(matches!(found, Err(Failure::Authority(_))), "{found:?}");
    let object = revoke.find(&of).unwrap();
    assert_eq!(object.id, leak_id());
    let run = |stage| revoke.run(&of, &object, stage);
    let effect = |stage| revoke.effect(&of, &object, stage);

    // What works is not deleted.
    assert!(matches!(run(1), Err(Failure::Object(_))));
    assert_eq!(
        (*google.changes.lock().unwrap(), effect(0)),
        (0, Effect::NotThere)
    );
    assert!(!run(0).unwrap().was_gone);
    assert_eq!((effect(0), effect(1)), (Effect::There, Effect::NotThere));
    assert_eq!(said(&leaked).word(), "inactive");
    assert_eq!(said(&neighbour).word(), "active");
    assert!(!run(1).unwrap().was_gone);
    assert!(run(1).unwrap().was_gone);
    assert_eq!(google.left(), [neighbour_id()]);
    assert_eq!(said(&leaked).word(), "inactive");
    assert_eq!(said(&neighbour).word(), "active");
    for seen in server.seen() {
        assert!(!seen.holds("PRIVATE KEY") && !seen.holds(&neighbour_id()));
    }
}

#[test]
fn what_stands_between_proves_nothing_and_a_change_is_sent_once() {
    let google = Google::default();
    let key = google.make(&leak_id());
    let registry = registry();
    let page = "<html><body>Sign in to the network</body></html>";
    for (what, answer) in [
        ("a cut", Answer::cut()),
        ("a portal", Answer::status(200).with_body("text/html", page)),
        (
            "another's refusal",
            Answer::status(400).with_body("text/html", page),
        ),
        (
            "a redirect",
            Answer::status(302).with_header("Location", "https://login.example.net/"),
        ),
        ("a proxy", Answer::status(407)),
        ("an outage", Answer::status(503)),
        (
            "a client that is disabled",
            Answer::status(401).with_json(&json!({ "error": "disabled_client" })),
        ),
    ] {
        let server = Server::start(move |_| answer.clone());
        let net = playground(&server).client;
        let finding = scanned(&key);
        let said = verify(&net, &finding);
        assert_eq!(said.word(), "unknown", "{what}: {said:?}");

        let finding = Finding {
            verification: Some(playground::active()),
            ..finding
        };
        let leak = ConfirmedLeak::new(&finding).unwrap();
        let revoke = registry.revoker(&finding.rule).unwrap();
        let object = object(&leak_id());
        let of = Revocation {
            net: &net,
            leak: &leak,
            authority: &authority(OWNER),
        };
        let run = revoke.run(&of, &object, 0);
        assert!(run.is_err(), "{what} was taken for done");
        let changes = server.seen();
        let changes = changes.iter().filter(|s| s.path().ends_with(":disable"));
        assert_eq!(changes.count(), 1, "{what}");
        // Nothing is known of the key, so it is not deleted.
        assert!(revoke.run(&of, &object, 1).is_err());
        assert!(server.seen().iter().all(|s| s.method != "DELETE"), "{what}");
    }
}
