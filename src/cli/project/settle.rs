//! What wins: flag, environment, files, default; and which rules come of it.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use anyhow::{Context, anyhow, bail};
use clap::ValueEnum;

use keysweep::config;
use keysweep::config::{At, ConfigFile};
use keysweep::model::{Confidence, Severity};
use keysweep::place::baseline::NAME as BASELINE;
use keysweep::report::FORMATS;
use keysweep::rule::{RuleFile, nearest};

use super::find::{distrusted, remarked, shown};
use super::{InForce, Inner, Layer, Whose};
use crate::cli::args::{CommonArgs, FailOn, Level, Shared};

/// A variable of the environment that says something.
pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .filter(|text| !text.trim().is_empty())
}

/// A variable that is on or off.
pub(super) fn switch(name: &str) -> anyhow::Result<Option<bool>> {
    let Some(text) = environment(name) else {
        return Ok(None);
    };
    match &*text.trim().to_ascii_lowercase() {
        "1" | "true" | "yes" | "on" => Ok(Some(true)),
        "0" | "false" | "no" | "off" => Ok(Some(false)),
        _ => bail!("{name} is `{text}`; write true or false"),
    }
}

/// A variable that is read by a function.
fn variable<T>(name: &str, read: impl Fn(&str) -> Result<T, String>) -> anyhow::Result<Option<T>> {
    let Some(text) = environment(name) else {
        return Ok(None);
    };
    let read = read(text.trim()).map_err(|why| anyhow!("{name} is `{text}`: {why}"))?;
    Ok(Some(read))
}

/// A variable with ids between commas.
fn ids(name: &str) -> Vec<String> {
    let text = environment(name).unwrap_or_default();
    let ids = text.split([',', ' ', '\n']).map(str::trim);
    ids.filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

fn one_of<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, true).map_err(|_| {
        let all = T::value_variants().iter().filter_map(T::to_possible_value);
        let all: Vec<String> = all.map(|value| value.get_name().to_owned()).collect();
        format!("write one of {}", all.join(", "))
    })
}

/// Arguments of `scan` alone.
pub(super) struct Narrow<'a> {
    pub(super) no_ignore: bool,
    pub(super) max_size: Option<u64>,
    pub(super) include: &'a [String],
    pub(super) exclude: &'a [String],
}

/// Chooses between flag, environment, files and default, and notes which it was.
struct Choice<'c> {
    layers: &'c [Layer],
    values: &'c mut Vec<InForce>,
}

impl Choice<'_> {
    fn note(&mut self, key: &'static str, value: impl fmt::Display, from: impl Into<String>) {
        self.values.push(InForce {
            key,
            value: value.to_string(),
            from: from.into(),
        });
    }

    /// The strongest value; `None` where none is given.
    fn of<T: Clone>(
        &mut self,
        key: &'static str,
        flag: (&str, Option<T>),
        variable: (&str, Option<T>),
        in_file: impl Fn(&ConfigFile) -> Option<&At<T>>,
        show: impl Fn(&T) -> String,
    ) -> Option<T> {
        let in_layers = || {
            let mut found = self.layers.iter().filter_map(|layer| {
                let at = in_file(layer.file())?;
                Some((at.value.clone(), layer.at(at.line)))
            });
            found.next()
        };
        let with = |name: &str| {
            let name = name.to_owned();
            move |value| (value, name)
        };
        let chosen = flag.1.map(with(flag.0));
        let chosen = chosen.or_else(|| variable.1.map(with(variable.0)));
        let (value, from) = chosen.or_else(in_layers)?;
        self.note(key, show(&value), from);
        Some(value)
    }
}

