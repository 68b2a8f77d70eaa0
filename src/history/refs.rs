//! Refs as files have them: loose ones, `packed-refs`, HEAD of this work tree and of linked ones.
//!
//! Read here and not with gix-ref, which follows links among loose refs and opens whatever stands in a ref's place: a pipe
//! there would be waited for. Symbolic refs are looked up among the refs that were read, never as paths.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Error;
use super::control::{self, Links, bytes_of, lossy, trimmed};
use super::repo::{Repo, folders, oid};
use crate::model::{Gap, Oid};

/// A name for an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tip {
    /// The full name, `refs/heads/main`; what is not UTF-8 is replaced.
    pub name: String,
    /// The object: a commit, for a tag maybe a tag object, rarely a tree or a blob.
    pub target: Oid,
}

/// The refs of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refs {
    /// All in `refs/`, sorted by name; symbolic ones with what they lead to. Older stashes are `refs/stash@{1}` and so on.
    pub tips: Vec<Tip>,
    /// HEADs of the other work trees, `worktrees/NAME/HEAD` or `main-worktree/HEAD`, and their own refs, sorted by name.
    pub work_trees: Vec<Tip>,
    /// The commit of HEAD; `None` where the branch has none yet.
    pub head: Option<Oid>,
    /// The branch that HEAD names; `None` where it names a commit itself.
    pub head_name: Option<String>,
    /// Refs that cannot be read. One that names a ref that is not there holds nothing and is no gap.
    pub gaps: Vec<Gap>,
}

/// Most bytes of one loose ref, and of HEAD.
const LOOSE: u64 = 16 << 10;
/// Most bytes of `packed-refs`: some ten million of them.
const PACKED: u64 = 1 << 30;
/// Most bytes of the stash's reflog: some ten thousand stashes.
const STASHES: u64 = 4 << 20;
/// Most folders and loose refs.
const MOST: usize = 20_000_000;
/// How often a symbolic ref may lead to another one, as in git.
const DEEPEST: usize = 5;

/// What a ref file says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Id(Oid),
    Symbolic(Vec<u8>),
}

/// Values by full name; loose ones count more. Packed ones stay a list, since they are many and mostly in order.
#[derive(Default)]
struct Values {
    packed: Vec<(Vec<u8>, Oid)>,
    loose: BTreeMap<Vec<u8>, Value>,
}

impl Values {
    fn get(&self, name: &[u8]) -> Option<Value> {
        if let Some(value) = self.loose.get(name) {
            return Some(value.clone());
        }
        let at = self.packed.binary_search_by(|row| (*row.0).cmp(name));
        let row = at.ok().and_then(|at| self.packed.get(at));
        row.map(|row| Value::Id(row.1))
    }

    /// The object that a value leads to; `None` where there is no ref of that name.
    fn resolve(&self, value: &Value) -> Result<Option<Oid>, String> {
        let mut value = value.clone();
        for _ in 0..=DEEPEST {
            match value {
                Value::Id(id) => return Ok(Some(id)),
                Value::Symbolic(name) => match self.get(&name) {
                    Some(next) => value = next,
                    None => return Ok(None),
                },
            }
        }
        Err("symbolic refs lead on and on".into())
    }
}

