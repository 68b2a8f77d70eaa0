//! Regular expressions of Go and Python → the language of our rules.
//!
//! Three readers want three things of one: an allow-list wants the same language in our syntax, a rule wants a
//! longest match, a group `secret` and literals, and a path rule wants globs.

mod glob;
mod literal;
mod pattern;
mod syntax;

use regex_syntax::hir::Hir;

pub(super) use glob::{glob_text, globs};
pub(super) use pattern::rule;

use self::syntax::normal;

/// Groups inside groups, at most.
const MAX_DEPTH: u32 = 60;
/// Strings that a set of literals may hold on the way.
const MAX_SET: usize = 64;

/// The same regular expression in our syntax, for an allow-list.
///
/// # Errors
/// What our engine does not have, or cannot read.
pub(super) fn plain(text: &str) -> Result<String, String> {
    let normal = normal(text)?;
    hir(&normal)?;
    if normal.len() > 8_192 {
        return Err("it is longer than 8 KB".to_owned());
    }
    crate::config::check_regex(&normal)
        .map_err(|_| "it takes more than 256 KB when compiled".to_owned())?;
    Ok(normal)
}

fn hir(pattern: &str) -> Result<Hir, String> {
    regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .nest_limit(MAX_DEPTH)
        .build()
        .parse(pattern)
        .map_err(|e| format!("it cannot be read: {}", last_line(&e.to_string())))
}

fn last_line(text: &str) -> String {
    let line = text.lines().last().unwrap_or_default().trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::pattern::RulePattern;
    use super::*;

    fn converted(text: &str, group: usize, keywords: &[&str]) -> RulePattern {
        let keywords: Vec<String> = keywords.iter().map(|k| (*k).to_owned()).collect();
        rule(text, group, &keywords).unwrap()
    }

    #[test]
    fn syntax_of_go_is_read_as_go_reads_it() {
        for (go, fits, not) in [
            (r"[a-zA-Z0-9-_]x", "-x", "+x"),
            (r"[\w-.]x", ".x", "+x"),
            (r"[[(]x", "[x", "{x"),
            (r"[a&&b]x", "&x", "cx"),
            (r"[]a]x", "]x", "bx"),
            (r"\Qa.b\E", "a.b", "axb"),
            (r"\<a\>", "<a>", "a"),
            (r"a{x}", "a{x}", "a"),
            (r"a{,3}", "a{,3}", "aaa"),
            (r"[\s|']b", "|b", "xb"),
            (r"\x60\x{41}", "`A", "`B"),
            (r"[[:alpha:]_]x", "qx", "1x"),
            (r"[!$-&\(-9]x", "%x", "!"),
            (r"(?i)a(?-i)b", "Ab", "AB"),
        ] {
            let regex =
                ::regex::bytes::Regex::new(&format!("^(?:{})$", plain(go).unwrap())).unwrap();
            assert!(regex.is_match(fits.as_bytes()), "{go} {fits}");
            assert!(!regex.is_match(not.as_bytes()), "{go} {not}");
        }
        for bad in [
            r"a(?=b)",
            r"(?<!x)a",
            r"(a)\1",
            r"a\B",
            r"\p{Greek}",
            r"[\pL]",
            "(",
            "[a",
            r"a\",
        ] {
            assert!(plain(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rules_get_bounds_literals_and_a_secret() {
        let found = converted(r"acme_[a-z]+", 0, &["acme_"]);
        assert_eq!(found.pattern, "(?<secret>acme_[a-z]{1,3400})");
        assert_eq!(
            (found.literals, found.ignore_case),
            (vec!["acme_".to_owned()], true)
        );
        let found = converted(r"(?i)(?:key|pin)\s*=\s*(\d{8})", 1, &[]);
        assert!(found.pattern.contains(r"(?<secret>\d{8})"));
        assert_eq!(found.literals, ["key", "pin"]);
        assert!(found.ignore_case);
        // The keyword stands elsewhere in the file; the pattern has a text of its own.
        let found = converted(r"dp\.pt\.[a-z0-9]{43}", 0, &["doppler"]);
        assert_eq!(
            (found.literals, found.ignore_case),
            (vec!["dp.pt.".to_owned()], false)
        );
        assert_eq!(found.keywords, ["doppler"]);
        let found = converted(r"\bacme[0-9]{9}\b", 0, &[]);
        assert_eq!(
            found.pattern,
            r"(?s:\A|.)(?:(?<secret>(?:\<|\>)acme[0-9]{9}(?:\<|\>)))(?s:.|\z)"
        );
        // No text stands in every match: what is beside one is seen, and counts are small.
        let found = converted(r"\b[0-9a-f]{32,}\b", 0, &["Acme", "x"]);
        assert!(found.literals.is_empty());
        assert_eq!(found.keywords, ["acme", "x"]);
        assert_eq!(
            found.pattern,
            r"(?<secret>(?:\<|\>)[0-9a-f]{32,256}(?:\<|\>))"
        );
        assert!(
            converted(r"[0-9a-f]{32}", 0, &["acme", ""])
                .keywords
                .is_empty()
        );
        assert!(rule(r"acme([0-9]{9})", 2, &[]).is_err());
        // Of groups that exclude each other none can be named beforehand.
        let found = converted(r"acme(?:(a{9})|(b{9}))", 0, &[]);
        assert!(found.pattern.starts_with("(?<secret>acme"));
    }

    #[test]
    fn paths_become_globs() {
        let exact = |text: &str| globs(text).unwrap();
        assert_eq!(exact(r"vendor/"), (vec!["*vendor/*".to_owned()], true));
        assert_eq!(exact(r"\.(env|ya?ml)$").0, ["*.env", "*.yaml", "*.yml"]);
        assert_eq!(exact(r"^src/.*\.py$"), (vec!["src/*.py".to_owned()], true));
        assert!(!exact(r"^name$").1);
        assert!(!exact(r"[a-z]+\.go$").1);
        assert!(globs(r"a^b$c").is_err());
    }
}
