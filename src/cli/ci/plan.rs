//! What is scanned for an event, and whether the clone has what that takes.
//!
//! A run that cannot see what came in must not pass. So each commit that is needed is looked up here first, and what is
//! missing is answered by the change that brings it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::bail;

use keysweep::history::{Refs, Repo, Revisions, range as commits_of, refs};
use keysweep::model::Oid;
use keysweep::pack::Db;

use super::event::{Change, Event, Service};
use crate::cli::git::{ends, trust};

/// What is scanned.
#[derive(Debug)]
pub(super) enum Plan {
    /// Nothing, and why that is right.
    Nothing(String),
    /// What commits add.
    Range {
        /// As `git --range` takes it.
        text: String,
        /// As `git --not` takes it.
        not: Vec<String>,
        /// How many commits.
        count: usize,
        /// What is to be said of the choice.
        notes: Vec<String>,
    },
    /// The whole history, or that of one tag or commit.
    History { of: Option<String> },
    /// The checked-out files.
    Tree,
}

impl Plan {
    /// What is done, in words.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Nothing(why) => format!("nothing to scan, {why}"),
            Self::Range {
                text, count, notes, ..
            } => {
                let plural = if *count == 1 { "" } else { "s" };
                let text: String = text
                    .split("..")
                    .map(shortened)
                    .collect::<Vec<_>>()
                    .join("..");
                let mut words = format!("{count} commit{plural}, {text}");
                for note in notes {
                    let _ = write!(words, "; {note}");
                }
                words
            }
            Self::History { of: None } => "the whole history".to_owned(),
            Self::History { of: Some(name) } => format!("the whole history of {name}"),
            Self::Tree => "the checked-out files, without history".to_owned(),
        }
    }
}

/// An end of a range; of an id its beginning, as git's own messages have it.
fn shortened(end: &str) -> &str {
    let is_id = end.len() == 40 && end.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { &end[..10] } else { end }
}

/// A repository that is looked into.
struct Clone {
    repo: Repo,
    refs: Refs,
    db: Db,
    service: Service,
}

impl Clone {
    fn at(folder: &Path, service: Service) -> anyhow::Result<Self> {
        let repo = match Repo::discover(folder, &trust(folder)) {
            Ok(repo) => repo,
            Err(error @ keysweep::history::Error::NoRepository { .. }) => {
                bail!("{error}{}", first(service))
            }
            Err(error) => return Err(error.into()),
        };
        let refs = refs(&repo)?;
        let (db, _) = repo.objects();
        Ok(Self {
            repo,
            refs,
            db,
            service,
        })
    }

    fn revisions(&self) -> Revisions<'_> {
        Revisions {
            repo: &self.repo,
            db: &self.db,
            refs: &self.refs,
        }
    }

    fn has(&self, id: &Oid) -> bool {
        self.revisions().commit(&id.to_string()).is_ok()
    }

    /// Parents of a commit, where they are known.
    fn parents(&self, id: Oid) -> Vec<Oid> {
        let parent = |n: usize| self.revisions().commit(&format!("{id}^{n}")).ok();
        (1..).map_while(parent).take(2).collect()
    }

    /// The main branch as the clone has it, without what is pushed.
    fn main(&self, default: Option<&str>, pushed: &str) -> Option<Oid> {
        let name = default?;
        if pushed == format!("refs/heads/{name}") {
            return None;
        }
        let revisions = self.revisions();
        revisions
            .commit(&format!("refs/remotes/origin/{name}"))
            .ok()
    }

    /// What commits add, where the clone has all that it takes to tell.
    fn added(&self, base: &[Oid], tip: Oid) -> anyhow::Result<usize> {
        let added = commits_of(&self.db, &self.repo.shallow, base, tip)?;
        if let Some(cut) = added.commits.iter().find(|commit| commit.cut) {
            bail!(
                "this clone is shallow: what commit {} adds cannot be told, since its parents are left out{}",
                cut.id,
                whole(self.service)
            );
        }
        Ok(added.commits.len())
    }

    /// The commits that a tip has and no base.
    fn between(&self, base: &[Oid], tip: &str, notes: Vec<String>) -> anyhow::Result<Plan> {
        let mut not: Vec<String> = base.iter().map(Oid::to_string).collect();
        let all = ends(tip, &not, &self.repo, &self.db, &self.refs)?;
        let count = self.added(&all.base, all.tip)?;
        if count == 0 && all.tags.is_empty() {
            return Ok(Plan::Nothing(
                "all of its commits were there before".to_owned(),
            ));
        }
        let text = if not.is_empty() {
            tip.to_owned()
        } else {
            format!("{}..{tip}", not.remove(0))
        };
        Ok(Plan::Range {
            text,
            not,
            count,
            notes,
        })
    }

    fn missing(&self, id: &Oid, what: &str) -> anyhow::Error {
        let shallow = if self.repo.shallow.is_empty() {
            ""
        } else {
            ", which is shallow"
        };
        anyhow::anyhow!(
            "commit {id}, {what}, is not in this clone{shallow}{}",
            whole(self.service)
        )
    }
}

