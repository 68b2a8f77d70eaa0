//! Doing a plan: each step is in the ledger before its call and its answer after it. The same walk over the steps does a new
//! incident and goes on with an interrupted one.

use std::time::Duration;

use jiff::Timestamp;

use super::incident::found_again;
use super::plan::{Authorised, authorised, by_hand};
use super::{Held, Kinds, Policy, Proof, prove, span};
use crate::ledger::{
    self, CheckState, Incident, IncidentId, IncidentState, Ledger, NewIncident, NewStep, Step,
    StepKind, StepState,
};
use crate::model::{ConfirmedLeak, Credential, Doubt, Finding, Verification};
use crate::net::Net;
use crate::provider::{Authority, Effect, Failure, Object, Provider, Revoke, StageTerms, Terms};

/// What does plans.
pub struct Run<'a> {
    /// The network, the clock and the pauses.
    pub net: &'a dyn Net,
    /// What proves and ends credentials.
    pub kinds: &'a dyn Kinds,
    /// Where everything is written down.
    pub ledger: &'a Ledger,
    /// The caller's own credentials.
    pub held: &'a Held<'a>,
    /// What the caller's configuration says.
    pub policy: Policy,
    /// Who works on the incidents: two runs have different names.
    pub owner: String,
    /// Asks a person.
    pub ask: &'a dyn Fn(&Question) -> Answer,
    /// Hears what is done.
    pub tell: &'a dyn Fn(&str),
    /// Removes the secret of a finding from a text.
    pub clean: &'a dyn Fn(&Finding, &str) -> String,
    /// Hears of each moment at which a run can be cut off; tests cut it off there.
    pub at: &'a dyn Fn(Point),
}

/// A moment of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Before something is written to the ledger.
    Write,
    /// After it.
    Written,
    /// Before a call that changes something.
    Call,
    /// After it, before its answer is written.
    Called,
}

/// What a person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The incident.
    pub incident: String,
    /// The step, in words.
    pub what: String,
    /// What it is done to, in words.
    pub object: String,
    /// Why it is asked.
    pub why: Why,
}

/// Why a person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It cannot be undone; what else happens, in words.
    Irreversible(String),
    /// It was sent before and its answer was lost; what is known, in words.
    SentBefore(String),
}

/// What a person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Do it.
    Yes,
    /// Leave it.
    No,
    /// There is nobody to ask.
    Nobody,
}

/// How it stands with an incident after a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The incident.
    pub incident: String,
    /// The rule's id.
    pub rule: String,
    /// The rule's title.
    pub name: String,
    /// The redacted form of the secret.
    pub secret: String,
    /// Identity across runs.
    pub fingerprint: String,
    /// The incident's state, in one word.
    pub state: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What is done later: in words, and from when on.
    pub due: Vec<(String, Timestamp)>,
}

/// How a run over an incident ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider refuses the key; in its words.
    Dead(String),
    /// The key was ended and is not proven dead; why.
    NotProven(String),
    /// The key works although its incident was closed.
    Lives,
    /// Whether the key works cannot be said; why.
    Unclear(String),
    /// A person does it; how.
    ByHand(Vec<String>),
    /// It stopped before its end; why, and what goes on with it.
    Stopped {
        /// Why, in words.
        why: String,
        /// A command line.
        command: String,
    },
    /// A step that cannot be undone waits for somebody to agree.
    Unasked {
        /// The step, in words.
        what: String,
        /// The command line that agrees.
        command: String,
    },
    /// A person did not want the step; in words.
    Declined(String),
    /// Its secret is not kept, so that it cannot be used again.
    NotKept,
    /// The user stopped the run.
    Interrupted,
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ledger could not be read or written; nothing was called since.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// A call was made, and its answer could not be written down.
    #[error(
        "{incident}: the call to {what} was made, and its answer could not be written down: {source}; that it was begun is on record: `keysweep respond --resume {incident}` looks for its effect"
    )]
    AfterCall {
        /// The incident.
        incident: String,
        /// The step, in words.
        what: String,
        /// Why it could not be written.
        #[source]
        source: ledger::Error,
    },
}

