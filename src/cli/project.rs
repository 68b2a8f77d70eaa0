//! The configuration of a run: which files count, what wins (flag, environment, files, default), and where it came from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use clap::ValueEnum;
use clap::parser::ValueSource;

use keysweep::config::{self, AllowEntry, At, ConfigFile, FileError, Folders, NAME, Scope};
use keysweep::history::Repo;
use keysweep::import::{self, Kind, Note, gitleaks};
use keysweep::model::{Confidence, Gap, Origin, Severity, Skip, SkipKind, Summary};
use keysweep::place::is_notable;
use keysweep::report::FORMATS;
use keysweep::rule::{Error as RuleError, RuleFile, RuleSet, Selection, nearest};
use keysweep::scan::{Addition, AuditOutcome, BlobMatch, Engine, Outcome, PUBLISHED_SALT};

use super::args::{CommonArgs, ConfigArgs, FailOn, GitArgs, Level, ScanArgs, Shared};
use super::git::{self, path_of};

/// Which flags with a default were given.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Given {
    pub(crate) format: bool,
    pub(crate) min_confidence: bool,
    pub(crate) fail_on: bool,
}

impl Given {
    /// Looks at the command line, whatever the command.
    pub(crate) fn of(matches: &clap::ArgMatches) -> Self {
        let mut given = Self::default();
        let mut here = Some(matches);
        while let Some(matches) = here {
            let is = |id: &str| {
                matches.ids().any(|known| known == id)
                    && matches.value_source(id) == Some(ValueSource::CommandLine)
            };
            given.format |= is("format");
            given.min_confidence |= is("min_confidence");
            given.fail_on |= is("fail_on");
            here = matches.subcommand().map(|(_, below)| below);
        }
        given
    }
}

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Named with `--config`, or by the environment.
    Caller,
    /// Of the scanned tree.
    Tree,
    /// In the user's configuration folder.
    User,
}

/// A file that counts for the whole run.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) whose: Whose,
    /// The file, as messages name it.
    pub(crate) shown: String,
    /// The folder that paths in it are relative to.
    pub(crate) base: PathBuf,
    pub(crate) scope: Arc<Scope>,
    /// What is different where the file is another scanner's.
    remarks: Vec<Note>,
    /// Whether it stands at the project's root.
    at_root: bool,
}

impl Layer {
    fn file(&self) -> &ConfigFile {
        &self.scope.file
    }

    fn at(&self, line: u32) -> String {
        format!("{}:{line}", self.shown)
    }
}

/// A value in force, and where it comes from.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    pub(crate) key: &'static str,
    pub(crate) value: String,
    pub(crate) from: String,
}

/// What configuration files say of a run. Empty before they are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Project(Option<Arc<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// Whether files of the tree count.
    looks: bool,
    /// The working tree's top, or the scanned folder; empty where there is none.
    root: PathBuf,
    folders: Arc<Folders>,
    /// Whether all that is scanned has that root.
    one_root: bool,
    layers: Vec<Layer>,
    /// What reports put in front of paths, and the file or folder that it stands for.
    inputs: Vec<(String, PathBuf)>,
    salt: Option<[u8; 16]>,
    baseline: Option<PathBuf>,
    /// Rules of the files.
    rules: Vec<(String, RuleFile)>,
    /// Rules that files disable.
    without: Vec<String>,
    /// Rules that the caller chose, whatever files say.
    chosen: Vec<String>,
    /// Where files enable rules.
    enabled: BTreeMap<String, String>,
    values: Vec<InForce>,
    /// What files of the tree narrow.
    notes: Vec<String>,
}