/// What the event adds.
pub(super) fn of_event(folder: &Path, event: &Event, service: Service) -> anyhow::Result<Plan> {
    match &event.change {
        Change::Nothing(why) => Ok(Plan::Nothing(why.clone())),
        Change::Everything => everything(folder, service),
        Change::Request {
            base,
            head,
            privileged,
        } => request(&Clone::at(folder, service)?, base, *head, *privileged),
        Change::Push {
            before,
            after,
            reference,
            default,
        } => push(
            &Clone::at(folder, service)?,
            *before,
            *after,
            reference,
            default.as_deref(),
        ),
        Change::Reached { names, what } => {
            let clone = Clone::at(folder, service)?;
            if !clone.repo.shallow.is_empty() {
                bail!("this clone is shallow{}", whole(service));
            }
            let revisions = clone.revisions();
            let there = names.iter().find(|name| revisions.commit(name).is_ok());
            let Some(name) = there else {
                bail!(
                    "{}, {what}, is not in this clone; let the workflow run on `pull_request` and `push` themselves, where the commits are{}",
                    names.join(" or "),
                    whole(service)
                );
            };
            Ok(Plan::History {
                of: Some(name.clone()),
            })
        }
    }
}

fn request(clone: &Clone, base: &[Oid], head: Oid, privileged: bool) -> anyhow::Result<Plan> {
    if base.first() == Some(&head) {
        bail!(
            "base and head are the same commit, {head}: nothing would be scanned although the request is there; name what is new by --range (the action's input `range`)"
        );
    }
    if !clone.has(&head) {
        if privileged {
            bail!(
                "commit {head}, the pull request's head, is not in this clone: `pull_request_target` checks the target out{TARGET}"
            );
        }
        return Err(clone.missing(&head, "the request's head"));
    }
    let mut known: Vec<Oid> = base.iter().copied().filter(|id| clone.has(id)).collect();
    // The service's own merge of both: the target as it was when they were merged, and that may be newer.
    if let Some(checked_out) = clone.refs.head
        && let [target, merged] = clone.parents(checked_out)[..]
        && merged == head
        && !known.contains(&target)
    {
        known.push(target);
    }
    if known.is_empty() {
        let Some(base) = base.first() else {
            bail!("the request names no commit of its target");
        };
        return Err(clone.missing(base, "the request's base"));
    }
    clone.between(&known, &head.to_string(), Vec::new())
}

fn push(
    clone: &Clone,
    before: Option<Oid>,
    after: Oid,
    reference: &str,
    default: Option<&str>,
) -> anyhow::Result<Plan> {
    // By its name, where it still names that: the text of an annotated tag is found by it.
    let revisions = clone.revisions();
    let is_tag = reference.starts_with("refs/tags/");
    let named = revisions.object(reference).ok().filter(|_| is_tag);
    let commit = revisions.commit(reference).ok().filter(|_| is_tag);
    let tip = if named == Some(after) || commit == Some(after) {
        reference.to_owned()
    } else if clone.has(&after) {
        after.to_string()
    } else {
        return Err(clone.missing(&after, "what was pushed"));
    };
    let mut notes = Vec::new();
    let mut base: Vec<Oid> = before.into_iter().filter(|id| clone.has(id)).collect();
    if let Some(before) = before
        && base.is_empty()
    {
        if !clone.repo.shallow.is_empty() {
            return Err(clone.missing(&before, "where the branch was before"));
        }
        notes.push(format!(
            "{before}, where it was before, is gone: history was rewritten by a forced push"
        ));
    }
    match clone.main(default, reference) {
        Some(main) if !base.contains(&main) => {
            if base.is_empty() {
                let name = default.unwrap_or_default();
                notes.push(format!("new is what {name} has not"));
            }
            base.push(main);
        }
        None if base.is_empty() => notes.push("all of its history".to_owned()),
        Some(_) | None => {}
    }
    clone.between(&base, &tip, notes)
}

