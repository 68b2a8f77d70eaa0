//! The rules of a run: immutable, shared between threads, built in under a millisecond.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use regex_automata::meta::Regex;
use sha2::{Digest, Sha256};

use super::block::Blocks;
use super::builtin;
use super::compiled::{Compiled, any_of, check_regex, compile};
use super::file::{self, FileError, RuleFile, nearest};
use super::prefilter::Prefilter;
use super::spec::{RuleSpec, Text};

/// Which rules a run uses.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Rule files, or folders of them, beside the built-in ones.
    pub files: Vec<PathBuf>,
    /// Rule files that were read already, each with its name for errors.
    pub parsed: Vec<(String, RuleFile)>,
    /// Leave the built-in ones out.
    pub no_builtin: bool,
    /// If not empty: these ids alone.
    pub enable: Vec<String>,
    /// Not these ids.
    pub disable: Vec<String>,
    /// Not these either, but they need not exist.
    pub without: Vec<String>,
}

/// Why a rule set was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A rule file cannot be read.
    #[error("{path}: {reason}; name a rule file, or a folder of them")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        reason: std::io::Error,
    },
    /// A rule file is wrong.
    #[error(transparent)]
    File(#[from] FileError),
    /// A pattern compiles to more than a rule may take.
    #[error("{path}: rule `{id}`: pattern does not compile within 1 MB: {reason}")]
    Pattern {
        /// The file, or `built-in`.
        path: String,
        /// The rule.
        id: String,
        /// What the regex engine says.
        reason: String,
    },
    /// The search for a rule's keywords takes more than it may.
    #[error("{path}: rule `{id}`: the keywords are too many; name the most telling ones")]
    Keywords {
        /// The file.
        path: String,
        /// The rule.
        id: String,
    },
    /// An id given by the caller names no rule.
    #[error("no rule has the id `{id}`{hint}; `keysweep rules list` shows all")]
    Unknown {
        /// The id.
        id: String,
        /// A near one, as `; did you mean …`.
        hint: String,
    },
    /// A rule's companion does not exist.
    #[error("rule `{rule}`: near names `{companion}`, and no rule has that id{hint}")]
    Companion {
        /// The rule.
        rule: String,
        /// The id that it names.
        companion: String,
        /// A near one, as `; did you mean …`.
        hint: String,
    },
    /// Two rules share an id.
    #[error("{path}: rule `{id}` is defined already; give it another id, or disable the other one")]
    Twice {
        /// The file of the second.
        path: String,
        /// The id.
        id: String,
    },
    /// A glob does not parse.
    #[error("rule `{id}`: path glob: {reason}")]
    Glob {
        /// The rule.
        id: String,
        /// Why.
        reason: String,
    },
    /// More literals than the search has room for.
    #[error(
        "{rules} rules have more literals than one search can hold; load fewer rule files, or choose with --enable"
    )]
    TooMany {
        /// The rules.
        rules: usize,
    },
    /// A folder of rules holds none.
    #[error("{path}: no rule file (*.toml) in this folder")]
    Empty {
        /// The folder.
        path: PathBuf,
    },
}

/// A rule ready to run.
#[derive(Debug)]
pub struct Rule {
    spec: Cow<'static, RuleSpec>,
    compiled: OnceLock<Option<Compiled>>,
    keywords: OnceLock<Option<Regex>>,
    only: Option<GlobSet>,
    never: Option<GlobSet>,
    require: u8,
}

impl Rule {
    fn new(spec: Cow<'static, RuleSpec>) -> Result<Self, Error> {
        let globs = |list: &[Text]| -> Result<Option<GlobSet>, Error> {
            if list.is_empty() {
                return Ok(None);
            }
            let fail = |e: globset::Error| Error::Glob {
                id: spec.id.to_string(),
                reason: e.to_string(),
            };
            let mut set = GlobSetBuilder::new();
            for glob in list {
                set.add(
                    GlobBuilder::new(glob)
                        .case_insensitive(true)
                        .build()
                        .map_err(fail)?,
                );
            }
            set.build().map(Some).map_err(fail)
        };
        let (only, never) = (globs(&spec.only)?, globs(&spec.never)?);
        let require = spec
            .require
            .iter()
            .fold(0, |bits, sort| bits | sort_bit(sort));
        Ok(Self {
            spec,
            compiled: OnceLock::new(),
            keywords: OnceLock::new(),
            only,
            never,
            require,
        })
    }

