//! `keysweep import`: another scanner's configuration → a keysweep.toml.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use keysweep::config::AllowEntry;
use keysweep::import::{self, Imported, Kind, MAX_TEXT, detect_secrets, gitleaks, trufflehog};
use keysweep::model::Finding;
use keysweep::report::printable;
use keysweep::rule::RuleSet;
use keysweep::scan::{Engine, Input, Options, merge, scan_tree};
use keysweep::source::open_regular;

use super::args::Shared;
use super::console;
use super::exit::Exit;

/// Whose configuration is imported.
#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// .gitleaks.toml, .gitleaksignore, a report that serves as baseline
    ///
    /// Without a file: .gitleaks.toml and .gitleaksignore of this folder, whichever there are.
    Gitleaks {
        /// Files to import, in any order
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Carry rules with the ids of gitleaks' default rules over as they are, instead of using keysweep's own
        #[arg(long)]
        keep_default_rules: bool,
        #[command(flatten)]
        common: ImportArgs,
    },
    /// .secrets.baseline
    ///
    /// The files that it names are scanned, and what fits a hash of it is accepted by keysweep's own fingerprint.
    DetectSecrets {
        /// The baseline; its paths are relative to the folder that it stands in
        #[arg(value_name = "FILE", default_value = ".secrets.baseline")]
        file: PathBuf,
        #[command(flatten)]
        common: ImportArgs,
    },
    /// Files of paths, and the detectors that are used
    Trufflehog {
        /// The file of --exclude-paths
        #[arg(value_name = "FILE")]
        exclude_paths: Option<PathBuf>,
        /// The file of --include-paths
        #[arg(long, value_name = "FILE")]
        include_paths: Option<PathBuf>,
        /// Detectors as TruffleHog takes them, such as aws,github.v1
        #[arg(long, value_name = "LIST", default_value = "")]
        include_detectors: String,
        /// Detectors as TruffleHog takes them
        #[arg(long, value_name = "LIST", default_value = "")]
        exclude_detectors: String,
        #[command(flatten)]
        common: ImportArgs,
    },
}

/// What every import takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct ImportArgs {
    /// Write the rules into a rule file of their own
    #[arg(long, value_name = "FILE")]
    rules_output: Option<PathBuf>,
    /// Overwrite files that exist
    #[arg(long)]
    force: bool,
    /// Exit with 2 if anything could not be carried over
    #[arg(long)]
    strict: bool,
}

/// Runs the command.
pub(crate) fn run(command: ImportCommand, shared: &Shared) -> anyhow::Result<Exit> {
    let mut salt = None;
    let (imported, common) = match command {
        ImportCommand::Gitleaks {
            files,
            keep_default_rules,
            common,
        } => (of_gitleaks(files, keep_default_rules)?, common),
        ImportCommand::DetectSecrets { file, common } => {
            let (imported, made) = of_detect_secrets(&file)?;
            salt = made;
            (imported, common)
        }
        ImportCommand::Trufflehog {
            exclude_paths,
            include_paths,
            include_detectors,
            exclude_detectors,
            common,
        } => {
            if exclude_paths.is_none()
                && include_paths.is_none()
                && include_detectors.is_empty()
                && exclude_detectors.is_empty()
            {
                bail!(
                    "nothing to import: name the file of --exclude-paths, or give --include-paths, --include-detectors or --exclude-detectors"
                );
            }
            let mut imported = Imported::default();
            if let Some(path) = exclude_paths {
                imported.extend(trufflehog::read_exclude(&text(&path)?, &name(&path))?);
            }
            if let Some(path) = include_paths {
                imported.extend(trufflehog::read_include(&text(&path)?, &name(&path))?);
            }
            imported.extend(trufflehog::read_detectors(
                &include_detectors,
                &exclude_detectors,
            )?);
            (imported, common)
        }
    };
    write(&imported, salt.as_deref(), &common, shared)
}