/// Puts what files and the environment say into the arguments.
pub(super) fn settle(
    inner: &mut Inner,
    common: &mut CommonArgs,
    shared: &mut Shared,
    scan: Option<&mut Narrow<'_>>,
) -> anyhow::Result<()> {
    let layers = std::mem::take(&mut inner.layers);
    let given = shared.given;
    let mut values = Vec::new();
    let mut choice = Choice {
        layers: &layers,
        values: &mut values,
    };
    let fresh = |text: &String| text.clone();

    let at_root = |layer: &&Layer| layer.at_root;
    let salt = layers.iter().filter(at_root).find_map(|layer| {
        let at = layer.file().salt.as_ref()?;
        Some((at.value, layer.at(at.line)))
    });
    match &salt {
        Some((_, from)) => choice.note("fingerprint_salt", "set", from),
        None => choice.note("fingerprint_salt", "published constant", "default"),
    }
    inner.salt = salt.map(|(salt, _)| salt);

    let baseline = layers.iter().filter(at_root).find_map(|layer| {
        let at = layer.file().baseline.as_ref()?;
        Some((layer.base.join(&at.value), layer.at(at.line)))
    });
    let baseline = environment("KEYSWEEP_BASELINE")
        .map(|path| (PathBuf::from(path), "KEYSWEEP_BASELINE".to_owned()))
        .or(baseline);
    // What is used without a word from anybody, once it is there.
    let default = inner.root.join(BASELINE);
    match (&common.suppression.baseline, &baseline) {
        (Some(path), _) => choice.note("baseline", shown(path), "--baseline"),
        (None, Some((path, from))) => choice.note("baseline", shown(path), from),
        (None, None) if !inner.looks || inner.root.as_os_str().is_empty() => {
            choice.note("baseline", "none", "default");
        }
        (None, None) if default.symlink_metadata().is_ok() => {
            choice.note("baseline", shown(&default), "default");
        }
        (None, None) => {
            let value = format!("none; {} once it is there", shown(&default));
            choice.note("baseline", value, "default");
        }
    }
    inner.baseline = baseline.map(|(path, _)| path);

    if let Some(scan) = scan {
        let (flags, key) = (scan.include, "scan.include");
        let mut lists = vec![("--include".to_owned(), flags.to_vec())];
        for layer in &layers {
            lists.push(list_of(layer, &layer.file().scan.include));
        }
        if !flags.is_empty() {
            lists.truncate(1);
        }
        note_lists(&mut choice, key, &lists);
        let mut lists = vec![("--exclude".to_owned(), scan.exclude.to_vec())];
        for layer in &layers {
            lists.push(list_of(layer, &layer.file().scan.exclude));
        }
        note_lists(&mut choice, "scan.exclude", &lists);
        scan.max_size = choice.of(
            "scan.max_size",
            ("--max-size", scan.max_size),
            (
                "KEYSWEEP_MAX_SIZE",
                variable("KEYSWEEP_MAX_SIZE", config::size)?,
            ),
            |file| file.scan.max_size.as_ref(),
            |bytes| format!("{bytes} bytes"),
        );
        if scan.max_size.is_none() {
            choice.note("scan.max_size", "none", "default");
        }
        let no_ignore = choice.of(
            "scan.no_ignore",
            ("--no-ignore", scan.no_ignore.then_some(true)),
            ("KEYSWEEP_NO_IGNORE", switch("KEYSWEEP_NO_IGNORE")?),
            |file| file.scan.no_ignore.as_ref(),
            bool::to_string,
        );
        if no_ignore.is_none() {
            choice.note("scan.no_ignore", false, "default");
        }
        scan.no_ignore = no_ignore.unwrap_or(false);
    }
    let threads = |text: &str| match text.parse() {
        Ok(threads @ 1..=1024) => Ok(threads),
        _ => Err("write a number from 1 to 1024".to_owned()),
    };
    common.threads = choice.of(
        "scan.threads",
        ("--threads", common.threads),
        ("KEYSWEEP_THREADS", variable("KEYSWEEP_THREADS", threads)?),
        |file| file.scan.threads.as_ref(),
        u16::to_string,
    );
    if common.threads.is_none() {
        choice.note("scan.threads", "all cores", "default");
    }

    for layer in &layers {
        if let Some(at) = &layer.file().report.format {
            check_format(&layer.at(at.line), &at.value)?;
        }
    }
    let known = |text: &str| check_format("", text).map(|()| text.to_owned());
    let format = choice.of(
        "report.format",
        ("--format", given.format.then(|| shared.format.clone())),
        (
            "KEYSWEEP_FORMAT",
            variable("KEYSWEEP_FORMAT", |text| {
                known(text).map_err(|e| e.to_string())
            })?,
        ),
        |file| file.report.format.as_ref(),
        fresh,
    );
    match format {
        Some(format) => shared.format = format,
        None => choice.note("report.format", &shared.format, "default"),
    }
    let name = |level: &Confidence| level.word().to_owned();
    let level = choice.of(
        "report.min_confidence",
        (
            "--min-confidence",
            given.min_confidence.then(|| common.min_confidence.into()),
        ),
        (
            "KEYSWEEP_MIN_CONFIDENCE",
            variable("KEYSWEEP_MIN_CONFIDENCE", one_of::<Level>)?.map(Confidence::from),
        ),
        |file| file.report.min_confidence.as_ref(),
        name,
    );
    match level {
        Some(level) => common.min_confidence = level.into(),
        None => choice.note(
            "report.min_confidence",
            Confidence::from(common.min_confidence),
            "default",
        ),
    }
    #[cfg(feature = "online")]
    let is_active = if given.fail_on {
        common.fail_on == FailOn::Active
    } else {
        variable("KEYSWEEP_FAIL_ON", one_of::<FailOn>)? == Some(FailOn::Active)
    };
    let name = |level: &Severity| level.word().to_owned();
    let fail_on = choice.of(
        "report.fail_on",
        ("--fail-on", given.fail_on.then(|| common.fail_on.into())),
        (
            "KEYSWEEP_FAIL_ON",
            variable("KEYSWEEP_FAIL_ON", one_of::<FailOn>)?.map(Severity::from),
        ),
        |file| file.report.fail_on.as_ref(),
        name,
    );
    match fail_on {
        Some(level) => common.fail_on = level.into(),
        None => choice.note("report.fail_on", Severity::from(common.fail_on), "default"),
    }
    #[cfg(feature = "online")]
    if is_active {
        common.fail_on = FailOn::Active;
        crate::cli::online::verify::check(common)?;
    }
    settle_rules(inner, common, &mut choice, &layers)?;
    inner.notes = of_environment(&values);
    inner.notes.extend(narrowed(&layers, &values));
    inner.notes.extend(distrusted(&layers));
    inner.notes.extend(remarked(&layers, shared.verbose > 0));
    inner.values = values;
    inner.layers = layers;
    Ok(())
}

