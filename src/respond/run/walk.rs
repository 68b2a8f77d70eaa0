//! The walk over the steps of an incident: each is in the ledger before its call and its answer after it. A step that was begun before is
//! looked at first.

use std::time::Duration;

use jiff::Timestamp;

use super::resume::Lost;
use super::together::{Turn, limited};
use super::{Answer, BY_HAND, Error, Outcome, Point, Question, Run, Why};
use crate::ledger::{
    CheckState, IncidentId, IncidentState, NewIncident, NewStep, Step, StepKind, StepState,
};
use crate::model::{ConfirmedLeak, Doubt, Verification};
use crate::net::{Net, placed};
use crate::provider::{
    Authority, Effect, Failure, Needed, Object, Provider, Revocation, Revoke, StageTerms, Terms,
};
use crate::respond::answered::Answered;
use crate::respond::origin::bound;
use crate::respond::plan::{Authorised, authorised};
use crate::respond::{OBJECT_ID, Proof, Refusal, prove, prove_again, span};

/// An incident while it is worked on.
pub(super) struct Work<'w, 'f> {
    pub(super) id: IncidentId,
    /// Goes where it went when the incident was begun.
    pub(super) net: &'w dyn Net,
    pub(super) leak: &'w ConfirmedLeak<'f>,
    pub(super) revoker: Option<&'w dyn Revoke>,
    pub(super) provider: Option<&'w dyn Provider>,
    pub(super) terms: &'w Terms,
    /// Whose authority it is, in words.
    pub(super) whose: String,
    pub(super) authority: &'w Authority,
    /// What goes on with a key that is not kept.
    pub(super) given_again: String,
    /// What commands that ask its provider are called with.
    pub(super) flags: String,
}

impl Work<'_, '_> {
    fn revocation(&self) -> Revocation<'_> {
        Revocation {
            net: self.net,
            leak: self.leak,
            authority: self.authority,
        }
    }

    /// A command that asks its provider where it was asked when the incident was begun.
    pub(super) fn command(&self, what: &str) -> String {
        format!("keysweep {what}{}", self.flags)
    }
}

/// What a step came to.
enum After {
    /// The next one.
    On,
    /// No further.
    End(Outcome),
}

