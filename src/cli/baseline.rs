//! `keysweep baseline`: what is there today is accepted, and only new findings fail.

mod audit;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use jiff::civil::Date;
use sha2::{Digest, Sha256};

use keysweep::history::Repo;
use keysweep::model::{Confidence, Finding};
use keysweep::place::Note;
use keysweep::place::baseline::{Baseline, Entry, Key, path_word};
use keysweep::report::Redactor;
use keysweep::scan::Engine;

use super::args::{CommonArgs, ScanArgs, Shared, defaults};
use super::exit::Exit;
use super::finish;
use super::finish::Results;
use super::input::Interrupted;
use super::project;
use super::suppression::{self, Layout};
use super::{console, git, scan};

/// Commands about baselines.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum BaselineCommand {
    /// Write a baseline of everything that working tree and history hold (the configured file, keysweep-baseline.txt, or --output FILE)
    Create(Box<CreateArgs>),
    /// Add what is new to the baseline; with --prune drop what is gone
    Update(Box<UpdateArgs>),
    /// Go through the baseline in the terminal, one key a decision
    Audit(Box<AuditArgs>),
}

/// Arguments of `baseline create`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// Write over a baseline that is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    note: NoteArgs,
}

/// Arguments of `baseline update`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// Drop entries that nothing meets any more
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    note: NoteArgs,
}

/// Arguments of `baseline audit`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// Go through what was decided before, too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    note: NoteArgs,
}

/// What is scanned for a baseline, and how.
#[derive(Debug, Clone, clap::Args)]
struct WhatArgs {
    /// The project: a folder, in a git repository with its history
    #[arg(value_name = "PATH", default_value = ".")]
    path: PathBuf,
    /// Leave the history out
    #[arg(long, help_heading = "What is scanned")]
    no_history: bool,
    #[command(flatten)]
    common: CommonArgs,
}

impl WhatArgs {
    /// The same with all that configuration files and the environment say.
    fn configured(&self, shared: &Shared) -> anyhow::Result<Self> {
        let args = ScanArgs {
            paths: vec![self.path.clone()],
            common: self.common.clone(),
            ..defaults()
        };
        let (args, _) = project::of_scan(&args, shared)?;
        Ok(Self {
            common: args.common,
            ..self.clone()
        })
    }
}

/// What is written beside each entry that the command adds or decides.
#[derive(Debug, Clone, Default, clap::Args)]
struct NoteArgs {
    /// Who answers for these entries
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// The last day on which they hold, such as 2027-01-31
    #[arg(long, value_name = "DATE", value_parser = day)]
    expires: Option<Date>,
    /// Why they are accepted
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

fn day(text: &str) -> Result<Date, &'static str> {
    text.parse().map_err(|_| "write a day such as 2027-01-31")
}

impl NoteArgs {
    fn note(&self) -> anyhow::Result<Note> {
        if let (Some(day), Some(today)) = (self.expires, suppression::today())
            && day < today
        {
            bail!("--expires {day} is over already; write a day to come, such as 2027-01-31");
        }
        let one_word = |text: &String| !text.is_empty() && !text.contains(char::is_whitespace);
        if !self.owner.iter().all(one_word) {
            bail!("--owner takes one word, such as a team's or a person's name");
        }
        let reason = self.reason.as_deref().map(|text| {
            let words: Vec<&str> = text.split_whitespace().collect();
            words.join(" ")
        });
        // What is written must be read again as it was meant.
        let read = Note::parse(reason.as_deref().unwrap_or_default());
        let plain = read.is_ok_and(|note| note.owner.is_none() && note.expires.is_none());
        if !plain || reason.iter().any(|text| text.contains("verdict=")) {
            bail!("--reason takes words; for owner= and expires= there are --owner and --expires");
        }
        Ok(Note {
            owner: self.owner.clone(),
            expires: self.expires,
            reason: reason.filter(|text| !text.is_empty()),
        })
    }
}

