//! A working tree: folder by folder, what is to be scanned and what is left out, with the reason.
//!
//! One call lists one folder, so that threads can share the walk as they share the scanning.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::GlobSet;

use super::ignored::{DamagedIndex, Repository, Rules};
use crate::config::{self, Folders, Scope};
use crate::model::{Gap, Skip, SkipKind};
use crate::place::is_notable;

/// What of a tree is scanned.
#[derive(Debug, Clone, Default)]
pub struct TreeOptions {
    /// Scan what git ignores, too.
    pub no_ignore: bool,
    /// If set: only paths that match.
    pub include: Option<GlobSet>,
    /// Not these paths.
    pub exclude: Option<GlobSet>,
    /// Only files of at most so many bytes.
    pub max_size: Option<u64>,
    /// The configuration files of the tree, whose `[scan]` holds below their folders.
    pub folders: Option<Arc<Folders>>,
}

/// A folder to list.
#[derive(Debug, Clone)]
pub struct DirTask {
    path: PathBuf,
    /// Path that reports show: relative to the root, behind the root's own name if there are several.
    shown: Vec<u8>,
    repository: Option<Arc<Located>>,
    /// The folder is ignored, but some tracked file stands below.
    tracked_only: bool,
    depth: usize,
    /// What configuration files say here; `None` where none are looked for.
    configured: Option<Configured>,
    /// Whether the repository around the root has an index that cannot be read.
    damaged: Option<DamagedIndex>,
}

/// What configuration files say in a folder.
#[derive(Debug, Clone)]
struct Configured {
    /// The folder, absolute and without links.
    real: PathBuf,
    scopes: Arc<[Arc<Scope>]>,
}

impl Configured {
    /// Whether an entry of the folder is left out.
    fn leaves_out(&self, name: &std::ffi::OsStr, is_file: bool, include: bool) -> bool {
        if self.scopes.is_empty() {
            return false;
        }
        let path = self.real.join(name);
        let out =
            |scope: &Arc<Scope>| scope.excludes(&path) || is_file && include && scope.misses(&path);
        self.scopes.iter().any(out)
    }
}

/// A repository with the place of its root.
#[derive(Debug)]
struct Located {
    root: PathBuf,
    repository: Repository,
}

/// A file to scan.
#[derive(Debug, Clone)]
pub struct FileTask {
    /// Where it is.
    pub path: PathBuf,
    /// Path that reports show.
    pub shown: Vec<u8>,
    /// Whether a link is followed: only the root itself, which the caller named.
    pub follow: bool,
}

/// What one folder holds.
#[derive(Debug, Default)]
pub struct Listing {
    /// Folders below.
    pub folders: Vec<(DirTask, RulesHandle)>,
    /// Files to scan.
    pub files: Vec<FileTask>,
    /// What is left out.
    pub skips: Vec<Skip>,
    /// What could not be listed.
    pub gaps: Vec<Gap>,
    /// A repository whose index cannot be read.
    pub damaged: Option<DamagedIndex>,
}

/// Ignore rules that hold in a folder.
#[derive(Debug, Clone, Default)]
pub struct RulesHandle(Option<Arc<Rules>>);

/// Deepest folder that is entered, counted from the root.
const MAX_DEPTH: usize = 512;

/// The walk over one root.
#[derive(Debug)]
pub struct Walk<'o> {
    root: PathBuf,
    options: &'o TreeOptions,
}

impl<'o> Walk<'o> {
    /// A walk below a folder that the caller named.
    #[must_use]
    pub fn new(root: &Path, options: &'o TreeOptions) -> Self {
        Self {
            root: root.to_path_buf(),
            options,
        }
    }

