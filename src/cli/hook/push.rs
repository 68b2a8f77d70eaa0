//! What a push brings: the lines that git writes to `pre-push` and `pre-receive`, and what the other side has already.

use std::io::{self, IsTerminal, Read};

use anyhow::{Context, bail};

use keysweep::history::{Refs, Removed, files_below, peel};
use keysweep::model::Oid;
use keysweep::pack::{Db, Kind as ObjectKind};
use keysweep::report::printable;

use super::Kind;
use crate::cli::input::{Interrupted, Patient};
use crate::cli::progress::stopped;

/// Most bytes of the lines: some hundred thousand refs.
const MOST: u64 = 64 << 20;

/// A ref that is moved, made or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Update {
    /// The ref on the other side.
    pub(super) name: String,
    /// What it held there; `None` for a new ref.
    pub(super) old: Option<Oid>,
    /// What it will hold; `None` where it is deleted.
    pub(super) new: Option<Oid>,
}

/// Reads the lines from standard input.
pub(super) fn read(kind: Kind) -> anyhow::Result<Vec<Update>> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        bail!(
            "git gives {} the refs on standard input; to try the same by hand: keysweep git --range origin/main..HEAD",
            kind.name()
        );
    }
    let mut text = Vec::new();
    Patient::stdin()
        .and_then(|input| input.take(MOST + 1).read_to_end(&mut text))
        .context("cannot read the refs from standard input")?;
    if stopped() {
        return Err(Interrupted.into());
    }
    if text.len() as u64 > MOST {
        bail!("more than {MOST} bytes of refs on standard input");
    }
    // Names need not be UTF-8, and are only shown.
    parse(kind, &String::from_utf8_lossy(&text))
}

/// `pre-push`: local ref, local id, remote ref, remote id. `pre-receive`: old id, new id, ref.
fn parse(kind: Kind, text: &str) -> anyhow::Result<Vec<Update>> {
    let line = |(number, line): (usize, &str)| {
        let update = match kind {
            Kind::PrePush => pushed(line),
            _ => received(line),
        };
        update.with_context(|| {
            let form = match kind {
                Kind::PrePush => "<local ref> <local id> <remote ref> <remote id>",
                _ => "<old id> <new id> <ref>",
            };
            format!(
                "standard input, line {}: `{}` is not what git writes for {}: {form}",
                number + 1,
                printable(line),
                kind.name()
            )
        })
    };
    text.lines().enumerate().map(line).collect()
}

fn pushed(line: &str) -> Option<Update> {
    // The local name may be any revision, with spaces in it; the other parts have none.
    let mut parts = line.rsplitn(4, ' ');
    let (old, name, new) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next()?;
    update(name, old, new)
}

fn received(line: &str) -> Option<Update> {
    let mut parts = line.splitn(3, ' ');
    let (old, new, name) = (parts.next()?, parts.next()?, parts.next()?);
    update(name, old, new)
}

fn update(name: &str, old: &str, new: &str) -> Option<Update> {
    let id = |text: &str| -> Option<Option<Oid>> {
        let id: Oid = text.parse().ok()?;
        Some(Some(id).filter(|id| *id != Oid::new([0; 20])))
    };
    (!name.is_empty()).then_some(Update {
        name: name.to_owned(),
        old: id(old)?,
        new: id(new)?,
    })
}

/// What is to be scanned of a push.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// Commits, each with the ref that will hold it.
    pub(super) tips: Vec<(String, Oid)>,
    /// Tag objects.
    pub(super) tags: Vec<Oid>,
    /// Files that refs name themselves, without a commit: rare.
    pub(super) files: Vec<Oid>,
    /// Names of refs that the other side has not, but for those in `tips` where it has no commit at all: these are audited
    /// with their names.
    pub(super) names: Vec<String>,
    /// Commits that the other side has.
    pub(super) bases: Vec<Oid>,
}

