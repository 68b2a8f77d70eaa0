//! What a ledger says, and the rows that say it.

use std::collections::BTreeMap;

use rusqlite::Row;
use serde::de::DeserializeOwned;

use super::text::Text;
use super::{
    Attempt, Check, CheckState, Error, Event, Incident, IncidentId, IncidentState, Ledger, Step,
    StepId, StepState,
};

impl Ledger {
    /// Whether a secret is kept.
    ///
    /// # Errors
    /// Those of reading.
    pub fn is_sealed(&self, incident: IncidentId) -> Result<bool, Error> {
        self.conn
            .query_row(
                "SELECT count(*) FROM sealed WHERE incident = ?1",
                [incident.to_string()],
                |row| Ok(row.get::<_, i64>(0)? > 0),
            )
            .map_err(|e| self.db(&e))
    }

    /// All incidents, the oldest first.
    ///
    /// # Errors
    /// Those of reading.
    pub fn incidents(&self) -> Result<Vec<Incident>, Error> {
        self.all(&format!("{INCIDENTS} ORDER BY number"), None, incident)
    }

    /// An incident.
    ///
    /// # Errors
    /// Those of reading; [`Error::NoIncident`].
    pub fn incident(&self, id: IncidentId) -> Result<Incident, Error> {
        let sql = format!("{INCIDENTS} WHERE id = ?1");
        let found = self.all(&sql, Some(&id.to_string()), incident)?;
        found.into_iter().next().ok_or_else(|| Error::NoIncident {
            path: self.path.clone(),
            id,
        })
    }

    /// The steps of an incident in the order in which they were planned.
    ///
    /// # Errors
    /// Those of reading.
    pub fn steps(&self, incident: IncidentId) -> Result<Vec<Step>, Error> {
        let sql = format!("{STEPS} WHERE incident = ?1 ORDER BY id");
        self.all(&sql, Some(&incident.to_string()), step)
    }

    /// A step.
    ///
    /// # Errors
    /// Those of reading; [`Error::Order`] where there is none.
    pub fn step(&self, id: StepId) -> Result<Step, Error> {
        let sql = format!("{STEPS} WHERE id = ?1");
        let found = self.all(&sql, Some(&id.0.to_string()), step)?;
        found.into_iter().next().ok_or_else(|| Error::Order {
            path: self.path.clone(),
            why: format!("no step {}", id.0),
        })
    }

    /// The checks of an incident, the oldest first.
    ///
    /// # Errors
    /// Those of reading.
    pub fn checks(&self, incident: IncidentId) -> Result<Vec<Check>, Error> {
        let sql =
            "SELECT id, incident, at, state, answer FROM health WHERE incident = ?1 ORDER BY id";
        self.all(sql, Some(&incident.to_string()), |row| {
            Ok(Check {
                id: row.get(0)?,
                incident: parsed(row, 1)?,
                at: parsed(row, 2)?,
                state: word(row, 3, CheckState::of)?,
                answer: row.get(4)?,
            })
        })
    }

    /// What else happened to an incident, the oldest first: changes of its state, claims, seals.
    ///
    /// # Errors
    /// Those of reading.
    pub fn events(&self, incident: IncidentId) -> Result<Vec<Event>, Error> {
        let sql = "SELECT seq, at, action, note FROM audit WHERE incident = ?1
            AND subject NOT LIKE 'step/%' AND subject NOT LIKE 'health/%' ORDER BY seq";
        self.all(sql, Some(&incident.to_string()), |row| {
            Ok(Event {
                row: row.get::<_, i64>(0)?.unsigned_abs(),
                at: parsed(row, 1)?,
                action: row.get(2)?,
                note: row.get(3)?,
            })
        })
    }

    /// Each time that a step of an incident was begun, by step, the oldest first: a step's row tells of the last alone.
    ///
    /// # Errors
    /// Those of reading.
    pub fn attempts(&self, incident: IncidentId) -> Result<BTreeMap<StepId, Vec<Attempt>>, Error> {
        let sql = "SELECT action, row FROM audit WHERE incident = ?1
            AND subject LIKE 'step/%' AND action IN ('start', 'finish') ORDER BY seq";
        let rows = self.all(sql, Some(&incident.to_string()), |row| {
            let fields: Vec<serde_json::Value> = of_json(row, 1)?;
            let text = |at: usize| fields.get(at).and_then(serde_json::Value::as_str);
            let number = |at: usize| fields.get(at).and_then(serde_json::Value::as_i64);
            let time = |at: usize| text(at).and_then(<jiff::Timestamp as Text>::parse);
            // The columns of `chain::TABLES`.
            let attempt = || {
                Some((
                    StepId(number(0)?),
                    Attempt {
                        number: u32::try_from(number(6)?).ok().filter(|n| *n > 0)?,
                        started: time(4)?,
                        finished: time(5),
                        state: StepState::of(text(2)?)?,
                        answer: text(7)?.to_owned(),
                    },
                ))
            };
            Ok((row.get::<_, String>(0)? == "start", attempt()))
        })?;
        let mut all = BTreeMap::<StepId, Vec<Attempt>>::new();
        for (begins, attempt) in rows {
            // What was never begun has no attempt.
            let Some((step, attempt)) = attempt else {
                continue;
            };
            let attempts = all.entry(step).or_default();
            match attempts.last_mut() {
                Some(last) if !begins && last.finished.is_none() => *last = attempt,
                _ => attempts.push(attempt),
            }
        }
        Ok(all)
    }

    pub(super) fn all<T>(
        &self,
        sql: &str,
        id: Option<&str>,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        self.conn
            .prepare_cached(sql)
            .and_then(|mut query| {
                query
                    .query_map(rusqlite::params_from_iter(id), read)?
                    .collect()
            })
            .map_err(|e| self.db(&e))
    }
}

pub(super) const INCIDENTS: &str = "SELECT id, state, why, opened, changed, leak FROM incident";
const STEPS: &str =
    "SELECT id, incident, state, planned, started, finished, attempts, answer, plan FROM step";

pub(super) fn incident(row: &Row<'_>) -> rusqlite::Result<Incident> {
    Ok(Incident {
        id: parsed(row, 0)?,
        state: word(row, 1, IncidentState::of)?,
        why: row.get(2)?,
        opened: parsed(row, 3)?,
        changed: parsed(row, 4)?,
        leak: of_json(row, 5)?,
    })
}

fn step(row: &Row<'_>) -> rusqlite::Result<Step> {
    let time = |at: usize| match row.get_ref(at)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => parsed(row, at).map(Some),
    };
    Ok(Step {
        id: StepId(row.get(0)?),
        incident: parsed(row, 1)?,
        state: word(row, 2, StepState::of)?,
        planned: parsed(row, 3)?,
        started: time(4)?,
        finished: time(5)?,
        attempts: row.get(6)?,
        answer: row.get(7)?,
        plan: of_json(row, 8)?,
    })
}

/// A field that is not what was written.
fn malformed(
    at: usize,
    why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, why.into())
}

fn parsed<T: Text>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    let text: String = row.get(at)?;
    T::parse(&text).ok_or_else(|| malformed(at, "malformed"))
}

fn word<T>(row: &Row<'_>, at: usize, of: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text: String = row.get(at)?;
    of(&text).ok_or_else(|| malformed(at, "no such word"))
}

fn of_json<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    let text: String = row.get(at)?;
    serde_json::from_str(&text).map_err(|e| malformed(at, e))
}
