//! What is added to a repository: by its index, by its working tree or by a range of commits.

use anyhow::{Context, bail};

use keysweep::history::{Refs, Repo, Revisions, parse_range, peel, range, staged, unstaged};
use keysweep::model::{Gap, Oid, Skip, SkipKind};
use keysweep::pack::Db;
use keysweep::scan::{
    AddedOptions, Addition, AuditOutcome, BlobMatch, Engine, Input, Limits, Options, scan_added,
    scan_tree,
};

use super::MEMORY;
use super::audited::mark_shallow;
use super::environment::path_of;
use crate::cli::args::GitArgs;
use crate::cli::progress::Progress;
use crate::cli::project;
use crate::cli::suppression::{self, Layout};

/// What the index or a range of commits adds.
pub(super) fn added(
    engine: &Engine,
    repo: &Repo,
    refs: &Refs,
    args: &GitArgs,
    progress: &Progress,
) -> anyhow::Result<AuditOutcome> {
    let (db, errors) = repo.objects();
    let mut gaps: Vec<Gap> = errors
        .iter()
        .map(|error| Gap {
            path: String::new(),
            reason: error.to_string(),
        })
        .collect();
    gaps.extend(repo.gaps.iter().cloned());
    let mut additions = Vec::new();
    let mut promised = Vec::new();
    if let Some(text) = &args.range {
        let ends = ends(text, &args.not, repo, &db, refs)?;
        let mut added = range(&db, &repo.shallow, &ends.base, ends.tip)?;
        if repo.promisor {
            promised = added.take_promised();
        }
        gaps.extend(added.gaps);
        additions.extend(added.commits.into_iter().rev().map(|commit| Addition {
            commit: Some(commit.id),
            changes: commit.changes,
            removed: commit.removed,
            tags: Vec::new(),
            refs: Vec::new(),
        }));
        additions.push(Addition {
            tags: ends.tags,
            ..Addition::default()
        });
    } else {
        if repo.work_tree.is_none() && std::env::var_os("GIT_INDEX_FILE").is_none() {
            bail!("--staged needs an index; this repository is bare");
        }
        if refs.head.is_none() {
            // A branch without a commit is no gap; a HEAD that says nothing would make all that is staged look new.
            let head = repo.git_dir.join("HEAD");
            if let Some(gap) = refs.gaps.iter().find(|gap| head.ends_with(&gap.path)) {
                bail!("{}: {}", gap.path, gap.reason);
            }
        }
        let staged = staged(repo, &db, refs.head)?;
        gaps.extend(staged.gaps);
        additions.push(Addition {
            commit: None,
            changes: staged.changes,
            removed: staged.removed,
            tags: Vec::new(),
            refs: Vec::new(),
        });
    }
    let options = AddedOptions {
        settings: args.common.settings(),
        limits: Limits::default(),
        memory: MEMORY,
        metadata: !args.no_metadata,
        promisor: repo.promisor,
        salt: args.common.project.salt().to_vec(),
    };
    let project = &args.common.project;
    let left_out = project.narrow(repo.work_tree.as_deref(), &mut additions);
    let layout = Layout::of_repository(repo.work_tree.as_deref());
    let accepts =
        |found: &BlobMatch| suppression::accepts(engine.rules(), &layout, &args.common, found);
    let observer = progress.observer();
    let mut outcome = scan_added(engine, &db, &additions, &options, &accepts, observer);
    mark_shallow(repo, &mut outcome);
    outcome.summary.gaps.extend(gaps);
    for path in left_out {
        outcome.summary.skip(project::skipped(&path));
    }
    for id in promised {
        outcome.summary.skip(Skip {
            kind: SkipKind::Promised,
            path: id.to_string(),
            notable: false,
        });
    }
    Ok(outcome)
}

/// What a range means.
pub(crate) struct Ends {
    /// What is left out, with all that it reaches.
    pub(crate) base: Vec<Oid>,
    /// The commit that the range ends with.
    pub(crate) tip: Oid,
    /// The annotated tag by which that commit was named, and those on the way from it.
    pub(crate) tags: Vec<Oid>,
}

/// Looks the ends of a range up.
pub(crate) fn ends(
    text: &str,
    not: &[String],
    repo: &Repo,
    db: &Db,
    refs: &Refs,
) -> anyhow::Result<Ends> {
    let written = parse_range(text)?;
    let revisions = Revisions { repo, db, refs };
    let named = revisions.object(written.tip)?;
    // For `A...B` as for `A..B` what A reaches is left out: a pull request adds what the target has not.
    let base = written.base.into_iter();
    let base = base.chain(not.iter().map(String::as_str));
    Ok(Ends {
        base: base
            .map(|base| revisions.commit(base))
            .collect::<Result<_, _>>()?,
        tip: revisions.commit(written.tip)?,
        tags: peel(db, named)?.tags,
    })
}

/// Files of the working tree that differ from the index.
pub(super) fn changed(
    engine: &Engine,
    repo: &Repo,
    args: &GitArgs,
    progress: &Progress,
) -> anyhow::Result<AuditOutcome> {
    let root = repo
        .work_tree
        .as_ref()
        .context("--unstaged needs a working tree; this repository is bare")?;
    let changed = unstaged(repo)?;
    let project = &args.common.project;
    let (left_out, paths): (Vec<_>, Vec<_>) = changed
        .paths
        .iter()
        .partition(|path| project.leaves_out(root, path));
    let inputs: Vec<Input> = paths
        .into_iter()
        .map(|path| Input {
            path: root.join(path_of(path)),
            prefix: String::from_utf8_lossy(path).into_owned(),
        })
        .filter(|input| input.path.symlink_metadata().is_ok_and(|m| m.is_file()))
        .collect();
    let options = Options {
        threads: args.common.threads(),
        settings: args.common.settings(),
        ..Options::default()
    };
    let part = scan_tree(engine, &inputs, &options, progress.observer());
    let mut outcome = AuditOutcome {
        matches: part.matches,
        summary: part.summary,
        ..AuditOutcome::default()
    };
    outcome.summary.gaps.extend(changed.gaps);
    for path in left_out {
        outcome.summary.skip(project::skipped(path));
    }
    Ok(outcome)
}