/// Runs the command.
pub(crate) fn run(command: BaselineCommand, shared: &Shared) -> anyhow::Result<Exit> {
    match command {
        BaselineCommand::Create(args) => create(&args, shared),
        BaselineCommand::Update(args) => update(&args, shared),
        BaselineCommand::Audit(args) => audit::run(&args, shared),
    }
}

/// What a scan for a baseline brought.
struct Scanned {
    engine: Engine,
    results: Results,
    redactor: Redactor,
    /// The salt that the project's configuration gives.
    own_salt: Option<Vec<u8>>,
}

impl Scanned {
    /// Scans the project. What comments and ignore files accept is no matter of the baseline.
    fn of(args: &WhatArgs, shared: &Shared) -> anyhow::Result<Self> {
        let mut common = args.common.clone();
        common.suppression.report_unused_suppressions = false;
        let scan_args = ScanArgs {
            paths: vec![args.path.clone()],
            history: !args.no_history
                && Repo::discover(&args.path, &git::trust(&args.path))
                    .map_or_else(|error| git::is_broken(&error, &args.path), |_| true),
            common,
            ..defaults()
        };
        let engine = scan::engine(&args.common)?;
        let mut results = scan::collect(&engine, &scan_args, shared)?;
        if results.summary.cancelled {
            return Err(anyhow::Error::new(Interrupted).context("nothing was written"));
        }
        finish::diagnose(&engine, &results, shared, engine.counts().as_ref());
        suppression::apply(&mut results, &args.common, None)?;
        let least = Confidence::from(args.common.min_confidence);
        let collected = &mut results.collected;
        let findings = std::mem::take(&mut collected.findings);
        let (shown, hidden): (Vec<_>, Vec<_>) =
            findings.into_iter().partition(|f| f.confidence() >= least);
        collected.findings = shown;
        let all = collected.findings.iter().chain(&collected.dropped);
        let redactor = Redactor::of_run(
            &engine,
            all.chain(&hidden),
            &results.summary,
            &results.root,
            false,
        );
        Ok(Self {
            engine,
            results,
            redactor,
            own_salt: args.common.project.own_salt().map(<[u8]>::to_vec),
        })
    }

    fn findings(&self) -> &[Finding] {
        &self.results.collected.findings
    }

    /// A new entry for a finding.
    fn entry(&self, finding: &Finding, note: &Note) -> Entry {
        let path = finding.places.first().map(|p| self.redactor.path(&p.path));
        Entry {
            rule: finding.rule.clone(),
            path: path_word(path.as_deref().unwrap_or_default()),
            verdict: None,
            note: note.clone(),
            line: 0,
        }
    }

    /// Adds what the baseline has not; gives how many findings that were, and the entries that were met.
    fn add(
        &self,
        baseline: &mut Baseline,
        note: &Note,
    ) -> (usize, std::collections::BTreeSet<Key>) {
        let mut met = std::collections::BTreeSet::new();
        let mut added = 0;
        let mut salt = None;
        for finding in self.findings() {
            if let Some((key, _)) = baseline.find(&finding.rule, &finding.credential.secret) {
                met.insert(key);
                continue;
            }
            let salt =
                salt.get_or_insert_with(|| baseline.salt_for_new(self.own_salt.as_deref(), random));
            let key = baseline
                .keys(&finding.rule, &finding.credential.secret)
                .find(|(_, id)| id == salt);
            let Some(key) = key else { continue };
            let entry = self.entry(finding, note);
            baseline.entries.insert(key.clone(), entry);
            met.insert(key);
            added += 1;
        }
        (added, met)
    }

    /// Says what could not be scanned, which is no part of the baseline.
    fn exit(&self, common: &CommonArgs) -> Exit {
        let gaps = &self.results.summary.gaps;
        for gap in gaps.iter().take(20) {
            let text = format!("{}: {}", gap.path, gap.reason);
            let text = self.redactor.printable(text.as_bytes());
            let _ = writeln!(io::stderr(), "keysweep: not scanned: {text}");
        }
        if gaps.is_empty() || common.keep_going {
            Exit::Clean
        } else {
            Exit::Trouble
        }
    }
}

