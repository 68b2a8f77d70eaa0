//! Rule files: TOML text → checked rules, or an error that names file, line and mend.
//!
//! build.rs includes this file by path, so that what is compiled into the program and what is
//! loaded from disk pass the same checks; it therefore uses std, serde, toml and regex-syntax
//! alone. What a rule becomes at run time is in `set.rs`.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::block;
use super::check::check;

/// A provider's rule file as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// Display name of the provider, for example `GitHub`.
    pub provider: String,
    /// The vendor's page that the facts come from.
    #[serde(default)]
    pub homepage: String,
    /// The rules, in the order written.
    #[serde(default, rename = "rule")]
    pub rules: Vec<RawRule>,
    /// How its credentials are proven, by name; rules name one.
    #[serde(default)]
    pub verify: BTreeMap<String, toml::Spanned<block::Verify>>,
    /// How they are ended, by name; rules name one.
    #[serde(default)]
    pub revoke: BTreeMap<String, toml::Spanned<block::Revoke>>,
}

/// One `[[rule]]` as written, then completed by [`parse`].
#[allow(
    clippy::struct_excessive_bools,
    reason = "the keys of a rule file; build.rs shares this file without the lint"
)]
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRule {
    /// `<provider>-<kind>`, stable for ever; with its place in the file for errors.
    pub id: toml::Spanned<String>,
    /// Display name of the provider, where it is another than the file's.
    #[serde(default)]
    pub provider: Option<String>,
    /// Title of the kind.
    pub name: String,
    /// `critical`, `high`, `medium` or `low`.
    pub severity: String,
    /// What a match alone is worth: `high`, `medium` or `low`.
    pub confidence: String,
    /// One of these stands in every match.
    #[serde(default)]
    pub literals: Vec<String>,
    /// Whether the literals match in any case.
    #[serde(default)]
    pub ignore_case: bool,
    /// No text stands in every match: the pattern is searched for in every byte.
    #[serde(default)]
    pub everywhere: bool,
    /// The rule looks only into texts that hold one of these somewhere, in any case; into all where there is none.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// The regex, macros expanded after [`parse`].
    pub pattern: String,
    /// Least Shannon entropy of the secret, bits per character.
    #[serde(default)]
    pub entropy: Option<f32>,
    /// Name of a verifier of check digits or structure.
    #[serde(default)]
    pub checksum: Option<String>,
    /// Sorts of character that the secret must hold: `digit`, `upper`, `lower`, `letter`, `symbol`.
    #[serde(default)]
    pub require: Vec<String>,
    /// Other rules' matches that must or may stand near.
    #[serde(default)]
    pub near: Vec<RawNear>,
    /// Where the rule applies.
    #[serde(default)]
    pub paths: RawPaths,
    /// What the owner does next.
    #[serde(default)]
    pub remedy: String,
    /// The vendor's page where the key is ended by hand.
    #[serde(default)]
    pub console: String,
    /// The vendor's page that defines the kind.
    #[serde(default)]
    pub link: String,
    /// Meant to be public; severity is low.
    #[serde(default)]
    pub publishable: bool,
    /// Rests on the words around it alone: yields to every other rule, and context lowers it.
    #[serde(default)]
    pub generic: bool,
    /// Whether the word of a generic rule is the name of an entry, `name: DB_PASSWORD`, whose value stands beside it.
    #[serde(default)]
    pub entry: bool,
    /// Whether in a generic rule a blank joins name and value (`--api-key K`, `#define API_KEY "K"`).
    #[serde(default)]
    pub spaced: bool,
    /// What to think of the secret's words: `strict` drops plain words, `generated` all but what looks made by a machine,
    /// `password` allows them beside digits or symbols. Without it no word filter runs.
    #[serde(default)]
    pub words: Option<String>,
    /// Whether placeholder shapes are dropped.
    #[serde(default = "yes")]
    pub placeholder: bool,
    /// Whether its literals are looked for in encoded form, too; without it, a generic rule looks into no decoded text.
    #[serde(default = "yes")]
    pub decode: bool,
    /// The secret is a block from the match to an end mark.
    #[serde(default)]
    pub block: Option<RawBlock>,
    /// Segments that describe the secret, for the generator of the tests.
    #[serde(default)]
    pub shape: Vec<String>,
    /// Text around a generated secret, `{}` in its place.
    #[serde(default)]
    pub shape_context: Option<String>,
    /// Name of the file's `[verify.*]` block that proves it.
    #[serde(default)]
    pub verify: Option<String>,
    /// Name of the file's `[revoke.*]` block that ends it.
    #[serde(default)]
    pub revoke: Option<String>,
    /// Texts in which the rule finds exactly one secret.
    #[serde(default)]
    pub examples: Vec<String>,
    /// Texts in which the rule finds nothing.
    #[serde(default)]
    pub counterexamples: Vec<String>,
    /// Whether the secret begins with a literal; computed.
    #[serde(skip)]
    pub prefixed: bool,
    /// Whether the secret may hold signs, so that its pattern may stop before its end; computed.
    #[serde(skip)]
    pub open: bool,
    /// A byte outside the literals that stands in every match, 0 for none; computed.
    #[serde(skip)]
    pub gate: u8,
    /// Least length of an unbroken run of [`is_token_byte`](super::is_token_byte)s in the secret, 0 for none; computed.
    #[serde(skip)]
    pub run: usize,
    /// What follows a literal of three bytes in every match: 0 anything, 1 a byte of
    /// `[0-9A-Za-z_-]`, 2 a hexadecimal digit; computed.
    #[serde(skip)]
    pub next: u8,
    /// Bytes that a match may hold before its literal; computed.
    #[serde(skip)]
    pub back: usize,
    /// Bytes that a match may hold from its literal on; computed.
    #[serde(skip)]
    pub forward: usize,
}

