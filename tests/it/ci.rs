//! `keysweep ci` and the action: each kind of event on real repositories, cloned as the services clone them. The steps
//! are taken from `action.yml` as they stand there and run by bash, as a runner does.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::fake;
use crate::support::repo::{Repo, packs};
use crate::support::repository_file;

const ZERO: &str = "0000000000000000000000000000000000000000";

// ---------------------------------------------------------------------------------------------
// A runner of composite actions

/// A step of the action.
struct Step {
    id: String,
    env: Vec<(String, String)>,
    script: String,
}

/// What `action.yml` says, as far as a runner needs it.
struct Action {
    defaults: BTreeMap<String, String>,
    outputs: BTreeMap<String, String>,
    steps: Vec<Step>,
}

fn depth(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn scalar(text: &str) -> String {
    text.trim().trim_matches('"').to_owned()
}

impl Action {
    /// Reads the file. It keeps to a plain style: one key a line, scripts as blocks.
    fn read() -> Self {
        let text = fs::read_to_string(repository_file("action.yml")).unwrap();
        let mut action = Self {
            defaults: BTreeMap::new(),
            outputs: BTreeMap::new(),
            steps: Vec::new(),
        };
        let (mut section, mut name) = ("", String::new());
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let bare = line.trim();
            if depth(line) == 0 && !bare.is_empty() && !bare.starts_with('#') {
                section = line.split(':').next().unwrap();
            } else if section != "runs" && depth(line) == 2 {
                bare.trim_end_matches(':').clone_into(&mut name);
            } else if section == "inputs"
                && let Some(value) = bare.strip_prefix("default: ")
            {
                action.defaults.insert(name.clone(), scalar(value));
            } else if section == "outputs"
                && let Some(value) = bare.strip_prefix("value: ")
            {
                action.outputs.insert(name.clone(), scalar(value));
            } else if section == "runs" && bare.starts_with("- name:") {
                action.steps.push(Step {
                    id: String::new(),
                    env: Vec::new(),
                    script: String::new(),
                });
            } else if section == "runs"
                && let Some(step) = action.steps.last_mut()
            {
                if let Some(id) = bare.strip_prefix("id: ") {
                    id.clone_into(&mut step.id);
                } else if bare == "env:" {
                    while let Some(line) = lines.next_if(|next| depth(next) > depth(line)) {
                        let (key, value) = line.trim().split_once(": ").unwrap();
                        step.env.push((key.to_owned(), scalar(value)));
                    }
                } else if bare == "run: |" {
                    let inside = depth(line);
                    let block = |next: &&str| next.trim().is_empty() || depth(next) > inside;
                    while let Some(line) = lines.next_if(|next| block(next)) {
                        step.script += line.get(inside + 2..).unwrap_or_default();
                        step.script.push('\n');
                    }
                }
            }
        }
        assert_eq!(action.steps.len(), 2, "the action has two steps");
        assert!(action.defaults.len() > 8 && action.outputs.len() > 3);
        action
    }
}

/// Fills `${{ inputs.NAME }}` and `${{ steps.ID.outputs.NAME }}` in.
fn filled(
    text: &str,
    inputs: &BTreeMap<String, String>,
    outputs: &BTreeMap<String, String>,
) -> String {
    let Some(expression) = text
        .strip_prefix("${{ ")
        .and_then(|t| t.strip_suffix(" }}"))
    else {
        return text.to_owned();
    };
    if let Some(name) = expression.strip_prefix("inputs.") {
        let value = inputs.get(name);
        return value.unwrap_or_else(|| panic!("no input `{name}`")).clone();
    }
    outputs.get(expression).cloned().unwrap_or_default()
}

/// The file of outputs, as a runner reads it.
fn pairs(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let here = line.find("<<");
        let plain = line.find('=');
        if let Some(at) = here.filter(|at| plain.is_none_or(|plain| *at < plain)) {
            let end = &line[at + 2..];
            let value: Vec<_> = lines.by_ref().take_while(|line| *line != end).collect();
            pairs.push((line[..at].to_owned(), value.join("\n")));
        } else {
            let (name, value) = line.split_once('=').expect("name=value");
            pairs.push((name.to_owned(), value.to_owned()));
        }
    }
    pairs
}

/// How a run of the action ended.
#[derive(Debug)]
struct Ran {
    code: i32,
    log: String,
    err: String,
    outputs: BTreeMap<String, String>,
    summary: String,
    /// Commands in the log that the runner would obey.
    commands: Vec<String>,
}

impl Ran {
    #[track_caller]
    fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        let said = &self.outputs["exit-code"];
        assert_eq!(said, &code.to_string(), "{self:#?}");
        self
    }

    /// Fails unless the log has the text.
    #[track_caller]
    fn says(self, text: &str) -> Self {
        assert!(self.log.contains(text), "`{text}` is missing: {self:#?}");
        self
    }

    #[track_caller]
    fn hides(self, secret: &str) -> Self {
        let report = fs::read_to_string(&self.outputs["report"]).unwrap_or_default();
        let sarif = fs::read_to_string(&self.outputs["sarif"]).unwrap_or_default();
        for text in [&self.log, &self.err, &self.summary, &report, &sarif] {
            assert!(!text.contains(secret), "a secret shows: {text}");
        }
        self
    }

    /// Paths of the findings in the JSON report, sorted.
    #[track_caller]
    fn paths(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.outputs["report"]).unwrap();
        let records: Vec<Value> = serde_json::from_str(&text).unwrap();
        let findings = records.iter().filter(|r| r["kind"] == "finding");
        let path = |f: &Value| f["path"].as_str().unwrap_or("-").to_owned();
        let mut paths: Vec<String> = findings.map(path).collect();
        paths.sort();
        assert_eq!(self.outputs["findings"], paths.len().to_string());
        let sarif = fs::read_to_string(&self.outputs["sarif"]).unwrap();
        let sarif: Value = serde_json::from_str(&sarif).unwrap();
        assert_eq!(sarif["version"], "2.1.0");
        paths
    }

    /// That nothing was scanned since nothing came in.
    #[track_caller]
    fn had_nothing(self) -> Self {
        assert_eq!(self.outputs["status"], "nothing", "{self:#?}");
        self.says("nothing to scan").ends_with(0)
    }

    /// That the run is red and the whole history is asked for.
    #[track_caller]
    fn wants_all(self) -> Self {
        assert_eq!(self.outputs["status"], "failed", "{self:#?}");
        assert_eq!(self.outputs["findings"], "");
        assert!(self.summary.contains("fetch-depth"), "{self:#?}");
        let errors: Vec<_> = self
            .commands
            .iter()
            .filter(|c| c.starts_with("::error"))
            .collect();
        assert_eq!(errors.len(), 1, "{self:#?}");
        self.says("          fetch-depth: 0\n").ends_with(2)
    }
}

