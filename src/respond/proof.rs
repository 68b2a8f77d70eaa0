//! Proof of death: a key that was ended is used again until it is refused, and once more after that.
//!
//! What a revocation answers proves nothing: a registry can answer 200 and go on accepting the token. Only a documented refusal of
//! the old key counts; an outage, a limit or an unclear answer does not. One refusal may be an accident, where one of many servers
//! knows of the end already and the next does not: two in a row prove it, with a time between them.

use std::time::Duration;

use jiff::Timestamp;

use super::span;
use crate::model::{Credential, Doubt, Verification};
use crate::net::{Error, Net, Over, Reply, Request};
use crate::provider::Provider;

/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(15);

/// What a host may always ask to wait for.
const LEAST: Duration = Duration::from_secs(2);

/// The shortest time between the two refusals that prove a key dead.
const APART: Duration = Duration::from_secs(2);

/// A refusal of a key. The first one proves nothing yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In the provider's words.
    pub answer: String,
    /// How long the key had been tried by then.
    pub after: Duration,
    /// When it came.
    pub at: Timestamp,
    /// Whether the key was accepted before it in the same round.
    was_accepted: bool,
    /// The shortest time until the next one.
    apart: Duration,
}

impl Refusal {
    /// The first refusal of a key that has this time to die: the next one comes [`APART`] later, sooner only where the whole time is
    /// shorter.
    pub(super) fn first(answer: String, deadline: Duration, at: Timestamp) -> Self {
        Self {
            answer,
            after: Duration::ZERO,
            at,
            was_accepted: false,
            apart: APART.min(deadline),
        }
    }

    /// Waits until the next one counts; says whether the run may go on.
    pub(super) fn wait(&self, net: &dyn Net, waits: &dyn Fn()) -> bool {
        let left = self.apart.saturating_sub(since(self.at, net.now()));
        if left.is_zero() {
            return true;
        }
        waits();
        net.pause(left)
    }

    /// Both refusals in words, the second at this instant: `refused at once, and again 2 s later`.
    pub(super) fn and_again(&self, at: Timestamp) -> String {
        // Whatever the clock did since: that much was waited.
        let later = since(self.at, at).max(self.apart);
        format!("{}, and again {} later", self.once(), span(later))
    }

    /// `refused at once`, `refused after 4 s`.
    pub(super) fn once(&self) -> String {
        if self.after.as_secs() == 0 {
            "refused at once".to_owned()
        } else {
            format!("refused after {}", span(self.after))
        }
    }
}

/// How a round of tries ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The provider refuses the key.
    Refused(Refusal),
    /// The provider still accepted it when the deadline had passed.
    Alive {
        /// How long it was tried.
        after: Duration,
    },
    /// It cannot be said.
    Unknown {
        /// Why, in words.
        why: String,
        /// How long it was tried.
        after: Duration,
    },
    /// The user stopped the run.
    Interrupted,
}

/// Uses a key again, at once and then after 1, 2, 4, 8, 15, 15 … seconds, until it is refused or the deadline has passed. `waits` is
/// called before each pause.
#[must_use]
pub fn prove(
    net: &dyn Net,
    provider: Option<&dyn Provider>,
    key: &Credential,
    deadline: Duration,
    waits: &dyn Fn(),
) -> Proof {
    Round::new(net, deadline).refused(net, provider, key, waits)
}

/// Uses a key once more that was refused: at the earliest 2 s after that. Where it is accepted, the first refusal was an
/// accident, and all begins anew, within another deadline. Gives the refusal that was the first of two, or why there are none.
#[must_use]
pub fn prove_again(
    net: &dyn Net,
    provider: Option<&dyn Provider>,
    key: &Credential,
    deadline: Duration,
    first: &Refusal,
    waits: &dyn Fn(),
) -> Proof {
    let mut first = first.clone();
    if !first.wait(net, waits) {
        return Proof::Interrupted;
    }
    let mut round = Round::new(net, deadline);
    let before = first.after.saturating_add(since(first.at, round.begun));
    loop {
        match round.refused(net, provider, key, waits) {
            Proof::Refused(again) if again.was_accepted => {
                first = Refusal {
                    after: again.after.saturating_add(before),
                    ..again
                };
            }
            Proof::Refused(again) => {
                return Proof::Refused(Refusal {
                    answer: again.answer,
                    ..first
                });
            }
            other => return other,
        }
        if !first.wait(net, waits) {
            return Proof::Interrupted;
        }
        round.waited = round.waited.saturating_add(first.apart);
    }
}

/// The time that a key has to be refused, and how much of it is over.
struct Round {
    deadline: Duration,
    begun: Timestamp,
    /// In pauses.
    waited: Duration,
}

