//! Texts and lists no longer than the ledger keeps.

use super::super::{LIST, TEXT, cut};
use super::leak::NewIncident;
use super::step::NewStep;

/// As much of a list as is kept; how much was left out.
fn shorten<T>(list: &mut Vec<T>) -> u64 {
    let more = list.len().saturating_sub(LIST);
    list.truncate(LIST);
    more as u64
}

fn shorten_texts(list: &mut Vec<String>) {
    let more = shorten(list);
    for text in list.iter_mut() {
        *text = cut(text, TEXT);
    }
    if more > 0 {
        list.push(format!("… and {more} more"));
    }
}

impl NewIncident {
    /// With texts and lists no longer than the ledger keeps.
    pub(in crate::ledger) fn bounded(mut self) -> Self {
        for text in [
            &mut self.rule,
            &mut self.name,
            &mut self.provider,
            &mut self.secret,
            &mut self.verification,
            &mut self.verification_note,
            &mut self.detected_by,
            &mut self.command,
            &mut self.scanned,
            &mut self.console,
            &mut self.remedy,
            &mut self.link,
            &mut self.flags,
        ] {
            *text = cut(text, TEXT);
        }
        self.more_places += shorten(&mut self.places);
        for site in &mut self.places {
            site.path = cut(&site.path, TEXT);
        }
        shorten(&mut self.asked);
        for one in &mut self.asked {
            (one.named, one.at) = (cut(&one.named, TEXT), cut(&one.at, TEXT));
        }
        for pairs in [&mut self.systems, &mut self.endpoints] {
            shorten(pairs);
            for (name, value) in pairs {
                (*name, *value) = (cut(name, TEXT), cut(value, TEXT));
            }
        }
        for list in [&mut self.owners, &mut self.dependants, &mut self.by_hand] {
            shorten_texts(list);
        }
        if let Some(whose) = &mut self.identity {
            shorten_texts(&mut whose.scopes);
            for text in [
                &mut whose.account,
                &mut whose.owner,
                &mut whose.level,
                &mut whose.expires,
                &mut whose.key,
            ] {
                *text = text.take().map(|text| cut(&text, TEXT));
            }
        }
        if let Some(first) = &mut self.exposure {
            first.more_refs += shorten(&mut first.refs);
            for text in first.refs.iter_mut().chain([
                &mut first.author,
                &mut first.email,
                &mut first.subject,
            ]) {
                *text = cut(text, TEXT);
            }
        }
        self
    }
}

impl NewStep {
    /// With texts no longer than the ledger keeps.
    pub(in crate::ledger) fn bounded(mut self) -> Self {
        for text in [
            &mut self.what,
            &mut self.object,
            &mut self.authority,
            &mut self.undo,
            &mut self.agreed_by,
            &mut self.request,
        ] {
            *text = cut(text, TEXT);
        }
        for fact in self.facts.values_mut() {
            *fact = cut(fact, TEXT);
        }
        self
    }
}
