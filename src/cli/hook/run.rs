//! `keysweep hook run`: what git tells a hook, scanned in this process.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Instant;

use anyhow::bail;

use keysweep::history::{
    Change, Refs, Repo, Revisions, Staged, Tip, parse, range_to, refs, staged, staged_on,
};
use keysweep::model::{Gap, Observer, Oid, SkipKind, Stage};
use keysweep::pack::{self, Db};
use keysweep::scan::{
    AddedOptions, Addition, Audit, AuditOptions, AuditOutcome, BlobMatch, Engine, Limits, audit,
    merge_with, scan_added,
};

use super::blocked::Blocked;
use super::push::{self, Brought, Update};
use super::{Kind, RunArgs};
use crate::cli::args::{CommonArgs, Shared};
use crate::cli::exit::Exit;
use crate::cli::finish::{self, Results};
use crate::cli::progress::{Counters, Progress};
use crate::cli::suppression::{self, Layout};
use crate::cli::{console, git, project, scan};

/// Option of `git push -o` that lets a push pass, where the server allows it.
pub(super) const SKIP: &str = "keysweep.skip";

const NOTHING_NEW: &str = "nothing to scan: the other side has all these commits";

/// Runs the command.
pub(super) fn run(args: &RunArgs, shared: &Shared) -> anyhow::Result<Exit> {
    finish::check(shared)?;
    if args.allow_skip && args.kind == Kind::PreReceive && push_options().any(|o| o == SKIP) {
        let who = ["GL_USERNAME", "GITHUB_USER_LOGIN", "REMOTE_USER", "USER"];
        let who = who.iter().find_map(std::env::var_os).unwrap_or_default();
        let who = keysweep::report::printable(&who.to_string_lossy()).into_owned();
        console::say(shared, &format!("not scanned: {who} pushed with -o {SKIP}"));
        return Ok(Exit::Clean);
    }
    let here = Path::new(".");
    let trust = git::trust(here);
    let repo = Repo::discover(here, &trust)?;
    let refs = refs(&repo)?;
    if let Some(file) = trust.index_file.filter(|file| !file.exists())
        && refs.head.is_some()
    {
        bail!(
            "{}: no such index; GIT_INDEX_FILE names what is to be committed",
            file.display()
        );
    }
    let (common, mut shared) = project::of_tree(repo.work_tree.as_deref(), &args.common, shared)?;
    // A format that files or the environment name is for reports; what stops somebody's commit is for people.
    if !shared.given.format {
        "text".clone_into(&mut shared.format);
    }
    let (common, shared) = (&common, &shared);
    let (db, errors) = repo.objects();
    let job = Job {
        args,
        common,
        shared,
        repo: &repo,
        refs: &refs,
        db: &db,
    };
    match job.plan()? {
        Plan::Empty(what) => {
            if shared.verbose > 0 || io::stderr().is_terminal() {
                console::say(shared, what);
            }
            Ok(Exit::Clean)
        }
        Plan::Nothing(why) => {
            console::say(shared, &why);
            Ok(Exit::Clean)
        }
        Plan::Scan(what) => job.scan(what, &errors),
    }
}

/// The options of `git push -o`, as the server gets them.
fn push_options() -> impl Iterator<Item = OsString> {
    let count = std::env::var("GIT_PUSH_OPTION_COUNT").ok();
    let count: usize = count.and_then(|n| n.parse().ok()).unwrap_or(0);
    (0..count.min(1000)).filter_map(|n| std::env::var_os(format!("GIT_PUSH_OPTION_{n}")))
}

struct Job<'j> {
    args: &'j RunArgs,
    /// With all that files and the environment say.
    common: &'j CommonArgs,
    shared: &'j Shared,
    repo: &'j Repo,
    refs: &'j Refs,
    db: &'j Db,
}