fn create(args: &CreateArgs, shared: &Shared) -> anyhow::Result<Exit> {
    let note = args.note.note()?;
    let named = shared
        .output
        .as_deref()
        .or(args.what.common.suppression.baseline.as_deref());
    let what = args.what.configured(shared)?;
    let layout = Layout::of_paths(std::slice::from_ref(&what.path));
    let path = suppression::baseline_path(named, &what.common.project, &layout)?;
    let shown = path.display();
    if path.symlink_metadata().is_ok() && !args.force {
        bail!(
            "{shown}: is there already; `keysweep baseline update` adds what is new to it, --force writes it anew"
        );
    }
    // The tree may have brought its configuration, with a link in a folder's place.
    if named.is_none()
        && let Some(root) = &layout.root
        && path.starts_with(root)
    {
        let folder = path.ancestors().skip(1).find_map(|f| f.canonicalize().ok());
        if !folder.is_some_and(|folder| folder.starts_with(root)) {
            bail!("{shown}: a link leads out of the project; name the file with --output");
        }
    }
    let scanned = Scanned::of(&what, shared)?;
    let mut baseline = Baseline::new(&shown.to_string());
    // A baseline without entries names its salt, too.
    baseline.salt_for_new(what.common.project.own_salt(), random);
    let (added, _) = scanned.add(&mut baseline, &note);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("{}: cannot make the folder", folder.display()))?;
    }
    save(&path, &baseline, what.common.project.own_salt())?;
    let attributes = attributes(&path, &layout)?;
    let findings = if added == 1 { "finding" } else { "findings" };
    say(
        shared,
        &format!("{}: {added} {findings} accepted", shown_path(&path)),
    )?;
    if attributes {
        say(
            shared,
            "added a line to .gitattributes, so that git joins what two branches add; commit both files",
        )?;
    }
    if added > 0 {
        say(
            shared,
            "what is in it still works for whoever finds it: `keysweep baseline audit` goes through it, one key a decision",
        )?;
    }
    Ok(scanned.exit(&args.what.common))
}

/// The baseline that a project has.
struct Opened {
    what: WhatArgs,
    layout: Layout,
    path: PathBuf,
    baseline: Baseline,
}

impl Opened {
    fn of(what: &WhatArgs, shared: &Shared) -> anyhow::Result<Self> {
        let what = what.configured(shared)?;
        let layout = Layout::of_paths(std::slice::from_ref(&what.path));
        let named = what.common.suppression.baseline.as_deref();
        let path = suppression::baseline_path(
            named.or(shared.output.as_deref()),
            &what.common.project,
            &layout,
        )?;
        let mut baseline = suppression::read_baseline(&path, true)?;
        baseline.complete(what.common.project.own_salt())?;
        Ok(Self {
            what,
            layout,
            path,
            baseline,
        })
    }
}

fn update(args: &UpdateArgs, shared: &Shared) -> anyhow::Result<Exit> {
    let note = args.note.note()?;
    let Opened {
        what,
        layout,
        path,
        mut baseline,
    } = Opened::of(&args.what, shared)?;
    if args.prune && (args.what.no_history || !layout.whole) {
        bail!(
            "--prune needs the whole project with its history: else what is only there would seem to be gone"
        );
    }
    let scanned = Scanned::of(&what, shared)?;
    let before = baseline.entries.len();
    let (added, met) = scanned.add(&mut baseline, &note);
    let gone = baseline.entries.len() - met.len();
    if args.prune && !scanned.results.summary.gaps.is_empty() {
        let exit = scanned.exit(&args.what.common);
        if exit != Exit::Clean {
            bail!(
                "not everything could be scanned, so nobody knows what is gone; nothing was written"
            );
        }
    }
    if args.prune {
        baseline.entries.retain(|key, _| met.contains(key));
    }
    save(&path, &baseline, what.common.project.own_salt())?;
    attributes(&path, &layout)?;
    let kept = if args.prune { before - gone } else { before };
    let gone = match (args.prune, gone) {
        (true, gone) => format!(", {gone} dropped"),
        (false, 0) => String::new(),
        (false, gone) => format!(" ({gone} of them not met; --prune drops those)"),
    };
    say(
        shared,
        &format!("{}: {added} added, {kept} kept{gone}", shown_path(&path)),
    )?;
    Ok(scanned.exit(&args.what.common))
}

