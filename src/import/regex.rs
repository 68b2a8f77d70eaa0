//! Regular expressions of Go and Python → the language of our rules.
//!
//! Three readers want three things of one: an allow-list wants the same language in our syntax, a rule wants a
//! longest match, a group `secret` and literals, and a path rule wants globs.

use std::collections::BTreeSet;
use std::fmt::Write;

use regex_syntax::ast::{self, Ast};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use crate::rule::MAX_REACH;

/// Longest pattern in bytes that is looked at.
const MAX_PATTERN: usize = 16_384;
/// Groups inside groups, at most.
const MAX_DEPTH: u32 = 60;
/// Strings that a set of literals may hold on the way.
const MAX_SET: usize = 64;
/// What one regular expression of an allow-list may take.
const ALLOW_LIMIT: usize = 256 << 10;

/// Bounds that are tried in place of none: of one character, of a group.
///
/// A private key of 4096 bits has some 3,250 characters in its block.
const BOUNDS: [(u32, u32); 10] = [
    (3400, 32),
    (2048, 32),
    (1216, 32),
    (1024, 32),
    (512, 32),
    (256, 16),
    (128, 8),
    (64, 6),
    (40, 4),
    (24, 3),
];

/// A rule's pattern in our language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RulePattern {
    pub(super) pattern: String,
    pub(super) literals: Vec<String>,
    pub(super) ignore_case: bool,
    /// What became different.
    pub(super) changes: Vec<String>,
}

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
    ::regex::bytes::RegexBuilder::new(&normal)
        .unicode(false)
        .size_limit(ALLOW_LIMIT)
        .build()
        .map_err(|_| "it takes more than 256 KB when compiled".to_owned())?;
    Ok(normal)
}

/// A pattern with a longest match, a group `secret`, and literals of which each match holds one.
///
/// # Errors
/// Why our rules cannot say it.
pub(super) fn rule(text: &str, group: usize, keywords: &[String]) -> Result<RulePattern, String> {
    let normal = normal(text)?;
    let parts = Parts::of(&normal)?;
    let mut changes = Vec::new();
    let secret = parts.secret(group)?;
    if secret.is_none() && !parts.groups.is_empty() {
        changes.push(
            "its groups are alternatives, so the whole match counts as the secret".to_owned(),
        );
    }
    let (pattern, bounds) = bounded(&normal, &parts, secret)?;
    if let Some((one, many)) = bounds {
        changes.push(if parts.repeats.iter().any(|r| r.unbounded && !r.single) {
            format!(
                "repetitions without an end now have one: {one} characters, {many} times a group"
            )
        } else {
            format!("repetitions without an end now have one: {one} characters")
        });
    }
    let hir = hir(&pattern)?;
    let wanted: Vec<String> = keywords
        .iter()
        .filter(|k| (3..=64).contains(&k.len()) && k.is_ascii())
        .map(|k| k.to_ascii_lowercase())
        .collect();
    let (literals, ignore_case) = choose(&pattern, &hir, &wanted, keywords)?;
    let same = ignore_case && literals == wanted && wanted.len() == keywords.len();
    if !same && !keywords.is_empty() {
        changes.push(format!(
            "a match need not hold one of the keywords, and keysweep looks at nothing else in the file: it begins with {} instead",
            quoted(&literals)
        ));
    }
    Ok(RulePattern {
        pattern,
        literals,
        ignore_case,
        changes,
    })
}