    /// The rule as data.
    #[must_use]
    pub fn spec(&self) -> &RuleSpec {
        &self.spec
    }

    /// Whether a match speaks for itself where nothing around it does: its secret begins with the
    /// rule's own literal, is a key block, or stands in a URL that the literal begins.
    #[must_use]
    pub fn is_distinctive(&self) -> bool {
        let spec = &self.spec;
        let url = spec.literals.iter().any(|l| l.contains("://"));
        (spec.prefixed || url)
            && !spec.generic
            && (!spec.ignore_case || spec.block.is_some() || url)
    }

    /// The compiled pattern; compiled on first use. `None` only where [`RuleSet::load`] would have
    /// refused the rule.
    #[must_use]
    pub fn compiled(&self) -> Option<&Compiled> {
        self.compiled
            .get_or_init(|| compile(&self.spec).ok())
            .as_ref()
    }

    /// Whether the rule looks into a text: one that holds one of its keywords, where it has any.
    #[must_use]
    pub fn looks_into(&self, text: &[u8]) -> bool {
        let words = &self.spec.keywords;
        words.is_empty()
            || self
                .keywords
                .get_or_init(|| any_of(words).ok())
                .as_ref()
                .is_some_and(|search| search.is_match(text))
    }

    /// Whether the rule applies to a path (relative, with `/`).
    #[must_use]
    pub fn applies_to(&self, path: &Path) -> bool {
        self.only.as_ref().is_none_or(|g| g.is_match(path))
            && self.never.as_ref().is_none_or(|g| !g.is_match(path))
    }

    /// Whether the secret holds each sort of character that the rule requires.
    #[must_use]
    pub fn has_required(&self, secret: &[u8]) -> bool {
        self.require & !sorts(secret) == 0
    }

    /// Whether its matches rest on a call or a statement, not on the name of the value.
    #[must_use]
    pub fn is_call(&self) -> bool {
        let form = |literal: &Text| literal.contains(['(', ' ']);
        self.spec.literals.iter().all(form)
    }

    /// Whether it holds all of them but a digit.
    #[must_use]
    pub fn lacks_digits_alone(&self, secret: &[u8]) -> bool {
        self.require & !sorts(secret) == sort_bit("digit")
    }
}

/// The sorts of character in a text, as bits.
fn sorts(text: &[u8]) -> u8 {
    text.iter().fold(0, |bits, b| bits | byte_bits(*b))
}

fn sort_bit(sort: &str) -> u8 {
    match sort {
        "digit" => 1,
        "upper" => 2,
        "lower" => 4,
        "letter" => 8,
        "symbol" => 16,
        _ => 0,
    }
}

fn byte_bits(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => 1,
        b'A'..=b'Z' => 2 | 8,
        b'a'..=b'z' => 4 | 8,
        b'!'..=b'~' => 16,
        _ => 0,
    }
}

/// All rules of a run with the literal search in front of them.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    prefilter: Prefilter,
    /// Ids of rules that were loaded and not chosen.
    left_out: Vec<Text>,
}

impl Blocks {
    /// The built-in blocks, those of the same rules in rule files of the caller in their place. What a scanned tree configures must
    /// never come here: a block says where a secret is sent.
    ///
    /// # Errors
    /// Unreadable or wrong rule files.
    pub fn load(files: &[PathBuf]) -> Result<Self, Error> {
        // build.rs wrote it from the same types.
        let mut all: Self = serde_json::from_str(builtin::BLOCKS).unwrap_or_default();
        for path in files {
            for (name, parsed) in read_files(path)? {
                let stem = Path::new(&name).file_stem();
                let stem = stem.map(|s| s.to_string_lossy().into_owned());
                let own = file::blocks(&stem.unwrap_or_default(), &parsed);
                all.rules.extend(own.rules);
                all.verify.extend(own.verify);
                all.revoke.extend(own.revoke);
            }
        }
        Ok(all)
    }
}

impl RuleSet {
    /// The built-in rules.
    ///
    /// # Errors
    /// [`Error::Glob`] for a bad glob, which the tests rule out.
    pub fn builtin() -> Result<Self, Error> {
        Self::load(&Selection::default())
    }

