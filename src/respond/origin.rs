//! Where a key's provider is asked. A refusal proves something only at the place where the key was found active: `[endpoints]` of
//! another configuration may lead to a server that never knew it.

use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};

use crate::ledger::{Asked, NewIncident};
use crate::model::{Credential, HostPattern, WebAddress};
use crate::net::{Error, Net, Origin, Over, Reply, Request, origin_by};
use crate::provider::Provider;

/// Where a question about a key would go. The provider asks, and nothing of it is sent.
pub(super) fn asked(net: &dyn Net, provider: &dyn Provider, key: &Credential) -> Vec<Asked> {
    let probe = Through {
        net,
        gate: Probe::default(),
    };
    // What it says without an answer is of no interest.
    let _ = provider.verify(&probe, key);
    let seen = probe.gate.seen.into_inner();
    let seen = seen.unwrap_or_else(PoisonError::into_inner);
    let mut all: Vec<Asked> = Vec::new();
    for Origin { named, at } in seen {
        let one = Asked { named, at };
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

/// Why a key must not be asked for where it would be now; `None` where it is as it was.
pub(super) fn moved(leak: &NewIncident, now: &[Asked]) -> Option<String> {
    let place = |one: &Asked| {
        if one.at == one.named {
            one.at.clone()
        } else {
            let host = one.named.split("://").last().unwrap_or(&one.named);
            format!("{} (for {host})", one.at)
        }
    };
    if leak.asked.is_empty() {
        // Older incidents do not say it: the provider's own address is what most were asked at.
        let other = now.iter().find(|one| one.at != one.named)?;
        return Some(format!(
            "not asked: it is not on record where it was found active, and now {} would be asked; take that out of [endpoints] for this",
            place(other)
        ));
    }
    let gone = leak.asked.iter().find(|one| !now.contains(one))?;
    let same = now.iter().find(|one| one.named == gone.named);
    let other = same.or(now.first())?;
    let found = if leak.verification == "active" {
        "found active"
    } else {
        "asked"
    };
    Some(format!(
        "not asked: it was {found} at {}, and now {} would be asked; give the configuration of then (--config, [endpoints])",
        place(gone),
        place(other)
    ))
}

/// The network of an incident: each request goes where it went when the incident was begun, or nowhere. What a provider asks first is
/// looked at beforehand ([`moved`]); this holds for whatever comes after it, too: look-ups, the call that ends the key, a second host.
pub(super) fn bound<'n>(net: &'n dyn Net, leak: &NewIncident) -> impl Net + use<'n> {
    let read = |(host, at): &(String, String)| Some((host.parse().ok()?, at.parse().ok()?));
    let gate = Bound {
        then: leak.endpoints.iter().filter_map(read).collect(),
    };
    Through { net, gate }
}

/// The caller's `[endpoints]` as a leak keeps them.
pub(super) fn endpoints(net: &dyn Net) -> Vec<(String, String)> {
    let all = net.endpoints().iter();
    all.map(|(host, at)| (host.to_string(), at.to_string()))
        .collect()
}

/// A network whose requests and connections pass a gate first.
struct Through<'n, G> {
    net: &'n dyn Net,
    gate: G,
}

/// What may pass.
trait Gate: Sync {
    /// Whether there is anything to wait for beyond it.
    const IS_OPEN: bool;

    /// Fails unless a request to this address may be sent.
    fn request(&self, net: &dyn Net, url: &str) -> Result<(), Error>;

    /// Fails unless a connection may be opened.
    fn connection(&self, host: &str, port: u16) -> Result<(), Error>;
}

impl<G: Gate> Over for Through<'_, G> {
    fn below(&self) -> &dyn Net {
        self.net
    }

    fn pass(&self, request: &Request) -> Result<Reply, Error> {
        let url = zeroize::Zeroizing::new(request.url.wire());
        self.gate.request(self.net, &url)?;
        self.net.send(request)
    }

    fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Error> {
        self.gate.connection(host, port)?;
        self.net.dial(host, port)
    }

    fn waits(&self) -> bool {
        G::IS_OPEN
    }
}

/// Lets pass what goes where it would have gone by the `[endpoints]` of then.
struct Bound {
    then: Vec<(HostPattern, WebAddress)>,
}

impl Gate for Bound {
    const IS_OPEN: bool = true;

    fn request(&self, net: &dyn Net, url: &str) -> Result<(), Error> {
        let then = origin_by(&self.then, url)?;
        let now = origin_by(net.endpoints(), url)?;
        if then == now {
            return Ok(());
        }
        Err(Error::Refused {
            host: then
                .named
                .split("://")
                .last()
                .unwrap_or_default()
                .to_owned(),
            why: format!(
                "when the incident was begun, requests to it went to {}, and now they would go to {}; give the configuration of then (--config, [endpoints])",
                then.at, now.at
            ),
        })
    }

    fn connection(&self, _: &str, _: u16) -> Result<(), Error> {
        Ok(())
    }
}

/// Notes where it would go, and lets nothing pass.
#[derive(Default)]
struct Probe {
    seen: Mutex<Vec<Origin>>,
}

impl Probe {
    fn note(&self, origin: Origin) -> Error {
        let host = origin.named.clone();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(origin);
        Error::Refused {
            host,
            why: "nothing is sent".to_owned(),
        }
    }
}

impl Gate for Probe {
    const IS_OPEN: bool = false;

    fn request(&self, net: &dyn Net, url: &str) -> Result<(), Error> {
        // What goes nowhere is asked nowhere.
        Err(self.note(net.origin(url)?))
    }

    fn connection(&self, host: &str, port: u16) -> Result<(), Error> {
        let named = format!("{host}:{port}");
        Err(self.note(Origin {
            at: named.clone(),
            named,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(named: &str, at: &str) -> Asked {
        Asked {
            named: format!("https://{named}"),
            at: at.to_owned(),
        }
    }

    fn leak(asked: &[Asked]) -> NewIncident {
        NewIncident {
            asked: asked.to_vec(),
            verification: "active".to_owned(),
            ..NewIncident::default()
        }
    }

    #[test]
    fn a_key_is_asked_for_where_it_was_found_active_and_nowhere_else() {
        let own = at("api.example.com", "https://api.example.com");
        let emulator = at("api.example.com", "http://127.0.0.1:4000");
        let other = at("eu.example.com", "https://eu.example.com");
        let found = leak(std::slice::from_ref(&emulator));
        assert_eq!(moved(&found, std::slice::from_ref(&emulator)), None);
        // More may be asked, but not less.
        assert_eq!(moved(&found, &[other.clone(), emulator.clone()]), None);
        let both = leak(&[emulator.clone(), other.clone()]);
        let why = moved(&both, std::slice::from_ref(&emulator));
        assert!(why.is_some_and(|why| why.contains("https://eu.example.com,")));
        let why = moved(&found, std::slice::from_ref(&own)).unwrap_or_default();
        assert!(
            why.contains("active at http://127.0.0.1:4000 (for api.example.com), and now https://api.example.com would"),
            "{why}"
        );
        // What asks nobody needs no place; its provider says why it does not ask.
        assert_eq!(moved(&found, &[]), None);
    }

    #[test]
    fn of_an_incident_that_does_not_say_where_the_providers_own_address_is_asked() {
        let old = leak(&[]);
        let own = at("api.example.com", "https://api.example.com");
        assert_eq!(moved(&old, &[own]), None);
        let emulator = at("api.example.com", "http://127.0.0.1:4000");
        assert!(moved(&old, &[emulator]).is_some());
    }
}