/// All refs of a repository.
///
/// # Errors
/// [`Error::Unsupported`] for a repository whose refs are elsewhere. What is wrong with a file is a gap.
pub fn refs(repo: &Repo) -> Result<Refs, Error> {
    let mut reader = Reader {
        repo,
        gaps: Vec::new(),
        values: Values::default(),
    };
    reader.packed(&repo.common_dir.join("packed-refs"));
    reader.loose(&repo.common_dir, b"");
    if repo.git_dir != repo.common_dir {
        reader.loose(&repo.git_dir, b"");
    }

    let mut work_trees = Vec::new();
    let linked = folders(&repo.common_dir.join("worktrees"));
    let main = (repo.common_dir.clone(), b"main-worktree/".to_vec());
    let linked = linked.into_iter().map(|folder| {
        let name = bytes_of(folder.file_name().unwrap_or_default());
        (folder, [b"worktrees/", &*name, b"/"].concat())
    });
    for (folder, prefix) in linked.chain([main]) {
        if folder == repo.git_dir {
            continue;
        }
        let file = folder.join("HEAD");
        match reader.value(&file) {
            Ok(value) => work_trees.push((prefix.clone(), file, value)),
            Err(Broken::Missing) => {}
            Err(Broken::Why(why)) => reader.gap(&file, why),
        }
        if folder != repo.common_dir {
            reader.loose(&folder, &prefix);
        }
    }

    let mut all = Refs::default();
    let head_file = repo.git_dir.join("HEAD");
    match reader.value(&head_file) {
        Ok(value) => {
            if let Value::Symbolic(name) = &value {
                if name == b"refs/heads/.invalid" {
                    return Err(Error::unsupported(&head_file, "a reftable repository"));
                }
                all.head_name = Some(lossy(name));
            }
            match reader.values.resolve(&value) {
                Ok(head) => all.head = head,
                Err(why) => reader.gap(&head_file, why),
            }
        }
        Err(Broken::Missing) => reader.gap(&head_file, "is missing"),
        Err(Broken::Why(why)) => reader.gap(&head_file, why),
    }
    for (prefix, file, value) in work_trees {
        match reader.values.resolve(&value) {
            Ok(Some(target)) => all.work_trees.push(Tip {
                name: lossy(&prefix) + "HEAD",
                target,
            }),
            Ok(None) => {}
            Err(why) => reader.gap(&file, why),
        }
    }
    let values = std::mem::take(&mut reader.values);
    for (name, value) in &values.loose {
        let list = if name.starts_with(b"refs/") {
            &mut all.tips
        } else {
            &mut all.work_trees
        };
        match values.resolve(value) {
            Ok(Some(target)) => list.push(Tip {
                name: lossy(name),
                target,
            }),
            Ok(None) => {}
            Err(why) => {
                let file = repo.common_dir.join(control::path_of(name));
                reader.gap(&file, why);
            }
        }
    }
    for (name, target) in values.packed {
        if !values.loose.contains_key(&name) {
            let name = String::from_utf8(name).unwrap_or_else(|e| lossy(e.as_bytes()));
            all.tips.push(Tip { name, target });
        }
    }
    all.tips.extend(reader.stashes());
    all.tips.sort();
    all.work_trees.sort();
    all.gaps = reader.gaps;
    all.gaps.sort_unstable();
    all.gaps.dedup();
    Ok(all)
}

/// One of the files beside HEAD with ids in it, such as `MERGE_HEAD`; none where there is no such file.
///
/// # Errors
/// As for control files; [`Error::Malformed`] where a line does not begin with an id.
pub(super) fn pseudo_ref(repo: &Repo, name: &str) -> Result<Vec<Oid>, Error> {
    let file = repo.git_dir.join(name);
    let bytes = control::read_if_there(&file, 1 << 20, Links::Refuse)?.unwrap_or_default();
    let lines = bytes.split(|byte| *byte == b'\n');
    lines
        .filter(|line| !trimmed(line).is_empty())
        .map(|line| {
            let id = line.get(..40).and_then(oid);
            id.ok_or_else(|| Error::malformed(&file, "a line does not begin with an id"))
        })
        .collect()
}

struct Reader<'r> {
    repo: &'r Repo,
    gaps: Vec<Gap>,
    values: Values,
}

enum Broken {
    Missing,
    Why(String),
}