fn write(
    imported: &Imported,
    salt: Option<&str>,
    common: &ImportArgs,
    shared: &Shared,
) -> anyhow::Result<Exit> {
    let taken = |path: &Option<PathBuf>| path.clone().filter(|p| p.exists() && !common.force);
    if let Some(path) = taken(&shared.output).or_else(|| taken(&common.rules_output)) {
        bail!(
            "{}: the file exists; write to another with --output and merge the two, or overwrite it with --force",
            path.display()
        );
    }
    if let Some(path) = &common.rules_output {
        fs::write(path, import::rules(imported))
            .with_context(|| format!("{}: cannot write the rules", path.display()))?;
    }
    let rule_file = common.rules_output.as_deref().map(name);
    let mut out = console::report_writer(shared)?;
    out.write_all(import::config(imported, salt, rule_file.as_deref()).as_bytes())?;
    out.flush()?;
    if !shared.quiet {
        let mut err = io::stderr().lock();
        for kind in [Kind::Lost, Kind::Changed, Kind::Remark] {
            for note in imported.notes.iter().filter(|n| n.kind == kind) {
                writeln!(err, "{}", printable(&note.to_string()))?;
            }
        }
    }
    let count =
        |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let switches = imported.disabled.len() + imported.enabled.len();
    let globs = imported.exclude.len() + imported.include.len();
    let mut parts = vec![
        count(imported.rules.len(), "rule", "rules"),
        count(imported.allows.len(), "entry", "entries") + " of [[allow]]",
    ];
    if switches > 0 {
        parts.push(count(switches, "switched rule", "switched rules"));
    }
    if globs > 0 {
        parts.push(count(globs, "path glob", "path globs"));
    }
    let lost = imported.lost();
    console::say(
        shared,
        &format!(
            "imported {}; {} not carried over",
            parts.join(", "),
            count(lost, "line was", "lines were")
        ),
    );
    Ok(if common.strict && lost > 0 {
        Exit::Trouble
    } else {
        Exit::Clean
    })
}

// --- gitleaks ---------------------------------------------------------------------------------

fn of_gitleaks(files: Vec<PathBuf>, keep_defaults: bool) -> anyhow::Result<Imported> {
    let files = if files.is_empty() {
        let found: Vec<PathBuf> = [".gitleaks.toml", ".gitleaksignore"]
            .into_iter()
            .map(PathBuf::from)
            .filter(|p| p.exists())
            .collect();
        if found.is_empty() {
            bail!("neither .gitleaks.toml nor .gitleaksignore is in this folder; name the file");
        }
        found
    } else {
        files
    };
    let mut imported = Imported::default();
    for path in &files {
        let (text, name) = (text(path)?, name(path));
        let is_report = text.trim_start().starts_with(['[', '{'])
            && path
                .extension()
                .is_some_and(|e| e.eq_ignore_ascii_case("json"));
        let part = if is_report {
            gitleaks::read_report(&text, &name)?
        } else if path.file_name().is_some_and(|n| n == ".gitleaksignore") {
            gitleaks::read_ignore(&text, &name)?
        } else {
            let open = |other: &str| inside(path, other);
            let options = gitleaks::Options {
                keep_defaults,
                open: &open,
            };
            gitleaks::read_with(&text, &name, &options)?
        };
        imported.extend(part);
    }
    let own: Vec<String> = imported.rules.iter().map(|rule| rule.id.clone()).collect();
    imported.drop_unknown(&RuleSet::builtin()?, &own);
    Ok(imported)
}

/// The text of a file that a configuration extends: below its own folder, or below this one.
pub(crate) fn inside(config: &Path, other: &str) -> Result<String, String> {
    let other = Path::new(other);
    let leads_out = other.components().any(|c| {
        !matches!(
            c,
            Component::Normal(_) | Component::CurDir | Component::ParentDir
        )
    });
    if leads_out {
        return Err(format!(
            "`{}` is no relative path; import that file by itself",
            other.display()
        ));
    }
    let beside = config.parent().filter(|p| !p.as_os_str().is_empty());
    for folder in [Path::new("."), beside.unwrap_or(Path::new("."))] {
        let Ok(path) = folder.join(other).canonicalize() else {
            continue;
        };
        let below = [Path::new("."), folder]
            .iter()
            .filter_map(|root| root.canonicalize().ok())
            .any(|root| path.starts_with(root));
        if !below {
            return Err(format!(
                "`{}` stands outside of the tree; import that file by itself",
                other.display()
            ));
        }
        return text(&path).map_err(|e| format!("{e:#}"));
    }
    Err(format!("`{}` is not there", other.display()))
}

// --- detect-secrets ---------------------------------------------------------------------------

