//! `keysweep respond`: a plan for the leaks of a report, and with `--apply` what it says.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::json;

use keysweep::ledger::{Incident, IncidentState, quoted, write_json};
use keysweep::model::{Credential, Finding, Fingerprint, Severity};
use keysweep::net::{Net, placed};
use keysweep::provider::Registry;
use keysweep::report::{Redactor, Stored, printable, write_record};
use keysweep::respond::{Detected, Limits, Plan, Planned, plan as make_plan, search};
use keysweep::scan::Engine;

use super::act::{ActArgs, Desk, Person, Results};
use super::reread::Roots;
use super::settings::{self, Own};
use super::{keep, lines, plan, verify};
use crate::cli::args::{CommonArgs, Shared};
use crate::cli::exit::Exit;
use crate::cli::progress::{heed_signals, stopped};
use crate::cli::{console, input};

/// Arguments of `respond`.
#[derive(Debug, clap::Args)]
pub(crate) struct RespondArgs {
    /// A report in json, jsonl or sarif, or `-` for standard input
    #[arg(value_name = "REPORT", required_unless_present = "resume")]
    report: Option<PathBuf>,
    /// Do what the plan says; without it, the plan is printed and nothing is done
    #[arg(long, conflicts_with_all = ["resume", "dry_run"])]
    apply: bool,
    /// Go on with incidents that are not at their end: this one, or all
    #[arg(long, value_name = "INCIDENT", num_args = 0..=1, default_missing_value = "", conflicts_with = "dry_run")]
    resume: Option<String>,
    /// With --resume: send calls again whose answer was lost, although that may not be harmless, and those without effect where the key
    /// still works
    #[arg(long, requires = "resume")]
    send_again: bool,
    /// End this leak although it is not proven active (repeatable)
    #[arg(long, value_name = "FINGERPRINT", value_parser = fingerprint)]
    unconfirmed: Vec<Fingerprint>,
    /// Show the requests, redacted, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Where what was scanned lies now; without it, where the report says (repeatable)
    #[arg(long, value_name = "FOLDER")]
    root: Vec<PathBuf>,

    #[command(flatten)]
    act: ActArgs,
}

fn fingerprint(text: &str) -> Result<Fingerprint, String> {
    Fingerprint::parse(text)
        .ok_or_else(|| "a fingerprint is 32 hexadecimal digits, as reports have it".to_owned())
}

/// Runs the command.
pub(crate) fn run(args: &RespondArgs, shared: &Shared) -> anyhow::Result<Exit> {
    plan::check_format(&shared.format)?;
    heed_signals();
    let common = args.act.caller.common();
    let (id, report) = match (&args.resume, &args.report) {
        // The word behind --resume may be the report.
        (Some(word), None) if !word.is_empty() && !word.starts_with("KS-") => {
            (Some(""), Some(PathBuf::from(word)))
        }
        (id, report) => (id.as_deref(), report.clone()),
    };
    match (id, report) {
        (Some(id), report) => resume(id, report.as_deref(), args, &common, shared),
        (None, Some(report)) => of_report(&report, args, &common, shared),
        (None, None) => bail!("name a report, or go on with --resume"),
    }
}