/// Globs for the paths that a regular expression finds, and whether they say exactly the same.
/// Where they do not, they name more paths.
pub(super) fn globs(text: &str) -> Result<(Vec<String>, bool), String> {
    let hir = hir(&normal(text)?)?;
    let mut exact = true;
    let mut globs = BTreeSet::new();
    for body in glob(&hir, &mut exact) {
        let start = body.starts_with(START);
        let end = body.ends_with(END);
        let inner = body.trim_start_matches(START).trim_end_matches(END);
        // An anchor inside of a path never holds.
        if inner.contains([START, END]) {
            continue;
        }
        // A name without a slash would mean that name in every folder.
        exact &= !start || inner.contains(['/', '*']);
        let mut whole = String::new();
        if !start {
            whole.push('*');
        }
        whole.push_str(inner);
        if !end {
            whole.push('*');
        }
        while whole.contains("**") {
            whole = whole.replace("**", "*");
        }
        globs.insert(whole);
    }
    if globs.is_empty() {
        return Err("no path can fit it".to_owned());
    }
    Ok((globs.into_iter().collect(), exact))
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

fn quoted(list: &[String]) -> String {
    const SHOWN: usize = 4;
    let mut words: Vec<String> = list.iter().take(SHOWN).map(|l| format!("`{l}`")).collect();
    if list.len() > SHOWN {
        words.push(format!("{} more", list.len() - SHOWN));
    }
    words.join(", ")
}

// --- syntax -----------------------------------------------------------------------------------

/// The pattern in the syntax of Rust's regex: what reads otherwise there is written out.
fn normal(text: &str) -> Result<String, String> {
    if text.len() > MAX_PATTERN {
        return Err(format!("it is longer than {MAX_PATTERN} bytes"));
    }
    let mut chars = Chars {
        rest: text.chars().collect(),
        at: 0,
    };
    let mut out = String::with_capacity(text.len() + 16);
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(&mut chars, &mut out)?,
            '[' => class(&mut chars, &mut out)?,
            '{' => match repeat(&chars) {
                Some(length) => {
                    out.push('{');
                    for _ in 0..length {
                        out.extend(chars.next());
                    }
                }
                None => out.push_str(r"\{"),
            },
            '}' => out.push_str(r"\}"),
            '(' => {
                if ["?=", "?!", "?<=", "?<!"].iter().any(|l| chars.sees(l)) {
                    return Err(
                        "look-around is not in the language, which keeps a search linear"
                            .to_owned(),
                    );
                }
                if ["?P=", "?P>", "?>", "?(", "?#"]
                    .iter()
                    .any(|l| chars.sees(l))
                {
                    return Err("this kind of group is not in the language".to_owned());
                }
                out.push('(');
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

struct Chars {
    rest: Vec<char>,
    at: usize,
}

impl Chars {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn sees(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(i, c)| self.peek(i) == Some(c))
    }
}

impl Iterator for Chars {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let c = self.peek(0);
        self.at += usize::from(c.is_some());
        c
    }
}

/// Length of `3}`, `3,}` or `3,9}` behind a brace; anything else is a brace and no count.
fn repeat(chars: &Chars) -> Option<usize> {
    let digits = |from: usize| {
        (from..from + 8)
            .take_while(|i| chars.peek(*i).is_some_and(|c| c.is_ascii_digit()))
            .count()
    };
    let mut at = digits(0);
    if at == 0 || at > 5 {
        return None;
    }
    if chars.peek(at) == Some(',') {
        at += 1;
        at += digits(at);
    }
    (chars.peek(at) == Some('}')).then_some(at + 1)
}

/// What stands behind a backslash outside of a class.
fn escape(chars: &mut Chars, out: &mut String) -> Result<(), String> {
    match chars.peek(0) {
        None => return Err("it ends with a backslash".to_owned()),
        Some('Q') => {
            chars.next();
            while chars.peek(0).is_some() && !chars.sees(r"\E") {
                if let Some(c) = chars.next() {
                    literal(c, out);
                }
            }
            chars.next();
            chars.next();
        }
        Some('C') => {
            chars.next();
            out.push_str("(?s:.)");
        }
        Some('Z') => {
            chars.next();
            out.push_str(r"\z");
        }
        Some('b') => {
            chars.next();
            out.push_str(r"\b");
        }
        Some('B') => return Err(r"`\B` is not in the language of rules".to_owned()),
        Some(c @ ('A' | 'z' | 'd' | 'D' | 's' | 'S' | 'w' | 'W')) => {
            chars.next();
            out.push('\\');
            out.push(c);
        }
        Some('p' | 'P') => {
            return Err(
                "classes of Unicode are not in the language, which works on bytes".to_owned(),
            );
        }
        Some(_) => {
            let c = character(chars)?;
            literal(c, out);
        }
    }
    Ok(())
}

/// The character that an escape stands for; the backslash has been read.
fn character(chars: &mut Chars) -> Result<char, String> {
    let Some(c) = chars.next() else {
        return Err("it ends with a backslash".to_owned());
    };
    let from =
        |code: u32| char::from_u32(code).ok_or_else(|| "an escape names no character".to_owned());
    Ok(match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'f' => '\x0c',
        'v' => '\x0b',
        'a' => '\x07',
        'b' => '\x08',
        'x' if chars.peek(0) == Some('{') => {
            chars.next();
            let mut digits = String::new();
            while let Some(c) = chars.next().filter(|c| *c != '}') {
                digits.push(c);
            }
            from(u32::from_str_radix(&digits, 16).unwrap_or(u32::MAX))?
        }
        'x' => {
            let digits: String = chars.by_ref().take(2).collect();
            from(u32::from_str_radix(&digits, 16).unwrap_or(u32::MAX))?
        }
        '0' => {
            let mut code = 0;
            for _ in 0..2 {
                if let Some(digit) = chars.peek(0).and_then(|c| c.to_digit(8)) {
                    code = code * 8 + digit;
                    chars.next();
                }
            }
            from(code)?
        }
        '1'..='9' => return Err("back-references are not in the language".to_owned()),
        c if c.is_ascii_alphanumeric() => return Err(format!(r"`\{c}` is not in the language")),
        c => c,
    })
}