/// What is to be done.
enum Plan {
    /// Nothing, since there is nothing.
    Empty(&'static str),
    /// Nothing, although something is there, for this reason.
    Nothing(String),
    Scan(What),
}

/// What is scanned.
struct What {
    additions: Vec<Addition>,
    /// The histories of these, whole: the other side has nothing of them.
    whole: Vec<Tip>,
    /// For the short line: `3 staged files`.
    name: String,
    gaps: Vec<Gap>,
}

impl Job<'_> {
    fn plan(&self) -> anyhow::Result<Plan> {
        let framework = Framework::of_environment();
        match (self.args.kind, framework) {
            (Kind::PreReceive, _) => {
                self.pushed(&push::read(Kind::PreReceive)?, push::held(self.refs))
            }
            (_, Some(framework)) if framework.is_push() => self.framework_push(&framework),
            (Kind::PrePush, Some(_)) => self.index(),
            (Kind::PrePush, None) => {
                let updates = push::read(Kind::PrePush)?;
                let remote = self.args.arguments.first().map_or("", String::as_str);
                self.pushed(&updates, push::tracking(self.refs, remote))
            }
            (Kind::PreCommit | Kind::PreMergeCommit, framework) => {
                let staged = self.staged()?;
                // A run by hand, as for all files in CI: there is nothing that is committed.
                let by_hand = framework.is_some() && std::env::var_os("GIT_INDEX_FILE").is_none();
                if by_hand && staged.is_empty() {
                    return self.index();
                }
                Ok(plan_of(staged))
            }
        }
    }

    fn staged(&self) -> anyhow::Result<Staged> {
        // Before a merge is committed, git writes MERGE_HEAD only after this hook, and names the other parents here.
        let others = std::env::vars_os().filter_map(|(name, _)| {
            let id: Oid = name.to_str()?.strip_prefix("GITHEAD_")?.parse().ok()?;
            self.db.contains(&id).then_some(id)
        });
        let mut others: Vec<Oid> = others.collect();
        if others.is_empty() {
            return Ok(staged(self.repo, self.db, self.refs.head)?);
        }
        others.extend(self.refs.head);
        others.sort_unstable();
        others.dedup();
        Ok(staged_on(self.repo, self.db, &others)?)
    }

    /// Everything that the index holds.
    fn index(&self) -> anyhow::Result<Plan> {
        let all = staged_on(self.repo, self.db, &[])?;
        if all.changes.is_empty() {
            return Ok(Plan::Empty("nothing to scan: the index holds no file"));
        }
        Ok(Plan::Scan(What {
            name: counted(all.changes.len(), "file of the index", "files of the index"),
            additions: vec![Addition {
                changes: all.changes,
                ..Addition::default()
            }],
            whole: Vec::new(),
            gaps: all.gaps,
        }))
    }

