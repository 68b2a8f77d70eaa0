//! What a CI service says of the run: GitHub in a file of JSON, GitLab in its environment.
//!
//! Both are foreign: branches are named by whoever pushes. Ids are taken only where they are ids.

use std::fs::File;
use std::io::Read;
use std::str::FromStr;

use anyhow::{Context, bail};
use serde_json::Value;

use keysweep::model::Oid;

use super::variable;

/// The service that runs the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    GitHub,
    GitLab,
    /// Another one, or a person.
    None,
}

impl Service {
    pub(super) fn of_environment() -> Self {
        // Forgejo and Gitea say the same and mean the same.
        if variable("GITHUB_ACTIONS").is_some() {
            Self::GitHub
        } else if variable("GITLAB_CI").is_some() {
            Self::GitLab
        } else {
            Self::None
        }
    }
}

/// Why a run began.
#[derive(Debug)]
pub(super) struct Event {
    /// For people: `pull request #7 into main`.
    pub(super) name: String,
    pub(super) change: Change,
    /// Why the change may come from somebody who cannot write to the repository; `None` where it does not.
    pub(super) stranger: Option<&'static str>,
    /// What else is to be said.
    pub(super) notes: Vec<String>,
}

/// What an event changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Commits that are to come into a branch.
    Request {
        /// Commits of the target, the best known first; one of them must be there.
        base: Vec<Oid>,
        head: Oid,
        /// Whether the run has the target's rights, so that the target is checked out.
        privileged: bool,
    },
    /// A branch or a tag that was moved or made.
    Push {
        /// `None` for a new one.
        before: Option<Oid>,
        after: Oid,
        /// The full name: `refs/heads/main`.
        reference: String,
        /// The short name of the repository's main branch.
        default: Option<String>,
    },
    /// All that this commit or tag reaches.
    Reached {
        /// Names for it; the first one that is there counts.
        names: Vec<String>,
        /// What is wrong where none is there.
        what: &'static str,
    },
    /// The whole history.
    Everything,
    /// Nothing came in.
    Nothing(String),
}

impl Event {
    /// Where nobody says anything: in a service the strictest reading, elsewhere whoever names what is new is trusted.
    pub(super) fn unknown(service: Service) -> Self {
        Self {
            name: "no event".to_owned(),
            change: Change::Everything,
            stranger: (service != Service::None).then_some("who made the change is not known"),
            notes: Vec::new(),
        }
    }

    fn of(name: impl Into<String>, change: Change) -> Self {
        Self {
            name: name.into(),
            change,
            stranger: None,
            notes: Vec::new(),
        }
    }
}

/// Why a stranger's change is one.
const FORK: &str = "the change comes from a fork";

/// Most bytes of an event; GitHub sends at most 25 MB.
const MOST: u64 = 64 << 20;

/// Reads the event.
pub(super) fn read(service: Service) -> anyhow::Result<Event> {
    match service {
        Service::GitHub => {
            let name = variable("GITHUB_EVENT_NAME").context(
                "GITHUB_EVENT_NAME is not set: which event started the run is not known",
            )?;
            let path = variable("GITHUB_EVENT_PATH")
                .context("GITHUB_EVENT_PATH is not set: what the event says is not known")?;
            let mut bytes = Vec::new();
            File::open(&path)
                .and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes))
                .with_context(|| format!("{path}: the event cannot be read"))?;
            if bytes.len() as u64 > MOST {
                bail!("{path}: an event of more than {MOST} bytes");
            }
            let event = serde_json::from_slice(&bytes)
                .with_context(|| format!("{path}: the event is not JSON"))?;
            github(&name, &event).with_context(|| format!("event `{name}` in {path}"))
        }
        Service::GitLab => gitlab(),
        Service::None => bail!(
            "neither GitHub's nor GitLab's CI is known from the environment; say what is new with --range A..B, or scan all with --scope history"
        ),
    }
}