/// Says what was done.
fn say(shared: &Shared, text: &str) -> io::Result<()> {
    if shared.quiet {
        return Ok(());
    }
    writeln!(io::stdout(), "{text}")
}

/// The path below the current folder, where it is.
fn shown_path(path: &Path) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    let below = here.ok().and_then(|here| path.strip_prefix(here).ok());
    let shown = below.unwrap_or(path).display().to_string();
    keysweep::report::printable(&shown).into_owned()
}

/// Writes a baseline: whole, or not at all.
fn save(path: &Path, baseline: &Baseline, own_salt: Option<&[u8]>) -> anyhow::Result<()> {
    replace(path, baseline.render(own_salt).as_bytes())
        .with_context(|| format!("{}: cannot write the baseline", path.display()))
}

fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    // A link stays a link: what it leads to is written.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".keysweep-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The user's mask makes of it what other files have.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.flush()?;
    file.persist(&path)?;
    Ok(())
}

/// Sees to it that git joins the lines of two branches, where the file lies in the project's git working tree. Gives
/// whether a line was added.
fn attributes(baseline: &Path, layout: &Layout) -> anyhow::Result<bool> {
    let full = baseline
        .canonicalize()
        .unwrap_or_else(|_| baseline.to_owned());
    let (Some(folder), Some(name)) = (full.parent(), full.file_name().and_then(|n| n.to_str()))
    else {
        return Ok(false);
    };
    let in_git = layout.root.as_deref().is_some_and(|root| {
        folder.starts_with(root) && root.join(".git").symlink_metadata().is_ok()
    });
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if !in_git || !name.chars().all(plain) {
        return Ok(false);
    }
    let path = folder.join(".gitattributes");
    let mut text = String::new();
    match path.symlink_metadata() {
        Ok(kind) if kind.is_file() => {
            text = std::fs::read_to_string(&path)
                .with_context(|| format!("{}: cannot be read", path.display()))?;
        }
        Ok(_) => return Ok(false),
        Err(_) => {}
    }
    let is_there = |line: &str| line.split_whitespace().next() == Some(name);
    if text.lines().any(is_there) {
        return Ok(false);
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(name);
    text.push_str(" merge=union\n");
    replace(&path, text.as_bytes())
        .with_context(|| format!("{}: cannot be written", path.display()))?;
    Ok(true)
}

/// A new salt. It keeps no secret, but nobody shall have reckoned hashes under it before.
fn random() -> [u8; 16] {
    use std::hash::{BuildHasher, Hasher};
    use std::io::Read;

    let mut hash = Sha256::new();
    // Keys of the standard library's hashers come from the system.
    for _ in 0..4 {
        let hasher = std::collections::hash_map::RandomState::new().build_hasher();
        hash.update(hasher.finish().to_le_bytes());
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    hash.update(now.map_or(0, |now| now.as_nanos()).to_le_bytes());
    hash.update(std::process::id().to_le_bytes());
    let mut bytes = [0; 32];
    let system = std::fs::File::open("/dev/urandom");
    if system
        .and_then(|mut file| file.read_exact(&mut bytes))
        .is_ok()
    {
        hash.update(bytes);
    }
    let mut salt = [0; 16];
    for (to, from) in salt.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    salt
}
