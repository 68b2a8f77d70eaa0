//! Doing a plan: each step is in the ledger before its call and its answer after it. The same walk over the steps does a new
//! incident and goes on with an interrupted one.

mod outcome;
mod pair;
mod question;
mod recheck;
mod resume;
mod together;
mod walk;

use jiff::Timestamp;

use super::answered::Answered;
use super::incident::found_again;
use super::plan::by_hand;
use super::{Held, Kinds, Policy, Refusal, origin};
use crate::ledger::{
    self, BY_HAND, CheckState, Incident, IncidentId, IncidentState, Ledger, NewIncident, Step,
    StepKind, StepState,
};
use crate::model::{ConfirmedLeak, Credential, Finding, Verification};
use crate::net::Net;
use crate::provider::{Provider as _, Terms};

pub use outcome::{Ended, Outcome};
pub(super) use pair::unproven;
pub use question::{Answer, Question, Why};
pub use together::Progress;
use together::Turn;
use walk::Work;

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
    /// Who works on the incidents, with user and host: two runs have different names.
    pub owner: String,
    /// Whether a person agreed beforehand to all that cannot be undone: it is kept with steps that are due later.
    pub agreed: bool,
    /// Whether what was done without effect is done again.
    pub send_again: bool,
    /// What the commands are called with that it names.
    pub flags: Flags,
    /// Asks a person.
    pub ask: &'a dyn Fn(&Question) -> Answer,
    /// Hears what is done.
    pub tell: &'a dyn Fn(&str),
    /// Removes the secret of a finding from a text.
    pub clean: &'a dyn Fn(&Finding, &str) -> String,
    /// What it keeps in mind over its incidents: nothing at first.
    pub progress: Progress,
    /// Hears of each moment at which a run can be cut off; tests cut it off there.
    pub at: &'a dyn Fn(Point),
}

/// What commands are called with that are named to the user, each quoted for a shell, with a space in front; empty for nothing.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// Those that ask providers.
    pub act: String,
    /// Those that look at the ledger alone.
    pub look: String,
    /// That which names the ledger.
    pub ledger: String,
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