/// The lines of a log that the runner takes for commands, and obeys.
fn commands(log: &str) -> Vec<String> {
    let mut stopped: Option<String> = None;
    let mut commands = Vec::new();
    for line in log.lines() {
        let bare = line.trim_start();
        if let Some(word) = &stopped {
            if bare == format!("::{word}::") {
                stopped = None;
            }
        } else if let Some(word) = bare.strip_prefix("::stop-commands::") {
            stopped = Some(word.to_owned());
        } else if bare.starts_with("::") || line.contains("##[") {
            commands.push(line.to_owned());
        }
    }
    assert_eq!(stopped, None, "commands stay switched off: {log}");
    commands
}

/// A repository on a service, and a clone of it on a runner.
struct Job {
    /// What the service has.
    origin: Repo,
    inputs: BTreeMap<String, String>,
    env: Vec<(String, String)>,
    /// Where the steps run: the clone.
    folder: PathBuf,
}

impl Job {
    fn new(origin: Repo) -> Self {
        let folder = origin.beside("clone");
        let job = Self {
            folder,
            origin,
            inputs: BTreeMap::new(),
            env: Vec::new(),
        };
        for name in ["temp", "bin"] {
            fs::create_dir_all(job.origin.beside(name)).unwrap();
        }
        job.origin
            .git(&["config", "uploadpack.allowFilter", "true"]);
        let program = env!("CARGO_BIN_EXE_keysweep");
        symlink(program, job.origin.beside("bin/keysweep")).unwrap();
        job
    }

    fn with(mut self, input: &str, value: &str) -> Self {
        self.inputs.insert(input.to_owned(), value.to_owned());
        self
    }

    fn git(&self, arguments: &[&str]) {
        self.origin.git_in("clone", arguments);
    }

    /// Clones as actions/checkout does with `fetch-depth: 0`: all branches and tags, and what started the run.
    fn checkout(self, reference: &str) -> Self {
        self.fetch(reference, &[])
    }

    /// Clones as actions/checkout does if nothing is said: the newest commit alone.
    fn shallow(self, reference: &str, depth: u32) -> Self {
        self.fetch(reference, &[&format!("--depth={depth}")])
    }

    fn fetch(self, reference: &str, options: &[&str]) -> Self {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).unwrap();
        }
        self.origin.git_in(".", &["init", "-q", "clone"]);
        let url = format!("file://{}", self.origin.path().display());
        self.git(&["remote", "add", "origin", &url]);
        let own = reference.strip_prefix("refs/heads/").map_or_else(
            || reference.replacen("refs/pull/", "refs/remotes/pull/", 1),
            |name| format!("refs/remotes/origin/{name}"),
        );
        let mut fetch = vec!["fetch", "-q", "--no-tags"];
        fetch.extend(options);
        fetch.push("origin");
        let own_spec = format!("+{reference}:{own}");
        fetch.push(&own_spec);
        if options.iter().all(|option| !option.starts_with("--depth")) {
            fetch.extend([
                "+refs/heads/*:refs/remotes/origin/*",
                "+refs/tags/*:refs/tags/*",
            ]);
        }
        self.git(&fetch);
        self.git(&["checkout", "-q", "--detach", &own]);
        self
    }

    /// Runs the action for an event.
    fn run(&self, event: &str, payload: &Value) -> Ran {
        let payload = payload.to_string();
        fs::write(self.origin.beside("temp/event.json"), payload).unwrap();
        self.act(&[("GITHUB_EVENT_NAME", event)])
    }

    fn act(&self, more: &[(&str, &str)]) -> Ran {
        let action = Action::read();
        let mut inputs = action.defaults.clone();
        for (name, value) in &self.inputs {
            let known = inputs.insert(name.clone(), value.clone());
            assert!(known.is_some(), "the action has no input `{name}`");
        }
        let temp = self.origin.beside("temp");
        let summary = temp.join("summary.md");
        let mut known = BTreeMap::new();
        let mut ran = Ran {
            code: 0,
            log: String::new(),
            err: String::new(),
            outputs: BTreeMap::new(),
            summary: String::new(),
            commands: Vec::new(),
        };
        for (number, step) in action.steps.iter().enumerate() {
            let script = temp.join("step.sh");
            let output = temp.join(format!("output{number}"));
            fs::write(&script, &step.script).unwrap();
            fs::write(&output, "").unwrap();
            let path = std::env::var("PATH").unwrap();
            let path = format!("{}:{path}", self.origin.beside("bin").display());
            let mut command = Command::new("bash");
            command
                .args(["--noprofile", "--norc", "-eo", "pipefail"])
                .arg(&script)
                .current_dir(&self.folder)
                .env_clear()
                .env("PATH", path)
                .env("HOME", self.origin.beside("home"))
                .env("GITHUB_ACTIONS", "true")
                .env("GITHUB_ACTION_PATH", repository_file(""))
                .env("GITHUB_EVENT_PATH", temp.join("event.json"))
                .env("GITHUB_OUTPUT", &output)
                .env("GITHUB_STEP_SUMMARY", &summary)
                .env("RUNNER_TEMP", &temp)
                .envs(self.env.iter().cloned())
                .envs(more.iter().copied());
            for (key, value) in &step.env {
                command.env(key, filled(value, &inputs, &known));
            }
            let ended = command.output().unwrap();
            ran.code = ended.status.code().unwrap();
            ran.log += &String::from_utf8(ended.stdout).unwrap();
            ran.err += &String::from_utf8(ended.stderr).unwrap();
            for (name, value) in pairs(&fs::read_to_string(&output).unwrap()) {
                known.insert(format!("steps.{}.outputs.{name}", step.id), value);
            }
            if ran.code != 0 {
                break;
            }
        }
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
        ran.commands = commands(&ran.log);
        assert_eq!(commands(&ran.err), [""; 0], "commands in the other stream");
        ran.summary = fs::read_to_string(&summary).unwrap_or_default();
        let _ = fs::remove_file(&summary);
        for (name, value) in &action.outputs {
            ran.outputs
                .insert(name.clone(), filled(value, &inputs, &known));
        }
        ran
    }

    fn id(&self, revision: &str) -> String {
        self.origin.id(revision)
    }
}

fn line(key: &str) -> String {
    format!("TOKEN={key}\n")
}

/// The same, accepted by its author.
fn marked(key: &str) -> String {
    format!("TOKEN={key} # keysweep:allow\n")
}

/// A repository with an old key on its main branch.
fn messy() -> Repo {
    let origin = Repo::new();
    origin.commit_file("old.env", line(&fake::github_pat(1)));
    origin.commit_file("README", "hello\n");
    origin
}

