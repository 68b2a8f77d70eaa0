//! `keysweep verify`, and `--verify` of the commands that scan: each credential's provider is asked whether it works.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};

use keysweep::model::{
    Checked, Credential, Doubt, Finding, Observer, Stage, Summary, Tally, Verification,
};
use keysweep::net::{Net, placed};
use keysweep::provider::Registry;
use keysweep::report::{
    self, Redactor, Stored, printable, verification_text, verification_value, write_record,
};
use keysweep::rule::block::Blocks;
use keysweep::scan::Engine;
use keysweep::verify::{Batch, THREADS, choices, one};

use super::reread::{Live, Reread, Roots};
use super::settings::{self, CallerArgs, OnlineArgs, Own};
use super::{respond, typed};
use crate::cli::args::{CommonArgs, FailOn, Shared};
use crate::cli::exit::Exit;
use crate::cli::finish::Results;
use crate::cli::progress::{heed_signals, stopped};
use crate::cli::{console, input, project, scan};

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// A report in json, jsonl or sarif, or `-` for standard input
    #[arg(value_name = "REPORT", required_unless_present = "rule")]
    report: Option<PathBuf>,
    /// Ask for one credential of this kind: it is typed, or comes through standard input, its further parts as lines NAME=VALUE
    #[arg(long, value_name = "ID", conflicts_with_all = ["report", "root", "only_active"])]
    rule: Option<String>,
    /// Where what was scanned lies now; without it, where the report says (repeatable)
    #[arg(long, value_name = "FOLDER")]
    root: Vec<PathBuf>,
    /// Show the requests, redacted, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Show only findings whose credential works
    #[arg(long)]
    only_active: bool,
    /// Show secrets in clear, where the report does
    #[arg(long, conflicts_with = "rule")]
    show_secrets: bool,

    #[command(flatten)]
    caller: CallerArgs,
}

/// What the commands that scan take.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct AskArgs {
    /// Ask each credential's provider whether it works; it is sent to its provider and to nobody else
    #[arg(long, help_heading = "Verification")]
    pub(crate) verify: bool,
    /// Show only findings whose credential works
    #[arg(long, requires = "verify", help_heading = "Verification")]
    pub(crate) only_active: bool,

    #[command(flatten)]
    pub(crate) network: OnlineArgs,
}

impl CommonArgs {
    /// Takes over what the command says of verification.
    pub(crate) fn ask(&mut self, args: &AskArgs) {
        if args.verify {
            self.ask = Some(args.clone());
        }
    }
}

/// The providers of a run: rule files of the scanned tree have no say in where secrets are sent.
pub(crate) fn registry(common: &CommonArgs) -> anyhow::Result<Registry> {
    // Those of the tree are not among them: they are rules of the project.
    let blocks = Blocks::load(&common.selection.rules)?;
    let own = Own::read(&common.config)?;
    Ok(Registry::new(blocks).knowing(own.online.known))
}

/// Runs the command.
pub(crate) fn run(args: &VerifyArgs, shared: &Shared) -> anyhow::Result<Exit> {
    let common = args.caller.common();
    match (&args.rule, &args.report) {
        (Some(rule), _) => of_rule(rule, args, &common, shared),
        (None, Some(report)) => of_report(report, args, &common, shared),
        (None, None) => bail!("name a report to verify, or a kind with --rule"),
    }
}

fn of_report(
    path: &Path,
    args: &VerifyArgs,
    common: &CommonArgs,
    shared: &Shared,
) -> anyhow::Result<Exit> {
    heed_signals();
    let mut stored = Stored::read(&path.display().to_string(), &input::all(path)?)?;
    let here = live(&stored, &args.root, common, shared)?;
    let (common, shared, engine, registry) = (here.common, here.shared, here.engine, here.registry);
    let mut live = here.live;
    let shared = &shared;
    let reporter = report::by_name(&shared.format).context("no such report format")?;
    let is_whole = are_loaded(&live.findings, &engine, shared);
    let client = Own::read(&common.config)?.client(&args.caller.network)?;
    if args.dry_run {
        let exit = preview(&live.findings, &stored, &engine, &registry, &client, shared)?;
        return Ok(if is_whole { exit } else { Exit::Trouble });
    }
    ask(&client, &registry, &mut live.findings, shared);
    live.tell(&mut stored.findings);
    let tally = settle(&mut stored.findings, args.only_active).0;
    let exit = if is_whole {
        ended(&tally)
    } else {
        Exit::Trouble
    };
    stored.summary.verified = Some(tally);
    stored.summary.cancelled |= stopped();
    let redactor = redactor(&engine, &stored, &live.findings, args.show_secrets);
    let options = report::Options {
        show_secrets: args.show_secrets,
        // A report has them only where they were asked for.
        show_suppressed: true,
        color: console::colored(shared),
        width: console::width(),
        hyperlinks: false,
    };
    let report = stored.report(engine.rules(), &redactor, options);
    let mut out = console::report_writer(shared)?;
    reporter.write(&report, &mut *out)?;
    out.flush()?;
    Ok(if stopped() { Exit::Interrupted } else { exit })
}

