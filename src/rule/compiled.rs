//! Patterns as automata: within bounds, and made when they are needed.

use regex_automata::PatternID;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::spec::{RuleSpec, Text};

/// The most that one compiled pattern may take, in bytes.
const COMPILED_LIMIT: usize = 1 << 20;

/// A pattern ready to search with.
#[derive(Debug)]
pub struct Compiled {
    /// The engine.
    pub regex: Regex,
    /// Group that holds the secret; the whole match for a block.
    pub secret: usize,
    /// The other named groups.
    pub parts: Vec<(usize, String)>,
}

/// A pattern as rules use it: without Unicode, and within bounds.
///
/// # Errors
/// Where it does not compile, or not within the bounds.
pub(crate) fn regex(pattern: &str) -> Result<Regex, String> {
    // The literal has been found already: searching for it again would only cost.
    built(pattern, false)
}

fn built(pattern: &str, prefilter: bool) -> Result<Regex, String> {
    Regex::builder()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .configure(
            regex_automata::meta::Config::new()
                .utf8_empty(false)
                .nfa_size_limit(Some(COMPILED_LIMIT))
                .onepass_size_limit(Some(COMPILED_LIMIT))
                .hybrid_cache_capacity(COMPILED_LIMIT)
                .auto_prefilter(prefilter),
        )
        .build(pattern)
        .map_err(|error| error.to_string())
}

/// A search for any of these texts, in any case.
pub(super) fn any_of(texts: &[Text]) -> Result<Regex, String> {
    let escaped: Vec<String> = texts.iter().map(|text| regex::escape(text)).collect();
    built(&format!("(?i:{})", escaped.join("|")), true)
}

/// Whether an expression compiles within so many bytes, without Unicode; `false` where only compiling it can tell.
///
/// Most rules and allow-lists of a run meet nothing, so they are compiled when they do. This is what is known of them before,
/// in a tenth of the time or a third: of small ones by their syntax, of others by an automaton in one direction, without the
/// engines that search with it.
pub(crate) fn fits(pattern: &str, limit: usize) -> bool {
    let Some(hir) = parsed(pattern) else {
        return false;
    };
    if bound(&hir) <= limit {
        return true;
    }
    Regex::builder()
        .configure(
            regex_automata::meta::Config::new()
                .utf8_empty(false)
                // The other direction may take a little more.
                .nfa_size_limit(Some(limit - limit / 16))
                .hybrid(false)
                .onepass(false)
                .auto_prefilter(false),
        )
        .build_from_hir(&hir)
        .is_ok()
}

fn parsed(pattern: &str) -> Option<Hir> {
    regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .nest_limit(100)
        .build()
        .parse(pattern)
        .ok()
}

/// Bytes that a builder counts for a state, doubled, and for a branch of one.
const STATE: usize = 80;
const BRANCH: usize = 16;

/// Bytes that an automaton takes at most, in either direction.
fn bound(hir: &Hir) -> usize {
    // What stands around a pattern.
    part(hir).saturating_add(16 * STATE)
}

fn part(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => STATE,
        HirKind::Literal(l) => STATE * l.0.len(),
        HirKind::Class(Class::Bytes(c)) => STATE + BRANCH * c.ranges().len(),
        HirKind::Class(Class::Unicode(_)) => usize::MAX,
        HirKind::Capture(c) => part(&c.sub).saturating_add(2 * STATE),
        HirKind::Concat(subs) | HirKind::Alternation(subs) => {
            let subs = subs.iter().map(|sub| part(sub).saturating_add(BRANCH));
            subs.fold(2 * STATE, usize::saturating_add)
        }
        HirKind::Repetition(r) => {
            let rounds = r.max.unwrap_or(r.min).saturating_add(1) as usize;
            let round = part(&r.sub).saturating_add(2 * STATE);
            round.saturating_mul(rounds)
        }
    }
}

/// Whether a pattern compiles as rules use it.
///
/// # Errors
/// Where it does not compile, or not within the bounds.
pub(crate) fn check_regex(pattern: &str) -> Result<(), String> {
    if fits(pattern, COMPILED_LIMIT) {
        return Ok(());
    }
    regex(pattern).map(drop)
}

pub(super) fn compile(spec: &RuleSpec) -> Result<Compiled, String> {
    let regex = built(&spec.pattern, spec.everywhere)?;
    let mut secret = 0;
    let mut parts = Vec::new();
    for (index, name) in regex
        .group_info()
        .pattern_names(PatternID::ZERO)
        .enumerate()
    {
        match name {
            Some("secret") if spec.block.is_none() => secret = index,
            Some("secret") | None => {}
            Some(name) => parts.push((index, name.to_owned())),
        }
    }
    Ok(Compiled {
        regex,
        secret,
        parts,
    })
}

#[cfg(test)]
mod tests {
    use regex_automata::nfa::thompson::{NFA, WhichCaptures};

    use super::*;

    #[test]
    fn what_fits_compiles() {
        let parts = [
            "a",
            "(?s:.)",
            "[a-z]",
            "[^a-z0-9_]",
            "(?i:acme)",
            "(?:ab|[c-e]f|g)",
            "(?:x?y?)",
            "[[:punct:]]",
            r"(?:\b|z)",
            "(a)",
        ];
        let counts = [
            "", "{7}", "{0,40}", "{3,400}", "{0,1500}", "{3400}", "{9000}",
        ];
        let (mut fit, mut not) = (0, 0);
        for (part, count) in parts.iter().flat_map(|p| counts.map(|c| (p, c))) {
            for text in [
                format!("{part}{count}"),
                format!("(?:k={part}{count}|(?:{part}{count})q)+"),
            ] {
                if fits(&text, COMPILED_LIMIT) {
                    fit += 1;
                    assert_eq!(regex(&text).map(drop), Ok(()), "{text}");
                } else {
                    not += 1;
                }
                // One that is small by its syntax alone takes no more than that.
                if let Some(hir) = parsed(&text) {
                    let bound = bound(&hir);
                    let bounds = NFA::config().nfa_size_limit(Some(bound));
                    for bounds in [
                        bounds.clone(),
                        bounds.reverse(true).which_captures(WhichCaptures::None),
                    ] {
                        let nfa = NFA::compiler().configure(bounds).build_from_hir(&hir);
                        assert!(nfa.is_ok(), "{text}");
                    }
                }
            }
        }
        assert!(fit > 60 && not > 9, "{fit} {not}");
        assert!(!fits("(", COMPILED_LIMIT) && !fits("a{9}", 100));
    }
}
