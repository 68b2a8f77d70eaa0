use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::Mutex;

use serde_json::json;

use super::*;
use crate::model::{Fingerprint, Identity, Secret, Severity};
use crate::net::{Error, Reply, Request};

/// A network in memory: it answers by the secret in the `Authorization` field, and counts.
#[derive(Default)]
pub(super) struct Memory {
    asked: Mutex<BTreeMap<String, usize>>,
}

impl Net for Memory {
    fn send(&self, request: &Request) -> Result<Reply, Error> {
        let field = request.headers.iter().find(|(n, _)| n == "Authorization");
        let secret = field.map(|(_, value)| value.wire()).unwrap_or_default();
        let mut asked = self.asked.lock().expect("nobody panics");
        *asked.entry(secret.clone()).or_default() += 1;
        match secret.get(7..8) {
            Some("a") => Ok(Reply::new(200, Vec::new(), br#"{"login":"jane"}"#.to_vec())),
            Some("d") => Ok(Reply::new(
                401,
                Vec::new(),
                br#"{"message":"Bad"}"#.to_vec(),
            )),
            _ => Err(Error::Timeout {
                host: "api.example.com".to_owned(),
            }),
        }
    }

    fn dial(&self, host: &str, _: u16) -> Result<TcpStream, Error> {
        let host = host.to_owned();
        Err(Error::Timeout { host })
    }

    fn tls(&self) -> std::sync::Arc<rustls::ClientConfig> {
        panic!("nobody dials")
    }

    fn is_listed(&self, _: &str) -> bool {
        false
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(1_790_000_000_700).expect("a time")
    }

    fn pause(&self, _: Duration) -> bool {
        true
    }
}

fn registry() -> Registry {
    let uses = |name: &str, verify: &str| json!({"name": name, "provider": "p", "verify": verify});
    let blocks = json!({
        "rules": {"one": uses("One", "p.user"), "two": uses("Two", "p.user")},
        "verify": {"p.user": {
            "source": "https://example.com/docs",
            "request": {"url": "https://api.example.com/user", "headers": {"Authorization": "Bearer {secret}"}},
            "answer": [
                {"status": [200], "means": "active", "when": [{"at": "/login", "present": true}]},
                {"status": [401], "means": "inactive", "reason": "refused", "when": [{"at": "/message", "equals": ["Bad"]}]},
            ],
            "whose": {"owner": "/login"},
        }},
    });
    Registry::new(serde_json::from_value(blocks).expect("blocks"))
}

fn finding(rule: &str, secret: Secret) -> Finding {
    Finding {
        rule: rule.to_owned(),
        name: String::new(),
        provider: String::new(),
        severity: Severity::High,
        score: 1.0,
        credential: Credential::new(secret, Vec::new()),
        entropy: 4.0,
        fingerprint: Fingerprint([0; 16]),
        places: Vec::new(),
        history: None,
        opens: Vec::new(),
        owners: Vec::new(),
        remedy: String::new(),
        console: String::new(),
        link: String::new(),
        verification: None,
    }
}

fn known(text: &str) -> Secret {
    Secret::new(text.as_bytes(), "")
}

#[test]
fn each_secret_is_asked_for_once_whatever_the_threads() {
    let mut before: Option<Vec<Option<Verification>>> = None;
    for threads in [1, 3, 16] {
        let (net, registry) = (Memory::default(), registry());
        let mut findings = Vec::new();
        for round in 0..3 {
            for n in 0..20 {
                let rule = if round == 1 { "two" } else { "one" };
                let sort = ["a", "d", "x"][n % 3];
                findings.push(finding(rule, known(&format!("{sort}{n}"))));
            }
        }
        findings.push(finding("three", known("other")));
        findings.push(finding("one", Secret::of_form("… (9 bytes)")));
        let heard = Mutex::new(Vec::new());
        Batch {
            net: &net,
            registry: &registry,
            threads,
        }
        .run(&mut findings, &|done, all| {
            heard.lock().expect("one thread").push((done, all));
        });
        let asked = net.asked.into_inner().expect("nobody panics");
        assert_eq!(asked.len(), 20);
        assert!(asked.values().all(|times| *times == 1), "{asked:?}");
        let heard = heard.into_inner().expect("one thread");
        assert_eq!(heard, (0..=20).map(|done| (done, 20)).collect::<Vec<_>>());
        let said: Vec<Option<Verification>> = findings
            .iter()
            .map(|f| f.verification.as_ref().map(|c| c.verification.clone()))
            .collect();
        let jane = Identity {
            owner: Some("jane".to_owned()),
            ..Identity::default()
        };
        assert_eq!(said[0], Some(Verification::Active(jane)));
        assert!(matches!(said[1], Some(Verification::Inactive(_))));
        assert_eq!(said[2], Some(Verification::Unknown(Doubt::Timeout)));
        assert_eq!(said[0..20], said[20..40]);
        assert_eq!(said[60], Some(Verification::Unsupported));
        assert_eq!(said[61], Some(Verification::Unknown(Doubt::NotThere)));
        assert!(before.as_ref().is_none_or(|before| *before == said));
        before = Some(said);
        let at = findings[0].verification.as_ref().map(|c| c.at.to_string());
        assert_eq!(at.as_deref(), Some("2026-09-21T14:13:20Z"));
    }
}

#[test]
fn the_same_secret_with_other_parts_is_another_question() {
    let (net, registry) = (Memory::default(), registry());
    let mut findings = vec![finding("one", known("a1")), finding("one", known("a1"))];
    findings[1].credential.parts = vec![("id".to_owned(), "7".to_owned())];
    let batch = Batch {
        net: &net,
        registry: &registry,
        threads: 2,
    };
    batch.run(&mut findings, &|_, _| {});
    let asked = net.asked.into_inner().expect("nobody panics");
    assert_eq!(asked.values().copied().collect::<Vec<_>>(), [2]);
}

#[test]
fn nothing_to_ask_is_soon_done() {
    let (net, registry) = (Memory::default(), registry());
    let batch = Batch {
        net: &net,
        registry: &registry,
        threads: 0,
    };
    batch.run(&mut [], &|done, all| assert_eq!((done, all), (0, 0)));
    let checked = one(
        &net,
        &registry,
        "one",
        &finding("one", known("a1")).credential,
    );
    assert_eq!(checked.checked.verification.word(), "active");
}
