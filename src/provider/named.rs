//! What configuration may name of providers: parts of authority, what is known of a provider, hosts. For the table of kinds and for
//! checking a configuration; nothing is asked here.

use std::collections::{BTreeMap, BTreeSet};

use super::aws::hosts as aws_hosts;
use super::{Authority, Needed, Registry, azure_storage, gcp};
use crate::model::{Credential, Secret};
use crate::rule::block::{Request, Revoke, Uses, Var, Verify};

/// The parts of a credential of the caller's: `[authority.NAME]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartNames {
    /// Those that are always needed.
    pub needed: BTreeSet<String>,
    /// Those that are needed at times.
    pub more: BTreeSet<String>,
}

/// What may be known of a provider: `[known.NAME]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Knowable {
    /// Part → rules whose calls use it; whether a call cannot be written where nobody gives it.
    pub parts: BTreeMap<String, BTreeMap<String, bool>>,
}

impl Registry {
    /// The credentials of the caller's that end keys, by name, and the rules that they are for.
    #[must_use]
    pub fn authorities(&self) -> BTreeMap<String, (PartNames, BTreeSet<String>)> {
        // A login that can be ended by another.
        let parts = [
            ("host", "db.example.org"),
            ("scheme", "redis"),
            ("user", "app"),
        ];
        let key = Credential::new(
            Secret::new(b"-", ""),
            parts.map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
        );
        let mut all: BTreeMap<String, (PartNames, BTreeSet<String>)> = BTreeMap::new();
        for rule in self.blocks.rules.keys() {
            let Some(Needed::Owner { name, parts }) =
                self.revoker(rule).map(|revoker| revoker.terms(&key).needed)
            else {
                continue;
            };
            let more: &[&str] = match name.as_str() {
                "aws" => &["region", "session_token"],
                _ => &[],
            };
            let (known, rules) = all.entry(name).or_default();
            known.needed.extend(parts);
            known
                .more
                .extend(more.iter().map(|part| (*part).to_owned()));
            rules.insert(rule.clone());
        }
        all
    }

    /// What may be known of providers, by name.
    #[must_use]
    pub fn knowable(&self) -> BTreeMap<String, Knowable> {
        let mut all: BTreeMap<String, Knowable> = BTreeMap::new();
        for (rule, uses) in &self.blocks.rules {
            let (verify, revoke) = self.blocks_of(uses);
            let mut parts = BTreeMap::new();
            let mut note = |own: Option<&str>, found: Vec<&str>| {
                if let Some(host) = own {
                    let needed = parts.entry("host".to_owned()).or_insert(false);
                    *needed |= host.is_empty();
                }
                for part in found.into_iter().filter(|part| *part != "host") {
                    parts.insert(part.to_owned(), true);
                }
            };
            if let Some(block) = verify {
                note(block.self_hosted.as_deref(), verify_parts(block));
            }
            if let Some(block) = revoke {
                note(block.self_hosted.as_deref(), revoke_parts(block));
            }
            if verify.is_some_and(|v| v.builtin.as_deref() == Some("azure-storage")) {
                parts.insert(azure_storage::ACCOUNT.to_owned(), true);
            }
            if parts.is_empty() {
                continue;
            }
            let known = all.entry(uses.provider.clone()).or_default();
            for (part, needed) in parts {
                let rules = known.parts.entry(part).or_default();
                rules.insert(rule.clone(), needed);
            }
        }
        all
    }

    /// The blocks that a rule names.
    fn blocks_of(&self, uses: &Uses) -> (Option<&Verify>, Option<&Revoke>) {
        let verify = uses.verify.as_deref();
        let revoke = uses.revoke.as_deref();
        (
            verify.and_then(|name| self.blocks.verify.get(name)),
            revoke.and_then(|name| self.blocks.revoke.get(name)),
        )
    }

    /// All hosts that may be asked for a rule, to prove its credentials, to look one up and to end it: what `[endpoints]` may name. A
    /// word in braces is a label that the credential gives, `{host}` one of the caller's own.
    #[must_use]
    pub fn hosts(&self, rule: &str) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        let Some(uses) = self.blocks.rules.get(rule) else {
            return all;
        };
        let (verify, revoke) = self.blocks_of(uses);
        let mut codes = BTreeSet::new();
        let mut add = |request: &Request, own: Option<&str>| {
            for url in std::iter::once(&request.url).chain(&request.also) {
                let rest = url.strip_prefix("https://").unwrap_or(url);
                let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                all.insert(host.to_owned());
                if host == "{host}" {
                    all.extend(own.filter(|own| !own.is_empty()).map(str::to_owned));
                }
            }
        };
        if let Some(block) = verify {
            let own = block.self_hosted.as_deref();
            block.request.iter().for_each(|request| add(request, own));
            codes.extend(block.builtin.as_deref());
        }
        if let Some(block) = revoke {
            let own = block.self_hosted.as_deref();
            let find = block.find.iter().map(|find| &find.request);
            let requests = block.request.iter().chain(find);
            requests.for_each(|request| add(request, own));
            codes.extend(block.builtin.as_deref());
        }
        for code in codes {
            match code {
                "aws" => all.extend(aws_hosts().map(str::to_owned)),
                "azure-storage" => drop(all.insert(azure_storage::HOSTS.to_owned())),
                "gcp" => all.extend(gcp::HOSTS.map(str::to_owned)),
                // Logins go to the host of their address, a JSON web token nowhere.
                _ => {}
            }
        }
        all
    }

    /// How a configuration gives a part that calls of a provider's kinds have use for.
    pub(super) fn mend(provider: &str, part: &str) -> String {
        format!("where you know it: [known.{provider}] {part} = \"…\" in your own configuration")
    }
}

impl Authority {
    /// How a part of a credential of the caller's is given.
    #[must_use]
    pub fn mend(name: &str, part: &str) -> String {
        let variable = Self::variable(name, part);
        format!("write `{part} = {{ env = \"…\" }}` under [authority.{name}], or set {variable}")
    }
}

/// The parts that calls take from beside the secret or from configuration, by a block's own variables.
fn parts_of<'b>(
    requests: impl Iterator<Item = &'b Request>,
    vars: &'b BTreeMap<String, Var>,
) -> Vec<&'b str> {
    let of_vars = vars.values().map(|var| var.from.as_str());
    requests
        .flat_map(Request::variables)
        .filter(|name| !vars.contains_key(*name))
        .chain(of_vars)
        .filter(is_part)
        .collect()
}

fn verify_parts(block: &Verify) -> Vec<&str> {
    parts_of(block.request.iter(), &block.vars)
}

fn revoke_parts(block: &Revoke) -> Vec<&str> {
    let find = block.find.iter().map(|find| &find.request);
    parts_of(block.request.iter().chain(find), &block.vars)
}

/// Whether a variable is a part that stands beside a secret.
pub(super) fn is_part(name: &&str) -> bool {
    !["secret", "found"].contains(name) && !name.contains('.')
}
