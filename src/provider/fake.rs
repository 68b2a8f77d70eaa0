//! A network for tests: a closure answers, requests are kept.

use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use super::{Failure, Revocation, Revoke};
use crate::model::{
    Checked, Credential, Finding, Fingerprint, Identity, Secret, Severity, Verification,
};
use crate::net::{Error, Net, Reply, Request};

type Answer<'a> = dyn Fn(&Request) -> Result<Reply, Error> + Sync + 'a;

/// The closure sees each request; `seen` has them in order.
pub(super) struct Fake<'a> {
    answer: Box<Answer<'a>>,
    pub(super) seen: Mutex<Vec<Request>>,
    pub(super) paused: Mutex<Duration>,
    pub(super) goes_on: bool,
}

impl<'a> Fake<'a> {
    pub(super) fn new(answer: impl Fn(&Request) -> Result<Reply, Error> + Sync + 'a) -> Self {
        Self {
            answer: Box::new(answer),
            seen: Mutex::default(),
            paused: Mutex::default(),
            goes_on: true,
        }
    }

    /// Always this status and body.
    pub(super) fn always(status: u16, body: &'a str) -> Self {
        Self::new(move |_| Ok(reply(status, body)))
    }

    /// `METHOD host/path body` of each request, in clear.
    pub(super) fn lines(&self) -> Vec<String> {
        let seen = self.seen.lock().expect("not poisoned");
        seen.iter()
            .map(|r| {
                let body = r.body.as_ref().map(crate::net::Text::wire);
                let url = r.url.wire();
                let text = format!(
                    "{} {} {}",
                    r.method,
                    url.trim_start_matches("https://"),
                    body.unwrap_or_default()
                );
                text.trim_end().to_owned()
            })
            .collect()
    }
}

pub(super) fn reply(status: u16, body: &str) -> Reply {
    Reply::new(status, Vec::new(), body.as_bytes().to_vec())
}

impl Net for Fake<'_> {
    fn send(&self, request: &Request) -> Result<Reply, Error> {
        self.seen
            .lock()
            .expect("not poisoned")
            .push(request.clone());
        (self.answer)(request)
    }

    fn dial(&self, host: &str, _port: u16) -> Result<TcpStream, Error> {
        Err(Error::Budget {
            host: host.to_owned(),
        })
    }

    fn tls(&self) -> Arc<rustls::ClientConfig> {
        unreachable!("no provider over HTTP asks for it")
    }

    fn is_listed(&self, _host: &str) -> bool {
        false
    }

    fn now(&self) -> Timestamp {
        "2026-01-31T12:00:00Z".parse().expect("a time")
    }

    fn pause(&self, time: Duration) -> bool {
        *self.paused.lock().expect("not poisoned") += time;
        self.goes_on
    }
}

/// What never proves that a key is dead: status and body of everything that may stand between a client and a provider.
pub(super) fn trouble() -> Vec<(u16, String)> {
    let page = "<html><body>Sign in to the network</body></html>";
    let mut all = Vec::new();
    for status in [
        200, 202, 301, 302, 307, 400, 401, 403, 404, 407, 429, 500, 502, 503, 504,
    ] {
        for body in [
            "",
            page,
            "{}",
            "[]",
            "null",
            "<?xml version=\"1.0\"?>",
            "<Error/>",
            "\u{0}",
        ] {
            all.push((status, body.to_owned()));
        }
    }
    all.push((403, "x".repeat(1 << 20)));
    all
}

pub(super) fn credential(secret: &str, parts: &[(&str, &str)]) -> Credential {
    Credential::new(
        Secret::new(secret.as_bytes(), ""),
        parts
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    )
}

/// A finding that was verified as active.
pub(super) fn active(credential: Credential, identity: Identity) -> Finding {
    Finding {
        rule: "a-rule".to_owned(),
        name: "A rule".to_owned(),
        provider: "A provider".to_owned(),
        severity: Severity::Critical,
        score: 1.0,
        credential,
        entropy: 4.0,
        fingerprint: Fingerprint([1; 16]),
        history: None,
        places: Vec::new(),
        opens: Vec::new(),
        owners: Vec::new(),
        remedy: String::new(),
        console: String::new(),
        link: String::new(),
        verification: Some(Checked {
            verification: Verification::Active(identity),
            at: Timestamp::UNIX_EPOCH,
            took: Duration::ZERO,
        }),
    }
}

/// Fails unless a key that is active again is kept, and deleted once it is made inactive.
pub(super) fn is_kept_while_active(
    revoke: &dyn Revoke,
    of: &Revocation<'_>,
    calls: impl Fn() -> usize,
) {
    let object = revoke.find(of).expect("the key");
    let Err(Failure::Object(why)) = revoke.run(of, &object, 1) else {
        panic!("deleted")
    };
    assert!(why.contains("active again"), "{why}");
    assert_eq!(calls(), 0);
    for stage in [0, 1] {
        revoke.run(of, &object, stage).expect("done");
    }
    assert_eq!(calls(), 2);
}