    /// The first folder, with the ignore rules of the repository around it.
    #[must_use]
    pub fn start(&self, prefix: &str) -> (DirTask, RulesHandle) {
        let mut task = DirTask {
            path: self.root.clone(),
            shown: prefix.as_bytes().to_vec(),
            repository: None,
            tracked_only: false,
            depth: 0,
            configured: self.configured(),
            damaged: None,
        };
        if self.options.no_ignore {
            return (task, RulesHandle::default());
        }
        // The root may be a folder inside a repository: its rules come from above.
        let absolute = fs::canonicalize(&self.root).unwrap_or_else(|_| self.root.clone());
        for ancestor in absolute.ancestors().skip(1) {
            if fs::symlink_metadata(ancestor.join(".git")).is_ok()
                && fs::symlink_metadata(absolute.join(".git")).is_err()
            {
                let repository = match Repository::at(ancestor, |_| true) {
                    Ok(Some(repository)) => repository,
                    Ok(None) => break,
                    Err(damaged) => {
                        task.damaged = Some(damaged);
                        break;
                    }
                };
                let mut rules = Rules::root(ancestor);
                let between: Vec<&Path> = absolute
                    .ancestors()
                    .take_while(|a| *a != ancestor)
                    .collect();
                let mut ignored = false;
                for folder in between.into_iter().rev() {
                    ignored |= rules.ignores(folder, true);
                    if folder != absolute {
                        rules = Rules::below(&rules, folder);
                    }
                }
                if ignored {
                    // The caller named an ignored folder: it is meant to be scanned.
                    return (task, RulesHandle::default());
                }
                task.path.clone_from(&absolute);
                task.repository = Some(Arc::new(Located {
                    root: ancestor.to_path_buf(),
                    repository,
                }));
                return (task, RulesHandle(Some(rules)));
            }
        }
        (task, RulesHandle::default())
    }

    /// What holds in the root. The caller named it: a scope that would leave out the root itself does not count.
    fn configured(&self) -> Option<Configured> {
        let folders = self.options.folders.as_ref()?;
        let real = fs::canonicalize(&self.root).ok()?;
        let chain = folders.chain(&real);
        let scopes = chain.into_iter().filter(|scope| !scope.excludes(&real));
        Some(Configured {
            scopes: scopes.collect(),
            real,
        })
    }

