//! The configuration of a run: which files count, what wins (flag, environment, files, default), and where it came from.

mod find;
mod settle;
mod trust;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use clap::parser::ValueSource;

use keysweep::config::{ConfigFile, FileError, Folders, NAME, Scope};
use keysweep::history::Repo;
use keysweep::import::Note;
use keysweep::model::{Gap, Origin, Skip, SkipKind, Summary};
use keysweep::place::is_notable;
use keysweep::place::suppress::Scope as Allowed;
use keysweep::rule::{Error as RuleError, RuleFile, RuleSet, Selection};
use keysweep::scan::{Addition, AuditOutcome, BlobMatch, Engine, Outcome, PUBLISHED_SALT};

use super::args::{CommonArgs, GitArgs, ScanArgs, Shared};
use super::git::{self, path_of};
use find::{discover, folder_of};
use settle::{Narrow, settle};

pub(crate) use find::{
    above, is_gitleaks, joined, of_gitleaks, own_file, root_of, shown, user_file,
};
pub(crate) use settle::{check_format, rules_of};
#[cfg(feature = "online")]
pub(crate) use trust::distrust;

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
    /// Why the file is not to be trusted.
    distrust: Option<String>,
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
    #[cfg(feature = "online")]
    args.common.ask(&args.ask);
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
    let common = args.common.clone();
    #[cfg(feature = "online")]
    let common = {
        let mut common = common;
        common.ask(&args.ask);
        common
    };
    let (common, shared) = of_tree(top.as_deref(), &common, shared)?;
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

    /// `[[allow]]` of every file that was read, each with where it counts below a root, which outside of repositories may
    /// lie below the files. Complete only when the run is over: files deeper in the tree are read on the way.
    pub(crate) fn allowed(&self, root: Option<&Path>) -> Vec<Allowed> {
        let Some(inner) = self.0.as_deref() else {
            return Vec::new();
        };
        let whose = |layer: &&Layer| layer.whose != Whose::Tree;
        let own = inner.layers.iter().filter(whose);
        let own = own.map(|layer| Allowed {
            entries: layer.file().allow.clone(),
            ..Allowed::default()
        });
        let root = root.unwrap_or(&inner.root);
        let way = |from: &Path, to: &Path| {
            let way = to.strip_prefix(from).ok()?;
            Some(way.to_string_lossy().replace('\\', "/"))
        };
        let tree = inner.folders.loaded().into_iter().filter_map(|scope| {
            let (folder, above) = match way(root, &scope.folder) {
                Some(folder) => (folder, String::new()),
                None => (String::new(), way(&scope.folder, root)?),
            };
            Some(Allowed {
                folder,
                above,
                entries: scope.file.allow.clone(),
            })
        });
        let all = own.chain(tree);
        all.filter(|scope| !scope.entries.is_empty()).collect()
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
            if place.dropped.is_some() && place.covered.is_none()
                || !matches!(place.origin, Origin::Content | Origin::Name)
            {
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
            let disables = |id: &str| {
                let line =
                    |scope: &Arc<Scope>| Some((scope.disables(id)?, scope.file.name.clone()));
                let is_chosen = inner.chosen.iter().any(|chosen| chosen == id);
                chain.iter().find_map(line).filter(|_| !is_chosen)
            };
            // A rule that is not used here wins over nothing.
            place.uncover(|cover| disables(&cover.rule).is_none());
            let id = engine
                .rules()
                .rule(m.rule)
                .map_or("", |rule| &rule.spec().id);
            if excludes && chain.iter().any(out) {
                left_out.insert(place.path.clone());
                place.dropped = Some(format!("excluded by {NAME}"));
                place.covered = None;
            } else if let Some((line, name)) = disables(id) {
                place.dropped = Some(format!("rule disabled by {name}:{line}"));
                place.covered = None;
            }
            keep || place.dropped.is_none() || place.covered.is_some()
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
            for section in &file.online {
                summary.notes.push(settle::not_here(&file.name, section));
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