/// The arguments of `scan` with all that files and the environment say.
pub(crate) fn of_scan(args: &ScanArgs, shared: &Shared) -> anyhow::Result<(ScanArgs, Shared)> {
    let (mut args, mut shared) = (args.clone(), shared.clone());
    let explained = args.explain.as_deref().and_then(|at| at.rsplit_once(':'));
    let paths = match explained {
        Some((file, _)) => vec![PathBuf::from(file)],
        None => args.paths.clone(),
    };
    let tops: Vec<PathBuf> = paths.iter().filter_map(|path| folder_of(path)).collect();
    let mut inner = discover(&tops, &args.common.config)?;
    let several = paths.len() > 1;
    inner.inputs = paths
        .iter()
        .filter_map(|path| {
            let real = path.canonicalize().ok()?;
            Some((super::scan::prefix(path, several), real))
        })
        .collect();
    let mut scan = Narrow {
        no_ignore: args.no_ignore,
        max_size: args.max_size,
        include: &args.include,
        exclude: &args.exclude,
    };
    settle(&mut inner, &mut args.common, &mut shared, Some(&mut scan))?;
    (args.no_ignore, args.max_size) = (scan.no_ignore, scan.max_size);
    args.common.project = Project(Some(Arc::new(inner)));
    Ok((args, shared))
}

/// The arguments of `git` with all that files and the environment say. A bare repository has no files.
pub(crate) fn of_git(args: &GitArgs, shared: &Shared) -> anyhow::Result<(GitArgs, Shared)> {
    // What is no repository is told of later, by those who open it.
    let repo = Repo::discover(&args.repo, &git::trust(&args.repo)).ok();
    let top = repo.and_then(|repo| repo.work_tree);
    let (common, shared) = of_tree(top.as_deref(), &args.common, shared)?;
    let args = GitArgs {
        common,
        ..args.clone()
    };
    Ok((args, shared))
}

/// The same for a command on the repository with a working tree.
pub(crate) fn of_tree(
    top: Option<&Path>,
    common: &CommonArgs,
    shared: &Shared,
) -> anyhow::Result<(CommonArgs, Shared)> {
    let (mut common, mut shared) = (common.clone(), shared.clone());
    let tops: Vec<PathBuf> = top.map(Path::to_owned).into_iter().collect();
    let mut inner = discover(&tops, &common.config)?;
    settle(&mut inner, &mut common, &mut shared, None)?;
    common.project = Project(Some(Arc::new(inner)));
    Ok((common, shared))
}

/// The folder whose configuration holds for a path: the current one for what comes through a pipe.
fn folder_of(path: &Path) -> Option<PathBuf> {
    if path == Path::new("-") {
        return Path::new(".").canonicalize().ok();
    }
    let meta = fs::metadata(path).ok()?;
    if meta.is_dir() {
        return path.canonicalize().ok();
    }
    if !meta.is_file() {
        return Path::new(".").canonicalize().ok();
    }
    Some(path.canonicalize().ok()?.parent()?.to_owned())
}

