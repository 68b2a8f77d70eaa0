//! The secrets of a report, read again where they stand: a report never holds them.
//!
//! Every place that a report names is looked at (files below the root, git's objects, names), with the rules of the run, until a
//! match has the finding's fingerprint. A report may come from anywhere: its paths never lead out of the root, and not through links.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};

use anyhow::bail;

use keysweep::history::{Removed, Repo, files_below, refs};
use keysweep::model::{
    Checked, Credential, Finding, Fingerprint, Oid, Origin, Parts, Place, Verification,
};
use keysweep::pack::{Db, Kind};
use keysweep::provider::Registry;
use keysweep::rule::block::Verify;
use keysweep::scan::{
    BlobMatch, Engine, Options, PUBLISHED_SALT, Scratch, Settings, fingerprint, scan_bytes,
    scan_reader,
};
use keysweep::source::open_regular;
use keysweep::verify::beside::{Beside, FAR};

use crate::cli::git::{MEMORY, is_address, path_of, trust};
use crate::cli::progress::stopped;

/// Bytes of a file that are read at once where a host is looked for: the secret is in the middle of three such parts.
const PART: u64 = FAR as u64;
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
    pub(super) fn files(&self, path: &[u8]) -> Vec<PathBuf> {
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

/// Findings with their secrets: one for each question that its provider can be asked of it.
#[derive(Default)]
pub(crate) struct Live {
    /// A finding whose secret stands beside several users or hosts is there for each; the first has its fingerprint.
    pub(crate) findings: Vec<Finding>,
    /// For each of them the number of the finding that it is of.
    of: Vec<usize>,
    /// For each of them whether its parts are one choice of several.
    chosen: Vec<bool>,
}

impl Live {
    /// Gives the findings what was said of them. What stands for several logins works where one of them does, and is dead where all are.
    pub(crate) fn tell(&self, findings: &mut [Finding]) {
        let rank = |checked: &Checked| match checked.verification {
            Verification::Active(_) => 3,
            Verification::Unknown(_) => 2,
            Verification::Inactive(_) => 1,
            Verification::Unsupported => 0,
        };
        for (number, finding) in findings.iter_mut().enumerate() {
            let own = self.of.iter().zip(&self.findings).zip(&self.chosen);
            let own = own.filter(|((of, _), _)| **of == number);
            let said = own.filter_map(|((_, live), is_chosen)| {
                Some((live, live.verification.as_ref()?, *is_chosen))
            });
            // Of equal words the first stays.
            let Some((live, checked, is_chosen)) = said.rev().max_by_key(|(_, c, _)| rank(c))
            else {
                finding.verification = None;
                continue;
            };
            finding.verification = Some(checked.clone());
            // User and host are those that it is said of, and what stands beside it that which works with it.
            let is_active = matches!(checked.verification, Verification::Active(_));
            if is_active && is_chosen || self.of.iter().filter(|of| **of == number).count() > 1 {
                finding.credential.parts.clone_from(&live.credential.parts);
            }
        }
    }
}

/// A match with the host that stands beside it.
struct Seen {
    rule: usize,
    credential: Credential,
}

/// A credential, once for each host that it may be of.
pub(super) fn with_hosts(credential: Credential, hosts: Vec<String>) -> Vec<Credential> {
    if hosts.is_empty() {
        return vec![credential];
    }
    let of = |host: String| {
        let mut credential = credential.clone();
        let rivals = credential.rivals.parts.iter_mut();
        for parts in std::iter::once(&mut credential.parts).chain(rivals) {
            parts.retain(|(name, _)| name != "host");
            parts.push(("host".to_owned(), host.clone()));
            parts.sort();
        }
        credential
    };
    hosts.into_iter().map(of).collect()
}

/// Sources of one finding that are looked at where its parts count.
const SOURCES: usize = 200;
/// Choices of a finding's parts that are kept.
const CHOICES: usize = 256;

/// Reads secrets again.
pub(crate) struct Reread<'e> {
    engine: &'e Engine,
    registry: &'e Registry,
    roots: Option<&'e Roots>,
    salts: Vec<&'e [u8]>,
    /// The repositories around the roots, and those of their submodules; opened when one is needed.
    repositories: Option<Vec<(Option<Repo>, Db)>>,
    options: Options,
    scratch: Scratch,
}

