//! What a repository's `config` says of its layout, and whether that can be read.

use std::path::Path;

use super::super::Error;
use super::super::control::lossy;

/// The few values of a `config` file that say how the repository is laid out.
///
/// Includes are not followed, and `core.worktree` is left alone: it may name any folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Config {
    version: Option<String>,
    pub(super) bare: Option<bool>,
    pub(super) promisor: bool,
    object_format: Option<String>,
    ref_storage: Option<String>,
    /// Extensions that change what is read in ways that are not known here.
    unknown: Option<String>,
}

impl Config {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut config = Self::default();
        let mut section = String::new();
        let mut lines = bytes.split(|byte| *byte == b'\n');
        while let Some(line) = lines.next() {
            let mut rest = line.trim_ascii();
            if let Some(head) = rest.strip_prefix(b"[") {
                let Some(end) = section_end(head) else {
                    continue;
                };
                section = lossy(&head[..end]).to_ascii_lowercase();
                rest = head[end + 1..].trim_ascii();
            }
            if rest.is_empty() || matches!(rest[0], b'#' | b';') {
                continue;
            }
            let equals = rest.iter().position(|byte| *byte == b'=');
            let key = lossy(rest[..equals.unwrap_or(rest.len())].trim_ascii()).to_ascii_lowercase();
            let mut value = String::new();
            let mut next = equals.map(|at| &rest[at + 1..]);
            while let Some(part) = next {
                let (plain, goes_on) = unquoted(part);
                value.push_str(&plain);
                next = if goes_on { lines.next() } else { None };
            }
            let has_value = equals.is_some();
            config.take(&section, &key, value.trim(), has_value);
        }
        config
    }

    fn take(&mut self, section: &str, key: &str, value: &str, has_value: bool) {
        let yes = || {
            !has_value
                || matches!(
                    value.to_ascii_lowercase().as_str(),
                    "true" | "yes" | "on" | "1"
                )
        };
        let lower = || value.to_ascii_lowercase();
        match (section, key) {
            ("core", "repositoryformatversion") => self.version = Some(value.to_owned()),
            ("core", "bare") => self.bare = Some(yes()),
            ("extensions", "objectformat") => self.object_format = Some(lower()),
            ("extensions", "refstorage") => self.ref_storage = Some(lower()),
            ("extensions", "partialclone") => self.promisor = true,
            (
                "extensions",
                "noop"
                | "noop-v1"
                | "preciousobjects"
                | "worktreeconfig"
                | "relativeworktrees"
                | "compatobjectformat"
                | "submodulepathconfig",
            ) => {}
            ("extensions", other) => self.unknown = Some(other.to_owned()),
            (remote, "promisor") if remote.starts_with("remote ") => self.promisor |= yes(),
            _ => {}
        }
    }

    pub(super) fn check(&self, file: &Path) -> Result<(), Error> {
        let version = match self.version.as_deref() {
            None | Some("") => 0,
            Some(text) => text
                .parse::<u64>()
                .map_err(|_| Error::malformed(file, "core.repositoryFormatVersion: no number"))?,
        };
        if version > 1 {
            let what = format!("version {version} of the repository format");
            return Err(Error::unsupported(file, what));
        }
        match self.object_format.as_deref() {
            None | Some("sha1") => {}
            Some("sha256") => {
                return Err(Error::unsupported(file, "a SHA-256 repository"));
            }
            Some(other) => {
                let what = format!("object format `{other}`");
                return Err(Error::unsupported(file, what));
            }
        }
        match self.ref_storage.as_deref() {
            None => {}
            Some(files) if files == "files" || files.starts_with("files:") => {}
            Some("reftable") => {
                return Err(Error::unsupported(file, "a reftable repository"));
            }
            Some(other) => {
                let what = format!("ref storage `{other}`");
                return Err(Error::unsupported(file, what));
            }
        }
        // Git obeys extensions of version 1 only, and refuses those that it does not know.
        match &self.unknown {
            Some(name) if version == 1 => {
                let what = format!("repository extension `{name}`");
                Err(Error::unsupported(file, what))
            }
            _ => Ok(()),
        }
    }
}

/// Where the bracket closes that began a section; names of subsections are in quotes and may hold brackets.
fn section_end(head: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in head.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// A value without quotes and comment, and whether the next line belongs to it.
fn unquoted(text: &[u8]) -> (String, bool) {
    let mut plain = Vec::new();
    let mut quoted = false;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => quoted = !quoted,
            b'#' | b';' if !quoted => break,
            b'\\' => match bytes.next() {
                None | Some(b'\r') => return (lossy(&plain), true),
                Some(b'n') => plain.push(b'\n'),
                Some(b't') => plain.push(b'\t'),
                Some(other) => plain.push(other),
            },
            other => plain.push(other),
        }
    }
    (lossy(&plain), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_read_as_git_reads_it_and_nothing_else() {
        let text = b"# c\n[include]\n\tpath = /dev/zero\n[Core] bare = true ; x\n\tRepositoryFormatVersion=\"1\" # y\n\
            \tworktree = /etc\n[extensions]\n objectFormat = sha\\\n1\n[remote \"a]b\"]\n\tpromisor\n[core]\n\tbare=off\n=\n[\n";
        let config = Config::parse(text);
        assert_eq!(config.version.as_deref(), Some("1"));
        assert_eq!(config.bare, Some(false));
        assert_eq!(config.object_format.as_deref(), Some("sha1"));
        assert!(config.promisor);
        assert!(config.check(Path::new("config")).is_ok());
    }

    #[test]
    fn formats_that_are_not_read_are_named() {
        for (text, word) in [
            ("[core]\nrepositoryformatversion = 2", "version 2"),
            ("[core]\nrepositoryformatversion = x", "no number"),
            ("[extensions]\nobjectformat = SHA256", "SHA-256"),
            ("[extensions]\nrefstorage = reftable", "reftable"),
            (
                "[core]\nrepositoryformatversion = 1\n[extensions]\nwhat = 1",
                "extension `what`",
            ),
        ] {
            let error = Config::parse(text.as_bytes()).check(Path::new("config"));
            let error = error.map_err(|e| e.to_string());
            assert!(error.as_ref().is_err_and(|e| e.contains(word)), "{error:?}");
        }
    }
}
