//! The secrets of a report, read again where they stand: a report never holds them.
//!
//! Every place that a report names is looked at (files below the root, git's objects, names), with the rules of the run, until a
//! match has the finding's fingerprint. A report may come from anywhere: its paths never lead out of the root, and not through links.

use std::collections::{BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

use anyhow::bail;

use keysweep::history::{Removed, Repo, files_below, refs};
use keysweep::model::{Credential, Finding, Fingerprint, Oid, Origin, Place};
use keysweep::pack::{Db, Kind};
use keysweep::scan::{
    BlobMatch, Engine, Options, PUBLISHED_SALT, Scratch, Settings, fingerprint, scan_bytes,
    scan_reader,
};
use keysweep::source::open_regular;

use crate::cli::git::{MEMORY, is_address, path_of, trust};
use crate::cli::progress::stopped;

/// Files of a commit whose names are looked at.
const NAMES: usize = 500_000;

/// Where a report's places are.
#[derive(Debug)]
pub(crate) struct Roots {
    /// What was scanned, as reports name it, and where it is.
    all: Vec<(String, PathBuf)>,
}

impl Roots {
    /// The folders that the user names, else those that the report may mean.
    ///
    /// # Errors
    /// Where the report names a folder that is not here.
    pub(crate) fn of(named: &[PathBuf], report: &str) -> anyhow::Result<Self> {
        if let Some(missing) = named.iter().find(|path| !path.exists()) {
            bail!(
                "{}: no such folder; --root says where the scanned one lies",
                missing.display()
            );
        }
        if !named.is_empty() {
            let all = named
                .iter()
                .map(|path| (path.display().to_string(), path.clone()));
            let mut all: Vec<_> = all.collect();
            // What stands below the root as the report names it lies below the one that is named here.
            if let [(_, path)] = &all[..] {
                all.push((report.to_owned(), path.clone()));
            }
            return Ok(Self { all });
        }
        if is_address(report) {
            bail!("the report is of {report}; clone it and say with --root where the clone lies");
        }
        let root = Path::new(report);
        if !report.is_empty() && !root.exists() {
            bail!("the report is of {report}, which is not here; say with --root where it lies");
        }
        let mut all = Vec::new();
        if !report.is_empty() {
            all.push((report.to_owned(), root.to_owned()));
        }
        // With several roots, paths begin with them as they were named.
        all.push((String::new(), PathBuf::from(".")));
        Ok(Self { all })
    }

    /// The folder whose configuration counts.
    pub(crate) fn top(&self) -> Option<PathBuf> {
        let (_, path) = self.all.first()?;
        let path = path.canonicalize().ok()?;
        if path.is_dir() {
            Some(path)
        } else {
            path.parent().map(Path::to_owned)
        }
    }

    /// Files that a path may mean.
    fn files(&self, path: &[u8]) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for (shown, root) in &self.all {
            let root_bytes = shown.trim_end_matches('/');
            let root_bytes = root_bytes
                .strip_prefix("./")
                .unwrap_or(root_bytes)
                .as_bytes();
            let below = path
                .strip_prefix(root_bytes)
                .filter(|_| !root_bytes.is_empty());
            match below {
                Some([]) if root.is_file() => files.push(root.clone()),
                Some([b'/', rest @ ..]) => files.extend(inside(root, rest)),
                _ => {}
            }
            files.extend(inside(root, path));
        }
        files.dedup();
        files
    }
}

/// A path below a root; `None` for one that leads out of it or through a link.
fn inside(root: &Path, path: &[u8]) -> Option<PathBuf> {
    let relative = path_of(path);
    let mut whole = root.to_owned();
    let mut names = 0;
    for part in relative.components() {
        let Component::Normal(name) = part else {
            return None;
        };
        whole.push(name);
        names += 1;
        if whole.symlink_metadata().ok()?.is_symlink() {
            return None;
        }
    }
    (names > 0).then_some(whole)
}

/// Something that may hold a secret, looked at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    File(PathBuf),
    Object(Oid),
    /// The names of a commit's files and folders.
    Names(Oid),
    /// The names of refs.
    Refs,
}

/// Reads secrets again.
pub(crate) struct Reread<'e> {
    engine: &'e Engine,
    roots: &'e Roots,
    salts: Vec<&'e [u8]>,
    /// The repositories around the roots, and those of their submodules; opened when one is needed.
    repositories: Option<Vec<(Option<Repo>, Db)>>,
    options: Options,
    scratch: Scratch,
}

impl<'e> Reread<'e> {
    /// With the rules and the salt that the project's configuration has now.
    pub(crate) fn new(engine: &'e Engine, roots: &'e Roots, salt: &'e [u8]) -> Self {
        let mut salts = vec![salt];
        if salt != PUBLISHED_SALT {
            // The report may have been made without the project's configuration.
            salts.push(PUBLISHED_SALT);
        }
        Self {
            engine,
            roots,
            salts,
            repositories: None,
            options: Options {
                settings: Settings {
                    inline_allow: false,
                    keep_dropped: true,
                    ..Settings::default()
                },
                ..Options::default()
            },
            scratch: Scratch::default(),
        }
    }