/// The same, with a pull request of these commits, and what the service merged.
fn request_of(commits: impl FnOnce(&Repo)) -> Job {
    let origin = messy();
    origin.git(&["checkout", "-q", "-b", "topic"]);
    commits(&origin);
    let job = Job::new(origin);
    merge(&job);
    job
}

/// One that adds a key and takes it out again.
fn request() -> Job {
    request_of(|topic| {
        topic.commit_file("new.env", line(&fake::github_pat(2)));
        topic.commit_file("new.env", "TOKEN=\n");
    })
}

/// What the service does: merges the request into its target.
fn merge(job: &Job) {
    let origin = &job.origin;
    let before = origin.id("topic");
    origin.git(&["update-ref", "refs/pull/7/head", &before]);
    origin.git(&["checkout", "-q", "--detach", "main"]);
    origin.git(&["merge", "-q", "--no-ff", "-m", "merge", "topic"]);
    origin.git(&["update-ref", "refs/pull/7/merge", "HEAD"]);
    origin.git(&["checkout", "-q", "main"]);
}

fn request_event(job: &Job, fork: bool) -> Value {
    let from = if fork { "stranger/app" } else { "acme/app" };
    json!({
        "action": "synchronize",
        "number": 7,
        "pull_request": {
            "number": 7,
            "base": {"ref": "main", "sha": job.id("main"), "repo": {"full_name": "acme/app"}},
            "head": {"ref": "topic", "sha": job.id("topic"), "repo": {"full_name": from}},
        },
        "repository": {"full_name": "acme/app", "default_branch": "main"},
    })
}

fn push_event(reference: &str, before: &str, after: &str) -> Value {
    json!({
        "ref": reference, "before": before, "after": after,
        "deleted": after == ZERO, "created": before == ZERO, "forced": false,
        "repository": {"full_name": "acme/app", "default_branch": "main"},
    })
}

const MERGE: &str = "refs/pull/7/merge";

// ---------------------------------------------------------------------------------------------
// Pull requests

#[test]
fn a_pull_request_is_what_its_commits_add_and_nothing_else() {
    let job = request().checkout(MERGE);
    for event in ["pull_request", "pull_request_review"] {
        let ran = job.run(event, &request_event(&job, false));
        assert_eq!(ran.paths(), ["new.env"], "{ran:#?}");
        assert_eq!(ran.outputs["status"], "findings");
        assert!(ran.summary.contains("1 finding"), "{}", ran.summary);
        ran.says("pull request #7 into main: 2 commits")
            .says("github-pat-classic")
            .hides(&fake::github_pat(2))
            .hides(&fake::github_pat(1))
            .ends_with(1);
    }
}

#[test]
fn a_pull_request_without_keys_passes() {
    let job = request_of(|topic| {
        topic.commit_file("a.txt", "a\n");
    })
    .checkout(MERGE);
    let ran = job.run("pull_request", &request_event(&job, false));
    assert_eq!(ran.paths(), [""; 0]);
    assert_eq!(ran.outputs["status"], "clean");
    assert!(ran.commands.is_empty(), "{ran:#?}");
    ran.says("1 commit,").ends_with(0);
}

#[test]
fn what_came_from_the_target_is_not_the_pull_requests() {
    let job = request();
    let stale = request_event(&job, false)["pull_request"]["base"]["sha"].clone();
    // The target moved on, and was merged into the branch; the event still tells of the old target.
    let origin = &job.origin;
    origin.git(&["checkout", "-q", "main"]);
    origin.commit_file("main.env", line(&fake::github_pat(3)));
    origin.git(&["checkout", "-q", "topic"]);
    origin.git(&["merge", "-q", "-m", "merge main", "main"]);
    merge(&job);
    let job = job.checkout(MERGE);
    let mut event = request_event(&job, false);
    event["pull_request"]["base"]["sha"] = stale;
    let ran = job.run("pull_request", &event);
    assert_eq!(ran.paths(), ["new.env"], "{ran:#?}");
    // The target that the event tells of may be gone: the merge knows one.
    event["pull_request"]["base"]["sha"] = json!("1".repeat(40));
    let ran = job.run("pull_request", &event);
    assert_eq!(ran.paths(), ["new.env"], "{ran:#?}");
}

#[test]
fn a_shallow_clone_fails_and_says_how_deep_it_must_be() {
    for depth in [1, 2] {
        let job = request().shallow(MERGE, depth);
        job.run("pull_request", &request_event(&job, false))
            .says("shallow")
            .wants_all();
        job.run("schedule", &json!({})).wants_all();
        job.run("release", &json!({"release": {"tag_name": "v1"}}))
            .wants_all();
    }
    // Deep enough is enough.
    let job = request().shallow(MERGE, 4);
    let ran = job.run("pull_request", &request_event(&job, false));
    assert_eq!(ran.paths(), ["new.env"], "{ran:#?}");
}

#[test]
fn a_partial_clone_that_lacks_files_fails() {
    let job = request().fetch(MERGE, &["--filter=blob:none"]);
    let ran = job.run("pull_request", &request_event(&job, false));
    assert_eq!(ran.outputs["status"], "incomplete", "{ran:#?}");
    ran.says("without `filter` and `sparse-checkout`")
        .ends_with(2);
}

#[test]
fn the_target_event_is_refused_until_the_commits_are_there_as_data() {
    // The target is checked out, with all branches of its repository; the stranger's is none of them.
    let job = request_of(|topic| {
        topic.commit_file("new.env", marked(&fake::github_pat(2)));
    });
    let event = request_event(&job, true);
    job.origin.git(&["branch", "-q", "-D", "topic"]);
    let job = job.checkout("refs/heads/main");
    let ran = job.run("pull_request_target", &event);
    assert_eq!(ran.outputs["status"], "failed");
    let ran = ran
        .says("Let the workflow run on `pull_request` instead")
        .ends_with(2);

    // The step that it proposes.
    let step = ran
        .log
        .lines()
        .find_map(|l| l.trim().strip_prefix("- run: "));
    fs::write(job.origin.beside("temp/fetch.sh"), step.unwrap()).unwrap();
    let fetched = Command::new("bash")
        .arg(job.origin.beside("temp/fetch.sh"))
        .current_dir(&job.folder)
        .env("NUMBER", "7")
        .output()
        .unwrap();
    assert!(fetched.status.success(), "{fetched:?}");
    let ran = job.run("pull_request_target", &event);
    assert_eq!(ran.paths(), ["new.env"], "{ran:#?}");
    ran.says("do not count: the change comes from a fork")
        .ends_with(1);
}

