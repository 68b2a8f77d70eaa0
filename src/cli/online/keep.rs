//! What the commands that end keys take from flags, the environment and the caller's configuration: the ledger and
//! the policy.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use keysweep::ledger::{Ledger, quoted};
use keysweep::respond::Policy;

use super::ledger::{LedgerArgs, LedgerConfig, LedgerPlace};
use super::settings::Own;

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

/// What made something: this program and its version.
pub(crate) const PROGRAM: &str = concat!("keysweep ", env!("CARGO_PKG_VERSION"));

/// Who runs this, for the record: `process 1706 of jane (uid 1000) at build-7`.
pub(crate) fn who() -> String {
    let (user, host) = machine();
    format!("process {} of {user} at {host}", std::process::id())
}

/// The user, by what the system says and not the environment, and the host.
#[cfg(unix)]
fn machine() -> (String, String) {
    let id = rustix::process::getuid().as_raw();
    // A line of /etc/passwd: name, password, uid.
    let name = std::fs::read_to_string("/etc/passwd")
        .ok()
        .and_then(|text| {
            text.lines().find_map(|line| {
                let mut fields = line.split(':');
                let name = fields.next()?;
                (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
            })
        });
    let user = match name {
        Some(name) => format!("{name} (uid {id})"),
        None => format!("uid {id}"),
    };
    let host = rustix::system::uname();
    (user, host.nodename().to_string_lossy().into_owned())
}

#[cfg(not(unix))]
fn machine() -> (String, String) {
    let named = |name: &str| std::env::var(name).unwrap_or_else(|_| "unknown".to_owned());
    (named("USERNAME"), named("COMPUTERNAME"))
}

/// The time now.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Opens the ledger, which is made if it is not there.
pub(crate) fn ledger(args: &KeepArgs, own: &Own) -> anyhow::Result<Ledger> {
    Ok(LedgerPlace::of(&args.ledger, &LedgerConfig::of(own))?.open(now())?)
}

/// Opens the ledger, which must be there.
pub(crate) fn existing_ledger(args: &KeepArgs, own: &Own) -> anyhow::Result<Ledger> {
    LedgerPlace::of(&args.ledger, &LedgerConfig::of(own))?.open_existing(now())
}

/// A flag that names a file, for a command that is shown; ` --config '/home/jo/my config.toml'`.
pub(crate) fn flag(name: &str, file: Option<&Path>) -> String {
    let Some(file) = file else {
        return String::new();
    };
    // The command may be typed in another folder.
    let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    format!(" {name} {}", quoted(&path.to_string_lossy()))
}

impl KeepArgs {
    /// The flag that names the ledger.
    pub(crate) fn flag(&self) -> String {
        flag("--ledger", self.ledger.ledger.as_deref())
    }

    /// All of it as it was said.
    pub(crate) fn said(&self) -> String {
        let mut said = self.flag();
        if self.no_recheck {
            said += " --no-recheck";
        }
        if let Some(deadline) = self.deadline {
            said += " --deadline ";
            said += &deadline.to_string();
        }
        said
    }
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
