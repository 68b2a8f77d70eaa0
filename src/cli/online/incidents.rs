//! `keysweep incidents`: what was done about leaks, from the ledger.

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use keysweep::ledger::{Error, Flags, Incident, IncidentId, Ledger, RECORD_SCHEMA, Record};
use keysweep::report::printable;
use keysweep::respond::RESPONSE_SCHEMA;

use super::keep::{PROGRAM, flag};
use super::ledger::{LedgerArgs, LedgerConfig, LedgerPlace};
use super::settings::Own;
use crate::cli::args::{ConfigArgs, Shared};
use crate::cli::console;
use crate::cli::exit::Exit;

/// Commands about incidents.
#[derive(Debug, Subcommand)]
pub(crate) enum IncidentsCommand {
    /// List the incidents, the oldest first (text or json)
    List {
        /// Only those that are not closed
        #[arg(long)]
        open: bool,
        #[command(flatten)]
        at: At,
    },
    /// Show the record of an incident (text, markdown or json)
    Show(One),
    /// Write the record of an incident as a document: --format markdown (the default) or json, to standard output or --output FILE
    ///
    /// A ledger that was changed by somebody else gives no record.
    Export(One),
    /// Remove the secret that is kept, sealed, for rechecks; the incident stays
    Forget(One),
    /// Check that nobody else changed the ledger
    Verify {
        /// The head that a record printed: rows that were cut off since show against it
        #[arg(long, value_name = "ROW:HMAC")]
        head: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Print the JSON Schema of a record in json, or of what respond, revoke and recheck write
    Schema {
        /// Whose schema
        #[arg(value_name = "DOCUMENT", value_enum, default_value_t = Document::Record)]
        of: Document,
    },
}

/// A document that has a schema.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Document {
    /// The record of an incident.
    Record,
    /// A plan, what became of incidents, the requests of a dry run.
    Response,
}

/// Where the ledger is.
#[derive(Debug, clap::Args)]
pub(crate) struct At {
    #[command(flatten)]
    ledger: LedgerArgs,
    /// A configuration file of yours, whose [ledger] counts; the user's own without it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// An incident, and where it is.
#[derive(Debug, clap::Args)]
pub(crate) struct One {
    /// The incident, such as KS-20260131-1
    #[arg(value_name = "ID")]
    id: IncidentId,
    #[command(flatten)]
    at: At,
}

/// Runs a command about incidents.
pub(crate) fn run(command: &IncidentsCommand, shared: &Shared) -> anyhow::Result<Exit> {
    match command {
        IncidentsCommand::List { open, at } => list(&place(at)?, *open, shared),
        IncidentsCommand::Show(one) => {
            // What it says is shown first, and then whether that is so.
            let ledger = look(&place(&one.at)?)?;
            let sound = ledger.verify();
            let record = match record(&ledger, one) {
                Ok(record) => record,
                Err(error) => return Err(sound.err().unwrap_or(error).into()),
            };
            write_record(&record, &shared.format, shared)?;
            sound?;
            Ok(Exit::Clean)
        }
        IncidentsCommand::Export(one) => {
            let ledger = look(&place(&one.at)?)?;
            ledger.verify()?;
            let format = match &*shared.format {
                "text" if !shared.given.format => "markdown",
                "text" => bail!(
                    "a record is written as markdown or json; `keysweep incidents show` prints text"
                ),
                format => format,
            };
            write_record(&record(&ledger, one)?, format, shared)?;
            Ok(Exit::Clean)
        }
        IncidentsCommand::Forget(one) => forget(one, shared),
        IncidentsCommand::Verify { head, at } => verify(&place(at)?, head.as_deref(), shared),
        IncidentsCommand::Schema { of } => {
            let mut out = console::report_writer(shared)?;
            let schema = match of {
                Document::Record => RECORD_SCHEMA,
                Document::Response => RESPONSE_SCHEMA,
            };
            out.write_all(schema.as_bytes())?;
            out.flush()?;
            Ok(Exit::Clean)
        }
    }
}

fn place(at: &At) -> anyhow::Result<LedgerPlace> {
    let own = Own::read(&ConfigArgs {
        config: at.config.clone(),
        ..ConfigArgs::default()
    })?;
    LedgerPlace::of(&at.ledger, &LedgerConfig::of(&own))
}

/// Opens a ledger that is there, to look at it.
fn look(place: &LedgerPlace) -> anyhow::Result<Ledger> {
    if place.exists() {
        return Ok(place.look()?);
    }
    Ledger::place(&place.path)?;
    bail!("{}", place.missing())
}

fn record(ledger: &Ledger, one: &One) -> Result<Record, Error> {
    let flags = Flags {
        config: flag("--config", one.at.config.as_deref()),
        ledger: flag("--ledger", one.at.ledger.ledger.as_deref()),
    };
    Ok(Record::of(ledger, one.id, Timestamp::now(), PROGRAM)?.with(flags))
}

fn write_record(record: &Record, format: &str, shared: &Shared) -> anyhow::Result<()> {
    if !["text", "markdown", "json"].contains(&format) {
        bail!("a record is written as text, markdown or json, not as {format}");
    }
    let mut out = console::report_writer(shared)?;
    match format {
        "json" => record.json(&mut *out)?,
        "markdown" => out.write_all(record.markdown().as_bytes())?,
        _ => out.write_all(record.text().as_bytes())?,
    }
    out.flush()?;
    Ok(())
}

/// An incident of the list in JSON.
#[derive(Serialize)]
struct Row<'i> {
    id: String,
    state: &'static str,
    severity: &'static str,
    rule: &'i str,
    name: &'i str,
    provider: &'i str,
    secret: &'i str,
    fingerprint: String,
    account: Option<&'i str>,
    opened: String,
    changed: String,
    why: &'i str,
}