/// What a baseline says, and the salt of its fingerprints.
fn of_detect_secrets(file: &Path) -> anyhow::Result<(Imported, Option<String>)> {
    let mut baseline = detect_secrets::Baseline::read(&text(file)?, &name(file))?;
    let beside = file.parent().filter(|p| !p.as_os_str().is_empty());
    let root = beside.unwrap_or(Path::new("."));
    let salt = salt_of(&root.join("keysweep.toml"))?.unwrap_or_else(new_salt);
    let engine = Engine::new(RuleSet::builtin()?)?;
    let whole = root
        .canonicalize()
        .with_context(|| root.display().to_string())?;
    let inputs: Vec<Input> = baseline
        .paths()
        .filter_map(|path| {
            let place = root.join(path);
            // A link may lead anywhere, so the file must be what its path says.
            let plain = fs::symlink_metadata(&place).is_ok_and(|m| m.is_file());
            let below = place.canonicalize().is_ok_and(|p| p.starts_with(&whole));
            (plain && below).then(|| Input {
                path: place,
                prefix: path.to_owned(),
            })
        })
        .collect();
    let options = Options {
        threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        ..Options::default()
    };
    let outcome = scan_tree(&engine, &inputs, &options, &());
    let bytes =
        hex(&salt).context("fingerprint_salt of keysweep.toml is not 32 hexadecimal digits")?;
    let found = merge(engine.rules(), outcome.matches, &bytes);
    let mut accepted: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for finding in &found.findings {
        for (path, fingerprint) in accepts(&mut baseline, finding) {
            accepted
                .entry(path)
                .or_default()
                .push((finding.rule.clone(), fingerprint));
        }
    }
    let mut imported = baseline.finish();
    for (path, mut all) in accepted {
        all.sort();
        all.dedup();
        let mut rules: Vec<String> = all.iter().map(|(rule, _)| rule.clone()).collect();
        rules.dedup();
        imported.allows.push(AllowEntry {
            rules,
            fingerprints: all.into_iter().map(|(_, print)| print).collect(),
            reason: Some(format!(
                "accepted in the baseline of detect-secrets, in {path}"
            )),
            ..import::only_in(&path, &name(file))
        });
    }
    let needed = imported.allows.iter().any(|a| !a.fingerprints.is_empty());
    Ok((imported, needed.then_some(salt)))
}

/// The paths of a finding at which the baseline accepts it, with its fingerprint.
#[expect(
    clippy::disallowed_methods,
    reason = "the baseline holds hashes of secrets, and this compares them"
)]
fn accepts(baseline: &mut detect_secrets::Baseline, finding: &Finding) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for place in &finding.places {
        let Ok(path) = std::str::from_utf8(&place.path) else {
            continue;
        };
        let forms = detect_secrets::forms(
            place.snippet.text.expose(),
            finding.credential.secret.expose(),
        );
        if baseline.accepts(path, forms.into_iter()) {
            all.push((path.to_owned(), finding.fingerprint.to_string()));
        }
    }
    all
}

/// The salt that a keysweep.toml names.
fn salt_of(path: &Path) -> anyhow::Result<Option<String>> {
    if !path.exists() {
        return Ok(None);
    }
    let table: toml::Table = text(path)?
        .parse()
        .with_context(|| path.display().to_string())?;
    Ok(table
        .get("fingerprint_salt")
        .and_then(|v| v.as_str())
        .map(str::to_owned))
}

/// 128 bits that nobody can guess, from the seeds that the system gives to hash maps.
fn new_salt() -> String {
    let half = |n: u8| format!("{:016x}", RandomState::new().hash_one(n));
    half(0) + &half(1)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.len() != 32 || !text.is_ascii() {
        return None;
    }
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

// --- files ------------------------------------------------------------------------------------

/// The text of a file, which is no pipe and not too big.
fn text(path: &Path) -> anyhow::Result<String> {
    let named = || path.display().to_string();
    let content = open_regular(path, true).with_context(named)?;
    let mut bytes = Vec::new();
    let read = content
        .read_whole(&mut bytes, MAX_TEXT as u64 + 1)
        .with_context(named)?;
    bytes.truncate(read);
    if bytes.len() > MAX_TEXT {
        bail!(
            "{}: it has more than {MAX_TEXT} bytes; is it the right file?",
            named()
        );
    }
    let text = String::from_utf8(bytes).with_context(|| format!("{}: it is not UTF-8", named()))?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// A path as notes name it.
fn name(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}
