//! The terminal: colour, width, and where reports go.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};

use anyhow::Context;

use super::Shared;
use super::args::ColorChoice;

/// Whether the report is coloured: the flag, then NO_COLOR and CLICOLOR_FORCE, then the terminal.
pub(crate) fn colored(shared: &Shared) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    match shared.color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if set("NO_COLOR") => false,
        ColorChoice::Auto if std::env::var_os("CLICOLOR").is_some_and(|v| v == "0") => false,
        ColorChoice::Auto => {
            set("CLICOLOR_FORCE")
                || shared.output.is_none()
                    && io::stdout().is_terminal()
                    && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
        }
    }
}

/// Columns of the terminal; 80 where there is none.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size_of(io::stdout())
        .map_or(80, |(width, _)| usize::from(width.0).max(24))
}

/// Columns of the terminal that a report is read in; none where it goes elsewhere.
#[cfg(feature = "online")]
pub(crate) fn terminal_width(shared: &Shared) -> Option<usize> {
    let is_read = shared.output.is_none() && io::stdout().is_terminal();
    is_read.then(width)
}

/// Where the report goes.
pub(crate) fn report_writer(shared: &Shared) -> anyhow::Result<Box<dyn Write>> {
    Ok(match &shared.output {
        Some(path) => {
            Box::new(BufWriter::new(File::create(path).with_context(|| {
                format!("{}: cannot write the report", path.display())
            })?))
        }
        None => Box::new(BufWriter::with_capacity(1 << 16, io::stdout().lock())),
    })
}

/// Says something beside the report.
pub(crate) fn say(shared: &Shared, text: &str) {
    if !shared.quiet {
        let _ = writeln!(io::stderr(), "keysweep: {text}");
    }
}
