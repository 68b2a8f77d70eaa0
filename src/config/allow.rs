//! `[[allow]]`: what a team accepts.

/// What a team accepts: findings that meet all of its criteria.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowEntry {
    /// Ids of the rules whose findings are meant; empty for all.
    pub rules: Vec<String>,
    /// Globs of paths relative to the folder of the file.
    pub paths: Vec<String>,
    /// Regular expressions on the same paths.
    pub path_regexes: Vec<String>,
    /// Regular expressions on what `target` names.
    pub regexes: Vec<String>,
    /// What `regexes` look at.
    pub target: Target,
    /// Words that the secret holds, whatever their case.
    pub stopwords: Vec<String>,
    /// Beginnings of ids of the commits that introduced the place.
    pub commits: Vec<String>,
    /// Fingerprints of findings, 32 hexadecimal digits.
    pub fingerprints: Vec<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Why it is accepted.
    pub reason: Option<String>,
    /// The last day on which it holds.
    pub expires: Option<jiff::civil::Date>,
    /// The file where it is written, relative to the project's root.
    pub file: String,
    /// The line where it is written, from 1.
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
    /// The line, or the part of it that a report shows.
    Line,
}