impl<'e> Reread<'e> {
    /// With the rules and the salt that the project's configuration has now.
    pub(crate) fn new(
        engine: &'e Engine,
        registry: &'e Registry,
        roots: Option<&'e Roots>,
        salt: &'e [u8],
    ) -> Self {
        let mut salts = vec![salt];
        if salt != PUBLISHED_SALT {
            // The report may have been made without the project's configuration.
            salts.push(PUBLISHED_SALT);
        }
        Self {
            engine,
            registry,
            roots,
            salts,
            repositories: None,
            options: Options {
                settings: Settings {
                    inline_allow: false,
                    keep_dropped: true,
                    with_rivals: true,
                    ..Settings::default()
                },
                ..Options::default()
            },
            scratch: Scratch::default(),
        }
    }

    /// Puts secrets and parts into findings: those that a report has without them, and those whose parts decide who is asked. What stands
    /// nowhere any more stays as it is.
    pub(crate) fn run(&mut self, findings: &[Finding]) -> Live {
        let parts_count = |finding: &Finding| {
            let proof = self.registry.proof(&finding.rule);
            proof.is_some_and(Verify::needs_parts)
        };
        let with_parts: Vec<bool> = findings.iter().map(parts_count).collect();
        let mut wanted: HashMap<(String, Fingerprint), Vec<usize>> = HashMap::new();
        for (number, (finding, with_parts)) in findings.iter().zip(&with_parts).enumerate() {
            if *with_parts || !finding.credential.secret.is_known() {
                let key = (finding.rule.clone(), finding.fingerprint);
                wanted.entry(key).or_default().push(number);
            }
        }
        let mut found: Vec<Vec<Credential>> = findings.iter().map(|_| Vec::new()).collect();
        let mut left_out = vec![false; findings.len()];
        let mut looked_at = BTreeSet::new();
        for (number, (finding, with_parts)) in findings.iter().zip(&with_parts).enumerate() {
            if !with_parts && finding.credential.secret.is_known() {
                continue;
            }
            let sources = finding.places.iter().flat_map(|place| {
                let sources = self.sources(place).into_iter();
                sources.map(|source| (source, &place.path))
            });
            let mut sources: Vec<_> = sources.take(SOURCES + 1).collect();
            if let Some(left_out) = left_out.get_mut(number) {
                *left_out = sources.len() > SOURCES;
            }
            sources.truncate(SOURCES);
            for (source, path) in sources {
                let is_there = found.get(number).is_some_and(|all| !all.is_empty());
                if stopped() || !with_parts && is_there {
                    break;
                }
                if !looked_at.insert(source.clone()) {
                    continue;
                }
                for seen in self.matches(&source, path) {
                    self.fit(&seen, &wanted, &mut found);
                }
            }
        }
        let mut live = Live::default();
        for (number, (finding, found)) in findings.iter().zip(found).enumerate() {
            let is_cut = left_out.get(number) == Some(&true);
            let found = self.grouped(finding, found, is_cut);
            self.add(number, finding, &found, &mut live);
        }
        live
    }

    /// The same credentials; those of a kind whose parts stand beside it are one for each host, with all that may be its parts.
    fn grouped(&self, finding: &Finding, found: Vec<Credential>, is_cut: bool) -> Vec<Credential> {
        if !self.registry.is_paired(&finding.rule) {
            return found;
        }
        let mut all: Vec<Credential> = Vec::new();
        // What is nearest at each of its places comes first.
        let nearest = found.iter().map(|credential| &credential.parts);
        let others = found.iter().flat_map(|c| &c.rivals.parts);
        let mut known: BTreeSet<&Parts> = BTreeSet::new();
        let sets: Vec<&Parts> = nearest
            .chain(others)
            .filter(|set| known.insert(set))
            .collect();
        let is_more = |set: &Parts, other: &Parts| {
            other.len() > set.len() && set.iter().all(|part| other.contains(part))
        };
        let host = |parts: &Parts| {
            let mut parts = parts.iter();
            parts
                .find(|(name, _)| name == "host")
                .map(|(_, host)| host.clone())
        };
        let Some(first) = found.first() else {
            return Vec::new();
        };
        for set in sets.iter().take(CHOICES) {
            // What stands with more elsewhere is the same without it.
            if sets.iter().any(|other| is_more(set, other)) {
                continue;
            }
            let mut groups = all.iter_mut();
            match groups.find(|group| host(&group.parts) == host(set)) {
                Some(group) => group.rivals.parts.push((*set).clone()),
                None => all.push(first.with(set)),
            }
        }
        let mut unseen = found.iter().find_map(|c| c.rivals.unseen.clone());
        if is_cut || sets.len() > CHOICES {
            unseen = Some("it stands at more places than are looked at".to_owned());
        }
        for credential in &mut all {
            credential.rivals.unseen.clone_from(&unseen);
        }
        all
    }

