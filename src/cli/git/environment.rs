//! What the program's environment says of a repository: git's variables, the user, the clock, the folder of caches.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use keysweep::history::Trust;
use keysweep::scan::CacheFolder;

use crate::cli::args::GitArgs;

/// A path as git writes it.
#[cfg(unix)]
pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
pub(crate) fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

/// What the user vouches for in the repository of a path. What git's environment says of a repository is meant for the one
/// around the current folder: a folder that is named says itself where its repository is.
pub(crate) fn trust(of: &Path) -> Trust {
    let own = Trust {
        named: true,
        uid: user(),
        sudo_uid: std::env::var("SUDO_UID")
            .ok()
            .and_then(|id| id.parse().ok()),
        ..Trust::default()
    };
    if of != Path::new(".") {
        return own;
    }
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let list = std::env::var_os("GIT_ALTERNATE_OBJECT_DIRECTORIES");
    Trust {
        alternates: list.map_or_else(Vec::new, |list| folders(&list)),
        object_dir: path("GIT_OBJECT_DIRECTORY"),
        git_dir: path("GIT_DIR"),
        work_tree: path("GIT_WORK_TREE"),
        index_file: path("GIT_INDEX_FILE"),
        ..own
    }
}

/// The folders of `GIT_ALTERNATE_OBJECT_DIRECTORIES`. Git puts a path into quotes, with C's escapes, where the separator stands
/// in it; so it does with the folders of a push that is not accepted yet.
fn folders(list: &OsStr) -> Vec<PathBuf> {
    if !list.as_encoded_bytes().contains(&b'"') {
        return std::env::split_paths(list).collect();
    }
    let separator = if cfg!(windows) { b';' } else { b':' };
    let mut all = Vec::new();
    let mut rest = list.as_encoded_bytes();
    while !rest.is_empty() {
        let mut path = Vec::new();
        let quoted = rest.strip_prefix(b"\"").and_then(|text| {
            let (unquoted, behind) = unquoted(text)?;
            path = unquoted;
            (behind.is_empty() || behind.starts_with(&[separator])).then_some(behind)
        });
        rest = quoted.unwrap_or_else(|| {
            let end = memchr::memchr(separator, rest).unwrap_or(rest.len());
            path = rest[..end].to_vec();
            &rest[end..]
        });
        rest = rest.get(1..).unwrap_or_default();
        if !path.is_empty() {
            all.push(path_of(&path));
        }
    }
    all
}

/// The text up to the closing quote, with C's escapes undone, and what stands behind it.
fn unquoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut out = Vec::new();
    let mut at = 0;
    loop {
        let byte = *text.get(at)?;
        at += 1;
        match byte {
            b'"' => return Some((out, text.get(at..)?)),
            b'\\' => {
                let escape = *text.get(at)?;
                at += 1;
                out.push(match escape {
                    b'a' => 7,
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => 11,
                    b'0'..=b'3' => {
                        let digits = text.get(at - 1..at + 2)?;
                        at += 2;
                        let octal = std::str::from_utf8(digits).ok()?;
                        u8::from_str_radix(octal, 8).ok()?
                    }
                    other => other,
                });
            }
            other => out.push(other),
        }
    }
}

/// Where caches are, unless there are to be none.
pub(super) fn cache(args: &GitArgs) -> Option<CacheFolder> {
    let folder = |name: &str| {
        let path = std::env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let home = |below: &str| folder("HOME").map(|home| home.join(below));
    let caches = if args.no_cache {
        None
    } else if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("XDG_CACHE_HOME").or_else(|| home("Library/Caches"))
    } else {
        folder("XDG_CACHE_HOME").or_else(|| home(".cache"))
    };
    Some(CacheFolder {
        path: caches?.join("keysweep"),
        uid: user(),
    })
}

/// The user whose folders count as owned.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "there is none on other systems")]
pub(crate) fn user() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

#[cfg(not(unix))]
pub(crate) fn user() -> Option<u32> {
    None
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn lists_of_folders_are_read_as_git_writes_them() {
        let cases: [(&str, &[&str]); 6] = [
            ("/a/b:/c", &["/a/b", "/c"]),
            ("\"/a:b\":/c", &["/a:b", "/c"]),
            ("/c:\"/a\\\"\\303\\274\\t\"", &["/c", "/a\"ü\t"]),
            ("\"open:/c", &["\"open", "/c"]),
            ("\"/a\"x:/c", &["\"/a\"x", "/c"]),
            ("::/c:", &["/c"]),
        ];
        for (list, expected) in cases {
            let found: Vec<PathBuf> = folders(OsStr::new(list))
                .into_iter()
                .filter(|path| *path != Path::new(""))
                .collect();
            let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(found, expected, "{list}");
        }
    }
}
