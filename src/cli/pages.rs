//! `completions` and `man`: what a package installs beside the program, made from its own arguments.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;

use super::args::Shared;
use super::command::Args;
use super::exit::Exit;

/// Writes the completion script of a shell.
pub(super) fn completions(shell: clap_complete::Shell, shared: &Shared) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "keysweep", &mut script);
    put(&script, shared)
}

/// Writes the manual page of the program or of one command, or those of all into a folder.
pub(super) fn man(name: Option<&str>, all: Option<&Path>, shared: &Shared) -> anyhow::Result<Exit> {
    if let Some(folder) = all {
        let failed = || format!("{}: cannot write the manual pages", folder.display());
        fs::create_dir_all(folder).with_context(failed)?;
        clap_mangen::generate_to(Args::command(), folder).with_context(failed)?;
        return Ok(Exit::Clean);
    }
    let mut command = Args::command();
    command.build();
    let page = match name {
        None => command,
        Some(name) => command
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| anyhow::anyhow!("no command `{name}`; `keysweep help` lists them"))?,
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    put(&text, shared)
}

fn put(text: &[u8], shared: &Shared) -> anyhow::Result<Exit> {
    match &shared.output {
        Some(path) => {
            fs::write(path, text).with_context(|| format!("{}: cannot write", path.display()))?;
        }
        None => io::stdout().write_all(text)?,
    }
    Ok(Exit::Clean)
}
