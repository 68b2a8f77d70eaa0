//! `keysweep rules …`.

use std::io::Write;
use std::path::PathBuf;

use clap::Subcommand;

use keysweep::report::wrap;
use keysweep::rule::{RuleSet, RuleSpec, Selection};
use keysweep::scan::{Engine, Options, PUBLISHED_SALT, Scratch, Settings, merge, scan_bytes};

use super::args::{SelectionArgs, Shared};
use super::console;
use super::exit::Exit;

/// Commands about rules.
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// List the rules with severity and name
    List {
        #[command(flatten)]
        selection: SelectionArgs,
    },
    /// Show all of one rule: what it matches, what to do, where it is defined
    Show {
        /// The rule's id
        id: String,
        #[command(flatten)]
        selection: SelectionArgs,
    },
    /// Run the examples and counterexamples of rule files (of the built-in rules without a file)
    Test {
        /// Rule files, or folders of them
        #[arg(value_name = "FILE|DIR")]
        files: Vec<PathBuf>,
    },
    /// Print the literals that the prefilter looks for, one a line
    Literals {
        #[command(flatten)]
        selection: SelectionArgs,
    },
}

/// Runs the command.
pub(crate) fn run(command: RulesCommand, shared: &Shared) -> anyhow::Result<Exit> {
    match command {
        RulesCommand::List { selection } => list(&selection, shared),
        RulesCommand::Show { id, selection } => show(&id, &selection, shared),
        RulesCommand::Test { files } => test(files, shared),
        RulesCommand::Literals { selection } => {
            let rules = RuleSet::load(&selection.selection())?;
            let mut out = console::report_writer(shared)?;
            let mut literals: Vec<String> = rules
                .rules()
                .iter()
                .flat_map(|r| r.spec().literals.iter().map(ToString::to_string))
                .collect();
            literals.sort();
            literals.dedup();
            for literal in literals {
                writeln!(out, "{literal}")?;
            }
            out.flush()?;
            Ok(Exit::Clean)
        }
    }
}

fn list(selection: &SelectionArgs, shared: &Shared) -> anyhow::Result<Exit> {
    let rules = RuleSet::load(&selection.selection())?;
    let mut out = console::report_writer(shared)?;
    match &*shared.format {
        "json" => {
            let all: Vec<_> = rules.rules().iter().map(|r| as_json(r.spec())).collect();
            serde_json::to_writer_pretty(&mut out, &all)?;
            writeln!(out)?;
        }
        "jsonl" => {
            for rule in rules.rules() {
                serde_json::to_writer(&mut out, &as_json(rule.spec()))?;
                writeln!(out)?;
            }
        }
        _ => {
            let width = rules
                .rules()
                .iter()
                .map(|r| r.spec().id.len())
                .max()
                .unwrap_or(0);
            for rule in rules.rules() {
                let s = rule.spec();
                writeln!(
                    out,
                    "{:width$}  {:8}  {:6}  {}",
                    s.id, s.severity, s.confidence, s.name
                )?;
            }
            console::say(shared, &format!("{} rules", rules.rules().len()));
        }
    }
    out.flush()?;
    Ok(Exit::Clean)
}

fn as_json(s: &RuleSpec) -> serde_json::Value {
    serde_json::json!({
        "id": s.id, "provider": s.provider, "name": s.name, "severity": s.severity.word(),
        "confidence": s.confidence.word(), "literals": s.literals, "ignore_case": s.ignore_case,
        "everywhere": s.everywhere, "keywords": s.keywords,
        "pattern": s.pattern, "entropy": s.entropy, "checksum": s.checksum, "generic": s.generic, "entry": s.entry,
        "publishable": s.publishable, "near": s.near.iter().map(|n| &n.rule).collect::<Vec<_>>(),
        "remedy": s.remedy, "console": s.console, "link": s.link,
    })
}

