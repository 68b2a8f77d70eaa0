//! Whether what names a key is that key's. An id and a secret that stand near each other may be of two keys: their provider alone
//! knows. Where it has not said that they work together, nothing is ended by that id, and a refusal of the two proves no death.

use super::{Error, Outcome, Run};
use crate::ledger::{CheckState, Incident, IncidentId, NewIncident, StepKind};
use crate::model::{ConfirmedLeak, Credential, Doubt, Finding, Verification};
use crate::provider::is_public;
use crate::respond::origin::bound;
use crate::respond::{Kinds, OBJECT_ID};
use crate::verify::choose;

/// Why nothing is proven by what stands beside a key.
const NEVER: &str = "its provider has never said that it works with what stands beside it";

/// Why a leak is not ended although a person names it, and what may be done: what its provider says is that the parts are not its, or
/// which they are is not known.
pub(in crate::respond) fn unproven(finding: &Finding, kinds: &dyn Kinds) -> Option<String> {
    if !kinds.is_paired(&finding.rule) {
        return None;
    }
    let credential = &finding.credential;
    let why = match finding.verification.as_ref().map(|c| &c.verification) {
        Some(Verification::Active(_)) => return None,
        Some(Verification::Inactive(why)) => why.clone(),
        Some(Verification::Unknown(doubt @ Doubt::Mismatch(_))) => doubt.to_string(),
        Some(Verification::Unknown(doubt)) if !credential.rivals.parts.is_empty() => {
            doubt.to_string()
        }
        _ if !credential.rivals.parts.is_empty() => "its provider was not asked".to_owned(),
        _ => return None,
    };
    let mut beside = String::new();
    if !credential.rivals.parts.is_empty() {
        let mut all: Vec<String> = Vec::new();
        for parts in credential.choices() {
            let named = parts.iter().filter(|(name, _)| is_public(name));
            let named: Vec<String> = named
                .map(|(name, value)| format!("{name} {value}"))
                .collect();
            let named = named.join(", ");
            if !all.contains(&named) {
                all.push(named);
            }
        }
        beside = format!("; near it stand: {}", all.join("; "));
    }
    Some(format!(
        "it is not ended: nothing says which key it is of: {why}{beside}; find out which is its, and give that with the secret to `keysweep revoke --rule {}`, or end the key at its provider",
        finding.rule
    ))
}

impl Run<'_> {
    /// Whether a key's provider has said that it works with what it is asked with.
    pub(super) fn is_confirmed(
        &self,
        id: IncidentId,
        incident: &NewIncident,
    ) -> Result<bool, Error> {
        if !self.kinds.is_paired(&incident.rule) || incident.verification == "active" {
            return Ok(true);
        }
        let checks = self.ledger.checks(id)?;
        Ok(checks.iter().any(|check| check.state == CheckState::Alive))
    }

    /// Ends the work on a key of which nothing says that it is named by what stands beside it: `None` where its provider has said so.
    pub(super) fn unconfirmed(
        &self,
        id: IncidentId,
        incident: &NewIncident,
        leak: &ConfirmedLeak<'_>,
    ) -> Result<Option<Outcome>, Error> {
        if self.is_confirmed(id, incident)? {
            return Ok(None);
        }
        let said = match leak.identity() {
            Some(identity) => Verification::Active(identity.clone()),
            None => self.said(&bound(self.net, incident), leak),
        };
        let why = match said {
            Verification::Active(_) => {
                self.checked(id, CheckState::Alive, "the key works")?;
                return Ok(None);
            }
            Verification::Unknown(Doubt::Interrupted) => return Ok(Some(Outcome::Interrupted)),
            Verification::Inactive(why) => why,
            Verification::Unknown(doubt) => doubt.to_string(),
            Verification::Unsupported => "no call is known that would use the key".to_owned(),
        };
        let why = self.clean(leak, &why);
        Ok(Some(self.halted(id, incident, format!("{NEVER}: {why}"))))
    }

    /// What a refusal of a key comes to that its provider never said works with what stands beside it.
    pub(super) fn proves_nothing(answer: &str) -> String {
        format!("it is refused, which proves nothing, as {NEVER}: {answer}")
    }

    /// The credential of an incident among what the caller gives: with the parts that it was begun with, or that its provider says
    /// are its.
    pub(super) fn same_pair(
        &self,
        incident: &Incident,
        given: Credential,
    ) -> Result<Result<Credential, Outcome>, Error> {
        let leak = &incident.leak;
        if !self.kinds.is_paired(&leak.rule) {
            return Ok(Ok(given));
        }
        if let Some(kept) = self.ledger.unseal(incident.id)? {
            return Ok(Ok(kept));
        }
        let steps = self.ledger.steps(incident.id)?;
        let found = steps
            .iter()
            .filter(|step| step.plan.kind == StepKind::Revoke)
            .filter_map(|step| step.plan.facts.get(OBJECT_ID));
        let key = leak.identity.as_ref().and_then(|whose| whose.key.as_ref());
        // An id that is a finding by itself is on record in its redacted form alone.
        let is_whole = |id: &&String| !id.is_empty() && !id.contains('…');
        let known: Vec<&String> = found.chain(key).filter(is_whole).collect();
        let is_its = |value: &String| known.contains(&value);
        let named = given
            .choices()
            .find(|parts| parts.iter().any(|(_, value)| is_its(value)));
        if let Some(parts) = named {
            return Ok(Ok(given.with(parts)));
        }
        let is_only = given.rivals.parts.is_empty();
        if is_only && known.is_empty() && !self.is_confirmed(incident.id, leak)? {
            // Whether the two belong together is asked before anything is done.
            return Ok(Ok(given));
        }
        let provider = self.kinds.verifier(&leak.rule);
        let chosen = provider.and_then(|provider| {
            let net = bound(self.net, leak);
            choose(&net, &*provider, &given).1
        });
        Ok(match chosen {
            Some(parts) if known.is_empty() => Ok(given.with(&parts)),
            _ => Err(self.halted(
                incident.id,
                leak,
                "the key was given with other parts than those that it was begun with, or with several".to_owned(),
            )),
        })
    }

    fn halted(&self, id: IncidentId, incident: &NewIncident, why: String) -> Outcome {
        let command = if self.policy.recheck {
            format!("respond --resume {id}")
        } else {
            incident.given_again(id)
        };
        Outcome::Stopped {
            why,
            command: format!("keysweep {command}{}", self.flags_of(incident)),
        }
    }
}
