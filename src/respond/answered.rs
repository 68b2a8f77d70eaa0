//! A refusal on record has the status that it came with: a record is read by people who ask what was answered, not what it meant.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{Credential, Doubt, HostPattern, Identity, Parts, Verification, WebAddress};
use crate::net::{Error, Net, Origin, Reply, Request};
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

impl Net for Hearing<'_> {
    fn send(&self, request: &Request) -> Result<Reply, Error> {
        let reply = self.net.send(request)?;
        self.status.store(reply.status, Ordering::Relaxed);
        Ok(reply)
    }

    fn dial(&self, host: &str, port: u16) -> Result<TcpStream, Error> {
        self.net.dial(host, port)
    }

    fn tls(&self) -> Arc<rustls::ClientConfig> {
        self.net.tls()
    }

    fn endpoints(&self) -> &[(HostPattern, WebAddress)] {
        self.net.endpoints()
    }

    fn origin(&self, url: &str) -> Result<Origin, Error> {
        self.net.origin(url)
    }

    fn is_listed(&self, host: &str) -> bool {
        self.net.is_listed(host)
    }

    fn now(&self) -> Timestamp {
        self.net.now()
    }

    fn pause(&self, time: Duration) -> bool {
        self.net.pause(time)
    }

    fn grant(&self, time: Duration) {
        self.net.grant(time);
    }
}