fn show(id: &str, selection: &SelectionArgs, shared: &Shared) -> anyhow::Result<Exit> {
    let mut wanted = selection.selection();
    wanted.enable = vec![id.to_owned()];
    let rules = RuleSet::load(&wanted)?;
    let mut out = console::report_writer(shared)?;
    for rule in rules.rules() {
        let s = rule.spec();
        if shared.format != "text" {
            serde_json::to_writer_pretty(&mut out, &as_json(s))?;
            writeln!(out)?;
            continue;
        }
        writeln!(out, "{}\n  {} · {}", s.id, s.provider, s.name)?;
        writeln!(out, "  severity    {}", s.severity)?;
        writeln!(out, "  confidence  {}", s.confidence)?;
        if s.everywhere {
            writeln!(out, "  literals    none: searched for in every byte")?;
        } else {
            let case = if s.ignore_case { "  (any case)" } else { "" };
            writeln!(out, "  literals    {}{case}", s.literals.join("  "))?;
        }
        if !s.keywords.is_empty() {
            let words = s.keywords.join("  ");
            writeln!(
                out,
                "  keywords    {words}  (one of them in the file, in any case)"
            )?;
        }
        writeln!(out, "  pattern     {}", s.pattern)?;
        if let Some(bits) = s.entropy {
            writeln!(out, "  entropy     at least {bits} bits per character")?;
        }
        if let Some(name) = &s.checksum {
            writeln!(out, "  checksum    {name}")?;
        }
        if !s.require.is_empty() {
            writeln!(out, "  must hold   {}", s.require.join(", "))?;
        }
        for near in s.near.iter() {
            let needed = if near.required { "needs" } else { "takes" };
            writeln!(
                out,
                "  {needed}       {} within {} lines, as {}",
                near.rule, near.within_lines, near.part
            )?;
        }
        if let Some(block) = &s.block {
            writeln!(
                out,
                "  block       up to `{}`, at most {} bytes",
                block.end, block.max
            )?;
        }
        for (name, list) in [("only in", &s.only), ("never in", &s.never)] {
            if !list.is_empty() {
                writeln!(out, "  {name:10}  {}", list.join("  "))?;
            }
        }
        let mut label = "next";
        for line in wrap(&s.remedy, console::width().saturating_sub(14)) {
            writeln!(out, "  {label:10}  {line}")?;
            label = "";
        }
        for (name, text) in [("console", &s.console), ("see", &s.link)] {
            if !text.is_empty() {
                writeln!(out, "  {name:10}  {text}")?;
            }
        }
        writeln!(
            out,
            "  reach       {} bytes before the literal, {} from it on",
            s.back, s.forward
        )?;
        writeln!(
            out,
            "  examples    {} found, {} not found by its own test",
            s.examples.len(),
            s.counterexamples.len()
        )?;
    }
    out.flush()?;
    Ok(Exit::Clean)
}

/// Runs examples through the whole engine, with every rule of the files (and the built-in ones) in it.
fn test(files: Vec<PathBuf>, shared: &Shared) -> anyhow::Result<Exit> {
    let own = !files.is_empty();
    let tested: Vec<String> = if own {
        let alone = RuleSet::load(&Selection {
            files: files.clone(),
            no_builtin: true,
            ..Selection::default()
        })?;
        alone
            .rules()
            .iter()
            .map(|r| r.spec().id.to_string())
            .collect()
    } else {
        RuleSet::builtin()?
            .rules()
            .iter()
            .map(|r| r.spec().id.to_string())
            .collect()
    };
    // A file of the built-in ones, edited, stands in for the rules of the same ids.
    let builtin = RuleSet::builtin()?;
    let disable: Vec<String> = if own {
        tested
            .iter()
            .filter(|id| builtin.index_of(id).is_some())
            .cloned()
            .collect()
    } else {
        Vec::new()
    };
    let rules = if disable.is_empty() {
        RuleSet::load(&Selection {
            files,
            ..Selection::default()
        })?
    } else {
        RuleSet::replacing(&files)?
    };
    let engine = Engine::new(rules)?;
    let mut out = console::report_writer(shared)?;
    let (mut passed, mut failed) = (0u32, 0u32);
    for id in &tested {
        let Some(rule) = engine
            .rules()
            .index_of(id)
            .and_then(|i| engine.rules().rule(i))
        else {
            continue;
        };
        let spec = rule.spec();
        for (text, wanted) in spec
            .examples
            .iter()
            .map(|e| (e, 1))
            .chain(spec.counterexamples.iter().map(|e| (e, 0)))
        {
            let found = count(&engine, id, text, spec);
            if found == wanted {
                passed += 1;
            } else {
                failed += 1;
                let first: String = text
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .chars()
                    .take(24)
                    .collect();
                writeln!(
                    out,
                    "{id}: found {found} instead of {wanted} in the {} that begins `{first}`",
                    if wanted == 1 {
                        "example"
                    } else {
                        "counterexample"
                    }
                )?;
            }
        }
    }
    writeln!(out, "{passed} passed, {failed} failed")?;
    out.flush()?;
    Ok(if failed == 0 {
        Exit::Clean
    } else {
        Exit::Findings(1)
    })
}

/// How many secrets of the rule a text holds.
fn count(engine: &Engine, id: &str, text: &str, spec: &RuleSpec) -> usize {
    let path = spec
        .only
        .first()
        .map_or("example", |glob| &**glob)
        .replace("**/", "")
        .replace('*', "example");
    let options = Options {
        settings: Settings {
            inline_allow: false,
            ..Settings::default()
        },
        ..Options::default()
    };
    let outcome = scan_bytes(
        engine,
        text.as_bytes(),
        path.as_bytes(),
        &options,
        &mut Scratch::default(),
    );
    merge(engine.rules(), outcome.matches, PUBLISHED_SALT)
        .findings
        .iter()
        .filter(|f| f.rule == id)
        .count()
}