    /// What a push brings that the other side has not.
    fn pushed<'r>(
        &self,
        updates: &[Update],
        known: impl Iterator<Item = &'r Oid>,
    ) -> anyhow::Result<Plan> {
        let brought = Brought::of(self.db, updates, known)?;
        if brought.is_empty() {
            return Ok(match updates.len() {
                0 => Plan::Empty("nothing to scan: no ref is pushed"),
                _ if updates.iter().all(|update| update.new.is_none()) => {
                    Plan::Empty("nothing to scan: refs are only deleted")
                }
                _ => Plan::Empty(NOTHING_NEW),
            });
        }
        self.brought(brought)
    }

    fn brought(&self, brought: Brought) -> anyhow::Result<Plan> {
        let mut additions = Vec::new();
        let mut gaps = Vec::new();
        let mut whole = Vec::new();
        let mut name;
        if brought.bases.is_empty() && !brought.tips.is_empty() {
            name = "the whole history that is pushed".to_owned();
            let tips = brought.tips.into_iter();
            whole.extend(tips.map(|(name, target)| Tip { name, target }));
        } else {
            let tips: Vec<Oid> = brought.tips.iter().map(|(_, id)| *id).collect();
            let added = range_to(self.db, &self.repo.shallow, &brought.bases, &tips)?;
            gaps.extend(added.gaps);
            name = counted(added.commits.len(), "commit", "commits");
            additions.extend(added.commits.into_iter().rev().map(|commit| Addition {
                commit: Some(commit.id),
                changes: commit.changes,
                removed: commit.removed,
                tags: Vec::new(),
                refs: Vec::new(),
            }));
        }
        let file = |id: Oid| Change {
            path: format!("object {id}").into_bytes(),
            new: id,
            old: Vec::new(),
            mode: 0o100_644,
        };
        if additions.is_empty()
            && whole.is_empty()
            && brought.tags.is_empty()
            && brought.files.is_empty()
        {
            if brought.names.is_empty() {
                return Ok(Plan::Empty(NOTHING_NEW));
            }
            name = counted(brought.names.len(), "name of a ref", "names of refs");
        }
        if !brought.tags.is_empty() || !brought.files.is_empty() || !brought.names.is_empty() {
            additions.push(Addition {
                changes: brought.files.into_iter().map(file).collect(),
                tags: brought.tags,
                refs: brought.names,
                ..Addition::default()
            });
        }
        Ok(Plan::Scan(What {
            additions,
            whole,
            name,
            gaps,
        }))
    }

    /// What the pre-commit framework pushes, of which it tells one ref alone.
    fn framework_push(&self, framework: &Framework) -> anyhow::Result<Plan> {
        let revisions = Revisions {
            repo: self.repo,
            db: self.db,
            refs: self.refs,
        };
        let tip = framework.to.as_deref().or(framework.local.as_deref());
        let new = revisions.object(tip.unwrap_or("HEAD"))?;
        let old = framework.from.as_deref();
        let old = old.map(|from| revisions.commit(from)).transpose()?;
        let name = framework.remote_ref.clone();
        let update = Update {
            name: name.unwrap_or_else(|| tip.unwrap_or("HEAD").to_owned()),
            old,
            new: Some(new),
        };
        let remote = framework.remote.as_deref().unwrap_or_default();
        self.pushed(&[update], push::tracking(self.refs, remote))
    }

    fn scan(&self, mut what: What, errors: &[pack::Error]) -> anyhow::Result<Exit> {
        let (args, common) = (self.args, self.common);
        let project = &common.project;
        let started = Instant::now();
        let engine = scan::engine(common)?;
        let left_out = project.narrow(self.repo.work_tree.as_deref(), &mut what.additions);
        let progress = Progress::start(self.shared.quiet);
        let observer = Timed {
            inner: progress.observer(),
            deadline: args.time_limit.and_then(|limit| started.checked_add(limit)),
        };
        let changed = what.additions.iter().map(|a| a.changes.len()).sum();
        let mut outcome = self.outcome(&engine, &what, &observer)?;
        let is_over = observer.is_over();
        let counters = progress.end();
        counters.stage(Stage::Settle);
        if let Some(top) = &self.repo.work_tree {
            project.judge_history(&engine, &mut outcome, top, common);
        }
        for path in left_out {
            outcome.summary.skip(project::skipped(&path));
        }
        project.account(engine.rules(), &mut outcome.summary, self.shared);
        let summary = &mut outcome.summary;
        if summary.cancelled && is_over {
            summary.cancelled = false;
            summary.gaps.push(Gap {
                path: String::new(),
                reason: format!(
                    "stopped after {} s (--time-limit): the rest was not scanned",
                    args.time_limit.unwrap_or_default().as_secs_f64()
                ),
            });
        }
        summary.gaps.extend(what.gaps);
        summary.gaps.extend(self.repo.gaps.iter().cloned());
        summary.gaps.extend(errors.iter().map(|error| Gap {
            path: String::new(),
            reason: error.to_string(),
        }));
        let promised = summary.skipped.get(&SkipKind::Promised);
        let promised = promised.map_or(0, |count| *count as usize);
        if self.args.kind != Kind::PrePush && changed > 0 && promised >= changed {
            summary.gaps.push(Gap {
                path: String::new(),
                reason: "nothing was scanned: the changed files' content is left with the remote of this partial clone"
                    .to_owned(),
            });
        }
        summary.sort();
        let results = Results {
            collected: merge_with(
                engine.rules(),
                outcome.matches,
                &outcome.histories,
                project.salt(),
            ),
            summary: outcome.summary,
            root: ".".to_owned(),
            elapsed: started.elapsed(),
            counters,
            revision: self.refs.head.map(|id| id.to_string()),
            branch: self.refs.head_name.clone(),
            layout: Layout::of_repository(self.repo.work_tree.as_deref()),
        };
        if self.shared.format != "text" {
            return finish::run(&engine, results, common, self.shared);
        }
        let is_root = |id: Oid| {
            let stored = self.db.find(&id, git::MEMORY).ok().flatten();
            let commit = stored.and_then(|stored| parse(id, &stored.bytes));
            commit.is_some_and(|commit| commit.parents.is_empty())
        };
        let reporter = Blocked {
            kind: args.kind,
            is_bare: self.repo.work_tree.is_none(),
            is_root: &is_root,
            allow_skip: args.allow_skip,
            common,
            scanned: &what.name,
            is_seen: !self.shared.quiet && io::stderr().is_terminal(),
        };
        finish::run_with(&reporter, &engine, results, common, self.shared)
    }

    fn outcome(
        &self,
        engine: &Engine,
        what: &What,
        observer: &dyn Observer,
    ) -> anyhow::Result<AuditOutcome> {
        let options = AddedOptions {
            settings: self.common.settings(),
            limits: Limits::default(),
            memory: git::MEMORY,
            metadata: true,
            promisor: self.repo.promisor,
            salt: self.common.project.salt().to_vec(),
        };
        let layout = Layout::of_repository(self.repo.work_tree.as_deref());
        let accepts =
            |found: &BlobMatch| suppression::accepts(engine.rules(), &layout, self.common, found);
        let additions = &what.additions;
        let mut outcome = scan_added(engine, self.db, additions, &options, &accepts, observer);
        if !what.whole.is_empty() {
            let audited = Audit {
                repo: self.repo,
                refs: self.refs,
                tips: &what.whole,
            };
            let options = AuditOptions {
                threads: self.common.threads(),
                settings: self.common.settings(),
                limits: Limits::default(),
                memory: git::MEMORY,
                load: git::LOAD,
                metadata: true,
                all_objects: false,
                since: None,
                cache: None,
                whole: false,
                now: git::now(),
                salt: self.common.project.salt().to_vec(),
            };
            outcome.merge(audit(engine, audited, &options, observer)?);
        }
        Ok(outcome)
    }
}

