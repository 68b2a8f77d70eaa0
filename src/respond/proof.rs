//! Proof of death: a key that was ended is used again until it is refused.
//!
//! What a revocation answers proves nothing: a registry can answer 200 and go on accepting the token. Only a documented refusal of
//! the old key counts; an outage, a limit or an unclear answer does not.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{Credential, Doubt, Verification};
use crate::net::Net;
use crate::provider::Provider;

/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(15);

/// How a proof ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The provider refuses the key.
    Refused {
        /// In the provider's words.
        answer: String,
        /// Since the proof began.
        after: Duration,
    },
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
    let Some(provider) = provider else {
        return Proof::Unknown {
            why: "no call is known that would use the key again".to_owned(),
            after: Duration::ZERO,
        };
    };
    if !deadline.is_zero() {
        // However many keys are proven in a run, none lacks the time: its deadline, and the last answer.
        net.grant(deadline + LONGEST);
    }
    let begun = net.now();
    let mut waited = Duration::ZERO;
    let mut wait = Duration::from_secs(1);
    loop {
        let said = provider.verify(net, key);
        // A clock that was set back does not make it longer than the pauses were.
        let after = since(begun, net.now()).max(waited);
        let is_over = after >= deadline;
        match said {
            Verification::Inactive(answer) => return Proof::Refused { answer, after },
            Verification::Active(_) if is_over => return Proof::Alive { after },
            Verification::Unknown(Doubt::Interrupted) => return Proof::Interrupted,
            Verification::Unknown(doubt) if is_over || !may_pass(&doubt) => {
                let why = doubt.to_string();
                return Proof::Unknown { why, after };
            }
            Verification::Active(_) | Verification::Unknown(_) => {}
            Verification::Unsupported => {
                let why = "no call is known that would use the key again".to_owned();
                return Proof::Unknown { why, after };
            }
        }
        let pause = wait.min(deadline.saturating_sub(after));
        waits();
        if !net.pause(pause) {
            return Proof::Interrupted;
        }
        waited = waited.saturating_add(pause);
        wait = (wait * 2).min(LONGEST);
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
        assert!(matches!(proof, Proof::Refused { after, .. } if after.is_zero()));
        assert!(pauses.is_empty());
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
        assert!(matches!(first, Proof::Refused { after, .. } if after.as_secs() == 7));
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
