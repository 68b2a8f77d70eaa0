//! A client for tests of single providers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use keysweep::model::{Checked, ConfirmedLeak, Finding, Identity, Verification};
use keysweep::net::{Client, Clock, Settings};

use super::database::registry;
use crate::support::http::Server;

/// A clock that runs so fast that waits between tries take no time.
struct Hurried(Instant);

impl Clock for Hurried {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed() * 10_000
    }

    fn interrupted(&self) -> bool {
        false
    }
}

/// A client whose requests to some hosts go to a server on loopback.
pub(super) struct Playground {
    pub(super) client: Client,
}

impl Playground {
    /// Hosts whose requests go to the server; `timeout` is for one answer.
    pub(super) fn new(server: &Server, hosts: &[String], timeout: Duration) -> Self {
        Self::at(&server.url(), hosts, timeout)
    }

    /// The same for a server at this address.
    pub(super) fn at(url: &str, hosts: &[String], timeout: Duration) -> Self {
        let mut settings = Settings::new(Arc::new(Hurried(Instant::now())));
        for host in hosts {
            settings
                .endpoints
                .push((host.parse().unwrap(), url.parse().unwrap()));
            settings.hosts.push(host.parse().unwrap());
        }
        settings.timeout = timeout;
        settings.budget = Duration::from_secs(1 << 40);
        Self {
            client: Client::new(settings).unwrap(),
        }
    }
}

/// The host that npm's tokens are of where none is named, as its rule file says.
pub(super) fn npm_host() -> String {
    let registry = registry();
    let block = registry.proof("npm-access-token").unwrap();
    block.self_hosted.clone().unwrap()
}

/// A provider's word that a credential works.
pub(super) fn active() -> Checked {
    Checked {
        verification: Verification::Active(Identity::default()),
        at: Timestamp::UNIX_EPOCH,
        took: Duration::ZERO,
    }
}

pub(super) fn confirmed(finding: &Finding) -> ConfirmedLeak<'_> {
    ConfirmedLeak::new(finding).expect("it is active and known")
}
