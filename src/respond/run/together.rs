//! Keys that one call ends: each is on record before it and has the answer after it, in its own incident. Then each is proven dead in
//! its own turn.

use std::cell::RefCell;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Error, Outcome, Point, Run};
use crate::ledger::{self, Incident, IncidentId, IncidentState, Ledger, Step, StepState};
use crate::model::{ConfirmedLeak, Credential};
use crate::provider::{Failure, until};
use crate::respond::origin::bound;

/// Calls that a refused list is cut into at most, so that one bad key keeps no other alive.
const CALLS: u32 = 20;

/// What a run keeps in mind over its incidents.
#[derive(Default)]
pub struct Progress {
    turns: RefCell<BTreeMap<IncidentId, Turn>>,
    /// Providers that take no more calls, with the end of it.
    limits: RefCell<BTreeMap<String, Option<Timestamp>>>,
}

/// How far an incident has come before its own turn.
#[derive(Clone)]
pub(super) enum Turn {
    /// It is brought to its call.
    Approach,
    /// It waits for its call, with this step.
    Ready(Box<Step>),
    /// The call was made, whatever the answer.
    Called,
    /// The call had no effect, in words.
    InVain(String),
    /// It came to its end before its call.
    Over(Outcome),
}

impl Progress {
    pub(super) fn turn(&self, id: IncidentId) -> Option<Turn> {
        self.turns.borrow().get(&id).cloned()
    }

    pub(super) fn is_approached(&self, id: IncidentId) -> bool {
        matches!(self.turns.borrow().get(&id), Some(Turn::Approach))
    }

    pub(super) fn set(&self, id: IncidentId, turn: Turn) {
        self.turns.borrow_mut().insert(id, turn);
    }

    fn clear(&self, id: IncidentId) {
        self.turns.borrow_mut().remove(&id);
    }

    /// Notes that a provider takes no more calls for now.
    pub(super) fn limit(&self, provider: &str, end: Option<Timestamp>) {
        self.limits.borrow_mut().insert(provider.to_owned(), end);
    }

    /// Why a provider is sent nothing, if it is limited.
    pub(super) fn limited(&self, provider: &str, now: Timestamp) -> Option<String> {
        let limits = self.limits.borrow();
        let end = limits.get(provider)?;
        end.is_none_or(|end| end > now)
            .then(|| limited(provider, end.as_ref()))
    }
}

/// A limit in words.
pub(super) fn limited(provider: &str, end: Option<&Timestamp>) -> String {
    format!("rate limited by {provider}{}", until(end))
}

/// A key that waits for the call.
struct Member<'l, 'f> {
    id: IncidentId,
    leak: &'l ConfirmedLeak<'f>,
    step: Step,
}

