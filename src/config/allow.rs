//! `[[allow]]`: what a team accepts.

/// What a team accepts: findings that meet all of its criteria.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowEntry {
    /// Ids of the rules whose findings are meant; every rule's where empty.
    pub rules: Vec<String>,
    /// Globs, relative to the folder of the file that holds the entry.
    pub paths: Vec<String>,
    /// Regular expressions on the same path.
    pub path_regexes: Vec<String>,
    /// Regular expressions on the target.
    pub regexes: Vec<String>,
    /// What the regular expressions look at.
    pub target: Target,
    /// Words of which the secret holds one, whatever its case.
    pub stopwords: Vec<String>,
    /// Prefixes of the id of the commit that introduced the place, of 7 digits at least.
    pub commits: Vec<String>,
    /// Fingerprints of 32 hexadecimal digits.
    pub fingerprints: Vec<String>,
    /// Who answers for the entry.
    pub owner: Option<String>,
    /// Why it is accepted.
    pub reason: Option<String>,
    /// The last day on which it counts.
    pub expires: Option<jiff::civil::Date>,
    /// The file that it is written in, relative to the project's root.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// What the regular expressions of an entry look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Target {
    /// The secret.
    #[default]
    Secret,
    /// The encoded text, or the secret where it stands in plain.
    Match,
    /// The line.
    Line,
}