impl Brought {
    /// Sorts out what the updates bring. `known` are refs whose objects the other side has.
    ///
    /// # Errors
    /// An object that is to be pushed cannot be read.
    pub(super) fn of<'r>(
        db: &Db,
        updates: &[Update],
        known: impl Iterator<Item = &'r Oid>,
    ) -> anyhow::Result<Self> {
        let mut all = Self::default();
        let olds = updates.iter().filter_map(|update| update.old);
        for id in known.copied().chain(olds) {
            // What is not here, or no commit, leaves nothing out.
            if let Ok(base) = peel(db, id)
                && base.kind == ObjectKind::Commit
            {
                all.bases.push(base.target);
            }
        }
        all.bases.sort_unstable();
        all.bases.dedup();
        for update in updates {
            let Some(new) = update.new else {
                continue;
            };
            let peeled = peel(db, new)
                .with_context(|| format!("{}: cannot be scanned", printable(&update.name)))?;
            all.tags.extend(peeled.tags);
            let is_audited = peeled.kind == ObjectKind::Commit && all.bases.is_empty();
            if update.old.is_none() && !is_audited {
                all.names.push(update.name.clone());
            }
            match peeled.kind {
                ObjectKind::Commit => {
                    if all.bases.binary_search(&peeled.target).is_err() {
                        all.tips.push((update.name.clone(), peeled.target));
                    }
                }
                ObjectKind::Tree => {
                    let most = 1_000_000;
                    let tree = Removed {
                        path: Vec::new(),
                        id: peeled.target,
                    };
                    let files = files_below(db, &tree, most);
                    if files.len() >= most {
                        bail!("{}: too many files", printable(&update.name));
                    }
                    all.files.extend(files.into_iter().map(|file| file.id));
                }
                _ => all.files.push(peeled.target),
            }
        }
        all.tags.sort_unstable();
        all.tags.dedup();
        all.files.sort_unstable();
        all.files.dedup();
        Ok(all)
    }

    /// Whether there is nothing in it to scan.
    pub(super) fn is_empty(&self) -> bool {
        let has_objects = !self.tips.is_empty() || !self.tags.is_empty() || !self.files.is_empty();
        !has_objects && self.names.is_empty()
    }
}

/// What the remote had when it was last asked.
pub(super) fn tracking<'r>(refs: &'r Refs, remote: &str) -> impl Iterator<Item = &'r Oid> {
    let prefix = format!("refs/remotes/{remote}/");
    let tips = refs.tips.iter();
    tips.filter(move |tip| tip.name.starts_with(&prefix))
        .map(|tip| &tip.target)
}

/// What a server's repository has.
pub(super) fn held(refs: &Refs) -> impl Iterator<Item = &Oid> {
    refs.tips.iter().map(|tip| &tip.target).chain(&refs.head)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "1111111111111111111111111111111111111111";
    const NEW: &str = "2222222222222222222222222222222222222222";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    #[test]
    fn lines_are_read_as_git_writes_them() {
        let text = format!(
            "refs/heads/a {NEW} refs/heads/a {OLD}\nHEAD~1 {NEW} refs/heads/b {ZERO}\n(delete) {ZERO} refs/heads/c {OLD}\n\
             main@{{1 day ago}} {NEW} refs/heads/d {ZERO}\n"
        );
        let Ok(updates) = parse(Kind::PrePush, &text) else {
            panic!("refused");
        };
        let names: Vec<_> = updates.iter().map(|update| &*update.name).collect();
        assert_eq!(
            names,
            [
                "refs/heads/a",
                "refs/heads/b",
                "refs/heads/c",
                "refs/heads/d"
            ]
        );
        assert_eq!(updates[0].old, OLD.parse().ok());
        assert_eq!(updates[1].old, None);
        assert_eq!(updates[2].new, None);
        let received = parse(Kind::PreReceive, &format!("{OLD} {NEW} refs/tags/v1\n"));
        assert!(
            received
                .is_ok_and(|all| all[0].name == "refs/tags/v1" && all[0].new == NEW.parse().ok())
        );
    }

    #[test]
    fn other_lines_are_refused_by_number() {
        for (kind, text) in [
            (
                Kind::PrePush,
                format!("a {NEW} b {OLD}\nrefs/heads/a {NEW}\n"),
            ),
            (
                Kind::PreReceive,
                format!("{OLD} {NEW} a\n{OLD} x refs/heads/a\n"),
            ),
            (Kind::PreReceive, format!("{OLD} {NEW} a\n\n")),
        ] {
            let error = parse(kind, &text).map_err(|error| format!("{error:#}"));
            assert!(
                error.as_ref().is_err_and(|e| e.contains("line 2")),
                "{error:?}"
            );
        }
    }
}