/// The range that somebody wrote.
pub(super) fn range(folder: &Path, text: &str, service: Service) -> anyhow::Result<Plan> {
    let clone = Clone::at(folder, service)?;
    let all = match ends(text, &[], &clone.repo, &clone.db, &clone.refs) {
        Ok(all) => all,
        Err(error) if !clone.repo.shallow.is_empty() => {
            bail!("{error:#}; this clone is shallow{}", whole(service))
        }
        Err(error) => return Err(error),
    };
    if all.base.contains(&all.tip) {
        bail!(
            "range {text}: both ends are commit {}, so nothing would be scanned; write what is new, such as origin/main..HEAD, or leave the range out",
            all.tip
        );
    }
    let count = clone.added(&all.base, all.tip)?;
    if count == 0 {
        bail!(
            "range {text}: its end is part of its beginning, so nothing would be scanned; are the ends the wrong way round?"
        );
    }
    Ok(Plan::Range {
        text: text.to_owned(),
        not: Vec::new(),
        count,
        notes: Vec::new(),
    })
}

/// The whole history.
pub(super) fn everything(folder: &Path, service: Service) -> anyhow::Result<Plan> {
    let clone = Clone::at(folder, service)?;
    if !clone.repo.shallow.is_empty() {
        bail!(
            "this clone is shallow: the whole history is to be scanned, and most of it is not here{}",
            whole(service)
        );
    }
    Ok(Plan::History { of: None })
}

/// What to say of objects that a partial clone left out.
pub(super) fn promised(count: u64, service: Service) -> String {
    let plural = if count == 1 { " is" } else { "s are" };
    let mend = match service {
        Service::GitLab => "GIT_CLONE_EXTRA_FLAGS without --filter",
        _ => "actions/checkout without `filter` and `sparse-checkout`",
    };
    format!(
        "{count} object{plural} not in this partial clone, and keysweep fetches nothing: use {mend}"
    )
}

/// The change that brings the whole history.
fn whole(service: Service) -> &'static str {
    match service {
        Service::GitHub => WHOLE_GITHUB,
        Service::GitLab => WHOLE_GITLAB,
        Service::None => "; `git fetch --unshallow` brings the rest",
    }
}

/// What has to come before the scan.
fn first(service: Service) -> &'static str {
    match service {
        Service::GitHub => FIRST_GITHUB,
        Service::GitLab => "; GIT_STRATEGY must not be `none`",
        Service::None => "",
    }
}

const WHOLE_GITHUB: &str = "
keysweep fetches nothing itself. Give the step before that uses actions/checkout:

        with:
          fetch-depth: 0
          persist-credentials: false
";

const FIRST_GITHUB: &str = "
A step before must check the repository out; where it does so into another folder (`path`), name that in the input `repository`:

      - uses: actions/checkout@v7
        with:
          fetch-depth: 0
          persist-credentials: false
";

const WHOLE_GITLAB: &str = "
keysweep fetches nothing itself. Let the job have the whole history:

  variables:
    GIT_DEPTH: \"0\"
";

const TARGET: &str = "
Let the workflow run on `pull_request` instead: keysweep needs neither secrets nor write access. Where it must be this
event, fetch the commits as data, without checking them out, in a step before:

      - run: git fetch --no-tags origin \"+refs/pull/$NUMBER/head:refs/remotes/pull/head\"
        env:
          NUMBER: ${{ github.event.number }}
";