impl Reader<'_> {
    fn gap(&mut self, path: &Path, reason: impl Into<String>) {
        self.gaps.push(self.repo.gap(path, reason));
    }

    fn packed(&mut self, file: &Path) {
        let bytes = match control::read_if_there(file, PACKED, self.repo.links) {
            Ok(None) => return,
            Ok(Some(bytes)) => bytes,
            Err(error) => return self.gap(file, error.to_string()),
        };
        // A ref takes some sixty bytes; lines that are none must not make room for many.
        self.values.packed.reserve((bytes.len() / 64).min(1 << 20));
        let mut start = 0;
        let mut wrong = 0_u64;
        let ends = memchr::memchr_iter(b'\n', &bytes).chain([bytes.len()]);
        for end in ends {
            let line = trimmed(bytes.get(start..end).unwrap_or_default());
            start = end + 1;
            // What a tag leads to (`^`) is found from the tag itself.
            if line.is_empty() || matches!(line[0], b'#' | b'^') {
                continue;
            }
            match packed_line(line) {
                Some((name, id)) => {
                    self.values.packed.push((name.to_vec(), id));
                }
                None => wrong += 1,
            }
        }
        let packed = &mut self.values.packed;
        if !packed.is_sorted_by(|a, b| a.0 < b.0) {
            packed.sort();
            packed.dedup_by(|a, b| a.0 == b.0);
        }
        if wrong > 0 {
            self.gap(file, format!("{wrong} lines are not refs"));
        }
    }

    /// The stashes below the newest, which `refs/stash` names: its reflog alone has them, the oldest first.
    fn stashes(&mut self) -> Vec<Tip> {
        let file = self.repo.common_dir.join("logs/refs/stash");
        let bytes = match control::read_if_there(&file, STASHES, self.repo.links) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(error) => {
                self.gap(&file, error.to_string());
                return Vec::new();
            }
        };
        let lines: Vec<&[u8]> = trimmed(&bytes)
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .collect();
        let mut tips = Vec::new();
        let mut wrong = 0_u64;
        for (number, line) in lines.iter().rev().enumerate().skip(1) {
            // The id before, the id after, who and when.
            let id = line.get(41..81).and_then(oid);
            match id.filter(|_| line.get(40) == Some(&b' ') && line.get(81) == Some(&b' ')) {
                Some(target) => tips.push(Tip {
                    name: format!("refs/stash@{{{number}}}"),
                    target,
                }),
                None => wrong += 1,
            }
        }
        if wrong > 0 {
            self.gap(&file, format!("{wrong} lines are not entries of a reflog"));
        }
        tips
    }

    /// Loose refs of a folder, which count more than packed ones.
    fn loose(&mut self, folder: &Path, prefix: &[u8]) {
        let mut stack: Vec<(PathBuf, Vec<u8>)> =
            vec![(folder.join("refs"), [prefix, b"refs"].concat())];
        let mut visited = 0;
        while let Some((folder, name)) = stack.pop() {
            let list = match std::fs::read_dir(&folder) {
                Ok(list) => list,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    self.gap(&folder, error.to_string());
                    continue;
                }
            };
            for entry in list {
                visited += 1;
                if visited > MOST {
                    return self.gap(&folder, "too many refs");
                }
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(error) => {
                        self.gap(&folder, error.to_string());
                        break;
                    }
                };
                let part = bytes_of(&entry.file_name());
                let name = [&*name, b"/", &*part].concat();
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    stack.push((path, name));
                    continue;
                }
                // Git makes locks beside refs, and calls no ref by such a name; other programs leave hidden files there.
                if part.ends_with(b".lock") {
                    continue;
                }
                match self.value(&path) {
                    Ok(value) => {
                        self.values.loose.insert(name, value);
                    }
                    Err(Broken::Missing) => {}
                    Err(Broken::Why(_)) if part.starts_with(b".") => {}
                    Err(Broken::Why(why)) => {
                        self.gap(&path, why);
                    }
                }
            }
        }
    }

    /// What a ref's file says. A link is what old versions of git made symbolic refs of: its text counts, it is not opened.
    fn value(&self, file: &Path) -> Result<Value, Broken> {
        let meta = match std::fs::symlink_metadata(file) {
            Ok(meta) => meta,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Broken::Missing);
            }
            Err(error) => return Err(Broken::Why(error.to_string())),
        };
        if meta.is_symlink() {
            let target = std::fs::read_link(file).map_err(|e| Broken::Why(e.to_string()))?;
            let target = bytes_of(target.as_os_str());
            if is_ref_name(&target) {
                return Ok(Value::Symbolic(target));
            }
            if self.repo.links == Links::Refuse {
                return Err(Broken::Why("a link, which is not followed".into()));
            }
        }
        let bytes = match control::read(file, LOOSE, self.repo.links) {
            Ok(bytes) => bytes,
            Err(error) if error.is_missing() && !meta.is_symlink() => return Err(Broken::Missing),
            Err(Error::NotAFile { .. }) => return Err(Broken::Why("not a regular file".into())),
            Err(error) => return Err(Broken::Why(error.to_string())),
        };
        if let Some(name) = bytes.strip_prefix(b"ref:") {
            let name = name.trim_ascii();
            return if is_ref_name(name) {
                Ok(Value::Symbolic(name.to_vec()))
            } else {
                Err(Broken::Why("leads to what is no ref's name".into()))
            };
        }
        // Anything may follow the id after white space, as git has it.
        let digits = bytes.get(..40).and_then(oid);
        let ends = bytes.get(40).is_none_or(u8::is_ascii_whitespace);
        match digits.filter(|_| ends) {
            Some(id) if id.as_bytes() == &[0; 20] => Err(Broken::Why("the id of zeros".into())),
            Some(id) => Ok(Value::Id(id)),
            None if bytes.is_empty() => Err(Broken::Why("an empty ref".into())),
            None => Err(Broken::Why("neither an id nor a name of a ref".into())),
        }
    }
}

fn packed_line(line: &[u8]) -> Option<(&[u8], Oid)> {
    let id = oid(line.get(..40)?)?;
    let name = line.get(40..)?.strip_prefix(b" ")?;
    (name.starts_with(b"refs/") && id.as_bytes() != &[0; 20]).then_some((name, id))
}

/// Whether a name may be looked up: below `refs/`, without the parts that would lead elsewhere were it a path.
fn is_ref_name(name: &[u8]) -> bool {
    let parts = name.split(|byte| *byte == b'/');
    name.starts_with(b"refs/")
        && parts
            .into_iter()
            .all(|part| !matches!(part, b"" | b"." | b".."))
        && !name.iter().any(u8::is_ascii_control)
}
