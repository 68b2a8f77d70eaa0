//! A rule as data.

use std::borrow::Cow;

use super::file::{RawRule, RuleFile};
use crate::model::{Confidence, Severity};

pub(super) type Text = Cow<'static, str>;
pub(super) type List = Cow<'static, [Text]>;

/// A rule as data: what a rule file says, checked.
#[expect(clippy::struct_excessive_bools, reason = "the keys of a rule file")]
#[derive(Debug, Clone)]
pub struct RuleSpec {
    /// `<provider>-<kind>`, stable for ever.
    pub id: Text,
    /// Name of the provider.
    pub provider: Text,
    /// Title of the kind.
    pub name: Text,
    /// How bad a leak is.
    pub severity: Severity,
    /// What a match alone is worth.
    pub confidence: Confidence,
    /// One of these stands in every match; empty where `everywhere`.
    pub literals: List,
    /// Whether they match in any case.
    pub ignore_case: bool,
    /// Whether the pattern is searched for in every byte.
    pub everywhere: bool,
    /// One of these stands, in any case, in each text that the rule looks into; empty for all texts.
    pub keywords: List,
    /// The regex, macros expanded.
    pub pattern: Text,
    /// Least entropy of the secret, bits per character.
    pub entropy: Option<f32>,
    /// Verifier of check digits or structure.
    pub checksum: Option<Text>,
    /// Sorts of character that the secret must hold.
    pub require: List,
    /// Companions.
    pub near: Cow<'static, [Near]>,
    /// Globs of which one must match the path.
    pub only: List,
    /// Globs of which none may match.
    pub never: List,
    /// What the owner does next.
    pub remedy: Text,
    /// The vendor's page where the key is ended by hand, or empty.
    pub console: Text,
    /// The vendor's page that defines the kind, or empty.
    pub link: Text,
    /// Meant to be public.
    pub publishable: bool,
    /// Rests on the words around it alone.
    pub generic: bool,
    /// Whether the word of a generic rule is the name of an entry.
    pub entry: bool,
    /// Whether in a generic rule a blank joins name and value.
    pub spaced: bool,
    /// Which word filter runs.
    pub words: Option<Words>,
    /// Whether placeholder shapes are dropped.
    pub placeholder: bool,
    /// Whether its literals are looked for in encoded form, too; without it, a generic rule looks into no decoded text.
    pub decode: bool,
    /// The secret is a block from the match to an end mark.
    pub block: Option<Block>,
    /// Segments that describe the secret, for the generator of the tests.
    pub shape: List,
    /// Text around a generated secret.
    pub shape_context: Text,
    /// Texts in which the rule finds exactly one secret.
    pub examples: List,
    /// Texts in which it finds nothing.
    pub counterexamples: List,
    /// Whether the secret itself begins with a literal.
    pub prefixed: bool,
    /// Whether the secret may hold signs, so that its pattern may stop before its end.
    pub open: bool,
    /// A byte outside the literals that stands in every match, 0 for none.
    pub gate: u8,
    /// Least length of an unbroken run of token bytes in every match.
    pub run: usize,
    /// What follows a literal of three bytes: 0 anything, 1 a byte of `[0-9A-Za-z_-]`, 2 a hexadecimal digit.
    pub next: u8,
    /// Bytes that a match may hold before its literal.
    pub back: usize,
    /// Bytes that a match may hold from its literal on.
    pub forward: usize,
}

/// A companion that stands near.
#[derive(Debug, Clone)]
pub struct Near {
    /// Id of the companion's rule.
    pub rule: Text,
    /// Lines apart at the most.
    pub within_lines: u32,
    /// Name of the part it becomes.
    pub part: Text,
    /// Whether there is no finding without it.
    pub required: bool,
}

/// A secret of several lines.
#[derive(Debug, Clone)]
pub struct Block {
    /// The text on whose line it ends.
    pub end: Text,
    /// Longest block in bytes.
    pub max: usize,
}

/// Which word filter runs on a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// Plain words and identifiers are no secret.
    Strict,
    /// Only what a machine made is a secret.
    Generated,
    /// Words are allowed beside digits or symbols, as people choose passwords.
    Password,
}

impl RuleSpec {
    pub(super) fn from_raw(parsed: &RuleFile, raw: &RawRule) -> Self {
        let text = |s: &str| Text::Owned(s.to_owned());
        let list = |items: &[String]| -> List { items.iter().map(|s| text(s)).collect() };
        let link = if raw.link.is_empty() {
            &parsed.homepage
        } else {
            &raw.link
        };
        Self {
            id: text(raw.id.get_ref()),
            provider: text(raw.provider.as_ref().unwrap_or(&parsed.provider)),
            name: text(&raw.name),
            severity: match &*raw.severity {
                "critical" => Severity::Critical,
                "high" => Severity::High,
                "medium" => Severity::Medium,
                _ => Severity::Low,
            },
            confidence: match &*raw.confidence {
                "high" => Confidence::High,
                "medium" => Confidence::Medium,
                _ => Confidence::Low,
            },
            literals: list(&raw.literals),
            ignore_case: raw.ignore_case,
            everywhere: raw.everywhere,
            keywords: list(&raw.keywords),
            pattern: text(&raw.pattern),
            entropy: raw.entropy,
            checksum: raw.checksum.as_deref().map(text),
            require: list(&raw.require),
            near: raw
                .near
                .iter()
                .map(|n| Near {
                    rule: text(&n.rule),
                    within_lines: n.within_lines,
                    part: text(&n.part),
                    required: n.required,
                })
                .collect(),
            only: list(&raw.paths.only),
            never: list(&raw.paths.never),
            remedy: text(&raw.remedy),
            console: text(&raw.console),
            link: text(link),
            publishable: raw.publishable,
            generic: raw.generic,
            entry: raw.entry,
            spaced: raw.spaced,
            words: match raw.words.as_deref() {
                Some("strict") => Some(Words::Strict),
                Some("generated") => Some(Words::Generated),
                Some(_) => Some(Words::Password),
                None => None,
            },
            placeholder: raw.placeholder,
            decode: raw.decode,
            block: raw.block.as_ref().map(|b| Block {
                end: text(&b.end),
                max: b.max,
            }),
            shape: list(&raw.shape),
            shape_context: text(raw.shape_context.as_deref().unwrap_or("{}")),
            examples: list(&raw.examples),
            counterexamples: list(&raw.counterexamples),
            prefixed: raw.prefixed,
            open: raw.open,
            gate: raw.gate,
            run: raw.run,
            next: raw.next,
            back: raw.back,
            forward: raw.forward,
        }
    }
}
