//! What the commands that end keys take from flags, the environment and the caller's configuration: the ledger, the caller's own
//! credentials, the policy.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use keysweep::config::ValueFrom;
use keysweep::ledger::Ledger;
use keysweep::provider::Authority;
use keysweep::respond::Policy;

use super::ledger::{KeySource, LedgerArgs, LedgerConfig, LedgerPlace};
use super::settings::{Own, variable_of};
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
    /// Seconds within which an ended key must be refused, in place of the provider's own time; then it is *not proven*
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    deadline: Option<u64>,
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
pub(crate) fn ledger(args: &KeepArgs, own: &Own) -> anyhow::Result<Ledger> {
    let keys = &own.online.ledger;
    let config = LedgerConfig {
        path: keys.path.as_ref().map(|path| own.path(&path.value)),
        key: keys.key.as_ref().map(|from| match &from.value {
            ValueFrom::Env(name) => KeySource::Env(name.clone()),
            ValueFrom::File(file) => KeySource::File(own.path(file)),
        }),
    };
    Ok(LedgerPlace::of(&args.ledger, &config)?.open(now())?)
}

/// What the caller wants of ending keys.
pub(crate) fn policy(args: &KeepArgs, own: &Own) -> Policy {
    let keys = &own.online.respond;
    let recheck = keys.recheck.as_ref().is_none_or(|at| at.value);
    Policy {
        recheck: recheck && !args.no_recheck,
        grace: keys.grace.as_ref().map(|at| at.value),
        deadline: args.deadline.map(Duration::from_secs),
    }
}

/// Gives the caller's own credential of a name: the parts that are asked for, and whatever else is there of it.
pub(crate) fn held(own: &Own, name: &str, parts: &[String]) -> Result<Authority, String> {
    let mut wanted: BTreeSet<String> = parts.iter().cloned().collect();
    if let Some(given) = own.online.authority.get(name) {
        wanted.extend(given.keys().cloned());
    }
    // Parts that are needed at times: AWS's session token.
    let prefix = variable_of(name, "");
    for (variable, _) in std::env::vars_os() {
        let variable = variable.to_string_lossy().into_owned();
        if let Some(part) = variable
            .strip_prefix(&prefix)
            .filter(|part| !part.is_empty())
        {
            wanted.insert(part.to_ascii_lowercase());
        }
    }
    let wanted: Vec<String> = wanted.into_iter().collect();
    own.authority(name, &wanted)
        .map_err(|error| format!("{error:#}"))
}
