//! From flags to the network's client: nothing is reached yet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use keysweep::net::{Clock, Settings};

pub(crate) use keysweep::net::Client;

use crate::cli::args::CommonArgs;
use crate::cli::progress::stopped;

/// Flags of the network.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct NetworkArgs {}

struct Now(Instant);

impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
    fn interrupted(&self) -> bool {
        stopped()
    }
}

/// Makes the client.
pub(crate) fn client(_: &NetworkArgs, _: &CommonArgs) -> anyhow::Result<Client> {
    let mut settings = Settings::new(Arc::new(Now(Instant::now())));
    if let Ok(to) = std::env::var("KEYSWEEP_STAND_IN") {
        let from = "api.example.com"
            .parse()
            .map_err(|_| anyhow::anyhow!("host"))?;
        let to = to.parse().map_err(|_| anyhow::anyhow!("endpoint"))?;
        settings.endpoints.push((from, to));
    }
    Client::new(settings).map_err(|e| anyhow::anyhow!(e))
}