#[test]
fn a_fork_may_not_accept_its_own_findings() {
    let mut job = request_of(|topic| {
        topic.commit_file("new.env", marked(&fake::github_pat(2)));
    })
    .checkout(MERGE);
    let own = request_event(&job, false);
    let fork = request_event(&job, true);
    let mut gone = fork.clone();
    gone["pull_request"]["head"]["repo"] = Value::Null;
    job.run("pull_request", &own).ends_with(0);
    job.run("pull_request", &fork).ends_with(1);
    job.run("pull_request", &gone).ends_with(1);
    job = job.with("trust", "always");
    job.run("pull_request", &fork).ends_with(0);
    // Files that the workflow names come out of the change as well.
    let allow = "[[allow]]\npath = \"new.env\"\n";
    fs::write(job.folder.join("allow.toml"), allow).unwrap();
    job = job.with("trust", "auto").with("config", "allow.toml");
    job.run("pull_request", &own).ends_with(0);
    job.run("pull_request", &fork).ends_with(1);
    job = job.with("config", "").with("baseline", "accepted.txt");
    let made = Command::new(assert_cmd::cargo::cargo_bin!("keysweep"))
        .args([
            "baseline",
            "create",
            "--no-inline-allow",
            "--output",
            "accepted.txt",
        ])
        .current_dir(&job.folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    job.run("pull_request", &own).ends_with(0);
    job.run("pull_request", &fork).ends_with(1);
    job = job.with("baseline", "").with("trust", "never");
    job.run("pull_request", &own)
        .says("do not count: as asked")
        .ends_with(1);
}

#[test]
fn base_and_head_that_are_the_same_are_an_error() {
    let job = request().checkout(MERGE);
    let mut event = request_event(&job, false);
    event["pull_request"]["base"]["sha"] = json!(job.id("topic"));
    job.run("pull_request", &event)
        .says("base and head are the same commit")
        .ends_with(2);
}

#[test]
fn a_merge_queue_is_what_its_group_adds() {
    let job = request();
    let group = "refs/heads/gh-readonly-queue/main/pr-7";
    job.origin
        .git(&["update-ref", group, &job.id("refs/pull/7/merge")]);
    let job = job.checkout(group);
    let event = json!({"merge_group": {
        "base_sha": job.id("main"), "head_sha": job.id(group), "base_ref": "refs/heads/main",
    }});
    let ran = job.run("merge_group", &event);
    assert_eq!(ran.paths(), ["new.env"], "{ran:#?}");
    ran.says("merge queue of main: 3 commits").ends_with(1);
    let job = job.shallow(group, 1);
    job.run("merge_group", &event).wants_all();
}

#[test]
fn a_merge_queue_may_hold_forks_that_accept_their_own_findings() {
    let job = request_of(|topic| {
        topic.commit_file("new.env", marked(&fake::github_pat(2)));
        let listed = fake::github_pat(3);
        topic.commit_file("listed.env", line(&listed));
        topic.commit_file(".keysweepignore", "listed.env\n");
        topic.commit_file("keysweep.toml", "[scan]\nexclude = [\"listed.env\"]\n");
    });
    let group = "refs/heads/gh-readonly-queue/main/pr-7";
    job.origin
        .git(&["update-ref", group, &job.id("refs/pull/7/merge")]);
    let job = job.checkout(group);
    let event = json!({"merge_group": {
        "base_sha": job.id("main"), "head_sha": job.id(group), "base_ref": "refs/heads/main",
    }});
    let ran = job.run("merge_group", &event);
    assert_eq!(ran.paths(), ["listed.env", "new.env"], "{ran:#?}");
    ran.says("does not say whether a change comes from a fork")
        .ends_with(1);
    job.with("trust", "always")
        .run("merge_group", &event)
        .ends_with(0);
}

#[test]
fn what_was_accepted_is_counted_in_the_log_and_the_summary() {
    let job = request_of(|topic| {
        topic.commit_file("new.env", marked(&fake::github_pat(2)));
        topic.commit_file("other", format!("see {}\n", fake::github_pat(3)));
        topic.commit_file(".keysweepignore", "*\n");
    })
    .checkout(MERGE);
    let ran = job.run("pull_request", &request_event(&job, false));
    assert!(
        ran.summary
            .contains("2 findings are suppressed by marks or lists"),
        "{}",
        ran.summary
    );
    let last = ran.log.lines().rfind(|l| l.starts_with("keysweep: "));
    assert!(
        last.is_some_and(|l| l.contains("2 findings are suppressed by marks or lists")),
        "{ran:#?}"
    );
    ran.ends_with(0);
}

// ---------------------------------------------------------------------------------------------
// Pushes

#[test]
fn a_push_is_what_came_since_the_last_one() {
    let origin = messy();
    let before = origin.id("HEAD");
    origin.commit_file("new.env", line(&fake::github_pat(2)));
    let after = origin.commit_file("new.env", "TOKEN=\n");
    let job = Job::new(origin).checkout("refs/heads/main");
    let event = push_event("refs/heads/main", &before, &after);
    let ran = job.run("push", &event);
    assert_eq!(ran.paths(), ["new.env"], "{ran:#?}");
    ran.says("push to branch main: 2 commits").ends_with(1);

    let shallow = job.shallow("refs/heads/main", 1);
    shallow.run("push", &event).wants_all();
    // Backwards: commits went away, none came.
    let job = shallow.checkout("refs/heads/main");
    let back = push_event("refs/heads/main", &after, &before);
    job.run("push", &back).had_nothing();
}

#[test]
fn a_new_branch_is_what_the_main_branch_has_not() {
    let job = request();
    let (main, topic) = (job.id("main"), job.id("topic"));
    job.origin.git(&["branch", "same", "main"]);
    let job = job.checkout("refs/heads/topic");
    let ran = job.run("push", &push_event("refs/heads/topic", ZERO, &topic));
    assert_eq!(ran.paths(), ["new.env"], "{ran:#?}");
    ran.says("new is what main has not").ends_with(1);
    job.run("push", &push_event("refs/heads/same", ZERO, &main))
        .had_nothing();
    // The first push of all.
    let ran = job.run("push", &push_event("refs/heads/main", ZERO, &main));
    assert_eq!(ran.paths(), ["old.env"], "{ran:#?}");
    ran.says("all of its history").ends_with(1);
    let job = job.shallow("refs/heads/topic", 1);
    job.run("push", &push_event("refs/heads/topic", ZERO, &topic))
        .wants_all();
}

#[test]
fn a_forced_push_over_lost_commits_is_compared_with_the_main_branch() {
    let job = request();
    let topic = job.id("topic");
    let lost = "1234567890123456789012345678901234567890";
    let job = job.checkout("refs/heads/topic");
    let mut event = push_event("refs/heads/topic", lost, &topic);
    event["forced"] = json!(true);
    let ran = job.run("push", &event);
    assert_eq!(ran.paths(), ["new.env"], "{ran:#?}");
    ran.says("history was rewritten by a forced push")
        .says("new is what main has not")
        .ends_with(1);
    // On the main branch itself there is nothing to compare with.
    let main = job.id("main");
    let ran = job.run("push", &push_event("refs/heads/main", lost, &main));
    assert_eq!(ran.paths(), ["old.env"], "{ran:#?}");
}

#[test]
fn a_deletion_has_nothing_to_scan_and_says_so() {
    let job = request().checkout("refs/heads/main");
    let main = job.id("main");
    for reference in ["refs/heads/topic", "refs/tags/v1"] {
        job.run("push", &push_event(reference, &main, ZERO))
            .says("adds nothing")
            .had_nothing();
    }
}

#[test]
fn a_tag_is_what_the_main_branch_has_not_and_its_own_text() {
    let job = request();
    let key = fake::github_pat(4);
    let origin = &job.origin;
    origin.git(&["tag", "light", "main"]);
    origin.git(&["tag", "-a", "-m", &format!("token {key}"), "heavy", "main"]);
    origin.git(&["tag", "-a", "-m", "fine", "side", "topic"]);
    let job = job.checkout("refs/heads/main");
    let tag = |name: &str| {
        let reference = format!("refs/tags/{name}");
        let event = push_event(&reference, ZERO, &job.id(&reference));
        job.run("push", &event)
    };
    tag("light").had_nothing();
    let ran = tag("heavy");
    assert_eq!(ran.outputs["findings"], "1", "{ran:#?}");
    ran.says("in the message of tag").hides(&key).ends_with(1);
    let ran = tag("side");
    assert_eq!(ran.paths(), ["new.env"], "{ran:#?}");
    // A tag of a tag: what the inner one says came with it, whether a ref still names it or not.
    origin_tag_of_tag(&job, &key);
    // Some events give the tag's commit.
    let commit = push_event("refs/tags/heavy", ZERO, &job.id("main"));
    assert_eq!(job.run("push", &commit).outputs["findings"], "1");
}

/// Pushes a tag that names the tag `heavy`, and looks for the key in the inner one's message.
fn origin_tag_of_tag(job: &Job, key: &str) {
    let heavy = job.id("refs/tags/heavy");
    job.git(&["tag", "-a", "-m", "outer", "outer", &heavy]);
    let outer = job
        .origin
        .git_in("clone", &["rev-parse", "refs/tags/outer"]);
    for gone in [false, true] {
        if gone {
            job.git(&["tag", "-d", "heavy"]);
        }
        let event = push_event("refs/tags/outer", ZERO, outer.trim());
        let ran = job.run("push", &event);
        assert_eq!(ran.outputs["findings"], "1", "{ran:#?}");
        ran.says("in the message of tag").hides(key).ends_with(1);
    }
    job.git(&["tag", "heavy", &heavy]);
}

#[test]
fn a_path_that_names_nothing_is_an_error_and_no_pass() {
    let job = request_of(|topic| {
        topic.commit_file("a/x.env", line(&fake::github_pat(2)));
        topic.git(&["rm", "-q", "old.env"]);
        topic.commit("gone");
    });
    let mut job = job.checkout(MERGE);
    let event = request_event(&job, false);
    let full = job.folder.canonicalize().unwrap().join("a/x.env");
    for path in [
        "a",
        "a/",
        "./a",
        "x.env",
        "a/x.env",
        "../clone/a",
        full.to_str().unwrap(),
        ".",
    ] {
        job = job.with("paths", path);
        let ran = job.run("pull_request", &event);
        assert_eq!(ran.paths(), ["a/x.env"], "{path}: {ran:#?}");
    }
    // What the range takes away was there; a glob without a folder may name anything.
    for path in ["old.env", "README", "*.tf"] {
        job = job.with("paths", path);
        job.run("pull_request", &event).ends_with(0);
    }
    for (path, why) in [
        ("srcc", "no such file or folder"),
        ("srcc/**/*.py", "no such file or folder"),
        ("a\nsrcc", "no such file or folder"),
        ("../a", "lies outside"),
        ("/etc/passwd", "lies outside"),
    ] {
        job = job.with("paths", path);
        let ran = job.run("pull_request", &event);
        assert_eq!(ran.outputs["status"], "failed", "{path}: {ran:#?}");
        ran.says(why).ends_with(2);
    }
    job = job.with("paths", "srcc").with("scope", "tree");
    job.run("pull_request", &event)
        .says("no such file or folder")
        .ends_with(2);
    job = job.with("paths", "a").with("scope", "tree");
    let ran = job.run("pull_request", &event);
    assert_eq!(ran.paths(), ["a/x.env"], "{ran:#?}");
}

#[test]
fn a_report_for_programs_has_standard_output_to_itself() {
    let job = request().checkout(MERGE);
    let event = job.origin.beside("temp/event.json");
    fs::write(&event, request_event(&job, false).to_string()).unwrap();
    let run = |format: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keysweep"));
        command
            .args(["ci", "--format", format])
            .current_dir(&job.folder)
            .env_clear()
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_EVENT_NAME", "pull_request")
            .env("GITHUB_EVENT_PATH", &event)
            .env("RUNNER_TEMP", job.origin.beside("temp"));
        let ended = command.output().unwrap();
        assert_eq!(ended.status.code(), Some(1));
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(ended.stdout), text(ended.stderr))
    };
    for format in ["json", "sarif", "gitlab"] {
        let (out, err) = run(format);
        serde_json::from_str::<Value>(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
        // The commands are in the other stream, and are switched on again.
        assert!(!commands(&err).is_empty(), "{err}");
        assert!(err.contains("keysweep: "), "{err}");
    }
    let (out, err) = run("text");
    assert!(out.starts_with("::stop-commands::"), "{out}");
    assert!(!commands(&out).is_empty());
    assert_eq!(commands(&err), [""; 0]);
}

