//! A rule's pattern: every repetition bounded, a group `secret`, literals.

use regex_syntax::ast::{self, Ast};
use regex_syntax::hir::{Class, ClassBytesRange, Hir, HirKind};

use super::literal::choose;
use super::{MAX_DEPTH, hir, normal};
use crate::rule::MAX_REACH;

/// Bounds that are tried in place of none.
///
/// A private key of 4096 bits has some 3,250 characters in its block. What is searched for in every byte gets less: an
/// automaton counts to so many at each of them, and keeps what it knows of up to so many in its cache.
const BOUNDS: [Bounds; 14] = [
    Bounds::new(3400, 32, 64),
    Bounds::new(2048, 32, 64),
    Bounds::new(1216, 32, 64),
    Bounds::new(1024, 32, 64),
    Bounds::new(512, 32, 64),
    Bounds::new(512, 8, 32),
    Bounds::new(256, 16, 32),
    Bounds::new(256, 6, 24),
    Bounds::new(256, 4, 16),
    Bounds::new(192, 4, 16),
    Bounds::new(128, 8, 32),
    Bounds::new(64, 6, 32),
    Bounds::new(40, 4, 24),
    Bounds::new(24, 3, 24),
];

/// How often a part may stand at most that the pattern repeats without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    /// A character of several.
    one: u32,
    /// A group.
    many: u32,
    /// White space, or the same character again.
    few: u32,
}

impl Bounds {
    const fn new(one: u32, many: u32, few: u32) -> Self {
        Self { one, many, few }
    }
}

/// Longest keyword and literal in bytes.
const LONGEST: usize = 64;

/// A rule's pattern in our language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) struct RulePattern {
    pub(in crate::import) pattern: String,
    /// None where no text of 3 bytes stands in every match.
    pub(in crate::import) literals: Vec<String>,
    pub(in crate::import) ignore_case: bool,
    /// Words of which a file that the rule looks into holds one, where the literals do not say that already.
    pub(in crate::import) keywords: Vec<String>,
    /// What became different.
    pub(in crate::import) changes: Vec<String>,
}

/// A pattern with a longest match, a group `secret`, and literals of which each match holds one, where there are any.
///
/// # Errors
/// Why our rules cannot say it.
pub(in crate::import) fn rule(
    text: &str,
    group: usize,
    keywords: &[String],
) -> Result<RulePattern, String> {
    let normal = normal(text)?;
    let parts = Parts::of(&normal)?;
    let mut changes = Vec::new();
    let secret = parts.secret(group)?;
    if secret.is_none() && !parts.groups.is_empty() {
        changes.push(
            "its groups are alternatives, so the whole match counts as the secret".to_owned(),
        );
    }
    let (mut pattern, mut bounds) = bounded(&normal, &parts, secret, false)?;
    let wanted: Vec<String> = keywords
        .iter()
        .filter(|k| (3..=LONGEST).contains(&k.len()) && k.is_ascii())
        .map(|k| k.to_ascii_lowercase())
        .collect();
    let chosen = choose(&hir(&pattern)?, &wanted, keywords);
    if chosen.is_none() {
        (pattern, bounds) = bounded(&normal, &parts, secret, true)?;
    }
    if let Some(bounds) = bounds {
        let free = |sort: Sort| parts.repeats.iter().any(|r| r.unbounded && r.sort == sort);
        let said = [
            (free(Sort::One), format!("{} characters", bounds.one)),
            (
                free(Sort::Few),
                format!("{} spaces or equal characters", bounds.few),
            ),
            (free(Sort::Group), format!("{} times a group", bounds.many)),
        ];
        let said: Vec<String> = said.into_iter().filter(|s| s.0).map(|s| s.1).collect();
        changes.push(format!(
            "repetitions without an end now have one: {}",
            said.join(", ")
        ));
    }
    let (literals, ignore_case) = chosen.unwrap_or_default();
    let same = ignore_case && literals == wanted && wanted.len() == keywords.len();
    let mut words: Vec<String> = Vec::new();
    // An empty keyword stands in every file.
    if !same && keywords.iter().all(|word| !word.is_empty()) {
        for word in keywords {
            // The beginning of a longer one stands in no fewer files.
            let most = if word.len() > LONGEST {
                LONGEST / 4
            } else {
                LONGEST
            };
            let word: String = word.chars().take(most).collect();
            let word = word.to_ascii_lowercase();
            if !words.contains(&word) {
                words.push(word);
            }
        }
    }
    Ok(RulePattern {
        pattern,
        literals,
        ignore_case,
        keywords: words,
        changes,
    })
}