    /// Puts the secrets and their parts into findings that a report has without them. What stands nowhere any more stays unknown.
    pub(crate) fn run(&mut self, findings: &mut [Finding]) {
        let mut wanted: HashMap<(String, Fingerprint), Vec<usize>> = HashMap::new();
        for (number, finding) in findings.iter().enumerate() {
            if !finding.credential.secret.is_known() {
                let key = (finding.rule.clone(), finding.fingerprint);
                wanted.entry(key).or_default().push(number);
            }
        }
        let mut found: Vec<Option<Credential>> = findings.iter().map(|_| None).collect();
        let mut looked_at = BTreeSet::new();
        for number in 0..findings.len() {
            let Some(finding) = findings.get(number) else {
                continue;
            };
            if finding.credential.secret.is_known() {
                continue;
            }
            let parts = finding.credential.parts.len();
            for place in &finding.places {
                let whole = |found: &Option<Credential>| {
                    found.as_ref().is_some_and(|c| c.parts.len() >= parts)
                };
                if stopped() || found.get(number).is_some_and(whole) {
                    break;
                }
                for source in self.sources(place) {
                    if !looked_at.insert(source.clone()) {
                        continue;
                    }
                    for m in self.matches(&source, &place.path) {
                        self.fit(&m, &wanted, &mut found);
                    }
                }
            }
        }
        for (finding, credential) in findings.iter_mut().zip(found) {
            if let Some(credential) = credential {
                finding.credential = credential;
            }
        }
    }

    /// Gives a match to the findings whose fingerprint it has; the one with the most parts stays.
    #[expect(
        clippy::disallowed_methods,
        reason = "the fingerprint is made of the secret"
    )]
    fn fit(
        &self,
        m: &BlobMatch,
        wanted: &HashMap<(String, Fingerprint), Vec<usize>>,
        found: &mut [Option<Credential>],
    ) {
        let Some(rule) = self.engine.rules().rule(m.rule) else {
            return;
        };
        let id = rule.spec().id.to_string();
        for salt in &self.salts {
            let print = fingerprint(&id, m.secret.expose(), salt);
            for number in wanted.get(&(id.clone(), print)).into_iter().flatten() {
                let Some(slot) = found.get_mut(*number) else {
                    continue;
                };
                if slot
                    .as_ref()
                    .is_none_or(|old| old.parts.len() < m.parts.len())
                {
                    *slot = Some(Credential {
                        secret: m.secret.clone(),
                        parts: m.parts.clone(),
                    });
                }
            }
        }
    }

    /// What may hold the secret of a place.
    fn sources(&self, place: &Place) -> Vec<Source> {
        let objects = || place.blob.or(place.commit).map(Source::Object);
        match place.origin {
            Origin::Ref => vec![Source::Refs],
            Origin::Name => place.commit.map(Source::Names).into_iter().collect(),
            Origin::Commit | Origin::Tag => objects().into_iter().collect(),
            Origin::Content => match place.blob {
                Some(blob) => vec![Source::Object(blob)],
                None => self
                    .roots
                    .files(&place.path)
                    .into_iter()
                    .map(Source::File)
                    .collect(),
            },
        }
    }

    fn matches(&mut self, source: &Source, path: &[u8]) -> Vec<BlobMatch> {
        match source {
            Source::File(file) => {
                let Ok(mut content) = open_regular(file, false) else {
                    return Vec::new();
                };
                let (options, scratch) = (&self.options, &mut self.scratch);
                scan_reader(self.engine, &mut content.file, path, options, scratch, &()).matches
            }
            Source::Object(id) => {
                let bytes = self.repositories().iter().find_map(|(_, db)| {
                    let stored = db.find(id, MEMORY).ok().flatten()?;
                    Some(stored.bytes)
                });
                bytes.map_or_else(Vec::new, |bytes| self.scan(&bytes, path))
            }
            Source::Names(commit) => {
                let mut names = BTreeSet::new();
                for (_, db) in self.repositories() {
                    let tree = db.find(commit, MEMORY).ok().flatten().and_then(|stored| {
                        let commit = keysweep::history::parse(*commit, &stored.bytes);
                        commit.filter(|_| stored.kind == Kind::Commit)
                    });
                    let Some(commit) = tree else { continue };
                    let root = Removed {
                        path: Vec::new(),
                        id: commit.tree,
                    };
                    let files = files_below(db, &root, NAMES).into_iter();
                    names.extend(files.map(|file| file.path));
                }
                self.scan_names(&names)
            }
            Source::Refs => {
                let mut names = BTreeSet::new();
                for repo in self
                    .repositories()
                    .iter()
                    .filter_map(|(repo, _)| repo.as_ref())
                {
                    if let Ok(refs) = refs(repo) {
                        let tips = refs.tips.into_iter().chain(refs.work_trees);
                        names.extend(tips.map(|tip| tip.name.into_bytes()));
                    }
                }
                self.scan_names(&names)
            }
        }
    }

    fn scan_names(&mut self, names: &BTreeSet<Vec<u8>>) -> Vec<BlobMatch> {
        // A scan looks at each name of a path alone.
        let mut alone = BTreeSet::new();
        for name in names {
            alone.extend(name.split(|b| *b == b'/'));
            alone.insert(name);
        }
        let matches = alone.into_iter().flat_map(|name| self.scan(name, name));
        matches.collect()
    }

    fn scan(&mut self, bytes: &[u8], path: &[u8]) -> Vec<BlobMatch> {
        scan_bytes(self.engine, bytes, path, &self.options, &mut self.scratch).matches
    }

    fn repositories(&mut self) -> &[(Option<Repo>, Db)] {
        self.repositories.get_or_insert_with(|| {
            let mut all = Vec::new();
            for (_, root) in &self.roots.all {
                let Ok(repo) = Repo::discover(root, &trust(root)) else {
                    continue;
                };
                let (db, _) = repo.objects();
                let (submodules, _) = repo.submodules();
                all.push((Some(repo), db));
                for submodule in submodules {
                    let trust = keysweep::history::Trust {
                        git_dir: Some(submodule.git_dir.clone()),
                        ..Default::default()
                    };
                    if let Ok(repo) = Repo::discover(&submodule.git_dir, &trust) {
                        let (db, _) = repo.objects();
                        all.push((Some(repo), db));
                    }
                }
            }
            all
        })
    }
}