/// A companion of a multi-part credential, as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawNear {
    /// Id of the rule that finds the companion.
    pub rule: String,
    /// How many lines apart at the most.
    pub within_lines: u32,
    /// Name of the part that the companion's secret becomes.
    #[serde(rename = "as")]
    pub part: String,
    /// Whether the rule reports nothing without it.
    #[serde(default = "yes")]
    pub required: bool,
}

/// Path rules, as written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawPaths {
    /// Globs of which one must match.
    #[serde(default)]
    pub only: Vec<String>,
    /// Globs of which none may match.
    #[serde(default)]
    pub never: Vec<String>,
}

/// A block secret, as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawBlock {
    /// The text on whose line the block ends.
    pub end: String,
    /// Longest block in bytes.
    pub max: usize,
}

fn yes() -> bool {
    true
}

/// Why a rule file was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// The file as the caller named it.
    pub path: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, and how it is mended.
    pub message: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

impl std::error::Error for FileError {}

/// Longest reach of a pattern in bytes; windows and edits are given this much context.
pub const MAX_REACH: usize = 4096;
/// Least bytes of a match without literals: shorter ones stand everywhere.
pub const MIN_EVERYWHERE: usize = 3;
/// Longest block in bytes.
pub const MAX_BLOCK: usize = 65_536;