/// Where the parts of a pattern stand that a rule writes otherwise.
#[derive(Default)]
struct Parts {
    repeats: Vec<Repeat>,
    groups: Vec<Group>,
    boundaries: Vec<(usize, usize)>,
}

struct Repeat {
    /// The operator's bytes.
    at: (usize, usize),
    min: u32,
    unbounded: bool,
    lazy: bool,
    sort: Sort,
}

/// What is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// A character of several.
    One,
    /// White space, or the same character again.
    Few,
    /// A group.
    Group,
}

impl Sort {
    fn of(pattern: &str, repeated: &Ast) -> Self {
        if matches!(repeated, Ast::Group(_) | Ast::Repetition(_)) {
            return Self::Group;
        }
        let span = repeated.span();
        let text = pattern.get(span.start.offset..span.end.offset);
        let is_space = |r: &ClassBytesRange| {
            (r.start()..=r.end()).all(|b| b.is_ascii_whitespace() || b == b'\x0b')
        };
        match text.and_then(|text| hir(text).ok()).map(Hir::into_kind) {
            Some(HirKind::Literal(_)) => Self::Few,
            Some(HirKind::Class(Class::Bytes(c))) if c.iter().all(is_space) => Self::Few,
            _ => Self::One,
        }
    }
}

struct Group {
    /// The bytes of `(`, `(?P<name>`.
    open: (usize, usize),
    index: usize,
    /// Whether every match passes it.
    always: bool,
}

impl Parts {
    fn of(pattern: &str) -> Result<Self, String> {
        let ast = ast::parse::ParserBuilder::new()
            .nest_limit(MAX_DEPTH)
            .build()
            .parse(pattern)
            .map_err(|e| format!("it cannot be read: {}", e.kind()))?;
        let mut parts = Self::default();
        parts.walk(pattern, &ast, true);
        Ok(parts)
    }

    fn walk(&mut self, pattern: &str, ast: &Ast, always: bool) {
        match ast {
            Ast::Assertion(a) if a.kind == ast::AssertionKind::WordBoundary => {
                self.boundaries
                    .push((a.span.start.offset, a.span.end.offset));
            }
            Ast::Repetition(r) => {
                let (min, unbounded) = match &r.op.kind {
                    ast::RepetitionKind::ZeroOrOne => (0, false),
                    ast::RepetitionKind::ZeroOrMore => (0, true),
                    ast::RepetitionKind::OneOrMore => (1, true),
                    ast::RepetitionKind::Range(ast::RepetitionRange::AtLeast(n)) => (*n, true),
                    ast::RepetitionKind::Range(
                        ast::RepetitionRange::Exactly(n) | ast::RepetitionRange::Bounded(n, _),
                    ) => (*n, false),
                };
                self.repeats.push(Repeat {
                    at: (r.op.span.start.offset, r.op.span.end.offset),
                    min,
                    unbounded,
                    lazy: !r.greedy,
                    sort: Sort::of(pattern, &r.ast),
                });
                self.walk(pattern, &r.ast, always && min > 0);
            }
            Ast::Group(g) => {
                let start = g.span.start.offset;
                match &g.kind {
                    ast::GroupKind::CaptureIndex(index) => self.groups.push(Group {
                        open: (start, start + 1),
                        index: *index as usize,
                        always,
                    }),
                    ast::GroupKind::CaptureName { name, .. } => self.groups.push(Group {
                        open: (start, name.span.end.offset + 1),
                        index: name.index as usize,
                        always,
                    }),
                    ast::GroupKind::NonCapturing(_) => {}
                }
                self.walk(pattern, &g.ast, always);
            }
            Ast::Alternation(a) => a.asts.iter().for_each(|a| self.walk(pattern, a, false)),
            Ast::Concat(c) => c.asts.iter().for_each(|a| self.walk(pattern, a, always)),
            _ => {}
        }
    }