impl<'i> Row<'i> {
    fn of(incident: &'i Incident) -> Self {
        let leak = &incident.leak;
        let whose = leak.identity.as_ref();
        Self {
            id: incident.id.to_string(),
            state: incident.state.word(),
            severity: leak.severity.word(),
            rule: &leak.rule,
            name: &leak.name,
            provider: &leak.provider,
            secret: &leak.secret,
            fingerprint: leak.fingerprint.to_string(),
            account: whose.and_then(|whose| whose.account.as_deref()),
            opened: seconds(incident.opened),
            changed: seconds(incident.changed),
            why: &incident.why,
        }
    }
}

fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn list(place: &LedgerPlace, open: bool, shared: &Shared) -> anyhow::Result<Exit> {
    if !["text", "json"].contains(&&*shared.format) {
        bail!(
            "incidents are listed as text or json, not as {}",
            shared.format
        );
    }
    // Without one, nothing has happened; a name that is wrong is another matter.
    let ledger = if place.is_named {
        Some(look(place)?)
    } else {
        Ledger::place(&place.path)?;
        let there = if place.exists() {
            place.look()
        } else {
            Err(Error::Absent {
                path: place.path.clone(),
            })
        };
        match there {
            Ok(ledger) => Some(ledger),
            Err(Error::Absent { .. }) => {
                console::say(shared, &printable(&place.missing()));
                None
            }
            Err(error) => return Err(error.into()),
        }
    };
    let sound = ledger.as_ref().map_or(Ok(0), Ledger::verify);
    let all = match ledger.as_ref().map_or(Ok(Vec::new()), Ledger::incidents) {
        Ok(all) => all,
        Err(error) => return Err(sound.err().unwrap_or(error).into()),
    };
    let rows: Vec<Row<'_>> = all
        .iter()
        .filter(|incident| !open || incident.state != keysweep::ledger::IncidentState::Closed)
        .map(Row::of)
        .collect();
    let mut out = console::report_writer(shared)?;
    if shared.format == "json" {
        keysweep::ledger::write_json(&rows, &mut *out)?;
    } else if rows.is_empty() && ledger.is_some() {
        let what = if open {
            "no open incidents"
        } else {
            "no incidents"
        };
        console::say(shared, what);
    } else if ledger.is_some() {
        out.write_all(table(&rows).as_bytes())?;
    }
    out.flush()?;
    sound?;
    Ok(Exit::Clean)
}

/// Columns of a cell that is shown.
const CELL: usize = 40;

fn table(rows: &[Row<'_>]) -> String {
    let head = [
        "incident", "state", "severity", "opened", "rule", "secret", "account",
    ];
    let mut cells = vec![head.map(str::to_owned)];
    for row in rows {
        let cell = |text: &str| {
            let text = printable(text);
            match text.char_indices().nth(CELL) {
                Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
                None => text.into_owned(),
            }
        };
        cells.push([
            row.id.clone(),
            row.state.to_owned(),
            row.severity.to_owned(),
            row.opened.clone(),
            cell(row.rule),
            cell(row.secret),
            cell(row.account.unwrap_or("")),
        ]);
    }
    let width = |column: usize| {
        let lengths = cells.iter().filter_map(|row| row.get(column));
        lengths.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in &cells {
        let padded: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn forget(one: &One, shared: &Shared) -> anyhow::Result<Exit> {
    if !["text", "json"].contains(&&*shared.format) {
        bail!("this is told as text or json, not as {}", shared.format);
    }
    let place = place(&one.at)?;
    // One that is not there is not made for this.
    look(&place)?.incident(one.id)?;
    let now = Timestamp::now();
    let ledger = place.open(now)?;
    let was_kept = ledger.is_sealed(one.id)?;
    ledger.forget(one.id, now)?;
    let what = if was_kept {
        "the secret is removed; `keysweep recheck` cannot use it any more"
    } else {
        "no secret was kept"
    };
    if shared.format == "json" {
        let forgotten = Forgotten {
            incident: one.id.to_string(),
            was_kept,
        };
        let mut out = console::report_writer(shared)?;
        keysweep::ledger::write_json(&forgotten, &mut *out)?;
        out.flush()?;
    } else {
        console::say(shared, &format!("{}: {what}", one.id));
    }
    Ok(Exit::Clean)
}

#[derive(Serialize)]
struct Forgotten {
    incident: String,
    was_kept: bool,
}

#[derive(Serialize)]
struct Verified {
    ledger: String,
    rows: u64,
    head: String,
}

fn verify(place: &LedgerPlace, head: Option<&str>, shared: &Shared) -> anyhow::Result<Exit> {
    if !["text", "json"].contains(&&*shared.format) {
        bail!("this is told as text or json, not as {}", shared.format);
    }
    let ledger = look(place)?;
    let rows = ledger.verify()?;
    if let Some(head) = head {
        ledger.verify_head(head)?;
    }
    let verified = Verified {
        ledger: place.path.display().to_string(),
        rows,
        head: ledger.head()?,
    };
    let mut out = console::report_writer(shared)?;
    if shared.format == "json" {
        keysweep::ledger::write_json(&verified, &mut *out)?;
    } else {
        let unit = if rows == 1 { "row" } else { "rows" };
        let also = match head {
            Some(_) => ", and so does the head that was given",
            None => "",
        };
        writeln!(
            out,
            "{}: all {rows} audit {unit} hold{also}; the head is {}",
            printable(&verified.ledger),
            verified.head
        )?;
    }
    out.flush()?;
    Ok(Exit::Clean)
}