// ---------------------------------------------------------------------------------------------
// Everything else

#[test]
fn a_schedule_audits_the_whole_history() {
    let job = request().checkout("refs/heads/main");
    for event in ["schedule", "workflow_dispatch", "repository_dispatch"] {
        let ran = job.run(event, &json!({}));
        assert_eq!(ran.paths(), ["new.env", "old.env"], "{ran:#?}");
        ran.says("the whole history").ends_with(1);
    }
    let ran = job.run("issue_comment", &json!({"action": "created"}));
    assert_eq!(ran.paths(), ["new.env", "old.env"], "{ran:#?}");
    ran.says("this event names no commits that are new");
}

#[test]
fn a_release_is_all_that_its_tag_reaches() {
    let job = request();
    let key = fake::github_pat(4);
    job.origin
        .git(&["tag", "-a", "-m", &format!("token {key}"), "v1", "main"]);
    let job = job.checkout("refs/heads/main");
    let ran = job.run("release", &json!({"release": {"tag_name": "v1"}}));
    assert_eq!(ran.outputs["findings"], "2", "{ran:#?}");
    ran.says("the whole history of refs/tags/v1")
        .hides(&key)
        .ends_with(1);
    job.run("release", &json!({"release": {"tag_name": "v2"}}))
        .says("is not in this clone")
        .ends_with(2);
}

