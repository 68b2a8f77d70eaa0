//! A provider in memory, and what stands around it: a clock that moves with the pauses, questions with fixed answers.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;

use super::Kinds;
use crate::model::{
    Checked, Credential, Doubt, Finding, Fingerprint, Identity, Origin, Place, Position, Secret,
    Severity, Snippet, Span, Verification,
};
use crate::net::{Error, Net, Reply, Request, Text};
use crate::provider::{
    Authority, Done, Effect, Failure, Needed, Object, Provider, Revocation, Revoke, StageTerms,
    Terms,
};

/// A network without hosts, whose clock moves with the pauses.
pub(super) struct Play {
    state: Mutex<(Timestamp, Vec<u64>)>,
    granted: Mutex<Duration>,
    /// Hears of each pause when it is over.
    pub(super) paused: Box<dyn Fn(Timestamp) + Send + Sync>,
}

impl Play {
    pub(super) fn new() -> Self {
        let begin = Timestamp::from_second(1_800_000_000).unwrap();
        Self {
            state: Mutex::new((begin, Vec::new())),
            granted: Mutex::default(),
            paused: Box::new(|_| {}),
        }
    }

    /// The pauses so far, in seconds.
    pub(super) fn pauses(&self) -> Vec<u64> {
        self.state.lock().unwrap().1.clone()
    }

    /// The time that was added to the run's.
    pub(super) fn granted(&self) -> Duration {
        *self.granted.lock().unwrap()
    }

    /// Moves the clock.
    pub(super) fn pass(&self, time: Duration) {
        let mut state = self.state.lock().unwrap();
        state.0 = state.0.checked_add(time).unwrap();
    }
}

impl Net for Play {
    fn send(&self, _: &Request) -> Result<Reply, Error> {
        Ok(Reply::new(200, Vec::new(), Vec::new()))
    }

    fn dial(&self, _: &str, _: u16) -> Result<TcpStream, Error> {
        unreachable!("the providers of these tests dial nothing")
    }

    fn tls(&self) -> Arc<rustls::ClientConfig> {
        unreachable!("the providers of these tests use no TLS")
    }

    fn is_listed(&self, _: &str) -> bool {
        false
    }

    fn now(&self) -> Timestamp {
        self.state.lock().unwrap().0
    }

    fn pause(&self, time: Duration) -> bool {
        self.pass(time);
        self.state.lock().unwrap().1.push(time.as_secs());
        (self.paused)(self.now());
        true
    }

    fn grant(&self, time: Duration) {
        *self.granted.lock().unwrap() += time;
    }
}

/// A provider that says one thing after the other, the last again and again.
pub(super) struct Scripted(Mutex<Vec<Verification>>);

impl Scripted {
    pub(super) fn new(mut answers: Vec<Verification>) -> Self {
        answers.reverse();
        Self(Mutex::new(answers))
    }
}

impl Provider for Scripted {
    fn preview(&self, _: &Credential) -> Result<Vec<String>, Doubt> {
        Ok(Vec::new())
    }

    fn verify(&self, _: &dyn Net, _: &Credential) -> Verification {
        let mut answers = self.0.lock().unwrap();
        if answers.len() > 1 {
            answers.pop().unwrap()
        } else {
            answers[0].clone()
        }
    }
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It arrives and its answer is lost.
    AnswerLost,
    /// It does not arrive, and nobody knows.
    CallLost,
    /// It is answered, and nothing happens.
    NoEffect,
    /// It is refused.
    Refused,
}

/// What the provider in memory knows.
#[derive(Debug)]
pub(super) struct State {
    pub(super) active: bool,
    pub(super) exists: bool,
    /// Calls that changed something, as they arrived.
    pub(super) calls: Vec<&'static str>,
    /// What goes wrong with the next calls.
    pub(super) trouble: Vec<Trouble>,
    /// How often the key still works after its end.
    pub(super) lag: u32,
    /// Whether the provider answers at all.
    pub(super) is_down: bool,
}

/// A provider in memory.
#[derive(Clone)]
pub(super) struct Fake {
    state: Arc<Mutex<State>>,
    terms: Terms,
    can_tell: bool,
    can_end: bool,
    is_paired: bool,
}