/// An incident while it is worked on.
struct Work<'w, 'f> {
    id: IncidentId,
    leak: &'w ConfirmedLeak<'f>,
    revoker: Option<&'w dyn Revoke>,
    provider: Option<&'w dyn Provider>,
    terms: &'w Terms,
    /// Whose authority it is, in words.
    whose: String,
    authority: &'w Authority,
}

/// What a step came to.
enum After {
    /// The next one.
    On,
    /// No further.
    End(Outcome),
}

/// The fact that holds an object's id.
const ID: &str = "object-id";

impl Run<'_> {
    /// Ends a leak. An incident of it that is not closed is taken up.
    ///
    /// # Errors
    /// [`Error`] where the ledger fails.
    pub fn apply(&self, leak: &ConfirmedLeak<'_>, incident: &NewIncident) -> Result<Ended, Error> {
        let begun = self.write(|now| self.ledger.begin(incident, now))?;
        let id = begun.incident;
        self.claimed(id, || {
            if self.policy.recheck {
                self.write(|now| self.ledger.seal(id, leak.credential(), now))?;
            }
            self.work(id, leak, true)
        })
    }

    /// Goes on with an incident that was begun. `credential` is its secret where the caller has it; else the ledger's is taken.
    ///
    /// # Errors
    /// [`Error`] where the ledger fails.
    pub fn resume(
        &self,
        incident: &Incident,
        credential: Option<Credential>,
    ) -> Result<Ended, Error> {
        self.claimed(incident.id, || {
            let Some(finding) = self.again(incident, credential)? else {
                return Ok(Outcome::Stopped {
                    why: "its secret was not kept, so that it is needed again".to_owned(),
                    command: format!("keysweep revoke --rule {}", incident.leak.rule),
                });
            };
            let Some(leak) = ConfirmedLeak::named(&finding, finding.fingerprint) else {
                return Ok(Outcome::NotKept);
            };
            let said = self.said(&leak);
            // It is ended anew only where its provider says that it works again.
            let anew = incident.state == IncidentState::Reopened
                && matches!(said, Verification::Active(_));
            self.work(incident.id, &leak, anew)
        })
    }

    /// Uses the key of an incident again, and does what has become due if the key is refused.
    ///
    /// # Errors
    /// [`Error`] where the ledger fails.
    pub fn recheck(&self, incident: &Incident) -> Result<Ended, Error> {
        self.claimed(incident.id, || {
            let Some(finding) = self.again(incident, None)? else {
                return Ok(Outcome::NotKept);
            };
            let Some(leak) = ConfirmedLeak::named(&finding, finding.fingerprint) else {
                return Ok(Outcome::NotKept);
            };
            let outcome = self.judge(incident, &leak)?;
            if matches!(outcome, Outcome::Dead(_)) && self.is_due(incident.id)? {
                return self.work(incident.id, &leak, false);
            }
            Ok(outcome)
        })
    }

    /// What a use of the key says of its incident.
    fn judge(&self, incident: &Incident, leak: &ConfirmedLeak<'_>) -> Result<Outcome, Error> {
        let id = incident.id;
        match self.said(leak) {
            Verification::Inactive(answer) => {
                let answer = self.clean(leak, &answer);
                self.checked(id, CheckState::Refused, &answer)?;
                self.settle(id, leak, &answer)?;
                if incident.state != IncidentState::Closed {
                    let why = format!("the key is refused: {answer}");
                    self.state(id, IncidentState::Closed, &why)?;
                }
                Ok(Outcome::Dead(answer))
            }
            Verification::Active(_) => {
                self.checked(id, CheckState::Alive, "the key works")?;
                if incident.state == IncidentState::Closed {
                    let why = "the key works again";
                    self.state(id, IncidentState::Reopened, why)?;
                }
                Ok(Outcome::Lives)
            }
            Verification::Unknown(Doubt::Interrupted) => Ok(Outcome::Interrupted),
            Verification::Unknown(doubt) => {
                let why = self.clean(leak, &doubt.to_string());
                self.checked(id, CheckState::Unknown, &why)?;
                Ok(Outcome::Unclear(why))
            }
            Verification::Unsupported => {
                let why = "no call is known that would use the key again".to_owned();
                self.checked(id, CheckState::Unknown, &why)?;
                Ok(Outcome::Unclear(why))
            }
        }
    }

    /// A refused key settles what it was to be ended for: what waits for a person, what was sent and is not known, the proof.
    fn settle(&self, id: IncidentId, leak: &ConfirmedLeak<'_>, answer: &str) -> Result<(), Error> {
        let kills = self.kills(leak);
        for step in self.round(id)? {
            if step.state.is_final() || step.plan.due.is_some() {
                continue;
            }
            let was_sent = matches!(step.state, StepState::Started | StepState::Unknown);
            let state = match step.plan.kind {
                StepKind::Prove => StepState::Done,
                // No call was planned: a person did it.
                StepKind::Revoke if kills.is_empty() => StepState::Done,
                StepKind::Revoke if was_sent && kills.get(step.plan.stage) == Some(&true) => {
                    StepState::Done
                }
                // Somebody else was quicker.
                StepKind::Find | StepKind::Revoke => StepState::Skipped,
                StepKind::Rotate | StepKind::Notify | StepKind::Usage | StepKind::Record => {
                    continue;
                }
            };
            let answer = format!("the key is refused: {answer}");
            self.write(|now| self.ledger.finish(step.id, state, &answer, now))?;
        }
        Ok(())
    }

    /// For each stage of a kind whether it kills.
    fn kills(&self, leak: &ConfirmedLeak<'_>) -> Vec<bool> {
        let revoker = self.kinds.revoker(&leak.finding().rule);
        let terms = revoker.map(|r| r.terms(leak.credential()));
        terms.map_or_else(Vec::new, |t| t.stages.iter().map(|s| s.kills).collect())
    }

    /// Goes over the steps of an incident; `anew` ends a key again whose steps are through.
    fn work(&self, id: IncidentId, leak: &ConfirmedLeak<'_>, anew: bool) -> Result<Outcome, Error> {
        let rule = &leak.finding().rule;
        let revoker = self.kinds.revoker(rule);
        let provider = self.kinds.verifier(rule);
        let mut terms = revoker.as_ref().map_or_else(
            || by_hand(leak.finding()),
            |revoker| revoker.terms(leak.credential()),
        );
        terms.deadline = self.policy.deadline.unwrap_or(terms.deadline);
        let (whose, authority) = authorised(&terms, self.held);
        let work = Work {
            id,
            leak,
            revoker: revoker.as_deref(),
            provider: provider.as_deref(),
            terms: &terms,
            whose: whose.who(),
            authority: &authority,
        };
        let mut steps = self.round(id)?;
        let by_call = steps.iter().any(|step| step.plan.kind == StepKind::Find);
        let other_way = by_call == terms.stages.is_empty();
        let is_through = steps.iter().all(is_through);
        if steps.is_empty() || other_way || (anew && is_through) {
            for step in steps.iter().filter(|step| !step.state.is_final()) {
                let why = "the key is ended anew";
                self.write(|now| self.ledger.finish(step.id, StepState::Skipped, why, now))?;
            }
            self.write(|now| self.ledger.plan(id, &self.steps(&work), now))?;
            if self.ledger.incident(id)?.state != IncidentState::Open {
                self.state(id, IncidentState::Open, "the key is ended anew")?;
            }
            steps = self.round(id)?;
        }
        let needs = steps.iter().any(|step| {
            let is_call = matches!(step.plan.kind, StepKind::Find | StepKind::Revoke);
            is_call && !step.state.is_final()
        });
        if let (true, Authorised::Missing { mend, .. }) = (needs, whose) {
            return Ok(self.stopped(&work, &mend));
        }
        for step in &steps {
            // What came before may have said more of it.
            let step = self.ledger.step(step.id)?;
            let after = match step.plan.kind {
                _ if step.state.is_final() => After::On,
                StepKind::Find => self.find(&work, &step)?,
                StepKind::Revoke if terms.stages.is_empty() => self.wait_for_a_person(&work)?,
                StepKind::Revoke => self.stage(&work, &step)?,
                StepKind::Prove => self.proof(&work, &step)?,
                StepKind::Rotate | StepKind::Notify | StepKind::Usage | StepKind::Record => {
                    After::On
                }
            };
            if let After::End(outcome) = after {
                return Ok(outcome);
            }
        }
        self.close(&work)
    }

    /// The steps of a new incident.
    fn steps(&self, work: &Work<'_, '_>) -> Vec<NewStep> {
        let finding = work.leak.finding();
        let prove = NewStep {
            object: self.clean(work.leak, &work.terms.object),
            ..NewStep::of(StepKind::Prove, "use the key again until it is refused")
        };
        if work.terms.stages.is_empty() {
            let by_hand = NewStep {
                object: self.clean(work.leak, &work.terms.object),
                authority: work.whose.clone(),
                reversible: false,
                ..NewStep::of(StepKind::Revoke, BY_HAND)
            };
            return vec![by_hand, prove];
        }
        let find = NewStep {
            authority: work.whose.clone(),
            ..NewStep::of(StepKind::Find, &format!("look up the {}", finding.name))
        };
        let mut steps = vec![find];
        let last_at_once = work.terms.stages.iter().rposition(|s| s.after.is_zero());
        let proven_after = work.terms.stages.iter().position(|s| s.kills);
        let proven_after = proven_after.or(last_at_once).unwrap_or(0);
        for (at, stage) in work.terms.stages.iter().enumerate() {
            let later = self.policy.after(stage.after);
            steps.push(NewStep {
                stage: at,
                object: self.clean(work.leak, &work.terms.object),
                authority: work.whose.clone(),
                reversible: stage.reversible,
                undo: stage.undo.clone(),
                repeatable: stage.repeatable,
                due: (!later.is_zero()).then(|| plus(self.net.now(), later)),
                request: self.request(work, at),
                ..NewStep::of(StepKind::Revoke, &stage.what)
            });
            if at == proven_after {
                steps.push(prove.clone());
            }
        }
        steps
    }

    fn request(&self, work: &Work<'_, '_>, stage: usize) -> String {
        let key = work.leak.credential();
        let text = work
            .revoker
            .and_then(|r| r.preview(key, work.authority, stage).ok());
        self.clean(work.leak, &text.unwrap_or_default())
    }

    /// Looks up what dies, and writes it into the steps.
    fn find(&self, work: &Work<'_, '_>, step: &Step) -> Result<After, Error> {
        let Some(revoker) = work.revoker else {
            return Ok(After::On);
        };
        self.tell(work, &step.plan.what);
        self.write(|now| self.ledger.start(step.id, now))?;
        match revoker.find(self.net, work.leak, work.authority) {
            Ok(object) => {
                let title = self.clean(work.leak, &object.title);
                for step in self.round(work.id)? {
                    let is_open = step.state == StepState::Planned;
                    if step.plan.kind != StepKind::Revoke || !is_open {
                        continue;
                    }
                    let mut plan = step.plan.clone();
                    if !title.is_empty() {
                        plan.object.clone_from(&title);
                    }
                    plan.facts.clone_from(&object.facts);
                    plan.facts.insert(ID.to_owned(), object.id.clone());
                    self.write(|now| self.ledger.refine(step.id, &plan, now))?;
                }
                let answer = if title.is_empty() {
                    "it is named by the key itself".to_owned()
                } else {
                    title
                };
                self.write(|now| self.ledger.finish(step.id, StepState::Done, &answer, now))?;
                Ok(After::On)
            }
            Err(failure) => {
                let why = self.clean(work.leak, &failure.to_string());
                let gone = matches!(failure, Failure::Object(_) | Failure::Authority(_));
                if let (true, Verification::Inactive(answer)) = (gone, self.said(work.leak)) {
                    // There is nothing left to end.
                    let answer = self.clean(work.leak, &answer);
                    let why = format!("the key is refused already: {answer}");
                    for step in self.round(work.id)? {
                        let is_call = matches!(step.plan.kind, StepKind::Find | StepKind::Revoke);
                        if is_call && !step.state.is_final() {
                            self.write(|now| {
                                self.ledger.finish(step.id, StepState::Skipped, &why, now)
                            })?;
                        }
                    }
                    return Ok(After::On);
                }
                self.write(|now| self.ledger.finish(step.id, StepState::Failed, &why, now))?;
                Ok(After::End(self.stopped(work, &why)))
            }
        }
    }

    /// Does a stage, or finds out what became of it.
    fn stage(&self, work: &Work<'_, '_>, step: &Step) -> Result<After, Error> {
        let stage = work.terms.stages.get(step.plan.stage);
        let (Some(revoker), Some(terms)) = (work.revoker, stage) else {
            let why = "the rule no longer says how this step is done";
            return Ok(After::End(self.stopped(work, why)));
        };
        if let Some(due) = step.plan.due.filter(|due| *due > self.net.now()) {
            let is_proven = self.proven(work.id)?;
            return Ok(After::End(if is_proven.is_some() {
                self.close(work)?
            } else {
                self.stopped(work, &format!("{}: due {due:.0}", step.plan.what))
            }));
        }
        let object = object(&step.plan);
        let was_sent = matches!(step.state, StepState::Started | StepState::Unknown);
        let at = step.plan.stage;
        let effect = revoker.effect(self.net, work.leak, work.authority, &object, at);
        if effect == Effect::There {
            let answer = if was_sent {
                "its answer was lost; its effect is there"
            } else {
                "its effect was there already"
            };
            self.write(|now| self.ledger.finish(step.id, StepState::Done, answer, now))?;
            self.schedule(work, at)?;
            return Ok(After::On);
        }
        if was_sent {
            match self.lost(work, step, terms, &effect)? {
                Lost::There => {
                    self.schedule(work, at)?;
                    return Ok(After::On);
                }
                Lost::Again => {}
                Lost::End(outcome) => return Ok(After::End(outcome)),
            }
        }
        if !terms.reversible {
            let question = Question {
                incident: work.id.to_string(),
                what: step.plan.what.clone(),
                object: step.plan.object.clone(),
                why: Why::Irreversible(work.terms.effect.clone()),
            };
            match (self.ask)(&question) {
                Answer::Yes => {}
                Answer::No => return Ok(After::End(Outcome::Declined(step.plan.what.clone()))),
                Answer::Nobody => {
                    return Ok(After::End(Outcome::Unasked {
                        what: step.plan.what.clone(),
                        command: format!("keysweep respond --resume {} --yes", work.id),
                    }));
                }
            }
        }
        self.send(work, step, terms, revoker, &object)
    }

    /// What became of a call whose answer was lost.
    fn lost(
        &self,
        work: &Work<'_, '_>,
        step: &Step,
        terms: &StageTerms,
        effect: &Effect,
    ) -> Result<Lost, Error> {
        // A key dies within the deadline: where the call must not be sent twice, that is waited for.
        let deadline = if terms.repeatable {
            Duration::ZERO
        } else {
            work.terms.deadline
        };
        let deadline = if terms.kills {
            deadline
        } else {
            Duration::ZERO
        };
        let key = prove(self.net, work.provider, work.leak.credential(), deadline);
        let known = match (&key, effect) {
            (Proof::Refused { answer, .. }, _) if terms.kills => {
                let answer = self.clean(work.leak, answer);
                let answer = format!("its answer was lost; the key is refused: {answer}");
                self.write(|now| self.ledger.finish(step.id, StepState::Done, &answer, now))?;
                return Ok(Lost::There);
            }
            (Proof::Interrupted, _) => return Ok(Lost::End(Outcome::Interrupted)),
            (Proof::Alive { .. }, _) | (Proof::Refused { .. }, Effect::NotThere)
                if terms.repeatable =>
            {
                return Ok(Lost::Again);
            }
            (Proof::Alive { .. }, _) => "the key still works".to_owned(),
            (Proof::Unknown { why, .. }, _) => format!("whether the key works is not known: {why}"),
            (Proof::Refused { .. }, Effect::Unknown(why)) => why.clone(),
            (Proof::Refused { .. }, _) => "its effect is not there".to_owned(),
        };
        let known = self.clean(work.leak, &known);
        let question = Question {
            incident: work.id.to_string(),
            what: step.plan.what.clone(),
            object: step.plan.object.clone(),
            why: Why::SentBefore(known.clone()),
        };
        Ok(match (self.ask)(&question) {
            Answer::Yes => Lost::Again,
            Answer::No => Lost::End(Outcome::Declined(step.plan.what.clone())),
            Answer::Nobody => Lost::End(Outcome::Stopped {
                why: format!(
                    "{}: it was sent before and its answer was lost; {known}",
                    step.plan.what
                ),
                command: format!("keysweep respond --resume {} --send-again", work.id),
            }),
        })
    }

    /// Sends the call of a stage, once.
    fn send(
        &self,
        work: &Work<'_, '_>,
        step: &Step,
        terms: &StageTerms,
        revoker: &dyn Revoke,
        object: &Object,
    ) -> Result<After, Error> {
        let at = step.plan.stage;
        self.tell(work, &step.plan.what);
        self.write(|now| self.ledger.start(step.id, now))?;
        (self.at)(Point::Call);
        let said = revoker.run(self.net, work.leak, work.authority, object, at);
        (self.at)(Point::Called);
        let (state, answer) = match &said {
            Ok(done) if done.was_gone => (StepState::Done, format!("{}: dead before", done.answer)),
            Ok(done) => (StepState::Done, done.answer.clone()),
            Err(Failure::Unknown(why)) => {
                match revoker.effect(self.net, work.leak, work.authority, object, at) {
                    Effect::There => (
                        StepState::Done,
                        format!("{why}; its effect is there all the same"),
                    ),
                    Effect::NotThere | Effect::Unknown(_) => (StepState::Unknown, why.clone()),
                }
            }
            Err(failure) => (StepState::Failed, failure.to_string()),
        };
        let answer = self.clean(work.leak, &answer);
        self.write(|now| self.ledger.finish(step.id, state, &answer, now))
            .map_err(|error| match error {
                Error::Ledger(source) => Error::AfterCall {
                    incident: work.id.to_string(),
                    what: step.plan.what.clone(),
                    source,
                },
                other @ Error::AfterCall { .. } => other,
            })?;
        match state {
            StepState::Done => {
                self.schedule(work, at)?;
                Ok(After::On)
            }
            // The proof says what became of it.
            StepState::Unknown if terms.kills => Ok(After::On),
            _ => Ok(After::End(self.stopped(work, &answer))),
        }
    }

    /// A later stage counts its time from the end of the one before.
    fn schedule(&self, work: &Work<'_, '_>, done: usize) -> Result<(), Error> {
        let Some(terms) = work.terms.stages.get(done + 1) else {
            return Ok(());
        };
        let later = self.policy.after(terms.after);
        for step in self.round(work.id)? {
            let is_next = step.plan.kind == StepKind::Revoke && step.plan.stage == done + 1;
            if is_next && step.state == StepState::Planned && !later.is_zero() {
                let mut plan = step.plan.clone();
                plan.due = Some(plus(self.net.now(), later));
                self.write(|now| self.ledger.refine(step.id, &plan, now))?;
            }
        }
        Ok(())
    }

    /// Uses the key until it is refused.
    fn proof(&self, work: &Work<'_, '_>, step: &Step) -> Result<After, Error> {
        let deadline = work.terms.deadline;
        let text = format!("{}, at most {}", step.plan.what, span(deadline));
        self.tell(work, &text);
        self.write(|now| self.ledger.start(step.id, now))?;
        let key = work.leak.credential();
        let proof = prove(self.net, work.provider, key, deadline);
        let (check, state, answer) = match proof {
            Proof::Interrupted => return Ok(After::End(Outcome::Interrupted)),
            Proof::Refused { answer, after } => {
                let when = if after.as_secs() == 0 {
                    "at once".to_owned()
                } else {
                    format!("after {}", span(after))
                };
                let text = format!("refused {when}: {answer}");
                (CheckState::Refused, StepState::Done, text)
            }
            Proof::Alive { after } => {
                let text = format!("the key still works after {}", span(after));
                (CheckState::Alive, StepState::Failed, text)
            }
            Proof::Unknown { why, after } => {
                let text = format!("not known after {}: {why}", span(after));
                (CheckState::Unknown, StepState::Unknown, text)
            }
        };
        let answer = self.clean(work.leak, &answer);
        self.checked(work.id, check, &answer)?;
        if check == CheckState::Refused {
            for step in self.round(work.id)? {
                if step.plan.kind == StepKind::Revoke && step.state == StepState::Unknown {
                    let answer = "its answer was lost; the key is refused";
                    self.write(|now| self.ledger.finish(step.id, StepState::Done, answer, now))?;
                    self.schedule(work, step.plan.stage)?;
                }
            }
        }
        self.write(|now| self.ledger.finish(step.id, state, &answer, now))?;
        if check == CheckState::Refused {
            self.close(work)?;
            return Ok(After::On);
        }
        self.state(work.id, IncidentState::NotProven, &answer)?;
        Ok(After::End(Outcome::NotProven(answer)))
    }

    /// Looks whether a person has ended the key.
    fn wait_for_a_person(&self, work: &Work<'_, '_>) -> Result<After, Error> {
        match self.said(work.leak) {
            Verification::Inactive(answer) => {
                let answer = self.clean(work.leak, &answer);
                self.checked(work.id, CheckState::Refused, &answer)?;
                self.settle(work.id, work.leak, &answer)?;
                Ok(After::End(self.close(work)?))
            }
            Verification::Unknown(Doubt::Interrupted) => Ok(After::End(Outcome::Interrupted)),
            _ => Ok(After::End(Outcome::ByHand(work.terms.steps.clone()))),
        }
    }

    /// The incident is over: its key is proven dead.
    fn close(&self, work: &Work<'_, '_>) -> Result<Outcome, Error> {
        let Some(answer) = self.proven(work.id)? else {
            return Ok(self.stopped(work, "the key is not proven dead"));
        };
        if self.ledger.incident(work.id)?.state != IncidentState::Closed {
            self.state(work.id, IncidentState::Closed, &answer)?;
        }
        Ok(Outcome::Dead(answer))
    }

    /// What proved the key dead.
    fn proven(&self, id: IncidentId) -> Result<Option<String>, Error> {
        let mut steps = self.round(id)?.into_iter();
        let proof = steps.find(|s| s.plan.kind == StepKind::Prove && s.state == StepState::Done);
        Ok(proof.map(|step| step.answer))
    }

    /// Whether a step waits whose time has come.
    fn is_due(&self, id: IncidentId) -> Result<bool, Error> {
        let now = self.net.now();
        let steps = self.round(id)?;
        Ok(steps
            .iter()
            .any(|s| !s.state.is_final() && s.plan.due.is_some_and(|due| due <= now)))
    }

    /// The steps since the key was ended the last time.
    fn round(&self, id: IncidentId) -> Result<Vec<Step>, Error> {
        let mut steps = self.ledger.steps(id)?;
        let is_first = |step: &Step| {
            step.plan.kind == StepKind::Find
                || step.plan.kind == StepKind::Revoke && step.plan.what == BY_HAND
        };
        if let Some(at) = steps.iter().rposition(is_first) {
            steps.drain(..at);
        }
        Ok(steps)
    }

    /// The finding of an incident, with its secret; `None` where the secret is not kept.
    fn again(
        &self,
        incident: &Incident,
        credential: Option<Credential>,
    ) -> Result<Option<Finding>, Error> {
        let credential = match credential {
            Some(credential) => Some(credential),
            None => self.ledger.unseal(incident.id)?,
        };
        Ok(credential.map(|credential| found_again(incident, credential)))
    }

    /// What the provider says of the key, asked once.
    fn said(&self, leak: &ConfirmedLeak<'_>) -> Verification {
        let provider = self.kinds.verifier(&leak.finding().rule);
        provider.map_or(Verification::Unsupported, |provider| {
            provider.verify(self.net, leak.credential())
        })
    }

    fn clean(&self, leak: &ConfirmedLeak<'_>, text: &str) -> String {
        (self.clean)(leak.finding(), text)
    }

    fn tell(&self, work: &Work<'_, '_>, what: &str) {
        (self.tell)(&format!("{}: {what}", work.id));
    }

    fn stopped(&self, work: &Work<'_, '_>, why: &str) -> Outcome {
        Outcome::Stopped {
            why: why.to_owned(),
            command: if self.policy.recheck {
                format!("keysweep respond --resume {}", work.id)
            } else {
                format!("keysweep respond REPORT --resume {}", work.id)
            },
        }
    }

    fn checked(&self, id: IncidentId, state: CheckState, answer: &str) -> Result<(), Error> {
        self.write(|now| self.ledger.check(id, state, answer, now))
    }

    fn state(&self, id: IncidentId, state: IncidentState, why: &str) -> Result<(), Error> {
        self.write(|now| self.ledger.set_state(id, state, why, now))
    }

    fn write<T>(
        &self,
        write: impl FnOnce(Timestamp) -> Result<T, ledger::Error>,
    ) -> Result<T, Error> {
        (self.at)(Point::Write);
        let written = write(self.net.now())?;
        (self.at)(Point::Written);
        Ok(written)
    }

    /// Works on an incident while no other run does.
    fn claimed(
        &self,
        id: IncidentId,
        work: impl FnOnce() -> Result<Outcome, Error>,
    ) -> Result<Ended, Error> {
        self.write(|now| self.ledger.claim(id, &self.owner, now))?;
        let outcome = work();
        let released = self.write(|now| self.ledger.release(id, now));
        let outcome = outcome?;
        released?;
        let incident = self.ledger.incident(id)?;
        let steps = self.round(id)?.into_iter();
        let due = steps.filter(|step| !step.state.is_final());
        let due = due.filter_map(|step| Some((step.plan.what, step.plan.due?)));
        Ok(Ended {
            incident: id.to_string(),
            rule: incident.leak.rule,
            name: incident.leak.name,
            secret: incident.leak.secret,
            fingerprint: incident.leak.fingerprint.to_string(),
            state: incident.state.word(),
            outcome,
            due: due.collect(),
        })
    }
}

/// The step that a person does.
const BY_HAND: &str = "a person ends the key";

/// What became of a call whose answer was lost.
enum Lost {
    /// It had its effect.
    There,
    /// It may be sent again.
    Again,
    /// Nobody knows.
    End(Outcome),
}

/// Whether a step has come to its end, good or bad, or waits for its time.
fn is_through(step: &Step) -> bool {
    step.state.is_final()
        || step.plan.due.is_some()
        || step.plan.kind == StepKind::Prove
            && matches!(step.state, StepState::Failed | StepState::Unknown)
}

/// The object that the `find` step found.
fn object(plan: &NewStep) -> Object {
    let mut facts = plan.facts.clone();
    Object {
        id: facts.remove(ID).unwrap_or_default(),
        title: plan.object.clone(),
        facts,
    }
}

fn plus(now: Timestamp, span: Duration) -> Timestamp {
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[path = "run_tests.rs"]
#[expect(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests;