impl Round {
    fn new(net: &dyn Net, deadline: Duration) -> Self {
        if !deadline.is_zero() {
            // However many keys are proven in a run, none lacks the time: its deadline, and the last answer.
            net.grant(deadline + LONGEST);
        }
        Self {
            deadline,
            begun: net.now(),
            waited: Duration::ZERO,
        }
    }

    /// How much of the time is over. A clock that was set back does not make it longer than the pauses were.
    fn taken(&self, now: Timestamp) -> Duration {
        since(self.begun, now).max(self.waited)
    }

    /// Uses a key until it is refused, or the time is over.
    fn refused(
        &mut self,
        net: &dyn Net,
        provider: Option<&dyn Provider>,
        key: &Credential,
        waits: &dyn Fn(),
    ) -> Proof {
        let nobody = |after| Proof::Unknown {
            why: "no call is known that would use the key again".to_owned(),
            after,
        };
        let Some(provider) = provider else {
            return nobody(Duration::ZERO);
        };
        let mut wait = Duration::from_secs(1);
        let mut was_accepted = false;
        loop {
            let left = self.deadline.saturating_sub(self.taken(net.now()));
            let hurried = Hurried {
                net,
                patience: left.max(LEAST),
            };
            let said = provider.verify(&hurried, key);
            let at = net.now();
            let after = self.taken(at);
            let is_over = after >= self.deadline;
            match said {
                Verification::Inactive(answer) => {
                    return Proof::Refused(Refusal {
                        after,
                        was_accepted,
                        ..Refusal::first(answer, self.deadline, at)
                    });
                }
                Verification::Active(_) if is_over => return Proof::Alive { after },
                Verification::Unknown(Doubt::Interrupted) => return Proof::Interrupted,
                Verification::Unknown(doubt) if is_over || !may_pass(&doubt) => {
                    let why = doubt.to_string();
                    return Proof::Unknown { why, after };
                }
                Verification::Active(_) => was_accepted = true,
                Verification::Unknown(_) => {}
                Verification::Unsupported => return nobody(after),
            }
            let pause = wait.min(self.deadline.saturating_sub(after));
            waits();
            if !net.pause(pause) {
                return Proof::Interrupted;
            }
            self.waited = self.waited.saturating_add(pause);
            wait = (wait * 2).min(LONGEST);
        }
    }
}

/// A network on which nothing waits longer than there is time for the proof, however long a host asks to be left alone.
struct Hurried<'n> {
    net: &'n dyn Net,
    patience: Duration,
}

impl Over for Hurried<'_> {
    fn below(&self) -> &dyn Net {
        self.net
    }

    fn pass(&self, request: &Request) -> Result<Reply, Error> {
        let mut request = request.clone();
        request.patience = Some(self.patience);
        self.net.send(&request)
    }
}

/// Whether trying again can help.
fn may_pass(doubt: &Doubt) -> bool {
    match doubt {
        Doubt::Network(_)
        | Doubt::Timeout
        | Doubt::RateLimited
        | Doubt::Status(_)
        | Doubt::Answer(_)
        | Doubt::Redirect(_)
        | Doubt::TooLong => true,
        Doubt::Refused(_)
        | Doubt::Mismatch(_)
        | Doubt::Missing(_)
        | Doubt::NotThere
        | Doubt::Canary
        | Doubt::Budget
        | Doubt::Interrupted => false,
    }
}

