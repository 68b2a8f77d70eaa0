//! Using the key of an incident again, and what its answer says of the incident.

use super::{Ended, Error, Outcome, Run};
use crate::ledger::{CheckState, Incident, IncidentId, IncidentState, StepKind, StepState};
use crate::model::{ConfirmedLeak, Doubt, Verification};
use crate::respond::Refusal;
use crate::respond::origin::bound;

impl Run<'_> {
    /// Uses the key of an incident again, and does what has become due if the key is refused. Where that would close the incident, two
    /// refusals are needed, as for [`Run::end`]. Of a closed one it is asked whether its key works again: two refusals proved it dead
    /// before, and one that is an accident of the moment takes nothing from that; the next recheck asks again.
    ///
    /// # Errors
    /// [`Error`] where the ledger fails.
    pub fn recheck(&self, incident: &Incident, first: Option<&Refusal>) -> Result<Ended, Error> {
        self.claimed(incident.id, || {
            let Some(finding) = self.again(incident, None)? else {
                return Ok(Outcome::NotKept);
            };
            let Some(leak) = ConfirmedLeak::named(&finding, finding.fingerprint) else {
                return Ok(Outcome::NotKept);
            };
            if let Some(outcome) = self.astray("recheck", incident, &leak)? {
                return Ok(outcome);
            }
            let outcome = self.judge(incident, &leak, first)?;
            if matches!(outcome, Outcome::Dead(_)) && self.is_due(incident.id)? {
                return self.work(incident.id, &leak, false, None);
            }
            Ok(outcome)
        })
    }

    /// What a use of the key says of its incident.
    pub(super) fn judge(
        &self,
        incident: &Incident,
        leak: &ConfirmedLeak<'_>,
        first: Option<&Refusal>,
    ) -> Result<Outcome, Error> {
        let id = incident.id;
        if !self.wait_after(id, first) {
            return Ok(Outcome::Interrupted);
        }
        let net = bound(self.net, &incident.leak);
        match self.said(&net, leak) {
            Verification::Inactive(answer) if !self.is_confirmed(id, &incident.leak)? => {
                let why = Self::proves_nothing(&self.clean(leak, &answer));
                self.checked(id, CheckState::Unknown, &why)?;
                Ok(Outcome::Unclear(why))
            }
            Verification::Inactive(answer) => {
                let answer = self.clean(leak, &answer);
                self.checked(id, CheckState::Refused, &answer)?;
                if incident.state == IncidentState::Closed {
                    self.settle(id, leak, &answer)?;
                    return Ok(Outcome::Dead(answer));
                }
                let answer = match self.refused(leak, answer, first) {
                    Ok(answer) => answer,
                    Err(once) => return Ok(once),
                };
                self.settle(id, leak, &answer)?;
                let why = format!("the key is refused: {answer}");
                self.state(id, IncidentState::Closed, &why)?;
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
    pub(super) fn settle(
        &self,
        id: IncidentId,
        leak: &ConfirmedLeak<'_>,
        answer: &str,
    ) -> Result<(), Error> {
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

    /// Whether a step waits whose time has come.
    fn is_due(&self, id: IncidentId) -> Result<bool, Error> {
        let now = self.net.now();
        let steps = self.round(id)?;
        Ok(steps
            .iter()
            .any(|s| !s.state.is_final() && s.plan.due.is_some_and(|due| due <= now)))
    }
}