#[test]
fn a_run_after_another_scans_that_ones_commit_or_fails() {
    let job = request().checkout("refs/heads/main");
    let event = |id: &str, from: &str| {
        json!({
            "workflow_run": {"name": "CI", "head_sha": id, "head_repository": {"full_name": from}},
            "repository": {"full_name": "acme/app"},
        })
    };
    let topic = job.id("topic");
    let ran = job.run("workflow_run", &event(&topic, "acme/app"));
    assert_eq!(ran.paths(), ["new.env", "old.env"], "{ran:#?}");
    let missing = "1".repeat(40);
    job.run("workflow_run", &event(&missing, "acme/app"))
        .says("let the workflow run on `pull_request`")
        .ends_with(2);
    job.run("workflow_run", &event(&topic, "stranger/app"))
        .says("the change comes from a fork");
}

#[test]
fn a_range_by_hand_counts_whatever_the_event_says() {
    let job = request().checkout(MERGE);
    let range = |range: &str| {
        let job = Job {
            inputs: BTreeMap::from([("range".to_owned(), range.to_owned())]),
            env: Vec::new(),
            folder: job.folder.clone(),
            origin: Repo::folder(),
        };
        // Beside the clone there is a runner's temporary folder of its own.
        for name in ["temp", "bin"] {
            fs::create_dir_all(job.origin.beside(name)).unwrap();
        }
        symlink(
            env!("CARGO_BIN_EXE_keysweep"),
            job.origin.beside("bin/keysweep"),
        )
        .unwrap();
        job.run("schedule", &json!({}))
    };
    let ran = range("origin/main..origin/topic");
    assert!(ran.log.contains("2 commits"), "{ran:#?}");
    ran.ends_with(1);
    range("HEAD..HEAD")
        .says("both ends are commit")
        .ends_with(2);
    range("origin/topic..origin/main~1")
        .says("wrong way round")
        .ends_with(2);
    range("origin/mian..HEAD")
        .says("there is `origin/main`")
        .ends_with(2);
    range("$(touch injected); `touch injected`..HEAD").ends_with(2);
    assert!(!job.folder.join("injected").exists());
}

#[test]
fn the_scope_can_be_set() {
    let job = request().checkout(MERGE).with("scope", "history");
    let event = request_event(&job, false);
    let ran = job.run("pull_request", &event);
    assert_eq!(ran.paths(), ["new.env", "old.env"], "{ran:#?}");
    // The checked-out files need no history.
    let job = job.shallow(MERGE, 1).with("scope", "tree");
    let ran = job.run("pull_request", &event);
    assert_eq!(ran.paths(), ["old.env"], "{ran:#?}");
    ran.says("the checked-out files").ends_with(1);
}

#[test]
fn paths_narrow_what_is_reported() {
    let mut job = request_of(|topic| {
        topic.write("a/x.env", line(&fake::github_pat(2)));
        topic.write("b c/y.env", line(&fake::github_pat(3)));
        topic.commit("two keys");
    })
    .checkout(MERGE);
    let event = request_event(&job, false);
    for (paths, found) in [
        ("", vec!["a/x.env", "b c/y.env"]),
        ("a", vec!["a/x.env"]),
        ("README\nb c\n", vec!["b c/y.env"]),
        ("*.md", vec![]),
    ] {
        job = job.with("paths", paths);
        let ran = job.run("pull_request", &event);
        assert_eq!(ran.paths(), found, "{ran:#?}");
    }
}

#[test]
fn severity_format_and_output_are_inputs() {
    let job = request()
        .checkout(MERGE)
        .with("format", "jsonl")
        .with("output", "report file.jsonl");
    let event = request_event(&job, false);
    job.run("pull_request", &event).ends_with(1);
    let report = fs::read_to_string(job.folder.join("report file.jsonl")).unwrap();
    assert!(report.contains("\"kind\":\"finding\""));
    let job = job.with("fail-on", "criticall");
    let ran = job.run("pull_request", &event);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("critical"), "{ran:#?}");
}

#[test]
fn an_event_that_cannot_be_understood_fails() {
    let job = request().checkout(MERGE);
    let mut event = request_event(&job, false);
    event["pull_request"]["head"]["sha"] = json!("topic");
    job.run("pull_request", &event)
        .says("`/pull_request/head/sha` is no commit's id")
        .ends_with(2);
    job.run("push", &json!({}))
        .says("`/ref` is missing")
        .ends_with(2);
    fs::write(job.origin.beside("temp/event.json"), "{").unwrap();
    job.act(&[("GITHUB_EVENT_NAME", "push")])
        .says("the event is not JSON")
        .ends_with(2);
    fs::remove_file(job.origin.beside("temp/event.json")).unwrap();
    job.act(&[("GITHUB_EVENT_NAME", "push")])
        .says("the event cannot be read")
        .ends_with(2);
    job.act(&[])
        .says("GITHUB_EVENT_NAME is not set")
        .ends_with(2);
}

#[test]
fn without_a_repository_the_run_fails() {
    let mut job = request();
    fs::create_dir_all(job.origin.beside("clone")).unwrap();
    let event = request_event(&job, false);
    job.run("pull_request", &event)
        .says("not in a git repository")
        .says("must check the repository out")
        .wants_all();
    // Checked out into another folder.
    job = job.checkout(MERGE).with("repository", "clone");
    job.folder = job.origin.beside(".");
    let ran = job.run("pull_request", &event);
    assert_eq!(ran.paths(), ["new.env"], "{ran:#?}");
}

#[test]
fn a_damaged_repository_is_red() {
    let job = request().checkout(MERGE);
    let blob = job.id("topic~1:new.env");
    let origin = &job.origin;
    // Packs unpacked, one object gone.
    for pack in packs(&job.folder.join(".git")) {
        let away = origin.beside("temp/pack");
        fs::rename(&pack, &away).unwrap();
        let mut unpack = Command::new("git");
        unpack
            .args(["unpack-objects", "-q"])
            .current_dir(&job.folder)
            .stdin(fs::File::open(&away).unwrap());
        assert!(unpack.status().unwrap().success());
    }
    let loose = job.folder.join(".git/objects");
    fs::remove_file(loose.join(&blob[..2]).join(&blob[2..])).unwrap();
    let ran = job.run("pull_request", &request_event(&job, false));
    assert_eq!(ran.outputs["status"], "incomplete", "{ran:#?}");
    assert!(ran.summary.contains("could not scan all of it"), "{ran:#?}");
    assert!(
        ran.commands
            .iter()
            .any(|c| c.starts_with("::error title=keysweep::"))
    );
    ran.ends_with(2);
}