    /// The group that is the secret; the whole match without one.
    fn secret(&self, wanted: usize) -> Result<Option<usize>, String> {
        if wanted > 0 {
            return if self.groups.iter().any(|g| g.index == wanted) {
                Ok(Some(wanted))
            } else {
                Err(format!("secretGroup {wanted} names no group of it"))
            };
        }
        // The first group that took part is the secret; one that always does can be named beforehand.
        Ok(match self.groups.first() {
            Some(first) if first.always || self.groups.len() == 1 => Some(first.index),
            _ => None,
        })
    }
}

/// The pattern with every repetition bounded, and the bounds where some were needed.
fn bounded(
    normal: &str,
    parts: &Parts,
    secret: Option<usize>,
    everywhere: bool,
) -> Result<(String, Option<Bounds>), String> {
    let free = parts.repeats.iter().any(|r| r.unbounded);
    let small = |bounds: &Bounds| !everywhere || bounds.one <= 256;
    for bounds in BOUNDS.into_iter().filter(small) {
        let pattern = written(normal, parts, secret, bounds, everywhere);
        let longest = hir(&pattern)?.properties().maximum_len();
        if longest.is_some_and(|l| l <= MAX_REACH) && crate::rule::check_regex(&pattern).is_ok() {
            return Ok((pattern, free.then_some(bounds)));
        }
        if !free {
            return Err(match longest {
                Some(l) if l <= MAX_REACH => "it takes more than 1 MB when compiled".to_owned(),
                _ => format!("its longest match is over {MAX_REACH} bytes"),
            });
        }
    }
    Err(format!(
        "its longest match is over {MAX_REACH} bytes, or it takes more than 1 MB when compiled, even with small bounds on its repetitions"
    ))
}

fn written(
    normal: &str,
    parts: &Parts,
    secret: Option<usize>,
    bounds: Bounds,
    everywhere: bool,
) -> String {
    let mut edits: Vec<((usize, usize), String)> = Vec::new();
    for repeat in parts.repeats.iter().filter(|r| r.unbounded) {
        let bound = match repeat.sort {
            Sort::One => bounds.one,
            Sort::Few => bounds.few,
            Sort::Group => bounds.many,
        };
        let lazy = if repeat.lazy { "?" } else { "" };
        edits.push((
            repeat.at,
            format!("{{{},{}}}{lazy}", repeat.min, bound.max(repeat.min)),
        ));
    }
    for group in &parts.groups {
        let open = if secret == Some(group.index) {
            "(?<secret>"
        } else {
            "(?:"
        };
        edits.push((group.open, open.to_owned()));
    }
    for boundary in &parts.boundaries {
        edits.push((*boundary, r"(?:\<|\>)".to_owned()));
    }
    edits.sort();
    let mut out = String::new();
    let mut at = 0;
    for ((start, end), text) in edits {
        out.push_str(normal.get(at..start).unwrap_or_default());
        out.push_str(&text);
        at = end;
    }
    out.push_str(normal.get(at..).unwrap_or_default());
    if secret.is_none() {
        out = format!("(?<secret>{out})");
    }
    // A search through all of a text sees what stands beside a match.
    if !parts.boundaries.is_empty() && !everywhere {
        // The byte on either side decides a boundary, so it belongs to the match.
        out = format!(r"(?s:\A|.)(?:{out})(?s:.|\z)");
    }
    out
}