fn of_report(
    path: &Path,
    args: &RespondArgs,
    common: &CommonArgs,
    shared: &Shared,
) -> anyhow::Result<Exit> {
    let person = Person::new(&args.act, args.send_again);
    if args.apply {
        person.needed()?;
    }
    let stored = Stored::read(&path.display().to_string(), &input::all(path)?)?;
    if let Some(print) = args
        .unconfirmed
        .iter()
        .find(|print| stored.findings.iter().all(|f| f.fingerprint != **print))
    {
        bail!("--unconfirmed {print}: the report has no finding of this fingerprint");
    }
    let here = verify::live(&stored, &args.root, common, shared)?;
    let (common, shared, engine, registry) = (here.common, here.shared, here.engine, here.registry);
    let mut live = here.live.findings;
    if let Ok(roots) = Roots::of(&args.root, &stored.root) {
        lines::settle(&mut live, &roots);
    }
    let shared = &shared;
    let is_whole = verify::are_loaded(&live, &engine, shared);
    let own = Own::read(&common.config)?;
    let held = |name: &str, parts: &[String]| own.held(name, parts);
    let policy = keep::policy(&args.act.keep, &own);
    if args.dry_run {
        let redactor = redactor(&engine, &stored, &live);
        let client = own.client(&args.act.caller.network)?;
        let sources = Sources {
            net: &client,
            registry: &registry,
            held: &held,
        };
        let is_loaded = |rule: &str| engine.rules().index_of(rule).is_some();
        let exit = dry_run(&live, &is_loaded, &sources, &redactor, shared)?;
        return Ok(if is_whole { exit } else { Exit::Trouble });
    }
    let client = own.client(&args.act.caller.network)?;
    verify::ask(&client, &registry, &mut live, shared);
    let redactor = redactor(&engine, &stored, &live);
    let mut made = make_plan(&live, &registry, &held, &policy, &args.unconfirmed);
    let top = Roots::of(&args.root, &stored.root).ok();
    if let Some(top) = top.as_ref().and_then(Roots::top) {
        let uses = search(&top, &made.findings(&live), Limits::default());
        made.depend(uses);
    }
    plan::place(&mut made, &live, &registry, &client);
    for left in &mut made.left_out {
        if engine.rules().index_of(&left.rule).is_none() {
            left.why = verify::not_loaded(&left.rule);
            left.can_end = false;
        }
    }
    let tally = keysweep::model::Tally::of(&live).unwrap_or_default();
    let in_vain = verify::is_vain(&tally) || !is_whole;
    let mut out = console::report_writer(shared)?;
    if shared.format == "text" {
        plan::write_plan(&mut *out, &made, &redactor, console::terminal_width(shared))?;
    }
    let refused = made.left_out.iter().filter(|left| left.is_refused);
    let refused: Vec<String> = refused
        .map(|left| {
            let why = redactor.printable(left.why.as_bytes());
            format!("--unconfirmed {}: {why}", left.fingerprint)
        })
        .collect();
    let in_vain = in_vain || !refused.is_empty();
    if !args.apply {
        if shared.format == "text" {
            if made.leaks.iter().any(Planned::is_automatic) {
                writeln!(
                    out,
                    "nothing was done; to do it: the same command with --apply"
                )?;
            }
        } else {
            let mut value = plan::plan_value(&made, &redactor);
            if let Some(fields) = value.as_object_mut() {
                fields.insert("schema".to_owned(), json!(1));
                fields.insert("kind".to_owned(), json!("plan"));
            }
            write_json(&value, &mut *out)?;
        }
        out.flush()?;
        return Ok(if stopped() {
            Exit::Interrupted
        } else if in_vain {
            Exit::Trouble
        } else {
            Exit::Clean
        });
    }
    out.flush()?;
    if stopped() {
        return Ok(Exit::Interrupted);
    }
    if !refused.is_empty() {
        bail!("nothing was done: {}", refused.join("\n"));
    }
    let mut results = Results::default();
    if !made.leaks.is_empty() {
        let desk = Desk::open(&args.act, true, &own, &client, &registry, &person, shared)?;
        let detected = Detected {
            at: stored.finished.unwrap_or_else(keep::now),
            by: keep::PROGRAM.to_owned(),
            command: command(path, args),
            scanned: stored.root.clone(),
            flags: args.act.caller.flags(),
        };
        let leaks = made.leaks.iter();
        let leaks: Vec<_> = leaks
            .filter_map(|planned| Some((live.get(planned.index)?, planned)))
            .collect();
        desk.end(&leaks, &detected, &redactor, &mut results);
    }
    let unknown = Unknown::of(&made);
    let planned = (shared.format != "text").then(|| plan::plan_value(&made, &redactor));
    let of = (made.leaks.len(), unknown.all);
    results.write(&mut *out, planned, Some(of), shared)?;
    if shared.format == "text" {
        // What is in an incident is gone on with there, the rest by what began the others.
        if results.goes_on() {
            let flags = args.act.caller.flags() + &args.act.keep.flag();
            writeln!(
                out,
                "go on with what is on record: keysweep respond --resume{flags}"
            )?;
        }
        if unknown.troubled > 0 {
            let again = redactor.printable(command(path, args).as_bytes());
            let (it, whose) = match unknown.troubled {
                1 => ("it is", "its provider answers"),
                _ => ("they are", "their providers answer"),
            };
            writeln!(
                out,
                "of {} nothing is known, and {it} in no incident; when {whose}: {again}",
                unknown.troubled
            )?;
        }
    }
    out.flush()?;
    let exit = results.exit();
    Ok(
        if exit == Exit::Clean && (in_vain || unknown.troubled > 0) {
            Exit::Trouble
        } else {
            exit
        },
    )
}