// ---------------------------------------------------------------------------------------------
// Foreign text

#[test]
fn names_of_files_and_branches_command_nothing() {
    let key = fake::github_pat(2);
    let names = [
        "::set-output name=findings::0",
        "a\n::add-mask::e\nb",
        "##[set-output name=findings;]0",
        "<img src=x>`|.env",
        "%0A::error::x",
    ];
    let job = request_of(|topic| {
        for (number, name) in names.iter().enumerate() {
            topic.write(name, line(&fake::github_pat(10 + number as u64)));
        }
        topic.commit("::stop-commands::x\n\n::error::y");
    })
    .checkout(MERGE);
    let mut event = request_event(&job, false);
    event["pull_request"]["base"]["ref"] =
        json!(format!("main\n::set-output name=findings::0\n<b>{key}</b>"));
    let ran = job.run("pull_request", &event);
    assert_eq!(ran.outputs["findings"], names.len().to_string(), "{ran:#?}");
    for command in &ran.commands {
        assert!(
            ["::error ", "::warning ", "::notice "]
                .iter()
                .any(|known| command.starts_with(known)),
            "{command}"
        );
    }
    assert!(!ran.summary.contains("<b>"), "{}", ran.summary);
    for (at, _) in ran.summary.match_indices("<img") {
        // In a code span it is text.
        assert!(ran.summary[..at].ends_with('`'), "{}", ran.summary);
    }
    ran.hides(&key).ends_with(1);
}

#[test]
fn findings_are_annotated() {
    if keysweep::report::by_name("github").is_none() {
        return;
    }
    let job = request().checkout(MERGE);
    let ran = job.run("pull_request", &request_event(&job, false));
    let expected = "::error file=new.env,line=1,";
    assert!(
        ran.commands.iter().any(|c| c.starts_with(expected)),
        "{ran:#?}"
    );
    assert!(
        ran.summary.contains("github-pat-classic"),
        "{}",
        ran.summary
    );
}

#[test]
fn a_summary_stays_below_what_the_service_takes() {
    let job = request().checkout(MERGE);
    let there = "x".repeat((1 << 20) - 100);
    fs::write(job.origin.beside("temp/summary.md"), &there).unwrap();
    let ran = job.run("pull_request", &request_event(&job, false));
    assert!(ran.summary.len() <= 1 << 20, "{}", ran.summary.len());
    assert!(ran.summary.starts_with(&there));
}

#[test]
fn reports_do_not_go_through_links_of_the_scanned_tree() {
    let job = request().checkout(MERGE);
    let precious = job.origin.beside("precious");
    fs::write(&precious, "mine").unwrap();
    let run = |folder: &str| {
        Command::new(env!("CARGO_BIN_EXE_keysweep"))
            .args([
                "ci",
                "--range",
                "origin/main..origin/topic",
                "--reports",
                folder,
            ])
            .current_dir(&job.folder)
            .env_clear()
            .output()
            .unwrap()
    };
    fs::create_dir(job.folder.join("reports")).unwrap();
    symlink(&precious, job.folder.join("reports/report.json")).unwrap();
    assert_eq!(run("reports").status.code(), Some(1));
    assert_eq!(fs::read_to_string(&precious).unwrap(), "mine");
    let report = fs::read_to_string(job.folder.join("reports/report.json")).unwrap();
    assert!(report.contains("github-pat-classic"));

    symlink(job.origin.beside("temp"), job.folder.join("linked")).unwrap();
    let refused = run("linked");
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("not a folder but a link"), "{said}");
}

#[test]
fn secrets_are_not_shown_on_request_either() {
    let job = request().checkout(MERGE);
    let run = Command::new(env!("CARGO_BIN_EXE_keysweep"))
        .args([
            "ci",
            "--range",
            "origin/main..origin/topic",
            "--show-secrets",
        ])
        .current_dir(&job.folder)
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2));
    assert!(run.stdout.is_empty());
}

// ---------------------------------------------------------------------------------------------
// Where the program comes from

#[test]
fn a_program_is_named_found_or_built() {
    let event = |job: &Job| request_event(job, false);
    let mut job = request().checkout(MERGE);
    let bin = job.origin.beside("bin");
    // Named: whatever lies on the PATH.
    let other = job.origin.beside("other program");
    fs::rename(bin.join("keysweep"), &other).unwrap();
    job = job.with("binary", other.to_str().unwrap());
    job.run("pull_request", &event(&job)).ends_with(1);
    job = job.with("binary", "no-such-program");
    let ran = job.run("pull_request", &event(&job));
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("the input binary names no program"),
        "{ran:#?}"
    );

    // Another version on the PATH does not do: the action's own source is built, in its own folder.
    script(&bin.join("keysweep"), "echo keysweep 0.0.1");
    let build = format!(
        "echo \"$PWD\" >'{0}/built'\nprintf '%s\\n' \"$@\" >>'{0}/built'\nmkdir -p \"${{@: -1}}/bin\"\nln -s '{1}' \"${{@: -1}}/bin/keysweep\"",
        job.origin.beside("temp").display(),
        other.display()
    );
    script(&bin.join("cargo"), &build);
    job = job.with("binary", "");
    job.run("pull_request", &event(&job)).ends_with(1);
    let built = fs::read_to_string(job.origin.beside("temp/built")).unwrap();
    let built: Vec<&str> = built.lines().collect();
    assert_eq!(
        Path::new(built[0]),
        repository_file("").canonicalize().unwrap()
    );
    assert_eq!(built[1..5], ["install", "--locked", "--force", "--path"]);
}

