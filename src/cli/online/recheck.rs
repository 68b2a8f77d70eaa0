//! `keysweep recheck`: keys that were ended are used again, to see that they are dead.

use std::fmt::Write as _;
use std::io::Write;

use keysweep::ledger::{IncidentState, StepKind};

use super::act::{ActArgs, Desk, Person, Results};
use super::settings::{self, Own};
use super::{plan, verify};
use crate::cli::args::Shared;
use crate::cli::console;
use crate::cli::exit::Exit;
use crate::cli::progress::heed_signals;

/// Arguments of `recheck`.
#[derive(Debug, clap::Args)]
pub(crate) struct RecheckArgs {
    /// Incidents; all without one
    #[arg(value_name = "INCIDENT")]
    incidents: Vec<String>,

    #[command(flatten)]
    act: ActArgs,
}

/// Runs the command.
pub(crate) fn run(args: &RecheckArgs, shared: &Shared) -> anyhow::Result<Exit> {
    plan::check_format(&shared.format)?;
    heed_signals();
    let (common, shared) = settings::here(&args.act.caller.common(), shared)?;
    let shared = &shared;
    let registry = verify::registry(&common)?;
    let own = Own::read(&common.config)?;
    let client = own.client(&args.act.caller.network)?;
    let person = Person::new(&args.act, false);
    let desk = Desk::open(&args.act, false, &own, &client, &registry, &person, shared)?;
    let mut unfinished = Vec::new();
    let mut incidents = Vec::new();
    if args.incidents.is_empty() {
        for incident in desk.ledger.incidents()? {
            // What is still being ended is not rechecked; what a person ends is looked at.
            let steps = desk.ledger.steps(incident.id)?;
            let by_call = steps.iter().any(|step| step.plan.kind == StepKind::Find);
            if incident.state == IncidentState::Open && by_call {
                unfinished.push(incident);
            } else {
                incidents.push(incident);
            }
        }
    } else {
        for id in &args.incidents {
            incidents.push(desk.incident(id)?);
        }
    }
    let mut results = Results::default();
    for incident in &unfinished {
        let id = incident.id;
        let text = format!(
            "{id}: it is not at its end yet: {}",
            desk.command(&format!("respond --resume {id}"))
        );
        results.fail(text, shared);
    }
    desk.run(|run| {
        results.take_all(
            run,
            &incidents,
            |incident| incident.id,
            |incident, first| run.recheck(incident, first),
            shared,
        );
    });
    let mut out = console::report_writer(shared)?;
    results.write(&mut *out, None, None, shared)?;
    if shared.format == "text" {
        writeln!(out, "{}", counted(&results, unfinished.len()))?;
    }
    out.flush()?;
    Ok(results.rechecked(!args.incidents.is_empty()))
}

/// `3 incidents: 2 dead, 1 lives`.
fn counted(results: &Results, unfinished: usize) -> String {
    let mut words: Vec<(&str, usize)> = Vec::new();
    for ended in &results.ended {
        let word = plan::word(&ended.outcome);
        match words.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => words.push((word, 1)),
        }
    }
    let all = results.ended.len();
    let incidents = if all == 1 { "incident" } else { "incidents" };
    let words: Vec<String> = words
        .iter()
        .map(|(word, n)| match (*word, n) {
            ("lives", 2..) => format!("{n} live"),
            _ => format!("{n} {word}"),
        })
        .collect();
    let mut text = format!("{all} {incidents} rechecked");
    if !words.is_empty() {
        text.push_str(": ");
        text.push_str(&words.join(", "));
    }
    if unfinished > 0 {
        let _ = write!(text, "; {unfinished} not at the end yet");
    }
    text
}