impl Run<'_> {
    /// Goes over the steps of an incident; `anew` ends a key again whose steps are through. With the first refusal of its key nothing
    /// is looked at before the proof.
    pub(super) fn work(
        &self,
        id: IncidentId,
        leak: &ConfirmedLeak<'_>,
        anew: bool,
        first: Option<&Refusal>,
    ) -> Result<Outcome, Error> {
        let incident = self.ledger.incident(id)?.leak;
        self.at_work(id, leak, &incident, |work, whose| {
            self.walk(work, whose, anew && first.is_none(), first)
        })
    }

    /// With what is needed to work on an incident.
    pub(super) fn at_work<T>(
        &self,
        id: IncidentId,
        leak: &ConfirmedLeak<'_>,
        incident: &NewIncident,
        then: impl FnOnce(&Work<'_, '_>, Authorised) -> T,
    ) -> T {
        let rule = &leak.finding().rule;
        let revoker = self.kinds.revoker(rule);
        let provider = self.kinds.verifier(rule).map(Answered);
        let terms = self.terms(leak);
        let (whose, authority) = authorised(&terms, self.held);
        let net = bound(self.net, incident);
        let work = Work {
            id,
            net: &net,
            leak,
            revoker: revoker.as_deref(),
            provider: provider.as_ref().map(|provider| provider as &dyn Provider),
            terms: &terms,
            whose: whose.who(),
            authority: &authority,
            given_again: incident.given_again(id),
            flags: self.flags_of(incident),
        };
        then(&work, whose)
    }

    fn walk(
        &self,
        work: &Work<'_, '_>,
        whose: Authorised,
        anew: bool,
        mut first: Option<&Refusal>,
    ) -> Result<Outcome, Error> {
        let (id, terms) = (work.id, work.terms);
        let mut steps = self.round(id)?;
        let by_call = steps.iter().any(|step| step.plan.kind == StepKind::Find);
        let other_way = by_call == terms.stages.is_empty();
        let is_through = steps.iter().all(is_through);
        if steps.is_empty() || other_way || (anew && is_through) {
            for step in steps.iter().filter(|step| !step.state.is_final()) {
                let why = "the key is ended anew";
                self.write(|now| self.ledger.finish(step.id, StepState::Skipped, why, now))?;
            }
            self.write(|now| self.ledger.plan(id, &self.steps(work), now))?;
            // What works although it was ended stays known as such until it is proven dead.
            if self.ledger.incident(id)?.state == IncidentState::Closed {
                self.state(id, IncidentState::Open, "the key is ended anew")?;
            }
            steps = self.round(id)?;
        }
        let needs = steps.iter().any(|step| {
            let is_call = matches!(step.plan.kind, StepKind::Find | StepKind::Revoke);
            is_call && !step.state.is_final()
        });
        if let (true, Authorised::Missing { mend, .. }) = (needs, whose) {
            return Ok(self.stopped(work, &mend));
        }
        if needs && !terms.stages.is_empty() {
            let incident = self.ledger.incident(id)?.leak;
            if let Some(outcome) = self.unconfirmed(id, &incident, work.leak)? {
                return Ok(outcome);
            }
        }
        for step in &steps {
            // What came before may have said more of it.
            let step = self.ledger.step(step.id)?;
            let after = match step.plan.kind {
                _ if step.state.is_final() => After::On,
                // Each is proven dead after the call for all.
                StepKind::Prove if self.progress.is_approached(id) => After::End(Outcome::Left),
                StepKind::Revoke if terms.stages.is_empty() => {
                    self.wait_for_a_person(work, first)?
                }
                StepKind::Find | StepKind::Revoke if first.is_some() => After::On,
                StepKind::Find => self.find(work, &step)?,
                StepKind::Revoke => self.stage(work, &step)?,
                StepKind::Prove => self.proof(work, &step, first.take())?,
                StepKind::Rotate | StepKind::Notify | StepKind::Usage | StepKind::Record => {
                    After::On
                }
            };
            if let After::End(outcome) = after {
                return Ok(outcome);
            }
        }
        self.close(work)
    }

    /// The steps of a new incident.
    pub(super) fn steps(&self, work: &Work<'_, '_>) -> Vec<NewStep> {
        let finding = work.leak.finding();
        let prove = NewStep {
            object: self.clean(work.leak, &work.terms.object),
            ..NewStep::of(
                StepKind::Prove,
                "use the key again until it is refused twice",
            )
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
                agreed: (self.agreed && !stage.reversible).then(|| self.net.now()),
                agreed_by: if self.agreed && !stage.reversible {
                    self.owner.clone()
                } else {
                    String::new()
                },
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
        self.clean(work.leak, &placed(self.net, &text.unwrap_or_default()))
    }

    /// Looks up what dies, and writes it into the steps.
    fn find(&self, work: &Work<'_, '_>, step: &Step) -> Result<After, Error> {
        let Some(revoker) = work.revoker else {
            return Ok(After::On);
        };
        self.tell(work, &step.plan.what);
        self.write(|now| self.ledger.start(step.id, now))?;
        match revoker.find(&work.revocation()) {
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
                    plan.facts.insert(OBJECT_ID.to_owned(), object.id.clone());
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
                let why = match &failure {
                    Failure::RateLimited(end) => self.limited(work, *end),
                    failure => failure.to_string(),
                };
                let why = self.clean(work.leak, &why);
                let gone = matches!(failure, Failure::Object(_) | Failure::Authority(_));
                if let (true, Verification::Inactive(answer)) =
                    (gone, self.said(work.net, work.leak))
                {
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
            self.agree(step)?;
            let is_proven = self.proven(work.id)?;
            return Ok(After::End(if is_proven.is_some() {
                self.close(work)?
            } else {
                self.stopped(work, &format!("{}: due {due:.0}", step.plan.what))
            }));
        }
        match self.progress.turn(work.id) {
            Some(Turn::InVain(why)) => return Ok(After::End(self.stopped(work, &why))),
            // The proof says what became of it.
            Some(Turn::Called) if step.state == StepState::Unknown => return Ok(After::On),
            _ => {}
        }
        let provider = &work.leak.finding().provider;
        if let Some(why) = self.progress.limited(provider, self.net.now()) {
            return Ok(After::End(self.stopped(work, &why)));
        }
        let object = object(&step.plan);
        let was_sent = matches!(step.state, StepState::Started | StepState::Unknown);
        let at = step.plan.stage;
        let effect = revoker.effect(&work.revocation(), &object, at);
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
        if !terms.reversible && step.plan.agreed.is_none() {
            let question = Question {
                incident: work.id.to_string(),
                what: step.plan.what.clone(),
                object: step.plan.object.clone(),
                why: Why::Irreversible(work.terms.effect.clone()),
            };
            match (self.ask)(&question) {
                Answer::Yes => {
                    let why = "cannot be undone";
                    self.write(|now| self.ledger.agree(step.id, &self.owner, why, now))?;
                }
                Answer::No => return Ok(After::End(Outcome::Declined(step.plan.what.clone()))),
                Answer::Nobody => {
                    return Ok(After::End(Outcome::Unasked {
                        what: step.plan.what.clone(),
                        command: work.command(&format!("respond --resume {} --yes", work.id)),
                    }));
                }
            }
        }
        if self.progress.is_approached(work.id) {
            let step = self.ledger.step(step.id)?;
            self.progress.set(work.id, Turn::Ready(Box::new(step)));
            return Ok(After::End(Outcome::Left));
        }
        self.send(work, step, terms, revoker, &object)
    }

    /// Keeps with a step that waits for its time that somebody agreed to it.
    fn agree(&self, step: &Step) -> Result<(), Error> {
        let waits = step.state == StepState::Planned && !step.plan.reversible;
        if !(self.agreed && waits && step.plan.agreed.is_none()) {
            return Ok(());
        }
        let mut plan = step.plan.clone();
        plan.agreed = Some(self.net.now());
        plan.agreed_by.clone_from(&self.owner);
        self.write(|now| self.ledger.refine(step.id, &plan, now))
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
        let said = revoker.run(&work.revocation(), object, at);
        (self.at)(Point::Called);
        let (state, answer) = match &said {
            Ok(done) if done.was_gone => (StepState::Done, format!("{}: dead before", done.answer)),
            Ok(done) => (StepState::Done, done.answer.clone()),
            Err(Failure::Unknown(why)) => match revoker.effect(&work.revocation(), object, at) {
                Effect::There => (
                    StepState::Done,
                    format!("{why}; its effect is there all the same"),
                ),
                Effect::NotThere | Effect::Unknown(_) => (StepState::Unknown, why.clone()),
            },
            Err(Failure::RateLimited(end)) => (StepState::Failed, self.limited(work, *end)),
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

    /// Notes that the provider takes no more calls for now; in words.
    fn limited(&self, work: &Work<'_, '_>, end: Option<Timestamp>) -> String {
        let provider = &work.leak.finding().provider;
        // With the key's own authority it is the key's own limit.
        if work.terms.needed != Needed::Itself {
            self.progress.limit(provider, end);
        }
        limited(provider, end.as_ref())
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

    /// Uses the key until it is refused, or a second time where it was, and puts what was seen on record.
    fn proof(
        &self,
        work: &Work<'_, '_>,
        step: &Step,
        first: Option<&Refusal>,
    ) -> Result<After, Error> {
        let deadline = work.terms.deadline;
        let proof = if let Some(first) = first {
            self.prove_again(work, first)
        } else {
            let text = format!("{}, at most {}", step.plan.what, span(deadline));
            self.tell(work, &text);
            self.write(|now| self.ledger.start(step.id, now))?;
            self.prove(work, deadline)
        };
        let once = first.map_or("", |_| "refused once, which was an accident; ");
        let (check, state, answer) = match proof {
            Proof::Interrupted => return Ok(After::End(Outcome::Interrupted)),
            Proof::Refused(mut refusal) if first.is_none() => {
                refusal.answer = self.clean(work.leak, &refusal.answer);
                let text = format!("{}: {}", refusal.once(), refusal.answer);
                self.checked(work.id, CheckState::Refused, &text)?;
                return Ok(After::End(Outcome::Once(refusal)));
            }
            Proof::Refused(refusal) => {
                let twice = refusal.and_again(work.net.now());
                let text = format!("{twice}: {}", refusal.answer);
                (CheckState::Refused, StepState::Done, text)
            }
            Proof::Alive { after } => {
                let text = format!("{once}the key still works after {}", span(after));
                (CheckState::Alive, StepState::Failed, text)
            }
            Proof::Unknown { why, after } => {
                let once = first.map_or("", |_| "refused once, and then ");
                let text = format!("{once}not known after {}: {why}", span(after));
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
        // Where an answer was lost, going on finds out whether it may be sent again.
        let mut calls = self.round(work.id)?.into_iter();
        let is_answered = calls
            .clone()
            .any(|s| s.plan.kind == StepKind::Revoke && s.state == StepState::Done);
        let is_lost =
            calls.any(|s| s.plan.kind == StepKind::Revoke && s.state == StepState::Unknown);
        let again = (check == CheckState::Alive && is_answered)
            .then(|| work.command(&format!("respond --resume {} --send-again", work.id)));
        Ok(After::End(Outcome::NotProven {
            why: answer,
            again,
            is_lost,
        }))
    }

    /// Uses the key until it is refused, or the deadline has passed.
    pub(super) fn prove(&self, work: &Work<'_, '_>, deadline: Duration) -> Proof {
        let (key, waits) = (work.leak.credential(), || self.touch(work.id));
        let proof = prove(work.net, work.provider, key, deadline, &waits);
        self.of_its_own(work.id, proof)
    }

    /// A refusal of what its provider never said works with what stands beside it proves nothing.
    fn of_its_own(&self, id: IncidentId, proof: Proof) -> Proof {
        match proof {
            Proof::Refused(refusal) if !self.is_proof(id) => Proof::Unknown {
                why: Self::proves_nothing(&refusal.answer),
                after: refusal.after,
            },
            proof => proof,
        }
    }

    /// Whether a refusal of the key is its death.
    fn is_proof(&self, id: IncidentId) -> bool {
        let incident = self.ledger.incident(id);
        incident.is_ok_and(|it| self.is_confirmed(id, &it.leak).unwrap_or(false))
    }

    /// Uses a key that was refused a second time.
    fn prove_again(&self, work: &Work<'_, '_>, first: &Refusal) -> Proof {
        let (key, waits) = (work.leak.credential(), || self.touch(work.id));
        let deadline = work.terms.deadline;
        let proof = prove_again(work.net, work.provider, key, deadline, first, &waits);
        self.of_its_own(work.id, proof)
    }

    /// Looks whether a person has ended the key.
    fn wait_for_a_person(
        &self,
        work: &Work<'_, '_>,
        first: Option<&Refusal>,
    ) -> Result<After, Error> {
        if !self.wait_after(work.id, first) {
            return Ok(After::End(Outcome::Interrupted));
        }
        match self.said(work.net, work.leak) {
            Verification::Inactive(answer) if self.is_proof(work.id) => {
                let answer = self.clean(work.leak, &answer);
                self.checked(work.id, CheckState::Refused, &answer)?;
                let answer = match self.refused(work.leak, answer, first) {
                    Ok(answer) => answer,
                    Err(once) => return Ok(After::End(once)),
                };
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
        id: facts.remove(OBJECT_ID).unwrap_or_default(),
        title: plan.object.clone(),
        facts,
    }
}

fn plus(now: Timestamp, span: Duration) -> Timestamp {
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}
