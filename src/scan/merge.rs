//! Places of one secret → one finding, in an order that does not depend on threads.

use std::collections::BTreeMap;

use super::BlobMatch;
use crate::model::{Credential, Finding, Fingerprint, History, Place};
use crate::rule::RuleSet;

/// The salt of fingerprints where no configuration gives one: published, so it keeps no secret.
pub const PUBLISHED_SALT: &[u8] = b"keysweep fingerprint v1";

/// What a run found.
#[derive(Debug, Default)]
pub struct Collected {
    /// Findings with at least one place that counts, by their first such place.
    pub findings: Vec<Finding>,
    /// Findings that filters or suppressions dropped at every place.
    pub dropped: Vec<Finding>,
}

/// Joins matches into findings.
#[must_use]
pub fn merge(rules: &RuleSet, matches: Vec<BlobMatch>, salt: &[u8]) -> Collected {
    merge_with(rules, matches, &BTreeMap::new(), salt)
}

/// Joins matches into findings, with what git's history says of their secrets.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the fingerprint is made of the secret"
)]
pub fn merge_with(
    rules: &RuleSet,
    matches: Vec<BlobMatch>,
    histories: &BTreeMap<Fingerprint, History>,
    salt: &[u8],
) -> Collected {
    let mut by_secret: BTreeMap<(usize, [u8; 16]), Vec<BlobMatch>> = BTreeMap::new();
    for m in matches {
        let id = rules.rule(m.rule).map_or("", |r| &r.spec().id);
        let print = fingerprint(id, m.secret.expose(), salt);
        by_secret.entry((m.rule, print.0)).or_default().push(m);
    }
    let mut collected = Collected::default();
    for ((rule, print), mut group) in by_secret {
        let Some(rule) = rules.rule(rule) else {
            continue;
        };
        let spec = rule.spec();
        group.sort_by(|a, b| order(a).cmp(&order(b)));
        group.dedup_by(|b, a| {
            (&a.place.path, a.place.span, a.place.blob, a.place.commit)
                == (&b.place.path, b.place.span, b.place.blob, b.place.commit)
        });
        let counting = group.iter().any(|m| m.place.dropped.is_none());
        if counting {
            // A place that an overlapping rule covers says nothing beside one that counts.
            group.sort_by_key(|m| m.place.dropped.is_some());
        }
        let score = group
            .iter()
            .filter(|m| m.place.dropped.is_none() || !counting)
            .map(|m| m.place.score)
            .fold(0.0, f32::max);
        let Some(first) = group.first() else { continue };
        let (secret, entropy) = (first.secret.clone(), first.entropy);
        let parts = group
            .iter()
            .map(|m| &m.parts)
            .max_by_key(|p| p.len())
            .cloned()
            .unwrap_or_default();
        let opens = parts
            .iter()
            .filter(|(name, _)| {
                matches!(
                    name.as_str(),
                    "host" | "database" | "bucket" | "account" | "user" | "project"
                )
            })
            .cloned()
            .collect();
        let mut places: Vec<Place> = group.into_iter().map(|m| m.place).collect();
        for place in &mut places {
            for cover in place.covered.iter_mut().flat_map(|covered| &mut covered.by) {
                cover.fingerprint = fingerprint(&cover.rule, cover.secret.expose(), salt);
            }
        }
        let finding = Finding {
            rule: spec.id.to_string(),
            name: spec.name.to_string(),
            provider: spec.provider.to_string(),
            severity: spec.severity,
            score,
            credential: Credential::new(secret, parts),
            entropy,
            fingerprint: Fingerprint(print),
            history: histories.get(&Fingerprint(print)).cloned(),
            places,
            opens,
            owners: Vec::new(),
            remedy: spec.remedy.to_string(),
            console: spec.console.to_string(),
            link: spec.link.to_string(),
            verification: None,
        };
        if counting {
            collected.findings.push(finding);
        } else {
            collected.dropped.push(finding);
        }
    }
    let key = |f: &Finding| {
        let first = f.places.first();
        (
            first.map(|p| (p.path.clone(), p.span)),
            f.rule.clone(),
            f.fingerprint,
        )
    };
    collected.findings.sort_by_cached_key(key);
    collected.dropped.sort_by_cached_key(key);
    collected
}

/// Places of the working tree come first, then those of history as they came.
fn order(m: &BlobMatch) -> impl Ord + '_ {
    let place = &m.place;
    (m.time, &place.path, place.span, place.commit, place.blob)
}

/// HMAC-SHA-256 of rule and secret under the salt, its first 128 bits.
#[must_use]
pub fn fingerprint(rule: &str, secret: &[u8], salt: &[u8]) -> Fingerprint {
    Fingerprint::of(rule, secret, salt)
}
