//! What asks and ends: loopback servers that play providers, and real ones.

mod blocks;
mod net;
mod table;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use keysweep::model::{Checked, ConfirmedLeak, Finding, Identity, Verification};
use keysweep::net::{Client, Clock, Settings};

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
struct Playground {
    client: Client,
}

impl Playground {
    /// Hosts whose requests go to the server; `timeout` is for one answer.
    fn new(server: &Server, hosts: &[String], timeout: Duration) -> Self {
        let mut settings = Settings::new(Arc::new(Hurried(Instant::now())));
        for host in hosts {
            settings
                .endpoints
                .push((host.parse().unwrap(), server.url().parse().unwrap()));
            settings.hosts.push(host.parse().unwrap());
        }
        settings.timeout = timeout;
        settings.budget = Duration::from_secs(u64::MAX / 4);
        Self {
            client: Client::new(settings).unwrap(),
        }
    }
}

/// A provider's word that a credential works.
fn active() -> Checked {
    Checked {
        verification: Verification::Active(Identity::default()),
        at: Timestamp::UNIX_EPOCH,
        took: Duration::ZERO,
    }
}

fn confirmed(finding: &Finding) -> ConfirmedLeak<'_> {
    ConfirmedLeak::new(finding).expect("it is active and known")
}
