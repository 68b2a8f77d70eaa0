//! Which configuration files there are for a path, and reading them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};

use keysweep::config::{ConfigFile, FileError, Folders, NAME, Scope};
use keysweep::import::{Kind, Note, gitleaks};
use keysweep::rule::RuleSet;
use keysweep::{config, import};

use super::settle::{environment, switch};
use super::trust::distrust;
use super::{Inner, Layer, Whose};
use crate::cli::args::ConfigArgs;
#[cfg(unix)]
use crate::cli::git;

/// The folder whose configuration holds for a path: the current one for what comes through a pipe.
pub(super) fn folder_of(path: &Path) -> Option<PathBuf> {
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
pub(super) fn discover(tops: &[PathBuf], args: &ConfigArgs) -> anyhow::Result<Inner> {
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
                distrust: None,
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
        (own_file(&shown, &text)?, Vec::new())
    };
    let base = path.parent().unwrap_or(Path::new("")).to_owned();
    Ok(Some(Layer {
        whose,
        shown,
        base,
        scope: Arc::new(Scope::new(root, file)),
        remarks,
        distrust: distrust(path),
        at_root: true,
    }))
}

/// The caller's own file: here the sections count that say where secrets go, so what is wrong with them is told.
pub(crate) fn own_file(shown: &str, text: &str) -> anyhow::Result<ConfigFile> {
    let file = ConfigFile::parse(shown, text).map_err(joined)?;
    config::Online::parse(shown, text).map_err(joined)?;
    Ok(file)
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
    let open = |other: &str| crate::cli::import::inside(path, other);
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
            distrust: None,
            at_root: true,
        });
    }
    Ok(layers)
}

/// The user's own files that others can change.
pub(super) fn distrusted(layers: &[Layer]) -> impl Iterator<Item = String> {
    layers.iter().filter_map(|layer| {
        let why = layer.distrust.as_ref()?;
        Some(format!("{} {why}", layer.shown))
    })
}

/// What another scanner's file means here: a line for each file, or each remark.
pub(super) fn remarked(layers: &[Layer], every: bool) -> Vec<String> {
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