    /// The built-in rules, those of the same ids in these files in their place.
    ///
    /// # Errors
    /// As [`RuleSet::load`].
    pub fn replacing(files: &[PathBuf]) -> Result<Self, Error> {
        let own = Self::load(&Selection {
            files: files.to_vec(),
            no_builtin: true,
            ..Selection::default()
        })?;
        let mut specs: Vec<Cow<'static, RuleSpec>> = builtin::RULES
            .iter()
            .filter(|s| own.index_of(&s.id).is_none())
            .map(Cow::Borrowed)
            .collect();
        specs.extend(own.rules.into_iter().map(|r| r.spec));
        Self::of(specs)
    }

    /// The rules that a selection names.
    ///
    /// # Errors
    /// Unreadable or wrong rule files, unknown or doubled ids.
    pub fn load(selection: &Selection) -> Result<Self, Error> {
        let mut specs: Vec<Cow<'static, RuleSpec>> = Vec::new();
        if !selection.no_builtin {
            specs.extend(builtin::RULES.iter().map(Cow::Borrowed));
        }
        for path in &selection.files {
            for (file, parsed) in read_files(path)? {
                add(&mut specs, &file, &parsed)?;
            }
        }
        for (file, parsed) in &selection.parsed {
            add(&mut specs, file, parsed)?;
        }
        for spec in &specs {
            for near in spec.near.iter() {
                if !specs.iter().any(|s| s.id == near.rule) {
                    let hint = nearest(&near.rule, specs.iter().map(|s| &*s.id))
                        .map(|n| format!("; did you mean `{n}`?"))
                        .unwrap_or_default();
                    let (rule, companion) = (spec.id.to_string(), near.rule.to_string());
                    return Err(Error::Companion {
                        rule,
                        companion,
                        hint,
                    });
                }
            }
        }
        for id in selection.enable.iter().chain(&selection.disable) {
            if !specs.iter().any(|s| s.id == *id) {
                let hint = nearest(id, specs.iter().map(|s| &*s.id))
                    .map(|n| format!("; did you mean `{n}`?"))
                    .unwrap_or_default();
                return Err(Error::Unknown {
                    id: id.clone(),
                    hint,
                });
            }
        }
        let has = |list: &[String], spec: &RuleSpec| list.iter().any(|id| spec.id == *id);
        let (chosen, others) = specs.into_iter().partition::<Vec<_>, _>(|s| {
            (selection.enable.is_empty() || has(&selection.enable, s))
                && !has(&selection.disable, s)
                && !has(&selection.without, s)
        });
        let mut set = Self::of(chosen)?;
        set.left_out = others.iter().map(|spec| spec.id.clone()).collect();
        Ok(set)
    }

    fn of(mut specs: Vec<Cow<'static, RuleSpec>>) -> Result<Self, Error> {
        specs.sort_by(|a, b| a.id.cmp(&b.id));
        let rules = specs
            .into_iter()
            .map(Rule::new)
            .collect::<Result<Vec<_>, _>>()?;
        let prefilter = Prefilter::new(&rules);
        if !prefilter.is_complete() {
            return Err(Error::TooMany { rules: rules.len() });
        }
        Ok(Self {
            rules,
            prefilter,
            left_out: Vec::new(),
        })
    }

    /// The rules, sorted by id.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule at an index that a [`super::Hit`] or match names.
    #[must_use]
    pub fn rule(&self, index: usize) -> Option<&Rule> {
        self.rules.get(index)
    }

    /// Index of the rule with an id.
    #[must_use]
    pub fn index_of(&self, id: &str) -> Option<usize> {
        self.rules.binary_search_by(|r| (*r.spec().id).cmp(id)).ok()
    }

    /// Whether an id names a rule: one of this set, a built-in one, or one that was loaded and not chosen. Else the nearest
    /// id, if one is near.
    ///
    /// # Errors
    /// For an unknown id, the one that may be meant.
    pub fn knows(&self, id: &str) -> Result<(), Option<String>> {
        if self.is_known(id) {
            return Ok(());
        }
        Err(nearest(id, self.known()).map(str::to_owned))
    }

    /// Whether a rule has this id: one of these, one that was left out, or a built-in one.
    #[must_use]
    pub fn is_known(&self, id: &str) -> bool {
        self.known().any(|known| known == id)
    }

    /// Whether a built-in rule has this id.
    #[must_use]
    pub fn is_builtin(id: &str) -> bool {
        builtin::RULES.iter().any(|spec| spec.id == id)
    }

