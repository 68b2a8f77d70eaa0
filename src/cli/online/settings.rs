//! From flags, environment and the caller's own file to a client and to authority. Nothing of a scanned tree comes in here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use jiff::Timestamp;

use keysweep::config::{self, At, Online, ValueFrom};
use keysweep::ledger::quoted;
use keysweep::model::{HostPattern, Secret};
use keysweep::net::{Client, Clock, Settings};
use keysweep::provider::Authority;

use super::keep::flag;
use crate::cli::args::{CommonArgs, ConfigArgs, SelectionArgs, Shared, defaults};
use crate::cli::progress;
use crate::cli::project::{self, distrust, is_gitleaks, joined, shown, user_file};

/// What every command takes that reaches the network.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct OnlineArgs {
    /// A host of your own that credentials may be sent to: a database, a self-hosted service (repeatable); beside [network] hosts
    #[arg(long, value_name = "HOST", help_heading = "Network")]
    pub(crate) allow_host: Vec<HostPattern>,
    /// Seconds to wait for one answer [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600), help_heading = "Network")]
    pub(crate) timeout: Option<u64>,
    /// Seconds that all requests together may take; proofs that a key is dead have their deadlines besides [default: 300]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400), help_heading = "Network")]
    pub(crate) budget: Option<u64>,
}

/// What the commands take that reach the network and scan nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct CallerArgs {
    #[command(flatten)]
    pub(crate) network: OnlineArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    config: ConfigArgs,
}

impl CallerArgs {
    /// The same as a command that scans has it.
    pub(crate) fn common(&self) -> CommonArgs {
        CommonArgs {
            selection: self.selection.clone(),
            config: self.config.clone(),
            ..defaults()
        }
    }
}

impl CallerArgs {
    /// What a later command is called with so that it asks as this one does, quoted for a shell.
    pub(crate) fn flags(&self) -> String {
        let mut flags = String::new();
        for file in &self.selection.rules {
            flags += &flag("--rules", Some(file));
        }
        flags += &self.config_flag();
        for host in &self.network.allow_host {
            flags += " --allow-host ";
            flags += &quoted(&host.to_string());
        }
        flags
    }

    /// The flag that names the caller's configuration.
    pub(crate) fn config_flag(&self) -> String {
        flag("--config", self.config.config.as_deref())
    }
}

/// The configuration of a command that has no tree to scan: of the folder where it runs.
pub(crate) fn here(common: &CommonArgs, shared: &Shared) -> anyhow::Result<(CommonArgs, Shared)> {
    let here = Path::new(".").canonicalize().ok();
    project::of_tree(here.as_deref(), common, shared)
}

/// The caller's own file, as far as it says where secrets may go and by whose authority keys end.
#[derive(Debug, Default)]
pub(crate) struct Own {
    /// What it says.
    pub(crate) online: Online,
    /// The file, as messages name it; empty where there is none.
    shown: String,
    /// The folder that paths in it are relative to.
    base: PathBuf,
}

impl Own {
    /// Reads `--config`, else `KEYSWEEP_CONFIG`, else the user's own file.
    pub(crate) fn read(args: &ConfigArgs) -> anyhow::Result<Self> {
        let named = args.config.clone();
        let named = named.or_else(|| variable("KEYSWEEP_CONFIG").map(PathBuf::from));
        let named = named.filter(|path| args.counts(path));
        let is_named = named.is_some();
        let Some(path) = named.or_else(user_file) else {
            return Ok(Self::default());
        };
        let name = shown(&path);
        let text = config::read(&path, true).map_err(|why| anyhow!("{name} {why}"))?;
        if let Some(why) = distrust(&path) {
            bail!("{name} {why}");
        }
        let text = match text {
            Some(text) => text,
            None if is_named => bail!("{name}: no such file"),
            None => return Ok(Self::default()),
        };
        if is_gitleaks(&path, &text) {
            return Ok(Self::default());
        }
        Ok(Self {
            online: Online::parse(&name, &text).map_err(joined)?,
            shown: name,
            base: path.parent().unwrap_or(Path::new("")).to_owned(),
        })
    }

