//! Ids of incidents.

use std::fmt;
use std::str::FromStr;

/// Id of an incident, `KS-20260131-1`: the day (UTC) on which it was opened and a number of that day, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId {
    /// The day as a number, 20260131.
    pub day: u32,
    /// The number of the day, from 1.
    pub number: u32,
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("KS-{:08}-{}", self.day, self.number))
    }
}

/// A text that is no id of an incident.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an incident's id is written such as KS-20260131-1")]
pub struct NoId;

impl FromStr for IncidentId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        let rest = text.strip_prefix("KS-").ok_or(NoId)?;
        let (day, number) = rest.split_once('-').ok_or(NoId)?;
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if day.len() != 8 || !digits(day) || !digits(number) || number.starts_with('0') {
            return Err(NoId);
        }
        Ok(Self {
            day: day.parse().map_err(|_| NoId)?,
            number: number.parse().map_err(|_| NoId)?,
        })
    }
}