impl Fake {
    /// Keys are deactivated, and a day later deleted.
    pub(super) fn new() -> Self {
        let deactivate = StageTerms {
            what: "deactivate the key".to_owned(),
            reversible: true,
            undo: "activate it".to_owned(),
            repeatable: true,
            after: Duration::ZERO,
            kills: true,
        };
        let delete = StageTerms {
            what: "delete the key".to_owned(),
            reversible: false,
            undo: String::new(),
            repeatable: true,
            after: Duration::from_secs(86_400),
            kills: false,
        };
        Self {
            state: Arc::new(Mutex::new(State {
                active: true,
                exists: true,
                calls: Vec::new(),
                trouble: Vec::new(),
                lag: 0,
                is_down: false,
            })),
            terms: Terms {
                object: "the key".to_owned(),
                needed: Needed::Nobody,
                stages: vec![deactivate, delete],
                effect: "its sessions end".to_owned(),
                deadline: Duration::from_secs(30),
                steps: Vec::new(),
                console: String::new(),
                source: String::new(),
            },
            can_tell: true,
            can_end: true,
            is_paired: false,
        }
    }

    /// Keys are deleted at once, by a call that must not be sent twice and whose effect cannot be looked up.
    pub(super) fn rash() -> Self {
        let mut fake = Self::new();
        fake.can_tell = false;
        fake.terms.stages.remove(0);
        let stage = &mut fake.terms.stages[0];
        stage.after = Duration::ZERO;
        stage.kills = true;
        stage.repeatable = false;
        fake
    }

    pub(super) fn owned_by(mut self, name: &str) -> Self {
        self.terms.needed = Needed::Owner {
            name: name.to_owned(),
            parts: vec!["token".to_owned()],
        };
        self
    }

    pub(super) fn without_revoker(mut self) -> Self {
        self.can_end = false;
        self
    }

    /// What names the keys is found beside them.
    pub(super) fn paired(mut self) -> Self {
        self.is_paired = true;
        self
    }

    pub(super) fn kinds(&self) -> Self {
        self.clone()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Kinds for Fake {
    fn verifier(&self, _: &str) -> Option<Box<dyn Provider + '_>> {
        Some(Box::new(self.clone()))
    }

    fn revoker(&self, _: &str) -> Option<Box<dyn Revoke + '_>> {
        self.can_end
            .then(|| Box::new(self.clone()) as Box<dyn Revoke>)
    }

    fn is_paired(&self, _: &str) -> bool {
        self.is_paired
    }
}

impl Provider for Fake {
    fn preview(&self, _: &Credential) -> Result<Vec<String>, Doubt> {
        Ok(vec!["GET /me".to_owned()])
    }

    fn verify(&self, net: &dyn Net, _: &Credential) -> Verification {
        let request = Request::new("GET", Text::public("https://api.example.com/me"));
        if let Err(error) = net.send(&request) {
            return Verification::Unknown(error.into());
        }
        let mut state = self.state();
        if state.is_down {
            return Verification::Unknown(Doubt::Status(503));
        }
        if state.exists && state.active {
            return Verification::Active(Identity::default());
        }
        if state.lag > 0 {
            state.lag -= 1;
            return Verification::Active(Identity::default());
        }
        Verification::Inactive("revoked".to_owned())
    }
}

impl Revoke for Fake {
    fn terms(&self, _: &Credential) -> Terms {
        self.terms.clone()
    }

    fn find(&self, _: &Revocation<'_>) -> Result<Object, Failure> {
        if self.state().is_down {
            return Err(Failure::NotSent("not reached".to_owned()));
        }
        Ok(Object {
            id: "key-7".to_owned(),
            title: "the key key-7 of ada".to_owned(),
            facts: BTreeMap::from([("user".to_owned(), "ada".to_owned())]),
        })
    }