/// Finds and reads the files.
fn discover(tops: &[PathBuf], args: &ConfigArgs) -> anyhow::Result<Inner> {
    let named = args.config.clone();
    let from_environment = || environment("KEYSWEEP_CONFIG").map(PathBuf::from);
    let looks = !(args.no_repo_config || switch("KEYSWEEP_NO_REPO_CONFIG")?.unwrap_or(false));
    let roots: Vec<(PathBuf, Vec<PathBuf>)> = tops
        .iter()
        .map(|top| {
            if looks {
                above(top)
            } else {
                (root_of(top), Vec::new())
            }
        })
        .collect();
    let root = roots.first().map(|(root, _)| root.clone());
    let root = root.unwrap_or_default();

    let mut layers = Vec::new();
    let named = named.or_else(from_environment);
    if let Some(path) = named.filter(|path| args.counts(path)) {
        let layer = own(&path, &root, Whose::Caller)?;
        let layer = layer.with_context(|| format!("{}: no such file", path.display()))?;
        layers.extend(ignored_by_gitleaks(&path, &layer, tops, looks)?);
        layers.insert(0, layer);
    }
    let user = user_file();
    let user = user
        .map(|path| own(&path, &root, Whose::User))
        .transpose()?;
    let user = user.flatten();

    let mut folders = Folders::new(looks);
    let callers = layers.iter().chain(&user);
    let callers: Vec<Arc<Scope>> = callers.map(|layer| Arc::clone(&layer.scope)).collect();
    for (folder, _) in &roots {
        // The caller's own globs count from each root.
        let scopes = callers.iter().map(|scope| {
            if scope.folder == *folder {
                return Arc::clone(scope);
            }
            Arc::new(Scope::new(folder, scope.file.clone()))
        });
        folders.add_root(folder, scopes.collect());
    }
    for (index, (root, found)) in roots.iter().enumerate() {
        let first = index == 0;
        let mut here = Vec::new();
        for folder in found {
            let path = folder.join(NAME);
            let shown = shown(&path);
            let text = config::read(&path, false).map_err(|why| anyhow!("{shown} {why}"))?;
            let Some(text) = text else { continue };
            let name = relative(root, &path);
            let file = ConfigFile::parse(&name, &text).map_err(|errors| {
                let errors = errors.into_iter().map(|error| FileError {
                    path: shown.clone(),
                    ..error
                });
                joined(errors)
            })?;
            let scope = Arc::new(Scope::new(folder, file));
            folders.insert(folder, Some(Arc::clone(&scope)));
            here.push(Layer {
                whose: Whose::Tree,
                shown,
                base: folder.clone(),
                scope,
                remarks: Vec::new(),
                at_root: folder == root,
            });
        }
        // What was not read, since a stranger put it there, is not to be read on the way down either.
        let top = found.first().map(PathBuf::as_path);
        for folder in top.into_iter().flat_map(Path::ancestors) {
            if !folder.starts_with(root) {
                break;
            }
            if !here.iter().any(|layer| layer.base == folder) {
                folders.insert(folder, None);
            }
        }
        if first {
            layers.extend(here);
        }
    }
    layers.extend(user);
    let one_root = roots.iter().all(|(other, _)| *other == root);
    Ok(Inner {
        looks,
        root,
        one_root,
        folders: Arc::new(folders),
        layers,
        ..Inner::default()
    })
}

/// One of the user's own files; `None` where there is none.
fn own(path: &Path, root: &Path, whose: Whose) -> anyhow::Result<Option<Layer>> {
    let shown = shown(path);
    let text = config::read(path, true).map_err(|why| anyhow!("{shown} {why}"))?;
    let Some(text) = text else { return Ok(None) };
    let (file, remarks) = if is_gitleaks(path, &text) {
        of_gitleaks(path, &shown, &text)?
    } else {
        (
            ConfigFile::parse(&shown, &text).map_err(joined)?,
            Vec::new(),
        )
    };
    let base = path.parent().unwrap_or(Path::new("")).to_owned();
    Ok(Some(Layer {
        whose,
        shown,
        base,
        scope: Arc::new(Scope::new(root, file)),
        remarks,
        at_root: true,
    }))
}

/// Whether a configuration is gitleaks'.
pub(crate) fn is_gitleaks(path: &Path, text: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    gitleaks::is_config(&name, text)
}

/// gitleaks' configuration in our terms, and what is different.
pub(crate) fn of_gitleaks(
    path: &Path,
    shown: &str,
    text: &str,
) -> anyhow::Result<(ConfigFile, Vec<Note>)> {
    let open = |other: &str| super::import::inside(path, other);
    let options = gitleaks::Options {
        keep_defaults: false,
        open: &open,
    };
    let imported = gitleaks::read_with(text, shown, &options)?;
    let file = import::config_file(shown, gitleaks::disabling_line(text), &imported)?;
    Ok((file, imported.notes))
}

