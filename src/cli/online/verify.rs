//! `keysweep verify`, and `--verify` of the commands that scan: each credential's provider is asked whether it works.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};

use keysweep::model::{
    Checked, Credential, Doubt, Finding, Observer, Secret, Stage, Summary, Tally, Verification,
};
use keysweep::net::Net;
use keysweep::provider::Registry;
use keysweep::report::{
    self, Redactor, Stored, printable, verification_text, verification_value, write_record,
};
use keysweep::rule::block::Blocks;
use keysweep::scan::{BlobMatch, Engine, Options, Scratch, Settings, scan_bytes};
use keysweep::verify::{Batch, THREADS, one};

use super::prompt;
use super::reread::{Reread, Roots};
use super::settings::{OnlineArgs, Own};
use crate::cli::args::{CommonArgs, ConfigArgs, FailOn, SelectionArgs, Shared, defaults};
use crate::cli::exit::Exit;
use crate::cli::finish::Results;
use crate::cli::input::Interrupted;
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
    network: OnlineArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    config: ConfigArgs,
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
    let common = CommonArgs {
        selection: args.selection.clone(),
        config: args.config.clone(),
        ..defaults()
    };
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
    let (live, common, shared, engine) = live(&stored, &args.root, common, shared)?;
    let shared = &shared;
    let reporter = report::by_name(&shared.format).context("no such report format")?;
    let registry = registry(&common)?;
    if args.dry_run {
        return preview(&live, &stored, &engine, &registry, shared);
    }
    let client = Own::read(&common.config)?.client(&args.network)?;
    let mut live = live;
    ask(&client, &registry, &mut live, shared);
    for (finding, live) in stored.findings.iter_mut().zip(&live) {
        finding.verification.clone_from(&live.verification);
    }
    let tally = settle(&mut stored.findings, args.only_active).0;
    let exit = ended(&tally);
    stored.summary.verified = Some(tally);
    stored.summary.cancelled |= stopped();
    let redactor = redactor(&engine, &stored, &live, args.show_secrets);
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