    fn effect(&self, _: &Revocation<'_>, object: &Object, stage: usize) -> Effect {
        assert_eq!((&*object.id, &*object.facts["user"]), ("key-7", "ada"));
        let state = self.state();
        if !self.can_tell || state.is_down {
            return Effect::Unknown("it cannot be looked up".to_owned());
        }
        let is_delete = self.terms.stages[stage].what == "delete the key";
        let is_there = if is_delete {
            !state.exists
        } else {
            !state.active || !state.exists
        };
        if is_there {
            Effect::There
        } else {
            Effect::NotThere
        }
    }

    fn run(&self, _: &Revocation<'_>, object: &Object, stage: usize) -> Result<Done, Failure> {
        assert_eq!((&*object.id, &*object.facts["user"]), ("key-7", "ada"));
        let mut state = self.state();
        if state.is_down {
            return Err(Failure::NotSent("not reached".to_owned()));
        }
        let trouble = state.trouble.pop();
        match trouble {
            Some(Trouble::CallLost) => return Err(Failure::Unknown("cut off".to_owned())),
            Some(Trouble::Refused) => return Err(Failure::Refused("not yours".to_owned())),
            _ => {}
        }
        let delete = self.terms.stages[stage].what == "delete the key";
        state
            .calls
            .push(if delete { "delete" } else { "deactivate" });
        if trouble != Some(Trouble::NoEffect) {
            if delete {
                state.exists = false;
            } else {
                state.active = false;
            }
        }
        if trouble == Some(Trouble::AnswerLost) {
            return Err(Failure::Unknown("cut off".to_owned()));
        }
        Ok(Done {
            answer: "204".to_owned(),
            was_gone: false,
        })
    }

    fn preview(&self, _: &Credential, _: &Authority, stage: usize) -> Result<String, Doubt> {
        Ok(format!("DELETE /keys/{stage}"))
    }
}

/// A credential.
pub(super) fn credential() -> Credential {
    Credential::new(Secret::new(b"secret-value-0", ""), Vec::new())
}

/// A leak at the first line of a file.
pub(super) fn finding(path: &str, before: &str, value: &str) -> Finding {
    let line = format!("{before}{value}");
    let position = |column: usize| Position {
        line: 1,
        column: column as u32 + 1,
    };
    let place = Place {
        path: path.as_bytes().to_vec(),
        start: position(before.len()),
        end: position(line.len()),
        span: Span {
            start: before.len() as u64,
            end: line.len() as u64,
        },
        snippet: Snippet {
            text: Secret::new(line.as_bytes(), ""),
            secret: (before.len(), line.len()),
            line: None,
            hidden: Vec::new(),
            encoded: None,
            matched: (before.len(), line.len()),
            told: None,
        },
        decoded_from: Vec::new(),
        score: 0.9,
        dropped: None,
        origin: Origin::Content,
        blob: None,
        commit: None,
        lapsed: None,
        covered: None,
    };
    Finding {
        rule: "example-token".to_owned(),
        name: "Example token".to_owned(),
        provider: "Example".to_owned(),
        severity: Severity::High,
        score: 0.9,
        credential: Credential::new(Secret::new(value.as_bytes(), ""), Vec::new()),
        entropy: 4.0,
        fingerprint: Fingerprint::of("example-token", value.as_bytes(), b"salt"),
        places: vec![place],
        history: None,
        opens: Vec::new(),
        owners: Vec::new(),
        remedy: "Revoke it.".to_owned(),
        console: String::new(),
        link: String::new(),
        verification: None,
    }
}

fn checked(mut finding: Finding, verification: Verification) -> Finding {
    finding.verification = Some(Checked {
        verification,
        at: Timestamp::from_second(1_800_000_000).unwrap(),
        took: Duration::ZERO,
    });
    finding
}

/// The finding, active.
pub(super) fn active(finding: Finding) -> Finding {
    checked(finding, Verification::Active(Identity::default()))
}

/// The finding, inactive.
pub(super) fn inactive(finding: Finding) -> Finding {
    checked(finding, Verification::Inactive("revoked".to_owned()))
}

/// The finding, unknown.
pub(super) fn unknown(finding: Finding, doubt: Doubt) -> Finding {
    checked(finding, Verification::Unknown(doubt))
}
