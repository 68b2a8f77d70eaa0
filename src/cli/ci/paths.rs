//! The paths within which findings are reported: as they were written, and as the repository has them.
//!
//! A path that names nothing would make every run pass, so it is looked up where the run looks: among the checked-out files, in the
//! trees at both ends of a range, and in the commits between.

use std::path::{Component, Path, PathBuf};

use anyhow::bail;

use keysweep::history::{Removed, Repo, Revisions, files_below, range, refs, tracked};
use keysweep::model::Oid;
use keysweep::pack::Db;
use keysweep::report::printable;

use super::plan::Plan;
use crate::cli::git::{ends, trust};

/// Most files of a tree that are looked at.
const MOST: usize = 2_000_000;

/// The paths from the root of what is scanned; none where one of them is that root.
pub(super) fn of(paths: &[String], folder: &Path, plan: &Plan) -> anyhow::Result<Vec<String>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let here = folder
        .canonicalize()
        .unwrap_or_else(|_| folder.to_path_buf());
    let repo = Repo::discover(folder, &trust(folder)).ok();
    let top = repo.as_ref().and_then(|repo| repo.work_tree.clone());
    let top = top.filter(|_| !matches!(plan, Plan::Tree));
    let top = top.map_or_else(|| here.clone(), |top| top.canonicalize().unwrap_or(top));
    let mut all = Vec::with_capacity(paths.len());
    for path in paths {
        let Some(inside) = from_root(path, &here, &top) else {
            bail!(
                "{}: lies outside of {}; paths to report within count from there",
                printable(path),
                printable(&top.display().to_string())
            );
        };
        let is_there = matches!(plan, Plan::Nothing(_))
            || Named::of(&inside).is_none_or(|named| {
                named.is_checked_out(&top)
                    || repo
                        .as_ref()
                        .is_some_and(|repo| named.is_in(repo, plan).unwrap_or(false))
            });
        if !is_there {
            bail!(
                "{}: there is no such file or folder in {}, checked out or in what is scanned, so that nothing would ever be reported; paths count from there",
                printable(path),
                printable(&top.display().to_string())
            );
        }
        all.push(inside);
    }
    // The root holds everything.
    if all.iter().any(String::is_empty) {
        all.clear();
    }
    Ok(all)
}

/// A path as it lies below `top`: `./x`, `x/` and `/full/path/x` are `x`. `None` where it lies elsewhere.
fn from_root(path: &str, here: &Path, top: &Path) -> Option<String> {
    let written = Path::new(path);
    let begins_here = matches!(
        written.components().next(),
        Some(Component::CurDir | Component::ParentDir)
    );
    let base = if begins_here { here } else { top };
    let full = resolved(&base.join(written));
    let inside = full.strip_prefix(top).map(Path::to_path_buf).ok();
    let inside = inside.or_else(|| {
        // The same folder by another name: through a link.
        let (known, real) = full
            .ancestors()
            .find_map(|folder| Some((folder, folder.canonicalize().ok()?)))?;
        let full = real.join(full.strip_prefix(known).ok()?);
        full.strip_prefix(top).map(Path::to_path_buf).ok()
    })?;
    let names = inside
        .components()
        .map(|name| name.as_os_str().to_string_lossy());
    Some(names.collect::<Vec<_>>().join("/"))
}

/// A path without `.` and `..`.
fn resolved(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// What has to be there for a path or glob to name something.
struct Named<'p> {
    /// The path, or the folder in front of the first name with a sign of globs.
    path: &'p str,
    /// Whether it is a name that may stand in any folder.
    anywhere: bool,
}

impl<'p> Named<'p> {
    /// `None` where a glob may name anything.
    fn of(path: &'p str) -> Option<Self> {
        let is_glob = |name: &str| name.contains(['*', '?', '[', '{', '\\']);
        let fixed = path.split('/').take_while(|name| !is_glob(name));
        let length: usize = fixed.map(|name| name.len() + 1).sum();
        let named = path.get(..length.saturating_sub(1))?;
        let anywhere = named == path && !path.contains('/');
        (!named.is_empty()).then_some(Self {
            path: named,
            anywhere,
        })
    }

