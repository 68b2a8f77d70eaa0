//! What a team accepts, as written.

/// What a team accepts: findings that meet all of its criteria.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowEntry {
    /// Ids of the rules whose findings are meant; empty for those of every rule.
    pub rules: Vec<String>,
    /// Globs of which one matches the path below the file's folder.
    pub paths: Vec<String>,
    /// Regular expressions of which one matches that path.
    pub path_regexes: Vec<String>,
    /// Regular expressions of which one matches the target.
    pub regexes: Vec<String>,
    /// What the regular expressions are tried on.
    pub target: Target,
    /// Words of which the secret holds one, whatever its case.
    pub stopwords: Vec<String>,
    /// Beginnings of ids of commits that brought the place.
    pub commits: Vec<String>,
    /// Fingerprints, 32 hexadecimal digits each.
    pub fingerprints: Vec<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Why it is accepted.
    pub reason: Option<String>,
    /// The last day on which it holds.
    pub expires: Option<jiff::civil::Date>,
    /// Where it is written: the file, relative to the project's root.
    pub file: String,
    /// Its line there, from 1.
    pub line: u32,
}

/// What the regular expressions of an [`AllowEntry`] are tried on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Target {
    /// The secret.
    #[default]
    Secret,
    /// What the rule's pattern matched on the line; where it was decoded, the encoded text of the secret.
    Match,
    /// The line.
    Line,
}
