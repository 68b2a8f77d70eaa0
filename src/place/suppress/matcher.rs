//! One entry compared with one finding at one place.

use std::sync::OnceLock;

use globset::{GlobSet, GlobSetBuilder};
use regex::bytes::Regex;

use super::super::{Note, glob};
use super::Error;
use crate::config::{self, AllowEntry, Target};
use crate::model::{Cover, Finding, Fingerprint, Place, Secret};

/// An entry, ready to be compared.
#[derive(Debug)]
pub(super) struct Matcher {
    pub(super) entry: AllowEntry,
    pub(super) note: Note,
    paths: Option<GlobSet>,
    path_regexes: Vec<LazyRegex>,
    regexes: Vec<LazyRegex>,
    stopwords: Vec<Vec<u8>>,
    pub(super) prints: Vec<Fingerprint>,
}

impl Matcher {
    pub(super) fn new(entry: AllowEntry) -> Result<Self, Error> {
        let error = |what: String| Error {
            file: entry.file.clone(),
            line: entry.line,
            what,
        };
        let criteria = [
            &entry.rules,
            &entry.paths,
            &entry.path_regexes,
            &entry.regexes,
            &entry.stopwords,
            &entry.commits,
            &entry.fingerprints,
        ];
        if criteria.iter().all(|values| values.is_empty()) {
            return Err(error(
                "accepts everything; give at least one of rule, path, path_regex, regex, stopword, commit, fingerprint".into(),
            ));
        }
        let mut set = GlobSetBuilder::new();
        for path in &entry.paths {
            let forms = glob::forms(path).map_err(|_| {
                error(format!(
                    "`{path}` is no glob; write one such as `docs/**` or `*.pem`"
                ))
            })?;
            for form in forms {
                set.add(form);
            }
        }
        let set = set.build();
        let set = set.map_err(|e| error(format!("the globs are too large: {e}")))?;
        let regexes = |all: &[String]| {
            let all = all.iter().map(|text| LazyRegex::new(text));
            all.collect::<Result<Vec<_>, _>>().map_err(&error)
        };
        let (path_regexes, own) = (regexes(&entry.path_regexes)?, regexes(&entry.regexes)?);
        let mut prints = Vec::new();
        for text in &entry.fingerprints {
            let print = Fingerprint::parse(text);
            prints.push(print.ok_or_else(|| {
                error(format!(
                    "`{text}` is no fingerprint; copy one from a report, 32 hexadecimal digits"
                ))
            })?);
        }
        let stopwords = entry.stopwords.iter();
        Ok(Self {
            note: Note {
                owner: entry.owner.clone(),
                expires: entry.expires,
                reason: entry.reason.clone(),
            },
            paths: (!entry.paths.is_empty()).then_some(set),
            path_regexes,
            regexes: own,
            stopwords: stopwords
                .map(|w| w.to_ascii_lowercase().into_bytes())
                .collect(),
            prints,
            entry,
        })
    }

    pub(super) fn is_print_alone(&self) -> bool {
        let entry = &self.entry;
        !self.prints.is_empty()
            && entry.rules.is_empty()
            && self.paths.is_none()
            && self.path_regexes.is_empty()
            && self.regexes.is_empty()
            && self.stopwords.is_empty()
            && entry.commits.is_empty()
    }

    /// Whether a finding meets all criteria at a place; `path` is relative to the entry's folder.
    #[expect(
        clippy::disallowed_methods,
        reason = "compared with what the project accepts, not shown"
    )]
    pub(super) fn matches(
        &self,
        subject: &Subject<'_>,
        place: &Place,
        path: Option<&[u8]>,
    ) -> bool {
        let entry = &self.entry;
        if !entry.rules.is_empty() && !entry.rules.iter().any(|rule| rule == subject.rule) {
            return false;
        }
        if !self.prints.is_empty() && !self.prints.contains(&subject.fingerprint) {
            return false;
        }
        if let Some(set) = &self.paths
            && !path.is_some_and(|path| set.is_match(String::from_utf8_lossy(path).as_ref()))
        {
            return false;
        }
        let any = |regexes: &[LazyRegex], text: &[u8]| regexes.iter().any(|r| r.is_match(text));
        if !self.path_regexes.is_empty() && !path.is_some_and(|path| any(&self.path_regexes, path))
        {
            return false;
        }
        if !entry.commits.is_empty() {
            let id = place.commit.map(|id| id.to_string()).unwrap_or_default();
            let named =
                |prefix: &String| prefix.len() >= 7 && id.starts_with(&prefix.to_ascii_lowercase());
            if !entry.commits.iter().any(named) {
                return false;
            }
        }
        let secret = subject.secret;
        if !self.stopwords.is_empty() {
            let lower = secret.to_ascii_lowercase();
            let holds = |word: &Vec<u8>| memchr::memmem::find(&lower, word).is_some();
            if !self.stopwords.iter().any(holds) {
                return false;
            }
        }
        if self.regexes.is_empty() {
            return true;
        }
        match entry.target {
            Target::Secret => any(&self.regexes, secret),
            Target::Match => any(&self.regexes, subject.matched),
            Target::Line => {
                let snippet = &place.snippet;
                let line = snippet.line.as_ref().unwrap_or(&snippet.text);
                any(&self.regexes, line.expose())
            }
        }
    }
}

/// A regular expression that compiles, and does so when the first text is compared with it.
#[derive(Debug)]
struct LazyRegex {
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl LazyRegex {
    fn new(text: &str) -> Result<Self, String> {
        // The text of a pattern may hold what it looks for, and is not repeated.
        config::check_regex(text).map_err(|_| {
            "a regular expression is too large or does not compile; write a simpler one, without look-around and back-references".to_owned()
        })?;
        Ok(Self {
            text: text.to_owned(),
            compiled: OnceLock::new(),
        })
    }

    fn is_match(&self, bytes: &[u8]) -> bool {
        let compiled = || config::compile(&self.text).ok();
        let regex = self.compiled.get_or_init(compiled);
        regex.as_ref().is_some_and(|regex| regex.is_match(bytes))
    }
}

/// What an entry is compared with, beside the place.
pub(super) struct Subject<'s> {
    rule: &'s str,
    fingerprint: Fingerprint,
    secret: &'s [u8],
    /// What the rule's pattern matched.
    matched: &'s [u8],
}

impl<'s> Subject<'s> {
    #[expect(
        clippy::disallowed_methods,
        reason = "compared with what the project accepts, not shown"
    )]
    pub(super) fn of(finding: &'s Finding, place: &'s Place) -> Self {
        let snippet = &place.snippet;
        let (from, to) = snippet.matched;
        let plain = snippet.text.expose().get(from..to).unwrap_or_default();
        Self {
            rule: &finding.rule,
            fingerprint: finding.fingerprint,
            secret: finding.credential.secret.expose(),
            matched: snippet.encoded.as_ref().map_or(plain, Secret::expose),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "compared with what the project accepts, not shown"
    )]
    pub(super) fn of_cover(cover: &'s Cover) -> Self {
        Self {
            rule: &cover.rule,
            fingerprint: cover.fingerprint,
            secret: cover.secret.expose(),
            matched: cover.matched.expose(),
        }
    }
}
