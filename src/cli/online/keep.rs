//! What the commands that end keys take from flags, the environment and the caller's configuration: the ledger, the caller's own
//! credentials, the policy.

use jiff::Timestamp;

use keysweep::ledger::Ledger;
use keysweep::model::Secret;
use keysweep::provider::Authority;
use keysweep::respond::{Held, Policy};

use super::ledger::{LedgerArgs, LedgerConfig, LedgerPlace};
use crate::cli::args::{CommonArgs, Shared};
use crate::cli::project;

/// Arguments of commands that write to the ledger.
#[derive(Debug, clap::Args)]
pub(crate) struct KeepArgs {
    #[command(flatten)]
    ledger: LedgerArgs,
    /// Do not keep the key, sealed, for `recheck`
    #[arg(long)]
    no_recheck: bool,
}

/// The time now.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// The configuration of a command that has no tree to scan: of the folder where it runs.
pub(crate) fn here(common: &CommonArgs, shared: &Shared) -> anyhow::Result<(CommonArgs, Shared)> {
    let here = std::path::Path::new(".").canonicalize().ok();
    project::of_tree(here.as_deref(), common, shared)
}

/// Opens the ledger, which is made if it is not there.
pub(crate) fn ledger(args: &KeepArgs, _common: &CommonArgs) -> anyhow::Result<Ledger> {
    let place = LedgerPlace::of(&args.ledger, &LedgerConfig::default())?;
    Ok(place.open(now())?)
}

/// What the caller wants of ending keys.
pub(crate) fn policy(args: &KeepArgs, _common: &CommonArgs) -> anyhow::Result<Policy> {
    let mut policy = Policy::default();
    if args.no_recheck {
        policy.recheck = false;
    }
    Ok(policy)
}

/// The caller's own credentials.
pub(crate) fn held(_common: &CommonArgs) -> anyhow::Result<Box<Held<'static>>> {
    Ok(Box::new(move |name, _parts| {
        let mut authority = Authority::default();
        // A variable gives a part that the configuration does not.
        let prefix = format!("KEYSWEEP_{name}_")
            .to_ascii_uppercase()
            .replace('-', "_");
        for (variable, value) in std::env::vars() {
            let Some(part) = variable.strip_prefix(&prefix) else {
                continue;
            };
            if !part.is_empty() && !value.is_empty() {
                let part = part.to_ascii_lowercase();
                let value = Secret::new(value.as_bytes(), "");
                authority.parts.entry(part).or_insert(value);
            }
        }
        Ok(authority)
    }))
}