/// How many leaks nothing is known of.
struct Unknown {
    all: usize,
    /// Those of which asking again may tell more.
    troubled: usize,
}

impl Unknown {
    fn of(plan: &Plan) -> Self {
        Self {
            all: plan.not_known().count(),
            troubled: plan.not_known().filter(|left| left.is_trouble).count(),
        }
    }
}

/// A redactor of plans and records. What is worth little alone is shown there: an id says which key dies.
fn redactor(engine: &Engine, stored: &Stored, live: &[Finding]) -> Redactor {
    let all = stored.findings.iter().chain(&stored.dropped).chain(live);
    let all = all.filter(|finding| finding.severity > Severity::Low);
    Redactor::of_run(engine, all, &stored.summary, &stored.root, false)
}

/// The command as it is put on record.
fn command(path: &Path, args: &RespondArgs) -> String {
    let mut text = format!(
        "keysweep respond {} --apply",
        quoted(&path.to_string_lossy())
    );
    for print in &args.unconfirmed {
        text += " --unconfirmed ";
        text += &print.to_string();
    }
    for root in &args.root {
        text += &keep::flag("--root", Some(root));
    }
    text + &args.act.said()
}

/// Prints the requests that would be sent for a report's findings.
fn dry_run(
    live: &[Finding],
    is_loaded: &dyn Fn(&str) -> bool,
    sources: &Sources<'_>,
    redactor: &Redactor,
    shared: &Shared,
) -> anyhow::Result<Exit> {
    let mut all = Vec::new();
    let mut out = console::report_writer(shared)?;
    let mut seen = BTreeSet::new();
    for finding in live {
        if !seen.insert((&finding.rule, finding.fingerprint)) {
            continue;
        }
        let key = &finding.credential;
        let asks = if !is_loaded(&finding.rule) {
            vec![("not asked".to_owned(), verify::not_loaded(&finding.rule))]
        } else if key.secret.is_known() {
            requests(sources, finding)
        } else {
            let why = "no longer at any of its places";
            vec![("not asked".to_owned(), why.to_owned())]
        };
        all.push((finding, asks));
    }
    write_requests(&mut *out, &all, redactor, shared)?;
    out.flush()?;
    Ok(Exit::Clean)
}

/// What requests are made from.
pub(crate) struct Sources<'s> {
    pub(crate) net: &'s dyn Net,
    pub(crate) registry: &'s Registry,
    pub(crate) held: &'s keysweep::respond::Held<'s>,
}

/// What each is for, and the request or why there is none.
pub(crate) type Requests = Vec<(String, String)>;

/// The requests of a credential.
pub(crate) fn requests(sources: &Sources<'_>, finding: &Finding) -> Requests {
    let key = &finding.credential;
    let mut all = Vec::new();
    let asks = verify::previews(sources.registry, &finding.rule, key, sources.net);
    all.extend(verify::shown(asks, sources.net));
    if let Some(revoker) = sources.registry.revoker(&finding.rule) {
        let terms = revoker.terms(key);
        let authority = match &terms.needed {
            keysweep::provider::Needed::Owner { name, parts } => (sources.held)(name, parts).ok(),
            _ => None,
        };
        let authority = authority.unwrap_or_default();
        for (at, stage) in terms.stages.iter().enumerate() {
            let refusal = sources.registry.refusal(&finding.rule, key, sources.net);
            let text = refusal.map_or_else(|| revoker.preview(key, &authority, at), Err);
            let text = text.map_or_else(|doubt| doubt.to_string(), |r| placed(sources.net, &r));
            all.push((stage.what.clone(), text));
        }
        for step in &terms.steps {
            all.push(("by hand".to_owned(), step.clone()));
        }
    }
    all
}

