//! `keysweep config …`: are the configuration files right, and what is in force?

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Subcommand;

use keysweep::config::{self, ConfigFile, NAME};
use keysweep::report::{Redactor, printable};
use keysweep::rule::{RuleFile, RuleSet, Selection};
use keysweep::scan::Engine;
use keysweep::source::{TreeOptions, Walk};

use super::args::{ScanArgs, Shared};
use super::console;
use super::exit::Exit;
use super::project::{self, above, check_format, rules_of, shown, unknown_rules, user_file};

/// Commands about the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check keysweep.toml: every one that counts for this folder, above it and below, or the one that is named
    Check {
        /// A configuration file, or a folder
        #[arg(value_name = "FILE|DIR", default_value = ".")]
        file: PathBuf,
    },
    /// Show every value in force and where it comes from: flag, environment, file or default
    Show(Box<ScanArgs>),
}

/// Runs the command.
pub(crate) fn run(command: ConfigCommand, shared: &Shared) -> anyhow::Result<Exit> {
    match command {
        ConfigCommand::Check { file } => check(&file, shared),
        ConfigCommand::Show(args) => show(&args, shared),
    }
}

/// A file that was read.
struct Checked {
    path: PathBuf,
    shown: String,
    file: ConfigFile,
    /// Rules of the files that it names.
    rules: Vec<(String, RuleFile)>,
    /// Where it names parts of providers that there are not, and what it lacks.
    names: Names,
}

fn check(named: &Path, shared: &Shared) -> anyhow::Result<Exit> {
    let paths = if named.is_dir() {
        files_around(named)?
    } else {
        vec![named.to_owned()]
    };
    let mut out = console::report_writer(shared)?;
    if paths.is_empty() {
        writeln!(
            out,
            "no {NAME} counts for {}; `keysweep init` writes one",
            printable(&shown(named))
        )?;
        out.flush()?;
        return Ok(Exit::Clean);
    }
    let mut wrong: Vec<String> = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        match read(&path) {
            Ok(checked) => files.push(checked),
            Err(error) => wrong.extend(format!("{error:#}").lines().map(str::to_owned)),
        }
    }
    let mut selection = Selection::default();
    for checked in &files {
        selection.parsed.extend(checked.rules.iter().cloned());
        if let Some(own) = &checked.file.own_rules {
            let own = (checked.shown.clone(), own.value.clone());
            selection.parsed.push(own);
        }
    }
    let rules = match RuleSet::load(&selection) {
        Ok(rules) => rules,
        Err(error) => {
            wrong.push(error.to_string());
            RuleSet::builtin()?
        }
    };
    let today = jiff::tz::Offset::UTC
        .to_datetime(jiff::Timestamp::now())
        .date();
    let mut lines = Vec::new();
    for checked in &files {
        let Checked { file, shown, .. } = checked;
        let own = file.own_rules.iter().flat_map(|own| &own.value.rules);
        for rule in own.filter(|rule| rule.everywhere) {
            let id = rule.id.get_ref();
            lines.push(format!(
                "{shown}: rule `{id}` has no literals: it is searched for in every byte, which is slower"
            ));
        }
        let unknown = unknown_rules(file, shown, &rules);
        let right = unknown.is_empty() && checked.names == Names::default();
        lines.extend(checked.names.missing.iter().cloned());
        wrong.extend(checked.names.wrong.iter().cloned());
        let idle = idle_keys(&checked.path, file, named);
        let unused = idle.len();
        for (key, line, why) in idle {
            lines.push(format!("{shown}:{line}: {key} {why}"));
        }
        wrong.extend(unknown.iter().map(ToString::to_string));
        if let Some(at) = &file.baseline {
            let folder = checked.path.parent().unwrap_or(Path::new(""));
            if !folder.join(&at.value).is_file() {
                let (line, value) = (at.line, &at.value);
                lines.push(format!("{shown}:{line}: there is no baseline {value} yet"));
            }
        }
        for entry in &file.allow {
            if let Some(day) = entry.expires.filter(|day| *day < today) {
                let line = entry.line;
                lines.push(format!(
                    "{shown}:{line}: expired on {day}, accepts nothing any more"
                ));
            }
        }
        if right && unused == 0 {
            lines.push(format!("{shown}: right{}", contents(file)));
        }
    }
    let engine = Engine::new(RuleSet::builtin()?)?;
    for line in lines.iter().chain(&wrong) {
        // A key may stand where an id should.
        let line = Redactor::of_text(&engine, line).redact(line.as_bytes());
        writeln!(out, "{}", printable(&line))?;
    }
    out.flush()?;
    Ok(if wrong.is_empty() {
        Exit::Clean
    } else {
        Exit::Trouble
    })
}

/// Of sections that say where secrets go.
const OWN: &str = "counts only in your own file (--config, or the one in your configuration folder), and is not used out of a scanned tree";

/// The keys that do nothing where the file stands: name, line and why. `named` is what is checked.
fn idle_keys(
    path: &Path,
    file: &ConfigFile,
    named: &Path,
) -> Vec<(&'static str, u32, &'static str)> {
    let folder = path.canonicalize().ok();
    let folder = folder.as_deref().and_then(Path::parent);
    let is_tree = path.file_name().is_some_and(|name| name == NAME)
        && user_file().is_none_or(|user| user != path);
    let (Some(folder), true) = (folder, is_tree) else {
        return Vec::new();
    };
    let mut idle: Vec<_> = file
        .online
        .iter()
        .map(|at| (at.value, at.line, OWN))
        .collect();
    let root = above(folder).0;
    let top = match named.canonicalize() {
        Ok(checked) if checked.is_dir() => checked,
        _ => root.clone(),
    };
    let deeper = folder != top && folder.starts_with(&top);
    let in_root = |key: &str| matches!(key, "fingerprint_salt" | "baseline");
    let keys = file.run_wide().into_iter();
    idle.extend(keys.filter_map(|(key, line)| {
        if in_root(key) && folder != root {
            let why = "counts only in the file at the project's root, and is not used";
            return Some((key, line, why));
        }
        let why = "counts only at the top of what is scanned: for a scan of the folders above it is not used";
        deeper.then_some((key, line, why))
    }));
    idle
}