/// The macros of the pattern language and what they stand for.
pub const MACROS: &[(&str, &str)] = &[
    ("{left}", r"(?:^|[^0-9A-Za-z]|\\[nrt])"),
    ("{right}", r"(?:[^0-9A-Za-z]|$)"),
    ("{rightu}", r"(?:[^0-9A-Za-z_\-]|$)"),
    ("{right64}", r"(?:[^0-9A-Za-z+/=_\-]|$)"),
    (
        "{pair}",
        r#"(?:,?\s{0,40}(?:\\?["'`])?(?i:(?:parameter|option)?value|default)(?:\\?["'`])?[ \t]{0,12}(?:=>?|:)|[:=]\s{0,4}\{\s{0,40}(?:["']?(?i:type)["']?[ \t]{0,4}[:=][ \t]{0,4}["']?[A-Za-z]{1,16}["']?,?\s{0,40})?["']?(?i:(?:default)?value)["']?[ \t]{0,4}[:=]|</(?i:key|name)>\s{0,40}<(?i:string|value)>)"#,
    ),
    (
        // What stands between a name and its sign in a typed declaration: `: &str`, ` As String`, `[33]`.
        "{type}",
        r"(?:\[[0-9A-Za-z_+]{0,24}\])?(?:(?:[?!]?[ \t]{0,4}:[ \t]{0,4}|[ \t]{1,4}(?i:as )?)(?:(?:Option|Optional|Final|ClassVar|Mapped|Cow)[<\[](?:'static, ?)?)?(?:&(?:'[a-z_]{1,12} )?)?(?i:str|string|nsstring|bytes|secretstr|any|final|\[\](?:byte|const u8)|\[u8(?:; ?[0-9]{1,4})?\]|n?varchar\([0-9a-z]{1,5}\))[>\]]?(?:[?!]| ?\| ?(?:None|null|undefined))?)?",
    ),
    (
        // What opens a value in quotes, also where a call makes it bytes or a string of another sort.
        "{open}",
        r#"(?:(?:\[\]byte|String::from|(?:new )?String|SecretStr|Buffer\.from|bytes)?\(?[A-Za-z@$]{0,2}\\?["'`])"#,
    ),
    (
        "{assign}",
        r#"[0-9A-Za-z_.\-]{0,40}(?:\\?["'`\])]){0,2}(?:[?!]?[ \t]?:?[ \t](?:&(?:'static )?)?(?i:as )?(?i:str|string|\[\]byte))?[ \t]{0,12}(?::[=-]|<-|=>|={1,3}|::?|,|>|\|\|=?)\s{0,12}(?:[A-Za-z@$]{0,2}\\?["'`]){0,3}"#,
    ),
];

/// Reads and checks a rule file.
///
/// # Errors
/// The first thing wrong, with its line and the mend.
pub fn parse(path: &str, text: &str) -> Result<RuleFile, FileError> {
    let fail = |offset: usize, message: String| FileError {
        path: path.to_owned(),
        line: line_of(text, offset),
        message,
    };
    let mut file: RuleFile = toml::from_str(text).map_err(|e| {
        let offset = e.span().map_or(0, |s| s.start);
        fail(offset, mended(e.message()))
    })?;
    complete(text, &mut file.rules, fail)?;
    for (name, block) in &file.verify {
        block
            .get_ref()
            .check()
            .map_err(|why| fail(block.span().start, format!("verify block `{name}`: {why}")))?;
    }
    for (name, block) in &file.revoke {
        block
            .get_ref()
            .check()
            .map_err(|why| fail(block.span().start, format!("revoke block `{name}`: {why}")))?;
    }
    for rule in &file.rules {
        for (key, used, is_there) in [
            (
                "verify",
                &rule.verify,
                rule.verify
                    .as_ref()
                    .is_none_or(|n| file.verify.contains_key(n)),
            ),
            (
                "revoke",
                &rule.revoke,
                rule.revoke
                    .as_ref()
                    .is_none_or(|n| file.revoke.contains_key(n)),
            ),
        ] {
            if let (Some(name), false) = (used, is_there) {
                let id = rule.id.get_ref();
                let at = rule.id.span().start;
                return Err(fail(
                    key_of(text, at, key).unwrap_or(at),
                    format!("rule `{id}`: {key} = \"{name}\", but the file has no [{key}.{name}]"),
                ));
            }
        }
    }
    Ok(file)
}

/// The blocks of a rule file whose stem is `provider`, with the rules that use them.
pub fn blocks(provider: &str, file: &RuleFile) -> block::Blocks {
    let key = |name: &String| format!("{provider}.{name}");
    block::Blocks {
        rules: file
            .rules
            .iter()
            .filter(|r| r.verify.is_some() || r.revoke.is_some())
            .map(|r| {
                let uses = block::Uses {
                    name: r.name.clone(),
                    provider: provider.to_owned(),
                    near: r.near.iter().map(|near| near.part.clone()).collect(),
                    verify: r.verify.as_ref().map(key),
                    revoke: r.revoke.as_ref().map(key),
                };
                (r.id.get_ref().clone(), uses)
            })
            .collect(),
        verify: file
            .verify
            .iter()
            .map(|(n, b)| (key(n), b.get_ref().clone()))
            .collect(),
        revoke: file
            .revoke
            .iter()
            .map(|(n, b)| (key(n), b.get_ref().clone()))
            .collect(),
    }
}