/// Writes the requests of credentials: that nothing was sent stands at the end.
pub(crate) fn write_requests(
    out: &mut dyn Write,
    all: &[(&Finding, Requests)],
    redactor: &Redactor,
    shared: &Shared,
) -> io::Result<()> {
    if shared.format != "text" {
        let clean = |text: &str| redactor.redact(text.as_bytes());
        let credentials = all.iter().map(|(finding, requests)| {
            let requests: Vec<_> = requests
                .iter()
                .map(|(what, text)| json!({ "for": clean(what), "request": clean(text) }))
                .collect();
            json!({
                "rule": finding.rule, "secret": finding.credential.secret.redacted(),
                "fingerprint": finding.fingerprint.to_string(), "requests": requests,
            })
        });
        let credentials: Vec<_> = credentials.collect();
        let value = json!({ "schema": 1, "kind": "requests", "credentials": credentials });
        return match &*shared.format {
            "jsonl" => write_record(&value, out),
            _ => write_json(&value, out),
        };
    }
    for (finding, requests) in all {
        let secret = finding.credential.secret.redacted();
        writeln!(out, "{}  {}", printable(&finding.rule), printable(&secret))?;
        if requests.is_empty() {
            writeln!(out, "  no call is known that proves or ends it")?;
        }
        for (what, text) in requests {
            writeln!(out, "  {}:", redactor.printable(what.as_bytes()))?;
            for line in text.lines() {
                writeln!(
                    out,
                    "    {}",
                    redactor.printable(line.as_bytes()).trim_end()
                )?;
            }
        }
        writeln!(out)?;
    }
    writeln!(out, "dry run: nothing was sent")
}

fn resume(
    id: &str,
    report: Option<&Path>,
    args: &RespondArgs,
    common: &CommonArgs,
    shared: &Shared,
) -> anyhow::Result<Exit> {
    // Secrets that the ledger does not keep come from the report.
    let (live, common, shared) = if let Some(path) = report {
        let stored = Stored::read(&path.display().to_string(), &input::all(path)?)?;
        let here = verify::live(&stored, &args.root, common, shared)?;
        (here.live.findings, here.common, here.shared)
    } else {
        let (common, shared) = settings::here(common, shared)?;
        (Vec::new(), common, shared)
    };
    let shared = &shared;
    let credential = |incident: &Incident| -> Option<Credential> {
        let mut findings = live.iter();
        let fits = |f: &&Finding| {
            f.fingerprint == incident.leak.fingerprint && f.credential.secret.is_known()
        };
        findings.find(fits).map(|f| f.credential.clone())
    };
    let registry = verify::registry(&common)?;
    let own = Own::read(&common.config)?;
    let client = own.client(&args.act.caller.network)?;
    let person = Person::new(&args.act, args.send_again);
    let desk = Desk::open(&args.act, false, &own, &client, &registry, &person, shared)?;
    let all = desk.ledger.incidents()?;
    if all.is_empty() {
        bail!(
            "no incident is on record, and nothing was begun: `keysweep respond REPORT --apply` begins"
        );
    }
    if let Some(path) = report {
        let path = quoted(&path.to_string_lossy());
        let known: BTreeSet<Fingerprint> = all.iter().map(|i| i.leak.fingerprint).collect();
        let mut others: BTreeSet<Fingerprint> = live.iter().map(|f| f.fingerprint).collect();
        others.retain(|print| !known.contains(print));
        if !others.is_empty() {
            let text = format!(
                "{path}: with --resume a report gives keys that the ledger does not keep, and no more; findings of it without an incident: {}; `keysweep respond {path} --apply` ends those that work",
                others.len()
            );
            console::say(shared, &text);
        } else if !live.iter().any(|f| f.credential.secret.is_known()) {
            let text = format!("{path}: it gives no key: none is where it was found");
            console::say(shared, &text);
        }
    }
    let incidents = if id.is_empty() {
        let now = keep::now();
        let mut open = Vec::new();
        for incident in all {
            let is_due =
                desk.ledger.steps(incident.id)?.iter().any(|step| {
                    !step.state.is_final() && step.plan.due.is_some_and(|due| due <= now)
                });
            if incident.state != IncidentState::Closed || is_due {
                open.push(incident);
            }
        }
        open
    } else {
        vec![desk.incident(id)?]
    };
    let mut results = Results::default();
    desk.run(|run| {
        results.begin(run.resume_together(&incidents, &credential), shared);
        results.take_all(
            run,
            &incidents,
            |incident| incident.id,
            |incident, first| run.resume(incident, credential(incident), first),
            shared,
        );
    });
    let mut out = console::report_writer(shared)?;
    results.write(&mut *out, None, None, shared)?;
    if incidents.is_empty() && shared.format == "text" {
        writeln!(out, "all incidents are at their end")?;
    }
    out.flush().context("the report cannot be written")?;
    Ok(results.exit())
}