/// The `.gitleaksignore` beside gitleaks' configuration and those of the projects' roots. One of the scanned tree counts as
/// far as any other file of it.
fn ignored_by_gitleaks(
    config: &Path,
    layer: &Layer,
    tops: &[PathBuf],
    looks: bool,
) -> anyhow::Result<Vec<Layer>> {
    let text = config::read(config, true).ok().flatten();
    if !text.is_some_and(|text| is_gitleaks(config, &text)) {
        return Ok(Vec::new());
    }
    let roots: Vec<PathBuf> = tops.iter().map(|top| root_of(top)).collect();
    let beside = Some(layer.base.as_path()).filter(|base| !base.as_os_str().is_empty());
    let beside = beside.unwrap_or(Path::new(".")).canonicalize().ok();
    let mut folders: Vec<PathBuf> = beside.into_iter().chain(roots.iter().cloned()).collect();
    folders.retain(|folder| looks || !roots.iter().any(|root| folder.starts_with(root)));
    let mut seen = BTreeSet::new();
    folders.retain(|folder| seen.insert(folder.clone()));
    let rules = layer
        .file()
        .own_rules
        .iter()
        .flat_map(|own| &own.value.rules);
    let own: Vec<String> = rules.map(|rule| rule.id.to_string()).collect();
    let builtin = RuleSet::builtin()?;
    let mut layers = Vec::new();
    for folder in folders {
        let path = folder.join(".gitleaksignore");
        let shown = shown(&path);
        let text = config::read(&path, false).map_err(|why| anyhow!("{shown} {why}"))?;
        let Some(text) = text else { continue };
        let mut imported = gitleaks::read_ignore(&text, &shown)?;
        imported.drop_unknown(&builtin, &own);
        let file = import::config_file(&shown, 1, &imported)?;
        layers.push(Layer {
            whose: Whose::Caller,
            shown,
            base: folder,
            scope: Arc::new(Scope::new(&layer.scope.folder, file)),
            remarks: imported.notes,
            at_root: true,
        });
    }
    Ok(layers)
}

/// What another scanner's file means here: a line for each file, or each remark.
fn remarked(layers: &[Layer], every: bool) -> Vec<String> {
    let mut notes = Vec::new();
    for layer in layers.iter().filter(|layer| !layer.remarks.is_empty()) {
        let of = |kind: Kind| layer.remarks.iter().filter(move |note| note.kind == kind);
        if every {
            let kinds = [Kind::Lost, Kind::Changed, Kind::Remark].into_iter();
            notes.extend(kinds.flat_map(of).map(ToString::to_string));
            continue;
        }
        let lines = |kind: Kind| match of(kind).count() {
            1 => "1 line".to_owned(),
            n => format!("{n} lines"),
        };
        notes.push(format!(
            "{}: {} not carried over, {} mean something slightly different (--verbose names them)",
            layer.shown,
            lines(Kind::Lost),
            lines(Kind::Changed)
        ));
    }
    notes
}

/// Several mistakes of one file as one message.
pub(crate) fn joined(errors: impl IntoIterator<Item = FileError>) -> anyhow::Error {
    let lines: Vec<String> = errors.into_iter().map(|e| e.to_string()).collect();
    anyhow!("{}", lines.join("\n"))
}

/// A path as the user would write it: relative to the current folder where it lies below.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir()
        .ok()
        .and_then(|dir| dir.canonicalize().ok());
    let below = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    below.as_deref().unwrap_or(path).display().to_string()
}

fn relative(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    below.to_string_lossy().replace('\\', "/")
}

/// The user's own file.
pub(crate) fn user_file() -> Option<PathBuf> {
    let folder = |name: &str| {
        let path = std::env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let base = if cfg!(windows) {
        folder("XDG_CONFIG_HOME").or_else(|| folder("APPDATA"))
    } else {
        folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))
    };
    Some(base?.join("keysweep").join(NAME))
}