fn settle_rules(
    inner: &mut Inner,
    common: &mut CommonArgs,
    choice: &mut Choice<'_>,
    layers: &[Layer],
) -> anyhow::Result<()> {
    let selection = &mut common.selection;
    // Rule files add up.
    let paths = |list: &[PathBuf]| list.iter().map(|p| p.display().to_string()).collect();
    let mut lists = vec![("--rules".to_owned(), paths(&selection.rules))];
    if let Some(list) = std::env::var_os("KEYSWEEP_RULES").filter(|list| !list.is_empty()) {
        let more: Vec<PathBuf> = std::env::split_paths(&list).collect();
        if let Some((path, error)) = more.iter().find_map(|p| Some((p, fs::metadata(p).err()?))) {
            bail!(
                "KEYSWEEP_RULES names {}: {error}; write rule files or folders of them",
                path.display()
            );
        }
        lists.push(("KEYSWEEP_RULES".to_owned(), paths(&more)));
        selection.rules.extend(more);
    }
    for layer in layers {
        let files = &layer.file().rules.files;
        lists.push(list_of(layer, files));
        for at in files {
            if layer.whose == Whose::Tree {
                inner
                    .rules
                    .extend(rules_of(&layer.base, &layer.at(at.line), &at.value)?);
            } else {
                selection.rules.push(layer.base.join(&at.value));
            }
        }
        if let Some(own) = &layer.file().own_rules {
            inner.rules.push((layer.shown.clone(), own.value.clone()));
        }
    }
    note_lists(choice, "rules.files", &lists);
    let no_builtin = choice.of(
        "rules.no_builtin",
        (
            "--no-builtin-rules",
            selection.no_builtin_rules.then_some(true),
        ),
        (
            "KEYSWEEP_NO_BUILTIN_RULES",
            switch("KEYSWEEP_NO_BUILTIN_RULES")?,
        ),
        |file| file.rules.no_builtin.as_ref(),
        bool::to_string,
    );
    if no_builtin.is_none() {
        choice.note("rules.no_builtin", false, "default");
    }
    selection.no_builtin_rules = no_builtin.unwrap_or(false);

    // Of those that choose, the strongest alone counts; a choice by the caller beats what files disable.
    let mut by = "--enable".to_owned();
    if selection.enable.is_empty() {
        selection.enable = ids("KEYSWEEP_ENABLE");
        "KEYSWEEP_ENABLE".clone_into(&mut by);
    }
    inner.chosen.clone_from(&selection.enable);
    if selection.enable.is_empty() {
        let enable = |layer: &&Layer| !layer.file().rules.enable.is_empty();
        if let Some(layer) = layers.iter().find(enable) {
            for at in &layer.file().rules.enable {
                inner.enabled.insert(at.value.clone(), layer.at(at.line));
                selection.enable.push(at.value.clone());
            }
            by = list_of(layer, &layer.file().rules.enable).0;
        }
    }
    note_lists(choice, "rules.enable", &[(by, selection.enable.clone())]);

    let mut lists = vec![("--disable".to_owned(), selection.disable.clone())];
    let more = ids("KEYSWEEP_DISABLE");
    lists.push(("KEYSWEEP_DISABLE".to_owned(), more.clone()));
    selection.disable.extend(more);
    for layer in layers {
        let disable = &layer.file().rules.disable;
        lists.push(list_of(layer, disable));
        // What holds for a part of what is scanned alone is judged place by place.
        if layer.whose == Whose::Tree && !(layer.at_root && inner.one_root) {
            continue;
        }
        let ids = disable.iter().map(|at| at.value.clone());
        inner
            .without
            .extend(ids.filter(|id| !inner.chosen.contains(id)));
    }
    note_lists(choice, "rules.disable", &lists);
    Ok(())
}

