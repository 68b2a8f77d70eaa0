//! Ending confirmed leaks: a plan that is printed, a run that is journalled step by step, and the proof that the key is dead.
//!
//! Only what a provider called active is ended, or what a person named. Each step is in the ledger before its call and its answer
//! after it, so that a run can go on after a crash: it first looks whether the effect is there. An incident closes only when the
//! provider has refused the key. No clock, terminal or environment here: who calls brings questions and answers.

mod answered;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that panics has failed")]
mod fake;
mod incident;
mod origin;
mod plan;
mod proof;
mod run;
mod uses;

use std::time::Duration;

pub use incident::{Detected, found_again, opened};
pub use plan::{Authorised, LeftOut, Plan, Planned, PlannedStage, plan};
pub use proof::{Proof, Refusal, prove, prove_again};
pub use run::{Answer, Ended, Error, Flags, Outcome, Point, Progress, Question, Run, Why};
pub use uses::{Limits, Use, Uses, search};

use crate::provider::{Authority, Provider, Registry, Revoke};

/// The JSON Schema of plans and of what became of incidents in JSON.
pub const RESPONSE_SCHEMA: &str = include_str!("response.schema.json");

/// What proves and ends credentials, by rule.
pub trait Kinds {
    /// What proves credentials of a rule.
    fn verifier(&self, rule: &str) -> Option<Box<dyn Provider + '_>>;
    /// What ends credentials of a rule.
    fn revoker(&self, rule: &str) -> Option<Box<dyn Revoke + '_>>;
    /// Whether credentials of a rule are asked for with parts that are found beside them.
    fn is_paired(&self, rule: &str) -> bool;
}

impl Kinds for Registry {
    fn verifier(&self, rule: &str) -> Option<Box<dyn Provider + '_>> {
        Self::verifier(self, rule)
    }

    fn revoker(&self, rule: &str) -> Option<Box<dyn Revoke + '_>> {
        Self::revoker(self, rule)
    }

    fn is_paired(&self, rule: &str) -> bool {
        Self::is_paired(self, rule)
    }
}

/// The fact of a step that holds its object's id.
const OBJECT_ID: &str = "object-id";

/// Gives the caller's own credential of a name: all of its parts that are configured.
pub type Held<'h> = dyn Fn(&str, &[String]) -> Result<Authority, String> + 'h;

/// What the caller's `[respond]` section says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Whether secrets are kept, sealed, so that they can be used again.
    pub recheck: bool,
    /// The time between deactivating and deleting, in place of the provider's own.
    pub grace: Option<Duration>,
    /// The time within which an ended key must be refused, in place of the provider's own.
    pub deadline: Option<Duration>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            recheck: true,
            grace: None,
            deadline: None,
        }
    }
}

impl Policy {
    /// How long after the stage before it a stage is due.
    fn after(&self, stage: Duration) -> Duration {
        if stage.is_zero() {
            stage
        } else {
            self.grace.unwrap_or(stage)
        }
    }
}

/// A span of time in words: `60 s`, `5 min`, `24 h`.
#[must_use]
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        s if s >= 172_800 && s % 86_400 == 0 => format!("{} days", s / 86_400),
        s if s >= 7_200 && s % 3_600 == 0 => format!("{} h", s / 3_600),
        s if s >= 120 && s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}
