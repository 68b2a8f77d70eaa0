//! From a finding to what the ledger keeps of it, and back.

use jiff::Timestamp;

use super::{Planned, Use};
use crate::ledger::{Exposure, Incident, NewIncident, Site, Whose};
use crate::model::{Credential, Finding, Origin, Verification};

/// How a leak was detected.
#[derive(Debug, Clone)]
pub struct Detected {
    /// When.
    pub at: Timestamp,
    /// What detected it: `keysweep 0.1.0`.
    pub by: String,
    /// The command, without secrets.
    pub command: String,
    /// What was scanned, as the user named it.
    pub scanned: String,
    /// What later commands about the incident are called with, quoted for a shell; empty for nothing.
    pub flags: String,
}

/// Places that an incident names.
const PLACES: usize = 100;

/// What an incident says of a planned leak. Each text passes `clean`, which removes secrets.
#[must_use]
pub fn opened(
    finding: &Finding,
    planned: &Planned,
    detected: &Detected,
    clean: &dyn Fn(&str) -> String,
) -> NewIncident {
    let checked = finding.verification.as_ref();
    let said = checked.map(|c| &c.verification);
    let identity = match said {
        Some(Verification::Active(identity)) => Some(Whose::from(identity)),
        _ => None,
    };
    let identity = identity.map(|whose| Whose {
        account: whose.account.as_deref().map(clean),
        owner: whose.owner.as_deref().map(clean),
        scopes: whose.scopes.iter().map(|s| clean(s)).collect(),
        level: whose.level,
        expires: whose.expires.as_deref().map(clean),
        key: whose.key.as_deref().map(clean),
    });
    let note = match said {
        Some(Verification::Inactive(why)) => clean(why),
        Some(Verification::Unknown(doubt)) => clean(&doubt.to_string()),
        _ => String::new(),
    };
    let places = finding.places.iter().take(PLACES).map(|place| Site {
        path: clean(&String::from_utf8_lossy(&place.path)),
        line: if place.origin == Origin::Content {
            place.start.line
        } else {
            0
        },
        end_line: place.end.line,
        commit: place.commit.map(|id| id.to_string()),
    });
    let systems = finding.opens.iter();
    NewIncident {
        fingerprint: finding.fingerprint,
        rule: finding.rule.clone(),
        name: finding.name.clone(),
        provider: finding.provider.clone(),
        severity: finding.severity,
        secret: finding.credential.secret.redacted(),
        identity,
        verification: said.map_or("unchecked", Verification::word).to_owned(),
        verification_note: note,
        verified: checked.map(|c| c.at),
        detected: detected.at,
        detected_by: detected.by.clone(),
        command: clean(&detected.command),
        scanned: clean(&detected.scanned),
        exposure: exposure(finding, clean),
        systems: systems
            .map(|(what, value)| (what.clone(), clean(value)))
            .collect(),
        places: places.collect(),
        more_places: finding.places.len().saturating_sub(PLACES) as u64,
        owners: finding.owners.iter().map(|o| clean(o)).collect(),
        dependants: planned
            .used_by
            .iter()
            .map(|u| clean(&dependant(u)))
            .collect(),
        by_hand: planned.by_hand.iter().map(|s| clean(s)).collect(),
        console: planned.console.clone(),
        remedy: finding.remedy.clone(),
        link: planned.source.clone(),
        // A run says it: it knows the network.
        asked: Vec::new(),
        endpoints: Vec::new(),
        flags: clean(&detected.flags),
    }
}

fn dependant(used: &Use) -> String {
    match &used.variable {
        Some(name) => format!("{}:{}: {name} ({})", used.path, used.line, used.sort),
        None => format!(
            "{}:{}: the value itself ({})",
            used.path, used.line, used.sort
        ),
    }
}

fn exposure(finding: &Finding, clean: &dyn Fn(&str) -> String) -> Option<Exposure> {
    let history = finding.history.as_ref()?;
    let first = history.first.as_ref()?;
    Some(Exposure {
        commit: first.id.to_string(),
        author: clean(&first.author),
        email: clean(&first.email),
        date: Timestamp::from_second(first.date).unwrap_or(Timestamp::UNIX_EPOCH),
        subject: clean(&first.subject),
        refs: history.refs.iter().map(|name| clean(name)).collect(),
        more_refs: history.more_refs,
        in_head: history.in_head,
        or_earlier: history.or_earlier || history.is_partial,
    })
}

/// The finding of an incident, with the secret that was kept.
#[must_use]
pub fn found_again(incident: &Incident, credential: Credential) -> Finding {
    let leak = &incident.leak;
    Finding {
        rule: leak.rule.clone(),
        name: leak.name.clone(),
        provider: leak.provider.clone(),
        severity: leak.severity,
        score: 1.0,
        credential,
        entropy: 0.0,
        fingerprint: leak.fingerprint,
        places: Vec::new(),
        history: None,
        opens: leak.systems.clone(),
        owners: leak.owners.clone(),
        remedy: leak.remedy.clone(),
        console: leak.console.clone(),
        link: leak.link.clone(),
        verification: None,
    }
}