    /// Lists a folder.
    #[must_use]
    pub fn list(&self, mut task: DirTask, handle: &RulesHandle) -> Listing {
        let mut listing = Listing {
            damaged: task.damaged,
            ..Listing::default()
        };
        let gap = |shown: &[u8], reason: String| Gap {
            path: String::from_utf8_lossy(shown).into_owned(),
            reason,
        };
        let shown_or_root = |shown: &[u8]| {
            if shown.is_empty() {
                os_bytes(self.root.as_os_str())
            } else {
                shown.to_vec()
            }
        };
        if task.depth > MAX_DEPTH {
            listing.gaps.push(gap(
                &task.shown,
                format!("more than {MAX_DEPTH} folders deep"),
            ));
            return listing;
        }
        let entries = match fs::read_dir(&task.path) {
            Ok(entries) => entries,
            Err(e) => {
                listing
                    .gaps
                    .push(gap(&shown_or_root(&task.shown), reason(&e)));
                return listing;
            }
        };
        let mut names = Vec::new();
        for entry in entries {
            match entry.and_then(|e| e.file_type().map(|t| (e.file_name(), t))) {
                Ok(pair) => names.push(pair),
                Err(e) => listing
                    .gaps
                    .push(gap(&shown_or_root(&task.shown), reason(&e))),
            }
        }
        let mut rules = handle.0.clone();
        if !self.options.no_ignore {
            if names.iter().any(|(n, _)| n == ".git") {
                let root = fs::canonicalize(&self.root).unwrap_or_default();
                let named = task.depth == 0;
                let repository =
                    Repository::at(&task.path, |target| named || target.starts_with(&root));
                listing.damaged = repository.as_ref().err().copied();
                if let Ok(Some(repository)) = repository {
                    task.repository = Some(Arc::new(Located {
                        root: task.path.clone(),
                        repository,
                    }));
                    task.tracked_only = false;
                    rules = Some(Rules::root(&task.path));
                }
            } else if let Some(above) = &rules {
                rules = Some(Rules::below(above, &task.path));
            }
        }
        if let (Some(folders), Some(here)) = (&self.options.folders, &mut task.configured)
            && task.depth > 0
            && names.iter().any(|(name, _)| name == config::NAME)
        {
            here.scopes = folders.below(&here.scopes, &here.real).into();
        }
        for (name, kind) in names {
            if name == ".git" {
                continue;
            }
            let path = task.path.join(&name);
            let name_bytes = os_bytes(&name);
            let mut shown = task.shown.clone();
            if !shown.is_empty() && shown.last() != Some(&b'/') {
                shown.push(b'/');
            }
            shown.extend_from_slice(&name_bytes);
            let skip = |kind, mut shown: Vec<u8>, folder: bool| {
                if folder {
                    shown.push(b'/');
                }
                let notable = !folder && is_notable(&String::from_utf8_lossy(&name_bytes));
                Skip {
                    kind,
                    path: String::from_utf8_lossy(&shown).into_owned(),
                    notable,
                }
            };
            let shown_path = || Path::new(&*String::from_utf8_lossy(&shown)).to_path_buf();
            if self
                .options
                .exclude
                .as_ref()
                .is_some_and(|e| e.is_match(shown_path()))
            {
                listing
                    .skips
                    .push(skip(SkipKind::Excluded, shown, kind.is_dir()));
                continue;
            }
            if task.configured.as_ref().is_some_and(|here| {
                here.leaves_out(&name, kind.is_file(), self.options.include.is_none())
            }) {
                listing
                    .skips
                    .push(skip(SkipKind::Configured, shown, kind.is_dir()));
                continue;
            }
            if kind.is_symlink() {
                listing.skips.push(skip(SkipKind::Symlink, shown, false));
                continue;
            }
            let ignored = task.tracked_only
                || rules
                    .as_ref()
                    .is_some_and(|r| r.ignores(&path, kind.is_dir()));
            let in_repository =
                |l: &Located| path.strip_prefix(&l.root).map(slashed).unwrap_or_default();
            if kind.is_dir() {
                let is_repository = ignored && fs::symlink_metadata(path.join(".git")).is_ok();
                let mut below = DirTask {
                    path: path.clone(),
                    shown,
                    damaged: None,
                    repository: task.repository.clone(),
                    tracked_only: task.tracked_only,
                    depth: task.depth + 1,
                    configured: task.configured.as_ref().map(|here| Configured {
                        real: here.real.join(&name),
                        scopes: Arc::clone(&here.scopes),
                    }),
                };
                if ignored && !is_repository {
                    let tracked = task
                        .repository
                        .as_deref()
                        .is_some_and(|l| l.repository.tracks_below(&in_repository(l)));
                    if !tracked {
                        listing.skips.extend(ignored_folder(&path, &below.shown));
                        continue;
                    }
                    below.tracked_only = true;
                }
                listing.folders.push((below, RulesHandle(rules.clone())));
            } else if kind.is_file() {
                if ignored
                    && !task
                        .repository
                        .as_deref()
                        .is_some_and(|l| l.repository.tracks(&in_repository(l)))
                {
                    listing.skips.push(skip(SkipKind::Ignored, shown, false));
                    continue;
                }
                if self
                    .options
                    .include
                    .as_ref()
                    .is_some_and(|i| !i.is_match(shown_path()))
                {
                    listing.skips.push(skip(SkipKind::Excluded, shown, false));
                    continue;
                }
                listing.files.push(FileTask {
                    path,
                    shown,
                    follow: false,
                });
            } else {
                listing.skips.push(skip(SkipKind::Special, shown, false));
            }
        }
        listing
    }
}

/// An ignored folder counts once; files directly inside it whose names say secret are named.
fn ignored_folder(path: &Path, shown: &[u8]) -> Vec<Skip> {
    let shown = String::from_utf8_lossy(shown);
    let mut skips = vec![Skip {
        kind: SkipKind::Ignored,
        path: format!("{shown}/"),
        notable: false,
    }];
    let names = fs::read_dir(path)
        .into_iter()
        .flatten()
        .flatten()
        .take(1000);
    for entry in names {
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_notable(&name) && entry.file_type().is_ok_and(|t| t.is_file()) {
            skips.push(Skip {
                kind: SkipKind::Ignored,
                path: format!("{shown}/{name}"),
                notable: true,
            });
        }
    }
    skips
}

/// The system's answer without anything that it may quote.
pub(crate) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::NotFound => "vanished while it was scanned".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(unix)]
fn os_bytes(name: &std::ffi::OsStr) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(name).to_vec()
}

#[cfg(not(unix))]
fn os_bytes(name: &std::ffi::OsStr) -> Vec<u8> {
    name.to_string_lossy().into_owned().into_bytes()
}

/// A relative path with `/` between its names.
fn slashed(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for component in path.components() {
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend(os_bytes(component.as_os_str()));
    }
    bytes
}
