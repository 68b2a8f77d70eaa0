//! A refusal on record has the status that it came with: a record is read by people who ask what was answered, not what it meant.

use std::sync::atomic::{AtomicU16, Ordering};

use crate::model::{Credential, Doubt, Identity, Parts, Verification};
use crate::net::{Error, Net, Over, Reply, Request};
use crate::provider::Provider;

/// What proves credentials, with the HTTP status of the last answer in the words of a refusal. A login has none.
pub(super) struct Answered<'p>(pub(super) Box<dyn Provider + 'p>);

impl Provider for Answered<'_> {
    fn preview(&self, key: &Credential) -> Result<Vec<String>, Doubt> {
        self.0.preview(key)
    }

    fn verify(&self, net: &dyn Net, key: &Credential) -> Verification {
        let heard = Hearing {
            net,
            status: AtomicU16::new(0),
        };
        match self.0.verify(&heard, key) {
            Verification::Inactive(why) => {
                Verification::Inactive(match heard.status.into_inner() {
                    0 => why,
                    // Some reasons name it.
                    status if why.contains(&status.to_string()) => why,
                    status => format!("{why} (HTTP {status})"),
                })
            }
            other => other,
        }
    }

    fn asks_with(&self, key: &Credential) -> Parts {
        self.0.asks_with(key)
    }

    fn learned(&self, key: &Credential, identity: &Identity) -> Vec<(String, String)> {
        self.0.learned(key, identity)
    }
}

/// A network that notes the status of the last answer.
struct Hearing<'n> {
    net: &'n dyn Net,
    status: AtomicU16,
}

impl Over for Hearing<'_> {
    fn below(&self) -> &dyn Net {
        self.net
    }

    fn pass(&self, request: &Request) -> Result<Reply, Error> {
        let reply = self.net.send(request)?;
        self.status.store(reply.status, Ordering::Relaxed);
        Ok(reply)
    }
}