/// A report's findings with their secrets, read again where they stand; and what the project's configuration says.
pub(crate) fn live(
    stored: &Stored,
    named: &[PathBuf],
    common: &CommonArgs,
    shared: &Shared,
) -> anyhow::Result<(Vec<Finding>, CommonArgs, Shared, Engine)> {
    let mut live = stored.findings.clone();
    let is_known = live.iter().all(|f| f.credential.secret.is_known());
    let roots = match Roots::of(named, &stored.root) {
        Ok(roots) => Some(roots),
        Err(_) if is_known => None,
        Err(error) => return Err(error),
    };
    let top = roots.as_ref().and_then(Roots::top);
    let (common, shared) = project::of_tree(top.as_deref(), common, shared)?;
    let engine = scan::engine(&common)?;
    if let Some(roots) = &roots {
        Reread::new(&engine, roots, common.project.salt()).run(&mut live);
    }
    Ok((live, common, shared, engine))
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
    ask(&client, &registry, findings, shared);
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
    shared: &Shared,
) -> anyhow::Result<Exit> {
    let redactor = redactor(engine, stored, live, false);
    let mut out = console::report_writer(shared)?;
    let mut seen = std::collections::BTreeSet::new();
    let (mut asked, mut unsupported) = (0_u64, 0_u64);
    for finding in live {
        if !seen.insert((&finding.rule, finding.fingerprint)) {
            continue;
        }
        let Some(provider) = registry.verifier(&finding.rule) else {
            unsupported += 1;
            continue;
        };
        let requests = if finding.credential.secret.is_known() {
            provider.preview(&finding.credential)
        } else {
            Err(Doubt::NotThere)
        };
        asked += u64::from(requests.is_ok());
        write_requests(
            &mut *out,
            &redactor,
            &finding.rule,
            &finding.credential,
            requests,
        )?;
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

fn write_requests(
    out: &mut dyn Write,
    redactor: &Redactor,
    rule: &str,
    credential: &Credential,
    requests: Result<Vec<String>, Doubt>,
) -> io::Result<()> {
    let secret = credential.secret.redacted();
    writeln!(out, "{}  {}", printable(rule), printable(&secret))?;
    let requests = match requests {
        Ok(requests) if requests.is_empty() => {
            vec!["nothing is sent: it is judged by itself".to_owned()]
        }
        Ok(requests) => requests,
        Err(doubt) => vec![doubt.to_string()],
    };
    for line in requests.iter().flat_map(|request| request.lines()) {
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
    let here = Path::new(".").canonicalize().ok();
    let (common, shared) = project::of_tree(here.as_deref(), common, shared)?;
    if !["text", "json", "jsonl"].contains(&shared.format.as_str()) {
        bail!(
            "what a provider says of one credential is written as text, json or jsonl, not as {}",
            shared.format
        );
    }
    let engine = scan::engine(&common)?;
    let registry = registry(&common)?;
    let index = index_of(&engine, rule)?;
    let Some(provider) = registry.verifier(rule) else {
        bail!("no call is known that proves a credential of `{rule}`");
    };
    let credential = credential(&engine, index, &|key| provider.preview(key).err())?;
    let redactor = redactor_of(&engine, rule, &credential);
    let mut out = console::report_writer(&shared)?;
    if args.dry_run {
        let requests = provider.preview(&credential);
        write_requests(&mut *out, &redactor, rule, &credential, requests)?;
        writeln!(out, "dry run: nothing was sent")?;
        out.flush()?;
        return Ok(Exit::Clean);
    }
    heed_signals();
    let client = Own::read(&common.config)?.client(&args.network)?;
    let checked = one(&client, &registry, rule, &credential);
    write_one(&mut *out, &redactor, rule, &credential, &checked, &shared)?;
    out.flush()?;
    let mut tally = Tally::default();
    tally.add(&checked.verification);
    Ok(if stopped() {
        Exit::Interrupted
    } else {
        ended(&tally)
    })
}

/// The rule with an id that the user typed.
pub(crate) fn index_of(engine: &Engine, rule: &str) -> anyhow::Result<usize> {
    engine.rules().index_of(rule).ok_or_else(|| {
        let near = engine.rules().knows(rule).err().flatten();
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        anyhow::anyhow!("no rule has the id `{rule}`{hint} (`keysweep rules list` shows all)")
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

/// A redactor that knows one credential.
fn redactor_of(engine: &Engine, rule: &str, credential: &Credential) -> Redactor {
    let finding = Finding {
        rule: rule.to_owned(),
        name: String::new(),
        provider: String::new(),
        severity: keysweep::model::Severity::Critical,
        score: 1.0,
        credential: credential.clone(),
        entropy: 0.0,
        fingerprint: keysweep::model::Fingerprint([0; 16]),
        places: Vec::new(),
        history: None,
        opens: Vec::new(),
        owners: Vec::new(),
        remedy: String::new(),
        console: String::new(),
        link: String::new(),
        verification: None,
    };
    Redactor::of_run(engine, [&finding], &Summary::default(), "", false)
}

/// The credential that the user types, or that comes through standard input: a text in which the rule finds it, or the
/// secret alone in the first line; further parts as lines `name=value`.
pub(crate) fn credential(
    engine: &Engine,
    rule: usize,
    missing: &dyn Fn(&Credential) -> Option<Doubt>,
) -> anyhow::Result<Credential> {
    if !io::stdin().is_terminal() {
        let bytes = input::all(Path::new("-"))?;
        return given(engine, rule, &bytes);
    }
    let asked = |question: &str| -> anyhow::Result<_> {
        let typed = prompt::ask(question).context("nothing can be read from the terminal")?;
        // As Ctrl-C anywhere else.
        typed.ok_or_else(|| Interrupted.into())
    };
    let secret = asked("the secret (it is not shown): ")?;
    let mut credential = given(engine, rule, secret.as_bytes())?;
    while let Some(Doubt::Missing(part)) = missing(&credential) {
        let value = asked(&format!("its {} (not shown): ", printable(&part)))?;
        if value.is_empty() {
            break;
        }
        put(&mut credential, &part, &value);
    }
    Ok(credential)
}

fn put(credential: &mut Credential, name: &str, value: &str) {
    credential.parts.retain(|(known, _)| known != name);
    credential.parts.push((name.to_owned(), value.to_owned()));
    credential.parts.sort();
}

/// Whether a text is a secret of the rule: it finds the whole of it where one of its examples holds another.
///
/// What a user gives for a kind goes to that kind's provider, so what the rule does not know is sent to nobody.
#[expect(
    clippy::disallowed_methods,
    reason = "compared with what the user gave"
)]
fn is_of(engine: &Engine, rule: usize, secret: &str) -> bool {
    let Some(spec) = engine.rules().rule(rule).map(keysweep::rule::Rule::spec) else {
        return false;
    };
    let holds = |text: &str| {
        let matches = scan_bytes(
            engine,
            text.as_bytes(),
            b"",
            &kept(),
            &mut Scratch::default(),
        )
        .matches;
        matches
            .into_iter()
            .filter(|m| m.rule == rule)
            .collect::<Vec<BlobMatch>>()
    };
    let mut contexts = vec![spec.shape_context.replace("{}", secret)];
    for example in spec.examples.iter() {
        let example = example.replace("{-}", "");
        for other in holds(&example) {
            if let Ok(other) = std::str::from_utf8(other.secret.expose()) {
                contexts.push(example.replace(other, secret));
            }
        }
    }
    contexts.iter().any(|text| {
        holds(text)
            .iter()
            .any(|m| m.secret.expose() == secret.as_bytes())
    })
}

/// Every match counts, whatever stands around it.
fn kept() -> Options {
    Options {
        settings: Settings {
            inline_allow: false,
            keep_dropped: true,
            ..Settings::default()
        },
        ..Options::default()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "two matches of one secret are one"
)]
fn given(engine: &Engine, rule: usize, bytes: &[u8]) -> anyhow::Result<Credential> {
    let outcome = scan_bytes(engine, bytes, b"", &kept(), &mut Scratch::default());
    let mut matches: Vec<BlobMatch> = outcome
        .matches
        .into_iter()
        .filter(|m| m.rule == rule)
        .collect();
    matches.sort_by_key(|m| std::cmp::Reverse(m.parts.len()));
    matches.dedup_by(|b, a| a.secret.expose() == b.secret.expose());
    let text = String::from_utf8_lossy(bytes);
    let (mut credential, from) = match &matches[..] {
        [] => {
            let first = text.lines().next().unwrap_or_default().trim();
            if first.is_empty() {
                bail!("no secret was given: write it into standard input");
            }
            if !is_of(engine, rule, first) {
                let id = engine.rules().rule(rule).map_or("", |r| &r.spec().id);
                bail!(
                    "nothing was sent: the rule `{id}` finds nothing in what was given; give the secret as it is, or a text in which the rule finds it (`keysweep rules show {id}` shows examples)"
                );
            }
            let secret = Secret::new(first.as_bytes(), "");
            let parts = Vec::new();
            (Credential { secret, parts }, 1)
        }
        [one] => {
            let credential = Credential {
                secret: one.secret.clone(),
                parts: one.parts.clone(),
            };
            (credential, one.place.end.line as usize)
        }
        several => bail!("{} secrets of the rule were given; give one", several.len()),
    };
    for line in text.lines().skip(from) {
        let name_and_value = line.split_once('=');
        let is_name = |name: &str| {
            let mut bytes = name.bytes();
            bytes.next().is_some_and(|b| b.is_ascii_lowercase())
                && bytes
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
        };
        match name_and_value {
            Some((name, value)) if is_name(name.trim()) => {
                put(&mut credential, name.trim(), value.trim());
            }
            _ if line.trim().is_empty() => {}
            // What follows a secret that was found in a text is the rest of the text.
            _ if !matches.is_empty() => {}
            _ => bail!("behind the secret's line stand its parts, a line NAME=VALUE each"),
        }
    }
    Ok(credential)
}
