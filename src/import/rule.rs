//! A rule of somebody else's in our form.

use std::fmt::Write;

use super::write::{list, string};
use crate::rule::{FileError, RuleFile};

/// A rule that was imported; its pattern has passed the checks of a rule file.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedRule {
    /// The id that findings, suppressions and switches name.
    pub id: String,
    /// Title of the kind.
    pub name: String,
    /// `critical`, `high`, `medium` or `low`.
    pub severity: &'static str,
    /// One of these stands in every match; where there is none, the pattern is searched for in every byte.
    pub literals: Vec<String>,
    /// Whether they match in any case.
    pub ignore_case: bool,
    /// One of these stands in each file that the rule looks into; empty for all files.
    pub keywords: Vec<String>,
    /// The regex.
    pub pattern: String,
    /// Least entropy of the secret in bits per character.
    pub entropy: Option<f32>,
    /// Globs of which one must match the path; empty for all paths.
    pub only: Vec<String>,
    /// Whether placeholder shapes are dropped.
    pub placeholder: bool,
    /// Whether plain words are dropped.
    pub words: bool,
    /// What must stand near.
    pub near: Vec<Part>,
    /// The file that it was written in.
    pub file: String,
    /// Its line there, from 1.
    pub line: u32,
}

impl Eq for ImportedRule {}

/// A match of another rule that must stand near.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Id of the other rule.
    pub rule: String,
    /// How many lines apart at the most.
    pub within_lines: u32,
}

impl ImportedRule {
    /// The `[[rule]]` table.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut out = format!(
            "[[rule]]   # {}:{}\nid = {}\nname = {}\nseverity = {}\nconfidence = \"medium\"\n",
            super::write::comment(&self.file),
            self.line,
            string(&self.id),
            string(&self.name),
            string(self.severity),
        );
        if self.literals.is_empty() {
            out.push_str("everywhere = true   # no text of 3 bytes stands in every match\n");
        } else {
            let _ = writeln!(out, "literals = {}", list(&self.literals));
        }
        if self.ignore_case {
            out.push_str("ignore_case = true\n");
        }
        if !self.keywords.is_empty() {
            let _ = writeln!(out, "keywords = {}", list(&self.keywords));
        }
        let _ = writeln!(out, "pattern = {}", string(&self.pattern));
        if let Some(bits) = self.entropy {
            let _ = writeln!(out, "entropy = {bits:.2}");
        }
        if !self.only.is_empty() {
            let _ = writeln!(out, "paths = {{ only = {} }}", list(&self.only));
        }
        if !self.near.is_empty() {
            let near: Vec<String> = self
                .near
                .iter()
                .map(|n| {
                    format!(
                        "{{ rule = {}, within_lines = {}, as = {} }}",
                        string(&n.rule),
                        n.within_lines,
                        string(&n.rule)
                    )
                })
                .collect();
            let _ = writeln!(out, "near = [{}]", near.join(", "));
        }
        if !self.placeholder {
            out.push_str("placeholder = false   # as there; without this line examples and `xxxx` are left out\n");
        }
        if self.words {
            out.push_str("words = \"strict\"\n");
        }
        out
    }

    /// The rule as a rule file of its own.
    ///
    /// # Errors
    /// What the checks of a rule file say.
    pub fn rule_file(&self) -> Result<RuleFile, FileError> {
        crate::rule::parse(
            &self.file,
            &format!("provider = \"Custom\"\n\n{}", self.to_toml()),
        )
    }
}
