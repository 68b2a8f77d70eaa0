//! Globs as `--exclude`, `[scan]` and `[[allow]]` take them.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// A glob that does not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is no glob ({reason}); write one such as '*.lock' or 'docs/**'")]
pub struct GlobError {
    /// As it was written.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Longest glob in bytes.
const LONGEST: usize = 4096;

/// Joins globs into one set; `None` for an empty list. `*` also crosses `/`; a bare name means that name anywhere, and a
/// folder everything in it.
///
/// # Errors
/// The first glob that does not parse.
pub fn globs<S: AsRef<str>>(patterns: &[S]) -> Result<Option<GlobSet>, GlobError> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let pattern = pattern.as_ref();
        let fail = |reason: String| GlobError {
            pattern: pattern.chars().take(80).collect(),
            reason,
        };
        if pattern.len() > LONGEST {
            return Err(fail(format!("longer than {LONGEST} bytes")));
        }
        // A name without a slash means a file of that name anywhere, and a folder with all in it.
        let bare = pattern.trim_end_matches('/');
        if bare.is_empty() {
            return Err(fail("it names nothing".to_owned()));
        }
        let mut forms = vec![bare.to_owned(), format!("{bare}/**")];
        if !bare.contains('/') {
            forms.extend([format!("**/{bare}"), format!("**/{bare}/**")]);
        }
        for form in forms {
            let form = form.trim_start_matches("./");
            let glob = GlobBuilder::new(form)
                .build()
                .map_err(|e| fail(e.kind().to_string()))?;
            set.add(glob);
        }
    }
    let reason = |e: globset::Error| GlobError {
        pattern: e.glob().unwrap_or_default().to_owned(),
        reason: e.kind().to_string(),
    };
    set.build().map(Some).map_err(reason)
}
