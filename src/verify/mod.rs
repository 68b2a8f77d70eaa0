//! A finished list of findings → what their providers say of them: each question is asked once, by a few threads.
//!
//! Limits of hosts, retries and the time that a run may take are the network's. Here is decided who is asked next: the service
//! of which the fewest questions are under way, so that a slow one does not hold the others. Nothing here knows of places or reports.

pub mod beside;
mod choice;
mod queue;

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{Checked, Credential, Doubt, Finding, Parts, Rivals, Verification};
use crate::net::Net;
use crate::provider::Registry;
use queue::Queue;

pub use choice::ask as choose;

/// Threads of a batch, unless the caller says otherwise: they wait for answers most of the time.
pub const THREADS: usize = 32;

/// How a list of findings is verified.
pub struct Batch<'a> {
    /// What reaches the providers.
    pub net: &'a dyn Net,
    /// Who is asked, and how.
    pub registry: &'a Registry,
    /// Threads; at least one is used.
    pub threads: usize,
}

/// A question: what must be the same for two findings to have the same answer.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'f> {
    /// The block that says how.
    block: &'f str,
    secret: &'f [u8],
    parts: &'f [(String, String)],
    rivals: &'f Rivals,
}

/// What one answer is for.
struct Question<'f> {
    rule: &'f str,
    credential: &'f Credential,
    /// The findings that share it, by their number.
    findings: Vec<usize>,
}

impl Batch<'_> {
    /// Sets each finding's verification, and its credential's parts where one of several choices works. `progress` hears, on the caller's thread, how many of all questions are answered.
    pub fn run(&self, findings: &mut [Finding], progress: &dyn Fn(usize, usize)) {
        let (questions, mut answers) = self.questions(findings);
        let all = questions.len();
        progress(0, all);
        let threads = self.threads.max(1).min(all);
        let services = questions.iter().map(|q| self.service(q.rule));
        let queue = Queue::new(services, threads);
        let (sender, receiver) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let (sender, queue, questions) = (sender.clone(), &queue, &questions);
                scope.spawn(move || {
                    while let Some(task) = queue.next() {
                        if let Some(question) = questions.get(task.number()) {
                            let said =
                                one(self.net, self.registry, question.rule, question.credential);
                            // Who no longer listens needs no answer.
                            let _ = sender.send((task.number(), said));
                        }
                    }
                });
            }
            drop(sender);
            for (done, (number, said)) in receiver.iter().enumerate() {
                for finding in questions.get(number).into_iter().flat_map(|q| &q.findings) {
                    answers.push((*finding, said.clone()));
                }
                progress(done + 1, all);
            }
        });
        for (finding, said) in answers {
            if let Some(finding) = findings.get_mut(finding) {
                said.tell(finding);
            }
        }
    }

    /// Each question once, in the findings' order, and the answers that nobody need be asked for.
    #[expect(
        clippy::disallowed_methods,
        reason = "compared, so that the same secret is asked once"
    )]
    fn questions<'f>(&'f self, findings: &'f [Finding]) -> (Vec<Question<'f>>, Vec<(usize, Said)>) {
        let mut questions: Vec<Question<'f>> = Vec::new();
        let mut known: BTreeMap<Key<'f>, usize> = BTreeMap::new();
        let mut answers = Vec::new();
        for (number, finding) in findings.iter().enumerate() {
            let uses = self.registry.blocks().rules.get(&finding.rule);
            let Some(block) = uses.and_then(|uses| uses.verify.as_deref()) else {
                answers.push((number, self.unasked(Verification::Unsupported)));
                continue;
            };
            let credential = &finding.credential;
            if !credential.secret.is_known() {
                let doubt = Verification::Unknown(Doubt::NotThere);
                answers.push((number, self.unasked(doubt)));
                continue;
            }
            let key = Key {
                block,
                secret: credential.secret.expose(),
                parts: &credential.parts,
                rivals: &credential.rivals,
            };
            let at = *known.entry(key).or_insert_with(|| {
                questions.push(Question {
                    rule: &finding.rule,
                    credential,
                    findings: Vec::new(),
                });
                questions.len() - 1
            });
            if let Some(question) = questions.get_mut(at) {
                question.findings.push(number);
            }
        }
        (questions, answers)
    }

    /// Whom a rule's credentials are shown to: the host of the call where it is fixed, else its block.
    fn service(&self, rule: &str) -> &str {
        let blocks = self.registry.blocks();
        let block = blocks.rules.get(rule).and_then(|u| u.verify.as_deref());
        let block = block.unwrap_or_default();
        let request = blocks.verify.get(block).and_then(|b| b.request.as_ref());
        let host = request
            .and_then(|request| request.url.strip_prefix("https://"))
            .and_then(|rest| rest.split(['/', '?', '#']).next())
            .filter(|host| !host.contains('{'));
        host.unwrap_or(block)
    }

    fn unasked(&self, verification: Verification) -> Said {
        let checked = Checked {
            verification,
            at: whole(self.net.now()),
            took: Duration::ZERO,
        };
        Said {
            checked,
            parts: None,
        }
    }
}

/// What a provider says of a credential.
#[derive(Debug, Clone)]
pub struct Said {
    /// Whether it works.
    pub checked: Checked,
    /// The parts that it works with.
    pub parts: Option<Parts>,
}

impl Said {
    /// Puts it into the finding that it is of.
    pub fn tell(self, finding: &mut Finding) {
        if let Some(parts) = self.parts {
            let credential = finding.credential.with(&parts);
            finding.credential = credential;
            for (name, value) in &mut finding.opens {
                if let Some(part) = finding.credential.part(name) {
                    part.clone_into(value);
                }
            }
        }
        finding.verification = Some(self.checked);
    }
}

/// Asks for one credential of a rule: with each of the parts that may be its.
#[must_use]
pub fn one(net: &dyn Net, registry: &Registry, rule: &str, credential: &Credential) -> Said {
    let begun = net.now();
    let (verification, parts) = match registry.verifier(rule) {
        Some(provider) => choice::ask(net, &*provider, credential),
        None => (Verification::Unsupported, None),
    };
    let ended = net.now();
    let checked = Checked {
        verification,
        at: whole(ended),
        took: Duration::try_from(ended.duration_since(begun)).unwrap_or_default(),
    };
    Said { checked, parts }
}

/// The credentials that are asked for in place of one: the same secret with each of the parts that may be its.
#[must_use]
pub fn choices(registry: &Registry, rule: &str, credential: &Credential) -> Vec<Credential> {
    let Some(provider) = registry.verifier(rule) else {
        return vec![credential.with(&credential.parts)];
    };
    let (all, _) = choice::distinct(&*provider, credential);
    all.into_iter()
        .map(|parts| credential.with(parts))
        .collect()
}

/// The second of a time: what reports can write.
fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests;
