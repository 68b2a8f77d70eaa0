//! A whole history: which tips count, how it is audited, and where a shallow clone's ends.

use std::path::Path;

use keysweep::history::{Refs, Repo, Revisions, Tip, Trust, refs};
use keysweep::model::SkipKind;
use keysweep::scan::{Audit, AuditOptions, AuditOutcome, Engine, Limits, Since, audit};

use super::environment::{cache, now};
use super::{LOAD, MEMORY};
use crate::cli::args::{GitArgs, PackEngine};
use crate::cli::progress::Progress;

/// A submodule's history. Its folder was found below the repository's own.
pub(super) fn history_of(
    engine: &Engine,
    git_dir: &Path,
    args: &GitArgs,
    progress: &Progress,
) -> anyhow::Result<AuditOutcome> {
    let trust = Trust {
        git_dir: Some(git_dir.to_owned()),
        ..Trust::default()
    };
    let repo = Repo::discover(git_dir, &trust)?;
    let refs = refs(&repo)?;
    let tips = all_tips(&refs);
    let options = audit_options(args, None);
    let what = Audit {
        repo: &repo,
        refs: &refs,
        tips: &tips,
    };
    let mut outcome = audit(engine, what, &options, progress.observer())?;
    tell_of_shallow(&repo, &mut outcome);
    Ok(outcome)
}

/// What came with a commit whose parents are not here may be older.
pub(super) fn mark_shallow(repo: &Repo, outcome: &mut AuditOutcome) {
    for history in outcome.histories.values_mut() {
        let first = history.first.as_ref();
        history.or_earlier = first.is_some_and(|c| repo.shallow.binary_search(&c.id).is_ok());
    }
}

/// A shallow clone's oldest commits hold what older ones brought, and what those removed is not here.
pub(super) fn tell_of_shallow(repo: &Repo, outcome: &mut AuditOutcome) {
    let count = repo.shallow.len() as u64;
    if count == 0 {
        return;
    }
    mark_shallow(repo, outcome);
    *outcome
        .summary
        .skipped
        .entry(SkipKind::Shallow)
        .or_default() += count;
    let ends = if count == 1 {
        "1 commit"
    } else {
        "some commits"
    };
    outcome.summary.notes.push(format!(
        "shallow clone: what was before {ends} is not here, so a secret may be older than the commit named for it; git fetch --unshallow brings the rest"
    ));
}

pub(super) fn audit_options(args: &GitArgs, since: Option<Since>) -> AuditOptions {
    AuditOptions {
        threads: args.common.threads(),
        settings: args.common.settings(),
        limits: Limits::default(),
        memory: MEMORY,
        load: LOAD,
        metadata: !args.no_metadata,
        all_objects: args.all_objects,
        since,
        cache: cache(args),
        whole: args.engine == PackEngine::Whole,
        now: now(),
        salt: args.common.project.salt().to_vec(),
    }
}

/// Everything that refs, HEAD and the HEADs of work trees name.
pub(super) fn all_tips(refs: &Refs) -> Vec<Tip> {
    let mut tips = refs.tips.clone();
    tips.extend(refs.work_trees.iter().cloned());
    tips.extend(refs.head.map(|target| Tip {
        name: "HEAD".to_owned(),
        target,
    }));
    tips
}

pub(super) fn branches(revisions: &Revisions<'_>, names: &[String]) -> anyhow::Result<Vec<Tip>> {
    let tip = |name: &String| {
        let commit = revisions.commit(name)?;
        let full = ["", "refs/", "refs/heads/", "refs/tags/", "refs/remotes/"];
        let full = full.map(|prefix| format!("{prefix}{name}"));
        let mut tips = revisions.refs.tips.iter();
        let known = tips.find(|tip| full.contains(&tip.name));
        Ok(Tip {
            name: known.map_or_else(|| name.clone(), |tip| tip.name.clone()),
            // An annotated tag has a text of its own.
            target: known.map_or(commit, |tip| tip.target),
        })
    };
    names.iter().map(tip).collect()
}
