//! `keysweep revoke`: one key that the user has is ended, proven dead and recorded.

use std::io::Write;

use anyhow::bail;

use keysweep::ledger::IncidentState;
use keysweep::model::{ConfirmedLeak, Finding, Summary, Verification};
use keysweep::report::Redactor;
use keysweep::respond::{Detected, opened, plan as make_plan};
use keysweep::scan::fingerprint;
use keysweep::verify::one;

use super::act::{AgreeArgs, Desk, Person, Results};
use super::settings::{OnlineArgs, Own};
use super::{keep, plan, respond, verify};
use crate::cli::args::{CommonArgs, ConfigArgs, SelectionArgs, Shared, defaults};
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
    agree: AgreeArgs,
    #[command(flatten)]
    keep: keep::KeepArgs,
    #[command(flatten)]
    network: OnlineArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
#[expect(
    clippy::disallowed_methods,
    reason = "the fingerprint is made of the secret"
)]
pub(crate) fn run(args: &RevokeArgs, shared: &Shared) -> anyhow::Result<Exit> {
    plan::check_format(&shared.format)?;
    let common = CommonArgs {
        selection: args.selection.clone(),
        config: args.config.clone(),
        ..defaults()
    };
    let (common, shared) = keep::here(&common, shared)?;
    let shared = &shared;
    let person = Person::new(args.agree, false);
    if !args.dry_run && person.is_absent() {
        bail!(
            "nothing was done: there is no terminal to ask at before steps that cannot be undone; agree to them with --yes"
        );
    }
    let engine = scan::engine(&common)?;
    let registry = verify::registry(&common)?;
    let index = verify::index_of(&engine, &args.rule)?;
    if registry.revoker(&args.rule).is_none() && !args.dry_run {
        bail!(
            "no call is known that ends a key of `{}`: end it at its provider",
            args.rule
        );
    }
    let credential = verify::credential(&engine, index, &|key| {
        registry.verifier(&args.rule)?.preview(key).err()
    })?;
    let spec = engine
        .rules()
        .rules()
        .get(index)
        .map(keysweep::rule::Rule::spec);
    let Some(spec) = spec else {
        bail!("no rule has the id `{}`", args.rule);
    };
    let print = fingerprint(
        &args.rule,
        credential.secret.expose(),
        common.project.salt(),
    );
    let mut finding = Finding {
        rule: args.rule.clone(),
        name: spec.name.to_string(),
        provider: spec.provider.to_string(),
        severity: spec.severity,
        score: 1.0,
        credential,
        entropy: 0.0,
        fingerprint: print,
        places: Vec::new(),
        history: None,
        opens: Vec::new(),
        owners: Vec::new(),
        remedy: spec.remedy.to_string(),
        console: spec.console.to_string(),
        link: String::new(),
        verification: None,
    };
    let redactor = Redactor::of_run(&engine, [&finding], &Summary::default(), "", false);
    let own = Own::read(&common.config)?;
    let held = |name: &str, parts: &[String]| keep::held(&own, name, parts);
    let mut out = console::report_writer(shared)?;
    if args.dry_run {
        let requests = respond::requests(&registry, &finding, &held);
        respond::write_requests(&mut *out, &finding, &requests, &redactor, shared)?;
        if shared.format == "text" {
            writeln!(out, "dry run: nothing was sent")?;
        }
        out.flush()?;
        return Ok(Exit::Clean);
    }
    heed_signals();
    let policy = keep::policy(&args.keep, &own);
    let client = own.client(&args.network)?;
    let checked = one(&client, &registry, &args.rule, &finding.credential);
    if stopped() {
        return Ok(Exit::Interrupted);
    }
    finding.verification = Some(checked.clone());
    let ledger = keep::ledger(&args.keep, &own)?;
    let unfinished = ledger.incidents()?.into_iter().rev().find(|incident| {
        incident.leak.fingerprint == print && incident.state != IncidentState::Closed
    });
    let desk = Desk {
        net: &client,
        registry: &registry,
        ledger: &ledger,
        held: &held,
        policy,
        person: &person,
        shared,
    };
    let mut results = Results::default();
    let is_active = matches!(checked.verification, Verification::Active(_));
    match (&checked.verification, unfinished) {
        // What was begun is brought to its end.
        (_, Some(incident)) if !is_active => {
            let credential = Some(finding.credential.clone());
            results.take(desk.run(|run| run.resume(&incident, credential)), shared);
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
            let made = make_plan(&findings, &registry, &held, &policy, &[print]);
            if shared.format == "text" {
                plan::write_plan(&mut *out, &made, &redactor)?;
                out.flush()?;
            }
            registry.learn(&mut finding);
            let named = || ConfirmedLeak::named(&finding, print);
            let leak = ConfirmedLeak::new(&finding).or_else(named);
            if let (Some(leak), Some(planned)) = (leak, made.leaks.first()) {
                let detected = Detected {
                    at: keep::now(),
                    by: concat!("keysweep ", env!("CARGO_PKG_VERSION")).to_owned(),
                    command: format!("keysweep revoke --rule {}", args.rule),
                    scanned: String::new(),
                };
                let clean = |text: &str| redactor.redact(text.as_bytes());
                let incident = opened(&finding, planned, &detected, &clean);
                results.take(desk.run(|run| run.apply(&leak, &incident)), shared);
            }
        }
    }
    results.write(&mut *out, None, shared)?;
    out.flush()?;
    Ok(results.exit())
}