/// An id; 40 zeros are git's way to say that there is none.
fn id(text: &str, what: &str) -> anyhow::Result<Option<Oid>> {
    if !text.is_empty() && text.bytes().all(|byte| byte == b'0') {
        return Ok(None);
    }
    let id = Oid::from_str(text).ok();
    id.map(Some)
        .with_context(|| format!("`{what}` is no commit's id of 40 digits"))
}

fn text<'v>(event: &'v Value, pointer: &str) -> Option<&'v str> {
    event.pointer(pointer).and_then(Value::as_str)
}

/// An id in the event, which must be there.
fn id_at(event: &Value, pointer: &str) -> anyhow::Result<Oid> {
    let found = text(event, pointer).with_context(|| format!("`{pointer}` is missing"))?;
    id(found, pointer)?.with_context(|| format!("`{pointer}` names no commit"))
}

fn short(reference: &str) -> &str {
    let prefixes = ["refs/heads/", "refs/tags/"];
    let name = prefixes.iter().find_map(|p| reference.strip_prefix(p));
    name.unwrap_or(reference)
}

fn github(name: &str, event: &Value) -> anyhow::Result<Event> {
    let default = || text(event, "/repository/default_branch").map(str::to_owned);
    if event.pointer("/pull_request/head").is_some() {
        return request(name, event);
    }
    Ok(match name {
        "push" => {
            let reference = text(event, "/ref").context("`/ref` is missing")?;
            let before = text(event, "/before").context("`/before` is missing")?;
            let after = text(event, "/after").context("`/after` is missing")?;
            pushed(reference, before, after, default())?
        }
        "merge_group" => {
            let base = id_at(event, "/merge_group/base_sha")?;
            let head = id_at(event, "/merge_group/head_sha")?;
            let target = text(event, "/merge_group/base_ref").unwrap_or_default();
            let mut queue = Event::of(
                format!("merge queue of {}", short(target)),
                Change::Request {
                    base: vec![base],
                    head,
                    privileged: false,
                },
            );
            // The group's branch lies in the repository itself, wherever its commits come from.
            queue.stranger = Some(
                "a merge queue does not say whether a change comes from a fork; `trust: always` (--trust always) lets them count",
            );
            queue
        }
        "release" => {
            let tag = text(event, "/release/tag_name").context("`/release/tag_name` is missing")?;
            let mut names = vec![format!("refs/tags/{tag}")];
            names.extend(variable("GITHUB_SHA"));
            Event::of(
                format!("release {tag}"),
                Change::Reached {
                    names,
                    what: "the release's tag",
                },
            )
        }
        "workflow_run" => {
            let head = id_at(event, "/workflow_run/head_sha")?;
            let home = text(event, "/repository/full_name");
            let source = text(event, "/workflow_run/head_repository/full_name");
            let workflow = text(event, "/workflow_run/name").unwrap_or("a workflow");
            let mut run = Event::of(
                format!("run after {workflow}"),
                Change::Reached {
                    names: vec![head.to_string()],
                    what: "the commit of the run before",
                },
            );
            run.stranger = (source.is_none() || source != home).then_some(FORK);
            run
        }
        "schedule" => Event::of("schedule", Change::Everything),
        "workflow_dispatch" | "repository_dispatch" => Event::of("run by hand", Change::Everything),
        other => {
            let mut unknown = Event::of(format!("event {other}"), Change::Everything);
            unknown.notes.push(
                "this event names no commits that are new, so the whole history is scanned; --range (the action's input `range`) narrows it"
                    .to_owned(),
            );
            unknown
        }
    })
}

fn request(name: &str, event: &Value) -> anyhow::Result<Event> {
    let base = id_at(event, "/pull_request/base/sha")?;
    let head = id_at(event, "/pull_request/head/sha")?;
    let number = event
        .pointer("/pull_request/number")
        .and_then(Value::as_u64);
    let target = text(event, "/pull_request/base/ref").unwrap_or("its target");
    let home = text(event, "/pull_request/base/repo/full_name");
    // `null` where the fork is gone.
    let source = text(event, "/pull_request/head/repo/full_name");
    let mut request = Event::of(
        format!("pull request #{} into {target}", number.unwrap_or(0)),
        Change::Request {
            base: vec![base],
            head,
            privileged: name == "pull_request_target",
        },
    );
    request.stranger = (source.is_none() || source != home).then_some(FORK);
    Ok(request)
}