fn contents(file: &ConfigFile) -> String {
    let counted = |count: usize, one: &str, many: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    };
    let own = file
        .own_rules
        .as_ref()
        .map_or(0, |own| own.value.rules.len());
    let parts = [
        counted(own, "rule of its own", "rules of its own"),
        counted(file.scan.exclude.len(), "exclude", "excludes"),
        counted(file.rules.disable.len(), "disabled rule", "disabled rules"),
        counted(file.allow.len(), "accepted entry", "accepted entries"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!(" ({})", parts.join(", "))
    }
}

fn read(path: &Path) -> anyhow::Result<Checked> {
    let shown = shown(path);
    let text = config::read(path, false).map_err(|why| anyhow::anyhow!("{shown} {why}"))?;
    let Some(text) = text else {
        bail!("{shown}: no such file; `keysweep init` writes a {NAME}");
    };
    let file = if project::is_gitleaks(path, &text) {
        project::of_gitleaks(path, &shown, &text)?.0
    } else {
        project::own_file(&shown, &text)?
    };
    if let Some(at) = &file.report.format {
        check_format(&format!("{shown}:{}", at.line), &at.value)?;
    }
    let base = path.parent().unwrap_or(Path::new(""));
    let mut rules = Vec::new();
    for at in &file.rules.files {
        let place = format!("{shown}:{}", at.line);
        rules.extend(rules_of(base, &place, &at.value)?);
    }
    Ok(Checked {
        path: path.to_owned(),
        names: names(&shown, &text, base, &file),
        shown,
        file,
        rules,
    })
}

/// What is said of the names of providers in a file.
#[derive(Default, PartialEq, Eq)]
struct Names {
    wrong: Vec<String>,
    missing: Vec<String>,
}

#[cfg(feature = "online")]
fn names(shown: &str, text: &str, base: &Path, file: &ConfigFile) -> Names {
    let named = config::named_parts(shown, text);
    let rules = file.rules.files.iter().map(|at| base.join(&at.value));
    let names = super::online::names::check(shown, &named, &rules.collect::<Vec<_>>());
    Names {
        wrong: names.wrong,
        missing: names.missing,
    }
}

/// Nothing is asked or ended.
#[cfg(not(feature = "online"))]
fn names(_: &str, _: &str, _: &Path, _: &ConfigFile) -> Names {
    Names::default()
}

/// The user's file, those from the root down to a folder, and those below it.
fn files_around(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let folder = folder.canonicalize()?;
    let mut paths: Vec<PathBuf> = user_file().into_iter().collect();
    let (_, found) = above(&folder);
    paths.extend(found.iter().rev().map(|folder| folder.join(NAME)));
    paths.retain(|path| path.symlink_metadata().is_ok());
    let options = TreeOptions::default();
    let walk = Walk::new(&folder, &options);
    let mut folders = vec![walk.start("")];
    while let Some((task, rules)) = folders.pop() {
        let listing = walk.list(task, &rules);
        folders.extend(listing.folders);
        let named = |path: &PathBuf| path.file_name().is_some_and(|name| name == NAME);
        let files = listing.files.into_iter().map(|file| file.path);
        paths.extend(files.filter(named));
    }
    let mut seen = std::collections::BTreeSet::new();
    paths.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    Ok(paths)
}

fn show(args: &ScanArgs, shared: &Shared) -> anyhow::Result<Exit> {
    let gone = |path: &&PathBuf| path.as_os_str() != "-" && path.symlink_metadata().is_err();
    if let Some(path) = args.paths.iter().find(gone) {
        bail!("{}: no such file or folder", shown(path));
    }
    let (args, effective) = project::of_scan(args, shared)?;
    let project = &args.common.project;
    // What would be refused by a scan is refused here, too.
    let engine = super::scan::engine(&args.common)?;
    let files: Vec<&str> = project.layers().iter().map(|layer| &*layer.shown).collect();
    let clean = |text: &str| {
        let text = Redactor::of_text(&engine, text).redact(text.as_bytes());
        printable(&text).into_owned()
    };
    let mut out = console::report_writer(shared)?;
    // The format is one of the values: what is asked for here is how they are written.
    if shared.given.format && effective.format.starts_with("json") {
        let values = project.values().iter();
        let values: Vec<_> = values
            .map(|v| serde_json::json!({"key": v.key, "value": clean(&v.value), "from": clean(&v.from)}))
            .collect();
        let all = serde_json::json!({"files": files, "values": values});
        serde_json::to_writer_pretty(&mut out, &all)?;
        writeln!(out)?;
    } else {
        let rows: Vec<[String; 3]> = project
            .values()
            .iter()
            .map(|v| [v.key.to_owned(), clean(&v.value), clean(&v.from)])
            .collect();
        let widest = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.filter(|width| *width <= 40).max().unwrap_or(0)
        };
        let (first, second) = (widest(0), widest(1));
        for [key, value, from] in &rows {
            writeln!(out, "{key:first$}  {value:second$}  {from}")?;
        }
        let files = if files.is_empty() {
            "none".to_owned()
        } else {
            files
                .iter()
                .map(|file| clean(file))
                .collect::<Vec<_>>()
                .join(", ")
        };
        writeln!(out, "\nfiles, strongest first: {files}")?;
    }
    out.flush()?;
    Ok(Exit::Clean)
}
