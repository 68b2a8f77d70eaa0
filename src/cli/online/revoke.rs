//! `keysweep revoke`: one key that the user has is ended, proven dead and recorded.

use std::io::Write;

use anyhow::bail;

use keysweep::ledger::{IncidentState, quoted};
use keysweep::model::{Finding, Summary, Verification};
use keysweep::report::Redactor;
use keysweep::respond::{Detected, plan as make_plan};
use keysweep::verify::one;

use super::act::{ActArgs, Desk, Person, Results};
use super::settings::{self, Own};
use super::{keep, plan, respond, typed, verify};
use crate::cli::args::Shared;
use crate::cli::exit::Exit;
use crate::cli::progress::{heed_signals, stopped};
use crate::cli::{console, scan};

/// Arguments of `revoke`.
#[derive(Debug, clap::Args)]
pub(crate) struct RevokeArgs {
    /// The kind of key; it is typed, or comes through standard input, its further parts as lines NAME=VALUE
    #[arg(long, value_name = "ID")]
    rule: String,
    /// End it although its provider does not say that it is active
    #[arg(long)]
    unconfirmed: bool,
    /// Show the requests, redacted, and send nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    act: ActArgs,
}

/// Runs the command.
pub(crate) fn run(args: &RevokeArgs, shared: &Shared) -> anyhow::Result<Exit> {
    plan::check_format(&shared.format)?;
    let (common, shared) = settings::here(&args.act.caller.common(), shared)?;
    let shared = &shared;
    let person = Person::new(&args.act, false);
    if !args.dry_run {
        person.needed()?;
    }
    let engine = scan::engine(&common)?;
    let registry = verify::registry(&common)?;
    let index = typed::index_of(&engine, &args.rule)?;
    if registry.revoker(&args.rule).is_none() && !args.dry_run {
        bail!(
            "no call is known that ends a key of `{}`: end it at its provider",
            args.rule
        );
    }
    let mut finding = typed::finding(&engine, &registry, index, common.project.salt())?;
    let print = finding.fingerprint;
    let redacting =
        |finding: &Finding| Redactor::of_run(&engine, [finding], &Summary::default(), "", false);
    let redactor = redacting(&finding);
    let own = Own::read(&common.config)?;
    let held = |name: &str, parts: &[String]| own.held(name, parts);
    let mut out = console::report_writer(shared)?;
    if args.dry_run {
        let client = own.client(&args.act.caller.network)?;
        let sources = respond::Sources {
            net: &client,
            registry: &registry,
            held: &held,
        };
        let all = [(&finding, respond::requests(&sources, &finding))];
        respond::write_requests(&mut *out, &all, &redactor, shared)?;
        out.flush()?;
        return Ok(Exit::Clean);
    }
    heed_signals();
    let policy = keep::policy(&args.act.keep, &own);
    let client = own.client(&args.act.caller.network)?;
    let said = one(&client, &registry, &args.rule, &finding.credential);
    if stopped() {
        return Ok(Exit::Interrupted);
    }
    let checked = said.checked.clone();
    said.tell(&mut finding);
    // An answer may repeat the key in other letters.
    let redactor = redacting(&finding);
    let desk = Desk::open(&args.act, true, &own, &client, &registry, &person, shared)?;
    let unfinished = desk.ledger.incidents()?.into_iter().rev().find(|incident| {
        incident.leak.fingerprint == print && incident.state != IncidentState::Closed
    });
    let mut results = Results::default();
    let is_active = matches!(checked.verification, Verification::Active(_));
    match (&checked.verification, unfinished) {
        // What was begun is brought to its end.
        (_, Some(incident)) if !is_active => {
            let credential = || Some(finding.credential.clone());
            desk.run(|run| {
                results.take_all(
                    run,
                    [incident],
                    |incident| incident.id,
                    |incident, first| run.resume(incident, credential(), first),
                    shared,
                );
            });
        }
        (Verification::Inactive(why), None) if !args.unconfirmed => {
            let why = redactor.printable(why.as_bytes());
            console::say(
                shared,
                &format!("nothing was done: it is dead already: {why}"),
            );
            return Ok(Exit::Clean);
        }
        (Verification::Unknown(doubt), None) if !args.unconfirmed => {
            let why = redactor.printable(doubt.to_string().as_bytes());
            bail!(
                "nothing was done: whether it works is not known: {why}; --unconfirmed ends it all the same"
            );
        }
        (Verification::Unsupported, None) if !args.unconfirmed => {
            bail!(
                "nothing was done: no call is known that proves it; --unconfirmed ends it all the same"
            );
        }
        _ => {
            let findings = [finding.clone()];
            let mut made = make_plan(&findings, &registry, &held, &policy, &[print]);
            plan::place(&mut made, &findings, &registry, &client);
            if let Some(refused) = made.left_out.iter().find(|left| left.is_refused) {
                bail!(
                    "nothing was done: {}",
                    redactor.printable(refused.why.as_bytes())
                );
            }
            if shared.format == "text" {
                plan::write_plan(&mut *out, &made, &redactor, console::terminal_width(shared))?;
                out.flush()?;
            }
            if let Some(planned) = made.leaks.first() {
                let detected = Detected {
                    at: keep::now(),
                    by: keep::PROGRAM.to_owned(),
                    command: format!(
                        "keysweep revoke --rule {}{}{}",
                        quoted(&args.rule),
                        if args.unconfirmed {
                            " --unconfirmed"
                        } else {
                            ""
                        },
                        args.act.said()
                    ),
                    scanned: String::new(),
                    flags: args.act.caller.flags(),
                };
                let leaks = [(&finding, planned)];
                desk.end(&leaks, &detected, &redactor, &mut results);
            }
        }
    }
    results.write(&mut *out, None, None, shared)?;
    out.flush()?;
    Ok(results.exit())
}