/// A push as both services tell of it.
fn pushed(
    reference: &str,
    before: &str,
    after: &str,
    default: Option<String>,
) -> anyhow::Result<Event> {
    let kind = if reference.starts_with("refs/tags/") {
        "tag"
    } else {
        "branch"
    };
    let name = short(reference);
    let before = id(before, "before")?;
    let Some(after) = id(after, "after")? else {
        return Ok(Event::of(
            format!("deletion of {kind} {name}"),
            Change::Nothing(format!("a deleted {kind} adds nothing")),
        ));
    };
    let words = if before.is_none() { "new" } else { "push to" };
    Ok(Event::of(
        format!("{words} {kind} {name}"),
        Change::Push {
            before,
            after,
            reference: reference.to_owned(),
            default,
        },
    ))
}

fn gitlab() -> anyhow::Result<Event> {
    let source = variable("CI_PIPELINE_SOURCE").unwrap_or_default();
    let commit = variable("CI_COMMIT_SHA").context("CI_COMMIT_SHA is not set")?;
    if let Some(base) = variable("CI_MERGE_REQUEST_DIFF_BASE_SHA") {
        let mut bases: Vec<Oid> = Vec::new();
        bases.extend(id(&base, "CI_MERGE_REQUEST_DIFF_BASE_SHA")?);
        // Set where the pipeline runs on the merged result.
        if let Some(target) = variable("CI_MERGE_REQUEST_TARGET_BRANCH_SHA") {
            bases.extend(id(&target, "CI_MERGE_REQUEST_TARGET_BRANCH_SHA")?);
        }
        let head = variable("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA").unwrap_or(commit);
        let head = id(&head, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA")?
            .context("the merge request has no commit")?;
        let number = variable("CI_MERGE_REQUEST_IID").unwrap_or_default();
        let target = variable("CI_MERGE_REQUEST_TARGET_BRANCH_NAME").unwrap_or_default();
        let mut request = Event::of(
            format!("merge request !{number} into {target}"),
            Change::Request {
                base: bases,
                head,
                privileged: false,
            },
        );
        let home = variable("CI_MERGE_REQUEST_PROJECT_ID");
        let from = variable("CI_MERGE_REQUEST_SOURCE_PROJECT_ID");
        request.stranger = (from.is_none() || from != home).then_some(FORK);
        return Ok(request);
    }
    if source == "push" {
        let tag = variable("CI_COMMIT_TAG").map(|tag| format!("refs/tags/{tag}"));
        let is_tag = tag.is_some();
        let branch = || {
            let name = variable("CI_COMMIT_BRANCH").or_else(|| variable("CI_COMMIT_REF_NAME"));
            name.map(|name| format!("refs/heads/{name}"))
        };
        let reference = tag
            .or_else(branch)
            .context("neither CI_COMMIT_BRANCH nor CI_COMMIT_TAG is set")?;
        let before = variable("CI_COMMIT_BEFORE_SHA").unwrap_or_else(|| "0".repeat(40));
        let mut event = pushed(&reference, &before, &commit, variable("CI_DEFAULT_BRANCH"))?;
        if is_tag && let Change::Push { before, .. } = &mut event.change {
            // GitLab gives the commit; by its name, the tag's own text is there, too.
            *before = None;
        }
        return Ok(event);
    }
    let words = match source.as_str() {
        "schedule" => "schedule",
        "web" | "api" | "trigger" | "chat" => "run by hand",
        _ => {
            let mut unknown = Event::of(format!("pipeline from {source}"), Change::Everything);
            unknown.notes.push(
                "this pipeline names no commits that are new, so the whole history is scanned; --range narrows it"
                    .to_owned(),
            );
            return Ok(unknown);
        }
    };
    Ok(Event::of(words, Change::Everything))
}