/// What a commit is scanned for; a reason where it adds no content.
fn plan_of(staged: Staged) -> Plan {
    if staged.changes.is_empty() && staged.gaps.is_empty() {
        let mut only = Vec::new();
        let all = [
            (staged.removed.len(), "deletions"),
            (staged.mode_only, "changes of mode"),
            (staged.submodules, "commits of submodules"),
            (staged.intent_to_add, "names without content (git add -N)"),
        ];
        only.extend(all.iter().filter(|(n, _)| *n > 0).map(|(_, what)| *what));
        if only.is_empty() {
            return Plan::Empty("nothing to scan: no change is staged");
        }
        let only = only.join(" and ");
        return Plan::Nothing(format!("nothing to scan: only {only} are staged"));
    }
    Plan::Scan(What {
        name: counted(staged.changes.len(), "staged file", "staged files"),
        additions: vec![Addition {
            changes: staged.changes,
            removed: staged.removed,
            ..Addition::default()
        }],
        whole: Vec::new(),
        gaps: staged.gaps,
    })
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// What the pre-commit framework, or another that reads its configuration, says of a run.
struct Framework {
    from: Option<String>,
    to: Option<String>,
    remote: Option<String>,
    local: Option<String>,
    remote_ref: Option<String>,
}

impl Framework {
    fn of_environment() -> Option<Self> {
        let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        get("PRE_COMMIT").map(|_| Self {
            from: get("PRE_COMMIT_FROM_REF"),
            to: get("PRE_COMMIT_TO_REF"),
            remote: get("PRE_COMMIT_REMOTE_NAME"),
            local: get("PRE_COMMIT_LOCAL_BRANCH"),
            remote_ref: get("PRE_COMMIT_REMOTE_BRANCH"),
        })
    }

    /// Whether commits are looked at, not what is staged: a push, or a range that somebody named.
    fn is_push(&self) -> bool {
        self.from.is_some() && self.to.is_some() || self.remote.is_some() && self.local.is_some()
    }
}

/// Stops a scan when its time is over.
struct Timed<'o> {
    inner: &'o Counters,
    deadline: Option<Instant>,
}

impl Timed<'_> {
    fn is_over(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }
}

impl Observer for Timed<'_> {
    fn stage(&self, stage: Stage) {
        self.inner.stage(stage);
    }

    fn ahead(&self, items: i64, bytes: u64) {
        self.inner.ahead(items, bytes);
    }

    fn all_ahead(&self) {
        self.inner.all_ahead();
    }

    fn scanned(&self, files: u64, bytes: u64) {
        self.inner.scanned(files, bytes);
    }

    fn found(&self, matches: u64) {
        self.inner.found(matches);
    }

    fn cancelled(&self) -> bool {
        self.inner.cancelled() || self.is_over()
    }

    fn overdue(&self) -> bool {
        self.inner.overdue() || self.is_over()
    }
}