impl Run<'_> {
    /// Puts leaks on record, all of them or none: each with the steps that are planned and, where it is to be used again, its key,
    /// sealed. An incident of a leak that is not closed is taken up. What cuts the run off later leaves all of them to go on with.
    ///
    /// # Errors
    /// [`Error`] where the ledger fails.
    pub fn open(
        &self,
        leaks: &[(ConfirmedLeak<'_>, NewIncident)],
    ) -> Result<Vec<IncidentId>, Error> {
        let endpoints = origin::endpoints(self.net);
        let mut incidents = Vec::new();
        for (leak, incident) in leaks {
            let mut incident = incident.clone();
            incident.endpoints.clone_from(&endpoints);
            if let Some(provider) = self.kinds.verifier(&incident.rule) {
                incident.asked = origin::asked(self.net, &*provider, leak.credential());
            }
            incidents.push((leak, incident));
        }
        let open_all = |now: Timestamp| {
            let opened = incidents
                .iter()
                .map(|(leak, incident)| self.open_one(leak, incident, now));
            opened.collect()
        };
        self.write(|now| {
            let opened = self.ledger.together(|| open_all(now));
            opened.map_err(ledger::Error::at_first)
        })
    }

    fn open_one(
        &self,
        leak: &ConfirmedLeak<'_>,
        incident: &NewIncident,
        now: Timestamp,
    ) -> Result<IncidentId, ledger::Error> {
        let begun = self.ledger.begin(incident, now)?;
        let id = begun.incident;
        if begun.is_new {
            let steps = self.at_work(id, leak, incident, |work, _| self.steps(work));
            self.ledger.plan(id, &steps, now)?;
        } else if self.wandered(&self.ledger.incident(id)?, leak).is_some() {
            return Ok(id);
        }
        if !self.policy.recheck {
            return Ok(id);
        }
        let is_paired = self.kinds.is_paired(&incident.rule);
        if is_paired && leak.identity().is_none() && self.ledger.is_sealed(id)? {
            return Ok(id);
        }
        match self.ledger.seal(id, leak.credential(), now) {
            // Its own turn tells of it.
            Ok(()) | Err(ledger::Error::Busy { .. }) => Ok(id),
            Err(error) => Err(error),
        }
    }

    /// Ends a leak that is on record, as far as its key's first refusal ([`Outcome::Once`]); then, with that, proves it dead. What is
    /// between the two is the caller's: other keys.
    ///
    /// # Errors
    /// [`Error`] where the ledger fails.
    pub fn end(
        &self,
        id: IncidentId,
        leak: &ConfirmedLeak<'_>,
        first: Option<&Refusal>,
    ) -> Result<Ended, Error> {
        let incident = self.ledger.incident(id)?;
        let is_paired = self.kinds.is_paired(&incident.leak.rule);
        if is_paired && leak.identity().is_none() && self.is_confirmed(id, &incident.leak)? {
            // It was begun before, with what its provider said is its.
            return self.resume(&incident, Some(leak.credential().clone()), first);
        }
        self.claimed(id, || {
            let incident = self.ledger.incident(id)?;
            // One that was begun elsewhere is not ended here.
            if let Some(outcome) = self.astray("respond --resume", &incident, leak)? {
                return Ok(outcome);
            }
            if incident.state == IncidentState::Closed {
                // Another run, or the same key before, was quicker.
                return self.judge(&incident, leak, first);
            }
            if self.policy.recheck && !self.ledger.is_sealed(id)? {
                self.write(|now| self.ledger.seal(id, leak.credential(), now))?;
            }
            self.work(id, leak, true, first)
        })
    }

    /// An incident that the run did not come to.
    ///
    /// # Errors
    /// [`Error`] where the ledger fails.
    pub fn left(&self, id: IncidentId) -> Result<Ended, Error> {
        self.ended(id, Outcome::Left)
    }

    /// Ends the work on an incident whose key would be used elsewhere than where it was found active: nothing is sent.
    fn astray(
        &self,
        command: &str,
        incident: &Incident,
        leak: &ConfirmedLeak<'_>,
    ) -> Result<Option<Outcome>, Error> {
        let Some(mut why) = self.wandered(incident, leak) else {
            return Ok(None);
        };
        self.checked(incident.id, CheckState::Unknown, &why)?;
        let then = &incident.leak.flags;
        if !then.is_empty() {
            let (id, ledger) = (incident.id, &self.flags.ledger);
            why = format!("{why}; as then: keysweep {command} {id}{then}{ledger}");
        }
        Ok(Some(Outcome::Unclear(why)))
    }

    /// Why a key would be used elsewhere than where it was found active, if it would.
    fn wandered(&self, incident: &Incident, leak: &ConfirmedLeak<'_>) -> Option<String> {
        match self.kinds.verifier(&incident.leak.rule) {
            Some(provider) => {
                let now = origin::asked(self.net, &*provider, leak.credential());
                origin::moved(&incident.leak, &now)
            }
            None if incident.leak.asked.is_empty() => None,
            None => Some(format!(
                "not asked: no rule `{}` is loaded that says how; give the --rules of then",
                incident.leak.rule
            )),
        }
    }

    /// Works on an incident while no other run does.
    fn claimed(
        &self,
        id: IncidentId,
        work: impl FnOnce() -> Result<Outcome, Error>,
    ) -> Result<Ended, Error> {
        let outcome = match self.progress.turn(id) {
            Some(Turn::Over(outcome)) => outcome,
            _ => self.outcome(id, work)?,
        };
        self.ended(id, outcome)
    }

    fn outcome(
        &self,
        id: IncidentId,
        work: impl FnOnce() -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        self.write(|now| self.ledger.claim(id, &self.owner, now))?;
        let outcome = work();
        let released = self.write(|now| self.ledger.release(id, now));
        let outcome = outcome?;
        released?;
        Ok(outcome)
    }

    fn ended(&self, id: IncidentId, outcome: Outcome) -> Result<Ended, Error> {
        let incident = self.ledger.incident(id)?;
        let flags = self.flags_of(&incident.leak);
        let look = if self.is_as_then(&incident.leak) {
            self.flags.look.clone()
        } else {
            format!("{}{}", config_of(&incident.leak.flags), self.flags.ledger)
        };
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
            resume: format!("keysweep respond --resume {id}{flags}"),
            recheck: format!("keysweep recheck {id}{flags}"),
            show: format!("keysweep incidents show {id}{look}"),
        })
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
    fn said(&self, net: &dyn Net, leak: &ConfirmedLeak<'_>) -> Verification {
        let provider = self.kinds.verifier(&leak.finding().rule).map(Answered);
        provider.map_or(Verification::Unsupported, |provider| {
            provider.verify(net, leak.credential())
        })
    }

    /// What ending a key means, within the time that the caller gives it.
    fn terms(&self, leak: &ConfirmedLeak<'_>) -> Terms {
        let revoker = self.kinds.revoker(&leak.finding().rule);
        let mut terms = revoker.map_or_else(
            || by_hand(leak.finding()),
            |revoker| revoker.terms(leak.credential()),
        );
        terms.deadline = self.policy.deadline.unwrap_or(terms.deadline);
        terms
    }

    /// A refusal of a key that is used again without a call of ours before: whether it is the second one that proves it dead, and then
    /// in words.
    fn refused(
        &self,
        leak: &ConfirmedLeak<'_>,
        answer: String,
        first: Option<&Refusal>,
    ) -> Result<String, Outcome> {
        let now = self.net.now();
        if let Some(first) = first {
            return Ok(format!("{}: {answer}", first.and_again(now)));
        }
        let deadline = self.terms(leak).deadline;
        Err(Outcome::Once(Refusal::first(answer, deadline, now)))
    }

    /// Waits until the second refusal of a key counts; says whether the run may go on.
    fn wait_after(&self, id: IncidentId, first: Option<&Refusal>) -> bool {
        first.is_none_or(|first| first.wait(self.net, &|| self.touch(id)))
    }

    /// Whose run is silent for long loses the incident to another. What cannot be written now is told of by the next write.
    fn touch(&self, id: IncidentId) {
        let _ = self.ledger.touch(id, self.net.now());
    }

    /// The steps since the key was ended the last time.
    fn round(&self, id: IncidentId) -> Result<Vec<Step>, Error> {
        let mut steps = self.ledger.steps(id)?;
        let is_first = |step: &Step| step.plan.kind == StepKind::Find || step.plan.is_by_hand();
        if let Some(at) = steps.iter().rposition(is_first) {
            steps.drain(..at);
        }
        Ok(steps)
    }

    /// What proved the key dead.
    fn proven(&self, id: IncidentId) -> Result<Option<String>, Error> {
        let mut steps = self.round(id)?.into_iter();
        let proof = steps.find(|s| s.plan.kind == StepKind::Prove && s.state == StepState::Done);
        Ok(proof.map(|step| step.answer))
    }

    fn stopped(&self, work: &Work<'_, '_>, why: &str) -> Outcome {
        Outcome::Stopped {
            why: why.to_owned(),
            command: work.command(&if self.policy.recheck {
                format!("respond --resume {}", work.id)
            } else {
                work.given_again.clone()
            }),
        }
    }

    /// What commands about a leak are called with that ask its provider: as this run where it asks where the leak was begun, else as
    /// then.
    fn flags_of(&self, leak: &NewIncident) -> String {
        if self.is_as_then(leak) {
            self.flags.act.clone()
        } else {
            format!("{}{}", leak.flags, self.flags.ledger)
        }
    }

    fn is_as_then(&self, leak: &NewIncident) -> bool {
        leak.asked.is_empty() || leak.endpoints == origin::endpoints(self.net)
    }

    fn clean(&self, leak: &ConfirmedLeak<'_>, text: &str) -> String {
        (self.clean)(leak.finding(), text)
    }

    fn tell(&self, work: &Work<'_, '_>, what: &str) {
        (self.tell)(&format!("{}: {what}", work.id));
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
}

/// The configuration among the flags of commands that ask providers.
fn config_of(flags: &str) -> &str {
    let from = flags.rfind(" --config ").map(|at| flags.split_at(at).1);
    let from = from.unwrap_or_default();
    let end = from.find(" --allow-host ").unwrap_or(from.len());
    from.split_at(end).0
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests;
