//! Where the ledger and its key are: the flag, then the caller's `[ledger]`, then the user's data folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use etcetera::BaseStrategy as _;
use jiff::Timestamp;

use keysweep::config::ValueFrom;
use keysweep::ledger::{Error, Kek, Ledger};

use super::settings::Own;

/// The variable that holds the key where no `[ledger] key` says otherwise.
pub(crate) const KEY: &str = "KEYSWEEP_LEDGER_KEY";

/// What every command about incidents takes.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct LedgerArgs {
    /// The ledger of incidents, in place of the one in the user's data folder
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
}

/// Where the key-encryption key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// A file of its owner's alone.
    File(PathBuf),
    /// A variable of the environment.
    Env(String),
}

/// What the caller's `[ledger]` says.
#[derive(Debug, Clone, Default)]
pub(crate) struct LedgerConfig {
    pub(crate) path: Option<PathBuf>,
    pub(crate) key: Option<KeySource>,
}

impl LedgerConfig {
    /// Paths are relative to the file that names them.
    pub(crate) fn of(own: &Own) -> Self {
        let keys = &own.online.ledger;
        Self {
            path: keys.path.as_ref().map(|path| own.path(&path.value)),
            key: keys.key.as_ref().map(|from| match &from.value {
                ValueFrom::Env(name) => KeySource::Env(name.clone()),
                ValueFrom::File(file) => KeySource::File(own.path(file)),
            }),
        }
    }
}

/// A ledger and its key, not opened yet.
#[derive(Debug, Clone)]
pub(crate) struct LedgerPlace {
    pub(crate) path: PathBuf,
    key: KeySource,
    /// Whether the user named it.
    pub(crate) is_named: bool,
}

impl LedgerPlace {
    /// Settles where they are.
    pub(crate) fn of(args: &LedgerArgs, config: &LedgerConfig) -> anyhow::Result<Self> {
        let named = args.ledger.clone().or_else(|| config.path.clone());
        let is_named = args.ledger.is_some();
        let path = match named {
            Some(path) => path,
            None => etcetera::choose_base_strategy()
                .context("the home folder is not known; name the ledger with --ledger")?
                .data_dir()
                .join("keysweep")
                .join("ledger.sqlite"),
        };
        if args.ledger.is_none() && path.is_relative() && config.path.is_none() {
            bail!(
                "HOME is no absolute path, so that the ledger would come into the current folder; set it right, or name the ledger with --ledger"
            );
        }
        let is_set = std::env::var_os(KEY).is_some_and(|value| !value.is_empty());
        let key = match &config.key {
            Some(key) => key.clone(),
            None if is_set => KeySource::Env(KEY.to_owned()),
            None => KeySource::File(path.with_file_name("ledger.key")),
        };
        Ok(Self {
            path,
            key,
            is_named,
        })
    }

    /// Whether there is one.
    pub(crate) fn exists(&self) -> bool {
        !is_new(&self.path)
    }

    /// Opens one that is there for writing: what only goes on with incidents makes none.
    pub(crate) fn open_existing(&self, now: Timestamp) -> anyhow::Result<Ledger> {
        Ledger::place(&self.path)?;
        if !self.exists() {
            bail!("{}", self.missing());
        }
        Ok(Ledger::reopen(&self.path, &self.kek(false)?, now)?)
    }

    /// What is said where there is none.
    pub(crate) fn missing(&self) -> String {
        format!(
            "there is no ledger at {}; `keysweep respond REPORT --apply` makes one, and --ledger names another",
            self.path.display()
        )
    }

    /// Opens it for writing; ledger and key are made on first use.
    pub(crate) fn open(&self, now: Timestamp) -> Result<Ledger, Error> {
        Ledger::place(&self.path)?;
        // A key that is made for a ledger that is there could not be its key.
        Ledger::open(&self.path, &self.kek(is_new(&self.path))?, now)
    }

    /// Opens one that is there, to look at it.
    pub(crate) fn look(&self) -> Result<Ledger, Error> {
        Ledger::place(&self.path)?;
        Ledger::look(&self.path, &self.kek(false)?)
    }

    fn kek(&self, create: bool) -> Result<Kek, Error> {
        match &self.key {
            KeySource::File(path) => Kek::from_file(path, create),
            KeySource::Env(name) => match std::env::var(name) {
                Ok(text) if !text.is_empty() => Kek::of_text(&text, name),
                _ => Err(Error::Key(format!(
                    "{name}: the ledger's key is not in the environment; set the variable, or see [ledger] key in the configuration"
                ))),
            },
        }
    }
}

fn is_new(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |meta| meta.len() == 0)
}
