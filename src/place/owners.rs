//! CODEOWNERS: whose a file is. The last line that matches says it, as on GitHub; sections of GitLab are read, too.
//!
//! The file belongs to another tool, so a line that cannot be read says nothing and is no error.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Where the file may be, relative to the project's root; the first counts.
pub const FILES: [&str; 4] = [
    ".github/CODEOWNERS",
    "CODEOWNERS",
    "docs/CODEOWNERS",
    ".gitlab/CODEOWNERS",
];
/// Most bytes of a file: GitHub's limit.
pub const MOST_BYTES: u64 = 3 << 20;
/// Most lines that are read.
const MOST_LINES: usize = 20_000;
/// Most owners of a file.
const MOST_OWNERS: usize = 100;

/// Who owns which paths.
#[derive(Debug, Default)]
pub struct Owners {
    globs: GlobSet,
    /// The owners that each glob gives, in the order of lines.
    owners: Vec<Vec<String>>,
}

impl Owners {
    /// Reads a file.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (mut set, mut all) = (GlobSetBuilder::new(), Vec::new());
        let mut section: Vec<String> = Vec::new();
        for line in text.lines().take(MOST_LINES) {
            let words = words(line);
            let Some(first) = words.first() else { continue };
            if let Some(end) = header(&words) {
                section = owners(&words[end..]);
                continue;
            }
            if first.starts_with('!') {
                continue;
            }
            let mut own = owners(&words[1..]);
            if words.len() == 1 {
                own.clone_from(&section);
            }
            for form in forms(first) {
                let glob = GlobBuilder::new(&form).literal_separator(true).build();
                if let Ok(glob) = glob {
                    set.add(glob);
                    all.push(own.clone());
                }
            }
        }
        // A set that is too large to build owns nothing.
        match set.build() {
            Ok(globs) => Self { globs, owners: all },
            Err(_) => Self::default(),
        }
    }

    /// The owners of a path relative to the project's root, in the order of the file.
    #[must_use]
    pub fn of(&self, path: &[u8]) -> &[String] {
        let path = String::from_utf8_lossy(path);
        let last = self.globs.matches(path.as_ref()).into_iter().max();
        last.and_then(|at| self.owners.get(at))
            .map_or(&[], Vec::as_slice)
    }

    /// Whether nobody owns anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }
}

fn owners(words: &[String]) -> Vec<String> {
    let all = words
        .iter()
        .filter(|word| word.contains('@'))
        .take(MOST_OWNERS);
    all.cloned().collect()
}

/// Where the owners begin behind a section's name, `[Name]`, `^[Name][2]`; `None` for any other line.
fn header(words: &[String]) -> Option<usize> {
    let first = words.first()?;
    if !first.trim_start_matches('^').starts_with('[') {
        return None;
    }
    let end = words.iter().position(|word| word.ends_with(']'))?;
    Some(end + 1)
}

/// Words between blanks; `\` takes a blank or `#` for what it is, `#` begins a comment.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.extend(chars.next()),
            '#' if word.is_empty() => break,
            c if c.is_whitespace() => {
                words.extend(Some(std::mem::take(&mut word)).filter(|w| !w.is_empty()));
            }
            c => word.push(c),
        }
    }
    words.extend(Some(word).filter(|w| !w.is_empty()));
    words
}

/// The globs of a pattern: as in a .gitignore file, but that `[` and `{` mean themselves and `dir/*` does not go deeper.
fn forms(pattern: &str) -> Vec<String> {
    let inside = pattern.trim_start_matches('/').trim_end_matches('/');
    if inside.is_empty() {
        return vec!["**".to_owned()];
    }
    let rooted = pattern.starts_with('/') || inside.contains('/');
    let mut escaped = String::with_capacity(pattern.len());
    for c in inside.chars() {
        if matches!(c, '[' | ']' | '{' | '}' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    let base = if rooted || escaped.starts_with("**/") {
        escaped
    } else {
        format!("**/{escaped}")
    };
    let below = format!("{base}/**");
    if pattern.ends_with('/') {
        vec![below]
    } else if rooted && (inside.ends_with("/*") || inside == "*") {
        vec![base]
    } else {
        vec![base, below]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_matches_says_it() {
        let text = b"# all\n* @all # trailing\n*.js @js\n/build/logs/ @logs\ndocs/* docs@example.com\napps/ @apps @more\n/apps/github\n**/deep @deep\n/a\\ b.txt @blank\n[odd].txt @odd\n";
        let owners = Owners::parse(text);
        let of = |path: &str| owners.of(path.as_bytes()).join(" ");
        assert_eq!(of("src/main.rs"), "@all");
        assert_eq!(of("src/x/app.js"), "@js");
        assert_eq!(of("build/logs/a/b"), "@logs");
        assert_eq!(of("x/build/logs/a"), "@all");
        assert_eq!(of("docs/a.md"), "docs@example.com");
        assert_eq!(of("docs/build/a.md"), "@all");
        assert_eq!(of("x/apps/a"), "@apps @more");
        assert_eq!(of("apps/github/a"), "");
        assert_eq!(of("x/y/deep/z"), "@deep");
        assert_eq!(of("a b.txt"), "@blank");
    }

    #[test]
    fn sections_give_their_owners_to_lines_without() {
        let owners = Owners::parse(b"[Data Base][2] @db\nmodel/\nmodel/x @x\n^[Rest]\nrest/ @r\n");
        assert_eq!(owners.of(b"model/a"), ["@db"]);
        assert_eq!(owners.of(b"model/x"), ["@x"]);
        assert_eq!(owners.of(b"rest/a"), ["@r"]);
        assert!(Owners::parse(b"").is_empty());
    }
}
