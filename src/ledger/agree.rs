//! Who agrees to a step is on record: the first time with the step, each time as an event of its own.

use jiff::Timestamp;
use rusqlite::params;

use super::{ANSWER, Error, Ledger, StepId, cut, json};

impl Ledger {
    /// Puts on record that `who` agreed to a step that cannot be undone, or to sending it again.
    ///
    /// # Errors
    /// Those of writing; [`Error::Order`] where it is done or skipped.
    pub fn agree(&self, step: StepId, who: &str, why: &str, now: Timestamp) -> Result<(), Error> {
        self.write(now, |write| {
            let known = self.step(step)?;
            self.not_busy(known.incident, now)?;
            if known.state.is_final() {
                return Err(self.order(step, known.state, "needs nobody to agree"));
            }
            if known.plan.agreed.is_none() {
                let mut plan = known.plan.clone();
                plan.agreed = Some(now);
                who.clone_into(&mut plan.agreed_by);
                let plan = plan.bounded();
                self.execute(
                    "UPDATE step SET plan = ?2 WHERE id = ?1",
                    params![step.0, json(&plan)],
                )?;
                write.audit_step("agree", &known, "")?;
            }
            let note = cut(&format!("{}: {why}; {who}", known.plan.what), ANSWER);
            write.audit("agree", known.incident, None, &note)
        })
    }
}
