//! Path globs as users write them: `*` also crosses `/`, a bare name means that name anywhere, a folder everything in it.

use globset::{Glob, GlobBuilder};

/// The globs that one pattern of a user stands for.
///
/// # Errors
/// As globset says.
pub fn forms(pattern: &str) -> Result<Vec<Glob>, globset::Error> {
    let rooted = pattern.starts_with('/');
    let bare = pattern.trim_end_matches('/');
    let bare = bare.trim_start_matches("./").trim_start_matches('/');
    let mut forms = vec![bare.to_owned(), format!("{bare}/**")];
    if !bare.contains('/') && !rooted {
        forms.extend([format!("**/{bare}"), format!("**/{bare}/**")]);
    }
    let glob = |form: &String| GlobBuilder::new(form).build();
    forms.iter().map(glob).collect()
}