    fn known(&self) -> impl Iterator<Item = &str> {
        let here = self.rules.iter().map(|rule| &*rule.spec.id);
        let left_out = self.left_out.iter().map(|id| &**id);
        let builtin = builtin::RULES.iter().map(|spec| &*spec.id);
        here.chain(left_out).chain(builtin)
    }

    /// As [`RuleSet::knows`], for ids out of scanned material: what may be meant is only looked for so many times.
    pub(crate) fn adviser(&self) -> impl Fn(&str) -> Result<(), Option<String>> + '_ {
        const MOST: u32 = 100;
        let left = std::cell::Cell::new(MOST);
        move |id| {
            if self.is_known(id) {
                return Ok(());
            }
            let Some(less) = left.get().checked_sub(1).filter(|_| id.len() <= 64) else {
                return Err(None);
            };
            left.set(less);
            self.knows(id)
        }
    }

    /// The literal search.
    #[must_use]
    pub fn prefilter(&self) -> &Prefilter {
        &self.prefilter
    }

    /// The longest reach of any rule in bytes: context that a window must overlap by.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.rules
            .iter()
            .map(|r| r.spec().back + r.spec().forward)
            .max()
            .unwrap_or(0)
    }

    /// A digest of everything that decides what is found, stable across runs and machines.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(env!("CARGO_PKG_VERSION"));
        for rule in &self.rules {
            let s = rule.spec();
            hash.update(format!(
                "\n{}\0{}\0{:?}\0{:?}\0{:?}\0{}\0{:?}\0{:?}\0{:?}\0{:?}\0{:?}\0{:?}\0{}\0{:?}\0{}\0{}\0{:?}",
                s.id,
                s.pattern,
                s.severity,
                s.confidence,
                s.literals,
                s.ignore_case,
                s.entropy,
                s.checksum,
                s.require,
                s.near,
                s.only,
                s.never,
                u8::from(s.generic) + 2 * u8::from(s.entry) + 4 * u8::from(s.spaced),
                s.words,
                s.placeholder,
                s.decode,
                s.block
            ));
            if s.everywhere || !s.keywords.is_empty() {
                hash.update(format!("\0{}\0{:?}", s.everywhere, s.keywords));
            }
        }
        hash.finalize().into()
    }
}

/// Adds a file's rules to those that are there.
fn add(
    specs: &mut Vec<Cow<'static, RuleSpec>>,
    file: &str,
    parsed: &RuleFile,
) -> Result<(), Error> {
    for raw in &parsed.rules {
        let spec = RuleSpec::from_raw(parsed, raw);
        check_loaded(file, &spec)?;
        if specs.iter().any(|s| s.id == spec.id) {
            return Err(Error::Twice {
                path: file.to_owned(),
                id: spec.id.to_string(),
            });
        }
        specs.push(Cow::Owned(spec));
    }
    Ok(())
}

/// What a loaded rule must pass beside [`file::parse`]; the tests hold the built-in ones to it.
fn check_loaded(path: &str, spec: &RuleSpec) -> Result<(), Error> {
    let fail = |reason| Error::Pattern {
        path: path.to_owned(),
        id: spec.id.to_string(),
        reason,
    };
    check_regex(&spec.pattern).map_err(fail)?;
    if !spec.keywords.is_empty() {
        any_of(&spec.keywords).map_err(|_| Error::Keywords {
            path: path.to_owned(),
            id: spec.id.to_string(),
        })?;
    }
    Ok(())
}

fn read_files(path: &Path) -> Result<Vec<(String, RuleFile)>, Error> {
    let fail = |path: &Path| {
        let path = path.to_path_buf();
        move |reason| Error::Read { path, reason }
    };
    let mut paths = Vec::new();
    if fs::metadata(path).map_err(fail(path))?.is_dir() {
        for entry in fs::read_dir(path).map_err(fail(path))? {
            let entry = entry.map_err(fail(path))?.path();
            if entry.extension().is_some_and(|x| x == "toml") {
                paths.push(entry);
            }
        }
        paths.sort();
        if paths.is_empty() {
            return Err(Error::Empty {
                path: path.to_path_buf(),
            });
        }
    } else {
        paths.push(path.to_path_buf());
    }
    paths
        .iter()
        .map(|p| {
            let text = fs::read_to_string(p).map_err(fail(p))?;
            let name = p.display().to_string();
            let parse = if p.file_name().is_some_and(|name| name == "keysweep.toml") {
                file::parse_tables
            } else {
                file::parse
            };
            Ok((name.clone(), parse(&name, &text)?))
        })
        .collect()
}