    /// The client of a run; its budget begins now, and signals are heeded from now on.
    pub(crate) fn client(&self, args: &OnlineArgs) -> anyhow::Result<Client> {
        progress::heed_signals();
        let network = &self.online.network;
        let mut settings = Settings::new(Arc::new(RunClock(Instant::now())));
        settings.endpoints.clone_from(&self.online.endpoints);
        settings.hosts = network
            .hosts
            .iter()
            .chain(&args.allow_host)
            .cloned()
            .collect();
        settings.private.clone_from(&network.private);
        let seconds = |flag: Option<u64>, key: &Option<At<u64>>, usual: Duration| {
            let given = flag.or(key.as_ref().map(|at| at.value));
            given.map_or(usual, Duration::from_secs)
        };
        settings.timeout = seconds(args.timeout, &network.timeout, settings.timeout);
        settings.budget = seconds(args.budget, &network.budget, settings.budget);
        let either = |upper: &str, lower: &str| variable(upper).or_else(|| variable(lower));
        settings.proxy = either("HTTPS_PROXY", "https_proxy");
        settings.proxy = settings.proxy.or_else(|| either("ALL_PROXY", "all_proxy"));
        settings.no_proxy = either("NO_PROXY", "no_proxy").unwrap_or_default();
        let mut about = "the environment's proxy".to_owned();
        if let Some(ca) = &network.ca {
            let path = self.path(&ca.value);
            let at = format!("{}:{}: {}", self.shown, ca.line, path.display());
            settings.ca = fs::read(&path).with_context(|| at.clone())?;
            if settings.ca.is_empty() {
                bail!("{at} is empty; write the CA's certificate into it, PEM");
            }
            // What is wrong with a proxy begins with its name.
            about = at;
        }
        Client::new(settings).map_err(|why| match why.strip_prefix("the proxy") {
            Some(_) => anyhow!("{why}; it is taken from HTTPS_PROXY or ALL_PROXY"),
            None => anyhow!("{about} {why}"),
        })
    }

    /// The caller's own credential of a name, from `[authority.NAME]`, else from variables `KEYSWEEP_NAME_PART`: the parts that are
    /// asked for, and whatever else is there of it. A part that is nowhere is left out; a place that is named and has nothing is an
    /// error.
    pub(crate) fn authority(&self, name: &str, parts: &[String]) -> anyhow::Result<Authority> {
        let given = self.online.authority.get(name);
        let mut wanted: BTreeSet<String> = parts.iter().cloned().collect();
        wanted.extend(given.into_iter().flat_map(|given| given.keys().cloned()));
        // Parts that are needed at times: AWS's session token.
        let prefix = Authority::variable(name, "");
        let set = std::env::vars_os().filter_map(|(variable, _)| variable.into_string().ok());
        let more =
            set.filter_map(|variable| Some(variable.strip_prefix(&prefix)?.to_ascii_lowercase()));
        wanted.extend(more.filter(|part| !part.is_empty()));
        let mut authority = Authority::default();
        for part in wanted {
            let value = match given.and_then(|given| given.get(&part)) {
                Some(from) => Some(self.value(from)?),
                None => variable(&Authority::variable(name, &part)).map(secret),
            };
            if let Some(value) = value {
                authority.parts.insert(part, value);
            }
        }
        Ok(authority)
    }

    /// [`Self::authority`] as plans and runs ask for it.
    pub(crate) fn held(&self, name: &str, parts: &[String]) -> Result<Authority, String> {
        let authority = self.authority(name, parts);
        authority.map_err(|error| format!("{error:#}"))
    }

    /// The value that an entry of the file points at.
    pub(crate) fn value(&self, from: &At<ValueFrom>) -> anyhow::Result<Secret> {
        let at = format!("{}:{}", self.shown, from.line);
        match &from.value {
            ValueFrom::Env(name) => variable(name)
                .map(secret)
                .with_context(|| format!("{at}: {name} is not set in the environment")),
            ValueFrom::File(file) => {
                let path = self.path(file);
                let name = path.display();
                private(&path).map_err(|why| anyhow!("{at}: {name} {why}"))?;
                let text =
                    config::read(&path, true).map_err(|why| anyhow!("{at}: {name} {why}"))?;
                let text = text.with_context(|| format!("{at}: there is no {name}"))?;
                let value = text.trim_end_matches(['\r', '\n']);
                if value.is_empty() {
                    bail!("{at}: {name} is empty");
                }
                Ok(Secret::new(value.as_bytes(), ""))
            }
        }
    }

    /// A path of the file: relative to it.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }
}

fn variable(name: &str) -> Option<String> {
    let text = std::env::var(name).ok()?;
    Some(text).filter(|text| !text.trim().is_empty())
}

fn secret(text: String) -> Secret {
    let text = zeroize::Zeroizing::new(text);
    Secret::new(text.trim().as_bytes(), "")
}

/// Whether only its owner can read a file.
#[cfg(unix)]
fn private(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let Ok(meta) = fs::metadata(path) else {
        // Reading it tells why not.
        return Ok(());
    };
    let mode = meta.permissions().mode() & 0o777;
    let others = mode & 0o077;
    if others == 0 {
        return Ok(());
    }
    Err(format!(
        "can be read by others (mode {mode:o}); close it with chmod 600"
    ))
}

#[cfg(not(unix))]
fn private(_: &Path) -> Result<(), String> {
    Ok(())
}

/// The machine's clocks, and the keyboard's interrupt.
struct RunClock(Instant);

impl Clock for RunClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn interrupted(&self) -> bool {
        progress::stopped()
    }
}