/// A list of a file with the place where it is written.
fn list_of(layer: &Layer, list: &[At<String>]) -> (String, Vec<String>) {
    let line = list.first().map_or(1, |at| at.line);
    let items = list.iter().map(|at| at.value.clone()).collect();
    (layer.at(line), items)
}

fn note_lists(choice: &mut Choice<'_>, key: &'static str, lists: &[(String, Vec<String>)]) {
    let mut empty = true;
    for (from, list) in lists {
        if !list.is_empty() {
            choice.note(key, list.join(", "), from);
            empty = false;
        }
    }
    if empty {
        choice.note(key, "none", "default");
    }
}

/// Complains of a format that does not exist.
pub(crate) fn check_format(at: &str, name: &str) -> anyhow::Result<()> {
    if FORMATS.contains(&name) {
        return Ok(());
    }
    let hint = nearest(name, FORMATS.into_iter()).map(|near| format!("; did you mean {near}?"));
    let hint = hint.unwrap_or_default();
    let at = if at.is_empty() {
        String::new()
    } else {
        format!("{at}: ")
    };
    let all = FORMATS.join(", ");
    bail!("{at}no report format `{name}`; write one of {all}{hint}")
}

/// Rule files of one configuration: more are a trap.
const MOST_RULE_FILES: usize = 100;

/// Reads the rule files that a file of the scanned tree names, with the care that it takes.
pub(crate) fn rules_of(
    base: &Path,
    at: &str,
    named: &str,
) -> anyhow::Result<Vec<(String, RuleFile)>> {
    let mut path = base.to_owned();
    for part in Path::new(named).components() {
        path.push(part);
        if path.is_symlink() {
            bail!(
                "{at}: {} is a symbolic link; name the folder or file itself",
                shown(&path)
            );
        }
    }
    let mut files = Vec::new();
    if path.is_dir() {
        let entries = fs::read_dir(&path).with_context(|| at.to_owned())?;
        for entry in entries {
            let file = entry.with_context(|| at.to_owned())?.path();
            if file.extension().is_some_and(|ending| ending == "toml") {
                files.push(file);
            }
            if files.len() > MOST_RULE_FILES {
                bail!(
                    "{at}: more than {MOST_RULE_FILES} rule files in {}",
                    shown(&path)
                );
            }
        }
        files.sort();
        if files.is_empty() {
            bail!("{at}: no rule file (*.toml) in {}", shown(&path));
        }
    } else {
        files.push(path);
    }
    let mut rules = Vec::new();
    for file in files {
        let name = shown(&file);
        let text = config::read(&file, false).map_err(|why| anyhow!("{name} {why}"))?;
        let text = text.with_context(|| format!("{at}: there is no {name}"))?;
        rules.push((name.clone(), config::rule_file(&name, &text)?));
    }
    Ok(rules)
}

/// A section of a scanned tree's file that says where secrets go.
pub(super) fn not_here(shown: &str, section: &At<&str>) -> String {
    let (name, line) = (section.value, section.line);
    format!("{shown}:{line}: [{name}] counts only in your own configuration, and is not used")
}

/// Variables of the environment that configure a run.
const VARIABLES: [&str; 13] = [
    "KEYSWEEP_BASELINE",
    "KEYSWEEP_CONFIG",
    "KEYSWEEP_DISABLE",
    "KEYSWEEP_ENABLE",
    "KEYSWEEP_FAIL_ON",
    "KEYSWEEP_FORMAT",
    "KEYSWEEP_MAX_SIZE",
    "KEYSWEEP_MIN_CONFIDENCE",
    "KEYSWEEP_NO_BUILTIN_RULES",
    "KEYSWEEP_NO_IGNORE",
    "KEYSWEEP_NO_REPO_CONFIG",
    "KEYSWEEP_RULES",
    "KEYSWEEP_THREADS",
];
/// Those that other parts read: the action, the job for GitLab, packages, tests. `KEYSWEEP_GITHUB_TOKEN` and its like are
/// known by their two words.
const OTHERS: [&str; 6] = ["IMAGE", "SOURCE", "COMMIT", "PATHS", "PROGRAM", "SERVERS"];
/// Variables of the environment that are named, at most.
const MOST_NAMED: usize = 5;