    /// Adds a finding once for each credential that it stands for.
    #[expect(
        clippy::disallowed_methods,
        reason = "further fingerprints are made of the secret and its parts"
    )]
    fn add(&self, number: usize, finding: &Finding, found: &[Credential], live: &mut Live) {
        let mut all: Vec<Credential> = Vec::new();
        for credential in found {
            // What stands with more elsewhere is the same without it.
            let has = |other: &Credential| {
                let mut parts = credential.parts.iter();
                other.parts.len() > credential.parts.len() && parts.all(|p| other.parts.contains(p))
            };
            match all.iter_mut().find(|other| other.parts == credential.parts) {
                Some(same) => {
                    let unseen = &credential.rivals.unseen;
                    same.rivals.unseen = same.rivals.unseen.take().or_else(|| unseen.clone());
                }
                None if found.iter().any(has) => {}
                None => all.push(credential.clone()),
            }
        }
        if all.is_empty() {
            let mut credential = finding.credential.clone();
            if self.registry.is_paired(&finding.rule) {
                let why = "what stands beside it cannot be read again";
                credential.rivals.unseen = Some(why.to_owned());
            }
            let hosts = if credential.part("host").is_none() {
                self.hosts_in_snippet(finding)
            } else {
                Vec::new()
            };
            all.extend(with_hosts(credential, hosts));
        }
        let salt = self.salts.first().copied().unwrap_or_default();
        for (index, credential) in all.into_iter().enumerate() {
            let mut one = finding.clone();
            for (name, value) in &mut one.opens {
                if let Some(part) = credential.part(name) {
                    part.clone_into(value);
                }
            }
            if index > 0 {
                let mut print = credential.secret.expose().to_vec();
                for (name, value) in &credential.parts {
                    print.extend([&[0], name.as_bytes(), &[0], value.as_bytes()].concat());
                }
                one.fingerprint = fingerprint(&one.rule, &print, salt);
            }
            live.chosen.push(!credential.rivals.parts.is_empty());
            one.credential = credential;
            live.findings.push(one);
            live.of.push(number);
        }
    }

    /// The hosts beside a secret that is known and whose places cannot be read again, on its lines.
    #[expect(clippy::disallowed_methods, reason = "the line is searched for a host")]
    fn hosts_in_snippet(&self, finding: &Finding) -> Vec<String> {
        let Some(proof) = self.registry.proof(&finding.rule) else {
            return Vec::new();
        };
        let mut all = BTreeSet::new();
        for place in &finding.places {
            let (start, end) = place.snippet.secret;
            let line = Beside::of(place.snippet.text.expose());
            all.extend(line.hosts(&(start..end), &proof.beside, &proof.home));
        }
        all.into_iter().collect()
    }

    /// Gives a match to the findings whose fingerprint it has.
    #[expect(
        clippy::disallowed_methods,
        reason = "the fingerprint is made of the secret"
    )]
    fn fit(
        &self,
        seen: &Seen,
        wanted: &HashMap<(String, Fingerprint), Vec<usize>>,
        found: &mut [Vec<Credential>],
    ) {
        let Some(rule) = self.engine.rules().rule(seen.rule) else {
            return;
        };
        let id = rule.spec().id.to_string();
        for salt in &self.salts {
            let print = fingerprint(&id, seen.credential.secret.expose(), salt);
            for number in wanted.get(&(id.clone(), print)).into_iter().flatten() {
                if let Some(all) = found.get_mut(*number) {
                    all.push(seen.credential.clone());
                }
            }
        }
    }

    /// A match as credentials, one for each host beside it where the kind has one; `text` holds the bytes of its source from `from` on.
    fn seen(&self, m: BlobMatch, text: &Beside<'_>, from: u64) -> Vec<Seen> {
        let rule = self.engine.rules().rule(m.rule);
        let proof = rule.and_then(|rule| self.registry.proof(&rule.spec().id));
        let at = |offset: u64| usize::try_from(offset.saturating_sub(from)).unwrap_or(usize::MAX);
        let span = at(m.place.span.start)..at(m.place.span.end);
        let mut credential = Credential::new(m.secret, m.parts);
        credential.rivals = m.rivals;
        let is_told = credential.part("host").is_some_and(|host| !host.is_empty());
        let hosts = proof.filter(|_| !is_told);
        let hosts = hosts.map_or_else(Vec::new, |p| text.hosts(&span, &p.beside, &p.home));
        let other = proof.filter(|_| !is_told);
        let other = other.and_then(|p| text.elsewhere(&span, &p.beside, &p.home, &hosts));
        if let Some(other) = other {
            credential.rivals.unseen = Some(format!("`{other}` stands further away"));
        }
        let all = with_hosts(credential, hosts).into_iter();
        let rule = m.rule;
        all.map(|credential| Seen { rule, credential }).collect()
    }

    /// The same for the matches in a file that was read as a stream.
    fn seen_in(&self, mut matches: Vec<BlobMatch>, file: &mut File) -> Vec<Seen> {
        matches.sort_by_key(|m| m.place.span.start);
        let mut all = Vec::new();
        let part = |m: &BlobMatch| m.place.span.start / PART;
        for matches in matches.chunk_by(|a, b| part(a) == part(b)) {
            let from = matches.first().map_or(0, part).saturating_sub(1) * PART;
            let mut text = Vec::new();
            let read = file
                .seek(SeekFrom::Start(from))
                .and_then(|_| Read::by_ref(file).take(3 * PART).read_to_end(&mut text));
            // A file that went away meanwhile has nothing beside the secret.
            if read.is_err() {
                text.clear();
            }
            let text = Beside::of(&text);
            for m in matches {
                all.extend(self.seen(m.clone(), &text, from));
            }
        }
        all
    }

    /// What may hold the secret of a place.
    fn sources(&self, place: &Place) -> Vec<Source> {
        let objects = || place.blob.or(place.commit).map(Source::Object);
        match place.origin {
            Origin::Ref => vec![Source::Refs],
            Origin::Name => place.commit.map(Source::Names).into_iter().collect(),
            Origin::Commit | Origin::Tag => objects().into_iter().collect(),
            Origin::Content => place.blob.map_or_else(
                || {
                    let files = self.roots.map(|roots| roots.files(&place.path));
                    let files = files.unwrap_or_default().into_iter();
                    files.map(Source::File).collect()
                },
                |blob| vec![Source::Object(blob)],
            ),
        }
    }

    fn matches(&mut self, source: &Source, path: &[u8]) -> Vec<Seen> {
        match source {
            Source::File(file) => {
                let Ok(mut content) = open_regular(file, false) else {
                    return Vec::new();
                };
                let (options, scratch) = (&self.options, &mut self.scratch);
                let outcome =
                    scan_reader(self.engine, &mut content.file, path, options, scratch, &());
                self.seen_in(outcome.matches, &mut content.file)
            }
            Source::Object(id) => {
                let bytes = self.repositories().iter().find_map(|(_, db)| {
                    let stored = db.find(id, MEMORY).ok().flatten()?;
                    Some(stored.bytes)
                });
                let Some(bytes) = bytes else {
                    return Vec::new();
                };
                let matches = self.scan(&bytes, path);
                if matches.is_empty() {
                    return Vec::new();
                }
                let text = Beside::of(&bytes);
                let matches = matches.into_iter();
                matches.flat_map(|m| self.seen(m, &text, 0)).collect()
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

    fn scan_names(&mut self, names: &BTreeSet<Vec<u8>>) -> Vec<Seen> {
        // A scan looks at each name of a path alone.
        let mut alone = BTreeSet::new();
        for name in names {
            alone.extend(name.split(|b| *b == b'/'));
            alone.insert(name);
        }
        let mut all = Vec::new();
        for name in alone {
            let matches = self.scan(name, name).into_iter();
            let text = Beside::of(name);
            all.extend(matches.flat_map(|m| self.seen(m, &text, 0)));
        }
        all
    }

    fn scan(&mut self, bytes: &[u8], path: &[u8]) -> Vec<BlobMatch> {
        scan_bytes(self.engine, bytes, path, &self.options, &mut self.scratch).matches
    }

    fn repositories(&mut self) -> &[(Option<Repo>, Db)] {
        self.repositories.get_or_insert_with(|| {
            let mut all = Vec::new();
            for (_, root) in self.roots.iter().flat_map(|roots| &roots.all) {
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