    fn is_checked_out(&self, top: &Path) -> bool {
        top.join(self.path).symlink_metadata().is_ok()
    }

    /// Whether a file has it for its path or for a folder of it.
    fn names(&self, file: &[u8]) -> bool {
        let path = self.path.as_bytes();
        if self.anywhere {
            return file.split(|b| *b == b'/').any(|name| name == path);
        }
        let rest = file.strip_prefix(path);
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
    }

    fn is_in(&self, repo: &Repo, plan: &Plan) -> anyhow::Result<bool> {
        let index = tracked(&repo.git_dir.join("index")).unwrap_or_default();
        if index.iter().any(|file| self.names(file)) {
            return Ok(true);
        }
        let refs = refs(repo)?;
        let (db, _) = repo.objects();
        let revisions = Revisions {
            repo,
            db: &db,
            refs: &refs,
        };
        let (base, tips) = match plan {
            Plan::Range { text, not, .. } => {
                let ends = ends(text, not, repo, &db, &refs)?;
                (ends.base, vec![ends.tip])
            }
            Plan::History { of: Some(name) } => (Vec::new(), vec![revisions.commit(name)?]),
            Plan::History { of: None } => {
                let commits = refs.tips.iter().map(|tip| revisions.commit(&tip.name));
                let mut tips: Vec<Oid> = commits.filter_map(Result::ok).collect();
                tips.extend(refs.head);
                (Vec::new(), tips)
            }
            Plan::Tree | Plan::Nothing(_) => return Ok(false),
        };
        for commit in tips.iter().chain(&base) {
            let tree = revisions.object(&format!("{commit}^{{tree}}"))?;
            if self.is_in_tree(&db, tree) {
                return Ok(true);
            }
        }
        for tip in tips {
            let added = range(&db, &repo.shallow, &base, tip)?;
            let mut changes = added.commits.iter().flat_map(|commit| &commit.changes);
            if changes.any(|change| self.names(&change.path)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_in_tree(&self, db: &Db, tree: Oid) -> bool {
        let root = Removed {
            path: Vec::new(),
            id: tree,
        };
        let files = files_below(db, &root, MOST);
        files.iter().any(|file| {
            let path = file.path.strip_prefix(b"/").unwrap_or(&file.path);
            self.names(path)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_path_may_be_written_in_many_ways() {
        let (top, here) = (Path::new("/r/repo"), Path::new("/r/repo/sub"));
        for (written, inside) in [
            ("a.env", Some("a.env")),
            ("a//b/./c/", Some("a/b/c")),
            ("./a.env", Some("sub/a.env")),
            ("../a.env", Some("a.env")),
            ("../../repo/a", Some("a")),
            ("/r/repo/a/**", Some("a/**")),
            ("/r/repo", Some("")),
            (".", Some("sub")),
            ("../../other/a", None),
            ("/r/repository/a", None),
            ("a/../../x", None),
        ] {
            assert_eq!(
                from_root(written, here, top).as_deref(),
                inside,
                "{written}"
            );
        }
    }

    #[test]
    fn a_name_without_a_folder_may_stand_anywhere() {
        let named = |path: &str, file: &str| Named::of(path).map(|n| n.names(file.as_bytes()));
        assert_eq!(named("a.env", "x/a.env"), Some(true));
        assert_eq!(named("lib", "x/lib/y"), Some(true));
        assert_eq!(named("lib", "x/library/y"), Some(false));
        assert_eq!(named("x/lib", "x/lib/y"), Some(true));
        assert_eq!(named("lib/y", "x/lib/y"), Some(false));
        assert_eq!(named("srcc/**/*.py", "src/a.py"), Some(false));
        assert_eq!(named("src/*.py", "src/a.rs"), Some(true));
        assert_eq!(named("*.md", "src/a.rs"), None);
    }
}