/// What a report's findings are here: with their secrets, read again where they stand, and what the project's configuration says.
pub(crate) struct Here {
    pub(crate) live: Live,
    pub(crate) common: CommonArgs,
    pub(crate) shared: Shared,
    pub(crate) engine: Engine,
    pub(crate) registry: Registry,
}

/// Reads the secrets of a report again.
pub(crate) fn live(
    stored: &Stored,
    named: &[PathBuf],
    common: &CommonArgs,
    shared: &Shared,
) -> anyhow::Result<Here> {
    let mut all = stored.findings.iter();
    let roots = match Roots::of(named, &stored.root) {
        Ok(roots) => Some(roots),
        Err(_) if all.all(|f| f.credential.secret.is_known()) => None,
        Err(error) => return Err(error),
    };
    let top = roots.as_ref().and_then(Roots::top);
    let (common, shared) = project::of_tree(top.as_deref(), common, shared)?;
    let engine = scan::engine(&common)?;
    let registry = registry(&common)?;
    let salt = common.project.salt();
    let live = Reread::new(&engine, &registry, roots.as_ref(), salt).run(&stored.findings);
    Ok(Here {
        live,
        common,
        shared,
        engine,
        registry,
    })
}

/// Says of which findings nobody knows the rule; whether there is none such.
pub(crate) fn are_loaded(findings: &[Finding], engine: &Engine, shared: &Shared) -> bool {
    let unknown = findings.iter().map(|f| &f.rule);
    let unknown = unknown.filter(|rule| engine.rules().index_of(rule).is_none());
    let unknown: std::collections::BTreeSet<_> = unknown.collect();
    for rule in &unknown {
        console::say(shared, &printable(&not_loaded(rule)));
    }
    unknown.is_empty()
}

/// Why nothing is done about a finding whose rule nobody knows.
pub(crate) fn not_loaded(rule: &str) -> String {
    format!("no rule `{rule}` is loaded; was the report made with --rules?")
}

/// A redactor that knows what a report shows and what was read again for it.
pub(crate) fn redactor(
    engine: &Engine,
    stored: &Stored,
    live: &[Finding],
    show_secrets: bool,
) -> Redactor {
    let all = stored.findings.iter().chain(&stored.dropped).chain(live);
    Redactor::of_run(engine, all, &stored.summary, &stored.root, show_secrets)
}