/// The top of the repository around a folder, or the folder.
pub(crate) fn root_of(folder: &Path) -> PathBuf {
    let has_git = |above: &&Path| fs::symlink_metadata(above.join(".git")).is_ok();
    folder
        .ancestors()
        .find(has_git)
        .unwrap_or(folder)
        .to_owned()
}

/// The root of a folder, and the folders from it upwards that may have a file, innermost first.
///
/// In a repository the search ends at its top, and what lies above the folder counts only where it belongs to the user, to
/// root, or to the folder's owner. Outside, it ends at the file system's limit, and only the user's own files count.
pub(crate) fn above(folder: &Path) -> (PathBuf, Vec<PathBuf>) {
    let mut found = vec![folder.to_owned()];
    let top = root_of(folder);
    if fs::symlink_metadata(top.join(".git")).is_ok() {
        for above in folder.ancestors().skip(1) {
            if !above.starts_with(&top) {
                break;
            }
            if may_count(&above.join(NAME), Some(folder)) {
                found.push(above.to_owned());
            }
        }
        return (top, found);
    }
    let mut root = folder;
    for above in folder.ancestors().skip(1) {
        if !same_device(folder, above) {
            break;
        }
        if may_count(&above.join(NAME), None) {
            found.push(above.to_owned());
            root = above;
        }
    }
    (root.to_owned(), found)
}

#[cfg(unix)]
fn may_count(file: &Path, scanned: Option<&Path>) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(meta) = fs::symlink_metadata(file) else {
        return false;
    };
    let owner = scanned.and_then(|path| Some(fs::symlink_metadata(path).ok()?.uid()));
    let mine = Some(meta.uid()) == git::user();
    mine || scanned.is_some() && (meta.uid() == 0 || Some(meta.uid()) == owner)
}

#[cfg(not(unix))]
fn may_count(file: &Path, scanned: Option<&Path>) -> bool {
    // Without owners, what lies outside a repository is somebody's.
    scanned.is_some() && fs::symlink_metadata(file).is_ok()
}

#[cfg(unix)]
fn same_device(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| fs::symlink_metadata(path).ok().map(|meta| meta.dev());
    device(a) == device(b)
}

#[cfg(not(unix))]
fn same_device(_: &Path, _: &Path) -> bool {
    true
}

/// A variable of the environment that says something.
fn environment(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .filter(|text| !text.trim().is_empty())
}