fn script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;

    fs::write(path, format!("#!/usr/bin/env bash\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn outputs_that_the_action_promises_are_written() {
    let action = Action::read();
    let job = request().checkout(MERGE);
    let ran = job.run("pull_request", &request_event(&job, false));
    for name in action.outputs.keys() {
        assert!(!ran.outputs[name].is_empty(), "{name}");
    }
    // Each input is handed to a step.
    let used: Vec<_> = action.steps.iter().flat_map(|s| &s.env).collect();
    for name in action.defaults.keys() {
        let wanted = format!("${{{{ inputs.{name} }}}}");
        assert!(used.iter().any(|(_, value)| *value == wanted), "{name}");
    }
    for step in &action.steps {
        assert!(!step.script.contains("${{"), "{}", step.script);
    }
}

// ---------------------------------------------------------------------------------------------
// GitLab

struct Pipeline {
    code: i32,
    out: String,
    err: String,
}

impl Job {
    fn pipeline(&self, variables: &[(&str, &str)]) -> Pipeline {
        let ended = Command::new(env!("CARGO_BIN_EXE_keysweep"))
            .arg("ci")
            .current_dir(&self.folder)
            .env_clear()
            .env("GITLAB_CI", "true")
            .env("CI_DEFAULT_BRANCH", "main")
            .env("HOME", self.origin.beside("home"))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        Pipeline {
            code: ended.status.code().unwrap(),
            out: String::from_utf8(ended.stdout).unwrap(),
            err: String::from_utf8(ended.stderr).unwrap(),
        }
    }
}

impl Pipeline {
    #[track_caller]
    fn finds(self, found: &[&str], not: &[&str]) -> Self {
        assert_eq!(self.code, 1, "{}{}", self.out, self.err);
        for path in found {
            assert!(self.out.contains(path), "{}{}", self.out, self.err);
        }
        for path in not {
            assert!(!self.out.contains(path), "{}{}", self.out, self.err);
        }
        self
    }

    #[track_caller]
    fn fails(&self, words: &str) {
        assert_eq!(self.code, 2, "{}{}", self.out, self.err);
        assert!(self.err.contains(words), "{}", self.err);
    }
}

#[test]
fn gitlabs_merge_requests_pushes_and_schedules() {
    let job = request();
    let (main, topic) = (job.id("main"), job.id("topic"));
    let merged = job.id("refs/pull/7/merge");
    let job = job.checkout(MERGE);
    let request = [
        ("CI_PIPELINE_SOURCE", "merge_request_event"),
        ("CI_MERGE_REQUEST_IID", "7"),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", &main),
        ("CI_COMMIT_BEFORE_SHA", ZERO),
        ("CI_MERGE_REQUEST_PROJECT_ID", "1"),
        ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "1"),
    ];
    let with = |more: &[(&'static str, &str)]| {
        let all: Vec<(&str, &str)> = request.iter().chain(more).copied().collect();
        job.pipeline(&all)
    };
    let ran = with(&[("CI_COMMIT_SHA", &topic)]).finds(&["new.env"], &["old.env"]);
    assert!(
        ran.err.contains("merge request !7 into main: 2 commits"),
        "{}",
        ran.err
    );
    let reports = job.folder.join("keysweep-reports");
    assert!(reports.join("report.json").exists() && reports.join("report.sarif").exists());
    let own = reports.join("gl-secret-detection-report.json").exists();
    assert_eq!(own, keysweep::report::by_name("gitlab").is_some());
    // The merged result.
    with(&[
        ("CI_COMMIT_SHA", &merged),
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", &topic),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_SHA", &main),
    ])
    .finds(&["new.env"], &["old.env"]);
    let fork = with(&[
        ("CI_COMMIT_SHA", &topic),
        ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "2"),
    ]);
    assert!(fork.err.contains("comes from a fork"), "{}", fork.err);

    let push = |branch: &str, before: &str, after: &str| {
        job.pipeline(&[
            ("CI_PIPELINE_SOURCE", "push"),
            ("CI_COMMIT_BRANCH", branch),
            ("CI_COMMIT_BEFORE_SHA", before),
            ("CI_COMMIT_SHA", after),
        ])
    };
    push("topic", ZERO, &topic).finds(&["new.env"], &["old.env"]);
    let last = push("topic", &job.id("topic~1"), &topic);
    assert_eq!(last.code, 0, "{}{}", last.out, last.err);
    push("main", ZERO, &main).finds(&["old.env"], &["new.env"]);
    let scheduled = [
        ("CI_PIPELINE_SOURCE", "schedule"),
        ("CI_COMMIT_SHA", &*main),
        ("CI_COMMIT_BEFORE_SHA", ZERO),
    ];
    job.pipeline(&scheduled).finds(&["new.env", "old.env"], &[]);

    let job = job.shallow(MERGE, 1);
    job.pipeline(&scheduled).fails("GIT_DEPTH: \"0\"");
    let mut request = request.to_vec();
    request.push(("CI_COMMIT_SHA", &topic));
    job.pipeline(&request).fails("GIT_DEPTH: \"0\"");
}

#[test]
fn gitlabs_tags() {
    let job = request();
    let key = fake::github_pat(4);
    job.origin
        .git(&["tag", "-a", "-m", &format!("token {key}"), "v1", "main"]);
    let main = job.id("main");
    let job = job.checkout("refs/heads/main");
    let ran = job.pipeline(&[
        ("CI_PIPELINE_SOURCE", "push"),
        ("CI_COMMIT_TAG", "v1"),
        ("CI_COMMIT_BEFORE_SHA", ZERO),
        ("CI_COMMIT_SHA", &main),
    ]);
    ran.finds(&["in the message of tag"], &[&key, "old.env"]);
}

#[test]
fn elsewhere_a_range_or_a_scope_is_needed() {
    let job = request().checkout(MERGE);
    let run = |arguments: &[&str]| {
        let ended = Command::new(env!("CARGO_BIN_EXE_keysweep"))
            .arg("ci")
            .args(arguments)
            .current_dir(&job.folder)
            .env_clear()
            .output()
            .unwrap();
        (
            ended.status.code().unwrap(),
            String::from_utf8_lossy(&ended.stderr).into_owned(),
        )
    };
    let (code, said) = run(&[]);
    assert_eq!(code, 2);
    assert!(said.contains("--range A..B"), "{said}");
    assert_eq!(run(&["--range", "origin/main..origin/topic"]).0, 1);
    assert_eq!(run(&["--scope", "history"]).0, 1);
}

#[test]
fn elsewhere_who_names_the_range_is_trusted() {
    let repo = Repo::new();
    repo.commit_file("README", "x\n");
    let marked = line(&fake::github_pat(60));
    let marked = format!("{}  # keysweep:allow\n", marked.trim_end());
    repo.commit_file("marked.env", marked);
    let other = fake::npm_token(61);
    let toml = "[scan]\nexclude = [\"vendor\"]\n";
    repo.write("keysweep.toml", toml);
    repo.commit_file("vendor/a.env", line(&other));
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let ended = Command::new(env!("CARGO_BIN_EXE_keysweep"))
            .arg("ci")
            .args(arguments)
            .current_dir(repo.path())
            .env_clear()
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        (ended.status.code().unwrap(), said)
    };
    for scope in [["--range", "HEAD~2..HEAD"], ["--scope", "history"]] {
        let (code, said) = run(&scope, &[]);
        assert_eq!(code, 0, "{said}");
        assert!(!said.contains("fork"), "{said}");
        let (code, said) = run(&[&scope[..], &["--trust", "never"]].concat(), &[]);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("as asked"), "{said}");
        // In a service whose event is not known, the strictest reading stays.
        let (code, said) = run(&scope, &[("GITLAB_CI", "true")]);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("who made the change is not known"), "{said}");
    }
}