/// Asks for all findings at once; somebody at a terminal sees how far it is.
pub(crate) fn ask(
    client: &dyn Net,
    registry: &Registry,
    findings: &mut [Finding],
    shared: &Shared,
) {
    let visible = !shared.quiet
        && io::stderr().is_terminal()
        && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
    let bar = visible.then(|| {
        let style =
            ProgressStyle::with_template("{spinner} verify  [{bar:20}] {pos}/{len}  {eta} left");
        let bar = ProgressBar::new(0);
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("#--"));
        }
        bar
    });
    let batch = Batch {
        net: client,
        registry,
        threads: THREADS,
    };
    batch.run(findings, &|done, all| {
        if let Some(bar) = &bar {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        }
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

/// Counts, and takes out what is not active where only that is wanted; gives what was taken out.
fn settle(findings: &mut Vec<Finding>, only_active: bool) -> (Tally, Vec<Finding>) {
    let mut tally = Tally::of(&*findings).unwrap_or_default();
    if !only_active {
        return (tally, Vec::new());
    }
    let (kept, out): (Vec<_>, Vec<_>) = std::mem::take(findings).into_iter().partition(is_active);
    *findings = kept;
    tally.hidden = out.len() as u64;
    (tally, out)
}

/// Whether a finding's credential is known to work.
pub(crate) fn is_active(finding: &Finding) -> bool {
    let checked = finding.verification.as_ref();
    checked.is_some_and(|c| matches!(c.verification, Verification::Active(_)))
}

/// Verifies what a scan found, where the user wants it; gives the findings that are not shown for it.
pub(crate) fn of_scan(
    engine: &Engine,
    results: &mut Results,
    common: &CommonArgs,
    shared: &Shared,
) -> anyhow::Result<Vec<Finding>> {
    let Some(ask_args) = &common.ask else {
        return Ok(Vec::new());
    };
    results.counters.stage(Stage::Verify);
    heed_signals();
    let registry = registry(common)?;
    let client = Own::read(&common.config)?.client(&ask_args.network)?;
    let findings = &mut results.collected.findings;
    // What stands beside a key, and whether it stands beside several users or hosts, is not kept by a scan.
    let roots = Roots::of(&[], &results.root).ok();
    let salt = common.project.salt();
    let mut live = Reread::new(engine, &registry, roots.as_ref(), salt).run(findings);
    ask(&client, &registry, &mut live.findings, shared);
    live.tell(findings);
    let (tally, out) = settle(findings, ask_args.only_active);
    results.summary.verified = Some(tally);
    results.summary.cancelled |= stopped();
    Ok(out)
}

/// Whether something was to be asked and nobody gave an answer that says anything.
pub(crate) fn is_vain(tally: &Tally) -> bool {
    let doubts = tally.unknown.iter().filter(|(word, _)| **word != "canary");
    tally.active + tally.inactive == 0 && doubts.map(|(_, n)| n).sum::<u64>() > 0
}

/// What a scan's exit code owes to verification; `None` where it owes nothing.
pub(crate) fn verdict(args: &CommonArgs, summary: &Summary) -> Option<Exit> {
    let tally = summary.verified.as_ref()?;
    let in_part = args.require_complete && !tally.unknown.is_empty();
    (!args.keep_going && is_vain(tally) || in_part).then_some(Exit::Trouble)
}

fn ended(tally: &Tally) -> Exit {
    if tally.active > 0 {
        Exit::Findings(1)
    } else if is_vain(tally) {
        Exit::Trouble
    } else {
        Exit::Clean
    }
}

/// Complains of a wish that cannot be met, before anything is scanned.
pub(crate) fn check(common: &CommonArgs) -> anyhow::Result<()> {
    if common.fail_on == FailOn::Active && common.ask.is_none() {
        bail!("--fail-on active needs --verify: without asking, nobody knows what is active");
    }
    Ok(())
}

/// Prints the requests, each once; nothing is sent.
fn preview(
    live: &[Finding],
    stored: &Stored,
    engine: &Engine,
    registry: &Registry,
    client: &dyn Net,
    shared: &Shared,
) -> anyhow::Result<Exit> {
    let redactor = redactor(engine, stored, live, false);
    let mut out = console::report_writer(shared)?;
    let mut seen = std::collections::BTreeSet::new();
    let (mut asked, mut unsupported) = (0_u64, 0_u64);
    let mut all = Vec::new();
    for finding in live {
        if !seen.insert((&finding.rule, finding.fingerprint)) {
            continue;
        }
        if registry.verifier(&finding.rule).is_none() {
            unsupported += 1;
            continue;
        }
        let credential = &finding.credential;
        let requests = if credential.secret.is_known() {
            previews(registry, &finding.rule, credential, client)
        } else {
            vec![Err(Doubt::NotThere)]
        };
        asked += u64::from(requests.iter().any(Result::is_ok));
        all.push((finding, shown(requests, client)));
    }
    if ["json", "jsonl"].contains(&&*shared.format) {
        respond::write_requests(&mut *out, &all, &redactor, shared)?;
        out.flush()?;
        return Ok(Exit::Clean);
    }
    for (finding, requests) in &all {
        write_requests(&mut *out, &redactor, finding, requests)?;
    }
    let credentials = if asked == 1 {
        "credential"
    } else {
        "credentials"
    };
    writeln!(
        out,
        "dry run: nothing was sent; {asked} {credentials} would be, {unsupported} unsupported"
    )?;
    out.flush()?;
    Ok(Exit::Clean)
}

/// The requests that ask for a credential, or why it is not asked for: for each of the parts that may be its.
pub(crate) fn previews(
    registry: &Registry,
    rule: &str,
    credential: &Credential,
    client: &dyn Net,
) -> Vec<Result<Vec<String>, Doubt>> {
    let Some(provider) = registry.verifier(rule) else {
        return Vec::new();
    };
    let each = choices(registry, rule, credential);
    let each = each.iter().map(|key| {
        let refusal = registry.refusal(rule, key, client);
        refusal.map_or_else(|| provider.preview(key), Err)
    });
    each.collect()
}

/// The requests with the addresses that they go to, or why there are none.
pub(crate) fn shown(
    requests: Vec<Result<Vec<String>, Doubt>>,
    client: &dyn Net,
) -> respond::Requests {
    let requests = requests.into_iter().flat_map(|requests| match requests {
        Ok(requests) if requests.is_empty() => {
            vec!["nothing is sent: it is judged by itself".to_owned()]
        }
        Ok(requests) => requests.iter().map(|r| placed(client, r)).collect(),
        Err(doubt) => vec![doubt.to_string()],
    });
    let what = || "ask whether it works".to_owned();
    requests.map(|text| (what(), text)).collect()
}

fn write_requests(
    out: &mut dyn Write,
    redactor: &Redactor,
    finding: &Finding,
    requests: &respond::Requests,
) -> io::Result<()> {
    let secret = finding.credential.secret.redacted();
    write!(out, "{}  {}", printable(&finding.rule), printable(&secret))?;
    if let Some(place) = finding.places.first() {
        let path = redactor.printable(&place.path);
        write!(out, "  {path}:{}", place.start.line)?;
    }
    writeln!(out)?;
    for line in requests.iter().flat_map(|(_, request)| request.lines()) {
        writeln!(out, "  {}", redactor.printable(line.as_bytes()))?;
    }
    writeln!(out)
}

/// One credential that the user has.
fn of_rule(
    rule: &str,
    args: &VerifyArgs,
    common: &CommonArgs,
    shared: &Shared,
) -> anyhow::Result<Exit> {
    let (common, shared) = settings::here(common, shared)?;
    if !["text", "json", "jsonl"].contains(&shared.format.as_str()) {
        bail!(
            "what a provider says of one credential is written as text, json or jsonl, not as {}",
            shared.format
        );
    }
    let engine = scan::engine(&common)?;
    let registry = registry(&common)?;
    let index = typed::index_of(&engine, rule)?;
    if registry.verifier(rule).is_none() {
        bail!("no call is known that proves a credential of `{rule}`");
    }
    let mut finding = typed::finding(&engine, &registry, index, common.project.salt())?;
    let redacting =
        |finding: &Finding| Redactor::of_run(&engine, [finding], &Summary::default(), "", false);
    let redactor = redacting(&finding);
    let mut out = console::report_writer(&shared)?;
    let client = Own::read(&common.config)?.client(&args.caller.network)?;
    let credential = &finding.credential;
    if args.dry_run {
        let requests = shown(previews(&registry, rule, credential, &client), &client);
        if shared.format == "text" {
            write_requests(&mut *out, &redactor, &finding, &requests)?;
            writeln!(out, "dry run: nothing was sent")?;
        } else {
            respond::write_requests(&mut *out, &[(&finding, requests)], &redactor, &shared)?;
        }
        out.flush()?;
        return Ok(Exit::Clean);
    }
    heed_signals();
    let said = one(&client, &registry, rule, credential);
    let checked = said.checked.clone();
    // An answer may repeat the key in other letters.
    said.tell(&mut finding);
    let redactor = redacting(&finding);
    write_one(
        &mut *out,
        &redactor,
        rule,
        &finding.credential,
        &checked,
        &shared,
    )?;
    out.flush()?;
    let mut tally = Tally::default();
    tally.add(&checked.verification);
    Ok(if stopped() {
        Exit::Interrupted
    } else {
        ended(&tally)
    })
}

fn write_one(
    out: &mut dyn Write,
    redactor: &Redactor,
    rule: &str,
    credential: &Credential,
    checked: &Checked,
    shared: &Shared,
) -> io::Result<()> {
    let secret = credential.secret.redacted();
    if shared.format == "text" {
        writeln!(out, "{}  {}", printable(rule), printable(&secret))?;
        return writeln!(out, "  {}", verification_text(redactor, checked));
    }
    let record = serde_json::json!({
        "schema": 1,
        "kind": "verification",
        "rule": rule,
        "secret": secret,
        "verification": verification_value(redactor, checked),
    });
    write_record(&record, out)
}
