//! Going on with an incident that was begun: its secret is fetched again, and what became of a call whose answer was lost is found out.

use std::time::Duration;

use super::walk::Work;
use super::{Answer, Ended, Error, Outcome, Question, Run, Why};
use crate::ledger::{Incident, IncidentState, Step, StepState};
use crate::model::{ConfirmedLeak, Credential, Verification};
use crate::provider::{Effect, StageTerms};
use crate::respond::origin::bound;
use crate::respond::{Proof, Refusal};

/// What became of a call whose answer was lost.
pub(super) enum Lost {
    /// It had its effect.
    There,
    /// It may be sent again.
    Again,
    /// Nobody knows.
    End(Outcome),
}

impl Run<'_> {
    /// Goes on with an incident that was begun, as [`Run::end`]. `credential` is its secret where the caller has it; else the ledger's
    /// is taken.
    ///
    /// # Errors
    /// [`Error`] where the ledger fails.
    pub fn resume(
        &self,
        incident: &Incident,
        credential: Option<Credential>,
        first: Option<&Refusal>,
    ) -> Result<Ended, Error> {
        self.claimed(incident.id, || {
            let credential = match credential.map(|given| self.same_pair(incident, given)) {
                Some(same) => match same? {
                    Ok(same) => Some(same),
                    Err(outcome) => return Ok(outcome),
                },
                None => None,
            };
            let Some(finding) = self.again(incident, credential)? else {
                let command = incident.leak.given_again(incident.id);
                let why = "its secret was not kept, so that it is needed again";
                let parts = if incident.leak.scanned.is_empty() {
                    ", with the further parts that it was given with"
                } else {
                    ""
                };
                return Ok(Outcome::Stopped {
                    why: format!("{why}{parts}"),
                    command: format!("keysweep {command}{}", self.flags_of(&incident.leak)),
                });
            };
            let Some(leak) = ConfirmedLeak::named(&finding, finding.fingerprint) else {
                return Ok(Outcome::NotKept);
            };
            if let Some(outcome) = self.astray("respond --resume", incident, &leak)? {
                return Ok(outcome);
            }
            if first.is_some() {
                return self.work(incident.id, &leak, false, first);
            }
            let anew = self.is_anew(incident, &leak);
            self.work(incident.id, &leak, anew, None)
        })
    }

    /// Whether a key is ended anew: only where that is wanted and its provider says that it works, again, or still although the call
    /// was answered.
    pub(super) fn is_anew(&self, incident: &Incident, leak: &ConfirmedLeak<'_>) -> bool {
        let is_wanted = match incident.state {
            IncidentState::Reopened => true,
            IncidentState::NotProven => self.send_again,
            IncidentState::Open | IncidentState::Closed => false,
        };
        is_wanted && {
            let net = bound(self.net, &incident.leak);
            matches!(self.said(&net, leak), Verification::Active(_))
        }
    }

    /// What became of a call whose answer was lost.
    pub(super) fn lost(
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
        let key = self.prove(work, deadline);
        let known = match (&key, effect) {
            (Proof::Refused(refusal), _) if terms.kills => {
                let answer = self.clean(work.leak, &refusal.answer);
                let answer = format!("its answer was lost; the key is refused: {answer}");
                self.write(|now| self.ledger.finish(step.id, StepState::Done, &answer, now))?;
                return Ok(Lost::There);
            }
            (Proof::Interrupted, _) => return Ok(Lost::End(Outcome::Interrupted)),
            (Proof::Alive { .. }, _) | (Proof::Refused(_), Effect::NotThere)
                if terms.repeatable =>
            {
                return Ok(Lost::Again);
            }
            (Proof::Alive { .. }, _) => "the key still works".to_owned(),
            (Proof::Unknown { why, .. }, _) => format!("whether the key works is not known: {why}"),
            (Proof::Refused(_), Effect::Unknown(why)) => why.clone(),
            (Proof::Refused(_), _) => "its effect is not there".to_owned(),
        };
        let known = self.clean(work.leak, &known);
        let question = Question {
            incident: work.id.to_string(),
            what: step.plan.what.clone(),
            object: step.plan.object.clone(),
            why: Why::SentBefore(known.clone()),
        };
        Ok(match (self.ask)(&question) {
            Answer::Yes => {
                let why = format!("sent again; {known}");
                self.write(|now| self.ledger.agree(step.id, &self.owner, &why, now))?;
                Lost::Again
            }
            Answer::No => Lost::End(Outcome::Declined(step.plan.what.clone())),
            Answer::Nobody => Lost::End(Outcome::Stopped {
                why: format!(
                    "{}: it was sent before and its answer was lost; {known}",
                    step.plan.what
                ),
                command: work.command(&format!("respond --resume {} --send-again", work.id)),
            }),
        })
    }
}