/// What the environment switches off, and what of it means nothing.
fn of_environment(values: &[InForce]) -> Vec<String> {
    let mut notes = Vec::new();
    for value in values {
        let from = &value.from;
        let count = match value.value.split(", ").count() {
            1 => "1 rule".to_owned(),
            n => format!("{n} rules"),
        };
        let level = &value.value;
        notes.extend(match &**from {
            "KEYSWEEP_DISABLE" => Some(format!("{from} disables {count}")),
            "KEYSWEEP_ENABLE" => Some(format!("{from} uses {count} alone")),
            "KEYSWEEP_NO_BUILTIN_RULES" if level == "true" => {
                Some(format!("{from} leaves the built-in rules out"))
            }
            "KEYSWEEP_MIN_CONFIDENCE" if level == Confidence::High.word() => {
                Some(format!("{from} hides what is below confidence {level}"))
            }
            "KEYSWEEP_FAIL_ON"
                if [Severity::High, Severity::Critical]
                    .iter()
                    .any(|severity| severity.word() == level) =>
            {
                Some(format!("{from} lets findings below severity {level} pass"))
            }
            _ => None,
        });
    }
    let names = std::env::vars_os().filter(|(_, value)| !value.is_empty());
    let names = names.filter_map(|(name, _)| name.into_string().ok());
    let mut unknown: Vec<String> = names.filter_map(|name| unknown(&name)).collect();
    unknown.sort();
    unknown.truncate(MOST_NAMED);
    notes.extend(unknown);
    notes
}

/// What to say of a variable that looks as if it meant us, and does not.
fn unknown(name: &str) -> Option<String> {
    let own = name.strip_prefix("KEYSWEEP_")?;
    if VARIABLES.contains(&name) || OTHERS.contains(&own) {
        return None;
    }
    let known = VARIABLES
        .iter()
        .filter_map(|known| known.strip_prefix("KEYSWEEP_"));
    // `KEYSWEEP_OKTA_TOKEN` is a credential's: a word that has only some letters in common with ours is not meant for it.
    let near = nearest(own, known).filter(|near| near.get(..3) == own.get(..3));
    match near {
        Some(near) => Some(format!(
            "{name} means nothing; did you mean KEYSWEEP_{near}?"
        )),
        None if own.contains('_') => None,
        None => Some(format!(
            "{name} means nothing; `keysweep config show` names what counts"
        )),
    }
}

/// What files of the scanned tree switch off, for everybody to see.
fn narrowed(layers: &[Layer], values: &[InForce]) -> Vec<String> {
    let mut notes = Vec::new();
    let of_tree = |layer: &&Layer| layer.whose == Whose::Tree;
    let in_force = |key: &str, at: &str| values.iter().any(|v| v.key == key && v.from == at);
    for layer in layers.iter().filter(of_tree) {
        let file = layer.file();
        let named = |other: &Layer| other.whose != Whose::Tree && other.shown == layer.shown;
        if !layers.iter().any(named) {
            let sections = file.online.iter();
            notes.extend(sections.map(|section| not_here(&layer.shown, section)));
        }
        if let Some(at) = &file.rules.no_builtin
            && at.value
            && in_force("rules.no_builtin", &layer.at(at.line))
        {
            notes.push(format!(
                "{} leaves the built-in rules out",
                layer.at(at.line)
            ));
        }
        let count = |list: &[At<String>]| match list.len() {
            1 => "1 rule".to_owned(),
            n => format!("{n} rules"),
        };
        if let Some(first) = file.rules.enable.first()
            && in_force("rules.enable", &layer.at(first.line))
        {
            let rules = count(&file.rules.enable);
            notes.push(format!("{} uses {rules} alone", layer.at(first.line)));
        }
        if let Some(first) = file.rules.disable.first() {
            let rules = count(&file.rules.disable);
            notes.push(format!("{} disables {rules}", layer.at(first.line)));
        }
        if let Some(at) = &file.report.min_confidence
            && at.value > Confidence::Medium
            && in_force("report.min_confidence", &layer.at(at.line))
        {
            let (at, level) = (layer.at(at.line), at.value);
            notes.push(format!("{at} hides what is below confidence {level}"));
        }
        if let Some(at) = &file.report.fail_on
            && at.value > Severity::Medium
            && in_force("report.fail_on", &layer.at(at.line))
        {
            let (at, level) = (layer.at(at.line), at.value);
            notes.push(format!("{at} lets findings below severity {level} pass"));
        }
    }
    notes
}