/// A character as itself.
fn literal(c: char, out: &mut String) {
    match c {
        '<' | '>' | '_' | '"' | '\'' | '/' | ' ' | '=' | '@' | ':' | ';' | ',' | '`' | '%'
        | '!' => {
            out.push(c);
        }
        c if c.is_ascii_alphanumeric() || !c.is_ascii() => out.push(c),
        c if c.is_ascii_punctuation() => {
            out.push('\\');
            out.push(c);
        }
        c => {
            let _ = write!(out, r"\x{:02X}", u32::from(c));
        }
    }
}

/// A class, written anew: what Go takes as a character, Rust may take as an operator.
fn class(chars: &mut Chars, out: &mut String) -> Result<(), String> {
    const OPEN: &str = "a `[` has no `]`";
    out.push('[');
    if chars.peek(0) == Some('^') {
        chars.next();
        out.push('^');
    }
    let mut first = true;
    loop {
        let c = chars.next().ok_or(OPEN)?;
        if c == ']' && !first {
            out.push(']');
            return Ok(());
        }
        first = false;
        if c == '[' && chars.peek(0) == Some(':') {
            let end = (0..16)
                .find(|i| chars.peek(*i) == Some(':') && chars.peek(i + 1) == Some(']') && *i > 0);
            if let Some(end) = end {
                out.push('[');
                for _ in 0..end + 2 {
                    out.extend(chars.next());
                }
                continue;
            }
        }
        let low = if c == '\\' {
            match chars.peek(0) {
                Some(kind @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) => {
                    chars.next();
                    out.push('\\');
                    out.push(kind);
                    continue;
                }
                Some('p' | 'P') => {
                    return Err(
                        "classes of Unicode are not in the language, which works on bytes"
                            .to_owned(),
                    );
                }
                _ => character(chars)?,
            }
        } else {
            c
        };
        literal(low, out);
        let range = chars.peek(0) == Some('-') && chars.peek(1).is_some_and(|c| c != ']');
        let class_follows =
            chars.peek(1) == Some('\\') && chars.peek(2).is_some_and(|c| "dDsSwWpP".contains(c));
        if range && !class_follows {
            chars.next();
            let c = chars.next().ok_or(OPEN)?;
            let high = if c == '\\' { character(chars)? } else { c };
            out.push('-');
            literal(high, out);
        }
    }
}