/// A variable that is on or off.
fn switch(name: &str) -> anyhow::Result<Option<bool>> {
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
struct Narrow<'a> {
    no_ignore: bool,
    max_size: Option<u64>,
    include: &'a [String],
    exclude: &'a [String],
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
fn settle(
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
    match &baseline {
        Some((path, from)) => choice.note("baseline", shown(path), from),
        None => choice.note("baseline", "none", "default"),
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
    settle_rules(inner, common, &mut choice, &layers)?;
    inner.notes = narrowed(&layers, &values);
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

/// What files of the scanned tree switch off, for everybody to see.
fn narrowed(layers: &[Layer], values: &[InForce]) -> Vec<String> {
    let mut notes = Vec::new();
    let of_tree = |layer: &&Layer| layer.whose == Whose::Tree;
    let in_force = |key: &str, at: &str| values.iter().any(|v| v.key == key && v.from == at);
    for layer in layers.iter().filter(of_tree) {
        let file = layer.file();
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

/// Something that a configuration of the tree leaves out.
pub(crate) fn skipped(path: &[u8]) -> Skip {
    let path = String::from_utf8_lossy(path).into_owned();
    let name = path.rsplit('/').next().unwrap_or_default();
    Skip {
        kind: SkipKind::Configured,
        notable: is_notable(name),
        path,
    }
}

impl Project {
    /// The salt of fingerprints.
    pub(crate) fn salt(&self) -> &[u8] {
        let salt = self.0.as_deref().and_then(|inner| inner.salt.as_ref());
        salt.map_or(PUBLISHED_SALT, |salt| &salt[..])
    }

    /// The salt that a file gives, if one does.
    pub(crate) fn own_salt(&self) -> Option<&[u8]> {
        let salt = self.0.as_deref()?.salt.as_ref();
        salt.map(|salt| &salt[..])
    }

    /// Whether what the scanned tree says of itself counts: not with `--no-repo-config`.
    pub(crate) fn is_trusted(&self) -> bool {
        self.0.as_deref().is_none_or(|inner| inner.looks)
    }

    /// Whether a file that was read disables rules, if only for a folder.
    pub(crate) fn disables(&self) -> bool {
        let inner = self.0.as_deref();
        inner.is_some_and(|inner| {
            let mut scopes = inner.folders.loaded().into_iter();
            scopes.any(|scope| !scope.file.rules.disable.is_empty())
        })
    }

    /// The baseline that the environment or a file names.
    pub(crate) fn baseline(&self) -> Option<&Path> {
        self.0.as_deref()?.baseline.as_deref()
    }

    /// `[[allow]]` of every file that was read: the folder below which it counts, relative to the project's root with `/`
    /// and empty for the root, and its entries. Complete only when the run is over: files deeper in the tree are read on
    /// the way.
    pub(crate) fn allowed(&self) -> Vec<(String, Vec<AllowEntry>)> {
        let Some(inner) = self.0.as_deref() else {
            return Vec::new();
        };
        let whose = |layer: &&Layer| layer.whose != Whose::Tree;
        let own = inner.layers.iter().filter(whose);
        let own = own.map(|layer| (String::new(), layer.file().allow.clone()));
        let tree = inner.folders.loaded().into_iter().filter_map(|scope| {
            let folder = scope.folder.strip_prefix(&inner.root).ok()?;
            let folder = folder.to_string_lossy().replace('\\', "/");
            Some((folder, scope.file.allow.clone()))
        });
        let all = own.chain(tree);
        all.filter(|(_, entries)| !entries.is_empty()).collect()
    }

    /// The values in force, each with where it comes from.
    pub(crate) fn values(&self) -> &[InForce] {
        self.0.as_deref().map_or(&[], |inner| &inner.values)
    }

    /// The files that count for the whole run, strongest first.
    pub(crate) fn layers(&self) -> &[Layer] {
        self.0.as_deref().map_or(&[], |inner| &inner.layers)
    }

    /// The files of the scanned tree, for the walk.
    pub(crate) fn folders(&self) -> Option<Arc<Folders>> {
        Some(Arc::clone(&self.0.as_deref()?.folders))
    }

    /// Adds what files say of the rules.
    pub(crate) fn choose(&self, selection: &mut Selection) {
        if let Some(inner) = self.0.as_deref() {
            selection.parsed.extend(inner.rules.iter().cloned());
            selection.without.extend(inner.without.iter().cloned());
        }
    }

    /// An error of the rules, with the line of the file that names the rule.
    pub(crate) fn located(&self, error: RuleError) -> anyhow::Error {
        let place = match (&error, self.0.as_deref()) {
            (RuleError::Unknown { id, .. }, Some(inner)) => inner.enabled.get(id),
            _ => None,
        };
        match place {
            Some(at) => anyhow!("{at}: {error}"),
            None => error.into(),
        }
    }

    /// Complains of rules that files name and that do not exist.
    pub(crate) fn check_rules(&self, rules: &RuleSet) -> anyhow::Result<()> {
        let all = self.layers().iter();
        let wrong = all.flat_map(|layer| unknown_rules(layer.file(), &layer.shown, rules));
        let wrong: Vec<FileError> = wrong.collect();
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(joined(wrong))
        }
    }

    /// Judges what a scan of trees found by the files' `[rules] disable`; the walk has obeyed the rest.
    pub(crate) fn judge_tree(&self, engine: &Engine, outcome: &mut Outcome, args: &CommonArgs) {
        let Some(inner) = self.0.as_deref() else {
            return;
        };
        let locate = |path: &[u8]| {
            let text = String::from_utf8_lossy(path);
            let mut longest: Option<(usize, PathBuf)> = None;
            for (prefix, real) in &inner.inputs {
                let rest = if prefix.is_empty() {
                    Some(path)
                } else if text == *prefix {
                    Some(&b""[..])
                } else {
                    let rest = path.strip_prefix(prefix.as_bytes());
                    rest.and_then(|rest| rest.strip_prefix(b"/"))
                };
                if let Some(rest) = rest
                    && longest
                        .as_ref()
                        .is_none_or(|(most, _)| *most <= prefix.len())
                {
                    let place = if rest.is_empty() {
                        real.clone()
                    } else {
                        real.join(path_of(rest))
                    };
                    longest = Some((prefix.len(), place));
                }
            }
            longest.map(|(_, path)| path)
        };
        self.judge(
            engine,
            &mut outcome.matches,
            locate,
            false,
            args.show_suppressed,
        );
    }

    /// Judges what a history holds by the files of the working tree.
    pub(crate) fn judge_history(
        &self,
        engine: &Engine,
        outcome: &mut AuditOutcome,
        top: &Path,
        args: &CommonArgs,
    ) {
        let locate = |path: &[u8]| Some(top.join(path_of(path)));
        let matches = &mut outcome.matches;
        let out = self.judge(engine, matches, locate, true, args.show_suppressed);
        for path in out {
            outcome.summary.skip(skipped(&path));
        }
    }

    /// Takes out of additions what files' `[scan]` leaves out; gives the paths.
    pub(crate) fn narrow(
        &self,
        top: Option<&Path>,
        additions: &mut [Addition],
    ) -> BTreeSet<Vec<u8>> {
        let mut left_out = BTreeSet::new();
        if let Some(top) = top {
            for addition in additions {
                let changes = &mut addition.changes;
                let out = changes.extract_if(.., |change| self.leaves_out(top, &change.path));
                left_out.extend(out.map(|change| change.path));
                // What stood where nobody looks was no finding there.
                addition
                    .removed
                    .retain(|gone| !self.leaves_out(top, &gone.path));
            }
        }
        left_out
    }

    /// Whether a file's `[scan]` leaves a path of a repository out.
    pub(crate) fn leaves_out(&self, top: &Path, path: &[u8]) -> bool {
        let Some(inner) = self.0.as_deref() else {
            return false;
        };
        let path = top.join(path_of(path));
        let chain = path.parent().map(|folder| inner.folders.chain(folder));
        let mut chain = chain.into_iter().flatten();
        chain.any(|scope| scope.excludes(&path) || scope.misses(&path))
    }

    /// Takes out, or marks where they are kept, the matches that files leave out or whose rule they disable; gives the
    /// paths that were left out.
    fn judge(
        &self,
        engine: &Engine,
        matches: &mut Vec<BlobMatch>,
        locate: impl Fn(&[u8]) -> Option<PathBuf>,
        excludes: bool,
        keep: bool,
    ) -> BTreeSet<Vec<u8>> {
        let mut left_out = BTreeSet::new();
        let Some(inner) = self.0.as_deref() else {
            return left_out;
        };
        let mut chains: BTreeMap<PathBuf, Vec<Arc<Scope>>> = BTreeMap::new();
        matches.retain_mut(|m| {
            let place = &mut m.place;
            if place.dropped.is_some() || !matches!(place.origin, Origin::Content | Origin::Name) {
                return true;
            }
            let Some(path) = locate(&place.path) else {
                return true;
            };
            let folder = path.parent().unwrap_or(&path).to_owned();
            let chain = chains.entry(folder);
            let chain = chain.or_insert_with_key(|folder| inner.folders.chain(folder));
            if chain.is_empty() {
                return true;
            }
            let out = |scope: &Arc<Scope>| scope.excludes(&path) || scope.misses(&path);
            let id = engine
                .rules()
                .rule(m.rule)
                .map_or("", |rule| &rule.spec().id);
            if excludes && chain.iter().any(out) {
                left_out.insert(place.path.clone());
                place.dropped = Some(format!("excluded by {NAME}"));
            } else if !inner.chosen.iter().any(|chosen| chosen == id) {
                let line =
                    |scope: &Arc<Scope>| Some((scope.disables(id)?, scope.file.name.clone()));
                let disabled = chain.iter().find_map(line);
                let why = disabled.map(|(line, name)| format!("rule disabled by {name}:{line}"));
                place.dropped = why;
            }
            keep || place.dropped.is_none()
        });
        left_out
    }

    /// Says in the summary which files counted and what they narrow, and what is wrong with those deeper in the tree.
    pub(crate) fn account(&self, rules: &RuleSet, summary: &mut Summary, shared: &Shared) {
        let Some(inner) = self.0.as_deref() else {
            return;
        };
        let loaded = inner.folders.loaded();
        let of_run =
            |scope: &&Arc<Scope>| inner.layers.iter().any(|l| Arc::ptr_eq(&l.scope, scope));
        let deeper = loaded.iter().filter(|scope| !of_run(scope));
        let mut used: Vec<&str> = inner.layers.iter().map(|layer| &*layer.shown).collect();
        let mut problems = inner.folders.problems();
        summary.notes.extend(inner.notes.iter().cloned());
        for scope in deeper {
            let file = &scope.file;
            used.push(&file.name);
            problems.extend(unknown_rules(file, &file.name, rules));
            if let Some(first) = file.rules.disable.first() {
                let at = format!("{}:{}", file.name, first.line);
                let count = file.rules.disable.len();
                let rules = if count == 1 { "rule" } else { "rules" };
                summary
                    .notes
                    .push(format!("{at} disables {count} {rules} below its folder"));
            }
            for (key, line) in file.run_wide() {
                let at = format!("{}:{line}", file.name);
                summary.notes.push(format!(
                    "{at}: {key} counts only at the top of what is scanned, and is not used"
                ));
            }
        }
        for layer in inner.layers.iter().filter(|layer| !layer.at_root) {
            let keys = layer.file().run_wide().into_iter();
            for (key, line) in
                keys.filter(|(key, _)| matches!(*key, "fingerprint_salt" | "baseline"))
            {
                let at = layer.at(line);
                summary.notes.push(format!(
                    "{at}: {key} counts only in the file at the project's root, and is not used"
                ));
            }
        }
        if shared.verbose > 0 {
            let used = if used.is_empty() {
                "none".to_owned()
            } else {
                used.join(", ")
            };
            summary.notes.push(format!("configuration: {used}"));
        }
        for problem in problems {
            summary.gaps.push(Gap {
                path: format!("{}:{}", problem.path, problem.line),
                reason: problem.message,
            });
        }
    }
}

/// The rules that a file names and that do not exist.
pub(crate) fn unknown_rules(file: &ConfigFile, shown: &str, rules: &RuleSet) -> Vec<FileError> {
    let disabled = file.rules.disable.iter().map(|at| (&at.value, at.line));
    let enabled = file.rules.enable.iter().map(|at| (&at.value, at.line));
    let allowed = file.allowed_rules.iter().map(|at| (&at.value, at.line));
    let named = disabled.chain(enabled).chain(allowed);
    named
        .filter_map(|(id, line)| {
            let near = rules.knows(id).err()?;
            let hint = near.map(|near| format!("; did you mean `{near}`?"));
            let hint = hint.unwrap_or_default();
            let id: String = id.chars().take(60).collect();
            Some(FileError {
                path: shown.to_owned(),
                line: line as usize,
                message: format!(
                    "no rule has the id `{id}`{hint} (`keysweep rules list` shows all)"
                ),
            })
        })
        .collect()
}