impl Run<'_> {
    /// Ends leaks that are on record and that one call ends together. Before and after it, [`Run::end`] is each one's own turn.
    ///
    /// # Errors
    /// [`Error`] where the ledger fails.
    pub fn end_together(&self, leaks: &[(IncidentId, &ConfirmedLeak<'_>)]) -> Result<(), Error> {
        let leaks = leaks.iter().map(|(id, leak)| (*id, *leak, true));
        self.together(&leaks.collect::<Vec<_>>())
    }

    /// The same for incidents that were begun; [`Run::resume`] is each one's own turn.
    ///
    /// # Errors
    /// [`Error`] where the ledger fails.
    pub fn resume_together(
        &self,
        incidents: &[Incident],
        credential: &dyn Fn(&Incident) -> Option<Credential>,
    ) -> Result<(), Error> {
        let mut findings = Vec::new();
        for incident in incidents {
            let is_one = self
                .kinds
                .revoker(&incident.leak.rule)
                .is_some_and(|revoker| revoker.together().is_some());
            // What cannot be unsealed is told in its own turn.
            if is_one && let Ok(Some(finding)) = self.again(incident, credential(incident)) {
                findings.push((incident, finding));
            }
        }
        let mut leaks = Vec::new();
        for (incident, finding) in &findings {
            let leak = ConfirmedLeak::named(finding, finding.fingerprint);
            leaks.extend(leak.map(|leak| (*incident, leak)));
        }
        let leaks = leaks
            .iter()
            .map(|(incident, leak)| (incident.id, leak, self.is_anew(incident, leak)));
        self.together(&leaks.collect::<Vec<_>>())
    }

    fn together(&self, leaks: &[(IncidentId, &ConfirmedLeak<'_>, bool)]) -> Result<(), Error> {
        type Call = (String, Vec<(String, String)>);
        let mut calls: BTreeMap<Call, Vec<(IncidentId, &ConfirmedLeak<'_>, bool)>> =
            BTreeMap::new();
        for (id, leak, anew) in leaks {
            let revoker = self.kinds.revoker(&leak.finding().rule);
            let Some(call) = revoker.and_then(|revoker| revoker.together()) else {
                continue;
            };
            let incident = self.ledger.incident(*id)?;
            // What is over, or was begun elsewhere, is told in its own turn.
            let is_over = incident.state == IncidentState::Closed;
            if is_over || self.wandered(&incident, leak).is_some() {
                continue;
            }
            let key = (call.call, incident.leak.endpoints);
            let members = calls.entry(key).or_default();
            members.push((*id, *leak, *anew));
        }
        for members in calls.into_values().filter(|members| members.len() > 1) {
            if !self.one_call(members)? {
                break;
            }
        }
        Ok(())
    }

    /// Brings incidents to their call and makes it; gives whether to go on.
    fn one_call(&self, leaks: Vec<(IncidentId, &ConfirmedLeak<'_>, bool)>) -> Result<bool, Error> {
        let mut ready = Vec::new();
        for (id, leak, anew) in leaks {
            self.progress.set(id, Turn::Approach);
            match self.outcome(id, || self.work(id, leak, anew, None)) {
                // Another run has it.
                Err(Error::Ledger(ledger::Error::Busy { .. })) => self.progress.clear(id),
                Err(error) => return Err(error),
                Ok(outcome) => match self.progress.turn(id) {
                    Some(Turn::Ready(step)) => ready.push(Member {
                        id,
                        leak,
                        step: *step,
                    }),
                    _ if matches!(outcome, Outcome::Left | Outcome::Once(_)) => {
                        self.progress.clear(id);
                    }
                    _ => {
                        let is_stopped = outcome == Outcome::Interrupted;
                        self.progress.set(id, Turn::Over(outcome));
                        if is_stopped {
                            for member in &ready {
                                self.progress.clear(member.id);
                            }
                            return Ok(false);
                        }
                    }
                },
            }
        }
        for member in &ready {
            self.progress.clear(member.id);
        }
        // One alone has its call in its own turn.
        let most = ready.first().and_then(|one| self.most(one));
        let Some(most) = most.filter(|_| ready.len() > 1) else {
            return Ok(true);
        };
        let mut calls = 0;
        let mut lists: Vec<&[Member<'_, '_>]> = ready.chunks(most.max(1)).rev().collect();
        while let Some(list) = lists.pop() {
            calls += 1;
            let is_refused = self.call(list)?;
            // One that is no key of theirs keeps none of the others alive.
            if is_refused && list.len() > 1 && calls + 2 <= CALLS {
                let (first, second) = list.split_at(list.len() / 2);
                lists.extend([second, first]);
            }
        }
        Ok(true)
    }

    fn most(&self, member: &Member<'_, '_>) -> Option<usize> {
        let revoker = self.kinds.revoker(&member.leak.finding().rule)?;
        Some(revoker.together()?.most)
    }

    /// Makes the call for a list, each of which is on record before and after it; gives whether the list was refused.
    fn call(&self, list: &[Member<'_, '_>]) -> Result<bool, Error> {
        let mut mine = Vec::new();
        let claimed = list.iter().try_for_each(|member| {
            match self.write(|now| self.ledger.claim(member.id, &self.owner, now)) {
                Err(Error::Ledger(ledger::Error::Busy { .. })) => return Ok(()),
                claimed => claimed?,
            }
            mine.push(member);
            Ok(())
        });
        let called = claimed.and_then(|()| self.call_claimed(&mine));
        let released = self.all(&mine, |ledger, member, now| ledger.release(member.id, now));
        let refused = called?;
        released?;
        Ok(refused)
    }

    fn call_claimed(&self, mine: &[&Member<'_, '_>]) -> Result<bool, Error> {
        let mut list = Vec::new();
        for member in mine {
            // Another run may have had it since: then it is as that left it.
            let now = self.ledger.step(member.step.id)?;
            let is_same = now.attempts == member.step.attempts && now.state == member.step.state;
            let is_in_vain = matches!(self.progress.turn(member.id), Some(Turn::InVain(_)));
            if is_same || is_in_vain && !now.state.is_final() {
                list.push(*member);
            }
        }
        let Some(first) = list.first() else {
            return Ok(false);
        };
        let finding = first.leak.finding();
        let provider = &finding.provider;
        if let Some(why) = self.progress.limited(provider, self.net.now()) {
            for member in &list {
                self.progress.set(member.id, Turn::InVain(why.clone()));
            }
            return Ok(false);
        }
        let Some(revoker) = self.kinds.revoker(&finding.rule) else {
            return Ok(false);
        };
        let incident = self.ledger.incident(first.id)?;
        let net = bound(self.net, &incident.leak);
        let leaks: Vec<_> = list.iter().map(|member| member.leak).collect();
        (self.tell)(&match list.as_slice() {
            [one] => format!("{}: {}", one.id, one.step.plan.what),
            all => format!("{provider}: one call ends {} keys", all.len()),
        });
        self.all(&list, |ledger, member, now| {
            ledger.start(member.step.id, now)
        })?;
        (self.at)(Point::Call);
        let said = revoker.run_together(&net, &leaks);
        (self.at)(Point::Called);
        let (state, answer) = match &said {
            Ok(done) => (StepState::Done, done.answer.clone()),
            Err(Failure::Unknown(why)) => (StepState::Unknown, why.clone()),
            Err(Failure::RateLimited(end)) => (StepState::Failed, limited(provider, end.as_ref())),
            Err(failure) => (StepState::Failed, failure.to_string()),
        };
        let of = match list.len() {
            1 => String::new(),
            n => format!(" (one call for {n} keys)"),
        };
        let written = self.all(&list, |ledger, member, now| {
            let answer = format!("{}{of}", self.clean(member.leak, &answer));
            ledger.finish(member.step.id, state, &answer, now)
        });
        written.map_err(|error| match error {
            Error::Ledger(source) => Error::AfterCall {
                incident: first.id.to_string(),
                what: first.step.plan.what.clone(),
                source,
            },
            other @ Error::AfterCall { .. } => other,
        })?;
        if let Err(Failure::RateLimited(end)) = &said {
            self.progress.limit(provider, *end);
        }
        for member in &list {
            let turn = match state {
                StepState::Failed => Turn::InVain(self.clean(member.leak, &answer)),
                _ => Turn::Called,
            };
            self.progress.set(member.id, turn);
        }
        Ok(matches!(said, Err(Failure::Refused(_))))
    }

    /// Writes something for each of a list, all of it or nothing.
    fn all<'m, 'l: 'm, 'f: 'm>(
        &self,
        list: &[&'m Member<'l, 'f>],
        write: impl Fn(&Ledger, &Member<'l, 'f>, Timestamp) -> Result<(), ledger::Error>,
    ) -> Result<(), Error> {
        self.write(|now| {
            self.ledger.together(|| {
                let mut list = list.iter();
                list.try_for_each(|member| write(self.ledger, member, now))
            })
        })
    }
}