// --- rules ------------------------------------------------------------------------------------

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
    /// Whether one character is repeated, not a group.
    single: bool,
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
        parts.walk(&ast, true);
        Ok(parts)
    }

    fn walk(&mut self, ast: &Ast, always: bool) {
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
                    single: !matches!(*r.ast, Ast::Group(_) | Ast::Repetition(_)),
                });
                self.walk(&r.ast, always && min > 0);
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
                self.walk(&g.ast, always);
            }
            Ast::Alternation(a) => a.asts.iter().for_each(|a| self.walk(a, false)),
            Ast::Concat(c) => c.asts.iter().for_each(|a| self.walk(a, always)),
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
) -> Result<(String, Option<(u32, u32)>), String> {
    let free = parts.repeats.iter().any(|r| r.unbounded);
    for (one, many) in BOUNDS {
        let pattern = written(normal, parts, secret, one, many);
        let longest = hir(&pattern)?.properties().maximum_len();
        if longest.is_some_and(|l| l <= MAX_REACH) && crate::rule::regex(&pattern).is_ok() {
            return Ok((pattern, free.then_some((one, many))));
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

fn written(normal: &str, parts: &Parts, secret: Option<usize>, one: u32, many: u32) -> String {
    let mut edits: Vec<((usize, usize), String)> = Vec::new();
    for repeat in parts.repeats.iter().filter(|r| r.unbounded) {
        let bound = if repeat.single { one } else { many };
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
    if !parts.boundaries.is_empty() {
        // The byte on either side decides a boundary, so it belongs to the match.
        out = format!(r"(?s:\A|.)(?:{out})(?s:.|\z)");
    }
    out
}

/// The keywords where each match holds one, else literals that the pattern itself asks for.
fn choose(
    pattern: &str,
    hir: &Hir,
    wanted: &[String],
    keywords: &[String],
) -> Result<(Vec<String>, bool), String> {
    if !wanted.is_empty() && wanted.len() == keywords.len() {
        let mut literals = wanted.to_vec();
        literals.sort();
        literals.dedup();
        if literals.len() <= MAX_SET && proven(pattern, &literals, true) {
            return Ok((
                wanted.iter().fold(Vec::new(), |mut list, w| {
                    if !list.contains(w) {
                        list.push(w.clone());
                    }
                    list
                }),
                true,
            ));
        }
    }
    let (exact, folded) = (needed(hir, false), needed(hir, true));
    // Every way to write a word is many literals; one that ignores case is better.
    let spelled = |exact: &[String]| folded.as_ref().is_some_and(|f| f.len() < exact.len());
    let exact = exact.filter(|e| !spelled(e));
    for (literals, fold) in [(exact, false), (folded.clone(), true)] {
        if let Some(literals) = literals
            && proven(pattern, &literals, fold)
        {
            return Ok((literals, fold));
        }
    }
    Err(if keywords.is_empty() {
        "it has no keywords, and no text of 3 bytes that stands in every match; a rule needs one to be searched for".to_owned()
    } else {
        format!(
            "a match need not hold {} nor any other text of 3 bytes; a rule needs one to be searched for: write the keyword into the regex",
            quoted(keywords)
        )
    })
}

fn proven(pattern: &str, literals: &[String], ignore_case: bool) -> bool {
    let text = format!(
        "provider = \"Custom\"\n[[rule]]\nid = \"x\"\nname = \"x\"\nseverity = \"high\"\nconfidence = \"medium\"\nliterals = [{}]\nignore_case = {ignore_case}\npattern = {}\n",
        literals
            .iter()
            .map(|l| super::write::string(l))
            .collect::<Vec<_>>()
            .join(", "),
        super::write::string(pattern)
    );
    crate::rule::parse("import", &text).is_ok()
}

/// Texts of which every match holds one, of 3 bytes at least.
fn needed(hir: &Hir, fold: bool) -> Option<Vec<String>> {
    let need = Need::of(hir, fold);
    let set = better(need.exact, need.best)?;
    let texts: BTreeSet<String> = set
        .iter()
        .map(|t| String::from_utf8(t.iter().copied().take(64).collect()).ok())
        .collect::<Option<_>>()?;
    let all: Vec<String> = texts.iter().cloned().collect();
    let kept: Vec<String> = all
        .iter()
        .filter(|t| !all.iter().any(|o| o != *t && t.contains(o.as_str())))
        .cloned()
        .collect();
    kept.iter()
        .all(|t| t.len() >= 3 && t.is_ascii())
        .then_some(kept)
}

type Set = BTreeSet<Vec<u8>>;

/// What a part of a pattern asks of a text.
struct Need {
    /// All that it matches, where that is little.
    exact: Option<Set>,
    /// Texts of which every match holds one.
    best: Option<Set>,
}

impl Need {
    fn of(hir: &Hir, fold: bool) -> Self {
        let exact = |set: Set| Self {
            exact: Some(set),
            best: None,
        };
        let nothing = Self {
            exact: None,
            best: None,
        };
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => exact([Vec::new()].into()),
            HirKind::Literal(l) => exact([l.0.iter().map(|b| folded(*b, fold)).collect()].into()),
            HirKind::Class(Class::Bytes(c)) => {
                let bytes: BTreeSet<u8> = c
                    .iter()
                    .flat_map(|r| r.start()..=r.end())
                    .map(|b| folded(b, fold))
                    .collect();
                if bytes.len() > 24 {
                    return nothing;
                }
                exact(bytes.into_iter().map(|b| vec![b]).collect())
            }
            HirKind::Class(Class::Unicode(_)) => nothing,
            HirKind::Capture(c) => Self::of(&c.sub, fold),
            HirKind::Repetition(r) => {
                let sub = Self::of(&r.sub, fold);
                if r.min == 0 {
                    return match (sub.exact, r.max) {
                        (Some(mut set), Some(1)) if set.len() < MAX_SET => {
                            set.insert(Vec::new());
                            exact(set)
                        }
                        _ => nothing,
                    };
                }
                let mut power: Option<Set> = sub.exact.clone();
                for _ in 1..r.min.min(8) {
                    power = power.and_then(|p| product(&p, sub.exact.as_ref()?));
                }
                // The proof of a literal follows a repetition as far.
                let whole = r.max == Some(r.min) && r.min <= 8;
                Self {
                    best: better(better(power.clone(), sub.exact), sub.best),
                    exact: power.filter(|_| whole),
                }
            }
            HirKind::Concat(subs) => {
                let mut run: Set = [Vec::new()].into();
                let mut best = None;
                let mut whole = true;
                for sub in subs {
                    let next = Self::of(sub, fold);
                    if let Some(joined) = next.exact.as_ref().and_then(|e| product(&run, e)) {
                        run = joined;
                        best = better(best, next.best);
                        continue;
                    }
                    whole = false;
                    // The first of what is repeated stands behind what was before.
                    if let HirKind::Repetition(r) = sub.kind()
                        && r.min > 0
                        && let Some(joined) = Self::of(&r.sub, fold)
                            .exact
                            .and_then(|first| product(&run, &first))
                    {
                        run = joined;
                    }
                    best = better(better(best, Some(run)), next.best);
                    run = next.exact.unwrap_or_else(|| [Vec::new()].into());
                }
                if whole {
                    return Self {
                        exact: Some(run),
                        best,
                    };
                }
                Self {
                    exact: None,
                    best: better(best, Some(run)),
                }
            }
            HirKind::Alternation(subs) => {
                let needs: Vec<Self> = subs.iter().map(|s| Self::of(s, fold)).collect();
                let all: Option<Set> = needs
                    .iter()
                    .map(|n| n.exact.clone())
                    .collect::<Option<Vec<_>>>()
                    .map(|sets| sets.into_iter().flatten().collect::<Set>())
                    .filter(|set| set.len() <= MAX_SET);
                let best: Option<Set> = needs
                    .into_iter()
                    .map(|n| better(n.exact, n.best))
                    .collect::<Option<Vec<_>>>()
                    .map(|sets| sets.into_iter().flatten().collect::<Set>())
                    .filter(|set| set.len() <= MAX_SET);
                Self { exact: all, best }
            }
        }
    }
}

fn folded(byte: u8, fold: bool) -> u8 {
    if fold {
        byte.to_ascii_lowercase()
    } else {
        byte
    }
}

/// Each text of one behind each of the other, where they stay few.
fn product(left: &Set, right: &Set) -> Option<Set> {
    if left.len() * right.len() > MAX_SET {
        return None;
    }
    let long = |set: &Set| set.iter().map(Vec::len).max().unwrap_or(0);
    if long(left) + long(right) > 256 {
        return None;
    }
    Some(
        left.iter()
            .flat_map(|l| right.iter().map(move |r| [&l[..], &r[..]].concat()))
            .collect(),
    )
}

/// The set that is better to search for: its shortest text is longer, or it is smaller.
fn better(one: Option<Set>, other: Option<Set>) -> Option<Set> {
    let worth = |set: &Set| {
        let shortest = set.iter().map(Vec::len).min().unwrap_or(0);
        (shortest.min(6), usize::MAX - set.len())
    };
    match (one, other) {
        (Some(a), Some(b)) => Some(if worth(&b) > worth(&a) { b } else { a }),
        (a, b) => a.or(b),
    }
    .filter(|set| set.iter().all(|t| !t.is_empty()))
}

// --- paths ------------------------------------------------------------------------------------

/// The path's start and end, in a glob on the way.
const START: char = '\u{2}';
const END: char = '\u{3}';

fn glob(hir: &Hir, exact: &mut bool) -> Vec<String> {
    let any = |exact: &mut bool| {
        *exact = false;
        vec!["*".to_owned()]
    };
    match hir.kind() {
        HirKind::Empty => vec![String::new()],
        HirKind::Look(Look::Start | Look::StartLF) => vec![START.to_string()],
        HirKind::Look(Look::End | Look::EndLF) => vec![END.to_string()],
        HirKind::Look(_) => {
            *exact = false;
            vec![String::new()]
        }
        HirKind::Literal(l) => match std::str::from_utf8(&l.0) {
            Ok(text) if !text.contains(|c: char| c.is_control()) => vec![glob_text(text)],
            _ => any(exact),
        },
        HirKind::Class(Class::Bytes(c)) => {
            let bytes: Vec<u8> = c.iter().flat_map(|r| r.start()..=r.end()).collect();
            let simple = |b: &u8| b.is_ascii_alphanumeric() || b"._/ ".contains(b);
            if bytes.len() <= 12 && bytes.iter().all(simple) {
                let inner: String = bytes.iter().map(|b| char::from(*b)).collect();
                return vec![if inner.len() == 1 {
                    inner
                } else {
                    format!("[{inner}]")
                }];
            }
            *exact &= bytes.len() >= 255;
            vec!["?".to_owned()]
        }
        HirKind::Class(Class::Unicode(_)) => any(exact),
        HirKind::Capture(c) => glob(&c.sub, exact),
        HirKind::Repetition(r) => {
            if r.min == 0 && r.max == Some(1) {
                let mut with = glob(&r.sub, exact);
                with.push(String::new());
                return with;
            }
            let dot = matches!(r.sub.kind(), HirKind::Class(Class::Bytes(c))
                if c.iter().map(|r| usize::from(r.end()) - usize::from(r.start()) + 1).sum::<usize>() >= 255);
            if r.max.is_none() && r.min <= 1 && dot {
                return vec![if r.min == 0 { "*" } else { "?*" }.to_owned()];
            }
            any(exact)
        }
        HirKind::Concat(subs) => {
            let mut all = vec![String::new()];
            for sub in subs {
                let next = glob(sub, exact);
                if all.len() * next.len() > MAX_SET {
                    *exact = false;
                    for one in &mut all {
                        one.push('*');
                    }
                    continue;
                }
                all = all
                    .iter()
                    .flat_map(|a| next.iter().map(move |n| format!("{a}{n}")))
                    .collect();
            }
            all
        }
        HirKind::Alternation(subs) => {
            let all: Vec<String> = subs.iter().flat_map(|s| glob(s, exact)).collect();
            if all.len() > MAX_SET { any(exact) } else { all }
        }
    }
}

/// A text in a glob, as itself.
pub(super) fn glob_text(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '*' | '?' | '[' | '{' | '}' | ']' | '\\' => {
                out.push('[');
                out.push(c);
                out.push(']');
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
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
        assert!(
            found.changes[0].contains("need not hold"),
            "{:?}",
            found.changes
        );
        let found = converted(r"\bacme[0-9]{9}\b", 0, &[]);
        assert!(!found.pattern.contains(r"\b"));
        assert!(rule(r"[0-9a-f]{32}", 0, &["acme".to_owned()]).is_err());
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