/// Reads and checks the `[[rule]]` tables of a file that holds other things, too, such as `keysweep.toml`.
///
/// # Errors
/// The first thing wrong with a rule, with its line and the mend.
pub fn parse_tables(path: &str, text: &str) -> Result<RuleFile, FileError> {
    #[derive(Deserialize)]
    struct Tables {
        #[serde(default)]
        rule: Vec<RawRule>,
    }
    let fail = |offset: usize, message: String| FileError {
        path: path.to_owned(),
        line: line_of(text, offset),
        message,
    };
    let mut tables: Tables = toml::from_str(text).map_err(|e| {
        let offset = e.span().map_or(0, |s| s.start);
        fail(offset, mended(e.message()))
    })?;
    complete(text, &mut tables.rule, fail)?;
    Ok(RuleFile {
        provider: "Custom".to_owned(),
        homepage: String::new(),
        rules: tables.rule,
        verify: BTreeMap::new(),
        revoke: BTreeMap::new(),
    })
}

fn complete(
    text: &str,
    rules: &mut [RawRule],
    fail: impl Fn(usize, String) -> FileError,
) -> Result<(), FileError> {
    for rule in rules {
        let at = rule.id.span().start;
        check(rule).map_err(|message| {
            let id = rule.id.get_ref();
            let first = message.split([' ', '`']).find(|word| !word.is_empty());
            let key = match first.unwrap_or_default() {
                "literal" => "literals",
                "longest" | "\\b" => "pattern",
                "a" if message.starts_with("a match ") => "pattern",
                key => key,
            };
            let at = key_of(text, at, key).unwrap_or(at);
            fail(at, format!("rule `{id}`: {message}"))
        })?;
    }
    Ok(())
}

/// Where a key of the rule stands whose id is at an offset.
fn key_of(text: &str, id: usize, key: &str) -> Option<usize> {
    let (before, behind) = text.split_at_checked(id)?;
    let start = before.rfind("[[rule]]")?;
    let end = behind.find("\n[[").map_or(text.len(), |at| id + at);
    let mut at = start;
    for line in text.get(start..end)?.split_inclusive('\n') {
        let bare = line.trim_start();
        let rest = bare.strip_prefix(key).map(str::trim_start);
        if rest.is_some_and(|rest| rest.starts_with('=')) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// What to write for a key that a rule must have.
fn example(key: &str) -> Option<&'static str> {
    Some(match key {
        "provider" => "provider = \"Acme\" at the top of the file",
        "id" => "id = \"acme-api-key\"",
        "name" => "name = \"Acme API key\"",
        "severity" => "severity = \"high\"",
        "confidence" => "confidence = \"high\"",
        "pattern" => "pattern = '{left}(?<secret>acme_[0-9a-z]{32}){right}'",
        "rule" => "rule = \"acme-key-id\"",
        "within_lines" => "within_lines = 3",
        "as" => "as = \"id\"",
        _ => return None,
    })
}

/// What the TOML reader says, in one line, and with the key that was meant where one is near.
fn mended(message: &str) -> String {
    let message = message.replace('\n', "; ");
    let mut quoted = message.split('`').skip(1).step_by(2);
    match (message.starts_with("unknown field"), quoted.next()) {
        (true, Some(key)) => match nearest(key, quoted) {
            Some(known) => format!("unknown field `{key}`; did you mean `{known}`?"),
            None => message,
        },
        (false, Some(key)) if message.starts_with("missing field") => match example(key) {
            Some(example) => format!("missing field `{key}`; write {example}"),
            None => message,
        },
        _ => message,
    }
}

/// The candidate that differs least from `word`, if one is near.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|c| (distance(word, c), c))
        .filter(|(d, _)| *d <= word.len() / 3 + 1)
        .min()
        .map(|(_, c)| c)
}

/// Levenshtein distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let cost = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = cost.min(*cell + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// Line of a byte offset, counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()
        .iter()
        .take(offset)
        .filter(|b| **b == b'\n')
        .count()
        + 1
}