/// The time between two instants, zero where the second is not later.
fn since(begun: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(begun)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Identity;
    use crate::respond::fake::{Play, Scripted, credential};

    const ALIVE: fn() -> Verification = || Verification::Active(Identity::default());
    const DEAD: fn() -> Verification = || Verification::Inactive("revoked".to_owned());
    const DOWN: fn() -> Verification = || Verification::Unknown(Doubt::Status(503));

    fn proof(answers: &[fn() -> Verification], deadline: u64) -> (Proof, Vec<u64>) {
        let net = Play::new();
        let provider = Scripted::new(answers.iter().map(|make| make()).collect());
        let deadline = Duration::from_secs(deadline);
        let proof = prove(&net, Some(&provider), &credential(), deadline, &|| {});
        (proof, net.pauses())
    }

    #[test]
    fn a_refusal_ends_it_at_once() {
        let (proof, pauses) = proof(&[DEAD], 60);
        assert!(matches!(proof, Proof::Refused(first) if first.after.is_zero()));
        assert!(pauses.is_empty());
    }

    /// Both rounds, some time apart.
    fn twice(
        answers: &[fn() -> Verification],
        deadline: u64,
        between: u64,
    ) -> (Proof, Vec<u64>, u64) {
        let net = Play::new();
        let begun = net.now();
        let provider = Scripted::new(answers.iter().map(|make| make()).collect());
        let deadline = Duration::from_secs(deadline);
        let key = credential();
        let Proof::Refused(first) = prove(&net, Some(&provider), &key, deadline, &|| {}) else {
            panic!("it is refused first");
        };
        net.pass(Duration::from_secs(between));
        let proof = prove_again(&net, Some(&provider), &key, deadline, &first, &|| {});
        (proof, net.pauses(), since(begun, net.now()).as_secs())
    }

    #[test]
    fn the_second_refusal_comes_two_seconds_later() {
        let (proof, pauses, _) = twice(&[DEAD, DEAD], 60, 0);
        assert!(matches!(proof, Proof::Refused(_)), "{proof:?}");
        assert_eq!(pauses, [2]);
        // The time that other keys take counts.
        let (proof, pauses, _) = twice(&[DEAD, DEAD], 60, 40);
        assert!(matches!(proof, Proof::Refused(_)), "{proof:?}");
        assert!(pauses.is_empty());
        let (_, pauses, _) = twice(&[DEAD, DEAD], 60, 1);
        assert_eq!(pauses, [1]);
        // Who gives less time gets less of it.
        let (_, pauses, _) = twice(&[DEAD, DEAD], 1, 0);
        assert_eq!(pauses, [1]);
    }

    #[test]
    fn a_key_that_is_accepted_in_between_needs_two_refusals_anew() {
        // Refused, accepted, refused and at once accepted: until it is refused twice.
        let flaps = [DEAD, ALIVE, DEAD, ALIVE, DEAD, DEAD];
        let (proof, pauses, _) = twice(&flaps, 60, 0);
        let Proof::Refused(first) = proof else {
            panic!("{proof:?}");
        };
        assert_eq!(pauses, [2, 1, 2, 1, 2]);
        assert_eq!(first.after.as_secs(), 6);
        assert_eq!(
            first.and_again(
                first
                    .at
                    .checked_add(jiff::SignedDuration::from_secs(2))
                    .expect("soon")
            ),
            "refused after 6 s, and again 2 s later"
        );
    }

    #[test]
    fn a_key_that_goes_on_flapping_is_not_proven_dead_within_the_deadline() {
        let flaps: Vec<_> = [DEAD, ALIVE].into_iter().cycle().take(200).collect();
        let (proof, _, took) = twice(&flaps, 30, 0);
        assert!(matches!(proof, Proof::Alive { .. }), "{proof:?}");
        assert!(took <= 40, "{took}");
        let (proof, ..) = twice(&[DEAD, ALIVE], 30, 0);
        assert!(matches!(proof, Proof::Alive { .. }), "{proof:?}");
    }

    #[test]
    fn an_outage_in_between_is_no_acceptance_and_no_refusal() {
        let (proof, pauses, _) = twice(&[DEAD, DOWN, DEAD], 60, 0);
        assert!(matches!(proof, Proof::Refused(_)), "{proof:?}");
        assert_eq!(pauses, [2, 1]);
        let (proof, ..) = twice(&[DEAD, DOWN], 60, 0);
        assert!(matches!(proof, Proof::Unknown { .. }), "{proof:?}");
    }

    #[test]
    fn it_is_tried_after_growing_pauses_and_at_the_deadline_for_the_last_time() {
        let (proof, pauses) = proof(&[ALIVE], 60);
        assert_eq!(pauses, [1, 2, 4, 8, 15, 15, 15]);
        assert!(matches!(proof, Proof::Alive { after } if after.as_secs() == 60));
    }

    #[test]
    fn the_run_may_take_as_much_longer_as_the_proof_may() {
        let net = Play::new();
        let provider = Scripted::new(vec![ALIVE()]);
        let deadline = Duration::from_secs(60);
        let _ = prove(&net, Some(&provider), &credential(), deadline, &|| {});
        assert!(net.granted() >= deadline);
    }

    #[test]
    fn an_outage_is_never_a_refusal_and_does_not_end_it() {
        let (first, pauses) = proof(&[ALIVE, DOWN, DOWN, DEAD], 60);
        assert!(matches!(first, Proof::Refused(first) if first.after.as_secs() == 7));
        assert_eq!(pauses, [1, 2, 4]);
        let (second, _) = proof(&[DOWN], 10);
        assert!(matches!(second, Proof::Unknown { .. }), "{second:?}");
    }

    #[test]
    fn what_cannot_change_is_not_waited_for() {
        let missing: fn() -> Verification = || Verification::Unknown(Doubt::Missing("id".into()));
        let (first, pauses) = proof(&[missing], 60);
        assert!(matches!(first, Proof::Unknown { .. }));
        assert!(pauses.is_empty());
        let net = Play::new();
        let none = prove(&net, None, &credential(), Duration::from_secs(60), &|| {});
        assert!(matches!(none, Proof::Unknown { .. }));
    }
}
